"""Other servers' errors in the API's words. Whole answers, and hostile ones, are in test_status.py."""

import gzip
import json

import pytest

from . import module

dialects = module("protocol.error_dialects")
problem = module("protocol.problem")

# name, error, document around it, message, code, type, param
WORDS = [
    ("the API's own", {"message": "m", "type": "t", "param": "p", "code": "c"}, None, "m", "c", "t", "p"),
    ("a text", " m ", None, "m", None, None, None),
    ("code and type beside the error (TGI, xAI)", "m", {"error": "m", "code": "c", "error_type": "t"}, "m", "c", "t", None),
    ("numbers", {"message": "m", "code": 429, "type": 5}, None, "m", "429", None, None),
    ("a number with a point", {"message": "m", "code": 429.0}, None, "m", "429", None, None),
    ("None as a word (LiteLLM)", {"message": "m", "code": "None", "param": "null", "type": " "}, None, "m", None, None, None),
    ("true is no code", {"message": "m", "code": True}, None, "m", None, None, None),
    ("Anthropic's envelope", {"type": "x", "message": "m"}, {"type": "error"}, "m", None, "x", None),
    ("the envelope alone", {"message": "m"}, {"type": "error"}, "m", None, None, None),
    ("Google's status", {"message": "m", "status": "UNAVAILABLE", "code": 503}, None, "m", "503", "UNAVAILABLE", None),
    ("FastAPI", {"detail": [{"loc": ["body", "a", 0, "b"], "msg": "m", "type": "missing"}]}, None, "a[0].b: m", None, None, "a[0].b"),
    ("a list", [{"message": "m", "code": 1}, {"message": "n"}], None, "m; n", "1", None, None),
    ("Workers AI", {"errors": [{"code": 3040, "message": "m"}]}, None, "m", "3040", None, None),
    ("a cause below", {"message": "m", "metadata": {"raw": "why"}}, None, "m: why", None, None, None),
    ("JSON as a text", '{"error": {"message": "m", "code": "c"}}', None, "m", None, None, None),
    ("a page", "<html><title>A &amp; B</title>", None, 'HTML page "A & B"', None, None, None),
    ("a page with a long title", "<title>" + "word " * 100, None, "word " * 39 + "wo...", None, None, None),
    ("nothing", None, None, "", None, None, None),
]  # fmt: skip


@pytest.mark.parametrize("row", WORDS, ids=[row[0] for row in WORDS])
def test_any_error_reads_in_the_words_of_the_api(row):
    """And so does what was made of it: translating twice changes nothing."""
    _, error, whole, *expected = row
    said = dialects.in_api_words(error, whole)
    assert [said[name] for name in ("message", "code", "type", "param")] == expected
    assert dialects.in_api_words(said) == said
    assert problem.read_error(error, whole) == problem.Said(*expected)


ERROR = b'{"error": "x"}'
WRAPPED = [
    ("nothing to undo", ERROR, json.loads(ERROR)),
    ("text", "x", "x"),
    ("gzip", gzip.compress(ERROR), json.loads(ERROR)),
    ("gzip cut off", gzip.compress(ERROR * 100)[:-9], (ERROR * 100).decode()),
    ("gzip that is none", b"\x1f\x8bxyz", "\ufffdxyz"),
    ("an event stream", b"event: error\r\ndata: " + ERROR + b"\r\n\r\ndata: [DONE]", json.loads(ERROR)),
    ("an event stream in gzip", gzip.compress(b"data:" + ERROR), json.loads(ERROR)),
    ("llama.cpp's field", "error: x", "x"),
    ("events without data", b"event: error\n\n", ""),
    ("noise in an event stream", b"data:" + b"\xff" * 99, "104 bytes that are no text"),
]


@pytest.mark.parametrize("name, body, expected", WRAPPED, ids=[row[0] for row in WRAPPED])
def test_a_body_is_taken_out_of_what_is_around_it(name, body, expected):
    """What is not wrapped comes back as it is."""
    assert problem.parse_body(body) == expected


@pytest.mark.parametrize("document", [{"error": {"message": "m"}}, {"detail": "m"}, [{"error": "m"}], {"choices": [{"error": "m"}]}])  # fmt: skip
def test_an_error_is_put_into_the_place_of_the_api(document):
    """The very object, so that whoever catches the exception finds in its body what the server sent."""
    found = dialects.in_api_place(json.loads(json.dumps(document)))
    assert dialects.in_api_place(found) == found
    assert problem.find_error(document) == found["error"]


def test_an_answer_holds_no_error():
    """Neither where an error is null, nor where it says nothing."""
    assert dialects.in_api_place({"choices": [{"message": {"content": "x"}}], "error": None}) is None
    assert dialects.in_api_place({"choices": [{}], "error": {"message": "", "details": [None]}}) is None
    assert dialects.in_api_place("text") is None
