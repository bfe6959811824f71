"""Every exception rawchat raises, on the ground floor, so that no other module has to import upwards to fail.

The names under `APIError` are the official SDK's, so `except` clauses move over unchanged; a new name
exists only for a new fact and stands under the old one it is a kind of.

    RawChatError
     +- PayloadError (ValueError)               wrong before anything was sent
     +- BudgetExceeded                          refused before sending: the budget would not cover it
     +- UnknownPrice (LookupError)              asked for the price of a model that nobody stated
     +- CassetteMiss (LookupError)              a replay has no recording for this request
     +- NotInThisCopy (ImportError)             the feature was left out when this copy was made
     +- APIError
         +- InvalidResponseError                a 200 that is no completion
         |   +- SchemaMismatch             the answer is a completion, and not of the form that was asked for
         +- LengthFinishReasonError             the answer was to be parsed, and was cut off at max_tokens
         +- ContentFilterFinishReasonError      ... and was cut off by the content filter
         +- RefusalError                        ... and the model refused to give it
         +- APIStatusError                      the server answered with an error status
         |   +- BadRequestError            400, 413
         |   +- AuthenticationError        401
         |   +- PermissionDeniedError      403
         |   +- NotFoundError              404
         |   +- ConflictError              409
         |   +- UnprocessableEntityError   422
         |   +- RateLimitError             429
         |   |   +- QuotaExceededError     402, or 429 "insufficient_quota": waiting does not cure it
         |   +- InternalServerError        5xx
         +- APIConnectionError (ConnectionError)   no answer, or not all of it
             +- StreamInterrupted               the stream broke; `.reply` holds what arrived
             +- APITimeoutError (TimeoutError)  one step took too long
                 +- DeadlineExceeded            the whole call took too long

    UnknownPriceWarning (UserWarning)

Does no I/O, and holds plain values only (never a response or a socket), so errors pickle and cross threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RawChatError(Exception):
    """Root of all. `exit_code` is what the command line ends with when this error reaches it (cf. sysexits.h)."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        # OSError, a base of some subclasses below, reads its arguments in `__new__`; stating them here makes all alike.
        self.args = (message,)
        self.message = message

    def __str__(self) -> str:
        return self.message


class PayloadError(RawChatError, ValueError):
    """What was given cannot be sent as it is. `path` names the spot: `messages[2].content[0]`."""

    exit_code = 64  # EX_USAGE

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class BudgetExceeded(RawChatError):
    """Refused before sending. All figures in US dollars; `needed_usd` is the estimate for the refused call.

    `reply` holds what earlier requests of the same call had brought (the first batches of an `embed`), or None.
    """

    exit_code = 73
    reply: Any = None

    def __init__(
        self, message: str, *, budget_usd: float = 0.0, spent_usd: float = 0.0, needed_usd: float = 0.0
    ) -> None:
        super().__init__(message)
        self.budget_usd = budget_usd
        self.spent_usd = spent_usd
        self.needed_usd = needed_usd


class UnknownPrice(RawChatError, LookupError):
    """Nobody stated a price for `model`, and a neighbour's price is never taken."""

    exit_code = 65  # EX_DATAERR

    def __init__(self, message: str, *, model: str = "") -> None:
        super().__init__(message)
        self.model = model


class UnknownPriceWarning(UserWarning):
    """A cost was asked for a model whose price is unknown; the sum that follows leaves this call out."""


class CassetteMiss(RawChatError, LookupError):
    """A replay was asked something that was not recorded; the message shows the nearest recording and what differs."""

    exit_code = 66  # EX_NOINPUT


class NotInThisCopy(RawChatError, ImportError):
    """A feature that this copy of the package was made without; see `optional.py`."""

    exit_code = 69  # EX_UNAVAILABLE

    def __init__(self, message: str, *, feature: str = "") -> None:
        super().__init__(message)
        self.msg = message  # what ImportError shows
        self.feature = feature


class APIError(RawChatError):
    """Something went wrong between us and the server. Every attribute is a plain value and may be None where unknown.

    status      HTTP status as an int; `status_code` is the SDK's name for it
    code        the server's error code, always a string ("insufficient_quota", "429")
    type, param as the server's error object has them
    request_id  from the `x-request-id` response header (or a server's variant of it)
    attempts    how many times the request was sent, this one included
    body        the error object if there was one, else the decoded JSON, else the text
    headers     response headers, case-insensitive
    retry_after_s   how long the server asked to wait, in seconds
    hint        what to do about it, where the mistake is a known one
    reply       the part of the answer that had arrived, or None
    retryable   whether the same request, sent again, may well succeed
    """

    exit_code = 69  # EX_UNAVAILABLE
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        status: Optional[int] = None,
        code: Optional[str] = None,
        type: Optional[str] = None,
        param: Optional[str] = None,
        request_id: Optional[str] = None,
        attempts: int = 0,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
        retry_after_s: Optional[float] = None,
        hint: str = "",
        reply: Any = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.type = type
        self.param = param
        self.request_id = request_id
        self.attempts = attempts
        self.body = body
        self.headers = headers
        self.retry_after_s = retry_after_s
        self.hint = hint
        self.reply = reply

    @property
    def status_code(self) -> Optional[int]:
        return self.status

    def __str__(self) -> str:
        """Message, then what identifies the case to a support desk, then the cure."""
        text = self.message
        facts = []
        if self.request_id:
            facts.append(f"request id {self.request_id}")
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts")
        if facts:
            text += f" ({', '.join(facts)})"
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text


class InvalidResponseError(APIError):
    """The server said 200, but what came is no completion: HTML, an empty body, other JSON, a glued frame."""

    exit_code = 76  # EX_PROTOCOL


class SchemaMismatch(InvalidResponseError):
    """What the model wrote does not fit what was asked for. `path` is the first spot ("$.items[2].price"), `problems`
    holds all that is wrong, each with `path` and `message`; `reply` the answer, where there is one.
    """

    def __init__(self, message: str, *, path: str = "", problems: Sequence[Any] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.path = path
        self.problems = problems


class LengthFinishReasonError(APIError):
    """The answer was to be parsed, and ended at the token limit; `.reply` holds what there is. The SDK's name."""

    exit_code = 65  # EX_DATAERR


class ContentFilterFinishReasonError(APIError):
    """The answer was to be parsed, and was cut off by the content filter; `.reply` holds what there is."""

    exit_code = 65


class RefusalError(APIError):
    """The answer was to be parsed, and the model refused; its words are in `.reply.refusal`."""

    exit_code = 65


class APIStatusError(APIError):
    """The server answered with an error status that has no class of its own."""


class BadRequestError(APIStatusError):
    exit_code = 65  # EX_DATAERR


class AuthenticationError(APIStatusError):
    exit_code = 77  # EX_NOPERM


class PermissionDeniedError(APIStatusError):
    exit_code = 77


class NotFoundError(APIStatusError):
    exit_code = 66  # EX_NOINPUT


class ConflictError(APIStatusError):
    exit_code = 75  # EX_TEMPFAIL


class UnprocessableEntityError(APIStatusError):
    exit_code = 65


class RateLimitError(APIStatusError):
    exit_code = 75


class QuotaExceededError(RateLimitError):
    """The account is out of money or of a quota that no wait of seconds restores; never retried."""

    exit_code = 73  # EX_CANTCREAT, as BudgetExceeded: the money is gone


class InternalServerError(APIStatusError):
    exit_code = 69


class APIConnectionError(APIError, ConnectionError):
    """No answer, or not all of it. `phase` says where it broke: "connect", "send", "head" or "body"."""

    phase = ""
    retryable = True


class StreamInterrupted(APIConnectionError):
    """The stream ended before `[DONE]` and before any finish_reason; `.reply` holds what arrived."""

    exit_code = 74  # EX_IOERR


class APITimeoutError(APIConnectionError, TimeoutError):
    """One step (connect, head, a single read) took longer than its timeout."""

    exit_code = 75


class DeadlineExceeded(APITimeoutError):
    """The whole call, its retries, waits and stream included, took longer than `deadline`."""

    retryable = False
