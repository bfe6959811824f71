"""The trace: one exchange after another in curl's manner, told line by line while it happens.

    * attempt 1, to 127.0.0.1:8080 through requests
    > POST /v1/chat/completions HTTP/1.1                       > what we send
    > Authorization: Bearer <key:3f2a91>
    >
    > {"model":"gpt-4o-mini","messages":[...],"stream":true}
    * the answer begins after 12 ms, on a new connection       * what we have to say about it
    < HTTP/1.1 200 OK                                          < what comes back
    < Content-Type: text/event-stream
    <
    <   +9 ms data: {"id":"chatcmpl-1","choices":[...]}        the time since the read before; time zero is the sending
    <         data: {"id":"chatcmpl-1","choices":[...]}        no time: it came in the same read as the line above
    * first text after 21 ms

A `Trace` is a listener: `Client(listeners=[Trace()])`. It shows lines as they stood on the wire, comments and all, each
once it is complete; it never shows a key, nor any character that could command the terminal. Opens no connection,
changes no exchange.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, TextIO, Tuple
from urllib.parse import urlsplit

from ..protocol.errors import InvalidResponseError
from ..protocol.events import Chunked, Done, Failed, Received, Sending, Waiting, WireEvent
from ..protocol.redact import redact_header, redact_text, secrets_of
from ..protocol.sse import Event, SSEDecoder
from ..protocol.status import Verdict, classify
from ..protocol.wire import Request
from .terminal import fold, is_terminal, printable, terminal_columns, wants_color, write_line

LONG_TEXT = 2000  # characters of one line of a body before it is cut; about the screenful that a person still reads
ERROR_BODY_BYTES = 64 * 1024  # of an error answer, kept for the verdict; the longest sensible one is a page of HTML
TIME_WIDTH = 7  # "+999 ms", "+1.23 s", "+12.3 s"
NO_TIME = " " * TIME_WIDTH
SPEED_NEEDS_S = 0.05  # an answer that came at once has no speed, only a quotient
UTF8_BOM = b"\xef\xbb\xbf"

SENT, CAME, REMARK = ">", "<", "*"
_COLORS = {SENT: "36", CAME: "32", REMARK: "33"}  # cyan, green, yellow: readable on light and on dark


class Trace:
    """A listener that prints every exchange to `out` (standard error unless stated).

    bodies   False leaves the bodies out and states their size
    full     True cuts nothing; otherwise a line over 2,000 characters ends in "… 12,304 bytes more", and on a
             terminal a line of a stream that does not fit shows what differs from the line before
    color    None: on a terminal, unless NO_COLOR is set (no-color.org)
    secrets  further strings to hide; the keys in the request's own headers are hidden wherever they turn up
    """

    def __init__(
        self,
        out: Optional[TextIO] = None,
        *,
        bodies: bool = True,
        full: bool = False,
        color: Optional[bool] = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.out = sys.stderr if out is None else out
        self.bodies = bodies
        self.full = full
        self.color = wants_color(self.out) if color is None else color
        self.secrets = tuple(secrets)
        self._folds = not full and is_terminal(self.out)
        self._lock = threading.Lock()
        self._attempts: Dict[int, _Attempt] = {}  # by number of the call; its entry leaves with the call
        self._several = False

    def __repr__(self) -> str:
        return f"Trace(bodies={self.bodies}, full={self.full}, {len(self._attempts)} calls under way)"

    def __call__(self, event: WireEvent) -> None:
        with self._lock:
            _TELLERS[type(event)](self, event)

    # One method for each kind of event, in the order in which they come.

    def _sending(self, event: Sending) -> None:
        self._attempts[event.call] = attempt = _Attempt(event)
        # From the first overlap on, every line says whose it is: a line without a number would be the harder riddle.
        self._several = self._several or len(self._attempts) > 1
        self.secrets = _with_keys_of(event.request, self.secrets)
        target = urlsplit(event.request.url)
        through = f" through {event.transport}" if event.transport else ""
        self._remark(attempt, f"attempt {event.attempt}, to {target.netloc}{through}")
        for line in _head_lines(event.request, self.secrets):
            self._print(attempt, SENT, line)
        self._print(attempt, SENT, "")
        self._sent_body(attempt, event.request.body)

    def _sent_body(self, attempt: _Attempt, body: bytes) -> None:
        if not body:
            return
        if not self.bodies:
            self._print(attempt, SENT, f"[{_count(len(body), 'byte')}]")
            return
        for line in body.decode("utf-8", "backslashreplace").split("\n"):
            # Keys are hidden before the cut: half a key has no shape to know it by.
            self._print(attempt, SENT, self._shortened(redact_text(line, self.secrets)))

    def _received(self, event: Received) -> None:
        attempt = self._attempts.get(event.call)
        if attempt is None:  # a listener that was added while the call was under way
            return
        head = event.head
        attempt.begin(event)
        on = {None: "", True: ", on a connection used before", False: ", on a new connection"}[head.reused]
        self._remark(attempt, f"the answer begins after {_span(event.at_s - attempt.sent_s)}{on}")
        version = f"HTTP/{head.http_version}" if head.http_version else "HTTP"  # a browser does not tell
        self._print(attempt, CAME, f"{version} {head.status} {head.reason}".rstrip())
        for name, value in head.headers.pairs:
            self._print(attempt, CAME, f"{name}: {redact_header(name, value, self.secrets)}")
        self._print(attempt, CAME, "")
        if head.headers.get("content-encoding", "identity") != "identity":
            self._remark(attempt, f"the body below stands as it was before {head.headers['content-encoding']}")

    def _chunked(self, event: Chunked) -> None:
        attempt = self._attempts.get(event.call)
        if attempt is None or not event.data:
            return
        column = f"+{_span(attempt.arrived(event))}".rjust(TIME_WIDTH)
        if attempt.reads == 1 and event.data.startswith(UTF8_BOM):
            self._remark(attempt, "a byte order mark (EF BB BF) stands before the first field")
        for line in attempt.lines.feed(event.data):
            if self._came(attempt, column, line):
                column = NO_TIME
        attempt.column = column
        for name, at_s in attempt.decode(event):
            self._remark(attempt, f"first {name} after {_span(at_s - attempt.sent_s)}")

    def _came(self, attempt: _Attempt, column: str, line: bytes) -> bool:
        """Prints one line of the body; False where there is nothing to print."""
        attempt.comments += line.startswith(b":")
        if not self.bodies or (not line and attempt.is_stream):
            return False  # in a stream a blank line says only that the event is over
        text = redact_text(line.decode("utf-8", "backslashreplace"), self.secrets)
        if self._folds and attempt.is_stream:
            room = terminal_columns(self.out) - len(f"< {column} ") - len(self._whose(attempt))
            shown, attempt.line_before = fold(text, attempt.line_before, room), text
        else:
            shown = self._shortened(text)
        self._print(attempt, CAME, f"{column} {shown}")
        return True

    def _waiting(self, event: Waiting) -> None:
        attempt = self._attempts.get(event.call)
        if attempt is not None:
            self._remark(attempt, f"waiting {_span(event.wait_s)} before attempt {event.attempt + 1}: {event.why}")

    def _failed(self, event: Failed) -> None:
        attempt = self._attempts.get(event.call)
        if attempt is None:
            return
        self._ending(attempt, event.at_s)
        self._remark(attempt, _fate(event, attempt))
        for line in _told(event.error):
            self._remark(attempt, f"  {line}")
        if event.final:
            del self._attempts[event.call]

    def _done(self, event: Done) -> None:
        attempt = self._attempts.pop(event.call, None)
        if attempt is None:
            return
        self._ending(attempt, event.at_s)
        if not event.whole:
            self._remark(attempt, "left before the end: the caller had enough")
        elif attempt.is_stream:
            last = "[DONE]" if attempt.done_seen else "no [DONE]"
            self._remark(attempt, f"ended with finish_reason {_finish_reason(event.reply)} and {last}")
        bill = _bill(event, attempt.generating_s(event.at_s))
        if bill:
            self._remark(attempt, bill)

    def _ending(self, attempt: _Attempt, at_s: float) -> None:
        """The rest of the body, what was odd about it, and the times."""
        rest = attempt.lines.rest()
        attempt.finish()
        if rest:
            self._came(attempt, attempt.column, rest)
        for oddity in attempt.oddities(len(rest)):
            self._remark(attempt, oddity)
        if attempt.head is not None:
            for figures in attempt.figures(at_s):
                self._remark(attempt, figures)

    # How a line gets out.

    def _remark(self, attempt: _Attempt, text: str) -> None:
        self._print(attempt, REMARK, text)

    def _whose(self, attempt: _Attempt) -> str:
        return f"#{attempt.call} " if self._several else ""

    def _print(self, attempt: _Attempt, side: str, text: str) -> None:
        text = printable(redact_text(text, self.secrets), keep="\t")
        mark = side
        if self.color:
            paint, plain = f"\x1b[{_COLORS[side]}m", "\x1b[0m"
            mark = f"{paint}{side}{plain}"
            text = f"{paint}{text}{plain}" if side == REMARK else text
        write_line(self.out, f"{self._whose(attempt)}{mark} {text}".rstrip(" "))

    def _shortened(self, text: str) -> str:
        """`text`, or its beginning and how much more there is."""
        if self.full or len(text) <= LONG_TEXT:
            return text
        return f"{text[:LONG_TEXT]} … {_count(len(text[LONG_TEXT:].encode('utf-8', 'replace')), 'byte')} more"


_TELLERS: Dict[type, Callable[[Trace, Any], None]] = {
    Sending: Trace._sending,
    Received: Trace._received,
    Chunked: Trace._chunked,
    Waiting: Trace._waiting,
    Failed: Trace._failed,
    Done: Trace._done,
}


class RetryNotice:
    """The shortest trace: why nothing happens for a while. `429 rate limit; trying again in 1.0 s (2 of 3)`"""

    def __init__(self, out: TextIO, max_retries: int) -> None:
        self.out = out
        self.max_retries = max_retries

    def __call__(self, event: WireEvent) -> None:
        if isinstance(event, Waiting):
            turn = f"({event.attempt + 1} of {self.max_retries + 1})"
            text = redact_text(f"{event.why}; trying again in {event.wait_s:.1f} s {turn}")
            write_line(self.out, printable(text))


class _Lines:
    """Cuts a body into lines at CR LF, LF or CR, wherever the reads cut it, and counts which of them it was.

    A line is handed out at its CR; the LF that may follow in the next read belongs to it. Looks at each byte once.
    """

    _END = re.compile(rb"\r\n|\n|\r")

    def __init__(self) -> None:
        self.ends = {b"\n": 0, b"\r\n": 0, b"\r": 0}
        self._pieces: List[bytes] = []
        self._after_cr = False

    def feed(self, data: bytes) -> List[bytes]:
        if self._after_cr and data.startswith(b"\n"):
            self.ends[b"\r"] -= 1
            self.ends[b"\r\n"] += 1
            data = data[1:]
        if data:
            self._after_cr = data.endswith(b"\r")
        lines, start = [], 0
        for end in self._END.finditer(data):
            self.ends[end[0]] += 1
            lines.append(b"".join([*self._pieces, data[start : end.start()]]))
            self._pieces.clear()
            start = end.end()
        if start < len(data):
            self._pieces.append(data[start:])
        return lines

    def rest(self) -> bytes:
        """What came after the last line end."""
        return b"".join(self._pieces)


class _Attempt:
    """What the trace remembers of one attempt: its times, its counts and where its body stands."""

    def __init__(self, event: Sending) -> None:
        self.call = event.call
        self.sent_s = self.last_s = event.at_s
        self.head: Any = None
        self.first_byte_s = 0.0
        self.longest_gap_s = 0.0
        self.reads = self.body_bytes = self.events = self.comments = self.reads_inside_a_character = 0
        self.is_stream = self.done_seen = False
        self.first_seen: Dict[str, float] = {}  # "text" and "reasoning": when the first of it came
        self.line_before = ""
        self.column = NO_TIME  # the time of the last read, for the line that it left without an end
        self.lines = _Lines()
        self.decoder: Optional[SSEDecoder] = SSEDecoder()
        self.gave_up = ""
        self.error_body = b""

    def begin(self, event: Received) -> None:
        self.head = event.head
        self.last_s = event.at_s
        self.first_byte_s = event.at_s - self.sent_s
        self.is_stream = event.head.headers.get("content-type", "").lower().startswith("text/event-stream")

    def arrived(self, event: Chunked) -> float:
        """Takes note of one read and returns the seconds since the one before (for the first: since the head)."""
        gap_s = event.at_s - self.last_s
        self.last_s = event.at_s
        self.longest_gap_s = max(self.longest_gap_s, gap_s)
        self.reads += 1
        self.body_bytes += len(event.data)
        self.reads_inside_a_character += ends_inside_a_character(event.data)
        if self.head is not None and self.head.status >= 300 and len(self.error_body) < ERROR_BODY_BYTES:
            self.error_body += event.data
        return gap_s

    def decode(self, event: Chunked) -> List[Tuple[str, float]]:
        """What this read brought for the first time: [("text", when)]."""
        if self.decoder is None:
            return []
        try:
            events = self.decoder.feed(event.data)
        except InvalidResponseError as error:
            self.decoder, self.gave_up = None, str(error)
            return []
        return self._take(events, event.at_s)

    def finish(self) -> None:
        """The body is over: an event that no blank line followed may still count."""
        if self.decoder is not None:
            self._take(self.decoder.close(), self.last_s)
            self.decoder = None

    def _take(self, events: List[Event], at_s: float) -> List[Tuple[str, float]]:
        self.events += len(events)
        self.is_stream = self.is_stream or bool(events)  # some servers send a stream as text/plain
        news = []
        for one in events:
            self.done_seen = self.done_seen or one.data.strip() == "[DONE]"
            for name in () if "text" in self.first_seen else _spoken(one.data):
                if name not in self.first_seen:
                    self.first_seen[name] = at_s
                    news.append((name, at_s))
        return news

    def generating_s(self, end_s: float) -> float:
        """The seconds in which tokens came: since the first of them, or since the sending where all came at once."""
        return end_s - min(self.first_seen.values(), default=self.sent_s)

    def verdict(self) -> Optional[Verdict]:
        """What the classifier makes of an error status; None where the status was no error, or never came."""
        if self.head is None or self.head.status < 300:
            return None
        return classify(self.head.status, self.head.headers, self.error_body)

    def figures(self, end_s: float) -> List[str]:
        """`21 events in 19 reads over 0.84 s`, then `first byte 12 ms, first text 21 ms, longest gap 31 ms`."""
        came = _count(self.events, "event") if self.is_stream else _count(self.body_bytes, "byte")
        times = [f"first byte {_span(self.first_byte_s)}"]
        times += [f"first {name} {_span(at_s - self.sent_s)}" for name, at_s in self.first_seen.items()]
        if self.reads > 1:
            times.append(f"longest gap {_span(self.longest_gap_s)}")
        return [f"{came} in {_count(self.reads, 'read')} over {_span(end_s - self.sent_s)}", ", ".join(times)]

    def oddities(self, rest_bytes: int) -> List[str]:
        """What a plain stream of `data:` lines with LF between them does not have."""
        if not self.is_stream:
            return []
        crlf, lone_cr, inside = self.lines.ends[b"\r\n"], self.lines.ends[b"\r"], self.reads_inside_a_character
        found = [
            (crlf, f"{_count(crlf, 'line')} ended in CR LF"),
            (lone_cr, f"{_count(lone_cr, 'line')} ended in a lone CR"),
            (self.comments, _count(self.comments, "comment")),
            (inside, f"{_count(inside, 'read')} ended inside a character"),
            (rest_bytes, f"the body ended inside a line, {_count(rest_bytes, 'byte')} after the last line end"),
            (self.gave_up, f"the decoder gave up: {self.gave_up}"),
        ]
        return [text for seen, text in found if seen]


# Small functions, each of which knows one thing.


def ends_inside_a_character(data: bytes) -> bool:
    """Whether UTF-8 bytes break off inside a character: 4 bytes are the longest (RFC 3629 section 3)."""
    for back, byte in enumerate(reversed(data[-3:]), start=1):
        if byte >= 0xC0:  # a first byte; it announces 2, 3 or 4
            return back < (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
        if byte < 0x80:
            return False
    return False


def _head_lines(request: Request, secrets: Iterable[str]) -> List[str]:
    """The request line and the headers, with those that the transport adds: Host first, the length of the body last."""
    target = urlsplit(request.url)
    query = f"?{target.query}" if target.query else ""
    lines = [f"{request.method} {target.path or '/'}{query} HTTP/1.1"]
    pairs = list(request.headers)
    names = {name.lower() for name, _ in pairs}
    if "host" not in names:
        pairs.insert(0, ("Host", target.netloc))
    if request.body and "content-length" not in names:
        pairs.append(("Content-Length", str(len(request.body))))
    return lines + [f"{name}: {redact_header(name, value, secrets)}" for name, value in pairs]


def _with_keys_of(request: Request, secrets: Tuple[str, ...]) -> Tuple[str, ...]:
    """`secrets` and the keys in the request: a server may quote them in its answer."""
    known = secrets_of(request.url, request.headers, request.body)
    return (*secrets, *dict.fromkeys(key for key in known if key not in secrets))


def _spoken(data: str) -> List[str]:
    """Which of "reasoning" and "text" a chunk brings; nothing for whatever else an event may hold."""
    try:
        choices = json.loads(data)["choices"]
        deltas = [choice["delta"] for choice in choices if choice.get("delta")]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []
    kinds = {"reasoning": ("reasoning_content", "reasoning"), "text": ("content",)}
    return [kind for kind, names in kinds.items() if any(delta.get(name) for delta in deltas for name in names)]


def _bill(event: Done, generating_s: float) -> str:
    """`12 + 30 tokens, $0.000020, 42 tokens/s`; "" for a call that has no usage."""
    usage = event.reply.get("usage") if isinstance(event.reply, Mapping) else None
    if not usage:
        return ""
    sent, came = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    cost = "price unknown" if event.cost_usd is None else f"${event.cost_usd:.6f}"
    speed = f", {came / generating_s:,.0f} tokens/s" if came and generating_s >= SPEED_NEEDS_S else ""
    return f"{sent:,} + {came:,} tokens, {cost}{speed}"


def _finish_reason(reply: Any) -> str:
    return str(getattr(reply, "finish_reason", None) or "unknown")


def _fate(event: Failed, attempt: _Attempt) -> str:
    """`429 rate limit: retryable`, `401 bad key: fatal`, `APIConnectionError (connect): no attempt is left`."""
    verdict = attempt.verdict()
    if verdict is None:
        phase = getattr(event.error, "phase", "")
        name = type(event.error).__name__ + (f" ({phase})" if phase else "")
        return f"{name}: {'no further attempt' if event.final else 'retryable'}"
    if event.final:
        return f"{verdict.why}: retryable, but no attempt is left" if verdict.retry else verdict.why
    return f"{verdict.why.replace(': fatal', '')}: retryable"


def _told(error: BaseException) -> List[str]:
    return [*str(error).splitlines(), *causes_of(error)]


def causes_of(error: BaseException) -> List[str]:
    """A line for each cause behind `error`, outermost first; what only repeats a line above is left out."""
    lines: List[str] = []
    told = {str(error)}
    seen = [error]  # an error that is raised again may stand among its own causes
    cause = _behind(error)
    while cause is not None and not any(cause is one for one in seen):
        if str(cause) not in told and not isinstance(cause, StopIteration):  # the json module's, behind its own error
            lines.append(f"caused by {type(cause).__name__}: {cause}".replace("\n", " "))
        told.add(str(cause))
        seen.append(cause)
        cause = _behind(cause)
    return lines


def _behind(error: BaseException) -> Optional[BaseException]:
    """What led to an error, unless it was raised `from None`: what is hidden there may quote a secret."""
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _span(seconds: float) -> str:
    """`12 ms`, `1.23 s`, `12.3 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:,.1f} s"
