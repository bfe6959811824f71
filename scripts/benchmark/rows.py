"""The table of scripts/bench: every figure, whose it is, and the ratio to reach. Data only.

    Row("call", "CPU of one warm call", "us", ..., targets=(Target("rawchat+requests", "openai", 0.50), ...))

A target is a ratio to somebody measured in the same rounds; never a number of seconds, which is the machine's.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Tuple

CHUNKS = 20_000  # of a long stream
PACED_CHUNKS = 150  # of a stream whose chunks come PACE_S apart
PACE_S = 0.003
TICKED_CHUNKS = 100  # of each of many streams at once, TICK_S apart
TICK_S = 0.005
STREAMS_AT_ONCE = 200
CALLS = 300  # in one round of warm calls
STREAMS_IN_TURN = 5


class Target(NamedTuple):
    """`ours` at most `at_most` times `beside`; without `beside`, at most `at_most` of the row's own unit."""

    ours: str
    beside: str
    at_most: float


class Row(NamedTuple):
    """One figure. `measure` is a name in worker.py; `variants` are answers of the stub server, measured one by one.

    `fresh`: every round in a new process; else each way keeps its process, warmed up, and a round is run in each by
    turns. `amount` is how many calls, chunks or streams a round is made of. Ways come in the order of measuring.
    """

    name: str
    title: str
    unit: str
    measure: str
    variants: Tuple[str, ...]
    ways: Tuple[str, ...]
    targets: Tuple[Target, ...]
    rounds: int
    quick_rounds: int
    amount: int = 1
    fresh: bool = False


# What a way is, for those who read the table.
WAYS: Dict[str, str] = {
    "openai": "the openai package, OpenAI()",
    "AsyncOpenAI": "the openai package, AsyncOpenAI()",
    "requests": "requests.post(...), as tutorials write it",
    "Session": "the same over one requests.Session",
    "httpx": "one httpx.Client; streams by httpx-sse",
    "http.client": "the standard library by hand, one connection",
    "socket": "a bare socket and json.loads: the floor",
    "rawchat": "`import rawchat`",
    "Client": "`from rawchat import Client`",
    "rawchat+requests": 'rawchat.Client(transport="requests"), the default',
    "rawchat+stdlib": 'rawchat.Client(transport="stdlib")',
    "AsyncClient": "rawchat.AsyncClient()",
}
OURS = ("rawchat", "Client", "rawchat+requests", "rawchat+stdlib", "AsyncClient")
CLIENTS = ("rawchat+requests", "rawchat+stdlib")
PEERS = ("openai", "httpx", "requests", "Session", "http.client")
FRAMINGS = ("chunked", "to the close")


def _both(beside: str, requests: float, stdlib: Optional[float] = None) -> Tuple[Target, ...]:
    """One ratio for both doors, or one for each."""
    doors = zip(CLIENTS, (requests, requests if stdlib is None else stdlib))
    return tuple(Target(door, beside, at_most) for door, at_most in doors)


ROWS: Tuple[Row, ...] = (
    Row(
        name="import",
        title="importing, CPU",
        unit="ms",
        measure="import_cpu",
        variants=("whole",),
        ways=("openai", "httpx", "requests", "http.client", "rawchat", "Client"),
        targets=(Target("rawchat", "openai", 0.05), Target("Client", "openai", 0.05)),
        rounds=11,
        quick_rounds=3,
        fresh=True,
    ),
    Row(
        name="first",
        title="from import to the first answer, wall",
        unit="ms",
        measure="first_answer_wall",
        variants=("whole",),
        ways=("openai", "httpx", "requests", "http.client", *CLIENTS),
        targets=_both("openai", 0.22, 0.09),
        rounds=11,
        quick_rounds=3,
        fresh=True,
    ),
    Row(
        name="call",
        title="one warm call, CPU",
        unit="us",
        measure="call_cpu",
        variants=("whole",),
        ways=(*PEERS, "socket", *CLIENTS),
        targets=_both("openai", 0.50, 0.16),
        rounds=9,
        quick_rounds=3,
        amount=CALLS,
    ),
    Row(
        name="chunk",
        title=f"one of {CHUNKS:,} streamed chunks, CPU",
        unit="us",
        measure="chunk_cpu",
        # OpenAI's own servers pad every chunk with a random string, so that its length does not tell its text.
        variants=(*FRAMINGS, "obfuscated"),
        ways=("openai", "httpx", "requests", "http.client", "socket", *CLIENTS),
        targets=_both("openai", 0.06) + _both("socket", 1.5),
        rounds=7,
        quick_rounds=3,
        amount=CHUNKS,
    ),
    Row(
        name="delay",
        title="delay added to a chunk, median",
        unit="ms",
        measure="chunk_delay",
        variants=("paced, chunked", "paced, to the close"),
        ways=("openai", "httpx", "requests", "http.client", "socket", *CLIENTS),
        targets=_both("socket", 1.5),
        rounds=9,
        quick_rounds=3,
        amount=PACED_CHUNKS,
    ),
    Row(
        name="streams",
        title=f"{STREAMS_AT_ONCE} streams at once, wall",
        unit="s",
        measure="streams_wall",
        variants=("ticked",),
        ways=("openai", "AsyncOpenAI", "socket", *CLIENTS, "AsyncClient"),
        targets=(*_both("openai", 0.40), Target("AsyncClient", "AsyncOpenAI", 0.40)),
        rounds=7,
        quick_rounds=3,
        amount=STREAMS_AT_ONCE,
    ),
    Row(
        name="memory",
        title="memory after one call",
        unit="MB",
        measure="memory_after_one_call",
        variants=("whole",),
        ways=("openai", "httpx", "requests", "http.client", *CLIENTS),
        targets=_both("openai", 0.55, 0.36),
        rounds=5,
        quick_rounds=3,
        fresh=True,
    ),
    Row(
        name="growth",
        title=f"growth over {CHUNKS:,} chunks that are not kept, the text aside",
        unit="kB",
        measure="growth",
        variants=("chunked",),
        ways=("openai", "httpx", "requests", *CLIENTS),
        # "None": what a stream object and its connection hold, whatever the length of the stream.
        targets=tuple(Target(door, "", 64) for door in CLIENTS),
        rounds=3,
        quick_rounds=1,
        amount=CHUNKS,
    ),
    Row(
        name="connections",
        title=f"connections for {STREAMS_IN_TURN} streams read to the end",
        unit="",
        measure="connections",
        variants=("short",),
        ways=("openai", "httpx", "requests", *CLIENTS),
        targets=tuple(Target(door, "", 1) for door in CLIENTS),
        rounds=1,
        quick_rounds=1,
        amount=STREAMS_IN_TURN,
    ),
)


def row_named(name: str) -> Row:
    """Raises KeyError."""
    return {row.name: row for row in ROWS}[name]
