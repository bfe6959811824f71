r"""Takes a recorded answer apart: every run of its bytes with the rule that consumes it, in the order of the wire.

    f6\r\n                          chunk size      246 bytes follow                        RFC 9112 section 7.1
    data: {"id":"c1",...}\n         data            a line of an event                      WHATWG HTML 9.2.6
    \n                              blank line      sends the event off                     WHATWG HTML 9.2.6
    \r\n                            chunk end                                               RFC 9112 section 7.1

No byte is left out and none is told twice: the runs joined are the body as it was recorded (for a compressed body, the
runs of framing are; its content stands as it was before compression). A line that several chunks or reads cut is told
in parts. Pure; judges nothing: what an event changed is changes.py's part, what to print explain.py's.
"""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple, Optional, Tuple, Union

from .exchange import BODY, Exchange

CHUNKED = "RFC 9112 section 7.1"
SSE = "WHATWG HTML section 9.2.6"
HTTP_BODY = "RFC 9112 section 6.3"
CODING = "RFC 9110 section 8.4"
SPACE_DROPPED = ", the one space after the colon dropped"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Run(NamedTuple):
    """Bytes that one rule consumed. `read` counts from 1; `event` is set where these bytes complete an event, from 1.

    `kind` is a short name, `note` what they say, `source` where the rule stands. `part`: the rest comes later.
    """

    at_us: int
    read: int
    data: bytes
    kind: str
    note: str
    source: str
    event: Optional[int] = None
    part: bool = False


class _Content(NamedTuple):
    """Bytes of the body proper, freed of chunk sizes, still in their read."""

    at_us: int
    read: int
    data: bytes


Part = Union[Run, _Content]


def dissect(exchange: Exchange) -> List[Run]:
    """All runs of an answer's body. [] where there is no body."""
    parts: List[Part] = list(_framed(exchange))
    coding = exchange.head.headers.get("content-encoding", "") if exchange.head else ""
    if coding and exchange.layer != BODY:
        parts = list(_decoded(exchange, parts, coding))
    if exchange.is_stream:
        return list(_events(parts))
    return [part if isinstance(part, Run) else _plain(part) for part in parts]


def _plain(part: _Content) -> Run:
    return Run(part.at_us, part.read, part.data, "body", f"{_bytes(len(part.data))} of the body", HTTP_BODY)


def _bytes(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


# --- HTTP framing ----------------------------------------------------------------------------------------------------


def _framed(exchange: Exchange) -> Iterator[Part]:
    """Runs of framing, and _Content between them."""
    head = exchange.head
    chunked = head is not None and "chunked" in head.headers.get("transfer-encoding", "").lower()
    if exchange.layer == BODY or not chunked:
        for read, (at_us, data) in enumerate(exchange.pieces, start=1):
            yield _Content(at_us, read, data)
        return
    walker = _Chunks()
    for read, (at_us, data) in enumerate(exchange.pieces, start=1):
        yield from walker.walk(at_us, read, data)


class _Chunks:
    """Walks through chunked framing, read by read; a size line that two reads share is told in two parts."""

    def __init__(self) -> None:
        self._line = b""  # what earlier reads brought of the line at hand
        self._left = 0  # bytes of the chunk at hand
        self._state = "size"  # size, data, end, trailer, over, broken

    def walk(self, at_us: int, read: int, data: bytes) -> Iterator[Part]:
        place = 0
        while place < len(data):
            if self._state == "data":
                piece = data[place : place + self._left]
                self._left -= len(piece)
                if not self._left:
                    self._state = "end"
                yield _Content(at_us, read, piece)
            elif self._state in ("over", "broken"):
                piece = data[place:]
                yield Run(at_us, read, piece, *_SURPLUS[self._state])
            else:
                end = data.find(b"\n", place)
                piece = data[place : end + 1] if end >= 0 else data[place:]
                yield self._line_run(at_us, read, piece, whole=end >= 0)
            place += len(piece)

    def _line_run(self, at_us: int, read: int, piece: bytes, *, whole: bool) -> Run:
        line, self._line = self._line + piece, b""
        if not whole:
            self._line = line
            return Run(at_us, read, piece, "chunk framing", "the line goes on in the next read", CHUNKED, part=True)
        kind, note = self._take(line.rstrip(b"\r\n"))
        return Run(at_us, read, piece, kind, note, CHUNKED)

    def _take(self, line: bytes) -> Tuple[str, str]:
        """(kind, note) of a whole line; moves on to the next state."""
        if self._state == "end":
            self._state = "size" if not line else "broken"
            return ("chunk end", "") if not line else ("broken framing", "a chunk is longer than its size says")
        if self._state == "trailer":
            self._state = "over" if not line else "trailer"
            return ("end of the body", "the answer is whole") if not line else ("trailer", "a field after the body")
        digits, semicolon, _ = line.partition(b";")
        if not re.fullmatch(rb"[ \t]*[0-9a-fA-F]{1,16}[ \t]*", digits):
            self._state = "broken"
            return "broken framing", "a chunk size should stand here"
        self._left = int(digits, 16)
        self._state = "data" if self._left else "trailer"
        extension = ", with an extension" if semicolon else ""
        return ("chunk size", f"{_bytes(self._left)} follow{extension}") if self._left else ("last chunk", "size 0")


_SURPLUS = {
    "over": ("surplus", "after the end of the body: nobody asked for it", CHUNKED),
    "broken": ("unreadable", "after broken framing nothing more can be read", CHUNKED),
}


def _decoded(exchange: Exchange, parts: List[Part], coding: str) -> Iterator[Part]:
    """Compressed content as two things: a run that says how much it was, and what it says once unpacked."""
    unpacked = list(exchange.body_pieces())
    for part in parts:
        if not isinstance(part, _Content):
            yield part
            continue
        note = f"{_bytes(len(part.data))} of {coding}"
        yield Run(part.at_us, part.read, part.data, coding, note, CODING)
        while unpacked and unpacked[0].at_us <= part.at_us:
            piece = unpacked.pop(0)
            yield _Content(piece.at_us, part.read, piece.data)


# --- event stream ----------------------------------------------------------------------------------------------------

# Field name -> what a line of it says.
_FIELDS = {
    b"data": "a line of the event's data",
    b"event": "names the event",
    b"id": "the last event id from here on",
    b"retry": "how long to wait before reconnecting, in ms",
    b"error": "no field of the standard; llama.cpp wrote it",
}


def _events(parts: List[Part]) -> Iterator[Run]:
    lines = _Lines()
    for part in parts:
        if isinstance(part, Run):
            yield part
        else:
            yield from lines.walk(part)
    yield from lines.rest()


class _Lines:
    """Walks through the lines of an event stream, however they are cut."""

    def __init__(self) -> None:
        self._line = b""
        self._data_seen = False
        self._events = 0
        self._begun = False
        self._last: Optional[_Content] = None
        self._after_cr = False

    def walk(self, part: _Content) -> Iterator[Run]:
        data, place = part.data, 0
        self._last = part
        if self._after_cr and data.startswith(b"\n"):
            self._after_cr = False
            yield Run(part.at_us, part.read, b"\n", "line end", "the LF of the CR LF before", SSE)
            place = 1
        while place < len(data):
            found = _LINE_END.search(data, place)
            piece = data[place : found.end()] if found else data[place:]
            place += len(piece)
            self._after_cr = piece.endswith(b"\r")
            line, self._line = self._line + piece, b""
            if found:
                yield self._whole_line(part, piece, line)
            else:
                self._line = line
                yield Run(
                    part.at_us, part.read, piece, _kind(line), "the line goes on in the next piece", SSE, part=True
                )

    def _whole_line(self, part: _Content, piece: bytes, line: bytes) -> Run:
        text = line.rstrip(b"\r\n")
        if not self._begun and text.startswith(b"\xef\xbb\xbf"):
            text = text[3:]
        self._begun = True
        if text:
            kind, note = _line_words(text)
            self._data_seen = self._data_seen or kind in ("data", "error")
            return Run(part.at_us, part.read, piece, kind, note, SSE)
        event = None
        note = "no data before it: nothing happens"
        if self._data_seen:
            self._events += 1
            self._data_seen = False
            event, note = self._events, "the event is complete and goes out"
        return Run(part.at_us, part.read, piece, "blank line", note, SSE, event)

    def rest(self) -> Iterator[Run]:
        """The end of the body: an event that no blank line followed."""
        if self._last is not None and (self._line or self._data_seen):
            at_us, read, _ = self._last
            yield Run(at_us, read, b"", "end of the body", "inside an event: no blank line came to send it off", SSE)


def _kind(line: bytes) -> str:
    name = line.partition(b":")[0].strip()
    return name.decode() if name in _FIELDS else "comment" if line.startswith(b":") else "line"


def _line_words(line: bytes) -> Tuple[str, str]:
    if line.startswith(b":"):
        return "comment", "a sign of life; says nothing"
    name, _, value = line.partition(b":")
    if name not in _FIELDS:
        return "unknown field", "ignored"
    if name == b"data" and value.strip() == b"[DONE]":
        return "data", "OpenAI's mark for the end of the stream"
    space = SPACE_DROPPED if value.startswith(b" ") else ""
    return name.decode(), _FIELDS[name] + (space if name == b"data" else "")
