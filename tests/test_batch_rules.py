"""What becomes of a row whose attempt failed: one table of decisions."""

import json

import pytest

from . import module, rawchat

rules = module("batch_rules")
files = module("batch_files")
status = module("protocol.status")
Decision = rules.Decision


def error(code, body=None, after_s=None):
    text = json.dumps({"error": {"message": "no", **(body or {})}})
    return status.error_from(status.classify(code, {}, text), retry_after_s=after_s)


def unreachable(phase):
    made = rawchat.APIConnectionError("nobody there")
    made.phase = phase
    return made


AGAIN, WRITE, STOP = "again", "write", "stop"
TABLE = [
    # name, error, retries taken, max_retries, whether some row went well, decision
    ("a bad row", error(400), 0, 2, False, Decision(WRITE)),
    ("a bad row, 422", error(422), 0, 2, True, Decision(WRITE)),
    ("a server error", error(500), 0, 2, False, Decision(AGAIN, 0.5)),
    ("... the second time", error(500), 1, 2, False, Decision(AGAIN, 1.0)),
    ("... the last time", error(500), 2, 2, False, Decision(WRITE)),
    ("a limit with its end", error(429, after_s=2.0), 0, 2, True, Decision(AGAIN, 2.0, "pause")),
    ("... is waited for beyond max_retries", error(429, after_s=2.0), 7, 2, True, Decision(AGAIN, 2.0, "pause")),
    ("... but not for ever", error(429, after_s=2.0), 8, 2, True, Decision(WRITE, 0.0, "pause")),
    ("... nor where no retry is wanted", error(429, after_s=2.0), 0, 0, True, Decision(WRITE, 0.0, "pause")),
    ("a limit whose end is hours away", error(429, after_s=9000.0), 0, 2, True, Decision(STOP, reason="rate_limit")),
    ("a limit without an end", error(429), 0, 2, True, Decision(AGAIN, 0.5, "halve")),
    ("overload", error(503), 1, 2, True, Decision(AGAIN, 1.0, "halve")),
    ("overload with its end", error(503, after_s=3.0), 0, 2, True, Decision(AGAIN, 3.0, "halve")),
    ("overload, Anthropic's", error(529), 5, 2, True, Decision(AGAIN, 8.0, "halve")),
    ("a wrong key", error(401), 0, 2, True, Decision(STOP, reason="auth")),
    ("no money", error(429, {"code": "insufficient_quota"}), 0, 2, True, Decision(STOP, reason="quota")),
    ("no money, 402", error(402), 0, 2, True, Decision(STOP, reason="quota")),
    ("no such model, at first", error(404), 0, 2, False, Decision(STOP, reason="not_found")),
    ("no such model, for this row", error(404), 0, 2, True, Decision(WRITE)),
    ("not allowed, at first", error(403), 0, 2, False, Decision(STOP, reason="permission")),
    ("not allowed, for this row", error(403), 0, 2, True, Decision(WRITE)),
    ("nobody there", unreachable("connect"), 0, 2, True, Decision(AGAIN, 0.5)),
    ("still nobody there", unreachable("connect"), 2, 2, True, Decision(STOP, reason="connection")),
    ("an answer that breaks off", unreachable("body"), 2, 2, True, Decision(WRITE)),
]


@pytest.mark.parametrize(
    ("failure", "taken", "most", "some", "expected"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE]
)
def test_decisions(failure, taken, most, some, expected):
    """Again, written, or the end of the run; and what everybody learns from it."""
    policy = rawchat.RetryPolicy()
    got = rules.decide(failure, retries_taken=taken, max_retries=most, policy=policy, dice=0.0, some_went_well=some)
    assert got == expected


def test_an_error_status_keeps_the_servers_body():
    """As the provider's own error file has it."""
    fields = rules.error_fields(error(400, {"code": "bad"}))
    line = json.loads(files.result_line("batch_req_1", "a", **fields))
    assert line["response"] == {
        "status_code": 400,
        "request_id": "",
        "body": {"error": {"message": "no", "code": "bad"}},
    }
    assert line["error"] is None


def test_a_page_instead_of_an_error_object_becomes_one():
    """A gateway's HTML is told in our words."""
    failure = status.error_from(status.classify(502, {}, b"<html><title>Bad</title></html>"))
    assert rules.error_fields(failure)["body"]["error"]["message"].startswith("502 Bad Gateway")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (unreachable("body"), "connection_error"),
        (rawchat.APITimeoutError("late"), "timeout"),
        (rawchat.InvalidResponseError("no completion", status=200), "invalid_response"),
        (status.error_from(status.classify_error({"code": 502, "message": "up"})), "502"),
    ],
    ids=["broken", "late", "no completion", "an error inside a 200"],
)
def test_what_is_no_error_status_has_no_response(failure, code):
    """Beside a status_code of 200 it would look like an answer."""
    fields = rules.error_fields(failure)
    result = files.read_result(files.result_line("batch_req_1", "a", **fields))
    assert (result.status, result.failed) == (None, True)
    assert fields["error"]["code"] == code


def test_keys_are_taken_out():
    """Those that are known, and whatever looks like one, at every depth; what is no text stays."""
    failure = rawchat.BadRequestError(
        "x", status=400, body={"a": ["orange-tree-7", {"b": "sk-proj-0123456789abcdef"}], "n": 1}
    )
    text = json.dumps(rules.error_fields(failure, ["orange-tree-7"]))
    assert "orange-tree-7" not in text
    assert "0123456789abcdef" not in text
    assert '"n": 1' in text


TOKENS = [
    ("the answer's limit", {"max_tokens": 50}, 50),
    ("its newer name", {"max_completion_tokens": 70}, 70),
    ("none given", {}, 1024),
    ("nonsense", {"max_tokens": "many"}, 1024),
]


@pytest.mark.parametrize(("body", "output"), [r[1:] for r in TOKENS], ids=[r[0] for r in TOKENS])
def test_tokens_are_reckoned_from_text_and_limit(body, output):
    """A third of the bytes, and the longest answer."""
    row = files.Row(1, "a", "/v1/chat/completions", {"model": "m", **body}, 300)
    assert rules.reckoned_tokens(row) == 100 + output
    assert rules.reckoned_tokens(row._replace(url="/v1/embeddings")) == 100
