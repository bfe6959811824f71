"""What lets a page of this machine talk to the practice server: CORS, for loopback origins alone.

    > OPTIONS /v1/chat/completions                     the browser asks first (a "preflight"), without key or body
    > Origin: http://127.0.0.1:8000
    > Access-Control-Request-Method: POST
    > Access-Control-Request-Headers: authorization,content-type
    < Access-Control-Allow-Origin: http://127.0.0.1:8000
    < Access-Control-Allow-Headers: authorization,content-type

    > POST /v1/chat/completions                        then the page's own request
    < Access-Control-Expose-Headers: *                 else the page could not read Retry-After and x-request-id

A page from anywhere else gets none of these headers, and its browser keeps the answer from it. Without an Origin (any
client but a browser) nothing changes. Pure. Fetch standard, section 3.3 (CORS protocol).
"""

from __future__ import annotations

from typing import Mapping, Tuple
from urllib.parse import urlsplit

Pairs = Tuple[Tuple[str, str], ...]

_METHODS = "GET, HEAD, POST"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether this is a browser's question before a request of a page of this machine, and not a request itself."""
    return method == "OPTIONS" and "access-control-request-method" in headers and _is_near(headers.get("origin", ""))


def cross_origin_headers(method: str, headers: Mapping[str, str]) -> Pairs:
    """The headers that the answer to such a request needs; () where it comes from no page, or from one elsewhere."""
    origin = headers.get("origin", "")
    if not _is_near(origin):
        return ()
    shared = (("access-control-allow-origin", origin), ("vary", "origin"))
    if not is_preflight(method, headers):
        return (*shared, ("access-control-expose-headers", "*"))
    # Named one by one: a star does not stand for Authorization (Fetch standard, "CORS-preflight fetch").
    asked = headers.get("access-control-request-headers", "")
    return (
        *shared,
        ("access-control-allow-methods", _METHODS),
        *((("access-control-allow-headers", asked),) if asked else ()),
    )


def _is_near(origin: str) -> bool:
    """Whether the page comes from this machine. A file's origin, "null", is also that of any sandboxed frame: no."""
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    plain = origin == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return plain and parts.scheme in ("http", "https") and host in ("localhost", "127.0.0.1", "::1")
