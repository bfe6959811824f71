"""An exchange read from its records: framing and coding undone, events timed, the reply put together, broken ones too."""

import random

import pytest

from . import lab_tapes as tapes, module, rawchat

exchange_module = module("lab.exchange")
Exchange, Piece = exchange_module.Exchange, exchange_module.Piece

STREAM_TEXT = b"".join(tapes.events("one", " two", " three"))

# Case -> (body without framing and coding, flaw, the reply's text or None, the error's class or None)
READ = {
    "whole": (tapes.compact(tapes.completion()), "", "one two three", None),
    "stream": (STREAM_TEXT, "", "one two three", None),
    "gzip": (STREAM_TEXT, "", "one two three", None),
    "gzip whole": (tapes.compact(tapes.completion()), "", "one two three", None),
    "close-delimited": (STREAM_TEXT, "", "one two three", None),
    "library": (STREAM_TEXT, "", "one two three", None),
    "cut": (None, "the connection ended before the last chunk", "one two", "StreamInterrupted"),
    "reset": (None, "the connection ended before the last chunk", "one two", "StreamInterrupted"),
    "timeout": (None, "the connection ended before the last chunk", "one two", "StreamInterrupted"),
    "client gone": (None, "the connection ended before the last chunk", "one two", "StreamInterrupted"),
    "no end": (None, "", "one", None),
    "retry": (STREAM_TEXT, "", "one two three", None),
    "401": (None, "", None, "AuthenticationError"),
    "tools": (None, "", "", None),
    "n=2": (None, "", "one two", None),
    "reasoning": (None, "", "one", None),
    "split UTF-8": (None, "", "Grüße an 東京\U0001f600".replace("東京", "東京 "), None),
    "error event": (None, "", "one", "InternalServerError"),
    "unreachable": (b"", "", None, None),
}


@pytest.mark.parametrize("case", READ)
def test_what_the_bytes_mean(case):
    """Body, flaw, text and error of each typical exchange."""
    body, flaw, text, error = READ[case]
    exchange = tapes.make(case)
    assert body is None or exchange.body() == body
    assert exchange.flaw == flaw
    reply = exchange.reply()
    assert (reply.text if reply is not None and reply.get("choices") else None) == text
    assert (type(exchange.error()).__name__ if exchange.error() else None) == error


@pytest.mark.parametrize("case", ["stream", "gzip", "close-delimited", "split UTF-8", "tools"])
def test_the_cuts_of_the_reads_change_nothing(case):
    """The same bytes in other reads: byte by byte, whole, at random cuts."""
    exchange = tapes.make(case)
    wire = b"".join(piece.data for piece in exchange.pieces)
    body, reply = exchange.body(), exchange.reply()
    dice = random.Random(3)
    ways = [range(1, len(wire)), [], *(sorted(dice.sample(range(1, len(wire)), 9)) for _ in range(20))]
    for cuts in ways:
        edges = [0, *cuts, len(wire)]
        exchange.pieces = [Piece(number, wire[start:end]) for number, (start, end) in enumerate(zip(edges, edges[1:]))]
        assert exchange.body() == body
        assert exchange.reply() == reply
        assert sum(step.chunk is not None for step in exchange.steps()) >= 5


def test_each_step_has_the_time_of_the_read_that_completed_it():
    """An event in two reads counts from the second; two in one read share its time and number."""
    one, two = tapes.event(tapes.chunk({"content": "a"})), tapes.event(tapes.chunk({"content": "b"}, "stop"))
    tape = tapes.Tape()
    exchange = tape.stream([one[:20], one[20:] + two], layer=exchange_module.BODY, first_ms=50, gap_ms=7)
    assert [(step.at_us, step.piece, step.text) for step in exchange.steps()] == [(57_000, 1, "a"), (57_000, 1, "b")]


def test_reads_of_nothing_but_framing_are_no_body_pieces():
    """The last chunk of no length carries no body, and the times of the others stay their own."""
    exchange = tapes.make("stream")
    assert len(exchange.pieces) == 8 and len(exchange.body_pieces()) == 7
    assert [piece.at_us for piece in exchange.body_pieces()] == [piece.at_us for piece in exchange.pieces[:7]]


def test_what_came_before_a_broken_frame_is_kept():
    """One read that holds a good chunk and a chunk size that is none: the good one counts."""
    good = tapes.in_chunks(tapes.events("one", done=False, finish=None, usage=None), last=False)
    exchange = tapes.Tape().stream([good[0], good[1] + b"zz\r\nnonsense"])
    assert "chunk size" in exchange.flaw and exchange.reply().text == "one"


def test_who_wants_to_know_what_it_is_need_not_trust_the_label():
    """An event stream without a Content-Type is told by its first bytes; JSON is none."""
    stream = tapes.Tape().stream(tapes.in_chunks(tapes.events("one")), headers=(tapes.CHUNKED,))
    whole = tapes.Tape().add(headers=(), pieces=[tapes.compact(tapes.completion())])
    assert stream.is_stream and stream.reply().text == "one"
    assert not whole.is_stream and whole.reply().text == "one two three"


def test_tool_calls_and_choices_are_put_together():
    """As the client puts them together."""
    assert [call["function"]["arguments"] for call in tapes.make("tools").reply().tool_calls] == [
        '{"city":"Paris"}',
        "{}",
    ]
    assert [choice.message.content for choice in tapes.make("n=2").reply().choices] == ["one two", "uno dos"]
    assert tapes.make("reasoning").reply().reasoning == "I count. Three."


def test_attempts_are_linked_to_their_call():
    """The retry names the first exchange of its call; the wait stands at the attempt that failed."""
    first, second = tapes.make_all("retry")
    assert (first.call, first.attempt, second.call, second.attempt) == (1, 1, 1, 2)
    assert (first.wait_s, second.wait_s) == (1.0, None) and "429" in first.why


def test_an_error_says_what_a_client_says():
    """The class, the code and the server's wish to wait."""
    error = tapes.make_all("retry")[0].error()
    assert isinstance(error, rawchat.RateLimitError) and error.code == "rate_limit_exceeded"
    assert error.headers["retry-after"] == "1"


def test_an_embedding_and_a_list_of_models_are_answers_too():
    """What must be in an answer depends on the endpoint."""
    assert tapes.make("models").error() is None
    assert tapes.make("models").reply()["data"][0]["id"] == "gpt-4o-mini"


def test_records_of_an_unknown_kind_are_left_aside():
    """A later version may write more; what is known is read all the same."""
    exchange = Exchange(1)
    exchange.apply({"event": "weather", "id": 1})
    exchange.apply({"id": 1})
    assert (exchange.head, exchange.pieces, exchange.path) == (None, [], "/")


BYTES = [b"", b"plain", b"\xe2\x82", "日本\u2028".encode(), bytes(range(256)), b"\x00\x1b[2J", b'"\\']


@pytest.mark.parametrize("data", BYTES, ids=[repr(data)[:20] for data in BYTES])
def test_bytes_survive_as_records(data):
    """Text where it is UTF-8, base64 where it is not; the way back gives the same."""
    record = exchange_module.bytes_record(data)
    assert exchange_module.bytes_of(record) == data and len(record) == 1


MALFORMED = {
    "a read without bytes": {"event": "read", "id": 1, "t_us": 0},
    "base64 that is none": {"event": "read", "id": 1, "t_us": 0, "base64": "?"},
    "a time that is a word": {"event": "read", "id": 1, "t_us": "soon", "text": ""},
    "a time that is missing": {"event": "end", "id": 1, "how": "eof"},
    "a status that is a word": {"event": "head", "id": 1, "t_us": 0, "status": "200", "headers": []},
    "headers that are a word": {"event": "head", "id": 1, "t_us": 0, "status": 200, "headers": "abc"},
    "a header of three parts": {"event": "head", "id": 1, "t_us": 0, "status": 200, "headers": [["a", "b", "c"]]},
    "text that is a number": {"event": "read", "id": 1, "t_us": 0, "text": 7},
    "a wait that is a word": {"event": "wait", "id": 1, "t_us": 0, "wait_s": "long"},
    "an end that is a number": {"event": "end", "id": 1, "t_us": 0, "how": 3},
}


@pytest.mark.parametrize("record", MALFORMED.values(), ids=MALFORMED)
def test_records_that_cannot_be_meant_are_refused_at_once(record):
    """Not later, where a figure is computed of them; and nothing of them stays."""
    exchange = tapes.make("stream")
    before = repr(vars(exchange))
    with pytest.raises((ValueError, KeyError, TypeError)):
        exchange.apply(record)
    assert repr(vars(exchange)) == before
