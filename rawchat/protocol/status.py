"""The status-code classifier: what happened, and is it worth another attempt?

    < HTTP/1.1 429 Too Many Requests
    < {"error": {"message": "Slow down", "type": "tokens", "code": "rate_limit_exceeded"}}
    Verdict(429, "rate_limit", retry=True, message="429 Too Many Requests: Slow down", ...)

A new status or code is a row, here or in `status_dialects`. Pure.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Callable, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple, Type, Union

from . import errors
from .problem import Said, find_error, parse_body, read_error
from .redact import short
from .wire import Headers


class Verdict(NamedTuple):
    status: int
    kind: str  # one of KINDS
    retry: bool  # whether the same request may well succeed
    message: str  # one line, without any key
    code: Optional[str]  # it and the next three as in an APIError
    type: Optional[str]
    param: Optional[str]
    body: Any
    why: str  # for a trace: "429 rate limit", "401 bad key: fatal"
    hint: str = ""  # the cure, where the mistake is a known one

    def __repr__(self) -> str:  # without the body, and redacted: servers quote keys
        facts = f"{self.status}, {self.kind!r}, retry={self.retry}, message={self.message!r}, code={self.code!r}"
        return f"Verdict({short(facts, longest=600)})"


class Kind(NamedTuple):
    words: str
    error: Type[errors.APIError]
    status: int  # the plainest of this kind, and its phrase
    phrase: str = ""
    retry: bool = False


KINDS: Dict[str, Kind] = {
    "ok": Kind("ok", errors.APIError, 200, "OK"),
    "redirect": Kind("redirect", errors.APIStatusError, 302),
    "bad_request": Kind("bad request", errors.BadRequestError, 400, "Bad Request"),
    "auth": Kind("bad key", errors.AuthenticationError, 401, "Unauthorized"),
    "quota": Kind("quota exhausted", errors.QuotaExceededError, 402, "Payment Required"),
    "permission": Kind("not permitted", errors.PermissionDeniedError, 403, "Forbidden"),
    "not_found": Kind("not found", errors.NotFoundError, 404, "Not Found"),
    "conflict": Kind("conflict", errors.ConflictError, 409, "Conflict", retry=True),
    "unprocessable": Kind("invalid parameters", errors.UnprocessableEntityError, 422, "Unprocessable Content"),
    "rate_limit": Kind("rate limit", errors.RateLimitError, 429, "Too Many Requests", retry=True),
    "server": Kind("server error", errors.InternalServerError, 500, "Internal Server Error", retry=True),
    "overloaded": Kind("overloaded", errors.InternalServerError, 503, "Service Unavailable", retry=True),
    "timeout": Kind("timeout at the server", errors.InternalServerError, 504, "Gateway Timeout", retry=True),
    "invalid_response": Kind("no final answer", errors.InvalidResponseError, 0),
    "stream_error": Kind("error in the answer", errors.APIError, 0, retry=True),
}


class Status(NamedTuple):
    phrase: str
    kind: str


# The plainest of each kind, and what else says more than its hundred.
STATUSES: Dict[int, Status] = {
    **{kind.status: Status(kind.phrase, name) for name, kind in KINDS.items() if kind.phrase},
    0: Status("Redirect, Hidden by the Browser", "redirect"),  # as a page's `fetch` sees any
    408: Status("Request Timeout", "timeout"),
    413: Status("Content Too Large", "bad_request"),
    425: Status("Too Early", "server"),  # RFC 8470: the next attempt is not early
    502: Status("Bad Gateway", "server"),
}
# What is above 599 is the server's fault, too, as in the SDK.
_HUNDREDS = (
    Status("Not a Final Status", "invalid_response"),
    Status("Success", "ok"),
    Status("Redirection", "redirect"),
    Status("Client Error", "bad_request"),
    Status("Server Error", "server"),
)
# By code or type, never by the message: Gemini says "quota" of its limit per minute, too.
_OUT_OF_MONEY = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"))


@cache  # looking for an absent room takes as long as reading an answer
def _other_servers() -> Tuple[Mapping[int, Tuple[str, str]], Tuple[str, ...], Callable[..., Tuple[str, str]]]:
    """Rare statuses, headers that hold a request's id, and a second opinion on an error."""
    try:
        from .status_dialects import RARE_STATUSES, REQUEST_ID_HEADERS, second_opinion
    except ImportError:
        return {}, ("x-request-id",), lambda *_: ("", "")
    return RARE_STATUSES, REQUEST_ID_HEADERS, second_opinion


def row_of(status: int) -> Status:
    if status in STATUSES:
        return STATUSES[status]
    hundred = _HUNDREDS[max(1, min(status // 100, 5)) - 1]
    return Status(*_other_servers()[0].get(status, hundred))


def classify(
    status: int, headers: Mapping[str, str], body: Union[bytes, str], *, url: str = "", secrets: Iterable[str] = ()
) -> Verdict:
    """A 2xx is not read. `url` makes hints sharper; `secrets` are kept out of the message."""
    phrase, kind = row_of(status)
    message = f"{status} {phrase}"
    if kind == "ok":
        return Verdict(status, kind, False, message, None, None, None, None, f"{status} ok")
    head = Headers(headers)
    document = parse_body(body)
    error = find_error(document)
    if error is None:
        error = document
    said = read_error(error, document)
    if kind == "redirect":
        target = head.get("location", "").strip()
        where = f"redirects to {target}, and is not followed"
        said = Said(where if target else "a redirect that names no target; check base_url")
    words = short(said.message, secrets)
    if words and words.rstrip(".").lower() not in (message.lower(), phrase.lower(), f"error code: {status}"):
        message += f": {words}"
    wish = head.get("x-should-retry", "").strip().lower()
    said = said._replace(message=words)
    return _verdict(status, status, kind, said, error, message, f"{status} ", wish, url)


def classify_error(error: Any, *, whole: Any = None, secrets: Iterable[str] = ()) -> Verdict:
    """The verdict on an error inside a 200: what `find_error` gave in `whole`, or the text of an `event: error`."""
    if isinstance(error, str):
        error = parse_body(error)
        inner = find_error(error)
        if inner is not None:
            error, whole = inner, error
    said = read_error(error, whole)
    number, kind = _inside(error, said)
    words = short(said.message, secrets)
    message = "200 OK with an error inside"
    label = f"{number} {row_of(number).phrase}" if number else said.code or said.type
    if label:
        message += f" ({short(label, secrets, 60)})"
    if words:
        message += f": {words}"
    return _verdict(200, number, kind, said._replace(message=words), error, message, "200 with an error inside, ")


def _inside(error: Any, said: Said) -> Tuple[int, str]:
    """The HTTP status that an error's code names, or 0, and its kind."""
    code = said.code or ""
    number = int(code) if re.fullmatch(r"[45]\d\d", code) else 0
    try:
        from .inside import look_inside
    except ImportError:  # OpenAI's own word; else it is worth another attempt
        kind = "" if number else "bad_request" if said.type == "invalid_request_error" else "stream_error"
    else:
        number, kind = look_inside(error, said, number)
    return number, kind or row_of(number).kind


def _verdict(
    status: int, meant: int, kind: str, said: Said, error: Any, message: str, case: str, wish: str = "", url: str = ""
) -> Verdict:
    """`meant` is the status, or the one that an error inside a 200 names (0: none)."""
    names = {(said.code or "").lower(), (said.type or "").lower()}
    better, final = _other_servers()[2](status, names, error, said.message)
    kind = "quota" if names & _OUT_OF_MONEY else better or kind
    retry, why = KINDS[kind].retry, case + KINDS[kind].words
    if kind == "redirect":
        why += ": not followed"
    elif wish in ("true", "false"):  # comes first, as in openai-python
        retry = wish == "true"
        why += f": the server {'asks for' if retry else 'forbids'} a retry (x-should-retry)"
    elif final or not retry:
        retry, why = False, f"{why}: fatal" + (f", {final}" if final else "")
    try:
        from .hints import hint_for
    except ImportError:
        hint = ""
    else:
        hint = hint_for(status if status != 200 else meant or KINDS[kind].status, *said[1:], said.message, url)
    return Verdict(status, kind, retry, message, *said[1:], error, why, hint)


def error_from(verdict: Verdict, *, headers: Optional[Mapping[str, str]] = None, **facts: Any) -> errors.APIError:
    """The exception for a verdict, not raised yet, with more `facts` of an APIError. ValueError for an "ok"."""
    if verdict.kind == "ok":
        raise ValueError(f"no error to make: {verdict.message}")
    facts.update((name, getattr(verdict, name)) for name in ("status", "code", "type", "param", "body", "hint"))
    if headers is not None:
        facts.update(headers=headers, request_id=request_id_from(headers))
    return _error_class(verdict)(verdict.message, retryable=verdict.retry, **facts)


def _error_class(verdict: Verdict) -> Type[errors.APIError]:
    """As in openai-python; 413 and 402 have a better one than there."""
    status, kind = verdict.status, verdict.kind
    if status != 200 and kind != "quota":
        kind = row_of(status).kind
        if 400 <= status < 500 and status not in (413, KINDS[kind].status):
            return errors.APIStatusError
    return KINDS[kind].error


def tell_head(error: errors.APIError, status: int, headers: Mapping[str, str]) -> None:
    """Give an error that broke off an answer what the head of that answer said."""
    if error.status is None:
        error.status = status
    if error.headers is None:
        error.headers = headers
    error.request_id = error.request_id or request_id_from(headers)


def request_id_from(headers: Mapping[str, str]) -> Optional[str]:
    head = headers if isinstance(headers, Headers) else Headers(headers)
    for name in _other_servers()[1]:
        value = head.get(name, "").strip()
        if value:
            return value
    return None
