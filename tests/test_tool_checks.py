"""Checks of tool calls: each is shown calls that keep the rule and calls that break it."""

import pytest

from . import module
from .clinic import chunk, completion, find, refusal, seen, stream, untried

tool_checks = module("lab.clinic.tool_checks")


def call(name="get_weather", arguments='{"city":"Rome"}', call_id="call_1", **fields):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def whole(*calls, finish="tool_calls"):
    return completion({"content": None, "tool_calls": list(calls)}, finish)


def piece(index=0, call_id=None, name=None, arguments=None):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    fragment = {"index": index, **({"id": call_id, "type": "function"} if call_id is not None else {})}
    return {
        **{key: value for key, value in fragment.items() if key != "index" or value != "left out"},
        "function": function,
    }


def streamed(*fragments, finish="tool_calls", done=True):
    chunks = [chunk({"role": "assistant", "content": None})]
    chunks += [chunk({"tool_calls": [fragment]}) for fragment in fragments]
    return stream(*chunks, chunk(finish=finish), done=done)


START = piece(0, "call_1", "get_weather", "")
REST = (piece(0, arguments='{"city":'), piece(0, arguments='"Rome"}'))
SECOND = (piece(1, "call_2", "get_weather", ""), piece(1, arguments="{}"))
GOOD = streamed(START, *REST, *SECOND)
GOOD_WHOLE = whole(call(), call(call_id="call_2"))

ROWS = {
    "called": ("tools", "ok", "tools", GOOD_WHOLE, "2 calls"),
    "answered in text": ("tools", "fails", "tools", completion(), "ignored"),
    "tools refused": ("tools", "fails", "tools", refusal(400), "refused"),
    "cut off before the call": ("tools", "unknown", "tools", completion(finish="length"), "cut off"),
    "id, type, name": ("call-fields", "ok", "tools", GOOD_WHOLE, "id, type, name"),
    "no id": ("call-fields", "fails", "tools", whole(call(call_id="")), '""'),
    "no type": ("call-fields", "fails", "tools", whole(call(type=None)), "null"),
    "a name of its own": ("call-fields", "fails", "tools", whole(call(name="weather")), "not offered"),
    "one id for two": ("call-fields", "fails", "tools", whole(call(), call()), "one id"),
    "arguments as a string": ("call-arguments", "ok", "tools", GOOD_WHOLE, "holds an object"),
    "arguments as an object": ("call-arguments", "fails", "tools", whole(call(arguments={"city": "Rome"})), "an object"),
    "arguments no JSON": ("call-arguments", "fails", "tools", whole(call(arguments="city=Rome")), "no JSON"),
    "arguments a list": ("call-arguments", "fails", "tools", whole(call(arguments="[1]")), "no object"),
    "arguments cut off": ("call-arguments", "unknown", "tools", whole(call(arguments='{"ci'), finish="length"), "cut"),
    "finish tool_calls": ("call-finish", "ok", "tools", GOOD_WHOLE, "tool_calls"),
    "finish stop": ("call-finish", "fails", "tools", whole(call(), finish="stop"), "stop"),
    "called in a stream": ("tools-stream", "ok", "tools_stream", GOOD, "2 calls"),
    "text in a stream": ("tools-stream", "fails", "tools_stream", stream(), "ignored"),
    "no stream with tools": ("tools-stream", "fails", "tools_stream", refusal(400), "refused"),
    "an index in each": ("fragment-index", "ok", "tools_stream", GOOD, "a number"),
    "no index": (
        "fragment-index",
        "fails",
        "tools_stream",
        streamed(piece("left out", "call_1", "get_weather", "{}")),
        "missing",
    ),
    "index null": ("fragment-index", "fails", "tools_stream", streamed(piece(None, "c", "get_weather", "{}")), "null"),
    "an index for each call": ("fragment-distinct", "ok", "tools_stream", GOOD, "2 calls"),
    "index 0 for all": (
        "fragment-distinct",
        "fails",
        "tools_stream",
        streamed(piece(0, "call_1", "get_weather", "{}"), piece(0, "call_2", "get_weather", "{}")),
        "2 calls under index 0",
    ),
    "counted from 1": ("fragment-distinct", "fails", "tools_stream", streamed(piece(1, "c", "get_weather", "{}")), "from 0"),
    "no index to tell by": (
        "fragment-distinct",
        "unknown",
        "tools_stream",
        streamed(piece("left out", "call_1", "get_weather", "{}")),
        "no index",
    ),
    "said once": ("fragment-once", "ok", "tools_stream", GOOD, "first fragment"),
    "two calls under one index are not said twice": (
        "fragment-once",
        "ok",
        "tools_stream",
        streamed(piece(0, "call_1", "get_weather", "{}"), piece(0, "call_2", "get_weather", "{}")),
        "first fragment",
    ),
    "id in each": ("fragment-once", "fails", "tools_stream", streamed(START, piece(0, "call_1", None, "{}")), "id again"),
    "name in each": ("fragment-once", "fails", "tools_stream", streamed(START, piece(0, None, "get_weather", "{}")), "name"),
    "nothing blank": ("fragment-blanks", "ok", "tools_stream", GOOD, "left out"),
    "a blank id": ("fragment-blanks", "fails", "tools_stream", streamed(START, piece(0, "", None, "{}")), "id"),
    "a blank name": ("fragment-blanks", "fails", "tools_stream", streamed(START, piece(0, None, "", "{}")), "name"),
    "pieces make JSON": ("fragment-arguments", "ok", "tools_stream", GOOD, "holds an object"),
    "a piece is lost": ("fragment-arguments", "fails", "tools_stream", streamed(START, REST[0]), "no JSON"),
    "a piece is an object": (
        "fragment-arguments",
        "fails",
        "tools_stream",
        streamed(piece(0, "call_1", "get_weather", {"city": "Rome"})),
        "an object",
    ),
    "whole calls under index 0": (
        "fragment-arguments",
        "ok",
        "tools_stream",
        streamed(piece(0, "call_1", "get_weather", "{}"), piece(0, "call_2", "get_weather", "{}")),
        "holds an object",
    ),
    "in pieces": ("fragment-pieces", "ok", "tools_stream", GOOD, "5 fragments"),
    "in one piece": ("fragment-pieces", "fails", "tools_stream", streamed(piece(0, "c", "get_weather", "{}")), "one piece"),
    "stream finish tool_calls": ("fragment-finish", "ok", "tools_stream", GOOD, "tool_calls"),
    "stream finish stop": ("fragment-finish", "fails", "tools_stream", streamed(START, *REST, finish="stop"), "stop"),
    "a result taken": ("tool-result", "ok", "tool_result", completion(), "200"),
    "a result refused": ("tool-result", "fails", "tool_result", refusal(500), "500"),
}  # fmt: skip


@pytest.mark.parametrize("check,verdict,probe,answer,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found_in_calls(check, verdict, probe, answer, says):
    """The verdict, and words that name what was seen."""
    finding = find(check, **{probe: answer})
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything."""
    assert untried(tool_checks.CHECKS, ROWS) == []


def test_a_model_that_calls_no_tool_is_not_called_stupid():
    """Where no call came, its shape is not judged: that it was required is the only thing said."""
    for check in ("call-fields", "call-arguments", "call-finish"):
        assert find(check, tools=completion()).verdict == "unknown"
    for check in ("fragment-index", "fragment-once", "fragment-arguments"):
        assert find(check, tools_stream=stream()).verdict == "unknown"


def test_a_broken_stream_is_no_second_finding():
    """A stream of calls that was cut off is told by the checks of streams."""
    cut = seen(streamed(START, REST[0], finish=None, done=False))
    assert find("fragment-arguments", tools_stream=cut).verdict == "unknown"
