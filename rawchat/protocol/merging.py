"""JSON values that arrive in pieces, put together.

    {"id":"a","function":{"name":"f","arguments":"{\\"x\\""}}   then   {"function":{"arguments":":1}"}}
    merged(...)     {"id":"a","function":{"name":"f","arguments":"{\\"x\\":1}"}}

Strings are appended, lists extended, objects merged, all else replaced; null and "" say nothing. Pure.
"""

from __future__ import annotations

from typing import Any

from .reply import well_formed

DEEPEST = 50  # an object nested deeper is replaced: no server means it, and Python's stack is finite
_MOST_PIECES = 256  # of a string that are kept apart
_REPLACED = frozenset(["id", "type", "index", "format"])
WHOLE = _REPLACED | {"arguments"}  # what never comes in pieces if it is no string


class Text(list[Any]):
    """The pieces of a string, joined in heaps: alone, a token costs ten times its letters."""

    heaps = 0  # entries at the front that are never joined again

    def put(self, piece: str) -> None:
        self.append(piece)
        if len(self) - self.heaps >= _MOST_PIECES:
            self[self.heaps :] = ["".join(self[self.heaps :])]
            self.heaps += 1

    def put_part(self, part: Any) -> None:
        self.append(part)
        self.heaps = len(self)


class Merged(dict[str, Any]):
    """An object of our own, which may be changed; what came may not."""


class MergedList(list[Any]):
    """A list of our own."""


def merged(old: Any, new: Any, name: str = "", depth: int = 0) -> Any:
    """`old` continued by `new`, of the same `name`. `old` is changed only if it is ours."""
    if new is None or new == "":
        return new if old is None else old
    if old is None or old == "" or depth > DEEPEST:
        return new
    if isinstance(new, str):
        return _continued(old, new, name)
    if name in WHOLE:  # llama.cpp: arguments are an object, perhaps an empty one that says nothing
        return new or old
    if isinstance(new, dict) and isinstance(old, dict):
        target = old if isinstance(old, Merged) else Merged(old)
        for key, value in new.items():
            target[key] = merged(target.get(key), value, key, depth + 1)
        return target
    if isinstance(new, list) and isinstance(old, list):
        items = old if isinstance(old, MergedList) else MergedList(old)
        items += new
        return items
    return new


def _continued(old: Any, new: str, name: str) -> Any:
    if isinstance(old, Text):
        old.put(new)
        return old
    if not isinstance(old, str) or name in _REPLACED:
        return new
    if name == "name":  # comes whole; in every fragment (MiniMax on NIM), growing, or split (reported of Gemini)
        return new if new.startswith(old) else old + new
    return Text([old, new])


def settled(value: Any) -> Any:
    """As plain JSON again."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Text):
        return well_formed("".join(value))
    if isinstance(value, Merged):
        return {name: settled(item) for name, item in value.items()}
    return [settled(item) for item in value] if isinstance(value, MergedList) else value
