"""The programs in scripts/examples/ do what they say: each is run, against a practice server, and its output is read.

`ROWS` has a row for every program, and a test that says so. What a program shows only where things go wrong, or of a
part that a newcomer may copy, is tested below the table.
"""

import ast
import io
import os
import re
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Tuple

import pytest

from . import forms, module, rawchat
from .test_floors import load

TOP = Path(__file__).resolve().parent.parent
EXAMPLES = TOP / "scripts" / "examples"
FILES = sorted(EXAMPLES.glob("*.py"))
HELPER = "connection.py"


def needing_requests(name):
    """The program's name, with a mark where it uses requests itself."""
    uses = "import requests" in (EXAMPLES / name).read_text(encoding="utf-8")
    return pytest.param(name, marks=forms.needs_requests) if uses else name


class Row(NamedTuple):
    """`shows` stands in the output, in this order. `reached` is how many requests came to the server.

    `fault` is in the server's address, `typed` comes from the keyboard, `waits` are the seconds that were slept,
    `warns` stands in stderr.
    """

    shows: Tuple[str, ...]
    reached: int
    fault: str = ""
    typed: str = ""
    waits: Tuple[float, ...] = ()
    warns: Tuple[str, ...] = ()


ROWS = {
    "azure.py": Row(
        (
            "/openai/deployments/gpt-4o-mini/chat/completions\n",
            "gpt-4o-mini-2024-07-18: One, two, three.\n",
            "One, two, three, four, five.\n(finish reason: stop)\n",
        ),
        2,
    ),
    "choose_by_price.py": Row(
        (
            "gpt-4o  ",
            "$0.00",
            "gpt-4.1-mini",
            "$0.00",
            "gpt-4o-mini",
            "$0.00",
            "chosen: gpt-4",
            "$0.00",
            "An embedding",
        ),
        1,
    ),
    "code_debugger.py": Row(
        (
            "4.0\nTraceback",
            'File "average.py", line 2, in average\nZeroDivisionError: division by zero\n',
            "You said: “This program:\n\n```python\ndef average(numbers):",
            "fails with:\n\n```\nTraceback",
            "ZeroDivisionError: division by zero\n```”",
            "system message says: “You find bugs in Python programs.",
        ),
        1,
    ),
    "code_translator.py": Row(
        ("You said: “def perimeter(width, height):", "Translate the user's code into JavaScript."), 1
    ),
    "concurrent_prompts.py": Row(
        (
            *(f"{number} * {number} = {number * number}. I am" for number in range(1, 6)),
            "BadRequestError: 400 Bad Request: Invalid value: 'nobody'",
            *(f"{number} * {number} = {number * number}. I am" for number in range(6, 12)),
            "; ".join(f"{number} * {number} = {number * number}" for number in range(1, 12)) + "\n",
        ),
        23,
    ),
    "cost_capped_run.py": Row(
        (
            "A token is",
            "With stream",
            "An embedding",
            "Stopped after",
            "of 10 questions: not sent: gpt-4o-mini",
            "API Calls:",
            "Budget left:",
            "of $0.000400",
        ),
        9,
    ),
    "count_streamed_tokens.py": Row(("10 pieces, 10 tokens\n",), 1),
    "own_retry.py": Row(
        (
            "429: waiting 1 s\n429: waiting 1 s\nOne, two, three.\n",
            "429 rate limit, the server asks for 1 s: waiting 1.0 s\n" * 2 + "One, two, three, four, five.\n",
        ),
        6,
        fault="429x2",
        waits=(1.0,) * 4,
    ),
    "python_tutor.py": Row(
        (
            "> My name is Ada.",
            "\nNoted: your name is Ada.",
            "\n\n> And when is a plain loop better?\n",
            "Your system message says: “You are a patient Python tutor.",
            "the first thing you said was: “My name is Ada.",
            "\n\n> What is my name?\nYour name is Ada: it stands in message 2 of this request.",
            "\n\nAPI Calls: 3\n",
            "Total cost: $0.00",
        ),
        3,
    ),
    "review_extraction.py": Row(
        (
            "***** Gooseneck kettle: buy\n      + ",
            "\n      - ",
            "\n**    Travel mug: buy\n",
            "\nRefusalError: the model refused:",
        ),
        3,
    ),
    "safe_call.py": Row(
        (
            "a good call: all is well\n",
            "an unknown model: None\n",
            "a prompt of the wrong type: None\n",
            "a server that is not there: None\n",
        ),
        2,
        warns=(
            "no answer: 404 Not Found: The model `no-such-model`",
            "no answer: messages must be a text",
            "no answer: is the server running? cannot connect to 127.0.0.1:9",
        ),
    ),
    "semantic_search.py": Row(
        (
            "<Embeddings 5 x 1536, text-embedding-3-small, ",
            "> How do I get my money back for an item?\n",
            "0.36  You get your money back if you return an item within 30 days.\n",
            "0.10  ",
        ),
        2,
    ),
    "stream_and_collect.py": Row(("One, two, three,", " nine, ten.\n58 characters in 20 pieces\n"), 1),
    "terminal_chat.py": Row(
        (
            "Your name is noted.",
            "\n> Your name is Ada",
            "\n> > forgotten: What is my name?\n",
            "> there is /undo, /cost\n",
            "> API Calls: 2\n",
            "\n> \nAPI Calls: 2\n",
            "Total cost: $0.00",
        ),
        2,
        typed="I am Ada\nWhat is my name?\n\n/undo\n/nothing\n/cost\n",
    ),
    "trim_conversation.py": Row(
        (
            "all: 10 messages, about 1",
            "kept: 6 messages, about 8",
            "  system: You plan journeys. Be brief.\n  user: What time is it in Rome now?\n",
            "  assistant: calls get_time\n  tool: 14:05\n  assistant: Five past two in the afternoon.\n",
            "  user: Is there a train from Rome to Naples this evening?\n",
            "You said: “Is there a train",
            "tokens by the server's count: 1",
        ),
        1,
    ),
    "weather_tools.py": Row(
        (
            "get_weather({'city': 'Paris', 'unit': 'celsius'}) -> 22 °C\n",
            "get_weather({'city': 'Oslo', 'unit': 'celsius'}) -> 4 °C\n",
            "get_weather({'city': 'Atlantis', 'unit': 'celsius'}) -> LookupError: there is no weather station in Atl",
            "get_weather answered: 22 °C.",
            '{"error": "LookupError: there is no weather station in Atlantis"}',
            "\n2 requests, 6 messages\n",
        ),
        2,
    ),
}


class Output(NamedTuple):
    text: str
    errors: str
    waits: Tuple[float, ...]


@pytest.fixture(autouse=True)
def as_started_from_the_folder(monkeypatch):
    """Python puts a program's own folder on the path; runpy leaves that to us. They know the package by its own name."""
    for name, known in forms.aliases(module).items():
        monkeypatch.setitem(sys.modules, name, known)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    sys.modules.pop("connection", None)


@pytest.fixture
def play(practice, monkeypatch, capsys):
    """Runs a program as `python scripts/examples/NAME ARGUMENTS` would, against the practice server."""

    def play(name, *arguments, fault="", typed=""):
        waits = []
        monkeypatch.setattr(time, "sleep", waits.append)
        at = f"{practice.root}/fault/{fault}/v1" if fault else practice.url
        monkeypatch.setenv("OPENAI_BASE_URL", at)
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", practice.root)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "practice")
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
        monkeypatch.setattr(sys, "argv", [str(EXAMPLES / name), *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return Output(*capsys.readouterr(), tuple(waits))

    return play


def assert_in_order(text, fragments):
    place = 0
    for fragment in fragments:
        found = text.find(fragment, place)
        assert found >= 0, f"{fragment!r} does not stand in {text[place:]!r}"
        place = found + len(fragment)


# ---- every program


def test_every_program_has_a_row():
    """And every row its program: who adds one says what it is to show."""
    assert {path.name for path in FILES} == {*ROWS, HELPER}


@pytest.mark.parametrize("name", [needing_requests(name) for name in ROWS])
def test_a_program_shows_what_it_is_to_show(name, play, practice):
    """Run for real, from its first line to its last."""
    row = ROWS[name]
    output = play(name, fault=row.fault, typed=row.typed)

    assert_in_order(output.text, row.shows)
    assert_in_order(output.errors, row.warns)
    assert bool(output.errors) == bool(row.warns)
    assert output.waits == row.waits
    assert len(practice.requests) == row.reached
    # What the server holds against a client that did not sleep is not the program's fault.
    assert row.waits or not [finding for finding in practice.verdict() if finding.level == "fail"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_program_can_be_read_by_a_newcomer(path):
    """Short, says how it is run, begins at its main, and asks rawchat for nothing but what its face offers."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    used = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and name_of(node.value) == "rawchat"
    }

    assert len(text.splitlines()) <= 60
    assert used <= set(rawchat.__all__)
    assert str(TOP) not in text
    if path.name == HELPER:
        return
    assert ast.get_docstring(tree)
    assert re.search(rf"(?m)^    python scripts/examples/{re.escape(path.name)}(  .*)?$", text)
    assert text.count('if __name__ == "__main__":') == 1
    assert "connection" in imported
    assert not [name for name in imported if name.startswith("rawchat")]


def name_of(node):
    return node.id if isinstance(node, ast.Name) else ""


def test_a_program_runs_from_anywhere_with_nothing_set_up(tmp_path):
    """No server, no key, no installation: a practice server answers, and rawchat is found in the checkout.

    Without site-packages (-S), so that only `requests` is there, and no installed rawchat.
    """
    outside = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    outside.update(PYTHONPATH=forms.site_packages(), PYTHONIOENCODING="utf-8")
    command = [sys.executable, "-S", "-B", "-W", "error", str(EXAMPLES / "weather_tools.py"), "The weather in Cairo?"]
    done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, encoding="utf-8", timeout=60)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("get_weather({'city': 'Cairo', 'unit': 'celsius'}) -> 35 °C\n")
    assert re.fullmatch(
        r"Nothing is set up, so a practice server .* answers: http://127\.0\.0\.1:\d+/v1\n", done.stderr
    )


# ---- where they ask


@pytest.fixture
def connection():
    return load(EXAMPLES / HELPER)


def test_a_checkout_is_found_where_nothing_is_installed(monkeypatch):
    """The checkout goes to the end of the path: it hides nothing."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    before = [*sys.path]
    source = (EXAMPLES / HELPER).read_text(encoding="utf-8")
    exec(
        compile(source, str(EXAMPLES / HELPER), "exec"), {"__file__": str(EXAMPLES / HELPER), "__name__": "connection"}
    )
    assert sys.path == [*before, str(TOP)]


OPENAI = "https://api.openai.com/v1"
SETTINGS = [
    ("an address", {"BASE_URL": "http://127.0.0.1:1/v1"}, ("http://127.0.0.1:1/v1", None, "gpt-4o-mini")),
    ("a key", {"API_KEY": "sk-test"}, (OPENAI, "sk-test", "gpt-4o-mini")),
    ("a model, too", {"API_KEY": "sk-test", "MODEL": "gpt-4o"}, (OPENAI, "sk-test", "gpt-4o")),
    ("a blank address", {"API_KEY": "sk-test", "BASE_URL": " "}, (OPENAI, "sk-test", "gpt-4o-mini")),
]


@pytest.mark.parametrize("variables, expected", [row[1:] for row in SETTINGS], ids=[row[0] for row in SETTINGS])
def test_a_server_that_is_set_up_is_asked(variables, expected, connection, monkeypatch, capsys):
    """Then no practice server is started, and nothing is said."""
    for name, value in variables.items():
        monkeypatch.setenv(f"OPENAI_{name}", value)
    with connection.connect(max_retries=7) as client:
        assert (client.base_url, client.model, client.settings.max_retries) == (expected[0], expected[2], 7)
    with connection.server(fault="429") as given:
        assert tuple(given.values()) == expected
    assert capsys.readouterr() == ("", "")


def test_with_nothing_set_up_a_practice_server_answers(connection, monkeypatch, capsys):
    """With the fault that the program wants to show, and for as long as the block lasts."""
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    with connection.server(fault="404") as given:
        with rawchat.Client(**given) as client, pytest.raises(rawchat.NotFoundError):
            client.chat("Hello")
    assert given["base_url"] in capsys.readouterr().err
    with rawchat.Client(**given, max_retries=0) as client, pytest.raises(rawchat.APIConnectionError):
        client.chat("Hello")


def test_the_practice_server_plays_azure(monkeypatch, capsys):
    """Where no endpoint is set up; each model is a deployment."""
    monkeypatch.setattr(sys, "argv", ["azure.py", "gpt-4o"])
    runpy.run_path(str(EXAMPLES / "azure.py"), run_name="__main__")
    output = capsys.readouterr()
    assert_in_order(output.out, ("/openai/deployments/gpt-4o/", "gpt-4o-2024-08-06: One, two, three.\n"))
    assert "practice server" in output.err


# ---- what single programs promise


def test_the_tutor_remembers(play, practice):
    """The third question goes out with the two before it and their answers."""
    play("python_tutor.py")
    roles = [message["role"] for message in practice.requests[2].document["messages"]]
    assert roles == ["system", *["user", "assistant"] * 2, "user"]
    assert all(record.stream for record in practice.requests)


PROGRAMS = [
    ("a program that fails", "print('here')\n{}['x']\n", "here\nTraceback", "KeyError: 'x'\n", 1),
    ("one that cannot be compiled", "print(1\n", "Traceback", "SyntaxError", 1),
    ("one that runs", "print('fine')\n", "fine\n", "It runs: there is nothing to explain.\n", 0),
]


@pytest.mark.parametrize("code, first, then, reached", [row[1:] for row in PROGRAMS], ids=[row[0] for row in PROGRAMS])
def test_the_debugger_takes_a_program(code, first, then, reached, play, practice, tmp_path):
    """Only a failure is sent, and with it where it happened."""
    (tmp_path / "mine.py").write_text(code)
    output = play("code_debugger.py", str(tmp_path / "mine.py"))
    assert_in_order(output.text, (first, then))
    assert len(practice.requests) == reached
    assert all("mine.py" in record.document["messages"][1]["content"] for record in practice.requests)


FENCED = [("a fence", "echo: ```rust\nlet a = 1;\nlet b;\n```"), ("no fence", "echo: let a = 1;\nlet b;")]


@pytest.mark.parametrize("code", [row[1] for row in FENCED], ids=[row[0] for row in FENCED])
def test_the_translator_prints_code_and_nothing_else(code, play, practice, tmp_path):
    """A fence around the whole answer is taken off."""
    (tmp_path / "code.py").write_text(code)
    assert play("code_translator.py", "Rust", str(tmp_path / "code.py")).text == "let a = 1;\nlet b;\n"
    (record,) = practice.requests
    assert "into Rust" in record.document["messages"][0]["content"]
    assert record.document["temperature"] == 0


def test_a_failed_question_does_not_end_the_conversation(play):
    """It is shown, and the next one is asked."""
    output = play("terminal_chat.py", fault="400", typed="one\ntwo\n")
    assert output.text.count("BadRequestError: 400 Bad Request") == 2
    assert output.text.endswith("Total cost: $0.000000\n")


def test_ctrl_c_stops_the_answer_and_not_the_conversation(play, monkeypatch):
    """While an answer is written; at the prompt it ends the program as Ctrl-D does."""
    answers = iter([KeyboardInterrupt])

    def send(session, question, stream):
        raise next(answers)

    monkeypatch.setattr(rawchat.ChatSession, "send", send)
    output = play("terminal_chat.py", typed="one\n")
    assert_in_order(output.text, ("> (stopped; what had come is remembered)\n> ", "API Calls: 0"))


def test_the_prompts_do_not_all_run_at_once(play, practice):
    """A connection carries one request at a time: four at most for the client, three for the semaphore."""
    play("concurrent_prompts.py")
    first, second = practice.requests[:12], practice.requests[12:]
    assert len({record.connection for record in first}) <= 4
    assert len({record.connection for record in second}) <= 3


def test_the_refused_call_was_never_sent(play, practice):
    """What the program says it stopped after is what reached the server; a larger budget is enough for all."""
    output = play("cost_capped_run.py", "0.0002")
    stopped_after = int(re.search(r"Stopped after (\d+)", output.text)[1])
    assert output.text.count("Stopped after") == 1
    assert 0 < stopped_after == len(practice.requests) == output.text.count("\n$") + 1
    assert "Stopped" not in play("cost_capped_run.py", "0.01").text


@forms.needs_requests
@pytest.mark.parametrize("ending", [[b"", b"data: [DONE]", b""], [b"", b"data: [DONE]"], [b""], []])
def test_pieces_are_counted_however_the_lines_end(ending):
    """Pings, roles and empty texts are no pieces; what the server does not tell is None."""
    lines = [b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}', b"", b": ping", b""]
    lines += [
        b'data: {"choices":[{"delta":{"content":"Hel"}}]}',
        b"",
        b'data: {"choices":[{"delta":{"content":"lo"}}]}',
    ]
    assert load(EXAMPLES / "count_streamed_tokens.py").count([*lines, *ending]) == (2, None)


def test_the_collected_pieces_are_what_was_printed(practice, capsys):
    """And half an answer is an error, not a short answer."""
    collect = load(EXAMPLES / "stream_and_collect.py").stream_and_collect
    with rawchat.Client(base_url=practice.url) as client:
        text, pieces = collect(client, "Count to three.")
        assert (text, pieces) == ("One, two, three.", 6)
        assert capsys.readouterr().out == text + "\n"
        with pytest.raises(rawchat.StreamInterrupted) as caught:
            collect(client.with_options(model="fault/cut@3"), "Count to three.")
    assert capsys.readouterr().out == caught.value.reply.text == "One,"


def test_a_bad_key_is_told_apart(practice, capsys):
    """The errors that a program treats differently stand before the one that takes all."""
    safe_chat = load(EXAMPLES / "safe_call.py").safe_chat
    with rawchat.Client(base_url=practice.url, model="fault/401") as client:
        assert safe_chat(client, "Hello") is None
    assert capsys.readouterr().err.startswith("no answer: check OPENAI_API_KEY: 401 ")


class Failing:
    """A call that fails with these errors, one after the other, and then answers."""

    def __init__(self, *failures):
        self.failures = list(failures)

    def __call__(self):
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def failing(status, retry_after_s=None):
    return module("protocol.status").error_from(rawchat.classify(status, {}, b""), retry_after_s=retry_after_s)


@forms.needs_requests
def test_the_simple_loop_goes_by_its_waits(monkeypatch):
    """The server's own wait goes first; a failure that stays, or that no wait cures, is raised."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    simple = load(EXAMPLES / "own_retry.py").simple
    assert simple(Failing(failing(503), failing(503, 5.0), failing(503)), rawchat.backoff_delays(3)) == "answer"
    assert waits == [1.0, 5.0, 4.0]
    with pytest.raises(rawchat.InternalServerError):
        simple(Failing(failing(503), failing(503)), [1.0])
    del waits[:]
    with pytest.raises(rawchat.AuthenticationError):
        simple(Failing(failing(401)), [1.0])
    assert waits == []


LOOPS = [
    ("a bad key", "401", 1, (), "401"),
    ("no end of overload", "503", 4, (0.5, 1.0, 2.0), "503"),
    ("a spent quota", "quota", 1, (), "429"),
]


@forms.needs_requests
@pytest.mark.parametrize("fault, reached, longest, words", [row[1:] for row in LOOPS], ids=[row[0] for row in LOOPS])
def test_the_careful_loop_knows_when_to_stop(fault, reached, longest, words, practice, monkeypatch):
    """At once where waiting does not help, else after three more attempts, each wait a little shorter than its double."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    payload = {"model": f"fault/{fault}", "messages": [{"role": "user", "content": "Hello"}]}
    with pytest.raises(RuntimeError, match=words):
        load(EXAMPLES / "own_retry.py").careful(f"{practice.url}/chat/completions", json=payload)
    assert len(practice.requests) == reached
    assert len(waits) == len(longest)
    assert all(0.75 * most < wait <= most for wait, most in zip(waits, longest))


def test_a_call_and_its_answer_stay_together(play):
    """With less room, both are gone; with more, both are there."""
    tight, wide = play("trim_conversation.py", "40").text, play("trim_conversation.py", "500").text
    assert "kept: 2 messages" in tight
    assert "get_time" not in tight and "14:05" not in tight
    assert_in_order(wide, ("kept: 10 messages", "assistant: calls get_time\n  tool: 14:05\n"))


CHOICES = [("room for all", 0.5, "best"), ("for some", 0.05, "middle"), ("for none", 0.001, "cheap")]


@pytest.mark.parametrize("limit_usd, expected", [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES])
def test_the_best_that_keeps_to_the_limit_is_chosen(limit_usd, expected):
    """The cheapest where none does."""
    costs = {"best": 0.2, "middle": 0.02, "cheap": 0.002}
    assert load(EXAMPLES / "choose_by_price.py").best_within(costs, limit_usd) == expected
