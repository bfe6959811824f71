"""Step 5: counting the cost. `usage` says how many tokens a call took, and the price list what a million of them cost.

"usage": {"prompt_tokens": 1200, "completion_tokens": 80, "prompt_tokens_details": {"cached_tokens": 1024}}
"""

import json
import os
import sys

import requests

# US dollars for a million tokens, gpt-4o-mini, from the provider's page in November 2026. Prices change: look again.
PRICE = {"input": 0.15, "cached input": 0.075, "output": 0.60}
BUDGET_USD = 0.01


def ask(messages):
    response = requests.post(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions",
        headers={"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"},
        data=json.dumps({"model": "gpt-4o-mini", "messages": messages}),
        timeout=60,
    )
    if response.status_code != 200:
        sys.exit(f"{response.status_code}: {response.text}")
    return response.json()


def count(usage):
    """Tokens by what they cost. Cached tokens are a part of the prompt, and must not be paid twice."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input": usage["prompt_tokens"] - cached,
        "cached input": cached,
        "output": usage["completion_tokens"],  # what the model thought before it spoke is in here, too
    }


# Whole tokens are added up, and dollars reckoned from the sum: many small dollar figures would drift.
total = dict.fromkeys(PRICE, 0)
for question in ("What is a token?", "What is a stream?", "What is backoff?"):
    spent_usd = sum(total[kind] * PRICE[kind] for kind in PRICE) / 1_000_000
    if spent_usd >= BUDGET_USD:
        sys.exit(f"stopped before {question!r}: ${spent_usd:.6f} is the budget")
    for kind, tokens in count(ask([{"role": "user", "content": question}])["usage"]).items():
        total[kind] += tokens

for kind, tokens in total.items():
    print(f"{kind:<14}{tokens:>8,} tokens  ${tokens * PRICE[kind] / 1_000_000:.6f}")
