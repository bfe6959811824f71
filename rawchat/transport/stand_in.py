"""Responses that never were on a wire: made by hand or by a mock, as in the tests of those who call us.

    Mock(status_code=200, json=lambda: {"choices": [...]})       content is what json() gives, as bytes
    class Fake: status_code = 200; text = "data: {...}"          content is the text

Of what `requests.Response` has, such a one needs `status_code` and one of `content`, `text`, `json()`, `iter_lines()`.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Iterable, Mapping


class StandIn:
    """As much of a `requests.Response` as reading one takes."""

    _content_consumed = True

    def __init__(self, answer: Any) -> None:
        headers = getattr(answer, "headers", None)
        self.headers = headers if isinstance(headers, Mapping) else {}
        self.status_code = int(answer.status_code)
        self.reason = _text_of(answer, "reason")
        self.url = _text_of(answer, "url")
        self.content = _content_of(answer)
        self.raw = self  # where the headers are looked for
        self.close: Callable[[], None] = getattr(answer, "close", _nothing_to_close)


def real_or_stand_in(answer: Any) -> Any:
    """`answer` itself where it has a body on its way, else a stand-in that holds what it offers."""
    real = isinstance(getattr(answer, "_content_consumed", None), bool) and getattr(answer, "raw", None) is not None
    return answer if real else StandIn(answer)


def _text_of(answer: Any, name: str) -> str:
    value = getattr(answer, name, None)
    return value if isinstance(value, str) else ""


def _content_of(answer: Any) -> bytes:
    for name in ("content", "text"):
        value = getattr(answer, name, None)
        if isinstance(value, (bytes, str)) and value:
            return value if isinstance(value, bytes) else value.encode("utf-8")
    document = answer.json() if callable(getattr(answer, "json", None)) else None
    if isinstance(document, (dict, list)):
        return json.dumps(document).encode("utf-8")
    lines = answer.iter_lines() if callable(getattr(answer, "iter_lines", None)) else ()
    # Hand-made lines seldom have the blank ones between them; one too many does no harm.
    return b"".join(_as_bytes(line) + b"\n\n" for line in (lines if isinstance(lines, Iterable) else ()))


def _as_bytes(line: Any) -> bytes:
    return line if isinstance(line, bytes) else str(line).encode("utf-8")


def _nothing_to_close() -> None:
    """For what has no `close`."""
