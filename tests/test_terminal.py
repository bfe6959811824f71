"""What a terminal needs: width, colours, and no character that commands it."""

import io

import pytest

from . import module

terminal = module("lab.terminal")

PRINTABLE = [
    ("plain text, tabs and line ends stay", "a\tb\nc é 漢 🎉", "a\tb\nc é 漢 🎉"),
    ("clearing the screen is spelled out", "a\x1b[2Jb", r"a\x1b[2Jb"),
    ("so is the one-byte CSI", "\x9b2J", r"\x9b2J"),
    ("and the bell, backspace and DEL", "\x07\x08\x7f", r"\x07\x08\x7f"),
    ("and half a surrogate pair", "\ud83c", r"\ud83c"),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in PRINTABLE], ids=[row[0] for row in PRINTABLE])
def test_printable(text, expected):
    """Characters that command a terminal are spelled out, all others stay."""
    assert terminal.printable(text) == expected


CUTS = [
    ("fits", "abc", 3, "abc"),
    ("too long", "abcd", 3, "ab…"),
    ("wide characters take two columns", "漢字漢字", 6, "漢字…"),
    ("an accent of its own takes none", "e\u0301" * 3, 3, "e\u0301" * 3),
    ("no room at all", "abc", 0, "…"),
]


@pytest.mark.parametrize(("text", "columns", "expected"), [row[1:] for row in CUTS], ids=[row[0] for row in CUTS])
def test_cut(text, columns, expected):
    """The result is never wider than asked, but for the mark itself."""
    assert terminal.cut(text, columns) == expected


FOLDS = [
    ("fits", "data: abc", "data: abd", 20, "data: abc"),
    ("nothing before", "x" * 30, "", 20, "x" * 30),
    ("nothing alike", "y" * 30, "x" * 30, 10, "y" * 9 + "…"),
    (
        "from the last brace on",
        'data: {"a":1,"b":{"c":2,"d":3}}',
        'data: {"a":1,"b":{"c":2,"d":4}}',
        20,
        'data: …,"d":3}}',
    ),
    ("wide characters count twice", "data: 漢字漢字漢字漢字", "", 12, "data: 漢字漢字漢字漢字"),
    ("cut among wide characters", "data: 漢字漢字漢字漢字", "xxxx", 12, "data: 漢字…"),
]


@pytest.mark.parametrize(
    ("text", "before", "columns", "expected"), [row[1:] for row in FOLDS], ids=[row[0] for row in FOLDS]
)
def test_fold(text, before, columns, expected):
    """What fits stays; else the part that differs from the line before."""
    assert terminal.fold(text, before, columns) == expected


def test_a_stream_without_a_terminal_is_80_columns_wide_and_colourless():
    """A StringIO has no file number; nothing asks it for one twice."""
    assert terminal.terminal_columns(io.StringIO()) == 80
    assert not terminal.is_terminal(io.StringIO())
    assert not terminal.is_terminal(object())
    assert not terminal.wants_color(io.StringIO())


def test_what_an_encoding_lacks_is_spelled_out():
    """A Windows console in an old code page gets \\u2026 instead of a traceback."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    terminal.write_line(out, "a…é")
    assert raw.getvalue() == b"a\\u2026\\xe9\n"
