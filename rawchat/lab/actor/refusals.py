"""The error objects of the practice server, worded as OpenAI's API words them, each with its status.

    401 {"error": {"message": "Incorrect API key provided: ...", "type": "invalid_request_error", "param": null,
    "code": "invalid_api_key"}}

One function per kind of message; which request earns which is `validation`'s business. The wording is copied from
observed responses, mistakes included ("preceeding"), because clients and their tests match on it. Pure.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, NoReturn, Optional, Sequence


class Refusal(NamedTuple):
    """An HTTP status and OpenAI's error object; the body on the wire is {"error": error}."""

    status: int
    error: Dict[str, Any]


class Refused(Exception):
    """Raised inside validation to leave it at the first fault, as the real API does; never crosses its doors."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error["message"])
        self.refusal = refusal


def refusal(message: str, param: Optional[str] = None, code: Optional[str] = None, status: int = 400) -> Refusal:
    """A refusal of type invalid_request_error, the type of nearly all of them."""
    return Refusal(status, {"message": message, "type": "invalid_request_error", "param": param, "code": code})


def refuse(message: str, param: Optional[str] = None, code: Optional[str] = None, status: int = 400) -> NoReturn:
    """Raise it."""
    raise Refused(refusal(message, param, code, status))


def bad_json(text_error: str) -> Refusal:
    """400 for a body that is no JSON; `text_error` is the parser's own words."""
    return refusal(
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
        f"correctly. The API expects a JSON payload, but what was sent was not valid JSON: {text_error}.)"
    )


def unknown_path(method: str, path: str) -> Refusal:
    """404 for a path that the API does not have: usually a base URL with too much or too little in it."""
    return refusal(f"Invalid URL ({method} {path})", status=404)


def wrong_method(method: str, path: str) -> Refusal:
    """405 for a known path asked with the wrong method."""
    return refusal(f"Not allowed to {method} on {path}.", code="method_not_supported", status=405)


def bad_key(key: Optional[str]) -> Refusal:
    """401; `key` None or "" where there was none."""
    if not key:
        return refusal(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY).",
            status=401,
        )
    # The real sentence goes on with the address of the page that lists one's keys; here no key is worth a visit.
    return refusal(f"Incorrect API key provided: {mask_key(key)}.", code="invalid_api_key", status=401)


def mask_key(key: str) -> str:
    """First eight and last four characters with stars between, as OpenAI does; of a short key only its length."""
    if len(key) < 20:
        return "*" * len(key)
    return key[:8] + "*" * (len(key) - 12) + key[-4:]


def unknown_model(name: str) -> Refusal:
    """404 for a model that is not there, or not for this account."""
    return refusal(f"The model `{name}` does not exist or you do not have access to it.", None, "model_not_found", 404)


def listed(names: Sequence[str], word: str = "and") -> str:
    """'a', 'b', and 'c'."""
    quoted = [f"'{name}'" for name in names]
    if len(quoted) < 3:
        return f" {word} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {word} {quoted[-1]}"


def missing(path: str) -> NoReturn:
    refuse(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")


def wrong_type(path: str, expected: str, value: Any) -> NoReturn:
    refuse(f"Invalid type for '{path}': expected {expected}, but got {kind_of(value)} instead.", path, "invalid_type")


def wrong_value(path: str, value: Any, supported: Sequence[str]) -> NoReturn:
    refuse(f"Invalid value: '{value}'. Supported values are: {listed(supported)}.", path, "invalid_value")


def out_of_range(path: str, kind: str, value: float, bound: float, is_above: bool) -> NoReturn:
    """`kind` is "integer" or "decimal"."""
    side, sign, word = ("above maximum", "<=", "above_max") if is_above else ("below minimum", ">=", "below_min")
    message = f"Invalid '{path}': {kind} {side} value. Expected a value {sign} {bound:g}, but got {value} instead."
    refuse(message, path, f"{kind}_{word}_value")


def empty_array(path: str) -> NoReturn:
    message = f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    refuse(message, path, "empty_array")


def too_long(path: str, kind: str, most: int, length: int) -> NoReturn:
    """`kind` is "array" or "string"."""
    article = "an" if kind == "array" else "a"
    message = (
        f"Invalid '{path}': {kind} too long. Expected {article} {kind} with maximum length {most}, "
        f"but got {article} {kind} with length {length} instead."
    )
    refuse(message, path, f"{kind}_above_max_length")


def kind_of(value: Any) -> str:
    """What a JSON value is, with its article, in the API's words."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "an integer", float: "a decimal number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")
