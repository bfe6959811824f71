"""One exchange as the doctor sees it: its bytes, and what they are in JSON and events, as far as that can be told.

    sight = Sight(exchange)
    sight.status, sight.headers, sight.body           without HTTP framing and content coding; what broke is `flaw`
    sight.document                                    the JSON of a whole answer, or None
    sight.blocks                                      an event stream's lines, event by event, as they stood there
    sight.events, sight.chunks, sight.is_done         what they mean

Forgives nothing and finds fault with nothing: that is the checks' part. Any Exchange will do. Pure.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ...protocol.problem import parse_body, read_error, readable
from ...protocol.sse import DONE, Event, SSEDecoder
from ...protocol.wire import Headers
from ...transport.http1 import HTTP_FAILURES, ResponseReader
from ..exchange import WIRE, Exchange, Piece, head_bytes
from ..terminal import printable

_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_EVENT_START = re.compile(r"\A\ufeff?(?:data|event|id|retry)?:", re.ASCII)


class Timed(NamedTuple):
    """An event with the time of the read that completed it, and the number of that read."""

    at_us: int
    read: int
    event: Event


class Sight:
    """What can be seen of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    # --- HTTP

    @property
    def has_head(self) -> bool:
        return self.exchange.head is not None

    @property
    def status(self) -> int:
        return self.exchange.head.status if self.exchange.head else 0

    @property
    def headers(self) -> Headers:
        return self.exchange.head.headers if self.exchange.head else Headers()

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def ended(self) -> str:
        end = self.exchange.end
        return end.how if end else ""

    @property
    def is_whole(self) -> bool:
        """By the rules of HTTP."""
        return self.has_head and not self.flaw and bool(self.exchange.end and self.exchange.end.whole)

    @cached_property
    def _unframed(self) -> Tuple[List[Piece], str, bytes]:
        """Pieces of the body, what is wrong with it as HTTP, and what came behind its end."""
        exchange = self.exchange
        if exchange.head is None:
            return [], "", b""
        if exchange.layer != WIRE:
            return exchange.body_pieces(), exchange.flaw, b""
        reader = ResponseReader(exchange.request.method)
        found: List[Piece] = []
        surplus = b""
        try:
            reader.receive(head_bytes(exchange.head))
            for at_us, data in exchange.pieces:
                if reader.at_end:
                    surplus += data
                    continue
                reader.receive(data)
                if reader.pieces:
                    found.append(Piece(at_us, b"".join(reader.pieces)))
                    reader.pieces.clear()
            if exchange.end is not None and exchange.end.how == "eof" and not reader.at_end:
                reader.receive_end()
        except HTTP_FAILURES as flaw:
            return found, f"{type(flaw).__name__}: {flaw}", surplus
        return found, "", surplus or self._surplus_of_last(reader, found)

    def _surplus_of_last(self, reader: ResponseReader, found: List[Piece]) -> bytes:
        """Bytes behind a Content-Length in one read with it; behind chunks they come in a read of their own."""
        length = self.headers.get("content-length", "")
        if not (reader.at_end and length.isdigit()) or "transfer-encoding" in self.headers:
            return b""
        return b"".join(piece.data for piece in self.exchange.pieces)[int(length) :]

    @property
    def pieces(self) -> List[Piece]:
        return self._unframed[0]

    @property
    def flaw(self) -> str:
        return self._unframed[1]

    @property
    def surplus(self) -> bytes:
        return self._unframed[2]

    @cached_property
    def body(self) -> bytes:
        return b"".join(piece.data for piece in self.pieces)

    @cached_property
    def text(self) -> str:
        """The body as UTF-8; a byte order mark stays where it is."""
        return self.body.decode("utf-8", "replace")

    # --- a whole answer

    @cached_property
    def document(self) -> Any:
        try:
            return json.loads(self.text.lstrip("\ufeff"))
        except (ValueError, RecursionError):
            return None

    @property
    def choices(self) -> List[Dict[str, Any]]:
        found = self.document.get("choices") if isinstance(self.document, dict) else None
        return [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []

    @property
    def message(self) -> Dict[str, Any]:
        message = self.choices[0].get("message") if self.choices else None
        return message if isinstance(message, dict) else {}

    # --- an event stream

    @cached_property
    def is_events(self) -> bool:
        return self.media_type == "text/event-stream" or bool(_EVENT_START.match(self.text))

    @cached_property
    def events(self) -> List[Timed]:
        """Every event with data, also those after [DONE] and the one that no blank line ended."""
        decoder = SSEDecoder()
        found: List[Timed] = []
        for number, (at_us, data) in enumerate(self.pieces):
            found += [Timed(at_us, number, event) for event in decoder.feed(data)]
        if self.pieces:
            last = len(self.pieces) - 1
            found += [Timed(self.pieces[last].at_us, last, event) for event in decoder.close()]
        return found if self.is_events else []

    @cached_property
    def blocks(self) -> List[List[str]]:
        """The lines between blank lines, without line ends; a byte order mark is left out, comments are not."""
        groups: List[List[str]] = [[]]
        for line in _LINE_ENDS.split(self.text.lstrip("\ufeff")) if self.is_events else ():
            if line:
                groups[-1].append(line)
            elif groups[-1]:
                groups.append([])
        return [group for group in groups if group]

    @cached_property
    def parsed(self) -> List[Tuple[Timed, Any]]:
        """Events with their JSON up to [DONE]; None where it is none."""
        return [(timed, _json(timed.event.data)) for timed in self.events[: self.done_at]]

    @cached_property
    def done_at(self) -> Optional[int]:
        """The number of the event that says [DONE]."""
        return next((at for at, timed in enumerate(self.events) if timed.event.data.strip() == DONE), None)

    @property
    def is_done(self) -> bool:
        return self.done_at is not None

    @cached_property
    def chunks(self) -> List[Dict[str, Any]]:
        return [document for _, document in self.parsed if isinstance(document, dict)]

    def stream_choices(self) -> Iterator[Tuple[Dict[str, Any], Dict[str, Any]]]:
        """(chunk, choice) for each choice of each chunk."""
        for chunk in self.chunks:
            found = chunk.get("choices")
            for choice in found if isinstance(found, list) else ():
                if isinstance(choice, dict):
                    yield chunk, choice

    def deltas(self) -> Iterator[Tuple[Dict[str, Any], Dict[str, Any]]]:
        """(chunk, delta) for each delta that is an object."""
        for chunk, choice in self.stream_choices():
            if isinstance(choice.get("delta"), dict):
                yield chunk, choice["delta"]

    @cached_property
    def stream_error(self) -> str:
        """The first error inside the stream, as it stood there, in any of the shapes that servers have for one."""
        for block in self.blocks:
            names = {line.partition(":")[0] for line in block}
            if "error" in names or "event: error" in block or "event:error" in block:
                return " / ".join(block)
        found = (chunk for chunk in self.chunks if _is_error(chunk))
        return next((json.dumps(chunk, ensure_ascii=False) for chunk in found), "")

    # --- both

    @property
    def answer_text(self) -> str:
        """The first choice's text, streamed or whole."""
        if self.is_events:
            firsts = [c.get("delta") for _, c in self.stream_choices() if c.get("index", 0) in (0, None)]
            return "".join(_text(delta.get("content")) for delta in firsts if isinstance(delta, dict))
        return _text(self.message.get("content"))

    @property
    def finish_reason(self) -> Any:
        """The first choice's last one that says something."""
        every = [choice for _, choice in self.stream_choices()] if self.is_events else self.choices
        reasons = [choice.get("finish_reason") for choice in every if choice.get("index", 0) in (0, None)]
        return next((reason for reason in reversed(reasons) if reason), None)

    @cached_property
    def usage(self) -> Dict[str, Any]:
        """Wherever it stands; of several the last. {} where there is none."""
        for chunk in [*reversed(self.chunks), self.document]:
            if isinstance(chunk, dict):
                for place in _places_of_usage(chunk):
                    if isinstance(place, dict) and place:
                        return place
        return {}

    @property
    def outcome(self) -> str:
        """The answer in a few words: `200 OK`, `401 Unauthorized: Incorrect API key`, `no answer: silence for 30 s`."""
        head = self.exchange.head
        if head is None:
            detail = self.exchange.end.detail if self.exchange.end else ""
            return f"no answer: {detail or self.ended or 'nothing came'}"
        status = f"{head.status} {head.reason}".strip()
        return status if head.status == 200 else f"{status}: {readable(self.body)}".rstrip(": ")

    def said(self) -> Tuple[Any, str, Optional[str]]:
        """(the decoded error body, its message, the parameter it names)."""
        body = parse_body(self.body)
        error = body.get("error", body) if isinstance(body, dict) else body
        found = read_error(error, body)
        return body, found.message, found.param


def _places_of_usage(chunk: Dict[str, Any]) -> Iterator[Any]:
    yield chunk.get("usage")
    groq = chunk.get("x_groq")
    yield groq.get("usage") if isinstance(groq, dict) else None
    choices = chunk.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        yield choice.get("usage") if isinstance(choice, dict) else None


def _is_error(chunk: Dict[str, Any]) -> bool:
    choices = chunk.get("choices")
    inside = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    return bool(chunk.get("error")) or chunk.get("object") == "error" or any(choice.get("error") for choice in inside)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _text(content: Any) -> str:
    if isinstance(content, list):  # Mistral: typed parts
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def core(chunk: Dict[str, Any]) -> str:
    """A chunk without what all chunks of its stream repeat: its choices, and the usage if there is one."""
    kept = {name: chunk[name] for name in ("choices", "usage", "x_groq", "error") if chunk.get(name)}
    return excerpt("… " + json.dumps(kept or chunk, ensure_ascii=False, separators=(",", ":"))[1:], 240)


def quoted(value: Any) -> str:
    """A JSON value inside a sentence: "stop", null, ""."""
    return excerpt(json.dumps(value, ensure_ascii=False), 60)


def excerpt(what: Any, longest: int = 160) -> str:
    """Bytes, text, or JSON as one line that commands no terminal; the middle is left out where it is long."""
    if isinstance(what, bytes):
        text = what.decode("utf-8", "backslashreplace")
    elif isinstance(what, str):
        text = what
    else:
        text = json.dumps(what, ensure_ascii=False, separators=(",", ":"))
    if text.lstrip()[:1] in ("{", "["):  # the indentation of pretty JSON says nothing
        text = re.sub(r"\s*\n\s*", " ", text.strip())
    text = printable(text, keep="")
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2
    return f"{text[:half]} … {text[-half:]}"
