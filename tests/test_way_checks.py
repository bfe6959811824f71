"""Checks of the way and of every answer's headers: each is shown what keeps its rule and what breaks it."""

import pytest

from . import module
from .clinic import CHECKS, completion, find, http, line, refusal, rule, seen, stream, tried

way_checks = module("lab.clinic.way_checks")
LIMITS = {"x-ratelimit-limit-requests": "100", "x-ratelimit-reset-requests": "6m0s"}


def step(name, good=True, **facts):
    return line.Step(name, good, f"{name} was tried", 0.0, tuple(facts.items()))


def way(*steps, tls=False, local=True):
    return line.Way("http://h/v1", "h", tls, local, "", steps)


STEPS = tuple(step(name) for name in ("name", "tcp", "proxy", "tls"))
PLAIN = way(*STEPS)
OLD = step("tls", days_left=3)
GOOD = step("tls", days_left=90)

WAYS = {
    **{f"{name} good": (name, "ok", PLAIN) for name in ("name", "tcp", "proxy", "tls")},
    **{f"{name} bad": (name, "fails", way(*STEPS[:at], step(name, False))) for at, name in enumerate(("name", "tcp", "proxy", "tls"))},
    "plain http nearby": ("tls-used", "ok", PLAIN),
    "TLS far away": ("tls-used", "ok", way(*STEPS, tls=True, local=False)),
    "plain http far away": ("tls-used", "fails", way(*STEPS, local=False)),
    "a certificate that ends soon": ("certificate", "fails", way(*STEPS[:3], OLD, tls=True)),
    "a certificate that lasts": ("certificate", "ok", way(*STEPS[:3], GOOD, tls=True)),
}  # fmt: skip


@pytest.mark.parametrize("check,verdict,found", WAYS.values(), ids=WAYS.keys())
def test_what_is_found_on_the_way(check, verdict, found):
    """Each step has its own line."""
    assert CHECKS[check].judge(rule.Evidence(found)).verdict == verdict


def test_a_step_that_was_not_reached_is_not_judged():
    """Where the name has no address, nothing is said about TCP."""
    evidence = rule.Evidence(way(step("name", False)))
    assert [check.name for check in way_checks.CHECKS if check.judge(evidence)] == ["name"]


def kept(*answers):
    return [seen(answer, reused=number > 0) for number, answer in enumerate(answers)]


SILENT = seen(how="reset")
CLOSED = seen(completion(), notes=[line.CLOSED_WHEN_REUSED])
NOISE = seen(completion(), notes=[line.BYTES_AFTER_BODY + "b'xx'"])

ANSWERS = {
    "HTTP": ("http", "ok", [seen(completion())], "1 of 1"),
    "no HTTP": ("http", "fails", [seen(b"SSH-2.0-x\r\n")], "none of 1"),
    "all answered": ("answered", "ok", [seen(completion())], "1 of 1"),
    "one not answered": ("answered", "fails", [seen(completion()), SILENT], "1 of 2"),
    "the key taken": ("key", "ok", {"chat": completion()}, "taken"),
    "the key refused": ("key", "fails", {"chat": refusal(401)}, "401"),
    "the key not enough": ("key", "fails", {"models": refusal(403)}, "403"),
    "no redirect": ("redirect", "ok", [seen(completion())], "no answer"),
    "a redirect": ("redirect", "fails", [seen(http(b"", 307, location="https://other/v1"))], "https://other/v1"),
    "bodies whole": ("whole-bodies", "ok", [seen(completion())], "1 bodies"),
    "a body too short": ("whole-bodies", "fails", [seen(http(b"{}", length=9))], "7 more"),
    "a body no gzip": ("whole-bodies", "fails", [seen(http(b"{}", content_encoding="gzip"))], "header"),
    "nothing behind": ("nothing-behind", "ok", [seen(completion())], "nothing"),
    "bytes behind a body": ("nothing-behind", "fails", [seen(http(b"{}xx", length=2))], "behind"),
    "bytes behind a stream": ("nothing-behind", "fails", [seen(stream(), b"xx")], "behind"),
    "bytes between requests": ("nothing-behind", "fails", [NOISE], "behind"),
    "kept": ("keep-alive", "ok", kept(completion(), completion()), "1 of 2"),
    "not kept": ("keep-alive", "fails", [seen(completion(), reused=False)] * 2, "a new connection for each"),
    "closed though kept": ("keep-alive", "fails", [seen(completion()), CLOSED], "promised"),
    "HTTP/1.1": ("http-version", "ok", [seen(completion())], "1.1"),
    "HTTP/1.0": ("http-version", "fails", [seen(http(b"{}", version="1.0"))], "1.0"),
    "an id": ("request-id", "ok", [seen(http(b"{}", x_request_id="req_1"))], "req_1"),
    "no id": ("request-id", "fails", [seen(http(b"{}"))], "none"),
    "no id in one": ("request-id", "fails", [seen(http(b"{}", x_request_id="req_1")), seen(http(b"{}"))], "1 of 2"),
    "limits": ("limit-headers", "ok", [seen(http(b"{}", **LIMITS))], "2 headers"),
    "no limits": ("limit-headers", "fails", [seen(http(b"{}"))], "no header"),
    "limits to be read": ("limit-values", "ok", [seen(http(b"{}", **LIMITS))], "2 values"),
    "a limit of words": (
        "limit-values",
        "fails",
        [seen(http(b"{}", x_ratelimit_limit_tokens="many"))],
        "a whole number",
    ),
    "a reset of words": ("limit-values", "fails", [seen(http(b"{}", x_ratelimit_reset_tokens="soon"))], "a duration"),
    "remaining -1": ("limit-values", "ok", [seen(http(b"{}", x_ratelimit_remaining_tokens="-1"))], "1 values"),
    "no limits to read": ("limit-values", "unknown", [seen(http(b"{}"))], "no x-ratelimit"),
    "never busy": ("retry-after", "ok", [seen(completion())], "no 429"),
    "busy for 2 s": ("retry-after", "ok", [seen(refusal(429, retry_after="2"))], "1 busy"),
    "busy until a date": (
        "retry-after",
        "ok",
        [seen(refusal(503, retry_after="Sat, 21 Nov 2026 10:00:09 GMT", date="Sat, 21 Nov 2026 10:00:00 GMT"))],
        "1 busy",
    ),
    "busy, and says nothing": ("retry-after", "fails", [seen(refusal(429))], "does not say"),
    "busy for words": ("retry-after", "fails", [seen(refusal(429, retry_after="soon"))], "does not say"),
    "busy for a day": ("retry-after", "fails", [seen(refusal(429, retry_after="86400"))], "86400 s"),
    "no cookie": ("cookies", "ok", [seen(completion())], "no answer"),
    "a cookie": ("cookies", "fails", [seen(http(b"{}", set_cookie="__cf_bm=abcdef"))], "cookie"),
}


@pytest.mark.parametrize("check,verdict,answers,says", ANSWERS.values(), ids=ANSWERS.keys())
def test_what_is_found_in_every_answer(check, verdict, answers, says):
    """These checks look at all answers, whatever was asked."""
    if isinstance(answers, dict):
        finding = find(check, **answers)
    else:
        finding = CHECKS[check].judge(rule.Evidence(None, {f"answer-{at}": one for at, one in enumerate(answers)}))
    assert finding.verdict == verdict, finding
    assert says in finding.says


def test_every_check_is_shown_both_ways():
    """A check that no row keeps, or that no row breaks, could say anything."""
    there = tried(WAYS) | tried(ANSWERS)
    assert [check.name for check in way_checks.CHECKS if not {(check.name, "ok"), (check.name, "fails")} <= there] == []


def test_a_cookie_is_told_without_its_value():
    """A cookie is a key of its kind."""
    answer = seen(http(b"{}", set_cookie="session=abcdef0123456789"))
    assert "abcdef0123456789" not in CHECKS["cookies"].judge(rule.Evidence(None, {"chat": answer})).seen
