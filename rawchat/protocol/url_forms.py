"""Reads base URLs in all the forms in which people have them, and brings them into the plain one.

    HTTPS://host/v1/embeddings/      https://host/v1            a pasted endpoint is no base
    http://host/é                    http://host/%C3%A9         what must be quoted is quoted
    https://user:word@host/v1        refused, in the words of `url_cures.py`

A copy without it reads what is plain already. Pure. URLs are RFC 3986.
"""

from __future__ import annotations

import re
from typing import Any, Tuple
from urllib.parse import quote, urlsplit

# What RFC 3986 lets stand nowhere in a URL. A backslash is a slash to browsers and none to Python: one text, two hosts.
_NOT_IN_URLS = frozenset(' <>"{}|\\^`')
# Endpoints, cut off where they were pasted as the base. The short ones only behind a version: the base of Azure AI
# Foundry ends in ".services.ai.azure.com/models".
_ENDPOINT = r"/+chat/completions$|(/v[0-9]+[a-z0-9]*)/(?:completions|responses?|embeddings|models)$"
_PATH_SAFE = "/%!$&'()*+,;=:@~"


def split_any_base(base_url: Any) -> Tuple[str, str]:
    """(scheme, host and path without a slash at its end; query). Raises PayloadError."""
    text = base_url.strip() if isinstance(base_url, str) else ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # "Invalid IPv6 URL", "Port out of range 0-65535"
        usable = False
    # A user would become Basic authentication, which replaces the key in most HTTP libraries.
    if not usable or "@" in parts.netloc or "#" in text or not text.isprintable() or _NOT_IN_URLS.intersection(text):
        from .url_cures import refusal

        raise refusal(base_url, _NOT_IN_URLS)
    path = re.sub(_ENDPOINT, r"\1", parts.path.rstrip("/"))
    pairs = "&".join(filter(None, parts.query.split("&")))
    return f"{parts.scheme}://{parts.netloc}{quote(path, safe=_PATH_SAFE)}", quote(pairs, safe=_PATH_SAFE + "?[]")
