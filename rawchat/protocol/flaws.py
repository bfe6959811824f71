"""Finds the first value of a payload that JSON cannot hold, and says where it is and what is wrong with it.

    {"messages": [{"role": "user", "content": {"a", "b"}}]}     messages[0].content is of type set, which JSON ...

Used once the encoder has failed, so it costs nothing where all is well: a look at every key and value beforehand would
cost between 15 and 90 % of the encoding itself (measured on 1,000 messages of 400 and of 40 characters). Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from .cures import cure_for, cut_short, quoted, surrogate_in
from .errors import PayloadError
from .wording import kind_of

_LOOP = "contains itself, and JSON cannot say that"


def refusal_of(payload: Any, error: Exception) -> PayloadError:
    """The error for a payload that the JSON encoder refused with `error`."""
    if isinstance(error, RecursionError):
        return _too_deep(payload)
    path, what = next(_flaws(payload), ("", f"cannot be written as JSON: {error}"))
    return PayloadError(f"{path or 'the payload'} {what}", path=path)


def refusal_of_kind(payload: Any) -> PayloadError:
    """The error for a payload that is none at all."""
    return PayloadError(f"a payload is a dict such as {{'model': ..., 'messages': [...]}}, not {kind_of(payload)}")


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


def refusal_of_limits(timeout: Any, deadline: Any, max_retries: Any, is_limit: Callable[[Any], bool]) -> PayloadError:
    """The error for limits of a call of which one is wrong; `is_limit` judges seconds."""
    pair = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    if len(pair) != 2 or not all(map(is_limit, pair)):
        return PayloadError(f"timeout must be seconds above 0, a pair (connect, read), or None; got {timeout!r}")
    if not is_limit(deadline):
        return PayloadError(f"deadline must be seconds above 0 or None; got {deadline!r}")
    return PayloadError(f"max_retries must be a whole number from 0; got {max_retries!r}")
