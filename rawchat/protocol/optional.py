"""What is said where a feature (of scripts/floors.py) is asked for that a copy was made without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import NotInThisCopy


@contextmanager
def optional(feature: str) -> Iterator[None]:
    """`with optional("parse"):` stands around an import of that feature's modules, inside a function."""
    try:
        yield
    except ImportError as error:
        # In a single file outside of any package, a relative import fails without a name.
        if error.name and not error.name.startswith(f"{__name__.partition('.')[0]}."):
            raise  # another's package, that the feature needs
        raise left_out(feature) from error


def left_out(feature: str) -> NotInThisCopy:
    """The error to raise. In a small copy `raise left_out(...)` stands where the import of the room would."""
    how = f"make it again with `scripts/vendor --with {feature}`"
    return NotInThisCopy(f"this copy was made without {feature}; {how}", feature=feature)
