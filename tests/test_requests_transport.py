"""The door over `requests`: what is particular to it. What it has in common with the others is in test_doors.py."""

import gzip
import sys

import pytest

from . import forms, module
from .doors import BODY, CLOSE, HOLD, RawServer, fails, framed, head, parts, plain, post, read_all

requests = forms.requests_or_skip()
responses = pytest.importorskip("responses")
errors = module("protocol.errors")
door_module = module("transport.requests_transport")


def test_without_requests(monkeypatch):
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(ImportError, match="pip install requests"):
        door_module.RequestsTransport()


def test_half_a_head_is_an_empty_answer():
    """To http.client, below; the other doors know better."""
    door = door_module.RequestsTransport()
    with RawServer([b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE]) as server:
        assert read_all(post(door, server.url)) == []
    door.close()


def test_post_is_called(monkeypatch):
    """Literally `session.post`, once, with bytes: whoever patches that sees every call."""
    calls = []

    def post_(self, url, data=None, json=None, **options):
        calls.append((url, data, json, options))
        raise requests.ConnectionError("patched")

    monkeypatch.setattr(requests.Session, "post", post_)
    error = fails(errors.APIConnectionError, post, door_module.RequestsTransport(), "http://127.0.0.1:9/v1", read_s=7)
    assert "patched" in str(error)
    ((url, data, json, options),) = calls
    assert (url, data, json) == ("http://127.0.0.1:9/v1", b"{}", None)
    assert options["timeout"] == (5.0, 7) and options["stream"] is True and options["allow_redirects"] is False


def test_the_callers_session():
    """It is used as it is, its own headers and auth included, and left open; redirects still aren't followed."""
    moved = plain(b"moved", "Location: http://127.0.0.1:9/", status="307 R")
    with RawServer(moved, plain(), plain()) as server, requests.Session() as session:
        session.headers["X-Mine"] = "1"
        door = door_module.RequestsTransport(session=session)
        response = post(door, server.url, headers=[("Authorization", "Bearer sk-mine")])
        assert (response.head.status, response.head.reused) == (307, None)
        assert read_all(response) == [b"moved"]
        assert read_all(post(door, server.url)) == [b"{}"]
        door.close()
        session.auth = ("user", "word")
        assert read_all(post(door, server.url)) == [b"{}"]
        assert server.connections == 1
    assert b"\r\nX-Mine: 1\r\n" in server.requests[0]
    assert b"Authorization: Bearer sk-mine" in server.requests[0]
    assert b"Authorization: Basic dXNlcjp3b3Jk" in server.requests[2]


def test_the_callers_session_keeps_netrc_out(monkeypatch, tmp_path):
    """Over a plain Session, which would read the file, the key stays too."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(plain()) as server, requests.Session() as session:
        door = door_module.RequestsTransport(session=session)
        read_all(post(door, server.url, headers=[("Authorization", "Bearer sk-mine")]))
    assert b"Authorization: Bearer sk-mine" in server.requests[0]


def test_the_callers_session_is_not_sent_on_twice():
    """Whether its connection was used before can't be told, so nothing is sent again."""
    with RawServer(plain(), [CLOSE]) as server, requests.Session() as session:
        door = door_module.RequestsTransport(session=session)
        read_all(post(door, server.url))
        assert fails(errors.APIConnectionError, post, door, server.url).phase == "head"
    assert len(server.requests) == 2


def test_a_response_of_the_callers():
    """RequestsResponse reads a plain `requests.post(..., stream=True)`, or one that was read already."""
    with RawServer(framed("chunked"), plain(b"read")) as server, requests.Session() as session:
        response = door_module.RequestsResponse(session.post(server.url, data=b"{}", stream=True, timeout=5))
        assert b"".join(read_all(response)) == BODY
        consumed = session.post(server.url, data=b"{}", timeout=5)
        assert consumed.content == b"read"
        assert read_all(door_module.RequestsResponse(consumed)) == [b"read"]


def test_a_response_of_the_callers_that_falls_silent():
    """The timeout in the message is the one that was given to requests."""
    with RawServer([head("Content-Length: 5"), HOLD]) as server, requests.Session() as session:
        response = door_module.RequestsResponse(session.post(server.url, data=b"{}", stream=True, timeout=0.05))
        assert "0.05 s" in str(fails(errors.APITimeoutError, response.read_some))
        response.close()


@pytest.mark.parametrize("framing", ["sized", "chunked", "closed"])
def test_codings_that_only_urllib3_knows(framing):
    """Two codings at once, or Brotli where it is installed: nobody asks for them here, and urllib3 undoes them."""
    door = door_module.RequestsTransport()
    first, pieces, rest = parts(framing, pieces=[gzip.compress(gzip.compress(BODY))])
    first = first.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip, gzip\r\n\r\n")
    with RawServer([first, *pieces, *rest], plain()) as server:
        assert b"".join(read_all(post(door, server.url))) == BODY
        response = post(door, server.url)
        assert response.head.reused is (framing != "closed")
        assert read_all(response) == [b"{}"]
    door.close()


@pytest.mark.parametrize("framing", ["sized", "chunked", "closed"])
def test_a_body_that_the_caller_has_begun_to_read(framing):
    """The rest of it is read."""
    with RawServer(framed(framing)) as server, requests.Session() as session:
        answer = session.post(server.url, data=b"{}", stream=True, timeout=5)
        begun = answer.raw.stream(2)
        first = next(begun)
        assert first + door_module.RequestsResponse(answer).read() == BODY
        begun.close()


def test_the_rest_of_a_body_that_is_cut_short():
    """Is no end, whatever urllib3 makes of it."""
    with RawServer([head("Content-Length: 9"), b"hello", CLOSE]) as server, requests.Session() as session:
        answer = session.post(server.url, data=b"{}", stream=True, timeout=5)
        assert answer.raw.read(2) == b"he"
        response = door_module.RequestsResponse(answer)
        error = fails(errors.APIConnectionError, response.read)
        assert error.phase == "body" and "4 more" in str(error)


# Over `responses`, which plays whole bodies from memory.

FAKE_ROWS = [
    ("JSON", {"json": {"a": 1}}, b'{"a": 1}'),
    ("a stream", {"body": BODY, "content_type": "text/event-stream"}, BODY),
    ("nothing", {"body": b""}, b""),
    ("gzip", {"body": gzip.compress(BODY), "headers": {"Content-Encoding": "gzip"}}, BODY),
    ("Content-Length", {"body": b"12345", "headers": {"Content-Length": "5"}}, b"12345"),
    ("said to be chunked", {"body": BODY, "headers": {"Transfer-Encoding": "chunked"}}, BODY),
    ("an error status", {"body": b"no", "status": 503}, b"no"),
]


@pytest.mark.parametrize("whole", [False, True], ids=["piece by piece", "at once"])
@pytest.mark.parametrize("answer, body", [each[1:] for each in FAKE_ROWS], ids=[each[0] for each in FAKE_ROWS])
def test_over_responses(answer, body, whole):
    """Whatever `responses` fakes can be read, drained and closed."""
    with responses.RequestsMock() as fake:
        fake.post("http://api.example/v1", **answer)
        door = door_module.RequestsTransport()
        response = post(door, "http://api.example/v1", headers=[("Authorization", "Bearer k")])
        assert response.head.status == answer.get("status", 200)
        response.set_read_timeout(1)
        assert (response.read() if whole else b"".join(read_all(response))) == body
        assert response.drain(1) is True
        response.cancel()
        response.close()
        sent = fake.calls[0].request
        assert (sent.body, sent.headers["authorization"]) == (b"{}", "Bearer k")


def test_over_responses_cut():
    """A body shorter than its Content-Length is cut, there too."""
    with responses.RequestsMock() as fake:
        fake.post("http://api.example/v1", body=b"123", headers={"Content-Length": "5"})
        response = post(door_module.RequestsTransport(), "http://api.example/v1")
        assert response.read_some() == b"123"
        assert "2 more" in str(fails(errors.APIConnectionError, response.read_some))


def test_over_responses_errors():
    """Exceptions that `responses` is told to raise come out as ours."""
    with responses.RequestsMock() as fake:
        fake.post("http://api.example/v1", body=requests.ConnectTimeout("too slow"))
        fake.post("http://api.example/v1", body=requests.ReadTimeout("too slow"))
        fake.post("http://api.example/v1", body=requests.ConnectionError("no"))
        door = door_module.RequestsTransport()
        assert fails(errors.APITimeoutError, post, door, "http://api.example/v1").phase == "connect"
        fails(errors.APITimeoutError, post, door, "http://api.example/v1")
        assert "no" in str(fails(errors.APIConnectionError, post, door, "http://api.example/v1"))
