"""One table of scripts for every face of the client: what the server does, what the client must do.

A script says what each attempt meets (`Answer`s), which call is made, the waits that must follow, and what the caller gets.
The sync client runs it over scripted memory, over `responses` and over real sockets; other faces run the same rows.
"""

import json
from typing import Any, Dict, List, NamedTuple, Optional, Tuple


class Answer(NamedTuple):
    """What one attempt meets. `end`: "whole"; "cut" (the body breaks off); "silence" (no further byte); "refused"
    (no answer at all: the connection is closed before the status line)."""

    status: int = 200
    headers: Dict[str, str] = {}
    pieces: Tuple[bytes, ...] = ()
    end: str = "whole"

    @property
    def body(self):
        return b"".join(self.pieces)


def completion(text="Hello.", **more):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        **more,
    }


def whole(text="Hello.", **more):
    return Answer(200, {"Content-Type": "application/json"}, (json.dumps(completion(text, **more)).encode(),))


def failure(status, message="no", headers=None, **error):
    """An error status with OpenAI's error object."""
    document = {"error": {"message": message, "type": None, "param": None, "code": None, **error}}
    return Answer(status, {"Content-Type": "application/json", **(headers or {})}, (json.dumps(document).encode(),))


def delta(text=None, finish=None):
    choice = {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [choice],
    }


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
USAGE_CHUNK = {**delta(), "choices": [], "usage": USAGE}


def event(document):
    return f"data: {document if isinstance(document, str) else json.dumps(document)}\n\n".encode()


def stream(*documents, end="whole"):
    return Answer(200, {"Content-Type": "text/event-stream"}, tuple(event(document) for document in documents), end)


GOOD = stream(delta("Hel"), delta("lo."), delta(finish="stop"), USAGE_CHUNK, "[DONE]")


class Script(NamedTuple):
    """`way` is "chat" or "stream"; `waits` in seconds, jitter off; `text` is what the caller has, `error` what it catches."""

    name: str
    answers: List[Answer]
    text: str = ""
    way: str = "chat"
    options: Dict[str, Any] = {}
    waits: Tuple[float, ...] = ()
    error: Optional[str] = None
    words: str = ""
    attempts: Optional[int] = None  # None: one for each answer


SCRIPTS = [
    Script("a good answer", [whole()], "Hello."),
    Script("a good stream", [GOOD], "Hello.", "stream"),
    Script("JSON in reply to a stream", [whole("All at once.")], "All at once.", "stream"),
    # What is tried again, and after what wait.
    Script("429 without a hint backs off", [failure(429), whole()], "Hello.", waits=(0.5,)),
    Script("429 with Retry-After", [failure(429, headers={"Retry-After": "2"}), whole()], "Hello.", waits=(2.0,)),
    Script("429 on a stream", [failure(429, headers={"Retry-After": "1"}), GOOD], "Hello.", "stream", waits=(1.0,)),
    Script("retry-after-ms wins", [failure(429, headers={"retry-after-ms": "1500", "retry-after": "9"}), whole()], "Hello.", waits=(1.5,)),
    Script("a useless hint falls through", [failure(429, headers={"retry-after-ms": "-5", "retry-after": "1"}), whole()], "Hello.", waits=(1.0,)),
    Script("the delay stands in the text", [failure(429, "Please try again in 6s."), whole()], "Hello.", waits=(6.0,)),
    Script("back-off doubles", [failure(503), failure(502), whole()], "Hello.", waits=(0.5, 1.0)),
    Script("504 is tried again", [failure(504), whole()], "Hello.", waits=(0.5,)),
    Script("529 is tried again", [failure(529), whole()], "Hello.", waits=(0.5,)),
    Script("408 and 409 are tried again", [failure(408), failure(409), whole()], "Hello.", waits=(0.5, 1.0)),
    Script("502 with an HTML page", [Answer(502, {"Content-Type": "text/html"}, (b"<html><title>Bad Gateway</title></html>",)), whole()], "Hello.", waits=(0.5,)),
    Script("the server asks for a retry of a 400", [failure(400, headers={"x-should-retry": "true"}), whole()], "Hello.", waits=(0.5,)),
    Script("no answer at all", [Answer(end="refused"), whole()], "Hello.", waits=(0.5,)),
    Script("a whole body that breaks off", [whole()._replace(end="cut"), whole()], "Hello.", waits=(0.5,)),
    Script("a 200 that is an error by its code", [Answer(200, {}, (b'{"error":{"code":502,"message":"upstream"}}',)), whole()], "Hello.", waits=(0.5,)),
    # What is not.
    Script("400 is fatal", [failure(400, "bad thing")], error="BadRequestError", words="bad thing"),
    Script("401 is fatal", [failure(401, "wrong key")], error="AuthenticationError", words="wrong key"),
    Script("403 is fatal", [failure(403)], error="PermissionDeniedError"),
    Script("404 is fatal", [failure(404)], error="NotFoundError"),
    Script("422 is fatal", [failure(422)], error="UnprocessableEntityError"),
    Script("quota is fatal though it is a 429", [failure(429, code="insufficient_quota")], error="QuotaExceededError"),
    Script("quota by type, with a tempting hint", [failure(429, type="insufficient_quota", headers={"retry-after": "1"})], error="QuotaExceededError"),
    Script("the server forbids the retry", [failure(500, headers={"x-should-retry": "false"})], error="InternalServerError"),
    Script("a day is too long to wait", [failure(429, headers={"Retry-After": "86400"})], error="RateLimitError", words="86400"),
    Script("a redirect is not followed", [Answer(307, {"Location": "http://127.0.0.1:9/elsewhere"})], error="APIStatusError", words="/elsewhere"),
    Script("JSON is not parsed before the status is looked at", [Answer(400, {"Content-Type": "text/html"}, (b"<html>no JSON here</html>",))], error="BadRequestError", words="no JSON here"),
    Script("a 200 of HTML", [Answer(200, {"Content-Type": "text/html"}, (b"<html><title>Portal</title></html>",))], error="InvalidResponseError", words="Portal"),
    # Bounds.
    Script("retries run out", [failure(500)] * 3, waits=(0.5, 1.0), error="InternalServerError", words="3 attempts"),
    Script("no retries wanted", [failure(500)], options={"max_retries": 0}, error="InternalServerError"),
    Script("five retries wanted", [failure(500)] * 5 + [whole()], "Hello.", options={"max_retries": 5}, waits=(0.5, 1.0, 2.0, 4.0, 8.0)),
    Script("the deadline leaves no time for the wait", [failure(429, headers={"Retry-After": "50"})], options={"deadline": 20}, error="RateLimitError", words="deadline of 20 s"),
    # Streams.
    Script("an empty stream is asked for again", [stream(), GOOD], "Hello.", "stream", waits=(0.5,)),
    Script("a stream of [DONE] alone is asked for again", [stream("[DONE]"), GOOD], "Hello.", "stream", waits=(0.5,)),
    Script("an error event before any text is asked for again", [stream({"error": {"code": 503, "message": "busy"}}), GOOD], "Hello.", "stream", waits=(0.5,)),
    Script("a break before any text is asked for again", [stream(delta(), end="cut"), GOOD], "Hello.", "stream", waits=(0.5,)),
    Script("a stream cut short is no success", [stream(delta("Once upon"))], "Once upon", "stream", error="StreamInterrupted", words="cut off"),
    Script("a break after text is not repaired silently", [stream(delta("Once upon"), end="cut")], "Once upon", "stream", error="StreamInterrupted", words="broke after 9 characters"),
    Script("an error event after text", [stream(delta("Once"), {"error": {"code": 429, "message": "slow down"}})], "Once", "stream", error="RateLimitError", words="slow down"),
    Script("a fatal error event before text", [stream({"error": {"code": 400, "message": "bad"}})], "", "stream", error="BadRequestError"),
    Script("a break after the finish is no loss", [stream(delta("Hello."), delta(finish="stop"), end="cut")], "Hello.", "stream"),
    Script("silence after the finish is the end", [stream(delta("Hello."), delta(finish="stop"), end="silence")], "Hello.", "stream"),
    Script("silence in the middle", [stream(delta("Hel"), end="silence")], "Hel", "stream", options={"timeout": (5, 0.05)}, error="APITimeoutError", words="0.05 s"),
    Script("silence past the deadline", [stream(delta("Hel"), end="silence")], "Hel", "stream", options={"deadline": 0.25}, error="DeadlineExceeded", words="deadline of 0.25 s"),
    Script("usage chunk with choices []", [GOOD], "Hello.", "stream"),
    Script("stream_options refused, asked again without", [failure(400, "Unrecognized request argument supplied: stream_options", param="stream_options"), GOOD], "Hello.", "stream"),
    Script("stream_options refused does not cost a retry", [failure(422, "stream_options: Extra inputs are not permitted"), failure(500), GOOD], "Hello.", "stream", options={"max_retries": 1}, waits=(0.5,)),
]  # fmt: skip
