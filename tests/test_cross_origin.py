"""Who may ask the practice server from a page: pages of this machine, and no other."""

import pytest

from . import module
from .practice_wire import ask as ask_raw, body_of

cross_origin = module("lab.cross_origin")
wire = module("protocol.wire")
practice_server = module("lab.practice")

ORIGINS = [  # name, origin, whether it is this machine
    ("by number", "http://127.0.0.1:8000", True),
    ("by name", "http://localhost:8000", True),
    ("IPv6", "http://[::1]:8000", True),
    ("without a port", "https://localhost", True),
    ("elsewhere", "https://example.com", False),
    ("a name that begins alike", "http://localhost.example.com", False),
    ("a number that begins alike", "http://127.0.0.1.example.com", False),
    ("a user that looks like it", "http://localhost@example.com", False),
    ("a user before it", "http://me@localhost", False),
    ("a file, or a sandboxed frame", "null", False),
    ("a path behind it", "http://localhost/x", False),
    ("another scheme", "ftp://localhost", False),
    ("no host", "http://", False),
    ("no URL", "http://[::1", False),
    ("none", "", False),
]
ROWS = pytest.mark.parametrize("origin, near", [row[1:] for row in ORIGINS], ids=[row[0] for row in ORIGINS])


@ROWS
def test_only_pages_of_this_machine(origin, near):
    """They get their origin back, as it was written; a page from anywhere else gets nothing at all."""
    given = dict(cross_origin.cross_origin_headers("POST", wire.Headers({"Origin": origin})))
    wanted = {"access-control-allow-origin": origin, "vary": "origin", "access-control-expose-headers": "*"}
    assert given == (wanted if near else {})


@ROWS
def test_preflights(origin, near):
    """A preflight is an OPTIONS with a question in it, from such a page; each header asked for is allowed by name."""
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,x-a"}
    headers = wire.Headers({"Origin": origin, **asked})
    given = dict(cross_origin.cross_origin_headers("OPTIONS", headers))

    assert cross_origin.is_preflight("OPTIONS", headers) is near
    assert not cross_origin.is_preflight("POST", headers)
    assert not cross_origin.is_preflight("OPTIONS", wire.Headers({"Origin": origin}))
    assert given.get("access-control-allow-headers") == ("authorization,x-a" if near else None)
    assert given.get("access-control-allow-methods") == ("GET, HEAD, POST" if near else None)


def test_a_preflight_that_asks_for_no_header():
    """It is told of none."""
    headers = wire.Headers({"Origin": "http://localhost", "Access-Control-Request-Method": "GET"})
    assert "access-control-allow-headers" not in dict(cross_origin.cross_origin_headers("OPTIONS", headers))


def ask(server, body=b"", *, headers, **how):
    return ask_raw(server, body, headers=[f"{name}: {value}" for name, value in headers.items()], **how)


PAGE = {"Origin": "http://127.0.0.1:9000"}
PREFLIGHT = {**PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


def test_a_preflight_needs_no_key_and_meets_no_fault():
    """Browsers send it without the key, and it is not the client's: the fault waits for the request itself."""
    with practice_server.PracticeServer(pace_ms=0, key="secret", fault="429x1") as server:
        first = ask(server, method="OPTIONS", headers=PREFLIGHT)
        refused = ask(server, body_of(), headers=PAGE)
        limited = ask(server, body_of(), headers={**PAGE, "Authorization": "Bearer secret"})
        findings = server.verdict()

    assert first.status == 204
    assert first.headers["access-control-allow-headers"] == "authorization"
    assert (refused.status, limited.status) == (401, 429)
    for answer in (first, refused, limited):
        assert answer.headers["access-control-allow-origin"] == PAGE["Origin"]
    assert limited.headers["access-control-expose-headers"] == "*"
    assert [finding for finding in findings if 1 in finding.requests] == []


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://example.com"}], ids=["no page", "a page from elsewhere"])
def test_nothing_changes_for_others(practice, headers):
    """Other clients see no such header, and a page from elsewhere is not let in by a preflight either."""
    answer = ask(practice, body_of(), headers=headers)
    asked = ask(practice, method="OPTIONS", headers={**PREFLIGHT, **headers} if headers else {})
    assert asked.headers["allow"] == "POST"
    for name in (*answer.headers, *asked.headers):
        assert not name.lower().startswith("access-control-")
