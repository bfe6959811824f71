"""The table of scripts once more, over the openai package's shape: sync, async, and through the helper that gives events."""

import asyncio

import pytest

from . import module, rawchat
from .scripts import SCRIPTS
from .test_client import KEY, NO_JITTER, check_events, over_memory, over_sockets

sdk = module("sdk")
HI = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
# Two rows say what this shape does not have: an option that nobody asked for, and chunks that are not shown (here a chunk
# without text is handed out like any other, and what was handed out is not asked for again).
ELSEWHERE = ("stream_options refused", "a break before any text")
ROWS = [script for script in SCRIPTS if not script.name.startswith(ELSEWHERE)]


def text_in(chunk):
    return "".join(choice.delta.content or "" for choice in chunk.choices)


def by_create(client, script, pieces):
    if script.way == "chat":
        pieces.append(client.chat.completions.create(**HI).choices[0].message.content)
        return
    with client.chat.completions.create(stream=True, **HI) as stream:
        pieces.extend(map(text_in, stream))


def by_helper(client, script, pieces):
    with client.chat.completions.stream(**HI) as stream:
        pieces.extend(event.delta for event in stream if event.type == "content.delta")
        assert stream.get_final_completion().choices[0].message.content == "".join(pieces)


def by_async_create(client, script, pieces):
    async def ask():
        if script.way == "chat":
            pieces.append((await client.chat.completions.create(**HI)).choices[0].message.content)
            return
        async with await client.chat.completions.create(stream=True, **HI) as stream:
            async for chunk in stream:
                pieces.append(text_in(chunk))

    asyncio.run(ask())


def by_async_helper(client, script, pieces):
    async def ask():
        async with client.chat.completions.stream(**HI) as stream:
            async for text in stream.text_deltas:
                pieces.append(text)

    asyncio.run(ask())


FACES = {
    "sync": ("OpenAI", over_memory, by_create),
    "sockets": ("OpenAI", over_sockets, by_create),
    "events": ("OpenAI", over_memory, by_helper),
    "async": ("AsyncOpenAI", over_memory, by_async_create),
    "async-events": ("AsyncOpenAI", over_memory, by_async_helper),
}
CASES = [
    pytest.param(script, *FACES[face], id=f"{face}-{script.name}")
    for face in FACES
    for script in ROWS
    if script.way == "stream" or "events" not in face
]


@pytest.mark.parametrize("script, kind, door, ask", CASES)
def test_script(script, kind, door, ask, monkeypatch):
    """What the program gets or catches, how often was sent, and how long was waited: as the row says for every face."""
    if script.name == "silence past the deadline" and door is over_memory:
        pytest.skip("a deadline needs a clock that runs")
    for name in ("stream", "astream", "protocol.patience"):
        monkeypatch.setattr(module(name), "FINISH_GRACE_S", 0.05, raising=False)
    events, pieces, error = [], [], None
    with door(script) as (transport, url):
        client = getattr(sdk, kind)(
            api_key=KEY, base_url=url, transport=transport, retry=NO_JITTER, listeners=[events.append]
        ).with_options(**script.options)
        try:
            ask(client, script, pieces)
        except sdk.APIError as caught:
            error = caught

        assert type(error).__name__ == (script.error or "NoneType"), error
        assert "".join(pieces) == script.text
        assert script.words in str(error)
        assert tuple(transport.sleeps) == script.waits
        assert sum(isinstance(event, rawchat.Sending) for event in events) == len(script.answers)
        check_events(events, error)
    if error is not None:
        check_error(error, script)


def check_error(error, script):
    """The SDK's attributes, and no key in any of them."""
    assert error.request.method == "POST" and error.request.url.endswith("/v1/chat/completions")
    if script.answers[-1].end != "refused":
        assert error.response.status_code == script.answers[-1].status
        assert error.response.request.url == error.request.url
    if isinstance(error, sdk.APIStatusError) and script.answers[-1].status != 200:
        assert error.response.content == script.answers[-1].body
    shown = [repr(error), str(error), repr(vars(error)), repr(error.request.headers), str(dict(error.request.headers))]
    assert KEY not in "".join(shown)
