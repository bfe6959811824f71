"""Streams as the SDK has them: chunks to loop over, and the events of `chat.completions.stream`.

    for chunk in client.chat.completions.create(..., stream=True):
        print(chunk.choices[0].delta.content or "", end="")

    with client.chat.completions.stream(...) as stream:
        for event in stream:
            if event.type == "content.delta":
                print(event.delta, end="")
    stream.get_final_completion()

The async kinds stand in astreaming.py. The reading, the retrying before the first chunk and the judging of the end are
those of our Stream and AsyncStream; what the events say is events.py's. An answer that breaks off is an error here,
never a normal end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, Optional

from .exchange import HttpResponse, Recorder
from .types.chat import ChatCompletionChunk, ParsedChatCompletion

if TYPE_CHECKING:
    from ..stream import Stream as RawStream
    from .events import ChatCompletionStreamState


class StreamBase:
    """What both kinds of stream know of the answer they belong to."""

    def __init__(self, raw: Any, recorder: Recorder) -> None:
        self._raw = raw
        self._recorder = recorder
        self._closed = False

    @property
    def response(self) -> Optional[HttpResponse]:
        """Head of the answer: `.status_code`, `.headers`; its `close()` is the stream's."""
        response = self._recorder.response()
        if response is not None:
            response._on_close = self.close
        return response

    def close(self) -> Any:
        raise NotImplementedError


class Stream(StreamBase):
    """The chunks of one answer. `close()`, the end of a `with`, or dropping it ends the transfer."""

    _raw: RawStream

    def __init__(self, raw: RawStream, recorder: Recorder) -> None:
        super().__init__(raw, recorder)
        self._iterator = _chunks(raw, recorder)

    def __iter__(self) -> Iterator[ChatCompletionChunk]:
        return self

    def __next__(self) -> ChatCompletionChunk:
        if self._closed:
            raise StopIteration
        return next(self._iterator)

    def pieces(self) -> Iterator[bytes]:
        """The body as it came, read by read, for a recorder that keeps it."""
        with self._recorder:
            for _ in self._raw.events():
                yield self._recorder.take()
            yield self._recorder.take()  # what no event came of: the rest, or a body that was no event stream

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the transfer. Whoever goes on reading gets nothing more."""
        self._closed = True
        self._raw.close()


# The generators know nothing of the objects that use them: a stream that is dropped is freed, and closed, at once.


def _chunks(raw: RawStream, recorder: Recorder) -> Iterator[ChatCompletionChunk]:
    with recorder:
        for document in raw.chunks():
            yield ChatCompletionChunk.of(document)


def _events(stream: Stream, state: ChatCompletionStreamState) -> Iterator[Any]:
    with stream._recorder:
        for chunk in stream:
            yield from state.handle_chunk(chunk)
        yield from state.finish()


# ---- events


class ChatCompletionStream:
    """The events of one answer; see events.py for what they are."""

    def __init__(self, stream: Stream, state: ChatCompletionStreamState) -> None:
        self._stream = stream
        self._state = state
        self._iterator = _events(stream, state)

    @property
    def response(self) -> Optional[HttpResponse]:
        return self._stream.response

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._iterator)

    def __enter__(self) -> ChatCompletionStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    @property
    def text_deltas(self) -> Iterator[str]:
        """The text of the first choice alone, piece by piece."""
        return (event.delta for event in self if is_text(event))

    text_stream = text_deltas

    def until_done(self) -> ChatCompletionStream:
        """Read to the end."""
        for _ in self:
            pass
        return self

    def get_final_completion(self) -> ParsedChatCompletion:
        """Read to the end, and give the whole completion, parsed."""
        self.until_done()
        with self._stream._recorder:
            return self._state.get_final_completion(self._stream._raw.reply)

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion:
        """What has come so far."""
        return self._state.current_completion_snapshot


def is_text(event: Any) -> bool:
    return bool(event.type == "content.delta" and event.choice_index == 0 and event.delta)


class ChatCompletionStreamManager:
    """`with client.chat.completions.stream(...) as stream:` sends when the block is entered, and closes at its end."""

    def __init__(self, send: Callable[[], Stream], state: ChatCompletionStreamState) -> None:
        self._send = send
        self._state = state
        self._stream: Optional[ChatCompletionStream] = None

    def __enter__(self) -> ChatCompletionStream:
        self._stream = ChatCompletionStream(self._send(), self._state)
        return self._stream

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
