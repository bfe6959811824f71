"""Checks of whole answers: each is shown one that keeps the rule and one that breaks it."""

import pytest

from . import module
from .clinic import CHECKS, completion, find, http, refusal, rule, seen, stream, untried

answer_checks = module("lab.clinic.answer_checks")
MODEL = {"id": "m", "object": "model", "created": 1700000000, "owned_by": "us"}
MODELS = http({"object": "list", "data": [MODEL]})
GOOD = completion()


def listed(**fields):
    return http({"object": "list", "data": [{**MODEL, **fields}]})


ROWS = {
    "models": ("models", "ok", "models", MODELS, "1 models"),
    "no list of models": ("models", "fails", "models", http(["m"]), "no list"),
    "a model without id": ("models", "fails", "models", listed(id=None), "without an id"),
    "no such path": ("models", "fails", "models", refusal(404), "404"),
    "entries": ("model-entries", "ok", "models", MODELS, "reference"),
    "a time with a point": ("model-entries", "fails", "models", listed(created=1.5), "created"),
    "no owner": ("model-entries", "fails", "models", listed(owned_by=None), "owned_by"),
    "object models": ("model-entries", "fails", "models", http({"object": "models", "data": [MODEL]}), "not list"),
    "no models": ("model-entries", "unknown", "models", http({"object": "list", "data": []}), "no model"),
    "answered": ("chat", "ok", "chat", GOOD, "200"),
    "server error": ("chat", "fails", "chat", http(b"<html>502 Bad Gateway</html>", 502, "text/html"), "502"),
    "no choices": ("chat", "fails", "chat", http({"id": "c1"}), "no choices"),
    "choices null": ("chat", "fails", "chat", http({"choices": None}), "no choices"),
    "no message": ("chat", "fails", "chat", http({"choices": [{"index": 0}]}), "without a message"),
    "an error in a 200": ("chat", "fails", "chat", http({"error": {"message": "x"}}), "no choices"),
    "an empty body": ("chat", "fails", "chat", http(b""), "no choices"),
    "JSON": ("chat-type", "ok", "chat", GOOD, "application/json"),
    "JSON with a charset": ("chat-type", "ok", "chat", http({}, content_type="application/json; charset=utf-8"), "json"),
    "JSON as text": ("chat-type", "fails", "chat", http({}, content_type="text/plain"), "text/plain"),
    "JSON unlabelled": ("chat-type", "fails", "chat", http({}, content_type=None), "missing"),
    "a stream unasked": ("chat-type", "fails", "chat", stream(), "event stream"),
    "begins at once": ("chat-start", "ok", "chat", GOOD, "at once"),
    "a byte order mark": (
        "chat-start",
        "fails",
        "chat",
        http(b'\xef\xbb\xbf{"choices":[{"message":{"content":"x"}}]}'),
        "byte order mark",
    ),
    "blank lines": ("chat-start", "fails", "chat", http(b'\n\n{"choices":[{"message":{"content":"x"}}]}'), "blanks"),
    "gzip as offered": ("chat-coding", "ok", "chat", seen(GOOD), "identity"),
    "brotli not offered": ("chat-coding", "fails", "chat", http(b"x", content_encoding="br"), "br"),
    "fields": ("chat-fields", "ok", "chat", GOOD, "id, object"),
    "no id": ("chat-fields", "fails", "chat", completion(id=None), "id"),
    "created a string": ("chat-fields", "fails", "chat", completion(created="now"), "created"),
    "object wrong": ("chat-fields", "fails", "chat", completion(object="chat"), "object"),
    "model blank": ("chat-fields", "fails", "chat", completion(model=""), "model"),
    "choice": ("chat-choice", "ok", "chat", GOOD, "index and role"),
    "no index": (
        "chat-choice",
        "fails",
        "chat",
        completion(choices=[{"message": {"role": "assistant", "content": "x"}}]),
        "index",
    ),
    "no role": ("chat-choice", "fails", "chat", completion({"role": None}), "role is null"),
    "content a string": ("chat-content", "ok", "chat", GOOD, "2 characters"),
    "content null": ("chat-content", "ok", "chat", completion({"content": None}), "0 characters"),
    "content a list": ("chat-content", "fails", "chat", completion({"content": [{"type": "text"}]}), "a list"),
    "no content": ("chat-content", "fails", "chat", completion(choices=[{"message": {"role": "assistant"}}]), "no content"),
    "stop": ("chat-finish", "ok", "chat", GOOD, "stop"),
    "eos_token": ("chat-finish", "fails", "chat", completion(finish="eos_token"), "eos_token"),
    "no finish_reason": ("chat-finish", "fails", "chat", completion(finish=None), "no finish_reason"),
    "usage": ("chat-usage", "ok", "chat", GOOD, "9 + 3 = 12"),
    "no usage": ("chat-usage", "fails", "chat", completion(usage=None), "no usage"),
    "half a usage": ("chat-usage", "fails", "chat", completion(usage={"prompt_tokens": 9}), "completion_tokens"),
    "a usage of zeros": (
        "chat-usage",
        "fails",
        "chat",
        completion(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        "counts of 0",
    ),
    "a usage that does not add up": (
        "chat-usage",
        "fails",
        "chat",
        completion(usage={"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 110}),
        "is not 110",
    ),
    "no strays": ("chat-strays", "ok", "chat", GOOD, "none"),
    "thoughts": ("chat-strays", "fails", "chat", completion({"reasoning": "hm"}), "reasoning"),
    "characters": ("characters", "ok", "chat", completion({"content": "é and 🎉"}), "é 🎉 came back"),
    "characters in an error": ("characters", "ok", "no_model", refusal(404, {"message": "no 日本"}), "日 本"),
    "characters lost": ("characters", "fails", "chat", completion({"content": "caf\ufffd"}), "U+FFFD"),
    "characters mistaken": ("characters", "fails", "no_model", refusal(404, {"message": "no modÃ©le"}), "Latin-1"),
    "characters cut": ("characters", "fails", "chat", http(b'{"choices":[{"message":{"content":"\\ud83c"}}]}'), "half"),
    "no characters": ("characters", "unknown", "chat", GOOD, "none of the characters"),
}  # fmt: skip


@pytest.mark.parametrize("check,verdict,probe,answer,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found_in_an_answer(check, verdict, probe, answer, says):
    """The verdict, and words that name what was seen."""
    finding = find(check, **{probe: answer})
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything. (model-listed has a test of its own.)"""
    assert untried(answer_checks.CHECKS, ROWS) == ["model-listed"]


@pytest.mark.parametrize("model,verdict", [("m", "ok"), ("gone", "fails")])
def test_the_model_is_looked_for_in_the_list(model, verdict):
    """A name that the server does not list is an alias, or a mistake."""
    evidence = rule.Evidence(None, {"models": seen(MODELS)})
    evidence.model = model
    assert CHECKS["model-listed"].judge(evidence).verdict == verdict


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_once(status):
    """Of a 401 to everything the check of the key tells; models and chat have nothing to judge."""
    answers = {"models": refusal(status), "chat": refusal(status)}
    assert find("key", **answers).verdict == "fails"
    assert {find(name, **answers).verdict for name in ("models", "chat", "chat-usage")} == {"unknown"}


def test_what_is_refused_like_a_plain_question_is_told_once():
    """Where the plain question is a 404, the same 404 for a stream is no finding about streams."""
    answers = {"chat": refusal(404, {"message": "no such model"}), "stream": refusal(404, {"message": "no such model"})}
    assert find("chat", **answers).verdict == "fails"
    assert find("stream", **answers).verdict == "unknown"
    assert find("stream", chat=answers["chat"], stream=refusal(400, {"message": "no streams"})).verdict == "fails"
