"""Faults of the practice server, seen from a bare socket: what each class makes of the bytes, and how it is named."""

import json
import socket
import zlib

import pytest

from . import module
from .practice_wire import CHAT, Got, Wire, ask, body_of, request_bytes

practice = module("lab.practice")
faults = module("lab.faults")


@pytest.fixture
def server():
    with practice.PracticeServer(pace_ms=0) as running:
        yield running


# Faults on the wire

FAULTS = {
    "429": lambda got: got.status == 429 and got.headers["retry-after"] == "1",
    "quota": lambda got: got.json["error"]["code"] == "insufficient_quota",
    "529": lambda got: got.raw.startswith(b"HTTP/1.1 529 Site is overloaded\r\n"),
    "418": lambda got: got.status == 418,
    "429-date": lambda got: got.headers["retry-after"].endswith("GMT"),
    "html-502": lambda got: got.status == 502 and got.headers["content-type"] == "text/html",
    "503=body:empty": lambda got: got.status == 503 and got.body == b"" and "content-type" not in got.headers,
    "307": lambda got: got.status == 307 and got.headers["location"].endswith("/redirected/v1/chat/completions"),
    "close-head": lambda got: got.raw == b"" and got.ended == "eof",
    "reset-head": lambda got: got.raw == b"" and got.ended == "reset",
    "half-head": lambda got: got.raw.startswith(b"HTTP/1.1 200") and b"\r\n\r\n" not in got.raw and got.ended == "eof",
    "garbage": lambda got: got.raw and not got.raw.startswith(b"HTTP/"),
    "slow-head=1": lambda got: got.content.endswith(b"[DONE]\n\n"),
    "slow=0": lambda got: got.content.endswith(b"[DONE]\n\n"),
    "slow-first=1": lambda got: got.content.endswith(b"[DONE]\n\n"),
    "whole": lambda got: got.json["object"] == "chat.completion",
    "error-200": lambda got: got.status == 200 and got.json["error"]["code"] == 502,
    "html-200": lambda got: got.status == 200 and b"<html>" in got.body,
    "empty-200": lambda got: got.status == 200 and got.body == b"" and got.headers["content-length"] == "0",
    "null-200": lambda got: got.body == b"null",
    "empty-stream": lambda got: got.headers["content-type"] == "text/event-stream" and got.content == b"",
    "done-only": lambda got: got.documents == ["[DONE]"],
    "content-type": lambda got: got.headers["content-type"] == "text/plain" and got.documents[-1] == "[DONE]",
    "content-type=x%2Fy": lambda got: got.headers["content-type"] == "x/y",
    "no-content-type": lambda got: "content-type" not in got.headers and got.documents[-1] == "[DONE]",
    "latin1": lambda got: "iso-8859-1" in got.headers["content-type"] and "é✅🎉".encode() in got.content,
    "cut@2": lambda got: len(got.chunks) == 2 and got.ended == "eof",
    "cut@0": lambda got: got.status == 200 and got.body == b"" and got.ended == "eof",
    "cut-clean@2": lambda got: len(got.documents) == 2 and got.chunks[-1] == b"",
    "cut-inside@2": lambda got: len(got.chunks) == 3 and not got.chunks[-1].endswith(b"\n\n"),
    "cut-character@2": lambda got: got.chunks[-1][-1] >= 0xC0,
    "cut-silent@2": lambda got: "transfer-encoding" not in got.headers and got.body.count(b"data: ") == 2,
    "reset@2": lambda got: got.ended == "reset" and got.body.count(b"data: ") == 2,
    "no-last-chunk": lambda got: got.chunks[-1] == b"data: [DONE]\n\n" and got.ended == "eof",
    "close-delimited": lambda got: not {"transfer-encoding", "content-length"} & set(got.headers) and got.documents,
    "http10": lambda got: got.version == "1.0" and got.body.endswith(b"data: [DONE]\n\n"),
    "length": lambda got: int(got.headers["content-length"]) == len(got.body) and got.documents[-1] == "[DONE]",
    "length-long": lambda got: int(got.headers["content-length"]) == len(got.body) + 20,
    "length-short": lambda got: int(got.headers["content-length"]) == len(got.body) - 20,
    "bad-chunk": lambda got: got.body.startswith(b"zz\r\n"),
    "trailers": lambda got: got.body.endswith(
        b"\r\n0\r\nx-practice-trailer: yes\r\nserver-timing: total;dur=1\r\n\r\n"
    ),
    "gzip": lambda got: zlib.decompress(got.content, 31).endswith(b"data: [DONE]\n\n") and len(got.chunks) < 9,
    "gzip-flush": lambda got: zlib.decompressobj(31).decompress(got.chunks[0]).endswith(b"}\n\n"),
    "deflate": lambda got: zlib.decompress(got.content).endswith(b"data: [DONE]\n\n"),
    "gzip+length": lambda got: int(got.headers["content-length"]) == len(got.body) and zlib.decompress(got.body, 31),
    "not-gzip": lambda got: got.headers["content-encoding"] == "gzip" and got.documents[-1] == "[DONE]",
    "bytes": lambda got: {len(chunk) for chunk in got.chunks} == {0, 1},
    "bom+crlf": lambda got: got.content.startswith(b"\xef\xbb\xbfdata: ") and got.content.endswith(b"[DONE]\r\n\r\n"),
    "buffered=1": lambda got: len(got.chunks) == 2,
    "azure": lambda got: got.documents[0]["choices"] == [],
    "usage-groq": lambda got: got.documents[-2]["x_groq"]["usage"]["prompt_tokens"] > 0,
    "error@2": lambda got: "error" in got.documents[2] and len(got.documents) == 3 and got.chunks[-1] == b"",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_on_the_wire(server, fault):
    """A stream is asked for; the bytes and the end of the connection are the fault's."""
    with Wire(server) as wire:
        got = Got(wire.send(request_bytes(body_of("fault/" + fault, stream=True))).to_the_end())
    assert FAULTS[fault](got), got.raw
    assert server.requests[0].in_force
    assert ask(server, body_of()).status == 200, "the server is well afterwards"


WHOLE = {
    "cut": lambda got: len(got.body) < int(got.headers["content-length"]) and got.ended == "eof",
    "reset": lambda got: got.ended == "reset",
    "stream": lambda got: got.documents[-1] == "[DONE]",
    "stream+azure": lambda got: got.documents[0]["choices"] == [],
    "null-choices": lambda got: got.json["choices"] is None,
    "chunked": lambda got: got.chunks[-1] == b"" and got.json["choices"],
    "gzip": lambda got: json.loads(zlib.decompress(got.body, 31))["choices"],
    "bytes": lambda got: got.json["choices"],
    "crlf": lambda got: got.json["choices"],
    "separators": lambda got: "\u2028".encode() in got.body,
}


@pytest.mark.parametrize("fault", WHOLE)
def test_faults_of_whole_replies(server, fault):
    """What can go wrong without a stream; a stream's own faults change nothing here."""
    got = ask(server, body_of("fault/" + fault))
    assert WHOLE[fault](got), got.raw


@pytest.mark.parametrize("fault", ["stall@2", "stall-done", "stall-finish", "stall-head", "stall-comments@2=ms:1"])
def test_silence_lasts_until_the_client_leaves(server, fault):
    """Nothing more comes and nothing ends, until the client closes; then the record says so."""
    marks = {"stall@2": b"data: ", "stall-done": b"[DONE]", "stall-finish": b'"stop"'}
    with Wire(server) as wire:
        wire.send(request_bytes(body_of("fault/" + fault, stream=True)))
        if fault.startswith("stall-comments"):
            wire.until(b": keep-alive\n\n\r\n")
        elif fault in marks:
            wire.until(marks[fault])
        assert wire.ended == ""
    (record,) = _over(server)
    assert record.ending in ("stall", "comments")
    assert [finding.name for finding in server.verdict() if finding.level == "ok"] == ["left_a_stall"]


def _over(server, tries=200):
    """The records, once the server has seen what the client did."""
    for _ in range(tries):
        records = server.requests
        if records and all(record.over for record in records):
            return records
        server.stopping.wait(0.01)
    raise AssertionError("the server did not notice that the client left")


def test_a_client_that_leaves_is_noticed(server):
    """Closing with unread bytes resets the connection; the server writes that down and serves the next one."""
    with Wire(server) as wire:
        wire.send(request_bytes(body_of("fault/slow=2", stream=True))).until(b"data: ")
    (record,) = _over(server)
    assert record.ending == "client left" and 0 < record.events < record.events_whole
    assert ask(server, body_of()).status == 200
    assert [finding.name for finding in server.verdict()] == ["left_early"]


def test_a_client_may_close_its_sending_side(server):
    """`nc -N` does; it still reads."""
    with Wire(server) as wire:
        wire.send(request_bytes(body_of("fault/slow=1", stream=True)))
        wire._socket.shutdown(socket.SHUT_WR)
        assert Got(wire.to_the_end()).content.endswith(b"data: [DONE]\n\n")


CHANNELS = {
    "model": {"body": body_of("fault/418")},
    "model behind a gateway's prefix": {"body": body_of("openai/fault/418")},
    "model, percent-encoded": {"body": body_of("fault/418%3Dretry-after%3A1")},
    "base URL": {"body": body_of(), "path": "/fault/418" + CHAT},
    "base URL, percent-encoded": {"body": body_of(), "path": "/fault/418%2Bslow-head%3D1" + CHAT},
    "base URL, models": {"method": "GET", "path": "/fault/418/v1/models"},
}


@pytest.mark.parametrize("how", CHANNELS.values(), ids=CHANNELS.keys())
def test_channels(server, how):
    """A fault can be named wherever an app lets its user type."""
    assert ask(server, **how).status == 418


def test_a_fault_for_the_whole_server():
    """On the command line, for apps with no setting at all; refused there if there is none such."""
    with practice.PracticeServer(pace_ms=0, fault="418") as server:
        assert ask(server, body_of()).status == 418
    with pytest.raises(faults.FaultNameError):
        practice.PracticeServer(fault="nosuch")


def test_channels_add_up():
    """URL, model and server each bring their own."""
    with practice.PracticeServer(pace_ms=0, fault="crlf") as server:
        got = ask(server, body_of("fault/bom", stream=True), path="/fault/ids" + CHAT)
    assert got.content.startswith(b"\xef\xbb\xbfid: 0\r\ndata: ")


def test_the_model_behind_the_fault_can_be_named(server):
    """fault/NAME/MODEL; without MODEL it is gpt-4o-mini."""
    assert ask(server, body_of("fault/crlf/gpt-4o")).json["model"].startswith("gpt-4o-20")
    assert ask(server, body_of("fault/crlf")).json["model"].startswith("gpt-4o-mini")


def test_times_are_counted_for_each_request(server):
    """Two 429s, then the answer; another question has its own two; the first one asked again meets them again."""
    first = [ask(server, body_of("fault/429x2")).status for _ in range(4)]
    other = [ask(server, body_of("fault/429x2", "hello")).status for _ in range(3)]
    assert first == [429, 429, 200, 429] and other == [429, 429, 200]
    assert [(record.attempt, record.times) for record in server.requests[:3]] == [(1, 2), (2, 2), (3, 2)]


def test_a_server_may_refuse_a_parameter(server):
    """Some servers know no stream_options: 400 if the request has them, the answer if not."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    refused = ask(server, body_of("fault/refuse", **options))
    assert refused.status == 400 and refused.json["error"]["param"] == "stream_options"
    assert ask(server, body_of("fault/refuse", stream=True)).status == 200
    assert ask(server, body_of("fault/refuse=seed", seed=1)).json["error"]["param"] == "seed"
    assert ask(server, body_of("fault/refuse=seed", **options)).status == 200


def test_a_redirect_leads_to_a_clean_answer(server):
    """Followed with the same method it answers, and the verdict says that it was followed."""
    there = ask(server, body_of("fault/307")).headers["location"]
    assert there.startswith(server.root + "/redirected/")
    path = there[len(server.root) :]
    assert ask(server, body_of("fault/307"), path=path).status == 200
    assert ask(server, method="GET", path=path).status == 405
    assert "redirect_followed" in [finding.name for finding in server.verdict()]


def test_tool_faults_on_the_wire(server):
    """The edits meet the tool calls that the practice server really makes."""
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
    got = ask(server, body_of("fault/tools-no-index", stream=True, tools=[tool], tool_choice="required"))
    calls = [c for d in got.documents[:-1] for ch in d["choices"] for c in ch["delta"].get("tool_calls", ())]
    assert calls and not any("index" in call for call in calls)
