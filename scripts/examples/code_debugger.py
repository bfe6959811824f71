"""Runs a program, and if that fails, asks for the cause: the code and the traceback go along.

    python scripts/examples/code_debugger.py
    python scripts/examples/code_debugger.py my_program.py

Without a program of yours, a small one with a mistake in it is run.
"""

import sys
import traceback
from pathlib import Path

from connection import connect

import rawchat

DEBUGGER = "You find bugs in Python programs. Name the cause in one sentence, then give the corrected lines."
SAMPLE = """\
def average(numbers):
    return sum(numbers) / len(numbers)

print(average([3, 4, 5]))
print(average([]))
"""


def run(code, name):
    """Runs `code`: the end of its traceback, or "" where it comes to its own end."""
    try:
        exec(compile(code, name, "exec"), {"__name__": "__main__"})
    except Exception:
        return traceback.format_exc(limit=-1)
    return ""


def explain(client, code, failure):
    """What the model says about it."""
    question = f"This program:\n\n```python\n{code}```\n\nfails with:\n\n```\n{failure}```"
    return client.chat(rawchat.format_messages(DEBUGGER, question), temperature=0).text


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else "average.py"
    code = Path(name).read_text(encoding="utf-8") if len(sys.argv) > 1 else SAMPLE
    failure = run(code, name)
    if not failure:
        print("It runs: there is nothing to explain.")
        return
    print(failure)
    with connect() as client:
        print(explain(client, code, failure))


if __name__ == "__main__":
    main()
