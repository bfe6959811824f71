r"""A choice as servers other than OpenAI's stream it, put together.

    {"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}}      no index (Gemini)
    {"delta":{"tool_calls":[{"index":0,"id":"b",...}]}}                                  index 0 for each (Ollama 0.20)
    {"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Su"}]}]}} content in parts (Mistral)
    {"delta":{"reasoning_details":[{"index":0,"type":"reasoning.text","text":"Hm"}]}}    entries by index (OpenRouter)
    {"delta":{},"message":{"role":"assistant","content":"all of it so far"}}             a growing message (Perplexity)
    {"delta":{"content":"\ud83c"}}      {"delta":{"content":"\udf89"}}                   letters cut in two (gateways)
    {"choices":[{"delta":{},"usage":{...}}]}      {"choices":[],"x_groq":{"usage":{...}}}    usage (Moonshot, Groq)

Pure.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional

from .merging import DEEPEST, MOST_PIECES, Choice, Merged, MergedList, Text, merged, settled
from .reply_dialects import index_of, json_text, plain_tool_call, text_of, well_formed
from .reply_words import inner_of

_REPLACED = frozenset(["id", "type", "index", "format"])


class AnyChoice(Choice):
    """What has arrived of one choice, from whatever server."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = {}
        self.half = ""  # the first half of a surrogate pair, not shown before the second is here
        self.shown_late = False  # at the end, because no choice has the index 0
        self._before: List[Any] = []  # the content up to its last part that is no text; what follows is in `fields`
        self._latest: Optional[Dict[int, int]] = None  # the index of a call as its server counts, and as we do
        self._by_message = False
        self._said = ""  # by parts, and not shown yet

    def add_text(self, name: str, text: str) -> str:
        pieces = self.fields[name]
        if len(pieces) < MOST_PIECES:
            pieces.append(text)
        else:
            pieces.put(text)
        if name != "content":
            return ""
        return text if not self.half and text.isprintable() else self._joined(text)

    @staticmethod
    def index_in(choices: List[Any], choice: Mapping[str, Any]) -> int:
        """The index that a choice states, or its place among those of its chunk."""
        return index_of(choice, next(place for place, entry in enumerate(choices) if entry is choice))

    def message(self) -> Dict[str, Any]:
        fields = {name: _plain(value) for name, value in self.fields.items() if name not in ("role", "content")}
        message = {"role": self.fields.get("role") or "assistant", "content": self._content(), **fields}
        call = message.get("function_call")
        if isinstance(call, dict):
            message["function_call"] = plain_tool_call({"function": call})["function"]
        if self.calls:
            message["tool_calls"] = [plain_tool_call(_plain(self.calls[index])) for index in sorted(self.calls)]
        return message

    def text(self) -> str:
        return text_of(self._pieces())

    def _continued(self, name: str, known: Any, value: Any) -> Any:
        if name == "role":
            return known or (value if isinstance(value, str) else None)
        if name == "content" and not isinstance(value, str):
            return self._add_parts(known, value)
        if name == "tool_calls":
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    self._add_call(entry)
            return known or ([] if value else value)
        if isinstance(value, str) or known.__class__ is Text:
            return known if known.__class__ is Text else Text([value])
        return _deep(known, value) if isinstance(value, (dict, list)) else value

    def whole(self, index: int) -> Dict[str, Any]:
        beside = {name: _plain(value) for name, value in self.beside.items() if name != "message"}
        return {"index": index, "message": self.message(), **beside}

    def _shown(self, text: Any, choice: Mapping[str, Any]) -> str:
        if not text or text.__class__ is not str:
            if text == "" and self.fields["content"] is None:
                self.fields["content"] = Text()  # "" says a little more than null
            text, self._said = self._said, ""
            if not text and choice.get("message") and not choice.get("delta"):
                text = self._add_message(choice["message"])
        # What can be printed holds no half of a pair. Lighter than to ask for ASCII: Chinese needs no second look.
        return text if not self.half and text.isprintable() else self._joined(text)

    def _joined(self, text: str) -> str:
        """`text` behind the held back half; a high half at its end is held back."""
        if not text:
            return ""
        text = self.half + text
        self.half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return well_formed(text[:-1] if self.half else text)

    # ---- content in parts

    def _add_parts(self, known: Any, content: Any) -> Any:
        """Typed parts (Mistral): text joins the other text, the rest keeps its place."""
        text = known if isinstance(known, Text) else Text()
        for part in content if isinstance(content, list) else filter(None, [content]):
            said = text_of([part])
            if said:
                text.put(said)
                self._said += said
            elif isinstance(part, dict):
                self._before += [*filter(None, ["".join(text)]), part]
                text.clear()
        return text if text or known is not None else None

    def _pieces(self) -> List[Any]:
        return [*self._before, *filter(None, ["".join(self.fields.get("content") or ())])]

    def _content(self) -> Any:
        """A string, None, or a list if there were other parts than text."""
        if self._before:
            return _whole_parts(self._pieces())
        return None if self.fields.get("content") is None else text_of(self._pieces())

    # ---- a message in place of a delta

    def _add_message(self, message: Any) -> str:
        """A message that grows from chunk to chunk (Perplexity, naive relays): what is new in its text.

        Beside deltas it only repeats them.
        """
        if not isinstance(message, dict) or (not self._by_message and (any(self._pieces()) or self.calls)):
            return ""
        self._by_message = True
        before = text_of(self._pieces())
        for name, value in message.items():
            if name == "content" and value:
                self._before.clear()
            elif name == "tool_calls" and value:
                self.calls.clear()
                self._latest = None
            if value:
                self.fields.pop(name, None)
        delta = {name: value for name, value in message.items() if value or name != "content"}
        half = self.half
        Choice.add(self, {"delta": delta})
        self.half = half  # nothing of it is shown yet
        after = text_of(self._pieces())
        return after[len(before) :] if after.startswith(before) else ""

    # ---- tool calls

    def _add_call(self, entry: Dict[str, Any]) -> None:
        index: Any = entry.get("index")
        call = self.calls.get(index) if index.__class__ is int else None
        odd = index.__class__ is not int or (call is not None and not _same_id(call, entry))
        if odd or self._latest is not None or self._by_message:
            index = self._index_of(entry)
        if index in self.calls or entry.get("id") or entry.get("function") or entry.get("custom"):
            self.calls[index] = _deep(self.calls.get(index) or Merged(), entry)

    def _index_of(self, entry: Mapping[str, Any]) -> int:
        """The index of the call that a fragment belongs to, counted by us; that of a new call if it belongs to none.

        with an index      the last call of this index; if it has another id, the call of this index and that id
        with an id only    the call of that id
        with a name only   the last call, if it still lacks its name, or has this name and half its arguments
        with none          the last call
        """
        # From the first such fragment on, what a server calls 0 may be our call 2: its index leads to the latest.
        calls = self.calls
        if self._latest is None:
            self._latest = {index: index for index in calls}
        latest, stated = self._latest, index_of(entry, -1)
        index = latest.get(stated)
        if stated < 0 or (index in calls and not _same_id(calls[index], entry)):
            index = _searched(calls, entry, stated)
        if index is None:
            by_arrival = stated < 0 or any(index_of(call, -1) < 0 for call in calls.values())
            index = max(calls, default=-1) + 1 if by_arrival or stated in calls else stated
        if stated >= 0:
            latest[stated] = index
        return index


# ---- what the assembler asks


def text_so_far(choices: Mapping[int, Any]) -> str:
    """All text, but for half a pair that was not shown."""
    text: str = choices[min(choices)].text() if choices else ""
    return text[:-1] if 0 in choices and choices[0].half else text


def rest_of(choices: Mapping[int, Any]) -> str:
    """What was not shown, once: U+FFFD for half a pair; or all text, if the first choice is not 0."""
    if not choices:
        return ""
    choice = choices[min(choices)]
    if 0 in choices:
        half, choices[0].half = choices[0].half, ""
        return "\ufffd" if half else ""
    text = "" if choice.shown_late else choice.text()
    choice.shown_late = True
    return text


def find_usage(document: Dict[str, Any]) -> None:
    """Usage in an odd place counts if there is none in the right one."""
    found = [value.get("usage") for name, value in document.items() if name != "usage" and isinstance(value, dict)]
    found += [choice.pop("usage", None) for choice in document["choices"]]  # Moonshot; Groq has x_groq.usage
    if not document["usage"]:
        counts = (usage for usage in reversed(found) if usage and isinstance(usage, dict))
        document["usage"] = next(counts, document["usage"])


# ---- tool calls


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
    inner = _plain(inner_of(call))
    if inner.get("name") != name:
        return not inner.get("name")
    try:
        return not isinstance(json.loads(json_text(inner.get("arguments"))), dict)
    except ValueError:
        return True


# ---- content in parts


def _whole_parts(pieces: List[Any]) -> List[Dict[str, Any]]:
    """Pieces of text and parts that are no text as one list of parts, neighbours of one kind joined."""
    parts: List[Dict[str, Any]] = []
    for piece in pieces:
        part = Merged(type="text", text=piece) if isinstance(piece, str) else piece
        kind = part.get("type")
        if parts and parts[-1].get("type") == kind and kind in ("text", "thinking"):
            parts[-1] = merged(parts[-1], part) if kind == "text" else _joined_thinking(parts[-1], part)
        elif part.get("text") != "" or len(part) > 2:
            parts.append(part)
    return [_plain(part) for part in parts]


def _joined_thinking(old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    """Mistral: {"type":"thinking","thinking":[{"type":"text","text":"Su"}]}, piece by piece; or a plain string."""
    thinking = (old.get("thinking"), new.get("thinking"))
    text = "".join(map(text_of, thinking))
    in_parts = all(isinstance(value, list) for value in thinking)
    return {**old, **new, "thinking": [{"type": "text", "text": text}] if in_parts else text}


# ---- entries by index


def _deep(known: Any, value: Any, name: str = "", depth: int = 0) -> Any:
    """As `merged`; but an entry of a list that has an index continues that of the same index and, if stated, type."""
    if value is None or value == "":
        return value if known is None else known
    if known is None or known == "" or depth > DEEPEST:
        return value
    if isinstance(value, str):
        return _longer(known, value, name)
    if name in _REPLACED or name == "arguments":  # llama.cpp: arguments are an object, perhaps an empty one
        return value or known
    if isinstance(value, dict) and isinstance(known, dict):
        target = known if isinstance(known, Merged) else Merged(known)
        for key, item in value.items():
            old = target.get(key)
            if old.__class__ is Text and item.__class__ is str:
                old.put(item)
            else:
                target[key] = _deep(old, item, key, depth + 1)
        return target
    if isinstance(value, list) and isinstance(known, list) and not isinstance(known, Text):
        return _with_entries(known, value, depth)
    return value


def _longer(known: Any, text: str, name: str) -> Any:
    if isinstance(known, Text):
        known.put(text)
        return known
    if not isinstance(known, str) or name in _REPLACED:
        return text
    if name == "name":  # comes whole; in every fragment (MiniMax on NIM), growing, or split (reported of Gemini)
        return text if text.startswith(known) else known + text
    return Text([known, text])


def _with_entries(known: List[Any], entries: List[Any], depth: int) -> List[Any]:
    items = known if isinstance(known, MergedList) else _with_entries(MergedList(), known, depth)
    for item in entries:
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


def _plain(value: Any) -> Any:
    """As plain JSON again, with whole characters."""
    return settled(value, well_formed)
