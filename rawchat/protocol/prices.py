"""What models cost, in US dollars per million tokens. Data only; cost.py knows what it means.

Written by scripts/refresh_prices, which reads published tables: run it again rather than editing this file. Prices
change, and a table only estimates a bill: your own go into `CostTracker(prices={"my-model": (0.5, 1.5)})`.

    model: (input, output, cached input, cache write, tiers, long context, audio input, audio output)

A row is the arguments of `Price`, and ends where no more is to say. None: no price of its own, the plain one holds.
A tier is a factor on the whole row, or its own (input, output, cached input, cache write). Long context is (the prompt
tokens above which all tokens of a request cost more, factor on input, factor on output). A dated snapshot, such as
"gpt-4o-2024-05-13", has a row only where its price is not that of the name without the date.
"""

from __future__ import annotations

from typing import Any, Dict, Tuple

# fmt: off
# ruff: noqa: E501 - one model, one line

PRICES_AS_OF = "2026-11-21"
SOURCE = "litellm 1.109.1, compared with genai-prices 0.2.3"

# OpenAI's own, which cost the same on the routes that cost.py knows.
OPENAI: Dict[str, Tuple[Any, ...]] = {
    "chat-latest": (5.0, 30.0, 0.5),
    "computer-use-preview": (3.0, 12.0),
    "daybreak-blue-latest": (4.0, 20.0, 0.4, 5.0, {}, (272_000, 2.0, 1.5)),
    "daybreak-red-latest": (12.5, 75.0, 1.25, 15.625, {}, (272_000, 2.0, 1.5)),
    "ft:gpt-3.5-turbo": (3.0, 6.0, None, None, {"batch": 0.5}),
    "ft:gpt-3.5-turbo-0125": (3.0, 6.0),
    "ft:gpt-3.5-turbo-0613": (3.0, 6.0),
    "ft:gpt-3.5-turbo-1106": (3.0, 6.0),
    "ft:gpt-4": (30.0, 60.0),
    "ft:gpt-4.1": (3.0, 12.0, 0.75, None, {"batch": (1.5, 6.0, 0.5)}),
    "ft:gpt-4.1-mini": (0.8, 3.2, 0.2, None, {"batch": 0.5}),
    "ft:gpt-4.1-nano": (0.2, 0.8, 0.05, None, {"batch": 0.5}),
    "ft:gpt-4o-2024-08-06": (3.75, 15.0, 1.875, None, {"batch": (2.225, 12.5, 0.9)}),
    "ft:gpt-4o-2024-11-20": (3.75, 15.0, 1.875),
    "ft:gpt-4o-mini": (0.3, 1.2, 0.15, None, {"batch": 0.5}),
    "ft:o4-mini": (4.0, 16.0, 1.0, None, {"batch": 0.5}),
    "gpt-3.5-turbo": (0.5, 1.5),
    "gpt-3.5-turbo-0125": (0.5, 1.5, None, None, {"batch": 0.5}),
    "gpt-3.5-turbo-1106": (1.0, 2.0, None, None, {"batch": 1.0}),
    "gpt-3.5-turbo-16k": (3.0, 4.0),
    "gpt-4": (30.0, 60.0),
    "gpt-4-0613": (30.0, 60.0, None, None, {"batch": 0.5}),
    "gpt-4-1106-preview": (10.0, 30.0),
    "gpt-4-turbo": (10.0, 30.0),
    "gpt-4-turbo-2024-04-09": (10.0, 30.0, None, None, {"batch": 0.5}),
    "gpt-4.1": (2.0, 8.0, 0.5, None, {"batch": (1.0, 4.0, 0.5), "priority": 1.75}),
    "gpt-4.1-mini": (0.4, 1.6, 0.1, None, {"batch": (0.2, 0.8, 0.1), "priority": 1.75}),
    "gpt-4.1-nano": (0.1, 0.4, 0.025, None, {"batch": (0.05, 0.2, 0.025), "priority": 2.0}),
    "gpt-4o": (2.5, 10.0, 1.25, None, {"batch": (1.25, 5.0, 1.25), "priority": 1.7}),
    "gpt-4o-2024-05-13": (5.0, 15.0, None, None, {"batch": 0.5, "priority": 1.75}),
    "gpt-4o-audio-preview": (2.5, 10.0, None, None, {}, None, 40.0, 80.0),
    "gpt-4o-mini": (0.15, 0.6, 0.075, None, {"batch": (0.075, 0.3, 0.075), "priority": (0.25, 1.0, 0.125)}),
    "gpt-4o-mini-audio-preview": (0.15, 0.6, None, None, {}, None, 10.0, 20.0),
    "gpt-4o-mini-search-preview": (0.15, 0.6, 0.075, None, {"batch": (0.075, 0.3, 0.075)}),
    "gpt-4o-search-preview": (2.5, 10.0, 1.25, None, {"batch": (1.25, 5.0, 1.25)}),
    "gpt-5": (1.25, 10.0, 0.125, None, {"batch": 0.5, "flex": 0.5, "priority": 2.0}),
    "gpt-5-chat": (1.25, 10.0, 0.125),
    "gpt-5-chat-latest": (1.25, 10.0, 0.125),
    "gpt-5-codex": (1.25, 10.0, 0.125),
    "gpt-5-mini": (0.25, 2.0, 0.025, None, {"batch": 0.5, "flex": 0.5, "priority": 1.8}),
    "gpt-5-nano": (0.05, 0.4, 0.005, None, {"batch": 0.5, "flex": 0.5}),
    "gpt-5-pro": (15.0, 120.0, None, None, {"batch": 0.5}),
    "gpt-5-search-api": (1.25, 10.0, 0.125),
    "gpt-5.1": (1.25, 10.0, 0.125, None, {"batch": 0.5, "flex": 0.5, "priority": 2.0}),
    "gpt-5.1-chat-latest": (1.25, 10.0, 0.125),
    "gpt-5.1-codex": (1.25, 10.0, 0.125),
    "gpt-5.1-codex-max": (1.25, 10.0, 0.125),
    "gpt-5.1-codex-mini": (0.25, 2.0, 0.025),
    "gpt-5.2": (1.75, 14.0, 0.175, None, {"batch": 0.5, "flex": 0.5, "priority": 2.0}),
    "gpt-5.2-chat-latest": (1.75, 14.0, 0.175),
    "gpt-5.2-codex": (1.75, 14.0, 0.175),
    "gpt-5.2-pro": (21.0, 168.0, None, None, {"batch": 0.5}),
    "gpt-5.3-chat-latest": (1.75, 14.0, 0.175),
    "gpt-5.3-codex": (1.75, 14.0, 0.175, None, {"priority": 2.0}),
    "gpt-5.4": (2.5, 15.0, 0.25, None, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-5.4-mini": (0.75, 4.5, 0.075, None, {"batch": 0.5, "flex": 0.5, "priority": 2.0}),
    "gpt-5.4-nano": (0.2, 1.25, 0.02, None, {"batch": 0.5, "flex": 0.5}),
    "gpt-5.4-pro": (30.0, 180.0, None, None, {"batch": 0.5, "flex": 0.5}, (272_000, 2.0, 1.5)),
    "gpt-5.5": (5.0, 30.0, 0.5, None, {"batch": 0.5, "flex": 0.5, "priority": 2.5}, (272_000, 2.0, 1.5)),
    "gpt-5.5-cyber": (12.5, 75.0, 1.25),
    "gpt-5.5-cyber-preview": (12.5, 75.0, 1.25),
    "gpt-5.5-pro": (30.0, 180.0, None, None, {"batch": 0.5, "flex": 0.5}, (272_000, 2.0, 1.5)),
    "gpt-5.6": (4.0, 20.0, 0.4, 5.0, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-5.6-cyber": (12.5, 75.0, 1.25, 15.625, {}, (272_000, 2.0, 1.5)),
    "gpt-5.6-luna": (0.2, 1.2, 0.02, 0.25, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-5.6-sol": (4.0, 20.0, 0.4, 5.0, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-5.6-terra": (2.0, 12.0, 0.2, 2.5, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-6-astra": (10.0, 50.0, 1.0, 12.5, {"batch": 0.5, "flex": 0.5, "priority": 2.0, "ultrafast": 6.0}, (272_000, 2.0, 1.5)),
    "gpt-6-astra-law": (10.0, 50.0, 1.0),
    "gpt-6-luna": (0.1, 0.5, 0.01, 0.125, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-6-rosalind": (15.0, 75.0, 1.5, 18.75, {}, (272_000, 2.0, 1.5)),
    "gpt-6-sol": (2.0, 10.0, 0.2, 2.5, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-6.1-sol": (2.0, 10.0, 0.1, 2.5, {"batch": 0.5, "flex": 0.5, "priority": 2.0, "ultrafast": 6.0}, (272_000, 2.0, 1.5)),
    "gpt-6.1-terra": (1.0, 5.0, 0.05, 1.25, {"batch": 0.5, "flex": 0.5, "priority": 2.0}, (272_000, 2.0, 1.5)),
    "gpt-audio": (2.5, 10.0, None, None, {}, None, 32.0, 64.0),
    "gpt-audio-1.5": (2.5, 10.0, None, None, {}, None, 32.0, 64.0),
    "gpt-audio-mini": (0.6, 2.4, None, None, {}, None, 10.0, 20.0),
    "gpt-daybreak-blue-latest": (4.0, 20.0, 0.4, 5.0, {}, (272_000, 2.0, 1.5)),
    "gpt-daybreak-red-latest": (12.5, 75.0, 1.25, 15.625, {}, (272_000, 2.0, 1.5)),
    "gpt-rosalind-discovery": (5.0, 25.0, 0.5),
    "gpt-rosalind-research": (5.0, 25.0, 0.5),
    "o1": (15.0, 60.0, 7.5, None, {"batch": (7.5, 30.0, 7.5)}),
    "o1-pro": (150.0, 600.0, None, None, {"batch": 0.5}),
    "o3": (2.0, 8.0, 0.5, None, {"batch": (1.0, 4.0, 0.5), "flex": 0.5, "priority": 1.75}),
    "o3-deep-research": (10.0, 40.0, 2.5),
    "o3-mini": (1.1, 4.4, 0.55, None, {"batch": (0.55, 2.2, 0.55)}),
    "o3-pro": (20.0, 80.0, None, None, {"batch": 0.5}),
    "o4-mini": (1.1, 4.4, 0.275, None, {"batch": (0.55, 2.2, 0.275), "flex": 0.5, "priority": (2.0, 8.0, 0.5)}),
    "o4-mini-deep-research": (2.0, 8.0, 0.5),
    "text-embedding-3-large": (0.13, 0.0, None, None, {"batch": 0.5}),
    "text-embedding-3-small": (0.02, 0.0, None, None, {"batch": 0.5}),
    "text-embedding-ada-002": (0.1, 0.0),
    "text-embedding-ada-002-v2": (0.1, 0.0, None, None, {"batch": 0.5}),
}

# Of other makers, those that two sources price alike.
OTHERS: Dict[str, Tuple[Any, ...]] = {
    "claude-fable-5": (10.0, 50.0, 1.0, 12.5, {"batch": 0.5}),
    "claude-fable-5-1": (10.0, 50.0, 0.25, 12.5, {"batch": 0.5}),
    "claude-haiku-4-5": (1.0, 5.0, 0.1, 1.25, {"batch": 0.5}),
    "claude-haiku-5-5": (0.1, 0.5, 0.01, 0.125, {"batch": 0.5}, (100_000, 5.0, 5.0)),
    "claude-opus-4-5": (5.0, 25.0, 0.5, 6.25, {"batch": 0.5}),
    "claude-opus-4-6": (5.0, 25.0, 0.5, 6.25, {"batch": 0.5}),
    "claude-opus-4-7": (5.0, 25.0, 0.5, 6.25, {"batch": 0.5}),
    "claude-opus-4-8": (5.0, 25.0, 0.5, 6.25, {"batch": 0.5}),
    "claude-opus-5": (5.0, 25.0, 0.5, 6.25, {"batch": 0.5}),
    "claude-opus-5-5": (4.0, 20.0, 0.2, 5.0, {"batch": 0.5}),
    "claude-sonnet-4-6": (3.0, 15.0, 0.3, 3.75, {"batch": 0.5}),
    "claude-sonnet-5": (2.0, 10.0, 0.2, 2.5, {"batch": 0.5}),
    "claude-sonnet-5-5": (2.0, 10.0, 0.1, 2.5, {"batch": 0.5}),
    "gemini-2.5-flash": (0.3, 2.5, 0.03, None, {"batch": (0.15, 1.25, 0.03), "flex": (0.15, 1.25, 0.03), "priority": 1.8}, None, 1.0),
    "gemini-2.5-flash-lite": (0.1, 0.4, 0.01, None, {"batch": (0.05, 0.2, 0.01), "flex": (0.05, 0.2, 0.01), "priority": 1.8}, None, 0.3),
    "gemini-2.5-pro": (1.25, 10.0, 0.125, None, {"batch": (0.625, 5.0, 0.125), "flex": (0.625, 5.0, 0.125), "priority": 1.8}, (200_000, 2.0, 1.5)),
    "gemini-3.1-flash-lite": (0.25, 1.5, 0.025, None, {"batch": 0.5, "flex": 0.5, "priority": 1.8}, None, 0.5),
    "gemini-3.5-flash": (1.5, 9.0, 0.15, None, {"batch": 0.5, "flex": (0.75, 4.5, 0.08), "priority": 1.8}, None, 1.5),
    "gemini-3.5-flash-lite": (0.3, 2.5, 0.03, None, {"batch": (0.15, 1.25, 0.02), "flex": (0.15, 1.25, 0.02), "priority": (0.54, 4.5, 0.05)}),
    "gemini-3.6-flash": (0.75, 3.75, 0.075, None, {"batch": 0.5, "flex": 0.5, "priority": 1.8}),
    "gemini-3.7-flash": (0.75, 3.75, 0.075, None, {"batch": 0.5, "flex": 0.5, "priority": 1.8}),
    "gemini-3.8-flash": (0.75, 3.75, 0.075, None, {"batch": 0.5, "flex": 0.5, "priority": 1.8}),
    "gemini-4-argon": (2.0, 10.0, 0.1, None, {"batch": 0.5, "flex": 0.5, "priority": 1.8}),
}

# Azure may not have a dot in a model's name.
ALIASES: Dict[str, str] = {
    "gpt-35-turbo": "gpt-3.5-turbo",
    "gpt-35-turbo-0125": "gpt-3.5-turbo-0125",
    "gpt-35-turbo-1106": "gpt-3.5-turbo-1106",
    "gpt-35-turbo-16k": "gpt-3.5-turbo-16k",
}
