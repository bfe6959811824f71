"""Finds what a server said about an error.

    {"error": {"message": "No such model", "type": "invalid_request_error", "param": null, "code": "model_not_found"}}

What other servers say is put into this shape by `error_dialects`. What it means is known to `status`. Pure.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Callable, Iterable, NamedTuple, Optional, Tuple, Union

from .redact import short

_LARGEST_BODY_BYTES = 16 << 20  # FastAPI echoes the whole input into its 422, images included


class Said(NamedTuple):
    message: str = ""  # as long as it came
    code: Optional[str] = None
    type: Optional[str] = None
    param: Optional[str] = None


@cache  # looking for an absent room takes as long as reading an answer
def _dialects() -> Tuple[Callable[..., Any], ...]:
    """Translators of an error's place, its words, packed bytes, and a text that holds the body."""
    try:
        from .error_dialects import first_event, in_api_place, in_api_words, unpacked
    except ImportError:  # all as it came
        return (lambda given, *_: given,) * 4
    return in_api_place, in_api_words, unpacked, first_event


def find_error(document: Any) -> Any:
    """What stands under "error" in a document; of a flat one the whole; or None, also where it says no word."""
    document = _dialects()[0](document)
    if not isinstance(document, dict):
        return None
    error = document if document.get("object") == "error" else document.get("error")
    return error if (any(error.values()) if isinstance(error, dict) else error) else None


def parse_body(body: Union[bytes, str]) -> Any:
    """The JSON of a body, else its text. Never raises."""
    *_, unpacked, first_event = _dialects()
    if isinstance(body, bytes):
        data: bytes = unpacked(body, _LARGEST_BODY_BYTES)
        body = data[:_LARGEST_BODY_BYTES].decode("utf-8-sig", "replace")
        body = f"{len(data)} bytes that are no text" if body.count("\ufffd") * 5 > len(body) else body
    text = first_event(body.lstrip("\ufeff").strip())
    try:
        return json.loads(text) if text.startswith(("{", "[", '"', "null")) else text
    except (ValueError, RecursionError):  # no JSON after all, or nested without end
        return text


def read_error(error: Any, whole: Any = None) -> Said:
    """`whole` is the document around the error."""
    error = _dialects()[1](error, whole)
    said = error if isinstance(error, dict) else {"message": error}
    message, *words = map(said.get, Said._fields)
    if not isinstance(message, str):  # a shape that is not the API's is shown as it is
        try:
            message = json.dumps(error, ensure_ascii=False) if error else ""
        except RecursionError:
            message = ""
    return Said(message, *(str(word) if word and isinstance(word, (str, int)) else None for word in words))


def readable(body: Union[bytes, str], secrets: Iterable[str] = ()) -> str:
    """A body of any shape as one short line, keys redacted; "" for a blank one."""
    return short(read_error(parse_body(body)).message, secrets)
