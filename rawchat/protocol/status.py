"""The status-code classifier: (status, headers, body) -> Verdict. What happened, and is it worth another attempt?

    < HTTP/1.1 429 Too Many Requests
    < {"error": {"message": "Rate limit reached for gpt-4o-mini ...", "type": "tokens", "code": "rate_limit_exceeded"}}

    Verdict(429, "rate_limit", retry=True, message="429 Too Many Requests: Rate limit reached for gpt-4o-mini ...", ...)

`classify` judges an answer with an error status, `classify_error` an error inside a 200, both by the tables below: a
new status, code or word for something is a new row. How the words are found in a body, and which cure belongs to them,
is known to `hints`. Does not look into the body of a success (that is `answer`), and does not say how long to wait
(that is `retry`). Pure.
"""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, Iterable, Mapping, NamedTuple, Optional, Tuple, Type, Union

from . import errors
from .problem import BROKE, Said, find_error, parse_body, read_error, short
from .wire import Headers


class Verdict(NamedTuple):
    """What an answer means.

    `kind` is one of the names in `KINDS`; `retry` says whether the same request may well succeed; `message` is one line
    for people, without any key; `code`, `type`, `param` and `body` are those of an APIError; `why` is a short phrase
    for a trace ("429 rate limit", "401 bad key: fatal"); `hint` is the cure, where the mistake is a known one.
    """

    status: int
    kind: str
    retry: bool
    message: str
    code: Optional[str]
    type: Optional[str]
    param: Optional[str]
    body: Any
    why: str
    hint: str = ""

    def __repr__(self) -> str:
        # Not the body, and keys redacted: servers quote requests and keys.
        facts = f"{self.status}, {self.kind!r}, retry={self.retry}, message={self.message!r}, code={self.code!r}"
        return f"Verdict({short(facts, longest=600)})"


class Kind(NamedTuple):
    """A kind of outcome: words for people, whether the same request may succeed later, its error inside a 200."""

    words: str
    retry: bool
    error: Type[errors.APIError]
    status: int  # the plainest status of this kind: what `hints` are told where the answer itself was a 200


KINDS: Dict[str, Kind] = {
    "ok": Kind("ok", False, errors.APIError, 200),
    "redirect": Kind("redirect", False, errors.APIStatusError, 302),
    "bad_request": Kind("bad request", False, errors.BadRequestError, 400),
    "auth": Kind("bad key", False, errors.AuthenticationError, 401),
    "quota": Kind("quota exhausted", False, errors.QuotaExceededError, 402),
    "permission": Kind("not permitted", False, errors.PermissionDeniedError, 403),
    "not_found": Kind("not found", False, errors.NotFoundError, 404),
    "conflict": Kind("conflict", True, errors.ConflictError, 409),
    "unprocessable": Kind("invalid parameters", False, errors.UnprocessableEntityError, 422),
    "rate_limit": Kind("rate limit", True, errors.RateLimitError, 429),
    "server": Kind("server error", True, errors.InternalServerError, 500),
    "overloaded": Kind("overloaded", True, errors.InternalServerError, 503),
    "timeout": Kind("timeout at the server", True, errors.InternalServerError, 504),
    "invalid_response": Kind("no final answer", False, errors.InvalidResponseError, 0),
    "stream_error": Kind("error in the answer", True, errors.APIError, 0),
}


class Status(NamedTuple):
    """A row of `STATUSES`. `error` is None where it is that of the kind."""

    phrase: str
    kind: str
    error: Optional[Type[errors.APIError]] = None


_PLAIN = errors.APIStatusError  # for a status that has no class of its own
# Classes as the SDK has them (openai-python _client.py, _make_status_error); 413 and 402 have a better one than its
# bare APIStatusError. What is not listed goes by its hundred, below.
STATUSES: Dict[int, Status] = {
    200: Status("OK", "ok"),
    201: Status("Created", "ok"),
    202: Status("Accepted", "ok"),
    204: Status("No Content", "ok"),
    301: Status("Moved Permanently", "redirect"),
    302: Status("Found", "redirect"),
    303: Status("See Other", "redirect"),
    304: Status("Not Modified", "redirect"),
    307: Status("Temporary Redirect", "redirect"),
    308: Status("Permanent Redirect", "redirect"),
    # What a page sees of any of them: fetch, told not to follow, hides the status and the target ("opaqueredirect").
    0: Status("Redirect, Hidden by the Browser", "redirect"),
    400: Status("Bad Request", "bad_request"),
    401: Status("Unauthorized", "auth"),
    402: Status("Payment Required", "quota"),
    403: Status("Forbidden", "permission"),
    404: Status("Not Found", "not_found"),
    405: Status("Method Not Allowed", "bad_request", _PLAIN),
    408: Status("Request Timeout", "timeout", _PLAIN),
    409: Status("Conflict", "conflict"),
    410: Status("Gone", "not_found", _PLAIN),
    413: Status("Content Too Large", "bad_request"),
    415: Status("Unsupported Media Type", "bad_request", _PLAIN),
    422: Status("Unprocessable Content", "unprocessable"),
    424: Status("Failed Dependency", "bad_request", _PLAIN),
    425: Status("Too Early", "server", _PLAIN),  # CDNs with TLS early data: the next attempt is not early
    429: Status("Too Many Requests", "rate_limit"),
    431: Status("Request Header Fields Too Large", "bad_request", _PLAIN),
    451: Status("Unavailable For Legal Reasons", "permission", _PLAIN),
    498: Status("Capacity Exceeded", "overloaded", _PLAIN),  # Groq, flex tier
    499: Status("Client Closed Request", "bad_request", _PLAIN),  # nginx
    500: Status("Internal Server Error", "server"),
    501: Status("Not Implemented", "server"),
    502: Status("Bad Gateway", "server"),
    503: Status("Service Unavailable", "overloaded"),
    504: Status("Gateway Timeout", "timeout"),
    520: Status("Web Server Returned an Unknown Error", "server"),  # 52x: Cloudflare
    521: Status("Web Server Is Down", "server"),
    522: Status("Connection Timed Out", "server"),
    523: Status("Origin Is Unreachable", "server"),
    524: Status("A Timeout Occurred", "server"),
    529: Status("Overloaded", "overloaded"),  # Anthropic
}
_BY_HUNDRED: Dict[int, Status] = {
    2: Status("Success", "ok"),
    3: Status("Redirection", "redirect"),
    4: Status("Client Error", "bad_request", _PLAIN),
    5: Status("Server Error", "server"),
}
_NO_FINAL_STATUS = Status("Not a Final Status", "invalid_response")


class Override(NamedTuple):
    """Codes or types that know better than the status beside them. `status` 0 stands for any, 200 included."""

    status: int
    words: FrozenSet[str]
    kind: str


_OVERRIDES = (
    # By code or type, never by the message: Gemini says "exceeded your current quota" of its limit per minute, too.
    # OpenAI
    Override(0, frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}), "quota"),
    Override(0, frozenset({"insufficient_user_quota", "exceeded_current_quota_error"}), "quota"),  # new-api, Moonshot
    Override(0, frozenset({"budget_exceeded"}), "quota"),  # LiteLLM proxy, as a 400
    Override(429, frozenset({"3036"}), "quota"),  # Workers AI: the day's free allocation
    Override(429, frozenset({"3040"}), "overloaded"),  # Workers AI: no data centre with capacity left
)
# Where servers put the name under which their support desk finds a request; the first that is there counts.
_REQUEST_ID_HEADERS = (
    "x-request-id",  # OpenAI, Azure, Groq, vLLM
    "request-id",  # Anthropic
    "apim-request-id",  # Azure API Management
    "x-ms-request-id",
    "x-amzn-requestid",  # Bedrock, API Gateway
    "x-amz-request-id",
    "x-litellm-call-id",
    "mistral-correlation-id",
    "nvcf-reqid",  # NVIDIA
    "x-correlation-id",
    "cf-ray",  # Cloudflare in front of any of them
)


def classify(
    status: int, headers: Mapping[str, str], body: Union[bytes, str], *, url: str = "", secrets: Iterable[str] = ()
) -> Verdict:
    """The verdict on an answer. A 2xx is "ok" unread; its body is for `answer` to judge.

    `x-should-retry` is obeyed before anything else (openai-python `_should_retry`), but a redirect is never retried.
    `url`, the address asked, makes hints sharper; `secrets` are kept out of the message whatever their shape.
    """
    row = _status(status)
    if row.kind == "ok":
        return Verdict(status, "ok", False, f"{status} {row.phrase}", None, None, None, None, f"{status} ok")
    head = Headers(headers)
    document = parse_body(body)
    error = find_error(document)
    if error is None:
        error = document
    if row.kind == "redirect":
        said = Said(_redirect_words(head))
    else:
        said = read_error(error, document)
    words = short(said.message, secrets)
    kind = _override(status, said, error) or row.kind
    retry, why = _retry(status, kind, words, head)
    hint = _hint(status, said, words, url)
    message = _label(status, row.phrase, words)
    return Verdict(status, kind, retry, message, said.code, said.type, said.param, error, why, hint)


def classify_error(error: Any, *, whole: Any = None, secrets: Iterable[str] = ()) -> Verdict:
    """The verdict on an error found inside a 200: in a whole body, or in an event of a stream.

    `error` is what `find_error` gave, or the text of an `event: error`; `whole` is the document around it, which may
    hold the code. A code that is an HTTP status counts as that status; then codes and types by name; then well-known
    sentences. What says nothing at all is a "stream_error", worth another attempt.
    """
    if isinstance(error, str):
        error = parse_body(error)  # `event: error` and the SSE field "error" bring text
        inner = find_error(error)
        if inner is not None:
            error, whole = inner, error
    said = read_error(error, whole)
    words = short(said.message, secrets)
    number = _http_code(error, said)
    kind = _override(200, said, error) or _kind_inside(error, said, number)
    nearest = number or KINDS[kind].status
    what = f"{number} {status_phrase(number)}" if number else said.code or said.type or ""
    label = f"200 OK with an error inside ({short(what, secrets, 60)})" if what else "200 OK with an error inside"
    fate = "" if KINDS[kind].retry else ": fatal"
    hint = _hint(nearest, said, words)
    message = f"{label}: {words}" if words else label
    why = f"200 with an error inside, {KINDS[kind].words}{fate}"
    return Verdict(200, kind, KINDS[kind].retry, message, said.code, said.type, said.param, error, why, hint)


def error_from(
    verdict: Verdict,
    *,
    headers: Optional[Mapping[str, str]] = None,
    attempts: int = 0,
    retry_after_s: Optional[float] = None,
    reply: Any = None,
) -> errors.APIError:
    """The exception for a verdict, not raised yet. ValueError for an "ok": there is nothing to raise."""
    if verdict.kind == "ok":
        raise ValueError(f"no error to make: {verdict.message}")
    error_class = KINDS[verdict.kind].error
    if verdict.status >= 300 and verdict.kind != "quota":
        row = _status(verdict.status)
        error_class = row.error or KINDS[row.kind].error
    error = error_class(
        verdict.message,
        status=verdict.status,
        code=verdict.code,
        type=verdict.type,
        param=verdict.param,
        request_id=request_id_from(headers) if headers is not None else None,
        attempts=attempts,
        body=verdict.body,
        headers=headers,
        retry_after_s=retry_after_s,
        hint=verdict.hint,
        reply=reply,
    )
    error.retryable = verdict.retry
    return error


def tell_head(error: errors.APIError, status: int, headers: Mapping[str, str]) -> None:
    """Give an error that broke off an answer what the head of that answer said, where the error has no word on it."""
    if error.status is None:
        error.status = status
    if error.headers is None:
        error.headers = headers
    error.request_id = error.request_id or request_id_from(headers)


def request_id_from(headers: Mapping[str, str]) -> Optional[str]:
    """The server's name for this request, from the first header of `_REQUEST_ID_HEADERS` that has one."""
    head = headers if isinstance(headers, Headers) else Headers(headers)
    for name in _REQUEST_ID_HEADERS:
        value = head.get(name, "").strip()
        if value:
            return value
    return None


def status_phrase(status: int) -> str:
    """The reason phrase for a status (RFC 9110 section 15, and the unregistered ones that are met)."""
    return _status(status).phrase


def kind_words(status: int) -> str:
    """ "rate limit" for 429: what a status means, in words for people."""
    return KINDS[_status(status).kind].words


def _status(status: int) -> Status:
    # Above 599 nothing is defined; the SDK treats every status >= 500 as the server's fault, and so do we.
    return STATUSES.get(status) or _BY_HUNDRED.get(min(status // 100, 5), _NO_FINAL_STATUS)


def _label(status: int, phrase: str, words: str) -> str:
    """Status, phrase, and what the server said beyond them."""
    label = f"{status} {phrase}"
    known = (label.lower(), phrase.lower(), f"error code: {status}")
    return label if not words or words.rstrip(".").lower() in known else f"{label}: {words}"


def _retry(status: int, kind: str, words: str, head: Headers) -> Tuple[bool, str]:
    """Whether to try again, and the phrase that says why."""
    label = f"{status} {KINDS[kind].words}"
    wish = head.get("x-should-retry", "").strip().lower()
    if kind == "redirect":
        return False, f"{label}: not followed"
    if wish in ("true", "false"):
        return (
            wish == "true",
            f"{label}: the server {'asks for' if wish == 'true' else 'forbids'} a retry (x-should-retry)",
        )
    if status >= 500 and re.search(BROKE, words):
        return False, f"{label}: fatal, the account is empty"
    return KINDS[kind].retry, label if KINDS[kind].retry else f"{label}: fatal"


def _hint(status: int, said: Said, words: str, url: str = "") -> str:
    """The cure, where the mistake is a known one."""
    try:
        from .hints import hint_for
    except ImportError:  # a copy without them
        return ""
    return hint_for(status, said.code, said.type, said.param, words, url)


def _redirect_words(head: Headers) -> str:
    target = head.get("location", "").strip()
    if not target:
        return "a redirect that names no target; check base_url"
    return f"redirects to {target}, and is not followed"


def _override(status: int, said: Said, error: Any) -> Optional[str]:
    names = {(said.code or "").lower(), (said.type or "").lower()}
    for row in _OVERRIDES:
        if row.status in (0, status) and not row.words.isdisjoint(names):
            return row.kind
    return "quota" if status in (200, 429) and _is_daily_quota(error) else None


def _is_daily_quota(error: Any) -> bool:
    """Gemini: a google.rpc.QuotaFailure per day, beside a RetryInfo of some seconds that does not help."""
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("violations") if isinstance(detail, dict) else None
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict) and "PerDay" in str(violation.get("quotaId")):
                return True
    return False


def _http_code(error: Any, said: Said) -> int:
    """The HTTP status that an error inside a 200 names, as a number or as digits; else 0."""
    given = [error.get(name) for name in ("status", "status_code", "http_code")] if isinstance(error, dict) else []
    for value in [said.code, *given]:
        text = "" if value is None else str(value)
        if len(text) == 3 and text.isdigit() and text[0] in "45":
            return int(text)
    return 0


def _kind_inside(error: Any, said: Said, number: int) -> str:
    if number and not (isinstance(error, dict) and "status_msg" in error):  # MiniMax has numbers of its own
        return _status(number).kind
    try:
        from .inside import kind_by_words
    except ImportError:  # a copy without it tries again, as after any passing failure
        return "stream_error"
    return kind_by_words(error, said)
