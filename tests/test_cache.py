"""Paying once: what is kept, what is not, and that a hit is the same bytes for nothing."""

import io
import json
import threading

import pytest

from . import forms, module, rawchat
from .scripts import GOOD, completion, delta, failure, stream, whole

cache = module("cache")
memory = module("transport.memory")
trace = module("lab.trace")

KEY = "sk-test-0123456789abcdef"
URL = "http://127.0.0.1:1/v1"


def reply(answer, **more):
    """A row of the scripts as a scripted reply."""
    error = {"whole": None, "cut": memory.cut()}[answer.end]
    return memory.reply(
        status=answer.status, headers={**answer.headers, **more}, pieces=list(answer.pieces), error=error
    )


@pytest.fixture(params=["memory", "folder"])
def folder(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "answers"


def client_of(*replies, folder=None, client=None, **options):
    inner = memory.MemoryTransport(list(replies))
    door = cache.CachingTransport(inner, folder, **options)
    return rawchat.Client(KEY, URL, transport=door, max_retries=0, **(client or {})), door, inner


def test_the_same_question_is_sent_once(folder):
    """The second answer is the first one, marked, for nothing; the tracker counts one call."""
    tracker = rawchat.CostTracker()
    client, door, inner = client_of(
        reply(whole(), **{"X-Request-Id": "req_1", "X-Ratelimit-Remaining-Requests": "7"}),
        folder=folder,
        client={"cost_tracker": tracker},
    )
    first = client.chat("Hi", temperature=0)
    second = client.chat("Hi", temperature=0)

    assert second == first == completion()
    assert (len(inner.requests), door.hits, door.misses) == (1, 1, 1)
    assert first.cost > 0 and second.cost == 0.0
    assert (tracker.call_count, tracker.total_cost) == (1, pytest.approx(first.cost))
    assert (second.headers["x-client-cache"], second.request_id) == ("hit", "req_1")
    assert "x-client-cache" not in first.headers and "x-ratelimit-remaining-requests" not in second.headers


def test_a_stream_is_kept_byte_for_byte(folder):
    """Text, chunks, usage and [DONE] come as they came; it costs nothing."""
    tracker = rawchat.CostTracker()
    client, door, inner = client_of(reply(GOOD), folder=folder, client={"cost_tracker": tracker})
    seen = []
    listening = client.with_options(listeners=[seen.append])
    first = listening.stream("Hi", temperature=0).read()
    again = listening.stream("Hi", temperature=0)

    assert "".join(again) == first.text == "Hello."
    assert (again.reply.complete, again.reply.cost, again.reply.usage) == (True, 0.0, first.usage)
    data = [event.data for event in seen if isinstance(event, rawchat.Chunked)]
    assert b"".join(data) == GOOD.body * 2
    assert (len(inner.requests), door.hits, tracker.call_count) == (1, 1, 1)


def test_a_stream_and_a_whole_answer_are_two_things():
    """Who asks for a stream gets one."""
    client, _, inner = client_of(reply(whole()), reply(GOOD))
    client.chat("Hi", temperature=0)
    client.stream("Hi", temperature=0).read()
    assert len(inner.requests) == 2


def test_embeddings_are_kept_without_a_temperature(folder):
    """The same text has the same vector."""
    body = {"data": [{"index": 0, "embedding": [1.0, 2.0]}], "model": "m", "usage": {"prompt_tokens": 3}}
    client, _, inner = client_of(memory.reply(body=body), folder=folder)
    first, second = client.embed("a"), client.embed("a")
    assert first == second
    assert (second.cost, len(inner.requests)) == (0.0, 1)


SAME = [
    ("temperature 0", {"temperature": 0}, {"temperature": 0}, True),
    ("a seed", {"seed": 7}, {"seed": 7}, True),
    ("another seed", {"seed": 7}, {"seed": 8}, False),
    ("no temperature", {}, {}, False),
    ("another temperature", {"temperature": 0.5}, {"temperature": 0.5}, False),
    ("another model", {"temperature": 0}, {"temperature": 0, "model": "gpt-4o"}, False),
    ("another order of keys", {"temperature": 0, "user": "u"}, {"user": "u", "temperature": 0}, True),
    ("other headers", {"temperature": 0}, {"temperature": 0, "extra_headers": {"X-Y": "z"}}, True),
    ("another query", {"temperature": 0}, {"temperature": 0, "extra_query": {"api-version": "2"}}, False),
    ("a key in the query", {"temperature": 0}, {"temperature": 0, "extra_query": {"api_key": "abc12345"}}, True),
]


@pytest.mark.parametrize("name, first, second, is_same", SAME, ids=[row[0] for row in SAME])
def test_what_is_the_same_request(name, first, second, is_same):
    """Method, address and JSON count; headers and keys do not."""
    client, _, inner = client_of(reply(whole("one")), reply(whole("two")))
    assert client.chat("Hi", **first).text == "one"
    assert client.chat("Hi", **second).text == ("one" if is_same else "two")
    assert len(inner.requests) == (1 if is_same else 2)


def test_every_chat_is_kept_where_that_is_wanted():
    """For reasoning models, which take no temperature."""
    client, _, inner = client_of(reply(whole()), only_deterministic=False)
    assert client.chat("Hi").text == client.chat("Hi").text
    assert len(inner.requests) == 1


def test_another_server_is_another_answer():
    """The practice server's answers are not OpenAI's; the key makes no difference."""
    inner = memory.MemoryTransport([reply(whole("one")), reply(whole("two"))])
    door = cache.CachingTransport(inner)
    texts = [
        rawchat.Client(key, url, transport=door).chat("Hi", temperature=0).text
        for key, url in ((KEY, URL), ("another-key-0123456789", URL), (KEY, "http://127.0.0.1:2/v1"))
    ]
    assert texts == ["one", "one", "two"]


def test_other_endpoints_pass_untouched():
    """A list of models may change."""
    client, door, inner = client_of({"data": []}, {"data": []})
    client.models()
    client.models()
    assert (len(inner.requests), door.misses) == (2, 0)


NOT_KEPT = [
    ("an error status", failure(400), "chat"),
    ("an error inside a 200", whole()._replace(pieces=(b'{"error":{"message":"no"}}',)), "chat"),
    ("no completion", whole()._replace(pieces=(b'{"choices":[]}',)), "chat"),
    ("HTML", whole()._replace(pieces=(b"<html>",)), "chat"),
    ("an empty body", whole()._replace(pieces=()), "chat"),
    ("a body that breaks off", whole()._replace(end="cut"), "chat"),
    ("a stream without an end", stream(delta("Once upon")), "stream"),
    ("a stream that breaks off", stream(delta("Once upon"), end="cut"), "stream"),
    ("a break after the finish", stream(delta("Hello."), delta(finish="stop"), end="cut"), "stream"),
    ("an error event", stream(delta("Once"), {"error": {"message": "busy"}}), "stream"),
    ("an error beside [DONE]", stream(delta("Once"), {"error": {"message": "busy"}}, "[DONE]"), "stream"),
    ("an answer that quotes the key", whole(f"Your key is {KEY}."), "chat"),
]


@pytest.mark.parametrize("name, answer, way", NOT_KEPT, ids=[row[0] for row in NOT_KEPT])
def test_what_is_not_whole_is_not_kept(name, answer, way, folder):
    """The next time the server is asked again."""
    good = whole() if way == "chat" else GOOD
    client, door, inner = client_of(reply(answer), reply(good), folder=folder)
    for _ in range(2):
        try:
            text = (
                client.chat("Hi", temperature=0).text
                if way == "chat"
                else client.stream("Hi", temperature=0).read().text
            )
        except rawchat.APIError:
            text = ""
    assert text == "Hello."
    assert (len(inner.requests), door.hits) == (2, 0)


def test_a_stream_that_was_left_early_is_not_kept():
    """Closing the loop early, or cancelling, leaves a part."""
    client, door, inner = client_of(reply(GOOD), reply(GOOD), reply(GOOD))
    with client.stream("Hi", temperature=0) as answer:
        next(iter(answer))
    answer = client.stream("Hi", temperature=0)
    answer.cancel()
    answer.close()
    client.stream("Hi", temperature=0).read()
    assert (len(inner.requests), door.hits) == (3, 0)


def test_a_kept_answer_can_be_cancelled():
    """As any other."""
    client, _, _ = client_of(reply(GOOD))
    client.stream("Hi", temperature=0).read()
    answer = client.stream("Hi", temperature=0)
    answer.cancel()
    assert list(answer) == [] and not answer.reply.complete


def test_an_answer_larger_than_the_cache_passes():
    """It is not held in memory on its way, either."""
    client, _, inner = client_of(reply(whole("x" * 500)), reply(whole("y" * 500)), max_bytes=400)
    assert client.chat("Hi", temperature=0).text[0] == "x"
    assert client.chat("Hi", temperature=0).text[0] == "y"
    assert len(inner.requests) == 2


@pytest.mark.parametrize("answer", [whole(), stream(delta("Hello."), delta(finish="stop"))], ids=["whole", "stream"])
def test_what_was_drained_before_its_end_is_not_kept(answer):
    """Without [DONE] only the end of the body tells that nothing is missing."""
    door = cache.CachingTransport(memory.MemoryTransport([reply(answer)] * 2))
    body = {"model": "m", "messages": [], "temperature": 0, "stream": len(answer.pieces) > 1}
    request = rawchat.Request("POST", f"{URL}/chat/completions", (), json.dumps(body).encode())
    for _ in range(2):
        response = door.send(request, connect_timeout_s=1, read_timeout_s=1)
        for _ in answer.pieces:
            response.read_some()
        response.drain(1)
    assert door.hits == 0


def test_what_is_too_large_is_let_go_at_once():
    """From the piece on that is too much, nothing is remembered."""
    kept = []
    inner = memory.MemoryResponse(memory.reply(pieces=["abc", "de", "f"]))
    response = cache.Recording(inner, 4, lambda data, ended: kept.append(data))
    assert [response.read_some() for _ in range(4)] == [b"abc", b"de", b"f", b""]
    assert (kept, response._pieces) == ([], [])


def test_a_budget_is_not_charged_for_hits():
    """The reservation is freed, and the money spent once."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    client, _, _ = client_of(reply(whole()), client={"cost_tracker": tracker})
    for _ in range(3):
        client.chat("Hi", temperature=0)
    assert tracker.spent_usd == pytest.approx((10 * 0.15 + 5 * 0.60) / 1e6)
    assert tracker.reserved_usd == 0


def test_files_hold_no_key_and_no_question(tmp_path):
    """Only the answer, and what its head said."""
    client, _, _ = client_of(reply(whole()), folder=tmp_path)
    client.chat("a question of mine", temperature=0, extra_query={"key": "query-key-123"})
    (path,) = tmp_path.iterdir()
    text = path.name + path.read_text()
    for secret in (KEY, KEY[8:], "query-key-123", "a question of mine"):
        assert secret not in text
    assert path.read_bytes().endswith(whole().body)


SPOILED = [
    ("empty", b""),
    ("cut off", None),
    ("no JSON", b"{\n"),
    ("something else", b'{"a":1}\nx'),
    ("a list", b"[]\nx"),
]


@pytest.mark.parametrize("name, content", SPOILED, ids=[row[0] for row in SPOILED])
def test_a_spoiled_file_is_a_miss(name, content, tmp_path):
    """It is asked for again, and mended."""
    client, door, _ = client_of(reply(whole("one")), reply(whole("two")), folder=tmp_path)
    client.chat("Hi", temperature=0)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] if content is None else content)
    assert client.chat("Hi", temperature=0).text == "two"
    assert client.chat("Hi", temperature=0).text == "two"
    assert (door.hits, door.misses) == (1, 2)


def test_a_full_disk_takes_no_answer_away(tmp_path, monkeypatch):
    """The caller has the answer, and a warning."""
    client, _, _ = client_of(reply(whole()), folder=tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module("store").os, "replace", full)
    with pytest.warns(RuntimeWarning, match="not kept: .*No space left"):
        assert client.chat("Hi", temperature=0).text == "Hello."


def test_threads_share_a_cache(folder):
    """Twenty threads ask five questions; each answer belongs to its question."""

    def answer(request):
        return {**completion(json.loads(request.body)["messages"][0]["content"])}

    inner = memory.MemoryTransport(answer)
    client = rawchat.Client(KEY, URL, transport=cache.CachingTransport(inner, folder))
    wrong = []

    def ask(first):
        for number in range(10):
            question = str((first + number) % 5)
            if client.chat(question, temperature=0).text != question:
                wrong.append(question)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert wrong == []
    assert 5 <= len(inner.requests) < 200


def test_the_trace_shows_it():
    """The door's name, the mark in the head, and the price."""
    out = io.StringIO()
    client, _, _ = client_of(reply(whole()), client={"listeners": [trace.Trace(out)]})
    client.chat("Hi", temperature=0)
    client.chat("Hi", temperature=0)
    shown = out.getvalue()
    assert "through cache over memory" in shown
    assert shown.count("< X-Client-Cache: hit") == 1
    assert "$0.000000" in shown


def test_the_door_behind_is_the_default_one_and_sleeps_and_closes():
    """What is not the cache's business is the inner door's."""
    door = cache.CachingTransport()
    assert door.name == f"cache over {forms.door_class(module).name}"
    door.close()
    inner = memory.MemoryTransport([])
    cache.CachingTransport(inner).sleep(1.5)
    assert inner.sleeps == [1.5]


def test_the_practice_server_is_asked_once(practice, tmp_path):
    """Over real sockets, from two clients with one folder."""
    texts = []
    for _ in range(2):
        door = cache.CachingTransport(folder=tmp_path)
        with rawchat.Client("", practice.url, transport=door) as client:
            texts.append(client.chat("What is a token?", temperature=0).text)
            texts.append(client.stream("What is a token?", temperature=0).read().text)
            client.embed("What is a token?")
        door.close()
    assert len(set(texts)) == 1 and len(texts) == 4
    assert len(practice.requests) == 3


# ---- EmbeddingCache


def embedder(**options):
    """A cache over a script whose vector is [length of the text, 0]."""

    def answer(request):
        body = json.loads(request.body)
        data = [{"index": place, "embedding": [len(item), 0]} for place, item in enumerate(body["input"])]
        return {"data": data, "model": body["model"], "usage": {"prompt_tokens": len(data), "total_tokens": len(data)}}

    inner = memory.MemoryTransport(answer)
    return cache.EmbeddingCache(rawchat.Client(KEY, URL, transport=inner), **options), inner


def sent(inner):
    return [inner.json(number)["input"] for number in range(len(inner.requests))]


def test_only_new_texts_are_sent():
    """In the order asked, twins once; usage and cost are of what was sent."""
    vectors, inner = embedder()
    assert vectors.embed(["a", "bb", "a"]).tolist() == [[1, 0], [2, 0], [1, 0]]
    found = vectors.embed(["ccc", "a", [1, 2], "bb"])
    again = vectors.embed("a")

    assert found.tolist() == [[3, 0], [1, 0], [2, 0], [2, 0]]
    assert sent(inner) == [["a", "bb"], ["ccc", [1, 2]]]
    assert (found.usage["prompt_tokens"], again.usage["prompt_tokens"], again.cost) == (2, 0, 0.0)


def test_model_dimensions_and_parameters_tell_vectors_apart():
    """How a request travels does not."""
    vectors, inner = embedder()
    for options in ({}, {"model": "m"}, {"dimensions": 2}, {"task": "query"}):
        vectors.embed("a", **options)
    vectors.embed("a", timeout=3, batch_size=7)
    assert len(inner.requests) == 4


def test_it_is_bounded():
    """The longest unused goes first."""
    vectors, inner = embedder(max_entries=2)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        vectors.embed(text)
    assert sent(inner) == [["a"], ["bb"], ["ccc"], ["bb"]]


def test_what_a_caller_does_to_its_vector_changes_nothing():
    """Each caller has its own."""
    vectors, _ = embedder()
    vectors.embed("a")[0][0] = 9.0
    vectors.embed("a")[0][0] = 9.0
    assert vectors.embed("a").tolist() == [[1, 0]]


def test_parts_that_came_before_a_failure_are_kept():
    """They were paid."""
    vectors, inner = embedder()
    answer, inner._answer = (
        inner._answer,
        lambda request: memory.reply(status=401) if b"ccc" in request.body else answer(request),
    )
    with pytest.raises(rawchat.AuthenticationError):
        vectors.embed(["a", "bb", "ccc"], batch_size=1)
    vectors.embed(["a", "bb"])
    assert sent(inner) == [["a"], ["bb"], ["ccc"]]
