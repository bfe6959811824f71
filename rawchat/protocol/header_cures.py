"""What is wrong with a header or a key, whose values are never shown; and that a key is missing.

    header X-A holds a line break, U+000A at position 24
    the API key begins with "Bearer "; give the key alone, the word is added when it is sent
    no API key for https://api.openai.com/v1: set OPENAI_API_KEY or pass api_key= ...

What is wrong is refused by `headers.py`; here it is said why. What lacks a key, the server would refuse. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Iterable

from .cures import cut_short, quoted
from .errors import PayloadError
from .redact import redact_text
from .wire import TOKEN
from .wording import kind_of

# What a key looks like when more than the key was copied.
_KEY_MISTAKES = (
    (r"(?i)bearer\s", 'begins with "Bearer "; give the key alone, the word is added when it is sent'),
    (r"(?i)(?:export\s+)?\w*api_key\s*=", "is a whole line NAME=value; give what stands behind the '='"),
    (r"([\"'`]).*\1$", "has quotation marks around it; give it without them"),
)


def refusal(name: Any, value: Any, *, is_key: bool) -> PayloadError:
    """The error for a header that cannot be sent, or for a key."""
    if is_key:
        return PayloadError(f"the API key {_flaw_of(value, is_key)}", path="api_key")
    if not isinstance(name, str) or not re.fullmatch(TOKEN, name):
        shown = cut_short(quoted(name)) if isinstance(name, str) else f"a name of type {kind_of(name)}"
        return PayloadError(f"{shown} cannot name a header; letters, digits and hyphens can", path="headers")
    framing = name.lower() in ("content-length", "transfer-encoding")
    what = "is written by the transport and cannot be set" if framing else _flaw_of(value, is_key)
    return PayloadError(f"header {name} {what}", path=f"headers.{name}")


def _flaw_of(value: Any, is_key: bool) -> str:
    """The rest of a sentence: by type, by the number and place of a character, or by the slip that was made."""
    if not isinstance(value, str):
        return f"must be a text, got {kind_of(value)}"
    text = value.strip() if is_key else value.strip(" \t")
    if not text:
        return "is blank"
    odd = re.search(r"[^\t\x20-\x7e\xa0-\xff]", text)
    if odd:
        code = ord(odd[0])
        kind = "a control character" if code < 0xA0 else "a character outside Latin-1"
        kind = "a line break" if code in (10, 13) else kind
        cure = "; copy it again, whole and alone" if is_key else ""
        return f"holds {kind}, U+{code:04X} at position {odd.start()}{cure}"
    return next(what for pattern, what in _KEY_MISTAKES if re.match(pattern, text))


def check_missing_key(base_url: str, header_names: Iterable[str], variable: str) -> None:
    """Raises PayloadError where there will be a need for a key: a server that is on another machine, and no header
    that is a credential.
    """
    from urllib.parse import urlsplit

    host = (urlsplit(base_url).hostname or "").rstrip(".")
    local = host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
    if local or any(name.lower() in ("authorization", "api-key", "x-api-key") for name in header_names):
        return
    raise PayloadError(
        f"no API key for {redact_text(base_url)}: set {variable} or pass api_key= "
        '(a server on this machine needs none; for another one that wants none, pass api_key="")'
    )
