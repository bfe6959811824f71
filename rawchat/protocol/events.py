"""WireEvents: what one call does, told to listeners as it happens, with monotonic times.

    Sending -> Received -> Failed -> Waiting -> Sending -> Received -> Chunked -> Chunked -> ... -> Done

What a listener raises reaches the caller. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Union

from .wire import Request, ResponseHead


class Sending(NamedTuple):
    at_s: float
    call: int
    attempt: int
    request: Request
    transport: str = ""  # the name of the door it goes through


class Received(NamedTuple):
    at_s: float
    call: int
    attempt: int
    head: ResponseHead


class Chunked(NamedTuple):
    """What one read gave of the body, decoded (gzip); of a whole reply, all."""

    at_s: float
    call: int
    attempt: int
    data: bytes

    def __repr__(self) -> str:  # the data may quote a key
        return f"Chunked(at_s={self.at_s}, call={self.call}, attempt={self.attempt}, data={len(self.data)} bytes)"


class Waiting(NamedTuple):
    at_s: float
    call: int
    attempt: int
    wait_s: float  # until the next attempt
    why: str  # for people: "429, the server asks for 2 s"


class Failed(NamedTuple):
    at_s: float
    call: int
    attempt: int
    error: Exception
    final: bool  # else a Waiting follows


class Done(NamedTuple):
    at_s: float
    call: int
    attempt: int
    reply: Any  # what the caller gets
    cost_usd: Optional[float]  # None: unknown
    whole: bool = True  # False: the caller left the stream before its end


WireEvent = Union[Sending, Received, Chunked, Waiting, Failed, Done]
Listener = Callable[[WireEvent], None]
