r"""How far a stream has come, and how long its next read may wait.

    : keep-alive\n\n                              comments are no life: after 600 s of them alone the read is over
    data: {"choices":[{"delta":{"content":...     a chunk is: the next read may wait as long as the call allows
    ... "finish_reason":"stop" ...                three seconds are left for usage and [DONE]
    (the connection breaks)                       after the finish nothing is lost; before it, StreamInterrupted

One object an attempt, around a StreamReader; holds no socket and reads no clock: `now_s` is monotonic and an argument.
"""

from __future__ import annotations

from typing import List, Optional

from .answer import Piece, StreamReader
from .call import FINISH_GRACE_S, Call
from .errors import APIConnectionError, APITimeoutError, StreamInterrupted
from .reply import Reply
from .wire import ResponseHead

_TIMER_SLACK_S = 0.001  # timers are a little early at times


class StreamProgress:
    """What the pieces of one attempt's answer add up to.

    reader      the StreamReader they go through
    over        the body has ended, or `[DONE]` was here: nothing more is read
    """

    def __init__(self, call: Call, head: ResponseHead) -> None:
        self.reader = StreamReader(head.status, head.headers, choices=call.choices, attempts=call.attempt)
        self.over = False
        self._call = call
        self._head = head
        self._quiet_since_s: Optional[float] = None  # since when nothing but comments and pings has come
        self._finished_at_s: Optional[float] = None
        # Whether there is a deadline, or the last read was given less time than the call's read timeout.
        self._limited = call.limits.deadline_at_s is not None

    def take(self, data: bytes, now_s: float) -> List[Piece]:
        """The pieces that a read completes; b"" is the end of the body. `reader.error` is to be raised after them."""
        reader = self.reader
        pieces = reader.feed(data) if data else []
        if reader.done or not data:
            self.over = True
            pieces += reader.close()
        # The last piece settles it nearly always, and costs next to nothing to look at.
        elif (pieces and (pieces[-1][2] or pieces[-1][1] is not None)) or _brings_answer(pieces, reader):
            self._quiet_since_s = None
        elif self._quiet_since_s is None:
            self._quiet_since_s = now_s
        return pieces

    def is_limited(self) -> bool:
        """Whether the next read must be given a time limit of its own (`limit_s`), or the call's will do."""
        return self._limited or self._quiet_since_s is not None or self.reader.finished

    def limit_s(self, now_s: float) -> Optional[float]:
        """What deadline, idle time and the grace after the finish leave for the next read, in seconds; None: no limit.

        Raises APITimeoutError (or DeadlineExceeded) where nothing is left.
        """
        limits = self._call.limits
        limit_s = limits.bounded(limits.read_s, now_s)
        idle_left_s = self._idle_left_s(now_s)
        if idle_left_s is not None:
            limit_s = _least(limit_s, idle_left_s, self._idle_text())
        if self.reader.finished:
            self._finished_at_s = self._finished_at_s or now_s
            left_s = self._finished_at_s + FINISH_GRACE_S - now_s
            limit_s = _least(limit_s, left_s, "the server neither ended the stream nor said [DONE]")
        self._limited = limits.deadline_at_s is not None or limit_s != limits.read_s
        return limit_s

    def _idle_left_s(self, now_s: float) -> Optional[float]:
        """Seconds until keep-alives alone have lasted too long; None while they are no matter."""
        read_s = self._call.limits.read_s
        return None if self._quiet_since_s is None or read_s is None else self._quiet_since_s + read_s - now_s

    def _idle_text(self) -> str:
        return f"nothing but keep-alives for {self._call.limits.read_s:g} s"

    def broken(self, error: APIConnectionError, now_s: float, reply: Reply) -> Optional[APIConnectionError]:
        """The error for a body that broke off, with `reply` on it; None where every choice was finished by then."""
        if self.reader.finished:
            return None
        sharper = self._call.limits.sharpen(error, now_s)
        idle_left_s = self._idle_left_s(now_s)
        quiet = idle_left_s is not None and idle_left_s <= _TIMER_SLACK_S
        if quiet and sharper is error and isinstance(error, APITimeoutError):
            error.message = self._idle_text()  # what the transport saw was only the rest of that time
            error.args = (error.message,)
        if not isinstance(sharper, APITimeoutError):
            characters = len(self.reader.assembler.text)
            sharper = StreamInterrupted(f"the stream broke after {characters} characters of text: {error.message}")
            sharper.phase = error.phase
        self._call.struck_inside(sharper, self._head)
        sharper.reply = reply
        return sharper


def _brings_answer(pieces: List[Piece], reader: StreamReader) -> bool:
    """Whether a read brought a chunk, whole or in part. Only that counts as life: comments and pings come from proxies
    that know nothing of the model.
    """
    return reader.inside_answer or any(piece[2] or piece[1] is not None for piece in pieces)


def _least(limit_s: Optional[float], left_s: float, why: str) -> float:
    if left_s <= 0:
        error = APITimeoutError(why)
        error.phase = "body"
        raise error
    return left_s if limit_s is None else min(limit_s, left_s)
