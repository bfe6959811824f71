"""The facts that a diagnosis rests on, gathered from one exchange and the other attempts of its call.

    Evidence(timing=..., status=200, is_stream=True, arrivals_us=[431000, 450000, ...], suspects=["server: nginx"], ...)
    bursts(evidence) -> [Burst(at_us=431000, last_us=431000, events=84, reads=1), ...]

Gathers and counts; what it means is diagnosis.py's part. Pure.
"""

from __future__ import annotations

from typing import List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..protocol.errors import APIError
from .exchange import End, Exchange, Reading
from .timing import Timing, measure

# Two events nearer than this came in one go: no model writes 3,000 events a second, and a buffer that is let out does.
BURST_GAP_US = 300


class Attempt(NamedTuple):
    """An earlier attempt of the same call: what it ended with ("429", "reset")."""

    number: int
    ended: str


class Evidence(NamedTuple):
    """What the rules look at."""

    timing: Timing = Timing()
    status: Optional[int] = None  # None: no answer began
    is_stream: bool = False
    asked_stream: bool = False
    asked_usage: bool = False
    is_completion: bool = True
    end: Optional[End] = None
    error: Optional[APIError] = None
    flaw: str = ""
    arrivals_us: Sequence[int] = ()  # of each event, in order
    reads_of_events: Sequence[int] = ()  # which read completed it
    read_times_us: Sequence[int] = ()
    read_sizes_bytes: Sequence[int] = ()
    hidden_reasoning_tokens: int = 0
    suspects: Sequence[str] = ()  # headers that tell of something in between
    attempt: int = 1
    earlier: Sequence[Attempt] = ()
    lost_us: int = 0  # from the first attempt's sending to this one's
    next_number: int = 0  # the exchange that tried again
    next_after_us: int = 0  # from this one's sending to that one's


def gather(
    exchange: Exchange,
    siblings: Sequence[Exchange] = (),
    reading: Optional[Reading] = None,
    timing: Optional[Timing] = None,
) -> Evidence:
    """The evidence of one exchange. `siblings` are the attempts of the same call, this one among them or not."""
    reading = exchange.reading() if reading is None else reading
    timing = measure(exchange, reading) if timing is None else timing
    events = [step for step in reading.steps if step.event is not None]
    earlier = sorted((one for one in siblings if one.attempt < exchange.attempt), key=lambda one: one.attempt)
    after = min((one for one in siblings if one.attempt > exchange.attempt), key=lambda one: one.attempt, default=None)
    payload = exchange.payload if isinstance(exchange.payload, dict) else {}
    options = payload.get("stream_options")
    return Evidence(
        timing=timing,
        status=exchange.head.status if exchange.head else None,
        is_stream=exchange.is_stream,
        asked_stream=payload.get("stream") is True,
        asked_usage=isinstance(options, dict) and options.get("include_usage") is True,
        is_completion=exchange.path.endswith("/completions"),
        end=exchange.end,
        error=reading.error,
        flaw=reading.flaw,
        arrivals_us=[step.at_us for step in events],
        reads_of_events=[step.piece for step in events],
        read_times_us=[piece.at_us for piece in reading.pieces],
        read_sizes_bytes=[len(piece.data) for piece in exchange.pieces],
        hidden_reasoning_tokens=0 if timing.first_reasoning_us is not None else _reasoning_tokens(reading),
        suspects=_suspects(exchange),
        attempt=exchange.attempt,
        earlier=[Attempt(one.number, outcome_of(one)) for one in earlier],
        lost_us=max(exchange.start_us - earlier[0].start_us, 0) if earlier else 0,
        next_number=after.number if after else 0,
        next_after_us=max(after.start_us - exchange.start_us, 0) if after else 0,
    )


def outcome_of(exchange: Exchange) -> str:
    """In a word: "200", "429", "200, reset", "timeout", "open"."""
    words = [str(exchange.head.status)] if exchange.head else []
    if exchange.end is None:
        words.append("open")
    elif exchange.end.how != "eof" or not exchange.head:
        words.append(exchange.end.how.replace("_", " "))
    elif not exchange.end.whole:
        words.append("cut off")
    return ", ".join(words)


def _reasoning_tokens(reading: Reading) -> int:
    from ..protocol.cost import read_usage

    counts = read_usage(reading.reply.get("usage")) if reading.reply is not None else None
    return counts.reasoning if counts else 0


# Who tells of itself in the head of an answer: header -> the words to look for in it ("" takes any).
_IN_BETWEEN: Mapping[str, Tuple[str, ...]] = {
    "via": ("",),
    "server": ("nginx", "cloudflare", "envoy", "openresty", "caddy", "apache", "traefik"),
    "x-cache": ("",),
    "content-encoding": ("gzip", "br", "deflate", "zstd"),
}


def _suspects(exchange: Exchange) -> List[str]:
    headers: Mapping[str, str] = exchange.head.headers if exchange.head else {}
    return [
        f"{name}: {headers[name]}"
        for name, words in _IN_BETWEEN.items()
        if name in headers and any(word in headers[name].lower() for word in words)
    ]


class Burst(NamedTuple):
    """Events that came in one go."""

    at_us: int
    last_us: int
    events: int
    reads: int


def bursts(evidence: Evidence) -> List[Burst]:
    """The events of a stream, those together that came in one read or nearly at once."""
    found: List[Burst] = []
    last_read = -1
    for at_us, read in zip(evidence.arrivals_us, evidence.reads_of_events):
        if found and (read == last_read or at_us - found[-1].last_us <= BURST_GAP_US):
            before = found[-1]
            found[-1] = Burst(before.at_us, at_us, before.events + 1, before.reads + (read != last_read))
        else:
            found.append(Burst(at_us, at_us, 1, 1))
        last_read = read
    return found
