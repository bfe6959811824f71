"""The live page on the tap's own port: for this machine alone, beside the traffic and never in its way."""

import json

import pytest

from . import module, rawchat
from .practice_wire import Got
from .tapped import RawClient, tapped

report = module("lab.report")


def get(port, path, host=None, method="GET", more=""):
    with RawClient(port) as client:
        client.send(f"{method} {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n{more}\r\n".encode())
        return Got(client.to_the_end())


def test_the_page(practice):
    """The report's own page, not cached, for no other origin; asking for it is no exchange."""
    with tapped(practice.url, live=True) as (tap, records):
        got = get(tap.port, "/__tap__/")
        assert tap.page_url == f"http://127.0.0.1:{tap.port}/__tap__/"
        assert get(tap.port, "/__tap__").headers["location"] == "/__tap__/"
        assert get(tap.port, "/__tap__/", host=f"localhost:{tap.port}").status == 200
    assert got.status == 200 and got.body == report.live_page()
    assert got.headers["content-type"] == "text/html; charset=utf-8" and got.headers["cache-control"] == "no-store"
    assert not any(name.startswith("access-control") for name in got.headers)
    assert records.exchanges == [] and practice.requests == []


REFUSED = [
    ("a name that points here", {"host": "evil.example"}, 403),
    ("a name that points here, with the port", {"host": "evil.example:80"}, 403),
    ("another port", {"host": "127.0.0.1:1"}, 403),
    ("another origin's question", {"method": "OPTIONS", "more": "Origin: http://evil.example\r\n"}, 405),
    ("a post", {"method": "POST", "more": "Content-Length: 0\r\n"}, 405),
    ("another path", {"path": "/__tap__/keys"}, 404),
]


@pytest.mark.parametrize("name, how, status", REFUSED, ids=[row[0] for row in REFUSED])
def test_who_gets_nothing(practice, name, how, status):
    """DNS rebinding, other origins, other methods."""
    with tapped(practice.url, live=True) as (tap, _):
        got = get(tap.port, **{"path": "/__tap__/", **how})
    assert got.status == status and not any(header.startswith("access-control") for header in got.headers)


def test_the_events(practice):
    """What was known when the page was opened, and what happens after; without the key; the stream ends with the tap."""
    with tapped(practice.url, live=True) as (tap, records):
        with rawchat.Client("sk-secret-0123456789abcdef", tap.url) as client:
            client.chat("first question")
            with RawClient(tap.port) as page:
                page.send(f"GET /__tap__/events HTTP/1.1\r\nHost: 127.0.0.1:{tap.port}\r\n\r\n".encode())
                page.until(b"first question")
                client.chat("second question")
                page.until(b"second question")
                records.wait_for("end", 2)
                tap.stop()
                page.to_the_end()
    got = Got(page)
    assert got.headers["content-type"].startswith("text/event-stream")
    events = [event for event in got.body.split(b"\n\n") if event.startswith(b"event: view")]
    assert all(json.loads(event.partition(b"\ndata: ")[2]) for event in events) and len(events) >= 2
    assert b"sk-secret" not in got.body


def test_without_the_page_the_path_is_the_upstreams(practice):
    """The tap keeps no path for itself unless it was asked to."""
    with tapped(practice.url) as (tap, records):
        assert get(tap.port, "/__tap__/", more="Connection: close\r\n").status == 404
        records.wait_for("end")
    assert len(practice.requests) == 1
