"""The status-code classifier: what happened, and is it worth another attempt?

    < HTTP/1.1 429 Too Many Requests
    < {"error": {"message": "Slow down", "type": "tokens", "code": "rate_limit_exceeded"}}
    Verdict(429, "rate_limit", retry=True, message="429 Too Many Requests: Slow down", ...)

`status_dialects` knows rarer statuses and codes, `hints` the words. Pure.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple, Type, Union

from . import errors
from .problem import Said, find_error, parse_body, read_error
from .redact import short
from .wire import Headers


class Verdict(NamedTuple):
    """What an answer means."""

    status: int
    kind: str  # as in STATUSES; or "stream_error", of an error inside a 200
    retry: bool  # whether the same request may well succeed
    message: str  # one line, without any key
    code: Optional[str]  # it and the next three as in an APIError
    type: Optional[str]
    param: Optional[str]
    body: Any
    why: str  # for a trace: "429 rate limit", "401 bad key: fatal"
    hint: str = ""  # the cure, where the mistake is a known one

    def __repr__(self) -> str:  # without the body: servers quote keys
        try:
            from .hints import facts_of
        except ImportError:
            return f"Verdict({self.status}, {self.kind!r})"
        return f"Verdict({facts_of(self)})"


class Status(NamedTuple):
    phrase: str
    kind: str
    error: Type[errors.APIError] = errors.InternalServerError


# With the classes of openai-python; 402 and 413 have a better one than there.
STATUSES: Dict[int, Status] = {
    200: Status("OK", "ok", errors.APIError),
    400: Status("Bad Request", "bad_request", errors.BadRequestError),
    401: Status("Unauthorized", "auth", errors.AuthenticationError),
    402: Status("Payment Required", "quota", errors.QuotaExceededError),
    403: Status("Forbidden", "permission", errors.PermissionDeniedError),
    404: Status("Not Found", "not_found", errors.NotFoundError),
    408: Status("Request Timeout", "timeout", errors.APIStatusError),
    409: Status("Conflict", "conflict", errors.ConflictError),
    413: Status("Content Too Large", "bad_request", errors.BadRequestError),
    422: Status("Unprocessable Content", "unprocessable", errors.UnprocessableEntityError),
    429: Status("Too Many Requests", "rate_limit", errors.RateLimitError),
    500: Status("Internal Server Error", "server"),
    502: Status("Bad Gateway", "server"),
    503: Status("Service Unavailable", "overloaded"),
    504: Status("Gateway Timeout", "timeout"),
}
# 1xx, 2xx ...; what is above 599 is the server's fault, too.
_HUNDREDS = (
    Status("Not a Final Status", "invalid_response", errors.InvalidResponseError),
    Status("Success", "ok", errors.APIError),
    Status("Redirection", "redirect", errors.APIStatusError),
    Status("Client Error", "bad_request", errors.APIStatusError),
    Status("Server Error", "server"),
)
# By code or type, never by the message: Gemini says "quota" of its limit per minute, too.
_OUT_OF_MONEY = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"))
_WORTH_A_RETRY = ("conflict", "rate_limit", "server", "overloaded", "timeout", "stream_error")


def row_of(status: int) -> Status:
    """Of any number; what has no row of its own goes by its hundred."""
    hundred = max(1, min((status or 300) // 100, 5))  # 0: a redirect, as a page's `fetch` sees any
    row = STATUSES.get(status) or _HUNDREDS[hundred - 1]
    try:
        from .status_dialects import RARE_STATUSES
    except ImportError:
        return row
    return Status(*RARE_STATUSES.get(status, row[:2]), row.error)


def classify(
    status: int, headers: Mapping[str, str], body: Union[bytes, str], *, url: str = "", secrets: Iterable[str] = ()
) -> Verdict:
    """The verdict on an answer, of which only a failure's body is read, as the API reference ("Error codes") has it.

    `url` makes hints sharper; `secrets` are kept out of the message. Raises nothing.
    """
    phrase, kind, _ = row_of(status)
    message = f"{status} {phrase}"
    if kind == "ok":
        return Verdict(status, kind, False, message, None, None, None, None, f"{status} ok")
    document = parse_body(body)
    error = find_error(document)
    error = document if error is None else error
    said = read_error(error, document)
    head = Headers(headers)
    wish = head.get("x-should-retry", "").strip().lower()
    if kind == "redirect":
        wish, target = "", head.get("location", "").strip()
        said = Said(target and f"redirects to {target}, and is not followed")
    return _verdict(status, status, kind, message, said, error, secrets, wish, url)


def classify_error(error: Any, *, whole: Any = None, secrets: Iterable[str] = ()) -> Verdict:
    """The verdict on an error inside a 200: what `find_error` gave in `whole`, or the text of an `event: error`."""
    if isinstance(error, str):
        error = parse_body(error)
        inner = find_error(error)
        if inner is not None:
            error, whole = inner, error
    said = read_error(error, whole)
    number, kind = _inside(error, said)
    label = f"{number} {row_of(number).phrase}" if number else said.code or said.type
    message = "200 OK with an error inside" + (f" ({short(label, secrets, 60)})" if label else "")
    return _verdict(200, number, kind, message, said, error, secrets)


def _inside(error: Any, said: Said) -> Tuple[int, str]:
    """The HTTP status that an error's code names, or 0, and its kind."""
    number = int(said.code) if said.code and said.code in map(str, range(400, 600)) else 0
    try:
        from .inside import look_inside
    except ImportError:  # OpenAI's own word; else it is worth another attempt
        kind = "bad_request" if said.type == "invalid_request_error" else "stream_error"
        return number, row_of(number).kind if number else kind
    number, kind = look_inside(error, said, number)
    return number, kind or row_of(number).kind


def _verdict(
    status: int,
    meant: int,  # the status that an error inside a 200 names, or 0
    kind: str,
    message: str,
    said: Said,
    error: Any,
    secrets: Iterable[str],
    wish: str = "",
    url: str = "",
) -> Verdict:
    said = said._replace(message=short(said.message, secrets))
    if _OUT_OF_MONEY & {said.code, said.type}:
        kind = "quota"
    final = ""
    with suppress(ImportError):
        from .status_dialects import second_opinion

        kind, final = second_opinion(status, kind, said, error)
    # The server's wish comes first, as in openai-python.
    retry = {"true": True, "false": False}.get(wish, kind in _WORTH_A_RETRY and not final)
    try:
        from .hints import explained
    except ImportError:
        message += said.message and f": {said.message}"
        return Verdict(status, kind, retry, message, *said[1:], error, f"{status} {kind}")
    message, why, hint = explained(message, said, status, meant, kind, retry, wish, final, url)
    return Verdict(status, kind, retry, message, *said[1:], error, why, hint)


def error_from(verdict: Verdict, *, headers: Optional[Mapping[str, str]] = None, **facts: Any) -> errors.APIError:
    """The exception for a verdict, not raised yet, with more `facts` of an APIError. ValueError for an "ok"."""
    if verdict.kind == "ok":
        raise ValueError(f"no error to make: {verdict.message}")
    facts.update((name, getattr(verdict, name)) for name in ("status", "code", "type", "param", "body", "hint"))
    if headers is not None:
        facts.update(headers=headers, request_id=request_id_from(headers))
    if verdict.status == 200 or verdict.kind == "quota":
        kind = {row.kind: row.error for row in STATUSES.values()}.get(verdict.kind, errors.APIError)
    else:
        kind = row_of(verdict.status).error
    return kind(verdict.message, retryable=verdict.retry, **facts)


def tell_head(error: errors.APIError, status: int, headers: Mapping[str, str]) -> None:
    """Give an error that broke off an answer what the head of that answer said."""
    for name, value in (("status", status), ("headers", headers), ("request_id", request_id_from(headers))):
        if getattr(error, name) is None:
            setattr(error, name, value)


def request_id_from(headers: Mapping[str, str]) -> Optional[str]:
    """The name under which the server's support desk finds the request."""
    head = headers if isinstance(headers, Headers) else Headers(headers)
    for name in _id_headers():
        value = head.get(name, "").strip()
        if value:
            return value
    return None


@cache  # an import costs as much as reading an answer
def _id_headers() -> Tuple[str, ...]:
    try:
        from .status_dialects import REQUEST_ID_HEADERS
    except ImportError:
        return ("x-request-id",)
    return REQUEST_ID_HEADERS
