"""What people see of a tap: one line a call, the events with their gaps, the bytes, and nothing that commands a terminal."""

import io
import json
from typing import Any, NamedTuple

import pytest

from . import module

recording_module = module("lab.recording")
tap_screen = module("lab.tap_screen")
terminal = module("lab.terminal")
wire = module("protocol.wire")

BODY = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
KEY = "sk-proj-abcdefghijkl0123456789"
HEADERS = (("Host", "h"), ("Authorization", f"Bearer {KEY}"), ("x-stainless-retry-count", "0"))
EVENT_STREAM = (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(text="", **more):
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": None, **more}
    return chunk(
        b"data: " + json.dumps({"id": "c1", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
    )


class Call(NamedTuple):
    """One exchange to be shown. Reads come a tenth of a second apart."""

    status: int = 200
    headers: tuple = EVENT_STREAM
    reads: tuple = ()
    how: str = "eof"
    whole: bool = True
    detail: str = ""
    notes: tuple = ()
    call: Any = None
    attempt: int = 1
    wait_s: Any = None


WHOLE = Call(reads=(event("Hel"), event("lo"), event(finish_reason="stop"), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"))
REFUSAL = json.dumps(
    {"error": {"message": "Slow \x1b[2Jdown, please.", "type": "requests", "code": "rate_limit_exceeded"}}
).encode()
LIMIT = Call(429, (("content-type", "application/json"), ("content-length", str(len(REFUSAL)))), (REFUSAL,))


class Terminal(io.StringIO):
    def __init__(self, columns=0):
        super().__init__()
        self.columns = columns

    def isatty(self):
        return bool(self.columns)


def shown(calls, out=None, **settings):
    out = out or io.StringIO()
    screen = tap_screen.Screen(out, **settings)
    session = recording_module.Recording([screen], source="tap")
    for number, call in enumerate(calls):
        at_s = float(number * 10)
        recorder = session.begin(
            wire.Request("POST", "http://h/v1/chat/completions", HEADERS, BODY),
            at_s=at_s,
            call=call.call,
            attempt=call.attempt,
        )
        if call.status:
            recorder.head(wire.ResponseHead(call.status, "OK", wire.Headers(call.headers)), at_s=at_s + 0.1)
        for place, data in enumerate(call.reads):
            recorder.read(data, at_s=at_s + 0.2 + place / 10)
        for note in call.notes:
            recorder.note(note, at_s=at_s)
        recorder.end(call.how, at_s=at_s + 1, whole=call.whole, detail=call.detail)
        if call.wait_s is not None:
            recorder.wait(call.wait_s, "tried again", at_s=at_s + 1)
    return out.getvalue()


ROWS = [
    ("a stream", [WHOLE], ["#1 POST /chat/completions 200 stream ttft 200ms 4 events 1.0s stop"]),
    (
        "an error",
        [LIMIT],
        ["#1 POST /chat/completions 429 rate limit 1.0s", "   rate_limit_exceeded: Slow \\x1b[2Jdown, please."],
    ),
    (
        "a retry",
        [LIMIT._replace(wait_s=0.52), WHOLE._replace(call=1, attempt=2)],
        [
            "#2 = #1 again, attempt 2, after 0.52 s",
            "#2 = #1 again, attempt 2: 200 stream ttft 200ms 4 events 1.0s stop",
        ],
    ),
    (
        "a third attempt",
        [LIMIT._replace(wait_s=0.5), LIMIT._replace(call=1, attempt=2, wait_s=0.9), WHOLE._replace(call=1, attempt=3)],
        ["#2 = #1 again, attempt 2, after 0.50 s", "#3 = #1 again, attempt 3, after 0.90 s"],
    ),
    (
        "a break",
        [WHOLE._replace(reads=WHOLE.reads[:2], how="reset", whole=False, detail="Connection reset by peer")],
        ["cut off: the connection was reset", "   Connection reset by peer"],
    ),
    (
        "nobody there",
        [Call(0, how="unreachable", whole=False, detail="cannot reach h:80: Connection refused")],
        ["#1 POST /chat/completions no connection could be made", "   cannot reach h:80: Connection refused"],
    ),
    (
        "a client that left content",
        [WHOLE._replace(reads=WHOLE.reads[:4], how="client_gone", whole=False)],
        ["stop the client left after [DONE]"],
    ),
    (
        "a client that left early",
        [WHOLE._replace(reads=WHOLE.reads[:1], how="client_gone", whole=False)],
        ["cut off: the client closed its side first"],
    ),
    (
        "a fault",
        [WHOLE._replace(notes=("fault crlf: the tap held the answer back",))],
        ["#1 fault crlf: the tap held the answer back"],
    ),
]


@pytest.mark.parametrize("name, calls, expected", ROWS, ids=[row[0] for row in ROWS])
def test_a_line_a_call(name, calls, expected):
    """What it was, how it went, how long it took; what a server said of an error; what a retry belongs to."""
    text = shown(calls)
    for line in expected:
        assert line in text
    assert "\x1b" not in text


def test_nothing_but_lines_that_mean_something():
    """A connection's notes are for those who ask for more."""
    assert shown([WHOLE._replace(notes=("a new connection to h:80, made in 1.0 ms",))]).count("\n") == 1
    assert "new connection" in shown([WHOLE._replace(notes=("a new connection to h:80",))], show_events=True)


def test_events_with_their_gaps():
    """Each event when it is complete, with the time since the sending and since the one before; comments too."""
    split = event("Hel")
    reads = (split[:20], split[20:], chunk(b": keep-alive\n\n"), event("lo"), chunk(b"event: error\ndata: {}\n\n"))
    lines = shown([WHOLE._replace(reads=reads)], show_events=True).splitlines()
    assert lines[0] == "#1   100 ms  200 text/event-stream"
    assert lines[1].startswith('#1   300 ms   +200 ms  data: {"id": "c1"')
    assert lines[2] == "#1   400 ms   +100 ms  : keep-alive"
    assert lines[3].startswith("#1   500 ms   +100 ms  ") and '"lo"' in lines[3]
    assert lines[4] == "#1   600 ms   +100 ms  event: error, data: {}"


def test_an_event_is_shown_by_what_is_new_in_it(monkeypatch):
    """On a terminal: what is the same as in the event before gives way, and no remark says what the line says already."""
    monkeypatch.setattr(tap_screen, "terminal_columns", lambda out: 80)
    cut_off = WHOLE._replace(whole=False, reads=WHOLE.reads[:3], detail="the connection ended before the last chunk")
    lines = shown([cut_off], Terminal(80), show_events=True).splitlines()
    assert lines[2].partition("data: ")[2].startswith("…") and '"lo"' in lines[2]
    assert sum("the last chunk" in line for line in lines) == 1


def test_long_lines_are_folded():
    """At spaces, with their indentation; a word that is too long stands alone."""
    assert tap_screen.folded("   one two three", 12) == ["   one two", "   three"]
    assert tap_screen.folded("#1 " + "x" * 20 + " end", 10) == ["#1", "   " + "x" * 20, "   end"]
    assert tap_screen.folded("short", 10) == ["short"]


def test_events_of_what_is_no_stream():
    """A whole answer has none; broken framing ends the list and not the program."""
    assert len(shown([LIMIT], show_events=True).splitlines()) == 3
    broken = WHOLE._replace(reads=(event("Hel"), b"zz\r\nnonsense\r\n", event("lo")), whole=False)
    assert '"lo"' not in shown([broken], show_events=True)


def test_bytes_as_they_come():
    """Both ways, line by line, with their framing; what is no text in hex; and nothing that commands a terminal."""
    text = shown([WHOLE._replace(reads=(event("Hel"), b"\xff\x1b[2J\x00"))], show_raw=True)
    assert "#1 > POST /v1/chat/completions HTTP/1.1\\r" in text and f"#1 > {BODY.decode()}" in text
    assert "#1 < HTTP/1.1 200 OK\\r" in text and f"#1 < {len(event('Hel')) - 6:x}\\r" in text and "#1 < data: " in text
    assert "ff 1b 5b 32 4a 00" in text
    assert "\x1b" not in text and "\x00" not in text


def test_requests_in_full():
    """The dry run shows where it would have gone, every header, and the JSON over several lines."""
    lines = shown([WHOLE], show_requests=True).splitlines()
    assert lines[0] == "#1 POST http://h/v1/chat/completions"
    assert "   x-stainless-retry-count: 0" in lines and '     "model": "gpt-4o-mini",' in lines


def test_no_key_is_shown():
    """Not in any way of showing."""
    for settings in ({"show_raw": True}, {"show_requests": True}, {"show_events": True}):
        assert KEY not in shown([WHOLE], **settings)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal_lines_fit(monkeypatch, columns):
    """Long lines are folded at a space, and events cut; a pipe gets them whole."""
    monkeypatch.setattr(tap_screen, "terminal_columns", lambda out: columns)
    text = shown([WHOLE, LIMIT], Terminal(columns), show_events=True)
    plain = [line.partition("m")[2][:-4] if line.startswith("\x1b") else line for line in text.splitlines()]
    assert max(map(terminal.columns_of, plain)) <= columns
    assert max(map(len, shown([WHOLE, LIMIT], show_events=True).splitlines())) > 80


def test_colours_on_a_terminal_alone(monkeypatch):
    """Green for what went well, red for what did not; NO_COLOR and pipes get none."""
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32m" in shown([WHOLE], Terminal(80)) and "\x1b[31m" in shown([LIMIT], Terminal(80))
    assert "\x1b[" not in shown([WHOLE])
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in shown([WHOLE], Terminal(80))


def test_an_encoding_without_arrows():
    """A terminal of another century gets -> for →."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    usage = chunk(b'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}\n\n')
    screen = tap_screen.Screen(out)
    session = recording_module.Recording([screen], source="tap")
    recorder = session.begin(wire.Request("POST", "http://h/v1/chat/completions", (), BODY), at_s=0)
    recorder.head(wire.ResponseHead(200, "OK", wire.Headers(EVENT_STREAM)), at_s=0)
    recorder.read(event("a", finish_reason="stop") + usage + b"0\r\n\r\n", at_s=0)
    recorder.end("eof", at_s=0)
    out.seek(0)
    assert "4->2 tok" in out.read()
