"""A door that leads nowhere: it answers from a script. For tests, ours and yours; no socket, no thread, no waiting.

    transport = MemoryTransport([
        reply(status=429, headers={"Retry-After": "2"}, body={"error": {"message": "slow down"}}),
        {"choices": [{"message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]},
        ["Hel", "lo."],
        ConnectionResetError("connection reset by peer"),
    ])
    client = Client("key", "http://127.0.0.1/v1", transport=transport)
    client.chat("Hi").text               # "Hello.", from the second reply
    transport.sleeps                     # [2.0]: the wait that the first one asked for, recorded and not slept
    transport.json(0)["messages"]        # what was sent the first time

What a script may hold, one item per request, in order (or a callable that takes the Request and gives one of these):

    dict, str, bytes     a whole JSON body with status 200
    list                 an event stream with status 200: see `sse`
    reply(...)           anything else: a status, headers, pieces one by one, an error at the end
    an exception         no answer at all; OSErrors come out as the errors of a real door

Does not decode gzip, measure time or look at what it is asked.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ..protocol.errors import APIConnectionError, APITimeoutError
from ..protocol.redact import redact_text
from ..protocol.wire import HeaderPairs, Headers, Request, ResponseHead
from .base import Response, Transport

if TYPE_CHECKING:
    import threading

Piece = Union[bytes, str, Dict[str, Any]]
HeadersLike = Union[Mapping[str, str], Sequence[Tuple[str, str]], None]


class ScriptedReply(NamedTuple):
    """One reply of a script; made by `reply`. `error` is raised once all `pieces` have been read."""

    status: int
    reason: str
    headers: HeaderPairs
    pieces: Tuple[bytes, ...]
    error: Optional[Exception]
    http_version: str


Scripted = Union[ScriptedReply, Dict[str, Any], str, bytes, List[Piece], Exception]
Script = Union[Sequence[Scripted], Callable[[Request], Scripted]]


def sse(*chunks: Piece, done: bool = True) -> List[bytes]:
    """An event stream as a list of pieces, one event each, with `[DONE]` at the end unless `done` is false.

    A dict is the JSON of an event, a str the text of a delta, bytes go out as they are (whole events or any part).

    >>> sse("Hi", b": ping\\n\\n", {"choices": []})[1:]
    [b': ping\\n\\n', b'data: {"choices":[]}\\n\\n', b'data: [DONE]\\n\\n']
    """
    pieces = [_event(chunk) for chunk in chunks]
    return [*pieces, b"data: [DONE]\n\n"] if done else pieces


def reply(
    *,
    status: int = 200,
    headers: HeadersLike = None,
    body: Union[Dict[str, Any], List[Any], str, bytes, None] = None,
    pieces: Optional[Sequence[Piece]] = None,
    error: Optional[Exception] = None,
    reason: str = "",
    http_version: str = "1.1",
) -> ScriptedReply:
    """A reply in all its parts.

    body     a dict or list is sent as JSON
    pieces   instead of a body: what each read gives, one after the other; bytes and str as they are, a dict as an event
    error    raised when body or pieces are used up: `cut()`, or any exception that a script may hold

    A Content-Type is added if there is none: event stream for pieces, JSON for a body. ValueError for body and pieces.

    >>> reply(status=503, body={"error": {"message": "busy"}}).pieces
    (b'{"error":{"message":"busy"}}',)
    """
    if body is not None and pieces is not None:
        raise ValueError("a reply has a body or pieces, not both")
    pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers or ())
    if (body is not None or pieces is not None) and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs = (*pairs, ("Content-Type", "application/json" if pieces is None else "text/event-stream"))
    if pieces is None:
        parts = [] if body is None else [_body(body)]
    else:
        parts = [_event(piece) if isinstance(piece, dict) else _body(piece) for piece in pieces]
    # An empty piece would say "end of the body" to the reader.
    return ScriptedReply(status, reason, pairs, tuple(part for part in parts if part), error, http_version)


def cut(why: str = "connection reset by peer") -> APIConnectionError:
    """The error of a body that breaks off: `reply(pieces=sse("Once upon", done=False), error=cut())`."""
    return _on_the_way(APIConnectionError(f"the scripted answer broke off: {why}"), "body")


class MemoryTransport(Transport):
    """Answers from a script, and keeps what it was asked.

    requests     every Request sent, in order; `json(i)` is the body of one of them, decoded
    timeouts     (connect, read) in seconds, as each was sent with
    sleeps       every wait between attempts, in seconds: recorded, not slept
    now_s        a clock that only sleeping moves; `clock()` reads it
    drains, closes   how many responses were drained, and how many closed
    """

    name = "memory"

    def __init__(self, replies: Script = ()) -> None:
        if isinstance(replies, (dict, str, bytes, ScriptedReply)):
            raise TypeError(
                f"a script is a list of replies, or a callable that gives them; put the {_kind(replies)} in a list"
            )
        self.requests: List[Request] = []
        self.timeouts: List[Tuple[Optional[float], Optional[float]]] = []
        self.sleeps: List[float] = []
        self.responses: List[MemoryResponse] = []
        self.now_s = 0.0
        self._answer = replies if callable(replies) else None
        self._left: List[Scripted] = [] if callable(replies) else list(replies)
        self._length = len(self._left)

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """The next reply of the script. AssertionError if there is none left: a test asked for more than it planned."""
        self.requests.append(request)
        self.timeouts.append((connect_timeout_s, read_timeout_s))
        scripted = self._next(request)
        if isinstance(scripted, Exception):
            raise _as_door_error(scripted, "head")
        response = MemoryResponse(_as_reply(scripted))
        self.responses.append(response)
        return response

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        self.sleeps.append(seconds)
        self.now_s += seconds

    def clock(self) -> float:
        """Seconds, moved by sleeping only; to be given wherever a clock is an argument."""
        return self.now_s

    def close(self) -> None:
        """Nothing is open."""

    def json(self, number: int) -> Any:
        """The body of request `number` (from 0; -1 is the last), decoded."""
        return json.loads(self.requests[number].body)

    @property
    def drains(self) -> int:
        return sum(response.drained for response in self.responses)

    @property
    def closes(self) -> int:
        return sum(response.closed for response in self.responses)

    def assert_done(self) -> None:
        """AssertionError unless the script was used up, and every response closed or read to its end."""
        if self._left:
            raise AssertionError(f"{len(self._left)} of {self._length} scripted replies were not asked for")
        left_open = [
            number for number, response in enumerate(self.responses) if not (response.closed or response.ended)
        ]
        if left_open:
            raise AssertionError(
                f"left open, neither closed nor read to the end: {left_open} of the responses (from 0)"
            )

    def _next(self, request: Request) -> Scripted:
        if self._answer is not None:
            return self._answer(request)
        try:
            return self._left.pop(0)
        except IndexError:
            raise AssertionError(
                f"no reply left for request {len(self.requests)}, {request.method} {redact_text(request.url)}: "
                f"the script holds {self._length}"
            ) from None


class MemoryResponse(Response):
    """One scripted answer: a piece per read, then its error or its end."""

    def __init__(self, scripted: ScriptedReply) -> None:
        self.head = ResponseHead(
            scripted.status, scripted.reason, Headers(scripted.headers), http_version=scripted.http_version
        )
        self.read_timeout_s: Optional[float] = None
        self.ended = False
        self.drained = False
        self.closed = False
        self._pieces = list(scripted.pieces)
        self._error = scripted.error
        self._stopped = ""

    def read_some(self) -> bytes:
        if self.ended:
            return b""
        if self._stopped:
            raise _on_the_way(APIConnectionError(f"the scripted answer was {self._stopped}"), "body")
        if self._pieces:
            return self._pieces.pop(0)
        if self._error is not None:
            self.close()
            raise _as_door_error(self._error, "body")
        self.ended = True
        return b""

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self.read_timeout_s = seconds

    def drain(self, limit_s: float) -> bool:
        self.drained = True
        try:
            self.read()
        except APIConnectionError:
            return False  # as a real door: the rest does not matter
        return True

    def cancel(self) -> None:
        self._stopped = self._stopped or "cancelled"

    def close(self) -> None:
        self.closed = True
        self._stopped = self._stopped or "closed"


def _as_reply(scripted: Any) -> ScriptedReply:
    if isinstance(scripted, ScriptedReply):
        return scripted
    if isinstance(scripted, (list, tuple)):
        return reply(pieces=sse(*scripted, done="[DONE]" not in scripted))
    if isinstance(scripted, (dict, str, bytes)):
        return reply(body=scripted)
    raise TypeError(f"a script holds dicts, str, bytes, lists, reply(...) or exceptions, not {_kind(scripted)}")


def _as_door_error(error: Exception, phase: str) -> Exception:
    """What a real door would raise: ours as they are, timeouts and other OSErrors translated; all else is untouched."""
    if isinstance(error, APIConnectionError):
        return _on_the_way(error, error.phase or phase)
    if not isinstance(error, OSError):
        return error
    # Before Python 3.10 `socket.timeout` was a class of its own.
    timeout = isinstance(error, TimeoutError) or _kind(error) == "timeout"
    kind = APITimeoutError if timeout else APIConnectionError
    translated = _on_the_way(kind(redact_text(f"the scripted server failed: {str(error) or _kind(error)}")), phase)
    translated.__cause__ = error
    return translated


def _on_the_way(error: APIConnectionError, phase: str) -> APIConnectionError:
    error.phase = phase
    return error


def _event(chunk: Piece) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, str):
        if chunk == "[DONE]":
            return b"data: [DONE]\n\n"
        chunk = {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": {"content": chunk}, "finish_reason": None}],
        }
    return b"data: " + _body(chunk) + b"\n\n"


def _body(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8")
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _kind(value: Any) -> str:
    return type(value).__name__
