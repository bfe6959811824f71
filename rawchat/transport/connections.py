"""Connections of an event loop: opened, through a proxy and with TLS where the route asks for it, kept, and given up.

    pool.take(route)                  an idle connection, or None
    await open_connection(...)        a new one: TCP; or CONNECT to a proxy, then TLS with the target itself
    connection.begin("POST")          expect an answer: `connection.reader` takes it
    await connection.wait(600)        until something of it has come
    connection.release()              back to the pool; or connection.abort()

Knows bytes and time, nothing of requests, retries or our errors: what it raises is the standard library's, or one of
`http1.py`'s, and `asyncio_transport.py` puts it into words.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any, AsyncGenerator, Dict, List, Optional

from ..protocol.optional import optional
from .failures import ProxyError
from .http1 import HTTP_FAILURES, ResponseReader
from .route import Origin, Route

_BUFFER_BYTES = 65536
# A reader that falls behind holds at most about this much of its answer in memory; the rest waits with the server.
_MOST_HELD_BYTES = 1 << 20
# How long to wait for one address of a host before the next is tried as well (RFC 8305, section 5).
_NEXT_ADDRESS_S = 0.25


class Pool:
    """The connections of one event loop, and the buffer they read into."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_idle: int) -> None:
        self.loop = loop
        # One for all: asyncio hands out the buffer and reports the bytes in it in one step, and we copy them at once.
        self.buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.watch = self._watch()
        self._most_idle = most_idle
        self._idle: Dict[Route, List[Connection]] = {}

    async def _watch(self) -> AsyncGenerator[None, None]:
        """Closes what is idle when the loop ends: `asyncio.run` ends with closing every generator that was begun."""
        try:
            yield
        finally:
            for connections in self._idle.values():
                for connection in connections:
                    connection.abort()
            self._most_idle = 0
            self._idle.clear()
            await asyncio.sleep(0)  # a closed transport lets go of its socket in the loop's next round

    def take(self, route: Route) -> Optional[Connection]:
        """The connection used last, as it is the least likely to have been closed."""
        idle = self._idle.get(route)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    def give_back(self, connection: Connection) -> None:
        idle = self._idle.setdefault(connection.route, [])
        if len(idle) < self._most_idle:
            idle.append(connection)
        else:
            connection.abort()

    def forget(self, connection: Connection) -> None:
        """A connection has ended; if it was idle, nobody shall be given it."""
        idle = self._idle.get(connection.route, [])
        if connection in idle:
            idle.remove(connection)


class Connection(asyncio.BufferedProtocol):
    """One connection: it reads answers, one at a time, and wakes whoever waits for the next piece."""

    def __init__(self, pool: Pool, route: Route) -> None:
        self.route = route
        self.reader = ResponseReader("GET")
        self.error: Optional[BaseException] = None
        self.is_open = True
        self.is_idle = False
        self._answered = False
        self._pool = pool
        self._loop = pool.loop
        self._buffer = pool.buffer
        self._held_bytes = 0
        self._transport: Any = None
        self._waiter: Optional[asyncio.Future[None]] = None
        self._limit_at_s: Optional[float] = None
        self._timer: Optional[asyncio.TimerHandle] = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.is_idle:  # nobody asked for these: whatever they are, they are no answer to the next request
            self._pool.forget(self)
            self.abort()
            return
        try:
            self.reader.receive(bytes(self._buffer[:nbytes]))
        except HTTP_FAILURES as error:
            self._fail(error)
        self._held_bytes += nbytes
        if self._held_bytes > _MOST_HELD_BYTES:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        if exc is not None:
            self._fail(exc)
        self._ended()
        self._transport.abort()  # up to Python 3.10 a TLS transport wants to be told, though its socket is gone

    def _ended(self) -> None:
        if self.is_open:
            self.is_open = False
            self._pool.forget(self)
        if self.error is None:
            try:
                self.reader.receive_end()
            except HTTP_FAILURES as error:
                self._fail(error)
        self._wake()

    # What the door and its answers trip.

    def begin(self, method: str) -> None:
        """Expect the answer to a request."""
        self.is_idle = False
        self.reader = ResponseReader(method, reused=self._answered)

    async def start_tls(self, context: Any, host: str) -> None:
        self._transport = await self._loop.start_tls(self._transport, self, context, server_hostname=host)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def wait(self, limit_s: Optional[float]) -> None:
        """Until something has come or the connection has ended; TimeoutError after `limit_s`.

        Raises the connection's error when called after it: what came before the error is looked at first.
        """
        if self.error is not None:
            raise self.error
        if limit_s is not None:
            self._limit(limit_s)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._limit_at_s = None

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        data = self.reader.take()
        if self._held_bytes > _MOST_HELD_BYTES and self.is_open:
            self._transport.resume_reading()
        self._held_bytes = 0
        return data

    def release(self) -> None:
        """The answer has been read to its end: keep the connection, or close it where that can't be."""
        self._answered = True
        if self.reader.reusable and self.is_open and not self._transport.get_write_buffer_size():
            self._stop_timer()
            self.is_idle = True
            self._pool.give_back(self)
        else:
            self.abort()

    def abort(self, error: Optional[BaseException] = None) -> None:
        """Close at once. Whoever waits wakes up with `error`."""
        self.is_open = False
        self._stop_timer()
        if error is not None:
            self._fail(error)
            self._wake()
        if self._transport is not None and not self._loop.is_closed():
            self._transport.abort()

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # One timer serves all reads of a connection: it looks again when it goes off early. Setting and cancelling one for
    # each read would cost as much as the read.

    def _limit(self, limit_s: float) -> None:
        self._limit_at_s = self._loop.time() + limit_s
        if self._timer is not None and self._timer.when() > self._limit_at_s:
            self._stop_timer()
        if self._timer is None:
            self._timer = self._loop.call_at(self._limit_at_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._limit_at_s is None or self._waiter is None:
            return
        if self._loop.time() < self._limit_at_s:
            self._timer = self._loop.call_at(self._limit_at_s, self._look)
        elif not self._waiter.done():
            self._waiter.set_exception(asyncio.TimeoutError("silence"))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def open_connection(pool: Pool, route: Route, tls: Any) -> Connection:
    """Connect to the target, or to its proxy and through it."""
    if route.proxy is None:
        return await _reach(pool, route, route.target, tls)
    try:
        connection = await _reach(pool, route, route.proxy, tls)
    except OSError as error:
        raise ProxyError(str(error)) from error
    if route.target.scheme == "http":
        return connection
    try:
        await _tunnel(connection, route, tls)
    except BaseException:
        connection.abort()
        raise
    return connection


async def _reach(pool: Pool, route: Route, origin: Origin, tls: Any) -> Connection:
    """A connection to `origin`, with TLS if its scheme says so."""
    is_address = ":" in origin.host or origin.host.replace(".", "").isdigit()
    _, connection = await pool.loop.create_connection(
        partial(Connection, pool, route),
        origin.host,
        origin.port,
        ssl=tls if origin.scheme == "https" else None,
        happy_eyeballs_delay=None if is_address else _NEXT_ADDRESS_S,
    )
    return connection


async def _tunnel(connection: Connection, route: Route, tls: Any) -> None:
    """CONNECT, then TLS with the target itself. The connect timeout bounds it all."""
    with optional("proxies"):
        from .tunnel import connect_bytes

    assert route.proxy is not None
    if route.proxy.scheme == "https" and sys.version_info < (3, 11):  # asyncio can't before
        raise ProxyError("TLS to a proxy and TLS inside need Python 3.11 or newer; use an http:// proxy")
    connection.begin("CONNECT")
    connection.write(connect_bytes(route))
    try:
        while connection.reader.head is None:
            await connection.wait(None)
    except (OSError, *HTTP_FAILURES) as error:
        raise ProxyError(str(error)) from error
    head = connection.reader.head
    if not 200 <= head.status < 300:
        raise ProxyError(f"it answered {head.status} {head.reason}")
    try:
        await connection.start_tls(tls, route.target.host)
    except TypeError:  # asyncio 3.11 and 3.12 trip over their own feet where a handshake inside TLS is broken off
        raise ProxyError("the connection broke in the TLS handshake with the target") from None
