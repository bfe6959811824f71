"""What is told of an event that is not here yet. How it gets that far is shown by test_sse."""

import pytest

from . import module

dialects = module("protocol.event_dialects")

HELD = [
    ("the last of two", b"retry: 20\nretry:0030\n", 30),
    ("half a line", b"retry: 20", None),
    ("no number", b"retry: soon\n", None),
    ("beyond counting", b"retry: " + b"9" * 16 + b"\n", None),
    ("another field", b"data: retry: 20\n", None),
]


@pytest.mark.parametrize("held, retry_ms", [row[1:] for row in HELD], ids=[row[0] for row in HELD])
def test_a_reconnection_time_before_its_blank_line(held, retry_ms):
    assert dialects.retry_in(bytearray(held)) == retry_ms


def test_of_what_was_cut_off_only_lines_that_may_say_something():
    assert dialects.telling(": hi\nevent: x\ndata: a\nerror: b\n: hal") == "data: a\nerror: b\n"
