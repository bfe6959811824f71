"""What broke a call on its way, as an error of ours, in plain words and with the numbers.

    ConnectionRefusedError   -> cannot connect to 127.0.0.1:8000: connection refused
    BrokenBody               -> the answer of api.openai.com:443 broke off (212 bytes had come): ...

Told apart by the names of their classes, so the tables import nothing. What to do about it stands in `advice.py`.
"""

from __future__ import annotations

import re
from typing import Dict, NamedTuple, Optional, Type

from ..protocol.errors import APIConnectionError, APITimeoutError, PayloadError
from ..protocol.headers import CheckedPairs
from ..protocol.redact import redact_text
from ..protocol.wire import TOKEN, HeaderPairs


class Trip(NamedTuple):
    """What a message says of a call."""

    url: str
    connect_timeout_s: Optional[float]
    read_timeout_s: Optional[float]


class ProxyError(OSError):
    """The proxy would not let us through."""


_CAUSES = {  # the first row that fits is it
    "timeout connect": "no connection to {peer} within {connect_s}",
    "timeout send": "{peer} did not take the request within {connect_s}",
    "timeout head": "no answer from {peer} within {read_s}",
    "timeout body": "no byte for {read_s} while reading the answer of {peer}{received}",
    "ProxyError": "cannot get through {peer}: {detail}",
    "SSLCertVerificationError": "cannot trust {peer}: {detail}",
    "gaierror": "cannot find {peer}: {detail}",
    "ConnectionRefusedError": "cannot connect to {peer}: connection refused",
    "SSLError": "TLS with {peer} failed: {detail}",
    "RemoteDisconnected": "{peer} closed the connection without an answer",
    "BadStatusLine": "{peer} does not answer in HTTP: {detail}",
    "ConnectionError": "{peer} broke the connection: {detail}",
    "OSError": "cannot connect to {peer}: {detail}",
    "": "the call to {peer} failed: {detail}",
}
_BODY_CAUSES = {
    "timeout body": _CAUSES["timeout body"],
    "DecodeError": "cannot decode the answer of {peer}{received}: {detail}",
    "": "the answer of {peer} broke off{received}: {detail}",
}
_VALUE = re.compile(r"(?![ \t])[\1-\t\v\f\x0e-\xff]*(?<![ \t])")  # no NUL, no line break, nothing beyond Latin-1


def explain(
    error: Exception, trip: Trip, *, phase: str, proxy: str = "", received_bytes: Optional[int] = None
) -> Exception:
    """A connection error, a timeout, or PayloadError for a URL of no use."""
    names = {kind.__name__ for each in (error, error.__cause__) for kind in type(each).__mro__}
    late = bool(names & {"TimeoutError", "timeout"})  # before Python 3.10 sockets had a "timeout" of their own
    names |= {f"timeout {phase}"} if late else set()
    peer = peer_of(trip.url)
    texts = _BODY_CAUSES if phase == "body" else _CAUSES
    cause = next((name for name in texts if name in names), "")
    if not cause and phase != "body" and isinstance(error, ValueError):
        return PayloadError(redact_text(f"cannot send to {peer}: {error}"), path="url")
    text = texts[cause].format(
        peer=f"the proxy {proxy} on the way to {peer}" if "ProxyError" in names else peer,
        connect_s=_seconds(trip.connect_timeout_s),
        read_s=_seconds(trip.read_timeout_s),
        received="" if received_bytes is None else f" ({received_bytes} bytes had come)",
        detail=detail_of(error.__cause__ or error),
    )
    return connection_error(text + _advice(cause), phase, APITimeoutError if late else APIConnectionError)


def _advice(cause: str) -> str:
    try:
        from .advice import advice_for
    except ImportError:  # a copy without hints
        return ""
    return advice_for(cause)


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
    """The same in one line that commands no terminal: it may quote whatever came instead of HTTP."""
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
    headers: Dict[str, str] = {}
    spelling: Dict[str, str] = {}
    for name, value in pairs:
        if not (re.fullmatch(TOKEN, name) and _VALUE.fullmatch(value)):
            raise PayloadError(
                f"header {name!r} has a character, or a blank at an end, that HTTP has no place for", path="headers"
            )
        first = spelling.setdefault(name.lower(), name)
        headers[first] = f"{headers[first]}, {value}" if first in headers else value
    return headers


def check_timeouts(*timeouts_s: Optional[float]) -> None:
    for seconds in timeouts_s:
        if seconds is not None and seconds <= 0:
            raise PayloadError(f"a timeout must be above 0 seconds; got {seconds!r}", path="timeout")
