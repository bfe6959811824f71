"""OpenAI and AzureOpenAI: the SDK's constructors over Client.

    client = OpenAI()                                    OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_CUSTOM_HEADERS, ...
    client = OpenAI(api_key="...", base_url="http://localhost:8000/v1", timeout=20, max_retries=0)
    client.with_options(timeout=5).chat.completions.create(...)

Beside the SDK's arguments they take Client's own: deadline, retry, cost_tracker, listeners, transport. Each call goes
through the Client with one listener more, which keeps what errors and raw responses have to show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, Optional

from ..client import Client
from ..protocol.errors import APIConnectionError
from ..settings import Options
from .base import ClientBase, azure_client, read_arguments
from .exchange import HttpResponse, RawResponse, RawWholeResponse, Recorder, Task, split_lines, wants_body
from .objects import omit
from .pages import SyncPage
from .resources import Overdue
from .streaming import ChatCompletionStreamManager, Stream

if TYPE_CHECKING:
    from .events import ChatCompletionStreamState


class OpenAI(ClientBase):
    """A client of an OpenAI-compatible server with the SDK's methods. `close()` or `with` ends it.

    Arguments as in the SDK; `**ours` are Client's: deadline, retry, cost_tracker, listeners, transport.
    """

    page_class = SyncPage
    _client: Client

    def __init__(
        self,
        *,
        api_key: Any = None,
        organization: Optional[str] = None,
        project: Optional[str] = None,
        base_url: Any = None,
        timeout: Any = omit,
        max_retries: int = 2,
        default_headers: Optional[Mapping[str, Any]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        http_client: Any = None,
        **ours: Any,
    ) -> None:
        arguments = dict(api_key=api_key, base_url=base_url, timeout=timeout, max_retries=max_retries, **ours)
        arguments.update(organization=organization, project=project, http_client=http_client)
        self._client = Client(**read_arguments(default_headers, default_query, arguments))

    def __enter__(self) -> OpenAI:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def perform(self, task: Task, mode: str = "parsed") -> Any:
        """Send what a resource asks for, and give its answer in the mode that was asked for."""
        if mode == "streaming":
            return ResponseManager(lambda: self._perform(task, mode))
        return self._perform(task, mode)

    perform_list = perform

    def _perform(self, task: Task, mode: str) -> Any:
        recorder = Recorder(keep=wants_body(task, mode))
        client = self._client.with_options(listeners=(*self._client.listeners, recorder))
        with recorder:
            value = _KINDS[task.kind](client, task, recorder)
        return value if mode == "parsed" else _MODES[mode](recorder, value)

    def stream_manager(self, send: Any, state: ChatCompletionStreamState) -> ChatCompletionStreamManager:
        return ChatCompletionStreamManager(send, state)

    def wait_for(self, ask: Any, is_over: Callable[[Any], bool], pause_s: float, overdue: Overdue) -> Any:
        """Ask until it is over."""
        while True:
            found = ask()
            if is_over(found):
                return found
            overdue.check()
            self._client.transport.sleep(pause_s)


def _whole(client: Client, task: Task, recorder: Recorder) -> Any:
    reply = client.request(
        task.method,
        task.path,
        task.payload,
        required=task.required,
        body=task.body,
        content_type=task.content_type,
        **task.options,
    )
    return task.read(reply)


def _streamed(client: Client, task: Task, recorder: Recorder) -> Stream:
    stream: Any = client.send(task.payload or {}, **task.options)
    return Stream(stream, recorder)


def _downloaded(client: Client, task: Task, recorder: Recorder) -> Any:
    """The body, whatever it is. A transfer that breaks off is begun anew, as the retries allow."""
    sender = client._sender
    call = client.settings.call(task.method, task.path, task.payload, Options(**task.options))
    while True:
        response = sender.open(call)
        try:
            sender.read(call, response)  # the recorder hears it
            return task.read(heard(recorder))
        except APIConnectionError as error:
            sender.again_or_raise(call, error)
        finally:
            response.close()


def heard(recorder: Recorder) -> HttpResponse:
    """The answer that a recorder has heard."""
    response = recorder.response()
    assert response is not None, "an answer has a head"
    return response


_KINDS: Dict[str, Callable[[Client, Task, Recorder], Any]] = {
    "whole": _whole,
    "stream": _streamed,
    "bytes": _downloaded,
}


class APIResponse(RawResponse):
    """What `with_streaming_response` gives: an answer whose body is read by `read`, `iter_bytes`, `iter_lines`, ..."""

    def _pieces(self) -> Iterator[bytes]:
        if isinstance(self._value, Stream):
            yield from self._value.pieces()
        else:
            yield self.content

    def read(self) -> bytes:
        return b"".join(self._pieces())

    def text(self) -> str:
        return self.read().decode("utf-8", "replace")

    def json(self) -> Any:
        return self.http_response.json()

    def iter_bytes(self, chunk_size: Optional[int] = None) -> Iterator[bytes]:
        """The body as it comes, or in pieces of `chunk_size` bytes."""
        return self._pieces() if chunk_size is None else _cut(self._pieces(), chunk_size)

    iter_raw = iter_bytes

    def iter_text(self, chunk_size: Optional[int] = None) -> Iterator[str]:
        import codecs

        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        texts = (decoder.decode(piece) for piece in self.iter_bytes(chunk_size))
        return (text for text in texts if text)

    def iter_lines(self) -> Iterator[str]:
        return split_lines(self._pieces())

    def close(self) -> None:
        if isinstance(self._value, Stream):
            self._value.close()


def _cut(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        held += piece
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if held:
        yield held


class ResponseManager:
    """`with client.chat.completions.with_streaming_response.create(...) as response:`."""

    def __init__(self, send: Callable[[], APIResponse]) -> None:
        self._send = send
        self._response: Optional[APIResponse] = None

    def __enter__(self) -> APIResponse:
        self._response = self._send()
        return self._response

    def __exit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()


_MODES: Dict[str, Any] = {"raw": RawWholeResponse, "streaming": APIResponse}


class AzureOpenAI(OpenAI):
    """A client of an Azure OpenAI resource. Without `azure_deployment`, a call's model names the deployment.

    AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY, AZURE_OPENAI_AD_TOKEN and OPENAI_API_VERSION stand for what is missing.
    """

    def __init__(
        self,
        *,
        api_version: Optional[str] = None,
        azure_endpoint: Optional[str] = None,
        azure_deployment: Optional[str] = None,
        api_key: Any = None,
        azure_ad_token: Any = None,
        azure_ad_token_provider: Optional[Callable[[], str]] = None,
        default_headers: Optional[Mapping[str, Any]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        timeout: Any = omit,
        **others: Any,
    ) -> None:
        arguments: Dict[str, Any] = {"api_version": api_version, "azure_endpoint": azure_endpoint}
        arguments.update(azure_deployment=azure_deployment, api_key=api_key, timeout=timeout, **others)
        arguments.update(azure_ad_token=azure_ad_token, azure_ad_token_provider=azure_ad_token_provider)
        self._client = azure_client(Client, default_headers, default_query, arguments)
