"""One request of the practice server, from its parsed head to the last byte of its answer.

    request -> key? -> which fault, whose turn? -> route -> Answer -> head, pieces, framing -> the wire -> Record

`Answer` is what would go out if all went well; the `Plan` of faults.py says where it does not. Accepting connections
and keeping them is practice.py's part. Times are for pauses and for the record: they never decide what is sent.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from typing import Callable, Optional, Protocol, Tuple
from urllib.parse import unquote

from .actor import answers, validation
from .cross_origin import cross_origin_headers, is_preflight
from .edits import DONE, compact_json, is_complete, text_in
from .faults import (
    FaultNameError,
    Part,
    Plan,
    edited,
    error_body,
    fill_headers,
    http_date,
    invites_retry,
    parse_fault,
    plan_for,
)
from .framing import IncomingRequest, RequestRefused, head_bytes, split_target
from .rates import RateBook, tokens_asked
from .sending import BEFORE, EVENTS, Answer, Gone, Layout, Sender, lay_out
from .verdict import Record, describe

DEFAULT_MODEL = "gpt-4o-mini"
_FAULT_PATH = re.compile(r"/fault/([^/]+)(?=/|\Z)")
REDIRECTED = "/redirected"


class Server(Protocol):
    """What serving one request needs of the server around it."""

    key: Optional[str]
    fault: str
    pace_ms: float
    first_ms: float
    rates: RateBook
    stopping: threading.Event

    @property
    def root(self) -> str: ...

    @property
    def url(self) -> str: ...

    def attempt(self, fault: str, fingerprint: str, parts: Tuple[Part, ...]) -> int:
        """Which request of this fault and this fingerprint it is, from 1."""

    def note(self, record: Record, *, over: bool) -> None:
        """Wake whoever waits for this record."""

    def say(self, line: str) -> None:
        """Show a line to people."""


def refused(refusal: validation.Refusal, **headers: str) -> Answer:
    pairs = tuple(headers.items())
    body = json.dumps({"error": refusal.error}, indent=2).encode()
    return Answer(refusal.status, body, error=refusal.error, headers=pairs)


def error_answer(status: int, message: str, code: Optional[str] = None, param: Optional[str] = None) -> Answer:
    """An error that the real API has no words for, in its shape."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return refused(validation.Refusal(status, error))


# One request ---------------------------------------------------------------------------------------------------------


class Serving:
    """Answers one request on one connection, and writes down what it did."""

    def __init__(self, server: Server, connection: socket.socket, request: IncomingRequest, record: Record) -> None:
        self._server = server
        self._request = request
        self._record = record
        self._plan = Plan()
        self._keep = request.keeps_alive
        self._path, self._query = split_target(request.target)
        self._told = False
        self._sender = Sender(
            connection,
            server.stopping,
            wrote=self._wrote,
            silent=self._fall_silent,
            pace_ms=server.pace_ms,
            first_ms=server.first_ms,
        )

    def run(self) -> bool:
        """Answer. True: the connection can carry another request."""
        self._carry_out(self._answer)
        return self._keep

    def refuse(self, refusal: RequestRefused) -> bool:
        """Answer a request that could not be read; nothing that follows on this connection can be either."""
        self._keep = False
        self._record.said = (refusal.message,)
        self._carry_out(lambda: self._send(error_answer(refusal.status, refusal.message)))
        return False

    def _carry_out(self, task: Callable[[], None]) -> None:
        record, stopping = self._record, self._server.stopping
        try:
            task()
        except Gone:
            self._keep = False
            record.answered_s = time.monotonic()
            record.ending = record.ending or ("stopped" if stopping.is_set() else "client left")
        finally:
            self._tell()
            # Who still waited in silence when the server was stopped has not left, and the verdict says so.
            if not (stopping.is_set() and record.ending in ("stall", "comments")):
                self._server.note(record, over=True)

    # What to answer

    def _answer(self) -> None:
        record = self._record
        record.fingerprint = hashlib.sha256(
            b"\0".join((record.method.encode(), self._request.target.encode(), self._request.body))
        ).hexdigest()
        if is_preflight(record.method, self._request.headers):  # the browser's, without a key: no fault is for it
            self._send(Answer(204, content_type=""))
            return
        parse_error = self._read_document()
        refusal = self._check_key()
        if refusal is not None:
            self._send(refusal)
            return
        try:
            self._choose_plan()
        except FaultNameError as error:
            record.fault = ""
            self._send(error_answer(400, str(error), "unknown_fault"))
            return
        self._sender.plan = self._plan
        self._sender.pause(self._plan.head_delay_ms)
        if self._plan.before:
            self._break_before(self._plan.before)
        else:
            self._send(self._instead() or self._route(parse_error))

    def _read_document(self) -> str:
        """Parse the body; the parser's words where it is no JSON."""
        if not self._request.body:
            return "the body is empty" if self._request.method == "POST" else ""
        try:
            self._record.document = json.loads(self._request.body)
        except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
            return str(error)
        if isinstance(self._record.document, dict):
            self._record.model = str(self._record.document.get("model") or "")
            self._record.stream = self._record.document.get("stream") is True
        return ""

    def _check_key(self) -> Optional[Answer]:
        wanted, headers = self._server.key, self._request.headers
        if wanted is None:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else headers.get("api-key")
        return None if given == wanted else refused(validation.bad_key(given))

    def _choose_plan(self) -> None:
        """Collect the fault's name from base URL, model and server, and see which turn this request has."""
        record = self._record
        if self._path.startswith(REDIRECTED + "/"):  # the far end of a redirect: clean, whatever the model says
            record.redirected = True
            self._path = _FAULT_PATH.sub("", self._path[len(REDIRECTED) :])
            self._strip_model()
            return
        named = [unquote(name) for name in _FAULT_PATH.findall(self._path)]
        self._path = _FAULT_PATH.sub("", self._path) or "/"
        named.append(self._strip_model())
        named.append(self._server.fault)
        record.fault = "+".join(name for name in named if name)
        parts = parse_fault(record.fault)
        if not parts:
            return
        record.attempt = self._server.attempt(record.fault, record.fingerprint, parts)
        record.times = max((part.times for part in parts if part.times is not None), default=None)
        self._plan = self._plan_for(parts)
        record.in_force = self._plan.names

    def _plan_for(self, parts: Tuple[Part, ...]) -> Plan:
        stream = self._record.stream and self._path.endswith("/chat/completions")
        plan = plan_for(parts, self._record.attempt, stream=stream)
        if plan.shape:  # the answer is of the other kind, and so are the faults that fit it
            plan = plan_for(parts, self._record.attempt, stream=plan.shape == "stream")
        return plan

    def _strip_model(self) -> str:
        """The fault in the model's name, "fault/NAME[/MODEL]"; the name becomes a real model's.

        Gateways may put a prefix of theirs before it: "openai/fault/cut@3".
        """
        before, found, rest = self._record.model.partition("fault/")
        if not found or (before and not before.endswith("/")):
            return ""
        fault, _, model = rest.partition("/")
        self._record.model = self._record.document["model"] = model or DEFAULT_MODEL
        return unquote(fault)

    def _instead(self) -> Optional[Answer]:
        instead = self._plan.instead
        if instead is None:
            return None
        body, content_type = error_body(instead, self._plan.wait)
        return Answer(instead.status, body, content_type, error=instead.error)

    def _route(self, parse_error: str) -> Answer:
        method = "GET" if self._request.method == "HEAD" else self._request.method
        found = [(allowed, handle, match) for allowed, path, handle in ROUTES if (match := path.fullmatch(self._path))]
        if not found:
            return self._unknown_path(method)
        if method == "OPTIONS":
            return Answer(204, headers=(("allow", ", ".join(allowed for allowed, _, _ in found)),), content_type="")
        for allowed, handle, match in found:
            if allowed == method:
                coding = self._request.headers.get("content-encoding", "identity").lower()
                if coding != "identity":
                    return error_answer(
                        415, f"Request bodies are taken plain; this one has Content-Encoding: {coding}."
                    )
                if method == "POST" and parse_error:
                    return refused(validation.bad_json(parse_error))
                return handle(self, *(unquote(group) for group in match.groups()))
        return refused(validation.wrong_method(method, self._path), allow=", ".join(allowed for allowed, _, _ in found))

    def _unknown_path(self, method: str) -> Answer:
        refusal = validation.unknown_path(method, self._path)
        if any(path.fullmatch("/v1" + self._path) for _, path, _ in ROUTES):
            hint = f" The API stands under /v1: the base URL is {self._server.url}."
            refusal = refusal._replace(error={**refusal.error, "message": refusal.error["message"] + hint})
        return refused(refusal)

    def _chat(self) -> Answer:
        body = self._record.document
        for name in self._plan.refuses:
            if isinstance(body, dict) and name in body:
                return error_answer(400, f"Unrecognized request argument supplied: {name}", "unknown_parameter", name)
        refusal = validation.check_chat(body)
        if refusal is not None:
            return refused(refusal)
        stream = self._plan.shape == "stream" or (self._record.stream and self._plan.shape != "whole")
        asked = {**body, "stream": stream}
        if self._plan.needs_usage and stream:
            asked["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        name, created = "chatcmpl-" + self._hex()[:29], int(time.time())
        if stream:
            chunks = answers.chat_chunks(asked, id=name, created=created)
            return Answer(200, content_type=EVENTS, documents=edited([*chunks, DONE], self._plan))
        (document,) = edited([answers.chat(asked, id=name, created=created)], self._plan)
        return Answer(200, json.dumps(document, indent=2, ensure_ascii=self._ascii_only).encode())

    def _azure(self, deployment: str) -> Answer:
        """Azure names the model in the path, and insists on an api-version."""
        if not self._query.get("api-version"):
            return refused(validation.Refusal(404, {"code": "404", "message": "Resource not found"}))
        known = answers.retrieve_model(deployment) is not None
        if isinstance(self._record.document, dict):
            named = self._record.document.get("model")  # what a fault left there counts
            self._record.document["model"] = deployment if known else named or DEFAULT_MODEL
        return self._embeddings() if self._path.endswith("/embeddings") else self._chat()

    def _embeddings(self) -> Answer:
        refusal = validation.check_embeddings(self._record.document)
        if refusal is not None:
            return refused(refusal)
        return Answer(200, compact_json(answers.embeddings(self._record.document)).encode())

    def _models(self) -> Answer:
        return Answer(200, json.dumps(answers.list_models(), indent=2).encode())

    def _model(self, name: str) -> Answer:
        model = answers.retrieve_model(name)
        if model is None:
            return refused(validation.unknown_model(name))
        return Answer(200, json.dumps(model, indent=2).encode())

    # How it is sent

    @property
    def _ascii_only(self) -> bool:
        return bool(dict(self._plan.dialect).get("ascii_only", True))

    def _hex(self) -> str:
        """32 hex digits that are the same whenever the same requests come in the same order."""
        return hashlib.sha256(f"{self._record.number}:{self._record.fingerprint}".encode()).hexdigest()[:32]

    def _head(self, answer: Answer, framing: Tuple[Tuple[str, str], ...]) -> bytes:
        elapsed_ms = round((time.monotonic() - self._record.at_s) * 1000)
        tokens = tokens_asked(self._record.document, self._request.body)
        typed = (("content-type", answer.content_type),) if answer.content_type else ()
        pairs = [
            ("date", http_date(time.time())),
            *typed,
            *framing,
            ("connection", "keep-alive" if self._keep else "close"),
            *((("cache-control", "no-cache"),) if answer.documents is not None else ()),
            ("openai-organization", "practice"),
            ("openai-processing-ms", str(elapsed_ms)),
            ("openai-version", "2020-10-01"),
            *self._server.rates.take(tokens, time.monotonic()),
            ("x-request-id", f"req_{self._hex()}"),
            *answer.headers,
            *cross_origin_headers(self._record.method, self._request.headers),
            ("server", "practice"),
        ]
        url = f"{self._server.root}{REDIRECTED}{_FAULT_PATH.sub('', self._request.target)}"
        pairs = fill_headers(pairs, self._plan.headers, now_s=time.time(), url=url)
        self._record.said += tuple(
            f"{name.title()}: {value}" for name, value in pairs if name.startswith("retry-after")
        )
        self._record.invites_retry = invites_retry(answer.status, answer.error, dict(pairs))
        return head_bytes(answer.status, pairs, version=self._plan.version)

    def _send(self, answer: Answer) -> None:
        plan, record = self._plan, self._record
        record.status = answer.status
        record.wait_s, record.wait_said_in = plan.wait.seconds, plan.wait.said_in
        layout = lay_out(answer, plan, method=self._request.method, version=self._request.version)
        record.events_whole = layout.events_whole
        self._keep = self._keep and layout.keeps
        self._sender.write(self._head(answer, layout.fields))
        if layout.bodiless:
            record.complete = True
        elif plan.raw_body:
            self._sender.write(plan.raw_body)
            self._end_with("cut")
        else:
            self._send_body(answer, layout)

    def _send_body(self, answer: Answer, layout: Layout) -> None:
        try:
            self._sender.send_body(layout)
        finally:
            self._note_progress(answer)
        act, at, _ = self._plan.ending
        record = self._record
        if act:
            record.complete = record.complete and at < 0
            self._end_with(act, chunked=layout.framing == "chunked")
            return
        record.complete = record.complete and self._plan.length_error_bytes <= 0

    def _note_progress(self, answer: Answer) -> None:
        """What the client may have read of the answer by now."""
        record = self._record
        record.events = self._sender.events
        if answer.documents is None:
            record.complete = record.events >= record.events_whole
            return
        _, at, _ = self._plan.ending
        # Where several events go out in one write, an event that was begun counts as sent.
        share = (
            record.events / max(1, record.events_whole) if self._plan.cutting in ("pairs", "blocks", "once") else None
        )
        sent = round(share * len(answer.documents)) if share is not None else record.events
        documents = answer.documents[: sent if at < 0 else min(sent, at)]
        record.text = text_in(documents)
        record.complete = is_complete(documents)

    # Ways to end

    def _end_with(self, act: str, *, chunked: bool = False) -> None:
        self._record.ending = act
        self._keep = False
        self._sender.end_with(act, chunked=chunked)

    def _break_before(self, before: str) -> None:
        """No head. What is left of the connection tells the client that it should try again."""
        data, ending = BEFORE.get(before, (b"", "cut"))
        if before == "half":
            head = self._head(Answer(200), ())
            data = head[: len(head) // 2]
        self._record.invites_retry = True
        self._sender.write(data)
        self._end_with(ending)

    def _fall_silent(self) -> None:
        self._tell()
        self._server.note(self._record, over=False)

    def _wrote(self, data: bytes, at_s: float) -> None:
        self._record.answered_s = at_s

    # What people see

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._server.say(describe(self._record))


# Method, path without faults, and what answers it. Azure's two forms stand beside OpenAI's one.
ROUTES: Tuple[Tuple[str, re.Pattern[str], Callable[..., Answer]], ...] = (
    ("POST", re.compile(r"/v1/chat/completions|/openai/v1/chat/completions"), Serving._chat),
    ("POST", re.compile(r"/v1/embeddings|/openai/v1/embeddings"), Serving._embeddings),
    ("GET", re.compile(r"/v1/models|/openai/v1/models"), Serving._models),
    ("GET", re.compile(r"/v1/models/(.+)"), Serving._model),
    ("POST", re.compile(r"/openai/deployments/([^/]+)/(?:chat/completions|embeddings)"), Serving._azure),
)
