"""Cures for values that cannot be sent: what to do about a `set`, a `datetime`, half an emoji.

    messages[0].content is of type set, which JSON cannot hold; give a list: sorted(value)

One row of `_CURES` for each. Finds no flaw itself, and looks only at names of types. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Mapping

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


def quoted(text: str) -> str:
    """In double quotes and pure ASCII: half a character inside a message could not be printed either."""
    return json.dumps(text)


def cut_short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


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


def surrogate_in(text: str) -> str:
    """What is wrong with a text that UTF-8 cannot write, to follow its name."""
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
