"""Canned answers: something faithful for any request, and an honest word where there is nothing."""

import json

import pytest

from . import module, rawchat

dry_run = module("lab.dry_run")
edits = module("lab.edits")

HI = [{"role": "user", "content": "Hi"}]
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def canned(payload, method="POST", path="/v1/chat/completions"):
    return dry_run.canned(method, path, payload, id="chatcmpl-1", created=1700000000)


# name, body, what the note must say
CHATS = [
    ("a known model", {"model": "gpt-4o-mini", "messages": HI}, ""),
    ("a model of another server", {"model": "meta-llama/Llama-3", "messages": HI}, ""),
    ("a parameter of another server", {"model": "llama3", "messages": HI, "top_k": 40}, "top_k"),
    ("tools", {"model": "llama3", "messages": HI, "tools": [TOOL]}, ""),
    ("no messages", {"model": "llama3"}, "messages"),
    ("a body that is no object", [1, 2], "messages"),
    ("no body", None, "messages"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name, body, note", CHATS, ids=[row[0] for row in CHATS])
def test_every_chat_gets_an_answer(name, body, note, stream):
    """A completion that our own client reads, with the model's name as it was asked for."""
    if stream and not isinstance(body, dict):
        body = {}
    found = canned({**body, "stream": True} if stream else body)
    assert note in found.note and bool(found.note) == bool(note)
    assert found.answer.status == 200
    if stream:
        chunks = [document for document in found.answer.documents if document != edits.DONE]
        assert found.answer.documents[-1] == edits.DONE and {chunk["object"] for chunk in chunks} == {
            "chat.completion.chunk"
        }
        models = {chunk["model"] for chunk in chunks}
    else:
        reply = rawchat.Reply(json.loads(found.answer.body))
        assert reply.finish_reason in ("stop", "tool_calls") and reply["usage"]["total_tokens"] > 0
        models = {reply["model"]}
    asked = body.get("model") if isinstance(body, dict) else None
    if asked and asked != "gpt-4o-mini":
        assert models == {asked}


def test_tools_are_called():
    """Where tools are offered, the canned answer calls one, as the practice server does."""
    reply = json.loads(
        canned(
            {
                "model": "llama3",
                "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
                "tools": [TOOL],
            }
        ).answer.body
    )
    assert reply["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_weather"


OTHERS = [
    (
        "embeddings",
        "POST",
        "/v1/embeddings",
        {"model": "bge-m3", "input": ["a", "b"]},
        200,
        lambda found: len(found["data"]) == 2 and found["model"] == "bge-m3",
    ),
    ("embeddings without input", "POST", "/embeddings", {}, 200, lambda found: found["object"] == "list"),
    ("models", "GET", "/v1/models", None, 200, lambda found: found["object"] == "list"),
    ("one model", "GET", "/v1/models/org/name", None, 200, lambda found: found["id"] == "org/name"),
    ("a model that is known", "GET", "/openai/v1/models/gpt-4o", None, 200, lambda found: found["id"] == "gpt-4o"),
    (
        "responses",
        "POST",
        "/v1/responses",
        {},
        501,
        lambda found: "no canned answer for POST /v1/responses" in found["error"]["message"],
    ),
    ("a chat by GET", "GET", "/v1/chat/completions", None, 501, lambda found: found["error"]["type"] == "tap_error"),
]


@pytest.mark.parametrize("name, method, path, body, status, holds", OTHERS, ids=[row[0] for row in OTHERS])
def test_other_endpoints(name, method, path, body, status, holds):
    """Lists, vectors, and a plain 501 where the tap has nothing to say."""
    answer = canned(body, method, path).answer
    assert answer.status == status and holds(json.loads(answer.body))
