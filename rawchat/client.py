"""Client: posts a payload, reads the answer, and tries again where that helps.

    messages -> payload -> transport.send -> status.classify -> retry.next_wait (again, or raise)
             -> sse / chunks -> Reply

How a call is driven is in `sender.py`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Mapping, Optional, Tuple, Union

from .protocol.errors import PayloadError
from .protocol.optional import left_out, optional
from .protocol.payload import Messages, build_payload
from .protocol.redact import redact_text
from .protocol.reply import Reply
from .protocol.retry import RetryPolicy
from .sender import Sender, open_transport
from .settings import DEFAULT_MODEL, DEFAULT_TIMEOUT, UNSET, USAGE, ApiKey, Options, Settings, Timeout
from .transport.base import Transport

if TYPE_CHECKING:
    from .protocol.call import Call
    from .protocol.embedding import Embeddings
    from .protocol.events import Listener
    from .protocol.tracker import CostTracker
    from .stream import Stream


class Client:
    """A client of one OpenAI-compatible server. Safe to share between threads; `close()` or `with` ends it.

    api_key    a string, or a callable that is asked before each attempt; "" sends none; None: OPENAI_API_KEY
    base_url   up to and including /v1; None: OPENAI_BASE_URL, or OpenAI's
    timeout    seconds as in requests: a number, or (to connect, to wait for a byte)
    deadline   seconds for a whole call: its retries, waits and stream included
    retry      the waits between attempts, of which `max_retries` may follow the first
    headers    added to every request, as `query` is; None leaves one out
    listeners  get every WireEvent
    transport  "requests" (the default, where it is installed), "stdlib", "pyodide" (in a browser), or any Transport
    """

    def __init__(
        self,
        api_key: ApiKey = None,
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
        transport: Union[Transport, str, None] = None,
    ) -> None:
        settings = Settings.read(
            api_key, base_url, organization, project, model, timeout, deadline, max_retries, retry, headers, query
        )
        self._set_up(settings, cost_tracker, listeners, transport)

    def _set_up(
        self, settings: Settings, cost_tracker: Any = None, listeners: Any = (), transport: Any = None
    ) -> Client:
        self.settings = settings
        door, self._owns_transport = open_transport(transport)
        try:
            from .telling import TellingSender
        except ImportError:  # a copy that tells nothing and counts no costs
            for feature, given in (("events", listeners), ("cost", cost_tracker)):
                if given:
                    raise left_out(feature) from None
            self._sender = Sender(door)
        else:
            self._sender = TellingSender(door, listeners, cost_tracker)
        return self

    @classmethod
    def azure(
        cls,
        endpoint: Optional[str] = None,
        deployment: Optional[str] = None,
        api_version: Optional[str] = None,
        **options: Any,
    ) -> Client:
        """A client of an Azure OpenAI resource; `options` are Client's, `api_key` and `ad_token`. See `azure.py`."""
        with optional("azure"):
            from .azure import azure_settings

        own = {name: options.pop(name) for name in ("cost_tracker", "listeners", "transport") if name in options}
        settings = azure_settings(endpoint, deployment, api_version, **{"model": DEFAULT_MODEL, **options})
        return cls.__new__(cls)._set_up(settings, **own)

    def with_options(self, **changes: Any) -> Client:
        """A client with other arguments, those of `Client` by name, over the same connections."""
        cost_tracker = changes.pop("cost_tracker", self.cost_tracker)
        listeners = changes.pop("listeners", self.listeners)
        client = type(self).__new__(type(self))
        return client._set_up(self.settings.replaced(**changes), cost_tracker, listeners, self.transport)

    @property
    def transport(self) -> Transport:
        return self._sender.transport

    @property
    def listeners(self) -> Tuple[Listener, ...]:
        return getattr(self._sender, "given", ())

    @property
    def cost_tracker(self) -> Optional[CostTracker]:
        return getattr(self._sender, "cost_tracker", None)

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def model(self) -> str:
        return self.settings.model

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Add a listener, also for clients made of this one later; what comes back takes it away."""
        with optional("events"):
            from .telling import Teller

        assert isinstance(self._sender, Teller)
        return self._sender.listen(listener)

    def __repr__(self) -> str:
        where = redact_text(self.base_url)
        return f"Client(base_url={where!r}, model={self.model!r}, transport={self.transport.name!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections, unless the transport was passed in."""
        if self._owns_transport:
            self.transport.close()

    def chat(
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
        """Ask and wait for the whole answer (API reference: "Create chat completion").

        `messages`: a string, a message dict or a list of them. `parameters` go into the body as they are, None leaves
        one out; `extra_body` is laid over it. `timeout`, `deadline` and `max_retries` as for the client, for this call.
        Raises PayloadError before anything is sent, else an APIError, after as many attempts as help.
        """
        refuse_stream(parameters)
        payload = build_payload(messages, model=model or self.model, parameters=parameters, extra_body=extra_body)
        options = Options(extra_headers, extra_query, timeout, deadline, max_retries)
        return self._sender.whole(self.settings.call("POST", "chat/completions", payload, options))

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
    ) -> Stream:
        """As `chat`, the answer as it is written. Returns, or raises, when the head of the answer is here.

        Usage is asked for with `stream_options`, unless you give them yourself.
        """
        refuse_stream(parameters)
        parameters.setdefault("stream_options", USAGE)
        asked = model or self.model
        payload = build_payload(messages, model=asked, stream=True, parameters=parameters, extra_body=extra_body)
        options = Options(extra_headers, extra_query, timeout, deadline, max_retries)
        return _stream(self._sender, self.settings.call("POST", "chat/completions", payload, options))

    def send(self, payload: Mapping[str, Any], **options: Any) -> Union[Reply, Stream]:
        """Post a payload built by hand, as it is: a Stream where it says `"stream": true`, else a Reply.

        `options`: those of `chat` whose names are not of the body (`extra_headers`, `timeout`, ...). Raises as `chat`.
        """
        call = self.settings.call("POST", "chat/completions", hand_built(payload), Options(**options))
        return _stream(self._sender, call) if payload.get("stream") else self._sender.whole(call)

    def parse(self, messages: Messages, type_or_schema: Any, **parameters: Any) -> Reply:
        """As `chat`, for an answer of one form (API reference: "Structured outputs"): `reply.parsed` is its value.

        See `protocol/parse.py` for the forms, and for what is raised besides chat()'s errors.
        """
        with optional("parse"):
            from .protocol.parse import form_of, parsed_value

        form = form_of(type_or_schema, parameters)
        reply = self.chat(messages, response_format=form.response_format, **parameters)
        reply.parsed = parsed_value(reply, form)
        return reply

    def embed(self, texts: Any, *, model: str = "text-embedding-3-small", **options: Any) -> Embeddings:
        """The vectors of texts, in their order (API reference: "Create embeddings"). See `embedding_plan.py`."""
        with optional("embed"):
            from .embedding_plan import EmbeddingPlan

        plan = EmbeddingPlan(self.settings, getattr(self._sender, "refused", {}), texts, model, **options)
        for part, call in plan.calls():
            with plan.keeping():
                plan.add(call, self._sender.whole(call, "data"), part)
        return plan.found

    def models(self, **options: Any) -> Reply:
        """The server's models, in ["data"], each {"id": ...} (API reference: "List models")."""
        return self.request("GET", "models", required="data", **options)

    def request(
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
        """Any other JSON endpoint: `path` is below base_url, `payload` the JSON to send. Raises as `chat`.

        `required` names a key of the answer that must hold a list. A `body` (a file) is sent as it is, in place of a
        payload, and is of this `content_type`.
        """
        document, chosen = None if payload is None else dict(payload), Options(**options)
        call = self.settings.call(method, path, document, chosen, body=body, content_type=content_type)
        return self._sender.whole(call, required)


def hand_built(payload: Mapping[str, Any]) -> Dict[str, Any]:
    if not isinstance(payload, Mapping):
        with suppress(ImportError):  # else dict() says so
            from .protocol.flaws import refusal_of_kind

            raise refusal_of_kind(payload)
    return dict(payload)


def _stream(sender: Sender, call: Call) -> Stream:
    from .stream import Stream  # at first use, for its `threading`

    return Stream(sender, call)


def refuse_stream(parameters: Dict[str, Any]) -> None:
    if "stream" in parameters:
        raise PayloadError("chat() gives the whole answer and stream() the pieces: call one of them without stream=")
