r"""Reads the body of a 200: a Reply where it is a completion, a typed error where it is anything else.

Two ways in. `read_answer` takes a whole body; `StreamReader` takes the pieces of an event stream as they come:

    {"id":"c1","object":"chat.completion","choices":[...]}                       a whole reply
    data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Sal"}}]}\n\n      an event of a stream
    data: [DONE]\n\n                                                             its end

Servers answer one where the other was asked, put errors inside a 200, and end streams early: all of it is judged here.
A stream is complete when `[DONE]` or a non-empty finish_reason was seen, and never otherwise. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from .chunks import ChunkAssembler
from .errors import APIError, InvalidResponseError, StreamInterrupted
from .frame import Frame
from .problem import find_error, readable
from .reply import Reply
from .sse import Event, SSEDecoder
from .status import classify_error, error_from, request_id_from

_WHITE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_SSE_STARTS = ("data:", "event:", "id:", "retry:", ":", "error:")
# What a body that is no event stream begins with: JSON or HTML. No SSE line that means anything starts so.
_WHOLE_STARTS = b'{["<'
_JSON_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, required: str = "choices", attempts: int = 1
) -> Reply:
    """A Reply from the whole body of a success.

    `required` names the key that must hold a list: "choices" (which must not be empty) for completions, "data" for
    models and embeddings, "" for an endpoint whose shape is not judged. Raises InvalidResponseError, or the error
    that the body carries.
    """
    text = _without_margin(body).decode("utf-8", "replace")
    facts: Dict[str, Any] = {"status": status, "headers": headers, "attempts": attempts}
    if not text:
        raise _invalid(f"the server answered {status} with {'only blank lines' if body else 'an empty body'}", **facts)
    try:
        document = _decode(text)
    except (ValueError, RecursionError) as problem:  # RecursionError: nested beyond what any answer is
        if text.startswith(_SSE_STARTS):  # an event stream although none was asked for: mini-sglang, some relays
            return read_stream(status, headers, body, attempts=attempts)
        kind = headers.get("content-type") or "no Content-Type"
        what = f"the server answered {status} with something that is not JSON ({kind}, {len(body)} bytes)"
        raise _invalid(what, body=body, **facts) from problem
    error = None if not required and _names_itself(document) else find_error(document)
    if error is not None:
        raise error_from(classify_error(error, whole=document), headers=headers, attempts=attempts)
    problem_text = _problem(document, required)
    if problem_text:
        raise _invalid(problem_text, body=body, document=document, **facts)
    return _with_facts(Reply(document), headers, attempts)


def read_stream(status: int, headers: Mapping[str, str], body: bytes, *, attempts: int = 1) -> Reply:
    """The Reply of an event stream that is already here, whole."""
    reader = StreamReader(status, headers, attempts=attempts)
    reader.feed(body)
    reader.close()
    if reader.error is not None:
        raise reader.error
    return reader.reply()


def _without_margin(body: bytes) -> bytes:
    # DeepSeek sends blank lines while a request is queued, some proxies send a BOM: neither belongs to the JSON.
    body = body.lstrip(_WHITE)
    if body.startswith(_BOM):
        body = body[len(_BOM) :].lstrip(_WHITE)
    return body.rstrip(_WHITE)


def _decode(text: str) -> Any:
    """The JSON in `text`. One router (9router) puts a stray `data: [DONE]` behind it. Raises ValueError."""
    try:
        return json.loads(text)
    except ValueError:
        document, end = json.JSONDecoder().raw_decode(text)
        if text[end:].strip() == "data: [DONE]":
            return document
        raise


def _names_itself(document: Any) -> bool:
    """Whether a document says what it is, and that it is no error: a failed batch is a batch with an `errors` field."""
    return isinstance(document, dict) and document.get("object") not in (None, "error")


def _problem(document: Any, required: str) -> str:
    """Why `document` is not what was asked for, in words; "" where it is."""
    if not isinstance(document, dict):
        return f"the server's JSON is {_JSON_KINDS.get(type(document), 'a number')}, not an object"
    if not required:
        return ""
    value = document.get(required)
    if not isinstance(value, list):
        found = f"is {_JSON_KINDS.get(type(value), 'a number')}" if required in document else "is missing"
        return f'the server\'s JSON is no answer: "{required}" {found}'
    if required == "choices" and not value:
        return 'the server\'s JSON holds no answer: "choices" is empty'
    return ""


def _invalid(
    what: str,
    *,
    status: int,
    headers: Mapping[str, str],
    attempts: int,
    body: bytes = b"",
    document: Any = None,
) -> InvalidResponseError:
    seen = readable(body)
    return InvalidResponseError(
        f"{what}: {seen}" if seen else what,
        status=status,
        headers=headers,
        request_id=request_id_from(headers),
        attempts=attempts,
        body=document if document is not None else body.decode("utf-8", "replace"),
        # A captive portal or a website at the base_url answers HTML and 200.
        hint="is base_url right? It usually ends in /v1" if _without_margin(body).startswith(b"<") else "",
    )


def _with_facts(reply: Reply, headers: Mapping[str, str], attempts: int) -> Reply:
    reply.request_id = request_id_from(headers)
    reply.headers = headers
    reply.attempts = attempts
    return reply


class Piece(NamedTuple):
    """What one event brought: the event, its chunk (None for a ping or `[DONE]`), and the text to show.

    A reader that is `text_only` has an empty object where a chunk was.
    """

    event: Optional[Event]
    chunk: Optional[Dict[str, Any]]
    text: str


_LEFT_OUT: Dict[str, Any] = {}
# A NamedTuple's own constructor takes five times as long, and this one runs for every token.
_new_piece: Callable[[Any, Any], Piece] = tuple.__new__
_raw_decode = json.JSONDecoder().raw_decode


class StreamReader:
    """Turns the bytes of a 200 into pieces, and knows whether the stream is whole.

        for piece in reader.feed(data): ...       # what `data` completed, in order
        if reader.error: raise reader.error       # what went wrong after those pieces
        reader.done                               # `[DONE]` was here: nothing more is read
        reader.close()                            # the body ended: the last pieces, and perhaps an error

    Pieces that came before an error are given out first, so nothing that arrived is lost. `choices` is how many choices
    were asked for (`n`); `finished` is True when all of those have a finish_reason. `text_only` may be set
    where nobody looks at the chunks, and saves most of the work.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        *,
        choices: int = 1,
        attempts: int = 1,
        max_event_bytes: Optional[int] = None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.choices = choices
        self.attempts = attempts
        self.done = False
        self.error: Optional[APIError] = None
        self.text_only = False
        self.assembler = ChunkAssembler()
        self._frame = Frame()
        self._decoder = SSEDecoder() if max_event_bytes is None else SSEDecoder(max_event_bytes)
        self._whole: Optional[List[bytes]] = None  # pieces of a body that is no event stream
        self._whole_reply: Optional[Reply] = None
        self._sniffed = False
        self._head = b""  # the first bytes, for sniffing and for the error that shows what came
        self._chunks_seen = False  # one without a choice, such as Azure's first and the one with the usage
        self._choice_seen = False

    @property
    def finished(self) -> bool:
        return self.assembler.finished_count >= self.choices

    @property
    def complete(self) -> bool:
        if self.error is not None:
            return False
        return self._whole_reply is not None or (self._choice_seen and (self.done or self.assembler.finished))

    @property
    def inside_answer(self) -> bool:
        """Whether the last bytes belong to a part of the answer that is on its way, and are no mere sign of life."""
        return self._whole is not None or self._decoder.inside_data

    def reply(self) -> Reply:
        """What has arrived so far, as a Reply; `complete` says whether it is all of it."""
        reply = self._whole_reply if self._whole_reply is not None else self.assembler.reply()
        reply.complete = self.complete
        return _with_facts(reply, self.headers, self.attempts)

    def feed(self, data: bytes) -> List[Piece]:
        """The pieces that `data` completes. After `[DONE]` or an error nothing more is looked at."""
        if self.done or self.error is not None:
            return []
        if not self._sniffed:
            held = self._sniff(data)
            if held is None:
                return []
            data = held
        if self._whole is not None:
            self._whole.append(data)
            return []
        try:
            return self._pieces(self._decoder.feed(data))
        except InvalidResponseError as error:  # one event above the size limit
            self._fail(error)
            return []

    def close(self) -> List[Piece]:
        """The body has ended. Gives out what the end completes, then judges whether the stream is whole."""
        if self._whole is not None:
            return self._close_whole(b"".join(self._whole))
        pieces: List[Piece] = []
        if not self.done and self.error is None:
            if not self._sniffed:
                pieces += self._pieces(self._decoder.feed(self._head))
            pieces += self._pieces(self._decoder.close())
        pieces += self._held_text()
        if self.error is None and not self.complete:
            self._fail(self._interrupted())
        return pieces

    def _sniff(self, data: bytes) -> Optional[bytes]:
        """Decide by the first bytes that are not blank what kind of body this is; None while there are none.

        Content-Type decides nothing: proxies label event streams as JSON, and servers that ignore `stream` send JSON.
        """
        # Blank lines at the front mean nothing in either kind, and may go on for minutes (DeepSeek).
        self._head = (self._head + data).lstrip(_WHITE)
        start = _without_margin(self._head)
        if _BOM.startswith(start):  # nothing yet, or a part of a byte order mark
            return None
        self._sniffed = True
        if start[0] in _WHOLE_STARTS:
            self._whole = []
        held, self._head = self._head, self._head[:512]
        return held

    def _pieces(self, events: List[Event]) -> List[Piece]:
        pieces: List[Piece] = []
        text_only, frame, assembler = self.text_only, self._frame, self.assembler
        for event in events:
            data, name = event[0], event[1]
            text = None if name else frame.text_in(data)
            if text is not None:
                chunk = _LEFT_OUT if text_only else _loads(data)
                pieces.append(_new_piece(Piece, (event, chunk, assembler.add_text(frame.name, text))))
                continue
            try:
                chunk = _loads(data)
            except (ValueError, RecursionError):
                chunk = None
            # Four looks clear the common chunk of suspicion; everything else goes the long way. The text is looked at
            # and not the keys, because an error may also stand inside a choice.
            if chunk.__class__ is dict and chunk.get("choices") and '"error"' not in data and name != "error":
                finished = assembler.finished_count
                shown = assembler.add(chunk)
                # Of the 64 KB of one read, hundreds of chunks would be alive at once: that doubles what JSON costs.
                pieces.append(_new_piece(Piece, (event, _LEFT_OUT if text_only else chunk, shown)))
                self._choice_seen = True
                if assembler.finished_count != finished:
                    self._check_finish(chunk)
                frame.learn(data, chunk)
            else:
                pieces.append(self._odd_piece(event, chunk))
            if self.done or self.error is not None:
                break
        return pieces

    def _odd_piece(self, event: Event, chunk: Any) -> Piece:
        """The piece of an event that is no ordinary chunk: a ping, `[DONE]`, an error, a chunk with an error beside
        it.
        """
        data = event.data.strip()
        if event.event == "error":
            self._fail_with(chunk if chunk is not None else data)
        elif data.startswith("[DONE]"):
            self.done = True
        elif data in ("", "null") or data.startswith(":"):
            pass  # a heartbeat, or a comment that a gateway turned into data (llm-gateway)
        elif isinstance(chunk, dict):
            return self._odd_chunk(event, chunk)
        else:
            error = find_error(chunk) if chunk is not None else None
            if error is not None:
                self._fail_with(error, chunk)
            else:
                what = f"an event of {len(data)} characters is not JSON, so a part of the answer is lost"
                self._fail(self._invalid(what, data.encode("utf-8", "replace")))
        return Piece(event, None, "")

    def _odd_chunk(self, event: Event, chunk: Dict[str, Any]) -> Piece:
        error = find_error(chunk)
        piece = Piece(event, None, "")
        # A ping has none of these. OpenRouter puts its error beside choices, which may carry text.
        if "choices" in chunk or "usage" in chunk or "x_groq" in chunk:
            piece = Piece(event, chunk, self.assembler.add(chunk))
            self._chunks_seen = True
            self._choice_seen = self._choice_seen or bool(chunk.get("choices"))
            self._frame.learn(event.data, chunk)
        if error is not None:
            self._fail_with(error, chunk)
        return piece

    def _check_finish(self, chunk: Dict[str, Any]) -> None:
        error = find_error(chunk)  # finish_reason "error", the cause inside the choice (OpenRouter)
        if error is not None:
            self._fail_with(error, chunk)

    def _fail_with(self, error: Any, whole: Any = None) -> None:
        self._fail(error_from(classify_error(error, whole=whole), headers=self.headers, attempts=self.attempts))

    def _fail(self, error: APIError) -> None:
        self.error = error
        error.reply = self.reply()
        error.request_id = error.request_id or error.reply.request_id
        error.headers = self.headers
        error.attempts = self.attempts
        if error.status is None:
            error.status = self.status

    def _invalid(self, what: str, body: bytes) -> InvalidResponseError:
        return _invalid(what, status=self.status, headers=self.headers, attempts=self.attempts, body=body)

    def _close_whole(self, body: bytes) -> List[Piece]:
        """The server ignored `stream: true` and sent one JSON document (or a website)."""
        try:
            reply = read_answer(self.status, self.headers, body, attempts=self.attempts)
        except APIError as error:
            self._fail(error)
            return []
        self._whole_reply = reply
        return [Piece(None, chunk_from(reply), reply.text)]

    def _held_text(self) -> List[Piece]:
        text = self.assembler.flush()
        return [Piece(None, None, text)] if text else []

    def _interrupted(self) -> APIError:
        """The error for a body that ended although the answer had not."""
        if self._choice_seen or (self._chunks_seen and not self.done):
            text = self.assembler.text
            what = (
                f"the stream ended after {len(text)} characters of text without a finish_reason or [DONE]: "
                "the answer is cut off"
            )
        elif self.done:
            before = "chunks without a choice, and " if self._chunks_seen else ""
            what = f"the stream held nothing but {before}[DONE]: no answer was sent"
        elif "event-stream" not in self.headers.get("content-type", "event-stream") and self._head.strip():
            kind = self.headers.get("content-type", "")
            what = f"the server answered {self.status} with what is neither an answer nor an event stream ({kind})"
            return self._invalid(what, self._head)
        else:
            what = "the stream ended before its first chunk: no answer was sent"
        unfinished = self._decoder.unfinished
        if unfinished:
            what += f"; its last, unfinished event: {readable(unfinished.encode('utf-8', 'replace'))}"
        return StreamInterrupted(what)


def _loads(text: str) -> Any:
    """json.loads, which spends a third of its time on a short text looking for white space around it."""
    try:
        value, end = _raw_decode(text)
    except ValueError:
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


def chunk_from(reply: Mapping[str, Any]) -> Dict[str, Any]:
    """A whole reply in the shape of one chunk, for callers who asked for chunks and got no stream."""
    choices = []
    for choice in reply.get("choices") or []:
        as_delta = {key: value for key, value in choice.items() if key != "message"}
        as_delta["delta"] = choice.get("message") or {}
        choices.append(as_delta)
    return {**reply, "object": "chat.completion.chunk", "choices": choices}
