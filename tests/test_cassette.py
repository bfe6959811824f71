"""The cassette: what is written comes back byte for byte, and a crash, a break or a stranger's file does no harm."""

import json
import random
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from . import forms, lab_tapes as tapes, module, rawchat

cassette = module("lab.cassette")
exchange_module = module("lab.exchange")
recording = module("lab.recording")
wire = module("protocol.wire")

REQUEST = wire.Request("POST", tapes.URL, tapes.REQUEST_HEADERS, b"{}")
HEAD = wire.ResponseHead(200, "OK", wire.Headers([tapes.EVENTS_TYPE]))


def write(path, pieces, how="eof"):
    """Record one exchange into `path`, a read each microsecond; its number."""
    with cassette.CassetteWriter(str(path)) as writer:
        made = recording.Recording([writer], source="test", first_number=writer.next_number)
        recorder = made.begin(REQUEST, at_s=0, layer=exchange_module.BODY)
        recorder.head(HEAD, at_s=0)
        for number, piece in enumerate(pieces):
            recorder.read(piece, at_s=number / 1e6)
        if how:
            recorder.end(how, at_s=1)
        return recorder.number


def test_ten_thousand_random_pieces_come_back_unchanged(tmp_path):
    """Of any bytes, cut anywhere: the same pieces with the same times."""
    dice = random.Random(20)
    pieces = [bytes(dice.choices(range(256), k=dice.randrange(1, 60))) for _ in range(6000)]
    pieces += [
        bytes(dice.choices(b'\r\n"\\{}: data\xe2\x80\xa8\xf0\x9f', k=dice.randrange(1, 30))) for _ in range(3990)
    ]
    pieces += [
        "\u2028\u2029\x85".encode(),
        b"\xed\xa0\x80",
        b"\x00",
        b"\n",
        b"\r\n\r\n",
        b"\x1b[2J",
        b"\xff" * 9,
        b"{",
        b"\\u0000",
        b" ",
    ]
    dice.shuffle(pieces)
    path = tmp_path / "calls.jsonl"
    write(path, pieces)
    read = cassette.read_cassette(str(path))
    assert read.flaws == [] and len(pieces) == 10_000
    assert read.exchanges[0].pieces == [exchange_module.Piece(number, piece) for number, piece in enumerate(pieces)]


def test_every_typical_exchange_comes_back(tmp_path):
    """Request, head, pieces, end, attempt, wait: as they were."""
    tape = tapes.tape_of(*tapes.CASES)
    read = cassette.read_cassette(tape.save(tmp_path / "calls.jsonl"))
    assert read.flaws == []
    for was, now in zip(tape.exchanges, read.exchanges):
        was_head, now_head = (
            was.head and was.head._replace(headers=was.head.headers.pairs),
            now.head and now.head._replace(headers=now.head.headers.pairs),
        )
        assert was_head == now_head
        same = {name: value for name, value in vars(was).items() if name != "head"}
        assert same == {name: value for name, value in vars(now).items() if name != "head"}
    assert len(read.exchanges) == len(tape.exchanges)


def test_a_line_is_in_the_file_when_the_call_returns(tmp_path):
    """Nothing waits in a buffer for a close that a crash prevents."""
    path = tmp_path / "calls.jsonl"
    with cassette.CassetteWriter(str(path)) as writer:
        for number, record in enumerate(tapes.tape_of("stream").records):
            writer(record)
            assert path.read_bytes().count(b"\n") == number + 2


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import importlib
load = lambda name: importlib.import_module({package!r} + name)
cassette, recording, wire = load(".lab.cassette"), load(".lab.recording"), load(".protocol.wire")
writer = cassette.CassetteWriter({path!r})
made = recording.Recording([writer], source="test")
recorder = made.begin(wire.Request("POST", "http://127.0.0.1/v1/chat/completions", (), b"{{}}"), at_s=0)
recorder.head(wire.ResponseHead(200, "OK", wire.Headers([("Content-Type", "text/event-stream")])), at_s=0)
for number in range(5):
    recorder.read(b"data: %d\\n\\n" % number, at_s=0)
os.kill(os.getpid(), signal.SIGKILL) if hasattr(signal, "SIGKILL") else os._exit(9)
"""


@forms.needs_modules
def test_a_recorder_that_is_killed_leaves_what_came(tmp_path):
    """kill -9 in the middle of a stream: every read is there, and the end is not."""
    path = tmp_path / "calls.jsonl"
    program = KILLED.format(folder=forms.PLACE, package=rawchat.__name__, path=str(path))
    assert subprocess.run([sys.executable, "-c", program]).returncode != 0
    read = cassette.read_cassette(str(path))
    assert read.flaws == [] and read.exchanges[0].end is None
    assert [piece.data for piece in read.exchanges[0].pieces] == [b"data: %d\n\n" % number for number in range(5)]


def test_every_place_where_the_last_line_may_be_torn(tmp_path):
    """A disk that was full, a machine that lost power: the lines before it count, and the flaw is told with its line."""
    data = Path(tapes.save(tmp_path / "calls.jsonl", "whole")).read_bytes()
    head, last = data.rstrip(b"\n").rsplit(b"\n", 1)
    for length in range(1, len(last)):
        read = cassette.parse(head + b"\n" + last[:length])
        assert len(read.exchanges[0].pieces) == 1 and read.exchanges[0].end is None
        assert len(read.flaws) == 1 and read.flaws[0].startswith("line 6:") and "cut off here" in read.flaws[0]
    assert cassette.parse(head + b"\n" + last).flaws == []


def test_recording_goes_on_after_a_torn_line(tmp_path):
    """The torn line stays alone, the next exchange has the next number, and both are read."""
    path = tmp_path / "calls.jsonl"
    write(path, [b"one\n"])
    with path.open("ab") as file:
        file.write(b'{"event":"read","id":1,"te')
    assert write(path, [b"two\n"]) == 2
    read = cassette.read_cassette(str(path))
    assert [exchange.body() for exchange in read.exchanges] == [b"one\n", b"two\n"]
    assert len(read.flaws) == 1 and "cut off" not in read.flaws[0]


def test_a_cassette_is_continued(tmp_path):
    """Numbers go on; the first line is written once; what was there stays byte for byte."""
    path = tmp_path / "calls.jsonl"
    assert write(path, [b"one\n"]) == 1
    before = path.read_bytes()
    assert write(path, [b"two\n"]) == 2
    assert path.read_bytes().startswith(before) and path.read_bytes().count(b'"format"') == 1


FOREIGN = {
    "a text": b"Dear diary,\n",
    "JSON that is none of ours": b'{"log":{"version":"1.2"}}\n',
    "another format": b'{"format":"tape","version":1}\n',
    "a later version": b'{"format":"chat-cassette","version":2}\n{"event":"request"}\n',
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00",
    "a list": b"[1,2]\n",
    "a torn first line": b'{"format":"chat-ca',
    "nothing": b"",
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_a_strangers_file_is_neither_read_nor_written(tmp_path, data):
    """The error names the file, and the file stays as it is. (An empty one is a cassette that has not begun.)"""
    path = tmp_path / "other.txt"
    path.write_bytes(data)
    with pytest.raises(cassette.CassetteError, match=r"other\.txt") as caught:
        cassette.read_cassette(str(path))
    assert caught.value.exit_code == 64
    if data:
        with pytest.raises(cassette.CassetteError):
            cassette.CassetteWriter(str(path))
        assert path.read_bytes() == data


ODD_LINES = {
    "no JSON": b"oh",
    "not UTF-8": b'{"event":"\xff"}',
    "a number": b"7",
    "a list": b"[]",
    "an exchange that never began": b'{"event":"end","id":9,"t_us":1,"how":"eof"}',
    "an id that cannot be one": b'{"event":"request","id":[1],"method":"GET","url":"/","headers":[]}',
    "a time that is a word": b'{"event":"end","id":1,"t_us":"now","how":"eof"}',
    "deep nesting": b"[" * 100_000,
}


@pytest.mark.parametrize("line", ODD_LINES.values(), ids=ODD_LINES)
def test_an_odd_line_is_told_and_the_rest_is_read(line, tmp_path):
    """With its number; the exchanges around it are whole."""
    lines = Path(tapes.save(tmp_path / "calls.jsonl", "whole", "stream")).read_bytes().split(b"\n")
    lines.insert(3, line)
    read = cassette.parse(b"\n".join(lines))
    assert [flaw.partition(":")[0] for flaw in read.flaws] == ["line 4"]
    assert [exchange.reply().text for exchange in read.exchanges] == ["one two three"] * 2


def test_what_editors_do_to_a_file_does_no_harm(tmp_path):
    """A byte order mark, \\r\\n, blank lines at the end, records of a later version."""
    data = Path(tapes.save(tmp_path / "calls.jsonl", "whole")).read_bytes()
    edited = (
        b"\xef\xbb\xbf"
        + data.replace(b"\n", b"\r\n")
        + b'\r\n{"event":"weather","id":1}\r\n{"event":"session"}\r\n\r\n'
    )
    read = cassette.parse(edited)
    assert read.flaws == [] and read.exchanges[0].reply().text == "one two three"


def test_line_separators_inside_text_separate_no_lines(tmp_path):
    """U+2028, U+2029 and U+0085 stand raw in the JSON of many servers."""
    path = tmp_path / "calls.jsonl"
    text = "a\u2028b\u2029c\u0085d\x0ce"
    write(path, [text.encode()])
    assert cassette.read_cassette(str(path)).exchanges[0].body() == text.encode()
    assert len(path.read_bytes().split(b"\n")) == 7


def test_lone_surrogates_are_written_escaped():
    """A header value or a reason may hold half a character; the line is valid UTF-8 and says the same when read."""
    line = cassette.encode_line({"event": "note", "text": "half \ud83d of it, 東京"})
    assert json.loads(line.decode("utf-8"))["text"] == "half \ud83d of it, 東京"


def test_two_threads_write_whole_lines(tmp_path):
    """No line is torn by another."""
    path = tmp_path / "calls.jsonl"
    with cassette.CassetteWriter(str(path)) as writer:
        barrier = threading.Barrier(2)

        def run(name):
            barrier.wait()
            for number in range(300):
                writer({"event": "note", "text": name * 500, "n": number})

        threads = [threading.Thread(target=run, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[1:-1]]
    assert len(lines) == 600 and {line["text"] for line in lines} == {"a" * 500, "b" * 500}


def test_naming_an_exchange(tmp_path):
    """FILE, FILE#N, a file with a # in its own name; and what is said where there is none such."""
    path = tapes.save(tmp_path / "calls.jsonl", "whole", "stream")
    odd = tapes.save(tmp_path / "odd#1", "stream")
    assert cassette.select(path)[1] is None
    assert cassette.select(f"{path}#2")[1].is_stream
    assert cassette.select(odd)[1] is None and cassette.select(f"{odd}#1")[1].number == 1
    assert cassette.select_one(odd).is_stream
    with pytest.raises(cassette.CassetteError, match="no exchange #7; there are: #1, #2"):
        cassette.select(f"{path}#7")
    with pytest.raises(cassette.CassetteError, match=r"holds 2 exchanges; say which one, for example .*#1"):
        cassette.select_one(path)
    with pytest.raises(FileNotFoundError):
        cassette.select(str(tmp_path / "none.jsonl#1"))


# --- cassette.md, the page that documents the format --------------------------------------------------------------------

PAGE = (forms.SOURCE / "lab" / "cassette.md").read_text(encoding="utf-8")
SAMPLE = PAGE.partition("```jsonl\n")[2].partition("```")[0]


def fields_of_page():
    """Event -> the names of its fields, by the table."""
    found, event = {}, ""
    for line in PAGE.partition("| event |")[2].partition("\n## ")[0].split("\n")[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3:
            event = cells[0] or event
            found.setdefault(event, set()).update(cells[1].replace(" or ", ", ").split(", "))
    return found


def test_the_sample_of_the_page_is_a_cassette():
    """It is read without a flaw, line for line what the writer writes, and says what the page says."""
    read = cassette.parse(SAMPLE.encode())
    (one,) = read.exchanges
    assert read.flaws == [] and one.reply().text == "Hel" and (one.end.how, one.wait_s) == ("reset", 0.47)
    assert one.notes and one.interim and one.pieces[1].data.endswith(b"\xe2\x82")
    for line in SAMPLE.encode().split(b"\n")[:-1]:
        assert cassette.encode_line(json.loads(line)) == line + b"\n"


def test_the_page_names_every_event_and_field():
    """All that a recording writes stands in the table, under its event; and the table names nothing else."""
    page = fields_of_page()
    written = {}
    tape = tapes.tape_of(*tapes.CASES)
    made = tape.recording.begin(REQUEST, at_s=0, whole=False)
    made.interim(HEAD, at_s=0)
    made.head(HEAD._replace(reused=True), at_s=0)
    made.note("something", at_s=0)
    for record in tape.records:
        written.setdefault(record["event"], set()).update(set(record) - {"event", "id"})
    for event, fields in written.items():
        assert fields <= page[event], event
    assert {event: fields - {"id"} for event, fields in page.items()} == written


def test_the_page_names_every_end_and_every_secret_header():
    """In the words of the program."""
    for how, meaning in exchange_module.ENDS.items():
        assert re.search(rf"^\| {how} \| {re.escape(meaning)}", PAGE, re.MULTILINE), how
    for name in module("protocol.redact").SECRET_HEADERS:
        assert name in PAGE.lower(), name
