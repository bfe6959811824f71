"""Turns messages and parameters into the bytes of a request's body.

    build_payload("Hello", model="gpt-4o-mini", parameters={"temperature": 0})
    encode_payload(...)      {"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"temperature":0}

Refuses what cannot be sent, with the path to it (`messages[2].content[0]`). An unknown parameter or role passes
untouched, so what the API gains tomorrow works today. Never changes what the caller gave. Pure.
API page: "Create chat completion".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping  # typing's own take four times as long in isinstance
from typing import Any, Dict, List, Optional, Union

from .errors import PayloadError
from .wording import cure_for, kind_of

Messages = Union[str, Mapping[str, Any], Iterable[Mapping[str, Any]]]


def build_messages(messages: Messages, *, path: str = "messages") -> List[Dict[str, Any]]:
    """A text is one user message, a dict a list of one; any iterable of mappings will do. The copies are shallow.

    `path` is what a PayloadError calls the argument.
    """
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, Mapping):
        return [dict(messages)]
    # bytes would iterate as numbers, and the error would speak of those.
    if isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Iterable):
        raise _not_messages(path, "a text, a dict or a list of dicts", messages)
    return [_copy_message(message, path, index) for index, message in enumerate(messages)]


def _copy_message(message: Any, path: str, index: int) -> Dict[str, Any]:
    if not isinstance(message, Mapping):
        raise _not_messages(f"{path}[{index}]", "a dict", message)
    return dict(message)


def _not_messages(path: str, wanted: str, value: Any) -> PayloadError:
    sample = '{"role": "user", "content": "..."}'
    return PayloadError(f"{path} must be {wanted} such as {sample}, got {kind_of(value)}{cure_for(value)}", path=path)


def build_payload(
    messages: Messages,
    *,
    model: Optional[str],
    stream: bool = False,
    parameters: Optional[Mapping[str, Any]] = None,
    extra_body: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The body as a dict. Raises PayloadError.

    The routing fields stand first, as in the SDK, so that a proxy can choose a server before the long part arrives.
    A parameter that is None is left out, a false `stream` too; a None inside a value (`"content": None`) stays.
    `extra_body` may override anything, one level deep; a None in there is sent as null.
    """
    rest = {name: value for name, value in (parameters or {}).items() if value is not None}
    for name in ("model", "messages", "stream"):
        # A second `stream` would have the body ask for one thing and the reader expect another.
        if name in rest:
            why = f"{name} is an argument of its own and cannot be among the parameters too"
            raise PayloadError(f"{why}; to override it in the body, use extra_body", path=name)
    payload: Dict[str, Any] = {} if model is None else {"model": model}
    if model is not None and not isinstance(model, str):
        raise PayloadError(f'model must be a text such as "gpt-4o-mini", got {kind_of(model)}', path="model")
    if stream:
        payload["stream"] = True
    if "stream_options" in rest:
        payload["stream_options"] = rest.pop("stream_options")
    payload["messages"] = build_messages(messages)
    payload.update(rest)
    if extra_body is not None and not isinstance(extra_body, Mapping):
        raise PayloadError(f"extra_body must be a dict of fields, got {kind_of(extra_body)}", path="extra_body")
    payload.update(extra_body or {})
    return payload


# json.dumps would build an encoder each time, a quarter of the cost of a short payload. NaN and Infinity are Python's
# own words (RFC 8259 section 6 has none), and servers answer 400 to them.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8, as the SDK sends it. Keys that are numbers become texts: `{1734: -100}`, `{"1734":-100}`.

    Raises PayloadError with the path to the first value that JSON cannot hold.
    """
    try:
        return _encode(payload if isinstance(payload, dict) else dict(payload)).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:  # half a character is a UnicodeEncodeError, a ValueError
        raise _refusal(payload, error) from error


def _refusal(payload: Mapping[str, Any], error: Exception) -> PayloadError:
    try:
        from .flaws import refusal_of
    except ImportError:  # a copy without it does not say where
        return PayloadError(f"the payload cannot be written as JSON: {error}")
    return refusal_of(payload, error)
