"""What goes out when an exchange is played: the recorded bytes, or new framing where the old is gone, and the end."""

import pytest

from . import lab_tapes as tapes, module

exchange_module = module("lab.exchange")
framing = module("lab.framing")
plans = module("lab.replay_plan")
http1 = module("transport.http1")
wire = module("protocol.wire")


def request(method="POST", version="1.1", headers=()):
    return framing.IncomingRequest(method, "/v1/chat/completions", version, wire.Headers(headers), b"{}")


# Case -> how the connection ends, and what is remarked.
ACTS = {
    "whole": ("keep", ""),
    "stream": ("keep", ""),
    "gzip": ("keep", ""),
    "close-delimited": ("close", ""),
    "cut": ("close", ""),
    "reset": ("reset", ""),
    "timeout": ("silence", ""),
    "client gone": ("close", "client left"),
    "no end": ("close", "recorder was stopped"),
    "401": ("keep", ""),
    "unreachable": ("reset", "no connection"),
    "no answer": ("silence", ""),
    "library": ("keep", ""),
}


@pytest.mark.parametrize("case", ACTS)
def test_how_the_connection_ends(case):
    """As it did; where it can't, a remark says so."""
    act, remark = ACTS[case]
    plan = plans.plan_for(tapes.make(case), request())
    assert plan.act == act and (remark in plan.remark if remark else plan.remark == "")


@pytest.mark.parametrize(
    "case", ["stream", "gzip", "gzip whole", "close-delimited", "split UTF-8", "reset", "cut", "401"]
)
def test_what_was_on_the_wire_goes_out_byte_for_byte(case):
    """Head with its pairs in order and case, then each read as it was, at its time."""
    exchange = tapes.make(case)
    plan = plans.plan_for(exchange, request())
    assert plan.writes[0] == (exchange.head_us, exchange_module.head_bytes(exchange.head))
    assert [tuple(write) for write in plan.writes[1:]] == [tuple(piece) for piece in exchange.pieces]
    assert plan.pieces == len(exchange.pieces)


def read_back(plan, method="POST"):
    """(head, body, whether it ended by itself) of what a plan sends."""
    reader = http1.ResponseReader(method)
    for write in plan.writes:
        reader.receive(write.data)
    return reader.head, b"".join(reader.pieces), reader.at_end


def body_layer(headers, pieces, **options):
    return tapes.Tape().stream(pieces, headers=headers, layer=exchange_module.BODY, **options)


def test_a_library_recording_is_framed_again():
    """As chunks, without the headers that told of the old framing; the cuts and times stay."""
    exchange = tapes.make("library")
    plan = plans.plan_for(exchange, request())
    head, body, at_end = read_back(plan)
    assert (body, at_end) == (exchange.body(), True)
    assert [name for name, _ in head.headers.pairs] == ["Content-Type", "X-Request-Id", "Transfer-Encoding"]
    assert [write.at_us for write in plan.writes[1:-1]] == [piece.at_us for piece in exchange.pieces]
    assert plan.writes[-1] == (exchange.end.at_us, b"0\r\n\r\n")


def test_a_content_length_that_is_still_true_stays():
    """Nothing was undone there, so nothing is to be done again."""
    exchange = body_layer((tapes.JSON_TYPE, ("Content-Length", "6")), [b"abc", b"def"])
    head, body, at_end = read_back(plans.plan_for(exchange, request()))
    assert (head.headers.pairs, body, at_end) == (exchange.head.headers.pairs, b"abcdef", True)


def test_a_broken_library_recording_has_no_last_chunk():
    """The client sees the break that was recorded."""
    for how, act in (("reset", "reset"), ("eof", "close"), ("timeout", "silence"), ("client_gone", "close")):
        plan = plans.plan_for(body_layer((tapes.EVENTS_TYPE,), [b"data: 1\n\n"], how=how, whole=False), request())
        assert (plan.act, read_back(plan)[2]) == (act, False)


def test_old_http_gets_no_chunks():
    """To HTTP/1.0 the close is the end; the wire's own bytes are not touched even then."""
    plan = plans.plan_for(tapes.make("library"), request(version="1.0"))
    head, body, _ = read_back(plan)
    assert (head.headers.get("connection"), "transfer-encoding" in head.headers, plan.act) == ("close", False, "close")
    assert body == tapes.make("library").body()


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304)])
def test_answers_without_a_body_get_none(method, status):
    """A last chunk there would be read as the next answer."""
    exchange = tapes.Tape().add(None, method=method, status=status, headers=(), layer=exchange_module.BODY)
    plan = plans.plan_for(exchange, request(method))
    assert (len(plan.writes), plan.act, read_back(plan, method)[2]) == (1, "keep", True)


def test_a_browsers_http2_is_spoken_as_http1():
    """A HAR says HTTP/2; a head of that version no client would read."""
    exchange = body_layer((tapes.EVENTS_TYPE,), [b"data: 1\n\n"], http_version="2")
    assert plans.plan_for(exchange, request()).writes[0].data.startswith(b"HTTP/1.1 200 OK\r\n")


def test_who_wants_the_connection_closed_gets_it_closed():
    """By its own wish, or by the recorded server's."""
    assert plans.plan_for(tapes.make("stream"), request(headers=[("Connection", "close")])).act == "close"
    closing = tapes.Tape().add(headers=(("Content-Length", "0"), ("Connection", "close")))
    assert plans.plan_for(closing, request()).act == "close"


def test_cutting_after_some_pieces():
    """0 leaves the head alone; more than there are changes nothing."""
    exchange = tapes.make("stream")
    for count in (0, 3):
        plan = plans.plan_for(exchange, request(), cut_after=count)
        assert (plan.pieces, plan.act, len(plan.writes)) == (count, "close", count + 1)
        assert "cut off after" in plan.remark
    assert plans.plan_for(exchange, request(), cut_after=99) == plans.plan_for(exchange, request())


def test_early_hints_go_out_at_their_time():
    """A 103 comes first; a 100 answers the request's own Expect, and is no part of the play."""
    tape = tapes.Tape()
    exchange = tape.add(pieces=[b"{}"], headers=(("Content-Length", "2"),))
    for status in (100, 103):
        exchange.interim.append((status * 10, wire.ResponseHead(status, "Early", wire.Headers([("Link", "<a>")]))))
    plan = plans.plan_for(exchange, request())
    assert [write.data[:12] for write in plan.writes] == [b"HTTP/1.1 103", b"HTTP/1.1 200", b"{}"]
    assert (plan.writes[0].at_us, plan.pieces) == (1030, 1)
