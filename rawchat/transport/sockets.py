r"""A connection of the standard library's door over a socket of its own, which speaks HTTP/1.1 by itself.

    > POST /v1/chat/completions HTTP/1.1\r\n     one `sendall`: head and body in one piece
    < HTTP/1.1 200 OK\r\n ... data: {"ch...      one `recv`: whatever has come, handed out at once

A call costs half the time of one over `http.client` (`plain_connection.py`), and the way may lead through a proxy.
"""

from __future__ import annotations

import socket
from typing import Any, Callable, Dict, Optional

from ..protocol.optional import optional
from ..protocol.wire import Request
from .http1 import ResponseReader
from .reading import READ_BYTES, watch
from .route import Origin, Route
from .speaking import SpokenConnection, request_bytes

# What the empty send buffer of a new or idle connection takes at once, on every system.
_NO_WAIT_BYTES = 8192


class SocketConnection(SpokenConnection):
    def __init__(self, route: Route) -> None:
        super().__init__(None, ResponseReader("GET"))
        self.route = route
        self.stream: Any = None  # what is read and written: the socket, or TLS in it
        self.has_come: Callable[[], Any] = bool  # bytes to read, or the end
        self._answered = False

    def open(self, tls: Any, timeout_s: Optional[float]) -> None:
        if self.stream is not None:
            self._answered = True
            return
        if self.route.proxy is None:
            self.reach(self.route.target, tls, timeout_s)
        else:
            with optional("proxies"):
                from .tunnel import reach_through_proxy

            reach_through_proxy(self, tls, timeout_s)
        self.has_come = watch(self._socket)

    def reach(self, origin: Origin, tls: Any, timeout_s: Optional[float]) -> None:
        self._socket = self.stream = socket.create_connection((origin.host, origin.port), timeout_s)
        self._timeout_s = timeout_s
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.scheme == "https":
            self.start_tls(tls, origin)

    def start_tls(self, tls: Any, origin: Origin) -> None:
        self._socket = self.stream = tls.wrap_socket(self._socket, server_hostname=origin.host)

    def send(self, request: Request, headers: Dict[str, str], timeout_s: Optional[float]) -> None:
        self.begin(request.method)
        self.write(request_bytes(request, headers, self.route), timeout_s)

    def begin(self, method: str) -> ResponseReader:
        self.reader = ResponseReader(method, reused=self._answered)
        return self.reader

    def write(self, data: bytes, timeout_s: Optional[float]) -> None:
        if len(data) > _NO_WAIT_BYTES:
            self.set_timeout(timeout_s)
        try:
            self.stream.sendall(data)
        except ConnectionError:
            # A server may answer (413) and hang up before it has read a whole request: that answer counts.
            self.receive()

    def read(self) -> bytes:
        return bytes(self.stream.recv(READ_BYTES))

    def is_stale(self, error: BaseException) -> bool:
        """Whether it is the end of a used connection that gave no byte of this answer."""
        return self.reader.is_stale(error)

    def end_answer(self) -> bool:
        """Be done with an answer that was read to its end; whether another request may follow."""
        return self.reader.reusable

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
