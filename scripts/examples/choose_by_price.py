"""Exercise: choose a model by price. The best one that keeps to a limit, or the cheapest of all.

    python scripts/examples/choose_by_price.py
    python scripts/examples/choose_by_price.py 0.0001

The argument is what question and answer may cost, in US dollars. Prices are those that rawchat carries (`rawchat price`
says of which day); yours go in as `estimate_cost(..., prices={"my-model": (0.5, 1.5)})`, dollars per million tokens.
"""

import sys

from connection import connect

import rawchat

BEST_FIRST = ["gpt-4o", "gpt-4.1-mini", "gpt-4o-mini"]
ANSWER_TOKENS = 200
QUESTION = "Explain in one paragraph what an embedding is, and name two uses."


def price_list(question, models):
    """{model: US dollars for this question and an answer of ANSWER_TOKENS}, in the order of `models`."""
    prompt_tokens = {model: rawchat.estimate_tokens(question, model) for model in models}
    return {model: rawchat.estimate_cost(model, prompt_tokens[model], ANSWER_TOKENS) for model in models}


def best_within(costs, limit_usd):
    """The first model that costs at most `limit_usd`; the cheapest where all cost more."""
    return next((model for model in costs if costs[model] <= limit_usd), min(costs, key=costs.get))


def main():
    costs = price_list(QUESTION, BEST_FIRST)
    for model, cost_usd in costs.items():
        print(f"{model:14} ${cost_usd:.6f}")
    model = best_within(costs, float(sys.argv[1]) if len(sys.argv) > 1 else 0.0005)
    with connect() as client:
        reply = client.chat(QUESTION, model=model, max_completion_tokens=ANSWER_TOKENS)
    cost = "an unknown sum" if reply.cost is None else f"${reply.cost:.6f}"
    print(f"chosen: {model}, which then cost {cost}\n{reply.text}")


if __name__ == "__main__":
    main()
