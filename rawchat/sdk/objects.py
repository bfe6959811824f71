"""What result objects are made of: the JSON that came, read by attribute.

    completion.choices[0].message.content        attributes, at every depth
    completion.usage                             a field of the API that the server left out is None
    completion.brand_new_field                   a field nobody knew of is kept, as plain JSON
    completion.model_dump(), .to_dict(), ...     and back to JSON, with the missing fields or without

A class names its fields by annotations, in the order of the API reference; an inner object is made when an attribute
first leads to it, so that a stream of chunks costs what is looked at. Nothing is validated, and nothing is lost.
What the classes are stands in `types/`.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Type, TypeVar

_Made = TypeVar("_Made", bound="BaseModel")
_CLASSES: Dict[str, Type[BaseModel]] = {}


class Omit:
    """Leaves an argument out, or a header that would be sent by default: `extra_headers={"Authorization": omit}`."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "omit"


class NotGiven(Omit):
    """The value of an argument that was not given, where None would mean something."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"


omit = Omit()
not_given = NOT_GIVEN = NotGiven()


def given(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    """The arguments that were given. None was: it goes out as null, as in the SDK."""
    return {name: value for name, value in arguments.items() if not isinstance(value, Omit)}


class BaseModel:
    """One object of the API. Made of JSON by `construct(**json)`; `ChatCompletion(id=..., ...)` does the same."""

    _fields: ClassVar[Dict[str, Optional[Type[BaseModel]]]] = {}  # field -> the class of what it holds
    _not_sent: ClassVar[Tuple[str, ...]] = ()  # made here, unknown to the API
    _shown_as: ClassVar[str] = ""  # the SDK's name for the class, where ours is another
    _request_id: Optional[str] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        hints = getattr(cls, "__annotations__", {})
        own = {name: _class_in(str(hint)) for name, hint in hints.items() if not name.startswith("_")}
        cls._fields = {**cls._fields, **own}
        _CLASSES[cls.__name__] = cls

    def __init__(self, **values: Any) -> None:
        self.__dict__["_raw"] = values

    @classmethod
    def construct(cls: Type[_Made], _fields_set: Optional[Set[str]] = None, **values: Any) -> _Made:
        """An object of JSON that is here already; nothing is checked."""
        return cls.of(values)

    model_construct = construct

    @classmethod
    def model_validate(cls: Type[_Made], obj: Mapping[str, Any]) -> _Made:
        """As `construct`: servers differ too much to be validated here."""
        return cls.of(dict(obj))

    @classmethod
    def of(cls: Type[_Made], raw: Dict[str, Any]) -> _Made:
        """The object around `raw`, which is not copied."""
        made = cls.class_for(raw)
        one = made.__new__(made)
        one.__dict__["_raw"] = raw
        return one

    @classmethod
    def class_for(cls: Type[_Made], raw: Mapping[str, Any]) -> Type[_Made]:
        """The class for this JSON, where a field says of which kind it is."""
        return cls

    # Reading and writing.

    def __getattr__(self, name: str) -> Any:
        raw = self.__dict__.get("_raw")
        if raw is None or name.startswith("__"):  # being copied or unpickled
            raise AttributeError(name)
        if name in raw:
            value = self.__dict__[name] = wrapped(raw[name], self._fields.get(name))
            return value
        if name in self._fields:
            return None
        there = ", ".join([*self._fields, *(extra for extra in raw if extra not in self._fields)])
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; there are: {there}")

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value
        if not name.startswith("_"):
            self.__dict__["_raw"][name] = value

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self._names()]

    def _names(self) -> List[str]:
        raw = self.__dict__["_raw"]
        return [*self._fields, *(name for name in raw if name not in self._fields)]

    def __iter__(self) -> Iterator[Tuple[str, Any]]:
        """(name, value) of every field, so that `dict(message)` works."""
        return ((name, getattr(self, name)) for name in self._names())

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other) or not isinstance(other, BaseModel):
            return NotImplemented
        return self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]  # changeable, as a dict is

    def __repr__(self) -> str:
        name = self._shown_as or type(self).__name__
        return f"{name}({', '.join(f'{name}={value!r}' for name, value in self)})"

    @property
    def model_fields_set(self) -> Set[str]:
        """The names of the fields that came."""
        return {name for name in self._raw if name in self._fields}

    @property
    def model_extra(self) -> Dict[str, Any]:
        """The fields that came and that the API reference does not have."""
        return {name: self._raw[name] for name in self._raw if name not in self._fields}

    # Back to JSON.

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Optional[Iterable[str]] = None,
        exclude: Optional[Iterable[str]] = None,
        by_alias: Optional[bool] = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        warnings: bool = True,
    ) -> Dict[str, Any]:
        """A plain dict at every depth. Missing fields are None unless `exclude_unset`; `include` and `exclude` name
        fields of this object. No field has an alias, and nothing here warns.
        """
        names = self._raw if exclude_unset or exclude_defaults else self._names()
        kept = set(names) if include is None else set(include)
        kept -= set(exclude or ())
        nulls = not exclude_none
        settings = {"exclude_unset": exclude_unset or exclude_defaults, "exclude_none": exclude_none, "mode": mode}
        values = ((name, getattr(self, name)) for name in self._names() if name in names and name in kept)
        return {name: _dumped(value, settings) for name, value in values if nulls or value is not None}

    def to_dict(self, *, mode: str = "python", exclude_unset: bool = True, **options: Any) -> Dict[str, Any]:
        """What came, as a plain dict: `model_dump` without the missing fields."""
        options.pop("use_api_names", None)  # ours have no other names
        return self.model_dump(mode=mode, exclude_unset=exclude_unset, **options)

    def model_dump_json(self, *, indent: Optional[int] = None, **options: Any) -> str:
        """`model_dump` as JSON text, compact unless `indent` says otherwise."""
        return _json_text(self.model_dump(mode="json", **options), indent)

    def to_json(self, *, indent: Optional[int] = 2, exclude_unset: bool = True, **options: Any) -> str:
        """`to_dict` as JSON text."""
        return _json_text(self.to_dict(mode="json", exclude_unset=exclude_unset, **options), indent)

    dict = model_dump
    json = model_dump_json

    def model_copy(self: _Made, *, update: Optional[Mapping[str, Any]] = None, deep: bool = False) -> _Made:
        """A copy; `update` changes fields of it. `deep`: nothing is shared with this one."""
        import copy  # at first use: it costs more than this module

        made = copy.deepcopy(self) if deep else type(self).of({**self._raw})
        for name, value in (update or {}).items():
            setattr(made, name, value)
        return made

    copy = model_copy


def wrapped(value: Any, kind: Optional[Type[BaseModel]]) -> Any:
    """`value` with its dicts as objects of `kind`; anything else, and all without a kind, as it is."""
    if kind is None:
        return value
    if isinstance(value, dict):
        return kind.of(value)
    if isinstance(value, list):
        return [wrapped(item, kind) for item in value]
    return value


def plain(value: Any) -> Any:
    """`value` as it can be sent: result objects, pydantic models, tuples and generators as dicts and lists.

    A result object gives what came with it, and nothing that was made here.
    """
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    if isinstance(value, BaseModel):
        names = [name for name in value._names() if name in value._raw and name not in value._not_sent]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items() if not isinstance(item, Omit)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        return [plain(item) for item in value]
    return value


def _class_in(hint: str) -> Optional[Type[BaseModel]]:
    """The class of ours that an annotation names: Choice of "List[Choice]"."""
    return next((_CLASSES[word] for word in re.findall(r"\w+", hint) if word in _CLASSES), None)


def _dumped(value: Any, settings: Mapping[str, Any]) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(**settings)
    if isinstance(value, list):
        return [_dumped(item, settings) for item in value]
    if isinstance(value, dict):
        return {name: _dumped(item, settings) for name, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        import dataclasses  # whoever has one has imported it

        return dataclasses.asdict(value)
    return value


def _json_text(value: Any, indent: Optional[int]) -> str:
    import json

    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, default=str)
