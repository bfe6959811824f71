"""With what the command line ends when an error reaches it; from 64 on the codes are those of sysexits.h. Pure."""

from __future__ import annotations

from typing import Dict

# By the name of the class, or of the first parent that has a row.
_EXIT_CODES: Dict[str, int] = {
    "RawChatError": 1,
    "PayloadError": 64,
    "NotInThisCopy": 69,
    "BudgetExceeded": 73,  # as QuotaExceededError: the money is gone
    "UnknownPrice": 65,
    "CassetteMiss": 66,
    "APIError": 69,
    "InvalidResponseError": 76,
    "LengthFinishReasonError": 65,
    "ContentFilterFinishReasonError": 65,
    "RefusalError": 65,
    "BadRequestError": 65,
    "AuthenticationError": 77,
    "PermissionDeniedError": 77,
    "NotFoundError": 66,
    "ConflictError": 75,
    "UnprocessableEntityError": 65,
    "RateLimitError": 75,
    "QuotaExceededError": 73,
    "StreamInterrupted": 74,
    "APITimeoutError": 75,
}


def exit_code_of(kind: type) -> int:
    return next((_EXIT_CODES[each.__name__] for each in kind.__mro__ if each.__name__ in _EXIT_CODES), 1)
