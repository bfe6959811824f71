"""The replay server: any client gets the recorded bytes, at their times, with the recorded end; a miss helps."""

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from . import forms, lab_tapes as tapes, module, rawchat
from .awaited import FACES
from .test_library_recorder import attached, face, stream_text
from .test_replay_transport import is_alike, times_of, without_ports

cassette = module("lab.cassette")
cli = module("cli")
exchange_module = module("lab.exchange")
replay = module("lab.replay")

NO_RETRIES = {"max_retries": 0}


@contextlib.contextmanager
def serving(*exchanges, **options):
    """(server, what it said) over exchanges or a path."""
    said = []
    source = exchanges[0]
    if not isinstance(source, (str, Path)):
        source = cassette.Cassette("calls.jsonl", list(exchanges), [])
    options = {"speed": "instant", "say": said.append, **options}
    with replay.ReplayServer(source, **options) as server:
        server.said = said
        yield server


def ask(server, payload=tapes.STREAMED, path="/v1/chat/completions", close=False, sock=None):
    """Everything that comes back for one request over a plain socket, up to the end of the connection or a reset."""
    body = tapes.compact(payload)
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n{'Connection: close' if close else 'X: y'}\r\n\r\n"
    with sock or socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(head.encode() + body)
        found = b""
        try:
            while True:
                data = connection.recv(65536)
                found += data
                if not data:
                    return found, "closed"
        except ConnectionResetError:
            return found, "reset"


WIRE_CASES = {
    "stream": "closed",
    "gzip": "closed",
    "gzip whole": "closed",
    "close-delimited": "closed",
    "split UTF-8": "closed",
    "cut": "closed",
    "reset": "reset",
    "client gone": "closed",
    "error event": "closed",
}


@pytest.mark.parametrize("case", WIRE_CASES)
def test_the_bytes_are_the_recorded_ones(case):
    """Head and body as they came, with no byte more; and the end is the recorded one."""
    exchange = tapes.make(case)
    with serving(exchange, by_path=True) as server:
        found, end = ask(server, close=True)
    recorded = exchange_module.head_bytes(exchange.head) + b"".join(piece.data for piece in exchange.pieces)
    assert (found, end) == (recorded, WIRE_CASES[case])


FAULTS = ["", "429-msx1", "401", "cut@3", "cut-inside@3", "cut-clean@3", "reset@3", "stall@3", "stall-head", "close-head", "reset-head", "error@3", "html-200"]  # fmt: skip


@pytest.mark.parametrize("kind", FACES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_client_makes_of_it_what_it_made_of_the_server(practice, tmp_path, kind, fault):
    """Recorded inside the library, served over HTTP: text, error class and words are those of the real run."""
    options = {"max_retries": 1 if "x1" in fault else 0, "timeout": (5, 0.3)}
    model = f"fault/{fault}" if fault else "gpt-4o-mini"
    real = face(kind, practice, **options)
    with cassette.record(attached(real), tmp_path / "calls.jsonl"):
        text, error = stream_text(kind, real, model)
    with serving(tmp_path / "calls.jsonl", after_last="miss") as server:
        client = FACES[kind]("key", server.url, retry=rawchat.RetryPolicy(initial_s=0.01), **options)
        text_again, error_again = stream_text(kind, client, model)
        assert server.shelf.unplayed == []
    assert (text_again, type(error_again)) == (text, type(error))
    if error is not None:
        assert (error_again.status, error_again.code, error_again.request_id) == (
            error.status,
            error.code,
            error.request_id,
        )
        assert without_ports(str(error_again)) == without_ports(str(error))


def test_whole_answers_and_kept_connections(practice, tmp_path):
    """One connection carries them all, as it did when they were recorded."""
    real = face("sync", practice)
    with cassette.record(real, tmp_path / "calls.jsonl"):
        replies = [real.chat("One?"), real.chat("Two?"), real.models()]
    with serving(tmp_path / "calls.jsonl") as server:
        heads = []
        client = rawchat.Client("key", server.url, listeners=[lambda event: heads.append(getattr(event, "head", None))])
        assert [client.chat("One?"), client.chat("Two?"), client.models()] == replies
        client.close()
    assert [head.reused for head in heads if head] == [False, True, True]
    assert server.played == [1, 2, 3]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/api/v1/chat/completions"])
def test_v1_on_either_side(path):
    """The base URL may have a /v1 or not."""
    with serving(tapes.make("whole")) as server:
        found, _ = ask(server, tapes.PAYLOAD, path, close=True)
    assert found.startswith(b"HTTP/1.1 200 OK")


def test_a_miss_is_an_error_that_any_sdk_reads(tmp_path):
    """404 in OpenAI's shape, not retried; message and screen show the nearest recording and what differs."""
    with serving(tapes.save(tmp_path / "calls.jsonl", "whole")) as server:
        client = rawchat.Client("key", server.url)
        with pytest.raises(rawchat.NotFoundError, match=r"nearest: #1") as caught:
            client.chat("Count to four.", model="gpt-4o-mini")
        client.close()
    assert (caught.value.code, caught.value.attempts) == ("cassette_miss", 1)
    assert 'messages[0].content: "Count to three." -> "Count to four."' in caught.value.message
    (said,) = server.said
    assert said.startswith("404 no recording in") and "\n      messages[0].content" in said
    assert server.misses == 1


def test_the_key_of_a_miss_is_not_shown(tmp_path):
    """A request quotes it in its body: neither the answer nor the screen has it."""
    with serving(tapes.save(tmp_path / "calls.jsonl", "whole")) as server:
        found, _ = ask(server, {"messages": tapes.KEY}, close=True)
    assert tapes.KEY.encode() not in found and tapes.KEY not in repr(server.said)


def test_one_exchange_for_all(tmp_path):
    """by_path: another SDK writes another body, and gets the same answer."""
    with serving(f"{tapes.save(tmp_path / 'calls.jsonl', 'retry')}#2", by_path=True) as server:
        for body in ({"model": "x"}, {"model": "y"}):
            assert b"429" not in ask(server, body, close=True)[0]
        assert ask(server, {}, "/v1/embeddings", close=True)[0].startswith(b"HTTP/1.1 404")


def test_a_second_run_of_the_program_meets_the_same():
    """Once all were played, they are played from the first again: 429, 200, 429, 200."""
    with serving(*tapes.make_all("retry")) as server:
        statuses = [ask(server, close=True)[0][9:12] for _ in range(4)]
    assert statuses == [b"429", b"200", b"429", b"200"]


def test_cutting_after_some_pieces():
    """--cut-after: the connection closes there, in good order, without the last chunk."""
    exchange = tapes.make("stream")
    with serving(exchange, cut_after=3) as server:
        found, end = ask(server)
    recorded = exchange_module.head_bytes(exchange.head) + b"".join(piece.data for piece in exchange.pieces[:3])
    assert (found, end) == (recorded, "closed")
    assert "cut off after 3 pieces" in server.said[0]


def test_a_silence_lasts_until_the_client_leaves():
    """What came comes, then nothing; the server notices that the client is gone and takes the next."""
    exchange = tapes.make("timeout")
    recorded = exchange_module.head_bytes(exchange.head) + b"".join(piece.data for piece in exchange.pieces)
    with serving(exchange) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            body = tapes.compact(tapes.STREAMED)
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            found = b""
            while len(found) < len(recorded):
                found += connection.recv(65536)
            connection.settimeout(0.1)
            with pytest.raises(socket.timeout):
                connection.recv(1)
        assert found == recorded


def test_a_client_that_leaves_is_told_of():
    """With how far it got; the server goes on."""
    tape = tapes.Tape()
    tape.stream([b"x" * 1000] * 50, layer=exchange_module.BODY, gap_ms=20)
    with serving(tape.exchanges[0], speed="original", by_path=True) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        until_s = time.monotonic() + 10
        while len(server.said) < 2 and time.monotonic() < until_s:
            time.sleep(0.01)
    assert "the client of #1 left after" in server.said[1] and "of 51 pieces" in server.said[1]


def test_stopping_ends_what_is_under_way():
    """A silence, and an answer that is due in an hour: both end with the server."""
    tape = tapes.Tape()
    tape.add(first_ms=3_600_000, pieces=[b"{}"])
    server = replay.ReplayServer(cassette.Cassette("c", tape.exchanges, []), by_path=True).start()
    found = []
    thread = threading.Thread(target=lambda: found.append(ask(server)))
    thread.start()
    until_s = time.monotonic() + 10
    while not server.played and time.monotonic() < until_s:
        time.sleep(0.005)
    server.stop()
    server.stop()
    thread.join(5)
    assert not thread.is_alive() and found[0][0] == b""


BAD_REQUESTS = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a length that is none": b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("data", BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_what_cannot_be_read_is_refused(data):
    """With a 400, in words, and the connection closes."""
    with serving(tapes.make("whole")) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(data)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["error"]["code"]) == (400, "bad_request")
    assert server.said[0].startswith("400 a request that cannot be read")


def test_requests_in_one_write_are_answered_in_order():
    """A client that does not wait for the first answer (pipelining) gets both, each in its turn."""
    tape = tapes.Tape()
    for text in ("one", "two"):
        tape.add({"t": text}, pieces=[text.encode()], headers=(("Content-Length", "3"),), first_ms=30)
    sent = b"".join(
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 11\r\n%b\r\n%b"
        % (extra, json.dumps({"t": text}).encode())
        for text, extra in (("one", b""), ("two", b"Connection: close\r\n"))
    ).replace(b"Length: 11", b"Length: 12")
    with serving(*tape.exchanges, speed="original") as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(sent)
            found = b""
            while True:
                data = connection.recv(65536)
                found += data
                if not data:
                    break
    assert found.index(b"one") < found.index(b"two") and server.played == [1, 2]


def test_many_at_once():
    """Twenty clients, each with its own answer."""
    tape = tapes.Tape()
    for number in range(20):
        tape.add({"n": number}, pieces=[b"%02d" % number], headers=(("Content-Length", "2"),))
    found = {}
    with serving(*tape.exchanges) as server:
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: ask(server, {"n": n}, close=True)[0][-2:]}))
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {number: b"%02d" % number for number in range(20)}


@pytest.mark.parametrize("layer", ["body", "wire"])
def test_a_real_run_is_replayed_at_its_own_pace(tmp_path, layer):
    """Ten events, 20 ms apart: recorded, served, recorded again, the times agree within 20 % and a few milliseconds.

    Run again where the machine was busy with other things, up to three times: see test_replay_transport.py.
    """
    if layer == "body":
        with module("lab.practice").PracticeServer(pace_ms=20) as server:
            real = face("sync", server)
            with cassette.record(real, tmp_path / "one.jsonl"):
                stream_text("sync", real, "gpt-4o-mini")
        (one,) = cassette.read_cassette(str(tmp_path / "one.jsonl")).exchanges
    else:
        tape = tapes.Tape()
        one = tape.stream(tapes.in_chunks(tapes.events(*"abcdefgh")), first_ms=60)
    for attempt in range(3):
        with serving(one, speed="original", by_path=True) as server:
            client = rawchat.Client("key", server.url)
            with cassette.record(client, tmp_path / f"two{attempt}.jsonl"):
                text, error = stream_text("sync", client, "gpt-4o-mini")
            client.close()
        (two,) = cassette.read_cassette(str(tmp_path / f"two{attempt}.jsonl")).exchanges
        assert (error, text, two.reply()) == (None, one.reply().text, one.reply())
        if is_alike(times_of(one), times_of(two)):
            return
    pytest.fail(f"three replays out of time: {times_of(one)} {times_of(two)}")


# --- the command ------------------------------------------------------------------------------------------------------


def run_command(*arguments):
    """(exit code, stdout, stderr) of a command that ends by itself."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        return cli.main(list(arguments)), out.getvalue(), err.getvalue()


@contextlib.contextmanager
def command(*arguments):
    """The command as a process, and its base URL; Ctrl-C ends it."""
    program, environment = forms.command("replay", *arguments), forms.environment(PYTHONUNBUFFERED="1")
    elsewhere = os.environ["HOME"]  # not this tree, which `-m` would look at first
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(program, env=environment, cwd=elsewhere, **pipes)
    try:
        first, second = process.stdout.readline(), process.stdout.readline()
        process.url = second.partition("=")[2].strip()
        process.first = first
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal there")
def test_the_command_serves_until_ctrl_c(tmp_path):
    """It prints the line to paste, a line a request, and at the end what was never asked for."""
    path = tapes.save(tmp_path / "calls.jsonl", "retry", "models", "401")
    with command(path, "--speed", "instant") as process:
        with rawchat.Client(
            "key", process.url, retry=rawchat.RetryPolicy(initial_s=0.01, longest_wait_s=0.01)
        ) as client:
            with pytest.raises(rawchat.RateLimitError):
                client.send(tapes.STREAMED)
            assert client.send(tapes.STREAMED).read().text == "one two three"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (0, "")
    assert process.first.startswith(f"Replaying {path}, 4 exchanges.")
    lines = out.split("\n")
    assert lines[0].startswith("plays #1 POST /chat/completions 429")
    assert lines[1].startswith("plays #2 = #1 again, attempt 2: 200 stream")
    assert lines[2:4] == ["", "2 requests answered; never asked for: #3, #4"]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal there")
def test_the_command_plays_one_exchange_to_every_request(tmp_path):
    """FILE#N, and --cut-after."""
    path = tapes.save(tmp_path / "calls.jsonl", "401", "stream")
    with command(f"{path}#2", "--speed", "instant", "--cut-after", "2") as process:
        with rawchat.Client("key", process.url, max_retries=0) as client:
            with pytest.raises(rawchat.StreamInterrupted) as caught:
                list(client.stream("Anything at all."))
    assert caught.value.reply.text == "one"
    assert "to every request of its endpoint" in process.first


def test_the_command_tells_what_is_wrong(tmp_path):
    """A file that is none, a speed that is none, a port that is taken: one line, and an exit code."""
    path = tapes.save(tmp_path / "calls.jsonl", "whole")
    assert run_command("replay", str(tmp_path / "none.jsonl"))[0] == 71
    code, _, err = run_command("replay", path, "--speed", "fast")
    assert code == 64 and "a speed is" in err
    code, _, err = run_command("replay", f"{path}#9")
    assert code == 64 and "no exchange #9" in err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = run_command("replay", path, "--port", str(taken.getsockname()[1]))
    assert code == 71 and "cannot listen on 127.0.0.1" in err


def test_nothing_from_the_wire_commands_the_terminal(tmp_path, capsys):
    """A request with escape sequences in its path and body is shown spelled out."""
    path = tapes.save(tmp_path / "calls.jsonl", "whole")
    options = cli.build_parser().parse_args(["replay", path])
    ended, found = threading.Event(), []
    real = replay.ReplayServer

    class Asked(real):
        def start(self):
            super().start()
            found.append(ask(self, {"messages": "\x1b[2J\x9b31m"}, "/v1/\x1b]0;x", close=True))
            ended.set()
            return self

    replay.ReplayServer = Asked
    try:
        assert replay.run(options, ended) == 0
    finally:
        replay.ReplayServer = real
    out = capsys.readouterr().out
    assert "404 " in out and "\x1b" not in out and "\x9b" not in out


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_reads_a_replay():
    """A client that is not ours: gzip, chunks and kept connections are as curl wants them."""
    with serving(tapes.make("gzip"), by_path=True) as server:
        url = f"{server.url}/chat/completions"
        got = subprocess.run(["curl", "-sN", "--compressed", "-d", "{}", url, url], capture_output=True, timeout=30)
    assert got.returncode == 0 and got.stdout == tapes.make("gzip").body() * 2
