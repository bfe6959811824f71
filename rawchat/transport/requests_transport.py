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
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Type, Union

from ..protocol.wire import Headers, Request, ResponseHead
from .base import Response, Transport
from .failures import Trip, check_headers, origin_of
from .http1 import HTTP_FAILURES, ResponseReader
from .reading import READ_BYTES, ConnectionResponse
from .requests_errors import clean_cause, explain_library, plain, was_stale
from .speaking import SpokenConnection
from .stand_in import real_or_stand_in

if TYPE_CHECKING:
    import requests

_HTTP_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
_MOST_URLS = 256  # prepared URLs kept per Session; a client uses two or three
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
                raise self._explained(error, call) from clean_cause(error)
        try:
            return self._send_once(request, headers, call)
        except _failures() as error:
            raise self._explained(error, call) from clean_cause(error)

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
        return explain_library(error, call, phase="connect" if self._own else "head", proxy=proxy)


class RequestsResponse(ConnectionResponse):
    """One answer over urllib3; also wraps a `requests.Response` of anybody's, asked for with `stream=True`."""

    def __init__(self, answer: requests.Response, call: Optional[Trip] = None) -> None:
        answer = real_or_stand_in(answer)
        raw: Any = answer.raw
        head = ResponseHead(
            status=answer.status_code,
            reason=answer.reason or "",
            headers=Headers(_header_pairs_of(raw)),
            http_version=_HTTP_VERSIONS.get(getattr(raw, "version", 0), "1.1"),
            reused=getattr(getattr(raw, "connection", None), "reused", None),
        )
        held = _socket_of(raw)
        connection = _Connection(answer, held, head)
        trip = call or Trip(answer.url, None, None if held is None else held.gettimeout())
        super().__init__(connection, trip, head, connection.give_back)

    def _broken(self, error: Exception) -> Exception:
        return super()._broken(plain(error))


class _Connection(SpokenConnection):
    """The connection below a response of requests: ours until the body ends, then handed back to urllib3's pool.

    The body is read from the file below http.client's response, which urllib3 reads as well, and undone by our reader:
    what has come is given out as it is, over every urllib3. (Its own ways differ by version: `read1` came with 2.2,
    and takes chunks one by one, at three times the cost; `read(n)` waits for n bytes.) Fakes have no such file, and a
    coding that we never ask for (br, zstd) is not ours: such bodies are taken as urllib3 gives them.
    """

    def __init__(self, answer: Any, held: Any, head: ResponseHead) -> None:
        super().__init__(held, ResponseReader("GET"))
        self._answer = answer
        self._next = self._file_below(answer.raw, head) or self._decoded(answer, head)

    def _file_below(self, raw: Any, head: ResponseHead) -> Optional[Callable[[], bytes]]:
        file: Any = getattr(getattr(raw, "_fp", None), "fp", None)
        if not hasattr(file, "read1") or raw.tell() or raw.chunk_left is not None:  # the caller has begun to read
            return None
        try:
            self.reader.expect_body(head)
        except HTTP_FAILURES:
            return None
        return partial(file.read1, READ_BYTES)

    def _decoded(self, answer: Any, head: ResponseHead) -> Callable[[], bytes]:
        self.reader = ResponseReader("GET")
        self.reader.expect_body(head._replace(status=200, headers=Headers()))  # whatever comes, to its end
        pieces = iter((answer.content,)) if answer._content_consumed else _pieces(answer.raw)
        return partial(next, pieces, b"")

    def read(self) -> bytes:
        return self._next()

    @property
    def failures(self) -> Tuple[Type[Exception], ...]:  # type: ignore[override]
        return _failures()

    def give_back(self) -> None:
        if self.reader.reusable:
            self._answer.raw._fp.close()
            self._answer.raw.release_conn()
        else:
            self.close()

    def close(self) -> None:
        self._answer.close()


def _pieces(raw: Any) -> Iterator[bytes]:
    """A body as urllib3 decodes it. A short one is told here: 1.26, and `read1` of 2.x, let it pass silently."""
    if raw.chunked or not hasattr(raw, "read1"):
        yield from raw.stream(None, decode_content=True)
    else:
        yield from iter(partial(raw.read1, None, True), b"")
    if raw.length_remaining:
        raise EOFError(f"Content-Length promised {raw.length_remaining} more")


def _socket_of(raw: Any) -> Any:
    """The socket below a urllib3 response, or None (fakes have none).

    Looked for under the body first: at "Connection: close" http.client takes it away from the connection.
    """
    buffered = getattr(getattr(raw, "_fp", None), "fp", None)
    found = getattr(getattr(buffered, "raw", None), "_sock", None)
    if found is None:
        found = getattr(getattr(raw, "connection", None), "sock", None)
    return getattr(found, "socket", found)  # TLS inside TLS (a proxy's) is an object around the socket


def _header_pairs_of(raw: Any) -> List[Tuple[str, str]]:
    """Header fields as they came: http.client keeps order, case and repetition, urllib3's dict groups them by name."""
    message: Any = getattr(getattr(raw, "_original_response", None), "msg", None)
    if not hasattr(message, "raw_items"):
        return [(str(name), str(value)) for name, value in raw.headers.items()]
    # A value folded over several lines (obsolete: RFC 9112, 5.2) reads as one line.
    return [(name, " ".join(value.split()) if "\n" in value else value) for name, value in message.raw_items()]


# A Session without all that a door does not need: it costs half the time of a plain one per call.


def _import_requests() -> Any:
    try:
        import requests
    except ImportError as error:
        raise ImportError(
            f"the requests package cannot be imported ({error}): `pip install requests` (2.25 or newer), "
            'or give transport="stdlib", which needs nothing',
            name=error.name if isinstance(error, ModuleNotFoundError) else None,  # "requests", where there is none
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
    """Every exception that says "this did not work". Those of requests are OSErrors; EOFError is ours (`_pieces`)."""
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    return (*SpokenConnection.failures, EOFError, HTTPException, HTTPError)


def _leave_headers_alone(prepared: Any) -> Any:
    return prepared
