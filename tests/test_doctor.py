"""The doctor, end to end: a good server is found good, and each broken one is found broken at the right place."""

import argparse
import contextlib
import io
import json
import socket

import pytest

from . import module

cassette = module("lab.cassette")
cli = module("cli")
doctor = module("lab.doctor")
findings = module("lab.clinic.findings")
line = module("lab.clinic.line")
practice = module("lab.practice")
probes = module("lab.clinic.probes")
table = module("lab.clinic.table")

KEY = "sk-proj-0123456789abcdef"
# Judged by the clock: on a busy machine events come along with each other, and nothing is wrong with the server.
BY_THE_CLOCK = {"spread", "bursts"}


def examine(server, groups=tuple(table.GROUPS), silence_s=2.0, key=KEY, sleep=None, model="", tell=lambda _: None):
    reach = line.Line(server.url, silence_s=silence_s, longest_s=silence_s, after_done_s=0.2)
    waits = [] if sleep is None else sleep
    return doctor.Doctor(
        probes.Plan(server.url, key, model=model), reach, groups, sleep=waits.append, tell=tell
    ).visit()


@pytest.fixture
def keyed():
    with practice.PracticeServer(key=KEY, pace_ms=2) as server:
        yield server


def verdicts(visit, *wanted):
    return [result.check.name for result in visit.results if result.finding.verdict in wanted]


def test_a_good_server_is_found_good(keyed):
    """Every check is asked, judged and kept; the certificate alone has no part in plain http."""
    visit = examine(keyed)

    assert set(verdicts(visit, "fails", "unknown")) <= BY_THE_CLOCK
    judged = {result.check.name for result in visit.results}
    assert {check.name for check in table.CHECKS} - judged == {"certificate"}
    assert (visit.exit_code, visit.unreached, visit.plan.notes) == (0, [], [])


def test_it_asks_each_question_once(keyed):
    """As many requests as were announced, over one connection, and the tokens that the server counted."""
    visit = examine(keyed)
    records = keyed.requests

    assert len(records) == visit.requests == len(probes.PROBES)
    assert len({record.connection for record in records}) == 1
    assert visit.prompt_tokens > 100 and visit.completion_tokens > 100
    most = sum(probe.prompt_tokens + probe.most_tokens for probe in probes.PROBES)
    assert visit.prompt_tokens + visit.completion_tokens <= most


CHAT, STREAM, TOOLS, ALL = ("chat",), ("stream",), ("tools",), ("chat", "stream", "connection")
# fault -> (groups to look at, exactly these checks fail)
FAULTS = {
    "no-done": (STREAM, {"stream-done"}),
    "no-finish": (STREAM, {"stream-finish"}),
    "finish": (STREAM, {"finish-known"}),
    "finish-empty": (STREAM, {"finish-known"}),
    "finish-empty=null": (STREAM, {"finish-known"}),
    "finish-twice": (STREAM, {"finish-once"}),
    "no-usage": (STREAM, {"stream-usage"}),
    "usage-finish": (STREAM, {"usage-place"}),
    "usage-choice": (STREAM, {"usage-place", "delta-strays"}),
    "usage-groq": (STREAM, {"usage-place"}),
    "usage-every": (STREAM, {"usage-place"}),
    "usage-null": (STREAM, {"usage-place"}),
    "azure": (STREAM, {"empty-choices"}),
    "empty-choices": (STREAM, {"empty-choices"}),
    "null-choices": (STREAM, {"chunk-choices"}),
    "null-delta": (STREAM, {"choice-delta"}),
    "no-delta": (STREAM, {"choice-delta", "delta-strays"}),
    "bare": (STREAM, {"chunk-object", "chunk-id", "chunk-created", "chunk-model", "choice-index", "finish-key"}),
    "changing-ids": (STREAM, {"chunk-id"}),
    "roles": (STREAM, {"role-once"}),
    "nulls": (STREAM, {"delta-nulls", "delta-strays"}),
    "content-parts": (STREAM, {"delta-content"}),
    "growing": (STREAM, {"delta-strays"}),
    "reasoning": (STREAM, {"delta-strays", "delta-nulls"}),
    "error": (STREAM, {"stream-errors"}),
    "error-done": (STREAM, {"stream-errors"}),
    "error-429": (STREAM, {"stream", "stream-errors"}),
    "error-event": (STREAM, {"stream-errors", "event-fields"}),
    "error-text": (STREAM, {"stream-errors", "event-fields", "event-json"}),
    "error-field": (STREAM, {"stream-errors", "event-fields"}),
    "error-string": (STREAM, {"stream-errors"}),
    "error-object": (STREAM, {"stream-errors"}),
    "error-choice": (STREAM, {"stream-errors", "role-once"}),
    "done-only": (STREAM, {"stream"}),
    "whole": (STREAM, {"stream", "stream-type"}),
    "empty-stream": (STREAM, {"stream", "stream-complete"}),
    "content-type": (STREAM, {"stream-type"}),
    "no-content-type": (STREAM, {"stream-type"}),
    "latin1": (STREAM, {"stream-charset", "same-text"}),
    "crlf": (STREAM, {"line-ends"}),
    "cr": (STREAM, {"line-ends"}),
    "mixed": (STREAM, {"line-ends"}),
    "crlf-split": (STREAM, {"line-ends"}),
    "no-space": (STREAM, {"data-space"}),
    "two-spaces": (STREAM, {"data-space"}),
    "multi-line": (STREAM, {"data-lines"}),
    "bom": (STREAM, {"event-bom"}),
    "ids": (STREAM, {"event-fields"}),
    "ids+comments": (STREAM, {"event-fields", "event-id", "comments"}),
    "event-names": (STREAM, {"event-fields"}),
    "retry-field": (STREAM, {"event-fields"}),
    "unknown-fields": (STREAM, {"event-fields"}),
    "unended": (STREAM, {"last-blank"}),
    "half-ended": (STREAM, {"last-blank"}),
    "comments": (STREAM, {"comments"}),
    "comment-data": (STREAM, {"event-json"}),
    "pings": (STREAM, {"other-events", "event-fields"}),
    "heartbeats": (STREAM, {"event-data"}),
    "no-data": (STREAM, {"event-data", "event-fields"}),
    "after-done": (STREAM, {"behind-done", "comments"}),
    "separators": (STREAM, {"separators", "same-text"}),
    "split-surrogates": (STREAM, {"surrogates", "same-text"}),
    "glued": (STREAM, {"event-json", "same-text"}),
    "cut": (STREAM, {"stream-whole", "stream-complete"}),
    "cut-clean": (STREAM, {"stream-complete"}),
    "cut-inside": (STREAM, {"stream-whole", "stream-complete"}),
    "cut-character": (STREAM, {"stream-whole", "stream-complete", "stream-utf8"}),
    "reset": (STREAM, {"stream-whole", "stream-complete"}),
    "cut-silent": (STREAM, {"stream-complete", "stream-framing"}),
    "no-last-chunk": (STREAM, {"stream-whole"}),
    "stall-done": (STREAM, {"stream-ends"}),
    "close-delimited": (STREAM, {"stream-framing"}),
    "length": (STREAM, {"stream-framing"}),
    "length-long": (STREAM, {"stream-whole", "stream-framing"}),
    "bad-chunk": (STREAM, {"stream", "stream-whole", "stream-complete"}),
    "not-gzip": (STREAM, {"stream", "stream-whole", "stream-complete", "stream-coding"}),
    "gzip-flush": (STREAM, {"stream-coding"}),
    "deflate": (STREAM, {"stream-coding"}),
    "refuse": (STREAM, {"stream-usage"}),
    "buffered=200": (STREAM, {"spread", "bursts"}),
    "tools-whole": (TOOLS, {"fragment-index", "fragment-pieces"}),
    "tools-no-index": (TOOLS, {"fragment-index"}),
    "tools-index-zero": (TOOLS, {"fragment-distinct", "fragment-pieces"}),
    "tools-repeated": (TOOLS, {"fragment-once"}),
    "tools-object": (TOOLS, {"call-arguments", "fragment-arguments", "fragment-pieces"}),
    "tools-nulls": (TOOLS, {"fragment-blanks"}),
    "tools-stop": (TOOLS, {"call-finish", "fragment-finish"}),
    "500": (CHAT, {"chat"}),
    "stream": (CHAT, {"chat", "chat-type"}),
    "error-200": (CHAT, {"chat"}),
    "html-200": (CHAT, {"chat", "chat-type"}),
    "text-200": (CHAT, {"chat", "chat-type"}),
    "empty-200": (CHAT, {"chat"}),
    "null-200": (CHAT, {"chat"}),
    "list-200": (CHAT, {"chat"}),
    "307": (CHAT, {"redirect", "chat"}),
    "garbage": (CHAT, {"http", "chat"}),
    "close-head": (CHAT, {"http", "chat"}),
    "reset-head": (CHAT, {"http", "chat"}),
    "half-head": (CHAT, {"http", "chat"}),
    "html-502": (CHAT, {"chat"}),
    "http10": (("connection",), {"http-version", "keep-alive"}),
    "429-none": (("connection",), {"retry-after"}),
    "429-garbage": (("connection",), {"retry-after"}),
    "429-day": (("connection",), {"retry-after"}),
    "429x1": (ALL, set()),
    # Other than OpenAI's, and good all the same.
    "chunked": (ALL, set()),
    "trailers": (ALL, set()),
    "raw-utf8": (ALL, set()),
    "halves": (ALL, set()),
    "bytes": (ALL, set()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_server_is_found_broken_at_the_right_place(fault):
    """For each fault these checks fail, and no other one of the groups that were asked for."""
    wanted_groups, expected = FAULTS[fault]
    with practice.PracticeServer(key=KEY, fault=fault, pace_ms=0) as server:
        visit = examine(server, ("way", *wanted_groups))
    by_the_clock = BY_THE_CLOCK - expected
    assert set(verdicts(visit, "fails")) - by_the_clock == expected


def test_most_faults_that_concern_a_server_are_tried():
    """A doctor that finds nothing wrong with a broken server is worse than none."""
    assert len([fault for fault, (_, checks) in FAULTS.items() if checks]) >= 90


SILENCES = {
    "stall-head": {"http", "chat", "stream"},
    "stall": {"stream-whole", "stream-complete"},
    "stall-comments": {"stream-whole", "stream-complete", "comments"},
    "stall-finish": {"stream-whole", "stream-done"},
    "slow-first": {"stream", "stream-whole", "stream-complete"},
}


@pytest.mark.parametrize("fault", SILENCES)
def test_silence_is_waited_for_no_longer_than_allowed(fault):
    """Also where comments keep coming, and the line never is silent."""
    with practice.PracticeServer(key=KEY, fault=fault, pace_ms=0) as server:
        visit = examine(server, ("way", "chat", "stream"), silence_s=0.3)
    assert set(verdicts(visit, "fails")) - BY_THE_CLOCK - {"models"} == SILENCES[fault]


EXIT_CODES = {"": 0, "roles": 0, "crlf": 0, "heartbeats": 1, "404": 1, "401": 77, "403": 77, "garbage": 69}


@pytest.mark.parametrize("fault", EXIT_CODES, ids=lambda fault: fault or "clean")
def test_the_exit_code_says_whether_every_must_holds(fault):
    """0 also where a should or a quirk is broken; 77 for a key, 69 where nobody answers."""
    with practice.PracticeServer(key=KEY, fault=fault, pace_ms=0) as server:
        assert examine(server, ("way", "chat", "stream")).exit_code == EXIT_CODES[fault]


def test_a_wrong_key_is_told_once(keyed):
    """Of all that a wrong key makes impossible, one line fails."""
    visit = examine(keyed, key="sk-another-0000000000")
    assert verdicts(visit, "fails") == ["key"]
    assert visit.exit_code == 77


def test_nobody_there():
    """A port without a server: the step that failed, and how many checks were not reached."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        visit = doctor.Doctor(probes.Plan(url), line.Line(url)).visit()
    assert verdicts(visit, "fails") == ["tcp"]
    assert (visit.exit_code, visit.requests) == (69, 0)
    assert len(visit.unreached) > 100
    told = list(findings.report([visit], 80))
    assert any("checks were not reached: the way ended at tcp" in text for text in told)


def test_it_stops_asking_a_server_that_never_answers():
    """Three in a row without an answer are enough."""
    with practice.PracticeServer(key=KEY, fault="close-head", pace_ms=0) as server:
        visit = examine(server)
        assert visit.requests == doctor.MOST_SILENT
    assert visit.exit_code == 69


def test_a_busy_server_gets_one_more_chance():
    """It is waited for as it asks, once for each question, and the wait is told."""
    waits, told = [], []
    with practice.PracticeServer(key=KEY, fault="429x1", pace_ms=0) as server:
        visit = examine(server, ("way", "chat"), sleep=waits, tell=told.append)
    assert waits == [1.0] * 2
    assert "busy; it asks to wait 1 s" in told
    assert verdicts(visit, "fails") == []


def test_a_server_that_is_busy_for_a_day_is_not_waited_for():
    """Nor is one asked twice that stays busy."""
    for fault, expected in (("429-day", []), ("429", [1.0] * 2)):
        waits = []
        with practice.PracticeServer(key=KEY, fault=fault, pace_ms=0) as server:
            examine(server, ("way", "chat"), sleep=waits)
        assert waits == expected


def test_a_reasoning_model_is_asked_in_its_own_words(keyed):
    """max_tokens and temperature are refused there: it learns, tells, and judges the rest."""
    visit = examine(keyed, ("way", "chat", "stream", "parameters"), model="gpt-5-mini")
    assert [note.split()[0] for note in visit.plan.notes] == ["max_tokens", "temperature"] or [
        note.split()[0] for note in visit.plan.notes
    ] == ["temperature", "max_tokens"]
    assert "parameters" in verdicts(visit, "fails")
    assert "chat" in verdicts(visit, "ok")
    assert visit.exit_code == 0


# --- the command


@pytest.fixture
def run(capsys, monkeypatch):
    """run(arguments) -> (exit code, stdout, stderr), with a key in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def run(*arguments):
        code = cli.main(["doctor", *arguments])
        out, err = capsys.readouterr()
        assert KEY not in out + err
        return code, out, err

    return run


def test_practice_needs_no_key_and_no_network(run, monkeypatch):
    """`doctor --practice` is a clean bill of health."""
    monkeypatch.delenv("OPENAI_API_KEY")
    code, out, err = run("--practice")
    assert (code, err) == (0, "")
    assert out.startswith("about 20 small requests, at most 1,")
    assert "takes no money" in out
    assert "FAIL" not in out


def test_the_address_comes_from_argument_or_environment(run, monkeypatch, keyed):
    """The argument wins; the key is OPENAI_API_KEY or what --key-env names."""
    assert run(keyed.url, "--only", "models")[0] == 0
    monkeypatch.setenv("OPENAI_BASE_URL", keyed.url)
    assert run("--only", "models")[0] == 0
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-0000000000")
    assert run("--only", "models")[0] == 77
    monkeypatch.setenv("MY_KEY", KEY)
    assert run("--only", "models", "--key-env", "MY_KEY")[0] == 0


def test_a_key_from_a_file(run, monkeypatch, keyed, tmp_path):
    """--env-file, as for the other commands."""
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nOPENAI_BASE_URL={keyed.url}\n", encoding="utf-8")
    assert run("--env-file", str(tmp_path / ".env"), "--only", "models")[0] == 0


def test_nothing_to_examine(run, monkeypatch):
    """Without an address and a key nothing is sent, and the way out is told."""
    monkeypatch.delenv("OPENAI_API_KEY")
    code, _, err = run()
    assert code == 64
    assert "BASE_URL" in err and "--practice" in err


WRONG = {
    "three servers": (["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"], "two servers"),
    "no address": (["localhost:8000/v1"], "must begin with http"),
    "no such fault": (["--fault", "no-such"], "no fault"),
    "no such variable": (["http://127.0.0.1:1", "--key-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
    "too many variables": (["http://127.0.0.1:1", "--key-env", "A", "--key-env", "B"], "2 times for 1"),
}


@pytest.mark.parametrize("arguments,says", WRONG.values(), ids=WRONG.keys())
def test_wrong_arguments_are_refused_before_anything_is_sent(run, arguments, says):
    """With 64, and words that say which."""
    code, _, err = run(*arguments)
    assert code == 64
    assert says in err


def test_groups_are_named_or_refused():
    """--only and --skip take names of groups, several by comma."""
    assert doctor.groups("stream, tools") == ["stream", "tools"]
    with pytest.raises(argparse.ArgumentTypeError, match="streams"):
        doctor.groups("streams")


def test_only_and_skip(run, keyed):
    """What is not asked for is not asked; the way is always looked at."""
    _, out, _ = run(keyed.url, "--only", "errors,models", "--skip", "models")
    assert "the way to the server" in out and "\nerrors" in out
    assert "\nmodels" not in out and "a streamed answer" not in out
    assert {record.target for record in keyed.requests} == {"/v1/models", "/v1/chat/completions", "/v1/no-such-path"}


def test_the_findings_as_json(run, keyed):
    """One document, with every check, and nothing else on standard output."""
    code, out, _ = run(keyed.url, "--json", "--only", "chat,models")
    document = json.loads(out)
    (server,) = document["servers"]
    assert (code, document["exit_code"], server["exit_code"]) == (0, 0, 0)
    assert server["model"] == "practice"
    assert {check["verdict"] for check in server["checks"]} == {"ok"}
    assert all(check["rule"] and check["source"] for check in server["checks"])


def test_two_servers_side_by_side(run):
    """A column for each, and the failures of each below."""
    with contextlib.ExitStack() as stack:
        good, bad = (
            stack.enter_context(practice.PracticeServer(fault=fault, pace_ms=0)) for fault in ("", "heartbeats")
        )
        urls = [good.url, bad.url]
        code, out, _ = run(*urls, "--only", "stream")
    assert code == 1
    (row,) = [text for text in out.splitlines() if text.split()[:1] == ["event-data"]]
    assert row.split()[1:3] == ["ok", "FAIL"]
    assert f"A  {urls[0]}" in out and f"B  {urls[1]}" in out
    assert out.count("JSONDecodeError, the stream is dead") == 1


def test_exchanges_are_recorded_without_the_key(run, keyed, tmp_path):
    """Every exchange stands in the cassette, the wrong key's too, and reads back to the same bytes."""
    path = tmp_path / "doctor.jsonl"
    run(keyed.url, "--record", str(path), "--only", "stream,errors")
    recorded = cassette.read_cassette(str(path))
    assert KEY not in path.read_text(encoding="utf-8")
    assert recorded.flaws == []
    assert len(recorded.exchanges) == len(keyed.requests)
    streamed = next(one for one in recorded.exchanges if one.is_stream)
    assert streamed.reply().text == probes.SENTENCE
    assert (streamed.source, streamed.end.how, streamed.end.whole) == ("doctor", "eof", True)


def test_progress_is_for_terminals_alone():
    """A pipe gets no line that overwrites itself."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for out, expected in ((io.StringIO(), False), (Terminal(), True)):
        with findings.progress(out) as tell:
            tell("a question")
        assert ("asking: a question" in out.getvalue()) is expected
    assert out.getvalue().endswith("\r")
