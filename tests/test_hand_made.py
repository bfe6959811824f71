"""Headers of requests made by hand. What cannot be sent is in test_headers.py and test_doors.py."""

from . import module

failures = module("transport.failures")
hand_made = module("transport.hand_made")


def test_one_name_twice_is_one_field():
    """RFC 9110, 5.3; spelt as it was first."""
    for check in (failures.check_headers, hand_made.checked):
        assert check([("X-A", "1"), ("b", ""), ("x-a", "2")]) == {"X-A": "1, 2", "b": ""}
