"""Rooms of the house that a copy may leave out: what is said when one of them is asked for and is not there.

    with optional("parse"):
        from .protocol.parse import form_of, parsed_value

    NotInThisCopy: this copy was made without parse; make it again with `scripts/vendor --with parse`

Every import of such a room stands inside a function, so that the rest works without it. Which features there are, and
which modules each of them is, says `OPTIONAL` in scripts/floors.py.
"""

from __future__ import annotations

from .errors import NotInThisCopy


class optional:
    """Around the import of a feature's modules: raises NotInThisCopy where they are absent.

    What else may be absent (a package that the feature needs) passes as the ImportError that it is.
    """

    def __init__(self, feature: str) -> None:
        self.feature = feature

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if isinstance(error, ImportError) and _is_of_ours(error):
            raise NotInThisCopy(
                f"this copy was made without {self.feature}; make it again with `scripts/vendor --with {self.feature}`",
                feature=self.feature,
            ) from error


def _is_of_ours(error: ImportError) -> bool:
    # In a single file outside of any package, a relative import fails without naming what it was looking for.
    return error.name is None or error.name.startswith(f"{__name__.partition('.')[0]}.")
