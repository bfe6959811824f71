"""The command line: arguments and input in; stdout, stderr and an exit code out."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from . import forms, module, rawchat

cli = module("cli")
errors = module("protocol.errors")
talk = module("talk")

KEY = "sk-proj-0123456789abcdef"
USAGE = {"prompt_tokens": 12, "completion_tokens": 30, "total_tokens": 42}


class Loopback:
    """A server on this machine that answers each request with the next of `replies`: (status, headers, body)."""

    def __init__(self, *replies):
        import http.server
        import threading

        self.requests = []
        waiting = list(replies)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                size = int(handler.headers.get("Content-Length") or 0)
                body = handler.rfile.read(size)
                self.requests.append((handler.path, dict(handler.headers), json.loads(body) if body else None))
                status, headers, answer = waiting.pop(0)
                handler.send_response(status)
                for name, value in headers.items():
                    handler.send_header(name, value)
                handler.send_header("Connection", "close")
                handler.end_headers()
                handler.wfile.write(answer)

            do_GET = do_POST

            def log_message(handler, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def stream(*texts, usage=USAGE, finish="stop", model="gpt-4o-mini-2024-07-18", done=True, deltas=()):
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    chunks += [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if usage:
        chunks.append({"choices": [], "usage": usage})
    events = [json.dumps({"id": "c1", "object": "chat.completion.chunk", "model": model, **chunk}) for chunk in chunks]
    events += ["[DONE]"] if done else []
    return 200, {"Content-Type": "text/event-stream"}, "".join(f"data: {event}\n\n" for event in events).encode()


def whole(text="Hello.", usage=USAGE, model="gpt-4o-mini", choices=1, **message):
    choice = {"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    reply = {"id": "c1", "model": model, "choices": [{"index": index, **choice} for index in range(choices)]}
    return 200, {"Content-Type": "application/json"}, json.dumps({**reply, "usage": usage}).encode()


def refusal(status, message, code=None, **headers):
    body = {"error": {"message": message, "type": "requests", "code": code}}
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    """No key and no server but those that a test sets."""
    for name in (*cli.VARIABLES, "NO_COLOR", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(monkeypatch, capsys):
    """run(arguments, stdin="..." or a stream, server=...) -> (exit code, stdout, stderr)."""

    def run(*arguments, stdin="", server=None, key=KEY):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin)
        if server is not None:
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            monkeypatch.setenv("OPENAI_API_KEY", key)
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert KEY not in out + err
        return code, out, err

    return run


def timeless(text):
    """Times differ from run to run; everything else is fixed."""
    return re.sub(r"\b[0-9.]+ s\b", "T s", text)


BILL = "gpt-4o-mini  12 in + 30 out tokens  $0.000020  T s  stop\n"
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

ANSWERS = [
    # name, arguments, stdin, reply, stdout, stderr, exit code
    ("streamed", ["hi"], "", stream("Sal", "ut"), "Salut\n", BILL, 0),
    ("words without quotes", ["say", "hi"], "", stream("ok"), "ok\n", BILL, 0),
    ("the answer's own line end is enough", ["hi"], "", stream("a\nb\n"), "a\nb\n", BILL, 0),
    ("from stdin", [], "hi\n", stream("ok"), "ok\n", BILL, 0),
    ("whole", ["hi", "--no-stream"], "", whole(), "Hello.\n", BILL, 0),
    (
        "unknown price",
        ["hi", "-m", "my-own"],
        "",
        stream("ok", model="my-own"),
        "ok\n",
        "my-own  12 in + 30 out tokens  price unknown  T s  stop\n",
        0,
    ),
    (
        "no usage",
        ["hi"],
        "",
        stream("ok", usage=None),
        "ok\n",
        "gpt-4o-mini  tokens not stated  T s  stop\n",
        0,
    ),
    ("cut by max_tokens", ["hi"], "", stream("ok", finish="length"), "ok\n", BILL.replace("stop", "length"), 0),
    (
        "details of usage",
        ["hi"],
        "",
        stream(
            "ok",
            usage={
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 8},
                "completion_tokens_details": {"reasoning_tokens": 20},
            },
        ),
        "ok\n",
        "12 in (8 cached) + 30 out (20 reasoning) tokens",
        0,
    ),
    ("a refusal is told", ["hi"], "", stream(deltas=[{"refusal": "I can't."}]), "I can't.\n", BILL, 0),
    (
        "calls of tools are told",
        ["hi"],
        "",
        stream(deltas=[{"tool_calls": [CALL]}], finish="tool_calls"),
        '"name": "f"',
        "tool_calls",
        0,
    ),
    ("several choices", ["hi", "--no-stream"], "", whole(choices=2), "Hello.\n", "choice 1 of 2 (--json shows all)", 0),
    (
        "the stream breaks off",
        ["hi"],
        "",
        stream("Sal", finish=None, usage=None, done=False),
        "Sal\n",
        "rawchat: the stream ended",
        74,
    ),
    ("a wrong key", ["hi"], "", refusal(401, f"Incorrect API key provided: {KEY}"), "", "rawchat: 401", 77),
    ("no such model", ["hi"], "", refusal(404, "The model `x` does not exist"), "", "rawchat: 404", 66),
    ("a bad request", ["hi"], "", refusal(400, "Bad thing"), "", "rawchat: 400 Bad Request: Bad thing", 65),
    ("no money", ["hi"], "", refusal(429, "You exceeded your quota", "insufficient_quota"), "", "rawchat: 429", 73),
    ("a server error", ["hi", "--max-retries", 0], "", refusal(500, "oops"), "", "rawchat: 500", 69),
    ("busy", ["hi", "--max-retries", 0], "", refusal(429, "Slow down"), "", "rawchat: 429", 75),
    ("no completion", ["hi"], "", (200, {"Content-Type": "text/html"}, b"<html>Welcome</html>"), "", "rawchat: ", 76),
    ("an empty prompt", ["  "], "\n", None, "", "rawchat: nothing to ask: give a PROMPT, or pipe text in", 64),
    ("a bad parameter", ["hi", "-p", "x"], "", None, "", "'x' is not NAME=VALUE", 2),
    ("the model as a parameter", ["hi", "-p", "model=x"], "", None, "", "model is set by -m", 2),
    ("a value that is no JSON", ["hi", "-p", "x=NaN"], "", None, "", "rawchat: ", 64),
    ("no seconds", ["hi", "--timeout", "0"], "", None, "", "--timeout: invalid seconds value: '0'", 2),
    ("an unknown fault", ["hi", "--fault", "nonsense"], "", None, "", "nonsense", 64),
    ("budget with unknown price", ["hi", "-m", "my-own", "--budget", "1"], "", None, "", "rawchat: ", None),
    ("over the budget", ["hi", "--budget", "0.0000001"], "", None, "", "rawchat: ", 73),
]


@pytest.mark.parametrize(
    ("arguments", "stdin", "reply", "out", "err", "code"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_chat(run, arguments, stdin, reply, out, err, code):
    """The answer goes to stdout, everything about it to stderr; the exit code says how it went."""
    with Loopback(*([reply] if reply else [])) as server:
        got_code, got_out, got_err = run("chat", *arguments, stdin=stdin, server=server)
    assert got_out == out if out.endswith("\n") or not out else out in got_out
    assert err in timeless(got_err)
    assert "Traceback" not in got_err
    assert got_code == code if code is not None else got_code in (65, 73)


REQUESTS = [
    ("prompt", ["hi"], "", {"messages": [{"role": "user", "content": "hi"}], "model": "gpt-4o-mini", "stream": True}),
    (
        "piped text after the prompt",
        ["Review:"],
        "a\n\nb\n",
        {"messages": [{"role": "user", "content": "Review:\n\na\n\nb"}]},
    ),
    ("BOM of PowerShell", [], "\ufeffhi\r\n", {"messages": [{"role": "user", "content": "hi"}]}),
    (
        "system message",
        ["hi", "-s", "Be brief."],
        "",
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]},
    ),
    (
        "parameters",
        ["hi", "-m", "o3", "-p", "temperature=0", "-p", 'stop=["a"]', "-p", "user=me", "-p", "x=", "-p", "y=null"],
        "",
        {"model": "o3", "temperature": 0, "stop": ["a"], "user": "me", "x": "", "y": None},
    ),
    ("a parameter named like an option", ["hi", "-p", "timeout=3"], "", {"timeout": 3}),
]


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS]
)
def test_what_is_sent(run, arguments, stdin, expected):
    """What was asked for is what goes into the body."""
    with Loopback(stream("ok")) as server:
        assert run("chat", *arguments, stdin=stdin, server=server)[0] == 0
        body = server.requests[0][2]
    assert {name: body.get(name, "absent") for name in expected} == expected


def test_a_prompt_may_follow_practice(run, monkeypatch):
    """--practice takes no value, so that the question behind it is the question; --fault alone means practice, too."""
    monkeypatch.setattr(forms.door_class(module), "sleep", lambda door, seconds, wake=None: None)
    for arguments in (("--practice", "Hello!"), ("--fault", "429x1", "Hello!")):
        code, out, err = run("chat", *arguments)
        assert (code, err.endswith("  stop\n")) == (0, True)
        assert out


def test_an_input_that_cannot_be_read_adds_nothing_to_a_prompt(run):
    """A service may have a stdin that is none. Without a prompt it is an error."""

    class Unreadable(io.StringIO):
        def read(self, *_):
            raise OSError("no such device")

    with Loopback(stream("ok")) as server:
        assert run("chat", "hi", stdin=Unreadable(), server=server)[:2] == (0, "ok\n")
        code, _, err = run("chat", stdin=Unreadable(), server=server)
    assert code == 71
    assert "no such device" in err


def test_json_is_the_reply_as_it_came(run):
    """--json prints the server's JSON, nothing added, and asks for no stream."""
    reply = whole("é")
    with Loopback(reply) as server:
        code, out, err = run("chat", "hi", "--json", server=server)
        assert "stream" not in server.requests[0][2]
    assert (code, json.loads(out)) == (0, json.loads(reply[2]))
    assert "é" in out
    assert "12 in + 30 out" in err


def test_a_retry_is_not_announced_in_a_pipe_but_counted(run):
    """Without a terminal there is no progress line; the bill names the attempts."""
    with Loopback(refusal(429, "Slow", **{"Retry-After-Ms": "1"}), stream("ok")) as server:
        code, out, err = run("chat", "hi", server=server)
    assert (code, out) == (0, "ok\n")
    assert timeless(err) == "gpt-4o-mini  12 in + 30 out tokens  $0.000020  T s  2 attempts  stop\n"


def test_verbose_shows_the_wire_without_the_key(run):
    """-v is the trace: what was sent, what came, what we make of it; the answer stays on stdout."""
    with Loopback(refusal(503, "Busy", **{"Retry-After-Ms": "1"}), stream("ok")) as server:
        code, out, err = run("chat", "hi", "-v", server=server)
    assert (code, out) == (0, "ok\n")
    mark = module("protocol.redact").mark(KEY)
    for line in (
        "> POST /v1/chat/completions HTTP/1.1\n",
        f"> Authorization: Bearer {mark}\n",
        "< HTTP/1.1 503 Service Unavailable\n",
        "* waiting ",
        "data: [DONE]\n",
    ):
        assert line in err


def test_a_key_of_no_known_shape_is_hidden_in_errors(run):
    """Servers quote the key in a 401; that of a small provider looks like any other word."""
    with Loopback(refusal(401, "Unknown key: orange-tree-7")) as server:
        code, _, err = run("chat", "hi", server=server, key="orange-tree-7")
    assert code == 77
    assert "Unknown key: <key:" in err
    assert "orange-tree-7" not in err


def test_verbose_names_the_causes_of_an_error(run):
    """Nothing listens there: the trace says what the operating system said, once, and the error comes last."""
    with Loopback() as server:
        pass
    code, _, err = run("chat", "hi", "--max-retries", 0, "-v", server=server)
    assert code == 69
    assert len(re.findall(r"^\*   caused by ConnectionRefusedError: ", err, re.MULTILINE)) == 1
    assert err.splitlines()[-1].startswith("rawchat: cannot connect")


def test_verbose_names_the_causes_of_what_was_never_sent(run, tmp_path):
    """No trace has told of it, so the error itself does."""
    code, _, err = run("chat", "hi", "--fault", "nonsense", "-v")
    assert code == 64
    assert "\n  caused by FaultNameError: " in err


def test_a_missing_key_says_what_to_set(run):
    """Anywhere but on this machine a key is needed, and nothing is sent without."""
    code, out, err = run("chat", "hi")
    assert (code, out) == (64, "")
    assert "OPENAI_API_KEY" in err


ENV_FILES = [
    ("plain", "A=1", {"A": "1"}),
    ("export, quotes and comments", "# c\n\nexport A='x y'  # z\nB=\"q\"#z", {"A": "x y", "B": "q"}),
    ("a hash inside a value", "A=x#y", {"A": "x#y"}),
    ("spaces around", "  A =  x y  # z", {"A": "x y"}),
    ("empty", "A=\nB= # c", {"A": "", "B": ""}),
    ("escapes in double quotes", r'A="a\"b\\c\n$HOME"', {"A": 'a"b\\c\n$HOME'}),
    ("none in single quotes", r"A='a\n'", {"A": r"a\n"}),
    ("nothing is run", "A=$(id) `id`", {"A": "$(id) `id`"}),
    ("CRLF and a BOM", "\ufeffA=1\r\nB='2'\r\n", {"A": "1", "B": "2"}),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in ENV_FILES], ids=[row[0] for row in ENV_FILES])
def test_env_files(text, expected):
    """NAME=VALUE lines, as people write them."""
    assert cli.read_env(text) == expected


@pytest.mark.parametrize("line", [KEY, f"A='{KEY}", f'A="{KEY}"x', f"1A={KEY}"])
def test_a_wrong_line_of_an_env_file_is_named_and_not_shown(line):
    """The line may be a key."""
    with pytest.raises(errors.PayloadError) as caught:
        cli.read_env(f"A=1\n{line}")
    assert "line 2" in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_env_file_sets_what_the_environment_does_not(run, monkeypatch, tmp_path):
    """A variable of the environment wins; a blank one counts as unset; the environment itself is left as it is."""
    with Loopback(stream("ok")) as server:
        file = tmp_path / ".env"
        file.write_text(f"OPENAI_BASE_URL={server.url}\nOPENAI_API_KEY=from-file-1\nOPENAI_ORG_ID=org-file\nPATH=x\n")
        monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
        monkeypatch.setenv("OPENAI_ORG_ID", " ")
        assert run("chat", "hi", "--env-file", file)[0] == 0
        headers = server.requests[0][1]
    assert headers["Authorization"] == "Bearer from-environment"
    assert headers["OpenAI-Organization"] == "org-file"
    assert os.environ["PATH"] != "x"
    code, _, err = run("chat", "hi", "--env-file", tmp_path / "none")
    assert code == 71
    assert "none" in err


def test_models(run):
    """The names, one a line, sorted; or the JSON."""
    listing = {"object": "list", "data": [{"id": "b"}, {"id": "a"}]}
    answer = (200, {"Content-Type": "application/json"}, json.dumps(listing).encode())
    with Loopback(answer, answer) as server:
        assert run("models", server=server)[:2] == (0, "a\nb\n")
        code, out, _ = run("models", "--json", server=server)
    assert (code, json.loads(out)) == (0, listing)


def test_price(run):
    """A line for each kind of token and for what changes it, and the cost of so many."""
    code, out, err = run("price", "gpt-4o-mini", "1,000", "500")
    assert (code, err) == (0, "")
    assert re.match(r"gpt-4o-mini: US dollars per million tokens, as of 20\d\d-\d\d-\d\d\n", out)
    for line in ("  input              0.150\n", "  output             0.600\n", "  cached input       0.075\n"):
        assert line in out
    assert "  service tier batch: input 0.075, output 0.30, cached input 0.075\n" in out
    assert out.endswith("\n1,000 in + 500 out tokens: $0.000450\n")


def test_price_of_a_snapshot_and_of_long_prompts(run):
    """The name that is billed is said, and so is the length from which all tokens cost more."""
    code, out, _ = run("price", "openai/gpt-5.4-2026-03-05", 300000)
    assert code == 0
    assert out.startswith("openai/gpt-5.4-2026-03-05 is billed as gpt-5.4\n")
    assert "  above 272,000 prompt tokens, for all tokens of the request: input x 2, output x 1.5\n" in out
    assert out.endswith("\n300,000 in + 0 out tokens: $1.500000\n")


@pytest.mark.parametrize("model", ["gpt-4o-mini-9", "gpt-4o-mni", "nothing-like-it"])
def test_a_price_that_nobody_stated_is_not_guessed(run, model):
    """What is spelled alike is named, but nothing is priced by it."""
    code, out, err = run("price", model, 1000, 500)
    assert (code, out) == (rawchat.UnknownPrice.exit_code, "")
    assert f"nobody stated a price for {model}" in err
    assert ("gpt-4o-mini" in err.partition("spelled alike")[2]) == (model != "nothing-like-it")


def test_practice_lists_its_faults(run):
    """The table of names, without a server being started."""
    code, out, _ = run("practice", "--list-faults")
    assert code == 0
    assert "cut@3" in out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["price"], 2), (["price", "gpt-4o", "many"], 2), (["practice", "--port", "-1"], 2), (["nonsense"], 2)],
    ids=["no model", "no number", "no port", "no such command"],
)
def test_wrong_arguments(run, arguments, code):
    """argparse's own words and its own exit code."""
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert "usage: rawchat" in err


# --- on a terminal --------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def converse(monkeypatch):
    """converse(server, lines) -> (exit code, stdout, stderr), with all three streams a terminal."""

    def converse(server, lines, *arguments):
        typed = iter(lines)
        prompts = []

        def ask(prompt):
            prompts.append(prompt)
            line = next(typed, EOFError)
            if isinstance(line, type):
                raise line
            return line

        streams = {"stdin": Terminal(), "stdout": Terminal(), "stderr": Terminal()}
        for name, stream in streams.items():
            monkeypatch.setattr(sys, name, stream)
        monkeypatch.setattr("builtins.input", ask)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        code = cli.main(["chat", *arguments])
        assert set(prompts) == {"> "}
        return code, streams["stdout"].getvalue(), streams["stderr"].getvalue()

    return converse


def test_a_conversation_sends_what_was_said_before(converse):
    """Each question goes out with those before it and their answers; Ctrl-D ends, and the sum is told."""
    with Loopback(stream("Salut"), stream("Bien")) as server:
        code, out, err = converse(server, ["Bonjour", "", "Ca va?"], "-s", "French.")
        sent = [request[2]["messages"] for request in server.requests]
    assert (code, out) == (0, "Salut\nBien\n\n")
    assert [message["content"] for message in sent[1]] == ["French.", "Bonjour", "Salut", "Ca va?"]
    assert [message["role"] for message in sent[1]] == ["system", "user", "assistant", "user"]
    assert err.startswith(f"gpt-4o-mini at {server.url}\n/help lists the commands")
    assert "API Calls: 2" in err


def test_a_failed_question_leaves_the_conversation_as_it_was(converse):
    """The error is told, the next question goes out as if the failed one had not been asked."""
    with Loopback(refusal(400, "No"), stream("ok")) as server:
        code, out, err = converse(server, ["one", "two"])
        assert [message["content"] for message in server.requests[1][2]["messages"]] == ["two"]
    assert (code, out) == (0, "ok\n\n")
    assert "rawchat: 400 Bad Request: No" in err


def test_words_after_a_slash(converse):
    """/help names every command, /quit ends, another is not sent to the model."""
    with Loopback() as server:
        code, _, err = converse(server, ["/help", "/nonsense x", KeyboardInterrupt, "/quit", "never asked"])
    assert code == 0
    assert [name for name in talk.TALK_COMMANDS if name not in err] == []
    assert "there is no /nonsense; /help lists the commands" in err
    assert "Ctrl-D or /quit ends the conversation" in err


def test_a_terminal_gets_no_character_that_commands_it(converse):
    """A model may be made to say an escape sequence; a pipe gets it as it came (see below), a screen does not."""
    with Loopback(stream("a\x1b[2Jb\r\nc")) as server:
        assert converse(server, ["hi"])[1] == "a\\x1b[2Jb\nc\n\n"


def test_a_pipe_gets_every_character(run):
    with Loopback(stream("a\x1b[2Jb\r\nc")) as server:
        assert run("chat", "hi", server=server)[1] == "a\x1b[2Jb\r\nc\n"


def test_a_retry_is_announced_on_a_terminal(converse):
    """One line says why nothing happens, how long for, and how many attempts there are."""
    with Loopback(refusal(429, "Slow", **{"Retry-After-Ms": "1"}), stream("ok")) as server:
        _, _, err = converse(server, ["hi"])
    assert re.search(r"^429 rate limit.*; trying again in 0\.0 s \(2 of 3\)$", err, re.MULTILINE)


def test_the_bill_is_broken_between_its_fields_where_the_terminal_is_narrow(converse, monkeypatch):
    """40 columns: no field is torn."""
    monkeypatch.setattr(talk, "terminal_columns", lambda out: 40)
    with Loopback(stream("ok")) as server:
        _, _, err = converse(server, ["hi"])
    assert "gpt-4o-mini  12 in + 30 out tokens\n$0.000020  " in err


# --- help -----------------------------------------------------------------------------------------------------------


def test_without_a_command_the_help_is_told(run):
    """On stderr and with argparse's code for wrong arguments: a script that forgot the command must notice."""
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err == run("--help")[1]


def test_version(run):
    assert run("--version") == (0, f"rawchat {rawchat.__version__}\n", "")


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_help_names_every_option(run, name):
    """Each option stands in the help, with words to it; the program's own help names each command."""
    code, out, _ = run(name, "--help")
    assert code == 0
    parser = cli.argparse.ArgumentParser()
    cli.COMMANDS[name].add_arguments(parser)
    for action in parser._actions:
        assert action.help, action
        assert [name for name in action.option_strings if name not in out] == []
    assert name in run("--help")[1]


def test_the_help_lists_the_exit_codes_of_all_errors():
    """Each error's code stands in the table that `chat --help` shows."""
    listed = {int(number) for number in re.findall(r"(?:^|  )\s*([0-9]+)  [a-z]", cli.EXIT_CODES)}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.APIError)]
    assert {kind.exit_code for kind in (*kinds, errors.PayloadError, rawchat.BudgetExceeded)} <= listed
    assert {0, 2, cli.STOPPED, cli.NO_READER, cli.OS_TROUBLE} <= listed


# --- as a process of its own ----------------------------------------------------------------------------------------


def start(*arguments, **options):
    environment = forms.environment(**options.pop("env", {}))
    return subprocess.Popen(
        forms.command(*arguments),
        env={name: value for name, value in environment.items() if name not in cli.VARIABLES},
        cwd=os.environ["HOME"],
        stdin=options.pop("stdin", subprocess.DEVNULL),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        **options,
    )


def finish(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


def test_an_answer_comes_out_of_a_process():
    """`python -m` with the folder's own name, whatever that is."""
    code, out, err = finish(start("chat", "--practice", "What is a token?"))
    assert code == 0
    assert "token" in out
    assert re.search(r"^gpt-4o-mini.*  [0-9]+ in \+ [0-9,]+ out tokens  \$0\.\d{6}  [0-9.]+ s  stop\n$", err)


@pytest.mark.skipif(os.name == "nt", reason="SIGINT reaches a whole console there")
def test_ctrl_c_keeps_what_came():
    """The text so far stays, its line is ended, the exit code is a shell's for SIGINT, and no traceback is shown."""
    process = start("chat", "What is a token?", "--fault", "slow=200")
    first = os.read(process.stdout.fileno(), 10)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    assert first
    assert (first.decode() + out).endswith("\n")
    assert err.endswith("stopped by Ctrl-C\n")
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="no pty there")
def test_ctrl_c_on_a_terminal_ends_the_answer_and_not_the_conversation():
    """In a conversation Ctrl-C stops the answer; the prompt is back, and Ctrl-D ends with 0."""
    import pty

    ours, theirs = pty.openpty()
    process = start("chat", "--fault", "slow=200", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    seen = b""

    def until(*marks):
        nonlocal seen
        for mark in marks:
            deadline = time.monotonic() + 30
            while mark not in seen:
                assert time.monotonic() < deadline, seen
                with contextlib.suppress(OSError):
                    seen += os.read(ours, 4096)
            before, _, seen = seen.partition(mark)
        return before

    until(b"> ")
    os.write(ours, b"What is a token?\n")
    until(b"token?\r\n")
    while not seen.strip():
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    assert b"stopped by Ctrl-C" in until(b"> ")
    os.write(ours, b"\x04")
    assert process.wait(timeout=30) == 0
    os.close(ours)


@pytest.mark.skipif(os.name == "nt", reason="head(1) and SIGPIPE are Unix's")
def test_a_reader_that_goes_away_ends_it_quietly():
    """`rawchat chat ... | head -c1`: no traceback, no word, and the exit code of a program that SIGPIPE ended."""
    process = start("chat", "What is a token?", "--fault", "slow=20")
    os.read(process.stdout.fileno(), 1)
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (141, "")
