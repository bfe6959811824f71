"""Faults played on somebody else's answer: the same as the practice server plays on its own, or not at all, and said so."""

import json
import re
import zlib

import pytest

from . import module
from .doors import CLOSE, RESET, RawServer
from .practice_wire import Got, body_of, request_bytes
from .tapped import RawClient, ask, tapped

faults = module("lab.faults")
practice = module("lab.practice")
tap_faults = module("lab.tap_faults")
wire = module("protocol.wire")

# Each stage of an answer has a row; a fault that is not here differs from one that is by its arguments alone.
PLAYED = """
429 429-date quota html-502 503=body:text 418 refuse=temperature close-head reset-head half-head garbage slow-head=1
error-200 empty-stream text-200 done-only content-type=text/plain no-content-type
cut@3 cut@0 cut-clean cut-inside reset@2 cut-silent no-last-chunk stall-done cut-character
error@2 error-event error-choice close-delimited http10 length chunked length-long length-short bad-chunk trailers
gzip gzip-flush deflate not-gzip crlf mixed multi-line bom ids comments pings after-done pairs blocks bytes split-utf8
raw-utf8 separators changing-ids roles no-finish cut@2+crlf slow=1
""".split()
STALLING = ("stall", "stall-done")
# What no two answers have in common, and what one server says and not the other. The second of an answer may be
# spread over several chunks, with their sizes in between: the fault `bytes` sends every digit on its own.
SIZE = rb"(?:\r\n[0-9a-f]+\r\n)?"
MADE_UP = re.compile(
    SIZE.join(b'"created":'[place : place + 1] for place in range(10)) + SIZE + rb" ?(?:" + SIZE + rb"\d){10}"
)
OWN_HEADERS = ("date", "server", "x-request-id", "cache-control", "location")


def answer_of(port, fault, stream):
    request = request_bytes(body_of(stream=stream, temperature=1))
    if fault.startswith(STALLING):
        with RawClient(port) as client:
            return client.send(request).until(b"[DONE]" if stream else b"usage")
    with RawClient(port) as client:
        return client.send(request).to_the_end()


def comparable(wire_):
    got = Got(wire_)
    headers = {name: value for name, value in got.headers.items() if not name.startswith(("openai-", "x-ratelimit-"))}
    for name in OWN_HEADERS:
        headers.pop(name, None)
    return got.status, got.version, headers, got.ended, MADE_UP.sub(b"", uncoded(got))


def uncoded(got):
    """The body; a compressed one without its coding, in which the time of day could not be made out."""
    windows = {"gzip": 31, "deflate": 15}
    coding = got.headers.get("content-encoding")
    if coding not in windows or got.content[:1] not in (b"\x1f", b"\x78"):
        return got.body
    return zlib.decompress(got.content, windows[coding])


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("fault", PLAYED)
def test_the_tap_breaks_as_the_practice_server_breaks(fault, stream):
    """The same fault, played by the server itself and by the tap in front of a faultless one: the same bytes."""
    with practice.PracticeServer(pace_ms=0, fault=fault) as server:
        expected = answer_of(server.port, fault, stream)
    with practice.PracticeServer(pace_ms=0) as server, tapped(server.url, fault=fault) as (tap, records):
        found = answer_of(tap.port, fault, stream)
        (exchange,) = records.wait_for("end")
    if fault == "half-head":  # half of a head is another half where the head is shorter
        assert found.data and b"\r\n\r\n" not in found.data and found.ended == expected.ended == "eof"
    else:
        assert comparable(found) == comparable(expected)
    plan = faults.plan_for(fault, stream=stream)
    assert bool(plan.names) == any(note.startswith("fault") for note in exchange.notes)


COUNTED = [
    ("the first attempt only", {"fault": "503x1"}, ["a", "a", "a"], [503, 200, 503]),
    ("each question anew", {"fault": "503x1"}, ["a", "b", "a"], [503, 503, 200]),
    ("always", {"fault": "503"}, ["a", "a"], [503, 503]),
    ("at the second", {"fault": "503", "fault_at": 2}, ["a", "a", "a"], [200, 503, 200]),
    ("two from the second on", {"fault": "503x2", "fault_at": 2}, ["a", "b", "c", "d"], [200, 503, 503, 200]),
    ("none", {}, ["a"], [200]),
]


@pytest.mark.parametrize("name, settings, questions, statuses", COUNTED, ids=[row[0] for row in COUNTED])
def test_whose_turn_it_is(practice, name, settings, questions, statuses):
    """xN counts the attempts of each request; fault_at counts exchanges."""
    with tapped(practice.url, **settings) as (tap, records):
        found = []
        for text in questions:
            with RawClient(tap.port) as client:
                found.append(Got(client.send(request_bytes(body_of(text=text))).to_the_end()).status)
        records.wait_for("end", len(questions))
    assert found == statuses
    assert len(practice.requests) == statuses.count(200)


def test_a_cut_passes_the_upstreams_own_bytes_on():
    """Until the third event ends nothing is changed: framing, spacing and order are the server's."""
    event = b'data:  {"odd" :  "spacing", "choices":[]}\r\n\r\n'
    odd = b"HTTP/1.1 200 Fine\r\ncontent-TYPE: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%X;x=y\r\n%s\r\n" % (len(event), event)] * 5
    with RawServer([odd, *chunks, b"0\r\n\r\n"]) as server, tapped(server.url, fault="cut@3") as (tap, records):
        data, ended = ask(tap.port, request_bytes(body_of(stream=True), close=False))
        (exchange,) = records.wait_for("end")
    assert data == odd + b"".join(chunks[:3]) and ended == "eof"
    assert (exchange.end.how, exchange.end.whole) == ("eof", False)
    assert exchange.notes[-1] == "fault cut@3: the upstream's own bytes, broken off by the tap"


NOT_PLAYED = [
    (
        "an error of the upstream",
        [b"HTTP/1.1 429 Slow Down\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}"],
        "crlf",
        "answered 429",
    ),
    ("an error, and a cut", [b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\n{}"], "cut@1", "answered 500"),
    ("no HTTP", [b"nonsense\r\n\r\n", CLOSE], "crlf", "cannot be read"),
    ("a break", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", CLOSE], "ids", "broke off"),
    (
        "no usage to move",
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: 1\n\n"],
        "usage-groq",
        "has no usage",
    ),
    (
        "a cut beyond the end",
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: 1\n\n"],
        "cut@5",
        "ended after 1 events",
    ),
    ("a reset", [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", RESET], "bytes", "broke off"),
    (
        "no JSON to edit",
        [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n<p/>"],
        "no-finish",
        "no JSON object",
    ),
]


@pytest.mark.parametrize("name, play, fault, words", NOT_PLAYED, ids=[row[0] for row in NOT_PLAYED])
def test_where_a_fault_cannot_be_played(name, play, fault, words):
    """What came is passed on as it came, with its own end, and the record says that no fault was played."""
    sent = b"".join(step for step in play if isinstance(step, bytes))
    size_bytes = None if play[-1] in (CLOSE, RESET) else len(sent)
    with RawServer(play) as server, tapped(server.url, fault=fault) as (tap, records):
        data, ended = ask(tap.port, request_bytes(body_of(stream=True), close=False), size_bytes)
        (exchange,) = records.wait_for("end")
    assert data == sent and ended == {CLOSE: "eof", RESET: "reset"}.get(play[-1], "")
    assert any(f"fault {fault} was not played" in note and words in note for note in exchange.notes)


def test_a_redirect_leads_back_to_the_tap(practice):
    """Whoever follows it arrives at the real server, once and without another fault."""
    with tapped(practice.url, fault="307") as (tap, records):
        with RawClient(tap.port) as client:
            got = Got(client.send(request_bytes(body_of())).to_the_end())
        assert got.status == 307 and got.headers["location"] == f"{tap.root}/redirected/v1/chat/completions"
        with RawClient(tap.port) as client:
            path = got.headers["location"].replace(tap.root, "")
            assert Got(client.send(request_bytes(body_of(), path=path)).to_the_end()).status == 200
        records.wait_for("end", 2)


def test_a_stream_becomes_one_reply_and_the_other_way_round(practice):
    """The shape faults, on answers of the other kind."""
    with tapped(practice.url, fault="whole") as (tap, _), RawClient(tap.port) as client:
        whole = Got(client.send(request_bytes(body_of(stream=True))).to_the_end())
    with tapped(practice.url, fault="stream") as (tap, _), RawClient(tap.port) as client:
        stream = Got(client.send(request_bytes(body_of())).to_the_end())
    assert whole.json["object"] == "chat.completion" and whole.json["choices"][0]["finish_reason"] == "stop"
    assert stream.documents[-1] == "[DONE]" and stream.text == whole.json["choices"][0]["message"]["content"]


def test_characters_stay_as_they_were_written():
    """An edit writes the JSON anew; text that came raw goes on raw, text that came escaped goes on escaped."""
    head = wire.ResponseHead(200, "OK", wire.Headers((("content-type", "text/event-stream"),)))
    for text in ("é", "\\u00e9"):
        play = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text.encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s" % (
            len(play),
            play,
        )
        with RawServer([answer]) as server, tapped(server.url, fault="changing-ids") as (tap, _):
            with RawClient(tap.port) as client:
                client.send(request_bytes(body_of(stream=True), close=False)).until(b"0\r\n\r\n")
        assert b'"content":"%s"' % text.encode() in client.data and b'"id":"c-1"' in client.data
    assert tap_faults.taken_apart(head, play, faults.plan_for("crlf")).documents == [play[6:-2].decode()]


EVENTS = [
    ("chunks and the end", b"data: {}\n\ndata: [DONE]\n\n", [{}, "[DONE]"]),
    ("crlf", b"data: {}\r\n\r\ndata: x\r\n\r\n", [{}, "x"]),
    ("named", b"event: error\ndata: {}\n\n", [(("event", "error"), ("data", "{}"))]),
    ("comments", b": ping\n\ndata: 1\n\n", [(("", "ping"),), "1"]),
    ("several data lines", b"data: {\ndata: }\n\n", [{}]),
    ("a byte order mark", b"\xef\xbb\xbfdata: {}\n\n", [{}]),
    ("no blank line at the end", b"data: {}", [{}]),
    ("nothing", b"\n\n", []),
]


@pytest.mark.parametrize("name, body, expected", EVENTS, ids=[row[0] for row in EVENTS])
def test_documents(name, body, expected):
    """Events as the documents that edits work on."""
    found = tap_faults.documents_in(body, parsed=True)
    assert [tuple(document.lines) if hasattr(document, "lines") else document for document in found] == expected
    assert not any(isinstance(document, dict) for document in tap_faults.documents_in(body, parsed=False))


def test_event_ends():
    """Blank lines are counted byte by byte, whatever the line ends."""
    for end in (b"\n", b"\r\n", b"\r"):
        counter = tap_faults.EventEnds()
        body = (b"data: x" + end + end) * 3
        counts = [counter.count(body[place : place + 1]) for place in range(len(body))]
        assert counts[-1] == 3 and counts[len(body) // 3 - 1] == 1 and counts[len(body) // 3 - 2] == 0


def test_tool_calls_get_an_index_in_a_stream():
    """A whole reply made a stream: its calls are told apart as a stream tells them apart."""
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    body = json.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        }
    ).encode()
    head = wire.ResponseHead(200, "OK", wire.Headers((("content-type", "application/json"),)))
    answer = tap_faults.taken_apart(head, body, faults.plan_for("stream"))
    assert answer.documents[0]["choices"][0]["delta"]["tool_calls"][0]["index"] == 0
