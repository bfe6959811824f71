"""A recorded request as a curl command: it runs as it stands, and says the same."""

import json
import shutil
import subprocess

import pytest

from . import lab_tapes, module

curl = module("lab.curl")
cassette = module("lab.cassette")
cli = module("cli")

needs_curl = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("sh")), reason="curl or sh is not installed")

TEXTS = {
    "quotes": "It's 5 o'clock, \"tea\"?",
    "what a shell would expand": "$HOME `id` $(id) \\ !! * ~ %s",
    "newlines": "one\ntwo\n\nthree\r\n\tfour",
    "emoji and other scripts": "\U0001f600 Grüße 東京 \u2028 \u202e",
    "the delimiter": "EOF",
    "escapes": 'a\\nb\\"c\\u0041',
    "nothing": "",
}


def exchange_with(body, **options):
    return lab_tapes.Tape().add(None, body=body, **options)


def payload_with(text):
    return {**lab_tapes.STREAMED, "messages": [{"role": "user", "content": text}]}


def shell(command, key="sk-test-of-the-shell-0123"):
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, timeout=30, env={"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": key}
    )
    return done.returncode, done.stdout, done.stderr


@needs_curl
@pytest.mark.parametrize("exact", [False, True], ids=["plain", "exact"])
@pytest.mark.parametrize("name", TEXTS)
def test_the_command_sends_equal_json_and_the_key_of_the_environment(practice, name, exact):
    """Whatever the text holds, the server gets what was recorded."""
    body = lab_tapes.compact(payload_with(TEXTS[name]))
    sendable = curl.prepare(exchange_with(body), exact=exact, base_url=practice.url)
    code, out, err = shell(curl.curl_command(sendable, exact=exact))
    assert code == 0, err
    record = practice.requests[-1]
    assert record.document == json.loads(body)
    assert record.key == "Bearer sk-test-of-the-shell-0123"
    assert (
        out.rstrip().endswith(b"data: [DONE]") or record.status == 400
    )  # an empty message is refused, and that is fine
    if exact:
        assert record.body == body


@needs_curl
@pytest.mark.parametrize(
    "lines", [["EOF"], ["EOF", "EOF_2"], ["{", '"model":"x",', "EOF", "EOF_2", "EOF_3"]], ids=["one", "two", "three"]
)
def test_a_body_with_the_delimiter_as_a_line_gets_another(practice, lines):
    body = "\n".join(lines).encode()
    sendable = curl.prepare(exchange_with(body), exact=True, base_url=practice.url)
    assert shell(curl.curl_command(sendable, exact=True))[0] == 0
    assert practice.requests[-1].body == body


@needs_curl
def test_a_request_without_a_body_is_a_get(practice):
    sendable = curl.prepare(lab_tapes.make("models"), base_url=practice.url)
    code, out, _ = shell(curl.curl_command(sendable))
    assert code == 0 and json.loads(out)["object"] == "list"
    assert practice.requests[-1].method == "GET"


@needs_curl
def test_exact_keeps_every_header_that_may_be_kept(practice):
    headers = (
        ("Host", "api.openai.com"),
        ("Accept-Encoding", "gzip, deflate"),
        ("x-stainless-lang", "python"),
        ("X-Empty", ""),
        ("X-Quote", 'it\'s "so" $HOME'),
        ("api-key", lab_tapes.KEY),
    )
    exchange = exchange_with(lab_tapes.compact(lab_tapes.PAYLOAD), request_headers=headers)
    assert shell(curl.curl_command(curl.prepare(exchange, exact=True, base_url=practice.url), exact=True))[0] == 0
    got = practice.requests[-1].headers
    kept = {"Accept-Encoding", "x-stainless-lang", "X-Empty", "X-Quote", "api-key"}
    assert {name for name, _ in got.pairs} == kept | {"Host", "Content-Length", "Content-Type"}
    assert got["x-quote"] == 'it\'s "so" $HOME'
    assert got["api-key"] == "sk-test-of-the-shell-0123"
    assert not got["host"].startswith("api.openai")


def test_what_says_who_the_sdk_is_stays_away():
    headers = (*lab_tapes.REQUEST_HEADERS, ("X-Stainless-Lang", "python"), ("Connection", "keep-alive"))
    command = curl.curl_command(curl.prepare(lab_tapes.Tape().add(request_headers=headers)))
    for name in ("stainless", "Connection", "User-Agent", "Host", "Content-Length"):
        assert name.lower() not in command.lower().partition("--data")[0]


def test_streams_are_not_held_back():
    assert curl.curl_command(curl.prepare(lab_tapes.make("stream"))).startswith("curl -N ")
    assert curl.curl_command(curl.prepare(lab_tapes.make("whole"))).startswith("curl 'http")


def test_a_key_in_the_url_is_a_variable_too():
    exchange = lab_tapes.Tape().add(url=f"{lab_tapes.URL}?api-key={lab_tapes.KEY}&v=$1")
    assert f'curl "{lab_tapes.URL}?api-key=$OPENAI_API_KEY&v=\\$1"' in curl.curl_command(curl.prepare(exchange))


def test_a_cookie_is_left_out_and_that_is_said():
    sendable = curl.prepare(lab_tapes.Tape().add(request_headers=(("Cookie", "session=abcdefghijkl"),)))
    assert "Cookie" not in curl.curl_command(sendable)
    assert sendable.remarks == ("left out: Cookie, a secret that no variable stands for",)


def test_a_key_in_the_body_is_said_to_be_a_mark():
    sendable = curl.prepare(exchange_with(b'{"api_key":"sk-abcdefghijklmnop"}'))
    assert "the body held a key" in sendable.remarks[0]


def test_no_key_reaches_the_command(capsys, tmp_path):
    path = lab_tapes.save(tmp_path / "calls.jsonl", "whole")
    for command in (["curl", path], ["curl", path, "--exact"]):
        assert cli.main(command) == 0
        out = capsys.readouterr().out
        assert "$OPENAI_API_KEY" in out and lab_tapes.KEY not in out and "<key:" not in out


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a\0b"], ids=["no UTF-8", "a zero byte"])
def test_a_body_that_is_no_text_is_refused_with_the_reason(body):
    with pytest.raises(cassette.CassetteError, match="no heredoc can hold it"):
        curl.curl_command(curl.prepare(exchange_with(body)))


@pytest.mark.parametrize(
    ("base_url", "moved"),
    [
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/chat/completions?a=b"),
        ("http://127.0.0.1:1/openai/v1/", "http://127.0.0.1:1/openai/v1/chat/completions?a=b"),
    ],
)
def test_another_server_keeps_what_follows_the_version(base_url, moved):
    assert curl.moved("https://api.openai.com/v1/chat/completions?a=b", "", base_url) == moved
