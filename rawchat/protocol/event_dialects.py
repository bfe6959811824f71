r"""What is told of an event that is not here yet.

    retry: 3000\n             in force at once, as WHATWG HTML 9.2.6 says, be its blank line here or not
    : hi\ndata: {"cho         of what the end of a body cut off, the comment has nothing of an answer

Pure.
"""

from __future__ import annotations

import re
from typing import Optional

_RETRY = re.compile(rb"(?m)^retry: ?([0-9]{1,15})\n")
_SAYS_NOTHING = re.compile("(?m)^(?!data|error).*\n|^:.*")


def retry_in(held: bytearray) -> Optional[int]:
    """The last reconnection time in lines whose blank line is still to come, in milliseconds."""
    found = _RETRY.findall(held)
    return int(found[-1]) if found else None


def telling(rest: str) -> str:
    """Of what the end of a body cut off, the lines that may have had an answer."""
    return _SAYS_NOTHING.sub("", rest)
