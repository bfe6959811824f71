r"""What servers other than OpenAI's put into a chunk; `chunks.py` asks here when it meets it.

    {"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}      no index (Gemini)
    {"delta":{"tool_calls":[{"index":0,"id":"b",...}]}}                                  index 0 for each (Ollama 0.20)
    {"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Su"}]}]}} content in parts (Mistral)
    {"delta":{},"message":{"role":"assistant","content":"all of it so far"}}             a growing message (Perplexity)

Keeps nothing of its own: what is known of a choice stands in the choice (`chunks.Choice`). Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional

from .merging import Merged, Text, merged, settled
from .reply import index_of, inner_of, json_text, text_of

# ---- tool calls


def call_for(entry: Mapping[str, Any], calls: List[Merged]) -> Optional[Merged]:
    """Which of `calls` a fragment belongs to that has no index, or another id than its index's call; None: a new one.

    with an index      the call of this index and this id
    with an id only    the call of that id
    with a name only   the last call, if it still lacks its name, or has this name and half its arguments
    with none          the last call
    """
    index, identity, name = index_of(entry, -1), entry.get("id"), inner_of(entry).get("name")
    last = calls[-1] if calls else None
    if isinstance(identity, str) and identity:
        of_index = (call for call in reversed(calls) if index < 0 or index_of(call, -1) == index)
        known = next((call for call in of_index if call.get("id") == identity), None)
        return known if index >= 0 or known is not None or name or last is None or last.get("id") else last
    return last if not name or last is None or _continues(last, name) else None


def _continues(call: Mapping[str, Any], name: Any) -> bool:
    """Whether a fragment that has but a name continues `call`."""
    inner = settled(inner_of(call))
    if inner.get("name") != name:
        return not inner.get("name")
    try:
        return not isinstance(json.loads(json_text(inner.get("arguments"))), dict)
    except ValueError:
        return True


# ---- content in parts


def add_parts(pieces: Text, content: Any) -> str:
    """Content as a list of typed parts. Text joins the other text, and is returned; the rest is kept in its place."""
    text = ""
    for part in content if isinstance(content, list) else [content]:
        piece = text_of([part])
        if piece:
            pieces.put(piece)
            text += piece
        elif isinstance(part, dict):
            pieces.put_part(part)
    return text


def whole_parts(pieces: List[Any]) -> List[Dict[str, Any]]:
    """Pieces of text and parts that are no text as one list of parts, neighbours of one kind joined."""
    parts: List[Dict[str, Any]] = []
    for piece in pieces:
        part = {"type": "text", "text": piece} if isinstance(piece, str) else piece
        kind = part.get("type")
        if parts and parts[-1].get("type") == kind and kind in _JOINED:
            parts[-1] = _JOINED[kind](parts[-1], part)
        elif part.get("text") != "" or len(part) > 2:
            parts.append(part)
    return [settled(part) for part in parts]


def _joined_text(old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    result: Dict[str, Any] = merged(old, new)
    return result


def _joined_thinking(old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    """Mistral: {"type":"thinking","thinking":[{"type":"text","text":"Su"}]}, piece by piece; or a plain string."""
    thinking = (old.get("thinking"), new.get("thinking"))
    text = "".join(map(text_of, thinking))
    in_parts = all(isinstance(value, list) for value in thinking)
    return {**old, **new, "thinking": [{"type": "text", "text": text}] if in_parts else text}


_JOINED: Dict[Any, Callable[[Dict[str, Any], Dict[str, Any]], Dict[str, Any]]] = {
    "text": _joined_text,
    "thinking": _joined_thinking,
}


# ---- a message in place of a delta


def add_message(choice: Any, message: Any) -> str:
    """A message that grows from chunk to chunk (Perplexity, naive relays): what is new in its text.

    Beside deltas it only repeats them.
    """
    if not isinstance(message, dict) or (not choice.by_message and (any(choice.content) or choice.calls)):
        return ""
    choice.by_message = True
    before = choice.text()
    for name, value in message.items():
        if name == "content" and value:
            choice.content = Text()
            choice.add_delta({"content": value})
        elif name != "content" and (value or name not in choice.fields):
            choice.fields.pop(name, None)
            if name == "tool_calls":
                choice.calls = []
                choice.latest = {}
            choice.take(name, value)
    after: str = choice.text()
    return after[len(before) :] if after.startswith(before) else ""
