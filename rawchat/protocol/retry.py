"""Whether there is a next attempt, and after which wait: the server's where it states one, else back-off.

    < retry-after-ms: 1187      parse_retry_after -> RetryHint(1.187, "retry-after-ms")
                                next_wait -> Wait(1.187, "429 rate limit, the server asks for 1.187 s")

Pure: time and dice are arguments.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Iterable, Iterator, Mapping, NamedTuple, Optional, Tuple, Union

from .errors import APIError
from .status import Verdict, classify, error_from, row_of
from .wire import Headers, parse_number


class RetryPolicy(NamedTuple):
    """The schedule of waits no server asked for, as in openai-python: min(initial * 2**n, cap) * (1 - jitter * dice).

    A server that asks for more than `longest_wait_s` is not waited for.
    """

    initial_s: float = 0.5
    cap_s: float = 8.0
    jitter: float = 0.25
    longest_wait_s: float = 120.0


class RetryHint(NamedTuple):
    seconds: float  # > 0, and infinite where it is a figure beyond counting
    source: str  # the header that asked for the wait, or "RetryInfo", or "text"


class Wait(NamedTuple):
    seconds: float
    why: str  # for people


def backoff_s(policy: RetryPolicy, retries_taken: int, dice: float) -> float:
    """`dice` in [0, 1) spreads clients that failed together."""
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
    """The wait before the next attempt, or None: do not retry. The server's own wait is taken without jitter.

    The error, or the verdict and hint it was made of, tell what failed; without them, no answer came.
    """
    retry, asked_s, label = case_of(error, verdict, hint)
    if not retry or retries_taken >= max_retries or asked_s > policy.longest_wait_s:
        return None
    with suppress(ImportError):
        from .hints import figure

        label += f", the server asks for {figure(asked_s)} s" if asked_s else ""
    return Wait(asked_s or backoff_s(policy, retries_taken, dice), label)


def case_of(
    error: Optional[APIError], verdict: Optional[Verdict], hint: Optional[RetryHint]
) -> Tuple[bool, float, str]:
    """Whether to retry, the seconds the server asks for (0.0: none), and a label for people."""
    asked_s = hint.seconds if hint else 0.0
    retry, label = (verdict.retry, verdict.why) if verdict else (True, "no answer")
    if error is not None:
        retry, asked_s, label = error.retryable, error.retry_after_s or asked_s, error.message.partition(": ")[0]
        with suppress(ImportError):
            from .hints import KINDS

            status = error.status or 0
            label = f"{status} {KINDS[row_of(status).kind].words}" if status >= 300 else label
    return retry, max(0.0, asked_s), label  # of 0 and nan, 0


def status_error(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    unix_s: float,
    attempts: int = 1,
    url: str = "",
    secrets: Iterable[str] = (),
) -> APIError:
    """The error for an answer that is no success. `unix_s` is the time now."""
    verdict = classify(status, headers, body, url=url, secrets=secrets)
    hint = parse_retry_after(headers, body, now_s=unix_s)
    return error_from(verdict, headers=headers, attempts=attempts, retry_after_s=hint.seconds if hint else None)


def parse_retry_after(
    headers: Mapping[str, str], body: Union[bytes, str] = b"", *, now_s: float
) -> Optional[RetryHint]:
    """The first usable wait (> 0) that the server asks for, or None. `now_s` is Unix time.

    `retry-after-ms`, then `retry-after` (RFC 9110 section 10.2.3); with the feature rate_limits, all that it knows.
    """
    head = Headers(headers)
    try:
        from .rate_limits import waits
    except ImportError:
        told = _plain_waits(head, now_s)
    else:
        told = waits(head, body, now_s)
    return next((RetryHint(*wait) for wait in told if wait[0] > 0), None)


def _plain_waits(head: Headers, now_s: float) -> Iterator[Tuple[float, str]]:
    for name, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        text = head.get(name, "")
        yield (parse_number(text) or 0) / per_second, name
    from calendar import timegm  # dates are in GMT (RFC 9110 section 5.6.7)
    from email.utils import parsedate

    with suppress(ValueError, IndexError):  # no date, or one that does not exist
        yield timegm(parsedate(text) or ()) - now_s, name
