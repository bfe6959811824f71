"""`show`: the list, one exchange, and one part alone."""

import json

import pytest

from . import lab_tapes, module

cli = module("cli")


def show(capfdbinary, path, *arguments):
    code = cli.main(["show", str(path), *arguments])
    out, err = capfdbinary.readouterr()
    return code, out.decode("utf-8"), err.decode("utf-8")


@pytest.fixture
def calls(tmp_path):
    return lab_tapes.save(tmp_path / "calls.jsonl", "retry", "stream", "whole", "reset", "401", "gzip")


def test_a_list_has_a_line_for_each_exchange(capfdbinary, calls):
    code, out, _ = show(capfdbinary, calls)
    assert code == 0
    assert [line.split(" ")[0] for line in out.splitlines()] == ["#1", "#2", "#3", "#4", "#5", "#6", "#7"]


def test_an_empty_cassette_says_so(capfdbinary, tmp_path):
    path = lab_tapes.save(tmp_path / "none.jsonl")
    assert show(capfdbinary, path)[1] == "no exchange was recorded\n"


def test_a_line_that_cannot_be_read_is_told_after_the_rest(capfdbinary, calls):
    with open(calls, "ab") as file:
        file.write(b'{"event":"req')
    out = show(capfdbinary, calls)[1].splitlines()
    assert out[-1].startswith("could not be read: line ") and "cut off here" in out[-1]


def test_one_exchange_shows_request_answer_message_and_figures(capfdbinary, calls):
    _, out, _ = show(capfdbinary, f"{calls}#2")
    for expected in (
        "> POST /v1/chat/completions HTTP/1.1",
        "> Authorization: Bearer <key:",
        '      "content": "Count to three."',
        "< HTTP/1.1 200 OK",
        "the message, put together from 7 events:",
        '        "content": "one two three"',
        "first byte 100 ms, first text 120 ms, 7 events in 8 reads, 75.0 tokens/s, longest gap 20 ms",
    ):
        assert expected in out


def test_a_broken_stream_shows_what_came_and_how_it_ended(capfdbinary, calls):
    _, out, _ = show(capfdbinary, f"{calls}#5")
    assert '"content": "one two"' in out
    assert "cut off: the connection was reset" in out


def test_a_wait_before_the_next_attempt_is_shown(capfdbinary, calls):
    assert "then a wait of 1.00 s: 429 rate limit, the server asks for 1 s" in show(capfdbinary, f"{calls}#1")[1]


PARTS = {
    "text": ("#3", lambda out: out == "one two three\n"),
    "json": ("#3", lambda out: json.loads(out)["usage"] == lab_tapes.USAGE),
    "request": ("#3", lambda out: json.loads(out) == lab_tapes.STREAMED),
    "raw": ("#4", lambda out: out.startswith("HTTP/1.1 200 OK\r\n") and out.endswith("}") and "\r\n\r\n{" in out),
}


@pytest.mark.parametrize("part", PARTS)
def test_one_part_alone_is_fit_for_a_pipe(capfdbinary, calls, part):
    number, fits = PARTS[part]
    code, out, _ = show(capfdbinary, f"{calls}{number}", f"--{part}")
    assert code == 0 and fits(out)


def test_raw_keeps_the_framing(capfdbinary, calls):
    assert "\r\n\r\nc9\r\ndata: {" in show(capfdbinary, f"{calls}#3", "--raw")[1]


def test_without_an_answer_its_text_is_an_error_that_says_what_there_is(capfdbinary, calls):
    code, out, err = show(capfdbinary, f"{calls}#6", "--text")
    assert code != 0 and not out
    assert "#6 holds no answer" in err and "401 bad key" in err


@pytest.mark.parametrize(
    ("name", "says"),
    [("#9", "has no exchange #9; there are: #1, #2"), ("", "holds 7 exchanges; say which one")],
)
def test_a_part_of_no_exchange_in_particular_asks_which(capfdbinary, calls, name, says):
    code, _, err = show(capfdbinary, f"{calls}{name}", "--text")
    assert code != 0 and says in err


def test_no_character_from_the_wire_commands_the_terminal(capfdbinary, tmp_path):
    tape = lab_tapes.Tape()
    tape.stream(
        lab_tapes.in_chunks(lab_tapes.events("\x1b[2J")),
        headers=(lab_tapes.EVENTS_TYPE, lab_tapes.CHUNKED, ("X-Evil", "\x1b[1m")),
    )
    for arguments in ((), ("#1",)):
        out = show(capfdbinary, tape.save(tmp_path / f"{len(arguments)}.jsonl") + "".join(arguments))[1]
        assert "\x1b" not in out


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b'{"format":"other","version":1}\n', b'{"format":"chat-cassette","version":9}\n']
)
def test_a_file_that_is_no_cassette_is_told_apart(capfdbinary, tmp_path, content):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    code, _, err = show(capfdbinary, path)
    assert code != 0 and "cassette" in err
