"""The body of a 200: a Reply, or the error that it really is. Rows named after the servers' quirks."""

import json
import random

import pytest

from . import module, rawchat

answer = module("protocol.answer")

JSON = {"content-type": "application/json", "x-request-id": "req_1"}
SSE = {"content-type": "text/event-stream", "x-request-id": "req_1"}


def whole(content="Ready.", **changes):
    reply = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15},
    }
    reply.update(changes)
    return reply


def body(document):
    return json.dumps(document, ensure_ascii=False).encode()


def chunk(text=None, finish=None, **more):
    delta = {} if text is None else {"content": text}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


def sse(*items, done=True):
    """An event stream: dicts become `data:` events, strings go in as they are."""
    parts = [item if isinstance(item, str) else f"data: {json.dumps(item)}\n\n" for item in items]
    if done:
        parts.append("data: [DONE]\n\n")
    return "".join(parts).encode()


GOOD_STREAM = sse(chunk("Sal"), chunk("ut !"), chunk(finish="stop"))

# name, headers, body, what must come of it
WHOLE_GOOD = [
    ("control case", JSON, body(whole()), "Ready."),
    ("blank lines while queued (DeepSeek)", JSON, b"\n\n  \r\n" + body(whole()), "Ready."),
    ("BOM before the JSON", JSON, b"\xef\xbb\xbf" + body(whole()), "Ready."),
    ("text/plain without charset", {"content-type": "text/plain"}, body(whole("Ça marche ✅")), "Ça marche ✅"),
    ("event stream although stream was false", JSON, GOOD_STREAM, "Salut !"),
    ("stray terminator behind the JSON (9router)", JSON, body(whole()) + b"\n\ndata: [DONE]\n\n", "Ready."),
    ("error null beside a good answer", JSON, body(whole(error=None)), "Ready."),
    ("base_resp 0 is success (MiniMax)", JSON, body(whole(base_resp={"status_code": 0, "status_msg": ""})), "Ready."),
    (
        "content as text parts",
        JSON,
        body(whole([{"type": "text", "text": "Hello"}, {"type": "text", "text": " there"}])),
        "Hello there",
    ),
    ("content null", JSON, body(whole(None)), ""),
    (
        "all zero usage",
        JSON,
        body(whole(usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})),
        "Ready.",
    ),
    ("no usage", JSON, body({k: v for k, v in whole().items() if k != "usage"}), "Ready."),
    (
        "choices out of order",
        JSON,
        body(
            whole(
                choices=[
                    {"index": 1, "message": {"role": "assistant", "content": "second"}, "finish_reason": "stop"},
                    {"index": 0, "message": {"role": "assistant", "content": "first"}, "finish_reason": "length"},
                ]
            )
        ),
        "first",
    ),
    (
        "choice without message (Gemini)",
        JSON,
        body(whole(choices=[{"index": 0, "finish_reason": "content_filter"}])),
        "",
    ),
]


@pytest.mark.parametrize("headers, data, text", [row[1:] for row in WHOLE_GOOD], ids=[row[0] for row in WHOLE_GOOD])
def test_a_whole_body_becomes_a_reply(headers, data, text):
    """The text is there, whatever margin, label or framing the server gave the JSON."""
    reply = answer.read_answer(200, headers, data, attempts=2)

    assert reply.text == text
    assert reply.attempts == 2
    assert reply.request_id == headers.get("x-request-id")
    assert reply.complete


def error_in(code, message="upstream says no", **more):
    return {"error": {"code": code, "message": message, **more}}


# name, headers, body, class of the error, whether trying again makes sense, a fragment of its text
WHOLE_BAD = [
    ("keep-alive lines, then nothing (DeepSeek)", JSON, b"\n\n\n", "InvalidResponseError", False, "only blank lines"),
    ("empty body", JSON, b"", "InvalidResponseError", False, "an empty body"),
    (
        "HTML with 200",
        {"content-type": "text/html"},
        b"<html><title>Log in</title></html>",
        "InvalidResponseError",
        False,
        "Log in",
    ),
    ("top level is a list", JSON, b"[1, 2]", "InvalidResponseError", False, "a list, not an object"),
    ("top level is null", JSON, b"null", "InvalidResponseError", False, "null, not an object"),
    ("choices null and no error", JSON, body(whole(choices=None)), "InvalidResponseError", False, '"choices" is null'),
    ("choices empty", JSON, body(whole(choices=[])), "InvalidResponseError", False, '"choices" is empty'),
    ("no choices", JSON, body({"id": "x"}), "InvalidResponseError", False, '"choices" is missing'),
    (
        "no choices, and a stray terminator (9router)",
        JSON,
        body({"id": "x"}) + b"\n\ndata: [DONE]",
        "InvalidResponseError",
        False,
        '"choices" is missing',
    ),
    ("nested without end", JSON, b"[" * 200000, "InvalidResponseError", False, "not JSON"),
    ("JSON cut in the middle", JSON, body(whole())[:60], "InvalidResponseError", False, "not JSON"),
    ("error object with 200 (OpenRouter)", JSON, body(error_in(502)), "InternalServerError", True, "upstream says no"),
    (
        "error inside the choice (OpenRouter)",
        JSON,
        body(
            whole(
                choices=[{"index": 0, "error": {"code": 502, "message": "upstream says no"}, "finish_reason": "error"}]
            )
        ),
        "InternalServerError",
        True,
        "upstream says no",
    ),
    (
        "base_resp not 0 (MiniMax)",
        JSON,
        body({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}),
        "QuotaExceededError",
        False,
        "insufficient balance",
    ),
    (
        "wrong path answered with 200 (LM Studio)",
        JSON,
        body({"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
        "NotFoundError",
        False,
        "Unexpected endpoint",
    ),
]


@pytest.mark.parametrize(
    "headers, data, error, retryable, words", [row[1:] for row in WHOLE_BAD], ids=[row[0] for row in WHOLE_BAD]
)
def test_a_200_that_is_no_answer_is_a_typed_error(headers, data, error, retryable, words):
    """The error has the class its cause deserves, a short readable text, and the facts of the answer."""
    with pytest.raises(getattr(rawchat, error)) as caught:
        answer.read_answer(200, headers, data, attempts=1)

    assert type(caught.value).__name__ == error
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600
    assert caught.value.retryable is retryable
    assert caught.value.status == 200
    assert caught.value.request_id == headers.get("x-request-id")


def test_other_endpoints_are_judged_by_their_own_key():
    """A list of models must hold `data`; an endpoint of unknown shape is taken as it is."""
    models = body({"object": "list", "data": []})

    assert answer.read_answer(200, JSON, models, required="data")["data"] == []
    assert answer.read_answer(200, JSON, b'{"id": "file-1"}', required="")["id"] == "file-1"
    failed_batch = body({"id": "b", "object": "batch", "status": "failed", "errors": {"data": [{"message": "line 3"}]}})
    assert answer.read_answer(200, JSON, failed_batch, required="")["status"] == "failed"
    with pytest.raises(rawchat.APIError, match="upstream says no"):
        answer.read_answer(200, JSON, body(error_in(502)), required="")
    with pytest.raises(rawchat.InvalidResponseError, match='"data" is missing'):
        answer.read_answer(200, JSON, b"{}", required="data")


# Streams. name, bytes, text, finish_reason
STREAM_GOOD = [
    ("control case", GOOD_STREAM, "Salut !", "stop"),
    (
        "no [DONE] after the finish_reason (TGI)",
        sse(chunk("Two"), chunk(finish="eos_token"), done=False),
        "Two",
        "eos_token",
    ),
    ("[DONE] but no finish_reason (NIM)", sse(chunk("All "), chunk("there")), "All there", None),
    ("[DONE] without a line end", GOOD_STREAM.rstrip(b"\n"), "Salut !", "stop"),
    ("last event not followed by a blank line", sse(chunk("a"), chunk(finish="stop"), done=False)[:-1], "a", "stop"),
    ("white space around [DONE]", sse(chunk("a"), chunk(finish="stop"), "data:  [DONE] \n\n", done=False), "a", "stop"),
    ("events after [DONE]", GOOD_STREAM + b": bye\n\ndata: {bad\n\n", "Salut !", "stop"),
    (
        "comments before and inside (OpenRouter)",
        sse(": OPENROUTER PROCESSING\n\n", chunk("a"), ": x\n\n", chunk(finish="stop")),
        "a",
        "stop",
    ),
    (
        "ping events without choices",
        sse(chunk("a"), 'event: ping\ndata: {"type":"ping"}\n\n', chunk(finish="stop")),
        "a",
        "stop",
    ),
    ("empty data heartbeats", sse("data:\n\n", chunk("a"), "data: \n\n", chunk(finish="stop")), "a", "stop"),
    (
        "a comment turned into data (llm-gateway)",
        sse("data: : keep-alive\n\n", chunk("a"), chunk(finish="stop")),
        "a",
        "stop",
    ),
    ("data: null", sse("data: null\n\n", chunk("a"), chunk(finish="stop")), "a", "stop"),
    ("error null in every chunk", sse(chunk("a", error=None), chunk(finish="stop", error=None)), "a", "stop"),
    ("properly finished, empty", sse(chunk(""), chunk(finish="stop")), "", "stop"),
    (
        "prompt filter chunk first (Azure)",
        sse(
            {"id": "", "model": "", "object": "", "choices": [], "prompt_filter_results": []},
            chunk("a"),
            chunk(finish="stop"),
        ),
        "a",
        "stop",
    ),
    ("JSON in reply to stream: true", body(whole("Whole answer")), "Whole answer", "stop"),
    ("JSON after blank lines", b"\n\n" + body(whole("Whole answer")), "Whole answer", "stop"),
    (
        "a growing message, no delta (Perplexity)",
        sse(
            *[
                {
                    "id": "c",
                    "object": "chat.completion",
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": end}],
                }
                for text, end in (("Pa", None), ("Paris", "stop"))
            ],
            done=False,
        ),
        "Paris",
        "stop",
    ),
]


def cuts_of(data, name):
    """Whole, byte by byte, and three random cuts that are the same in every run."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    dice = random.Random(name)
    for _ in range(3):
        places = sorted(dice.sample(range(1, len(data)), min(7, len(data) - 1)))
        yield [data[a:b] for a, b in zip([0, *places], [*places, len(data)])]


def read(pieces, headers=SSE, **options):
    reader = answer.StreamReader(200, headers, **options)
    found = []
    for piece in pieces:
        found += reader.feed(piece)
        if reader.done or reader.error:
            break
    found += reader.close()
    return reader, found


@pytest.mark.parametrize("name, data, text, finish", STREAM_GOOD, ids=[row[0] for row in STREAM_GOOD])
def test_a_stream_becomes_a_reply_however_it_is_cut(name, data, text, finish):
    """Text, finish_reason and completeness do not depend on where the reads fall."""
    for pieces in cuts_of(data, name):
        reader, found = read(pieces)

        assert reader.error is None
        assert "".join(piece.text for piece in found) == text
        assert reader.complete
        reply = reader.reply()
        assert (reply.text, reply.finish_reason, reply.complete) == (text, finish, True)


# name, bytes, error class, retryable, text that must be kept, fragment of the message
STREAM_BAD = [
    (
        "clean end without finish_reason and [DONE]",
        sse(chunk("Once upon"), done=False),
        "StreamInterrupted",
        True,
        "Once upon",
        "cut off",
    ),
    (
        "cut inside an event",
        sse(chunk("Once"), 'data: {"choices":[{"ind', done=False),
        "StreamInterrupted",
        True,
        "Once",
        '{"choices":[{"ind',
    ),
    ("only [DONE] (LM Studio overflow)", b"data: [DONE]\n\n", "StreamInterrupted", True, "", "nothing but [DONE]"),
    ("empty body (DeepSeek under load)", b"", "StreamInterrupted", True, "", "before its first chunk"),
    ("only comments", b": queued\n\n: queued\n\n", "StreamInterrupted", True, "", "before its first chunk"),
    (
        "glued frames (Z.AI)",
        sse(chunk("Hel"), 'data: {"choices":[{"delta":{"content":"lodata: {}\n\n'),
        "InvalidResponseError",
        False,
        "Hel",
        "not JSON",
    ),
    (
        "error, then [DONE] (vLLM)",
        sse(chunk("Half"), error_in(500)),
        "InternalServerError",
        True,
        "Half",
        "upstream says no",
    ),
    (
        "error beside choices, finish_reason error (OpenRouter)",
        sse(chunk("Half"), chunk("", "error", **error_in("502")), done=False),
        "InternalServerError",
        True,
        "Half",
        "upstream says no",
    ),
    ("numeric 429 inside the stream", sse(error_in(429)), "RateLimitError", True, "", "upstream says no"),
    (
        "object: error without the error key (vLLM 0.8)",
        sse(chunk("x"), {"object": "error", "message": "engine died", "type": "InternalServerError", "code": 500}),
        "InternalServerError",
        True,
        "x",
        "engine died",
    ),
    (
        "error is a string, no [DONE] (TGI)",
        sse({"error": "Input validation error", "error_type": "validation"}, done=False),
        "BadRequestError",
        False,
        "",
        "Input validation error",
    ),
    (
        "field named error (llama.cpp)",
        b'error: {"code":400,"message":"context too small","type":"invalid_request_error"}\n\n',
        "BadRequestError",
        False,
        "",
        "context too small",
    ),
    (
        "event: error with plain text",
        sse(chunk("a"), "event: error\ndata: upstream closed\n\n", done=False),
        "APIError",
        True,
        "a",
        "upstream closed",
    ),
    (
        "event: error without code or type (LM Studio)",
        sse('event: error\ndata: {"error":{"message":"The model crashed"}}\n\n', done=False),
        "APIError",
        None,
        "",
        "The model crashed",
    ),
    (
        "code is the string 503 (LiteLLM)",
        sse(chunk("a"), {"error": {"message": "no", "type": "None", "param": "None", "code": "503"}}, done=False),
        "InternalServerError",
        True,
        "a",
        "no",
    ),
    (
        "code null, type server_error (OpenAI)",
        sse(
            chunk("a"), {"error": {"message": "oops", "type": "server_error", "param": None, "code": None}}, done=False
        ),
        "InternalServerError",
        True,
        "a",
        "oops",
    ),
    (
        "HTML in reply to stream: true",
        b"<!doctype html><title>Sign in</title>",
        "InvalidResponseError",
        False,
        "",
        "Sign in",
    ),
    ("JSON error in reply to stream: true", body(error_in(502)), "InternalServerError", True, "", "upstream says no"),
    ("a list as chunk", sse(chunk("a"), "data: [1]\n\n"), "InvalidResponseError", False, "a", "not JSON"),
]


@pytest.mark.parametrize("name, data, error, retryable, kept, words", STREAM_BAD, ids=[row[0] for row in STREAM_BAD])
def test_a_stream_that_goes_wrong_is_an_error_that_keeps_what_came(name, data, error, retryable, kept, words):
    """Nothing that arrived is lost: the pieces come out first, and the error carries the partial reply."""
    for pieces in cuts_of(data, name) if data else [[]]:
        reader, found = read(pieces)

        assert isinstance(reader.error, getattr(rawchat, error)), reader.error
        assert "".join(piece.text for piece in found) == kept
        assert reader.error.reply.text == kept
        assert not reader.error.reply.complete
        assert words in str(reader.error)
        assert reader.error.request_id == "req_1"
        if retryable is not None:
            assert reader.error.retryable is retryable


def test_plain_text_in_reply_to_a_stream_is_told_as_such():
    """A proxy's plain-text message with 200 is no event stream, and the error shows it."""
    reader, _ = read([b"upstream connect error"], headers={"content-type": "text/plain"})

    assert isinstance(reader.error, rawchat.InvalidResponseError)
    assert "upstream connect error" in str(reader.error)


def test_finished_waits_for_every_choice_that_was_asked_for():
    """With n=2 one finish_reason is not the end, even if the other choice has not begun."""
    reader = answer.StreamReader(200, SSE, choices=2)
    reader.feed(sse(chunk("a", "stop"), done=False))

    assert not reader.finished
    reader.feed(sse({"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]}, done=False))
    assert reader.finished


def test_nothing_is_read_after_done_or_an_error():
    """`[DONE]` ends the stream even if a gateway sends more; so does an error."""
    reader, _ = read([GOOD_STREAM])
    assert reader.feed(sse(chunk("more"))) == []
    assert reader.reply().text == "Salut !"


def test_an_event_above_the_limit_is_an_error_that_names_the_limit():
    """The limit is a guard against a server that never ends an event."""
    reader = answer.StreamReader(200, SSE)
    reader.decoder = module("protocol.sse").SSEDecoder(max_event_bytes=100)
    found = reader.feed(sse({"choices": []}, done=False))
    reader.feed(b"data: " + b"x" * 200)

    assert isinstance(reader.error, rawchat.InvalidResponseError)
    assert "100 bytes" in str(reader.error)
    assert len(found) == 1


def test_a_whole_reply_is_offered_as_a_chunk_to_those_who_asked_for_chunks():
    """A server that ignores `stream: true` must not leave the caller of chunks() with nothing."""
    reader, found = read([body(whole("Whole answer"))])

    assert [piece.chunk["choices"][0]["delta"]["content"] for piece in found] == ["Whole answer"]
    assert found[0].chunk["object"] == "chat.completion.chunk"
    assert reader.reply()["object"] == "chat.completion"


@pytest.mark.parametrize("body", [b"<html>", b'{"id": 1', b""], ids=["markup", "cut off", "nothing at all"])
def test_what_is_no_json_has_the_parser_s_error_as_its_cause(body):
    """It says where the parser stopped."""
    with pytest.raises(answer.InvalidResponseError) as caught:
        answer.read_answer(200, rawchat.Headers(), body)
    assert isinstance(caught.value.__cause__, json.JSONDecodeError)
