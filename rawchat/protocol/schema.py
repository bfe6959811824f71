"""From Python types to JSON Schema, and from the JSON that comes back to values of those types.

    def get_weather(city: str, unit: Literal["c", "f"] = "c") -> str:        tool_schema(get_weather)
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties":
     {"city": {"type": "string"}, "unit": {"anyOf": [{"type": "string", "enum": ["c", "f"]}, {"type": "null"}], ...

    format_of(List[Review]).response_format      {"type": "json_schema", "json_schema": {"name": ..., "schema": ...}}
    format_of(List[Review]).read(text)           [Review(title="Up", stars=5), ...], or SchemaMismatch with the path

Types: str, int, float, bool, None, datetime, date, time, UUID, Decimal, Any; Literal, Enum, Optional, Union; list,
tuple, set and their abstract kin; dict with text keys; dataclass, TypedDict, NamedTuple, nested and recursive;
Annotated[T, "what it is"], Annotated[int, {"minimum": 1}]; pydantic models, known by their methods, never imported.

Strict mode (see check.py) is used where it can say the type, and not where it cannot: a dict with free keys, Any, an
array of anything. `strict=True` makes that a PayloadError with the path, `strict=False` never uses it. In strict mode
nothing is optional: what has a default may be null instead, and null means the default. Pure.
"""

from __future__ import annotations

import functools
import json
import re
import typing
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

from .check import (
    Problem,
    check_value,
    decode,
    inline_root,
    iso_text,
    kind_of,
    mismatch,
    path_to,
    require_fit,
    same,
    strictest,
    types_of,
    wrap_root,
)
from .errors import PayloadError

# ---- what a type is made of


def _from_iso(kind: Any, text: Any) -> Any:
    return kind.fromisoformat(iso_text(text))


_NULL = {"type": "null"}
_DECIMAL = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}]}
# Class -> its schema, and what makes an instance of the JSON. By name: whoever has a UUID in a type has imported uuid.
_SCALARS: Dict[str, Tuple[Dict[str, Any], Callable[[Any, Any], Any]]] = {
    "builtins.object": ({}, lambda kind, value: value),
    "builtins.str": ({"type": "string"}, lambda kind, value: value),
    "builtins.int": ({"type": "integer"}, lambda kind, value: int(value)),
    "builtins.float": ({"type": "number"}, lambda kind, value: float(value)),
    "builtins.bool": ({"type": "boolean"}, lambda kind, value: value),
    "builtins.NoneType": (_NULL, lambda kind, value: value),
    "datetime.datetime": ({"type": "string", "format": "date-time"}, _from_iso),
    "datetime.date": ({"type": "string", "format": "date"}, lambda kind, text: kind.fromisoformat(text)),
    "datetime.time": ({"type": "string", "format": "time"}, _from_iso),
    "uuid.UUID": ({"type": "string", "format": "uuid"}, lambda kind, text: kind(text)),
    # Decimal(str(0.1)) is 0.1, Decimal(0.1) is not.
    "decimal.Decimal": (_DECIMAL, lambda kind, value: kind(str(value))),
}
_ARRAYS: Dict[str, Callable[[Iterable[Any]], Any]] = {
    "builtins.tuple": tuple,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "collections.abc.Set": set,
    "collections.abc.MutableSet": set,
    **dict.fromkeys(["builtins.list", "collections.abc.Sequence", "collections.abc.MutableSequence"], list),
    **dict.fromkeys(["collections.abc.Iterable", "collections.abc.Collection"], list),
}
_PLAIN = (str, int, float, type(None))
_DICTS = ("builtins.dict", "collections.abc.Mapping", "collections.abc.MutableMapping")
# Words around a type that say something about a field, not about its values.
_WRAPPERS = ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar")


class _Shape(NamedTuple):
    """What a type hint comes to. `kind` names the method that writes its schema, and the one that builds its values."""

    kind: str  # scalar, choices, union, array, tuple, mapping, record, model or alias
    type: Any = None
    parts: Tuple[Any, ...] = ()
    notes: Mapping[str, Any] = {}  # keywords from Annotated
    word: str = ""  # Required, NotRequired


def _shape_of(hint: Any, path: str) -> _Shape:
    notes: Dict[str, Any] = {}
    word = ""
    while True:
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if hasattr(hint, "__metadata__"):
            notes = {**_notes_of(hint.__metadata__), **notes}
            hint = hint.__origin__
        elif getattr(origin, "_name", "") in _WRAPPERS:
            word = word if origin._name == "ReadOnly" else origin._name
            hint = parts[0]
        elif hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        else:
            return _plain_shape(hint, origin or hint, parts, path)._replace(notes=notes, word=word)


def _notes_of(metadata: Iterable[Any]) -> Dict[str, Any]:
    """A text is a description, a dict further keywords; Doc and pydantic's Field say theirs in an attribute."""
    notes: Dict[str, Any] = {}
    for item in metadata:
        text = getattr(item, "description", None) or getattr(item, "documentation", item)
        notes.update(item if isinstance(item, dict) else {"description": text} if isinstance(text, str) else {})
    return notes


def _plain_shape(hint: Any, kind: Any, parts: Tuple[Any, ...], path: str) -> _Shape:
    if hint is Any or hint is None:
        return _Shape("scalar", object if hint is Any else type(None))
    if kind is Union or type(hint).__name__ == "UnionType":
        return _Shape("union", hint, parts)
    if kind is typing.Literal:
        return _Shape("choices", hint, parts)
    if type(kind).__name__ == "TypeAliasType":
        return _Shape("alias", hint, (hint.__value__,))
    shape = _class_shape(kind, f"{kind.__module__}.{kind.__qualname__}", parts) if isinstance(kind, type) else None
    if shape is not None:
        return shape
    cure = "give a dataclass, a TypedDict or a NamedTuple, or annotate it with a type that JSON has"
    raise PayloadError(f"{path} is of the type {_name_of(hint)}, which JSON cannot hold; {cure}", path=path)


def _class_shape(kind: Any, name: str, parts: Tuple[Any, ...]) -> Optional[_Shape]:
    if name in _SCALARS:
        return _Shape("scalar", kind)
    if name in _DICTS:
        return _Shape("mapping", dict, parts[1:] or (Any,)) if parts[:1] in ((), (str,), (Any,)) else None
    if hasattr(kind, "__members__"):
        return _Shape("choices", kind, tuple(kind))
    if hasattr(kind, "model_json_schema") and hasattr(kind, "model_validate"):
        return _Shape("model", kind)
    if any(hasattr(kind, mark) for mark in ("__dataclass_fields__", "__total__", "_field_defaults")):
        return _Shape("record", kind)
    if name == "builtins.tuple" and parts and parts[-1] is not ...:
        return _Shape("tuple", tuple, parts)
    return _Shape("array", _ARRAYS[name], parts[:1] or (Any,)) if name in _ARRAYS else None


_NOTHING: Any = object()  # None is a value, and a default


class _Field(NamedTuple):
    """A field of a record, or a parameter of a function."""

    name: str
    hint: Any
    required: bool
    default: Any = _NOTHING
    description: str = ""


def _fields_of(kind: Any) -> List[_Field]:
    hints = _hints_of(kind, kind.__name__)
    notes = _docs_of(kind, hints)[1]
    if hasattr(kind, "__dataclass_fields__"):
        import dataclasses

        items = [item for item in dataclasses.fields(kind) if item.init]
        notes.update({item.name: item.metadata["description"] for item in items if "description" in item.metadata})
        defaults = {item.name: item.default for item in items if item.default is not dataclasses.MISSING}
        optional = {*defaults, *(item.name for item in items if item.default_factory is not dataclasses.MISSING)}
        names = [item.name for item in items]
    elif hasattr(kind, "_field_defaults"):
        defaults, names = kind._field_defaults, list(kind._fields)
        optional = set(defaults)
    else:  # with annotations as texts, __required_keys__ has not seen the words, and get_type_hints has
        defaults, names = {}, list(hints)
        words = {name: _shape_of(hint, name).word for name, hint in hints.items()}
        optional = {name for name in names if name not in kind.__required_keys__ or words[name] == "NotRequired"}
        optional -= {name for name in names if words[name] == "Required"}
    return [
        _Field(name, hints.get(name, Any), name not in optional, defaults.get(name, _NOTHING), notes.get(name, ""))
        for name in names
    ]


def _hints_of(thing: Any, name: str, known: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    try:
        return typing.get_type_hints(thing, known, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        cure = "the names must be known at run time, and X | Y needs Python 3.10 (Optional[X] and Union[X, Y] do not)"
        raise PayloadError(f"the type hints of {name} cannot be read: {error}; {cure}", path=name) from error


_HEADER = re.compile(
    r"^(args|arguments|parameters|params|keyword args|other parameters|attributes|returns?|yields?|raises?|examples?"
    r"|notes?|warnings?|see also|references|todo)(?:[ ]*:|[ ]*\n-{3,})[ ]*$",
    re.IGNORECASE | re.MULTILINE,
)
_OF_FIELDS = ("args", "arguments", "parameters", "params", "keyword args", "other parameters", "attributes")
# Google's `city (str): The city.`, NumPy's `city : str` with the text below, reST's `:param str city: The city.`, each
# with the lines that are indented deeper than it.
_ENTRY = r"^( *)(?::(?:param|attr|ivar)[^:\n]*? NAME|\*{0,2}NAME *(?:\(.*?\))?) *(:.*|)$((?:\n(?:\1 +.*| *))*)"


def _docs_of(thing: Any, names: Iterable[str] = ()) -> Tuple[str, Dict[str, str]]:
    """The text of a docstring up to its first section, and what its sections say of `names`."""
    doc = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    if not isinstance(doc, str) or doc.startswith(f"{getattr(thing, '__name__', '')}("):  # a dataclass writes its own
        return "", {}
    import inspect

    doc = inspect.cleandoc(doc)
    is_numpy = re.search(r"^(?:Parameters|Attributes) *\n-{3}", doc, re.MULTILINE)
    parts = _HEADER.split(doc)
    text = re.split(r"^:\w+.*:", parts[0], maxsplit=1, flags=re.MULTILINE)[0]
    bodies = [body for header, body in zip(parts[1::2], parts[2::2]) if header.lower() in _OF_FIELDS]
    where = "\n".join([parts[0][len(text) :], *bodies])
    notes = {}
    for name in names:
        found = re.search(_ENTRY.replace("NAME", re.escape(name)), where, re.MULTILINE)
        if found:
            notes[name] = " ".join(("" if is_numpy else found[2][1:]).split() + found[3].split())
    return text.strip(), notes


# ---- types -> schemas


class _Writer:
    """Writes the schemas of types. Each kind of shape has its method; recursive types go to $defs, others are inlined.

    `nullable`: what has a default may be null, too. `models`: pydantic models show their schema; else anything goes
    there, because their own check follows.
    """

    def __init__(self, *, nullable: bool, models: bool = True) -> None:
        self.nullable = nullable
        self.models = models
        self.definitions: Dict[str, Any] = {}
        self.names: Dict[Any, str] = {}  # of the types being written, and of those in the definitions

    def document(self, hint: Any) -> Dict[str, Any]:
        """The whole schema of a type, its definitions included."""
        return inline_root(self.whole(self.write(hint, _name_of(hint))))

    def whole(self, schema: Dict[str, Any]) -> Dict[str, Any]:
        return {**schema, "$defs": self.definitions} if self.definitions else schema

    def write(self, hint: Any, path: str) -> Dict[str, Any]:
        shape = _shape_of(hint, path)
        return {**getattr(self, shape.kind)(shape, path), **shape.notes}

    def scalar(self, shape: _Shape, path: str) -> Dict[str, Any]:
        return _SCALARS[f"{shape.type.__module__}.{shape.type.__qualname__}"][0]

    def choices(self, shape: _Shape, path: str) -> Dict[str, Any]:
        values = [value for value, _ in _choices_of(shape, path)]
        kinds = list(dict.fromkeys(map(kind_of, values)))
        return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}

    def union(self, shape: _Shape, path: str) -> Dict[str, Any]:
        branches = [self.write(part, path) for part in shape.parts if part is not type(None)]
        made = branches[0] if len(branches) == 1 else {"anyOf": branches}
        return _or_null(made) if type(None) in shape.parts else made

    def array(self, shape: _Shape, path: str) -> Dict[str, Any]:
        return {"type": "array", "items": self.write(shape.parts[0], f"{path}[]")}

    def tuple(self, shape: _Shape, path: str) -> Dict[str, Any]:
        places = [self.write(part, path_to(path, place)) for place, part in enumerate(shape.parts)]
        return {"type": "array", "prefixItems": places, "minItems": len(places), "maxItems": len(places)}

    def mapping(self, shape: _Shape, path: str) -> Dict[str, Any]:
        return {"type": "object", "additionalProperties": self.write(shape.parts[0], f"{path}[...]")}

    def alias(self, shape: _Shape, path: str) -> Dict[str, Any]:
        return self.named(shape.type, lambda: self.write(shape.parts[0], path))

    def record(self, shape: _Shape, path: str) -> Dict[str, Any]:
        kind = shape.type
        return self.named(kind, lambda: self.object(_fields_of(kind), kind.__name__, _docs_of(kind)[0]))

    def model(self, shape: _Shape, path: str) -> Dict[str, Any]:
        schema = dict(shape.type.model_json_schema()) if self.models else {}
        for name, definition in schema.pop("$defs", {}).items():
            if name in self.names.values() or self.definitions.setdefault(name, definition) != definition:
                raise PayloadError(f"{path} needs two different types called {name}; rename one", path=path)
        return schema

    def named(self, kind: Any, write: Callable[[], Dict[str, Any]]) -> Dict[str, Any]:
        """The schema of a named type, or a $ref where it stands inside itself."""
        if kind in self.names:
            self.definitions.setdefault(self.names[kind], {})
        else:
            taken = {*self.names.values(), *self.definitions}
            names = [kind.__name__, *(f"{kind.__name__}_{number}" for number in range(2, len(taken) + 2))]
            self.names[kind] = next(name for name in names if name not in taken)
            made = write()
            if self.names[kind] not in self.definitions:
                del self.names[kind]
                return made
            self.definitions[self.names[kind]] = made
        return {"$ref": f"#/$defs/{self.names[kind]}"}

    def object(self, fields: List[_Field], owner: str, description: str = "") -> Dict[str, Any]:
        made: Dict[str, Any] = {"type": "object", **({"description": description} if description else {})}
        properties: Dict[str, Any] = {}
        for field in fields:
            path = path_to(owner, field.name)
            inner = self.write(field.hint, path)
            if field.description and "description" not in _shape_of(field.hint, path).notes:
                inner = {**inner, "description": field.description}
            properties[field.name] = inner if field.required else self.optional(inner, field.default)
        required = [field.name for field in fields if field.required]
        return {**made, "properties": properties, "required": required, "additionalProperties": False}

    def optional(self, schema: Dict[str, Any], default: Any) -> Dict[str, Any]:
        """`schema` for what may be left out. The default goes into the text: strict mode has no other place for it."""
        made = _or_null(schema) if self.nullable or default is None else schema
        try:
            text = json.dumps(_json_of(default), allow_nan=False)
        except (TypeError, ValueError):  # no JSON: the model cannot say it, and the function knows it
            return made
        said = f"{schema.get('description', '')} Default: {text}.".lstrip()
        return made if default is None else {**made, "description": said}


def _choices_of(shape: _Shape, path: str) -> List[Tuple[Any, Any]]:
    """(what stands in the JSON, what it means) of each choice."""
    found = [(_json_of(part), part) for part in shape.parts]
    for value, part in found:
        if not isinstance(value, _PLAIN):
            raise PayloadError(f"{path} allows {part!r}, which JSON does not have", path=path)
    return found


def _json_of(value: Any) -> Any:
    """An Enum's member by its value, or by its name where that is no JSON; anything else as it is."""
    if not hasattr(type(value), "__members__"):
        return value
    return value.value if isinstance(value.value, _PLAIN) else value.name


def _or_null(schema: Dict[str, Any]) -> Dict[str, Any]:
    """`schema`, or null; a description stays outside."""
    if not schema or "null" in types_of(schema) or _NULL in schema.get("anyOf", ()):
        return schema
    inner = {word: value for word, value in schema.items() if word != "description"}
    branches = inner["anyOf"] if list(inner) == ["anyOf"] else [inner]
    notes = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [*branches, _NULL], **notes}


def _name_of(hint: Any) -> str:
    """What to call a type: without modules, and without what the API's names may not have. A text is a name already."""
    name = hint.__name__ if isinstance(hint, type) and not typing.get_origin(hint) else str(hint)
    return re.sub("[^a-zA-Z0-9_-]+", "_", re.sub(r"[\w.<>]*\.", "", name)).strip("_")[:64]


# ---- JSON -> values


class _Builder:
    """Makes instances of types from JSON that has passed the check; what it remembers of types is for long lists."""

    def __init__(self, what: str) -> None:
        self.what = what  # how an error begins
        # By id, and the hint beside, so that the id stays taken.
        self.shapes: Dict[int, Tuple[Any, _Shape]] = {}
        self.schemas: Dict[int, Tuple[Any, Dict[str, Any]]] = {}
        self.fields: Dict[Any, List[_Field]] = {}

    def build(self, value: Any, hint: Any, path: str) -> Any:
        if id(hint) not in self.shapes:
            self.shapes[id(hint)] = hint, _shape_of(hint, path)
        shape = self.shapes[id(hint)][1]
        if shape.kind == "alias":
            return self.build(value, shape.parts[0], path)
        return getattr(self, shape.kind)(value, shape, path)

    def make(self, path: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls what makes the value; what that objects to is said with the path."""
        try:
            return function(*args, **kwargs)
        except (TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise mismatch(_told_by(error, path), self.what) from error

    def scalar(self, value: Any, shape: _Shape, path: str) -> Any:
        return self.make(path, _SCALARS[f"{shape.type.__module__}.{shape.type.__qualname__}"][1], shape.type, value)

    def choices(self, value: Any, shape: _Shape, path: str) -> Any:
        return next(member for choice, member in _choices_of(shape, path) if same(choice, value))

    def union(self, value: Any, shape: _Shape, path: str) -> Any:
        """The member that fits; of several the one that is the JSON's own type, else the first."""
        if value is None and type(None) in shape.parts:
            return None
        parts = [part for part in shape.parts if part is not type(None)]
        if len(parts) > 1:
            parts = [part for part in parts if self.fits(value, part)] or parts
            parts.sort(key=lambda part: part is not type(value))
        return self.build(value, parts[0], path)

    def fits(self, value: Any, hint: Any) -> bool:
        if id(hint) not in self.schemas:
            self.schemas[id(hint)] = hint, _Writer(nullable=True).document(hint)
        return not check_value(value, self.schemas[id(hint)][1])

    def array(self, value: Any, shape: _Shape, path: str) -> Any:
        items = [self.build(item, shape.parts[0], path_to(path, place)) for place, item in enumerate(value)]
        return self.make(path, shape.type, items)

    def tuple(self, value: Any, shape: _Shape, path: str) -> Any:
        pairs = enumerate(zip(value, shape.parts))
        return tuple([self.build(item, part, path_to(path, place)) for place, (item, part) in pairs])

    def mapping(self, value: Any, shape: _Shape, path: str) -> Any:
        return {key: self.build(item, shape.parts[0], path_to(path, key)) for key, item in value.items()}

    def record(self, value: Any, shape: _Shape, path: str) -> Any:
        if shape.type not in self.fields:
            self.fields[shape.type] = _fields_of(shape.type)
        values = self.values(value, self.fields[shape.type], path)
        return values if hasattr(shape.type, "__total__") else self.make(path, shape.type, **values)

    def values(self, value: Any, fields: List[_Field], path: str, *, calling: bool = False) -> Dict[str, Any]:
        """Field by field. A null means the default where the type knows no None, and always in a function's call."""
        made = {}
        for field in fields:
            item = value.get(field.name)
            stands_for_default = item is None and not field.required and (calling or not self.fits(None, field.hint))
            if field.name in value and not stands_for_default:
                made[field.name] = self.build(item, field.hint, path_to(path, field.name))
        return made

    def model(self, value: Any, shape: _Shape, path: str) -> Any:
        return self.make(path, shape.type.model_validate, value)


def _told_by(error: Exception, path: str) -> List[Problem]:
    """What a constructor objects to; pydantic's errors know where."""
    details = error.errors() if hasattr(error, "errors") else []
    found = [Problem(functools.reduce(path_to, detail["loc"], path), detail["msg"]) for detail in details]
    return found or [Problem(path, str(error) or type(error).__name__)]


def build_value(value: Any, type_: Any) -> Any:
    """`value` (decoded JSON), checked, as an instance of `type_`: dataclasses, enums, dates and so on at every depth.

    A TypedDict stays a dict, and a null for a field with a default is the default where the type knows no None. Raises
    SchemaMismatch with the path where it does not fit, PayloadError for a type that JSON cannot hold.
    """
    schema = _Writer(nullable=True, models=False).document(type_)
    what = f"the value does not fit {_name_of(type_)}"
    require_fit(value, schema, what)
    return _Builder(what).build(value, type_, "$")


# ---- what is sent


class Format(NamedTuple):
    """How to ask for an answer of one type, and how to read it. Made by format_of."""

    response_format: Dict[str, Any]  # what to send under this name
    read: Callable[[str], Any]  # the answer's text -> the value; raises SchemaMismatch
    schema: Dict[str, Any]  # what stands in response_format
    why_not_strict: str = ""  # why strict mode is off, "" where it is on


def format_of(type_or_schema: Any, *, name: Optional[str] = None, strict: Optional[bool] = None) -> Format:
    """The Format for a type, a pydantic model, or a JSON Schema as a dict.

    The root of an answer is an object (the API's rule): what is none, such as a list, travels as {"value": ...} and is
    unwrapped on reading. `name` is what the API calls the format, `strict` is as in tool_schema. Raises PayloadError.
    """
    if isinstance(type_or_schema, Mapping):
        label = _name_of(name or type_or_schema.get("title") or "answer")
        tight = loose = inline_root(type_or_schema)
        checked: Any = type_or_schema
    else:
        label = _name_of(name or type_or_schema)
        tight, loose = (_Writer(nullable=nullable).document(type_or_schema) for nullable in (True, False))
        checked = _Writer(nullable=True, models=False).document(type_or_schema)
    wrapped = types_of(tight) not in (["object"], []) or not tight.keys() & {"type", "properties"}
    schema, why = strictest(*((wrap_root(tight), wrap_root(loose)) if wrapped else (tight, loose)), strict)
    sent = {"type": "json_schema", "json_schema": {"name": label, "schema": schema, "strict": not why}}
    what = f"the answer does not fit {label}"
    builder = _Builder(what)

    def read(text: str) -> Any:
        value = decode(text)
        if wrapped:
            require_fit(value, wrap_root({}), what)
            value = value["value"]
        require_fit(value, checked, what)
        return value if isinstance(type_or_schema, Mapping) else builder.build(value, type_or_schema, "$")

    return Format(sent, read, schema, why)


def response_format_for(type_: Any, *, name: Optional[str] = None, strict: Optional[bool] = None) -> Dict[str, Any]:
    """What to send as `response_format` to get a `type_`; see format_of, which knows how to read the answer, too."""
    return format_of(type_, name=name, strict=strict).response_format


def parse_text(text: str, type_or_schema: Any) -> Any:
    """The answer's text as a value of the type, or as checked JSON for a schema. Raises SchemaMismatch."""
    return format_of(type_or_schema).read(text)


# ---- functions


def tool_schema(
    function: Callable[..., Any],
    *,
    name: Optional[str] = None,
    description: Optional[str] = None,
    strict: Optional[bool] = None,
) -> Dict[str, Any]:
    """An entry of `tools` for a function, a method, a partial, a callable object or a dataclass or model to be filled.

    Name, description and what each parameter means come from the signature and the docstring (Google, NumPy or reST
    style); what a partial has bound by name is not offered. `strict`: None where strict mode can say it, True insists,
    False never. Raises PayloadError for *args, **kwargs, positional-only, types JSON cannot hold, and bad names.
    """
    own_name, text, fields = _signature(function)
    name = name or own_name
    if not re.fullmatch("[a-zA-Z0-9_-]{1,64}", name):
        cure = "give name= of up to 64 letters, digits, _ and -"
        raise PayloadError(f"a tool cannot be called {name!r}; {cure}", path="name")
    tight = _parameters(function, own_name, fields, nullable=True)
    parameters, why = strictest(tight, _parameters(function, own_name, fields, nullable=False), strict)
    text = text if description is None else description
    about = {"name": name, **({"description": text} if text else {}), "parameters": parameters, "strict": not why}
    return {"type": "function", "function": about}


def tool_arguments(function: Callable[..., Any], arguments: Union[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """The keyword arguments for a call of `function`: what the model wrote, decoded, checked, and built by type.

    "" stands for no arguments (what servers send for a function without any), null for the default. Raises
    SchemaMismatch with the path.
    """
    name, _, fields = _signature(function)
    value = decode(arguments or "{}", "the arguments are") if isinstance(arguments, str) else dict(arguments)
    is_model = hasattr(function, "model_json_schema")
    what = f"the arguments do not fit {name}"
    require_fit(value, _parameters(function, name, fields, nullable=True, models=is_model), what)
    return value if is_model else _Builder(what).values(value, fields, "$", calling=True)


def _parameters(function: Any, name: str, fields: List[_Field], **how: bool) -> Dict[str, Any]:
    writer = _Writer(**how)
    if hasattr(function, "model_json_schema"):
        return writer.document(function)
    return writer.whole(writer.object(fields, name))


def _signature(function: Any) -> Tuple[str, str, List[_Field]]:
    """Name, description and parameters."""
    import inspect
    import types

    if isinstance(function, type):
        is_record = _shape_of(function, function.__name__).kind == "record"
        return function.__name__, _docs_of(function)[0], _fields_of(function) if is_record else []
    plain, bound = function, set()
    while hasattr(plain, "func") and hasattr(plain, "keywords"):  # a partial, of a partial
        bound.update(plain.keywords)
        plain = plain.func
    if not callable(plain):
        raise PayloadError(f"a tool is a function, got {type(plain).__name__}", path="function")
    if not hasattr(plain, "__name__"):
        plain = type(plain).__call__
    name = plain.__name__ if plain.__name__ != "__call__" else _name_of(type(function))
    inner = inspect.unwrap(plain)
    # What it returns is nobody's business here, and often a name that only type checkers know.
    named = {key: hint for key, hint in getattr(inner, "__annotations__", {}).items() if key != "return"}
    hints = _hints_of(types.SimpleNamespace(__annotations__=named), name, getattr(inner, "__globals__", {}))
    found = [item for item in inspect.signature(function).parameters.values() if item.name not in bound]
    text, notes = _docs_of(plain, hints)
    return name, text, [_parameter(item, name, hints, notes) for item in found]


def _parameter(item: Any, function: str, hints: Mapping[str, Any], notes: Mapping[str, str]) -> _Field:
    path = path_to(function, item.name)
    if item.kind not in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY):
        kinds = {item.POSITIONAL_ONLY: "positional-only", item.VAR_POSITIONAL: "*args", item.VAR_KEYWORD: "**kwargs"}
        cure = "a model fills parameters by name: wrap it in a function with named ones"
        raise PayloadError(f"{path} is {kinds[item.kind]}; {cure}", path=path)
    if item.name in ("self", "cls") and item.name not in hints:
        raise PayloadError(f"{function} is a method without its object; pass it bound: object.{function}", path=path)
    default = _NOTHING if item.default is item.empty else item.default
    return _Field(item.name, hints.get(item.name, Any), default is _NOTHING, default, notes.get(item.name, ""))
