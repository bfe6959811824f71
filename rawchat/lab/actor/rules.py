"""One rule for one value: its type, its range or length, its values, whether null will do.

    check_value("temperature", 3, Rule("decimal", 0, 2))
    -> Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.

Knows no parameter by name; the tables of them are in `validation`. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .refusals import empty_array, out_of_range, too_long, wrong_type, wrong_value


class Rule(NamedTuple):
    """What a parameter may be. `kind` is a row of KINDS; the bounds are of the value, or of the length of a list."""

    kind: str
    low: Optional[float] = None
    high: Optional[float] = None
    values: Tuple[str, ...] = ()
    nullable: bool = True


KINDS: Dict[str, Tuple[Callable[[Any], bool], str]] = {
    "decimal": (lambda value: isinstance(value, (int, float)) and not isinstance(value, bool), "a decimal"),
    "integer": (lambda value: isinstance(value, int) and not isinstance(value, bool), "an integer"),
    "boolean": (lambda value: isinstance(value, bool), "a boolean"),
    "string": (lambda value: isinstance(value, str), "a string"),
    "array": (lambda value: isinstance(value, list), "an array"),
    "objects": (lambda value: isinstance(value, list), "an array of objects"),
    "object": (lambda value: isinstance(value, dict), "an object"),
    "text or array": (lambda value: isinstance(value, (str, list)), "one of a string or array of strings"),
    "text or object": (lambda value: isinstance(value, (str, dict)), "one of a string or object"),
}


def check_value(path: str, value: Any, rule: Rule) -> None:
    """Raise Refused unless `value` is what `rule` says. Also used for values inside objects."""
    if value is None and rule.nullable:
        return
    fits, expected = KINDS[rule.kind]
    if not fits(value):
        wrong_type(path, expected, value)
    if rule.values and value not in rule.values:
        wrong_value(path, value, rule.values)
    if isinstance(value, list):
        _check_length(path, value, rule)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _check_range(path, value, rule)


def _check_length(path: str, value: List[Any], rule: Rule) -> None:
    if rule.low and not value:
        empty_array(path)
    if rule.high is not None and len(value) > rule.high:
        too_long(path, "array", int(rule.high), len(value))
    if rule.kind == "objects":
        for number, item in enumerate(value):
            if not isinstance(item, dict):
                wrong_type(f"{path}[{number}]", "an object", item)


def _check_range(path: str, value: float, rule: Rule) -> None:
    if rule.low is not None and value < rule.low:
        out_of_range(path, rule.kind, value, rule.low, is_above=False)
    if rule.high is not None and value > rule.high:
        out_of_range(path, rule.kind, value, rule.high, is_above=True)
