"""The log: what a call did, at which level, and never what was said unless somebody asked for it."""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading

import pytest

from . import forms, module, rawchat
from .scripts import SCRIPTS, Answer, completion, delta, failure, stream, whole
from .test_client import over_memory

log = module("log")
memory = module("transport.memory")
sdk = module("sdk")

KEY = "sk-test-0123456789abcdef"
QUERY_KEY = "opensesame4711"
PROMPT = "the prompt nobody may read"
ANSWER = "the answer nobody may read"
URL = f"http://127.0.0.1:9/v1?key={QUERY_KEY}&api-version=2024-10-21&tenant=acme"
LOGGER = rawchat.__name__


class Keeper(logging.Handler):
    """Keeps the records it gets."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    @property
    def lines(self):
        return [record.getMessage() for record in self.records]

    @property
    def everything(self):
        """All that any formatter could write of the records: lines and fields."""
        return "\n".join(f"{record.getMessage()} {vars(record)!r}" for record in self.records)


@pytest.fixture(autouse=True)
def logger():
    """The package's logger, put back as it was."""
    found = logging.getLogger(LOGGER)
    before = (found.level, list(found.handlers), found.propagate)
    yield found
    found.setLevel(before[0])
    found.handlers[:] = before[1]
    found.propagate = before[2]


@pytest.fixture
def kept(logger):
    """What the package's logger gets from INFO on."""
    keeper = Keeper()
    logger.addHandler(keeper)
    logger.setLevel(logging.INFO)
    return keeper


def client(*answers, **given):
    replies = [memory.reply(status=one.status, headers=one.headers, pieces=one.pieces) for one in answers]
    return rawchat.Client(KEY, URL, transport=memory.MemoryTransport(replies), **given)


GOOD_STREAM = stream(delta(ANSWER[:10]), delta(ANSWER[10:]), delta(finish="stop"), "[DONE]")
RETRIED = [
    failure(429, f"You said: {PROMPT}", {"Retry-After": "2", "X-Request-Id": "req_1"}, code="rate_limit_exceeded"),
    Answer(200, {"Content-Type": "application/json", "X-Request-Id": "req_2"}, whole(ANSWER).pieces),
]


def test_a_call_is_told_in_one_line_for_each_attempt_and_each_wait(kept):
    """Method, URL, model, status, code, request id, times, bytes, tokens, how it ended, and why it waited."""
    client(*RETRIED).chat(PROMPT)
    first, wait, second = kept.lines

    assert "attempt 1: POST http://127.0.0.1:9/v1/chat/completions?key=<key:" in first
    assert "&api-version=2024-10-21&tenant=..., gpt-4o-mini, RateLimitError, status 429" in first
    assert "code rate_limit_exceeded, request id req_1, head after " in first
    assert wait.endswith(": waiting 2 s before attempt 2: 429 rate limit, the server asks for 2 s")
    assert "status 200, request id req_2, head after " in second
    assert f" {len(RETRIED[1].body)} bytes, 10+5 tokens, finish_reason stop, $0.0000" in second
    assert {record.levelname for record in kept.records} == {"INFO"}
    assert {record.name for record in kept.records} == {LOGGER}


def test_each_record_carries_its_facts_as_fields(kept):
    """For structured logging; a record with a name of its own for one of them would have been an error."""
    client(*RETRIED).chat(PROMPT)
    first, wait, second = kept.records

    assert (first.wire_event, first.attempt, first.status, first.request_id) == ("failed", 1, 429, "req_1")
    assert (first.error, first.error_code, first.final) == ("RateLimitError", "rate_limit_exceeded", False)
    assert (wait.wire_event, wait.wait_s, wait.call) == ("waiting", 2.0, first.call)
    assert (second.wire_event, second.prompt_tokens, second.completion_tokens) == ("done", 10, 5)
    assert (second.finish_reason, second.model, second.response_bytes) == ("stop", "gpt-4o-mini", len(RETRIED[1].body))
    assert 0 <= second.head_ms <= second.duration_ms
    assert second.cost_usd > 0


def test_the_fields_are_none_of_the_loggers_own():
    """logging refuses a record whose extra field would hide one of its own."""
    own = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
    ours = {*log.FACTS, "wire_event", "call", "attempt", "wait_s", "why", "final", "body", "text"}
    assert own & ours == set()


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_every_script_is_told_whole_and_without_content(script, face, kept, logger):
    """A line for each attempt and each wait; even at DEBUG neither the prompt, nor the answer, nor the server's words."""
    logger.setLevel(logging.DEBUG)
    with over_memory(script) as (transport, _):
        ask = {"sync": ask_sync, "async": ask_async}[face]
        ask(transport, script, {name: value for name, value in script.options.items() if name != "timeout"})
    told = [record.wire_event for record in kept.records]

    assert told.count("sending") == told.count("done") + told.count("failed") == len(script.answers)
    assert told.count("waiting") == len(script.answers) - 1
    heads = [answer for answer in script.answers if answer.end != "refused"]
    assert told.count("received") == len(heads)
    for content in (
        KEY,
        QUERY_KEY,
        PROMPT,
        "Hello.",
        "Hel",
        "Once",
        "wrong key",
        "slow down",
        "Bad Gateway",
        "upstream",
    ):
        assert content not in kept.everything


def ask_sync(transport, script, options):
    talking = rawchat.Client(KEY, URL, transport=transport)
    with contextlib.suppress(rawchat.APIError):
        talking.chat(PROMPT, **options) if script.way == "chat" else list(talking.stream(PROMPT, **options))


def ask_async(transport, script, options):
    async def ask():
        async with rawchat.AsyncClient(KEY, URL, transport=transport) as talking:
            if script.way == "chat":
                await talking.chat(PROMPT, **options)
                return
            async with talking.stream(PROMPT, **options) as answer:
                async for _ in answer:
                    pass

    with contextlib.suppress(rawchat.APIError):
        asyncio.run(ask())


def ask_by_sdk(answers, folder):
    made = sdk.OpenAI(api_key=KEY, base_url=URL, transport=client(*answers).transport)
    made.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": PROMPT}])


def ask_by_batch(answers, folder):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": PROMPT}]}
    row = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": body}
    (folder / "in.jsonl").write_text(json.dumps(row) + "\n")
    assert rawchat.run_batch(client(*answers), folder / "in.jsonl", folder / "out.jsonl").done == 1


def ask_with_options(answers, folder):
    client(*answers).with_options(max_retries=5).chat(PROMPT)


WAYS = [("the SDK's shape", ask_by_sdk), ("a batch run", ask_by_batch), ("a client made of another", ask_with_options)]


@pytest.mark.parametrize("ask", [row[1] for row in WAYS], ids=[row[0] for row in WAYS])
def test_every_way_to_ask_is_logged_once(ask, kept, tmp_path):
    """Each attempt has one line, also where a client was made from another."""
    ask([whole(ANSWER)], tmp_path)
    assert [record.wire_event for record in kept.records] == ["done"]


# Who listens, and when that is decided -------------------------------------------------------------------------------


def test_logging_may_be_set_up_after_the_client_was_made(logger):
    """As with every other library: the next attempt is logged, and none before it."""
    talking = client(whole(), whole(), whole())
    keeper = Keeper()
    logger.addHandler(keeper)
    talking.chat(PROMPT)
    assert keeper.records == []
    logger.setLevel(logging.INFO)
    talking.chat(PROMPT)
    assert len(keeper.records) == 1
    logger.setLevel(logging.NOTSET)
    talking.chat(PROMPT)
    assert len(keeper.records) == 1


def test_nobody_listens_by_default(logger):
    """No handler is added, no level is set, and a client has no listeners but those it was given."""
    talking = client(whole())
    talking.chat(PROMPT)
    assert (logger.handlers, logger.level, talking.listeners) == ([], logging.NOTSET, ())


def test_the_log_is_none_of_the_clients_listeners(kept):
    """`client.listeners` are those that were given, whoever reads the log meanwhile."""
    seen = []
    talking = client(whole(), listeners=[seen.append])
    talking.chat(PROMPT)
    assert talking.listeners == (seen.append,)
    assert len(kept.records) == 1 and len(seen) == 4


# What was said: by explicit wish -------------------------------------------------------------------------------------


def test_bodies_are_shown_by_explicit_wish(kept, logger, monkeypatch):
    """At DEBUG with bodies=True: the request, the answer and the server's words about an error; keys hidden."""
    logger.setLevel(logging.DEBUG)
    told = client(*RETRIED, listeners=[log.LogListener(bodies=True)]).chat(
        PROMPT, extra_body={"api_key": "k3y-of-mine"}
    )
    assert told.text == ANSWER
    by_event = {record.wire_event: record for record in kept.records}

    assert PROMPT in by_event["request_body"].body and '"model":"gpt-4o-mini"' in by_event["request_body"].body
    assert by_event["error_text"].text == f"429 Too Many Requests: You said: {PROMPT} (request id req_1)"
    assert ANSWER in by_event["response_body"].body
    for secret in (KEY, QUERY_KEY, "k3y-of-mine"):
        assert secret not in kept.everything


NO_BODIES = [
    ("at INFO", logging.INFO, {"bodies": True}),
    ("at DEBUG without the wish", logging.DEBUG, {"bodies": False}),
]


@pytest.mark.parametrize("level, given", [row[1:] for row in NO_BODIES], ids=[row[0] for row in NO_BODIES])
def test_one_of_the_two_is_no_wish(level, given, kept, logger):
    """A level alone, and a wish alone, show no content."""
    logger.setLevel(level)
    client(*RETRIED, listeners=[log.LogListener(**given)]).chat(PROMPT)
    assert len(kept.records) >= 3
    assert PROMPT not in kept.everything and ANSWER not in kept.everything


ODD_BODIES = [
    ("no text", b"\xff\xfe\x00\x01", "[4 bytes that are no text]"),
    ("a second line", b'{"a":\n1}', '{"a":\\n1}'),
    ("an escape sequence", b'"\x1b[2J"', '"\\x1b[2J"'),
    ("a per cent sign", b'"100 %s"', '"100 %s"'),
    ("a long one", b"x" * 20_007, "x" * 20_000 + " ... 7 characters more"),
]


@pytest.mark.parametrize("body, shown", [row[1:] for row in ODD_BODIES], ids=[row[0] for row in ODD_BODIES])
def test_a_body_is_one_line_of_text(body, shown, kept, logger):
    """Whatever it holds: it forges no line, commands no terminal, and is cut where it is longer than anybody reads."""
    logger.setLevel(logging.DEBUG)
    client(whole(), listeners=[log.LogListener(bodies=True)]).request("POST", "files", body=body, required="choices")
    found = next(record for record in kept.records if record.wire_event == "request_body")
    assert found.body == shown
    assert found.getMessage().endswith(f" > {shown}")


def test_the_servers_names_are_shown_and_its_sentences_are_not(kept):
    """A code, a type or a finish_reason that is no word may be a quotation."""
    answers = [failure(400, "no", code=f"quoting {PROMPT}", type="invalid_request_error", param="messages[0].content")]
    with pytest.raises(rawchat.BadRequestError):
        client(*answers).chat(PROMPT)
    (record,) = kept.records
    assert (record.error_type, record.error_param) == ("invalid_request_error", "messages[0].content")
    assert PROMPT not in kept.everything and not hasattr(record, "error_code")


def test_our_own_words_about_a_connection_are_shown(kept):
    """ "connection refused" is what one looks for in a log."""
    error = rawchat.APIConnectionError("cannot connect to 127.0.0.1:9: connection refused")
    error.phase = "connect"
    transport = memory.MemoryTransport([error])
    with pytest.raises(rawchat.APIConnectionError):
        rawchat.Client(KEY, URL, transport=transport, max_retries=0).chat(PROMPT)
    assert "APIConnectionError, phase connect, cannot connect to 127.0.0.1:9: connection refused, end" in kept.lines[0]


def test_a_stream_is_told_when_it_is_over(kept):
    """Events are counted however the reads cut them; leaving early is said."""
    pieces = [bytes([byte]) for byte in GOOD_STREAM.body]
    talking = client(GOOD_STREAM._replace(pieces=pieces), GOOD_STREAM)
    talking.stream(PROMPT).read()
    with talking.stream(PROMPT) as answer:
        next(iter(answer))
    whole_one, left = kept.records
    assert (whole_one.events, whole_one.response_bytes) == (4, len(pieces))
    assert left.left_early and left.getMessage().endswith("left before the end")


def test_calls_at_the_same_time_are_told_apart(kept):
    """One listener, many threads: each line has the facts of its own call."""
    talking = rawchat.Client(KEY, URL, transport=memory.MemoryTransport(lambda request: {**completion(), "model": "m"}))
    threads = [threading.Thread(target=talking.chat, args=(PROMPT,), kwargs={"model": f"m{n}"}) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record.model for record in kept.records) == sorted(f"m{n}" for n in range(16))
    assert len({record.call for record in kept.records}) == 16


def test_calls_that_never_end_are_forgotten(kept, monkeypatch):
    """A cancelled task tells no end; what is remembered of it does not pile up."""
    monkeypatch.setattr(log, "MOST_CALLS", 3)
    listener = log.LogListener()
    for call in range(10):
        request = rawchat.Request("POST", URL, (), b"{}")
        listener(rawchat.Sending(0.0, call, 1, request, "memory"))
    assert "3 calls under way" in repr(listener)


# RAWCHAT_LOG ---------------------------------------------------------------------------------------------------------

VARIABLE = "RAWCHAT_LOG"
PROGRAM = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
package = importlib.import_module(sys.argv[2])
body = {"choices": [{"message": {"role": "assistant", "content": "the answer nobody may read"}, "finish_reason": "stop"}]}
client = package.Client("sk-test-0123456789abcdef", "http://127.0.0.1:9/v1", transport=package.MemoryTransport([body] * 2))
client.chat("the prompt nobody may read")
exec(sys.argv[3])
"""


def run(then, **environment):
    """What a program of its own writes to stderr: one call, then `then`."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, forms.PLACE, forms.NAME, then]
    clean = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**clean, **environment})
    assert done.returncode == 0, done.stderr
    return done.stderr


@forms.needs_modules
@pytest.mark.parametrize("environment", [{}, {VARIABLE: " "}], ids=["unset", "blank"])
def test_without_a_wish_logging_is_not_even_loaded(environment):
    """Its import would cost more than a call."""
    assert run("assert 'logging' not in sys.modules", **environment) == ""


def test_the_variable_writes_to_stderr():
    """One plain line for each attempt, without content; and once, where the program sets up logging as well."""
    told = run("import logging; logging.basicConfig(); client.chat('again')", **{VARIABLE: "INFO"})
    first, second = told.splitlines()
    assert f" {LOGGER} INFO call 1, attempt 1: POST http://127.0.0.1:9/v1/chat/completions" in first
    assert second.startswith(f"INFO:{LOGGER}:call 2, attempt 1: POST ")
    assert "nobody may read" not in told


def test_debug_set_by_hand_shows_bodies():
    """That is the explicit wish; a program's own DEBUG is none, even beside RAWCHAT_LOG=info."""
    assert run("", **{VARIABLE: "debug"}).count("nobody may read") == 2
    chatty = (
        "import logging; logging.basicConfig(level='DEBUG'); logging.getLogger(package.__name__).setLevel('DEBUG'); "
    )
    for environment in ({}, {VARIABLE: "info"}):
        told = run(chatty + "client.chat('nobody may read')", **environment)
        assert "sending POST" in told
        assert "nobody may read" not in told


def test_a_program_with_handlers_gets_no_second_one(kept, logger, monkeypatch):
    """And a level that lets more through stays."""
    logger.setLevel(logging.DEBUG)
    monkeypatch.setenv(VARIABLE, "info")
    client(whole()).chat(PROMPT)
    assert logger.handlers == [kept]
    assert logger.level == logging.DEBUG


@pytest.mark.parametrize("value", ["1", "true", "warn", KEY])
def test_another_value_is_warned_of_and_not_quoted(value, monkeypatch, logger):
    """An instrument must not break the program that it is to observe; the warning names the values there are."""
    monkeypatch.setenv(VARIABLE, value)
    with pytest.warns(UserWarning, match="RAWCHAT_LOG must be info or debug") as caught:
        assert client(whole()).chat(PROMPT).text == "Hello."
    assert value not in str(caught[0].message)
    assert logger.handlers == []


def test_the_logger_is_the_packages():
    """A copy under another name, or inside another package, logs under that name; a parent's settings reach it."""
    assert rawchat.__name__ == log.LOGGER
    assert rawchat.LogListener is log.LogListener


def test_a_logger_of_ones_own(kept):
    """For a program that wants one client's calls elsewhere."""
    own, keeper = logging.Logger("own", logging.INFO), Keeper()
    own.addHandler(keeper)
    client(whole(), listeners=[log.LogListener(own)]).chat(PROMPT)
    assert len(keeper.records) == 1 and kept.records == []
