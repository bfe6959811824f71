"""JSON that arrives in pieces: what a later piece does to an earlier one, and that neither is changed."""

import copy

import pytest

from . import module

merging = module("protocol.merging")

# name: (the pieces, what they add up to)
PIECES = {
    "strings": (["a", "b", "", None, "c"], "abc"),
    "null and empty": ([None, "", None], ""),
    "lists": ([[1], [2, 3]], [1, 2, 3]),
    "objects": ([{"a": "x", "b": {"c": "y"}}, {"b": {"c": "z", "d": 1}}], {"a": "x", "b": {"c": "yz", "d": 1}}),
    "numbers": ([1, 2, False], False),
    "another type": (["a", 1, {"b": 2}], {"b": 2}),
    "what comes whole": ([{"id": "a", "type": "t", "index": 0}] * 2, {"id": "a", "type": "t", "index": 0}),
    "a name repeated": ([{"name": "get"}, {"name": "get"}], {"name": "get"}),
    "a name that grows": ([{"name": "get"}, {"name": "get_it"}], {"name": "get_it"}),
    "many": (["ab"] * 1000, "ab" * 1000),
}


@pytest.mark.parametrize("name", PIECES)
def test_pieces_add_up(name):
    """And what came is as it was."""
    add_up(*PIECES[name], merging.merged, merging.settled)


def add_up(pieces, expected, merged, settled):
    before = copy.deepcopy(pieces)
    value = None
    for piece in pieces:
        value = merged(value, piece)
    assert settled(value) == expected
    assert pieces == before
