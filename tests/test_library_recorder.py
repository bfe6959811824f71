"""What our own clients send and get, recorded through their listeners: sync, async, and in the SDK's shape."""

import asyncio
import threading
import warnings

import pytest

from . import lab_tapes as tapes, module, rawchat
from .awaited import FACES

cassette = module("lab.cassette")
exchange_module = module("lab.exchange")
library_recorder = module("lab.library_recorder")
memory = module("transport.memory")
sdk = module("sdk")

QUESTION = "Count to five."


def face(name, practice, **options):
    options = {"retry": rawchat.RetryPolicy(initial_s=0.01), **options}
    return FACES[name]("sk-test-key-0123456789", practice.url, **options)


def attached(client):
    """The client itself, where a test has its methods awaited."""
    return getattr(client, "client", client)


# Fault -> for each attempt: status (None: no head), how it ended, whether whole. Streams, with timeout 0.3 s.
STREAMED = {
    "": [(200, "eof", True)],
    "429-ms x1": [(429, "eof", True), (200, "eof", True)],
    "401": [(401, "eof", True)],
    "cut@3": [(200, "eof", False)],
    "cut-clean@3": [(200, "eof", True)],
    "reset@3": [(200, "reset", False)],
    "stall@3": [(200, "timeout", False)],
    "stall-head": [(None, "timeout", False)],
    "close-head": [(None, "eof", False)],
    "reset-head": [(None, "reset", False)],
    "error@3": [(200, "eof", True)],
    "html-200": [(200, "eof", True)],
}


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("fault", STREAMED)
def test_how_a_stream_ended(practice, tmp_path, kind, fault):
    """Each way of ending has its word, each attempt its exchange; the retry is linked to the first."""
    client = face(kind, practice, max_retries=1 if "x1" in fault else 0, timeout=(5, 0.3))
    model = f"fault/{fault.replace(' ', '')}" if fault else "gpt-4o-mini"
    path = tmp_path / "calls.jsonl"
    with cassette.record(attached(client), path):
        text, failed = stream_text(kind, client, model)
    read = cassette.read_cassette(str(path))
    assert read.flaws == []
    ends = [(one.head and one.head.status, one.end.how, one.end.whole) for one in read.exchanges]
    assert ends == STREAMED[fault]
    assert [(one.call, one.attempt) for one in read.exchanges] == [(1, place + 1) for place in range(len(ends))]
    assert {(one.source, one.layer) for one in read.exchanges} == {("library", exchange_module.BODY)}
    last = read.exchanges[-1]
    reply = last.reply()
    assert text == (reply.text if reply is not None and reply.get("choices") else "")
    assert bool(failed) == (last.error() is not None or last.head is None)
    if fault.startswith("429"):
        assert read.exchanges[0].wait_s == 0.25 and "429" in read.exchanges[0].why


def stream_text(kind, client, model):
    """(what came, the error or None)."""
    if kind == "async":
        return asyncio.run(stream_text_async(client.client, model))
    pieces = []
    try:
        with client.stream(QUESTION, model=model) as stream:
            pieces.extend(stream)
    except rawchat.APIError as error:
        return "".join(pieces), error
    return "".join(pieces), None


async def stream_text_async(client, model):
    pieces = []
    try:
        async with client.stream(QUESTION, model=model) as stream:
            async for text in stream:
                pieces.append(text)
    except rawchat.APIError as error:
        return "".join(pieces), error
    return "".join(pieces), None


@pytest.mark.parametrize("kind", FACES)
def test_whole_answers_lists_and_vectors(practice, tmp_path, kind):
    """Every call of the client is recorded, and its bytes are those that came."""
    client = face(kind, practice)
    with cassette.record(attached(client), tmp_path / "calls.jsonl"):
        reply = client.chat(QUESTION)
        client.models()
        client.embed(["a"])
    chat, models, embed = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert (chat.reply(), chat.is_stream) == (reply, False)
    assert (models.request.method, models.path, embed.path) == ("GET", "/v1/models", "/v1/embeddings")
    assert [one.request.body for one in (chat, models, embed)] == [one.body for one in practice.requests]


def test_nobody_there(tmp_path):
    """A connection that is refused is an exchange, too: no head, and the reason."""
    client = rawchat.Client("key", "http://127.0.0.1:1/v1", max_retries=0)
    with cassette.record(client, tmp_path / "calls.jsonl"):
        with pytest.raises(rawchat.APIConnectionError):
            client.chat("Hi")
    (one,) = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert (one.head, one.end.how) == (None, "unreachable") and "refused" in one.end.detail


@pytest.mark.parametrize("kind", FACES)
def test_a_caller_who_leaves_early(practice, tmp_path, kind):
    """The end says whose it was, and the pieces that came are there."""
    client = face(kind, practice)

    async def leave():
        async with client.client.stream(QUESTION, model="fault/stall@3") as stream:
            async for _ in stream:
                break

    with cassette.record(attached(client), tmp_path / "calls.jsonl"):
        if kind == "async":
            asyncio.run(leave())
        else:
            with client.stream(QUESTION, model="fault/stall@3") as stream:
                next(iter(stream))
    (one,) = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert (one.end.how, one.end.whole) == ("client_gone", False) and one.pieces


def test_the_sdks_shape(practice, tmp_path):
    """OpenAI and AsyncOpenAI: the calls of their resources, streams, and those of clients made of them from then on."""
    client = sdk.OpenAI(api_key="k", base_url=practice.url)
    path = tmp_path / "calls.jsonl"
    ask = dict(model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}])  # noqa: C408
    with cassette.record(client, path):
        whole = client.chat.completions.create(**ask)
        for _ in client.chat.completions.create(stream=True, **ask):
            pass
        client.with_options(timeout=5).models.list()
    client.models.list()  # after the block

    async def ask_async():
        async with sdk.AsyncOpenAI(api_key="k", base_url=practice.url) as other:
            with cassette.record(other, path):
                await other.chat.completions.create(**ask)

    asyncio.run(ask_async())
    read = cassette.read_cassette(str(path)).exchanges
    assert [one.path for one in read] == ["/v1/chat/completions"] * 2 + ["/v1/models", "/v1/chat/completions"]
    assert read[0].reply().text == read[1].reply().text == whole.choices[0].message.content
    assert [one.end.how for one in read] == ["eof"] * 4


def test_parallel_calls_do_not_mix(practice, tmp_path):
    """Threads that share a client: each exchange has its own head, pieces and end."""
    client = face("sync", practice)
    texts = [f"Say exactly: {name}" for name in ("one", "two", "three", "four")]
    with cassette.record(client, tmp_path / "calls.jsonl"):
        threads = [threading.Thread(target=lambda text=text: client.stream(text).read()) for text in texts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    read = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert sorted(one.payload["messages"][0]["content"] for one in read) == sorted(texts)
    for one in read:
        alone = face("sync", practice).chat(one.payload["messages"][0]["content"])
        assert one.reply().text == alone.text and one.end.whole


def test_without_a_block(tmp_path):
    """`close` ends it, twice does no harm, and the client goes on unheard."""
    transport = memory.MemoryTransport([["one"], ["two"]])
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=transport)
    recording = cassette.record(client, tmp_path / "calls.jsonl")
    client.stream("Hi").read()
    recording.close()
    recording.close()
    client.stream("Hi").read()
    assert len(cassette.read_cassette(recording.path).exchanges) == 1 and client.listeners == ()


def test_a_call_that_outlives_its_recording(tmp_path):
    """What was under way is marked as stopped, and what comes later is left aside."""
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=memory.MemoryTransport([["one", "two"]]))
    with cassette.record(client, tmp_path / "calls.jsonl"):
        stream = client.stream("Hi")
        texts = iter(stream)
        next(texts)
    assert list(texts) == ["two"]
    (one,) = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert (one.end.how, len(one.pieces)) == ("stopped", 1)


def test_a_recorder_that_comes_in_the_middle(tmp_path):
    """Of a call that was under way nothing is written, and nothing breaks; a retry of it is an exchange of its own."""
    transport = memory.MemoryTransport([["one", "two"]])
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=transport)
    texts = iter(client.stream("Hi"))
    next(texts)
    with cassette.record(client, tmp_path / "calls.jsonl"):
        assert list(texts) == ["two"]
    assert cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges == []


def test_an_error_body_that_broke_off_is_not_called_whole(tmp_path):
    """The client takes what it can get of it; the recorder counts."""
    answer = memory.reply(
        status=400,
        headers={"Content-Type": "application/json", "Content-Length": "99"},
        pieces=[b'{"err'],
        error=memory.cut(),
    )
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=memory.MemoryTransport([answer]))
    with cassette.record(client, tmp_path / "calls.jsonl"):
        with pytest.raises(rawchat.BadRequestError):
            client.chat("Hi")
    (one,) = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert one.end.whole is False and "Content-Length" in one.end.detail


def test_secrets_of_ones_own_are_hidden(practice, tmp_path):
    """Strings, header names and JSON fields; the client's key without being told."""
    client = rawchat.Client("sk-test-key-0123456789", practice.url, headers={"X-Tenant": "Acme Corporation"})
    path = tmp_path / "calls.jsonl"
    with cassette.record(client, path, secrets=["Project Bluebird"], headers=["x-tenant"], fields=["user"]):
        client.chat("Tell me of Project Bluebird.", user="ada@example.org")
    text = path.read_text(encoding="utf-8")
    for secret in ("sk-test-key", "Bluebird", "Acme", "ada@"):
        assert secret not in text
    assert "X-Tenant" in text and "<key:" in text


def test_a_full_disk_does_not_break_the_program(tmp_path, monkeypatch):
    """It is warned of once, and the call goes on."""
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=memory.MemoryTransport([["one"], ["two"]]))
    recording = cassette.record(client, tmp_path / "calls.jsonl")

    def full(record):
        raise OSError(28, "No space left on device")

    recording._writer.__class__ = type(
        "FullDisk", (cassette.CassetteWriter,), {"__call__": lambda self, record: full(record)}
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert client.stream("Hi").read().text == "one"
        assert client.stream("Hi").read().text == "two"
    recording.close()
    assert [each.category for each in caught] == [RuntimeWarning] and "No space left" in str(caught[0].message)


def test_a_cassette_is_not_begun_over_a_strangers_file(tmp_path):
    """And the client is left as it was."""
    (tmp_path / "notes.txt").write_text("mine\n")
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=memory.MemoryTransport([]))
    with pytest.raises(cassette.CassetteError):
        cassette.record(client, tmp_path / "notes.txt")
    assert client.listeners == () and (tmp_path / "notes.txt").read_text() == "mine\n"


def test_a_listener_can_feed_any_sink(tmp_path):
    """LibraryRecorder by itself: records for a screen, a page, a list; no file."""
    records = []
    made = module("lab.recording").Recording([records.append], source="library")
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=memory.MemoryTransport([["one"]]))
    leave = client.listen(library_recorder.LibraryRecorder(made))
    client.stream("Hi").read()
    leave()
    assert [record["event"] for record in records] == ["session", "request", "head", "read", "read", "end"]
    assert tapes.AT not in repr(records)
