"""A value that fits a JSON Schema: what the practice server puts into tool arguments and structured answers.

    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 3}}}
    and the words "The weather in Paris for 2 days"        ->        {"city": "Paris", "days": 2}

Where the user's words offer a value (a place after "in", a number, a quoted text, "title: Dune"), it is taken; else a
plain sample is made up. Knows types, const, enum, anyOf, oneOf, allOf, $ref with $defs (recursive ones end), lengths,
ranges, multipleOf, formats and ordinary patterns. Does not know `not`, `if` and `dependent...`, which strict mode
forbids anyway. Pure: the same schema and the same words give the same value.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from .patterns import text_for_pattern

DEEPEST = 24  # levels; below it a schema that demands itself without end gets an empty value
FORMATS: Dict[str, str] = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/practice",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "json-pointer": "/a",
    "regex": "a+",
}
# Parts of a property's name, and what to write where the user's words offer nothing.
NAMED: Tuple[Tuple[str, str], ...] = (
    ("city|location|place|town|destination|origin|where", "Paris"),
    ("country", "France"),
    ("email", "ada@example.com"),
    ("url|link|website", "https://example.com/"),
    ("date|day", "2026-01-31"),
    ("timezone", "UTC"),
    ("name|author|person|user", "Ada Lovelace"),
    ("language|lang", "English"),
    ("currency", "EUR"),
    ("expression|formula", "2 + 2"),
)
_PLACE_NAMES = re.compile(NAMED[0][0] + "|country", re.I)
_WHOLE_TEXT_NAMES = re.compile(r"^(?:q|query|question|text|input|prompt|search|message|request|sentence)$", re.I)
_NAME = r"[A-Z][\w'.-]*\w(?: [A-Z][\w'.-]*\w)*(?:, [A-Z]{2}\b)?"
_PLACES = re.compile(rf"\b(?:in|at|for|near|to|from|of) ({_NAME}(?:(?:, and |, | and | or | and in )(?:in )?{_NAME})*)")
_LOWER_PLACE = re.compile(r"\b(?:in|at|near) (?!the\b|a\b|an\b|my\b|this\b|one\b|json\b)([a-z][a-z-]{2,})\b")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w%]|\.\d)")


def places_in(text: str) -> List[str]:
    """Places the text seems to speak of: capitalised words after "in", "at", "for" and so on, in order, once each."""
    found: List[str] = []
    for group in _PLACES.findall(text):
        # "Paris, France" is one place, "Paris, London and Rome" are three.
        is_list = re.search(r" (?:and|or) (?!in )", group)
        found.extend(
            re.split(r"(?:, and |, (?![A-Z]{2}\b)| and | or )(?:in )?" if is_list else r" (?:and|or) in ", group)
        )
    return list(dict.fromkeys(found)) or _LOWER_PLACE.findall(text)[:1]


def has_place(schema: Mapping[str, Any]) -> bool:
    """Does an object schema have a property for a place?"""
    properties = schema.get("properties")
    return isinstance(properties, dict) and any(_PLACE_NAMES.search(name) for name in properties)


class Words(NamedTuple):
    """What a text offers to fill in. The lists are used up from the front, so one value is not taken twice."""

    text: str
    places: List[str]
    quoted: List[str]
    numbers: List[str]


def words_of(text: str, place: Optional[str] = None) -> Words:
    """Read `text` once; `place` narrows the places to that one (for one tool call per place)."""
    quoted = ["".join(found) for found in _QUOTED.findall(text)]
    return Words(text, [place] if place else places_in(text), quoted, _NUMBER.findall(text))


def sample_value(schema: Any, words: Words, *, optional: bool = True) -> Any:
    """A value that fits `schema`. With `optional` False, optional properties come where the words offer a value."""
    return _Sampler(schema, words, optional).value(schema, "", ())


class _Sampler:
    def __init__(self, root: Any, words: Words, optional: bool) -> None:
        self.root = root
        self.words = words
        self.optional = optional

    def value(self, schema: Any, name: str, path: Tuple[str, ...], number: int = 0) -> Any:
        """`path`: the references being followed, to see recursion. `number`: place in an array, to tell items apart."""
        if not isinstance(schema, dict) or len(path) > DEEPEST:
            return self.text(name, number) if schema is True else None
        schema, path = self.resolved(schema, path)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.chosen(schema["enum"], number)
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                rest = {key: value for key, value in schema.items() if key != word}
                return self.value(_merged(rest, self.branch(schema[word], path)), name, path, number)
        kind = self.kind(schema, path)
        return _MAKERS[kind](self, schema, name, path, number) if kind in _MAKERS else None

    def resolved(self, schema: Mapping[str, Any], path: Tuple[str, ...]) -> Tuple[Dict[str, Any], Tuple[str, ...]]:
        """`schema` with its $ref followed and its allOf merged in."""
        result = dict(schema)
        while "$ref" in result and len(path) <= DEEPEST:
            reference = str(result.pop("$ref"))
            path = (*path, reference)
            result = _merged(_pointed_at(self.root, reference), result)
        for part in result.pop("allOf", ()):
            inner, path = self.resolved(part, path)
            result = _merged(result, inner)
        return result, path

    def recursive(self, schema: Any, path: Tuple[str, ...]) -> bool:
        """Would this lead back to a schema that is being filled already?"""
        if isinstance(schema, dict):
            return schema.get("$ref") in path or any(
                self.recursive(part, path) for key, part in schema.items() if key != "$defs"
            )
        return isinstance(schema, list) and any(self.recursive(part, path) for part in schema)

    def branch(self, options: List[Any], path: Tuple[str, ...]) -> Dict[str, Any]:
        """The first option, but rather null than an endless descent, and rather a value than null."""
        endless = [self.recursive(option, path) for option in options]
        calm = [option for option, is_endless in zip(options, endless) if not is_endless] or options
        return next((option for option in calm if option.get("type") != "null"), calm[0])

    def kind(self, schema: Mapping[str, Any], path: Tuple[str, ...]) -> str:
        kinds = schema.get("type")
        if isinstance(kinds, list):
            if "null" in kinds and self.recursive(schema, path):
                return "null"
            return next((str(kind) for kind in kinds if kind != "null"), "null")
        if kinds:
            return str(kinds)
        return "object" if "properties" in schema else "array" if "items" in schema else "string"

    def chosen(self, options: List[Any], number: int) -> Any:
        said = self.words.text.lower()
        named = [
            option
            for option in options
            if isinstance(option, str) and re.search(rf"\b{re.escape(option.lower())}\b", said)
        ]
        return named[0] if named and not number else options[number % len(options)]

    def object(self, schema: Dict[str, Any], name: str, path: Tuple[str, ...], number: int) -> Any:
        required = schema.get("required") or []
        result = {}
        properties = schema.get("properties") or {}
        for key, inner in properties.items():
            if key in required or self.wanted(key, inner, path):
                result[key] = self.value(inner, key, path, number)
        others = schema.get("additionalProperties", True)
        missing = [key for key in required if key not in result]
        fewest = int(schema.get("minProperties") or (1 if isinstance(others, dict) and not properties else 0))
        missing += [f"key{count}" for count in range(1, fewest - len(result) - len(missing) + 1)]
        for key in missing:
            result[key] = self.value(others if isinstance(others, dict) else True, key, path, number)
        return result

    def wanted(self, key: str, schema: Any, path: Tuple[str, ...]) -> bool:
        """Should an optional property be given?"""
        if self.recursive(schema, path):
            return False
        if self.optional:
            return True
        kinds = schema.get("type") if isinstance(schema, dict) else None
        if kinds == "string" and not schema.get("enum"):
            return bool(self.said(key) or (_PLACE_NAMES.search(key) and self.words.places))
        return bool(self.said(key)) or any(
            str(option).lower() in self.words.text.lower() for option in schema.get("enum") or ()
        )

    def array(self, schema: Dict[str, Any], name: str, path: Tuple[str, ...], number: int) -> Any:
        items = schema.get("items", True)
        fewest = int(schema.get("minItems") or 0)
        most = int(schema.get("maxItems", max(2, fewest)))
        front = [self.value(part, name, path, place) for place, part in enumerate(schema.get("prefixItems") or ())]
        count = fewest if self.recursive(items, path) or items is False else max(fewest, min(2, most))
        options = self.resolved(items, path)[0].get("enum") if isinstance(items, dict) else None
        if options and schema.get("uniqueItems"):
            count = min(count, len(options))
        more = [self.value(items, name, path, place) for place in range(len(front), count)]
        return front + more

    def string(self, schema: Dict[str, Any], name: str, path: Tuple[str, ...], number: int) -> Any:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        if schema.get("pattern"):
            made = text_for_pattern(str(schema["pattern"]), [self.text(name, number), *self.words.text.split()])
            if made is not None:
                return made
        text = self.text(name, number)
        shortest, longest = int(schema.get("minLength") or 0), schema.get("maxLength")
        text = text.ljust(shortest, ".") if text else "." * shortest
        if longest is None or len(text) <= int(longest):
            return text
        tail = str(number + 1) if number else ""  # what makes the items of an array differ has to survive the cut
        return text[: int(longest) - len(tail)] + tail

    def text(self, name: str, number: int) -> str:
        """What to write for a property of this name: from the user's words if they offer it."""
        said = self.said(name)
        if said and not number:
            return said
        if _PLACE_NAMES.search(name) and self.words.places:
            return self.words.places[min(number, len(self.words.places) - 1)]
        if self.words.quoted:
            return self.words.quoted.pop(0)
        if _WHOLE_TEXT_NAMES.match(name) and self.words.text.strip():
            return self.words.text.strip()
        for names, sample in NAMED:
            if re.search(rf"(?:^|_|\b)(?:{names})", name, re.I):
                return sample if not number else f"{sample} {number + 1}"
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]+", " ", name).lower() or "text"
        return f"practice {plain}" if not number else f"practice {plain} {number + 1}"

    def said(self, name: str) -> str:
        """The value in "name: value" or "the name is value", if the user wrote so."""
        words = re.sub(r"[_-]+", r"[ _-]", re.escape(name).replace("\\-", "-"))
        found = (
            re.search(rf"\b{words}(?: is|:| =|=| of) ?[\"“]?([^,.;:\"”\n]+)", self.words.text, re.I) if name else None
        )
        return found[1].strip() if found else ""

    def number(self, schema: Dict[str, Any], name: str, path: Tuple[str, ...], number: int) -> Any:
        is_whole = self.kind(schema, path) == "integer"
        step = schema.get("multipleOf") or (1 if is_whole else None)
        said = _NUMBER.search(self.said(name))
        offered = ([said[0]] if said else []) + self.words.numbers
        for text in offered:
            value = int(float(text)) if is_whole and float(text) == int(float(text)) else float(text)
            if _in_range(schema, value, step) and not (is_whole and isinstance(value, float)):
                if text in self.words.numbers:
                    self.words.numbers.remove(text)
                return value
        return _number_in_range(schema, step, is_whole, number)

    def boolean(self, schema: Dict[str, Any], name: str, path: Tuple[str, ...], number: int) -> Any:
        return self.said(name).lower() not in ("false", "no", "off")


_MAKERS: Dict[str, Callable[[_Sampler, Dict[str, Any], str, Tuple[str, ...], int], Any]] = {
    "object": _Sampler.object,
    "array": _Sampler.array,
    "string": _Sampler.string,
    "number": _Sampler.number,
    "integer": _Sampler.number,
    "boolean": _Sampler.boolean,
}


def _pointed_at(root: Any, reference: str) -> Dict[str, Any]:
    """The schema at a local JSON pointer (RFC 6901): "#", "#/$defs/Node"."""
    spot = root
    for step in reference.lstrip("#").split("/")[1:]:
        spot = spot.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(spot, dict) else {}
    return spot if isinstance(spot, dict) else {}


def _merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> Dict[str, Any]:
    """Both schemas at once, as far as keywords can simply stand side by side."""
    result = {**left, **right}
    if "properties" in left and "properties" in right:
        result["properties"] = {**left["properties"], **right["properties"]}
    if "required" in left and "required" in right:
        result["required"] = list(dict.fromkeys([*left["required"], *right["required"]]))
    return result


def _bounds(schema: Mapping[str, Any], gap: float) -> Tuple[Optional[float], Optional[float]]:
    """Lowest and highest value allowed; an exclusive bound is moved inwards by `gap`."""
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    if not isinstance(schema.get("exclusiveMinimum", False), bool):
        lows.append(schema["exclusiveMinimum"] + gap)
    if not isinstance(schema.get("exclusiveMaximum", False), bool):
        highs.append(schema["exclusiveMaximum"] - gap)
    return max(lows, default=None), min(highs, default=None)


def _in_range(schema: Mapping[str, Any], value: float, step: Optional[float]) -> bool:
    low, high = _bounds(schema, 1e-9)
    fits = step is None or abs(value / step - round(value / step)) < 1e-9
    return fits and (low is None or value >= low) and (high is None or value <= high)


def _number_in_range(schema: Mapping[str, Any], step: Optional[float], is_whole: bool, number: int) -> float:
    """A plain figure: 1, 2, ... where that is allowed, else the nearest to it, on the grid of `step`."""
    low, high = _bounds(schema, step or 1e-3)
    value = 1.0 + number
    if low is not None and high is not None and not low <= value <= high:
        value = (low + high) / 2
    value = max(value, low) if low is not None else value
    value = min(value, high) if high is not None else value
    if step:
        value = round(value / step) * step
        if low is not None and value < low:
            value += step
        if high is not None and value > high:
            value -= step
    return int(value) if is_whole else round(value, 9)
