"""What a call does, told to listeners and to the log; and what it costs, counted by its bill.

    sender = TellingSender(transport, [listener], cost_tracker)
    sender.whole(call)      Sending, Received, Chunked, Done; the reply knows its cost

A client has such a sender where this room is there, and asks nothing of it that a plain Sender does not do.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Optional, Tuple

from .protocol.call import Call
from .protocol.errors import APIError
from .protocol.events import Chunked, Done, Failed, Listener, Received, Sending, Waiting, WireEvent
from .protocol.optional import left_out
from .protocol.payload import encode_payload
from .protocol.reply import Reply
from .protocol.retry import Wait
from .protocol.wire import Request
from .sender import Sender
from .settings import USAGE
from .transport.base import Response, Transport

if TYPE_CHECKING:
    from .bill import Bill
    from .protocol.tracker import CostTracker


class Teller:
    """What the sync and the async loop share."""

    def __init__(self, listeners: Iterable[Listener], cost_tracker: Optional[CostTracker]) -> None:
        self.listeners = list(listeners)  # those that were given, and the log while somebody reads it
        self.cost_tracker = cost_tracker
        self.refused: Dict[str, Any] = {}  # options of ours that the server refuses -> what it takes
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

    def mind_usage(self, call: Call) -> None:
        """Not every server takes the stream_options that we send of our own accord; one is asked that takes them."""
        payload = call.payload or {}
        if payload.get("stream_options") is USAGE:
            if "stream_options" in self.refused:
                del payload["stream_options"]
                call.body = encode_payload(payload)
            else:
                call.instead["stream_options"] = [None]

    def next_request(self, call: Call, transport: str) -> Request:
        request = call.next_request()
        if self._log is not None:
            self._log.attend(self.listeners)
        self.tell(Sending, call, request, transport)
        return request

    def next_wait(self, call: Call, error: APIError, *, last: bool) -> Wait:
        try:
            wait = Sender.next_wait(call, error, last=last)
        except APIError as final:
            self.tell(Failed, call, final, True)
            raise
        if "stream_options" in call.refused:
            self.refused["stream_options"] = None
        self.tell(Failed, call, error, False)
        self.tell(Waiting, call, wait.seconds, wait.why)
        return wait


class TellingSender(Teller, Sender):
    """A Sender that tells of each of its steps. Safe to share between threads."""

    def __init__(
        self, transport: Transport, listeners: Iterable[Listener] = (), cost_tracker: Optional[CostTracker] = None
    ) -> None:
        super().__init__(listeners, cost_tracker)
        self.transport = transport

    def whole(self, call: Call, required: str = "choices") -> Reply:
        bill, reply = self.bill(call), None
        try:
            reply = Sender.whole(self, call, required)
        finally:
            if bill is not None:
                bill.close(reply)
        self.tell(Done, call, reply, reply.cost, reply.complete)
        return reply

    def begin(self, call: Call) -> Callable[..., None]:
        """Raises BudgetExceeded or UnknownPrice."""
        self.mind_usage(call)
        bill = self.bill(call)

        def end(reply: Optional[Reply], failed: bool = False) -> None:
            if bill is not None:  # where nothing arrived, nothing is to be paid
                bill.close(reply if reply and reply.get("choices") else None, broken=failed)
            if reply is not None and not failed:
                self.tell(Done, call, reply, reply.cost, reply.complete)

        return end

    def attempt(self, call: Call) -> Response:
        response = Sender.attempt(self, call)
        try:
            self.tell(Received, call, response.head)
        except BaseException:  # a listener's: whatever happens, no connection stays open
            response.close()
            raise
        return response

    def hearer(self, call: Call) -> Callable[[bytes], object]:
        listeners = self.listeners

        def hear(data: bytes) -> None:
            if data and listeners:
                self.tell(Chunked, call, data)

        return hear
