"""What strict mode asks of a JSON Schema: every object forbids further keys and requires all its own.

    {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    -> In context=(), 'additionalProperties' is required to be supplied and to be false.

Gives the first fault in the words of OpenAI's API, or None. Checks no values. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple

Context = Tuple[str, ...]
FORBIDDEN = (
    "allOf",
    "not",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "oneOf",
    "patternProperties",
)
DEEPEST = 10  # levels, in strict mode
DEEPEST_SHAPE = 100  # levels, for any schema: what can be walked without overflowing Python's stack


# What each keyword's value has to be, for the keywords that carry structure; "schema" is an object or true/false.
SHAPES: Dict[str, Tuple[str, ...]] = {
    "properties": ("object of schemas",),
    "$defs": ("object of schemas",),
    "definitions": ("object of schemas",),
    "items": ("schema", "array of schemas"),
    "prefixItems": ("array of schemas",),
    "additionalProperties": ("schema",),
    "anyOf": ("array of schemas",),
    "oneOf": ("array of schemas",),
    "allOf": ("array of schemas",),
    "required": ("array of strings",),
    "enum": ("array",),
    "type": ("string", "array of strings"),
    "$ref": ("string",),
    "pattern": ("string",),
    "format": ("string",),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), ("number",)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties"), ("integer",)),
}


def shape_fault(schema: Any, depth: int = 0) -> Optional[str]:
    """The first keyword, at any depth, whose value is of the wrong type; a schema that passes can be walked."""
    if not isinstance(schema, (dict, bool)):
        return f"{_shown(schema)} is not of type 'object', 'boolean'."
    if depth > DEEPEST_SHAPE:
        return f"{depth} levels of nesting exceeds limit of {DEEPEST_SHAPE}."
    for word, value in schema.items() if isinstance(schema, dict) else ():
        shapes = SHAPES.get(word, ())
        if shapes and not any(_has_shape(value, shape) for shape in shapes):
            return f"{_shown(value)} is not of type '{shapes[0].split()[0].replace('schema', 'object')}'."
        for inner in _schemas_in(value, shapes):
            fault = shape_fault(inner, depth + 1)
            if fault:
                return fault
    return None


def _schemas_in(value: Any, shapes: Tuple[str, ...]) -> List[Any]:
    """The schemas one level below a keyword whose value has been found to have one of `shapes`."""
    if "object of schemas" in shapes:
        return list(value.values())
    if isinstance(value, list):
        return value if "array of schemas" in shapes else []
    return [value] if "schema" in shapes else []


def _has_shape(value: Any, shape: str) -> bool:
    kind, _, inner = shape.partition(" of ")
    if inner == "strings":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if isinstance(value, bool):
        return kind == "schema"
    kinds: Dict[str, Tuple[type, ...]] = {
        "schema": (dict,),
        "object": (dict,),
        "array": (list,),
        "string": (str,),
        "number": (int, float),
        "integer": (int,),
    }
    return isinstance(value, kinds[kind])


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def root_fault(schema: Any) -> Optional[str]:
    """The root of a tool's parameters or of an answer must be an object, in strict mode or not, and well-formed."""
    fault = shape_fault(schema)
    if fault:
        return fault
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(schema, dict) and (kind == "object" or (kind is None and "$ref" in schema)):
        return None
    return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."


def strict_fault(schema: Dict[str, Any]) -> Optional[str]:
    """The first rule of strict mode that `schema` breaks, in the API's words; None if it keeps all."""
    if "anyOf" in schema:
        return "schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level."
    return _fault(schema, (), 0)


def _fault(schema: Any, context: Context, depth: int) -> Optional[str]:
    if not isinstance(schema, dict):
        return f"In context={context}, schema must be an object." if not isinstance(schema, bool) else None
    if depth > DEEPEST:
        return f"{depth} levels of nesting exceeds limit of {DEEPEST}."
    for word in FORBIDDEN:
        if word in schema:
            return f"In context={context}, '{word}' is not permitted."
    if not schema or not ({"type", "anyOf", "$ref", "enum", "const"} & set(schema)):
        return f"In context={context}, schema must have a 'type' key."
    return _object_fault(schema, context) or _inner_fault(schema, context, depth)


def _object_fault(schema: Dict[str, Any], context: Context) -> Optional[str]:
    kinds = schema.get("type")
    if kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        return None
    if schema.get("additionalProperties") is not False:
        return f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
    properties = schema.get("properties") or {}
    required = schema.get("required")
    absent = next((key for key in properties if key not in (required or ())), None)
    if absent is not None:
        return (
            f"In context={context}, 'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing '{absent}'."
        )
    extra = next((key for key in required or () if key not in properties), None)
    return f"In context={context}, 'required' includes an extra key '{extra}'." if extra is not None else None


def _inner_fault(schema: Dict[str, Any], context: Context, depth: int) -> Optional[str]:
    for key, inner in (schema.get("properties") or {}).items():
        fault = _fault(inner, (*context, "properties", key), depth + 1)
        if fault:
            return fault
    for key, inner in (schema.get("$defs") or schema.get("definitions") or {}).items():
        fault = _fault(inner, (*context, "$defs", key), depth)
        if fault:
            return fault
    for number, inner in enumerate(schema.get("anyOf") or ()):
        fault = _fault(inner, (*context, "anyOf", str(number)), depth)
        if fault:
            return fault
    if schema.get("type") == "array" and "items" not in schema:
        return f"In context={context}, array schema missing items."
    return _fault(schema["items"], (*context, "items"), depth) if "items" in schema else None
