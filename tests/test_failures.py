"""What is said of what broke a call, over any door."""

import pytest

from . import module
from .doors import fails

failures = module("transport.failures")
errors = module("protocol.errors")
http1 = module("transport.http1")

TRIP = failures.Trip("https://api.example/v1", 5, None)

ROWS = [
    ("no route, while connecting", OSError(113, "No route to host"), "connect", "cannot connect to api.example:443: No route to host; check"),
    ("no route any more", OSError(113, "No route to host"), "head", "cannot connect to api.example:443: No route to host; check"),
    ("reset", ConnectionResetError(104, "Connection reset by peer"), "head", "api.example:443 broke the connection: Connection reset"),
    ("reset in a body", ConnectionResetError(104, "Connection reset by peer"), "body", "broke off (7 bytes had come): Connection reset"),
    ("half a head", http1.BrokenHead("after 27 bytes"), "head", "the call to api.example:443 failed: after 27 bytes"),
    ("a control sequence", http1.BadStatusLine("it begins with \x1b[2J"), "head", "it begins with \ufffd[2J"),
]  # fmt: skip


@pytest.mark.parametrize("error, phase, words", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_said(error, phase, words):
    """An error that may be tried again, with the phase, the peer and what the system said."""
    told = failures.explain(error, TRIP, phase=phase, received_bytes=7 if phase == "body" else None)
    assert type(told) is errors.APIConnectionError and told.phase == phase
    assert words in str(told)


def test_a_proxy_that_says_nothing():
    """Silence on the way to it is a timeout, whoever wrapped it."""
    error = failures.ProxyError("timed out")
    error.__cause__ = TimeoutError("timed out")
    told = failures.explain(error, TRIP, phase="connect", proxy="http://me:secretword@p:1")
    assert type(told) is errors.APITimeoutError
    assert "no connection to the proxy http://<key:" in str(told) and "within 5 s" in str(told)
    assert "secretword" not in str(told)


def test_no_limit_is_said_in_words():
    """None is no figure."""
    told = failures.explain(TimeoutError(), TRIP, phase="head")
    assert "within the time allowed" in str(told)


def test_a_cause_with_a_secret_is_not_shown():
    """A traceback would print it."""
    clean = http1.BrokenBody("0 more")
    assert failures.cause_to_show(clean) is clean
    assert failures.cause_to_show(http1.BadStatusLine("api-key: sk-secret-0123456789")) is None


@pytest.mark.parametrize("seconds", [0, -1, 0.0])
def test_timeouts_that_are_none(seconds):
    """Refused with the figure."""
    assert "above 0" in str(fails(errors.PayloadError, failures.check_timeouts, None, 5, seconds))
