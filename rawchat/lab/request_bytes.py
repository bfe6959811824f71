r"""The bytes of a request on their way through: its head taken apart and its target changed, its body only followed.

    POST /v1/chat/completions HTTP/1.1\r\n      ->  POST /openai/v1/chat/completions HTTP/1.1\r\n
    Host: 127.0.0.1:41627\r\n                       Host: api.groq.com\r\n
    x-stainless-lang: python\r\n                    x-stainless-lang: python\r\n
    ...                                             every other byte as it came

`BodyFollower` says how many bytes of what comes next belong to the body, and keeps the body without its chunk sizes
for the record. Nothing is framed anew. A body whose framing cannot be read has no end here: it is for the server to
refuse it. Pure.
"""

from __future__ import annotations

from typing import Iterable, List, NamedTuple, Optional, Tuple

from ..protocol.wire import HeaderPairs, Headers
from .framing import HEAD_LIMIT_BYTES, RequestRefused, parse_head


class RequestHead(NamedTuple):
    """A request's head. `raw` is all of it, the blank line included."""

    raw: bytes
    method: str
    target: str
    version: str
    headers: Headers

    @property
    def keeps_alive(self) -> bool:
        connection = self.headers.get("connection", "").lower()
        return "keep-alive" in connection if self.version == "1.0" else "close" not in connection

    @property
    def awaits_go_ahead(self) -> bool:
        return self.headers.get("expect", "").lower() == "100-continue"


def take_head(data: bytes) -> Tuple[Optional[RequestHead], bytes]:
    """The head at the start of `data`, None while it is not all here; and what is left. Raises RequestRefused."""
    data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: blank lines before a request are ignored
    if data[:1] == b"\x16":  # the first byte of a TLS handshake, which has no line ends to wait for
        raise RequestRefused(400, "This looks like TLS: the base URL has to begin with http://, not https://.")
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank:
        if len(data) > HEAD_LIMIT_BYTES:
            raise RequestRefused(431, f"The request head is longer than {HEAD_LIMIT_BYTES} bytes.")
        return None, data
    return RequestHead(head + blank, *parse_head(head)), rest


def rewrite_head(head: RequestHead, target: str, host: str, more: HeaderPairs = ()) -> bytes:
    """The head with another target and Host, and header lines `more` after it."""
    lines = head.raw[:-4].split(b"\r\n")
    method, _, version = lines[0].split(b" ")
    lines[0] = b" ".join((method, target.encode("latin-1"), version))
    for place, line in enumerate(lines[1:], start=1):
        name, colon, value = line.partition(b":")
        if name.lower() == b"host":
            space = value[: len(value) - len(value.lstrip())]
            lines[place] = name + colon + space + host.encode("latin-1")
    lines += [f"{name}: {value}".encode("latin-1") for name, value in more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class BodyFollower:
    """Follows the body of one request.

    at_end       all of it has come
    flaw         why its end cannot be known, or ""
    chunk_sizes  of a chunked body, without the last one
    """

    def __init__(self, headers: Headers) -> None:
        self.at_end = False
        self.flaw = ""
        self.chunk_sizes: List[int] = []
        self._is_other = False
        self._raw: List[bytes] = []
        self._body: List[bytes] = []
        self._left_bytes = 0
        self._line = b""
        self._stage = ""  # of a chunked body: "size", "data", "data end", "trailers"
        coding = headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length", "0").strip()
        if coding:
            self._stage = "size"
            if coding.split(",")[-1].strip() != "chunked":
                self.flaw = f"the transfer coding {coding!r} has no end that can be seen"
        elif length.isascii() and length.isdigit():
            self._left_bytes = int(length)
            self.at_end = not self._left_bytes
        else:
            self.flaw = f"a Content-Length of {length!r}"

    @property
    def body(self) -> bytes:
        """What has come so far, without chunk sizes; as it came where they cannot be read."""
        return self.raw if self.flaw and not self._is_other else b"".join(self._body)

    @property
    def raw(self) -> bytes:
        """What has come so far, byte for byte."""
        return b"".join(self._raw)

    def take(self, data: bytes) -> int:
        """How many of the next bytes belong to this body."""
        size = 0 if self.at_end or not data else len(data) if self.flaw else self._follow(data)
        if size and not self._is_other:
            self._raw.append(data[:size])
        return size

    def _follow(self, data: bytes) -> int:
        if not self._stage:
            return self._take_data(data, 0)
        place = 0
        while place < len(data) and not self.at_end and not self.flaw:
            place = self._take_data(data, place) if self._stage == "data" else self._take_line(data, place)
        return len(data) if self.flaw else place

    def follow_for_ever(self) -> None:
        """From now on these are no requests any more: the server has agreed to another protocol."""
        self.at_end = False
        self.flaw = "another protocol"
        self._is_other = True

    def _take_data(self, data: bytes, place: int) -> int:
        piece = data[place : place + self._left_bytes]
        self._body.append(piece)
        self._left_bytes -= len(piece)
        if not self._left_bytes:
            self.at_end = not self._stage
            self._stage = self._stage and "data end"
        return place + len(piece)

    def _take_line(self, data: bytes, place: int) -> int:
        end = data.find(b"\n", place) + 1
        self._line += data[place : end or len(data)]
        if not end:
            if len(self._line) > HEAD_LIMIT_BYTES:
                self.flaw = "a line between chunks that does not end"
            return len(data)
        line, self._line = self._line.rstrip(b"\r\n"), b""
        if self._stage == "data end":
            self._stage = "size"
            if line:
                self.flaw = f"a chunk is longer than its size says: {line[:40]!r}"
        elif self._stage == "trailers":
            self.at_end = not line
        else:
            self._begin_chunk(line)
        return end

    def _begin_chunk(self, line: bytes) -> None:
        try:
            self._left_bytes = int(line.partition(b";")[0].strip(), 16)
        except ValueError:
            self.flaw = f"a chunk size that is no number: {line[:40]!r}"
            return
        if self._left_bytes:
            self.chunk_sizes.append(self._left_bytes)
        self._stage = "data" if self._left_bytes else "trailers"


def told_chunks(sizes: Iterable[int]) -> str:
    """For a note: the record holds the body without its chunk sizes, and a debugger may want to know them."""
    known = list(sizes)
    shown = ", ".join(map(str, known[:8])) + (", ..." if len(known) > 8 else "")
    return f"the request body came in {len(known)} chunks of {shown} bytes" if known else ""
