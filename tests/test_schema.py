"""Types and functions become schemas, and the JSON that comes back becomes their values again."""

import dataclasses
import datetime
import decimal
import enum
import functools
import json
import random
import sys
import threading
import typing
import uuid
from typing import Any, Callable, Dict, FrozenSet, List, Literal, NamedTuple, Optional, Sequence, Set, Tuple, Union

import pytest

from . import module, rawchat

schema = module("protocol.schema")
check = module("protocol.check")
errors = module("protocol.errors")
judge = module("lab.actor.schema_rules")  # the practice server's own reading of strict mode, in the API's words

if sys.version_info >= (3, 11):
    from typing import Annotated, NotRequired, Required, TypedDict
else:
    from typing_extensions import Annotated, NotRequired, Required, TypedDict

STRING, INTEGER, NUMBER, BOOLEAN, NULL = ({"type": k} for k in ("string", "integer", "number", "boolean", "null"))


def closed(*required, **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def or_null(inner, **notes):
    return {"anyOf": [inner, NULL], **notes}


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Corner(enum.Enum):
    LEFT = (0, 1)
    RIGHT = (1, 0)


@dataclasses.dataclass
class Item:
    """Something to buy.

    Attributes:
        price: In euros,
            with tax.
    """

    price: float
    name: str = dataclasses.field(default="thing", metadata={"description": "What it is."})
    tags: List[str] = dataclasses.field(default_factory=list)
    seen: bool = dataclasses.field(default=False, init=False)


@dataclasses.dataclass
class Cart:
    items: List[Item]
    note: Optional[str] = None


@dataclasses.dataclass
class Node:
    value: int
    children: List["Node"] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Left:
    right: Optional["Right"]


@dataclasses.dataclass
class Right:
    left: Optional[Left]


@dataclasses.dataclass
class Dog:
    kind: Literal["dog"]
    size: int


@dataclasses.dataclass
class Cat:
    kind: Literal["cat"]
    size: int


@dataclasses.dataclass
class Positive:
    number: int

    def __post_init__(self):
        if self.number <= 0:
            raise ValueError("must be positive")


@dataclasses.dataclass
class Limit:
    count: Optional[int] = 5
    other: int = 6


@dataclasses.dataclass
class Unset:
    text: str = None


class Point(NamedTuple):
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Loose(TypedDict, total=False):
    a: Required[Annotated[int, "The a."]]
    b: "NotRequired[str]"


UserId = typing.NewType("UserId", int)
ITEM = closed(
    "price",
    price={**NUMBER, "description": "In euros, with tax."},
    name={**STRING, "description": 'What it is. Default: "thing".'},
    tags={"type": "array", "items": STRING},
)
ITEM = {"type": "object", "description": "Something to buy.", **ITEM}

# name, type, its schema outside of strict mode (None: not compared), JSON, the value; strict: whether strict mode can say it
TYPES = [
    ("str", str, STRING, "a", "a"),
    ("int", int, INTEGER, 1, 1),
    ("int as 1.0", int, INTEGER, 1.0, 1),
    ("float", float, NUMBER, 1, 1.0),
    ("bool", bool, BOOLEAN, True, True),
    ("None", None, NULL, None, None),
    ("Any", Any, {}, {"a": [1]}, {"a": [1]}),
    ("object", object, {}, [1], [1]),
    ("datetime", datetime.datetime, {"type": "string", "format": "date-time"}, "2024-01-02T03:04:05.5Z",
     datetime.datetime(2024, 1, 2, 3, 4, 5, 500000, datetime.timezone.utc)),
    ("date", datetime.date, {"type": "string", "format": "date"}, "2024-01-02", datetime.date(2024, 1, 2)),
    ("time", datetime.time, {"type": "string", "format": "time"}, "03:04:05", datetime.time(3, 4, 5)),
    ("UUID", uuid.UUID, {"type": "string", "format": "uuid"}, "12345678-1234-5678-1234-567812345678",
     uuid.UUID("12345678123456781234567812345678")),
    ("Decimal of a number", decimal.Decimal, None, 19.99, decimal.Decimal("19.99")),
    ("Decimal of a text", decimal.Decimal, None, "0.10", decimal.Decimal("0.10")),
    ("Literal", Literal["a", 1, None], {"type": ["string", "integer", "null"], "enum": ["a", 1, None]}, 1, 1),
    ("Literal of an Enum", Literal[Color.RED], {"type": "string", "enum": ["red"]}, "red", Color.RED),
    ("Enum", Color, {"type": "string", "enum": ["red", "blue"]}, "blue", Color.BLUE),
    ("IntEnum", Size, {"type": "integer", "enum": [1, 2]}, 2, Size.LARGE),
    ("Enum whose values are no JSON", Corner, {"type": "string", "enum": ["LEFT", "RIGHT"]}, "LEFT", Corner.LEFT),
    ("Optional", Optional[int], or_null(INTEGER), None, None),
    ("Optional of a Literal with None", Optional[Literal["a", None]], {"type": ["string", "null"], "enum": ["a", None]},
     None, None),
    ("Optional with a description", Optional[Annotated[int, "A."]], {**or_null(INTEGER), "description": "A."}, 1, 1),
    ("Union", Union[int, str], {"anyOf": [INTEGER, STRING]}, "1", "1"),
    ("Union and None", Union[int, str, None], {"anyOf": [INTEGER, STRING, NULL]}, None, None),
    ("Union takes the JSON's own type", Union[float, int], {"anyOf": [NUMBER, INTEGER]}, 1, 1),
    ("Union of what is a text in JSON", Union[datetime.date, str], None, "2024-01-02", "2024-01-02"),
    ("Union of records", List[Union[Dog, Cat]], None, [{"kind": "cat", "size": 1}], [Cat("cat", 1)]),
    ("list", List[int], {"type": "array", "items": INTEGER}, [1], [1]),
    ("bare list", list, {"type": "array", "items": {}}, [1, "a"], [1, "a"]),
    ("Sequence", Sequence[int], {"type": "array", "items": INTEGER}, [1], [1]),
    ("set", Set[Color], None, ["red", "red"], {Color.RED}),
    ("frozenset", FrozenSet[int], {"type": "array", "items": INTEGER}, [1], frozenset([1])),
    ("tuple of one kind", Tuple[int, ...], {"type": "array", "items": INTEGER}, [1, 2], (1, 2)),
    ("tuple", Tuple[int, Color], None, [1, "red"], (1, Color.RED)),
    ("pair", Tuple[float, float], {"type": "array", "prefixItems": [NUMBER, NUMBER], "minItems": 2, "maxItems": 2},
     [1, 2], (1.0, 2.0)),
    ("dict", Dict[str, Color], None, {"a": "red"}, {"a": Color.RED}),
    ("bare dict", dict, {"type": "object", "additionalProperties": {}}, {"a": 1}, {"a": 1}),
    ("NewType", UserId, INTEGER, 7, 7),
    ("Annotated", Annotated[int, "Stars.", {"minimum": 1}], {**INTEGER, "description": "Stars.", "minimum": 1}, 1, 1),
    ("dataclass", Item, ITEM, {"price": 1}, Item(1.0)),
    ("dataclass with nulls for defaults", Item, ITEM, {"price": 1, "name": None, "tags": None}, Item(1.0, "thing", [])),
    ("null is None where the type knows it", Limit, None, {"count": None, "other": None}, Limit(None, 6)),
    ("None as the default of a text", Unset, closed(text=or_null(STRING)), {"text": None}, Unset(None)),
    ("nested", Cart, closed("items", items={"type": "array", "items": ITEM}, note=or_null(STRING)),
     {"items": [{"price": 2, "tags": ["x"]}], "note": None}, Cart([Item(2.0, tags=["x"])])),
    ("NamedTuple", Point, closed("x", x=INTEGER, y={**INTEGER, "description": "Default: 0."}), {"x": 1}, Point(1, 0)),
    ("TypedDict", Movie, closed("title", title=STRING, year=INTEGER), {"title": "Up"}, {"title": "Up"}),
    ("TypedDict with a null", Movie, None, {"title": "Up", "year": None}, {"title": "Up"}),
    ("TypedDict with Required", Loose, closed("a", a={**INTEGER, "description": "The a."}, b=STRING), {"a": 1}, {"a": 1}),
    ("recursive", Node, None, {"value": 1, "children": [{"value": 2, "children": []}]}, Node(1, [Node(2)])),
    ("recursive in turns", Left, None, {"right": {"left": {"right": None}}}, Left(Right(Left(None)))),
    ("list of recursive", List[Node], None, [{"value": 1}], [Node(1)]),
]  # fmt: skip
NOT_STRICT = ("Any", "object", "bare list", "dict", "bare dict")
TYPE_NAMES = [row[0] for row in TYPES]


@pytest.mark.parametrize("name, kind, wanted, value, built", TYPES, ids=TYPE_NAMES)
def test_a_type_becomes_a_schema_and_its_json_a_value(name, kind, wanted, value, built):
    """Loose as the table says, strict so that the practice server takes it; the value comes back whole."""
    before = json.dumps(value)
    for strict in (None, False):
        made = schema.format_of(kind, strict=strict)
        is_object = made.schema.get("properties", {}).keys() != {"value"} or "value" in (wanted or {}).get(
            "properties", {}
        )
        inner = made.schema if is_object else made.schema["properties"]["value"]
        text = json.dumps(value if is_object else {"value": value})
        read = made.read(text)
        assert read == built
        assert type(read) is type(built)
        assert (made.why_not_strict == "") == (strict is None and name not in NOT_STRICT)
        assert made.response_format["json_schema"]["strict"] is (made.why_not_strict == "")
        if not made.why_not_strict:
            assert judge.strict_fault(made.schema) is None
        elif wanted is not None:
            assert inner == wanted
    assert schema.build_value(value, kind) == built
    assert json.dumps(value) == before


@pytest.mark.parametrize("name, kind, wanted, value, built", TYPES, ids=TYPE_NAMES)
def test_what_is_not_json_for_the_type_is_refused(name, kind, wanted, value, built):
    """Of a row of odd values each either builds, or is a SchemaMismatch that says where."""
    made = schema.format_of(kind)
    refused = 0
    for odd in (None, True, -1, 1.5, "zz", [], [None], [[]], {}, {"zz": 1}, {"items": {}}):
        for text in (json.dumps(odd), json.dumps({"value": odd})):
            try:
                made.read(text)
            except rawchat.SchemaMismatch as error:
                refused += 1
                assert error.path.startswith("$")
                assert f"at {error.path}: " in error.message
                assert error.problems[0].path == error.path
    assert refused > 0 or name in ("bare dict",)


MISFITS = [
    ("deep", Cart, {"items": [{"price": 1}, {"price": 2}, {"price": "3"}]}, "$.items[2].price",
     "expected number, got string"),
    ("missing", Item, {}, "$", 'missing property "price"'),
    ("unexpected", Item, {"price": 1, "cost": 1}, "$", 'unexpected property "cost"; expected price, name, tags'),
    ("true is no int", int, True, "$", "expected integer, got boolean"),
    ("enum", Color, "green", "$", 'expected one of "red", "blue", got "green"'),
    ("enum tells 1 from true", Size, True, "$", "expected integer, got boolean"),
    ("the branch that was meant", Union[Dog, Cat], {"kind": "cat", "size": "x"}, "$.size",
     "expected integer, got string"),
    ("no branch", Union[Dog, Cat, None], 1, "$", "expected object or null, got integer"),
    ("recursive", Node, {"value": 1, "children": [{"value": 1, "children": [{"value": "x"}]}]},
     "$.children[0].children[0].value", "expected integer, got string"),
    ("a constructor that objects", List[Positive], [{"number": 1}, {"number": -1}], "$[1]", "must be positive"),
    ("a date that is none", List[datetime.date], ["2024-13-01"], "$[0]",
     'expected a text of the format date, got "2024-13-01"'),
    ("a unhashable item of a set", Set[Any], [[1]], "$", "unhashable type: 'list'"),
    ("tuple too short", Tuple[int, int], [1], "$", "must have at least 2 items, got 1"),
    ("tuple too long", Tuple[int, int], [1, 2, 3], "$", "must have at most 2 items, got 3"),
    ("null for a required field", Item, {"price": None}, "$.price", "expected number, got null"),
    ("Annotated keywords", List[Annotated[int, {"minimum": 1}]], [1, 0], "$[1]", "must be at least 1, got 0"),
    ("Decimal", decimal.Decimal, "1e5", "$", "expected number, got string"),
]  # fmt: skip


@pytest.mark.parametrize("name, kind, value, path, message", MISFITS, ids=[row[0] for row in MISFITS])
def test_a_misfit_is_told_with_its_path(name, kind, value, path, message):
    """By build_value and by the reader of an answer alike."""
    with pytest.raises(rawchat.SchemaMismatch) as found:
        schema.build_value(value, kind)
    if name != "Decimal":  # there the pattern is told, as the nearest of two
        assert str(found.value.problems[0]) == f"at {path}: {message}"
    made = schema.format_of(kind)
    wrapped = "value" in made.schema["properties"] and kind is not Node
    with pytest.raises(rawchat.SchemaMismatch) as told:
        schema.parse_text(json.dumps({"value": value} if wrapped else value), kind)
    assert told.value.path == found.value.path == path
    assert made.response_format["json_schema"]["name"] in told.value.message


def test_the_message_of_a_mismatch_is_whole():
    """What does not fit what, where, and how much more."""
    with pytest.raises(rawchat.SchemaMismatch) as found:
        schema.parse_text('{"value": [{"price": "1"}, {}]}', List[Item])
    assert str(found.value) == (
        "the answer does not fit List_Item: at $[0].price: expected number, got string (and 1 more)"
    )
    with pytest.raises(rawchat.SchemaMismatch, match=r"the answer does not fit List_Item: at \$: expected object"):
        schema.parse_text("[]", List[Item])


def sample(kind, dice):
    """A random value of a type, as JSON."""
    shape = schema._shape_of(kind, "sample")
    if shape.kind == "record":
        fields = [field for field in schema._fields_of(shape.type) if field.required or dice.random() < 0.4]
        return {field.name: sample(field.hint, dice) for field in fields}
    if shape.kind == "mapping":
        return {key: sample(shape.parts[0], dice) for key in dice.sample("abc", 2)}
    if shape.kind == "array":
        return [sample(shape.parts[0], dice) for _ in range(dice.randint(0, 2))]
    if shape.kind == "tuple":
        return [sample(part, dice) for part in shape.parts]
    if shape.kind == "choices":
        return dice.choice(schema._choices_of(shape, "sample"))[0]
    if shape.kind == "union":
        return sample(dice.choice(shape.parts), dice)
    samples = {
        "object": 1, "str": "a", "int": 3, "float": 1.5, "bool": True, "NoneType": None, "Decimal": "1.5",
        "date": "2024-01-02", "time": "01:02:03", "datetime": "2024-01-02T03:04:05Z",
        "UUID": "12345678-1234-5678-1234-567812345678",
    }  # fmt: skip
    return samples[shape.type.__name__]


@pytest.mark.parametrize("name, kind, wanted, value, built", TYPES, ids=TYPE_NAMES)
def test_samples_of_a_type_pass_its_own_check(name, kind, wanted, value, built):
    """Twenty random values of each type fit its schema, and build; a full validator agrees."""
    jsonschema = pytest.importorskip("jsonschema")
    dice = random.Random(name)
    made = schema.format_of(kind, strict=False).schema
    for _ in range(20):
        value = sample(kind, dice)
        schema.build_value(value, kind)
        whole = value if schema._shape_of(kind, "").kind in ("record", "mapping") else {"value": value}
        assert check.check_value(whole, made) == []
        jsonschema.Draft202012Validator(made).validate(whole)


def test_recursion_goes_to_definitions_and_the_root_is_an_object():
    """The API takes no $ref at the root."""
    made = schema.response_format_for(Node)["json_schema"]["schema"]
    node = closed(
        "value", "children", value=INTEGER, children=or_null({"type": "array", "items": {"$ref": "#/$defs/Node"}})
    )
    assert made == {**node, "$defs": {"Node": node}}


def test_two_types_of_one_name_stay_two():
    """Recursive classes called alike, from different modules."""

    def other():
        @dataclasses.dataclass
        class Node:
            twin: Optional[Any]

        Node.__annotations__["twin"] = Optional[Node]
        return Node

    Other = other()
    made = schema._Writer(nullable=False).document(Tuple[Node, Other, Node])
    assert made["prefixItems"] == [{"$ref": "#/$defs/Node"}, {"$ref": "#/$defs/Node_2"}, {"$ref": "#/$defs/Node"}]
    assert list(made["$defs"]["Node_2"]["properties"]) == ["twin"]


def test_strict_can_be_demanded():
    """Where it cannot be had, the error says at which spot, and the loose format says why."""
    with pytest.raises(errors.PayloadError) as found:
        schema.format_of(List[Dict[str, int]], strict=True)
    assert found.value.path == "$.properties.value.items"
    assert schema.format_of(List[Dict[str, int]]).why_not_strict == found.value.message
    assert schema.format_of(Item, strict=False).why_not_strict == "strict=False was asked for"


IMPOSSIBLE = [
    ("bytes", List[bytes], "is of the type bytes, which JSON cannot hold"),
    ("complex", complex, "complex"),
    ("a class", threading.Thread, "is of the type Thread"),
    ("a function", Callable[[], int], "which JSON cannot hold"),
    ("keys that are no texts", Dict[int, str], "is of the type Dict_int_str"),
    ("Literal of bytes", Literal[b"x"], "allows b'x'"),
    ("an unknown name", List[typing.ForwardRef("Nobody")], "which JSON cannot hold"),
    ("a TypeVar", typing.TypeVar("T"), "which JSON cannot hold"),
    ("an instance", 5, "is of the type 5"),
]


@pytest.mark.parametrize("name, kind, words", IMPOSSIBLE, ids=[row[0] for row in IMPOSSIBLE])
def test_types_that_json_cannot_hold_are_refused(name, kind, words):
    """Before anything is sent, strict or not."""
    for strict in (None, False):
        with pytest.raises(errors.PayloadError) as found:
            schema.format_of(kind, strict=strict)
        assert words in found.value.message
        assert found.value.path


def test_a_field_whose_type_cannot_be_read_is_named():
    """A name that only type checkers know."""

    @dataclasses.dataclass
    class Broken:
        a: "Nobody"  # noqa: F821

    with pytest.raises(errors.PayloadError, match="the type hints of Broken cannot be read: name 'Nobody'"):
        schema.format_of(Broken)


NAMES = [
    ("class", Item, None, "Item"),
    ("list", List[Item], None, "List_Item"),
    ("own", Item, "my-items", "my-items"),
    ("own with spaces", Item, "my items!", "my_items"),
    ("schema", {"type": "object", "title": "A title"}, None, "A_title"),
    ("schema without a title", {"type": "object"}, None, "answer"),
    ("very long", Item, "x" * 99, "x" * 64),
]


@pytest.mark.parametrize("name, kind, given, wanted", NAMES, ids=[row[0] for row in NAMES])
def test_a_format_has_a_name_that_the_api_takes(name, kind, given, wanted):
    """Letters, digits, _ and -, 64 at most."""
    assert schema.response_format_for(kind, name=given)["json_schema"]["name"] == wanted


LATE = """
from __future__ import annotations
from typing_extensions import Annotated, NotRequired, ReadOnly, Required, TypedDict

class Late(TypedDict, total=False):
    a: Required[int]
    b: NotRequired[int]
    c: ReadOnly[Required[int]]
    d: Required[ReadOnly[int]]
    e: int

class Whole(TypedDict):
    a: NotRequired[int]
    b: Annotated[NotRequired[int], "The b."]
    c: int

def search(late: Late, whole: Whole):
    pass
"""


def test_annotations_that_are_texts():
    """`from __future__ import annotations` hides the words from TypedDict; names are looked up where they were written."""
    pytest.importorskip("typing_extensions")
    sys.modules["late"] = type(sys)("late")
    try:
        exec(LATE, vars(sys.modules["late"]))
        space = vars(sys.modules["late"])

        @functools.wraps(space["search"])
        def decorated(*args):
            return None

        made = schema.tool_schema(decorated, strict=False)["function"]["parameters"]["properties"]
    finally:
        del sys.modules["late"]
    assert made["late"]["required"] == ["a", "c", "d"]
    assert made["whole"]["required"] == ["c"]
    assert made["whole"]["properties"]["b"] == {**INTEGER, "description": "The b."}


# ---- JSON schemas

GIVEN = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}, "b": {"oneOf": [STRING, NULL]}}}


def test_a_json_schema_is_sent_strict_and_checked_as_given():
    """What strict mode requires is asked of the model, not of the answer; the caller's dict is left alone."""
    before = json.dumps(GIVEN)
    made = schema.format_of(GIVEN)
    assert made.schema == closed("a", "b", a=INTEGER, b={"anyOf": [STRING, NULL]})
    assert made.read('{"a": 2}') == {"a": 2}
    with pytest.raises(rawchat.SchemaMismatch, match=r"at \$\.a: expected integer, got string"):
        made.read('{"a": "2"}')
    assert json.dumps(GIVEN) == before


JSON_SCHEMAS = [
    ("list", {"type": "array", "items": INTEGER}, {"value": [1]}, [1], True),
    ("union", {"anyOf": [STRING, NULL]}, {"value": None}, None, True),
    ("object or null", {"type": ["object", "null"], "properties": {}}, {"value": None}, None, True),
    ("recursive list", {"type": "array", "items": {"$ref": "#"}}, {"value": [[], [[]]]}, [[], [[]]], True),
    (
        "ref at the root",
        {"$ref": "#/definitions/A", "definitions": {"A": closed("a", a=INTEGER)}},
        {"a": 1},
        {"a": 1},
        True,
    ),
    ("free keys", {"type": "object", "additionalProperties": INTEGER}, {"a": 1}, {"a": 1}, False),
    ("anything", {}, {"value": [1]}, [1], False),
]


@pytest.mark.parametrize("name, given, answer, value, strict", JSON_SCHEMAS, ids=[row[0] for row in JSON_SCHEMAS])
def test_any_json_schema_becomes_a_format(name, given, answer, value, strict):
    """Wrapped where its root is no object, and loose where strict mode cannot say it."""
    made = schema.format_of(given)
    assert made.read(json.dumps(answer)) == value
    assert (made.why_not_strict == "") is strict
    assert judge.root_fault(made.schema) is None
    assert not strict or judge.strict_fault(made.schema) is None


# ---- pydantic


class FakeModel:
    """Has what a pydantic model is known by."""

    @classmethod
    def model_json_schema(cls):
        return {"type": "object", "title": "Fake", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": INTEGER}}

    @classmethod
    def model_validate(cls, value):
        made = cls()
        if value["a"] == "y":
            raise FakeError
        made.a = int(value["a"])
        return made


class FakeError(ValueError):
    def errors(self):
        return [{"loc": ("a", 0, "b"), "msg": "not so"}, {"loc": (), "msg": "nor so"}]


def test_a_model_is_known_by_its_methods():
    """Its own schema is sent, its own check is the one that counts, alone and inside other types."""
    made = schema.format_of(FakeModel)
    assert made.schema == {**closed("a", a={"$ref": "#/$defs/A"}), "title": "Fake", "$defs": {"A": INTEGER}}
    assert made.read('{"a": "7"}').a == 7
    inside = schema.format_of(List[FakeModel])
    assert inside.schema["$defs"] == {"A": INTEGER}
    assert inside.read('{"value": [{"a": 1}, {"a": 2}]}')[1].a == 2
    with pytest.raises(rawchat.SchemaMismatch) as found:
        inside.read('{"value": [{"a": 1}, {"a": "x"}]}')
    assert found.value.path == "$[1]"
    with pytest.raises(rawchat.SchemaMismatch) as found:
        inside.read('{"value": [{"a": "y"}]}')
    assert [str(problem) for problem in found.value.problems] == ["at $[0].a[0].b: not so", "at $[0]: nor so"]
    tool = schema.tool_schema(FakeModel, description="Fill it.")["function"]
    assert (tool["name"], tool["parameters"], tool["strict"]) == ("FakeModel", made.schema, True)
    assert schema.tool_arguments(FakeModel, '{"a": 1}') == {"a": 1}


def test_definitions_of_models_do_not_mix():
    """Two models with different parts of one name cannot stand in one schema."""

    class Other(FakeModel):
        @classmethod
        def model_json_schema(cls):
            return {**FakeModel.model_json_schema(), "$defs": {"A": STRING}}

    with pytest.raises(errors.PayloadError, match="two different types called A"):
        schema.format_of(Tuple[FakeModel, Other])


def test_real_pydantic_models():
    """Unions with a discriminator, recursion with a description, nested problems with their path."""
    pydantic = pytest.importorskip("pydantic")
    Leaf = pydantic.create_model("Leaf", kind=(Literal["leaf"], ...), size=(int, pydantic.Field(ge=0)))
    Twig = pydantic.create_model("Twig", kind=(Literal["twig"], ...), pair=(Tuple[int, str], ...))
    part = Annotated[Union[Leaf, Twig], pydantic.Field(discriminator="kind")]
    Tree = pydantic.create_model(
        "Tree", parts=(List[part], ...), name=(str, "oak"), best=(Leaf, pydantic.Field(description="d"))
    )
    made = schema.format_of(Tree)
    assert made.why_not_strict == ""
    assert judge.strict_fault(made.schema) is None
    answer = {"parts": [{"kind": "twig", "pair": [1, "a"]}], "name": "elm", "best": {"kind": "leaf", "size": 1}}
    assert made.read(json.dumps(answer)) == Tree(**answer)
    answer["best"]["size"] = -1
    with pytest.raises(rawchat.SchemaMismatch) as found:
        schema.format_of(List[Tree]).read(json.dumps({"value": [answer]}))
    assert found.value.path == "$[0].best.size"
    assert "greater than or equal to 0" in found.value.message
    either = schema.format_of(Union[Leaf, Twig])
    assert type(either.read('{"value": {"kind": "twig", "pair": [1, "a"]}}')) is Twig


# ---- newer Pythons


@pytest.mark.skipif(sys.version_info < (3, 10), reason="X | Y came with Python 3.10")
def test_unions_written_with_a_bar():
    """int | None is Optional[int], also inside."""
    made = schema.format_of(List[eval("int | None")])
    assert made.read('{"value": [1, null]}') == [1, None]
    assert made.schema["properties"]["value"]["items"] == or_null(INTEGER)


@pytest.mark.skipif(sys.version_info >= (3, 10), reason="Python 3.10 can read it")
def test_a_bar_that_this_python_cannot_read_is_explained():
    """As text it gets as far as here."""

    def search(limit: "int | None"):
        """Search."""

    with pytest.raises(errors.PayloadError, match=r"needs Python 3\.10"):
        schema.tool_schema(search)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with Python 3.12")
def test_named_aliases():
    """Also those that contain themselves."""
    space = {}
    exec("type Tree = dict[str, Tree] | int\ntype Number = int", space)
    tree, number = space["Tree"], space["Number"]
    made = schema.format_of(List[tree])
    assert made.read('{"value": [{"a": {"b": 1}}]}') == [{"a": {"b": 1}}]
    with pytest.raises(rawchat.SchemaMismatch, match="expected object or integer, got string"):
        made.read('{"value": [{"a": {"b": "x"}}]}')
    assert schema.build_value(5, number) == 5


# ---- functions


def get_weather(
    city: str,
    unit: Literal["c", "f"] = "c",
    days: Annotated[int, "How many."] = 1,
    note: str = None,  # noqa: RUF013 - Python 3.9 and 3.10 read this as Optional[str]
) -> "Nobody":  # noqa: F821
    """Tell the weather.

    Of today and later.

    Args:
        city (str, optional): Where; a city (or
            a village): any.
        unit: Celsius or Fahrenheit.
        note: Ignored.

    Returns:
        days: not this.
    """  # fmt: skip


def numpy_style(city: str, days: int = 1):
    """Tell the weather.

    Parameters
    ----------
    city : str
        Where; a city
        or a village.
    days : int, optional
        How many.

    Returns
    -------
    str
    """


def rest_style(city: str, days: int = 1):
    """Tell the weather.

    :param city: Where; a city
        or a village.
    :type city: str
    :param int days: How many.
    :returns: Text.
    """


def google_style(city: str, days: int = 1):
    """Tell the weather.

    Args:
        city: Where; a city
          or a village.

        days (int): How many.
    Raises:
        ValueError: Never.
    """


@pytest.mark.parametrize("function", [numpy_style, rest_style, google_style], ids=lambda function: function.__name__)
def test_docstrings_describe_the_parameters(function):
    """In the three styles people write."""
    made = schema.tool_schema(function, strict=False)["function"]
    assert made["description"] == "Tell the weather."
    assert made["parameters"]["properties"] == {
        "city": {**STRING, "description": "Where; a city or a village."},
        "days": {**INTEGER, "description": "How many. Default: 1."},
    }


def test_descriptions_are_taken_from_the_right_place():
    """Annotated wins over the docstring; other sections and other names are not about this parameter."""

    def find(city: str, days: int, street: Annotated[str, "Annotated."]):
        """Find.

        Args:
            cityscape: Another.
                deeper
            street: Documented.

        Returns:
            days: Not a parameter.
        """

    made = schema.tool_schema(find)["function"]["parameters"]["properties"]
    assert made == {"city": STRING, "days": INTEGER, "street": {**STRING, "description": "Annotated."}}


def test_a_function_becomes_a_tool():
    """Strict: all required, what has a default may be null, and the default stands in the text."""
    assert schema.tool_schema(get_weather) == {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tell the weather.\n\nOf today and later.",
            "parameters": closed(
                "city", "unit", "days", "note",
                city={**STRING, "description": "Where; a city (or a village): any."},
                unit=or_null(
                    {"type": "string", "enum": ["c", "f"]}, description='Celsius or Fahrenheit. Default: "c".'
                ),
                days=or_null(INTEGER, description="How many. Default: 1."),
                note=or_null(STRING, description="Ignored."),
            ),
            "strict": True,
        },
    }  # fmt: skip
    loose = schema.tool_schema(get_weather, strict=False)["function"]
    assert loose["strict"] is False
    assert loose["parameters"]["required"] == ["city"]
    assert loose["parameters"]["properties"]["days"] == {**INTEGER, "description": "How many. Default: 1."}


class Desk:
    def look(self, what: str, limit: int = 3):
        """Look it up."""

    @classmethod
    def open(cls, name: str):
        """Open a desk."""

    @staticmethod
    def count(items: List[int]):
        """Count."""

    async def wait(self, seconds: float):
        """Wait."""

    def __call__(self, what: str):
        """Ask the desk."""


@functools.wraps(get_weather)
def wrapped(*args, **kwargs):
    return get_weather(*args, **kwargs)


desk = Desk()
CALLABLES = [
    ("method", desk.look, "look", "Look it up.", ["what", "limit"]),
    ("class method", Desk.open, "open", "Open a desk.", ["name"]),
    ("static method", Desk.count, "count", "Count.", ["items"]),
    ("async method", desk.wait, "wait", "Wait.", ["seconds"]),
    ("callable object", desk, "Desk", "Ask the desk.", ["what"]),
    ("partial by name", functools.partial(get_weather, unit="f"), "get_weather", None, ["city", "days", "note"]),
    ("partial by place", functools.partial(get_weather, "Ulm"), "get_weather", None, ["unit", "days", "note"]),
    ("partial of a partial", functools.partial(functools.partial(get_weather, unit="f"), days=2), "get_weather", None,
     ["city", "note"]),
    ("partial of a method", functools.partial(desk.look, limit=1), "look", "Look it up.", ["what"]),
    ("decorated", wrapped, "wrapped" if wrapped.__name__ == "wrapped" else "get_weather", None,
     ["city", "unit", "days", "note"]),
    ("no parameters", lambda: None, None, None, []),
    ("dataclass", Item, "Item", "Something to buy.", ["price", "name", "tags"]),
    ("TypedDict", Movie, "Movie", None, ["title", "year"]),
]  # fmt: skip


@pytest.mark.parametrize("label, function, name, description, names", CALLABLES, ids=[row[0] for row in CALLABLES])
def test_what_can_be_called_can_be_a_tool(label, function, name, description, names):
    """Methods, async functions, partials, objects, decorated functions; strict, all of them."""
    made = schema.tool_schema(function, name=None if name else "nothing")["function"]
    assert made["name"] == name or name is None
    assert list(made["parameters"]["properties"]) == names == made["parameters"]["required"]
    assert description is None or made["description"] == description
    assert made["strict"] is True
    assert judge.strict_fault(made["parameters"]) is None


def test_names_and_descriptions_can_be_given():
    """And an empty description is left out."""
    made = schema.tool_schema(get_weather, name="weather", description="Weather.")["function"]
    assert (made["name"], made["description"]) == ("weather", "Weather.")
    assert "description" not in schema.tool_schema(lambda x: x, name="f")["function"]
    assert "description" not in schema.tool_schema(get_weather, description="")["function"]


def test_what_strict_mode_cannot_say_is_sent_without_it():
    """Parameters without a type, with free keys, with any type; unless strict was demanded."""

    def store(what, data: Dict[str, int]):
        """Store."""

    made = schema.tool_schema(store)["function"]
    assert made["strict"] is False
    assert made["parameters"]["properties"] == {
        "what": {},
        "data": {"type": "object", "additionalProperties": INTEGER},
    }
    with pytest.raises(errors.PayloadError) as found:
        schema.tool_schema(store, strict=True)
    assert found.value.path == "$.properties.what"


def star_args(*rest):
    pass


def star_kwargs(**rest):
    pass


def nameless(a, /):
    pass


BAD_TOOLS = [
    ("*args", star_args, {}, "star_args.rest is *args"),
    ("**kwargs", star_kwargs, {}, "star_kwargs.rest is **kwargs"),
    ("positional-only", nameless, {}, "nameless.a is positional-only"),
    ("a method without its object", Desk.look, {}, "look is a method without its object"),
    ("a lambda", lambda x: x, {}, "a tool cannot be called '<lambda>'; give name="),
    ("a name with a space", get_weather, {"name": "get weather"}, "a tool cannot be called 'get weather'"),
    ("a name too long", get_weather, {"name": "x" * 65}, "a tool cannot be called"),
    ("a type that JSON cannot hold", functools.partial(desk.look, limit=1), {"name": "é"}, "a tool cannot be called"),
    ("no function", 5, {}, "a tool is a function, got int"),
    ("a class", threading.Thread, {}, "is of the type Thread"),
]


@pytest.mark.parametrize("name, function, options, words", BAD_TOOLS, ids=[row[0] for row in BAD_TOOLS])
def test_what_cannot_be_a_tool_is_refused(name, function, options, words):
    """A model fills parameters by name."""
    with pytest.raises(errors.PayloadError) as found:
        schema.tool_schema(function, **options)
    assert words in found.value.message
    assert found.value.path


def plan(when: datetime.date, items: List[Item], color: Color = Color.RED, limit: Optional[int] = 5):
    """Plan."""


ARGUMENTS = [
    ("built by type", plan, '{"when": "2024-01-02", "items": [{"price": 1}], "color": "blue", "limit": 2}',
     {"when": datetime.date(2024, 1, 2), "items": [Item(1.0)], "color": Color.BLUE, "limit": 2}),
    ("null means the default", plan, '{"when": "2024-01-02", "items": [], "color": null, "limit": null}',
     {"when": datetime.date(2024, 1, 2), "items": []}),
    ("left out means the default", plan, {"when": "2024-01-02", "items": []},
     {"when": datetime.date(2024, 1, 2), "items": []}),
    ("no arguments", lambda: None, "", {}),
    ("a partial's own are not asked for", functools.partial(plan, color=Color.BLUE), {"when": "2024-01-02", "items": []},
     {"when": datetime.date(2024, 1, 2), "items": []}),
]  # fmt: skip


@pytest.mark.parametrize("name, function, arguments, built", ARGUMENTS, ids=[row[0] for row in ARGUMENTS])
def test_arguments_are_built_for_the_call(name, function, arguments, built):
    """Keyword arguments, ready for function(**arguments)."""
    made = schema.tool_arguments(function, arguments)
    assert made == built
    function(**made)


BAD_ARGUMENTS = [
    ("no JSON", "{", "the arguments are no JSON"),
    ("no object", "[]", "the arguments do not fit plan: at $: expected object, got array"),
    (
        "wrong type",
        '{"when": "2024-01-02", "items": [{"price": "1"}]}',
        "at $.items[0].price: expected number, got string",
    ),
    ("unknown", '{"when": "2024-01-02", "items": [], "x": 1}', 'at $: unexpected property "x"'),
    ("missing", '{"items": []}', 'at $: missing property "when"'),
]


@pytest.mark.parametrize("name, arguments, words", BAD_ARGUMENTS, ids=[row[0] for row in BAD_ARGUMENTS])
def test_wrong_arguments_are_told_with_their_path(name, arguments, words):
    """So that the model can be told, and do better."""
    with pytest.raises(rawchat.SchemaMismatch) as found:
        schema.tool_arguments(plan, arguments)
    assert words in found.value.message


def test_defaults_that_are_no_json_stay_unsaid():
    """The function knows them; the model need not."""

    def wait(until: float = float("inf"), day: datetime.date = datetime.date(2024, 1, 1), corner: Corner = Corner.LEFT):
        """Wait."""

    made = schema.tool_schema(wait, strict=False)["function"]["parameters"]["properties"]
    assert made["until"] == NUMBER
    assert made["day"] == {"type": "string", "format": "date"}
    assert made["corner"]["description"] == 'Default: "LEFT".'
    assert schema.tool_arguments(wait, {"until": None, "day": None, "corner": "RIGHT"}) == {"corner": Corner.RIGHT}
