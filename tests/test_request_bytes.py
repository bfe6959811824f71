"""Requests on their way through: the head changed in two places, the body followed and never changed."""

import random
from typing import NamedTuple

import pytest

from . import module

request_bytes = module("lab.request_bytes")
framing = module("lab.framing")
wire = module("protocol.wire")

HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhOsT:  127.0.0.1:8090\r\nx-Stainless-LANG: python\r\nX-Empty:\r\n"
    b"Content-Length: 2\r\n\r\n"
)


def test_only_target_and_host_change():
    """Case, order, spaces and empty values stay as the client wrote them."""
    head, rest = request_bytes.take_head(b"\r\n" + HEAD + b"{}POST")
    assert rest == b"{}POST"
    assert (head.method, head.target, head.version) == ("POST", "/v1/chat/completions", "1.1")
    assert request_bytes.rewrite_head(head, "/openai/v1/chat/completions", "api.groq.com") == HEAD.replace(
        b"/v1/", b"/openai/v1/"
    ).replace(b"127.0.0.1:8090", b"api.groq.com")
    more = request_bytes.rewrite_head(head, "/", "h", (("Proxy-Authorization", "Basic eA=="),))
    assert more.endswith(b"Content-Length: 2\r\nProxy-Authorization: Basic eA==\r\n\r\n")


def test_a_head_that_is_not_all_here():
    """None until the blank line has come, however it is cut."""
    for place in range(len(HEAD)):
        head, rest = request_bytes.take_head(HEAD[:place])
        assert head is None and rest == HEAD[:place]


KEEPS = [
    ("1.1", "", True),
    ("1.1", "close", False),
    ("1.1", "Keep-Alive, Close", False),
    ("1.0", "", False),
    ("1.0", "keep-alive", True),
]


@pytest.mark.parametrize("version, connection, keeps", KEEPS)
def test_whether_the_client_goes_on(version, connection, keeps):
    """RFC 9112 section 9.3."""
    head, _ = request_bytes.take_head(f"GET / HTTP/{version}\r\nConnection: {connection}\r\n\r\n".encode())
    assert head.keeps_alive is keeps


class Row(NamedTuple):
    """`own` belongs to the body, `rest` to whatever follows."""

    name: str
    headers: dict
    own: bytes
    body: bytes
    rest: bytes = b"GET / HTTP/1.1\r\n"
    chunks: tuple = ()
    flaw: str = ""


CHUNKED = {"Transfer-Encoding": "chunked"}
ROWS = [
    Row("no body", {}, b"", b""),
    Row("length", {"Content-Length": "5"}, b"hello", b"hello"),
    Row("length 0", {"Content-Length": "0"}, b"", b""),
    Row("chunks", CHUNKED, b"5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n", b"hello!", chunks=(5, 1)),
    Row("chunks of line ends", CHUNKED, b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n", chunks=(2,)),
    Row("trailers", CHUNKED, b"A\r\n0123456789\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", b"0123456789", chunks=(10,)),
    Row("bare line feeds", CHUNKED, b"5\nhello\n0\n\n", b"hello", chunks=(5,)),
    Row("no number", CHUNKED, b"5\r\nhello\r\nzz\r\nGET", b"5\r\nhello\r\nzz\r\nGET", b"", (5,), "no number"),
    Row("too long a chunk", CHUNKED, b"2\r\nhello\r\n", b"2\r\nhello\r\n", b"", (2,), "longer than its size"),
    Row("a coding without end", {"Transfer-Encoding": "gzip"}, b"\x1f\x8b", b"\x1f\x8b", b"", (), "no end"),
    Row("a length that is none", {"Content-Length": "5, 6"}, b"hello", b"hello", b"", (), "5, 6"),
]


def cuts_of(data):
    dice = random.Random(7)
    places = sorted(dice.randrange(len(data) + 1) for _ in range(5))
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)])]
    return {
        "whole": [data],
        "byte by byte": [data[place : place + 1] for place in range(len(data))],
        "at random": pieces,
    }


@pytest.mark.parametrize("way", ["whole", "byte by byte", "at random"])
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_bodies(row, way):
    """What belongs to the body and what to the next request, wherever the reads were cut."""
    follower = request_bytes.BodyFollower(wire.Headers(row.headers))
    taken = 0
    for piece in cuts_of(row.own + row.rest)[way]:
        taken += follower.take(piece)
    assert taken == len(row.own)
    assert (follower.body, follower.raw) == (row.body, row.own)
    assert tuple(follower.chunk_sizes) == row.chunks
    assert follower.at_end is not bool(row.flaw) and row.flaw in follower.flaw


def test_chunks_are_told():
    """A few sizes, and that there are more."""
    assert request_bytes.told_chunks([]) == ""
    assert request_bytes.told_chunks([3, 4]) == "the request body came in 2 chunks of 3, 4 bytes"
    assert request_bytes.told_chunks(range(1, 11)).endswith("10 chunks of 1, 2, 3, 4, 5, 6, 7, 8, ... bytes")


@pytest.mark.parametrize(
    "data, status", [(b"\x16\x03\x01", 400), (b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n" + b"x" * 70000, 431)]
)
def test_heads_that_cannot_be_read(data, status):
    """Refused with the status that a server would give."""
    with pytest.raises(framing.RequestRefused) as caught:
        request_bytes.take_head(data)
    assert caught.value.status == status
