"""The event stream decoder: rows by the names of the standard's own test suite, rows by what servers were seen to do.

Every row is fed whole, byte by byte, and at random cuts: where a read ends must never make a difference.
"""

import json
import random
import re

import pytest

from . import module

sse = module("protocol.sse")
errors = module("protocol.errors")
Event = sse.Event


def pieces_of(data, how):
    """`data` in pieces: whole, byte by byte, cut after its first blank line, or at cuts that the seed `how` decides."""
    if how == "whole":
        return [data]
    if how == "bytes":
        return [data[at : at + 1] for at in range(len(data))]
    if how == "blank":
        return re.split(rb"(?<=\n\n)|(?<=\r\r)|(?<=\r\n\r\n)", data, maxsplit=1)
    dice = random.Random(how)
    places = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(1, 12)))
    return [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)])]


def decode(wire, how="whole", **options):
    """The events that came while feeding, those that came at the end, and the decoder."""
    decoder = sse.SSEDecoder(**options)
    fed = [event for piece in pieces_of(wire, how) for event in decoder.feed(piece)]
    return fed, decoder.close(), decoder


CUTS = ["whole", "bytes", "blank", *range(12)]

# name: (wire, events). The names are those of web-platform-tests eventsource/format-*; the bytes are our own.
STANDARD = {
    "format-bom": (b"\xef\xbb\xbfdata:one\n\n\xef\xbb\xbfdata:two\n\ndata:three\n\n", [Event("one"), Event("three")]),
    "format-bom-2": (b"\xef\xbb\xbf\xef\xbb\xbfdata:one\n\ndata:two\n\n", [Event("two")]),
    "format-comments": (
        b"data:a\n:\0\n:\r\ndata:b\n:" + b"long " * 500 + b"\rdata:c\n:data:no\n\n",
        [Event("a\nb\nc")],
    ),
    "format-data-before-final-empty-line": (b"retry:500\ndata:half", []),
    "format-field-data": (b"data:\n\ndata\ndata\n\ndata:end\n\n", [Event(""), Event("\n"), Event("end")]),
    "format-field-event": (b"event:greeting\ndata:a\n\ndata:b\n\n", [Event("a", "greeting"), Event("b")]),
    "format-field-event-empty": (b"event: \ndata:a\n\n", [Event("a")]),
    "format-field-event-last-wins": (b"event:x\nevent:y\ndata:a\n\n", [Event("a", "y")]),
    "format-field-id": (b"id: caf\xc3\xa9\ndata:a\n\ndata:b\n\n", [Event("a", "", "café"), Event("b", "", "café")]),
    "format-field-id-2": (
        b"data:a\n\nid:1\ndata:b\n\nid\ndata:c\n\n",
        [Event("a"), Event("b", "", "1"), Event("c")],
    ),
    "format-field-id-3": (b"id:1\n\ndata:a\n\n", [Event("a", "", "1")]),
    "format-field-id-null": (
        b"id:1\ndata:a\n\nid:2\0\ndata:b\n\nid:\0\ndata:c\n\n",
        [Event("a", "", "1"), Event("b", "", "1"), Event("c", "", "1")],
    ),
    "format-field-parsing": (
        b"DATA:no\rdata:  two spaces\n\0data:no\ndata\0:no\rdata-:no\ndata:a:b\r\n data:no\rdata:\n\r",
        [Event(" two spaces\na:b\n")],
    ),
    "format-field-retry": (b"retry:03000\ndata:x\n\n", [Event("x", "", "", 3000)]),
    "format-field-retry-bogus": (b"retry:3000\nretry:1000x\ndata:x\n\n", [Event("x", "", "", 3000)]),
    "format-field-retry-empty": (b"retry\ndata:x\n\n", [Event("x")]),
    "format-field-retry-not-ascii-digits": ("retry:٣٠٠\ndata:x\n\n".encode(), [Event("x")]),
    "format-field-retry-thousands-of-digits": (b"retry:" + b"9" * 9000 + b"\ndata:x\n\n", [Event("x")]),
    "format-field-unknown": (b"data:a\n data:b\ndata\nfoobar:c\njust text\n:x\ndata:d\n\n", [Event("a\n\nd")]),
    "format-leading-space": (b"data:\tx\rdata: \ndata:y\n\n", [Event("\tx\n\ny")]),
    "format-newlines": (b"data:x\r\ndata\ndata:y\r\n\r", [Event("x\n\ny")]),
    "format-null-character": (b"data:\0\n\n\n\n", [Event("\0")]),
    "format-utf-8": (b"data:ok\xe2\x80\xa6 \xc5\x93\n\n", [Event("ok… œ")]),
    "format-utf-8-broken": (b"data:a\xffb\xe2\x82\ndata:\xf0\x9f\n\n", [Event("a\ufffdb\ufffd\n\ufffd")]),
    "no data, no event, and the event name is forgotten": (b"event:x\n\ndata:a\n\n", [Event("a")]),
    "retry alone": (b"retry:7\n\ndata:a\n\n", [Event("a")]),
    "id comes into force at the blank line": (b"data:a\nid:9\n\n", [Event("a", "", "9")]),
}

SALUT = '{"choices":[{"index":0,"delta":{"content":"Salut !"}}]}'
CHUNK = SALUT.encode()
DONE = Event("[DONE]")

# What servers were seen to send. name: (wire, data of the events with the end of the body)
SEEN = {
    "control": (b"data: %b\n\ndata: [DONE]\n\n" % CHUNK, [SALUT, "[DONE]"]),
    "no space after the colon (Kimi)": (b"data:%b\n\ndata:[DONE]\n\n" % CHUNK, [SALUT, "[DONE]"]),
    "with and without the space": (
        b"data:%b\n\ndata: %b\n\ndata:[DONE]\n\n" % (CHUNK, CHUNK),
        [SALUT, SALUT, "[DONE]"],
    ),
    "with the space, then without": (b"data: %b\n\ndata:%b\n\n" % (CHUNK, CHUNK), [SALUT, SALUT]),
    "two spaces, one belongs to the JSON": (b"data:  %b\n\ndata:  [DONE]\n\n" % CHUNK, [" " + SALUT, " [DONE]"]),
    "CRLF (IIS)": (b"data: %b\r\n\r\ndata: [DONE]\r\n\r\n" % CHUNK, [SALUT, "[DONE]"]),
    "bare CR": (b"data: %b\r\rdata: [DONE]\r\r" % CHUNK, [SALUT, "[DONE]"]),
    "LF and CRLF mixed": (b"data: %b\r\n\ndata: %b\n\r\ndata: [DONE]\r\n\n" % (CHUNK, CHUNK), [SALUT, SALUT, "[DONE]"]),
    "BOM before the first field": (b"\xef\xbb\xbfdata: %b\n\n" % CHUNK, [SALUT]),
    "comment keep-alives (OpenRouter)": (
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\ndata: %b\n\n: wait\n\ndata: [DONE]\n\n" % CHUNK,
        [SALUT, "[DONE]"],
    ),
    "keep-alives while queued (DeepSeek)": (b": keep-alive\n\n" * 5 + b"data: %b\n\n" % CHUNK, [SALUT]),
    "comment directly before data (llmgateway)": (b": ping\ndata: %b\n\n" % CHUNK, [SALUT]),
    "id on every event, comment and blank lines": (b"id: 1\ndata: %b\n\n: hi\n\n\n\nid: 2\n\n" % CHUNK, [SALUT]),
    "retry, event and id without data": (b"retry: 3000\n\nevent: ping\n\nid: 7\n\ndata: %b\n\n" % CHUNK, [SALUT]),
    "heartbeats with empty data": (b"data:\n\ndata: \n\ndata: %b\n\n" % CHUNK, ["", "", SALUT]),
    "ping events with JSON": (
        b'event: ping\ndata: {"type": "ping"}\n\ndata: %b\n\n' % CHUNK,
        ['{"type": "ping"}', SALUT],
    ),
    "three data lines (pretty printers)": (b'data: {\ndata:  "a": 1\ndata: }\n\n', ['{\n "a": 1\n}']),
    "unknown fields, a line without colon": (b"nonsense\ntrace: 5\ndata: %b\nx\n\n" % CHUNK, [SALUT]),
    "[DONE] without a line end": (b"data: %b\n\ndata: [DONE]" % CHUNK, [SALUT, "[DONE]"]),
    "[DONE] with one line end": (b"data: %b\n\ndata: [DONE]\n" % CHUNK, [SALUT, "[DONE]"]),
    "last event without a blank line": (b"data: %b\n\ndata: %b\n" % (CHUNK, CHUNK), [SALUT, SALUT]),
    "last event without a line end": (b"data: %b\n\ndata: %b" % (CHUNK, CHUNK), [SALUT, SALUT]),
    "last event with half a CRLF": (b"data: %b\r\n\r\ndata: %b\r" % (CHUNK, CHUNK), [SALUT, SALUT]),
    "one event and no line end, after a BOM": (b"\xef\xbb\xbfdata: %b" % CHUNK, [SALUT]),
    "white space after [DONE]": (b"data: [DONE] \t\n\n", ["[DONE] \t"]),
    "comment and event after [DONE]": (b"data: [DONE]\n\n: bye\n\ndata: {}\n\n", ["[DONE]", "{}"]),
    "raw U+2028, U+2029, U+0085": ('data: {"t":"a\u2028b\u2029c\x85d"}\n\n'.encode(), ['{"t":"a\u2028b\u2029c\x85d"}']),
    "other ends of line that are none": (b'data: {"t":"\x0b\x0c\x1c\x1d\x1e"}\n\n', ['{"t":"\x0b\x0c\x1c\x1d\x1e"}']),
    "two, three and four bytes a character": ('data: {"t":"é€🎉"}\n\n'.encode() * 2, ['{"t":"é€🎉"}'] * 2),
    "escaped astral character": (b'data: {"t":"\\ud83c\\udf89"}\n\n', ['{"t":"\\ud83c\\udf89"}']),
    "a comment turned into data (llm-gateway)": (
        b"data: : keep-alive\n\ndata: %b\n\n" % CHUNK,
        [": keep-alive", SALUT],
    ),
    "one frame cut off, the next glued on (GLM)": (b'data: {"cho\ndata: %b\n\n' % CHUNK, ['{"cho\n' + SALUT]),
    "the sample": (
        b': keep-alive\n\ndata:{"choices":[]}\r\n\r\nid: 3\n\ndata: [DONE]',
        ['{"choices":[]}', "[DONE]"],
    ),
    "cut in the middle of an event": (b'data: %b\n\ndata: {"choi' % CHUNK, [SALUT]),
    "empty body": (b"", []),
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_to_the_letter(name, how):
    """The rules of WHATWG HTML 9.2.6, wherever the reads were cut."""
    wire, expected = STANDARD[name]
    fed, at_end, _ = decode(wire, how)
    assert fed == expected
    assert at_end == []


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", SEEN)
def test_what_servers_send(name, how):
    """Each oddity of the wire gives the events that the server meant."""
    wire, expected = SEEN[name]
    fed, at_end, _ = decode(wire, how)
    assert [event.data for event in fed + at_end] == expected


def test_crlf_cut_between_every_cr_and_lf():
    """An LF that begins a read ends no line of its own if a CR ended the read before."""
    wire = b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"
    decoder = sse.SSEDecoder()
    events = [event for piece in re.split(rb"(?<=\r)", wire) for event in decoder.feed(piece)]
    assert events == [Event("a\nb"), Event("c")]


def test_an_event_is_given_out_at_the_cr_that_ends_it():
    """A lone CR is a line end at once: waiting for an LF that may never come would hold text back."""
    decoder = sse.SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [Event("a")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: b\n\n") == [Event("b")]


def test_every_cut_of_one_frame():
    """One event, cut at each place, stays one event."""
    for end in (b"\n", b"\r", b"\r\n"):
        wire = b": x" + end + 'data: {"t":"é"}'.encode() + end + end
        for cut in range(len(wire) + 1):
            decoder = sse.SSEDecoder()
            assert decoder.feed(wire[:cut]) + decoder.feed(wire[cut:]) == [Event('{"t":"é"}')]


UNFINISHED = {
    "half a JSON": (b'data: {"a":', 'data: {"a":'),
    "plain words": (b"event: error\ndata: out of memory\n", "data: out of memory\n"),
    "two lines": (b"data: {\ndata: 1", "data: {\ndata: 1"),
    "half a field": (b"dat", "dat"),
    "half a character": (b'data: "\xe2\x82', 'data: "\ufffd'),
    "half a comment loses nothing": (b": keep-al", ""),
    "a whole event": (b"data: {}", ""),
    "an event name": (b"event: ping\n", ""),
    "deeper than Python's stack": (b"data: " + b"[" * 200_000, "data: " + "[" * 200_000),
}


@pytest.mark.parametrize("name", UNFINISHED)
def test_what_the_end_cut_off_is_remembered(name):
    """What `close` does not give out stands in `unfinished`, for the error message."""
    wire, expected = UNFINISHED[name]
    decoder = sse.SSEDecoder()
    assert decoder.feed(wire) == []
    decoder.close()
    assert decoder.unfinished == expected


ERROR_FIELD = {
    "error field instead of data (llama.cpp)": (b'error: {"code":400}\n\n', [Event('{"code":400}', "error")], []),
    "at the end of the body": (b'error: {"code":400}', [], [Event('{"code":400}', "error")]),
    "data wins": (b"error: no\ndata: yes\n\n", [Event("yes")], []),
    "between events": (b"data: a\n\nerror: b\n\ndata: c\n\n", [Event("a"), Event("b", "error"), Event("c")], []),
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("name", ERROR_FIELD)
def test_the_field_error_can_be_reached(name, how):
    """llama.cpp's `error:` lines come out as events of that name."""
    wire, fed, at_end = ERROR_FIELD[name]
    assert decode(wire, how)[:2] == (fed, at_end)


def test_ids_and_retry_stay_in_force():
    """`last_event_id` changes at a blank line, `retry_ms` at once, and both outlive the connection."""
    decoder = sse.SSEDecoder()
    decoder.feed(b"id: 1\nretry: 250\n")
    assert (decoder.last_event_id, decoder.retry_ms) == ("", 250)
    decoder.feed(b"\nid: 2\n")
    assert (decoder.last_event_id, decoder.retry_ms) == ("1", 250)
    decoder.close()
    assert decoder.feed(b"\ndata: x\n\n") == [Event("x", "", "1")]
    assert (decoder.last_event_id, decoder.retry_ms) == ("1", 250)


def test_a_closed_decoder_begins_anew():
    """After `close` nothing of the old stream is left, and a BOM may come again."""
    decoder = sse.SSEDecoder()
    decoder.feed(b"event: x\ndata: half\r")
    decoder.close()
    assert decoder.close() == []
    assert decoder.feed(b"\n\xef\xbb\xbf") == []
    decoder.close()
    assert decoder.feed(b"\xef\xbb\xbfdata: new\n\n") == [Event("new")]


def simple_events(data):
    """The standard once more, as plainly as it can be said, for comparison."""
    text = data.decode("utf-8", "replace")
    lines = re.split("\r\n|\r|\n", text[1:] if text.startswith("\ufeff") else text)
    events, last_id, id_buffer = [], "", ""
    found, name, retry = [], "", None
    for line in lines[:-1]:
        field, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if line == "":
            last_id = id_buffer
            if found:
                events.append(("\n".join(found), name, last_id, retry))
            found, name, retry = [], "", None
        elif field == "data":
            found.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return events, last_id


def test_random_streams_against_a_plain_reading_of_the_standard():
    """Two thousand random streams, each at random cuts, agree with a decoder that is too simple to be wrong."""
    dice = random.Random(20261121)
    words = [b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"data: ", b"data:", b"data", b":", b" ", b"id: 4", b"id:\0"]
    words += [
        b"event: e",
        b"retry: 20",
        b'{"a":1}',
        "é🎉\u2028".encode(),
        b"\xff",
        b"\xef\xbb\xbf",
        b"data: {}\n\n",
        b"x",
    ]
    for _ in range(2000):
        wire = b"".join(dice.choice(words) for _ in range(dice.randrange(40)))
        for how in ("whole", "bytes", "blank", dice.randrange(10**9)):
            decoder = sse.SSEDecoder()
            fed = [tuple(event) for piece in pieces_of(wire, how) for event in decoder.feed(piece)]
            assert (fed, decoder.last_event_id) == simple_events(wire), (wire, how)


def test_an_event_of_64_mib_in_reads_of_4_kib():
    """A long event costs time in proportion to its length: a quadratic decoder would be here for minutes."""
    block = b"A" * 4096
    decoder = sse.SSEDecoder()
    events = decoder.feed(b'data: {"audio":"')
    for _ in range(16 * 1024):
        events += decoder.feed(block)
    events += decoder.feed(b'"}\n\n')
    assert [len(event.data) for event in events] == [len('{"audio":""}') + 64 * 1024 * 1024]


def test_ten_thousand_data_lines_are_one_event():
    """Many lines, one read each, are joined in order."""
    decoder = sse.SSEDecoder()
    events = [event for at in range(10_000) for event in decoder.feed(b"data: %d\n" % at)] + decoder.feed(b"\n")
    assert events == [Event("\n".join(map(str, range(10_000))))]


@pytest.mark.parametrize("how", CUTS)
def test_over_the_limit_the_earlier_events_still_come(how):
    """The limit counts the bytes since the last blank line; what came before the oversized event is not lost."""
    decoder = sse.SSEDecoder(max_event_bytes=40)
    wire = b"data: small\r\n\r\n" * 8 + b"\n\n: c\n\ndata: " + b"x" * 40 + b"\n\ndata: after\n\n"
    fed = []
    with pytest.raises(errors.InvalidResponseError, match="longer than 40 bytes"):
        for piece in pieces_of(wire, how):
            fed += decoder.feed(piece)
        decoder.close()
    assert fed == [Event("small")] * 8


@pytest.mark.parametrize("how", CUTS)
def test_at_the_limit_all_is_well(how):
    """An event of exactly the limit passes, and so do any number of them."""
    event = b"data: " + b"x" * 32 + b"\n\n"
    assert len(event) == 40
    fed, _, _ = decode(event * 9, how, max_event_bytes=40)
    assert fed == [Event("x" * 32)] * 9
    for wire in (event * 9, b"\n" + event, b"data: x\n\n" + event, b"data: x\n\n\n" + event):
        with pytest.raises(errors.InvalidResponseError):
            decode(wire, how, max_event_bytes=39)


def test_once_over_the_limit_nothing_more_comes():
    """After an oversized event the stream is lost, even if the next read would be a good event."""
    decoder = sse.SSEDecoder(max_event_bytes=40)
    assert decoder.feed(b"data: a\n\ndata: " + b"x" * 40 + b"\n\n") == [Event("a")]
    for call in (lambda: decoder.feed(b"data: b\n\n"), decoder.close):
        with pytest.raises(errors.InvalidResponseError):
            call()


def test_no_limit():
    """None means no bound."""
    fed, _, _ = decode(b"data: " + b"x" * 1000 + b"\n\n", "bytes", max_event_bytes=None)
    assert [len(event.data) for event in fed] == [1000]


def test_events_are_tuples_with_names():
    """An event made on the quick way is the same as one made by hand."""
    decoder = sse.SSEDecoder()
    decoder.feed(b"data: a\n\n")
    (event,) = decoder.feed(b"data: " + json.dumps({"a": 1}).encode() + b"\n\n")
    assert isinstance(event, Event)
    assert (event.data, event.event, event.id, event.retry_ms) == ('{"a": 1}', "", "", None)
