"""scripts/bench: rounds, ratios and tables are right, and every way reads what the stub server sends. No times are tested."""

import importlib
import importlib.util
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
FOLDER = TOP / "scripts" / "benchmark"


def load_package():
    """The folder as a package, without its parent on sys.path."""
    spec = importlib.util.spec_from_file_location(
        "benchmark", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    sys.modules["benchmark"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["benchmark"])
    names = ("rows", "figures", "tables", "answers", "run", "ways", "worker")
    return [importlib.import_module(f"benchmark.{name}") for name in names]


rows, figures, tables, answers, run, ways, worker = load_package()
Target = rows.Target
# requests may be absent where the suite runs; the standard library is not.
WITH_REQUESTS = ("requests", "rawchat+requests") if importlib.util.find_spec("requests") else ()
HERE = ("http.client", "rawchat+stdlib", *WITH_REQUESTS)


def a_row(**changes):
    """A row of three ways; `ours` is to need half of `theirs`."""
    made = rows.Row("x", "an example", "us", "chunk_cpu", ("short",), ("theirs", "floor", "ours"), (), 3, 1)
    return made._replace(**changes)


# ---- the table of figures


@pytest.mark.parametrize("row", rows.ROWS, ids=lambda row: row.name)
def test_a_row_names_what_there_is(row):
    """Its measure, its ways, its targets; and a target compares only what is measured in the same rounds."""
    assert row.measure in worker.MEASURES
    known = ways.IMPORTS if row.measure == "import_cpu" else ways.WAYS
    assert set(row.ways) <= set(known) & set(rows.WAYS)
    for target in row.targets:
        assert target.ours in rows.OURS
        assert {target.ours, target.beside or target.ours} <= set(row.ways)
    assert row.targets and row.rounds >= row.quick_rounds >= 1


def test_the_names_differ_and_lead_to_their_rows():
    assert len({row.name for row in rows.ROWS}) == len(rows.ROWS)
    assert [rows.row_named(row.name) for row in rows.ROWS] == list(rows.ROWS)


# ---- rounds and ratios


def test_ways_take_turns():
    """A B C A B C, so that a busy minute meets all alike."""
    asked = []

    def measure(way):
        asked.append(way)
        return float(len(asked))

    assert figures.measured(["A", "B", "C"], 2, measure) == {"A": [1, 4], "B": [2, 5], "C": [3, 6]}
    assert asked == ["A", "B", "C", "A", "B", "C"]


SPREADS = [
    ("one value", [7.0], (7, 7, 7)),
    ("two values", [1.0, 3.0], (2, 1.5, 2.5)),
    ("any order", [5.0, 1.0, 4.0, 2.0, 3.0], (3, 2, 4)),
    ("one that fell out of the row", [1.0, 1.0, 1.0, 1.0, 99.0], (1, 1, 1)),
]


@pytest.mark.parametrize("name, values, expected", SPREADS, ids=[row[0] for row in SPREADS])
def test_the_median_and_the_middle_half(name, values, expected):
    assert tuple(figures.spread(values)) == expected


def test_a_ratio_is_taken_within_a_round():
    """A machine twice as slow in the second round changes nothing."""
    assert figures.ratios([1.0, 2.0], [2.0, 4.0]) == [0.5, 0.5]
    with pytest.raises(ValueError, match="1 rounds beside 2"):
        figures.ratios([1.0], [1.0, 2.0])


VERDICTS = [
    ("reached", Target("ours", "theirs", 0.5), 0.5, True),
    ("missed", Target("ours", "theirs", 0.4), 0.5, False),
    ("beside another", Target("ours", "floor", 2.0), 2.0, True),
    ("a number of its own", Target("ours", "", 4), 4, True),
    ("exceeded", Target("ours", "", 3.9), 4, False),
    ("a peer that is absent", Target("ours", "nobody", 1), None, None),
    ("ours is absent", Target("nobody", "theirs", 1), None, None),
]


@pytest.mark.parametrize("name, target, seen, reached", VERDICTS, ids=[row[0] for row in VERDICTS])
def test_a_target_is_reached_or_missed_or_not_measured(name, target, seen, reached):
    found = figures.verdict(target, {"theirs": [8.0, 8.0, 9.0], "floor": [2.0, 2.0, 2.0], "ours": [4.0, 4.0, 4.0]})
    assert (found.seen and found.seen.median, found.reached) == (seen, reached)


# ---- the tables

NUMBERS = [
    (0.0012345, "0.00123"),
    (0.5, "0.5"),
    (1.0, "1"),
    (12.345, "12.3"),
    (471.4, "471"),
    (12345.6, "12300"),
    (0, "0"),
]


@pytest.mark.parametrize("value, text", NUMBERS)
def test_three_digits_are_shown(value, text):
    assert tables.number(value) == text


@pytest.fixture
def result():
    """Measured in two rounds, one target reached, one missed, one way absent."""
    targets = (Target("rawchat+requests", "openai", 0.5), Target("AsyncClient", "openai", 0.1), Target("Client", "", 1))
    row = a_row(targets=targets, variants=("chunked", "to the close"))
    values = {"openai": [100.0, 200.0], "rawchat+requests": [40.0, 80.0], "AsyncClient": [40.0, 60.0]}
    return figures.Result(row, "chunked", values, {"Client": "it is not here"})


FACTS = {"date": "2025-01-01", "machine": "a machine, 2 cores", "Python": "3.13.0", "openai": "1.2.3"}


def test_a_block_shows_every_way_and_every_target(result):
    assert tables.block(result).splitlines() == [
        "an example, chunked (µs, 2 rounds)",
        "  openai                 150   125-175",
        "  rawchat+requests        60   50-70",
        "  AsyncClient             50   45-55",
        "  Client            not measured: it is not here",
        "  -> rawchat+requests: 0.4 (0.4) of openai, to reach 0.5: reached",
        "  -> AsyncClient: 0.35 (0.325-0.375) of openai, to reach 0.1: MISSED",
        "  -> Client: not measured, to reach 1: not measured",
    ]


def test_the_summary_has_a_line_per_target(result):
    lines = tables.summary([result]).splitlines()
    assert re.split(r"  +", lines[1]) == ["x (chunked)", "rawchat+requests", "0.4 (0.4) of openai", "0.5", "reached"]
    assert [line.rsplit("  ", 1)[1] for line in lines[2:]] == ["MISSED", "not measured"]


def test_markdown_names_peers_once_and_ends_with_the_circumstances(result):
    """Every line of the table has as many cells as its head."""
    text = tables.markdown([result], FACTS)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {7}
    assert table[2].startswith("| an example, chunked | openai 150 µs | with requests: 60 µs | 0.4 (0.4) of openai |")
    assert table[3].startswith("|  |  | AsyncClient: 50 µs |")
    assert text.endswith("on a machine, 2 cores, with Python 3.13.0, openai 1.2.3.")
    assert "2025-01-01" in text


def test_results_survive_json(result):
    """What --json prints, --from reads: judged anew, by the targets of today."""
    document = json.loads(json.dumps(figures.to_document(result)))
    assert [target["reached"] for target in document["targets"]] == [True, False, None]
    assert figures.from_document(document, [result.row]) == result
    stricter = result.row._replace(targets=(Target("rawchat+requests", "openai", 0.3),))
    assert figures.verdicts(figures.from_document(document, [stricter]))[0].reached is False


# ---- the command


def bench(*arguments):
    command = [sys.executable, "-S", "-E", "-B", str(TOP / "scripts" / "bench"), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env={"PYTHONIOENCODING": "utf-8"}, timeout=60)


def test_the_list_names_rows_and_ways_and_installs_nothing():
    done = bench("--list")
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"(?m)^  (\S+)", done.stdout)
    assert listed == [row.name for row in rows.ROWS] + list(rows.WAYS)


def test_saved_figures_are_shown_without_measuring(tmp_path):
    row = rows.row_named("connections")
    found = figures.Result(row, "short", {"openai": [5.0], "rawchat+requests": [1.0]}, {})
    saved = tmp_path / "all.json"
    saved.write_text(json.dumps({"facts": FACTS, "results": [figures.to_document(found)]}))
    done = bench("--from", str(saved), "--markdown")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| openai 5 | with requests: 1 | 1 | 1 | reached |" in done.stdout


def test_a_file_that_holds_no_figures_is_refused_with_a_sentence(tmp_path):
    saved = tmp_path / "all.json"
    saved.write_text("{")
    done = bench("--from", str(saved))
    assert done.returncode == 1
    assert done.stderr.startswith("scripts/bench: ") and done.stderr.count("\n") == 1


# ---- the stub server and the ways


def test_both_framings_carry_the_same_events():
    events = answers.events(20)
    assert b"".join(answers.framed(events, chunked=False)) == answers.CLOSING_HEAD + b"".join(events)
    chunked = b"".join(answers.framed(events, chunked=True))[len(answers.CHUNKED_HEAD) :]
    body = b""
    while chunked != answers.LAST_HTTP_CHUNK:
        size, _, rest = chunked.partition(b"\r\n")
        body, chunked = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    assert body == b"".join(events)


def test_padding_is_all_that_obfuscated_events_add():
    """And it differs from chunk to chunk."""
    padded = answers.obfuscated(answers.events(20))
    paddings = set()
    for event, plain in zip(padded, answers.events(20)):
        if plain == b"data: [DONE]\n\n":
            assert event == plain
            continue
        document = json.loads(event[6:])
        paddings.add(document.pop("obfuscation"))
        assert document == json.loads(plain[6:])
    assert len(paddings) > 10


@pytest.fixture(scope="module")
def around():
    """The stub server in its process, and a copy of this tree's rawchat."""
    with run.surroundings(Path(sys.executable), TOP / "rawchat") as found:
        yield found


@pytest.mark.skipif(sys.platform == "win32", reason="scripts/bench is for Linux and macOS")
class TestMeasuring:
    """Each way in its process, over loopback. A worker refuses to give a figure for a text that is not the one sent."""

    SMALL = [
        ("fresh processes", a_row(measure="first_answer_wall", variants=("whole",), fresh=True)),
        ("memory", a_row(measure="memory_after_one_call", variants=("whole",), fresh=True)),
        ("warm calls", a_row(measure="call_cpu", variants=("whole",), amount=2)),
        ("a stream", a_row(measure="chunk_cpu", amount=5)),
        ("a long stream", a_row(measure="chunk_cpu", variants=("to the close",), amount=rows.CHUNKS)),
        ("a padded one", a_row(measure="chunk_cpu", variants=("obfuscated",), amount=rows.CHUNKS)),
        ("paced", a_row(measure="chunk_delay", variants=("paced, chunked",), amount=rows.PACED_CHUNKS)),
        ("paced, closed", a_row(measure="chunk_delay", variants=("paced, to the close",), amount=rows.PACED_CHUNKS)),
    ]

    @pytest.mark.parametrize("name, row", SMALL, ids=[row[0] for row in SMALL])
    def test_every_way_that_needs_no_installing_gives_a_figure_a_round(self, name, row, around):
        row = row._replace(ways=HERE)
        found = run.measure(row, row.variants[0], around, 1)
        assert found.absent == {}
        assert {way: len(values) for way, values in found.values.items()} == dict.fromkeys(row.ways, 1)

    def test_the_floor_reads_what_the_others_read(self, around):
        row = a_row(ways=("socket",), amount=5)
        assert len(run.measure(row, "short", around, 2).values["socket"]) == 2

    def test_importing_is_measured_in_a_process_of_its_own(self, around):
        row = a_row(measure="import_cpu", variants=("whole",), ways=("rawchat", "Client"), fresh=True)
        assert set(run.measure(row, "whole", around, 1).values) == {"rawchat", "Client"}

    @pytest.mark.parametrize("way, expected", [("socket", 5), ("rawchat+stdlib", 1)])
    def test_connections_are_counted_by_the_server(self, way, expected, around):
        row = rows.row_named("connections")._replace(ways=(way,))
        assert run.measure(row, "short", around, 1).values == {way: [expected]}

    @pytest.mark.parametrize("way", ["socket", "rawchat+stdlib", "AsyncClient"])
    def test_streams_at_once_are_read_to_their_end(self, way, around):
        command = [str(around.house), "streams_wall", way, f"http://127.0.0.1:{around.port}/ticked/v1", "3", "300", "0"]
        with run.child(around.python, "worker", command, around.variables) as process:
            assert run.Worker(process, way).round() > 0

    def test_another_text_than_the_one_sent_gives_no_figure(self, around, capfd):
        command = [str(around.house), "chunk_cpu", "socket", f"http://127.0.0.1:{around.port}/short/v1", "5", "1", "1"]
        with run.child(around.python, "worker", command, around.variables) as process:
            one = run.Worker(process, "socket")
            with pytest.raises(run.Broken, match="socket gave no answer"):
                one.round()
        assert "socket read" in capfd.readouterr().err


def test_nothing_of_a_proxy_or_a_key_reaches_a_worker(monkeypatch):
    for name in ("https_proxy", "HTTP_PROXY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "PYTHONPATH", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LANG", "C")
    left = {name.upper() for name in run.child_variables()}
    assert "LANG" in left
    assert not left & {"HTTPS_PROXY", "HTTP_PROXY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "PYTHONPATH", "SSL_CERT_FILE"}


ABSENT = [
    ("a library", ImportError("No module named 'that'"), "No module named 'that'"),
    ("a transport", ways.Absent("no such transport\nand more"), "no such transport"),
]


@pytest.mark.parametrize("name, error, reason", ABSENT, ids=[row[0] for row in ABSENT])
def test_a_way_that_cannot_be_gone_is_told_as_absent(name, error, reason, monkeypatch, capsys):
    """It is left out of the table with its reason, and the others are measured."""

    def refuse(base_url):
        raise error

    monkeypatch.setitem(ways.WAYS, "socket", refuse)
    monkeypatch.setattr(sys, "path", ["scripts", *sys.path])
    monkeypatch.setattr(sys, "stdin", io.StringIO("go\n"))
    worker.main(["scripts", "house", "call_cpu", "socket", "http://127.0.0.1:1/v1", "1", "0", "0"])
    assert capsys.readouterr().out == f"absent {reason}\n"


def test_the_reason_reaches_the_table(monkeypatch):
    """Where preparing a way says that it is absent, and where only its first round does."""

    def kept(around, way, command, stack):
        if way == "ours":
            raise run.Absent("it is not here")
        return lambda: 2.0

    monkeypatch.setattr(run, "kept_round", kept)
    place = run.Surroundings(Path("python"), Path("house"), 1, {})
    found = run.measure(a_row(), "short", place, 2)
    assert (found.values, found.absent) == ({"theirs": [2.0, 2.0], "floor": [2.0, 2.0]}, {"ours": "it is not here"})


def test_the_last_word_of_a_worker_is_waited_for(monkeypatch):
    """One that ends without an answer ends the run with its name."""
    monkeypatch.setattr(run, "PROGRAM", "print('half', end='')")
    with run.child(Path(sys.executable), "worker", [], {}) as process:
        with pytest.raises(run.Broken, match="openai gave no answer"):
            run.Worker(process, "openai")


def test_an_interrupted_run_leaves_no_process_behind(monkeypatch):
    """A worker in the middle of a round is not waited for."""
    monkeypatch.setattr(run, "PROGRAM", "import time; time.sleep(600)")
    with pytest.raises(KeyboardInterrupt):
        with run.child(Path(sys.executable), "worker", [], {}) as process:
            raise KeyboardInterrupt
    assert process.returncode not in (None, 0)
