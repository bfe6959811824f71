"""Headers of requests that were made by hand: pairs as anybody wrote them, checked before they are sent.

    (("X-A", "1"), ("b", ""), ("x-a", "2"))  ->  {"X-A": "1, 2", "b": ""}

Adds and refuses nothing else: framing of the caller's own passes, as the instruments of `lab` want it.
"""

from __future__ import annotations

import re
from typing import Dict

from ..protocol.errors import PayloadError
from ..protocol.wire import TOKEN, HeaderPairs

_VALUE = re.compile(r"(?![ \t])[\1-\t\v\f\x0e-\xff]*(?<![ \t])")  # no NUL, no line break, nothing beyond Latin-1


def checked(pairs: HeaderPairs) -> Dict[str, str]:
    """PayloadError if they cannot be sent. Its message shows no value: that may be the key."""
    headers: Dict[str, str] = {}
    spelling: Dict[str, str] = {}
    for name, value in pairs:
        if not (re.fullmatch(TOKEN, name) and _VALUE.fullmatch(value)):
            raise PayloadError(
                f"header {name!r} has a character, or a blank at an end, that HTTP has no place for", path="headers"
            )
        first = spelling.setdefault(name.lower(), name)
        headers[first] = f"{headers[first]}, {value}" if first in headers else value  # RFC 9110, 5.3
    return headers
