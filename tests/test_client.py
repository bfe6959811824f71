"""The sync client over the table of scripts: through scripted memory, through `responses`, through real sockets."""

import contextlib
import threading

import pytest

from . import forms, module, rawchat
from .script_server import ScriptServer
from .scripts import GOOD, SCRIPTS, USAGE, completion, delta, failure, stream, whole

memory = module("transport.memory")
patience = module("protocol.patience")

NO_JITTER = rawchat.RetryPolicy(jitter=0.0)
KEY = "sk-test-0123456789abcdef"


class PatientTransport(forms.door_class(module)):
    """The real door, but sleeps are recorded and never slept."""

    def __init__(self):
        super().__init__()
        self.sleeps = []

    def sleep(self, seconds, wake=None):
        self.sleeps.append(seconds)


@contextlib.contextmanager
def over_memory(script):
    yield memory.MemoryTransport([_remembered(answer, script) for answer in script.answers]), "http://127.0.0.1:1/v1"


def _remembered(answer, script):
    if answer.end == "refused":
        return rawchat.APIConnectionError("connection closed before the status line")
    read_s = script.options.get("timeout", (5, 600))[1]
    ends = {
        "whole": None,
        "cut": rawchat.APIConnectionError("connection broken"),
        "silence": rawchat.APITimeoutError(f"no byte for {read_s} s"),
    }
    return memory.reply(
        status=answer.status, headers=answer.headers, pieces=list(answer.pieces), error=ends[answer.end]
    )


@contextlib.contextmanager
def over_sockets(script):
    with ScriptServer(script.answers) as server:
        transport = PatientTransport()
        try:
            yield transport, server.url
        finally:
            transport.close()


@contextlib.contextmanager
def over_responses(script):
    if any(answer.end in ("cut", "silence") for answer in script.answers):
        pytest.skip("responses plays whole bodies only")
    responses = pytest.importorskip("responses", reason="it stands in for requests")
    import requests

    with responses.RequestsMock(assert_all_requests_are_fired=True) as fake:
        for answer in script.answers:
            if answer.end == "refused":
                fake.post("http://127.0.0.1:1/v1/chat/completions", body=requests.ConnectionError("aborted"))
                continue
            headers = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
            fake.post(
                "http://127.0.0.1:1/v1/chat/completions",
                status=answer.status,
                headers=headers,
                content_type=answer.headers.get("Content-Type", "text/plain"),
                body=answer.body,
            )
        yield PatientTransport(), "http://127.0.0.1:1/v1"


DOORS = {"memory": over_memory, "sockets": over_sockets, "responses": over_responses}


@pytest.fixture(params=DOORS)
def door(request):
    return DOORS[request.param]


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.name for script in SCRIPTS])
def test_script(script, door, monkeypatch):
    """What the caller gets, how often the request was sent and how long was waited in between: all as the row says."""
    if script.name == "silence past the deadline" and door is over_memory:
        pytest.skip("a deadline needs a clock that runs")
    monkeypatch.setattr(patience, "FINISH_GRACE_S", 0.05)
    with door(script) as (transport, url):
        client = rawchat.Client(KEY, url, retry=NO_JITTER, transport=transport)
        events = []
        client = client.with_options(listeners=[events.append])
        text, error = run(client, script)

        assert type(error).__name__ == (script.error or "NoneType"), error
        assert text == script.text
        assert script.words in str(error)
        assert tuple(transport.sleeps) == script.waits
        sent = [event for event in events if isinstance(event, rawchat.Sending)]
        assert len(sent) == len(script.answers)
        check_events(events, error)
        assert KEY not in repr(events) + repr(client) + str(error) + repr(error)


def run(client, script):
    """(text, error) of the call that the script describes."""
    pieces = []
    try:
        if script.way == "chat":
            return client.chat("Hi", **script.options).text, None
        with client.stream("Hi", **script.options) as answer:
            pieces.extend(answer)
        assert answer.reply.text == "".join(pieces)
        return answer.reply.text, None
    except rawchat.APIError as error:
        if error.reply is not None:
            assert error.reply.text == "".join(pieces)
        return "".join(pieces), error


def check_events(events, error):
    """Every story has one order: each attempt begins with Sending, and the call ends with Done or with a final Failed."""
    last = events[-1]
    if error is None:
        assert isinstance(last, rawchat.Done)
    else:
        assert isinstance(last, rawchat.Failed) and last.final and last.error is error
    finals = [event for event in events if isinstance(event, rawchat.Done) or getattr(event, "final", False)]
    assert len(finals) == 1
    assert [event.at_s for event in events] == sorted(event.at_s for event in events)
    assert {event.call for event in events} == {last.call}
    attempts = [event.attempt for event in events if isinstance(event, rawchat.Sending)]
    assert attempts == list(range(1, len(attempts) + 1))


def client_of(*answers, **options):
    transport = memory.MemoryTransport(list(answers))
    return rawchat.Client(KEY, "http://127.0.0.1:1/v1", transport=transport, **options), transport


def test_reply_knows_its_call():
    """The reply carries request id, attempts, cost and time beside the JSON that came."""
    client, _ = client_of(
        memory.reply(status=500), memory.reply(headers={"X-Request-Id": "req_7"}, body=completion("Hi."))
    )
    reply = client.chat("Hello", model="gpt-4o-mini")

    assert (reply.text, reply.request_id, reply.attempts, reply.complete) == ("Hi.", "req_7", 2, True)
    assert reply["usage"] == USAGE and reply.usage.total_tokens == 15
    assert reply.cost == pytest.approx((10 * 0.15 + 5 * 0.60) / 1e6)
    assert reply.elapsed_s >= 0


def test_streaming_gives_the_same_reply_as_not_streaming():
    """One shape, whichever way the answer came."""
    client, _ = client_of(memory.reply(body=completion("Hello.")), memory.reply(pieces=list(GOOD.pieces)))
    asked = client.chat("Hi")
    with client.stream("Hi") as answer:
        answer.read()

    assert answer.reply["choices"][0]["message"]["content"] == asked["choices"][0]["message"]["content"]
    assert answer.reply["choices"][0]["message"]["role"] == "assistant"
    assert set(answer.reply) >= {"id", "object", "created", "model", "choices", "usage"}
    assert answer.reply["object"] == "chat.completion"
    assert answer.reply.usage == asked.usage
    assert answer.reply.cost == asked.cost


def test_what_goes_out_is_what_was_asked():
    """Parameters by their own names, None left out, usage asked for on streams, extras merged last."""
    client, transport = client_of(memory.reply(body=completion()), memory.reply(pieces=list(GOOD.pieces)))
    client.chat(
        "Hi", model="m", temperature=0, seed=None, brand_new=1, extra_body={"top_k": 4}, extra_headers={"X-A": "b"}
    )
    client.stream("Hi", model="m").read()

    assert transport.requests[0].url == "http://127.0.0.1:1/v1/chat/completions"
    assert transport.json(0) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0,
        "brand_new": 1,
        "top_k": 4,
    }
    assert ("X-A", "b") in transport.requests[0].headers
    assert transport.json(1)["stream"] is True
    assert transport.json(1)["stream_options"] == {"include_usage": True}


def test_send_posts_a_payload_as_it_is():
    """Nothing is added to a payload built by hand, not even stream_options; `stream` decides what comes back."""
    payload = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    client, transport = client_of(memory.reply(pieces=list(GOOD.pieces)), memory.reply(body=completion()))

    assert client.send(payload).read().text == "Hello."
    assert client.send({**payload, "stream": False}).text == "Hello."
    assert transport.json(0) == payload
    with pytest.raises(rawchat.PayloadError, match="a payload is a dict"):
        client.send([payload])


def test_a_refused_option_is_not_tried_again_on_the_next_call():
    """A server that refuses stream_options is asked without from then on; a caller's own stream_options always go out."""
    refusal = memory.reply(status=400, body={"error": {"message": "stream_options is not supported"}})
    good = memory.reply(pieces=list(GOOD.pieces))
    client, transport = client_of(refusal, good, good, good)
    for options in ({}, {}, {"stream_options": {"include_usage": True}}):
        client.stream("Hi", **options).read()

    assert ["stream_options" in transport.json(number) for number in range(4)] == [True, False, False, True]


def test_models_are_listed():
    """A GET without a body; the answer must hold a list."""
    client, transport = client_of(memory.reply(body={"object": "list", "data": [{"id": "m", "object": "model"}]}))

    assert [model["id"] for model in client.models()["data"]] == ["m"]
    assert (transport.requests[0].method, transport.requests[0].body) == ("GET", b"")
    assert transport.requests[0].url.endswith("/v1/models")


def test_a_callable_key_is_asked_before_each_attempt():
    """So that a retry can carry a fresh token."""
    keys = iter(["first-token-123", "second-token-456"])
    transport = memory.MemoryTransport([memory.reply(status=500), memory.reply(body=completion())])
    rawchat.Client(lambda: next(keys), "http://127.0.0.1:1/v1", transport=transport).chat("Hi")

    sent = [rawchat.Headers(request.headers)["authorization"] for request in transport.requests]
    assert sent == ["Bearer first-token-123", "Bearer second-token-456"]


def test_attempts_of_one_call_can_be_told_apart_by_their_ids():
    """X-Client-Request-Id is unique to each request, and its first part to each call."""
    client, transport = client_of(memory.reply(status=500), memory.reply(body=completion()))
    client.chat("Hi")
    ids = [rawchat.Headers(request.headers)["x-client-request-id"] for request in transport.requests]

    assert ids[0][:-2] == ids[1][:-2] and ids[0].endswith("-1") and ids[1].endswith("-2")


def test_budget_refuses_before_sending():
    """A call that does not fit the budget costs nothing: no request goes out."""
    tracker = rawchat.CostTracker(budget_usd=0.0000001)
    client, transport = client_of(memory.reply(body=completion()), cost_tracker=tracker)
    with pytest.raises(rawchat.BudgetExceeded):
        client.chat("Hi", model="gpt-4o", max_tokens=1000)

    assert transport.requests == []
    assert tracker.call_count == 0


def test_a_failed_call_releases_its_reserve():
    """What was set aside for a call that failed is free again."""
    tracker = rawchat.CostTracker(budget_usd=1.0)
    client, _ = client_of(memory.reply(status=401), cost_tracker=tracker)
    with pytest.raises(rawchat.AuthenticationError):
        client.chat("Hi", model="gpt-4o", max_tokens=1000)

    assert tracker.remaining_usd == pytest.approx(1.0)


def test_tracker_counts_chat_and_stream_once_each():
    """Every call is counted, once, whichever way it was made."""
    tracker = rawchat.CostTracker()
    client, _ = client_of(memory.reply(body=completion()), memory.reply(pieces=list(GOOD.pieces)), cost_tracker=tracker)
    client.chat("Hi")
    client.stream("Hi").read()

    assert (tracker.call_count, tracker.total_input_tokens, tracker.total_output_tokens) == (2, 20, 10)
    assert tracker.total_cost == pytest.approx(2 * (10 * 0.15 + 5 * 0.60) / 1e6)


def test_threads_share_a_client():
    """Twenty threads, one client, real sockets: every answer goes to the thread that asked."""
    with ScriptServer([whole() for _ in range(60)]) as server, rawchat.Client(KEY, server.url) as client:
        texts = []

        def ask():
            for _ in range(3):
                texts.append(client.chat("Hi").text)

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

    assert texts == ["Hello."] * 60


def test_five_streams_read_to_the_end_use_one_connection():
    """After [DONE] the rest is drained, so that the next call finds the connection open."""
    with ScriptServer([GOOD] * 5) as server, rawchat.Client(KEY, server.url) as client:
        for _ in range(5):
            assert client.stream("Hi").read().text == "Hello."

        assert server.connections == 1


def test_azure_urls_and_credentials():
    """The deployment stands in the path, the version in the query, the key in `api-key`; a token goes as a Bearer."""
    transport = memory.MemoryTransport([memory.reply(body=completion())] * 3)
    fixed = rawchat.Client.azure(
        "https://x.openai.azure.com/", "my dep", "2024-10-21", api_key="k-123456", transport=transport
    )
    by_model = rawchat.Client.azure(
        "https://x.openai.azure.com", api_version="v", ad_token="token-1", transport=transport
    )
    fixed.chat("Hi")
    by_model.chat("Hi", model="dep/x")
    by_model.chat("Hi", model="a")
    first, second, _ = transport.requests

    assert first.url == "https://x.openai.azure.com/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21"
    assert rawchat.Headers(first.headers)["api-key"] == "k-123456"
    assert "authorization" not in rawchat.Headers(first.headers)
    assert second.url == "https://x.openai.azure.com/openai/deployments/dep%2Fx/chat/completions?api-version=v"
    assert rawchat.Headers(second.headers)["authorization"] == "Bearer token-1"


def test_stream_is_no_parameter_of_chat():
    """`chat(stream=True)` would give a Reply that is no stream: the error names the method to call."""
    client, transport = client_of()
    with pytest.raises(rawchat.PayloadError, match=r"stream\(\)"):
        client.chat("Hi", stream=True)
    assert transport.requests == []


def test_a_listener_that_fails_is_heard():
    """An exception of a listener reaches the caller, and nothing stays open."""

    def listener(event):
        if isinstance(event, rawchat.Received):
            raise RuntimeError("listener")

    client, transport = client_of(memory.reply(body=completion()))
    with pytest.raises(RuntimeError, match="listener"):
        client.with_options(listeners=[listener]).chat("Hi")
    assert transport.closes == 1


def test_the_unknown_model_costs_none_not_zero():
    """A price nobody stated is no price."""
    client, _ = client_of(memory.reply(body=completion(model="llama-local")))

    assert client.chat("Hi", model="llama-local").cost is None


def test_failures_keep_what_identifies_them():
    """Status, code, param, type, request id, attempts and body are on the exception."""
    answer = failure(400, "bad", code="c", param="p", type="t", headers={"x-request-id": "req_9"})
    client, _ = client_of(memory.reply(status=answer.status, headers=answer.headers, body=answer.body))
    with pytest.raises(rawchat.BadRequestError) as caught:
        client.chat("Hi")
    error = caught.value

    assert (error.status, error.status_code, error.code, error.param, error.type) == (400, 400, "c", "p", "t")
    assert (error.request_id, error.attempts, error.body["message"]) == ("req_9", 1, "bad")


def test_n_choices_are_waited_for():
    """With n=2 the stream is read on after the first finish_reason."""
    second = {"choices": [{"index": 1, "delta": {"content": "two"}, "finish_reason": "stop"}]}
    script = stream(delta("one", "stop"), second, "[DONE]")
    client, _ = client_of(memory.reply(pieces=list(script.pieces)))

    assert client.stream("Hi", n=2).read().texts == ["one", "two"]
