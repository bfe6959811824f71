"""The two sockets of a relay: never blocking, plain or TLS, each with what it still has to send.

    side.receive()     bytes; b"" at the end of the connection; None where nothing is there yet
    side.send(data)    at once as far as it goes; what is left goes out with the next `flush`
    wait(sides)        until one of them can be read or written

Knows nothing of HTTP.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from typing import Any, Dict, List, Optional, Sequence

READ_BYTES = 65536
# What one side may have waiting before the other side is no longer read: a slow reader slows the writer down, as on a
# direct connection.
MOST_WAITING_BYTES = 256 * 1024


class Side:
    """One end of a relay.

    reads        whether it is to be read
    waiting      bytes that could not be sent yet
    read_error   what broke the connection, once `receive` has met it
    write_error  why nothing more can be sent; reading may still give something
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.reads = True
        self.waiting = bytearray()
        self.read_error: Optional[OSError] = None
        self.write_error: Optional[OSError] = None
        self._is_tls = hasattr(connection, "pending")
        self._not_yet = _not_yet(self._is_tls)

    def receive(self) -> Optional[bytes]:
        """b"" where the connection has ended, or broken: then `read_error` is set."""
        try:
            return self.connection.recv(READ_BYTES)
        except self._not_yet:
            return None
        except OSError as error:
            self.read_error = error
            return b""

    @property
    def has_more(self) -> bool:
        """TLS has decrypted bytes that no selector knows of."""
        return self._is_tls and bool(self.connection.pending())  # type: ignore[attr-defined]

    def send(self, data: bytes) -> None:
        if self.write_error is None:
            self.waiting += data
            self.flush()

    def flush(self) -> None:
        while self.waiting:
            try:
                sent = self.connection.send(self.waiting)
            except self._not_yet:
                return
            except OSError as error:
                self.write_error = error
                self.waiting.clear()
                return
            del self.waiting[:sent]

    @property
    def is_full(self) -> bool:
        return len(self.waiting) > MOST_WAITING_BYTES

    def close(self) -> None:
        with contextlib.suppress(OSError):  # gone already: as wanted
            self.connection.close()


def _not_yet(is_tls: bool) -> Any:
    if not is_tls:
        return BlockingIOError
    import ssl

    return (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


class Waiter:
    """Waits for two sides at most. One for each relay, so that many connections share nothing."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._asked: Dict[Side, int] = {}

    def wait(self, sides: Sequence[Side]) -> List[Side]:
        """The sides that can be read now, perhaps none. What is waiting is sent on the way."""
        readable = [side for side in sides if side.reads and side.has_more]
        for side in sides:
            wanted = (selectors.EVENT_READ if side.reads else 0) | (selectors.EVENT_WRITE if side.waiting else 0)
            self._ask(side, wanted)
        if not self._asked:
            return readable
        for key, events in self._selector.select(0 if readable else None):
            if events & selectors.EVENT_WRITE:
                key.data.flush()
            if events & selectors.EVENT_READ and key.data.reads and key.data not in readable:
                readable.append(key.data)
        return readable

    def _ask(self, side: Side, wanted: int) -> None:
        known = self._asked.get(side, 0)
        if wanted == known:
            return
        if not wanted:
            self.forget(side)
        elif not known:
            self._selector.register(side.connection, wanted, side)
            self._asked[side] = wanted
        else:
            self._selector.modify(side.connection, wanted, side)
            self._asked[side] = wanted

    def forget(self, side: Side) -> None:
        """Before its socket is closed."""
        if self._asked.pop(side, 0):
            self._selector.unregister(side.connection)

    def close(self) -> None:
        self._selector.close()
