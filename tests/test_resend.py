"""A recorded request sent again: the same bytes, the right key to the right server, and the answers compared."""

import contextlib
import io

import pytest

from . import lab_tapes as tapes, module, rawchat
from .script_server import ScriptServer
from .scripts import Answer

cassette = module("lab.cassette")
cli = module("cli")
diff = module("lab.diff")
recording = module("lab.recording")
resend = module("lab.resend")
redact = module("protocol.redact")
memory = module("transport.memory")

OWN_KEY = "sk-own-key-ABCDEFGH-9876543210"
ENVIRON = {"OPENAI_API_KEY": OWN_KEY}


def run_command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        return cli.main(["resend", *arguments]), out.getvalue(), err.getvalue()


def recorded_at(practice, path, *models):
    """A cassette of one stream for each model; its path."""
    client = rawchat.Client(tapes.KEY, practice.url, max_retries=0, timeout=(5, 0.3))
    with cassette.record(client, path):
        for model in models:
            with contextlib.suppress(rawchat.APIError):
                client.stream("Count to five.", model=model).read()
    return str(path)


def test_the_request_is_the_recorded_one(practice, tmp_path, monkeypatch):
    """Body byte for byte, headers in their order and case, the key of the environment in place of the mark."""
    monkeypatch.setenv("OPENAI_API_KEY", OWN_KEY)
    path = recorded_at(practice, tmp_path / "calls.jsonl", "gpt-4o-mini")
    code, out, err = run_command(f"{path}#1")
    first, second = practice.requests
    assert code == 0 and "they say the same" in out and "header authorization" in out
    assert second.body == first.body
    names = [name for name, _ in first.headers.pairs]
    assert [name for name, _ in second.headers.pairs] == names
    changed = {name for name in names if first.headers[name] != second.headers[name]}
    assert changed == {"Authorization"} and second.headers["authorization"] == f"Bearer {OWN_KEY}"
    assert err == f"sending #1 POST /chat/completions to {practice.url}/chat/completions\n"


@pytest.mark.parametrize("fault", ["cut@3", "reset@3", "stall@3", "429", "401", "close-head"])
def test_what_fails_again_is_the_same_again(practice, tmp_path, fault):
    """A failure is an answer to be compared, and no error of the command."""
    path = recorded_at(practice, tmp_path / "calls.jsonl", f"fault/{fault}")
    code, out, err = run_command(path, "--timeout", "0.3")
    assert (code, "they say the same" in out) == (0, True), out + err


def test_another_answer_is_told(practice, tmp_path):
    """Another server: status 1 where status, end or shape differ, and what broke it in words."""
    path = recorded_at(practice, tmp_path / "calls.jsonl", "gpt-4o-mini")
    code, out, _ = run_command(path, "--base-url", "http://127.0.0.1:1/v1")
    assert code == 1 and "connection refused" in out
    code, out, _ = run_command(path, "--base-url", f"{practice.root}/fault/cut@3/v1")
    assert code == 1 and "cut off" in out
    code, out, _ = run_command(path, "--base-url", f"{practice.root}/fault/whole/v1")
    assert code == 1 and "stream or whole" in out


def test_another_text_is_no_failure(tmp_path):
    """A model may say something else each time: it is shown, and the exit status stays 0."""
    path = tapes.save(tmp_path / "calls.jsonl", "whole")
    body = tapes.compact(tapes.completion("one deux three"))
    with ScriptServer([Answer(200, {"Content-Type": "application/json", "Server": "other"}, (body,))]) as server:
        code, out, _ = run_command(path, "--base-url", server.url)
    assert code == 0 and "one deux three" in out and "only in B: server" in out


def test_the_new_exchange_can_be_recorded(practice, tmp_path, monkeypatch):
    """Into a cassette of its own or the same; no key is in it, and it can be sent again in turn."""
    monkeypatch.setenv("OPENAI_API_KEY", OWN_KEY)
    path = recorded_at(practice, tmp_path / "calls.jsonl", "gpt-4o-mini")
    assert run_command(path, "--record", path)[0] == 0
    read = cassette.read_cassette(path)
    assert [one.source for one in read.exchanges] == ["library", "resend"]
    assert read.exchanges[1].reply().text == read.exchanges[0].reply().text
    assert OWN_KEY not in (tmp_path / "calls.jsonl").read_text(encoding="utf-8")
    assert run_command(f"{path}#2")[0] == 0


KEY_MARK = redact.mark(tapes.KEY)
# name, header, recorded value, URL, environment, whether --base-url was given, what is sent (None: refused)
KEYS = [
    ("this machine", "Authorization", f"Bearer {KEY_MARK}", "http://127.0.0.1:8/v1", ENVIRON, False, OWN_KEY),
    ("a server that was named", "Authorization", f"Bearer {KEY_MARK}", "https://other.example/v1", ENVIRON, True, OWN_KEY),
    ("a stranger's server", "Authorization", f"Bearer {KEY_MARK}", "https://other.example/v1", ENVIRON, False, None),
    ("OpenAI", "Authorization", f"Bearer {KEY_MARK}", "https://api.openai.com/v1", ENVIRON, False, OWN_KEY),
    ("OpenAI, while the key is another's", "Authorization", f"Bearer {KEY_MARK}", "https://api.openai.com/v1", {**ENVIRON, "OPENAI_BASE_URL": "https://other.example/v1"}, False, None),
    ("the server of the environment", "Authorization", f"Bearer {KEY_MARK}", "https://other.example/v1", {**ENVIRON, "OPENAI_BASE_URL": "https://other.example/v2"}, False, OWN_KEY),
    ("a host that only begins like it", "Authorization", f"Bearer {KEY_MARK}", "https://api.openai.com.evil.example/v1", ENVIRON, False, None),
    ("the key it was recorded with", "Authorization", f"Bearer {KEY_MARK}", "https://other.example/v1", {"OPENAI_API_KEY": tapes.KEY}, False, tapes.KEY),
    ("Azure's key", "api-key", KEY_MARK, "http://127.0.0.1:8/v1", {**ENVIRON, "AZURE_OPENAI_API_KEY": "azure-key-1"}, False, "azure-key-1"),
    ("Azure's header, one key", "api-key", KEY_MARK, "http://127.0.0.1:8/v1", ENVIRON, False, OWN_KEY),
    ("no key", "Authorization", f"Bearer {KEY_MARK}", "https://other.example/v1", {"OPENAI_API_KEY": " "}, False, ""),
    ("a header of the user's own", "x-tenant", KEY_MARK, "http://127.0.0.1:8/v1", ENVIRON, False, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "header", "recorded", "url", "environ", "chosen", "expected"), KEYS, ids=[row[0] for row in KEYS]
)
def test_a_key_goes_only_where_it_belongs(name, header, recorded, url, environ, chosen, expected):
    """A cassette may be somebody else's, and name a server that is to have no key of mine."""
    if expected is None:
        with pytest.raises(rawchat.PayloadError, match="--base-url") as caught:
            resend.key_for(header, recorded, url, environ, chosen=chosen)
        assert OWN_KEY not in str(caught.value)
    else:
        assert resend.key_for(header, recorded, url, environ, chosen=chosen) == expected


def again(environ=ENVIRON, base_url=None, with_marks=False, **options):
    return resend.request_again(tapes.Tape().add(**options), environ, base_url=base_url, with_marks=with_marks)


def test_headers_of_the_connection_and_secrets_nobody_has_are_left_out():
    """Host, length, cookies; the rest stays, and each omission of note is told."""
    headers = (
        ("host", "h"),
        ("Cookie", "session=abc123def456"),
        ("X-Odd-Case", "1"),
        ("Content-Length", "5"),
        ("Accept-Encoding", "gzip, br, zstd"),
        ("authorization", f"Bearer {tapes.KEY}"),
    )
    request, remarks = again(environ={}, request_headers=headers)
    assert request.headers == (("X-Odd-Case", "1"), ("Accept-Encoding", "gzip, deflate"))
    assert len(remarks) == 3 and "Cookie" in remarks[0] and "zstd" in remarks[1] and "authorization" in remarks[2]


def test_a_body_with_a_hidden_secret_is_refused():
    """It is not what was sent, so the answer would be to another question; --with-marks sends it as it stands."""
    payload = {"messages": [{"role": "user", "content": f"my key is {tapes.KEY}"}]}
    with pytest.raises(rawchat.PayloadError, match="--with-marks"):
        again(payload=payload)
    request, _ = again(payload=payload, with_marks=True)
    assert b"<key:" in request.body and tapes.KEY.encode() not in request.body


def test_an_address_with_a_hidden_secret_is_refused():
    """Nobody knows what stood there."""
    with pytest.raises(rawchat.PayloadError, match="address"):
        again(url="http://127.0.0.1/v1/models?key=abcdef123456", method="GET")


def test_a_request_that_was_cut_off_is_refused():
    """The recorder saw only a part of its body."""
    exchange = tapes.make("whole")
    exchange.request_whole = False
    with pytest.raises(rawchat.PayloadError, match="cut off inside its request"):
        resend.request_again(exchange, ENVIRON)


def test_silence_after_done_is_not_waited_out():
    """A server that keeps the connection open after [DONE] owes nothing but the end: a second is enough."""
    transport = memory.MemoryTransport([memory.reply(pieces=memory.sse("Hi"))])
    exchange = tapes.make("stream")
    request, _ = resend.request_again(exchange, ENVIRON)
    found = resend.send(request, transport, recording.Recording(source="resend"), read_timeout_s=600)
    assert transport.responses[0].read_timeout_s == resend.AFTER_DONE_S
    assert transport.responses[0].closed and found.end.how == "eof"


def test_ctrl_c_leaves_what_came(tmp_path):
    """The recording has the pieces, and says that it was stopped."""

    class Stopped(memory.MemoryTransport):
        def send(self, request, **options):
            response = super().send(request, **options)
            read = response.read_some

            def read_some():
                if not response._pieces:
                    raise KeyboardInterrupt
                return read()

            response.read_some = read_some
            return response

    with cassette.CassetteWriter(str(tmp_path / "calls.jsonl")) as writer:
        request, _ = resend.request_again(tapes.make("stream"), ENVIRON)
        with pytest.raises(KeyboardInterrupt):
            transport = Stopped([memory.reply(pieces=memory.sse("Hi", done=False))])
            resend.send(request, transport, recording.Recording([writer], source="resend"), read_timeout_s=1)
    (one,) = cassette.read_cassette(str(tmp_path / "calls.jsonl")).exchanges
    assert (one.end.how, len(one.pieces)) == ("stopped", 1)


def test_what_the_command_refuses(tmp_path):
    """Which exchange is meant must be clear; a file that is none, and a timeout that is none."""
    path = tapes.save(tmp_path / "calls.jsonl", "whole", "stream")
    code, _, err = run_command(path)
    assert code == 64 and "say which one" in err
    assert run_command(str(tmp_path / "none.jsonl"))[0] == 71
    assert run_command(f"{path}#1", "--timeout", "-1")[0] == 64
