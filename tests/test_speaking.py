"""HTTP/1.1 spoken over a connection of one's own: what is said, and when what has come is handed out."""

import pytest

from . import module

http1 = module("transport.http1")
route = module("transport.route")
speaking = module("transport.speaking")
wire = module("protocol.wire")


def connection(*reads):
    """One that reads these bytes, and then its end."""
    made = speaking.SpokenConnection(None, http1.ResponseReader("POST"))
    coming = iter(reads)
    made.read = lambda: next(coming, b"")
    return made


def told(made):
    """The head's status, and each piece of the body; of an error its class."""
    found = []
    try:
        found.append(made.read_head().status)
        found += iter(made.read_piece, b"")
    except made.failures as error:
        found.append(type(error).__name__)
    return found


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
READS = [
    ("head and body in one", [SIZED + b"hello"], [200, b"hello"]),
    ("the head in two", [SIZED[:20], SIZED[20:] + b"hel", b"lo"], [200, b"hel", b"lo"]),
    ("an answer before the answer", [b"HTTP/1.1 103 Early Hints\r\n\r\n", SIZED, b"hello"], [200, b"hello"]),
    ("to the end of the connection", [b"HTTP/1.1 200 OK\r\n\r\na", b"b"], [200, b"a", b"b"]),
    ("chunks", [CHUNKED + b"1\r\na\r\n1\r\nb", b"\r\n0\r\n\r\n"], [200, b"ab"]),
    ("cut off in the head", [SIZED[:20]], ["BrokenHead"]),
    ("no answer", [], ["RemoteDisconnected"]),
    ("cut off in the body", [SIZED, b"hel"], [200, b"hel", "BrokenBody"]),
    ("what came before a break is handed out first", [CHUNKED + b"1\r\na\r\nzz\r\n"], [200, b"a", "BrokenBody"]),
]


@pytest.mark.parametrize("reads, expected", [each[1:] for each in READS], ids=[each[0] for each in READS])
def test_what_has_come_is_handed_out(reads, expected):
    assert told(connection(*reads)) == expected


def test_a_broken_answer_stays_broken():
    """Whoever reads on meets the same error, and no end."""
    made = connection(CHUNKED + b"1\r\na\r\nzz\r\n")
    assert told(made) == [200, b"a", "BrokenBody"]
    for _ in range(2):
        with pytest.raises(http1.BrokenBody):
            made.read_piece()


def test_the_bytes_of_a_request():
    """To the target itself, the path alone."""
    request = wire.Request("POST", "http://h:81/v1?a=b", (), b"{}")
    sent = speaking.request_bytes(request, {"X-A": "1"}, route.Route(route.Origin("http", "h", 81)))
    assert sent == b"POST /v1?a=b HTTP/1.1\r\nHost: h:81\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n{}"
