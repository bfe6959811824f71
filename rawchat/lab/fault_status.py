"""Answers that stand in for the real one: error statuses with error objects, in the shapes that servers have for them.

    status_row(429)   ->   the row "429", its error object, Retry-After: 1, and the options that change them

The rest of the table of faults stands in fault_table.py. Data and small functions; pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from .framing import reason_of

Option = Callable[[str], Dict[str, Any]]


class Row(NamedTuple):
    """One fault. `says` is a sentence for people; `at` the N where none is given, None if it takes none."""

    name: str
    says: str
    knobs: Mapping[str, Any]
    at: Optional[int] = None
    options: Mapping[str, Option] = {}
    only: str = ""  # "stream": changes nothing about a whole reply


class Wait(NamedTuple):
    """How long the server asked to wait, and where it said so. `in_text`: words to add to the error message."""

    seconds: Optional[float] = None
    said_in: str = ""
    in_text: str = ""


class Instead(NamedTuple):
    """An answer sent in place of the real one: an error object in one of ERROR_SHAPES, or a body as it stands."""

    status: int
    error: Optional[Mapping[str, Any]] = None
    shape: str = ""
    body: Optional[bytes] = None
    content_type: str = "application/json"


# status -> type, code, message of the error object.
STATUSES: Mapping[int, Tuple[str, Optional[str], str]] = {
    400: ("invalid_request_error", None, "The practice server finds fault with this request, as it was asked to."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("billing_error", "payment_required", "The account has no credit left. Add some before the next request."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported.",
    ),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    408: ("server_error", "request_timeout", "The request was not received in time."),
    409: ("conflict_error", "conflict", "Another request is at work on the same thing."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    422: ("invalid_request_error", "unprocessable_entity", "The request is well formed, but it makes no sense."),
    425: ("server_error", "too_early", "The request came in TLS early data."),
    429: (
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for requests per minute (RPM): Limit 3, Used 3, Requested 1.",
    ),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", "bad_gateway", "The gateway got no proper answer from the model server."),
    503: ("server_error", "overloaded", "The engine is currently overloaded, please try again later."),
    504: ("server_error", "gateway_timeout", "The model server did not answer the gateway in time."),
    524: ("server_error", "timeout", "The origin did not answer in time."),
    529: ("overloaded_error", "overloaded", "Overloaded."),
}


def html(status: int) -> bytes:
    title = f"{status} {reason_of(status)}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>practice</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


def _json(value: Any) -> Tuple[bytes, str]:
    return json.dumps(value, indent=2).encode(), "application/json"


# The shapes in which servers wrap an error: name -> (status, error object) -> body, content type.
ERROR_SHAPES: Mapping[str, Callable[[int, Dict[str, Any]], Tuple[bytes, str]]] = {
    "": lambda status, error: _json({"error": error}),
    "string": lambda status, error: _json({"error": error["message"]}),  # xAI, Ollama, vLLM's key check
    "flat": lambda status, error: _json({"object": "error", **error, "code": status}),  # vLLM up to 0.9
    "list": lambda status, error: _json([{"error": {**error, "code": status}}]),  # Gemini's OpenAI endpoint
    "detail": lambda status, error: _json({"detail": error["message"]}),  # FastAPI
    "details": lambda status, error: _json(
        {"detail": [{"loc": ["body", "messages"], "msg": error["message"], "type": "value_error"}]}
    ),
    "errors": lambda status, error: _json(
        {"success": False, "errors": [{"code": 7505, "message": error["message"]}]}
    ),  # Cloudflare
    "message": lambda status, error: _json({"message": error["message"]}),  # Mistral, AWS
    "code-text": lambda status, error: _json(
        {"error": {**error, "code": str(status), "param": "None", "type": "None"}}
    ),  # LiteLLM
    "text": lambda status, error: (b"upstream connect error or disconnect/reset before headers", "text/plain"),  # Envoy
    "html": lambda status, error: (html(status), "text/html"),  # nginx
    "empty": lambda status, error: (b"", ""),  # load balancers
    "null": lambda status, error: _json(None),
    "quoted": lambda status, error: _json(error["message"]),
    "latin1": lambda status, error: (b'{"error":{"message":"Le mod\xe8le est surcharg\xe9"}}', "application/json"),
}


def _shape(value: str) -> Dict[str, Any]:
    ERROR_SHAPES[value]  # an unknown one is a KeyError, which the parser turns into a message
    return {"instead": {"shape": value}}


def _seconds(text: str) -> Optional[float]:
    """The number in a Retry-After, None where it is none that a client could wait for."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value >= 0 else None


def _go_seconds(text: str) -> float:
    """Seconds in a Go duration: "6m0s" is 360.0, "120ms" 0.12."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    found = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    if not found:
        raise ValueError("a Go duration looks like 6m0s or 120ms")
    return sum(float(number) * units[unit] for number, unit in found)


STATUS_OPTIONS: Mapping[str, Option] = {
    "retry-after": lambda v: {
        "headers": (("retry-after", None if v == "none" else v),),
        "wait": Wait(_seconds(v), "Retry-After"),
    },
    "retry-after-ms": lambda v: {
        "headers": (("retry-after", None), ("retry-after-ms", v)),
        "wait": Wait(float(v) / 1000, "retry-after-ms"),
    },
    "retry-after-date": lambda v: {
        "headers": (("retry-after", f"{{date+{float(v):g}}}"),),
        # An HTTP date has whole seconds: what is left of the first one may be next to nothing.
        "wait": Wait(max(0.0, float(v) - 1), "Retry-After"),
    },
    "retry-after-text": lambda v: {
        "headers": (("retry-after", None),),
        "wait": Wait(float(v), "the message", f"Please try again in {v}s."),
    },
    "reset": lambda v: {
        "headers": (("retry-after", None), ("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", v)),
        "wait": Wait(_go_seconds(v), "x-ratelimit-reset-requests"),
    },
    "should-retry": lambda v: {"headers": (("x-should-retry", v),)},
    "body": _shape,
}


def status_row(status: int) -> Row:
    """The row of a status, with words of its own where STATUSES has them. 429 asks to wait one second, as OpenAI's."""
    kind, code, message = STATUSES.get(
        status, ("server_error" if status >= 500 else "invalid_request_error", None, reason_of(status) + ".")
    )
    knobs: Dict[str, Any] = {
        "instead": Instead(status, {"message": message, "type": kind, "param": None, "code": code})
    }
    if status == 429:
        knobs.update(STATUS_OPTIONS["retry-after"]("1"))
    return Row(str(status), f"{status} {reason_of(status)}: {message}", knobs, None, STATUS_OPTIONS)


def like(status: int, name: str, says: str, **options: str) -> Row:
    """A status row under a name of its own, with some options taken."""
    row = status_row(status)
    knobs = dict(row.knobs)
    for option, value in options.items():
        turn(knobs, STATUS_OPTIONS[option.replace("_", "-")](value))
    return Row(name, says, knobs, None, STATUS_OPTIONS)


def turn(knobs: Dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Set knobs over others: headers one by one, the later over the earlier; the answer in part; the rest whole."""
    for name, setting in settings.items():
        if name == "headers":
            knobs[name] = knobs.get(name, ()) + setting
        elif name == "instead":
            knobs[name] = knobs[name]._replace(**setting)
        else:
            knobs[name] = setting


def quota_row() -> Row:
    error = {
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
    }
    says = "429 with the code insufficient_quota: no wait cures it."
    return Row("quota", says, {"instead": Instead(429, error)}, None, STATUS_OPTIONS)
