"""What servers send in place of the answer that was asked for: in the shape that was asked for, or in words.

    "stream": true  ->  {"object":"chat.completion","choices":[{"index":0,"message":{"content":"Hello!"}}]}
        becomes         {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello!"}}]}

    {"id":"x"}                             the server's JSON is no answer: "choices" is missing
    <html><title>Log in</title></html>     the server answered 200 with something that is not JSON (text/html, 34 bytes)

    data: {...}\\n\\ndata: [DONE]           where no stream was asked for: what its events add up to (mini-sglang)

Which of them is needed was found out by `answer`. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Tuple

_MARGIN = b" \t\r\n\xef\xbb\xbf"
_EVENT_STARTS = ("data:", "event:", "id:", "retry:", ":", "error:")
_JSON_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def chunk_from(reply: Mapping[str, Any]) -> Dict[str, Any]:
    """A whole reply in the shape of one chunk, for callers who asked for chunks and got no stream."""
    choices = []
    for choice in reply.get("choices") or []:
        as_delta = {key: value for key, value in choice.items() if key != "message"}
        as_delta["delta"] = choice.get("message") or {}
        choices.append(as_delta)
    return {**reply, "object": "chat.completion.chunk", "choices": choices}


def begun(reader: Any, data: bytes) -> bytes:
    """Notes how a body begins, up to its first chunk. What is to be decoded of `data`: of a document, nothing."""
    if not reader.begin:
        data = data.lstrip()  # of blank lines there may be minutes (DeepSeek)
    reader.begin += data
    return b"" if is_document(reader) else data


def is_document(reader: Any) -> bool:
    """Whether a body begins with JSON or HTML. Content-Type does not tell: proxies label streams as JSON."""
    if reader.chunk_seen:
        return False
    return reader.begin[:9].lstrip(_MARGIN).startswith((b"{", b"[", b'"', b"<"))  # type: ignore[no-any-return]


class WholeReply:
    """A whole reply in the place of what assembles one."""

    finished_count = 0
    finished = True

    def __init__(self, reply: Any) -> None:
        self._reply = reply
        self.text = reply.text

    def reply(self) -> Any:
        return self._reply

    def flush(self) -> str:
        return ""


def document_in(body: bytes, reader: Any) -> Any:
    """What a body holds that is no JSON as it stands: a document; the Reply of its events, by `reader`; or `...`.

    Raises the error of these events.
    """
    text = body.lstrip(_MARGIN).rstrip().decode("utf-8", "replace")
    try:
        return json.loads(text.removesuffix("data: [DONE]"))  # 9router puts a stray one behind the JSON
    except (ValueError, RecursionError):  # RecursionError: nested beyond what any answer is
        pass
    if not text.startswith(_EVENT_STARTS):
        return ...
    reader.feed(body)
    reader.close()
    if reader.error is not None:
        raise reader.error
    return reader.reply()


def how_it_ended(characters: int, chunk_seen: bool, choice_seen: bool, done: bool) -> str:
    """Which kind of cut it was that an unfinished stream ended with."""
    if choice_seen or (chunk_seen and not done):
        return f"ended after {characters} characters of text without a finish_reason or [DONE]: the answer is cut off"
    if done:
        before = "chunks without a choice, and " if chunk_seen else ""
        return f"held nothing but {before}[DONE]: no answer was sent"
    return "ended before its first chunk: no answer was sent"


def what_came(status: int, headers: Mapping[str, str], body: bytes, document: Any, required: str) -> Tuple[str, str]:
    """What a body is that is no answer, in words, and a hint or "".

    `document` is its JSON, or `...` where it is none; `required` the key that must hold a list, "" where no shape is
    asked for.
    """
    if document is not ...:
        return f"the server's JSON {_flaw(document, required)}", ""
    text = body.lstrip(_MARGIN)
    if not text:
        return f"the server answered {status} with {'only blank lines' if body else 'an empty body'}", ""
    kind = headers.get("content-type") or "no Content-Type"
    # A captive portal or a website at the base_url answers HTML and 200.
    hint = "is base_url right? It usually ends in /v1" if text.startswith(b"<") else ""
    return f"the server answered {status} with something that is not JSON ({kind}, {len(body)} bytes)", hint


def _flaw(document: Any, required: str) -> str:
    if not isinstance(document, dict):
        return f"is {_kind(document)}, not an object"
    if document.get(required) == []:
        return f'holds no answer: "{required}" is empty'
    return f'is no answer: "{required}" ' + (
        f"is {_kind(document[required])}" if required in document else "is missing"
    )


def _kind(value: Any) -> str:
    return _JSON_KINDS.get(type(value), "a number")
