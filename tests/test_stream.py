"""Stream: three views, early exits, cancelling from another thread, and what is left behind."""

import threading

import pytest

from . import forms, module, rawchat
from .script_server import ScriptServer
from .scripts import GOOD, delta, stream

memory = module("transport.memory")
stream_module = module("stream")
KEY = "sk-test-0123456789abcdef"


def open_stream(*pieces, error=None, **options):
    transport = memory.MemoryTransport([memory.reply(pieces=list(pieces), error=error)])
    client = rawchat.Client(KEY, "http://127.0.0.1:1/v1", transport=transport)
    return client.stream("Hi", **options), transport


def test_the_three_views_show_the_same_stream():
    """Text, chunks and events of one answer."""
    texts = list(open_stream(*GOOD.pieces)[0])
    chunks = list(open_stream(*GOOD.pieces)[0].chunks())
    events = list(open_stream(*GOOD.pieces)[0].events())

    assert texts == ["Hel", "lo."]
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]] == ["Hel", "lo.", None]
    assert [event.data[:6] for event in events] == ['{"id":'] * 4 + ["[DONE]"]
    assert len(chunks) == 4


def test_leaving_the_loop_closes_the_connection():
    """Early exit leaves nothing open, with or without `with`."""
    answer, transport = open_stream(*GOOD.pieces)
    for _ in answer:
        break

    assert transport.closes == 1
    assert answer.reply.text == "Hel"
    assert not answer.reply.complete
    with open_stream(*GOOD.pieces)[0] as answer:
        pass
    assert not answer.reply.complete


def test_an_early_exit_is_told_as_such():
    """Done says that the answer is not whole."""
    transport = memory.MemoryTransport([memory.reply(pieces=list(GOOD.pieces))])
    events = []
    client = rawchat.Client(KEY, "http://127.0.0.1:1/v1", transport=transport, listeners=[events.append])
    with client.stream("Hi") as answer:
        next(iter(answer))

    assert isinstance(events[-1], rawchat.Done)
    assert events[-1].whole is False


def test_the_reply_grows_while_it_is_read():
    """`reply` and `text` can be asked at any time."""
    answer, _ = open_stream(*GOOD.pieces)
    seen = [answer.text for _ in answer]

    assert seen[0].startswith("Hel")
    assert answer.reply.complete
    assert answer.reply.first_text_s <= answer.reply.elapsed_s


def test_a_stream_that_is_over_gives_nothing_more():
    """Iterating twice is no error, and no second request."""
    answer, transport = open_stream(*GOOD.pieces)
    list(answer)

    assert list(answer) == []
    assert len(transport.requests) == 1


def test_cancel_from_another_thread_ends_the_loop_quietly():
    """A blocked read wakes up at once; what had arrived is kept."""
    script = stream(delta("Hel"), end="silence")
    with ScriptServer([script]) as server, rawchat.Client(KEY, server.url) as client:
        answer = client.stream("Hi")
        texts = []
        for text in answer:
            texts.append(text)
            threading.Thread(target=answer.cancel).start()

    assert texts == ["Hel"]
    assert answer.cancelled
    assert answer.reply.text == "Hel" and not answer.reply.complete


@forms.needs_modules
def test_keep_alives_do_not_count_as_life():
    """Comments come from proxies: a model that stays silent behind them runs into the read timeout all the same."""
    clock = iter(range(0, 100, 4))
    answer, _ = open_stream(*[b": keep-alive\n\n"] * 50, timeout=(5, 10))
    answer._call.max_retries = 0
    original, stream_module.time = stream_module.time, FakeTime(clock)
    try:
        with pytest.raises(rawchat.APITimeoutError, match="nothing but keep-alives for 10 s"):
            list(answer)
    finally:
        stream_module.time = original


class FakeTime:
    def __init__(self, clock):
        self._clock = clock

    def monotonic(self):
        return next(self._clock)


def test_a_break_after_text_keeps_the_text_and_the_cause():
    """The error is a StreamInterrupted that chains what the transport said."""
    answer, _ = open_stream(GOOD.pieces[0], error=rawchat.APIConnectionError("connection reset by peer"))
    with pytest.raises(rawchat.StreamInterrupted, match="connection reset by peer") as caught:
        list(answer)

    assert caught.value.reply.text == "Hel"
    assert isinstance(caught.value.__cause__, rawchat.APIConnectionError)


def test_chunks_handed_out_are_not_repeated():
    """Once a chunk was handed over, a break is an error: the caller cannot take it back."""
    answer, transport = open_stream(b'data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n')
    with pytest.raises(rawchat.StreamInterrupted):
        list(answer.chunks())

    assert len(transport.requests) == 1


def test_repr_is_short_and_tells_the_state():
    """One line, no content."""
    answer, _ = open_stream(*GOOD.pieces)
    assert repr(answer) == "Stream('gpt-4o-mini', open, 0 characters)"
    answer.read()
    assert repr(answer) == "Stream('gpt-4o-mini', over, 6 characters)"


def test_a_warning_about_the_cost_does_not_hide_the_break():
    """Warnings are errors here, as in many a test suite: the caller still gets the StreamInterrupted."""
    transport = memory.MemoryTransport([memory.reply(pieces=list(GOOD.pieces[:1]))])
    tracker = rawchat.CostTracker()
    client = rawchat.Client(KEY, "http://127.0.0.1:1/v1", transport=transport, cost_tracker=tracker)
    with pytest.raises(rawchat.StreamInterrupted):
        list(client.stream("Hi"))

    assert tracker.unpriced_calls == 1
