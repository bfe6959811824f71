"""The async door: HTTP/1.1 over asyncio's own connections, for AsyncClient.

    task A   > POST /v1/chat/completions HTTP/1.1      one connection per call at a time,
             < data: {"choices":[...]}                 kept open for the next call to the same host
    task B   > POST /v1/chat/completions HTTP/1.1      a second connection: they share a loop, not a socket

Made for many streams in one process: a piece of an answer costs one `recv` into a buffer that all connections share,
one look by `http1.ResponseReader` and one wake-up. (Measured with 200 streams of 100 pieces: a thread for each stream
over the sync door took 2.3 times as long and 2.6 times the CPU; a call into a thread for each piece, four times.)

Keeps the rules of `transport/base.py`: nothing added but Host and Content-Length, no redirect, cookie or netrc. Proxies
and CA files come from the environment (`route.py`). Does not retry, but for an idle connection that the server closed.
Cancelling a task that waits here closes its connection at once.
"""

from __future__ import annotations

import asyncio
from typing import Dict, Mapping, Optional

from ..protocol.errors import APIConnectionError
from ..protocol.wire import Request
from .async_base import AsyncResponse, AsyncTransport
from .connections import Connection, Pool, open_connection
from .failures import Trip, cause_to_show, check_headers, check_timeouts, connection_error, explain, peer_of
from .http1 import HTTP_FAILURES
from .route import Certificate, Route, Routes, Verify
from .speaking import request_bytes

_FAILURES = (OSError, ValueError, asyncio.TimeoutError, *HTTP_FAILURES)


class AsyncioTransport(AsyncTransport):
    """A door over asyncio.

    verify      True, False, or the path of a CA file or folder; None: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, else True
    cert        client certificate: a path, or (certificate, key)
    proxies     as requests takes them, {"https": "http://proxy:3128"}; what is absent comes from the environment
    pool_size   idle connections kept per host; more may be open at once, but the surplus is not kept

    May be used from several event loops; each has connections of its own, which are closed when the loop ends.
    """

    name = "asyncio"

    def __init__(
        self,
        *,
        verify: Verify = None,
        cert: Certificate = None,
        proxies: Optional[Mapping[str, str]] = None,
        pool_size: int = 64,
    ) -> None:
        self._routes = Routes(verify, cert, proxies)
        self._pool_size = pool_size
        self._pools: Dict[asyncio.AbstractEventLoop, Pool] = {}

    async def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> AsyncResponse:
        """Send `request`; send it again at once if the idle connection it was sent on turns out to be closed.

        As in RequestsTransport.send: only where the connection had answered before, and no byte came back.
        """
        headers = check_headers(request.headers)
        check_timeouts(connect_timeout_s, read_timeout_s)
        trip = Trip(request.url, connect_timeout_s, read_timeout_s)
        route = self._routes.route_to(request.url)
        pool = await self._pool()
        connection = pool.take(route)
        if connection is not None:
            try:
                return await self._exchange(connection, request, headers, trip, route)
            except Stale:
                pass
        return await self._exchange(await self._connect(pool, route, trip), request, headers, trip, route)

    async def aclose(self) -> None:
        """Close the idle connections of this loop."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.watch.aclose()

    async def _pool(self) -> Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            for closed in [each for each in self._pools if each.is_closed()]:
                del self._pools[closed]
            pool = self._pools[loop] = Pool(loop, self._pool_size)
            await pool.watch.__anext__()
        return pool

    async def _connect(self, pool: Pool, route: Route, trip: Trip) -> Connection:
        """A new connection, through the proxy and with TLS as the route asks, within the connect timeout."""
        task = asyncio.ensure_future(open_connection(pool, route, self._routes.tls))
        try:
            done, _ = await asyncio.wait({task}, timeout=trip.connect_timeout_s)
        except BaseException:  # cancelled
            _abandon(task)
            raise
        try:
            if not done:
                _abandon(task)
                raise asyncio.TimeoutError("not connected in time")
            return task.result()
        except _FAILURES as error:
            raise _explained(error, trip, "connect", route.proxy_url) from cause_to_show(error)

    async def _exchange(
        self, connection: Connection, request: Request, headers: Dict[str, str], trip: Trip, route: Route
    ) -> AsyncResponse:
        try:
            connection.begin(request.method)
            connection.write(request_bytes(request, headers, route))
            while connection.reader.head is None:
                await connection.wait(trip.read_timeout_s)
            return AsyncioResponse(connection, trip)
        except _FAILURES as error:
            if connection.reader.is_stale(error):
                raise Stale from error
            raise _explained(error, trip, "head") from cause_to_show(error)
        finally:
            if connection.reader.head is None:
                connection.abort()


class Stale(Exception):
    """An idle connection had been closed by the server before it saw our request."""


class AsyncioResponse(AsyncResponse):
    """One answer over a Connection."""

    def __init__(self, connection: Connection, trip: Trip) -> None:
        assert connection.reader.head is not None
        self.head = connection.reader.head
        self._reader = connection.reader
        self._connection: Optional[Connection] = connection  # None: the body is over, the connection another's
        self._trip = trip
        self._read_timeout_s = trip.read_timeout_s
        self._received_bytes = 0
        self._stopped = ""

    async def read_some(self) -> bytes:
        connection, reader = self._connection, self._reader
        if connection is None:
            return self._after_the_end()
        try:
            while not reader.pieces and not self._stopped:
                if reader.at_end:
                    self._connection = None
                    connection.release()
                    return b""
                await connection.wait(self._read_timeout_s)
        except _FAILURES as error:
            raise self._broken(error) from cause_to_show(error)
        if self._stopped:
            return self._after_the_end()
        data = connection.take()
        self._received_bytes += len(data)
        return data

    def _after_the_end(self) -> bytes:
        if not self._stopped:
            return b""
        error = ConnectionAbortedError(self._stopped)
        raise self._broken(error) from error

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self._read_timeout_s = seconds

    async def drain(self, limit_s: float) -> bool:
        ends_s = asyncio.get_running_loop().time() + limit_s
        try:
            while self._connection is not None:
                self.set_read_timeout(max(ends_s - asyncio.get_running_loop().time(), 0.0))
                await self.read_some()
        except APIConnectionError:
            return False  # nothing of the answer depends on this rest; `_broken` has closed the connection
        return not self._stopped

    def cancel(self) -> None:
        self._stop("cancelled")

    def close(self) -> None:
        self._stop("closed")

    def _stop(self, how: str) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self._stopped = how
        connection.abort(ConnectionAbortedError(how))

    def _broken(self, error: Exception) -> Exception:
        trip = self._trip._replace(read_timeout_s=self._read_timeout_s)
        self.close()
        if self._stopped == "cancelled":
            text = f"the answer of {peer_of(trip.url)} was cancelled"
            return connection_error(text, "body")
        return _explained(error, trip, "body", received_bytes=self._received_bytes)


def _abandon(task: asyncio.Task[Connection]) -> None:
    """Nobody waits for this connection any more; it may be there already."""
    task.cancel()
    task.add_done_callback(_drop)


def _drop(task: asyncio.Task[Connection]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().abort()


def _explained(
    error: Exception, trip: Trip, phase: str, proxy_url: str = "", received_bytes: Optional[int] = None
) -> Exception:
    return explain(error, trip, phase=phase, proxy=proxy_url, received_bytes=received_bytes)
