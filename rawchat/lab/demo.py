"""The demonstration: one question, streamed over TCP through a retried 429, and what it cost. Needs nothing set up.

    Nothing is set up, so a practice server inside this program answers: http://127.0.0.1:43211/v1
    > What is a token, and why do I pay for it?
    429 rate limit, the server asks for 1 s; trying again in 1.0 s (2 of 3)
    A token is ...                                   as it comes
    Total cost: $0.000024

Where a server or a key is given, that server is asked instead, and no fault is put in its way. It is an ordinary
program over `Client`: nothing in it is staged but the server's one refusal.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Iterator, Mapping, NamedTuple, Optional, TextIO

from ..client import Client
from ..protocol.errors import APIError
from ..protocol.tracker import CostTracker
from ..transport.base import Transport
from .terminal import is_terminal, printable
from .trace import RetryNotice

QUESTION = "What is a token, and why do I pay for it? Three sentences will do."
MODEL = "gpt-4o-mini"
# The server refuses the first request with a 429 and Retry-After: 1, then answers; the fault stands in its base_url.
FAULT = "429x1"
PACE_MS = 30.0  # between two pieces: about as fast as a hosted model writes
MAX_RETRIES = 2

NEXT = (
    ('chat --practice -v "What is a stream?"', "the same, with every line that crosses the wire"),
    ("practice", "such a server for any client in any language, with faults to choose from"),
    (f"price {MODEL} 1000 500", "what a call costs before you make it"),
)


class Server(NamedTuple):
    """Where to ask: arguments for Client, and a line that says so."""

    arguments: Mapping[str, Any]
    says: str


def demonstrate(
    given: Mapping[str, Any],
    *,
    model: Optional[str] = None,
    command: str = "rawchat",
    out: Optional[TextIO] = None,
    pace_ms: float = PACE_MS,
    transport: Optional[Transport] = None,
) -> None:
    """Asks, streams, and prints the bill to `out` (standard output).

    `given` are arguments of Client (`api_key`, `base_url`, ...): with either of these two, that server is asked.
    `command` is how the suggestions at the end begin; `transport` is the client's. Raises the client's errors.
    """
    out = sys.stdout if out is None else out
    tracker = CostTracker()
    with _server(given, pace_ms) as server:
        notice = RetryNotice(out, MAX_RETRIES)
        with Client(
            **server.arguments,
            max_retries=MAX_RETRIES,
            cost_tracker=tracker,
            listeners=[notice],
            transport=transport,
        ) as client:
            print(f"{server.says}: {client.base_url}", file=out)
            print(f"\n> {QUESTION}", file=out, flush=True)
            _stream_answer(client, model or _offered_model(client, given), out)
    print(f"\n{tracker.report()}", file=out)
    print("\nNext:", file=out)
    for arguments, does in NEXT:
        print(f"  {command} {arguments}\n      {does}", file=out)


@contextlib.contextmanager
def _server(given: Mapping[str, Any], pace_ms: float) -> Iterator[Server]:
    if given.get("base_url") or given.get("api_key"):
        yield Server(given, "A server or a key is set up, so that server answers")
        return
    from .practice import PracticeServer  # at first use: a server of one's own needs none of it

    with PracticeServer(pace_ms=pace_ms, quiet=True) as practice:
        base_url = f"{practice.root}/fault/{FAULT}/v1"
        says = "Nothing is set up, so a practice server inside this program answers,\nat first with a 429"
        yield Server({"base_url": base_url, "api_key": "sk-practice"}, says)


def _offered_model(client: Client, given: Mapping[str, Any]) -> str:
    """gpt-4o-mini, or the first that a server of one's own offers where it does not have that."""
    if not given.get("base_url"):
        return MODEL
    try:
        names = [str(one["id"]) for one in client.models()["data"]]
    except (APIError, KeyError, TypeError):
        return MODEL  # no list of models is no reason not to ask; the server will say if it does not know this one
    return MODEL if MODEL in names or not names else names[0]


def _stream_answer(client: Client, model: str, out: TextIO) -> None:
    clean = printable if is_terminal(out) else str
    try:
        with client.stream(QUESTION, model=model) as stream:
            for text in stream:
                out.write(clean(text))
                out.flush()
    finally:
        out.write("\n")
