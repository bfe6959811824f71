"""A valid request in, the practice server's answer out: completions, chunks, embeddings, models, as JSON values.

    chat({"model": "gpt-4o-mini", ...}, id="chatcmpl-1", created=0)   ->   {"object": "chat.completion", ...}
    chat_chunks(the same)   ->   [{"object": "chat.completion.chunk", ...}, ...], which joined are the same answer

Chooses no status and opens no socket; whether a request is valid is `validation`'s business, and the functions here
may assume it. Deterministic: the same body gives the same answer, streamed or not. Where it differs from the real
API, on purpose:

- `cached_tokens` is always 0: nothing is cached here.
- `obfuscation`, which the real API adds to chunks unless told not to, comes only where
  `stream_options.include_obfuscation` is true.
- tokens are this server's own (see `counting`); logprobs are plausible figures, not probabilities of anything.
- a structured answer is refused (`message.refusal`) where the user's message contains the word "refuse", so that one
  can see it.
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import zip_longest
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import lessons
from .calls import Call, choose_calls
from .counting import count_prompt, count_prompt_audio, count_tokens, split_tokens
from .samples import sample_value, words_of
from .vectors import as_base64, as_floats, embed

__all__ = [
    "MODELS",
    "Model",
    "chat",
    "chat_chunks",
    "count_tokens",
    "embeddings",
    "find_model",
    "list_models",
    "retrieve_model",
    "split_tokens",
]

Json = Dict[str, Any]


class Model(NamedTuple):
    """A practice model. `snapshot` is the dated name that answers carry, as at OpenAI; times are Unix seconds."""

    id: str
    snapshot: str
    created: int
    kind: str  # chat, reasoning or embedding
    context_tokens: int
    output_tokens: int
    dimensions: int = 0


# Windows and dates as OpenAI publishes them, gpt-6-sol's excepted (assumed as gpt-5's). "practice" is our own, with a
# window that a dozen pages overflow: to see context_length_exceeded without sending a book.
MODELS: Tuple[Model, ...] = (
    Model("practice", "practice", 1763683200, "chat", 8_192, 4_096),
    Model("gpt-4o-mini", "gpt-4o-mini-2024-07-18", 1721172741, "chat", 128_000, 16_384),
    Model("gpt-4o", "gpt-4o-2024-08-06", 1715367049, "chat", 128_000, 16_384),
    Model("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1744318173, "chat", 1_047_576, 32_768),
    Model("gpt-5-mini", "gpt-5-mini-2025-08-07", 1754425928, "reasoning", 400_000, 128_000),
    Model("gpt-6-sol", "gpt-6-sol", 1788220800, "reasoning", 400_000, 128_000),
    Model("o4-mini", "o4-mini-2025-04-16", 1744225351, "reasoning", 200_000, 100_000),
    Model("text-embedding-3-small", "text-embedding-3-small", 1705948997, "embedding", 8_192, 0, 1536),
    Model("text-embedding-3-large", "text-embedding-3-large", 1705953180, "embedding", 8_192, 0, 3072),
)
REASONING_TOKENS = {"none": 0, "minimal": 0, "low": 64, "medium": 192, "high": 448, "xhigh": 960, "max": 1984}
FINGERPRINT = "fp_practice1"
REFUSAL = "I refuse, since the word stood in your message: this is what a refusal looks like."
# Other tokens that might have come at a place, for top_logprobs.
# fmt: off
ALTERNATIVES = (
    " the", " a", ",", " and", ".", " of", " to", " is", " in", " it",
    "\n", " that", " one", " as", " with", " for", " on", "-", " The", " so", " or",
)
# fmt: on


def find_model(name: str) -> Optional[Model]:
    """The row for a model name or its dated snapshot. A name under "fault/" is gpt-4o-mini with a fault."""
    wanted = "gpt-4o-mini" if name.startswith("fault/") else name
    return next((model for model in MODELS if wanted in (model.id, model.snapshot)), None)


def _model_object(name: str, model: Model) -> Json:
    return {"id": name, "object": "model", "created": model.created, "owned_by": "system"}


def list_models(created: Optional[int] = None) -> Json:
    """GET /models. `created`, if given, is the date of our own model (the server's start)."""
    ours = MODELS[0]._replace(created=MODELS[0].created if created is None else created)
    names = [(name, model) for model in (ours, *MODELS[1:]) for name in dict.fromkeys((model.id, model.snapshot))]
    return {"object": "list", "data": [_model_object(name, model) for name, model in names]}


def retrieve_model(name: str) -> Optional[Json]:
    """GET /models/{name}; None where there is no such model."""
    model = find_model(name)
    return _model_object(name, model) if model else None


class Draft(NamedTuple):
    """What one choice says, before it is put into the shape of a message or of deltas."""

    text: Optional[str]
    calls: Sequence[Call]
    finish_reason: str
    reasoning_tokens: int = 0
    is_refusal: bool = False


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def _seed(body: Mapping[str, Any]) -> str:
    """One figure for all that may influence the answer; whether and how it is streamed may not."""
    lasting = {key: value for key, value in body.items() if key not in ("stream", "stream_options", "user", "metadata")}
    return _digest(json.dumps(lasting, sort_keys=True))


def _drafts(body: Mapping[str, Any], model: Model) -> List[Draft]:
    # At temperature 0 all choices are the likeliest one.
    vary = body.get("temperature") != 0
    return [_draft(body, model, number if vary else 0) for number in range(body.get("n") or 1)]


def _draft(body: Mapping[str, Any], model: Model, variant: int) -> Draft:
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or model.output_tokens
    wanted = REASONING_TOKENS[body.get("reasoning_effort") or "medium"] if model.kind == "reasoning" else 0
    reasoning = min(wanted, limit)
    calls = choose_calls(body)
    if calls:
        kept, is_cut = _cut_calls(calls, limit - reasoning)
        asked_old_way = bool(body.get("functions")) and not body.get("tools")
        finish = "length" if is_cut else "function_call" if asked_old_way else "tool_calls"
        return Draft(None, kept, finish, reasoning)
    text, is_refusal = _text(body, variant)
    text = _stopped(text, body.get("stop"))
    tokens = split_tokens(text)
    room = max(0, limit - reasoning)
    return Draft("".join(tokens[:room]), (), "length" if len(tokens) > room else "stop", reasoning, is_refusal)


def _text(body: Mapping[str, Any], variant: int) -> Tuple[str, bool]:
    """(the whole text, whether it is a refusal)."""
    messages = body["messages"]
    form = body.get("response_format") or {}
    said = lessons.last_user_text(messages)
    if form.get("type") == "json_schema":
        if "refuse" in said.lower().split():
            return REFUSAL, True
        schema = form["json_schema"].get("schema") or {"type": "object"}
        return json.dumps(sample_value(schema, words_of(said)), ensure_ascii=False, separators=(",", ":")), False
    text = lessons.answer(messages, variant)
    if form.get("type") == "json_object":
        return json.dumps({"answer": text, "question": said}, ensure_ascii=False), False
    return text, False


def _stopped(text: str, stop: Any) -> str:
    """`text` up to the first stop sequence; the sequence itself is never sent."""
    sequences = [stop] if isinstance(stop, str) else stop or []
    spots = [text.find(sequence) for sequence in sequences if sequence]
    return text[: min((spot for spot in spots if spot >= 0), default=len(text))]


def _cut_calls(calls: Sequence[Call], limit: int) -> Tuple[List[Call], bool]:
    """As much of the calls as `limit` tokens allow: the last one may end in the middle of its JSON."""
    kept: List[Call] = []
    for call in calls:
        limit -= count_tokens(call.name)
        pieces = split_tokens(call.arguments)
        kept.append(call._replace(arguments="".join(pieces[: max(0, limit)])))
        limit -= len(pieces)
        if limit < 0:
            return kept, True
    return kept, False


def _call_id(seed: str, choice: int, number: int) -> str:
    return "call_" + _digest(seed, choice, number)[:24]


def _call_object(call: Call, call_id: str) -> Json:
    if call.is_custom:
        return {"id": call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _message(draft: Draft, body: Mapping[str, Any], seed: str, choice: int) -> Json:
    refused = draft.is_refusal
    message: Json = {
        "role": "assistant",
        "content": None if refused else draft.text,
        "refusal": draft.text if refused else None,
        "annotations": [],
    }
    if draft.calls and not body.get("tools"):
        message["function_call"] = {"name": draft.calls[0].name, "arguments": draft.calls[0].arguments}
    elif draft.calls:
        message["tool_calls"] = [
            _call_object(call, _call_id(seed, choice, number)) for number, call in enumerate(draft.calls)
        ]
    return message


def _token_logprob(token: str, place: str, top: int) -> Json:
    """Made up from a hash: mostly near 0, sometimes unsure, the alternatives in falling order below it."""
    unsure = int(_digest(place, token)[:8], 16) / 0xFFFFFFFF
    shown = [(token, round(-0.0001 - 1.5 * unsure**6, 6))]
    rest = 1 - math.exp(shown[0][1])
    for other in (alternative for alternative in ALTERNATIVES if alternative != token):
        rest /= 2
        shown.append((other, round(min(shown[-1][1], math.log(rest)) - 0.01, 6)))
    described = [
        {"token": word, "logprob": figure, "bytes": list(word.encode("utf-8"))} for word, figure in shown[: max(1, top)]
    ]
    return {**described[0], "top_logprobs": described if top else []}


def _logprobs(
    body: Mapping[str, Any], tokens: Sequence[str], seed: str, choice: int, start: int, is_refusal: bool
) -> Optional[Json]:
    """The logprobs object for tokens of the answer that begin at place `start`; None where not asked for."""
    if not body.get("logprobs"):
        return None
    top = body.get("top_logprobs") or 0
    described = [_token_logprob(token, f"{seed} {choice} {start + place}", top) for place, token in enumerate(tokens)]
    return {"content": None if is_refusal else described, "refusal": described if is_refusal else None}


def _head(body: Mapping[str, Any], model: Model, id: str, created: int, kind: str) -> Json:
    tier = body.get("service_tier")
    return {
        "id": id,
        "object": kind,
        "created": created,
        "model": model.snapshot,
        "service_tier": "default" if tier in (None, "auto") else tier,
        "system_fingerprint": FINGERPRINT,
    }


def _known_model(body: Mapping[str, Any]) -> Model:
    model = find_model(body["model"])
    if model is None:
        raise ValueError(f"no practice model is called {body['model']!r}; validation.check_chat refuses it with 404")
    return model


def _predicted(body: Mapping[str, Any], draft: Draft) -> Tuple[int, int]:
    """(accepted, rejected) tokens of a `prediction`: the common beginning with the answer, and the rest."""
    prediction = split_tokens(lessons.text_of((body.get("prediction") or {}).get("content")))
    pairs = zip(prediction, split_tokens(draft.text or ""))
    accepted = next((place for place, (left, right) in enumerate(pairs) if left != right), None)
    if accepted is None:
        accepted = min(len(prediction), count_tokens(draft.text or ""))
    return accepted, len(prediction) - accepted


def _usage(body: Mapping[str, Any], drafts: Sequence[Draft]) -> Json:
    """Reasoning and rejected prediction tokens are part of completion_tokens, as at OpenAI: they are billed."""
    prompt = count_prompt(body)
    written = sum(
        count_tokens(draft.text or "")
        + sum(count_tokens(call.name) + count_tokens(call.arguments) for call in draft.calls)
        for draft in drafts
    )
    reasoning = sum(draft.reasoning_tokens for draft in drafts)
    predicted = [_predicted(body, draft) for draft in drafts]
    rejected = sum(pair[1] for pair in predicted)
    completion = written + reasoning + rejected
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": count_prompt_audio(body)},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": sum(pair[0] for pair in predicted),
            "rejected_prediction_tokens": rejected,
        },
    }


def chat(body: Mapping[str, Any], *, id: str, created: int) -> Json:
    """The whole chat.completion for a valid request body. `created` in Unix seconds."""
    model, seed = _known_model(body), _seed(body)
    drafts = _drafts(body, model)
    choices = [
        {
            "index": number,
            "message": _message(draft, body, seed, number),
            "logprobs": _logprobs(body, split_tokens(draft.text), seed, number, 0, draft.is_refusal)
            if draft.text is not None
            else None,
            "finish_reason": draft.finish_reason,
        }
        for number, draft in enumerate(drafts)
    ]
    return {**_head(body, model, id, created, "chat.completion"), "choices": choices, "usage": _usage(body, drafts)}


def _call_deltas(draft: Draft, body: Mapping[str, Any], seed: str, choice: int) -> Iterator[Json]:
    """Id and name first with empty arguments, then the arguments in pieces, told apart by index."""
    old_way = not body.get("tools")
    for number, call in enumerate(draft.calls):
        whole = _call_object(call._replace(arguments=""), _call_id(seed, choice, number))
        yield {"function_call": whole["function"]} if old_way else {"tool_calls": [{"index": number, **whole}]}
        for piece in split_tokens(call.arguments):
            if old_way:
                yield {"function_call": {"arguments": piece}}
            elif call.is_custom:
                # OpenAI's chunk schema has no row for custom tools; this is the shape its server sends.
                yield {"tool_calls": [{"index": number, "custom": {"input": piece}}]}
            else:
                yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}


def _choice_chunks(draft: Draft, body: Mapping[str, Any], seed: str, choice: int) -> Iterator[Json]:
    """The `choices` entries of one choice, in order: role, pieces, finish."""
    first = {"role": "assistant", "content": None if draft.text is None or draft.is_refusal else "", "refusal": None}
    yield {"index": choice, "delta": first, "logprobs": None, "finish_reason": None}
    for place, token in enumerate(split_tokens(draft.text or "")):
        logprobs = _logprobs(body, [token], seed, choice, place, draft.is_refusal)
        delta = {"refusal" if draft.is_refusal else "content": token}
        yield {"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": None}
    for delta in _call_deltas(draft, body, seed, choice):
        yield {"index": choice, "delta": delta, "logprobs": None, "finish_reason": None}
    yield {"index": choice, "delta": {}, "logprobs": None, "finish_reason": draft.finish_reason}


def chat_chunks(body: Mapping[str, Any], *, id: str, created: int) -> List[Json]:
    """All chat.completion.chunk objects of the answer, in order; the server adds framing and [DONE].

    Choices come interleaved. With `stream_options.include_usage` a last chunk has `choices` [] and the usage, and all
    others carry `"usage": null`.
    """
    model, seed = _known_model(body), _seed(body)
    options = body.get("stream_options") or {}
    drafts = _drafts(body, model)
    head = _head(body, model, id, created, "chat.completion.chunk")
    no_usage: Json = {"usage": None} if options.get("include_usage") else {}
    rounds = zip_longest(*(_choice_chunks(draft, body, seed, number) for number, draft in enumerate(drafts)))
    chunks = [{**head, "choices": [entry], **no_usage} for entries in rounds for entry in entries if entry is not None]
    if options.get("include_usage"):
        chunks.append({**head, "choices": [], "usage": _usage(body, drafts)})
    if options.get("include_obfuscation"):
        chunks = [{**chunk, "obfuscation": _padding(chunk, seed, number)} for number, chunk in enumerate(chunks)]
    return chunks


def _padding(chunk: Json, seed: str, number: int) -> str:
    """Random-looking letters that bring chunks to like sizes, so that a listener cannot tell tokens by their length."""
    return _digest(seed, number)[: 16 - len(json.dumps(chunk["choices"])) % 16]


def embeddings(body: Mapping[str, Any]) -> Json:
    """The answer to POST /embeddings for a valid body."""
    model = _known_model(body)
    given = body["input"]
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    encode: Any = as_base64 if body.get("encoding_format") == "base64" else as_floats
    vectors = [embed(text, model.dimensions, body.get("dimensions") or model.dimensions) for text in inputs]
    tokens = sum(count_tokens(text) if isinstance(text, str) else len(text) for text in inputs)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": number, "embedding": encode(vector)}
            for number, vector in enumerate(vectors)
        ],
        "model": model.snapshot,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
