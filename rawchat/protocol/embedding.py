"""Embeddings on the wire: texts in batches that a server takes, answers as vectors in the order of the texts.

    {"model":"text-embedding-3-small","input":["red","blue"],"encoding_format":"base64"}
    {"object":"list","data":[{"index":1,"embedding":"kGymvOWo..."},{"index":0,"embedding":[0.1,0.2]}],"usage":{...}}

A vector is an `array` of 32-bit floats, which is what the wire carries: an eighth of the memory of a list, and numpy
takes it as it is. An answer in base64 is 2.5 times smaller than in digits, and read 3 to 7 times as fast; both are
read. Compares no vectors (see similarity.py). Pure. API page: "Create embeddings".
"""

from __future__ import annotations

import base64
import math
from array import array
from typing import Any, Dict, Iterable, List, Mapping, NoReturn, Optional, Sequence, Union

from .cost import read_usage, rough_tokens
from .cures import cure_for, surrogate_in
from .errors import InvalidResponseError, PayloadError
from .reply import Reply
from .reply_dialects import index_of
from .wording import kind_of

Input = Union[str, List[int]]  # a text, or its tokens

# What OpenAI takes in one request (API reference, `input`): 2,048 inputs, and 300,000 tokens, of which a third is left
# for what rough_tokens guesses too low (columns of digits). Others take less: text-embeddings-inference 32 inputs
# unless told otherwise, Gemini 100; that is what `batch_size` is for.
MOST_INPUTS = 2048
MOST_TOKENS = 300_000 * 2 // 3
# Who says one of these gets no base64 unasked: in it, other numbers could not be told from 32-bit floats.
NUMBER_FORMATS = frozenset(("encoding_format", "output_dtype"))
_IS_BIG_ENDIAN = array("H", [1]).tobytes() == b"\0\1"


class Embeddings(list["array[float]"]):
    """The vectors of one `embed`, in the order of its inputs; each an array of 32-bit floats.

    model        the name that the server gave
    usage        {"prompt_tokens", "total_tokens"} of all requests together, or None where one of them told nothing
    cost         US dollars of all requests together, or None where unknown
    request_ids  one for each request
    """

    def __init__(self, model: str = "") -> None:
        super().__init__()
        self.model = model
        self.usage: Optional[Dict[str, int]] = {"prompt_tokens": 0, "total_tokens": 0}
        self.cost: Optional[float] = 0.0
        self.request_ids: List[Optional[str]] = []

    def add(self, reply: Reply, expected: int) -> None:
        """Add what one request brought: `expected` vectors, or InvalidResponseError."""
        counts = read_usage(reply.get("usage"))
        more = {"prompt_tokens": counts.prompt, "total_tokens": counts.total} if counts else None
        self.usage = {name: more[name] + self.usage[name] for name in more} if more and self.usage else None
        self.cost = None if self.cost is None or reply.cost is None else self.cost + reply.cost
        self.request_ids.append(reply.request_id)
        self.model = str(reply.get("model") or self.model)
        self.extend(read_vectors(reply, expected))

    def tolist(self) -> List[List[float]]:
        """Plain lists of floats, as JSON takes them."""
        return [vector.tolist() for vector in self]

    def __repr__(self) -> str:
        size = f" x {len(self[0])}" if self else ""
        return f"<Embeddings {len(self)}{size}, {self.model}, {(self.usage or {}).get('prompt_tokens')} tokens>"


def check_inputs(texts: Any) -> List[Input]:
    """`texts` as a list; a text, or a list of tokens, is one input. Raises PayloadError with the path (`texts[3]`)."""
    if isinstance(texts, str) or _is_tokens(texts):
        return [_checked(texts, "texts")]
    if isinstance(texts, (bytes, bytearray, Mapping)) or not isinstance(texts, Iterable):
        raise PayloadError(f"texts must be texts, got {kind_of(texts)}{cure_for(texts)}", path="texts")
    inputs = [_checked(item, f"texts[{place}]") for place, item in enumerate(texts)]
    if not inputs:
        raise PayloadError("texts is empty: there is nothing to embed", path="texts")
    return inputs


def _is_tokens(item: Any) -> bool:
    return isinstance(item, (list, tuple)) and bool(item) and all(type(token) is int for token in item)


def _checked(item: Any, path: str) -> Input:
    what = surrogate_in(item) if isinstance(item, str) else ""
    if isinstance(item, (str, list, tuple)) and not item:
        what = "is empty, and the API has no vector for nothing: leave it out"
    elif not isinstance(item, str) and not _is_tokens(item):
        what = f"must be a text or a list of tokens, got {kind_of(item)}{cure_for(item)}"
    if what:
        raise PayloadError(f"{path} {what}", path=path)
    return item if isinstance(item, str) else list(item)


def batches(inputs: Sequence[Input], batch_size: int = MOST_INPUTS) -> List[List[Input]]:
    """The inputs, in order, a list for each request. The tokens of texts are guessed, on the safe side."""
    if type(batch_size) is not int or batch_size < 1:
        raise PayloadError(f"batch_size must be a whole number from 1, got {batch_size!r}", path="batch_size")
    made: List[List[Input]] = [[]]
    tokens = 0
    for item in inputs:
        more = rough_tokens(len(item.encode())) if isinstance(item, str) else len(item)
        if made[-1] and (len(made[-1]) == batch_size or tokens + more > MOST_TOKENS):
            made.append([])
            tokens = 0
        made[-1].append(item)
        tokens += more
    return made


def read_vectors(reply: Reply, expected: int) -> List[array[float]]:
    """The vectors of one answer by their `index`, for servers reorder. Raises InvalidResponseError, saying where.

    llama-cpp-python gives a vector for each token where the model has no pooling: the mean of them is taken.
    """
    data = [item if isinstance(item, dict) else {} for item in reply["data"]]
    order = [index_of(item, place) for place, item in enumerate(data)]
    if not any(order):  # nothing is numbered: the order is that of the inputs
        order = list(range(len(data)))
    if sorted(order) != list(range(expected)):
        _refuse(reply, f"{expected} inputs were sent, and {len(data)} embeddings came back, numbered {order[:20]}")
    vectors = [array("f")] * expected
    for place, item in enumerate(data):
        try:
            vectors[order[place]] = _vector_of(item.get("embedding"))
        except (TypeError, ValueError, OverflowError) as error:
            _refuse(reply, f"at $.data[{place}].embedding: {error}", error)
    if len({len(vector) for vector in vectors}) > 1:
        _refuse(reply, f"the embeddings differ in length: {', '.join(str(len(vector)) for vector in vectors[:20])}")
    return vectors


def _refuse(reply: Reply, what: str, cause: Optional[Exception] = None) -> NoReturn:
    facts: Dict[str, Any] = {"status": 200, "headers": reply.headers, "attempts": reply.attempts, "body": dict(reply)}
    raise InvalidResponseError(what, request_id=reply.request_id, **facts) from cause


def _vector_of(value: Any) -> array[float]:
    if isinstance(value, list) and value and isinstance(value[0], list):
        if len({len(row) for row in value}) > 1:
            raise ValueError("the vectors of its tokens differ in length")
        value = [math.fsum(column) / len(value) for column in zip(*value)]
    if not isinstance(value, (str, list)) or not value:
        raise ValueError(f"expected numbers, got {'nothing' if value == [] or value == '' else kind_of(value)}")
    vector = decode_base64_vector(value) if isinstance(value, str) else array("f", value)
    if not math.isfinite(math.fsum(vector)):
        raise ValueError("it holds what is no finite number")
    return vector


def decode_base64_vector(text: str) -> array[float]:
    """The little-endian 32-bit floats in base64. Raises ValueError where it is none, or no whole number of floats."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) % 4:
        raise ValueError(f"{len(raw)} bytes are no whole number of 32-bit floats")
    vector = array("f", raw)
    if _IS_BIG_ENDIAN:
        vector.byteswap()
    return vector
