r"""HTTP/1.1 on bytes alone: a request as bytes, and a reader that turns the bytes of an answer into its head and body.

    HTTP/1.1 200 OK\r\n                          reader.head.status
    Content-Type: text/event-stream\r\n          reader.head.headers
    Transfer-Encoding: chunked\r\n
    \r\n
    19\r\n                                       a chunk of 25 bytes ...
    data: {"choices":[...]}\n\n\r\n              ... given out as soon as a part of it is here
    0\r\n\r\n                                    reader.at_end; reader.reusable: the connection serves the next request

Bodies by chunks, by Content-Length or up to the end of the connection (RFC 9112, section 6.3), gzip and deflate undone,
interim answers (100, 103) skipped. Opens no connection and waits for nothing: whoever owns the socket calls `receive`
and `receive_end`. Knows nothing of chat.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

from ..protocol.wire import Headers, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Mapping

# http.client's limit for one line, taken for the whole head: a server that sends more is no API.
MOST_HEAD_BYTES = 65536
MOST_LINE_BYTES = 4096  # a chunk's size with its extensions
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9][0-9])(?: (.*))?\Z", re.DOTALL)
_HEAD_END = re.compile(rb"\n\r?\n")  # RFC 9112, 2.2: a line may end with LF alone, as servers made by hand do it
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;|\Z)")
_BLANKS = " \t\r\n\v\f"  # str.strip() would take Latin-1's blanks as well
_NO_TARGET = re.compile(r"[^!-~]")


class BadStatusLine(Exception):
    """What came is no HTTP. (Errors are told apart by name; this one and the next are named as http.client's are.)"""


class RemoteDisconnected(Exception):
    """The connection ended before an answer had begun."""


class BrokenHead(Exception):
    """The connection ended inside the head."""


class BrokenBody(Exception):
    """The connection ended, or the framing broke, before the body was whole."""


class DecodeError(Exception):
    """The body is not in the Content-Encoding that its head names."""


HTTP_FAILURES = (BadStatusLine, RemoteDisconnected, BrokenHead, BrokenBody, DecodeError)


def encode_request(method: str, target: str, headers: Mapping[str, str], body: bytes, host: str) -> bytes:
    """A request as it crosses the wire. Host and Content-Length are added where `headers` has none."""
    names = {name.lower() for name in headers}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if (body or method not in ("GET", "CONNECT")) and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def clean_target(target: str) -> str:
    """A path and query with everything quoted that may not stand in a request line."""
    if not _NO_TARGET.search(target):
        return target
    from urllib.parse import quote  # here, as addresses made by us never need it

    return quote(target, safe="!#$%&'()*+,/:;=?@[]~")


class ResponseReader:
    """Reads one answer. `receive` takes bytes as they come; what they complete stands in `head` and `pieces`.

    head        None until all of it is here
    pieces      parts of the body, decoded, for the owner to take out
    at_end      the body is whole
    reusable    at the end: another request may be sent on this connection
    begun       whether any byte has come
    interim     heads of interim answers that came before `head`

    With `decode=False` content codings stay as they are, also those that are not known here.
    """

    def __init__(self, method: str, *, reused: bool = False, decode: bool = True) -> None:
        self.head: Optional[ResponseHead] = None
        self.interim: List[ResponseHead] = []
        self.pieces: List[bytes] = []
        self.at_end = False
        self.reusable = False
        self.begun = False
        self._method = method
        self._reused = reused
        self._decodes = decode
        self._rest = b""  # of a head that is not complete yet
        self._left_bytes = 0  # of a body with a Content-Length
        self._take: Callable[[bytes], None] = self._take_head
        self._decoder: Optional[_Decoder] = None

    def receive(self, data: bytes) -> None:
        """Take the next bytes of the connection. Raises BadStatusLine, BrokenBody or DecodeError."""
        self.begun = True
        self._take(data)

    def receive_end(self) -> None:
        """The server has closed the connection. Raises where the answer is not whole; ends a body without a length."""
        if self.at_end:
            self.reusable = False
        elif self.head is None:
            if self.begun:
                raise BrokenHead(f"the connection ended inside the head, after {len(self._rest)} bytes")
            raise RemoteDisconnected("the connection ended before the answer")
        elif self._take == self._take_to_end:
            self._end(reusable=False)
        elif self._take == self._take_sized:
            raise BrokenBody(f"Content-Length promised {self._left_bytes} more")
        else:
            raise BrokenBody("the connection ended before the last chunk")

    def is_stale(self, error: BaseException) -> bool:
        """Whether `error` is the end of a used connection that gave no byte of this answer; a new one may do better."""
        dead = isinstance(error, (RemoteDisconnected, ConnectionError)) or type(error).__name__ == "SSLEOFError"
        return dead and self._reused and not self.begun

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return data

    # The head.

    def _take_head(self, data: bytes) -> None:
        data = self._rest + data
        data = data.lstrip(b"\r\n")  # RFC 9112, 2.2: an empty line before the status line is skipped
        if not b"HTTP/".startswith(data[:5]):
            raise BadStatusLine(f"it begins with {data[:5]!r}")
        end = _HEAD_END.search(data)
        if end is None:
            if len(data) > MOST_HEAD_BYTES:
                raise BadStatusLine(f"a head of more than {MOST_HEAD_BYTES} bytes")
            self._rest = data
            return
        self._rest = b""
        status, head = _read_head(data[: end.start()], self._reused)
        rest = data[end.end() :]
        if 100 <= status < 200 and status != 101:  # an interim answer: the real one follows
            self.interim.append(head)
            if rest:
                self._take_head(rest)
            return
        self.expect_body(head)
        if not self.at_end and rest:
            self._take(rest)
        elif rest:
            self.reusable = False

    def expect_body(self, head: ResponseHead) -> None:
        """The head is this; what comes is the body: none at all, chunks, a length, or up to the end of the connection.

        RFC 9112, 6.3. Raises BadStatusLine or DecodeError for what cannot be read.
        """
        self.head = head
        tokens = _tokens(head.headers.get("connection", ""))
        self._keep_alive = "keep-alive" in tokens if head.http_version == "1.0" else "close" not in tokens
        tunnel = self._method == "CONNECT" and 200 <= head.status < 300
        if self._method == "HEAD" or head.status in (101, 204, 304) or tunnel:
            self._end(reusable=self._keep_alive and head.status != 101)
            return
        self._decoder = _decoder(head.headers.get("content-encoding", "")) if self._decodes else None
        if "transfer-encoding" in head.headers:
            chunked = _tokens(head.headers["transfer-encoding"])[-1:] == ["chunked"]
            self._take = self._take_to_end
            if chunked:
                self._chunks = ChunkedBody()
                self._take = self._take_chunks
        elif "content-length" in head.headers:
            self._left_bytes = _content_length(head.headers["content-length"])
            self._take = self._take_sized
            if not self._left_bytes:
                self._end(reusable=self._keep_alive)
        else:
            self._take = self._take_to_end

    # The body.

    def _take_sized(self, data: bytes) -> None:
        surplus = len(data) - self._left_bytes
        self._give(data[: self._left_bytes] if surplus > 0 else data)
        self._left_bytes = max(-surplus, 0)
        if surplus >= 0:
            self._end(reusable=self._keep_alive and not surplus)

    def _take_to_end(self, data: bytes) -> None:
        self._give(data)

    def _take_chunks(self, data: bytes) -> None:
        parts: List[bytes] = []
        try:
            self._chunks.receive(data, parts)
        finally:  # what came before a broken frame counts
            if parts:
                self._give(b"".join(parts))
        if self._chunks.at_end:
            self._end(reusable=self._keep_alive and not self._chunks.surplus)

    def _take_surplus(self, data: bytes) -> None:
        """Nobody asked for these: whatever they are, they are no answer to the next request."""
        self.reusable = False

    def _give(self, data: bytes) -> None:
        if self._decoder is not None:
            data = self._decoder.decode(data)
        if data:
            self.pieces.append(data)

    def _end(self, *, reusable: bool) -> None:
        self.at_end = True
        self.reusable = reusable
        self._take = self._take_surplus
        if self._decoder is not None:
            rest = self._decoder.flush()
            if rest:
                self.pieces.append(rest)


class ChunkedBody:
    """Takes the chunks of a body apart (RFC 9112, 7.1). `surplus`: bytes came after its end."""

    def __init__(self) -> None:
        self.at_end = False
        self.surplus = False
        self._rest = b""  # of a line that is not complete yet
        self._left_bytes = 0  # of the chunk that is being read
        self._line_end_due = False  # a chunk's data is followed by an empty rest of a line
        self._in_trailers = False

    def receive(self, data: bytes, parts: List[bytes]) -> None:
        """Put what `data` has of the body into `parts`. Raises BrokenBody; what came before is in `parts` then."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        position = 0
        while position < len(data) and not self._in_trailers:
            if self._left_bytes:
                piece = data[position : position + self._left_bytes]
                position += len(piece)
                self._left_bytes -= len(piece)
                self._line_end_due = True
                parts.append(piece)
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._rest = _short(data[position:], MOST_LINE_BYTES)
                return
            line = data[position:end]
            position = end + 1
            if self._line_end_due:
                if line.rstrip(b"\r"):
                    raise BrokenBody(f"a chunk is longer than its size says: {line[:40]!r}")
                self._line_end_due = False
                continue
            size_bytes = _chunk_size(line)
            stop = position + size_bytes
            if size_bytes and data.startswith(b"\r\n", stop):  # all of it is here: the quick way, for 64 KB a read
                parts.append(data[position:stop])
                position = stop + 2
            else:
                self._left_bytes = size_bytes
                self._in_trailers = not size_bytes
        if self._in_trailers:
            self._take_trailers(data[position:])

    def _take_trailers(self, data: bytes) -> None:
        """Fields after the last chunk are dropped, up to the empty line that ends them (RFC 9112, 7.1.2)."""
        while not self.at_end:
            line, newline, rest = data.partition(b"\n")
            if not newline:
                self._rest = _short(data, MOST_HEAD_BYTES)
                return
            data = rest
            self.at_end = not line.rstrip(b"\r")
        self.surplus = bool(data)


def _short(line: bytes, limit_bytes: int) -> bytes:
    if len(line) > limit_bytes:
        raise BrokenBody(f"a line of more than {limit_bytes} bytes between chunks")
    return line


def _read_head(data: bytes, reused: bool) -> Tuple[int, ResponseHead]:
    first, *lines = data.decode("latin-1").rstrip("\r").replace("\r\n", "\n").split("\n")
    match = _STATUS_LINE.match(first)
    if match is None:
        raise BadStatusLine(f"its first line is {first[:80]!r}")
    pairs: List[Tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[0] in " \t" and pairs:  # a value folded over several lines (obsolete: RFC 9112, 5.2)
            name, value = pairs.pop()
            value = f"{value} {line.strip(_BLANKS)}"
        elif not colon:
            raise BadStatusLine(f"a header field without a colon: {line[:80]!r}")
        pairs.append((name.strip(_BLANKS), value.strip(_BLANKS)))
    version, status, reason = match.groups()
    return int(status), ResponseHead(int(status), reason or "", Headers(pairs), http_version=version, reused=reused)


def _content_length(value: str) -> int:
    """RFC 9112, 6.3: several equal lengths count as one, different ones make the answer unreadable."""
    lengths = set(_tokens(value))
    length = lengths.pop() if len(lengths) == 1 else ""
    if not (length.isascii() and length.isdigit()):
        raise BadStatusLine(f"a Content-Length of {value!r}")
    return int(length)


@lru_cache(maxsize=512)  # the chunks of a stream have a few hundred sizes, each again and again
def _chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.match(line.rstrip(b"\r"))
    if match is None:
        raise BrokenBody(f"a chunk size that is no number: {line[:40]!r}")
    return int(match.group(1), 16)


def _tokens(value: str) -> List[str]:
    return [token.strip().lower() for token in value.split(",") if token.strip()]


def _decoder(content_encoding: str) -> Optional[_Decoder]:
    codings = [coding for coding in _tokens(content_encoding) if coding != "identity"]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _WINDOW_BITS:
        raise DecodeError(f"Content-Encoding {content_encoding!r}, where only gzip and deflate were offered")
    return _Decoder(codings[0])


# zlib's window sizes: 16 more means gzip's frame, less than 0 none at all.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_BARE_DEFLATE_BITS = -15


class _Decoder:
    """Undoes gzip or deflate, and gives out all that each piece allows."""

    def __init__(self, coding: str) -> None:
        import zlib  # here, as few servers compress what they stream

        self._zlib = zlib
        self._bits = _WINDOW_BITS[coding]
        self._inflater = zlib.decompressobj(self._bits)
        # "deflate" should have zlib's frame (RFC 9110, 8.4.1.2) and in the wild often has none: two bytes tell.
        self._start: Optional[bytes] = b"" if coding == "deflate" else None

    def decode(self, data: bytes) -> bytes:
        if self._start is not None:
            data = self._start + data
            self._start = data if len(data) < 2 else None
            if self._start is not None:
                return b""
            if data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31:  # RFC 1950, 2.2
                self._bits = _BARE_DEFLATE_BITS
                self._inflater = self._zlib.decompressobj(self._bits)
        try:
            return self._inflate(data)
        except self._zlib.error as error:
            raise DecodeError(str(error)) from error

    def _inflate(self, data: bytes) -> bytes:
        decoded = self._inflater.decompress(data)
        while self._inflater.eof and self._inflater.unused_data and self._bits == _WINDOW_BITS["gzip"]:
            # RFC 1952, 2.2: a gzip body may consist of several members.
            data = self._inflater.unused_data
            self._inflater = self._zlib.decompressobj(self._bits)
            decoded += self._inflater.decompress(data)
        return decoded

    def flush(self) -> bytes:
        return self._inflater.flush()
