"""One choice of a stream in the making: its deltas, put together.

    {"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\\"x\\""}}]}
    {"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}

Strings are appended, lists extended, objects merged, all else replaced; null and "" say nothing. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

DEEPEST = 50  # an object nested deeper is replaced: no server means it, and Python's stack is finite
MOST_PIECES = 512  # of a string that are kept apart
_WHOLE = frozenset(["id", "type", "index", "format", "name", "role"])  # what never comes in pieces


class Text(list[str]):
    """The pieces of a string, joined from time to time: alone, a token costs ten times its letters."""

    def put(self, piece: str) -> None:
        self.append(piece)
        if len(self) > MOST_PIECES:
            self[:] = ["".join(self)]


class Merged(dict[str, Any]):
    """An object of our own, which may be changed; what came may not."""


class MergedList(list[Any]):
    """A list of our own."""


def merged(old: Any, new: Any, name: str = "", depth: int = 0) -> Any:
    """`old` continued by `new`, of the same `name`. `old` is changed only if it is ours."""
    if new is None or new == "":
        return new if old is None else old
    if old is None or old == "" or depth > DEEPEST or name in _WHOLE:
        return new
    if isinstance(new, str) and isinstance(old, (str, Text)):
        text = old if isinstance(old, Text) else Text([old])
        text.put(new)
        return text
    if isinstance(new, dict) and isinstance(old, dict):
        fields = old if isinstance(old, Merged) else Merged(old)
        for key, value in new.items():
            fields[key] = merged(fields.get(key), value, key, depth + 1)
        return fields
    if isinstance(old, list):
        items = old if isinstance(old, MergedList) else MergedList(old)
        items += new if isinstance(new, list) else [new]
        return items
    return new


def settled(value: Any, spelled: Callable[[str], str] = str) -> Any:
    """As plain JSON again, its strings as `spelled` has them."""
    if isinstance(value, Text):
        return spelled("".join(value))
    if isinstance(value, str):
        return spelled(value)
    if isinstance(value, Merged):
        return {name: settled(item, spelled) for name, item in value.items()}
    return [settled(item, spelled) for item in value] if isinstance(value, MergedList) else value


class Choice:
    """What has arrived of one choice."""

    def __init__(self) -> None:
        self.fields: Dict[str, Any] = {"role": "assistant"}  # of the message
        self.calls: Dict[int, Merged] = {}
        self.beside: Dict[str, Any] = {"logprobs": None, "finish_reason": None}  # what stands beside the delta

    def add(self, choice: Mapping[str, Any]) -> str:
        """The text that the choice of a chunk adds."""
        fields, delta = self.fields, choice.get("delta")
        if not isinstance(delta, dict):
            return self._shown(None, choice)
        text: Any = delta.get("content")
        if len(delta) == 1 and text.__class__ is str and fields.get("content"):
            return self.add_text("content", text)
        for name, value in delta.items():
            if value or name not in fields:
                known = fields.get(name)
                if known.__class__ is Text and value.__class__ is str:
                    known.put(value)
                else:
                    fields[name] = self._continued(name, known, value)
        return self._shown(text, choice)

    def add_text(self, name: str, text: str) -> str:
        """As `add`, for a delta that only has more of a string."""
        self.fields[name] = merged(self.fields[name], text)
        return text if name == "content" else ""

    @staticmethod
    def index_in(choices: List[Any], choice: Mapping[str, Any]) -> int:
        """Of a choice without one."""
        return 0

    def whole(self, index: int) -> Dict[str, Any]:
        """The choice of a whole reply."""
        choice = {"index": index, "message": None, **settled(Merged(self.beside))}
        choice["message"] = choice["message"] or self.message()  # relays send one, all of it so far
        return choice

    def message(self) -> Dict[str, Any]:
        message = {"role": "assistant", "content": None, **settled(Merged(self.fields))}
        if self.calls:
            message["tool_calls"] = [settled(self.calls[index]) for index in sorted(self.calls)]
        return message

    def _shown(self, text: Any, choice: Mapping[str, Any]) -> str:
        return text if isinstance(text, str) else ""

    def _continued(self, name: str, known: Any, value: Any) -> Any:
        if name == "tool_calls":
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    self._add_call(entry)
            return value and []
        return Text([value]) if known is None and isinstance(value, str) else merged(known, value, name)

    def _add_call(self, entry: Dict[str, Any]) -> None:
        """Without an index, or with the index of one that has another id, it is a call of its own."""
        index: Any = entry.get("index")
        known = self.calls.get(index, Merged()) if index.__class__ is int else None
        if known is None or (entry.get("id") and known.get("id") not in (None, "", entry["id"])):
            index, known = max(self.calls, default=-1) + 1, Merged()
        self.calls[index] = merged(known, {name: value for name, value in entry.items() if name != "index"})
