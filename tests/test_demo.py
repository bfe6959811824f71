"""The demonstration: with nothing set up, and against a server that is."""

import io
import re

import pytest

from . import forms, module

demo = module("lab.demo")
practice = module("lab.practice")


class Sleepless(forms.door_class(module)):
    """The default door, but that it notes how long it was to sleep."""

    def __init__(self):
        super().__init__()
        self.sleeps = []

    def sleep(self, seconds, wake=None):
        self.sleeps.append(seconds)


@pytest.fixture
def door():
    transport = Sleepless()
    yield transport
    transport.close()


@pytest.fixture
def told(door):
    """told(given, ...) -> what the demonstration prints."""

    def told(given, **options):
        out = io.StringIO()
        demo.demonstrate(given, out=out, pace_ms=0, transport=door, **options)
        return out.getvalue()

    return told


def test_with_nothing_set_up_it_shows_a_retry_an_answer_and_a_bill(told, door):
    """A 429 with its wait, text about tokens, four lines of bill, and what to try next."""
    text = told({})
    assert re.match(r"Nothing is set up, .*\nat first with a 429: http://127\.0\.0\.1:[0-9]+/fault/429x1/v1\n", text)
    assert f"\n> {demo.QUESTION}\n429 rate limit" in text
    assert re.search(r"^429 rate limit.*; trying again in 1\.0 s \(2 of 3\)$", text, re.MULTILINE)
    assert door.sleeps == [1.0]
    answer, bill = text.split("(2 of 3)\n")[1].split("\n\nAPI Calls: 1\n")
    assert "token" in answer
    assert re.match(r"Input tokens: [1-9][0-9,]*\nOutput tokens: [1-9][0-9,]*\nTotal cost: \$0\.0000[0-9]{2}\n", bill)
    assert text.rstrip().splitlines()[-1].strip() == demo.NEXT[-1][1]


def test_a_server_that_is_set_up_is_asked_without_a_fault(told):
    """Its address is said, it gets the question once, and no 429 comes."""
    with practice.PracticeServer(pace_ms=0, key="sk-given") as server:
        said = f"A server or a key is set up, so that server answers: {server.url}\n"
        text = told({"base_url": server.url, "api_key": "sk-given"}, command="python3 scripts/run")
        paths = [record.target for record in server.requests if record.method == "POST"]
    assert text.startswith(said)
    assert paths == ["/v1/chat/completions"]
    assert "429 rate limit" not in text
    assert "  python3 scripts/run chat --practice -v " in text
    assert "sk-given" not in text


def test_an_error_is_the_callers(told):
    """A wrong key is no part of the show: the client's error comes out."""
    with (
        practice.PracticeServer(pace_ms=0, key="sk-right") as server,
        pytest.raises(module("protocol.errors").AuthenticationError),
    ):
        told({"base_url": server.url, "api_key": "sk-wrong"}, model="gpt-4o-mini")


def test_a_server_without_the_usual_model_is_asked_for_one_it_has(told):
    """Ollama and its like offer models of their own; one without a list of models is asked for the usual one."""

    class Offering:
        def __init__(self, names):
            self.names = names

        def models(self):
            if self.names is None:
                raise module("protocol.errors").NotFoundError("404 Not Found")
            return {"data": [{"id": name} for name in self.names]}

    given = {"base_url": "http://localhost:11434/v1"}
    assert demo._offered_model(Offering(["llama3", "qwen3"]), given) == "llama3"
    assert demo._offered_model(Offering(["a", "gpt-4o-mini"]), given) == "gpt-4o-mini"
    assert demo._offered_model(Offering([]), given) == "gpt-4o-mini"
    assert demo._offered_model(Offering(None), given) == "gpt-4o-mini"
    assert demo._offered_model(Offering(["llama3"]), {"api_key": "k"}) == "gpt-4o-mini"
