"""Is this request one that OpenAI's API would take? If not: the status and the error object it would answer with.

    check_chat({"model": "gpt-4o-mini", "messages": [], "temperature": "hot"})
    ->  400 {"message": "Invalid type for 'temperature': expected a decimal, but got a string instead.",
             "type": "invalid_request_error", "param": "temperature", "code": "invalid_type"}

Stops at the first fault. Most rules are rows of PARAMETERS; what needs more than a type and a range has a function in
CHECKS. Knows nothing of HTTP beyond the status, and answers nothing itself (see `answers`). Pure.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from .answers import Model, count_tokens, find_model
from .counting import count_prompt
from .messages import check_messages
from .refusals import (
    Refusal,
    Refused,
    bad_json,
    bad_key,
    listed,
    missing,
    refuse,
    too_long,
    unknown_model,
    unknown_path,
    wrong_method,
    wrong_type,
    wrong_value,
)
from .rules import Rule, check_value
from .tool_rules import check_function_call, check_response_format, check_tool_choice, check_tools

__all__ = [
    "PARAMETERS",
    "Refusal",
    "bad_json",
    "bad_key",
    "check_chat",
    "check_embeddings",
    "unknown_model",
    "unknown_path",
    "wrong_method",
]


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
# The API reference's list of request parameters (2026-11), in its order of the alphabet.
PARAMETERS: Dict[str, Rule] = {
    "audio": Rule("object"),
    "frequency_penalty": Rule("decimal", -2, 2),
    "function_call": Rule("text or object", nullable=False),
    "functions": Rule("objects", 1, 128, nullable=False),
    "logit_bias": Rule("object"),
    "logprobs": Rule("boolean"),
    "max_completion_tokens": Rule("integer", 1),
    "max_tokens": Rule("integer", 1),
    "messages": Rule("objects", 1, nullable=False),
    "metadata": Rule("object"),
    "modalities": Rule("array", 1),
    "model": Rule("string", nullable=False),
    "moderation": Rule("object"),
    "n": Rule("integer", 1, 128),
    "parallel_tool_calls": Rule("boolean", nullable=False),
    "prediction": Rule("object"),
    "presence_penalty": Rule("decimal", -2, 2),
    "prompt_cache_key": Rule("string"),
    "prompt_cache_options": Rule("object", nullable=False),
    "prompt_cache_retention": Rule("string", values=("in_memory", "24h")),
    "reasoning_effort": Rule("string", values=EFFORTS),
    "response_format": Rule("object", nullable=False),
    "safety_identifier": Rule("string"),
    "seed": Rule("integer", -(2**63), 2**63 - 1),
    "service_tier": Rule("string", values=TIERS),
    "stop": Rule("text or array", high=4),
    "store": Rule("boolean"),
    "stream": Rule("boolean"),
    "stream_options": Rule("object"),
    "temperature": Rule("decimal", 0, 2),
    "tool_choice": Rule("text or object", nullable=False),
    "tools": Rule("objects", 1, 128, nullable=False),
    "top_logprobs": Rule("integer", 0, 20),
    "top_p": Rule("decimal", 0, 1),
    "user": Rule("string", nullable=False),
    "verbosity": Rule("string", values=("low", "medium", "high")),
    "web_search_options": Rule("object", nullable=False),
}
EMBEDDING_PARAMETERS: Dict[str, Rule] = {
    "dimensions": Rule("integer", 1, nullable=False),
    "encoding_format": Rule("string", values=("float", "base64"), nullable=False),
    "input": Rule("text or array", nullable=False),
    "model": Rule("string", nullable=False),
    "user": Rule("string", nullable=False),
}
# Reasoning models refuse these altogether, or (where a value stands) anything but that value.
NOT_WITH_REASONING: Dict[str, Optional[float]] = {
    "temperature": 1,
    "top_p": None,
    "presence_penalty": None,
    "frequency_penalty": None,
    "logprobs": None,
    "top_logprobs": None,
    "logit_bias": None,
    "max_tokens": None,
    "stop": None,
    "prediction": None,
}
# Which efforts a reasoning model knows, by the beginning of its name.
EFFORTS_OF: Tuple[Tuple[str, Tuple[str, ...]], ...] = (
    ("o", ("low", "medium", "high")),
    ("gpt-5-", ("minimal", "low", "medium", "high")),
    ("", ("none", "low", "medium", "high", "xhigh", "max")),
)
_INPUT_HELP = "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."


def check_chat(body: Any) -> Optional[Refusal]:
    """None if the API would take this decoded JSON as a chat completion request, else its refusal."""
    try:
        model = _check_frame(body, PARAMETERS, ("messages",))
        if model.kind == "embedding":
            refuse(
                "This is not a chat model and thus not supported in the v1/chat/completions endpoint.",
                "model",
                status=404,
            )
        check_messages(body["messages"])
        check_tools(body)
        check_tool_choice(body)
        check_function_call(body)
        check_response_format(body)
        for check in CHECKS:
            check(body, model)
    except Refused as fault:
        return fault.refusal
    return None


def check_embeddings(body: Any) -> Optional[Refusal]:
    """None if the API would take this decoded JSON as an embeddings request, else its refusal."""
    try:
        model = _check_frame(body, EMBEDDING_PARAMETERS, ("input",))
        if model.kind != "embedding":
            refuse("You are not allowed to generate embeddings from this model", status=403)
        _check_inputs(body["input"], model)
        dimensions = body.get("dimensions")
        if dimensions is not None and dimensions > model.dimensions:
            message = (
                f"Invalid value for 'dimensions' = {dimensions}. Must be less than or equal to {model.dimensions}."
            )
            refuse(message, "dimensions")
    except Refused as fault:
        return fault.refusal
    return None


def _check_frame(body: Any, rules: Mapping[str, Rule], required: Tuple[str, ...]) -> Model:
    """What all endpoints share: an object, a model, known names, right types and ranges, a model that exists."""
    if not isinstance(body, dict):
        raise Refused(bad_json("expected an object at the top"))
    if body.get("model") in (None, ""):
        refuse("you must provide a model parameter")
    unknown = [name for name in body if name not in rules]
    if unknown:
        refuse(f"Unrecognized request argument{'s' if len(unknown) > 1 else ''} supplied: {', '.join(unknown)}")
    for name in required:
        if name not in body:
            missing(name)
    for name, value in body.items():
        check_value(name, value, rules[name])
    model = find_model(body["model"])
    if model is None:
        raise Refused(unknown_model(body["model"]))
    return model


def _check_reasoning(body: Mapping[str, Any], model: Model) -> None:
    """What reasoning models refuse, and what only they take."""
    if model.kind != "reasoning":
        if body.get("reasoning_effort") is not None:
            refuse("Unrecognized request argument supplied: reasoning_effort")
        return
    for name, allowed in NOT_WITH_REASONING.items():
        value = body.get(name)
        if value is None or value is False or (allowed is not None and value == allowed):
            continue
        if allowed is not None:
            message = (
                f"Unsupported value: '{name}' does not support {value} with this model. "
                f"Only the default ({allowed}) value is supported."
            )
            refuse(message, name, "unsupported_value")
        cure = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
        refuse(
            f"Unsupported parameter: '{name}' is not supported with this model.{cure}", name, "unsupported_parameter"
        )
    effort = body.get("reasoning_effort")
    known = next(efforts for start, efforts in EFFORTS_OF if model.id.startswith(start))
    if effort is not None and effort not in known:
        message = (
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. "
            f"Supported values are: {listed(known)}."
        )
        refuse(message, "reasoning_effort", "unsupported_value")


def _check_limits(body: Mapping[str, Any], model: Model) -> None:
    """Token limits against the model's own, and the prompt against its window."""
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        refuse(message, "max_tokens", "invalid_parameter_combination")
    for name in ("max_tokens", "max_completion_tokens"):
        asked = body.get(name)
        if asked is not None and asked > model.output_tokens:
            message = (
                f"{name} is too large: {asked}. This model supports at most {model.output_tokens} completion tokens, "
                f"whereas you provided {asked}."
            )
            refuse(message, name, "invalid_value")
    prompt = count_prompt(body)
    if prompt > model.context_tokens:
        message = (
            f"This model's maximum context length is {model.context_tokens} tokens. However, your messages resulted in "
            f"{prompt} tokens. Please reduce the length of the messages."
        )
        refuse(message, "messages", "context_length_exceeded")


def _check_stop(body: Mapping[str, Any], model: Model) -> None:
    for number, sequence in enumerate(body["stop"] if isinstance(body.get("stop"), list) else ()):
        check_value(f"stop[{number}]", sequence, Rule("string", nullable=False))


def _check_logprobs(body: Mapping[str, Any], model: Model) -> None:
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        refuse("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")


def _check_logit_bias(body: Mapping[str, Any], model: Model) -> None:
    for token, bias in (body.get("logit_bias") or {}).items():
        check_value(f"logit_bias.{token}", bias, Rule("decimal", -100, 100, nullable=False))
        if not re.fullmatch(r"\d+", token):
            refuse(
                f"Invalid key in 'logit_bias': {token}. You should only be submitting non-negative integers.",
                "logit_bias",
            )


def _check_stream_options(body: Mapping[str, Any], model: Model) -> None:
    options = body.get("stream_options")
    if options is None:
        return
    if not body.get("stream"):
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    for name, value in options.items():
        if name not in ("include_usage", "include_obfuscation"):
            refuse(f"Unknown parameter: 'stream_options.{name}'.", f"stream_options.{name}", "unknown_parameter")
        check_value(f"stream_options.{name}", value, Rule("boolean"))


def _check_metadata(body: Mapping[str, Any], model: Model) -> None:
    metadata = body.get("metadata") or {}
    if len(metadata) > 16:
        refuse(
            "Invalid 'metadata': too many properties. Expected an object with at most 16 properties.",
            "metadata",
            "object_above_max_properties",
        )
    for key, value in metadata.items():
        check_value(f"metadata.{key}", value, Rule("string", nullable=False))
        if len(value) > 512:
            too_long(f"metadata.{key}", "string", 512, len(value))


def _check_modalities(body: Mapping[str, Any], model: Model) -> None:
    for number, modality in enumerate(body.get("modalities") or ()):
        check_value(f"modalities[{number}]", modality, Rule("string", values=("text", "audio"), nullable=False))
    if "audio" in (body.get("modalities") or ()):
        refuse(
            "Unsupported value: 'modalities' does not support 'audio' with this model.",
            "modalities",
            "unsupported_value",
        )


def _check_prediction(body: Mapping[str, Any], model: Model) -> None:
    prediction = body.get("prediction")
    if prediction is None:
        return
    if prediction.get("type") != "content":
        wrong_value("prediction.type", prediction.get("type"), ("content",))
    if not isinstance(prediction.get("content"), (str, list)):
        wrong_type("prediction.content", "one of a string or array of objects", prediction.get("content"))


# In this order, after types, messages and tools. The limits come last: counting tokens needs a request that is whole.
CHECKS: Tuple[Callable[[Mapping[str, Any], Model], None], ...] = (
    _check_reasoning,
    _check_stop,
    _check_logprobs,
    _check_logit_bias,
    _check_stream_options,
    _check_metadata,
    _check_modalities,
    _check_prediction,
    _check_limits,
)


def _check_inputs(given: Any, model: Model) -> None:
    """A text, texts, tokens, or lists of tokens: not empty, at most 2048 of them, each within the window."""
    if isinstance(given, list) and len(given) > 2048:
        too_long("input", "array", 2048, len(given))
    inputs = given if isinstance(given, list) and not (given and _is_token(given[0])) else [given]
    if not inputs:
        refuse(_INPUT_HELP)
    for single in inputs:
        if not single or not (isinstance(single, str) or (isinstance(single, list) and all(map(_is_token, single)))):
            refuse(_INPUT_HELP)
        count = count_tokens(single) if isinstance(single, str) else len(single)
        if count > model.context_tokens:
            refuse(
                f"This model's maximum context length is {model.context_tokens} tokens, however you requested {count} "
                f"tokens ({count} in your prompt; 0 for the completion). Please reduce your prompt; or completion "
                "length."
            )


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
