"""The quick way for a token gives what the long way gives: the same text, the same reply, the same errors."""

import json
import random

import pytest

from . import module
from .test_chunks import ROWS, SURROGATES, chunk, text_chunk
from .test_quirks import STREAMS

answer = module("protocol.answer")
frames = module("protocol.frame")


def read(data, *, text_only=False, by_frames=True):
    """What a caller gets to see of a body, and its chunks."""
    reader = answer.StreamReader(200, {"content-type": "text/event-stream"})
    reader.text_only = text_only
    if not by_frames:
        reader._pieces.__self__.learn = lambda data, chunk: None
    pieces = [*reader.feed(data), *reader.close()]
    texts = [piece.text for piece in pieces if piece.text]
    seen = texts, [piece.event for piece in pieces], reader.reply(), reader.complete, str(reader.error)
    return seen, [piece.chunk for piece in pieces if piece.chunk is not None]


def events(chunks, ensure_ascii=True, separators=None):
    texts = [json.dumps(chunk, ensure_ascii=ensure_ascii, separators=separators) for chunk in chunks]
    return "".join(f"data: {text}\n\n" for text in [*texts, "[DONE]"]).encode("utf-8", "surrogatepass")


def check(data):
    """All three ways see the same; how many chunks are parsed where only text is wanted."""
    seen, chunks = read(data, by_frames=False)
    assert read(data) == (seen, chunks)
    parsed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "json_in", lambda text, loads=answer.json_in: [parsed.append(text), loads(text)][1])
        quick, marks = read(data, text_only=True)
    assert quick == seen
    assert len(marks) == len(chunks)  # that a chunk came is seen of every one: it is a sign of life
    return len([text for text in parsed if text != "[DONE]"])


@pytest.mark.parametrize("name", STREAMS)
def test_real_streams_read_alike(name):
    """Every stream that servers were seen to send."""
    check(STREAMS[name][1])


CHUNKS = {**ROWS, **SURROGATES}


@pytest.mark.parametrize("compact", [None, (",", ":")], ids=["spaces", "compact"])
@pytest.mark.parametrize("name", CHUNKS)
def test_odd_chunks_among_plain_ones_read_alike(name, compact):
    """A frame is learned before each odd chunk, and again behind it."""
    parts = CHUNKS[name][0]
    mixed = []
    for part in parts:
        mixed += [text_chunk("a"), text_chunk("b"), part, part, text_chunk("c"), text_chunk("d")]
    check(events(mixed, separators=compact))


PIECES = [" the", "a", "é", "\n", '"', "\\", "\u2028", "\ud83d", "\ude00", "\x7f", "content", '":"', "", "\t", "?", "}"]


@pytest.mark.parametrize("seed", range(60))
def test_random_answers_read_alike(seed):
    """Odd texts, a few envelopes, two choices, an error now and then."""
    dice = random.Random(seed)
    beside = [{}, {"logprobs": None}, {"finish_reason": None}, {"logprobs": {"content": [{"token": "x"}]}}]
    top = [
        {},
        {"usage": None},
        {"usage": {"total_tokens": 3}},
        {"obfuscation": "x7"},
        {"model": "content"},
        {"error": {"code": 1}},
    ]
    chunks = []
    for _ in range(40):
        envelope = dice.choice(top[:5] if dice.random() < 0.95 else top)
        chunk = text_chunk("x", **dice.choice(beside))
        for _ in range(dice.randrange(1, 8)):
            text = "".join(dice.choice(PIECES) for _ in range(dice.randrange(3)))
            choice = {**chunk["choices"][0], "index": int(dice.random() < 0.1), "delta": {"content": text}}
            chunks.append({**chunk, "choices": [choice], **envelope})
    check(events(chunks, ensure_ascii=dice.random() < 0.5 or seed < 5, separators=dice.choice([None, (",", ":")])))


def test_a_token_that_repeats_the_envelope_is_not_parsed():
    """But for the one that was learned from; whatever the letters, and however they are escaped."""
    texts = ["Hel", "lo", " wor", '"', "ld", "", "\n", "語", "\ud83d", "\ude00", "!"]
    assert check(events([text_chunk(text) for text in texts])) == 1
    assert check(events([text_chunk(text) for text in texts[5:]])) == 2  # where there is no text nothing is learned


PADDED = {
    "OpenAI": (True, lambda text, pad: {**text_chunk(text), "usage": None, "obfuscation": pad}),
    "in front of the text": (False, lambda text, pad: {"obfuscation": pad, **text_chunk(text)}),
    "within the choice": (False, lambda text, pad: {**text_chunk(text, obfuscation=pad), "obfuscation": "x"}),
    "the same elsewhere": (
        False,
        lambda text, pad: {**text_chunk(text), "x": {"obfuscation": pad}, "obfuscation": pad},
    ),
    "a number": (False, lambda text, pad: {**text_chunk(text), "obfuscation": int(pad[-2:], 16)}),
}


@pytest.mark.parametrize("name", PADDED)
def test_padding_that_never_repeats_is_passed_over(name):
    """Where it is the padding of the chunk and stands behind the text; elsewhere every chunk is parsed."""
    passed_over, build = PADDED[name]
    chunks = [build(f"w{number} ", f"{'Zq7'[: number % 4]}{number:02x}") for number in range(40)]
    assert check(events(chunks)) == (1 if passed_over else 40)


@pytest.mark.parametrize("separators", [None, (",", ":")], ids=["spaces", "compact"])
@pytest.mark.parametrize(
    "delta",
    [
        lambda text: {"reasoning_content": text},
        lambda text: {"content": None, "reasoning_content": text},
        lambda text: {"role": "assistant", "content": "", "reasoning": text},
    ],
    ids=["alone", "beside null", "beside a role and an empty text"],
)
def test_a_thought_that_repeats_the_envelope_is_not_parsed(delta, separators):
    """The first thought is, and the first text behind it; a text that only thinks is told of as a chunk, and not shown."""
    thoughts = [chunk(delta(text)) for text in ("So", " the\n", ' "answer"', " is", "")]
    texts = [text_chunk(text) for text in ("4", "2", ".")]
    assert check(events([*thoughts, *texts], separators=separators)) == 2


def test_what_a_chunk_changed_is_not_overlooked():
    """A frame is forgotten when another chunk has said something else: its next one has to say it again."""
    first, other = {**text_chunk("a"), "service_tier": "one"}, {**text_chunk("b"), "service_tier": "two"}
    no_choice = {**first, "choices": [], "service_tier": "two"}
    finish = {**text_chunk("", "stop"), "service_tier": "two"}
    for between in (other, no_choice, finish):
        for turns in (1, 9):
            check(events([first, first, between, first] * turns))
            check(events([first, first, between] * turns))


def test_an_event_of_many_lines_is_in_no_frame():
    """Nothing is known before the first chunk, and blank lines are no ends."""
    for text_only in (True, False):
        seen, _ = read(b"data:\ndata: abc\ndata:\n\n", text_only=text_only)
        assert seen == read(b"data:\ndata: abc\ndata:\n\n", by_frames=False)[0]
        assert "is not JSON" in seen[-1]


def test_envelopes_that_never_repeat_are_soon_left_alone():
    """To learn costs as much as to parse; an envelope that then repeats after all is parsed each time."""
    changing = [{**text_chunk("a"), "created": number} for number in range(9)]
    assert check(events([*changing, *[text_chunk("b")] * 9])) == 18
    assert check(events([*changing[:3], *[text_chunk("b")] * 9])) == 4


LOOK_ALIKES = [
    ("the text of a message beside the delta", '{"choices":[{"index":0,"message":{"content":"a"},"delta":{"content" :"a"}}]}'),
    ("the same key at the top", '{"content":"a","choices":[{"index":0,"delta":{"content" :"a"}}]}'),
    ("the same key in another object", '{"x":{"content":"a"},"choices":[{"index":0,"delta":{"content" :"a"}}]}'),
    ("two choices", '{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}'),
    ("the second choice alone", '{"choices":[{"index":1,"delta":{"content":"a"}}]}'),
    ("a finish beside it", '{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'),
    ("logprobs beside it", '{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]}}]}'),
    ("a tool call beside it", '{"choices":[{"index":0,"delta":{"content":"a","tool_calls":[{"index":0}]}}]}'),
    ("a thought beside it", '{"choices":[{"index":0,"delta":{"content":"a","reasoning":"b"}}]}'),
    ("a role alone", '{"choices":[{"index":0,"delta":{"role":"assistant"}}]}'),
    ("no text", '{"choices":[{"index":0,"delta":{"content":""}}]}'),
    ("a very long one", '{"choices":[{"index":0,"delta":{"content":"%s"}}]}' % ("a" * 5000)),
]  # fmt: skip


@pytest.mark.parametrize("data", [row[1] for row in LOOK_ALIKES], ids=[row[0] for row in LOOK_ALIKES])
def test_what_is_no_frame_is_not_learned(data):
    """Only a text that is all its chunk says, and stands where it is looked for."""
    frame = frames.Frame(answer.Piece)
    frame.learn(data, json.loads(data))
    assert frame.text_in(data) is None


ENDS = [
    ("another text", '"b"', "b"),
    ("a longer one", '"hello, world"', "hello, world"),
    ("letters of other scripts", '"語"', "語"),
    ("a quotation mark inside, escaped", r'"\""', '"'),
    ("an escape", r'"\n"', "\n"),
    ("letters that are escaped", r'"\u8a9e"', "語"),
    ("the text ends early, and more follows", '"b","role":"x"', None),
    ("the text does not end", r'"b\"', None),
    ("the text does not begin", "b", None),
    ("no text", '""', ""),
    ("no string", "null", None),
    ("a control character, which JSON forbids", '"\x01"', None),
    ("an escape that JSON does not know", r'"\x"', None),
]


@pytest.mark.parametrize("inside, text", [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
@pytest.mark.parametrize("padding", ["", '"p1"'], ids=["bare", "padded"])
def test_a_text_is_cut_out_where_it_is_whole(inside, text, padding):
    """Else the long way judges it."""
    data = '{"choices":[{"index":0,"delta":{"content":"a"}}]%s}' % (padding and f',"obfuscation":{padding}')
    frame = frames.Frame(answer.Piece)
    frame.learn(data, json.loads(data))
    assert frame.text_in(data.replace('"a"', inside)) == text
    if padding:
        shown = None if inside in ("null", "b") or text is None else "a"
        assert frame.text_in(data.replace(padding, inside)) == shown


def test_the_two_ends_do_not_overlap():
    """What is cut off, or shorter than the frame, is not in it."""
    data = '{"choices":[{"index":0,"delta":{"content":"a"}}],"obfuscation":"p1"}'
    frame = frames.Frame(answer.Piece)
    frame.learn(data, json.loads(data))
    assert frame.text_in(data) == "a"
    assert [frame.text_in(data[:end]) for end in range(len(data))] == [None] * len(data)
    assert frame.text_in(data + " ") is None
