r"""The way through an HTTP proxy that `proxies.py` found: CONNECT, then TLS with the target itself.

    > CONNECT api.openai.com:443 HTTP/1.1\r\n      RFC 9110, 9.3.6
    < HTTP/1.1 200 Connection established\r\n      what follows is for the target

A target of http:// needs no tunnel: its proxy gets the request with the whole URL (`speaking.request_bytes`).
"""

from __future__ import annotations

from typing import Any, Callable, Optional

from .failures import ProxyError
from .http1 import encode_request
from .proxies import credentials_of
from .reading import READ_BYTES
from .route import Route


def connect_bytes(route: Route) -> bytes:
    """What asks the proxy of a route for a tunnel to its target."""
    host = f"[{route.target.host}]" if ":" in route.target.host else route.target.host
    authority = f"{host}:{route.target.port}"
    return encode_request("CONNECT", authority, credentials_of(route.proxy_url), b"", authority)


def reach_through_proxy(connection: Any, tls: Any, timeout_s: Optional[float]) -> None:
    """Connect a connection of `sockets.py` to the proxy of its route and, over TLS, to the target behind it.

    Raises ProxyError for what the proxy does, else what TLS with the target raises.
    """
    route: Route = connection.route
    try:
        connection.reach(route.proxy, tls, timeout_s)
    except OSError as error:
        raise ProxyError(str(error)) from error
    if route.target.scheme == "http":
        return
    _ask_for_tunnel(connection, route, timeout_s)
    if route.proxy is not None and route.proxy.scheme == "https":
        connection.stream = InnerTLS(connection.stream, tls, route.target.host)
    else:
        connection.start_tls(tls, route.target)


def _ask_for_tunnel(connection: Any, route: Route, timeout_s: Optional[float]) -> None:
    reader = connection.begin("CONNECT")
    try:
        connection.write(connect_bytes(route), timeout_s)
        while reader.head is None:
            connection.receive()
    except connection.failures as error:
        raise ProxyError(str(error)) from error
    if not 200 <= reader.head.status < 300:
        raise ProxyError(f"it answered {reader.head.status} {reader.head.reason}")


class InnerTLS:
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
