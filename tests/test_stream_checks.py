"""Checks of chunks: each is shown a stream that keeps the rule and one that breaks it."""

import pytest

from . import module
from .clinic import HEAD, TEXT, USAGE, chunk, find, http, refusal, seen, stream, untried

stream_checks = module("lab.clinic.stream_checks")
GOOD = stream()
FIRST = {"role": "assistant", "content": ""}


def with_first(**fields):
    return stream({**TEXT[0], **fields}, *TEXT[1:])


def delta(**fields):
    return stream(TEXT[0], chunk(fields), *TEXT[2:])


# name -> (check, verdict, answer, part of what it says)
ROWS = {
    "a stream": ("stream", "ok", GOOD, "6 chunks"),
    "a refusal": ("stream", "fails", refusal(400), "400"),
    "JSON in the place of a stream": ("stream", "fails", http({"choices": [{"message": {}}]}), "one whole answer"),
    "an empty body": ("stream", "fails", stream(body=b""), "empty body"),
    "[DONE] alone": ("stream", "fails", stream(body=b"data: [DONE]\n\n"), "no chunk"),
    "object right": ("chunk-object", "ok", GOOD, "chat.completion.chunk"),
    "object of a whole answer": ("chunk-object", "fails", with_first(object="chat.completion"), "chat.completion"),
    "one id": ("chunk-id", "ok", GOOD, "c1"),
    "two ids": ("chunk-id", "fails", with_first(id="c2"), "2 different"),
    "id null": ("chunk-id", "fails", with_first(id=None), "null"),
    "one time": ("chunk-created", "ok", GOOD, "1700000000"),
    "two times": ("chunk-created", "fails", with_first(created=1700000001), "2 different"),
    "a time with a point": ("chunk-created", "fails", with_first(created=1.5), "1.5"),
    "one model": ("chunk-model", "ok", GOOD, "m"),
    "no model": ("chunk-model", "fails", with_first(model=""), "model"),
    "lists": ("chunk-choices", "ok", GOOD, "a list"),
    "choices null": ("chunk-choices", "fails", stream({**HEAD, "choices": None}, *TEXT), "null"),
    "chunks alone": ("other-events", "ok", GOOD, "chunks alone"),
    "a ping": ("other-events", "fails", stream({"type": "ping"}, *TEXT), "1 events"),
    "usage without choices": ("empty-choices", "ok", GOOD, "only for usage"),
    "Azure's first chunk": ("empty-choices", "fails", stream({**HEAD, "choices": []}, *TEXT), "1 chunks"),
    "an index in each": ("choice-index", "ok", GOOD, "a number"),
    "no index": ("choice-index", "fails", stream({**HEAD, "choices": [{"delta": {}}]}, *TEXT), "null"),
    "a delta in each": ("choice-delta", "ok", GOOD, "an object"),
    "delta null": (
        "choice-delta",
        "fails",
        stream(*TEXT[:4], {**HEAD, "choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}),
        "null",
    ),
    "delta missing": ("choice-delta", "fails", stream({**HEAD, "choices": [{"index": 0}]}, *TEXT), "missing"),
    "text": ("delta-content", "ok", GOOD, "strings"),
    "parts": ("delta-content", "fails", delta(content=[{"type": "text", "text": "x"}]), "a list"),
    "a role once": ("role-once", "ok", GOOD, "1 time"),
    "a role in each": ("role-once", "fails", delta(role="assistant", content="x"), "2 times"),
    "the role first": ("role-first", "ok", GOOD, "assistant"),
    "no role": ("role-first", "fails", stream(*TEXT[1:]), "not in the first"),
    "nothing said in vain": ("delta-nulls", "ok", GOOD, "none"),
    "refusal null in the first": ("delta-nulls", "ok", stream(chunk({**FIRST, "refusal": None}), *TEXT[1:]), "none"),
    "nulls in each": ("delta-nulls", "fails", delta(content="x", tool_calls=None), "tool_calls"),
    "no strays": ("delta-strays", "ok", GOOD, "none"),
    "thoughts": ("delta-strays", "fails", delta(reasoning_content="hm"), "reasoning_content"),
    "a message beside the delta": (
        "delta-strays",
        "fails",
        stream({**HEAD, "choices": [{"index": 0, "delta": {}, "message": {}}]}, *TEXT),
        "message",
    ),
    "finished": ("stream-finish", "ok", GOOD, "stop"),
    "never finished": ("stream-finish", "fails", stream(*TEXT[:4]), "none"),
    "cut off": ("stream-finish", "unknown", stream(*TEXT[:4], done=False), "broke off"),
    "ended by an error": ("stream-finish", "unknown", stream(*TEXT[:4], {"error": {"message": "x"}}), "error"),
    "stop": ("finish-known", "ok", GOOD, "stop"),
    "eos": ("finish-known", "fails", stream(*TEXT[:4], chunk(finish="eos")), "eos"),
    "blank before the end": ("finish-known", "fails", stream(chunk(FIRST, finish=""), *TEXT[1:]), '""'),
    "finished once": ("finish-once", "ok", GOOD, "once"),
    "finished twice": ("finish-once", "fails", stream(*TEXT, chunk(finish="stop")), "2 times"),
    "text after the end": ("finish-once", "fails", stream(*TEXT, chunk({"content": "x"})), "text after"),
    "null before the last": ("finish-key", "ok", GOOD, "null"),
    "left out before the last": (
        "finish-key",
        "fails",
        stream({**HEAD, "choices": [{"index": 0, "delta": FIRST}]}, *TEXT[1:]),
        "1 chunks",
    ),
    "usage": ("stream-usage", "ok", GOOD, "9 + 3 = 12"),
    "no usage": ("stream-usage", "fails", stream(*TEXT[:5]), "no usage"),
    "usage that does not add up": (
        "stream-usage",
        "fails",
        stream(*TEXT[:5], {**HEAD, "choices": [], "usage": {**USAGE, "total_tokens": 13}}),
        "is not 13",
    ),
    "usage in its place": ("usage-place", "ok", GOOD, "last chunk"),
    "usage beside the finish": ("usage-place", "fails", stream(*TEXT[:4], chunk(finish="stop", usage=USAGE)), "beside"),
    "usage in each": ("usage-place", "fails", stream({**TEXT[0], "usage": USAGE}, *TEXT[1:]), "2 chunks"),
    "usage first": (
        "usage-place",
        "fails",
        stream({**TEXT[0], "usage": USAGE}, *TEXT[1:5]),
        "chunk 1 of 5",
    ),
    "usage in a choice": (
        "usage-place",
        "fails",
        stream(*TEXT[:4], {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USAGE}]}),
        "not at the top",
    ),
    "usage under x_groq": (
        "usage-place",
        "fails",
        stream(*TEXT[:4], chunk(finish="stop", x_groq={"usage": USAGE})),
        "not at the top",
    ),
    "pings after the usage": ("usage-place", "ok", stream(*TEXT, {"type": "ping"}), "last chunk"),
}


@pytest.mark.parametrize("check,verdict,answer,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found_in_a_stream(check, verdict, answer, says):
    """The verdict, and words that name what was seen."""
    finding = find(check, stream=answer)
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything."""
    assert untried(stream_checks.CHECKS, ROWS) == []


def test_a_failure_shows_the_bytes():
    """The chunk that broke the rule stands in the finding, as it came."""
    assert '"content":[{"type":"text","text":"x"}]' in find("delta-content", stream=ROWS["parts"][2]).seen


def test_refused_stream_options_are_told_as_the_reason():
    """A server that takes no stream_options and sends no usage is told apart from one that ignores them."""
    answer = seen(stream(*TEXT[:5]), payload={"stream": True})
    assert "stream_options was refused" in find("stream-usage", stream=answer).says


def test_what_no_server_answered_is_not_judged():
    """Without an answer there is nothing to say about its shape."""
    assert find("chunk-id", stream=seen(how="timeout")).verdict == "unknown"
    assert find("chunk-id") is None
