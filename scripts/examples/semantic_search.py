"""Search by meaning: the texts become vectors once, a question becomes one more, and the nearest texts answer it.

    python scripts/examples/semantic_search.py
    python scripts/examples/semantic_search.py "How long does a parcel take?"

The practice server's vectors know words and parts of words but no meaning; ask in the words of the texts there.
"""

import sys

from connection import connect

import rawchat

MODEL = "text-embedding-3-small"
TEXTS = [
    "Parcels arrive within three working days.",
    "You get your money back if you return an item within 30 days.",
    "Our shop is open from Monday to Saturday, nine to six.",
    "A gift card never expires, and pays for shipping, too.",
    "The warranty covers broken parts for two years.",
]


def main():
    question = " ".join(sys.argv[1:]) or "How do I get my money back for an item?"
    with connect() as client:
        vectors = client.embed(TEXTS, model=MODEL)  # one request for all of them; keep them, they do not change
        (wanted,) = client.embed(question, model=MODEL)
    print(f"{vectors}\n> {question}")
    for match in rawchat.nearest(wanted, vectors, count=3):
        print(f"{match.similarity:.2f}  {TEXTS[match.position]}")


if __name__ == "__main__":
    main()
