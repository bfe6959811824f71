"""Checks of two answers side by side and of time: are events held back, do streamed and whole text agree?

A clock decides nothing by itself: what came too quickly to tell is not judged, and neither is how fast a server is.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from .rule import QUIRK, SHOULD, Check, Evidence, Finding, about, fails, ok, stream_chunks, unknown, whole_stream
from .sight import Sight, Timed, excerpt

EVENTS_FOR_TIMING = 8  # fewer say nothing about how they are spread
LEAST_US = 60_000  # what is over sooner is too quick to tell

# --- when they arrived


def _content_events(sight: Sight) -> List[Timed]:
    return [timed for timed, document in sight.parsed if isinstance(document, dict) and document.get("choices")]


def _spread(sight: Sight) -> Finding:
    """Held back: everything came in a read or two, and only after the time that writing it took."""
    events = _content_events(sight)
    if len(events) < EVENTS_FOR_TIMING:
        return unknown(f"{len(events)} events are too few to tell")
    reads = len({timed.read for timed in events})
    first_us, last_us = events[0].at_us, events[-1].at_us
    said = f"{len(events)} events in {reads} reads, {first_us / 1000:.0f} to {last_us / 1000:.0f} ms after sending"
    if reads > max(2, len(events) // 8):
        return ok(said)
    if last_us < LEAST_US:
        return unknown(f"{said}: too quick to tell")
    return fails(said, _times(events)) if (last_us - first_us) * 10 < first_us else ok(said)


def _times(events: List[Timed]) -> str:
    shown = [f"{timed.at_us / 1000:.0f}" for timed in events[:12]]
    return f"arrival in ms: {' '.join(shown)}{' …' if len(events) > 12 else ''}"


def _burst(sight: Sight) -> Finding:
    events = _content_events(sight)
    if len(events) < EVENTS_FOR_TIMING:
        return unknown(f"{len(events)} events are too few to tell")
    reads = len({timed.read for timed in events})
    share = round(100 * (1 - reads / len(events)))
    said = f"{share} % of the events came along with another"
    if share <= 50:
        return ok(said)
    return (
        unknown(f"{said}, but it was too quick to tell") if events[-1].at_us < LEAST_US else fails(said, _times(events))
    )


def _same_text(evidence: Evidence) -> Optional[Finding]:
    chat, stream = evidence.sights.get("chat"), evidence.sights.get("stream")
    if chat is None or stream is None:
        return None
    if not chat.choices or whole_stream(stream):
        return unknown("one of the two answers is missing")
    whole, streamed = chat.answer_text, stream.answer_text
    if whole == streamed:
        return ok(f"{len(whole)} characters")
    same = next((at for at, (a, b) in enumerate(zip(whole, streamed)) if a != b), min(len(whole), len(streamed)))
    return fails(
        f"they differ from character {same} on", f"whole: {excerpt(whole, 90)} / streamed: {excerpt(streamed, 90)}"
    )


STREAM = "stream"
API = "API reference, Streaming"

CHECKS: Tuple[Check, ...] = (
    Check(
        "spread",
        STREAM,
        SHOULD,
        "Events arrive as they are made, and not all at the end.",
        API,
        about("stream", stream_chunks, _spread),
        "people: nothing moves, then all is there",
        "proxy_buffering off in nginx, X-Accel-Buffering: no; gzip off; is the stream made only at the end?",
    ),
    Check(
        "bursts",
        STREAM,
        QUIRK,
        "Most events arrive alone.",
        API,
        about("stream", stream_chunks, _burst),
        "people: the text comes in gulps",
        "Nagle off, a flush for each event; or several tokens a step",
    ),
    Check(
        "same-text",
        STREAM,
        QUIRK,
        "Streamed or whole, the text is the same at temperature 0.",
        API,
        _same_text,
        "tests that compare; often only the hardware is not deterministic",
        "a space lost or doubled between deltas is worth a look",
    ),
)
