"""The async door over real loopback sockets: the tests of the default door, through a facade, and what is its own.

The tests imported below find their doors through the fixtures of this module, so that both doors are held to one table.
"""

import asyncio
import gc
import ssl
import sys
import threading

import pytest

from . import module
from .test_requests_transport import (  # noqa: F401  (pytest collects what is imported)
    CLOSE,
    HOLD,
    PATIENCE_S,
    ROWS,
    RawServer,
    certificate,
    chunk,
    clean_environment,
    fails,
    framed,
    head,
    plain,
    post,
    test_a_broken_or_closed_body_stays_so,
    test_a_ca_file_is_honoured,
    test_a_proxy_for_http,
    test_a_proxy_that_is_not_there,
    test_a_proxy_that_refuses,
    test_a_stale_connection_is_replaced,
    test_a_stale_connection_is_replaced_once_only,
    test_a_tunnel_for_https,
    test_cancel_after_the_end,
    test_cancel_before_reading,
    test_cancel_wakes_a_blocked_read,
    test_connection_refused,
    test_connections_are_used_again,
    test_cookies_are_not_kept,
    test_drain_gives_up,
    test_drain_saves_the_connection,
    test_headers_that_cannot_be_sent,
    test_leaving_early_closes_the_connection,
    test_local_mistakes,
    test_netrc_never_replaces_the_key,
    test_no_key_in_a_traceback,
    test_no_proxy,
    test_nothing_is_held_back,
    test_redirects_are_answers,
    test_set_read_timeout_after_the_end,
    test_set_read_timeout_holds_for_the_next_read,
    test_silence_is_not_staleness,
    test_the_callers_troubles_are_not_ours,
    test_the_environment_is_read_once,
    test_the_head_comes_before_the_body,
    test_tls_is_verified,
    test_tls_timeouts,
    test_tls_to_a_plain_server,
    test_transport_rows,
    test_twenty_threads_share_a_door,
    test_unknown_host,
    test_what_crosses_the_wire,
    tls,
)

base = module("transport.base")
errors = module("protocol.errors")
wire = module("protocol.wire")
route = module("transport.route")
AsyncioTransport = module("transport.asyncio_transport").AsyncioTransport


class Facade(base.Transport):
    """The async door as a sync one: a thread runs its loop. `inner` is the door."""

    name = "asyncio"

    def __init__(self, **options):
        self.inner = AsyncioTransport(**options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def call(self, function, *arguments):
        async def called():
            return function(*arguments)

        return self.run(called())

    def send(self, request, *, connect_timeout_s, read_timeout_s):
        sending = self.inner.send(request, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)
        return FacadeResponse(self, self.run(sending))

    def close(self):
        if self._loop.is_closed():
            return
        self.run(self.inner.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


class FacadeResponse(base.Response):
    def __init__(self, door, inner):
        self.head = inner.head
        self._door, self._inner = door, inner

    def read_some(self):
        return self._door.run(self._inner.read_some())

    def set_read_timeout(self, seconds):
        self._door.call(self._inner.set_read_timeout, seconds)

    def drain(self, limit_s):
        return self._door.run(self._inner.drain(limit_s))

    def cancel(self):
        self._door.call(self._inner.cancel)

    def close(self):
        self._door.call(self._inner.close)


# http.client takes half a head for a whole one; this door doesn't (see below).
OUR_ROWS = [row for row in ROWS if not row.name.startswith("cut inside the head")]


@pytest.fixture(params=OUR_ROWS, ids=[row.name for row in OUR_ROWS])
def transport_row(request):
    return request.param


@pytest.fixture
def make_door():
    """A maker of doors, which are closed at the end."""
    made = []

    def make(**options):
        made.append(Facade(**options))
        return made[-1]

    yield make
    for door in made:
        door.close()


@pytest.fixture
def door(make_door):
    return make_door()


def test_half_a_head_is_no_answer(door):
    """The connection ends inside the head: an error, and one that is worth another attempt."""
    with RawServer([b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE]) as server:
        error = fails(errors.APIConnectionError, post, door, server.url)
    assert (error.phase, error.retryable) == ("head", True)
    assert "ended inside the head, after 27 bytes" in str(error)


def awaited(body):
    """Decorator: a test whose body is awaited with a door of its own, which is closed at the end."""

    def test():
        async def main():
            door = AsyncioTransport()
            try:
                await body(door)
            finally:
                await door.aclose()

        asyncio.run(main())

    test.__doc__ = body.__doc__
    return test


def request_to(url, body=b"{}"):
    return wire.Request("POST", url, (), body)


async def send(door, url, **timeouts):
    return await door.send(request_to(url), **{"connect_timeout_s": 5, "read_timeout_s": 5, **timeouts})


async def read(response):
    pieces = []
    while True:
        piece = await response.read_some()
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


@awaited
async def test_cancelling_a_wait_for_the_head_closes_the_connection(door):
    """And the next call has one of its own."""
    with RawServer([HOLD], plain(b"1")) as server:
        sending = asyncio.ensure_future(send(door, server.url))
        while not server.requests:
            await asyncio.sleep(0.001)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)
        response = await send(door, server.url)
        assert response.head.reused is False and await read(response) == b"1"


def server_that_never_accepts():
    """Its queue is full, so that connecting to it waits: (address, what must be closed afterwards)."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        each = socket.socket()
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
        waiting.append(each)
    return listener.getsockname()[1], [listener, *waiting]


@awaited
async def test_connecting_takes_no_longer_than_allowed(door):
    """The message has the figure; the attempt is given up, and nothing of it is left."""
    port, sockets = server_that_never_accepts()
    try:
        with pytest.raises(errors.APITimeoutError, match=r"no connection to 127.0.0.1:\d+ within 0.03 s") as caught:
            await send(door, f"http://127.0.0.1:{port}/", connect_timeout_s=0.03)
        assert caught.value.phase == "connect"
        connecting = asyncio.ensure_future(send(door, f"http://127.0.0.1:{port}/", connect_timeout_s=None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
    finally:
        for each in sockets:
            each.close()
    await asyncio.sleep(0)
    gc.collect()


@awaited
async def test_a_reader_that_falls_behind_stops_the_server(door):
    """What is not read waits with the server, but for about a megabyte; then all of it comes."""
    body = b"x" * 20_000_000
    with RawServer([head(f"Content-Length: {len(body)}") + body[:1000], body[1000:]]) as server:
        response = await send(door, server.url)
        held = response._connection
        for _ in range(200):
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        assert held._held_bytes < 2_000_000
        assert await read(response) == body


@awaited
async def test_an_idle_connection_that_speaks_is_dropped(door):
    """Bytes that nobody asked for are no answer to the next request."""
    late = threading.Event()
    with RawServer(
        [*plain(b"1"), late, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", HOLD], plain(b"2")
    ) as server:
        first = await send(door, server.url)
        assert await read(first) == b"1"
        late.set()
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)
        response = await send(door, server.url)
        assert response.head.reused is False and await read(response) == b"2"


@awaited
async def test_surplus_connections_are_not_kept(door):
    """No more idle ones than `pool_size`."""
    small = AsyncioTransport(pool_size=1)
    with RawServer(*[plain(b"1")] * 4) as server:
        responses = [await send(small, server.url) for _ in range(3)]
        assert [await read(response) for response in responses] == [b"1"] * 3
        assert (await send(small, server.url)).head.reused is True
        assert server.connections == 3
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)
    await small.aclose()


@awaited
async def test_answers_that_are_read_after_the_door_is_closed(door):
    """`aclose` ends what is idle; what is being read goes on, and is not kept."""
    first, *rest = framed("chunked")
    with RawServer([first, *rest]) as server:
        response = await send(door, server.url)
        await door.aclose()
        assert (await read(response)).endswith(b"[DONE]\n\n")
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)


@awaited
async def test_sleep_can_be_woken(door):
    """`wake` ends the wait; without it the wait is as long as it says."""
    wake = asyncio.Event()
    sleeping = asyncio.ensure_future(door.sleep(600, wake))
    await asyncio.sleep(0)
    wake.set()
    await asyncio.wait_for(sleeping, PATIENCE_S)
    await door.sleep(0.0)
    await door.sleep(0.001, asyncio.Event())


def test_a_loop_that_ends_leaves_no_connection_open():
    """Nobody closed the door: `asyncio.run` closes what is idle. A connection left open would warn, which is an error."""
    door = AsyncioTransport()
    with RawServer(plain(b"1"), plain(b"2")) as server:

        async def ask():
            response = await send(door, server.url)
            return response.head.reused, await read(response)

        assert asyncio.run(ask()) == (False, b"1")
        assert server.hung_up.wait(PATIENCE_S)
        assert asyncio.run(ask()) == (False, b"2")
        gc.collect()


def test_several_addresses_none_of_which_answers():
    """A connection error with the system's words, not a local mistake."""

    async def main():
        loop = asyncio.get_running_loop()

        async def create_connection(*_, **__):
            raise OSError("Multiple exceptions: [Errno 111] one, [Errno 101] two")

        loop.create_connection = create_connection
        with pytest.raises(errors.APIConnectionError, match="cannot connect to localhost:9: Multiple") as caught:
            await send(AsyncioTransport(), "http://localhost:9/")
        assert caught.value.phase == "connect"

    asyncio.run(main())


def test_a_proxy_over_tls(make_door, tls, certificate):  # noqa: F811  (fixtures)
    """CONNECT goes out encrypted. TLS inside TLS came with Python 3.11; before, the error says so."""
    with RawServer([head(), CLOSE], tls=tls) as proxy:
        door = make_door(proxies={"https": f"https://127.0.0.1:{proxy.port}"}, verify=certificate)
        error = fails(errors.APIConnectionError, post, door, "https://localhost:9/")
    assert error.phase == "connect"
    if sys.version_info >= (3, 11):
        assert proxy.requests == [b"CONNECT localhost:9 HTTP/1.1\r\nHost: localhost:9\r\n\r\n"]
    assert ("need Python 3.11" in str(error)) == (sys.version_info < (3, 11))


def test_credentials_go_to_the_proxy_alone():
    """In the request where the proxy reads that; not in one that goes through its tunnel."""
    target = route.Origin("http", "h", 80)
    proxy = route.Origin("http", "p", 3128, "Basic x")
    through = route.Route(target, proxy, "")
    tunnelled = route.Route(target._replace(scheme="https", port=443), proxy, "")
    assert b"Proxy-Authorization" in route.request_bytes(request_to("http://h/v1"), {}, through)
    assert b"Proxy-Authorization" not in route.request_bytes(request_to("https://h/v1"), {}, tunnelled)


# Where a request goes.


ROUTES = [
    ("nothing set", "https://api.example/", {}, {}, None),
    ("by scheme", "https://api.example/", {"HTTPS_PROXY": "http://p:1"}, {}, "http://p:1"),
    ("not by another scheme", "http://api.example/", {"HTTPS_PROXY": "http://p:1"}, {}, None),
    ("for all", "http://api.example/", {"ALL_PROXY": "p:1"}, {}, "http://p:1"),
    ("lower case wins", "https://api.example/", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, {}, "http://q:2"),
    ("given wins", "https://api.example/", {"HTTPS_PROXY": "http://p:1"}, {"https": "http://q:2"}, "http://q:2"),
    ("given for a host", "https://api.example/", {}, {"https": "http://q:2", "https://api.example": "http://r:3"}, "http://r:3"),
    ("a CGI program's header", "http://api.example/", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {}, None),
    ("exempt: all", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, {}, None),
    ("exempt: the host", "https://api.example/", {"ALL_PROXY": "http://p:1", "no_proxy": "a, API.example"}, {}, None),
    ("exempt: its domain", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"}, {}, None),
    ("exempt: with this port", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "example:443"}, {}, None),
    ("not exempt: another port", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "example:80"}, {}, "http://p:1"),
    ("not exempt: a part of the name", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "i.example,xample"}, {}, "http://p:1"),
    ("exempt: a network", "http://10.1.2.3/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, {}, None),
    ("not exempt: another network", "http://11.1.2.3/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, {}, "http://p:1"),
    ("no network at all", "http://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "a/b"}, {}, "http://p:1"),
    ("no_proxy as given", "https://api.example/", {"ALL_PROXY": "http://p:1"}, {"no_proxy": "example"}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    "url, environment, proxies, expected", [each[1:] for each in ROUTES], ids=[each[0] for each in ROUTES]
)
def test_proxies(monkeypatch, url, environment, proxies, expected):
    """By the rules of requests, from the environment and what was given."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert route.proxy_for(route.read_origin(url), proxies) == expected


ORIGINS = [
    ("http://h/x", route.Origin("http", "h", 80), "h"),
    ("https://h", route.Origin("https", "h", 443), "h"),
    ("https://h:8443/x?y#z", route.Origin("https", "h", 8443), "h:8443"),
    ("http://[::1]:80/", route.Origin("http", "::1", 80), "[::1]"),
    ("http://b\u00fccher.example", route.Origin("http", "xn--bcher-kva.example", 80), "xn--bcher-kva.example"),
    ("http://me:p%40ss@h:3128", route.Origin("http", "h", 3128, "Basic bWU6cEBzcw=="), "h:3128"),
]


@pytest.mark.parametrize("url, origin, name", ORIGINS, ids=[each[0] for each in ORIGINS])
def test_origins(url, origin, name):
    """Scheme, host and port of a URL, and its name in a Host header."""
    assert route.read_origin(url) == origin
    assert origin.name == name


@pytest.mark.parametrize("url", ["h/x", "ftp://h", "http://", "http://h:port", "http://me:secret@h:99999"])
def test_no_origins(url):
    """Said with the URL, but without its password."""
    with pytest.raises(errors.PayloadError) as caught:
        route.read_origin(url, path="proxies")
    assert caught.value.path == "proxies" and "secret" not in str(caught.value)


def test_tls_that_is_not_verified():
    """Only where it was asked for."""
    assert route.tls_context(False).verify_mode == ssl.CERT_NONE
    assert route.tls_context().verify_mode == ssl.CERT_REQUIRED and route.tls_context(True).check_hostname


def test_a_client_certificate_that_is_not_there():
    """A local mistake, told with the path."""
    with pytest.raises(errors.PayloadError, match=r"/no/such\.pem"):
        route.tls_context(cert="/no/such.pem")
