"""Wrong or merely unusual streams, as functions from a list of documents to a list of documents.

A document is one server-sent event before it is written: a chunk (dict), the text of a data field ("[DONE]"), or Fields

    [{chunk}, {chunk}, "[DONE]"]   -- no_done -->   [{chunk}, {chunk}]

A whole reply goes through the same functions as a list of one. Each shape below was seen on a real server; the
docstring says whose. Pure: no bytes are written here (framing.py does that), no fault is chosen here (faults.py does).
"""

from __future__ import annotations

import copy
import json
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Tuple, Union


class Fields(NamedTuple):
    """An event written field by field: `(("event", "error"), ("data", "{}"))`. A field without a name is a comment."""

    lines: Tuple[Tuple[str, str], ...]


Document = Union[Dict[str, Any], str, Fields]
Edit = Callable[[List[Document], Any], List[Document]]
DONE = "[DONE]"
# Two, three and four bytes in UTF-8; the last one is a surrogate pair in UTF-16.
SPREAD = "é✅🎉"


def apply_edits(documents: Iterable[Document], edits: Iterable[Tuple[Edit, Any]]) -> List[Document]:
    """The documents after every edit, in order. What was given is left as it was."""
    edited = copy.deepcopy(list(documents))
    for edit, argument in edits:
        edited = edit(edited, argument)
    return edited


def compact_json(document: Any, *, ascii_only: bool = True) -> str:
    """JSON as OpenAI's servers write it: no space after comma and colon."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=ascii_only)


def chunks_in(documents: Iterable[Document]) -> Iterator[Dict[str, Any]]:
    return (document for document in documents if isinstance(document, dict))


def choices_in(documents: Iterable[Document]) -> Iterator[Dict[str, Any]]:
    for chunk in chunks_in(documents):
        yield from chunk.get("choices") or ()


def part_of(choice: Dict[str, Any]) -> Dict[str, Any]:
    """The delta of a chunk's choice, the message of a whole reply's; {} where there is neither."""
    return choice.get("delta") or choice.get("message") or {}


def text_in(documents: Iterable[Document]) -> str:
    """What a reader of the first choice has seen of the answer's text by the end of these documents."""
    pieces = (part_of(choice).get("content") for choice in choices_in(documents) if not choice.get("index"))
    return "".join(piece for piece in pieces if isinstance(piece, str))


def is_complete(documents: List[Document]) -> bool:
    """Whether a careful reader may take these documents for a whole answer: an end is there, and no error."""
    if any("error" in chunk or chunk.get("object") == "error" for chunk in chunks_in(documents)):
        return False
    if any(name == "error" or (name, value) == ("event", "error") for name, value in _fields_in(documents)):
        return False
    return DONE in documents or any(choice.get("finish_reason") for choice in choices_in(documents))


def _fields_in(documents: List[Document]) -> List[Tuple[str, str]]:
    return [line for document in documents if isinstance(document, Fields) for line in document.lines]


def _for_each_part(change: Callable[[Dict[str, Any]], None]) -> Edit:
    def edit(documents: List[Document], _: Any) -> List[Document]:
        for choice in choices_in(documents):
            part = part_of(choice)
            if part:
                change(part)
        return documents

    edit.__doc__ = change.__doc__
    return edit


def _for_each_chunk(change: Callable[[Dict[str, Any]], None]) -> Edit:
    def edit(documents: List[Document], _: Any) -> List[Document]:
        for chunk in chunks_in(documents):
            change(chunk)
        return documents

    edit.__doc__ = change.__doc__
    return edit


# Inserting and ending ------------------------------------------------------------------------------------------------


def insert(documents: List[Document], argument: Tuple[Any, ...]) -> List[Document]:
    """(N, document, ...): the documents stand after the first N events."""
    at, *added = argument
    return [*documents[:at], *added, *documents[at:]]


def stop_with(documents: List[Document], argument: Tuple[Any, ...]) -> List[Document]:
    """(N, document, ...): after N events come these documents, and nothing else."""
    at, *last = argument
    return [*documents[:at], *last]


def stop_with_choice_error(documents: List[Document], argument: Tuple[int, Dict[str, Any]]) -> List[Document]:
    """OpenRouter: the error stands beside a choice whose finish_reason is "error"."""
    at, error = argument
    first = next(chunks_in(documents), {})
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "error"}
    return [*documents[:at], {**first, "choices": [choice], "error": error}]


def between(documents: List[Document], added: Document) -> List[Document]:
    """The document before every event: pings, keep-alive comments, heartbeats."""
    return [document for pair in documents for document in (added, pair)]


def no_done(documents: List[Document], _: Any) -> List[Document]:
    """TGI, Gemini's OpenAI endpoint: the stream ends after the finish_reason."""
    return [document for document in documents if document != DONE]


# Choices and deltas --------------------------------------------------------------------------------------------------


def null_choices(documents: List[Document], at: int) -> List[Document]:
    """Relays: a chunk whose `choices` is null. A whole reply loses its choices."""
    if len(documents) == 1 and isinstance(documents[0], dict):
        return [{**documents[0], "choices": None}]
    return insert(documents, (at, {**next(chunks_in(documents), {}), "choices": None}))


def null_delta(documents: List[Document], _: Any) -> List[Document]:
    """Azure: in the chunk that carries the finish_reason, `delta` is null."""
    for choice in choices_in(documents):
        if choice.get("finish_reason"):
            choice["delta"] = None
    return documents


def no_delta(documents: List[Document], at: int) -> List[Document]:
    """Azure's asynchronous filter: a chunk whose choice has no delta at all."""
    first = next(chunks_in(documents), {})
    choice = {
        "index": 0,
        "finish_reason": None,
        "content_filter_results": {},
        "content_filter_offsets": {"check_offset": 0},
    }
    return insert(documents, (at, {**first, "choices": [choice]}))


@_for_each_chunk
def bare(chunk: Dict[str, Any]) -> None:
    """Relays: nothing but choices; no id, object, created, model, index, and no finish_reason until there is one."""
    for name in ("id", "object", "created", "model", "system_fingerprint", "service_tier"):
        chunk.pop(name, None)
    for choice in chunk.get("choices") or ():
        choice.pop("index", None)
        if choice.get("finish_reason", "") is None:
            del choice["finish_reason"]


def changing_ids(documents: List[Document], _: Any) -> List[Document]:
    """Relays: every chunk has an id of its own."""
    for number, chunk in enumerate(chunks_in(documents), 1):
        chunk["id"] = f"{chunk.get('id', '')}-{number}"
    return documents


@_for_each_part
def role_everywhere(part: Dict[str, Any]) -> None:
    """Perplexity, Together, Ollama: the role stands in every delta."""
    part["role"] = "assistant"


@_for_each_part
def nulls_everywhere(part: Dict[str, Any]) -> None:
    """vLLM, SGLang: every field that is not used is there, as null."""
    for name in ("role", "content", "reasoning_content", "refusal", "tool_calls", "function_call"):
        part.setdefault(name, None)


@_for_each_part
def content_parts(part: Dict[str, Any]) -> None:
    """Mistral's Magistral: content is a list of typed parts."""
    if part.get("content"):
        part["content"] = [{"type": "text", "text": part["content"]}]


def growing_message(documents: List[Document], _: Any) -> List[Document]:
    """Perplexity: beside the delta stands a `message` with all text so far."""
    text: Dict[int, str] = {}
    for choice in choices_in(documents):
        index = choice.get("index", 0)
        text[index] = text.get(index, "") + (part_of(choice).get("content") or "")
        choice["message"] = {"role": "assistant", "content": text[index]}
    return documents


def reasoning(documents: List[Document], names: Tuple[str, ...]) -> List[Document]:
    """DeepSeek says `reasoning_content`, OpenRouter `reasoning`, some gateways both: thoughts before the text."""
    thoughts = ("Let me ", "think.")
    first = next(chunks_in(documents), {})
    if "delta" not in next(choices_in(documents), {}):
        for choice in choices_in(documents):
            part_of(choice).update(dict.fromkeys(names, "".join(thoughts)))
        return documents
    added = [
        {
            **first,
            "choices": [
                {"index": 0, "delta": {"content": None, **dict.fromkeys(names, thought)}, "finish_reason": None}
            ],
        }
        for thought in thoughts
    ]
    return insert(documents, (1, *added))


# How it ends ---------------------------------------------------------------------------------------------------------


def no_finish(documents: List[Document], _: Any) -> List[Document]:
    """NVIDIA NIM, gateways: the text is whole, but no finish_reason ever comes."""
    for choice in choices_in(documents):
        choice["finish_reason"] = None
    return documents


def finish_empty(documents: List[Document], value: str) -> List[Document]:
    """Ollama and SGLang once sent "" (KoboldCpp "null") in every chunk before the last."""
    for choice in choices_in(documents):
        if not choice.get("finish_reason"):
            choice["finish_reason"] = value
    return documents


def finish_reason(documents: List[Document], value: str) -> List[Document]:
    """Together says "eos", TGI "eos_token", Anthropic through a relay "end_turn"."""
    for choice in choices_in(documents):
        if choice.get("finish_reason"):
            choice["finish_reason"] = value
    return documents


def finish_twice(documents: List[Document], _: Any) -> List[Document]:
    """Relays: the last chunk comes twice, then once more with null."""
    for at, document in enumerate(documents):
        if isinstance(document, dict) and any(choice.get("finish_reason") for choice in choices_in([document])):
            return insert(documents, (at + 1, copy.deepcopy(document), *no_finish([copy.deepcopy(document)], None)))
    return documents


# Usage ---------------------------------------------------------------------------------------------------------------


def _take_usage(documents: List[Document]) -> Tuple[List[Document], Dict[str, Any]]:
    """The documents without any usage (and without the chunk that came for its sake), and the usage."""
    usage: Dict[str, Any] = {}
    kept: List[Document] = []
    for document in documents:
        if isinstance(document, dict):
            usage = document.pop("usage", None) or usage
            if not document.get("choices"):
                continue
        kept.append(document)
    return kept, usage


def usage_nowhere(documents: List[Document], _: Any) -> List[Document]:
    """llama.cpp once, relays: asked for or not, no usage comes."""
    return _take_usage(documents)[0]


def usage_with_finish(documents: List[Document], _: Any) -> List[Document]:
    """Mistral: usage travels with the finish_reason, and no chunk of its own follows."""
    kept, usage = _take_usage(documents)
    for chunk in chunks_in(kept):
        if any(choice.get("finish_reason") for choice in choices_in([chunk])):
            chunk["usage"] = usage
    return kept


def usage_in_choice(documents: List[Document], _: Any) -> List[Document]:
    """Moonshot: usage stands inside the choice."""
    kept, usage = _take_usage(documents)
    for choice in choices_in(kept):
        if choice.get("finish_reason"):
            choice["usage"] = usage
    return kept


def usage_x_groq(documents: List[Document], _: Any) -> List[Document]:
    """Groq: usage stands under `x_groq`, in the chunk with the finish_reason."""
    kept, usage = _take_usage(documents)
    for chunk in chunks_in(kept):
        if any(choice.get("finish_reason") for choice in choices_in([chunk])):
            chunk["x_groq"] = {"id": "req_practice", "usage": usage}
    return kept


def usage_everywhere(documents: List[Document], _: Any) -> List[Document]:
    """vLLM's continuous usage, Perplexity: a running count in every chunk. The last one holds; a sum would be wrong."""
    kept, usage = _take_usage(documents)
    chunks = list(chunks_in(kept))
    prompt, completion = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    for number, chunk in enumerate(chunks, 1):
        so_far = completion * number // len(chunks)
        running = {"prompt_tokens": prompt, "completion_tokens": so_far, "total_tokens": prompt + so_far}
        chunk["usage"] = {**usage, **running}
    return kept


def usage_then_null(documents: List[Document], _: Any) -> List[Document]:
    """xAI through LiteLLM: usage in the first chunk, null in all that follow."""
    kept, usage = _take_usage(documents)
    for number, chunk in enumerate(chunks_in(kept)):
        chunk["usage"] = None if number else usage
    return kept


# Tool calls ----------------------------------------------------------------------------------------------------------


def _tool_fragments(documents: List[Document]) -> Iterator[Dict[str, Any]]:
    for choice in choices_in(documents):
        yield from part_of(choice).get("tool_calls") or ()


def tools_whole(documents: List[Document], _: Any) -> List[Document]:
    """Gemini's OpenAI endpoint: every call in one piece and without index; only the ids tell calls apart."""
    first: Dict[Tuple[int, int], Dict[str, Any]] = {}
    for choice in choices_in(documents):
        part = part_of(choice)
        kept = []
        for fragment in part.get("tool_calls") or ():
            key = (choice.get("index", 0), fragment.pop("index", len(first)))
            if key not in first:
                first[key] = fragment
                kept.append(fragment)
            else:
                first[key]["function"]["arguments"] += fragment.get("function", {}).get("arguments") or ""
        if "tool_calls" in part:
            part["tool_calls"] = kept
    # What carried only a continuation has nothing left to say.
    return [
        document
        for document in documents
        if not isinstance(document, dict) or [part_of(c) for c in choices_in([document])] != [{"tool_calls": []}]
    ]


def tools_no_index(documents: List[Document], _: Any) -> List[Document]:
    """Gemini 3: arguments in pieces, and no index; a piece without id continues the last call."""
    for fragment in _tool_fragments(documents):
        fragment.pop("index", None)
    return documents


def tools_index_zero(documents: List[Document], _: Any) -> List[Document]:
    """Ollama: calls come whole and every one has index 0; a new id starts a new call."""
    documents = tools_whole(documents, None)
    for fragment in _tool_fragments(documents):
        fragment["index"] = 0
    return documents


def tools_repeated(documents: List[Document], _: Any) -> List[Document]:
    """MiniMax on NVIDIA NIM: id and full name in every fragment."""
    known: Dict[int, Dict[str, Any]] = {}
    for fragment in _tool_fragments(documents):
        start = known.setdefault(fragment.get("index", 0), fragment)
        fragment["id"] = start.get("id")
        fragment["type"] = "function"
        fragment.setdefault("function", {})["name"] = start["function"].get("name")
    return documents


def tools_object(documents: List[Document], _: Any) -> List[Document]:
    """llama.cpp in March 2026: the arguments are a JSON object, not a string that holds one."""
    documents = tools_whole(documents, None)
    for number, fragment in enumerate(_tool_fragments(documents)):
        fragment["index"] = number
        fragment["function"]["arguments"] = json.loads(fragment["function"].get("arguments") or "{}")
    return documents


def tools_nulls(documents: List[Document], _: Any) -> List[Document]:
    """DashScope: in later fragments the id is "" and the name null."""
    for fragment in _tool_fragments(documents):
        fragment.setdefault("id", "")
        fragment.setdefault("function", {}).setdefault("name", None)
    return documents


# Characters ----------------------------------------------------------------------------------------------------------


@_for_each_part
def spread_text(part: Dict[str, Any]) -> None:
    """Characters of two, three and four bytes at the end of each piece of text, so that there is something to cut."""
    if isinstance(part.get("content"), str) and part["content"]:
        part["content"] += SPREAD


@_for_each_part
def separators_in_text(part: Dict[str, Any]) -> None:
    """U+2028, U+2029 and U+0085 inside the text: line ends to `str.splitlines`, ordinary characters to SSE."""
    if isinstance(part.get("content"), str) and part["content"]:
        part["content"] += "\u2028\u2029\x85"


def split_surrogates(documents: List[Document], _: Any) -> List[Document]:
    """JavaScript gateways that slice UTF-16: one half of an emoji ends a delta, the other begins the next."""
    parts = [part for part in map(part_of, choices_in(documents)) if part.get("content")]
    for before, after in zip(parts[::2], parts[1::2]):
        before["content"] += "\ud83c"
        after["content"] = "\udf89" + after["content"]
    return documents


def glued(documents: List[Document], at: int) -> List[Document]:
    """Z.AI under load: one frame is cut off and the next glued on. What is lost cannot be found again."""
    first, second = documents[at : at + 1], documents[at + 1 : at + 2]
    if not (first and second and isinstance(first[0], dict) and isinstance(second[0], dict)):
        return documents
    start, rest = compact_json(first[0]), compact_json(second[0])
    return [*documents[:at], start[: len(start) // 2] + "data: " + rest, *documents[at + 2 :]]
