"""The parts, usable alone: for those who keep their own `requests.post(...)` and want only what comes after it.

    response = requests.post(url, json=payload, headers=headers, stream=True, timeout=(5, 60))
    for chunk in iter_chunks(response):            # or iter_events(response); both judge the stream
        ...
    reply = handle_response(response)              # a whole answer: the JSON, or the typed error

and `robust_chat`, the function that tutorials end with: one call that streams, retries and counts the cost. None of
these sends anything but `robust_chat`, which does so through a Client.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Optional, TextIO

from .client import Client
from .protocol.answer import Piece, StreamReader, read_answer
from .protocol.errors import APIConnectionError, APITimeoutError, StreamInterrupted
from .protocol.payload import Messages
from .protocol.reply import Reply
from .protocol.retry import status_error
from .protocol.sse import Event
from .protocol.status import tell_head
from .protocol.wire import Headers
from .stream import DRAIN_S

if TYPE_CHECKING:
    from .protocol.tracker import CostTracker


def handle_response(response: Any) -> Reply:
    """The answer in a `requests` response, or the typed error that it is.

    The status is looked at before the JSON: a 502 with an HTML page is an InternalServerError, not a JSONDecodeError.
    An event stream is read to its end and assembled.
    """
    if not 200 <= response.status_code < 300:
        raise _status_error(response)
    from .transport.requests_transport import RequestsResponse

    headers = _headers(response)
    try:
        body = RequestsResponse(response).read()
    except APIConnectionError as error:
        raise _told(error, response.status_code, headers) from error.__cause__
    return read_answer(response.status_code, headers, body)


def iter_chunks(response: Any) -> Iterator[Dict[str, Any]]:
    """The chunks of a `requests` response that was asked for with `stream=True`, as they come.

    Raises the typed error for a status that is no success, for an error inside the stream, and StreamInterrupted (with
    `.reply`) for a stream that ends before its answer does. Closes the response.
    """
    for piece in _pieces(response):
        if piece.chunk is not None:
            yield piece.chunk


def iter_events(response: Any) -> Iterator[Event]:
    """The SSE events of a `requests` response, pings and `[DONE]` among them. Raises as
    iter_chunks.
    """
    for piece in _pieces(response):
        if piece.event is not None:
            yield piece.event


def _pieces(response: Any) -> Iterator[Piece]:
    from .transport.requests_transport import RequestsResponse

    if not 200 <= response.status_code < 300:
        try:
            raise _status_error(response)
        finally:
            response.close()
    headers = _headers(response)
    body = RequestsResponse(response)
    reader = StreamReader(response.status_code, headers)
    try:
        while not reader.done:
            try:
                data = body.read_some()
            except APIConnectionError as error:
                if not reader.finished:
                    raise _interruption(error, reader) from error
                data = b""
            over = not data
            yield from reader.feed(data)
            if reader.done or over:
                yield from reader.close()
            if reader.error is not None:
                raise reader.error
            if over:
                return
        body.drain(DRAIN_S)
    finally:
        body.close()


def _headers(response: Any) -> Headers:
    headers = getattr(response, "headers", None)
    return Headers(headers if isinstance(headers, Mapping) else {})


def _status_error(response: Any) -> Exception:
    from .transport.requests_transport import RequestsResponse

    headers = _headers(response)
    try:
        body = RequestsResponse(response).read()
    except APIConnectionError:
        body = b""  # the status decides; a body that breaks off must not hide it
    return status_error(response.status_code, headers, body, unix_s=time.time())


def _interruption(error: APIConnectionError, reader: StreamReader) -> APIConnectionError:
    """The error for a stream that breaks off before its answer does: a timeout stays one."""
    kind = APITimeoutError if isinstance(error, APITimeoutError) else StreamInterrupted
    broken = kind(f"the stream broke after {len(reader.assembler.text)} characters of text: {error.message}")
    broken.phase = error.phase
    broken.reply = reader.reply()
    return _told(broken, reader.status, reader.headers)


def _told(error: APIConnectionError, status: int, headers: Mapping[str, str]) -> APIConnectionError:
    """The error with what the head of the answer said."""
    tell_head(error, status, headers)
    error.attempts = 1
    return error


def robust_chat(
    messages: Messages,
    model: str = "gpt-4o-mini",
    stream: bool = False,
    cost_tracker: Optional[CostTracker] = None,
    max_retries: int = 3,
    *,
    client: Optional[Client] = None,
    out: Optional[TextIO] = None,
    **params: Any,
) -> str:
    """Ask, try again where that helps, count the cost, and return the text; with `stream`, print it as it comes.

    Makes a Client from the environment unless one is given. Prints to `out` (standard output). Raises as Client.chat.
    """
    if client is None:
        with Client(cost_tracker=cost_tracker) as own:
            return robust_chat(messages, model, stream, None, max_retries, client=own, out=out, **params)
    if cost_tracker is not None:
        client = client.with_options(cost_tracker=cost_tracker)
    if not stream:
        return client.chat(messages, model=model, max_retries=max_retries, **params).text
    out = out if out is not None else sys.stdout
    with client.stream(messages, model=model, max_retries=max_retries, **params) as answer:
        for text in answer:
            print(text, end="", file=out, flush=True)
    print(file=out)
    return answer.text
