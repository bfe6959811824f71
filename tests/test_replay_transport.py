"""Doors that answer from a cassette: what a client makes of the replay is what it made of the real thing."""

import asyncio
import re
import subprocess
import sys
import textwrap
import threading

import pytest

from . import forms, lab_tapes as tapes, module, rawchat
from .awaited import FACES
from .test_library_recorder import QUESTION, attached, face, stream_text

cassette = module("lab.cassette")
exchange_module = module("lab.exchange")
pace = module("lab.pace")
replay = module("lab.replay_transport")
sdk = module("sdk")
wire = module("protocol.wire")

DOORS = {"sync": replay.ReplayTransport, "async": replay.AsyncReplayTransport}
NO_RETRIES = {"max_retries": 0}


def replayed(kind, source, *, door=None, **options):
    """(a client over the replay, its transport)."""
    transport = DOORS[kind](source, **(door or {}))
    return FACES[kind]("another-key", "http://127.0.0.1:1/v1", transport=transport, **options), transport


def record_of(exchange):
    """A Cassette of one exchange made by hand."""
    return cassette.Cassette("calls.jsonl", [exchange], [])


FAULTS = ["", "429-msx1", "401", "500", "cut@3", "cut-inside@3", "cut-clean@3", "reset@3", "stall@3", "stall-head", "close-head", "reset-head", "error@3", "html-200", "empty-200", "gzip", "stall-finish", "text-200", "301"]  # fmt: skip


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_replay_comes_to_what_the_real_thing_came_to(practice, tmp_path, kind, fault):
    """Text, error class, words, attempts, waits; recorded from the practice server, and played without it."""
    options = {"max_retries": 1 if "x1" in fault else 0, "timeout": (5, 0.3)}
    model = f"fault/{fault}" if fault else "gpt-4o-mini"
    real = face(kind, practice, **options)
    with cassette.record(attached(real), tmp_path / "calls.jsonl"):
        text, error = stream_text(kind, real, model)
    client, transport = replayed(kind, tmp_path / "calls.jsonl", **options)
    text_again, error_again = stream_text(kind, client, model)

    assert text_again == text
    assert type(error_again) is type(error)
    if error is not None:
        # The port of the base URL is another, and so is the number of bytes where the peer is named.
        assert without_ports(str(error_again)) == without_ports(str(error))
        assert (error_again.status, error_again.code, error_again.attempts) == (
            error.status,
            error.code,
            error.attempts,
        )
        assert error_again.headers == error.headers
        assert (error_again.reply and error_again.reply.text) == (error.reply and error.reply.text)
    transport.assert_done()


def without_ports(text):
    return re.sub(r"127\.0\.0\.1:\d+", "HOST", text)


@pytest.mark.parametrize("kind", FACES)
def test_a_replay_gives_the_same_reply(practice, tmp_path, kind):
    """Whole answers and streams are equal to those of the real run, id and usage included."""
    real = face(kind, practice)
    with cassette.record(attached(real), tmp_path / "calls.jsonl"):
        whole = real.chat(QUESTION)
        vectors = real.embed(["a", "b"])
    client, transport = replayed(kind, tmp_path / "calls.jsonl")
    assert client.chat(QUESTION) == whole
    assert list(client.embed(["a", "b"])) == list(vectors)
    transport.assert_done()


# Case of lab_tapes -> the class of error, what arrived. Recorded on the wire, with framing, as a tap does.
WIRE_CASES = {
    "stream": (None, "one two three"),
    "gzip": (None, "one two three"),
    "close-delimited": (None, "one two three"),
    "split UTF-8": (None, "Grüße an 東京 \U0001f600"),
    "library": (None, "one two three"),
    "reset": ("StreamInterrupted", "one two"),
    "timeout": ("APITimeoutError", "one two"),
    "cut": ("StreamInterrupted", "one two"),
    "client gone": ("StreamInterrupted", "one two"),
    "no end": ("StreamInterrupted", "one"),
    "error event": ("InternalServerError", "one"),
    "unreachable": ("APIConnectionError", ""),
    "no answer": ("APITimeoutError", ""),
}


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("case", WIRE_CASES)
def test_what_a_tap_recorded_is_played_too(kind, case):
    """Framing and coding undone, cuts kept, every end as a door meets it; a timeout without waiting."""
    name, expected = WIRE_CASES[case]
    tape = tapes.tape_of(case)
    transport = DOORS[kind](cassette.Cassette("calls.jsonl", tape.exchanges, []), ignore=["*"])
    client = FACES[kind]("k", "http://127.0.0.1:1/v1", transport=transport, **NO_RETRIES)
    text, error = stream_text(kind, client, "m")
    assert (error and type(error).__name__, text) == (name, expected)


def test_the_cuts_of_the_reads_are_the_recorded_ones():
    """Each read gives what a read gave."""
    exchange = tapes.make("split UTF-8")
    response = replay.ReplayTransport(record_of(exchange)).send(exchange.request, connect_timeout_s=1, read_timeout_s=1)
    pieces = [response.read_some() for _ in range(5)]
    assert pieces == [*(piece.data for piece in exchange.body_pieces()), b""]
    assert response.read_some() == b""


def test_listeners_hear_a_replay_as_they_heard_the_call(practice, tmp_path):
    """The same events; and a recording of the replay holds the same exchanges, ends included."""
    ask = {"timeout": (5, 0.3), **NO_RETRIES}
    real = face("sync", practice, **ask)
    models = ["gpt-4o-mini", "fault/reset@3", "fault/cut@3", "fault/stall@3", "fault/429", "fault/close-head"]
    with cassette.record(real, tmp_path / "one.jsonl"):
        for model in models:
            stream_text("sync", real, model)
    client, _ = replayed("sync", tmp_path / "one.jsonl", **ask)
    with cassette.record(client, tmp_path / "two.jsonl"):
        for model in models:
            stream_text("sync", client, model)
    one, two = (cassette.read_cassette(str(tmp_path / name)).exchanges for name in ("one.jsonl", "two.jsonl"))
    assert [each.end.how for each in one] == ["eof", "reset", "eof", "timeout", "eof", "eof"]
    for was, now in zip(one, two):
        assert (was.end.how, was.end.whole) == (now.end.how, now.end.whole)
        assert [piece.data for piece in was.pieces] == [piece.data for piece in now.pieces]
        assert (was.head and was.head.headers.pairs) == (now.head and now.head.headers.pairs)


def test_waits_between_attempts_are_noted_and_not_slept():
    """Speed "instant"; the server's wish of a second is in `sleeps`."""
    tape = tapes.tape_of("retry")
    client, transport = replayed("sync", cassette.Cassette("calls.jsonl", tape.exchanges, []))
    assert client.send(tapes.STREAMED).read().text == "one two three"
    assert transport.sleeps == [1.0] and len(transport.requests) == 2


@pytest.mark.parametrize("kind", FACES)
def test_speeds_wait_for_what_is_due(kind, monkeypatch):
    """Each piece waits until its own time from the sending, not from the piece before; at double speed for half of it."""
    waits = []
    exchange = tapes.make("library")
    monkeypatch.setattr(
        replay._Answer, "_pause_s", lambda self, at_us: (waits.append(self._pace.due_s(at_us)), (0, False))[1]
    )
    for speed, divisor in (("original", 1), (2, 2), ("instant", None)):
        waits.clear()
        client, _ = replayed(kind, record_of(exchange), door={"speed": speed, "ignore": ["*"]}, **NO_RETRIES)
        stream_text(kind, client, "m")
        at_us = [exchange.head_us, *(piece.at_us for piece in exchange.pieces)]
        assert waits[: len(at_us)] == [pytest.approx(at / 1e6 / divisor if divisor else 0.0) for at in at_us]


@pytest.mark.parametrize("kind", FACES)
def test_a_slow_recording_meets_the_read_timeout_of_today(kind):
    """At its own pace the head took 100 ms; a client that waits 20 ms for it gives up, as it would have then."""
    door = {"speed": "original", "ignore": ["*"]}
    client, _ = replayed(kind, record_of(tapes.make("stream")), door=door, timeout=(1, 0.02), **NO_RETRIES)
    text, error = stream_text(kind, client, "m")
    assert (text, type(error)) == ("", rawchat.APITimeoutError) and "0.02 s" in str(error)


def test_cancelling_ends_a_wait():
    """From another thread, as with a real door."""
    tape = tapes.Tape()
    tape.stream(tapes.events("one", "two"), layer=exchange_module.BODY, gap_ms=60_000)
    client, _ = replayed(
        "sync", record_of(tape.exchanges[0]), door={"speed": "original", "ignore": ["*"]}, **NO_RETRIES
    )
    stream = client.stream("Hi")
    assert next(stream.events()) is not None
    timer = threading.Timer(0.05, stream.cancel)
    timer.start()
    assert list(stream) == []
    timer.join()


def test_cancelling_a_task_ends_a_wait():
    """The async door waits for its event, and holds nothing."""
    tape = tapes.Tape()
    tape.stream(tapes.events("one"), layer=exchange_module.BODY, first_ms=60_000)

    async def ask():
        transport = replay.AsyncReplayTransport(record_of(tape.exchanges[0]), speed="original", ignore=["*"])
        async with rawchat.AsyncClient("k", "http://127.0.0.1:1/v1", transport=transport) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.chat("Hi"), 0.05)

    asyncio.run(ask())


def test_a_miss_reaches_the_caller_at_once(practice, tmp_path):
    """No retry cures it; nothing is sent anywhere; what it says helps."""
    real = face("sync", practice)
    with cassette.record(real, tmp_path / "calls.jsonl"):
        real.chat(QUESTION)
    client, transport = replayed("sync", tmp_path / "calls.jsonl")
    with pytest.raises(rawchat.CassetteMiss, match=r'messages\[0\]\.content: "Count to five\." -> "Count to six\."'):
        client.chat("Count to six.")
    assert (len(transport.requests), transport.sleeps) == (1, [])
    with pytest.raises(AssertionError, match="1 of 1 recorded exchanges not asked for: #1 POST /v1/chat/completions"):
        transport.assert_done()
    assert [each.number for each in transport.unplayed] == [1]


@pytest.mark.parametrize(("after_last", "texts"), [("last", ["a", "b", "b"]), ("again", ["a", "b", "a"])])
def test_asking_more_often_than_recorded(after_last, texts):
    """A miss unless told otherwise."""
    tape = tapes.Tape()
    for text in ("a", "b"):
        tape.add(pieces=[tapes.compact(tapes.completion(text))])
    source = cassette.Cassette("calls.jsonl", tape.exchanges, [])
    client, _ = replayed("sync", source, door={"after_last": after_last})
    assert [client.send(tapes.PAYLOAD).text for _ in range(3)] == texts
    client, _ = replayed("sync", source)
    assert [client.send(tapes.PAYLOAD).text for _ in range(2)] == ["a", "b"]
    with pytest.raises(rawchat.CassetteMiss):
        client.send(tapes.PAYLOAD)


def test_one_exchange_of_a_file_by_its_number(tmp_path):
    """ReplayTransport("calls.jsonl#2")."""
    path = tapes.save(tmp_path / "calls.jsonl", "401", "whole")
    client, _ = replayed("sync", f"{path}#2", **NO_RETRIES)
    assert client.send(tapes.PAYLOAD).text == "one two three"


def test_the_sdks_shape_over_a_replay(tmp_path):
    """OpenAI and AsyncOpenAI take the doors as their transport."""
    path = tapes.save(tmp_path / "calls.jsonl", "whole", "tools")
    ask = tapes.PAYLOAD
    with sdk.OpenAI(api_key="k", base_url="http://127.0.0.1:1/v1", transport=replay.ReplayTransport(path)) as client:
        assert client.chat.completions.create(**ask).choices[0].message.content == "one two three"

    async def ask_async():
        door = replay.AsyncReplayTransport(path)
        async with sdk.AsyncOpenAI(api_key="k", base_url="http://127.0.0.1:1/v1", transport=door) as client:
            return await client.chat.completions.create(**ask)

    assert asyncio.run(ask_async()).choices[0].message.content == "one two three"


@forms.needs_modules
def test_the_example_works(tmp_path):
    """The fixture and the test of the module's docstring, run by pytest, pass; with another greeting they fail."""
    example = replay.__doc__.partition("\n\n")[2].partition("\n\nThe cassette is made once")[0]
    example = textwrap.dedent(example).replace("rawchat", rawchat.__name__)
    example = re.sub(r" {3,}every recorded.*", "", example)
    greet = 'def greet(client, name):\n    return client.chat(f"Greet {name}.", model="m").text\n'
    (tmp_path / "test_it.py").write_text(f"{example}\n\n{greet}", encoding="utf-8")
    (tmp_path / "tests").mkdir()
    tape = tapes.Tape()
    tape.add(
        {"model": "m", "messages": [{"role": "user", "content": "Greet Ada."}], "user": "someone"},
        pieces=[tapes.compact(tapes.completion("Hello, Ada!"))],
    )
    tape.save(tmp_path / "tests" / "calls.jsonl")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    environment = {**__import__("os").environ, "PYTHONPATH": forms.PLACE}
    passed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert passed.returncode == 0, passed.stdout
    (tmp_path / "test_it.py").write_text(
        f"{example}\n\n{greet.replace('Greet {name}', 'Hail {name}')}", encoding="utf-8"
    )
    failed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert failed.returncode == 1 and '"Greet Ada." -> "Hail Ada."' in failed.stdout


@pytest.mark.parametrize("options", [{"speed": "fast"}, {"after_last": "never"}, {"ignore": "user"}], ids=repr)
def test_options_that_cannot_be_meant(tmp_path, options):
    """Told when the door is made."""
    with pytest.raises(rawchat.PayloadError):
        replay.ReplayTransport(tapes.save(tmp_path / "calls.jsonl", "whole"), **options)


# What a recording of a real run must keep of its times. The machine that runs the tests may be busy with other things:
# a run that was disturbed is run again, and three disturbed runs in a row are no accident.
SLACK_MS = 8
SHARE = 0.2


def times_of(exchange):
    return [exchange.head_us, *(piece.at_us for piece in exchange.body_pieces())]


def is_alike(was, now):
    return len(was) == len(now) and all(abs(a - b) <= SHARE * a + SLACK_MS * 1000 for a, b in zip(was, now))


@pytest.mark.parametrize("kind", FACES)
def test_a_real_run_is_replayed_at_its_own_pace(tmp_path, kind):
    """Ten events, 20 ms apart: recorded, replayed at speed "original" and recorded again, the times agree within 20 %
    and a few milliseconds; the replies are equal; at speed "instant", too.
    """
    with module("lab.practice").PracticeServer(pace_ms=20) as server:
        real = face(kind, server)
        with cassette.record(attached(real), tmp_path / "one.jsonl"):
            text, error = stream_text(kind, real, "gpt-4o-mini")
    assert error is None
    (one,) = cassette.read_cassette(str(tmp_path / "one.jsonl")).exchanges
    assert len(one.pieces) >= 10
    for attempt in range(3):
        client, _ = replayed(kind, tmp_path / "one.jsonl", door={"speed": "original"})
        with cassette.record(attached(client), tmp_path / f"two{attempt}.jsonl"):
            assert stream_text(kind, client, "gpt-4o-mini") == (text, None)
        (two,) = cassette.read_cassette(str(tmp_path / f"two{attempt}.jsonl")).exchanges
        assert two.reply() == one.reply()
        if is_alike(times_of(one), times_of(two)):
            break
    else:
        pytest.fail(f"three replays out of time: {times_of(one)} {times_of(two)}")
    client, _ = replayed(kind, tmp_path / "one.jsonl")
    with cassette.record(attached(client), tmp_path / "three.jsonl"):
        assert stream_text(kind, client, "gpt-4o-mini") == (text, None)
    (three,) = cassette.read_cassette(str(tmp_path / "three.jsonl")).exchanges
    assert three.reply() == one.reply() and [piece.data for piece in three.pieces] == [
        piece.data for piece in one.pieces
    ]
