"""The sync loop: sends a call until an answer is there or nothing more helps, waiting in between.

    send -> 429 -> wait 2 s -> send -> 200
    send -> 401                              raised at once

`protocol/call.py` decides; here are the order of steps, the clock and the dice.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple, Union

from .protocol.call import Call
from .protocol.errors import APIConnectionError, APIError, PayloadError
from .protocol.optional import left_out
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.retry import Wait
from .protocol.status import tell_head
from .protocol.wire import Request
from .transport.base import Response, Transport

if TYPE_CHECKING:
    import threading


class Sender:
    """All that driving a call needs. Safe to share between threads."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def whole(self, call: Call, required: str = "choices") -> Reply:
        """Drive a call to its whole answer."""
        started_s = time.monotonic()
        while True:
            response = self.open(call)
            try:
                try:
                    reply = call.read_whole(response.head, self.read(call, response), required)
                finally:
                    response.close()
                reply.elapsed_s = time.monotonic() - started_s
                return reply
            except APIError as error:
                self.again_or_raise(call, error)

    def begin(self, call: Call) -> Callable[..., None]:
        """What a stream calls when it is over, with its reply."""
        return lambda reply, failed=False: None

    def open(self, call: Call) -> Response:
        """Send until there is an answer with a good status; its body is still to be read."""
        while True:
            try:
                response = self.attempt(call)
                head = response.head
                if 200 <= head.status < 300:
                    return response
                with closing(response):
                    raise call.status_error(head, self.read(call, response), time.time())
            except APIError as error:
                self.again_or_raise(call, error)

    def attempt(self, call: Call) -> Response:
        """One attempt, up to the head of its answer."""
        connect_s, read_s = call.timeouts(time.monotonic())
        request = self.next_request(call, self.transport.name)
        return self.transport.send(request, connect_timeout_s=connect_s, read_timeout_s=read_s)

    def next_request(self, call: Call, transport: str) -> Request:
        return call.next_request()

    def read(self, call: Call, response: Response) -> bytes:
        pieces: List[bytes] = []
        limits, head = call.limits, response.head
        hear = self.hearer(call)
        try:
            while not pieces or pieces[-1]:
                if limits.deadline_s is not None:
                    response.set_read_timeout(limits.bounded(limits.read_s, time.monotonic()))
                pieces.append(response.read_some())
                hear(pieces[-1])
        except APIConnectionError as error:
            # A break in an error's body must hide neither its status nor what had been said by then.
            if 200 <= head.status < 300:
                tell_head(error, head.status, head.headers)
                raise
        return b"".join(pieces)

    def hearer(self, call: Call) -> Callable[[bytes], object]:
        """What is to be called with each read of a body."""
        return lambda data: None

    def again_or_raise(
        self, call: Call, error: APIError, wake: Optional[threading.Event] = None, *, last: bool = False
    ) -> None:
        """Wait for the next attempt, or raise `error`. `wake` ends the wait."""
        wait = self.next_wait(call, error, last=last)
        if wait.seconds > 0:
            self.transport.sleep(wait.seconds, wake)

    @staticmethod
    def next_wait(call: Call, error: APIError, *, last: bool) -> Wait:
        dice = int.from_bytes(os.urandom(4), "big") / 2**32  # the import of `random` costs more than a whole call
        now_s = time.monotonic()
        error = call.limits.sharpen(error, now_s)
        call.complete(error)
        wait = None if last else call.after(error, now_s=now_s, dice=dice)
        if wait is None:
            raise error
        return wait


def open_transport(transport: Union[Transport, str, None]) -> Tuple[Transport, bool]:
    """(the door, whether it is ours to close). Raises PayloadError for what is no door, or none to be had here."""
    if isinstance(transport, Transport):
        return transport, False
    try:
        from .doors import door_named
    except ImportError:  # a copy with that of the standard library alone
        if transport in ("requests", "pyodide"):
            raise left_out(str(transport)) from None
        if transport not in (None, "stdlib"):
            shown = redact_text(repr(transport))
            raise PayloadError(f'transport must be "stdlib" or a Transport, not {shown}') from None
        from .transport.stdlib_transport import StdlibTransport

        return StdlibTransport(), True
    return door_named(transport), True
