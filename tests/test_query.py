"""A query that cannot be written is refused by name. How queries are written, tests/test_url.py tells."""

import pytest

from . import module

url = module("protocol.url")
query_rules = module("protocol.query")
PayloadError = module("protocol.errors").PayloadError

LAYERS = [
    ("nothing", "a=0&&b=1&", [None, {}], "a=0&b=1"),
    ("a name set twice", "a=0&b=0", [{"a": 1, "c": 1}, {"c": 2}], "b=0&a=1&c=2"),
    ("None removes from all", "a=0&b[x]=0&b[]=0", [{"a": 1}, {"a": None, "b": None}], ""),
]


@pytest.mark.parametrize("base, layers, expected", [row[1:] for row in LAYERS], ids=[row[0] for row in LAYERS])
def test_a_later_query_replaces_an_earlier_one(base, layers, expected):
    """Name by name; what it says nothing of stays as it was written."""
    assert query_rules.merge_queries(base, *layers) == expected


WRONG_QUERIES = [
    ("a list of pairs", [("a", 1)], "must be a dict"),
    ("bytes", {"a": b"x"}, 'the query parameter "a" must be a text or a number, got bytes'),
    ("an object deep down", {"a": {"b": [object()]}}, 'the query parameter "a" must be a text or a number, got object'),
    ("a surrogate", {"a": "\ud83d"}, "holds half a character"),
    ("a name of another type", {None: 1}, "got None"),
]


@pytest.mark.parametrize("query, text", [row[1:] for row in WRONG_QUERIES], ids=[row[0] for row in WRONG_QUERIES])
def test_a_query_that_cannot_be_written_is_refused(query, text):
    """With the name of the parameter."""
    with pytest.raises(PayloadError, match=text) as caught:
        url.build_url("http://h", query=query)
    assert caught.value.path == "query"
