"""A cassette as a HAR 1.2 file and back."""

import base64
import json

import pytest

from . import lab_tapes, module

har = module("lab.har")
cassette = module("lab.cassette")
recording = module("lab.recording")
cli = module("cli")

# What HAR 1.2 demands of each object (section "HAR data structure").
REQUIRED = {
    "log": ("version", "creator", "entries"),
    "entry": ("startedDateTime", "time", "request", "response", "cache", "timings"),
    "request": ("method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"),
    "response": (
        "status",
        "statusText",
        "httpVersion",
        "cookies",
        "headers",
        "content",
        "redirectURL",
        "headersSize",
        "bodySize",
    ),
    "timings": ("send", "wait", "receive"),
    "content": ("size", "mimeType"),
}


def back(document, **options):
    """The exchanges that a HAR gives."""
    records = []
    flaws = har.from_har(document, recording.Recording([records.append], source="har"), **options)
    lines = [cassette.encode_line({"format": cassette.FORMAT, "version": cassette.VERSION})]
    return cassette.parse(b"".join([*lines, *map(cassette.encode_line, records)])).exchanges, flaws


@pytest.mark.parametrize("name", lab_tapes.CASES)
def test_a_har_has_all_that_the_format_demands(name):
    document = json.loads(json.dumps(har.to_har(lab_tapes.make_all(name))))
    assert set(REQUIRED["log"]) <= set(document["log"]) and document["log"]["version"] == "1.2"
    for entry in document["log"]["entries"]:
        assert set(REQUIRED["entry"]) <= set(entry)
        for part in ("request", "response", "timings"):
            assert set(REQUIRED[part]) <= set(entry[part])
        assert set(REQUIRED["content"]) <= set(entry["response"]["content"])
        assert min(entry["timings"].values()) >= 0
        assert entry["time"] == pytest.approx(sum(entry["timings"].values()))


@pytest.mark.parametrize("name", lab_tapes.CASES)
def test_what_was_recorded_comes_back_but_for_the_framing(name):
    exchanges = lab_tapes.make_all(name)
    returned, flaws = back(json.loads(json.dumps(har.to_har(exchanges))))
    assert flaws == []
    for before, after in zip(exchanges, returned):
        assert after.request == before.request
        assert after.head is None if before.head is None else after.head.status == before.head.status
        assert after.body_pieces() == before.body_pieces()
        assert after.reply() == before.reply()
        assert (after.call, after.attempt) == (before.call, before.attempt)
        if before.end is not None:
            assert (after.end.how, after.end.at_us) == (before.end.how, before.end.at_us)


def test_the_chunks_stand_under_an_underscore_with_their_times():
    entry = har.to_har(lab_tapes.make_all("stream"))["log"]["entries"][0]
    assert [chunk["t_us"] for chunk in entry["_chunks"]][:3] == [100_000, 120_000, 140_000]
    assert entry["_chunks"][1]["text"].startswith("data: {")
    assert entry["response"]["content"]["text"].endswith("data: [DONE]\n\n")


def test_a_body_that_is_no_text_is_in_base64():
    exchange = lab_tapes.Tape().add(headers=(), pieces=[b"\xff\x00"])
    content = har.to_har([exchange])["log"]["entries"][0]["response"]["content"]
    assert base64.b64decode(content["text"]) == b"\xff\x00" and content["encoding"] == "base64"


def browser_entry(**changes):
    entry = {
        "startedDateTime": "2026-11-21T10:20:00.250Z",
        "time": 300.5,
        "request": {
            "method": "POST",
            "url": "https://api.openai.com/v1/chat/completions",
            "httpVersion": "http/2.0",
            "headers": [
                {"name": ":authority", "value": "api.openai.com"},
                {"name": "authorization", "value": f"Bearer {lab_tapes.KEY}"},
                {"name": "content-type", "value": "application/json"},
            ],
            "postData": {"mimeType": "application/json", "text": json.dumps(lab_tapes.PAYLOAD)},
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "http/2.0",
            "headers": [{"name": "content-type", "value": "application/json"}],
            "content": {"size": 2, "mimeType": "application/json", "text": json.dumps(lab_tapes.completion())},
        },
        "timings": {"blocked": 1.5, "dns": -1, "connect": -1, "ssl": -1, "send": 0.5, "wait": 250, "receive": 48},
    }
    entry.update(changes)
    return entry


def document(*entries):
    return {"log": {"version": "1.2", "entries": list(entries)}}


def test_a_browsers_entry_becomes_an_exchange():
    (exchange,), flaws = back(document(browser_entry()))
    assert flaws == []
    assert exchange.started_at == "2026-11-21T10:20:00.250Z"
    assert exchange.head_us == 252_000 and exchange.end.at_us == 300_500
    assert [name for name, _ in exchange.request.headers] == ["authorization", "content-type"]
    assert exchange.payload == lab_tapes.PAYLOAD
    assert exchange.reply().text == "one two three"
    assert exchange.layer == "body" and exchange.http_version == "1.1"


def test_a_key_in_a_har_is_hidden_like_any_other():
    (exchange,), _ = back(document(browser_entry()))
    assert lab_tapes.KEY not in repr(exchange.request.headers) and "<key:" in exchange.request.headers[0][1]


def test_a_failed_entry_is_a_failure():
    response = {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "headers": [],
        "_error": "net::ERR_CONNECTION_REFUSED",
    }
    (exchange,), _ = back(document(browser_entry(response=response)))
    assert exchange.head is None and exchange.end.how == "unreachable"
    assert exchange.end.detail == "net::ERR_CONNECTION_REFUSED"


def test_pictures_are_left_out_unless_all_is_asked_for():
    picture = browser_entry()
    picture["request"] = {**picture["request"], "url": "https://example.com/cat.png"}
    exchanges, flaws = back(document(picture, browser_entry()))
    assert len(exchanges) == 1 and flaws == ["1 entries that are no API calls were left out; --all takes them, too"]
    assert len(back(document(picture, browser_entry()), everything=True)[0]) == 2


def test_an_entry_that_is_none_is_told_and_the_rest_is_taken():
    exchanges, flaws = back(document({"request": {}}, browser_entry()))
    assert len(exchanges) == 1 and flaws[0].startswith("entry 1 is no HAR entry: KeyError")


def test_the_command_goes_both_ways(capsys, tmp_path):
    calls, there, again = (str(tmp_path / name) for name in ("calls.jsonl", "calls.har", "again.jsonl"))
    lab_tapes.save(calls, "retry", "stream")
    assert cli.main(["har", calls, "-o", there]) == 0
    assert cli.main(["har", there, "-o", again]) == 0
    assert capsys.readouterr().out.count("\n") == 3
    assert [exchange.call for exchange in cassette.read_cassette(again).exchanges] == [1, 1, 3]
    assert cli.main(["har", f"{calls}#3"]) == 0
    assert len(json.loads(capsys.readouterr().out)["log"]["entries"]) == 1


def test_a_har_without_a_place_to_go_says_what_to_add(capsys, tmp_path):
    path = tmp_path / "x.har"
    path.write_text(json.dumps(document()))
    assert cli.main(["har", str(path)]) != 0
    assert "-o calls.jsonl" in capsys.readouterr().err
