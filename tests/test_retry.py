"""How long to wait, and whether at all: every form in which servers state it, and the schedule where they don't."""

import json
import math
import random

import pytest

from . import module, rawchat

last_word = module("protocol.last_word")
retry = module("protocol.retry")
status = module("protocol.status")
errors = module("protocol.errors")
wire = module("protocol.wire")

NOW_S = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
NINES = "9" * 400


def error(message="no", **more):
    return json.dumps({"error": {"message": message, **more}})


def retry_info(delay):
    return error(
        "quota", details=[{"@type": "google.rpc.Help"}, {"@type": "google.rpc.RetryInfo", "retryDelay": delay}]
    )


def reset(value, remaining=None, kind="requests"):
    headers = {f"x-ratelimit-reset-{kind}": value}
    return headers if remaining is None else {**headers, f"x-ratelimit-remaining-{kind}": remaining}


OPENROUTER = error(
    "busy", code=429, metadata={"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000030000"}}
)

# name, headers, body, seconds (None: no hint), source
HINTS = [
    ("nothing", {}, "", None, None),
    ("integer", {"retry-after": "2"}, "", 2.0, "retry-after"),
    ("case and blanks", {"Retry-After": " 2 "}, "", 2.0, "retry-after"),
    ("float (Groq)", {"retry-after": "7.66"}, "", 7.66, "retry-after"),
    ("below one", {"retry-after": "0.5"}, "", 0.5, "retry-after"),
    ("no digit before the point", {"retry-after": ".5"}, "", 0.5, "retry-after"),
    ("exponent", {"retry-after": "1e1"}, "", 10.0, "retry-after"),
    ("plus sign", {"retry-after": "+3"}, "", 3.0, "retry-after"),
    ("a day", {"retry-after": "86400"}, "", 86400.0, "retry-after"),
    ("duration", {"retry-after": "1m30s"}, "", 90.0, "retry-after"),
    ("IMF-fixdate", {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, "", 30.0, "retry-after"),
    ("RFC 850 date", {"retry-after": "Tuesday, 14-Nov-23 22:13:50 GMT"}, "", 30.0, "retry-after"),
    ("RFC 850 date of the last century is past", {"retry-after": "Sunday, 06-Nov-94 08:49:37 GMT"}, "", None, None),
    ("asctime date", {"retry-after": "Tue Nov 14 22:13:50 2023"}, "", 30.0, "retry-after"),
    ("asctime date with one-digit day", {"retry-after": "Fri Dec  1 22:13:20 2023"}, "", 17 * 86400.0, "retry-after"),
    ("ISO 8601 date", {"retry-after": "2023-11-14T22:13:50Z"}, "", 30.0, "retry-after"),
    ("ISO 8601 with fraction and offset", {"retry-after": "2023-11-15T00:13:50.5+02:00"}, "", 30.5, "retry-after"),
    ("ISO 8601 west of Greenwich", {"retry-after": "2023-11-14T19:43:50-0230"}, "", 30.0, "retry-after"),
    ("ISO 8601 without a zone", {"retry-after": "2023-11-14 22:13:50"}, "", 30.0, "retry-after"),
    ("two-digit year, 50 years ahead", {"retry-after": "Tuesday, 14-Nov-73 22:13:20 GMT"}, "", 1577923200.0, "retry-after"),
    ("two-digit year, 51 years ahead is past", {"retry-after": "Wednesday, 14-Nov-74 22:13:20 GMT"}, "", None, None),
    ("leap second", {"retry-after": "Tue, 14 Nov 2023 22:13:60 GMT"}, "", 39.0, "retry-after"),
    ("absurdly far date", {"retry-after": "Fri, 31 Dec 2100 23:59:59 GMT"}, "", 2433980799.0, "retry-after"),
    ("date in the past", {"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, "", None, None),
    ("date that does not exist", {"retry-after": "Tue, 31 Feb 2024 22:13:00 GMT"}, "", None, None),
    ("month that does not exist", {"retry-after": "Tue, 14 Foo 2024 22:13:00 GMT"}, "", None, None),
    ("two proxies, two values", {"retry-after": "5, 7"}, "", 7.0, "retry-after"),
    ("zero", {"retry-after": "0"}, "", None, None),
    ("negative", {"retry-after": "-5"}, "", None, None),
    ("nan", {"retry-after": "nan"}, "", None, None),
    ("literal inf", {"retry-after": "inf"}, "", None, None),
    ("literal infinity", {"retry-after": "Infinity"}, "", None, None),
    ("garbage", {"retry-after": "soon"}, "", None, None),
    ("garbage with digits", {"retry-after": "5 apples"}, "", None, None),
    ("empty", {"retry-after": ""}, "", None, None),
    ("underscore", {"retry-after": "1_0"}, "", None, None),
    ("digits of another script", {"retry-after": "٣"}, "", None, None),
    ("overflow by exponent", {"retry-after": "1e999"}, "", math.inf, "retry-after"),
    ("overflow by length", {"retry-after": NINES}, "", math.inf, "retry-after"),
    ("overflow in milliseconds", {"retry-after-ms": NINES}, "", math.inf, "retry-after-ms"),
    ("negative overflow", {"retry-after": "-1e999"}, "", None, None),
    ("milliseconds", {"retry-after-ms": "1187"}, "", 1.187, "retry-after-ms"),
    ("retry-after-ms wins", {"retry-after-ms": "1187", "retry-after": "9", **reset("6m0s", "0")}, "", 1.187, "retry-after-ms"),
    ("Azure's milliseconds", {"x-ms-retry-after-ms": "250"}, "", 0.25, "x-ms-retry-after-ms"),
    ("useless milliseconds fall through", {"retry-after-ms": "-5", "retry-after": "1"}, "", 1.0, "retry-after"),
    ("milliseconds with garbage fall through", {"retry-after-ms": "x", "x-ms-retry-after-ms": "0", "retry-after": "1"}, "", 1.0, "retry-after"),
    ("useless header falls through to the text", {"retry-after": "0"}, error("try again in 3s"), 3.0, "text"),
    ("useless header falls through to the reset", {"retry-after": "-1", **reset("4s", "0")}, "", 4.0, "x-ratelimit-reset-requests"),
    ("RetryInfo (Gemini)", {}, "[" + retry_info("34.074824224s") + "]", 34.074824224, "RetryInfo"),
    ("RetryInfo as an object", {}, retry_info({"seconds": "34", "nanos": 500_000_000}), 34.5, "RetryInfo"),
    ("RetryInfo with nanoseconds alone", {}, retry_info({"nanos": 250_000_000}), 0.25, "RetryInfo"),
    ("RetryInfo with seconds alone", {}, retry_info({"seconds": 7}), 7.0, "RetryInfo"),
    ("RetryInfo before the text", {}, error("Please retry in 9s", details=[{"retryDelay": "5s"}]), 5.0, "RetryInfo"),
    ("useless RetryInfo falls through to the text", {}, error("Please retry in 9s", details=[{"retryDelay": "0s"}]), 9.0, "text"),
    ("text, OpenAI", {}, error("Rate limit reached. Please try again in 1.187s. Visit ..."), 1.187, "text"),
    ("text before reset (OpenAI, Azure)", reset("6m0s", "0"), error("Please try again in 20s."), 20.0, "text"),
    ("text, minutes", {}, error("Please try again in 6m0s."), 360.0, "text"),
    ("text, milliseconds", {}, error("Please try again in 500ms."), 0.5, "text"),
    ("text, Azure", {"x-ratelimit-remaining-tokens": "-1"}, error("Please retry after 45 seconds."), 45.0, "text"),
    ("text, wait", {}, error("Please wait 30 seconds before the next call"), 30.0, "text"),
    ("text, words", {}, error("Try again in 1 minute and 5 seconds"), 65.0, "text"),
    ("text, Groq", {}, error("Please try again in 1m26.4s. Need more tokens?"), 86.4, "text"),
    ("text without JSON", {}, "Busy. Retry in 2 s, please.", 2.0, "text"),
    ("text as bytes", {}, b"\xff Retry in 2s", 2.0, "text"),
    ("text, in the provider's own words (OpenRouter)", {}, error("Provider returned error", metadata={"raw": "please retry after 8 seconds"}), 8.0, "text"),
    ("text of other numbers", {}, error("Limit 20, Requested 1. The limit is 5 seconds of audio"), None, None),
    ("text that names another unit", {}, error("Please try again in 3 snails"), None, None),
    ("text with a zero, then better", {}, error("Try again in 0s; or retry in 4s"), 4.0, "text"),
    ("reset where nothing remains", reset("2m59.56s", "0"), "", 179.56, "x-ratelimit-reset-requests"),
    ("reset where the count is overdrawn (Azure)", reset("10", "-1", "tokens"), "", 10.0, "x-ratelimit-reset-tokens"),
    ("reset where some remains", reset("6m0s", "12"), "", None, None),
    ("reset of the limit that is used up", {**reset("6m0s", "12"), **reset("1s", "0", "tokens")}, "", 1.0, "x-ratelimit-reset-tokens"),
    ("both used up: the later", {**reset("9s", "0"), **reset("1s", "0", "tokens")}, "", 9.0, "x-ratelimit-reset-requests"),
    ("no remaining at all: the sooner", {**reset("9s"), **reset("3s", None, "tokens")}, "", 3.0, "x-ratelimit-reset-tokens"),
    ("reset of zero", reset("0s", "0"), "", None, None),
    ("reset of zero beside another", {**reset("0s"), **reset("3s", None, "tokens")}, "", 3.0, "x-ratelimit-reset-tokens"),
    ("reset below a second", {**reset("120ms"), **reset("3s", None, "tokens")}, "", 0.12, "x-ratelimit-reset-requests"),
    ("one that remains beside one that does not tell", {**reset("9s"), **reset("3s", "1", "tokens")}, "", None, None),
    ("the last one remains", reset("9s", "1"), "", None, None),
    ("Retry-After before reset (Groq)", {"retry-after": "7.66", **reset("2m59.56s", "0")}, "", 7.66, "retry-after"),
    ("epoch milliseconds (OpenRouter)", {"X-RateLimit-Reset": "1700000030000"}, "", 30.0, "x-ratelimit-reset"),
    ("epoch seconds (GitHub)", {"x-ratelimit-reset": "1700000030", "x-ratelimit-remaining": "0"}, "", 30.0, "x-ratelimit-reset"),
    ("relative seconds", {"x-ratelimit-reset": "30"}, "", 30.0, "x-ratelimit-reset"),
    ("ISO 8601 reset (Anthropic)", {"anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:50Z", "anthropic-ratelimit-tokens-remaining": "0"}, "", 30.0, "anthropic-ratelimit-tokens-reset"),
    ("IETF draft", {"ratelimit-reset": "12", "ratelimit-remaining": "0"}, "", 12.0, "ratelimit-reset"),
    ("Cerebras", {"x-ratelimit-reset-tokens-minute": "11.38", "x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-requests-day": "33011.38", "x-ratelimit-remaining-requests-day": "14300"}, "", 11.38, "x-ratelimit-reset-tokens-minute"),
    ("epoch in the past", {"x-ratelimit-reset": "1600000000"}, "", None, None),
    ("reset with garbage", reset("later", "0"), "", None, None),
    ("headers of the provider, inside the body (OpenRouter)", {}, OPENROUTER, 30.0, "x-ratelimit-reset"),
]  # fmt: skip


@pytest.mark.parametrize("row", HINTS, ids=[row[0] for row in HINTS])
def test_the_servers_wish_is_read_in_every_form(row):
    """Seconds and where they stood; the first usable place wins, and a useless one falls through to the next."""
    _, headers, body, seconds, source = row
    for given in (headers, wire.Headers(headers)):
        hint = retry.parse_retry_after(given, body, now_s=NOW_S)
        if seconds is None:
            assert hint is None
        else:
            assert hint is not None
            assert hint.seconds == pytest.approx(seconds, abs=1e-4)
            assert hint.source == source


POLICY = rawchat.RetryPolicy()
SHORT = rawchat.RetryPolicy(initial_s=0.1, cap_s=1.0, jitter=0.0, longest_wait_s=5.0)
# policy, status, headers, retries taken, retries allowed, dice, seconds (None: give up)
WAITS = [
    ("first", POLICY, 500, {}, 0, 2, 0.0, 0.5),
    ("second doubles", POLICY, 500, {}, 1, 2, 0.0, 1.0),
    ("third doubles again", POLICY, 500, {}, 2, 5, 0.0, 2.0),
    ("the cap", POLICY, 500, {}, 9, 20, 0.0, 8.0),
    ("the cap, very late", POLICY, 500, {}, 5000, 9999, 0.0, 8.0),
    ("jitter takes a quarter at most", POLICY, 500, {}, 1, 2, 1.0, 0.75),
    ("jitter in the middle", POLICY, 500, {}, 0, 2, 0.5, 0.4375),
    ("retries used up", POLICY, 500, {}, 2, 2, 0.0, None),
    ("no retries wanted", POLICY, 500, {}, 0, 0, 0.0, None),
    ("not worth another attempt", POLICY, 400, {}, 0, 2, 0.0, None),
    ("bad key", POLICY, 401, {"retry-after": "1"}, 0, 2, 0.0, None),
    ("redirect", POLICY, 302, {"location": "/x"}, 0, 2, 0.0, None),
    ("the server's wait, without jitter", POLICY, 429, {"retry-after": "2"}, 0, 2, 0.9, 2.0),
    ("the server's wait does not double", POLICY, 429, {"retry-after": "2"}, 1, 2, 0.9, 2.0),
    ("shorter than the back-off is fine", POLICY, 429, {"retry-after-ms": "20"}, 1, 2, 0.0, 0.02),
    ("exactly the longest", POLICY, 429, {"retry-after": "120"}, 0, 2, 0.0, 120.0),
    ("longer than the longest", POLICY, 429, {"retry-after": "120.1"}, 0, 2, 0.0, None),
    ("a day", POLICY, 429, {"retry-after": "86400"}, 0, 2, 0.0, None),
    ("beyond counting", POLICY, 503, {"retry-after": "1e999"}, 0, 2, 0.0, None),
    ("too long, though the server wants a retry", POLICY, 500, {"retry-after": "300", "x-should-retry": "true"}, 0, 2, 0.0, None),
    ("useless wish", POLICY, 429, {"retry-after": "soon"}, 0, 2, 0.0, 0.5),
    ("a 400 with x-should-retry", POLICY, 400, {"x-should-retry": "true"}, 0, 2, 0.0, 0.5),
    ("a 500 with x-should-retry: false", POLICY, 500, {"x-should-retry": "false"}, 0, 2, 0.0, None),
    ("another policy's schedule", SHORT, 503, {}, 3, 9, 0.7, 0.8),
    ("another policy's cap", SHORT, 503, {}, 7, 9, 0.7, 1.0),
    ("another policy's longest", SHORT, 503, {"retry-after": "6"}, 0, 9, 0.0, None),
    ("no answer", POLICY, None, {}, 0, 2, 0.0, 0.5),
    ("no answer, later", POLICY, None, {}, 1, 2, 0.0, 1.0),
    ("no answer, retries used up", POLICY, None, {}, 2, 2, 0.0, None),
]  # fmt: skip


@pytest.mark.parametrize("row", WAITS, ids=[row[0] for row in WAITS])
def test_the_wait_before_the_next_attempt(row):
    """The same from verdict and hint as from the error that was made of them."""
    _, policy, number, headers, taken, allowed, dice, seconds = row
    bounds = {"retries_taken": taken, "max_retries": allowed, "dice": dice}
    if number is None:
        waits = [
            retry.next_wait(policy, verdict=None, hint=None, **bounds),
            retry.next_wait(policy, errors.APIConnectionError("connection refused"), **bounds),
            retry.next_wait(policy, errors.APITimeoutError("no byte for 5 s"), **bounds),
        ]
    else:
        verdict = status.classify(number, headers, b"")
        hint = retry.parse_retry_after(headers, now_s=NOW_S)
        made = status.error_from(verdict, headers=headers, retry_after_s=hint.seconds if hint else None)
        waits = [
            retry.next_wait(policy, verdict=verdict, hint=hint, **bounds),
            retry.next_wait(policy, made, **bounds),
        ]
    for wait in waits:
        assert (wait and wait.seconds) == (seconds if seconds is None else pytest.approx(seconds))


WHY = [
    ("the server's wait", 429, {"retry-after": "2"}, "429 rate limit, the server asks for 2 s"),
    ("a fraction", 429, {"retry-after-ms": "1187"}, "429 rate limit, the server asks for 1.187 s"),
    ("back-off", 503, {}, "503 overloaded"),
]


@pytest.mark.parametrize("name, number, headers, why", WHY, ids=[row[0] for row in WHY])
def test_a_wait_says_why(name, number, headers, why):
    """The words are those of the trace, from verdict and error alike."""
    verdict = status.classify(number, headers, b"")
    hint = retry.parse_retry_after(headers, now_s=NOW_S)
    made = status.error_from(verdict, retry_after_s=hint.seconds if hint else None)
    bounds = {"retries_taken": 0, "max_retries": 2, "dice": 0.0}
    assert retry.next_wait(POLICY, verdict=verdict, hint=hint, **bounds).why == why
    assert retry.next_wait(POLICY, made, **bounds).why == why


def test_a_wait_without_a_status_says_why():
    """A broken connection is named by the first words of its error."""
    bounds = {"retries_taken": 0, "max_retries": 2, "dice": 0.0}
    refused = errors.APIConnectionError("could not connect to 127.0.0.1:9: Connection refused")
    assert retry.next_wait(POLICY, refused, **bounds).why == "could not connect to 127.0.0.1:9"
    assert retry.next_wait(POLICY, **bounds).why == "no answer"
    inside = status.error_from(status.classify_error({"code": 503, "message": "busy"}))
    assert retry.next_wait(POLICY, inside, **bounds).why == "200 OK with an error inside (503 Service Unavailable)"


@pytest.mark.parametrize("final", ["DeadlineExceeded", "InvalidResponseError", "BadRequestError", "QuotaExceededError"])
def test_errors_that_are_final_stay_final(final):
    """Their class says so, whatever the bounds."""
    made = getattr(errors, final)("x", retry_after_s=1.0)
    assert retry.next_wait(POLICY, made, retries_taken=0, max_retries=9, dice=0.0) is None
    assert last_word.why_not(POLICY, made) == ""


TOO_LONG = [
    ("a day", {"retry-after": "86400"}, "86400 s, more than the 120 s"),
    ("just above", {"retry-after": "120.5"}, "120.5 s, more than the 120 s"),
    ("in thousands", {"retry-after": "1000.4"}, "1000 s, more than the 120 s"),
    ("beyond counting", {"retry-after": NINES}, "countless s, more than the 120 s"),
]


@pytest.mark.parametrize("name, headers, words", TOO_LONG, ids=[row[0] for row in TOO_LONG])
def test_a_wait_that_is_too_long_is_named_in_figures(name, headers, words):
    """Both figures and the name of the setting, so that people can raise it."""
    verdict = status.classify(429, headers, b"")
    hint = retry.parse_retry_after(headers, now_s=NOW_S)
    made = status.error_from(verdict, retry_after_s=hint.seconds)
    for why in (last_word.why_not(POLICY, verdict=verdict, hint=hint), last_word.why_not(POLICY, made)):
        assert words in why
        assert "longest_wait_s" in why


def test_there_is_nothing_to_say_where_the_wait_is_short():
    """`why_not` is silent about everything but the length of the wait."""
    verdict = status.classify(429, {}, b"")
    assert last_word.why_not(POLICY, verdict=verdict, hint=retry.RetryHint(2.0, "retry-after")) == ""
    assert last_word.why_not(POLICY, verdict=verdict, hint=retry.RetryHint(120.0, "retry-after")) == ""
    assert last_word.why_not(POLICY, verdict=verdict, hint=None) == ""
    assert last_word.why_not(POLICY) == ""


@pytest.mark.parametrize("useless", [0.0, -1.0, math.nan])
def test_a_useless_hint_is_no_hint(useless):
    """A hint that somebody made by hand is judged like a server's."""
    verdict = status.classify(429, {}, b"")
    hint = retry.RetryHint(useless, "by hand")
    wait = retry.next_wait(POLICY, verdict=verdict, hint=hint, retries_taken=0, max_retries=1, dice=0.0)
    assert wait == retry.Wait(0.5, "429 rate limit")


@pytest.mark.parametrize("seed", range(10))
def test_backoff_stays_within_its_bounds(seed):
    """Whatever the dice: above three quarters of the schedule, and never above it."""
    dice = random.Random(seed)
    for _ in range(200):
        taken = dice.randrange(40)
        bare = min(0.5 * 2**taken, 8.0)
        seconds = retry.backoff_s(POLICY, taken, dice.random())
        assert 0.75 * bare < seconds <= bare


def test_the_bare_schedule_is_the_tutorials():
    """`backoff_delays` gives the doubling before cap and jitter."""
    assert rawchat.backoff_delays(4, base=2.0) == [1.0, 2.0, 4.0, 8.0]
    assert rawchat.backoff_delays(3, base=3) == [1.0, 3.0, 9.0]
    assert rawchat.backoff_delays(0) == []
    assert rawchat.backoff_delays(3) == [1.0, 2.0, 4.0]


NASTY = [
    ("hostile sentence", {}, error("retry " * 2000 + "1" * 3000)),
    ("hostile duration", {"retry-after": "1s" * 3000 + "x"}, ""),
    ("hostile list", {"retry-after": "1," * 5000}, ""),
    ("details of odd types", {}, error("x", details=[None, 3, {"retryDelay": 5}, {"retryDelay": {"seconds": None}}])),
    ("metadata of odd types", {}, error("x", metadata={"headers": {"Retry-After": None, "x": [1]}})),
    ("huge years", {"retry-after": "Tue, 14 Nov 9999 22:13:50 GMT", "x-ratelimit-reset": "0000-01-01T00:00:00Z"}, ""),
    ("nested body", {}, "[" * 100_000),
]  # fmt: skip


@pytest.mark.parametrize("name, headers, body", NASTY, ids=[row[0] for row in NASTY])
def test_no_answer_breaks_the_reading_of_hints(name, headers, body):
    """Hostile values give a hint or none, never another exception."""
    hint = retry.parse_retry_after(headers, body, now_s=NOW_S)
    assert hint is None or hint.seconds > 0


@pytest.mark.parametrize("row", HINTS, ids=[row[0] for row in HINTS])
def test_the_clock_is_an_argument(row):
    """An hour earlier, what was relative stays, and what was a point in time moves by an hour."""
    _, headers, body, *_ = row
    now = retry.parse_retry_after(headers, body, now_s=NOW_S)
    earlier = retry.parse_retry_after(headers, body, now_s=NOW_S - 3600)
    if now is not None and earlier is not None and now.source == earlier.source:
        assert earlier.seconds - now.seconds in (0, pytest.approx(3600)) or math.isinf(now.seconds)
    else:
        assert now is None or earlier is not None  # a date in the past was ahead then
