"""Turns messages and parameters into the bytes of a request's body.

    build_payload("Hello", model="m", parameters={"seed": 0})
    encode_payload(...)      {"model":"m","messages":[{"role":"user","content":"Hello"}],"seed":0}

What is unknown passes untouched, and nothing of the caller's is changed. Pure. API page: "Create chat completion".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping  # typing's own are slow in isinstance
from typing import Any, Dict, List, Optional, Union

from .errors import PayloadError
from .wording import cure_for, wrong_type

Messages = Union[str, Mapping[str, Any], Iterable[Mapping[str, Any]]]


def build_messages(messages: Messages, *, path: str = "messages") -> List[Dict[str, Any]]:
    """A text is one user message, a dict a list of one. Shallow copies. A PayloadError names `path`."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, Mapping):
        return [dict(messages)]
    # bytes would iterate as numbers.
    if isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Iterable):
        raise _not_messages(path, "a text, a dict or a list of dicts", messages)
    copies = []
    for message in messages:
        if not isinstance(message, Mapping):
            raise _not_messages(f"{path}[{len(copies)}]", "a dict", message)
        copies.append(dict(message))
    return copies


def _not_messages(path: str, wanted: str, value: Any) -> PayloadError:
    return wrong_type(path, wanted + ' such as {"role": "user", "content": "..."}', value, cure_for(value))


def build_payload(
    messages: Messages,
    *,
    model: Optional[str],
    stream: bool = False,
    parameters: Optional[Mapping[str, Any]] = None,
    extra_body: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The body, without parameters that are None. `extra_body` wins, one level deep, and None is null there."""
    rest = {name: value for name, value in (parameters or {}).items() if value is not None}
    for name in ("model", "messages", "stream"):
        if name in rest:
            why = f"{name} is an argument of its own and cannot be among the parameters too"
            raise PayloadError(f"{why}; to override it in the body, use extra_body", path=name)
    # What a proxy routes by stands first, as in the SDK.
    payload: Dict[str, Any] = {}
    if model is not None:
        if not isinstance(model, str):
            raise wrong_type("model", 'a text such as "gpt-4o-mini"', model)
        payload["model"] = model
    if stream:
        payload["stream"] = True
    if "stream_options" in rest:
        payload["stream_options"] = rest.pop("stream_options")
    payload["messages"] = build_messages(messages)
    payload.update(rest)
    if extra_body is not None and not isinstance(extra_body, Mapping):
        raise wrong_type("extra_body", "a dict of fields", extra_body)
    payload.update(extra_body or {})
    return payload


# json.dumps would build one each time. RFC 8259 section 6 has no NaN.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """Compact JSON in UTF-8. Raises PayloadError for what JSON cannot hold."""
    try:
        return _encode(payload if isinstance(payload, dict) else dict(payload)).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:  # half a character is a ValueError, too
        try:
            from .flaws import refusal_of
        except ImportError:  # a copy without cures does not say where
            raise PayloadError(f"the payload cannot be written as JSON: {error}") from error
        raise refusal_of(payload, error) from error
