"""README is run, not trusted: every Python block, every console line, and the reading order."""

import contextlib
import io
import logging
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from . import forms, module, rawchat

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python" and (forms.HAS_REQUESTS or "import requests" not in text)]
LINES = [line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line.startswith("$ ")]


def test_every_block_has_a_kind_that_is_run():
    """A block of another kind would not be tested."""
    assert {kind for kind, _ in BLOCKS} == {"python", "console", "jsonl"}
    assert README.count("```") == 2 * len(BLOCKS)


def test_python_blocks_run_in_order(practice, monkeypatch, tmp_path):
    """One after the other, as a reader would paste them into one session, against the practice server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", practice.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-practice-0123456789")
    for name, known in forms.aliases(module).items():
        monkeypatch.setitem(sys.modules, name, known)
    space = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), logging_put_back(forms.NAME):
        for number, text in enumerate(PYTHON):
            # The logger is called as the package is; all other names a copy is asked by are its modules'.
            named = text.replace('getLogger("rawchat")', f'getLogger("{forms.NAME}")')
            exec(compile(named, f"README block {number}", "exec"), space)
    shown = out.getvalue()

    assert "1 2 3 4 5" in shown or "one" in shown.lower()
    assert "model_not_found" in shown
    assert "API Calls: 1" in shown
    assert "0.00045" in shown
    assert "attempt 1: POST http://127.0.0.1:" in shown
    assert "sk-practice-0123456789" not in shown


@contextlib.contextmanager
def logging_put_back(name):
    """What a reader sets up for a session of his own would meet the tests that follow."""
    logger = logging.getLogger(name)
    before = (logger.level, list(logger.handlers))
    try:
        yield
    finally:
        logger.setLevel(before[0])
        logger.handlers[:] = before[1]


STRANGE = [line for line in LINES if "strange." in line or line == "rawchat doctor"]
ALONE = [line for line in LINES if line.startswith("rawchat ") and line not in STRANGE]

# A program with an SDK in it, here ours in that shape, and its symptom: half an answer, and no error that helps.
PROGRAM = """
from {package}.sdk import OpenAI

client = OpenAI(max_retries=0)
try:
    for chunk in client.chat.completions.create(
        model="gpt-4o-mini", messages=[{{"role": "user", "content": "Count to five."}}], stream=True
    ):
        print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="")
except Exception as error:
    print(type(error).__name__)
"""


def test_five_commands_lead_from_the_symptom_to_the_cause(capfd, monkeypatch, tmp_path):
    """The page "My SDK behaves strangely", command by command, with a server that breaks every stream off."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-practice-0123456789")
    monkeypatch.setenv("PYTHONPATH", forms.PLACE)
    (tmp_path / "my_program.py").write_text(PROGRAM.format(package=rawchat.__name__), encoding="utf-8")
    told = []
    with module("lab.practice").PracticeServer(pace_ms=0, fault="cut@3") as server:
        url = server.url
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        for line in STRANGE:
            code = module("cli").main(shlex.split(line)[1:])
            out, err = capfd.readouterr()
            told.append((code, out + err))
        curl = told[3][1]

    assert [shlex.split(line)[1] for line in STRANGE] == ["tap", "show", "report", "curl", "doctor"]
    assert [code for code, _ in told] == [0, 0, 0, 0, 1]  # the doctor's 1: a must is broken
    tap, listed, sentence, curl, findings = (text for _, text in told)
    assert "One" in tap and "cut off" in tap
    assert listed.startswith("#1 POST /chat/completions 200 stream") and "cut off" in listed
    assert "The connection closed in the middle of the answer" in sentence
    assert curl.startswith(f"curl -N '{url}/chat/completions'") and "$OPENAI_API_KEY" in curl
    assert "stream-whole" in findings and "FAIL" in findings
    everything = "".join(text for _, text in told) + "".join(
        path.read_text(encoding="utf-8") for path in tmp_path.glob("strange.*")
    )
    assert "sk-practice-0123456789" not in everything


@pytest.mark.parametrize("line", ALONE)
def test_console_lines_run(line, capsys, monkeypatch, tmp_path):
    """Each command of the README ends well and says something; the file that it shows is there."""
    (tmp_path / "in.jsonl").write_text("".join(text for kind, text in BLOCKS if kind == "jsonl"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(forms.door_class(module), "sleep", lambda door, seconds, wake=None: None)
    code = module("cli").main(shlex.split(line)[1:])
    said = capsys.readouterr()

    assert code == 0, said.err
    assert said.out.strip()


VENDORING = [line.partition("scripts/vendor ")[2] for line in LINES if "scripts/vendor " in line]


def test_the_vendoring_lines_run(tmp_path):
    """In their order, in a folder of somebody's project; the last one finds all as it was made."""
    for line in VENDORING:
        command = [sys.executable, "-B", str(ROOT / "scripts" / "vendor"), *shlex.split(line)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
    assert len(VENDORING) == 4
    assert sorted(path.name for path in (tmp_path / "app").iterdir()) == ["onefile.py", "vendor"]


def test_the_reading_order_follows_the_floors():
    """The list in README is the one that `scripts/floors.py --readme` prints."""
    printed = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "floors.py"), "--readme"], capture_output=True, text=True, check=True
    ).stdout
    shown = re.search(r"<!-- reading order: .*? -->\n(.*?)<!-- end of reading order -->", README, re.DOTALL)[1]

    assert shown == printed, "replace the list in README by what `scripts/floors.py --readme` prints"


def test_the_two_commands_come_first():
    """Run the main job, pass the tests: they are what a newcomer reads first, and both scripts are there."""
    assert LINES[:2] == ["python3 scripts/run", "python3 scripts/test"]
    assert (ROOT / "scripts" / "run").is_file() and (ROOT / "scripts" / "test").is_file()


def test_every_command_is_mentioned():
    """A command that README does not show does not exist for a newcomer."""
    for name in module("cli").COMMANDS:
        assert f"rawchat {name}" in README or name in ("demo",), name
