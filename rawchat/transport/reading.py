r"""One answer on its way, as the sync doors read it: what has come is handed out at once.

< 5\r\nhello\r\n5\r\n wor        response.read_some() -> b"hello wor"
< ld\r\n0\r\n\r\n                response.read_some() -> b"ld", then b""
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Any, Callable, Optional, Tuple, Type

from ..protocol.errors import APIConnectionError
from ..protocol.wire import ResponseHead
from .base import Response
from .failures import Trip, cause_to_show, connection_error, explain, peer_of

READ_BYTES = 65536  # the most that one read takes


class Connection:
    """What brings an answer. `held`: its socket; None where there is none yet, or a fake's."""

    failures: Tuple[Type[Exception], ...]  # what it may raise
    read_piece: Callable[[], bytes]  # of the body, as soon as there is something; b"" at the end
    close: Callable[[], None]

    def __init__(self, held: Any = None) -> None:
        self._socket = held
        self._timeout_s: Optional[float] = -1.0  # not known yet

    def set_timeout(self, seconds: Optional[float]) -> None:
        if self._socket is not None and seconds != self._timeout_s:  # setting it is a system call
            self._timeout_s = seconds
            self._socket.settimeout(None if seconds is None else max(seconds, 0.001))  # 0 would mean "never wait"

    def shut_down(self) -> None:
        """Wake whoever reads, in any thread."""
        if self._socket is not None:
            with suppress(OSError):  # the server has hung up already
                # Not the socket's own `shutdown`, which over TLS drops the session under the reading thread.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class ConnectionResponse(Response):
    """`give_back` is called when the answer has ended: keep the connection, or close it."""

    def __init__(self, connection: Connection, trip: Trip, head: ResponseHead, give_back: Callable[[], None]) -> None:
        self.head = head
        self._connection: Optional[Connection] = connection  # None: it is another's
        self._give_back = give_back
        self._trip = trip
        self._received_bytes = 0
        self._stopped = ""
        self._lock = threading.Lock()  # `cancel` must not reach a connection that is another's

    def read_some(self) -> bytes:
        connection, data = self._connection, b""
        if connection is not None and not self._stopped:
            try:
                data = connection.read_piece()
            except connection.failures as error:
                raise self._broken(error) from cause_to_show(error)
            self._received_bytes += len(data)
        return data or self._end()

    def _end(self) -> bytes:
        with self._lock:
            if self._connection is not None and not self._stopped:
                self._connection = None
                self._give_back()
        if self._stopped:
            error = ConnectionAbortedError(f"the response is {self._stopped}")
            raise self._broken(error) from error
        return b""

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        if self._connection is not None and seconds != self._trip.read_timeout_s:
            self._trip = self._trip._replace(read_timeout_s=seconds)
            self._connection.set_timeout(seconds)

    def drain(self, limit_s: float) -> bool:
        ends_s = time.monotonic() + limit_s
        with suppress(APIConnectionError):  # nothing of the answer depends on this rest
            while self._connection is not None:
                rest_s = ends_s - time.monotonic()
                if rest_s > 0:
                    self.set_read_timeout(rest_s)
                    self.read_some()
                else:
                    self.close()
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


def watch(held: Any) -> Callable[[], Any]:
    """What tells at once whether a socket has something to read."""
    if not hasattr(select, "poll"):  # Windows, whose `select` takes any socket
        return lambda: select.select([held], [], [], 0)[0]
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return partial(poll.poll, 0)
