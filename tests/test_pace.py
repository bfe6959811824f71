"""Speeds: by name, by number, and what is none."""

import pytest

from . import module, rawchat

pace = module("lab.pace")

SPEEDS = [
    ("original", 0.5, 2.0),
    ("instant", 0.0, 0.0),
    (2, 0.25, 1.0),
    ("2", 0.25, 1.0),
    ("0.5x", 1.0, 4.0),
    (10.0, 0.05, 0.2),
]


@pytest.mark.parametrize(("speed", "due_s", "pause_s"), SPEEDS, ids=[str(row[0]) for row in SPEEDS])
def test_when_things_are_due(speed, due_s, pause_s):
    """What came half a second after the request, and a pause of two seconds."""
    made = pace.pace_of(speed)
    assert (made.due_s(500_000), made.of_s(2.0)) == (pytest.approx(due_s), pytest.approx(pause_s))
    assert made.is_instant == (speed == "instant")


@pytest.mark.parametrize("speed", ["fast", 0, -1, "inf", "nan", "", None, "x"], ids=repr)
def test_what_is_no_speed(speed):
    """Told before anything is played."""
    with pytest.raises(rawchat.PayloadError, match="a speed is"):
        pace.pace_of(speed)
