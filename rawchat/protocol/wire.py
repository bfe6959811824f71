"""What crosses the wire, as values: a Request, a response head, and the one event vocabulary.

    > POST /v1/chat/completions HTTP/1.1          Request
    < HTTP/1.1 200 OK                             ResponseHead
    < data: {"choices":[{"index":0,"delta":...    a piece of the body, as bytes

A call tells its story in six WireEvents, each with a monotonic time, the number of the call within the
process and the number of the attempt within the call:

    Sending -> Received -> Chunked -> Chunked -> ... -> Done         it went well
    Sending -> Received -> Failed -> Waiting -> Sending -> ...       an attempt failed, another follows
    Sending -> Failed                                                no answer, and no attempt left

That one vocabulary feeds the trace, the cassette, the progress line and the tests. A listener is any callable that
takes one WireEvent; what it raises reaches the caller. Pure: the times are arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping  # typing's own take four times as long in isinstance
from typing import TYPE_CHECKING, Any, Callable, Dict, NamedTuple, Optional, Tuple, Union

HeaderPairs = Tuple[Tuple[str, str], ...]

# The header with which a cache on this side marks an answer it had kept: nothing was sent, so nothing is to be paid.
# Not X-Cache, which proxies and CDNs on the way set as they like.
KEPT_HEADER = ("X-Client-Cache", "hit")


_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"  # text, compiled at first use by `re` itself


class Headers(Mapping[str, str]):
    """Header pairs in the order and case they crossed the wire, read without regard to case (RFC 9110 section 5.1).

    >>> Headers([("X-Request-Id", "r1"), ("Via", "a"), ("via", "b")])["via"]
    'a, b'
    """

    __slots__ = ("_values", "pairs")

    def __init__(self, pairs: Union[Iterable[Tuple[str, str]], Mapping[str, str]] = ()) -> None:
        self.pairs: HeaderPairs = tuple(pairs.items() if isinstance(pairs, Mapping) else pairs)
        values: Dict[str, str] = {}
        for name, value in self.pairs:
            lower = name.lower()
            # RFC 9110 section 5.3: repeated fields read as one, joined by a comma.
            values[lower] = f"{values[lower]}, {value}" if lower in values else value
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    if not TYPE_CHECKING:  # the types are those of Mapping, whose own raises and catches for each name that is absent

        def get(self, name, default=None):
            return self._values.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __reduce__(self) -> Tuple[type, Tuple[HeaderPairs]]:
        return Headers, (self.pairs,)  # pickle's oldest protocols know no __slots__

    def __repr__(self) -> str:
        from .redact import redact_headers

        return f"Headers({redact_headers(self.pairs)!r})"


def parse_number(text: str) -> Optional[float]:
    """A plain decimal number; "nan", "inf" and "1_000" are none, though float() takes them."""
    text = text.strip()
    return float(text) if re.fullmatch(_NUMBER, text) else None


def is_kept(headers: Optional[Mapping[str, str]]) -> bool:
    """Whether an answer with these headers comes from a cache on this side, and cost nothing."""
    name, value = KEPT_HEADER
    return headers is not None and headers.get(name) == value


class Request(NamedTuple):
    """One HTTP request, complete: all of it crosses the wire, and nothing is added but Host and framing."""

    method: str
    url: str
    headers: HeaderPairs
    body: bytes = b""

    def __repr__(self) -> str:
        from .redact import redact_headers, redact_text

        return (
            f"Request({self.method} {redact_text(self.url)}, headers={redact_headers(self.headers)!r}, "
            f"body={len(self.body)} bytes)"
        )


class ResponseHead(NamedTuple):
    """Status line and headers, before any byte of the body. `reused`: the connection was open before; None: unknown."""

    status: int
    reason: str
    headers: Headers
    http_version: str = "1.1"
    reused: Optional[bool] = None


class Sending(NamedTuple):
    """An attempt goes out. `attempt` counts from 1. `transport` names the door it goes through."""

    at_s: float
    call: int
    attempt: int
    request: Request
    transport: str = ""


class Received(NamedTuple):
    """The head of the answer is here."""

    at_s: float
    call: int
    attempt: int
    head: ResponseHead


class Chunked(NamedTuple):
    """A piece of the body, as one read gave it, after content decoding (gzip); for a whole reply, all of it."""

    at_s: float
    call: int
    attempt: int
    data: bytes

    def __repr__(self) -> str:  # what was said, and any key that a server quotes, is in the data
        return f"Chunked(at_s={self.at_s}, call={self.call}, attempt={self.attempt}, data={len(self.data)} bytes)"


class Waiting(NamedTuple):
    """The call sleeps `wait_s` seconds before its next attempt. `why` is for people: "429, the server asks for 2 s"."""

    at_s: float
    call: int
    attempt: int
    wait_s: float
    why: str


class Failed(NamedTuple):
    """An attempt failed with `error`. `final`: the caller gets to see it; otherwise a Waiting follows."""

    at_s: float
    call: int
    attempt: int
    error: Exception
    final: bool


class Done(NamedTuple):
    """The call ended well. `reply` is what the caller gets; `cost_usd` is None where the price is unknown.

    `whole` is False where the caller left a stream early: the reply holds what had arrived by then.
    """

    at_s: float
    call: int
    attempt: int
    reply: Any
    cost_usd: Optional[float]
    whole: bool = True


WireEvent = Union[Sending, Received, Chunked, Waiting, Failed, Done]
Listener = Callable[[WireEvent], None]
