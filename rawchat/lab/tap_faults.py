r"""A fault played on somebody else's answer: passed on and broken off, or read whole and written anew.

    cut@3, reset@1      the upstream's own bytes, up to the end of the third event; then the connection breaks
    crlf, gzip, ids...  the answer is held back until it is whole, taken apart, and sent as the plan says
    429, stall-head     never gets here: the upstream is not asked

An answer that is itself an error, or breaks while it is held back, is passed on as it came, and no fault is played:
the notes say which of these it was. Bytes in, bytes out: opens no socket and looks at no clock.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Dict, List, Optional, Tuple, Union

from ..protocol.answer import StreamReader
from ..protocol.answer_dialects import chunk_from
from ..protocol.wire import ResponseHead
from ..transport.http1 import HTTP_FAILURES, ResponseReader
from .edits import DONE, Document, Fields
from .faults import Counter, Plan, edited, parse_fault, plan_for
from .sending import Answer

# Header fields that describe the framing that was undone; the new framing has fields of its own.
_FRAMING = frozenset(("content-length", "transfer-encoding", "content-encoding", "trailer", "connection", "keep-alive"))


def is_answered_here(plan: Plan, payload: Any) -> bool:
    """Whether the upstream need not be asked."""
    return bool(plan.before or plan.instead or refused_parameter(plan, payload))


def refused_parameter(plan: Plan, payload: Any) -> str:
    """The parameter of this request that the plan's server does not know, or ""."""
    known = payload if isinstance(payload, dict) else {}
    return next((name for name in plan.refuses if name in known), "")


def only_breaks_off(plan: Plan) -> bool:
    """Whether the upstream's own bytes will do, up to a certain event."""
    act, at, where = plan.ending
    plain = Plan(names=plan.names, ending=plan.ending)
    return plan == plain and act in ("cut", "reset", "stall") and at >= 0 and not where


class FaultBook:
    """Which fault a request meets. `at`: only the exchanges from this number on, so many as xN says, or one.

    Without `at`, a fault is counted as the practice server counts it: for each request, by method, target and body, so
    that a retry gets through and a new question meets the fault anew. Raises FaultNameError.
    """

    def __init__(self, name: str = "", at: Optional[int] = None) -> None:
        self.name = name
        self.parts = parse_fault(name)
        self._at = at
        self._counter = Counter()
        self._requests = 0
        self._lock = threading.Lock()

    def choose(self, fingerprint: str, *, stream: bool) -> Plan:
        with self._lock:
            self._requests += 1
            parts = self.parts
            if self._at is None:
                attempt = self._counter.attempt(self.name, fingerprint, parts) if parts else 1
            else:
                attempt = self._requests - self._at + 1
                parts = tuple(part._replace(times=part.times or 1) for part in parts) if attempt > 0 else ()
        plan = plan_for(parts, attempt, stream=stream)
        if plan.shape:  # the answer is of the other kind, and so are the faults that fit it
            plan = plan_for(parts, attempt, stream=plan.shape == "stream")
        return plan


class Tampering:
    """Stands between the upstream's bytes and the client.

    act        how the connection is to end now, or ""
    rewritten  the answer to be sent in place of what was held back, with its head; None until it is whole
    notes      what was done, for the record, until somebody takes it out
    """

    def __init__(self, plan: Plan, name: str, method: str) -> None:
        self.plan = plan
        self.act = ""
        self.rewritten: Optional[Answer] = None
        self.head: Optional[ResponseHead] = None
        self.notes: List[str] = []
        self._name = name
        self._reader = ResponseReader(method)
        self._held = bytearray()
        self._body = bytearray()
        self._way = "head"
        self._events = EventEnds()

    def take(self, data: bytes) -> bytes:
        """What is to be passed on now."""
        if self._way == "pass":
            return data
        if self._way == "cut":
            return self._take_until_cut(data)
        self._held += data
        try:
            if self._way == "head":
                return self._take_head(data)
            self._read(data)
        except HTTP_FAILURES as failure:
            return self._give_up(f"it cannot be read: {failure}")
        self._finish_if_whole()
        return self._give_held() if self._way == "pass" else b""

    def end(self) -> bytes:
        """The upstream has closed: what is to be passed on for lack of anything better."""
        if self._way in ("pass", "cut") or self.rewritten is not None:
            return b""
        try:
            self._reader.receive_end()
        except HTTP_FAILURES as failure:
            return self._give_up(f"the upstream broke off: {failure}")
        self._take_pieces()
        self._finish_if_whole()
        return self._give_held() if self._way == "pass" else b""

    def broken(self) -> bytes:
        """The upstream's connection broke."""
        return b"" if self._way in ("pass", "cut") else self._give_up("the upstream broke off")

    def _take_head(self, data: bytes) -> bytes:
        place = 0
        while place < len(data) and self._reader.head is None:
            end = data.find(b"\n", place) + 1 or len(data)
            self._reader.receive(data[place:end])
            place = end
        head = self._reader.head
        if head is None:
            return b""
        self.head = head
        if not 200 <= head.status < 300:
            return self._give_up(f"the upstream answered {head.status} itself")
        rest = data[place:]
        is_stream = "event-stream" in head.headers.get("content-type", "").lower()
        if only_breaks_off(self.plan) and is_stream:
            self._way = "cut"
            started = bytes(self._held[: len(self._held) - len(rest)])
            self._held.clear()
            if not self.plan.ending[1]:
                self._break_off()
            return started + self._take_until_cut(rest)
        self._way = "hold"
        self._read(rest)
        self._finish_if_whole()
        return self._give_held() if self._way == "pass" else b""

    def _take_until_cut(self, data: bytes) -> bytes:
        if self.act:
            return b""
        for place in range(len(data)):
            try:
                self._reader.receive(data[place : place + 1])
            except HTTP_FAILURES:  # the upstream breaks by itself, and the client shall see how
                self._way = "pass"
                return data
            for piece in self._reader.pieces:
                if self._events.count(piece) >= self.plan.ending[1]:
                    self._break_off()
            self._reader.pieces.clear()
            if self.act:  # the line end that closes the chunk belongs to it
                return data[: place + 1] + (b"\r\n" if data[place + 1 : place + 3] == b"\r\n" else b"")
            if self._reader.at_end:
                self._note_given_up(f"the answer ended after {self._events.events} events")
                return data
        return data

    def _break_off(self) -> None:
        self.act = self.plan.ending[0]
        self.notes.append(f"fault {self._name}: the upstream's own bytes, broken off by the tap")

    def _read(self, data: bytes) -> None:
        if data:
            self._reader.receive(data)
        self._take_pieces()

    def _take_pieces(self) -> None:
        self._body += b"".join(self._reader.pieces)
        self._reader.pieces.clear()

    def _finish_if_whole(self) -> None:
        if not self._reader.at_end or self.rewritten is not None:
            return
        assert self.head is not None
        if not self._body.isascii():  # characters stay as the upstream wrote them, unless the plan says otherwise
            self.plan = self.plan._replace(dialect=(("ascii_only", False), *self.plan.dialect))
        answer = taken_apart(self.head, bytes(self._body), self.plan)
        if isinstance(answer, str):
            self._note_given_up(answer)
            return
        self.rewritten = answer
        self.notes.append(f"fault {self._name}: the tap held the answer back until it was whole, and wrote it anew")

    def _give_up(self, why: str) -> bytes:
        self._note_given_up(why)
        return self._give_held()

    def _note_given_up(self, why: str) -> None:
        self._way = "pass"
        self.notes.append(f"fault {self._name} was not played: {why}")

    def _give_held(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held


class EventEnds:
    """Counts the blank lines that end events, whatever the line ends are."""

    def __init__(self) -> None:
        self.events = 0
        self._tail = b""

    def count(self, data: bytes) -> int:
        """How many events have ended by now."""
        for place in range(len(data)):
            self._tail = self._tail[-3:] + data[place : place + 1]
            if self._tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
                self.events += 1
                self._tail = b""
        return self.events


# An answer taken apart ------------------------------------------------------------------------------------------------


def taken_apart(head: ResponseHead, body: bytes, plan: Plan) -> Any:
    """The Answer that the plan makes of this one; or a text that says why it can make none."""
    kind = head.headers.get("content-type", "")
    if plan.needs_usage and b'"usage"' not in body:
        return "the answer has no usage; a request asks for it with stream_options.include_usage"
    is_stream = "event-stream" in kind.lower()
    shape = plan.shape or ("stream" if is_stream else "whole")
    if (shape == "stream") != is_stream:
        return _reshaped(head, body, plan, is_stream)
    if is_stream:
        parsed = bool(plan.edits) or any(name == "indent" for name, _ in plan.dialect)
        documents = documents_in(body, parsed=parsed)
        return Answer(head.status, content_type=kind, documents=edited(documents, plan))
    if plan.edits:
        document = _json_object(body)
        if document is None:
            return "the answer is no JSON object"
        ascii_only = bool(dict(plan.dialect).get("ascii_only", body.isascii()))
        (changed, *_) = edited([document], plan) or [document]
        body = json.dumps(changed, indent=2, ensure_ascii=ascii_only).encode()
    return Answer(head.status, body, kind)


def _reshaped(head: ResponseHead, body: bytes, plan: Plan, is_stream: bool) -> Any:
    if is_stream:
        reply = _assembled(head, body)
        if reply is None:
            return "no whole reply can be made of this stream"
        changed = edited([reply], plan)[0]
        return Answer(head.status, json.dumps(changed, indent=2).encode(), "application/json")
    document = _json_object(body)
    if document is None or not isinstance(document.get("choices"), list):
        return "no stream can be made of this answer"
    documents: List[Document] = [_chunk_from(document), DONE]
    return Answer(head.status, content_type="text/event-stream; charset=utf-8", documents=edited(documents, plan))


def _assembled(head: ResponseHead, body: bytes) -> Optional[Dict[str, Any]]:
    """The reply that the library puts together from the stream; None where it is not whole."""
    reader = StreamReader(head.status, head.headers)
    reader.feed(body)
    reader.close()
    if reader.error is not None:
        return None
    return {**json.loads(json.dumps(reader.reply())), "object": "chat.completion"}


def _chunk_from(document: Dict[str, Any]) -> Dict[str, Any]:
    """A whole reply as one chunk; in a chunk, tool calls are told apart by their index."""
    chunk = chunk_from(document)
    for choice in chunk["choices"]:
        calls = choice["delta"].get("tool_calls")
        if calls:
            numbered = [{"index": number, **call} for number, call in enumerate(calls)]
            choice["delta"] = {**choice["delta"], "tool_calls": numbered}
    return chunk


def documents_in(body: bytes, *, parsed: bool) -> List[Document]:
    """The events of a body, field by field; `parsed`: those that hold nothing but a JSON object, as that object."""
    text = body.decode("utf-8", "replace").lstrip("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    documents: List[Document] = []
    fields: List[Tuple[str, str]] = []
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields.append((name, value[1:] if value.startswith(" ") else value))
        elif fields:
            documents.append(_document(fields, parsed))
            fields = []
    return [*documents, _document(fields, parsed)] if fields else documents


def _document(fields: List[Tuple[str, str]], parsed: bool) -> Document:
    if any(name != "data" for name, _ in fields):
        return Fields(tuple(fields))
    data = "\n".join(value for _, value in fields)
    document = _json_object(data) if parsed else None
    return data if document is None else document


def _json_object(data: Union[str, bytes]) -> Optional[Dict[str, Any]]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def kept_headers(head: ResponseHead, answer: Answer) -> List[Tuple[str, str]]:
    """The upstream's header fields without those of the framing, Content-Type as the new answer has it."""
    pairs = [pair for pair in head.headers.pairs if pair[0].lower() not in _FRAMING]
    return [(name, answer.content_type if name.lower() == "content-type" else value) for name, value in pairs]
