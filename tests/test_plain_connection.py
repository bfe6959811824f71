"""Over http.client: what is particular to it. What it has in common with the other doors is in test_doors.py."""

import pytest

from . import module
from .doors import CLOSE, HOLD, PlainDoor, RawServer, fails, head, plain, post, read_all
from .test_light_imports import FIRST_CALL, loaded_by

errors = module("protocol.errors")
wire = module("protocol.wire")


@pytest.fixture
def door():
    made = PlainDoor()
    yield made
    made.close()


HEADS = [
    ("early hints first", [head("Link: </a>", status="103 Early Hints"), *plain(b"{}")], 200, {"content-length": "2"}),
    (
        "one after the other",
        [head(status="102 Processing"), head(status="103 E"), head(status="100 C"), *plain()],
        200,
        {},
    ),
    ("a value on two lines", plain(b"{}", "X-A: one\r\n two"), 200, {"x-a": "one two"}),
    ("one name twice", plain(b"{}", "X-A: 1", "x-a: 2"), 200, {"x-a": "1, 2"}),
    ("Latin-1", plain(b"{}", "X-A: \u00e9"), 200, {"x-a": "\u00e9"}),
    ("no reason", plain(b"{}", status="200"), 200, {}),
]


@pytest.mark.parametrize("play, status, fields", [each[1:] for each in HEADS], ids=[each[0] for each in HEADS])
def test_heads(door, play, status, fields):
    """What comes before the answer is passed over; a field reads as one line."""
    with RawServer(play, plain(b"2")) as server:
        response = post(door, server.url)
        assert (response.head.status, response.head.http_version) == (status, "1.1")
        assert {name: response.head.headers[name] for name in fields} == fields
        read_all(response)
        assert read_all(post(door, server.url)) == [b"2"]
        assert server.connections == 1


def test_an_answer_without_a_body(door):
    """To HEAD, the length says what a GET would bring; 304 has none either."""
    with RawServer([head("Content-Length: 5")], [head(status="304 Not Modified")], plain(b"2")) as server:
        for method in ("HEAD", "GET"):
            request = wire.Request(method, server.url, ())
            assert door.send(request, connect_timeout_s=5, read_timeout_s=5).read() == b""
        assert read_all(post(door, server.url)) == [b"2"]
        assert server.connections == 1


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP, gzip", " deflate"])
def test_a_compressed_answer(door, coding):
    """Nobody asked for it, and nothing here undoes it: said at its head, and the connection is given up."""
    with RawServer([*plain(b"x", f"Content-Encoding: {coding}"), HOLD], plain(b"2")) as server:
        error = fails(errors.APIConnectionError, post, door, server.url)
        assert error.phase == "head" and f"it is compressed ({coding.strip()})" in str(error)
        response = post(door, server.url)
        assert response.head.reused is False and read_all(response) == [b"2"]


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_an_answer_that_says_it_is_not_compressed(door, coding):
    """It is read as any."""
    with RawServer(plain(b"x", f"Content-Encoding: {coding}")) as server:
        assert read_all(post(door, server.url)) == [b"x"]


def test_a_head_that_is_too_long(door):
    """http.client has its limits, and its words are ours."""
    with RawServer([head("X-A: " + "x" * 70_000), CLOSE]) as server:
        error = fails(errors.APIConnectionError, post, door, server.url)
    assert error.phase == "head" and "65536" in str(error)


BREAKS = [
    ("a length not kept", [head("Content-Length: 20"), b"hello", CLOSE], "broke off (5 bytes had come): Content-Length promised 15 more"),
    ("no end of the chunks", [head("Transfer-Encoding: chunked"), b"5\r\nhello\r\n", CLOSE], "(5 bytes had come): a chunk is cut off, or has no size"),
    ("a size that is none", [head("Transfer-Encoding: chunked"), b"zz\r\n", HOLD], "(0 bytes had come): a chunk is cut off, or has no size"),
]  # fmt: skip


@pytest.mark.parametrize("play, words", [each[1:] for each in BREAKS], ids=[each[0] for each in BREAKS])
def test_a_body_that_breaks_off(door, play, words):
    """http.client would say "IncompleteRead(0 bytes read)", after however many."""
    with RawServer(play) as server:
        assert words in str(fails(errors.APIConnectionError, read_all, post(door, server.url)))


def test_what_it_loads():
    """Nothing but http.client, and what that needs."""
    found = loaded_by(f"{module('transport.plain_connection').__name__}") - FIRST_CALL
    assert "http" in found and not found & {"requests", "asyncio", "json.tool"}
