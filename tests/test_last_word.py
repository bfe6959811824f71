"""Why a failed attempt was the last: the reasons that are not the error's own, each said once."""

import pytest

from . import module, rawchat

errors = module("protocol.errors")
last_word = module("protocol.last_word")
retry = module("protocol.retry")

ROWS = [
    ("no reason but the error", None, None, "", ""),
    ("a day", 86400.0, None, "", "not tried again: the server asks to wait 86400 s, more than the 120 s of RetryPolicy.longest_wait_s"),
    ("past the deadline", None, retry.Wait(6.0, "429"), "", "not tried again: waiting 6 s would pass the deadline of 20 s"),
    ("beside a cure", None, retry.Wait(6.0, "429"), "ask for less", "ask for less; not tried again: waiting 6 s would pass the deadline of 20 s"),
]  # fmt: skip


@pytest.mark.parametrize("asked_s, wait, hint, expected", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_reason_is_told_once(asked_s, wait, hint, expected):
    error = errors.RateLimitError("slow down", status=429, retry_after_s=asked_s, hint=hint)
    error.retryable = True
    for _ in range(2):
        last_word.tell_why(error, rawchat.RetryPolicy(), wait, 20.0)

    assert error.hint == expected
