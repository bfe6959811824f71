"""Builds the URL of a request from a base_url that people copied from somewhere.

    build_url("http://localhost:8000/v1/chat/completions/")      http://localhost:8000/v1/chat/completions
    build_url("https://host/v1?tenant=7", "models")              https://host/v1/models?tenant=7

Adds no /v1 of its own. Pure. URLs are RFC 3986.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Mapping, Optional, Tuple

from .errors import PayloadError
from .optional import optional

# In no URL of RFC 3986. A backslash is a slash to browsers and none to Python: one text, two hosts.
_NOT_IN_URLS = frozenset(' <>"{}|\\^`')
# Endpoints that were pasted as the base. Azure AI Foundry's base ends in ".services.ai.azure.com/models".
_ENDPOINT = r"/+chat/completions$|(/v[0-9]+[a-z0-9]*)/(?:completions|responses?|embeddings|models)$"
_PATH_SAFE = "/%!$&'()*+,;=:@~"


def build_url(
    base_url: str,
    path: str = "chat/completions",
    query: Optional[Mapping[str, Any]] = None,
    extra_query: Optional[Mapping[str, Any]] = None,
) -> str:
    """Base, `path` as it is, then the base's own query, `query` and `extra_query` (`query.py`). Raises PayloadError."""
    root, pairs = split_base(base_url)
    if query or extra_query:
        with optional("query"):
            from .query import merge_queries

        pairs = merge_queries(pairs, query, extra_query)
    return root + ("/" + path.lstrip("/") if path else "") + ("?" + pairs if pairs else "")


@lru_cache(maxsize=64)  # a client asks for the same few again and again
def split_base(base_url: str) -> Tuple[str, str]:
    """(scheme, host and path without a slash at its end; query). Raises PayloadError."""
    from urllib.parse import quote, urlsplit  # at first use: it is slow to load

    text = base_url.strip() if isinstance(base_url, str) else ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # "Invalid IPv6 URL", "Port out of range 0-65535"
        usable = False
    # A user would become Basic authentication, which replaces the key in most HTTP libraries.
    if not usable or "@" in parts.netloc or "#" in text or not text.isprintable() or _NOT_IN_URLS.intersection(text):
        raise _refusal(base_url)
    path = re.sub(_ENDPOINT, r"\1", parts.path.rstrip("/"))
    pairs = "&".join(filter(None, parts.query.split("&")))
    return f"{parts.scheme}://{parts.netloc}{quote(path, safe=_PATH_SAFE)}", quote(pairs, safe=_PATH_SAFE + "?[]")


def _refusal(base_url: Any) -> PayloadError:
    try:
        from .url_cures import refusal
    except ImportError:  # a copy without cures; nothing is shown of the URL, in which there may be a password
        rule = "must begin with http:// or https:// and a host, without user, fragment, blanks or other odd characters"
        return PayloadError(f"base_url {rule}", path="base_url")
    return refusal(base_url, _NOT_IN_URLS)
