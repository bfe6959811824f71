"""Writes the query of a URL, as the openai package does.

    {"a": "b c", "d": [1, True], "e": {"f": 0.5}}        a=b%20c&d[]=1&d[]=true&e[f]=0.5

A query in the base URL needs nothing of this. Pure. Queries are RFC 3986 section 3.4.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, Mapping, Optional

from .errors import PayloadError
from .wording import cure_for, kind_of

_SAFE = "!$'()*,;:@/?~"  # sub-delims of RFC 3986 section 3.4, less what separates pairs or reads as a space


def merge_queries(base: str, *layers: Optional[Mapping[str, Any]]) -> str:
    """`base` as it was written, less the names that a layer sets, then the layers' own.

    A name in a later layer replaces the earlier ones; None removes it. Raises PayloadError.
    """
    asked: Dict[Any, Any] = {}
    for layer in layers:
        if layer and not isinstance(layer, Mapping):
            raise PayloadError(f"a query must be a dict of names and values, got {kind_of(layer)}", path="query")
        asked.update(layer or {})
    names = {_quote(name, name): name for name in asked}
    pairs = [pair for pair in base.split("&") if pair and re.split(r"[=\[]", pair)[0] not in names]
    pairs += [pair for text, name in names.items() for pair in _pairs(text, asked[name], name)]
    return "&".join(pairs)


def _pairs(text: str, value: Any, name: Any) -> Iterator[str]:
    """`a=1`; the SDK writes a list as `a[]=1&a[]=2`, a dict as `a[b]=1`."""
    if isinstance(value, (list, tuple)):
        for inner in value:
            yield from _pairs(f"{text}[]", inner, name)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _pairs(f"{text}[{_quote(key, name)}]", inner, name)
    elif value is not None:
        yield f"{text}={_quote(value, name)}"


def _quote(value: Any, name: Any) -> str:
    from urllib.parse import quote

    subject = f"the query parameter {json.dumps(str(name))}"
    if not isinstance(value, (str, int, float)):
        raise PayloadError(f"{subject} must be a text or a number, got {kind_of(value)}{cure_for(value)}", path="query")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return quote(text, safe=_SAFE)
    except UnicodeEncodeError as error:
        raise PayloadError(f"{subject} {half_character_in(text)}", path="query") from error


def half_character_in(text: str) -> str:
    """What is wrong with a text that UTF-8 cannot write, to follow its name."""
    try:
        from .cures import surrogate_in
    except ImportError:
        return "holds half a character, which UTF-8 cannot write"
    return surrogate_in(text)
