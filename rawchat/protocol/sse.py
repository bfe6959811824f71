"""Server-sent events: bytes in, events out. WHATWG HTML, section 9.2.6 "Interpreting an event stream", to the letter.

    : keep-alive                                        a comment: says nothing
    data: {"choices":[{"index":0,"delta":...            one line of data ...
                                                        ... and the blank line that sends the event off
    id: 3                                               an id without data: no event, but the id from here on

A line ends at LF, CR or CRLF, wherever the reads were cut, and nowhere else: U+2028 stands raw in the JSON of many
servers. The text is UTF-8 whatever Content-Type says. Two leniencies:

* The standard drops an event that no blank line follows. Some proxies lose the last line ends, so `close()` gives it
  out if it is complete: `[DONE]`, or JSON.
* llama.cpp's server (2024 to mid 2025) wrote `error: {...}` for `data: {"error": {...}}`. An event that has this field,
  and no data, is given out under its name.

Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, List, NamedTuple, Optional

from .errors import InvalidResponseError

DONE = "[DONE]"
# Twice the largest event that is known to be sent on purpose (64 MiB: audio and images as base64 in one chunk).
MAX_EVENT_BYTES = 128 * 1024 * 1024
_RETRY = re.compile(rb"(?m)^retry: ?([0-9]{1,15})\n")  # 15 digits of milliseconds are thirty thousand years
_SAYS_NOTHING = re.compile("(?m)^(?!data|error).*\n|^:.*")


class Event(NamedTuple):
    """`event` is "" where the server named none; `id` is the last one in force, perhaps from an earlier event."""

    data: str
    event: str = ""
    id: str = ""
    retry_ms: Optional[int] = None


# A NamedTuple's own constructor takes five times as long.
_new_event: Callable[[Any, Any], Event] = tuple.__new__


class SSEDecoder:
    """Decodes one event stream, fed in pieces of any size, in time that is linear in the bytes.

    `max_event_bytes` bounds an event with its blank line, a line end counted as one byte (None: no bound).

    last_event_id   the id in force after the last blank line
    unfinished      after `close()`: the text that was cut off, or ""
    """

    def __init__(self, max_event_bytes: Optional[int] = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.last_event_id = ""
        self.unfinished = ""
        self._limit_bytes = float("inf") if max_event_bytes is None else max_event_bytes
        self._retry_ms: Optional[int] = None
        self._begin()

    def _begin(self) -> None:
        self._held = bytearray()  # what came since the last blank line, every line end as LF
        self._encoding = "utf-8-sig"  # which drops one byte order mark; behind the first blank line, "utf-8"
        self._after_cr = False
        self._idle = False  # the last byte ended an event, and nothing is left over

    def feed(self, data: bytes) -> List[Event]:
        """The events that `data` completes. InvalidResponseError if one is too long, once those before it are out."""
        if self._idle and data.endswith(b"\n\n") and b"\r" not in data and len(data) <= self._limit_bytes:
            # A token, an event, a read: a live answer comes like this, and this is all that is done for it.
            if data.startswith(b"data: ") and data.find(b"\n") == len(data) - 2:
                return [_new_event(Event, (data[6:-2].decode("utf-8", "replace"), "", self.last_event_id, None))]
            return self._take(data)
        held = self._held
        unseen = max(len(held) - 1, 0)  # where a blank line may be that was not there before
        held += self._with_line_feeds(data) if b"\r" in data or (self._after_cr and data) else data
        blank = held.rfind(b"\n\n", unseen)
        end = self._before_oversized(blank + 2) if blank >= 0 else 0
        events = self._take(bytes(held[:end])) if end else []
        del held[:end]
        if not events:
            self._check_size()
        self._idle = end > 0 and not (held or self._after_cr)
        return events

    def close(self) -> List[Event]:
        """The end of the body: the unterminated last event, if it is complete.

        The decoder is then ready for the next connection; `last_event_id` and `retry_ms` stay.
        """
        self._check_size()
        self._retry_ms = self.retry_ms
        last_id, rest = self.last_event_id, self._held.decode(self._encoding, "replace")
        events = [event for event in self._take_block(rest) if _is_complete(event.data)]
        if not events:
            self.last_event_id = last_id
        self.unfinished = "" if events else _SAYS_NOTHING.sub("", rest)
        self._begin()
        return events

    @property
    def retry_ms(self) -> Optional[int]:
        """The reconnection time last asked for, or None. It counts before its blank line is here."""
        found = _RETRY.findall(self._held)
        return int(found[-1]) if found else self._retry_ms

    @property
    def inside_data(self) -> bool:
        """Whether an event with data is on its way: the last bytes are no mere keep-alive."""
        return b"\ndata" in b"\n" + self._held[:999]

    def _with_line_feeds(self, data: bytes) -> bytes:
        """A CR ends its line; an LF right after it, even in the next piece, is part of it."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _before_oversized(self, end: int) -> int:
        """`end`, or where, of the events that are held up to there, the first one above the limit begins."""
        start = 0
        while end - start > self._limit_bytes:
            stop = start + 1 if self._held.startswith(b"\n", start) else self._held.find(b"\n\n", start) + 2
            if stop - start > self._limit_bytes:
                return start
            start = stop
        return end

    def _check_size(self) -> None:
        if len(self._held) > self._limit_bytes:
            raise InvalidResponseError(
                f"one event of the stream is longer than {self.max_event_bytes} bytes; if that is meant, "
                "raise the decoder's max_event_bytes (None: no limit)"
            )

    def _take(self, whole: bytes) -> List[Event]:
        text = whole.decode(self._encoding, "replace")
        self._encoding = "utf-8"
        # The quick way, for events of one line each: n pieces with 2 n line feeds among and after them leave none for
        # the inside of a piece.
        head = "data: " if text.startswith("data: ") else "data:"
        pieces = text[len(head) : -2].split(f"\n\n{head}")
        is_plain = text.startswith(head) and text.count("\n") == 2 * len(pieces)
        if is_plain and (head == "data: " or "\n\ndata: " not in text):
            last_id = self.last_event_id
            return [_new_event(Event, (piece, "", last_id, None)) for piece in pieces]
        return [event for block in text.split("\n\n") for event in self._take_block(block)]

    def _take_block(self, block: str) -> List[Event]:
        """The event, if there is one, of the lines between two blank lines."""
        data: List[str] = []
        error: List[str] = []
        event, retry_ms = "", None
        for line in block.split("\n"):
            name, _, value = line.partition(":")  # of a comment, the name is ""
            value = value[1:] if value.startswith(" ") else value
            if name == "data":
                data.append(value)
            elif name == "error":
                error.append(value)
            elif name == "event":
                event = value
            elif name == "id" and "\0" not in value:
                self.last_event_id = value
            elif name == "retry" and re.fullmatch("[0-9]{1,15}", value):
                self._retry_ms = retry_ms = int(value)
        if not (data or error):
            return []
        name = event if data else "error"
        return [_new_event(Event, ("\n".join(data or error), name, self.last_event_id, retry_ms))]


def _is_complete(data: str) -> bool:
    if data.strip() != DONE:
        try:
            json.loads(data)
        except (ValueError, RecursionError):  # RecursionError: nested beyond what any answer is
            return False
    return True
