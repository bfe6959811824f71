"""The bytes that the stub server sends, made once, in the form and at the length of the real ones. Pure.

    data: {"id":"chatcmpl-...","object":"chat.completion.chunk",...,"delta":{"content":" word"},...}

Both framings carry the same body: with HTTP chunks (one per event, as servers write them) or up to the close.
"""

from __future__ import annotations

import json
import random
import string
import zlib
from typing import Any, Dict, List, Optional, Tuple

from .rows import CHUNKS, STREAMS_IN_TURN

ID, MODEL, CREATED = "chatcmpl-BqLDpGUdWbVPk2rIq3nZ1yHbQ0uXs", "gpt-4o-mini-2024-07-18", 1751234567
USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
ANSWER_TEXT = "Gradient descent walks downhill on a function, step by step, until no step leads lower."
# Pieces as a tokenizer cuts them: most are a word with its blank, some have to be escaped in JSON.
TOKENS = (
    *(" the", " gradient", " of", " a", " function", " points", " uphill", ",", " so", " each", " step", " goes"),
    *(
        " against",
        " it",
        ".",
        "\n\n",
        " Its",
        " length",
        " is",
        ' the "',
        "learning",
        ' rate"',
        " (",
        "η",
        ").",
        " Too",
    ),
    *(" large", " a", " step", " over", "sho", "ots", ";", " too", " small", " one", " takes", " for", " ever", ".\n"),
)
HEADERS = (
    "Date: Mon, 30 Jun 2025 10:00:00 GMT",
    "Connection: {connection}",
    "access-control-expose-headers: X-Request-ID",
    "openai-organization: example",
    "openai-processing-ms: 412",
    "openai-version: 2020-10-01",
    "x-ratelimit-limit-requests: 10000",
    "x-ratelimit-limit-tokens: 2000000",
    "x-ratelimit-remaining-requests: 9999",
    "x-ratelimit-remaining-tokens: 1999982",
    "x-ratelimit-reset-requests: 6ms",
    "x-ratelimit-reset-tokens: 0s",
    "x-request-id: req_7f1f2b8b0cf14c0d8e1ae0c1c6d8a2be",
    "strict-transport-security: max-age=31536000; includeSubDomains; preload",
    "Server: stub",
)


def head(content_type: str, framing: str, *, connection: str = "keep-alive") -> bytes:
    """`framing` is the header that says how the body ends, or "" for: with the connection."""
    lines = ["HTTP/1.1 200 OK", *HEADERS, f"Content-Type: {content_type}", *([framing] if framing else []), "", ""]
    return "\r\n".join(lines).format(connection=connection).encode()


def whole() -> bytes:
    """The answer to a call that does not stream: head and body."""
    message: Dict[str, Any] = {"role": "assistant", "content": ANSWER_TEXT, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    document = {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": [choice],
        "usage": USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_34a54ae93c",
    }
    body = json.dumps(document, indent=2).encode()
    return head("application/json", f"Content-Length: {len(body)}") + body


def chunk(choices: List[Dict[str, Any]], usage: Optional[Dict[str, Any]] = None) -> bytes:
    document = {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_34a54ae93c",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def choice(delta: Dict[str, Any], finish_reason: Optional[str] = None) -> List[Dict[str, Any]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]


def opening() -> bytes:
    return chunk(choice({"role": "assistant", "content": "", "refusal": None}))


def closing() -> List[bytes]:
    return [chunk(choice({}, "stop")), chunk([], USAGE), b"data: [DONE]\n\n"]


def texts(count: int) -> List[str]:
    """The pieces of a stream of `count` chunks."""
    return [TOKENS[number * 7 % len(TOKENS)] for number in range(count)]


def events(count: int) -> List[bytes]:
    return [opening(), *(chunk(choice({"content": text})) for text in texts(count)), *closing()]


def obfuscated(parts: List[bytes]) -> List[bytes]:
    """The same events, each with a padding of its own, as OpenAI's servers send them."""
    dice = random.Random(5)
    letters = string.ascii_letters + string.digits
    padding = ("".join(dice.choices(letters, k=dice.randint(2, 14))).encode() for _ in parts)
    return [
        part.replace(b"}\n\n", b',"obfuscation":"%b"}\n\n' % pad) if part.endswith(b"}\n\n") else part
        for part, pad in zip(parts, padding)
    ]


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_HTTP_CHUNK = b"0\r\n\r\n"
CHUNKED_HEAD = head("text/event-stream; charset=utf-8", "Transfer-Encoding: chunked")
CLOSING_HEAD = head("text/event-stream; charset=utf-8", "", connection="close")


def framed(parts: List[bytes], *, chunked: bool) -> List[bytes]:
    """The parts of a body as they go out; the head first."""
    if not chunked:
        return [CLOSING_HEAD, *parts]
    return [CHUNKED_HEAD, *map(http_chunk, parts), LAST_HTTP_CHUNK]


def fingerprint(text: str) -> Tuple[int, int]:
    """Characters and checksum: what a way must have read for its figure to count."""
    return len(text), zlib.crc32(text.encode())


def expected(variant: str) -> str:
    """The text that must have been read of an answer; "" for paced ones, which carry the time of sending."""
    lengths = {"chunked": CHUNKS, "to the close": CHUNKS, "obfuscated": CHUNKS, "short": STREAMS_IN_TURN}
    return ANSWER_TEXT if variant == "whole" else "".join(texts(lengths.get(variant, 0)))
