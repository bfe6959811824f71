"""JSON values that arrive in pieces, put together.

    {"id":"a","function":{"name":"f","arguments":"{\\"x\\""}}   then   {"function":{"arguments":":1}"}}
    merged(...)     {"id":"a","function":{"name":"f","arguments":"{\\"x\\":1}"}}

Strings are appended, lists extended, objects merged, all else replaced; null and "" say nothing. What came is never
changed: the first merge into it makes an object of ours. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from .reply import well_formed

_DEEPEST = 50  # an object nested deeper is replaced: no server means it, and Python's stack is finite
_MOST_PIECES = 256  # of a string that are kept apart


class Text(list[Any]):
    """The pieces of a string, joined in heaps: a token costs ten times its letters as a string of its own."""

    heaps = 0  # how many entries at the front are never joined again: each letter is copied once

    def put(self, piece: str) -> None:
        self.append(piece)
        if len(self) - self.heaps >= _MOST_PIECES:
            self[self.heaps :] = ["".join(self[self.heaps :])]
            self.heaps += 1

    def put_part(self, part: Any) -> None:
        """An entry that is no text, behind which another heap begins."""
        self.append(part)
        self.heaps = len(self)


class Merged(dict[str, Any]):
    """An object of our own making."""


class MergedList(list[Any]):
    """A list of our own making."""


def merged(old: Any, new: Any, name: str = "", depth: int = 0) -> Any:
    """`old` continued by `new`, a later value under the same `name`. `new` is not changed, `old` only if it is ours."""
    if new is None or new == "":
        return new if old is None else old
    if old is None or old == "" or depth > _DEEPEST:
        return new
    if name in _RULES:
        return _RULES[name](old, new)
    if isinstance(new, str):
        return _appended(old, new)
    if isinstance(new, dict) and isinstance(old, dict):
        target = old if isinstance(old, Merged) else Merged(old)
        for key, value in new.items():
            target[key] = merged(target.get(key), value, key, depth + 1)
        return target
    return _extended(old, new, depth) if isinstance(new, list) and isinstance(old, list) else new


def _appended(old: Any, new: str) -> Any:
    if isinstance(old, str):
        return Text([old, new])
    if not isinstance(old, Text):
        return new
    old.put(new)
    return old


def _extended(old: List[Any], new: List[Any], depth: int) -> MergedList:
    """OpenRouter's reasoning_details: an entry with an index continues that of the same index and, if stated, type."""
    items = old if isinstance(old, MergedList) else _extended(MergedList(), old, depth)
    for item in new:
        place = -1
        if isinstance(item, dict) and isinstance(item.get("index"), int):
            alike = (at for at in range(len(items) - 1, -1, -1) if _continues(items[at], item))
            place = next(alike, -1)
        if place < 0:
            items.append(item)
        else:
            items[place] = merged(items[place], item, depth=depth + 1)
    return items


def _continues(old: Any, new: Dict[str, Any]) -> bool:
    if not isinstance(old, dict) or old.get("index") != new["index"]:
        return False
    kind = new.get("type")
    return not isinstance(kind, str) or old.get("type") == kind


def _named(old: Any, new: Any) -> Any:
    """A name is set: some servers repeat it in every fragment (MiniMax on NIM), a few let it grow. What does not begin
    with the old name is the rest of one that was split (reported of Gemini).
    """
    texts = isinstance(old, str) and isinstance(new, str)
    return old + new if texts and not new.startswith(old) else new


def _argued(old: Any, new: Any) -> Any:
    """Pieces of a string, or a whole object (llama.cpp, small relays), which may be an empty placeholder."""
    if isinstance(new, str):
        return _appended(old, new)
    return new if new or isinstance(old, dict) else old


def _replaced(old: Any, new: Any) -> Any:
    return new


_RULES: Dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("id", "type", "role", "index", "format"), _replaced),
    "name": _named,
    "arguments": _argued,
}


def settled(value: Any) -> Any:
    """Merged values as plain JSON again, new wherever they were ours."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Text):
        return well_formed("".join(value))
    if isinstance(value, Merged):
        return {name: settled(item) for name, item in value.items()}
    return [settled(item) for item in value] if isinstance(value, MergedList) else value
