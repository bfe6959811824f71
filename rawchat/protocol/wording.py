"""Words for errors about what cannot be sent: the name of a type, a text in quotes, a cure.

    messages must be a text, a dict or a list of dicts, got int

The cures are in `cures.py`, which a small copy does without. Pure.
"""

from __future__ import annotations

import json
from typing import Any


def quoted(text: str) -> str:
    """In double quotes and pure ASCII: half a character inside a message could not be printed either."""
    return json.dumps(text)


def cut_short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def kind_of(value: Any) -> str:
    """The type by the name its users know: `int`, `decimal.Decimal`, `None`."""
    cls = type(value)
    if value is None:
        return "None"
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def cure_for(value: Any) -> str:
    """A semicolon and what to do about a value of this type, or ""."""
    try:
        from .cures import cure_for as known_cure
    except ImportError:
        return ""
    return known_cure(value)


def surrogate_in(text: str) -> str:
    """What is wrong with a text that UTF-8 cannot write, to follow its name."""
    try:
        from .cures import surrogate_in as known_cure
    except ImportError:
        return "holds half a character, which UTF-8 cannot write"
    return known_cure(text)
