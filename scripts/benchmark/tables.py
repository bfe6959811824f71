"""Results as people read them: a block per figure as it comes, and one table of all targets. Pure.

one warm call, CPU (us)
  openai                812     798-840
  rawchat+requests      371     365-380     0.46 (0.45-0.47) of openai, to reach 0.50: reached
"""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from .figures import Result, Spread, Verdict, spread, verdicts
from .rows import OURS

UNITS = {"us": "µs"}
JUDGED = {True: "reached", False: "MISSED", None: "not measured"}
DOORS = {"rawchat+requests": "with requests", "rawchat+stdlib": "with the standard library"}


def number(value: float) -> str:
    """Three digits say all that such a measurement knows: 0.0123, 1.23, 12.3, 123, 12300."""
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    digits = f"{value:.3g}"
    return f"{float(digits):.0f}" if "e" in digits else digits


def span(seen: Spread) -> str:
    low, high = number(seen.low), number(seen.high)
    return low if low == high else f"{low}-{high}"


def ratio_text(found: Verdict) -> str:
    """`0.46 (0.45-0.47) of openai`; where there is no peer to compare with, the figure itself."""
    if found.seen is None:
        return "not measured"
    text = number(found.seen.median)
    return f"{text} ({span(found.seen)}) of {found.target.beside}" if found.target.beside else text


def title_of(result: Result) -> str:
    return result.row.title + (f", {result.variant}" if len(result.row.variants) > 1 else "")


def unit_of(result: Result) -> str:
    return UNITS.get(result.row.unit, result.row.unit)


def block(result: Result) -> str:
    """All that was seen of one figure: a way a line, and what is to be reached below."""
    unit = unit_of(result)
    rounds = max(map(len, result.values.values()), default=0)
    told = ", ".join(filter(None, [unit, f"{rounds} round" + "s" * (rounds != 1)]))
    lines = [f"{title_of(result)} ({told})"]
    for way, values in result.values.items():
        seen = spread(values)
        lines.append(f"  {way:<18}{number(seen.median):>8}   {span(seen)}".rstrip())
    lines += [f"  {way:<18}not measured: {reason}" for way, reason in result.absent.items()]
    for found in verdicts(result):
        reach = f"to reach {found.target.at_most:g}: {JUDGED[found.reached]}"
        lines.append(f"  -> {found.target.ours}: {ratio_text(found)}, {reach}")
    return "\n".join(lines)


def columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def summary(results: Sequence[Result]) -> str:
    """A target a line."""
    lines: List[Tuple[str, ...]] = [("figure", "rawchat", "seen", "to reach", "")]
    for result in results:
        for found in verdicts(result):
            name = result.row.name + (f" ({result.variant})" if len(result.row.variants) > 1 else "")
            reach, judged = f"{found.target.at_most:g}", JUDGED[found.reached]
            lines.append((name, found.target.ours, ratio_text(found), reach, judged))
    return columns(lines)


def markdown(results: Sequence[Result], facts: Dict[str, str]) -> str:
    """The README's table, a target a line; the first line of a figure names it and its peers."""
    lines = ["| figure | peers | rawchat | ratio | to reach | |", "|---|---|---|---|---|---|"]
    for result in results:
        cells = [title_of(result), peers_of(result)]
        for found in verdicts(result):
            beside = f" of {found.target.beside}" if found.target.beside else f" {unit_of(result)}"
            reach = f"{found.target.at_most:g}{beside}".rstrip()
            shown = [*cells, ours_of(result, found), ratio_text(found), reach, JUDGED[found.reached]]
            lines.append("| " + " | ".join(shown) + " |")
            cells = ["", ""]
    return "\n".join([*lines, "", measured_on(facts)])


def peers_of(result: Result) -> str:
    """`openai 812 µs, Session 433, socket 58`: the unit once."""
    medians = [(way, spread(values).median) for way, values in result.values.items() if way not in OURS]
    told = [f"{way} {number(value)}" for way, value in medians]
    return ", ".join([f"{told[0]} {unit_of(result)}".rstrip(), *told[1:]]) if told else ""


def ours_of(result: Result, found: Verdict) -> str:
    name = DOORS.get(found.target.ours, found.target.ours)
    values = result.values.get(found.target.ours)
    return f"{name}: {number(spread(values).median)} {unit_of(result)}".rstrip() if values else name


def measured_on(facts: Dict[str, str]) -> str:
    """The sentence below the table: without date, machine and versions a figure says nothing."""
    versions = ", ".join(f"{name} {version}" for name, version in facts.items() if name not in ("date", "machine"))
    return f"Measured {facts.get('date', '?')} by `scripts/bench` on {facts.get('machine', '?')}, with {versions}."
