"""Whether there is a next attempt, and after which wait: the server's wish where it states one, else back-off.

    < HTTP/1.1 429 Too Many Requests
    < retry-after-ms: 1187                 parse_retry_after -> RetryHint(1.187, "retry-after-ms")
                                           next_wait -> Wait(1.187, "429 rate limit, the server asks for 1.187 s")

Whether a failure is worth another attempt was decided by `status`. Pure: time and dice are arguments.
"""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from .errors import APIError
from .problem import find_error, parse_body
from .status import Verdict, classify, error_from, kind_words
from .wire import Headers, parse_number


class RetryPolicy(NamedTuple):
    """The waits that no server asked for, in seconds: min(initial * 2**n, cap) * (1 - jitter * dice).

    The figures are openai-python's (`_constants.py`, `_calculate_retry_timeout`). A server that asks for more than
    `longest_wait_s` is not waited for.
    """

    initial_s: float = 0.5
    cap_s: float = 8.0
    jitter: float = 0.25
    longest_wait_s: float = 120.0


class RetryHint(NamedTuple):
    """A wait that the server asked for."""

    seconds: float  # > 0, and infinite where it is a figure beyond counting
    source: str  # the header that said so, or "RetryInfo", or "text"


class Wait(NamedTuple):
    seconds: float
    why: str  # for people: "429 rate limit, the server asks for 2 s"


def backoff_delays(count: int, base: float = 2.0) -> List[float]:
    """The bare schedule, without cap and jitter: `backoff_delays(4)` is [1.0, 2.0, 4.0, 8.0]."""
    return [float(base) ** exponent for exponent in range(count)]


def backoff_s(policy: RetryPolicy, retries_taken: int, dice: float) -> float:
    """Seconds to wait. `dice` in [0, 1) spreads clients that failed together."""
    delay = min(policy.initial_s * 2.0 ** min(retries_taken, 1000), policy.cap_s)  # 2.0**1024 is no float
    return delay * (1 - policy.jitter * dice)


def next_wait(
    policy: RetryPolicy,
    error: Optional[APIError] = None,
    *,
    retries_taken: int,
    max_retries: int,
    verdict: Optional[Verdict] = None,
    hint: Optional[RetryHint] = None,
    dice: float,
) -> Optional[Wait]:
    """The wait before the next attempt, or None: do not retry. The server's own wish is taken without jitter.

    What failed is told by the error, or by the verdict and hint it was made of; by neither where no answer came.
    """
    retry, asked_s, label = case_of(error, verdict, hint)
    if not retry or retries_taken >= max_retries or asked_s > policy.longest_wait_s:
        return None
    if asked_s > 0:
        return Wait(asked_s, f"{label}, the server asks for {figure(asked_s)} s")
    return Wait(backoff_s(policy, retries_taken, dice), label)


def case_of(
    error: Optional[APIError], verdict: Optional[Verdict], hint: Optional[RetryHint]
) -> Tuple[bool, float, str]:
    """Whether to retry, the seconds the server asks for (0.0 where it does not), and a label for people."""
    asked_s = hint.seconds if hint is not None else 0.0
    retry, label = (verdict.retry, verdict.why) if verdict is not None else (True, "no answer")
    if error is not None:
        retry, asked_s, label = error.retryable, error.retry_after_s or asked_s, error.message.partition(": ")[0]
        if error.status is not None and error.status >= 300:
            label = f"{error.status} {kind_words(error.status)}"
    return retry, asked_s if asked_s > 0 else 0.0, label  # nan compares as not greater


def figure(seconds: float) -> str:
    if seconds == float("inf"):
        return "countless"
    return f"{seconds:.0f}" if seconds >= 1000 else f"{seconds:.4g}"


def status_error(
    status: int, headers: Mapping[str, str], body: bytes, *, unix_s: float, attempts: int = 1, **known: Any
) -> APIError:
    """The error for an answer that is no success. `unix_s` is the time now, `known` goes to `classify`."""
    verdict = classify(status, headers, body, **known)
    hint = parse_retry_after(headers, body, now_s=unix_s)
    return error_from(verdict, headers=headers, attempts=attempts, retry_after_s=hint.seconds if hint else None)


def parse_retry_after(
    headers: Mapping[str, str], body: Union[bytes, str] = b"", *, now_s: float
) -> Optional[RetryHint]:
    """The wait that the server asks for, from the first place that holds a number > 0; `now_s` is Unix time.

    In this order: `retry-after-ms`, `x-ms-retry-after-ms`, `retry-after` (RFC 9110 section 10.2.3); then, with the
    feature rate_limits, Google's RetryInfo in the body, a sentence there, rate-limit resets.
    """
    return next((hint for hint in _hints(Headers(headers), body, now_s) if hint.seconds > 0), None)


def _hints(head: Headers, body: Union[bytes, str], now_s: float) -> Iterator[RetryHint]:
    yield from _retry_after(head, now_s)
    try:
        from .rate_limits import waits_elsewhere
    except ImportError:
        return
    document = parse_body(body)
    yield from map(RetryHint._make, waits_elsewhere(head, document, find_error(document), now_s, _retry_after))


def _retry_after(head: Headers, now_s: float) -> Iterator[RetryHint]:
    for name, per_second in (("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000), ("retry-after", 1)):
        text = head.get(name, "")
        number = parse_number(text)
        if number is None and name == "retry-after":
            number = _wait_in_words_s(text, now_s)
        if number is not None:
            yield RetryHint(number / per_second, name)


def _wait_in_words_s(text: str, now_s: float) -> Optional[float]:
    try:
        from .durations import parse_wait_s
    except ImportError:  # a copy without rate_limits knows HTTP dates, which are in GMT (RFC 9110 section 5.6.7)
        from calendar import timegm
        from email.utils import parsedate

        try:
            return timegm(parsedate(text) or ()) - now_s
        except (ValueError, IndexError):  # no date, or one that does not exist
            return None
    return parse_wait_s(text, now_s)
