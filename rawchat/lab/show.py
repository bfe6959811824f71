"""`rawchat show FILE[#N]`: what a cassette holds, as a list; or one exchange with its message and its figures.

    #1 POST /chat/completions 429 rate limit 3ms, again after 0.5s
    #2 = #1 again, attempt 2: 200 stream ttft 412ms 87 events 3.1s stop 412→87 tok

    first byte 412 ms, first text 431 ms, 87 events in 80 reads, 27.9 tokens/s, longest gap 310 ms after 1.2 s, 3.1 s

Text goes to stdout. `--text`, `--json`, `--request` and `--raw` give one part alone, for a pipe. Explains nothing: that
is `explain`'s part.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from .cassette import Cassette, CassetteError, select, select_one
from .exchange import Exchange, head_bytes
from .summary import call_line, how_it_ended
from .terminal import printable, write_line
from .timing import Timing, duration, measure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE[#N]", help="a cassette, or one exchange of it")
    part = parser.add_mutually_exclusive_group()
    for name, (help_text, _) in PARTS.items():
        part.add_argument(f"--{name}", dest="part", action="store_const", const=name, help=help_text)


def run(options: argparse.Namespace) -> int:
    if options.part:
        _, write = PARTS[options.part]
        sys.stdout.flush()
        write(select_one(options.file))
        return 0
    cassette, exchange = select(options.file)
    for line in one_exchange(exchange) if exchange else listing(cassette):
        write_line(sys.stdout, printable(line))
    return 0


def listing(cassette: Cassette) -> Iterator[str]:
    """A line for each exchange, then what could not be read."""
    if not cassette.exchanges:
        yield "no exchange was recorded"
    for exchange in cassette.exchanges:
        yield call_line(exchange)
    for flaw in cassette.flaws:
        yield f"could not be read: {flaw}"


def one_exchange(exchange: Exchange) -> Iterator[str]:
    """Request, answer, message and figures."""
    timing = measure(exchange)
    yield call_line(exchange, timing)
    yield ""
    yield f"> {exchange.request.method} {exchange.target} HTTP/{exchange.http_version}"
    for name, value in exchange.request.headers:
        yield f"> {name}: {value}"
    yield ""
    yield from _readable(exchange.request.body)
    yield ""
    yield from _answer(exchange)
    yield ""
    yield from _figures(exchange, timing)


def _answer(exchange: Exchange) -> Iterator[str]:
    for _, interim in exchange.interim:
        yield f"< HTTP/{interim.http_version} {interim.status} {interim.reason}".rstrip()
    if exchange.head is None:
        yield f"no answer: {how_it_ended(exchange)}"
        return
    for line in head_bytes(exchange.head).decode("latin-1").split("\r\n"):
        if line:
            yield f"< {line}".rstrip()
    yield ""
    reply = exchange.reply()
    if not exchange.is_stream or reply is None:
        yield from _readable(exchange.body())
        return
    yield f"the message, put together from {len(exchange.steps())} events:"
    yield from json.dumps(reply, ensure_ascii=False, indent=2).split("\n")


def _readable(body: bytes) -> List[str]:
    """A body for people: JSON with indents, other text as it is, and the size of what is no text."""
    if not body:
        return []
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2).split("\n")
    except (ValueError, RecursionError):
        pass
    try:
        return body.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return [f"[{len(body):,} bytes that are no text]"]


def _figures(exchange: Exchange, timing: Timing) -> Iterator[str]:
    """The times in words, the notes, and what is wrong with the end."""
    words = [f"first byte {duration(timing.first_byte_us)}"] if timing.first_byte_us is not None else []
    marks = (("first reasoning", timing.first_reasoning_us), ("first text", timing.first_text_us))
    words += [f"{name} {duration(us)}" for name, us in marks if us is not None]
    if exchange.is_stream:
        words.append(f"{timing.events:,} events in {timing.reads:,} reads")
    if timing.tokens_per_s is not None:
        words.append(f"{timing.tokens_per_s:,.1f} tokens/s")
    if timing.longest_gap_us:
        words.append(f"longest gap {duration(timing.longest_gap_us)} after {duration(timing.longest_gap_from_us)}")
    words.append(f"in all {duration(timing.total_us)}")
    yield ", ".join(words)
    for note in exchange.notes:
        yield f"note: {note}"
    wrong = how_it_ended(exchange)
    if wrong:
        yield wrong
    if exchange.wait_s is not None:
        yield f"then a wait of {exchange.wait_s:.2f} s: {exchange.why}"


# --- one part alone --------------------------------------------------------------------------------------------------


def _write_bytes(data: bytes) -> None:
    out: Any = getattr(sys.stdout, "buffer", None)
    if out is None:
        sys.stdout.write(data.decode("utf-8", "replace"))
    else:
        out.write(data)
        out.flush()


def _write_text(exchange: Exchange) -> None:
    reply = _reply_of(exchange)
    write_line(sys.stdout, printable(reply.text) if sys.stdout.isatty() else reply.text)


def _write_json(exchange: Exchange) -> None:
    write_line(sys.stdout, json.dumps(_reply_of(exchange), ensure_ascii=False, indent=2))


def _reply_of(exchange: Exchange) -> Any:
    reply: Optional[Any] = exchange.reply()
    if reply is None:
        raise CassetteError(f"#{exchange.number} holds no answer to put together: {call_line(exchange)}")
    return reply


PARTS: Dict[str, Tuple[str, Callable[[Exchange], None]]] = {
    "text": ("print the text of the answer alone", _write_text),
    "json": ("print the answer as JSON, a stream put together", _write_json),
    "request": ("print the body of the request alone", lambda exchange: _write_bytes(exchange.request.body)),
    "raw": (
        "print the answer's bytes as they were recorded, head and framing included",
        lambda exchange: _write_bytes(
            (head_bytes(exchange.head) if exchange.head else b"") + b"".join(piece.data for piece in exchange.pieces)
        ),
    ),
}
