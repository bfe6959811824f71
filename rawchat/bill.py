"""What one call costs: reserved before sending where there is a budget, then counted by its reply.

    bill = Bill(tracker, call)    BudgetExceeded or UnknownPrice, before anything is sent
    bill.close(reply)             reply.cost is known, and counted by the tracker where there is one
    bill.close(None)              nothing came: what was reserved is free again

Prices and sums are `protocol/cost.py`'s and `protocol/tracker.py`'s.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from .protocol.call import Call
from .protocol.feature_errors import UnknownPriceWarning
from .protocol.kept import is_kept
from .protocol.reply import Reply

if TYPE_CHECKING:
    from .protocol.tracker import CostTracker, Reservation


class Bill:
    """The bill of one call. What is not paid by the token (a list of models, an uploaded file) costs nothing here."""

    def __init__(self, tracker: Optional[CostTracker], call: Call) -> None:
        """Raises BudgetExceeded or UnknownPrice before anything is sent."""
        self._model = call.model
        self._tracker = tracker
        self._reservation: Optional[Reservation] = None
        if self._model and tracker is not None and tracker.budget_usd is not None:
            from .protocol.cost import most_output_tokens, rough_tokens

            most = most_output_tokens(call.payload or {}, call.choices)
            self._reservation = tracker.reserve(self._model, rough_tokens(len(call.body)), most)

    def close(self, reply: Optional[Reply], *, broken: bool = False) -> None:
        """Count the reply, where there is one, note its cost on it, and free what is still reserved.

        `broken`: its error is on the way. Where warnings are errors, the one about an unknown cost would take the place
        of that error, which matters more.
        """
        try:
            if reply is not None and self._model:
                if broken:
                    with suppress(UnknownPriceWarning):
                        reply.cost = self._cost_usd(reply)
                else:
                    reply.cost = self._cost_usd(reply)
        finally:
            if self._reservation is not None and self._tracker is not None:
                self._tracker.release(self._reservation)

    def _cost_usd(self, reply: Reply) -> Optional[float]:
        if is_kept(reply.headers):
            return 0.0  # a cache of ours had it: it was paid, and counted, when it came
        if self._reservation is not None and self._tracker is not None:
            return self._tracker.settle(self._reservation, reply)
        if self._tracker is not None:
            return self._tracker.record(reply, model=self._model)
        from .protocol.cost import response_cost_usd  # at first use, so that making a client stays quick

        return response_cost_usd(reply, model=self._model)
