"""Client.embed: through scripted memory, and against the practice server."""

import base64
import json
import struct

import pytest

from . import module, rawchat
from .awaited import FACES
from .scripts import failure

memory = module("transport.memory")

KEY = "sk-test-0123456789abcdef"
make_client = rawchat.Client


@pytest.fixture(autouse=True, params=FACES)
def face(request, monkeypatch):
    """Every test speaks of both clients."""
    monkeypatch.setitem(globals(), "make_client", FACES[request.param])


class Server:
    """Answers each input with [its number, 0.5], the last input first. `refusals` come before that, as they apply."""

    def __init__(self, *refusals, reads_base64=True):
        self.refusals = list(refusals)
        self.reads_base64 = reads_base64
        self.given = 0

    def __call__(self, request):
        body = json.loads(request.body)
        refused = self.refusals[0](body) if self.refusals else None
        if refused is not None:
            return memory.reply(status=refused.status, headers=refused.headers, body=refused.body)
        data = [self.item(body, place) for place in range(len(body["input"]))]
        self.given += len(data)
        return memory.reply(
            headers={"x-request-id": f"req_{self.given}"},
            body={"data": data[::-1], "model": body["model"], "usage": {"prompt_tokens": 10, "total_tokens": 10}},
        )

    def item(self, body, place):
        numbers = [float(self.given + place), 0.5]
        in_base64 = self.reads_base64 and body.get("encoding_format") == "base64"
        vector = base64.b64encode(struct.pack("<2f", *numbers)).decode() if in_base64 else numbers
        return {"object": "embedding", "index": place, "embedding": vector}


def client_of(server, **options):
    transport = memory.MemoryTransport(server)
    return make_client(KEY, "http://127.0.0.1:1/v1", transport=transport, **options), transport


def formats(transport):
    return [transport.json(number).get("encoding_format") for number in range(len(transport.requests))]


def no_base64(body):
    """A server that knows floats only."""
    if body.get("encoding_format") == "base64":
        return failure(400, "encoding_format: only 'float' is supported")
    return None


def no_such_field(body):
    """A server that takes no field it does not know."""
    if "encoding_format" in body:
        return failure(422, "encoding_format: Extra inputs are not permitted")
    return None


def test_vectors_come_in_the_order_of_the_texts():
    """Sent as base64 by default, put in order by index, with what the request knows."""
    client, transport = client_of(Server())
    found = client.embed(["a", "b", "c"])

    assert found.tolist() == [[0.0, 0.5], [1.0, 0.5], [2.0, 0.5]]
    assert transport.json(0) == {
        "model": "text-embedding-3-small",
        "input": ["a", "b", "c"],
        "encoding_format": "base64",
    }
    assert transport.requests[0].url == "http://127.0.0.1:1/v1/embeddings"
    assert (found.model, found.request_ids) == ("text-embedding-3-small", ["req_3"])
    assert found.usage == {"prompt_tokens": 10, "total_tokens": 10}
    assert found.cost == pytest.approx(10 * 0.02 / 1e6)


def test_one_text_is_a_list_of_one():
    """Always the same shape, so that a program needs one way to read it."""
    client, transport = client_of(Server())
    assert client.embed("a").tolist() == [[0.0, 0.5]]
    assert transport.json(0)["input"] == ["a"]


def test_parameters_and_options():
    """Known or new, parameters go into the body; options do not; extra_body may override."""
    client, transport = client_of(Server())
    extra = {"user": "u2", "truncate": None}
    client.embed(
        "a", model="m", dimensions=256, user="u1", task="query", extra_headers={"X-Y": "z"}, timeout=3, extra_body=extra
    )

    sent = {"model": "m", "dimensions": 256, "task": "query", "user": "u2", "truncate": None}
    assert transport.json(0) == {"input": ["a"], "encoding_format": "base64", **sent}
    assert rawchat.Headers(transport.requests[0].headers)["x-y"] == "z"
    assert transport.timeouts == [(3, 3)]


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"encoding_format": "float"}, "float"),
        ({"encoding_format": None}, None),
        ({"output_dtype": "int8"}, None),
        ({"extra_body": {"encoding_format": "int8"}}, "int8"),
        ({"extra_body": {"output_dtype": "int8"}}, None),
    ],
    ids=["float", "none", "another kind of number", "in extra_body", "another kind in extra_body"],
)
def test_the_callers_word_on_the_format_holds(options, expected):
    """Who asks for another format, or another kind of number, gets no base64."""
    client, transport = client_of(Server())
    client.embed("a", **options)
    assert formats(transport) == [expected]


def test_more_than_a_server_takes_goes_out_in_parts():
    """Results are joined in order; tokens, costs and request ids of all; the tracker counts each request."""
    tracker = rawchat.CostTracker()
    client, transport = client_of(Server(), cost_tracker=tracker)
    found = client.embed((str(number) for number in range(5)), batch_size=2)

    assert [vector[0] for vector in found] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [len(transport.json(number)["input"]) for number in range(3)] == [2, 2, 1]
    assert found.usage == {"prompt_tokens": 30, "total_tokens": 30}
    assert found.request_ids == ["req_2", "req_4", "req_5"]
    assert found.cost == pytest.approx(30 * 0.02 / 1e6) == pytest.approx(tracker.total_cost)
    assert (tracker.call_count, tracker.total_input_tokens) == (3, 30)


def test_over_2048_texts_are_split_unasked():
    """The API takes 2,048 inputs at once."""
    client, transport = client_of(Server())
    assert len(client.embed(["a"] * 2049)) == 2049
    assert [len(transport.json(number)["input"]) for number in range(2)] == [2048, 1]


def test_a_server_that_ignores_base64_is_read_all_the_same():
    """Numbers come where base64 was asked for: llama-cpp-python, SGLang, infinity."""
    client, transport = client_of(Server(reads_base64=False))
    assert client.embed(["a", "b"]).tolist() == [[0.0, 0.5], [1.0, 0.5]]
    assert formats(transport) == ["base64"]


REFUSALS = [("of base64", no_base64, ["base64", "float"], "float"), ("of the field", no_such_field, ["base64", "float", None], None)]  # fmt: skip


@pytest.mark.parametrize("name, refusal, first, later", REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_asked_otherwise_once_and_remembered(name, refusal, first, later):
    """The same request goes out again at once; later ones, other batches too, ask as the server wants it."""
    events = []
    client, transport = client_of(Server(refusal), listeners=[events.append], max_retries=0)
    found = client.embed(["a", "b"], batch_size=1)
    client.embed("c")

    assert found.tolist() == [[0.0, 0.5], [1.0, 0.5]]
    assert formats(transport) == [*first, later, later]
    assert transport.sleeps == []
    waits = [event.why for event in events if isinstance(event, rawchat.Waiting)]
    assert waits[0] == "the server refuses encoding_format; asking again for float"
    assert [event.final for event in events if isinstance(event, rawchat.Failed)] == [False] * len(waits)


def test_another_400_is_not_asked_again():
    """Only a refusal of our own idea is; a caller's mistake is the caller's."""
    client, transport = client_of(Server(lambda body: failure(400, "This model has no dimensions", param="dimensions")))
    with pytest.raises(rawchat.BadRequestError, match="no dimensions"):
        client.embed("a", dimensions=3)
    assert len(transport.requests) == 1


def test_a_format_of_the_callers_is_not_changed():
    """A refusal of what the caller asked for reaches the caller."""
    client, transport = client_of(Server(no_such_field))
    with pytest.raises(rawchat.UnprocessableEntityError):
        client.embed("a", encoding_format="base64")
    assert formats(transport) == ["base64"]


def test_what_was_paid_is_not_lost_when_a_later_part_fails():
    """The error's reply holds the vectors of the parts before."""
    client, _ = client_of(Server(lambda body: failure(401, "key withdrawn") if body["input"] == ["c"] else None))
    with pytest.raises(rawchat.AuthenticationError) as caught:
        client.embed(["a", "b", "c"], batch_size=1)
    assert caught.value.reply.tolist() == [[0.0, 0.5], [1.0, 0.5]]

    with pytest.raises(rawchat.AuthenticationError) as caught:
        client.embed("c")
    assert caught.value.reply is None


def test_a_budget_refuses_a_part_and_keeps_what_came():
    """The budget is looked at before each request."""
    tracker = rawchat.CostTracker(budget_usd=0.000002)
    client, transport = client_of(Server(), cost_tracker=tracker)
    with pytest.raises(rawchat.BudgetExceeded) as caught:
        client.embed(["a" * 60] * 50, batch_size=1)
    assert 0 < len(caught.value.reply) == len(transport.requests) < 50
    assert tracker.spent_usd <= 0.000002


def test_one_deadline_bounds_all_parts(monkeypatch):
    """Not each part has the whole time: after 15 of 20 seconds the second has 5, and there is none for a third."""
    now_s = [100.0]
    monkeypatch.setattr(module("sender").time, "monotonic", lambda: now_s[0])
    server = Server()

    def slowly(request):
        now_s[0] += 15 if server.given == 0 else 5
        return server(request)

    client, transport = client_of(slowly)
    with pytest.raises(rawchat.DeadlineExceeded, match="deadline of 20 s") as caught:
        client.embed(["a", "b", "c"], batch_size=1, deadline=20)
    assert [read_s for _, read_s in transport.timeouts] == [20, 5]
    assert caught.value.reply.tolist() == [[0.0, 0.5]]


MISTAKES = [
    ("no texts", [], {}, "texts"),
    ("an empty text", ["a", ""], {}, "texts[1]"),
    ("a wrong batch size", ["a"], {"batch_size": 0}, "batch_size"),
    ("input by its API name", ["a"], {"input": ["b"]}, "input"),
    ("a parameter that is no JSON", ["a"], {"user": {1, 2}}, "user"),
]


@pytest.mark.parametrize("name, texts, options, path", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_mistakes_are_refused_before_sending(name, texts, options, path):
    """With the place, and without a request."""
    client, transport = client_of(Server())
    with pytest.raises(rawchat.PayloadError) as caught:
        client.embed(texts, **options)
    assert (caught.value.path, transport.requests) == (path, [])


def test_an_answer_that_is_none_is_an_error():
    """A chat completion, or too few vectors, is no result."""
    for body in ({"choices": []}, {"data": [], "model": "m"}):
        client, _ = client_of([memory.reply(body=body)])
        with pytest.raises(rawchat.InvalidResponseError):
            client.embed("a")


# ---- the practice server


def test_the_practice_server_end_to_end(practice):
    """Texts alike are near, others far; base64 and digits say the same; dimensions cut."""
    texts = ["a red car", "two red cars", "tax law"]
    with rawchat.Client("", practice.url) as client:
        found = client.embed(texts)
        digits = client.embed(texts, encoding_format="float")
        short = client.embed(texts, dimensions=64)
        tokens = client.embed([[1, 2, 3], [4, 5]])

    assert (len(found), {len(vector) for vector in found}) == (3, {1536})
    assert rawchat.cosine_similarity(found[0], found[1]) > 0.4 > rawchat.cosine_similarity(found[0], found[2])
    assert found == digits
    assert {len(vector) for vector in short} == {64}
    assert tokens.usage["prompt_tokens"] == 5
    assert [match.position for match in rawchat.nearest(found[0], found, 2)] == [0, 1]
    assert found.cost > 0 and all(found.request_ids)


def test_the_practice_server_refuses_a_chat_model(practice):
    """And says so in the API's words."""
    with rawchat.Client("", practice.url) as client:
        with pytest.raises(rawchat.PermissionDeniedError, match="embeddings from this model"):
            client.embed("a", model="gpt-4o-mini")
