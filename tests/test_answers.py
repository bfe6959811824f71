"""What the practice server answers: shaped as OpenAI's own schemas have it, and the same streamed or whole."""

import base64
import json
import os
import random
import struct

import pytest

from . import module

answers = module("lab.actor.answers")
calls = module("lab.actor.calls")
counting = module("lab.actor.counting")
validation = module("lab.actor.validation")
vectors = module("lab.actor.vectors")

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "wire", "openai_schemas.json"), encoding="utf-8") as file:
    SCHEMAS = json.load(file)


def user(text):
    return [{"role": "user", "content": text}]


def function(name, description="", strict=False, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    parameters.update({"additionalProperties": False} if strict else {})
    return {"name": name, "description": description, "parameters": parameters, "strict": strict}


STRING, INTEGER = {"type": "string"}, {"type": "integer", "minimum": 1, "maximum": 5}
WEATHER = {"type": "function", "function": function("get_weather", "The weather of a city", city=STRING)}
TIME = {"type": "function", "function": function("get_time", "What time it is", strict=True, timezone=STRING)}
NOTHING = {"type": "function", "function": {"name": "refresh"}}
CUSTOM = {"type": "custom", "custom": {"name": "run_code", "description": "Runs Python"}}
REVIEW = function("review", title=STRING, rating=INTEGER, tags={"type": "array", "items": STRING}, strict=True)
SCHEMA = {"type": "json_schema", "json_schema": {"name": "review", "strict": True, "schema": REVIEW["parameters"]}}
CALLED = [
    *user("weather in Paris?"),
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    ]},
    {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
]  # fmt: skip
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
IMAGE = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PICTURE]}]

# fmt: off
BODIES = [
    ("plain", {"messages": user("Count to five.")}),
    ("unicode", {"messages": user("echo: Grüße 🎉 日本語 \u2028 \ud83c")}),
    ("empty", {"messages": user("")}),
    ("conversation", {"messages": [{"role": "system", "content": "Be brief."}, *user("My name is Ada."),
                                   {"role": "assistant", "content": "Noted."}, *user("What is my name?")]}),
    ("three-choices", {"messages": user("Count to five."), "n": 3}),
    ("stopped", {"messages": user("Count to five."), "stop": [", four", "zebra"]}),
    ("stopped-at-once", {"messages": user("Count to five."), "stop": "One"}),
    ("cut", {"messages": user("Count to five."), "max_tokens": 3}),
    ("logprobs", {"messages": user("Count to two."), "logprobs": True, "top_logprobs": 3, "n": 2}),
    ("bare-logprobs", {"messages": user("Count to two."), "logprobs": True}),
    ("json-object", {"messages": user("JSON, please"), "response_format": {"type": "json_object"}}),
    ("json-schema", {"messages": user("title: Dune, rating: 4"), "response_format": SCHEMA}),
    ("refusal", {"messages": user("Please refuse this"), "response_format": SCHEMA, "logprobs": True}),
    ("one-call", {"messages": user("What is the weather in Paris?"), "tools": [WEATHER, TIME]}),
    ("parallel-calls", {"messages": user("weather in Paris and in Rome"), "tools": [WEATHER], "n": 2}),
    ("cut-call", {"messages": user("weather in Paris"), "tools": [WEATHER], "max_completion_tokens": 7}),
    ("call-without-arguments", {"messages": user("go"), "tools": [NOTHING], "tool_choice": "required"}),
    ("tool-unused", {"messages": user("hello"), "tools": [WEATHER]}),
    ("tool-results", {"messages": CALLED, "tools": [WEATHER]}),
    ("old-functions", {"messages": user("weather in Paris and Rome"), "functions": [WEATHER["function"]]}),
    ("reasoning", {"messages": user("Count to five."), "model": "o4-mini", "reasoning_effort": "low"}),
    ("reasoning-cut", {"messages": user("Count to five."), "model": "gpt-5-mini", "max_completion_tokens": 20}),
    ("image", {"messages": IMAGE}),
    ("prediction", {"messages": user("Count to five."), "prediction": {"type": "content", "content": "One, two, six"}}),
    ("tier", {"messages": user("hello"), "service_tier": "flex", "model": "practice"}),
]
# fmt: on
NAMES = [row[0] for row in BODIES]
EACH_BODY = pytest.mark.parametrize("body", [{"model": "gpt-4o-mini", **row[1]} for row in BODIES], ids=NAMES)


def whole(body):
    return answers.chat(body, id="chatcmpl-1", created=1763683200)


def chunks(body, **options):
    body = {**body, "stream": True, **({"stream_options": options} if options else {})}
    return answers.chat_chunks(body, id="chatcmpl-1", created=1763683200)


def check(name, value):
    """`value` is a `name` by OpenAI's schema; every key is known to it, since its objects admit no others."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]}).validate(value)


def joined(stream):
    """The choices that a stream's chunks make up, put together as simply as possible."""
    choices = {}
    for entry in (entry for chunk in stream for entry in chunk["choices"]):
        start = {"index": entry["index"], "message": {"annotations": []}, "logprobs": None, "finish_reason": None}
        choice = choices.setdefault(entry["index"], start)
        message, delta = choice["message"], dict(entry["delta"])
        for fragment in delta.pop("tool_calls", ()):
            held = message.setdefault("tool_calls", [])
            kind = "custom" if "custom" in fragment else "function"
            argument = "input" if kind == "custom" else "arguments"
            if fragment["index"] == len(held):
                held.append({**fragment, kind: dict(fragment[kind])})
                held[-1].pop("index")
            else:
                held[fragment["index"]][kind][argument] += fragment[kind][argument]
        if "function_call" in delta:
            held = message.setdefault("function_call", {"name": "", "arguments": ""})
            for key, piece in delta.pop("function_call").items():
                held[key] += piece
        for key, value in delta.items():
            message[key] = message[key] + value if message.get(key) else value
        for key, tokens in (entry["logprobs"] or {}).items():
            choice["logprobs"] = choice["logprobs"] or {"content": None, "refusal": None}
            choice["logprobs"][key] = (choice["logprobs"][key] or []) + tokens if tokens else choice["logprobs"][key]
        assert choice["finish_reason"] is None, "a delta after the finish"
        choice["finish_reason"] = entry["finish_reason"]
    return [choices[index] for index in sorted(choices)]


@EACH_BODY
def test_the_request_is_valid(body):
    """Each row below is a request that the server would answer."""
    assert validation.check_chat(body) is None


@EACH_BODY
def test_a_whole_answer_is_one_by_openais_schema(body):
    """The completion validates, and knows no key that OpenAI's schema does not know."""
    check("ChatCompletion", whole(body))


@EACH_BODY
def test_every_chunk_is_one_by_openais_schema(body):
    """So does each chunk, with and without usage and obfuscation."""
    for options in ({}, {"include_usage": True}, {"include_usage": True, "include_obfuscation": True}):
        for chunk in chunks(body, **options):
            check("ChatCompletionChunk", chunk)


@EACH_BODY
def test_streamed_and_whole_are_the_same_answer(body):
    """Choices, token logprobs, call ids and usage agree, whatever the way they came."""
    completion, stream = whole(body), chunks(body, include_usage=True)
    assert joined(stream) == completion["choices"]
    assert stream[-1]["usage"] == completion["usage"]
    assert {chunk["model"] for chunk in stream} == {completion["model"]}


@EACH_BODY
def test_the_same_request_gives_the_same_answer(body):
    """Deterministic: no clock, no dice. What is only bookkeeping (user, metadata) changes nothing."""
    assert whole(body) == whole(json.loads(json.dumps({**body, "user": "someone"})))


@EACH_BODY
def test_usage_adds_up(body):
    """Completion tokens are what the tokenizer counts in the answer, plus reasoning and rejected prediction."""
    completion = whole(body)
    usage, details = completion["usage"], completion["usage"]["completion_tokens_details"]
    written = 0
    for choice in completion["choices"]:
        message = choice["message"]
        written += counting.count_tokens(message["content"] or message["refusal"] or "")
        called = [call.get("function") or call["custom"] for call in message.get("tool_calls", ())]
        called += [message["function_call"]] if "function_call" in message else []
        written += sum(
            counting.count_tokens(call["name"]) + counting.count_tokens(call["arguments"]) for call in called
        )
    assert usage["completion_tokens"] == written + details["reasoning_tokens"] + details["rejected_prediction_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0


@EACH_BODY
def test_it_can_be_written_as_utf_8(body):
    """Half a surrogate pair in a question does not come out as one."""
    json.dumps([whole(body), chunks(body)], ensure_ascii=False).encode("utf-8")


def test_a_whole_answer_literally():
    """The shape as the API documents it, key by key."""
    assert whole({"model": "gpt-4o-mini", "messages": user("Count to two.")}) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1763683200,
        "model": "gpt-4o-mini-2024-07-18",
        "service_tier": "default",
        "system_fingerprint": "fp_practice1",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "One, two.", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 11,
            "completion_tokens": 4,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_a_stream_literally():
    """Role first, then pieces, then the finish, then usage with no choices; usage is null before that."""
    stream = chunks({"model": "gpt-4o-mini", "messages": user("Count to two.")}, include_usage=True)
    assert list(stream[0]) == [
        "id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"
    ]  # fmt: skip
    assert [chunk["choices"] and chunk["choices"][0]["delta"] for chunk in stream] == [
        {"role": "assistant", "content": "", "refusal": None},
        *({"content": piece} for piece in ("One", ",", " two", ".")),
        {},
        [],
    ]
    assert [chunk["choices"] and chunk["choices"][0]["finish_reason"] for chunk in stream] == [None] * 5 + ["stop", []]
    assert [chunk["usage"] is None for chunk in stream] == [True] * 6 + [False]


def test_without_stream_options_there_is_no_usage_and_no_padding():
    """Neither key is there at all, and the last chunk is the finish."""
    stream = chunks({"model": "gpt-4o-mini", "messages": user("Count to two.")})
    assert not any("usage" in chunk or "obfuscation" in chunk for chunk in stream)
    assert stream[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_tool_call_in_a_stream_literally():
    """Id, type and name first with empty arguments; then only index and a piece of the arguments."""
    stream = chunks({"model": "gpt-4o-mini", "messages": user("weather in Rome"), "tools": [WEATHER]})
    deltas = [chunk["choices"][0]["delta"] for chunk in stream]
    assert deltas[0] == {"role": "assistant", "content": None, "refusal": None}
    first = deltas[1]["tool_calls"][0]
    assert first == {
        "index": 0,
        "id": first["id"],
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    assert first["id"].startswith("call_")
    assert len(first["id"]) == 29
    pieces = [delta["tool_calls"][0] for delta in deltas[2:-1]]
    assert len(pieces) > 3
    assert all(set(piece) == {"index", "function"} and set(piece["function"]) == {"arguments"} for piece in pieces)
    assert "".join(piece["function"]["arguments"] for piece in pieces) == '{"city":"Rome"}'
    assert stream[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "tool_calls"}


def test_custom_tools_answer_with_free_text():
    """The call validates by OpenAI's schema; its deltas, for which the schema has no row, are checked by joining."""
    body = {"model": "gpt-4o-mini", "messages": user("run print(1)"), "tools": [CUSTOM], "tool_choice": "required"}
    assert validation.check_chat(body) is None
    check("ChatCompletion", whole(body))
    message = whole(body)["choices"][0]["message"]
    assert message["tool_calls"][0]["custom"] == {"name": "run_code", "input": "run print(1)"}
    assert joined(chunks(body)) == whole(body)["choices"]


def test_choices_come_interleaved():
    """Chunks of several choices take turns, so a client that ignores the index is found out."""
    stream = chunks({"model": "gpt-4o-mini", "messages": user("Count to five."), "n": 3})
    assert [chunk["choices"][0]["index"] for chunk in stream[:9]] == [0, 1, 2] * 3


def text(**body):
    choice = whole({"model": "gpt-4o-mini", "messages": user("Count to five."), **body})["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


# fmt: off
LIMITS = [
    ("whole", {}, ("One, two, three, four, five.", "stop")),
    ("stop", {"stop": ", four"}, ("One, two, three", "stop")),
    ("first-of-stops", {"stop": ["five", "two"]}, ("One, ", "stop")),
    ("stop-inside-a-token", {"stop": "hree"}, ("One, two, t", "stop")),
    ("stop-absent", {"stop": "six"}, ("One, two, three, four, five.", "stop")),
    ("cut", {"max_tokens": 3}, ("One, two", "length")),
    ("exactly-enough", {"max_tokens": 10}, ("One, two, three, four, five.", "stop")),
    ("one-too-few", {"max_completion_tokens": 9}, ("One, two, three, four, five", "length")),
    ("reasoning-eats-all", {"model": "o4-mini", "max_completion_tokens": 64, "reasoning_effort": "low"},
     ("", "length")),
    ("reasoning-leaves-two", {"model": "o4-mini", "max_completion_tokens": 66, "reasoning_effort": "low"},
     ("One,", "length")),
    ("cool-choices-are-alike", {"temperature": 0, "n": 2}, ("One, two, three, four, five.", "stop")),
]
# fmt: on


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in LIMITS], ids=[row[0] for row in LIMITS])
def test_limits(body, expected):
    """Stop sequences are not in the output; a reached limit says so."""
    assert text(**body) == expected


def test_choices_differ_unless_the_temperature_is_0():
    """n answers are n answers."""
    for temperature, count in ((None, 3), (0, 1)):
        body = {"model": "gpt-4o", "messages": user("hello"), "n": 3, "temperature": temperature}
        assert len({choice["message"]["content"] for choice in whole(body)["choices"]}) == count


def test_logprobs_are_plausible():
    """Below 0, sorted, the chosen token among the likely ones, as many as asked for, bytes that spell the token."""
    body = {"model": "gpt-4o", "messages": user("echo: Grüße 🎉, Ada"), "logprobs": True, "top_logprobs": 20}
    choice = whole(body)["choices"][0]
    assert "".join(token["token"] for token in choice["logprobs"]["content"]) == choice["message"]["content"]
    for token in choice["logprobs"]["content"]:
        assert bytes(token["bytes"]).decode("utf-8") == token["token"]
        figures = [other["logprob"] for other in token["top_logprobs"]]
        assert len(figures) == 20
        assert figures == sorted(figures, reverse=True)
        assert -100 < figures[-1] < figures[0] <= 0
        assert token["top_logprobs"][0]["token"] == token["token"]


def test_json_answers_are_json():
    """A JSON object where one was asked for, and a value of the schema where there is a schema."""
    assert isinstance(json.loads(text(messages=user("some json"), response_format={"type": "json_object"})[0]), dict)
    made = json.loads(text(messages=user("title: Dune, rating: 4"), response_format=SCHEMA)[0])
    assert made == {"title": "Dune", "rating": 4, "tags": ["practice tags", "practice tags 2"]}


def test_reasoning_tokens_follow_the_effort():
    """More effort, more hidden tokens; they are billed as completion tokens, once per choice."""
    counts = []
    for effort in ("none", "low", None, "high", "xhigh"):
        body = {"model": "gpt-6-sol", "messages": user("hello"), "reasoning_effort": effort, "n": 2}
        counts.append(whole(body)["usage"]["completion_tokens_details"]["reasoning_tokens"])
    assert counts == [0, 128, 384, 896, 1920]


def test_a_limit_on_tokens_covers_the_reasoning():
    """Where the limit is used up by reasoning, it is what was used, and no more is billed."""
    usage = whole({"model": "gpt-5-mini", "messages": user("hello"), "max_completion_tokens": 20})["usage"]
    assert (usage["completion_tokens"], usage["completion_tokens_details"]["reasoning_tokens"]) == (20, 20)


def test_predictions_are_counted():
    """The common beginning is accepted, the rest rejected and billed."""
    usage = whole({"model": "gpt-4o", "messages": user("Count to five."),
                   "prediction": {"type": "content", "content": "One, two, six"}})["usage"]  # fmt: skip
    details = usage["completion_tokens_details"]
    assert (details["accepted_prediction_tokens"], details["rejected_prediction_tokens"]) == (4, 1)
    assert usage["completion_tokens"] == 10 + 1


# --- tools -----------------------------------------------------------------------------------------------------------

ADD = {"type": "function", "function": function("add", "Adds two numbers", a={"type": "number"}, b={"type": "number"})}
# fmt: off
CALLS = [
    ("by-name", "What's the weather in Paris?", {}, [("get_weather", {"city": "Paris"})]),
    ("by-plural", "weathers in Oslo", {}, [("get_weather", {"city": "Oslo"})]),
    ("by-description", "Which city has rain?", {}, [("get_weather", {"city": "Paris"})]),
    ("two-places", "weather in Paris and in Rome", {},
     [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]),
    ("not-parallel", "weather in Paris and in Rome", {"parallel_tool_calls": False},
     [("get_weather", {"city": "Paris"})]),
    ("two-tools", "The time and the weather in Oslo", {},
     [("get_weather", {"city": "Oslo"}), ("get_time", {"timezone": "UTC"})]),
    ("numbers", "add 2 and 40", {}, [("add", {"a": 2, "b": 40})]),
    ("no-match", "Tell me a joke", {}, []),
    ("common-words-do-not-count", "Can you get it, please?", {}, []),
    ("none", "weather in Paris", {"tool_choice": "none"}, []),
    ("required", "Tell me a joke", {"tool_choice": "required"}, [("get_weather", {"city": "Paris"})]),
    ("named", "weather in Paris", {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
     [("get_time", {"timezone": "UTC"})]),
    ("allowed", "weather in Paris",
     {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TIME]}}}, []),
]
# fmt: on


@pytest.mark.parametrize(("said", "more", "expected"), [row[1:] for row in CALLS], ids=[row[0] for row in CALLS])
def test_calls(said, more, expected):
    """A tool is called when the user's words touch its name or description, with arguments from those words."""
    body = {"model": "gpt-4o-mini", "messages": user(said), "tools": [WEATHER, TIME, ADD], **more}
    assert validation.check_chat(body) is None
    assert [(call.name, json.loads(call.arguments)) for call in calls.choose_calls(body)] == expected


def test_after_the_results_auto_answers_in_text_and_required_calls_again():
    """As the real API does: a loop that keeps "required" never ends by itself."""
    body = {"model": "gpt-4o-mini", "messages": CALLED, "tools": [WEATHER]}
    assert whole(body)["choices"][0]["message"]["content"].startswith("get_weather answered: 18 degrees.")
    assert whole({**body, "tool_choice": "required"})["choices"][0]["finish_reason"] == "tool_calls"


def test_a_cut_tool_call_ends_in_the_middle_of_its_json():
    """finish_reason is length, and the arguments do not parse: what happens in earnest when max_tokens is small."""
    choice = whole({"model": "gpt-4o", "messages": user("weather in Paris"), "tools": [WEATHER], "max_tokens": 7})[
        "choices"
    ][0]
    assert choice["finish_reason"] == "length"
    with pytest.raises(ValueError):
        json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_tokens_literally():
    """Words keep the space before them; digits go by threes, other marks alone."""
    assert counting.split_tokens("It's 2026, café!\n\n日本 internationally") == [
        "It", "'s", " ", "202", "6", ",", " café", "!", "\n\n", "日", "本", " internatio", "nally",
    ]  # fmt: skip


def test_tokens_join_to_the_text_and_survive_a_cut():
    """For any text: the pieces joined are the text, and the tokens of a cut text are the tokens before the cut."""
    dice = random.Random(7)
    alphabet = "aZé日ガ한 \t\n\r'_-.,0123²½٣🎉\u0301\u2028\xa0\x00" + "words and "
    for _ in range(300):
        said = "".join(dice.choice(alphabet) for _ in range(dice.randrange(60)))
        tokens = counting.split_tokens(said)
        assert "".join(tokens) == said
        cut = dice.randrange(len(tokens) + 1)
        assert counting.split_tokens("".join(tokens[:cut])) == tokens[:cut]
        assert counting.count_tokens(said) == len(tokens)


PROMPTS = [
    ("message", {"messages": user("hello")}, 3 + 3 + 1 + 1),
    ("name", {"messages": [{**user("hello")[0], "name": "ada"}]}, 3 + 3 + 1 + 1 + 2),
    ("image", {"messages": IMAGE}, 3 + 3 + 1 + 4 + 765),
    ("tools", {"messages": user("hello"), "tools": [{"type": "function"}]}, 8 + 11),
]


@pytest.mark.parametrize(("body", "count"), [row[1:] for row in PROMPTS], ids=[row[0] for row in PROMPTS])
def test_prompt_tokens(body, count):
    """Three for the answer's opening, three around each message, and what the messages and tools hold."""
    assert counting.count_prompt(body) == count


# --- embeddings and models -------------------------------------------------------------------------------------------


def vector(given, **more):
    body = {"model": "text-embedding-3-small", "input": given, **more}
    assert validation.check_embeddings(body) is None
    return answers.embeddings(body)


def nearness(left, right):
    return sum(a * b for a, b in zip(left, right))


def test_embeddings_literally():
    """The list object with one entry per input, in order; the same text gives the same vector."""
    answer = vector(["hello world", "other", "hello world"])
    check("CreateEmbeddingResponse", answer)
    assert {key: value for key, value in answer.items() if key != "data"} == {
        "object": "list",
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    assert answer["data"][0]["embedding"] == answer["data"][2]["embedding"] != answer["data"][1]["embedding"]


@pytest.mark.parametrize("size", [1, 8, 256, 1536])
def test_vectors_have_length_one_and_the_dimensions_asked_for(size):
    """Cut vectors are scaled again."""
    made = vector("The quick brown fox", dimensions=size)["data"][0]["embedding"]
    assert len(made) == size
    assert abs(nearness(made, made) - 1) < 1e-6


def test_texts_alike_are_near_each_other():
    """Shared words and parts of words bring vectors together; nothing shared keeps them apart."""
    cat, cats, law = (e["embedding"] for e in vector(["the red cat sleeps", "two red cats sleep", "tax law"])["data"])
    assert nearness(cat, cats) > 0.4
    assert abs(nearness(cat, law)) < 0.15


def test_both_encodings_carry_the_same_figures():
    """base64 is little-endian 32-bit floats, and the decimal figures are exactly those."""
    plain = vector("hello")["data"][0]["embedding"]
    packed = base64.b64decode(vector("hello", encoding_format="base64")["data"][0]["embedding"])
    assert list(struct.unpack("<1536f", packed)) == [
        struct.unpack("<f", struct.pack("<f", value))[0] for value in plain
    ]
    assert plain == [float(f"{value:.9g}") for value in struct.unpack("<1536f", packed)]


def test_lists_of_tokens_are_one_input_or_several():
    """A flat list of integers is one input; a list of lists is several."""
    assert len(vector([1, 2, 3])["data"]) == 1
    answer = vector([[1, 2], [3]])
    assert len(answer["data"]) == 2
    assert answer["usage"]["total_tokens"] == 3


def test_models():
    """The list validates, has every model under both its names, and each can be asked for alone."""
    listing = answers.list_models(1763700000)
    check("ListModelsResponse", listing)
    names = [entry["id"] for entry in listing["data"]]
    assert len(names) == len(set(names))
    assert {
        "practice",
        "gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
        "o4-mini",
        "gpt-6-sol",
        "text-embedding-3-large",
    } <= set(names)
    assert {entry["id"]: entry["created"] for entry in listing["data"]}["practice"] == 1763700000
    assert answers.retrieve_model("gpt-4o") == {
        "id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "system"
    }  # fmt: skip
    assert answers.retrieve_model("nope") is None
    for name in names:
        check("Model", answers.retrieve_model(name))


def test_a_model_that_validation_would_refuse_is_a_programming_error():
    """Asking for the answer of no model says which function should have been asked before."""
    with pytest.raises(ValueError, match="check_chat refuses it"):
        whole({"model": "nope", "messages": user("hello")})


def test_the_schemas_say_where_they_come_from():
    """Provenance stands inside the file, and it stays small."""
    assert "openai 3" in SCHEMAS["$comment"]
    assert os.path.getsize(os.path.join(HERE, "wire", "openai_schemas.json")) < 200_000
