"""The async client over the table of scripts, through scripted memory and real sockets; its places, its key, its loops."""

import asyncio
import contextlib
import gc
import threading

import pytest

from . import module, rawchat
from .script_server import ScriptServer
from .scripts import GOOD, SCRIPTS, completion, whole
from .test_client import KEY, NO_JITTER, _remembered, check_events

memory = module("transport.memory")
async_base = module("transport.async_base")
asyncio_transport = module("transport.asyncio_transport")
asender = module("asender")
patience = module("protocol.patience")
URL = "http://127.0.0.1:1/v1"


class PatientTransport(asyncio_transport.AsyncioTransport):
    """The real door, but sleeps are recorded and never slept."""

    def __init__(self):
        super().__init__()
        self.sleeps = []

    async def sleep(self, seconds, wake=None):
        self.sleeps.append(seconds)


@contextlib.asynccontextmanager
async def over_memory(script):
    transport = memory.MemoryTransport([_remembered(answer, script) for answer in script.answers])
    yield transport, transport.sleeps, URL


@contextlib.asynccontextmanager
async def over_sockets(script):
    with ScriptServer(script.answers) as server:
        transport = PatientTransport()
        try:
            yield transport, transport.sleeps, server.url
        finally:
            await transport.aclose()


DOORS = {"memory": over_memory, "sockets": over_sockets}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_script(script, door, monkeypatch):
    """The same table as the sync client's: the same texts, errors, waits and events."""
    if script.name == "silence past the deadline" and door is over_memory:
        pytest.skip("a deadline needs a clock that runs")
    monkeypatch.setattr(patience, "FINISH_GRACE_S", 0.05)

    async def main():
        async with door(script) as (transport, sleeps, url):
            events = []
            client = rawchat.AsyncClient(KEY, url, retry=NO_JITTER, transport=transport, listeners=[events.append])
            text, error = await run(client, script)

            assert type(error).__name__ == (script.error or "NoneType"), error
            assert text == script.text
            assert script.words in str(error)
            assert tuple(sleeps) == script.waits
            sent = [event for event in events if isinstance(event, rawchat.Sending)]
            assert len(sent) == (script.attempts or len(script.answers))
            check_events(events, error)
            assert KEY not in repr(events) + repr(client) + str(error) + repr(error)
            await all_places_are_free(client)

    asyncio.run(main())


async def run(client, script):
    """(text, error) of the call that the script describes."""
    pieces = []
    try:
        if script.way == "chat":
            return (await client.chat("Hi", **script.options)).text, None
        async with client.stream("Hi", **script.options) as answer:
            async for text in answer:
                pieces.append(text)
        assert answer.reply.text == "".join(pieces)
        return answer.reply.text, None
    except rawchat.APIError as error:
        if error.reply is not None:
            assert error.reply.text == "".join(pieces)
        return "".join(pieces), error


async def all_places_are_free(client):
    """Nothing that is over holds a place: as many as there are can be had at once, without waiting."""
    limiter = client._sender.limiter
    for _ in range(limiter.most):
        taking = asyncio.ensure_future(limiter.acquire())
        await asyncio.sleep(0)
        assert taking.done()
    for _ in range(limiter.most):
        limiter.release()


def client_of(*answers, **options):
    transport = memory.MemoryTransport(list(answers))
    return rawchat.AsyncClient(KEY, URL, transport=transport, **options), transport


def test_every_method_sends_what_the_sync_client_sends():
    """Method, URL, headers and body of each call are equal; only the request id differs."""
    bodies = [completion(), list(GOOD.pieces), completion(), {"data": []}, {"ok": 1}, {"ok": 2}]
    payload = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    options = {"model": "m", "seed": None, "top_p": 0.5, "extra_body": {"k": 1}, "extra_headers": {"X-A": "b"}}

    def requests_of(transport):
        hidden = "x-client-request-id"
        return [
            request._replace(headers=tuple(pair for pair in request.headers if pair[0].lower() != hidden))
            for request in transport.requests
        ]

    def script():
        return [memory.reply(pieces=each) if isinstance(each, list) else memory.reply(body=each) for each in bodies]

    async def awaited(client):
        await client.chat("Hi", **options)
        await client.stream("Hi", **options).read()
        await client.send(payload)
        await client.models()
        await client.request("POST", "other", {"a": 1})
        await client.request("POST", "files", body=b"\0", content_type="application/x")

    sync_transport = memory.MemoryTransport(script())
    sync = rawchat.Client(KEY, URL, transport=sync_transport)
    sync.chat("Hi", **options)
    sync.stream("Hi", **options).read()
    sync.send(payload)
    sync.models()
    sync.request("POST", "other", {"a": 1})
    sync.request("POST", "files", body=b"\0", content_type="application/x")
    client, transport = client_of(*script())
    asyncio.run(awaited(client))

    assert requests_of(transport) == requests_of(sync_transport)
    transport.assert_done()


def test_send_gives_a_stream_where_the_payload_asks_for_one():
    """Nothing is added to it, not even stream_options; what is no dict is refused."""
    payload = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}

    async def main():
        client, transport = client_of(memory.reply(pieces=list(GOOD.pieces)))
        async with await client.send(payload) as answer:
            assert [text async for text in answer] == ["Hel", "lo."]
        assert transport.json(0) == payload
        with pytest.raises(rawchat.PayloadError, match="a payload is a dict"):
            await client.send([payload])
        await all_places_are_free(client)

    asyncio.run(main())


def test_a_refused_option_is_not_tried_again_on_the_next_call():
    """A server that refuses stream_options is asked without from then on; a caller's own always go out."""
    refusal = memory.reply(status=400, body={"error": {"message": "stream_options is not supported"}})
    good = memory.reply(pieces=list(GOOD.pieces))

    async def main():
        client, transport = client_of(refusal, good, good, good)
        for options in ({}, {}, {"stream_options": {"include_usage": True}}):
            await client.stream("Hi", **options).read()
        return ["stream_options" in transport.json(number) for number in range(4)]

    assert asyncio.run(main()) == [True, False, False, True]


@pytest.mark.parametrize("kind", ["callable", "async callable"])
def test_a_key_may_be_asked_for(kind):
    """Before each attempt, awaited or not; also by a client made from this one, and by an Azure one as a token."""
    keys = iter([f"token-number-{number}" for number in range(4)])

    def ask():
        return next(keys)

    async def ask_and_wait():
        await asyncio.sleep(0)
        return next(keys)

    async def main():
        api_key = ask if kind == "callable" else ask_and_wait
        client, transport = client_of(memory.reply(status=500), *[memory.reply(body=completion())] * 3)
        client = client.with_options(api_key=api_key, retry=NO_JITTER)
        await client.chat("Hi")
        await client.with_options(model="m").chat("Hi")
        azure = rawchat.AsyncClient.azure("https://x.openai.azure.com", "d", "v", ad_token=api_key, transport=transport)
        await azure.chat("Hi")
        assert "token-number" not in repr(client) + repr(vars(client))
        return [rawchat.Headers(request.headers)["authorization"] for request in transport.requests]

    assert asyncio.run(main()) == [f"Bearer token-number-{number}" for number in range(4)]


def test_azure_with_a_key():
    """The key goes out as `api-key`, the deployment stands in the path."""

    async def main():
        transport = memory.MemoryTransport([memory.reply(body=completion())])
        client = rawchat.AsyncClient.azure(
            "https://x.openai.azure.com", "d", "v", api_key="k-1234", transport=transport
        )
        await client.chat("Hi")
        return transport.requests[0]

    request = asyncio.run(main())
    assert request.url == "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=v"
    assert rawchat.Headers(request.headers)["api-key"] == "k-1234"


def test_with_options_keeps_the_connections_and_the_places():
    """Unless it is told how many places it shall have."""
    client, _ = client_of()
    other = client.with_options(model="m", timeout=3)
    own = client.with_options(max_concurrency=2)

    assert (other.model, other.settings.timeout, other.transport) == ("m", (3, 3), client.transport)
    assert other._sender.limiter is client._sender.limiter
    assert own.max_concurrency == 2 and client.max_concurrency == 8
    assert repr(client) == f"AsyncClient(base_url={URL!r}, model='gpt-4o-mini', transport='memory')"


@pytest.mark.parametrize("transport", [rawchat.Transport(), "requests", 3], ids=["sync", "name", "number"])
def test_a_door_that_blocks_is_refused(transport):
    """It would stop every task of the loop; InlineTransport says that it doesn't."""
    with pytest.raises(rawchat.PayloadError, match="would stop every task"):
        rawchat.AsyncClient(KEY, URL, transport=transport)


def test_a_sync_door_can_be_vouched_for():
    """InlineTransport passes everything on."""

    async def main():
        inner = memory.MemoryTransport([memory.reply(status=500), memory.reply(body=completion())])
        client = rawchat.AsyncClient(KEY, URL, transport=rawchat.InlineTransport(inner), retry=NO_JITTER)
        assert (await client.chat("Hi")).text == "Hello."
        await client.transport.aclose()
        inner.assert_done()
        assert inner.sleeps == [0.5]

    asyncio.run(main())


# How many at once.


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "8"])
def test_max_concurrency_is_a_number_from_1(number):
    """Anything else would wait for ever, or mean something else."""
    with pytest.raises(rawchat.PayloadError, match="whole number from 1"):
        rawchat.AsyncClient(KEY, URL, max_concurrency=number)


class GatedTransport(async_base.AsyncTransport):
    """Answers when `gate` is set, and counts how many requests are on their way at once."""

    name = "gated"

    def __init__(self):
        self.gate = asyncio.Event()
        self.now = self.most = self.sent = 0

    async def send(self, request, *, connect_timeout_s, read_timeout_s):
        self.now, self.sent = self.now + 1, self.sent + 1
        self.most = max(self.most, self.now)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self.now -= 1
        inner = memory.MemoryTransport([completion(request.body.decode())])
        return await async_base.InlineTransport(inner).send(
            request, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s
        )


def test_a_thousand_prompts_keep_their_order_and_the_bound():
    """Eight on their way at most, and no more tasks than that; answers stand where their prompts stood."""

    async def main():
        transport = GatedTransport()
        transport.gate.set()
        client = rawchat.AsyncClient(KEY, URL, transport=transport)
        tasks = set()

        def prompts():
            for number in range(1000):
                tasks.add(len(asyncio.all_tasks()))
                yield f"prompt {number}."

        answers = await client.batch_ask(prompts(), model="m")
        assert [f"prompt {number}." in answer.text for number, answer in enumerate(answers)] == [True] * 1000
        assert (transport.most, transport.sent) == (8, 1000)
        assert max(tasks) <= 9

    asyncio.run(main())


def test_gather_is_bounded_too():
    """Calls of one's own, all at once: the server never has more than its share, and the first come are first served."""

    async def main():
        transport = GatedTransport()
        client = rawchat.AsyncClient(KEY, URL, transport=transport, max_concurrency=3)
        asked = [asyncio.ensure_future(client.chat(f"prompt {number}.")) for number in range(50)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert transport.now == 3
        transport.gate.set()
        order = []
        for number, task in enumerate(asked):
            task.add_done_callback(lambda _, number=number: order.append(number))
        await asyncio.gather(*asked)
        assert transport.most == 3
        assert order == sorted(order)

    asyncio.run(main())


def test_the_server_sees_no_more_connections_than_places():
    """Forty calls, half of them streams, over real sockets."""

    async def main():
        with ScriptServer([whole()] * 40) as server:
            async with rawchat.AsyncClient(KEY, server.url, max_concurrency=4) as client:

                async def stream():
                    return await client.stream("Hi").read()

                replies = await asyncio.gather(*[client.chat("Hi") if i % 2 else stream() for i in range(40)])
            assert [reply.text for reply in replies] == ["Hello."] * 40
            assert server.connections == 4

    asyncio.run(main())


def test_cancelled_while_waiting_for_a_place():
    """Those who gave up are passed over; a place handed over at that very moment goes to the next."""

    async def main():
        limiter = asender.CallLimiter(1)
        await limiter.acquire()
        first, second, third = (asyncio.ensure_future(limiter.acquire()) for _ in range(3))
        await asyncio.sleep(0)
        first.cancel()
        limiter.release()  # handed to the second: the first was cancelled, though it does not know it yet
        second.cancel()
        await asyncio.wait({first, second, third})
        assert first.cancelled() and second.cancelled() and third.result() is None
        limiter.release()
        await asyncio.wait_for(limiter.acquire(), 5)

    asyncio.run(main())


def test_failures_stand_in_their_places():
    """An error of ours takes the place of its answer, whether the server or the payload was at fault."""

    async def main():
        client, _ = client_of(
            memory.reply(body=completion("a")),
            memory.reply(status=401),
            memory.reply(body=completion("d")),
            max_concurrency=1,
        )
        return await client.batch_ask(["one", "two", [3], "four"])

    first, second, third, fourth = asyncio.run(main())
    assert (first.text, fourth.text) == ("a", "d")
    assert isinstance(second, rawchat.AuthenticationError)
    assert isinstance(third, rawchat.PayloadError)


def test_a_budget_stands_in_for_the_rest():
    """Prompts that the budget no longer covers are refused before sending, in their places."""

    async def main():
        tracker = rawchat.CostTracker(budget_usd=0.002)
        client, transport = client_of(*[memory.reply(body=completion())] * 5, cost_tracker=tracker)
        answers = await client.batch_ask(["Hi"] * 5, model="gpt-4o", max_tokens=10_000)
        assert all(isinstance(answer, rawchat.BudgetExceeded) for answer in answers)
        assert transport.requests == [] and tracker.spent_usd == 0

    asyncio.run(main())


def test_a_mistake_ends_the_batch():
    """What is no error of ours, a listener's say, is raised; the other workers are stopped, their calls with them."""

    async def main():
        transport = GatedTransport()

        def listener(event):
            if isinstance(event, rawchat.Sending) and b"third" in event.request.body:
                raise RuntimeError("listener")

        client = rawchat.AsyncClient(KEY, URL, transport=transport, listeners=[listener])
        with pytest.raises(RuntimeError, match="listener"):
            await client.batch_ask(["first", "second", "third"])
        assert transport.now == 0
        assert len(asyncio.all_tasks()) == 1
        await all_places_are_free(client)

    asyncio.run(main())


@pytest.mark.parametrize("prompts", ["one prompt", b"bytes", {"role": "user", "content": "Hi"}])
def test_a_batch_is_a_list(prompts):
    """A string would be asked letter by letter."""

    async def main():
        client, _ = client_of()
        with pytest.raises(rawchat.PayloadError, match="for a single one there is chat"):
            await client.batch_ask(prompts)

    asyncio.run(main())


def test_an_empty_batch():
    """No prompts, no answers."""

    async def main():
        return await client_of()[0].batch_ask([])

    assert asyncio.run(main()) == []


# Cancelling.


def test_cancelling_a_call_closes_its_connection():
    """The server sees the client go, the budget is free again, and so is the place."""

    async def main():
        tracker = rawchat.CostTracker(budget_usd=1.0)
        async with HangingServer() as server:
            async with rawchat.AsyncClient(KEY, server.url, cost_tracker=tracker) as client:
                call = asyncio.ensure_future(client.chat("Hi", model="gpt-4o", max_tokens=1000))
                await server.asked.wait()
                assert tracker.remaining_usd < 1.0
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert tracker.remaining_usd == pytest.approx(1.0)
                await asyncio.wait_for(server.left.wait(), 5)
                await all_places_are_free(client)

    asyncio.run(main())


def test_wait_for_ends_a_call():
    """asyncio's own time limits work, inside the wait for an answer."""

    async def main():
        async with HangingServer() as server:
            async with rawchat.AsyncClient(KEY, server.url) as client:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.chat("Hi"), 0.02)
                await asyncio.wait_for(server.left.wait(), 5)

    asyncio.run(main())


class SleepyTransport(async_base.InlineTransport):
    """Sleeps until it is cancelled; `asleep` is set when it does."""

    async def sleep(self, seconds, wake=None):
        self.asleep.set()
        await asyncio.Event().wait()


def test_cancelling_a_wait_between_attempts():
    """A retry that is due in two minutes doesn't hold up anybody."""

    async def main():
        refusal = memory.reply(status=429, headers={"Retry-After": "100"})
        transport = SleepyTransport(memory.MemoryTransport([refusal]))
        transport.asleep = asyncio.Event()
        client = rawchat.AsyncClient(KEY, URL, transport=transport)
        call = asyncio.ensure_future(client.chat("Hi"))
        await transport.asleep.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await all_places_are_free(client)

    asyncio.run(main())


class HangingServer:
    """Takes a request and never answers. `asked`, `left`: events of this loop."""

    def __init__(self, answer=b""):
        self._answer = answer
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self._answer)
        self.asked.set()
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass
        self.left.set()
        writer.close()


# Loops.


def test_one_client_in_one_loop_after_another():
    """Each loop has connections of its own, and leaves none open: a warning would be an error here."""
    with ScriptServer([whole()] * 6) as server:
        client = rawchat.AsyncClient(KEY, server.url, max_concurrency=1)

        async def ask():
            return [reply.text for reply in await asyncio.gather(client.chat("Hi"), client.chat("Hi"))]

        for number in range(3):
            assert asyncio.run(ask()) == ["Hello."] * 2
            assert server.connections == number + 1
            gc.collect()
        asyncio.run(client.aclose())


def test_two_loops_at_the_same_time():
    """Two threads, a loop in each, one client."""
    with ScriptServer([whole()] * 20) as server:
        client = rawchat.AsyncClient(KEY, server.url)
        texts = []

        async def ask():
            for reply in await client.batch_ask(["Hi"] * 10):
                texts.append(reply.text)

        threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert texts == ["Hello."] * 20


def test_calls_share_connections():
    """Five calls one after the other, streams among them: one connection."""

    async def main():
        with ScriptServer([GOOD, whole(), GOOD, whole(), GOOD]) as server:
            async with rawchat.AsyncClient(KEY, server.url) as client:
                for number in range(5):
                    reply = await (client.chat("Hi") if number % 2 else client.stream("Hi").read())
                    assert reply.text == "Hello."
                assert server.connections == 1

    asyncio.run(main())
