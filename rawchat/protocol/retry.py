"""Whether there is a next attempt, and after which wait: the server's wish where it states one, else back-off.

    < HTTP/1.1 429 Too Many Requests
    < retry-after-ms: 1187                 parse_retry_after -> RetryHint(1.187, "retry-after-ms")
    < x-ratelimit-remaining-tokens: 0      next_wait -> Wait(1.187, "429 rate limit, the server asks for 1.187 s")
    < x-ratelimit-reset-tokens: 6m0s       rate_limits -> RateLimits(..., remaining_tokens=0, reset_tokens_s=360.0)

Servers state their wish in headers, in the body, or only in a sentence for people; `parse_retry_after` looks in all of
those places, in the order of trust, and goes on where a place holds nothing usable. Whether a failure is worth another
attempt was decided before (that is `status`). Does not sleep, read a clock or throw dice: those are arguments. Pure.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from .errors import APIError
from .problem import find_error, parse_body, read_error
from .status import Verdict, classify, error_from, kind_words
from .wire import Headers


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
    if seconds == math.inf:
        return "countless"
    return f"{seconds:.0f}" if seconds >= 1000 else f"{seconds:.4g}"


# ---- what the server asks for ----

# All but the first are compiled at first use, by `re` itself: only failed calls need them, and imports stay quick.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS = {
    "millisecond": "ms",
    "msec": "ms",
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "hr": "h",
}
_UNIT = r"(?:milliseconds?|msecs?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[nuµμm]s|[smhd])(?![a-z])"
_FIGURE = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_SPAN = rf"{_FIGURE}\s*{_UNIT}(?:(?:\s*,|\s+and\b)?\s*{_FIGURE}\s*{_UNIT})*"
_PART = rf"(?i)({_FIGURE})\s*({_UNIT})"
_DURATION = rf"(?i){_SPAN}"
# "Please try again in 1.187s" (OpenAI), "Please retry after 45 seconds" (Azure), "Please retry in 34.07s" (Gemini).
_SENTENCE = rf"(?i)\b(?:try(?:ing)? again|retry(?:ing)?|wait(?:ing)?)\b[^0-9\n]{{0,40}}?({_SPAN})"


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
    error = find_error(document)
    yield from _retry_info(error)
    yield from _sentence(document if error is None else error)
    yield from _resets(head, now_s)
    # OpenRouter passes the headers of the provider on, inside the body.
    metadata = error.get("metadata") if isinstance(error, dict) else None
    passed_on = metadata.get("headers") if isinstance(metadata, dict) else None
    if isinstance(passed_on, dict):
        inner = Headers([(str(name), str(value)) for name, value in passed_on.items()])
        yield from _retry_after(inner, now_s)
        yield from _resets(inner, now_s)


def _retry_after(head: Headers, now_s: float) -> Iterator[RetryHint]:
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(head.get(name, ""))
        if milliseconds is not None:
            yield RetryHint(milliseconds / 1000, name)
    seconds = _retry_after_s(head.get("retry-after", ""), now_s)
    if seconds is not None:
        yield RetryHint(seconds, "retry-after")


def _retry_after_s(value: str, now_s: float) -> Optional[float]:
    seconds = parse_duration_s(value)
    if seconds is not None:
        return seconds
    at_s = _date_s(value, now_s)
    if at_s is not None:
        return at_s - now_s
    # A proxy and the server behind it each added one: "5, 7". The longer wait satisfies both.
    numbers = [_number(part) for part in value.split(",")]
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None


def _retry_info(error: Any) -> Iterator[RetryHint]:
    """google.rpc.RetryInfo: {"retryDelay": "34.074824224s"}, or {"seconds": 34, "nanos": 74824224}."""
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, dict):
            seconds = _number(str(delay.get("seconds", 0)))
            nanos = _number(str(delay.get("nanos", 0)))
            yield RetryHint((seconds or 0.0) + (nanos or 0.0) / 1e9, "RetryInfo")
        elif isinstance(delay, str):
            yield RetryHint(parse_duration_s(delay) or 0.0, "RetryInfo")


def _sentence(error: Any) -> Iterator[RetryHint]:
    for found in re.finditer(_SENTENCE, read_error(error).message[:4000]):
        yield RetryHint(parse_duration_s(found[1]) or 0.0, "text")


def _resets(head: Headers, now_s: float) -> Iterator[RetryHint]:
    """The resets of the limits that are used up, the latest of them; of limits that don't tell, the earliest."""
    for windows in (_NAMED_WINDOWS, _PLAIN_WINDOWS):
        spent: List[RetryHint] = []
        unknown: List[RetryHint] = []
        for window in windows:
            seconds = _reset_s(head.get(window.reset, ""), now_s)
            remaining = _count(head.get(window.remaining, ""))
            if seconds is None or seconds <= 0 or (remaining is not None and remaining > 0):
                continue
            (unknown if remaining is None else spent).append(RetryHint(seconds, window.reset))
        if spent:
            yield max(spent)
        elif unknown and not any(window.remaining in head for window in windows):
            yield min(unknown)


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


def parse_duration_s(text: str) -> Optional[float]:
    """Seconds in a duration: "12", "7.66", "1s", "6m0s", "120ms", "2m59.56s", "23h47m36.648s", "45 seconds".

    None for anything else. A plain number counts as seconds, and may be negative; "1e999" is infinite.
    """
    text = text.strip()
    number = _number(text)
    if number is not None:
        return number
    if not re.fullmatch(_DURATION, text):
        return None
    return sum(float(figure) * _unit_s(unit) for figure, unit in re.findall(_PART, text))


def _unit_s(unit: str) -> float:
    unit = unit.lower()
    if unit not in _UNITS_S:
        unit = unit.rstrip("s")
        unit = _WORDS.get(unit, unit[0])  # "day" -> "d"
    return _UNITS_S[unit]


def _number(text: str) -> Optional[float]:
    """A plain decimal number; "nan", "inf" and "1_000" are none, though float() takes them."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _count(text: str) -> Optional[int]:
    number = _number(text)
    if number is None or math.isinf(number):
        return None
    return max(0, int(number))  # Azure counts down to -1


def _reset_s(text: str, now_s: float) -> Optional[float]:
    """Seconds until a reset: a duration, a date, or Unix time in seconds or milliseconds, told apart by size."""
    number = _number(text)
    if number is not None and not math.isinf(number):
        if number >= 1e12:
            return number / 1000 - now_s
        return number - now_s if number >= 1e9 else number
    seconds = parse_duration_s(text)
    if seconds is not None:
        return seconds
    at_s = _date_s(text, now_s)
    return None if at_s is None else at_s - now_s


_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = tuple(
    form.replace("CLOCK", _CLOCK)
    for form in (
        # IMF-fixdate and RFC 850: Sun, 06 Nov 1994 08:49:37 GMT / Sunday, 06-Nov-94 08:49:37 GMT
        r"(?:[A-Za-z]+,\s*)?(?P<day>\d\d?)[ -](?P<month>[A-Za-z]{3})[ -](?P<year>\d{4}|\d\d)\s+CLOCK\s*(?:GMT|UTC|Z)?",
        # asctime: Sun Nov  6 08:49:37 1994
        r"[A-Za-z]{3}\s+(?P<month>[A-Za-z]{3})\s+(?P<day>\d\d?)\s+CLOCK\s+(?P<year>\d{4})",
        # ISO 8601, as Anthropic sends it: 1994-11-06T08:49:37Z, with fraction and offset
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[Tt ]CLOCK(?P<fraction>\.\d+)?\s*(?P<zone>[Zz]|[+-]\d\d:?\d\d)?",
    )
)


def _date_s(text: str, now_s: float) -> Optional[float]:
    """Unix time of a date in one of the forms of RFC 9110 section 5.6.7, or ISO 8601; None for anything else."""
    found = next(filter(None, (re.fullmatch(form, text.strip(), re.ASCII) for form in _DATES)), None)
    if found is None:
        return None
    import datetime  # at first use: dates are rare, and the module is not free

    part = found.groupdict()
    month = _MONTHS.get(part["month"].lower()) or (int(part["month"]) if part["month"].isdigit() else 0)
    year = _year(part["year"], now_s)
    clock = int(part["hour"]), int(part["minute"]), min(int(part["second"]), 59)  # :60 is a leap second
    try:
        moment = datetime.datetime(year, month, int(part["day"]), *clock, tzinfo=datetime.timezone.utc)
    except ValueError:  # 31 February, 25 o'clock
        return None
    return moment.timestamp() + float(part.get("fraction") or 0) - _offset_s(part.get("zone") or "Z")


def _year(digits: str, now_s: float) -> int:
    """Two digits mean the year that is at most 50 years ahead (RFC 9110 section 5.6.7)."""
    year = int(digits)
    if len(digits) == 4:
        return year
    this_year = 1970 + int(now_s / 31556952)
    year += this_year - this_year % 100
    return year - 100 if year > this_year + 50 else year


def _offset_s(zone: str) -> float:
    if zone in "Zz":
        return 0.0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600.0 + int(digits[2:]) * 60.0
    return -seconds if zone[0] == "-" else seconds
