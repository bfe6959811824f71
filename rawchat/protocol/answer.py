r"""Reads the body of a 200: a Reply where it is a completion, a typed error where it is anything else.

    {"id":"c1","object":"chat.completion","choices":[...]}                       a whole body, for `read_answer`
    data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Sal"}}]}\n\n      an event, for `StreamReader`
    data: [DONE]\n\n                                                             the end of its stream

Servers answer one where the other was asked, put errors inside a 200, and end streams early. A stream is complete when
`[DONE]` or a non-empty finish_reason was seen, and never otherwise. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from .chunks import ChunkAssembler
from .errors import APIError, InvalidResponseError, StreamInterrupted
from .problem import find_error, readable
from .reply import Reply
from .sse import DONE, Event, SSEDecoder
from .status import classify_error, error_from, request_id_from, tell_head

_MARGIN = b" \t\r\n\xef\xbb\xbf"  # blank lines while a request is queued (DeepSeek), a proxy's byte order mark
_EVENT_STARTS = ("data:", "event:", "id:", "retry:", ":", "error:")
_DOCUMENT_STARTS = (b"{", b"[", b'"', b"<")  # JSON or HTML; no line of an event begins so
_NAMES = frozenset(("choices", "usage", "x_groq"))  # of which a chunk has one, and a ping none


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, required: str = "choices", attempts: int = 1
) -> Reply:
    """A Reply from a whole body. Raises InvalidResponseError, or the error that the body carries.

    `required` names the key that must hold a list: "choices" (which must not be empty) for completions, "data" for
    models and embeddings, "" for an endpoint whose shape is not judged.
    """
    text = body.lstrip(_MARGIN).rstrip().decode("utf-8", "replace")
    cause: Optional[Exception] = None
    try:
        document = json.loads(text.removesuffix("data: [DONE]"))  # 9router puts a stray one behind the JSON
    except (ValueError, RecursionError) as problem:  # RecursionError: nested beyond what any answer is
        cause = problem
        if text.startswith(_EVENT_STARTS):  # although no stream was asked for: mini-sglang, some relays
            return _assembled(StreamReader(status, headers, attempts=attempts), body)
        document = ...  # what no JSON is
    found = _error_in(document, required)
    if found is not None:
        raise error_from(classify_error(found, whole=document), headers=headers, attempts=attempts)
    if isinstance(document, dict) and (not required or _holds(document.get(required), required)):
        return _with_facts(Reply(document), headers, attempts)
    error = _not_an_answer(status, headers, body, document, required)
    error.body = error.body if document in (..., None) else document
    raise _told(error, status, headers, attempts) from cause


def _error_in(document: Any, required: str) -> Any:
    # Where the shape is not judged, what says that it is no error is none: a failed batch has a field `errors`.
    if not required and isinstance(document, dict) and document.get("object") not in (None, "error"):
        return None
    return find_error(document)


def _holds(value: Any, required: str) -> bool:
    return isinstance(value, list) and (bool(value) or required != "choices")


def _assembled(reader: StreamReader, body: bytes) -> Reply:
    reader.feed(body)
    reader.close()
    if reader.error is not None:
        raise reader.error
    return reader.reply()


def _not_an_answer(
    status: int, headers: Mapping[str, str], body: bytes, document: Any, required: str
) -> InvalidResponseError:
    try:
        from .answer_dialects import what_came
    except ImportError:  # a copy that says no more
        return _invalid(f"the server answered {status} with what is no answer", body)
    what, hint = what_came(status, headers, body, document, required)
    return _invalid(what, body, hint)


def _invalid(what: str, body: bytes, hint: str = "") -> InvalidResponseError:
    seen = readable(body)
    return InvalidResponseError(f"{what}: {seen}" if seen else what, body=body.decode("utf-8", "replace"), hint=hint)


def _told(error: APIError, status: int, headers: Mapping[str, str], attempts: int) -> APIError:
    tell_head(error, status, headers)
    error.attempts = attempts
    return error


def _with_facts(reply: Reply, headers: Mapping[str, str], attempts: int) -> Reply:
    reply.request_id = request_id_from(headers)
    reply.headers = headers
    reply.attempts = attempts
    return reply


class Piece(NamedTuple):
    """What one event brought: the event, its chunk (None for a ping or `[DONE]`), and the text to show."""

    event: Optional[Event]
    chunk: Optional[Dict[str, Any]]
    text: str


_LEFT_OUT: Dict[str, Any] = {}
# A NamedTuple's own constructor takes five times as long.
_new_piece: Callable[[Any, Any], Piece] = tuple.__new__
_raw_decode = json.JSONDecoder().raw_decode


class StreamReader:
    """Turns the bytes of a 200 into pieces, and knows whether the stream is whole.

        for piece in reader.feed(data): ...       # what `data` completed, in order
        if reader.error: raise reader.error       # what went wrong after those pieces
        reader.done                               # `[DONE]` was here: nothing more is read
        reader.close()                            # the body ended: the last pieces, and perhaps an error

    `finished` says whether all the `choices` that were asked for have a finish_reason. `text_only` may be set where
    nobody looks at the chunks: {} stands for each of them then, and most of the work is saved.
    """

    def __init__(self, status: int, headers: Mapping[str, str], *, choices: int = 1, attempts: int = 1) -> None:
        self.status = status
        self.headers = headers
        self.choices = choices
        self.attempts = attempts
        self.done = False
        self.error: Optional[APIError] = None
        self.text_only = False
        self.assembler = ChunkAssembler()
        self._decoder = SSEDecoder()
        self._begin = bytearray()  # the body up to its first chunk: it may be no stream at all
        self._whole_reply: Optional[Reply] = None
        self._chunk_seen = False  # perhaps without a choice: Azure's first, the one with the usage
        self._choice_seen = False
        self._frame: Any = None
        try:
            from .frame import Frame

            self._frame = Frame()
        except ImportError:  # a copy that takes its time
            pass

    @property
    def finished(self) -> bool:
        return self.assembler.finished_count >= self.choices

    @property
    def complete(self) -> bool:
        ended = self._choice_seen and (self.done or self.assembler.finished)
        return self.error is None and (ended or self._whole_reply is not None)

    @property
    def inside_answer(self) -> bool:
        """Whether the last bytes are a part of the answer, and no mere sign of life."""
        return self._decoder.inside_data or self._is_document()

    def reply(self) -> Reply:
        """What has arrived so far; `complete` says whether it is all of it."""
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
        """Whether the server ignored `stream: true`. Content-Type does not tell: proxies label streams as JSON."""
        return not self._chunk_seen and self._begin[:9].lstrip(_MARGIN).startswith(_DOCUMENT_STARTS)

    def _close_document(self) -> List[Piece]:
        try:
            reply = self._whole_reply = read_answer(self.status, self.headers, bytes(self._begin))
        except APIError as error:
            self._fail(error)
            return []
        try:
            from .answer_dialects import chunk_from
        except ImportError:  # a copy that gives it out as it came
            return [Piece(None, reply, reply.text)]
        return [Piece(None, chunk_from(reply), reply.text)]

    def _pieces(self, events: List[Event]) -> List[Piece]:
        pieces: List[Piece] = []
        text_only, frame, assembler = self.text_only, self._frame, self.assembler
        for event in events:
            data, name = event[0], event[1]
            text = frame.text_in(data) if frame and not name else None
            if text is not None:
                chunk = _LEFT_OUT if text_only else _loads(data)
                pieces.append(_new_piece(Piece, (event, chunk, assembler.add_text(frame.name, text))))
                continue
            chunk = _loads(data)
            if chunk.__class__ is dict and name != "error" and ("choices" in chunk or not _NAMES.isdisjoint(chunk)):
                finished = assembler.finished_count
                shown = assembler.add(chunk)
                # Of the 64 KB of one read, hundreds of chunks would be alive at once: that doubles what JSON costs.
                pieces.append(_new_piece(Piece, (event, _LEFT_OUT if text_only else chunk, shown)))
                self._chunk_seen = True
                if chunk.get("choices"):
                    self._choice_seen = True
                # In the text and not among the keys: it may also stand inside a choice (OpenRouter).
                if '"error"' in data or assembler.finished_count != finished or not chunk.get("choices"):
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
            self._fail(error_from(classify_error(data if document is None else document)))
        elif data.startswith(DONE):
            self.done = True
        # Heartbeats, and a comment that a gateway turned into data (llm-gateway).
        elif data not in ("", "null") and not data.startswith(":"):
            self._check(document)
            if self.error is None and not isinstance(document, dict):
                what = f"an event of {len(data)} characters is not JSON, so a part of the answer is lost"
                self._fail(_invalid(what, data.encode("utf-8", "replace")))

    def _check(self, document: Any) -> None:
        error = find_error(document)
        if error is not None:
            self._fail(error_from(classify_error(error, whole=document)))

    def _fail(self, error: APIError) -> None:
        self.error = _told(error, self.status, self.headers, self.attempts)
        error.reply = self.reply()

    def _interrupted(self) -> APIError:
        kind = self.headers.get("content-type", "event-stream")
        if self._choice_seen or (self._chunk_seen and not self.done):
            after = f"ended after {len(self.assembler.text)} characters of text"
            what = f"{after} without a finish_reason or [DONE]: the answer is cut off"
        elif self.done:
            before = "chunks without a choice, and " if self._chunk_seen else ""
            what = f"held nothing but {before}[DONE]: no answer was sent"
        elif "event-stream" not in kind and self._begin:
            what = f"the server answered {self.status} with what is neither an answer nor an event stream ({kind})"
            return _invalid(what, bytes(self._begin[:512]))
        else:
            what = "ended before its first chunk: no answer was sent"
        unfinished = readable(self._decoder.unfinished.encode("utf-8", "replace"))
        end = f"; its last, unfinished event: {unfinished}" if unfinished else ""
        return StreamInterrupted(f"the stream {what}{end}")


def _loads(text: str) -> Any:
    """The JSON of an event, or None. (json.loads takes half as long again, looking for white space.)"""
    text = text.strip()
    try:
        value, end = _raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value if end == len(text) else None
