"""`rawchat batch`: arguments in; a progress line, a last line for programs, and an exit code out."""

import io
import json
import re

import pytest

from . import module

command = module("batch_command")
cli = module("cli")
batch = module("batch")

PROGRESS = batch.Progress(
    rows=10_000, done=1231, failed=3, running=8, per_second=51.96, cost_usd=0.1234, elapsed_s=24.0, left_s=168.4
)

LINES = [
    ("all of it", PROGRESS, 79, "1,234/10,000 3 failed 52/s $0.12 2m48s left"),
    ("40 columns: the rate goes first", PROGRESS, 39, "1,234/10,000 3 failed $0.12 2m48s left"),
    ("then the cost", PROGRESS, 35, "1,234/10,000 3 failed 2m48s left"),
    ("then the time", PROGRESS, 25, "1,234/10,000 3 failed"),
    ("then the failures", PROGRESS, 15, "1,234/10,000"),
    ("hardly any room", PROGRESS, 5, "1,234"),
    ("no room", PROGRESS, 0, ""),
    ("no failures", PROGRESS._replace(failed=0), 79, "1,231/10,000 52/s $0.12 2m48s left"),
    ("nobody knows how long", PROGRESS._replace(left_s=None, failed=0), 79, "1,231/10,000 52/s $0.12"),
    ("the end", PROGRESS._replace(done=9997, left_s=0.0), 79, "10,000/10,000 3 failed 52/s $0.12"),
    ("fast", PROGRESS._replace(per_second=1234.5, failed=0), 79, "1,231/10,000 1,234/s $0.12 2m48s left"),
    ("slow", PROGRESS._replace(per_second=0.0312, failed=0), 79, "1,231/10,000 0.0312/s $0.12 2m48s left"),
    (
        "a million rows",
        PROGRESS._replace(rows=1_000_000, done=123_456, left_s=16_320),
        39,
        "123,459/1,000,000 3 failed 4h32m left",
    ),
]


@pytest.mark.parametrize(("progress", "columns", "text"), [r[1:] for r in LINES], ids=[r[0] for r in LINES])
def test_the_line_fits(progress, columns, text):
    """What is least missed goes first."""
    assert command.progress_line(progress, columns) == text
    assert len(text) <= columns


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (168, "2m48s"),
        (3599.9, "1h00m"),
        (16320, "4h32m"),
        (187_200, "2d04h"),
    ],
)
def test_spans(seconds, text):
    """The two largest units."""
    assert command.span(seconds) == text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_the_line_stays_in_its_place():
    """Over the old one, padded to its length, nothing cleared in between; the same text is not written twice."""
    out = Terminal()
    line = command.ProgressLine(out)
    for done in (9, 9, 10):
        line(PROGRESS._replace(done=done, failed=0, cost_usd=0.1, left_s=None if done == 10 else 99.0))
    line.end()
    line.end()
    first, second = "9/10,000 52/s $0.10 1m39s left", "10/10,000 52/s $0.10"
    assert out.getvalue() == f"\r{first}\r{second}{' ' * (len(first) - len(second))}\n"


def test_a_log_gets_a_line_now_and_then(capsys):
    """The first after ten seconds, then one a minute."""
    import sys

    line = command.ProgressLine(sys.stderr)
    for tenth in range(2000):
        line(PROGRESS._replace(elapsed_s=tenth / 10))
    line.end()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["rawchat: 1,234 of 10,000 rows, 3 failed, 52/s, $0.12, 2m48s left"] * 4


def test_a_run_that_stops_says_so_once(capsys):
    """And what a second Ctrl-C would do."""
    line = command.ProgressLine(Terminal())
    for _ in range(3):
        line(PROGRESS._replace(stopping=True))
    assert capsys.readouterr().err.count("waiting for the rows that are running (8); Ctrl-C leaves them") == 1


# ---- from the command line


def row(custom_id, model="gpt-4o-mini"):
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 30}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """run(models of the rows, *arguments) -> (exit code, the last line's JSON, stderr); against a practice server."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    def run(models, *arguments):
        rows = [json.dumps(row(f"r{number}", model)) for number, model in enumerate(models)]
        (tmp_path / "in.jsonl").write_text("\n".join(rows))
        paths = (str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"))
        code = cli.main(["batch", "run", *paths, "--practice", *arguments])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else None, err

    return run


def test_a_run_that_goes_well(run, tmp_path):
    """Nothing but the last line on stdout; a summary on stderr."""
    code, last, err = run(["gpt-4o-mini"] * 10, "--workers", "3", "--ordered")
    assert code == last["exit_code"] == 0
    assert (last["status"], last["rows"], last["done"], last["failed"], last["left"]) == ("completed", 10, 10, 0, 0)
    assert re.fullmatch(r"10 rows: 10 done, 0 failed; \$0\.00\d{4}; \d+s\n", err)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["custom_id"] for line in lines] == [f"r{number}" for number in range(10)]


def test_failed_rows_and_how_to_send_them_again(run):
    """Exit code 1; with --retry-errors, the practice server's fault is over, and all is well."""
    models = ["gpt-4o-mini", "fault/500x2", "gpt-4o-mini"]
    code, last, err = run(models, "--max-retries", "0")
    assert (code, last["status"], last["failed"]) == (1, "completed", 1)
    assert "with --retry-errors, the failed rows are sent again" in err
    code, last, _ = run(models, "--retry-errors")
    assert (code, last["done"], last["earlier"]) == (0, 3, 2)


STOPPED = [
    ("a wrong key", ["gpt-4o-mini"], ("--fault", "401"), 77, "auth"),
    ("no money", ["gpt-4o-mini"], ("--fault", "quota"), 73, "quota"),
    ("the budget", ["gpt-4o-mini"], ("--budget", "0.000001"), 73, "budget"),
]


@pytest.mark.parametrize(
    ("models", "arguments", "code", "reason"), [r[1:] for r in STOPPED], ids=[r[0] for r in STOPPED]
)
def test_a_run_that_stops(run, models, arguments, code, reason):
    """Why, how to go on, and an exit code of its own."""
    got, last, err = run(models, *arguments)
    assert (got, last["status"], last["reason"], last["left"]) == (code, "stopped", reason, 1)
    assert err.startswith("rawchat: ")
    assert "run the same command again to go on" in err


def test_an_input_that_cannot_be_used(run):
    """The last line says so too; the reasons follow on stderr."""
    code, last, err = run([""])
    assert (code, last["status"], last["exit_code"]) == (64, "refused", 64)
    assert "line 1 has a body whose model is" in err


def test_an_input_that_is_not_there(capsys):
    """An OSError is told, too."""
    assert cli.main(["batch", "run", "/nowhere/in.jsonl", "-o", "/nowhere/out.jsonl", "--practice"]) == 71
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "refused"
    assert "in.jsonl" in err


def test_an_action_is_needed(capsys):
    """`rawchat batch` alone says so; --help shows what there is."""
    assert cli.main(["batch"]) == 2
    assert "required: ACTION" in capsys.readouterr().err
    assert cli.main(["batch", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"    {name} " in shown for name in command.ACTIONS)
