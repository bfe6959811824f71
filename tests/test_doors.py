"""All doors over real loopback sockets: one table of what a server does and what must come out, and one set of rules.

Runs over each of `doors.DOORS`; what is particular to one of them is tested in the file that mirrors its module.
"""

import gc
import gzip
import os
import socket
import threading
import traceback
import warnings
from typing import Any, NamedTuple, Tuple

import pytest

from . import module
from .doors import (
    BODY,
    CLOSE,
    CODINGS,
    FRAMINGS,
    GZIP,
    HOLD,
    PATIENCE_S,
    PIECES,
    RESET,
    SYNC_DOORS,
    PlainDoor,
    Proxy,
    RawServer,
    all_but_plain,
    chunk,
    closed_port,
    fails,
    flushed,
    framed,
    head,
    parts,
    plain,
    post,
    read_all,
    read_request,
)

wire = module("protocol.wire")
errors = module("protocol.errors")

of_sync_doors = pytest.mark.parametrize("make_door", SYNC_DOORS, indirect=True)

# The table: what a server does, and what comes out of every door.


class Row(NamedTuple):
    """`phase` with `words` means an error; without, `body` comes out whole. `arrived` is what came before an error."""

    name: str
    play: Tuple[Any, ...]
    body: bytes = b""
    phase: str = ""
    words: str = ""
    status: int = 200
    version: str = "1.1"
    arrived: bytes = b""
    timeout: bool = False


def row(name, play, body=b"", **more):
    return Row(name, tuple(play), body, **more)


ROWS = [
    *(
        row(f"{framing}, {coding}", framed(framing, coding), BODY, version="1.0" if framing == "http/1.0" else "1.1")
        for framing in FRAMINGS
        for coding in CODINGS
    ),
    row("one byte at a time", framed("chunked", "plain", [BODY[i : i + 1] for i in range(len(BODY))]), BODY),
    row(
        "chunk extensions and trailers",
        [head("Transfer-Encoding: chunked"), b"5;a=b\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"],
        b"hello",
    ),
    row("chunks in one segment", [b"".join(framed("chunked"))], BODY),
    row("two gzip members", plain(gzip.compress(b"one") + gzip.compress(b"two"), "Content-Encoding: gzip"), b"onetwo"),
    row("identity is no coding", plain(b"as it is", "Content-Encoding: identity"), b"as it is"),
    row("no content", [head(status="204 No Content")], status=204),
    row("Content-Length 0", plain(b""), status=200),
    row("empty chunked body", framed("chunked", pieces=[])),
    row("empty close-delimited body", framed("closed", pieces=[])),
    row("Connection: close", [*plain(b"bye", "Connection: close"), CLOSE], b"bye"),
    row("an error status is no exception", plain(b'{"error":1}', status="429 Too Many"), b'{"error":1}', status=429),
    row(
        "a redirect is not followed",
        plain(b"moved", "Location: http://127.0.0.1:9/x", status="307 R"),
        b"moved",
        status=307,
    ),
    row("100 Continue before the answer", [head(status="100 Continue"), *plain(b"ok")], b"ok"),
    row("a large body", framed("chunked", pieces=[b"x" * 100_000] * 20), b"x" * 2_000_000),
    # Cut off.
    row(
        "short Content-Length, closed",
        [head("Content-Length: 20"), b"hello", CLOSE],
        phase="body",
        words="15 more",
        arrived=b"hello",
    ),
    row("short Content-Length, nothing", [head("Content-Length: 20"), CLOSE], phase="body", words="20 more"),
    row(
        "short Content-Length, gzip",
        [head("Content-Length: 200", "Content-Encoding: gzip"), flushed([b"hello"], GZIP)[0], CLOSE],
        phase="body",
        words="more",
        arrived=b"hello",
    ),
    row(
        "cut between chunks",
        [head("Transfer-Encoding: chunked"), chunk(b"hello"), CLOSE],
        phase="body",
        arrived=b"hello",
    ),
    row(
        "cut inside a chunk",
        [head("Transfer-Encoding: chunked"), chunk(b"hello"), b"9\r\nabc", CLOSE],
        phase="body",
        arrived=b"hello",
    ),
    row("cut before a chunk", [head("Transfer-Encoding: chunked"), CLOSE], phase="body"),
    row("a chunk size that is none", [head("Transfer-Encoding: chunked"), b"zz\r\nhello\r\n", HOLD], phase="body"),
    row("reset in the body", [head("Transfer-Encoding: chunked"), chunk(b"hello"), RESET], phase="body"),
    row("not gzip at all", plain(b"not gzip", "Content-Encoding: gzip"), phase="body", words="decode"),
    # No answer.
    row("closed without an answer", [CLOSE], phase="head", words="without an answer"),
    row("reset without an answer", [RESET], phase="head", words="broke the connection"),
    row("not HTTP", [b"220 mail.example ESMTP\r\n", CLOSE], phase="head", words="HTTP"),
    row("no answer in time", [HOLD], phase="head", words="within 0.05 s", timeout=True),
    row(
        "silence in a body",
        [head("Content-Length: 9"), b"abc", HOLD],
        phase="body",
        words="for 0.05 s",
        arrived=b"abc",
        timeout=True,
    ),
    row(
        "silence between chunks",
        [head("Transfer-Encoding: chunked"), chunk(b"abc"), HOLD],
        phase="body",
        words="for 0.05 s",
        arrived=b"abc",
        timeout=True,
    ),
    row(
        "silence, close-delimited",
        [head(), b"abc", HOLD],
        phase="body",
        words="for 0.05 s",
        arrived=b"abc",
        timeout=True,
    ),
]


@pytest.mark.parametrize("whole", [False, True], ids=["piece by piece", "at once"])
@pytest.mark.parametrize("row", ROWS, ids=[each.name for each in ROWS])
def test_transport_rows(door, row, whole):
    """Every framing, coding and fault: the body comes out whole, or an error of ours says where it broke and why."""
    arrived = []
    if isinstance(door, PlainDoor) and _is_coded(row):
        row = row._replace(phase="head", words="is compressed", arrived=b"")

    def call():
        response = post(door, server.url, read_s=0.05 if row.timeout else 5)
        assert (response.head.status, response.head.http_version) == (row.status, row.version)
        try:
            while True:
                piece = response.read() if whole else response.read_some()
                arrived.append(piece)
                if whole or not piece:
                    return
        finally:
            response.close()
            response.close()

    with RawServer(row.play) as server:
        if row.phase:
            error = fails(errors.APITimeoutError if row.timeout else errors.APIConnectionError, call)
            assert error.phase == row.phase
            assert row.words in str(error) and f"127.0.0.1:{server.port}" in str(error)
            assert error.__cause__ is not None
            if not whole:
                assert b"".join(arrived).startswith(row.arrived)
                assert row.phase != "body" or f"({len(b''.join(arrived))} bytes had come)" in str(error)
        else:
            call()
            assert b"".join(arrived) == row.body
    assert len(server.requests) == 1


def _is_coded(row):
    return (
        any(b"Content-Encoding: " in step for step in row.play if isinstance(step, bytes))
        and "identity" not in row.name
    )


@pytest.mark.parametrize("make_door", ["stdlib", "asyncio"], indirect=True)
def test_half_a_head_is_no_answer(door):
    """The connection ends inside the head: an error, and one that is worth another attempt."""
    with RawServer([b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE]) as server:
        error = fails(errors.APIConnectionError, post, door, server.url)
    assert (error.phase, error.retryable) == ("head", True)
    assert "ended inside the head, after 27 bytes" in str(error)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_nothing_is_held_back(door, framing, coding):
    """The server sends a piece only when the one before was handed out: a door that waits for more waits in vain."""
    if isinstance(door, PlainDoor) and coding != "plain":
        pytest.skip("it neither asks for compression nor undoes it")
    first, encoded, rest = parts(framing, coding)
    arrived = [threading.Event() for _ in encoded]
    steps = [first]
    for piece, event in zip(encoded, arrived):
        steps += [piece, event]
    with RawServer([*steps, *rest]) as server:
        response = post(door, server.url)
        got = b""
        for piece, event in zip(PIECES, arrived):
            while not got.endswith(piece):
                got += response.read_some()
            event.set()
        assert read_all(response) == []
    assert got == BODY


def test_the_head_comes_before_the_body(door):
    """`send` returns on the head alone, with its header fields in order, case and number."""
    go_on = threading.Event()
    fields = ["Content-Type: text/event-stream", "X-Request-ID: r1", "via: a", "x-b: 1", "Via: b"]
    with RawServer([head(*fields, "Content-Length: 2", status="200 Fine"), go_on, b"{}"]) as server:
        response = post(door, server.url)
        assert [f"{name}: {value}" for name, value in response.head.headers.pairs[:5]] == fields
        assert response.head.headers["VIA"] == "a, b"
        assert (response.head.reason, response.head.reused) == ("Fine", False)
        go_on.set()
        assert read_all(response) == [b"{}"]


# What is sent.

WIRE_ROWS = [
    (
        "a post",
        wire.Request(
            "POST",
            "/v1/chat/completions?api-version=1&x=%20",
            (("X-b", "1"), ("User-Agent", "me"), ("x-A", "2")),
            b"{}",
        ),
        (
            b"POST /v1/chat/completions?api-version=1&x=%20 HTTP/1.1\r\n"
            b"Host: HOST\r\nX-b: 1\r\nUser-Agent: me\r\nx-A: 2\r\nContent-Length: 2\r\n\r\n{}"
        ),
    ),
    (
        "no header at all",
        wire.Request("POST", "/v1", (), b"{}"),
        b"POST /v1 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a get",
        wire.Request("GET", "/v1/models", (("Accept", "a/b"),)),
        b"GET /v1/models HTTP/1.1\r\nHost: HOST\r\nAccept: a/b\r\n\r\n",
    ),
    (
        "another method",
        wire.Request("DELETE", "/v1/f", ()),
        b"DELETE /v1/f HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
    ),
    ("an empty post", wire.Request("POST", "/v1", ()), b"POST /v1 HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n"),
    (
        "the caller's own Accept-Encoding and Host",
        wire.Request("GET", "/", (("host", "other"), ("Accept-Encoding", "gzip"))),
        b"GET / HTTP/1.1\r\nhost: other\r\nAccept-Encoding: gzip\r\n\r\n",
    ),
    (
        "one name twice, Latin-1",
        wire.Request("GET", "/", (("X-A", "1"), ("x-a", "\u00e9"))),
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX-A: 1, \xe9\r\n\r\n",
    ),
]


@pytest.mark.parametrize("request_, expected", [each[1:] for each in WIRE_ROWS], ids=[each[0] for each in WIRE_ROWS])
def test_what_crosses_the_wire(door, request_, expected):
    """The Request, to the byte, with Host and Content-Length: no User-Agent or Accept-Encoding of any library."""
    with RawServer(plain(), plain()) as server:
        for _ in range(2):  # over a new connection, and over one that is used again
            request = request_._replace(url=f"http://127.0.0.1:{server.port}{request_.url}")
            read_all(door.send(request, connect_timeout_s=5, read_timeout_s=5))
    assert server.requests == [expected.replace(b"HOST", f"127.0.0.1:{server.port}".encode())] * 2


BAD_HEADERS = [
    ("line break", "X-Key", "sk-abc\r\nX-Evil: 1"),
    ("bare LF", "X-Key", "sk-abc\n"),
    ("NUL", "X-Key", "sk-abc\0"),
    ("beyond Latin-1", "X-Key", "sk-abc\u20ac"),
    ("blank in front", "X-Key", " sk-abc"),
    ("name with a colon", "X-Key: sk-abc", "1"),
    ("name with a line break", "X-Key\n", "sk-abc"),
    ("no name", "", "sk-abc"),
]


@pytest.mark.parametrize("name, value", [each[1:] for each in BAD_HEADERS], ids=[each[0] for each in BAD_HEADERS])
def test_headers_that_cannot_be_sent(door, name, value):
    """They are refused before anything is sent, and the message doesn't quote the value, which may be the key."""
    error = fails(errors.PayloadError, post, door, "http://127.0.0.1:9/", headers=[(name, value)])
    assert error.path.startswith("headers") and error.__cause__ is None
    assert "sk-abc" not in str(error) or "sk-abc" in name


LOCAL_MISTAKES = [
    ("no scheme", {}, "127.0.0.1:9/v1", {}),
    ("unknown scheme", {}, "ftp://127.0.0.1:9/v1", {}),
    ("no host", {}, "http:///v1", {}),
    ("bad port", {}, "http://127.0.0.1:port/v1", {}),
    ("timeout of zero", {}, "http://127.0.0.1:9/v1", {"connect_s": 0}),
    ("CA file that is not there", {"verify": "/no/such/ca.pem"}, "https://127.0.0.1:9/v1", {}),
]


@pytest.mark.parametrize(
    "options, url, more", [each[1:] for each in LOCAL_MISTAKES], ids=[each[0] for each in LOCAL_MISTAKES]
)
def test_local_mistakes(make_door, options, url, more):
    """What is wrong before sending is a PayloadError, which nobody retries."""
    fails(errors.PayloadError, post, make_door(**options), url, **more)


# Connections, used again and given up.


def test_connections_are_used_again(door):
    """Answers read to their end share one connection, in every framing that allows it; `reused` tells."""
    coding = "plain" if isinstance(door, PlainDoor) else "gzip"
    plays = [framed("sized"), framed("chunked"), framed("sized", coding), framed("chunked", coding), plain(b"")]
    with RawServer(*plays, plain(), plain()) as server:
        told = []
        for _ in plays:
            response = post(door, server.url)
            told.append(response.head.reused)
            read_all(response)
        for _ in range(2):
            response = post(door, server.url)
            response.read()
            response.close()
        assert server.connections == 1
    assert told == [False, True, True, True, True]


def test_bytes_after_the_last_chunk_cost_the_connection(door):
    """Nobody asked for them: they are no answer to the next request."""
    with RawServer([b"".join(framed("chunked")) + b"HTTP/1.1 200 OK\r\n", HOLD], plain(b"2")) as server:
        assert b"".join(read_all(post(door, server.url))) == BODY
        response = post(door, server.url)
        assert response.head.reused is False and read_all(response) == [b"2"]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_leaving_early_closes_the_connection(door, framing):
    """The server sees the client go, and the next call has a connection of its own."""
    first, encoded, _ = parts(framing)
    with RawServer([first, encoded[0], HOLD], plain()) as server:
        response = post(door, server.url)
        assert response.read_some()
        response.close()
        response.close()
        assert server.hung_up.wait(PATIENCE_S)
        assert fails(errors.APIConnectionError, response.read_some).phase == "body"
        response = post(door, server.url)
        assert response.head.reused is False
        read_all(response)


def test_drain_saves_the_connection(door):
    """After [DONE] the last chunk is still to come: drained, the connection serves the next call too."""
    first, encoded, rest = parts("chunked")
    with RawServer([first, *encoded, *rest], plain()) as server:
        response = post(door, server.url)
        got = b""
        while not got.endswith(b"[DONE]\n\n"):
            got += response.read_some()
        assert response.drain(5) is True
        assert response.read_some() == b""
        response.close()
        assert post(door, server.url).read() == b"{}"
        assert server.connections == 1


def test_drain_gives_up(door):
    """A server that keeps the end back costs the connection, not the caller's time; nothing is raised."""
    first, encoded, _ = parts("chunked")
    with RawServer([first, *encoded, HOLD], [first, encoded[0], CLOSE]) as server:
        for _ in range(2):
            response = post(door, server.url)
            assert response.read_some()
            assert response.drain(0.02) is False
        assert server.hung_up.wait(PATIENCE_S)
        assert server.connections == 2


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_a_stale_connection_is_replaced(door, end):
    """The server closes the idle connection as we send on it: no byte came back, so it is sent once more, at once."""
    with RawServer(plain(b"1"), [end], plain(b"2")) as server:
        read_all(post(door, server.url))
        response = post(door, server.url)
        assert response.head.reused is False
        assert read_all(response) == [b"2"]
    assert len(server.requests) == 3 and server.requests[1] == server.requests[2]
    assert server.connections == 2


def test_a_stale_connection_is_replaced_once_only(door):
    """A new connection that dies may have died of the request: that is for the retry rules to decide."""
    with RawServer(plain(b"1"), [CLOSE], [CLOSE]) as server:
        read_all(post(door, server.url))
        assert fails(errors.APIConnectionError, post, door, server.url).phase == "head"
    assert len(server.requests) == 3


def test_silence_is_not_staleness(door):
    """A timeout on a used connection is no sign of a dead one: the server may be at work on the request."""
    with RawServer(plain(b"1"), [HOLD]) as server:
        read_all(post(door, server.url))
        fails(errors.APITimeoutError, post, door, server.url, read_s=0.05)
    assert len(server.requests) == 2


# Timeouts and cancelling.


def test_set_read_timeout_holds_for_the_next_read(door):
    """A deadline that comes nearer shortens the next read; the message has the new figure."""
    with RawServer([head("Transfer-Encoding: chunked"), chunk(b"a"), HOLD]) as server:
        response = post(door, server.url, read_s=600)
        assert response.read_some() == b"a"
        response.set_read_timeout(0.04)
        assert "0.04 s" in str(fails(errors.APITimeoutError, response.read_some))


def test_set_read_timeout_after_the_end(door):
    """It does nothing to a connection that another call may be using."""
    with RawServer(plain(b"1"), [head("Content-Length: 1"), b"2"]) as server:
        first = post(door, server.url)
        read_all(first)
        second = post(door, server.url)
        first.set_read_timeout(0)
        assert read_all(second) == [b"2"]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_cancel_wakes_a_blocked_read(door, framing):
    """From another thread, while the read waits in the socket; even where the end of the body is the connection's."""
    first, encoded, _ = parts(framing)
    with RawServer([first, encoded[0], HOLD]) as server:
        response = post(door, server.url, read_s=600)
        assert response.read_some()
        reading = threading.Event()
        caught = []

        def read_on():
            reading.set()
            try:
                caught.append(response.read_some())
            except errors.APIConnectionError as error:
                caught.append(error)

        thread = threading.Thread(target=read_on)
        thread.start()
        assert reading.wait(PATIENCE_S)
        response.cancel()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        response.close()
        assert server.hung_up.wait(PATIENCE_S)
    (error,) = caught
    assert type(error) is errors.APIConnectionError and error.phase == "body" and "cancelled" in str(error)


def test_cancel_before_reading(door):
    """The next read fails, though bytes are there."""
    with RawServer([head("Content-Length: 4") + b"ab", HOLD]) as server:
        response = post(door, server.url)
        response.cancel()
        assert "cancelled" in str(fails(errors.APIConnectionError, response.read_some))
        assert "cancelled" in str(fails(errors.APIConnectionError, response.read))
        response.close()


def test_a_broken_or_closed_body_stays_so(door):
    """Reading on after an error or after `close` is an error, never an empty end."""
    with RawServer([head("Content-Length: 9"), b"ab", CLOSE], plain()) as server:
        response = post(door, server.url)
        fails(errors.APIConnectionError, response.read)
        fails(errors.APIConnectionError, response.read)
        fails(errors.APIConnectionError, response.read_some)
        response = post(door, server.url)
        response.close()
        assert "closed" in str(fails(errors.APIConnectionError, response.read))


def test_cancel_after_the_end(door):
    """The connection is back in the pool then, and serves on."""
    with RawServer(plain(), plain()) as server:
        response = post(door, server.url)
        assert response.read() == b"{}"
        response.cancel()
        response.close()
        assert response.read_some() == b""
        assert read_all(post(door, server.url)) == [b"{}"]
        assert server.connections == 1


@of_sync_doors
def test_sleep_can_be_woken(door):
    """`wake` ends the wait; without it the wait is as long as it says."""
    woken = threading.Event()
    woken.set()
    door.sleep(1000, woken)
    door.sleep(0)
    assert woken.is_set()


def test_twenty_threads_share_a_door(door):
    """Everyone gets their own answer, over no more connections than threads."""
    calls, threads = 10, 20
    coding = "plain" if isinstance(door, PlainDoor) else "gzip"
    lock, wrong = threading.Lock(), []

    class Echo(RawServer):
        def _talk(self, connection):
            while True:
                request = read_request(connection)
                if not request:
                    return
                connection.sendall(b"".join(framed("chunked", coding, [request.partition(b"\r\n\r\n")[2]])))

    def work(number):
        for turn in range(calls):
            body = f"{number}/{turn}".encode()
            got = b"".join(read_all(post(door, server.url, body=body)))
            if got != body:
                with lock:
                    wrong.append((body, got))

    with Echo() as server:
        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(PATIENCE_S)
            assert not worker.is_alive()
        door.close()
        assert server.connections <= threads
    assert wrong == []


@of_sync_doors
def test_the_child_of_a_fork_has_its_own_connections(door, monkeypatch):
    """Two processes on one TCP stream would read each other's answers."""
    with RawServer(plain(b"1"), plain(b"2"), plain(b"3")) as server:
        read_all(post(door, server.url))
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            assert read_all(post(door, server.url)) == [b"2"]
            assert server.connections == 2
            response = post(door, server.url)
            assert response.head.reused is True
            assert read_all(response) == [b"3"]
            door.close()
    for session in getattr(door, "_abandoned", ()):
        session.close()  # in a real child nobody does; here parent and child are one process


# Connecting: names, refusals, TLS, proxies.


def test_connection_refused(door):
    """The message has host, port, the reason in words and what to look at."""
    port = closed_port()
    error = fails(errors.APIConnectionError, post, door, f"http://127.0.0.1:{port}/v1")
    assert str(error) == f"cannot connect to 127.0.0.1:{port}: connection refused; is the server running?"
    assert error.phase == "connect"
    assert isinstance(error.__cause__, OSError)


def test_unknown_host(door, monkeypatch):
    """A name that doesn't resolve."""

    def no_such_name(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)
    error = fails(errors.APIConnectionError, post, door, "http://api.example/v1")
    assert error.phase == "connect"
    assert "cannot find api.example:80" in str(error) and "not known" in str(error) and "base_url" in str(error)


@of_sync_doors
@pytest.mark.parametrize(
    "raised, kind, words",
    [
        (socket.timeout("timed out"), errors.APITimeoutError, "within 0.5 s"),
        (OSError(113, "No route to host"), errors.APIConnectionError, "No route to host"),
    ],
    ids=["timeout", "no route"],
)
def test_connecting_fails(door, monkeypatch, raised, kind, words):
    """Silence while connecting is a timeout with its figure; any other reason is given as the system words it."""

    def connect(*_):
        raise raised

    monkeypatch.setattr(socket.socket, "connect", connect)
    error = fails(kind, post, door, "http://127.0.0.1:9/v1", connect_s=0.5)
    assert error.phase == "connect"
    assert words in str(error) and "127.0.0.1:9" in str(error)


def test_the_callers_troubles_are_not_ours(door):
    """What the caller was handling when they called doesn't change what is said of the call."""
    port = closed_port()
    try:
        raise TimeoutError("an earlier one")
    except TimeoutError:
        error = fails(errors.APIConnectionError, post, door, f"http://127.0.0.1:{port}/v1")
    assert "refused" in str(error)


def test_no_key_in_a_traceback(door):
    """A key in the query stays out of the message, and out of the causes that a traceback prints."""
    key = "sk-secret-0123456789"
    error = fails(errors.APIConnectionError, post, door, f"http://127.0.0.1:{closed_port()}/v1?api-key={key}&x=1")
    assert key not in "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert isinstance(error.__cause__, ConnectionRefusedError)


def test_tls_is_verified(door, tls):
    """An unknown authority is refused, and the message says how to give a CA file."""
    with RawServer(plain(), tls=tls) as server:
        error = fails(errors.APIConnectionError, post, door, server.url)
    assert error.phase == "connect"
    assert "cannot trust 127.0.0.1" in str(error) and "verify=" in str(error) and "REQUESTS_CA_BUNDLE" in str(error)
    assert server.requests == []


@pytest.mark.parametrize("way", ["verify", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_file_is_honoured(make_door, tls, certificate, monkeypatch, way):
    """Given to the door or in the environment; the connection is then used again as any other, and can be cancelled."""
    if way != "verify":
        monkeypatch.setenv(way, certificate)
    door = make_door(verify=certificate) if way == "verify" else make_door()
    left = [head("Content-Length: 5"), HOLD]
    with RawServer(framed("chunked"), plain(), left, plain(), tls=tls) as server:
        assert b"".join(read_all(post(door, server.url))) == BODY
        assert post(door, server.url).read() == b"{}"
        response = post(door, server.url)
        assert response.head.reused is True
        response.cancel()
        assert "cancelled" in str(fails(errors.APIConnectionError, response.read_some))
        response = post(door, server.url)
        assert response.head.reused is False
        assert read_all(response) == [b"{}"]
        assert server.connections == 2


@pytest.mark.parametrize("make_door", ["stdlib", "plain", "asyncio"], indirect=True)
def test_the_ca_file_of_openssl(make_door, tls, certificate, monkeypatch):
    """SSL_CERT_FILE is OpenSSL's own variable, heeded where no library brings certificates of its own."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with RawServer(plain(b"1"), tls=tls) as server:
        assert read_all(post(make_door(), server.url)) == [b"1"]


def test_tls_timeouts(make_door, tls, certificate):
    """Silence on a TLS connection: in the handshake, before the head and in the body."""
    door = make_door(verify=certificate)
    with RawServer([HOLD], [head("Content-Length: 5"), b"ab", HOLD], tls=tls) as server:
        assert fails(errors.APITimeoutError, post, door, server.url, read_s=0.05).phase == "head"
        response = post(door, server.url, read_s=0.05)
        assert response.read_some() == b"ab"
        assert fails(errors.APITimeoutError, response.read_some).phase == "body"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1"
        assert fails(errors.APITimeoutError, post, door, url, connect_s=0.05).phase == "connect"


def test_tls_to_a_plain_server(door):
    """https where the server speaks http: said in words."""
    with RawServer([CLOSE]) as server:
        server._talk = lambda connection: (connection.recv(5), connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"))
        error = fails(errors.APIConnectionError, post, door, server.url.replace("http:", "https:"))
    assert error.phase == "connect" and "http://" in str(error)


@all_but_plain
@pytest.mark.parametrize("way", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "proxies"])
def test_a_proxy_for_http(make_door, monkeypatch, way):
    """The proxy gets the absolute URL, and credentials from the proxy's URL; the target is not asked."""
    with Proxy(plain(b"by proxy")) as proxy:
        address = f"http://user:pass%20word@127.0.0.1:{proxy.port}"
        if way != "proxies":
            monkeypatch.setenv(way, address)
        door = make_door(proxies={"http": address}) if way == "proxies" else make_door()
        assert read_all(post(door, "http://api.example/v1")) == [b"by proxy"]
    (request,) = proxy.requests
    assert request.startswith(b"POST http://api.example/v1 HTTP/1.1\r\nHost: api.example\r\n")
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n" in request


@all_but_plain
def test_a_tunnel_for_https(make_door, tls, certificate, monkeypatch):
    """CONNECT with the proxy's credentials, then TLS with the target itself; the tunnel is used again."""
    with RawServer(plain(b"1"), plain(b"2"), tls=tls) as server, Proxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://user:pass%20word@127.0.0.1:{proxy.port}")
        door = make_door(verify=certificate)
        assert read_all(post(door, server.url)) == [b"1"]
        response = post(door, server.url)
        assert response.head.reused is True
        assert read_all(response) == [b"2"]
        door.close()
    (request,) = proxy.requests
    assert request.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.".encode())
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n" in request
    assert b"User-Agent: test" in server.requests[0]
    assert b"Proxy-Authorization" not in server.requests[0]


@pytest.mark.parametrize("make_door", [name for name in SYNC_DOORS if name != "plain"], indirect=True)
def test_a_tunnel_through_a_proxy_over_tls(make_door, tls, certificate):
    """TLS with the proxy, CONNECT, and TLS with the target inside: read, cancelled, broken off, timed out."""
    plays = [framed("chunked"), plain(b"x" * 300_000), [head("Content-Length: 5"), b"ab", HOLD]]
    plays += [[head("Content-Length: 5"), b"ab", CLOSE], [head("Content-Length: 5"), HOLD]]
    with RawServer(*plays, tls=tls) as server, Proxy(tls=tls) as proxy:
        door = make_door(verify=certificate, proxies={"https": f"https://localhost:{proxy.port}"})
        assert b"".join(read_all(post(door, server.url))) == BODY
        response = post(door, server.url, body=b"y" * 300_000)
        assert response.head.reused is True and len(response.read()) == 300_000
        response = post(door, server.url)
        assert response.read_some() == b"ab"
        response.cancel()
        assert "cancelled" in str(fails(errors.APIConnectionError, response.read_some))
        response = post(door, server.url)
        assert response.head.reused is False
        assert "3 more" in str(fails(errors.APIConnectionError, response.read))
        response = post(door, server.url, read_s=0.2)
        assert fails(errors.APITimeoutError, response.read_some).phase == "body"
        door.close()
    assert len(server.requests[1]) > 300_000


@all_but_plain
@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "localhost,127.0.0.1", "*"])
def test_no_proxy(make_door, monkeypatch, no_proxy):
    """What no_proxy names is asked directly."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    with RawServer(plain(b"direct")) as server:
        assert read_all(post(make_door(), server.url)) == [b"direct"]


@all_but_plain
def test_the_environment_is_read_once(door, monkeypatch):
    """Per door and target: later changes don't matter to it."""
    with RawServer(plain(), plain()) as server:
        read_all(post(door, server.url))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
        assert read_all(post(door, server.url)) == [b"{}"]


@all_but_plain
def test_a_proxy_that_is_not_there(make_door):
    """The message names the proxy, without its password, and the target."""
    address = f"http://user:secretword@127.0.0.1:{closed_port()}"
    error = fails(errors.APIConnectionError, post, make_door(proxies={"http": address}), "http://api.example/v1")
    assert error.phase == "connect"
    assert "the proxy http://<key:" in str(error) and f"@{address.partition('@')[2]} " in str(error)
    assert "api.example:80" in str(error) and "NO_PROXY" in str(error)
    assert "secretword" not in "".join(traceback.format_exception(type(error), error, error.__traceback__))


@all_but_plain
def test_a_proxy_that_refuses(make_door):
    """407 from a proxy is a failure to connect, with the proxy's words."""
    with Proxy(refuses=True) as proxy:
        door = make_door(proxies={"https": f"http://127.0.0.1:{proxy.port}"})
        error = fails(errors.APIConnectionError, post, door, "https://api.example/v1")
    assert error.phase == "connect"
    assert "407" in str(error) and f"127.0.0.1:{proxy.port}" in str(error)
    del error
    with warnings.catch_warnings():
        # Before Python 3.11.4 http.client leaves the socket of a refused tunnel to the collector (cpython gh-103472).
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


# What libraries would like to add.


def test_netrc_never_replaces_the_key(door, monkeypatch, tmp_path):
    """~/.netrc has an entry for the host, and the Authorization header goes out as given."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(plain(), plain()) as server:
        read_all(post(door, server.url, headers=[("Authorization", "Bearer sk-mine")]))
        read_all(post(door, server.url))
    assert b"\r\nAuthorization: Bearer sk-mine\r\n" in server.requests[0]
    assert b"uthorization" not in server.requests[1]


def test_cookies_are_not_kept(door):
    """Load balancers like to set them; nothing comes back."""
    cookie = "Set-Cookie: __cf_bm=abc; path=/"
    with RawServer(plain(b"{}", cookie), plain(b"{}", cookie), plain()) as server:
        for _ in range(3):
            response = post(door, server.url)
            read_all(response)
        assert "set-cookie" not in response.head.headers
    assert not any(b"ookie" in request for request in server.requests)


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/elsewhere", "/relative", "http://[bad", ""])
def test_redirects_are_answers(door, location):
    """Whatever they point to; the body can be read, and no other request goes out."""
    with RawServer(plain(b"moved", f"Location: {location}", status="302 Found")) as server:
        response = post(door, server.url)
        assert (response.head.status, response.head.headers["location"]) == (302, location)
        assert read_all(response) == [b"moved"]
    assert len(server.requests) == 1
