"""A tutor for Python: it remembers the conversation, and each answer is printed while it is written.

    python scripts/examples/python_tutor.py
    python scripts/examples/python_tutor.py "What is a decorator?" "Show me one that counts calls."

Each argument is a question; the later ones may build on the earlier ones.
"""

import sys

from connection import connect

import rawchat

TUTOR = "You are a patient Python tutor. Explain in at most three sentences, then show one short example."
QUESTIONS = [
    "My name is Ada. What does a list comprehension do?",
    "And when is a plain loop better?",
    "What is my name?",
]


def main():
    with connect() as client:
        tutor = rawchat.ChatSession(client, system_prompt=TUTOR, max_history=10)
        for question in sys.argv[1:] or QUESTIONS:
            print(f"> {question}")
            tutor.send(question, stream=True)
            print()
        print(tutor.cost_report())


if __name__ == "__main__":
    main()
