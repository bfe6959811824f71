"""What a chunk changed in the message, told in words."""

import pytest

from . import lab_tapes, module

changes = module("lab.changes")


def delta(index=0, finish=None, **fields):
    return {"choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def call(index, **fields):
    return delta(tool_calls=[{"index": index, **fields}])


FIRST = {"id": "c1", "model": "m", **delta(role="assistant", content="")}
ROWS = {
    "the first chunk": ([FIRST], ['the first chunk, id "c1", model "m"', 'the message begins: role "assistant"']),
    "text adds up": ([FIRST, delta(content="Hel"), delta(content="lo")], ['text + "lo", 5 characters so far']),
    "the role twice": ([FIRST, delta(role="assistant")], ['role "assistant" again']),
    "reasoning is counted apart": (
        [FIRST, delta(content="a"), delta(reasoning_content="Hm")],
        ['reasoning + "Hm", 2 characters so far'],
    ),
    "a finish reason and what it means": (
        [FIRST, delta(finish="length")],
        ['finish_reason "length": max tokens were used up: the text is cut off'],
    ),
    "a finish reason of nobody's": ([FIRST, delta(finish="eos")], ['finish_reason "eos": a word of this server']),
    "usage": (
        [
            FIRST,
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 8,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                },
            },
        ],
        ["usage: 8 tokens in, 2 out (cached 4)"],
    ),
    "a tool call begins": (
        [FIRST, call(0, id="t1", type="function", function={"name": "f", "arguments": ""})],
        ['tool call 0 begins: f, id "t1"'],
    ),
    "arguments add up": (
        [FIRST, call(0, id="t1", function={"name": "f", "arguments": '{"a'}), call(0, function={"arguments": '":1}'})],
        ['tool call 0: arguments + "\\":1}", 7 characters so far'],
    ),
    "a second choice is named": ([FIRST, delta(1, content="x")], ['choice 1: text + "x", 1 characters so far']),
    "an id that changes": (
        [FIRST, {"id": "c2", **delta(content="x")}],
        ['id changed from "c1" to "c2": it must not', 'text + "x", 1 characters so far'],
    ),
    "an error beside": (
        [FIRST, {"choices": [], "error": {"code": 503}}],
        ['error: {"code": 503}'],
    ),
    "nothing at all": ([FIRST, {"choices": []}], ["nothing: no choice, no usage"]),
    "content that is no text": ([FIRST, delta(content=7)], ["content: 7, which is no text"]),
    "a field of this server's": ([FIRST, delta(mood="calm")], ['mood: "calm"']),
    "long text is cut": ([FIRST, delta(content="x" * 100)], [f'text + "{"x" * 58}…, 100 characters so far']),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_last_chunk_of_each_row_is_told_so(name):
    chunks, expected = ROWS[name]
    teller = changes.Changes()
    assert [teller.of(chunk) for chunk in chunks][-1] == expected


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"tool_calls": [1]}}]},
    ],
    ids=str,
)
def test_odd_chunks_are_told_and_do_not_raise(chunk):
    assert changes.Changes().of(chunk) == ["the first chunk"]


@pytest.mark.parametrize("name", lab_tapes.CASES)
def test_every_chunk_of_every_tape_is_told(name):
    teller = changes.Changes()
    for step in lab_tapes.make(name).steps():
        if step.chunk is not None:
            assert all(teller.of(step.chunk))
