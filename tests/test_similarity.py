"""How near vectors are: plain Python, whatever kind of sequence they come in."""

import math
from array import array

import pytest

from . import module, rawchat

similarity = module("protocol.similarity")

PAIRS = [
    ("the same", [1.0, 2.0], [1.0, 2.0], 1.0),
    ("the same direction", [1.0, 2.0], [10.0, 20.0], 1.0),
    ("opposite", [1.0, 2.0], [-1.0, -2.0], -1.0),
    ("at a right angle", [1.0, 0.0], [0.0, 5.0], 0.0),
    ("half way", [1, 0], [1, 1], math.sqrt(0.5)),
    ("a zero vector", [0.0, 0.0], [1.0, 2.0], 0.0),
    ("two zero vectors", [0.0], [0.0], 0.0),
    ("nothing at all", [], [], 0.0),
    ("whole numbers and tuples", (3, 4), (4, 3), 24 / 25),
    ("arrays", array("f", [3, 4]), array("d", [4, 3]), 24 / 25),
    ("a generator", (value for value in (3.0, 4.0)), iter([4, 3]), 24 / 25),
    ("of very different sizes", [1e-8, 0.0], [1e8, 1e8], math.sqrt(0.5)),
]  # fmt: skip


@pytest.mark.parametrize("name, a, b, expected", PAIRS, ids=[row[0] for row in PAIRS])
def test_cosine_similarity(name, a, b, expected):
    """The cosine of the angle between them; 0.0 where a vector has no direction."""
    assert similarity.cosine_similarity(a, b) == pytest.approx(expected, abs=1e-12)


def test_the_same_without_the_quick_product(monkeypatch):
    """Before Python 3.12 there is no math.sumprod; the figures are the same."""
    monkeypatch.setattr(similarity, "_dot", similarity._dot_by_hand)
    assert similarity.cosine_similarity([3, 4], [4, 3]) == pytest.approx(24 / 25)


def test_rounding_never_carries_it_past_one():
    """acos() of 1.0000000000000002 would fail."""
    for count in range(1, 200):
        vector = [1 / (3 + place) for place in range(count)]
        assert similarity.cosine_similarity(vector, vector) <= 1.0
        assert similarity.cosine_similarity(vector, [-value for value in vector]) >= -1.0


def test_a_nan_stays_one():
    """Nonsense in is not told as a perfect match."""
    assert math.isnan(similarity.cosine_similarity([math.nan, 1.0], [1.0, 1.0]))


def test_different_lengths_are_told():
    """Vectors of two models don't compare; the error says both lengths."""
    with pytest.raises(ValueError, match="3 numbers cannot be compared with one of 2"):
        similarity.cosine_similarity([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="2 numbers cannot be compared with one of 1"):
        similarity.nearest([1, 2], [[1, 2], [1]])


def test_numpy_is_taken_and_not_needed():
    """Rows of numpy, and single numbers of it, give what lists give."""
    numpy = pytest.importorskip("numpy")
    a, b = numpy.array([3, 4], dtype="float32"), numpy.array([4, 3])
    assert similarity.cosine_similarity(a, b) == pytest.approx(24 / 25)
    found = similarity.nearest(list(a), numpy.eye(2))
    assert [match.position for match in found] == [1, 0]
    assert type(found[0].similarity) is float


def test_the_nearest_come_first():
    """Sorted by similarity, at most `count` of them; of equals the earlier first."""
    vectors = [[0, 1], [1, 0], [1, 1], [2, 0], [-1, 0]]
    assert [match.position for match in rawchat.nearest([1, 0], vectors, 3)] == [1, 3, 2]
    assert [match.position for match in rawchat.nearest([1, 0], vectors)] == [1, 3, 2, 0, 4]
    assert rawchat.nearest([1, 0], vectors, 1) == [similarity.Match(1, 1.0)]
    assert rawchat.nearest([1, 0], vectors, 0) == [] == rawchat.nearest([1, 0], [])
