"""One exchange with the server, as the SDK's users see it: what is asked, what was on the wire, what errors say of it.

    Task("POST", "chat/completions", read=..., payload={...})      what a resource asks for; how it is read
    Recorder                                                       a listener that keeps request, head and body
    error.response.status_code, error.request.url                  what it has seen, on our own errors
    raw.headers, raw.request_id, raw.parse()                       and with `with_raw_response`

The SDK shows httpx's objects here. These have the same names for what people look at, and are plain values: they
pickle, cross threads, and hold no key (the header that carries it is masked). Sends nothing.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Type

from ..protocol.errors import APIError
from ..protocol.events import Chunked, Received, Sending
from ..protocol.redact import redact_headers, redact_text
from ..protocol.reply import Reply
from ..protocol.status import request_id_from
from ..protocol.wire import Headers, Request, ResponseHead


class Task(NamedTuple):
    """What a resource asks for. `read` makes what the caller gets: of the Reply, or of the stream for `kind` "stream",
    or of the bytes for "bytes". `options` are extra_headers, extra_query and timeout, as Client.request takes them.
    """

    method: str
    path: str
    read: Callable[[Any], Any]
    options: Dict[str, Any]
    payload: Optional[Dict[str, Any]] = None
    required: str = ""  # the key of the answer that must hold a list
    body: Optional[bytes] = None  # sent as it is, in place of a payload
    content_type: str = ""
    kind: str = "whole"


class HttpRequest:
    """The request of an answer or an error."""

    def __init__(self, request: Request) -> None:
        self.method = request.method
        self.url = redact_text(request.url)
        self.headers = Headers(redact_headers(request.headers))
        self.content = request.body

    def __repr__(self) -> str:
        return f"<Request({self.method!r}, {self.url!r})>"


class HttpResponse:
    """The answer as it came: `status_code, reason_phrase, headers, content, text, json(), request, url`."""

    def __init__(self, head: ResponseHead, content: bytes, request: Optional[HttpRequest]) -> None:
        self.status_code = head.status
        self.reason_phrase = head.reason
        self.http_version = f"HTTP/{head.http_version}"
        self.headers = head.headers
        self.content = content
        self.request = request
        self._on_close: Optional[Callable[[], Any]] = None  # of a stream's response: its close

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def url(self) -> str:
        return self.request.url if self.request else ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300

    @property
    def is_error(self) -> bool:
        return self.status_code >= 400

    def json(self) -> Any:
        """The decoded body. Raises ValueError where it is no JSON."""
        return json.loads(self.content)

    def read(self) -> bytes:
        return self.content

    def close(self) -> None:
        """End the transfer, where there is one: `stream.response.close()`."""
        if self._on_close is not None:
            self._on_close()

    async def aclose(self) -> None:
        if self._on_close is not None:
            await self._on_close()

    def __repr__(self) -> str:
        return f"<Response [{self.status_code} {self.reason_phrase}]>"


class Recorder:
    """A listener of one call: its last request, the head of its last answer and, with `keep`, the body.

    Used as a context manager, it tells what it knows to the error that leaves the block. An error status's body is
    always kept.
    """

    def __init__(self, keep: bool = False) -> None:
        self.keep = keep
        self.request: Optional[Request] = None
        self.head: Optional[ResponseHead] = None
        self.pieces: List[bytes] = []
        self.attempts = 0
        self.started_s = self.ended_s = 0.0
        self._keeping = keep

    def __call__(self, event: Any) -> None:
        self.ended_s = event.at_s
        if event.__class__ is Chunked:
            if self._keeping:
                self.pieces.append(event.data)
        elif event.__class__ is Sending:
            self.request, self.head, self.pieces = event.request, None, []
            self.attempts = event.attempt
            self.started_s = self.started_s or event.at_s
        elif event.__class__ is Received:
            self.head = event.head
            self._keeping = self.keep or not 200 <= event.head.status < 300

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], _: object) -> None:
        if isinstance(error, APIError):
            self.tell(error)

    def take(self) -> bytes:
        """What has come since it was last asked."""
        pieces, self.pieces = self.pieces, []
        return b"".join(pieces)

    def response(self) -> Optional[HttpResponse]:
        request = HttpRequest(self.request) if self.request is not None else None
        return None if self.head is None else HttpResponse(self.head, b"".join(self.pieces), request)

    def tell(self, error: APIError) -> None:
        """Give an error the SDK's attributes: `.request`, and `.response`, which is None where none came."""
        request = HttpRequest(self.request) if self.request is not None else None
        vars(error).update(request=request, response=self.response())


def wants_body(task: Task, mode: str) -> bool:
    """Whether somebody may ask for the bytes: of a stream, only who reads it raw."""
    return task.kind != "stream" or mode == "streaming"


class RawResponse:
    """What `with_raw_response` gives: head and body of the answer, and `parse()` for what the call gives otherwise."""

    def __init__(self, recorder: Recorder, value: Any) -> None:
        self._recorder = recorder
        self._value = value
        self.retries_taken = max(0, recorder.attempts - 1)

    @property
    def http_response(self) -> HttpResponse:
        response = self._recorder.response()
        assert response is not None, "an answer has a head"
        return response

    @property
    def headers(self) -> Headers:
        return self.http_response.headers

    @property
    def status_code(self) -> int:
        return self.http_response.status_code

    @property
    def request_id(self) -> Optional[str]:
        return request_id_from(self.headers)

    @property
    def http_request(self) -> Optional[HttpRequest]:
        return self.http_response.request

    @property
    def http_version(self) -> str:
        return self.http_response.http_version

    @property
    def method(self) -> str:
        return self.http_request.method if self.http_request else ""

    @property
    def url(self) -> str:
        return self.http_response.url

    @property
    def content(self) -> bytes:
        return self.http_response.content

    @property
    def elapsed(self) -> Any:
        """From the first request to the last byte that was read, as a timedelta."""
        from datetime import timedelta

        return timedelta(seconds=self._recorder.ended_s - self._recorder.started_s)

    def parse(self, *, to: Any = None) -> Any:
        """What the call gives without `with_raw_response`; `to`: another result class, or `dict`, for the same JSON."""
        return self._value if to is None else cast_to(to, self.http_response)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.status_code}] type={type(self._value).__name__}>"


class RawWholeResponse(RawResponse):
    """... with `.text` as a property, as `with_raw_response` has it."""

    @property
    def text(self) -> str:
        return self.http_response.text


def cast_to(kind: Any, response: HttpResponse) -> Any:
    """The body as `kind`: a result class, dict or list (the JSON), str, bytes, or an HTTP response."""
    if kind is str:
        return response.text
    if kind is bytes:
        return response.content
    if hasattr(kind, "of"):
        return kind.of(response.json())
    # httpx.Response, by whichever package: what was meant is "as it came"
    return response if getattr(kind, "__name__", "") in ("Response", "HttpResponse") else response.json()


def split_lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """The lines of a body that comes in pieces, without their ends."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


def noted(value: Any, reply: Reply) -> Any:
    """`value` with the id of the answer that it came from."""
    vars(value)["_request_id"] = reply.request_id
    return value


def checked_options(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    """extra_headers, extra_query and timeout as Client.request takes them: omit becomes None, which leaves out."""
    from .objects import Omit

    options = {name: value for name, value in arguments.items() if value is not None and not isinstance(value, Omit)}
    if "extra_headers" in options:
        headers = options["extra_headers"]
        options["extra_headers"] = {name: None if isinstance(value, Omit) else value for name, value in headers.items()}
    if "timeout" in arguments and not isinstance(arguments["timeout"], Omit):
        options["timeout"] = seconds_of(arguments["timeout"])
    return options


def seconds_of(timeout: Any) -> Any:
    """A timeout as Client takes it: of openai.Timeout and httpx.Timeout, what concerns connecting and reading."""
    if hasattr(timeout, "connect") and hasattr(timeout, "read"):
        return (timeout.connect, timeout.read)
    return timeout


class Timeout:
    """`Timeout(60.0, connect=5.0)`: seconds for what is not named, and for what is; None is no limit.

    `write` and `pool` are taken for the SDK's sake; a request is written at once, and connections are not waited for.
    """

    def __init__(self, timeout: Any = None, **named: Optional[float]) -> None:
        unknown = set(named) - {"connect", "read", "write", "pool"}
        if unknown:
            raise TypeError(f"Timeout has no {', '.join(sorted(unknown))}; there are connect, read, write and pool")
        pair = seconds_of(timeout) if timeout is not None else (None, None)
        connect, read = pair if isinstance(pair, tuple) else (pair, pair)
        self.connect = named.get("connect", connect)
        self.read = named.get("read", read)
        self.write = named.get("write", read)
        self.pool = named.get("pool", read)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timeout) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Timeout(connect={self.connect}, read={self.read}, write={self.write}, pool={self.pool})"
