"""When a stream that stays open is over. How loops keep to it is shown by test_client, test_aclient and test_astream."""

import pytest

from . import module, rawchat

answer = module("protocol.answer")
call = module("protocol.call")
patience = module("protocol.patience")

PING = b": ping\n\n"
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
FINISH = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def patient(read_s=10.0):
    """The patience with a stream, and how to let it look at a read."""
    reader = answer.StreamReader(200, rawchat.Headers())
    own = patience.Patience(reader, call.Limits(5.0, read_s, None, 0.0))
    return own, lambda data, now_s: own.look(reader.feed(data), now_s)


SIGNS_OF_LIFE = {
    "a chunk": CHUNK,
    "a part of an event": b"data: {",
    "a part of a document, asked for as a stream": b'{"choices": [',
    "a chunk before a ping": CHUNK + PING,
}


@pytest.mark.parametrize("name", SIGNS_OF_LIFE)
def test_a_sign_of_life_lifts_the_limit(name):
    own, look = patient()
    look(b"\n", 0.0)
    assert own.is_short() and own.limit_s(10.0, 4.0) == 6.0
    look(SIGNS_OF_LIFE[name], 5.0)
    assert own.is_short() and own.limit_s(10.0, 5.0) == 10.0
    assert not own.is_short()


def test_pings_alone_last_as_long_as_one_read_may():
    own, look = patient()
    for now_s in (0.0, 4.0, 8.0):
        look(PING, now_s)
    with pytest.raises(rawchat.APITimeoutError, match="nothing but keep-alives for 10 s"):
        own.limit_s(10.0, 10.0)


def test_without_a_limit_pings_last_for_ever():
    own, look = patient(read_s=None)
    look(PING, 0.0)
    assert not own.is_short() and own.limit_s(None, 1e9) is None


def test_the_finish_leaves_some_seconds():
    own, look = patient()
    look(FINISH, 0.0)
    assert [own.limit_s(10.0, 0.0), own.limit_s(1.0, 1.0), own.limit_s(None, 1.0)] == [3.0, 1.0, 2.0]
    with pytest.raises(rawchat.APITimeoutError, match="neither ended the stream nor said"):
        own.limit_s(10.0, 3.0)


def test_only_a_plain_time_out_at_the_end_of_the_idle_time_is_told_as_such():
    own, look = patient()
    look(PING, 0.0)
    told = []
    for kind, now_s in (
        (rawchat.APITimeoutError, 9.9999),
        (rawchat.APITimeoutError, 9.0),
        (rawchat.DeadlineExceeded, 10.0),
        (rawchat.APIConnectionError, 10.0),
    ):
        error = kind("as it was")
        own.tell_idle(error, now_s)
        told.append(str(error))
    assert told == ["nothing but keep-alives for 10 s", "as it was", "as it was", "as it was"]
