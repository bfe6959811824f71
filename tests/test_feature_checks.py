"""Checks of parameters, JSON modes and embeddings: each is shown an answer that keeps the rule and one that breaks it."""

import pytest

from . import module
from .clinic import CHECKS, completion, find, http, refusal, rule, seen, untried

feature_checks = module("lab.clinic.feature_checks")
WORDS = "one two three four five six seven eight nine ten"
CHAT = completion({"content": WORDS})  # its middle word is the one to stop at
STOP = module("lab.clinic.probes").stop_word({"chat": seen(CHAT)})


def limited(count, finish="length", text="one two"):
    usage = {"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count}
    return completion({"content": text}, finish, usage if count is not None else None)


def said(text, finish="stop"):
    return completion({"content": text}, finish)


def vectors(*embeddings, **fields):
    data = [{"object": "embedding", "index": number, "embedding": item} for number, item in enumerate(embeddings)]
    return http({"object": "list", "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}, **fields})


TWO = completion(choices=[{"index": 0, "message": {"content": "x"}}, {"index": 1, "message": {"content": "x"}}])

ROWS = {
    "a limit kept": ("max-tokens", "ok", {"limit": limited(5)}, "5 tokens"),
    "a limit ignored": ("max-tokens", "fails", {"limit": limited(40, "stop", WORDS)}, "40 tokens"),
    "a limit kept in silence": ("max-tokens", "fails", {"limit": limited(5, "stop")}, "finish_reason"),
    "a limit refused": ("max-tokens", "fails", {"limit": refusal(400)}, "refused"),
    "a short answer": ("max-tokens", "unknown", {"limit": limited(3, "stop", "one")}, "over after 3"),
    "two choices": ("n", "ok", {"n": TWO}, "2 choices"),
    "n refused": ("n", "ok", {"n": refusal(400)}, "refused, not ignored"),
    "n ignored": ("n", "fails", {"n": completion()}, "1 choices"),
    "n answered in the wrong order": (
        "n",
        "fails",
        {"n": completion(choices=[{"index": 1, "message": {}}, {"index": 0, "message": {}}])},
        "[1,0]",
    ),
    "stopped": ("stop", "ok", {"chat": CHAT, "stop": said("one two three")}, "stopped before"),
    "stop refused": ("stop", "ok", {"chat": CHAT, "stop": refusal(400)}, "refused, not ignored"),
    "stop ignored": ("stop", "fails", {"chat": CHAT, "stop": CHAT}, "stands in the answer"),
    "the stop word left in": ("stop", "fails", {"chat": CHAT, "stop": said(f"one {STOP}")}, "stands in the answer"),
    "another answer": ("stop", "unknown", {"chat": CHAT, "stop": said(WORDS.replace(STOP, "x" * 9))}, "another answer"),
    "JSON": ("json-object", "ok", {"json_object": said('{"ok": true}')}, "fits"),
    "JSON in a fence": ("json-object", "fails", {"json_object": said('```json\n{"ok": true}\n```')}, "no JSON"),
    "a list for an object": ("json-object", "fails", {"json_object": said("[1]")}, "ignored"),
    "JSON mode refused": ("json-object", "fails", {"json_object": refusal(400)}, "refused"),
    "JSON cut off": ("json-object", "unknown", {"json_object": said('{"ok', "length")}, "cut off"),
    "fits the schema": ("json-schema", "ok", {"json_schema": said('{"city": "Rome", "warm": true}')}, "fits"),
    "another object": ("json-schema", "fails", {"json_schema": said('{"town": "Rome"}')}, "ignored"),
    "schema refused": ("json-schema", "fails", {"json_schema": refusal(400)}, "refused"),
    "vectors": ("embeddings", "ok", {"embeddings": vectors([0.1, 0.2], [0.3, 0.4])}, "2 of 2 numbers"),
    "one vector": ("embeddings", "fails", {"embeddings": vectors([0.1])}, "1 vectors"),
    "a vector a token": (
        "embeddings",
        "fails",
        {"embeddings": vectors([[0.1], [0.2]], [[0.1]])},
        "a list, not numbers",
    ),
    "vectors of two sizes": ("embeddings", "fails", {"embeddings": vectors([0.1], [0.1, 0.2])}, "[1, 2]"),
    "base64 unasked": ("embeddings", "fails", {"embeddings": vectors("AACAPw==", "AACAPw==")}, "a string"),
    "no embeddings": ("embeddings", "fails", {"embeddings": refusal(404)}, "404"),
    "usage of embeddings": ("embedding-usage", "ok", {"embeddings": vectors([0.1], [0.2])}, "2 tokens"),
    "no usage of embeddings": ("embedding-usage", "fails", {"embeddings": vectors([0.1], usage=None)}, "without"),
    "base64": ("embedding-base64", "ok", {"embeddings_base64": vectors("AACAPwAAgD8=")}, "2 numbers"),
    "base64 ignored": ("embedding-base64", "fails", {"embeddings_base64": vectors([1.0])}, "ignored"),
    "base64 broken": ("embedding-base64", "fails", {"embeddings_base64": vectors("A*")}, "no base64"),
    "base64 of three bytes": ("embedding-base64", "fails", {"embeddings_base64": vectors("AAAA")}, "3 bytes"),
}


@pytest.mark.parametrize("check,verdict,answers,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found(check, verdict, answers, says):
    """The verdict, and words that name what was seen."""
    finding = find(check, **answers)
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything. (parameters has a test of its own.)"""
    assert untried(feature_checks.CHECKS, ROWS) == ["parameters"]


@pytest.mark.parametrize("notes,verdict", [([], "ok"), (["max_tokens was refused"], "fails")])
def test_what_had_to_be_left_out_is_told(notes, verdict):
    """A parameter that the model refused is a quirk worth knowing."""
    evidence = rule.Evidence(None, {"chat": seen(completion())})
    evidence.notes = notes
    assert CHECKS["parameters"].judge(evidence).verdict == verdict
