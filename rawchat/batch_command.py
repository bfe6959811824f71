"""`rawchat batch`: a file of requests, answered from here by many workers, or by the provider's own Batch API.

    rawchat batch run in.jsonl -o out.jsonl
    1,234/10,000 3 failed 52/s $0.12 2m48s left             stderr, a terminal: one line, in its place
    rawchat: 1,234 of 10,000 rows, 3 failed, 52/s, ...      stderr, a log: a line now and then
    {"status":"completed","reason":"","rows":10000,...}     stdout, the last line: how it ended, for programs
    rawchat batch submit in.jsonl                           {"id":"batch_1","status":"validating",...}
    rawchat batch fetch batch_1 --wait -o out.jsonl

Says how it goes; the work is done in `batch.py` and `batch_api.py`. Reads no environment: `cli.py` hands it the way to
a client.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Callable, ContextManager, Dict, List, Mapping, NamedTuple, TextIO, Tuple

from . import batch_api
from .batch import INTERRUPTED, SOME_FAILED, BatchRun, Progress, run_batch
from .client import Client
from .lab.terminal import is_terminal, terminal_columns
from .protocol.errors import RawChatError
from .protocol.retry import RetryPolicy
from .talk import say

OpenedClient = Callable[..., ContextManager[Client]]

FIRST_LINE_S = 10.0  # in a log: the first line comes after this long,
NEXT_LINE_S = 60.0  # and the next ones after that long
# A bulk run has time: a quota that is back in ten minutes is worth waiting for, where a single call gives up after two.
LONGEST_WAIT_S = 600.0

EPILOG = """\
IN and OUT are OpenAI's Batch API files: {"custom_id":..., "method":"POST", "url":"/v1/chat/completions", "body":{...}}
Run it again to go on: rows that stand in OUT are not sent again. The last line of stdout says in JSON how it ended.

exit codes:
    0  all rows have a good answer     71  a file of this machine          77  stopped: wrong key, not allowed
    1  some rows failed (see OUT)      73  stopped: budget or quota       130  stopped by Ctrl-C
   64  IN or OUT cannot be used        75  stopped: limited for too long
   66  stopped: no such model          69  stopped: nobody reached
"""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="the requests, one JSON object a line")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="where the answers go, or went before")
    parser.add_argument("--workers", type=int, default=8, metavar="N", help="rows at once, at most (default: 8)")
    parser.add_argument("--max-requests-per-minute", type=float, metavar="N", help="(default: as the server says)")
    parser.add_argument("--max-tokens-per-minute", type=float, metavar="N", help="(default: as the server says)")
    parser.add_argument("--budget", type=float, metavar="USD", help="what the job may cost; what OUT holds counts")
    parser.add_argument("--retry-errors", action="store_true", help="send the rows again that stand in OUT as errors")
    parser.add_argument("--ordered", action="store_true", help="put OUT in the order of IN at the end")


def run(options: argparse.Namespace, opened_client: OpenedClient) -> int:
    """Do it, and tell how it ended: to people on stderr, to programs as the last line of stdout."""
    line = ProgressLine(sys.stderr)
    try:
        with opened_client(options, retry=RetryPolicy(longest_wait_s=LONGEST_WAIT_S)) as client:
            ended = run_batch(
                client,
                options.input,
                options.output,
                workers=options.workers,
                max_requests_per_minute=options.max_requests_per_minute,
                max_tokens_per_minute=options.max_tokens_per_minute,
                budget_usd=options.budget,
                retry_errors=options.retry_errors,
                ordered=options.ordered,
                progress=line,
            )
    except (RawChatError, OSError, KeyboardInterrupt) as error:
        line.end()
        print(json.dumps(_unfinished(error)))
        raise
    line.end()
    for text in farewell(ended):
        say(text)
    print(json.dumps(summary(ended), ensure_ascii=False))
    return ended.exit_code


def summary(ended: BatchRun) -> Any:
    """A BatchRun as the last line has it: dollars and seconds rounded to what can be told."""
    figures = {"cost_usd": 12, "total_cost_usd": 12, "elapsed_s": 3}
    fields = ended._asdict()
    return {name: round(value, figures[name]) if name in figures else value for name, value in fields.items()}


def _unfinished(error: BaseException) -> Any:
    """The last line of a run that was refused, or broke: its error follows on stderr."""
    if isinstance(error, KeyboardInterrupt):
        return {"status": "interrupted", "reason": "", "message": "stopped by Ctrl-C", "exit_code": INTERRUPTED}
    code = error.exit_code if isinstance(error, RawChatError) else 71
    return {"status": "refused", "reason": type(error).__name__, "message": str(error), "exit_code": code}


def farewell(ended: BatchRun) -> List[str]:
    """How it ended and what can be done next, for people."""
    lines = []
    if ended.message:
        lines.append(f"rawchat: {ended.message}")
    figures = [f"{ended.done:,} done", f"{ended.failed:,} failed"] + ([f"{ended.left:,} left"] if ended.left else [])
    cost = f"${ended.total_cost_usd:.6f}" + (f" and {ended.unpriced:,} unpriced calls" if ended.unpriced else "")
    lines.append(f"{ended.rows:,} rows: {', '.join(figures)}; {cost}; {span(ended.elapsed_s)}")
    if ended.left:
        lines.append("run the same command again to go on")
    if ended.failed:
        lines.append("with --retry-errors, the failed rows are sent again")
    return lines


class ProgressLine:
    """Tells a run's progress: on a terminal in one line that stays in its place, in a log with a line now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = is_terminal(out)
        self._shown = ""
        self._next_s = FIRST_LINE_S
        self._told_stopping = False

    def __call__(self, progress: Progress) -> None:
        if progress.stopping and progress.running and not self._told_stopping:
            self._told_stopping = True
            self.end()
            say(f"stopping: waiting for the rows that are running ({progress.running}); Ctrl-C leaves them")
        if self._terminal:
            # One column less than there are: a full line would wrap on some terminals.
            self._show(progress_line(progress, terminal_columns(self._out) - 1))
        elif progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + NEXT_LINE_S
            say(f"rawchat: {log_line(progress)}")

    def end(self) -> None:
        """Leave the line standing, and go to the next."""
        if self._shown:
            self._out.write("\n")
            self._out.flush()
        self._shown = ""

    def _show(self, text: str) -> None:
        """Over the old line, in one write, and without clearing it first: so it does not flicker."""
        if text != self._shown:
            self._out.write("\r" + text + " " * (len(self._shown) - len(text)))
            self._out.flush()
            self._shown = text


def _fields(progress: Progress) -> List[Tuple[int, str]]:
    """(which to leave out first where room is short: the highest; the text)"""
    fields = [(0, f"{progress.done + progress.failed:,}/{progress.rows:,}")]
    if progress.failed:
        fields.append((1, f"{progress.failed:,} failed"))
    digits = ",.0f" if progress.per_second >= 1000 else ".3g"
    fields.append((4, f"{progress.per_second:{digits}}/s"))
    fields.append((3, f"${progress.cost_usd:.2f}"))
    if progress.left_s is not None and progress.done + progress.failed < progress.rows:
        fields.append((2, f"{span(progress.left_s)} left"))
    return fields


def progress_line(progress: Progress, columns: int) -> str:
    """`1,234/10,000 3 failed 52/s $0.12 2m48s left`, without what does not fit."""
    fields = _fields(progress)
    while len(fields) > 1 and sum(len(text) + 1 for _, text in fields) - 1 > columns:
        fields.remove(max(fields))
    return " ".join(text for _, text in fields)[: max(columns, 0)]


def log_line(progress: Progress) -> str:
    first, *others = (text for _, text in _fields(progress))
    return ", ".join([f"{first.replace('/', ' of ')} rows", *others])


def span(seconds: float) -> str:
    """`12s`, `2m48s`, `3h02m`, `2d04h`: the two largest units."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days}d{h:02d}h"
    if hours:
        return f"{h}h{m:02d}m"
    return f"{m}m{s:02d}s" if minutes else f"{s}s"


# ---- the provider's Batch API

NOT_YET = 75  # EX_TEMPFAIL: the batch has not ended; try later
BATCH_FAILED = 65  # EX_DATAERR: the provider refused the file


def add_submit_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="the requests, one JSON object a line; checked before it is sent")


def submit(options: argparse.Namespace, opened_client: OpenedClient) -> int:
    with opened_client(options) as client:
        return _told(batch_api.submit(client, options.input))


def add_status_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("batch_id", metavar="BATCH", nargs="?", help="the batch's id (default: list the newest)")
    parser.add_argument("--wait", action="store_true", help="look again until it has ended")


def status(options: argparse.Namespace, opened_client: OpenedClient) -> int:
    with opened_client(options) as client:
        if options.batch_id is None:
            for batch in batch_api.recent(client)["data"]:
                _told(batch)
            return 0
        return _told(_looked_at(client, options))


def add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("batch_id", metavar="BATCH", help="the batch's id")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="a new file for answers and errors")
    parser.add_argument("--wait", action="store_true", help="wait until the batch has ended")


def fetch(options: argparse.Namespace, opened_client: OpenedClient) -> int:
    with opened_client(options) as client:
        batch = _looked_at(client, options)
        code = _told(batch)
        if batch.get("status") not in batch_api.ENDED:
            say("rawchat: it has not ended; try later, or with --wait")
            return NOT_YET
        if batch["status"] == "failed":  # before it began: there is nothing to fetch
            return code
        written = batch_api.fetch(client, batch, options.output)
        say(f"{options.output}: {written:,} bytes")
        return code


def add_cancel_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("batch_id", metavar="BATCH", help="the batch's id")


def cancel(options: argparse.Namespace, opened_client: OpenedClient) -> int:
    with opened_client(options) as client:
        return _told(batch_api.cancel(client, options.batch_id))


def _looked_at(client: Client, options: argparse.Namespace) -> Mapping[str, Any]:
    if options.wait:
        return batch_api.wait_for(client, options.batch_id, told=lambda batch: say(described(batch)))
    return batch_api.retrieve(client, options.batch_id)


def described(batch: Mapping[str, Any]) -> str:
    """`batch_1: in_progress, 4 of 9 done, 1 failed`."""
    counts = batch.get("request_counts") or {}
    text = f"{batch.get('id')}: {batch.get('status')}"
    if counts.get("total"):
        text += f", {counts.get('completed') or 0:,} of {counts['total']:,} done"
    return text + (f", {counts['failed']:,} failed" if counts.get("failed") else "")


def _told(batch: Mapping[str, Any]) -> int:
    """Tell of a batch: to people on stderr, to programs as JSON on stdout. The exit code for its state."""
    say(described(batch))
    for line in batch_api.problems_of(batch):
        say(f"  {line}")
    print(json.dumps(batch))
    if batch.get("status") == "failed":
        return BATCH_FAILED
    return SOME_FAILED if (batch.get("request_counts") or {}).get("failed") else 0


# ---- the words after `rawchat batch`


class Action(NamedTuple):
    help: str
    epilog: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, OpenedClient], int]


ACTIONS: Dict[str, Action] = {
    "run": Action("answer a file of requests from here, many at once; resumable", EPILOG, add_run_arguments, run),
    "submit": Action("give a file of requests to the provider's Batch API", "", add_submit_arguments, submit),
    "status": Action("how far a batch of the provider's is, or the newest ones", "", add_status_arguments, status),
    "fetch": Action("write the answers and errors of a provider's batch to OUT", "", add_fetch_arguments, fetch),
    "cancel": Action("end a batch of the provider's; what is done is kept", "", add_cancel_arguments, cancel),
}


def add_actions(
    parser: argparse.ArgumentParser, add_server_arguments: Callable[[argparse.ArgumentParser], None]
) -> None:
    words = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True, help="what to do")
    for name, action in ACTIONS.items():
        own = words.add_parser(
            name,
            help=action.help,
            description=action.help[:1].upper() + action.help[1:] + ".",
            epilog=action.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_arguments(own)
        add_server_arguments(own)


def run_action(options: argparse.Namespace, opened_client: OpenedClient) -> int:
    """What stands after `rawchat batch`. Returns the exit code."""
    return ACTIONS[options.action].run(options, opened_client)
