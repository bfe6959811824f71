"""`diff`: two requests on three levels, two answers by shape, and an exit status for scripts."""

import json

import pytest

from . import lab_tapes, module

diff = module("lab.diff")
json_diff = module("lab.json_diff")
cli = module("cli")
M, S, F = json_diff.MEANING, json_diff.SOFT, json_diff.FORM


def requests_of(left, right):
    tape = lab_tapes.Tape()
    pair = [tape.add(**{"payload": lab_tapes.PAYLOAD, **options}) for options in (left, right)]
    return [(found.weight, found.path) for found in diff.compare_requests(*pair)]


def with_header(*pairs):
    return {"request_headers": (*lab_tapes.REQUEST_HEADERS, *pairs)}


def body(text):
    return {"payload": None, "body": text.encode()}


REQUESTS = {
    "the same": ({}, {}, []),
    "another key": (
        {},
        {"request_headers": (*lab_tapes.REQUEST_HEADERS[:3], ("Authorization", "Bearer sk-another-0123456789"))},
        [(M, "header authorization"), (F, "header user-agent")],
    ),
    "another endpoint": ({}, {"url": "http://127.0.0.1:8080/v1/embeddings"}, [(M, "path")]),
    "another method": ({}, {"method": "GET"}, [(M, "method")]),
    "another server, version in the path or not": (
        {},
        {"url": "http://other/chat/completions"},
        [(S, "server")],
    ),
    "another query": ({}, {"url": f"{lab_tapes.URL}?api-version=1"}, [(M, "query.api-version")]),
    "a header of an SDK": ({}, with_header(("X-Stainless-Lang", "python")), [(F, "header x-stainless-lang")]),
    "a header of nobody's": ({}, with_header(("X-Mine", "1")), [(S, "header x-mine")]),
    "an organization": ({}, with_header(("OpenAI-Organization", "o")), [(M, "header openai-organization")]),
    "order and spacing of the JSON": (
        body('{"model":"m","messages":[]}'),
        body('{"messages": [], "model": "m"}'),
        [(F, "spacing of the JSON"), (F, "bytes of the body"), (F, "order of keys")],
    ),
    "JSON over lines": (
        body('{"model":"m"}'),
        body('{\n  "model": "m"\n}'),
        [(F, "spacing of the JSON"), (F, "bytes of the body")],
    ),
    "spaces inside strings are text": (body('{"a":"b c"}'), body('{"a":"b c"}'), []),
    "escapes": (
        body('{"a":"\\u00e9"}'),
        body('{"a":"é"}'),
        [(F, "characters beyond ASCII"), (F, "bytes of the body")],
    ),
    "case of header names": (
        {"request_headers": (("Host", "h"), ("Accept", "a"))},
        {"request_headers": (("host", "h"), ("accept", "a"))},
        [(F, "case of header names")],
    ),
    "order of headers": (
        {"request_headers": (("Host", "h"), ("Accept", "a"))},
        {"request_headers": (("Accept", "a"), ("Host", "h"))},
        [(F, "order of headers")],
    ),
    "a charset that JSON does not need": (
        {"request_headers": (("Content-Type", "application/json"),)},
        {"request_headers": (("Content-Type", "application/json; charset=utf-8"),)},
        [(F, "header content-type")],
    ),
    "a body that is no JSON": (body("a"), body("b"), [(M, "body")]),
    "HTTP versions": ({}, {"http_version": "1.0"}, []),  # that is the answer's version
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_compared_on_three_levels(name):
    left, right, expected = REQUESTS[name]
    assert requests_of(left, right) == expected


ANSWERS = {
    ("stream", "stream"): [],
    ("stream", "gzip"): [],
    ("stream", "reset"): [(M, "end"), (S, "usage"), (S, "a chunk of this shape"), (M, "finish_reason"), (S, "text")],
    ("whole", "stream"): [(M, "stream or whole"), (S, "content type")],
    ("whole", "401"): [(M, "status"), (S, "usage")],
    ("whole", "unreachable"): [(M, "status"), (M, "end"), (S, "content type"), (S, "usage")],
    ("whole", "tools whole"): [(M, "finish_reason"), (M, "tools called"), (S, "text")],
    ("stream", "reasoning"): [(S, "a chunk of this shape"), (S, "text"), (S, "reasoning")],
    ("stream", "n=2"): [(S, "usage"), (S, "a chunk of this shape"), (M, "choices"), (S, "text")],
}


@pytest.mark.parametrize(("left", "right"), ANSWERS)
def test_answers_are_compared_by_status_end_shape_and_finish(left, right):
    found = diff.compare_answers(lab_tapes.make(left), lab_tapes.make(right))
    seen = list(dict.fromkeys((one.weight, one.path) for one in found))
    # A list of another length is told item by item; here the field counts.
    assert list(dict.fromkeys((weight, path.partition("[")[0]) for weight, path in seen)) == ANSWERS[left, right]


def command(capsys, *arguments):
    code = cli.main(["diff", *arguments])
    return code, capsys.readouterr().out


def test_the_exit_status_says_whether_the_meaning_differs(capsys, tmp_path):
    path = lab_tapes.save(tmp_path / "calls.jsonl", "stream", "gzip", "n=2")
    assert command(capsys, f"{path}#1", f"{path}#2")[0] == 0
    assert command(capsys, f"{path}#1", f"{path}#3")[0] == 1


def test_form_is_counted_and_folded_unless_all_is_asked_for(capsys, tmp_path):
    tape = lab_tapes.Tape()
    tape.add(None, body=b'{"model":"m","messages":[]}')
    tape.add(None, body=b'{"messages": [], "model": "m"}')
    path = tape.save(tmp_path / "calls.jsonl")
    code, out = command(capsys, f"{path}#1", f"{path}#2")
    assert code == 0 and "they mean the same\n  3 differences of form: --all shows them" in out
    out = command(capsys, f"{path}#1", f"{path}#2", "--all")[1]
    assert "--all" not in out and '"model, messages" / "messages, model"' in out


def test_long_text_is_shown_by_words(capsys, tmp_path):
    tape = lab_tapes.Tape()
    for language in ("French", "German"):
        text = f"You are a helpful assistant who answers every question of the user in {language}, always."
        tape.add({**lab_tapes.PAYLOAD, "messages": [{"role": "system", "content": text}]})
    path = tape.save(tmp_path / "calls.jsonl")
    assert "the user in [-French,-]{+German,+} always." in command(capsys, f"{path}#1", f"{path}#2")[1]


def test_one_call_with_several_attempts_is_one_exchange(capsys, tmp_path):
    retried = lab_tapes.save(tmp_path / "retried.jsonl", "retry")
    plain = lab_tapes.save(tmp_path / "plain.jsonl", "stream")
    code, out = command(capsys, retried, plain)
    assert code == 0 and out.startswith("A  #2 = #1 again")


def test_a_cassette_with_several_calls_asks_which(capsys, tmp_path):
    path = lab_tapes.save(tmp_path / "calls.jsonl", "stream", "whole")
    assert cli.main(["diff", path, path]) not in (0, 1)
    assert "say which one" in capsys.readouterr().err


def test_neither_a_key_nor_a_command_to_the_terminal_is_printed(capsys, tmp_path):
    tape = lab_tapes.Tape()
    tape.add(request_headers=(("Authorization", f"Bearer {lab_tapes.KEY}"), ("X-A", "\x1b[2J")))
    tape.add(request_headers=(("Authorization", "Bearer sk-another-0123456789"),))
    path = tape.save(tmp_path / "calls.jsonl")
    code, out = command(capsys, f"{path}#1", f"{path}#2", "--all")
    assert code == 1 and out.count("<key:") == 2
    assert lab_tapes.KEY not in out and "sk-another" not in out and "\x1b" not in out


def test_figures_stand_side_by_side():
    rows = diff.figures(lab_tapes.make("stream"), lab_tapes.make("bursts"))
    assert ("events", "7", "44") in rows and ("longest gap", "20 ms", "400 ms") in rows


def test_a_shape_is_the_kinds_and_not_the_values():
    assert diff.shape_of({"a": [1, "x", None, True]}) == {"a": ["int", "str", "NoneType", "bool"]}
    assert json.dumps(diff.shape_of({"a": 1.5})) == '{"a": "float"}'
