"""Judges a client by what it did after each fault. Works on records of what came and what was done to it; pure.

    FAIL  retry after ignored   #1, #2   asked to wait 2 s (Retry-After), came back after 0.51 s
    note  cut stream            #3       ended after 3 of 12 events; the client did not come back: check that it ...
    ok    recovered             #1-#3    got its answer at the third attempt

Says only what the wire shows. Whether a client raised an exception cannot be seen from here, so a cut stream is a
failure only where the cut text comes back as an assistant message; else it is a note, and the reader has to look.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..protocol.redact import redact_text
from ..protocol.wire import Headers

# Timers and queues are not exact: one tenth too early is no offence.
TOLERANCE = 0.1
# A wait longer than this is for giving up (openai-python's limit, and ours).
LONGEST_WAIT_S = 120.0
# Sooner than this is no pause at all. The SDKs' first pause is 375 ms or more.
SHORTEST_PAUSE_S = 0.05
# The SDKs make three attempts; ten is beyond any sensible setting.
MOST_ATTEMPTS = 10
FEWEST_ATTEMPTS = 3
# The SDKs' pauses grow to 8 s and stay there.
FULL_PAUSE_S = 6.0
# A first pause lasts up to half a second: by then a client that means to come back is back.
FIRST_PAUSE_S = 1.0


class Record:
    """One request and what was done to it. Times are monotonic seconds. The server fills it in while it answers."""

    number: int = 0  # from 1, in the order of arrival
    connection: int = 0
    reused: bool = False  # not the first request on its connection
    at_s: float = 0.0  # the request was there, body and all
    answered_s: Optional[float] = None  # when the last byte so far was sent, or the client was seen to be gone
    over: bool = True  # nothing more is to come
    method: str = "POST"
    target: str = ""
    headers: Headers = Headers()
    body: bytes = b""
    document: Any = None  # the body's JSON, None if it is none
    fingerprint: str = ""  # equal for a request and its retries
    redirected: bool = False  # came along a redirect of ours
    model: str = ""
    stream: bool = False
    fault: str = ""  # as it was written
    attempt: int = 1  # which request of this fault and this body, from 1
    times: Optional[int] = None  # how many requests meet the fault
    in_force: Tuple[str, ...] = ()
    status: int = 0  # 0: no head was sent
    wait_s: Optional[float] = None  # how long we asked to wait
    wait_said_in: str = ""
    said: Tuple[str, ...] = ()  # the headers about waiting, for people
    invites_retry: Optional[bool] = None
    events: int = 0  # events (of a whole reply: pieces) that went out
    events_whole: int = 0  # that a whole answer would have had
    text: str = ""  # the answer's text as far as it went out
    complete: bool = False  # a whole answer went out: [DONE] or a finish_reason, or all of a JSON body
    ending: str = ""  # "", "cut", "reset", "stall", "comments", "close", "garbage", "client left", "stopped"

    def __init__(self, **facts: Any) -> None:
        for name, value in facts.items():
            if name not in Record.__annotations__:
                raise TypeError(f"A Record has no {name!r}.")
            setattr(self, name, value)

    def __repr__(self) -> str:
        path = self.target.partition("?")[0]
        return f"Record(#{self.number} {self.method} {path} {self.fault or 'clean'}: {self.status})"

    @property
    def key(self) -> str:
        return self.headers.get("authorization") or self.headers.get("api-key") or ""

    @property
    def answered_well(self) -> bool:
        return self.complete and 200 <= self.status < 300

    @property
    def broken(self) -> bool:
        """A good answer began and did not come to its end, and that was our doing."""
        return self.status == 200 and not self.complete and self.ending not in ("client left", "stopped")


class Finding(NamedTuple):
    """One sentence of the verdict. `level` is "fail", "note" or "ok"; `figures` are the numbers in it, by name."""

    level: str
    name: str
    requests: Tuple[int, ...]
    says: str
    figures: Mapping[str, float] = {}


class Series(NamedTuple):
    """A request and what followed with the same method, path and body, up to the good answer or the last attempt."""

    records: List[Record]

    @property
    def numbers(self) -> Tuple[int, ...]:
        return tuple(record.number for record in self.records)

    @property
    def pairs(self) -> List[Tuple[Record, Record, float]]:
        """An attempt, the next one, and the pause between them in seconds. Requests that overlap are no retries."""
        return [
            (before, after, after.at_s - before.answered_s)
            for before, after in zip(self.records, self.records[1:])
            if before.answered_s is not None and after.at_s >= before.answered_s
        ]


def series_of(records: Sequence[Record]) -> List[Series]:
    """The records as series of attempts, in order of their first."""
    all_series: List[Series] = []
    latest: Dict[str, Series] = {}
    for record in records:
        series = latest.get(record.fingerprint)
        if series is None or series.records[-1].answered_well or _says_it_is_new(record):
            series = latest[record.fingerprint] = Series([])
            all_series.append(series)
        series.records.append(record)
    return all_series


def _says_it_is_new(record: Record) -> bool:
    """The SDKs count their retries in a header; a zero there says that this is a call of its own."""
    return record.headers.get("x-stainless-retry-count") == "0"


# The checks: each looks at one series -------------------------------------------------------------------------------


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def _check_wait(series: Series, now_s: Optional[float]) -> Iterator[Finding]:
    for before, after, pause_s in series.pairs:
        if before.wait_s is None:
            continue
        figures = {"asked_s": before.wait_s, "waited_s": pause_s}
        numbers = (before.number, after.number)
        asked = f"asked to wait {_seconds(before.wait_s)} ({before.wait_said_in})"
        if pause_s >= before.wait_s * (1 - TOLERANCE):
            yield Finding(
                "ok", "retry_after_honoured", numbers, f"{asked}, came back after {_seconds(pause_s)}", figures
            )
            continue
        # Where the wait stands in words or in a rate-limit header, overlooking it is common, and no offence to HTTP.
        level = "fail" if before.wait_said_in.lower().startswith("retry-after") else "note"
        yield Finding(level, "retry_after_ignored", numbers, f"{asked}, came back after {_seconds(pause_s)}", figures)


def _check_fatal(series: Series, now_s: Optional[float]) -> Iterator[Finding]:
    for before, after, pause_s in series.pairs:
        # A client that comes back with another key has not repeated its mistake.
        if before.invites_retry is False and before.key == after.key:
            says = (
                f"{before.status} is final for this request, and the same request came again after {_seconds(pause_s)}"
            )
            yield Finding("fail", "fatal_retried", (before.number, after.number), says, {"waited_s": pause_s})
    last = series.records[-1]
    if last.invites_retry is False and last.answered_s is not None:
        yield Finding(
            "ok", "fatal_not_retried", (last.number,), f"{last.status} is final, and the client left it at that"
        )


def _free_of_pause(before: Record) -> bool:
    """A pooled connection may die at any time, and trying at once on a new one is what a good client does.

    Nor is there anything to wait for after an answer that broke off, a client's own change of mind, or a redirect.
    """
    if before.status == 0:
        return before.reused
    return before.status < 400 or before.broken or before.ending == "client left"


def _check_storm(series: Series, now_s: Optional[float]) -> Iterator[Finding]:
    attempts = len(series.records)
    if attempts > MOST_ATTEMPTS and not _overlapping(series):
        yield Finding(
            "fail", "retry_storm", series.numbers, f"{attempts} attempts at one request", {"attempts": attempts}
        )
    for before, after, pause_s in series.pairs:
        # Where a wait was asked for, the check for that has the say.
        if pause_s < SHORTEST_PAUSE_S and before.wait_s is None and not _free_of_pause(before):
            says = f"came back {pause_s * 1000:.0f} ms after a failure"
            yield Finding("fail", "retry_storm", (before.number, after.number), says, {"waited_s": pause_s})


def _overlapping(series: Series) -> bool:
    return len(series.pairs) < len(series.records) - 1


def _check_backoff(series: Series, now_s: Optional[float]) -> Iterator[Finding]:
    """Where the server named no wait, the pauses should grow: doubled, with a quarter of jitter, by half at least."""
    pauses = [pause_s for before, _, pause_s in series.pairs if before.wait_s is None and before.invites_retry]
    if len(pauses) < 2 or pauses[0] >= FULL_PAUSE_S or max(pauses) < SHORTEST_PAUSE_S:
        return
    figures = {"first_s": pauses[0], "last_s": pauses[-1]}
    shown = ", ".join(_seconds(pause_s) for pause_s in pauses)
    if pauses[-1] < pauses[0] * 1.2:
        yield Finding("note", "no_backoff", series.numbers, f"the pauses do not grow: {shown}", figures)
    else:
        yield Finding("ok", "backoff", series.numbers, f"the pauses grow: {shown}", figures)


def _check_gave_up(series: Series, now_s: Optional[float]) -> Iterator[Finding]:
    last, attempts = series.records[-1], len(series.records)
    if not last.invites_retry or last.answered_s is None:
        return
    what = f"{last.status}" if last.status else "the break before the head"
    if last.wait_s is not None and last.wait_s > LONGEST_WAIT_S:
        says = f"asked to wait {_seconds(last.wait_s)}; the client gave up, and rightly"
        yield Finding("ok", "gave_up", series.numbers, says, {"attempts": attempts})
        return
    silent_s = None if now_s is None else now_s - last.answered_s
    tried = f"{attempts} attempt{'s' if attempts > 1 else ''}"
    if silent_s is not None and silent_s < max(
        FIRST_PAUSE_S * 2 ** (attempts - 1), (last.wait_s or 0) * (1 + TOLERANCE)
    ):
        says = f"{tried}; {_seconds(silent_s)} after {what} the client was not back yet"
        yield Finding(
            "note",
            "gave_up_early" if attempts < FEWEST_ATTEMPTS else "gave_up",
            series.numbers,
            says,
            {"silent_s": silent_s},
        )
    elif attempts >= FEWEST_ATTEMPTS:
        yield Finding("ok", "gave_up", series.numbers, f"gave up after {tried}", {"attempts": attempts})
    else:
        says = f"{what} is worth another try, and the client gave up after {tried}"
        yield Finding(
            "fail" if attempts == 1 else "note", "gave_up_early", series.numbers, says, {"attempts": attempts}
        )


def _check_recovered(series: Series, now_s: Optional[float]) -> Iterator[Finding]:
    if len(series.records) > 1 and series.records[-1].answered_well and not _overlapping(series):
        says = f"got its answer at attempt {len(series.records)}"
        yield Finding("ok", "recovered", series.numbers, says, {"attempts": len(series.records)})


# The checks that look at one record and what came after it ------------------------------------------------------------


def _assistant_texts(record: Record) -> Iterator[str]:
    messages = record.document.get("messages") if isinstance(record.document, dict) else None
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict) and message.get("role") == "assistant":
            content = message.get("content")
            if isinstance(content, list):
                content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
            yield content.strip() if isinstance(content, str) else ""


def _progress(record: Record) -> str:
    return f"after {record.events} of {record.events_whole} events"


def _check_cut(record: Record, later: Sequence[Record], now_s: Optional[float]) -> Iterator[Finding]:
    """A good answer that began and did not come to its end."""
    if not record.broken or record.answered_s is None:
        return
    text = record.text.strip()
    reusing = [other for other in later if text and text in _assistant_texts(other)]
    if reusing:
        says = f"ended {_progress(record)}, and #{reusing[0].number} sends the cut text back as a finished message"
        yield Finding("fail", "truncated_accepted", (record.number, reusing[0].number), says, {"events": record.events})
    elif any(other.fingerprint == record.fingerprint for other in later):
        yield Finding("ok", "cut_noticed", (record.number,), f"ended {_progress(record)}, and the client asked again")
    else:
        says = f"ended {_progress(record)}; the client did not come back: check that it reported the cut"
        yield Finding("note", "cut_stream", (record.number,), says, {"events": record.events})


def _check_silence(record: Record, later: Sequence[Record], now_s: Optional[float]) -> Iterator[Finding]:
    """What the client did about an answer that never went on."""
    if record.ending not in ("stall", "comments"):
        return
    if not record.over or record.answered_s is None:
        if now_s is not None:
            waited_s = now_s - record.at_s
            says = (
                f"{_seconds(waited_s)} after the request the client still waits: has it a read timeout, and a deadline?"
            )
            yield Finding("note", "still_waiting", (record.number,), says, {"waited_s": waited_s})
        return
    waited_s = record.answered_s - record.at_s
    says = f"left the silent connection {_seconds(waited_s)} after the request"
    yield Finding("ok", "left_a_stall", (record.number,), says, {"waited_s": waited_s})


def _check_left(record: Record, later: Sequence[Record], now_s: Optional[float]) -> Iterator[Finding]:
    if record.ending == "client left":
        says = f"closed the connection {_progress(record)}"
        yield Finding("note", "left_early", (record.number,), says, {"events": record.events})


def _check_redirect(record: Record, later: Sequence[Record], now_s: Optional[float]) -> Iterator[Finding]:
    if record.redirected:
        key = "and took the key along" if record.key else "without the key"
        yield Finding(
            "note", "redirect_followed", (record.number,), f"followed the redirect with {record.method}, {key}"
        )


_SERIES_CHECKS: Tuple[Callable[[Series, Optional[float]], Iterator[Finding]], ...] = (
    _check_wait,
    _check_fatal,
    _check_storm,
    _check_backoff,
    _check_gave_up,
    _check_recovered,
)
_RECORD_CHECKS: Tuple[Callable[[Record, Sequence[Record], Optional[float]], Iterator[Finding]], ...] = (
    _check_cut,
    _check_silence,
    _check_left,
    _check_redirect,
)
_LEVELS = ("fail", "note", "ok")


def judge(records: Sequence[Record], now_s: Optional[float] = None) -> List[Finding]:
    """What the records say about the client, failures first, then in order of the requests.

    `now_s`, on the clock of the records, is when the watch ended: a client that had no time to come back has not given
    up yet. None means that nothing more is to come.
    """
    ordered = sorted(records, key=lambda record: record.at_s)
    findings = [
        finding for series in series_of(ordered) for check in _SERIES_CHECKS for finding in check(series, now_s)
    ]
    for place, record in enumerate(ordered):
        for check in _RECORD_CHECKS:
            findings += check(record, ordered[place + 1 :], now_s)
    return sorted(findings, key=lambda finding: (_LEVELS.index(finding.level), finding.requests))


def _numbers(requests: Tuple[int, ...]) -> str:
    if len(requests) > 2 and requests == tuple(range(requests[0], requests[-1] + 1)):
        return f"#{requests[0]}-#{requests[-1]}"
    return ", ".join(f"#{number}" for number in requests)


def render(findings: Sequence[Finding]) -> str:
    """The verdict for people."""
    if not findings:
        return "Verdict on the client: it met no fault, so there is nothing to judge."
    counts = {level: sum(finding.level == level for finding in findings) for level in _LEVELS}
    words = {"fail": "failure", "note": "note", "ok": "in order"}
    plural = {"fail": "failures", "note": "notes", "ok": "in order"}
    summary = ", ".join(f"{n} {words[level] if n == 1 else plural[level]}" for level, n in counts.items() if n)
    lines = [f"Verdict on the client: {summary}"]
    for level, name, requests, says, _ in findings:
        mark = "FAIL" if level == "fail" else level
        lines.append(f"  {mark:<4}  {name.replace('_', ' '):<20}  {_numbers(requests):<9} {says}")
    return "\n".join(lines)


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if the client failed, else 0."""
    return int(any(finding.level == "fail" for finding in findings))


# One line a request --------------------------------------------------------------------------------------------------

_ENDINGS = {
    "cut": "then the connection was closed",
    "reset": "then the connection was reset",
    "stall": "then silence",
    "comments": "then comments for ever",
    "client left": "the client left",
    "stopped": "the server was stopped",
}
_WITHOUT_HEAD = {
    "stall": "silence",
    "reset": "reset before the head",
    "close": "closed before the head",
    "garbage": "bytes that are no HTTP",
    "cut": "closed in the middle of the head",
    "client left": "the client left before the head",
}


def describe(record: Record) -> str:
    """What came, and what was done.

    #3 POST /v1/chat/completions gpt-4o-mini stream  fault 429x2 (2 of 2): 429, Retry-After: 1
    """
    words = [f"#{record.number}", record.method, record.target.partition("?")[0], record.model]
    came = " ".join(word for word in words if word) + (" stream" if record.stream else "")
    return redact_text(f"{came}  {_fault_words(record)}{_what_happened(record)}")


def _fault_words(record: Record) -> str:
    if not record.fault:
        return ""
    if not record.in_force:
        used_up = record.times is not None and record.attempt > record.times
        return f"fault {record.fault} {'used up' if used_up else 'does nothing here'}: "
    turn = f" ({record.attempt} of {record.times})" if record.times is not None else ""
    return f"fault {record.fault}{turn}: "


def _what_happened(record: Record) -> str:
    if not record.status:
        return _WITHOUT_HEAD.get(record.ending, record.ending)
    facts = [str(record.status), *record.said]
    if record.status == 200 and record.events_whole > 1:
        whole = record.events == record.events_whole
        facts.append(f"{record.events} events" if whole else f"{record.events} of {record.events_whole} events")
    if record.ending:
        facts.append(_ENDINGS.get(record.ending, record.ending))
    return ", ".join(facts)
