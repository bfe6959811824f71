"""The reader of HTTP/1.1 answers: whole, byte by byte and cut at random, each row gives the same; and requests as bytes."""

import gzip
import random
import zlib
from typing import Any, NamedTuple, Tuple

import pytest

from . import module

http1 = module("transport.http1")


def bare_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TEXT = "data: zw\u00f6lf\n\n".encode() * 40


def sized(body, *lines, first=OK):
    return first + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Row(NamedTuple):
    """What crosses the wire, and what comes of it. `error`: raised by the bytes, or by the end where `ends` is true."""

    name: str
    data: bytes
    body: bytes = b""
    status: int = 200
    reusable: bool = True
    at_end: bool = True
    ends: bool = False
    error: Any = None
    words: str = ""
    method: str = "POST"


ROWS = [
    Row("a length", sized(b"hello"), b"hello"),
    Row("a length of 0", sized(b"")),
    Row("chunks", CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
    Row("chunk sizes in either case, padded, with extensions", CHUNKED + b"00A ;a=b\r\n0123456789\r\n a;c\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    Row("trailers", CHUNKED + b"1\r\na\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", b"a"),
    Row("line feeds alone between chunks", CHUNKED + b"5\nhello\n0\n\n", b"hello"),
    Row("no chunk at all", CHUNKED + b"0\r\n\r\n"),
    Row("up to the end", OK + b"\r\nhello", b"hello", ends=True, reusable=False),
    Row("up to the end, still open", OK + b"\r\nhello", b"hello", at_end=False, reusable=False),
    Row("a length wins over nothing in HTTP/1.0", sized(b"a", first=b"HTTP/1.0 200 OK\r\n"), b"a", reusable=False),
    Row("HTTP/1.0 may keep the connection", sized(b"a", b"Connection: Keep-Alive", first=b"HTTP/1.0 200 OK\r\n"), b"a"),
    Row("chunks win over a length", OK + b"Content-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", b"a"),
    Row("Connection: close", sized(b"a", b"Connection: foo, Close"), b"a", reusable=False),
    Row("equal lengths", sized(b"a", b"Content-Length: 1"), b"a"),
    Row("no reason phrase", sized(b"a", first=b"HTTP/1.1 200\r\n"), b"a"),
    Row("an empty line first", b"\r\n" + sized(b"a"), b"a"),
    Row("line feeds alone", b"\n" + sized(b"a\r\n\r\nb", b"X-A: 1").replace(b"\r\n", b"\n", 4), b"a\r\n\r\nb"),
    Row("line feeds alone, nothing else", b"HTTP/1.1 200 OK\n\nhello", b"hello", ends=True, reusable=False),
    Row("204 has no body", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", status=204),
    Row("304 has no body", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", status=304),
    Row("HEAD has no body", OK + b"Content-Length: 5\r\n\r\n", method="HEAD"),
    Row("CONNECT has none once it is granted", OK + b"Transfer-Encoding: chunked\r\n\r\n", method="CONNECT"),
    Row("interim answers are skipped", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + sized(b"a"), b"a"),
    Row("101 is not skipped", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", status=101, reusable=False),
    Row("gzip", sized(gzip.compress(TEXT), b"Content-Encoding: gzip"), TEXT),
    Row("x-gzip after identity", sized(gzip.compress(TEXT), b"Content-Encoding: identity, X-GZIP"), TEXT),
    Row("two gzip members", sized(gzip.compress(b"one") + gzip.compress(b"two"), b"Content-Encoding: gzip"), b"onetwo"),
    Row("deflate with zlib's frame", sized(zlib.compress(TEXT), b"Content-Encoding: deflate"), TEXT),
    Row("deflate without", sized(bare_deflate(TEXT), b"Content-Encoding: deflate"), TEXT),
    Row("gzip up to the end", OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(TEXT), TEXT, ends=True, reusable=False),
    Row("bytes behind the answer", sized(b"a") + b"HTTP/1.1 200 OK\r\n\r\n", b"a", reusable=False),
    Row("bytes behind the last chunk", CHUNKED + b"0\r\n\r\nmore", reusable=False),
    Row("bytes behind an answer without a body", b"HTTP/1.1 204 N\r\n\r\nmore", status=204, reusable=False),
    # What is none.
    Row("nothing at all", b"", ends=True, error=http1.RemoteDisconnected, words="before the answer"),
    Row("half a head", OK + b"Content-Le", ends=True, error=http1.BrokenHead, words="inside the head"),
    Row("another protocol", b"SSH-2.0-OpenSSH\r\n", error=http1.BadStatusLine, words="b'S"),
    Row("another version", b"HTTP/3.0 200 OK\r\n\r\n", error=http1.BadStatusLine, words="HTTP/3.0"),
    Row("a status that is none", b"HTTP/1.1 2000 OK\r\n\r\n", error=http1.BadStatusLine, words="2000"),
    Row("a field without a colon", OK + b"oops\r\n\r\n", error=http1.BadStatusLine, words="oops"),
    Row("a line of carriage returns", OK + b"X: 1\r\n\r\r\n\r\n", error=http1.BadStatusLine, words="without a colon"),
    Row("a head without end", OK + b"X: " + b"x" * 70000, error=http1.BadStatusLine, words="65536"),
    Row("a length that is none", OK + b"Content-Length: 5x\r\n\r\n", error=http1.BadStatusLine, words="5x"),
    Row("a negative length", OK + b"Content-Length: -5\r\n\r\n", error=http1.BadStatusLine, words="-5"),
    Row("two different lengths", sized(b"a", b"Content-Length: 2"), error=http1.BadStatusLine, words="2, 1"),
    Row("a body too short", sized(b"hello")[:-2], b"hel", ends=True, error=http1.BrokenBody, words="promised 2 more"),
    Row("cut inside a chunk", CHUNKED + b"5\r\nhel", b"hel", ends=True, error=http1.BrokenBody, words="last chunk"),
    Row("cut before the last chunk", CHUNKED + b"5\r\nhello\r\n", b"hello", ends=True, error=http1.BrokenBody, words="last chunk"),
    Row("cut inside the trailers", CHUNKED + b"0\r\nX: 1", ends=True, error=http1.BrokenBody, words="last chunk"),
    Row("a chunk size that is none", CHUNKED + b"0x5\r\nhello\r\n", error=http1.BrokenBody, words="0x5"),
    Row("a chunk longer than its size", CHUNKED + b"3\r\nhello\r\n", b"hel", error=http1.BrokenBody, words="longer than its size"),
    Row("a chunk size without end", CHUNKED + b"0" * 5000, error=http1.BrokenBody, words="4096"),
    Row("trailers without end", CHUNKED + b"0\r\nX: " + b"x" * 70000, error=http1.BrokenBody, words="65536"),
    Row("not gzip", sized(b"plain text", b"Content-Encoding: gzip"), error=http1.DecodeError, words="header"),
    Row("not deflate", sized(b"\xffplain text", b"Content-Encoding: deflate"), error=http1.DecodeError),
    Row("a coding nobody offered", sized(b"abc", b"Content-Encoding: br"), error=http1.DecodeError, words="'br'"),
    Row("two codings", sized(b"abc", b"Content-Encoding: gzip, gzip"), error=http1.DecodeError, words="gzip, gzip"),
]  # fmt: skip


def cuts(data, how):
    if how == "whole":
        return [data]
    if how == "byte by byte" and len(data) < 10_000:
        return [data[i : i + 1] for i in range(len(data))]
    dice = random.Random(len(data))
    places = sorted(dice.randrange(len(data) + 1) for _ in range(5))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)]) if a < b]


def read(row, pieces):
    """(reader, body) after all pieces, and the end where the row has one."""
    reader, body = http1.ResponseReader(row.method, reused=True), b""
    try:
        for piece in pieces:
            if piece:
                reader.receive(piece)
            body += b"".join(reader.pieces)
            reader.pieces.clear()
        if row.ends:
            reader.receive_end()
            body += b"".join(reader.pieces)
    except Exception as error:
        return reader, body + b"".join(reader.pieces), error
    return reader, body, None


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_rows(row):
    """However the bytes arrive: the same head, body, end and error."""
    for how in ("whole", "byte by byte", "random cuts"):
        reader, body, error = read(row, cuts(row.data, how))

        assert type(error) is (row.error or type(None)), (how, error)
        assert body == row.body, how
        if error is None:
            assert (reader.head.status, reader.at_end, reader.reusable) == (row.status, row.at_end, row.reusable), how
            assert reader.head.reused is True
        elif how == "whole":
            assert row.words in str(error)


def test_the_head_is_given_before_the_body():
    """Fields in their order and case, folded lines as one, blanks trimmed."""
    reader = http1.ResponseReader("GET")
    reader.receive(
        b"HTTP/1.1 429 Too Many Requests\r\nX-One:  1 \r\nset-cookie: a\r\nSet-Cookie: b\r\nFolded: one\r\n\t two\r\n"
    )
    assert reader.head is None
    reader.receive(b"Content-Length: 2\r\n\r\n")

    assert (reader.head.status, reader.head.reason, reader.head.http_version) == (429, "Too Many Requests", "1.1")
    expected = (
        ("X-One", "1"),
        ("set-cookie", "a"),
        ("Set-Cookie", "b"),
        ("Folded", "one two"),
        ("Content-Length", "2"),
    )
    assert reader.head.headers.pairs == expected
    assert reader.head.reused is False
    assert not reader.at_end


def test_a_part_of_a_chunk_is_given_out():
    """Nothing waits for the rest of its chunk, nor for more to decode."""
    reader = http1.ResponseReader("POST")
    reader.receive(CHUNKED + b"ff\r\nhel")
    assert reader.pieces == [b"hel"]

    compressor = zlib.compressobj(wbits=31)
    flushed = compressor.compress(b"data: one\n\n") + compressor.flush(zlib.Z_SYNC_FLUSH)
    reader = http1.ResponseReader("POST")
    reader.receive(OK + b"Content-Encoding: gzip\r\n\r\n" + flushed)
    assert b"".join(reader.pieces) == b"data: one\n\n"


def test_late_bytes_spoil_the_connection():
    """What comes after the end, or the connection's closing then, is no answer to a later request."""
    for late in (lambda reader: reader.receive(b"x"), lambda reader: reader.receive_end()):
        reader = http1.ResponseReader("POST")
        reader.receive(sized(b"a"))
        assert reader.reusable
        late(reader)
        assert reader.at_end and not reader.reusable


REQUESTS: Tuple[Tuple[Any, ...], ...] = (
    ("a body", ("POST", "/v1", {"A": "b"}, b"{}"), b"POST /v1 HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"),
    ("no body", ("GET", "/v1", {}, b""), b"GET /v1 HTTP/1.1\r\nHost: h:1\r\n\r\n"),
    ("an empty body", ("POST", "/", {}, b""), b"POST / HTTP/1.1\r\nHost: h:1\r\nContent-Length: 0\r\n\r\n"),
    ("its own host and length", ("POST", "/", {"host": "x", "content-length": "1"}, b"a"), b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na"),
    ("Latin-1", ("GET", "/", {"A": "\u00e9"}, b""), b"GET / HTTP/1.1\r\nHost: h:1\r\nA: \xe9\r\n\r\n"),
    ("CONNECT", ("CONNECT", "h:1", {}, b""), b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n"),
)  # fmt: skip


@pytest.mark.parametrize("request_, expected", [each[1:] for each in REQUESTS], ids=[each[0] for each in REQUESTS])
def test_requests(request_, expected):
    """Host first, the headers as they are, a length where there may be a body."""
    assert http1.encode_request(*request_, "h:1") == expected


def test_interim_answers_are_kept_aside_with_their_headers():
    """Early hints and a go-ahead come before the answer, and a tap wants to see them."""
    reader = http1.ResponseReader("POST")
    reader.receive(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    assert reader.head is None
    assert [(head.status, head.headers.pairs) for head in reader.interim] == [(100, ()), (103, (("Link", "</a>"),))]


def test_without_decoding_the_coding_of_a_body_is_left_as_it_is():
    """Whoever only wants to know where the answer ends need not know the coding: br and zstd, too."""
    reader = http1.ResponseReader("GET", decode=False)
    reader.receive(b"HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 4\r\n\r\n\x28\xb5\x2f\xfd")
    assert reader.at_end and reader.pieces == [b"\x28\xb5\x2f\xfd"]
