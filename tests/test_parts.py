"""The parts alone, on one's own requests.post; and the function that tutorials end with."""

import io
import json
import unittest.mock

import pytest

from . import forms, module, rawchat
from .script_server import ScriptServer
from .scripts import GOOD, completion, delta, failure, stream, whole

requests = forms.requests_or_skip()
responses = pytest.importorskip("responses")
memory = module("transport.memory")


def post(url, **options):
    return requests.post(url + "/chat/completions", json={"stream": True}, stream=True, timeout=5, **options)


def test_handle_response_gives_the_json():
    """A plain requests response becomes a Reply, which is the dict that came."""
    with (
        ScriptServer([whole("Hi.")]) as server,
        requests.post(server.url + "/chat/completions", json={}, timeout=5) as response,
    ):
        reply = rawchat.handle_response(response)

    assert reply == completion("Hi.")
    assert isinstance(reply, dict) and reply.text == "Hi."


def test_handle_response_looks_at_the_status_before_the_json():
    """The tutorial's bug: a 502 of HTML ended as JSONDecodeError."""
    with responses.RequestsMock() as fake:
        fake.post("http://127.0.0.1/v1/chat/completions", status=502, body="<html><title>Bad Gateway</title></html>")
        response = requests.post("http://127.0.0.1/v1/chat/completions", timeout=5)
        with pytest.raises(rawchat.InternalServerError, match="Bad Gateway") as caught:
            rawchat.handle_response(response)

    assert caught.value.retryable and caught.value.status == 502


def test_handle_response_reads_the_wait():
    """The error tells how long the server asked to wait."""
    with (
        ScriptServer([failure(429, headers={"Retry-After": "7"})]) as server,
        requests.post(server.url + "/chat/completions", json={}, timeout=5) as response,
    ):
        with pytest.raises(rawchat.RateLimitError) as caught:
            rawchat.handle_response(response)

    assert caught.value.retry_after_s == 7.0


def test_iter_chunks_and_iter_events_read_a_stream():
    """The usage chunk with `choices: []` among them, which is where many a tutorial's IndexError comes from."""
    with ScriptServer([GOOD, GOOD]) as server:
        chunks = list(rawchat.iter_chunks(post(server.url)))
        events = list(rawchat.iter_events(post(server.url)))

    assert [chunk["choices"] for chunk in chunks][-1] == []
    assert (len(chunks), len(events)) == (4, 5)
    assert events[-1].data == "[DONE]"


def test_iter_chunks_raises_for_a_status():
    with ScriptServer([failure(401, "wrong key")]) as server:
        with pytest.raises(rawchat.AuthenticationError, match="wrong key"):
            list(rawchat.iter_chunks(post(server.url)))


@pytest.mark.parametrize("end", ["whole", "cut"])
def test_iter_chunks_tells_a_cut_stream(end):
    """A stream cut short is never reported as success, whether the connection broke or ended in good order."""
    with ScriptServer([stream(delta("Once upon"), end=end)]) as server:
        with pytest.raises(rawchat.StreamInterrupted) as caught:
            list(rawchat.iter_chunks(post(server.url)))

    assert caught.value.reply.text == "Once upon"


def test_iter_chunks_raises_an_error_event():
    with ScriptServer([stream(delta("a"), {"error": {"code": 500, "message": "boom"}})]) as server:
        with pytest.raises(rawchat.InternalServerError, match="boom"):
            list(rawchat.iter_chunks(post(server.url)))


def client_of(*answers):
    transport = memory.MemoryTransport(
        [memory.reply(status=a.status, headers=a.headers, pieces=list(a.pieces)) for a in answers]
    )
    return rawchat.Client("sk-test-0123456789", "http://127.0.0.1:1/v1", transport=transport), transport


def test_robust_chat_returns_the_text():
    """Retried, counted, returned."""
    tracker = rawchat.CostTracker()
    client, transport = client_of(failure(503), whole("Hi."))

    assert rawchat.robust_chat("Hello", cost_tracker=tracker, client=client) == "Hi."
    assert tracker.call_count == 1 and len(transport.sleeps) == 1


def test_robust_chat_prints_a_stream_as_it_comes():
    """And returns the same text."""
    out = io.StringIO()
    client, transport = client_of(GOOD)

    assert rawchat.robust_chat("Hello", model="gpt-4o", stream=True, client=client, out=out, temperature=0) == "Hello."
    assert out.getvalue() == "Hello.\n"
    assert transport.json(0)["temperature"] == 0 and transport.json(0)["model"] == "gpt-4o"


def test_robust_chat_makes_its_own_client(monkeypatch):
    """From the environment, as a tutorial would call it."""
    with ScriptServer([whole("Hi.")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        assert rawchat.robust_chat([{"role": "user", "content": "Hello"}]) == "Hi."


def test_backoff_delays_are_the_tutorials():
    assert rawchat.backoff_delays(4, base=2.0) == [1.0, 2.0, 4.0, 8.0]


class FakeResponse:
    """What many a test suite passes off as a response."""

    def __init__(self, status_code=200, **offered):
        self.status_code = status_code
        self.__dict__.update(offered)


def by_hand(status_code, content):
    response = requests.Response()
    response.status_code, response._content = status_code, content
    return response


FAKES = [
    ("content", FakeResponse(content=json.dumps(completion("Hi.")).encode())),
    ("text", FakeResponse(text=json.dumps(completion("Hi.")))),
    ("json()", FakeResponse(json=lambda: completion("Hi."))),
    ("a Mock", unittest.mock.Mock(status_code=200, json=lambda: completion("Hi."))),
    ("requests.Response by hand", by_hand(200, json.dumps(completion("Hi.")).encode())),
    ("lines of a stream", FakeResponse(iter_lines=lambda: [piece.strip() for piece in GOOD.pieces])),
]


@pytest.mark.parametrize("response", [row[1] for row in FAKES], ids=[row[0] for row in FAKES])
def test_responses_made_by_hand_are_read(response):
    """A test of somebody's own need not build a wire: any usual stand-in for a response will do."""
    assert rawchat.handle_response(response).text in ("Hi.", "Hello.")


def test_a_stand_in_with_a_bad_status_raises():
    """The status decides here, too."""
    document = {"error": {"message": "slow down", "type": None, "code": None, "param": None}}
    for response in (
        FakeResponse(429, json=lambda: document),
        unittest.mock.Mock(status_code=429, json=lambda: document),
    ):
        with pytest.raises(rawchat.RateLimitError, match="slow down"):
            rawchat.handle_response(response)


def test_stand_in_lines_are_chunks():
    response = FakeResponse(iter_lines=lambda: [piece.strip() for piece in GOOD.pieces])
    assert len(list(rawchat.iter_chunks(response))) == 4


def test_a_patched_post_answers_the_client(monkeypatch):
    """The client calls the Session's `post`, so that what patches it is heard."""
    monkeypatch.setattr(
        requests.Session, "post", lambda self, url, **options: FakeResponse(json=lambda: completion("Hi."))
    )
    assert rawchat.Client("k-12345678", "http://127.0.0.1:1/v1").chat("Hello").text == "Hi."
