"""AsyncStream: an answer while it is being written, awaited.

    async with client.stream("Count to five.") as stream:
        async for text in stream:                # the text of the first choice, as it comes
            print(text, end="", flush=True)
    stream.reply                                 # assembled; the same shape as chat()'s

The same three views and the same promises as `stream.py`. It is sent when it is first used: by `async with`, by
`await`, by a loop over it or by `read()`. It holds one of its client's places until it ends; being cancelled, leaving
the loop or the `async with`, and `aclose()` end it and close the connection at once.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Dict, Generator, List, Optional

from .asender import AsyncSender
from .protocol.answer import Piece
from .protocol.call import Call
from .protocol.errors import APIConnectionError, APIError
from .protocol.events import Chunked, Done
from .protocol.progress import StreamProgress
from .protocol.reply import Reply
from .protocol.sse import Event
from .stream import DRAIN_S
from .transport.async_base import AsyncResponse

if TYPE_CHECKING:
    from .bill import Bill


class AsyncStream:
    """One streamed answer. Iterate it for text; one task reads, any other task of the loop may `cancel()`."""

    def __init__(self, sender: AsyncSender, make_call: Callable[[], Call]) -> None:
        """Sends nothing yet. `make_call` is asked when there is a place for the call, so that its deadline starts
        then.
        """
        self.cancelled = False
        self._sender = sender
        self._make_call = make_call
        self._call: Optional[Call] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None  # whose place is held
        self._response: Optional[AsyncResponse] = None
        self._progress: Optional[StreamProgress] = None
        self._bill: Optional[Bill] = None
        self._wake: Optional[asyncio.Event] = None
        self._final_reply: Optional[Reply] = None
        self._handed_out = False
        self._over = False
        self._failed = False
        self._text_only = False
        self._started_s = 0.0
        self._first_text_s: Optional[float] = None

    # Starting.

    def __await__(self) -> Generator[Any, None, AsyncStream]:
        """Wait until the head of the answer is here. Raises as `AsyncClient.chat` does."""
        return self._begun().__await__()

    async def __aenter__(self) -> AsyncStream:
        return await self._begun()

    async def _begun(self) -> AsyncStream:
        if self._call is None and not self._over:
            try:
                await self._sender.limiter.acquire()
                self._loop = asyncio.get_running_loop()
                self._started_s = time.monotonic()
                self._wake = asyncio.Event()
                self._call = self._make_call()
                self._bill = self._sender.bill(self._call)
                self._listen(await self._sender.open(self._call))
            except BaseException:
                self._let_go()
                raise
        return self

    def _listen(self, response: AsyncResponse) -> None:
        """Start reading the answer of an attempt."""
        assert self._call is not None
        self._response = response
        self._progress = StreamProgress(self._call, response.head)
        self._progress.reader.text_only = self._text_only

    # The three ways to look at it.

    async def __aiter__(self) -> AsyncIterator[str]:
        """The text of the first choice, piece by piece, never empty."""
        self._look_at(text_only=True)
        try:
            while True:
                pieces = await self._next_pieces()
                if not pieces:
                    return
                for piece in pieces:
                    if piece[2]:
                        if self._first_text_s is None:
                            self._first_text_s = time.monotonic() - self._started_s
                        self._handed_out = True
                        yield piece[2]
        finally:
            self._end()

    async def chunks(self) -> AsyncIterator[Dict[str, Any]]:
        """The JSON of each chunk, as a dict."""
        self._look_at(text_only=False)
        async for piece in self._pieces():
            if piece[1] is not None:
                self._handed_out = True
                yield piece[1]

    async def events(self) -> AsyncIterator[Event]:
        """Each SSE event, with those that are no chunk: pings, `[DONE]`, and whatever else a server sends."""
        self._look_at(text_only=True)
        async for piece in self._pieces():
            if piece[0] is not None:
                self._handed_out = True
                yield piece[0]

    async def read(self) -> Reply:
        """Read to the end and give the whole reply."""
        self._look_at(text_only=True)
        try:
            while await self._next_pieces():
                pass
        finally:
            self._end()
        return self.reply

    def _look_at(self, *, text_only: bool) -> None:
        self._text_only = text_only
        if self._progress is not None:
            self._progress.reader.text_only = text_only

    # What is known of it, at any time.

    @property
    def reply(self) -> Reply:
        """What has arrived so far; `reply.complete` says whether that is all of it."""
        return self._final_reply if self._final_reply is not None else self._current_reply()

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self.reply.text

    @property
    def attempts(self) -> int:
        return 0 if self._call is None else self._call.attempt

    def __repr__(self) -> str:
        model = "" if self._call is None else self._call.model
        characters = 0 if self._progress is None else len(self._progress.reader.assembler.text)
        unsent = "open" if self._call is not None else "not sent"
        state = "cancelled" if self.cancelled else "over" if self._over else unsent
        return f"AsyncStream({model!r}, {state}, {characters} characters)"

    # Ends.

    async def __aexit__(self, *_: object) -> None:
        self._end()

    async def aclose(self) -> None:
        """Let go of the connection. A stream that was not read to its end is paid for as far as it is known."""
        self._end()

    def cancel(self) -> None:
        """End the transfer now, from any task of the loop. Who reads gets no more; `reply` holds what had arrived."""
        self.cancelled = True
        if self._wake is not None:
            self._wake.set()
        if self._response is not None:
            self._response.cancel()

    def __del__(self) -> None:
        # Dropped unread: its place would be lost, and soon all others would wait for ever.
        if not self._over and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._over:
            return
        call, reply = self._call, None
        if self._response is not None:
            reply = self._final_reply = self._current_reply()
        self._let_go(reply)
        if reply is not None and call is not None and not self._failed:
            self._sender.tell(Done, call, reply, reply.cost, reply.complete)

    def _let_go(self, reply: Optional[Reply] = None) -> None:
        """Free the connection and the place, and settle the bill: by the reply, where anything arrived."""
        self._over = True
        if self._response is not None:
            self._response.close()
        try:
            if self._bill is not None:
                self._bill.close(reply if reply is not None and reply.get("choices") else None, broken=self._failed)
        finally:
            if self._loop is not None:
                loop, self._loop = self._loop, None
                self._sender.limiter.release(loop)

    def _current_reply(self) -> Reply:
        if self._progress is None:
            return Reply({"choices": []})
        reply = self._progress.reader.reply()
        reply.elapsed_s = time.monotonic() - self._started_s
        reply.first_text_s = self._first_text_s
        return reply

    # Reading.

    async def _pieces(self) -> AsyncIterator[Piece]:
        try:
            while True:
                pieces = await self._next_pieces()
                if not pieces:
                    return
                for piece in pieces:
                    yield piece
        finally:
            self._end()

    async def _next_pieces(self) -> List[Piece]:
        """The pieces that the next reads complete, asking again where that is allowed; [] once the stream is over."""
        if self._call is None:
            await self._begun()
        while not self._over and not self.cancelled:
            try:
                return await self._read_attempt()
            except APIError as error:
                if not self.cancelled:
                    await self._again(error)
        return []

    async def _again(self, error: APIError) -> None:
        """Ask again where nothing was handed out yet; else raise."""
        assert self._call is not None and self._response is not None
        self._response.close()
        if error.reply is None:
            error.reply = self._current_reply()
        self._failed = True
        await self._sender.again_or_raise(self._call, error, self._wake, last=self._handed_out)
        if not self.cancelled:
            self._listen(await self._sender.open(self._call))
        self._failed = False

    async def _read_attempt(self) -> List[Piece]:
        """Read until a piece is complete; [] at the end of a whole answer."""
        progress = self._progress
        assert progress is not None and self._response is not None
        while True:
            if progress.reader.error is not None:  # its pieces have been handed out
                raise progress.reader.error
            if progress.over:
                if progress.reader.done:
                    await self._response.drain(DRAIN_S)
                return []
            pieces = progress.take(await self._read_some(progress, self._response), time.monotonic())
            if pieces:
                return pieces

    async def _read_some(self, progress: StreamProgress, response: AsyncResponse) -> bytes:
        """The next bytes; b"" at the end, which after the last finish_reason may also be a break or silence."""
        try:
            if progress.is_limited():
                response.set_read_timeout(progress.limit_s(time.monotonic()))
            data = await response.read_some()
        except APIConnectionError as error:
            progress.broken(error, time.monotonic(), self._current_reply())
            if self.cancelled:
                raise
            return b""
        if data and self._sender.listeners:
            assert self._call is not None
            self._sender.tell(Chunked, self._call, data)
        return data
