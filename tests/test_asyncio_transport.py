"""The async door: what is particular to it. What it has in common with the others is in test_doors.py."""

import asyncio
import gc
import sys
import threading

import pytest

from . import module
from .doors import (
    CLOSE,
    HOLD,
    PATIENCE_S,
    RawServer,
    fails,
    framed,
    head,
    plain,
    post,
)

errors = module("protocol.errors")
wire = module("protocol.wire")
AsyncioTransport = module("transport.asyncio_transport").AsyncioTransport


def awaited(body):
    """Decorator: a test whose body is awaited with a door of its own, which is closed at the end."""

    def test():
        async def main():
            door = AsyncioTransport()
            try:
                await body(door)
            finally:
                await door.aclose()

        asyncio.run(main())

    test.__doc__ = body.__doc__
    return test


def request_to(url, body=b"{}"):
    return wire.Request("POST", url, (), body)


async def send(door, url, **timeouts):
    return await door.send(request_to(url), **{"connect_timeout_s": 5, "read_timeout_s": 5, **timeouts})


async def read(response):
    pieces = []
    while True:
        piece = await response.read_some()
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


@awaited
async def test_cancelling_a_wait_for_the_head_closes_the_connection(door):
    """And the next call has one of its own."""
    with RawServer([HOLD], plain(b"1")) as server:
        sending = asyncio.ensure_future(send(door, server.url))
        while not server.requests:
            await asyncio.sleep(0.001)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)
        response = await send(door, server.url)
        assert response.head.reused is False and await read(response) == b"1"


def server_that_never_accepts():
    """Its queue is full, so that connecting to it waits: (address, what must be closed afterwards)."""
    import socket

    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        each = socket.socket()
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
        waiting.append(each)
    return listener.getsockname()[1], [listener, *waiting]


@awaited
async def test_connecting_takes_no_longer_than_allowed(door):
    """The message has the figure; the attempt is given up, and nothing of it is left."""
    port, sockets = server_that_never_accepts()
    try:
        with pytest.raises(errors.APITimeoutError, match=r"no connection to 127.0.0.1:\d+ within 0.03 s") as caught:
            await send(door, f"http://127.0.0.1:{port}/", connect_timeout_s=0.03)
        assert caught.value.phase == "connect"
        connecting = asyncio.ensure_future(send(door, f"http://127.0.0.1:{port}/", connect_timeout_s=None))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
    finally:
        for each in sockets:
            each.close()
    await asyncio.sleep(0)
    gc.collect()


@awaited
async def test_a_reader_that_falls_behind_stops_the_server(door):
    """What is not read waits with the server, but for about a megabyte; then all of it comes."""
    body = b"x" * 20_000_000
    with RawServer([head(f"Content-Length: {len(body)}") + body[:1000], body[1000:]]) as server:
        response = await send(door, server.url)
        held = response._connection
        for _ in range(200):
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        assert held._held_bytes < 2_000_000
        assert await read(response) == body


@awaited
async def test_an_idle_connection_that_speaks_is_dropped(door):
    """Bytes that nobody asked for are no answer to the next request."""
    late = threading.Event()
    with RawServer(
        [*plain(b"1"), late, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", HOLD], plain(b"2")
    ) as server:
        first = await send(door, server.url)
        assert await read(first) == b"1"
        late.set()
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)
        response = await send(door, server.url)
        assert response.head.reused is False and await read(response) == b"2"


@awaited
async def test_surplus_connections_are_not_kept(door):
    """No more idle ones than `pool_size`."""
    small = AsyncioTransport(pool_size=1)
    with RawServer(*[plain(b"1")] * 4) as server:
        responses = [await send(small, server.url) for _ in range(3)]
        assert [await read(response) for response in responses] == [b"1"] * 3
        assert (await send(small, server.url)).head.reused is True
        assert server.connections == 3
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)
    await small.aclose()


@awaited
async def test_answers_that_are_read_after_the_door_is_closed(door):
    """`aclose` ends what is idle; what is being read goes on, and is not kept."""
    first, *rest = framed("chunked")
    with RawServer([first, *rest]) as server:
        response = await send(door, server.url)
        await door.aclose()
        assert (await read(response)).endswith(b"[DONE]\n\n")
        assert await asyncio.get_running_loop().run_in_executor(None, server.hung_up.wait, PATIENCE_S)


@awaited
async def test_sleep_can_be_woken(door):
    """`wake` ends the wait; without it the wait is as long as it says."""
    wake = asyncio.Event()
    sleeping = asyncio.ensure_future(door.sleep(600, wake))
    await asyncio.sleep(0)
    wake.set()
    await asyncio.wait_for(sleeping, PATIENCE_S)
    await door.sleep(0.0)
    await door.sleep(0.001, asyncio.Event())


def test_a_loop_that_ends_leaves_no_connection_open():
    """Nobody closed the door: `asyncio.run` closes what is idle. A connection left open would warn, which is an error."""
    door = AsyncioTransport()
    with RawServer(plain(b"1"), plain(b"2")) as server:

        async def ask():
            response = await send(door, server.url)
            return response.head.reused, await read(response)

        assert asyncio.run(ask()) == (False, b"1")
        assert server.hung_up.wait(PATIENCE_S)
        assert asyncio.run(ask()) == (False, b"2")
        gc.collect()


def test_several_addresses_none_of_which_answers():
    """A connection error with the system's words, not a local mistake."""

    async def main():
        loop = asyncio.get_running_loop()

        async def create_connection(*_, **__):
            raise OSError("Multiple exceptions: [Errno 111] one, [Errno 101] two")

        loop.create_connection = create_connection
        with pytest.raises(errors.APIConnectionError, match="cannot connect to localhost:9: Multiple") as caught:
            await send(AsyncioTransport(), "http://localhost:9/")
        assert caught.value.phase == "connect"

    asyncio.run(main())


@pytest.mark.parametrize("make_door", ["asyncio"], indirect=True)
def test_a_proxy_over_tls(make_door, tls, certificate):
    """CONNECT goes out encrypted. TLS inside TLS came with Python 3.11; before, the error says so."""
    with RawServer([head(), CLOSE], tls=tls) as proxy:
        door = make_door(proxies={"https": f"https://127.0.0.1:{proxy.port}"}, verify=certificate)
        error = fails(errors.APIConnectionError, post, door, "https://localhost:9/")
    assert error.phase == "connect"
    if sys.version_info >= (3, 11):
        assert proxy.requests == [b"CONNECT localhost:9 HTTP/1.1\r\nHost: localhost:9\r\n\r\n"]
    assert ("need Python 3.11" in str(error)) == (sys.version_info < (3, 11))
