"""Checks of the chunks of a stream: ids, choices, deltas, roles, finish_reason, usage."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from .answer_checks import FINISH_REASONS, is_number, kind_of, usage_of
from .rule import (
    MUST,
    QUIRK,
    SHOULD,
    Check,
    Finding,
    about,
    anything,
    fails,
    ok,
    stream_bytes,
    stream_chunks,
    unknown,
    whole_stream,
)
from .sight import Sight, core, excerpt, quoted

Json = Dict[str, Any]


def _stream(sight: Sight) -> Finding:
    if sight.status != 200:
        return fails(sight.outcome, excerpt(sight.body))
    count = sum(1 for _ in sight.stream_choices())
    if sight.is_events and count:
        return ok(f"{len(sight.chunks)} chunks")
    if not sight.body:
        return fails("a 200 with an empty body", "(no byte of it)")
    what = "one whole answer, and no stream" if sight.choices else "no chunk with choices"
    return fails(what, excerpt(sight.body))


def _talking(sight: Sight) -> List[Json]:
    """Chunks that have something to say about a choice."""
    return [chunk for chunk in sight.chunks if chunk.get("choices")]


def _object(sight: Sight) -> Finding:
    for chunk in _talking(sight):
        if chunk.get("object") != "chat.completion.chunk":
            return fails(f"object is {quoted(chunk.get('object'))}", excerpt(chunk))
    return ok("chat.completion.chunk")


def _same(name: str, fits: Any) -> Any:
    """A look at one field that is to be right, and the same in every chunk."""

    def look(sight: Sight) -> Finding:
        chunks = _talking(sight)
        wrong = [chunk for chunk in chunks if not fits(chunk.get(name))]
        if wrong:
            return fails(f"{name} is {quoted(wrong[0].get(name))} in {len(wrong)} chunks", excerpt(wrong[0]))
        values = list(dict.fromkeys(chunk[name] for chunk in chunks))
        if len(values) > 1:
            return fails(f"{len(values)} different ones in {len(chunks)} chunks", excerpt(values[:3]))
        return ok(excerpt(values[0], 60))

    return look


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _choices(sight: Sight) -> Finding:
    for chunk in sight.chunks:
        if "choices" in chunk and not isinstance(chunk["choices"], list):
            return fails(f"choices is {kind_of(chunk['choices'])}", excerpt(chunk))
    return ok(f"a list in {len(sight.chunks)} chunks")


def _others(sight: Sight) -> Finding:
    events = [document for timed, document in sight.parsed if timed.event.event != "error"]
    strange = [chunk for chunk in events if isinstance(chunk, dict) and "choices" not in chunk]
    strange = [chunk for chunk in strange if not chunk.get("error") and chunk.get("object") != "error"]
    return fails(f"{len(strange)} events without choices", excerpt(strange[0])) if strange else ok("chunks alone")


def _empty(sight: Sight) -> Finding:
    """`choices: []` belongs to the chunk that brings the usage."""
    found = [chunk for chunk in sight.chunks if chunk.get("choices") == [] and not chunk.get("usage")]
    return fails(f"{len(found)} chunks without a choice", excerpt(found[0])) if found else ok("only for usage")


def _index(sight: Sight) -> Finding:
    for chunk, choice in sight.stream_choices():
        if not is_number(choice.get("index")):
            return fails(f"index is {kind_of(choice.get('index'))}", core(chunk))
    return ok("a number in each")


def _delta(sight: Sight) -> Finding:
    for chunk, choice in sight.stream_choices():
        if not isinstance(choice.get("delta"), dict):
            what = "null" if "delta" in choice else "missing"
            return fails(f"delta is {what}", core(chunk))
    return ok("an object in each")


def _content(sight: Sight) -> Finding:
    for chunk, delta in sight.deltas():
        if not isinstance(delta.get("content"), (str, type(None))):
            return fails(f"content is {kind_of(delta['content'])}", core(chunk))
    return ok("strings")


def _roles(sight: Sight) -> List[Any]:
    return [delta["role"] for _, delta in sight.deltas() if delta.get("role")]


def _role_once(sight: Sight) -> Finding:
    roles = _roles(sight)
    if len(roles) <= 1:
        return ok(f"{len(roles)} time")
    second = [chunk for chunk, delta in sight.deltas() if delta.get("role")][1]
    return fails(f"{len(roles)} times", core(second))


def _role_first(sight: Sight) -> Finding:
    first = next((delta for _, delta in sight.deltas()), {})
    return ok("assistant") if first.get("role") == "assistant" else fails("not in the first delta", excerpt(first))


def _nulls(sight: Sight) -> Finding:
    """The first delta may have them: OpenAI's own says `"refusal": null`."""
    for number, (chunk, delta) in enumerate(sight.deltas()):
        empty = [name for name, value in delta.items() if value is None]
        if number and empty:
            return fails(f"{', '.join(map(excerpt, empty))} as null", core(chunk))
    return ok("none")


def _delta_of(choice: Json) -> Json:
    delta = choice.get("delta")
    return delta if isinstance(delta, dict) else {}


def _strays(sight: Sight) -> Finding:
    known = {"role", "content", "refusal", "tool_calls", "function_call", "audio"}
    for chunk, choice in sight.stream_choices():
        strange = set(_delta_of(choice)) - known
        strange |= set(choice) - {"index", "delta", "finish_reason", "logprobs"}
        if strange:
            return fails(f"{', '.join(sorted(strange))}", core(chunk))
    return ok("none")


# --- finish_reason


def _reasons(sight: Sight) -> List[Any]:
    return [choice["finish_reason"] for _, choice in sight.stream_choices() if choice.get("finish_reason") is not None]


def _finish(sight: Sight) -> Finding:
    if sight.finish_reason:
        return ok(excerpt(sight.finish_reason))
    return fails("none in any chunk", core(_talking(sight)[-1]))


def _finish_known(sight: Sight) -> Finding:
    strange = [reason for reason in _reasons(sight) if reason not in FINISH_REASONS]
    if not _reasons(sight):
        return unknown("no finish_reason")
    return fails(f"it is {quoted(strange[0])}", excerpt(strange)) if strange else ok(excerpt(_reasons(sight)[-1]))


def _finish_once(sight: Sight) -> Finding:
    reasons = [reason for reason in _reasons(sight) if reason in FINISH_REASONS]
    if len(reasons) > 1:
        return fails(f"{len(reasons)} times", excerpt(reasons))
    after = False
    for chunk, choice in sight.stream_choices():
        if after and _delta_of(choice).get("content"):
            return fails("text after it", core(chunk))
        after = after or bool(choice.get("finish_reason") in FINISH_REASONS)
    return ok("once") if reasons else unknown("no finish_reason of the known ones")


def _finish_key(sight: Sight) -> Finding:
    missing = [chunk for chunk, choice in sight.stream_choices() if "finish_reason" not in choice]
    return fails(f"no such key in {len(missing)} chunks", core(missing[0])) if missing else ok("null before the last")


# --- usage


def _asked_for_usage(sight: Sight) -> bool:
    payload = sight.exchange.payload
    options = payload.get("stream_options") if isinstance(payload, dict) else None
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _usage(sight: Sight) -> Finding:
    if not _asked_for_usage(sight) and not sight.usage:
        return fails("stream_options was refused, and no usage came")
    last = sight.chunks[-1]
    return usage_of(sight.usage, last)


def _usage_place(sight: Sight) -> Finding:
    """A chunk of its own, after all others, with `choices: []`."""
    if not sight.usage:
        return unknown("no usage came")
    chunks = [chunk for chunk in sight.chunks if "choices" in chunk]
    places = [number for number, chunk in enumerate(chunks) if chunk.get("usage")]
    if not places:
        holder = next((chunk for chunk in sight.chunks if _hidden_usage(chunk)), sight.chunks[-1])
        return fails("not at the top of its chunk", core(holder))
    if len(places) > 1:
        return fails(f"in {len(places)} chunks", core(chunks[places[0]]))
    chunk = chunks[places[0]]
    if places[0] != len(chunks) - 1:
        return fails(f"in chunk {places[0] + 1} of {len(chunks)}", core(chunk))
    return ok("the last chunk") if chunk.get("choices") == [] else fails("beside choices", core(chunk))


def _hidden_usage(chunk: Json) -> bool:
    choices = chunk.get("choices")
    inner = [chunk.get("x_groq"), chunk, *(choices if isinstance(choices, list) else ())]
    return any(isinstance(place, dict) and place.get("usage") for place in inner)


API = "API reference, The chat completion chunk object"


def _check(name: str, level: str, rule: str, need: Any, look: Any, breaks: str, cure: str) -> Check:
    return Check(name, "stream", level, rule, API, about("stream", need, look), breaks, cure)


CHECKS: Tuple[Check, ...] = (
    _check(
        "stream",
        MUST,
        "stream: true is answered with chunks.",
        anything,
        _stream,
        "openai-python sees an empty stream and no error",
        "does the server stream this model? see what it said",
    ),
    _check(
        "chunk-object",
        SHOULD,
        "object is chat.completion.chunk.",
        stream_chunks,
        _object,
        "openai-python's .stream() skips every other chunk, or stops with an AssertionError",
        "send it in each chunk",
    ),
    _check(
        "chunk-id",
        SHOULD,
        "All chunks have the same id.",
        stream_chunks,
        _same("id", _is_text),
        "clients that tell answers apart by id: each chunk is a new message",
        "make it once for an answer",
    ),
    _check(
        "chunk-created",
        SHOULD,
        "All chunks have the same created.",
        stream_chunks,
        _same("created", is_number),
        "typed clients refuse other types; logs disagree",
        "take the time once for an answer, in Unix seconds",
    ),
    _check(
        "chunk-model",
        QUIRK,
        "All chunks name the same model.",
        stream_chunks,
        _same("model", _is_text),
        "cost trackers that price by the answer's model",
        "send it in each chunk",
    ),
    _check(
        "chunk-choices",
        MUST,
        "choices is a list.",
        stream_bytes,
        _choices,
        "openai-python: 'NoneType' object is not iterable",
        "[] where there is nothing to say",
    ),
    _check(
        "other-events",
        SHOULD,
        "Every event is a chunk.",
        stream_bytes,
        _others,
        "chunk.choices[0] in every second program: TypeError, because choices is None there",
        "send pings as comments",
    ),
    _check(
        "empty-choices",
        SHOULD,
        "Only the chunk with the usage has no choices.",
        stream_chunks,
        _empty,
        "chunk.choices[0] in every second program: IndexError",
        "Azure's filter sends them; leave them out",
    ),
    _check(
        "choice-index",
        SHOULD,
        "Each choice has its index.",
        stream_chunks,
        _index,
        "clients that put choices together by index",
        "0 where n is 1",
    ),
    _check(
        "choice-delta",
        MUST,
        "Each choice has a delta.",
        stream_chunks,
        _delta,
        "choice.delta.content: AttributeError in openai-python",
        "{} where there is nothing new",
    ),
    _check(
        "delta-content",
        MUST,
        "content is a string, or null.",
        stream_chunks,
        _content,
        "programs that join it: TypeError",
        "join the text parts before sending",
    ),
    _check(
        "role-once",
        SHOULD,
        "The role comes once.",
        stream_chunks,
        _role_once,
        "openai-python's .stream() puts roles together: assistantassistant",
        "in the first delta alone",
    ),
    _check(
        "role-first",
        QUIRK,
        "The first delta says the role.",
        stream_chunks,
        _role_first,
        "programs that store the message with the role that came",
        "role: assistant in the first delta",
    ),
    _check(
        "delta-nulls",
        QUIRK,
        "Fields that say nothing are left out.",
        stream_chunks,
        _nulls,
        "typed clients without null; bytes for nothing",
        "vLLM and SGLang send them; most clients cope",
    ),
    _check(
        "delta-strays",
        QUIRK,
        "There are no fields of the maker's own.",
        stream_chunks,
        _strays,
        "nobody fails; what stands there is lost to clients that do not know it",
        "good to know when text is missing",
    ),
    _check(
        "stream-finish",
        MUST,
        "A finish_reason comes.",
        whole_stream,
        _finish,
        "agents that wait for it; a cut answer cannot be told from a whole one",
        "send it in the last chunk of a choice",
    ),
    _check(
        "finish-known",
        SHOULD,
        f"It is one of {', '.join(FINISH_REASONS)}, and null before.",
        whole_stream,
        _finish_known,
        "clients stop at the first that is not null, or know a closed list only",
        'map eos and end_turn to stop, "" to null',
    ),
    _check(
        "finish-once",
        QUIRK,
        "It comes once, after all text.",
        whole_stream,
        _finish_once,
        "clients that stop there lose the rest; others count two answers",
        "one last chunk a choice",
    ),
    _check(
        "finish-key",
        QUIRK,
        "Before the last chunk it is null, and not left out.",
        stream_chunks,
        _finish_key,
        "choice['finish_reason']: KeyError",
        "send null",
    ),
    _check(
        "stream-usage",
        SHOULD,
        "usage comes when stream_options asks for it, and adds up.",
        whole_stream,
        _usage,
        "cost trackers count nothing, or guess",
        "honour stream_options.include_usage",
    ),
    _check(
        "usage-place",
        SHOULD,
        "It stands in a last chunk of its own, with choices [].",
        whole_stream,
        _usage_place,
        "clients that read it there; those that add up count it twice",
        "move it; null in all other chunks",
    ),
)
