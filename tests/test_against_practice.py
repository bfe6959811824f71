"""The client against the practice server, over real sockets: what each fault of its table must come to.

`ROWS` has a row for every fault, and a test that says so: a new fault demands a row here. What stands in a row is what
is right by the wire, not what the client happens to do. Waits are recorded and move the clock, and nobody sleeps.
"""

import contextlib
import gc
import json
import re
import threading
import time
from typing import NamedTuple, Optional, Tuple

import pytest

from . import forms, module, rawchat
from .doors import SYNC_DOORS, PlainDoor
from .test_client import check_events

practice = module("lab.practice")
faults = module("lab.faults")
fault_table = module("lab.fault_table")
patience = module("protocol.patience")
stream_module = module("stream")

KEY = "sk-test-0123456789abcdef"
QUESTION = "Count to five."
PIECES = ("One", ",", " two", ",", " three", ",", " four", ",", " five", ".")
TEXT = "".join(PIECES)
SPREAD = "".join(piece + "é✅🎉" for piece in PIECES)
SEPARATORS = "\u2028\u2029\x85"


class Outcome(NamedTuple):
    """What the caller has in the end. `error` "" means success; then the rest of the reply is the clean one's."""

    text: str = TEXT
    finish: Optional[str] = "stop"
    usage: bool = True
    reasoning: str = ""
    error: str = ""
    status: Optional[int] = None
    words: str = ""
    requests: int = 1
    waits: Tuple[float, ...] = ()
    named: bool = True  # the request id is known
    keeps: Optional[bool] = True  # the connection carries the next call; None: either will do


WHOLE = Outcome()


def fails(error, status=200, words="", **more):
    """Tried once, and raised."""
    return Outcome(**{"text": "", "error": error, "status": status, "words": words, **more})


def again(error, status=200, words="", wait=0.5, **more):
    """Tried once more after `wait` seconds, and raised then."""
    return fails(error, status, words, requests=2, waits=(wait,), **more)


def breaks(error, words="", **more):
    """A stream that fails after the first two pieces of text: they are kept, and it is not sent again."""
    return fails(error, 200, words, **{"text": "One,", "keeps": None, **more})


class Row(NamedTuple):
    """`how` is the fault as it is asked for, where that is not its name alone. `hurried`: with tiny time limits."""

    chat: Outcome
    stream: Outcome
    how: str = ""
    hurried: bool = False


def both(outcome):
    return Row(outcome, outcome)


def only_stream(outcome, **more):
    return Row(WHOLE, outcome, **more)


def no_answer(error, words="", **more):
    """The connection yields no head: asked again, once, on a new one."""
    return again(error, None, words, named=False, keeps=False, **more)


FINE = both(WHOLE)
# http.client, below requests and in small copies, takes half a head for a whole one, and an empty answer.
HALF_A_HEAD = both(no_answer("APIConnectionError", "ended inside the head"))
COMPRESSED = both(no_answer("APIConnectionError", "it is compressed"))
COMPRESSING = ("gzip", "gzip-flush", "deflate", "not-gzip")
LATE = "no byte for 0.05 s"

ROWS = {
    # Statuses: what is fatal, what is tried again, and after which wait.
    "400": both(fails("BadRequestError", 400)),
    "401": both(fails("AuthenticationError", 401)),
    "402": both(fails("QuotaExceededError", 402)),
    "403": both(fails("PermissionDeniedError", 403)),
    "404": both(fails("NotFoundError", 404)),
    "408": both(again("APIStatusError", 408)),
    "409": both(again("ConflictError", 409)),
    "413": both(fails("BadRequestError", 413)),
    "422": both(fails("UnprocessableEntityError", 422)),
    "425": both(again("APIStatusError", 425)),
    "429": both(again("RateLimitError", 429, wait=1.0)),
    "500": both(again("InternalServerError", 500)),
    "502": both(again("InternalServerError", 502)),
    "503": both(again("InternalServerError", 503)),
    "504": both(again("InternalServerError", 504)),
    "524": both(again("InternalServerError", 524)),
    "529": both(again("InternalServerError", 529)),
    "quota": both(fails("QuotaExceededError", 429)),
    "429-none": both(again("RateLimitError", 429)),
    "429-float": both(again("RateLimitError", 429, wait=0.25)),
    "429-ms": both(again("RateLimitError", 429, wait=0.25)),
    # A date has whole seconds, so "two seconds from now" is between one and two.
    "429-date": both(again("RateLimitError", 429, wait=pytest.approx(1.5, abs=0.55))),
    "429-text": both(again("RateLimitError", 429, wait=0.5)),
    "429-reset": both(again("RateLimitError", 429, wait=1.0)),
    "429-day": both(fails("RateLimitError", 429, "86400")),
    "429-garbage": both(again("RateLimitError", 429)),
    "429-negative": both(again("RateLimitError", 429)),
    "should-retry": both(again("BadRequestError", 400)),
    "should-not-retry": both(fails("InternalServerError", 500)),
    "html-502": both(again("InternalServerError", 502, "502 Bad Gateway")),
    # Our own stream_options are dropped without a wait, and without usage; a chat has none to refuse.
    "refuse": only_stream(Outcome(requests=2, usage=False)),
    "301": both(fails("APIStatusError", 301, "/redirected/")),
    "302": both(fails("APIStatusError", 302, "/redirected/")),
    "303": both(fails("APIStatusError", 303, "/redirected/")),
    "307": both(fails("APIStatusError", 307, "/redirected/")),
    "308": both(fails("APIStatusError", 308, "/redirected/")),
    # Before the head.
    "slow-head": both(no_answer("APITimeoutError", "no answer"))._replace(how="slow-head=100", hurried=True),
    "stall-head": both(no_answer("APITimeoutError", "no answer"))._replace(hurried=True),
    "close-head": both(no_answer("APIConnectionError", "without an answer")),
    "reset-head": both(no_answer("APIConnectionError")),
    # http.client takes the half of a head for all of it, a body without a length follows, and it is empty.
    "half-head": Row(
        again("InvalidResponseError", named=False, keeps=False), again("StreamInterrupted", named=False, keeps=False)
    ),
    "garbage": both(no_answer("APIConnectionError", "does not answer in HTTP")),
    # Another answer than the one asked for.
    "whole": FINE,
    "stream": Row(Outcome(usage=False), WHOLE),  # the usage of a stream is asked for on streams only
    "error-200": both(again("InternalServerError", words="Provider returned error")),
    "html-200": both(fails("InvalidResponseError", words="200 OK")),
    "text-200": both(fails("InvalidResponseError", words="OK")),
    "empty-200": Row(fails("InvalidResponseError", words="empty"), again("StreamInterrupted", words="no answer was sent")),
    "null-200": both(fails("InvalidResponseError")),
    "list-200": both(fails("InvalidResponseError", words="a list")),
    "empty-stream": Row(
        fails("InvalidResponseError", words="empty"), again("StreamInterrupted", words="no answer was sent")
    ),
    "done-only": only_stream(again("StreamInterrupted", words="no answer was sent", keeps=None)),
    "content-type": FINE,
    "no-content-type": FINE,
    "latin1": only_stream(Outcome(text=SPREAD)),
    # Time. Before any text a silent stream is asked for again; after it, what came is kept.
    "slow": only_stream(again("APITimeoutError", words=LATE, keeps=False), how="slow=100", hurried=True),
    "slow-first": only_stream(again("APITimeoutError", words=LATE, keeps=False), how="slow-first=100", hurried=True),
    "buffered": only_stream(again("APITimeoutError", words=LATE, keeps=False), how="buffered=100", hurried=True),
    "stall": only_stream(breaks("APITimeoutError", LATE, keeps=False), hurried=True),
    "stall-comments": only_stream(
        breaks("APITimeoutError", "nothing but keep-alives for 0.05 s", keeps=False), how="stall-comments=5", hurried=True
    ),
    "stall-done": only_stream(Outcome(keeps=False), hurried=True),
    "stall-finish": only_stream(Outcome(keeps=False), hurried=True),
    # Breaking off.
    "cut": Row(again("APIConnectionError", words="broke off", keeps=False), breaks("StreamInterrupted", keeps=False)),
    "cut-clean": only_stream(breaks("StreamInterrupted", "cut off")),
    "cut-inside": only_stream(breaks("StreamInterrupted", "broke after 4 characters", keeps=False)),
    "cut-character": only_stream(breaks("StreamInterrupted", keeps=False, text="Oneé✅🎉,é✅🎉")),
    "reset": Row(again("APIConnectionError", keeps=False), breaks("StreamInterrupted", keeps=False)),
    # Nothing but the JSON says that it is cut off.
    "cut-silent": Row(
        again("InvalidResponseError", words="not JSON", keeps=False), breaks("StreamInterrupted", "cut off", keeps=False)
    ),
    "no-last-chunk": Row(again("APIConnectionError", keeps=False), Outcome(keeps=False)),
    # Errors inside a 200. After text nothing is sent again, whatever the code says.
    "error": only_stream(breaks("InternalServerError", "had an error")),
    "error-done": only_stream(breaks("InternalServerError", "had an error")),
    "error-429": only_stream(again("RateLimitError", words="Rate limit exceeded", keeps=None)),
    "error-event": only_stream(breaks("APIError", "had an error")),
    "error-text": only_stream(breaks("APIError", "upstream failed")),
    "error-field": only_stream(breaks("InternalServerError", "slot unavailable")),
    "error-string": only_stream(breaks("InternalServerError", "Request failed")),
    "error-object": only_stream(breaks("InternalServerError", "engine died")),
    "error-choice": only_stream(breaks("InternalServerError", "Provider disconnected")),
    # HTTP framing.
    "close-delimited": both(Outcome(keeps=False)),
    "http10": both(Outcome(keeps=False)),
    "length": FINE,
    "chunked": FINE,
    "length-long": Row(again("APIConnectionError", words="20 more", keeps=False), Outcome(keeps=False)),
    # What is cut away is [DONE], and with it the usage; the text has its finish_reason.
    "length-short": Row(fails("InvalidResponseError", words="not JSON", keeps=None), Outcome(usage=False, keeps=None)),
    "bad-chunk": Row(again("APIConnectionError", keeps=False), again("StreamInterrupted", keeps=False)),
    "trailers": FINE,
    "gzip": FINE,
    "gzip-flush": FINE,
    "deflate": FINE,
    "not-gzip": Row(
        again("APIConnectionError", words="cannot decode", keeps=None),
        again("StreamInterrupted", words="cannot decode", keeps=None),
    ),
    # Writing of events: none of it changes what is said.
    "crlf": FINE,
    "cr": FINE,
    "mixed": FINE,
    "crlf-split": FINE,
    "no-space": FINE,
    "two-spaces": FINE,
    "multi-line": FINE,
    "bom": FINE,
    "ids": FINE,
    "event-names": FINE,
    "retry-field": FINE,
    "unknown-fields": FINE,
    "unended": FINE,
    "half-ended": FINE,
    "raw-utf8": FINE,
    "comments": FINE,
    "comment-data": FINE,
    "pings": FINE,
    "heartbeats": FINE,
    "no-data": FINE,
    "after-done": FINE,
    "pairs": FINE,
    "blocks": FINE,
    "halves": FINE,
    "bytes": FINE,
    "split-utf8": only_stream(Outcome(text=SPREAD)),
    "split-surrogates": only_stream(
        Outcome(text="".join(a + "🎉" + b for a, b in zip(PIECES[::2], PIECES[1::2])))
    ),
    "separators": Row(
        Outcome(text=TEXT + SEPARATORS), Outcome(text="".join(piece + SEPARATORS for piece in PIECES))
    ),
    "glued": only_stream(breaks("InvalidResponseError", "not JSON", text="One")),
    # Shape of chunks.
    "azure": FINE,
    "empty-choices": FINE,
    "null-choices": Row(fails("InvalidResponseError", words='"choices" is null'), WHOLE),
    "null-delta": FINE,
    "no-delta": FINE,
    "bare": FINE,
    "changing-ids": FINE,
    "roles": FINE,
    "nulls": FINE,
    "content-parts": FINE,
    "growing": FINE,
    "reasoning": both(Outcome(reasoning="Let me think.")),
    "no-done": FINE,
    "no-finish": both(Outcome(finish=None)),
    "finish-empty": FINE,
    "finish": both(Outcome(finish="eos")),
    "finish-twice": FINE,
    # Usage.
    "no-usage": both(Outcome(usage=False)),
    "usage-finish": FINE,
    "usage-choice": FINE,
    "usage-groq": FINE,
    "usage-every": FINE,
    "usage-null": FINE,
    # Tool calls: without tools in the request nothing is different; with them, see below.
    "tools-whole": FINE,
    "tools-no-index": FINE,
    "tools-index-zero": FINE,
    "tools-repeated": FINE,
    "tools-object": FINE,
    "tools-nulls": FINE,
    "tools-stop": FINE,
}  # fmt: skip


# The deadline is there for the day on which an idle timeout fails: a test that hangs tells nobody why.
HURRIED = {"timeout": (5, 0.05), "deadline": 30}


class Clock:
    """The real clock, set forward by every wait that is not slept."""

    def __init__(self, monotonic):
        self._monotonic = monotonic
        self.ahead_s = 0.0

    def __call__(self):
        return self._monotonic() + self.ahead_s


def patient(door):
    """A class: the real door; its sleeps are recorded, and move the clock instead of anybody's patience."""

    class PatientTransport(door):
        def __init__(self, clock):
            super().__init__()
            self.sleeps = []
            self.clock = clock
            self.settled = lambda: True

        def sleep(self, seconds, wake=None):
            self.sleeps.append(seconds)
            # In real waits the server's thread has long done its last line of the attempt before; here it has to be
            # given the time to, or it would note down the later hour.
            assert eventually(self.settled)
            self.clock.ahead_s += seconds

    return PatientTransport


@pytest.fixture
def clock(monkeypatch):
    """One clock for client and server, so that the server's verdict sees the waits."""
    moved = Clock(time.monotonic)
    monkeypatch.setattr(time, "monotonic", moved)
    return moved


@pytest.fixture(params=SYNC_DOORS)
def transport(request, clock):
    door = patient(SYNC_DOORS[request.param])(clock)
    yield door
    door.close()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_open():
    """A socket that only the garbage collector closes is a ResourceWarning, and that is an error."""
    yield
    gc.collect()


@pytest.fixture
def hurry(monkeypatch):
    """Tiny time limits beyond those that a call can set."""

    def shorten():
        monkeypatch.setattr(patience, "FINISH_GRACE_S", 0.03)
        monkeypatch.setattr(stream_module, "DRAIN_S", 0.03)

    return shorten


def client_for(server, transport, fault="", **options):
    base_url = f"{server.root}/fault/{fault}/v1" if fault else server.url
    if hasattr(transport, "settled"):
        transport.settled = lambda: all(record.over for record in server.requests)
    options = {"timeout": (5, 5), "max_retries": 1, "retry": rawchat.RetryPolicy(jitter=0.0), **options}
    return rawchat.Client(KEY, base_url, transport=transport, **options)


class Got(NamedTuple):
    reply: Optional[rawchat.Reply]
    error: Optional[rawchat.APIError]
    pieces: str


def ask(client, way, question=QUESTION, **parameters):
    """One call to its end. Whatever is raised that is no APIError of ours goes through."""
    pieces = []
    try:
        if way == "chat":
            reply = client.chat(question, **parameters)
            return Got(reply, None, reply.text)
        with client.stream(question, **parameters) as stream:
            pieces.extend(stream)
        assert stream.attempts == stream.reply.attempts
        return Got(stream.reply, None, "".join(pieces))
    except rawchat.APIError as error:
        return Got(None, error, "".join(pieces))


@pytest.fixture(scope="module")
def clean_usage():
    with practice.PracticeServer(pace_ms=0) as server, rawchat.Client(KEY, server.url) as client:
        reply = client.chat(QUESTION)
    assert reply.text == TEXT
    return dict(reply.usage)


def test_every_fault_has_its_row():
    """A fault that is added to the server's table has to be judged here, too."""
    assert list(ROWS) == list(faults.FAULTS)


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize("name", ROWS)
def test_fault(name, way, clock, transport, hurry, clean_usage):
    """Text byte for byte, finish_reason and usage, or the typed error with what had come; as many requests as the
    policy says and after the waits that were asked for; then the next call goes well, on the same connection if it can.
    And the server has nothing against the client.
    """
    row = row_for(name, transport)
    wanted = getattr(row, way)
    if row.hurried:
        hurry()
    with practice.PracticeServer(pace_ms=0) as server:
        client = client_for(server, transport, row.how or name, **(HURRIED if row.hurried else {}))
        events = []
        got = ask(client.with_options(listeners=[events.append]), way)

        assert type(got.error).__name__ == (wanted.error or "NoneType"), got
        check_reply(got, wanted, clean_usage) if got.error is None else check_error(got, wanted, way)
        assert got.pieces == wanted.text
        assert len(server.requests) == wanted.requests
        assert not any(record.redirected for record in server.requests)
        assert tuple(transport.sleeps) == wanted.waits
        check_events(events, got.error)

        after = ask(client_for(server, transport), "chat")
        assert (after.pieces, after.reply.attempts) == (TEXT, 1)
        assert wanted.keeps in (None, server.requests[-1].reused)
        clock.ahead_s += 1000  # the client has had all the time in the world to come back
        assert [finding for finding in server.verdict() if finding.level == "fail"] == []


def row_for(name, transport):
    if isinstance(transport, PlainDoor):
        return COMPRESSED if name in COMPRESSING else ROWS[name]
    return HALF_A_HEAD if (transport.name, name) == ("stdlib", "half-head") else ROWS[name]


def check_reply(got, wanted, clean_usage):
    reply = got.reply
    assert (reply.text, reply.finish_reason, reply.reasoning) == (wanted.text, wanted.finish, wanted.reasoning)
    assert reply["choices"][0]["message"]["role"] == "assistant"
    assert reply.complete
    assert reply.attempts == wanted.requests
    assert_named(reply.request_id, wanted)
    if wanted.usage:
        assert reply.usage == clean_usage
        assert reply.cost == pytest.approx((11 * 0.15 + 10 * 0.60) / 1e6)
    else:
        assert not reply.usage and reply.cost is None  # unknown, and never zero


def check_error(got, wanted, way):
    error = got.error
    assert (error.status, error.attempts) == (wanted.status, wanted.requests)
    assert_named(error.request_id, wanted)
    assert wanted.words in str(error)
    assert KEY not in str(error) + repr(error)
    if way == "stream" and wanted.status == 200:
        assert error.reply.text == wanted.text
        assert not error.reply.complete


def assert_named(request_id, wanted):
    assert bool(re.fullmatch(r"req_[0-9a-f]{32}", request_id or "")) is wanted.named


# Two choices, and tool calls -----------------------------------------------------------------------------------------

SECOND_TEXT = f"In other words: {TEXT}"
# Not those that write into the text, whose pieces are others here; nor "bare": without an index nobody can tell two
# choices apart.
WITH_TWO = [
    name
    for name, row in ROWS.items()
    if not row.stream.error and not row.hurried and row.stream.text == TEXT and name != "bare"
]


@pytest.mark.parametrize("name", WITH_TWO)
def test_two_choices(name, practice, transport):
    """Each choice has its text and its finish_reason, however their chunks are interleaved and disturbed."""
    wanted = row_for(name, transport).stream
    got = ask(client_for(practice, transport, name), "stream", n=2)

    assert type(got.error).__name__ == (wanted.error or "NoneType"), got
    if wanted.error:
        return
    assert [choice["finish_reason"] for choice in got.reply["choices"]] == [wanted.finish] * 2
    assert got.reply.texts == [TEXT, SECOND_TEXT]
    assert got.pieces == TEXT


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("get_weather", "get_time")
]
WITH_TOOLS = [
    row.name for heading, rows in fault_table.GROUPS if "Tool" in heading or "Shape" in heading for row in rows
]


@pytest.mark.parametrize("way", ["chat", "stream"])
@pytest.mark.parametrize("name", WITH_TOOLS)
def test_tool_calls(name, way, practice, transport):
    """Two calls with their names and arguments, in whatever way a server cuts them into pieces."""
    wanted = getattr(ROWS[name], way)
    question = "What is the weather and the time in Paris?"
    got = ask(client_for(practice, transport, name), way, question, tools=TOOLS)
    if wanted.error:
        assert type(got.error).__name__ == wanted.error
        return
    calls = got.reply.tool_calls
    finish = {"tools-stop": "stop", "finish": "eos", "no-finish": None}.get(name, "tool_calls")

    assert [call["function"]["name"] for call in calls] == ["get_weather", "get_time"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": "Paris"}] * 2
    assert len({call["id"] for call in calls}) == 2 and all(call["id"] for call in calls)
    assert (got.reply.finish_reason, got.reply.complete, got.pieces) == (finish, True, "")


# Streams in time, and what they leave behind ---------------------------------------------------------------------------


def eventually(condition):
    """Whether it comes true within two seconds. For what the other side of a socket sees a moment later."""
    for _ in range(400):
        if condition():
            return True
        threading.Event().wait(0.005)
    return False


def test_the_deadline_holds_over_attempts_and_waits(practice, transport):
    """503 after 503: waits of 0.5, 1, 2 and 4 s fit into ten seconds, the next of 8 s does not, and is not begun."""
    client = client_for(practice, transport, "503", max_retries=9, deadline=10)
    for way in ("chat", "stream"):
        transport.sleeps.clear()
        error = ask(client, way).error

        assert isinstance(error, rawchat.InternalServerError)
        assert "deadline of 10 s" in str(error) and error.attempts == 5
        assert transport.sleeps == [0.5, 1.0, 2.0, 4.0]


def test_the_deadline_holds_over_attempts_waits_and_the_stream(practice, transport, clock):
    """What the waits before it have used up is missing to the stream: it ends by the deadline, its text kept."""
    client = client_for(practice, transport, "429x1=retry-after:9.9+slow=20", deadline=10)
    got = ask(client, "stream")

    assert isinstance(got.error, rawchat.DeadlineExceeded) and "deadline of 10 s" in str(got.error)
    assert transport.sleeps == [9.9] and got.error.attempts == 2
    assert TEXT.startswith(got.pieces) and got.pieces != TEXT
    assert got.error.reply is None or got.error.reply.text == got.pieces  # None: not even the head was here in time


def test_a_trickle_does_not_outlive_the_deadline(practice, transport):
    """Each event comes in time, and all of them do not."""
    got = ask(client_for(practice, transport, "slow=10", deadline=0.05), "stream")

    assert isinstance(got.error, rawchat.DeadlineExceeded)
    assert TEXT.startswith(got.pieces) and got.pieces != TEXT


ALIVE = [
    ("an event byte by byte", "bytes", 0.2, ""),
    ("a whole answer byte by byte", "whole+bytes", 0.2, ""),
    ("every chunk with a ping behind it, in one read", "pings+azure+pairs", 3.0, ""),
    ("comments between the chunks", "comments", 3.0, ""),
    ("nothing but comments", "stall-comments=1", 3.0, "nothing but keep-alives for 5 s"),
]


@pytest.mark.parametrize("fault, step_s, words", [row[1:] for row in ALIVE], ids=[row[0] for row in ALIVE])
def test_only_the_answer_counts_as_life(fault, step_s, words, practice, transport, clock):
    """The read timeout of 5 s runs on under pings and comments, and starts anew with every byte of the answer.

    No read takes long here; a listener sets the clock forward at each.
    """

    def listener(event):
        clock.ahead_s += step_s if isinstance(event, rawchat.Chunked) else 0

    got = ask(client_for(practice, transport, fault, listeners=[listener], deadline=5000), "stream")

    assert words in str(got.error or "")
    assert isinstance(got.error, rawchat.APITimeoutError) if words else got.pieces == TEXT


@pytest.mark.parametrize("fault", ["stall", "pings+stall@4"])
def test_a_timeout_keeps_its_cause(fault, practice, transport):
    """The error of the library below is chained, and not the error itself."""
    error = ask(client_for(practice, transport, fault, timeout=(5, 0.05)), "stream").error

    assert type(error) is rawchat.APITimeoutError and error.phase == "body"
    assert isinstance(error.__cause__, Exception) and not isinstance(error.__cause__, rawchat.APIError)


def test_what_an_error_said_before_it_broke_off_is_kept(practice, transport):
    """A Content-Length that is wrong by some bytes does not cost the server's words."""
    for way in ("chat", "stream"):
        error = ask(client_for(practice, transport, "401+length-long"), way).error

        assert isinstance(error, rawchat.AuthenticationError)
        assert "Incorrect API key provided" in str(error) and error.code == "invalid_api_key"


def test_an_early_exit_leaves_the_connection(practice, transport):
    """The half-read connection is closed, and the next call goes well on another."""
    client = client_for(practice, transport, "stall")
    for _ in client.stream(QUESTION):
        break

    assert eventually(lambda: practice.requests[0].over)
    assert ask(client_for(practice, transport), "stream").pieces == TEXT
    assert not practice.requests[1].reused


def test_a_keyboard_interrupt_in_the_loop_leaves_nothing_open(practice, transport):
    """Even without `with`: the generator's end closes the connection, and the server sees it."""
    client = client_for(practice, transport, "stall")
    stream = client.stream(QUESTION)
    with pytest.raises(KeyboardInterrupt):
        for _ in stream:
            raise KeyboardInterrupt

    assert eventually(lambda: practice.requests[0].over)
    assert stream.reply.text in ("One", "One,")  # what had arrived: one read may bring two pieces
    assert not stream.reply.complete


def test_cancel_wakes_a_blocked_read(practice, transport):
    """From another thread; the loop ends quietly, what had come is kept, and the server sees the client leave."""
    events = []
    client = client_for(practice, transport, "stall", listeners=[events.append])
    stream = client.stream(QUESTION)
    timer = threading.Timer(0.03, stream.cancel)
    timer.start()
    texts = list(stream)
    timer.join()

    assert texts == ["One", ","]
    assert stream.cancelled and stream.reply.text == "One," and not stream.reply.complete
    assert isinstance(events[-1], rawchat.Done) and not events[-1].whole
    assert eventually(lambda: practice.requests[0].over)


def test_cancel_ends_a_wait_between_attempts(practice):
    """A wait of a minute, over at once: no further request goes out, and nothing is raised."""
    with transport_of_its_own() as door:
        client = client_for(practice, door, "error-429", retry=rawchat.RetryPolicy(initial_s=60, cap_s=60, jitter=0))
        events, waiting = [], threading.Event()

        def listener(event):
            events.append(event)
            if isinstance(event, rawchat.Waiting):
                waiting.set()

        stream = client.with_options(listeners=[listener]).stream(QUESTION)
        texts = []
        reader = threading.Thread(target=lambda: texts.extend(stream))
        reader.start()
        assert waiting.wait(5)
        stream.cancel()
        reader.join(5)

    assert not reader.is_alive() and texts == []
    assert len(practice.requests) == 1
    assert isinstance(events[-1], rawchat.Done) and not events[-1].whole


@contextlib.contextmanager
def transport_of_its_own():
    door = SYNC_DOORS["stdlib"]()
    try:
        yield door
    finally:
        door.close()


def test_five_streams_use_one_connection(practice, transport):
    """After [DONE] the rest is drained, so that the next call finds the connection open."""
    client = client_for(practice, transport)
    for _ in range(5):
        assert ask(client, "stream").pieces == TEXT

    assert {record.connection for record in practice.requests} == {1}


def test_a_stream_that_is_asked_for_again_tells_one_story(practice, transport):
    """A break before any text: the events of both attempts come in order, and `attempts` says two."""
    events = []
    client = client_for(practice, transport, "cut@1x1", listeners=[events.append])
    with client.stream(QUESTION) as stream:
        assert stream.attempts == 1
        assert "".join(stream) == TEXT

    assert stream.attempts == stream.reply.attempts == 2
    check_events(events, None)
    kinds = [type(event).__name__ for event in events if not isinstance(event, rawchat.Chunked)]
    assert kinds == ["Sending", "Received", "Failed", "Waiting", "Sending", "Received", "Done"]
    assert [event.attempt for event in events] == sorted(event.attempt for event in events)
    failed = next(event for event in events if isinstance(event, rawchat.Failed))
    assert not failed.final and isinstance(failed.error, rawchat.StreamInterrupted)


@pytest.mark.parametrize("way", ["chat", "stream"])
def test_a_listener_that_raises_closes_the_connection(way, practice, transport):
    """In the middle of the body; the exception is the caller's, and the next call has a connection of its own."""

    def listener(event):
        if isinstance(event, rawchat.Chunked):
            raise RuntimeError("listener")

    client = client_for(practice, transport, "slow=1" if way == "stream" else "chunked+bytes", listeners=[listener])
    with pytest.raises(RuntimeError, match="listener"):
        ask(client, way)

    assert ask(client_for(practice, transport), "chat").pieces == TEXT
    assert not practice.requests[-1].reused


def test_two_threads_stream_from_one_client(practice, transport):
    """At the same time, over connections of their own, and each gets its own answer."""
    client = client_for(practice, transport)
    together, texts = threading.Barrier(2), {}

    def read(name):
        together.wait(5)
        for _ in range(5):
            texts.setdefault(name, []).append(ask(client, "stream", f"Say {name}.").pieces)

    threads = [threading.Thread(target=read, args=(name,)) for name in ("apple", "pear")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert texts == {"apple": ["apple."] * 5, "pear": ["pear."] * 5}


# Money ---------------------------------------------------------------------------------------------------------------

COST = pytest.approx((11 * 0.15 + 10 * 0.60) / 1e6)


@pytest.mark.parametrize("fault", ["", "cut@1x1", "503x1", "refuse"])
def test_a_budget_counts_a_stream_once(fault, practice, transport):
    """However many attempts it took; and nothing stays reserved."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    client = client_for(practice, transport, fault, cost_tracker=tracker)
    if fault == "refuse":  # no usage: the reservation counts as spent
        with pytest.warns(rawchat.UnknownPriceWarning, match="no usage"):
            assert ask(client, "stream").pieces == TEXT
        assert tracker.spent_usd > 0
    else:
        assert ask(client, "stream").pieces == TEXT
        assert tracker.spent_usd == tracker.total_cost == COST

    assert (tracker.call_count, tracker.reserved_usd) == (1, 0)


def test_a_broken_stream_is_not_free(practice, transport):
    """What arrived was paid for, how much nobody knows: the reservation counts as spent, and no longer as reserved."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    client = client_for(practice, transport, "cut", cost_tracker=tracker)
    with pytest.warns(rawchat.UnknownPriceWarning, match="no usage"):
        error = ask(client, "stream").error

    assert isinstance(error, rawchat.StreamInterrupted)
    assert (tracker.call_count, tracker.reserved_usd, tracker.total_cost) == (1, 0, 0)
    assert 0 < tracker.spent_usd < 1


@pytest.mark.parametrize("fault", ["401", "close-head", "empty-stream", "error-429", "html-200"])
def test_a_stream_that_brings_nothing_costs_nothing(fault, practice, transport):
    """Its reservation is released."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    assert ask(client_for(practice, transport, fault, cost_tracker=tracker), "stream").error

    assert (tracker.call_count, tracker.reserved_usd, tracker.spent_usd) == (0, 0, 0)


# The parts, on one's own requests.post -------------------------------------------------------------------------------


def post(server, fault, *, stream, timeout=5):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        body.update(stream=True, stream_options={"include_usage": True})
    url = f"{server.root}/fault/{fault}/v1/chat/completions"
    import requests

    return requests.post(url, json=body, stream=True, timeout=timeout)


HANDLED = [
    ("chunked", ""),
    ("gzip", ""),
    ("close-delimited", ""),
    ("stream", ""),
    ("content-type", ""),
    ("401", "AuthenticationError"),
    ("429-float", "RateLimitError"),
    ("html-502", "InternalServerError"),
    ("401+length-long", "AuthenticationError"),
    ("error-200", "InternalServerError"),
    ("html-200", "InvalidResponseError"),
    ("empty-200", "InvalidResponseError"),
    ("cut", "APIConnectionError"),
    ("reset", "APIConnectionError"),
    ("bad-chunk", "APIConnectionError"),
    ("not-gzip", "APIConnectionError"),
]


@forms.needs_requests
@pytest.mark.parametrize("fault, error", HANDLED, ids=[row[0] for row in HANDLED])
def test_handle_response(fault, error, practice):
    """The reply or the typed error, and never an exception of requests, however the body ends."""
    with post(practice, fault, stream=False) as response:
        if not error:
            assert rawchat.handle_response(response).text == TEXT
            return
        with pytest.raises(rawchat.APIError) as caught:
            rawchat.handle_response(response)

    assert type(caught.value).__name__ == error
    assert caught.value.status == response.status_code and caught.value.request_id.startswith("req_")
    assert caught.value.retry_after_s == (0.25 if fault == "429-float" else None)


ITERATED = [
    ("crlf", TEXT, ""),
    ("gzip-flush", TEXT, ""),
    ("close-delimited", TEXT, ""),
    ("pings", TEXT, ""),
    ("whole", TEXT, ""),
    ("no-done", TEXT, ""),
    ("stall-done", TEXT, ""),
    ("stall-finish", TEXT, ""),
    ("no-last-chunk", TEXT, ""),
    ("401", "", "AuthenticationError"),
    ("html-200", "", "InvalidResponseError"),
    ("done-only", "", "StreamInterrupted"),
    ("cut", "One,", "StreamInterrupted"),
    ("cut-clean", "One,", "StreamInterrupted"),
    ("cut-silent", "One,", "StreamInterrupted"),
    ("reset", "One,", "StreamInterrupted"),
    ("stall", "One,", "APITimeoutError"),
    ("error", "One,", "InternalServerError"),
    ("error-event", "One,", "APIError"),
    ("glued", "One", "InvalidResponseError"),
    ("bad-chunk", "", "StreamInterrupted"),
    ("not-gzip", "", "StreamInterrupted"),
]


@forms.needs_requests
@pytest.mark.parametrize("fault, text, error", ITERATED, ids=[row[0] for row in ITERATED])
def test_iter_chunks_and_iter_events(fault, text, error, practice, monkeypatch):
    """The chunks that came, then the end or the typed error with what had arrived; the events tell the same."""
    monkeypatch.setattr(module("parts"), "DRAIN_S", 0.03)
    timeout = (5, 0.05) if "stall" in fault else 5
    chunks, events = [], []
    raised = [
        exhausted(rawchat.iter_chunks(post(practice, fault, stream=True, timeout=timeout)), chunks),
        exhausted(rawchat.iter_events(post(practice, fault, stream=True, timeout=timeout)), events),
    ]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]

    assert "".join(delta.get("content") or "" for delta in deltas) == text
    assert [type(each).__name__ for each in raised] == [error or "NoneType"] * 2
    if fault not in ("whole", "glued"):  # an answer in one piece has no events; one of glued's is no JSON
        seen = [json.loads(event.data) for event in events if event.data[:1] == "{"]
        assert [chunk["choices"] for chunk in seen if "choices" in chunk] == [chunk["choices"] for chunk in chunks]
    for each in filter(None, raised):
        assert each.status == (401 if fault == "401" else 200) and each.request_id.startswith("req_")
        if each.status == 200:
            assert each.reply.text == text and not each.reply.complete


def exhausted(iterator, into):
    """What it raises, or None; what it gives goes `into` a list."""
    try:
        into.extend(iterator)
    except rawchat.APIError as error:
        return error
    return None
