r"""The door of the standard library: HTTP/1.1 over sockets of our own.

    > POST /v1/chat/completions HTTP/1.1\r\n     one `sendall`: head and body in one piece
    < HTTP/1.1 200 OK\r\n ... data: {"ch...      one `recv`: whatever has come, handed out at once

Keeps the rules of `base.py`. The addresses of a host are tried in turn, each for as long as the connect timeout.
"""

from __future__ import annotations

import os
import select
import socket
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional

from ..protocol.optional import optional
from ..protocol.wire import Request
from .base import Response, Transport
from .failures import Trip, cause_to_show, check_headers, check_timeouts, explain
from .http1 import ResponseReader
from .reading import READ_BYTES, Connection, ConnectionResponse
from .route import Certificate, Origin, Route, Routes, Verify, request_bytes

# What the empty send buffer of a new or idle connection takes at once, on every system.
_NO_WAIT_BYTES = 8192


class StdlibTransport(Transport):
    """A door over plain sockets.

    verify      True, False, or the path of a CA file or folder; None: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, else True
    cert        client certificate: a path, or (certificate, key)
    proxies     {"https": "http://proxy:3128"}, as requests takes them; the rest comes from the environment
    pool_size   idle connections kept per host
    """

    name = "stdlib"

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
        self._process = os.getpid()
        # Without a lock, which a fork could leave locked: append and pop are one step each.
        self._idle: Dict[Route, List[_Connection]] = {}

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """Again, over a new connection, if an idle one turns out to be closed (RFC 9112, 9.3.1)."""
        headers = check_headers(request.headers)
        check_timeouts(connect_timeout_s, read_timeout_s)
        trip = Trip(request.url, connect_timeout_s, read_timeout_s)
        route = self._routes.route_to(request.url)
        data = request_bytes(request, headers, route)
        connection = self._idle_connection(route)
        response = None
        while response is None:
            response = self._exchange(connection or _Connection(route, self), request.method, data, trip)
            connection = None
        return response

    def close(self) -> None:
        """Close what is idle, and keep nothing from now on."""
        self._pool_size = 0
        self._drop_idle()

    def __del__(self) -> None:
        if hasattr(self, "_idle"):  # no ResourceWarning for a client that nobody closed
            self._drop_idle()

    def _drop_idle(self) -> None:
        while self._idle:
            for connection in self._idle.popitem()[1]:
                connection.close()

    def _idle_connection(self, route: Route) -> Optional[_Connection]:
        """The one used last: the least likely to be closed."""
        if self._process != os.getpid():
            # The child of a fork would write into the parent's streams. This closes its own ends only.
            self._process = os.getpid()
            self._drop_idle()
        idle = self._idle.get(route)
        try:
            while idle:
                connection = idle.pop()
                if not connection.has_come():
                    connection.door = self
                    return connection
                connection.close()
        except IndexError:
            pass  # another thread was quicker
        return None

    def keep(self, connection: _Connection) -> None:
        """Take back a connection whose answer has ended."""
        connection.door = None  # in a circle, Python would end the socket before the door, with a ResourceWarning
        idle = self._idle.setdefault(connection.route, [])
        if connection.reader.reusable and len(idle) < self._pool_size:
            idle.append(connection)
        else:
            connection.close()

    def _exchange(self, connection: _Connection, method: str, data: bytes, trip: Trip) -> Optional[Response]:
        """Send, and read the answer up to the end of its head. None: an idle connection had been closed by then."""
        phase = "connect"
        try:
            connection.open(self._routes.tls, trip.connect_timeout_s)
            phase = "send"
            reader = connection.begin(method)
            connection.send(data, trip.connect_timeout_s)
            phase = "head"
            connection.set_timeout(trip.read_timeout_s)
            while reader.head is None:
                connection.receive()
            return ConnectionResponse(connection, trip, reader.head)
        except BaseException as error:  # Ctrl-C, too
            connection.close()
            if not isinstance(error, connection.failures):
                raise
            if connection.reader.is_stale(error):
                return None
            raise explain(error, trip, phase=phase, proxy=connection.route.proxy_url) from cause_to_show(error)


class _Connection(Connection):
    def __init__(self, route: Route, door: StdlibTransport) -> None:
        super().__init__(None, ResponseReader("GET"))
        self.route = route
        self.stream: Any = None  # what is read and written: the socket, or TLS in it
        self.has_come: Callable[[], Any] = bool  # bytes to read, or the end
        self.door: Optional[StdlibTransport] = door
        self._answered = False

    def open(self, tls: Any, timeout_s: Optional[float]) -> None:
        if self.stream is not None:
            return
        if self.route.proxy is None:
            self.reach(self.route.target, tls, timeout_s)
        else:
            with optional("proxies"):
                from .tunnel import reach_through_proxy

            reach_through_proxy(self, tls, timeout_s)
        self.has_come = _watch(self._socket)

    def reach(self, origin: Origin, tls: Any, timeout_s: Optional[float]) -> None:
        self._socket = self.stream = socket.create_connection((origin.host, origin.port), timeout_s)
        self._timeout_s = timeout_s
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            self.start_tls(tls, origin)

    def start_tls(self, tls: Any, origin: Origin) -> None:
        self._socket = self.stream = tls.wrap_socket(self._socket, server_hostname=origin.host)

    def begin(self, method: str) -> ResponseReader:
        self.reader = ResponseReader(method, reused=self._answered)
        return self.reader

    def send(self, data: bytes, timeout_s: Optional[float]) -> None:
        if len(data) > _NO_WAIT_BYTES:
            self.set_timeout(timeout_s)
        try:
            self.stream.sendall(data)
        except ConnectionError:
            # A server may answer (413) and hang up before it has read a whole request: that answer counts.
            self.receive()

    def read(self) -> bytes:
        return bytes(self.stream.recv(READ_BYTES))

    def give_back(self) -> None:
        self._answered = True
        if self.door is not None:
            self.door.keep(self)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


def _watch(held: Any) -> Callable[[], Any]:
    """What tells at once whether a socket has something to read."""
    if not hasattr(select, "poll"):  # Windows, whose `select` takes any socket
        return lambda: select.select([held], [], [], 0)[0]
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return partial(poll.poll, 0)
