"""The errors that features alone raise: prices and budgets, parsed answers, replays. And here is the whole tree:

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

Plain values only, as those of `errors`, so that they pickle and cross threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import APIError, InvalidResponseError, RawChatError

if TYPE_CHECKING:
    from collections.abc import Sequence


class BudgetExceeded(RawChatError):
    exit_code = 73  # as QuotaExceededError: the money is gone
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


class SchemaMismatch(InvalidResponseError):
    path = ""  # the first spot that does not fit: "$.items[2].price"
    problems: Sequence[Any] = ()  # all of them, each with `path` and `message`


class LengthFinishReasonError(APIError):
    exit_code = 65


class ContentFilterFinishReasonError(APIError):
    exit_code = 65


class RefusalError(APIError):
    exit_code = 65
