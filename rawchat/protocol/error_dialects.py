"""What servers other than OpenAI's say about an error, in the API's own words: message, code, type, param.

    {"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}       FastAPI
    {"errors": [{"code": 3040, "message": "Capacity exceeded"}]}            Workers AI
    {"base_resp": {"status_code": 1008, "status_msg": "..."}}               MiniMax
    <html><head><title>502 Bad Gateway</title>...                           nginx; or gzip, an event stream, XML

`problem` asks here before it reads; a copy without this room shows such a body as it came. What is to be done about an
error is known to `status`. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Optional

from .redact import short

_LONGEST_TITLE = 200
_DEEPEST = 5  # servers quote servers that quote servers; a body nested a thousand deep must not end in RecursionError
# In the order of how much they say. OpenAI, vLLM: message. GLM, one-api: msg. FastAPI, RFC 9457: detail.
_MESSAGE_KEYS = (
    *("message", "Message", "msg", "detail", "details", "error", "errors"),
    *("error_message", "error_description", "status_msg", "description", "title", "reason"),
)
_NO_SENTENCES = frozenset({*_MESSAGE_KEYS, "code", "type", "param", "object"})


def unpacked(body: bytes, most_bytes: int) -> bytes:
    """A body without gzip that nobody undid: Cloudflare compresses errors unasked."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    import zlib  # at first use: rare

    try:  # with a limit on the size, because a few KB of gzip can hold gigabytes
        return zlib.decompressobj(31).decompress(body[:most_bytes], most_bytes)
    except zlib.error:
        return body[:most_bytes]


def first_event(text: str) -> str:
    """The data of the first event of a text that is an event stream: relays answer a 4xx so where one was asked for."""
    if not text.startswith(("data:", "event:", "error:")):
        return text
    found = re.search(r"(?m)^(?:data|error):(.*)$", text)
    return found[1].strip() if found else ""


def in_api_place(document: Any) -> Optional[Dict[str, Any]]:
    """{"error": ...} of a document that holds an error, wherever it stands; None of any other."""
    error = _find(document)
    return None if error is None else {"error": error}


def _find(document: Any) -> Any:
    if isinstance(document, list):  # Gemini's OpenAI endpoint
        document = document[0] if document else None
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    if error and _says_something(error):
        return document if error is True else error
    base = document.get("base_resp")  # MiniMax; its status_code 0 is success
    if isinstance(base, dict) and _word(base.get("status_code")) not in (None, "0"):
        return base
    errors = document.get("errors")
    if (errors and _says_something(errors)) or document.get("object") == "error":
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


def in_api_words(error: Any, whole: Any = None) -> Dict[str, Optional[str]]:
    """Any error as {"message", "code", "type", "param"}; what it does not say is looked for in `whole`, around it."""
    inner = error.get("errors") if isinstance(error, dict) else None
    places = [place for place in map(_first_object, (error, inner, whole)) if place]
    codes = (_word(place.get(name)) for place in places for name in ("code", "status_code"))
    # {"type": "error"} is only Anthropic's envelope; Google's word for the type is a `status` in capitals.
    types = (_word(place.get(name)) for place in places for name in ("type", "error_type", "status"))
    params = (_word(place.get("param")) for place in places)
    return {
        "message": _message(error),
        "code": next(filter(None, codes), None),
        "type": next((word for word in types if word and word != "error" and not word.isdigit()), None),
        "param": next(filter(None, params), None) or _location(error) or None,
    }


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
        try:
            quoted = json.loads(text)
        except (ValueError, RecursionError):  # cut off, no JSON after all, or nested without end
            return text
        return _message(quoted, depth + 1) or text
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
    words = short(html.unescape(words), longest=_LONGEST_TITLE)
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
