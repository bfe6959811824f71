"""Stream: an answer while it is being written.

    with client.stream("Count to five.") as stream:
        for text in stream:                     # the text of the first choice, as it comes
            print(text, end="", flush=True)
    stream.reply                                # assembled; the same shape as chat()'s

Leaving early closes the connection. An answer that breaks is asked for again while nothing was handed out; afterwards
it is an error whose `.reply` has what arrived.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, Iterator, List, Optional

from .protocol.answer import Piece
from .protocol.call import Call
from .protocol.errors import APIConnectionError, APIError
from .protocol.progress import StreamProgress
from .protocol.reply import Reply
from .protocol.sse import Event
from .sender import Sender
from .transport.base import Response

DRAIN_S = 0.25  # for the end of the framing after [DONE]; a slower server loses the connection
EVENT, CHUNK, TEXT = range(3)  # the places in a Piece


class Stream:
    """One streamed answer. Iterate it for text; one thread reads, any thread may `cancel()`."""

    def __init__(self, sender: Sender, call: Call) -> None:
        self.cancelled = False
        self._sender = sender
        self._call = call
        self._handed_out = False
        self._failed = False
        self._text_only = False
        self._wake = threading.Event()
        self._started_s = time.monotonic()
        self._first_text_s: Optional[float] = None
        self._final_reply: Optional[Reply] = None  # once it is over
        self._tell_end, self._hear = sender.begin(call), sender.hearer(call)
        try:
            self._begin(sender.open(call))
        except BaseException:
            self._tell_end(None)
            raise

    def _begin(self, response: Response) -> None:
        self._response = response
        self._progress = StreamProgress(self._call, response.head)
        self._reader = self._progress.reader
        self._reader.text_only = self._text_only

    def __iter__(self) -> Iterator[str]:
        """The text of the first choice."""
        return self._look_at(TEXT)

    def chunks(self) -> Iterator[Dict[str, Any]]:
        """The JSON of each chunk, as a dict."""
        return self._look_at(CHUNK)

    def events(self) -> Iterator[Event]:
        """Each SSE event, pings and `[DONE]` included."""
        return self._look_at(EVENT)

    def read(self) -> Reply:
        """Read to the end and give the whole reply. Raises an APIError, whose `.reply` has what arrived."""
        for _ in self._batches(TEXT):
            pass
        return self.reply

    def _look_at(self, what: int) -> Iterator[Any]:
        for pieces in self._batches(what):
            for piece in pieces:
                value = piece[what]
                if value:
                    if self._first_text_s is None and what == TEXT:
                        self._first_text_s = time.monotonic() - self._started_s
                    self._handed_out = True
                    yield value

    @property
    def reply(self) -> Reply:
        """What has arrived; `reply.complete` says whether it is all."""
        return self._current_reply() if self._final_reply is None else self._final_reply

    @property
    def text(self) -> str:
        """What has arrived of the text of the first choice."""
        return self.reply.text

    @property
    def attempts(self) -> int:
        """How often the request was sent."""
        return self._call.attempt

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled else "open" if self._final_reply is None else "over"
        return f"Stream({self._call.model!r}, {state}, {len(self._reader.assembler.text)} characters)"

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave: what has not been read yet is lost, and the connection with it. `reply` stays."""
        if self._final_reply is None:
            self._final_reply = self._current_reply()
            self._response.close()
            self._tell_end(self._final_reply, self._failed)

    def cancel(self) -> None:
        """End the transfer now, from any thread; the loop that reads ends quietly."""
        self.cancelled = True
        self._wake.set()
        self._response.cancel()

    def _current_reply(self) -> Reply:
        reply = self._reader.reply()
        reply.elapsed_s = time.monotonic() - self._started_s
        reply.first_text_s = self._first_text_s
        return reply

    def _batches(self, what: int) -> Iterator[List[Piece]]:
        """The pieces that each read completes. Closes the stream in the end."""
        self._text_only = self._reader.text_only = what != CHUNK
        if self._final_reply is not None:
            return
        try:
            while not self.cancelled:
                try:
                    yield from self._read_attempt()
                    return
                except APIError as error:
                    if not self.cancelled:
                        self._again(error)
        finally:
            self.close()

    def _again(self, error: APIError) -> None:
        """Ask again while nothing was handed out; else raise."""
        self._response.close()
        if error.reply is None:
            error.reply = self._current_reply()
        self._failed = True
        self._sender.again_or_raise(self._call, error, self._wake, last=self._handed_out)
        if not self.cancelled:
            self._begin(self._sender.open(self._call))
        self._failed = False

    def _read_attempt(self) -> Iterator[List[Piece]]:
        progress, reader = self._progress, self._reader
        while not progress.over:
            yield progress.take(self._read_some(progress), time.monotonic())
            if reader.error is not None:
                raise reader.error
        if reader.done:
            self._response.drain(DRAIN_S)

    def _read_some(self, progress: StreamProgress) -> bytes:
        """The next bytes; b"" at the end, which may be a break or silence once every choice is finished."""
        try:
            if progress.is_limited():
                self._response.set_read_timeout(progress.limit_s(time.monotonic()))
            data = self._response.read_some()
        except APIConnectionError as error:
            progress.broken(error, time.monotonic(), self._current_reply())
            if self.cancelled:
                raise
            return b""
        self._hear(data)  # what a listener raises is no break of the stream
        return data
