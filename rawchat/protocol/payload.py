"""Turns messages and parameters into the bytes of a request's body.

    build_payload(build_messages("Hello"), model="gpt-4o-mini", parameters={"temperature": 0})
    encode_payload(...)      {"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}],"temperature":0}

Refuses what cannot be sent before anything is sent, with the path to it (`messages[2].content[0]`). Does not judge what
the server may think of it: an unknown parameter or role passes untouched, so what the API gains tomorrow works today.
Never changes what the caller gave. Pure.

API page: "Create chat completion". JSON is RFC 8259.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from .errors import PayloadError

Messages = Union[str, Mapping[str, Any], Iterable[Mapping[str, Any]]]

# ---- messages and parameters -> a dict

_MESSAGE_SAMPLE = '{"role": "user", "content": "..."}'


def build_messages(messages: Messages, *, path: str = "messages") -> List[Dict[str, Any]]:
    """The list of message dicts that `messages` stands for; a text is one user message, a dict a list of one.

    Any iterable of mappings will do: a tuple, a generator, a history. Each message is copied, what is inside it is not;
    the caller's own stay as they are. `path` is what errors call the argument. Raises PayloadError.
    """
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if isinstance(messages, Mapping):
        return [dict(messages)]
    # bytes would iterate as numbers, and the error would speak of those.
    if isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Iterable):
        wanted = f"{path} must be a text, a dict or a list of dicts such as {_MESSAGE_SAMPLE}"
        raise PayloadError(f"{wanted}, got {kind_of(messages)}{cure_for(messages)}", path=path)
    return [_copy_message(message, path, index) for index, message in enumerate(messages)]


def _copy_message(message: Any, path: str, index: int) -> Dict[str, Any]:
    if not isinstance(message, Mapping):
        here = f"{path}[{index}]"
        wanted = f"{here} must be a dict such as {_MESSAGE_SAMPLE}"
        raise PayloadError(f"{wanted}, got {kind_of(message)}{cure_for(message)}", path=here)
    return dict(message)


def build_payload(
    messages: Messages,
    *,
    model: Optional[str],
    stream: bool = False,
    parameters: Optional[Mapping[str, Any]] = None,
    extra_body: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The request body as a dict: model, stream, stream_options, messages, then the parameters in the order given.

    The routing fields stand first, as in the SDK, so that a proxy can choose a server before the long part arrives.
    `stream` is absent unless true, which is the API's default. A parameter whose value is None is left out; a None
    inside a value (`"content": None`) stays. `extra_body` is merged last, one level deep, and may override anything; a
    None in there is sent as null, which is the way to say null to the server. Raises PayloadError.
    """
    rest = {name: value for name, value in (parameters or {}).items() if value is not None}
    _refuse_repeated(rest)
    payload: Dict[str, Any] = {}
    if model is not None:
        if not isinstance(model, str):
            raise PayloadError(f'model must be a text such as "gpt-4o-mini", got {kind_of(model)}', path="model")
        payload["model"] = model
    if stream:
        payload["stream"] = True
    if "stream_options" in rest:
        payload["stream_options"] = rest.pop("stream_options")
    payload["messages"] = build_messages(messages)
    payload.update(rest)
    if extra_body is not None:
        if not isinstance(extra_body, Mapping):
            raise PayloadError(f"extra_body must be a dict of fields, got {kind_of(extra_body)}", path="extra_body")
        payload.update(extra_body)
    return payload


def _refuse_repeated(parameters: Mapping[str, Any]) -> None:
    """A second `stream` would have the body ask for one thing and the reader expect another."""
    for name in ("model", "messages", "stream"):
        if name in parameters:
            why = f"{name} is an argument of its own and cannot be among the parameters too"
            raise PayloadError(f"{why}; to override it in the body, use extra_body", path=name)


# ---- a dict -> bytes

# One encoder for all calls: json.dumps builds one each time, a quarter of the cost of a short payload. allow_nan=False
# because NaN and Infinity are Python's own words (RFC 8259 section 6 has none), and servers answer 400 to them.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """`payload` as compact JSON in UTF-8, not escaped to ASCII: what the SDK sends too, and the fewest bytes.

    Raises PayloadError with the path to the first value that JSON cannot hold. The search for it begins only when the
    encoder has failed: a look at every key and value beforehand would cost between 15 and 90 % of the encoding itself
    (measured on 1,000 messages of 400 and of 40 characters). So keys that the encoder turns into text by itself pass
    as it writes them: `logit_bias={1734: -100}` is sent as `{"1734":-100}`.
    """
    try:
        return _encode(payload if isinstance(payload, dict) else dict(payload)).encode("utf-8")
    except RecursionError as error:
        raise _too_deep(payload) from error
    except (TypeError, ValueError) as error:  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
        path, what = next(_flaws(payload), ("", f"cannot be written as JSON: {error}"))
        raise PayloadError(f"{path or 'the payload'} {what}", path=path) from error


def _flaws(payload: Any) -> Iterator[Tuple[str, str]]:
    """(path, the rest of a sentence that begins with it) of all that JSON cannot hold, in the order of the text."""
    for keys, value, around in _walk(payload):
        what = _LOOP if id(value) in around else _flaw_of(value)
        if what:
            yield _path(keys), what
        if isinstance(value, dict):
            for key, what in _flaws_of_keys(value):
                yield _path([*keys, key]), what


def _walk(payload: Any) -> Iterator[Tuple[List[Any], Any, Dict[int, Any]]]:
    """Every value with the keys that lead to it and the containers around it; both change as the walk goes on.

    Keeps its own stack and writes no path, so that a loop or 200,000 levels do it no harm.
    """
    keys: List[Any] = []
    around: Dict[int, Any] = {}
    yield keys, payload, around
    stack = [(payload, _items(payload))]
    while stack:
        around[id(stack[-1][0])] = stack[-1][0]
        for key, value in stack[-1][1]:
            keys.append(key)
            yield keys, value, around
            if isinstance(value, (dict, list, tuple)) and id(value) not in around:
                stack.append((value, _items(value)))
                break
            keys.pop()
        else:
            del around[id(stack.pop()[0])]
            del keys[-1:]


def _items(container: Any) -> Iterator[Tuple[Any, Any]]:
    return iter(container.items() if isinstance(container, Mapping) else enumerate(container))


_PATH_KEYS = 40  # more than this many keys of a path help nobody


def _path(keys: Sequence[Any]) -> str:
    """`messages[2].content`, and `a["b c"]` where a key is not a plain word. What is very long is cut."""
    path = ""
    for key in keys[:_PATH_KEYS]:
        if isinstance(key, str) and key.isidentifier() and len(key) <= 60:
            path += f".{key}" if path else key
        else:
            path += f"[{cut_short(quoted(key) if isinstance(key, str) else repr(key))}]"
    return path + ("..." if len(keys) > _PATH_KEYS else "")


def quoted(text: str) -> str:
    """The text in double quotes and pure ASCII: a lone surrogate inside a message could not be printed either."""
    return json.dumps(text)


def cut_short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


_LOOP = "contains itself, and JSON cannot say that"


def _flaws_of_keys(container: Dict[Any, Any]) -> Iterator[Tuple[Any, str]]:
    for key in container:
        if isinstance(key, str):
            what = surrogate_in(key)
            if what:
                yield key, f"is a key that {what}"
        elif key is not None and not isinstance(key, (int, float)):
            yield key, f"is a key of type {kind_of(key)}; keys in JSON are texts"
        elif isinstance(key, float) and _not_finite(key):
            yield key, "is a key that is no number in JSON; keys in JSON are texts"


def _flaw_of(value: Any) -> str:
    if isinstance(value, str):
        return surrogate_in(value)
    if isinstance(value, float):
        return _not_finite(value)
    if value is None or isinstance(value, (int, dict, list, tuple)):
        return ""
    return f"is of type {kind_of(value)}, which JSON cannot hold{cure_for(value)}"


def _not_finite(value: float) -> str:
    if value - value == 0:  # true of every finite number, and of no other
        return ""
    return f"is {float(value)!r}, and JSON has no such number; give a finite one, or leave it out"


def surrogate_in(text: str) -> str:
    found = re.search("[\ud800-\udfff]", text)
    if found is None:
        return ""
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        # PEP 383: errors="surrogateescape" carries a byte through a str this way, in file names and sys.argv too.
        cure = f"it stands for the byte 0x{code - 0xDC00:02X} that was no UTF-8; decode the input by its real encoding"
    else:
        repair = 'text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        cure = f"the text was cut inside an emoji, or its halves were never joined; {repair} repairs it"
    return f"holds half a character, U+{code:04X} at position {found.start()}, which UTF-8 cannot write: {cure}"


def _too_deep(payload: Any) -> PayloadError:
    deepest: List[Any] = []
    depth = 0
    for keys, value, around in _walk(payload):
        if id(value) in around:
            return PayloadError(f"{_path(keys)} {_LOOP}", path=_path(keys))
        if len(around) > depth:
            deepest, depth = keys[: _PATH_KEYS + 1], len(around)
    path = _path(deepest)
    return PayloadError(f"{path} lies {depth} levels deep, which is deeper than JSON is written here", path=path)


# ---- what to do about a value of the wrong type

# Cure -> the classes it helps, as top package and name; a subclass counts too. Names instead of the classes themselves,
# so that nothing is imported to look one up.
_CURES = {
    "for a text, value.decode(); for a file, base64": "builtins.bytes builtins.bytearray builtins.memoryview",
    "read the file first: file.read()": "_io._IOBase",
    "give a list: sorted(value)": "builtins.set builtins.frozenset",
    "give a list: list(value)": (
        "builtins.generator builtins.dict_keys builtins.dict_values builtins.range builtins.map collections.deque"
    ),
    "give a list: value.tolist()": "numpy.ndarray torch.Tensor pandas.Series",
    'give a list of dicts: value.to_dict("records")': "pandas.DataFrame",
    "give a dict: value.model_dump(exclude_none=True)": "pydantic.BaseModel",
    "give a text: value.isoformat()": "datetime.date datetime.time",
    "give a text: str(value)": "uuid.UUID",
    "give a number: value.total_seconds()": "datetime.timedelta",
    "give a number: value.item()": "numpy.generic",
    "give float(value), or str(value) where every digit counts": "decimal.Decimal fractions.Fraction",
    "give value.value": "enum.Enum",
    "for its name, str(value); for what is in the file, read it first": "pathlib.PurePath",
    'save it into a buffer, and send base64 in a "data:" URL': "PIL.Image",
    "it was not awaited: await it first": "builtins.coroutine",
    "a function is described to the model by its JSON schema": "builtins.function",
}


def kind_of(value: Any) -> str:
    """The type by the name its users know: `int`, `decimal.Decimal`, `None`."""
    cls = type(value)
    if value is None or cls.__module__ == "builtins":
        return "None" if value is None else cls.__name__
    return f"{cls.__module__}.{cls.__qualname__}"


def cure_for(value: Any) -> str:
    """A semicolon and what to do about a value of this type, or "" where nothing is known."""
    if isinstance(value, type):
        return "; a class is no value: describe it by its JSON schema"
    if hasattr(type(value), "__dataclass_fields__"):
        return "; give a dict: dataclasses.asdict(value)"
    names = {f"{cls.__module__.partition('.')[0]}.{cls.__name__}" for cls in type(value).__mro__}
    for cure, classes in _CURES.items():
        if not names.isdisjoint(classes.split()):
            return f"; {cure}"
    return "; give a dict: dict(value)" if isinstance(value, Mapping) else ""
