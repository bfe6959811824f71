"""run_tools: what the functions get, what the model is told, and what the caller has in the end; sync, async, streamed."""

import asyncio
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import threading
import uuid
from typing import List, Literal, NamedTuple, Optional

import pytest

from . import module, rawchat

tools = module("tools")
memory = module("transport.memory")

USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


# --- what is called


def get_weather(city: str, unit: Literal["c", "f"] = "c") -> str:
    """The weather in a city."""
    return f"sunny in {city}, 22 {unit}"


def get_time() -> datetime.time:
    """What time it is."""
    return datetime.time(12, 30)


def divide(one: float, other: float) -> float:
    """One number by another."""
    return one / other


@dataclasses.dataclass
class Item:
    name: str
    price: decimal.Decimal
    count: int = 1


def order(items: List[Item], day: Optional[datetime.date] = None) -> dict:
    """Order items."""
    assert all(isinstance(item, Item) for item in items)
    return {"sum": sum(item.price * item.count for item in items), "day": day}


async def slow_weather(city: str) -> str:
    """The weather in a city, awaited."""
    await asyncio.sleep(0)
    return f"awaited in {city}"


FUNCTIONS = [get_weather, get_time, divide, order]
READY = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {
            "properties": {"q": {"$ref": "#/$defs/Q"}},
            "required": ["q"],
            "$defs": {"Q": {"type": "string"}},
        },
    },
}
CUSTOM = {"type": "custom", "custom": {"name": "shout"}}


# --- what the server says


class Says(NamedTuple):
    """One reply of the model: text, calls as (name, arguments), and why it ended."""

    text: Optional[str] = None
    calls: tuple = ()
    finish: Optional[str] = None
    extra: dict = {}  # further fields of the message
    ids: tuple = ()  # in place of call_1, call_2, ...

    @property
    def message(self):
        ids = self.ids or [f"call_{number + 1}" for number in range(len(self.calls))]
        made = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, (name, arguments) in zip(ids, self.calls)
        ]
        for call in made:
            if call["function"]["name"] == "shout":
                call.update(type="custom", custom={"name": "shout", "input": call.pop("function")["arguments"]})
        return {"role": "assistant", "content": self.text, **({"tool_calls": made} if made else {}), **self.extra}

    @property
    def finish_reason(self):
        return self.finish or ("tool_calls" if self.calls else "stop")

    def whole(self):
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish_reason}
        return {"id": "c1", "model": "gpt-4o-mini", "choices": [choice], "usage": USAGE}

    def streamed(self):
        """The same in chunks, each text and each call's arguments in two pieces."""
        message = self.message
        deltas = [{"role": "assistant", **self.extra}]
        text = message["content"] or ""
        deltas += [{"content": piece} for piece in (text[:3], text[3:]) if piece]
        for index, call in enumerate(message.get("tool_calls", ())):
            kind, word = ("function", "arguments") if "function" in call else ("custom", "input")
            written = call[kind][word]
            first = written if not isinstance(written, str) else written[:4]
            deltas.append({"tool_calls": [{**call, "index": index, kind: {**call[kind], word: first}}]})
            if first != written:
                deltas.append({"tool_calls": [{"index": index, kind: {word: written[4:]}}]})
        choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": self.finish_reason})
        head = {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-mini"}
        return [*({**head, "choices": [choice]} for choice in choices), {**head, "choices": [], "usage": USAGE}]


DONE = Says("All done.")


def client_of(transport, **settings):
    return rawchat.Client("sk-test", "http://127.0.0.1:1/v1", transport=transport, max_retries=0, **settings)


def run_sync(stream=False, parallel=1):
    def run(transport, messages, functions, **options):
        return rawchat.run_tools(client_of(transport), messages, functions, stream=stream, parallel=parallel, **options)

    return run


def run_async(stream=False, parallel=1):
    def run(transport, messages, functions, **options):
        async def ask():
            async with rawchat.AsyncClient(
                "sk-test", "http://127.0.0.1:1/v1", transport=transport, max_retries=0
            ) as client:
                return await rawchat.run_tools_async(
                    client, messages, functions, stream=stream, parallel=parallel, **options
                )

        return asyncio.run(ask())

    return run


# Name -> (how it is run, whether the answers are streams).
FACES = {
    "whole": (run_sync(), False),
    "streamed": (run_sync(stream=True), True),
    "threads": (run_sync(parallel=4), False),
    "async": (run_async(), False),
    "async streamed, together": (run_async(stream=True, parallel=4), True),
}


@pytest.fixture(params=FACES)
def face(request):
    """face(script, ...) -> (the ToolRun, the transport): one table for every way to run it."""
    how, streamed = FACES[request.param]

    def run(script, functions=FUNCTIONS, messages="Go.", **options):
        replies = [
            (says.streamed() if streamed else says.whole()) if isinstance(says, Says) else says for says in script
        ]
        transport = memory.MemoryTransport(replies)
        options.setdefault("on_text", lambda text: None)
        try:
            return how(transport, messages, functions, **options), transport
        finally:
            transport.assert_done()

    return run


class Row(NamedTuple):
    """`told` is what stands in the tool messages, each whole or, after "...", a part of it; `errors` names classes."""

    name: str
    calls: tuple
    told: tuple
    errors: tuple = ()
    arguments: tuple = ()


ROWS = [
    Row("one call", (("get_weather", '{"city":"Paris"}'),), ("sunny in Paris, 22 c",), arguments=({"city": "Paris"},)),
    Row(
        "two calls are answered in order",
        (("get_weather", '{"city":"Paris","unit":"f"}'), ("get_time", "{}")),
        ("sunny in Paris, 22 f", '"12:30:00"'),
    ),
    Row("the same function twice", (("get_weather", '{"city":"A"}'), ("get_weather", '{"city":"B"}')), ("sunny in A, 22 c", "sunny in B, 22 c")),
    Row("null stands for the default", (("get_weather", '{"city":"Rome","unit":null}'),), ("sunny in Rome, 22 c",), arguments=({"city": "Rome"},)),
    Row("no arguments at all", (("get_time", ""),), ('"12:30:00"',), arguments=({},)),
    Row("arguments that are an object already", (("get_weather", {"city": "Oslo"}),), ("sunny in Oslo, 22 c",)),
    Row(
        "values of the function's own types",
        (("order", '{"items":[{"name":"tea","price":"2.50","count":2}],"day":"2026-01-31"}'),),
        ('{"sum": "5.00", "day": "2026-01-31"}',),
        arguments=({"items": [Item("tea", decimal.Decimal("2.50"), 2)], "day": datetime.date(2026, 1, 31)},),
    ),
    Row("a name that there is not", (("get_wether", "{}"),), ("...there is no tool called 'get_wether'; there are: get_weather, get_time",), ("SchemaMismatch",), ("{}",)),
    Row("arguments that are no JSON", (("get_weather", '{"city":'),), ("...the arguments are no JSON",), ("SchemaMismatch",), ('{"city":',)),
    Row("arguments that do not fit", (("get_weather", '{"city":7}'),), ("...do not fit get_weather: at $.city: expected string, got integer",), ("SchemaMismatch",)),
    Row("a path into the arguments", (("order", '{"items":[{"name":"tea","price":"x"}]}'),), ("...at $.items[0].price",), ("SchemaMismatch",)),
    Row("an argument too many", (("get_time", '{"zone":"UTC"}'),), ('...unexpected property \\"zone\\"',), ("SchemaMismatch",)),
    Row("a function that fails", (("divide", '{"one":1,"other":0}'),), ('...ZeroDivisionError: ',), ("ZeroDivisionError",)),
    Row(
        "a failure among successes",
        (("divide", '{"one":1,"other":0}'), ("nothing", "{}"), ("divide", '{"one":1,"other":4}')),
        ("...ZeroDivisionError", "...there is no tool", "0.25"),
        ("ZeroDivisionError", "SchemaMismatch", "NoneType"),
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_round_of_calls(row, face):
    """The functions get what the model wrote, checked and built; the model is told what came of it, in order."""
    run, transport = face([Says(calls=row.calls), DONE])
    sent = transport.json(1)["messages"]
    answers = [message for message in sent if message["role"] == "tool"]
    assert [message["tool_call_id"] for message in answers] == [f"call_{i + 1}" for i in range(len(row.calls))]
    for message, told in zip(answers, row.told):
        assert told[3:] in message["content"] if told.startswith("...") else message["content"] == told
        if told.startswith("..."):
            assert list(json.loads(message["content"])) == ["error"]
    errors = row.errors or ("NoneType",) * len(row.calls)
    assert tuple(type(call.error).__name__ for call in run.calls) == errors
    assert [call.content for call in run.calls] == [message["content"] for message in answers]
    assert all(call.round == 1 and call.seconds >= 0 for call in run.calls)
    if row.arguments:
        assert tuple(call.arguments for call in run.calls) == row.arguments
    assert (run.text, run.finished, run.ended, run.rounds) == ("All done.", True, "answered", 2)
    assert run.messages[: len(sent)] == sent
    assert run.messages[len(sent) :] == [{"role": "assistant", "content": "All done."}]


def test_what_is_offered(face):
    """Schemas of the functions, ready ones as they are; the caller's own parameters go along each time."""
    script = [
        Says(calls=(("search", '{"q":"x"}'), ("shout", "hey"), ("look", '{"city":"Bonn"}'), ("search", '{"q":1}'))),
        DONE,
    ]
    functions = {"look": get_weather, "search": (READY, lambda q: q * 2), "shout": (CUSTOM, str.upper)}
    run, transport = face(script, functions, temperature=0, model="gpt-4o")
    for number in (0, 1):
        body = transport.json(number)
        assert (body["temperature"], body["model"]) == (0, "gpt-4o")
        assert body["tools"] == [rawchat.tool_schema(get_weather, name="look"), READY, CUSTOM]
        assert "tool_choice" not in body
    assert [call.content for call in run.calls[:3]] == ["xx", "HEY", "sunny in Bonn, 22 c"]
    assert "at $.q: expected string" in run.calls[3].content


@pytest.mark.parametrize(
    ("choice", "later"),
    [
        ("required", None),
        ("auto", None),
        ("none", "none"),
        ({"type": "function", "function": {"name": "get_time"}}, None),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function"}]}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]}},
        ),
    ],
    ids=["required", "auto", "none", "a named one", "some of them"],
)
def test_a_choice_that_demands_a_call_counts_once(choice, later, face):
    """Sent again with the results, it would have the model call for ever."""
    _, transport = face([Says(calls=(("get_time", "{}"),)), DONE], tool_choice=choice)
    assert transport.json(0)["tool_choice"] == choice
    assert transport.json(1).get("tool_choice") == later


def test_what_stands_beside_the_calls_is_sent_back(face):
    """Reasoning, a provider's extra fields and the text before the calls are part of the transcript."""
    extra = {"reasoning_content": "Hm.", "vendor": {"signature": "abc"}}
    run, transport = face([Says("Let me look.", (("get_time", "{}"),), extra=extra), DONE])
    sent = transport.json(1)["messages"][1]
    assert (sent["content"], sent["reasoning_content"], sent["vendor"]) == ("Let me look.", "Hm.", {"signature": "abc"})
    assert run.messages[1] == sent


@pytest.mark.parametrize("ids", [("", ""), ("same", "same")], ids=["none", "one for all"])
def test_calls_without_ids_of_their_own_get_some(ids):
    """Each answer must say which call it answers; some servers leave the ids empty."""
    transport = memory.MemoryTransport(
        [Says(calls=(("get_time", ""), ("get_time", "")), ids=ids).whole(), DONE.whole()]
    )
    rawchat.run_tools(client_of(transport), "Go.", FUNCTIONS)
    asked, *answers = transport.json(1)["messages"][1:]
    made = [call["id"] for call in asked["tool_calls"]]
    assert [message["tool_call_id"] for message in answers] == made
    assert len(set(made)) == 2
    assert "" not in made


def test_too_many_rounds_lose_nothing(face):
    """The calls of the last round are made, the transcript can be sent on, and sending it goes on."""
    again = Says(calls=(("get_time", "{}"),))
    run, transport = face([again, again], max_rounds=2)
    assert (run.finished, run.ended, run.rounds, run.text, len(run.calls)) == (False, "max_rounds", 2, "", 2)
    assert [message["role"] for message in run.messages] == ["user", "assistant", "tool", "assistant", "tool"]
    more, transport = face([DONE], messages=run.messages)
    assert transport.json(0)["messages"] == run.messages
    assert (more.finished, more.calls, more.text) == (True, [], "All done.")


@pytest.mark.parametrize(
    ("says", "calls_made", "ended"),
    [
        (Says(calls=(("get_weather", '{"ci'),), finish="length"), 0, "length"),
        (Says(calls=(("get_time", ""),), finish="length"), 0, "length"),
        (Says(calls=(("get_time", "{}"), ("get_weather", '{"ci')), finish="length"), 1, "length"),
        (Says(calls=(("get_weather", '{"ci'),), finish="content_filter"), 0, "content_filter"),
        (Says("A long", finish="length"), 0, "answered"),
    ],
    ids=["in the arguments", "before the arguments", "in the second call", "by the filter", "in the text"],
)
def test_a_reply_that_is_cut_off(says, calls_made, ended, face):
    """A call that was cut in two is not made, and no further reply is paid for; what was whole is done."""
    run, _ = face([says])
    assert sum(call.error is None for call in run.calls) == calls_made
    assert (run.ended, run.rounds, run.finished) == (ended, 1, ended == "answered")
    assert [message["role"] for message in run.messages[2:]] == ["tool"] * len(says.calls)


def test_a_whole_call_in_a_reply_that_was_cut_off_is_made(face):
    """Only the text behind it was lost."""
    run, _ = face([Says(calls=(("get_time", "{}"),), finish="length"), DONE])
    assert (run.ended, run.calls[0].error) == ("answered", None)


def test_a_refusal_is_an_answer(face):
    run, _ = face([Says(extra={"refusal": "I can't."})])
    assert (run.finished, run.text, run.reply.refusal) == (True, "", "I can't.")


def test_the_cost_is_that_of_all_rounds(face):
    """The sum of the replies' costs; None as soon as one is unknown."""
    run, _ = face([Says(calls=(("get_time", "{}"),)), DONE])
    assert run.cost == pytest.approx(2 * (100 * 0.15 + 10 * 0.6) / 1e6)
    run.replies[0].cost = None
    assert run.cost is None


def test_messages_stay_as_they_were(face):
    """The caller's list and dicts are not touched."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Go."}]
    run, transport = face([Says(calls=(("get_time", "{}"),)), DONE], messages=messages)
    assert [len(messages), len(transport.json(0)["messages"]), len(run.messages)] == [2, 2, 5]


# --- text


def test_every_rounds_text_goes_to_on_text(face):
    """Streamed in pieces or whole, the text before a call as well."""
    pieces = []
    run, _ = face([Says("Let me look.", (("get_time", "{}"),)), DONE], on_text=pieces.append)
    assert "".join(pieces) == "Let me look.All done."
    assert run.text == "All done."


def test_a_stream_is_printed_a_round_a_line(capsys):
    """Without on_text; what is not streamed is not printed."""
    script = [Says("Let me look.", (("get_time", "{}"),)), Says(calls=(("get_time", "{}"),)), DONE]
    run_sync(stream=True)(memory.MemoryTransport([says.streamed() for says in script]), "Go.", FUNCTIONS)
    assert capsys.readouterr().out == "Let me look.\nAll done.\n"
    run_async(stream=True)(memory.MemoryTransport([says.streamed() for says in script]), "Go.", FUNCTIONS)
    assert capsys.readouterr().out == "Let me look.\nAll done.\n"
    run_sync()(memory.MemoryTransport([says.whole() for says in script]), "Go.", FUNCTIONS)
    assert capsys.readouterr().out == ""


# --- what goes wrong with the run itself


def test_an_error_has_the_transcript(face):
    """What was done before it is in .messages, and goes on from there: nothing is called twice."""
    called = []

    def note(what: str) -> str:
        called.append(what)
        return "noted"

    failure = memory.reply(status=400, body={"error": {"message": "no"}})
    with pytest.raises(rawchat.BadRequestError) as caught:
        face([Says(calls=(("note", '{"what":"a"}'),)), failure], [note])
    assert [message["role"] for message in caught.value.messages] == ["user", "assistant", "tool"]
    run, _ = face([DONE], [note], messages=caught.value.messages)
    assert (run.text, called) == ("All done.", ["a"])


@pytest.mark.parametrize("parallel", [1, 4], ids=["in order", "threads"])
def test_ctrl_c_in_a_function_ends_the_run(parallel):
    """It is not told to the model; what was answered stays, and what is open is called when the run goes on."""
    struck = []

    def risky(number: int) -> int:
        if number == 2 and not struck:
            struck.append(True)
            raise KeyboardInterrupt
        return number

    run = run_sync(parallel=parallel)
    script = [Says(calls=tuple(("risky", json.dumps({"number": number})) for number in (1, 2, 3))).whole()]
    with pytest.raises(KeyboardInterrupt) as caught:
        run(memory.MemoryTransport(script), "Go.", [risky])
    messages = caught.value.messages
    assert [message["content"] for message in messages if message["role"] == "tool"] == ["1"]
    transport = memory.MemoryTransport([DONE.whole()])
    more = run(transport, messages, [risky])
    assert [message["content"] for message in transport.json(0)["messages"][2:]] == ["1", "2", "3"]
    assert [(call.arguments, call.round) for call in more.calls] == [({"number": 2}, 0), ({"number": 3}, 0)]


def test_a_stream_that_breaks_off_raises_with_what_came():
    """The text so far is in the error's reply, the rounds before in its messages."""
    broken = memory.reply(pieces=memory.sse("Once upon", done=False), error=memory.cut())
    transport = memory.MemoryTransport([Says(calls=(("get_time", "{}"),)).streamed(), broken])
    with pytest.raises(rawchat.StreamInterrupted) as caught:
        run_sync(stream=True)(transport, "Go.", FUNCTIONS, on_text=lambda text: None)
    assert (caught.value.reply.text, len(caught.value.messages)) == ("Once upon", 3)


def test_a_coroutine_needs_the_async_loop():
    """The sync loop says so at once and leaves no coroutine behind; the async one awaits it."""
    call = Says(calls=(("slow_weather", '{"city":"Kyoto"}'),))
    with pytest.raises(rawchat.PayloadError, match=r"slow_weather has to be awaited.*run_tools_async"):
        run_sync()(memory.MemoryTransport([call.whole()]), "Go.", [slow_weather])
    run = run_async()(memory.MemoryTransport([call.whole(), DONE.whole()]), "Go.", [slow_weather])
    assert run.calls[0].content == "awaited in Kyoto"


@pytest.mark.parametrize("parallel", [1, 2, 5])
def test_how_many_run_at_once(parallel):
    """Coroutines of one reply run together, no more than asked for, and are answered in order."""
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5 - number):
            await asyncio.sleep(0)
        running -= 1
        return number

    script = [Says(calls=tuple(("work", json.dumps({"number": n})) for n in range(5))).whole(), DONE.whole()]
    run = run_async(parallel=parallel)(memory.MemoryTransport(script), "Go.", [work])
    assert (most, [call.content for call in run.calls]) == (parallel, list("01234"))


def test_threads_run_at_once_and_answer_in_order():
    """Two calls that wait for each other end only if both are running."""
    barrier = threading.Barrier(2, timeout=10)

    def meet(name: str) -> str:
        barrier.wait()
        return name

    script = [Says(calls=(("meet", '{"name":"a"}'), ("meet", '{"name":"b"}'))).whole(), DONE.whole()]
    run = run_sync(parallel=2)(memory.MemoryTransport(script), "Go.", [meet])
    assert [(call.result, call.error) for call in run.calls] == [("a", None), ("b", None)]


WRONG = [
    ("two of one name", [get_time, get_time], {}, "two tools are called get_time"),
    ("no function", ["get_time"], {}, "a tool is a function, got str"),
    ("half a pair", [(READY, None)], {}, "a tool of one's own is a pair"),
    ("a pair without a name", [({"type": "function"}, get_time)], {}, "a tool of one's own is a pair"),
    ("no rounds", FUNCTIONS, {"max_rounds": 0}, "max_rounds must be 1 or more"),
    ("tools of one's own", FUNCTIONS, {"tools": [READY]}, "tools= is made of the functions"),
    ("strict that cannot be", [lambda anything: 1], {"strict": True}, "cannot be called"),
]


@pytest.mark.parametrize(("functions", "options", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_cannot_be_offered_is_refused_before_sending(functions, options, words, face):
    with pytest.raises(rawchat.PayloadError, match=words):
        face([], functions, **options)


def test_a_key_in_an_exception_is_not_told():
    """The text of an exception goes to somebody else's server."""
    key = "sk-proj-0123456789abcdefghij"

    def leak() -> None:
        raise ValueError(f"wrong key {key} " + "x " * 5000)

    transport = memory.MemoryTransport([Says(calls=(("leak", ""),)).whole(), DONE.whole()])
    run = rawchat.run_tools(client_of(transport), "Go.", leak)
    assert key not in run.calls[0].content
    assert len(run.calls[0].content) < 2200
    assert key in str(run.calls[0].error)


class Color(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):
    HELLO = "hello"


class Model:
    def model_dump(self, mode):
        return {"mode": mode}


class Array:
    def tolist(self):
        return [1, 2]


class Pair(NamedTuple):
    one: int
    other: str


RESULTS = [
    ("a text as it is", 'say "hi"', 'say "hi"'),
    ("no text", "", ""),
    ("nothing", None, "null"),
    ("truth", True, "true"),
    ("a number", 2.5, "2.5"),
    ("not ASCII", {"où": "été"}, '{"où": "été"}'),
    ("a dataclass, nested", [Item("tea", decimal.Decimal("2.50"))], '[{"name": "tea", "price": "2.50", "count": 1}]'),
    ("a pydantic model", Model(), '{"mode": "json"}'),
    ("a choice", [Color.RED, Word.HELLO], '["red", "hello"]'),
    ("a choice of texts alone", Word.HELLO, "hello"),
    (
        "dates",
        [datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4)],
        '["2026-01-02", "2026-01-02T03:04:00"]',
    ),
    ("an id", uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
    ("a path", pathlib.PurePosixPath("a/b"), '"a/b"'),
    ("tuples and sets", [(1, 2), {3}, frozenset()], "[[1, 2], [3], []]"),
    ("a named tuple", Pair(1, "a"), '[1, "a"]'),
    ("an array", Array(), "[1, 2]"),
    ("half a character", "a\ud800b", "a\ufffdb"),
]


@pytest.mark.parametrize(("value", "text"), [row[1:] for row in RESULTS], ids=[row[0] for row in RESULTS])
def test_what_a_function_returns(value, text):
    told = tools.result_text(value)
    assert (told, type(told)) == (text, str)


@pytest.mark.parametrize(
    "value", [b"bytes", object(), Item, [len]], ids=["bytes", "an object", "a class", "a function"]
)
def test_what_is_no_json_is_a_failure_of_the_function(value):
    """The model is told that there is nothing to tell, the caller has the reason."""
    transport = memory.MemoryTransport([Says(calls=(("give", ""),)).whole(), DONE.whole()])
    run = rawchat.run_tools(client_of(transport), "Go.", {"give": lambda: value})
    assert isinstance(run.calls[0].error, TypeError)
    assert "which is no JSON" in run.calls[0].content


# --- end to end


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_weather_on_the_practice_server(practice, stream):
    """Real sockets, a server that checks schemas and transcripts: two cities, two calls, one answer."""
    with rawchat.Client("sk-practice", practice.url) as client:
        pieces = []
        run = rawchat.run_tools(
            client,
            "What is the weather in Paris and in Tokyo?",
            [get_weather, get_time],
            stream=stream,
            on_text=pieces.append,
        )
    assert [(call.name, call.arguments["city"], call.error) for call in run.calls] == [
        ("get_weather", "Paris", None),
        ("get_weather", "Tokyo", None),
    ]
    assert (run.finished, run.rounds) == (True, 2)
    assert run.text == "".join(pieces) != ""
    assert run.cost > 0


def test_the_weather_on_the_practice_server_async(practice):
    async def ask():
        async with rawchat.AsyncClient("sk-practice", practice.url) as client:
            return await rawchat.run_tools_async(
                client, "What is the weather in Paris and in Tokyo?", [slow_weather], tool_choice="required"
            )

    run = asyncio.run(ask())
    assert [call.content for call in run.calls] == ["awaited in Paris", "awaited in Tokyo"]
    assert run.finished
