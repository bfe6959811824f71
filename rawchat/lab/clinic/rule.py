"""What a check is, and what it may find. A check is a row; its judge is a pure function of the evidence.

    Check("stream-done", "stream", SHOULD, "A stream ends with data: [DONE].", source, judge, breaks, cure)
    judge(evidence)  ->  Finding(FAILS, "no [DONE] after 31 events", 'data: {"choices":[{...')

Three levels, by what follows from a breach:

    must     ordinary clients fail, or take a wrong answer for a right one
    should   the API does it, and some clients lean on it
    quirk    allowed, or harmless to most; good to know when something is strange

What a model says is never judged, only the shape of what a server sends. Where a check finds nothing to judge, it says
so (UNKNOWN), and what is missing.
"""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from .line import Way
from .sight import Sight

MUST, SHOULD, QUIRK = "must", "should", "quirk"
LEVELS = (MUST, SHOULD, QUIRK)
OK, FAILS, UNKNOWN = "ok", "fails", "unknown"


KEY_REFUSED = (401, 403)


class Finding(NamedTuple):
    """`says`: one short line. `seen`: the bytes, cut to what matters."""

    verdict: str
    says: str
    seen: str = ""


class Evidence:
    """All that was asked, and what came.

    way      how the server was reached
    sights   probe name -> the answer that counts (of several attempts the last)
    every    all answers in order, attempts included
    notes    what had to be changed to be answered at all: "max_tokens was refused, max_completion_tokens sent"
    """

    def __init__(self, way: Optional[Way] = None, sights: Optional[Dict[str, Sight]] = None) -> None:
        self.way = way
        self.sights: Dict[str, Sight] = sights or {}
        self.every: List[Sight] = list(self.sights.values())
        self.notes: List[str] = []
        self.model = ""
        self.model_was_named = False


Judge = Callable[[Evidence], Optional[Finding]]
Look = Callable[[Sight], Finding]
Need = Callable[[Sight], str]


class Check(NamedTuple):
    """One row. The judge gives None where its question was not asked at all (`--only`, `--skip`)."""

    name: str
    group: str
    level: str
    rule: str
    source: str
    judge: Judge
    breaks: str
    cure: str


class Result(NamedTuple):
    check: Check
    finding: Finding


def ok(says: str) -> Finding:
    return Finding(OK, says)


def fails(says: str, seen: str = "") -> Finding:
    return Finding(FAILS, says, seen)


def unknown(says: str) -> Finding:
    return Finding(UNKNOWN, says)


def examine(evidence: Evidence, checks: Sequence[Check]) -> List[Result]:
    """Every check whose question was asked, with what it found."""
    found = ((check, check.judge(evidence)) for check in checks)
    return [Result(check, finding) for check, finding in found if finding is not None]


def about(probe: str, need: Need, look: Look) -> Judge:
    """A judge of one answer, once that answer has what the check needs."""

    def judge(evidence: Evidence) -> Optional[Finding]:
        sight = evidence.sights.get(probe)
        if sight is None:
            return None
        missing = same_refusal(evidence, probe) or need(sight)
        return unknown(missing) if missing else look(sight)

    return judge


def same_refusal(evidence: Evidence, probe: str) -> str:
    """Where a plain question is refused, in the same words: one check tells of it, the others have nothing to judge."""
    sight, chat = evidence.sights[probe], evidence.sights.get("chat")
    if sight.status in KEY_REFUSED and (probe in ("models", "chat") or (chat and chat.status == sight.status)):
        return "no answer to judge: the key was refused"
    if probe in ("models", "chat") or chat is None or chat.status < 300 or sight.outcome != chat.outcome:
        return ""
    return f"no answer to judge: a plain question was refused as well ({chat.status})"


# --- what a check may need


def anything(_: Sight) -> str:
    return ""


def a_head(sight: Sight) -> str:
    return "" if sight.has_head else sight.outcome


def good_status(sight: Sight) -> str:
    return "" if sight.status == 200 else f"no answer to judge: {sight.outcome}"


def whole_answer(sight: Sight) -> str:
    """A 200 with JSON that has choices."""
    return good_status(sight) or ("" if sight.choices else "no answer to judge: no choices in it")


def stream_bytes(sight: Sight) -> str:
    return good_status(sight) or ("" if sight.is_events and sight.body else "no stream to judge")


def stream_chunks(sight: Sight) -> str:
    """At least one chunk with a choice."""
    found = next(sight.stream_choices(), None) if sight.is_events else None
    return stream_bytes(sight) or ("" if found else "no stream to judge: no chunk with choices")


def whole_stream(sight: Sight) -> str:
    """Chunks up to a mark of the end. What a cut or an error left out is no second finding: one check tells of each."""
    missing = stream_chunks(sight)
    if not missing and sight.stream_error:
        missing = "an error ended the stream"
    return missing or ("" if sight.is_done or sight.finish_reason else "the stream broke off")
