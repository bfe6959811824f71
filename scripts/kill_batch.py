#!/usr/bin/env python3
"""Kills a bulk run again and again, and counts what that cost: rows lost, and rows paid for twice. Both must be 0.

    scripts/kill_batch.py                        50 kills (SIGKILL) at random instants over one job of 400 rows
    scripts/kill_batch.py --kills 5 --rows 60    a smaller one, as the suite runs it
    scripts/kill_batch.py --seed 7               another choice of instants

A server on this machine counts the requests for each row, and answers each after a random while with a long text. A row
whose line stands whole in OUT when the program is killed must stand there ever after, and must not be asked for again.
(A row that was under way is asked for again: no client can know what became of it.) Standard library only; POSIX.
"""

import argparse
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Set

TOP = Path(__file__).resolve().parent.parent
WORKERS = 4
LONGEST_ANSWER_S = 0.08
TEXT = "All work and no play makes Jack a dull boy. " * 500  # 22 kB: a line that takes several pages


class Outcome(NamedTuple):
    rows: int
    kills: int
    torn: int  # kills that left a torn last line
    lost: int
    paid_twice: int
    asked_again: int  # requests beyond one a row, for rows that were under way when a kill came
    in_order: bool


class CountingServer:
    """Answers every chat completion, and counts them by the text of the question, which is the row's custom_id."""

    def __init__(self, seed: int) -> None:
        self.asked: Counter[str] = Counter()
        dice, lock = random.Random(seed), threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    server.asked[document["messages"][0]["content"]] += 1
                    pause_s = dice.random() * LONGEST_ANSWER_S
                time.sleep(pause_s)
                body = json.dumps(_completion()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a killed client takes its connections along

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "CountingServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _completion() -> Dict[str, Any]:
    message = {"role": "assistant", "content": TEXT}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10},
    }


def whole_ids(path: Path) -> List[str]:
    """custom_ids of the lines that end; a torn last one does not count."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line)["custom_id"] for line in lines]


def write_input(path: Path, rows: int) -> List[str]:
    ids = [f"row-{number}" for number in range(rows)]
    with path.open("w", encoding="utf-8") as file:
        for custom_id in ids:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": custom_id}]}
            row = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(row) + "\n")
    return ids


def kill_again_and_again(name: str, place: str, folder: Path, *, kills: int, rows: int, seed: int) -> Outcome:
    """One job, killed `kills` times and then left to end. `name` is the package to run, `place` the path it is on."""
    dice = random.Random(seed)
    ids = write_input(folder / "in.jsonl", rows)
    out = folder / "out.jsonl"
    written: Set[str] = set()
    asked_by_then: Dict[str, int] = {}
    lost = torn = 0
    with CountingServer(seed) as server:
        command = [sys.executable, "-m", name, "batch", "run", str(folder / "in.jsonl"), "-o", str(out)]
        command += ["--workers", str(WORKERS), "--base-url", server.url, "--ordered"]

        def start() -> "subprocess.Popen[bytes]":
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": place}, **quiet)

        for kill in range(kills):
            with start() as run:
                _wait_for_an_instant(dice, server, at_once=kill % 5 == 0)
                run.send_signal(signal.SIGKILL)
            torn += out.exists() and not out.read_bytes().endswith(b"\n") and out.stat().st_size > 0
            now = set(whole_ids(out))
            lost += len(written - now)
            for custom_id in now - written:
                asked_by_then[custom_id] = server.asked[custom_id]
            written |= now
        with start() as run:
            run.wait(300)
        if run.returncode != 0:
            raise SystemExit(f"the last run ended with {run.returncode}")
        asked = dict(server.asked)
    final = whole_ids(out)
    lost += len(set(ids) - set(final)) + len(final) - len(set(final))
    paid_twice = sum(asked[custom_id] > count for custom_id, count in asked_by_then.items())
    return Outcome(rows, kills, torn, lost, paid_twice, sum(asked.values()) - rows, final == ids)


def _wait_for_an_instant(dice: random.Random, server: CountingServer, *, at_once: bool) -> None:
    """Some kills come while the program starts; most once it is at work."""
    if not at_once:
        before = sum(server.asked.values())
        until_s = time.monotonic() + 30
        while sum(server.asked.values()) == before and time.monotonic() < until_s:
            time.sleep(0.002)
    time.sleep(dice.random() * (0.4 if at_once else 2 * LONGEST_ANSWER_S))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.pop("OPENAI_API_KEY", None)  # the server here wants none
    package = next(TOP.glob("*/protocol/__init__.py")).parent.parent
    with tempfile.TemporaryDirectory() as folder:
        name, place = package.name, str(package.parent)
        how = {"kills": options.kills, "rows": options.rows, "seed": options.seed}
        outcome = kill_again_and_again(name, place, Path(folder), **how)
    for name, value in outcome._asdict().items():
        print(f"{name.replace('_', ' '):<12}{value}")
    return 1 if outcome.lost or outcome.paid_twice or not outcome.in_order else 0


if __name__ == "__main__":
    sys.exit(main())
