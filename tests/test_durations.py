"""Numbers and durations in every form that servers write. Dates are tested where they count, in test_retry.py."""

import math

import pytest

from . import module

durations = module("protocol.durations")

DURATIONS = [
    ("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("2m59.56s", 179.56), ("23h47m36.648s", 85656.648), ("1h", 3600.0),
    ("1d2h", 93600.0), ("12", 12.0), ("7.66", 7.66), ("-3", -3.0), (" 5 ", 5.0), ("45 seconds", 45.0),
    ("1 minute, 5 seconds", 65.0), ("2 hours and 1 min", 7260.0), ("1 day", 86400.0), ("500us", 0.0005), ("1µs", 1e-6), ("7ns", 7e-9),
    ("3 days", 259200.0), ("10 msecs", 0.01), ("2 hrs", 7200.0), ("0s", 0.0), ("1e999", math.inf), ("1S", 1.0),
    ("", None), ("s", None), ("5x", None), ("5 s x", None), ("nan", None), ("inf", None), ("1:30", None), ("m5", None),
    ("1s and", None), ("٣s", None),
]  # fmt: skip


@pytest.mark.parametrize("text, seconds", DURATIONS)
def test_a_duration_reads_as_seconds(text, seconds):
    """Go's durations, plain seconds, and words; anything else is None."""
    found = durations.parse_duration_s(text)
    assert found == (None if seconds is None else pytest.approx(seconds))
