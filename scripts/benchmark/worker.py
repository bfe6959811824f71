"""Measures one way, in a process of its own. Started by run.py:

    worker(SCRIPTS, HOUSE_OF_RAWCHAT, MEASURE, WAY, BASE_URL, AMOUNT, CHARACTERS, CHECKSUM)

    -> ready
    <- a line                   one round, please
    -> 412.7                    what it took, in the row's unit

or, in place of either answer, `absent` and why.

A figure counts only if the text that came is the text that was sent. Before it is ready only `sys` and `time` are
loaded, so that what a library loads is seen as the library's.
"""

from __future__ import annotations

import sys
import time

from . import ways

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List

WARM_CALLS = 30
SETTLED_CHUNKS = 1000  # over so many the lowest is taken: what one read brings comes and goes


class Wrong(Exception):
    """Something else was read than was sent."""


class Task:
    """What is asked for, and the check of what came."""

    def __init__(self, way: str, base_url: str, amount: int, characters: int, checksum: int) -> None:
        self.way = way
        self.base_url = base_url
        self.amount = amount
        self.characters = characters
        self.checksum = checksum

    def open(self) -> ways.Way:
        return ways.WAYS[self.way](self.base_url)

    def check(self, text: str) -> None:
        import zlib

        if (len(text), zlib.crc32(text.encode())) != (self.characters, self.checksum):
            raise Wrong(
                f"{self.way} read {len(text)} characters, not the {self.characters} that were sent: {text[-80:]!r}"
            )

    def check_count(self, pieces: int, expected: int) -> None:
        if pieces != expected:
            raise Wrong(f"{self.way} read {pieces} pieces of text, not {expected}")


# ---- measures: each prepares, and gives back what one round is


def import_cpu(task: Task) -> Callable[[], float]:
    """CPU from before the import to after it: a whole process less what an empty one needs."""
    statement = compile(ways.IMPORTS[task.way], "import", "exec")

    def once() -> float:
        began_s = time.process_time()
        exec(statement, {})
        return (time.process_time() - began_s) * 1e3

    return once


def first_answer_wall(task: Task) -> Callable[[], float]:
    def once() -> float:
        began_s = time.perf_counter()
        text = task.open().call()
        took_s = time.perf_counter() - began_s
        task.check(text)
        return took_s * 1e3

    return once


def memory_after_one_call(task: Task) -> Callable[[], float]:
    def once() -> float:
        way = task.open()
        text = way.call()
        most_bytes = most_memory_bytes()
        task.check(text)
        return most_bytes / 1e6

    return once


def most_memory_bytes() -> int:
    """Of this program. On Linux `ru_maxrss` begins at what the starting process had, so the kernel's line is read."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass  # not Linux
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def call_cpu(task: Task) -> Callable[[], float]:
    way = task.open()
    for _ in range(WARM_CALLS):
        task.check(way.call())

    def once() -> float:
        began_s = time.process_time()
        for _ in range(task.amount):
            text = way.call()
        took_s = time.process_time() - began_s
        task.check(text)
        return took_s / task.amount * 1e6

    return once


def chunk_cpu(task: Task) -> Callable[[], float]:
    way = task.open()

    def once() -> float:
        texts: List[str] = []
        began_s = time.process_time()
        for text in way.stream():
            texts.append(text)  # noqa: PERF402
        took_s = time.process_time() - began_s
        task.check("".join(texts))
        return took_s / task.amount * 1e6

    return once


def chunk_delay(task: Task) -> Callable[[], float]:
    """From the server's write to the loop that asked for the text; the first chunks meet a stream still warming up."""
    way = task.open()

    def once() -> float:
        delays_ns: List[int] = []
        for text in way.stream():
            delays_ns.append(time.monotonic_ns() - int(text))  # noqa: PERF401
        task.check_count(len(delays_ns), task.amount)
        settled = sorted(delays_ns[10:])
        return settled[len(settled) // 2] / 1e6

    return once


def streams_wall(task: Task) -> Callable[[], float]:
    """Warm code, new connections."""

    def once() -> float:
        way = task.open()
        began_s = time.perf_counter()
        pieces = way.at_once(task.amount)
        took_s = time.perf_counter() - began_s
        task.check_count(pieces, task.characters)
        return took_s

    return once


def growth(task: Task) -> Callable[[], float]:
    """Python's memory from the first chunks to the last, less the text where it is kept."""
    import tracemalloc

    way = task.open()
    task.check("".join(way.stream()))  # loads what a first stream loads

    def once() -> float:
        tracemalloc.start()
        first_bytes = last_bytes = sys.maxsize  # two numbers and no lists, which would be seen as growth
        number = 0
        for _ in way.stream():
            number += 1
            if number <= SETTLED_CHUNKS:
                first_bytes = min(first_bytes, tracemalloc.get_traced_memory()[0])
            elif number > task.amount - SETTLED_CHUNKS:
                last_bytes = min(last_bytes, tracemalloc.get_traced_memory()[0])
        grown_bytes = last_bytes - first_bytes
        tracemalloc.stop()
        task.check_count(number, task.amount)
        return (grown_bytes - sys.getsizeof(way.kept_text())) / 1e3

    return once


def connections(task: Task) -> Callable[[], float]:
    way = task.open()

    def once() -> float:
        before = connections_so_far(task.base_url)
        for _ in range(task.amount):
            task.check("".join(way.stream()))
        return connections_so_far(task.base_url) - before

    return once


def connections_so_far(base_url: str) -> int:
    import socket

    host, _, port = base_url.split("/")[2].partition(":")
    with socket.create_connection((host, int(port))) as connected, connected.makefile("rb") as answer:
        connected.sendall(b"GET /count HTTP/1.1\r\nHost: x\r\n\r\n")
        return int(answer.read().rpartition(b"\r\n\r\n")[2])


MEASURES = {
    "import_cpu": import_cpu,
    "first_answer_wall": first_answer_wall,
    "memory_after_one_call": memory_after_one_call,
    "call_cpu": call_cpu,
    "chunk_cpu": chunk_cpu,
    "chunk_delay": chunk_delay,
    "streams_wall": streams_wall,
    "growth": growth,
    "connections": connections,
}


def main(arguments: List[str]) -> None:
    scripts, house, measure, way, base_url, *numbers = arguments
    sys.path.remove(scripts)
    sys.path.insert(0, house)
    task = Task(way, base_url, *map(int, numbers))
    try:
        once = MEASURES[measure](task)
        print("ready", flush=True)
        for _ in sys.stdin:
            print(repr(float(once())), flush=True)
    except (ImportError, ways.Absent) as error:
        print("absent", str(error).partition("\n")[0], flush=True)
