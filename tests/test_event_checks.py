"""Checks of a stream as bytes: each is shown one that keeps the rule and one that breaks it."""

import random

import pytest

from . import module
from .clinic import TEXT, chunk, events, find, http, seen, stream, untried

event_checks = module("lab.clinic.event_checks")
GOOD = stream()
PLAIN = events(*TEXT)


def body(data, **headers):
    return stream(body=data, **headers)


def raw(data):
    """A stream whose body ends with the connection."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + data


ROWS = {
    "labelled": ("stream-type", "ok", GOOD, "text/event-stream"),
    "plain text": ("stream-type", "fails", stream(content_type="text/plain"), "not text/event-stream"),
    "unlabelled": ("stream-type", "fails", stream(content_type=None), "missing"),
    "JSON": ("stream-type", "fails", http({"choices": []}), "though a stream was asked for"),
    "no charset": ("stream-charset", "ok", GOOD, "UTF-8"),
    "utf-8": ("stream-charset", "ok", stream(content_type="text/event-stream; charset=UTF-8"), "UTF-8"),
    "latin-1": ("stream-charset", "fails", stream(content_type="text/event-stream;charset=iso-8859-1"), "iso-8859-1"),
    "whole": ("stream-whole", "ok", GOOD, "bytes"),
    "no last chunk": ("stream-whole", "fails", GOOD[: -len(b"0\r\n\r\n")], "broke off"),
    "a chunk size that is none": ("stream-whole", "fails", GOOD[:-5] + b"zz\r\n", "zz"),
    "a length too long": (
        "stream-whole",
        "fails",
        http(PLAIN, content_type="text/event-stream", length=len(PLAIN) + 9),
        "9 more",
    ),
    "ends": ("stream-ends", "ok", GOOD, "ends"),
    "never ends": ("stream-ends", "fails", seen(GOOD[: -len(b"0\r\n\r\n")], how="timeout"), "did not end"),
    "in chunks": ("stream-framing", "ok", GOOD, "chunked"),
    "with a length": ("stream-framing", "fails", http(PLAIN, content_type="text/event-stream"), "Content-Length"),
    "up to the close": ("stream-framing", "fails", raw(PLAIN), "where the connection does"),
    "not packed": ("stream-coding", "ok", GOOD, "none"),
    "packed": ("stream-coding", "fails", stream(content_encoding="br"), "br"),
    "complete": ("stream-complete", "ok", GOOD, "[DONE]"),
    "complete by its finish_reason": ("stream-complete", "ok", stream(*TEXT, done=False), "finish_reason stop"),
    "not complete": ("stream-complete", "fails", stream(*TEXT[:3], done=False), "cut off"),
    "not complete for an error": ("stream-complete", "unknown", stream({"error": "x"}, done=False), "error"),
    "[DONE]": ("stream-done", "ok", GOOD, "after 6 events"),
    "no [DONE]": ("stream-done", "fails", stream(*TEXT, done=False), "no [DONE] after 6"),
    "nothing behind [DONE]": ("behind-done", "ok", GOOD, "nothing"),
    "an event behind [DONE]": ("behind-done", "fails", body(PLAIN + b"data: {}\n\n"), "after [DONE]"),
    "a comment behind [DONE]": ("behind-done", "fails", body(PLAIN + b": bye\n\n"), "after [DONE]"),
    "a blank line at the end": ("last-blank", "ok", GOOD, "blank line"),
    "a blank line of CRLF": ("last-blank", "ok", body(PLAIN.replace(b"\n", b"\r\n")), "blank line"),
    "no line end": ("last-blank", "fails", body(PLAIN.rstrip()), "no blank line"),
    "one line end": ("last-blank", "fails", body(PLAIN.rstrip() + b"\n"), "no blank line"),
    "JSON in each": ("event-json", "ok", GOOD, "6 events"),
    "a comment as data": ("event-json", "fails", body(b"data: : keep-alive\n\n" + PLAIN), "no JSON"),
    "glued": ("event-json", "fails", body(b'data: {"id":"c1","chdata: {"id":"c1"}\n\n' + PLAIN), "no JSON"),
    "data in each": ("event-data", "ok", GOOD, "each"),
    "empty data": ("event-data", "fails", body(b"data: \n\n" + PLAIN), "without data"),
    "an id alone": ("event-data", "fails", body(b"id: 7\n\n" + PLAIN), "without data"),
    "a retry alone": ("event-data", "fails", body(b"retry: 3000\n\n" + PLAIN), "without data"),
    "an event name alone": ("event-data", "fails", body(b"event: ping\n\n" + PLAIN), "without data"),
    "a comment alone": ("event-data", "ok", body(b": keep-alive\n\n" + PLAIN), "each"),
    "a comment before any id": ("event-id", "ok", body(b": hi\n\nid: 1\n" + PLAIN), "no comment"),
    "a comment after an id": ("event-id", "fails", body(b"id: 1\n" + PLAIN[:-14] + b": hi\n\n"), "after an id"),
    "no error": ("stream-errors", "ok", GOOD, "none"),
    "an error": ("stream-errors", "fails", stream(TEXT[0], {"error": {"message": "x"}}), "inside a 200"),
    "a string for an error": ("stream-errors", "fails", stream(TEXT[0], {"error": "x"}), "inside a 200"),
    "an error by its object": ("stream-errors", "fails", stream({"object": "error", "message": "x"}), "inside a 200"),
    "an error in a choice": ("stream-errors", "fails", stream({"choices": [{"error": {"code": 1}}]}), "inside a 200"),
    "event: error": ("stream-errors", "fails", body(b"event: error\ndata: oh\n\n" + PLAIN), "inside a 200"),
    "error as a field": ("stream-errors", "fails", body(b'error: {"code":500}\n\n' + PLAIN), "inside a 200"),
    "error: null": ("stream-errors", "ok", stream({**TEXT[0], "error": None}, *TEXT[1:]), "none"),
    "no mark": ("event-bom", "ok", GOOD, "none"),
    "a byte order mark": ("event-bom", "fails", body(b"\xef\xbb\xbf" + PLAIN), "byte order mark"),
    "good UTF-8": ("stream-utf8", "ok", body(b'data: {"choices":[{"delta":{"content":"\xc3\xa9"}}]}\n\n'), "good"),
    "a byte that is none": ("stream-utf8", "fails", body(b'data: "\xe9"\n\n' + PLAIN), "no UTF-8"),
    "a lost character": ("stream-utf8", "fails", stream(chunk({"content": "a\ufffd"}), *TEXT[1:]), "U+FFFD"),
    "mojibake": ("stream-utf8", "fails", stream(chunk({"content": "cafÃ©"}), *TEXT[1:]), "Latin-1"),
    "characters whole": ("surrogates", "ok", stream(chunk({"content": "🎉"}), *TEXT[1:]), "no character"),
    "characters in halves": ("surrogates", "fails", stream(chunk({"content": "\ud83c"}), *TEXT[1:]), "half"),
    "LF": ("line-ends", "ok", GOOD, "LF"),
    "CRLF": ("line-ends", "fails", body(PLAIN.replace(b"\n", b"\r\n")), "CRLF"),
    "CR": ("line-ends", "fails", body(PLAIN.replace(b"\n", b"\r")), "CR"),
    "CRLF and LF": ("line-ends", "fails", body(PLAIN + b": x\r\n\r\n"), "CRLF and LF"),
    "one space": ("data-space", "ok", GOOD, "one space"),
    "no space": ("data-space", "fails", body(PLAIN.replace(b"data: ", b"data:")), "not one space"),
    "two spaces": ("data-space", "fails", body(PLAIN.replace(b"data: ", b"data:  ")), "not one space"),
    "one line": ("data-lines", "ok", GOOD, "one data line"),
    "several lines": ("data-lines", "fails", body(b'data: {\ndata: "a": 1}\n\n' + PLAIN), "several"),
    "data alone": ("event-fields", "ok", GOOD, "data alone"),
    "ids and names": ("event-fields", "fails", body(b"id: 1\nevent: message\n" + PLAIN), "event, id"),
    "a field of no standard": ("event-fields", "fails", body(b"x-note: hi\n" + PLAIN), "x-note"),
    "no comments": ("comments", "ok", GOOD, "none"),
    "comments": ("comments", "fails", body(b": OPENROUTER PROCESSING\n\n" + PLAIN), "1 comments"),
    "separators escaped": ("separators", "ok", stream(chunk({"content": "\u2028"}), *TEXT[1:]), "none"),
    "separators raw": (
        "separators",
        "fails",
        body('data: {"choices":[{"delta":{"content":"\u2028"}}]}\n\n'.encode() + PLAIN),
        "U+2028",
    ),
}


@pytest.mark.parametrize("check,verdict,answer,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found_in_the_bytes(check, verdict, answer, says):
    """The verdict, and words that name what was seen."""
    finding = find(check, stream=answer)
    assert finding.verdict == verdict, finding
    assert says in finding.says


WIRES = {name: row for name, row in ROWS.items() if isinstance(row[2], bytes)}


@pytest.mark.parametrize("check,verdict,answer,says", WIRES.values(), ids=WIRES.keys())
def test_where_reads_end_changes_no_verdict(check, verdict, answer, says):
    """Byte by byte, and cut at random places, the finding is the same."""
    dice = random.Random(11)
    cuts = sorted(dice.sample(range(1, len(answer)), min(9, len(answer) - 1)))
    random_reads = [answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)])]
    whole = find(check, stream=answer)
    for reads in ([answer[at : at + 1] for at in range(len(answer))], random_reads):
        found = find(check, stream=reads)
        assert (found.verdict, found.says) == (whole.verdict, whole.says)


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything."""
    assert untried(event_checks.CHECKS, ROWS) == []


def test_what_is_shown_commands_no_terminal():
    """An escape sequence in a stream is spelled out where it is quoted."""
    finding = find("event-json", stream=body(b"data: \x1b[2Jboo\n\n" + PLAIN))
    assert finding.verdict == "fails"
    assert "\x1b" not in finding.seen
    assert "boo" in finding.seen
