"""The command `tap`: a program run with its base URL tapped, its exit status, its cassette, and how it is stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from . import forms, module, rawchat
from .practice_wire import body_of
from .tapped import PATIENCE_S, tapped

cassette = module("lab.cassette")
cli = module("cli")
hiding = module("lab.hiding")
tap_module = module("lab.tap")

# A client of few words: asks once for each body on its command line, prints the statuses, ends with the last one % 256.
CLIENT = """
import http.client, os, sys, urllib.parse
address = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
for body in sys.argv[1:]:
    connection = http.client.HTTPConnection(address.hostname, address.port)
    connection.request("POST", address.path + "/chat/completions", body, {"Authorization": "Bearer sk-secret-0123456789abcdef"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    print("status", answer.status)
sys.exit(answer.status % 256)
"""
SHOW = "import os; print(*(os.environ.get(name) for name in ('OPENAI_BASE_URL', 'OPENAI_API_BASE', 'NO_PROXY', 'no_proxy', 'AZURE_OPENAI_ENDPOINT')), sep='|')"


def program(text, *arguments):
    return [sys.executable, "-c", text, *arguments]


def run_tap(practice, *options, command):
    return cli.main(["tap", "--to", practice.url, *options, "--", *command])


def test_a_program_is_run_with_its_base_url_tapped(practice, tmp_path, capfd):
    """Its output is its own, its exit status is passed on; what crossed the wire is shown, and on record."""
    path = tmp_path / "calls.jsonl"
    body = body_of(stream=True).decode()
    assert run_tap(practice, "--record", str(path), command=program(CLIENT, body, "nonsense")) == 400 % 256
    shown = capfd.readouterr()
    assert shown.out == "status 200\nstatus 400\n"
    assert "#1 POST /chat/completions 200 stream" in shown.err and "#2 POST /chat/completions 400" in shown.err
    assert f"2 exchanges in {path}" in shown.err
    first, second = cassette.read_cassette(str(path)).exchanges
    assert first.request.body == body.encode() and first.reply().finish_reason == "stop" and first.end.whole
    assert second.head.status == 400 and second.source == "tap"
    assert "sk-secret" not in path.read_text() and "sk-secret" not in shown.err
    assert practice.requests[0].key == "Bearer sk-secret-0123456789abcdef"


def test_a_cassette_is_continued(practice, tmp_path, capfd):
    """A second run numbers on where the first one ended."""
    path = str(tmp_path / "calls.jsonl")
    for _ in range(2):
        run_tap(practice, "--record", path, command=program(CLIENT, body_of().decode()))
    assert [exchange.number for exchange in cassette.read_cassette(path).exchanges] == [1, 2]
    assert "#2 POST" in capfd.readouterr().err


def test_a_file_that_is_no_cassette_is_not_written_to(practice, tmp_path, capfd):
    """Refused before the program runs."""
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    assert run_tap(practice, "--record", str(path), command=program("print('ran')")) == 64
    shown = capfd.readouterr()
    assert "is no cassette" in shown.err and shown.out == "" and path.read_text() == "mine"


def test_the_surroundings_of_the_program(practice, monkeypatch, capfd):
    """Both names of the base URL; and no proxy between the program and the tap, whatever was exempt before."""
    monkeypatch.setenv("NO_PROXY", "internal.example")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", practice.root + "/")
    assert run_tap(practice, command=program(SHOW)) == 0
    base, old, upper, lower, azure = capfd.readouterr().out.strip().split("|")
    assert base == old and base.startswith("http://127.0.0.1:") and base.endswith("/v1")
    assert upper == lower == "internal.example,127.0.0.1,localhost"
    assert azure + "/v1" == base


def test_other_surroundings_stay():
    """An exemption of everything stays one; another Azure resource is not tapped."""
    with tapped("http://h.example/v1") as (tap, _):
        changed = tap_module.child_environment({"NO_PROXY": "*", "AZURE_OPENAI_ENDPOINT": "https://other.example"}, tap)
    assert changed["NO_PROXY"] == "*" and changed["AZURE_OPENAI_ENDPOINT"] == "https://other.example"


def test_the_upstream_comes_from_the_environment(practice, monkeypatch, capfd):
    """OPENAI_BASE_URL is where the program would have gone; its own options may begin with dashes."""
    monkeypatch.setenv("OPENAI_BASE_URL", practice.url)
    assert cli.main(["tap", *program(CLIENT, body_of().decode())]) == 200
    assert len(practice.requests) == 1
    assert tap_module.Tap().base.url == "https://api.openai.com/v1"


def test_a_dry_run_sends_nothing(practice, capfd):
    """The program gets an answer, people see the request, the server sees nothing."""
    assert run_tap(practice, "--dry-run", command=program(CLIENT, body_of(model="llama3").decode())) == 200
    shown = capfd.readouterr()
    assert practice.requests == []
    assert f"#1 POST {practice.url}/chat/completions" in shown.err and '     "model": "llama3",' in shown.err
    assert "Authorization: Bearer <key:" in shown.err and "sk-secret" not in shown.err


def test_a_fault(practice, capfd):
    """Several of them are one; a retry is shown as what it is."""
    body = body_of().decode()
    assert run_tap(practice, "--fault", "503x1", "--fault", "ids", command=program(CLIENT, body, body)) == 200
    shown = capfd.readouterr()
    assert shown.out == "status 503\nstatus 200\n" and "#2 = #1 again, attempt 2, after 0.0" in shown.err
    assert "#1 fault 503x1+ids: answered by the tap" in shown.err


def test_events_and_bytes(practice, capfd):
    """Asked for, they are shown as they come."""
    run_tap(practice, "--events", "--raw", command=program(CLIENT, body_of(stream=True).decode()))
    shown = capfd.readouterr().err
    assert '"delta":{"role":"assistant"' in shown and "#1 < HTTP/1.1 200 OK" in shown and "[DONE]" in shown


def test_the_live_page_is_told(practice, capfd):
    """Its address, for the browser; the page is there while the program runs."""
    look = "import os, urllib.request; print(urllib.request.urlopen(os.environ['OPENAI_BASE_URL'][:-2] + '__tap__/').status)"
    assert run_tap(practice, "--ui", command=program(look)) == 0
    shown = capfd.readouterr()
    assert shown.out == "200\n" and "Live page: http://127.0.0.1:" in shown.err


TROUBLE = [
    ("a program that is not there", ["--", "/no/such/program"], 127, "cannot run /no/such/program"),
    ("a file that is no program", ["--", "."], 126, "cannot run ."),
    ("no such fault", ["--fault", "cutt"], 64, "Do you mean cut"),
    ("no address", ["--to", "nowhere"], 64, "did you mean"),
    ("a proxy scheme for an upstream", ["--to", "socks5://h"], 64, "socks5"),
]


@pytest.mark.parametrize("name, arguments, code, words", TROUBLE, ids=[row[0] for row in TROUBLE])
def test_trouble(practice, capfd, name, arguments, code, words):
    """Told in a line, with the exit code that a shell gives."""
    assert cli.main(["tap", *([] if "--to" in arguments else ["--to", practice.url]), *arguments]) == code
    assert words in capfd.readouterr().err


def test_a_port_that_is_taken(practice, capfd):
    """The message says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["tap", "--to", practice.url, "--port", str(port)]) == 71
    assert f"cannot listen on 127.0.0.1:{port}" in capfd.readouterr().err


def test_a_disk_that_is_full_ends_the_recording_and_not_the_traffic(practice, tmp_path, monkeypatch, capfd):
    """The program gets all its answers; people are told once."""

    class Full(cassette.CassetteWriter):
        lines = 0

        def __call__(self, record):
            self.lines += 1
            if self.lines > 3:
                raise OSError(28, "No space left on device")
            super().__call__(record)

    monkeypatch.setattr(tap_module, "CassetteWriter", Full)
    body = body_of().decode()
    assert run_tap(practice, "--record", str(tmp_path / "c.jsonl"), command=program(CLIENT, body, body)) == 200
    shown = capfd.readouterr()
    assert shown.out == "status 200\n" * 2
    assert shown.err.count("cannot be written any more") == 1


def test_more_secrets_can_be_named(practice):
    """A tap in a program takes a Hider of its own."""
    with tapped(practice.url, hider=hiding.Hider(["correct horse battery"])) as (tap, records):
        rawchat.Client("k", tap.url).chat("my password is correct horse battery")
        records.wait_for("end")
    assert "correct horse" not in str(records) and "my password is" in str(records)


# Stopping: in a process group of its own, as a terminal has it -----------------------------------------------------------

WAITING = CLIENT.replace("answer.read()", "print('begun', flush=True); answer.read()")


def start(practice, *arguments):
    return subprocess.Popen(
        forms.command("tap", "--to", practice.root + "/fault/stall@2/v1", *arguments),
        env=forms.environment(),
        cwd=os.environ["HOME"],  # not this tree, which `-m` would look at first
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="process groups and signals are POSIX's")
@pytest.mark.parametrize(
    "stop, code", [("group", 128 + signal.SIGINT), ("tap", 128 + signal.SIGTERM)], ids=["Ctrl-C", "SIGTERM"]
)
def test_stopping_leaves_a_whole_recording(practice, tmp_path, stop, code):
    """Ctrl-C reaches program and tap, SIGTERM is handed to the program; what had come by then is on record."""
    path = tmp_path / "calls.jsonl"
    running = start(practice, "--record", str(path), "--", *program(WAITING, body_of(stream=True).decode()))
    try:
        assert running.stdout.readline() == "begun\n"
        until_s = time.monotonic() + PATIENCE_S
        while '"event":"read"' not in path.read_text() and time.monotonic() < until_s:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT) if stop == "group" else os.kill(running.pid, signal.SIGTERM)
        _, told = running.communicate(timeout=PATIENCE_S)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode in (code, 1)  # a Python program may end its traceback with 1
    (exchange,) = cassette.read_cassette(str(path)).exchanges
    assert exchange.end.how in ("client_gone", "stopped") and not exchange.end.whole and exchange.pieces
    assert f"1 exchange in {path}" in told
    assert os.path.join("lab", "tap.py") not in told  # a traceback, if there is one, is the program's own


@pytest.mark.skipif(os.name != "posix", reason="process groups and signals are POSIX's")
def test_listening_until_ctrl_c(practice):
    """Without a command the line to paste is printed, and Ctrl-C ends it well."""
    running = start(practice)
    try:
        lines = [running.stderr.readline() for _ in range(2)]
        assert "Tapping" in lines[0] and lines[1].startswith("  export OPENAI_BASE_URL=http://127.0.0.1:")
        base_url = lines[1].strip().partition("=")[2]
        assert rawchat.Client("k", base_url).models()["data"]
        os.killpg(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=PATIENCE_S)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == 0 and "#1 GET /models 200" in told and "Traceback" not in told


def test_the_record_can_be_read_while_it_grows(practice, tmp_path):
    """Each line is in the file when it has happened."""
    path = tmp_path / "calls.jsonl"
    with cassette.CassetteWriter(str(path)) as writer, tapped(practice.url, sinks=[writer]) as (tap, records):
        rawchat.Client("k", tap.url).chat("Hi")
        records.wait_for("end")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines[1:]] == [record["event"] for record in records]
