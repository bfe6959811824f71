"""The sync loop: sends a call until an answer is there or nothing more helps, waiting in between.

    send -> 429 -> wait 2 s -> send -> 200   each attempt tells its story in WireEvents
    send -> 401                              raised at once

`protocol/call.py` decides; here are the order of steps, the clock and the dice.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Tuple, TypeVar, Union

from .protocol.call import Call
from .protocol.errors import APIConnectionError, APIError, NotInThisCopy, PayloadError
from .protocol.optional import left_out, optional
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.retry import Wait
from .protocol.status import tell_head
from .protocol.wire import Chunked, Done, Failed, Listener, Received, Request, Sending, Waiting, WireEvent
from .transport.base import Response, Transport

if TYPE_CHECKING:
    import threading

    from .bill import Bill
    from .protocol.tracker import CostTracker

Answer = TypeVar("Answer", Reply, Response)


class Teller:
    """What the sync and the async loop share."""

    def __init__(self, listeners: Iterable[Listener], cost_tracker: Optional[CostTracker]) -> None:
        self.listeners = list(listeners)  # those that were given, and the log while somebody reads it
        self.cost_tracker = cost_tracker
        self._log: Any = None
        with suppress(ImportError):
            from .log import own_log

            self._log = own_log(self.listeners)
        self._make_bill: Optional[Callable[..., Bill]] = None
        with suppress(ImportError):
            from .bill import Bill

            self._make_bill = Bill
        if cost_tracker is not None and self._make_bill is None:
            raise left_out("cost")
        # Learned from refusals.
        self.stream_options_refused = False
        self.embedding_format: Optional[str] = "base64"  # None: none is asked for

    @property
    def given(self) -> Tuple[Listener, ...]:
        return tuple(one for one in self.listeners if one is not self._log)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """What comes back takes it away again."""
        self.listeners.append(listener)  # a single step, as remove is: threads need no lock
        due = [listener]

        def remove() -> None:
            while due:
                self.listeners.remove(due.pop())

        return remove

    def tell(self, kind: Callable[..., WireEvent], call: Call, *facts: Any) -> None:
        if self.listeners:
            event = kind(time.monotonic(), call.number, call.attempt, *facts)
            for listener in tuple(self.listeners):
                listener(event)

    def bill(self, call: Call) -> Optional[Bill]:
        """Raises BudgetExceeded or UnknownPrice. None where there is no `cost`."""
        return self._make_bill(self.cost_tracker, call) if self._make_bill else None

    def next_request(self, call: Call, transport: str) -> Request:
        request = call.next_request()
        if self._log is not None:
            self._log.attend(self.listeners)
        self.tell(Sending, call, request, transport)
        return request

    def next_wait(self, call: Call, error: APIError, *, last: bool) -> Wait:
        dice = int.from_bytes(os.urandom(4), "big") / 2**32  # the import of `random` costs more than a whole call
        now_s = time.monotonic()
        error = call.limits.sharpen(error, now_s)
        call.complete(error)
        wait = None if last else call.after(error, now_s=now_s, dice=dice)
        self.stream_options_refused |= "stream_options" in call.refused
        self.tell(Failed, call, error, wait is None)
        if wait is None:
            raise error
        self.tell(Waiting, call, wait.seconds, wait.why)
        return wait


class Sender(Teller):
    """All that driving a call needs. Safe to share between threads."""

    def __init__(
        self, transport: Transport, listeners: Iterable[Listener] = (), cost_tracker: Optional[CostTracker] = None
    ) -> None:
        super().__init__(listeners, cost_tracker)
        self.transport = transport

    def whole(self, call: Call, required: str = "choices") -> Reply:
        """Drive a call to its whole answer."""
        started_s = time.monotonic()
        bill = self.bill(call)
        reply: Optional[Reply] = None
        try:
            reply = self._until_good(call, lambda: self._attempt(call, required))
            reply.elapsed_s = time.monotonic() - started_s
        finally:
            if bill is not None:
                bill.close(reply)
        self.tell(Done, call, reply, reply.cost, reply.complete)
        return reply

    def open(self, call: Call) -> Response:
        """Send until there is an answer with a good status; its body is still to be read."""
        return self._until_good(call, lambda: self._send(call))

    def _until_good(self, call: Call, attempt: Callable[[], Answer]) -> Answer:
        while True:
            try:
                return attempt()
            except APIError as error:
                self.again_or_raise(call, error)

    def _attempt(self, call: Call, required: str) -> Reply:
        response = self._send(call)
        try:
            return call.read_whole(response.head, self.read(call, response), required)
        finally:
            response.close()

    def _send(self, call: Call) -> Response:
        """One attempt up to the head of a success; any other status is raised as its error."""
        connect_s, read_s = call.timeouts(time.monotonic())
        request = self.next_request(call, self.transport.name)
        response = self.transport.send(request, connect_timeout_s=connect_s, read_timeout_s=read_s)
        head = response.head
        try:
            self.tell(Received, call, head)
            if not 200 <= head.status < 300:
                raise call.status_error(head, self.read(call, response), time.time())
        except BaseException:  # a listener's, too: whatever happens, no connection stays open
            response.close()
            raise
        return response

    def read(self, call: Call, response: Response) -> bytes:
        pieces: List[bytes] = []
        limits, head = call.limits, response.head
        try:
            while not pieces or pieces[-1]:
                if limits.deadline_s is not None:
                    response.set_read_timeout(limits.bounded(limits.read_s, time.monotonic()))
                pieces.append(response.read_some())
                if pieces[-1]:
                    self.tell(Chunked, call, pieces[-1])
        except APIConnectionError as error:
            # A break in an error's body must hide neither its status nor what had been said by then.
            if 200 <= head.status < 300:
                tell_head(error, head.status, head.headers)
                raise
        return b"".join(pieces)

    def again_or_raise(
        self, call: Call, error: APIError, wake: Optional[threading.Event] = None, *, last: bool = False
    ) -> None:
        """Wait for the next attempt, or raise `error`. `wake` ends the wait."""
        wait = self.next_wait(call, error, last=last)
        if wait.seconds > 0:
            self.transport.sleep(wait.seconds, wake)


def open_transport(transport: Union[Transport, str, None]) -> Tuple[Transport, bool]:
    """(the door, whether it is ours to close). None: `requests` if it is installed, else the standard library's; in a
    browser, `fetch`. Raises PayloadError for what is no door, or none that can be had here.
    """
    if isinstance(transport, Transport):
        return transport, False
    default = "pyodide" if sys.platform == "emscripten" else "requests"
    name = default if transport is None else transport
    if name not in tuple(_DOORS):  # whatever it is, it may not be hashable
        shown = redact_text(repr(transport))
        raise PayloadError(f'transport must be "requests", "stdlib", "pyodide" or a Transport, not {shown}')
    try:
        return _DOORS[name](), True
    except ImportError as error:
        # Only where there is none: one that is there and broken is for its owner to know of.
        if transport is None and "requests" in (error.name, getattr(error, "feature", "")):
            return _stdlib(), True
        if isinstance(error, NotInThisCopy):
            raise
        raise PayloadError(str(error), path="transport") from error


def _requests() -> Transport:
    with optional("requests"):
        from .transport.requests_transport import RequestsTransport
    return RequestsTransport()


def _pyodide() -> Transport:
    with optional("pyodide"):
        from .transport.pyodide_transport import PyodideTransport
    return PyodideTransport()


def _stdlib() -> Transport:
    from .transport.stdlib_transport import StdlibTransport

    return StdlibTransport()


_DOORS: Dict[str, Callable[[], Transport]] = {"requests": _requests, "stdlib": _stdlib, "pyodide": _pyodide}
