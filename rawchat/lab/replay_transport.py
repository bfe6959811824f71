"""Doors that answer from a cassette: for test suites of programs over a Client, without network and without waiting.

    import pytest
    from rawchat import Client
    from rawchat.lab.replay_transport import ReplayTransport

    @pytest.fixture
    def client():
        transport = ReplayTransport("tests/calls.jsonl", ignore=["user"])
        with Client("any key", transport=transport) as client:
            yield client
        transport.assert_done()                     every recorded exchange was asked for

    def test_greeting(client):
        assert greet(client, "Ada") == "Hello, Ada!"

The cassette is made once, by `cassette.record` or a tap, against a real server. Streams come in the cuts in which they
came; what failed fails again, with the error that a real door raises: a 429 with its headers, a reset in mid-stream, a
timeout (at once, at speed "instant"). Which exchange answers is matching.py's part; HTTP is spoken by replay.py.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Iterable, Iterator, List, Mapping, Optional, Tuple, Type, Union

from ..protocol.errors import APIConnectionError, APITimeoutError
from ..protocol.wire import Request, ResponseHead
from ..transport.async_base import AsyncResponse, AsyncTransport
from ..transport.base import Response, Transport
from ..transport.failures import Trip, connection_error, explain
from ..transport.http1 import BrokenBody, RemoteDisconnected
from .cassette import Cassette, select
from .exchange import BODY, ENDS, End, Exchange
from .matching import Shelf
from .pace import Pace, pace_of

if TYPE_CHECKING:
    import asyncio

Source = Union[str, "os.PathLike[str]", Cassette]

# How the recording ended -> what a door meets then.
_CAUSES: Mapping[str, Tuple[Type[Exception], str]] = {
    "reset": (ConnectionResetError, "connection reset by peer"),
    "timeout": (TimeoutError, "timed out"),
    "unreachable": (ConnectionRefusedError, "connection refused"),
}
# What a server would have sent after these, nobody knows.
_ENDS_OF_THE_RECORDING = ("client_gone", "stopped")


def load(source: Source) -> Tuple[List[Exchange], str]:
    """(exchanges, name) of a path, of "calls.jsonl#3", or of a Cassette. Raises CassetteError, OSError."""
    if isinstance(source, Cassette):
        return source.exchanges, source.path
    path = os.fspath(source)
    cassette, one = select(path)
    return (cassette.exchanges if one is None else [one]), path


class Playback:
    """One exchange as a door meets it: a head or an error, then pieces, then an end or an error. Waits for nothing."""

    def __init__(self, exchange: Exchange, request: Request, read_timeout_s: Optional[float]) -> None:
        self.exchange = exchange
        self._pieces = iter(exchange.body_pieces())
        self._end = exchange.end or End(self._last_us(), "stopped", False)
        self._flaw = exchange.flaw
        self._trip = Trip(request.url, None, read_timeout_s)
        self._came_bytes = 0

    def _last_us(self) -> int:
        pieces = self.exchange.pieces
        return pieces[-1].at_us if pieces else self.exchange.head_us or 0

    def head(self) -> Tuple[int, Union[ResponseHead, Exception]]:
        """What comes of sending, and when."""
        if self.exchange.head is None:
            return self._end.at_us, self._failure("head")
        return self.exchange.head_us or 0, self.exchange.head

    def next(self) -> Tuple[int, Union[bytes, Exception]]:
        """What the next read gives, and when; b"" for the end."""
        for at_us, data in self._pieces:
            self._came_bytes += len(data)
            return at_us, data
        if self._flaw or not self._end.whole:
            return self._end.at_us, self._failure("body")
        return self._end.at_us, b""

    def _failure(self, phase: str) -> Exception:
        """The error that a real door raises there, with what it would have as its cause."""
        end = self._end
        phase = "connect" if end.how == "unreachable" else phase
        cause = self._cause(phase)
        if end.detail and self.exchange.layer == BODY:  # recorded inside the library: in the words of a door
            kind = APITimeoutError if end.how == "timeout" else APIConnectionError
            error: Exception = connection_error(end.detail, phase, kind)
        elif end.how in _ENDS_OF_THE_RECORDING:
            error = connection_error(f"the recording ends here: {ENDS.get(end.how, 'its end is missing')}", phase)
        else:
            received = self._came_bytes if phase == "body" else None
            error = explain(cause, self._trip, phase=phase, received_bytes=received)
        error.__cause__ = cause
        return error

    def _cause(self, phase: str) -> Exception:
        if self._end.how in _CAUSES:
            kind, words = _CAUSES[self._end.how]
            return kind(words)
        detail = self._end.detail
        return BrokenBody(self._flaw or detail) if phase == "body" else RemoteDisconnected(detail)


class _Door:
    """What the sync and the async door share."""

    def __init__(
        self,
        source: Source,
        *,
        speed: Union[str, float] = "instant",
        ignore: Iterable[str] = (),
        headers: Iterable[str] = (),
        after_last: str = "miss",
    ) -> None:
        exchanges, name = load(source)
        self.shelf = Shelf(exchanges, ignore=ignore, headers=headers, after_last=after_last, name=name)
        self.pace = pace_of(speed)
        self.requests: List[Request] = []
        self.sleeps: List[float] = []

    @property
    def unplayed(self) -> List[Exchange]:
        """Recorded exchanges that nobody has asked for yet."""
        return self.shelf.unplayed

    def assert_done(self) -> None:
        """AssertionError unless every recorded exchange was asked for."""
        left = self.shelf.unplayed
        if left:
            named = ", ".join(f"#{each.number} {each.request.method} {each.path}" for each in left)
            raise AssertionError(
                f"{len(left)} of {len(self.shelf.exchanges)} recorded exchanges not asked for: {named}"
            )

    def _play(self, request: Request, read_timeout_s: Optional[float]) -> Playback:
        self.requests.append(request)
        return Playback(self.shelf.take(request), request, read_timeout_s)


class ReplayTransport(_Door, Transport):
    """A door that answers from a cassette. Safe to share between threads.

    source      the path of a cassette, "calls.jsonl#3" for one exchange of it, or a Cassette
    speed       "instant", "original", or how many times faster than it was
    ignore      paths of the request's JSON that need not be equal: "user", "messages[0].content", "metadata.*";
                "query.NAME" for a parameter of the URL
    headers     names of request headers that must be equal; by default none must
    after_last  once all that fit have been played: "miss", "last" (that one again), "again" (from the first)

    requests, sleeps   what was sent, and the waits between attempts, in seconds; not slept at speed "instant"
    unplayed           the exchanges that nobody has asked for

    Raises CassetteMiss, which shows the nearest recording and what differs, for a request that none fits.
    """

    name = "replay"

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        return ReplayResponse(self._play(request, read_timeout_s), self.pace, read_timeout_s)

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        self.sleeps.append(seconds)
        if not self.pace.is_instant:
            (wake or threading.Event()).wait(self.pace.of_s(seconds))

    def close(self) -> None:
        """Nothing is open."""


class _Answer:
    """What a response of either door knows: its playback, how fast, how long a silence may last."""

    def __init__(self, playback: Playback, pace: Pace, read_timeout_s: Optional[float]) -> None:
        self._playback = playback
        self._pace = pace
        self._read_timeout_s = read_timeout_s
        self._sent_s = time.monotonic()
        self._stopped = ""
        self._ended = False

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self._read_timeout_s = seconds

    def _pause_s(self, at_us: int) -> Tuple[float, bool]:
        """How long to wait for what was recorded then, and whether that is longer than a silence may last."""
        wait_s = self._sent_s + self._pace.due_s(at_us) - time.monotonic()
        limit_s = self._read_timeout_s
        if limit_s is not None and wait_s > limit_s:
            return limit_s, True
        return wait_s, False

    def _too_late(self, phase: str) -> Exception:
        return connection_error(f"no byte within {self._read_timeout_s:g} s", phase, APITimeoutError)

    def _checked(self, found: Any) -> Any:
        if isinstance(found, Exception):
            self._stopped = self._stopped or "over"
            raise found
        self._ended = found == b""
        return found

    def _refuse_stopped(self) -> None:
        if self._stopped:
            raise connection_error(f"the replayed answer was {self._stopped}", "body")


class ReplayResponse(_Answer, Response):
    """One recorded answer on its way."""

    def __init__(self, playback: Playback, pace: Pace, read_timeout_s: Optional[float]) -> None:
        super().__init__(playback, pace, read_timeout_s)
        self._woken = threading.Event()
        at_us, found = playback.head()
        self._wait(at_us, "head")
        self.head = self._checked(found)

    def _wait(self, at_us: int, phase: str) -> None:
        seconds, too_late = self._pause_s(at_us)
        if seconds > 0:
            self._woken.wait(seconds)
        self._refuse_stopped()
        if too_late:
            raise self._too_late(phase)

    def read_some(self) -> bytes:
        if self._ended:
            return b""
        self._refuse_stopped()
        at_us, found = self._playback.next()
        self._wait(at_us, "body")
        data: bytes = self._checked(found)
        return data

    def drain(self, limit_s: float) -> bool:
        return all(not isinstance(found, Exception) for found in _rest(self._playback))

    def cancel(self) -> None:
        self._stopped = self._stopped or "cancelled"
        self._woken.set()

    def close(self) -> None:
        self._stopped = self._stopped or "closed"
        self._woken.set()


def _rest(playback: Playback) -> Iterator[Union[bytes, Exception]]:
    while True:
        _, found = playback.next()
        yield found
        if not found or isinstance(found, Exception):
            return


class AsyncReplayTransport(_Door, AsyncTransport):
    """The same for AsyncClient and AsyncOpenAI; arguments as in ReplayTransport."""

    name = "replay"

    async def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> AsyncResponse:
        response = AsyncReplayResponse(self._play(request, read_timeout_s), self.pace, read_timeout_s)
        await response.begin()
        return response

    async def sleep(self, seconds: float, wake: Optional[asyncio.Event] = None) -> None:
        import asyncio

        self.sleeps.append(seconds)
        if not self.pace.is_instant:
            await _wait_for(wake or asyncio.Event(), self.pace.of_s(seconds))

    async def aclose(self) -> None:
        """Nothing is open."""


class AsyncReplayResponse(_Answer, AsyncResponse):
    """One recorded answer on its way, awaited."""

    def __init__(self, playback: Playback, pace: Pace, read_timeout_s: Optional[float]) -> None:
        import asyncio

        super().__init__(playback, pace, read_timeout_s)
        self._woken = asyncio.Event()

    async def begin(self) -> None:
        """Wait for the head."""
        at_us, found = self._playback.head()
        await self._wait(at_us, "head")
        self.head = self._checked(found)

    async def _wait(self, at_us: int, phase: str) -> None:
        seconds, too_late = self._pause_s(at_us)
        if seconds > 0:
            await _wait_for(self._woken, seconds)
        self._refuse_stopped()
        if too_late:
            raise self._too_late(phase)

    async def read_some(self) -> bytes:
        if self._ended:
            return b""
        self._refuse_stopped()
        at_us, found = self._playback.next()
        await self._wait(at_us, "body")
        data: bytes = self._checked(found)
        return data

    async def drain(self, limit_s: float) -> bool:
        return all(not isinstance(found, Exception) for found in _rest(self._playback))

    def cancel(self) -> None:
        self._stopped = self._stopped or "cancelled"
        self._woken.set()

    def close(self) -> None:
        self._stopped = self._stopped or "closed"
        self._woken.set()


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    import asyncio

    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait({waiting}, timeout=seconds)
    finally:
        waiting.cancel()
