"""The two files of a bulk run: what IN may hold, what OUT survives, and what is kept in memory."""

import json
import subprocess
import sys

import pytest

from . import forms, module

files = module("batch_files")
PayloadError = module("protocol.errors").PayloadError


def row(custom_id="a", **changes):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body, **changes}


def without(name):
    return {key: value for key, value in row().items() if key != name}


def write(path, *lines):
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return str(path)


GOOD = [
    ("one row", [row()], ["a"]),
    ("blank lines", [b"\n", row(), b"  \r\n", row("b")], ["a", "b"]),
    ("CR LF", [json.dumps(row()).encode() + b"\r\n", row("b")], ["a", "b"]),
    ("no LF at the end", [row(), json.dumps(row("b")).encode()], ["a", "b"]),
    ("a BOM", [b"\xef\xbb\xbf" + json.dumps(row()).encode() + b"\n"], ["a"]),
    (
        "U+2028 and a form feed are no line ends",
        [json.dumps(row("a\u2028\x0c\x85b"), ensure_ascii=False).encode()],
        ["a\u2028\x0c\x85b"],
    ),
    ("embeddings", [row(url="/v1/embeddings", body={"model": "e", "input": "x"})], ["a"]),
    ("Azure's url", [row(url="/chat/completions")], ["a"]),
    ("further fields", [row(metadata={"x": 1})], ["a"]),
]


@pytest.mark.parametrize(("lines", "ids"), [r[1:] for r in GOOD], ids=[r[0] for r in GOOD])
def test_what_can_be_sent(tmp_path, lines, ids):
    """Rows in the order of their lines."""
    path = write(tmp_path / "in.jsonl", *lines)
    assert [one.custom_id for one in files.read_rows(path)] == ids
    assert files.inspect_input(path).rows == len(ids)


BAD = [
    ("no JSON", b'{"custom_id": oops}\n', "is not JSON: Expecting value at column 15"),
    ("cut off", b'{"custom_id":"a","bo\n', "is not JSON"),
    ("not UTF-8", b'{"custom_id":"\xff"}\n', "is not UTF-8: invalid start byte at byte 14"),
    ("UTF-16", json.dumps(row()).encode("utf-16"), "is not UTF-8"),
    ("a list", [row()], "is no JSON object"),
    (
        "NaN",
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","temperature":NaN}}\n',
        "holds NaN",
    ),
    ("too deep", b"[" * 200_000, "is nested too deeply"),
    ("no custom_id", without("custom_id"), "has no custom_id"),
    ("an empty custom_id", row(""), "has no custom_id"),
    ("a number as custom_id", row(7), "has a custom_id that is no string: 7"),
    ("GET", row(method="GET"), 'has the method "GET"; it must be "POST"'),
    ("no method", without("method"), "has the method missing"),
    ("an unknown url", row(url="/v1/chat"), 'has the url "/v1/chat"; known are /v1/chat/completions'),
    ("a url that is none", row(url=[1]), "has the url [1]"),
    ("no body", without("body"), "has a body that is no object: missing"),
    ("no model", row(body={"messages": []}), "has a body whose model is missing"),
    ("a stream", row(body={"model": "m", "stream": True}), "asks for a stream"),
    ("half a character", row(body={"model": "m", "messages": [{"content": "\ud800"}]}), "messages[0].content"),
]


@pytest.mark.parametrize(("line", "what"), [r[1:] for r in BAD], ids=[r[0] for r in BAD])
def test_what_cannot_be_sent_is_told_with_its_line(tmp_path, line, what):
    """The second line is the bad one, and so it is called."""
    path = write(tmp_path / "in.jsonl", row("first"), line)
    with pytest.raises(PayloadError) as caught:
        files.inspect_input(path)
    assert f"\n  line 2 {what}" in str(caught.value) or what in str(caught.value).split("\n  line 2 ")[1]
    assert "1 line cannot be sent; nothing was sent" in str(caught.value)
    assert caught.value.path == "line 2"


def test_repeated_custom_ids_are_told_with_both_lines(tmp_path):
    """Each repetition, and where the first one stands."""
    path = write(tmp_path / "in.jsonl", row("a"), row("b"), row("a"), b"\n", row("b"), row("a"))
    with pytest.raises(PayloadError) as caught:
        files.inspect_input(path)
    assert str(caught.value).split("\n")[1:] == [
        '  line 3 has a custom_id that stands before: "a" (line 1)',
        '  line 5 has a custom_id that stands before: "b" (line 2)',
        '  line 6 has a custom_id that stands before: "a" (line 1)',
    ]


def test_of_many_bad_lines_the_first_twenty_are_told(tmp_path):
    """And how many more there are."""
    path = write(tmp_path / "in.jsonl", *[b"x\n"] * 1000)
    with pytest.raises(PayloadError, match="1,000 lines cannot be sent") as caught:
        files.inspect_input(path)
    assert len(str(caught.value).split("\n")) == 22
    assert str(caught.value).endswith("and 980 more")


def test_an_empty_input_is_refused(tmp_path):
    """An empty OUT after a run would look like success."""
    with pytest.raises(PayloadError, match="holds no rows"):
        files.inspect_input(write(tmp_path / "in.jsonl", b"\n\n"))


def test_the_table_of_ids_knows_what_was_added():
    """Across several growths: each id once, marks stay with their ids, strangers are not found."""
    table = files.IdTable()
    names = [f"row-{number}" for number in range(5000)] + ["ä", "\ud800", "x" * 10_000]
    for number, name in enumerate(names):
        assert table.add(name)
        table.set_mark(table.find(name), number % 3)
    assert not any(table.add(name) for name in names)
    assert [table.mark_of(table.find(name)) for name in names] == [number % 3 for number in range(len(names))]
    assert table.find("row-5000") == -1
    assert table.count == len(names)
    assert len({table.find(name) for name in names}) == len(names)


MEASURE = """
import sys, tracemalloc
sys.path.insert(0, sys.argv[1])
from importlib import import_module
files = import_module(sys.argv[2] + ".batch_files")
from hashlib import blake2b
tracemalloc.start()
table = files.IdTable()
for number in range(25_000):
    table.add("a custom id of the usual length " + str(number))
print(tracemalloc.get_traced_memory()[0] / 25_000)
"""


@forms.needs_modules
def test_the_table_of_ids_takes_the_bytes_it_says():
    """26 to 52 bytes a line, whatever the length of the ids."""
    command = [sys.executable, "-c", MEASURE, forms.PLACE, forms.NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert 24 < float(done.stdout) < 53, done.stderr


# ---- OUT

LINE = files.result_line("batch_req_1", "a", status=200, request_id="r", body={"x": 1})
OTHER = files.result_line("batch_req_2", "b", error={"code": "timeout", "message": "late"})


def test_a_line_has_the_batch_apis_shape():
    """As in the API reference, "The request output object"."""
    assert json.loads(LINE) == {
        "id": "batch_req_1",
        "custom_id": "a",
        "response": {"status_code": 200, "request_id": "r", "body": {"x": 1}},
        "error": None,
    }
    assert json.loads(OTHER)["response"] is None
    assert LINE.endswith(b"}\n")


@pytest.mark.parametrize("text", ["é漢", "\u2028\u2029\x85", "\ud800", "a\nb\r\x0b\x0c", '"\\'])
def test_a_line_is_one_line_for_every_program(text):
    """Also for those that split text by Unicode's rules; and what was put in comes out."""
    line = files.result_line("batch_req_1", text, status=200, body={"content": text})
    assert len(line.decode("utf-8").splitlines()) == 1
    result = files.read_result(line)
    assert (result.custom_id, result.body) == (text, {"content": text})


FAILED = [
    ("good", {"response": {"status_code": 200, "body": {}}, "error": None}, False),
    ("an error status", {"response": {"status_code": 429, "body": {}}, "error": None}, True),
    ("no response", {"response": None, "error": {"code": "batch_expired"}}, True),
    ("vLLM: both", {"response": {"status_code": 400, "body": None}, "error": {"message": "x"}}, True),
    ("200 beside an error", {"response": {"status_code": 200, "body": {}}, "error": {"message": "x"}}, True),
    ("no status", {"response": {}, "error": None}, True),
]


@pytest.mark.parametrize(("document", "failed"), [r[1:] for r in FAILED], ids=[r[0] for r in FAILED])
def test_which_lines_are_failures(document, failed):
    """Of ours, of the provider's and of vLLM's."""
    assert files.read_result(json.dumps({"id": "x", "custom_id": "a", **document}).encode()).failed is failed


TORN = [(f"cut after {at} bytes", LINE + OTHER[:at], LINE) for at in range(len(OTHER) - 1)]
MENDED = [
    ("nothing torn", LINE + OTHER, LINE + OTHER),
    ("the LF alone is missing", LINE + OTHER[:-1], LINE + OTHER),
    ("zeros of a power cut", LINE + bytes(500), LINE),
    ("only a torn line", OTHER[:30], b""),
    ("a torn line longer than a block", LINE + b'{"id":"' + b"x" * 200_000, LINE),
    *TORN,
]


@pytest.mark.parametrize(("before", "after"), [r[1:] for r in MENDED], ids=[r[0] for r in MENDED])
def test_a_torn_last_line_is_mended(tmp_path, before, after):
    """Wherever it was torn: whole lines stay, and what follows begins on a line of its own."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(before)
    output = files.Output(str(path))
    output.append(LINE)
    output.close()
    assert path.read_bytes() == after + LINE


@pytest.mark.parametrize("content", [b"my diary", b"a,b\n1,2", LINE + b"Dear Sir"])
def test_a_file_of_another_kind_is_left_alone(tmp_path, content):
    """A slip in the name of OUT costs nothing."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(content)
    with pytest.raises(PayloadError, match="name another OUT"):
        files.Output(str(path))
    assert path.read_bytes() == content


def test_a_line_of_another_kind_is_found_when_it_is_read(tmp_path):
    """By its number."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(LINE + b"\n" + b"hello\n" + OTHER)
    output = files.Output(str(path))
    with pytest.raises(PayloadError, match="line 3 is no line of a batch's output"):
        list(output.results())
    output.close()


def test_a_second_run_on_the_same_file_is_refused(tmp_path):
    """Two runs would pay for every row twice."""
    pytest.importorskip("fcntl")
    first = files.Output(str(tmp_path / "out.jsonl"))
    with pytest.raises(PayloadError, match="another run"):
        files.Output(str(tmp_path / "out.jsonl"))
    first.close()
    files.Output(str(tmp_path / "out.jsonl")).close()


def test_failures_can_be_dropped(tmp_path):
    """The good lines stay as they are, the file stays open for more, and nothing is left beside it."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(OTHER + LINE + OTHER)
    output = files.Output(str(path))
    output.keep_good()
    output.append(OTHER)
    output.close()
    assert path.read_bytes() == LINE + OTHER
    assert [one.name for one in tmp_path.iterdir()] == ["out.jsonl"]


def test_out_can_be_put_in_the_order_of_in(tmp_path):
    """Rows that have no result yet leave no gap."""
    path = write(tmp_path / "in.jsonl", *(row(f"r{number}") for number in range(100)))
    ids = files.inspect_input(path).ids
    output = files.Output(str(tmp_path / "out.jsonl"))
    for number in range(99, -1, -1):
        if number != 50:
            output.append(files.result_line("batch_req_x", f"r{number}", status=200, body={"n": "x" * number}))
    output.put_in_order(path, ids)
    output.close()
    again = files.Output(str(tmp_path / "out.jsonl"))
    found = [one.custom_id for one in again.results()]
    again.close()
    assert found == [f"r{number}" for number in range(100) if number != 50]


def test_a_rewriting_that_fails_changes_nothing(tmp_path):
    """IN that vanished in the meantime: OUT stays as it was."""
    path = write(tmp_path / "in.jsonl", row("a"))
    ids = files.inspect_input(path).ids
    (tmp_path / "out.jsonl").write_bytes(LINE)
    output = files.Output(str(tmp_path / "out.jsonl"))
    (tmp_path / "in.jsonl").unlink()
    with pytest.raises(FileNotFoundError):
        output.put_in_order(path, ids)
    output.close()
    assert (tmp_path / "out.jsonl").read_bytes() == LINE
    assert not (tmp_path / "out.jsonl.new").exists()
