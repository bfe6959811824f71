"""The status-code classifier: (status, headers, body) -> Verdict. What happened, and is it worth another attempt?

    < HTTP/1.1 429 Too Many Requests
    < {"error": {"message": "Slow down", "type": "tokens", "code": "rate_limit_exceeded"}}
    Verdict(429, "rate_limit", retry=True, message="429 Too Many Requests: Slow down", code="rate_limit_exceeded", ...)

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
    """What an answer means. `code`, `type`, `param` and `body` are those of an APIError."""

    status: int
    kind: str  # one of KINDS
    retry: bool  # whether the same request may well succeed
    message: str  # one line for people, without any key
    code: Optional[str]
    type: Optional[str]
    param: Optional[str]
    body: Any
    why: str  # for a trace: "429 rate limit", "401 bad key: fatal"
    hint: str = ""  # the cure, where the mistake is a known one

    def __repr__(self) -> str:  # without the body, and redacted: servers quote requests and keys
        facts = f"{self.status}, {self.kind!r}, retry={self.retry}, message={self.message!r}, code={self.code!r}"
        return f"Verdict({short(facts, longest=600)})"


class Kind(NamedTuple):
    words: str
    retry: bool
    error: Type[errors.APIError]
    status: int  # the plainest of this kind, and its phrase
    phrase: str = ""


KINDS: Dict[str, Kind] = {
    "ok": Kind("ok", False, errors.APIError, 200, "OK"),
    "redirect": Kind("redirect", False, errors.APIStatusError, 302),
    "bad_request": Kind("bad request", False, errors.BadRequestError, 400, "Bad Request"),
    "auth": Kind("bad key", False, errors.AuthenticationError, 401, "Unauthorized"),
    "quota": Kind("quota exhausted", False, errors.QuotaExceededError, 402, "Payment Required"),
    "permission": Kind("not permitted", False, errors.PermissionDeniedError, 403, "Forbidden"),
    "not_found": Kind("not found", False, errors.NotFoundError, 404, "Not Found"),
    "conflict": Kind("conflict", True, errors.ConflictError, 409, "Conflict"),
    "unprocessable": Kind("invalid parameters", False, errors.UnprocessableEntityError, 422, "Unprocessable Content"),
    "rate_limit": Kind("rate limit", True, errors.RateLimitError, 429, "Too Many Requests"),
    "server": Kind("server error", True, errors.InternalServerError, 500, "Internal Server Error"),
    "overloaded": Kind("overloaded", True, errors.InternalServerError, 503, "Service Unavailable"),
    "timeout": Kind("timeout at the server", True, errors.InternalServerError, 504, "Gateway Timeout"),
    "invalid_response": Kind("no final answer", False, errors.InvalidResponseError, 0),
    "stream_error": Kind("error in the answer", True, errors.APIError, 0),
}


class Status(NamedTuple):
    phrase: str
    kind: str


# The plainest of each kind, and what else says more than its hundred.
STATUSES: Dict[int, Status] = {
    **{kind.status: Status(kind.phrase, name) for name, kind in KINDS.items() if kind.phrase},
    0: Status("Redirect, Hidden by the Browser", "redirect"),  # what a page's `fetch` sees of any redirect
    408: Status("Request Timeout", "timeout"),
    413: Status("Content Too Large", "bad_request"),
    425: Status("Too Early", "server"),  # CDNs with TLS early data: the next attempt is not early
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


@cache  # looking for a room that is not there takes as long as reading an answer
def _other_servers() -> Tuple[Mapping[int, Tuple[str, str]], Tuple[str, ...], Callable[..., Tuple[str, str]]]:
    """Rare statuses, other headers for a request's id, and a second opinion on an error."""
    try:
        from .status_dialects import RARE_STATUSES, REQUEST_ID_HEADERS, second_opinion
    except ImportError:
        return {}, (), lambda *_: ("", "")
    return RARE_STATUSES, REQUEST_ID_HEADERS, second_opinion


def row_of(status: int) -> Status:
    if status in STATUSES:
        return STATUSES[status]
    hundred = _HUNDREDS[max(1, min(status // 100, 5)) - 1]
    return Status(*_other_servers()[0].get(status, hundred))


def kind_words(status: int) -> str:
    """ "rate limit" for 429."""
    return KINDS[row_of(status).kind].words


def classify(
    status: int, headers: Mapping[str, str], body: Union[bytes, str], *, url: str = "", secrets: Iterable[str] = ()
) -> Verdict:
    """The verdict on an answer, a 2xx unread. `url` makes hints sharper; `secrets` are kept out of the message."""
    phrase, kind = row_of(status)
    message = f"{status} {phrase}"
    if kind == "ok":
        return Verdict(status, kind, False, message, None, None, None, None, f"{status} ok")
    head = Headers(headers)
    document = parse_body(body)
    error = find_error(document)
    if error is None:
        error = document
    said = Said(_redirect_words(head)) if kind == "redirect" else read_error(error, document)
    words = short(said.message, secrets)
    if words and words.rstrip(".").lower() not in (message.lower(), phrase.lower(), f"error code: {status}"):
        message += f": {words}"
    wish = head.get("x-should-retry", "").strip().lower()
    return _verdict(status, status, kind, said, error, words, message, f"{status} ", wish, url)


def classify_error(error: Any, *, whole: Any = None, secrets: Iterable[str] = ()) -> Verdict:
    """The verdict on an error inside a 200: what `find_error` gave, or the text of an `event: error`.

    `whole` is the document around it. A code that is an HTTP status counts as one. What says nothing at all is a
    "stream_error", worth another attempt.
    """
    if isinstance(error, str):
        error = parse_body(error)
        inner = find_error(error)
        if inner is not None:
            error, whole = inner, error
    said = read_error(error, whole)
    words = short(said.message, secrets)
    number, kind = _inside(error, said)
    message = "200 OK with an error inside"
    label = f"{number} {row_of(number).phrase}" if number else said.code or said.type
    if label:
        message += f" ({short(label, secrets, 60)})"
    if words:
        message += f": {words}"
    return _verdict(200, number, kind, said, error, words, message, "200 with an error inside, ")


def _inside(error: Any, said: Said) -> Tuple[int, str]:
    """The HTTP status that an error inside a 200 names, or 0, and its kind."""
    code = said.code or ""
    number = int(code) if re.fullmatch(r"[45]\d\d", code) else 0
    try:
        from .inside import look_inside
    except ImportError:  # a copy without it knows OpenAI's own word, and else tries again
        kind = "" if number else "bad_request" if said.type == "invalid_request_error" else "stream_error"
    else:
        number, kind = look_inside(error, said, number)
    return number, kind or row_of(number).kind


def _verdict(
    status: int,
    meant: int,  # the status that an error inside a 200 names, or 0
    kind: str,
    said: Said,
    error: Any,
    words: str,
    message: str,
    case: str,
    wish: str = "",
    url: str = "",
) -> Verdict:
    """Code and type may know a better kind than the status. The server's wish comes first, as in openai-python."""
    names = {(said.code or "").lower(), (said.type or "").lower()}
    better, final = _other_servers()[2](status, names, error, words)
    kind = "quota" if names & _OUT_OF_MONEY else better or kind
    retry, why = KINDS[kind].retry, case + KINDS[kind].words
    if kind == "redirect":
        why += ": not followed"
    elif wish in ("true", "false"):
        retry = wish == "true"
        why += f": the server {'asks for' if retry else 'forbids'} a retry (x-should-retry)"
    elif final or not retry:
        retry, why = False, f"{why}: fatal" + (f", {final}" if final else "")
    try:
        from .hints import hint_for
    except ImportError:
        hint = ""
    else:
        hint = hint_for(status if status != 200 else meant or KINDS[kind].status, *said[1:], words, url)
    return Verdict(status, kind, retry, message, *said[1:], error, why, hint)


def _redirect_words(head: Headers) -> str:
    target = head.get("location", "").strip()
    if not target:
        return "a redirect that names no target; check base_url"
    return f"redirects to {target}, and is not followed"


def error_from(
    verdict: Verdict,
    *,
    headers: Optional[Mapping[str, str]] = None,
    attempts: int = 0,
    retry_after_s: Optional[float] = None,
    reply: Any = None,
) -> errors.APIError:
    """The exception for a verdict, not raised yet. ValueError for an "ok"."""
    if verdict.kind == "ok":
        raise ValueError(f"no error to make: {verdict.message}")
    names = ("status", "code", "type", "param", "body", "hint")
    return _error_class(verdict)(
        verdict.message,
        **{name: getattr(verdict, name) for name in names},
        retryable=verdict.retry,
        request_id=request_id_from(headers) if headers is not None else None,
        attempts=attempts,
        headers=headers,
        retry_after_s=retry_after_s,
        reply=reply,
    )


def _error_class(verdict: Verdict) -> Type[errors.APIError]:
    """As in openai-python (`_make_status_error`); 413 and 402 have a better one than there."""
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
    found = (head.get(name, "").strip() for name in ("x-request-id", *_other_servers()[1]))
    return next(filter(None, found), None)
