"""The rows of the table of faults. Data: a row turns a few knobs of `faults.Plan`, and adding a fault is adding a row.

    _row("cut", "The connection closes after N events, ...", at=3, ending=("cut", AT, ""))

AT stands for the N of `@N`. Options are functions from the text after "=" to knobs. The grammar of names, and how rows
are merged, stand in faults.py; who was seen doing each of these things stands in edits.py and in the sentences below.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Optional, Tuple

from . import edits as e
from .edits import DONE, Fields
from .fault_status import STATUSES, Instead, Option, Row, html, like, quota_row, status_row
from .framing import reason_of

AT = object()


def _row(
    name: str,
    says: str,
    *,
    at: Optional[int] = None,
    options: Optional[Mapping[str, Option]] = None,
    only: str = "",
    **knobs: Any,
) -> Row:
    return Row(name, says, knobs, at, options or {}, only)


def _stream(
    name: str, says: str, *, at: Optional[int] = None, options: Optional[Mapping[str, Option]] = None, **knobs: Any
) -> Row:
    return Row(name, says, knobs, at, options or {}, "stream")


def _edit(name: str, says: str, edit: e.Edit, argument: Any = None, **rest: Any) -> Row:
    return _row(name, says, edits=((edit, argument),), **rest)


def _stream_edit(name: str, says: str, edit: e.Edit, argument: Any = None, **rest: Any) -> Row:
    return _stream(name, says, edits=((edit, argument),), **rest)


def _dialect(name: str, says: str, **settings: Any) -> Row:
    return _stream(name, says, dialect=tuple(settings.items()))


def _number(knob: str) -> Dict[str, Option]:
    return {"ms": lambda value: {knob: float(value)}}


_STATUS_ROWS = (
    *(status_row(status) for status in STATUSES),
    quota_row(),
    like(429, "429-none", "429 that does not say how long to wait.", retry_after="none"),
    like(429, "429-float", "429 with Retry-After: 0.25, as Groq writes it.", retry_after="0.25"),
    like(429, "429-ms", "429 with retry-after-ms: 250 and no Retry-After.", retry_after_ms="250"),
    like(429, "429-date", "429 with an HTTP date in Retry-After, two seconds from now.", retry_after_date="2"),
    like(429, "429-text", "429 that hides the wait in its message: try again in 0.5s.", retry_after_text="0.5"),
    like(429, "429-reset", "429 with the wait in x-ratelimit-reset-requests alone, as a Go duration: 1s.", reset="1s"),
    like(429, "429-day", "429 with Retry-After: 86400. Giving up is the answer, not sleeping.", retry_after="86400"),
    like(429, "429-garbage", "429 with Retry-After: soon.", retry_after="soon"),
    like(429, "429-negative", "429 with Retry-After: -1.", retry_after="-1"),
    like(400, "should-retry", "400 with x-should-retry: true.", should_retry="true"),
    like(500, "should-not-retry", "500 with x-should-retry: false.", should_retry="false"),
    like(502, "html-502", "502 with a page of HTML, as nginx sends it.", body="html"),
    _row(
        "refuse",
        "400 for a parameter that this server does not know; =NAME, or stream_options.",
        refuses=("stream_options",),
        options={"parameter": lambda value: {"refuses": (value,)}},
    ),
    *(
        _row(
            str(status),
            f"{status} {reason_of(status)} to /redirected/... on this server. Following it takes the key along.",
            instead=Instead(status, body=b""),
            headers=(("location", "{redirected}"),),
        )
        for status in (301, 302, 303, 307, 308)
    ),
)

_BEFORE_ROWS = (
    _row("slow-head", "The head comes after 2,000 ms.", head_delay_ms=2000.0, options=_number("head_delay_ms")),
    _row("stall-head", "Not one byte comes, and the connection stays open.", before="stall"),
    _row("close-head", "The connection is closed before the head.", before="close"),
    _row("reset-head", "The connection is reset (RST) before the head.", before="reset"),
    _row("half-head", "The connection is closed in the middle of the head.", before="half"),
    _row("garbage", "Bytes that are no HTTP.", before="garbage"),
)

_OTHER_ROWS = (
    _row("whole", "One JSON reply, though a stream was asked for.", shape="whole"),
    _row("stream", "An event stream, though one JSON reply was asked for.", shape="stream"),
    _row(
        "error-200",
        "200 with an error object.",
        instead=Instead(200, {"message": "Provider returned error", "code": 502}),
    ),
    _row(
        "html-200",
        "200 with a page of HTML, as a captive portal has it.",
        instead=Instead(200, body=html(200), content_type="text/html"),
    ),
    _row("text-200", "200 with a line of plain text.", instead=Instead(200, body=b"OK\n", content_type="text/plain")),
    _row("empty-200", "200 with an empty body.", instead=Instead(200, body=b"")),
    _row("null-200", "200 with JSON null.", instead=Instead(200, body=b"null")),
    _row("list-200", "200 with a JSON list.", instead=Instead(200, body=b"[]")),
    _row(
        "empty-stream",
        "200, text/event-stream, and not one byte of it.",
        instead=Instead(200, body=b"", content_type="text/event-stream"),
    ),
    _stream_edit("done-only", "An event stream with nothing in it but [DONE].", e.stop_with, (0, DONE)),
    _row(
        "content-type",
        "The answer is right, its Content-Type is not: text/plain, or =TYPE.",
        headers=(("content-type", "text/plain"),),
        options={"type": lambda value: {"headers": (("content-type", value),)}},
    ),
    _row("no-content-type", "The answer has no Content-Type.", headers=(("content-type", None),)),
    _stream(
        "latin1",
        "The Content-Type claims charset=iso-8859-1; the bytes are UTF-8.",
        edits=((e.spread_text, None),),
        headers=(("content-type", "text/event-stream; charset=iso-8859-1"),),
        dialect=(("ascii_only", False),),
    ),
)

_KEEP_ALIVE = Fields((("", "keep-alive"),))

_TIME_ROWS = (
    _stream("slow", "500 ms before each event.", pace_ms=500.0, options=_number("pace_ms")),
    _stream(
        "slow-first",
        "The head comes at once, the first event 2,000 ms later.",
        first_ms=2000.0,
        options=_number("first_ms"),
    ),
    _stream(
        "buffered",
        "All events in one write at the end, as a buffering proxy has it.",
        cutting="once",
        first_ms=300.0,
        options=_number("first_ms"),
    ),
    _stream("stall", "Silence after N events; the connection stays open.", at=3, ending=("stall", AT, "")),
    _stream(
        "stall-comments",
        "After N events nothing but a comment each 100 ms, for ever: read timeouts never strike.",
        at=3,
        ending=("comments", AT, ""),
        piece_ms=100.0,
        options=_number("piece_ms"),
    ),
    _stream("stall-done", "[DONE] comes, but the body never ends.", ending=("stall", -1, "")),
    _stream(
        "stall-finish",
        "The finish_reason comes, [DONE] does not, and the body never ends.",
        edits=((e.no_done, None),),
        ending=("stall", -1, ""),
    ),
)

_BREAK_ROWS = (
    _row("cut", "The connection closes after N events, without the last chunk.", at=3, ending=("cut", AT, "")),
    _stream_edit(
        "cut-clean", "After N events the body ends properly: no finish_reason, no [DONE].", e.stop_with, (AT,), at=3
    ),
    _stream(
        "cut-inside", "The connection closes in the middle of the event after N.", at=3, ending=("cut", AT, "inside")
    ),
    _stream(
        "cut-character",
        "The connection closes in the middle of a character, after N events.",
        at=3,
        ending=("cut", AT, "character"),
        edits=((e.spread_text, None),),
        dialect=(("ascii_only", False),),
    ),
    _row("reset", "The connection is reset (RST) after N events.", at=3, ending=("reset", AT, "")),
    _row(
        "cut-silent",
        "The body is delimited by the close, and the close comes after N events: no byte says that it was cut.",
        at=3,
        ending=("cut", AT, ""),
        framing="close",
    ),
    _row(
        "no-last-chunk",
        "All of the body comes, and then the close instead of the last chunk.",
        framing="chunked",
        last_chunk=False,
    ),
)

_SERVER_ERROR = {
    "message": "The server had an error while processing your request.",
    "type": "server_error",
    "param": None,
    "code": None,
}
_LIMIT_ERROR = {"message": "Rate limit exceeded", "code": 429}

_ERROR_ROWS = (
    _stream_edit(
        "error",
        'data: {"error": {...}} after N events, and the end.',
        e.stop_with,
        (AT, {"error": _SERVER_ERROR}),
        at=3,
    ),
    _stream_edit(
        "error-done",
        "The same, and then [DONE], as vLLM has it.",
        e.stop_with,
        (AT, {"error": _SERVER_ERROR}, DONE),
        at=3,
    ),
    _stream_edit(
        "error-429",
        "An error with the number 429 as its code, before any text.",
        e.stop_with,
        (AT, {"error": _LIMIT_ERROR}),
        at=0,
    ),
    _stream_edit(
        "error-event",
        "event: error, with an error object as its data.",
        e.stop_with,
        (AT, Fields((("event", "error"), ("data", json.dumps({"error": {"message": _SERVER_ERROR["message"]}}))))),
        at=3,
    ),
    _stream_edit(
        "error-text",
        "event: error, with plain text as its data.",
        e.stop_with,
        (AT, Fields((("event", "error"), ("data", "upstream failed")))),
        at=3,
    ),
    _stream_edit(
        "error-field",
        "A field named error instead of data, as llama.cpp had it.",
        e.stop_with,
        (AT, Fields((("error", json.dumps({"code": 500, "message": "slot unavailable", "type": "server_error"})),))),
        at=3,
    ),
    _stream_edit(
        "error-string",
        '{"error": "..."}: a string.',
        e.stop_with,
        (AT, {"error": "Request failed", "error_type": "generation"}),
        at=3,
    ),
    _stream_edit(
        "error-object",
        '{"object": "error", ...} without the key error, as old vLLM has it.',
        e.stop_with,
        (AT, {"object": "error", "message": "engine died", "type": "InternalServerError", "param": None, "code": 500}),
        at=3,
    ),
    _stream_edit(
        "error-choice",
        "An error beside a choice whose finish_reason is error, as OpenRouter has it.",
        e.stop_with_choice_error,
        (AT, {"code": 502, "message": "Provider disconnected"}),
        at=3,
    ),
)

_FRAMING_ROWS = (
    _row("close-delimited", "No length and no chunks: the body ends with the connection.", framing="close"),
    _row("http10", "HTTP/1.0, and the body ends with the connection.", framing="close", version="1.0"),
    _row("length", "The whole body at once under a Content-Length, a stream too.", framing="length"),
    _row("chunked", "Chunked, a whole reply too.", framing="chunked"),
    _row("length-long", "Content-Length says 20 bytes more than come.", framing="length", length_error_bytes=20),
    _row(
        "length-short",
        "Content-Length says 20 bytes less than come; the rest is noise on the connection.",
        framing="length",
        length_error_bytes=-20,
    ),
    _row("bad-chunk", "A chunk size that is no number.", framing="chunked", raw_body=b"zz\r\nthis is no chunk\r\n"),
    _row(
        "trailers",
        "Trailer fields after the last chunk.",
        framing="chunked",
        trailers=(("x-practice-trailer", "yes"), ("server-timing", "total;dur=1")),
    ),
    _row(
        "gzip",
        "gzip without a flush for each event: text is held back. Whether or not it was asked for.",
        coding="gzip",
        flush=False,
    ),
    _row("gzip-flush", "gzip, flushed after each event.", coding="gzip"),
    _row("deflate", "deflate, flushed after each event.", coding="deflate"),
    _row("not-gzip", "Content-Encoding says gzip, the bytes are plain.", headers=(("content-encoding", "gzip"),)),
)

_EVENT_ROWS = (
    _dialect("crlf", "CRLF line ends.", line_ends=("\r\n",)),
    _dialect("cr", "CR line ends.", line_ends=("\r",)),
    _dialect("mixed", "LF, CRLF and CR in turn.", line_ends=("\n", "\r\n", "\r")),
    _stream(
        "crlf-split",
        "CRLF line ends, and every write ends between CR and LF.",
        dialect=(("line_ends", ("\r\n",)),),
        cutting="crlf",
        piece_ms=1.0,
    ),
    _dialect("no-space", "data:{...} without the space.", colon=":"),
    _dialect("two-spaces", "Two spaces after the colon; one belongs to the data.", colon=":  "),
    _dialect("multi-line", "JSON over several lines, each in a data field of its own.", indent=1),
    _dialect("bom", "A byte order mark before the first field.", bom=True),
    _dialect("ids", "An id field in every event.", fields=(("id", "{n}"),)),
    _dialect("event-names", "event: message in every event.", fields=(("event", "message"),)),
    _dialect("retry-field", "retry: 3000 in every event.", fields=(("retry", "3000"),)),
    _dialect(
        "unknown-fields",
        "A field that no specification knows in every event.",
        fields=(("x-note", "nothing"), ("empty", "")),
    ),
    _dialect("unended", "[DONE] is the last byte of the body: no line end.", last_end=""),
    _dialect("half-ended", "One line end after [DONE] and no blank line.", last_end="\n"),
    _dialect("raw-utf8", "Text as UTF-8, not as JSON escapes.", ascii_only=False),
    _stream_edit(
        "comments", "A comment before every event, as OpenRouter and DeepSeek send them.", e.between, _KEEP_ALIVE
    ),
    _stream_edit(
        "comment-data",
        'A comment that a gateway turned into data: "data: : keep-alive".',
        e.insert,
        (1, ": keep-alive"),
    ),
    _stream_edit(
        "pings", "event: ping before every event.", e.between, Fields((("event", "ping"), ("data", '{"type": "ping"}')))
    ),
    _stream_edit("heartbeats", "An event with empty data before every event.", e.between, ""),
    _stream_edit(
        "no-data",
        "Events that have an id and a retry, but no data.",
        e.between,
        Fields((("id", "7"), ("retry", "1000"))),
    ),
    _stream_edit(
        "after-done",
        "A comment and one more event after [DONE].",
        e.insert,
        (1 << 30, _KEEP_ALIVE, {"choices": [], "x": "after the end"}),
    ),
    _stream("pairs", "Two events in one write.", cutting="pairs"),
    _stream("blocks", "Writes of 1,024 bytes, wherever events end.", cutting="blocks"),
    _stream("halves", "Every event in two writes.", cutting="halves", piece_ms=1.0),
    _row("bytes", "One byte at a time.", cutting="bytes"),
    _stream(
        "split-utf8",
        "Characters of two to four bytes, and every write ends inside one.",
        cutting="characters",
        piece_ms=1.0,
        edits=((e.spread_text, None),),
        dialect=(("ascii_only", False),),
    ),
    _stream_edit(
        "split-surrogates", "One half of an emoji ends a delta, the other begins the next.", e.split_surrogates
    ),
    _row(
        "separators",
        "U+2028, U+2029 and U+0085 inside the text, as they are.",
        edits=((e.separators_in_text, None),),
        dialect=(("ascii_only", False),),
    ),
    _stream_edit("glued", "After N events a frame is cut off and the next glued on.", e.glued, AT, at=2),
)

_AZURE_FIRST = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [],
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    ],
}

_CHUNK_ROWS = (
    _stream_edit("azure", "The first chunk has no choices, but prompt_filter_results.", e.insert, (0, _AZURE_FIRST)),
    _stream_edit(
        "empty-choices",
        "A chunk with choices [] after N events.",
        e.insert,
        (AT, {**_AZURE_FIRST, "prompt_filter_results": []}),
        at=1,
    ),
    _edit(
        "null-choices", "choices is null, in a chunk after N events or in the whole reply.", e.null_choices, AT, at=1
    ),
    _stream_edit("null-delta", "delta is null in the chunk with the finish_reason.", e.null_delta),
    _stream_edit(
        "no-delta", "A choice without delta after N events, as Azure's filter sends it.", e.no_delta, AT, at=2
    ),
    _edit("bare", "No id, object, created, model or index; no finish_reason until there is one.", e.bare),
    _stream_edit("changing-ids", "Every chunk has another id.", e.changing_ids),
    _stream_edit("roles", "The role in every delta.", e.role_everywhere),
    _edit("nulls", "Every unused field is there, as null.", e.nulls_everywhere),
    _edit("content-parts", "content is a list of typed parts.", e.content_parts),
    _stream_edit("growing", "Beside the delta a message with all text so far.", e.growing_message),
    _edit(
        "reasoning",
        "Thoughts under reasoning_content before the text; =NAME for another name, or several joined by &.",
        e.reasoning,
        ("reasoning_content",),
        options={"names": lambda value: {"edits": ((e.reasoning, tuple(value.split("&"))),)}},
    ),
    _stream_edit("no-done", "No [DONE] after the finish_reason.", e.no_done),
    _edit("no-finish", "No finish_reason, but [DONE].", e.no_finish),
    _stream_edit(
        "finish-empty",
        'finish_reason "" until the last; or =VALUE.',
        e.finish_empty,
        "",
        options={"value": lambda value: {"edits": ((e.finish_empty, value),)}},
    ),
    _edit(
        "finish",
        "A finish_reason of another make: eos, or =VALUE.",
        e.finish_reason,
        "eos",
        options={"value": lambda value: {"edits": ((e.finish_reason, value),)}},
    ),
    _stream_edit("finish-twice", "The last chunk comes twice, and once more with null.", e.finish_twice),
)

_USAGE_ROWS = (
    _edit("no-usage", "No usage, asked for or not.", e.usage_nowhere),
    _stream_edit("usage-finish", "usage in the chunk with the finish_reason.", e.usage_with_finish, needs_usage=True),
    _stream_edit("usage-choice", "usage inside the choice.", e.usage_in_choice, needs_usage=True),
    _stream_edit("usage-groq", "usage under x_groq.", e.usage_x_groq, needs_usage=True),
    _stream_edit(
        "usage-every", "A running usage in every chunk: the last one holds.", e.usage_everywhere, needs_usage=True
    ),
    _stream_edit("usage-null", "usage in the first chunk, null in all others.", e.usage_then_null, needs_usage=True),
)

_TOOL_ROWS = (
    _stream_edit("tools-whole", "Each call in one piece, no index.", e.tools_whole),
    _stream_edit("tools-no-index", "Arguments in pieces, no index.", e.tools_no_index),
    _stream_edit("tools-index-zero", "Whole calls, index 0 for every one.", e.tools_index_zero),
    _stream_edit("tools-repeated", "id and name in every fragment.", e.tools_repeated),
    _edit("tools-object", "arguments is an object.", e.tools_object),
    _stream_edit("tools-nulls", 'id "" and name null in later fragments.', e.tools_nulls),
    _edit("tools-stop", "finish_reason stop, although tools are called.", e.finish_reason, "stop"),
)

GROUPS: Tuple[Tuple[str, Tuple[Row, ...]], ...] = (
    ("Statuses", _STATUS_ROWS),
    ("Before the head", _BEFORE_ROWS),
    ("Another answer than the one asked for", _OTHER_ROWS),
    ("Time", _TIME_ROWS),
    ("Breaking off", _BREAK_ROWS),
    ("Errors inside a 200", _ERROR_ROWS),
    ("HTTP framing", _FRAMING_ROWS),
    ("Writing of events", _EVENT_ROWS),
    ("Shape of chunks", _CHUNK_ROWS),
    ("Usage", _USAGE_ROWS),
    ("Tool calls (where the request has tools)", _TOOL_ROWS),
)
