"""When the dialects are asked, and the corners of theirs that no server was seen in; what servers send is in test_chunks."""

import pytest

from . import forms, module, test_merging
from .test_chunks import assemble, call, calls_of, chunk, part, say, text_chunk, tools, usage

chunk_dialects = module("protocol.chunk_dialects")
merging = module("protocol.merging")

PLAIN = {
    "text": [*say("Hel", "lo"), {"choices": [], "usage": usage(8, 2)}],
    "two choices": [text_chunk("b", index=1), text_chunk("a"), chunk({}, "stop"), chunk({}, "stop", index=1)],
    "tool calls": tools(
        call(0, "a", "f", "", type="function"), call(1, "b", "g", ""), call(0, arguments="{}"), call(1, arguments="{}")
    ),
    "refusal": [chunk({"role": "assistant", "content": None, "refusal": text}) for text in ("I ", "can't.")],
    "logprobs": [text_chunk(text, logprobs={"content": [{"token": text}], "refusal": None}) for text in "ab"],
    "thought": [chunk({"content": None, "reasoning_content": text, "tool_calls": None}) for text in ("2+2 ", "is 4")],
}


@forms.needs_modules
@pytest.mark.parametrize("name", PLAIN)
def test_what_the_reference_says_needs_no_dialect(name, monkeypatch):
    """Text, tool calls with their index, refusals, logprobs, and a thought: the plain choice makes the same of them."""
    expected, expected_pieces = assemble(PLAIN[name])
    plain = type(
        "PlainChoice", (merging.Choice,), {"half": "", "text": lambda choice: choice.message()["content"] or ""}
    )
    monkeypatch.setattr(chunk_dialects, "AnyChoice", plain)
    assembler, pieces = assemble(PLAIN[name])
    assert pieces == expected_pieces
    assert assembler.reply().text == expected.reply().text == "".join(pieces)
    assert calls_of(assembler.reply()) == calls_of(expected.reply())
    assert assembler.finished == expected.finished


# name: (the pieces, what they add up to)
PIECES = {
    **test_merging.PIECES,
    "a name split": ([{"name": "get_"}, {"name": "it"}], {"name": "get_it"}),
    "arguments as text": ([{"arguments": "{"}, {"arguments": "}"}, {"arguments": {}}], {"arguments": "{}"}),
    "arguments as an object": ([{"arguments": {}}, {"arguments": {"x": "a"}}] * 2, {"arguments": {"x": "a"}}),
    "halves of a pair": (["\ud83c", "\udf89\ud83c"], "🎉\ufffd"),
}


@forms.needs_modules
@pytest.mark.parametrize("name", PIECES)
def test_pieces_add_up(name):
    """As in `merging`, and in what other servers do; what came is as it was."""
    test_merging.add_up(*PIECES[name], chunk_dialects._deep, chunk_dialects._plain)


CALLS = {
    "an index, then none": ([call(3, "a", "f"), call(id="b", name="g"), call(1, "c", "h")], "abc"),
    "an index that was given away already": ([call(0, "a", "f"), call(0, "b", "f"), call(1, "c", "f")], "abc"),
    "a fragment that says nothing": ([call(0), {"index": 0}, call(0, "a", "f"), call(1)], "a"),
    "the index as text": ([call("1", "b", "f"), call("0", "a", "f"), call("1", "b", None, "{}")], "ab"),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_keep_their_order(name):
    """That of their indices; where one has none, that in which they came."""
    entries, expected = CALLS[name]
    assembler, _ = assemble(tools(*entries))
    assert "".join(identity for identity, _, _ in calls_of(assembler.reply())) == expected


def test_a_growing_message_may_change_its_mind():
    """Its last state holds, calls included; what does not continue the text before is in the reply, and not shown."""
    messages = [
        {"content": "Paris", "tool_calls": [call(id="a", name="f"), call(id="b", name="g")]},
        {"content": [part("Paris is")], "tool_calls": [call(id="a", name="f")]},
        {"content": "Lyon"},
    ]
    assembler, pieces = assemble([{"choices": [{"message": message}]} for message in messages])
    assert pieces == ["Paris", " is", "", ""]
    assert assembler.text == "Lyon"
    assert calls_of(assembler.reply()) == [("a", "f", "")]


def test_entries_with_an_index_are_merged_at_every_depth():
    """By index and type; what has no index is added."""
    first = {"deep": {"list": [{"index": 0, "text": "a"}, {"index": 0, "text": "b"}, "x"]}}
    then = {"deep": {"list": [{"index": 0, "text": "c"}, {"index": 0, "type": "other"}, "x"]}}
    assembler, _ = assemble([chunk(first), chunk(then)])
    expected = [{"index": 0, "text": "abc"}, "x", {"index": 0, "type": "other"}, "x"]
    assert assembler.reply().choices[0].message.deep.list == expected
    assert first["deep"]["list"][0] == {"index": 0, "text": "a"}
