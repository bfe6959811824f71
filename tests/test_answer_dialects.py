"""What came in place of an answer: as a chunk, or in words. How it gets that far is shown by test_answer."""

import json

import pytest

from . import module

dialects = module("protocol.answer_dialects")


def test_a_whole_reply_as_a_chunk():
    """A message becomes a delta, everything else stays, and the reply is not changed."""
    message = {"role": "assistant", "content": "Hi"}
    reply = {"id": "c1", "object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": None}

    chunk = dialects.chunk_from(reply)

    choices = [{"index": 0, "delta": message}]
    assert chunk == {"id": "c1", "object": "chat.completion.chunk", "choices": choices, "usage": None}
    assert reply["choices"][0]["message"] is message
    assert dialects.chunk_from({"choices": None})["choices"] == []


WORDS = [
    ("nothing", b"", "choices", "the server answered 200 with an empty body", False),
    ("blank lines", b"\n\n", "choices", "the server answered 200 with only blank lines", False),
    ("words", b"busy", "choices", "the server answered 200 with something that is not JSON (text/x, 4 bytes)", False),
    ("a page", b"<p>", "choices", "the server answered 200 with something that is not JSON (text/x, 3 bytes)", True),
    ("nested", b"[" * 200_000, "", "the server answered 200 with something that is not JSON (text/x, 200000 bytes)", False),
    ("true", b"true", "choices", "the server's JSON is a boolean, not an object", False),
    ("a list", b"[1]", "", "the server's JSON is a list, not an object", False),
    ("a number", b'{"data":1.5}', "data", 'the server\'s JSON is no answer: "data" is a number', False),
    ("missing", b"{}", "data", 'the server\'s JSON is no answer: "data" is missing', False),
    ("empty", b'{"choices":[]}', "choices", 'the server\'s JSON holds no answer: "choices" is empty', False),
]  # fmt: skip


@pytest.mark.parametrize("body, required, words, hinted", [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
def test_what_came_in_words(body, required, words, hinted):
    """One sentence for each kind of body; only a page of a website has a hint."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = ...
    what, hint = dialects.what_came(200, {"content-type": "text/x"}, body, document, required)
    assert what == words
    assert ("base_url" in hint) is hinted


@pytest.mark.parametrize("behind", [b"", b"data: [DONE]", b"\n\ndata: [DONE]\n\n"])
def test_a_document_with_something_around_it(behind):
    """Blank lines, byte order marks and a stray end of a stream are no part of it; the reader is not asked."""
    assert dialects.document_in(b"\n\xef\xbb\xbf\n" + b'{"id":"x"}' + behind, None) == {"id": "x"}
    assert dialects.document_in(b'{"id":' + behind, None) is ...


def test_which_kind_of_cut_it_was():
    """Cut off inside the answer, nothing but the end, or nothing at all."""
    assert "after 3 characters of text without" in dialects.how_it_ended(3, True, True, False)
    assert dialects.how_it_ended(0, True, False, True).startswith(
        "held nothing but chunks without a choice, and [DONE]"
    )
    assert dialects.how_it_ended(0, False, False, True).startswith("held nothing but [DONE]")
    assert dialects.how_it_ended(0, False, False, False).startswith("ended before its first chunk")
