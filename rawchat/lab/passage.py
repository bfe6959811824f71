"""One request on its way through the tap: where it goes, what has come of it, and who writes it down.

    passage = Passage(wiring, head, reused=False)
    passage.target, passage.url      where it goes
    passage.follower                 its body, as far as it has come
    passage.witness                  its answer, and the record of both

Holds what the relay needs to know of one exchange; moves no byte.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from typing import Any, Callable, NamedTuple, Optional

from ..protocol.wire import HeaderPairs, Request
from .attempts import Attempts
from .recording import Recording
from .request_bytes import BodyFollower, RequestHead, told_chunks
from .tap_faults import FaultBook, Tampering
from .tap_page import TapPage
from .upstream import Upstream
from .witness import Story, Witness

REDIRECTED = "/redirected"


class Wiring(NamedTuple):
    """What all connections of a tap share. `root` is the tap's own http://127.0.0.1:PORT; `say` shows people a line."""

    upstream: Upstream
    recording: Recording
    attempts: Attempts
    faults: FaultBook
    stopping: threading.Event
    root: str
    is_dry_run: bool
    say: Callable[[str], None]
    page: Optional[TapPage] = None


class Passage:
    """One request and its answer, on their way through."""

    def __init__(self, wiring: Wiring, head: RequestHead, *, reused: bool) -> None:
        self.head = head
        self.follower = BodyFollower(head.headers)
        self.story = Story(wiring.recording, wiring.attempts)
        self.witness = Witness(self.story, head.method, reused=reused)
        self.tampering: Optional[Tampering] = None
        self.sent_s = time.monotonic()
        base = wiring.upstream.base
        target = head.target
        self.is_redirected = target.startswith(REDIRECTED + "/")
        if self.is_redirected:  # the far end of a redirect that a fault made
            target = target[len(REDIRECTED) :]
        self.target = base.target_for(target)
        self.url = base.root + self.target
        self._host = base.origin.name

    @property
    def is_over(self) -> bool:
        return self.witness.is_over and self.follower.at_end

    @property
    def payload(self) -> Any:
        try:
            return json.loads(self.follower.body)
        except (ValueError, RecursionError):
            return None

    @property
    def fingerprint(self) -> str:
        """Equal for a request and its retries."""
        parts = (self.head.method.encode("latin-1"), self.target.encode("latin-1"), self.follower.body)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def headers(self) -> HeaderPairs:
        """As they went on: the client's, with the upstream's Host."""
        pairs = self.head.headers.pairs
        return tuple((name, self._host if name.lower() == "host" else value) for name, value in pairs)

    def begin_story(self) -> None:
        """The request is whole, or will never be."""
        if self.story.recorder is not None:
            return
        request = Request(self.head.method, self.url, self.headers(), self.follower.body)
        self.story.begin(
            request,
            target=self.head.target,
            version=self.head.version,
            at_s=self.sent_s,
            whole=self.follower.at_end,
        )
        chunks = told_chunks(self.follower.chunk_sizes)
        if chunks:
            self.story.note(chunks, self.sent_s)
        if self.follower.flaw:
            self.story.note(f"the end of the request cannot be seen: {self.follower.flaw}", self.sent_s)

    def end(self, how: str, at_s: float, detail: str = "") -> None:
        self.witness.end(how, at_s, detail)
        self.begin_story()
