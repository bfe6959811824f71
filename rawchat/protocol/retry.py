"""Whether there is a next attempt, and after which wait: the server's wish where it states one, else back-off.

    < HTTP/1.1 429 Too Many Requests
    < retry-after-ms: 1187                 parse_retry_after -> RetryHint(1.187, "retry-after-ms")
                                           next_wait -> Wait(1.187, "429 rate limit, the server asks for 1.187 s")

Servers state their wish in headers, in the body, or only in a sentence for people; `parse_retry_after` looks in all of
those places, in the order of trust, and goes on where a place holds nothing usable (all but Retry-After are known to
`rate_limits`). Whether a failure is worth another attempt was decided before (that is `status`). Does not sleep, read a
clock or throw dice: those are arguments. Pure.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from .errors import APIError
from .problem import find_error, parse_body
from .status import Verdict, classify, error_from, kind_words
from .wire import Headers, parse_number


class RetryPolicy(NamedTuple):
    """The schedule, in seconds, of waits no server asked for: min(initial * 2**n, cap) * (1 - jitter * dice).

    The figures are openai-python's (`_constants.py`, `_calculate_retry_timeout`): 0.5, 1, 2, 4, 8, 8 ... times a factor
    in (0.75, 1]. A server that asks for more than `longest_wait_s` is not waited for: the error says so at once.
    """

    initial_s: float = 0.5
    cap_s: float = 8.0
    jitter: float = 0.25
    longest_wait_s: float = 120.0


class RetryHint(NamedTuple):
    """A wait that the server asked for. `seconds` is > 0, and infinite where it is a figure beyond counting.

    `source` is the header that said so, or "RetryInfo", or "text".
    """

    seconds: float
    source: str


class Wait(NamedTuple):
    """Wait so long, then try again. `why` is for people: "429 rate limit, the server asks for 2 s"."""

    seconds: float
    why: str


def backoff_delays(count: int, base: float = 2.0) -> List[float]:
    """The bare schedule: `backoff_delays(4)` is [1.0, 2.0, 4.0, 8.0]; no cap, and jitter not applied yet."""
    return [float(base) ** exponent for exponent in range(count)]


def backoff_s(policy: RetryPolicy, retries_taken: int, dice: float) -> float:
    """Seconds to wait after `retries_taken` retries. `dice` in [0, 1) spreads clients that failed together."""
    # The exponent is bounded because 2.0**1024 is no float; openai-python has the same bound.
    delay = min(policy.initial_s * 2.0 ** min(retries_taken, 1000), policy.cap_s)
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
    """The wait before the next attempt, or None: do not retry.

    What failed is told by the error that `error_from` made, or by the verdict and hint it was made of; neither means
    that no answer came, which is worth another attempt. The server's own wait is taken as it is, without jitter.
    """
    retry, asked_s, label = _case(error, verdict, hint)
    if not retry or retries_taken >= max_retries or asked_s > policy.longest_wait_s:
        return None
    if asked_s > 0:
        return Wait(asked_s, f"{label}, the server asks for {_figure(asked_s)} s")
    return Wait(backoff_s(policy, retries_taken, dice), label)


def why_not(
    policy: RetryPolicy,
    error: Optional[APIError] = None,
    *,
    verdict: Optional[Verdict] = None,
    hint: Optional[RetryHint] = None,
) -> str:
    """Why a failure worth another attempt gets none: the server's wait is too long. "" for any other reason."""
    retry, asked_s, _ = _case(error, verdict, hint)
    if not retry or asked_s <= policy.longest_wait_s:
        return ""
    asked, longest = _figure(asked_s), _figure(policy.longest_wait_s)
    return (
        f"not tried again: the server asks to wait {asked} s, more than the {longest} s of RetryPolicy.longest_wait_s"
    )


def _case(error: Optional[APIError], verdict: Optional[Verdict], hint: Optional[RetryHint]) -> Tuple[bool, float, str]:
    """Whether to retry, the seconds the server asks for (0.0 where it does not), and a label for people."""
    asked_s = hint.seconds if hint is not None else 0.0
    if error is not None:
        asked_s = error.retry_after_s or asked_s
        retry, label = error.retryable, _label(error)
    elif verdict is not None:
        retry, label = verdict.retry, verdict.why
    else:
        retry, label = True, "no answer"
    return retry, asked_s if asked_s > 0 else 0.0, label  # nan compares as not greater


def _label(error: APIError) -> str:
    if error.status is not None and error.status >= 300:
        return f"{error.status} {kind_words(error.status)}"
    return error.message.split(": ", 1)[0]


def _figure(seconds: float) -> str:
    if seconds == float("inf"):
        return "countless"
    return f"{seconds:.0f}" if seconds >= 1000 else f"{seconds:.4g}"


# ---- what the server asks for ----


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
    """The error for an answer that is not a success, with everything the server said about trying again."""
    verdict = classify(status, headers, body, url=url, secrets=secrets)
    hint = parse_retry_after(headers, body, now_s=unix_s)
    return error_from(verdict, headers=headers, attempts=attempts, retry_after_s=hint.seconds if hint else None)


def parse_retry_after(
    headers: Mapping[str, str], body: Union[bytes, str] = b"", *, now_s: float
) -> Optional[RetryHint]:
    """The wait that the server asks for, from the first place that holds a usable one; None where none does.

    In this order: `retry-after-ms`, `x-ms-retry-after-ms`, `retry-after` (seconds or HTTP date, RFC 9110 section
    10.2.3), Google's RetryInfo in the body, a sentence in the body, the rate-limit reset headers. Zero, negative and
    unreadable values are not usable; numbers too large for a float are infinite. `now_s` is Unix time in seconds.
    """
    head = Headers(headers)
    document = parse_body(body)
    for hint in _hints(head, document, now_s):
        if hint.seconds > 0:
            return hint
    return None


def _hints(head: Headers, document: Any, now_s: float) -> Iterator[RetryHint]:
    yield from _retry_after(head, now_s)
    try:
        from .rate_limits import passed_on_headers, resets, waits_in_body
    except ImportError:  # a copy without them goes by Retry-After, and by its own schedule
        return
    error = find_error(document)
    yield from map(RetryHint._make, waits_in_body(document, error))
    yield from map(RetryHint._make, resets(head, now_s))
    inner = passed_on_headers(error)
    yield from _retry_after(inner, now_s)
    yield from map(RetryHint._make, resets(inner, now_s))


def _retry_after(head: Headers, now_s: float) -> Iterator[RetryHint]:
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = parse_number(head.get(name, ""))
        if milliseconds is not None:
            yield RetryHint(milliseconds / 1000, name)
    text = head.get("retry-after", "")
    seconds = parse_number(text)
    if seconds is None:
        seconds = _wait_in_words_s(text, now_s)
    if seconds is not None:
        yield RetryHint(seconds, "retry-after")


def _wait_in_words_s(text: str, now_s: float) -> Optional[float]:
    try:
        from .durations import parse_wait_s
    except ImportError:  # a copy without rate_limits reads seconds only
        return None
    return parse_wait_s(text, now_s)
