"""The door of the standard library: what is particular to it. What it has in common with the others is in test_doors.py."""

import gc
import socket
import sys
import threading
import weakref

import pytest

from . import module, rawchat
from .doors import (
    CLOSE,
    HOLD,
    PATIENCE_S,
    PIECES,
    PlainDoor,
    RawServer,
    StdlibTransport,
    fails,
    framed,
    head,
    plain,
    post,
    read_all,
)
from .test_light_imports import FIRST_CALL, loaded_by

errors = module("protocol.errors")
events_module = module("protocol.events")
wire = module("protocol.wire")
sender_module = module("sender")

COMPLETION = b'{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}]}'
STREAM = [
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi."},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
]


@pytest.fixture(params=[StdlibTransport, PlainDoor], ids=["sockets", "http.client"])
def door(request):
    made = request.param()
    yield made
    made.close()


def test_it_loads_nothing_heavy():
    """Sockets and what they need. (No TLS either, until an address asks for it.)"""
    sockets = {"socket", "selectors", "select", "array"}
    assert loaded_by(f"{rawchat.__name__}.transport.stdlib_transport") - FIRST_CALL - sockets == set()


# Connections, kept and dropped.


def test_an_idle_connection_that_speaks_is_dropped(door):
    """Bytes that nobody asked for are no answer to the next request."""
    late, sent = threading.Event(), threading.Event()

    class Evil(RawServer):
        def _talk(self, connection):
            super()._talk(connection)
            sent.set()

    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    with Evil([*plain(b"1"), late, evil, CLOSE], plain(b"2")) as server:
        assert read_all(post(door, server.url)) == [b"1"]
        late.set()
        assert sent.wait(PATIENCE_S)
        response = post(door, server.url)
        assert response.head.reused is False and read_all(response) == [b"2"]
        assert len(server.requests) == 2


@pytest.mark.parametrize("door", [StdlibTransport], indirect=True)
def test_bytes_after_the_answer_cost_the_connection(door):
    """Though they came with it. (http.client drops them.)"""
    with RawServer([plain(b"1")[0] + b"evil", HOLD], plain(b"2")) as server:
        assert read_all(post(door, server.url)) == [b"1"]
        assert server.hung_up.wait(PATIENCE_S)
        assert read_all(post(door, server.url)) == [b"2"]


def test_a_connection_closed_in_time_is_not_sent_on(door):
    """The server had hung up before the next call: that is seen without sending anything."""
    with RawServer([*plain(b"1"), CLOSE], plain(b"2")) as server:
        response = post(door, server.url)
        held = response._connection._socket
        assert read_all(response) == [b"1"]
        assert socket.socket.recv(held, 1, socket.MSG_PEEK) == b""  # waits until the end is here
        response = post(door, server.url)
        assert response.head.reused is False and read_all(response) == [b"2"]
    assert len(server.requests) == 2


def test_surplus_connections_are_not_kept():
    """No more idle ones than `pool_size`."""
    door = StdlibTransport(pool_size=1)
    with RawServer(*[plain(b"1")] * 4) as server:
        answers = [post(door, server.url) for _ in range(3)]
        assert [read_all(answer) for answer in answers] == [[b"1"]] * 3
        assert server.hung_up.wait(PATIENCE_S)
        answer = post(door, server.url)
        assert answer.head.reused is True and read_all(answer) == [b"1"]
        assert server.connections == 3
        door.close()


def test_answers_that_are_read_after_the_door_is_closed(door):
    """`close` ends what is idle; what is being read goes on, and is not kept."""
    with RawServer(framed("chunked")) as server:
        response = post(door, server.url)
        door.close()
        assert b"".join(read_all(response)) == b"".join(PIECES)
        assert server.hung_up.wait(PATIENCE_S)


def test_an_answer_to_half_a_request(door):
    """A server refuses a large body at its head and hangs up: its words count, not the broken pipe."""
    words = b'{"error":{"message":"too large"}}'

    class Refusing(RawServer):
        def _talk(self, connection):
            connection.recv(1000)
            connection.sendall(b"".join(plain(words, "Connection: close", status="413 Too Large")))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass  # a close with bytes unread would be a reset, which may overtake the answer

    with Refusing() as server:
        response = post(door, server.url, body=b"x" * 5_000_000)
        assert response.head.status == 413
        assert read_all(response) == [words]


def test_a_request_that_is_not_taken(door):
    """The server reads nothing: the connect timeout bounds the sending, and is in the message."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        error = fails(errors.APITimeoutError, post, door, url, body=b"x" * 20_000_000, connect_s=0.05)
    assert error.phase == "send" and "did not take the request within 0.05 s" in str(error)


def test_ctrl_c_while_waiting_closes_the_connection(door, monkeypatch):
    """What is no failure of the call passes as it is, and leaves nothing open."""
    connection_class = type(door.new_connection(None))

    def interrupted(self):
        raise KeyboardInterrupt

    with RawServer([HOLD]) as server:
        with monkeypatch.context() as patch:
            patch.setattr(connection_class, "read_head", interrupted)
            with pytest.raises(KeyboardInterrupt):
                post(door, server.url)
        assert server.hung_up.wait(PATIENCE_S)


def test_cancelled_while_the_end_is_read(door):
    """The cancel comes between the last bytes and the return to the pool: that connection is not kept."""
    with RawServer(plain(b"1"), plain(b"2")) as server:
        response = post(door, server.url)
        assert response.read_some() == b"1"
        response.cancel()
        assert "cancelled" in str(fails(errors.APIConnectionError, response.read_some))
        again = post(door, server.url)
        assert again.head.reused is False and read_all(again) == [b"2"]


def test_a_door_that_nobody_closed_goes_at_once():
    """Its idle connections with it, and without a ResourceWarning: nothing waits for the collector of circles."""
    gc.collect()
    gc.disable()
    try:
        with RawServer(plain(b"1"), plain(b"2")) as server:
            door = StdlibTransport()
            for body in (b"1", b"2"):
                assert read_all(post(door, server.url)) == [body]
            gone = weakref.ref(door)
            del door
            assert gone() is None
            assert server.hung_up.wait(PATIENCE_S)
    finally:
        gc.enable()


# Chosen.


def test_a_client_over_it():
    """Whole answers and streams over one connection; every attempt tells which door it went through."""
    told = []
    plays = [plain(COMPLETION), framed("chunked", pieces=STREAM), framed("chunked", pieces=STREAM), plain(COMPLETION)]
    with RawServer(*plays) as server:
        base_url = server.url.replace("/chat/completions", "")
        with rawchat.Client("sk-0123456789", base_url, transport="stdlib", listeners=[told.append]) as client:
            assert client.chat("Hello").text == "Hi."
            for _ in range(2):
                with client.stream("Hello") as stream:
                    assert "".join(stream) == "Hi."
            assert client.chat("Hello").text == "Hi."
        assert server.connections == 1
    assert [event.transport for event in told if isinstance(event, events_module.Sending)] == ["stdlib"] * 4
    heads = [event.head for event in told if isinstance(event, events_module.Received)]
    assert [each.reused for each in heads] == [False, True, True, True]


def test_without_requests_it_is_the_default(monkeypatch):
    """Nothing to install, nothing to choose."""
    monkeypatch.setitem(sys.modules, "requests", None)
    door, ours = sender_module.open_transport(None)
    assert (door.name, ours) == ("stdlib", True)
    with pytest.raises(errors.PayloadError, match=r'pip install requests.* transport="stdlib"') as caught:
        sender_module.open_transport("requests")
    assert caught.value.path == "transport"


def test_a_broken_installation_of_requests_is_told(monkeypatch):
    """It is there, but something it needs is not: its owner will want to know, so no other door is taken."""
    requests_transport = module("transport.requests_transport")

    def broken():
        try:
            raise ModuleNotFoundError("No module named 'urllib3'", name="urllib3")
        except ImportError as error:
            raise ImportError("requests cannot be imported") from error

    monkeypatch.setattr(requests_transport, "_import_requests", broken)
    with pytest.raises(errors.PayloadError, match="cannot be imported"):
        sender_module.open_transport(None)


def test_a_deadline_over_it():
    """The client shortens the reads: an answer that falls silent ends at the deadline of its call."""
    with RawServer([head("Content-Length: 9"), b"{", HOLD]) as server:
        base_url = server.url.replace("/chat/completions", "")
        with rawchat.Client("sk-0123456789", base_url, transport="stdlib", max_retries=0) as client:
            with pytest.raises(rawchat.DeadlineExceeded, match=r"0\.05 s"):
                client.chat("Hello", deadline=0.05)
