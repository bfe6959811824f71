"""Checks of refusals: each is shown one that keeps the rule and one that breaks it."""

import pytest

from . import module
from .clinic import completion, find, http, probes, refusal, stream, untried

refusal_checks = module("lab.clinic.refusal_checks")

ROWS = {
    "a wrong key": ("wrong-key", "ok", {"wrong_key": refusal(401)}, "401"),
    "a wrong key is a 400": ("wrong-key", "fails", {"wrong_key": refusal(400)}, "400 instead of 401"),
    "a wrong key is a 403": ("wrong-key", "fails", {"wrong_key": refusal(403)}, "403 instead of 401"),
    "a wrong key is a 500": ("wrong-key", "fails", {"wrong_key": http(b"", 500)}, "500 instead of 401"),
    "no key is asked for": ("wrong-key", "unknown", {"wrong_key": refusal(404)}, "no key is asked for"),
    "any key will do": ("wrong-key", "unknown", {"wrong_key": completion()}, "no key is asked for"),
    "the key masked": ("key-kept", "ok", {"wrong_key": refusal(401, {"message": "sk-d***00"})}, "not repeated"),
    "the key repeated": (
        "key-kept",
        "fails",
        {"wrong_key": refusal(401, {"message": f"no such key: {probes.WRONG_KEY}"})},
        "whole key",
    ),
    "no such model": ("unknown-model", "ok", {"no_model": refusal(404)}, "404"),
    "any model will do": ("unknown-model", "fails", {"no_model": completion()}, "as if there were"),
    "no such model is a 400": ("unknown-model", "fails", {"no_model": refusal(400)}, "400 instead of 404"),
    "refused before the stream": ("stream-refusal", "ok", {"no_model_stream": refusal(404)}, "404"),
    "refused inside the stream": (
        "stream-refusal",
        "fails",
        {"no_model_stream": stream({"error": {"message": "no model"}})},
        "inside the stream",
    ),
    "streamed all the same": ("stream-refusal", "fails", {"no_model_stream": stream()}, "as if there were"),
    "broken JSON": ("bad-json", "ok", {"bad_json": refusal(400)}, "400"),
    "broken JSON is a 500": ("bad-json", "fails", {"bad_json": refusal(500)}, "500 instead of 400"),
    "no messages": ("no-messages", "ok", {"no_messages": refusal(422)}, "422"),
    "no messages is a 500": ("no-messages", "fails", {"no_messages": refusal(500)}, "instead of 400 or 422"),
    "a wrong type": ("bad-type", "ok", {"bad_type": refusal(400)}, "400"),
    "a wrong type is taken": ("bad-type", "fails", {"bad_type": completion()}, "200 instead of"),
    "no such path": ("unknown-path", "ok", {"no_path": refusal(404)}, "404"),
    "no such path is a 200": ("unknown-path", "fails", {"no_path": http({"error": "x"})}, "200 instead of 404"),
    "an envelope": ("envelope", "ok", {"bad_json": refusal(400), "no_path": refusal(404)}, "2 refusals"),
    "FastAPI's detail": ("envelope", "fails", {"no_path": http({"detail": "Not Found"}, 404)}, "but detail (no-path)"),
    "a list": ("envelope", "fails", {"bad_json": http([{"error": {"message": "x"}}], 400)}, "no JSON object"),
    "a string": ("envelope", "fails", {"bad_json": http({"error": "x"}, 400)}, "but error"),
    "HTML": ("envelope", "fails", {"no_path": http(b"<html></html>", 404, "text/html")}, "no JSON object"),
    "no message": ("envelope", "fails", {"bad_json": refusal(400, {"message": None})}, "no message"),
    "nothing at all": ("envelope", "fails", {"bad_json": http(b"", 400)}, "no JSON object"),
    "two of three": (
        "envelope",
        "fails",
        {"bad_json": http(b"", 400), "bad_type": refusal(400), "no_path": http(b"", 404)},
        "(bad-json, no-path)",
    ),
    "nothing refused": ("envelope", "unknown", {"bad_json": completion()}, "nothing was refused"),
    "fields": ("error-fields", "ok", {"bad_json": refusal(400, {"code": "bad"})}, "type, param, code"),
    "a number for a code": ("error-fields", "fails", {"bad_json": refusal(400, {"code": 400})}, "no string"),
    "the word None": ("error-fields", "fails", {"bad_json": refusal(400, {"param": "None"})}, "the word None"),
    "no param": ("error-fields", "fails", {"bad_json": http({"error": {"message": "x"}}, 400)}, "without type"),
    "labelled": ("error-type", "ok", {"bad_json": refusal(400)}, "application/json"),
    "text": ("error-type", "fails", {"bad_json": refusal(400, content_type="text/plain")}, "text/plain"),
}


@pytest.mark.parametrize("check,verdict,answers,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found_in_a_refusal(check, verdict, answers, says):
    """The verdict, and words that name what was seen."""
    finding = find(check, **answers)
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything."""
    assert untried(refusal_checks.CHECKS, ROWS) == []


def test_a_repeated_key_is_not_repeated_again():
    """Even the doctor's own key is not printed: who reads a report may take it for a real one."""
    finding = find("key-kept", wrong_key=refusal(401, {"message": probes.WRONG_KEY}))
    assert probes.WRONG_KEY not in finding.seen
