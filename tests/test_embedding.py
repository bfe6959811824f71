"""Embeddings on the wire: which texts go out together, and whose vector is whose."""

import base64
import copy
import json
import math
import pickle
import struct
from array import array

import pytest

from . import module, rawchat

embedding = module("protocol.embedding")


def packed(*numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*items, **more):
    """A reply whose items are (index, embedding), or an embedding alone."""
    data = [
        {"object": "embedding", "index": item[0], "embedding": item[1]}
        if isinstance(item, tuple)
        else {"embedding": item}
        for item in items
    ]
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    return rawchat.Reply({"object": "list", "data": data, "model": "m", "usage": usage, **more})


# ---- texts

GOOD = [
    ("one text", "red", ["red"]),
    ("texts", ["red", "blue"], ["red", "blue"]),
    ("a tuple", ("red", "blue"), ["red", "blue"]),
    ("a generator", (text for text in ("red", "blue")), ["red", "blue"]),
    ("a blank text", [" "], [" "]),
    ("tokens", [1, 2, 3], [[1, 2, 3]]),
    ("lists of tokens", [[1, 2], (3,)], [[1, 2], [3]]),
    ("both", ["red", [1]], ["red", [1]]),
    ("characters outside ASCII", ["привет 👋"], ["привет 👋"]),
]


@pytest.mark.parametrize("name, texts, expected", GOOD, ids=[row[0] for row in GOOD])
def test_what_can_be_embedded(name, texts, expected):
    """Texts, tokens, one or many."""
    assert embedding.check_inputs(texts) == expected


BAD = [
    ("nothing", [], "texts", "nothing to embed"),
    ("an empty generator", iter(()), "texts", "nothing to embed"),
    ("an empty text", "", "texts", "empty"),
    ("an empty text among others", ["red", ""], "texts[1]", "empty"),
    ("no tokens", [[1], []], "texts[1]", "empty"),
    ("None", None, "texts", "got None"),
    ("None among texts", ["red", None], "texts[1]", "got None"),
    ("a number", 7, "texts", "got int"),
    ("bytes", b"red", "texts", "value.decode()"),
    ("a dict", {"a": "b"}, "texts", "got dict"),
    ("a number among texts", ["red", 7], "texts[1]", "got int"),
    ("true among tokens", [[1, True]], "texts[0]", "got list"),
    ("texts in a list inside", [["red"]], "texts[0]", "got list"),
    ("half a character", ["red", "\ud83d"], "texts[1]", "half a character"),
]


@pytest.mark.parametrize("name, texts, path, words", BAD, ids=[row[0] for row in BAD])
def test_what_cannot(name, texts, path, words):
    """Refused before sending, with the place in the caller's own list."""
    with pytest.raises(rawchat.PayloadError) as caught:
        embedding.check_inputs(texts)
    assert caught.value.path == path
    assert words in str(caught.value)


BATCHES = [
    ("all in one", ["a"] * 5, {}, [5]),
    ("as many as a server takes", ["a"] * 4097, {}, [2048, 2048, 1]),
    ("as many as the caller says", ["a"] * 5, {"batch_size": 2}, [2, 2, 1]),
    ("long texts", ["x" * 300_000] * 5, {}, [2, 2, 1]),  # 100,000 tokens each, by the guess
    ("one that is too long alone", ["x" * 3_000_000, "a"], {}, [1, 1]),
    ("tokens are counted as they are", [[1] * 150_000, [1] * 50_000, [1]], {}, [2, 1]),
    ("bytes count, not characters", ["я" * 150_000] * 3, {}, [2, 1]),
]


@pytest.mark.parametrize("name, inputs, options, sizes", BATCHES, ids=[row[0] for row in BATCHES])
def test_batches(name, inputs, options, sizes):
    """No request is larger than a server takes, none is empty, and the order stays."""
    made = embedding.batches(inputs, **options)
    assert [len(batch) for batch in made] == sizes
    assert [item for batch in made for item in batch] == inputs


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "3"])
def test_a_batch_size_is_a_number_from_1(size):
    """Anything else is refused by name."""
    with pytest.raises(rawchat.PayloadError, match="batch_size") as caught:
        embedding.batches(["a"], size)
    assert caught.value.path == "batch_size"


# ---- vectors

VECTORS = [
    ("digits", answer((0, [0.5, -1.0])), [[0.5, -1.0]]),
    ("base64", answer((0, packed(0.5, -1.0))), [[0.5, -1.0]]),
    ("whole numbers", answer((0, [1, -1])), [[1.0, -1.0]]),
    ("reordered", answer((2, [3]), (0, packed(1)), (1, [2])), [[1], [2], [3]]),
    ("no index", answer([1], [2]), [[1], [2]]),
    ("the same index everywhere", answer((0, [1]), (0, [2])), [[1], [2]]),
    ("an index as text", answer(("1", [2]), ("0", [1])), [[1], [2]]),
    ("nested once", answer((0, [[1, 2]])), [[1, 2]]),
    ("a vector for each token: their mean", answer((0, [[1, 2], [3, 6]])), [[2, 4]]),
]


@pytest.mark.parametrize("name, reply, expected", VECTORS, ids=[row[0] for row in VECTORS])
def test_vectors_come_in_the_order_of_the_texts(name, reply, expected):
    """Whatever the order and the shape in which the server sends them."""
    vectors = embedding.read_vectors(reply, len(expected))
    assert [vector.tolist() for vector in vectors] == expected
    assert {vector.typecode for vector in vectors} == {"f"}


WRONG = [
    ("too few", answer((0, [1])), 2, "2 inputs were sent, and 1 embeddings came back"),
    ("none", answer(), 1, "1 inputs were sent, and 0 embeddings"),
    ("too many", answer((0, [1]), (1, [2])), 1, "1 inputs were sent, and 2 embeddings"),
    ("an index twice", answer((0, [1]), (1, [2]), (1, [3])), 3, "numbered [0, 1, 1]"),
    ("an index out of range", answer((0, [1]), (5, [2])), 2, "numbered [0, 5]"),
    ("no embedding", answer((0, None)), 1, "at $.data[0].embedding: expected numbers, got None"),
    ("an empty one", answer((0, [])), 1, "at $.data[0].embedding: expected numbers, got nothing"),
    ("an empty text", answer((0, "")), 1, "got nothing"),
    ("an object", answer((0, {"a": 1})), 1, "got dict"),
    ("null inside", answer((0, [1]), (1, [1.0, None])), 2, "at $.data[1].embedding:"),
    ("text inside", answer((0, ["1"])), 1, "at $.data[0].embedding:"),
    ("no base64", answer((0, "!!!!")), 1, "at $.data[0].embedding:"),
    ("base64 cut off", answer((0, packed(1.0, 2.0)[:8])), 1, "6 bytes are no whole number of 32-bit floats"),
    ("NaN in base64", answer((0, packed(1.0, math.nan))), 1, "no finite number"),
    ("infinity in digits", answer((0, [math.inf, 1.0])), 1, "no finite number"),
    ("of two lengths", answer((0, [1]), (1, [1, 2])), 2, "differ in length: 1, 2"),
    ("tokens of two lengths", answer((0, [[1], [1, 2]])), 1, "tokens differ in length"),
    ("an item that is no object", rawchat.Reply({"data": [7]}), 1, "got None"),
]


@pytest.mark.parametrize("name, reply, expected, words", WRONG, ids=[row[0] for row in WRONG])
def test_an_answer_that_is_none_says_where(name, reply, expected, words):
    """A vector is never guessed: what is missing or broken is an error with its place."""
    reply.request_id = "req_1"
    with pytest.raises(rawchat.InvalidResponseError) as caught:
        embedding.read_vectors(reply, expected)
    assert words in caught.value.message
    assert (caught.value.request_id, caught.value.body) == ("req_1", dict(reply))


def test_base64_is_little_endian_on_every_machine(monkeypatch):
    """The bytes of 1.0 are 00 00 80 3f, here and on a machine that counts the other way."""
    assert embedding.decode_base64_vector("AACAPw==").tolist() == [1.0]
    monkeypatch.setattr(embedding, "_IS_BIG_ENDIAN", not embedding._IS_BIG_ENDIAN)
    assert embedding.decode_base64_vector("AACAPw==").tolist() != [1.0]


# ---- all of them


def test_requests_add_up():
    """Separate requests, so their tokens and costs are summed; what one didn't tell makes the sum unknown."""
    found = embedding.Embeddings("asked")
    for number in range(2):
        reply = answer((0, [1.0, 2.0]))
        reply.cost, reply.request_id = 0.25, f"req_{number}"
        found.add(reply, 1)
    assert found.usage == {"prompt_tokens": 8, "total_tokens": 8}
    assert (found.cost, found.model, found.request_ids) == (0.5, "m", ["req_0", "req_1"])
    assert repr(found) == "<Embeddings 2 x 2, m, 8 tokens>"

    found.add(answer((0, [1.0, 2.0]), usage=None), 1)
    found.add(answer((0, [1.0, 2.0])), 1)
    assert (found.usage, found.cost, len(found)) == (None, None, 4)


def test_it_is_a_list_of_arrays():
    """It goes into JSON as lists, into numpy as it is, and through pickle and copy whole."""
    found = embedding.Embeddings("m")
    found.add(answer((0, [0.5, 1.0]), (1, [2.0, 3.0])), 2)
    assert json.loads(json.dumps(found.tolist())) == [[0.5, 1.0], [2.0, 3.0]]
    assert found[0] == array("f", [0.5, 1.0])
    for twin in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert (twin, twin.usage, twin.model) == (found, found.usage, "m")
    numpy = pytest.importorskip("numpy")
    assert numpy.array(found).shape == (2, 2)
