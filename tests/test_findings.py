"""The doctor's report: lines that fit, blocks that explain, two servers side by side, and JSON."""

import json

import pytest

from . import module
from .clinic import completion, events, line, probes, rule, seen, stream, table

findings = module("lab.clinic.findings")
terminal = module("lab.terminal")
visit = module("lab.clinic.visit")

KEY = "sk-proj-0123456789abcdef"
WAY = line.Way(
    "u", "h", False, True, "", tuple(line.Step(name, True, "fine") for name in ("name", "tcp", "proxy", "tls"))
)


def visited(answers=(), way=WAY, url="http://127.0.0.1:8000/v1", unreached=(), cost_usd=0.0012, **more):
    plan = probes.Plan(url, model="gpt-4o-mini")
    evidence = rule.Evidence(way, {name: seen(answer) for name, answer in dict(answers).items()})
    results = rule.examine(evidence, table.CHECKS)
    return visit.Visit(plan, evidence, results, list(unreached), len(evidence.every), 20, 10, cost_usd, 1.5, **more)


BROKEN = {"chat": completion(finish="eos"), "stream": stream(body=b": hi\n\ndata: \x1b[2J\xe6\x97\xa5" * 9)}
UGLY = "日本" * 40


@pytest.mark.parametrize("width", [60, 80])
def test_no_line_is_wider_than_allowed(width):
    """Also where the bytes seen are long, without blanks, or two columns wide."""
    many = visited({**BROKEN, "tools": completion({"content": UGLY}), "json-object": completion({"content": UGLY})})
    for visits in ([many], [many, visited({"chat": completion()})]):
        lines = list(findings.report(visits, width))
        assert max(map(terminal.columns_of, lines)) <= width
        assert all(text == text.rstrip() and "\x1b" not in text for text in lines)


def test_a_failure_is_followed_by_its_block():
    """What was seen, the rule with level and source, who breaks on it, the likely cure; a good line stands alone."""
    lines = list(findings.report([visited({"chat": completion(finish="eos")})], 80))
    at = next(number for number, text in enumerate(lines) if "chat-finish" in text)
    assert lines[at].startswith("  WARN  chat-finish        finish_reason is")
    labels = [text.split()[0] for text in lines[at + 1 : at + 9] if text.startswith(" " * 10) and text[10] != " "]
    assert labels == ["seen", "rule", "breaks", "cure"]
    assert "(should; API" in " ".join(" ".join(lines[at : at + 9]).split())
    assert next(text for text in lines if "chat-content" in text).startswith("  ok ")


def test_what_could_not_be_judged_is_folded():
    """One reason, one line, and how many more it holds for."""
    lines = list(findings.report([visited({"stream": b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"})], 80))
    (more,) = [text for text in lines if "and " in text and " more " in text]
    assert "no answer to judge: 503 Busy" in more
    assert sum("no answer to judge: 503" in text for text in lines) == 2


def test_quiet_shows_failures_only():
    """And still says what was counted."""
    lines = list(findings.report([visited({"chat": completion(finish="eos")})], 80, quiet=True))
    marks = {text.split()[0] for text in lines if text.startswith("  ") and text[2] != " "}
    assert marks == {"WARN", "note"}
    assert any(" ok, " in text for text in lines)


def test_two_servers_have_a_column_each():
    """A row a check; where they differ, the words of the one that fails; a dash where it was not asked."""
    good, bad = visited({"chat": completion()}), visited({"chat": completion(finish="eos"), "stream": stream()})
    lines = list(findings.report([good, bad], 80))
    rows = {
        text.split()[0]: text.split(None, 3)[1:] for text in lines if text.startswith("  ") and len(text.split()) > 2
    }
    assert rows["chat-finish"] == ["ok", "WARN", 'finish_reason is "eos"']
    assert rows["stream-done"][:2] == ["-", "ok"]
    assert sum(text.startswith("FAIL breaks a must") for text in lines) == 1


def test_no_key_is_told():
    """Neither the user's own, nor one in the address."""
    answer = completion({"role": KEY})
    one = visited({"chat": answer}, url="http://127.0.0.1:1/v1?api-key=abcdef0123456789")
    for text in ("\n".join(findings.report([one], 80, secrets=[KEY])), findings.as_json([one], secrets=[KEY])):
        assert KEY not in text
        assert "abcdef0123456789" not in text
        assert "<key:" in text


COSTS = {"known": (0.0012, "$0.001200 at list price"), "unknown": (None, "price unknown")}


@pytest.mark.parametrize("cost_usd,says", COSTS.values(), ids=COSTS.keys())
def test_what_it_took_is_told(cost_usd, says):
    """Requests, tokens by the server's count, dollars where the price is known, time."""
    last = list(findings.report([visited({"chat": completion()}, cost_usd=cost_usd)], 80))
    assert any("1 requests, 20 in + 10 out tokens" in text and says in text for text in last)


def test_what_it_will_take_is_told_before():
    """An upper bound, with dollars where the model has a price."""
    said = findings.estimate(probes.Plan("http://h/v1", model="gpt-4o-mini"), probes.PROBES)
    assert said.startswith("about 20 small requests, at most 1,") and "about $0.000" in said
    assert "$" not in findings.estimate(probes.Plan("http://h/v1", model="my-model"), probes.PROBES)
    assert "about 40 small requests" in findings.estimate(probes.Plan("http://h/v1"), probes.PROBES, 2)


def test_json_has_it_all():
    """Every check with verdict, words and rule; who breaks and the cure where it fails."""
    document = json.loads(findings.as_json([visited({"chat": completion(finish="eos")})]))
    (server,) = document["servers"]
    checks = {check["name"]: check for check in server["checks"]}
    assert document["report"] == "doctor" and document["version"] == 1
    assert checks["chat-finish"]["verdict"] == "fails" and checks["chat-finish"]["cure"]
    assert checks["chat"]["verdict"] == "ok" and "cure" not in checks["chat"]
    assert server["counts"]["ok"] == sum(check["verdict"] == "ok" for check in checks.values())


def test_every_row_is_told_in_full():
    """Rule, source, breaks and cure stand in each row; names fit their column, and none comes twice."""
    names = [check.name for check in table.CHECKS]
    assert len(set(names)) == len(names) >= 110
    for check in table.CHECKS:
        assert check.level in rule.LEVELS and check.group in table.GROUPS
        assert all((check.rule, check.source, check.breaks, check.cure)), check.name
        assert len(check.name) <= findings.NAME_COLUMNS
        assert check.rule.endswith(".") and not check.cure.endswith(".")


def test_bytes_from_the_wire_command_no_terminal():
    """An escape sequence in a stream is spelled out in the report."""
    body = b"data: \x1b]0;boo\x07\n\n" + events()
    text = "\n".join(findings.report([visited({"stream": stream(body=body)})], 80))
    assert "boo" in text
    assert "\x1b" not in text and "\x07" not in text
