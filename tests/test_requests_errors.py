"""Chains of errors as requests and urllib3 make them, told as the standard library would. Neither is needed here."""

import http.client
import socket
import ssl

import pytest

from . import module

requests_errors = module("transport.requests_errors")
failures = module("transport.failures")
errors = module("protocol.errors")

TRIP = failures.Trip("https://api.example/v1", 5, 600)


def of(name, *arguments, reason=None, cause=None, context=None):
    """An error of a library's class with this name."""
    error = type(name, (OSError,), {"__module__": "urllib3.exceptions"})(*arguments)
    error.reason, error.__cause__, error.__context__ = reason, cause, context
    return error


RESET = ConnectionResetError(104, "Connection reset by peer")

ROWS = [
    (
        "refused",
        of("ConnectionError", of("MaxRetryError", reason=of("NewConnectionError", cause=ConnectionRefusedError(111, "no")))),
        "connect", "cannot connect to api.example:443: connection refused",
    ),
    (
        "refused, over urllib3 1.26",
        of("ConnectionError", of("MaxRetryError", reason=of("NewConnectionError", context=ConnectionRefusedError(111, "no")))),
        "connect", "cannot connect to api.example:443: connection refused",
    ),
    ("no route", of("NewConnectionError", cause=OSError(113, "No route to host")), "connect", "cannot connect to api.example:443: No route"),
    ("reset while connecting", of("NewConnectionError", cause=RESET), "connect", "cannot connect to api.example:443: Connection reset"),
    ("no such name", of("NameResolutionError", "x", cause=socket.gaierror(-2, "Name not known")), "connect", "cannot find api.example:443: Name not known"),
    ("no TLS", of("SSLError", ssl.SSLError(1, "[SSL] wrong version number")), "head", "TLS with api.example:443 failed: [SSL] wrong version"),
    ("another's certificate", of("SSLError", of("CertificateError", "hostname mismatch")), "connect", "cannot trust api.example:443: hostname mismatch"),
    ("proxy", of("ProxyError", "Cannot connect", OSError("Tunnel failed: 407")), "connect", "cannot get through the proxy http://p:1 on the way to api.example:443: Tunnel failed: 407"),
    ("reset", of("ConnectionError", of("ProtocolError", "Connection aborted.", RESET)), "head", "broke the connection: Connection reset by peer"),
    ("hung up", of("ProtocolError", http.client.RemoteDisconnected("x")), "head", "closed the connection without an answer"),
    ("a line too long", of("ProtocolError", http.client.LineTooLong("header line")), "head", "does not answer in HTTP: got more than"),
    ("what nobody knows", of("ConnectionError", "patched"), "head", "the call to api.example:443 failed: patched"),
]  # fmt: skip


@pytest.mark.parametrize("error, phase, words", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_chains(error, phase, words):
    """The innermost error counts, wherever the library keeps it."""
    told = requests_errors.explain_library(error, TRIP, phase="head", proxy="http://p:1")
    assert type(told) is errors.APIConnectionError
    assert told.phase == phase and words in str(told)


TIMEOUTS = [
    ("connecting", of("ConnectionError", of("MaxRetryError", reason=of("ConnectTimeoutError"))), "connect", "within 5 s"),
    ("reading", of("ReadTimeout", of("ReadTimeoutError", cause=socket.timeout("timed out"))), "head", "within 600 s"),
]  # fmt: skip


@pytest.mark.parametrize("error, phase, words", [row[1:] for row in TIMEOUTS], ids=[row[0] for row in TIMEOUTS])
def test_timeouts(error, phase, words):
    """With the limit that was passed."""
    told = requests_errors.explain_library(error, TRIP, phase="head")
    assert type(told) is errors.APITimeoutError
    assert told.phase == phase and words in str(told)


def test_local_mistakes():
    """A URL that cannot be used, and a CA file that is missing, are the caller's to mend."""
    no_url = type("InvalidURL", (OSError, ValueError), {"__module__": "requests.exceptions"})("no host in it")
    for error, path in ((no_url, "url"), (OSError("Could not find a CA bundle: /no/such"), "verify")):
        told = requests_errors.explain_library(error, TRIP, phase="connect")
        assert type(told) is errors.PayloadError and told.path == path
        assert str(error) in str(told)


def test_of_a_chain_with_a_secret_only_what_is_clean_is_shown():
    """The URL stands in what the library says, not in what the system said."""
    refused = ConnectionRefusedError(111, "Connection refused")
    error = of("MaxRetryError", "url: /v1?api-key=sk-secret-0123456789", reason=refused)
    assert requests_errors.clean_cause(error) is refused
    assert requests_errors.clean_cause(of("MaxRetryError", "url: /v1", reason=refused)).reason is refused
    assert requests_errors.clean_cause(of("MaxRetryError", "api-key=sk-secret-0123456789")) is None
