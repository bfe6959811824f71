"""Options of ours that a server refuses: which answers are such a refusal, and what is sent in turn."""

import json

import pytest

from . import module

errors = module("protocol.errors")
refusals = module("protocol.refusals")
status = module("protocol.status")

REFUSALS = [
    ("OpenAI's manner, by param", 400, {"error": {"message": "Not allowed", "param": "stream_options"}}, True),
    ("by message", 400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}}, True),
    ("by the option inside", 400, {"error": {"message": "unknown field include_usage"}}, True),
    ("by the path to the option inside", 400, {"error": {"message": "bad", "param": "stream_options.include_usage"}}, True),
    ("Mistral, by the place of the extra input", 422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}}, True),
    ("FastAPI, extra fields", 422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra fields not permitted", "type": "value_error.extra"}]}, True),
    ("FastAPI, second of two", 422, {"detail": [{"loc": ["body", "n"], "msg": "too large"}, {"loc": ["body", "stream_options"], "msg": "extra fields not permitted"}]}, True),
    ("a server that calls it 501", 501, {"error": {"message": "stream_options is not implemented"}}, True),
    ("a server that calls it 500", 500, {"error": {"message": "unexpected keyword argument 'stream_options'"}}, True),
    ("another extra input", 422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}, False),
    ("another 400", 400, {"error": {"message": "messages: empty", "param": "messages"}}, False),
    ("another status that names it", 429, {"error": {"message": "stream_options"}}, False),
    ("a word that only contains it", 400, {"error": {"message": "my_stream_options_x is odd"}}, False),
]  # fmt: skip


def test_a_connection_error_refuses_nothing():
    """An error without a status or a param is looked at without complaint."""
    assert refusals.refuses_option(errors.APIConnectionError("stream_options"), "stream_options") is False


ENCODING_REFUSALS = [
    ("pydantic's, by place", 422, {"detail": [{"loc": ["body", "encoding_format"], "msg": "Input should be 'float'"}]}, True),
    ("serde's, by value", 422, {"error": {"message": "unknown variant `base64`, expected `float`"}}, True),
    ("in words", 400, {"error": {"message": "This encoding format is not supported."}}, True),
    ("by param", 400, {"error": {"message": "bad value", "param": "encoding_format"}}, True),
    ("another complaint", 400, {"error": {"message": "This model has no dimensions", "param": "dimensions"}}, False),
    ("another status", 429, {"error": {"message": "encoding_format"}}, False),
]  # fmt: skip


ROWS = [("stream_options", *row) for row in REFUSALS] + [("encoding_format", *row) for row in ENCODING_REFUSALS]


@pytest.mark.parametrize("option, name, number, body, expected", ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_refusal_of_an_option_is_recognised(option, name, number, body, expected):
    """From the verdict and from the error alike; another complaint is none."""
    verdict = status.classify(number, {}, json.dumps(body).encode())
    assert refusals.refuses_option(verdict, option) is expected
    assert refusals.refuses_option(status.error_from(verdict), option) is expected


def test_what_is_sent_in_turn():
    """Each value once and in order, the rest of the payload as it was; then there is nothing more to try."""
    refusal = errors.BadRequestError("base64 is not supported", status=400)
    payload, instead = {"input": ["a"], "encoding_format": "base64"}, {"encoding_format": ["float", None]}
    first = refusals.otherwise(refusal, payload, instead)
    second = refusals.otherwise(refusal, first.payload, instead)

    assert first.payload == {"input": ["a"], "encoding_format": "float"} and first.why.endswith(
        "asking again for float"
    )
    assert second.payload == {"input": ["a"]} and second.why.endswith("asking again without")
    assert (first.option, payload["encoding_format"]) == ("encoding_format", "base64")
    assert refusals.otherwise(refusal, second.payload, instead) is None


def test_another_error_changes_nothing():
    instead = {"stream_options": [None]}
    assert refusals.otherwise(errors.BadRequestError("no such model", status=400), {"model": "m"}, instead) is None
    assert instead == {"stream_options": [None]}
