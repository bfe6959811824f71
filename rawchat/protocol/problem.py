"""Finds what a server said about an error.

    {"error": {"message": "No such model", "type": "invalid_request_error", "param": null, "code": "model_not_found"}}

What servers other than OpenAI's say is put into this shape by `error_dialects`; a copy without it shows their words as
they came. What is to be done about an error is known to `status`. Pure.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Callable, Iterable, NamedTuple, Optional, Tuple, Union

from .redact import redact_text

# FastAPI echoes the whole input into its 422, images included; more than this is no message for anybody.
_LARGEST_BODY_BYTES = 16 << 20


class Said(NamedTuple):
    """What a server said about an error. The message is as long as it came: see `short`."""

    message: str = ""
    code: Optional[str] = None
    type: Optional[str] = None
    param: Optional[str] = None


@cache  # looking for a room that is not there takes as long as reading an answer
def _dialects() -> Tuple[Callable[[Any], Any], Callable[[Any, Any], Any], Callable[[Any], Any]]:
    """The translators: of where an error stands, of its words, and of what a body is wrapped in."""
    try:
        from .error_dialects import in_api_place, in_api_words, unwrapped
    except ImportError:  # a copy without them takes everything as it came
        return (lambda document: document), (lambda error, whole: error), (lambda body: body)
    return in_api_place, in_api_words, unwrapped


def find_error(document: Any) -> Any:
    """The error inside a decoded JSON document, or None where there is none.

    What stands under "error" is given out itself, of flat shapes ({"object": "error", ...}) the whole document. An
    error that is null, or does not say a single word, is none: relays put both beside good answers.
    """
    in_api_place, _, _ = _dialects()
    document = in_api_place(document)
    if not isinstance(document, dict):
        return None
    error = document if document.get("object") == "error" else document.get("error")
    return error if (any(error.values()) if isinstance(error, dict) else error) else None


def parse_body(body: Union[bytes, str]) -> Any:
    """The decoded JSON of a body, else its text. Never raises."""
    _, _, unwrapped = _dialects()
    body = unwrapped(body)
    if isinstance(body, bytes):
        text = body[:_LARGEST_BODY_BYTES].decode("utf-8-sig", "replace")
        body = f"{len(body)} bytes that are no text" if text.count("\ufffd") * 5 > len(text) else text
    text = body.lstrip("\ufeff").strip()
    try:
        return json.loads(text) if text.startswith(("{", "[", '"', "null")) else text
    except (ValueError, RecursionError):  # cut off, no JSON after all, or nested without end
        return text


def read_error(error: Any, whole: Any = None) -> Said:
    """Message, code, type and param of an error; `whole` is the document around it, where some servers put a part."""
    _, in_api_words, _ = _dialects()
    error = in_api_words(error, whole)
    said = error if isinstance(error, dict) else {"message": error}
    message, *words = map(said.get, Said._fields)
    if not isinstance(message, str):  # a shape that is not the API's is shown as it is
        try:
            message = json.dumps(error, ensure_ascii=False) if error else ""
        except RecursionError:
            message = ""
    return Said(message, *(str(word) if word and isinstance(word, (str, int)) else None for word in words))


def readable(body: Union[bytes, str], secrets: Iterable[str] = ()) -> str:
    """A body of any shape as one short line for people, keys redacted; "" for one that is blank."""
    return short(read_error(parse_body(body)).message, secrets)


def short(text: str, secrets: Iterable[str] = (), longest: int = 300) -> str:
    """One line of at most `longest` characters: white space joined, nothing that steers a terminal, keys redacted."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text[:20000]).split())[:4000]
    line = redact_text(line, secrets)  # before the cut: half a key has no shape to be known by
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."
