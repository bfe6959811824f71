"""Builds the headers of a request, and checks the key that goes into them.

    Authorization: Bearer sk-...
    Content-Type: application/json
    Accept: text/event-stream
    User-Agent: NAME/1.0 Python/3.13
    X-Client-Request-Id: 3f2a91...-1

What the caller gives wins, whatever its case; None removes. What cannot cross the wire is refused by name, its value
never shown. Host and framing are the transport's. Pure. Headers are RFC 9110 section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence  # typing's own take four times as long in isinstance
from typing import TYPE_CHECKING, Any, Optional, Tuple, Union

from .errors import PayloadError
from .wording import cut_short, kind_of, quoted

if TYPE_CHECKING:
    from .wire import HeaderPairs

HeaderValue = Union[str, int, None]

# Written by the transport from the bytes it sends; a second opinion lets two servers disagree on where a body ends.
_FRAMING = frozenset(("content-length", "transfer-encoding"))


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
    has_body: bool = True,
    extra: Sequence[Optional[Mapping[str, HeaderValue]]] = (),
) -> HeaderPairs:
    """The headers of one attempt, in the order they are sent; Host and framing are the transport's.

    The key goes as `Authorization: Bearer KEY`, or alone in another `key_header` (Azure: `api-key`). None or "" leaves
    a header out. `request_id` becomes X-Client-Request-Id, by which a support desk finds a call that never got an
    answer; `retry_count` X-Retry-Count, on retries only. `has_body=False` is for GET. The mappings in `extra` (the
    client's headers, then the call's) win in turn over all of it, as in `merge_headers`. Raises PayloadError, which
    shows no value.

    A stream asks for no compression, because gzip arrives in the gulps of the compressor; `extra` may ask for it.
    """
    key = None if api_key is None else check_api_key(api_key)
    own = (
        (key_header, f"Bearer {key}" if key and key_header.lower() == "authorization" else key),
        ("Content-Type", "application/json" if has_body else None),
        ("Accept", "text/event-stream" if stream else "application/json"),
        ("Accept-Encoding", "identity" if stream else "gzip, deflate"),
        ("User-Agent", user_agent),
        ("X-Client-Request-Id", request_id),
        ("X-Retry-Count", str(retry_count) if retry_count else None),
        ("OpenAI-Organization", organization),
        ("OpenAI-Project", project),
    )
    return merge_headers([(name, value) for name, value in own if value], *extra)


def merge_headers(headers: Iterable[Tuple[str, str]], *layers: Optional[Mapping[str, HeaderValue]]) -> HeaderPairs:
    """`headers` with each layer laid over: the same name in any case replaces in place, None removes, the rest follows.

    Names must be tokens, values text or whole numbers in Latin-1 without control characters.
    Raises PayloadError, which shows no value.
    """
    merged = {name.lower(): (name, _check_value(name, value)) for name, value in headers}
    for layer in layers:
        if layer is not None and not isinstance(layer, Mapping):
            raise PayloadError(f"headers must be a dict of names and values, got {kind_of(layer)}", path="headers")
        for name, value in (layer or {}).items():
            _check_name(name)
            if value is None:
                merged.pop(name.lower(), None)
            else:
                merged[name.lower()] = (name, _check_value(name, value))
    return tuple(merged.values())


def _check_name(name: Any) -> None:
    # A token, RFC 9110 section 5.6.2.
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+", name):
        shown = cut_short(quoted(name)) if isinstance(name, str) else f"a name of type {kind_of(name)}"
        raise PayloadError(f"{shown} cannot name a header; letters, digits and hyphens can", path="headers")
    if name.lower() in _FRAMING:
        raise PayloadError(f"header {name} is written by the transport and cannot be set", path=f"headers.{name}")


def _check_value(name: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise PayloadError(f"header {name} must be a text, got {kind_of(value)}", path=f"headers.{name}")
    text: str = value.strip(" \t")  # not part of a value, RFC 9110 section 5.5
    odd = _odd_character(text)
    if odd:
        raise PayloadError(f"header {name} holds {odd}", path=f"headers.{name}")
    return text


def _odd_character(text: str) -> str:
    """What a header value cannot hold, by number and place; nothing of the text around it, which may be a secret.

    RFC 9110 section 5.5 lets bytes above 0x7F pass. A control character is never meant, and a newline forges a header.
    """
    if text.isascii() and text.isprintable():
        return ""
    found = re.search(r"[^\t\x20-\x7e\xa0-\xff]", text)
    if found is None:
        return ""
    code = ord(found[0])
    kind = "a control character" if code < 0xA0 else "a character outside Latin-1"
    return f"{'a line break' if code in (10, 13) else kind}, U+{code:04X} at position {found.start()}"


# ---- the key

# What a key looks like when more than the key was copied.
_KEY_MISTAKES = (
    (r"(?i)bearer\s", 'begins with "Bearer "; give the key alone, the word is added when it is sent'),
    (r"(?i)(?:export\s+)?\w*api_key\s*=", "is a whole line NAME=value; give what stands behind the '='"),
    (r"([\"'`]).*\1$", "has quotation marks around it; give it without them"),
)


def check_api_key(key: str) -> str:
    """The key without the whitespace around it (a file's last newline), fit to be sent in a header.

    Raises PayloadError where it is blank or cannot be a key. No message shows any part of it.
    """
    if not isinstance(key, str):
        raise PayloadError(f"the API key must be a text, got {kind_of(key)}", path="api_key")
    stripped = key.strip()
    if not stripped:
        raise PayloadError("the API key is blank", path="api_key")
    odd = _odd_character(stripped)
    if odd:
        raise PayloadError(f"the API key holds {odd}; copy it again, whole and alone", path="api_key")
    for pattern, what in _KEY_MISTAKES:
        if re.match(pattern, stripped):
            raise PayloadError(f"the API key {what}", path="api_key")
    return stripped
