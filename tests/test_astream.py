"""AsyncStream: how it begins, its three views, early exits, cancelling, and what is left behind."""

import asyncio
import gc

import pytest

from . import module, rawchat
from .script_server import ScriptServer
from .scripts import GOOD, delta, event, stream
from .test_aclient import HangingServer, all_places_are_free, client_of
from .test_client import KEY

memory = module("transport.memory")
progress = module("protocol.progress")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def good():
    return memory.reply(pieces=list(GOOD.pieces))


def run_with(*answers, **options):
    """Decorator: runs an async test body with a client over memory, then checks that nothing is left open."""

    def decorate(body):
        async def main():
            client, transport = client_of(*answers, **options)
            await body(client, transport)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await all_places_are_free(client)
            transport.assert_done()

        def test():
            asyncio.run(main())

        test.__doc__ = body.__doc__
        return test

    return decorate


@run_with(good(), good(), good())
async def test_the_three_views_show_the_same_stream(client, transport):
    """Text, chunks and events of one answer."""
    texts = [text async for text in client.stream("Hi")]
    chunks = [chunk async for chunk in client.stream("Hi").chunks()]
    events = [each async for each in client.stream("Hi").events()]

    assert texts == ["Hel", "lo."]
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]] == ["Hel", "lo.", None]
    assert [each.data[:6] for each in events] == ['{"id":'] * 4 + ["[DONE]"]


@run_with(good(), good(), good())
async def test_it_is_sent_when_it_is_first_used(client, transport):
    """Not by making it; by `await`, by `async with`, by reading it."""
    first, second, third = (client.stream("Hi") for _ in range(3))
    assert transport.requests == []
    assert repr(first) == "AsyncStream('', not sent, 0 characters)" and first.attempts == 0 and first.text == ""

    assert await first is first
    assert len(transport.requests) == 1
    async with second:
        assert len(transport.requests) == 2
        async with first:  # a second time is no second request
            assert len(transport.requests) == 2
    assert (await third.read()).text == "Hello."
    assert third.attempts == 1


def test_one_that_is_never_used_is_no_loss():
    """Nothing is sent, held or warned about."""

    async def main():
        client, transport = client_of()
        client.stream("Hi")
        await client.stream("Hi").aclose()
        gc.collect()
        assert transport.requests == []
        await all_places_are_free(client)

    asyncio.run(main())


@run_with(good())
async def test_leaving_the_loop_closes_the_connection(client, transport):
    """Without `async with`, too: in the loop's next rounds, when the iterator is gone."""
    answer = client.stream("Hi")
    async for _ in answer:
        break
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert transport.closes == 1
    assert answer.reply.text == "Hel" and not answer.reply.complete


@run_with(good())
async def test_leaving_the_with_closes_the_connection_at_once(client, transport):
    """And Done says that the answer is not whole."""
    events = []
    async with client.with_options(listeners=[events.append]).stream("Hi") as answer:
        async for _ in answer:
            break
    assert transport.closes == 1
    assert isinstance(events[-1], rawchat.Done) and events[-1].whole is False
    assert [text async for text in answer] == []
    assert repr(answer) == "AsyncStream('gpt-4o-mini', over, 3 characters)"


@run_with(good())
async def test_a_stream_that_is_over_gives_nothing_more(client, transport):
    """Iterating twice is no error, and no second request."""
    answer = client.stream("Hi")
    assert [text async for text in answer] == ["Hel", "lo."]
    assert [text async for text in answer] == []
    assert (await answer.read()).text == "Hello."
    assert answer.reply.first_text_s <= answer.reply.elapsed_s


@run_with(good(), max_concurrency=1)
async def test_a_stream_that_is_dropped_gives_its_place_back(client, transport):
    """Started and forgotten: it would hold up all others for ever."""
    answer = await client.stream("Hi")
    del answer
    gc.collect()
    await asyncio.sleep(0)
    assert transport.closes == 1


@run_with(memory.reply(status=401), max_concurrency=1)
async def test_a_stream_that_does_not_begin_holds_nothing(client, transport):
    """Its error is raised by whatever sends it; the budget and the place are free."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    with pytest.raises(rawchat.AuthenticationError):
        async with client.with_options(cost_tracker=tracker).stream("Hi", model="gpt-4o", max_tokens=1000):
            pass
    assert tracker.remaining_usd == pytest.approx(1.0)


@run_with(max_concurrency=1)
async def test_a_budget_refuses_before_sending(client, transport):
    """No request goes out."""
    tracker = rawchat.CostTracker(budget_usd=0.000001)
    with pytest.raises(rawchat.BudgetExceeded):
        await client.with_options(cost_tracker=tracker).stream("Hi", model="gpt-4o", max_tokens=1000)
    assert transport.requests == []


@run_with(good(), good())
async def test_streams_are_paid_for_once(client, transport):
    """Read to the end or left early."""
    tracker = rawchat.CostTracker()
    client = client.with_options(cost_tracker=tracker)
    await client.stream("Hi").read()
    with pytest.warns(rawchat.UnknownPriceWarning, match="no usage"):
        async with client.stream("Hi") as answer:
            async for _ in answer:
                break
    await answer.aclose()
    assert tracker.call_count == 2


def test_a_place_is_held_until_the_stream_ends():
    """Two streams fill two places; the third begins when one of them ends."""

    async def main():
        client, transport = client_of(good(), good(), good(), max_concurrency=2)
        first, _second = await client.stream("Hi"), await client.stream("Hi")
        third = asyncio.ensure_future(client.stream("Hi").read())
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(transport.requests) == 2
        await first.read()
        assert (await third).text == "Hello."

    asyncio.run(main())


def test_cancelling_the_task_that_reads_closes_the_connection():
    """In the middle of an answer; nothing stays reserved, and the place is free again."""

    async def main():
        tracker = rawchat.CostTracker(budget_usd=1.0)
        async with HangingServer(HEAD + GOOD.pieces[0]) as server:
            async with rawchat.AsyncClient(KEY, server.url, cost_tracker=tracker) as client:
                begun = asyncio.Event()
                texts = []

                async def read():
                    async with client.stream("Hi", model="gpt-4o", max_tokens=1000) as answer:
                        async for text in answer:
                            texts.append(text)
                            begun.set()

                task = asyncio.ensure_future(read())
                await begun.wait()
                task.cancel()
                with pytest.warns(rawchat.UnknownPriceWarning, match="no usage"), pytest.raises(asyncio.CancelledError):
                    await task
                assert texts == ["Hel"]
                # What came was paid for, and nobody knows how much: the reserve counts as spent, and is reserved no more.
                assert tracker.reserved_usd == 0 and tracker.spent_usd > 0
                await asyncio.wait_for(server.left.wait(), 5)
                await all_places_are_free(client)

    asyncio.run(main())


def test_cancel_from_another_task_ends_the_loop_quietly():
    """A waiting read wakes up at once; what had arrived is kept."""

    async def main():
        async with HangingServer(HEAD + GOOD.pieces[0]) as server:
            async with rawchat.AsyncClient(KEY, server.url) as client:
                answer = client.stream("Hi")
                texts = []
                async for text in answer:
                    texts.append(text)
                    asyncio.get_running_loop().call_soon(answer.cancel)
                assert texts == ["Hel"]
                assert answer.cancelled and answer.reply.text == "Hel" and not answer.reply.complete
                assert repr(answer) == "AsyncStream('gpt-4o-mini', cancelled, 3 characters)"
                await asyncio.wait_for(server.left.wait(), 5)
                await all_places_are_free(client)

    asyncio.run(main())


def test_cancel_ends_a_wait_between_attempts():
    """The wait is a hundred seconds long, and over at once."""

    async def main():
        with ScriptServer([stream()]) as server:
            policy = rawchat.RetryPolicy(initial_s=100.0, cap_s=100.0)
            async with rawchat.AsyncClient(KEY, server.url, retry=policy) as client:
                answer = client.stream("Hi")

                def listener(event):
                    if isinstance(event, rawchat.Waiting):
                        asyncio.get_running_loop().call_soon(answer.cancel)

                client._sender.listeners = (listener,)
                assert [text async for text in answer] == []
                assert answer.cancelled

    asyncio.run(main())


def test_keep_alives_do_not_count_as_life():
    """Comments come from proxies: a model that stays silent behind them runs into the read timeout all the same."""
    track = progress_of(read_s=10)
    assert not track.is_limited()
    assert track.take(b": keep-alive\n\n", 100.0) == []
    assert track.is_limited() and track.limit_s(104.0) == 6.0
    track.take(b": keep-alive\n\n", 104.0)
    with pytest.raises(rawchat.APITimeoutError, match="nothing but keep-alives for 10 s") as caught:
        track.limit_s(110.0)
    assert caught.value.phase == "body"


def test_the_rest_of_the_idle_time_is_told_as_such():
    """The last read waited a second only; the error says for how long nothing but keep-alives had come."""
    track = progress_of(read_s=10)
    track.take(b": keep-alive\n\n", 100.0)
    error = rawchat.APITimeoutError("no byte for 1 s")
    with pytest.raises(rawchat.APITimeoutError) as caught:
        track.broken(error, 110.0, track.reader.reply())
    assert caught.value is error and error.__cause__ is None
    assert str(error) == "nothing but keep-alives for 10 s" and error.status == 200


def test_a_chunk_counts_as_life():
    """The next read may wait as long as the first."""
    track = progress_of(read_s=10)
    track.take(b": keep-alive\n\n", 100.0)
    assert track.limit_s(104.0) == 6.0
    assert len(track.take(event(delta("a")), 105.0)) == 1
    assert track.is_limited() and track.limit_s(106.0) == 10
    assert not track.is_limited()


def test_a_deadline_bounds_every_read():
    """Until nothing is left of it."""
    track = progress_of(read_s=10, deadline_s=15.0)
    assert [track.limit_s(100.0), track.limit_s(108.0)] == [10, 7.0]
    with pytest.raises(rawchat.DeadlineExceeded, match="deadline of 15 s"):
        track.limit_s(115.0)


def test_three_seconds_are_left_after_the_finish():
    """For usage and [DONE]; a break then is no loss."""
    track = progress_of(read_s=None)
    track.take(event(delta("a")) + event(delta(finish="stop")), 100.0)
    assert track.is_limited() and track.limit_s(100.0) == 3.0
    assert track.limit_s(102.0) == 1.0
    with pytest.raises(rawchat.APITimeoutError, match="neither ended the stream nor said"):
        track.limit_s(103.0)
    track.broken(rawchat.APIConnectionError("reset"), 103.0, track.reader.reply())  # raises nothing


def progress_of(*, read_s, deadline_s=None):
    call_module = module("protocol.call")
    call = call_module.Call(
        number=1,
        method="POST",
        url="http://127.0.0.1:1/v1/chat/completions",
        payload={"model": "m"},
        make_headers=lambda attempt: (),
        policy=rawchat.RetryPolicy(),
        max_retries=2,
        limits=call_module.Limits(5, read_s, deadline_s, 100.0),
    )
    return progress.StreamProgress(call, rawchat.ResponseHead(200, "OK", rawchat.Headers()))


def test_a_break_after_text_keeps_the_text_and_the_cause():
    """The error is a StreamInterrupted that chains what the transport said."""

    async def main():
        reset = rawchat.APIConnectionError("connection reset by peer")
        client, _ = client_of(memory.reply(pieces=[GOOD.pieces[0]], error=reset))
        with pytest.raises(rawchat.StreamInterrupted, match="connection reset by peer") as caught:
            async for _ in client.stream("Hi"):
                pass
        assert caught.value.reply.text == "Hel"
        assert caught.value.__cause__ is reset

    asyncio.run(main())


def test_chunks_handed_out_are_not_repeated():
    """Once a chunk was handed over, a break is an error: the caller cannot take it back."""

    async def main():
        role = b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n'
        client, transport = client_of(memory.reply(pieces=[role]))
        with pytest.raises(rawchat.StreamInterrupted):
            async for _ in client.stream("Hi").chunks():
                pass
        assert len(transport.requests) == 1

    asyncio.run(main())
