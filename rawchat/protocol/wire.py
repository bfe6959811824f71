"""What crosses the wire, as values.

    > POST /v1/chat/completions HTTP/1.1          Request
    < HTTP/1.1 200 OK                             ResponseHead
    < data: {"choices":[{"index":0,"delta":...    a piece of the body, as bytes

A call tells its story in six WireEvents, each with a monotonic time, the number of the call within the process, and
of the attempt within the call, from 1:

    Sending -> Received -> Chunked -> Chunked -> ... -> Done         it went well
    Sending -> Received -> Failed -> Waiting -> Sending -> ...       an attempt failed, another follows
    Sending -> Failed                                                no answer, and no attempt left

A listener is any callable that takes one WireEvent; what it raises reaches the caller. Pure: the times are arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping  # typing's own take four times as long in isinstance
from typing import TYPE_CHECKING, Any, Callable, Dict, NamedTuple, Optional, Tuple, Union

HeaderPairs = Tuple[Tuple[str, str], ...]
TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+"  # what may name a header, RFC 9110 section 5.6.2

# How a cache on this side marks an answer: nothing was sent, nothing is to be paid. X-Cache is set by others, too.
KEPT_HEADER = ("X-Client-Cache", "hit")


class Headers(Mapping[str, str]):
    """Pairs in the order and case in which they crossed the wire, read in any case (RFC 9110 section 5.1)."""

    def __init__(self, pairs: Union[Iterable[Tuple[str, str]], Mapping[str, str]] = ()) -> None:
        self.pairs: HeaderPairs = tuple(pairs.items() if isinstance(pairs, Mapping) else pairs)
        self._values: Dict[str, str] = {}
        for name, value in self.pairs:
            lower = name.lower()
            # RFC 9110 section 5.3: repeated fields read as one, joined by a comma.
            self._values[lower] = f"{self._values[lower]}, {value}" if lower in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    if not TYPE_CHECKING:  # typed as Mapping's own, which is slow: it raises and catches for each absent name

        def get(self, name, default=None):
            return self._values.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        from .redact import redact_headers

        return f"Headers({redact_headers(self.pairs)!r})"


def parse_number(text: str) -> Optional[float]:
    """A plain decimal number; "nan" and "1_000", which float() takes, are none."""
    found = re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", text.strip())
    return float(found[0]) if found else None


def is_kept(headers: Optional[Mapping[str, str]]) -> bool:
    """Whether an answer with these headers cost nothing."""
    return headers is not None and headers.get(KEPT_HEADER[0]) == KEPT_HEADER[1]


class Request(NamedTuple):
    """A request, complete: nothing is added on its way but Host and framing."""

    method: str
    url: str
    headers: HeaderPairs
    body: bytes = b""

    def __repr__(self) -> str:
        from .redact import redact_headers, redact_text

        shown = f"{self.method} {redact_text(self.url)}, headers={redact_headers(self.headers)!r}"
        return f"Request({shown}, body={len(self.body)} bytes)"


class ResponseHead(NamedTuple):
    status: int
    reason: str
    headers: Headers
    http_version: str = "1.1"
    reused: Optional[bool] = None  # whether the connection was open before; None: unknown


class DecodeError(Exception):
    """A body is not in the Content-Encoding that its head names."""


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
    """A piece of the body, as one read gave it, after content decoding (gzip); of a whole reply, all."""

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
    final: bool  # the caller gets to see it; otherwise a Waiting follows


class Done(NamedTuple):
    at_s: float
    call: int
    attempt: int
    reply: Any  # what the caller gets
    cost_usd: Optional[float]  # None where the price is unknown
    whole: bool = True  # False: the caller left the stream, and the reply holds what had arrived


WireEvent = Union[Sending, Received, Chunked, Waiting, Failed, Done]
Listener = Callable[[WireEvent], None]
