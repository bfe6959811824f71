"""Sample values for JSON Schemas, and texts for patterns."""

import re

import pytest

from . import module

samples = module("lab.actor.samples")
patterns = module("lab.actor.patterns")


def fill(schema, text="", optional=True):
    return samples.sample_value(schema, samples.words_of(text), optional=optional)


def props(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
NODE = {
    "$defs": {
        "Node": props(
            value=INTEGER,
            next={"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            children={"type": "array", "items": {"$ref": "#/$defs/Node"}},
        )
    },
    "$ref": "#/$defs/Node",
}
# name, schema, the user's words, the value
ROWS = [
    ("place", props(city=STRING), "The weather in Paris, please", {"city": "Paris"}),
    (
        "place-with-state",
        props(location=STRING),
        "weather in San Francisco, CA today",
        {"location": "San Francisco, CA"},
    ),
    ("place-in-lower-case", props(city=STRING), "weather in paris", {"city": "paris"}),
    (
        "two-places",
        props(origin=STRING, destination=STRING),
        "fly from Rome to New York",
        {"origin": "Rome", "destination": "Rome"},
    ),
    ("numbers-in-order", props(a=NUMBER, b=NUMBER), "add 2 and 3.5", {"a": 2.0, "b": 3.5}),
    ("named-number", props(size=INTEGER, count=INTEGER), "count is 7, size: 3", {"size": 3, "count": 7}),
    ("named-text", props(title=STRING), "The title is Dune.", {"title": "Dune"}),
    ("quoted-text", props(phrase=STRING), 'Translate "good day"', {"phrase": "good day"}),
    ("question-itself", props(query=STRING), "red shoes", {"query": "red shoes"}),
    ("named-option", props(unit={"enum": ["celsius", "fahrenheit"]}), "in fahrenheit", {"unit": "fahrenheit"}),
    (
        "no-words",
        props(first_name=STRING, someThing=STRING),
        "",
        {"first_name": "Ada Lovelace", "someThing": "practice some thing"},
    ),
    ("boolean", props(a={"type": "boolean"}, b={"type": "boolean"}), "b is false", {"a": True, "b": False}),
    ("range", props(a={**INTEGER, "minimum": 10, "maximum": 20}), "3 times", {"a": 15}),
    ("exclusive-range", props(a={**INTEGER, "exclusiveMinimum": 4, "exclusiveMaximum": 6}), "", {"a": 5}),
    ("multiple", props(a={**INTEGER, "minimum": 10, "multipleOf": 7}), "", {"a": 14}),
    ("decimal-range", props(a={**NUMBER, "minimum": 0, "maximum": 0.5}), "", {"a": 0.25}),
    ("constant", props(kind={"const": "x"}), "", {"kind": "x"}),
    ("nullable", props(a={"type": ["integer", "null"]}), "", {"a": 1}),
    ("any-of", props(a={"anyOf": [{"type": "null"}, STRING]}), "", {"a": "practice a"}),
    (
        "all-of",
        {
            "allOf": [
                {"type": "object", "properties": {"a": INTEGER}, "required": ["a"]},
                {"properties": {"b": {"const": 2}}, "required": ["b"]},
            ]
        },
        "",
        {"a": 1, "b": 2},
    ),
    ("list", props(tags={"type": "array", "items": STRING}), "", {"tags": ["practice tags", "practice tags 2"]}),
    ("short-list", props(a={"type": "array", "items": INTEGER, "maxItems": 1}), "", {"a": [1]}),
    (
        "unique-options",
        props(a={"type": "array", "items": {"enum": [1, 2]}, "minItems": 2, "uniqueItems": True}),
        "",
        {"a": [1, 2]},
    ),
    (
        "tuple",
        props(a={"type": "array", "prefixItems": [STRING, {"const": 0}], "items": False}),
        "",
        {"a": ["practice a", 0]},
    ),
    ("map", props(a={"type": "object", "additionalProperties": INTEGER}), "", {"a": {"key1": 1}}),
    (
        "length",
        props(a={**STRING, "maxLength": 4}, b={**STRING, "minLength": 14}),
        "",
        {"a": "prac", "b": "practice b...."},
    ),
    (
        "format",
        props(a={**STRING, "format": "date"}, b={**STRING, "format": "email"}),
        "",
        {"a": "2026-01-31", "b": "ada@example.com"},
    ),
    ("recursive", NODE, "", {"value": 1, "next": None, "children": []}),
    (
        "recursive-root",
        {"type": "object", "properties": {"child": {"$ref": "#"}, "n": INTEGER}},
        "",
        {"child": {"n": 1}, "n": 1},
    ),
    ("anything", True, "", "practice text"),
    ("empty-object", {"type": "object"}, "", {}),
]


@pytest.mark.parametrize(("schema", "text", "value"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_samples(schema, text, value):
    """The value fits the schema and takes from the words what they offer."""
    assert fill(schema, text) == value


@pytest.mark.parametrize(("schema", "text"), [row[1:3] for row in ROWS], ids=[row[0] for row in ROWS])
def test_samples_validate(schema, text):
    """jsonschema agrees that the value fits."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(schema).validate(fill(schema, text))


def test_a_schema_that_demands_itself_without_end_ends_all_the_same():
    """No value can fit it; giving one up beats never answering."""
    assert "child" in fill({"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["child"]})


def test_optional_properties_come_only_with_words_for_them():
    """A tool call gives the optional arguments that the user spoke of, and leaves the others to their defaults."""
    schema = {
        "type": "object",
        "properties": {"city": STRING, "unit": {"enum": ["celsius", "kelvin"]}, "days": INTEGER},
    }
    assert fill(schema, "in Rome", optional=False) == {"city": "Rome"}
    assert fill(schema, "in Rome in kelvin, days: 3", optional=False) == {"city": "Rome", "unit": "kelvin", "days": 3}


PLACES = [
    ("list", "in Paris, London and Rome?", ["Paris", "London", "Rome"]),
    ("in-and-in", "weather in Paris and in Tokyo", ["Paris", "Tokyo"]),
    ("city-country", "in Paris, France", ["Paris, France"]),
    ("state", "from New York to Austin, TX", ["New York", "Austin, TX"]),
    ("once-each", "in Rome or at Rome", ["Rome"]),
    ("none", "What time is it?", []),
]


@pytest.mark.parametrize(("text", "places"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_places(text, places):
    """Places are capitalised words after a preposition."""
    assert samples.places_in(text) == places


PATTERNS = [
    r"^[A-Z]{2}-\d{4}$", r"^\d{3}-\d{2}-\d{4}$", r"^#?[0-9a-f]{6}$", r"^(red|green)-[^\d\s]+$", r"\w+@\w+\.[a-z]{2,}",
    r"^[^a]*$", r"^(?:[01]\d|2[0-3]):[0-5]\d$", r"^.{5,8}$", r"^a??b*?c+?$", r"^[^\W_]+$", r"^[\w.-]+$", r"^\S+\s\S+$",
    r"x", r"",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_text_is_made_for_a_pattern(pattern):
    """Whatever comes out matches."""
    made = patterns.text_for_pattern(pattern)
    assert re.search(pattern, made)


def test_a_word_of_the_user_that_matches_is_taken():
    """Better their order number than a made-up one."""
    assert fill(props(order={**STRING, "pattern": r"^[A-Z]{2}\d+$"}), "Where is order XY77 now?") == {"order": "XY77"}


@pytest.mark.parametrize("pattern", [r"^(?!a)b$", r"^(a)\1$", r"(", r"^\p{L}+$"])
def test_a_pattern_beyond_it_is_admitted(pattern):
    """None, and never a text that does not match."""
    assert patterns.text_for_pattern(pattern) is None
