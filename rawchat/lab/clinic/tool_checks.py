"""Checks of tool calls, whole and streamed. Whether a model chooses well is no question here: the call is required."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Tuple

from .answer_checks import is_number, kind_of
from .probes import WEATHER
from .rule import (
    MUST,
    QUIRK,
    SHOULD,
    Check,
    Finding,
    Look,
    Need,
    about,
    anything,
    fails,
    ok,
    stream_chunks,
    unknown,
    whole_answer,
    whole_stream,
)
from .sight import Sight, core, excerpt, quoted

Json = Dict[str, Any]
OFFERED = str(WEATHER["function"]["name"]) if isinstance(WEATHER["function"], dict) else ""


def _calls(sight: Sight) -> List[Json]:
    """The calls of a whole answer."""
    found = sight.message.get("tool_calls")
    return [call for call in found if isinstance(call, dict)] if isinstance(found, list) else []


def _fragments(sight: Sight) -> Iterator[Tuple[Json, Json]]:
    """(chunk, fragment) for each fragment of a call in a stream."""
    for chunk, delta in sight.deltas():
        found = delta.get("tool_calls")
        for fragment in found if isinstance(found, list) else ():
            if isinstance(fragment, dict):
                yield (
                    chunk,
                    {name: _label(value) if name in ("id", "index") else value for name, value in fragment.items()},
                )


def _label(value: Any) -> Any:
    """Something to tell calls apart by, also where a server sends a list for an id."""
    return value if isinstance(value, (str, int, float, type(None))) else json.dumps(value)


def _has_call(sight: Sight) -> str:
    return whole_answer(sight) or ("" if _calls(sight) else "no call to judge")


def _has_fragments(sight: Sight) -> str:
    return whole_stream(sight) or ("" if next(_fragments(sight), None) else "no call to judge")


def _required(sight: Sight) -> Finding:
    """A server that takes tool_choice makes sure of a call; one that answers in text has ignored the parameter."""
    if not sight.choices:
        return fails(f"refused: {sight.outcome}", excerpt(sight.body)) if sight.has_head else unknown(sight.outcome)
    if _calls(sight):
        return ok(f"{len(_calls(sight))} calls")
    if sight.finish_reason == "length":
        return unknown("cut off before a call was written")
    return fails("answered without a call: tool_choice or tools was ignored", excerpt(sight.message))


def _function(call: Json) -> Json:
    function = call.get("function")
    return function if isinstance(function, dict) else {}


def _names(sight: Sight) -> Finding:
    ids = [call.get("id") for call in _calls(sight)]
    for call in _calls(sight):
        if not (isinstance(call.get("id"), str) and call["id"]):
            return fails(f"id is {quoted(call.get('id'))}", excerpt(call))
        if call.get("type") != "function":
            return fails(f"type is {quoted(call.get('type'))}", excerpt(call))
        if _function(call).get("name") != OFFERED:
            return fails(f"the name {excerpt(_function(call).get('name'))} was not offered", excerpt(call))
    return ok("id, type, name") if len(set(ids)) == len(ids) else fails("two calls with one id", excerpt(ids))


def arguments_of(value: Any, where: Any) -> Finding:
    if not isinstance(value, str):
        return fails(f"arguments is {kind_of(value)}, not a string", excerpt(where))
    try:
        parsed = json.loads(value)
    except ValueError:
        return fails("arguments is no JSON", excerpt(value) or "(empty)")
    return ok("a string that holds an object") if isinstance(parsed, dict) else fails("no object", excerpt(value))


def _arguments(sight: Sight) -> Finding:
    if sight.finish_reason == "length":
        return unknown("cut off before it was whole")
    found = [arguments_of(_function(call).get("arguments"), call) for call in _calls(sight)]
    return next((finding for finding in found if finding.verdict != "ok"), found[0])


def _finish(sight: Sight) -> Finding:
    reason = sight.finish_reason
    if reason == "tool_calls":
        return ok("tool_calls")
    if reason == "length":
        return unknown("cut off")
    ends = [core(chunk) for chunk, choice in sight.stream_choices() if choice.get("finish_reason")]
    shown = ends[-1] if ends else core(sight.chunks[-1]) if sight.chunks else excerpt(sight.choices[0], 240)
    return fails(f"finish_reason is {quoted(reason)} beside tool calls", shown)


# --- streamed


def _stream_required(sight: Sight) -> Finding:
    if stream_chunks(sight):
        return fails(f"refused: {sight.outcome}" if sight.status != 200 else "no stream", excerpt(sight.body))
    count = len({fragment.get("id") for _, fragment in _fragments(sight) if fragment.get("id")})
    if next(_fragments(sight), None):
        return ok(f"{count} calls")
    if sight.finish_reason == "length":
        return unknown("cut off before a call was written")
    return fails("no call in the stream: tools are ignored there", core(sight.chunks[-1]))


def _index(sight: Sight) -> Finding:
    for chunk, fragment in _fragments(sight):
        if not is_number(fragment.get("index")):
            return fails(
                f"index is {kind_of(fragment.get('index')) if 'index' in fragment else 'missing'}", core(chunk)
            )
    return ok("a number in each")


def _distinct(sight: Sight) -> Finding:
    """Each call has an index of its own, from 0."""
    if any(not is_number(fragment.get("index")) for _, fragment in _fragments(sight)):
        return unknown("no index to tell calls apart")
    ids: Dict[Any, List[str]] = {}
    for _, fragment in _fragments(sight):
        known = ids.setdefault(fragment.get("index"), [])
        if fragment.get("id") and fragment["id"] not in known:
            known.append(fragment["id"])
    for index, named in ids.items():
        if len(named) > 1:
            return fails(f"{len(named)} calls under index {excerpt(index)}", excerpt(named))
    good = sorted(ids) == list(range(len(ids)))
    return ok(f"{len(ids)} calls") if good else fails("indices do not count from 0", excerpt(sorted(ids)))


def _once(sight: Sight) -> Finding:
    """Within one call: a new id under a used index is another call, which is another check's business."""
    current: Dict[Any, Any] = {}
    named: Dict[Tuple[Any, Any], int] = {}
    for chunk, fragment in _fragments(sight):
        index, call_id = fragment.get("index"), fragment.get("id")
        if call_id and call_id == current.get(index) and "index" in fragment:
            return fails("id again in a later fragment", core(chunk))
        current[index] = call_id or current.get(index)
        key = (index, current[index])
        named[key] = named.get(key, 0) + bool(_function(fragment).get("name"))
        if named[key] > 1:
            return fails("name again in a later fragment", core(chunk))
    return ok("in the first fragment alone")


def _blanks(sight: Sight) -> Finding:
    for chunk, fragment in _fragments(sight):
        for name, holder in (("id", fragment), ("name", _function(fragment))):
            if name in holder and not holder[name]:
                return fails(f"{name} is {quoted(holder[name])}", core(chunk))
    return ok("left out where there is nothing new")


def _stream_arguments(sight: Sight) -> Finding:
    """Put together as a careful client does: a new id begins a new call."""
    if sight.finish_reason == "length":
        return unknown("cut off before it was whole")
    calls: List[str] = []
    place: Dict[Any, int] = {}
    for chunk, fragment in _fragments(sight):
        piece = _function(fragment).get("arguments")
        if not isinstance(piece, (str, type(None))):
            return fails(f"arguments is {kind_of(piece)}, not a string", core(chunk))
        key = (fragment.get("index"), fragment.get("id")) if fragment.get("id") else fragment.get("index")
        if fragment.get("id") and key not in place:
            calls.append("")
            place[key] = place[fragment.get("index")] = len(calls) - 1
        if not calls:
            return fails("the first fragment has no id", core(chunk))
        calls[place.get(key, len(calls) - 1)] += piece or ""
    found = [arguments_of(text, text) for text in calls]
    return next((finding for finding in found if finding.verdict != "ok"), found[0])


def _pieces(sight: Sight) -> Finding:
    fragments = [fragment for _, fragment in _fragments(sight)]
    calls = {fragment.get("id") for fragment in fragments if fragment.get("id")}
    if len(fragments) > len(calls):
        return ok(f"{len(fragments)} fragments")
    return fails("each call came in one piece", excerpt(fragments[0]))


def _result(sight: Sight) -> Finding:
    if sight.choices:
        return ok(sight.outcome)
    return fails(sight.outcome, excerpt(sight.body)) if sight.has_head else unknown(sight.outcome)


API = "API guide, Function calling"


def _check(probe: str, name: str, level: str, rule: str, need: Need, look: Look, breaks: str, cure: str) -> Check:
    return Check(name, "tools", level, rule, API, about(probe, need, look), breaks, cure)


CHECKS: Tuple[Check, ...] = (
    _check(
        "tools",
        "tools",
        SHOULD,
        "tool_choice required brings a call.",
        anything,
        _required,
        "agents: the tool is never called",
        "does the server know tools for this model? vLLM wants --enable-auto-tool-choice",
    ),
    _check(
        "tools",
        "call-fields",
        MUST,
        "A call has an id, type function, and a name that was offered.",
        _has_call,
        _names,
        "the result cannot be sent back: tool_call_id has nothing to name",
        "make an id for each call",
    ),
    _check(
        "tools",
        "call-arguments",
        MUST,
        "arguments is a string that holds a JSON object.",
        _has_call,
        _arguments,
        "json.loads(arguments): TypeError on an object",
        "encode it once more",
    ),
    _check(
        "tools",
        "call-finish",
        MUST,
        "finish_reason is tool_calls where tools are called.",
        _has_call,
        _finish,
        "agents that look at it take the turn for finished, and run no tool",
        "set it wherever there are calls",
    ),
    _check(
        "tools-stream",
        "tools-stream",
        SHOULD,
        "Tools are called in a stream as well.",
        anything,
        _stream_required,
        "agents that stream, as most do",
        "some servers parse calls only from whole answers",
    ),
    _check(
        "tools-stream",
        "fragment-index",
        MUST,
        "Each fragment of a call has its index.",
        _has_fragments,
        _index,
        "openai-python's .stream(): TypeError; others put two calls into one",
        "count calls from 0",
    ),
    _check(
        "tools-stream",
        "fragment-distinct",
        MUST,
        "Each call has an index of its own.",
        _has_fragments,
        _distinct,
        "arguments of two calls are put together into one that is no JSON",
        "Ollama had 0 for all; count up",
    ),
    _check(
        "tools-stream",
        "fragment-once",
        MUST,
        "id and name come once for each call.",
        _has_fragments,
        _once,
        "openai-python puts them together: call_1call_1, get_weatherget_weather",
        "in the first fragment alone",
    ),
    _check(
        "tools-stream",
        "fragment-blanks",
        SHOULD,
        "Later fragments have no blank id or name.",
        _has_fragments,
        _blanks,
        "clients that take any id for the start of a new call",
        "leave out what is not new",
    ),
    _check(
        "tools-stream",
        "fragment-arguments",
        MUST,
        "The fragments' arguments make a JSON object.",
        _has_fragments,
        _stream_arguments,
        "json.loads(arguments)",
        "send strings; nothing may be lost between them",
    ),
    _check(
        "tools-stream",
        "fragment-pieces",
        QUIRK,
        "Arguments come in pieces.",
        _has_fragments,
        _pieces,
        "nobody; long arguments are waited for",
        "Gemini and others parse first and send then",
    ),
    _check(
        "tools-stream",
        "fragment-finish",
        MUST,
        "finish_reason is tool_calls at the stream's end.",
        _has_fragments,
        _finish,
        "agents that look at it take the turn for finished, and run no tool",
        "set it wherever there are calls",
    ),
    _check(
        "tool-result",
        "tool-result",
        MUST,
        "A conversation with a tool's result is taken.",
        anything,
        _result,
        "agents, at the second step",
        "content: null beside tool_calls is right; the chat template may not know the role tool",
    ),
)
