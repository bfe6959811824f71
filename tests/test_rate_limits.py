"""Rate-limit headers, read from any answer. The waits they ask for are tested in test_retry.py."""

import pytest

from . import rawchat

NOW_S = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT

LIMITS = [
    ("none", {}, (None, None, None, None, None, None)),
    ("OpenAI", {"X-RateLimit-Limit-Requests": "500", "x-ratelimit-remaining-requests": "499", "x-ratelimit-reset-requests": "120ms", "x-ratelimit-limit-tokens": "30000", "x-ratelimit-remaining-tokens": "29976", "x-ratelimit-reset-tokens": "6m0s"}, (500, 499, 0.12, 30000, 29976, 360.0)),
    ("Azure, overdrawn", {"x-ratelimit-remaining-tokens": "-1"}, (None, None, None, None, 0, None)),
    ("OpenRouter, epoch ms", {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000030000"}, (20, 0, 30.0, None, None, None)),
    ("Anthropic, ISO 8601", {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "49", "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:21Z"}, (50, 49, 1.0, None, None, None)),
    ("named ones before plain ones", {"x-ratelimit-limit": "9", "x-ratelimit-limit-requests": "500"}, (500, None, None, None, None, None)),
    ("reset in the past", {"x-ratelimit-reset": "1600000000"}, (None, None, 0.0, None, None, None)),
    ("garbage", {"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "1e999"}, (None, None, None, None, None, None)),
]  # fmt: skip


@pytest.mark.parametrize("name, headers, expected", LIMITS, ids=[row[0] for row in LIMITS])
def test_rate_limits_are_read_from_any_answer(name, headers, expected):
    """Counts as integers, resets as seconds from now, None for what is not said."""
    assert tuple(rawchat.rate_limits(headers, now_s=NOW_S)) == expected
