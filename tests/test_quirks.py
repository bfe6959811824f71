"""What real servers were seen to do, run from the bytes to what the caller gets.

The parts have their own tables (test_sse, test_chunks, test_answer, test_status, test_retry, test_cost). Here stand the
rows that only show when the parts work together: the framing of a stream and the judgement of its first bytes, an
answer and its bill, an error and the wait that follows it, a broken connection and the text that is kept. Every stream
is fed whole, byte by byte and at random cuts.
"""

import io
import itertools
import json
import random
import time

import pytest

from . import forms, module, rawchat
from .doors import CLOSE, RESET, RawServer, chunk as http_chunk, head
from .scripts import GOOD, completion, delta, stream

answer = module("protocol.answer")
cost = module("protocol.cost")
status = module("protocol.status")
memory = module("transport.memory")
stream_module = module("stream")

KEY = "sk-test-0123456789abcdef"
LABEL = {"content-type": "text/event-stream"}
# UTF-8 in which the byte 0x85 stands (a line end to whoever reads it as Latin-1), and ends of line that are none in SSE.
TRICKY = "Å… \u2028x\u2029y\x85z ✅"


def choice(content=None, finish=None, **beside):
    return {"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": finish, **beside}


def of(*choices, **top):
    """One chunk with these choices."""
    return {"id": "q1", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": list(choices), **top}


def tokens(prompt, completion, **more):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **more}


def wire(*items, start="data: ", end="\n\n", done=True, ascii_only=False):
    """An event stream: a dict is an event, a string goes out as it is."""
    parts = [
        item if isinstance(item, str) else f"{start}{json.dumps(item, ensure_ascii=ascii_only)}{end}" for item in items
    ]
    return "".join([*parts, f"{start}[DONE]{end}"] if done else parts).encode()


SALUT = (of(choice("Sal")), of(choice("ut !")), of(choice(finish="stop")))
PRETTY = "".join("".join(f"data: {line}\n" for line in json.dumps(item, indent=1).split("\n")) + "\n" for item in SALUT)


def counts_of(reply):
    return cost.read_usage(reply.get("usage"))


# What a row may state of a reply, by the name it states it under.
FACTS = {
    "text": lambda reply: reply.text,
    "finish": lambda reply: reply.finish_reason,
    "usage": lambda reply: reply.usage and tuple(counts_of(reply)[:3]),
    "billable": lambda reply: cost.billable_output_tokens(counts_of(reply)),
    "cached": lambda reply: counts_of(reply).cached,
    "written": lambda reply: counts_of(reply).cache_write,
    "reported": lambda reply: cost.cost_of(reply.get("usage"), None),
    "reasoning": lambda reply: reply.reasoning,
    "calls": lambda reply: [(call.id, call.function.name, call.function.arguments) for call in reply.tool_calls],
    "message": lambda reply: reply.message,
    "id": lambda reply: reply["id"],
    "created": lambda reply: reply["created"],
}


def check(reply, expected):
    assert {name: FACTS[name](reply) for name in expected} == expected


def cuts_of(data, name):
    """Whole, byte by byte, and three random cuts that are the same in every run."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    dice = random.Random(name)
    for _ in range(3):
        places = sorted(dice.randrange(len(data) + 1) for _ in range(9))
        yield [data[start:stop] for start, stop in zip([0, *places], [*places, len(data)])]


def read(pieces, headers):
    """The reader after a body in these pieces, and the text that it handed out."""
    reader = answer.StreamReader(200, headers)
    found = []
    for piece in pieces:
        found += reader.feed(piece)
    found += reader.close()
    return reader, "".join(piece.text for piece in found)


PLAIN = {"text": "Salut !", "finish": "stop"}
# 1.1 Framing, and how a body is known for a stream by its first bytes. name: (Content-Type, bytes, expected)
FRAMING = {
    "no space after the colon (Kimi)": (LABEL, wire(*SALUT, start="data:"), PLAIN),
    "two spaces, before [DONE] as well": (LABEL, wire(*SALUT, start="data:  "), PLAIN),
    "CRLF (IIS, Java)": (LABEL, wire(*SALUT, end="\r\n\r\n"), PLAIN),
    "bare CR": (LABEL, wire(*SALUT, end="\r\r"), PLAIN),
    "LF and CRLF mixed": (LABEL, wire(SALUT[0], end="\r\n\n", done=False) + wire(*SALUT[1:], end="\n\r\n"), PLAIN),
    "BOM before the first event": (LABEL, b"\xef\xbb\xbf" + wire(*SALUT), PLAIN),
    "BOM before a comment": (LABEL, b"\xef\xbb\xbf" + wire(": hello\n\n", *SALUT), PLAIN),
    "blank lines, then a BOM": (LABEL, b"\r\n\n\xef\xbb\xbf" + wire(*SALUT), PLAIN),
    "blank lines without end before the stream": (LABEL, b"\n" * 6000 + wire(*SALUT), PLAIN),
    "queued for long (DeepSeek)": (LABEL, wire(*[": keep-alive\n\n"] * 300, *SALUT), PLAIN),
    "a comment right above the data (llmgateway)": (LABEL, wire(*SALUT, start=": tick\ndata: "), PLAIN),
    "an id on every event, a comment behind it": (LABEL, wire(*SALUT, start="id: 4\ndata: ", end="\n\n: x\n\n"), PLAIN),
    "events of retry, id and event alone": (LABEL, wire("retry: 900\n\nid: 1\n\nevent: ping\n\n", *SALUT), PLAIN),
    "pretty-printed JSON over many data lines": (LABEL, PRETTY.encode() + b"data: [DONE]\n\n", PLAIN),
    "unknown fields and a line without colon first": (LABEL, wire("trace: 9\nnoise\n", *SALUT), PLAIN),
    "the finish is the last line and has no end": (LABEL, wire(*SALUT, done=False).rstrip(), PLAIN),
    "the sample: comment, no space and CRLF, meta-only event, no end": (
        LABEL,
        wire(": keep-alive\n\n", done=False)
        + wire(SALUT[0], start="data:", end="\r\n\r\n", done=False)
        + b"id: 3\n\ndata: [DONE]",
        {"text": "Sal", "finish": None},
    ),
    "raw U+2028, U+2029 and U+0085": (LABEL, wire(of(choice(TRICKY, "stop"))), {"text": TRICKY, "finish": "stop"}),
    "no Content-Type at all": ({}, wire(of(choice(TRICKY, "stop"))), {"text": TRICKY, "finish": "stop"}),
    "a wrong charset": (
        {"content-type": "text/event-stream; charset=iso-8859-1"},
        wire(of(choice(TRICKY, "stop"))),
        {"text": TRICKY, "finish": "stop"},
    ),
    "an escaped astral character": (
        LABEL,
        wire(of(choice("Fête 🎉", "stop")), ascii_only=True),
        {"text": "Fête 🎉", "finish": "stop"},
    ),
    "an escaped pair in two deltas": (
        LABEL,
        wire(of(choice("Fête \ud83c")), of(choice("\udf89", "stop")), ascii_only=True),
        {"text": "Fête 🎉", "finish": "stop"},
    ),
    # 1.4 another kind of body than was asked for
    "a stream labelled application/json": ({"content-type": "application/json"}, wire(*SALUT), PLAIN),
    "a stream labelled text/plain": ({"content-type": "text/plain"}, wire(*SALUT), PLAIN),
    "whole JSON in reply to a stream, with its usage": (
        {"content-type": "application/json"},
        json.dumps(completion("Whole answer", usage=tokens(9, 2))).encode(),
        {"text": "Whole answer", "finish": "stop", "usage": (9, 2, 11), "billable": 2},
    ),
    "whole JSON labelled as a stream, after a BOM": (
        LABEL,
        b"\xef\xbb\xbf" + json.dumps(completion("Whole answer")).encode(),
        {"text": "Whole answer", "finish": "stop"},
    ),
    "whole JSON after thousands of blank lines": (
        LABEL,
        b"\n" * 6000 + json.dumps(completion("Whole answer")).encode(),
        {"text": "Whole answer", "finish": "stop"},
    ),
}

# 1.2 and 1.3 Chunks. name: (bytes, expected)
CHUNKS = {
    "the content filter's story, from first to last (Azure)": (
        wire(
            {"choices": [], "id": "", "model": "", "created": 0, "prompt_filter_results": [{"prompt_index": 0}]},
            of(choice("Bon")),
            of(choice("jour", "stop")),
            {"id": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}}]},
        ),
        {"text": "Bonjour", "finish": "stop", "id": "q1", "created": 5},
    ),
    "delta null and choices null": (
        wire(of(choice("Bon")), of({"index": 0, "delta": None}), {"choices": None}, of(choice("jour", "stop"))),
        {"text": "Bonjour", "finish": "stop"},
    ),
    "usage under x_groq alone, in a chunk without choices": (
        wire(of(choice("Hey", "stop")), {"id": "q1", "x_groq": {"usage": tokens(21, 3)}}),
        {"text": "Hey", "finish": "stop", "usage": (21, 3, 24)},
    ),
    "usage in a chunk that has no choices key": (
        wire(of(choice("Hey", "stop")), {"id": "q1", "usage": tokens(21, 3)}),
        {"text": "Hey", "finish": "stop", "usage": (21, 3, 24)},
    ),
    "running usage is not summed": (
        wire(*[of(choice(text, end), usage=tokens(10, at)) for at, text, end in ((1, "a", None), (2, "b", "stop"))]),
        {"text": "ab", "finish": "stop", "usage": (10, 2, 12), "billable": 2},
    ),
    "delta beside a growing message, no [DONE] (Perplexity)": (
        wire(
            of(choice("Paris", message={"role": "assistant", "content": "Paris"}), usage=tokens(4, 1)),
            of(choice(" it is.", "stop", message={"role": "assistant", "content": "Paris it is."}), usage=tokens(4, 4)),
            done=False,
        ),
        {"text": "Paris it is.", "finish": "stop", "usage": (4, 4, 8)},
    ),
    "finish_reason end_turn (Anthropic through relays)": (
        wire(of(choice("Two")), of(choice(finish="end_turn")), done=False),
        {"text": "Two", "finish": "end_turn"},
    ),
    "finish_reason empty while it goes on (SGLang, GLM)": (
        wire(of(choice("A", "")), of(choice("B", "")), of(choice("C", "stop")), done=False),
        {"text": "ABC", "finish": "stop"},
    ),
    "finish_reason insufficient_system_resource is not stop (DeepSeek)": (
        wire(of(choice("Half an ans")), of(choice(finish="insufficient_system_resource"))),
        {"text": "Half an ans", "finish": "insufficient_system_resource"},
    ),
    "created as text, id as a number, model null": (
        wire({**of(choice("A")), "created": "1763", "id": 12, "model": None}, of(choice("B", "stop"))),
        {"text": "AB", "finish": "stop", "created": "1763", "id": 12},
    ),
    "nothing said, properly finished": (
        wire(of(choice("")), of(choice(finish="stop")), of(usage=tokens(5, 0))),
        {"text": "", "finish": "stop", "usage": (5, 0, 5), "billable": 0},
    ),
    "thinking under two names, and text (gateways)": (
        wire(
            *[of({"index": 0, "delta": {"reasoning": text, "reasoning_content": text}}) for text in ("Hm ", "ok")],
            of(choice("Yes", "stop")),
        ),
        {"text": "Yes", "finish": "stop", "reasoning": "Hm ok"},
    ),
}


def fragments(*entries, finish="tool_calls", text=None):
    """A stream of tool call fragments: each entry is the `tool_calls` list of one delta; `text` comes before them."""
    deltas = [{"index": 0, "delta": {"content": None, "tool_calls": entry}} for entry in entries]
    return wire(of(choice(text)), *[of(each) for each in deltas], of(choice(finish=finish)))


def fragment(index=None, id=None, name=None, arguments=None, **beside):
    entry = {"index": index, "id": id, "function": {"name": name, "arguments": arguments}, **beside}
    return {key: value for key, value in entry.items() if value is not None}


SIGNED = {"google": {"thought_signature": "c2ln"}}
CALLS = {
    "no index, a signature that must go back (Gemini)": (
        fragments([fragment(id="k", name="look", arguments='{"a":1}', extra_content=SIGNED)], finish="stop"),
        {
            "text": "",
            "finish": "stop",
            "calls": [("k", "look", '{"a":1}')],
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "k",
                        "type": "function",
                        "function": {"name": "look", "arguments": '{"a":1}'},
                        "extra_content": SIGNED,
                    }
                ],
            },
        },
    ),
    "two calls told apart by id alone": (
        fragments([fragment(id="k", name="f", arguments="{}")], [fragment(id="l", name="f", arguments="{}")], finish="stop"),
        {"text": "", "finish": "stop", "calls": [("k", "f", "{}"), ("l", "f", "{}")]},
    ),
    "two calls without index in one delta": (
        fragments([fragment(id="k", name="f", arguments="{}"), fragment(id="l", name="g", arguments="{}")], finish="stop"),
        {"text": "", "finish": "stop", "calls": [("k", "f", "{}"), ("l", "g", "{}")]},
    ),
    "index 0 for every call (Ollama 0.20)": (
        fragments([fragment(0, "k", "f", "{}")], [fragment(0, "l", "g", "{}")]),
        {"text": "", "finish": "tool_calls", "calls": [("k", "f", "{}"), ("l", "g", "{}")]},
    ),
    "id and full name in every fragment (MiniMax on NIM)": (
        fragments(*[[fragment(0, "k", "read_file", piece)] for piece in ('{"p"', ":", "1}")]),
        {"text": "", "finish": "tool_calls", "calls": [("k", "read_file", '{"p":1}')]},
    ),
    "no parameters: the raw text stays empty": (
        fragments([fragment(0, "k", "now", "")]),
        {"text": "", "finish": "tool_calls", "calls": [("k", "now", "")]},
    ),
    "indices 1 and 3 behind some text": (
        fragments([fragment(1, "k", "f", "{}")], [fragment(3, "l", "g", "{}")], text="Look. "),
        {"text": "Look. ", "finish": "tool_calls", "calls": [("k", "f", "{}"), ("l", "g", "{}")]},
    ),
    "arguments that max_tokens cut off": (
        fragments([fragment(0, "k", "f", '{"q": "unfin')], finish="length"),
        {"text": "", "finish": "length", "calls": [("k", "f", '{"q": "unfin')]},
    ),
}  # fmt: skip

STREAMS = {**FRAMING, **{name: (LABEL, *row) for name, row in {**CHUNKS, **CALLS}.items()}}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_understood(name):
    """Bytes in, a whole Reply out, wherever the reads were cut; the text was handed out as it came."""
    headers, data, expected = STREAMS[name]
    for pieces in cuts_of(data, name):
        reader, text = read(pieces, headers)

        assert reader.error is None
        assert reader.complete
        assert text == expected["text"]
        check(reader.reply(), expected)


@pytest.mark.parametrize("begin", [b"\n" * 6000, b"\xef\xbb\xbf", b"\n\xef\xbb", b": queued\n\n"])
def test_what_stands_before_a_stream_holds_nothing_back(begin):
    """However long the beginning, and wherever it was cut: the first event is given out when it comes."""
    reader = answer.StreamReader(200, LABEL)
    assert reader.feed(begin) == []
    rest = b"\xbf" if begin.endswith(b"\xef\xbb") else b""
    assert [piece.text for piece in reader.feed(rest + wire(SALUT[0], done=False))] == ["Sal"]


SAID = {"code": 502, "message": "upstream says no"}
# 1.2 and 1.4 Streams that are no answer. name: (bytes, error, worth another attempt, text that is kept, words)
BROKEN = {
    "chunks without a choice, then [DONE] (vLLM's early error)": (
        wire({"choices": [], "prompt_filter_results": []}, of(usage=tokens(5, 0))),
        "StreamInterrupted", True, "", "nothing but chunks without a choice, and [DONE]",
    ),
    "chunks without a choice, then the end": (
        wire({"choices": [], "prompt_filter_results": []}, done=False), "StreamInterrupted", True, "", "cut off",
    ),
    "finish_reason empty to the end, no [DONE]": (
        wire(of(choice("A", "")), of(choice("B", "null")), done=False), "StreamInterrupted", True, "AB", "cut off",
    ),
    "an error inside a choice without finish_reason, then [DONE]": (
        wire(of(choice("Half")), of(choice(error=SAID))), "InternalServerError", True, "Half", "upstream says no",
    ),
    "an error inside a choice with finish_reason error": (
        wire(of(choice("Half")), of(choice("!", "error", error=SAID))), "InternalServerError", True, "Half!", "502",
    ),
    "an error beside choices, code as a number, no [DONE] (OpenRouter)": (
        wire(of(choice("Half")), of(choice("", "error"), error=SAID), done=False),
        "InternalServerError", True, "Half", "upstream says no",
    ),
    "choices null beside a base_resp (MiniMax)": (
        wire({"choices": None, "base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
        "QuotaExceededError", False, "", "insufficient balance",
    ),
    "the only event is an error (llama.cpp)": (
        wire({"error": {"code": 400, "message": "too many tokens", "type": "exceed_context_size_error"}}, done=False),
        "BadRequestError", False, "", "too many tokens",
    ),
    "an event of error without code or type (LM Studio)": (
        wire(of(choice("Hm")), 'event: error\ndata: {"error":{"message":"Model unloaded"}}\n\n', done=False),
        "APIError", True, "Hm", "Model unloaded",
    ),
    "an event that is a JSON string": (
        wire(of(choice("Hm")), 'data: "no choices left"\n\n'), "InvalidResponseError", False, "Hm", "no choices left",
    ),
    "an event that is a list of words": (
        wire(of(choice("Hm")), 'data: ["choices"]\n\n'), "InvalidResponseError", False, "Hm", "choices",
    ),
    "a frame that lost its end, glued to the next (GLM)": (
        wire(of(choice("Hel")), 'data: {"choices":[{"delta":{"content":"lo', *SALUT), "InvalidResponseError", False, "Hel", "lost",
    ),
    "an unfinished line of error at the end": (
        wire(of(choice("Hel")), 'error: {"code":500,"message":"slot died"}', done=False),
        "InternalServerError", True, "Hel", "slot died",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_is_no_answer_is_never_a_success(name):
    """A typed error with its cause in words, and with everything that had arrived."""
    data, error, retryable, kept, words = BROKEN[name]
    for pieces in cuts_of(data, name):
        reader, text = read(pieces, LABEL)

        assert type(reader.error).__name__ == error, reader.error
        assert reader.error.retryable is retryable
        assert words in str(reader.error)
        assert text == kept == reader.error.reply.text
        assert not reader.complete and not reader.error.reply.complete


def one(message=None, finish="stop", **top):
    """A whole answer with one choice; `usage=None` leaves the usage out."""
    choices = [{"index": 0, "message": message or {"role": "assistant", "content": "Ready."}, "finish_reason": finish}]
    document = {
        "id": "q1",
        "object": "chat.completion",
        "model": "m",
        "choices": choices,
        "usage": tokens(11, 4),
        **top,
    }
    return {name: value for name, value in document.items() if value is not None}


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "6*7"}]}
READY = {"text": "Ready.", "finish": "stop", "usage": (11, 4, 15), "billable": 4}
# 1.5 Whole bodies and their bills. name: (document or bytes, expected)
BODIES = {
    "control": (one(), READY),
    "blank lines while queued (DeepSeek)": (b"\n" * 5000 + json.dumps(one()).encode(), READY),
    "BOM": (b"\xef\xbb\xbf" + json.dumps(one()).encode(), READY),
    "a stray terminator (9router)": (json.dumps(one()).encode() + b"data: [DONE]\n\n", READY),
    "an event stream after a BOM though none was asked for": (b"\n\xef\xbb\xbf" + wire(*SALUT), PLAIN),
    "content as a list with thinking (Magistral)": (
        one({"content": [THOUGHT, {"type": "text", "text": "42"}]}, usage=tokens(10, 20)),
        {"text": "42", "finish": "stop", "reasoning": "6*7", "usage": (10, 20, 30)},
    ),
    "arguments as an object, id empty (llama.cpp)": (
        one({"content": None, "tool_calls": [{"id": "", "function": {"name": "f", "arguments": {"a": 1}}}]}, "tool_calls"),
        {"text": "", "finish": "tool_calls", "calls": [("", "f", '{"a":1}')], "usage": (11, 4, 15)},
    ),
    "thinking only visible in the total (Gemini)": (
        one({"role": "assistant"}, "length", usage={"prompt_tokens": 8, "completion_tokens": 0, "total_tokens": 263}),
        {"text": "", "finish": "length", "usage": (8, 0, 263), "billable": 255},
    ),
    "thinking only visible in the total, completion_tokens missing (Gemini)": (
        one({"role": "assistant"}, "length", usage={"prompt_tokens": 8, "total_tokens": 263}),
        {"text": "", "finish": "length", "billable": 255},
    ),
    "choice without message (Gemini)": (
        one(choices=[{"index": 0, "finish_reason": "content_filter"}], usage=tokens(8, 0)),
        {"text": "", "finish": "content_filter", "usage": (8, 0, 8), "billable": 0},
    ),
    "odd finish_reason (Gemini)": (
        one({"content": ""}, "function_call_filter: MALFORMED_FUNCTION_CALL"),
        {"text": "", "finish": "function_call_filter: MALFORMED_FUNCTION_CALL", "usage": (11, 4, 15)},
    ),
    "reasoning beside the completion (xAI)": (
        one(usage={**tokens(12, 1), "total_tokens": 110, "completion_tokens_details": {"reasoning_tokens": 97}}),
        {"text": "Ready.", "finish": "stop", "usage": (12, 1, 110), "billable": 98},
    ),
    "reasoning and cache inside (OpenAI)": (
        one(usage=tokens(
            2000, 300, prompt_tokens_details={"cached_tokens": 1024, "cache_write_tokens": 500},
            completion_tokens_details={"reasoning_tokens": 128},
        )),
        {"text": "Ready.", "finish": "stop", "usage": (2000, 300, 2300), "billable": 300, "cached": 1024, "written": 500},
    ),
    "cache hits under another name (DeepSeek)": (
        one(usage=tokens(1000, 10, prompt_cache_hit_tokens=640, prompt_cache_miss_tokens=360)),
        {"text": "Ready.", "finish": "stop", "usage": (1000, 10, 1010), "cached": 640},
    ),
    "the price in the answer (OpenRouter)": (
        one(usage=tokens(100, 50, cost=0.00123)),
        {"text": "Ready.", "finish": "stop", "usage": (100, 50, 150), "reported": 0.00123},
    ),
    "no usage": (one(usage=None), {"text": "Ready.", "finish": "stop", "usage": None, "reported": None}),
    "completion_tokens missing": (
        one(usage={"prompt_tokens": 10, "total_tokens": 14}),
        {"text": "Ready.", "finish": "stop", "usage": (10, 4, 14), "billable": 4},
    ),
    "all zeros": (one(usage=tokens(0, 0)), {"text": "Ready.", "finish": "stop", "usage": (0, 0, 0), "billable": 0}),
    "floats": (one(usage={"prompt_tokens": 11.0, "completion_tokens": 4.0, "total_tokens": 15.0}), READY),
    "choices out of order": (
        one(choices=[
            {"index": 1, "message": {"content": "second"}, "finish_reason": "stop"},
            {"index": 0, "message": {"content": "first"}, "finish_reason": "length"},
        ], usage=tokens(3, 4)),
        {"text": "first", "finish": "length", "usage": (3, 4, 7)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_whole_body_is_understood_and_billed(name):
    """The same from a body that was asked for whole, and from one that answers a request for a stream."""
    body, expected = BODIES[name]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    check(answer.read_answer(200, {"content-type": "application/json"}, data), expected)
    for pieces in cuts_of(data, name):
        reader, text = read(pieces, {"content-type": "application/json"})
        assert (reader.error, text) == (None, expected["text"])
        check(reader.reply(), expected)


# 1.5 Whole bodies that are no answer, in the shapes that test_answer leaves out. name: (bytes, error, words)
NO_ANSWER = {
    "a number": (b"42", "InvalidResponseError", "a number, not an object"),
    "a string": (b'"ready"', "InvalidResponseError", "a string, not an object"),
    "text of a proxy": (b"no healthy upstream", "InvalidResponseError", "no healthy upstream"),
    "cut after a brace": (b'{"choices":[{"message":{}}', "InvalidResponseError", "not JSON"),
    "choices that are an object": (b'{"choices":{}}', "InvalidResponseError", '"choices" is an object'),
    "choices null beside a usage": (b'{"choices":null,"usage":{}}', "InvalidResponseError", '"choices" is null'),
}


@pytest.mark.parametrize("name", NO_ANSWER)
def test_a_whole_body_that_is_no_answer(name):
    """Never a KeyError or a JSONDecodeError: an error that says what came instead, and is not tried again."""
    data, error, words = NO_ANSWER[name]
    with pytest.raises(getattr(rawchat, error)) as caught:
        answer.read_answer(200, {"content-length": str(len(data))}, data)
    assert type(caught.value).__name__ == error
    assert words in str(caught.value)
    assert caught.value.retryable is False


# 1.6 What stays reachable on the error. name: (status, document, class, what is read from the error, its value)
REACHABLE = {
    "innererror (Azure)": (
        400, {"error": {"code": "content_filter", "message": "blocked", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        "BadRequestError", lambda error: error.body["innererror"]["code"], "ResponsibleAIPolicyViolation",
    ),
    "numbers beside the message (llama.cpp)": (
        400, {"error": {"code": 400, "message": "too long", "n_ctx": 4096}},
        "BadRequestError", lambda error: error.body["n_ctx"], 4096,
    ),
    "the provider's own words (OpenRouter)": (
        429, {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "busy at Z", "provider_name": "Z"}}},
        "RateLimitError", lambda error: error.body["metadata"]["provider_name"], "Z",
    ),
    "detail as a list with status 400 (FastAPI)": (
        400, {"detail": [{"loc": ["body", "model"], "msg": "Field required", "type": "missing"}]},
        "BadRequestError", lambda error: error.param, "model",
    ),
    "message as an object with status 400 (Mistral)": (
        400, {"object": "error", "message": {"detail": [{"loc": ["body", "top_k"], "msg": "Extra inputs"}]}, "code": None},
        "BadRequestError", lambda error: error.param, "top_k",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REACHABLE)
def test_what_the_server_said_stays_reachable(name):
    """The error has the server's object, not only its sentence."""
    number, document, error_class, read_from, value = REACHABLE[name]
    error = status.error_from(status.classify(number, {}, json.dumps(document).encode()))
    assert type(error).__name__ == error_class
    assert read_from(error) == value


def client_of(*replies, **options):
    transport = memory.MemoryTransport(list(replies))
    options = {"retry": rawchat.RetryPolicy(jitter=0.0), "transport": transport, **options}
    return rawchat.Client(KEY, "http://127.0.0.1:1/v1", **options), transport


def refusal(number, headers, body):
    return memory.reply(status=number, headers=headers, body=body)


def gemini(quota, delay):
    """Google's error as Gemini's endpoint sends it: in a list, the delay among the details."""
    details = [{"violations": [{"quotaId": quota}]}, {"retryDelay": delay}]
    message = "You exceeded your current quota, please check your plan and billing details."
    return [{"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}}]


def reset(kind, after, remaining="0"):
    return {f"x-ratelimit-reset-{kind}": after, f"x-ratelimit-remaining-{kind}": remaining}


BUSY = {"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}}
IN_20_S = {"error": {"message": "Rate limit reached. Please try again in 20s.", "code": "rate_limit_exceeded"}}
# 1.6 The wait after an error answer, everything the server says about it taken together. name: (answer, seconds)
WAITS = {
    "milliseconds before seconds before resets (OpenAI)": (
        refusal(429, {"retry-after-ms": "1187", "retry-after": "2", **reset("requests", "6m0s")}, BUSY), 1.187,
    ),
    "the sentence before a reset of six minutes (OpenAI)": (refusal(429, reset("requests", "6m0s"), IN_20_S), 20.0),
    "code 429 as text, overdrawn tokens (Azure)": (
        refusal(429, {"x-ratelimit-remaining-tokens": "-1"}, {"error": {"code": "429", "message": "Please retry after 45 seconds."}}),
        45.0,
    ),
    "RetryInfo in a list, quota per minute (Gemini)": (
        refusal(429, {}, gemini("GenerateRequestsPerMinutePerProject", "34.074824224s")), 34.074824224,
    ),
    "a fraction before a longer reset (Groq)": (
        refusal(429, {"retry-after": "7.66", **reset("requests", "2m59.56s", "14"), **reset("tokens", "7.66s")}, BUSY), 7.66,
    ),
    "a reset in milliseconds since 1970, past (OpenRouter)": (refusal(429, {"X-RateLimit-Reset": "1700000000000"}, BUSY), 0.5),
    "no word of when (Mistral)": (
        refusal(429, {}, {"object": "error", "message": "Requests rate limit exceeded", "code": "1300"}), 0.5,
    ),
    "None in quotes (LiteLLM)": (
        refusal(429, {}, {"error": {"message": "slow", "type": "None", "param": "None", "code": "429"}}), 0.5,
    ),
    "Retry-After in words": (refusal(429, {"Retry-After": "in a moment"}, BUSY), 0.5),
    "Retry-After below zero": (refusal(429, {"Retry-After": "-7"}, BUSY), 0.5),
    "Retry-After that is no number": (refusal(429, {"Retry-After": "NaN"}, BUSY), 0.5),
    "Retry-After empty": (refusal(429, {"Retry-After": ""}, BUSY), 0.5),
    "Retry-After in the past": (refusal(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b""), 0.5),
    "a list of errors (Workers AI)": (refusal(503, {}, {"errors": [{"code": 3040, "message": "no capacity"}]}), 0.5),
    "a page of Cloudflare's (524)": (refusal(524, {"Content-Type": "text/html"}, b"<html><title>524</title>" + b"x" * 5000), 0.5),
    "plain text (Envoy)": (refusal(503, {"Content-Type": "text/plain"}, b"no healthy upstream"), 0.5),
    "425 with nothing": (refusal(425, {}, b""), 0.5),
    "still loading (llama.cpp)": (refusal(503, {}, {"error": {"code": 503, "message": "Loading model"}}), 0.5),
    "a bare JSON string": (refusal(500, {}, b'"broke"'), 0.5),
    "JSON null": (refusal(500, {}, b"null"), 0.5),
    "invalid UTF-8": (refusal(500, {}, b"d\xe9sol\xe9"), 0.5),
    "an empty message": (refusal(500, {}, {"error": {"message": "", "type": "server_error"}}), 0.5),
    "an error inside a 200 (OpenRouter)": ({"error": {"code": 429, "message": "slow"}}, 0.5),
    "an error inside the choice of a 200 (OpenRouter)": (
        {"choices": [{"index": 0, "finish_reason": "error", "error": {"code": 502, "message": "provider"}}]}, 0.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAITS)
def test_the_wait_after_an_error_answer(name):
    """Asked again once, after exactly this wait, on a chat and on a stream alike."""
    first, seconds = WAITS[name]
    client, transport = client_of(first, completion("Hello."), first, memory.reply(pieces=list(GOOD.pieces)))

    assert client.chat("Hi").text == "Hello."
    assert client.stream("Hi").read().text == "Hello."
    assert transport.sleeps == [pytest.approx(seconds)] * 2


# 1.6 Answers after which nobody waits. name: (answer, class, words)
FINAL = {
    "Retry-After as a date in the next century": (
        refusal(503, {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, b""), "InternalServerError", "longest_wait_s",
    ),
    "Retry-After of a day (Azure)": (refusal(429, {"Retry-After": "86400"}, BUSY), "RateLimitError", "86400 s"),
    "quota per day with a RetryInfo of seconds (Gemini)": (
        refusal(429, {}, gemini("GenerateRequestsPerDayPerProject", "17s")), "QuotaExceededError", "exceeded your current quota",
    ),
    "quota by type, code null, Retry-After": (
        refusal(429, {"Retry-After": "3"}, {"error": {"message": "empty", "type": "insufficient_quota", "code": None}}),
        "QuotaExceededError", "empty",
    ),
    "413 that says rate limit (Groq)": (refusal(413, {"retry-after": "2"}, BUSY), "BadRequestError", "413"),
    "402 with Retry-After (OpenRouter)": (
        refusal(402, {"retry-after": "2"}, {"error": {"code": 402, "message": "Insufficient credits"}}),
        "QuotaExceededError", "Insufficient credits",
    ),
    "a budget as 400 (LiteLLM)": (
        refusal(400, {}, {"error": {"message": "Budget has been exceeded!", "type": "budget_exceeded", "code": "400"}}),
        "QuotaExceededError", "Budget has been exceeded",
    ),
    "an empty account as 500 (MiniMax)": (
        refusal(500, {}, {"error": {"type": "api_error", "message": "insufficient balance (1008)"}}),
        "InternalServerError", "insufficient balance",
    ),
    "an empty account inside a 200 (MiniMax)": (
        {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "QuotaExceededError", "insufficient balance",
    ),
    "a page that asks for a browser (Cloudflare)": (
        refusal(403, {"Content-Type": "text/html"}, b"<!DOCTYPE html><title>Just a moment...</title>"),
        "PermissionDeniedError", "Just a moment",
    ),
    "404 as an event stream": (
        refusal(404, {"Content-Type": "text/event-stream"}, b'data: {"error":{"message":"no such model"}}\n\n'),
        "NotFoundError", "no such model",
    ),
    "a wrong path with 200 (LM Studio)": (
        {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, "NotFoundError", "Unexpected endpoint",
    ),
    "a redirect to another host": (
        refusal(302, {"Location": "https://login.example/sso"}, b""), "APIStatusError", "https://login.example/sso",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FINAL)
def test_errors_after_which_nothing_is_sent_again(name):
    """One request, no wait, and the error says what to know; on a chat and on a stream alike."""
    first, error, words = FINAL[name]
    for ask in (lambda client: client.chat("Hi"), lambda client: client.stream("Hi").read()):
        client, transport = client_of(first)
        with pytest.raises(rawchat.APIError) as caught:
            ask(client)

        assert type(caught.value).__name__ == error
        assert words in str(caught.value)
        assert (len(transport.requests), transport.sleeps) == (1, [])
        assert KEY not in str(caught.value)


CHUNKED, SIZED = "Transfer-Encoding: chunked", "Content-Length: 5000"
BEGUN = wire(of(choice("Once upon")), done=False)
# 1.2 Connections that end before the answer does. name: what the server does after the request
CUTS = {
    "clean end without finish_reason and [DONE]": [head(CHUNKED), http_chunk(BEGUN), b"0\r\n\r\n"],
    "closed inside an event, no last chunk": [head(CHUNKED), http_chunk(BEGUN), http_chunk(b'data: {"cho'), CLOSE],
    "closed inside an HTTP chunk": [head(CHUNKED), http_chunk(BEGUN), b"40\r\ndata: {", CLOSE],
    "close-delimited, closed between events": [head(), BEGUN, CLOSE],
    "close-delimited, closed inside an event": [head(version="1.0"), BEGUN + b'data: {"choices":[{"del', CLOSE],
    "Content-Length larger than what comes": [head(SIZED), BEGUN, CLOSE],
    "reset": [head(CHUNKED), http_chunk(BEGUN), RESET],
}


@pytest.mark.parametrize("name", CUTS)
def test_a_connection_that_ends_early_is_told_and_keeps_the_text(name):
    """Over real sockets: however the end looks to `requests`, it is a StreamInterrupted, and nobody asks again."""
    with RawServer(CUTS[name]) as server, rawchat.Client(KEY, f"http://127.0.0.1:{server.port}/v1") as client:
        arrived = []
        with pytest.raises(rawchat.StreamInterrupted) as caught:
            arrived.extend(client.stream("Hi"))

    # A reset may overtake what was sent before it; all other ends come after the text.
    assert "".join(arrived) == caught.value.reply.text == ("" if name == "reset" and not arrived else "Once upon")
    assert not caught.value.reply.complete
    assert caught.value.retryable
    assert len(server.requests) == 1


class FastClock:
    """Stands in for the module `time`: every look at it finds four seconds gone."""

    def __init__(self):
        self._ticks = itertools.count(time.monotonic(), 4)

    def monotonic(self):
        return next(self._ticks)


@forms.needs_modules
def test_keep_alives_do_not_outlive_the_deadline(monkeypatch):
    """Comments that come again and again reset every socket's timeout (DeepSeek); the call as a whole still ends."""
    queued = memory.reply(pieces=[b": keep-alive\n\n"] * 200)
    client, transport = client_of(queued, timeout=(5, None), deadline=60)
    monkeypatch.setattr(stream_module, "time", FastClock())
    with pytest.raises(rawchat.DeadlineExceeded, match="60 s"):
        client.stream("Hi").read()
    assert (len(transport.requests), transport.sleeps) == (1, [])


def test_silence_before_any_text_is_asked_again():
    """A server that falls silent before it said anything costs a retry, not the answer."""
    silent = memory.reply(pieces=[{"choices": [choice("")]}], error=TimeoutError("no byte for 5 s"))
    client, transport = client_of(silent, memory.reply(pieces=list(GOOD.pieces)))
    assert client.stream("Hi").read().text == "Hello."
    assert transport.sleeps == [0.5]


def test_silence_after_some_text_is_a_timeout_that_keeps_it():
    """The error is both a timeout and a sign that the same request may succeed; the text is on it."""
    client, _ = client_of(memory.reply(pieces=[{"choices": [choice("Once")]}], error=TimeoutError("no byte for 5 s")))
    with pytest.raises(TimeoutError) as caught:
        list(client.stream("Hi"))
    assert isinstance(caught.value, rawchat.APITimeoutError)
    assert (caught.value.reply.text, caught.value.retryable) == ("Once", True)


def sent(answer, **more):
    """An `Answer` of scripts.py as a scripted reply."""
    return memory.reply(status=answer.status, headers=answer.headers, pieces=list(answer.pieces), **more)


PAGE = b"<html><head><title>Bad Gateway</title></head></html>"
HTML = {"Content-Type": "text/html"}
HALF = stream(delta("Once upon"))
# The bugs that the tutorial's own robust_chat had. name: (stream?, answers, waits, what is returned, or error and words)
TUTORIAL = {
    "502 is tried again": (False, [refusal(502, HTML, PAGE), completion("Hello.")], [0.5], "Hello."),
    "504 is tried again": (False, [refusal(504, {}, b""), completion("Hello.")], [0.5], "Hello."),
    "502, then 504, on a stream": (True, [refusal(502, HTML, PAGE), refusal(504, {}, b""), sent(GOOD)], [0.5, 1.0], "Hello."),
    "the usage chunk with choices []": (True, [sent(GOOD)], [], "Hello."),
    "HTML with 400 is no JSONDecodeError": (False, [refusal(400, HTML, PAGE)], [], ("BadRequestError", "Bad Gateway")),
    "an empty 401 is no JSONDecodeError": (False, [refusal(401, {}, b"")], [], ("AuthenticationError", "401 Unauthorized")),
    "HTML with 200 is no JSONDecodeError": (False, [refusal(200, HTML, PAGE)], [], ("InvalidResponseError", "Bad Gateway")),
    "an error object with 200 is no KeyError": (
        False, [{"error": {"code": 400, "message": "no such thing"}}], [], ("BadRequestError", "no such thing"),
    ),
    "a stream that ends too early": (True, [sent(HALF)], [], ("StreamInterrupted", "cut off")),
    "a stream that breaks off": (True, [sent(HALF, error=memory.cut())], [], ("StreamInterrupted", "after 9 characters")),
    "a stream that holds an error": (
        True, [sent(stream(delta("Once"), {"error": {"code": 503, "message": "busy"}}))], [], ("InternalServerError", "busy"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TUTORIAL)
def test_the_bugs_of_the_tutorial(name):
    """Each through `robust_chat` itself, for which the tutorial is remembered."""
    streamed, answers, waits, outcome = TUTORIAL[name]
    client, transport = client_of(*answers)
    out = io.StringIO()
    if isinstance(outcome, str):
        assert rawchat.robust_chat("Hi", stream=streamed, client=client, out=out) == outcome
        assert out.getvalue().strip() == (outcome if streamed else "")
    else:
        with pytest.raises(getattr(rawchat, outcome[0]), match=outcome[1]) as caught:
            rawchat.robust_chat("Hi", stream=streamed, client=client, out=out)
        assert type(caught.value).__name__ == outcome[0]
        assert not streamed or out.getvalue().strip() == caught.value.reply.text != ""
    assert transport.sleeps == waits


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model, usd", [("gpt-4o-mini-2024-07-18", 0.00045), ("gpt-4o-2024-11-20", 0.0075)])
def test_mini_is_not_billed_as_4o(model, usd, streamed):
    """1,000 tokens in and 500 out, at the price of the model that answered; the usage chunk is counted once."""
    usage = tokens(1000, 500)
    script = stream(delta("Hello."), delta(finish="stop"), {"choices": [], "usage": usage}, "[DONE]")
    script = script._replace(
        pieces=tuple(piece.replace(b'"gpt-4o-mini"', f'"{model}"'.encode()) for piece in script.pieces)
    )
    client, _ = client_of(sent(script) if streamed else completion(usage=usage, model=model))
    tracker = rawchat.CostTracker()
    rawchat.robust_chat(
        "Hi", model=model[:-11], stream=streamed, client=client, out=io.StringIO(), cost_tracker=tracker
    )
    assert (tracker.total_cost, tracker.call_count) == (pytest.approx(usd), 1)
    assert (tracker.total_input_tokens, tracker.total_output_tokens) == (1000, 500)
