"""The stub server: answers POSTs on loopback with bytes made beforehand, in a process of its own.

    POST /whole/v1/chat/completions             one JSON answer
    POST /chunked/v1/chat/completions           20,000 chunks at once; /to-the-close/ the same without HTTP chunks
    POST /obfuscated/v1/chat/completions        the same with a padding of its own in every chunk
    POST /paced-chunked/v1/chat/completions     a chunk each 3 ms, its text the time of sending; /paced-to-the-close/
    POST /ticked/v1/chat/completions            100 chunks, one each 5 ms, from one clock for all streams
    POST /short/v1/chat/completions             five chunks
    GET  /count                                 how many connections have carried a POST so far

Prints its port. It parses no more of HTTP than it must, reads no JSON, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Callable, Dict, List, Optional

from . import answers
from .rows import CHUNKS, PACE_S, PACED_CHUNKS, STREAMS_IN_TURN, TICK_S, TICKED_CHUNKS

BACKLOG = 1024


def slug(variant: str) -> str:
    """A variant as the first part of a path: `paced, to the close` -> `paced-to-the-close`."""
    return variant.replace(",", "").replace(" ", "-")


class Stub:
    """The answers, and what is counted."""

    def __init__(self) -> None:
        long = answers.events(CHUNKS)
        self.ready: Dict[str, bytes] = {
            "whole": answers.whole(),
            "chunked": b"".join(answers.framed(long, chunked=True)),
            "to-the-close": b"".join(answers.framed(long, chunked=False)),
            "obfuscated": b"".join(answers.framed(answers.obfuscated(long), chunked=True)),
            "short": b"".join(answers.framed(answers.events(STREAMS_IN_TURN), chunked=True)),
        }
        self.slow: Dict[str, Callable[[Connection], None]] = {
            "paced-chunked": lambda connection: Paced(connection, chunked=True).begin(),
            "paced-to-the-close": lambda connection: Paced(connection, chunked=False).begin(),
            "ticked": lambda connection: self.ticker.add(connection),
        }
        self.ticker = Ticker()
        self.connections = 0

    def answer(self, connection: Connection, target: str) -> None:
        name = target.split("/")[1]
        if name in self.slow:
            self.slow[name](connection)
        elif name == "count":
            body = str(self.connections).encode()
            connection.send(answers.head("text/plain", f"Content-Length: {len(body)}", connection="close") + body)
            connection.close()
        else:
            connection.send(self.ready[name])
            if name == "to-the-close":
                connection.close()


class Connection(asyncio.Protocol):
    """Takes requests apart: a head, and a body of the length it names."""

    transport: asyncio.Transport

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.received = b""
        self.counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while True:
            head, blank, rest = self.received.partition(b"\r\n\r\n")
            length = content_length(head)
            if not blank or len(rest) < length:
                return
            self.received = rest[length:]
            method, target = head.split(b" ", 2)[:2]
            if method == b"POST" and not self.counted:
                self.counted = True
                self.stub.connections += 1
            self.stub.answer(self, target.decode())

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    def close(self) -> None:
        self.transport.close()

    @property
    def closing(self) -> bool:
        return self.transport.is_closing()


def content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


class Paced:
    """A stream whose chunks say when they were sent: nanoseconds of the monotonic clock, which all processes share."""

    def __init__(self, connection: Connection, *, chunked: bool) -> None:
        self.connection = connection
        self.chunked = chunked
        self.left = PACED_CHUNKS
        marked = answers.chunk(answers.choice({"content": "@"}))
        self.before, _, self.after = marked.partition(b"@")

    def begin(self) -> None:
        self.connection.send(answers.CHUNKED_HEAD if self.chunked else answers.CLOSING_HEAD)
        self.send(answers.opening())
        asyncio.get_running_loop().call_later(PACE_S, self.next)

    def next(self) -> None:
        if self.connection.closing:
            return
        self.send(self.before + b"%d" % time.monotonic_ns() + self.after)
        self.left -= 1
        asyncio.get_running_loop().call_later(PACE_S, self.next if self.left else self.end)

    def end(self) -> None:
        for event in answers.closing():
            self.send(event)
        if self.chunked:
            self.connection.send(answers.LAST_HTTP_CHUNK)
        else:
            self.connection.close()

    def send(self, event: bytes) -> None:
        self.connection.send(answers.http_chunk(event) if self.chunked else event)


class Ticker:
    """Many streams by one clock: at each tick every stream gets its next chunk."""

    def __init__(self) -> None:
        self.left: Dict[Connection, int] = {}
        self.chunk = answers.http_chunk(answers.chunk(answers.choice({"content": " word"})))
        last: List[bytes] = [answers.http_chunk(event) for event in answers.closing()]
        self.last = b"".join([*last, answers.LAST_HTTP_CHUNK])

    def add(self, connection: Connection) -> None:
        connection.send(answers.CHUNKED_HEAD + answers.http_chunk(answers.opening()))
        if not self.left:
            asyncio.get_running_loop().call_later(TICK_S, self.tick, asyncio.get_running_loop().time() + TICK_S)
        self.left[connection] = TICKED_CHUNKS

    def tick(self, due_s: float) -> None:
        for connection, left in list(self.left.items()):
            connection.send(self.chunk if left else self.last)
            self.left[connection] = left - 1
            if not left or connection.closing:
                del self.left[connection]
        loop = asyncio.get_running_loop()
        if self.left:
            due_s = max(due_s + TICK_S, loop.time())  # late ticks are not made up for: the streams would come in bursts
            loop.call_at(due_s, self.tick, due_s)


async def serve() -> None:
    stub = Stub()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stub), "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    over: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sys.stdin.fileno(), lambda: ended(over))
    await over
    server.close()


def ended(over: asyncio.Future[None]) -> None:
    if not os.read(sys.stdin.fileno(), 1024) and not over.done():
        over.set_result(None)


def main(_: Optional[List[str]] = None) -> None:
    asyncio.run(serve())
