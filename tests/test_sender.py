"""Sender: the order of steps, and what is closed. (What is told and paid besides: test_telling.py.)"""

import pytest

from . import forms, module, rawchat
from .scripts import completion

memory = module("transport.memory")
sender_module = module("sender")
settings_module = module("settings")
telling = module("telling")

KEY = "sk-test-0123456789abcdef"
URL = "http://127.0.0.1:1/v1"
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


def make_call(payload=CHAT, **settings):
    settings = {"model": "m", "retry": rawchat.RetryPolicy(jitter=0.0), **settings}
    read = settings_module.Settings(api_key=KEY, base_url=URL, **settings)
    return read.call("POST", "chat/completions", dict(payload), settings_module.Options())


@pytest.fixture(params=["Sender", "TellingSender"])
def make_sender(request):
    """A plain one, as a small copy has it, and the one that tells: both take the same steps."""
    kind = getattr(sender_module if request.param == "Sender" else telling, request.param)

    def make(*replies):
        transport = memory.MemoryTransport(list(replies))
        return kind(transport), transport

    return make


def test_open_leaves_the_body_to_the_caller(make_sender):
    """The head of a success, nothing read and nothing closed."""
    sender, transport = make_sender(memory.reply(body=completion("Hi.")))
    response = sender.open(make_call())

    assert (response.head.status, transport.closes) == (200, 0)
    assert b"Hi." in response.read()


BREAKS = [
    ("a reset", memory.cut("reset by peer"), "APIConnectionError", "reset by peer"),
    ("silence", rawchat.APITimeoutError("no byte for 5 s"), "APITimeoutError", "no byte for 5 s"),
]


@pytest.mark.parametrize("error, kind, words", [row[1:] for row in BREAKS], ids=[row[0] for row in BREAKS])
def test_a_broken_body_knows_the_answer_it_belongs_to(make_sender, error, kind, words):
    """Status and request id of the head, and the number of attempts."""
    broken = memory.reply(headers={"x-request-id": "req_1"}, pieces=[b'{"id": '], error=error)
    sender, transport = make_sender(broken, broken)
    with pytest.raises(rawchat.APIConnectionError, match=words) as caught:
        sender.whole(make_call(max_retries=1))

    assert type(caught.value).__name__ == kind
    assert (caught.value.status, caught.value.request_id, caught.value.attempts) == (200, "req_1", 2)
    assert caught.value.headers["x-request-id"] == "req_1"
    assert transport.closes == 2


def test_a_broken_error_body_hides_neither_the_status_nor_what_was_said(make_sender):
    """The words that came are in the error; the wait that stood among them is kept."""
    body = b'{"error": {"message": "Rate limit reached. Please try again in 3s.", "code": "slow"}}'
    broken = memory.reply(status=429, pieces=[body], error=memory.cut())
    sender, transport = make_sender(broken, memory.reply(body=completion()))

    assert sender.whole(make_call()).attempts == 2
    assert transport.sleeps == [3.0]


def test_the_deadline_bounds_each_step(make_sender):
    """Connecting, the head and every read have what is left of it, and never more than their own limit."""
    sender, transport = make_sender(memory.reply(body=completion()))
    sender.whole(make_call(timeout=(5, 9000), deadline=5000))

    connect_s, read_s = transport.timeouts[0]
    assert connect_s == 5 and 5 < read_s <= 5000
    assert 5 < transport.responses[0].read_timeout_s <= read_s


def test_without_a_deadline_the_read_timeout_is_left_alone(make_sender):
    """The transport has it already."""
    sender, transport = make_sender(memory.reply(body=completion()))
    sender.whole(make_call(timeout=(5, 600)))

    assert transport.timeouts == [(5, 600)]
    assert transport.responses[0].read_timeout_s is None


# Doors ---------------------------------------------------------------------------------------------------------------


def test_the_default_door_is_ours_to_close_and_a_given_one_is_not():
    given = memory.MemoryTransport()
    assert sender_module.open_transport(given) == (given, False)
    default = forms.door_class(module).name
    for name, expected in ((None, default), (default, default), ("stdlib", "stdlib")):
        door, ours = sender_module.open_transport(name)
        door.close()
        assert (door.name, ours) == (expected, True)


@pytest.mark.parametrize("wrong", ["carrier-pigeon", "", 0, 7, dict, {}, []])
def test_a_door_that_is_none_is_refused(wrong):
    with pytest.raises(rawchat.PayloadError, match="transport must be"):
        sender_module.open_transport(wrong)
