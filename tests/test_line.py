"""The doctor's line: step by step to a server, and every read of an answer as it came, however it ends."""

import socket

import pytest

from . import module
from .doors import (  # noqa: F401  (fixtures)
    BODY,
    CLOSE,
    HOLD,
    PIECES,
    RESET,
    Proxy,
    RawServer,
    certificate,
    chunk,
    closed_port,
    framed,
    head,
    plain,
    tls,
)

errors = module("protocol.errors")
line = module("lab.clinic.line")
wire = module("protocol.wire")


def request(server, method="POST", body=b"{}", path="/v1/chat/completions"):
    scheme, port = server.url.partition(":")[0], server.port
    return wire.Request(method, f"{scheme}://127.0.0.1:{port}{path}", (("Authorization", "Bearer sk-1"),), body)


@pytest.fixture
def reach():
    """reach(server, ...) -> a Line, closed at the end of the test."""
    opened = []

    def reach(server, **settings):
        url = server if isinstance(server, str) else server.url
        opened.append(line.Line(url, **{"silence_s": 2.0, "connect_s": 2.0, **settings}))
        return opened[-1]

    yield reach
    for each in opened:
        each.close()


def steps(way):
    return [(step.name, step.good) for step in way.steps]


# --- the way


def test_every_step_is_told(reach):
    """Name, TCP, proxy and TLS, in this order, each with words of its own."""
    with RawServer() as server:
        one = reach(server)
        way = one.look()
        one.close()
    assert steps(way) == [("name", True), ("tcp", True), ("proxy", True), ("tls", True)]
    assert way.reached and way.is_local and not way.is_tls
    assert way.step("tcp").says == f"connected to 127.0.0.1 port {server.port}"


def test_it_ends_at_the_step_that_fails(reach):
    """A name without an address, a port without a server: what follows is not tried."""
    nameless = reach("http://no-such-host.invalid/v1").look()
    assert steps(nameless) == [("name", False)]
    refused = reach(f"http://127.0.0.1:{closed_port()}/v1").look()
    assert steps(refused) == [("name", True), ("tcp", False)]
    assert "refused" in refused.steps[-1].says.lower()
    assert not refused.reached


def test_tls_is_verified_and_told(reach, tls, certificate, monkeypatch):  # noqa: F811
    """An unknown authority fails the step; a known one tells version and end of the certificate."""
    with RawServer(plain(), tls=tls) as server:
        unknown = reach(server).look()
        assert steps(unknown)[-1] == ("tls", False)
        assert "certificate" in unknown.steps[-1].says
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
        known = reach(server)
        way = known.look()
        assert way.reached and way.is_tls
        assert dict(way.step("tls").facts)["days_left"] > 10_000
        assert known.ask(request(server)).head.status == 200


def test_tls_where_there_is_none(reach):
    """https to a plain server is told as such, without a traceback."""
    with RawServer([CLOSE]) as server:
        server._talk = lambda connection: (connection.recv(5), connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"))
        way = reach(server.url.replace("http:", "https:")).look()
    assert steps(way)[-1] == ("tls", False)


def test_a_proxy_for_http(reach, monkeypatch):
    """It gets the whole address and its own credentials, which no step tells."""
    with Proxy(plain(b"by proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:secret99@127.0.0.1:{proxy.port}")
        through = reach("http://api.example/v1")
        way = through.look()
        exchange = through.ask(wire.Request("GET", "http://api.example/v1/models", ()))
    assert way.reached and not way.is_local
    assert "secret99" not in repr(way) and "127.0.0.1" in way.proxy
    assert exchange.pieces[0].data == b"by proxy"
    (asked,) = proxy.requests
    assert asked.startswith(b"GET http://api.example/v1/models HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in asked


def test_a_tunnel_for_https(reach, tls, certificate, monkeypatch):  # noqa: F811
    """CONNECT, then TLS with the target itself."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    with RawServer(plain(b"1"), tls=tls) as server, Proxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        through = reach(server)
        assert "opened a tunnel" in through.look().step("proxy").says
        assert through.ask(request(server)).pieces[0].data == b"1"
        through.close()


def test_a_proxy_that_refuses(reach, monkeypatch):
    """Its status is the reason."""
    with Proxy(refuses=True) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        way = reach("https://127.0.0.1:9/v1").look()
    assert steps(way)[-1] == ("proxy", False)
    assert "407" in way.steps[-1].says


@pytest.mark.parametrize("proxy,step", [("socks5://127.0.0.1:9", "name"), ("https://127.0.0.1:9", "tcp")])
def test_a_proxy_that_cannot_be_used(reach, monkeypatch, proxy, step):
    """Another kind of proxy, or one that is not there, is a failed step and no crash."""
    monkeypatch.setenv("https_proxy", proxy)
    assert steps(reach("https://127.0.0.1:8/v1").look())[-1] == (step, False)


@pytest.mark.parametrize("url", ["ftp://h/v1", "h:8000", "http://"])
def test_an_address_that_is_none(url):
    """Is refused at once."""
    with pytest.raises(errors.PayloadError):
        line.Line(url)


LOCAL = {
    "localhost": True,
    "127.0.0.1": True,
    "::1": True,
    "192.168.1.5": True,
    "gpu-box": True,
    "api.openai.com": False,
    "8.8.8.8": False,
}


@pytest.mark.parametrize("host", LOCAL)
def test_what_is_nearby(host):
    """This machine, a private network, a name without a dot."""
    assert line.is_local(host) is LOCAL[host]


# --- one request


@pytest.mark.parametrize("framing", ["sized", "chunked", "closed", "http/1.0"])
def test_an_answer_is_kept_as_it_came(reach, framing):
    """Framing included, and the end told: what the pieces hold is what the server sent behind the head."""
    with RawServer(framed(framing)) as server:
        exchange = reach(server).ask(request(server))
    assert exchange.head.status == 200
    assert (exchange.end.how, exchange.end.whole, exchange.flaw) == ("eof", True, "")
    assert exchange.body() == BODY
    if framing == "chunked":
        assert b"".join(piece.data for piece in exchange.pieces) == b"".join(map(chunk, PIECES)) + b"0\r\n\r\n"


def test_reads_have_times_in_order(reach):
    """Microseconds since the sending; the head's is the first."""
    import threading

    gate = threading.Event()
    with RawServer([head("Content-Length: 4"), b"ab", gate, b"cd"]) as server:
        threading.Timer(0.02, gate.set).start()
        exchange = reach(server).ask(request(server))
    times = [exchange.head_us, *(piece.at_us for piece in exchange.pieces), exchange.end.at_us]
    assert times == sorted(times) and times[0] > 0
    assert exchange.pieces[-1].data == b"cd"
    assert exchange.started_at.endswith("Z")


def test_an_interim_answer_is_not_the_answer(reach):
    """100 and 103 stand before the real head, in a read of their own or in one with it."""
    with RawServer([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plain(b"ok")[0]]) as server:
        exchange = reach(server).ask(request(server))
    assert (exchange.head.status, exchange.body()) == (200, b"ok")


def test_a_connection_is_used_again(reach):
    """Where the body ended as it should; else a new one is opened."""
    with RawServer(plain(), plain(), framed("closed"), plain()) as server:
        one = reach(server)
        reused = [one.ask(request(server)).head.reused for _ in range(4)]
        assert reused == [False, True, True, False]
        assert server.connections == 2


def test_a_kept_connection_that_was_closed(reach):
    """The request goes out once more on a new one, and the exchange says so."""
    with RawServer([*plain(), CLOSE], plain(b"again")) as server:
        one = reach(server)
        one.ask(request(server))
        server.hung_up.wait(0.05)
        second = one.ask(request(server))
    assert second.body() == b"again"
    assert second.notes == [line.CLOSED_WHEN_REUSED]


def test_bytes_that_nobody_asked_for(reach):
    """What comes on an idle connection is noted, and that connection not used again."""
    with RawServer([plain()[0], b"noise"], plain(b"clean")) as server:
        one = reach(server)
        first = one.ask(request(server))
        server.hung_up.wait(0.05)
        second = one.ask(request(server))
    assert second.body() == b"clean"
    told = [*second.notes, *(repr(piece.data) for piece in first.pieces)]
    assert any("noise" in text for text in told)


ENDS = {
    "closed before the head": ([CLOSE], "eof", "ended before the answer"),
    "half a head": ([b"HTTP/1.1 200 OK\r\nCont", CLOSE], "eof", "inside the head"),
    "no HTTP": ([b"SSH-2.0-OpenSSH\r\n"], "eof", "SSH-2.0"),
    "silence": ([HOLD], "timeout", "silence for 0.2 s"),
    "silence in the body": ([head("Content-Length: 9"), b"ab", HOLD], "timeout", "silence for 0.2 s"),
    "cut off": ([head("Content-Length: 9"), b"ab", CLOSE], "eof", "7 more"),
    "a broken chunk": ([head("Transfer-Encoding: chunked") + b"zz\r\n"], "eof", "zz"),
}


@pytest.mark.parametrize("play,how,detail", ENDS.values(), ids=ENDS.keys())
def test_how_an_answer_may_end(reach, play, how, detail):
    """Nothing is raised: the end says how, and what came before it is kept."""
    with RawServer(play) as server:
        exchange = reach(server, silence_s=0.2).ask(request(server))
    assert (exchange.end.how, exchange.end.whole) == (how, False)
    assert detail in exchange.end.detail


def test_a_reset(reach):
    """Is told apart from a close."""
    with RawServer([head("Content-Length: 9"), b"ab", RESET]) as server:
        exchange = reach(server).ask(request(server))
    assert exchange.end.how == "reset" and not exchange.end.whole


def test_after_done_it_does_not_wait_long(reach):
    """A body that goes on after [DONE] is given a moment, whatever the patience otherwise."""
    with RawServer([head("Transfer-Encoding: chunked"), chunk(b"data: [DONE]\n\n"), HOLD]) as server:
        exchange = reach(server, silence_s=30.0, after_done_s=0.1).ask(request(server))
    assert exchange.end.detail == "silence for 0.1 s"


def test_nobody_there_is_an_end_as_well(reach):
    """A request that could not be sent has its reason in its end."""
    exchange = reach(f"http://127.0.0.1:{closed_port()}/v1").ask(wire.Request("GET", "http://127.0.0.1:9/v1", ()))
    assert exchange.end.how == "unreachable"
    assert exchange.end.detail.startswith("tcp: ")


def test_a_name_with_a_dead_address(reach, monkeypatch):
    """Every address is tried, and the dead ones are named: an IPv6 that leads nowhere costs everybody seconds."""
    with RawServer() as server:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]
        original = socket.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        def connect(address, *rest):
            if address[0] == "127.0.0.2":
                raise ConnectionRefusedError(111, "Connection refused")
            monkeypatch.undo()
            return original(address, *rest)

        monkeypatch.setattr(socket, "create_connection", connect)
        one = reach(server)
        way = one.look()
        one.close()
    assert way.step("tcp").says.endswith(f"but not to 127.0.0.2 port {server.port}: Connection refused")
