"""The figures of an exchange, complete and incomplete."""

import pytest

from . import lab_tapes as tapes, module

exchange_module = module("lab.exchange")
timing = module("lab.timing")

MS = 1000

# Case -> figures in milliseconds since the sending (None: it never came) and counts. The tapes' head comes after
# 100 ms, and a read every 20 ms from then on.
FIGURES = {
    "stream": {"head": 100, "first_byte": 100, "first_event": 100, "first_text": 120, "last_text": 160, "finish": 180, "usage": 200, "done": 220, "end": 260, "events": 7, "reads": 8, "reads_with_events": 7},
    "gzip": {"head": 100, "first_text": 120, "done": 220, "end": 280, "events": 7, "reads": 9},
    "library": {"head": 100, "first_text": 120, "done": 220, "end": 240, "events": 7, "reads": 7},
    "whole": {"head": 100, "first_byte": 100, "first_event": None, "first_text": None, "done": None, "end": 120, "events": 0, "reads": 1},
    "reset": {"head": 100, "first_text": 120, "last_text": 140, "finish": None, "usage": None, "done": None, "end": 160, "events": 3, "reads": 3},
    "no end": {"head": 100, "first_text": 120, "done": None, "end": None, "events": 2},
    "reasoning": {"first_reasoning": 100, "first_text": 140, "last_text": 140, "events": 6},
    "unreachable": {"head": None, "first_byte": None, "end": 100, "events": 0, "reads": 0},
    "bursts": {"head": 100, "first_text": 100, "done": 900, "end": 1300, "events": 44, "reads": 3, "reads_with_events": 3},
}  # fmt: skip


@pytest.mark.parametrize("case", FIGURES)
def test_the_figures_of_typical_exchanges(case):
    """Each in microseconds since the sending."""
    measured = timing.measure(tapes.make(case))
    for name, expected in FIGURES[case].items():
        if name in ("events", "reads", "reads_with_events"):
            assert getattr(measured, name) == expected, name
        else:
            assert getattr(measured, f"{name}_us") == (None if expected is None else expected * MS), name


def test_speed_needs_usage_and_time():
    """Completion tokens over the time from the first text to the last; None where there is no count, or one burst."""
    assert timing.measure(tapes.make("stream")).tokens_per_s == pytest.approx(3 / 0.04)
    assert timing.measure(tapes.make("reset")).tokens_per_s is None
    assert timing.measure(tapes.make("whole")).tokens_per_s is None
    one_burst = tapes.Tape().stream([b"".join(tapes.events("a", "b"))], layer=exchange_module.BODY)
    assert timing.measure(one_burst).tokens_per_s is None


def test_the_longest_gap_and_when_it_began():
    """Between two reads of the body; none for fewer than two."""
    piece = exchange_module.Piece
    assert timing.longest_gap([piece(10, b""), piece(15, b""), piece(95, b""), piece(99, b"")]) == (80, 15)
    assert timing.longest_gap([piece(10, b"")]) == timing.longest_gap([]) == (0, 0)


def test_a_recording_without_an_end_lasts_as_long_as_it_was_seen():
    """The time of the last byte."""
    measured = timing.measure(tapes.make("no end"))
    assert measured.end_us is None and measured.total_us == measured.last_byte_us == 120 * MS


ODD = {
    "choices that are a word": {"choices": "none"},
    "a choice that is a number": {"choices": [7]},
    "a delta that is a list": {"choices": [{"delta": ["a"]}]},
    "usage that is a word": {"choices": [], "usage": "much"},
    "counts that are words": {"choices": [], "usage": {"prompt_tokens": "12", "completion_tokens": None}},
}


@pytest.mark.parametrize("chunk", ODD.values(), ids=ODD)
def test_odd_chunks_break_no_figure(chunk):
    """What a server sends amiss is counted, and not believed."""
    pieces = [*tapes.events("a", usage=None, done=False), tapes.event(chunk), tapes.event("[DONE]")]
    measured = timing.measure(tapes.Tape().stream(tapes.in_chunks(pieces)))
    assert measured.prompt_tokens is None and measured.first_text_us == 120 * MS


DURATIONS = [
    (None, "-"),
    (0, "0.0 ms"),
    (412, "0.4 ms"),
    (9_949, "9.9 ms"),
    (9_950, "10 ms"),
    (999_499, "999 ms"),
    (999_500, "1.0 s"),
    (3_100_000, "3.1 s"),
    (99_949_999, "99.9 s"),
    (1_234_000_000, "1,234 s"),
]


@pytest.mark.parametrize(("us", "text"), DURATIONS, ids=[text for _, text in DURATIONS])
def test_durations_for_people(us, text):
    """Two or three digits, and a unit."""
    assert timing.duration(us) == text
