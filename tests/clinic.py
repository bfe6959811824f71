"""For the tests of the doctor: answers as bytes on the wire, and what each check finds in them, without a socket."""

import json

from . import module

exchange = module("lab.exchange")
line = module("lab.clinic.line")
probes = module("lab.clinic.probes")
rule = module("lab.clinic.rule")
sight = module("lab.clinic.sight")
table = module("lab.clinic.table")
wire = module("protocol.wire")
http1 = module("transport.http1")

CHECKS = {check.name: check for check in table.CHECKS}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
ERROR = {"message": "No.", "type": "invalid_request_error", "param": None, "code": None}


def http(body=b"", status=200, content_type="application/json", version="1.1", length=None, **headers):
    """A whole answer with a Content-Length; a header whose value is None is left out."""
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
    pairs = {"content-type": content_type, "content-length": str(len(body) if length is None else length)}
    pairs.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"HTTP/{version} {status} X", *(f"{name}: {value}" for name, value in pairs.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def refusal(status, error=None, **headers):
    return http({"error": {**ERROR, **(error or {})}}, status, **headers)


def completion(message=None, finish="stop", usage=USAGE, choices=None, **fields):
    """A chat.completion as it should be, but for what is given."""
    message = {"role": "assistant", "content": "Hi", **(message or {})}
    choices = choices or [{"index": 0, "message": message, "finish_reason": finish}]
    document = {"id": "c1", "object": "chat.completion", "created": 1700000000, "model": "m", "choices": choices}
    return http({**document, **({"usage": usage} if usage is not None else {}), **fields})


def chunk(delta=None, finish=None, **fields):
    return {**HEAD, "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], "usage": None, **fields}


TEXT = [
    chunk({"role": "assistant", "content": ""}),
    *(chunk({"content": word}) for word in ("one ", "two ", "three")),
    chunk(finish="stop"),
    {**HEAD, "choices": [], "usage": USAGE},
]


def events(*documents, done=True):
    """The bytes of an event stream; text and bytes stand as they are."""
    written = [
        document if isinstance(document, bytes) else f"data: {json.dumps(document)}\n\n".encode()
        for document in documents
    ]
    return b"".join(written) + (b"data: [DONE]\n\n" if done else b"")


def stream(*documents, done=True, body=None, content_type="text/event-stream", **headers):
    """An event stream in chunks, one of them a document."""
    body = events(*(documents or TEXT), done=done) if body is None else body
    head = http(b"", 200, content_type, content_length=None, transfer_encoding="chunked", **headers)
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def seen(*reads, how="eof", whole=True, payload=None, reused=None, notes=(), method="POST"):
    """A Sight of these reads: bytes, or (microseconds since the sending, bytes)."""
    body = json.dumps(payload).encode() if payload is not None else b""
    recorded = exchange.Exchange(1)
    recorded.request = wire.Request(method, "http://127.0.0.1/v1/chat/completions", (), body)
    recorded.target = "/v1/chat/completions"
    recorded.notes += notes
    intake = line.Intake(recorded)
    at_us = 0
    try:
        for number, read in enumerate(reads, start=1):
            at_us, data = read if isinstance(read, tuple) else (1000 * number, read)
            intake.receive(at_us, data)
        if how == "eof" and reads:
            intake.reader.receive_end()
    except http1.HTTP_FAILURES as error:
        recorded.end = exchange.End(at_us, how, False, str(error))
    else:
        recorded.end = exchange.End(at_us, how, whole and how == "eof", "" if how == "eof" else "silence for 1 s")
    if recorded.head is not None and reused is not None:
        recorded.head = recorded.head._replace(reused=reused)
    return sight.Sight(recorded)


ASKED_FOR_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def find(check, **answers):
    """What one check finds; each answer is bytes, a Sight, or a list of reads. `no_model=` is the probe "no-model"."""
    sights = {}
    for name, answer in answers.items():
        payload = ASKED_FOR_USAGE if name == "stream" else None
        reads = answer if isinstance(answer, list) else [answer]
        sights[name.replace("_", "-")] = answer if isinstance(answer, sight.Sight) else seen(*reads, payload=payload)
    return CHECKS[check].judge(rule.Evidence(None, sights))


def tried(rows):
    """{(check, verdict)} of a table whose rows begin with a check's name and the verdict that it must reach."""
    return {(row[0], row[1]) for row in rows.values()}


def untried(checks, rows):
    """The checks of a module that its rows do not show both in keeping and in breach."""
    there = tried(rows)
    return [check.name for check in checks if not {(check.name, "ok"), (check.name, "fails")} <= there]
