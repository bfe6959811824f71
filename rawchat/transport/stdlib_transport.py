"""The door of the standard library, and the idle connections it keeps.

    > POST /v1/chat/completions HTTP/1.1     over a new connection to api.openai.com:443, or an idle one
    < HTTP/1.1 200 OK                        read to its end, the connection is idle again

Keeps the rules of `base.py`. The addresses of a host are tried in turn, each for as long as the connect timeout.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Dict, List, Mapping, Optional

from ..protocol.wire import Request
from .base import Response, Transport
from .failures import Trip, cause_to_show, check_headers, check_timeouts, explain
from .reading import ConnectionResponse
from .route import Certificate, Route, Routes, Verify


class StdlibTransport(Transport):
    """A door without any package.

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
        self._idle: Dict[Route, List[Any]] = {}

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """Again, over a new connection, if an idle one turns out to be closed (RFC 9112, 9.3.1)."""
        headers = check_headers(request.headers)
        check_timeouts(connect_timeout_s, read_timeout_s)
        trip = Trip(request.url, connect_timeout_s, read_timeout_s)
        route = self._routes.route_to(request.url)
        connection = self._idle_connection(route)
        response = None
        while response is None:
            response = self._exchange(connection or self.new_connection(route), request, headers, trip)
            connection = None
        return response

    @staticmethod
    def new_connection(route: Route) -> Any:
        """Not open yet."""
        try:
            from .sockets import SocketConnection
        except ImportError:  # a copy without sockets
            from .plain_connection import PlainConnection

            return PlainConnection(route)
        return SocketConnection(route)

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

    def _idle_connection(self, route: Route) -> Any:
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
                    return connection
                connection.close()
        except IndexError:
            pass  # another thread was quicker
        return None

    def _keep(self, connection: Any) -> None:
        """Take back a connection whose answer has ended."""
        idle = self._idle.setdefault(connection.route, [])
        if connection.end_answer() and len(idle) < self._pool_size:
            idle.append(connection)
        else:
            connection.close()

    def _exchange(self, connection: Any, request: Request, headers: Dict[str, str], trip: Trip) -> Optional[Response]:
        """Send, and read the answer up to the end of its head. None: an idle connection had been closed by then."""
        phase = "connect"
        try:
            connection.open(self._routes.tls, trip.connect_timeout_s)
            phase = "send"
            connection.send(request, headers, trip.connect_timeout_s)
            phase = "head"
            connection.set_timeout(trip.read_timeout_s)
            return ConnectionResponse(connection, trip, connection.read_head(), partial(self._keep, connection))
        except BaseException as error:  # Ctrl-C, too
            connection.close()
            if not isinstance(error, connection.failures):
                raise
            if connection.is_stale(error):
                return None
            raise explain(error, trip, phase=phase, proxy=connection.route.proxy_url) from cause_to_show(error)
