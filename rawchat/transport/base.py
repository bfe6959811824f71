"""The door to the network: what a transport must offer.

    response = transport.send(Request("POST", url, headers, body), connect_timeout_s=5, read_timeout_s=600)
    while piece := response.read_some(): ...      # bytes as they come, compression undone, never held back

Sends what it is given: no redirect is followed, nothing added but Host and framing, no status made an exception.
Raises `APIConnectionError`, with `phase` set and the cause chained, and no other library's exceptions.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Optional

from ..protocol.wire import Request, ResponseHead

if TYPE_CHECKING:
    import threading


class Response:
    """One answer whose body is still on its way. Used by one thread, but for `cancel`."""

    head: ResponseHead

    def read_some(self) -> bytes:
        """As soon as there is something; b"" at the end of the body."""
        raise NotImplementedError

    def read(self) -> bytes:
        """All that is left of the body."""
        return b"".join(iter(self.read_some, b""))

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        """From the next read on, which raises APITimeoutError after this silence. None: never."""
        raise NotImplementedError

    def drain(self, limit_s: float) -> bool:
        """Drop what is left, as after [DONE]. Never raises. True: the connection can be used again."""
        raise NotImplementedError

    def cancel(self) -> None:
        """From any thread; a blocked `read_some` wakes up with APIConnectionError."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go; twice does no harm. A body not read to its end costs the connection."""
        raise NotImplementedError


class Transport:
    """A door. Safe to share between threads."""

    name = ""

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """Send once, and return with the head of the answer. None means no timeout."""
        raise NotImplementedError

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        """Between two attempts; `wake`, once set, ends it."""
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)

    def close(self) -> None:
        """Close every idle connection."""
