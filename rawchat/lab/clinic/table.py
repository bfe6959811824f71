"""All checks, in the order in which they are told. To add one: a row in its group's file, and one in the tests."""

from __future__ import annotations

from typing import Mapping, Tuple

from . import (
    answer_checks,
    event_checks,
    feature_checks,
    refusal_checks,
    stream_checks,
    timing_checks,
    tool_checks,
    way_checks,
)
from .rule import Check

# Group -> its heading.
GROUPS: Mapping[str, str] = {
    "way": "the way to the server",
    "models": "models",
    "chat": "a whole answer",
    "stream": "a streamed answer",
    "tools": "tools",
    "json": "JSON",
    "parameters": "parameters",
    "embeddings": "embeddings",
    "errors": "errors",
    "connection": "connection and headers",
}
_ROWS: Tuple[Check, ...] = (
    *way_checks.CHECKS,
    *answer_checks.CHECKS,
    *feature_checks.CHECKS,
    *stream_checks.CHECKS,
    *event_checks.CHECKS,
    *timing_checks.CHECKS,
    *tool_checks.CHECKS,
    *refusal_checks.CHECKS,
)
CHECKS: Tuple[Check, ...] = tuple(check for group in GROUPS for check in _ROWS if check.group == group)
