"""Translates a piece of code into another programming language.

    python scripts/examples/code_translator.py
    python scripts/examples/code_translator.py Rust some_code.py

Temperature 0 asks for the likeliest translation instead of a varied one.
"""

import sys
from pathlib import Path

from connection import connect

import rawchat

SAMPLE = '''\
def perimeter(width, height):
    """Twice the sum of both sides."""
    return 2 * (width + height)
'''


def translate(client, code, language):
    """`code` in `language`, without the fence that models like to put around it."""
    rules = f"Translate the user's code into {language}. Keep names and comments. Answer with nothing but the code."
    reply = client.chat(rawchat.format_messages(rules, code), temperature=0)
    lines = reply.text.strip().splitlines()
    if len(lines) > 1 and lines[0].startswith("```") and lines[-1] == "```":
        lines = lines[1:-1]
    return "\n".join(lines)


def main():
    language = sys.argv[1] if len(sys.argv) > 1 else "JavaScript"
    code = Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else SAMPLE
    with connect() as client:
        print(translate(client, code, language))


if __name__ == "__main__":
    main()
