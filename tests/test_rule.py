"""Checks as a whole: whatever a server sends, each of them comes to a finding."""

import copy
import json
import random

import pytest

from . import module
from .clinic import CHECKS, TEXT, chunk, completion, events, exchange, find, http, probes, rule, seen, stream, table

visit = module("lab.clinic.visit")
VALUES = (None, [], {}, "", "x", 7, -1, 1.5, True, [[]], [None], {"a": 1}, [{}], "\ud83c", 10**30, [7], {"id": []})
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
CALLS = [
    chunk({"tool_calls": [{"index": 0, **CALL}]}),
    chunk({"tool_calls": [{"index": 0}]}),
    chunk(finish="tool_calls"),
]
VECTORS = {"object": "list", "data": [{"index": 0, "embedding": [0.1]}, {"index": 1, "embedding": [0.2]}], "usage": {}}


def whole(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


DOCUMENTS = {
    "models": {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "us"}]},
    "tools": whole(completion({"content": None, "tool_calls": [CALL, CALL]}, "tool_calls")),
    "embeddings": VECTORS,
    "embeddings-base64": VECTORS,
    **{name: whole(completion({"content": probes.SENTENCE})) for name in ("chat", "stop", "n", "limit", "tool-result")},
    **{
        name: whole(completion({"content": '{"city": "Rome", "warm": true}'}))
        for name in ("json-object", "json-schema")
    },
    **{
        name: {"error": {"message": "No.", "type": "x", "param": None, "code": None}}
        for name in ("no-model", "bad-json")
    },
}
STREAMS = {"stream": TEXT, "tools-stream": CALLS, "no-model-stream": TEXT}


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def mutated(value, dice):
    """The value with something else in one of its places, or with that place left out."""
    path = dice.choice(list(places(value)))
    if not path:
        return copy.deepcopy(dice.choice(VALUES))
    value = copy.deepcopy(value)
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    if dice.random() < 0.2:
        del holder[path[-1]]
    else:
        holder[path[-1]] = copy.deepcopy(dice.choice(VALUES))
    return value


def stream_of(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("seed", range(40))
def test_no_json_is_too_strange(seed):
    """Any value in any place: each check finds something, and the bill can be made."""
    dice = random.Random(seed)
    for _ in range(5):
        sights = {}
        for name, document in DOCUMENTS.items():
            sights[name] = seen(http(json.dumps(mutated(document, dice)).encode(), dice.choice((200, 200, 200, 404))))
        for name, documents in STREAMS.items():
            sights[name] = seen(stream(*stream_of(mutated(documents, dice))))
        evidence = rule.Evidence(None, sights)
        results = rule.examine(evidence, table.CHECKS)
        assert {result.finding.verdict for result in results} <= {"ok", "fails", "unknown"}
        assert len(results) > 100
        json.dumps([result.finding for result in results])
        visit.bill(evidence, "gpt-4o-mini")


@pytest.mark.parametrize("seed", range(40))
def test_no_bytes_are_too_strange(seed):
    """Bytes lost, doubled and changed anywhere in an answer, head included."""
    dice = random.Random(seed)
    for good in (stream(), completion(), http({"error": {"message": "x"}}, 404), stream(*CALLS)):
        data = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data))
            data[at : at + dice.randint(0, 3)] = bytes(dice.randrange(256) for _ in range(dice.randint(0, 3)))
        sights = {probe.name: seen(bytes(data)) for probe in probes.PROBES}
        results = rule.examine(rule.Evidence(None, sights), table.CHECKS)
        assert {result.finding.verdict for result in results} <= {"ok", "fails", "unknown"}


def test_what_was_not_asked_is_not_told():
    """Without evidence no check has anything to say."""
    assert rule.examine(rule.Evidence(), table.CHECKS) == []


def test_a_recorded_exchange_is_evidence_as_well():
    """An exchange from an HTTP library, its framing undone, is judged by what it still shows."""
    recorded = exchange.Exchange(1)
    recorded.layer = exchange.BODY
    recorded.request = recorded.request._replace(method="POST")
    wire = seen(stream()).exchange
    recorded.head, recorded.head_us = wire.head, 1
    recorded.pieces = [exchange.Piece(5, events(*TEXT))]
    recorded.end = exchange.End(9, "eof")
    sight = module("lab.clinic.sight").Sight(recorded)
    assert find("stream", stream=sight).verdict == "ok"
    assert find("stream-whole", stream=sight).verdict == "ok"
    assert len(CHECKS) == len(table.CHECKS)
