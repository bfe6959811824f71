"""What becomes of a row of a bulk run whose attempt failed, and what it tells about the server. Pure.

    429, Retry-After: 2        again after 2 s, and everybody waits as long
    503, 529, 429 without      again after a growing wait; half as many rows at once
    500, a broken connection   again, as one call would be
    400, or out of retries     written to OUT as an error, and the next row's turn
    401, an empty account      the run stops, the row unwritten: every other row would meet the same

Sends nothing, writes nothing: `decide` says, `batch.py` does.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, NamedTuple

from .batch_files import Row
from .protocol.cost import TYPICAL_OUTPUT_TOKENS, rough_tokens
from .protocol.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from .protocol.redact import redact_value
from .protocol.retry import RetryPolicy, next_wait

# A row that meets a crowded server is tried so often at least: with all workers pausing together, such refusals say
# little about the row. Not endlessly, for one row may be larger than the limit (OpenAI: "Request too large", a 429).
PATIENCE = 8


class Decision(NamedTuple):
    """`action`: "again" after `wait_s`; "write" the error as a row; or "stop" the run, for `reason`.

    `crowd` says what it tells about the server: "" nothing, "pause" everybody waits as long, "halve" and fewer at once.
    """

    action: str
    wait_s: float = 0.0
    crowd: str = ""
    reason: str = ""


# Errors that every other row would meet too.
_FATAL = ((AuthenticationError, "auth"), (QuotaExceededError, "quota"))
# As long as no row has gone well, these are about the base_url, the key's rights or the model's name; afterwards they
# may be about one row (a model that only this row names; OpenRouter's 403 for a prompt that its moderation refuses).
_FATAL_AT_FIRST = ((PermissionDeniedError, "permission"), (NotFoundError, "not_found"))
_CROWDED = frozenset((429, 498, 503, 529))  # 498: Groq, out of capacity; 529: Anthropic, overloaded


def decide(
    error: APIError, *, retries_taken: int, max_retries: int, policy: RetryPolicy, dice: float, some_went_well: bool
) -> Decision:
    """What becomes of a row whose attempt failed with `error`. `dice` in [0, 1) spreads the waits."""
    for kind, reason in (*_FATAL, *(() if some_went_well else _FATAL_AT_FIRST)):
        if isinstance(error, kind):
            return Decision("stop", reason=reason)
    crowded = isinstance(error, RateLimitError) or error.status in _CROWDED
    patience = max(max_retries, PATIENCE) if crowded and max_retries else max_retries
    wait = next_wait(policy, error, retries_taken=retries_taken, max_retries=patience, dice=dice)
    crowd = _crowd(error) if crowded else ""
    if wait is not None:
        return Decision("again", wait.seconds, crowd)
    if error.retryable and (error.retry_after_s or 0) > policy.longest_wait_s:
        return Decision("stop", reason="rate_limit")
    if isinstance(error, APIConnectionError) and error.phase == "connect":
        return Decision("stop", reason="connection")  # nobody is there; nothing was sent, and nothing paid
    return Decision("write", crowd=crowd)


def _crowd(error: APIError) -> str:
    """A rate limit that says when it is over is kept by waiting; anything else asks for fewer at once."""
    return "pause" if isinstance(error, RateLimitError) and error.retry_after_s else "halve"


def error_fields(error: APIError, secrets: Iterable[str] = ()) -> Dict[str, Any]:
    """An error as `result_line` takes it: the server's own status and body, or, where there are none, ours.

    An error inside a 200 is told as ours: beside "status_code":200 it would look like an answer. Servers quote what
    they were sent, so `secrets` and whatever has the shape of a key are taken out.
    """
    if error.status is not None and error.status >= 300:
        body = error.body
        if not isinstance(body, dict) or not body:
            body = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        body = redact_value(body, tuple(secrets))
        return {"status": error.status, "request_id": error.request_id or "", "body": {"error": body}}
    name = error.code or "invalid_response"
    if isinstance(error, APIConnectionError):
        name = "timeout" if isinstance(error, APITimeoutError) else "connection_error"
    return {"error": redact_value({"code": name, "message": str(error)}, tuple(secrets))}


def reckoned_tokens(row: Row) -> int:
    """What a row may count for against a limit on tokens: its text, and the longest answer that it allows."""
    if row.endpoint.required != "choices":
        return rough_tokens(row.size_bytes)
    limits = [row.body.get(name) for name in ("max_completion_tokens", "max_tokens")]
    known = [limit for limit in limits if isinstance(limit, int) and limit > 0]
    return rough_tokens(row.size_bytes) + (known[0] if known else TYPICAL_OUTPUT_TOKENS)
