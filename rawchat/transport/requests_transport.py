"""The default door: one `requests` Session, one `session.post(...)` per attempt.

    > POST /v1/chat/completions HTTP/1.1
    > Host: api.openai.com                      written by http.client
    > Authorization: Bearer <key:3f2a91>        the headers of the Request,
    > Content-Type: application/json            in order and case, and none besides
    > Content-Length: 128                       added unless the Request has one
    >
    > {"model":"gpt-4o-mini",...

Nothing that requests likes to add crosses the wire: no User-Agent, Accept or Accept-Encoding of its own, no cookie, no
key from ~/.netrc; no redirect is followed. Two headers of one name go out as one, joined by a comma (RFC 9110, 5.3).

Works with requests 2.25 and newer over urllib3 1.26 and 2.x. Both are named in this module alone, and imported when a
door is built. Fakes that patch `HTTPAdapter.send` (responses) or `Session.get_adapter` (requests-mock) keep working.

Does not retry, with one exception: an idle connection that the server closes just as we send on it (see `send`).
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    Type,
    Union,
)

from ..protocol.errors import APIConnectionError
from ..protocol.wire import Headers, Request, ResponseHead
from .base import Response, Transport
from .failures import Trip, cause_to_show, check_headers, connection_error, explain, origin_of, peer_of, was_stale
from .http1 import BrokenBody
from .reading import (
    header_pairs_of,
    nothing_more,
    raise_cancelled,
    raise_closed,
    reader_of,
    real_or_stand_in,
    socket_of,
)

if TYPE_CHECKING:
    import threading

    import requests

_HTTP_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
_MOST_URLS = 256  # prepared URLs kept per Session; a client uses two or three
_SHORTEST_TIMEOUT_S = 0.001  # a socket timeout of 0 would mean "never wait", which is another mode
_LEFT_OUT = "(left out)"


class RequestsTransport(Transport):
    """A door over `requests`.

    verify      True, False, or the path of a CA file or folder; None: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, else True
    cert        client certificate: a path, or (certificate, key)
    proxies     as requests takes them, {"https": "http://proxy:3128"}; what is absent comes from the environment
    pool_size   idle connections kept per host; more may be open at once, but the surplus is not kept
    session     a Session of the caller's own, used as it is (its headers, proxies, environment lookups), and left open

    The environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, the CA bundle) is read once per door and target host.
    Raises ImportError where `requests` is not installed.
    """

    name = "requests"

    def __init__(
        self,
        *,
        verify: Union[bool, str, None] = None,
        cert: Union[str, Tuple[str, str], None] = None,
        proxies: Optional[Mapping[str, str]] = None,
        pool_size: int = 64,
        session: Optional[requests.Session] = None,
    ) -> None:
        self._utils = _import_requests().utils
        self._verify = verify
        self._cert = cert
        self._proxies = dict(proxies or {})
        self._pool_size = pool_size
        self._own = session is None
        self._session = session if session is not None else _lean_session(pool_size)
        self._abandoned: List[requests.Session] = []
        self._process = os.getpid()
        self._routes: Dict[str, Dict[str, Any]] = {}

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """Send `request`; send it again at once if the idle connection it was sent on turns out to be closed.

        Servers close idle connections, sometimes while our request is on its way. No byte of an answer has come then,
        so, like curl and the browsers, we send it once more on another connection (RFC 9112, 9.3.1). Only where it is
        certain that the connection had answered before: a new one that dies may have died of this very request.
        """
        headers = check_headers(request.headers)
        call = Trip(request.url, connect_timeout_s, read_timeout_s)
        try:
            return self._send_once(request, headers, call)
        except _failures() as error:
            if not was_stale(error):
                raise self._explained(error, call) from cause_to_show(error)
        try:
            return self._send_once(request, headers, call)
        except _failures() as error:
            raise self._explained(error, call) from cause_to_show(error)

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)

    def close(self) -> None:
        """Close every idle connection. A Session that the caller brought is theirs to close."""
        if self._own:
            self._session.close()

    def _send_once(self, request: Request, headers: Dict[str, str], call: Trip) -> Response:
        session = self._session_of_this_process()
        options: Dict[str, Any] = {
            "headers": headers,
            "timeout": (call.connect_timeout_s, call.read_timeout_s),
            "stream": True,
            "allow_redirects": False,
            **self._route(request.url),
        }
        if not session.auth:
            # A callable here keeps ~/.netrc from replacing the key (psf/requests#3929).
            options["auth"] = _leave_headers_alone
        if request.method == "POST":
            answer = session.post(request.url, data=request.body, **options)
        elif request.method == "GET":
            answer = session.get(request.url, **options)
        else:
            answer = session.request(request.method, request.url, data=request.body, **options)
        return RequestsResponse(answer, call)

    def _session_of_this_process(self) -> requests.Session:
        """The child of a fork starts with connections of its own: parent and child would write into one TCP stream.

        The parent's Session is kept, untouched: closing it could wait for a lock that some thread held at the fork.
        """
        if self._process != os.getpid():
            self._process = os.getpid()
            if self._own:
                self._abandoned.append(self._session)
                self._session = _lean_session(self._pool_size)
        return self._session

    def _route(self, url: str) -> Dict[str, Any]:
        """`proxies`, `verify`, `cert`, looked up once per origin: a Session walks the environment twice a call."""
        origin = origin_of(url)
        route = self._routes.get(origin)
        if route is None:
            route = self._routes[origin] = self._own_route(url) if self._own else self._given_route()
        return route

    def _own_route(self, url: str) -> Dict[str, Any]:
        found = self._utils.get_environ_proxies(url, no_proxy=self._proxies.get("no_proxy"))
        verify = self._verify
        if verify is None or verify is True:
            verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        return {"proxies": {**found, **self._proxies}, "verify": verify, "cert": self._cert}

    def _given_route(self) -> Dict[str, Any]:
        """Over a caller's Session only what was said here is passed on; the rest is the Session's business."""
        route = {"proxies": self._proxies or None, "verify": self._verify, "cert": self._cert}
        return {name: value for name, value in route.items() if value is not None}

    def _explained(self, error: Exception, call: Trip) -> Exception:
        proxies = self._routes.get(origin_of(call.url), {}).get("proxies") or self._session.proxies
        proxy = self._utils.select_proxy(call.url, proxies) or ""
        # Over a Session of ours what fails after connecting is marked, so a bare timeout is that of a TLS handshake.
        return explain(error, call, phase="connect" if self._own else "head", proxy=proxy)


class RequestsResponse(Response):
    """One answer over urllib3; also wraps a `requests.Response` of anybody's, asked for with `stream=True`.

    The socket is ours until the body ends; at that moment urllib3 hands the connection back to its pool.
    """

    def __init__(self, answer: requests.Response, call: Optional[Trip] = None) -> None:
        answer = real_or_stand_in(answer)
        self._answer = answer
        self._raw = answer.raw
        self._socket = socket_of(self._raw)
        if call is None:
            call = Trip(answer.url, None, None if self._socket is None else self._socket.gettimeout())
        self._call = call
        self._read_timeout_s = call.read_timeout_s
        self._reader = reader_of(answer)
        self._next_piece = self._reader.next_piece
        self._received_bytes = 0
        self._cancelled = False
        self._reading_whole = False
        self.head = ResponseHead(
            status=answer.status_code,
            reason=answer.reason or "",
            headers=Headers(header_pairs_of(self._raw)),
            http_version=_HTTP_VERSIONS.get(getattr(self._raw, "version", 0), "1.1"),
            reused=getattr(getattr(self._raw, "connection", None), "reused", None),
        )

    def read_some(self) -> bytes:
        try:
            piece = self._next_piece()
            if not piece:
                self._end()
                return b""
        except _failures() as error:
            raise self._broken(error) from cause_to_show(error)
        self._received_bytes += len(piece)
        return piece

    def read(self) -> bytes:
        """All that is left of the body; untouched, in one call to urllib3, the quickest way for a large one."""
        begun = self._received_bytes or not self._reader.untouched
        if begun or self._next_piece is not self._reader.next_piece:
            return super().read()
        self._reading_whole = True
        try:
            whole: bytes = self._raw.read(decode_content=True) or b""
            self._received_bytes = len(whole)
            self._end()
        except _failures() as error:
            raise self._broken(error) from cause_to_show(error)
        return whole

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        if seconds == self._read_timeout_s:
            return
        self._read_timeout_s = seconds
        if self._socket is not None:
            self._socket.settimeout(None if seconds is None else max(seconds, _SHORTEST_TIMEOUT_S))

    def drain(self, limit_s: float) -> bool:
        ends_s = time.monotonic() + limit_s
        try:
            while not self._reader.at_end:
                rest_s = ends_s - time.monotonic()
                if rest_s <= 0:
                    self.close()
                    return False
                self.set_read_timeout(rest_s)
                self.read_some()
        except APIConnectionError:
            return False  # nothing of the answer depends on this rest; `_broken` has closed the connection
        return True

    def cancel(self) -> None:
        """Shut the socket down under a blocked read, which then ends at once.

        urllib3's own `shutdown` came with 2.3, and stops only the receiving side: so the socket itself is used. After
        the end of the body the connection is the pool's, perhaps another call's already: then there is nothing to end.
        """
        import socket  # here, as selectors and enum come with it, which importing the client need not wait for

        if self._reader.at_end:
            return
        self._cancelled = True
        self._next_piece = raise_cancelled
        held = self._socket
        if held is None or getattr(self._raw, "connection", None) is None:
            return
        try:
            # Not `held.shutdown`: over TLS that would drop the session object under the reading thread.
            socket.socket.shutdown(held, socket.SHUT_RDWR)
        except OSError:
            return  # the server has hung up already: the reader is awake

    def close(self) -> None:
        self._socket = None
        if not self._reader.at_end:
            self._next_piece = raise_closed
        self._reader.close()
        self._answer.close()

    def _end(self) -> None:
        """The body gives nothing more. Is it whole? urllib3 1.26, and `read1` of 2.x, let a short one pass silently."""
        if self._reader.at_end:
            return
        if self._cancelled:
            raise_cancelled()
        missing_bytes = self._reader.missing_bytes()
        if missing_bytes:
            raise EOFError(f"Content-Length promised {missing_bytes} more")
        self._socket = None
        self._reader.at_end = True
        self._next_piece = nothing_more

    def _broken(self, error: Exception) -> Exception:
        call = self._call._replace(read_timeout_s=self._read_timeout_s)
        self.close()
        if self._cancelled:
            return connection_error(f"the answer of {peer_of(call.url)} was cancelled", "body")
        # What urllib3 had read of a body asked for in one call is lost, and its length unknown.
        received_bytes = None if self._reading_whole else self._received_bytes
        return explain(error, call, phase="body", received_bytes=received_bytes)


# A Session without all that a door does not need: it costs half the time of a plain one per call.


def _import_requests() -> Any:
    try:
        import requests
    except ImportError as error:
        raise ImportError(
            f"this door needs the requests package, and there is {error}: `pip install requests` (2.25 or newer), "
            'or take the door that needs nothing, transport="stdlib"'
        ) from error
    return requests


def _lean_session(pool_size: int) -> requests.Session:
    session_class, adapter_class = _lean_classes()
    session = session_class()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, adapter_class(pool_maxsize=pool_size))
    return session


@lru_cache(maxsize=1)
def _lean_classes() -> Tuple[Type[requests.Session], Any]:
    """(Session, HTTPAdapter) of ours; inside a function because their bases are imported late."""
    import requests
    from requests.adapters import HTTPAdapter
    from requests.cookies import RequestsCookieJar
    from requests.structures import CaseInsensitiveDict

    class NoCookies(RequestsCookieJar):
        """Takes and gives no cookies."""

        def extract_cookies(self, response: Any, request: Any) -> None:
            return

        def add_cookie_header(self, request: Any) -> None:
            return

    class LeanResponse(requests.Response):
        """Without a cookie jar of its own and a guessed text encoding."""

        def __init__(self, request: Any, raw: Any, adapter: Any) -> None:
            self._content: Any = False
            self._content_consumed = False
            self._next = None
            self.history = []
            self.raw, self.status_code, self.reason, self.headers = raw, raw.status, raw.reason, raw.headers
            self.request, self.url, self.cookies = request, request.url, request._cookies
            self.connection, self.encoding = adapter, "utf-8"

    class LeanSession(requests.Session):
        """Headers, URL and body go out as given, and a URL is prepared once. Saves a third of `Session.post`."""

        def __init__(self) -> None:
            super().__init__()
            self.headers = CaseInsensitiveDict()
            self.cookies = NoCookies()
            self._prepared_urls: Dict[str, str] = {}

        def prepare_request(self, request: Any) -> Any:
            prepared = requests.PreparedRequest()
            prepared.method = request.method
            prepared.url = self._prepared_urls.get(request.url) or self._prepare_url(request.url)
            prepared.body = request.data or None
            prepared.headers = CaseInsensitiveDict(request.headers)
            if request.method != "GET" or prepared.body:
                prepared.headers.setdefault("Content-Length", str(len(request.data or b"")))
            prepared._cookies = self.cookies  # type: ignore[attr-defined]
            return prepared

        def _prepare_url(self, url: str) -> str:
            prepared = requests.PreparedRequest()
            prepared.prepare_url(url, None)
            if len(self._prepared_urls) >= _MOST_URLS:
                self._prepared_urls.clear()
            self._prepared_urls[url] = str(prepared.url)
            return str(prepared.url)

        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
            return {"proxies": proxies, "stream": stream, "verify": verify, "cert": cert}

        def get_redirect_target(self, resp: Any) -> Any:
            """None: a redirect is an answer like any other. Session would read its body, and prepare to follow."""

    class LeanAdapter(HTTPAdapter):
        """Remembers which pool serves which origin. `send` is left alone: that is what fakes patch."""

        def __init__(self, **options: Any) -> None:
            self._pools: Dict[Any, Any] = {}
            super().__init__(**options)

        def get_connection_with_tls_context(
            self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
        ) -> Any:
            key = (origin_of(request.url), verify, cert, tuple(proxies.items()))
            pool = self._pools.get(key)
            # urllib3 keeps ten pools and closes the one used longest ago; a closed one has no queue.
            if pool is None or pool.pool is None:
                pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
                self._pools[key] = _watched(pool)
            return pool

        def get_connection(self, url: Any, proxies: Any = None) -> Any:
            """What requests before 2.32 calls instead."""
            return _watched(super().get_connection(url, proxies))

        def build_response(self, req: Any, resp: Any) -> Any:
            return LeanResponse(req, resp, self)

        def close(self) -> None:
            self._pools.clear()
            super().close()

    return LeanSession, LeanAdapter


class _Mark(NamedTuple):
    """What a connection knew when an error passed it. `stale`: it had answered before, and died before this answer."""

    phase: str
    stale: bool


def _watched(pool: Any) -> Any:
    """Give a urllib3 pool connections that know whether they have answered before. Does nothing the second time."""
    if not hasattr(pool.ConnectionCls, "answered"):
        pool.ConnectionCls = _watched_class(pool.ConnectionCls)
    return pool


@lru_cache(maxsize=8)
def _watched_class(base: Any) -> Any:
    class WatchedConnection(base):  # type: ignore[misc]
        """`reused`: this exchange runs over a socket that has carried an answer. Leaves default headers out, too."""

        answered = False
        reused = False

        def connect(self) -> Any:
            self.answered = False
            return super().connect()

        def putrequest(self, method: Any, url: Any, skip_host: bool = False, skip_accept_encoding: bool = False) -> Any:
            """http.client would add "Accept-Encoding: identity"."""
            return super().putrequest(method, url, skip_host=skip_host, skip_accept_encoding=True)

        def putheader(self, header: Any, *values: Any) -> Any:
            if values != (_LEFT_OUT,):
                super().putheader(header, *values)

        def request(self, method: Any, url: Any, body: Any = None, headers: Any = None, **options: Any) -> Any:
            self.reused = self.sock is not None and self.answered
            if self.sock is not None:
                self.sock.settimeout(self.timeout)  # urllib3 before 1.26.9 would send under the last read's timeout
            if "user-agent" not in headers:
                headers = {**headers, "User-Agent": _LEFT_OUT}  # urllib3 would add a name of its own
            try:
                return super().request(method, url, body=body, headers=headers, **options)
            except OSError as error:
                self._mark(error, "send")
                raise

        def getresponse(self) -> Any:
            try:
                answer = super().getresponse()
            except OSError as error:
                self._mark(error, "head")
                raise
            self.answered = True
            return answer

        def _mark(self, error: OSError, phase: str) -> None:
            dead = isinstance(error, ConnectionError) or type(error).__name__ in ("SSLEOFError", "SSLZeroReturnError")
            error._mark = _Mark(phase, stale=self.reused and dead)  # type: ignore[attr-defined]

    return WatchedConnection


@lru_cache(maxsize=1)
def _failures() -> Tuple[Type[Exception], ...]:
    """Every exception that says "this did not work". Those of requests are OSErrors; EOFError, BrokenBody are ours."""
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    return (OSError, EOFError, ValueError, BrokenBody, HTTPException, HTTPError)


def _leave_headers_alone(prepared: Any) -> Any:
    return prepared
