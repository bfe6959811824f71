"""The practice server, seen from a bare socket: HTTP, routes, keys, records, the verdict and the command."""

import io
import json
import re
import threading

import pytest

from . import module
from .practice_wire import CHAT, Got, Wire, ask, body_of, request_bytes

practice = module("lab.practice")
rates = module("lab.rates")


@pytest.fixture
def server():
    with practice.PracticeServer(pace_ms=0) as running:
        yield running


# Clean


def test_a_whole_reply(server):
    """Status, headers and body as the real API has them."""
    got = ask(server, body_of())
    assert got.status == 200 and got.headers["content-type"] == "application/json"
    assert int(got.headers["content-length"]) == len(got.body)
    assert got.json["object"] == "chat.completion" and got.json["choices"][0]["message"]["content"]
    assert re.fullmatch(r"req_[0-9a-f]{32}", got.headers["x-request-id"])
    assert got.headers["openai-version"] == "2020-10-01" and got.headers["openai-processing-ms"].isdigit()
    assert got.headers["connection"] == "close" and got.ended == "eof"


def test_a_stream_is_one_chunk_an_event(server):
    """Chunked, one write an event, [DONE], the last chunk; and the text of the whole reply."""
    got = ask(server, body_of(stream=True, temperature=0))
    assert got.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert got.chunks[-2:] == [b"data: [DONE]\n\n", b""]
    assert all(chunk.startswith(b"data: {") and chunk.endswith(b"}\n\n") for chunk in got.chunks[:-2])
    assert got.text == ask(server, body_of(temperature=0)).json["choices"][0]["message"]["content"]
    assert len({document["id"] for document in got.documents[:-1]}) == 1


def test_the_same_requests_in_the_same_order_get_the_same_answers():
    """Deterministic: all but the date and what was measured."""
    answers = []
    for _ in range(2):
        with practice.PracticeServer(pace_ms=0) as server:
            got = [ask(server, body_of("fault/azure+ids", stream=True)), ask(server, body_of(stream=True))]
            answers.append([(g.headers["x-request-id"], re.sub(rb'"created":\d+', b"", g.content)) for g in got])
    assert answers[0] == answers[1]


def test_the_connection_is_kept(server):
    """Two answers over one connection, one of them a stream."""
    with Wire(server) as wire:
        wire.send(request_bytes(body_of(stream=True), close=False)).until(b"\r\n0\r\n\r\n")
        first, wire.data = wire.data, b""
        got = Got(wire.send(request_bytes(body_of())).to_the_end())
    assert b"connection: keep-alive" in first and got.status == 200
    assert [(record.connection, record.reused) for record in server.requests] == [(1, False), (1, True)]


def test_two_requests_sent_at_once_are_answered_in_turn(server):
    """Pipelining, as HTTP/1.1 allows it."""
    with Wire(server) as wire:
        wire.send(request_bytes(method="GET", path="/v1/models", close=False) + request_bytes(body_of())).to_the_end()
    assert wire.data.count(b"HTTP/1.1 200 OK") == 2


def test_http10_clients_get_no_chunks(server):
    """HTTP/1.0 knows no chunked coding: the body ends with the connection."""
    got = ask(server, body_of(stream=True), version="1.0", close=False)
    assert "transfer-encoding" not in got.headers and got.body.endswith(b"data: [DONE]\n\n")
    assert got.headers["connection"] == "close" and got.ended == "eof"


def test_expect_100_continue(server):
    """curl asks before it sends a large body."""
    body = body_of()
    with Wire(server) as wire:
        head = request_bytes(body, headers=("Expect: 100-continue",))[: -len(body)]
        wire.send(head).until(b"HTTP/1.1 100 Continue\r\n\r\n")
        wire.data = b""
        assert Got(wire.send(body).to_the_end()).status == 200


def test_chunked_request_bodies(server):
    """Clients that stream their body send it in chunks, with extensions and trailers if they like."""
    body = body_of()
    framed = b"%x;a=b\r\n%s\r\n%x\r\n%s\r\n0\r\nx-t: 1\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with Wire(server) as wire:
        assert Got(wire.send(head.encode() + framed).to_the_end()).status == 200
    assert server.requests[0].body == body


def test_a_request_may_come_byte_by_byte(server):
    """Nothing hangs on how the request is cut."""
    with Wire(server) as wire:
        for byte in request_bytes(body_of()):
            wire.send(bytes([byte]))
        assert Got(wire.to_the_end()).status == 200


def test_the_record_has_what_came(server):
    """Method, path, headers in order and case, body, time and connection."""
    ask(server, body_of(), headers=("X-Mine: 1", "authorization: Bearer sk-abcdefghijk"))
    (record,) = server.requests
    assert (record.number, record.method, record.target, record.body) == (1, "POST", CHAT, body_of())
    assert record.headers.pairs[:3] == (
        ("Host", "practice"),
        ("X-Mine", "1"),
        ("authorization", "Bearer sk-abcdefghijk"),
    )
    assert record.status == 200 and record.complete and record.answered_s >= record.at_s
    assert "sk-abcdefghijk" not in repr(record.headers)


def test_rate_limits_are_kept_book_of(server):
    """What is left goes down with each request."""
    left = [int(ask(server, body_of()).headers["x-ratelimit-remaining-requests"]) for _ in range(2)]
    assert left[0] == 9999 and left[1] <= 9999


DURATIONS = {0.006: "6ms", 0.0: "0ms", 1.0: "1s", 8.64: "8.64s", 60.0: "1m0s", 360.0: "6m0s", 179.56: "2m59.56s"}


@pytest.mark.parametrize("seconds", DURATIONS)
def test_durations_are_written_as_go_writes_them(seconds):
    """The form of x-ratelimit-reset."""
    assert rates.go_duration(seconds) == DURATIONS[seconds]


def test_rate_limit_buckets_refill():
    """A minute later the books are clean again, and the reset says how long that takes."""
    book = rates.RateBook()
    used = dict(book.take(100_000, 0.0))
    assert (used["x-ratelimit-remaining-tokens"], used["x-ratelimit-reset-tokens"]) == ("100000", "30s")
    assert dict(book.take(0, 60.0))["x-ratelimit-remaining-tokens"] == "200000"


AZURE = "/openai/deployments/gpt-4o/chat/completions"
ROUTES = {
    "models": ({"method": "GET", "path": "/v1/models"}, 200, b'"object": "list"'),
    "one model": ({"method": "GET", "path": "/v1/models/gpt-4o-mini"}, 200, b'"id": "gpt-4o-mini"'),
    "no such model": ({"method": "GET", "path": "/v1/models/gpt-99"}, 404, b"gpt-99"),
    "head": ({"method": "HEAD", "path": "/v1/models"}, 200, b""),
    "options": ({"method": "OPTIONS"}, 204, b""),
    "wrong method": ({"method": "GET"}, 405, b"error"),
    "without /v1": ({"body": body_of(), "path": "/chat/completions"}, 404, b"The API stands under /v1"),
    "nowhere": ({"method": "GET", "path": "/v2/x"}, 404, b"Invalid URL"),
    "azure": ({"body": body_of(), "path": AZURE + "?api-version=2024-10-21"}, 200, b"gpt-4o-2024"),
    "azure without version": ({"body": body_of(), "path": AZURE}, 404, b"Resource not found"),
    "embeddings": (
        {"body": b'{"model":"text-embedding-3-small","input":"a"}', "path": "/v1/embeddings"},
        200,
        b'"embedding"',
    ),
    "absolute form": ({"body": body_of(), "path": "http://127.0.0.1:1" + CHAT}, 200, b"chat.completion"),
    "bad json": ({"body": b'{"model": '}, 400, b"JSON"),
    "not utf-8": ({"body": b'{"model":"\xff"}'}, 400, b"JSON"),
    "no body": ({}, 400, b"JSON"),
    "a list": ({"body": b"[]"}, 400, b"error"),
    "unknown model": ({"body": body_of("gpt-99")}, 404, b"gpt-99"),
    "compressed": ({"body": body_of(), "headers": ("Content-Encoding: gzip",)}, 415, b"gzip"),
    "unknown fault": ({"body": body_of("fault/cutt")}, 400, b"Do you mean cut"),
}


@pytest.mark.parametrize("how,status,words", ROUTES.values(), ids=ROUTES.keys())
def test_routes_and_refusals(server, how, status, words):
    """Each path, and each mistake, has the status and the error object of the real API."""
    got = ask(server, **how)
    assert got.status == status and words in got.body
    if status >= 400:
        assert got.json["error"]["message"]


def test_head_and_options_have_no_body(server):
    """HEAD says the length and sends nothing; OPTIONS and 405 say what is allowed."""
    head = ask(server, method="HEAD", path="/v1/models")
    assert int(head.headers["content-length"]) > 100 and head.body == b""
    assert ask(server, method="OPTIONS").headers["allow"] == "POST"
    assert ask(server, method="GET").headers["allow"] == "POST"


BAD_HTTP = {
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00", 400, b"http://"),
    "http2": (b"PRI * HTTP/2.0\r\n\r\n", 400, b"request line"),
    "no colon": (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400, b"no header line"),
    "bad length": (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, b"no number"),
    "too long": (b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", 413, b"999999999 bytes"),
    "long head": (b"GET / HTTP/1.1\r\nX: " + b"a" * 70000, 431, b"longer than"),
    "unknown coding": (b"POST / HTTP/1.1\r\nTransfer-Encoding: br\r\n\r\n", 501, b"transfer coding"),
    "bad chunk size": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, b"no chunk size"),
}


@pytest.mark.parametrize("data,status,words", BAD_HTTP.values(), ids=BAD_HTTP.keys())
def test_what_is_no_http_is_refused_and_the_server_lives_on(server, data, status, words):
    """The reason stands in the answer, the connection ends, the next client is served."""
    with Wire(server) as wire:
        got = Got(wire.send(data).to_the_end())
    assert got.status == status and words in got.body and got.headers["connection"] == "close"
    assert ask(server, body_of()).status == 200


KEYS = {
    "right": (("Authorization: Bearer sk-right-key-0001",), 200),
    "right, as Azure sends it": (("api-key: sk-right-key-0001",), 200),
    "wrong": (("Authorization: Bearer sk-wrong-key-0001",), 401),
    "none": ((), 401),
}


@pytest.mark.parametrize("headers,status", KEYS.values(), ids=KEYS.keys())
def test_keys(headers, status):
    """Where a key is set it is needed, and a wrong one does not come back in the error."""
    with practice.PracticeServer(pace_ms=0, key="sk-right-key-0001") as server:
        got = ask(server, body_of(), headers=headers)
    assert got.status == status and b"sk-wrong-key-0001" not in got.body


# The verdict, the lines, the command


def test_the_verdict_sees_a_client_that_does_not_wait(server):
    """Three requests at once after a 429 with Retry-After: 1."""
    for _ in range(3):
        ask(server, body_of("fault/429x2"))
    names = [(finding.level, finding.name) for finding in server.verdict()]
    assert names == [("fail", "retry_after_ignored"), ("fail", "retry_after_ignored"), ("ok", "recovered")]


def test_a_cut_answer_that_comes_back_as_history_is_a_failure(server):
    """The one certain sign that a client took a cut stream for a whole answer."""
    cut = ask(server, body_of("fault/cut@6", stream=True))
    said = "".join(json.loads(c[6:])["choices"][0]["delta"].get("content") or "" for c in cut.chunks)
    messages = [{"role": "assistant", "content": said}, {"role": "user", "content": "Go on."}]
    ask(server, json.dumps({"model": "gpt-4o-mini", "messages": messages}).encode())
    assert said and [finding.name for finding in server.verdict()] == ["truncated_accepted"]


def test_lines_and_verdict_are_printed_unless_quiet():
    """One line a request, the verdict at the end, and no key in either."""
    out = io.StringIO()
    with practice.PracticeServer(pace_ms=0, quiet=False, out=out) as server:
        ask(server, body_of("fault/429x2", stream=True), path=CHAT + "?key=sk-abcdefghijk")
        ask(server, body_of("sk-abcdefghijk"))
    lines = out.getvalue().splitlines()
    assert lines[0] == f"#1 POST {CHAT} gpt-4o-mini stream  fault 429x2 (1 of 2): 429, Retry-After: 1"
    assert lines[2].startswith("Verdict on the client: ") and "sk-abcdefghijk" not in out.getvalue()


def test_stop_ends_every_thread_and_connection():
    """An idle connection, a stalled one and a slow one do not outlive the server."""
    before = threading.active_count()
    server = practice.PracticeServer(pace_ms=0).start()
    stalled, slow, idle = Wire(server), Wire(server), Wire(server)
    with stalled, slow, idle:
        stalled.send(request_bytes(body_of("fault/stall", stream=True))).until(b"data: ")
        assert server.requests[0].ending == "stall"
        slow.send(request_bytes(body_of("fault/slow-first=60000", stream=True))).until(b"\r\n\r\n")
        server.stop()
        server.stop()
        assert threading.active_count() == before
        assert [wire.to_the_end().ended for wire in (stalled, slow, idle)] == ["eof", "eof", "eof"]
    assert {finding.name for finding in server.verdict()} >= {"still_waiting"}
    with pytest.raises(RuntimeError, match="not running"):
        server.url  # noqa: B018


def test_many_connections_at_once(server):
    """Each client gets its own answer, whole."""
    texts = []

    def one(number):
        texts.append(ask(server, body_of("fault/bom+ids/gpt-4o", f"question {number}", stream=True)).content[-8:])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [b"[DONE]\n\n"] * 20
    assert sorted(record.number for record in server.requests) == list(range(1, 21))


def test_serve_lists_the_faults():
    """`practice --list-faults` prints the table and ends."""
    out = io.StringIO()
    assert practice.serve(show_faults=True, out=out) == 0
    assert "429-day" in out.getvalue()


def test_serve_refuses_what_it_cannot_do(server):
    """An unknown fault and a taken port are told, not raised."""
    out = io.StringIO()
    assert practice.serve(fault="nosuch", out=out) == 64 and "There is no fault" in out.getvalue()
    assert practice.serve(port=server.port, out=out) == 69 and "Cannot listen" in out.getvalue()


class Watched(io.StringIO):
    """An output that says when something was written to it."""

    def __init__(self):
        super().__init__()
        self.greeted = threading.Event()

    def write(self, text):
        written = super().write(text)
        if "export OPENAI_API_KEY" in text or "$env:OPENAI_API_KEY" in text:
            self.greeted.set()
        return written


def test_serve_prints_the_line_to_paste_and_judges_at_the_end():
    """The command from start to end: greeting, a client that fails, verdict, exit code 1."""
    out, ended, codes = Watched(), threading.Event(), []
    running = threading.Thread(target=lambda: codes.append(practice.serve(pace_ms=0, out=out, until=ended)))
    running.start()
    assert out.greeted.wait(5)
    port = int(re.search(r"OPENAI_BASE_URL\W+http://127\.0\.0\.1:(\d+)/v1", out.getvalue())[1])
    target = type("Target", (), {"port": port})
    ask(target, body_of("fault/400"))
    ask(target, body_of("fault/400"))
    ended.set()
    running.join()
    assert codes == [1] and "fatal retried" in out.getvalue()
