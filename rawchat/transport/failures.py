"""What went wrong on the way, in plain words: any library's exception becomes ours, with the numbers and what to check.

    ConnectionRefusedError      -> cannot connect to 127.0.0.1:8000: connection refused; is the server running?
    ReadTimeoutError            -> no answer from api.openai.com:443 within 600 s; if the model needs longer, ...
    IncompleteRead              -> the answer of api.openai.com:443 broke off after 212 bytes: ...

Errors are told apart by the names of their classes along the chain of causes, so the tables import nothing and serve
any door. Secrets that a library quotes (a proxy's password) don't get through.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple, Type

from ..protocol.errors import APIConnectionError, APITimeoutError, PayloadError
from ..protocol.headers import CheckedPairs
from ..protocol.redact import redact_text
from ..protocol.wire import HeaderPairs


class Trip(NamedTuple):
    """What an error message needs to know of a call."""

    url: str
    connect_timeout_s: Optional[float]
    read_timeout_s: Optional[float]


class _Cause(NamedTuple):
    names: Tuple[str, ...]  # classes, any of which in the chain of errors makes this row the cause; () fits all
    phase: str  # "" where it happens in several
    text: str


_TIMEOUT_NAMES = frozenset(
    ("ConnectTimeoutError", "ReadTimeoutError", "ConnectTimeout", "ReadTimeout", "timeout", "TimeoutError")
)
_TIMEOUTS = {
    "connect": "no connection to {peer} within {connect_s}; is the address right, and no firewall in between?",
    "send": "{peer} did not take the request within {connect_s}",
    "head": "no answer from {peer} within {read_s}; if the model needs longer, give a longer timeout, or stream",
    "body": "no byte for {read_s} while reading the answer of {peer}{received}",
}
_CAUSES = (  # the first row that fits is it
    _Cause(("ProxyError",), "connect", "cannot get through {peer}: {detail}; check proxies=, HTTPS_PROXY and NO_PROXY"),
    _Cause(
        ("SSLCertVerificationError", "CertificateError"),
        "connect",
        "cannot trust {peer}: {detail}; for a CA of your own, give its file as verify= or in REQUESTS_CA_BUNDLE",
    ),
    _Cause(
        ("gaierror", "NameResolutionError"), "connect", "cannot find {peer}: {detail}; check base_url, and the network"
    ),
    _Cause(
        ("ConnectionRefusedError",), "connect", "cannot connect to {peer}: connection refused; is the server running?"
    ),
    _Cause(("NewConnectionError",), "connect", "cannot connect to {peer}: {detail}; check base_url, and the network"),
    _Cause(("SSLError",), "", "TLS with {peer} failed: {detail}; if it speaks plain HTTP, write http:// in base_url"),
    _Cause(("RemoteDisconnected",), "head", "{peer} closed the connection without an answer"),
    _Cause(
        ("BadStatusLine", "LineTooLong"),
        "head",
        "{peer} does not answer in HTTP: {detail}; check port and scheme of base_url",
    ),
    _Cause(
        ("FetchError",),
        "head",
        "no answer from {peer}: {detail}. A browser tells a page no more, its console does; likely the server does not "
        "allow this page, or a header of the request (CORS), or the page is https: and the server is not, or no server "
        "is there",
    ),
    _Cause(
        ("ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"),
        "",
        "{peer} broke the connection: {detail}",
    ),
)
_BODY_CAUSES = (
    _Cause(("DecodeError",), "body", "cannot decode the answer of {peer}{received}: {detail}"),
    _Cause((), "body", "the answer of {peer} broke off{received}: {detail}"),
)
_UNKNOWN_CAUSE = _Cause((), "", "the call to {peer} failed: {detail}")
# urllib3 1.26 makes these while it handles the real error, which then is only their context. Elsewhere a context is no
# part of the story: it may be whatever the caller was handling when they called us.
_MADE_WHILE_HANDLING = frozenset(("NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError"))
_STANDARD_MODULES = frozenset(("builtins", "socket", "ssl", "http.client"))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_NOT_IN_VALUE = re.compile(r"[^\1-\t\v\f\x0e-\xff]")  # NUL, a line break, or beyond Latin-1


def explain(
    error: Exception, call: Trip, *, phase: str, proxy: str = "", received_bytes: Optional[int] = None
) -> Exception:
    """The error of ours for whatever broke a call: a connection error, a timeout, or PayloadError for a local mistake.

    `phase` holds unless an error of the chain knows better; `proxy` is the URL of the proxy on the way, if any.
    """
    chain = _chain(error)
    names = _names(chain)
    phase = next((each._mark.phase for each in chain if hasattr(each, "_mark")), phase)
    peer = peer_of(call.url)
    words = {
        "peer": f"the proxy {proxy} on the way to {peer}" if "ProxyError" in names else peer,
        "connect_s": _seconds(call.connect_timeout_s),
        "read_s": _seconds(call.read_timeout_s),
        "received": "" if received_bytes is None else f" ({received_bytes} bytes had come)",
        "detail": _detail(chain[-1]),
    }
    if names & _TIMEOUT_NAMES:
        phase = "connect" if names & {"ConnectTimeoutError", "ConnectTimeout"} else phase
        return connection_error(_TIMEOUTS[phase].format(**words), phase, APITimeoutError)
    rows = _BODY_CAUSES if phase == "body" else _CAUSES
    cause = next((row for row in rows if not row.names or names.intersection(row.names)), _UNKNOWN_CAUSE)
    if cause is _UNKNOWN_CAUSE and (isinstance(error, ValueError) or type(error) is OSError):
        # A URL or timeout that cannot be used; a bare OSError is what requests raises for a missing CA file.
        path = "url" if isinstance(error, ValueError) else "verify"
        return PayloadError(redact_text(f"cannot send to {peer}: {error}"), path=path)
    return connection_error(cause.text.format(**words), cause.phase or phase)


def connection_error(text: str, phase: str, kind: Type[APIConnectionError] = APIConnectionError) -> APIConnectionError:
    error = kind(redact_text(text))
    error.phase = phase
    return error


def _chain(error: BaseException) -> List[Any]:
    """The error and what caused it, outermost first. The libraries keep causes in `args`, `reason`, `__cause__`."""
    chain: List[Any] = []
    waiting: List[Any] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or any(each is known for known in chain):
            continue
        chain.append(each)
        waiting += [*each.args, getattr(each, "reason", None), each.__cause__]
        if type(each).__name__ in _MADE_WHILE_HANDLING:
            waiting.append(each.__context__)
    return chain


def _names(chain: List[Any]) -> Set[str]:
    """Class names, of standard errors also those of their bases. (To urllib3 1.26 a refusal is a kind of timeout.)"""
    names: Set[str] = set()
    for each in chain:
        kinds = type(each).__mro__ if type(each).__module__ in _STANDARD_MODULES else (type(each),)
        names.update(kind.__name__ for kind in kinds)
    return names


def names_in(error: BaseException) -> Set[str]:
    """The names of the classes that took part in a failure: {"ProtocolError", "ConnectionResetError", ...}."""
    return _names(_chain(error))


def was_stale(error: BaseException) -> bool:
    return any(each._mark.stale for each in _chain(error) if hasattr(each, "_mark"))


def cause_to_show(error: Exception) -> Optional[BaseException]:
    """The cause to chain. Tracebacks print it, so of one that quotes a secret only the innermost error is shown."""
    chain = _chain(error)
    if all(_is_clean(each) for each in chain):
        return error
    return chain[-1] if _is_clean(chain[-1]) else None


def _is_clean(error: BaseException) -> bool:
    return redact_text(str(error)) == str(error)


def _detail(error: Any) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    line = " ".join(str(text).split())[:200]
    # What is no HTTP may be anything: nothing of it is to command a terminal.
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in line)


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
    """Pairs as a dict; PayloadError if they cannot be sent. Its message shows no value: that may be the key."""
    if isinstance(pairs, CheckedPairs):
        return dict(pairs)
    headers: Dict[str, str] = {}
    spelling: Dict[str, str] = {}
    for name, value in pairs:
        if not _TOKEN.fullmatch(name):
            raise PayloadError(f"{name!r} is no header name", path="headers")
        if _NOT_IN_VALUE.search(value) or value != value.strip(" \t"):
            raise PayloadError(
                f"the value of header {name} has a line break, a blank at an end, or a character outside Latin-1 in it",
                path=f"headers[{name!r}]",
            )
        first = spelling.setdefault(name.lower(), name)
        headers[first] = f"{headers[first]}, {value}" if first in headers else value
    return headers


def check_timeouts(*timeouts_s: Optional[float]) -> None:
    for seconds in timeouts_s:
        if seconds is not None and seconds <= 0:
            raise PayloadError(f"a timeout must be above 0 seconds; got {seconds!r}", path="timeout")
