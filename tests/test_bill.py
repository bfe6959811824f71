"""Bill: what one call costs, by the reply that closes it. (How a loop uses it: test_telling.py.)"""

import warnings

import pytest

from . import module, rawchat
from .test_call import CHAT, make_call

bill_module = module("bill")
errors = module("protocol.errors")
kept = module("protocol.kept")
wire = module("protocol.wire")

MODEL = {**CHAT, "model": "gpt-4o-mini", "max_tokens": 500}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


def reply(**changes):
    return rawchat.Reply({"model": "gpt-4o-mini", "choices": [], "usage": USAGE, **changes})


def test_the_reply_knows_its_cost():
    """With a tracker, which counts it, and without."""
    tracker = rawchat.CostTracker()
    for given in (None, tracker):
        answer = reply()
        bill_module.Bill(given, make_call(MODEL)).close(answer)
        assert answer.cost == 0.00045
    assert tracker.total_cost == 0.00045


def test_what_was_reserved_is_free_again_whatever_came():
    tracker = rawchat.CostTracker(budget_usd=1.0)
    for answer in (None, reply()):
        bill = bill_module.Bill(tracker, make_call(MODEL))
        assert tracker.reserved_usd > 500 * 0.60 / 1e6
        bill.close(answer)
        assert tracker.reserved_usd == 0
    assert (tracker.call_count, tracker.spent_usd) == (1, 0.00045)


def test_an_answer_that_a_cache_had_kept_costs_nothing():
    answer, tracker = reply(), rawchat.CostTracker()
    answer.headers = wire.Headers([kept.KEPT_HEADER])
    bill_module.Bill(tracker, make_call(MODEL)).close(answer)

    assert (answer.cost, tracker.call_count) == (0.0, 0)


def test_a_warning_does_not_take_the_place_of_an_error_on_its_way():
    """Where warnings are errors, an unknown cost is one; but not while the answer's own error is about to be raised."""
    tracker = rawchat.CostTracker()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bill_module.Bill(tracker, make_call(MODEL)).close(reply(usage=None), broken=True)
        tracker.reset()
        with pytest.raises(rawchat.UnknownPriceWarning):
            bill_module.Bill(tracker, make_call(MODEL)).close(reply(usage=None))
    assert tracker.unpriced_calls == 1
