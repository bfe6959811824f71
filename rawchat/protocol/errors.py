"""What rawchat raises: plain values, which pickle. What features alone raise, and the whole tree: `feature_errors`.

Names under `APIError` are the official SDK's; a new name is a new fact, and stands under the old one it is a kind of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping


class _ExitCode:
    def __get__(self, error: Any, kind: type) -> int:
        try:
            from .exit_codes import exit_code_of
        except ImportError:  # a copy without a command line to end with it
            return 1
        return exit_code_of(kind)


class RawChatError(Exception):
    """Root of all. Each kind's facts are attributes, here as where unknown, and named arguments."""

    exit_code = _ExitCode()

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
    path = ""  # the spot: `messages[2].content[0]`


class NotInThisCopy(RawChatError, ImportError):  # the copy was made without it
    feature = ""


class APIError(RawChatError):
    retryable = False  # whether the same request, sent again, may well succeed
    status: Optional[int] = None
    code: Optional[str] = None  # "insufficient_quota", "429"
    type: Optional[str] = None
    param: Optional[str] = None
    request_id: Optional[str] = None
    attempts: int = 0  # how often the request was sent
    body: Any = None  # the error object, else the JSON, else the text
    headers: Optional[Mapping[str, str]] = None  # the answer's
    retry_after_s: Optional[float] = None  # what the server asked for
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


class InvalidResponseError(APIError):  # a 200 that is no completion
    pass


class APIStatusError(APIError):  # an error status, and one without a class of its own
    pass


class BadRequestError(APIStatusError):
    pass


class AuthenticationError(APIStatusError):
    pass


class PermissionDeniedError(APIStatusError):
    pass


class NotFoundError(APIStatusError):
    pass


class ConflictError(APIStatusError):
    pass


class UnprocessableEntityError(APIStatusError):
    pass


class RateLimitError(APIStatusError):
    pass


class QuotaExceededError(RateLimitError):  # 402, or 429 "insufficient_quota"
    pass


class InternalServerError(APIStatusError):
    pass


class APIConnectionError(APIError, ConnectionError):  # no answer, or not all of it
    phase = ""  # where it broke: "connect", "send", "head" or "body"
    retryable = True


class StreamInterrupted(APIConnectionError):  # the stream broke; `.reply` holds what arrived
    pass


class APITimeoutError(APIConnectionError, TimeoutError):  # one step took too long
    pass


class DeadlineExceeded(APITimeoutError):  # the whole call, with its waits, took too long
    retryable = False
