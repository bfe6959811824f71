"""Two JSON values compared by path: what differs in meaning, what only in its words, and nothing about spacing.

    {"max_tokens":5,"stop":null}   against   {"max_completion_tokens":5}
        ~ max_tokens 5 / max_completion_tokens 5     two names of one limit; reasoning models refuse the older one
        - stop null                                  null says "none", an absent field says nothing

Absent is not null, and "5" is not 5. 1 and 1.0, text and a list with one text part, two names of one parameter are told
softly: most servers take them for the same. Long text is compared by words. Pure.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Tuple

MEANING, SOFT, FORM = "meaning", "soft", "form"
ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "absent"})()
_NULL_NOTE = 'null says "none", an absent field says nothing'
_LONG_TEXT = 48  # characters; shorter text is quicker read whole than word by word
_CONTEXT_WORDS = 4


class Difference(NamedTuple):
    """`path` such as messages[1].content; `left` or `right` is ABSENT where one side has nothing there."""

    weight: str
    path: str
    left: Any
    right: Any
    note: str = ""


# (older or other name, newer name, what to know). Both hold the same value and mean the same to most servers.
PAIRS: Tuple[Tuple[str, str, str], ...] = (
    ("max_tokens", "max_completion_tokens", "two names of one limit; reasoning models refuse the older one"),
    ("user", "safety_identifier", "two names of one field; the newer one is never a name in clear"),
    ("functions", "tools", "the older and the newer way to offer functions"),
    ("function_call", "tool_choice", "the older and the newer way to choose a function"),
    ("engine", "model", "the field of 2021 and the one of today"),
)
# What one side adds without changing what the model says.
ADDITIONS: Mapping[str, str] = {
    "stream_options": "asks for more about the stream, such as the token counts",
    "user": "names the user; the answer is the same",
    "safety_identifier": "names the user; the answer is the same",
    "metadata": "labels for the provider's log; the answer is the same",
    "store": "whether the provider keeps the call; the answer is the same",
    "prompt_cache_key": "where to look for a cached beginning; the answer is the same",
}
# A field that says what its absence says, too (API reference, 2026-11).
DEFAULTS: Mapping[str, Any] = {
    "stream": False,
    "n": 1,
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "store": False,
    "service_tier": "auto",
    "parallel_tool_calls": True,
}


def compare(left: Any, right: Any) -> List[Difference]:
    """All differences between two request bodies, in the order of the left one, then what the right one adds."""
    if isinstance(left, dict) and isinstance(right, dict):
        return list(_top(left, right))
    return list(compare_values(left, right, ""))


def _top(left: Dict[str, Any], right: Dict[str, Any]) -> Iterator[Difference]:
    """The uppermost object, whose names have a meaning that is known."""
    paired = set()
    for older, newer, note in PAIRS:
        for one, other in ((older, newer), (newer, older)):
            if one in left and other in right and one not in right and other not in left:
                paired |= {one, other}
                same = left[one] == right[other]
                yield Difference(SOFT if same else MEANING, f"{one} / {other}", left[one], right[other], note)
    for name in [*left, *(name for name in right if name not in left)]:
        if name in paired:
            continue
        if name in left and name in right:
            yield from compare_values(left[name], right[name], name)
        else:
            yield _one_sided(name, left.get(name, ABSENT), right.get(name, ABSENT))


def _one_sided(name: str, left: Any, right: Any) -> Difference:
    value = right if left is ABSENT else left
    if value is None:
        return Difference(MEANING, name, left, right, _NULL_NOTE)
    if name in DEFAULTS and value == DEFAULTS[name] and isinstance(value, bool) == isinstance(DEFAULTS[name], bool):
        return Difference(SOFT, name, left, right, "this is the default")
    if name in ADDITIONS:
        return Difference(SOFT, name, left, right, ADDITIONS[name])
    return Difference(MEANING, name, left, right)


def compare_values(left: Any, right: Any, path: str) -> Iterator[Difference]:
    """Differences at and below `path`."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in [*left, *(name for name in right if name not in left)]:
            where = f"{path}.{name}" if path else name
            if name not in left or name not in right:
                yield _below(where, left.get(name, ABSENT), right.get(name, ABSENT))
            else:
                yield from compare_values(left[name], right[name], where)
    elif isinstance(left, list) and isinstance(right, list):
        yield from _lists(left, right, path)
    elif type(left) is not type(right) and _parts_of(left, right):
        note = "text on one side, a list with this one text part on the other"
        text, other = (left, _parts_of(left, right)) if isinstance(left, str) else (_parts_of(left, right), right)
        yield Difference(SOFT if text == other else MEANING, path, left, right, note)
    elif left != right or isinstance(left, bool) is not isinstance(right, bool):
        yield Difference(MEANING, path, left, right, _why(left, right))
    elif type(left) is not type(right):
        yield Difference(SOFT, path, left, right, "the same number; a strict server may tell 1 from 1.0")


def _below(path: str, left: Any, right: Any) -> Difference:
    value = right if left is ABSENT else left
    return Difference(
        MEANING, path, left, right, 'null says "none", an absent field says nothing' if value is None else ""
    )


def _parts_of(left: Any, right: Any) -> Any:
    """The text of a content list with nothing but text in it, where the other side is plain text; else None."""
    parts, text = (left, right) if isinstance(left, list) else (right, left)
    if not isinstance(parts, list) or not isinstance(text, str):
        return None
    if not all(
        isinstance(part, dict) and part.get("type") == "text" and set(part) == {"type", "text"} for part in parts
    ):
        return None
    return "".join(str(part["text"]) for part in parts)


def _why(left: Any, right: Any) -> str:
    if type(left) is type(right) or (isinstance(left, (int, float)) and isinstance(right, (int, float))):
        return ""
    return f"{_kind(left)} on one side, {_kind(right)} on the other"


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}


def _lists(left: List[Any], right: List[Any], path: str) -> Iterator[Difference]:
    """Items are matched so that one that was put in between does not make all that follow it differ."""
    old, new = ([json.dumps(item, sort_keys=True) for item in side] for side in (left, right))
    for tag, start, end, from_, to in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        same = min(end - start, to - from_)
        for offset in range(same):
            yield from compare_values(left[start + offset], right[from_ + offset], f"{path}[{start + offset}]")
        for place in range(start + same, end):
            yield Difference(MEANING, f"{path}[{place}]", left[place], ABSENT)
        for place in range(from_ + same, to):
            yield Difference(MEANING, f"{path}[{place}]", ABSENT, right[place])


# --- words -----------------------------------------------------------------------------------------------------------


def word_diff(left: str, right: str) -> str:
    """Two texts as one, with [-what only the left has-]{+what only the right has+} and a little around it.

    >>> word_diff("You are a helpful assistant.", "You are a helpful robot.")
    'You are a helpful [-assistant.-]{+robot.+}'
    """
    old, new = (re.findall(r"\s+|[^\s]+", text) for text in (left, right))
    told = []
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for number, (tag, start, end, from_, to) in enumerate(codes):
        if tag == "equal":
            told.append(_shortened(old[start:end], first=number == 0, last=number == len(codes) - 1))
        else:
            told.append(f"[-{''.join(old[start:end])}-]" if end > start else "")
            told.append(f"{{+{''.join(new[from_:to])}+}}" if to > from_ else "")
    return "".join(told)


def _shortened(words: List[str], *, first: bool, last: bool) -> str:
    """Words that both sides have: those next to a difference, the others as an ellipsis."""
    around = _CONTEXT_WORDS * 2  # spaces count as words here
    if len(words) <= around * (1 if first or last else 2) + 2:
        return "".join(words)
    before = [] if first else words[:around]
    after = [] if last else words[-around:]
    return "".join([*before, " … ", *after])


def is_long_text(left: Any, right: Any) -> bool:
    return isinstance(left, str) and isinstance(right, str) and max(len(left), len(right)) > _LONG_TEXT
