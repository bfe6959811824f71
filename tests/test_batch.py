"""A bulk run from IN to OUT: answers, errors, stops, money, and going on after a kill."""

import importlib.util
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from . import forms, module, rawchat

batch = module("batch")
memory = module("transport.memory")

MODEL = "gpt-4o-mini"


def completion(text="Hello.", tokens=(10, 5)):
    usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage}


def refusal(status, after_ms=None, **error):
    headers = {} if after_ms is None else {"Retry-After-Ms": str(after_ms)}
    return memory.reply(status=status, headers=headers, body={"error": {"message": "no", **error}})


class Job:
    """IN with `count` rows, OUT, and a server in memory: `answers` maps a row's text to its answers, one a request."""

    def __init__(self, folder, count=20, **answers):
        self.inp, self.out = folder / "in.jsonl", folder / "out.jsonl"
        self.asked = []
        self.answers = {name: list(given) for name, given in answers.items()}
        self.default = completion()
        self.lock = threading.Lock()
        self.write(f"r{number}" for number in range(count))

    def write(self, ids, **body):
        rows = []
        for one in ids:
            full = {"model": MODEL, "messages": [{"role": "user", "content": one}], **body}
            rows.append({"custom_id": one, "method": "POST", "url": "/v1/chat/completions", "body": full})
        self.inp.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def answer(self, request):
        name = json.loads(request.body)["messages"][0]["content"]
        with self.lock:
            self.asked.append(name)
            waiting = self.answers.get(name)
            answer = waiting.pop(0) if waiting else self.default
        return answer(request) if callable(answer) else answer

    def run(self, client=None, *, transport=None, **options):
        policy = rawchat.RetryPolicy(initial_s=0.001, cap_s=0.002)
        client = client or rawchat.Client(
            "key", "http://127.0.0.1/v1", transport=transport or memory.MemoryTransport(self.answer), retry=policy
        )
        return rawchat.run_batch(client, str(self.inp), str(self.out), **{"workers": 4, **options})

    def lines(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def ids(self):
        return [line["custom_id"] for line in self.lines()]


def test_every_row_gets_its_answer(tmp_path):
    """One line each, in the Batch API's shape; the figures add up."""
    job = Job(tmp_path, 50)
    ended = job.run()
    assert sorted(job.ids()) == sorted(f"r{number}" for number in range(50))
    line = job.lines()[0]
    assert set(line) == {"id", "custom_id", "response", "error"}
    assert line["id"].startswith("batch_req_")
    assert line["response"]["status_code"] == 200
    assert line["response"]["body"] == completion()
    assert len({line["id"] for line in job.lines()}) == 50
    assert (ended.status, ended.rows, ended.done, ended.failed, ended.left, ended.exit_code) == (
        "completed",
        50,
        50,
        0,
        0,
        0,
    )
    assert (ended.prompt_tokens, ended.completion_tokens) == (500, 250)
    assert ended.cost_usd == pytest.approx(50 * (10 * 0.15 + 5 * 0.6) / 1e6)


def test_the_body_is_sent_as_it_stands(tmp_path):
    """To the endpoint that the row names; nothing is added."""
    job = Job(tmp_path, 0)
    body = {"model": MODEL, "input": ["a", "é"], "dimensions": 3}
    job.inp.write_text(json.dumps({"custom_id": "e", "method": "POST", "url": "/v1/embeddings", "body": body}))
    answer = {"object": "list", "data": [], "model": MODEL, "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    transport = memory.MemoryTransport([answer])
    assert job.run(transport=transport).done == 1
    assert transport.requests[0].url == "http://127.0.0.1/v1/embeddings"
    assert transport.json(0) == body


def test_a_failed_row_is_a_row(tmp_path):
    """The others go on; the exit code tells."""
    job = Job(tmp_path, r3=[refusal(400, code="bad")], r4=[refusal(500)] * 9)
    ended = job.run()
    assert (ended.status, ended.done, ended.failed, ended.left, ended.exit_code) == ("completed", 18, 2, 0, 1)
    failed = {line["custom_id"]: line["response"] for line in job.lines() if line["response"]["status_code"] != 200}
    assert {name: one["status_code"] for name, one in failed.items()} == {"r3": 400, "r4": 500}
    assert failed["r3"]["body"]["error"]["code"] == "bad"
    assert job.asked.count("r3") == 1
    assert job.asked.count("r4") == 3


def test_a_passing_failure_leaves_no_trace(tmp_path):
    """500, a broken answer, 429 with and without its end: tried again, and answered."""
    broken = memory.reply(pieces=[b'{"choices":'], error=memory.cut())
    job = Job(tmp_path, r0=[refusal(500)], r1=[broken], r2=[refusal(429, 5)] * 6, r3=[refusal(429), refusal(529)])
    ended = job.run()
    assert (ended.done, ended.failed) == (20, 0)
    assert [job.asked.count(f"r{number}") for number in range(4)] == [2, 2, 7, 3]


def test_finished_rows_are_not_sent_again(tmp_path):
    """The second run sends nothing, and knows what the first one cost."""
    job = Job(tmp_path, r3=[refusal(400)])
    first = job.run()
    before = job.out.read_bytes()
    job.asked.clear()
    second = job.run()
    assert job.asked == []
    assert job.out.read_bytes() == before
    assert (second.done, second.failed, second.earlier, second.exit_code) == (19, 1, 20, 1)
    assert (second.cost_usd, second.total_cost_usd) == (0.0, pytest.approx(first.cost_usd))


def test_failed_rows_are_sent_again_on_request(tmp_path):
    """And their old lines go."""
    job = Job(tmp_path, r3=[refusal(400)])
    job.run()
    job.asked.clear()
    ended = job.run(retry_errors=True)
    assert job.asked == ["r3"]
    assert (ended.done, ended.failed, ended.exit_code) == (20, 0, 0)
    assert sorted(job.ids()) == sorted({f"r{number}" for number in range(20)})


def test_a_run_goes_on_after_a_torn_line(tmp_path):
    """The torn row is sent again, the whole ones are not."""
    job = Job(tmp_path)
    job.run()
    whole = job.out.read_bytes()
    job.out.write_bytes(whole[:-40])
    torn = json.loads(whole.splitlines()[-1])["custom_id"]
    job.asked.clear()
    assert job.run().done == 20
    assert job.asked == [torn]
    assert len(job.ids()) == len(set(job.ids())) == 20


def test_rows_added_to_in_are_sent(tmp_path):
    """IN may grow between two runs."""
    job = Job(tmp_path, 3)
    job.run()
    job.write(f"r{number}" for number in range(5))
    job.asked.clear()
    assert job.run().done == 5
    assert sorted(job.asked) == ["r3", "r4"]


def test_out_can_be_ordered(tmp_path):
    """Whatever came first."""
    job = Job(tmp_path, r0=[refusal(500)] * 2, r7=[refusal(400)])
    job.run(ordered=True)
    assert job.ids() == [f"r{number}" for number in range(20)]


REFUSED = [
    ("a bad line", lambda job: job.inp.write_text("oops\n"), "line 1 is not JSON"),
    ("a repeated id", lambda job: job.write(["a", "a"]), "line 2 has a custom_id that stands before"),
    (
        "OUT of another job",
        lambda job: job.out.write_text(json.dumps({"custom_id": "x", "response": None}) + "\n"),
        "which is not in IN",
    ),
    ("OUT of another kind", lambda job: job.out.write_text("hello\n"), "name another OUT"),
    (
        "OUT with a strange line",
        lambda job: job.out.write_text("hello\n" + json.dumps({"custom_id": "r1", "response": None}) + "\n"),
        "line 1 is no line",
    ),
    ("OUT is IN", lambda job: os.link(job.inp, job.out), "the same file"),
]


@pytest.mark.parametrize("options", [{}, {"retry_errors": True}], ids=["plain", "retrying errors"])
@pytest.mark.parametrize(("spoil", "what"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_nothing_is_sent_where_something_is_wrong(tmp_path, spoil, what, options):
    """All of it is looked at first, and OUT is left as it was."""
    job = Job(tmp_path)
    spoil(job)
    before = job.out.read_bytes() if job.out.exists() else None
    with pytest.raises(rawchat.PayloadError, match=what):
        job.run(**options)
    assert job.asked == []
    assert (job.out.read_bytes() if job.out.exists() else None) == before


@pytest.mark.parametrize(
    "options",
    [{"workers": 0}, {"workers": True}, {"max_requests_per_minute": 0}, {"max_tokens_per_minute": float("nan")}],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path, options):
    """Before a file is opened."""
    with pytest.raises(rawchat.PayloadError):
        Job(tmp_path).run(**options)


def nobody_there():
    error = rawchat.APIConnectionError("cannot connect")
    error.phase = "connect"
    return error


STOPS = [
    ("a wrong key", refusal(401), "auth", 77),
    ("no money", refusal(429, code="insufficient_quota"), "quota", 73),
    ("no such model", refusal(404), "not_found", 66),
    ("a limit of hours", refusal(429, 9_000_000), "rate_limit", 75),
    ("nobody there", lambda request: nobody_there(), "connection", 69),
]


@pytest.mark.parametrize(("answer", "reason", "code"), [r[1:] for r in STOPS], ids=[r[0] for r in STOPS])
def test_what_all_rows_would_meet_stops_the_run(tmp_path, answer, reason, code):
    """The rows are left, not failed: the next run sends them."""
    job = Job(tmp_path)
    job.default = answer
    ended = job.run()
    assert (ended.status, ended.reason, ended.exit_code) == ("stopped", reason, code)
    assert (ended.done, ended.failed, ended.left) == (0, 0, 20)
    assert ended.message
    assert len(job.asked) <= 4 * 3
    job.default = completion()
    assert job.run().done == 20


def test_running_rows_are_written_when_the_run_stops(tmp_path):
    """They are paid for."""
    stopped = threading.Event()

    def late(request):
        assert stopped.wait(10)
        return completion()

    def no_money(request):
        threading.Timer(0.05, stopped.set).start()
        return refusal(429, code="insufficient_quota")

    job = Job(tmp_path, r0=[late], r1=[late], r2=[late], r3=[no_money])
    ended = job.run()
    assert ended.reason == "quota"
    assert {"r0", "r1", "r2"} <= set(job.ids())
    assert "r3" not in job.ids()


def test_the_budget_stops_the_run_and_is_no_error_of_a_row(tmp_path):
    """Not a cent beyond it; on the next run, what was spent before counts."""
    job = Job(tmp_path, 50)
    job.write((f"r{number}" for number in range(50)), max_tokens=5)
    ended = job.run(budget_usd=0.0001)
    assert (ended.status, ended.reason, ended.failed, ended.exit_code) == ("stopped", "budget", 0, 73)
    assert 5 <= ended.done < 30
    assert ended.total_cost_usd <= 0.0001
    again = job.run(budget_usd=0.0001)
    assert (again.done, again.reason) == (ended.done, "budget")
    assert job.run(budget_usd=1).done == 50


def test_what_is_reserved_for_running_rows_is_not_spent(tmp_path):
    """A budget for hardly more than one longest answer at a time serves all rows, as each takes less."""
    job = Job(tmp_path, 20)
    job.write((f"r{number}" for number in range(20)), max_tokens=1000)
    ended = job.run(budget_usd=0.0008)
    assert (ended.status, ended.done) == ("completed", 20)


def test_a_budget_needs_a_price(tmp_path):
    """Nothing is sent for a model whose price nobody stated; with a tracker that knows it, all is."""
    job = Job(tmp_path, 3)
    job.write(["a", "b"], model="my-own")
    with pytest.raises(rawchat.UnknownPrice):
        job.run(budget_usd=1)
    assert job.asked == []
    tracker = rawchat.CostTracker({"my-own": (1, 1)})
    client = rawchat.Client(
        "k", "http://127.0.0.1/v1", transport=memory.MemoryTransport(job.answer), cost_tracker=tracker
    )
    assert job.run(client, budget_usd=1).done == 2
    assert tracker.call_count == 2
    tracker.budget_usd = 1.0
    with pytest.raises(rawchat.PayloadError, match="budget already"):
        job.run(client, budget_usd=1)


def test_rates_and_headers_reach_the_limiter(tmp_path, monkeypatch):
    """The rates that were given, and what the headers of good and bad answers say is left."""
    given, noted = [], []

    class Watched(batch.Limiter):
        def __init__(self, workers, **rates):
            given.append((workers, rates["max_requests_per_minute"], rates["max_tokens_per_minute"]))
            super().__init__(workers, **rates)

        def note(self, limits, now_s):
            noted.append(limits.remaining_requests)
            super().note(limits, now_s)

    monkeypatch.setattr(batch, "Limiter", Watched)
    headers = {"x-ratelimit-remaining-requests": "70", "x-ratelimit-reset-requests": "1s"}
    good = memory.reply(headers=headers, body=completion())
    bad = memory.reply(status=400, headers={**headers, "x-ratelimit-remaining-requests": "69"}, body="{}")
    Job(tmp_path, 2, r0=[good], r1=[bad]).run(max_requests_per_minute=6000, max_tokens_per_minute=1e6)
    assert given == [(4, 6000, 1e6)]
    assert sorted(noted) == [69, 70]


def test_progress_is_told_to_its_end(tmp_path):
    """The last word has all rows in it."""
    told = []
    Job(tmp_path, r3=[refusal(400)]).run(progress=told.append)
    assert (told[-1].done, told[-1].failed, told[-1].rows, told[-1].running) == (19, 1, 20, 0)


def test_what_progress_raises_ends_the_run(tmp_path):
    """The rows that were written stay written."""

    def broken(progress):
        raise RuntimeError("no terminal")

    job = Job(tmp_path)
    with pytest.raises(RuntimeError, match="no terminal"):
        job.run(progress=broken)
    assert len(job.ids()) == len(set(job.ids()))


def test_a_full_disk_ends_the_run(tmp_path, monkeypatch):
    """No row is paid for that cannot be written."""

    def full(self, line):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module("batch_files").Output, "append", full)
    job = Job(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        job.run()
    assert len(job.asked) <= 4


def test_ctrl_c_waits_for_running_rows(tmp_path):
    """They are written; no other is begun; the run can go on later."""
    begun = threading.Event()

    def interrupted(progress):
        if not progress.stopping:
            assert begun.wait(10)
            raise KeyboardInterrupt
        release.set()

    release = threading.Event()

    def late(request):
        begun.set()
        assert release.wait(10)
        return completion()

    job = Job(tmp_path)
    job.default = late
    ended = job.run(progress=interrupted)
    assert (ended.status, ended.exit_code) == ("interrupted", 130)
    assert ended.done == len(job.ids()) == len(job.asked) >= 1
    job.default = completion()
    assert job.run().done == 20


def test_a_second_ctrl_c_leaves_them(tmp_path):
    """At once, and nothing is written any more."""
    release = threading.Event()
    job = Job(tmp_path, 4)
    job.default = lambda request: completion() if release.wait(10) else None

    def interrupted(progress):
        raise KeyboardInterrupt

    ended = job.run(progress=interrupted)
    assert (ended.status, ended.left) == ("interrupted", 4)
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("batch-"):
            thread.join(10)
    assert job.ids() == []


TOP = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_five_times_no_row_is_lost_or_paid_for_twice(tmp_path):
    """The small version of scripts/kill_batch.py, which kills fifty times."""
    spec = importlib.util.spec_from_file_location("kill_batch", TOP / "scripts" / "kill_batch.py")
    kill_batch = importlib.util.module_from_spec(spec)
    sys.modules["kill_batch"] = kill_batch
    spec.loader.exec_module(kill_batch)
    outcome = kill_batch.kill_again_and_again(forms.NAME, forms.PLACE, tmp_path, kills=5, rows=60, seed=2)
    assert (outcome.lost, outcome.paid_twice, outcome.in_order) == (0, 0, True)
    assert outcome.asked_again > 0
