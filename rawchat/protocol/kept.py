"""How a cache on this side marks an answer: nothing was sent, nothing is to be paid.

    X-Client-Cache: hit

X-Cache is set by others, too. Pure.
"""

from __future__ import annotations

from typing import Mapping, Optional

KEPT_HEADER = ("X-Client-Cache", "hit")


def is_kept(headers: Optional[Mapping[str, str]]) -> bool:
    """Whether an answer with these headers cost nothing."""
    return headers is not None and headers.get(KEPT_HEADER[0]) == KEPT_HEADER[1]
