r"""The exchange: one request, and all that came of it, each piece with its time. The one model of the wire lab.

    request   POST http://127.0.0.1:8080/v1/chat/completions         t = 0, the moment of sending
    head      200 OK, text/event-stream                              412 ms
    pieces    'f6\r\ndata: {"id":"c1",...}\n\n\r\n'                  412 ms, one read of the connection
              'f1\r\ndata: {"id":"c1",...}\n\n\r\n'                  431 ms
    end       eof, whole                                             3.1 s

The tap fills it from bytes, the library from WireEvents, a cassette from its lines: all three by `apply`, which takes
one record (a line of a cassette, as a dict). What the bytes mean is worked out when asked for: `body_pieces` without
the HTTP framing, `steps` as events and chunks, `reply` put together. Times are microseconds since the sending,
monotonic. Pure: reads no file and no clock.
"""

from __future__ import annotations

import base64
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..protocol.answer import StreamReader, read_answer
from ..protocol.errors import APIError
from ..protocol.reply import Reply
from ..protocol.sse import Event
from ..protocol.wire import HeaderPairs, Headers, Request, ResponseHead
from ..transport.http1 import HTTP_FAILURES, ResponseReader

WIRE = "wire"  # pieces as the connection gave them: chunk sizes and content coding included
BODY = "body"  # pieces as an HTTP library gave them: framing and coding undone

# How an answer ended, and what it says to people.
ENDS: Mapping[str, str] = {
    "eof": "the end of the answer, or of the connection",
    "reset": "the connection was reset",
    "timeout": "nothing came any more, until the time was up",
    "client_gone": "the client closed its side first",
    "unreachable": "no connection could be made",
    "stopped": "the recorder was stopped",
}


class Piece(NamedTuple):
    """What one read gave."""

    at_us: int
    data: bytes


class End(NamedTuple):
    """How it ended. `how` is a key of ENDS; `whole`: by the rules of HTTP, all of the answer was here."""

    at_us: int
    how: str
    whole: bool = True
    detail: str = ""


class Step(NamedTuple):
    """One event of a stream: the event, its chunk (None for a ping or [DONE]) and its text; `piece` counts from 0."""

    at_us: int
    piece: int
    event: Optional[Event]
    chunk: Optional[Dict[str, Any]]
    text: str


class Reading(NamedTuple):
    """What the bytes of an answer mean: events of a stream, the answer as far as it came, what went wrong with it.

    `pieces` and `flaw` are those of `body_pieces` and `flaw`.
    """

    steps: List[Step]
    reply: Optional[Reply] = None
    error: Optional[APIError] = None
    pieces: Sequence[Piece] = ()
    flaw: str = ""


class Exchange:
    """One attempt of a call.

    number        its name within the cassette, from 1: FILE#3
    call          the number of the first attempt of the same call; `attempt` counts from 1
    source        who recorded it: "tap", "library", "har", ...
    layer         WIRE or BODY, see there
    started_at    wall clock of the sending, RFC 3339, UTC;   start_us: the same within the recording, monotonic
    target        what stood in the request line;             request.url: where it went
    interim       heads of interim answers (100, 103), each with its time
    wait_s, why   the pause before the next attempt, where there is one
    notes         what the recorder had to say: a fault that it played, a key that it dropped
    """

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.call = number
        self.attempt = 1
        self.source = ""
        self.layer = WIRE
        self.started_at = ""
        self.start_us = 0
        self.request = Request("", "", ())
        self.request_whole = True
        self.target = ""
        self.http_version = "1.1"
        self.interim: List[Tuple[int, ResponseHead]] = []
        self.head: Optional[ResponseHead] = None
        self.head_us: Optional[int] = None
        self.pieces: List[Piece] = []
        self.end: Optional[End] = None
        self.wait_s: Optional[float] = None
        self.why = ""
        self.notes: List[str] = []

    def __repr__(self) -> str:
        status = self.head.status if self.head else "no answer"
        return f"Exchange(#{self.number} {self.request.method} {self.path} {status}, {len(self.pieces)} pieces)"

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take in one record. Records of a kind that is not known here are left aside: a later version wrote them."""
        take = _RECORDS.get(record.get("event", ""))
        if take is not None:
            take(self, record)

    # What was asked.

    @property
    def path(self) -> str:
        """The path of the target, without its query."""
        from urllib.parse import urlsplit

        return urlsplit(self.target).path or "/"

    @property
    def payload(self) -> Any:
        """The JSON of the request's body; None where it is none."""
        return _json_or_none(self.request.body)

    @property
    def model(self) -> str:
        payload = self.payload
        model = payload.get("model") if isinstance(payload, dict) else None
        return model if isinstance(model, str) else ""

    @property
    def retries_taken(self) -> Optional[int]:
        """What an SDK's own header says about earlier attempts."""
        said = Headers(self.request.headers).get("x-stainless-retry-count", "")
        return int(said) if said.isascii() and said.isdigit() else None

    # What came.

    @property
    def is_stream(self) -> bool:
        """Whether the answer is an event stream, by its own label, or by its first bytes where it has none."""
        if self.head is None:
            return False
        kind = self.head.headers.get("content-type", "").lower()
        if "event-stream" in kind:
            return True
        start = self.body()[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
        return start.startswith((b"data:", b"event:", b": ", b":\n", b"id:", b"retry:"))

    def body_pieces(self) -> List[Piece]:
        """The reads without HTTP framing and content coding, each with its time; those that held only framing left out.

        Where the framing is broken, what could be read up to there; `flaw` says what is wrong.
        """
        return self._unframed()[0]

    @property
    def flaw(self) -> str:
        """What is wrong with the answer as HTTP: a cut body, a chunk size that is no number. "" where nothing is."""
        return self._unframed()[1]

    def body(self) -> bytes:
        return b"".join(piece.data for piece in self.body_pieces())

    def steps(self) -> List[Step]:
        """The events of a stream as the library reads them, up to [DONE] or an error. Nothing for other answers."""
        return self.reading().steps

    def error(self) -> Optional[APIError]:
        """What a client makes of the answer if it raises; None for a good one."""
        return self.reading().error

    def reply(self) -> Optional[Reply]:
        """The answer put together, as far as it came; None where it is no completion."""
        return self.reading().reply

    def _unframed(self) -> Tuple[List[Piece], str]:
        if self.head is None:
            return [], ""
        if self.layer == BODY:
            return list(self.pieces), "the body broke off" if self.end is not None and not self.end.whole else ""
        reader = ResponseReader(self.request.method)
        found: List[Piece] = []
        at_us = self.head_us or 0
        try:
            reader.receive(head_bytes(self.head))
            for at_us, data in self.pieces:
                reader.receive(data)
                if reader.pieces:
                    found.append(Piece(at_us, b"".join(reader.pieces)))
                    reader.pieces.clear()
            if self.end is not None and not reader.at_end:
                reader.receive_end()
        except HTTP_FAILURES as flaw:
            if reader.pieces:  # one read may hold good chunks, and then the broken one
                found.append(Piece(at_us, b"".join(reader.pieces)))
            return found, str(flaw)
        return found, ""

    def reading(self) -> Reading:
        """All of it at once: who needs more than one part reads the bytes only once."""
        if self.head is None:
            return Reading([])
        pieces, flaw = self._unframed()
        status, headers = self.head.status, self.head.headers
        if not 200 <= status < 300:
            return Reading([], None, self._status_error(), pieces, flaw)
        if not self.is_stream:
            try:
                body = b"".join(piece.data for piece in pieces)
                reply = read_answer(status, headers, body, required=self._required())
                return Reading([], reply, None, pieces, flaw)
            except APIError as error:
                return Reading([], None, error, pieces, flaw)
        payload = self.payload
        asked = payload.get("n") if isinstance(payload, dict) else None
        reader = StreamReader(status, headers, choices=asked if isinstance(asked, int) else 1)
        steps: List[Step] = []
        for number, (at_us, data) in enumerate(pieces):
            steps += [Step(at_us, number, found.event, found.chunk, found.text) for found in reader.feed(data)]
        if self.end is not None:
            last = max(len(pieces) - 1, 0)
            steps += [Step(self.end.at_us, last, found.event, found.chunk, found.text) for found in reader.close()]
        return Reading(steps, reader.reply(), reader.error, pieces, flaw)

    def _required(self) -> str:
        """Which key must hold the answer, by the endpoint."""
        path = self.path
        return (
            "choices" if path.endswith("/completions") else "data" if path.endswith(("/models", "/embeddings")) else ""
        )

    def _status_error(self) -> APIError:
        from ..protocol.status import classify, error_from

        head = self.head
        assert head is not None
        return error_from(classify(head.status, head.headers, self.body()), headers=head.headers, attempts=self.attempt)


def head_bytes(head: ResponseHead) -> bytes:
    """A response head as it stands on the wire."""
    lines = [f"HTTP/{head.http_version} {head.status} {head.reason}"]
    lines += [f"{name}: {value}" for name, value in head.headers.pairs]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _json_or_none(data: bytes) -> Any:
    import json

    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# --- records: one line of a cassette each ----------------------------------------------------------------------------


def bytes_record(data: bytes) -> Dict[str, str]:
    """Bytes as JSON can hold them: text where they are valid UTF-8, else base64.

    >>> bytes_record(b"data: [DONE]"), bytes_record(b"\\xe2\\x82")
    ({'text': 'data: [DONE]'}, {'base64': '4oI='})
    """
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def bytes_of(record: Mapping[str, Any]) -> bytes:
    """The way back. Raises ValueError where neither is there."""
    if "base64" in record:
        return base64.b64decode(record["base64"], validate=True)
    if "text" in record:
        return _word(record, "text").encode("utf-8")
    raise ValueError('neither "text" nor "base64"')


def _number(record: Mapping[str, Any], name: str) -> Any:
    """A figure that is one. People edit cassettes, and what is wrong should be told with its line."""
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is {value!r}, and no number")
    return value


def _word(record: Mapping[str, Any], name: str) -> str:
    value = record[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}, and no text")
    return value


def pairs_of(value: Any) -> HeaderPairs:
    return tuple((str(name), str(text)) for name, text in value)


def _take_request(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.number = _number(record, "id")
    exchange.call = record.get("call", record["id"])
    exchange.attempt = record.get("attempt", 1)
    exchange.source = record.get("source", "")
    exchange.layer = record.get("layer", WIRE)
    exchange.started_at = record.get("at", "")
    exchange.start_us = record.get("start_us", 0)
    exchange.target = record.get("target", "")
    exchange.http_version = record.get("version", "1.1")
    exchange.request_whole = record.get("whole", True)
    body = bytes_of(record["body"]) if "body" in record else b""
    exchange.request = Request(_word(record, "method"), _word(record, "url"), pairs_of(record["headers"]), body)


def _head_of(record: Mapping[str, Any]) -> ResponseHead:
    return ResponseHead(
        _number(record, "status"),
        record.get("reason", ""),
        Headers(pairs_of(record["headers"])),
        record.get("version", "1.1"),
        record.get("reused"),
    )


def _take_interim(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.interim.append((_number(record, "t_us"), _head_of(record)))


def _take_head(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.head, exchange.head_us = _head_of(record), _number(record, "t_us")


def _take_read(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.pieces.append(Piece(_number(record, "t_us"), bytes_of(record)))


def _take_end(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.end = End(
        _number(record, "t_us"), _word(record, "how"), bool(record.get("whole", True)), str(record.get("detail", ""))
    )


def _take_wait(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.wait_s, exchange.why = _number(record, "wait_s"), str(record.get("why", ""))


def _take_note(exchange: Exchange, record: Mapping[str, Any]) -> None:
    exchange.notes.append(str(record["text"]))


_RECORDS: Mapping[str, Callable[[Exchange, Mapping[str, Any]], None]] = {
    "request": _take_request,
    "interim": _take_interim,
    "head": _take_head,
    "read": _take_read,
    "end": _take_end,
    "wait": _take_wait,
    "note": _take_note,
}
