"""A recorded request as a Python program: it runs, says the same, and reads a stream rightly."""

import ast
import json
import os
import subprocess
import sys

import pytest

from . import lab_tapes, module

curl = module("lab.curl")
python_script = module("lab.python_script")
cli = module("cli")

requests = pytest.importorskip("requests")
KEY = "sk-test-of-the-script-0123"


def script(payload, practice, *, exact=False, **options):
    body = payload if isinstance(payload, bytes) else lab_tapes.compact(payload)
    exchange = lab_tapes.Tape().add(None, body=body, **options)
    return python_script.python_script(curl.prepare(exchange, exact=exact, base_url=practice.url), exact=exact)


def execute(source, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(source, encoding="utf-8")
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, timeout=60, env=environment, encoding="utf-8"
    )
    return done.returncode, done.stdout, done.stderr


ODD = {
    **lab_tapes.STREAMED,
    "messages": [{"role": "user", "content": 'It\'s "tea"\n\U0001f600 \u2028 \u202e {x} %s \\n ' + "long " * 40}],
    "temperature": 0.5,
    "stop": None,
    "logit_bias": {"50256": -100},
    "metadata": {},
}


@pytest.mark.parametrize("exact", [False, True], ids=["plain", "exact"])
def test_a_streaming_program_sends_equal_json_and_prints_the_text(practice, tmp_path, exact):
    code, out, err = execute(script(ODD, practice, exact=exact), tmp_path)
    assert code == 0, err
    record = practice.requests[-1]
    assert record.document == ODD and record.key == f"Bearer {KEY}"
    assert out.rstrip("\n") == record.text.rstrip("\n") and len(out) > 5
    if exact:
        assert record.body == lab_tapes.compact(ODD)


def test_a_whole_answer_is_printed_as_json(practice, tmp_path):
    code, out, err = execute(script(lab_tapes.PAYLOAD, practice), tmp_path)
    assert code == 0, err
    assert json.loads(out)["choices"][0]["message"]["content"]
    assert practice.requests[-1].document == lab_tapes.PAYLOAD


@pytest.mark.parametrize(
    ("fault", "says", "expected_code"),
    [
        ("401", "401", 1),
        ("error@2", "the stream broke", 1),
        ("no-done", "ended without [DONE]", 0),
        ("crlf", "", 0),
        ("comments", "", 0),
    ],
)
def test_a_program_reads_what_servers_do(tmp_path, fault, says, expected_code):
    with module("lab.practice").PracticeServer(port=0, pace_ms=0, fault=fault) as practice:
        code, out, err = execute(script(lab_tapes.STREAMED, practice), tmp_path)
        assert code == expected_code, err
        assert says in err
        if not says:
            assert out.rstrip("\n") == practice.requests[-1].text.rstrip("\n")


BODIES = {
    "a name twice": b'{"model":"a","model":"b"}',
    "a number that is infinite": b'{"temperature":1e999}',
    "a list": b"[1]",
    "no JSON": b"hello",
    "no UTF-8": b"\xff\x00",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_json_would_change_is_sent_as_bytes(practice, name):
    source = script(BODIES[name], practice)
    body = next(
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "body"
    )
    assert eval(compile(ast.Expression(body), "body", "eval")) == BODIES[name]


@pytest.mark.parametrize(
    "value",
    [{}, [], None, True, 1.0, -0.0, 1e300, 10**30, "\x00\x7f\u200b", {"a": [{"b": "c" * 200}] * 3}, "\ud83d"],
    ids=repr,
)
def test_a_literal_is_the_value(value):
    assert ast.literal_eval(python_script.literal(value)) == value


def test_long_values_stand_one_item_a_line():
    longest = max(
        map(len, python_script.literal({"messages": [{"role": "user", "content": "x" * 30}] * 5}).split("\n"))
    )
    assert longest < 100


def test_no_key_reaches_the_program(capsys, tmp_path):
    path = lab_tapes.save(tmp_path / "calls.jsonl", "stream")
    assert cli.main(["python", path]) == 0
    out = capsys.readouterr().out
    assert "os.environ['OPENAI_API_KEY']" in out and lab_tapes.KEY not in out and "<key:" not in out
    ast.parse(out)


def test_other_methods_are_sent_as_they_were(practice, tmp_path):
    exchange = lab_tapes.make("models")
    source = python_script.python_script(curl.prepare(exchange, base_url=practice.url))
    code, out, err = execute(source, tmp_path)
    assert code == 0, err
    assert json.loads(out)["object"] == "list" and practice.requests[-1].method == "GET"
