"""Every exception rawchat raises.

Names under `APIError` are the official SDK's, so `except` clauses move over unchanged; a new name is a new fact, and
stands under the old one it is a kind of.

    RawChatError
    +- PayloadError (ValueError)        wrong before anything was sent
    +- BudgetExceeded                   refused before sending: the budget would not cover it
    +- UnknownPrice (LookupError)       asked for the price of a model that nobody stated
    +- CassetteMiss (LookupError)       a replay has no recording for this request
    +- NotInThisCopy (ImportError)      the feature was left out when this copy was made
    +- APIError
       +- InvalidResponseError          a 200 that is no completion: HTML, nothing, other JSON
       |  +- SchemaMismatch             a completion, and not of the form that was asked for
       +- LengthFinishReasonError       the answer was to be parsed, and was cut off at max_tokens
       +- ContentFilterFinishReasonError   ... and was cut off by the content filter
       +- RefusalError                  ... and the model refused; `.reply.refusal` says how
       +- APIStatusError                an error status, and one without a class of its own
       |  +- BadRequestError            400, 413
       |  +- AuthenticationError        401
       |  +- PermissionDeniedError      403
       |  +- NotFoundError              404
       |  +- ConflictError              409
       |  +- UnprocessableEntityError   422
       |  +- RateLimitError             429
       |  |  +- QuotaExceededError      402, or 429 "insufficient_quota": waiting does not cure it
       |  +- InternalServerError        5xx
       +- APIConnectionError (ConnectionError)   no answer, or not all of it
          +- StreamInterrupted          the stream broke; `.reply` holds what arrived
          +- APITimeoutError (TimeoutError)   one step took too long
             +- DeadlineExceeded        the whole call, retries and waits included, took too long

    UnknownPriceWarning (UserWarning)   the sum that follows leaves this call out

Holds plain values only, never a response or a socket, so errors pickle and cross threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RawChatError(Exception):
    """Root of all. Each kind's facts are attributes, here as where unknown, and named arguments."""

    exit_code = 1  # of the command line when this error reaches it; from 64 on those of sysexits.h

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        for name, value in facts.items():
            if not hasattr(self, name):
                raise TypeError(f"{type(self).__name__} has no {name!r}")
            setattr(self, name, value)

    def __str__(self) -> str:
        return self.message


class PayloadError(RawChatError, ValueError):
    exit_code = 64
    path = ""  # the spot: `messages[2].content[0]`


class BudgetExceeded(RawChatError):
    exit_code = 73
    budget_usd = spent_usd = 0.0
    needed_usd = 0.0  # estimated, for the refused call
    reply: Any = None  # what earlier requests of the call had brought (the first batches of an `embed`)


class UnknownPrice(RawChatError, LookupError):
    exit_code = 65
    model = ""


class UnknownPriceWarning(UserWarning):
    pass


class CassetteMiss(RawChatError, LookupError):
    exit_code = 66


class NotInThisCopy(RawChatError, ImportError):
    exit_code = 69
    feature = ""


class APIError(RawChatError):
    exit_code = 69
    retryable = False  # whether the same request, sent again, may well succeed
    status: Optional[int] = None
    code: Optional[str] = None  # the server's, always a string: "insufficient_quota", "429"
    type: Optional[str] = None  # it and `param` as the server's error object has them
    param: Optional[str] = None
    request_id: Optional[str] = None  # from `x-request-id`, or a server's variant of it
    attempts: int = 0  # how often the request was sent, this time included
    body: Any = None  # the error object if there was one, else the decoded JSON, else the text
    headers: Optional[Mapping[str, str]] = None  # the answer's, in any case
    retry_after_s: Optional[float] = None  # how long the server asked to wait
    hint: str = ""  # the cure of a mistake that is a known one
    reply: Any = None  # the part of the answer that had arrived

    @property
    def status_code(self) -> Optional[int]:  # the SDK's name
        return self.status

    def __str__(self) -> str:
        # What identifies the case to a support desk, then the cure.
        facts = [f"request id {self.request_id}"] if self.request_id else []
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts")
        text = f"{self.message} ({', '.join(facts)})" if facts else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class InvalidResponseError(APIError):
    exit_code = 76


class SchemaMismatch(InvalidResponseError):
    path = ""  # the first spot that does not fit: "$.items[2].price"
    problems: Sequence[Any] = ()  # all of them, each with `path` and `message`


class LengthFinishReasonError(APIError):
    exit_code = 65


class ContentFilterFinishReasonError(APIError):
    exit_code = 65


class RefusalError(APIError):
    exit_code = 65


class APIStatusError(APIError):
    pass


class BadRequestError(APIStatusError):
    exit_code = 65


class AuthenticationError(APIStatusError):
    exit_code = 77


class PermissionDeniedError(APIStatusError):
    exit_code = 77


class NotFoundError(APIStatusError):
    exit_code = 66


class ConflictError(APIStatusError):
    exit_code = 75


class UnprocessableEntityError(APIStatusError):
    exit_code = 65


class RateLimitError(APIStatusError):
    exit_code = 75


class QuotaExceededError(RateLimitError):
    exit_code = 73  # as BudgetExceeded: the money is gone


class InternalServerError(APIStatusError):
    pass


class APIConnectionError(APIError, ConnectionError):
    phase = ""  # where it broke: "connect", "send", "head" or "body"
    retryable = True


class StreamInterrupted(APIConnectionError):
    exit_code = 74


class APITimeoutError(APIConnectionError, TimeoutError):
    exit_code = 75


class DeadlineExceeded(APITimeoutError):
    retryable = False
