"""The door to the network for programs that await: what an async transport must offer; and a sync door in its place.

    response = await transport.send(Request("POST", url, headers, body), connect_timeout_s=5, read_timeout_s=600)
    response.head.status, response.head.headers
    while piece := await response.read_some(): ...
    await response.drain(0.25)
    response.close()                             # at once, without waiting: so cancelling a task ends it

The rules are those of `transport/base.py`, and so are the errors. Imports asyncio only where it waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ..protocol.wire import Request, ResponseHead
from .base import Response, Transport

if TYPE_CHECKING:
    import asyncio


class AsyncResponse:
    """One answer whose body is still on its way. Used by one task at a time."""

    head: ResponseHead

    async def read_some(self) -> bytes:
        """The next bytes as soon as there are any; b"" at the end. Raises as `Response.read_some` does."""
        raise NotImplementedError

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        """How long the next read may wait in silence."""
        raise NotImplementedError

    async def drain(self, limit_s: float) -> bool:
        """Read and drop what is left, for at most `limit_s` seconds; True if the connection can be used again.

        Never raises but for being cancelled.
        """
        raise NotImplementedError

    def cancel(self) -> None:
        """End the transfer now; a waiting `read_some` wakes up with APIConnectionError."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go. Safe to call twice. A body not read to its end costs the connection."""
        raise NotImplementedError


class AsyncTransport:
    """A door for event loops: any number of tasks may use it, and one loop after another."""

    name = ""

    async def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> AsyncResponse:
        """Send `request` once and return when the head of the answer is here. None means no timeout."""
        raise NotImplementedError

    async def sleep(self, seconds: float, wake: Optional[asyncio.Event] = None) -> None:
        """Wait between two attempts; `wake`, once set, ends the wait."""
        import asyncio

        if wake is None:
            await asyncio.sleep(seconds)
            return
        waking = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait({waking}, timeout=seconds)
        finally:
            waking.cancel()

    async def aclose(self) -> None:
        """Close every idle connection."""


class InlineTransport(AsyncTransport):
    """A sync door that never waits, such as MemoryTransport, used from an event loop. `inner` is that door.

    One that waits (RequestsTransport) would stop every task of the loop for as long as it does.
    """

    def __init__(self, inner: Transport) -> None:
        self.inner = inner
        self.name = inner.name

    async def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> AsyncResponse:
        return _InlineResponse(
            self.inner.send(request, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)
        )

    async def sleep(self, seconds: float, wake: Optional[asyncio.Event] = None) -> None:
        self.inner.sleep(seconds)

    async def aclose(self) -> None:
        self.inner.close()


class _InlineResponse(AsyncResponse):
    def __init__(self, inner: Response) -> None:
        self.head = inner.head
        self._inner = inner

    async def read_some(self) -> bytes:
        return self._inner.read_some()

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self._inner.set_read_timeout(seconds)

    async def drain(self, limit_s: float) -> bool:
        return self._inner.drain(limit_s)

    def cancel(self) -> None:
        self._inner.cancel()

    def close(self) -> None:
        self._inner.close()
