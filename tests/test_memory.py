"""The door that answers from a script: what it gives, what it keeps, and that it fails as a real door does."""

import copy
import doctest
import pickle
import socket
import threading

import pytest

from . import forms, module, rawchat

wire = module("protocol.wire")
errors = module("protocol.errors")
memory = module("transport.memory")

URL = "http://127.0.0.1/v1/chat/completions"


def post(transport, body=b"{}", url=URL):
    return transport.send(wire.Request("POST", url, (), body), connect_timeout_s=5, read_timeout_s=60)


def pieces_of(response):
    pieces = []
    while True:
        piece = response.read_some()
        if not piece:
            return pieces
        pieces.append(piece)


def delta(text):
    return (
        b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
        % text
    )


DONE = b"data: [DONE]\n\n"
JSON, EVENTS = "application/json", "text/event-stream"
# name, what the script holds, the pieces that are read, status, Content-Type
ROWS = [
    ("a dict", {"a": "\u00e9"}, ['{"a":"\u00e9"}'.encode()], 200, JSON),
    ("a str", '{"a": "\u00e9"}', ['{"a": "\u00e9"}'.encode()], 200, JSON),
    ("bytes", b"\xff", [b"\xff"], 200, JSON),
    ("an empty str", "", [], 200, JSON),
    ("a list of chunks", [{"a": 1}, {"b": 2}], [b'data: {"a":1}\n\n', b'data: {"b":2}\n\n', DONE], 200, EVENTS),
    ("a list of texts", ["Hel", "lo"], [delta(b"Hel"), delta(b"lo"), DONE], 200, EVENTS),
    ("a list with its own [DONE]", [{"a": 1}, "[DONE]"], [b'data: {"a":1}\n\n', DONE], 200, EVENTS),
    ("a list of bytes", [b": ping\n\n"], [b": ping\n\n", DONE], 200, EVENTS),
    ("an empty list", [], [DONE], 200, EVENTS),
    ("an empty reply", memory.reply(), [], 200, None),
    ("a status with a dict", memory.reply(status=503, body={"error": None}), [b'{"error":null}'], 503, JSON),
    ("a body that is a list", memory.reply(body=[1, 2]), [b"[1,2]"], 200, JSON),
    ("pieces of all kinds", memory.reply(pieces=["\u00e9", b"\xa9", {"a": 1}, ""]), ["\u00e9".encode(), b"\xa9", b'data: {"a":1}\n\n'], 200, EVENTS),
    ("pieces from sse", memory.reply(pieces=memory.sse({"a": 1}, done=False)), [b'data: {"a":1}\n\n'], 200, EVENTS),
    ("its own Content-Type", memory.reply(body="<p>", headers={"content-type": "text/html"}), [b"<p>"], 200, "text/html"),
    ("headers as pairs", memory.reply(body="x", headers=[("Content-Type", "a"), ("Content-Type", "b")]), [b"x"], 200, "a, b"),
]  # fmt: skip


@pytest.mark.parametrize(
    "scripted, pieces, status, content_type", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_a_script_may_hold(scripted, pieces, status, content_type):
    """Each item becomes a reply, delivered one piece per read; `read` gives the same in one."""
    transport = memory.MemoryTransport([scripted, scripted])
    response = post(transport)
    assert (response.head.status, response.head.headers.get("Content-Type")) == (status, content_type)
    assert pieces_of(response) == pieces
    assert response.read_some() == b""
    assert post(transport).read() == b"".join(pieces)
    transport.assert_done()


def test_the_head_is_as_scripted():
    """Reason, version and headers, in order and case."""
    scripted = memory.reply(status=429, reason="Slow", http_version="1.0", headers={"X-B": "1", "x-a": "2"})
    head = post(memory.MemoryTransport([scripted])).head
    assert head == wire.ResponseHead(429, "Slow", head.headers, http_version="1.0")
    assert head.headers.pairs == (("X-B", "1"), ("x-a", "2"))


def test_a_callable_answers_each_request():
    """It sees the Request and may give anything that a script may hold."""
    transport = memory.MemoryTransport(lambda request: {"echo": request.body.decode()})
    assert post(transport, b"1").read() == b'{"echo":"1"}'
    assert post(transport, b"2").read() == b'{"echo":"2"}'
    transport.assert_done()


def test_what_was_asked_is_kept():
    """Requests, their JSON, their timeouts."""
    transport = memory.MemoryTransport([{}, {}])
    post(transport, b'{"model": "m"}')
    post(transport, b'{"model": "n"}')
    assert [request.url for request in transport.requests] == [URL, URL]
    assert transport.json(0) == {"model": "m"} and transport.json(-1) == {"model": "n"}
    assert transport.timeouts == [(5, 60)] * 2


def test_sleeping_moves_the_clock_only():
    """Waits are recorded, in seconds, and take no time."""
    transport = memory.MemoryTransport()
    before_s = transport.clock()
    transport.sleep(1000.5)
    transport.sleep(2, threading.Event())
    assert transport.sleeps == [1000.5, 2]
    assert transport.clock() - before_s == transport.now_s == 1002.5


FAILURES = [
    ("ours", errors.APIConnectionError("gone"), errors.APIConnectionError, "gone"),
    ("our timeout", errors.APITimeoutError("slow"), errors.APITimeoutError, "slow"),
    ("reset", ConnectionResetError("reset by peer"), errors.APIConnectionError, "reset by peer"),
    ("no words", ConnectionRefusedError(), errors.APIConnectionError, "ConnectionRefusedError"),
    ("timeout", TimeoutError("timed out"), errors.APITimeoutError, "timed out"),
    ("socket timeout", socket.timeout("timed out"), errors.APITimeoutError, "timed out"),
    ("secret", OSError("no way to http://me:secret@host"), errors.APIConnectionError, "no way to"),
    ("not of the network", rawchat.BudgetExceeded("no money"), rawchat.BudgetExceeded, "no money"),
    ("a bug", ZeroDivisionError("bug"), ZeroDivisionError, "bug"),
]


@pytest.mark.parametrize("error, kind, words", [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_failures_are_those_of_a_real_door(error, kind, words):
    """Before the head, or after the pieces: the phase says which, the cause is chained, no secret is shown."""
    later = copy.copy(error)
    transport = memory.MemoryTransport([error, memory.reply(pieces=["ab"], error=later)])
    with pytest.raises(kind, match=words) as before:
        post(transport)
    assert "secret" not in str(before.value)
    phase = getattr(before.value, "phase", None)
    response = post(transport)
    assert response.read_some() == b"ab"
    with pytest.raises(kind, match=words) as after:
        response.read_some()
    if isinstance(after.value, errors.APIConnectionError):
        assert (phase, after.value.phase) == ("head", "body")
        assert after.value is later or after.value.__cause__ is later
    assert response.closed


def test_a_cut_body():
    """`cut()` is the error of a body that breaks off; what came before it is kept, and the end stays an error."""
    response = post(memory.MemoryTransport([memory.reply(pieces=memory.sse("Once", done=False), error=memory.cut())]))
    assert response.read_some() == delta(b"Once")
    for _ in range(2):
        with pytest.raises(errors.APIConnectionError, match=r"broke off|closed") as caught:
            response.read_some()
        assert caught.value.phase == "body"
    assert type(memory.cut("my reason")) is errors.APIConnectionError and "my reason" in str(memory.cut("my reason"))


@pytest.mark.parametrize("stop", ["cancel", "close"])
def test_reading_on_after_a_stop(stop):
    """An error, never an empty end; after the real end it is no error."""
    transport = memory.MemoryTransport(["abc", "abc"])
    response = post(transport)
    getattr(response, stop)()
    getattr(response, stop)()
    with pytest.raises(errors.APIConnectionError, match=stop):
        response.read()
    response = post(transport)
    response.read()
    getattr(response, stop)()
    assert response.read_some() == b""


def test_drains_and_closes_are_counted():
    """Once per response; draining never raises."""
    transport = memory.MemoryTransport([["a"], memory.reply(pieces=["a"], error=memory.cut()), {}])
    whole, broken, untouched = (post(transport) for _ in range(3))
    assert (whole.drain(0.1), broken.drain(0.1)) == (True, False)
    for response in (whole, whole, broken):
        response.close()
    assert (transport.drains, transport.closes) == (2, 2)
    untouched.set_read_timeout(0.5)
    assert untouched.read_timeout_s == 0.5
    with pytest.raises(AssertionError, match=r"left open.*\[2\]"):
        transport.assert_done()
    untouched.close()
    transport.assert_done()
    transport.close()


def test_a_script_that_runs_out():
    """The error says which request had no reply, and is no error of the network, which would be tried again."""
    transport = memory.MemoryTransport([{}])
    post(transport)
    with pytest.raises(AssertionError, match=r"request 2, POST http://127.0.0.1/v1\?key=<key:.*the script holds 1"):
        post(transport, url="http://127.0.0.1/v1?key=sk-secret-12345")


def test_a_script_that_is_not_used_up():
    """Told by `assert_done`."""
    with pytest.raises(AssertionError, match="2 of 2 scripted replies were not asked for"):
        memory.MemoryTransport([{}, {}]).assert_done()


WRONG = [
    ("a dict for a script", lambda: memory.MemoryTransport({"a": 1}), TypeError, "put the dict in a list"),
    ("a str for a script", lambda: memory.MemoryTransport("a"), TypeError, "put the str in a list"),
    ("a reply for a script", lambda: memory.MemoryTransport(memory.reply()), TypeError, "put the ScriptedReply in a list"),
    ("a number in a script", lambda: post(memory.MemoryTransport([7])), TypeError, "not int"),
    ("body and pieces", lambda: memory.reply(body={}, pieces=[]), ValueError, "not both"),
]  # fmt: skip


@pytest.mark.parametrize("make, kind, words", [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_mistakes_in_scripts(make, kind, words):
    """They are told in words, not by a strange answer."""
    with pytest.raises(kind, match=words):
        make()


def test_replies_are_plain_values():
    """They compare, pickle and can be used many times."""
    scripted = memory.reply(status=500, body={"a": 1})
    assert pickle.loads(pickle.dumps(scripted)) == scripted
    transport = memory.MemoryTransport([scripted] * 3)
    assert {post(transport).read() for _ in range(3)} == {b'{"a":1}'}


@forms.needs_modules
def test_examples():
    """The examples in the docstrings run."""
    results = doctest.testmod(memory)
    assert results.attempted >= 2 and results.failed == 0
