"""Rounds, medians, spreads and ratios. Pure: who measures, and what, comes from outside.

A B C  A B C  A B C      every way once a round, so that what the machine does meanwhile meets all alike
A1/C1  A2/C2  A3/C3      a ratio is taken within a round; shown are the median, and the middle half as the spread
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from .rows import Row, Target


class Spread(NamedTuple):
    """The median, and the quarter points around it: half of all values lie between `low` and `high`."""

    median: float
    low: float
    high: float


class Result(NamedTuple):
    """One row, one variant: what each way needed in each round, in the row's unit."""

    row: Row
    variant: str
    values: Dict[str, List[float]]
    absent: Dict[str, str]  # way -> why it could not be measured here


class Verdict(NamedTuple):
    """A target and what was seen of it; `seen` is None where one of the two could not be measured."""

    target: Target
    seen: Optional[Spread]

    @property
    def reached(self) -> Optional[bool]:
        return None if self.seen is None else self.seen.median <= self.target.at_most


def interleaved(ways: Sequence[str], rounds: int) -> Iterable[Tuple[int, str]]:
    """(round, way) in the order of measuring: A B C A B C."""
    return ((number, way) for number in range(rounds) for way in ways)


def measured(ways: Sequence[str], rounds: int, measure: Callable[[str], float]) -> Dict[str, List[float]]:
    """What `measure(way)` gave, round by round."""
    values: Dict[str, List[float]] = {way: [] for way in ways}
    for _, way in interleaved(ways, rounds):
        values[way].append(measure(way))
    return values


def quantile(values: Sequence[float], part: float) -> float:
    """Of any values, at least one; between two of them in proportion."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * part
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def spread(values: Sequence[float]) -> Spread:
    return Spread(quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75))


def ratios(ours: Sequence[float], beside: Sequence[float]) -> List[float]:
    """Round by round. Both must have been measured in the same rounds."""
    if len(ours) != len(beside):
        raise ValueError(f"{len(ours)} rounds beside {len(beside)}: these were not measured together")
    return [mine / other for mine, other in zip(ours, beside)]


def verdict(target: Target, values: Dict[str, List[float]]) -> Verdict:
    ours = values.get(target.ours)
    if not ours:
        return Verdict(target, None)
    if not target.beside:
        return Verdict(target, spread(ours))
    beside = values.get(target.beside)
    return Verdict(target, spread(ratios(ours, beside)) if beside else None)


def verdicts(result: Result) -> List[Verdict]:
    return [verdict(target, result.values) for target in result.row.targets]


# ---- to JSON and back, so that a table can be printed again without measuring again


def to_document(result: Result) -> Dict[str, Any]:
    seen = [
        {**found.target._asdict(), "seen": found.seen and found.seen._asdict(), "reached": found.reached}
        for found in verdicts(result)
    ]
    return {
        "row": result.row.name,
        "variant": result.variant,
        "unit": result.row.unit,
        "values": result.values,
        "absent": result.absent,
        "targets": seen,
    }


def from_document(document: Dict[str, Any], rows: Iterable[Row]) -> Result:
    """The values as they were measured, judged by today's targets. Raises KeyError for a row that is gone."""
    row = {row.name: row for row in rows}[document["row"]]
    return Result(row, document["variant"], document["values"], document["absent"])
