"""Words for errors about what cannot be sent: `model must be a text, got int`. Cures are in `cures.py`. Pure."""

from __future__ import annotations

from typing import Any

from .errors import PayloadError


def wrong_type(path: str, wanted: str, value: Any, cure: str = "") -> PayloadError:
    return PayloadError(f"{path} must be {wanted}, got {kind_of(value)}{cure}", path=path)


def kind_of(value: Any) -> str:
    """The type by the name its users know: `int`, `decimal.Decimal`, `None`."""
    cls = type(value)
    if value is None:
        return "None"
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def cure_for(value: Any) -> str:
    """A semicolon and what to do about a value of this type, or ""."""
    try:
        from .cures import cure_for as known_cure
    except ImportError:
        return ""
    return known_cure(value)
