"""What broke a call on its way, as an error of ours, in plain words and with the numbers.

    BrokenBody   -> the answer of api.openai.com:443 broke off (212 bytes had come): ...

Told apart by the names of classes, so nothing is imported. `advice.py` knows causes, and what to do about them.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Type

from ..protocol.errors import APIConnectionError, APITimeoutError, PayloadError
from ..protocol.headers import CheckedPairs, merge_headers
from ..protocol.redact import redact_text
from ..protocol.wire import HeaderPairs, Headers


class Trip(NamedTuple):
    url: str
    connect_timeout_s: Optional[float]
    read_timeout_s: Optional[float]


class ProxyError(OSError):
    """The proxy would not let us through."""


_TIMEOUTS = {
    "connect": "no connection to {peer} within {connect_s}",
    "send": "{peer} did not take the request within {connect_s}",
    "head": "no answer from {peer} within {read_s}",
    "body": "no byte for {read_s} while reading the answer of {peer}{received}",
}


def explain(
    error: Exception, trip: Trip, *, phase: str, proxy: str = "", received_bytes: Optional[int] = None
) -> Exception:
    """An error of the connection, or of the payload for a URL of no use."""
    names = {kind.__name__ for each in (error, error.__cause__) for kind in type(each).__mro__}
    peer = peer_of(trip.url)
    late = bool(names & {"TimeoutError", "timeout"})  # before Python 3.10 sockets had a "timeout" of their own
    if late:
        text = _TIMEOUTS[phase]
    elif phase == "body":
        text = "the answer of {peer} broke off{received}: {detail}"
    elif isinstance(error, ValueError) and "OSError" not in names:
        return PayloadError(redact_text(f"cannot send to {peer}: {error}"), path="url")
    else:
        text = "the call to {peer} failed: {detail}"
    try:
        from .advice import advised

        text = advised(text, names, phase, late=late)
    except ImportError:  # a copy without hints
        pass
    text = text.format(
        peer=f"the proxy {proxy} on the way to {peer}" if "ProxyError" in names else peer,
        connect_s=_seconds(trip.connect_timeout_s),
        read_s=_seconds(trip.read_timeout_s),
        received="" if received_bytes is None else f" ({received_bytes} bytes had come)",
        detail=detail_of(error.__cause__ or error),
    )
    return connection_error(text, phase, APITimeoutError if late else APIConnectionError)


def connection_error(text: str, phase: str, kind: Type[APIConnectionError] = APIConnectionError) -> APIConnectionError:
    error = kind(redact_text(text))
    error.phase = phase
    return error


def cause_to_show(error: Exception) -> Optional[Exception]:
    """The cause to chain: none where it quotes a secret, which a traceback would print."""
    return error if redact_text(str(error)) == str(error) else None


def said_by(error: BaseException) -> str:
    """What an error says, in the plainest words it has."""
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    return str(said)


def detail_of(error: BaseException) -> str:
    """The same in one line that commands no terminal: it may quote whatever came."""
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in " ".join(said_by(error).split())[:200])


def _seconds(value: Optional[float]) -> str:
    return "the time allowed" if value is None else f"{value:g} s"


def origin_of(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def peer_of(url: str) -> str:
    """host:port, for people."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    except ValueError:
        return redact_text(origin_of(url))


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
    for seconds in timeouts_s:
        if seconds is not None and seconds <= 0:
            raise PayloadError(f"a timeout must be above 0 seconds; got {seconds!r}", path="timeout")
