"""What rawchat raises: plain values, which pickle. What features alone raise, and the whole tree: `feature_errors`.

Names under `APIError` are the official SDK's; a new name is a new fact, and stands under the old one it is a kind of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping


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


class PayloadError(RawChatError, ValueError):  # wrong before anything was sent
    exit_code = 64
    path = ""  # the spot: `messages[2].content[0]`


class NotInThisCopy(RawChatError, ImportError):  # the feature was left out when this copy was made
    exit_code = 69
    feature = ""


class APIError(RawChatError):
    exit_code = 69
    retryable = False  # whether the same request, sent again, may well succeed
    status: Optional[int] = None
    code: Optional[str] = None  # always a string: "insufficient_quota", "429"
    type: Optional[str] = None
    param: Optional[str] = None
    request_id: Optional[str] = None  # from `x-request-id`, or a server's variant of it
    attempts: int = 0  # how often the request was sent
    body: Any = None  # the error object if there was one, else the decoded JSON, else the text
    headers: Optional[Mapping[str, str]] = None  # the answer's
    retry_after_s: Optional[float] = None  # how long the server asked to wait
    hint: str = ""  # the cure of a known mistake
    reply: Any = None  # the part of the answer that had arrived

    @property
    def status_code(self) -> Optional[int]:  # the SDK's name
        return self.status

    def __str__(self) -> str:
        facts = [f"request id {self.request_id}"] if self.request_id else []
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts")
        text = f"{self.message} ({', '.join(facts)})" if facts else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class InvalidResponseError(APIError):  # a 200 that is no completion: HTML, nothing, other JSON
    exit_code = 76


class APIStatusError(APIError):  # an error status, and one without a class of its own
    pass


class BadRequestError(APIStatusError):  # 400, 413
    exit_code = 65


class AuthenticationError(APIStatusError):  # 401
    exit_code = 77


class PermissionDeniedError(APIStatusError):  # 403
    exit_code = 77


class NotFoundError(APIStatusError):  # 404
    exit_code = 66


class ConflictError(APIStatusError):  # 409
    exit_code = 75


class UnprocessableEntityError(APIStatusError):  # 422
    exit_code = 65


class RateLimitError(APIStatusError):  # 429
    exit_code = 75


class QuotaExceededError(RateLimitError):  # 402, or 429 "insufficient_quota": waiting does not cure it
    exit_code = 73


class InternalServerError(APIStatusError):  # 5xx
    pass


class APIConnectionError(APIError, ConnectionError):  # no answer, or not all of it
    phase = ""  # where it broke: "connect", "send", "head" or "body"
    retryable = True


class StreamInterrupted(APIConnectionError):  # the stream broke; `.reply` holds what arrived
    exit_code = 74


class APITimeoutError(APIConnectionError, TimeoutError):  # one step took too long
    exit_code = 75


class DeadlineExceeded(APITimeoutError):  # the whole call, retries and waits included, took too long
    retryable = False
