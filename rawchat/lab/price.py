"""What a model costs, for people: each kind of token, what changes it, and what so many tokens come to.

    gpt-4o-mini: US dollars per million tokens, as of 2026-11-21
      input              0.150
      output             0.600
      service tier batch: input 0.075, output 0.30

    1,000 in + 500 out tokens: $0.000450

The prices and the arithmetic are `protocol/cost.py`'s. A model without a price never gets a neighbour's: it is an error
that names what is spelled alike.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from ..protocol import prices
from ..protocol.cost import Price, estimate_cost, price_of, resolve
from ..protocol.feature_errors import UnknownPrice

# In the order in which a tier of its own states them.
PRICE_KINDS = (
    ("input", "input_per_mtok"),
    ("output", "output_per_mtok"),
    ("cached input", "cached_input_per_mtok"),
    ("cache write", "cache_write_per_mtok"),
    ("audio input", "audio_input_per_mtok"),
    ("audio output", "audio_output_per_mtok"),
    ("reasoning", "reasoning_per_mtok"),
)


def describe_price(model: str, prompt_tokens: Optional[int] = None, completion_tokens: int = 0) -> str:
    """The price of `model`, and the cost of so many tokens where `prompt_tokens` is given. Raises UnknownPrice."""
    name, price = known_price(model)
    lines = price_lines(model, name, price)
    if prompt_tokens is not None:
        cost_usd = estimate_cost(name, prompt_tokens, completion_tokens)
        lines += ["", f"{prompt_tokens:,} in + {completion_tokens:,} out tokens: ${cost_usd:,.6f}"]
    return "\n".join(lines)


def known_price(model: str) -> Tuple[str, Price]:
    """The name that `model` is billed under, and its price. Raises UnknownPrice, which names what is spelled alike."""
    name, price = resolve(model), price_of(model)
    if name is not None and price is not None:
        return name, price
    import difflib  # for this message only

    near = difflib.get_close_matches(model.lower(), [*prices.OPENAI, *prices.OTHERS], n=4)
    like = f"; spelled alike, but other models: {', '.join(near)}" if near else ""
    raise UnknownPrice(
        f"nobody stated a price for {model} (table of {prices.PRICES_AS_OF}){like}. "
        "Its maker's price list says; CostTracker(prices={...}) takes it",
        model=model,
    )


def price_lines(asked: str, name: str, price: Price) -> List[str]:
    """The price for people: a line for each kind of token, each service tier, and the long-context cliff."""
    lines = [f"{name}: US dollars per million tokens, as of {prices.PRICES_AS_OF}"]
    if name != asked:
        lines.insert(0, f"{asked} is billed as {name}")
    kinds = [(label, getattr(price, field)) for label, field in PRICE_KINDS if getattr(price, field) is not None]
    decimals = max(len(per_mtok(value).partition(".")[2]) for _, value in kinds)
    lines += [f"  {label:<14}{value:>10,.{decimals}f}" for label, value in kinds]
    for tier, change in (price.tiers or {}).items():
        if isinstance(change, (int, float)):
            lines.append(f"  service tier {tier}: everything x {change:g}")
        else:
            own = [f"{label} {per_mtok(value)}" for (label, _), value in zip(PRICE_KINDS, change) if value is not None]
            lines.append(f"  service tier {tier}: {', '.join(own)}")
    if price.long_context:
        above, input_factor, output_factor = price.long_context
        factors = f"input x {input_factor:g}, output x {output_factor:g}"
        lines.append(f"  above {above:,} prompt tokens, for all tokens of the request: {factors}")
    return lines


def per_mtok(usd: float) -> str:
    """`0.15`, `0.075`, `30.00`: two decimals, or as many as it takes."""
    return max(f"{usd:.2f}", f"{usd:.6f}".rstrip("0"), key=len)
