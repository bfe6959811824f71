"""One server examined: what was found, what it took, and what the command's exit code makes of it."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

from ...protocol.cost import cost_of, price_of, read_usage
from ...protocol.errors import APIConnectionError, AuthenticationError
from ...protocol.redact import redact_text
from .probes import Plan
from .rule import FAILS, MUST, Check, Evidence, Result


class Visit(NamedTuple):
    """One server examined.

    `unreached`: checks that had nothing to look at, as no request was answered. Tokens as the server counted them;
    `cost_usd` is None where the price is not known.
    """

    plan: Plan
    evidence: Evidence
    results: List[Result]
    unreached: List[Check]
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: Optional[float]
    seconds: float

    @property
    def place(self) -> str:
        """The server's address, without a key that may stand in it."""
        return redact_text(self.plan.base_url)

    @property
    def exit_code(self) -> int:
        """0 where every must holds; 69 where nothing was reached, 77 where the key was refused, else 1."""
        broken = [result.check.name for result in self.results if _breaks(result)]
        way = self.evidence.way
        if way is None or not way.reached or "http" in broken:
            return APIConnectionError.exit_code
        return AuthenticationError.exit_code if "key" in broken else int(bool(broken))


def _breaks(result: Result) -> bool:
    return result.finding.verdict == FAILS and result.check.level == MUST


def bill(evidence: Evidence, model: str) -> Tuple[Tuple[int, int], Optional[float]]:
    """((prompt, completion) tokens by the server's own count, dollars): each answer at the price of its own model."""
    prompt = completion = 0
    costs: List[Optional[float]] = []
    for sight in evidence.every:
        if not sight.usage or sight.status != 200:
            continue
        counts = read_usage(sight.usage)
        if counts is not None:
            prompt, completion = prompt + counts.prompt, completion + counts.completion
        costs.append(cost_of(sight.usage, price_of(sight.exchange.model or model)))
    known = [cost for cost in costs if cost is not None]
    return (prompt, completion), sum(known) if len(known) == len(costs) else None
