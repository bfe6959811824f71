"""TellingSender: what listeners hear, what is closed when one raises, and what is paid."""

import asyncio

import pytest

from . import module, rawchat
from .scripts import GOOD, completion
from .test_sender import CHAT, KEY, URL, make_call

memory = module("transport.memory")
settings_module = module("settings")
telling = module("telling")


def make_sender(*replies, listeners=(), tracker=None):
    transport = memory.MemoryTransport(list(replies))
    return telling.TellingSender(transport, listeners, tracker), transport


def names(events):
    return [type(event).__name__ for event in events]


def test_a_good_answer_is_one_story():
    """Sending, Received, a Chunked for each read, Done; the reply has its time, attempts and cost."""
    events = []
    sender, transport = make_sender(memory.reply(body=completion("Hi.")), listeners=[events.append])
    reply = sender.whole(make_call())

    assert names(events) == ["Sending", "Received", "Chunked", "Done"]
    assert events[-1].reply is reply and events[-1].whole and events[-1].cost_usd == reply.cost > 0
    assert (reply.text, reply.attempts) == ("Hi.", 1) and reply.elapsed_s >= 0
    transport.assert_done()


def test_a_listener_may_come_later_and_leave():
    """It hears the calls between `listen` and the end of it; the others hear all; leaving twice takes nobody else away."""
    always, visitor = [], []
    sender, transport = make_sender(*(memory.reply(body=completion()) for _ in range(3)), listeners=[always.append])
    hear = visitor.append

    sender.whole(make_call())
    leave, leave_twin = sender.listen(hear), sender.listen(hear)
    leave()
    leave()
    sender.whole(make_call())
    leave_twin()
    sender.whole(make_call())

    assert (len(always), len(visitor)) == (12, 4)
    transport.assert_done()


def test_a_retried_answer_tells_of_each_attempt():
    """Failed comes before Waiting, and is not final; each attempt has its number."""
    events = []
    sender, transport = make_sender(
        memory.reply(status=503), memory.reply(body=completion()), listeners=[events.append]
    )
    sender.whole(make_call())

    assert names(events) == ["Sending", "Received", "Failed", "Waiting", "Sending", "Received", "Chunked", "Done"]
    assert [event.attempt for event in events] == [1, 1, 1, 1, 2, 2, 2, 2]
    assert events[2].final is False
    assert (events[3].wait_s, transport.sleeps) == (0.5, [0.5])
    assert transport.closes == 2


def test_the_last_failure_is_final_and_raised():
    """Failed carries the very error that the caller catches, complete."""
    events = []
    sender, transport = make_sender(memory.reply(status=503), listeners=[events.append])
    with pytest.raises(rawchat.InternalServerError) as caught:
        sender.whole(make_call(max_retries=0))

    assert names(events) == ["Sending", "Received", "Failed"]
    assert events[-1].final and events[-1].error is caught.value and caught.value.attempts == 1
    assert transport.sleeps == []


def test_a_dropped_option_is_no_wait():
    """A Waiting of 0 s says what is done; nobody sleeps; and the sender has learned it."""
    events = []
    refusal = {"error": {"message": "Unrecognized request argument supplied: stream_options"}}
    sender, transport = make_sender(
        memory.reply(status=400, body=refusal), memory.reply(pieces=memory.sse("Hi")), listeners=[events.append]
    )
    read = settings_module.Settings(api_key=KEY, base_url=URL, model="m")
    payload = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    call = read.call("POST", "chat/completions", payload, settings_module.Options())
    call.instead["stream_options"] = [None]
    sender.open(call).close()

    assert "Waiting" in names(events) and transport.sleeps == []
    assert "stream_options" in sender.refused
    assert "stream_options" not in transport.json(1)


@pytest.mark.parametrize("kind", ["Sending", "Received", "Chunked", "Failed", "Waiting"])
def test_a_listener_that_raises_is_heard_and_leaves_nothing_open(kind):
    """Wherever in the story it raises."""

    def listener(event):
        if type(event).__name__ == kind:
            raise RuntimeError(kind)

    replies = [memory.reply(status=503)] if kind in ("Failed", "Waiting") else [memory.reply(body=completion())]
    sender, transport = make_sender(*replies, listeners=[listener])
    with pytest.raises(RuntimeError, match=kind):
        sender.whole(make_call())

    assert transport.closes == len(transport.responses) == (0 if kind == "Sending" else 1)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_what_a_listener_raises_is_no_break_of_the_stream(way):
    """Be it an error of the connection, of another call say: it is raised as it is."""
    ours = rawchat.APIConnectionError("another call's")

    def listener(event):
        if isinstance(event, rawchat.Chunked):
            raise ours

    transport = memory.MemoryTransport([memory.reply(pieces=GOOD.pieces)])
    options = {"transport": transport, "listeners": [listener], "max_retries": 0}
    with pytest.raises(rawchat.APIConnectionError) as caught:
        if way == "sync":
            rawchat.Client(KEY, URL, **options).stream("Hi").read()
        else:
            asyncio.run(_read_async(options))

    assert caught.value is ours and ours.__cause__ is None
    assert transport.closes == 1


async def _read_async(options):
    async with rawchat.AsyncClient(KEY, URL, **options) as client, client.stream("Hi") as answer:
        await answer.read()


def test_an_interrupt_while_reading_closes_the_connection():
    """Ctrl-C is no Exception, and passes through all the same; what was reserved is free again."""

    class Interrupted(memory.MemoryResponse):
        def read_some(self):
            raise KeyboardInterrupt

    class Door(memory.MemoryTransport):
        def send(self, request, **timeouts):
            self.responses.append(Interrupted(memory.reply(body=completion())))
            return self.responses[-1]

    tracker = rawchat.CostTracker(budget_usd=1.0)
    door = Door()
    with pytest.raises(KeyboardInterrupt):
        telling.TellingSender(door, (), tracker).whole(make_call())

    assert door.closes == 1
    assert (tracker.reserved_usd, tracker.call_count) == (0, 0)


# What a call costs ---------------------------------------------------------------------------------------------------

COST = (10 * 0.15 + 5 * 0.60) / 1e6


def test_a_bill_without_a_tracker_still_knows_the_cost():
    sender, _ = make_sender(memory.reply(body=completion()))

    assert sender.whole(make_call()).cost == pytest.approx(COST)


def test_a_tracker_counts_only_the_answer():
    """Failed attempts are not in the bill."""
    tracker = rawchat.CostTracker()
    sender, _ = make_sender(memory.reply(status=503), memory.reply(body=completion()), tracker=tracker)
    sender.whole(make_call())

    assert tracker.call_count == 1 and tracker.total_cost == pytest.approx(COST)


def test_a_budget_reserves_before_sending_and_settles_after():
    """While the call is under way, what it may cost at most is kept back."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    seen = []
    sender, _ = make_sender(
        memory.reply(body=completion()), listeners=[lambda event: seen.append(tracker.reserved_usd)], tracker=tracker
    )
    sender.whole(make_call({**CHAT, "max_tokens": 1000}))

    assert all(reserved > 1000 * 0.60 / 1e6 for reserved in seen[:-1])
    assert (tracker.reserved_usd, tracker.spent_usd) == (0, pytest.approx(COST))


def test_a_budget_refuses_before_anything_is_sent():
    tracker = rawchat.CostTracker(budget_usd=1e-7)
    sender, transport = make_sender(tracker=tracker)
    with pytest.raises(rawchat.BudgetExceeded):
        sender.whole(make_call())

    assert transport.requests == [] and tracker.reserved_usd == 0


def test_a_budget_refuses_a_model_without_a_price():
    sender, transport = make_sender(tracker=rawchat.CostTracker(budget_usd=1.0))
    with pytest.raises(rawchat.UnknownPrice):
        sender.whole(make_call({**CHAT, "model": "nobody-knows"}))

    assert transport.requests == []


def test_what_is_not_paid_by_the_token_is_not_in_the_bill():
    """A list of models has no model, no reservation and no cost."""
    tracker = rawchat.CostTracker(budget_usd=1e-9)
    sender, _ = make_sender(memory.reply(body={"data": [{"id": "m"}]}), tracker=tracker)
    read = settings_module.Settings(api_key=KEY, base_url=URL, model="m")
    reply = sender.whole(read.call("GET", "models", None, settings_module.Options()), "data")

    assert reply["data"] == [{"id": "m"}] and reply.cost is None
    assert tracker.call_count == 0


# Streams -------------------------------------------------------------------------------------------------------------


def test_the_end_of_a_stream_is_told_once_with_its_reply():
    """Done and the cost; after a failure neither a second word nor a loss of what had come."""
    told = []
    sender, _ = make_sender(listeners=[told.append])
    reply = rawchat.Reply(completion("Hi."))
    sender.begin(make_call())(reply)
    sender.begin(make_call())(reply, True)
    sender.begin(make_call())(None)

    assert names(told) == ["Done"] and told[0].reply is reply
    assert told[0].cost_usd == reply.cost == pytest.approx(COST)


def test_where_nothing_arrived_nothing_is_paid():
    """An empty reply is told, and not counted."""
    told, tracker = [], rawchat.CostTracker(budget_usd=1.0)
    sender, _ = make_sender(listeners=[told.append], tracker=tracker)
    sender.begin(make_call())(rawchat.Reply({"choices": []}))

    assert (tracker.call_count, tracker.reserved_usd) == (0, 0)
    assert names(told) == ["Done"] and told[0].cost_usd is None


USAGES = [
    ("ours, which may be refused", settings_module.USAGE, {}, (True, True)),
    ("ours, which was refused before", settings_module.USAGE, {"stream_options": None}, (False, False)),
    ("the caller's, of the same words", dict(settings_module.USAGE), {"stream_options": None}, (False, True)),
]


@pytest.mark.parametrize("asked, refused, expected", [row[1:] for row in USAGES], ids=[row[0] for row in USAGES])
def test_only_our_own_stream_options_are_taken_back(asked, refused, expected):
    """(whether another attempt may do without, whether they are sent)."""
    sender, _ = make_sender()
    sender.refused.update(refused)
    call = make_call({**CHAT, "stream": True, "stream_options": asked})
    sender.mind_usage(call)

    assert ("stream_options" in call.instead, b"include_usage" in call.body) == expected
