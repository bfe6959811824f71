"""Answers of one form: the value, or the error that says why there is none and carries the reply."""

import dataclasses
import enum
import json
from typing import List, Literal, NamedTuple, Optional, TypedDict, Union

import pytest

from . import module, rawchat
from .awaited import FACES
from .scripts import completion

memory = module("transport.memory")
parse = module("protocol.parse")
schema = module("protocol.schema")

KEY = "sk-test-0123456789abcdef"
make_client = rawchat.Client


@pytest.fixture(autouse=True, params=FACES)
def face(request, monkeypatch):
    """Every test speaks of both clients."""
    monkeypatch.setitem(globals(), "make_client", FACES[request.param])


@dataclasses.dataclass
class Review:
    title: str
    stars: int
    tags: List[str] = dataclasses.field(default_factory=list)


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Point(NamedTuple):
    x: float
    y: float


class City(TypedDict):
    name: str
    people: int


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def client_of(*replies):
    transport = memory.MemoryTransport(list(replies))
    return make_client(KEY, "http://127.0.0.1:1/v1", transport=transport), transport


def said(text, finish="stop", **message):
    reply = completion(text)
    reply["choices"][0]["message"].update(message)
    reply["choices"][0]["finish_reason"] = finish
    return reply


VALUES = [
    ("dataclass", Review, '{"title":"Up","stars":5,"tags":["a"]}', Review("Up", 5, ["a"])),
    ("a field left out by null", Review, '{"title":"Up","stars":5,"tags":null}', Review("Up", 5)),
    ("TypedDict", City, '{"name":"Bonn","people":330000}', {"name": "Bonn", "people": 330000}),
    ("NamedTuple", Point, '{"x":1,"y":2.5}', Point(1.0, 2.5)),
    ("Enum", Mood, '{"value":"bad"}', Mood.BAD),
    ("Literal", Literal["yes", "no"], '{"value":"no"}', "no"),
    ("Union", Union[Review, Point], '{"value":{"x":1,"y":2}}', Point(1.0, 2.0)),
    ("Optional", Optional[Point], '{"value":null}', None),
    ("a list", List[Point], '{"value":[{"x":1,"y":2}]}', [Point(1.0, 2.0)]),
    ("JSON schema", SCHEMA, '{"a":1}', {"a": 1}),
    ("in a code fence", SCHEMA, '```json\n{"a":1}\n```', {"a": 1}),
    ("with blanks around", SCHEMA, '\n {"a":1}\n', {"a": 1}),
]


@pytest.mark.parametrize("name, form, text, expected", VALUES, ids=[row[0] for row in VALUES])
def test_the_value_of_each_kind_of_form(name, form, text, expected):
    """Sent as a json_schema, read back as the type that was asked for; the reply is chat()'s."""
    client, transport = client_of(memory.reply(body=said(text)))
    reply = client.parse("Tell me.", form, temperature=0)

    assert reply.parsed == expected
    assert type(reply.parsed) is type(expected)
    assert reply.text == text
    sent = transport.json(0)
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["temperature"] == 0
    assert reply == said(text)  # `parsed` is ours, and no part of the JSON


FENCES = [
    ("none", '{"a":1}', '{"a":1}'),
    ("with a name", '```json\n{"a":1}\n```', '{"a":1}'),
    ("without a name", '```\n{"a":1}\n```', '{"a":1}'),
    ("with blanks around", ' \n```json \n{"a":1}\n\n``` \n', '{"a":1}'),
    ("CR LF", '```json\r\n{"a":1}\r\n```', '{"a":1}'),
    ("closed on the same line", '```json\n{"a":1}```', '{"a":1}'),
    ("several lines", '```json\n{\n "a": 1\n}\n```', '{\n "a": 1\n}'),
    ("a fence inside a text", '{"a":"```x\\n```"}', '{"a":"```x\\n```"}'),
    ("not closed", '```json\n{"a":1}', '```json\n{"a":1}'),
    ("words before it", 'Here:\n```json\n{"a":1}\n```', 'Here:\n```json\n{"a":1}\n```'),
]


@pytest.mark.parametrize("name, text, expected", FENCES, ids=[row[0] for row in FENCES])
def test_one_fence_around_the_whole_is_taken_off(name, text, expected):
    """And nothing else: what stands around the JSON otherwise may mean something."""
    assert parse.without_fence(text) == expected


NO_VALUE = [
    ("another type", said('{"a":"1"}'), "SchemaMismatch", "$.a", "at $.a: expected integer, got string"),
    ("a field missing", said("{}"), "SchemaMismatch", "$", "a"),
    ("no JSON", said("Sure! Here it is."), "SchemaMismatch", "$", "no JSON"),
    ("JSON with words around", said('Here: {"a":1}'), "SchemaMismatch", "$", "no JSON"),
    ("nothing said", said(None), "SchemaMismatch", "$", "it is empty"),
    ("a refusal", said(None, refusal="I can't."), "RefusalError", None, "the model refused: I can't."),
    ("a refusal in parts", said([{"type": "refusal", "refusal": "No."}]), "RefusalError", None, "No."),
    ("cut off", said('{"a":', "length"), "LengthFinishReasonError", None, "after 5 characters (5 completion tokens)"),
    ("cut off, and JSON by chance", said('{"a":1}', "length"), "LengthFinishReasonError", None, "max_completion_tokens"),
    ("filtered", said("", "content_filter"), "ContentFilterFinishReasonError", None, "after 0 characters"),
]  # fmt: skip


@pytest.mark.parametrize("name, body, kind, path, words", NO_VALUE, ids=[row[0] for row in NO_VALUE])
def test_an_answer_without_the_value_is_a_typed_error(name, body, kind, path, words):
    """It carries the reply, which was paid, and whatever identifies it; it is not asked for again."""
    tracker = rawchat.CostTracker()
    client, transport = client_of(memory.reply(body=body, headers={"x-request-id": "req_7"}))
    with pytest.raises(rawchat.APIError) as caught:
        client.with_options(cost_tracker=tracker).parse("Tell me.", SCHEMA)
    error = caught.value

    assert type(error).__name__ == kind
    assert words in str(error)
    assert getattr(error, "path", None) == path
    assert error.reply == body and error.reply.cost > 0
    assert (error.status, error.request_id, error.attempts) == (200, "req_7", 1)
    assert (len(transport.requests), tracker.call_count) == (1, 1)


def test_reasoning_that_used_up_the_limit_is_told():
    """The usual reason for an empty answer from a reasoning model."""
    body = said("", "length")
    body["usage"] = {
        "prompt_tokens": 9,
        "completion_tokens": 100,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    client, _ = client_of(memory.reply(body=body))
    with pytest.raises(rawchat.LengthFinishReasonError, match="100 completion tokens, 100 of them for reasoning"):
        client.parse("Tell me.", SCHEMA)


def test_tool_calls_are_no_missing_value():
    """A model that calls a tool first has not failed: the value is None until it answers."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    client, _ = client_of(memory.reply(body=said(None, "tool_calls", tool_calls=[call])))
    reply = client.parse("Tell me.", SCHEMA, tools=[{"type": "function", "function": {"name": "f"}}])
    assert reply.parsed is None
    assert reply.tool_calls[0].function.name == "f"


def test_a_form_can_be_made_once():
    """format_of's result is taken as it is, with its name and its strictness."""
    form = schema.format_of(SCHEMA, name="answer_to_all", strict=False)
    client, transport = client_of(memory.reply(body=said('{"a":42}')))
    assert client.parse("Tell me.", form).parsed == {"a": 42}
    assert transport.json(0)["response_format"] == form.response_format
    assert transport.json(0)["response_format"]["json_schema"]["name"] == "answer_to_all"


def test_mistakes_are_refused_before_sending():
    """A second response_format, a stream, a type that JSON has no form for."""
    client, transport = client_of()
    with pytest.raises(rawchat.PayloadError, match="use chat"):
        client.parse("Hi", SCHEMA, response_format={"type": "json_object"})
    with pytest.raises(rawchat.PayloadError, match=r"stream\(\)"):
        client.parse("Hi", SCHEMA, stream=True)
    with pytest.raises(rawchat.PayloadError, match="JSON cannot hold"):
        client.parse("Hi", complex)
    assert transport.requests == []


def test_a_plain_reply_has_no_parsed_value():
    """Nothing was asked to be parsed."""
    client, _ = client_of(memory.reply(body=said("Hello.")))
    assert client.chat("Hi").parsed is None


# ---- the practice server


def test_the_practice_server_end_to_end(practice):
    """Its validator takes our schemas, and its answers fit them."""
    forms = [Review, City, Point, Mood, Literal["yes", "no"], Union[Review, Point], List[Review], SCHEMA]
    with rawchat.Client("", practice.url) as client:
        values = [client.parse("Tell me about it.", form).parsed for form in forms]

    assert isinstance(values[0], Review) and isinstance(values[0].stars, int)
    assert set(values[1]) == {"name", "people"}
    assert isinstance(values[2], Point) and isinstance(values[3], Mood)
    assert values[4] in ("yes", "no")
    assert isinstance(values[5], (Review, Point))
    assert all(isinstance(value, Review) for value in values[6]) and values[6]
    assert isinstance(values[7]["a"], int)


def test_the_practice_server_refuses_and_cuts_off(practice):
    """A refusal and a token limit, over the wire."""
    with rawchat.Client("", practice.url) as client:
        with pytest.raises(rawchat.RefusalError) as refused:
            client.parse("Please refuse this.", Review)
        with pytest.raises(rawchat.LengthFinishReasonError) as cut:
            client.parse("Tell me.", Review, max_completion_tokens=3)

    assert refused.value.reply.refusal in refused.value.message
    assert cut.value.reply.usage.completion_tokens == 3


def test_json_mode_works_with_chat(practice):
    """`json_object` is JSON without a schema; without the word JSON the API refuses, and the error says the cure."""
    with rawchat.Client("", practice.url) as client:
        reply = client.chat("Answer in JSON: what is a token?", response_format={"type": "json_object"})
        assert set(json.loads(reply.text)) == {"answer", "question"}
        with pytest.raises(rawchat.BadRequestError) as caught:
            client.chat("What is a token?", response_format={"type": "json_object"})
    assert "say that the answer is to be JSON" in caught.value.hint


def test_pydantic_models_where_pydantic_is(practice):
    """A model is asked for by its schema, and checked by itself."""
    pydantic = pytest.importorskip("pydantic")

    class Product(pydantic.BaseModel):
        name: str
        price: float

    with rawchat.Client("", practice.url) as client:
        assert isinstance(client.parse("Tell me.", Product).parsed, Product)
    client, _ = client_of(memory.reply(body=said('{"name":"x","price":"cheap"}')))
    with pytest.raises(rawchat.SchemaMismatch) as caught:
        client.parse("Tell me.", Product)
    assert "price" in caught.value.path
