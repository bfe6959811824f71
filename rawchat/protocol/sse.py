"""Server-sent events: bytes in, events out. WHATWG HTML, section 9.2.6 "Interpreting an event stream", to the letter.

    : keep-alive                                        a comment: says nothing
    data: {"choices":[{"index":0,"delta":...            one line of data ...
                                                        ... and the blank line that sends the event off
    id: 3                                               an id without data: no event
                                                        (but it is the last event id from here on)
    data: [DONE]

A line ends at LF, CR or CRLF, wherever the reads were cut, and nowhere else: U+2028, U+2029 and U+0085 stand raw in the
JSON of many servers and belong to it. The text is UTF-8 whatever Content-Type says, and a byte that is no UTF-8 becomes
U+FFFD. One byte order mark at the very start is dropped.

Two leniencies, both for servers that are out there:

* **The end of the body.** The standard drops an event that no blank line follows. Some proxies lose the last line ends,
  so `close()` gives that event out if it is complete: its data is `[DONE]` or parses as JSON. Otherwise it stays
  dropped, and `unfinished` keeps its text for the error message.
* **The field `error`.** llama.cpp's server (2024 to mid 2025) wrote `error: {...}` where others write
  `data: {"error": {...}}`. To the standard that is an unknown field. An event with such a field and without data is
  given out as `Event(data=..., event="error")`.

Does not parse the JSON of events, but for the one question at the end of the body. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, List, NamedTuple, NoReturn, Optional

from .errors import InvalidResponseError

DONE = "[DONE]"
# Twice the largest event that is known to be sent on purpose (64 MiB: audio and images as base64 in one chunk).
MAX_EVENT_BYTES = 128 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. `event` is "" where the server named none (the standard then says "message").

    `id` is the last event id in force, which an earlier event may have set; `retry_ms` is what this one asked for.
    """

    data: str
    event: str = ""
    id: str = ""
    retry_ms: Optional[int] = None


# A NamedTuple's own constructor takes five times as long, and this one runs for every token of every answer.
_new_event: Callable[[Any, Any], Event] = tuple.__new__


class SSEDecoder:
    """Decodes one event stream, fed in pieces of any size; where the cuts fall makes no difference to the events.

    `max_event_bytes` bounds what a server can make us hold (None: no bound). It counts all bytes since the last blank
    line, a line end as one byte. Over it, the events before the oversized one are still given out; then
    `InvalidResponseError` is raised. Time is linear in the bytes, whatever their cuts.

    last_event_id   the id in force after the last blank line
    retry_ms        the reconnection time last asked for, in milliseconds, or None
    unfinished      after `close()`: the text that was cut off, as on the wire, or ""
    """

    def __init__(self, max_event_bytes: Optional[int] = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.last_event_id = ""
        self.retry_ms: Optional[int] = None
        self.unfinished = ""
        self._begin()

    def _begin(self) -> None:
        self._line: List[bytes] = []  # the pieces of the line that has no end yet
        self._data: List[str] = []  # the data lines of the event that has no blank line yet
        self._error: List[str] = []
        self._event = ""
        self._id = self.last_event_id  # the standard's "last event ID buffer"; a blank line brings it into force
        self._retry_ms: Optional[int] = None
        self._size_bytes = 0  # since the last blank line
        self._at_start = True
        self._after_cr = False
        self._too_long = False
        self._idle = False  # the last byte ended an event, and nothing is left over

    def feed(self, data: bytes) -> List[Event]:
        """The events that `data` completes, in order. Raises InvalidResponseError over the limit."""
        limit = self.max_event_bytes
        if self._idle and data.endswith(b"\n\n") and b"\r" not in data and (limit is None or len(data) <= limit):
            # A token, an event, a read: a live answer comes like this, and this is all that is done for it.
            if data.startswith(b"data: ") and data.find(b"\n") == len(data) - 2:
                return [_new_event(Event, (data[6:-2].decode("utf-8", "replace"), "", self.last_event_id, None))]
            events = self._take_plain(data)
            if events is not None:
                return events
        if self._too_long:
            self._refuse()
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
        if limit is not None and self._size_bytes + len(data) > limit:
            data = self._within(limit, data)
        end = data.rfind(b"\n") + 1
        events = self._take_lines(data[:end]) if end else []
        if end < len(data):
            self._line.append(data[end:])
            self._size_bytes += len(data) - end
        self._idle = not (self._size_bytes or self._after_cr or self._too_long)
        return events

    def close(self) -> List[Event]:
        """The end of the body: the unterminated last event if it is complete, as a list of one or none.

        The decoder is then ready for the next connection; `last_event_id` and `retry_ms` stay, for reconnecting.
        """
        if self._too_long:
            self._refuse()
        rest = b"".join(self._line)
        if self._at_start and rest.startswith(_BYTE_ORDER_MARK):
            rest = rest[3:]
        last_line = rest.decode("utf-8", "replace")
        before = self._wire_text()
        if last_line:
            self._take_line(last_line)
        whole = _is_complete("\n".join(self._data or self._error))
        self.unfinished = "" if whole or (last_line.startswith(":") and not before) else before + last_line
        events: List[Event] = []
        if whole:
            self._dispatch(events)
        self._begin()
        return events

    @property
    def inside_data(self) -> bool:
        """Whether the last bytes belong to a data line that has no end yet: an event on its way, and no keep-alive."""
        return b"".join(self._line[:4]).startswith(b"data")  # the name is here after four pieces, however short

    def _with_line_feeds(self, data: bytes) -> bytes:
        """Every line end as LF. A CR ends its line; an LF right after it, even in the next piece, is part of it."""
        if self._after_cr and data[:1] == b"\n":
            self._after_cr = False
            data = data[1:]
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _measure(self, lines: bytes) -> None:
        """Keep count of the bytes since the last blank line; `lines` is new and ends with a line feed."""
        last_blank = lines.rfind(b"\n\n")
        if last_blank >= 0:
            self._size_bytes = len(lines) - last_blank - 2
        elif not self._line and lines.startswith(b"\n"):
            self._size_bytes = len(lines) - 1
        else:
            self._size_bytes += len(lines)

    def _within(self, limit: int, data: bytes) -> bytes:
        """`data` up to the event that is longer than `limit`; raises if there is nothing before it."""
        start = 0
        size = self._size_bytes
        at_line_start = not self._line
        while True:
            blank = start if at_line_start and data.startswith(b"\n", start) else data.find(b"\n\n", start)
            stop = len(data) if blank < 0 else min(blank + 2, len(data))
            if blank == start and at_line_start:
                stop = start + 1
            if size + stop - start > limit:
                break
            if stop == len(data):
                return data
            start, size, at_line_start = stop, 0, True
        self._too_long = True
        if not start:
            self._refuse()
        return data[:start]

    def _refuse(self) -> NoReturn:
        raise InvalidResponseError(
            f"one event of the stream is longer than {self.max_event_bytes} bytes; if that is meant, "
            "raise the decoder's max_event_bytes (None: no limit)"
        )

    def _take_plain(self, whole_events: bytes) -> Optional[List[Event]]:
        """The quick way, if every event is one line, `data: ...`, and a blank one; None if it is not so.

        That is what an answer looks like, and it costs one split per read instead of a step per line. No event is
        misread: n pieces with 2 n line feeds among and after them leave none for the inside of a piece.
        """
        text = whole_events.decode("utf-8", "replace")
        if text.startswith("data: "):
            pieces = text[6:-2].split("\n\ndata: ")
        elif text.startswith("data:"):
            pieces = [piece[1:] if piece.startswith(" ") else piece for piece in text[5:-2].split("\n\ndata:")]
        else:
            return None
        if text.count("\n") != 2 * len(pieces):
            return None
        self.last_event_id = last_id = self._id
        return [_new_event(Event, (piece, "", last_id, None)) for piece in pieces]

    def _take_lines(self, lines: bytes) -> List[Event]:
        """The events that these whole lines complete; what was held of the first line goes before them."""
        self._measure(lines)
        if self._line:
            lines = b"".join([*self._line, lines])
            self._line.clear()
        if self._at_start:
            self._at_start = False
            lines = lines[3:] if lines.startswith(_BYTE_ORDER_MARK) else lines
        events: List[Event] = []
        blank = lines.rfind(b"\n\n") + 2
        if blank > 1 and not (self._data or self._error or self._event or self._retry_ms is not None):
            plain = self._take_plain(lines[:blank])
            if plain is not None:
                events, lines = plain, lines[blank:]
        for line in lines.decode("utf-8", "replace").split("\n")[:-1]:
            if not line:
                self._dispatch(events)
            elif line.startswith("data: "):
                self._data.append(line[6:])
            else:
                self._take_line(line)
        return events

    def _take_line(self, line: str) -> None:
        """One line that is not blank. A comment has the empty field name, and is ignored as any unknown field is."""
        field, _, value = line.partition(":")
        take = _FIELDS.get(field)
        if take is not None:
            take(self, value[1:] if value.startswith(" ") else value)

    def _dispatch(self, events: List[Event]) -> None:
        """A blank line."""
        self.last_event_id = self._id
        if self._data:
            events.append(Event("\n".join(self._data), self._event, self._id, self._retry_ms))
        elif self._error:
            events.append(Event("\n".join(self._error), "error", self._id, self._retry_ms))
        self._data, self._error, self._event, self._retry_ms = [], [], "", None

    def _take_data(self, value: str) -> None:
        self._data.append(value)

    def _take_error(self, value: str) -> None:
        self._error.append(value)

    def _take_event(self, value: str) -> None:
        self._event = value

    def _take_id(self, value: str) -> None:
        if "\0" not in value:
            self._id = value

    def _take_retry(self, value: str) -> None:
        # str.isdigit alone also takes digits of other scripts. 15 digits of milliseconds are thirty thousand years; and
        # int() of thousands of digits raises, since Python 3.11.
        if value.isascii() and value.isdigit() and len(value) <= 15:
            self.retry_ms = self._retry_ms = int(value)

    def _wire_text(self) -> str:
        """The complete lines of the event in progress, as good as they can be told."""
        lines = [f"data: {line}\n" for line in self._data] + [f"error: {line}\n" for line in self._error]
        return "".join(lines)


_FIELDS = {
    "data": SSEDecoder._take_data,
    "event": SSEDecoder._take_event,
    "id": SSEDecoder._take_id,
    "retry": SSEDecoder._take_retry,
    "error": SSEDecoder._take_error,
}


def _is_complete(data: str) -> bool:
    """Whether an event that the end of the body cut off can be taken for whole."""
    if data.strip() == DONE:
        return True
    try:
        json.loads(data)
    except (ValueError, RecursionError):  # RecursionError: nested beyond what any answer is
        return False
    return True
