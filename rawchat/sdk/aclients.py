"""AsyncOpenAI and AsyncAzureOpenAI: the same clients over AsyncClient, awaited.

    async with AsyncOpenAI() as client:
        completion = await client.chat.completions.create(model="gpt-4o-mini", messages=[...])
        async for chunk in await client.chat.completions.create(..., stream=True): ...
        async for model in client.models.list(): ...

Where AsyncClient lets eight calls run at once unless told otherwise, these let a thousand, which is the SDK's limit:
programs written for it may hold many streams open. `max_concurrency=` sets another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Dict, Mapping, Optional

from ..aclient import AsyncClient
from ..protocol.errors import APIConnectionError
from ..settings import Options
from .astreaming import AsyncChatCompletionStreamManager, AsyncStream
from .base import ClientBase, azure_client, read_arguments
from .clients import heard
from .exchange import RawResponse, RawWholeResponse, Recorder, Task, wants_body
from .objects import omit
from .pages import AsyncPage, AsyncPaginator
from .resources import Overdue

if TYPE_CHECKING:
    from .events import ChatCompletionStreamState

MAX_CONCURRENCY = 1000


class AsyncOpenAI(ClientBase):
    """An async client of an OpenAI-compatible server with the SDK's methods. `close()` or `async with` ends it."""

    page_class = AsyncPage
    _client: AsyncClient

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
        max_concurrency: int = MAX_CONCURRENCY,
        **ours: Any,
    ) -> None:
        arguments = dict(api_key=api_key, base_url=base_url, timeout=timeout, max_retries=max_retries, **ours)
        arguments.update(organization=organization, project=project, http_client=http_client)
        read = read_arguments(default_headers, default_query, arguments)
        self._client = AsyncClient(max_concurrency=max_concurrency, **read)

    async def __aenter__(self) -> AsyncOpenAI:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    def perform(self, task: Task, mode: str = "parsed") -> Any:
        """Something to await, or for "streaming" something to enter, that gives the answer."""
        if mode == "streaming":
            return AsyncResponseManager(lambda: self._perform(task, mode))
        return self._perform(task, mode)

    def perform_list(self, task: Task, mode: str = "parsed") -> Any:
        return AsyncPaginator(lambda: self._perform(task, mode)) if mode == "parsed" else self.perform(task, mode)

    async def _perform(self, task: Task, mode: str) -> Any:
        recorder = Recorder(keep=wants_body(task, mode))
        client = self._client.with_options(listeners=(*self._client.listeners, recorder))
        with recorder:
            value = await _KINDS[task.kind](client, task, recorder)
        return value if mode == "parsed" else _MODES[mode](recorder, value)

    def stream_manager(self, send: Any, state: ChatCompletionStreamState) -> AsyncChatCompletionStreamManager:
        return AsyncChatCompletionStreamManager(send, state)

    async def wait_for(self, ask: Any, is_over: Callable[[Any], bool], pause_s: float, overdue: Overdue) -> Any:
        """Ask until it is over."""
        while True:
            found = await ask()
            if is_over(found):
                return found
            overdue.check()
            await self._client.transport.sleep(pause_s)


async def _whole(client: AsyncClient, task: Task, recorder: Recorder) -> Any:
    reply = await client.request(
        task.method,
        task.path,
        task.payload,
        required=task.required,
        body=task.body,
        content_type=task.content_type,
        **task.options,
    )
    return task.read(reply)


async def _streamed(client: AsyncClient, task: Task, recorder: Recorder) -> AsyncStream:
    stream: Any = await client.send(task.payload or {}, **task.options)
    return AsyncStream(stream, recorder)


async def _downloaded(client: AsyncClient, task: Task, recorder: Recorder) -> Any:
    """The body, whatever it is. A transfer that breaks off is begun anew, as the retries allow."""
    sender = client._sender
    async with sender.limiter:
        call = client.settings.call(task.method, task.path, task.payload, Options(**task.options))
        while True:
            response = await sender.open(call)
            try:
                await sender.read(call, response)  # the recorder hears it
                return task.read(heard(recorder))
            except APIConnectionError as error:
                await sender.again_or_raise(call, error)
            finally:
                response.close()


_KINDS: Dict[str, Callable[[AsyncClient, Task, Recorder], Awaitable[Any]]] = {
    "whole": _whole,
    "stream": _streamed,
    "bytes": _downloaded,
}


class AsyncAPIResponse(RawResponse):
    """What `with_streaming_response` gives: an answer whose body is read by `await read()`, `iter_lines`, ..."""

    async def _pieces(self) -> AsyncIterator[bytes]:
        if isinstance(self._value, AsyncStream):
            async for piece in self._value.pieces():
                yield piece
        else:
            yield self.content

    async def parse(self, *, to: Any = None) -> Any:
        return super().parse(to=to)

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self._pieces()])

    async def text(self) -> str:
        return (await self.read()).decode("utf-8", "replace")

    async def json(self) -> Any:
        return self.http_response.json()

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        async for piece in self._pieces():
            yield piece

    iter_raw = iter_bytes

    async def iter_text(self) -> AsyncIterator[str]:
        import codecs

        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        async for piece in self._pieces():
            text = decoder.decode(piece)
            if text:
                yield text

    async def iter_lines(self) -> AsyncIterator[str]:
        rest = b""
        async for piece in self._pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.rstrip(b"\r").decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")

    async def close(self) -> None:
        if isinstance(self._value, AsyncStream):
            await self._value.close()


class AsyncResponseManager:
    """`async with client.chat.completions.with_streaming_response.create(...) as response:`."""

    def __init__(self, send: Callable[[], Awaitable[AsyncAPIResponse]]) -> None:
        self._send = send
        self._response: Optional[AsyncAPIResponse] = None

    async def __aenter__(self) -> AsyncAPIResponse:
        self._response = await self._send()
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            await self._response.close()


_MODES: Dict[str, Any] = {"raw": RawWholeResponse, "streaming": AsyncAPIResponse}


class AsyncAzureOpenAI(AsyncOpenAI):
    """An async client of an Azure OpenAI resource; see AzureOpenAI."""

    def __init__(
        self,
        *,
        api_version: Optional[str] = None,
        azure_endpoint: Optional[str] = None,
        azure_deployment: Optional[str] = None,
        api_key: Any = None,
        azure_ad_token: Any = None,
        azure_ad_token_provider: Any = None,
        default_headers: Optional[Mapping[str, Any]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        timeout: Any = omit,
        max_concurrency: int = MAX_CONCURRENCY,
        **others: Any,
    ) -> None:
        arguments: Dict[str, Any] = {"api_version": api_version, "azure_endpoint": azure_endpoint}
        arguments.update(azure_deployment=azure_deployment, api_key=api_key, timeout=timeout, **others)
        arguments.update(azure_ad_token=azure_ad_token, azure_ad_token_provider=azure_ad_token_provider)
        arguments.update(max_concurrency=max_concurrency)
        self._client = azure_client(AsyncClient, default_headers, default_query, arguments)
