"""What the tests of all doors share: the doors, a server over real loopback sockets, answers in bytes, ways to call.

A server here plays steps: bytes to send, an Event to wait for, or one of the words below. It works in threads, keeps
what it got, and never sleeps: whatever must happen in order is synchronised by events.
"""

import asyncio
import importlib.util
import re
import select
import socket
import ssl
import struct
import threading
import zlib

import pytest

from . import module

base = module("transport.base")
wire = module("protocol.wire")
errors = module("protocol.errors")
AsyncioTransport = module("transport.asyncio_transport").AsyncioTransport

CLOSE = "close"  # close the connection
RESET = "reset"  # break it off with RST
HOLD = "hold"  # say nothing more until the test is over
PATIENCE_S = 10  # the most that any step waits before the test fails

# A throw-away certificate for 127.0.0.1 and localhost, valid until 2120. Its key protects nothing.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgq/TKqIlW6rZh77jG
dvFNFuxlB9GaAtDo4kmIwZLJ+W+hRANCAASXAKmPH9SctVRoZWZr99D/u44gaf8B
FkYA3TZODOemrdQFYM01B8QtJ26yC9oKsv5tFP+9AOC7ceC4Eb7MtUNV
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1sb29wYmFj
ayB0ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD
VQQDDA1sb29wYmFjayB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElwCp
jx/UnLVUaGVma/fQ/7uOIGn/ARZGAN02Tgznpq3UBWDNNQfELSdusgvaCrL+bRT/
vQDgu3HguBG+zLVDVaNeMFwwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxob3N0MA8G
A1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgKEMB0GA1UdDgQWBBRFMGghV4Ko
mQ40PsrwZBy+SxPlZjAKBggqhkjOPQQDAgNHADBEAiAgIOfbb4D90NpdeRbS79LC
bPL/u07Kw5qEzefEJJ6E8QIgTccNEkVuOhxd5F/RR977/bhNHwrr4yrEXSAij2z+
8K0=
-----END CERTIFICATE-----
"""


class RawServer:
    """`with RawServer(play, play) as server:` each play, a list of steps, meets one request, on any connection."""

    def __init__(self, *plays, tls=None):
        self.plays = list(plays)
        self.requests = []
        self.connections = 0
        self.hung_up = threading.Event()  # a client closed a connection
        self._tls = tls
        self._over = threading.Event()
        self._threads = []
        self._open = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1/chat/completions"

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._over.set()
        with self._lock:
            for connection in self._open:
                _shut(connection)
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes `accept`
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            if self._over.is_set():
                connection.close()
                return
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection):
        with self._lock:
            self._open.append(connection)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.append(connection)
            self._talk(connection)
        except OSError:
            self.hung_up.set()  # the client has left
        finally:
            connection.close()

    def _talk(self, connection):
        while True:
            request = read_request(connection)
            if not request:
                self.hung_up.set()
                return
            with self._lock:
                self.requests.append(request)
                play = self.plays.pop(0)
            for step in play:
                if step is CLOSE:
                    return
                if step is RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if step is HOLD:
                    connection.recv(1)  # the client's hanging up, or the end of the test
                    self.hung_up.set()
                    return
                if isinstance(step, bytes):
                    connection.sendall(step)
                else:
                    assert step.wait(PATIENCE_S)


def _shut(connection):
    try:
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already


def read_request(connection):
    data = b""
    while True:
        head, blank, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if blank and len(body) >= (int(length.group(1)) if length else 0):
            return data
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece


# Building answers.


def head(*headers, status="200 OK", version="1.1"):
    return f"HTTP/{version} {status}\r\n{''.join(line + chr(13) + chr(10) for line in headers)}\r\n".encode("latin-1")


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def plain(body=b"{}", *headers, status="200 OK"):
    """A whole answer with a Content-Length."""
    return [head(f"Content-Length: {len(body)}", *headers, status=status) + body]


def flushed(pieces, wbits):
    """Each piece compressed and flushed, so that it can be decoded at once; and the end of the compressed stream."""
    compressor = zlib.compressobj(wbits=wbits)
    return [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces] + [compressor.flush()]


PIECES = [b"data: one\n\n", "data: zw\u00f6lf\n\n".encode(), b"data: [DONE]\n\n"]
BODY = b"".join(PIECES)
GZIP, ZLIB, DEFLATE = 31, 15, -15


FRAMINGS = ("sized", "chunked", "closed", "http/1.0")
CODINGS = {
    "plain": (None, ()),
    "gzip": (GZIP, ("Content-Encoding: gzip",)),
    "deflate": (DEFLATE, ("Content-Encoding: deflate",)),
    "zlib": (ZLIB, ("Content-Encoding: deflate",)),
}


def parts(framing, coding="plain", pieces=PIECES):
    """(head, what to send for each piece, what to send at the end) of an answer."""
    wbits, headers = CODINGS[coding]
    *encoded, rest = flushed(pieces, wbits) if wbits else [*pieces, b""]
    if framing == "sized":
        return head(f"Content-Length: {sum(map(len, encoded)) + len(rest)}", *headers), encoded, [rest]
    if framing == "chunked":
        last = (chunk(rest) if rest else b"") + b"0\r\n\r\n"
        return head("Transfer-Encoding: chunked", *headers), [chunk(piece) for piece in encoded], [last]
    return head(*headers, version="1.0" if framing == "http/1.0" else "1.1"), encoded, [rest, CLOSE]


def framed(framing, coding="plain", pieces=PIECES):
    first, encoded, rest = parts(framing, coding, pieces)
    return [first, *encoded, *rest]


# A proxy, and a port where nobody listens.


class Proxy(RawServer):
    """Takes absolute-form requests itself, and relays what comes after CONNECT; to it, api.example is this machine."""

    def __init__(self, *plays, refuses=False, tls=None):
        super().__init__(*plays, tls=tls)
        self.refuses = refuses

    def _talk(self, connection):
        request = read_request(connection)
        self.requests.append(request)
        if not request.startswith(b"CONNECT "):
            for step in self.plays.pop(0):
                connection.sendall(step)
            return
        if self.refuses:
            connection.sendall(head(status="407 Proxy Authentication Required"))
            return
        host, _, port = request.split()[1].decode().partition(":")
        with socket.create_connection((host.replace("api.example", "127.0.0.1"), int(port)), PATIENCE_S) as far:
            connection.sendall(head(status="200 Connection established"))
            relay(connection, far)


def relay(near, far):
    """Both ways, until one side leaves. In one thread: two may not use one TLS connection at the same time."""
    while True:
        decrypted = near.pending() if isinstance(near, ssl.SSLSocket) else 0
        for source in [near] if decrypted else select.select([near, far], [], [], PATIENCE_S)[0]:
            data = source.recv(65536)
            if not data:
                return
            (far if source is near else near).sendall(data)


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


# The doors.


class Facade(base.Transport):
    """The async door as a sync one: a thread runs its loop. `inner` is the door."""

    name = "asyncio"

    def __init__(self, **options):
        self.inner = AsyncioTransport(**options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    def call(self, function, *arguments):
        async def called():
            return function(*arguments)

        return self.run(called())

    def send(self, request, *, connect_timeout_s, read_timeout_s):
        sending = self.inner.send(request, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)
        return FacadeResponse(self, self.run(sending))

    def close(self):
        if self._loop.is_closed():
            return
        self.run(self.inner.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


class FacadeResponse(base.Response):
    def __init__(self, door, inner):
        self.head = inner.head
        self._door, self._inner = door, inner

    def read_some(self):
        return self._door.run(self._inner.read_some())

    def set_read_timeout(self, seconds):
        self._door.call(self._inner.set_read_timeout, seconds)

    def drain(self, limit_s):
        return self._door.run(self._inner.drain(limit_s))

    def cancel(self):
        self._door.call(self._inner.cancel)

    def close(self):
        self._door.call(self._inner.close)


StdlibTransport = module("transport.stdlib_transport").StdlibTransport


class PlainDoor(StdlibTransport):
    """The standard library's door as it is in a copy without sockets: over http.client."""

    new_connection = module("transport.plain_connection").PlainConnection


SYNC_DOORS = {"stdlib": StdlibTransport, "plain": PlainDoor}
if importlib.util.find_spec("requests"):
    SYNC_DOORS["requests"] = module("transport.requests_transport").RequestsTransport
DOORS = {**SYNC_DOORS, "asyncio": Facade}

# For those that a copy without sockets has not.
all_but_plain = pytest.mark.parametrize("make_door", [name for name in DOORS if name != "plain"], indirect=True)


# Calling.


@pytest.fixture(params=DOORS)
def make_door(request):
    """A maker of doors, which are closed at the end."""
    made = []

    def make(**options):
        made.append(DOORS[request.param](**options))
        return made[-1]

    yield make
    for door in made:
        door.close()


@pytest.fixture
def door(make_door):
    return make_door()


def post(door, url, body=b"{}", headers=(("User-Agent", "test"),), connect_s=5.0, read_s=5.0):
    request = wire.Request("POST", url, tuple(headers), body)
    return door.send(request, connect_timeout_s=connect_s, read_timeout_s=read_s)


def read_all(response):
    """Every piece of a body, then the response is closed."""
    try:
        pieces = []
        while True:
            piece = response.read_some()
            if not piece:
                return pieces
            pieces.append(piece)
    finally:
        response.close()


def fails(kind, call, *arguments, **options):
    """The error that a call raises; it is of exactly this class."""
    with pytest.raises(errors.RawChatError) as caught:
        call(*arguments, **options)
    assert type(caught.value) is kind, repr(caught.value)
    return caught.value


@pytest.fixture
def certificate(tmp_path):
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE)
    return str(path)


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
