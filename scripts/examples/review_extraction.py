"""Structured output: from the words of a review to a dataclass with checked types.

    python scripts/examples/review_extraction.py
    python scripts/examples/review_extraction.py "The kettle leaks. One star."

The dataclass becomes the JSON schema that the server has to keep to; the answer is checked against it here as well.
"""

import sys
from dataclasses import dataclass
from typing import List, Literal

from connection import connect

import rawchat


@dataclass
class Review:
    """What a customer says about a product."""

    product: str
    stars: int
    liked: List[str]
    disliked: List[str]
    verdict: Literal["buy", "wait", "avoid"]


REVIEWS = [
    "Product: Gooseneck kettle. Stars: 5. Pours like a dream, and it is quiet. Buy it!",
    "Product: Travel mug. Stars: 2. Keeps tea hot for a day, but the lid leaks in every bag.",
    "Product: Toaster. Stars: 1. It came broken, and they refuse to take it back.",
]


def main():
    with connect() as client:
        for text in sys.argv[1:] or REVIEWS:
            try:
                review = client.parse(f"Extract the review.\n\n{text}", Review, temperature=0).parsed
            except rawchat.APIError as error:  # refused, cut off, no such value: `error.reply` has what came
                print(f"{type(error).__name__}: {error}")
                continue
            print(f"{'*' * review.stars:5} {review.product}: {review.verdict}")
            print(f"      + {', '.join(review.liked)}\n      - {', '.join(review.disliked)}")


if __name__ == "__main__":
    main()
