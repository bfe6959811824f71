"""The async loop: sends a call until an answer is there or nothing more helps; and the limiter of how many go at once.

    slot -> send -> 429 -> wait 2 s -> send -> 200 -> slot free

The steps are those of `sender.py`, awaited; every decision is made below, in `protocol/call.py`. Parses nothing, prints
nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Deque, Dict, Iterable, List, Optional, Tuple, Union

from .protocol.call import Call
from .protocol.errors import APIConnectionError, APIError, PayloadError
from .protocol.events import Chunked, Done, Listener, Received
from .protocol.optional import optional
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.status import tell_head
from .telling import Teller
from .transport.async_base import AsyncResponse, AsyncTransport, InlineTransport
from .transport.base import Transport

if TYPE_CHECKING:
    from .protocol.tracker import CostTracker

AsyncApiKey = Union[str, Callable[[], Union[str, Awaitable[str]]], None]
AnyTransport = Union[AsyncTransport, Transport, str, None]


class AsyncSender(Teller):
    """An async transport with its listeners, its tracker, its key and its limiter: all that driving a call needs."""

    def __init__(
        self,
        transport: AsyncTransport,
        listeners: Iterable[Listener] = (),
        cost_tracker: Optional[CostTracker] = None,
        *,
        limiter: CallLimiter,
        key: Optional[KeySource] = None,
    ) -> None:
        super().__init__(listeners, cost_tracker)
        self.transport = transport
        self.limiter = limiter
        self.key = key

    async def whole(self, make_call: Callable[[], Call], required: str = "choices") -> Reply:
        """Drive a call to its whole answer. It is made, and its deadline begins, when there is a place for it."""
        async with self.limiter:
            call = make_call()
            started_s = time.monotonic()
            bill, reply = self.bill(call), None
            try:
                while reply is None:
                    try:
                        reply = await self._attempt(call, required)
                    except APIError as error:
                        await self.again_or_raise(call, error)
                reply.elapsed_s = time.monotonic() - started_s
            finally:
                if bill is not None:
                    bill.close(reply)
        self.tell(Done, call, reply, reply.cost, reply.complete)
        return reply

    async def _attempt(self, call: Call, required: str) -> Reply:
        response = await self._send(call)
        try:
            return call.read_whole(response.head, await self.read(call, response), required)
        finally:
            response.close()

    async def open(self, call: Call) -> AsyncResponse:
        """Send until an answer with a good status is there; the body is the caller's to read."""
        while True:
            try:
                return await self._send(call)
            except APIError as error:
                await self.again_or_raise(call, error)

    async def _send(self, call: Call) -> AsyncResponse:
        """One attempt up to the head of a success. Any other status becomes its error, the body read for it."""
        if self.key is not None:
            await self.key.ask()  # nothing is awaited between this and the request that uses it
        connect_s, read_s = call.timeouts(time.monotonic())
        request = self.next_request(call, self.transport.name)
        response = await self.transport.send(request, connect_timeout_s=connect_s, read_timeout_s=read_s)
        head = response.head
        try:
            self.tell(Received, call, head)
            if not 200 <= head.status < 300:
                raise call.status_error(head, await self.read(call, response), time.time())
        except BaseException:  # a listener's, or being cancelled: whatever happens, no connection stays open
            response.close()
            raise
        return response

    async def read(self, call: Call, response: AsyncResponse) -> bytes:
        """The whole body, each wait bounded by the deadline."""
        pieces: List[bytes] = []
        limits, head = call.limits, response.head
        try:
            while True:
                if limits.deadline_s is not None:
                    response.set_read_timeout(limits.bounded(limits.read_s, time.monotonic()))
                piece = await response.read_some()
                if not piece:
                    break
                pieces.append(piece)
                self.tell(Chunked, call, piece)
        except APIConnectionError as error:
            # An error's status decides; a body that breaks off must hide neither it nor what had been said by then.
            if 200 <= head.status < 300:
                tell_head(error, head.status, head.headers)
                raise
        return b"".join(pieces)

    async def again_or_raise(
        self, call: Call, error: APIError, wake: Optional[asyncio.Event] = None, *, last: bool = False
    ) -> None:
        """Wait for the next attempt, or raise `error` where none is due. `wake` ends the wait early."""
        wait = self.next_wait(call, error, last=last)
        if wait.seconds > 0:
            await self.transport.sleep(wait.seconds, wake)


class CallLimiter:
    """At most `most` calls at once, the longest waiting first. Each event loop has places of its own.

    asyncio.Semaphore would not do: up to Python 3.9 it is bound to the loop that was there when it was made, and up to
    3.10 a newcomer may overtake those who wait.
    """

    def __init__(self, most: int) -> None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise PayloadError(f"max_concurrency must be a whole number from 1; got {most!r}")
        self.most = most
        self._queues: Dict[asyncio.AbstractEventLoop, _Queue] = {}

    async def acquire(self) -> None:
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            for closed in [each for each in self._queues if each.is_closed()]:
                del self._queues[closed]
            queue = self._queues[loop] = _Queue(self.most)
        await queue.acquire(loop)

    def release(self, loop: Optional[asyncio.AbstractEventLoop] = None) -> None:
        """Give a place back to `loop`, by default the running one."""
        queue = self._queues.get(loop or asyncio.get_running_loop())
        if queue is not None:
            queue.release()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()


class _Queue:
    """Places, and who waits for one. One that becomes free is handed to the first in line, never put up for grabs."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._line: Deque[asyncio.Future[None]] = deque()

    async def acquire(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._free:
            self._free -= 1
            return
        turn = loop.create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the place had just been handed over
                self.release()
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def release(self) -> None:
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class KeySource:
    """A key that must be asked for, perhaps awaited: `ask` before each attempt; a call gives the latest answer."""

    def __init__(self, ask: Callable[[], Union[str, Awaitable[str]]]) -> None:
        self._ask = ask
        self._key = ""

    async def ask(self) -> None:
        answer = self._ask()
        self._key = answer if isinstance(answer, str) else await answer

    def __call__(self) -> str:
        return self._key

    def __repr__(self) -> str:
        return "KeySource()"


def open_async_transport(transport: AnyTransport) -> Tuple[AsyncTransport, bool]:
    """(the door, whether it is ours to close). None: asyncio's own connections; `fetch` in a browser."""
    if isinstance(transport, AsyncTransport):
        return transport, False
    if transport is None or (isinstance(transport, str) and transport in _DOORS):
        return _DOORS[transport or ("pyodide" if sys.platform == "emscripten" else "asyncio")](), True
    if _never_waits(transport):
        assert isinstance(transport, Transport)
        return InlineTransport(transport), False
    raise PayloadError(
        'transport must be "asyncio", "pyodide", an AsyncTransport or a MemoryTransport, '
        f"not {redact_text(repr(transport))}: a door that blocks would stop every task of the event loop"
    )


def _asyncio_door() -> AsyncTransport:
    from .transport.asyncio_transport import AsyncioTransport

    return AsyncioTransport()


def _pyodide_door() -> AsyncTransport:
    with optional("pyodide"):
        from .transport.pyodide_transport import AsyncPyodideTransport

    try:
        return AsyncPyodideTransport()
    except ImportError as error:
        raise PayloadError(str(error), path="transport") from error


_DOORS: Dict[str, Callable[[], AsyncTransport]] = {"asyncio": _asyncio_door, "pyodide": _pyodide_door}


def _never_waits(transport: Any) -> bool:
    try:
        from .transport.memory import MemoryTransport  # for tests: a program that has none of these need not load it
    except ImportError:
        return False
    return isinstance(transport, MemoryTransport)
