"""The trace: an exchange told line by line, with its times, without its key."""

import io
import random
import threading

import pytest

from . import module

trace = module("lab.trace")
events_module = module("protocol.events")
wire = module("protocol.wire")
errors = module("protocol.errors")
redact = module("protocol.redact")

KEY = "sk-proj-0123456789abcdef"
URL = "http://127.0.0.1:8080/v1/chat/completions"
JSON_HEAD = (("Content-Type", "application/json"),)
STREAM_HEAD = (("Content-Type", "text/event-stream; charset=utf-8"), ("X-Request-Id", "req_1"))


class Reply(dict):
    """As much of a Reply as the trace looks at."""

    finish_reason = "stop"


class Terminal(io.StringIO):
    """A text stream that says it is a terminal; its width is what `terminal_columns` says."""

    def isatty(self):
        return True


def sending(
    at_s=0.0, call=1, attempt=1, body=b'{"model":"gpt-4o-mini"}', headers=(("Authorization", f"Bearer {KEY}"),)
):
    return events_module.Sending(at_s, call, attempt, wire.Request("POST", URL, headers, body), "requests")


def received(at_s, status=200, reason="OK", headers=STREAM_HEAD, call=1, attempt=1, reused=False):
    return events_module.Received(
        at_s, call, attempt, wire.ResponseHead(status, reason, wire.Headers(headers), reused=reused)
    )


def chunked(at_s, data, call=1, attempt=1):
    return events_module.Chunked(at_s, call, attempt, data)


def done(at_s, call=1, attempt=1, usage=None, cost_usd=None, whole=True):
    return events_module.Done(at_s, call, attempt, Reply(usage=usage) if usage else Reply(), cost_usd, whole)


def told(events, **options):
    out = options.pop("out", None) or io.StringIO()
    listener = trace.Trace(out, **options)
    for event in events:
        listener(event)
    return out.getvalue()


def text_event(text):
    return f'data: {{"id":"c1","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}\n\n'.encode()


RETRIED_STREAM = [
    sending(10.0, headers=(("Content-Type", "application/json"), ("Authorization", f"Bearer {KEY}"))),
    received(10.012, 429, "Too Many Requests", (*JSON_HEAD, ("Retry-After", "1"))),
    chunked(10.013, b'{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}'),
    events_module.Failed(
        10.014, 1, 1, errors.RateLimitError("429 Too Many Requests: Rate limit reached", status=429), False
    ),
    events_module.Waiting(10.014, 1, 1, 1.0, "429 rate limit, the server asks for 1 s"),
    sending(11.02, attempt=2, headers=()),
    received(11.04, attempt=2, reused=True),
    chunked(11.05, b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n' + text_event("Sal"), attempt=2),
    chunked(11.3, b": still here\n\n" + text_event("ut"), attempt=2),
    chunked(11.5, b"data: [DONE]\n\n", attempt=2),
    done(11.55, attempt=2, usage={"prompt_tokens": 12, "completion_tokens": 30}, cost_usd=0.0000198),
]

RETRIED_STREAM_TEXT = """\
* attempt 1, to 127.0.0.1:8080 through requests
> POST /v1/chat/completions HTTP/1.1
> Host: 127.0.0.1:8080
> Content-Type: application/json
> Authorization: Bearer <key:KEYMARK>
> Content-Length: 23
>
> {"model":"gpt-4o-mini"}
* the answer begins after 12 ms, on a new connection
< HTTP/1.1 429 Too Many Requests
< Content-Type: application/json
< Retry-After: 1
<
<   +1 ms {"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}
* 89 bytes in 1 read over 14 ms
* first byte 12 ms
* 429 rate limit: retryable
*   429 Too Many Requests: Rate limit reached
* waiting 1.00 s before attempt 2: 429 rate limit, the server asks for 1 s
* attempt 2, to 127.0.0.1:8080 through requests
> POST /v1/chat/completions HTTP/1.1
> Host: 127.0.0.1:8080
> Content-Length: 23
>
> {"model":"gpt-4o-mini"}
* the answer begins after 20 ms, on a connection used before
< HTTP/1.1 200 OK
< Content-Type: text/event-stream; charset=utf-8
< X-Request-Id: req_1
<
<  +10 ms data: {"choices":[{"delta":{"role":"assistant"}}]}
<         data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Sal"}}]}
* first text after 30 ms
< +250 ms : still here
<         data: {"id":"c1","choices":[{"index":0,"delta":{"content":"ut"}}]}
< +200 ms data: [DONE]
* 1 comment
* 4 events in 3 reads over 530 ms
* first byte 20 ms, first text 30 ms, longest gap 250 ms
* ended with finish_reason stop and [DONE]
* 12 + 30 tokens, $0.000020, 60 tokens/s
"""


def test_the_whole_text_of_a_retried_stream():
    """Two attempts, a wait and a stream, with fixed times: this is what the trace prints, to the letter."""
    mark = module("protocol.redact").mark(KEY)
    assert told(RETRIED_STREAM) == RETRIED_STREAM_TEXT.replace("<key:KEYMARK>", mark)


@pytest.mark.parametrize("seed", range(5))
def test_the_cuts_of_the_reads_change_no_line(seed):
    """However the body was cut, CRLF and characters of four bytes included, the same lines are shown once each."""
    body = "data: é🎉\r\n\r\n: note\rdata: [DONE]\n\n".encode()
    dice = random.Random(seed)
    cuts = sorted(dice.sample(range(1, len(body)), 9))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)])]
    for cut in (pieces, [body[at : at + 1] for at in range(len(body))]):
        text = told([sending(), received(0.1), *(chunked(0.2, piece) for piece in cut), done(0.3)])
        lines = [line[10:] for line in text.splitlines() if line.startswith("< ") and line[8:10] in ("s ", "  ")]
        assert lines == ["data: é🎉", ": note", "data: [DONE]"]
        assert "* 2 lines ended in CR LF" in text
        assert "* 1 line ended in a lone CR" in text


def test_a_door_that_does_not_tell_the_version():
    """A browser keeps the version of HTTP to itself, so the trace does not make one up."""
    head = wire.ResponseHead(200, "OK", wire.Headers(JSON_HEAD), http_version="")
    text = told([sending(), events_module.Received(0.1, 1, 1, head), done(0.3)])
    assert "< HTTP 200 OK\n" in text


REMARKS = [
    ("BOM", [b"\xef\xbb\xbfdata: 1\n\n"], "* a byte order mark (EF BB BF) stands before the first field"),
    ("character cut in two", [b"data: \xc3", b"\xa9\n\n"], "* 1 read ended inside a character"),
    ("comments", [b": a\n: b\n\ndata: 1\n\n"], "* 2 comments"),
    (
        "ends inside a line",
        [b'data: 1\n\ndata: {"cho'],
        "* the body ended inside a line, 11 bytes after the last line end",
    ),
    ("rest of a line is shown", [b'data: 1\n\ndata: {"cho'], '<         data: {"cho'),
    ("no UTF-8", [b"data: \xff\xfe\n\n"], r"data: \xff\xfe"),
    ("escape sequences are spelled out", [b"data: \x1b[2J\x07\n\n"], r"data: \x1b[2J\x07"),
    ("[DONE] without line end", [b"data: 1\n\ndata: [DONE]"], "finish_reason stop and [DONE]"),
    ("no [DONE]", [b"data: 1\n\n"], "finish_reason stop and no [DONE]"),
    (
        "reasoning before text",
        [b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}\n\n', text_event("a")],
        "first reasoning 200 ms, first text 200 ms",
    ),
]


@pytest.mark.parametrize(("pieces", "expected"), [row[1:] for row in REMARKS], ids=[row[0] for row in REMARKS])
def test_what_is_odd_about_a_stream_is_said(pieces, expected):
    """Byte order marks, comments, cut characters and unfinished lines are remarked on, and shown."""
    assert expected in told([sending(), received(0.1), *(chunked(0.2, piece) for piece in pieces), done(0.3)])


def test_a_plain_stream_has_no_oddities():
    """LF, data and [DONE]: nothing is remarked on beyond the figures."""
    text = told([sending(), received(0.1), chunked(0.2, text_event("a") + b"data: [DONE]\n\n"), done(0.3)])
    assert [line for line in text.splitlines() if line.startswith("*")] == [
        "* attempt 1, to 127.0.0.1:8080 through requests",
        "* the answer begins after 100 ms, on a new connection",
        "* first text after 200 ms",
        "* 2 events in 1 read over 300 ms",
        "* first byte 100 ms, first text 200 ms",
        "* ended with finish_reason stop and [DONE]",
    ]


FAILURES = [
    (
        "fatal status",
        received(0.1, 401, "Unauthorized", JSON_HEAD),
        errors.AuthenticationError("401 Unauthorized: Incorrect API key"),
        True,
        ["fatal", "401 Unauthorized: Incorrect API key"],
    ),
    (
        "last attempt",
        received(0.1, 503, "Service Unavailable", JSON_HEAD),
        errors.InternalServerError("503 Service Unavailable"),
        True,
        ["retryable, but no attempt is left"],
    ),
    ("no answer, again", None, errors.APIConnectionError("refused"), False, ["* APIConnectionError: retryable"]),
    (
        "no answer, final",
        None,
        errors.APIConnectionError("refused"),
        True,
        ["* APIConnectionError: no further attempt"],
    ),
    (
        "the key in the error",
        received(0.1, 401, "Unauthorized", JSON_HEAD),
        errors.AuthenticationError(f"Incorrect API key provided: {KEY}."),
        True,
        ["Incorrect API key provided: <key:"],
    ),
]


@pytest.mark.parametrize(
    ("head", "error", "final", "expected"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_failure_says_its_verdict_and_the_errors_own_words(head, error, final, expected):
    """Whether another attempt is due, what the error says, and never the key."""
    events = [
        sending(),
        *([head, chunked(0.2, b'{"error":{"message":"x"}}')] if head else []),
        events_module.Failed(0.3, 1, 1, error, final),
    ]
    text = told(events)
    assert [part for part in expected if part not in text] == []
    assert KEY not in text


def test_the_causes_of_an_error_are_named():
    """Whoever reads a trace is looking for the cause, and its cause."""
    error = errors.APIConnectionError("no connection")
    error.phase = "connect"
    error.__cause__ = OSError("Name or service not known")
    text = told([sending(), events_module.Failed(0.3, 1, 1, error, True)])
    assert "* APIConnectionError (connect): no further attempt\n*   no connection\n" in text
    assert "*   caused by OSError: Name or service not known\n" in text


def test_an_error_among_its_own_causes_is_told_once():
    """An error raised again while it is handled can end up behind itself."""
    one, other = errors.APIError("one"), OSError("other")
    one.__cause__, other.__cause__ = other, one
    assert trace.causes_of(one) == ["caused by OSError: other"]


def test_a_key_that_is_a_word_hides_no_words():
    """Servers at home take "ollama" for a key; the header is hidden all the same."""
    text = told(
        [
            sending(headers=(("Authorization", "Bearer ollama"),)),
            events_module.Failed(0.1, 1, 1, OSError("is ollama up?"), True),
        ]
    )
    assert "> Authorization: Bearer <key:" in text
    assert "is ollama up?" in text
    words = ["ollama", "practice", "lm-studio", "none", "sk-0123456789", "0f9a8b7c", "abcdefghijklmnopqrst"]
    assert [word for word in words if redact.is_word(word)] == ["ollama", "practice", "lm-studio", "none"]


def test_no_key_is_shown_wherever_it_stands():
    """In headers of any kind, the URL, both bodies, the answer's headers: a mark, and the same mark each time."""
    oddly_shaped = "0f9a8b7c6d5e4f30"  # nothing about it says "key" but the header that it stands in
    headers = (("api-key", oddly_shaped), ("Authorization", f"Bearer {KEY}"), ("Cookie", "session=abcdefgh"))
    request = wire.Request("POST", f"{URL}?api-key={oddly_shaped}", headers, f'{{"user":"{KEY}"}}'.encode())
    text = told(
        [
            events_module.Sending(0.0, 1, 1, request, "requests"),
            received(0.1, 401, "Unauthorized", (("Set-Cookie", "session=ijklmnop"), ("X-Echo", oddly_shaped))),
            chunked(0.2, f"data: you sent {oddly_shaped} and {KEY} and also my-own-secret\n\n".encode()),
            events_module.Failed(0.3, 1, 1, errors.AuthenticationError(f"bad key {oddly_shaped}"), True),
        ],
        secrets=["my-own-secret"],
    )
    secrets = (oddly_shaped, KEY, "abcdefgh", "ijklmnop", "my-own-secret")
    assert [secret for secret in secrets if secret in text] == []
    assert text.count(module("protocol.redact").mark(oddly_shaped)) == 5


def test_long_bodies_are_cut_with_a_count_unless_all_is_wanted():
    """The rest is counted in bytes; a key is hidden before the cut, so that no half of it stays."""
    body = b'{"x":"' + b"a" * 3000 + b'"}'
    text = told([sending(body=body), done(0.1)])
    assert f"{'a' * 20} … 1,008 bytes more\n" in text
    assert "a" * 3000 in told([sending(body=body), done(0.1)], full=True)
    at_the_cut = b"a" * (trace.LONG_TEXT - 8) + b" " + KEY.encode()
    assert KEY[:7] not in told([sending(body=at_the_cut), done(0.1)])


def test_without_bodies_their_size_is_told():
    """`bodies=False` shows heads and figures, and no line of either body."""
    text = told([sending(), received(0.1), chunked(0.2, text_event("secret text")), done(0.3)], bodies=False)
    assert "> [23 bytes]\n" in text
    assert "secret text" not in text
    assert "* 1 event in 1 read" in text


def test_calls_that_overlap_are_told_apart():
    """One call alone needs no number; from the first overlap on every line has one."""
    first = [sending(0.0), done(0.1)]
    overlap = [sending(0.2, call=2), sending(0.3, call=3), received(0.4, call=2), done(0.5, call=3), done(0.6, call=2)]
    lines = told([*first, *overlap]).splitlines()
    begins = [line for line in lines if "attempt 1" in line]
    assert [line[:3] for line in begins] == ["* a", "* a", "#3 "]
    after = [line[:4] for line in lines[lines.index(begins[2]) :]]
    assert after[0] == "#3 *"
    assert set(after) == {"#3 *", "#3 >", "#2 *", "#2 <"}


def test_threads_do_not_mix_their_lines():
    """Each line leaves whole, whoever else is printing."""
    out = io.StringIO()
    listener = trace.Trace(out)

    def talk(call):
        for event in (
            sending(0.0, call),
            received(0.1, call=call),
            *[chunked(0.2, text_event("a"), call)] * 50,
            done(1.0, call),
        ):
            listener(event)

    threads = [threading.Thread(target=talk, args=(call,)) for call in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shapes = {line.partition("data: ")[2] for line in out.getvalue().splitlines() if "data: " in line}
    assert shapes == {text_event("a").decode().strip()[6:]}
    assert repr(listener) == "Trace(bodies=True, full=False, 0 calls under way)"


def test_events_of_a_call_whose_beginning_was_not_seen_are_passed_over():
    """A listener may be added while calls are under way."""
    events = [received(0.1), chunked(0.2, b"x"), events_module.Waiting(0.3, 1, 1, 1.0, "w"), done(0.4)]
    assert told([*events, events_module.Failed(0.5, 1, 1, errors.APIError("x"), True)]) == ""


def test_left_early_and_unknown_price():
    """A stream that the caller left is no broken stream, and an unknown price is called unknown."""
    usage = {"prompt_tokens": 1, "completion_tokens": 0}
    text = told([sending(), received(0.1), chunked(0.2, text_event("a")), done(0.3, whole=False, usage=usage)])
    assert "* left before the end: the caller had enough\n* 1 + 0 tokens, price unknown\n" in text


def test_a_body_that_was_compressed_is_said_to_be_shown_without():
    head = (("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip"))
    assert "* the body below stands as it was before gzip\n" in told(
        [sending(), received(0.1, headers=head), done(0.3)]
    )


def test_on_a_narrow_terminal_a_line_shows_what_is_new(monkeypatch):
    """Chunks repeat each other; where they don't fit, the part that differs from the line before is shown."""
    monkeypatch.setattr(trace, "terminal_columns", lambda out: 40)
    pieces = [text_event("Sal"), text_event("ut"), b'data: {"other":"' + b"z" * 60 + b'"}\n\n']
    text = told(
        [sending(), received(0.1), *(chunked(0.2, piece) for piece in pieces), done(0.3)], out=Terminal(), color=False
    )
    lines = [line[10:] for line in text.splitlines() if "data: " in line]
    assert lines[0] == text_event("Sal").decode().strip()  # the first is whole: there is nothing to leave out
    assert lines[1] == 'data: …{"content":"ut"}}]}'
    assert lines[2] == 'data: {"other":"zzzzzzzzzzzzz…'
    assert len("<   +0 ms " + lines[2]) == 40


def test_color_marks_the_side_and_the_remarks(monkeypatch):
    """On a terminal only, and not under NO_COLOR."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = told([sending(), received(0.1), done(0.3)], out=Terminal())
    assert "\x1b[36m>\x1b[0m POST /v1/chat/completions HTTP/1.1\n" in text
    assert "\x1b[32m<\x1b[0m HTTP/1.1 200 OK\n" in text
    assert "\x1b[33m*\x1b[0m \x1b[33mattempt 1, to 127.0.0.1:8080 through requests\x1b[0m\n" in text
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in told([sending(), received(0.1), done(0.3)], out=Terminal())
    assert "\x1b" not in told([sending(), received(0.1), done(0.3)])


SPANS = [
    (0, "0 ms"),
    (0.0124, "12 ms"),
    (0.9994, "999 ms"),
    (0.9996, "1.00 s"),
    (9.99, "9.99 s"),
    (9.996, "10.0 s"),
    (4000, "4,000.0 s"),
]


@pytest.mark.parametrize(("seconds", "expected"), SPANS, ids=[row[1] for row in SPANS])
def test_times_are_short(seconds, expected):
    """Milliseconds below a second, three figures above."""
    assert trace._span(seconds) == expected
