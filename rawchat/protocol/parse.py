"""From an answer to the value that was asked for, or the error that says why there is none.

    "message": {"content": "{\\"title\\":\\"Up\\",\\"stars\\":5}"}          Review(title="Up", stars=5)
    "message": {"content": null, "refusal": "I can't."}            RefusalError
    "message": {"content": "{\\"ti"}, "finish_reason": "length"    LengthFinishReasonError

One leniency: a code fence around the whole answer (```json ... ```) is taken off, because servers that don't know
response_format leave the model its habits. Prose around the JSON, or JSON cut off, is a SchemaMismatch. What the value
must look like is decided in schema.py. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from .cost import read_usage
from .errors import APIError, PayloadError
from .feature_errors import ContentFilterFinishReasonError, LengthFinishReasonError, RefusalError, SchemaMismatch
from .reply import Reply
from .schema import Format, format_of

_FENCED = re.compile(r"\s*```[\w-]*[ \t]*\r?\n(.*?)\s*```\s*", re.DOTALL)


def form_of(type_or_schema: Any, parameters: Mapping[str, Any]) -> Format:
    """The form of the answer that parse() is to ask for, beside the call's other `parameters`. Raises PayloadError."""
    if "response_format" in parameters:
        raise PayloadError("parse() makes response_format itself; to send your own, use chat()", path="response_format")
    return type_or_schema if isinstance(type_or_schema, Format) else format_of(type_or_schema)


def parsed_value(reply: Reply, form: Format) -> Any:
    """The first choice of `reply` as what `form` reads; None where the model called tools and said nothing.

    Raises RefusalError, LengthFinishReasonError, ContentFilterFinishReasonError, or SchemaMismatch with the path; all
    of them with the reply.
    """
    text, refusal = reply.text, reply.refusal
    if refusal:
        raise _with_reply(RefusalError(f"the model refused: {refusal}"), reply)
    if reply.finish_reason == "length":
        raise _with_reply(_too_short(reply, len(text)), reply)
    if reply.finish_reason == "content_filter":
        what = f"the content filter cut the answer off after {len(text)} characters"
        raise _with_reply(ContentFilterFinishReasonError(what), reply)
    if not text and reply.tool_calls:
        return None
    try:
        return form.read(without_fence(text))
    except SchemaMismatch as error:
        _with_reply(error, reply)
        raise


def without_fence(text: str) -> str:
    """`text` without a code fence around the whole of it."""
    found = _FENCED.fullmatch(text)
    return found[1] if found else text


def _too_short(reply: Reply, characters: int) -> LengthFinishReasonError:
    counts = read_usage(reply.get("usage"))
    spent = ""
    if counts is not None:
        thinking = f", {counts.reasoning:,} of them for reasoning" if counts.reasoning else ""
        spent = f" ({counts.completion:,} completion tokens{thinking})"
    return LengthFinishReasonError(
        f"the answer reached the token limit after {characters:,} characters{spent}, so its JSON is cut off",
        hint="Raise max_completion_tokens (max_tokens at older servers), or ask for less.",
    )


def _with_reply(error: APIError, reply: Reply) -> APIError:
    error.reply = reply
    error.status, error.headers = 200, reply.headers
    error.request_id, error.attempts = reply.request_id, reply.attempts
    return error
