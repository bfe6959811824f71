"""What went wrong below `requests`, as the standard library would say it: its errors and urllib3's wrap the real one.

    ConnectionError(MaxRetryError(reason=NewConnectionError(...)))   -> ConnectionRefusedError, phase "connect"
    ReadTimeoutError(...)                                            -> TimeoutError
    ChunkedEncodingError(ProtocolError(..., IncompleteRead(...)))    -> no other's: its innermost text

What comes out, `failures.explain` puts into words. Told apart by the names of classes along the chain of causes, so
that this imports neither library, and serves every version of both.
"""

from __future__ import annotations

import socket
from typing import Any, Callable, List, NamedTuple, Optional, Set

from ..protocol.errors import PayloadError
from ..protocol.redact import redact_text
from ..protocol.wire import DecodeError
from .failures import ProxyError, Trip, cause_to_show, detail_of, explain, peer_of
from .http1 import BadStatusLine, RemoteDisconnected


class _Kind(NamedTuple):
    names: str  # classes, any of which in the chain makes this row the one; the first that fits is it
    phase: str  # "" where it happens in several
    make: Callable[[str], Exception]


def _tls_error(detail: str) -> Exception:
    import ssl  # heavy, and needed where a handshake has failed only

    return ssl.SSLError(1, detail)


def _not_trusted(detail: str) -> Exception:
    import ssl

    return ssl.SSLCertVerificationError(1, detail)


_KINDS = (
    _Kind("ConnectTimeoutError ConnectTimeout", "connect", TimeoutError),
    _Kind("ReadTimeoutError ReadTimeout timeout TimeoutError", "", TimeoutError),
    _Kind("ProxyError", "connect", ProxyError),
    _Kind("SSLCertVerificationError CertificateError", "connect", _not_trusted),
    _Kind("gaierror NameResolutionError", "connect", socket.gaierror),
    _Kind("ConnectionRefusedError", "connect", ConnectionRefusedError),
    _Kind("NewConnectionError", "connect", OSError),
    _Kind("SSLError", "", _tls_error),
    _Kind("RemoteDisconnected", "head", RemoteDisconnected),
    _Kind("BadStatusLine LineTooLong", "head", BadStatusLine),
    _Kind("ConnectionResetError ConnectionAbortedError BrokenPipeError", "", ConnectionResetError),
    _Kind("DecodeError", "", DecodeError),
)
# urllib3 1.26 makes these while it handles the real error, which then is only their context. Elsewhere a context is no
# part of the story: it may be whatever the caller was handling when they called us.
_MADE_WHILE_HANDLING = frozenset(("NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError"))
_STANDARD_MODULES = frozenset(("builtins", "socket", "ssl", "http.client"))


def explain_library(error: Exception, trip: Trip, *, phase: str, proxy: str = "") -> Exception:
    """`failures.explain` for an error of requests. `phase` holds unless an error of the chain knows better."""
    kind = _kind_of(error)
    if kind is None and type(error) is OSError:  # requests raises it for a CA file that is missing
        return PayloadError(redact_text(f"cannot send to {peer_of(trip.url)}: {error}"), path="verify")
    phase = next((each._mark.phase for each in _chain(error) if hasattr(each, "_mark")), phase)
    return explain(plain(error), trip, phase=(kind and kind.phase) or phase, proxy=proxy)


def plain(error: Exception) -> Exception:
    """The standard library's error that says what one of requests means."""
    kind = _kind_of(error)
    if kind is None and isinstance(error, ValueError):  # a URL that cannot be used
        return ValueError(str(error))
    detail = detail_of(_chain(error)[-1])
    return Exception(detail) if kind is None else kind.make(detail)


def names_in(error: BaseException) -> Set[str]:
    """The names of the classes that took part in a failure: {"ProtocolError", "ConnectionResetError", ...}.

    Of standard errors also those of their bases. (To urllib3 1.26 a refusal is a kind of timeout.)
    """
    names: Set[str] = set()
    for each in _chain(error):
        kinds = type(each).__mro__ if type(each).__module__ in _STANDARD_MODULES else (type(each),)
        names.update(kind.__name__ for kind in kinds)
    return names


def was_stale(error: BaseException) -> bool:
    return any(each._mark.stale for each in _chain(error) if hasattr(each, "_mark"))


def clean_cause(error: Exception) -> Optional[BaseException]:
    """The cause to chain. Tracebacks print it, so of a chain that quotes a secret only the innermost error is shown."""
    chain = _chain(error)
    return error if all(map(cause_to_show, chain)) else cause_to_show(chain[-1])


def _kind_of(error: Exception) -> Optional[_Kind]:
    names = names_in(error)
    return next((kind for kind in _KINDS if not names.isdisjoint(kind.names.split())), None)


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
