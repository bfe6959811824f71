r"""HTTP/1.1 on bytes alone: a request as bytes, and a reader that turns the bytes of an answer into its head and body.

    HTTP/1.1 200 OK\r\n                          reader.head.status
    Content-Type: text/event-stream\r\n          reader.head.headers
    Transfer-Encoding: chunked\r\n
    \r\n
    19\r\n                                       a chunk of 25 bytes ...
    data: {"choices":[...]}\n\n\r\n              ... given out as soon as a part of it is here
    0\r\n\r\n                                    reader.at_end; reader.reusable: the connection serves the next request

Bodies by chunks, by Content-Length or up to the end of the connection (RFC 9112, section 6.3), compression undone by
`coding.py`, interim answers (100, 103) skipped. Opens no connection and waits for nothing: whoever owns the socket
calls `receive` and `receive_end`. Knows nothing of chat.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

from ..protocol.wire import Headers, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .coding import Decoder

# http.client's limit for one line: a server that sends more is no API.
MOST_HEAD_BYTES = 65536
MOST_LINE_BYTES = 4096  # a chunk's size with its extensions
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9][0-9])(?: (.*))?\Z", re.DOTALL)
_HEAD_END = re.compile(rb"\n\r?\n")  # RFC 9112, 2.2: a line may end with LF alone, as servers made by hand do it
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;|\Z)")
_BLANKS = " \t\r\n\v\f"  # str.strip() would take Latin-1's blanks as well
_NO_TARGET = re.compile(r"[^!-~]")


# Errors are told apart by name; the first two are named as http.client's are.
class BadStatusLine(Exception):
    """What came is no HTTP."""


class RemoteDisconnected(Exception):
    """The end came before an answer had begun."""


class BrokenHead(Exception):
    """The end came inside the head."""


class BrokenBody(Exception):
    """The end came, or the framing broke, before the body was whole."""


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
    if (body or method not in ("GET", "CONNECT")) and names.isdisjoint(("content-length", "transfer-encoding")):
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
        self._decoder: Optional[Decoder] = None
        self._take: Callable[[bytes], None] = self._take_head
        self._rest = b""  # of a head, or of a line between chunks, that is not complete yet
        self._left_bytes = 0  # of a body with a Content-Length, or of a chunk
        self._line_end_due = False  # a chunk's data is followed by an empty rest of a line
        self._in_trailers = False

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
        elif self._take == self._give:
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
        data = (self._rest + data).lstrip(b"\r\n")  # RFC 9112, 2.2: an empty line before the status line is skipped
        if not b"HTTP/".startswith(data[:5]):
            raise BadStatusLine(f"it begins with {data[:5]!r}")
        end = _HEAD_END.search(data)
        if end is None:
            if len(data) > MOST_HEAD_BYTES:
                raise BadStatusLine(f"a head of more than {MOST_HEAD_BYTES} bytes")
            self._rest = data
            return
        self._rest = b""
        head = _read_head(data[: end.start()], self._reused)
        rest = data[end.end() :]
        if 100 <= head.status < 200 and head.status != 101:  # an interim answer: the real one follows
            self.interim.append(head)
            if rest:
                self._take_head(rest)
            return
        self.expect_body(head)
        if rest:
            self._take(rest)

    def expect_body(self, head: ResponseHead) -> None:
        """The head is this; what comes is the body: none at all, chunks, a length, or up to the end of the connection.

        RFC 9112, 6.3. Raises BadStatusLine or DecodeError for what cannot be read.
        """
        self.head = head
        get = head.headers.get
        tokens = _tokens(get("connection", ""))
        self._keep_alive = "keep-alive" in tokens if head.http_version == "1.0" else "close" not in tokens
        tunnel = self._method == "CONNECT" and 200 <= head.status < 300
        if self._method == "HEAD" or head.status in (101, 204, 304) or tunnel:
            self._end(reusable=self._keep_alive and head.status != 101)
            return
        coding = get("content-encoding")
        if coding and self._decodes:
            self._decoder = _decoder(coding)
        transfer, length = get("transfer-encoding"), get("content-length")
        self._take = self._give
        if transfer is not None:
            if _tokens(transfer)[-1:] == ["chunked"]:
                self._take = self._take_chunks
        elif length is not None:
            self._left_bytes = _content_length(length)
            self._take = self._take_sized
            if not self._left_bytes:
                self._end(reusable=self._keep_alive)

    # The body.

    def _take_sized(self, data: bytes) -> None:
        surplus = len(data) - self._left_bytes
        self._give(data[: self._left_bytes] if surplus > 0 else data)
        self._left_bytes = max(-surplus, 0)
        if surplus >= 0:
            self._end(reusable=self._keep_alive and not surplus)

    def _take_chunks(self, data: bytes) -> None:
        """RFC 9112, 7.1."""
        parts: List[bytes] = []
        try:
            surplus = self._cut_chunks(self._rest + data if self._rest else data, parts)
        finally:  # what came before a broken frame counts
            if parts:
                self._give(b"".join(parts))
        if surplus is not None:
            self._end(reusable=self._keep_alive and not surplus)

    def _cut_chunks(self, data: bytes, parts: List[bytes]) -> Optional[int]:
        """Put what `data` has of the body into `parts`; after the last chunk, how many bytes are left, else None."""
        self._rest = b""
        position = 0
        while position < len(data):
            if self._left_bytes:
                piece = data[position : position + self._left_bytes]
                position += len(piece)
                self._left_bytes -= len(piece)
                parts.append(piece)
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._hold(data[position:])
                return None
            line = data[position:end].rstrip(b"\r")
            position = end + 1
            if self._line_end_due:
                if line:
                    raise BrokenBody(f"a chunk is longer than its size says: {line[:40]!r}")
                self._line_end_due = False
            elif self._in_trailers:  # fields after the last chunk are dropped, up to the empty line that ends them
                if not line:
                    return len(data) - position
            else:
                size_bytes = _chunk_size(line)
                stop = position + size_bytes
                if size_bytes and data.startswith(b"\r\n", stop):  # all of it is here: the quick way, for 64 KB a read
                    parts.append(data[position:stop])
                    position = stop + 2
                else:
                    self._left_bytes = size_bytes
                    self._line_end_due = size_bytes > 0
                    self._in_trailers = not size_bytes
        return None

    def _hold(self, line: bytes) -> None:
        longest = MOST_HEAD_BYTES if self._in_trailers else MOST_LINE_BYTES
        if len(line) > longest:
            raise BrokenBody(f"a line of more than {longest} bytes between chunks")
        self._rest = line

    def _take_surplus(self, data: bytes) -> None:
        """Nobody asked for these: whatever they are, they are no answer to the next request."""
        self.reusable = False

    def _give(self, data: bytes) -> None:
        if self._decoder is not None:
            data = _undone(self._decoder, data)
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


def _read_head(data: bytes, reused: bool) -> ResponseHead:
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
    return ResponseHead(int(status), reason or "", Headers(pairs), version, reused)


def _content_length(value: str) -> int:
    """RFC 9112, 6.3: several equal lengths count as one, different ones make the answer unreadable."""
    lengths = set(_tokens(value))
    length = lengths.pop() if len(lengths) == 1 else ""
    if not (length.isascii() and length.isdigit()):
        raise BadStatusLine(f"a Content-Length of {value!r}")
    return int(length)


@lru_cache(maxsize=512)  # the chunks of a stream have a few hundred sizes, each again and again
def _chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.match(line)
    if match is None:
        raise BrokenBody(f"a chunk size that is no number: {line[:40]!r}")
    return int(match[1], 16)


def _tokens(value: str) -> List[str]:
    return [token.strip().lower() for token in value.split(",") if token.strip()] if value else []


def _decoder(content_encoding: str) -> Optional[Decoder]:
    codings = [coding for coding in _tokens(content_encoding) if coding != "identity"]
    if not codings:
        return None
    from .coding import decoder_for  # at first use: few servers compress

    decoder = decoder_for(codings[0]) if len(codings) == 1 else None
    if decoder is None:
        raise DecodeError(f"Content-Encoding {content_encoding!r}, where only gzip and deflate were offered")
    return decoder


def _undone(decoder: Decoder, data: bytes) -> bytes:
    from .coding import CodingError

    try:
        return decoder.decode(data)
    except CodingError as error:
        raise DecodeError(str(error)) from error
