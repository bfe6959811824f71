"""From exchanges to what the report's page shows of them: plain dicts and lists, ready to become JSON.

    view(exchange)["marks"]      [["head", "head", 412000], ["first_text", "first text", 431000], ...]
    view(exchange)["steps"]      [[431000, 0, "text", "Sal", "{\\"id\\":\\"c1\\",...}"], ...]
    view(exchange)["diagnosis"]  {"level": "good", "findings": [["fine", "good", "All is well: ...", ""]]}

The page computes nothing but places on the screen: figures, kinds, cost and diagnosis are made here, for the file and
for the live page alike. Long lists are lists of lists, for 10,000 events are usual. Pure; escapes nothing (report.py
does, when it writes the page).
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..protocol.cost import cost_of, read_usage, response_cost_usd
from ..protocol.problem import find_error
from ..protocol.redact import redact_header, redact_text
from ..protocol.reply import Reply
from ..protocol.wire import HeaderPairs
from .diagnosis import diagnose
from .evidence import gather, outcome_of
from .exchange import ENDS, Exchange, Piece, Reading, Step, bytes_record
from .timing import Timing, measure

Document = Dict[str, Any]

# What is marked on the time axis: a figure of Timing, and its label. In the order in which they usually come.
MARKS: Mapping[str, str] = {
    "head_us": "head",
    "first_event_us": "first event",
    "first_reasoning_us": "first reasoning",
    "first_text_us": "first text",
    "finish_us": "finish",
    "usage_us": "usage",
    "done_us": "[DONE]",
}
# Upper ends of the histogram's bins, and what stands beside them. Steps of 1, 2, 5: even on a scale of magnitudes.
GAP_BINS_MS = (0.3, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_REASONING = ("reasoning_content", "reasoning")
_TOKENS: Mapping[str, str] = {
    "prompt": "prompt",
    "cached": "cached, of prompt",
    "cache_write": "written to cache, of prompt",
    "audio_in": "audio, of prompt",
    "completion": "completion",
    "reasoning": "reasoning, of completion",
    "audio_out": "audio, of completion",
    "total": "total",
}


def view(exchange: Exchange, siblings: Sequence[Exchange] = (), run: int = 0) -> Document:
    """All that the page shows of one exchange. `siblings` are the attempts of its call; `run` counts the files."""
    reading = exchange.reading()
    timing = measure(exchange, reading)
    found = diagnose(gather(exchange, siblings, reading, timing))
    return {
        "id": f"{run}:{exchange.number}",
        "run": run,
        "number": exchange.number,
        "call": exchange.call,
        "attempt": exchange.attempt,
        "source": exchange.source,
        "layer": exchange.layer,
        "started_at": exchange.started_at,
        "start_us": exchange.start_us,
        "outcome": outcome_of(exchange),
        "model": exchange.model,
        "path": exchange.path,
        "stream": exchange.is_stream,
        "request": _request(exchange),
        "head": _head(exchange),
        "interim": [[at_us, head.status, head.reason] for at_us, head in exchange.interim],
        "reads": [[piece.at_us, *_compact(piece.data)] for piece in exchange.pieces],
        "steps": _steps(exchange, reading),
        "body": None if exchange.is_stream else bytes_record(exchange.body()),
        "end": _end(exchange),
        "wait_s": exchange.wait_s,
        "why": exchange.why,
        "notes": exchange.notes,
        "flaw": reading.flaw,
        "timing": {**timing._asdict(), "total_us": timing.total_us, "tokens_per_s": timing.tokens_per_s},
        "marks": _marks(timing),
        "gaps": _gap_histogram(exchange, reading),
        # As text: numbers stay as long as they are, and a NaN, which is no JSON for a browser, spoils nothing.
        "reply": None if reading.reply is None else json.dumps(reading.reply, ensure_ascii=False),
        "texts": [] if exchange.is_stream else _texts(reading.reply),
        "billed_model": _billed_model(exchange, reading.reply),
        "usage": _usage(reading.reply),
        "cost_usd": None if reading.reply is None else response_cost_usd(reading.reply, model=exchange.model),
        "cost_reported": reading.reply is not None and cost_of(reading.reply.get("usage"), None) is not None,
        "diagnosis": {"level": found.level, "findings": [list(finding) for finding in found.findings]},
    }


def views(exchanges: Sequence[Exchange], run: int = 0) -> List[Document]:
    """The views of a whole recording, each exchange with the other attempts of its call."""
    calls: Dict[int, List[Exchange]] = {}
    for exchange in exchanges:
        calls.setdefault(exchange.call, []).append(exchange)
    return [view(exchange, calls[exchange.call], run) for exchange in exchanges]


def _request(exchange: Exchange) -> Document:
    request = exchange.request
    body = bytes_record(request.body)
    if "text" in body:
        body = {"text": redact_text(body["text"])}
    return {
        "line": f"{request.method} {redact_text(exchange.target)} HTTP/{exchange.http_version}",
        "method": request.method,
        "url": redact_text(request.url),
        "headers": _headers(request.headers),
        "body": body,
        "size_bytes": len(request.body),
        "whole": exchange.request_whole,
    }


def _headers(pairs: HeaderPairs) -> List[List[str]]:
    """Header pairs. A cassette's secrets are marks already; those of a file that somebody else wrote may not be."""
    return [[name, value if "<key:" in value else redact_header(name, value)] for name, value in pairs]


def _head(exchange: Exchange) -> Optional[Document]:
    head = exchange.head
    if head is None:
        return None
    return {
        "line": f"HTTP/{head.http_version} {head.status} {head.reason}".rstrip(),
        "status": head.status,
        "headers": _headers(head.headers.pairs),
        "reused": head.reused,
        "at_us": exchange.head_us,
    }


def _end(exchange: Exchange) -> Optional[Document]:
    end = exchange.end
    return None if end is None else {**end._asdict(), "says": ENDS.get(end.how, end.how)}


def _compact(data: bytes) -> Tuple[Any, ...]:
    """`("text",)`, or `(None, "base64")` for bytes that are no text."""
    record = bytes_record(data)
    return (record["text"],) if "text" in record else (None, record["base64"])


def _steps(exchange: Exchange, reading: Reading) -> List[List[Any]]:
    """Time, number of the read as it stands in `reads`, kind, the text that the kind is about, the event's data."""
    places = _read_numbers(exchange.pieces, reading.pieces)
    last = max(len(exchange.pieces) - 1, 0)
    found = []
    for step in reading.steps:
        kind, text = _kind_of(step)
        place = places[step.piece] if step.piece < len(places) else last
        found.append([step.at_us, place, kind, text, step.event.data if step.event is not None else ""])
    return found


def _read_numbers(reads: Sequence[Piece], pieces: Sequence[Piece]) -> List[int]:
    """Which read each piece of the body came from: some reads hold framing only, and none are left of those."""
    found: List[int] = []
    place = 0
    for piece in pieces:
        while place < len(reads) - 1 and not _may_hold(reads[place], piece):
            place += 1
        found.append(place)
        place += 1
    return found


def _may_hold(read: Piece, piece: Piece) -> bool:
    # Two reads in one microsecond are told apart by their bytes, unless these are compressed.
    return read.at_us == piece.at_us and (len(read.data) >= len(piece.data) or read.data.startswith(b"\x1f\x8b"))


def _kind_of(step: Step) -> Tuple[str, str]:
    """What an event brought, in a word, and the text of it. One that brings several things is named by the first."""
    if step.chunk is None:
        return _kind_without_chunk(step)
    choices = [choice for choice in _list(step.chunk.get("choices")) if isinstance(choice, dict)]
    deltas = [choice["delta"] for choice in choices if isinstance(choice.get("delta"), dict)]
    reasoning = "".join(_first_text(delta, _REASONING) for delta in deltas)
    calls = "".join(_call_text(delta) for delta in deltas)
    finishes = [str(choice["finish_reason"]) for choice in choices if choice.get("finish_reason")]
    kinds = (
        ("text", step.text),
        ("reasoning", reasoning),
        ("tool", calls),
        ("finish", ", ".join(finishes)),
        ("usage", "" if not step.chunk.get("usage") else "usage"),
        ("role", ", ".join(str(delta["role"]) for delta in deltas if delta.get("role"))),
    )
    return next(((kind, text) for kind, text in kinds if text), ("other", ""))


def _kind_without_chunk(step: Step) -> Tuple[str, str]:
    if step.text:
        return "text", step.text  # held back until the end, or a whole answer in place of a stream
    data = step.event.data if step.event is not None else ""
    if data.startswith("[DONE]"):
        return "done", ""
    try:
        return ("other", "") if find_error(json.loads(data)) is None else ("error", "")
    except (ValueError, RecursionError):
        return "other", ""


def _list(value: Any) -> List[Any]:
    return value if isinstance(value, list) else []


def _first_text(delta: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(delta[name]) for name in names if delta.get(name)), "")


def _call_text(delta: Mapping[str, Any]) -> str:
    functions = [call.get("function") for call in _list(delta.get("tool_calls")) if isinstance(call, dict)]
    parts = [(one.get("name"), one.get("arguments")) for one in functions if isinstance(one, dict)]
    return "".join(f"{name}(" * bool(name) + str(arguments or "") for name, arguments in parts)


def _marks(timing: Timing) -> List[List[Any]]:
    """Label and time of what is marked on the axis. First things that came in one read are one mark each, still."""
    found = [[name[:-3], label, getattr(timing, name)] for name, label in MARKS.items()]
    return [mark for mark in found if mark[2] is not None]


def _gap_histogram(exchange: Exchange, reading: Reading) -> Document:
    """How many gaps between two events (of an answer that is no stream: two reads) fall into each bin."""
    events = [step.at_us for step in reading.steps if step.event is not None]
    times = events or [piece.at_us for piece in exchange.pieces]
    counts = [0] * (len(GAP_BINS_MS) + 1)
    for earlier, later in zip(times, times[1:]):
        gap_ms = (later - earlier) / 1000
        counts[sum(gap_ms >= end_ms for end_ms in GAP_BINS_MS)] += 1
    return {"between": "events" if events else "reads", "ends_ms": list(GAP_BINS_MS), "counts": counts}


def _texts(reply: Optional[Reply]) -> List[str]:
    """The texts of a whole answer, one a choice."""
    return [] if reply is None or not isinstance(reply.get("choices"), list) else [text for text in reply.texts if text]


def _billed_model(exchange: Exchange, reply: Optional[Reply]) -> str:
    answered = reply.get("model") if reply is not None else None
    return answered if isinstance(answered, str) and answered else exchange.model


def _usage(reply: Optional[Reply]) -> Optional[List[List[Any]]]:
    """Rows of label and count; None where no usage came."""
    counts = read_usage(reply.get("usage")) if reply is not None else None
    if counts is None:
        return None
    always = ("prompt", "completion", "total")
    return [[label, getattr(counts, n)] for n, label in _TOKENS.items() if n in always or getattr(counts, n)]
