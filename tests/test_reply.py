"""Reply: a dict that reads as attributes, and what it says of every shape in which servers send a whole answer."""

import copy
import json
import pickle

import pytest

from . import module

reply_module = module("protocol.reply")
Reply = reply_module.Reply
Fields = reply_module.Fields

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 4,
    "total_tokens": 15,
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def whole(message=None, finish="stop", **top):
    """A whole reply with one choice."""
    message = {"role": "assistant", "content": "Ready.", "refusal": None} if message is None else message
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1763700000,
        "model": "m",
        "choices": [choice],
        "usage": dict(USAGE),
        **top,
    }


def said(content, **also):
    return whole({"role": "assistant", "content": content, **also})


THINKING = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "6*"}, {"type": "text", "text": "7"}]},
    {"type": "text", "text": "42"},
]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}

# What servers were seen to answer. name: (the JSON, what the reply says)
SEEN = {
    "control (OpenAI)": (whole(), {"text": "Ready.", "finish_reason": "stop", "reasoning": "", "refusal": None}),
    "text of any script": (said("Ça marche ✅"), {"text": "Ça marche ✅"}),
    "content as a list with thinking (Magistral)": (said(THINKING), {"text": "42", "reasoning": "6*7"}),
    "thinking as a string": (said([{"type": "thinking", "thinking": "6*7"}, "42"]), {"text": "42", "reasoning": "6*7"}),
    "content as text parts": (
        said([{"type": "text", "text": "Hello "}, {"type": "output_text", "text": "there"}, {"type": "image_url"}]),
        {"text": "Hello there"},
    ),
    "content null": (
        whole({"role": "assistant", "content": None, "tool_calls": [CALL]}, "tool_calls"),
        {"text": "", "finish_reason": "tool_calls", "tool_calls": [CALL]},
    ),
    "arguments as an object, empty id (llama.cpp)": (
        whole({"tool_calls": [{"id": "", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]}),
        {"tool_calls": [{**CALL, "id": ""}], "text": ""},
    ),
    "call without id, type and arguments, with index": (
        whole({"tool_calls": [{"index": 0, "id": None, "function": {"name": "f", "arguments": None}}, "junk"]}),
        {"tool_calls": [{"id": "", "type": "function", "function": {"name": "f", "arguments": ""}}]},
    ),
    "unknown keys of a call (Gemini)": (
        whole({"tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "s"}}}]}),
        {"tool_calls": [{**CALL, "extra_content": {"google": {"thought_signature": "s"}}}]},
    ),
    "custom tool": (
        whole({"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]}),
        {"tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}]},
    ),
    "message without content (Gemini)": (
        whole({"role": "assistant"}, "length"),
        {"text": "", "texts": [""], "finish_reason": "length", "tool_calls": []},
    ),
    "choice without message (Gemini)": (
        {"choices": [{"index": 0, "finish_reason": "content_filter"}]},
        {"text": "", "finish_reason": "content_filter", "message": {"role": "assistant", "content": ""}},
    ),
    "odd finish_reason stays visible": (
        whole(finish="function_call_filter: MALFORMED_FUNCTION_CALL"),
        {"finish_reason": "function_call_filter: MALFORMED_FUNCTION_CALL"},
    ),
    "finish_reason empty": (whole(finish=""), {"finish_reason": None}),
    "finish_reason null as a word": (whole(finish="null"), {"finish_reason": None}),
    "choices null": ({"choices": None}, {"text": "", "texts": [], "finish_reason": None, "tool_calls": []}),
    "choices empty": ({"choices": []}, {"text": "", "texts": [], "finish_reason": None}),
    "choices missing": ({"id": "x"}, {"text": "", "texts": [], "usage": None, "refusal": None, "reasoning": ""}),
    "junk for choices": ({"choices": [None, "x", 3]}, {"text": "", "texts": []}),
    "error null beside a good answer": (whole(error=None), {"text": "Ready."}),
    "reasoning_content (DeepSeek)": (said("4", reasoning_content="2+2"), {"text": "4", "reasoning": "2+2"}),
    "reasoning (OpenRouter)": (said("4", reasoning="2+2", reasoning_content=None), {"reasoning": "2+2"}),
    "the same thought under both names": (said("4", reasoning="2+2", reasoning_content="2+2"), {"reasoning": "2+2"}),
    "thought under a name and in the content": (said(THINKING, reasoning_content="6*7"), {"reasoning": "6*7"}),
    "refusal": (said(None, refusal="No."), {"text": "", "refusal": "No."}),
    "refusal as a part": (said([{"type": "refusal", "refusal": "No."}]), {"text": "", "refusal": "No."}),
    "no usage at all: unknown, not zero": ({"choices": []}, {"usage": None}),
    "usage null": (whole(usage=None), {"usage": None}),
    "token counts as floats": (whole(usage={"prompt_tokens": 11.0}), {"usage": {"prompt_tokens": 11}}),
    "choices out of order": (
        {
            "choices": [
                {"index": 1, "message": {"content": "second"}, "finish_reason": "stop"},
                {"index": 0, "message": {"content": "first"}, "finish_reason": "length"},
            ]
        },
        {"text": "first", "texts": ["first", "second"], "finish_reason": "length"},
    ),
    "choices without index keep their order": (
        {"choices": [{"message": {"content": "first"}}, {"index": None, "message": {"content": "second"}}]},
        {"text": "first", "texts": ["first", "second"]},
    ),
    "lone halves of pairs": (said("a\ud83c", reasoning="\udf89b"), {"text": "a\ufffd", "reasoning": "\ufffdb"}),
    "halves that belong together": (said("\ud83c\udf89"), {"text": "🎉"}),
}


@pytest.mark.parametrize("name", SEEN)
def test_what_servers_send(name):
    """The properties read every shape, and reading changes nothing in the JSON."""
    document, expected = SEEN[name]
    before = copy.deepcopy(document)
    reply = Reply(document)
    assert {key: getattr(reply, key) for key in expected} == expected
    assert reply == before == document


def test_it_is_the_json_that_came():
    """A reply equals its JSON, and goes through json.dumps unchanged, before and after reading attributes."""
    document = whole(extra={"deep": [{"er": 1}]})
    reply = Reply(document)
    assert reply == document
    assert json.loads(json.dumps(reply)) == document
    assert reply.extra.deep[0].er == 1
    assert reply.choices[0].message.content == "Ready."
    assert json.loads(json.dumps(reply)) == document == reply


def test_attributes_and_keys_are_one_thing():
    """After an attribute was read, the dict holds the very same object; changes are seen on both sides."""
    reply = Reply(whole())
    assert reply.usage is reply["usage"]
    assert reply.choices is reply["choices"]
    assert reply.choices[0].message is reply["choices"][0]["message"]
    reply["usage"]["prompt_tokens"] = 99
    reply["note"] = {"by": "me"}
    assert (reply.usage.prompt_tokens, reply.note.by) == (99, "me")
    assert reply.usage.completion_tokens_details.reasoning_tokens == 0


def test_reading_attributes_leaves_the_original_alone():
    """The document that a reply was made from keeps its plain dicts and lists."""
    document = whole()
    reply = Reply(document)
    reply.choices[0].message["content"] = "changed"
    reply.usage["prompt_tokens"] = 0
    assert document == whole()
    assert type(document["choices"]) is list
    assert type(document["choices"][0]["message"]) is dict


def test_construction_converts_nothing():
    """What nobody asks for stays the plain object that the JSON parser made."""
    document = whole()
    assert Reply(document)["choices"] is document["choices"]


OPTIONAL = {
    "the reply": (lambda reply: reply, "usage system_fingerprint service_tier metadata moderation id model created"),
    "a choice": (lambda reply: reply.choices[0], "logprobs finish_reason index"),
    "the message": (
        lambda reply: reply.choices[0].message,
        "content refusal audio annotations function_call tool_calls reasoning_content reasoning",
    ),
    "usage": (lambda reply: Reply(whole(usage={"x": 1})).usage, "prompt_tokens_details completion_tokens_details"),
    "details": (
        lambda reply: Reply(whole(usage={"prompt_tokens_details": {}})).usage.prompt_tokens_details,
        "cached_tokens cache_write_tokens audio_tokens",
    ),
}


@pytest.mark.parametrize("place", OPTIONAL)
def test_known_optional_fields_read_as_none(place):
    """A field of the API reference that the server left out is None where it belongs."""
    find, names = OPTIONAL[place]
    fields = find(Reply({"choices": [{"message": {"role": "assistant"}}]}))
    assert [getattr(fields, name) for name in names.split()] == [None] * len(names.split())


MISSING = {
    "a typing mistake": (
        lambda reply: reply.choises,
        "no field 'choises' in the reply; there are: id, object, created",
    ),
    "looked for in the wrong place": (lambda reply: reply.content, "do you mean reply.text"),
    "one level too high": (
        lambda reply: reply.choices[0].content,
        "no field 'content' in choices; there are: index, mess",
    ),
    "inside usage": (lambda reply: reply.usage.tokens, "no field 'tokens' in usage; there are: prompt_tokens, compl"),
    "in an empty reply": (lambda reply: Reply({}).nothing, "there are: none"),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_name_says_what_is_there(name):
    """Any other name is an AttributeError that lists the names there are."""
    read, words = MISSING[name]
    with pytest.raises(AttributeError, match=words.replace("(", r"\(")):
        read(Reply(whole()))


def test_only_facts_about_the_call_are_set_as_attributes():
    """Fields of the JSON are set in the dict form; the message says so."""
    reply = Reply(whole())
    facts = {"request_id": "r", "attempts": 3, "cost": 0.5, "headers": {"a": "b"}, "elapsed_s": 1.5, "complete": False}
    for name, value in facts.items():
        setattr(reply, name, value)
        assert getattr(reply, name) == value
        assert name not in reply
    for place, name in [(reply, "text"), (reply, "model"), (reply.usage, "prompt_tokens"), (reply.choices[0], "x")]:
        with pytest.raises(AttributeError, match=rf'dict form: \w+\["{name}"\] = '):
            setattr(place, name, "x")


def test_facts_have_defaults():
    """Before a client says more, a reply is a complete one that took one attempt and has no known cost."""
    reply = Reply(whole())
    assert (reply.request_id, reply.attempts, reply.cost, reply.headers) == (None, 1, None, None)
    assert (reply.elapsed_s, reply.first_text_s, reply.complete) == (None, None, True)
    reply.attempts = 2
    assert Reply(whole()).attempts == 1


def test_names_of_ours_win_and_dict_methods_stay():
    """`reply.cost` is ours where the JSON has a cost, too; `items` and its like stay methods."""
    reply = Reply({**whole(), "cost": 7, "items": [1], "text": "no"})
    assert (reply.cost, reply["cost"], reply.text) == (None, 7, "Ready.")
    assert ("items", [1]) in reply.items()


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {number}": lambda reply, number=number: pickle.loads(pickle.dumps(reply, number))
        for number in range(2, 6)
    },
}


@pytest.mark.parametrize("how", COPIES)
def test_copies_are_as_good_as_the_original(how):
    """A copy has the JSON, the facts about the call, and its attributes."""
    reply = Reply(whole({"role": "assistant", "tool_calls": [CALL]}))
    reply.request_id, reply.cost = "r1", 0.25
    assert reply.usage.prompt_tokens == 11
    twin = COPIES[how](reply)
    assert type(twin) is Reply
    assert twin == reply
    assert (twin.request_id, twin.cost, twin.attempts) == ("r1", 0.25, 1)
    assert twin.usage.prompt_tokens_details is None
    assert twin.choices[0].message.tool_calls[0].function.name == "f"


def test_json_does_not_answer_when_python_asks():
    """A server's keys that look like Python's own protocols are not taken for them."""
    reply = Reply({"__deepcopy__": 1, "__class_getitem__": 2})
    assert copy.deepcopy(reply) == reply
    assert not hasattr(reply, "__deepcopy__")


def test_calls_read_as_attributes():
    """A tool call's name and arguments are there in both forms."""
    (call,) = Reply(whole({"tool_calls": [CALL]})).tool_calls
    assert (call.id, call.function.name, call["function"]["arguments"]) == ("a", "f", '{"x":1}')
    assert call.custom is None


def test_names_can_be_completed():
    """dir() knows the fields, for prompts that complete names."""
    names = dir(Reply({**whole(), "not a name": 1}))
    assert {"choices", "usage", "text", "items"} <= set(names)
    assert "not a name" not in names
