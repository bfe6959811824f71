"""Statuses that are rarely met, codes with which servers other than OpenAI's say more than their status does, and
their headers for the id of a request.

    < HTTP/1.1 498 Capacity Exceeded                        Groq: worth another attempt, though a 4xx
    < HTTP/1.1 400 Bad Request
    < {"error": {"type": "budget_exceeded", ...}}           LiteLLM: "quota"

Each is a row of a table below; the kinds are those of `hints.KINDS`. A copy without this room goes by the hundred of
such a status, and reads `x-request-id` alone. Pure.
"""

from __future__ import annotations

import re
from typing import AbstractSet, Any, Dict, FrozenSet, NamedTuple, Tuple

from .inside import BROKE
from .problem import Said

# Where servers put the name under which their support desk finds a request; the first that is there counts.
REQUEST_ID_HEADERS = (
    *("x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-amzn-requestid", "x-amz-request-id"),
    *("x-litellm-call-id", "mistral-correlation-id", "nvcf-reqid", "x-correlation-id", "cf-ray"),
)
# status -> phrase and kind (RFC 9110 section 15, and the unregistered ones that are met)
RARE_STATUSES: Dict[int, Tuple[str, str]] = {
    0: ("Redirect, Hidden by the Browser", "redirect"),  # as a page's `fetch` sees any
    201: ("Created", "ok"),
    202: ("Accepted", "ok"),
    204: ("No Content", "ok"),
    301: ("Moved Permanently", "redirect"),
    302: ("Found", "redirect"),
    303: ("See Other", "redirect"),
    304: ("Not Modified", "redirect"),
    307: ("Temporary Redirect", "redirect"),
    308: ("Permanent Redirect", "redirect"),
    405: ("Method Not Allowed", "bad_request"),
    410: ("Gone", "not_found"),
    415: ("Unsupported Media Type", "bad_request"),
    424: ("Failed Dependency", "bad_request"),
    425: ("Too Early", "server"),  # RFC 8470: the next attempt is not early
    431: ("Request Header Fields Too Large", "bad_request"),
    451: ("Unavailable For Legal Reasons", "permission"),
    498: ("Capacity Exceeded", "overloaded"),  # Groq, flex tier
    499: ("Client Closed Request", "bad_request"),  # nginx
    501: ("Not Implemented", "server"),
    520: ("Web Server Returned an Unknown Error", "server"),  # 52x: Cloudflare
    521: ("Web Server Is Down", "server"),
    522: ("Connection Timed Out", "server"),
    523: ("Origin Is Unreachable", "server"),
    524: ("A Timeout Occurred", "server"),
    529: ("Overloaded", "overloaded"),  # Anthropic
}


class Override(NamedTuple):
    """Codes or types that know better than the status beside them. `status` 0 stands for any, 200 included."""

    status: int
    words: FrozenSet[str]
    kind: str


_OVERRIDES = (
    # By code or type, never by the message: Gemini says "exceeded your current quota" of its limit per minute, too.
    Override(
        0, frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}), "quota"
    ),  # OpenAI
    Override(0, frozenset({"insufficient_user_quota", "exceeded_current_quota_error"}), "quota"),  # new-api, Moonshot
    Override(0, frozenset({"budget_exceeded"}), "quota"),  # LiteLLM proxy, as a 400
    Override(429, frozenset({"3036"}), "quota"),  # Workers AI: the day's free allocation
    Override(429, frozenset({"3040"}), "overloaded"),  # Workers AI: no data centre with capacity left
)


def second_opinion(status: int, kind: str, said: Said, error: Any) -> Tuple[str, str]:
    """The kind of an error whose status says `kind`, and why it is final in spite of it, or ""."""
    names = {(said.code or "").lower(), (said.type or "").lower()}
    return better_kind(status, names, error) or kind, why_final(status, said.message)


def better_kind(status: int, names: AbstractSet[str], error: Any) -> str:
    """The kind that an error has in spite of its status, or "". `names` are its code and type in small letters."""
    for row in _OVERRIDES:
        if row.status in (0, status) and not row.words.isdisjoint(names):
            return row.kind
    return "quota" if status in (200, 429) and _is_daily_quota(error) else ""


def _is_daily_quota(error: Any) -> bool:
    """Gemini: a google.rpc.QuotaFailure per day, beside a RetryInfo of some seconds that does not help."""
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("violations") if isinstance(detail, dict) else None
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict) and "PerDay" in str(violation.get("quotaId")):
                return True
    return False


def why_final(status: int, words: str) -> str:
    """Why a server error is not worth another attempt, or "".

    MiniMax reports an empty account as a 500. It stays a server error, as the status has it, but is not tried again.
    """
    return "the account is empty" if status >= 500 and re.search(BROKE, words) else ""
