r"""Reads the body of a 200: a Reply where it is a completion, a typed error where it is anything else.

    {"id":"c1","object":"chat.completion","choices":[...]}                      a whole body
    data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Sal"}}]}\n\n     an event of a stream
    data: [DONE]\n\n                                                            its end

A stream is complete when `[DONE]` or a non-empty finish_reason was seen, and never otherwise. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from .chunks import ChunkAssembler
from .errors import APIError, InvalidResponseError, StreamInterrupted
from .problem import find_error, readable
from .reply import Reply
from .sse import DONE, Event, SSEDecoder, json_in
from .status import classify_error, error_from, request_id_from, tell_head

_NAMES = frozenset(("choices", "usage", "x_groq"))  # of which a chunk has one, and a ping none


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, required: str = "choices", attempts: int = 1
) -> Reply:
    """A Reply from a whole body. Raises InvalidResponseError, or the error that the body carries.

    The key `required` must hold a list, that of "choices" not an empty one; "": any object is an answer.
    """
    cause: Optional[Exception] = None
    try:
        document = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as problem:  # nested without end
        document = _by_dialect("document", ..., body, StreamReader(status, headers, attempts=attempts))
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
        plain = f"the server answered {status} with what is no answer", ""
        error = _invalid(body, *_by_dialect("words", plain, status, headers, body, document, required))
        error.body = error.body if document in (..., None) else document
    raise _told(error, status, headers, attempts) from cause


def _holds(value: Any, required: str) -> bool:
    return isinstance(value, list) and (bool(value) or required != "choices")


def _by_dialect(what: str, otherwise: Any, *given: Any) -> Any:
    """What the dialects make of it; in a copy without them, `otherwise`."""
    try:
        from .answer_dialects import DIALECTS
    except ImportError:
        return otherwise
    return DIALECTS[what](*given)


def _invalid(body: bytes, what: str, hint: str = "") -> APIError:
    seen = readable(body)
    return InvalidResponseError(f"{what}: {seen}" if seen else what, body=body.decode("utf-8", "replace"), hint=hint)


def _told(error: APIError, status: int, headers: Mapping[str, str], attempts: int) -> APIError:
    tell_head(error, status, headers)
    error.attempts = attempts
    return error


def _with_facts(reply: Reply, headers: Mapping[str, str], attempts: int) -> Reply:
    reply.request_id, reply.headers, reply.attempts = request_id_from(headers), headers, attempts
    return reply


class Piece(NamedTuple):
    """An event, its chunk (None for a ping or `[DONE]`), and the text to show."""

    event: Optional[Event]
    chunk: Optional[Dict[str, Any]]
    text: str


_LEFT_OUT: Dict[str, Any] = {}
_new_piece: Callable[[Any, Any], Piece] = tuple.__new__  # quicker, as in sse.py


class StreamReader:
    """Turns the bytes of a 200 into pieces, and knows whether the stream is whole.

        for piece in reader.feed(data): ...      # what `data` completed
        if reader.error: raise reader.error      # what went wrong after those pieces
        if reader.done: ...                      # `[DONE]` was here: nothing more is read
        reader.close()                           # the body ended: the last pieces, and perhaps an error

    With `text_only`, {} stands for each chunk, which saves most of the work.
    """

    def __init__(self, status: int, headers: Mapping[str, str], *, choices: int = 1, attempts: int = 1) -> None:
        self.status, self.headers, self.choices, self.attempts = status, headers, choices, attempts
        self.done = self.text_only = False
        self.error: Optional[APIError] = None
        self.assembler = ChunkAssembler()
        self._decoder = SSEDecoder()
        self._begin = bytearray()  # the body up to its first chunk: it may be no stream at all
        self._whole_reply: Optional[Reply] = None
        self._chunk_seen = self._choice_seen = False  # Azure's first chunk is one without a choice
        self._frame: Any = None
        try:
            from .frame import Frame

            self._frame = Frame()
        except ImportError:  # a copy that takes its time
            pass

    @property
    def finished(self) -> bool:
        """Whether all choices that were asked for have a finish_reason."""
        return self.assembler.finished_count >= self.choices

    @property
    def complete(self) -> bool:
        ended = self._choice_seen and (self.done or self.assembler.finished)
        return self.error is None and (ended or self._whole_reply is not None)

    @property
    def inside_answer(self) -> bool:
        """Whether the last bytes belong to the answer, and are no mere sign of life."""
        return self._decoder.inside_data or self._is_document()

    def reply(self) -> Reply:
        """What has arrived so far."""
        reply = self.assembler.reply() if self._whole_reply is None else self._whole_reply
        reply.complete = self.complete
        return _with_facts(reply, self.headers, self.attempts)

    def feed(self, data: bytes) -> List[Piece]:
        """The pieces that `data` completes; after `[DONE]` or an error, none."""
        if self.done or self.error is not None:
            return []
        if not self._chunk_seen:
            data = data if self._begin else data.lstrip()  # of blank lines there may be minutes (DeepSeek)
            self._begin += data
            if self._is_document():
                return []
        try:
            return self._pieces(self._decoder.feed(data))
        except InvalidResponseError as error:  # one event above the size limit
            self._fail(error)
            return []

    def close(self) -> List[Piece]:
        """The pieces that the end of the body completes."""
        pieces: List[Piece] = []
        if not self.done and self.error is None:
            pieces = self._close_document() if self._is_document() else self._pieces(self._decoder.close())
        held_text = self.assembler.flush()
        if held_text:
            pieces.append(Piece(None, None, held_text))
        if self.error is None and not self.complete:
            self._fail(self._interrupted())
        return pieces

    def _is_document(self) -> bool:
        """Whether it begins with JSON or HTML. Content-Type does not tell: proxies label streams as JSON."""
        begin = self._begin[:9].lstrip(b" \t\r\n\xef\xbb\xbf")  # blank lines, and a byte order mark
        return not self._chunk_seen and begin.startswith((b"{", b"[", b'"', b"<"))

    def _close_document(self) -> List[Piece]:
        try:
            reply = self._whole_reply = read_answer(self.status, self.headers, bytes(self._begin))
        except APIError as error:
            self._fail(error)
            return []
        return [Piece(None, _by_dialect("chunk", reply, reply), reply.text)]

    def _pieces(self, events: List[Event]) -> List[Piece]:
        pieces: List[Piece] = []
        text_only, frame, assembler = self.text_only, self._frame, self.assembler
        for event in events:
            data, name = event[0], event[1]
            text = frame.text_in(data) if frame and not name else None
            if text is not None:
                chunk = _LEFT_OUT if text_only else json_in(data)
                pieces.append(_new_piece(Piece, (event, chunk, assembler.add_text(frame.name, text))))
                continue
            chunk = json_in(data)
            if chunk.__class__ is dict and name != "error" and ("choices" in chunk or not _NAMES.isdisjoint(chunk)):
                finished = assembler.finished_count
                shown = assembler.add(chunk)
                # Kept, the hundreds of chunks of one read would double what JSON costs.
                pieces.append(_new_piece(Piece, (event, _LEFT_OUT if text_only else chunk, shown)))
                self._chunk_seen = True
                choices = chunk.get("choices")
                if choices:
                    self._choice_seen = True
                # Not among the keys: it may also stand inside a choice (OpenRouter).
                if '"error"' in data or assembler.finished_count != finished or not choices:
                    self._check(chunk)
                if frame:
                    frame.learn(data, chunk)
            else:
                pieces.append(Piece(event, None, ""))
                self._take_other(event, chunk)
            if self.done or self.error is not None:
                break
        return pieces

    def _take_other(self, event: Event, document: Any) -> None:
        """An event that is no chunk."""
        data = event.data.strip()
        if event.event == "error":
            self._fail(error_from(classify_error(data)))
        elif data.startswith(DONE):
            self.done = True
        elif data not in ("", "null") and not data.startswith(":"):  # heartbeats, a comment as data (llm-gateway)
            self._check(document)
            if self.error is None and not isinstance(document, dict):
                what = f"an event of {len(data)} characters is not JSON, so a part of the answer is lost"
                self._fail(_invalid(data.encode("utf-8", "replace"), what))

    def _check(self, document: Any) -> None:
        error = find_error(document)
        if error is not None:
            self._fail(error_from(classify_error(error, whole=document)))

    def _fail(self, error: APIError) -> None:
        self.error = _told(error, self.status, self.headers, self.attempts)
        error.reply = self.reply()

    def _interrupted(self) -> APIError:
        kind = self.headers.get("content-type", "event-stream")
        if self._begin and not (self._chunk_seen or self.done or "event-stream" in kind):
            what = f"the server answered {self.status} with what is neither an answer nor an event stream ({kind})"
            return _invalid(bytes(self._begin[:512]), what)
        characters = len(self.assembler.text)
        plain = f"ended after {characters} characters of text, before its answer was whole"
        what = _by_dialect("end", plain, characters, self._chunk_seen, self._choice_seen, self.done)
        unfinished = readable(self._decoder.unfinished.encode("utf-8", "replace"))
        return StreamInterrupted(f"the stream {what}" + (unfinished and f"; its last, unfinished event: {unfinished}"))
