"""Checks of time, with times written by hand: events held back, in bursts, spread, too quick to tell."""

import json

import pytest

from . import module
from .clinic import TEXT, chunk, completion, find, seen, stream, untried

timing_checks = module("lab.clinic.timing_checks")
START = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
WORDS = [
    chunk({"role": "assistant", "content": ""}),
    *(chunk({"content": f"{n} "}) for n in range(18)),
    chunk(finish="stop"),
]


def timed(times_ms, documents=WORDS):
    """Events that arrive at these times; those of the same time come in one read."""
    reads = {}
    for at_ms, document in zip(times_ms, documents):
        reads[at_ms] = reads.get(at_ms, b"") + f"data: {json.dumps(document)}\n\n".encode()
    return seen((1000, START), *((round(at_ms * 1000), data) for at_ms, data in reads.items()))


SPREAD = [100 + 20 * n for n in range(20)]
HELD = [900] * 20
PAIRS = [100 + 20 * (n // 2) for n in range(20)]
GULPS = [100 + 100 * (n // 7) for n in range(20)]
QUICK = [5] * 20
SLOW_START = [2000 + n for n in range(20)]

ROWS = {
    "spread": ("spread", "ok", {"stream": timed(SPREAD)}, "20 events in 20 reads, 100 to 480 ms"),
    "held back": ("spread", "fails", {"stream": timed(HELD)}, "20 events in 1 reads"),
    "a slow start is not held back": ("spread", "ok", {"stream": timed(SLOW_START)}, "20 reads"),
    "too quick": ("spread", "unknown", {"stream": timed(QUICK)}, "too quick"),
    "too few": ("spread", "unknown", {"stream": timed(SPREAD, WORDS[:5])}, "too few"),
    "alone": ("bursts", "ok", {"stream": timed(SPREAD)}, "0 %"),
    "in pairs": ("bursts", "ok", {"stream": timed(PAIRS)}, "50 %"),
    "in gulps": ("bursts", "fails", {"stream": timed(GULPS)}, "85 %"),
    "gulps too quick to tell": ("bursts", "unknown", {"stream": timed(QUICK)}, "too quick"),
    "bursts of too few": ("bursts", "unknown", {"stream": timed(SPREAD, WORDS[:5])}, "too few"),
    "the same": ("same-text", "ok", {"chat": completion({"content": "one two three"}), "stream": stream()}, "13 char"),
    "a space lost": (
        "same-text",
        "fails",
        {"chat": completion({"content": "one two  three"}), "stream": stream()},
        "from character 8",
    ),
    "longer": ("same-text", "fails", {"chat": completion({"content": "one"}), "stream": stream()}, "from character 3"),
    "one was cut off": (
        "same-text",
        "unknown",
        {"chat": completion({"content": "one"}), "stream": stream(*TEXT[:3], done=False)},
        "missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("check,verdict,answers,says", ROWS.values(), ids=ROWS.keys())
def test_what_is_found(check, verdict, answers, says):
    """The verdict, and the figures it rests on."""
    finding = find(check, **answers)
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything."""
    assert untried(timing_checks.CHECKS, ROWS) == []


def test_the_times_are_shown():
    """When each event came is the evidence; people recognise the pattern."""
    assert find("bursts", stream=timed(GULPS)).seen.startswith("arrival in ms: 100 100 100 100 100 100 100 200")
