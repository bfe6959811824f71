"""What an error inside a 200 is, by the words that servers use where no status speaks.

    data: {"error": {"type": "overloaded_error", "message": "Overloaded"}}      "overloaded"
    {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}  "quota"

Codes and types by name, then well-known sentences; the kinds are those of `hints.KINDS`. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Tuple

from .problem import Said

# What servers call things where no status speaks: `code` or `type` of an error inside a 200, without case, "_" and "-".
_WORDS: Dict[str, str] = {
    word.replace("_", ""): kind
    for kind, words in {
        "auth": "authentication authentication_error invalid_api_key unauthorized unauthenticated incorrect_api_key",
        "bad_request": "invalid_request invalid_request_error bad_request bad_request_error validation validation_error"
        " invalid_argument failed_precondition context_length_exceeded exceed_context_size_error content_filter",
        "not_found": "not_found not_found_error model_not_found model_not_found_error deployment_not_found",
        "overloaded": "overloaded overloaded_error unavailable service_unavailable service_unavailable_error"
        " server_is_overloaded engine_overloaded engine_overloaded_error",
        "permission": "permission_error permission_denied permission_denied_error forbidden",
        "quota": "insufficient_balance insufficient_credits payment_required",
        "rate_limit": "rate_limit rate_limited rate_limit_error rate_limit_exceeded too_many_requests"
        " resource_exhausted",
        "server": "server_error api_error internal internal_error internal_server_error generation"
        " incomplete_generation upstream_error bad_gateway",
        "timeout": "timeout timeout_error request_timeout deadline_exceeded gateway_timeout",
        "unprocessable": "unprocessable_entity unprocessable_entity_error",
    }.items()
    for word in words.split()
}
# MiniMax puts its own codes into a 200: platform.minimax.io, API reference, "Error Codes".
_BASE_RESP: Dict[str, str] = {
    "1000": "server",
    "1001": "timeout",
    "1002": "rate_limit",
    "1004": "auth",
    "1008": "quota",
    "1013": "server",
    "1024": "server",
    "1026": "bad_request",
    "1027": "bad_request",
    "1033": "server",
    "1039": "rate_limit",
    "2013": "bad_request",
    "2049": "auth",
    "2056": "quota",
}
BROKE = r"(?i)\binsufficient[ _](?:balance|credits?|funds)\b"
# Errors inside a 200 that have neither code nor type: only the sentence is left to go by.
_SENTENCES = (
    (r"(?i)^unexpected endpoint", "not_found"),  # LM Studio, a wrong path
    (r"(?i)^input validation error", "bad_request"),  # TGI
    (r"(?i)\b(?:incorrect|invalid) api key\b", "auth"),
    (r"(?i)\brate limit (?:reached|exceeded)\b|\btoo many requests\b", "rate_limit"),
    (r"(?i)\boverloaded\b", "overloaded"),
    (BROKE, "quota"),
)


def look_inside(error: Any, said: Said, number: int) -> Tuple[int, str]:
    """The HTTP status that an error inside a 200 names (0: none), and its kind, "" where that is the status's.

    `number` is the status that its code names. What says no word that is known is a "stream_error".
    """
    number = number or _other_number(error)
    if isinstance(error, dict) and "status_msg" in error:  # MiniMax has numbers of its own
        return number, _BASE_RESP.get(said.code or "", "stream_error")
    return number, "" if number else _kind_by_words(said)


def _other_number(error: Any) -> int:
    names = ("status", "status_code", "http_code") if isinstance(error, dict) else ()
    given = (str(error.get(name)) for name in names)
    return next((int(text) for text in given if re.fullmatch(r"[45]\d\d", text)), 0)


def _kind_by_words(said: Said) -> str:
    for name in (said.code, said.type):
        kind = _WORDS.get(re.sub(r"[_\-\s]", "", name or "").lower())
        if kind:
            return kind
    for pattern, kind in _SENTENCES:
        if re.search(pattern, said.message):
            return kind
    return "stream_error"
