"""Server-sent events: bytes in, events out, to the letter of WHATWG HTML 9.2.6, "Interpreting an event stream".

    : keep-alive                           a comment
    data: {"choices":[{"index":0,...       a line of data; a blank line sends the event off

At the end of a body, `[DONE]` and JSON need no blank line: some servers send none. Pure.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .errors import InvalidResponseError

DONE = "[DONE]"
MAX_EVENT_BYTES = 128 * 1024 * 1024  # images, as base64, come in 64
_raw_decode = json.JSONDecoder().raw_decode


class Event(NamedTuple):
    data: str
    event: str = ""
    id: str = ""  # the last one in force, perhaps of an earlier event
    retry_ms: Optional[int] = None


_new_event: Callable[[Any, Any], Event] = tuple.__new__  # five times as quick as Event(...)


class SSEDecoder:
    """Decodes one body after the other, in linear time. `max_event_bytes` bounds an event with its blank line; None: no
    bound.
    """

    def __init__(self, max_event_bytes: Optional[int] = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.last_event_id = self.unfinished = ""
        self._limit_bytes = 1 << 62 if max_event_bytes is None else max_event_bytes
        self._retry_ms: Optional[int] = None
        self._begin()

    def _begin(self) -> None:
        self.held = bytearray()  # since the last blank line, every line end as LF
        self._encoding = "utf-8-sig"  # drops one byte order mark
        self._after_cr = False
        self._idle = False  # nothing is left of the last event

    def feed(self, data: bytes) -> List[Event]:
        """The events that `data` completes. Raises InvalidResponseError for one that is too long, once those before it
        are out.
        """
        if self._idle and data.endswith(b"\n\n") and b"\r" not in data and len(data) <= self._limit_bytes:
            # A live answer: a token, an event, a read.
            if data.startswith(b"data: ") and data.find(b"\n") == len(data) - 2:
                return [_new_event(Event, (data[6:-2].decode("utf-8", "replace"), "", self.last_event_id, None))]
            return self._take(data)
        held = self.held
        unseen = max(len(held) - 1, 0)  # where a new blank line may be
        held += self._with_line_feeds(data) if b"\r" in data or (self._after_cr and data) else data
        events: List[Event] = []
        size, limit = len(held), self._limit_bytes
        end = held.rfind(b"\n\n", unseen, limit) + 2
        while end > 1:
            events += self._take(bytes(held[:end]))
            del held[:end]
            end = held.rfind(b"\n\n", 0, limit) + 2 if size > limit else 0
        if size > limit and not events:
            raise self._too_long()
        self._idle = not (held or self._after_cr) and self._encoding == "utf-8"
        return events

    def close(self) -> List[Event]:
        """The events that the end of a body completes; what it cut off is `unfinished`. The last id stays."""
        if len(self.held) > self._limit_bytes:
            raise self._too_long()
        last_id, rest = self.last_event_id, self.held.decode(self._encoding, "replace")
        events = self._take_block(rest)
        if not any(event.data.strip() in (DONE, "null") or json_in(event.data) is not None for event in events):
            events, self.last_event_id = [], last_id
        self.unfinished = "" if events else rest
        with suppress(ImportError):
            from .event_dialects import telling

            self.unfinished = telling(self.unfinished)
        self._begin()
        return events

    @property
    def retry_ms(self) -> Optional[int]:
        """The reconnection time that was asked for last."""
        with suppress(ImportError):
            from .event_dialects import retry_in

            found = retry_in(self.held)
            return self._retry_ms if found is None else found
        return self._retry_ms

    def _with_line_feeds(self, data: bytes) -> bytes:
        """An LF right after a CR, even in the next piece, is part of it."""
        data = data.removeprefix(b"\n") if self._after_cr else data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _too_long(self) -> InvalidResponseError:
        what = f"one event of the stream is longer than {self.max_event_bytes} bytes"
        return InvalidResponseError(f"{what}; if that is meant, raise the decoder's max_event_bytes (None: no limit)")

    def _take(self, whole: bytes) -> List[Event]:
        text = whole.decode(self._encoding, "replace")
        self._encoding = "utf-8"
        # n events with 2 n line feeds are of one line each.
        head = "data: " if text.startswith("data: ") else "data:"
        lines = text[len(head) : -2].split(f"\n\n{head}")
        is_plain = text.startswith(head) and text.count("\n") == 2 * len(lines)
        if is_plain and (head == "data: " or "\n\ndata: " not in text):
            last_id = self.last_event_id
            return [_new_event(Event, (line, "", last_id, None)) for line in lines]
        return [event for block in text.split("\n\n") for event in self._take_block(block)]

    def _take_block(self, block: str) -> List[Event]:
        said: Dict[str, List[str]] = {"data": [], "error": []}  # llama.cpp's own
        event, retry_ms = "", None
        for line in block.split("\n"):  # U+2028, raw in JSON, ends none
            name, _, value = line.partition(":")  # "": a comment
            value = value[1:] if value.startswith(" ") else value
            if name in said:
                said[name].append(value)
            elif name == "event":
                event = value
            elif name == "id" and "\0" not in value:
                self.last_event_id = value
            elif name == "retry" and re.fullmatch("[0-9]{1,15}", value):
                self._retry_ms = retry_ms = int(value)
        data, event = (said["data"], event) if said["data"] else (said["error"], "error")
        return [_new_event(Event, ("\n".join(data), event, self.last_event_id, retry_ms))] if data else []


def json_in(text: str) -> Any:
    """The JSON of an event, or None; quicker than json.loads."""
    text = text.strip()
    try:
        value, end = _raw_decode(text)
    except (ValueError, RecursionError):  # nested without end
        return None
    return value if end == len(text) else None
