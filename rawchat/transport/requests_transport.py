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
import re
import time
from functools import lru_cache, partial
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Set,
    Tuple,
    Type,
    Union,
)

from ..protocol.errors import APIConnectionError, APITimeoutError, PayloadError
from ..protocol.redact import redact_text
from ..protocol.wire import HeaderPairs, Headers, Request, ResponseHead
from .base import Response, Transport

if TYPE_CHECKING:
    import threading

    import requests

_HTTP_VERSIONS = {9: "0.9", 10: "1.0", 11: "1.1", 20: "2"}
_MOST_URLS = 256  # prepared URLs kept per Session; a client uses two or three
_OLD_READ_BYTES = 65536
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
        call = _Call(request.url, connect_timeout_s, read_timeout_s)
        try:
            return self._send_once(request, headers, call)
        except _failures() as error:
            if not _was_stale(error):
                raise self._explained(error, call) from _cause_to_show(error)
        try:
            return self._send_once(request, headers, call)
        except _failures() as error:
            raise self._explained(error, call) from _cause_to_show(error)

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        if wake is None:
            time.sleep(seconds)
        else:
            wake.wait(seconds)

    def close(self) -> None:
        """Close every idle connection. A Session that the caller brought is theirs to close."""
        if self._own:
            self._session.close()

    def _send_once(self, request: Request, headers: Dict[str, str], call: _Call) -> Response:
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
        origin = _origin(url)
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

    def _explained(self, error: Exception, call: _Call) -> Exception:
        proxies = self._routes.get(_origin(call.url), {}).get("proxies") or self._session.proxies
        proxy = self._utils.select_proxy(call.url, proxies) or ""
        # Over a Session of ours what fails after connecting is marked, so a bare timeout is that of a TLS handshake.
        return explain(error, call, phase="connect" if self._own else "head", proxy=proxy)


class RequestsResponse(Response):
    """One answer over urllib3; also wraps a `requests.Response` of anybody's, asked for with `stream=True`.

    The socket is ours until the body ends; at that moment urllib3 hands the connection back to its pool.
    """

    def __init__(self, answer: requests.Response, call: Optional[_Call] = None) -> None:
        self._answer = answer
        self._raw = answer.raw
        self._socket = _socket_of(self._raw)
        if call is None:
            call = _Call(answer.url, None, None if self._socket is None else self._socket.gettimeout())
        self._call = call
        self._read_timeout_s = call.read_timeout_s
        self._reader = _reader(answer)
        self._next_piece = self._reader.next_piece
        self._received_bytes = 0
        self._cancelled = False
        self._reading_whole = False
        self.head = ResponseHead(
            status=answer.status_code,
            reason=answer.reason or "",
            headers=Headers(_header_pairs(self._raw)),
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
            raise self._broken(error) from _cause_to_show(error)
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
            raise self._broken(error) from _cause_to_show(error)
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
        self._next_piece = _raise_cancelled
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
            self._next_piece = _raise_closed
        self._reader.close()
        self._answer.close()

    def _end(self) -> None:
        """The body gives nothing more. Is it whole? urllib3 1.26, and `read1` of 2.x, let a short one pass silently."""
        if self._reader.at_end:
            return
        if self._cancelled:
            _raise_cancelled()
        missing_bytes = self._reader.missing_bytes()
        if missing_bytes:
            raise EOFError(f"Content-Length promised {missing_bytes} more")
        self._socket = None
        self._reader.at_end = True
        self._next_piece = _nothing_more

    def _broken(self, error: Exception) -> Exception:
        call = self._call._replace(read_timeout_s=self._read_timeout_s)
        self.close()
        if self._cancelled:
            return _connection_error(f"the answer of {_peer(call.url)} was cancelled", "body")
        # What urllib3 had read of a body asked for in one call is lost, and its length unknown.
        received_bytes = None if self._reading_whole else self._received_bytes
        return explain(error, call, phase="body", received_bytes=received_bytes)


# Ways of reading. None may hold back what has arrived, so none waits for a block of a given size.


class _Reader:
    """How to get the next piece of a body. `untouched`: `raw.read` may still be used instead."""

    untouched = True
    at_end = False
    next_piece: Callable[[], bytes]

    def missing_bytes(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to let go of here."""


class _ChunkedReader(_Reader):
    """One HTTP chunk per piece, on public API of every urllib3; `read1` costs 40 % more on such bodies."""

    def __init__(self, raw: Any) -> None:
        self._pieces: Iterator[bytes] = raw.stream(None, decode_content=True)
        self.next_piece = partial(next, self._pieces, b"")

    def close(self) -> None:
        """A generator: its clean-up closes the connection now rather than when it is collected."""
        self._pieces.close()  # type: ignore[attr-defined]


class _Read1Reader(_Reader):
    """What one `recv` gave, decoded: urllib3 2.2 and newer."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.next_piece = partial(raw.read1, None, True)

    def missing_bytes(self) -> int:
        return self._raw.length_remaining or 0


class _OldReader(_Reader):
    """The same for urllib3 1.26 to 2.1, which have no `read1`.

    Their public `read(n)` waits for n bytes, so the `read1` of http.client below it is used, with their private
    decoder; those versions are history and will not change.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._left_bytes: Optional[int] = raw.length_remaining
        self._read_encoded = getattr(raw._fp, "read1", raw._fp.read)
        self.next_piece = self._next_decoded
        raw._init_decoder()

    def _next_decoded(self) -> bytes:
        while True:
            self.untouched = False
            at_end = self._left_bytes == 0 or self._raw._fp.closed
            data = b"" if at_end else self._read_encoded(_OLD_READ_BYTES)
            if self._left_bytes is not None:
                self._left_bytes -= len(data)
            decoded: bytes = self._raw._decode(data, True, not data)
            if self._left_bytes == 0 or not data:
                self._raw._fp.close()
                self._raw.release_conn()
            if decoded or not data:
                return decoded

    def missing_bytes(self) -> int:
        left_bytes = self._raw.length_remaining if self.untouched else self._left_bytes
        return left_bytes or 0


class _DoneReader(_Reader):
    """A body that requests has read already: it does so for redirects, followed or not, unless the Session is ours."""

    untouched = False

    def __init__(self, content: bytes) -> None:
        self.next_piece = partial(next, iter((content,)), b"")


def _reader(answer: requests.Response) -> _Reader:
    raw = answer.raw
    if answer._content_consumed:  # type: ignore[attr-defined]
        return _DoneReader(answer.content)
    if raw.chunked and raw.supports_chunked_reads():
        return _ChunkedReader(raw)
    return _Read1Reader(raw) if hasattr(raw, "read1") else _OldReader(raw)


def _nothing_more() -> bytes:
    return b""


def _raise_cancelled() -> bytes:
    raise ConnectionAbortedError("cancelled")


def _raise_closed() -> bytes:
    raise ConnectionAbortedError("the response is closed")


def _socket_of(raw: Any) -> Any:
    """The socket below a urllib3 response, or None (fakes have none).

    Looked for under the body first: at "Connection: close" http.client takes it away from the connection.
    """
    buffered = getattr(getattr(raw, "_fp", None), "fp", None)
    found = getattr(getattr(buffered, "raw", None), "_sock", None)
    if found is None:
        found = getattr(getattr(raw, "connection", None), "sock", None)
    return found


def _header_pairs(raw: Any) -> List[Tuple[str, str]]:
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
            "this door needs the requests package: `pip install requests` (2.25 or newer), or choose another transport"
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
            key = (_origin(request.url), verify, cert, tuple(proxies.items()))
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


# What went wrong, in plain words. Errors are told apart by class name: the tables import nothing and serve any door.


class _Call(NamedTuple):
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
_NOT_IN_NAME = re.compile(r'[^!-~]|[()<>@,;:\\"/\[\]?={}]')  # RFC 9110, 5.6.2: a token
_NOT_IN_VALUE = re.compile(r"[\r\n\0]|[^\0-\xff]|^[ \t]|[ \t]\Z")


@lru_cache(maxsize=1)
def _failures() -> Tuple[Type[Exception], ...]:
    """Every exception that says "this did not work". Those of requests are OSErrors; EOFError is ours (`_end`)."""
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    return (OSError, EOFError, ValueError, HTTPException, HTTPError)


def explain(
    error: Exception, call: _Call, *, phase: str, proxy: str = "", received_bytes: Optional[int] = None
) -> Exception:
    """The error of ours for whatever broke a call: a connection error, a timeout, or PayloadError for a local mistake.

    `phase` holds unless an error of the chain knows better; `proxy` is the URL of the proxy on the way, if any.
    """
    chain = _chain(error)
    names = _names(chain)
    phase = next((each._mark.phase for each in chain if hasattr(each, "_mark")), phase)
    peer = _peer(call.url)
    words = {
        "peer": f"the proxy {proxy} on the way to {peer}" if "ProxyError" in names else peer,
        "connect_s": _seconds(call.connect_timeout_s),
        "read_s": _seconds(call.read_timeout_s),
        "received": "" if received_bytes is None else f" ({received_bytes} bytes had come)",
        "detail": _detail(chain[-1]),
    }
    if names & _TIMEOUT_NAMES:
        phase = "connect" if names & {"ConnectTimeoutError", "ConnectTimeout"} else phase
        return _connection_error(_TIMEOUTS[phase].format(**words), phase, APITimeoutError)
    rows = _BODY_CAUSES if phase == "body" else _CAUSES
    cause = next((row for row in rows if not row.names or names.intersection(row.names)), _UNKNOWN_CAUSE)
    if cause is _UNKNOWN_CAUSE and (isinstance(error, ValueError) or type(error) is OSError):
        # A URL or timeout that cannot be used; a bare OSError is what requests raises for a missing CA file.
        path = "url" if isinstance(error, ValueError) else "verify"
        return PayloadError(redact_text(f"cannot send to {peer}: {error}"), path=path)
    return _connection_error(cause.text.format(**words), cause.phase or phase)


def _connection_error(text: str, phase: str, kind: Type[APIConnectionError] = APIConnectionError) -> APIConnectionError:
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


def _was_stale(error: BaseException) -> bool:
    return any(each._mark.stale for each in _chain(error) if hasattr(each, "_mark"))


def _cause_to_show(error: Exception) -> Optional[BaseException]:
    """The cause to chain. Tracebacks print it, so of one that quotes a secret only the innermost error is shown."""
    chain = _chain(error)
    if all(_is_clean(each) for each in chain):
        return error
    return chain[-1] if _is_clean(chain[-1]) else None


def _is_clean(error: BaseException) -> bool:
    return redact_text(str(error)) == str(error)


def _detail(error: Any) -> str:
    text = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]


def _seconds(value: Optional[float]) -> str:
    return "the time allowed" if value is None else f"{value:g} s"


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


def _peer(url: str) -> str:
    """host:port, for people."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    except ValueError:
        return redact_text(_origin(url))


def check_headers(pairs: HeaderPairs) -> Dict[str, str]:
    """Pairs as a dict; PayloadError if they cannot be sent. Its message shows no value: that may be the key."""
    headers: Dict[str, str] = {}
    spelling: Dict[str, str] = {}
    for name, value in pairs:
        if not name or _NOT_IN_NAME.search(name):
            raise PayloadError(f"{name!r} is no header name", path="headers")
        if _NOT_IN_VALUE.search(value):
            raise PayloadError(
                f"the value of header {name} has a line break, a blank at an end, or a character outside Latin-1 in it",
                path=f"headers[{name!r}]",
            )
        first = spelling.setdefault(name.lower(), name)
        headers[first] = f"{headers[first]}, {value}" if first in headers else value
    return headers


def _leave_headers_alone(prepared: Any) -> Any:
    return prepared
