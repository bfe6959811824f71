"""Server-sent events: bytes in, events out. WHATWG HTML, section 9.2.6 "Interpreting an event stream", to the letter.

    : keep-alive                                  a comment
    data: {"choices":[{"index":0,"delta":...      a line of data, and the blank line that sends the event off

Two leniencies: of a last event without its blank line, which proxies lose, `[DONE]` and JSON are given out; and so is
llama.cpp's `error: {...}` (2024 to 2025), under that name. Pure.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from .errors import InvalidResponseError

DONE = "[DONE]"
MAX_EVENT_BYTES = 128 * 1024 * 1024  # 64 MiB are known to be sent on purpose: audio and images as base64
_RETRY = re.compile(rb"(?m)^retry: ?([0-9]{1,15})\n")
_SAYS_NOTHING = re.compile("(?m)^(?!data|error).*\n|^:.*")
_raw_decode = json.JSONDecoder().raw_decode


class Event(NamedTuple):
    """`event` is "" where there is no name; `id` is the last one in force, perhaps from an earlier event."""

    data: str
    event: str = ""
    id: str = ""
    retry_ms: Optional[int] = None


# A NamedTuple's own constructor takes five times as long.
_new_event: Callable[[Any, Any], Event] = tuple.__new__


class SSEDecoder:
    """Decodes a stream in linear time. `max_event_bytes` bounds an event with its blank line (None: no bound)."""

    def __init__(self, max_event_bytes: Optional[int] = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.last_event_id = self.unfinished = ""  # unfinished: what `close()` found cut off
        self._limit_bytes = float("inf") if max_event_bytes is None else max_event_bytes
        self._retry_ms: Optional[int] = None
        self._begin()

    def _begin(self) -> None:
        self._held = bytearray()  # since the last blank line, every line end as LF
        self._encoding = "utf-8-sig"  # drops one byte order mark
        self._after_cr = False
        self._idle = False  # nothing is left of the last event

    def feed(self, data: bytes) -> List[Event]:
        """The events that `data` completes. InvalidResponseError if one is too long, once those before it are out."""
        if self._idle and data.endswith(b"\n\n") and b"\r" not in data and len(data) <= self._limit_bytes:
            # A live answer comes like this: a token, an event, a read.
            if data.startswith(b"data: ") and data.find(b"\n") == len(data) - 2:
                return [_new_event(Event, (data[6:-2].decode("utf-8", "replace"), "", self.last_event_id, None))]
            return self._take(data)
        held, events = self._held, []
        unseen = max(len(held) - 1, 0)  # where a new blank line may be
        held += self._with_line_feeds(data) if b"\r" in data or (self._after_cr and data) else data
        end = held.rfind(b"\n\n", unseen) + 2
        if end > 1:
            if end > self._limit_bytes:
                blocks = takewhile(lambda block: len(block) + 2 <= self._limit_bytes, held[: end - 2].split(b"\n\n"))
                end = sum(len(block) + 2 for block in blocks)
            events = self._take(bytes(held[:end]))
            del held[:end]
        if not events:
            self._check_size()
        self._idle = end > 1 and not (held or self._after_cr)
        return events

    def close(self) -> List[Event]:
        """The end of the body: its last event, if complete. What comes then is another body; the last id stays."""
        self._check_size()
        last_id, rest = self.last_event_id, self._held.decode(self._encoding, "replace")
        events = self._take_block(rest)
        if not any(event.data.strip() in (DONE, "null") or json_in(event.data) is not None for event in events):
            events, self.last_event_id = [], last_id
        self.unfinished = "" if events else _SAYS_NOTHING.sub("", rest)
        self._begin()
        return events

    @property
    def retry_ms(self) -> Optional[int]:
        """The reconnection time last asked for, be its blank line here or not."""
        found = _RETRY.findall(self._held)
        return int(found[-1]) if found else self._retry_ms

    @property
    def inside_data(self) -> bool:
        """Whether an event with data is on its way."""
        return b"\ndata" in b"\n" + self._held[:999]

    def _with_line_feeds(self, data: bytes) -> bytes:
        """An LF right after a CR, even in the next piece, is part of it."""
        data = data.removeprefix(b"\n") if self._after_cr else data
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check_size(self) -> None:
        if len(self._held) > self._limit_bytes:
            raise InvalidResponseError(
                f"one event of the stream is longer than {self.max_event_bytes} bytes; if that is meant, "
                "raise the decoder's max_event_bytes (None: no limit)"
            )

    def _take(self, whole: bytes) -> List[Event]:
        text = whole.decode(self._encoding, "replace")
        self._encoding = "utf-8"
        # The quick way: n events with 2 n line feeds are of one line each.
        head = "data: " if text.startswith("data: ") else "data:"
        lines = text[len(head) : -2].split(f"\n\n{head}")
        is_plain = text.startswith(head) and text.count("\n") == 2 * len(lines)
        if is_plain and (head == "data: " or "\n\ndata: " not in text):
            last_id = self.last_event_id
            return [_new_event(Event, (line, "", last_id, None)) for line in lines]
        return [event for block in text.split("\n\n") for event in self._take_block(block)]

    def _take_block(self, block: str) -> List[Event]:
        """The event of the lines between two blank lines, if there is one."""
        said: Dict[str, List[str]] = {"data": [], "error": []}
        event, retry_ms = "", None
        for line in block.split("\n"):  # U+2028, raw in the JSON of many servers, ends none
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
    """The JSON of an event, or None; quicker than json.loads, which looks for white space."""
    text = text.strip()
    try:
        value, end = _raw_decode(text)
    except (ValueError, RecursionError):  # RecursionError: nested beyond what any answer is
        return None
    return value if end == len(text) else None
