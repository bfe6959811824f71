"""Finds what a server said about an error, whatever shape it said it in.

    {"error": {"message": "No such model", "code": "model_not_found"}}      OpenAI
    [{"error": {"code": 400, "message": "...", "status": "INVALID_..."}}]   Gemini's OpenAI endpoint
    {"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}       FastAPI
    <html><head><title>502 Bad Gateway</title>...                           nginx; or gzip, plain text, nothing at all

Every shape ends as message, code, type and param (`Said`), and as one short readable line (`readable`). Does not judge
what is to be done about it: that is `status`. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterable, NamedTuple, Optional, Union

from .redact import redact_text

# FastAPI echoes the whole input into its 422, images included; more than this is no message for anybody.
_LARGEST_BODY_BYTES = 16 << 20
_LONGEST_LINE = 300
_DEEPEST = 5  # servers quote servers that quote servers; a body nested a thousand deep must not end in RecursionError
# In the order of how much they say. OpenAI, vLLM: message. GLM, one-api: msg. FastAPI, RFC 9457: detail.
_MESSAGE_KEYS = (
    *("message", "Message", "msg", "detail", "details", "error", "errors"),
    *("error_message", "error_description", "status_msg", "description", "title", "reason"),
)
_NO_SENTENCES = frozenset({*_MESSAGE_KEYS, "code", "type", "param", "object"})

# MiniMax reports an empty account as a 500. It stays a server error, as the status has it, but is not tried again.
BROKE = r"(?i)\binsufficient[ _](?:balance|credits?|funds)\b"


class Said(NamedTuple):
    """What a server said about an error, as far as it can be found. The message is as long as it came: see `short`."""

    message: str = ""
    code: Optional[str] = None
    type: Optional[str] = None
    param: Optional[str] = None


def find_error(document: Any) -> Any:
    """The error inside a decoded JSON document, or None where there is none.

    What stands under "error" is given out itself, wherever it stands (top level, a list of one, a choice); of flat
    shapes ({"detail": ...}, {"message": ...}, {"object": "error", ...}) the whole document. `"error": null`, and an
    error that does not say a single word, are no errors: relays put both beside good answers.
    """
    if isinstance(document, list):  # Gemini's OpenAI endpoint
        document = document[0] if document else None
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if _says_something(error):
        return document if error is True else error
    base = document.get("base_resp")  # MiniMax; its status_code 0 is success
    if isinstance(base, dict) and _word(base.get("status_code")) not in (None, "0"):
        return base
    if _says_something(document.get("errors")) or document.get("object") == "error":
        return document
    choices = document.get("choices")
    if isinstance(choices, list) and choices:
        inside = (choice.get("error") for choice in choices if isinstance(choice, dict))  # OpenRouter
        return next((error for error in inside if _says_something(error)), None)
    return document if _is_flat_error(document) else None


def _says_something(error: Any, depth: int = 0) -> bool:
    if isinstance(error, (dict, list)) and depth < _DEEPEST:
        values = error.values() if isinstance(error, dict) else error
        return any(_says_something(value, depth + 1) for value in values)
    return bool(error)


def _is_flat_error(document: Dict[str, Any]) -> bool:
    """{"detail": ...}, {"message": ...}, {"msg": ...}, and no answer beside it."""
    if any(document.get(key) for key in ("data", "output", "embedding", "usage")):
        return False
    message = document.get("message")
    if isinstance(message, dict) and "role" in message:  # Ollama's own API: that is an answer
        return False
    return any(_says_something(document.get(key)) for key in ("detail", "message", "Message", "msg"))


def parse_body(body: Union[bytes, str]) -> Any:
    """The decoded JSON of a body, else its text; of an event stream, the first event's. Undoes gzip. Never raises."""
    text = body if isinstance(body, str) else _text(body)
    text = text.lstrip("\ufeff").strip()
    if text.startswith(("data:", "event:", "error:")):  # relays answer a 4xx as an event stream when one was asked for
        found = re.search(r"(?m)^(?:data|error):(.*)$", text)
        text = found[1].strip() if found else ""
    if text.startswith(("{", "[", '"')) or text == "null":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):  # cut off, no JSON after all, or nested without end
            return text
    return text


def read_error(error: Any, whole: Any = None) -> Said:
    """Message, code, type and param of an error; what it does not say itself is looked for in `whole`, around it."""
    inner = error.get("errors") if isinstance(error, dict) else None
    places = [place for place in map(_first_object, (error, inner, whole)) if place]
    codes = (_word(place.get(name)) for place in places for name in ("code", "status_code"))
    # {"type": "error"} is only Anthropic's envelope; Google's word for the type is a `status` in capitals.
    types = (_word(place.get(name)) for place in places for name in ("type", "error_type", "status"))
    params = (_word(place.get("param")) for place in places)
    return Said(
        _message(error),
        next(filter(None, codes), None),
        next((word for word in types if word and word != "error" and not word.isdigit()), None),
        next(filter(None, params), None) or _location(error) or None,
    )


def readable(body: Union[bytes, str], secrets: Iterable[str] = ()) -> str:
    """A body of any shape as one short line for people, keys redacted; "" for one that is blank."""
    return short(_message(parse_body(body)), secrets)


def short(text: str, secrets: Iterable[str] = (), longest: int = _LONGEST_LINE) -> str:
    """One line of at most `longest` characters: white space joined, nothing that steers a terminal, keys redacted."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text[:20000]).split())[:4000]
    line = redact_text(line, secrets)  # before the cut: half a key has no shape to be known by
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."


def _text(body: bytes) -> str:
    body = body[:_LARGEST_BODY_BYTES]
    if body[:2] == b"\x1f\x8b":  # gzip that nobody undid; Cloudflare compresses errors unasked
        body = _gunzip(body)
    text = body.decode("utf-8-sig", "replace")
    return f"{len(body)} bytes that are no text" if text.count("\ufffd") * 5 > len(text) else text


def _gunzip(body: bytes) -> bytes:
    import zlib  # at first use: rare

    try:  # with a limit on the size, because a few KB of gzip can hold gigabytes
        return zlib.decompressobj(31).decompress(body, _LARGEST_BODY_BYTES)
    except zlib.error:
        return body


def _word(value: Any) -> Optional[str]:
    """A code as a string: numbers as digits, and LiteLLM's "None" as None."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = str(value).strip()
    return None if word in ("", "None", "null") else word


def _first_object(value: Any) -> Dict[str, Any]:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}


def _message(value: Any, depth: int = 0) -> str:
    """The sentence for people inside any JSON value, the innermost where servers quote servers; "" if there is none."""
    if depth > _DEEPEST or value is None:
        return ""
    if isinstance(value, str):
        return _message_of_text(value.strip(), depth)
    if isinstance(value, list):
        return "; ".join(filter(None, (_message(item, depth + 1) for item in value[:3])))
    if not isinstance(value, dict):
        return str(value)
    if "loc" in value and "msg" in value:  # pydantic, by way of FastAPI and Mistral
        return f"{_path(value['loc'])}: {value['msg']}".lstrip(": ")
    inner = ("error",) if isinstance(value.get("error"), (dict, list)) else ()
    sentence = next(filter(None, (_message(value.get(key), depth + 1) for key in inner + _MESSAGE_KEYS)), "")
    if not sentence and _NO_SENTENCES.isdisjoint(value):
        # A shape nobody has met yet: its plain values are better than silence.
        return ", ".join(f"{key}: {word}" for key, word in value.items() if isinstance(word, (str, int, float)))
    return sentence + _cause(value.get("metadata"), depth)


def _message_of_text(text: str, depth: int) -> str:
    if text.startswith("<"):
        return _message_of_markup(text)
    if text.startswith(("{", "[")):
        quoted = parse_body(text)
        return text if isinstance(quoted, str) else _message(quoted, depth + 1) or text
    return text


def _message_of_markup(text: str) -> str:
    """`HTML page "502 Bad Gateway"`: the title of a page, or its first words."""
    import html  # at first use: it brings a table of two thousand entities along

    lower = text.lower()
    start = lower.find("<title")
    end = lower.find("</title", start)
    if 0 <= start < end:
        words = text[lower.find(">", start) + 1 : end]
    else:  # 8 KB are enough for the first words, and keep the pattern cheap on hostile pages
        words = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", " ", text[:8192])
    words = short(html.unescape(words), longest=200)
    if "<html" not in lower[:8192] and "<!doctype html" not in lower[:8192] and not 0 <= start < end:
        return words or "markup without words"
    return f'HTML page "{words}"' if words else "HTML page without words"


def _cause(metadata: Any, depth: int) -> str:
    """OpenRouter: "Provider returned error", and what the provider did say under metadata."""
    if not isinstance(metadata, dict):
        return ""
    cause = _message(metadata.get("raw"), depth + 1) or _message(metadata.get("reasons"), depth + 1)
    return f": {cause}" if cause else ""


def _path(location: Any) -> str:
    """["body", "messages", 0, "content"] -> messages[0].content"""
    steps = location if isinstance(location, list) else [location]
    if len(steps) > 1 and steps[0] == "body":
        steps = steps[1:]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.lstrip(".")


def _location(value: Any, depth: int = 0) -> str:
    """The path of the first validation error inside, or ""."""
    place = _first_object(value)
    if depth > _DEEPEST or not place:
        return ""
    if "loc" in place:
        return _path(place["loc"])
    return next(filter(None, (_location(place.get(key), depth + 1) for key in ("detail", "message", "errors"))), "")
