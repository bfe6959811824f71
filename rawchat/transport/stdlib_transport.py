r"""The door for places where nothing can be installed: HTTP/1.1 over sockets of our own, standard library alone.

    > POST /v1/chat/completions HTTP/1.1\r\n     one `sendall`: head and body in one piece
    < HTTP/1.1 200 OK\r\n ... data: {"ch...      one `recv`: whatever has come, handed out at once

Chosen where `requests` is not installed, or by `Client(transport="stdlib")`. Keeps the rules of `transport/base.py`, as
`requests_transport.py` does, and takes the same options; proxies and CA files come from the environment (`route.py`).

The bytes of an answer are read by `http1.ResponseReader`, which the async door uses as well, and not by http.client:
that one parses heads with the `email` package, and a body comes out of it in blocks or line by line. (Measured on
Python 3.13: a warm call takes 60 us of CPU against 97, of which 9 are the system's; importing 3 ms against 12.)

Does not retry, with one exception: an idle connection that the server closes just as we send on it (see `send`). Does
not race IPv6 against IPv4: the addresses of a host are tried in turn, each for as long as the connect timeout.
"""

from __future__ import annotations

import os
import socket
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from ..protocol.wire import Request
from .base import Response, Transport
from .failures import Trip, cause_to_show, check_headers, check_timeouts, explain
from .http1 import ResponseReader
from .reading import READ_BYTES, Connection, ConnectionResponse
from .route import NewConnectionError, Origin, ProxyError, Route, Routes, connect_bytes, request_bytes


class StdlibTransport(Transport):
    """A door over plain sockets.

    verify      True, False, or the path of a CA file or folder; None: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, else True
    cert        client certificate: a path, or (certificate, key)
    proxies     as requests takes them, {"https": "http://proxy:3128"}; what is absent comes from the environment
    pool_size   idle connections kept per host; more may be open at once, but the surplus is not kept

    The environment is read once per door and target host. SSL_CERT_FILE and SSL_CERT_DIR are heeded by OpenSSL itself.
    """

    name = "stdlib"

    def __init__(
        self,
        *,
        verify: Union[bool, str, None] = None,
        cert: Union[str, Tuple[str, str], None] = None,
        proxies: Optional[Mapping[str, str]] = None,
        pool_size: int = 64,
    ) -> None:
        self._routes = Routes(verify, cert, proxies)
        self._pool_size = pool_size
        self._process = os.getpid()
        # Shared without a lock, which a fork could leave locked for ever: append and pop are one step each.
        self._idle: Dict[Route, List[_Connection]] = {}

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """Send `request`; send it again at once if the idle connection it was sent on turns out to be closed.

        As in RequestsTransport.send: only where the connection had answered before, and no byte came back.
        """
        headers = check_headers(request.headers)
        check_timeouts(connect_timeout_s, read_timeout_s)
        trip = Trip(request.url, connect_timeout_s, read_timeout_s)
        route = self._routes.route_to(request.url)
        data = request_bytes(request, headers, route)
        connection = self._idle_connection(route)
        if connection is not None:
            try:
                return self._exchange(connection, request.method, data, trip)
            except _Stale:
                pass  # the traceback of what follows need not begin with it
        return self._exchange(self._connect(route, trip), request.method, data, trip)

    def close(self) -> None:
        """Close every idle connection, and keep none from now on."""
        self._pool_size = 0
        self._drop_idle()

    def __del__(self) -> None:
        # Of a client that nobody closed: its idle connections go with it, without a warning, as in urllib3's pools.
        if hasattr(self, "_idle"):
            self._drop_idle()

    def _drop_idle(self) -> None:
        while self._idle:
            for connection in self._idle.popitem()[1]:
                connection.close()

    def _idle_connection(self, route: Route) -> Optional[_Connection]:
        """The connection used last, as it is the least likely to have been closed."""
        if self._process != os.getpid():
            # The child of a fork: parent and child would write into one TCP stream. This closes the child's ends only.
            self._process = os.getpid()
            self._drop_idle()
        idle = self._idle.get(route)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was quicker
                return None
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def keep(self, connection: _Connection) -> None:
        """Keep a connection whose answer has been read to its end, or close it where that can't be."""
        idle = self._idle.setdefault(connection.route, [])
        if connection.reader.reusable and len(idle) < self._pool_size:
            idle.append(connection)
        else:
            connection.close()

    def _connect(self, route: Route, trip: Trip) -> _Connection:
        connection = _Connection(route, self)
        try:
            connection.open(self._routes.tls, trip.connect_timeout_s)
        except BaseException as error:
            connection.close()
            if not isinstance(error, connection.failures):
                raise
            raise explain(error, trip, phase="connect", proxy=route.proxy_url) from cause_to_show(error)
        return connection

    def _exchange(self, connection: _Connection, method: str, data: bytes, trip: Trip) -> Response:
        """Send on this connection, and read the answer up to the end of its head."""
        phase = "send"
        reader = connection.begin(method)
        try:
            connection.send(data, trip.connect_timeout_s)
            phase = "head"
            connection.set_timeout(trip.read_timeout_s)
            while reader.head is None:
                connection.receive()
            return ConnectionResponse(connection, trip, reader.head)
        except BaseException as error:  # Ctrl-C, too: whatever happens, no connection stays open
            connection.close()
            if not isinstance(error, connection.failures):
                raise
            if reader.is_stale(error):
                raise _Stale from error
            raise explain(error, trip, phase=phase) from cause_to_show(error)


class _Stale(Exception):
    """An idle connection had been closed by the server before it saw our request."""


class _Connection(Connection):
    """One socket, over which one answer at a time is read."""

    def __init__(self, route: Route, door: StdlibTransport) -> None:
        super().__init__(None, ResponseReader("GET"))
        self.route = route
        self._door = door
        self._answered = False
        self._stream: Any = None  # what is read and written: the socket, or what is inside it

    def open(self, tls: Any, timeout_s: Optional[float]) -> None:
        """Connect to the target, or to its proxy and through it."""
        proxy = self.route.proxy
        if proxy is None:
            self._reach(self.route.target, tls, timeout_s)
            return
        try:
            self._reach(proxy, tls, timeout_s)
        except OSError as error:
            raise ProxyError(str(error)) from error
        if self.route.target.scheme == "https":
            self._tunnel(timeout_s)
            if proxy.scheme == "https":
                self._stream = _InnerTLS(self._socket, tls, self.route.target.host)
            else:
                self._start_tls(tls, self.route.target)

    def _reach(self, origin: Origin, tls: Any, timeout_s: Optional[float]) -> None:
        try:
            self._socket = socket.create_connection((origin.host, origin.port), timeout_s)
        except OSError as error:
            if type(error) is OSError:  # an unreachable network
                raise NewConnectionError(error.strerror or str(error)) from error
            raise
        self._stream = self._socket
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            self._start_tls(tls, origin)

    def _start_tls(self, tls: Any, origin: Origin) -> None:
        self._stream = self._socket = tls.wrap_socket(self._socket, server_hostname=origin.host)

    def _tunnel(self, timeout_s: Optional[float]) -> None:
        reader = self.begin("CONNECT")
        try:
            self.send(connect_bytes(self.route), timeout_s)
            while reader.head is None:
                self.receive()
        except self.failures as error:
            raise ProxyError(str(error)) from error
        if not 200 <= reader.head.status < 300:
            raise ProxyError(f"it answered {reader.head.status} {reader.head.reason}")

    def begin(self, method: str) -> ResponseReader:
        """Expect the answer to a request."""
        self.reader = ResponseReader(method, reused=self._answered)
        return self.reader

    def send(self, data: bytes, timeout_s: Optional[float]) -> None:
        self.set_timeout(timeout_s)
        try:
            self._stream.sendall(data)
        except ConnectionError:
            # A server may answer (413, 401) and hang up without having read all of a request; its answer is here then.
            self.receive()

    def read(self) -> bytes:
        data: bytes = self._stream.recv(READ_BYTES)
        return data

    def is_quiet(self) -> bool:
        """Whether nothing has come since the last answer: neither its end, nor bytes that nobody asked for."""
        self._socket.settimeout(0)
        try:
            # Not `self._socket.recv`: over TLS that would decrypt, and cannot peek.
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def give_back(self) -> None:
        self._answered = True
        self._door.keep(self)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class _InnerTLS:
    """TLS with the target inside TLS with a proxy. OpenSSL wants a socket or buffers below it: here, buffers."""

    def __init__(self, outer: Any, tls: Any, host: str) -> None:
        import ssl

        self._ssl = ssl
        self._outer = outer
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = tls.wrap_bio(self._came, self._goes, server_hostname=host)
        self._pump(self._inner.do_handshake)

    def recv(self, most_bytes: int) -> bytes:
        try:
            data: bytes = self._pump(self._inner.read, most_bytes)
        except (self._ssl.SSLZeroReturnError, self._ssl.SSLEOFError):
            return b""  # as SSLSocket has it: whether the answer is whole, its framing says
        return data

    def sendall(self, data: bytes) -> None:
        self._pump(self._inner.write, data)

    def _pump(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Do a step, and carry bytes between its buffers and the outer connection until it is done."""
        while True:
            try:
                done, result = True, step(*arguments)
            except self._ssl.SSLWantReadError:
                done = False
            if self._goes.pending:
                self._outer.sendall(self._goes.read())
            if done:
                return result
            data = self._outer.recv(READ_BYTES)
            if data:
                self._came.write(data)
            else:
                self._came.write_eof()
