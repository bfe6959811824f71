"""The relay: whatever a server does, a client sees the same with the tap and without; and it is on record."""

import gzip
import json
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Tuple

import pytest

from . import module
from .doors import CLOSE, HOLD, RESET, Proxy, RawServer, certificate, tls  # noqa: F401  (fixtures)
from .practice_wire import Got, body_of, request_bytes
from .tapped import PATIENCE_S, RawClient, Records, ask, recorded_bytes, tapped

tap_module = module("lab.tap")

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = [b'data: {"choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % number for number in range(5)]
DONE = b"data: [DONE]\n\n"
JSON = b'{"object":"list","data":[]}'
RATE_LIMITED = (
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\nretry-after-ms: 1500\r\nX-Should-Retry:true\r\n"
    b"content-type:   application/json\r\nx-request-id: req_1\r\nx-request-id: req_2\r\nContent-Length: 25\r\n\r\n"
    b'{"error":{"message":"a"}}'
)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def sized(body, *lines, first=OK):
    return first + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body


STREAM = [chunk(event) for event in (*EVENTS, DONE)]
LAST = b"0\r\n\r\n"
GZIPPED = gzip.compress(b"".join(EVENTS) + DONE)


class Row(NamedTuple):
    """What the server sends, write by write; how the recording says it ended. `same_bytes`: the head is written plainly."""

    name: str
    play: Tuple[Any, ...]
    how: str = "eof"
    whole: bool = True
    method: str = "POST"
    version: str = "1.1"
    same_bytes: bool = True


ROWS = [
    Row("chunked stream", (CHUNKED, *STREAM, LAST)),
    Row("head and all in one write", (CHUNKED + b"".join(STREAM) + LAST,)),
    Row("length", (sized(JSON, b"Content-Type: application/json"),)),
    Row("length 0", (sized(b""),)),
    Row("close-delimited", (OK + b"Content-Type: text/event-stream\r\n\r\n", *EVENTS, DONE, CLOSE)),
    Row("connection: close with a length", (sized(JSON, b"Connection: close"), CLOSE)),
    Row("http/1.0", (sized(JSON, first=b"HTTP/1.0 200 OK\r\n"), CLOSE)),
    Row("a client of http/1.0", (sized(JSON, b"Connection: close"), CLOSE), version="1.0"),
    Row("gzip", (sized(GZIPPED, b"Content-Type: text/event-stream", b"Content-Encoding: gzip"),)),
    Row("a coding that nobody knows", (sized(b"\x28\xb5\x2f\xfd", b"Content-Encoding: zstd"),)),
    Row("trailers", (CHUNKED, *STREAM, b"0\r\nServer-Timing: total;dur=1\r\n", b"X-Checksum: 1\r\n\r\n")),
    Row("chunk extensions", (CHUNKED, b"5;a=b\r\nhello\r\n", LAST)),
    Row("early hints", (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", sized(JSON))),
    Row("hints and answer in one write", (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + sized(JSON),)),
    Row("head", (OK + b"Content-Length: 500\r\n\r\n",), method="HEAD"),
    Row("204", (b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",)),
    Row("304", (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",), method="GET"),
    Row("307", (sized(b"", b"Location: http://elsewhere.invalid/v1", first=b"HTTP/1.1 307 Temporary Redirect\r\n"),)),
    Row("429 with all its headers", (RATE_LIMITED,), same_bytes=False),
    Row(
        "odd but legal heads", (OK + b"x-EMPTY:\r\nx-folded: a\r\n  b\r\nContent-Length:2\r\n\r\n{}",), same_bytes=False
    ),
    Row("one byte at a time", tuple(bytes((byte,)) for byte in CHUNKED + b"".join(STREAM) + LAST)),
    Row("a megabyte", (sized(bytes(range(256)) * 4096),)),
    Row("reset in the stream", (CHUNKED, *STREAM[:3], RESET), "reset", False),
    Row("reset before the head", (RESET,), "reset", False),
    Row("closed before the head", (CLOSE,), "eof", False),
    Row("closed inside the head", (CHUNKED[:30], CLOSE), "eof", False, same_bytes=False),
    Row("closed before the last chunk", (CHUNKED, *STREAM, CLOSE), "eof", False),
    Row("closed inside a chunk", (CHUNKED, STREAM[0], STREAM[1][:20], CLOSE), "eof", False),
    Row("closed short of the length", (sized(JSON)[:-5], CLOSE), "eof", False),
    Row("no HTTP", (b"\x00\x16\x03\x01 this is no HTTP\xff\r\n\r\n", CLOSE), "eof", False),
    Row("a chunk size that is no number", (CHUNKED, b"zz\r\nhello\r\n", CLOSE), "eof", False),
    Row("two different lengths", (OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", CLOSE), "eof", False),
    Row("bare line feeds", (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", CLOSE), same_bytes=False),
    Row("more than was promised", (sized(JSON, b"Connection: close") + b"noise", CLOSE)),
]


def request_of(row):
    body = body_of(stream=True) if row.method == "POST" else b""
    return request_bytes(
        body, method=row.method, version=row.version, close=False, headers=("authorization: Bearer sk-test-0123456789",)
    )


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_client_sees_the_same_with_the_tap_and_without(row):
    """Every byte, in order, and the same end: a close is a close, a reset is a reset, and nothing is added."""
    sent = b"".join(step for step in row.play if isinstance(step, bytes))
    size_bytes = None if row.play[-1] in (CLOSE, RESET) else len(sent)
    request = request_of(row)
    with RawServer(list(row.play), list(row.play)) as server:
        direct = ask(server.port, request, size_bytes)
        with tapped(f"http://127.0.0.1:{server.port}/v1") as (tap, records):
            through = ask(tap.port, request, size_bytes)
            records.wait_for("end")
    assert through == direct
    assert through[0] == sent
    plain, seen = server.requests
    assert seen == plain.replace(b"Host: practice", b"Host: 127.0.0.1:%d" % server.port)
    (exchange,) = records.exchanges
    assert (exchange.end.how, exchange.end.whole) == (row.how, row.whole)
    assert recorded_bytes(exchange) == sent or not row.same_bytes
    assert exchange.request.body == (body_of(stream=True) if row.method == "POST" else b"")


def test_each_read_is_passed_on_when_it_comes():
    """Nothing is held back until more comes: the server goes on only when the client has what was sent so far."""
    gates = [threading.Event() for _ in EVENTS]
    play = [CHUNKED]
    for gate, event in zip(gates, EVENTS):
        play += [gate, chunk(event)]
    with RawServer([*play, LAST]) as server, tapped(server.url) as (tap, records):
        with RawClient(tap.port) as client:
            client.send(request_bytes(body_of(stream=True), close=False)).until(b"\r\n\r\n")
            for gate, event in zip(gates, EVENTS):
                gate.set()
                client.until(chunk(event))
            client.until(LAST)
        (exchange,) = records.wait_for("end")
    assert [piece.data for piece in exchange.pieces[:4]] == [chunk(event) for event in EVENTS[:4]]
    times = [piece.at_us for piece in exchange.pieces]
    assert times == sorted(times) and times[0] >= exchange.head_us


# Requests -------------------------------------------------------------------------------------------------------------


class Listening(RawServer):
    """Takes bytes as they come, and answers when it has seen so many."""

    def __init__(self, *talks):
        super().__init__()
        self.talks = list(talks)  # [(bytes to wait for, what to send then), ...] for each connection
        self.seen = []

    def _talk(self, connection):
        data = b""
        for size_bytes, answer in self.talks.pop(0):
            while len(data) < size_bytes:
                piece = connection.recv(65536)
                if not piece:
                    break
                data += piece
            connection.sendall(answer)
        self.seen.append(data)
        connection.recv(1)


def head_of(*lines, target="/v1/chat/completions"):
    return "\r\n".join([f"POST {target} HTTP/1.1", *lines, "", ""]).encode()


def test_a_body_by_chunks_keeps_its_chunks():
    """Framing as sent: sizes, extensions and trailers reach the server; the record has the body without them."""
    body = b'5;x=y\r\n{"a":\r\n2\r\n1}\r\n0\r\nX-Sum: 1\r\n\r\n'
    head = head_of("Host: tap", "Transfer-Encoding: chunked", "x-Odd-CASE:  two spaces")
    with Listening([(len(head) + len(body) + 10, sized(JSON))]) as server:
        with tapped(server.url.replace("/chat/completions", "")) as (tap, records):
            with RawClient(tap.port) as client:
                client.send(head)
                for place in range(len(body)):
                    client.send(body[place : place + 1])
                # What was waited for counts the longer Host in, which is the only change.
                client.send(b"\r\n" * 10).until(JSON)
            (exchange,) = records.wait_for("end")
    host = b"Host: 127.0.0.1:%d" % server.port
    assert server.seen[0].startswith(head.replace(b"Host: tap", host) + body[:-4])
    assert exchange.request.body == b'{"a":1}'
    assert ("x-Odd-CASE", "two spaces") in exchange.request.headers
    assert any("2 chunks of 5, 2 bytes" in note for note in exchange.notes)


def test_expect_100_continue_passes_both_ways():
    """The client waits for the server's word, not the tap's; the body follows it."""
    head = head_of("Host: tap", "Expect: 100-continue", "Content-Length: 2")
    go_ahead = b"HTTP/1.1 100 Continue\r\n\r\n"
    size_bytes = len(head) + len("127.0.0.1:12345") - len("tap")
    with Listening([(size_bytes, go_ahead), (size_bytes + 2, sized(JSON))]) as server:
        with tapped(server.url) as (tap, records):
            with RawClient(tap.port) as client:
                client.send(head).until(go_ahead)
                assert client.data == go_ahead
                client.send(b"{}").until(JSON)
            (exchange,) = records.wait_for("end")
    assert [head.status for _, head in exchange.interim] == [100]
    assert exchange.request.body == b"{}" and exchange.end.whole


def test_an_answer_before_the_request_is_whole():
    """A server that has heard enough: its 413 comes while the client still sends."""
    head = head_of("Host: tap", "Content-Length: 1000000")
    refusal = sized(b"{}", b"Connection: close", first=b"HTTP/1.1 413 Content Too Large\r\n")
    with Listening([(len(head), refusal)]) as server, tapped(server.url) as (tap, records):
        with RawClient(tap.port) as client:
            client.send(head + b"x" * 1000).until(refusal)
        (exchange,) = records.wait_for("end")
    assert exchange.head.status == 413
    assert exchange.request_whole is False and exchange.request.body == b"x" * 1000


def test_a_large_request_for_a_slow_server():
    """Four megabytes for a server that reads late: all of them arrive, in order."""
    body = b"".join(b"%08d" % number for number in range(1 << 19))
    request = head_of("Host: tap", f"Content-Length: {len(body)}") + body
    gate = threading.Event()

    class Late(Listening):
        def _talk(self, connection):
            assert gate.wait(PATIENCE_S)
            super()._talk(connection)

    with Late([(len(request), sized(JSON))]) as server, tapped(server.url) as (tap, records):
        with RawClient(tap.port) as client, ThreadPoolExecutor(1) as pool:
            sending = pool.submit(client.send, request)
            gate.set()
            sending.result(PATIENCE_S)
            client.until(JSON)
        (exchange,) = records.wait_for("end")
    assert server.seen[0].endswith(body) and exchange.request.body == body


def test_an_answer_for_a_slow_client():
    """Twelve megabytes for a client that does not read: the server is slowed down, and nothing is lost."""
    body = b"".join(b"%08d" % number for number in range(3 << 19))
    with RawServer([sized(body)]) as server, tapped(server.url) as (tap, records):
        with RawClient(tap.port) as client:
            client.send(request_bytes(body_of(), close=False)).until(OK)
            client.read(len(sized(body)))
            assert client.data == sized(body)
        (exchange,) = records.wait_for("end")
    assert exchange.body() == body


def test_connections_are_kept_and_used_again():
    """Three requests of one client connection go over one connection to the server; the record knows."""
    with RawServer([sized(JSON)], [CHUNKED, *STREAM, LAST], [sized(JSON)]) as server:
        with tapped(server.url) as (tap, records), RawClient(tap.port) as client:
            for answer in (sized(JSON), CHUNKED + b"".join(STREAM) + LAST, sized(JSON)):
                client.data = b""
                client.send(request_bytes(body_of(), close=False)).read(len(answer))
                assert client.data == answer
            records.wait_for("end", 3)
    assert server.connections == 1
    assert [exchange.head.reused for exchange in records.exchanges] == [False, True, True]
    assert [note for exchange in records.exchanges for note in exchange.notes if "new connection" in note] == [
        records.exchanges[0].notes[0]
    ]


def test_an_idle_close_is_passed_on():
    """A server that closes a kept connection closes it for the client, too: that is how a stale connection is seen."""
    with RawServer([sized(JSON), CLOSE]) as server, tapped(server.url) as (tap, records):
        data, ended = ask(tap.port, request_bytes(body_of(), close=False))
    assert (data, ended) == (sized(JSON), "eof")
    assert records.exchanges[0].end.whole


def test_pipelined_requests_are_answered_in_order():
    """Two requests in one write, and the second cut in two: each gets its own answer."""
    one, two = (request_bytes(body_of(text=text), close=False) for text in ("one", "two"))
    answers = [sized(b'{"n":1}'), sized(b'{"n":2}')]
    with RawServer([answers[0]], [answers[1]]) as server, tapped(server.url) as (tap, records):
        with RawClient(tap.port) as client:
            client.send(one + two[:40]).until(answers[0])
            client.send(two[40:]).read(len(answers[0] + answers[1]))
            assert client.data == answers[0] + answers[1]
        records.wait_for("end", 2)
    assert [request.partition(b"\r\n\r\n")[2] for request in server.requests] == [
        one.partition(b"\r\n\r\n")[2],
        two.partition(b"\r\n\r\n")[2],
    ]


def test_twenty_connections_at_once(practice):
    """Each client gets its own answer, and each exchange its own record."""
    with tapped(practice.url) as (tap, records):

        def question(number):
            body = body_of(text=f"Say {number}", stream=True)
            with RawClient(tap.port) as client:
                got = Got(client.send(request_bytes(body)).to_the_end())
            return got.status, got.documents[-1], got.raw

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(question, range(20)))
        records.wait_for("end", 20)
    assert [(status, last) for status, last, _ in answers] == [(200, "[DONE]")] * 20
    assert sorted(map(recorded_bytes, records.exchanges)) == sorted(raw for _, _, raw in answers)
    assert sorted(exchange.payload["messages"][0]["content"] for exchange in records.exchanges) == sorted(
        f"Say {number}" for number in range(20)
    )


def test_another_protocol_is_passed_on():
    """After a 101 the bytes are no requests: they pass both ways until somebody closes."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    head = head_of("Host: tap", "Upgrade: websocket", "Connection: upgrade", target="/v1/realtime").replace(
        b"POST", b"GET"
    )
    size_bytes = len(head) + len("127.0.0.1:12345") - len("tap")
    with Listening([(size_bytes, switch), (size_bytes + 4, b"\x81\x02hi")]) as server:
        with tapped(server.url.replace("/chat/completions", "")) as (tap, records):
            with RawClient(tap.port) as client:
                client.send(head).until(switch)
                client.send(b"\x81\x02yo").until(b"\x81\x02hi")
            (exchange,) = records.wait_for("end")
    assert exchange.head.status == 101 and any("another protocol" in note for note in exchange.notes)


# The client goes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rudely", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("sent", [(), (CHUNKED, *STREAM[:2])], ids=["before the head", "in the stream"])
def test_a_client_that_goes_takes_the_upstream_along(sent, rudely):
    """The upstream is closed at once: a model that nobody listens to stops costing money."""
    with RawServer([*sent, HOLD]) as server, tapped(server.url) as (tap, records):
        client = RawClient(tap.port)
        client.send(request_bytes(body_of(stream=True), close=False))
        if sent:
            client.until(sent[-1])
        else:
            records.wait_for("request")
        if rudely:
            client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client._socket.close()
        assert server.hung_up.wait(PATIENCE_S)
        (exchange,) = records.wait_for("end")
    assert (exchange.end.how, exchange.end.whole) == ("client_gone", False)
    assert recorded_bytes(exchange) == b"".join(sent)


def test_a_client_that_goes_while_it_sends():
    """What had come of the request is on record, marked as not whole."""
    with RawServer() as server, tapped(server.url) as (tap, records):
        with RawClient(tap.port) as client:
            client.send(head_of("Host: tap", "Content-Length: 100") + b'{"model":')
        (exchange,) = records.wait_for("end")
    assert exchange.request.body == b'{"model":' and exchange.request_whole is False
    assert exchange.end.how == "client_gone"


def test_stopping_the_tap_says_so():
    """What was on its way is on record, and its end is the recorder's, not the server's."""
    with RawServer([CHUNKED, STREAM[0], HOLD]) as server:
        with tapped(server.url) as (tap, records), RawClient(tap.port) as client:
            client.send(request_bytes(body_of(stream=True), close=False)).until(STREAM[0])
            tap.stop()
            client.to_the_end()
    (exchange,) = records.exchanges
    assert (exchange.end.how, exchange.end.whole) == ("stopped", False)
    assert exchange.pieces[0].data == STREAM[0]


# What cannot be passed on ---------------------------------------------------------------------------------------------

REFUSED = [
    ("no HTTP", b"hello there\r\n\r\n", 400, "no HTTP/1 request line"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "http://"),
    ("a tunnel", b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\n\r\n", 405, "no proxy"),
    ("a head without end", b"GET / HTTP/1.1\r\nX: " + b"x" * 70000, 431, "65536"),
]


@pytest.mark.parametrize("name, request_, status, words", REFUSED, ids=[row[0] for row in REFUSED])
def test_requests_that_cannot_be_read(name, request_, status, words):
    """The tap says that it is the tap who speaks, in the API's shape, and asks nobody."""
    said = []
    with RawServer() as server, tapped(server.url, say=said.append) as (tap, records):
        with RawClient(tap.port) as client:
            got = Got(client.send(request_).to_the_end())
    assert got.status == status and got.headers["x-tap-error"] == "bad_request"
    assert words in got.json["error"]["message"]
    assert server.requests == [] and len(said) == 1 and words in said[0]
    assert records.exchanges == []


def test_an_upstream_that_is_not_there():
    """502 in the API's shape, marked as the tap's; the record says what happened: no answer."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tapped(f"http://127.0.0.1:{port}/v1") as (tap, records), RawClient(tap.port) as client:
        got = Got(client.send(request_bytes(body_of(), close=False)).until(b"}\n}"))
        assert got.status == 502 and got.headers["x-tap-error"] == "unreachable"
        assert f"127.0.0.1:{port}" in got.json["error"]["message"] and got.json["error"]["code"] == "unreachable"
        client.data = b""
        assert Got(client.send(request_bytes(body_of(), close=False)).until(b"}\n}")).status == 502
        records.wait_for("end", 2)
    exchange = records.exchanges[0]
    assert exchange.head is None and exchange.end.how == "unreachable" and exchange.end.detail
    assert exchange.payload == json.loads(body_of())


# The way to the upstream ----------------------------------------------------------------------------------------------


def test_tls_with_a_ca_of_ones_own(tls, certificate, monkeypatch):  # noqa: F811
    """The upstream is verified against the CA file of the environment; the bytes are the same as on a plain connection."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    with RawServer([CHUNKED, *STREAM, LAST], [sized(JSON), CLOSE], tls=tls) as server:
        with tapped(server.url) as (tap, records):
            with RawClient(tap.port) as client:
                client.send(request_bytes(body_of(stream=True), close=False)).until(LAST)
                assert client.data == CHUNKED + b"".join(STREAM) + LAST
                client.send(request_bytes(body_of(), close=False)).to_the_end()
                assert client.data.endswith(sized(JSON)) and client.ended == "eof"
            records.wait_for("end", 2)
    assert server.connections == 1
    assert "TLSv1" in records.exchanges[0].notes[0]
    assert records.exchanges[0].request.url.startswith("https://127.0.0.1:")


def test_tls_is_verified(tls):  # noqa: F811
    """A certificate that nobody vouches for: 502, with the reason; no request leaves."""
    with RawServer(tls=tls) as server, tapped(server.url) as (tap, records), RawClient(tap.port) as client:
        got = Got(client.send(request_bytes(body_of(), close=False)).until(b"}\n}"))
        assert got.status == 502 and "no TLS with 127.0.0.1" in got.json["error"]["message"]
        (exchange,) = records.wait_for("end")
    assert "self" in exchange.end.detail and server.requests == []


def test_a_proxy_for_a_plain_upstream(monkeypatch):
    """The proxy gets the absolute URL and its credentials, which nothing records."""
    with Proxy([sized(JSON)]) as proxy:
        monkeypatch.setenv("http_proxy", f"http://user:sesame7word@127.0.0.1:{proxy.port}")
        with tapped("http://api.example/v1") as (tap, records), RawClient(tap.port) as client:
            client.send(request_bytes(body_of(), close=False)).until(JSON)
            records.wait_for("end")
    (request,) = proxy.requests
    assert request.startswith(b"POST http://api.example/v1/chat/completions HTTP/1.1\r\nHost: api.example\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpzZXNhbWU3d29yZA==\r\n" in request
    assert "sesame" not in str(records) and "dXNlcjpzZXNhbWU3d29yZA" not in str(records)


def test_a_tunnel_for_a_tls_upstream(tls, certificate, monkeypatch):  # noqa: F811
    """CONNECT with credentials, then TLS with the upstream itself."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with RawServer([CHUNKED, *STREAM, LAST], tls=tls) as server, Proxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://user:sesame7word@127.0.0.1:{proxy.port}")
        with tapped(server.url) as (tap, records), RawClient(tap.port) as client:
            client.send(request_bytes(body_of(stream=True), close=False)).until(LAST)
            assert client.data == CHUNKED + b"".join(STREAM) + LAST
            (exchange,) = records.wait_for("end")
    (request,) = proxy.requests
    assert request.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic dXNlcjpzZXNhbWU3d29yZA==\r\n" in request
    assert f"through the proxy 127.0.0.1:{proxy.port}" in exchange.notes[0]
    assert "sesame" not in str(records)


def test_a_proxy_that_refuses(monkeypatch, certificate):  # noqa: F811
    """Its status is told."""
    with Proxy(refuses=True) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with tapped("https://api.example/v1") as (tap, records), RawClient(tap.port) as client:
            got = Got(client.send(request_bytes(body_of(), close=False)).until(b"}\n}"))
            records.wait_for("end")
    assert got.status == 502 and "it answered 407 Proxy Authentication Required" in got.json["error"]["message"]


def test_the_key_reaches_the_server_and_no_record():
    """Headers, query and body arrive as sent; what is recorded has marks in their place, of the same length in bodies."""
    key = "sk-proj-abcdefghijklmnop0123456789"
    body = json.dumps({"model": "m", "messages": [], "api_key": key}).encode()
    request = request_bytes(
        body,
        path=f"/v1/chat/completions?api-key={key}",
        close=False,
        headers=(f"Authorization: Bearer {key}", f"api-key: {key}"),
    )
    answer = json.dumps({"error": {"message": f"Incorrect API key provided: {key}"}}).encode()
    with (
        RawServer([sized(answer, first=b"HTTP/1.1 401 Unauthorized\r\n")]) as server,
        tapped(server.url) as (tap, records),
    ):
        data, _ = ask(tap.port, request, len(sized(answer, first=b"HTTP/1.1 401 Unauthorized\r\n")))
        records.wait_for("end")
    assert server.requests[0].count(key.encode()) == 4 and key.encode() in data
    assert key not in str(records) and "0123456789" not in str(records)
    assert len(records.exchanges[0].body()) == len(answer)


def test_the_tap_is_not_its_own_upstream():
    """A base URL that names the tap's own port would go round in circles."""
    with tap_module.Tap("http://127.0.0.1:9/v1", sinks=[Records()]) as tap:
        port = tap.port
    with pytest.raises(module("protocol.errors").PayloadError, match="is the tap itself"):
        tap_module.Tap(f"http://127.0.0.1:{port}/v1", port=port).start()
