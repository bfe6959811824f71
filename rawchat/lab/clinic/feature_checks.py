"""Checks of what a server offers beyond plain answers: parameters, JSON modes, embeddings."""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Tuple

from ...protocol.check import first_problem
from .answer_checks import CREATE_API, entries_of, is_number, kind_of
from .probes import CITY_SCHEMA, stop_word
from .rule import QUIRK, SHOULD, Check, Evidence, Finding, about, anything, fails, good_status, ok, unknown
from .sight import Sight, excerpt, quoted

# --- parameters


def _taken(evidence: Evidence) -> Optional[Finding]:
    if "chat" not in evidence.sights:
        return None
    return fails("; ".join(evidence.notes)) if evidence.notes else ok("max_tokens, temperature, stream_options")


def _limit(sight: Sight) -> Finding:
    if not sight.choices:
        return fails(f"refused: {sight.outcome}", excerpt(sight.body)) if sight.has_head else unknown(sight.outcome)
    said: Any = sight.usage.get("completion_tokens")
    reason = sight.finish_reason
    count: int = said if is_number(said) else -1
    if count > 5:
        return fails(f"{count} tokens, though 5 were the limit", excerpt({"usage": sight.usage}))
    if reason == "length":
        return ok(f"{count if count >= 0 else 'not more than 5'} tokens, finish_reason length")
    if 0 <= count < 5:
        return unknown(f"the answer was over after {count} tokens")
    words = len(sight.answer_text.split())
    if words > 5 or count >= 0:
        return fails(f"cut or ignored, and finish_reason is {quoted(reason)}", excerpt(sight.choices[0]))
    return unknown("no usage to count by, and a short answer")


def _n(sight: Sight) -> Finding:
    if not sight.choices:
        return ok(f"refused, not ignored: {sight.outcome}") if 400 <= sight.status < 500 else unknown(sight.outcome)
    indices = [choice.get("index") for choice in sight.choices]
    if indices == [0, 1]:
        return ok("2 choices")
    return fails(f"{len(indices)} choices of index {excerpt(indices)}, asked for 2", excerpt(sight.body))


def _stop(evidence: Evidence) -> Optional[Finding]:
    sight, word = evidence.sights.get("stop"), stop_word(evidence.sights)
    if sight is None:
        return None
    if not sight.choices:
        return ok(f"refused, not ignored: {sight.outcome}") if 400 <= sight.status < 500 else unknown(sight.outcome)
    text, whole = sight.answer_text, evidence.sights["chat"].answer_text
    if word in text:
        return fails(f"the stop word {word!r} stands in the answer", excerpt(text))
    if len(text) < len(whole):
        return ok(f"stopped before {word!r}")
    return unknown("another answer than before, without the stop word")


# --- JSON


def _object_mode(sight: Sight) -> Finding:
    return _parsed(sight, {"type": "object"})


def _schema_mode(sight: Sight) -> Finding:
    return _parsed(sight, CITY_SCHEMA)


def _parsed(sight: Sight, schema: Dict[str, Any]) -> Finding:
    """The content as JSON of that schema. A server that offers the mode constrains the model, so wit plays no part."""
    if not sight.choices:
        return fails(f"refused: {sight.outcome}", excerpt(sight.body)) if sight.has_head else unknown(sight.outcome)
    if sight.finish_reason == "length" or sight.message.get("refusal"):
        return unknown("cut off or refused before it was whole")
    try:
        value = json.loads(sight.answer_text)
    except ValueError:
        return fails("ignored: the content is no JSON", excerpt(sight.answer_text) or "(empty)")
    problem = first_problem(value, schema)
    return fails(f"ignored: {problem}", excerpt(sight.answer_text)) if problem else ok("fits")


# --- embeddings


def _embeddings(sight: Sight) -> Finding:
    if sight.status != 200:
        return fails(sight.outcome, excerpt(sight.body))
    entries = entries_of(sight)
    if len(entries) != 2:
        return fails(f"{len(entries)} vectors for 2 texts", excerpt(sight.body))
    for place, entry in enumerate(entries):
        vector = entry.get("embedding")
        if not isinstance(vector, list) or not vector:
            return fails(f"vector {place} is {kind_of(vector)}", excerpt(entry))
        if not all(isinstance(figure, (int, float)) for figure in vector):
            return fails(f"vector {place} holds {kind_of(vector[0])}, not numbers", excerpt(entry))
        if entry.get("index") != place:
            return fails(f"index of vector {place} is {quoted(entry.get('index'))}", excerpt(entry))
    sizes = {len(entry["embedding"]) for entry in entries}
    return ok(f"2 of {sizes.pop()} numbers") if len(sizes) == 1 else fails(f"vectors of {sorted(sizes)} numbers")


def _embedding_usage(sight: Sight) -> Finding:
    usage = sight.usage
    wrong = [name for name in ("prompt_tokens", "total_tokens") if not is_number(usage.get(name))]
    return (
        fails(f"usage without {', '.join(wrong)}", excerpt(usage)) if wrong else ok(f"{usage['total_tokens']} tokens")
    )


def _base64(sight: Sight) -> Finding:
    from base64 import b64decode

    if sight.status != 200:
        return fails(f"refused: {sight.outcome}", excerpt(sight.body))
    vector = entries_of(sight)[0].get("embedding") if entries_of(sight) else None
    if not isinstance(vector, str):
        return fails(f"ignored: the vector is {kind_of(vector)}", excerpt(sight.body, 80))
    try:
        size = len(b64decode(vector, validate=True))
    except ValueError:
        return fails("no base64", excerpt(vector, 80))
    return (
        ok(f"{size // 4} numbers of 4 bytes") if size and size % 4 == 0 else fails(f"{size} bytes", excerpt(vector, 80))
    )


EMBEDDINGS_API = "API reference, Embeddings"
JSON_API = "API guide, Structured outputs"

CHECKS: Tuple[Check, ...] = (
    Check(
        "parameters",
        "parameters",
        QUIRK,
        "max_tokens, temperature and stream_options are taken.",
        CREATE_API,
        _taken,
        "older clients that send max_tokens; all that set a temperature",
        "reasoning models want max_completion_tokens and no temperature",
    ),
    Check(
        "max-tokens",
        "parameters",
        SHOULD,
        "A limit of tokens is kept, and finish_reason says length.",
        CREATE_API,
        about("limit", anything, _limit),
        "answers longer and dearer than was asked for; a cut answer taken for a whole one",
        "honour both names, max_tokens and max_completion_tokens",
    ),
    Check(
        "n",
        "parameters",
        SHOULD,
        "n is honoured or refused, and not ignored in silence.",
        CREATE_API,
        about("n", anything, _n),
        "programs that compare choices: IndexError, or one opinion taken for many",
        "answer 400 where only one choice can be made",
    ),
    Check(
        "stop",
        "parameters",
        SHOULD,
        "A stop sequence ends the answer and is not part of it.",
        CREATE_API,
        _stop,
        "agents that parse up to a marker",
        "cut before the sequence, also where it spans tokens",
    ),
    Check(
        "json-object",
        "json",
        SHOULD,
        "response_format json_object gives a JSON object.",
        JSON_API,
        about("json-object", anything, _object_mode),
        "json.loads in every program that asked for JSON",
        "constrain the decoding, or answer 400",
    ),
    Check(
        "json-schema",
        "json",
        SHOULD,
        "response_format json_schema gives JSON that fits the schema.",
        JSON_API,
        about("json-schema", anything, _schema_mode),
        "openai-python's parse(): ValidationError",
        "constrain the decoding, or answer 400; json_object until then",
    ),
    Check(
        "embeddings",
        "embeddings",
        SHOULD,
        "Two texts give two flat vectors of numbers, in order.",
        EMBEDDINGS_API,
        about("embeddings", anything, _embeddings),
        "every client of embeddings",
        "is it an embedding model? a vector per token has to be pooled into one",
    ),
    Check(
        "embedding-usage",
        "embeddings",
        SHOULD,
        "usage says what the embeddings took.",
        EMBEDDINGS_API,
        about("embeddings", good_status, _embedding_usage),
        "cost trackers",
        "count in the server",
    ),
    Check(
        "embedding-base64",
        "embeddings",
        QUIRK,
        "encoding_format base64 is honoured.",
        EMBEDDINGS_API,
        about("embeddings-base64", anything, _base64),
        "nobody fails: openai-python asks for base64 unless told otherwise, and takes a list as well",
        "four times as many bytes as needed",
    ),
)
