"""Records what one of our own clients sends and gets: a listener that turns WireEvents into exchanges.

    recording = Recording([CassetteWriter("calls.jsonl")], source="library")
    leave = client.listen(LibraryRecorder(recording))

    Sending   -> begin, a retry linked to the first attempt of its call
    Received  -> head          Chunked -> read          Waiting -> wait
    Failed    -> end: how it broke, as a key of exchange.ENDS
    Done      -> end: eof, or client_gone where the caller left a stream early

The layer is BODY: framing and content coding are undone before a listener hears of a read; the tap records those, too.
`cassette.record(client, path)` is this with a file. What becomes of the records is recording.py's part.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from ..protocol.errors import APIConnectionError, APITimeoutError, StreamInterrupted
from ..protocol.events import Chunked, Done, Failed, Received, Sending, Waiting, WireEvent
from ..protocol.wire import ResponseHead
from ..transport.requests_errors import names_in
from .exchange import BODY
from .recording import Recorder, Recording

_RESET_NAMES = frozenset(("ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"))


class LibraryRecorder:
    """A listener for one or several clients. Safe to share between threads. `close` ends what is still open."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._lock = threading.Lock()
        self._calls: Dict[int, _CallUnderWay] = {}
        self._closed = False

    def __call__(self, event: WireEvent) -> None:
        with self._lock:
            if not self._closed:
                _TAKERS[type(event)](self, event)

    def close(self) -> None:
        """Say of exchanges without an end that their recorder was stopped. What comes later is left aside."""
        with self._lock:
            self._closed = True
            for call in self._calls.values():
                call.recorder.end("stopped", at_s=time.monotonic(), whole=False)
            self._calls.clear()

    def _sending(self, event: Sending) -> None:
        before = self._calls.get(event.call)
        recorder = self.recording.begin(
            event.request,
            at_s=event.at_s,
            layer=BODY,
            call=before.first if before else None,
            attempt=event.attempt,
        )
        self._calls[event.call] = _CallUnderWay(recorder, before.first if before else recorder.number)

    def _received(self, event: Received) -> None:
        call = self._calls.get(event.call)
        if call is not None:  # else the recorder came while the call was under way
            call.recorder.head(event.head, at_s=event.at_s)

    def _chunked(self, event: Chunked) -> None:
        call = self._calls.get(event.call)
        if call is not None:
            call.recorder.read(event.data, at_s=event.at_s)

    def _failed(self, event: Failed) -> None:
        call = self._calls.get(event.call)
        if call is None:
            return
        how, whole, detail = how_it_ended(event.error)
        if whole and is_short(call.recorder):
            whole, detail = False, "fewer bytes than Content-Length says"
        call.recorder.end(how, at_s=event.at_s, whole=whole, detail=detail)
        if event.final:
            del self._calls[event.call]

    def _waiting(self, event: Waiting) -> None:
        call = self._calls.get(event.call)
        if call is not None:
            call.recorder.wait(event.wait_s, event.why, at_s=event.at_s)

    def _done(self, event: Done) -> None:
        call = self._calls.pop(event.call, None)
        if call is not None:
            how = "eof" if event.whole else "client_gone"
            call.recorder.end(how, at_s=event.at_s, whole=event.whole)


class _CallUnderWay(NamedTuple):
    recorder: Recorder  # of the latest attempt
    first: int  # the number of the first attempt's exchange


_TAKERS: Mapping[type, Callable[[LibraryRecorder, Any], None]] = {
    Sending: LibraryRecorder._sending,
    Received: LibraryRecorder._received,
    Chunked: LibraryRecorder._chunked,
    Waiting: LibraryRecorder._waiting,
    Failed: LibraryRecorder._failed,
    Done: LibraryRecorder._done,
}


def how_it_ended(error: Exception) -> Tuple[str, bool, str]:
    """(how, whole, detail) of an attempt that failed with `error`.

    An error status, or a 200 that is no completion, came whole; so did a stream whose HTTP is in order and whose last
    event is missing: what is wrong with it stands in the body.
    """
    if not isinstance(error, APIConnectionError):
        return "eof", True, ""
    if isinstance(error, StreamInterrupted) and error.__cause__ is None:
        return "eof", True, ""
    cause = error.__cause__
    # What the door said, without what the client adds about the text so far: a replay comes to that by itself.
    detail = cause.message if isinstance(cause, APIConnectionError) else error.message
    if isinstance(error, APITimeoutError):
        return "timeout", False, detail
    if error.phase == "connect":
        return "unreachable", False, detail
    names = names_in(error)
    # http.client's RemoteDisconnected, a close in good order, is a kind of ConnectionResetError.
    reset = names & _RESET_NAMES and "RemoteDisconnected" not in names
    return ("reset" if reset else "eof"), False, detail


def is_short(recorder: Recorder) -> bool:
    """Whether the body has fewer bytes than its Content-Length, where that counts the same bytes.

    A client that reads an error's body takes what it can get, and tells its listeners of the status alone.
    """
    exchange = recorder.exchange
    head: Optional[ResponseHead] = exchange.head
    if head is None or exchange.request.method == "HEAD" or "content-encoding" in head.headers:
        return False
    length = head.headers.get("content-length", "")
    came = sum(len(piece.data) for piece in exchange.pieces)
    return length.isascii() and length.isdigit() and came + recorder.held_bytes < int(length)
