"""What a call costs: usage times price.

    usage   {"prompt_tokens": 2000, "completion_tokens": 300, "total_tokens": 2300,
             "prompt_tokens_details": {"cached_tokens": 1024}, "completion_tokens_details": {"reasoning_tokens": 128}}
    price   gpt-4o-mini: 0.15 input, 0.60 output, 0.075 cached input        US dollars per million tokens
    cost    976 * 0.15 + 1024 * 0.075 + 300 * 0.60 = 403.2 millionths of a dollar

Cached and cache-write tokens are part of the prompt, reasoning tokens part of the completion (API reference, "usage"):
each is counted once. A price the server itself reports wins over any table. A model without a stated price never gets
a neighbour's: its cost is None.

Money is counted in picodollars (1e-12 USD). A price of six decimals per million tokens is a whole number of them per
token, so every cost is exact. Floats appear only where a figure is handed out.

Does not count tokens (tokens.py), adds nothing up (tracker.py), and knows nothing of taxes, regional uplifts, or fees
per search or per image. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # typing's own takes four times as long in isinstance
from functools import lru_cache, partial
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from . import prices as published
from .feature_errors import UnknownPriceWarning

PICO = 10**12  # picodollars in a dollar
_PICO_PER_TOKEN = 10**6  # 1 USD per million tokens is a millionth of a dollar per token: 1e6 picodollars
_TICK = 100  # xAI's `cost_in_usd_ticks`: 1e10 ticks are a dollar, so a tick is 100 picodollars


class Price(NamedTuple):
    """US dollars per million tokens. None: no price of its own; cached input then costs what input costs, and so on.

    tiers         what a `service_tier` changes: a factor on it all, or its own (input, output, cached, cache write)
    long_context  (prompt tokens, input factor, output factor): with more prompt tokens, all of a request costs more

    A plain tuple of the same order serves wherever a Price is asked for: `{"my-model": (0.5, 1.5)}`.
    """

    input_per_mtok: float
    output_per_mtok: float
    cached_input_per_mtok: Optional[float] = None
    cache_write_per_mtok: Optional[float] = None
    tiers: Optional[Mapping[str, Union[float, Tuple[Optional[float], ...]]]] = None
    long_context: Optional[Tuple[int, float, float]] = None
    audio_input_per_mtok: Optional[float] = None
    audio_output_per_mtok: Optional[float] = None
    reasoning_per_mtok: Optional[float] = None


PriceTable = Mapping[str, Union[Price, Tuple[Any, ...]]]
Aliases = Mapping[str, str]


class TokenCounts(NamedTuple):
    """One call's usage. `cached`, `cache_write`, `audio_in` are in prompt, `reasoning`, `audio_out` in the output."""

    prompt: int
    completion: int
    total: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0


# --- reading a usage object

# Where servers put each count, the usual place first ("outer.inner" is split here, once). The first positive one is it:
# some relays fill the usual place with zeros. OpenAI's Responses API says input and output; the names without details
# are DeepSeek's ("hit"), Moonshot's ("cached_tokens") and Anthropic's ("cache_...").
_PLACES: Dict[str, List[Tuple[str, str]]] = {
    name: [place.rpartition(".")[::2] for place in places.split()]
    for name, places in {
        "prompt": "prompt_tokens input_tokens",
        "completion": "completion_tokens output_tokens",
        "total": "total_tokens",
        "cached": "prompt_tokens_details.cached_tokens input_tokens_details.cached_tokens"
        " prompt_cache_hit_tokens cached_tokens cache_read_input_tokens",
        "cache_write": "prompt_tokens_details.cache_write_tokens input_tokens_details.cache_write_tokens"
        " cache_creation_input_tokens",
        "reasoning": "completion_tokens_details.reasoning_tokens output_tokens_details.reasoning_tokens"
        " reasoning_tokens",
        "audio_in": "prompt_tokens_details.audio_tokens input_tokens_details.audio_tokens",
        "audio_out": "completion_tokens_details.audio_tokens output_tokens_details.audio_tokens",
    }.items()
}
_OUTER = sorted({outer for places in _PLACES.values() for outer, _ in places if outer})


def read_usage(usage: Any) -> Optional[TokenCounts]:
    """The counts in a usage object (a dict, or an SDK's object with attributes), whichever server wrote it.

    None where nothing usable was reported: that is unknown, not zero. Zeros that were reported stay zeros. Floats are
    cut to whole tokens; negative numbers and nulls count as missing; a missing side is the total less the other.
    """
    usual = _usual_counts(usage)
    if usual is not None:
        return usual
    get = usage.get if usage.__class__ is dict else partial(field_of, usage)
    objects = {"": usage, **{outer: get(outer) for outer in _OUTER}}
    found = {name: _first_count(objects, places) for name, places in _PLACES.items()}
    prompt, completion, total = found.pop("prompt"), found.pop("completion"), found.pop("total")
    if prompt is not None and not _number(get("prompt_tokens")):
        # Anthropic's own `input_tokens` leaves the cache out; OpenAI's Responses API, under the same name, has it in.
        for name in ("cache_read_input_tokens", "cache_creation_input_tokens"):
            prompt += int(_number(get(name)) or 0)
    if prompt is None and completion is not None and total is not None:
        prompt = max(0, total - completion)
    if completion is None and prompt is not None:
        # Embeddings report a prompt and the same number as total, or a prompt alone.
        completion = max(0, total - prompt) if total is not None else 0
    if prompt is None or completion is None:
        return None
    details = {name: count or 0 for name, count in found.items()}
    return TokenCounts(prompt, completion, total or prompt + completion, **details)


# What OpenAI's usage has (API reference, "usage"). Where there is nothing else, there is no other place to look in.
_USUAL = frozenset(
    "prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details".split()
)
_NO_DETAILS: Dict[str, Any] = {}


def _usual_counts(usage: Any) -> Optional[TokenCounts]:
    """The counts in a usage as OpenAI writes it, with whole numbers in all places: nearly every one, and three times as
    fast. None for any other: that is read at length.
    """
    if usage.__class__ is not dict or not usage.keys() <= _USUAL:
        return None
    sent = usage.get("prompt_tokens_details") or _NO_DETAILS
    made = usage.get("completion_tokens_details") or _NO_DETAILS
    if sent.__class__ is not dict or made.__class__ is not dict:
        return None
    counts = (
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        usage.get("total_tokens"),
        sent.get("cached_tokens", 0),
        sent.get("cache_write_tokens", 0),
        made.get("reasoning_tokens", 0),
        sent.get("audio_tokens", 0),
        made.get("audio_tokens", 0),
    )
    for count in counts:
        if count.__class__ is not int or not 0 <= count < 10**18:
            return None
    return TokenCounts._make(counts) if counts[2] else None  # a total of 0 beside real counts was left out


def billable_output_tokens(counts: TokenCounts) -> int:
    """Output tokens that are charged: at xAI and Gemini, reasoning is in the total but not in `completion_tokens`."""
    return max(counts.completion, counts.total - counts.prompt)


def _reported_picodollars(usage: Any) -> Optional[int]:
    """What the server itself says the call cost, or None."""
    if usage.__class__ is dict and "cost" not in usage and "cost_in_usd_ticks" not in usage:
        return None  # as nearly always
    ticks = _number(field_of(usage, "cost_in_usd_ticks"))
    if ticks is not None:
        return round(ticks * _TICK)
    cost = field_of(usage, "cost")
    dollars = _number(cost)
    if dollars is None:
        dollars = _number(field_of(cost, "total_cost"))  # Perplexity: usage.cost is an object
    if dollars is None:
        return None
    if field_of(usage, "is_byok") is True:
        # OpenRouter with one's own provider key: `cost` is its fee alone, and the provider charges this besides.
        dollars += _number(field_of(field_of(usage, "cost_details"), "upstream_inference_cost")) or 0
    return round(dollars * PICO)


def field_of(thing: Any, name: str) -> Any:
    """A key of a mapping or an attribute of an object; None where there is none."""
    # `dict` goes first for speed: the check for any Mapping takes many times as long.
    is_mapping = isinstance(thing, dict) or (thing is not None and isinstance(thing, Mapping))
    return thing.get(name) if is_mapping else getattr(thing, name, None)


def _number(value: Any) -> Optional[float]:
    """A number that can be an amount; None for anything else: null, text, true, negative, NaN, infinite."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e18:
        return value
    return None


def _first_count(objects: Mapping[str, Any], places: List[Tuple[str, str]]) -> Optional[int]:
    """The first positive count at these places; 0 if a zero was all there was; None if there was nothing."""
    best: Optional[int] = None
    for outer, inner in places:
        around = objects[outer]
        if around is None:
            continue
        # A server has one or two of a dozen places, and whole numbers in them: all else should cost next to nothing.
        value = around.get(inner) if around.__class__ is dict else field_of(around, inner)
        number = value if value is None or (value.__class__ is int and 0 <= value < 10**18) else _number(value)
        if number:
            return int(number)
        best = best if number is None else 0
    return best


# --- finding a model's price

# "-2024-11-20", "-20241120", and the older "-0613": the same model as of that day. Only real dates, for a neighbour's
# name may end in digits too ("-2512" is a year and a month at Mistral). Patterns as text: `re` compiles and keeps them
# when a name first needs them, which most never do.
_DATED = r"-(20\d\d-?)?(0[1-9]|1[0-2])(?(1)-?)(0[1-9]|[12]\d|3[01])$"
# Routes on which closed models cost what their makers ask. prices.py has no others, so no host's own price is mistaken.
_ROUTE = r"^((openrouter|openai|azure|anthropic|google|gemini|models)/|accounts/[^/]+/models/)+"


def resolve(model: Any, prices: Optional[PriceTable] = None, aliases: Optional[Aliases] = None) -> Optional[str]:
    """The name under which the price of `model` stands, in `prices` or the published table; None if it stands nowhere.

    In this order: your aliases; the name as it is; in lower case; without its route ("openrouter/openai/"); an alias of
    ours ("gpt-35-turbo"); without its date; and for "ft:BASE:org:name:id" only the row "ft:BASE". A beginning in common
    is no match: gpt-4o-mini is not gpt-4o, and gpt-5-pro costs twelve times gpt-5.
    """
    if not isinstance(model, str):
        return None
    if not prices and not aliases:
        return _published_name(model)
    name = model.strip()
    if aliases:
        name = aliases.get(name) or aliases.get(name.lower()) or name
    for candidate in _candidates(name):
        if (prices and candidate in prices) or candidate in published.OPENAI or candidate in published.OTHERS:
            return candidate
    return None


@lru_cache(maxsize=256)
def _published_name(model: str) -> Optional[str]:
    known = (name for name in _candidates(model.strip()) if name in published.OPENAI or name in published.OTHERS)
    return next(known, None)


@lru_cache(maxsize=256)
def _candidates(name: str) -> Tuple[str, ...]:
    """Names to look up, the nearest first."""
    lower = name.lower()
    bare = re.sub(_ROUTE, "", lower)
    if bare.startswith("ft:"):
        bare = "ft:" + bare.split(":")[1]
    undated = re.sub(_DATED, "", bare)
    return name, lower, bare, published.ALIASES.get(bare, bare), undated, published.ALIASES.get(undated, undated)


def price_of(model: Any, prices: Optional[PriceTable] = None, aliases: Optional[Aliases] = None) -> Optional[Price]:
    """The price of `model`, yours before the published one; None if nobody stated it."""
    name = resolve(model, prices, aliases)
    return None if name is None else _price_under(name, prices)


def _price_under(name: str, prices: Optional[PriceTable]) -> Price:
    return Price(*((prices or {}).get(name) or published.OPENAI.get(name) or published.OTHERS[name]))


# --- usage times price

# "fast" is how some answers name the priority tier. A tier that the price does not mention ("default", "auto") costs
# the plain price.
_TIER_NAMES = {"fast": "priority"}


def rates_of(price: Price, service_tier: Any, prompt_tokens: int) -> Tuple[int, ...]:
    """Picodollars per token, for a request of this tier and size.

    In this order: input, cached, written, audio in, output, audio out, reasoning.
    """
    factor_in = factor_out = 1.0
    name = service_tier if isinstance(service_tier, str) else ""
    tier = (price.tiers or {}).get(_TIER_NAMES.get(name, name))
    if isinstance(tier, (int, float)):
        factor_in = factor_out = tier
    elif tier is not None:
        own: Dict[str, Any] = dict(zip(Price._fields, tier))
        price = price._replace(**own)
    if price.long_context and prompt_tokens > price.long_context[0]:
        factor_in *= price.long_context[1]
        factor_out *= price.long_context[2]
    plain_in = round(price.input_per_mtok * factor_in * _PICO_PER_TOKEN)
    plain_out = round(price.output_per_mtok * factor_out * _PICO_PER_TOKEN)
    of_input = (price.cached_input_per_mtok, price.cache_write_per_mtok, price.audio_input_per_mtok)
    of_output = (price.audio_output_per_mtok, price.reasoning_per_mtok)
    return (
        plain_in,
        *[plain_in if usd is None else round(usd * factor_in * _PICO_PER_TOKEN) for usd in of_input],
        plain_out,
        *[plain_out if usd is None else round(usd * factor_out * _PICO_PER_TOKEN) for usd in of_output],
    )


def _rates_under(name: str, prices: Optional[PriceTable], service_tier: Any, prompt_tokens: int) -> Tuple[int, ...]:
    """As `rates_of`, for the price that stands under `name`. Yours may change from call to call; those that were
    published don't, and are worked out once.
    """
    if prices and prices.get(name):
        return rates_of(_price_under(name, prices), service_tier, prompt_tokens)
    longest, rates, long_rates = _published_rates(name, service_tier if isinstance(service_tier, str) else "")
    return long_rates if prompt_tokens > longest else rates


@lru_cache(maxsize=256)
def _published_rates(name: str, service_tier: str) -> Tuple[float, Tuple[int, ...], Tuple[int, ...]]:
    """The most prompt tokens at the plain rates, these rates, and those of a longer request."""
    price = _price_under(name, None)
    longest = price.long_context[0] if price.long_context else 0
    rates = [rates_of(price, service_tier, prompt_tokens) for prompt_tokens in (longest, longest + 1)]
    return longest, rates[0], rates[1]


def _picodollars(counts: TokenCounts, rates: Tuple[int, ...]) -> int:
    """Each token once: the special kinds first, then the rest at the plain price."""
    output = billable_output_tokens(counts)
    if not any(counts[3:]):
        return counts.prompt * rates[0] + output * rates[4]
    # Parts that overlap (cached audio) or exceed the whole (a relay's mistake) must not be billed twice.
    cached = min(counts.cached, counts.prompt)
    written = min(counts.cache_write, counts.prompt - cached)
    audio_in = min(counts.audio_in, counts.prompt - cached - written)
    audio_out = min(counts.audio_out, output)
    reasoning = min(counts.reasoning, output - audio_out)
    plain_in, plain_out = counts.prompt - cached - written - audio_in, output - audio_out - reasoning
    amounts = (plain_in, cached, written, audio_in, plain_out, audio_out, reasoning)
    return sum(amount * rate for amount, rate in zip(amounts, rates))


def picodollars_of(
    usage: Any, counts: Optional[TokenCounts], name: Optional[str], prices: Optional[PriceTable], service_tier: Any
) -> Optional[int]:
    """Picodollars: the server's own figure, else usage times the price that stands under `name` (see `billed_name`),
    else None.
    """
    reported = _reported_picodollars(usage)
    if reported is not None or name is None or counts is None:
        return reported
    return _picodollars(counts, _rates_under(name, prices, service_tier, counts.prompt))


def cost_of(usage: Any, price: Optional[Price], service_tier: Optional[str] = None) -> Optional[float]:
    """US dollars for a usage object (or TokenCounts); None where usage was not reported or the price is not known.

    `service_tier` is the answer's ("flex", "priority"), or "batch" for a Batch API row, whose answer says "default". A
    cost that the server reports needs no price.
    """
    counts, cost = _counts_of(usage), _reported_picodollars(usage)
    if cost is None and price is not None and counts is not None:
        cost = _picodollars(counts, rates_of(price, service_tier, counts.prompt))
    return None if cost is None else cost / PICO


def _counts_of(usage: Any) -> Optional[TokenCounts]:
    return usage if isinstance(usage, TokenCounts) else read_usage(usage)


def response_cost_usd(
    response: Any, *, model: str = "", prices: Optional[PriceTable] = None, aliases: Optional[Aliases] = None
) -> Optional[float]:
    """US dollars for one response, counted nowhere; None where unknown. `model` is the name that was asked for."""
    usage, name = field_of(response, "usage"), billed_name(response, model, prices, aliases)
    cost = picodollars_of(usage, _counts_of(usage), name, prices, field_of(response, "service_tier"))
    return None if cost is None else cost / PICO


def billed_name(reply: Any, requested: str, prices: Optional[PriceTable], aliases: Optional[Aliases]) -> Optional[str]:
    """Whose price a reply is billed at: the model that answered, unless only the name asked for means something.

    An alias of yours for the name you asked for goes first: Azure answers "gpt-4" for more than one kind of gpt-4.
    """
    answered = field_of(reply, "model")
    if aliases and requested in aliases:
        answered, requested = requested, answered
    return resolve(answered, prices, aliases) or resolve(requested, prices, aliases)


def estimate_cost(model: str, prompt_tokens: int, completion_tokens: int, prices: Optional[PriceTable] = None) -> float:
    """US dollars for so many tokens at the plain price. An unknown model: 0.0, together with an UnknownPriceWarning."""
    price = price_of(model, prices)
    if price is None:
        warn_unknown(f"no price is known for {model!r}, so its cost is given as 0.0; {CURE}", stacklevel=3)
        return 0.0
    counts = TokenCounts(prompt_tokens, completion_tokens, prompt_tokens + completion_tokens)
    return _picodollars(counts, rates_of(price, None, prompt_tokens)) / PICO


CURE = 'state it with prices={"name": (input, output)} in USD per million tokens, or aliases={"name": "known model"}'


def warn_unknown(text: str, stacklevel: int) -> None:
    import warnings  # at first use: most programs never come here

    warnings.warn(text, UnknownPriceWarning, stacklevel=stacklevel)


# What is kept back for an answer whose length nobody limited. The models' own limits (16,000 to 128,000 tokens) would
# make every small budget refuse every call.
TYPICAL_OUTPUT_TOKENS = 1024


def most_output_tokens(payload: Mapping[str, Any], choices: int) -> int:
    """Tokens the answers may have in all: the limit that was sent, or a typical length, for each choice."""
    for name in ("max_completion_tokens", "max_tokens"):
        limit = payload.get(name)
        if isinstance(limit, int) and limit > 0:
            return limit * choices
    return TYPICAL_OUTPUT_TOKENS * choices


def rough_tokens(payload_bytes: int) -> int:
    """A cheap guess at the prompt tokens in so many bytes of text: a third, rounded up. To reserve by, not to bill by.

    Against o200k that is 1.3 to 1.7 times too high for prose and code, up to 2.7 times for Russian or Hindi, about
    right for JSON full of ids, and up to a third too low for columns of digits. Inline images and audio are no text:
    their base64 makes it many times too high.
    """
    return -(-payload_bytes // 3)
