r"""How far a stream has come, and how long its next read may wait.

    : keep-alive\n\n                            no life: after 600 s of comments alone the read is over
    data: {"choices":[{"delta":{"content":...   life: the next read may wait as long as the call allows
    ... "finish_reason":"stop" ...              three seconds are left for usage and [DONE]
    (the connection breaks)                     after the finish nothing is lost; before it, StreamInterrupted

`now_s` is monotonic. Pure.
"""

from __future__ import annotations

from typing import List, Optional

from .answer import Piece, StreamReader
from .call import TIMER_SLACK_S, Call
from .errors import APIConnectionError, APITimeoutError, DeadlineExceeded, StreamInterrupted
from .reply import Reply
from .status import tell_head
from .wire import ResponseHead

# Some servers keep the socket open after the finish (DeepSeek web fronts); others compute usage late.
FINISH_GRACE_S = 3.0
_NEVER = float("inf")


class StreamProgress:
    """The answer of one attempt. `over`: nothing more is read."""

    def __init__(self, call: Call, head: ResponseHead) -> None:
        self.reader = StreamReader(head.status, head.headers, choices=call.choices, attempts=call.attempt)
        self.over = False
        self._limits = call.limits
        self._idle_until_s = _NEVER  # then comments and pings alone have lasted too long
        self._grace_until_s = _NEVER
        self._limited = call.limits.deadline_s is not None

    def take(self, data: bytes, now_s: float) -> List[Piece]:
        """The pieces that a read completes; b"" is the end of the body. `reader.error` is to be raised after them."""
        reader = self.reader
        pieces = reader.feed(data) if data else []
        if reader.done or not data:
            self.over = True
            pieces += reader.close()
        # Pings come from proxies.
        elif reader.inside_answer or any(piece[1] is not None for piece in reversed(pieces)):
            self._idle_until_s = _NEVER
        elif self._idle_until_s == _NEVER and self._limits.read_s is not None:
            self._idle_until_s = now_s + self._limits.read_s
        return pieces

    def is_limited(self) -> bool:
        """Whether the next read needs a limit of its own, be it to lift that of the last one."""
        return self._limited or self._idle_until_s != _NEVER or self.reader.finished

    def limit_s(self, now_s: float) -> Optional[float]:
        """What deadline, idle time and grace leave for the next read; None: no limit. Raises APITimeoutError."""
        limits = self._limits
        limit_s = limits.bounded(limits.read_s, now_s)
        if self.reader.finished:
            self._grace_until_s = min(self._grace_until_s, now_s + FINISH_GRACE_S)
        left_s = min(self._idle_until_s, self._grace_until_s) - now_s
        if left_s <= 0:
            idle = self._idle_until_s <= now_s
            said = self._idle_text() if idle else "the server neither ended the stream nor said [DONE]"
            raise APITimeoutError(said, phase="body")
        if left_s != _NEVER:
            limit_s = left_s if limit_s is None else min(limit_s, left_s)
        self._limited = limits.deadline_s is not None or limit_s != limits.read_s
        return limit_s

    def _idle_text(self) -> str:
        return f"nothing but keep-alives for {self._limits.read_s:g} s"

    def broken(self, error: APIConnectionError, now_s: float, reply: Reply) -> Optional[APIConnectionError]:
        """The error for a body that broke off; None where every choice was finished by then."""
        reader = self.reader
        if reader.finished:
            return None
        told = error
        if not isinstance(error, APITimeoutError):
            what = f"the stream broke after {len(reader.assembler.text)} characters of text: {error.message}"
            told = StreamInterrupted(what, phase=error.phase)
        elif not isinstance(error, DeadlineExceeded) and self._idle_until_s - now_s <= TIMER_SLACK_S:
            error.message = self._idle_text()  # what the transport saw was only the rest of that time
            error.args = (error.message,)
        tell_head(told, reader.status, reader.headers)
        told.reply = reply
        return told
