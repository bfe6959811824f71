r"""How far a stream has come, and what a break of it means. `now_s` is monotonic. Pure.

data: {"choices":[{"delta":{"content":"Sal"...   (break)     StreamInterrupted, with what had come
... "finish_reason":"stop" ...                   (break)     the end: nothing is lost
"""

from __future__ import annotations

from typing import List, Optional

from .answer import Piece, StreamReader
from .call import Call
from .errors import APIConnectionError, APITimeoutError, StreamInterrupted
from .patience import Patience
from .reply import Reply
from .status import tell_head
from .wire import ResponseHead


class StreamProgress:
    """Of one attempt. `over`: nothing more is read."""

    def __init__(self, call: Call, head: ResponseHead) -> None:
        self.reader = StreamReader(head.status, head.headers, choices=call.choices, attempts=call.attempt)
        self.over = False
        self._limits = call.limits
        self._patience = Patience(self.reader, call.limits)

    def take(self, data: bytes, now_s: float) -> List[Piece]:
        """What a read completes; then `reader.error` is to be raised."""
        reader = self.reader
        pieces = reader.feed(data) if data else []
        if reader.done or not data:
            self.over = True
            pieces += reader.close()
        else:
            self._patience.look(pieces, now_s)
        return pieces

    def is_limited(self) -> bool:
        return self._limits.deadline_s is not None or self._patience.is_short()

    def limit_s(self, now_s: float) -> Optional[float]:
        """What is left for the next read; None: no limit. Raises APITimeoutError."""
        return self._patience.limit_s(self._limits.bounded(self._limits.read_s, now_s), now_s)

    def broken(self, error: APIConnectionError, now_s: float, reply: Reply) -> None:
        """Raises for a body that broke off, unless nothing is lost."""
        reader = self.reader
        if reader.finished:
            return
        self._patience.tell_idle(error, now_s)
        told = error
        if not isinstance(error, APITimeoutError):
            what = f"the stream broke after {len(reader.assembler.text)} characters of text: {error.message}"
            told = StreamInterrupted(what, phase=error.phase)
            told.__cause__ = error
        tell_head(told, reader.status, reader.headers)
        told.reply = reply
        raise told
