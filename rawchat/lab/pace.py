"""How fast a recording is played: as it was, at once, or so many times faster.

    pace_of("original").due_s(412_000)     0.412
    pace_of("instant").due_s(412_000)      0.0
    pace_of(2).due_s(412_000)              0.206

Waits for nothing: whoever plays asks when a thing is due, counted from the request, and sleeps up to that moment, so
that one late wake-up does not delay all that follow.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from ..protocol.errors import PayloadError


class Pace(NamedTuple):
    """`divisor`: 1 for the original pace, 2 for twice as fast, 0 for no waiting at all."""

    divisor: float

    @property
    def is_instant(self) -> bool:
        return not self.divisor

    def due_s(self, at_us: float) -> float:
        """Seconds from the request to what was recorded `at_us` after it."""
        return at_us / 1e6 / self.divisor if self.divisor else 0.0

    def of_s(self, seconds: float) -> float:
        """How long a pause of that many recorded seconds is to be."""
        return seconds / self.divisor if self.divisor else 0.0


def pace_of(speed: Union[str, float]) -> Pace:
    """ "original", "instant", or a number above 0 (2 is twice as fast), also as text. Raises PayloadError."""
    named = {"original": 1.0, "instant": 0.0}.get(str(speed))
    if named is not None:
        return Pace(named)
    try:
        divisor = float(str(speed).lower().rstrip("x"))
    except ValueError:
        divisor = 0.0
    if not 0 < divisor < float("inf"):
        raise PayloadError(f'a speed is "original", "instant" or a number above 0, not {speed!r}', path="speed")
    return Pace(divisor)
