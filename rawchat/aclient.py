"""AsyncClient: the methods of Client, awaited; and no more calls at once than it was told.

    async with AsyncClient() as client:
        reply = await client.chat("Say hello.")
        replies = await client.batch_ask(prompts)            # a thousand of them, eight at a time
        async with client.stream("Count to five.") as stream:
            async for text in stream: ...

What to send and what an answer means is decided where Client has it decided; the way there is `asender.py`'s and
`transport/asyncio_transport.py`'s. Parses nothing, prints nothing, starts no thread (but asyncio's own, to look up
host names).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from .asender import AnyTransport, AsyncApiKey, AsyncSender, CallLimiter, KeySource, open_async_transport
from .astream import AsyncStream
from .client import hand_built, refuse_stream
from .protocol.call import Call
from .protocol.errors import PayloadError, RawChatError
from .protocol.events import Listener
from .protocol.optional import optional
from .protocol.payload import Messages, build_payload
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.retry import RetryPolicy
from .protocol.wording import kind_of
from .settings import DEFAULT_MODEL, DEFAULT_TIMEOUT, UNSET, USAGE, ApiKey, Options, Settings, Timeout
from .transport.async_base import AsyncTransport

if TYPE_CHECKING:
    from .protocol.embedding import Embeddings
    from .protocol.tracker import CostTracker


class AsyncClient:
    """A client of one OpenAI-compatible server for programs that await. `aclose()` or `async with` ends it.

    >>> client = AsyncClient()                  # OPENAI_API_KEY, OPENAI_BASE_URL
    >>> (await client.chat("Say hello.")).text
    'Hello!'

    Takes what Client takes, and besides:

    api_key          may also be an async callable; it is asked before each attempt
    max_concurrency  how many calls of this client run at once; others wait their turn, first come first served. A
                     stream counts until it ends: a task that asks while it holds as many streams waits for ever
    deadline         begins when it is the call's turn
    listeners        are called in the loop's thread, and not awaited
    transport        "asyncio" (the default; in a browser "pyodide"), any AsyncTransport, or a MemoryTransport

    Any number of tasks may share it. It may be used from one event loop after another: each has its own connections
    and its own `max_concurrency` places.
    """

    def __init__(
        self,
        api_key: AsyncApiKey = None,
        base_url: Optional[str] = None,
        *,
        model: str = DEFAULT_MODEL,
        organization: Optional[str] = None,
        project: Optional[str] = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        deadline: Optional[float] = None,
        max_retries: int = 2,
        retry: Optional[RetryPolicy] = None,
        headers: Optional[Mapping[str, Optional[str]]] = None,
        query: Optional[Mapping[str, Any]] = None,
        cost_tracker: Optional[CostTracker] = None,
        listeners: Iterable[Listener] = (),
        max_concurrency: int = 8,
        transport: AnyTransport = None,
    ) -> None:
        key, source = _key_source(api_key)
        settings = Settings.read(
            key, base_url, organization, project, model, timeout, deadline, max_retries, retry, headers, query
        )
        self._set_up(settings, source, CallLimiter(max_concurrency), cost_tracker, listeners, transport)

    def _set_up(
        self,
        settings: Settings,
        key: Optional[KeySource],
        limiter: CallLimiter,
        cost_tracker: Optional[CostTracker] = None,
        listeners: Iterable[Listener] = (),
        transport: AnyTransport = None,
    ) -> AsyncClient:
        self.settings = settings
        door, self._owns_transport = open_async_transport(transport)
        self._sender = AsyncSender(door, listeners, cost_tracker, limiter=limiter, key=key)
        return self

    @classmethod
    def azure(
        cls,
        endpoint: Optional[str] = None,
        deployment: Optional[str] = None,
        api_version: Optional[str] = None,
        *,
        api_key: AsyncApiKey = None,
        ad_token: AsyncApiKey = None,
        max_concurrency: int = 8,
        **options: Any,
    ) -> AsyncClient:
        """A client of an Azure OpenAI resource; see `Client.azure`. `options` are those of AsyncClient."""
        with optional("azure"):
            from .azure import azure_settings

        own = {name: options.pop(name) for name in ("cost_tracker", "listeners", "transport") if name in options}
        options.setdefault("model", DEFAULT_MODEL)
        key, key_source = _key_source(api_key)
        token, token_source = _key_source(ad_token)
        settings = azure_settings(endpoint, deployment, api_version, key, token, **options)
        return cls.__new__(cls)._set_up(settings, token_source or key_source, CallLimiter(max_concurrency), **own)

    def with_options(self, **changes: Any) -> AsyncClient:
        """A client with other settings (model, timeout, deadline, max_retries, headers, ...) over the same connections
        and places; its own places with `max_concurrency`.
        """
        source = self._sender.key
        if "api_key" in changes:
            changes["api_key"], source = _key_source(changes["api_key"])
        limiter = CallLimiter(changes.pop("max_concurrency")) if "max_concurrency" in changes else self._sender.limiter
        cost_tracker = changes.pop("cost_tracker", self.cost_tracker)
        listeners = changes.pop("listeners", self.listeners)
        settings = self.settings.replaced(**changes)
        client = type(self).__new__(type(self))
        return client._set_up(settings, source, limiter, cost_tracker, listeners, self.transport)

    @property
    def transport(self) -> AsyncTransport:
        return self._sender.transport

    @property
    def listeners(self) -> Tuple[Listener, ...]:
        return self._sender.given

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener to this client, from now on; calling what comes back takes it away again.

        Clients that `with_options` made of this one before hear nothing of it, those that it makes from now on do.
        """
        return self._sender.listen(listener)

    @property
    def cost_tracker(self) -> Optional[CostTracker]:
        return self._sender.cost_tracker

    @property
    def max_concurrency(self) -> int:
        return self._sender.limiter.most

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def model(self) -> str:
        return self.settings.model

    def __repr__(self) -> str:
        where = redact_text(self.base_url)
        return f"AsyncClient(base_url={where!r}, model={self.model!r}, transport={self.transport.name!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the idle connections of this loop. A transport that was passed in stays open: it is its owner's."""
        if self._owns_transport:
            await self.transport.aclose()

    async def chat(
        self,
        messages: Messages,
        *,
        model: Optional[str] = None,
        extra_headers: Optional[Mapping[str, Optional[str]]] = None,
        extra_query: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        timeout: Any = UNSET,
        deadline: Any = UNSET,
        max_retries: Any = UNSET,
        **parameters: Any,
    ) -> Reply:
        """Ask and wait for the whole answer; see `Client.chat`."""
        refuse_stream(parameters)
        payload = build_payload(messages, model=model or self.model, parameters=parameters, extra_body=extra_body)
        options = Options(extra_headers, extra_query, timeout, deadline, max_retries)
        return await self._sender.whole(lambda: self.settings.call("POST", "chat/completions", payload, options))

    def stream(
        self,
        messages: Messages,
        *,
        model: Optional[str] = None,
        extra_headers: Optional[Mapping[str, Optional[str]]] = None,
        extra_query: Optional[Mapping[str, Any]] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        timeout: Any = UNSET,
        deadline: Any = UNSET,
        max_retries: Any = UNSET,
        **parameters: Any,
    ) -> AsyncStream:
        """Ask and get the answer as it is written: `async with` (or `await`) sends it. See `Client.stream`."""
        refuse_stream(parameters)
        parameters.setdefault("stream_options", USAGE)
        asked = model or self.model
        payload = build_payload(messages, model=asked, stream=True, parameters=parameters, extra_body=extra_body)
        options = Options(extra_headers, extra_query, timeout, deadline, max_retries)

        def make_call() -> Call:
            call = self.settings.call("POST", "chat/completions", payload, options)
            self._sender.mind_usage(call)
            return call

        return AsyncStream(self._sender, make_call)

    async def send(self, payload: Mapping[str, Any], **options: Any) -> Union[Reply, AsyncStream]:
        """Post a payload built by hand, as it is: nothing added, nothing checked but that it is JSON.

        An AsyncStream where the payload says `"stream": true`, its head already here; else a Reply. `options`:
        extra_headers, extra_query, timeout, deadline, max_retries.
        """
        body, chosen = hand_built(payload), Options(**options)

        def make_call() -> Call:
            return self.settings.call("POST", "chat/completions", body, chosen)

        return await (AsyncStream(self._sender, make_call) if body.get("stream") else self._sender.whole(make_call))

    async def parse(
        self, messages: Messages, type_or_schema: Any, *, model: Optional[str] = None, **parameters: Any
    ) -> Reply:
        """Ask for an answer of one form; `reply.parsed` is the value. See `Client.parse`."""
        with optional("parse"):
            from .protocol.parse import form_of, parsed_value

        form = form_of(type_or_schema, parameters)
        reply = await self.chat(messages, model=model, response_format=form.response_format, **parameters)
        reply.parsed = parsed_value(reply, form)
        return reply

    async def embed(
        self,
        texts: Any,
        *,
        model: str = "text-embedding-3-small",
        dimensions: Optional[int] = None,
        batch_size: Optional[int] = None,
        extra_body: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> Embeddings:
        """The vectors of texts, in their order. See `Client.embed`; several requests go out one after the other."""
        with optional("embed"):
            from .embedding_plan import EmbeddingPlan

        given = {"dimensions": dimensions, "batch_size": batch_size, "extra_body": extra_body, **options}
        plan = EmbeddingPlan(self.settings, self._sender.refused, texts, model, **given)
        for part, call in plan.calls():
            with plan.keeping():
                plan.add(call, await self._sender.whole(_made(call), "data"), part)
        return plan.found

    async def models(self, **options: Any) -> Reply:
        """The models the server offers: a Reply whose ["data"] is a list of {"id": ...}."""
        return await self.request("GET", "models", required="data", **options)

    async def request(
        self,
        method: str,
        path: str,
        payload: Optional[Mapping[str, Any]] = None,
        *,
        required: str = "",
        body: Optional[bytes] = None,
        content_type: str = "application/json",
        **options: Any,
    ) -> Reply:
        """Any other JSON endpoint below base_url; see `Client.request`."""
        document, chosen = None if payload is None else dict(payload), Options(**options)

        def make_call() -> Call:
            return self.settings.call(method, path, document, chosen, body=body, content_type=content_type)

        return await self._sender.whole(make_call, required)

    async def batch_ask(self, prompts: Iterable[Messages], **parameters: Any) -> List[Union[Reply, RawChatError]]:
        """Ask every prompt and give the answers in the order of the prompts, `max_concurrency` at a time.

        A prompt is whatever `chat` takes; so are `parameters`. A prompt that fails has its error in its place, an
        APIError or, where it could not be sent, a PayloadError or BudgetExceeded: `isinstance(answer, Reply)` tells.
        Any other exception is a mistake somewhere, ends the batch and is raised. Prompts are taken one by one from
        `prompts`, which may be a generator, and as many tasks work as there are places, however long the list is.
        """
        if isinstance(prompts, (str, bytes, Mapping)):
            raise PayloadError(
                f"prompts is a list of prompts, not {kind_of(prompts)}; for a single one there is chat()"
            )
        waiting = iter(prompts)
        answers: Dict[int, Union[Reply, RawChatError]] = {}
        taken = 0

        async def work() -> None:
            nonlocal taken
            for prompt in waiting:  # shared by all workers: each takes the next one
                number, taken = taken, taken + 1
                try:
                    answers[number] = await self.chat(prompt, **parameters)
                except RawChatError as error:
                    answers[number] = error

        workers = [asyncio.ensure_future(work()) for _ in range(self.max_concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [answers[number] for number in range(taken)]


def _made(call: Call) -> Callable[[], Call]:
    """A call that is made already, for a sender that makes its calls when their turn comes."""
    return lambda: call


def _key_source(api_key: AsyncApiKey) -> Tuple[ApiKey, Optional[KeySource]]:
    """(what Settings take, what is to be asked before each attempt)."""
    if not callable(api_key):
        return api_key, None
    source = api_key if isinstance(api_key, KeySource) else KeySource(api_key)
    return source, source
