"""A short text that matches a regular expression, for string schemas with a `pattern`.

    ^[A-Z]{2}-\\d{4}$      ->      AA-0000

Walks the tree that Python's own `re` makes of the pattern and writes a short text it allows. Best effort: look-arounds,
back references and inline flags are beyond it, and then (or where the text turns out not to match) the answer is None.
Pure.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Iterable, Optional

SAMPLE_CHARACTERS = "a0A _-.x1/@"  # tried in this order where a set says only what it is not
CATEGORIES: Dict[str, Callable[[str], bool]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda character: not character.isdigit(),
    "CATEGORY_WORD": lambda character: character.isalnum() or character == "_",
    "CATEGORY_NOT_WORD": lambda character: not (character.isalnum() or character == "_"),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda character: not character.isspace(),
}
LONGEST_REPEAT = 256


def text_for_pattern(pattern: str, candidates: Iterable[str] = ()) -> Optional[str]:
    """The first of `candidates` that matches, else a text made up, else None. JSON Schema patterns are not anchored."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return None  # a dialect that `re` does not read
    for candidate in candidates:
        if compiled.search(candidate):
            return candidate
    try:
        made = _write(_parse(pattern))
    except NotImplementedError:
        return None
    return made if compiled.search(made) else None


def _parse(pattern: str) -> Any:
    try:
        from re import _parser as parser  # type: ignore[attr-defined]  # Python 3.11 and later; imported here as rarely needed
    except ImportError:
        import sre_parse as parser
    return parser.parse(pattern)


def _write(nodes: Any) -> str:
    return "".join(_write_node(str(kind), value) for kind, value in nodes)


def _write_node(kind: str, value: Any) -> str:
    if kind == "LITERAL":
        return chr(value)
    if kind in ("ANY", "AT"):
        return "a" if kind == "ANY" else ""
    if kind == "NOT_LITERAL":
        return next(character for character in SAMPLE_CHARACTERS if ord(character) != value)
    if kind == "IN":
        return _write_set(value)
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        fewest, most, inner = value
        return _write(inner) * min(max(int(fewest), 1 if int(most) else 0), LONGEST_REPEAT)
    if kind in ("SUBPATTERN", "ATOMIC_GROUP"):
        return _write(value[-1] if kind == "SUBPATTERN" else value)
    if kind == "BRANCH":
        return _write(value[1][0])
    raise NotImplementedError(kind)


def _write_set(members: Any) -> str:
    if str(members[0][0]) == "NEGATE":
        fitting = (sample for sample in SAMPLE_CHARACTERS if not any(_holds(member, sample) for member in members[1:]))
        return next(fitting, "~")
    kind, value = str(members[0][0]), members[0][1]
    if kind == "CATEGORY":
        return next(sample for sample in SAMPLE_CHARACTERS if CATEGORIES[str(value)](sample))
    return chr(value[0] if kind == "RANGE" else value)


def _holds(member: Any, character: str) -> bool:
    """Is `character` in this one part of a set?"""
    kind, value = str(member[0]), member[1]
    if kind == "CATEGORY":
        return CATEGORIES[str(value)](character)
    return bool(value[0] <= ord(character) <= value[1]) if kind == "RANGE" else ord(character) == value
