"""Finds out which request is another attempt of which: the SDKs try again behind their caller's back.

    #3  POST /v1/chat/completions  429                                call 3, attempt 1
    #4  the same body, x-stainless-retry-count: 1, 0.52 s later       call 3, attempt 2

A request with that header says itself that it is a retry. One without it is taken for a retry where the same method,
target and body failed shortly before in a way that invites one. Opens nothing, writes nothing; safe between threads.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Callable, List, NamedTuple, Optional

from ..protocol.wire import Request
from .exchange import Exchange
from .faults import invites_retry
from .recording import Recorder

# The longest wait that the SDK takes from a server is 120 s; what comes much later is a question asked anew.
LONGEST_WAIT_S = 150.0
MOST_REMEMBERED = 500


class Attempt(NamedTuple):
    """Where a request stands: the number of the call's first exchange (None: its own), and which attempt it is."""

    call: Optional[int]
    attempt: int
    fingerprint: str
    waited_s: Optional[float] = None
    before: Optional[Recorder] = None


class _Known:
    """An exchange that another attempt may follow."""

    def __init__(self, link: Attempt, recorder: Recorder) -> None:
        self.link = link
        self.recorder = recorder
        self.ended_s: Optional[float] = None
        self.invites = False
        self.followed = False


class Attempts:
    """All exchanges of a tap that are recent enough to be tried again."""

    def __init__(self) -> None:
        self._known: List[_Known] = []
        self._lock = threading.Lock()

    def begin(self, request: Request, target: str, at_s: float, start: Callable[[Attempt], Recorder]) -> Recorder:
        """`start` makes the recorder, given what is known of the attempt. The pause goes on the record before it."""
        fingerprint = hashlib.sha256(
            b"\0".join((request.method.encode(), target.encode("latin-1", "replace"), request.body))
        ).hexdigest()
        with self._lock:
            link = self._link(fingerprint, _retry_count(request), at_s)
        if link.before is not None and link.waited_s is not None:
            link.before.wait(link.waited_s, "tried again", at_s=at_s - link.waited_s)
        recorder = start(link)
        with self._lock:
            self._known.append(_Known(link, recorder))
            del self._known[:-MOST_REMEMBERED]
        return recorder

    def ended(self, recorder: Recorder, at_s: float) -> None:
        """This exchange is over; its outcome decides whether another attempt may follow."""
        with self._lock:
            for known in self._known:
                if known.recorder is recorder:
                    known.ended_s, known.invites = at_s, may_be_tried_again(recorder.exchange)

    def _link(self, fingerprint: str, said: Optional[int], at_s: float) -> Attempt:
        if said == 0:
            return Attempt(None, 1, fingerprint)
        same = [known for known in self._known if known.link.fingerprint == fingerprint and not known.followed]
        found = [known for known in same if said is None or known.link.attempt == said]
        if said is None:
            found = [known for known in found if known.invites and _is_recent(known, at_s)]
        if not found:
            return Attempt(None, (said or 0) + 1, fingerprint)
        before = found[-1]
        before.followed = True
        call = before.link.call if before.link.call is not None else before.recorder.number
        waited_s = None if before.ended_s is None else max(at_s - before.ended_s, 0.0)
        return Attempt(call, before.link.attempt + 1, fingerprint, waited_s, before.recorder)


def may_be_tried_again(exchange: Exchange) -> bool:
    """Whether a client that gives nothing up would send this request again."""
    if exchange.head is None or (exchange.end is not None and not exchange.end.whole):
        return True
    return bool(invites_retry(exchange.head.status, None, exchange.head.headers))


def _is_recent(known: _Known, at_s: float) -> bool:
    return known.ended_s is not None and at_s - known.ended_s < LONGEST_WAIT_S


def _retry_count(request: Request) -> Optional[int]:
    for name, value in request.headers:
        if name.lower() == "x-stainless-retry-count" and value.isascii() and value.isdigit():
            return int(value)
    return None
