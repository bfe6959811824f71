"""Keeps secrets out of everything a person or a file gets to see.

A secret is replaced by a mark with the first hex digits of its SHA-256, so that "the same key or not" stays visible:

    Authorization: Bearer sk-proj-abc...     ->     Authorization: Bearer <key:3f2a91>

Does not guess at high-entropy strings: it knows header names, the shapes of well-known keys, URL userinfo and
key-like query parameters, and whatever secrets the caller names. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, List, Tuple

SECRET_HEADERS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "api-key",  # Azure
        "x-api-key",  # Anthropic, and many gateways
        "x-goog-api-key",
        "ocp-apim-subscription-key",  # Azure API Management
        "cookie",
        "set-cookie",
    )
)
# The patterns are text, compiled by `re` at first use: together they would take two milliseconds of every import.
# sk-... (OpenAI, OpenRouter, DeepSeek, Anthropic) however short; gsk_ (Groq), hf_, r8_, fw_, xai-, nvapi- and AIza
# (Google) at the length that keys have, because "hf_transfer" and "hf-inference" are words, too.
# OpenAI's own 401 text quotes the key with its middle starred out ("sk-ab***yz"); the stars belong to the match.
_KEY_SHAPES = (
    r"(?<![A-Za-z0-9])(?:(?:sk|pk|rk)[-_][A-Za-z0-9_\-*.]{7,}|(?:gsk|hf|r8|fw)_[A-Za-z0-9*]{16,}"
    r"|(?:xai|nvapi)-[A-Za-z0-9_\-*]{16,}|AIza[A-Za-z0-9_\-]{20,})"
)
# "Bearer authentication" is a sentence about keys, not a key.
_ABOUT_KEYS = r"(?:auth|authentication|authorization|credentials?|headers?|schemes?|tokens?)(?![a-z0-9_~+/=\-*]|\.\S)"
_BEARER = rf"(?i)\b(bearer|basic)\s+(?!<key:|{_ABOUT_KEYS})([A-Za-z0-9._~+/=\-*]{{6,}})"
_QUERY_KEY = (
    r"(?i)([?&;](?:api[-_]?key|key|token|access_token|sig|signature|code|subscription-key)=)(?!<key:)([^&#\s\"']+)"
)
# What gateways take inside the body (LiteLLM's `api_key`). In bytes, as the body is: most bodies are never decoded.
_BODY_KEY = rb'(?i)"(?:[a-z0-9]+[-_])?(?:api[-_]?key|access[-_]token|client[-_]secret)"\s*:\s*"([^"\\]{4,})"'
# Header lines, JSON and keyword arguments: `api-key: 0af3...`, `"api_key": "0af3..."`. A digit tells a key from a word.
_NAMED_KEY = r"(?i)((?:api[-_]?|subscription-)key[\"']?\s*[:=]\s*[\"']?)(?=[a-z._~+/\-]*[0-9])([a-z0-9._~+/=\-]{8,})"
# Up to the last "@" before the path: a password may hold one.
_USERINFO = r"(?i)\b([a-z][a-z0-9+.\-]{0,20}://)(?!<key:[0-9a-f]{6}>@)([^/?#\s:]*:[^/?#\s]*)@"


def mark(secret: str) -> str:
    """`<key:` + six hex digits of the secret's SHA-256 + `>`. A mark stays what it is: the same key as before."""
    if re.fullmatch(r"<key:[0-9a-f]{6}\**>", secret):
        return secret
    import hashlib  # at first use: it costs a millisecond of import that a call without errors or traces never needs

    return f"<key:{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()[:6]}>"


def redact_text(text: str, secrets: Iterable[str] = (), hide: Callable[[str], str] = mark) -> str:
    """`text` without the named secrets, and without anything that has the shape of a key.

    `hide` makes of a secret what is shown in its place. What goes into a frame of known size needs one of equal length.
    """
    for secret in sorted(secrets, key=len, reverse=True):  # the longer first: one may be part of another
        # Shorter "secrets" ("x", "none") would blot out ordinary words, and protect nothing.
        if len(secret) >= 4 and secret in text:
            text = text.replace(secret, hide(secret))
    if "://" in text:
        text = re.sub(_USERINFO, lambda found: f"{found[1]}{hide(found[2])}@", text)
    # Only the secret itself gives way: the space behind "Bearer" may be a tab, or two.
    text = re.sub(_BEARER, lambda found: found[0][: -len(found[2])] + hide(found[2]), text)
    text = re.sub(_QUERY_KEY, lambda found: found[1] + hide(found[2]), text)
    text = re.sub(_NAMED_KEY, lambda found: found[1] + hide(found[2]), text)
    return re.sub(_KEY_SHAPES, lambda found: hide(found[0]), text)


def redact_header(name: str, value: str, secrets: Iterable[str] = ()) -> str:
    """The value to show for one header; a scheme word such as `Bearer` stays."""
    if name.lower() not in SECRET_HEADERS:
        return redact_text(value, secrets)
    scheme, space, token = value.partition(" ")
    if space and scheme.lower() in ("bearer", "basic"):
        return f"{scheme} {mark(token)}"
    return mark(value)


def redact_headers(pairs: Iterable[Tuple[str, str]], secrets: Iterable[str] = ()) -> List[Tuple[str, str]]:
    """The same header pairs, in order, with secret values replaced."""
    known = tuple(secrets)
    return [(name, redact_header(name, value, known)) for name, value in pairs]


def secrets_in(pairs: Iterable[Tuple[str, str]]) -> List[str]:
    """The bare secrets that the headers of a request carry: what must not be seen again in its answer."""
    found: List[str] = []
    for name, value in pairs:
        if name.lower() in ("cookie", "set-cookie"):
            crumbs = [crumb.partition("=")[2].strip() for crumb in value.split(";")]
            found += [crumb for crumb in crumbs if len(crumb) >= 8]  # "lang=en" is none, and stands in every text
        elif name.lower() in SECRET_HEADERS:
            found.append(value.rpartition(" ")[2])
    return [secret for secret in found if secret and not is_word(secret)]


def secrets_of(url: str, headers: Iterable[Tuple[str, str]], body: bytes = b"") -> List[str]:
    """The bare secrets of a whole request: of its headers, of its query (`?key=...`), of its body (`"api_key":"..."`).

    A server may quote any of them, and then without the name that gave it away.
    """
    found = [value for _, value in re.findall(_QUERY_KEY, url)] if "?" in url else []
    escaped = [value for value in found if "%" in value]
    if escaped:
        from urllib.parse import unquote  # at first use: next to no key is percent-encoded

        found += map(unquote, escaped)
    found += [value.decode("utf-8", "replace") for value in re.findall(_BODY_KEY, body)]
    return secrets_in(headers) + [secret for secret in found if not is_word(secret)]


def redact_value(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Decoded JSON without secrets, in its strings at every depth; a copy."""
    known = tuple(secrets)
    if isinstance(value, dict):
        return {name: redact_value(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [redact_value(inner, known) for inner in value]
    return redact_text(value, known) if isinstance(value, str) else value


def redact_causes(error: BaseException, secrets: Iterable[str] = ()) -> None:
    """Take secrets out of the errors behind `error`, in place: libraries quote URLs, and a traceback shows it all."""
    known = tuple(secrets)
    waiting, seen = [error.__cause__, error.__context__], [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or any(cause is one for one in seen):
            continue
        seen.append(cause)
        if any(isinstance(said, str) for said in cause.args):
            cause.args = tuple(redact_text(said, known) if isinstance(said, str) else said for said in cause.args)
        waiting += [cause.__cause__, cause.__context__, *(said for said in cause.args if isinstance(said, Exception))]


def is_word(key: str) -> bool:
    """Whether a "key" is no more than a word, as servers at home take them ("ollama", "practice").

    Hiding it wherever it stands would blot out ordinary text, and protect nothing.
    """
    return len(key) < 16 and re.fullmatch(r"[A-Za-z]+(?:[-_][A-Za-z]+)*", key) is not None
