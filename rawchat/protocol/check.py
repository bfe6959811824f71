"""JSON Schema as chat completions use it: follow a $ref, check a value, make a strict copy of a schema.

    check_value({"items": [{"price": "9"}]}, schema)     [Problem("$.items[0].price", "expected number, got string")]
    strict_schema({"type": "object", "properties": {"a": {"type": "string", "default": ""}}})
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}

The keywords that the check knows are the rows of `_RULES`; of formats it knows date, date-time, time, uuid and email; a
$ref has to stay within the document. What it does not know, or cannot make sense of, it lets pass: it judges values,
not schemas. Types of Python are not its business, see schema.py. Pure.

JSON Schema is draft 2020-12; pointers are RFC 6901; the rules of strict mode are OpenAI's ("Structured Outputs",
"Supported schemas").
"""

from __future__ import annotations

import json
import operator
import re
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, NoReturn, Optional, Tuple

from .errors import PayloadError
from .feature_errors import SchemaMismatch

DEEPEST = 128  # schemas inside each other, refs followed included; beyond, Python's own stack would be in danger
_MOST = 100  # problems told at once
_OBJECT = (dict, Mapping)  # dict first: it is the quicker look


class Problem(NamedTuple):
    """What is wrong with a value, and where: `at $.items[2].price: expected number, got string`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"at {self.path}: {self.message}"


def path_to(path: str, key: Any) -> str:
    """`$.items`, `$.items[2]`, and `$["a b"]` where a key is no plain word."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    key = str(key)
    return f"{path}.{key}" if key.isidentifier() and len(key) <= 60 else f"{path}[{json.dumps(key[:60])}]"


def find_ref(ref: Any, root: Any) -> Any:
    """The schema that `ref` ("#/$defs/A~1B") names within `root`; None if it is not there, or in another document."""
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    if "%" in ref:
        from urllib.parse import unquote  # three milliseconds, and hardly a ref is percent-encoded

        ref = unquote(ref)
    found = root
    for part in ref.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, _OBJECT) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found if ref[1:2] in ("", "/") else None  # "#name" is an anchor


# ---- the check


def check_value(value: Any, schema: Any, *, root: Any = None, path: str = "$") -> List[Problem]:
    """All that is wrong with `value` (decoded JSON), up to a hundred problems; [] if it fits. Never raises.

    `root` is the document that a $ref starts from, `schema` itself unless given; `path` is what the value is called.
    """
    try:
        return _Check(schema if root is None else root).problems(value, schema, path, 0)[:_MOST]
    except RecursionError:  # the caller's own stack was nearly full, or the value is a thousand levels deep
        return [Problem(path, "is too deep to be checked")]


def first_problem(value: Any, schema: Any, *, root: Any = None, path: str = "$") -> Optional[Problem]:
    """As check_value, but the first problem alone, or None."""
    return next(iter(check_value(value, schema, root=root, path=path)), None)


def mismatch(problems: List[Problem], what: str) -> SchemaMismatch:
    """The error that tells `problems`: the first in its text, all of them in `.problems`."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SchemaMismatch(f"{what}: {problems[0]}{more}", path=problems[0].path, problems=tuple(problems))


def require_fit(value: Any, schema: Any, what: str) -> None:
    problems = check_value(value, schema)
    if problems:
        raise mismatch(problems, what)


def decode(text: Any, what: str = "the answer is") -> Any:
    """The JSON in `text`. Raises SchemaMismatch: cut off, empty, prose, a code fence, or NaN, which is no JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, TypeError, RecursionError) as error:
        fence = isinstance(text, str) and text.lstrip().startswith("```")
        hint = "The model put a code fence around it: the server may not know response_format." if fence else ""
        problem = Problem("$", f"no JSON: {error}" if text else "no JSON: it is empty")
        raise SchemaMismatch(f"{what} {problem.message}", path="$", problems=(problem,), hint=hint) from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}, which JSON does not have")


class _Spot(NamedTuple):
    """One value under one schema."""

    value: Any
    schema: Mapping[str, Any]
    path: str
    depth: int


class _Check:
    """One run of the check. Each $ref is followed once for each value, so that no schema makes it run on and on."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.followed: Dict[Tuple[str, str], List[Problem]] = {}

    def problems(self, value: Any, schema: Any, path: str, depth: int) -> List[Problem]:
        if schema is False:
            return [Problem(path, "nothing may stand here")]
        if not isinstance(schema, _OBJECT):
            return []
        if depth > DEEPEST:
            return [Problem(path, f"lies deeper than {DEEPEST} schemas, and deeper is not checked")]
        kind = kind_of(value)
        wrong = _wrong_type(value, kind, schema.get("type"))
        if wrong:  # the other keywords would only repeat it
            return [Problem(path, wrong)]
        spot = _Spot(value, schema, path, depth)
        found: List[Problem] = []
        for word, argument in schema.items():
            kinds, classes, rule = _RULES.get(word, _NO_RULE)
            if (kind in kinds or not kinds) and isinstance(argument, classes):
                found += rule(self, argument, spot)
        return found

    def inner(self, spot: _Spot, key: Any, schema: Any) -> List[Problem]:
        """The problems of the value that stands under `key`."""
        return self.problems(spot.value[key], schema, path_to(spot.path, key), spot.depth + 1)

    def again(self, spot: _Spot, schema: Any) -> List[Problem]:
        """The problems of the same value under another schema."""
        return self.problems(spot.value, schema, spot.path, spot.depth + 1)


Rule = Callable[[_Check, Any, _Spot], Iterable[Problem]]
_KINDS: Dict[str, Any] = {"integer": int, "number": float, "string": str, "array": (list, tuple), "object": _OBJECT}


def kind_of(value: Any) -> str:
    """The name JSON Schema has for the type of `value`; Python's name for what is no JSON."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    return next((kind for kind, classes in _KINDS.items() if isinstance(value, classes)), type(value).__name__)


def types_of(schema: Mapping[str, Any]) -> List[Any]:
    """What `type` says, as a list: ["object", "null"] is an object, too."""
    kinds = schema.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _wrong_type(value: Any, kind: str, wanted: Any) -> str:
    names = wanted if isinstance(wanted, list) else [wanted] if isinstance(wanted, str) else []
    if not names or kind in names or (kind == "integer" and "number" in names):
        return ""
    # JSON knows one kind of number, and 1.0 is an integer (draft 2020-12, section 6.1.1 of the validation part).
    if kind == "number" and "integer" in names and value == value // 1:
        return ""
    if not all(name in ("null", "boolean", *_KINDS) for name in names):
        return ""  # "any" and the like: a word of somebody's own
    return f"expected {' or '.join(names)}, got {kind}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= 80 else text[:77] + "..."


def same(one: Any, other: Any) -> bool:
    """Equal in JSON, where true is not 1 but 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def _enum(check: _Check, choices: Any, spot: _Spot) -> Iterator[Problem]:
    if not any(same(spot.value, choice) for choice in choices):
        wanted = ", ".join(map(_shown, choices[:20])) + (", ..." if len(choices) > 20 else "")
        yield Problem(spot.path, f"expected {'one of ' * (len(choices) != 1)}{wanted}, got {_shown(spot.value)}")


def _limit(measure: Callable[[Any], Any], fits: Callable[[Any, Any], bool], sentence: str) -> Rule:
    def rule(check: _Check, limit: Any, spot: _Spot) -> Iterator[Problem]:
        size = measure(spot.value)
        if not isinstance(limit, bool) and not fits(size, limit):  # draft 4 has "exclusiveMinimum": true
            yield Problem(spot.path, f"must {sentence.format(limit)}, got {size}")

    return rule


def _itself(value: Any) -> Any:
    return value


def _pattern(check: _Check, pattern: Any, spot: _Spot) -> Iterator[Problem]:
    if not _matches(pattern, spot.value):
        yield Problem(spot.path, f"must match the pattern {_shown(pattern)}, got {_shown(spot.value)}")


def _matches(pattern: Any, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except (re.error, TypeError, OverflowError, RecursionError):  # ECMA 262 has patterns that Python cannot read
        return True


_DAY, _CLOCK = "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
# Format -> its pattern, and the class of `datetime` that knows there is no 30th of February. The offset of a date-time
# is optional here, though RFC 3339 wants it: models leave it out as datetime.now().isoformat() does.
_FORMATS = {
    "date": (_DAY, "date"),
    "time": (_CLOCK, "time"),
    "date-time": (f"{_DAY}[Tt ]{_CLOCK}", "datetime"),
    "uuid": ("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", ""),
    "email": (r"[^@\s]+@[^@\s]+", ""),
}


def iso_text(text: str) -> str:
    """A date or time of RFC 3339 as `fromisoformat` of Python 3.9 reads it: no Z, six digits of a second or none."""
    text = re.sub("[Zz]$", "+00:00", text)
    return re.sub(r"\.([0-9]+)", lambda found: f".{found[1][:6]:0<6}", text)


def _format(check: _Check, name: Any, spot: _Spot) -> Iterator[Problem]:
    pattern, class_name = _FORMATS.get(name, ("", ""))
    if pattern and (not re.fullmatch(pattern, spot.value) or (class_name and not _is_iso(class_name, spot.value))):
        yield Problem(spot.path, f"expected a text of the format {name}, got {_shown(spot.value)}")


def _is_iso(class_name: str, text: str) -> bool:
    import datetime  # a millisecond, and most schemas have no dates

    try:
        getattr(datetime, class_name).fromisoformat(iso_text(text))
    except ValueError:
        return False
    return True


def _properties(check: _Check, properties: Any, spot: _Spot) -> Iterator[Problem]:
    for key, schema in properties.items():
        if key in spot.value:
            yield from check.inner(spot, key, schema)


def _additional(check: _Check, schema: Any, spot: _Spot) -> Iterator[Problem]:
    names, patterns = spot.schema.get("properties"), spot.schema.get("patternProperties")
    names = list(names) if isinstance(names, _OBJECT) else []
    patterns = list(patterns) if isinstance(patterns, _OBJECT) else []
    for key in spot.value:
        if key in names or any(_matches(pattern, str(key)) for pattern in patterns):
            continue
        if schema is False:
            yield Problem(
                spot.path, f"unexpected property {_shown(key)}; expected {', '.join(map(str, names))[:200] or 'none'}"
            )
        else:
            yield from check.inner(spot, key, schema)


def _required(check: _Check, names: Any, spot: _Spot) -> Iterator[Problem]:
    return (Problem(spot.path, f"missing property {_shown(name)}") for name in names if name not in list(spot.value))


def _prefix_of(schema: Mapping[str, Any]) -> List[Any]:
    """The schemas of the first items; until draft 2019-09 `items` itself was that list."""
    prefix = schema.get("prefixItems", schema.get("items"))
    return prefix if isinstance(prefix, list) else []


def _prefix_items(check: _Check, prefix: Any, spot: _Spot) -> Iterator[Problem]:
    for place in range(min(len(prefix), len(spot.value))):
        yield from check.inner(spot, place, prefix[place])


def _items(check: _Check, schema: Any, spot: _Spot) -> List[Problem]:
    if isinstance(schema, list):
        return list(_prefix_items(check, schema, spot))
    first, found = len(_prefix_of(spot.schema)), []
    if schema is False and len(spot.value) > first:
        return [Problem(spot.path, f"must have at most {first} items, got {len(spot.value)}")]
    for place in range(first, len(spot.value)):
        found += check.inner(spot, place, schema)
        if len(found) >= _MOST:
            break
    return found


def _any_of(check: _Check, branches: Any, spot: _Spot) -> List[Problem]:
    tried = []
    for branch in branches:
        tried.append(check.again(spot, branch))
        if not tried[-1]:
            return []
    return _nearest(tried, spot)


def _one_of(check: _Check, branches: Any, spot: _Spot) -> List[Problem]:
    tried = [check.again(spot, branch) for branch in branches]
    fitting = tried.count([])
    if fitting > 1:
        return [Problem(spot.path, f"fits {fitting} of the alternatives, and may fit only one")]
    return [] if fitting else _nearest(tried, spot)


def _nearest(tried: List[List[Problem]], spot: _Spot) -> List[Problem]:
    """The problems with the branch that was most likely meant: of the right type, with the right constants."""
    other = [found for found in tried if found[0].path == spot.path and found[0].message.startswith("expected ")]
    meant = [found for found in tried if found not in other]
    if meant:
        return min(meant, key=lambda found: (sum(', got "' in problem.message for problem in found), len(found)))
    wanted = [found[0].message[len("expected ") :].rpartition(", got ") for found in other]
    names = " or ".join(dict.fromkeys(name for name, _, _ in wanted))
    return [Problem(spot.path, f"expected {names}, got {wanted[-1][2]}")] if wanted else []


def _all_of(check: _Check, branches: Any, spot: _Spot) -> Iterator[Problem]:
    for branch in branches:
        yield from check.again(spot, branch)


def _not(check: _Check, schema: Any, spot: _Spot) -> Iterator[Problem]:
    if not check.again(spot, schema):
        yield Problem(spot.path, f"must not fit {_shown(schema)}")


def _ref(check: _Check, ref: Any, spot: _Spot) -> List[Problem]:
    key = (spot.path, ref)
    if key not in check.followed:
        check.followed[key] = []  # met again on its own way, it adds nothing
        check.followed[key] = check.again(spot, find_ref(ref, check.root))
    return check.followed[key]


_NUMBER, _SCHEMA, _ANY = (int, float), (bool, *_OBJECT), object
_NO_RULE: Tuple[str, Any, Rule] = ("", (), _enum)
# Keyword -> the kinds of value it speaks of ("": all), the classes its argument may have, and the rule. Adding a
# keyword is adding a row. What stands in a schema and has no row, or another argument, says nothing.
_RULES: Dict[str, Tuple[str, Any, Rule]] = {
    "enum": ("", list, _enum),
    "const": ("", _ANY, lambda check, value, spot: _enum(check, [value], spot)),
    "minimum": ("integer number", _NUMBER, _limit(_itself, operator.ge, "be at least {}")),
    "maximum": ("integer number", _NUMBER, _limit(_itself, operator.le, "be at most {}")),
    "exclusiveMinimum": ("integer number", _NUMBER, _limit(_itself, operator.gt, "be more than {}")),
    "exclusiveMaximum": ("integer number", _NUMBER, _limit(_itself, operator.lt, "be less than {}")),
    "minLength": ("string", _NUMBER, _limit(len, operator.ge, "have at least {} characters")),
    "maxLength": ("string", _NUMBER, _limit(len, operator.le, "have at most {} characters")),
    "pattern": ("string", str, _pattern),
    "format": ("string", str, _format),
    "minItems": ("array", _NUMBER, _limit(len, operator.ge, "have at least {} items")),
    "maxItems": ("array", _NUMBER, _limit(len, operator.le, "have at most {} items")),
    "prefixItems": ("array", list, _prefix_items),
    "items": ("array", (list, *_SCHEMA), _items),
    "minProperties": ("object", _NUMBER, _limit(len, operator.ge, "have at least {} properties")),
    "maxProperties": ("object", _NUMBER, _limit(len, operator.le, "have at most {} properties")),
    "required": ("object", list, _required),
    "properties": ("object", _OBJECT, _properties),
    "additionalProperties": ("object", _SCHEMA, _additional),
    "anyOf": ("", list, _any_of),
    "oneOf": ("", list, _one_of),
    "allOf": ("", list, _all_of),
    "not": ("", _SCHEMA, _not),
    "$ref": ("", str, _ref),
}

# ---- the strict copy

# Keywords that strict mode answers with a 400, and that no other keyword can say.
_REFUSED = "not if then else dependentRequired dependentSchemas patternProperties".split()
# Refused too, but they only narrow what the rest says: they are left out, and the answer is checked against them here.
_DROPPED = frozenset(
    """
    default discriminator uniqueItems contains minContains maxContains minProperties maxProperties propertyNames
    unevaluatedItems unevaluatedProperties
    """.split()
)
_STRICT_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())
# What may stand beside a $ref without changing what fits.
_NOTES = frozenset("description title examples deprecated readOnly writeOnly $comment".split())
_LARGEST = 20_000  # schemas in one; OpenAI takes 5,000 properties


def strict_schema(schema: Mapping[str, Any]) -> Dict[str, Any]:
    """A copy of `schema` that OpenAI's strict mode takes. What fits it fits `schema`, but for what is named below.

    Every object forbids further keys and requires all of its own, in order. oneOf becomes anyOf, an allOf of one is
    inlined, so is a $ref at the root; another $ref with a description moves into an anyOf of one, recursive or not.
    Defaults go. Loosened, because strict mode has no word for it: the order of prefixItems, uniqueItems, the number of
    properties, formats of one's own; check the answer against the original.

    Raises PayloadError with the path to what cannot be said at all: keys that are not known beforehand
    (additionalProperties, patternProperties), values of any type ({} and true), allOf of several, not, if, lost refs.
    """
    if not isinstance(schema, _OBJECT):
        raise PayloadError(f"a JSON Schema is a dict, got {type(schema).__name__}")
    made = _Strict(schema).copy(inline_root(schema), "$", 0)
    return made if isinstance(made, dict) else {}


def inline_root(schema: Mapping[str, Any]) -> Dict[str, Any]:
    """`schema` with a $ref at its root, which the API does not take there, replaced by a copy of what it names."""
    made, followed = dict(schema), []
    while "$ref" in made and made["$ref"] not in followed:
        target = find_ref(made["$ref"], schema)
        if not isinstance(target, _OBJECT):
            break
        followed.append(made.pop("$ref"))
        made = {**target, **made}
    return made


def wrap_root(schema: Mapping[str, Any]) -> Dict[str, Any]:
    """`schema` as the one property of an object; its definitions stay at the root, its refs to itself move along."""
    inner = {word: _moved(value) for word, value in schema.items() if word not in ("$defs", "definitions")}
    definitions = {word: _moved(schema[word]) for word in ("$defs", "definitions") if word in schema}
    closed = {"required": ["value"], "additionalProperties": False}
    return {"type": "object", "properties": {"value": inner}, **closed, **definitions}


def _moved(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_moved(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {word: _moved(value) for word, value in schema.items()}
    ref = made.get("$ref")
    if isinstance(ref, str) and ref.startswith("#") and not ref.startswith(("#/$defs/", "#/definitions/")):
        made["$ref"] = f"#/properties/value{ref[1:]}"
    return made


def _refuse(path: str, what: str) -> NoReturn:
    raise PayloadError(f"the schema {what} at {path}; strict mode cannot say that, strict=False can", path=path)


class _Strict:
    """One run of strict_schema; `root` is where each $ref starts."""

    __slots__ = ("root", "size")

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self.size = 0

    def copy(self, schema: Any, path: str, depth: int) -> Any:
        self.size += 1
        if depth > DEEPEST or self.size > _LARGEST:
            _refuse(path, "makes the schema endless, or too large")
        if schema is False:
            return False
        if not isinstance(schema, _OBJECT):
            _refuse(path, "takes anything" if schema is True else f"is no schema but {kind_of(schema)}")
        for word in _REFUSED:
            if schema.get(word, {}) != {}:
                _refuse(path, f"has {word!r}")
        if "$ref" in schema:
            return self.reference(schema, path, depth)
        if isinstance(schema.get("allOf"), list):
            return self.all_of(schema, path, depth)
        made = {word: list(value) if isinstance(value, list) else value for word, value in schema.items()}
        for step in (self.unions, self.arrays, self.objects, self.definitions):
            step(made, path, depth)
        if "format" in made and str(made["format"]) not in _STRICT_FORMATS:
            del made["format"]
        if not made.keys() & {"type", "anyOf", "enum", "const"}:
            _refuse(path, "takes anything")
        return {word: value for word, value in made.items() if word not in _DROPPED}

    def rest(self, schema: Mapping[str, Any], word: str) -> Dict[str, Any]:
        return {key: value for key, value in schema.items() if key != word and key not in _DROPPED}

    def reference(self, schema: Mapping[str, Any], path: str, depth: int) -> Any:
        """A $ref stands alone: "$ref cannot have keywords {'description'}" is what the API says otherwise."""
        target, rest = find_ref(schema["$ref"], self.root), self.rest(schema, "$ref")
        if target is None:
            _refuse(path, f"has a $ref to {_shown(schema['$ref'])}, which is not in the schema")
        if not _NOTES.issuperset(rest):  # the $ref and what stands beside it say one thing together
            return self.copy({**(target if isinstance(target, _OBJECT) else {}), **rest}, path, depth + 1)
        return {"anyOf": [{"$ref": schema["$ref"]}], **rest} if rest else {"$ref": schema["$ref"]}

    def all_of(self, schema: Mapping[str, Any], path: str, depth: int) -> Any:
        parts = schema["allOf"]
        if len(parts) != 1 or not isinstance(parts[0], _OBJECT):
            _refuse(path, f"has an allOf of {len(parts)}")
        return self.copy({**parts[0], **self.rest(schema, "allOf")}, path, depth + 1)

    def unions(self, made: Dict[str, Any], path: str, depth: int) -> None:
        if "oneOf" in made and "anyOf" in made:
            _refuse(path, "has both oneOf and anyOf")
        branches = made.pop("oneOf", made.get("anyOf"))
        if isinstance(branches, list):
            copies = [self.copy(item, f"{path}.anyOf[{n}]", depth + 1) for n, item in enumerate(branches)]
            made["anyOf"] = [item for item in copies if item is not False]

    def arrays(self, made: Dict[str, Any], path: str, depth: int) -> None:
        """Fixed places, which strict mode does not know, become that many items of any of their types."""
        prefix, items = _prefix_of(made), made.get("items")
        if prefix:
            made.pop("prefixItems", None)
            made.setdefault("minItems", len(prefix))
            kinds = [*prefix, items] if isinstance(items, _OBJECT) else prefix
            if kinds is prefix:
                made["maxItems"] = min(len(prefix), made.get("maxItems", len(prefix)))
            kinds = [kind for n, kind in enumerate(kinds) if kind not in kinds[:n]]
            items = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        if items is not None:
            made["items"] = self.copy(items, f"{path}.items", depth + 1)
        elif "array" in types_of(made):
            _refuse(path, "is an array of anything")

    def objects(self, made: Dict[str, Any], path: str, depth: int) -> None:
        if "object" not in types_of(made) and "properties" not in made:
            return
        if made.get("additionalProperties", False) is not False:
            _refuse(path, "has additionalProperties")
        made.setdefault("type", "object")
        properties = self.each(made.get("properties", {}), f"{path}.properties", depth)
        # A property under `false` must not be there, and what is not named must not be there either.
        made["properties"] = {name: item for name, item in properties.items() if item is not False}
        wanted = made.get("required")
        for name in wanted if isinstance(wanted, list) else ():
            if name not in list(made["properties"]):
                _refuse(path, f"requires {_shown(name)}, which is none of its properties,")
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False

    def definitions(self, made: Dict[str, Any], path: str, depth: int) -> None:
        for word in {"$defs", "definitions"} & made.keys():
            made[word] = self.each(made[word], f"{path}.{word}", depth)

    def each(self, schemas: Any, path: str, depth: int) -> Dict[str, Any]:
        if not isinstance(schemas, _OBJECT):
            _refuse(path, f"is no object of schemas but {kind_of(schemas)}")
        return {name: self.copy(item, path_to(path, name), depth + 1) for name, item in schemas.items()}


def strictest(tight: Mapping[str, Any], loose: Mapping[str, Any], strict: Optional[bool]) -> Tuple[Dict[str, Any], str]:
    """The schema to send, and why it is not strict ("" where it is)."""
    if strict is False:
        return dict(loose), "strict=False was asked for"
    try:
        return strict_schema(tight), ""
    except PayloadError as error:
        if strict:
            raise
        return dict(loose), error.message
