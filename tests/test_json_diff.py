"""Two JSON values compared by path and by meaning."""

import copy
import random

import pytest

from . import module

json_diff = module("lab.json_diff")
M, S = json_diff.MEANING, json_diff.SOFT
A = json_diff.ABSENT
TEXT = [{"type": "text", "text": "hi"}]


def said(text, role="user"):
    return {"role": role, "content": text}


# name: (left, right, [(weight, path, left value, right value)])
ROWS = {
    "equal": ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, []),
    "another order of keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    "a value": ({"temperature": 0.2}, {"temperature": 0.7}, [(M, "temperature", 0.2, 0.7)]),
    "absent is not null": ({"stop": None}, {}, [(M, "stop", None, A)]),
    "absent is not null below": ({"a": {"b": None}}, {"a": {}}, [(M, "a.b", None, A)]),
    "text is no number": ({"n": "1"}, {"n": 1}, [(M, "n", "1", 1)]),
    "1 and 1.0": ({"top_k": 1}, {"top_k": 1.0}, [(S, "top_k", 1, 1.0)]),
    "true and 1": ({"stream": True}, {"stream": 1}, [(M, "stream", True, 1)]),
    "text against parts": (
        {"messages": [said("hi")]},
        {"messages": [said(TEXT)]},
        [(S, "messages[0].content", "hi", TEXT)],
    ),
    "parts against text, the other way": (
        {"messages": [said(TEXT)]},
        {"messages": [said("hi")]},
        [(S, "messages[0].content", TEXT, "hi")],
    ),
    "text against parts that say something else": (
        {"messages": [said("ho")]},
        {"messages": [said(TEXT)]},
        [(M, "messages[0].content", "ho", TEXT)],
    ),
    "text against parts with a picture": (
        {"content": "hi"},
        {"content": [*TEXT, {"type": "image_url", "image_url": {"url": "x"}}]},
        [(M, "content", "hi", [*TEXT, {"type": "image_url", "image_url": {"url": "x"}}])],
    ),
    "inside a part": (
        {"messages": [said(TEXT)]},
        {"messages": [said([{"type": "text", "text": "ho"}])]},
        [(M, "messages[0].content[0].text", "hi", "ho")],
    ),
    "two names of one limit": (
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        [(S, "max_tokens / max_completion_tokens", 5, 5)],
    ),
    "two names, the other way": (
        {"max_completion_tokens": 5},
        {"max_tokens": 5},
        [(S, "max_completion_tokens / max_tokens", 5, 5)],
    ),
    "two names and two limits": (
        {"max_tokens": 5},
        {"max_completion_tokens": 6},
        [(M, "max_tokens / max_completion_tokens", 5, 6)],
    ),
    "both names on one side are no pair": (
        {"max_tokens": 5},
        {"max_tokens": 5, "max_completion_tokens": 5},
        [(M, "max_completion_tokens", A, 5)],
    ),
    "an added stream_options": (
        {},
        {"stream_options": {"include_usage": True}},
        [(S, "stream_options", A, {"include_usage": True})],
    ),
    "a default written out": (
        {"temperature": 1, "stream": False},
        {},
        [(S, "temperature", 1, A), (S, "stream", False, A)],
    ),
    "what looks like a default": ({"n": True}, {}, [(M, "n", True, A)]),
    "an unknown parameter": ({}, {"top_k": 5}, [(M, "top_k", A, 5)]),
    "a message put in front": (
        {"messages": [said("a"), said("b")]},
        {"messages": [said("s", "system"), said("a"), said("b")]},
        [(M, "messages[0]", A, said("s", "system"))],
    ),
    "a message less": (
        {"messages": [said("a"), said("b")]},
        {"messages": [said("b")]},
        [(M, "messages[0]", said("a"), A)],
    ),
    "another role": (
        {"messages": [said("s", "system")]},
        {"messages": [said("s", "developer")]},
        [(M, "messages[0].role", "system", "developer")],
    ),
    "a list is no object": ({"stop": ["a"]}, {"stop": {"a": 1}}, [(M, "stop", ["a"], {"a": 1})]),
    "no objects at all": ([1], [2], [(M, "[0]", 1, 2)]),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_difference_is_found_with_its_weight(name):
    left, right, expected = ROWS[name]
    assert [tuple(found[:4]) for found in json_diff.compare(left, right)] == expected


@pytest.mark.parametrize("name", ROWS)
def test_swapping_the_sides_swaps_the_findings(name):
    left, right, _ = ROWS[name]
    there = json_diff.compare(left, right)
    back = json_diff.compare(right, left)
    assert sorted(found.weight for found in there) == sorted(found.weight for found in back)


def random_value(dice, depth=0):
    if depth < 3 and dice.random() < 0.6:
        if dice.random() < 0.5:
            return {dice.choice("abcdef"): random_value(dice, depth + 1) for _ in range(dice.randrange(4))}
        return [random_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    return dice.choice([None, True, False, 0, 1, 1.5, "", "x", "y"])


@pytest.mark.parametrize("seed", range(50))
def test_a_value_and_its_copy_never_differ_and_two_values_that_do_are_told(seed):
    dice = random.Random(seed)
    one, other = random_value(dice), random_value(dice)
    assert json_diff.compare(one, copy.deepcopy(one)) == []
    assert bool(json_diff.compare(one, other)) == (repr(sorted_deep(one)) != repr(sorted_deep(other)))


def sorted_deep(value):
    if isinstance(value, dict):
        return sorted((name, sorted_deep(item)) for name, item in value.items()), "object"
    return [sorted_deep(item) for item in value] if isinstance(value, list) else value


WORDS = {
    "in the middle": ("one two three", "one deux three", "one [-two-]{+deux+} three"),
    "added": ("one two", "one two three", "one two{+ three+}"),
    "removed": ("one two three", "two three", "[-one -]two three"),
    "far apart": (
        "a " + "same " * 30 + "b",
        "x " + "same " * 30 + "y",
        "[-a-]{+x+} same same same same … same same same same [-b-]{+y+}",
    ),
    "equal": ("one", "one", "one"),
}


@pytest.mark.parametrize("name", WORDS)
def test_texts_are_compared_by_words(name):
    left, right, expected = WORDS[name]
    assert " ".join(json_diff.word_diff(left, right).split()) == expected
