"""The status-code classifier: (status, headers, body) -> Verdict. What happened, and is it worth another attempt?

    < HTTP/1.1 429 Too Many Requests
    < {"error": {"message": "Rate limit reached for gpt-4o-mini ...", "type": "tokens", "code": "rate_limit_exceeded"}}

    Verdict(429, "rate_limit", retry=True, message="429 Too Many Requests: Rate limit reached for gpt-4o-mini ...", ...)

A new status, code or word is a new row, here or in `status_dialects`. The body of a success is for `answer` to judge,
how long to wait for `retry`. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Tuple, Type, Union

from . import errors
from .problem import Said, find_error, parse_body, read_error
from .redact import short
from .wire import Headers


class Verdict(NamedTuple):
    """What an answer means. `retry`: the same request may well succeed."""

    status: int
    kind: str  # one of KINDS
    retry: bool
    message: str  # one line for people, without any key
    code: Optional[str]
    type: Optional[str]
    param: Optional[str]
    body: Any  # of an APIError, as are the three before it
    why: str  # for a trace: "429 rate limit", "401 bad key: fatal"
    hint: str = ""  # the cure, where the mistake is a known one

    def __repr__(self) -> str:
        # Not the body, and keys redacted: servers quote requests and keys.
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


# The plainest of each kind, and what else says more than its hundred; rare ones stand in `status_dialects`.
STATUSES: Dict[int, Status] = {
    **{kind.status: Status(kind.phrase, name) for name, kind in KINDS.items() if kind.phrase},
    0: Status("Redirect, Hidden by the Browser", "redirect"),  # what a page's `fetch` sees of any redirect
    408: Status("Request Timeout", "timeout"),
    413: Status("Content Too Large", "bad_request"),
    425: Status("Too Early", "server"),  # CDNs with TLS early data: the next attempt is not early
    502: Status("Bad Gateway", "server"),
}
_HUNDREDS = {
    1: Status("Not a Final Status", "invalid_response"),
    2: Status("Success", "ok"),
    3: Status("Redirection", "redirect"),
    4: Status("Client Error", "bad_request"),
    5: Status("Server Error", "server"),
}
# By code or type, never by the message: Gemini says "exceeded your current quota" of its limit per minute, too.
_OUT_OF_MONEY = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"))


def classify(
    status: int, headers: Mapping[str, str], body: Union[bytes, str], *, url: str = "", secrets: Iterable[str] = ()
) -> Verdict:
    """The verdict on an answer. A 2xx is "ok" unread.

    `url`, the address asked, makes hints sharper; `secrets` are kept out of the message whatever their shape.
    """
    phrase, kind = _status(status)
    label = f"{status} {phrase}"
    if kind == "ok":
        return Verdict(status, kind, False, label, None, None, None, None, f"{status} ok")
    head = Headers(headers)
    document = parse_body(body)
    error = find_error(document)
    if error is None:
        error = document
    said = Said(_redirect_words(head)) if kind == "redirect" else read_error(error, document)
    words = short(said.message, secrets)
    other_kind, final = _second_opinion(status, said, error, words)
    kind = other_kind or kind
    wish = head.get("x-should-retry", "").strip().lower()
    retry, why = _retry(kind, f"{status} {KINDS[kind].words}", wish, final)
    if words and words.rstrip(".").lower() not in (label.lower(), phrase.lower(), f"error code: {status}"):
        label += f": {words}"
    return Verdict(status, kind, retry, label, *said[1:], error, why, _hint(status, said, words, url))


def classify_error(error: Any, *, whole: Any = None, secrets: Iterable[str] = ()) -> Verdict:
    """The verdict on an error inside a 200: what `find_error` gave, or the text of an `event: error`.

    `whole` is the document around it. A code that is an HTTP status counts as that status. What says nothing at all is
    a "stream_error", worth another attempt.
    """
    if isinstance(error, str):
        error = parse_body(error)
        inner = find_error(error)
        if inner is not None:
            error, whole = inner, error
    said = read_error(error, whole)
    words = short(said.message, secrets)
    number, kind = _inside(error, said)
    kind = _second_opinion(200, said, error, words)[0] or kind
    retry, why = _retry(kind, f"200 with an error inside, {KINDS[kind].words}", "", "")
    label = f"{number} {_status(number).phrase}" if number else said.code or said.type
    message = "200 OK with an error inside" + (f" ({short(label, secrets, 60)})" if label else "")
    if words:
        message += f": {words}"
    hint = _hint(number or KINDS[kind].status, said, words)
    return Verdict(200, kind, retry, message, *said[1:], error, why, hint)


def error_from(verdict: Verdict, *, headers: Optional[Mapping[str, str]] = None, **facts: Any) -> errors.APIError:
    """The exception for a verdict, not raised yet; `facts` are more of an APIError's. ValueError for an "ok"."""
    if verdict.kind == "ok":
        raise ValueError(f"no error to make: {verdict.message}")
    own = {name: getattr(verdict, name) for name in ("status", "code", "type", "param", "body", "hint")}
    request_id = request_id_from(headers) if headers is not None else None
    error = _error_class(verdict)(verdict.message, headers=headers, request_id=request_id, **own, **facts)
    error.retryable = verdict.retry
    return error


def _error_class(verdict: Verdict) -> Type[errors.APIError]:
    """As the SDK has them (openai-python _client.py, _make_status_error); 413 and 402 have a better one than there."""
    status, kind = verdict.status, verdict.kind
    if status != 200 and kind != "quota":
        kind = _status(status).kind
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
    """The name under which the server's support desk finds a request."""
    head = headers if isinstance(headers, Headers) else Headers(headers)
    found = head.get("x-request-id", "").strip()
    if found:
        return found
    try:
        from .status_dialects import other_request_id
    except ImportError:
        return None
    return other_request_id(head)


def status_phrase(status: int) -> str:
    return _status(status).phrase


def kind_words(status: int) -> str:
    """ "rate limit" for 429."""
    return KINDS[_status(status).kind].words


def _status(status: int) -> Status:
    if status in STATUSES:
        return STATUSES[status]
    # Above 599 nothing is defined; the SDK treats every status >= 500 as the server's fault, and so do we.
    row = _HUNDREDS[max(1, min(status // 100, 5))]
    try:
        from .status_dialects import RARE_STATUSES
    except ImportError:
        return row
    return Status(*RARE_STATUSES.get(status, row))


def _second_opinion(status: int, said: Said, error: Any, words: str) -> Tuple[str, str]:
    """The kind that code and type give in spite of the status, and why another attempt is vain; "" for neither."""
    names = {(said.code or "").lower(), (said.type or "").lower()}
    kind = "quota" if names & _OUT_OF_MONEY else ""
    try:
        from .status_dialects import better_kind, why_final
    except ImportError:
        return kind, ""
    return kind or better_kind(status, names, error), why_final(status, words)


def _retry(kind: str, label: str, wish: str, final: str) -> Tuple[bool, str]:
    """Whether to try again, and why. The server's wish comes first, as in openai-python, but for redirects."""
    if kind == "redirect":
        return False, f"{label}: not followed"
    if wish in ("true", "false"):
        verb = "asks for" if wish == "true" else "forbids"
        return wish == "true", f"{label}: the server {verb} a retry (x-should-retry)"
    if final:
        return False, f"{label}: fatal, {final}"
    return KINDS[kind].retry, label if KINDS[kind].retry else f"{label}: fatal"


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
    return number, kind or _status(number).kind


def _hint(status: int, said: Said, words: str, url: str = "") -> str:
    try:
        from .hints import hint_for
    except ImportError:
        return ""
    return hint_for(status, *said[1:], words, url)


def _redirect_words(head: Headers) -> str:
    to = head.get("location", "").strip()
    return f"redirects to {to}, and is not followed" if to else "a redirect that names no target; check base_url"
