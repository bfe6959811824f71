"""The report: what the page holds, what it must never hold, and what a browser makes of it."""

import base64
import hashlib
import html
import html.parser
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import threading

import pytest

from . import forms, lab_tapes, module

cassette = module("lab.cassette")
cli = module("cli")
exchange_module = module("lab.exchange")
report = module("lab.report")
report_data = module("lab.report_data")

TOP = pathlib.Path(__file__).parent.parent
EVIL = "</script><img src=x onerror=alert(1)><!-- --> \x1b[2J \u202egnp.exe \u2028 سلام 🎉 {{data}} &amp; https://evil.example/x"


def document_of(*names):
    """The page's data for a recording of these cases."""
    tape = lab_tapes.tape_of(*names)
    return report.report_document([(cassette.Cassette("calls.jsonl", tape.exchanges, []), None)])


class Parts(html.parser.HTMLParser):
    """What a browser sees in the page: tags with attributes, and the text of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags = []
        self.raw = []
        self.inside = ""
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag
        if tag in ("script", "style"):
            self.raw.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside in ("script", "style"):
            self.raw[-1][2].append(data)

    def text_of(self, tag, **attributes):
        return ["".join(text) for name, found, text in self.raw if name == tag and found == attributes]

    def data(self):
        return json.loads(self.text_of("script", type="application/json", id="data")[0])


def evil_page():
    tape = lab_tapes.Tape()
    pieces = lab_tapes.events(*EVIL.split(" "), EVIL)
    tape.stream(
        lab_tapes.in_chunks([*pieces, b"data: \xff\x00</script>\n\n"]),
        payload={**lab_tapes.STREAMED, "model": EVIL, "messages": [{"role": "user", "content": EVIL}]},
        request_headers=(*lab_tapes.REQUEST_HEADERS, ("X-Evil", EVIL)),
        headers=(lab_tapes.EVENTS_TYPE, lab_tapes.CHUNKED, ("X-Evil", "</script><svg onload=alert(1)>")),
        reason="</title>",
        detail=EVIL,
        how="reset",
    )
    chosen = [(cassette.Cassette(f"{EVIL}.jsonl", tape.exchanges, [EVIL]), None)]
    return tape, report.page(report.report_document(chosen))


# --- what the page holds


def test_the_embedded_data_is_the_recording():
    """Every read, every header and every event of the cassette can be read back from the page, unchanged."""
    names = ["whole", "stream", "gzip", "split UTF-8", "reset", "retry", "tools", "library", "no end"]
    tape = lab_tapes.tape_of(*names)
    shown = Parts(report.page(document_of(*names))).data()["views"]

    assert [view["number"] for view in shown] == [exchange.number for exchange in tape.exchanges]
    for view, exchange in zip(shown, tape.exchanges):
        reads = [piece[1].encode() if piece[1] is not None else base64.b64decode(piece[2]) for piece in view["reads"]]
        assert reads == [piece.data for piece in exchange.pieces]
        assert [piece[0] for piece in view["reads"]] == [piece.at_us for piece in exchange.pieces]
        assert [tuple(pair) for pair in view["request"]["headers"]] == list(exchange.request.headers)
        assert [tuple(pair) for pair in view["head"]["headers"]] == list(exchange.head.headers.pairs)
        assert view["request"]["body"] == {"text": exchange.request.body.decode()}
        assert [step[4] for step in view["steps"]] == [
            step.event.data if step.event else "" for step in exchange.steps()
        ]


def test_events_point_at_the_read_that_completed_them():
    """Also where a read held nothing but framing, and where several came in one microsecond."""
    tape = lab_tapes.Tape()
    first, second = lab_tapes.event(lab_tapes.chunk({"content": "one"})), lab_tapes.event("[DONE]")
    size = f"{len(first):x}\r\n".encode()
    pieces = [
        size,
        first[:30],
        first[30:] + b"\r\n",
        b": ping\n\n",
        f"{len(second):x}\r\n".encode() + second,
        b"\r\n0\r\n\r\n",
    ]
    pieces[3] = b"8\r\n: ping\n\n\r\n"
    view = report_data.view(tape.stream(pieces, gap_ms=0))

    assert [(step[1], step[2]) for step in view["steps"]] == [(2, "text"), (4, "done")]


KINDS = {
    "stream": ["role", "text", "text", "text", "finish", "usage", "done"],
    "reasoning": ["reasoning", "reasoning", "text", "finish", "usage", "done"],
    "tools": ["tool", "tool", "tool", "tool", "finish", "done"],
    "error event": ["role", "text", "error"],
}


@pytest.mark.parametrize("name", KINDS)
def test_each_event_has_a_kind(name):
    """What it brought, in a word; the page has a lane for it."""
    assert [step[2] for step in document_of(name)["views"][0]["steps"]] == KINDS[name]


def test_marks_stand_at_their_times():
    """From the head to [DONE], in microseconds since the sending."""
    view = document_of("reasoning")["views"][0]
    tape = lab_tapes.make("reasoning")
    times = [step.at_us for step in tape.steps()]

    assert view["marks"] == [
        ["head", "head", tape.head_us],
        ["first_event", "first event", times[0]],
        ["first_reasoning", "first reasoning", times[0]],
        ["first_text", "first text", times[2]],
        ["finish", "finish", times[3]],
        ["usage", "usage", times[4]],
        ["done", "[DONE]", times[5]],
    ]


def test_gaps_are_counted_in_bins():
    """Six gaps of 20 ms between the seven events of the stream fall into the bin that begins there."""
    gaps = document_of("stream")["views"][0]["gaps"]

    assert gaps["between"] == "events"
    assert {end: number for end, number in zip(gaps["ends_ms"], gaps["counts"]) if number} == {50: 6}


def test_cost_is_known_or_unknown():
    """A stated price gives a cost; an unknown model and a missing usage give None, never 0."""
    stated, unused = (document_of(name)["views"][0] for name in ("stream", "tools"))
    tape = lab_tapes.Tape()
    tape.stream(
        lab_tapes.in_chunks(
            [lab_tapes.event(lab_tapes.chunk({"content": "x"}, "stop", model="nobody-1", usage=lab_tapes.USAGE))]
        )
    )
    tape.exchanges[0].request = tape.exchanges[0].request._replace(body=b'{"model":"nobody-1"}')
    unpriced = report_data.view(tape.exchanges[0])

    assert stated["cost_usd"] == pytest.approx((12 * 0.15 + 3 * 0.6) / 1e6)
    assert stated["usage"] == [["prompt", 12], ["completion", 3], ["total", 15]]
    assert (unpriced["cost_usd"], unpriced["usage"][0]) == (None, ["prompt", 12])
    assert (unused["cost_usd"], unused["usage"]) == (None, None)


def test_a_chosen_exchange_comes_with_its_attempts():
    """FILE#N shows exchange N and the other attempts of its call, and nothing else."""
    tape = lab_tapes.tape_of("stream", "retry", "whole")
    document = report.report_document([(cassette.Cassette("calls.jsonl", tape.exchanges, []), tape.exchanges[2])])

    assert [view["id"] for view in document["views"]] == ["0:2", "0:3"]
    assert document["selected"] == "0:3"


# --- what it must never hold


def test_hostile_text_cannot_leave_its_place():
    """What was sent to break out of the data is data; the page has the elements of the template and no other."""
    _, page = evil_page()
    plain = Parts(report.page(document_of("stream")))
    evil = Parts(page)

    assert evil.tags == plain.tags
    assert evil.data()["views"][0]["model"] == EVIL
    assert evil.text_of("script") == plain.text_of("script")
    assert b"<img" not in page and b"<svg" not in page and b"\x1b" not in page and "\u2028".encode() not in page


def test_the_page_asks_nobody_for_anything():
    """No address in any attribute, no import or url() in the style, no request in the script; and a policy says so."""
    parts = Parts(report.page(document_of("stream")))
    policy = next(found["content"] for tag, found in parts.tags if found.get("http-equiv") == "Content-Security-Policy")
    (style,), (script,) = parts.text_of("style"), parts.text_of("script")
    addresses = [
        value for _, found in parts.tags for name, value in found.items() if name in ("src", "href", "action", "data")
    ]

    assert addresses == ["data:,"]  # the empty icon
    assert not re.search(r"@import|url\(", style.replace("url(#hatch)", ""))
    assert not re.search(
        r"fetch\(|XMLHttpRequest|sendBeacon|WebSocket|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script
    )
    assert "default-src 'none'" in policy and "unsafe" not in policy and "connect-src" not in policy
    for text, kind in ((script, "script-src"), (style, "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy


def test_no_address_but_the_recorded_and_the_namespace():
    """The only absolute addresses in the page are those of the recording, and the name of SVG."""
    page = report.page(document_of("stream")).decode()

    assert set(re.findall(r"https?://[^/\"' ]+", page)) == {"http://127.0.0.1:8080", "http://www.w3.org"}


def test_no_key_is_in_the_page():
    """Not the recorded one, and not that of a cassette that another program wrote without hiding it."""
    exchange = lab_tapes.make("401")
    bare = (("Authorization", f"Bearer {lab_tapes.KEY}"), ("api-key", "0123456789abcdef0123"))
    body = b'{"model":"m","api_key":"0123456789abcdef0123"}'
    url = f"http://127.0.0.1:8080/v1/chat/completions?key={lab_tapes.KEY}"
    exchange.request = exchange.request._replace(headers=bare, body=body, url=url)
    exchange.target = f"/v1/chat/completions?key={lab_tapes.KEY}"
    page = report.page(report.report_document([(cassette.Cassette("calls.jsonl", [exchange], []), None)]))

    assert lab_tapes.KEY.encode() not in page and b"0123456789abcdef0123" not in page
    assert b"Bearer \\u003ckey:" in page


ODD = [
    None,
    0,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    "",
    "\ud800",
    True,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"content": 5},
]


def mutated(value, dice):
    """JSON of the same kind, in which some values are others, and some keys are missing."""
    if dice.random() < 0.15:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {key: mutated(one, dice) for key, one in value.items() if dice.random() > 0.03}
    return [mutated(one, dice) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(4))
def test_any_json_a_server_may_send_makes_a_page(seed):
    """Values of every wrong type, NaN and lone surrogates: the data is made, and is JSON that a browser reads."""
    dice = random.Random(seed)
    usage = {**lab_tapes.USAGE, "cost": 0.1, "completion_tokens_details": {"reasoning_tokens": 4}}
    deltas = [{"role": "assistant", "content": "a", "reasoning_content": "b"}, {"tool_calls": lab_tapes.CALLS}, {}]
    for _ in range(100):
        tape = lab_tapes.Tape()
        chunks = [mutated(lab_tapes.chunk(delta, usage=usage), dice) for delta in deltas]
        tape.stream(lab_tapes.in_chunks([lab_tapes.event(json.dumps(chunk)) for chunk in chunks]))
        body = json.dumps(mutated(lab_tapes.completion(), dice)).encode()
        tape.add(
            headers=(lab_tapes.JSON_TYPE, ("Content-Length", str(len(body)))),
            pieces=[body],
            status=dice.choice([200, 429]),
        )
        for view in report_data.views(tape.exchanges):
            assert json.loads(report.embedded_json(view), parse_constant=pytest.fail)["id"] == view["id"]
            assert view["diagnosis"]["findings"]


@pytest.mark.parametrize("value", ["</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "\ud800", "é🎉", 'a"b\\'])
def test_embedded_json_is_inert_and_whole(value):
    """No character that HTML looks at is left, and what comes back is what went in."""
    text = report.embedded_json({value: [value]})

    assert text.isascii() and not re.search("[<>&]", text)
    assert json.loads(text) == {value: [value]}


def test_what_is_put_in_is_not_filled_in_again():
    """A recording that holds `{{script}}` gets no script."""
    document = document_of("stream")
    document["runs"][0]["name"] = "{{script}} {{data}}"

    assert Parts(report.page(document)).data()["runs"][0]["name"] == "{{script}} {{data}}"


# --- the command


def test_the_page_comes_out_of_a_zip(tmp_path):
    """A package that was zipped whole still finds its page."""
    home = forms.SOURCE
    archive = shutil.make_archive(str(tmp_path / "copy"), "zip", home.parent, home.name)
    program = "import importlib, sys; sys.path.insert(0, sys.argv[1]); "
    program += "sys.stdout.buffer.write(importlib.import_module(sys.argv[2] + '.lab.report').live_page())"
    command = [sys.executable, "-I", "-c", program, archive, home.name]
    done = subprocess.run(command, capture_output=True, timeout=60, cwd=str(tmp_path))

    assert done.stderr == b""
    assert done.stdout == report.live_page()


def test_the_package_brings_its_page_along():
    """Each part of the page is a file that pyproject lists as data of the package."""
    folder = forms.SOURCE / "lab" / "page"
    listed = re.search(r'"[a-z]+\.lab" = \["(.*?)"\]', (TOP / "pyproject.toml").read_text(encoding="utf-8"))[1]

    assert {path.name for path in folder.iterdir()} == {"page.html", "page.css", *(name[5:] for name in report.SCRIPTS)}
    assert '"page/*"' in f'"{listed}"'


def test_the_command_writes_the_page_and_says_what_is_in_it(tmp_path, capsys):
    """A line an exchange with its diagnosis, and the size of the file."""
    path = lab_tapes.save(tmp_path / "calls.jsonl", "stream", "reset")
    code = cli.main(["report", path, "-o", str(tmp_path / "out.html")])
    said = capsys.readouterr().out.splitlines()

    assert code == 0
    assert said[0].startswith("✓ #1 200: All is well")
    assert said[1].startswith("✕ #2 200, reset: The connection was reset")
    assert said[2] == f"{tmp_path / 'out.html'}: {(tmp_path / 'out.html').stat().st_size:,} bytes, opens in any browser"


def test_two_runs_are_compared(tmp_path, capsys):
    """FILE and FILE2: both are in the page, one over the other, and a sentence tells the difference."""
    first = lab_tapes.save(tmp_path / "a.jsonl", "stream")
    second = lab_tapes.Tape()
    second.stream(lab_tapes.in_chunks(lab_tapes.events("one", " two", " three")), first_ms=900)
    second.save(tmp_path / "b.jsonl")
    assert cli.main(["report", first, str(tmp_path / "b.jsonl#1"), "-o", str(tmp_path / "out.html")]) == 0
    data = Parts((tmp_path / "out.html").read_bytes()).data()

    assert (data["selected"], data["compared"]) == ("0:1", "1:1")
    assert "b.jsonl#1 against a.jsonl#1: head 800 ms later (100 ms → 900 ms)" in data["comparison"]
    assert data["comparison"] in capsys.readouterr().out


def test_escape_sequences_do_not_reach_the_terminal(tmp_path, capsys):
    """The server's error text is told spelled out."""
    tape = lab_tapes.Tape()
    body = lab_tapes.compact({"error": {"message": "a\x1b[2Jb"}})
    tape.add(status=500, reason="Bad", headers=(lab_tapes.JSON_TYPE, ("Content-Length", str(len(body)))), pieces=[body])
    path = tape.save(tmp_path / "calls.jsonl")
    assert cli.main(["report", path, "-o", str(tmp_path / "out.html")]) == 0

    assert "\x1b" not in capsys.readouterr().out


def test_a_recording_is_not_overwritten(tmp_path, capsys):
    """-o with the recording's own name is refused, and the recording is as it was."""
    path = lab_tapes.save(tmp_path / "calls.jsonl", "stream")
    before = pathlib.Path(path).read_bytes()

    assert cli.main(["report", path, "-o", path]) != 0
    assert "is the recording itself" in capsys.readouterr().err
    assert pathlib.Path(path).read_bytes() == before


def test_flaws_of_the_file_are_told(tmp_path, capsys):
    """A cassette that was cut off is shown as far as it goes."""
    path = lab_tapes.save(tmp_path / "calls.jsonl", "stream")
    with open(path, "ab") as file:
        file.write(b'{"event":"read","id":1,"t')
    assert cli.main(["report", path, "-o", str(tmp_path / "out.html")]) == 0

    assert "the file was cut off here" in capsys.readouterr().out


def test_an_empty_recording_gives_an_empty_page(tmp_path, capsys):
    """No exchange is no failure."""
    path = lab_tapes.save(tmp_path / "calls.jsonl")

    assert cli.main(["report", path, "-o", str(tmp_path / "out.html")]) == 0
    assert Parts((tmp_path / "out.html").read_bytes()).data()["selected"] is None


# --- live


def read_events(chunks):
    """(event, data) of the bytes of an event stream; comments left out."""
    decoder = module("protocol.sse").SSEDecoder()
    return [(event.event, json.loads(event.data)) for data in chunks for event in decoder.feed(data)]


def test_a_late_subscriber_gets_what_there_was_and_the_end():
    """The views of all exchanges so far, each as the file's page has it; then `close` ends the iterator."""
    tape = lab_tapes.tape_of("stream", "retry")
    feed = report.LiveFeed()
    for record in tape.records:
        feed(record)
    feed.close()
    found = read_events(feed.subscribe())

    assert [name for name, _ in found] == ["view"] * 3
    shown = json.loads(json.dumps(document_of("stream", "retry")["views"]))
    for (_, live), filed in zip(found, shown):
        assert {**live, "started_at": ""} == {**filed, "started_at": ""}


def test_views_come_while_a_call_runs(monkeypatch):
    """An open exchange is sent, and sent again when it has grown and when it has ended."""
    monkeypatch.setattr(report, "LIVE_INTERVAL_S", 0.0)
    records = lab_tapes.tape_of("stream").records
    feed = report.LiveFeed()
    stream = feed.subscribe()
    seen = []
    for part in (records[:3], records[3:6], records[6:]):
        for record in part:
            feed(record)
        ((_, view),) = read_events([next(stream)])
        seen.append((len(view["reads"]), view["end"] is not None))
    stream.close()

    assert [ended for _, ended in seen] == [False, False, True]
    assert [reads for reads, _ in seen] == sorted({reads for reads, _ in seen})


def test_a_retry_changes_what_is_said_of_the_first_attempt(monkeypatch):
    """Given up, until the second attempt begins."""
    monkeypatch.setattr(report, "LIVE_INTERVAL_S", 0.0)
    records = lab_tapes.tape_of("retry").records
    second = next(number for number, record in enumerate(records) if record.get("id") == 2)
    feed = report.LiveFeed()
    stream = feed.subscribe()
    for record in records[:second]:
        feed(record)
    ((_, before),) = read_events([next(stream)])
    for record in records[second:]:
        feed(record)
    ((_, after),) = read_events([next(stream)])
    stream.close()

    assert before["diagnosis"]["level"] == "broken"
    assert after["number"] == 1 and "Sent again as #2" in after["diagnosis"]["findings"][0][2]


def test_the_oldest_exchanges_are_forgotten(monkeypatch):
    """The feed keeps a bounded number; the page is told which are gone."""
    monkeypatch.setattr(report, "MOST_LIVE_EXCHANGES", 2)
    monkeypatch.setattr(report, "LIVE_INTERVAL_S", 0.0)
    tape = lab_tapes.tape_of("whole", "whole", "whole")
    third = next(number for number, record in enumerate(tape.records) if record.get("id") == 3)
    feed = report.LiveFeed()
    stream = feed.subscribe()
    for record in tape.records[:third]:
        feed(record)
    first_two = [next(stream), next(stream)]
    for record in tape.records[third:]:
        feed(record)
    feed.close()

    assert [view["id"] for _, view in read_events(first_two)] == ["0:1", "0:2"]
    assert [(name, data if name == "forget" else data["id"]) for name, data in read_events(stream)] == [
        ("forget", "0:1"),
        ("view", "0:3"),
    ]


def test_a_silent_feed_shows_signs_of_life(monkeypatch):
    """A comment now and then, so that a browser that has gone is noticed when it is written to."""
    monkeypatch.setattr(report, "HEARTBEAT_S", 0.01)
    stream = report.LiveFeed().subscribe()

    assert next(stream) == b": still here\n\n"
    stream.close()


def test_many_writers_and_readers_agree(monkeypatch):
    """Four threads record, two read: at the end both have seen the last state of every exchange."""
    monkeypatch.setattr(report, "LIVE_INTERVAL_S", 0.0)
    feed = report.LiveFeed()
    last = [{}, {}]

    def record(offset):
        for number in range(offset, 40, 4):
            for record in lab_tapes.tape_of("stream").records:
                feed({**record, "id": number, "call": number} if "id" in record else record)

    def read(place):
        for _, view in read_events(feed.subscribe()):
            last[place][view["id"]] = view

    writers = [threading.Thread(target=record, args=(offset,)) for offset in range(4)]
    readers = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    feed.close()
    for thread in readers:
        thread.join()

    assert [len(seen) for seen in last] == [40, 40]
    assert all(view["diagnosis"]["level"] == "good" for seen in last for view in seen.values())


def test_the_live_page_may_ask_its_own_origin_alone():
    """The same page, without data, with the one permission that it needs."""
    parts = Parts(report.live_page())
    policy = next(found["content"] for tag, found in parts.tags if found.get("http-equiv") == "Content-Security-Policy")

    assert parts.data()["live"] and parts.data()["views"] == []
    assert policy.endswith("connect-src 'self'")


# --- in a browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --enable-logging=stderr --dump-dom --virtual-time-budget=3000
""".split()


def open_in_browser(page, tmp_path):
    """The page's DOM as text after its script has run, and what the browser logged about it."""
    (tmp_path / "page.html").write_bytes(page)
    profile = tmp_path / "profile"
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120)
    dom = done.stdout.decode("utf-8", "replace")
    shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", dom, flags=re.DOTALL)
    return shown, [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]


def text_of(dom):
    return html.unescape(re.sub(r"<[^>]*>", "", dom))


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_shows_the_recording(tmp_path):
    """Every exchange is in the list, the diagnosis is in sight, and the console is silent."""
    document = document_of("bursts", "retry", "reset", "unreachable", "whole", "no end", "models")
    dom, console = open_in_browser(report.page(document), tmp_path)
    says = document["views"][0]["diagnosis"]["findings"][0][2]

    assert console == []
    assert len(re.findall(r'<li class="row', dom)) == len(document["views"]) == 8
    assert says in text_of(dom)
    assert re.findall(r'aria-valuemax="(\d+)"', dom) == ["44"]
    assert len(re.findall(r'<span class="delta', dom)) == 40
    assert len(re.findall(r'<g class="bar', dom)) == 8


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_shows_hostile_text_as_text(tmp_path):
    """No element comes of it, no handler runs, and what would command or turn the text is spelled out."""
    _, page = evil_page()
    dom, console = open_in_browser(page, tmp_path)

    assert console == []
    assert "<img" not in dom and "onload=" not in re.sub(r"&lt;.*?&gt;", "", dom)
    assert "</script><img src=x onerror=alert(1)>" in text_of(dom)
    assert "\x1b" not in dom and "\u202e" not in dom
    assert "U+202E" in dom and "ESC" in dom
