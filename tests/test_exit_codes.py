"""With what the command line ends: the rows are those of test_errors.py; here are the classes that have none."""

import pytest

from . import module, rawchat

exit_codes = module("protocol.exit_codes")


class Stranger(rawchat.QuotaExceededError):
    """Of a user's own."""


@pytest.mark.parametrize("kind, code", [
    (Stranger, 73),
    (rawchat.DeadlineExceeded, 75),
    (rawchat.SchemaMismatch, 76),
    (rawchat.InternalServerError, 69),
    (ValueError, 1),
])  # fmt: skip
def test_a_class_without_a_row_has_its_parents_code(kind, code):
    """The nearest parent's; and 1 where there is none."""
    assert exit_codes.exit_code_of(kind) == code
    assert getattr(kind, "exit_code", 1) == code
