"""The message of a reply, fit to be sent back."""

import copy
import json

import pytest

from .test_reply import CALL, THINKING, Reply, said, whole

MESSAGES = {
    "plain": (
        said("Hi", refusal=None, annotations=[], audio=None, function_call=None, tool_calls=[]),
        {"content": "Hi"},
    ),
    "empty": (said(""), {"content": ""}),
    "nothing at all": (whole({}), {"content": ""}),
    "role of its own": (whole({"role": "model", "content": "x"}), {"role": "model", "content": "x"}),
    "tools": (
        said(None, tool_calls=[{**CALL, "index": 0, "extra_content": {"k": 1}}]),
        {"content": None, "tool_calls": [{**CALL, "extra_content": {"k": 1}}]},
    ),
    "arguments as an object": (
        said("", tool_calls=[{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]),
        {"content": "", "tool_calls": [CALL]},
    ),
    "thinking goes": (said("4", reasoning_content="2+2", reasoning="2+2", reasoning_details=[{}]), {"content": "4"}),
    "thinking stays beside tool calls": (
        said(None, reasoning_content="2+2", tool_calls=[CALL]),
        {"content": None, "reasoning_content": "2+2", "tool_calls": [CALL]},
    ),
    "audio becomes a reference": (
        said(None, audio={"id": "audio_1", "data": "QUJD", "transcript": "Hi", "expires_at": 1}),
        {"content": None, "audio": {"id": "audio_1"}},
    ),
    "refusal": (said(None, refusal="No."), {"content": None, "refusal": "No."}),
    "function_call": (
        said(None, function_call={"name": "f", "arguments": "{}"}),
        {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
    ),
    "parts": (said(THINKING), {"content": THINKING}),
    "citations go": (said("x", annotations=[{"type": "url_citation"}]), {"content": "x"}),
    "half a pair": (said("a\ud83c", note="\udf89"), {"content": "a\ufffd", "note": "\ufffd"}),
    "tool_calls of another type go": (said("x", tool_calls={"a": 1}), {"content": "x"}),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_is_fit_to_be_sent_back(name):
    """What the API refuses in a request is gone; it is plain, JSON, and independent of the reply."""
    document, expected = MESSAGES[name]
    reply = Reply(document)
    before = copy.deepcopy(document)
    message = reply.message
    assert message == {"role": "assistant", **expected}
    json.dumps(message, ensure_ascii=False).encode("utf-8")
    assert type(message) is dict
    assert all(type(call) is dict for call in message.get("tool_calls", []))
    message["content"] = "changed"
    message.get("tool_calls", [{}])[0]["id"] = "changed"
    assert reply == before
