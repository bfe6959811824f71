"""An answer taken apart: no byte lost, none told twice, and the rule of each."""

import random

import pytest

from . import lab_tapes, module

dissect = module("lab.dissect")
exchange_module = module("lab.exchange")

STREAMS = [name for name in lab_tapes.CASES if lab_tapes.make(name).is_stream]


def recut(exchange, pieces):
    exchange.pieces = [exchange_module.Piece(number, data) for number, data in enumerate(pieces)]
    return exchange


def joined(runs):
    return b"".join(run.data for run in runs)


@pytest.mark.parametrize("name", [name for name in lab_tapes.CASES if "gzip" not in name])
def test_runs_joined_are_the_recorded_bytes(name):
    exchange = lab_tapes.make(name)
    assert joined(dissect.dissect(exchange)) == b"".join(piece.data for piece in exchange.pieces)


@pytest.mark.parametrize("name", ["gzip", "gzip whole"])
def test_of_a_compressed_body_the_framing_joined_is_what_was_recorded(name):
    exchange = lab_tapes.make(name)
    runs = dissect.dissect(exchange)
    framing = joined(run for run in runs if run.source in (dissect.CHUNKED, dissect.CODING))
    assert framing == b"".join(piece.data for piece in exchange.pieces)
    assert joined(run for run in runs if run.source not in (dissect.CHUNKED, dissect.CODING)) == exchange.body()


@pytest.mark.parametrize("name", STREAMS)
def test_as_many_events_go_out_as_the_decoder_reads(name):
    exchange = lab_tapes.make(name)
    sent_off = [run.event for run in dissect.dissect(exchange) if run.event]
    assert sent_off == list(range(1, len([step for step in exchange.steps() if step.event]) + 1))


@pytest.mark.parametrize("name", [name for name in STREAMS if "gzip" not in name])
def test_where_the_reads_are_cut_makes_no_difference_to_bytes_and_events(name):
    whole = b"".join(piece.data for piece in lab_tapes.make(name).pieces)
    events = [run.event for run in dissect.dissect(lab_tapes.make(name)) if run.event]
    dice = random.Random(name)
    cuttings = [[whole], [whole[at : at + 1] for at in range(len(whole))]]
    for _ in range(5):
        places = sorted(dice.sample(range(len(whole)), 20))
        cuttings.append([whole[start:end] for start, end in zip([0, *places], [*places, len(whole)])])
    for pieces in cuttings:
        runs = dissect.dissect(recut(lab_tapes.make(name), pieces))
        assert joined(runs) == whole
        assert [run.event for run in runs if run.event] == events


def kinds_of(*pieces, headers=(lab_tapes.EVENTS_TYPE, lab_tapes.CHUNKED), how="eof"):
    exchange = lab_tapes.Tape().stream(pieces, headers=headers, how=how)
    return [(run.kind, run.data) for run in dissect.dissect(exchange)]


PLAIN = (lab_tapes.EVENTS_TYPE,)
ROWS = {
    "a chunk with one event": (
        [b"9\r\ndata: 1\n\n\r\n", b"0\r\n\r\n"],
        {},
        [
            ("chunk size", b"9\r\n"),
            ("data", b"data: 1\n"),
            ("blank line", b"\n"),
            ("chunk end", b"\r\n"),
            ("last chunk", b"0\r\n"),
            ("end of the body", b"\r\n"),
        ],
    ),
    "an event over two chunks": (
        [b"4\r\ndata\r\n", b"5\r\n: 1\n\n\r\n"],
        {},
        [
            ("chunk size", b"4\r\n"),
            ("data", b"data"),
            ("chunk end", b"\r\n"),
            ("chunk size", b"5\r\n"),
            ("data", b": 1\n"),
            ("blank line", b"\n"),
            ("chunk end", b"\r\n"),
        ],
    ),
    "a size line over two reads": (
        [b"9", b"\r\ndata: 1\n\n\r\n"],
        {},
        [
            ("chunk framing", b"9"),
            ("chunk size", b"\r\n"),
            ("data", b"data: 1\n"),
            ("blank line", b"\n"),
            ("chunk end", b"\r\n"),
        ],
    ),
    "a trailer and what nobody asked for": (
        [b"0\r\nX-Sum: 1\r\n\r\nHTTP/1.1 200 OK\r\n"],
        {},
        [
            ("last chunk", b"0\r\n"),
            ("trailer", b"X-Sum: 1\r\n"),
            ("end of the body", b"\r\n"),
            ("surplus", b"HTTP/1.1 200 OK\r\n"),
        ],
    ),
    "a size that is no number": (
        [b"zz\r\ndata: 1\n\n"],
        {},
        [("broken framing", b"zz\r\n"), ("unreadable", b"data: 1\n\n")],
    ),
    "a chunk longer than its size": (
        [b"3\r\n: abc\r\n"],
        {},
        [("chunk size", b"3\r\n"), ("comment", b": a"), ("broken framing", b"bc\r\n"), ("end of the body", b"")],
    ),
    "comments, ids, names and fields of nobody's": (
        [b": hi\nid: 3\nevent: x\nretry: 5\nfoo: 1\nerror: {}\n\n"],
        {"headers": PLAIN},
        [
            ("comment", b": hi\n"),
            ("id", b"id: 3\n"),
            ("event", b"event: x\n"),
            ("retry", b"retry: 5\n"),
            ("unknown field", b"foo: 1\n"),
            ("error", b"error: {}\n"),
            ("blank line", b"\n"),
        ],
    ),
    "CR LF whose halves come in two reads": (
        [b"data: 1\r", b"\n\r\n"],
        {"headers": PLAIN},
        [("data", b"data: 1\r"), ("line end", b"\n"), ("blank line", b"\r\n")],
    ),
    "a byte order mark": (
        [b"\xef\xbb\xbfdata: 1\n\n"],
        {"headers": PLAIN},
        [("data", b"\xef\xbb\xbfdata: 1\n"), ("blank line", b"\n")],
    ),
    "the end inside an event": (
        [b"data: 1\nda"],
        {"headers": PLAIN},
        [("data", b"data: 1\n"), ("line", b"da"), ("end of the body", b"")],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_run_is_told_by_the_rule_that_consumes_it(name):
    pieces, options, expected = ROWS[name]
    assert kinds_of(*pieces, **options) == expected


def test_a_blank_line_without_data_before_it_sends_nothing_off():
    exchange = lab_tapes.Tape().stream([b"\n: ping\n\n"], headers=PLAIN)
    assert [run.event for run in dissect.dissect(exchange)] == [None, None, None]


def test_a_whole_body_is_one_run_a_read():
    exchange = lab_tapes.make("whole")
    assert [(run.kind, run.read) for run in dissect.dissect(exchange)] == [("body", 1)]


def test_without_an_answer_there_is_nothing_to_take_apart():
    assert dissect.dissect(lab_tapes.make("unreachable")) == []
