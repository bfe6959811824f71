"""Answers of the tap's dry run: canned, faithful in shape, given at once and without asking anybody.

    POST /v1/chat/completions {"model":"llama3", "stream":true, ...}   ->   a stream of chunks, [DONE]
    POST /v1/embeddings, GET /v1/models                                ->   vectors, a list
    POST /v1/responses                                                 ->   501: there is no canned answer for that

The practice server's actor writes them. It knows OpenAI's models and parameters; a request for another server's is
answered all the same, by what the actor understands of it, and `note` says what it would have refused. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .actor import answers, validation
from .edits import DONE, Document
from .sending import EVENTS, Answer

_MODEL = "gpt-4o-mini"
_CHAT = re.compile(r"(?:/[^?]*)?/chat/completions")
_EMBEDDINGS = re.compile(r"(?:/[^?]*)?/embeddings")
_MODELS = re.compile(r"(?:/[^?]*)?/models(?:/(?P<name>[^?]+))?")
# What decides the shape of an answer; the rest can only make the actor refuse it.
_SHAPING = (
    "messages stream stream_options tools tool_choice functions function_call response_format n stop "
    "max_tokens max_completion_tokens logprobs top_logprobs"
).split()
_QUESTION = [{"role": "user", "content": "What is a dry run?"}]


class Canned(NamedTuple):
    answer: Answer
    note: str = ""


def canned(method: str, path: str, payload: Any, *, id: str, created: int) -> Canned:
    """The answer to a request with this body (parsed, or None); always one."""
    models = _MODELS.fullmatch(path)
    if method in ("GET", "HEAD") and models:
        return Canned(_models(models["name"], created))
    body = payload if isinstance(payload, dict) else {}
    if method == "POST" and _CHAT.fullmatch(path):
        return _chat(body, id, created)
    if method == "POST" and _EMBEDDINGS.fullmatch(path):
        return _embeddings(body)
    return Canned(error(501, f"The tap's dry run has no canned answer for {method} {path}. Nothing was sent."))


def error(status: int, message: str, code: Optional[str] = "dry_run") -> Answer:
    """An error of the tap's own, in the API's shape."""
    told = {"message": message, "type": "tap_error", "param": None, "code": code}
    return Answer(status, json.dumps({"error": told}, indent=2).encode(), error=told)


def _models(name: Optional[str], created: int) -> Answer:
    known = answers.list_models() if name is None else answers.retrieve_model(name)
    document = known or {"id": name, "object": "model", "created": created, "owned_by": "tap"}
    return Answer(200, json.dumps(document, indent=2).encode())


def _chat(body: Dict[str, Any], id: str, created: int) -> Canned:
    asked, note = _answerable_chat(body)
    model = body.get("model")
    named: Dict[str, Any] = {"model": model} if isinstance(model, str) and answers.find_model(model) is None else {}
    if body.get("stream") is True:
        chunks = answers.chat_chunks(asked, id=id, created=created)
        documents: List[Document] = [*({**chunk, **named} for chunk in chunks), DONE]
        return Canned(Answer(200, content_type=EVENTS, documents=documents), note)
    document: Dict[str, Any] = {**answers.chat(asked, id=id, created=created), **named}
    return Canned(Answer(200, json.dumps(document, indent=2).encode()), note)


def _answerable_chat(body: Dict[str, Any]) -> Tuple[Dict[str, Any], str]:
    """A body that the actor takes, as near to the request's as possible; and what it would have said to the whole."""
    known = body if answers.find_model(str(body.get("model"))) else {**body, "model": _MODEL}
    refusal = validation.check_chat(known)
    if refusal is None:
        return known, ""
    note = f"the practice server would refuse this request: {refusal.status} {refusal.error.get('message', '')}"
    shaping = {name: body[name] for name in _SHAPING if name in body}
    streaming = ("stream", "stream_options") if body.get("stream") is True else ()
    stream: Dict[str, Any] = {name: body[name] for name in streaming if name in body}
    attempts: List[Dict[str, Any]] = [{**shaping, "model": _MODEL}, {"messages": _QUESTION, **stream, "model": _MODEL}]
    for attempt in attempts:
        if validation.check_chat(attempt) is None:
            return attempt, note
    return {"model": _MODEL, "messages": _QUESTION}, note


def _embeddings(body: Dict[str, Any]) -> Canned:
    model = body.get("model")
    found = answers.find_model(str(model))
    fits = found is not None and found.kind == "embedding"
    known = body if fits else {**body, "model": "text-embedding-3-small"}
    refusal = validation.check_embeddings(known)
    note = ""
    if refusal is not None:
        note = f"the practice server would refuse this request: {refusal.status} {refusal.error.get('message', '')}"
        known = {"model": "text-embedding-3-small", "input": "a dry run"}
    document = answers.embeddings(known)
    if not fits:
        document["model"] = model
    return Canned(Answer(200, json.dumps(document).encode()), note)
