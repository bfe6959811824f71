"""Turns messages and parameters into the bytes of a request's body.

    build_payload(build_messages("Hello"), model="gpt-4o-mini", parameters={"temperature": 0})
    encode_payload(...)      {"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"temperature":0}

Refuses what cannot be sent before anything is sent, with the path to it (`messages[2].content[0]`). Does not judge what
the server may think of it: an unknown parameter or role passes untouched, so what the API gains tomorrow works today.
Never changes what the caller gave. Pure.

API page: "Create chat completion". JSON is RFC 8259.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping  # typing's own take four times as long in isinstance
from typing import Any, Dict, List, Optional, Union

from .errors import PayloadError
from .wording import cure_for, kind_of

Messages = Union[str, Mapping[str, Any], Iterable[Mapping[str, Any]]]

# ---- messages and parameters -> a dict

_MESSAGE_SAMPLE = '{"role": "user", "content": "..."}'


def build_messages(messages: Messages, *, path: str = "messages") -> List[Dict[str, Any]]:
    """The list of message dicts that `messages` stands for; a text is one user message, a dict a list of one.

    Any iterable of mappings will do: a tuple, a generator, a history. Each message is copied, what is inside it is not;
    the caller's own stay as they are. `path` is what errors call the argument. Raises PayloadError.
    """
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, Mapping):
        return [dict(messages)]
    # bytes would iterate as numbers, and the error would speak of those.
    if isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Iterable):
        wanted = f"{path} must be a text, a dict or a list of dicts such as {_MESSAGE_SAMPLE}"
        raise PayloadError(f"{wanted}, got {kind_of(messages)}{cure_for(messages)}", path=path)
    return [_copy_message(message, path, index) for index, message in enumerate(messages)]


def _copy_message(message: Any, path: str, index: int) -> Dict[str, Any]:
    if not isinstance(message, Mapping):
        here = f"{path}[{index}]"
        wanted = f"{here} must be a dict such as {_MESSAGE_SAMPLE}"
        raise PayloadError(f"{wanted}, got {kind_of(message)}{cure_for(message)}", path=here)
    return dict(message)


def build_payload(
    messages: Messages,
    *,
    model: Optional[str],
    stream: bool = False,
    parameters: Optional[Mapping[str, Any]] = None,
    extra_body: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The request body as a dict: model, stream, stream_options, messages, then the parameters in the order given.

    The routing fields stand first, as in the SDK, so that a proxy can choose a server before the long part arrives.
    `stream` is absent unless true, which is the API's default. A parameter whose value is None is left out; a None
    inside a value (`"content": None`) stays. `extra_body` is merged last, one level deep, and may override anything; a
    None in there is sent as null, which is the way to say null to the server. Raises PayloadError.
    """
    rest = {name: value for name, value in (parameters or {}).items() if value is not None}
    _refuse_repeated(rest)
    payload: Dict[str, Any] = {}
    if model is not None:
        if not isinstance(model, str):
            raise PayloadError(f'model must be a text such as "gpt-4o-mini", got {kind_of(model)}', path="model")
        payload["model"] = model
    if stream:
        payload["stream"] = True
    if "stream_options" in rest:
        payload["stream_options"] = rest.pop("stream_options")
    payload["messages"] = build_messages(messages)
    payload.update(rest)
    if extra_body is not None:
        if not isinstance(extra_body, Mapping):
            raise PayloadError(f"extra_body must be a dict of fields, got {kind_of(extra_body)}", path="extra_body")
        payload.update(extra_body)
    return payload


def _refuse_repeated(parameters: Mapping[str, Any]) -> None:
    """A second `stream` would have the body ask for one thing and the reader expect another."""
    for name in ("model", "messages", "stream"):
        if name in parameters:
            why = f"{name} is an argument of its own and cannot be among the parameters too"
            raise PayloadError(f"{why}; to override it in the body, use extra_body", path=name)


# ---- a dict -> bytes

# One encoder for all calls: json.dumps builds one each time, a quarter of the cost of a short payload. allow_nan=False
# because NaN and Infinity are Python's own words (RFC 8259 section 6 has none), and servers answer 400 to them.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """`payload` as compact JSON in UTF-8, not escaped to ASCII: what the SDK sends too, and the fewest bytes.

    Raises PayloadError with the path to the first value that JSON cannot hold. Keys that the encoder turns into text by
    itself pass as it writes them: `logit_bias={1734: -100}` is sent as `{"1734":-100}`.
    """
    try:
        return _encode(payload if isinstance(payload, dict) else dict(payload)).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:  # a lone surrogate is a UnicodeEncodeError, a ValueError
        raise _refusal(payload, error) from error


def _refusal(payload: Mapping[str, Any], error: Exception) -> PayloadError:
    try:
        from .flaws import refusal_of
    except ImportError:  # a copy without it does not say where
        return PayloadError(f"the payload cannot be written as JSON: {error}")
    return refusal_of(payload, error)
