"""What one call decides: how long each step may take, whether another attempt follows, and when.

    attempt 1   429, Retry-After: 2        -> Wait(2.0, "429 rate limit, the server asks for 2 s")
    attempt 2   200                        -> done

`now_s` is monotonic, `unix_s` wall time. Pure.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .answer import read_answer
from .errors import APIError, APITimeoutError, DeadlineExceeded, InvalidResponseError
from .payload import encode_payload
from .redact import redact_causes, redact_text, redact_value, secrets_of
from .reply import Reply
from .retry import RetryPolicy, Wait, next_wait, status_error
from .wire import HeaderPairs, Request, ResponseHead

TIMER_SLACK_S = 0.001  # timers are a little early at times


class Limits(NamedTuple):
    """Of one call; None means no limit. `deadline_s`, from `started_s` on, bounds it as a whole."""

    connect_s: Optional[float]
    read_s: Optional[float]
    deadline_s: Optional[float]
    started_s: float

    def left_s(self, now_s: float) -> float:
        return float("inf") if self.deadline_s is None else self.started_s + self.deadline_s - now_s

    def bounded(self, limit_s: Optional[float], now_s: float) -> Optional[float]:
        """`limit_s`, or what is left until the deadline where that is less. Raises DeadlineExceeded."""
        if self.deadline_s is None:
            return limit_s
        left_s = self.left_s(now_s)
        if left_s <= 0:
            raise self._exceeded()
        return left_s if limit_s is None else min(limit_s, left_s)

    def sharpen(self, error: APIError, now_s: float) -> APIError:
        """A timeout that the deadline caused is told as such."""
        timed_out = isinstance(error, APITimeoutError) and not isinstance(error, DeadlineExceeded)
        if not timed_out or self.left_s(now_s) > TIMER_SLACK_S:
            return error
        sharper = self._exceeded()
        vars(sharper).update({**vars(error), "message": sharper.message})
        sharper.__cause__ = error.__cause__ or error
        return sharper

    def _exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"the call took longer than its deadline of {self.deadline_s:g} s")


class Call:
    """One call. `instead`: options that are our idea -> what to send where they are refused; None leaves one out."""

    def __init__(
        self,
        *,
        number: int,
        method: str,
        url: str,
        payload: Optional[Dict[str, Any]],
        make_headers: Callable[[int], HeaderPairs],
        policy: RetryPolicy,
        max_retries: int,
        limits: Limits,
        body: Optional[bytes] = None,
    ) -> None:
        self.number, self.method, self.url, self.payload = number, method, url, payload
        self.policy, self.max_retries, self.limits, self._make_headers = policy, max_retries, limits, make_headers
        self.body = body if body is not None else b"" if payload is None else encode_payload(payload)
        self.attempt = 0
        self.instead: Dict[str, List[Any]] = {}
        self.refused: List[str] = []  # of them; none costs a retry
        self._headers: HeaderPairs = ()  # of the latest attempt

    @property
    def model(self) -> str:
        return str((self.payload or {}).get("model") or "")

    @property
    def choices(self) -> int:
        asked = (self.payload or {}).get("n")
        return asked if isinstance(asked, int) and asked > 1 else 1

    def next_request(self) -> Request:
        self.attempt += 1
        self._headers = self._make_headers(self.attempt)
        return Request(self.method, self.url, self._headers, self.body)

    def timeouts(self, now_s: float) -> Tuple[Optional[float], Optional[float]]:
        """(connect, read) for an attempt that starts now."""
        limits = self.limits
        return limits.bounded(limits.connect_s, now_s), limits.bounded(limits.read_s, now_s)

    def status_error(self, head: ResponseHead, body: bytes, unix_s: float) -> APIError:
        asked, secrets = self.url, self._secrets()
        return status_error(
            head.status, head.headers, body, unix_s=unix_s, attempts=self.attempt, url=asked, secrets=secrets
        )

    def read_whole(self, head: ResponseHead, body: bytes, required: str) -> Reply:
        try:
            return read_answer(head.status, head.headers, body, required=required, attempts=self.attempt)
        except InvalidResponseError as error:
            # Where only the close of the connection ends a body (RFC 9112 section 6.3), a break looks like the end.
            if "content-length" not in head.headers and "transfer-encoding" not in head.headers:
                text = body.strip()
                error.retryable = not body or (text.startswith(b"{") and not text.endswith(b"}"))
            raise

    def after(self, error: APIError, *, now_s: float, dice: float) -> Optional[Wait]:
        """The wait before another attempt; None: `error` is the caller's. `dice` is in [0, 1)."""
        with suppress(ImportError):  # a copy made for OpenAI's server, which refuses none of our options
            from .refusals import take_back

            why = take_back(self, error)
            if why:
                return Wait(0.0, why)
        taken = self.attempt - 1 - len(self.refused)
        wait = next_wait(self.policy, error, retries_taken=taken, max_retries=self.max_retries, dice=dice)
        if wait is not None and wait.seconds < self.limits.left_s(now_s):
            return wait
        with suppress(ImportError):  # a copy made without hints
            from .last_word import tell_why

            tell_why(error, self.policy, wait, self.limits.deadline_s)
        return None

    def complete(self, error: APIError) -> None:
        """Take the call's keys out of `error`, wherever a server or a library quotes them."""
        secrets = self._secrets()
        error.attempts = self.attempt
        error.message = redact_text(error.message, secrets)
        error.args = (error.message,)
        for name in ("body", "code", "type", "param"):
            setattr(error, name, redact_value(getattr(error, name), secrets))
        redact_causes(error, secrets)

    def _secrets(self) -> List[str]:
        return secrets_of(self.url, self._headers, self.body)
