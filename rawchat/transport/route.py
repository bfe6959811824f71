"""Where a request goes, and whom TLS trusts: for doors without an HTTP library. Opens no connection.

    https://api.openai.com/v1/models    -> api.openai.com:443, TLS

The rules of proxies are in `proxies.py`: a copy without them sends nothing past a proxy that is named.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import quote, urlsplit

from ..protocol.errors import PayloadError
from ..protocol.optional import left_out
from ..protocol.redact import redact_text
from .failures import origin_of

if TYPE_CHECKING:
    import ssl

Verify = Union[bool, str, None]  # the options of a door; see StdlibTransport
Certificate = Union[str, Tuple[str, str], None]

_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """For a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Route(NamedTuple):
    target: Origin
    proxy: Optional[Origin] = None  # on the way
    proxy_url: str = ""  # as it was given, credentials and all


class Routes:
    """Those of one door, whose options it takes. The environment is read once per host."""

    def __init__(self, verify: Verify, cert: Certificate, proxies: Optional[Mapping[str, str]]) -> None:
        self.tls: Any = None  # until a route needs it
        self._trust = verify, cert
        self._proxies = dict(proxies or {})
        self._known: Dict[str, Route] = {}

    def route_to(self, url: str) -> Route:
        start = origin_of(url)
        route = self._known.get(start)
        if route is None:
            target = read_origin(url)
            proxy_url = find_proxy(target, self._proxies)
            proxy = read_origin(proxy_url, path="proxies") if proxy_url else None
            if self.tls is None and "https" in (target.scheme, proxy and proxy.scheme):
                self.tls = tls_context(*self._trust)
            route = self._known[start] = Route(target, proxy, proxy_url)
        return route


def find_proxy(target: Origin, proxies: Mapping[str, str]) -> str:
    """Its URL, or "". Raises NotInThisCopy where one is named, and the rules are absent."""
    with suppress(ImportError):
        from .proxies import proxy_for

        return str(proxy_for(*target, proxies))
    named = {name.lower() for name, value in os.environ.items() if value}
    # What the environment says of all hosts is seldom meant for this machine.
    local = target.host in ("localhost", "::1") or target.host.startswith("127.")
    if proxies or not (local or named.isdisjoint((f"{target.scheme}_proxy", "all_proxy"))):
        raise left_out("proxies")
    return ""


@lru_cache(maxsize=64)
def target_of(url: str) -> str:
    """Path and query, quoted where a request line wants it."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    plain = target.isascii() and target.isprintable() and " " not in target
    return target if plain else quote(target, safe="!#$%&'()*+,/:;=?@[]~")


def read_origin(url: str, *, path: str = "url") -> Origin:
    """PayloadError with `path` for what is no http(s) URL."""
    why = "it must begin with http:// or https://"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
        host = host if host.isascii() else host.encode("idna").decode("ascii")
        if host and port and parts.scheme in _PORTS:
            return Origin(parts.scheme, host, port)
    except ValueError as error:
        why = redact_text(str(error))
    raise PayloadError(f"cannot send to {redact_text(url)}: {why}", path=path)


def tls_context(verify: Verify = None, cert: Certificate = None) -> ssl.SSLContext:
    """Raises PayloadError for a file that can't be read."""
    import ssl  # heavy, and plain http does without

    bundle = verify if isinstance(verify, str) else ""
    if verify is None or verify is True:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    where: Dict[str, Any] = {"capath" if os.path.isdir(bundle) else "cafile": bundle or None}
    try:
        context = ssl.create_default_context(**where)
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as error:
        raise PayloadError(f"cannot read the certificates in {bundle or cert}: {error}", path="verify") from error
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
