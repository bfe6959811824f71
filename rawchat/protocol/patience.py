r"""When a stream that stays open is over: nothing but keep-alives for too long, or no end after its finish.

    : keep-alive\n\n                            no life: after 600 s of comments alone the read is over
    data: {"choices":[{"delta":{"content":...   life: the next read may wait as long as the call allows
    ... "finish_reason":"stop" ...              three seconds are left for usage and [DONE]

`now_s` is monotonic. Pure.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, List, Optional

from .answer import Piece, StreamReader
from .call import TIMER_SLACK_S, Limits
from .errors import APIConnectionError, APITimeoutError, DeadlineExceeded

# Some servers keep the socket open after the finish (DeepSeek web fronts); others compute usage late.
FINISH_GRACE_S = 3.0
_NEVER = float("inf")


class Patience:
    """How long one stream may go on without its answer."""

    def __init__(self, reader: StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._read_s = limits.read_s
        self._is_document: Callable[[Any], bool] = lambda _: False
        with suppress(ImportError):
            from .answer_dialects import is_document

            self._is_document = is_document
        self._idle_until_s = _NEVER  # then comments and pings alone have lasted too long
        self._grace_until_s = _NEVER
        self._limited = False  # whether the last read had a limit from here, which is to be lifted

    def look(self, pieces: List[Piece], now_s: float) -> None:
        """At what a read completed: was it a sign of life? Pings come from proxies, and are none."""
        for piece in reversed(pieces):
            if piece[1] is not None:
                self._idle_until_s = _NEVER
                return
        if self._inside_answer():
            self._idle_until_s = _NEVER
        elif self._idle_until_s == _NEVER and self._read_s is not None:
            self._idle_until_s = now_s + self._read_s

    def _inside_answer(self) -> bool:
        """Whether the last bytes belong to an answer, be it one event of a stream, that is on its way."""
        held = self._reader.decoder.held
        return bool(held and b"\ndata" in b"\n" + held[:999]) or self._is_document(self._reader)

    def is_short(self) -> bool:
        """Whether the next read needs a limit of its own, be it to lift that of the last one."""
        return self._limited or self._idle_until_s != _NEVER or self._reader.finished

    def limit_s(self, limit_s: Optional[float], now_s: float) -> Optional[float]:
        """What idle time and grace leave of a limit for the next read. Raises APITimeoutError."""
        if self._reader.finished:
            self._grace_until_s = min(self._grace_until_s, now_s + FINISH_GRACE_S)
        left_s = min(self._idle_until_s, self._grace_until_s) - now_s
        if left_s <= 0:
            idle = self._idle_until_s <= now_s
            said = self._idle_text() if idle else "the server neither ended the stream nor said [DONE]"
            raise APITimeoutError(said, phase="body")
        if left_s != _NEVER:
            limit_s = left_s if limit_s is None else min(limit_s, left_s)
        self._limited = limit_s != self._read_s
        return limit_s

    def tell_idle(self, error: APIConnectionError, now_s: float) -> None:
        """Say it of a time-out of the transport, which saw only the rest of the idle time."""
        timed_out = isinstance(error, APITimeoutError) and not isinstance(error, DeadlineExceeded)
        if timed_out and self._idle_until_s - now_s <= TIMER_SLACK_S:
            error.message = self._idle_text()
            error.args = (error.message,)

    def _idle_text(self) -> str:
        return f"nothing but keep-alives for {self._read_s:g} s"
