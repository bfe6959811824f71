"""Retries are linked to the attempts before them, by what the SDK says or by what happened."""

from typing import NamedTuple, Tuple

import pytest

from . import module
from .tapped import Records

attempts_module = module("lab.attempts")
recording = module("lab.recording")
wire = module("protocol.wire")


class Sent(NamedTuple):
    """One request: when it was sent and ended, how; what its header says. `status` 0: it broke off."""

    at_s: float
    status: int
    count: str = ""
    body: bytes = b"{}"
    call: int = 0
    attempt: int = 1
    headers: tuple = ()


ROWS = [
    ("the header says it", [Sent(0, 429, "0", call=1), Sent(1, 200, "1", call=1, attempt=2)]),
    (
        "three attempts",
        [Sent(0, 500, "0", call=1), Sent(1, 500, "1", call=1, attempt=2), Sent(2, 200, "2", call=1, attempt=3)],
    ),
    ("a zero is a new call", [Sent(0, 429, "0", call=1), Sent(1, 200, "0", call=2)]),
    ("no header, after a 503", [Sent(0, 503, call=1), Sent(1, 200, call=1, attempt=2)]),
    ("no header, after a break", [Sent(0, 0, call=1), Sent(1, 200, call=1, attempt=2)]),
    ("no header, after a good answer", [Sent(0, 200, call=1), Sent(1, 200, call=2)]),
    ("no header, after a 400", [Sent(0, 400, call=1), Sent(1, 400, call=2)]),
    (
        "no header, and the server said no",
        [Sent(0, 500, call=1, headers=(("x-should-retry", "false"),)), Sent(1, 200, call=2)],
    ),
    ("no header, much later", [Sent(0, 503, call=1), Sent(400, 200, call=2)]),
    ("another body", [Sent(0, 503, call=1), Sent(1, 200, body=b"[]", call=2)]),
    ("asked again after the retry", [Sent(0, 503, call=1), Sent(1, 200, call=1, attempt=2), Sent(2, 200, call=3)]),
    ("the first attempt was not seen", [Sent(0, 200, "1", call=1, attempt=2)]),
    (
        "two calls of one body",
        [
            Sent(0, 429, "0", call=1),
            Sent(0.1, 429, "0", call=2),
            Sent(1, 200, "1", call=2, attempt=2),
            Sent(1.1, 200, "1", call=1, attempt=2),
        ],
    ),
]


def play(rows):
    records = Records()
    session = recording.Recording([records], source="tap")
    attempts = attempts_module.Attempts()
    for sent in rows:
        headers: Tuple = (("X-Stainless-Retry-Count", sent.count),) if sent.count else ()
        request = wire.Request("POST", "http://h/v1/chat/completions", headers, sent.body)
        recorder = attempts.begin(
            request,
            "/v1/chat/completions",
            sent.at_s,
            lambda link, request=request, sent=sent: session.begin(
                request, at_s=sent.at_s, call=link.call, attempt=link.attempt
            ),
        )
        if sent.status:
            recorder.head(
                wire.ResponseHead(sent.status, "", wire.Headers((*sent.headers, ("content-length", "0")))),
                at_s=sent.at_s,
            )
        recorder.end("eof" if sent.status else "reset", at_s=sent.at_s + 0.01, whole=bool(sent.status))
        attempts.ended(recorder, sent.at_s + 0.01)
    return records.exchanges


@pytest.mark.parametrize("name, rows", ROWS, ids=[name for name, _ in ROWS])
def test_links(name, rows):
    """Which call each exchange belongs to, and which attempt it is."""
    assert [(exchange.call, exchange.attempt) for exchange in play(rows)] == [
        (sent.call, sent.attempt) for sent in rows
    ]


def test_the_pause_is_on_record():
    """Between the end of an attempt and the sending of the next."""
    first, second = play([Sent(0, 429, "0"), Sent(0.51, 200, "1")])
    assert first.wait_s == pytest.approx(0.5) and first.why == "tried again"
    assert second.wait_s is None
