r"""What a terminal needs of those who print on it: its width, its colours, and no characters that would command it.

    is_terminal(sys.stderr)      False for a pipe or a file, which get every character as it is
    printable("a\x1b[2Jb")       "a\x1b[2Jb", spelled out: text from the wire may not clear the screen
    cut("a long line", 7)        "a long…"

Does not lay out tables or paint; a line is a line.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any, TextIO

# Whatever moves a cursor, rings a bell or starts an escape sequence (C0, DEL, C1), and lone surrogates.
_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str, *, keep: str = "\t\n") -> str:
    """`text` with every character that is a command to the terminal spelled out, but for those in `keep`."""
    return _COMMANDS.sub(lambda found: found[0] if found[0] in keep else _spelled(found[0]), text)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def cut(text: str, columns: int) -> str:
    """`text`, ended with … where it is wider than `columns`."""
    if columns_of(text) <= columns:
        return text
    width, end = 1, 0
    while end < len(text) and width + columns_of(text[end]) <= columns:
        width += columns_of(text[end])
        end += 1
    return text[:end] + "…"


def fold(text: str, before: str, columns: int) -> str:
    """`text` if it fits; else the part that differs from the line `before` it, from the last brace or comma on.

    >>> fold('data: {"id":"c1","delta":{"content":"b"}}', 'data: {"id":"c1","delta":{"content":"a"}}', 30)
    'data: …{"content":"b"}}'
    """
    if not before or columns_of(text) <= columns:
        return text
    same = _common_length(text, before)
    start = max(text.rfind(mark, 0, same) for mark in "{[,")
    field, colon, _value = text.partition(": ")
    if colon and start > len(field) + 2:
        text = f"{field}: …{text[start:]}"
    return cut(text, columns)


def _common_length(one: str, other: str) -> int:
    for at, (left, right) in enumerate(zip(one, other)):
        if left != right:
            return at
    return min(len(one), len(other))


def columns_of(text: str) -> int:
    """How many columns of a terminal `text` takes: Chinese, Japanese and Korean characters and most emoji take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # a table of a megabyte that English text never needs

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def is_terminal(out: Any) -> bool:
    return bool(getattr(out, "isatty", bool)())


def wants_color(out: Any) -> bool:
    """On a terminal that knows colours, unless NO_COLOR is set to anything (no-color.org)."""
    environ = os.environ
    if environ.get("NO_COLOR") or not is_terminal(out) or environ.get("TERM") == "dumb":
        return False
    # The old Windows console prints the escape sequences as they are; Windows Terminal and the ports set one of these.
    return sys.platform != "win32" or any(name in environ for name in ("WT_SESSION", "TERM", "ANSICON"))


def terminal_columns(out: Any) -> int:
    """The width of the terminal that `out` is, asked anew each time: people resize windows. 80 where nobody knows."""
    try:
        return os.get_terminal_size(out.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def write_line(out: TextIO, line: str) -> None:
    """One line, whole and at once; characters that the stream's encoding does not have are spelled out."""
    try:
        out.write(line + "\n")
    except UnicodeEncodeError:
        encoding = getattr(out, "encoding", None) or "ascii"
        out.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    out.flush()
