"""Builds the headers of a request, and checks the key that goes into them.

    Authorization: Bearer sk-...
    Content-Type: application/json
    Accept: text/event-stream
    X-Client-Request-Id: 3f2a91...-1

What the caller gives wins, whatever its case; None removes. What cannot cross the wire is refused by name, its value
never shown. Host and framing are the transport's. Pure. Headers are RFC 9110 section 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence  # typing's own take four times as long in isinstance
from functools import lru_cache
from typing import Any, Optional, Tuple, Union

from .errors import PayloadError
from .wire import TOKEN
from .wording import kind_of

HeaderValue = Union[str, int, None]

# Written by the transport; a second opinion lets two servers disagree on where a body ends.
_FRAMING = ("content-length", "transfer-encoding")
# RFC 9110 section 5.5 lets bytes above 0x7F pass. A control character is never meant, and a newline forges a header.
_ODD = r"[^\t\x20-\x7e\xa0-\xff]"
# More than the key was copied: `Bearer KEY`, `export OPENAI_API_KEY=KEY`, `"KEY"`.
_MORE_THAN_KEY = r"""(?i)bearer\s|(export\s+)?\w*api_key\s*=|(["'`]).*\2$"""
TO_COME = "(to come)"  # a request id that `numbered` fills in


class CheckedPairs(tuple[Tuple[str, str], ...]):
    """Header pairs that `merge_headers` made: fit to be sent, no name twice. No door need look at them again."""

    __slots__ = ()


def build_headers(
    *,
    api_key: Optional[str],
    request_id: Optional[str] = None,
    retry_count: int = 0,
    stream: bool = False,
    organization: Optional[str] = None,
    project: Optional[str] = None,
    user_agent: str = "",
    key_header: str = "Authorization",
    content_type: str = "application/json",
    extra: Sequence[Optional[Mapping[str, HeaderValue]]] = (),
) -> CheckedPairs:
    """The headers of one attempt, in the order they are sent; what is None, "" or 0 is left out.

    The key goes as `Authorization: Bearer KEY`, or alone in another `key_header`. `request_id` is that by which a
    support desk finds a call that never got an answer. The mappings in `extra` win in turn. Raises PayloadError.
    """
    key = None if api_key is None else check_api_key(api_key)
    own = {
        key_header: f"Bearer {key}" if key and key_header.lower() == "authorization" else key,
        "Content-Type": content_type,
        "Accept": "text/event-stream" if stream else "application/json",
        # A stream asks for no compression: gzip arrives in the gulps of the compressor.
        "Accept-Encoding": "identity" if stream else _codings(),
        "User-Agent": user_agent,
        "X-Client-Request-Id": request_id,
        "X-Retry-Count": retry_count,
        "OpenAI-Organization": organization,
        "OpenAI-Project": project,
    }
    return merge_headers(CheckedPairs(), {name: value for name, value in own.items() if value}, *extra)


@lru_cache(maxsize=1)
def _codings() -> str:
    """What can be undone here."""
    try:
        from .coding import OFFERED
    except ImportError:  # a copy without gzip
        return "identity"
    return OFFERED


def numbered(headers: CheckedPairs, request_id: str) -> CheckedPairs:
    """Headers that were built for the id TO_COME, with an id of hex digits and hyphens in its place."""
    pair = "X-Client-Request-Id", TO_COME
    return CheckedPairs([each if each != pair else (each[0], request_id) for each in headers])


def merge_headers(headers: CheckedPairs, *layers: Optional[Mapping[str, HeaderValue]]) -> CheckedPairs:
    """`headers` with each layer laid over: the same name in any case replaces in place, None removes, the rest follows.

    Raises PayloadError for what cannot be sent.
    """
    merged = {pair[0].lower(): pair for pair in headers}
    for layer in layers:
        if layer is not None and not isinstance(layer, Mapping):
            raise PayloadError(f"headers must be a dict of names and values, got {kind_of(layer)}", path="headers")
        for name, value in (layer or {}).items():
            text: Any = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if not _is_name(name) or not (text is None or _is_value(text)):
                raise _refusal(name, value)
            if text is None:
                merged.pop(name.lower(), None)
            else:
                merged[name.lower()] = (name, text.strip(" \t"))
    return CheckedPairs(merged.values())


def _is_name(name: Any) -> bool:
    token = isinstance(name, str) and re.fullmatch(TOKEN, name)
    return bool(token) and name.lower() not in _FRAMING


def _is_value(text: Any) -> bool:
    # Blanks around it are no part of a value, RFC 9110 section 5.5.
    return isinstance(text, str) and not re.search(_ODD, text.strip(" \t"))


def check_api_key(key: str) -> str:
    """The key without the whitespace around it (a file's last newline), fit to be sent in a header.

    Raises PayloadError, which shows no part of it.
    """
    text = key.strip() if isinstance(key, str) else ""
    if not text or re.search(_ODD, text) or re.match(_MORE_THAN_KEY, text):
        raise _refusal("", key, path="api_key")
    return text


def _refusal(name: Any, value: Any, path: str = "headers") -> PayloadError:
    try:
        from .header_cures import refusal
    except ImportError:  # a copy without cures
        what = f"header {name!r}" if path == "headers" else "the API key"
        rule = "a name must be a token, a value one line of Latin-1 text, a key such a text and no more"
        return PayloadError(f"{what} cannot be sent: {rule}", path=path)
    return refusal(name, value, is_key=path == "api_key")
