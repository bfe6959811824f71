"""What people see of a tap: a line a call when it ends, and each event, byte or request where that is asked for.

    #3 POST /chat/completions 200 stream ttft 412ms 87 events 3.1s stop 412→87 tok
    #4 POST /chat/completions 429 rate limit 12ms
       rate_limit_exceeded: Rate limit reached for requests per minute
    #5 = #4 again, attempt 2, after 0.52 s
    #5 = #4 again, attempt 2: 200 stream ttft 40ms 3 events 210ms cut off: the connection was reset

A sink of records (recording.py): what it shows has been through the Hider. Prints whole lines, to stderr as a rule, so
that the output of the tapped command stays its own. Moves no byte and judges nobody.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, TextIO, Tuple

from ..protocol.errors import APIError
from ..protocol.sse import SSEDecoder
from ..transport.http1 import HTTP_FAILURES, ResponseReader
from .exchange import Exchange, head_bytes
from .summary import CONTENT, call_line, how_it_ended
from .terminal import columns_of, cut, fold, is_terminal, printable, terminal_columns, wants_color, write_line
from .timing import duration

_PLAIN, _GOOD, _BAD, _LINK, _FAINT = "", "32", "31", "33", "2"
_BINARY_SHOWN_BYTES = 32
MOST_REMARK_COLUMNS = 200


class Screen:
    """Prints what happens.

    events    each event with the time since the sending and since the event before it
    raw       each run of bytes, both ways
    requests  each request in full: the dry run's
    """

    def __init__(
        self, out: TextIO, *, show_events: bool = False, show_raw: bool = False, show_requests: bool = False
    ) -> None:
        self._out = out
        self._show_events = show_events
        self._show_raw = show_raw
        self._show_requests = show_requests
        self._open: Dict[int, Exchange] = {}
        self._live: Dict[int, LiveEvents] = {}
        self._call_of: Dict[int, int] = {}
        self._waited_s: Dict[int, float] = {}  # by the number of the call
        self._lock = threading.Lock()
        self.calls = 0

    def __call__(self, record: Mapping[str, Any]) -> None:
        show = _SHOWN.get(record.get("event", ""))
        if show is None:
            return
        with self._lock:
            if record["event"] == "request":
                self._open[record["id"]] = Exchange(record["id"])
            exchange = self._open.get(record["id"])
            if exchange is not None:
                exchange.apply(record)
                show(self, exchange, record)
            elif record["event"] == "wait":
                self._waited_s[self._call_of[record["id"]]] = record["wait_s"]

    def say(self, text: str) -> None:
        """A line of the tap's own."""
        with self._lock:
            self._line(printable(text))

    # One kind of record each

    def _request(self, exchange: Exchange, record: Mapping[str, Any]) -> None:
        self.calls += 1
        self._call_of[exchange.number] = exchange.call
        if exchange.attempt > 1 and exchange.call != exchange.number:
            waited_s = self._waited_s.pop(exchange.call, None)
            after = "" if waited_s is None else f", after {waited_s:.2f} s"
            self._line(f"#{exchange.number} = #{exchange.call} again, attempt {exchange.attempt}{after}", _LINK)
        if self._show_requests:
            for line in request_lines(exchange):
                self._line(line)
        if self._show_raw:
            start = f"{exchange.request.method} {exchange.target} HTTP/{exchange.http_version}"
            pairs = [f"{name}: {value}" for name, value in exchange.request.headers]
            self._raw(exchange, ">", "\r\n".join([start, *pairs, "", ""]).encode("latin-1", "replace"))
            if exchange.request.body:
                self._raw(exchange, ">", exchange.request.body)

    def _head(self, exchange: Exchange, record: Mapping[str, Any]) -> None:
        head = exchange.head
        assert head is not None
        if self._show_events:
            kind = head.headers.get("content-type", "no Content-Type")
            self._line(f"#{exchange.number} {duration(record['t_us']):>8}  {head.status} {printable(kind)}", _FAINT)
            self._live[exchange.number] = LiveEvents(exchange.request.method, head_bytes(head), record["t_us"])
        if self._show_raw:
            self._raw(exchange, "<", head_bytes(head), record["t_us"])

    def _read(self, exchange: Exchange, record: Mapping[str, Any]) -> None:
        data = exchange.pieces[-1].data
        live = self._live.get(exchange.number)
        if live is not None and exchange.is_stream:
            for at_us, gap_us, text in live.feed(data, record["t_us"]):
                start = f"#{exchange.number} {duration(at_us):>8} {'+' + duration(gap_us):>9}  "
                shown = printable(text, keep="\t")
                room = self._columns() - len(start)
                if is_terminal(self._out):
                    shown = cut(fold(shown, live.before, max(room, 20)), max(room - 1, 20))
                live.before = printable(text, keep="\t")
                self._line(start + shown)
        if self._show_raw:
            self._raw(exchange, "<", data, record["t_us"])

    def _note(self, exchange: Exchange, record: Mapping[str, Any]) -> None:
        if self._show_events or self._show_raw or record["text"].startswith(("fault", "the practice server would")):
            self._line(f"#{exchange.number} {printable(record['text'])}", _FAINT)

    def _end(self, exchange: Exchange, record: Mapping[str, Any]) -> None:
        del self._open[exchange.number]
        self._live.pop(exchange.number, None)
        well = exchange.head is not None and exchange.head.status < 400 and how_it_ended(exchange) in ("", CONTENT)
        line = printable(call_line(exchange))
        self._line(line, _GOOD if well else _BAD)
        for remark in remarks(exchange):
            if remark not in line:
                self._line(f"   {remark}")

    # Lines

    def _raw(self, exchange: Exchange, side: str, data: bytes, at_us: Optional[int] = None) -> None:
        time = "" if at_us is None else f"{duration(at_us):>8}  "
        self._line(f"#{exchange.number} {side} {time}{len(data)} bytes", _FAINT)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            shown = data[:_BINARY_SHOWN_BYTES].hex(" ") + (" ..." if len(data) > _BINARY_SHOWN_BYTES else "")
            self._line(f"#{exchange.number} {side} {shown}")
            return
        for line in text.splitlines(keepends=True) if "\n" not in text else text.split("\n"):
            if line:
                self._line(f"#{exchange.number} {side} {printable(line, keep=chr(9))}")

    def _columns(self) -> int:
        return terminal_columns(self._out)

    def _line(self, text: str, color: str = _PLAIN) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        text = _spell_arrow(text, encoding)
        for line in folded(text, self._columns()) if is_terminal(self._out) else [text]:
            write_line(self._out, f"\x1b[{color}m{line}\x1b[0m" if color and wants_color(self._out) else line)


_SHOWN: Dict[str, Callable[[Screen, Exchange, Mapping[str, Any]], None]] = {
    "request": Screen._request,
    "head": Screen._head,
    "read": Screen._read,
    "note": Screen._note,
    "end": Screen._end,
    "wait": lambda screen, exchange, record: None,
}


class LiveEvents:
    """The events of one answer while it comes. `before` is for whoever shows them: the text shown last."""

    def __init__(self, method: str, head: bytes, head_us: int) -> None:
        self.before = ""
        self._reader = ResponseReader(method)
        self._decoder = SSEDecoder()
        self._last_us = head_us
        self._broken = False
        self._read(head)

    def feed(self, data: bytes, at_us: int) -> Iterator[Tuple[int, int, str]]:
        """(when, since the one before, what) for each event that the read completes; and for comments alone."""
        body = self._read(data)
        if body is None:
            return
        events = self._decoder.feed(body)
        texts = [f"{f'event: {event.event}, ' if event.event else ''}data: {event.data}" for event in events]
        if not texts and body.lstrip().startswith(b":"):
            texts = [body.decode("utf-8", "replace").strip()]
        for text in texts:
            yield at_us, at_us - self._last_us, text
            self._last_us = at_us

    def _read(self, data: bytes) -> Optional[bytes]:
        if self._broken:
            return None
        try:
            self._reader.receive(data)
        except HTTP_FAILURES:  # said when the exchange ends
            self._broken = True
        body = b"".join(self._reader.pieces)
        self._reader.pieces.clear()
        return body


# Words for one exchange -----------------------------------------------------------------------------------------------


def remarks(exchange: Exchange) -> List[str]:
    """What the server said of an error, and what is known of a break, in a line each."""
    lines = []
    end, error = exchange.end, exchange.error()
    if error is not None and exchange.head is not None and exchange.head.status >= 400:
        lines.append(_error_words(error))
    if end is not None and end.detail and not end.whole:
        lines.append(end.detail)
    return [cut(printable(line, keep=""), MOST_REMARK_COLUMNS) for line in lines]


def _error_words(error: APIError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = body.get("message")
    text = said if isinstance(said, str) else str(error.message)
    code = error.code or error.type
    return f"{code}: {text}" if code else text


def request_lines(exchange: Exchange) -> List[str]:
    """A request in full: where it goes, its headers, its body; JSON with a line a value."""
    request = exchange.request
    lines = [f"#{exchange.number} {request.method} {printable(request.url)}"]
    lines += [f"   {printable(name)}: {printable(value)}" for name, value in request.headers]
    payload = exchange.payload
    if payload is not None:
        text = json.dumps(payload, indent=2, ensure_ascii=False)
    else:
        text = request.body.decode("utf-8", "replace")
    return [*lines, *(f"   {printable(line)}" for line in text.split("\n") if line)]


def folded(line: str, columns: int) -> List[str]:
    """A long line as several, broken at spaces, the later ones indented; a word that is too long stands alone."""
    lines: List[str] = []
    current, *words = line.split(" ")
    for word in words:
        longer = f"{current} {word}"
        if current.strip() and columns_of(longer) > columns:
            lines.append(current)
            current = f"   {word}"
        else:
            current = longer
    return [*lines, current]


def _spell_arrow(text: str, encoding: str) -> str:
    try:
        "→".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.replace("→", "->")
    return text
