r"""The body of a 200: a Reply where it is a completion, a typed error where it is anything else.

    {"object":"chat.completion","choices":[...]}              a whole body
    data: {"choices":[{"delta":{"content":"Sal"}}]}\n\n       an event of a stream
    data: [DONE]\n\n                                          its end

A stream is complete when `[DONE]` or a non-empty finish_reason was seen, and never otherwise. Pure.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from .chunks import ChunkAssembler
from .errors import APIError, InvalidResponseError, StreamInterrupted
from .problem import find_error, readable
from .reply import Reply
from .sse import DONE, Event, SSEDecoder, json_in
from .status import classify_error, error_from, request_id_from, tell_head


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, required: str = "choices", attempts: int = 1
) -> Reply:
    """The Reply of a whole body. Raises InvalidResponseError, or the error that the body carries.

    `required` must hold a list, that of "choices" not an empty one; "": any object is an answer.
    """
    cause: Optional[Exception] = None
    try:
        document = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as problem:  # nested without end
        document, cause = ..., problem
        with suppress(ImportError):
            from .answer_dialects import document_in

            document = document_in(body, StreamReader(status, headers, attempts=attempts))
            if isinstance(document, Reply):
                return document
            cause = problem if document is ... else None
    # What names itself, where any object will do, is no error: a failed batch has a field `errors`.
    named = not required and isinstance(document, dict) and document.get("object") not in (None, "error")
    found = None if named else find_error(document)
    if found is not None:
        error = error_from(classify_error(found, whole=document))
    elif isinstance(document, dict) and (not required or _holds(document.get(required), required)):
        return _with_facts(Reply(document), headers, attempts)
    else:
        error = _invalid(body, f"the server answered {status} with what is no answer")
        with suppress(ImportError):
            from .answer_dialects import what_came

            what, hint = what_came(status, headers, body, document, required)
            error = _invalid(body, what)
            error.hint = hint
        if document not in (..., None):
            error.body = document
    tell_head(error, status, headers)
    error.attempts = attempts
    raise error from cause


def _holds(value: Any, required: str) -> bool:
    return isinstance(value, list) and (bool(value) or required != "choices")


def _invalid(body: bytes, what: str) -> APIError:
    seen = readable(body)
    return InvalidResponseError(f"{what}: {seen}" if seen else what, body=body.decode("utf-8", "replace"))


def _with_facts(reply: Reply, headers: Mapping[str, str], attempts: int) -> Reply:
    reply.request_id, reply.headers, reply.attempts = request_id_from(headers), headers, attempts
    return reply


class Piece(NamedTuple):
    """An event, its chunk (None for a ping or `[DONE]`), and the text to show."""

    event: Optional[Event]
    chunk: Optional[Dict[str, Any]]
    text: str


class StreamReader:
    """Turns the bytes of a 200 into pieces, and knows whether the stream is whole.

        for piece in reader.feed(data): ...      # what `data` completed
        if reader.error: raise reader.error      # what went wrong after those pieces
        reader.close()                           # the body ended: the last pieces, and perhaps an error

    With `text_only`, {} may stand for each chunk.
    """

    def __init__(self, status: int, headers: Mapping[str, str], *, choices: int = 1, attempts: int = 1) -> None:
        self.status, self.headers, self.choices, self.attempts = status, headers, choices, attempts
        self.done = self.text_only = self.chunk_seen = False
        self.error: Optional[APIError] = None
        self.assembler = ChunkAssembler()
        self.decoder = SSEDecoder()
        self.begin = bytearray()  # the body up to its first chunk: it may be no stream at all
        self._choice_seen = False  # Azure's first chunk is one without a choice
        self._begun: Callable[..., bytes] = StreamReader.note_begin
        with suppress(ImportError):
            from .answer_dialects import begun

            self._begun = begun
        self._pieces: Callable[..., List[Piece]] = StreamReader.look_through
        with suppress(ImportError):
            from .frame import Frame

            self._pieces = Frame(Piece).look_through

    @property
    def finished(self) -> bool:
        """Whether as many choices as were asked for have a finish_reason."""
        return self.assembler.finished_count >= self.choices

    @property
    def complete(self) -> bool:
        """Whether the answer is whole: `[DONE]`, or a finish_reason in each choice, and no error."""
        return self.error is None and self._choice_seen and (self.done or self.assembler.finished)

    def reply(self) -> Reply:
        """What has arrived so far."""
        reply = self.assembler.reply()
        reply.complete = self.complete
        return _with_facts(reply, self.headers, self.attempts)

    def feed(self, data: bytes) -> List[Piece]:
        """The pieces that `data` completes; after `[DONE]` or an error, none."""
        if self.done or self.error is not None:
            return []
        if not self.chunk_seen:
            data = self._begun(self, data)
        try:
            return self._pieces(self, self.decoder.feed(data))
        except InvalidResponseError as error:  # one event above the size limit
            self._fail(error)
            return []

    def close(self) -> List[Piece]:
        """The pieces that the end of the body completes; if it came too early, `error` says so."""
        pieces: List[Piece] = []
        if not self.done and self.error is None:
            pieces = self._close_document() or self._pieces(self, self.decoder.close())
        held_text = self.assembler.flush()
        if held_text:
            pieces.append(Piece(None, None, held_text))
        if self.error is None and not self.complete:
            self._fail(self._interrupted())
        return pieces

    def _close_document(self) -> List[Piece]:
        """A whole answer, or an error, where a stream was asked for."""
        try:
            from .answer_dialects import WholeReply, chunk_from, is_document
        except ImportError:
            text = self.begin.decode("utf-8-sig", "replace").lstrip()
            events = [Event(text)] if text.startswith("{") and not self.chunk_seen else []
            return [piece._replace(text=self.assembler.text) for piece in self._pieces(self, events)]
        if not is_document(self):
            return []
        try:
            reply = read_answer(self.status, self.headers, bytes(self.begin))
        except APIError as error:
            self._fail(error)
            return []
        assembler: Any = WholeReply(reply)
        self.assembler, self._choice_seen = assembler, True
        return [Piece(None, chunk_from(reply), reply.text)]

    def note_begin(self, data: bytes) -> bytes:
        """Before the first chunk. What is to be decoded of it."""
        self.begin += data
        return data

    def look_through(self, events: List[Event]) -> List[Piece]:
        pieces = []
        for event in events:
            chunk = json_in(event.data)
            text = self.look_at(event, chunk)
            pieces.append(Piece(event, None, "") if text is None else Piece(event, chunk, text))
            if self.done or self.error is not None:
                break
        return pieces

    def look_at(self, event: Event, chunk: Any) -> Optional[str]:
        """The text to show of a chunk; None: it is none."""
        known = chunk.__class__ is dict and ("choices" in chunk or "usage" in chunk or "x_groq" in chunk)
        if not known or event[1] == "error":
            self._take_other(event, chunk)
            return None
        assembler = self.assembler
        finished = assembler.finished_count
        text = assembler.add(chunk)
        choices = chunk.get("choices")
        self.chunk_seen = True
        if choices:
            self._choice_seen = True
        # OpenRouter's stands inside a choice.
        if '"error"' in event[0] or assembler.finished_count != finished or not choices:
            self._check(chunk)
        return text

    def _take_other(self, event: Event, document: Any) -> None:
        data = event.data.strip()
        if event.event == "error":
            self._fail(error_from(classify_error(data)))
        elif data.startswith(DONE):
            self.done = True
        elif data not in ("", "null") and not data.startswith(":"):  # heartbeats (llm-gateway: ": ")
            self._check(document)
            if self.error is None and not isinstance(document, dict):
                what = f"an event of {len(data)} characters is not JSON, so a part of the answer is lost"
                self._fail(_invalid(data.encode("utf-8", "replace"), what))

    def _check(self, document: Any) -> None:
        error = find_error(document)
        if error is not None:
            self._fail(error_from(classify_error(error, whole=document)))

    def _fail(self, error: APIError) -> None:
        self.error = error
        tell_head(error, self.status, self.headers)
        error.attempts, error.reply = self.attempts, self.reply()

    def _interrupted(self) -> APIError:
        kind = self.headers.get("content-type", "event-stream")
        page = self.begin.lstrip().startswith(b"<") or "event-stream" not in kind
        if self.begin and page and not (self.chunk_seen or self.done):
            what = f"the server answered {self.status} with what is neither an answer nor an event stream ({kind})"
            return _invalid(bytes(self.begin[:512]), what)
        characters = len(self.assembler.text)
        what = f"ended after {characters} characters of text, before its answer was whole"
        with suppress(ImportError):
            from .answer_dialects import how_it_ended

            what = how_it_ended(characters, self.chunk_seen, self._choice_seen, self.done)
        unfinished = readable(self.decoder.unfinished.encode("utf-8", "replace"))
        return StreamInterrupted(f"the stream {what}" + (unfinished and f"; its last, unfinished event: {unfinished}"))
