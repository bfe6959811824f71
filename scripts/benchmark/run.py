"""Starts the stub server and the workers, and goes round: A B C, A B C. Prints nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence

from .answers import expected, fingerprint
from .figures import Result, measured
from .rows import STREAMS_AT_ONCE, TICKED_CHUNKS, Row
from .server import slug

SCRIPTS = Path(__file__).resolve().parent.parent
PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from benchmark import {module}; {module}.main(sys.argv[1:])"
ROUND_LIMIT_S = 300  # a way that hangs ends the run, with its name
OUTSIDE = ("OPENAI_", "PYTHON", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA", "CURL_CA", "SSL_")


class Broken(Exception):
    """A server or a worker that gave no answer; what it said is on stderr."""


class Absent(Exception):
    """A way that cannot be gone here; its text is the reason."""


class Surroundings(NamedTuple):
    """What every row needs: a Python with the peers, a folder with rawchat in it, a server that runs."""

    python: Path
    house: Path
    port: int
    variables: Dict[str, str]


def child_variables() -> Dict[str, str]:
    """The environment without what would lead a client elsewhere: nothing is sent but over loopback."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(OUTSIDE)}


@contextlib.contextmanager
def surroundings(python: Path, package: Path) -> Iterator[Surroundings]:
    """`package` is copied, with its bytecode, as an installed package has it: nobody edits it between two rounds."""
    variables = child_variables()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        house = Path(folder)
        shutil.copytree(package, house / "rawchat", ignore=shutil.ignore_patterns("__pycache__"))
        compile_with(python, house, variables)
        with child(python, "server", [], variables) as server:
            yield Surroundings(python, house, int(answer_of(server, "the stub server")), variables)


def compile_with(python: Path, folder: Path, variables: Dict[str, str]) -> None:
    command = [str(python), "-I", "-m", "compileall", "-q", str(folder)]
    if subprocess.run(command, env=variables).returncode:
        raise Broken("the package to measure does not compile")


@contextlib.contextmanager
def child(
    python: Path, module: str, arguments: Sequence[str], variables: Dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """A module of this folder as a process that ends with its input; at once where something went wrong, or Ctrl-C."""
    command = [str(python), "-I", "-c", PROGRAM.format(module=module), str(SCRIPTS), *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=variables, start_new_session=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    finally:
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def answer_of(process: subprocess.Popen[str], name: str) -> str:
    """The next line it prints. Raises Broken."""
    assert process.stdout is not None
    watch = threading.Timer(ROUND_LIMIT_S, process.kill)
    watch.start()
    try:
        line = process.stdout.readline()
    finally:
        watch.cancel()
    if not line.endswith("\n"):
        raise Broken(f"{name} gave no answer")
    return line.strip()


class Worker:
    """One way of one row, in its process. Raises Absent where the way cannot be gone here."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self.process = process
        self.name = name
        self.answer()

    def round(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self.answer())

    def answer(self) -> str:
        answer = answer_of(self.process, self.name)
        word, _, reason = answer.partition(" ")
        if word == "absent":
            raise Absent(reason)
        return answer


def arguments_for(row: Row, variant: str, way: str, around: Surroundings) -> List[str]:
    """What worker.py takes. Where pieces are counted and not compared, the count stands in place of the characters."""
    characters, checksum = fingerprint(expected(variant))
    if variant == "ticked":
        characters = STREAMS_AT_ONCE * TICKED_CHUNKS
    base_url = f"http://127.0.0.1:{around.port}/{slug(variant)}/v1"
    return [str(around.house), row.measure, way, base_url, str(row.amount), str(characters), str(checksum)]


def measure(row: Row, variant: str, around: Surroundings, rounds: int) -> Result:
    """All rounds of one figure, after one that is not counted: files are read, pools filled, code is warm.

    A figure that needs one round only is a count, which no warming changes.
    """
    once: Dict[str, Callable[[], float]] = {}
    absent: Dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for way in row.ways:
            command = arguments_for(row, variant, way, around)
            try:
                once[way] = fresh_round(around, way, command) if row.fresh else kept_round(around, way, command, stack)
                if rounds > 1:
                    once[way]()
            except Absent as reason:
                absent[way] = str(reason)
                once.pop(way, None)
        values = measured(list(once), rounds, lambda way: once[way]())
    return Result(row, variant, values, absent)


def kept_round(around: Surroundings, way: str, command: List[str], stack: contextlib.ExitStack) -> Callable[[], float]:
    return Worker(stack.enter_context(child(around.python, "worker", command, around.variables)), way).round


def fresh_round(around: Surroundings, way: str, command: List[str]) -> Callable[[], float]:
    def once() -> float:
        with child(around.python, "worker", command, around.variables) as process:
            return Worker(process, way).round()

    return once
