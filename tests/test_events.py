"""WireEvents: when, which call, which attempt; and reprs without a key."""

import pytest

from . import module, rawchat

events = module("protocol.events")
wire = module("protocol.wire")

KEY = "sk-proj-0123456789abcdefghij"
HEADERS = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))
REQUEST = wire.Request("POST", f"https://u:{KEY}@h.example/v1?key={KEY}", HEADERS, b'{"model":"m"}')

HOLDERS = [
    ("Sending", events.Sending(0.0, 1, 1, REQUEST)),
    ("Received", events.Received(0.0, 1, 1, wire.ResponseHead(200, "OK", wire.Headers(HEADERS)))),
]


@pytest.mark.parametrize("name, event", HOLDERS, ids=[row[0] for row in HOLDERS])
def test_no_repr_shows_a_key(name, event):
    """Of an event that holds headers and URLs."""
    shown = f"{event!r} {event} {[event]}"
    assert "<key:" in shown
    assert KEY not in shown


EVENTS = ["Sending", "Received", "Chunked", "Waiting", "Failed", "Done"]


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_says_when_and_which(name):
    """All start with the monotonic time, the call and the attempt; the face offers them."""
    event = getattr(events, name)
    assert event._fields[:3] == ("at_s", "call", "attempt")
    assert getattr(rawchat, name) is event
