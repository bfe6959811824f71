"""Builds the URL of a request from a base_url that people copied from somewhere.

    build_url("https://api.openai.com/v1")                       https://api.openai.com/v1/chat/completions
    build_url("http://localhost:8000/v1/chat/completions/")      http://localhost:8000/v1/chat/completions
    build_url("https://host/v1?tenant=7", "models")              https://host/v1/models?tenant=7
    build_url("localhost:8000/v1")                               PayloadError, which shows the corrected form

Adds no /v1 of its own, and looks nothing up. Pure. URLs are RFC 3986.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Iterator, Mapping, Optional, Tuple

from .errors import PayloadError
from .wording import cure_for, kind_of, quoted, surrogate_in

# What RFC 3986 lets stand nowhere in a URL. A backslash is a slash to browsers and none to Python: one text, two hosts.
_NOT_IN_URLS = frozenset(' <>"{}|\\^`')
_PATH_SAFE = "/%!$&'()*+,;=:@~"
_VALUE_SAFE = "!$'()*,;:@/?~"  # sub-delims of RFC 3986 section 3.4, less what separates pairs or reads as a space


def build_url(
    base_url: str,
    path: str = "chat/completions",
    query: Optional[Mapping[str, Any]] = None,
    extra_query: Optional[Mapping[str, Any]] = None,
) -> str:
    """The URL of one endpoint: base, then path, then the base's own query, `query` and `extra_query`.

        http://h/v1, http://h/v1/, http://h/v1//      ->  http://h/v1/chat/completions
        http://h/v1/chat/completions                  ->  the same
        http://h/v1?key=1  query={"a": [1, 2]}        ->  http://h/v1/chat/completions?key=1&a[]=1&a[]=2

    No "/v1" is ever added. Values are written as the SDK does: lists as `a[]=1`, dicts as `a[b]=1`, booleans as true
    and false. A name in a later query replaces the earlier ones; None removes it. What is percent-encoded stays so.
    `path` is taken as given: pass each part of it that comes from outside through `quote_segment`. Raises PayloadError
    for a base without http(s)://, with a user or password in it, a fragment, or characters that no URL has.
    """
    root, base_query = split_base(base_url)
    pairs = _merge_queries(base_query, query, extra_query)
    tail = "/" + path.lstrip("/") if path else ""
    return f"{root}{tail}?{pairs}" if pairs else f"{root}{tail}"


def quote_segment(segment: str) -> str:
    """`segment` as one part of a path: `org/my model` -> `org%2Fmy%20model`. Raises PayloadError for "", "." and ".."

    because those cannot be escaped: RFC 3986 section 6.2.2 lets every hop turn %2E back into a dot, and climb.
    """
    if not isinstance(segment, str) or segment in ("", ".", ".."):
        raise PayloadError(f"{segment!r} cannot stand in the path of a URL; give a name")
    return _quote(segment, _PATH_SAFE.replace("/%", ""), f"the name {quoted(segment)}", "")


def split_base(base_url: str) -> Tuple[str, str]:
    """(scheme, host and path without a slash at its end; query) of a base URL that may be used."""
    if not isinstance(base_url, str) or not base_url.strip():
        got = "a blank text" if isinstance(base_url, str) else kind_of(base_url)
        raise _bad_url(f'must be a text such as "https://api.openai.com/v1", got {got}')
    text = base_url.strip()
    return _split_text(text)


@lru_cache(maxsize=64)  # a client asks for the same few URLs again and again
def _split_text(text: str) -> Tuple[str, str]:
    from urllib.parse import urlsplit  # at first use, as in `_quote`: it takes longer to load than most of ours

    _check_url(text)
    try:
        parts = urlsplit(text)
        usable = parts.hostname and parts.port != 0
    except ValueError as error:  # "Invalid IPv6 URL", "Port out of range 0-65535"
        if "@" in text:  # a password with a slash in it: the error itself would quote a piece of it
            raise _bad_url("is no URL, and seems to have a user or password in it; take it out", text) from None
        raise _bad_url(f"is no URL: {error}", text) from error
    if not usable:
        raise _bad_url("names no host and port to connect to", text)
    path = _without_endpoint(parts.path.rstrip("/"))
    root = f"{parts.scheme}://{parts.netloc}{_quote(path, _PATH_SAFE, 'base_url', 'base_url')}"
    return root, _quote(parts.query, _PATH_SAFE + "?[]", "base_url", "base_url")


def _without_endpoint(path: str) -> str:
    """An endpoint pasted as the base is cut off again.

    `/models` and the like count only behind a version: the base URL of Azure AI Foundry ends in
    ".services.ai.azure.com/models", and that is no endpoint.
    """
    if path.endswith("/chat/completions"):
        return path[: -len("/chat/completions")].rstrip("/")
    return re.sub(r"(/v[0-9]+[a-z0-9]*)/(completions|responses?|embeddings|models)$", r"\1", path)


def _check_url(text: str) -> None:
    scheme, separator, rest = text.partition("://")
    authority = re.split(r"[/?#]", re.sub(r"(?i)^([a-z][a-z0-9+.\-]*:)?/+", "", text), maxsplit=1)[0]
    if "@" in authority:
        # The user would turn into Basic authentication, which silently replaces the key in most HTTP libraries.
        host = authority.rpartition("@")[2]
        raise _bad_url(f"has a user or password in front of {quoted(host)}; take it out, and give the key as api_key")
    if not text.isprintable() or not _NOT_IN_URLS.isdisjoint(text):
        odd = next(char for char in text if char in _NOT_IN_URLS or not char.isprintable())
        cure = "fill in the placeholder" if odd in "{}<>" else "percent-encode it, or take it out"
        raise _bad_url(f"has {quoted(odd)} in it, which no URL has; {cure}", text)
    if not separator or scheme.lower() not in ("http", "https") or rest[:1] in ("", "/", "?", "#"):
        raise _bad_url(f"must begin with http:// or https://{_did_you_mean(text)}")
    if "#" in text:
        raise _bad_url("has a fragment, which is never sent; leave out what begins with '#'", text)


def _did_you_mean(text: str) -> str:
    """The corrected form of `host/v1`, `http:/host`, `https//host`; the bare fact for `ftp://host`."""
    found = re.match(r"(?i)(https?)[:/]+|([a-z][a-z0-9+.\-]*)://", text)
    if found and found[2]:
        return f", got {found[2]}://"
    rest = text[found.end() :] if found else text.lstrip("/")
    if not re.match(r"[^?#]", rest):
        return " and a host"
    # Without a scheme: plain http is likely on this machine, at a private address, and at a name without a dot.
    name = re.split(r"[/?#]|:\d*(?:[/?#]|$)", rest, maxsplit=1)[0]
    local = "." not in name or re.match(r"127\.|10\.|192\.168\.|0\.0\.0\.0|\[", name)
    scheme = found[1].lower() if found else "http" if local else "https"
    return f"; did you mean {_shown(f'{scheme}://{rest}')}?"


def _bad_url(what: str, text: str = "") -> PayloadError:
    return PayloadError(f"base_url {_shown(text)} {what}" if text else f"base_url {what}", path="base_url")


def _shown(text: str) -> str:
    """The URL without what may be a secret: keys, and all in front of the last @ (a password may hold any sign)."""
    from .redact import redact_text  # at first use: only errors need it

    return quoted(redact_text("..." + text[text.rindex("@") :] if "@" in text else text))


def _quote(text: str, safe: str, subject: str, path: str) -> str:
    from urllib.parse import quote

    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError as error:
        raise PayloadError(f"{subject} {surrogate_in(text)}", path=path) from error


def _merge_queries(base: str, *layers: Optional[Mapping[str, Any]]) -> str:
    """`base` as it was written, less the names that a layer sets, then each layer's own."""
    pairs = [(pair.partition("=")[0].partition("[")[0], pair) for pair in base.split("&") if pair]
    for layer in layers:
        if not layer:
            continue
        if not isinstance(layer, Mapping):
            raise PayloadError(f"a query must be a dict of names and values, got {kind_of(layer)}", path="query")
        names = {_query_quote(name, name) for name in layer}
        pairs = [(name, pair) for name, pair in pairs if name not in names]
        for name, value in layer.items():
            quoted = _query_quote(name, name)
            pairs += [(quoted, pair) for pair in _query_pairs(quoted, value, name)]
    return "&".join(pair for _, pair in pairs)


def _query_pairs(prefix: str, value: Any, name: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _query_pairs(f"{prefix}[{_query_quote(key, name)}]", inner, name)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _query_pairs(f"{prefix}[]", inner, name)
    elif value is not None:
        yield f"{prefix}={_query_quote(value, name)}"


def _query_quote(value: Any, name: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    subject = f"the query parameter {quoted(str(name))}"
    if not isinstance(value, (str, int, float)):
        raise PayloadError(f"{subject} must be a text or a number, got {kind_of(value)}{cure_for(value)}", path="query")
    return _quote(str(value), _VALUE_SAFE, subject, "query")
