"""Keeps secrets out of everything a person or a file gets to see.

    Authorization: Bearer sk-proj-abc...     ->     Authorization: Bearer <key:3f2a91>, its SHA-256 in short

Knows names of headers, shapes of keys, and what the caller names; does not guess at high entropy. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, List, Tuple

SECRET_HEADERS = frozenset(
    "authorization proxy-authorization cookie set-cookie"
    " api-key x-api-key x-goog-api-key ocp-apim-subscription-key".split()
)
# (what stays)(what is secret). As text: `re` compiles it at first use.
_QUERY_KEY = (
    r"(?i)([?&;](?:api[-_]?key|key|token|access_token|sig|signature|code|subscription-key)=)(?!<key:)([^&#\s\"']+)"
)
# Up to the last "@" before the path: a password may hold one.
_USERINFO = r"(?i)(\b[a-z][a-z0-9+.\-]{0,20}://)(?!<key:[0-9a-f]{6}>@)([^/?#\s:]*:[^/?#\s]*)(?=@)"
# "Bearer authentication" is no key.
_ABOUT_KEYS = r"(?:auth|authentication|authorization|credentials?|headers?|schemes?|tokens?)(?![a-z0-9_~+/=\-*]|\.\S)"
_BEARER = rf"(?i)\b((?:bearer|basic)\s+)(?!<key:|{_ABOUT_KEYS})([a-z0-9._~+/=\-*]{{6,}})"
# `api-key: 0af3...`, `"api_key": "0af3..."`. A digit tells a key from a word.
_NAMED_KEY = r"(?i)((?:api[-_]?|subscription-)key[\"']?\s*[:=]\s*[\"']?)(?=[a-z._~+/\-]*[0-9])([a-z0-9._~+/=\-]{8,})"
# OpenAI's 401 quotes "sk-ab***yz". Others (Groq, Hugging Face ...) at the length of keys: "hf_transfer" is a word.
_KEY_SHAPES = (
    r"((?<![A-Za-z0-9]))((?:sk|pk|rk)[-_][A-Za-z0-9_\-*.]{7,}|(?:gsk|hf|r8|fw)_[A-Za-z0-9*]{16,}"
    r"|(?:xai|nvapi)-[A-Za-z0-9_\-*]{16,}|AIza[A-Za-z0-9_\-]{20,})"
)
# What gateways (LiteLLM) take inside the body.
_BODY_KEY = rb'(?i)"(?:[a-z0-9]+[-_])?(?:api[-_]?key|access[-_]token|client[-_]secret)"\s*:\s*"([^"\\]{4,})"'


def mark(secret: str) -> str:
    """`<key:3f2a91>`; of a mark, the mark itself."""
    if re.fullmatch(r"<key:[0-9a-f]{6}\**>", secret):
        return secret
    import hashlib  # here: few calls need it

    return f"<key:{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()[:6]}>"


def redact_text(text: str, secrets: Iterable[str] = (), hide: Callable[[str], str] = mark) -> str:
    """Without the named secrets and what has a key's shape; `hide` makes what is shown instead."""
    for secret in sorted(secrets, key=len, reverse=True):  # the longer first: one may be part of another
        if len(secret) >= 4 and secret in text:  # "x" would blot out ordinary words
            text = text.replace(secret, hide(secret))
    for shape in (_USERINFO, _BEARER, _QUERY_KEY, _NAMED_KEY, _KEY_SHAPES):
        if shape is not _USERINFO or "://" in text:  # the slowest of them
            text = re.sub(shape, lambda found: found[1] + hide(found[2]), text)
    return text


def short(text: str, secrets: Iterable[str] = (), longest: int = 300) -> str:
    """One line of at most `longest` characters, without keys and what steers a terminal."""
    line = " ".join("".join(mark if mark.isprintable() else " " for mark in text[:20000]).split())[:4000]
    line = redact_text(line, secrets)  # before the cut: half a key has no shape
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."


def redact_header(name: str, value: str, secrets: Iterable[str] = ()) -> str:
    if name.lower() not in SECRET_HEADERS:
        return redact_text(value, secrets)
    scheme, space, token = value.partition(" ")
    return f"{scheme} {mark(token)}" if space and scheme.lower() in ("bearer", "basic") else mark(value)


def redact_headers(pairs: Iterable[Tuple[str, str]], secrets: Iterable[str] = ()) -> List[Tuple[str, str]]:
    known = tuple(secrets)
    return [(name, redact_header(name, value, known)) for name, value in pairs]


def secrets_of(url: str, headers: Iterable[Tuple[str, str]], body: bytes = b"") -> List[str]:
    """The bare secrets of a request, which its answer may quote."""
    from urllib.parse import unquote

    found = [value.decode("utf-8", "replace") for value in re.findall(_BODY_KEY, body)]
    for name, value in headers:
        if name.lower() in ("cookie", "set-cookie"):
            found += re.findall(r"=\s*([^;\s][^;]{6,}[^;\s])", value)  # not "lang=en"
        elif name.lower() in SECRET_HEADERS:
            found.append(value.rpartition(" ")[2])
    for _, value in re.findall(_QUERY_KEY, url):
        found += dict.fromkeys((value, unquote(value)))
    return [secret for secret in found if secret and not is_word(secret)]


def redact_value(value: Any, secrets: Iterable[str] = ()) -> Any:
    """A copy of JSON, which may be deeper than Python recurses."""
    known, whole = tuple(secrets), [value]
    places: List[Tuple[Any, Any]] = [(whole, 0)]
    while places:
        around, place = places.pop()
        inner = around[place]
        if isinstance(inner, str):
            around[place] = redact_text(inner, known)
        elif isinstance(inner, (dict, list)):
            copy: Any = dict(inner) if isinstance(inner, dict) else [*inner]
            around[place] = copy
            places += [(copy, key) for key in (copy if isinstance(copy, dict) else range(len(copy)))]
    return whole[0]


def redact_causes(error: BaseException, secrets: Iterable[str] = ()) -> None:
    """Redacts the errors behind `error`, in place: a traceback shows them."""
    known, seen = tuple(secrets), {id(None), id(error)}
    waiting: List[Any] = [error.__cause__, error.__context__]
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        cause.args = tuple(redact_text(said, known) if isinstance(said, str) else said for said in cause.args)
        for name in ("strerror", "filename"):  # what an OSError shows in place of its args
            shown = getattr(cause, name, None)
            if isinstance(shown, str):
                setattr(cause, name, redact_text(shown, known))
        waiting += [cause.__cause__, cause.__context__, *(said for said in cause.args if isinstance(said, Exception))]


def is_word(key: str) -> bool:
    """Whether a "key" is but a word ("ollama"), which stands in ordinary texts."""
    return len(key) < 16 and re.fullmatch(r"[A-Za-z]+(?:[-_][A-Za-z]+)*", key) is not None
