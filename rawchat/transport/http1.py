r"""HTTP/1.1 on bytes alone: a request as bytes, and what turns the bytes of an answer into its head and body.

    HTTP/1.1 200 OK\r\n                          reader.head.status
    Transfer-Encoding: chunked\r\n\r\n           reader.head.headers
    19\r\n                                       a chunk of 25 bytes ...
    data: {"choices":[...]}\n\n\r\n              ... given out as its parts come
    0\r\n\r\n                                    reader.at_end, reader.reusable

Waits for nothing: whoever owns the socket calls `receive` and `receive_end`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple

from ..protocol.wire import DecodeError, Headers, ResponseHead

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_HEAD_BYTES = 65536  # http.client's limit for one line
MOST_LINE_BYTES = 4096  # a chunk's size with its extensions
_HEAD_END = re.compile(rb"\n\r?\n")  # RFC 9112, 2.2: a line may end with LF alone
_STATUS_LINE = re.compile(r"HTTP/(1\.[01]) ([1-9][0-9][0-9])(?: (.*))?", re.DOTALL)
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,16})[ \t]*(?:;|\r*\n)")
# RFC 9112, 6.3: several equal lengths count as one.
_CONTENT_LENGTH = re.compile(r"[\s,]*([0-9]+)(?:\s*,[\s,]*\1)*[\s,]*")
_BLANKS = " \t\r\n\v\f"  # str.strip() would take Latin-1's blanks as well


# The first two are named as http.client's are: errors are told apart by name.
class BadStatusLine(Exception):
    """What came is no HTTP."""


class RemoteDisconnected(Exception):
    """The end came before the answer."""


class BrokenHead(Exception):
    """The end came inside it."""


class BrokenBody(Exception):
    """It ended, or its framing broke."""


HTTP_FAILURES = (BadStatusLine, RemoteDisconnected, BrokenHead, BrokenBody, DecodeError)


def encode_request(method: str, target: str, headers: Mapping[str, str], body: bytes, host: str) -> bytes:
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    named = f"\n{fields}".lower()
    first = "" if "\nhost:" in named else f"Host: {host}\r\n"
    framed = "\ncontent-length:" in named or "\ntransfer-encoding:" in named
    if not framed and (body or method not in ("GET", "CONNECT")):
        fields += f"Content-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\n{first}{fields}\r\n".encode("latin-1") + body


class ResponseReader:
    """Reads one answer; with `decode=False` its content coding stays as it is."""

    head: Optional[ResponseHead] = None  # until all of it is here
    at_end = False  # the body is whole
    reusable = False  # at the end: another request may be sent on this connection
    _begun = False
    _rest = b""  # of a head, or of a line between chunks, that is not whole yet
    _left_bytes = 0  # of a body with a Content-Length, or of a chunk
    _next_line = "size"  # of a chunk; or the "line end" behind its data, or one of the "trailers"

    def __init__(self, method: str, *, reused: bool = False, decode: bool = True) -> None:
        self.interim: List[ResponseHead] = []  # (100, 103), before the real one
        self.pieces: List[bytes] = []  # of the body, decoded, to be taken out
        self._method = method
        self._reused = reused
        self._decodes = decode
        self._take: Callable[[bytes], None] = self._take_head
        self._give: Callable[[bytes], None] = self.pieces.append

    def receive(self, data: bytes) -> None:
        """Raises BadStatusLine, BrokenBody or DecodeError."""
        self._begun = True
        if self.at_end:
            self.reusable = False  # nobody asked for these
        elif data:
            self._take(data)

    def receive_end(self) -> None:
        """The server has hung up. Raises where the answer is not whole."""
        if self.at_end:
            self.reusable = False
        elif self.head is None and self._begun:
            raise BrokenHead(f"the connection ended inside the head, after {len(self._rest)} bytes")
        elif self.head is None:
            raise RemoteDisconnected("the connection ended before the answer")
        elif self._take == self._take_sized:
            raise BrokenBody(f"Content-Length promised {self._left_bytes} more")
        elif self._take == self._take_chunks:
            raise BrokenBody("the connection ended before the last chunk")
        else:
            self._end(False)

    def is_stale(self, error: BaseException) -> bool:
        """Whether it is the end of a used connection that gave no byte of this answer."""
        dead = isinstance(error, (RemoteDisconnected, ConnectionError)) or type(error).__name__ == "SSLEOFError"
        return dead and self._reused and not self._begun

    def take(self) -> bytes:
        data = b"".join(self.pieces)
        self.pieces.clear()
        return data

    def _take_head(self, data: bytes) -> None:
        data = (self._rest + data).lstrip(b"\r\n")  # RFC 9112, 2.2
        if not b"HTTP/".startswith(data[:5]):
            raise BadStatusLine(f"it begins with {data[:5]!r}")
        end = _HEAD_END.search(data)
        self._rest = b"" if end else data
        if end is None:
            if len(data) > MOST_HEAD_BYTES:
                raise BadStatusLine(f"a head of more than {MOST_HEAD_BYTES} bytes")
            return
        head = _read_head(data[: end.start()].decode("latin-1"), self._reused)
        if 100 <= head.status < 200 and head.status != 101:
            self.interim.append(head)
        else:
            self.expect_body(head)
        rest = data[end.end() :]
        if rest:
            self.receive(rest)

    def expect_body(self, head: ResponseHead) -> None:
        """The body is next: none, chunks, a length, or up to the end of the connection (RFC 9112, 6.3)."""
        self.head = head
        get = head.headers.get
        says = _tokens(get("connection", ""))
        self._keeps = "keep-alive" in says if head.http_version == "1.0" else "close" not in says
        tunnel = self._method == "CONNECT" and 200 <= head.status < 300
        if self._method == "HEAD" or head.status in (101, 204, 304) or tunnel:
            self._end(head.status != 101)
            return
        coding, transfer, length = get("content-encoding"), get("transfer-encoding"), get("content-length")
        if coding and self._decodes and _tokens(coding) not in ((), ("identity",)):
            self._give = _decoder(coding, self.pieces)
        self._take = self._give
        if transfer is not None:
            if _tokens(transfer)[-1:] == ("chunked",):
                self._take = self._take_chunks
        elif length is not None:
            match = _CONTENT_LENGTH.fullmatch(length)
            if match is None:
                raise BadStatusLine(f"a Content-Length of {length!r}")
            self._left_bytes = int(match[1])
            self._take = self._take_sized
            if not self._left_bytes:
                self._end(True)

    def _take_sized(self, data: bytes) -> None:
        self._give(data[: self._left_bytes])
        self._left_bytes -= len(data)
        if self._left_bytes <= 0:
            self._end(not self._left_bytes)

    def _take_chunks(self, data: bytes) -> None:
        """RFC 9112, 7.1."""
        data, self._rest = self._rest + data, b""
        give, position = self._give, self._left_bytes
        if position:
            self._left_bytes = max(position - len(data), 0)
            give(data[:position])
        while position < len(data):
            start, position = position, data.find(b"\n", position) + 1
            if not position:
                self._rest = data[start:]
                longest = MOST_HEAD_BYTES if self._next_line == "trailers" else MOST_LINE_BYTES
                if len(self._rest) > longest:
                    raise BrokenBody(f"a line of more than {longest} bytes between chunks")
                return
            line = data[start:position]
            if self._next_line == "size":
                size_bytes = _chunk_size(line)
                stop = position + size_bytes
                if size_bytes and data.startswith(b"\r\n", stop):  # all of it is here: the quick way
                    give(data[position:stop])
                    position = stop + 2
                elif size_bytes:
                    self._next_line = "line end"
                    self._left_bytes = max(stop - len(data), 0)
                    if position < len(data):
                        give(data[position:stop])
                    position = stop
                else:
                    self._next_line = "trailers"
            elif self._next_line == "line end":
                if line.strip(b"\r\n"):
                    raise BrokenBody(f"a chunk is longer than its size says: {line.strip()[:40]!r}")
                self._next_line = "size"
            elif not line.strip(b"\r\n"):  # what the trailers say is dropped
                self._end(position == len(data))
                return

    def _end(self, clean: bool) -> None:
        self.at_end = True
        self.reusable = clean and self._keeps


def _read_head(text: str, reused: bool) -> ResponseHead:
    first, *lines = text.split("\n")
    match = _STATUS_LINE.fullmatch(first.rstrip("\r"))
    if match is None:
        raise BadStatusLine(f"its first line is {first.strip()[:80]!r}")
    pairs: List[Tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[0] in " \t" and pairs:  # folded: RFC 9112, 5.2
            name, value = pairs.pop()
            value += " " + line.strip(_BLANKS)
        elif not colon:
            raise BadStatusLine(f"a header field without a colon: {line.strip()[:80]!r}")
        pairs.append((name.strip(_BLANKS), value.strip(_BLANKS)))
    version, status, reason = match.groups()
    return ResponseHead(int(status), reason or "", Headers(pairs), version, reused)


@lru_cache(maxsize=512)  # a stream's chunks have few sizes
def _chunk_size(line: bytes) -> int:
    match = _CHUNK_SIZE.match(line)
    if match is None:
        raise BrokenBody(f"a chunk size that is no number: {line.strip()[:40]!r}")
    return int(match[1], 16)


def _decoder(coding: str, pieces: List[bytes]) -> Callable[[bytes], None]:
    try:
        from ..protocol.coding import decoder
    except ImportError:  # a copy without gzip
        raise DecodeError(f"it is compressed ({coding}), though identity was asked for") from None
    return decoder(coding, pieces)


@lru_cache(maxsize=64)
def _tokens(value: str) -> Tuple[str, ...]:
    return tuple([token.strip().lower() for token in value.split(",") if token.strip()])
