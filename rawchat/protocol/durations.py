"""Reads durations and dates as servers write them into headers and sentences.

    x-ratelimit-reset-tokens: 2m59.56s              179.56
    "Please try again in 120 ms"                    0.12
    Retry-After: Tue, 14 Nov 2023 22:13:50 GMT      1700000030.0, Unix time

Says nothing of what they mean. Reads no clock. Pure.
"""

from __future__ import annotations

import re
from typing import Optional

from .wire import parse_number

# Patterns are text, compiled at first use by `re` itself.
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
SPAN = rf"{_FIGURE}\s*{_UNIT}(?:(?:\s*,|\s+and\b)?\s*{_FIGURE}\s*{_UNIT})*"
_PART = rf"(?i)({_FIGURE})\s*({_UNIT})"
_DURATION = rf"(?i){SPAN}"


def parse_wait_s(value: str, now_s: float) -> Optional[float]:
    """Seconds in a Retry-After that is no plain number: a duration, a date, or several numbers."""
    seconds = parse_duration_s(value)
    if seconds is not None:
        return seconds
    at_s = parse_date_s(value, now_s)
    if at_s is not None:
        return at_s - now_s
    # A proxy and the server behind it each added one: "5, 7". The longer wait satisfies both.
    numbers = [parse_number(part) for part in value.split(",")]
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None


def parse_duration_s(text: str) -> Optional[float]:
    """Seconds in a duration: "12", "7.66", "1s", "6m0s", "120ms", "2m59.56s", "23h47m36.648s", "45 seconds".

    None for anything else. A plain number counts as seconds, and may be negative; "1e999" is infinite.
    """
    text = text.strip()
    number = parse_number(text)
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


def parse_date_s(text: str, now_s: float) -> Optional[float]:
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
