"""Builds the headers of a request, and checks the key that goes into them (RFC 9110 section 5).

    Authorization: Bearer sk-...
    Content-Type: application/json
    Accept: text/event-stream

What cannot cross the wire is refused by name, its value never shown. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence  # typing's own are slow in isinstance
from functools import lru_cache
from typing import Any, Optional, Tuple, Union

from .errors import PayloadError
from .wire import TOKEN
from .wording import wrong_type

HeaderValue = Union[str, int, None]

# Written by the transport: of a second one, two servers may read two ends of a body.
_FRAMING = ("content-length", "transfer-encoding")
# A control character is never meant, and a newline forges a header.
_ODD = r"[^\t\x20-\x7e\xa0-\xff]"
# More than the key was copied: `Bearer KEY`, `export OPENAI_API_KEY=KEY`, `"KEY"`.
_MORE_THAN_KEY = r"""(?i)bearer\s|(export\s+)?\w*api_key\s*=|(["'`]).*\2$"""
TO_COME = "(to come)"  # a request id that `numbered` fills in


class CheckedPairs(tuple[Tuple[str, str], ...]):
    """Of `merge_headers`: fit to be sent, no name twice. No door need look at them again."""

    __slots__ = ()


def build_headers(
    *,
    api_key: Optional[str],
    stream: bool = False,
    key_header: str = "Authorization",
    content_type: str = "application/json",
    extra: Sequence[Optional[Mapping[str, HeaderValue]]] = (),
) -> CheckedPairs:
    """The headers of one attempt, and `extra` laid over them. Raises PayloadError.

    The key goes as `Authorization: Bearer KEY`, or alone in another `key_header`.
    """
    key = None if api_key is None else check_api_key(api_key)
    own = {
        key_header: f"Bearer {key}" if key and key_header.lower() == "authorization" else key,
        "Content-Type": content_type,
        "Accept": "text/event-stream" if stream else "application/json",
        # A stream asks for no compression: gzip arrives in the gulps of the compressor.
        "Accept-Encoding": "identity" if stream else _codings(),
    }
    return merge_headers(CheckedPairs(), {name: value or None for name, value in own.items()}, *extra)


@lru_cache(maxsize=1)
def _codings() -> str:
    """What can be undone here."""
    try:
        from .coding import OFFERED
    except ImportError:  # a copy without gzip
        return "identity"
    return OFFERED


def numbered(headers: CheckedPairs, request_id: str) -> CheckedPairs:
    """Headers that were built for the id TO_COME, with this one of hex digits and hyphens."""
    pair = "X-Client-Request-Id", TO_COME
    return CheckedPairs([each if each != pair else (each[0], request_id) for each in headers])


def merge_headers(headers: CheckedPairs, *layers: Optional[Mapping[str, HeaderValue]]) -> CheckedPairs:
    """Each layer over `headers`: a name in any case replaces in place, None removes, the rest follows."""
    merged = {pair[0].lower(): pair for pair in headers}
    for layer in layers:
        if layer is not None and not isinstance(layer, Mapping):
            raise wrong_type("headers", "a dict of names and values", layer)
        for name, value in (layer or {}).items():
            text: Any = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if not _fits(name, text):
                raise _refusal(name, value)
            if text is None:
                merged.pop(name.lower(), None)
            else:
                merged[name.lower()] = (name, text.strip(" \t"))
    return CheckedPairs(merged.values())


def _fits(name: Any, text: Any) -> bool:
    if not isinstance(name, str) or not re.fullmatch(TOKEN, name) or name.lower() in _FRAMING:
        return False
    # Blanks around it are no part of a value, RFC 9110 section 5.5.
    return text is None or (isinstance(text, str) and not re.search(_ODD, text.strip(" \t")))


def check_api_key(key: str) -> str:
    """The key without whitespace around it. Raises PayloadError, which shows no part of it."""
    text = key.strip() if isinstance(key, str) else ""
    if not text or re.search(_ODD, text) or re.match(_MORE_THAN_KEY, text):
        raise _refusal("", key, is_key=True)
    return text


def _refusal(name: Any, value: Any, *, is_key: bool = False) -> PayloadError:
    try:
        from .header_cures import refusal
    except ImportError:  # a copy without cures
        what = "the API key" if is_key else f"header {name!r}"
        rule = "a name must be a token, a value one line of Latin-1 text, a key such a text and no more"
        return PayloadError(f"{what} cannot be sent: {rule}", path="api_key" if is_key else "headers")
    return refusal(name, value, is_key=is_key)
