"""Adding up what calls cost: sums that do not drift, budgets that hold, a bill to the letter."""

import sys
import threading
from types import SimpleNamespace

import pytest

from . import module, rawchat

cost = module("protocol.cost")
errors = module("protocol.errors")
CostTracker = module("protocol.tracker").CostTracker
TokenCounts = cost.TokenCounts


def usage(prompt, completion, **more):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def reply(model, prompt, completion, **more):
    return {"model": model, "usage": usage(prompt, completion), **more}


@pytest.fixture
def hasty_threads():
    """Threads that take turns as often as the interpreter allows, so that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_together(work, count):
    """`work` on `count` threads that start at the same moment."""
    start = threading.Barrier(count)

    def wait_and_work():
        start.wait()
        work()

    threads = [threading.Thread(target=wait_and_work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- the tracker


def test_the_tutorial_bill(capsys):
    """Two calls, four lines, to the letter; report is the same as text, and nothing else is printed."""
    tracker = CostTracker()
    assert tracker.calculate(reply("gpt-4o-2024-11-20", 1000, 500)) == 0.0075
    assert tracker.calculate(reply("gpt-4o-mini-2024-07-18", 1000, 500)) == 0.00045
    tracker.summary()
    expected = "API Calls: 2\nInput tokens: 2,000\nOutput tokens: 1,000\nTotal cost: $0.007950"
    assert capsys.readouterr().out == expected + "\n"
    assert tracker.report() == expected
    assert (tracker.call_count, tracker.total_input_tokens, tracker.total_output_tokens) == (2, 2000, 1000)
    assert (tracker.total_cost, tracker.unpriced_calls) == (0.00795, 0)


def test_a_fresh_tracker_reports_nothing():
    """Zeros, and no further line."""
    assert CostTracker().report() == "API Calls: 0\nInput tokens: 0\nOutput tokens: 0\nTotal cost: $0.000000"


def test_further_lines_only_where_there_is_more_to_tell():
    """Cached, written, reasoning and audio tokens, unpriced calls, the budget, and rows per model if asked for."""
    tracker = CostTracker(budget_usd=1.0)
    parts = {
        "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 100},
        "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 5},
    }
    tracker.calculate({"model": "gpt-6-sol", "usage": {**usage(2000, 300), **parts}})
    with pytest.warns(rawchat.UnknownPriceWarning):
        tracker.calculate(reply("mystery-1", 1_000_000, 10))
    assert tracker.report(per_model=True).splitlines() == [
        "API Calls: 2",
        "Input tokens: 1,002,000",
        "Output tokens: 310",
        "Total cost: $0.005207",
        "Cached input tokens: 1,024",
        "Cache write tokens: 100",
        "Reasoning tokens: 128",
        "Audio tokens: 5",
        "Unpriced calls: 1, not in the total (mystery-1)",
        "Budget left: $0.994793 of $1.000000",
        "  gpt-6-sol: 1 call, 2,000 in, 300 out, $0.005207",
        "  mystery-1: 1 call, 1,000,000 in, 10 out, $0.000000",
    ]


def test_summary_prints_where_it_is_told(tmp_path, capsys):
    """`file` is what print takes."""
    with (tmp_path / "bill").open("w") as file:
        CostTracker().summary(file=file)
    assert (tmp_path / "bill").read_text().startswith("API Calls: 0\n")
    assert capsys.readouterr().out == ""


def test_rows_per_model():
    """A snapshot is counted under the name its price stands at; the order is that of first use."""
    tracker = CostTracker()
    for name in ("gpt-4o-mini-2024-07-18", "gpt-4o", "GPT-4o-mini"):
        tracker.calculate(reply(name, 1000, 500))
    rows = tracker.per_model()
    assert [(row.model, row.calls, row.input_tokens, row.output_tokens, row.cost_usd) for row in rows] == [
        ("gpt-4o-mini", 2, 2000, 1000, 0.0009),
        ("gpt-4o", 1, 1000, 500, 0.0075),
    ]


def test_an_unknown_model_warns_once_and_is_counted_as_unpriced():
    """Never a neighbour's price: 0.0, one warning per model, and the total says that it leaves calls out."""
    tracker = CostTracker()
    with pytest.warns(rawchat.UnknownPriceWarning, match=r"mystery-1: .* prices=") as caught:
        for _ in range(3):
            assert tracker.calculate(reply("mystery-1", 10, 10)) == 0.0
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(rawchat.UnknownPriceWarning, match="mystery-2"):
        assert tracker.record(reply("mystery-2", 10, 10)) is None
    assert (tracker.call_count, tracker.unpriced_calls, tracker.total_cost) == (4, 4, 0.0)
    assert tracker.total_input_tokens == 40


def test_a_call_without_usage_is_unpriced_not_free():
    """The model is known, the tokens are not."""
    tracker = CostTracker()
    with pytest.warns(rawchat.UnknownPriceWarning, match="gpt-4o: .* no usage"):
        assert tracker.calculate({"model": "gpt-4o", "usage": None}) == 0.0
    assert (tracker.call_count, tracker.unpriced_calls) == (1, 1)


def test_reported_zeros_are_a_priced_call():
    """All-zero usage beside text (LM Studio) is what the server says: 0 tokens, no warning."""
    tracker = CostTracker()
    assert tracker.record(reply("gpt-4o", 0, 0)) == 0.0
    assert (tracker.call_count, tracker.unpriced_calls) == (1, 0)


def test_a_warning_turned_error_loses_no_call():
    """The call is counted before the warning goes out."""
    tracker = CostTracker()
    with pytest.raises(rawchat.UnknownPriceWarning):
        tracker.calculate(reply("mystery-1", 10, 10))
    assert tracker.call_count == 1


def test_a_reported_cost_needs_no_price():
    """OpenRouter's own figure counts for a model that no table knows, usage or not."""
    tracker = CostTracker()
    response = {"model": "some/model", "usage": {**usage(100, 50), "cost": 0.00123}}
    assert tracker.calculate(response) == 0.00123
    assert tracker.record({"model": "some/model", "usage": {"cost": 0.001}}) == 0.001
    assert (tracker.total_cost, tracker.unpriced_calls) == (0.00223, 0)


def test_sdk_objects_are_counted_too():
    """Attributes instead of keys."""
    counts = SimpleNamespace(prompt_tokens=1000, completion_tokens=500, total_tokens=1500)
    response = SimpleNamespace(model="gpt-4o-mini-2024-07-18", usage=counts, service_tier=None)
    assert CostTracker().calculate(response) == 0.00045


def test_a_reply_is_counted_as_it_comes():
    """Our own Reply, with the name asked for beside it."""
    answer = module("protocol.reply").Reply(reply("", 1000, 500))
    assert CostTracker().calculate(answer, model="gpt-4o-mini") == 0.00045


def test_the_batch_tier_is_told_by_the_caller():
    """Answers of the Batch API say "default"; the runner knows better."""
    tracker = CostTracker()
    assert tracker.calculate(reply("gpt-5", 1000, 1000, service_tier="default"), service_tier="batch") == 0.005625


def test_output_tokens_are_those_charged():
    """Reasoning that xAI leaves out of the completion is in the sum."""
    tracker = CostTracker(prices={"grok": (3.0, 15.0)})
    tracker.calculate({"model": "grok", "usage": {**usage(12, 1), "total_tokens": 110}})
    assert tracker.total_output_tokens == 98


def test_reset_starts_from_zero():
    """Counts, costs and the list of warned models go; the prices stay."""
    tracker = CostTracker(prices={"mine": (1.0, 1.0)})
    tracker.calculate(reply("mine", 1000, 500))
    with pytest.warns(rawchat.UnknownPriceWarning):
        tracker.calculate(reply("mystery-1", 1, 1))
    tracker.reset()
    assert (tracker.call_count, tracker.total_cost, tracker.per_model()) == (0, 0.0, [])
    with pytest.warns(rawchat.UnknownPriceWarning):
        tracker.calculate(reply("mystery-1", 1, 1))
    assert tracker.calculate(reply("mine", 1000, 0)) == 0.001


def test_a_million_tiny_calls_do_not_drift():
    """Sums are integers: a million times 0.15 millionths of a dollar is 15 cents, not 0.15000000000108."""
    tracker = CostTracker()
    counts = TokenCounts(1, 0, 1)
    one = cost.picodollars_of(None, counts, "gpt-4o-mini", None, None)
    for _ in range(1_000_000):
        tracker._add("gpt-4o-mini", counts, one)
    assert tracker.total_cost == 0.15
    floats = 0.0
    for _ in range(1_000_000):
        floats += 0.00000015
    assert floats != 0.15  # what a tracker that adds floats would say


def test_threads_lose_nothing(hasty_threads):
    """Eight threads, a thousand calls each, one tracker: every token is there."""
    tracker = CostTracker()
    response = reply("gpt-4o-mini", 7, 3)

    def work():
        for _ in range(1000):
            tracker.calculate(response)

    run_together(work, 8)
    assert (tracker.call_count, tracker.total_input_tokens, tracker.total_output_tokens) == (8000, 56_000, 24_000)
    assert tracker.total_cost == 0.0228


# ---- budget


def test_a_reservation_is_settled_by_what_came():
    """What was kept back makes room for what was paid."""
    tracker = CostTracker(budget_usd=0.02)
    reservation = tracker.reserve("gpt-4o", 1000, 1000)
    assert (reservation.usd, tracker.reserved_usd, tracker.spent_usd) == (0.0125, 0.0125, 0.0)
    assert tracker.remaining_usd == 0.0075
    assert tracker.settle(reservation, reply("gpt-4o", 1000, 500)) == 0.0075
    assert (tracker.reserved_usd, tracker.spent_usd, tracker.remaining_usd) == (0.0, 0.0075, 0.0125)
    assert tracker.call_count == 1


def test_a_released_reservation_costs_nothing():
    """The call failed, or was never made; releasing twice, or after settling, changes nothing."""
    tracker = CostTracker(budget_usd=0.02)
    reservation = tracker.reserve("gpt-4o", 1000, 1000)
    tracker.release(reservation)
    tracker.release(reservation)
    assert (tracker.reserved_usd, tracker.spent_usd, tracker.call_count) == (0.0, 0.0, 0)
    settled = tracker.reserve("gpt-4o", 1000, 1000)
    tracker.settle(settled, reply("gpt-4o", 1000, 500))
    tracker.release(settled)
    assert (tracker.reserved_usd, tracker.spent_usd) == (0.0, 0.0075)


def test_a_call_over_budget_is_refused_before_it_is_sent():
    """Spent, reserved and asked for are added up; the error says all three, and what to do."""
    tracker = CostTracker(budget_usd=0.03)
    tracker.calculate(reply("gpt-4o", 1000, 500))
    tracker.reserve("gpt-4o", 1000, 1000)
    with pytest.raises(rawchat.BudgetExceeded) as caught:
        tracker.reserve("gpt-4o", 1000, 1000)
    assert (caught.value.budget_usd, caught.value.spent_usd, caught.value.needed_usd) == (0.03, 0.0075, 0.0125)
    assert str(caught.value) == (
        "not sent: gpt-4o with 1,000 prompt and up to 1,000 output tokens may cost $0.012500, but of the budget of "
        "$0.030000 there is $0.007500 spent and $0.012500 reserved; raise budget_usd, or ask for less"
    )
    assert (tracker.reserved_usd, tracker.call_count) == (0.0125, 1)


def test_a_budget_may_be_used_up_to_the_last_picodollar():
    """Exactly the budget is within it."""
    tracker = CostTracker(budget_usd=0.0125)
    tracker.reserve("gpt-4o", 1000, 1000)
    assert tracker.remaining_usd == 0.0
    with pytest.raises(rawchat.BudgetExceeded):
        tracker.reserve("gpt-4o-mini", 1, 0)


def test_a_budget_refuses_what_has_no_price():
    """A model nobody priced could cost anything."""
    tracker = CostTracker(budget_usd=1.0)
    with pytest.raises(rawchat.UnknownPrice, match=r"'mystery-1'.*\$1\.000000.*prices=") as caught:
        tracker.reserve("mystery-1", 10, 10)
    assert caught.value.model == "mystery-1"
    assert CostTracker(budget_usd=1.0, prices={"mystery-1": (1.0, 1.0)}).reserve("mystery-1", 10, 10).usd == 0.00002
    assert CostTracker(budget_usd=1.0, aliases={"mystery-1": "gpt-4o"}).reserve("mystery-1", 1000, 0).usd == 0.0025


def test_without_a_budget_nothing_is_refused():
    """Reservations are then figures for whoever wants to see them."""
    tracker = CostTracker()
    assert tracker.reserve("mystery-1", 10**9, 10**9).usd == 0.0
    assert tracker.reserve("gpt-5-pro", 10**9, 10**9).usd > 100_000
    assert tracker.remaining_usd is None


RESERVED = [
    ("the cliff is seen coming", "gpt-5.4", 272_001, 0, None, 1.360005),
    ("written to the cache, at worst", "gpt-6-sol", 1000, 0, None, 0.0025),
    ("a dear tier", "gpt-5", 1000, 1000, "priority", 0.0225),
    ("a cheap tier", "gpt-5", 1000, 1000, "flex", 0.005625),
    ("a deployment's date does not matter", "gpt-4o-2024-11-20", 1000, 0, None, 0.0025),
]


@pytest.mark.parametrize(
    "model, prompt, output, tier, expected", [row[1:] for row in RESERVED], ids=[row[0] for row in RESERVED]
)
def test_a_reservation_is_the_worst_case(model, prompt, output, tier, expected):
    """What the call may cost at most, with no luck at the cache."""
    tracker = CostTracker(budget_usd=10.0)
    assert tracker.reserve(model, prompt, output, service_tier=tier).usd == pytest.approx(expected, abs=1e-12)


def test_a_call_whose_cost_nobody_told_keeps_its_reservation():
    """A stream that broke off was paid for: the budget counts the estimate, the total only what is known."""
    tracker = CostTracker(budget_usd=0.02)
    with pytest.warns(rawchat.UnknownPriceWarning):
        assert tracker.settle(tracker.reserve("gpt-4o", 1000, 1000), {"model": "gpt-4o"}) is None
    assert (tracker.spent_usd, tracker.reserved_usd, tracker.total_cost) == (0.0125, 0.0, 0.0)
    with pytest.raises(rawchat.BudgetExceeded):
        tracker.reserve("gpt-4o", 1000, 1000)


def test_a_settled_deployment_is_billed_as_what_was_asked():
    """The reservation remembers the name; the response echoes a deployment."""
    tracker = CostTracker(budget_usd=1.0, aliases={"prod": "gpt-4o"})
    assert tracker.settle(tracker.reserve("prod", 1000, 0), reply("", 1000, 0)) == 0.0025


def test_a_reset_leaves_calls_in_flight_reserved():
    """They will still be settled."""
    tracker = CostTracker(budget_usd=0.02)
    reservation = tracker.reserve("gpt-4o", 1000, 1000)
    tracker.reset()
    assert tracker.reserved_usd == 0.0125
    tracker.settle(reservation, reply("gpt-4o", 1000, 500))
    assert (tracker.reserved_usd, tracker.spent_usd) == (0.0, 0.0075)


def test_concurrent_calls_do_not_overdraw_a_budget(hasty_threads):
    """Eight threads ask 4,000 times for a budget of 2,000 calls: 2,000 are granted, to the picodollar."""
    tracker = CostTracker(budget_usd=0.0125 * 2000)
    granted, refused = [], []

    def ask():
        try:
            granted.append(tracker.reserve("gpt-4o", 1000, 1000))
        except rawchat.BudgetExceeded as error:
            refused.append(error)

    def work():
        for _ in range(500):
            ask()

    run_together(work, 8)
    assert (len(granted), len(refused)) == (2000, 2000)
    assert (tracker.reserved_usd, tracker.remaining_usd) == (25.0, 0.0)


def test_what_is_left_is_looked_at_under_the_lock():
    """Between the look and the reservation no other thread may come, on interpreters without a global lock either."""
    seen = []

    class Watched(CostTracker):
        def _spent(self):
            seen.append(self._lock.locked())
            return super()._spent()

    tracker = Watched(budget_usd=0.0125)
    tracker.release(tracker.reserve("gpt-4o", 1000, 1000))
    assert (tracker.spent_usd, tracker.remaining_usd) == (0.0, 0.0125)
    with pytest.raises(rawchat.BudgetExceeded):
        tracker.reserve("gpt-4o", 1000, 1001)
    assert seen == [True] * 5


@pytest.mark.parametrize("budget", [-1, -0.01, float("nan"), float("inf")])
def test_a_budget_that_is_no_amount_is_refused(budget):
    """Better at once than at the first call."""
    with pytest.raises(ValueError, match="budget_usd"):
        CostTracker(budget_usd=budget)


def test_a_budget_of_nothing_lets_nothing_through():
    """Zero is a budget, not the lack of one; a local model at no price still works."""
    tracker = CostTracker(budget_usd=0, prices={"local": (0.0, 0.0)})
    with pytest.raises(rawchat.BudgetExceeded):
        tracker.reserve("gpt-4o-mini", 1, 1)
    assert tracker.reserve("local", 10**6, 10**6).usd == 0.0


def test_a_reservation_shows_its_figures():
    """For whoever prints one."""
    assert repr(CostTracker().reserve("gpt-4o", 1000, 1000)) == "Reservation('gpt-4o', $0.012500, open)"
