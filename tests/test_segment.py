"""A name from outside -> one part of a path, out of which nothing climbs."""

import pytest

from . import module

segment_rules = module("protocol.segment")
PayloadError = module("protocol.errors").PayloadError

SEGMENTS = [
    ("plain", "gpt-4o-mini", "gpt-4o-mini"),
    ("slash and space", "dep/x y", "dep%2Fx%20y"),
    ("fine-tuned", "ft:gpt-4o:org::id", "ft:gpt-4o:org::id"),
    ("what looks encoded", "a%2Fb", "a%252Fb"),
    ("query and fragment signs", "a?b#c", "a%3Fb%23c"),
    ("non-ASCII", "modèle", "mod%C3%A8le"),
    ("dots with more", "...", "..."),
    ("climbing", "../x", "..%2Fx"),
]


@pytest.mark.parametrize("segment, expected", [row[1:] for row in SEGMENTS], ids=[row[0] for row in SEGMENTS])
def test_a_segment_stays_one_segment(segment, expected):
    """Nothing in a name can leave its place in the path."""
    assert segment_rules.quote_segment(segment) == expected


@pytest.mark.parametrize(
    "segment", ["", ".", "..", None, "\ud83d"], ids=["empty", "dot", "two dots", "None", "surrogate"]
)
def test_a_segment_that_cannot_be_escaped_is_refused(segment):
    """`.` and `..` would climb, whatever their escape."""
    with pytest.raises(PayloadError):
        segment_rules.quote_segment(segment)
