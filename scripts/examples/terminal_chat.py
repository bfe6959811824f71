"""A conversation in the terminal: it remembers, shows answers as they are written, and ends with the bill.

    python scripts/examples/terminal_chat.py

/undo forgets the last question and its answer, /cost shows the bill so far; Ctrl-C stops an answer, Ctrl-D (on Windows
Ctrl-Z and Return) ends the conversation. `rawchat chat` is a grown-up version of this.
"""

from connection import connect

import rawchat


def undo(session):
    print(f"forgotten: {session.undo()}")


def show_cost(session):
    print(session.cost_report())


COMMANDS = {"/undo": undo, "/cost": show_cost}


def ask(session, question):
    """An answer that fails or is stopped ends neither the program nor the conversation."""
    try:
        session.send(question, stream=True)
    except KeyboardInterrupt:
        print("(stopped; what had come is remembered)")
    except rawchat.RawChatError as error:
        print(f"{type(error).__name__}: {error}")


def main():
    with connect() as client:
        session = rawchat.ChatSession(client, system_prompt="Answer briefly.", max_history=20)
        while True:
            try:
                line = input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                break
            if line.startswith("/"):
                COMMANDS.get(line, lambda session: print(f"there is {', '.join(COMMANDS)}"))(session)
            elif line:
                ask(session, line)
        print()
        show_cost(session)


if __name__ == "__main__":
    main()
