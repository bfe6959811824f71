"""The values that cross the wire: headers without regard to case, and reprs without a key."""

import copy
import pickle

import pytest

from . import module

wire = module("protocol.wire")

KEY = "sk-proj-0123456789abcdefghij"
PAIRS = (("Content-Type", "text/plain"), ("X-Request-Id", "r1"), ("Via", "a"), ("via", "b"))

LOOKUPS = [
    ("as sent", "X-Request-Id", "r1"),
    ("in lower case", "x-request-id", "r1"),
    ("in capitals", "X-REQUEST-ID", "r1"),
    ("sent twice, joined as RFC 9110 has it", "VIA", "a, b"),
    ("absent", "x-other", None),
]


@pytest.mark.parametrize("name, header, value", LOOKUPS, ids=[row[0] for row in LOOKUPS])
def test_headers_are_read_in_any_case(name, header, value):
    """By `get`, by index and by `in` alike."""
    headers = wire.Headers(PAIRS)
    assert headers.get(header) == value
    assert (header in headers) is (value is not None)
    if value is None:
        with pytest.raises(KeyError):
            headers[header]
    else:
        assert headers[header] == value


def test_headers_keep_what_was_sent():
    """Order, case and repetition stay in `pairs`; the mapping has each name once."""
    headers = wire.Headers(PAIRS)
    assert headers.pairs == PAIRS
    assert list(headers) == ["content-type", "x-request-id", "via"]
    assert len(headers) == 3
    assert dict(headers) == {"content-type": "text/plain", "x-request-id": "r1", "via": "a, b"}


SOURCES = [
    ("pairs", list(PAIRS[:2])),
    ("iterator", iter(PAIRS[:2])),
    ("dict", dict(PAIRS[:2])),
    ("Headers", wire.Headers(PAIRS[:2])),
]


@pytest.mark.parametrize("name, given", SOURCES, ids=[row[0] for row in SOURCES])
def test_headers_are_made_of_pairs_or_of_any_mapping(name, given):
    """All give the same."""
    headers = wire.Headers(given)
    assert headers["x-request-id"] == "r1"
    assert [(field.lower(), value) for field, value in headers.pairs] == [("content-type", "text/plain"), ("x-request-id", "r1")]  # fmt: skip


def test_no_headers():
    """Nothing given is nothing in it."""
    assert dict(wire.Headers()) == {}
    assert not wire.Headers()


def test_headers_cross_to_another_process():
    """Pickled and copied, they are the same."""
    headers = wire.Headers(PAIRS)
    for twin in (pickle.loads(pickle.dumps(headers)), copy.copy(headers), copy.deepcopy(headers)):
        assert twin.pairs == headers.pairs
        assert twin["via"] == "a, b"


def test_the_example_of_two_fields():
    """Repeated fields read as one, and their neighbours as they are (RFC 9110 section 5.3)."""
    assert wire.Headers([("X-Request-Id", "r1"), ("Via", "a"), ("via", "b")])["via"] == "a, b"


def request(**more):
    headers = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))
    return wire.Request("POST", f"https://u:{KEY}@h.example/v1?key={KEY}", headers, b'{"model":"m"}', **more)


HOLDERS = [
    ("Headers", lambda: wire.Headers(request().headers)),
    ("Request", request),
    ("ResponseHead", lambda: wire.ResponseHead(200, "OK", wire.Headers([("Set-Cookie", KEY)]))),
]


@pytest.mark.parametrize("name, make", HOLDERS, ids=[row[0] for row in HOLDERS])
def test_no_repr_shows_a_key(name, make):
    """Headers, URLs and everything that holds them."""
    shown = f"{make()!r} {make()} {[make()]}"
    assert "<key:" in shown
    assert KEY not in shown


def test_a_request_shows_what_it_is():
    """Method, address, headers, and the body as a size only: it holds people's words."""
    shown = repr(request())
    assert shown.startswith("Request(POST https://<key:")
    assert "body=13 bytes" in shown
    assert "application/json" in shown
    assert '"model"' not in shown
