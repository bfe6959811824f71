"""Bulk: a file of requests in, a file of answers out, many at once; stopped or killed, it goes on where it was.

    run_batch(client, "in.jsonl", "out.jsonl", workers=8)      -> BatchRun(status="completed", done=9998, failed=2, ...)

The files are those of OpenAI's Batch API (see `batch_files`), so that the same IN runs here, there, and on vLLM's
run-batch. IN is checked to its last line before anything is sent. Each row that ends is written to OUT at once, an
error as a row of its own. Run again, rows that stand in OUT are not sent again; errors are, with `retry_errors`.

All workers share one `Limiter`: what the server says to one holds for all. A row that failed is tried again, or written
as an error, or stops the run (a wrong key, an empty account, the budget), as `batch_rules` has it; a row that stopped
the run is not written, so that the next run sends it. Prints nothing.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, Generator, List, NamedTuple, Optional, Tuple

from .batch_files import DONE, FAILED, PENDING, Inspection, Output, Row, inspect_input, read_rows, result_line
from .batch_rules import Decision, decide, error_fields, reckoned_tokens
from .client import Client
from .limiter import Limiter, Permit
from .protocol.cost import price_of, read_usage
from .protocol.errors import APIError, PayloadError
from .protocol.feature_errors import BudgetExceeded
from .protocol.rate_limits import rate_limits
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.tracker import CostTracker

SOME_FAILED = 1  # exit code: every row was answered, some with an error
INTERRUPTED = 130  # what a shell calls a program that Ctrl-C ended: 128 + SIGINT
TELL_S = 0.2  # between two calls of `progress`


class BatchRun(NamedTuple):
    """How a run ended. `done`, `failed` and `left` add up to `rows`, the rows of IN; earlier runs' are counted.

    status      "completed", "stopped" or "interrupted" (Ctrl-C)
    reason      why it stopped: "auth", "budget", "connection", "not_found", "permission", "quota", "rate_limit"; or ""
    message     the error behind it, for people
    earlier     rows that stood in OUT when the run began
    cost_usd    what this run cost, in US dollars; `unpriced` calls, whose cost is unknown, left out
    total_cost_usd   the same, with the rows of earlier runs
    prompt_tokens, completion_tokens   of this run
    exit_code   what the command line ends with
    """

    status: str
    reason: str
    message: str
    rows: int
    done: int
    failed: int
    left: int
    earlier: int
    cost_usd: float
    total_cost_usd: float
    unpriced: int
    prompt_tokens: int
    completion_tokens: int
    elapsed_s: float
    exit_code: int


class Progress(NamedTuple):
    """How far a run has come. `per_second` counts rows; `left_s` is None while nobody can tell.

    `stopping`: no further row is begun, and `running` ones are waited for.
    """

    rows: int
    done: int
    failed: int
    running: int
    per_second: float
    cost_usd: float
    elapsed_s: float
    left_s: Optional[float]
    stopping: bool = False


def run_batch(
    client: Client,
    in_path: str,
    out_path: str,
    *,
    workers: int = 8,
    max_requests_per_minute: Optional[float] = None,
    max_tokens_per_minute: Optional[float] = None,
    budget_usd: Optional[float] = None,
    retry_errors: bool = False,
    ordered: bool = False,
    progress: Optional[Callable[[Progress], None]] = None,
) -> BatchRun:
    """Send the rows of IN that do not stand in OUT, `workers` at once, and write each answer to OUT as it comes.

    The client's settings hold for each attempt, its `deadline` too; `max_retries` is for each row. Without rates, the
    server's rate-limit headers and refusals set the pace. `budget_usd` is for the whole job: what the rows in OUT cost
    counts. `ordered` rewrites OUT in the order of IN at the end. `progress` is called from this thread, a few times a
    second. Ctrl-C waits for the rows that are running; a second one leaves them.

    Raises PayloadError for an IN or OUT that cannot be used, and UnknownPrice for a budget over a model whose price is
    unknown, both before anything is sent; and OSError where a file cannot be read or written.
    """
    _check_numbers(workers, max_requests_per_minute, max_tokens_per_minute)
    if os.path.exists(out_path) and os.path.samefile(in_path, out_path):
        raise PayloadError(f"IN and OUT are the same file, {in_path}")
    inspection = inspect_input(in_path)
    bill = Bill(client, budget_usd, inspection)
    limiter = Limiter(
        workers,
        max_requests_per_minute=max_requests_per_minute,
        max_tokens_per_minute=max_tokens_per_minute,
        now_s=time.monotonic(),
    )
    output = Output(out_path)
    try:
        run = Run(client, in_path, output, inspection, limiter, bill)
        run.look_back(retry_errors)
        run.drive(workers, progress)
        if ordered and run.status != "interrupted":
            output.put_in_order(in_path, inspection.ids)
    finally:
        output.close()
    return run.report()


def _check_numbers(workers: int, *rates: Optional[float]) -> None:
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise PayloadError(f"workers must be a whole number from 1; got {workers!r}")
    for rate in rates:
        if rate is not None and not 0 < rate < float("inf"):
            raise PayloadError(f"a rate per minute must be above 0; got {rate!r}")


# ---- money


class Bill:
    """What the job costs: this run and what stands in OUT. The client's own tracker, if it has one, counts this run."""

    def __init__(self, client: Client, budget_usd: Optional[float], inspection: Inspection) -> None:
        own = client.cost_tracker
        if budget_usd is not None and own is not None and own.budget_usd is not None:
            raise PayloadError("the client's cost_tracker has a budget already: give budget_usd, or that one, not both")
        prices, aliases = (own.prices, own.aliases) if own is not None else ({}, {})
        self.job = CostTracker(prices, budget_usd=budget_usd, aliases=aliases)
        # Of two trackers, the one with the budget reserves and counts, as each call's; the other is told.
        self.tracker, self._other = self.job, own
        if own is not None and own.budget_usd is not None:
            self.tracker, self._other = own, self.job
        if self.tracker.budget_usd is not None:
            for model in sorted(inspection.models):
                if price_of(model, self.tracker.prices, self.tracker.aliases) is None:
                    self.tracker.reserve(model, 0, 0)  # raises UnknownPrice, before anything is sent
        self._earlier = (0.0, 0, 0, 0)

    def look_back(self, body: Any) -> None:
        """Count a row of an earlier run."""
        self.job.record(body)

    def begin(self) -> None:
        self._earlier = self._sums()

    def count(self, reply: Reply, model: str) -> None:
        if self._other is not None:
            self._other.record(reply, model=model)

    def _sums(self) -> Tuple[float, int, int, int]:
        job = self.job
        return job.total_cost, job.unpriced_calls, job.total_input_tokens, job.total_output_tokens

    def this_run(self) -> Tuple[float, int, int, int]:
        """Dollars, unpriced calls, prompt tokens and output tokens."""
        cost, unpriced, prompt, output = (now - before for now, before in zip(self._sums(), self._earlier))
        return cost, int(unpriced), int(prompt), int(output)


# ---- the run


class Run:
    """One run: rows handed out to workers, their results written, and the word that ends it."""

    def __init__(
        self, client: Client, in_path: str, output: Output, inspection: Inspection, limiter: Limiter, bill: Bill
    ) -> None:
        self.status, self.reason, self.message, self.exit_code = "completed", "", "", 0
        self._client = client.with_options(cost_tracker=bill.tracker, max_retries=0)
        self._max_retries = client.settings.max_retries
        self._policy = client.settings.retry
        key = client.settings.api_key
        self._secrets = (key,) if isinstance(key, str) and key else ()
        self._output = output
        self._ids = inspection.ids
        self._limiter = limiter
        self._bill = bill
        self._done = self._failed = self._earlier = 0
        self._rows = self._pending(in_path)
        self._reading = threading.Lock()
        # Guards the limiter, OUT and all that follows; told whenever a worker that waits may go on.
        self._changed = threading.Condition()
        self._stopping = self._abandoned = False
        self._crash: Optional[BaseException] = None
        self._started_s = time.monotonic()

    def look_back(self, retry_errors: bool = False) -> None:
        """Learn from OUT which rows have ended, and what they cost. All of it is read before any of it is dropped."""
        failures = 0
        for result in self._output.results():
            slot = self._ids.find(result.custom_id)
            if slot < 0:
                raise PayloadError(
                    f"{self._output.path} holds the custom_id {result.custom_id!r}, which is not in IN: "
                    "one OUT belongs to one IN, so name another OUT"
                )
            failures += result.failed
            if self._ids.mark_of(slot) == PENDING and not (result.failed and retry_errors):
                self._done += not result.failed
                self._failed += result.failed
                self._earlier += 1
                self._ids.set_mark(slot, FAILED if result.failed else DONE)
                if not result.failed:
                    self._bill.look_back(result.body)
        if failures and retry_errors:
            self._output.keep_good()
        self._bill.begin()

    def drive(self, workers: int, progress: Optional[Callable[[Progress], None]]) -> None:
        """Run to the end. Raises what a worker met that is nobody's answer: a full disk, a broken listener."""
        count = min(workers, self._left())
        threads = [threading.Thread(target=self._work, name=f"batch-{n}", daemon=True) for n in range(count)]
        try:
            for thread in threads:
                thread.start()
            self._watch(threads, progress)
        except KeyboardInterrupt:
            self.stop("interrupted", "", "stopped by Ctrl-C", INTERRUPTED)
            self._watch_or_abandon(threads, progress)
        except BaseException as error:
            self.stop("stopped", "error", str(error), 1)
            self._watch_or_abandon(threads, None)
            raise
        if not self._abandoned:
            self._rows.close()
        if self._crash is not None:
            raise self._crash

    def stop(self, status: str, reason: str, message: str, exit_code: int) -> None:
        """No further row is begun. The first word counts."""
        with self._changed:
            if not self._stopping:
                self.status, self.reason, self.message, self.exit_code = status, reason, message, exit_code
            self._stopping = True
            self._changed.notify_all()

    def report(self) -> BatchRun:
        cost, unpriced, prompt, output = self._bill.this_run()
        return BatchRun(
            status=self.status,
            reason=self.reason,
            message=self.message,
            rows=self._ids.count,
            done=self._done,
            failed=self._failed,
            left=self._left(),
            earlier=self._earlier,
            cost_usd=cost,
            total_cost_usd=self._bill.job.total_cost,
            unpriced=unpriced,
            prompt_tokens=prompt,
            completion_tokens=output,
            elapsed_s=time.monotonic() - self._started_s,
            exit_code=self.exit_code or (SOME_FAILED if self._failed else 0),
        )

    def progress(self) -> Progress:
        elapsed_s = time.monotonic() - self._started_s
        ended = self._done + self._failed - self._earlier
        per_second = ended / elapsed_s if elapsed_s > 0 else 0.0
        left_s = self._left() / per_second if per_second and elapsed_s >= 1 else None
        return Progress(
            rows=self._ids.count,
            done=self._done,
            failed=self._failed,
            running=self._limiter.running,
            per_second=per_second,
            cost_usd=self._bill.job.total_cost,
            elapsed_s=elapsed_s,
            left_s=left_s,
            stopping=self._stopping,
        )

    def _left(self) -> int:
        return self._ids.count - self._done - self._failed

    def _watch(self, threads: List[threading.Thread], progress: Optional[Callable[[Progress], None]]) -> None:
        """Wait for the workers, and tell how it goes meanwhile."""
        for thread in threads:
            while thread.is_alive():
                thread.join(TELL_S)
                if progress is not None:
                    progress(self.progress())
        if progress is not None:
            progress(self.progress())

    def _watch_or_abandon(
        self, threads: List[threading.Thread], progress: Optional[Callable[[Progress], None]]
    ) -> None:
        try:
            self._watch(threads, progress)
        except KeyboardInterrupt:
            with self._changed:
                self._abandoned = True  # from here on nobody writes, so that no line is torn as the program ends

    # ---- a worker

    def _pending(self, in_path: str) -> Generator[Row, None, None]:
        for row in read_rows(in_path):
            slot = self._ids.find(row.custom_id) if isinstance(row, Row) else -1
            if slot < 0:
                raise PayloadError(f"{in_path} was changed while it was read: line {row.line:,} is new")
            if isinstance(row, Row) and self._ids.mark_of(slot) == PENDING:
                yield row

    def _work(self) -> None:
        """One row after the other, until there is none or the run stops."""
        try:
            while not self._stopping:
                with self._reading:
                    row = next(self._rows, None)
                if row is None:
                    break
                self._do(row)
        except BaseException as error:
            with self._changed:
                self._crash = self._crash or error
            self.stop("stopped", "error", str(error), getattr(error, "exit_code", 1))

    def _do(self, row: Row) -> None:
        """Try until the row has a result, or the run stops."""
        retries_taken = 0
        while True:
            permit = self._admitted(row)
            if permit is None:
                return None
            try:
                reply = self._client.request("POST", row.endpoint.path, row.body, required=row.endpoint.required)
            except BudgetExceeded as error:
                self._finish(permit, 0, None)
                if not self._others_finish(error):
                    return self.stop("stopped", "budget", str(error), error.exit_code)
            except APIError as error:
                decision = self._judge(error, permit, retries_taken)
                if decision.action == "stop":
                    message = redact_text(str(error), self._secrets)
                    return self.stop("stopped", decision.reason, message, error.exit_code)
                if decision.action == "write":
                    return self._write(row, failed=True, **error_fields(error, self._secrets))
                retries_taken += 1
                self._sleep(decision.wait_s)
            except BaseException:
                self._finish(permit, None, None)
                raise
            else:
                return self._succeed(row, permit, reply)

    def _admitted(self, row: Row) -> Optional[Permit]:
        """Wait until the limiter lets this row go; None where the run stops first."""
        tokens = reckoned_tokens(row)
        with self._changed:
            while not self._stopping:
                now_s = time.monotonic()
                wait_s = self._limiter.ask(tokens, now_s)
                if wait_s <= 0:
                    return Permit(now_s, tokens)
                self._changed.wait(min(wait_s, 60.0))
        return None

    def _finish(self, permit: Permit, used_tokens: Optional[int], headers: Any) -> None:
        limits = rate_limits(headers, now_s=time.time()) if headers else None
        with self._changed:
            self._limiter.finish(permit, used_tokens)
            if limits is not None:
                self._limiter.note(limits, time.monotonic())
            self._changed.notify_all()

    def _succeed(self, row: Row, permit: Permit, reply: Reply) -> None:
        counts = read_usage(reply.get("usage"))
        self._finish(permit, counts.total if counts is not None else None, reply.headers)
        self._write(row, failed=False, status=200, request_id=reply.request_id or "", body=reply)
        self._bill.count(reply, row.model)
        with self._changed:
            self._limiter.succeeded()

    def _judge(self, error: APIError, permit: Permit, retries_taken: int) -> Decision:
        """What becomes of the row; what it says about the server, all workers keep to from now on."""
        decision = decide(
            error,
            retries_taken=retries_taken,
            max_retries=self._max_retries,
            policy=self._policy,
            dice=int.from_bytes(os.urandom(4), "big") / 2**32,
            some_went_well=self._done > 0,
        )
        with self._changed:  # before the permit is given back, or another row would slip through
            now_s = time.monotonic()
            if decision.crowd:
                self._limiter.pause(decision.wait_s, now_s)
            if decision.crowd == "halve":
                self._limiter.halve(permit, now_s)
        self._finish(permit, None, error.headers)
        return decision

    def _others_finish(self, error: BudgetExceeded) -> bool:
        """Whether the row may fit into the budget once a running one is billed, which takes less than was reserved.

        Waits for that. False where the money is spent.
        """
        with self._changed:
            spent_usd = self._bill.tracker.spent_usd
            if error.needed_usd > error.budget_usd - spent_usd or self._stopping:
                return False
            # Where none of ours is running, somebody else's calls hold what is reserved.
            self._changed.wait(1.0 if self._limiter.running else 0.05)
            return True

    def _sleep(self, seconds: float) -> None:
        """Wait before the next attempt; a run that stops ends the wait."""
        until_s = time.monotonic() + seconds
        with self._changed:
            while not self._stopping and time.monotonic() < until_s:
                self._changed.wait(until_s - time.monotonic())

    def _write(self, row: Row, *, failed: bool, **fields: Any) -> None:
        line = result_line(f"batch_req_{os.urandom(12).hex()}", row.custom_id, **fields)
        with self._changed:
            if self._abandoned:
                return
            self._output.append(line)
            self._ids.set_mark(self._ids.find(row.custom_id), FAILED if failed else DONE)
            self._failed += failed
            self._done += not failed
