"""Connections from the tap to the real server: plain or TLS, straight or through a proxy. Blocking, one at a time.

    upstream = Upstream(read_base("https://api.openai.com/v1"))
    link = upstream.connect()          a socket; HTTPS_PROXY, NO_PROXY and CA files from the environment are honoured
    link.said                          "api.openai.com:443, TLSv1.3, through 10.0.0.1:3128"

Certificates are verified, always. Sends nothing but what a proxy needs to open the way.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple, Optional

from ..protocol.redact import redact_text
from ..protocol.wire import HeaderPairs
from ..transport.failures import said_by
from ..transport.http1 import HTTP_FAILURES, ResponseReader
from ..transport.proxies import credentials_of, proxy_for
from ..transport.route import Origin, Route, read_origin, tls_context
from ..transport.tunnel import connect_bytes
from .tap_target import Base

if TYPE_CHECKING:
    import ssl

# Longer than any client waits for a connection of its own (the SDK: 5 s), so that the tap gives up after it.
CONNECT_TIMEOUT_S = 30.0


class Unreachable(Exception):
    """No connection could be made. The text says to where, and why."""


class Link(NamedTuple):
    """A connection that was made, and a few words about the way."""

    connection: socket.socket
    said: str


class Upstream:
    """Where the tap sends what it is sent. Safe to share between threads."""

    def __init__(self, base: Base, *, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self.base = base
        self._timeout_s = timeout_s
        self._context: Optional[ssl.SSLContext] = None

    def route(self) -> Route:
        """The way, by the environment as it is now. Raises PayloadError for a proxy that cannot be used."""
        url = proxy_for(*self.base.origin, {})
        proxy = read_origin(url, path="the proxy of the environment") if url else None
        return Route(self.base.origin, proxy, url)

    def target_form(self, target: str) -> str:
        """A plain request through a proxy names the whole URL (RFC 9112, 3.2.2)."""
        return self.base.root + target if self._asked_proxy() else target

    def more_headers(self) -> HeaderPairs:
        """What the proxy wants to see; it is never recorded."""
        return tuple(credentials_of(self._asked_proxy()).items())

    def _asked_proxy(self) -> str:
        """The URL of the proxy that gets the requests themselves, or ""."""
        return self.route().proxy_url if self.base.origin.scheme == "http" else ""

    def connect(self) -> Link:
        """Raises Unreachable."""
        route = self.route()
        first = route.proxy or route.target
        try:
            connection = socket.create_connection((first.host, first.port), self._timeout_s)
        except OSError as error:
            role = "the proxy " if route.proxy else ""
            raise Unreachable(f"cannot reach {role}{first.host}:{first.port}: {_reason(error)}") from error
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._finish(connection, route)
        except BaseException:
            connection.close()
            raise

    def _finish(self, connection: socket.socket, route: Route) -> Link:
        origin, proxy = route.target, route.proxy
        words = [f"{origin.host}:{origin.port}"]
        if proxy is not None and proxy.scheme == "https":
            if origin.scheme == "https":
                raise Unreachable("TLS to a proxy and TLS inside it cannot be had here; use an http:// proxy")
            connection = self._wrap(connection, proxy)
        if proxy is not None and origin.scheme == "https":
            open_tunnel(connection, route)
        if origin.scheme == "https":
            connection = self._wrap(connection, origin)
            words.append(connection.version() or "TLS")
        if proxy is not None:
            words.append(f"through the proxy {proxy.host}:{proxy.port}")
        return Link(connection, ", ".join(words))

    def _wrap(self, connection: socket.socket, origin: Origin) -> ssl.SSLSocket:
        if self._context is None:
            self._context = tls_context()
        try:
            return self._context.wrap_socket(connection, server_hostname=origin.host)
        except OSError as error:
            raise Unreachable(f"no TLS with {origin.host}:{origin.port}: {_reason(error)}") from error


def open_tunnel(connection: socket.socket, route: Route) -> None:
    """CONNECT (RFC 9110, 9.3.6). Raises Unreachable."""
    assert route.proxy is not None
    name = f"the proxy {route.proxy.host}:{route.proxy.port}"
    reader = ResponseReader("CONNECT")
    try:
        connection.sendall(connect_bytes(route))
        while reader.head is None:
            # One byte at a time: what follows the head belongs to the tunnel.
            data = connection.recv(1)
            if not data:
                reader.receive_end()
            reader.receive(data)
    except (OSError, *HTTP_FAILURES) as error:
        raise Unreachable(f"{name} opened no tunnel: {_reason(error)}") from error
    if not 200 <= reader.head.status < 300:
        answer = f"{reader.head.status} {reader.head.reason}".strip()
        raise Unreachable(f"{name} opened no tunnel: it answered {answer}")


def _reason(error: BaseException) -> str:
    return redact_text(said_by(error))
