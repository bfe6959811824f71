"""The conversation on a terminal: what the words after a slash do and say. How it looks else is test_cli's."""

import io
import json
import sys

import pytest

from . import module, rawchat
from .scripts import GOOD, delta, event

memory = module("transport.memory")
talk_module = module("talk")

ANSWER = memory.reply(pieces=list(GOOD.pieces))


def streamed(text, model="gpt-4o-mini"):
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    chunks = [delta(text), delta(finish="stop"), {**delta(), "choices": [], "usage": usage}]
    return memory.reply(pieces=[event({**chunk, "model": model}) for chunk in chunks])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def converse(monkeypatch):
    """converse(lines, script, **settings of Talk) -> (stdout, stderr, the Talk, the transport)."""

    def converse(lines, script=(), **settings):
        typed = iter(lines)

        def ask(prompt):
            line = next(typed, EOFError)
            if isinstance(line, type):
                raise line
            return line

        monkeypatch.setattr("builtins.input", ask)
        streams = {"stdout": Terminal(), "stderr": Terminal()}
        for name, stream in streams.items():
            monkeypatch.setattr(sys, name, stream)
        transport = memory.MemoryTransport(list(script))
        client = rawchat.Client("sk-test", "http://127.0.0.1:1/v1", transport=transport, max_retries=0)
        talk = talk_module.Talk(client, **settings)
        talk_module.converse(talk)
        transport.assert_done()
        err = streams["stderr"].getvalue()
        assert "\t" not in err
        return streams["stdout"].getvalue(), err, talk, transport

    return converse


WORDS = [
    # name, lines, what stands on stderr
    ("the model", ["/model"], "\ngpt-4o-mini at http://127.0.0.1:1/v1\n"),
    ("another model", ["/model  gpt-4o "], "\ngpt-4o at http://127.0.0.1:1/v1\n"),
    ("no system message", ["/system"], "\nsystem message: none\n"),
    ("a system message", ["/system Be  brief."], "\nsystem message: Be  brief.\n"),
    ("a tab between", ["/system\tBe brief."], "\nsystem message: Be brief.\n"),
    ("the system message goes", ["/system Be brief.", "/system -"], "\nsystem message: none\n"),
    ("nothing to take back", ["/undo"], "\nthere is nothing to take back\n"),
    ("no cost yet", ["/cost"], "\nAPI Calls: 0\n"),
    ("save what", ["/save"], "\n/save needs something after it: /save FILE\n"),
    ("load what", ["/load  "], "\n/load needs something after it: /load FILE\n"),
    ("too much", ["/cost all"], "\n/cost takes nothing after it\n"),
    ("leaving with a word too much", ["/quit now", "/cost"], "\n/quit takes nothing after it\nAPI Calls: 0\n"),
    ("an unknown word", ["/sav file"], "\nthere is no /sav; /help lists the commands\n"),
    ("a slash alone", ["/"], "\nthere is no /; /help lists the commands\n"),
    ("a file that is not there", ["/load /nowhere/to be found.json"], "\n/nowhere/to be found.json: No such file or directory\n"),
    ("a folder that is not there", ["/save /nowhere/new.json"], "\n/nowhere/new.json: No such file or directory\n"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "words"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
def test_words_after_a_slash(lines, words, converse):
    """A line or two to stderr, nothing sent, and the conversation goes on."""
    out, err, _, _ = converse(lines)
    assert words in err
    assert out == "\n"


def test_help_lists_every_command_with_its_argument(converse):
    _, err, _, _ = converse(["/help"])
    for name, command in talk_module.TALK_COMMANDS.items():
        assert f"\n{f'{name} {command.argument}'.rstrip()} " in err
        assert command.help in err


def test_quit_ends_without_a_line_more(converse):
    assert converse(["/quit", "never asked"])[0] == ""


def test_the_system_message_and_the_model_hold_for_what_follows(converse):
    """Set in the middle, they are sent with the next question; the bill names the model."""
    lines = ["one", "/system Be brief.", "/model gpt-4o", "two"]
    _, err, _, transport = converse(lines, [ANSWER, streamed("ok", "gpt-4o-2024-08-06")])
    assert [message["role"] for message in transport.json(0)["messages"]] == ["user"]
    assert [message["role"] for message in transport.json(1)["messages"]] == ["system", "user", "assistant", "user"]
    assert transport.json(1)["model"] == "gpt-4o"
    assert "\ngpt-4o  10 in + 5 out tokens  $" in err


def test_undo_takes_the_last_question_back(converse):
    """What was taken back is said, in a line, and not sent again."""
    lines = ["one", "two " + "long " * 40, "/undo", "three"]
    _, err, _, transport = converse(lines, [ANSWER] * 3)
    assert [message["content"] for message in transport.json(2)["messages"]] == ["one", "Hello.", "three"]
    assert "\ntaken back: two long long" in err
    assert max(map(len, err.splitlines())) < 80


def test_cost_is_told_in_between(converse):
    _, err, _, _ = converse(["one", "/cost"], [ANSWER])
    assert "API Calls: 1\nInput tokens: 10\nOutput tokens: 5\n" in err
    assert "  gpt-4o-mini: 1 call, 10 in, 5 out, $0.000005\n" in err


def test_a_conversation_is_saved_and_gone_on_with(converse, tmp_path):
    """Saved over an older one; loaded with its system message and model."""
    path = tmp_path / "my talk.json"
    _, err, _, _ = converse(["one", f"/save {path}", "two", f"/save {path}"], [ANSWER] * 2, system="Be brief.")
    assert f"\n3 messages saved to {path}\n" in err
    assert f"\n5 messages saved to {path}\n" in err
    _, err, _, transport = converse([f"/load {path}", "three"], [ANSWER])
    assert f"\n5 messages loaded from {path}\ngpt-4o-mini at " in err
    assert [message["content"] for message in transport.json(0)["messages"]] == [
        *("Be brief.", "one", "Hello.", "two", "Hello.", "three")
    ]


def test_home_is_known(converse, monkeypatch, tmp_path):
    """As in a shell, ~ is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    converse(["/save ~/talk.json"])
    assert json.loads((tmp_path / "talk.json").read_text())["messages"] == []


def test_a_file_of_another_kind_is_neither_loaded_nor_overwritten(converse, tmp_path):
    """A mistyped name costs nobody a file."""
    path = tmp_path / "thesis.txt"
    path.write_text("Chapter 1")
    _, err, _, _ = converse([f"/save {path}", f"/load {path}"])
    assert err.count(f"{path} is no saved conversation: ") == 2
    assert path.read_text() == "Chapter 1"


def test_a_stopped_answer_is_part_of_the_conversation(converse, monkeypatch):
    """Ctrl-C while it is printed: what had come is kept, and the next question goes out with it."""
    written = talk_module.Printed.write

    def write(printed, text):
        written(printed, text)
        if text == "lo.":
            raise KeyboardInterrupt

    monkeypatch.setattr(talk_module.Printed, "write", write)
    with pytest.warns(rawchat.UnknownPriceWarning):
        out, err, _, transport = converse(["one", "two"], [ANSWER, streamed("ok")])
    assert out == "Hello.\nok\n\n"
    assert "stopped by Ctrl-C" in err
    assert [message["content"] for message in transport.json(1)["messages"]] == ["one", "Hello.", "two"]


def test_a_failed_question_is_not_part_of_it(converse):
    """The error is told in a line; the next question goes out without it."""
    failure = memory.reply(status=400, body={"error": {"message": "no"}})
    _, err, _, transport = converse(["one", "two"], [failure, ANSWER])
    assert "rawchat: 400 Bad Request: no" in err
    assert [message["content"] for message in transport.json(1)["messages"]] == ["two"]


def test_a_long_conversation_is_kept_whole(converse):
    """A terminal forgets nothing: no ten messages here."""
    _, _, talk, transport = converse([str(number) for number in range(30)], [ANSWER] * 30, system="A")
    assert len(transport.json(-1)["messages"]) == 60
    assert len(talk.session.messages) == 61
