"""Builds the URL of a request from the base_url that a client was given.

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

# Without a user, which would become Basic authentication in place of the key, and without a backslash, which is a
# slash to browsers and none to Python: one text, two hosts.
_SIGN = r"[\w.%!$&'()*+,;=:@~/-]"
_PLAIN = rf"(https?://(?:[\w.-]+|\[[\da-fA-F:.]+\])(?::[1-9]\d{{0,4}})?)(/{_SIGN}*)?(?:\?((?:{_SIGN}|[?\[\]])*))?"


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
    try:
        from .url_forms import split_any_base
    except ImportError:  # a copy without cures
        return _split_plain_base(base_url)
    return split_any_base(base_url)


def _split_plain_base(base_url: Any) -> Tuple[str, str]:
    found = re.fullmatch(_PLAIN, base_url.strip(), re.ASCII) if isinstance(base_url, str) else None
    if not found:  # nothing is shown of it: there may be a password in it
        rule = "must begin with http:// or https:// and a host, without user, fragment, blanks or other odd characters"
        raise PayloadError(f"base_url {rule}", path="base_url")
    path = re.sub("/+chat/completions$", "", (found[2] or "").rstrip("/"))
    return found[1] + path, "&".join(filter(None, (found[3] or "").split("&")))
