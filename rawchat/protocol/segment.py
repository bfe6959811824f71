"""A name that comes from outside as one part of a path: `org/my model` is `org%2Fmy%20model`.

    f"files/{quote_segment(file_id)}/content"

RFC 3986 section 3.3. Pure.
"""

from __future__ import annotations

import json

from .errors import PayloadError
from .query import half_character_in

_SAFE = "!$&'()*+,;=:@~"


def quote_segment(segment: str) -> str:
    """Raises PayloadError for "", "." and "..", because those cannot be escaped: RFC 3986 section 6.2.2 lets every hop
    turn %2E back into a dot, and climb.
    """
    if not isinstance(segment, str) or segment in ("", ".", ".."):
        raise PayloadError(f"{segment!r} cannot stand in the path of a URL; give a name")
    from urllib.parse import quote  # at first use: it takes longer to load than most of ours

    try:
        return quote(segment, safe=_SAFE)
    except UnicodeEncodeError as error:
        raise PayloadError(f"the name {json.dumps(segment)} {half_character_in(segment)}") from error
