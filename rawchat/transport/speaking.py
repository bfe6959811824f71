r"""HTTP/1.1 spoken by ourselves over whatever carries bytes: a request for its route, and the answer out of what comes.

    connection.read() -> b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"      connection.read_head()
    connection.read() -> b"lo"                                            connection.read_piece() -> b"hel", b"lo", b""

The words are `http1.py`'s, the sockets `sockets.py`'s, asyncio's or urllib3's.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Tuple, Type

from ..protocol.optional import optional
from ..protocol.wire import Request, ResponseHead
from .http1 import HTTP_FAILURES, ResponseReader, encode_request
from .reading import Connection
from .route import Route, target_of


def request_bytes(request: Request, headers: Dict[str, str], route: Route) -> bytes:
    target, name = target_of(request.url), route.target.name
    if route.proxy is not None and route.target.scheme == "http":
        with optional("proxies"):
            from .proxies import to_proxy

        target, headers = to_proxy(f"http://{name}{target}", headers, route.proxy_url)
    return encode_request(request.method, target, headers, request.body, name)


class SpokenConnection(Connection):
    """A connection whose bytes a ResponseReader reads. `held`: its socket; None for a fake."""

    read: Callable[[], bytes]  # as soon as there is something; b"" at the end of the connection
    failures: Tuple[Type[Exception], ...] = (OSError, ValueError, *HTTP_FAILURES)

    def __init__(self, held: Any, reader: ResponseReader) -> None:
        super().__init__(held)
        self.reader = reader
        self._failure: Optional[Exception] = None

    def receive(self) -> None:
        if self._failure is not None:
            raise self._failure
        data = self.read()
        try:
            if data:
                self.reader.receive(data)
            else:
                self.reader.receive_end()
        except HTTP_FAILURES as error:
            self._failure = error  # for the next time: what came before it is handed out first

    def read_head(self) -> ResponseHead:
        while self.reader.head is None:
            self.receive()
        return self.reader.head

    def read_piece(self) -> bytes:
        reader = self.reader
        while not reader.pieces:
            if reader.at_end:
                return b""
            self.receive()
        return reader.take()
