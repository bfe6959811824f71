"""JSON Schema: what the check finds and where, and what strict mode makes of a schema."""

import copy
import inspect
import json
import random
import sys

import pytest

from . import module, rawchat

check = module("protocol.check")
errors = module("protocol.errors")
judge = module("lab.actor.schema_rules")  # the practice server's own reading of strict mode, in the API's words

STRING, INTEGER, NUMBER, NULL = ({"type": kind} for kind in ("string", "integer", "number", "null"))


def obj(*required, **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


def closed(*required, **properties):
    return {**obj(*required, **properties), "additionalProperties": False}


ITEMS = obj("items", items={"type": "array", "items": closed("price", price=NUMBER, name=STRING)})
NODE = {"$defs": {"Node": obj("v", v=INTEGER, next={"$ref": "#/$defs/Node"})}, "$ref": "#/$defs/Node"}
DOG, CAT = (closed("kind", "size", kind={"const": kind}, size=INTEGER) for kind in ("dog", "cat"))

# name, value, schema, the problems as text
FINDINGS = [
    ("string", 1, STRING, ["at $: expected string, got integer"]),
    ("true is no integer", True, INTEGER, ["at $: expected integer, got boolean"]),
    ("1.0 is an integer", 1.0, INTEGER, []),
    ("1.5 is none", 1.5, INTEGER, ["at $: expected integer, got number"]),
    ("an integer is a number", 1, NUMBER, []),
    ("null", None, STRING, ["at $: expected string, got null"]),
    ("type list", [], {"type": ["string", "null"]}, ["at $: expected string or null, got array"]),
    ("type list fits", None, {"type": ["string", "null"]}, []),
    ("a type of somebody's own", 1, {"type": "any"}, []),
    ("deep path", {"items": [{"price": 1}, {"price": 2}, {"price": "3"}]}, ITEMS,
     ["at $.items[2].price: expected number, got string"]),
    ("missing", {"items": [{}]}, ITEMS, ['at $.items[0]: missing property "price"']),
    ("unexpected", {"items": [{"price": 1, "x": 2}]}, ITEMS,
     ['at $.items[0]: unexpected property "x"; expected price, name']),
    ("several", {"items": [{"name": 1}]}, ITEMS,
     ["at $.items[0].name: expected string, got integer", 'at $.items[0]: missing property "price"']),
    ("a key that is no word", {"a b": 1}, obj(**{"a b": STRING}), ['at $["a b"]: expected string, got integer']),
    ("free keys", {"a": 1, "b": "x"}, {"type": "object", "additionalProperties": INTEGER},
     ["at $.b: expected integer, got string"]),
    ("keys by pattern are no extras", {"x_a": 1}, {"patternProperties": {"^x_": {}}, "additionalProperties": False}, []),
    ("enum", "c", {"enum": ["a", "b"]}, ['at $: expected one of "a", "b", got "c"']),
    ("enum tells 1 from true", True, {"enum": [1]}, ["at $: expected 1, got true"]),
    ("const", 2, {"const": 1}, ["at $: expected 1, got 2"]),
    ("const null", None, {"const": None}, []),
    ("minimum", 0, {"minimum": 1}, ["at $: must be at least 1, got 0"]),
    ("maximum", 2, {"maximum": 1}, ["at $: must be at most 1, got 2"]),
    ("exclusiveMinimum", 1, {"exclusiveMinimum": 1}, ["at $: must be more than 1, got 1"]),
    ("exclusiveMaximum", 1, {"exclusiveMaximum": 1}, ["at $: must be less than 1, got 1"]),
    ("exclusiveMinimum of draft 4", 0, {"exclusiveMinimum": True}, []),
    ("minimum of a text", "x", {"minimum": 1}, []),
    ("minLength", "", {"minLength": 1}, ["at $: must have at least 1 characters, got 0"]),
    ("maxLength", "ab", {"maxLength": 1}, ["at $: must have at most 1 characters, got 2"]),
    ("minItems", [], {"minItems": 1}, ["at $: must have at least 1 items, got 0"]),
    ("maxItems", [1, 2], {"maxItems": 1}, ["at $: must have at most 1 items, got 2"]),
    ("minProperties", {}, {"minProperties": 1}, ["at $: must have at least 1 properties, got 0"]),
    ("pattern", "b", {"pattern": "^a"}, ['at $: must match the pattern "^a", got "b"']),
    ("pattern is searched", "ba", {"pattern": "a"}, []),
    ("pattern that Python cannot read", "b", {"pattern": "\\p{L}("}, []),
    ("date", "2024-02-30", {"format": "date"}, ['at $: expected a text of the format date, got "2024-02-30"']),
    ("date fits", "2024-02-29", {"format": "date"}, []),
    ("date-time with Z and nanoseconds", "2024-02-29T10:00:00.123456789Z", {"format": "date-time"}, []),
    ("date-time without offset", "2024-02-29T10:00:00", {"format": "date-time"}, []),
    ("date-time", "2024-02-29", {"format": "date-time"},
     ['at $: expected a text of the format date-time, got "2024-02-29"']),
    ("time", "25:00:00", {"format": "time"}, ['at $: expected a text of the format time, got "25:00:00"']),
    ("uuid", "x", {"format": "uuid"}, ['at $: expected a text of the format uuid, got "x"']),
    ("email", "a.b", {"format": "email"}, ['at $: expected a text of the format email, got "a.b"']),
    ("email fits", "a@b", {"format": "email"}, []),
    ("a format of somebody's own", "x", {"format": "color"}, []),
    ("prefixItems", [1, 2], {"prefixItems": [INTEGER, STRING]}, ["at $[1]: expected string, got integer"]),
    ("items after prefixItems", ["a", 1], {"prefixItems": [STRING], "items": STRING},
     ["at $[1]: expected string, got integer"]),
    ("items false", [1, 2], {"prefixItems": [INTEGER], "items": False}, ["at $: must have at most 1 items, got 2"]),
    ("items as a list, as in draft 7", [1, 2], {"items": [INTEGER, STRING]}, ["at $[1]: expected string, got integer"]),
    ("anyOf by type", [], {"anyOf": [STRING, NULL]}, ["at $: expected string or null, got array"]),
    ("anyOf says what is wrong with the branch that was meant", {"kind": "cat", "size": "x"}, {"anyOf": [DOG, CAT]},
     ["at $.size: expected integer, got string"]),
    ("anyOf of an object and null", {"v": "x"}, {"anyOf": [obj(v=INTEGER), NULL]},
     ["at $.v: expected integer, got string"]),
    ("oneOf of none", [], {"oneOf": [STRING, NULL]}, ["at $: expected string or null, got array"]),
    ("oneOf of two", 1, {"oneOf": [INTEGER, NUMBER]}, ["at $: fits 2 of the alternatives, and may fit only one"]),
    ("allOf", 5, {"allOf": [{"minimum": 6}, {"maximum": 4}]},
     ["at $: must be at least 6, got 5", "at $: must be at most 4, got 5"]),
    ("not", 5, {"not": INTEGER}, ['at $: must not fit {"type": "integer"}']),
    ("not fits", "x", {"not": INTEGER}, []),
    ("true", object(), True, []),
    ("false", 1, False, ["at $: nothing may stand here"]),
    ("a property that must not be there", {"a": 1}, obj(a=False), ["at $.a: nothing may stand here"]),
    ("recursive ref", {"v": 1, "next": {"v": 1, "next": {"v": "x"}}}, NODE,
     ["at $.next.next.v: expected integer, got string"]),
    ("escaped ref", 1, {"$ref": "#/$defs/a~1b~0c%20d", "$defs": {"a/b~c d": STRING}},
     ["at $: expected string, got integer"]),
    ("ref with an escaped tilde before a 1", 1, {"$ref": "#/$defs/a~01", "$defs": {"a~1": STRING, "a/": INTEGER}},
     ["at $: expected string, got integer"]),
    ("ref into a list", 1, {"$ref": "#/anyOf/0", "anyOf": [STRING, INTEGER]}, ["at $: expected string, got integer"]),
    ("ref and its neighbours both count", 1, {"$ref": "#/$defs/a", "maximum": 0, "$defs": {"a": STRING}},
     ["at $: expected string, got integer", "at $: must be at most 0, got 1"]),
    ("ref to nowhere", 1, {"$ref": "#/$defs/a"}, []),
    ("ref to another document", 1, {"$ref": "https://example.com/a.json"}, []),
    ("ref to itself", 1, {"$ref": "#"}, []),
    ("ref to itself by way of anyOf", 1, {"anyOf": [{"$ref": "#"}, STRING]}, []),
]  # fmt: skip


@pytest.mark.parametrize("name, value, schema, problems", FINDINGS, ids=[row[0] for row in FINDINGS])
def test_what_is_wrong_is_said_with_its_path(name, value, schema, problems):
    """Each problem as people read it; the first alone is the same; the schema is not touched."""
    before = copy.deepcopy(schema)
    found = check.check_value(value, schema)
    assert [str(problem) for problem in found] == problems
    assert check.first_problem(value, schema) == (found[0] if found else None)
    assert schema == before


def test_a_part_of_a_schema_finds_its_refs_in_the_whole():
    """`root` is where refs start, `path` what the value is called."""
    found = check.first_problem("x", NODE["$defs"]["Node"]["properties"]["next"], root=NODE, path="arguments")
    assert str(found) == "at arguments: expected object, got string"


def test_a_hundred_problems_are_enough():
    """A list of a million wrong items is not told item by item."""
    assert len(check.check_value(["x"] * 10_000, {"items": INTEGER})) == 100
    assert len(check.check_value({str(n): 0 for n in range(500)}, closed())) == 100


def nested(depth, core):
    for _ in range(depth):
        core = {"v": 1, "next": core}
    return core


# A tree of refs in which each level tries the next twice: 2**60 ways without a memory.
TWICE = {"anyOf": [obj("v", v=INTEGER, next={"$ref": "#"}), obj("v", v=INTEGER, next={"$ref": "#"})]}
ALL_TWICE = {"allOf": [obj(v=INTEGER, next={"$ref": "#"}), obj(v=INTEGER, next={"$ref": "#"})]}
DEEP = [
    ("50 levels are looked at", nested(50, {"v": "x"}), NODE, "expected integer, got string"),
    ("2,000 levels are not", nested(2_000, {"v": 1}), NODE, "lies deeper than 128 schemas"),
    ("alternatives are not tried again and again", nested(20, {"v": "x"}), TWICE, "expected integer, got string"),
    ("nor are parts", nested(12, {"v": "x"}), ALL_TWICE, "expected integer, got string"),
]


@pytest.mark.parametrize("name, value, schema, message", DEEP, ids=[row[0] for row in DEEP])
def test_no_depth_breaks_the_check(name, value, schema, message):
    """Deep values and schemas that meet themselves end in a problem, not in a RecursionError, and soon."""
    assert message in check.check_value(value, schema)[0].message


def test_a_stack_that_is_nearly_full_is_a_problem_too():
    """The caller may be deep in its own recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        found = check.check_value(nested(100, {"v": 1}), NODE)
    finally:
        sys.setrecursionlimit(limit)
    assert [str(problem) for problem in found] == ["at $: is too deep to be checked"]


WEIRD = [
    None,
    0,
    -1,
    1.5,
    "",
    "x",
    "#",
    "#/x",
    [],
    {},
    [None],
    [[]],
    {"a": 1},
    True,
    False,
    [1],
    ["string"],
    {"$ref": "#"},
]


@pytest.mark.parametrize("word", [*sorted(check._RULES), "type", "if"])
def test_weird_schemas_raise_nothing(word):
    """Any argument to any keyword, for any value: a list of problems."""
    for argument in WEIRD:
        for schema in ({word: argument}, {"properties": argument, word: argument}, {"items": {word: argument}}):
            for value in [*WEIRD, {"a": [{"b": 1}]}, float("nan"), float("inf"), 10**400]:
                assert isinstance(check.check_value(value, schema), list)


def random_schema(dice, depth=0):
    choices = ["string", "integer", "number", "boolean", "null", "enum", "const"]
    choices += ["object", "array", "anyOf", "oneOf", "allOf", "not", "prefix", "types"] * (depth < 3)
    kind = dice.choice(choices)
    inner = lambda: random_schema(dice, depth + 1)  # noqa: E731
    makers = {
        "enum": lambda: {"enum": dice.sample([1, "a", None, True, 1.5, [1]], 2)},
        "const": lambda: {"const": dice.choice([1, "a", None, True, 0, False])},
        "string": lambda: {"type": "string", dice.choice(["minLength", "maxLength"]): dice.randint(0, 3)},
        "number": lambda: {"type": "number", dice.choice(["minimum", "exclusiveMaximum"]): dice.randint(-1, 2)},
        "object": lambda: {
            "type": "object",
            "properties": {key: inner() for key in dice.sample("abc", 2)},
            "required": dice.sample("abc", 1),
            **dice.choice([{}, {"additionalProperties": False}, {"additionalProperties": {"type": "integer"}}]),
        },
        "array": lambda: {"type": "array", "items": dice.choice([inner(), True]), "maxItems": dice.randint(0, 3)},
        "prefix": lambda: {"prefixItems": [inner(), inner()], "items": dice.choice([False, inner()])},
        "not": lambda: {"not": inner()},
        "types": lambda: {"type": dice.sample(["string", "integer", "null", "object", "array"], 2)},
    }
    return makers.get(kind, lambda: {kind: [inner(), inner()]} if kind.endswith("Of") else {"type": kind})()


def random_value(dice, depth=0):
    plain = [None, True, False, 0, 1, 1.0, 1.5, -3, "", "a", "abcd"]
    if depth > 2 or dice.random() < 0.5:
        return dice.choice(plain)
    if dice.random() < 0.5:
        return [random_value(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    return {key: random_value(dice, depth + 1) for key in dice.sample("abcd", dice.randint(0, 3))}


def test_the_verdict_is_that_of_a_full_validator():
    """On 4,000 random pairs of schema and value, `jsonschema` says the same; both verdicts come up often."""
    jsonschema = pytest.importorskip("jsonschema")
    dice = random.Random(3)
    verdicts = []
    for _ in range(4_000):
        schema, value = random_schema(dice), random_value(dice)
        verdicts.append(jsonschema.Draft202012Validator(schema).is_valid(value))
        assert (not check.check_value(value, schema)) == verdicts[-1], (schema, value)
    assert 500 < sum(verdicts) < 3_500


# ---- strict mode

REF = {"$ref": "#/$defs/N"}
# name, schema, its strict copy. Those marked SDK are the ones the openai package fails at (3.52.0).
STRICT = [
    ("object", {"type": "object", "properties": {"b": STRING, "a": STRING}}, closed("b", "a", b=STRING, a=STRING)),
    ("what was optional is required", obj("a", a=STRING, b=STRING), closed("a", "b", a=STRING, b=STRING)),
    ("no properties", {"type": "object"}, closed()),
    ("properties without a type", {"properties": {"a": STRING}}, closed("a", a=STRING)),
    ("SDK: type list with object", {"type": ["object", "null"], "properties": {"a": STRING}},
     {**closed("a", a=STRING), "type": ["object", "null"]}),
    ("SDK: oneOf", obj(a={"oneOf": [obj(x=STRING), NULL]}), closed("a", a={"anyOf": [closed("x", x=STRING), NULL]})),
    ("oneOf with a discriminator", {"oneOf": [obj(x=STRING)], "discriminator": {"propertyName": "x"}},
     {"anyOf": [closed("x", x=STRING)]}),
    ("SDK: prefixItems", {"type": "array", "prefixItems": [obj(x=STRING), STRING, STRING]},
     {"type": "array", "minItems": 3, "maxItems": 3, "items": {"anyOf": [closed("x", x=STRING), STRING]}}),
    ("prefixItems of one kind", {"type": "array", "prefixItems": [NUMBER, NUMBER], "minItems": 2, "maxItems": 2},
     {"type": "array", "minItems": 2, "maxItems": 2, "items": NUMBER}),
    ("prefixItems that are not all wanted", {"type": "array", "prefixItems": [NUMBER] * 3, "minItems": 1, "maxItems": 2},
     {"type": "array", "minItems": 1, "maxItems": 2, "items": NUMBER}),
    ("prefixItems and more", {"type": "array", "prefixItems": [NUMBER], "items": STRING},
     {"type": "array", "minItems": 1, "items": {"anyOf": [NUMBER, STRING]}}),
    ("SDK: recursive ref with a description",
     {"type": "object", "properties": {"n": REF}, "$defs": {"N": obj(next={**REF, "description": "d"})}},
     {**closed("n", n=REF), "$defs": {"N": closed("next", next={"anyOf": [REF], "description": "d"})}}),
    ("SDK: recursive ref to the root with a description", obj(next={"$ref": "#", "description": "d"}),
     closed("next", next={"anyOf": [{"$ref": "#"}], "description": "d"})),
    ("SDK: escaped ref with a description",
     {"type": "object", "properties": {"n": {"$ref": "#/$defs/a~1b~0c", "title": "t"}}, "$defs": {"a/b~c": STRING}},
     {**closed("n", n={"anyOf": [{"$ref": "#/$defs/a~1b~0c"}], "title": "t"}), "$defs": {"a/b~c": STRING}}),
    ("SDK: a property under false", obj(a=STRING, b=False), closed("a", a=STRING)),
    ("anyOf with false", {"anyOf": [STRING, False]}, {"anyOf": [STRING]}),
    ("lone ref", {"type": "object", "properties": {"n": REF}, "$defs": {"N": STRING}},
     {**closed("n", n=REF), "$defs": {"N": STRING}}),
    ("ref with a null default", {"type": "object", "properties": {"n": {**REF, "default": None}}, "$defs": {"N": STRING}},
     {**closed("n", n=REF), "$defs": {"N": STRING}}),
    ("ref with more to say", {"type": "object", "properties": {"n": {**REF, "maxLength": 3}}, "$defs": {"N": STRING}},
     {**closed("n", n={**STRING, "maxLength": 3}), "$defs": {"N": STRING}}),
    ("ref at the root", {**REF, "$defs": {"N": obj(next=REF)}},
     {**closed("next", next=REF), "$defs": {"N": closed("next", next=REF)}}),
    ("definitions", {"type": "object", "properties": {}, "definitions": {"N": obj(a=STRING)}},
     {**closed(), "definitions": {"N": closed("a", a=STRING)}}),
    ("allOf of one", {**obj(a={"allOf": [REF], "description": "d"}), "$defs": {"N": STRING}},
     {**closed("a", a={"anyOf": [REF], "description": "d"}), "$defs": {"N": STRING}}),
    ("allOf of one object", {"allOf": [obj(a=STRING)], "title": "t"}, {**closed("a", a=STRING), "title": "t"}),
    ("defaults", obj(a={"type": "string", "default": "x"}, b={"type": ["string", "null"], "default": None}),
     closed("a", "b", a=STRING, b={"type": ["string", "null"]})),
    ("a property called default", obj(default=STRING), closed("default", default=STRING)),
    ("items", {"type": "array", "items": obj(a=STRING)}, {"type": "array", "items": closed("a", a=STRING)}),
    ("what is refused and narrows only", {"type": "array", "items": STRING, "uniqueItems": True, "maxItems": 3},
     {"type": "array", "items": STRING, "maxItems": 3}),
    ("a format of one's own", {"type": "string", "format": "uri"}, STRING),
    ("a format", {"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    ("enum without a type", {"enum": [1, "a"]}, {"enum": [1, "a"]}),
    ("additionalProperties false", closed("a", a=STRING), closed("a", a=STRING)),
]  # fmt: skip


@pytest.mark.parametrize("name, schema, strict", STRICT, ids=[row[0] for row in STRICT])
def test_a_strict_copy(name, schema, strict):
    """As the table says, the same when made again, shared with nothing, and what the practice server takes."""
    before = copy.deepcopy(schema)
    made = check.strict_schema(schema)
    assert made == strict
    assert json.dumps(check.strict_schema(made)) == json.dumps(made)
    assert schema == before
    assert judge.strict_fault(check.strict_schema(check.wrap_root(schema))) is None


# name, schema, path of the complaint, words of it
REFUSED = [
    ("additionalProperties true", obj(a={"type": "object", "additionalProperties": True}), "$.properties.a",
     "has additionalProperties"),
    ("additionalProperties schema", {"type": "object", "additionalProperties": STRING}, "$", "has additionalProperties"),
    ("patternProperties", obj(a={"type": "object", "patternProperties": {"^x": STRING}}), "$.properties.a",
     "has 'patternProperties'"),
    ("a property that takes anything", obj(a={}), "$.properties.a", "takes anything"),
    ("SDK: a property under true", obj(a=True), "$.properties.a", "takes anything"),
    ("a described anything", obj(a={"title": "A"}), "$.properties.a", "takes anything"),
    ("an array of anything", obj(a={"type": "array"}), "$.properties.a", "is an array of anything"),
    ("items true", obj(a={"type": "array", "items": True}), "$.properties.a.items", "takes anything"),
    ("SDK: not", obj(a={"type": "string", "not": {"const": "x"}}), "$.properties.a", "has 'not'"),
    ("if", {**obj(a=STRING), "if": {"required": ["a"]}}, "$", "has 'if'"),
    ("allOf of two", obj(a={"allOf": [STRING, {"minLength": 1}]}), "$.properties.a", "has an allOf of 2"),
    ("oneOf beside anyOf", {"oneOf": [STRING], "anyOf": [STRING]}, "$", "has both"),
    ("inside anyOf", {"anyOf": [STRING, {}]}, "$.anyOf[1]", "takes anything"),
    ("inside oneOf", {"oneOf": [STRING, {}]}, "$.anyOf[1]", "takes anything"),
    ("inside prefixItems", {"type": "array", "prefixItems": [STRING, {}]}, "$.items.anyOf[1]", "takes anything"),
    ("inside a definition", {"type": "object", "$defs": {"a b": {}}}, '$.$defs["a b"]', "takes anything"),
    ("ref to nowhere", obj(a={"$ref": "#/$defs/A"}), "$.properties.a", 'has a $ref to "#/$defs/A"'),
    ("ref to an anchor", obj(a={"$ref": "#a"}), "$.properties.a", 'has a $ref to "#a"'),
    ("ref to another document", obj(a={"$ref": "a.json#/A"}), "$.properties.a", 'has a $ref to "a.json#/A"'),
    ("ref at the root to itself", {"$ref": "#", "minimum": 1}, "$", "endless"),
    ("a required key that is no property", obj("b", a=STRING), "$", 'requires "b"'),
    ("no schema", obj(a=[]), "$.properties.a", "is no schema but array"),
    ("properties that are none", {"type": "object", "properties": []}, "$.properties", "is no object of schemas"),
]  # fmt: skip


@pytest.mark.parametrize("name, schema, path, words", REFUSED, ids=[row[0] for row in REFUSED])
def test_what_strict_mode_cannot_say_is_refused_with_its_path(name, schema, path, words):
    """A PayloadError before sending, in place of a 400 after it."""
    with pytest.raises(errors.PayloadError) as found:
        check.strict_schema(schema)
    assert words in found.value.message
    assert found.value.path == path
    assert path in found.value.message


def test_a_schema_without_end_is_refused():
    """A dict that holds itself, and refs that multiply without end."""
    loop = obj(a=STRING)
    loop["properties"]["b"] = loop
    with pytest.raises(errors.PayloadError, match="endless"):
        check.strict_schema(loop)
    with pytest.raises(errors.PayloadError, match="too large"):
        check.strict_schema(obj(**{f"p{number}": STRING for number in range(20_001)}))
    with pytest.raises(errors.PayloadError, match="a JSON Schema is a dict, got list"):
        check.strict_schema([])


def test_what_fits_the_strict_copy_fits_the_schema():
    """On random schemas: strict mode narrows, but for what its docstring names (order of places, oneOf)."""
    dice = random.Random(5)
    tried = 0
    for _ in range(6_000):
        schema, value = random_schema(dice), random_value(dice)
        if "prefixItems" in str(schema) or "oneOf" in str(schema):
            continue
        try:
            strict = check.strict_schema(schema)
        except errors.PayloadError:
            continue
        if not check.check_value(value, strict):
            tried += 1
            assert check.check_value(value, schema) == [], (schema, value)
    assert tried > 200


# ---- the helpers around

WRAPPED = [
    ("list", {"type": "array", "items": STRING}, closed("value", value={"type": "array", "items": STRING})),
    ("definitions stay at the root", {"anyOf": [REF, NULL], "$defs": {"N": obj(n=REF)}},
     {**closed("value", value={"anyOf": [REF, NULL]}), "$defs": {"N": obj(n=REF)}}),
    ("refs to the root move", {"type": "array", "items": {"$ref": "#"}},
     closed("value", value={"type": "array", "items": {"$ref": "#/properties/value"}})),
    ("refs into the root move", {"anyOf": [STRING, {"$ref": "#/anyOf/0"}]},
     closed("value", value={"anyOf": [STRING, {"$ref": "#/properties/value/anyOf/0"}]})),
]  # fmt: skip


@pytest.mark.parametrize("name, schema, wrapped", WRAPPED, ids=[row[0] for row in WRAPPED])
def test_a_root_that_is_no_object_becomes_a_property(name, schema, wrapped):
    """And its refs lead where they led."""
    assert check.wrap_root(schema) == wrapped


NO_JSON = [
    ("empty", "", "the answer is no JSON: it is empty"),
    ("none", None, "the answer is no JSON: it is empty"),
    ("prose", "Sure!", "the answer is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ("cut off", '{"a": "b', "the answer is no JSON: Unterminated string starting at: line 1 column 7 (char 6)"),
    ("NaN", "[NaN]", "the answer is no JSON: it holds NaN, which JSON does not have"),
    ("deep", "[" * 100_000, "the answer is no JSON: "),
]


@pytest.mark.parametrize("name, text, message", NO_JSON, ids=[row[0] for row in NO_JSON])
def test_text_that_is_no_json_is_a_mismatch(name, text, message):
    """With what the decoder objects to."""
    with pytest.raises(rawchat.SchemaMismatch) as found:
        check.decode(text)
    assert found.value.message.startswith(message)
    assert found.value.path == found.value.problems[0].path == "$"
    assert found.value.__cause__ is not None


def test_a_code_fence_is_named():
    """What models without response_format like to write."""
    with pytest.raises(rawchat.SchemaMismatch) as found:
        check.decode('```json\n{"a": 1}\n```')
    assert "code fence" in found.value.hint


def test_a_mismatch_tells_the_first_problem_and_carries_all():
    """The message is for people, `.problems` for programs."""
    with pytest.raises(rawchat.SchemaMismatch) as found:
        check.require_fit({"items": [{"name": 1}]}, ITEMS, "the answer does not fit Cart")
    assert str(found.value) == (
        "the answer does not fit Cart: at $.items[0].name: expected string, got integer (and 1 more)"
    )
    assert found.value.path == "$.items[0].name"
    assert [problem.path for problem in found.value.problems] == ["$.items[0].name", "$.items[0]"]
