"""The staircase: five programs, each with one idea more, and nothing of ours in them. Each is run as a learner would."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import module

pytest.importorskip("requests")
STAIRS = Path(__file__).resolve().parent.parent / "scripts" / "examples" / "staircase"
STEPS = ["1_post.py", "2_reply.py", "3_stream.py", "4_retry.py", "5_cost.py"]


def climb(step, fault=""):
    """Exit code, what was printed and the requests that came."""
    with module("lab.practice").PracticeServer(port=0, pace_ms=0, fault=fault) as server:
        environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "practice", "PYTHONUTF8": "1"}
        done = subprocess.run(
            [sys.executable, str(STAIRS / step)], capture_output=True, env=environment, timeout=60, encoding="utf-8"
        )
        return done.returncode, done.stdout, done.stderr, server.requests


def test_there_are_five_steps():
    assert sorted(path.name for path in STAIRS.glob("*.py")) == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_a_step_is_short_and_uses_nothing_of_ours(step):
    source = (STAIRS / step).read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    names = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    assert names <= {"json", "os", "random", "sys", "time", "requests"}


def test_step_1_shows_the_status_and_the_json():
    code, out, err, came = climb("1_post.py")
    assert code == 0, err
    first, _, rest = out.partition("\n")
    assert first == "200 application/json" and json.loads(rest)["object"] == "chat.completion"
    assert len(came) == 1


def test_step_2_reads_the_reply_and_goes_on_with_the_conversation():
    code, out, err, came = climb("2_reply.py")
    assert code == 0, err
    assert "finish reason: stop" in out and re.search(r"tokens: \d+ in, \d+ out", out)
    assert [message["role"] for message in came[1].document["messages"]] == ["user", "assistant", "user"]
    assert came[1].document["messages"][1]["content"] in out


def test_step_3_prints_the_stream_and_knows_that_it_is_whole():
    code, out, err, came = climb("3_stream.py")
    assert code == 0, err
    assert out.startswith(came[0].text) and re.search(r"\(\d+ characters, \d+ tokens\)\n\Z", out)


def test_step_3_tells_a_stream_that_was_cut_off():
    code, out, err, _ = climb("3_stream.py", "no-done")
    assert code == 0, err
    assert out.endswith("(cut off: no [DONE] came)\n")


@pytest.mark.parametrize(
    ("fault", "code", "requests", "says"),
    [
        ("", 0, 1, ""),
        ("429x1=retry-after:1", 0, 2, "trying again in 1.00 s"),
        ("503x1", 0, 2, "attempt 1 failed"),
        ("401", 1, 1, "401"),
        ("quota", 1, 1, "insufficient_quota"),
    ],
)
def test_step_4_tries_again_what_may_pass_and_nothing_else(fault, code, requests, says):
    ended, out, err, came = climb("4_retry.py", fault)
    assert ended == code, err
    assert len(came) == requests and says in err
    assert bool(out) is (code == 0)


def test_step_5_adds_up_what_three_answers_cost():
    code, out, err, came = climb("5_cost.py")
    assert code == 0, err
    assert len(came) == 3
    kinds = dict(re.findall(r"(?m)^(input|cached input|output) +([\d,]+) tokens", out))
    assert set(kinds) == {"input", "cached input", "output"} and int(kinds["output"]) > 0
    assert out.count("$0.00") == 3


def test_step_5_has_the_prices_of_our_table():
    source = (STAIRS / "5_cost.py").read_text(encoding="utf-8")
    price = next(
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PRICE"
    )
    ours = module("protocol.cost").price_of("gpt-4o-mini")
    assert price == {
        "input": ours.input_per_mtok,
        "cached input": ours.cached_input_per_mtok,
        "output": ours.output_per_mtok,
    }


@pytest.mark.parametrize("step", [step for step in STEPS if step not in ("1_post.py", "4_retry.py")])
def test_an_error_ends_a_step_with_what_the_server_says(step):
    code, _, err, _ = climb(step, "401")
    assert code == 1 and err.startswith("401: ")
