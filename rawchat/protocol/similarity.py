"""How near two vectors are, and which of many are nearest: in plain Python, quick enough for tens of thousands.

    cosine_similarity([1, 0], [1, 1])                  0.7071...
    nearest(query, vectors, count=2)                   [Match(position=7, similarity=0.83), ...]

Takes lists, arrays, rows of numpy (whatever has `tolist`) and any other iterable of numbers. Knows nothing of where the
vectors come from, and keeps no index: `nearest` looks at every vector. Pure.
"""

from __future__ import annotations

import heapq
import math
import operator
from typing import Any, Callable, Iterable, List, NamedTuple


class Match(NamedTuple):
    """A vector by its place in the list, and how near it is: 1.0 for the same direction."""

    position: int
    similarity: float


def cosine_similarity(a: Iterable[float], b: Iterable[float]) -> float:
    """From -1.0 (opposite) over 0.0 (nothing in common) to 1.0 (the same direction); 0.0 where one is all zeros.

    Raises ValueError where the lengths differ.
    """
    first = _numbers(a)
    return _cosine(first, math.hypot(*first), _numbers(b))


def nearest(query: Iterable[float], vectors: Iterable[Iterable[float]], count: int = 5) -> List[Match]:
    """The `count` vectors nearest to `query`, the nearest first; of equals the earlier. Raises ValueError as above."""
    wanted = _numbers(query)
    size = math.hypot(*wanted)
    found = (Match(place, _cosine(wanted, size, _numbers(vector))) for place, vector in enumerate(vectors))
    return heapq.nlargest(count, found, key=operator.itemgetter(1))


def _numbers(vector: Any) -> List[float]:
    """As a list of Python's own floats, with which arithmetic is several times as fast as with numpy's single ones."""
    return list(vector.tolist() if hasattr(vector, "tolist") else vector)


def _dot_by_hand(a: List[float], b: List[float]) -> float:
    total: float = sum(map(operator.mul, a, b))
    return total


# Since Python 3.12 in C, four times as fast.
_dot: Callable[[List[float], List[float]], float] = getattr(math, "sumprod", _dot_by_hand)


def _cosine(a: List[float], size_of_a: float, b: List[float]) -> float:
    if len(a) != len(b):
        why = "they come from different models, or were cut to different dimensions"
        raise ValueError(f"a vector of {len(a)} numbers cannot be compared with one of {len(b)}: {why}")
    sizes = size_of_a * math.hypot(*b)
    if not sizes:
        return 0.0
    # Rounding may carry it past 1, where acos() fails. In this order a NaN stays a NaN.
    return float(min(max(_dot(a, b) / sizes, -1.0), 1.0))
