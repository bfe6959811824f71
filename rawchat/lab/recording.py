"""Turns what happens to an exchange into records, with the secrets taken out, and hands each to whoever wants it.

    recording = Recording([CassetteWriter("calls.jsonl")], source="tap")
    recorder = recording.begin(request, at_s=...)     {"event":"request","id":1,"t_us":0,"method":"POST",...}
    recorder.head(head, at_s=...)                     {"event":"head","id":1,"t_us":412000,"status":200,...}
    recorder.read(b"...", at_s=...)                   {"event":"read","id":1,"t_us":412100,"text":"..."}
    recorder.end("eof", at_s=...)                     {"event":"end","id":1,"t_us":3100000,"how":"eof","whole":true}

A sink is a callable of one record: a cassette's writer, a screen, a page that is open in a browser. What a sink sees
has been through the Hider, and `recorder.exchange` is made of the same records: nothing in the lab holds a key. Times
given in are `time.monotonic()` seconds; times written are microseconds since the sending. Opens no connection, writes
no file.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Iterable, Mapping, Optional

from ..protocol.wire import Request, ResponseHead
from .exchange import WIRE, Exchange, bytes_record
from .hiding import Hider

Sink = Callable[[Mapping[str, Any]], None]


def timestamp(unix_s: float) -> str:
    """RFC 3339 in UTC, to the microsecond.

    >>> timestamp(1763720400.25)
    '2025-11-21T10:20:00.250000Z'
    """
    whole_s, us = divmod(round(unix_s * 1e6), 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole_s))}.{us:06d}Z"


class Recording:
    """All exchanges of one run, numbered from `first_number`. Safe to share between threads."""

    def __init__(
        self, sinks: Iterable[Sink] = (), *, source: str, hider: Optional[Hider] = None, first_number: int = 1
    ) -> None:
        self.sinks = tuple(sinks)
        self.source = source
        self.hider = hider or Hider()
        self.began_s = time.monotonic()
        self._lock = threading.Lock()
        self._next_number = first_number
        self.emit({"event": "session", "at": timestamp(time.time()), "source": source})

    def emit(self, record: Mapping[str, Any]) -> None:
        for sink in self.sinks:
            sink(record)

    def begin(
        self,
        request: Request,
        *,
        at_s: float,
        target: str = "",
        http_version: str = "1.1",
        whole: bool = True,
        layer: str = WIRE,
        call: Optional[int] = None,
        attempt: int = 1,
        started_at: str = "",
    ) -> Recorder:
        """A request went out at `at_s`.

        `request.url` is where it went, `target` what its first line said; `call`, for a retry, the number of the
        call's first exchange. `whole`: all of the body was there. `started_at`: the wall clock, where it was not now.
        """
        from urllib.parse import urlsplit

        with self._lock:
            number = self._next_number
            self._next_number += 1
        hider = self.hider.for_request(request.url, request.headers, request.body)
        if not target:
            parts = urlsplit(request.url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        record: Dict[str, Any] = {
            "event": "request",
            "id": number,
            "t_us": 0,
            "at": started_at or timestamp(time.time() - (time.monotonic() - at_s)),
            "start_us": round((at_s - self.began_s) * 1e6),
            "source": self.source,
            "layer": layer,
            "call": number if call is None else call,
            "attempt": attempt,
            "method": request.method,
            "url": hider.text(request.url),
            "target": hider.text(target),
            "version": http_version,
            "headers": [list(pair) for pair in hider.pairs(request.headers)],
            "body": bytes_record(hider.body(request.body)),
        }
        if not whole:
            record["whole"] = False
        return Recorder(self, number, hider, at_s, record)


class Recorder:
    """One exchange while it happens; `exchange` is what is known of it so far. Safe to share between threads."""

    def __init__(
        self, recording: Recording, number: int, hider: Hider, sent_s: float, request: Mapping[str, Any]
    ) -> None:
        self.exchange = Exchange(number)
        self.number = number
        self.sent_s = sent_s
        self._recording = recording
        self._hider = hider
        self._stream = hider.stream()
        self._lock = threading.Lock()
        self._emit(request)

    def interim(self, head: ResponseHead, *, at_s: float) -> None:
        """A 100 or 103 came before the answer."""
        self._tell("interim", at_s, self._head_fields(head))

    def head(self, head: ResponseHead, *, at_s: float) -> None:
        self._tell("head", at_s, self._head_fields(head))

    def read(self, data: bytes, *, at_s: float) -> None:
        """One read of the body. It may reach the sinks with the next one, where it may end inside a secret."""
        with self._lock:
            for held in self._stream.feed(data, self._us(at_s)):
                self._emit({"event": "read", "id": self.number, "t_us": held.at_us, **bytes_record(held.data)})

    @property
    def held_bytes(self) -> int:
        """How much of the body has come and is not in `exchange.pieces` yet."""
        return self._stream.held_bytes

    def end(self, how: str, *, at_s: float, whole: bool = True, detail: str = "") -> None:
        """`how` is a key of exchange.ENDS. Once an exchange has ended, further ends say nothing new."""
        with self._lock:
            if self.exchange.end is not None:
                return
            for held in self._stream.close():
                self._emit({"event": "read", "id": self.number, "t_us": held.at_us, **bytes_record(held.data)})
            record = {"event": "end", "id": self.number, "t_us": self._us(at_s), "how": how, "whole": whole}
            if detail:
                record["detail"] = self._hider.text(detail)
            self._emit(record)

    def wait(self, wait_s: float, why: str, *, at_s: float) -> None:
        """The call sleeps before its next attempt."""
        self._tell("wait", at_s, {"wait_s": wait_s, "why": self._hider.text(why)})

    def note(self, text: str, *, at_s: float) -> None:
        self._tell("note", at_s, {"text": self._hider.text(text)})

    def _head_fields(self, head: ResponseHead) -> Dict[str, Any]:
        fields: Dict[str, Any] = {
            "status": head.status,
            "reason": self._hider.text(head.reason),
            "version": head.http_version,
            "headers": [list(pair) for pair in self._hider.pairs(head.headers.pairs)],
        }
        if head.reused is not None:
            fields["reused"] = head.reused
        return fields

    def _tell(self, event: str, at_s: float, fields: Mapping[str, Any]) -> None:
        with self._lock:
            self._emit({"event": event, "id": self.number, "t_us": self._us(at_s), **fields})

    def _us(self, at_s: float) -> int:
        return max(round((at_s - self.sent_s) * 1e6), 0)

    def _emit(self, record: Mapping[str, Any]) -> None:
        self.exchange.apply(record)
        self._recording.emit(record)
