r"""`rawchat explain FILE#N`: an exchange line by line, each run of bytes with the rule that consumes it.

    +412 ms, read 1: 251 bytes
      f6\r\n                            chunk size: 246 bytes follow  (RFC 9112 section 7.1)
      data: {"id":"c1","object":"cha…   data: a line of the event's data  (WHATWG HTML section 9.2.6)
      \n                                blank line: the event is complete and goes out
                                        event 2: text + "Hel", 3 characters so far
      \r\n                              chunk end

For learners. The bytes come from dissect.py, what a chunk changed from changes.py, the words from explain_words.py;
here is only the order and the layout. Long streams are folded in the middle unless all is asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Iterable, Iterator, List, Mapping, NamedTuple, Optional, TextIO

from ..protocol.problem import find_error
from ..protocol.wire import HeaderPairs
from .cassette import select
from .changes import Changes, shown
from .dissect import SPACE_DROPPED, Run, dissect
from .exchange import BODY, ENDS, Exchange
from .explain_words import PARAMETERS, REQUEST_HEADERS, RESPONSE_HEADERS, ROLES
from .summary import call_line, how_it_ended
from .terminal import columns_of, cut, fold, is_terminal, printable, terminal_columns, write_line
from .timing import duration

FOLD_AFTER_EVENTS = 8  # enough for role, some text, and the eye to see the pattern
LAST_EVENTS = 4  # finish, usage, [DONE] and the text before them
_MOST_LEFT_COLUMNS = 56
_FILE_COLUMNS = 120  # a file and a pipe have no width of their own
_NARROW_COLUMNS = 84  # below this the words stand under the bytes, not beside them


class Line(NamedTuple):
    """One line of the explanation: bytes as text, and words. Either may be empty. `heading` stands alone."""

    seen: str = ""
    words: str = ""
    heading: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE[#N]", help="a cassette, or one exchange of it")
    parser.add_argument("--all", action="store_true", help="fold nothing: every event, every byte")


def run(options: argparse.Namespace) -> int:
    cassette, exchange = select(options.file)
    for number, one in enumerate([exchange] if exchange else cassette.exchanges):
        if number:
            print()
        tell(explain(one, everything=options.all), sys.stdout, full=options.all)
    return 0


def explain(exchange: Exchange, *, everything: bool = False) -> Iterator[Line]:
    """All lines for one exchange."""
    yield Line(call_line(exchange), heading=True)
    yield Line()
    yield from _request(exchange)
    yield Line()
    yield from _head(exchange)
    yield from _body(exchange, everything)
    yield Line()
    yield from _ending(exchange)


def tell(lines: Iterable[Line], out: TextIO, *, full: bool = False) -> None:
    """Prints them in two columns as wide as `out` is, or one under the other where it is narrow."""
    columns = terminal_columns(out) if is_terminal(out) else _FILE_COLUMNS
    left = min(_MOST_LEFT_COLUMNS, columns * 2 // 5)
    before = ""
    for line in lines:
        line = line._replace(seen=printable(line.seen, keep=""), words=printable(line.words, keep=""))
        for text in _laid_out(line, before, left, columns, full):
            write_line(out, text.rstrip())
        if line.seen.startswith("data:"):  # chunks are alike: the next one shows where it differs
            before = line.seen


def _laid_out(line: Line, before: str, left: int, columns: int, full: bool) -> List[str]:
    import textwrap

    seen, words = line.seen, line.words
    if line.heading or not (seen or words):
        return [seen]
    if full and columns_of(seen) > left:  # nothing is cut: the bytes take as many lines as they need
        return [
            f"  {seen}",
            *textwrap.wrap(words, max(columns - 6, 30), initial_indent=" " * 6, subsequent_indent=" " * 6),
        ]
    room = (left if columns >= _NARROW_COLUMNS else columns) - 2
    seen = cut(fold(seen, before, room) if seen.startswith("data:") else seen, room)
    if columns < _NARROW_COLUMNS:
        indent = "      " if seen else "    "
        told = textwrap.wrap(words, max(columns - 6, 30), initial_indent=indent, subsequent_indent=indent)
        return [f"  {seen}", *told] if seen else told
    wrapped = textwrap.wrap(words, columns - left - 2) or [""]
    first = f"  {seen}{' ' * (left - columns_of(seen))}{wrapped[0]}"
    return [first, *(" " * (left + 2) + more for more in wrapped[1:])]


# --- the request -----------------------------------------------------------------------------------------------------


def _request(exchange: Exchange) -> Iterator[Line]:
    yield Line(f"The request, to {exchange.request.url}", heading=True)
    method, target = exchange.request.method, exchange.target
    yield Line(f"{method} {target} HTTP/{exchange.http_version}", "method, target and version  (RFC 9112 section 3)")
    yield from _headers(exchange.request.headers, REQUEST_HEADERS)
    if not exchange.request.body:
        return
    yield Line("", "a blank line ends the head; the body follows")
    payload = exchange.payload
    if isinstance(payload, dict):
        for name, value in payload.items():
            yield from _parameter(name, value)
    else:
        text = exchange.request.body.decode("utf-8", "backslashreplace")
        yield Line(text, f"{len(exchange.request.body):,} bytes that are no JSON object")
    if not exchange.request_whole:
        yield Line("", "the client stopped in the middle of its body")


def _headers(pairs: HeaderPairs, words: Mapping[str, str]) -> Iterator[Line]:
    for name, value in pairs:
        yield Line(f"{name}: {value}", words.get(name.lower(), ""))


def _parameter(name: str, value: Any) -> Iterator[Line]:
    words = PARAMETERS.get(name, "not a parameter of the API reference: an extension, or a slip")
    if name != "messages" or not isinstance(value, list):
        yield Line(f'"{name}": {json.dumps(value, ensure_ascii=False)}', words)
        return
    yield Line(f'"messages": {len(value)} of them', words)
    for message in value:
        role = message.get("role") if isinstance(message, dict) else None
        yield Line(f"  {json.dumps(message, ensure_ascii=False)}", ROLES.get(role or "", "a role of its own"))


# --- the answer ------------------------------------------------------------------------------------------------------


def _head(exchange: Exchange) -> Iterator[Line]:
    for at_us, interim in exchange.interim:
        yield Line(f"HTTP/{interim.http_version} {interim.status}", f"an interim answer after {duration(at_us)}")
    head = exchange.head
    if head is None:
        return
    yield Line(f"The answer, after {duration(exchange.head_us)}", heading=True)
    yield Line(f"HTTP/{head.http_version} {head.status} {head.reason}", _status_words(exchange))
    yield from _headers(head.headers.pairs, RESPONSE_HEADERS)
    if exchange.layer == BODY:
        yield Line("", "recorded inside the library: chunk sizes and compression were already undone")


def _status_words(exchange: Exchange) -> str:
    assert exchange.head is not None
    if exchange.head.status < 300:
        return "success; what it is worth, the body says"
    error = exchange.error()
    return str(error) if error is not None else ""


def _body(exchange: Exchange, everything: bool) -> Iterator[Line]:
    runs = dissect(exchange)
    steps = [step for step in exchange.steps() if step.event is not None]
    changes = Changes()
    told = [changes.of(step.chunk) if step.chunk is not None else _no_chunk(step.event) for step in steps]
    hidden = range(0) if everything or len(told) <= FOLD_AFTER_EVENTS + LAST_EVENTS else _folded(len(told))
    sources: List[str] = []
    read, event = 0, 1
    sizes = {number: len(piece.data) for number, piece in enumerate(exchange.pieces, start=1)}
    for one in runs:
        if event not in hidden:
            if one.read != read:
                read = one.read
                yield Line()
                yield Line(f"+{duration(one.at_us)}, read {read}: {sizes[read]:,} bytes", heading=True)
            yield Line(one.data.decode("utf-8", "backslashreplace"), _run_words(one, sources))
            for words in told[one.event - 1] if one.event and one.event <= len(told) else []:
                yield Line("", f"event {one.event}: {words}")
        if one.event:
            event = one.event + 1
            if event == hidden.stop and hidden:
                yield Line()
                yield Line(f"... {len(hidden)} events of the same kind; --all shows them ...", heading=True)


def _folded(count: int) -> range:
    """The numbers of the events in the middle, from 1."""
    return range(FOLD_AFTER_EVENTS + 1, count - LAST_EVENTS + 1)


def _run_words(one: Run, sources: List[str]) -> str:
    """What a run is; the place of its rule and the finer points the first time it is met."""
    words = f"{one.kind}: {one.note}" if one.note else one.kind
    name = f"{one.kind} {one.source}"
    if name in sources:
        return words.replace(SPACE_DROPPED, "")
    if one.source:
        sources.append(name)
        words += f"  ({one.source})"
    return words


def _no_chunk(event: Any) -> List[str]:
    if event.data.strip().startswith("[DONE]"):
        return ["[DONE]: the stream is over, as OpenAI says it"]
    try:
        error = find_error(json.loads(event.data))
    except (ValueError, RecursionError):
        return [f"no chunk, and no JSON: {shown(event.data)}"]
    return [f"an error: {shown(error)}" if error is not None else f"no chunk: {cut(event.data, 60)}"]


def _ending(exchange: Exchange) -> Iterator[Line]:
    end = exchange.end
    yield Line("The end", heading=True)
    if end is None:
        yield Line("", "no end was recorded: the recorder itself was stopped")
    else:
        detail = f" ({end.detail})" if end.detail else ""
        yield Line(f"+{duration(end.at_us)}", f"{end.how}: {ENDS.get(end.how, 'unknown')}{detail}")
    wrong = how_it_ended(exchange)
    if wrong:
        yield Line("", wrong)
    reply = exchange.reply()
    if reply is not None and reply.get("choices"):
        yield from _message(reply.text, reply.finish_reason, complete=reply.complete)
    if exchange.wait_s is not None:
        yield Line("", f"then the client waited {exchange.wait_s:.2f} s for the next attempt: {exchange.why}")


def _message(text: str, finish_reason: Optional[str], *, complete: bool) -> Iterator[Line]:
    state = "the message, complete" if complete else "the message, as far as it came"
    yield Line(text, f"{state}: {len(text):,} characters, finish_reason {finish_reason or 'none'}")
