"""From documents to the bytes of an HTTP answer, each step on its own, and from bytes to a request.

    {chunk}, "[DONE]"  -- write_events -->  b'data: {...}\\n\\n', ...              the dialect: line ends, BOM, fields
                       -- end_events   -->  the first three, half of the fourth    where it breaks off
                       -- CUTTERS      -->  [[b'dat', b'a: {'], ...]               what goes out in one write
                       -- Coder        -->  gzip, deflate                          content coding
                       -- frame        -->  b'1a\\r\\ndata: ...\\r\\n'             transfer coding

Done right, this is what any good server sends; every way of doing it wrong is an argument here. No socket and no clock:
writing returns bytes, and `RequestReader` is given a function to read with. faults.py chooses the arguments, serving.py
moves the bytes.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from ..protocol.wire import Headers
from .edits import Document, Fields, compact_json

Groups = List[List[bytes]]  # each inner list is one event: a pause comes before it, none within it
Pairs = Iterable[Tuple[str, str]]


# Events -> bytes -----------------------------------------------------------------------------------------------------


class Dialect(NamedTuple):
    """How events are written. The defaults are what OpenAI sends."""

    line_ends: Tuple[str, ...] = ("\n",)  # several: taken in turn, one an event
    colon: str = ": "
    ascii_only: bool = True
    indent: Optional[int] = None  # JSON over several lines, each with a `data` field of its own
    fields: Tuple[Tuple[str, str], ...] = ()  # written before the data of each event; "{n}" is the event's number
    bom: bool = False
    last_end: Optional[str] = None  # what stands after the last data line instead of two line ends


def event_lines(document: Document, dialect: Dialect, number: int) -> List[str]:
    """The lines of one event, without line ends and without the blank line that ends it."""
    if isinstance(document, Fields):
        fields = list(document.lines)
    else:
        fields = [(name, value.format(n=number)) for name, value in dialect.fields]
        if isinstance(document, str):
            text = document
        elif dialect.indent is None:
            text = compact_json(document, ascii_only=dialect.ascii_only)
        else:
            text = json.dumps(document, indent=dialect.indent, ensure_ascii=dialect.ascii_only)
        fields += [("data", line) for line in text.split("\n")]
    return [name + dialect.colon + value if name else ": " + value for name, value in fields]


def write_events(documents: Iterable[Document], dialect: Optional[Dialect] = None) -> List[bytes]:
    """One run of bytes for each document, blank line included."""
    style = dialect or Dialect()
    events = []
    for number, document in enumerate(documents):
        end = style.line_ends[number % len(style.line_ends)]
        text = end.join(event_lines(document, style, number)) + end + end
        # Half of a surrogate pair has no place in UTF-8; servers that send one anyway send these three bytes.
        events.append(text.encode("utf-8", "surrogatepass"))
    if events and style.last_end is not None:
        events[-1] = events[-1].rstrip(b"\r\n") + style.last_end.encode()
    if events and style.bom:
        events[0] = b"\xef\xbb\xbf" + events[0]
    return events


# Where it breaks off -------------------------------------------------------------------------------------------------


def end_events(events: List[bytes], at: int, where: str = "") -> List[bytes]:
    """The first `at` events; with `where` "inside" half of the next too, with "character" up to within a character.

    `at` beyond the end, or below 0, keeps them all. Without a character of several bytes left, "character" is "inside".
    """
    if at < 0:
        return list(events)
    kept, rest = events[:at], events[at:]
    if where == "character":
        for number, event in enumerate(rest):
            lead = next((place for place, byte in enumerate(event) if byte >= 0xC0), None)
            if lead is not None:
                return [*kept, *rest[:number], event[: lead + 1]]
    if where and rest:
        kept = [*kept, rest[0][: len(rest[0]) // 2]]
    return kept


# What goes out in one write ------------------------------------------------------------------------------------------


def _each_event(events: List[bytes]) -> Groups:
    return [[event] for event in events]


def _each_byte(events: List[bytes]) -> Groups:
    return [[event[place : place + 1] for place in range(len(event))] for event in events]


def _halves(events: List[bytes]) -> Groups:
    return [[event[: len(event) // 2], event[len(event) // 2 :]] for event in events]


def _pairs(events: List[bytes]) -> Groups:
    return [[b"".join(events[place : place + 2])] for place in range(0, len(events), 2)]


def _all_at_once(events: List[bytes]) -> Groups:
    return [[b"".join(events)]] if events else []


def _blocks(events: List[bytes], size: int = 1024) -> Groups:
    body = b"".join(events)
    return [[body[place : place + size]] for place in range(0, len(body), size)]


def _cut_after(is_place: Callable[[bytes, int], bool]) -> Callable[[List[bytes]], Groups]:
    def cut(events: List[bytes]) -> Groups:
        groups = []
        for event in events:
            places = [0, *(place + 1 for place in range(len(event) - 1) if is_place(event, place)), len(event)]
            groups.append([event[start:end] for start, end in zip(places, places[1:])])
        return groups

    return cut


# Name -> function of the events that says what is written together.
CUTTERS: Mapping[str, Callable[[List[bytes]], Groups]] = {
    "": _each_event,
    "bytes": _each_byte,
    "halves": _halves,
    "pairs": _pairs,
    "once": _all_at_once,
    "blocks": _blocks,
    # After every byte that leads a character of several bytes, and after every byte within one but the last.
    "characters": _cut_after(
        lambda event, place: event[place] >= 0xC0 or (event[place] & event[place + 1] & 0xC0) == 0x80
    ),
    "crlf": _cut_after(lambda event, place: event[place : place + 2] == b"\r\n"),
}


# Content coding and transfer coding ----------------------------------------------------------------------------------


class Coder:
    """Content coding of a body, piece by piece. `flush`: each piece can be read as soon as it is there."""

    # RFC 9110 section 8.4.1: "deflate" means the zlib format; wbits 31 is zlib's word for gzip.
    _WBITS = {"gzip": 31, "deflate": 15}

    def __init__(self, coding: str = "", *, flush: bool = True) -> None:
        import zlib  # only the rows that compress need it

        self._flush = zlib.Z_SYNC_FLUSH if flush else zlib.Z_NO_FLUSH
        self._packer = zlib.compressobj(wbits=self._WBITS[coding]) if coding else None

    def write(self, data: bytes) -> bytes:
        if self._packer is None:
            return data
        packed = self._packer.compress(data)
        return packed + self._packer.flush(self._flush) if self._flush else packed

    def end(self) -> bytes:
        return self._packer.flush() if self._packer is not None else b""


def frame(data: bytes, *, chunked: bool) -> bytes:
    """One write. An empty piece is nothing: as a chunk it would end the body (RFC 9112 section 7.1)."""
    return b"%x\r\n%s\r\n" % (len(data), data) if chunked and data else data


def frame_end(trailers: Pairs = ()) -> bytes:
    """The last chunk of a chunked body, and the trailer fields."""
    return b"0\r\n" + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in trailers) + b"\r\n"


def head_bytes(status: int, headers: Pairs, *, version: str = "1.1") -> bytes:
    lines = [f"HTTP/{version} {status} {reason_of(status)}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# Statuses that are in no RFC, by the people who send them.
_REASONS = {
    420: "Enhance Your Calm",
    520: "Web Server Returned an Unknown Error",
    522: "Connection Timed Out",
    524: "A Timeout Occurred",
    525: "SSL Handshake Failed",
    529: "Site is overloaded",
}


def reason_of(status: int) -> str:
    from http import HTTPStatus

    try:
        return _REASONS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


# Bytes -> request ----------------------------------------------------------------------------------------------------

HEAD_LIMIT_BYTES = 65536  # as http.server and most proxies have it
BODY_LIMIT_BYTES = 64 * 1024 * 1024  # a request with images may be large; OpenAI states 50 MB


class IncomingRequest(NamedTuple):
    """One request as it came: names and values of headers in their order and case, the body without its framing."""

    method: str
    target: str
    version: str  # "1.1"
    headers: Headers
    body: bytes

    @property
    def keeps_alive(self) -> bool:
        return self.version != "1.0" and "close" not in self.headers.get("connection", "").lower()


class RequestRefused(Exception):
    """The request cannot be read as HTTP/1. `status` is the answer it deserves; then the connection has to close."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RequestReader:
    """Reads requests, one after the other, from one connection.

    receive(n) gives up to n bytes, b"" at the end; send(data) is for `100 Continue` alone.
    """

    def __init__(self, receive: Callable[[int], bytes], send: Callable[[bytes], Any]) -> None:
        self._receive = receive
        self._send = send
        self._buffer = b""

    def read(self) -> Optional[IncomingRequest]:
        """The next request; None where the connection ended before one began. Raises RequestRefused."""
        head = self._read_head()
        if head is None:
            return None
        method, target, version, headers = parse_head(head)
        return IncomingRequest(method, target, version, headers, self._read_body(headers))

    def _more(self) -> bool:
        data = self._receive(65536)
        self._buffer += data
        return bool(data)

    def _read_head(self) -> Optional[bytes]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_LIMIT_BYTES:
                raise RequestRefused(431, f"The request head is longer than {HEAD_LIMIT_BYTES} bytes.")
            if not self._more():
                if self._buffer.strip():
                    raise RequestRefused(400, "The connection ended inside the request head.")
                return None
            if self._buffer[:1] == b"\x16":  # the first byte of a TLS handshake, which has no line ends to wait for
                raise RequestRefused(400, "This looks like TLS: the base URL has to begin with http://, not https://.")
            # RFC 9112 section 2.2: blank lines before a request are ignored.
            self._buffer = self._buffer.lstrip(b"\r\n")
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def _read_body(self, headers: Headers) -> bytes:
        coding = headers.get("transfer-encoding", "").lower()
        if coding and coding != "chunked":
            raise RequestRefused(
                501, f"The transfer coding {coding!r} is unknown here; send chunked or a Content-Length."
            )
        length = 0 if coding else _body_length(headers)
        if (coding or length) and headers.get("expect", "").lower() == "100-continue" and not self._buffer:
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._read_chunks() if coding else self._read_exactly(length)

    def _read_exactly(self, size: int) -> bytes:
        pieces = [self._buffer]
        missing = size - len(self._buffer)
        while (
            missing > 0
        ):  # collected apart from the buffer: adding to one long bytes again and again takes quadratic time
            data = self._receive(min(missing, 1 << 20))
            if not data:
                raise RequestRefused(400, f"The connection ended {missing} bytes before the end of the request body.")
            pieces.append(data)
            missing -= len(data)
        whole = b"".join(pieces)
        self._buffer = whole[size:]
        return whole[:size]

    def _read_line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > HEAD_LIMIT_BYTES or not self._more():
                raise RequestRefused(400, "The chunked request body broke off, or a chunk's size line has no end.")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def _read_chunks(self) -> bytes:
        pieces: List[bytes] = []
        total = 0
        while True:
            line = self._read_line()
            try:
                size = int(line.partition(b";")[0].strip(), 16)  # what follows ";" is a chunk extension
            except ValueError:
                raise RequestRefused(400, f"{line[:40]!r} is no chunk size.") from None
            if size <= 0:
                break
            total += size
            if total > BODY_LIMIT_BYTES:
                raise RequestRefused(413, f"The request body is longer than {BODY_LIMIT_BYTES} bytes.")
            pieces.append(self._read_exactly(size))
            self._read_line()
        while self._read_line():  # trailer fields, dropped
            pass
        return b"".join(pieces)


def _body_length(headers: Headers) -> int:
    text = headers.get("content-length", "0").strip()
    if not text.isdigit():
        raise RequestRefused(400, f"Content-Length {text!r} is no number.")
    length = int(text)
    if length > BODY_LIMIT_BYTES:
        raise RequestRefused(413, f"The request body has {length} bytes; {BODY_LIMIT_BYTES} is the most that is taken.")
    return length


def parse_head(head: bytes) -> Tuple[str, str, str, Headers]:
    """Method, target, HTTP version and headers of a request head. Raises RequestRefused."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise RequestRefused(400, f"The first line is no HTTP/1 request line: {first[:80]!r}.")
    pairs: List[Tuple[str, str]] = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise RequestRefused(400, f"{line[:80]!r} is no header line.")
        pairs.append((name, value.strip()))
    return words[0], words[1], words[2][5:], Headers(pairs)


def split_target(target: str) -> Tuple[str, Dict[str, str]]:
    """Path (still percent-encoded) and query of a request target; in the absolute form, too, that proxies get."""
    from urllib.parse import parse_qsl, urlsplit

    parts = urlsplit(target)
    return parts.path or "/", dict(parse_qsl(parts.query, keep_blank_values=True))
