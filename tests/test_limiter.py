"""The limiter: who may start now, with the clock in the test's hand."""

import math
import random

import pytest

from . import module

limiter = module("limiter")
RateLimits = module("protocol.rate_limits").RateLimits
Permit = limiter.Permit


def started(one, now_s, tokens=0):
    """How many attempts start at this moment."""
    count = 0
    while count < 1000 and one.ask(tokens, now_s) == 0.0:
        count += 1
    return count


def run_for(one, seconds, tokens=0, used=None, answer_s=0.0):
    """Times at which attempts start when everybody asks as soon as they may, each lasting `answer_s`."""
    now_s, starts = 0.0, []
    while now_s < seconds:
        wait_s = one.ask(tokens, now_s)
        if wait_s:
            now_s += wait_s
            continue
        starts.append(now_s)
        one.finish(Permit(now_s, tokens), used)
        now_s += answer_s
    return starts


def test_no_more_run_at_once_than_there_are_workers():
    """Who comes too late waits for an end, not for a time."""
    one = limiter.Limiter(3)
    assert started(one, 0.0) == 3
    assert one.ask(0, 100.0) == math.inf
    one.finish(Permit(0.0, 0))
    assert one.ask(0, 100.0) == 0.0


RATES = [
    ("one a second", {"max_requests_per_minute": 60}, 0, None, 60),
    ("ten a second", {"max_requests_per_minute": 600}, 0, None, 600),
    ("one in two seconds", {"max_requests_per_minute": 30}, 0, None, 30),
    ("tokens", {"max_tokens_per_minute": 6000}, 100, None, 60),
    ("a row larger than a second's tokens", {"max_tokens_per_minute": 6000}, 1000, None, 6),
    ("tokens given back", {"max_tokens_per_minute": 6000}, 100, 10, 600),
    ("tokens used beyond the estimate", {"max_tokens_per_minute": 6000}, 10, 100, 60),
    ("the stricter of two", {"max_requests_per_minute": 600, "max_tokens_per_minute": 6000}, 200, None, 30),
]


@pytest.mark.parametrize(("rates", "tokens", "used", "a_minute"), [row[1:] for row in RATES], ids=[r[0] for r in RATES])
def test_rates_are_kept_in_every_minute(rates, tokens, used, a_minute):
    """Neither more than the rate, but for the second's worth it starts with, nor much less."""
    starts = run_for(limiter.Limiter(1000, **rates), 180, tokens, used)
    for begin in range(0, 120, 7):
        inside = sum(begin <= at < begin + 60 for at in starts)
        assert a_minute * 0.95 - 1 <= inside <= a_minute * 1.05 + 2


def test_a_pause_holds_for_everybody():
    """429, Retry-After: 2: nobody starts for 2 s, and a shorter pause does not end a longer one."""
    one = limiter.Limiter(4)
    one.pause(2.0, now_s=10.0)
    one.pause(0.5, now_s=10.0)
    assert one.ask(0, 10.0) == 2.0
    assert one.ask(0, 11.5) == 0.5
    assert started(one, 12.0) == 4


def test_overload_halves_and_success_brings_back_one_a_round():
    """8 -> 4 -> 2 -> 1 and no further; then one more for as many good answers in a row as may run at once."""
    one = limiter.Limiter(8)
    seen = []
    for now_s in range(1, 6):
        one.halve(Permit(float(now_s), 0), now_s + 0.5)
        seen.append(one.allowed)
    assert seen == [4, 2, 1, 1, 1]
    rounds = []
    for _ in range(1 + 2 + 3):
        one.succeeded()
        rounds.append(one.allowed)
    assert rounds == [2, 2, 3, 3, 3, 4]
    for _ in range(1000):
        one.succeeded()
    assert one.allowed == 8


def test_what_was_under_way_at_the_halving_halves_no_second_time():
    """Eight rows that meet one overloaded moment are one piece of news."""
    one = limiter.Limiter(8)
    for _ in range(8):
        one.halve(Permit(1.0, 0), now_s=2.0)
    assert one.allowed == 4
    one.halve(Permit(2.5, 0), now_s=3.0)
    assert one.allowed == 2


HEADERS = [
    ("plenty left", RateLimits(remaining_requests=99, reset_requests_s=6.0), 10, 0.0, 4),
    ("three left", RateLimits(remaining_requests=3, reset_requests_s=6.0), 10, 6.0, 3),
    ("none left", RateLimits(remaining_requests=0, reset_requests_s=6.0), 10, 6.0, 0),
    ("tokens for two rows", RateLimits(remaining_tokens=25, reset_tokens_s=8.0), 10, 8.0, 2),
    ("a reset in hours is tried after a minute", RateLimits(remaining_requests=0, reset_requests_s=9e4), 10, 60.0, 0),
    ("no reset named", RateLimits(remaining_requests=0), 10, 0.0, 4),
    ("only the limit named", RateLimits(limit_requests=60), 10, 0.0, 4),
]


@pytest.mark.parametrize(
    ("limits", "tokens", "wait_s", "count"), [row[1:] for row in HEADERS], ids=[r[0] for r in HEADERS]
)
def test_the_servers_headers_set_the_pace(limits, tokens, wait_s, count):
    """What remains is used up; then everybody waits for the reset, and not longer."""
    one = limiter.Limiter(4)
    one.note(limits, now_s=100.0)
    assert started(one, 100.0, tokens) == count
    if wait_s:
        assert one.ask(tokens, 100.0) == wait_s
        assert one.ask(tokens, 100.0 + wait_s) == 0.0


def test_running_attempts_count_against_what_remains():
    """Whether the server has counted them is unknown, so they are; their own answers bring the next figures."""
    one = limiter.Limiter(8)
    assert started(one, 0.0) == 8
    one.finish(Permit(0.0, 0))
    one.note(RateLimits(remaining_requests=7, reset_requests_s=30.0), 1.0)
    assert one.ask(0, 1.0) == 30.0
    one.finish(Permit(0.0, 0))
    one.note(RateLimits(remaining_requests=7, reset_requests_s=30.0), 2.0)
    assert one.ask(0, 2.0) == 0.0


def test_a_row_larger_than_the_whole_quota_is_tried_after_the_reset():
    """It may fit after all; if not, the server's own refusal is the better answer than waiting for ever."""
    one = limiter.Limiter(1)
    one.note(RateLimits(remaining_tokens=100, reset_tokens_s=5.0), 0.0)
    assert one.ask(1000, 0.0) == 5.0
    assert one.ask(1000, 5.0) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_the_books_balance(seed):
    """After any order of events, as many run as were admitted and have not finished, and somebody may start again."""
    dice = random.Random(seed)
    one = limiter.Limiter(5, max_requests_per_minute=6000, max_tokens_per_minute=60000)
    now_s, running = 0.0, []
    for _ in range(2000):
        now_s += dice.random() * 0.05
        if dice.random() < 0.5 and one.ask(tokens := dice.randrange(500), now_s) == 0.0:
            running.append(Permit(now_s, tokens))
        elif running:
            permit = running.pop(dice.randrange(len(running)))
            one.finish(permit, dice.choice([None, 10, 900]))
            one.note(RateLimits(dice.randrange(9), dice.randrange(9), 0.1, 900, dice.randrange(900), 0.1), now_s)
            event = dice.randrange(3)
            if event == 0:
                one.succeeded()
            elif event == 1:
                one.halve(permit, now_s)
            else:
                one.pause(0.1, now_s)
        assert one.running == len(running)
        assert 1 <= one.allowed <= 5
    for permit in running:
        one.finish(permit)
    assert one.ask(1, now_s + 120) == 0.0
