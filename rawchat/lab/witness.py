"""Watches the bytes of one exchange go by, and has them written down: its head, what each read held, how it ended.

    story = Story(...)               what is known before the request is whole waits until it is
    witness.take(data, at_s)         bytes that have just gone to the client
    witness.is_over                  the answer is whole, by its own framing
    witness.end("reset", at_s)       or this is how it ended

Called after the bytes went on, never before. Sends nothing and changes nothing. An answer that is no HTTP is written
down as it came.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional

from ..protocol.wire import Request, ResponseHead
from ..transport.http1 import HTTP_FAILURES, ResponseReader
from .attempts import Attempt, Attempts
from .recording import Recorder, Recording


class Story:
    """What is told of one exchange. A record begins with the whole request: what happens before it is whole, waits."""

    def __init__(self, recording: Recording, attempts: Attempts) -> None:
        self.recorder: Optional[Recorder] = None
        self._recording = recording
        self._attempts = attempts
        self._waiting: List[Callable[[Recorder], Any]] = []

    def begin(self, request: Request, *, target: str, version: str, at_s: float, whole: bool) -> None:
        """The request is here, or all that will ever come of it. `at_s`: when its first byte was sent on."""
        if self.recorder is not None:
            return

        def start(link: Attempt) -> Recorder:
            return self._recording.begin(
                request,
                at_s=at_s,
                target=target,
                http_version=version,
                whole=whole,
                call=link.call,
                attempt=link.attempt,
            )

        self.recorder = self._attempts.begin(request, target, at_s, start)
        for told in self._waiting:
            told(self.recorder)
        self._waiting.clear()

    def _tell(self, told: Callable[[Recorder], Any]) -> None:
        if self.recorder is None:
            self._waiting.append(told)
        else:
            told(self.recorder)

    def interim(self, head: ResponseHead, at_s: float) -> None:
        self._tell(lambda recorder: recorder.interim(head, at_s=at_s))

    def head(self, head: ResponseHead, at_s: float) -> None:
        self._tell(lambda recorder: recorder.head(head, at_s=at_s))

    def read(self, data: bytes, at_s: float) -> None:
        self._tell(lambda recorder: recorder.read(data, at_s=at_s))

    def note(self, text: str, at_s: float) -> None:
        self._tell(lambda recorder: recorder.note(text, at_s=at_s))

    def end(self, how: str, at_s: float, *, whole: bool, detail: str = "") -> None:
        def told(recorder: Recorder) -> None:
            if recorder.exchange.end is None:
                recorder.end(how, at_s=at_s, whole=whole, detail=detail)
                self._attempts.ended(recorder, at_s)

        self._tell(told)


class Witness:
    """Follows the answer of one exchange.

    is_over   all of the answer is here
    keeps     ... and another may follow on this connection
    flaw      why its framing cannot be followed any further, or ""
    """

    def __init__(self, story: Story, method: str, *, reused: bool = False) -> None:
        self._reader = ResponseReader(method, reused=reused, decode=False)
        self._story = story
        self._start = bytearray()  # bytes of a head that is not all here
        self._surplus_told = False
        self.flaw = ""

    @property
    def head(self) -> Optional[ResponseHead]:
        return self._reader.head

    @property
    def is_over(self) -> bool:
        return self._reader.at_end and not self.flaw

    @property
    def keeps(self) -> bool:
        return self.is_over and self._reader.reusable

    def take(self, data: bytes, at_s: float) -> None:
        if self._reader.at_end:
            if not self._surplus_told:
                self._surplus_told = True
                self._story.note(f"{len(data)} bytes came after the end of the answer", at_s)
            return
        if self.head is None and not self.flaw:
            data = self._take_head(data, at_s)
            if data:
                self._follow(data)
        else:
            self._follow(data)
        if data:
            self._story.read(data, at_s)
        if self.is_over:
            self._story.end("eof", at_s, whole=True)

    def _take_head(self, data: bytes, at_s: float) -> bytes:
        """Line by line, so that the place where the body begins is known. What is left of `data` is body."""
        place = 0
        while place < len(data) and self.head is None and not self.flaw:
            end = data.find(b"\n", place) + 1 or len(data)
            self._start += data[place:end]
            self._follow(data[place:end])
            place = end
            for head in self._reader.interim:
                self._story.interim(head, at_s)
                self._start.clear()
            self._reader.interim.clear()
        if self.head is not None:
            self._story.head(self.head, at_s)
            self._start.clear()
        elif self.flaw:
            started, self._start = bytes(self._start), bytearray()
            return started + data[place:]
        return data[place:]

    def _follow(self, data: bytes) -> None:
        if self.flaw:
            return
        try:
            self._reader.receive(data)
        except HTTP_FAILURES as failure:
            self.flaw = str(failure)
        self._reader.pieces.clear()

    def end(self, how: str, at_s: float, detail: str = "") -> None:
        """Nothing more comes. Says nothing new where the answer was whole."""
        if self._start:
            self._story.read(bytes(self._start), at_s)
            self._start.clear()
        if how == "eof" and not self.flaw:
            try:
                self._reader.receive_end()
            except HTTP_FAILURES as failure:
                self.flaw = str(failure)
            self._story.end(how, at_s, whole=not self.flaw, detail=self.flaw)
            return
        said = "; ".join(part for part in (detail, self.flaw) if part)
        self._story.end(how, at_s, whole=self.is_over, detail=said)
