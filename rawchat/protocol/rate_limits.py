"""Limits, and the waits that a server asks for: in Retry-After, rate-limit headers, its body, a sentence there.

    < x-ratelimit-remaining-tokens: 0      rate_limits -> RateLimits(..., remaining_tokens=0, reset_tokens_s=360.0)
    < x-ratelimit-reset-tokens: 6m0s       waits -> (360.0, "x-ratelimit-reset-tokens")
    {"error": {"message": "... Please try again in 1.187s."}}      waits -> (1.187, "text")

Reads no clock: `now_s` is Unix time in seconds. Whether to wait at all, and for which of these, is known to `retry`.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from .durations import SPAN, parse_date_s, parse_duration_s, parse_wait_s
from .problem import find_error, parse_body, read_error
from .wire import Headers, parse_number

Told = Tuple[float, str]  # seconds to wait, and where that was said

# "Please try again in 1.187s" (OpenAI), "Please retry after 45 seconds" (Azure), "Please retry in 34.07s" (Gemini).
_SENTENCE = rf"(?i)\b(?:try(?:ing)? again|retry(?:ing)?|wait(?:ing)?)\b[^0-9\n]{{0,40}}?({SPAN})"


class Window(NamedTuple):
    """The three headers of one rate limit. `counts` is "requests" or "tokens"."""

    counts: str
    limit: str
    remaining: str
    reset: str


def _window(counts: str, pattern: str) -> Window:
    return Window(counts, *(pattern.replace("*", part) for part in ("limit", "remaining", "reset")))


# The named ones stand before the plain ones: where a server sends both, they say more.
_NAMED_WINDOWS = (
    _window("requests", "x-ratelimit-*-requests"),  # OpenAI, Groq (there per day), partly Azure
    _window("tokens", "x-ratelimit-*-tokens"),
    _window("requests", "x-ratelimit-*-requests-day"),  # Cerebras
    _window("tokens", "x-ratelimit-*-tokens-minute"),
    _window("requests", "anthropic-ratelimit-requests-*"),
    _window("tokens", "anthropic-ratelimit-tokens-*"),
    _window("tokens", "anthropic-ratelimit-input-tokens-*"),
    _window("tokens", "anthropic-ratelimit-output-tokens-*"),
)
_PLAIN_WINDOWS = (
    _window("requests", "x-ratelimit-*"),  # OpenRouter (epoch ms), GitHub's manner (epoch s)
    _window("requests", "ratelimit-*"),  # IETF draft-ietf-httpapi-ratelimit-headers up to -07
)


class RateLimits(NamedTuple):
    """What the rate-limit headers of an answer say; None where they do not. Reset times in seconds from now."""

    limit_requests: Optional[int] = None
    remaining_requests: Optional[int] = None
    reset_requests_s: Optional[float] = None
    limit_tokens: Optional[int] = None
    remaining_tokens: Optional[int] = None
    reset_tokens_s: Optional[float] = None


def rate_limits(headers: Mapping[str, str], *, now_s: float) -> RateLimits:
    """Limits, what remains of them, and when they start anew, from the headers of any answer. `now_s` is Unix time."""
    head = Headers(headers)
    found: Dict[str, Union[int, float, None]] = {}
    for window in _NAMED_WINDOWS + _PLAIN_WINDOWS:
        if f"limit_{window.counts}" in found:
            continue
        reset_s = _reset_s(head.get(window.reset, ""), now_s)
        values = (_count(head.get(window.limit, "")), _count(head.get(window.remaining, "")), reset_s)
        if any(value is not None for value in values):
            names = (f"limit_{window.counts}", f"remaining_{window.counts}", f"reset_{window.counts}_s")
            found.update(zip(names, (*values[:2], None if reset_s is None else max(0.0, reset_s))))
    return RateLimits(**found)  # type: ignore[arg-type]  # the names are those of the fields, by the lines above


def waits(head: Headers, body: Union[bytes, str], now_s: float) -> Iterator[Told]:
    """The waits that an answer asks for, in the order of trust, those of no use included (0, a date in the past).

    First `retry-after-ms`, `x-ms-retry-after-ms` and `retry-after`; then Google's RetryInfo in the body, a sentence
    there, rate-limit resets; last the headers that a provider's answer had, and that stand in the body now.
    """
    yield from _retry_after(head, now_s)
    document = parse_body(body)
    error = find_error(document)
    yield from _retry_info(error)
    yield from _sentence(document if error is None else error)
    yield from _resets(head, now_s)
    inner = _passed_on_headers(error)
    yield from _retry_after(inner, now_s)
    yield from _resets(inner, now_s)


def _retry_after(head: Headers, now_s: float) -> Iterator[Told]:
    for name, per_second in (("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000), ("retry-after", 1)):
        text = head.get(name, "")
        number = parse_number(text)
        if number is None and name == "retry-after":
            number = parse_wait_s(text, now_s)
        if number is not None:
            yield number / per_second, name


def backoff_delays(count: int, base: float = 2.0) -> List[float]:
    """The bare schedule of waits, without cap and jitter: `backoff_delays(4)` is [1.0, 2.0, 4.0, 8.0]."""
    return [float(base) ** exponent for exponent in range(count)]


def _passed_on_headers(error: Any) -> Headers:
    """The headers of the provider behind OpenRouter, which passes them on inside the body."""
    metadata = error.get("metadata") if isinstance(error, dict) else None
    passed_on = metadata.get("headers") if isinstance(metadata, dict) else None
    found = passed_on.items() if isinstance(passed_on, dict) else ()
    return Headers([(str(name), str(value)) for name, value in found])


def _retry_info(error: Any) -> Iterator[Told]:
    """google.rpc.RetryInfo: {"retryDelay": "34.074824224s"}, or {"seconds": 34, "nanos": 74824224}."""
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, dict):
            seconds = parse_number(str(delay.get("seconds", 0)))
            nanos = parse_number(str(delay.get("nanos", 0)))
            yield (seconds or 0.0) + (nanos or 0.0) / 1e9, "RetryInfo"
        elif isinstance(delay, str):
            yield parse_duration_s(delay) or 0.0, "RetryInfo"


def _sentence(error: Any) -> Iterator[Told]:
    for found in re.finditer(_SENTENCE, read_error(error).message[:4000]):
        yield parse_duration_s(found[1]) or 0.0, "text"


def _resets(head: Headers, now_s: float) -> Iterator[Told]:
    """The resets of the limits that are used up, the latest of them; of limits that don't tell, the earliest."""
    for windows in (_NAMED_WINDOWS, _PLAIN_WINDOWS):
        spent: List[Told] = []
        unknown: List[Told] = []
        for window in windows:
            seconds = _reset_s(head.get(window.reset, ""), now_s)
            remaining = _count(head.get(window.remaining, ""))
            if seconds is None or seconds <= 0 or (remaining is not None and remaining > 0):
                continue
            (unknown if remaining is None else spent).append((seconds, window.reset))
        if spent:
            yield max(spent)
        elif unknown and not any(window.remaining in head for window in windows):
            yield min(unknown)


def _count(text: str) -> Optional[int]:
    number = parse_number(text)
    if number is None or math.isinf(number):
        return None
    return max(0, int(number))  # Azure counts down to -1


def _reset_s(text: str, now_s: float) -> Optional[float]:
    """Seconds until a reset: a duration, a date, or Unix time in seconds or milliseconds, told apart by size."""
    number = parse_number(text)
    if number is not None and not math.isinf(number):
        if number >= 1e12:
            return number / 1000 - now_s
        return number - now_s if number >= 1e9 else number
    seconds = parse_duration_s(text)
    if seconds is not None:
        return seconds
    at_s = parse_date_s(text, now_s)
    return None if at_s is None else at_s - now_s
