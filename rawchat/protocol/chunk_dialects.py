r"""What servers other than OpenAI's put into a chunk; `chunks.py` asks here when it meets it.

    {"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}      no index (Gemini)
    {"delta":{"tool_calls":[{"index":0,"id":"b",...}]}}                                  index 0 for each (Ollama 0.20)
    {"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Su"}]}]}} content in parts (Mistral)
    {"delta":{"reasoning_details":[{"index":0,"type":"reasoning.text","text":"Hm"}]}}    entries by index (OpenRouter)
    {"delta":{},"message":{"role":"assistant","content":"all of it so far"}}             a growing message (Perplexity)

One function for each place where that is found (DIALECTS). What has to be remembered from chunk to chunk stands in the
`notes` of the choice (`chunks.Choice`). Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from .merging import DEEPEST, WHOLE, Merged, MergedList, merged, settled
from .reply import index_of, json_text, text_of
from .reply_words import inner_of

# ---- tool calls


def _call_index(choice: Any, entry: Mapping[str, Any]) -> int:
    """The index of the call that a fragment belongs to, counted by us; that of a new call if it belongs to none.

    with an index      the last call of this index; if it has another id, the call of this index and that id
    with an id only    the call of that id
    with a name only   the last call, if it still lacks its name, or has this name and half its arguments
    with none          the last call
    """
    # From the first such fragment on, what a server calls 0 may be our call 2: its index leads to the latest.
    calls: Dict[int, Merged] = choice.calls
    latest: Dict[int, int] = choice.notes.setdefault("latest", {index: index for index in calls})
    stated = index_of(entry, -1)
    index = latest.get(stated)
    if stated < 0 or (index in calls and not _same_id(calls[index], entry)):
        index = _searched(calls, entry, stated)
    if index is None:
        by_arrival = stated < 0 or any(index_of(call, -1) < 0 for call in calls.values())
        index = max(calls, default=-1) + 1 if by_arrival or stated in calls else stated
    if stated >= 0:
        latest[stated] = index
    return index


def _same_id(call: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return not entry.get("id") or call.get("id") in (None, "", entry["id"])


def _searched(calls: Dict[int, Merged], entry: Mapping[str, Any], stated: int) -> Optional[int]:
    identity, name = entry.get("id"), inner_of(entry).get("name")
    last = next(reversed(calls), None)
    if isinstance(identity, str) and identity:
        for index in reversed(calls):
            if calls[index].get("id") == identity and stated in (-1, index_of(calls[index], -1)):
                return index
        # An id that comes late belongs to the call that has none yet.
        return None if stated >= 0 or name or last is None or calls[last].get("id") else last
    return last if not name or last is None or _continues(calls[last], name) else None


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


def _pieces(choice: Any, content: Any) -> List[Union[str, Dict[str, Any]]]:
    """Text as strings, and the parts that are no text."""
    parts = content if isinstance(content, list) else [content]
    return [text_of([part]) or part for part in parts if isinstance(part, (str, dict)) and part != ""]


def _whole_parts(choice: Any, pieces: List[Any]) -> List[Dict[str, Any]]:
    """Pieces of text and parts that are no text as one list of parts, neighbours of one kind joined."""
    parts: List[Dict[str, Any]] = []
    for piece in pieces:
        part = {"type": "text", "text": piece} if isinstance(piece, str) else piece
        kind = part.get("type")
        if parts and parts[-1].get("type") == kind and kind in ("text", "thinking"):
            parts[-1] = merged(parts[-1], part) if kind == "text" else _joined_thinking(parts[-1], part)
        elif part.get("text") != "" or len(part) > 2:
            parts.append(part)
    return [settled(part) for part in parts]


def _joined_thinking(old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    """Mistral: {"type":"thinking","thinking":[{"type":"text","text":"Su"}]}, piece by piece; or a plain string."""
    thinking = (old.get("thinking"), new.get("thinking"))
    text = "".join(map(text_of, thinking))
    in_parts = all(isinstance(value, list) for value in thinking)
    return {**old, **new, "thinking": [{"type": "text", "text": text}] if in_parts else text}


# ---- a message in place of a delta


def _add_message(choice: Any, message: Any) -> str:
    """A message that grows from chunk to chunk (Perplexity, naive relays): what is new in its text.

    Beside deltas it only repeats them.
    """
    content, notes = choice.content, choice.notes
    if not isinstance(message, dict) or ("by_message" not in notes and (any(content) or choice.calls)):
        return ""
    notes["by_message"] = True
    before = text_of(content)
    for name, value in message.items():
        if name == "content" and value:
            content.clear()
            content.heaps = 0
        elif name == "tool_calls" and value:
            choice.calls.clear()
            notes.pop("latest", None)
        if name != "content" and value:
            choice.fields.pop(name, None)
    choice.add({"delta": {name: value for name, value in message.items() if value or name != "content"}})
    after = text_of(content)
    return after[len(before) :] if after.startswith(before) else ""


# ---- entries by index


def _deep(known: Any, value: Any, name: str = "", depth: int = 0) -> Any:
    """As `merged`; but an entry of a list that has an index continues that of the same index and, if stated, type."""
    kind = value.__class__
    if kind not in (dict, list) or not isinstance(known, kind) or name in WHOLE or depth > DEEPEST:
        return merged(known, value, name, depth)
    if kind is dict:
        target = known if isinstance(known, Merged) else Merged(known)
        for key, item in value.items():
            join = _deep if item.__class__ in (dict, list) else merged  # a token's entry is mostly strings
            target[key] = join(target.get(key), item, key, depth + 1)
        return target
    items = known if isinstance(known, MergedList) else _deep(MergedList(), known, name, depth)
    for item in value:
        place = _place_of(item, items)
        if place < 0:
            items.append(item)
        else:
            items[place] = _deep(items[place], item, "", depth + 1)
    return items


def _place_of(entry: Any, items: List[Any]) -> int:
    if not isinstance(entry, dict) or not isinstance(entry.get("index"), int):
        return -1
    kind = entry.get("type")
    for place in range(len(items) - 1, -1, -1):
        item = items[place]
        of_index = isinstance(item, dict) and item.get("index") == entry["index"]
        if of_index and (not isinstance(kind, str) or item.get("type") == kind):
            return place
    return -1


DIALECTS: Dict[str, Callable[[Any, Any], Any]] = {
    "tool_calls": _call_index,
    "content": _pieces,
    "parts": _whole_parts,
    "message": _add_message,
    "deep": _deep,
}
