"""The tables of rare statuses and of other servers' codes. Whole answers are in test_status.py."""

import pytest

from . import module

status = module("protocol.status")
dialects = module("protocol.status_dialects")
hints = module("protocol.hints")


@pytest.mark.parametrize("number", dialects.RARE_STATUSES)
def test_a_rare_status_has_words_and_a_kind(number):
    """The row is used, and is not one of the core's."""
    phrase, kind = dialects.RARE_STATUSES[number]
    assert number not in status.STATUSES
    assert phrase and not phrase.isdigit()
    assert status.row_of(number).phrase == phrase
    assert status.row_of(number).kind == kind and hints.KINDS[kind].words


BETTER = [
    ("LiteLLM's budget, whatever the status", 400, {"budget_exceeded"}, {}, "quota"),
    ("new-api, inside a 200", 200, {"insufficient_user_quota", ""}, {}, "quota"),
    ("Workers AI", 429, {"3040"}, {}, "overloaded"),
    ("the number of Workers AI beside another status", 500, {"3040"}, {}, ""),
    ("Gemini, per day", 429, {"429"}, {"details": [{"violations": [{"quotaId": "RequestsPerDay"}]}]}, "quota"),
    ("Gemini, per day, beside another status", 503, set(), {"details": [{"violations": [{"quotaId": "PerDay"}]}]}, ""),
    ("Gemini, per minute", 429, {"429"}, {"details": [{"violations": [{"quotaId": "RequestsPerMinute"}]}]}, ""),
    ("nothing known", 429, {"rate_limit_exceeded", "tokens"}, "text", ""),
]


@pytest.mark.parametrize("name, number, names, error, kind", BETTER, ids=[row[0] for row in BETTER])
def test_a_code_may_know_better_than_the_status(name, number, names, error, kind):
    """The kind, or "" where the status is right."""
    assert dialects.better_kind(number, names, error) == kind


@pytest.mark.parametrize("number, words, why", [
    (500, "insufficient balance (1008)", "the account is empty"),
    (503, "Insufficient_credits", "the account is empty"),
    (429, "insufficient balance", ""),
    (500, "insufficient memory", ""),
])  # fmt: skip
def test_an_empty_account_is_final_though_the_status_is_the_servers(number, words, why):
    """Of a 5xx alone: what a 4xx means, it says itself."""
    assert dialects.why_final(number, words) == why
