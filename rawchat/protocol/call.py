"""What one call decides: the time each step may take, whether a failed attempt is followed by another, and when.

    attempt 1   429, Retry-After: 2        -> Wait(2.0, "429 rate limit, the server asks for 2 s")
    attempt 2   400 about stream_options   -> Wait(0.0, "... without stream_options"), where that option was our idea
    attempt 3   200                        -> done

One object a call, driven by the loops of the sync and the async client, so that both decide alike. Clock and dice are
arguments: `now_s` is monotonic, `unix_s` is wall time. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from .answer import read_answer
from .errors import APIConnectionError, APIError, APITimeoutError, DeadlineExceeded, InvalidResponseError
from .payload import encode_payload
from .redact import redact_causes, redact_text, redact_value, secrets_of
from .reply import Reply
from .retry import RetryPolicy, Wait, next_wait, status_error, why_not
from .status import tell_head
from .wire import HeaderPairs, Request, ResponseHead

# A server that has sent the last finish_reason owes only usage and [DONE]; some keep the socket open instead
# (DeepSeek web fronts). Long enough for a usage chunk that is computed late, short enough that nobody thinks the
# program hangs.
FINISH_GRACE_S = 3.0

# What a budget keeps back for an answer whose length nobody limited. The models' own limits (16,000 to 128,000 tokens)
# would make every small budget refuse every call.
TYPICAL_OUTPUT_TOKENS = 1024

# A server that validates says 400 or 422; llama-cpp-python and `transformers serve` call it 500, others 501.
_REFUSALS = (400, 422, 500, 501)
# Option -> the words by which a refusal names it, in `param` or in the message. As text: `re` compiles at first use.
_OPTIONS = {
    "stream_options": r"\b(?:stream_options|streamoptions|include_usage)\b",
    "encoding_format": r"\b(?:encoding[_ ]?format|base64)\b",
}


class Limits:
    """The time limits of one call, in seconds; None means no limit. `deadline_s` bounds the call as a whole."""

    __slots__ = ("connect_s", "deadline_at_s", "deadline_s", "read_s")

    def __init__(
        self, connect_s: Optional[float], read_s: Optional[float], deadline_s: Optional[float], started_s: float
    ) -> None:
        self.connect_s = connect_s
        self.read_s = read_s
        self.deadline_s = deadline_s
        self.deadline_at_s = None if deadline_s is None else started_s + deadline_s

    def left_s(self, now_s: float) -> Optional[float]:
        """Seconds until the deadline; None without one. Raises DeadlineExceeded once it has passed."""
        if self.deadline_at_s is None:
            return None
        left = self.deadline_at_s - now_s
        if left <= 0:
            raise self.exceeded()
        return left

    def bounded(self, limit_s: Optional[float], now_s: float) -> Optional[float]:
        """`limit_s`, or what is left until the deadline where that is less."""
        left = self.left_s(now_s)
        if left is None:
            return limit_s
        return left if limit_s is None else min(limit_s, left)

    def exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"the call took longer than its deadline of {self.deadline_s:g} s")

    def sharpen(self, error: APIConnectionError, now_s: float) -> APIConnectionError:
        """A timeout that the deadline caused is told as such; any other error stays what it is."""
        passed = self.deadline_at_s is not None and now_s >= self.deadline_at_s - 0.001
        if not passed or not isinstance(error, APITimeoutError) or isinstance(error, DeadlineExceeded):
            return error
        sharper = self.exceeded()
        sharper.phase = error.phase
        sharper.reply = error.reply
        sharper.__cause__ = error
        return sharper


class Call:
    """One call from its first attempt to its last. `make_headers(attempt)` is asked before each attempt."""

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
        optional_usage: bool = False,
        body: Optional[bytes] = None,
    ) -> None:
        self.number = number
        self.method = method
        self.url = url
        self.payload = payload
        self.body = body if body is not None else b"" if payload is None else encode_payload(payload)
        self.policy = policy
        self.max_retries = max_retries
        self.limits = limits
        self.attempt = 0
        # Fields that are our idea, and what to send in turn where the server refuses them; None leaves them out.
        self.instead: Dict[str, List[Any]] = {"stream_options": [None]} if optional_usage else {}
        self.refused: Set[str] = set()
        self._make_headers = make_headers
        self._free_attempts = 0  # attempts that do not count against max_retries
        self._headers: HeaderPairs = ()  # of the latest attempt

    @property
    def model(self) -> str:
        return str((self.payload or {}).get("model") or "")

    @property
    def choices(self) -> int:
        """How many choices were asked for: `n`, or 1."""
        asked = (self.payload or {}).get("n")
        return asked if isinstance(asked, int) and asked > 1 else 1

    @property
    def usage_refused(self) -> bool:
        return "stream_options" in self.refused

    def most_output_tokens(self) -> int:
        """Tokens the answers may have in all: the limit that was sent, or a typical length, for each choice."""
        payload = self.payload or {}
        for name in ("max_completion_tokens", "max_tokens"):
            limit = payload.get(name)
            if isinstance(limit, int) and limit > 0:
                return limit * self.choices
        return TYPICAL_OUTPUT_TOKENS * self.choices

    def next_request(self) -> Request:
        """The request of the next attempt. Counts it."""
        self.attempt += 1
        self._headers = self._make_headers(self.attempt)
        return Request(self.method, self.url, self._headers, self.body)

    def timeouts(self, now_s: float) -> Tuple[Optional[float], Optional[float]]:
        """(connect, read) for an attempt that starts now. Raises DeadlineExceeded when no time is left."""
        return self.limits.bounded(self.limits.connect_s, now_s), self.limits.bounded(self.limits.read_s, now_s)

    def status_error(self, head: ResponseHead, body: bytes, unix_s: float) -> APIError:
        """See `retry.status_error`."""
        facts: Dict[str, Any] = {"attempts": self.attempt, "url": self.url, "secrets": self._secrets()}
        return status_error(head.status, head.headers, body, unix_s=unix_s, **facts)

    def after(self, error: APIError, *, now_s: float, unix_s: float, dice: float) -> Optional[Wait]:
        """The wait before another attempt, or None: then `error` is the caller's, and says why it is the last.

        `dice` is in [0, 1).
        """
        self.complete(error)
        otherwise = self._ask_otherwise(error)
        if otherwise:
            return Wait(0.0, otherwise)
        taken = self.attempt - 1 - self._free_attempts
        wait = next_wait(self.policy, error, retries_taken=taken, max_retries=self.max_retries, dice=dice)
        if wait is None:
            note = why_not(self.policy, error)
        elif self.limits.deadline_at_s is not None and now_s + wait.seconds >= self.limits.deadline_at_s:
            note = (
                f"not tried again: waiting {wait.seconds:.3g} s would pass the deadline of {self.limits.deadline_s:g} s"
            )
            wait = None
        else:
            return wait
        if note and note not in error.hint:
            error.hint = f"{error.hint}; {note}" if error.hint else note
        return None

    def complete(self, error: APIError) -> None:
        """Give `error` what the call knows, and take out its keys wherever a server or a library quotes them."""
        secrets = self._secrets()
        error.attempts = self.attempt
        error.message = redact_text(error.message, secrets)
        error.args = (error.message,)
        error.body = redact_value(error.body, secrets)
        error.code, error.type, error.param = redact_value([error.code, error.type, error.param], secrets)
        redact_causes(error, secrets)

    def _secrets(self) -> Tuple[str, ...]:
        return tuple(secrets_of(self.url, self._headers, self.body))

    def read_whole(self, head: ResponseHead, body: bytes, required: str) -> Reply:
        """The reply in a whole body, or the error that it is (see `answer.read_answer`).

        Where only the close of the connection ends a body (RFC 9112 section 6.3), a broken connection looks like the
        end. Nothing at all, or JSON cut off, is then worth another attempt, just as a break that can be told is.
        """
        try:
            return read_answer(head.status, head.headers, body, required=required, attempts=self.attempt)
        except InvalidResponseError as error:
            ends_by_close = "content-length" not in head.headers and "transfer-encoding" not in head.headers
            if ends_by_close and (not body or _is_cut_json(body)):
                error.retryable = True
            raise

    def struck_inside(self, error: APIError, head: ResponseHead) -> None:
        """Give an error that broke off an answer what the head of that answer said, its request id above all."""
        tell_head(error, head.status, head.headers)

    def _ask_otherwise(self, error: APIError) -> str:
        """Usage on streams and base64 for embeddings are asked for by default; a server that refuses such an option
        gets the same request otherwise. What is done, in words, or "".
        """
        for name, choices in self.instead.items():
            if choices and self.payload is not None and refuses_option(error, name):
                choice = choices.pop(0)
                self.payload = {key: value for key, value in self.payload.items() if key != name}
                self.payload.update({} if choice is None else {name: choice})
                self.body = encode_payload(self.payload)
                self.refused.add(name)
                self._free_attempts += 1
                return f"the server refuses {name}; asking again {'without' if choice is None else f'for {choice}'}"
        return ""


def _is_cut_json(body: bytes) -> bool:
    """Whether a body that is no answer began as a JSON object and has no end."""
    body = body.strip()
    return body.startswith(b"{") and not body.endswith(b"}")


def refuses_option(refusal: Any, name: str) -> bool:
    """Whether a refusal, given as a Verdict or as an APIError, turns down the option: worth sending without.

    Mistral: 422 `stream_options: Extra inputs are not permitted`; the option is named by `param` or in the message.
    """
    words = f"{refusal.param or ''} {refusal.message}".lower()
    return refusal.status in _REFUSALS and bool(re.search(_OPTIONS[name], words))
