"""Adds up what calls cost, and refuses a call before it is sent where it might go beyond a budget.

    tracker = CostTracker(budget_usd=5.0)
    client = Client(cost_tracker=tracker)
    tracker.summary()              API Calls: 2
                                   Input tokens: 3,000
                                   Output tokens: 600
                                   Total cost: $0.000810

Sums are kept in integers: tokens as they are, money in picodollars (see cost.py). A million calls add up without drift,
in any order and on any number of threads. A model without a stated price counts as unpriced, and is left out of the
total.

Pure but for two things: the tracker has a lock, because threads share it, and `summary` prints, for that is its job.
"""

from __future__ import annotations

from typing import IO, Any, Dict, List, NamedTuple, Optional, Set, Tuple

from .cost import (
    CURE,
    PICO,
    Aliases,
    Price,
    PriceTable,
    TokenCounts,
    billable_output_tokens,
    billed_name,
    field_of,
    picodollars_of,
    price_of,
    rates_of,
    read_usage,
    warn_unknown,
)
from .feature_errors import BudgetExceeded, UnknownPrice


def _worst_case(price: Price, prompt_tokens: int, max_output_tokens: int, service_tier: Any) -> int:
    """Picodollars if nothing comes from the cache and, where writing to it costs more than input, all is written."""
    plain_in, _, written, _, plain_out, _, reasoning = rates_of(price, service_tier, prompt_tokens)
    return prompt_tokens * max(plain_in, written) + max_output_tokens * max(plain_out, reasoning)


class ModelRow(NamedTuple):
    """What one model was used for. Output tokens are those charged; `cost_usd` leaves out the unpriced calls."""

    model: str
    calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_tokens: int
    cost_usd: float


_FURTHER_LINES = {
    "cached_tokens": "Cached input tokens",
    "cache_write_tokens": "Cache write tokens",
    "reasoning_tokens": "Reasoning tokens",
    "audio_tokens": "Audio tokens",
}


class Reservation:
    """Money kept back for a call in flight. `settle` or `release` frees it, once; a second time changes nothing."""

    __slots__ = ("model", "open", "picodollars")

    def __init__(self, model: str, picodollars: int) -> None:
        self.model = model
        self.picodollars = picodollars
        self.open = True

    @property
    def usd(self) -> float:
        """The most the call was expected to cost."""
        return self.picodollars / PICO

    def __repr__(self) -> str:
        return f"Reservation({self.model!r}, ${self.usd:.6f}, {'open' if self.open else 'closed'})"


class CostTracker:
    """Adds up what calls cost. Safe to share between threads and clients.

    prices      your prices, looked up before the published ones: {"my-model": Price(0.5, 1.5)}, or a plain (0.5, 1.5)
    budget_usd  what may be spent before `reserve` refuses; None: no limit
    aliases     {"my-azure-deployment": "gpt-4o"}

        tracker = CostTracker()
        tracker.calculate(reply)      # 0.00045
        tracker.summary()             # prints the bill

    A Client given a tracker counts its own calls: calling `calculate` on its replies as well would count them twice.
    For the same reason a tracker is no listener.
    """

    def __init__(
        self,
        prices: Optional[PriceTable] = None,
        *,
        budget_usd: Optional[float] = None,
        aliases: Optional[Aliases] = None,
    ) -> None:
        # Threads share a tracker, and += is no single step. Imported here: who asks for one price needs no lock.
        from threading import Lock

        if budget_usd is not None and not 0 <= budget_usd < float("inf"):
            raise ValueError(f"budget_usd must be a number of dollars, 0 or more, not {budget_usd!r}")
        self.prices = dict(prices or {})
        self.aliases = dict(aliases or {})
        self.budget_usd = budget_usd
        self._lock = Lock()
        self._rows: Dict[str, List[int]] = {}  # model -> the figures of its ModelRow, the cost in picodollars
        self._held = 0  # picodollars: the reservations of settled calls whose cost nobody told
        self._reserved = 0
        self._warned: Set[Tuple[str, str]] = set()

    def calculate(self, response: Any, *, model: str = "", service_tier: Optional[str] = None) -> float:
        """Count one response; its cost in US dollars, or 0.0, with a warning once per model, where that is unknown."""
        return self.record(response, model=model, service_tier=service_tier) or 0.0

    def record(
        self,
        response: Any,
        *,
        model: str = "",
        service_tier: Optional[str] = None,
        reserved: Optional[Reservation] = None,
    ) -> Optional[float]:
        """As `calculate`, but an unknown cost is None.

        `model` is the name that was asked for: it counts where the response's own is missing or unknown (Azure).
        `service_tier` overrides the response's: pass "batch" for rows of the Batch API. `reserved`: see `settle`.
        """
        usage = field_of(response, "usage")
        counts = read_usage(usage)
        billed = billed_name(response, model, self.prices, self.aliases)
        tier = service_tier or field_of(response, "service_tier")
        cost = picodollars_of(usage, counts, billed, self.prices, tier)
        label = billed or str(field_of(response, "model") or model or "(no model named)")
        reason = f"no price is known; {CURE}" if billed is None else "the server reported no usage"
        with self._lock:
            self._add(label, counts or TokenCounts(0, 0, 0), cost)
            if reserved is not None and self._close(reserved) and cost is None:
                self._held += reserved.picodollars
            warn = cost is None and (label, reason) not in self._warned
            if warn:
                self._warned.add((label, reason))
        if warn:  # after counting, so that a filter which turns warnings into errors loses no call
            warn_unknown(f"{label}: this call is left out of the total cost, for {reason}", stacklevel=4)
        return None if cost is None else cost / PICO

    def _add(self, label: str, counts: TokenCounts, cost: Optional[int]) -> None:
        """Add one call to its row; the figures in the order of ModelRow."""
        tokens = (counts.prompt, billable_output_tokens(counts), counts.cached, counts.cache_write, counts.reasoning)
        figures = (1, int(cost is None), *tokens, counts.audio_in + counts.audio_out, cost or 0)
        row = self._rows.setdefault(label, [0] * len(figures))
        row[:] = [have + more for have, more in zip(row, figures)]

    def _sum(self, field: str) -> int:
        column = ModelRow._fields.index(field) - 1
        with self._lock:
            return sum(row[column] for row in self._rows.values())

    @property
    def call_count(self) -> int:
        return self._sum("calls")

    @property
    def unpriced_calls(self) -> int:
        """Calls that `total_cost` leaves out: no price for the model, or no usage from the server."""
        return self._sum("unpriced_calls")

    @property
    def total_input_tokens(self) -> int:
        return self._sum("input_tokens")

    @property
    def total_output_tokens(self) -> int:
        return self._sum("output_tokens")

    @property
    def total_cost(self) -> float:
        """US dollars."""
        return self._sum("cost_usd") / PICO

    def per_model(self) -> List[ModelRow]:
        """One row per model, in the order of first use."""
        with self._lock:
            return [ModelRow._make((model, *row[:-1], row[-1] / PICO)) for model, row in self._rows.items()]

    def reset(self) -> None:
        """Start from zero. What is reserved for calls in flight stays reserved."""
        with self._lock:
            self._rows.clear()
            self._warned.clear()
            self._held = 0

    def reserve(
        self, model: str, prompt_tokens: int, max_output_tokens: int, *, service_tier: Optional[str] = None
    ) -> Reservation:
        """Keep back what a call may cost at most, before it is sent; `settle` it with the response or `release` it.

        With a budget: raises BudgetExceeded if what is spent, reserved and now asked for would exceed it, and
        UnknownPrice for a model whose price nobody stated. Without one: reserves what it can, and refuses nothing.
        """
        price = price_of(model, self.prices, self.aliases)
        if price is None:
            if self.budget_usd is None:
                return Reservation(model, 0)
            text = f"not sent: no price is known for {model!r}, so a budget of {_money(self.budget_usd)} cannot be kept"
            raise UnknownPrice(f"{text}; {CURE}", model=model)
        needed = _worst_case(price, prompt_tokens, max_output_tokens, service_tier)
        with self._lock:
            if self.budget_usd is not None and needed > round(self.budget_usd * PICO) - self._spent() - self._reserved:
                call = f"{model} with {prompt_tokens:,} prompt and up to {max_output_tokens:,} output tokens"
                raise self._refusal(call, needed)
            self._reserved += needed
        return Reservation(model, needed)

    def settle(self, reservation: Reservation, response: Any, *, service_tier: Optional[str] = None) -> Optional[float]:
        """Count the response in place of its reservation; its cost in US dollars, or None.

        Where the cost is unknown (a stream that broke off, a server that reports no usage), the reservation itself
        counts as spent against the budget, for the call was paid; `total_cost` stays at what is known.
        """
        return self.record(response, model=reservation.model, service_tier=service_tier, reserved=reservation)

    def release(self, reservation: Reservation) -> None:
        """The call was not made, or failed before it could cost anything."""
        with self._lock:
            self._close(reservation)

    def _close(self, reservation: Reservation) -> bool:
        """True the first time. The lock is held."""
        was_open, reservation.open = reservation.open, False
        self._reserved -= reservation.picodollars if was_open else 0
        return was_open

    def _spent(self) -> int:
        return sum(row[-1] for row in self._rows.values()) + self._held

    def _refusal(self, call: str, needed: int) -> BudgetExceeded:
        spent, budget, needed_usd = self._spent() / PICO, self.budget_usd or 0.0, needed / PICO
        text = (
            f"not sent: {call} may cost {_money(needed_usd)}, but of the budget of {_money(budget)} there is "
            f"{_money(spent)} spent and {_money(self._reserved / PICO)} reserved; raise budget_usd, or ask for less"
        )
        return BudgetExceeded(text, budget_usd=budget, spent_usd=spent, needed_usd=needed_usd)

    @property
    def spent_usd(self) -> float:
        """What counts against the budget: `total_cost`, and the reservations of settled calls whose cost is unknown."""
        with self._lock:
            return self._spent() / PICO

    @property
    def reserved_usd(self) -> float:
        """Kept back for calls in flight."""
        with self._lock:
            return self._reserved / PICO

    @property
    def remaining_usd(self) -> Optional[float]:
        """What a further call may cost, never below 0; None without a budget."""
        if self.budget_usd is None:
            return None
        with self._lock:
            return max(0, round(self.budget_usd * PICO) - self._spent() - self._reserved) / PICO

    def report(self, *, per_model: bool = False) -> str:
        """The bill as text: four lines, one more for each further thing to tell, and one per model if asked."""
        rows = self.per_model()
        lines = [
            f"API Calls: {self.call_count:,}",
            f"Input tokens: {self.total_input_tokens:,}",
            f"Output tokens: {self.total_output_tokens:,}",
            f"Total cost: {_money(self.total_cost)}",
        ]
        lines += [f"{label}: {self._sum(field):,}" for field, label in _FURTHER_LINES.items() if self._sum(field)]
        if self.unpriced_calls:
            names = ", ".join(row.model for row in rows if row.unpriced_calls)
            lines.append(f"Unpriced calls: {self.unpriced_calls:,}, not in the total ({names})")
        if self.budget_usd is not None:
            lines.append(f"Budget left: {_money(self.remaining_usd or 0.0)} of {_money(self.budget_usd)}")
        if per_model:
            lines += [
                f"  {row.model}: {row.calls:,} call{'s' if row.calls > 1 else ''}, {row.input_tokens:,} in, "
                f"{row.output_tokens:,} out, {_money(row.cost_usd)}"
                for row in rows
            ]
        return "\n".join(lines)

    def summary(self, *, per_model: bool = False, file: Optional[IO[str]] = None) -> None:
        """Print the report, to standard output unless `file` says otherwise."""
        print(self.report(per_model=per_model), file=file)


def _money(usd: float) -> str:
    return f"${usd:,.6f}"
