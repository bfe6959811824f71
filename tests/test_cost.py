"""What a call costs: usage read from any server, prices found by name, each token counted once."""

from types import MappingProxyType, SimpleNamespace

import pytest

from . import module, rawchat

cost = module("protocol.cost")
errors = module("protocol.errors")
Price, TokenCounts = cost.Price, cost.TokenCounts


def usage(prompt, completion, **more):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def reply(model, prompt, completion, **more):
    return {"model": model, "usage": usage(prompt, completion), **more}


def details(prompt=None, completion=None):
    return {"prompt_tokens_details": prompt, "completion_tokens_details": completion}


# ---- reading usage

USAGE_ROWS = [
    ("plain", usage(11, 4), TokenCounts(11, 4, 15)),
    ("nothing at all is unknown, not zero", None, None),
    ("an empty object", {}, None),
    ("nulls only", {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, None),
    ("a total alone does not say which side", {"total_tokens": 14}, None),
    ("a completion alone does not say what was sent", {"completion_tokens": 4}, None),
    ("text is no usage", "11 tokens", None),
    ("zeros that were reported stay zeros", usage(0, 0), TokenCounts(0, 0, 0)),
    ("floats", {"prompt_tokens": 11.0, "completion_tokens": 4.0, "total_tokens": 15.0}, TokenCounts(11, 4, 15)),
    ("completion missing", {"prompt_tokens": 10, "total_tokens": 14}, TokenCounts(10, 4, 14)),
    ("completion null", {"prompt_tokens": 10, "completion_tokens": None, "total_tokens": 14}, TokenCounts(10, 4, 14)),
    ("completion negative", {"prompt_tokens": 10, "completion_tokens": -1, "total_tokens": 14}, TokenCounts(10, 4, 14)),
    ("prompt missing", {"completion_tokens": 4, "total_tokens": 14}, TokenCounts(10, 4, 14)),
    ("total missing", {"prompt_tokens": 10, "completion_tokens": 4}, TokenCounts(10, 4, 14)),
    ("total zero beside real counts", {**usage(10, 4), "total_tokens": 0}, TokenCounts(10, 4, 14)),
    ("embeddings", {"prompt_tokens": 8, "total_tokens": 8}, TokenCounts(8, 0, 8)),
    ("embeddings without total", {"prompt_tokens": 8}, TokenCounts(8, 0, 8)),
    ("details null", {**usage(11, 4), **details(None, None)}, TokenCounts(11, 4, 15)),
    ("details of another type", {**usage(11, 4), **details([], "x")}, TokenCounts(11, 4, 15)),
    ("true is no number", {**usage(11, 4), **details({"cached_tokens": True})}, TokenCounts(11, 4, 15)),
    ("NaN is no number", {**usage(11, 4), **details({"cached_tokens": float("nan")})}, TokenCounts(11, 4, 15)),
    ("infinity is no number", {**usage(11, 4), **details({"cached_tokens": float("inf")})}, TokenCounts(11, 4, 15)),
    (
        "OpenAI with everything",
        {
            **usage(2000, 300),
            **details(
                {"cached_tokens": 1024, "cache_write_tokens": 500, "audio_tokens": 7},
                {"reasoning_tokens": 128, "audio_tokens": 9, "accepted_prediction_tokens": 3},
            ),
        },
        TokenCounts(2000, 300, 2300, cached=1024, cache_write=500, reasoning=128, audio_in=7, audio_out=9),
    ),
    ("DeepSeek", {**usage(1000, 10), "prompt_cache_hit_tokens": 640}, TokenCounts(1000, 10, 1010, cached=640)),
    ("Moonshot", {**usage(1000, 10), "cached_tokens": 640}, TokenCounts(1000, 10, 1010, cached=640)),
    (
        "zeros in the usual place, counts in another",
        {**usage(0, 0), "input_tokens": 30, "output_tokens": 5, "total_tokens": 35},
        TokenCounts(30, 5, 35),
    ),
    (
        "the Responses API has the cache inside",
        {"input_tokens": 30, "output_tokens": 5, "total_tokens": 35, "input_tokens_details": {"cached_tokens": 20}},
        TokenCounts(30, 5, 35, cached=20),
    ),
    (
        "Anthropic's own has the cache beside",
        {"input_tokens": 30, "output_tokens": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 8},
        TokenCounts(58, 5, 63, cached=20, cache_write=8),
    ),
    (
        "a relay's Anthropic names beside OpenAI's: inside",
        {**usage(58, 5), "cache_read_input_tokens": 20, "cache_creation_input_tokens": 8},
        TokenCounts(58, 5, 63, cached=20, cache_write=8),
    ),
    (
        "an SDK's object",
        SimpleNamespace(prompt_tokens=11, completion_tokens=4, total_tokens=15, prompt_tokens_details=None),
        TokenCounts(11, 4, 15),
    ),
    (
        "an SDK's object with details",
        SimpleNamespace(
            prompt_tokens=11,
            completion_tokens=4,
            total_tokens=15,
            prompt_tokens_details=SimpleNamespace(cached_tokens=6),
        ),
        TokenCounts(11, 4, 15, cached=6),
    ),
]


@pytest.mark.parametrize("given, expected", [row[1:] for row in USAGE_ROWS], ids=[row[0] for row in USAGE_ROWS])
def test_usage_is_read_whoever_wrote_it(given, expected):
    """Counts are found under every known name; what is missing is derived or unknown, never invented."""
    assert cost.read_usage(given) == expected


PLAIN_ROWS = [row for row in USAGE_ROWS if isinstance(row[1], dict)]


@pytest.mark.parametrize("given, expected", [row[1:] for row in PLAIN_ROWS], ids=[row[0] for row in PLAIN_ROWS])
def test_the_quick_way_reads_what_the_long_way_reads(given, expected):
    """A plain dict with OpenAI's own fields takes a short cut; the same dict behind a proxy does not."""
    hidden = {name: MappingProxyType(value) if isinstance(value, dict) else value for name, value in given.items()}
    assert cost.read_usage(MappingProxyType(hidden)) == expected


BILLABLE = [
    ("reasoning inside, as at OpenAI", TokenCounts(2000, 300, 2300, reasoning=128), 300),
    ("reasoning outside, as at xAI", TokenCounts(12, 1, 110, reasoning=97), 98),
    ("thinking only in the total, as at Gemini", TokenCounts(8, 0, 263), 255),
    ("a total that is too small", TokenCounts(8, 5, 3), 5),
]


@pytest.mark.parametrize("counts, expected", [row[1:] for row in BILLABLE], ids=[row[0] for row in BILLABLE])
def test_reasoning_is_charged_once_in_both_conventions(counts, expected):
    """Output is what the completion says or what the total leaves, whichever is more."""
    assert cost.billable_output_tokens(counts) == expected


# ---- usage times price

FULL = Price(
    1.0, 10.0, 0.1, 1.25, {"flex": 0.5, "batch": (0.5, 5.0, 0.1)}, (272_000, 2.0, 1.5), audio_input_per_mtok=32.0
)
COST_ROWS = [
    # usage, price (a model of the published table, or a Price), tier, US dollars worked out by hand
    ("plain", usage(1000, 500), "gpt-4o-mini", None, 0.000150 + 0.000300),
    ("cached are part of the prompt", {**usage(2000, 0), **details({"cached_tokens": 1500})}, "gpt-4o", None, 0.003125),
    ("all cached", {**usage(1000, 0), **details({"cached_tokens": 1000})}, "gpt-4o", None, 0.00125),
    ("more cached than sent", {**usage(1000, 0), **details({"cached_tokens": 5000})}, "gpt-4o", None, 0.00125),
    ("no cached price: the plain one", {**usage(1000, 0), **details({"cached_tokens": 400})}, "gpt-4", None, 0.030),
    ("cache write", {**usage(1000, 0), **details({"cache_write_tokens": 800})}, "gpt-6-sol", None, 0.0004 + 0.002),
    (
        "cached and written overlap",
        {**usage(1000, 0), **details({"cached_tokens": 800, "cache_write_tokens": 800})},
        "gpt-6-sol",
        None,
        0.00016 + 0.0005,
    ),
    ("reasoning is in the output", {**usage(0, 300), **details(None, {"reasoning_tokens": 128})}, "o3", None, 0.0024),
    ("reasoning outside (xAI)", {**usage(12, 1), "total_tokens": 110}, Price(3.0, 15.0), None, 0.000036 + 0.00147),
    ("reasoning with its own price", {**usage(0, 300), **details(None, {"reasoning_tokens": 100})},
     Price(1.0, 10.0, reasoning_per_mtok=3.0), None, 0.0003 + 0.002),
    ("DeepSeek's cache hits", {**usage(1000, 10), "prompt_cache_hit_tokens": 600}, Price(0.28, 0.42, 0.028), None,
     0.000112 + 0.0000168 + 0.0000042),
    (
        "audio in and out",
        {**usage(1000, 200), **details({"audio_tokens": 600}, {"audio_tokens": 150})},
        "gpt-audio",
        None,
        0.001 + 0.0192 + 0.0005 + 0.0096,
    ),
    ("audio without its own price", {**usage(0, 200), **details(None, {"audio_tokens": 150})}, "gpt-4o", None, 0.002),
    ("flex is half", usage(1000, 1000), "gpt-5", "flex", 0.005625),
    ("priority is a multiple", usage(1000, 1000), "gpt-4o", "priority", 0.00425 + 0.017),
    ("priority by another name", usage(1000, 1000), "gpt-4o", "fast", 0.00425 + 0.017),
    ("priority with prices of its own", usage(1000, 1000), "gpt-4o-mini", "priority", 0.00025 + 0.001),
    ("batch", usage(1000, 1000), "gpt-4o", "batch", 0.00125 + 0.005),
    (
        "batch does not halve the cached price twice",
        {**usage(1000, 0), **details({"cached_tokens": 1000})},
        "gpt-4o",
        "batch",
        0.00125,
    ),
    ("default is the plain price", usage(1000, 1000), "gpt-4o", "default", 0.0125),
    ("a tier nobody priced", usage(1000, 1000), "gpt-4", "flex", 0.09),
    ("a tier that is no text", usage(1000, 1000), "gpt-4o", ["flex"], 0.0125),
    ("on the cliff", usage(272_000, 1000), "gpt-5.4", None, 0.68 + 0.015),
    ("over the cliff, all tokens cost more", usage(272_001, 1000), "gpt-5.4", None, 1.360005 + 0.0225),
    ("over the cliff on flex", usage(300_000, 1000), "gpt-5.4", "flex", 0.75 + 0.01125),
    ("over the cliff with cache and batch", {**usage(300_000, 0), **details({"cached_tokens": 100_000})}, FULL, "batch",
     0.2 + 0.02),
    ("over the cliff, cached and written", {**usage(272_001, 0), **details({"cached_tokens": 200_000,
     "cache_write_tokens": 72_001})}, FULL, None, 0.04 + 0.1800025),
    ("OpenRouter says it", {**usage(100, 50), "cost": 0.00123}, "gpt-4o", None, 0.00123),
    ("OpenRouter says it was free", {**usage(100, 50), "cost": 0}, "gpt-4o", None, 0.0),
    ("OpenRouter, one's own key", {**usage(100, 50), "cost": 0.0001, "is_byok": True,
     "cost_details": {"upstream_inference_cost": 0.002}}, "gpt-4o", None, 0.0021),
    ("xAI says it in ticks", {**usage(12, 1), "cost_in_usd_ticks": 15_060_000}, None, None, 0.001506),
    ("Perplexity says it in an object", {**usage(12, 1), "cost": {"total_cost": 0.0061}}, None, None, 0.0061),
    ("a reported cost that is none", {**usage(1000, 500), "cost": None}, "gpt-4o-mini", None, 0.00045),
    ("no usage", None, "gpt-4o", None, None),
    ("no price", usage(1000, 500), None, None, None),
    ("counts instead of an object", TokenCounts(1000, 500, 1500), "gpt-4o-mini", None, 0.00045),
]  # fmt: skip


@pytest.mark.parametrize(
    "given, price, tier, expected", [row[1:] for row in COST_ROWS], ids=[row[0] for row in COST_ROWS]
)
def test_usage_times_price(given, price, tier, expected):
    """Every token is charged once, at the price of its kind, tier and request size."""
    if isinstance(price, str):
        price = cost.price_of(price)
        assert price is not None
    result = cost.cost_of(given, price, tier)
    assert result == (None if expected is None else pytest.approx(expected, abs=1e-12))


NAMED_ROWS = [row for row in COST_ROWS if isinstance(row[2], str) and isinstance(row[1], dict)]


@pytest.mark.parametrize("given, name, tier, expected", [row[1:] for row in NAMED_ROWS], ids=[r[0] for r in NAMED_ROWS])
def test_a_price_that_is_remembered_is_the_same(given, name, tier, expected):
    """The rates of a published price are worked out once, for each tier, short and long; the second time is no other."""
    response = {"model": name, "usage": given, "service_tier": tier}
    for _ in range(2):
        assert cost.response_cost_usd(response) == pytest.approx(expected, abs=1e-12)


def test_your_prices_may_change_from_call_to_call():
    """Only published ones are remembered."""
    mine = {"mine": (1.0, 2.0)}
    response = {"model": "mine", "usage": usage(1_000_000, 0)}
    assert cost.response_cost_usd(response, prices=mine) == 1.0
    mine["mine"] = (3.0, 2.0)
    assert cost.response_cost_usd(response, prices=mine) == 3.0
    mine["gpt-4o"] = (7.0, 2.0)
    assert cost.response_cost_usd({**response, "model": "gpt-4o"}, prices=mine) == 7.0
    del mine["gpt-4o"]
    assert cost.response_cost_usd({**response, "model": "gpt-4o"}, prices=mine) == 2.5


# ---- names

NAMES = [
    ("gpt-4o-mini", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o"),
    ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
    ("gpt-4o-2024-11-20", "gpt-4o"),
    ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
    ("gpt-4o-2030-01-01", "gpt-4o"),
    ("gpt-4o-20300101", "gpt-4o"),
    ("gpt-6.1-sol-2026-10-01", "gpt-6.1-sol"),
    ("o1-2024-12-17", "o1"),
    ("gpt-4-0613", "gpt-4-0613"),
    ("gpt-4-0125", "gpt-4"),
    ("gpt-3.5-turbo-1106", "gpt-3.5-turbo-1106"),
    ("openai/gpt-4o", "gpt-4o"),
    ("openrouter/openai/gpt-4o", "gpt-4o"),
    ("openrouter/openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
    ("azure/gpt-4o", "gpt-4o"),
    ("models/gpt-4o", "gpt-4o"),
    ("accounts/me/models/gpt-4o", "gpt-4o"),
    ("GPT-4o", "gpt-4o"),
    ("GPT-4o ", "gpt-4o"),
    ("\tgpt-4o-mini\n", "gpt-4o-mini"),
    ("gpt-35-turbo", "gpt-3.5-turbo"),
    ("gpt-35-turbo-1106", "gpt-3.5-turbo-1106"),
    ("gpt-35-turbo-0914", "gpt-3.5-turbo"),
    ("ft:gpt-4o-mini-2024-07-18:org::abc", "ft:gpt-4o-mini"),
    ("ft:gpt-4o-mini:org::id", "ft:gpt-4o-mini"),
    ("ft:gpt-4o-2024-08-06:org:name:id", "ft:gpt-4o-2024-08-06"),
    ("ft:gpt-4.1-2025-04-14:org::x:ckpt-step-10", "ft:gpt-4.1"),
    ("openai/ft:gpt-4.1-2025-04-14:org::x", "ft:gpt-4.1"),
    ("ft:gpt-5:org::x", None),
    ("ft:", None),
    ("gpt-4o-nano", None),
    ("gpt-4o-mini-high", None),
    ("gpt-4o-2512", None),
    ("gpt-4o-2024-13-01", None),
    ("gpt-4o:extended", None),
    ("openai/gpt-4o:free", None),
    ("gpt-5-ultra", None),
    ("gpt-5.6-lunar", None),
    ("gpt", None),
    ("o1-mini", None),
    ("groq/openai/gpt-4o", None),
    ("openai/", None),
    ("", None),
    (None, None),
    (7, None),
]


@pytest.mark.parametrize("asked, found", NAMES, ids=[repr(row[0]) for row in NAMES])
def test_a_name_finds_its_own_price_or_none(asked, found):
    """Case, blanks, routes, dates and fine-tuning are understood; a beginning in common is not enough."""
    assert cost.resolve(asked) == found


NEIGHBOURS = [("gpt-4o", "gpt-4o-mini"), ("gpt-5", "gpt-5-pro"), ("gpt-5.6", "gpt-5.6-luna"), ("o1", "o1-pro")]


@pytest.mark.parametrize("one, other", NEIGHBOURS, ids=[row[1] for row in NEIGHBOURS])
def test_neighbours_are_not_confused(one, other):
    """gpt-4o-mini is not billed as gpt-4o, with a date or without."""
    assert cost.price_of(other) != cost.price_of(one)
    assert cost.price_of(f"{other}-2030-01-01") == cost.price_of(other)


def test_your_prices_and_aliases_come_first():
    """A table of yours overrides and extends the published one; an alias leads to either."""
    mine = {"gpt-4o": (1.0, 2.0), "local/Llama": Price(0.0, 0.0)}
    assert cost.price_of("gpt-4o", mine) == Price(1.0, 2.0)
    assert cost.price_of("gpt-4o-mini", mine) == cost.price_of("gpt-4o-mini")
    assert cost.price_of("local/Llama", mine) == Price(0.0, 0.0)
    assert cost.resolve("prod-chat", mine, {"prod-chat": "local/Llama"}) == "local/Llama"
    assert cost.resolve("Prod-Chat", None, {"prod-chat": "gpt-4o-2024-11-20"}) == "gpt-4o"
    assert cost.resolve("gpt-4o", None, {"gpt-4o": "gpt-4o-mini"}) == "gpt-4o-mini"


BILLED = [
    ("the response's snapshot", "gpt-4o-2024-05-13", "gpt-4o", None, 0.005),
    ("an empty name in the response", "", "gpt-4o", None, 0.0025),
    ("no name in the response", None, "gpt-4o", None, 0.0025),
    ("a deployment echoed", "my-deployment", "gpt-4o", None, 0.0025),
    ("a deployment asked, a model answered", "gpt-4o-mini-2024-07-18", "my-deployment", None, 0.00015),
    ("an alias for what was asked beats the answer", "gpt-4", "my-deployment", {"my-deployment": "gpt-4o"}, 0.0025),
    ("an alias for what was answered", "odd", "odder", {"odd": "gpt-4o"}, 0.0025),
    ("neither known", "odd", "odder", None, None),
]


@pytest.mark.parametrize(
    "answered, asked, aliases, expected", [row[1:] for row in BILLED], ids=[row[0] for row in BILLED]
)
def test_whose_price_a_response_is_billed_at(answered, asked, aliases, expected):
    """The model that answered, or where that means nothing, the one that was asked for."""
    response = reply(answered, 1000, 0)
    result = cost.response_cost_usd(response, model=asked, aliases=aliases)
    assert result == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_the_response_names_its_tier():
    """What was used counts, not what was wished for."""
    assert cost.response_cost_usd(reply("gpt-5", 1000, 1000, service_tier="flex")) == 0.005625
    assert cost.response_cost_usd(reply("gpt-5", 1000, 1000, service_tier="default")) == 0.01125


# ---- estimates


def test_an_estimate_is_the_plain_price():
    """Tokens in, tokens out, US dollars."""
    assert cost.estimate_cost("gpt-4o-mini", 1000, 500) == 0.00045
    assert cost.estimate_cost("mine", 1_000_000, 0, prices={"mine": (0.5, 1.5)}) == 0.5


def test_an_estimate_for_an_unknown_model_warns():
    """0.0 comes with a warning that names the model and the cure, and points at the caller's line."""
    with pytest.warns(rawchat.UnknownPriceWarning, match=r"'mystery-1'.*prices=") as caught:
        assert cost.estimate_cost("mystery-1", 1000, 500) == 0.0
    assert caught[0].filename == __file__


ROUGH = [(0, 0), (1, 1), (3, 1), (4, 2), (300, 100), (301, 101)]


@pytest.mark.parametrize("size, expected", ROUGH)
def test_a_rough_guess_is_a_third_rounded_up(size, expected):
    """Three bytes a token."""
    assert cost.rough_tokens(size) == expected
