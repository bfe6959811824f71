"""Why an attempt that failed for a passing reason was the last: what an error says of it, in its hint.

    not tried again: waiting 6 s would pass the deadline of 20 s
    not tried again: the server asks to wait 86400 s, more than the 120 s of RetryPolicy.longest_wait_s

Decides nothing. Pure.
"""

from __future__ import annotations

from typing import Optional

from .errors import APIError
from .hints import figure
from .retry import RetryHint, RetryPolicy, Wait, case_of
from .status import Verdict


def tell_why(error: APIError, policy: RetryPolicy, wait: Optional[Wait], deadline_s: Optional[float]) -> None:
    """Add the reason to the hint, once, where it is not the error's own. `wait` is the one that was too long for the
    deadline; None where no other attempt was due.
    """
    note = why_not(policy, error)
    if wait is not None:
        note = f"not tried again: waiting {wait.seconds:.3g} s would pass the deadline of {deadline_s:g} s"
    if note and note not in error.hint:
        error.hint = f"{error.hint}; {note}" if error.hint else note


def why_not(
    policy: RetryPolicy,
    error: Optional[APIError] = None,
    *,
    verdict: Optional[Verdict] = None,
    hint: Optional[RetryHint] = None,
) -> str:
    """Why a failure worth another attempt gets none: the server's wait is too long. Else ""."""
    retry, asked_s, _ = case_of(error, verdict, hint)
    if not retry or asked_s <= policy.longest_wait_s:
        return ""
    limit = f"more than the {figure(policy.longest_wait_s)} s of RetryPolicy.longest_wait_s"
    return f"not tried again: the server asks to wait {figure(asked_s)} s, {limit}"
