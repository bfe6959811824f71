"""The provider's Batch API, against a provider in memory: what is sent, what is refused, what is written."""

import argparse
import contextlib
import email.parser
import email.policy
import itertools
import json

import pytest

from . import module, rawchat

api = module("batch_api")
command = module("batch_command")
files = module("batch_files")
memory = module("transport.memory")


class Provider:
    """Files and batches. Each look at a batch shows the next of `states`; the last one stays."""

    def __init__(self, states=("completed",), output=b"", failed=b"", **more):
        self.states = list(states)
        self.files = {"file-out": output, "file-err": failed}
        self.more = more
        self.uploads, self.made, self.cancelled = [], [], []

    def batch(self, state):
        ids = {"output_file_id": "file-out", "error_file_id": "file-err" if self.files["file-err"] else None}
        counts = {"total": 2, "completed": 1, "failed": 1 if self.files["file-err"] else 0}
        done = ids if state in api.ENDED and state != "failed" else {}
        return {"id": "batch_1", "object": "batch", "status": state, "request_counts": counts, **done, **self.more}

    def answer(self, request):
        path = request.url.partition("/v1/")[2]
        if path == "files":
            self.uploads.append(request)
            return {"id": "file-in", "object": "file"}
        if path.endswith("/content"):
            return memory.reply(pieces=[self.files[path.split("/")[1]] or b"", b""])
        if path == "batches":
            self.made.append(json.loads(request.body))
            return self.batch("validating")
        if path.startswith("batches?"):
            return {"object": "list", "data": [self.batch("completed"), self.batch("in_progress")]}
        if path.endswith("/cancel"):
            self.cancelled.append(request)
            return self.batch("cancelling")
        return self.batch(self.states.pop(0) if len(self.states) > 1 else self.states[0])

    def client(self):
        self.transport = memory.MemoryTransport(self.answer)
        return rawchat.Client("key", "http://127.0.0.1/v1", transport=self.transport)


def rows(*ids, url="/v1/chat/completions", model="m"):
    body = {"model": model, "messages": [{"role": "user", "content": "é"}]}
    return b"".join(
        json.dumps({"custom_id": one, "method": "POST", "url": url, "body": body}).encode() + b"\n" for one in ids
    )


def test_submit_uploads_and_makes_a_batch(tmp_path):
    """The multipart body is one that a reader of mail understands, and holds the file byte for byte."""
    provider = Provider()
    (tmp_path / 'odd "name".jsonl').write_bytes(rows("a", "b"))
    made = api.submit(provider.client(), str(tmp_path / 'odd "name".jsonl'), metadata={"job": "1"})
    assert made["id"] == "batch_1"
    assert provider.made == [
        {
            "input_file_id": "file-in",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"job": "1"},
        }
    ]
    [upload] = provider.uploads
    head = f"Content-Type: {dict(upload.headers)['Content-Type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + upload.body)
    purpose, file = message.iter_parts()
    assert purpose.get_content().strip() == "batch"
    assert file.get_param("name", header="content-disposition") == "file"
    assert file.get_filename() == "odd %22name%22.jsonl"
    assert rows("a", "b") in upload.body


REFUSED = [
    ("two endpoints", rows("a") + rows("b", url="/v1/embeddings"), "2 endpoints"),
    ("two models", rows("a") + rows("b", model="n"), "2 models"),
    ("a bad line", b"oops\n", "line 1 is not JSON"),
]


@pytest.mark.parametrize(("content", "what"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_the_api_would_refuse_is_not_uploaded(tmp_path, content, what):
    """At once, instead of hours later."""
    provider = Provider()
    (tmp_path / "in.jsonl").write_bytes(content)
    with pytest.raises(rawchat.PayloadError, match=what):
        api.submit(provider.client(), str(tmp_path / "in.jsonl"))
    assert provider.uploads == []


def test_the_limits_of_one_batch(tmp_path, monkeypatch):
    """Rows and bytes."""
    (tmp_path / "in.jsonl").write_bytes(rows("a", "b"))
    for name, what in (("MOST_ROWS", "2 rows; 1 is"), ("MOST_BYTES", "bytes; 1 is")):
        with monkeypatch.context() as patch:
            patch.setattr(api, name, 1)
            with pytest.raises(rawchat.PayloadError, match=what):
                api.submit(Provider().client(), str(tmp_path / "in.jsonl"))


def test_a_batch_is_not_made_twice(tmp_path):
    """A lost answer may mean that it was made; the error says how to see."""
    (tmp_path / "in.jsonl").write_bytes(rows("a"))
    transport = memory.MemoryTransport([{"id": "file-in"}, memory.reply(status=500)])
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=transport)
    with pytest.raises(rawchat.InternalServerError) as caught:
        api.submit(client, str(tmp_path / "in.jsonl"))
    assert len(transport.requests) == 2
    assert "file-in" in caught.value.hint


def test_waiting_looks_less_and_less_often():
    """5 s, half as long again each time, two minutes at most."""
    provider = Provider(["validating", "in_progress", "in_progress", "finalizing", "completed"])
    told = []
    ended = api.wait_for(provider.client(), "batch_1", told.append)
    assert ended["status"] == "completed"
    assert [batch["status"] for batch in told] == [
        "validating",
        "in_progress",
        "in_progress",
        "finalizing",
        "completed",
    ]
    assert provider.transport.sleeps == [5.0, 7.5, 11.25, 16.875]
    assert max(itertools.islice(api.poll_delays(), 50)) == 120.0


GOOD = files.result_line("batch_req_1", "a", status=200, body={"choices": [], "usage": {"cost": 0}})
EXPIRED = files.result_line("batch_req_2", "b", error={"code": "batch_expired", "message": "too late"})


@pytest.mark.parametrize(
    ("output", "errors", "expected"),
    [
        (GOOD, b"", GOOD),
        (GOOD, EXPIRED, GOOD + EXPIRED),
        (GOOD[:-1], EXPIRED, GOOD + EXPIRED),
        (b"", EXPIRED, EXPIRED),
    ],
    ids=["answers", "answers and errors", "no LF at the end", "errors alone"],
)
def test_fetch_writes_one_file_that_a_run_can_go_on_with(tmp_path, output, errors, expected):
    """All lines of both, and `run_batch` sends what failed there from here."""
    provider = Provider(output=output, failed=errors)
    client = provider.client()
    api.fetch(client, api.retrieve(client, "batch_1"), str(tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_bytes() == expected
    (tmp_path / "in.jsonl").write_bytes(rows("a", "b"))
    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"cost": 0},
    }
    here = memory.MemoryTransport(lambda request: answer)
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=here)
    ended = rawchat.run_batch(client, str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), retry_errors=True)
    assert (ended.done, ended.left) == (2, 0)
    assert len(here.requests) == (1 if output else 2)


def test_fetch_overwrites_nothing(tmp_path):
    """Answers are worth money."""
    (tmp_path / "out.jsonl").write_bytes(GOOD)
    with pytest.raises(rawchat.PayloadError, match="not overwritten"):
        api.fetch(Provider().client(), {"output_file_id": "file-out"}, str(tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_bytes() == GOOD


def test_a_download_that_breaks_off_leaves_nothing(tmp_path):
    """No half OUT that looks like a whole one."""
    transport = memory.MemoryTransport([memory.reply(pieces=[GOOD], error=memory.cut())])
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=transport)
    with pytest.raises(rawchat.APIConnectionError):
        api.fetch(client, {"output_file_id": "file-out"}, str(tmp_path / "out.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_ids_are_quoted_and_needed():
    """No id leads elsewhere."""
    provider = Provider()
    api.cancel(provider.client(), "a/../b")
    assert provider.cancelled[0].url == "http://127.0.0.1/v1/batches/a%2F..%2Fb/cancel"
    assert (provider.cancelled[0].method, provider.cancelled[0].body) == ("POST", b"")
    with pytest.raises(rawchat.PayloadError, match="empty"):
        api.retrieve(provider.client(), " ")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"{}", b'{"status":null}', b""])
def test_what_is_no_batch_is_told(body):
    """A proxy's page, or another object."""
    client = rawchat.Client("key", "http://127.0.0.1/v1", transport=memory.MemoryTransport([memory.reply(body=body)]))
    with pytest.raises(rawchat.InvalidResponseError, match="no batch"):
        api.retrieve(client, "batch_1")


# ---- the commands

FAILED = {"errors": {"data": [{"line": 3, "message": "Unknown model", "param": "body.model", "code": "x"}]}}
COMMANDS = [
    # name, provider, words, exit code, statuses on stdout, stderr
    ("submit", Provider(), ["submit", "IN"], 0, ["validating"], "batch_1: validating, 1 of 2 done\n"),
    (
        "status",
        Provider(["in_progress"]),
        ["status", "batch_1"],
        0,
        ["in_progress"],
        "batch_1: in_progress, 1 of 2 done\n",
    ),
    ("list", Provider(), ["status"], 0, ["completed", "in_progress"], "batch_1: in_progress"),
    (
        "status, waiting",
        Provider(["in_progress", "expired"]),
        ["status", "batch_1", "--wait"],
        0,
        ["expired"],
        "batch_1: in_progress",
    ),
    ("rows failed", Provider(failed=EXPIRED), ["status", "batch_1"], 1, ["completed"], "1 failed"),
    (
        "refused",
        Provider(["failed"], **FAILED),
        ["status", "batch_1"],
        65,
        ["failed"],
        "  line 3: Unknown model (body.model)\n",
    ),
    ("fetch", Provider(output=GOOD), ["fetch", "batch_1", "-o", "OUT"], 0, ["completed"], f"{len(GOOD)} bytes\n"),
    (
        "fetch too early",
        Provider(["in_progress"]),
        ["fetch", "batch_1", "-o", "OUT"],
        75,
        ["in_progress"],
        "has not ended",
    ),
    (
        "fetch, waiting",
        Provider(["finalizing", "completed"], GOOD),
        ["fetch", "batch_1", "--wait", "-o", "OUT"],
        0,
        ["completed"],
        "bytes",
    ),
    ("fetch what was refused", Provider(["failed"]), ["fetch", "batch_1", "-o", "OUT"], 65, ["failed"], "failed"),
    ("cancel", Provider(), ["cancel", "batch_1"], 0, ["cancelling"], "batch_1: cancelling"),
]


@pytest.mark.parametrize(
    ("provider", "words", "code", "states", "err"), [r[1:] for r in COMMANDS], ids=[r[0] for r in COMMANDS]
)
def test_commands(tmp_path, capsys, provider, words, code, states, err):
    """The batch as JSON on stdout, a word for people on stderr, and an exit code for its state."""
    (tmp_path / "in.jsonl").write_bytes(rows("a"))
    paths = {"IN": str(tmp_path / "in.jsonl"), "OUT": str(tmp_path / "out.jsonl")}
    parser = argparse.ArgumentParser()
    command.add_actions(parser, lambda own: None)
    options = parser.parse_args([paths.get(word, word) for word in words])

    @contextlib.contextmanager
    def opened(options):
        yield provider.client()

    assert command.run_action(options, opened) == code
    out, told = capsys.readouterr()
    assert [json.loads(line)["status"] for line in out.splitlines()] == states
    assert err in told
    assert (tmp_path / "out.jsonl").exists() == (words[0] == "fetch" and code == 0)
