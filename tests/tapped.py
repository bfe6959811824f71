"""What the tests of the tap share: a tap with its records kept, a raw client, and what a recording says was on the wire."""

import contextlib
import socket
import time

from . import module

cassette = module("lab.cassette")
exchange_module = module("lab.exchange")
tap_module = module("lab.tap")

PATIENCE_S = 10


class Records(list):
    """A sink that keeps all records; `exchanges` are made of them."""

    def __call__(self, record):
        self.append(record)

    @property
    def exchanges(self):
        found = {}
        for record in list(self):
            if record["event"] == "request":
                found[record["id"]] = exchange_module.Exchange(record["id"])
            if "id" in record:
                found[record["id"]].apply(record)
        return list(found.values())

    def wait_for(self, event, count=1):
        """Until so many records of a kind are there: the relay records after it has sent."""
        until_s = time.monotonic() + PATIENCE_S
        while sum(record["event"] == event for record in list(self)) < count:
            assert time.monotonic() < until_s, f"no {count} records of {event!r}: {list(self)}"
            time.sleep(0.002)
        return self.exchanges


@contextlib.contextmanager
def tapped(to, **settings):
    """(tap, its records). When it is over, everything is on record."""
    records = Records()
    with tap_module.Tap(to, sinks=[records, *settings.pop("sinks", ())], **settings) as tap:
        yield tap, records


class RawClient:
    """One connection: sends bytes, and reads until so many have come, or the connection ends."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.ended = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)
        return self

    def more(self):
        try:
            piece = self._socket.recv(65536)
        except ConnectionResetError:
            self.ended = "reset"
            return False
        self.data += piece
        self.ended = "" if piece else "eof"
        return bool(piece)

    def read(self, size_bytes):
        """Until there are as many; an end before that is told by `ended`."""
        while len(self.data) < size_bytes and self.more():
            pass
        return self

    def until(self, mark):
        while mark not in self.data and self.more():
            pass
        assert mark in self.data, self.data
        return self

    def to_the_end(self):
        while self.more():
            pass
        return self


def ask(port, request, size_bytes=None):
    """(all bytes, how it ended) of one request; without a size, up to the end of the connection."""
    with RawClient(port) as client:
        client.send(request)
        client.to_the_end() if size_bytes is None else client.read(size_bytes)
        return client.data, client.ended


def recorded_bytes(exchange):
    """The answer as the recording has it: interim heads, head, and every read."""
    heads = [head for _, head in exchange.interim] + ([exchange.head] if exchange.head else [])
    start = b"".join(exchange_module.head_bytes(head) for head in heads)
    return start + b"".join(piece.data for piece in exchange.pieces)
