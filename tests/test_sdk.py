"""The openai package's shape over our clients: what goes out, what comes back, and where the original is not followed."""

import asyncio
import copy
import dataclasses
import json
import pickle
from typing import List

import pytest

from . import forms, module, rawchat
from .scripts import GOOD, USAGE, completion, delta, event as wire
from .test_light_imports import FIRST_CALL, loaded_by

sdk = module("sdk")
chat_types = module("sdk.types.chat")
events = module("sdk.events")
memory = module("transport.memory")
objects = module("sdk.objects")
parsing = module("sdk.parsing")
uploads = module("sdk.uploads")

KEY = "sk-test-0123456789abcdef"
URL = "http://127.0.0.1:1/v1"
HI = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def client_of(*answers, kind="OpenAI", **options):
    transport = memory.MemoryTransport(list(answers))
    options = {"api_key": KEY, "base_url": URL, **options}
    return getattr(sdk, kind)(transport=transport, **options), transport


def header(request, name):
    return rawchat.Headers(request.headers).get(name)


# ---- what goes out


def test_the_body_is_what_was_asked_for():
    """Routing fields first; None as null, omit not at all; extra_body last; nothing added, not even stream_options."""
    client, transport = client_of(completion(), memory.reply(pieces=list(GOOD.pieces)))
    client.chat.completions.create(
        **HI, stop=None, seed=sdk.omit, tools=sdk.NOT_GIVEN, top_k=4, extra_body={"top_k": 5}, timeout=9
    )
    list(client.chat.completions.create(**HI, stream=True, service_tier="flex"))

    assert json.dumps(transport.json(0)) == json.dumps({**HI, "stop": None, "top_k": 5})
    assert list(transport.json(1)) == ["model", "stream", "service_tier", "messages"]
    assert transport.timeouts[0] == (9, 9)


def test_headers_and_queries_in_layers(monkeypatch):
    """Environment, client, call; omit takes one away."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Env: e\nnonsense\nX-Team: env")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-env")
    client, transport = client_of(
        completion(), completion(), default_headers={"x-team": "client"}, default_query={"a": 1}, project="p"
    )
    client.chat.completions.create(**HI, extra_headers={"X-Call": "1"}, extra_query={"b": 2})
    client.chat.completions.create(**HI, extra_headers={"Authorization": sdk.omit, "X-Team": sdk.omit})

    first, second = transport.requests
    names = ("X-Env", "X-Team", "X-Call", "OpenAI-Organization", "OpenAI-Project", "Authorization")
    assert [header(first, name) for name in names] == ["e", "client", "1", "org-env", "p", f"Bearer {KEY}"]
    assert [header(second, name) for name in ("X-Team", "Authorization")] == [None, None]
    assert first.url.endswith("/v1/chat/completions?a=1&b=2")


def test_a_message_of_the_model_goes_back_as_strict_servers_take_it():
    """Without nulls, annotations and what was parsed here; its tool calls whole, unknown fields kept."""
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"x": 1}}]
    said = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": calls}
    answer = completion(choices=[{"index": 0, "message": said, "finish_reason": "tool_calls"}])
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}
    client, transport = client_of(answer, completion())
    message = client.chat.completions.parse(**HI, tools=[tool]).choices[0].message
    assert message.tool_calls[0].function.parsed_arguments == {}
    client.chat.completions.create(model="m", messages=(each for each in [*HI["messages"], message]))

    assert transport.json(1)["messages"][1] == {"role": "assistant", "content": None, "tool_calls": calls}


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"messages": 5, "model": "m"}, "messages must be"),
        ({"messages": ["Hi"], "model": "m"}, r"messages\[0\] must be a dict"),
        ({"messages": [], "model": 5}, "model must be a text"),
        ({**HI, "temperature": float("nan")}, "temperature is nan"),
        ({**HI, "extra_headers": {"X": "a\nb"}}, "line break"),
    ],
    ids=["messages", "a message", "model", "NaN", "a header"],
)
def test_what_cannot_be_sent_is_refused_before_sending(arguments, words):
    """As a PayloadError, which is a ValueError and an OpenAIError."""
    client, transport = client_of()
    with pytest.raises(ValueError, match=words) as caught:
        client.chat.completions.create(**arguments)
    assert isinstance(caught.value, sdk.OpenAIError) and transport.requests == []


# ---- clients


@pytest.mark.parametrize("name", ["http_client", "workload_identity", "provider", "data_residency"])
def test_an_argument_that_cannot_be_honoured_is_refused_with_a_reason(name):
    """By all four clients, and by with_options."""
    for kind in ("OpenAI", "AsyncOpenAI"):
        with pytest.raises(sdk.OpenAIError, match=f"{name}= .*"):
            client_of(kind=kind, **{name: object()})
    client, _ = client_of()
    with pytest.raises(sdk.OpenAIError, match=name):
        client.with_options(**{name: object()})
    with pytest.raises(TypeError, match="no_such_thing"):
        client_of(no_such_thing=1)


@pytest.mark.parametrize("name", ["responses", "completions", "assistants", "images", "audio", "moderations"])
def test_what_is_not_here_says_what_to_use(name):
    """As an AttributeError, so that hasattr says False."""
    client, _ = client_of()
    assert not hasattr(client, name)
    with pytest.raises(AttributeError, match=r"use client\.chat|client\.post"):
        getattr(client, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        client.nonsense  # noqa: B018


def test_a_missing_key_is_told_at_once():
    """But not where the server is on this machine, which wants none."""
    with pytest.raises(sdk.OpenAIError, match="OPENAI_API_KEY"):
        sdk.OpenAI(base_url="https://api.example.com/v1")
    assert sdk.OpenAI(base_url=URL).api_key == ""


def test_a_copy_shares_the_connections_and_changes_the_rest():
    """Headers and queries are added to, or replaced; the first client keeps its own."""
    client, transport = client_of(*[completion()] * 3, default_headers={"A": "1"}, default_query={"q": 1})
    more = client.with_options(default_headers={"B": "2"}, default_query={"r": 2}, api_key="other-key-12345")
    only = client.copy(set_default_headers={"C": "3"}, set_default_query={}, timeout=sdk.Timeout(7, connect=2))
    for each in (client, more, only):
        each.chat.completions.create(**HI)

    assert [[header(sent, name) for name in "ABC"] for sent in transport.requests] == [
        ["1", None, None],
        ["1", "2", None],
        [None, None, "3"],
    ]
    assert [sent.url.partition("?")[2] for sent in transport.requests] == ["q=1", "q=1&r=2", ""]
    assert (more.api_key, client.api_key, only.timeout) == ("other-key-12345", KEY, (2, 7))
    with pytest.raises(ValueError, match="not both"):
        client.copy(default_headers={}, set_default_headers={})


def test_azure_paths_and_credentials():
    """The deployment in the path, as one segment; api-key or Bearer; api-version in the query."""
    rows = [
        ({"azure_endpoint": "https://r.example.com", "api_key": "k"}, "/openai/deployments/dep%2Fx%20y/chat/", "k", None),
        ({"azure_endpoint": "https://r.example.com", "azure_deployment": "d", "api_key": "k"}, "/openai/deployments/d/chat/", "k", None),
        ({"azure_endpoint": "https://r.example.com", "azure_ad_token_provider": lambda: "t0ken"}, "/openai/deployments/dep", None, "Bearer t0ken"),
        ({"base_url": "https://r.example.com/openai/deployments/d", "api_key": "k"}, "/openai/deployments/d/chat/", "k", None),
        ({"base_url": "https://gateway.example.com/az", "api_key": "k"}, "/az/deployments/dep%2Fx%20y/chat/", "k", None),
    ]  # fmt: skip
    for arguments, path, key, bearer in rows:
        transport = memory.MemoryTransport([completion()])
        client = sdk.AzureOpenAI(api_version="2024-10-21", transport=transport, **arguments)
        client.chat.completions.create(model="dep/x y", messages=HI["messages"])
        sent = transport.requests[0]
        assert f".example.com{path}" in sent.url and sent.url.endswith("?api-version=2024-10-21"), arguments
        assert (header(sent, "api-key"), header(sent, "Authorization")) == (key, bearer)


@pytest.mark.parametrize(
    "two",
    [("azure_endpoint", "base_url"), ("azure_ad_token", "azure_ad_token_provider"), ("api_key", "azure_ad_token")],
)
def test_azure_takes_one_of_two(two):
    """One address, one credential."""
    given = {
        "azure_endpoint": "https://r.example.com",
        "api_version": "v",
        **dict.fromkeys(two, "https://r.example.com"),
    }
    with pytest.raises(ValueError, match="not both"):
        sdk.AzureOpenAI(**given)


def test_the_client_underneath_is_at_hand():
    """Its tracker counts what this shape spends, streams included."""
    tracker = rawchat.CostTracker()
    client, _ = client_of(completion(), memory.reply(pieces=list(GOOD.pieces)), cost_tracker=tracker)
    client.chat.completions.create(**{**HI, "model": "gpt-4o-mini"})
    list(client.chat.completions.create(**{**HI, "model": "gpt-4o-mini"}, stream=True))

    assert client.client.cost_tracker is tracker
    assert (tracker.total_input_tokens, tracker.total_output_tokens, tracker.call_count) == (20, 10, 2)


# ---- what comes back


def test_results_keep_everything():
    """Unknown fields as plain JSON, missing ones as None, changes in both forms; copies and pickles are whole."""
    client, _ = client_of(
        completion("Hi", brand_new={"a": [1]}, choices=[{"index": 0, "message": {"content": "Hi", "reasoning": "hm"}}])
    )
    made = client.chat.completions.create(**HI)

    assert made.brand_new == {"a": [1]} and made.choices[0].message.reasoning == "hm"
    assert made.model_extra == {"brand_new": {"a": [1]}} and "brand_new" not in made.model_fields_set
    assert made.choices[0].message.refusal is None and made.choices[0].finish_reason is None
    with pytest.raises(AttributeError, match="ChatCompletion has no attribute 'chioces'; there are: id, choices"):
        made.chioces  # noqa: B018
    made.choices[0].message.content = "changed"
    made.choices.append(chat_types.Choice(index=1))
    assert [choice.get("message") for choice in made.to_dict()["choices"]] == [
        {"content": "changed", "reasoning": "hm"},
        None,
    ]
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), made.model_copy(deep=True)):
        assert other == made and other.choices[0].message.content == "changed"
    assert made != completion() and "choices" in dir(made)


def test_embeddings_travel_as_base64_and_arrive_as_floats():
    """From servers that ignore the wish, too; with encoding_format they come as they are."""
    document = {"object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    data = [{"index": 0, "embedding": "AACAPwAAAMA="}, {"index": 1, "embedding": [0.5]}]
    client, transport = client_of(*[{**document, "data": data}] * 2)
    made = client.embeddings.create(model="m", input=["a", "b"], dimensions=2)
    as_sent = client.embeddings.create(model="m", input=("a", "b"), encoding_format="base64", user="me")

    assert [item.embedding for item in made.data] == [[1.0, -2.0], [0.5]]
    assert [item.embedding for item in as_sent.data] == ["AACAPwAAAMA=", [0.5]]
    assert transport.json(0) == {"input": ["a", "b"], "model": "m", "encoding_format": "base64", "dimensions": 2}
    assert transport.json(1)["user"] == "me"


@dataclasses.dataclass
class Step:
    text: str


@dataclasses.dataclass
class Plan:
    steps: List[Step]
    done: bool = False


PLAN = '{"steps":[{"text":"dig"}],"done":true}'


def test_parse_takes_any_type_that_json_has():
    """A dataclass stands for all of them; a fence around the answer is no part of it."""
    client, transport = client_of(completion(f"```json\n{PLAN}\n```"))
    made = client.chat.completions.parse(**HI, response_format=Plan)

    assert made.choices[0].message.parsed == Plan([Step("dig")], True)
    assert transport.json(0)["response_format"]["json_schema"]["strict"] is True
    assert transport.json(0)["stream"] is False


def test_a_dict_is_sent_as_it_is_and_not_parsed():
    """As in the SDK: who gives a schema parses the text."""
    form = {"type": "json_object"}
    client, transport = client_of(completion("{}"), completion("Hi"))
    assert client.chat.completions.parse(**HI, response_format=form).choices[0].message.parsed is None
    assert client.chat.completions.parse(**HI).choices[0].message.parsed is None
    assert transport.json(0)["response_format"] == form and "response_format" not in transport.json(1)


def test_a_refusal_is_no_error():
    """It stands in the message."""
    said = {"role": "assistant", "content": None, "refusal": "No."}
    client, _ = client_of(completion(choices=[{"index": 0, "message": said, "finish_reason": "stop"}]))
    message = client.chat.completions.parse(**HI, response_format=Plan).choices[0].message
    assert (message.parsed, message.refusal) == (None, "No.")


CUT = [
    ("length", "LengthFinishReasonError"),
    ("content_filter", "ContentFilterFinishReasonError"),
    ("stop", "SchemaMismatch"),
]


@pytest.mark.parametrize("way", ["parse", "stream"])
@pytest.mark.parametrize("finish, error", CUT, ids=[finish for finish, _ in CUT])
def test_what_cannot_be_parsed_is_an_error_with_the_completion(finish, error, way):
    """Whole or streamed; in the very first chunk, too."""
    whole = completion(choices=[{"index": 0, "message": {"content": '{"st'}, "finish_reason": finish}])
    client, _ = client_of(whole if way == "parse" else [delta('{"st', finish)])
    with pytest.raises(sdk.OpenAIError) as caught:
        if way == "parse":
            client.chat.completions.parse(**HI, response_format=Plan)
        else:
            with client.chat.completions.stream(**HI, response_format=Plan) as stream:
                stream.until_done()
    assert type(caught.value).__name__ == error
    assert caught.value.completion.choices[0].message.content == '{"st'
    assert caught.value.completion.choices[0].finish_reason == finish
    assert caught.value.response.status_code == 200


# ---- errors


def test_errors_carry_plain_values_that_travel():
    """To another process, and without the key; the classes are the package's own."""
    body = {"error": {"message": "slow down", "code": 429, "type": "t", "param": None}}
    client, _ = client_of(memory.reply(status=429, body=body, headers={"X-Request-Id": "r1"}), max_retries=0)
    with pytest.raises(sdk.RateLimitError) as caught:
        client.chat.completions.create(**HI)
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert isinstance(error, rawchat.RateLimitError) and isinstance(error, sdk.OpenAIError)
        assert (error.status_code, error.code, error.type, error.request_id) == (429, "429", "t", "r1")
        assert error.response.json() == body and error.response.headers["x-request-id"] == "r1"
        assert json.loads(error.request.content) == HI
        assert KEY not in repr(vars(error)) + str(dict(error.request.headers))


def test_a_200_that_is_no_answer_is_a_validation_error():
    """The SDK gives a text here."""
    client, _ = client_of("<html>portal</html>")
    with pytest.raises(sdk.APIResponseValidationError, match="portal") as caught:
        client.chat.completions.create(**HI)
    assert caught.value.response.text == "<html>portal</html>" and caught.value.response.is_success


# ---- streams that the SDK reads wrongly: the wire, and what the final completion says


def part(index=0, finish=None, **more):
    return {
        "object": "chat.completion.chunk",
        "id": "c",
        "choices": [{"index": index, "delta": more, "finish_reason": finish}],
    }


def call(arguments, **more):
    return {"function": {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}, **more}


def final(*chunks, **arguments):
    client, _ = client_of(list(chunks))
    with client.chat.completions.stream(**HI, **arguments) as stream:
        told = list(stream)
    return stream.get_final_completion(), told


def test_repeated_roles_ids_and_names_are_taken_once():
    """vLLM, Ollama and many gateways repeat them."""
    first = call('{"a"', index=0, id="c1", name="f", type="function")
    made, _ = final(
        part(role="assistant", tool_calls=[first]),
        part(role="assistant", tool_calls=[{**first, "function": {"name": "f", "arguments": ":1}"}}]),
        part(finish="tool_calls"),
    )
    message = made.choices[0].message
    assert message.role == "assistant"
    assert message.tool_calls[0].to_dict() == {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}', "parsed_arguments": None},
    }


TOOLS = [
    ("without an index", [[call("{}", id="a", name="f")], [call("{}", id="b", name="g")]], [("f", "{}"), ("g", "{}")]),
    ("index from 1", [[call("{}", index=1, id="a", name="f")]], [("f", "{}")]),
    ("an index of null", [[call("{", index=None, id="a", name="f")], [call("}", index=None, id="a")]], [("f", "{}")]),
    ("one index for all", [[call("{}", index=0, id="a", name="f")], [call("{}", index=0, id="b", name="g")]], [("f", "{}"), ("g", "{}")]),
    ("interleaved", [[call("", index=0, id="a", name="f")], [call("", index=1, id="b", name="g")], [call("{}", index=0)], [call("[]", index=1)]], [("f", "{}"), ("g", "[]")]),
    ("twice in one chunk", [[call("{", index=0, id="a", name="f"), call("}", index=0)]], [("f", "{}")]),
    ("an object", [[call({"x": 1}, index=0, id="a", name="f")]], [("f", '{"x":1}')]),
]  # fmt: skip


@pytest.mark.parametrize("name, chunks, expected", TOOLS, ids=[row[0] for row in TOOLS])
def test_tool_calls_are_told_once_with_all_their_arguments(name, chunks, expected):
    """By `.done` events and by the final completion alike, and the deltas add up to them."""
    made, told = final(*[part(tool_calls=calls) for calls in chunks], part(finish="tool_calls"))
    done = [event for event in told if event.type == "tool_calls.function.arguments.done"]
    assert [(event.name, event.arguments) for event in done] == expected
    assert [(each.function.name, each.function.arguments) for each in made.choices[0].message.tool_calls] == expected
    grown = {}
    for one in told:
        if one.type == "tool_calls.function.arguments.delta":
            grown[one.index] = grown.get(one.index, "") + one.arguments_delta
    assert [grown[event.index] for event in done] == [arguments for _, arguments in expected]


def test_a_tool_call_is_done_when_the_next_one_starts():
    """As soon as its arguments are whole, so that a program may begin with it."""
    chunks = [part(tool_calls=[call("{}", index=place, id=str(place), name="f")]) for place in range(2)]
    _, told = final(*chunks, part(finish="tool_calls"))
    kinds = [event.type.rpartition(".")[2] for event in told]
    assert kinds == ["chunk", "delta", "chunk", "delta", "done", "chunk", "done"]


def test_text_is_done_when_a_tool_call_starts():
    """And told once."""
    _, told = final(
        part(content="Let me see."), part(tool_calls=[call("{}", index=0, id="a", name="f")]), part(finish="tool_calls")
    )
    assert [event.type for event in told if event.type.endswith("done")] == [
        "content.done",
        "tool_calls.function.arguments.done",
    ]


def test_choices_are_found_by_index_and_usage_wherever_it_stands():
    """Out of order, and followed by a chunk without usage."""
    chunks = [part(2, content="c"), part(0, content="a"), {**part(1, content="b"), "usage": USAGE}]
    made, told = final(*chunks, *[part(index, "stop") for index in range(3)], n=3)
    assert [choice.message.content for choice in made.choices] == ["a", "b", "c"]
    assert made.usage.total_tokens == USAGE["total_tokens"]
    assert [event.choice_index for event in told if event.type == "content.done"] == [0, 1, 2]


def test_a_plain_text_that_was_cut_off_is_no_error():
    """Only what was to be parsed is lost by that."""
    made, _ = final(delta("Once upon"), delta(finish="length"))
    assert made.choices[0].message.content == "Once upon" and made.choices[0].finish_reason == "length"


def test_refusals_and_logprobs_have_their_events():
    """Deltas, then done."""
    entry = {"token": "No", "logprob": -0.1, "bytes": None, "top_logprobs": []}
    chunk = part(refusal="No")
    chunk["choices"][0]["logprobs"] = {"content": [entry], "refusal": [entry]}
    made, told = final(chunk, part(refusal="."), part(finish="stop"))
    assert made.choices[0].message.refusal == "No."
    found = {event.type: event for event in told}
    assert found["refusal.done"].refusal == "No." and found["refusal.delta"].snapshot == "No."
    assert found["logprobs.content.delta"].content[0].token == "No"
    assert found["logprobs.refusal.done"].refusal[0].logprob == -0.1
    assert made.choices[0].logprobs.content[0].token == "No"


def test_snapshots_are_of_their_moment():
    """A text's, whenever it is looked at; the completion's, when it is looked at."""
    _, told = final(delta("a"), delta("b"), delta(finish="stop"))
    assert [event.snapshot for event in told if event.type == "content.delta"] == ["a", "ab"]
    assert told[0].snapshot.choices[0].message.content == "ab"
    assert told[1].model_dump() == {
        "type": "content.delta",
        "choice_index": 0,
        "delta": "a",
        "snapshot": "a",
        "parsed": None,
    }


def test_a_snapshot_holds_what_is_complete_of_the_arguments():
    """Of strict tools."""
    tool = {"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}
    client, _ = client_of(
        [
            part(tool_calls=[call('{"a":1,"b', index=0, id="a", name="f")]),
            part(tool_calls=[call('":2}', index=0)]),
            part(finish="tool_calls"),
        ]
    )
    with client.chat.completions.stream(**HI, tools=[tool]) as stream:
        found = [
            event.snapshot.choices[0].message.tool_calls[0].function.parsed_arguments
            for event in stream
            if event.type == "chunk"
        ]
    assert found == [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}]


def test_reasoning_and_odd_fields_are_kept():
    """Whatever a server adds to its deltas."""
    made, _ = final(part(reasoning_content="hm"), part(reasoning_content="!", content="42"), part(finish="stop"))
    assert made.choices[0].message.reasoning_content == "hm!"


@pytest.mark.parametrize("body, error", [
    ([], "StreamInterrupted"),
    ([wire(delta("a"))], "StreamInterrupted"),
    ([b"<html>no</html>"], "InvalidResponseError"),
    ([wire(delta("a")), b'event: error\ndata: {"message":"no"}\n\n'], "APIError"),
    ([wire(delta("a")), b'data: {"type":"error","message":"no"}\n\n'], "APIError"),
    ([wire(delta("a")), b"data: garbage\n\n"], "InvalidResponseError"),
], ids=["nothing", "no end", "a page", "an error event", "an error by type", "garbage"])  # fmt: skip
def test_a_stream_that_is_no_answer_is_an_error(body, error):
    """Where the SDK ends normally, or gives a chunk of Nones."""
    client, _ = client_of(memory.reply(pieces=body), max_retries=0)
    with pytest.raises(sdk.APIError) as caught:
        list(client.chat.completions.create(**HI, stream=True))
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize("noise", [b": ping\n\n", b"retry: 3000\n\n", b"id: 7\n\n", b"event: ping\n\n", b"data:\n\n"])
def test_events_without_data_are_no_chunks(noise):
    """The SDK dies of most of them."""
    client, _ = client_of(
        memory.reply(pieces=[noise, wire(delta("a")), noise, wire(delta(finish="stop")), noise, b"data: [DONE]\n\n"])
    )
    assert [chunk.choices[0].delta.content for chunk in client.chat.completions.create(**HI, stream=True)] == [
        "a",
        None,
    ]


def test_a_byte_order_mark_costs_no_chunk():
    """The SDK loses the first one."""
    client, _ = client_of(memory.reply(pieces=[b"\xef\xbb\xbf", *GOOD.pieces]))
    chunks = client.chat.completions.create(**HI, stream=True)
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices] == ["Hel", "lo.", None]


def test_a_break_before_the_first_chunk_is_tried_again_and_later_it_is_not():
    """What was handed out is not asked for again, even where it held no text."""
    good = memory.reply(pieces=list(GOOD.pieces))
    client, transport = client_of(memory.reply(pieces=[b": ping\n\n"], error=memory.cut()), good)
    assert len(list(client.chat.completions.create(**HI, stream=True))) == 4 and len(transport.sleeps) == 1

    client, transport = client_of(memory.reply(pieces=[wire(delta(""))], error=memory.cut()), good)
    with pytest.raises(sdk.APIConnectionError):
        list(client.chat.completions.create(**HI, stream=True))
    assert transport.sleeps == []


def test_a_stream_that_is_let_go_frees_its_connection():
    """By close, by being dropped, and by its response's close."""
    client, transport = client_of(*[memory.reply(pieces=list(GOOD.pieces))] * 3)
    first = client.chat.completions.create(**HI, stream=True)
    next(first)
    first.close()
    assert list(first) == []
    next(client.chat.completions.create(**HI, stream=True))
    third = client.chat.completions.create(**HI, stream=True)
    third.response.close()
    assert third.response.status_code == 200 and list(third) == []
    assert [response.closed for response in transport.responses] == [True, True, True]


def test_the_raw_body_of_a_stream_is_all_of_it():
    """Comments and all; and of a server that sends no stream, the JSON."""
    pieces = [b": ping\n\n", *GOOD.pieces, b": bye\n\n"]
    client, _ = client_of(memory.reply(pieces=pieces), completion())
    for whole in (b"".join(pieces[:-1]), json.dumps(completion(), separators=(",", ":")).encode()):
        with client.chat.completions.with_streaming_response.create(**HI, stream=True) as response:
            assert b"".join(response.iter_bytes(7)) == whole


# ---- files


def test_a_download_that_breaks_off_is_begun_anew():
    """Nothing of the first half is kept."""
    broken = memory.reply(pieces=[b"half"], error=memory.cut())
    for kind in ("OpenAI", "AsyncOpenAI"):
        client, transport = client_of(broken, b'{"error": "a line of a file is no error"}\n', kind=kind)
        content = client.files.content("file-1")
        content = content if kind == "OpenAI" else asyncio.run(awaited(content))
        assert content.json() == {"error": "a line of a file is no error"}
        assert transport.requests[1].url == f"{URL}/files/file-1/content" and len(transport.sleeps) == 1


async def awaited(value):
    return await value


def test_waiting_for_a_file_asks_until_it_is_there():
    """With pauses that the transport sleeps; and not for ever."""
    waiting, ready = ({"id": "f", "status": status} for status in ("uploaded", "processed"))
    for kind in ("OpenAI", "AsyncOpenAI"):
        client, transport = client_of(waiting, waiting, ready, waiting, kind=kind)
        found = client.files.wait_for_processing("f", poll_interval=5)
        found = found if kind == "OpenAI" else asyncio.run(awaited(found))
        assert found.status == "processed" and transport.sleeps == [5, 5]
        with pytest.raises(sdk.APITimeoutError, match="the file f is not ready after -1 s"):
            late = client.files.wait_for_processing("f", max_wait_seconds=-1)
            asyncio.run(awaited(late))


@pytest.mark.parametrize("file", ["a text", 5, None, ("name",)], ids=repr)
def test_what_is_no_file_is_refused(file):
    """A text might be a name or the content; so it is neither."""
    client, transport = client_of()
    with pytest.raises(sdk.OpenAIError, match="file"):
        client.files.create(file=file, purpose="batch")
    assert transport.requests == []


def test_a_form_with_odd_names_and_nested_fields():
    """Names are escaped as browsers do it; nested fields become name[inner]."""
    body, kind = uploads.multipart({"expires_after": {"seconds": 60}, "on": True}, "file", ('a"b\n.txt', b"x"))
    boundary = kind.partition("boundary=")[2].encode()
    assert b'filename="a%22b%0A.txt"' in body and body.endswith(b"--" + boundary + b"--\r\n")
    assert b'name="expires_after[seconds]"\r\n\r\n60\r\n' in body and b'name="on"\r\n\r\ntrue\r\n' in body


@pytest.mark.parametrize("identity", ["", None, ".."])
def test_an_id_that_would_change_the_path_is_refused(identity):
    """Before sending."""
    client, transport = client_of()
    with pytest.raises(sdk.OpenAIError):
        client.files.delete(identity)
    assert transport.requests == []


def test_pages_are_asked_for_when_they_are_due():
    """By the loop of an async client, too; and the last page has none behind it."""
    pages = [{"data": [{"id": str(number)}], "has_more": number < 2} for number in range(3)]
    client, transport = client_of(*pages, kind="AsyncOpenAI")

    async def ids():
        return [each.id async for each in client.batches.list(limit=1)]

    assert asyncio.run(ids()) == ["0", "1", "2"]
    assert [sent.url.partition("?")[2] for sent in transport.requests] == [
        "limit=1",
        "limit=1&after=0",
        "limit=1&after=1",
    ]
    client, _ = client_of({"data": []})
    with pytest.raises(RuntimeError, match="last page"):
        client.models.list().get_next_page()


# ---- parts


PARTIAL = [
    ("", None),
    ("   ", None),
    ("{", {}),
    ('{"a"', {}),
    ('{"a": 1', {"a": 1}),
    ('{"a": 1, "b": "x', {"a": 1}),
    ('{"a": [1, 2', {"a": [1, 2]}),
    ('{"a": [1, {"b": "}{\\"', {"a": [1, {}]}),
    ('{"a": "x,y", "b": tr', {"a": "x,y"}),
    ('{"a": {"b": 1}, ', {"a": {"b": 1}}),
    ('[{"a": 1}, {"a"', [{"a": 1}, {}]),
    ('{"a": 1}', {"a": 1}),
]


@pytest.mark.parametrize("text, value", PARTIAL, ids=[repr(text) for text, _ in PARTIAL])
def test_partial_json_is_what_is_complete_of_it(text, value):
    """Never a guess at the rest of a text."""
    assert parsing.partial_json(text) == value


def test_timeouts_as_the_sdk_writes_them():
    """A number for all, names for some, None for no limit."""
    rows = [
        (sdk.Timeout(60.0, connect=5.0), (5.0, 60.0)),
        (sdk.Timeout(None), (None, None)),
        (sdk.Timeout(read=3), (None, 3)),
    ]
    for timeout, pair in rows:
        client, transport = client_of(completion(), completion(), timeout=timeout)
        client.chat.completions.create(**HI)
        client.chat.completions.create(**HI, timeout=1.5)
        assert transport.timeouts == [pair, (1.5, 1.5)]
    with pytest.raises(TypeError, match="Timeout has no total"):
        sdk.Timeout(total=5)


def test_the_state_of_a_stream_can_be_fed_by_hand():
    """With chunks made by hand, too."""
    state = events.ChatCompletionStreamState(response_format=Plan)
    for text in (PLAN[:20], PLAN[20:]):
        choice = chat_types.ChunkChoice(index=0, delta=chat_types.ChoiceDelta(content=text), finish_reason=None)
        told = state.handle_chunk(chat_types.ChatCompletionChunk(choices=[choice]))
        assert told[0].snapshot.choices[0].message.content in (PLAN[:20], PLAN)
    assert told[1].parsed == json.loads(PLAN)
    assert [event.parsed for event in state.finish()] == [Plan([Step("dig")], True)]
    assert state.get_final_completion().choices[0].message.parsed == Plan([Step("dig")], True)


@forms.needs_modules
def test_types_are_at_hand_without_an_import_of_their_own():
    """As `openai.types.chat.ChatCompletion` is."""
    assert sdk.types.chat.ChatCompletion is chat_types.ChatCompletion
    assert sdk.types.chat.ChatCompletionUserMessageParam(role="user", content="Hi") == {"role": "user", "content": "Hi"}
    with pytest.raises(AttributeError, match="nonsense"):
        sdk.types.nonsense  # noqa: B018


def test_an_async_stream_is_let_go_by_its_response_too():
    """With aclose."""
    client, transport = client_of(memory.reply(pieces=list(GOOD.pieces)), kind="AsyncOpenAI")

    async def leave():
        stream = await client.chat.completions.create(**HI, stream=True)
        await stream.__anext__()
        await stream.response.aclose()
        return [chunk async for chunk in stream]

    assert asyncio.run(leave()) == [] and transport.responses[0].closed


@forms.needs_modules
def test_every_name_is_there():
    """All that `import *` and dir() promise; and what is no name says so."""
    for name in sdk.__all__:
        assert getattr(sdk, name) is not objects
        assert name in dir(sdk)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sdk.nonsense  # noqa: B018


def test_importing_costs_little_more_than_the_client():
    """Neither openai nor pydantic nor httpx, nor any heavy room of the standard library; asyncio for async clients alone."""
    assert loaded_by(f"{rawchat.__name__}.sdk") - FIRST_CALL == set()
    assert loaded_by(f"{rawchat.__name__}.sdk.clients") - FIRST_CALL == set()
    assert "asyncio" in loaded_by(f"{rawchat.__name__}.sdk.aclients")
