"""Where a request goes: host and port, through which proxy, and whom TLS trusts. For doors without an HTTP library.

    https://api.openai.com/v1/chat/completions            -> api.openai.com:443, TLS
    ... with HTTPS_PROXY=http://user:pass@proxy:3128      -> proxy:3128, CONNECT api.openai.com:443, then TLS
    ... with NO_PROXY=.openai.com                         -> api.openai.com:443, TLS

Reads the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE; OpenSSL itself
reads SSL_CERT_FILE) by the rules of requests. Opens no connection.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Tuple, Union
from urllib.parse import unquote, urlsplit

from ..protocol.errors import PayloadError
from ..protocol.redact import redact_text
from ..protocol.wire import Request
from .failures import origin_of
from .http1 import clean_target, encode_request

if TYPE_CHECKING:
    import ssl

_PORTS = {"http": 80, "https": 443}


class NewConnectionError(OSError):
    """A connection could not be made, for a reason that has no class of its own."""


class ProxyError(OSError):
    """The proxy would not let us through."""


class Origin(NamedTuple):
    """Scheme, host and port of a URL. `authorization` is the Basic credential of a proxy's URL, or ""."""

    scheme: str
    host: str
    port: int
    authorization: str = ""

    @property
    def name(self) -> str:
        """For a Host header: without a port that the scheme implies."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Route(NamedTuple):
    """The target, and the proxy on the way if there is one; with its URL as it was given, for messages."""

    target: Origin
    proxy: Optional[Origin] = None
    proxy_url: str = ""


class Routes:
    """The routes of one door, whose options (`verify`, `cert`, `proxies`) it takes. `tls`: there once a route needs it.

    The environment is read once per host: to walk through it for each call would cost more than the call.
    """

    def __init__(
        self,
        verify: Union[bool, str, None],
        cert: Union[str, Tuple[str, str], None],
        proxies: Optional[Mapping[str, str]],
    ) -> None:
        self.tls: Any = None
        self._verify = verify
        self._cert = cert
        self._proxies = dict(proxies or {})
        self._known: Dict[str, Route] = {}

    def route_to(self, url: str) -> Route:
        start = origin_of(url)
        route = self._known.get(start)
        if route is None:
            target = read_origin(url)
            proxy = proxy_for(target, self._proxies)
            hop = read_origin(proxy, path="proxies") if proxy else None
            if self.tls is None and "https" in (target.scheme, hop and hop.scheme):
                self.tls = tls_context(self._verify, self._cert)
            route = self._known[start] = Route(target, hop, proxy or "")
        return route


def request_bytes(request: Request, headers: Dict[str, str], route: Route) -> bytes:
    """A request as it goes to the first hop of its route."""
    parts = urlsplit(request.url)
    target = clean_target(f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
    if route.proxy is not None and route.target.scheme == "http":  # RFC 9112, 3.2.2: a proxy gets the whole URL
        target = f"http://{route.target.name}{target}"
        headers = {**headers, **credentials_for(route.proxy)}
    return encode_request(request.method, target, headers, request.body, route.target.name)


def connect_bytes(route: Route) -> bytes:
    """What asks the proxy of a route for a tunnel to its target (RFC 9110, 9.3.6)."""
    assert route.proxy is not None
    host = f"[{route.target.host}]" if ":" in route.target.host else route.target.host
    authority = f"{host}:{route.target.port}"
    return encode_request("CONNECT", authority, credentials_for(route.proxy), b"", authority)


def credentials_for(proxy: Origin) -> Dict[str, str]:
    return {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}


def read_origin(url: str, *, path: str = "url") -> Origin:
    """The origin of an http(s) URL. Raises PayloadError with `path` for any other."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError as error:
        raise PayloadError(f"cannot send to {redact_text(url)}: {redact_text(str(error))}", path=path) from None
    if parts.scheme not in _PORTS or not host:
        raise PayloadError(f"cannot send to {redact_text(url)}: it must begin with http:// or https://", path=path)
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme], _basic(parts.username, parts.password))


def _basic(user: Optional[str], password: Optional[str]) -> str:
    if user is None:
        return ""
    from base64 import b64encode  # only proxies with a password need it

    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode("ascii")


def proxy_for(target: Origin, proxies: Mapping[str, str]) -> Optional[str]:
    """The URL of the proxy on the way to `target`, from `proxies` (as requests takes them), else the environment."""
    environment = _environment_proxies()
    no_proxy = proxies.get("no_proxy") or environment.pop("no_proxy", "")
    if _is_exempt(target, no_proxy):
        environment = {}
    else:
        environment = environment or _system_proxies(target)
    known = {**environment, **proxies}
    for name in (f"{target.scheme}://{target.host}", target.scheme, f"all://{target.host}", "all"):
        if known.get(name):
            return known[name] if "://" in known[name] else f"http://{known[name]}"
    return None


def _environment_proxies() -> dict[str, str]:
    """{"https": URL, "no_proxy": names}; lower case wins over upper case, as in curl."""
    found = {}
    for name, value in sorted(os.environ.items()):  # upper case sorts first
        if name == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ:
            continue  # in a CGI program this is the request's header "Proxy" (CVE-2016-5385)
        lower = name.lower()
        if lower.endswith("_proxy") and value:
            found["no_proxy" if lower == "no_proxy" else lower[: -len("_proxy")]] = value
    return found


def _system_proxies(target: Origin) -> dict[str, str]:
    """What macOS and Windows have in their settings."""
    if sys.platform not in ("darwin", "win32"):
        return {}
    from urllib.request import getproxies, proxy_bypass  # heavy, and needed on these systems only

    return {} if proxy_bypass(target.host) else getproxies()


def _is_exempt(target: Origin, no_proxy: str) -> bool:
    return any(_matches(target, entry.strip().lower()) for entry in no_proxy.split(",") if entry.strip())


def _matches(target: Origin, entry: str) -> bool:
    """Whether an entry of NO_PROXY names the target: *, a host, a domain, either with a port, an address, a network."""
    if entry == "*":
        return True
    host = target.host.lower()
    for name in (host, f"{host}:{target.port}"):
        if name == entry or name.endswith("." + entry.lstrip(".")):
            return True
    if "/" not in entry:
        return False
    from ipaddress import ip_address, ip_network  # rarely needed

    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # the host is a name, or the entry no network
        return False


def tls_context(
    verify: Union[bool, str, None] = None, cert: Union[str, Tuple[str, str], None] = None
) -> ssl.SSLContext:
    """Whom to trust. `verify` and `cert` as in RequestsTransport. Raises PayloadError for a file that can't be read."""
    import ssl  # plain http, in tests and on the own machine, does without

    bundle = verify if isinstance(verify, str) else ""
    if verify is None or verify is True:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    try:
        context = ssl.create_default_context(
            cafile=bundle if bundle and not os.path.isdir(bundle) else None,
            capath=bundle if os.path.isdir(bundle) else None,
        )
        if cert is not None:
            context.load_cert_chain(*((cert,) if isinstance(cert, str) else cert))
    except OSError as error:
        raise PayloadError(
            f"cannot read the certificates in {cert if bundle == '' else bundle}: {error}", path="verify"
        ) from error
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
