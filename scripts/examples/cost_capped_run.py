"""A run that stops before it costs too much: a call that may not fit the budget is never sent.

    python scripts/examples/cost_capped_run.py
    python scripts/examples/cost_capped_run.py 0.01

The argument is the budget in US dollars. What a call may cost at most is its prompt and as many tokens of answer as it
allows; without `max_completion_tokens` that is all that the model can write.
"""

import sys

from connection import connect

import rawchat

WORDS = "token stream embedding temperature retry deadline schema usage cache role".split()


def main():
    tracker = rawchat.CostTracker(budget_usd=float(sys.argv[1]) if len(sys.argv) > 1 else 0.0004)
    with connect(cost_tracker=tracker) as client:
        for number, word in enumerate(WORDS):
            try:
                reply = client.chat(f"What is a {word}, in one sentence?", max_completion_tokens=200)
            except rawchat.BudgetExceeded as error:
                print(f"Stopped after {number} of {len(WORDS)} questions: {error}")
                break
            print(f"${tracker.spent_usd:.6f}  {reply.text}")
    tracker.summary()


if __name__ == "__main__":
    main()
