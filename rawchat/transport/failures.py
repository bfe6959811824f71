"""What broke a call on its way, as an error of ours, in plain words.

    BrokenBody   -> the answer of api.openai.com:443 broke off (212 bytes had come): ...

Told apart by the names of classes, so nothing is imported. `advice.py` knows the causes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Dict, NamedTuple, Optional, Type

from ..protocol.errors import APIConnectionError, APITimeoutError, PayloadError
from ..protocol.headers import CheckedPairs, merge_headers
from ..protocol.redact import redact_text, short
from ..protocol.wire import HeaderPairs, Headers


class Trip(NamedTuple):
    url: str
    connect_timeout_s: Optional[float]
    read_timeout_s: Optional[float]


class ProxyError(OSError):
    """The proxy would not let us through."""


def explain(
    error: Exception, trip: Trip, *, phase: str, proxy: str = "", received_bytes: Optional[int] = None
) -> Exception:
    """An error of the connection, or of the payload for a URL of no use."""
    names = {kind.__name__ for each in (error, error.__cause__) for kind in type(each).__mro__}
    late = bool(names & {"TimeoutError", "timeout"})  # before Python 3.10 sockets had a "timeout" of their own
    peer, detail = peer_of(trip.url), detail_of(error.__cause__ or error)
    if isinstance(error, ValueError) and phase != "body" and not names & {"OSError", "timeout"}:
        return PayloadError(redact_text(f"cannot send to {peer}: {error}"), path="url")
    try:
        from .advice import template_for
    except ImportError:
        text = f"the call to {peer} {'took too long' if late else 'failed'}: {detail}"
    else:
        through = f"the proxy {proxy} on the way to {peer}" if "ProxyError" in names else peer
        limits_s = trip.connect_timeout_s, trip.read_timeout_s
        text = template_for(names, phase, limits_s, received_bytes, late=late).format(peer=through, detail=detail)
    return connection_error(text, phase, APITimeoutError if late else APIConnectionError)


def connection_error(text: str, phase: str, kind: Type[APIConnectionError] = APIConnectionError) -> APIConnectionError:
    error = kind(redact_text(text))
    error.phase = phase
    return error


def cause_to_show(error: Exception) -> Optional[Exception]:
    """The cause to chain: none where it quotes a secret, which a traceback would print."""
    return error if redact_text(str(error)) == str(error) else None


def detail_of(error: BaseException) -> str:
    """What an error says, in one line that commands no terminal: it may quote whatever came."""
    try:
        from .advice import line_of
    except ImportError:
        return short(str(error) or type(error).__name__, longest=200)
    return line_of(error)


def origin_of(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def peer_of(url: str) -> str:
    """The server, for people."""
    origin = redact_text(origin_of(url))
    try:
        from .advice import host_and_port
    except ImportError:
        return origin
    return host_and_port(url) or origin


def check_headers(pairs: HeaderPairs) -> Dict[str, str]:
    """Pairs as a dict; PayloadError, which shows no value, if they cannot be sent."""
    if isinstance(pairs, CheckedPairs):
        return dict(pairs)
    try:
        from .hand_made import checked
    except ImportError:  # a copy without what sends such
        return dict(merge_headers(CheckedPairs(), Headers(pairs)))
    return checked(pairs)


def check_timeouts(*timeouts_s: Optional[float]) -> None:
    with suppress(ImportError):  # those of a client are checked
        from .hand_made import check_limits

        check_limits(timeouts_s)
