r"""The door for places where nothing can be installed: HTTP/1.1 over sockets of our own, standard library alone.

    > POST /v1/chat/completions HTTP/1.1\r\n     one `sendall`: head and body in one piece
    < HTTP/1.1 200 OK\r\n ... data: {"ch...      one `recv`: whatever has come, handed out at once

Chosen where `requests` is not installed, or by `Client(transport="stdlib")`. Keeps the rules of `transport/base.py`, as
`requests_transport.py` does, and takes the same options; proxies and CA files come from the environment (`route.py`).

The bytes of an answer are read by `http1.ResponseReader`, which the async door uses as well, and not by http.client:
that one parses heads with the `email` package, which costs more to import than all of rawchat, and hands out a body in
blocks or line by line. (Measured, Python 3.11: HTTP_CLIENT_FIGURES.)

Does not retry, with one exception: an idle connection that the server closes just as we send on it (see `send`). Does
not race IPv6 against IPv4: the addresses of a host are tried in turn, each for as long as the connect timeout.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from ..protocol.errors import APIConnectionError
from ..protocol.wire import Request
from .base import Response, Transport
from .failures import Trip, cause_to_show, check_headers, check_timeouts, connection_error, explain, peer_of
from .http1 import HTTP_FAILURES, ResponseReader
from .route import NewConnectionError, Origin, ProxyError, Route, Routes, connect_bytes, request_bytes

_FAILURES = (OSError, ValueError, *HTTP_FAILURES)
_RECEIVED_BYTES = 65536  # the most that one `recv` takes
_SHORTEST_TIMEOUT_S = 0.001  # a socket timeout of 0 would mean "never wait", which is another mode


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
        self._idle: Dict[Route, List[Connection]] = {}

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

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)

    def close(self) -> None:
        """Close every idle connection, and keep none from now on."""
        self._pool_size = 0
        self._drop_idle()

    def _drop_idle(self) -> None:
        while self._idle:
            for connection in self._idle.popitem()[1]:
                connection.close()

    def _idle_connection(self, route: Route) -> Optional[Connection]:
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

    def give_back(self, connection: Connection) -> None:
        """An answer has been read to its end: keep the connection, or close it where that can't be."""
        connection.answered = True
        idle = self._idle.setdefault(connection.route, [])
        if connection.reader.reusable and len(idle) < self._pool_size:
            idle.append(connection)
        else:
            connection.close()

    def _connect(self, route: Route, trip: Trip) -> Connection:
        """A new connection, through the proxy and with TLS as the route asks."""
        try:
            return _open(route, self._routes.tls, trip.connect_timeout_s)
        except _FAILURES as error:
            raise explain(error, trip, phase="connect", proxy=route.proxy_url) from cause_to_show(error)

    def _exchange(self, connection: Connection, method: str, data: bytes, trip: Trip) -> Response:
        """Send on this connection, and read the answer up to the end of its head."""
        phase = "send"
        reader = connection.begin(method)
        try:
            connection.send(data, trip.connect_timeout_s)
            phase = "head"
            connection.set_timeout(trip.read_timeout_s)
            while reader.head is None:
                connection.receive()
            return StdlibResponse(self, connection, trip)
        except BaseException as error:  # Ctrl-C, too: whatever happens, no connection stays open
            connection.close()
            if not isinstance(error, _FAILURES):
                raise
            if reader.is_stale(error):
                raise _Stale from error
            raise explain(error, trip, phase=phase) from cause_to_show(error)


class _Stale(Exception):
    """An idle connection had been closed by the server before it saw our request."""


class Connection:
    """One socket, over which one answer at a time is read. `answered`: it has carried one before."""

    def __init__(self, route: Route, held: Any) -> None:
        self.route = route
        self.answered = False
        self.reader = ResponseReader("GET")
        self._socket = held
        self._failure: Optional[Exception] = None

    def begin(self, method: str) -> ResponseReader:
        """Expect the answer to a request."""
        self.reader = ResponseReader(method, reused=self.answered)
        return self.reader

    def send(self, data: bytes, timeout_s: Optional[float]) -> None:
        self.set_timeout(timeout_s)
        try:
            self._socket.sendall(data)
        except ConnectionError:
            # A server may answer (413, 401) and hang up without having read all of a request; its answer is here then.
            self.receive()

    def receive(self) -> None:
        """Give the reader what comes next, as soon as there is anything."""
        if self._failure is not None:
            raise self._failure
        data = self._socket.recv(_RECEIVED_BYTES)
        reader = self.reader
        try:
            if data:
                reader.receive(data)
            else:
                reader.receive_end()
        except HTTP_FAILURES as error:
            self._failure = error  # for the next time: what came before it is handed out first

    def set_timeout(self, seconds: Optional[float]) -> None:
        self._socket.settimeout(None if seconds is None else max(seconds, _SHORTEST_TIMEOUT_S))

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

    def shut_down(self) -> None:
        """Wake whoever reads, in any thread."""
        try:
            # Not `self._socket.shutdown`: over TLS that would drop the session object under the reading thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # the server has hung up already: the reader is awake

    def close(self) -> None:
        self._socket.close()


class StdlibResponse(Response):
    """One answer over a Connection."""

    def __init__(self, door: StdlibTransport, connection: Connection, trip: Trip) -> None:
        assert connection.reader.head is not None
        self.head = connection.reader.head
        self._door = door
        self._reader = connection.reader
        self._connection: Optional[Connection] = connection  # None: the body is over, the connection another's
        self._trip = trip
        self._received_bytes = 0
        self._stopped = ""
        # `cancel` must not shut down a connection that goes back to the pool at that moment.
        self._lock = threading.Lock()

    def read_some(self) -> bytes:
        connection, reader = self._connection, self._reader
        if connection is None or self._stopped:
            return self._after_the_end()
        try:
            while not reader.pieces:
                if reader.at_end:
                    return self._end(connection)
                connection.receive()
        except _FAILURES as error:
            raise self._broken(error) from cause_to_show(error)
        data = reader.take()
        self._received_bytes += len(data)
        return data

    def _end(self, connection: Connection) -> bytes:
        with self._lock:
            if not self._stopped:
                self._connection = None
        if self._connection is None:
            self._door.give_back(connection)
        return self._after_the_end()

    def _after_the_end(self) -> bytes:
        if not self._stopped:
            return b""
        error = ConnectionAbortedError(self._stopped)
        raise self._broken(error) from error

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        if self._connection is not None and seconds != self._trip.read_timeout_s:
            self._trip = self._trip._replace(read_timeout_s=seconds)
            self._connection.set_timeout(seconds)

    def drain(self, limit_s: float) -> bool:
        ends_s = time.monotonic() + limit_s
        try:
            while self._connection is not None:
                rest_s = ends_s - time.monotonic()
                if rest_s <= 0:
                    self.close()
                    return False
                self.set_read_timeout(rest_s)
                self.read_some()
        except APIConnectionError:
            return False  # nothing of the answer depends on this rest; `_broken` has closed the connection
        return not self._stopped

    def cancel(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._stopped = "cancelled"
                self._connection.shut_down()

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                self._stopped = self._stopped or "closed"
                connection.close()

    def _broken(self, error: Exception) -> Exception:
        self.close()
        if self._stopped == "cancelled":
            return connection_error(f"the answer of {peer_of(self._trip.url)} was cancelled", "body")
        return explain(error, self._trip, phase="body", received_bytes=self._received_bytes)


def _open(route: Route, tls: Any, timeout_s: Optional[float]) -> Connection:
    """Connect to the target, or to its proxy and through it."""
    if route.proxy is None:
        return Connection(route, _reach(route.target, tls, timeout_s))
    try:
        held = _reach(route.proxy, tls, timeout_s)
    except OSError as error:
        raise ProxyError(str(error)) from error
    try:
        return Connection(route, held if route.target.scheme == "http" else _tunnel(held, route, tls))
    except BaseException:
        held.close()
        raise


def _reach(origin: Origin, tls: Any, timeout_s: Optional[float]) -> Any:
    """A socket connected to `origin`, with TLS if its scheme says so."""
    try:
        held = socket.create_connection((origin.host, origin.port), timeout_s)
    except OSError as error:
        if type(error) is OSError:  # an unreachable network
            raise NewConnectionError(error.strerror or str(error)) from error
        raise
    try:
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(held, server_hostname=origin.host) if origin.scheme == "https" else held
    except BaseException:
        held.close()
        raise


def _tunnel(held: Any, route: Route, tls: Any) -> Any:
    """CONNECT, then TLS with the target itself."""
    assert route.proxy is not None
    if route.proxy.scheme == "https":  # OpenSSL over a socket cannot be stacked on OpenSSL
        raise ProxyError('TLS inside TLS is beyond this door; use an http:// proxy, or transport="requests"')
    connection = Connection(route, held)
    reader = connection.begin("CONNECT")
    try:
        held.sendall(connect_bytes(route))
        while reader.head is None:
            connection.receive()
    except _FAILURES as error:
        raise ProxyError(str(error)) from error
    if not 200 <= reader.head.status < 300:
        raise ProxyError(f"it answered {reader.head.status} {reader.head.reason}")
    return tls.wrap_socket(held, server_hostname=route.target.host)
