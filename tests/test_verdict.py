"""The verdict on a client: rows of records with made-up times, and what is found in them."""

import pytest

from . import module

verdict = module("lab.verdict")
wire = module("protocol.wire")


def record(number, at_s, answered_s=None, **facts):
    facts.setdefault("status", 200)
    facts.setdefault("fingerprint", "a")
    return verdict.Record(number=number, at_s=at_s, answered_s=at_s if answered_s is None else answered_s, **facts)


def good(number, at_s, **facts):
    return record(number, at_s, complete=True, text="Hello there.", **facts)


def failed(number, at_s, status=503, **facts):
    return record(number, at_s, status=status, complete=True, **{"invites_retry": True, **facts})


def asked(number, at_s, wait_s, said_in="Retry-After", **facts):
    return failed(number, at_s, 429, wait_s=wait_s, wait_said_in=said_in, **facts)


def final(number, at_s, status=400, **facts):
    return failed(number, at_s, status, invites_retry=False, **facts)


def cut(number, at_s, text="Hello th", **facts):
    return record(number, at_s, text=text, ending="cut", events=3, events_whole=12, stream=True, **facts)


def speaking(number, at_s, content):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    return good(number, at_s, fingerprint="b", document={"messages": messages})


KEY_A = wire.Headers([("Authorization", "Bearer a")])
KEY_B = wire.Headers([("Authorization", "Bearer b")])
NEW = wire.Headers([("X-Stainless-Retry-Count", "0")])

# name: (records, findings as (level, name, requests))
ROWS = {
    "nothing came": ([], []),
    "nothing went wrong": ([good(1, 0.0), good(2, 1.0)], []),
    "waited as asked": (
        [asked(1, 0.0, 1.0), good(2, 1.02)],
        [("ok", "recovered", (1, 2)), ("ok", "retry_after_honoured", (1, 2))],
    ),
    "a tenth too early is no offence": (
        [asked(1, 0.0, 1.0), good(2, 0.91)],
        [("ok", "recovered", (1, 2)), ("ok", "retry_after_honoured", (1, 2))],
    ),
    "came too early": (
        [asked(1, 0.0, 2.0), good(2, 0.5)],
        [("fail", "retry_after_ignored", (1, 2)), ("ok", "recovered", (1, 2))],
    ),
    "the wait counts from the end of the answer": (
        [asked(1, 0.0, 2.0, answered_s=1.0), good(2, 2.5)],
        [("fail", "retry_after_ignored", (1, 2)), ("ok", "recovered", (1, 2))],
    ),
    "overlooked the words in a message": (
        [asked(1, 0.0, 2.0, "the message"), good(2, 0.5)],
        [("note", "retry_after_ignored", (1, 2)), ("ok", "recovered", (1, 2))],
    ),
    "no wait asked, came back at its leisure": ([failed(1, 0.0), good(2, 0.5)], [("ok", "recovered", (1, 2))]),
    "a wait of nought is kept by coming at once": (
        [asked(1, 0.0, 0.0), good(2, 0.001)],
        [("ok", "recovered", (1, 2)), ("ok", "retry_after_honoured", (1, 2))],
    ),
    "repeated a final mistake": (
        [final(1, 0.0), final(2, 0.5)],
        [("fail", "fatal_retried", (1, 2)), ("ok", "fatal_not_retried", (2,))],
    ),
    "left a final mistake alone": ([final(1, 0.0, 401)], [("ok", "fatal_not_retried", (1,))]),
    "came back with another key": (
        [final(1, 0.0, 401, headers=KEY_A), good(2, 0.5, headers=KEY_B)],
        [("ok", "recovered", (1, 2))],
    ),
    "mended the request": (
        [final(1, 0.0), good(2, 0.1, fingerprint="b")],
        [("ok", "fatal_not_retried", (1,))],
    ),
    "came back at once": (
        [failed(1, 0.0), good(2, 0.003)],
        [("fail", "retry_storm", (1, 2)), ("ok", "recovered", (1, 2))],
    ),
    "a dead pooled connection may be tried again at once": (
        [failed(1, 0.0, 0, reused=True, ending="close"), good(2, 0.001)],
        [("ok", "recovered", (1, 2))],
    ),
    "a dead new connection may not": (
        [failed(1, 0.0, 0, ending="close"), good(2, 0.001)],
        [("fail", "retry_storm", (1, 2)), ("ok", "recovered", (1, 2))],
    ),
    "pauses grow": (
        [failed(1, 0.0), failed(2, 0.4), good(3, 1.2)],
        [("ok", "backoff", (1, 2, 3)), ("ok", "recovered", (1, 2, 3))],
    ),
    "pauses do not grow": (
        [failed(1, 0.0), failed(2, 0.5), failed(3, 1.0), good(4, 1.5)],
        [("note", "no_backoff", (1, 2, 3, 4)), ("ok", "recovered", (1, 2, 3, 4))],
    ),
    "twelve attempts": (
        [failed(n, 10.0 * n) for n in range(1, 13)],
        [("fail", "retry_storm", tuple(range(1, 13))), ("ok", "gave_up", tuple(range(1, 13)))],
    ),
    "never came back": ([failed(1, 0.0)], [("fail", "gave_up_early", (1,))]),
    "came back once": ([failed(1, 0.0), failed(2, 0.5)], [("note", "gave_up_early", (1, 2))]),
    "three attempts are enough": (
        [failed(1, 0.0), failed(2, 0.5), failed(3, 1.5)],
        [("ok", "backoff", (1, 2, 3)), ("ok", "gave_up", (1, 2, 3))],
    ),
    "a day is too long to wait": ([asked(1, 0.0, 86400.0)], [("ok", "gave_up", (1,))]),
    "cut, and no word": ([cut(1, 0.0)], [("note", "cut_stream", (1,))]),
    "cut, and asked again": (
        [cut(1, 0.0), good(2, 0.01)],
        [("ok", "cut_noticed", (1,)), ("ok", "recovered", (1, 2))],
    ),
    "cut, and taken for whole": (
        [cut(1, 0.0), speaking(2, 5.0, "Hello th")],
        [("fail", "truncated_accepted", (1, 2))],
    ),
    "cut, taken for whole, as parts": (
        [cut(1, 0.0), speaking(2, 5.0, [{"type": "text", "text": "Hello th"}])],
        [("fail", "truncated_accepted", (1, 2))],
    ),
    "cut, and another conversation": (
        [cut(1, 0.0), speaking(2, 5.0, "Something else")],
        [("note", "cut_stream", (1,))],
    ),
    "cut before any text": ([cut(1, 0.0, text=""), speaking(2, 5.0, "")], [("note", "cut_stream", (1,))]),
    "a clean stream's text may come back": ([good(1, 0.0), speaking(2, 5.0, "Hello there.")], []),
    "left a silence": ([record(1, 0.0, 2.0, ending="stall", complete=True)], [("ok", "left_a_stall", (1,))]),
    "left early": (
        [record(1, 0.0, ending="client left", events=3, events_whole=12)],
        [("note", "left_early", (1,))],
    ),
    "followed a redirect": ([good(1, 0.0, redirected=True, headers=KEY_A)], [("note", "redirect_followed", (1,))]),
    "the same question at the same time is no retry": (
        [failed(1, 0.0, answered_s=1.0), failed(2, 0.1, answered_s=1.1), good(3, 0.2)],
        [],
    ),
    "the same question anew is no retry": (
        [final(1, 0.0, headers=NEW), final(2, 0.5, headers=NEW)],
        [("ok", "fatal_not_retried", (1,)), ("ok", "fatal_not_retried", (2,))],
    ),
}


@pytest.mark.parametrize("records,expected", ROWS.values(), ids=ROWS.keys())
def test_findings(records, expected):
    """What is found, with its level and its requests: failures first, then in order."""
    findings = verdict.judge(records)
    assert sorted((f.level, f.name, f.requests) for f in findings) == sorted(expected)
    assert [f.level for f in findings] == sorted((f.level for f in findings), key=("fail", "note", "ok").index)


def test_the_figures_stand_in_the_finding():
    """Who reads the verdict sees the numbers, and a program gets them as numbers."""
    (finding, _) = verdict.judge([asked(1, 0.0, 2.0), good(2, 0.5)])
    assert finding.figures == {"asked_s": 2.0, "waited_s": 0.5}
    assert finding.says == "asked to wait 2 s (Retry-After), came back after 0.5 s"


STILL = {
    "just answered": (0.2, "note"),
    "long ago": (30.0, "fail"),
}


@pytest.mark.parametrize("now_s,level", STILL.values(), ids=STILL.keys())
def test_who_had_no_time_to_come_back_has_not_given_up(now_s, level):
    """The watch may end while the client still pauses."""
    (finding,) = verdict.judge([failed(1, 0.0)], now_s=now_s)
    assert (finding.level, finding.name) == (level, "gave_up_early")


def test_a_long_wait_is_waited_for():
    """Asked to wait a minute, a client is not late after half of one."""
    (finding,) = verdict.judge([asked(1, 0.0, 60.0)], now_s=30.0)
    assert finding.level == "note"


def test_who_still_waits_in_silence_is_told_so():
    """A stalled stream whose client is still there when the watch ends."""
    waiting = record(1, 0.0, ending="stall", over=False, complete=True)
    (finding,) = verdict.judge([waiting], now_s=9.0)
    assert (finding.level, finding.name) == ("note", "still_waiting") and "9 s" in finding.says


def test_rendering():
    """One summary line, then a line a finding; runs of requests are folded."""
    text = verdict.render(verdict.judge([failed(1, 0.0), failed(2, 0.4), failed(3, 0.41), good(4, 5.0)]))
    assert text.splitlines()[0] == "Verdict on the client: 1 failure, 2 in order"
    assert text.splitlines()[1].split() == "FAIL retry storm #2, #3 came back 10 ms after a failure".split()
    assert "#1-#4" in text


def test_nothing_to_judge():
    """A clean run says that it says nothing about faults."""
    assert "nothing to judge" in verdict.render([])
    assert verdict.exit_code([]) == 0


def test_exit_code():
    """A failure fails the command, a note does not."""
    assert verdict.exit_code(verdict.judge([failed(1, 0.0), good(2, 0.003)])) == 1
    assert verdict.exit_code(verdict.judge([cut(1, 0.0)])) == 0


def test_a_record_knows_its_fields():
    """A misspelt fact is an error, not a fact of its own."""
    with pytest.raises(TypeError, match="no 'statuss'"):
        verdict.Record(statuss=200)


LINES = {
    "clean": (
        {"status": 200, "model": "m", "stream": True, "events": 5, "events_whole": 5},
        "#3 POST /v1/chat/completions m stream  200, 5 events",
    ),
    "with its turn": (
        {
            "status": 429,
            "model": "m",
            "fault": "429x2",
            "times": 2,
            "attempt": 2,
            "in_force": ("429",),
            "said": ("Retry-After: 1",),
        },
        "#3 POST /v1/chat/completions m  fault 429x2 (2 of 2): 429, Retry-After: 1",
    ),
    "used up": (
        {"status": 200, "model": "m", "fault": "429x2", "times": 2, "attempt": 3},
        "#3 POST /v1/chat/completions m  fault 429x2 used up: 200",
    ),
    "cut": (
        {
            "status": 200,
            "stream": True,
            "fault": "cut",
            "in_force": ("cut",),
            "events": 3,
            "events_whole": 9,
            "ending": "cut",
        },
        "#3 POST /v1/chat/completions stream  fault cut: 200, 3 of 9 events, then the connection was closed",
    ),
    "before the head": (
        {"fault": "reset-head", "in_force": ("reset-head",), "ending": "reset"},
        "#3 POST /v1/chat/completions  fault reset-head: reset before the head",
    ),
    "no effect": (
        {"status": 200, "fault": "crlf"},
        "#3 POST /v1/chat/completions  fault crlf does nothing here: 200",
    ),
}


@pytest.mark.parametrize("facts,line", LINES.values(), ids=LINES.keys())
def test_the_line_for_people(facts, line):
    """What came and what was done, on one line."""
    target = "/v1/chat/completions?key=sk-secretsecret"
    assert verdict.describe(verdict.Record(number=3, target=target, **facts)) == line
