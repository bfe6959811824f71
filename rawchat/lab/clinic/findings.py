"""What the doctor found, for people and for programs: a line a check, a block for each that failed, two side by side.

      ok    stream-type        text/event-stream; charset=utf-8
      FAIL  event-data         an event without data
              seen    retry: 3000
              rule    Every event has data. (must; WHATWG HTML section 9.2; openai-python issue 2722)
              breaks  openai-python up to 3.52: JSONDecodeError, the stream is dead
              cure    send keep-alives as comments

Marks are words: FAIL breaks a must, WARN a should, note a quirk, ? could not be judged. No colour, so that a pipe shows
the same. Text from the wire has been made harmless by `sight.excerpt`, and keys are taken out here. Prints nothing but
the line of progress, on a terminal alone.
"""

from __future__ import annotations

import contextlib
import json
import textwrap
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, TextIO, Tuple

from ...protocol.cost import estimate_cost, price_of
from ...protocol.redact import redact_text
from ..terminal import columns_of, cut, is_terminal, terminal_columns
from .probes import Plan, Probe
from .rule import FAILS, MUST, OK, QUIRK, SHOULD, UNKNOWN, Check, Finding, Result
from .table import GROUPS
from .visit import Visit

MARKS = {MUST: "FAIL", SHOULD: "WARN", QUIRK: "note"}
NAME_COLUMNS = 18
_INDENT = " " * 10
_LABELS = ("seen", "rule", "breaks", "cure")

LEVELS_TOLD = (
    "FAIL breaks a must: ordinary clients fail, or take a wrong answer for a right one. WARN breaks a should: some "
    "clients lean on it. note is a quirk: allowed, good to know. ? could not be judged."
)


def mark(check: Check, finding: Finding) -> str:
    return {OK: "ok", UNKNOWN: "?"}.get(finding.verdict) or MARKS[check.level]


# --- before


def estimate(plan: Plan, probes: Sequence[Probe], servers: int = 1) -> str:
    """What is about to be sent, and what it may take: an upper bound of tokens, and dollars where a price is known."""
    prompt = servers * sum(probe.prompt_tokens for probe in probes)
    completion = servers * sum(probe.most_tokens for probe in probes)
    said = f"about {servers * len(probes)} small requests, at most {prompt + completion:,} tokens"
    price = price_of(plan.model) if plan.model and not plan.is_practice else None
    cost = f", about ${estimate_cost(plan.model, prompt, completion):.4f}" if price is not None else ""
    return f"{said}{cost}{'; a practice server takes no money' if plan.is_practice else ''}"


@contextlib.contextmanager
def progress(out: TextIO) -> Iterator[Callable[[str], None]]:
    """A line that says what is being asked, and goes away at the end; on a terminal alone."""
    if not is_terminal(out):
        yield lambda _: None
        return

    def tell(what: str) -> None:
        text = cut(f"asking: {what}", terminal_columns(out) - 1)
        out.write(f"\r{text}{' ' * max(0, terminal_columns(out) - 1 - columns_of(text))}\r")
        out.flush()

    try:
        yield tell
    finally:
        out.write("\r" + " " * (terminal_columns(out) - 1) + "\r")
        out.flush()


# --- after, for people


def report(visits: Sequence[Visit], width: int, *, quiet: bool = False, secrets: Sequence[str] = ()) -> Iterator[str]:
    """The whole report, in lines of at most `width` columns."""
    lines = _pair(visits, width) if len(visits) > 1 else _one(visits[0], width, quiet)
    for line in lines:
        yield redact_text(line, secrets).rstrip()


def _one(visit: Visit, width: int, quiet: bool) -> Iterator[str]:
    yield from _opening(visit, "", width)
    for group, heading in GROUPS.items():
        results = [result for result in visit.results if result.check.group == group]
        shown = [result for result in results if not quiet or result.finding.verdict == FAILS]
        if not shown:
            continue
        yield ""
        yield heading
        yield from _group(shown, width)
    yield from _closing(visit, "", width)
    if any(result.finding.verdict != OK for result in visit.results):
        yield ""
        yield from textwrap.wrap(LEVELS_TOLD, width)


def _group(results: Sequence[Result], width: int) -> Iterator[str]:
    """Checks that had nothing to look at, for one and the same reason, share a line after the first of them."""
    told: Dict[str, int] = {}
    for check, finding in results:
        if finding.verdict == UNKNOWN and finding.says in told:
            told[finding.says] += 1
            continue
        if finding.verdict == UNKNOWN and finding.says.startswith("no "):
            told[finding.says] = 0
        yield cut(f"  {mark(check, finding):<4}  {check.name:<{NAME_COLUMNS}} {finding.says}", width)
        if finding.verdict == FAILS:
            yield from block(check, finding, width)
    for says, count in told.items():
        if count:
            yield cut(f"  ?     {f'and {count} more':<{NAME_COLUMNS}} {says}", width)


def block(check: Check, finding: Finding, width: int) -> Iterator[str]:
    """The bytes, the rule and its source, who breaks, and what may cure it."""
    if columns_of(f"  FAIL  {check.name:<{NAME_COLUMNS}} {finding.says}") > width:
        yield from _wrapped("what", finding.says, width)
    texts = (finding.seen, f"{check.rule} ({check.level}; {check.source})", check.breaks, check.cure)
    for label, text in zip(_LABELS, texts):
        if text:
            yield from _wrapped(label, text, width)


def _wrapped(label: str, text: str, width: int) -> Iterator[str]:
    head = f"{_INDENT}{label:<8}"
    room = max(20, width - len(head))
    lines: List[str] = []
    for line in textwrap.wrap(text, room, break_on_hyphens=False) or [""]:
        lines += _by_columns(line, room)
    for number, line in enumerate(lines):
        yield (head if number == 0 else " " * len(head)) + line


def _by_columns(line: str, room: int) -> Iterator[str]:
    """Chinese and emoji are two columns wide, which textwrap does not know."""
    while columns_of(line) > room:
        end = len(line) - 1
        while columns_of(line[:end]) > room:
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line


def _opening(visit: Visit, letter: str, width: int) -> Iterator[str]:
    yield f"{letter}{visit.place}"
    if visit.evidence.sights:
        embedding = f", embeddings: {visit.plan.embedding_model}" if visit.plan.embedding_model else ""
        yield cut(f"{letter}model: {visit.plan.model}{embedding}", width)
    for note in visit.plan.notes:
        yield cut(f"{letter}{note}", width)


def counts_of(visit: Visit) -> Dict[str, int]:
    """{"ok": 90, "FAIL": 1, ...}: how many lines have each mark."""
    counts = dict.fromkeys(("ok", "FAIL", "WARN", "note", "?"), 0)
    for check, finding in visit.results:
        counts[mark(check, finding)] += 1
    return counts


def _closing(visit: Visit, letter: str, width: int) -> Iterator[str]:
    yield ""
    if visit.unreached:
        yield from textwrap.wrap(f"{letter}{len(visit.unreached)} checks were not reached: {_why(visit)}", width)
    counted = ", ".join(f"{count} {name}" for name, count in counts_of(visit).items() if count)
    yield from textwrap.wrap(f"{letter}{counted}", width)
    yield from textwrap.wrap(f"{letter}{_took(visit)}", width)


def _why(visit: Visit) -> str:
    way = visit.evidence.way
    failed = next((step for step in way.steps if not step.good), None) if way is not None else None
    return f"the way ended at {failed.name}" if failed else "no request was answered"


def _took(visit: Visit) -> str:
    tokens = f"{visit.prompt_tokens:,} in + {visit.completion_tokens:,} out tokens"
    cost = ", price unknown" if visit.cost_usd is None else f", ${visit.cost_usd:.6f} at list price"
    spent = (
        f", {tokens}{'' if visit.plan.is_practice else cost}" if visit.prompt_tokens or visit.completion_tokens else ""
    )
    return f"{visit.requests} requests{spent}, {visit.seconds:.1f} s"


# --- two side by side


def _pair(visits: Sequence[Visit], width: int) -> Iterator[str]:
    """A table with a column for each server; then what failed, server by server."""
    letters = [f"{chr(ord('A') + number)}  " for number in range(len(visits))]
    for letter, visit in zip(letters, visits):
        yield from _opening(visit, letter, width)
    found = [{result.check.name: result for result in visit.results} for visit in visits]
    checks = _in_order(visits)
    for group, heading in GROUPS.items():
        rows = [check for check in checks if check.group == group]
        if rows:
            yield ""
            yield f"{heading:<{NAME_COLUMNS + 2}}  {'A':<6}{'B':<6}"
            yield from (_row(check, [results.get(check.name) for results in found], width) for check in rows)
    for letter, visit in zip(letters, visits):
        failed = [result for result in visit.results if result.finding.verdict == FAILS]
        if failed:
            yield ""
            yield f"{letter}{visit.place}"
            yield from _group(failed, width)
        yield from _closing(visit, letter, width)
    yield ""
    yield from textwrap.wrap(LEVELS_TOLD, width)


def _in_order(visits: Sequence[Visit]) -> List[Check]:
    every = {result.check.name: result.check for visit in visits for result in visit.results}
    places = {group: place for place, group in enumerate(GROUPS)}
    return sorted(every.values(), key=lambda check: places[check.group])


def _row(check: Check, results: Sequence[Optional[Result]], width: int) -> str:
    marks = [mark(*result) if result is not None else "-" for result in results]
    differs = "" if len(set(marks)) == 1 else next(_differing(results, marks), "")
    return cut(f"  {check.name:<{NAME_COLUMNS}}  {''.join(f'{word:<6}' for word in marks)}{differs}", width)


def _differing(results: Sequence[Optional[Result]], marks: Sequence[str]) -> Iterator[str]:
    """The words of the one that failed, or else of the first that says anything."""
    for result, word in sorted(zip(results, marks), key=lambda pair: pair[1] in ("ok", "-", "?")):
        if result is not None:
            yield result.finding.says if word != "ok" else ""


# --- for programs


def as_json(visits: Sequence[Visit], *, secrets: Sequence[str] = ()) -> str:
    return redact_text(json.dumps(_documents(visits), indent=2, ensure_ascii=False), secrets)


def _documents(visits: Sequence[Visit]) -> Mapping[str, Any]:
    servers = [_document(visit) for visit in visits]
    code = next((visit.exit_code for visit in visits if visit.exit_code), 0)
    return {"report": "doctor", "version": 1, "exit_code": code, "servers": servers}


def _document(visit: Visit) -> Dict[str, Any]:
    return {
        "base_url": visit.place,
        "model": visit.plan.model,
        "embedding_model": visit.plan.embedding_model or None,
        "notes": visit.plan.notes,
        "exit_code": visit.exit_code,
        "requests": visit.requests,
        "prompt_tokens": visit.prompt_tokens,
        "completion_tokens": visit.completion_tokens,
        "cost_usd": visit.cost_usd,
        "seconds": round(visit.seconds, 3),
        "counts": counts_of(visit),
        "checks": [_check(result) for result in visit.results],
        "not_reached": [check.name for check in visit.unreached],
    }


def _check(result: Result) -> Dict[str, Any]:
    check, finding = result
    texts: Tuple[Tuple[str, str], ...] = (("rule", check.rule), ("source", check.source))
    if finding.verdict == FAILS:
        texts += (("breaks", check.breaks), ("cure", check.cure))
    return {
        "name": check.name,
        "group": check.group,
        "level": check.level,
        "verdict": finding.verdict,
        "says": finding.says,
        "seen": finding.seen,
        **dict(texts),
    }
