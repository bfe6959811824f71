"""`explain`: an exchange line by line, for learners."""

import io
import os
import re

import pytest

from . import lab_tapes, module

explain = module("lab.explain")
explain_words = module("lab.explain_words")
cli = module("cli")


def told(exchange, **options):
    out = io.StringIO()
    explain.tell(explain.explain(exchange, **options), out)
    return out.getvalue()


def as_words(text):
    """Without layout: one line, single spaces."""
    return re.sub(r"\s+", " ", text)


EXPECTED = {
    "stream": [
        "POST /v1/chat/completions HTTP/1.1 method, target and version (RFC 9112 section 3)",
        "who asks and pays: the key, shown as a mark",
        '"stream": true send the answer in events, while it is being written',
        "chunk size: 201 bytes follow (RFC 9112 section 7.1)",
        "blank line: the event is complete and goes out (WHATWG HTML section 9.2.6)",
        'event 2: text + "one", 3 characters so far',
        'finish_reason "stop": the model had said all',
        "usage: 12 tokens in, 3 out",
        "[DONE]: the stream is over, as OpenAI says it",
        "last chunk: size 0",
        "eof: the end of the answer, or of the connection",
        "one two three the message, complete: 13 characters, finish_reason stop",
    ],
    "gzip": ["gzip: 170 bytes of gzip (RFC 9110 section 8.4)"],
    "library": ["chunk sizes and compression were already undone"],
    "reset": ["reset: the connection was reset (the tape says: reset)", "as far as it came: 7 characters"],
    "401": ["401 Unauthorized", "of the body"],
    "unreachable": ["unreachable: no connection could be made"],
    "no end": ["no end was recorded: the recorder itself was stopped"],
    "tools": ["tool call 0 begins: get_weather", "tool call 0: arguments +"],
    "n=2": ['choice 1: text + " dos", 7 characters so far'],
    "error event": ['an error: {"message": "overloaded", "code": 503}'],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_explanation_says(name):
    text = as_words(told(lab_tapes.make(name), everything=True))
    for expected in EXPECTED[name]:
        assert expected in text


def test_the_place_of_a_rule_is_named_once():
    text = as_words(told(lab_tapes.make("stream")))
    assert text.count("chunk size: 201 bytes follow (RFC") == 1
    assert text.count("chunk size") > 1 and text.count("follow (RFC") == 1


def test_a_long_stream_is_folded_in_the_middle():
    exchange = lab_tapes.make("bursts")
    text = told(exchange)
    assert "... 32 events of the same kind; --all shows them ..." in text
    assert "event 8: " in text and "event 9: " not in text and "event 41: " in text
    assert "event 9: " in told(exchange, everything=True)


def test_each_read_has_its_time_and_size():
    assert "+120 ms, read 2: 191 bytes" in told(lab_tapes.make("stream"))


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 140])
@pytest.mark.parametrize("name", ["stream", "split UTF-8", "401"])
def test_no_line_is_wider_than_the_terminal(monkeypatch, columns, name):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            return 1

    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((columns, 24)))
    terminal = module("lab.terminal")
    out = Terminal()
    lines = [line for line in explain.explain(lab_tapes.make(name)) if not line.heading]
    explain.tell(lines, out)
    assert max(terminal.columns_of(line) for line in out.getvalue().splitlines()) <= columns


@pytest.mark.parametrize("name", lab_tapes.CASES)
def test_every_tape_is_explained_without_a_key_or_a_command_to_the_terminal(name):
    for everything in (False, True):
        text = told(lab_tapes.make(name), everything=everything)
        assert text.startswith("#")
        assert lab_tapes.KEY not in text and "\x1b" not in text


def test_the_command_explains_one_exchange_or_all(capsys, tmp_path):
    path = lab_tapes.save(tmp_path / "calls.jsonl", "retry", "whole")
    assert cli.main(["explain", f"{path}#3"]) == 0
    assert capsys.readouterr().out.count("The request, to") == 1
    assert cli.main(["explain", path]) == 0
    assert capsys.readouterr().out.count("The request, to") == 3


def test_words_for_headers_are_found_whatever_the_case():
    names = [*explain_words.REQUEST_HEADERS, *explain_words.RESPONSE_HEADERS]
    assert [name for name in names if name != name.lower()] == []
