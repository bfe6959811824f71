"""Recorded exchanges for tests of the wire lab: typical cases, made through Recording with fixed times.

    make("stream")                          -> its Exchange (a list where the case has several: see `make_all`)
    save(tmp_path / "calls.jsonl", "stream", "retry")      -> the path, with three exchanges in the file
    tape = Tape(); tape.add(pieces=chunked("Hi"), ...)     -> one of your own

CASES lists them. Text, times and numbers are always the same, so that a test can state what comes out.
"""

import gzip
import json
import zlib

from . import module

exchange_module = module("lab.exchange")
hiding = module("lab.hiding")
recording = module("lab.recording")
cassette = module("lab.cassette")
wire = module("protocol.wire")

KEY = "sk-test-0123456789abcdefghijklmnop"
URL = "http://127.0.0.1:8080/v1/chat/completions"
AT = "2026-11-21T10:20:00.000000Z"
BEGAN_S = 1000.0
MS = 1000  # of microseconds

PAYLOAD = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Count to three."}]}
STREAMED = {**PAYLOAD, "stream": True, "stream_options": {"include_usage": True}}
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
REQUEST_HEADERS = (
    ("Host", "127.0.0.1:8080"),
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("Authorization", f"Bearer {KEY}"),
    ("User-Agent", "test/1.0"),
)
JSON_TYPE = ("Content-Type", "application/json")
EVENTS_TYPE = ("Content-Type", "text/event-stream; charset=utf-8")
CHUNKED = ("Transfer-Encoding", "chunked")
REQUEST_ID = ("X-Request-Id", "req_1")
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
]


def compact(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def chunk(delta=None, finish=None, *, index=0, usage=None, model="gpt-4o-mini-2024-07-18"):
    """The JSON of one chunk; `delta` None: no choices, as the chunk with the usage has it."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763720400, "model": model}
    return {**base, "choices": choices, **({"usage": usage} if usage else {})}


def event(document):
    """One event as it stands in the body; a str is its data as it is."""
    return b"data: " + (document.encode() if isinstance(document, str) else compact(document)) + b"\n\n"


def events(*texts, usage=USAGE, done=True, finish="stop"):
    """A stream with one event for each text, between role and finish_reason."""
    deltas = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts)]
    found = [event(delta) for delta in deltas]
    if finish:
        found.append(event(chunk({}, finish)))
    if usage:
        found.append(event(chunk(usage=usage)))
    return [*found, event("[DONE]")] if done else found


def in_chunks(pieces, *, last=True):
    """Each piece as an HTTP chunk; the last one of no length ends the body."""
    framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return [*framed, b"0\r\n\r\n"] if last else framed


def gzipped(pieces):
    """Each piece compressed and flushed, as a server does that streams with gzip."""
    coder = zlib.compressobj(wbits=31)
    found = [coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [*found, coder.flush()]


def completion(text="one two three", *, message=None, finish="stop", choices=None):
    """The JSON of a whole answer."""
    message = message or {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1763720400,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": choices or [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": USAGE,
    }


class Tape:
    """Records exchanges with fixed times. `exchanges`, `records`; `save(path)` writes the cassette.

    Exchange n is sent n - 1 seconds after the beginning.
    """

    def __init__(self, *, source="test", **hiding_options):
        self.records = []
        self.exchanges = []
        hider = hiding.Hider(**hiding_options)
        self.recording = recording.Recording([self._keep], source=source, hider=hider)
        self.recording.began_s = BEGAN_S

    def _keep(self, record):
        self.records.append({**record, "at": AT} if "at" in record else record)

    def add(
        self,
        payload=PAYLOAD,
        *,
        status=200,
        reason="OK",
        headers=(JSON_TYPE,),
        pieces=(),
        how="eof",
        whole=True,
        detail="",
        first_ms=100,
        gap_ms=20,
        method="POST",
        url=URL,
        request_headers=REQUEST_HEADERS,
        body=None,
        http_version="1.1",
        layer=exchange_module.WIRE,
        call=None,
        attempt=1,
        wait_s=None,
        why="",
    ):
        """One exchange: head after `first_ms`, each piece `gap_ms` after what came before it, then the end.

        status None: no answer at all; how None: it was never seen to end.
        """
        body = compact(payload) if body is None and payload is not None else body or b""
        sent_s = BEGAN_S + len(self.exchanges)
        recorder = self.recording.begin(
            wire.Request(method, url, request_headers, body), at_s=sent_s, layer=layer, call=call, attempt=attempt
        )
        now_s = sent_s + first_ms / 1000
        if status is not None:
            head = wire.ResponseHead(status, reason, wire.Headers(headers), http_version)
            recorder.head(head, at_s=now_s)
        for piece in pieces:
            recorder.read(piece, at_s=now_s)
            now_s += gap_ms / 1000
        if how is not None:
            recorder.end(how, at_s=now_s, whole=whole, detail=detail)
        if wait_s is not None:
            recorder.wait(wait_s, why, at_s=now_s)
        recorder.exchange.started_at = AT
        self.exchanges.append(recorder.exchange)
        return recorder.exchange

    def stream(self, pieces, **options):
        """An event stream in chunks, each piece a chunk and a read."""
        options.setdefault("headers", (EVENTS_TYPE, CHUNKED, REQUEST_ID))
        return self.add(options.pop("payload", STREAMED), pieces=pieces, **options)

    def save(self, path):
        with cassette.CassetteWriter(str(path)) as writer:
            for record in self.records:
                writer(record)
        return str(path)


def _whole(tape):
    body = compact(completion())
    tape.add(headers=(JSON_TYPE, ("Content-Length", str(len(body))), REQUEST_ID), pieces=[body])


def _stream(tape):
    tape.stream(in_chunks(events("one", " two", " three")))


def _gzip(tape):
    pieces = in_chunks(gzipped(events("one", " two", " three")))
    tape.stream(pieces, headers=(EVENTS_TYPE, CHUNKED, ("Content-Encoding", "gzip")))


def _gzip_whole(tape):
    body = gzip.compress(compact(completion()), mtime=0)
    tape.add(headers=(JSON_TYPE, ("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))), pieces=[body])


def _close_delimited(tape):
    tape.stream(events("one", " two", " three"), headers=(EVENTS_TYPE, ("Connection", "close")), http_version="1.0")


def _broken(how):
    def add(tape):
        pieces = in_chunks(events("one", " two", usage=None, done=False, finish=None), last=False)
        tape.stream(pieces, how=how, whole=False, detail=f"the tape says: {how}")

    return add


def _cut(tape):
    """The connection is closed in order, and the last chunk is missing."""
    pieces = in_chunks(events("one", " two", usage=None, done=False, finish=None), last=False)
    tape.stream(pieces, how="eof", whole=False)


def _error(message, kind, code):
    return compact({"error": {"message": message, "type": kind, "param": None, "code": code}})


def _retry(tape):
    body = _error("Rate limit reached.", "requests", "rate_limit_exceeded")
    headers = (JSON_TYPE, ("Content-Length", str(len(body))), ("Retry-After", "1"), ("x-ratelimit-limit-requests", "3"))
    first = tape.add(
        STREAMED,
        status=429,
        reason="Too Many Requests",
        headers=headers,
        pieces=[body],
        wait_s=1.0,
        why="429 rate limit, the server asks for 1 s",
    )
    tape.stream(in_chunks(events("one", " two", " three")), call=first.number, attempt=2)


def _unauthorized(tape):
    body = _error(f"Incorrect API key provided: {KEY}.", "invalid_request_error", "invalid_api_key")
    headers = (JSON_TYPE, ("Content-Length", str(len(body))))
    tape.add(status=401, reason="Unauthorized", headers=headers, pieces=[body])


def _tools(tape):
    first, second = CALLS
    parts = [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"index": 0, **first, "function": {"name": "get_weather", "arguments": ""}}],
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Paris"}'}}]},
        {"tool_calls": [{"index": 1, **second}]},
    ]
    pieces = [*(event(chunk(part)) for part in parts), event(chunk({}, "tool_calls")), event("[DONE]")]
    tape.stream(in_chunks(pieces))


def _tools_whole(tape):
    body = compact(completion(message={"role": "assistant", "content": None, "tool_calls": CALLS}, finish="tool_calls"))
    tape.add(headers=(JSON_TYPE, ("Content-Length", str(len(body)))), pieces=[body])


def _reasoning(tape):
    parts = [
        {"role": "assistant", "reasoning_content": "I count."},
        {"reasoning_content": " Three."},
        {"content": "one"},
    ]
    pieces = [*(event(chunk(part)) for part in parts), event(chunk({}, "stop")), event(chunk(usage=USAGE))]
    tape.stream(in_chunks([*pieces, event("[DONE]")]))


def _two_choices(tape):
    parts = [({"role": "assistant", "content": text}, index) for index, text in enumerate(("one", "uno"))]
    parts += [({"content": text}, index) for index, text in enumerate((" two", " dos"))]
    pieces = [event(chunk(delta, index=index)) for delta, index in parts]
    pieces += [event(chunk({}, "stop", index=index)) for index in (0, 1)]
    tape.stream(in_chunks([*pieces, event("[DONE]")]), payload={**STREAMED, "n": 2})


def _split_utf8(tape):
    """Reads end inside characters: no read alone is valid UTF-8."""
    whole = b"".join(in_chunks(events("Grüße", " an 東京", " \U0001f600")))
    cuts = [position for position, byte in enumerate(whole) if 0x80 <= byte < 0xC0][::3]
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)])]
    tape.stream(pieces, gap_ms=1)


def _library(tape):
    """Recorded inside the library: framing and coding are undone already."""
    headers = (EVENTS_TYPE, CHUNKED, ("Content-Encoding", "gzip"), REQUEST_ID)
    tape.stream(events("one", " two", " three"), headers=headers, layer=exchange_module.BODY)


def _unreachable(tape):
    tape.add(status=None, how="unreachable", whole=False, detail="cannot connect to 127.0.0.1:8080: connection refused")


def _no_answer(tape):
    tape.add(status=None, how="timeout", whole=False, detail="no answer from 127.0.0.1:8080 within 5 s")


def _no_end(tape):
    """The recorder was killed in the middle."""
    tape.stream(in_chunks(events("one", done=False, finish=None, usage=None), last=False), how=None)


def _models(tape):
    body = compact({"object": "list", "data": [{"id": "gpt-4o-mini", "object": "model"}]})
    tape.add(
        None,
        method="GET",
        url="http://127.0.0.1:8080/v1/models",
        headers=(JSON_TYPE, ("Content-Length", str(len(body)))),
        pieces=[body],
    )


def _bursts(tape):
    """Many events in few reads: something on the way buffers."""
    pieces = in_chunks(events(*(f" {number}" for number in range(40))))
    joined = [b"".join(pieces[start : start + 15]) for start in range(0, len(pieces), 15)]
    tape.stream(joined, gap_ms=400)


def _error_event(tape):
    """A stream that tells of its failure in an event."""
    pieces = [
        *events("one", usage=None, done=False, finish=None),
        event('{"error":{"message":"overloaded","code":503}}'),
    ]
    tape.stream(in_chunks(pieces))


CASES = {
    "whole": _whole,
    "stream": _stream,
    "gzip": _gzip,
    "gzip whole": _gzip_whole,
    "close-delimited": _close_delimited,
    "reset": _broken("reset"),
    "timeout": _broken("timeout"),
    "client gone": _broken("client_gone"),
    "cut": _cut,
    "retry": _retry,
    "401": _unauthorized,
    "tools": _tools,
    "tools whole": _tools_whole,
    "reasoning": _reasoning,
    "n=2": _two_choices,
    "split UTF-8": _split_utf8,
    "library": _library,
    "unreachable": _unreachable,
    "no answer": _no_answer,
    "no end": _no_end,
    "models": _models,
    "bursts": _bursts,
    "error event": _error_event,
}


def tape_of(*names, **hiding_options):
    """A Tape with these cases, one after the other."""
    tape = Tape(**hiding_options)
    for name in names:
        CASES[name](tape)
    return tape


def make_all(*names):
    return tape_of(*names).exchanges


def make(name):
    """The exchange of a case; of "retry" the second attempt."""
    return make_all(name)[-1]


def save(path, *names):
    """Write these cases as a cassette; its path."""
    return tape_of(*names).save(path)
