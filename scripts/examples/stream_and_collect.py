"""Exercise: show an answer as it comes, and have its whole text and the number of its pieces in the end.

    python scripts/examples/stream_and_collect.py
    python scripts/examples/stream_and_collect.py "Why is the sky blue?"

`stream.text` and `stream.reply` have the text in the end, too; here it is put together by hand.
"""

import sys

from connection import connect


def stream_and_collect(client, question):
    """(text, number of pieces), printed meanwhile. Raises rawchat.StreamInterrupted for half an answer."""
    pieces = []
    with client.stream(question) as stream:
        for text in stream:
            print(text, end="", flush=True)
            pieces.append(text)
    print()
    return "".join(pieces), len(pieces)


def main():
    with connect() as client:
        text, count = stream_and_collect(client, " ".join(sys.argv[1:]) or "Count to ten.")
    print(f"{len(text)} characters in {count} pieces")


if __name__ == "__main__":
    main()
