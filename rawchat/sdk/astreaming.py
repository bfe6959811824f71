"""The streams of the async clients: `async for chunk in await client.chat.completions.create(..., stream=True)`.

    async with client.chat.completions.stream(...) as stream:
        async for event in stream:
            if event.type == "content.delta":
                print(event.delta, end="")
    await stream.get_final_completion()

The same as in streaming.py, awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Optional

from .exchange import HttpResponse, Recorder
from .streaming import StreamBase, is_text
from .types.chat import ChatCompletionChunk, ParsedChatCompletion

if TYPE_CHECKING:
    from ..astream import AsyncStream as RawAsyncStream
    from .events import ChatCompletionStreamState


class AsyncStream(StreamBase):
    """The chunks of one answer, awaited."""

    _raw: RawAsyncStream

    def __init__(self, raw: RawAsyncStream, recorder: Recorder) -> None:
        super().__init__(raw, recorder)
        self._iterator = _chunks(raw, recorder)

    def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        if self._closed:
            raise StopAsyncIteration
        return await self._iterator.__anext__()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it came, read by read, for a recorder that keeps it."""
        with self._recorder:
            async for _ in self._raw.events():
                yield self._recorder.take()
            yield self._recorder.take()  # what no event came of: the rest, or a body that was no event stream

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the transfer. Whoever goes on reading gets nothing more."""
        self._closed = True
        await self._raw.aclose()

    aclose = close


async def _chunks(raw: RawAsyncStream, recorder: Recorder) -> AsyncIterator[ChatCompletionChunk]:
    with recorder:
        async for document in raw.chunks():
            yield ChatCompletionChunk.of(document)


async def _events(stream: AsyncStream, state: ChatCompletionStreamState) -> AsyncIterator[Any]:
    with stream._recorder:
        async for chunk in stream:
            for event in state.handle_chunk(chunk):
                yield event
        for event in state.finish():
            yield event


class AsyncChatCompletionStream:
    """The events of one answer, awaited."""

    def __init__(self, stream: AsyncStream, state: ChatCompletionStreamState) -> None:
        self._stream = stream
        self._state = state
        self._iterator = _events(stream, state)

    @property
    def response(self) -> Optional[HttpResponse]:
        return self._stream.response

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._iterator.__anext__()

    async def __aenter__(self) -> AsyncChatCompletionStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._stream.close()

    @property
    async def text_deltas(self) -> AsyncIterator[str]:
        """The text of the first choice alone, piece by piece: `async for text in stream.text_deltas`."""
        async for event in self:
            if is_text(event):
                yield event.delta

    text_stream = text_deltas

    async def until_done(self) -> AsyncChatCompletionStream:
        """Read to the end."""
        async for _ in self:
            pass
        return self

    async def get_final_completion(self) -> ParsedChatCompletion:
        """Read to the end, and give the whole completion, parsed."""
        await self.until_done()
        with self._stream._recorder:
            return self._state.get_final_completion(self._stream._raw.reply)

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion:
        """What has come so far."""
        return self._state.current_completion_snapshot


class AsyncChatCompletionStreamManager:
    """`async with client.chat.completions.stream(...) as stream:`."""

    def __init__(self, send: Callable[[], Awaitable[AsyncStream]], state: ChatCompletionStreamState) -> None:
        self._send = send
        self._state = state
        self._stream: Optional[AsyncChatCompletionStream] = None

    async def __aenter__(self) -> AsyncChatCompletionStream:
        self._stream = AsyncChatCompletionStream(await self._send(), self._state)
        return self._stream

    async def __aexit__(self, *_: object) -> None:
        if self._stream is not None:
            await self._stream.close()
