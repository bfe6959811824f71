"""Call and Limits: how long each step may take, and whether another attempt follows. No clock, no dice, no socket."""

import pytest

from . import module, rawchat

call_module = module("protocol.call")
cost = module("protocol.cost")
status = module("protocol.status")
wire = module("protocol.wire")

KEY = "sk-test-0123456789abcdef"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
REFUSAL = b'{"error": {"message": "Unrecognized request argument supplied: stream_options", "param": "stream_options"}}'


def limits(connect_s=5.0, read_s=600.0, deadline_s=None, started_s=100.0):
    return call_module.Limits(connect_s, read_s, deadline_s, started_s)


def make_call(payload=CHAT, *, max_retries=2, within=None, attempts=1, **options):
    """A call that has made `attempts` attempts."""
    call = call_module.Call(
        number=1,
        method="POST",
        url="http://127.0.0.1:1/v1/chat/completions",
        payload=dict(payload) if payload is not None else None,
        make_headers=lambda attempt: (("Authorization", f"Bearer {KEY}"), ("X-Attempt", str(attempt))),
        policy=rawchat.RetryPolicy(jitter=0.5),
        max_retries=max_retries,
        limits=within or limits(),
        **options,
    )
    for _ in range(attempts):
        call.next_request()
    return call


def head(status, **headers):
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return wire.ResponseHead(status, "", rawchat.Headers(pairs))


def status_error(call, status, body=b"", **headers):
    return call.status_error(head(status, **headers), body, unix_s=1_700_000_000.0)


def after(call, error, *, now_s=100.0, dice=0.0):
    return call.after(error, now_s=now_s, dice=dice)


# Limits --------------------------------------------------------------------------------------------------------------

BOUNDS = [
    ("no deadline", None, 600.0, 100.0, 600.0),
    ("no deadline and no limit", None, None, 100.0, None),
    ("the deadline is nearer", 20.0, 600.0, 105.0, 15.0),
    ("the limit is nearer", 20.0, 3.0, 105.0, 3.0),
    ("only the deadline limits", 20.0, None, 105.0, 15.0),
]


@pytest.mark.parametrize(
    "deadline_s, limit_s, now_s, expected", [row[1:] for row in BOUNDS], ids=[r[0] for r in BOUNDS]
)
def test_a_limit_is_bounded_by_the_deadline(deadline_s, limit_s, now_s, expected):
    assert limits(deadline_s=deadline_s).bounded(limit_s, now_s) == expected


def test_time_left_counts_down_and_ends_with_an_error():
    """DeadlineExceeded names the deadline that was set, not the moment."""
    within = limits(deadline_s=2.5)

    assert within.bounded(None, 100.0) == within.left_s(100.0) == 2.5
    assert within.bounded(None, 102.0) == within.left_s(102.0) == 0.5
    assert limits().bounded(None, 1e9) is None and limits().left_s(1e9) == float("inf")
    for now_s in (102.5, 200.0):
        with pytest.raises(rawchat.DeadlineExceeded, match=r"deadline of 2\.5 s"):
            within.bounded(None, now_s)


def test_a_timeout_at_the_deadline_is_told_as_such():
    """What was known of it (phase, partial reply, cause) is kept; timers that are a little early count as on time."""
    error = rawchat.APITimeoutError("no byte for 2 s")
    error.phase, error.reply = "body", {"choices": []}
    sharper = limits(deadline_s=2.0).sharpen(error, 101.9995)

    assert isinstance(sharper, rawchat.DeadlineExceeded)
    assert (sharper.phase, sharper.reply, sharper.__cause__) == ("body", {"choices": []}, error)


UNSHARPENED = [
    ("no deadline", rawchat.APITimeoutError("late"), None, 1e9),
    ("before the deadline", rawchat.APITimeoutError("late"), 2.0, 101.0),
    ("a reset at the deadline", rawchat.APIConnectionError("reset"), 2.0, 103.0),
    ("told already", rawchat.DeadlineExceeded("over"), 2.0, 103.0),
]


@pytest.mark.parametrize(
    "error, deadline_s, now_s", [row[1:] for row in UNSHARPENED], ids=[row[0] for row in UNSHARPENED]
)
def test_any_other_error_stays_what_it_is(error, deadline_s, now_s):
    assert limits(deadline_s=deadline_s).sharpen(error, now_s) is error


def test_each_attempt_has_the_time_that_is_left():
    """Connecting and reading are bounded alike; with nothing left there is no attempt."""
    call = make_call(within=limits(deadline_s=10.0))

    assert call.timeouts(100.0) == (5.0, 10.0)
    assert call.timeouts(107.0) == (3.0, 3.0)
    with pytest.raises(rawchat.DeadlineExceeded):
        call.timeouts(110.0)


# What is asked for ---------------------------------------------------------------------------------------------------

ASKED = [
    ("nothing said", {}, 1, 1024),
    ("n", {"n": 3}, 3, 3072),
    ("a limit", {"max_tokens": 50}, 1, 50),
    ("the newer limit wins", {"max_tokens": 50, "max_completion_tokens": 70, "n": 2}, 2, 140),
    ("values that no server takes", {"n": "two", "max_tokens": -1}, 1, 1024),
    ("n is null", {"n": None}, 1, 1024),
]


@pytest.mark.parametrize("parameters, choices, tokens", [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_choices_and_tokens_asked_for(parameters, choices, tokens):
    """What a stream waits for, and what a budget keeps back."""
    call = make_call({**CHAT, **parameters})

    assert (call.choices, cost.most_output_tokens(call.payload, call.choices)) == (choices, tokens)


def test_a_call_without_a_payload_has_no_model_and_no_body():
    """A list of models, for one."""
    call = make_call(None)

    assert (call.model, call.body, call.choices) == ("", b"", 1)


def test_requests_are_counted_and_their_headers_made_anew():
    """So that a retry can carry a fresh token; the body is the same bytes each time."""
    call = make_call(attempts=0)
    first, second = call.next_request(), call.next_request()

    assert (call.attempt, first.body, first.headers[1][1], second.headers[1][1]) == (2, second.body, "1", "2")


# Another attempt -----------------------------------------------------------------------------------------------------


def test_backoff_grows_with_the_retries_taken():
    """0.5, 1, 2 s ... times what the dice leave of it."""
    waits = [
        after(make_call(attempts=n, max_retries=9), status_error(make_call(), 503), dice=dice).seconds
        for n, dice in ((1, 0.0), (2, 0.0), (3, 0.0), (3, 0.5))
    ]
    assert waits == [0.5, 1.0, 2.0, 1.5]


LAST = [
    ("retries are used up", 3, 503, {}, 100.0, None, ""),
    ("none wanted", 1, 503, {}, 100.0, 0, ""),
    ("fatal", 1, 401, {}, 100.0, None, ""),
    ("a day", 1, 429, {"retry_after": "86400"}, 100.0, None, "86400"),
    ("the wait would pass the deadline", 1, 429, {"retry_after": "6"}, 115.0, None, "waiting 6 s would pass the deadline of 20 s"),
    ("the wait would end at the deadline", 1, 429, {"retry_after": "5"}, 115.0, None, "deadline of 20 s"),
]  # fmt: skip


@pytest.mark.parametrize(
    "attempts, status, headers, now_s, max_retries, words", [row[1:] for row in LAST], ids=[row[0] for row in LAST]
)
def test_no_further_attempt(attempts, status, headers, now_s, max_retries, words):
    """The error is the caller's, and says why, where the reason is not its own."""
    call = make_call(
        attempts=attempts, max_retries=2 if max_retries is None else max_retries, within=limits(deadline_s=20.0)
    )
    error = status_error(call, status, **headers)

    assert after(call, error, now_s=now_s) is None
    assert words in error.hint
    assert error.attempts == attempts


def test_the_reason_is_said_once():
    """An error that is looked at twice does not repeat itself."""
    call = make_call()
    error = status_error(call, 429, retry_after="86400")
    after(call, error)
    hint = error.hint
    after(call, error)

    assert error.hint == hint


def test_a_wait_that_the_deadline_allows_is_taken():
    call = make_call(within=limits(deadline_s=20.0))

    assert after(call, status_error(call, 429, retry_after="4"), now_s=115.0).seconds == 4.0


def test_a_connection_error_is_worth_another_attempt_and_a_deadline_is_not():
    assert after(make_call(), rawchat.APIConnectionError("reset")).seconds == 0.5
    assert after(make_call(), rawchat.DeadlineExceeded("over")) is None


# stream_options ------------------------------------------------------------------------------------------------------


def test_stream_options_of_ours_are_dropped_once():
    """Without a wait and without counting as a retry; a second refusal is the caller's to see."""
    call = make_call(STREAM, max_retries=1)
    call.instead["stream_options"] = [None]
    wait = after(call, status_error(call, 400, REFUSAL))

    assert wait.seconds == 0.0 and "stream_options" in wait.why
    assert call.refused == ["stream_options"] and b"stream_options" not in call.body and b'"stream":true' in call.body
    call.next_request()
    assert after(call, status_error(call, 503)).seconds == 0.5  # the one retry is still there
    call.next_request()
    assert after(call, status_error(call, 400, REFUSAL)) is None


def test_stream_options_of_the_callers_stay():
    """What the caller asked for is not taken away behind their back."""
    call = make_call(STREAM)

    assert after(call, status_error(call, 400, REFUSAL)) is None
    assert not call.refused and b"stream_options" in call.body


def test_stream_options_are_dropped_where_no_retry_is_wanted():
    """It is our option, not the caller's retry."""
    call = make_call(STREAM, max_retries=0)
    call.instead["stream_options"] = [None]

    assert after(call, status_error(call, 400, REFUSAL)).seconds == 0.0


# What errors know ----------------------------------------------------------------------------------------------------


def test_a_status_error_has_all_that_the_answer_said():
    call = make_call()
    body = b'{"error": {"message": "slow down", "code": "c", "type": "t", "param": "p"}}'
    error = status_error(call, 429, body, retry_after="7", x_request_id="req_1")

    assert isinstance(error, rawchat.RateLimitError)
    assert (error.status, error.code, error.type, error.param) == (429, "c", "t", "p")
    assert (error.retry_after_s, error.request_id, error.attempts) == (7.0, "req_1", 1)


def test_a_key_that_the_server_quotes_is_taken_out():
    """From a status error, and from any other error on its way to the caller."""
    call = make_call()
    quoted = status_error(call, 401, b'{"error": {"message": "Incorrect API key provided: ' + KEY.encode() + b'"}}')
    plain = rawchat.APIConnectionError(f"proxy refused Bearer {KEY}")
    call.complete(plain)

    for error in (quoted, plain):
        assert KEY not in str(error) + repr(error) + repr(error.args)


def test_an_error_inside_an_answer_knows_its_head():
    """A body that breaks off belongs to an answer with a status and a request id; what is known already stays."""
    broken = rawchat.APIConnectionError("broke off")
    status.tell_head(broken, 200, head(200, x_request_id="req_2").headers)
    known = rawchat.APIConnectionError("broke off", status=500, request_id="req_1")
    status.tell_head(known, 200, head(200, x_request_id="req_2").headers)

    assert (broken.status, broken.request_id, broken.headers["x-request-id"]) == (200, "req_2", "req_2")
    assert (known.status, known.request_id) == (500, "req_1")


GOOD = b'{"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}'
WHOLE = [
    ("nothing, and the close says that it is all", {}, b"", True),
    ("JSON cut off by the close", {}, GOOD[:40], True),
    ("an empty body by its length", {"content_length": "0"}, b"", False),
    ("JSON cut off within its length", {"content_length": "40"}, GOOD[:40], False),
    ("JSON cut off within its chunks", {"transfer_encoding": "chunked"}, GOOD[:40], False),
    ("a page of HTML up to the close", {}, b"<html><title>Portal</title></html>", False),
    ("another JSON up to the close", {}, b'{"id": "x"}', False),
]


@pytest.mark.parametrize("headers, body, retryable", [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_what_only_the_close_ends_may_be_cut(headers, body, retryable):
    """It is an InvalidResponseError either way; worth another attempt where a break may have been the reason."""
    with pytest.raises(rawchat.InvalidResponseError) as caught:
        make_call().read_whole(head(200, x_request_id="req_1", **headers), body, "choices")

    assert caught.value.retryable is retryable
    assert (after(make_call(), caught.value) is not None) is retryable


def test_a_whole_answer_is_a_reply_of_its_attempt():
    reply = make_call(attempts=2).read_whole(head(200, x_request_id="req_1"), GOOD, "choices")

    assert (reply.text, reply.attempts, reply.request_id) == ("Hi", 2, "req_1")
