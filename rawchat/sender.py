"""The sync loop: sends a call until an answer is there or nothing more helps, waiting in between.

    send -> 200                              the answer is read
    send -> 429 -> wait 2 s -> send -> 200   each attempt tells its story in WireEvents
    send -> 401                              raised at once

Every decision is made below, in `protocol/call.py`; what is left here is the order of steps, the clock and the dice.
The async client has a loop of its own with the same steps.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Dict, Iterable, List, Optional, Tuple, Union

from .protocol.call import Call
from .protocol.errors import APIConnectionError, APIError, NotInThisCopy, PayloadError, UnknownPriceWarning
from .protocol.optional import optional
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.retry import Wait
from .protocol.wire import Chunked, Done, Failed, Listener, Received, Request, Sending, Waiting, WireEvent, is_kept
from .transport.base import Response, Transport

if TYPE_CHECKING:
    import threading

    from .log import LogListener
    from .protocol.tracker import CostTracker, Reservation


class Teller:
    """What the loops of the sync and the async client share: the story for the listeners, the word on trying again."""

    def __init__(self, listeners: Iterable[Listener], cost_tracker: Optional[CostTracker]) -> None:
        self.listeners = tuple(listeners)  # and the log's, while somebody reads the log
        self._log: Optional[LogListener] = None
        try:
            from .log import LogListener, own_log
        except ImportError:  # a copy that was made without a log
            pass
        else:
            if not any(isinstance(one, LogListener) for one in self.listeners):
                self._log = own_log()
        self.cost_tracker = cost_tracker
        # Learned from refusals, so that later calls don't pay an extra round trip.
        self.stream_options_refused = False
        self.embedding_format: Optional[str] = "base64"  # None: none is asked for
        from threading import Lock  # at first use, as in stream.py: importing the client stays quick

        self._listening = Lock()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener, from the next event on. The function given back takes it away again; twice does no harm."""
        with self._listening:
            self.listeners = (*self.listeners, listener)
        due = [listener]

        def remove() -> None:
            with self._listening:
                left = list(self.listeners)
                while due:
                    left.remove(due.pop())
                self.listeners = tuple(left)

        return remove

    @property
    def given(self) -> Tuple[Listener, ...]:
        """The listeners that the client was given."""
        return tuple(one for one in self.listeners if one is not self._log)

    def next_wait(self, call: Call, error: APIError) -> Wait:
        """The wait before the next attempt; raises `error` where none is due. Tells the listeners which it is."""
        # A throw of the dice without `random`, whose import costs more than a whole call.
        dice = int.from_bytes(os.urandom(4), "big") / 2**32
        wait = call.after(error, now_s=time.monotonic(), unix_s=time.time(), dice=dice)
        if call.usage_refused:
            self.stream_options_refused = True
        self.emit_failed(call, error, final=wait is None)
        if wait is None:
            raise error
        if self.listeners:
            self.emit(Waiting(time.monotonic(), call.number, call.attempt, wait.seconds, wait.why))
        return wait

    def emit_sending(self, call: Call, request: Request, transport: str) -> None:
        """An attempt goes out. Whether its log is wanted is asked here, for many a program sets logging up late."""
        log = self._log
        if log is not None and log.wanted() != (log in self.listeners):
            with self._listening:
                self.listeners = (*self.given, log) if log.wanted() else self.given
        if self.listeners:
            self.emit(Sending(time.monotonic(), call.number, call.attempt, request, transport))

    def emit(self, event: WireEvent) -> None:
        for listener in self.listeners:
            listener(event)

    def emit_failed(self, call: Call, error: APIError, *, final: bool) -> None:
        call.complete(error)
        if self.listeners:
            self.emit(Failed(time.monotonic(), call.number, call.attempt, error, final))

    def emit_done(self, call: Call, reply: Reply) -> None:
        if self.listeners:
            self.emit(Done(time.monotonic(), call.number, call.attempt, reply, reply.cost, reply.complete))


class Sender(Teller):
    """A transport with its listeners and its tracker: all that driving a call needs. Safe to share between threads."""

    def __init__(
        self, transport: Transport, listeners: Iterable[Listener] = (), cost_tracker: Optional[CostTracker] = None
    ) -> None:
        super().__init__(listeners, cost_tracker)
        self.transport = transport

    def whole(self, call: Call, required: str = "choices") -> Reply:
        """Drive a call to its whole answer."""
        started_s = time.monotonic()
        bill = Bill(self.cost_tracker, call)
        try:
            while True:
                try:
                    reply = self._attempt(call, required)
                    break
                except APIError as error:
                    self.again_or_raise(call, error)
            reply.elapsed_s = time.monotonic() - started_s
            bill.settle(reply)
        finally:
            bill.release()
        self.emit_done(call, reply)
        return reply

    def _attempt(self, call: Call, required: str) -> Reply:
        response = self._send(call)
        try:
            return call.read_whole(response.head, self._read(call, response), required)
        finally:
            response.close()

    def open(self, call: Call) -> Response:
        """Send until an answer with a good status is there; the body is the caller's to read."""
        while True:
            try:
                return self._send(call)
            except APIError as error:
                self.again_or_raise(call, error)

    def _send(self, call: Call) -> Response:
        """One attempt up to the head of a success. Any other status becomes its error, the body read for it."""
        connect_s, read_s = call.timeouts(time.monotonic())
        request = call.next_request()
        self.emit_sending(call, request, self.transport.name)
        try:
            response = self.transport.send(request, connect_timeout_s=connect_s, read_timeout_s=read_s)
        except APIConnectionError as error:
            raise call.limits.sharpen(error, time.monotonic()) from error.__cause__
        try:
            if self.listeners:
                self.emit(Received(time.monotonic(), call.number, call.attempt, response.head))
            if 200 <= response.head.status < 300:
                return response
            raise self._status_error(call, response)
        except BaseException:  # a listener's, too: whatever happens, no connection stays open
            response.close()
            raise

    def _status_error(self, call: Call, response: Response) -> APIError:
        pieces: List[bytes] = []
        # The status decides; a body that breaks off must hide neither it nor what the server had said by then.
        with contextlib.suppress(APIConnectionError):
            self._read_into(pieces, call, response)
        return call.status_error(response.head, b"".join(pieces), time.time())

    def _read(self, call: Call, response: Response) -> bytes:
        """The whole body."""
        pieces: List[bytes] = []
        try:
            self._read_into(pieces, call, response)
        except APIConnectionError as error:
            sharper = call.limits.sharpen(error, time.monotonic())
            call.struck_inside(sharper, response.head)
            raise sharper from error.__cause__
        return b"".join(pieces)

    def _read_into(self, pieces: List[bytes], call: Call, response: Response) -> None:
        """Add the body to `pieces`, read by read, each wait bounded by the deadline."""
        while True:
            if call.limits.deadline_at_s is not None:
                response.set_read_timeout(call.limits.bounded(call.limits.read_s, time.monotonic()))
            piece = response.read_some()
            if not piece:
                return
            pieces.append(piece)
            if self.listeners:
                self.emit(Chunked(time.monotonic(), call.number, call.attempt, piece))

    def again_or_raise(self, call: Call, error: APIError, wake: Optional[threading.Event] = None) -> None:
        """Wait for the next attempt, or raise `error` where none is due. `wake` ends the wait early."""
        wait = self.next_wait(call, error)
        if wait.seconds > 0:
            self.transport.sleep(wait.seconds, wake)


class Bill:
    """What one call costs: reserved before sending where there is a budget, then settled by its reply or released."""

    def __init__(self, tracker: Optional[CostTracker], call: Call) -> None:
        """Raises BudgetExceeded or UnknownPrice before anything is sent."""
        self._model = call.model
        self._tracker = tracker
        self._reservation: Optional[Reservation] = None
        if self._model and tracker is not None and tracker.budget_usd is not None:
            from .protocol.cost import rough_tokens

            prompt_tokens = rough_tokens(len(call.body))
            self._reservation = tracker.reserve(self._model, prompt_tokens, call.most_output_tokens())

    def settle_broken(self, reply: Reply) -> None:
        """Count what an answer that broke off brought, while its error is on its way."""
        # Where warnings are errors, the one about an unknown cost would take the place of the error that matters more.
        with suppress(UnknownPriceWarning):
            self.settle(reply)

    def settle(self, reply: Reply) -> None:
        """Count the reply, once, and note its cost on it."""
        if not self._model:
            return  # a list of models, an uploaded file: nothing that is paid by the token
        if is_kept(reply.headers):
            reply.cost = 0.0  # a cache of ours had it: it was paid, and counted, when it came
        elif self._tracker is None:
            from .protocol.cost import response_cost_usd

            reply.cost = response_cost_usd(reply, model=self._model)
        elif self._reservation is not None:
            reply.cost = self._tracker.settle(self._reservation, reply)
        else:
            reply.cost = self._tracker.record(reply, model=self._model)

    def release(self) -> None:
        """Free what is still reserved; does nothing once the bill is settled."""
        if self._reservation is not None and self._tracker is not None:
            self._tracker.release(self._reservation)


def open_transport(transport: Union[Transport, str, None]) -> Tuple[Transport, bool]:
    """(the door, whether it is ours to close). None: `requests` where it is installed, else the standard library's; in
    a browser, `fetch`.

    Raises PayloadError for a door that cannot be had here, and for what is no door.
    """
    if isinstance(transport, Transport):
        return transport, False
    if transport is not None and not (isinstance(transport, str) and transport in _DOORS):
        shown = redact_text(repr(transport))
        raise PayloadError(f'transport must be "requests", "stdlib", "pyodide" or a Transport, not {shown}')
    return _DOORS[transport](), True


def _requests_door() -> Transport:
    with optional("requests"):
        from .transport.requests_transport import RequestsTransport

    try:
        return RequestsTransport()
    except ImportError as error:
        raise PayloadError(str(error), path="transport") from error


def _stdlib_door() -> Transport:
    from .transport.stdlib_transport import StdlibTransport

    return StdlibTransport()


def _pyodide_door() -> Transport:
    with optional("pyodide"):
        from .transport.pyodide_transport import PyodideTransport

    try:
        return PyodideTransport()
    except ImportError as error:
        raise no_fetch(error) from error


def no_fetch(error: ImportError) -> PayloadError:
    return PayloadError(f'transport="pyodide" is for Python in a browser or in Node: {error}', path="transport")


def in_browser() -> bool:
    """Whether this Python was compiled to run inside JavaScript, where `fetch` is the only way out."""
    return sys.platform == "emscripten"


def _default_door() -> Transport:
    if in_browser():
        return _pyodide_door()
    try:
        return _requests_door()
    except NotInThisCopy:
        return _stdlib_door()
    except PayloadError as error:
        # Only where there is none: one that is there and broken is for its owner to know of.
        missing = error.__cause__ and error.__cause__.__cause__
        if isinstance(missing, ModuleNotFoundError) and missing.name == "requests":
            return _stdlib_door()
        raise


_DOORS: Dict[Optional[str], Callable[[], Transport]] = {
    None: _default_door,
    "requests": _requests_door,
    "stdlib": _stdlib_door,
    "pyodide": _pyodide_door,
}
