"""Practice embeddings: vectors that are near each other where the texts share words or parts of words.

    embed("a red car", 1536) . embed("two red cars", 1536)   ->   about 0.5
    embed("a red car", 1536) . embed("tax law", 1536)        ->   about 0.0

Each word and each run of three letters votes, by its hash, for a few of the coordinates; the sum is scaled to length
one. It knows nothing of meaning ("car" and "automobile" are strangers), but search, clustering and caching code can
be tried on it. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Dict, List, Sequence, Union

VOTES = 8  # coordinates per feature
WORD_WEIGHT = 2.0
PIECE_WEIGHT = 1.0


def features_of(text: Union[str, Sequence[int]]) -> Dict[str, float]:
    """What a text (or a list of token numbers) is made of, with weights."""
    features: Dict[str, float] = {}
    if not isinstance(text, str):
        for token in text:
            features[f"token {token}"] = features.get(f"token {token}", 0.0) + WORD_WEIGHT
        return features
    for word in text.lower().split():
        features[word] = features.get(word, 0.0) + WORD_WEIGHT
        bounded = f"<{word.strip('.,;:!?()')}>"
        for start in range(len(bounded) - 2):
            piece = "piece " + bounded[start : start + 3]
            features[piece] = features.get(piece, 0.0) + PIECE_WEIGHT
    return features or {"blank": 1.0}


def embed(text: Union[str, Sequence[int]], size: int, dimensions: int) -> List[float]:
    """A vector of length one. `size` is the model's own; fewer `dimensions` cut it and scale it anew, like the API."""
    vector = [0.0] * size
    for feature, weight in features_of(text).items():
        digest = hashlib.sha256(feature.encode("utf-8", "replace")).digest()
        for (place,) in struct.iter_unpack("<I", digest[: 4 * VOTES]):
            vector[place % size] += weight if place & 0x80000000 else -weight
    cut = vector[:dimensions]
    if not any(cut):
        cut[0] = 1.0  # every vote fell into the part cut off
    length = sum(value * value for value in cut) ** 0.5
    return [value / length for value in cut]


def as_floats(vector: Sequence[float]) -> List[float]:
    """Rounded to what 32 bits hold, so that both encodings carry the same figures."""
    return [float(f"{value:.9g}") for (value,) in struct.iter_unpack("<f", _packed(vector))]


def as_base64(vector: Sequence[float]) -> str:
    """Little-endian 32-bit floats, in base64: a quarter of the size, and what the official package asks for."""
    return base64.b64encode(_packed(vector)).decode("ascii")


def _packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}f", *vector)
