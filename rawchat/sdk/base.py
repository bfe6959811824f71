"""What OpenAI and AsyncOpenAI have in common: the reading of their arguments, their resources, their settings.

    client.chat, client.models, ...              the resources, which the two kinds share
    client.with_options(timeout=5)               other settings over the same connections
    client.post("/moderations", cast_to=dict, body={...})      endpoints without a method here
    client.responses                             AttributeError, which names what to use instead

Opens no connection.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

from ..protocol.errors import PayloadError
from ..protocol.redact import redact_text
from ..settings import from_environment
from .exchange import HttpResponse, Task, cast_to, checked_options, seconds_of
from .objects import NOT_GIVEN, Omit, given
from .resources import Batches, Beta, Chat, Embeddings, Files, Models

_REFUSED = {
    "http_client": (
        "http_client= is an httpx client, and no httpx is in here: proxies and CA files are read from the environment "
        "(HTTPS_PROXY, REQUESTS_CA_BUNDLE), and a way of one's own to the network is a Transport, given as transport="
    ),
    "workload_identity": "workload_identity= is not supported; a callable api_key= is asked before each attempt",
    "provider": "provider= is not supported; give base_url= and api_key= of the server",
    "data_residency": "data_residency= is not supported; give the region's base_url=",
}
_USE_CHAT = "use client.chat.completions.create(model=..., messages=[...]), which every compatible server has"
# What the SDK has beside the endpoints that this package is about, and what there is instead.
_ELSEWHERE = {
    "responses": f"the Responses API is not offered here; {_USE_CHAT}",
    "completions": f"the old completions endpoint is not offered here; {_USE_CHAT}",
    "assistants": f"the Assistants API is retired; {_USE_CHAT}",
    "conversations": f"the Conversations API is not offered here; {_USE_CHAT}",
    "realtime": f"the Realtime API is not offered here; {_USE_CHAT}",
    **{
        name: f'the {name} endpoints have no methods here; client.post("/...", cast_to=dict, body={{...}}) reaches them'
        for name in "audio containers evals fine_tuning images moderations skills uploads vector_stores videos".split()
    },
    "webhooks": "webhooks are not offered here: verify the signature as the standard-webhooks specification says",
}


class ClientBase:
    """What OpenAI and AsyncOpenAI have in common: arguments, options, and the resources."""

    _client: Any
    page_class: Any = None

    # Resources.

    @property
    def chat(self) -> Chat:
        return Chat(self)

    @property
    def beta(self) -> Beta:
        return Beta(self)

    @property
    def embeddings(self) -> Embeddings:
        return Embeddings(self)

    @property
    def models(self) -> Models:
        return Models(self)

    @property
    def files(self) -> Files:
        return Files(self)

    @property
    def batches(self) -> Batches:
        return Batches(self)

    @property
    def with_raw_response(self) -> Any:
        """The resources, giving head and body of each answer: `client.with_raw_response.models.list()`."""
        return _InMode(self, "raw")

    @property
    def with_streaming_response(self) -> Any:
        return _InMode(self, "streaming")

    def __getattr__(self, name: str) -> Any:
        if name in _ELSEWHERE:
            raise AttributeError(f"client.{name}: {_ELSEWHERE[name]}")
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    # Settings.

    @property
    def client(self) -> Any:
        """The Client (or AsyncClient) underneath: `.cost_tracker`, `.listeners`, `.settings`."""
        return self._client

    @property
    def base_url(self) -> str:
        return str(self._client.base_url).rstrip("/") + "/"

    @property
    def api_key(self) -> str:
        key = self._client.settings.api_key
        return key if isinstance(key, str) else ""

    @property
    def organization(self) -> Any:
        return self._setting("organization")

    @property
    def project(self) -> Any:
        return self._setting("project")

    @property
    def max_retries(self) -> int:
        return int(self._client.settings.max_retries)

    @property
    def timeout(self) -> Any:
        """(connect, read) in seconds."""
        return self._client.settings.timeout

    def _setting(self, name: str) -> Any:
        return getattr(self._client.settings, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={redact_text(self.base_url)!r})"

    def copy(
        self,
        *,
        timeout: Any = NOT_GIVEN,
        max_retries: Any = NOT_GIVEN,
        default_headers: Optional[Mapping[str, Any]] = None,
        set_default_headers: Optional[Mapping[str, Any]] = None,
        default_query: Optional[Mapping[str, Any]] = None,
        set_default_query: Optional[Mapping[str, Any]] = None,
        **changes: Any,
    ) -> Any:
        """The client with other settings over the same connections: api_key, base_url, organization, project, timeout,
        max_retries; `default_headers` and `default_query` are added to the old ones, `set_...` replace them.
        """
        refuse(changes)
        changes = {name: value for name, value in given(changes).items() if value is not None}
        if not isinstance(timeout, Omit):
            changes["timeout"] = seconds_of(timeout)
        if not isinstance(max_retries, Omit):
            changes["max_retries"] = max_retries
        for name, added, replaced in (
            ("headers", default_headers, set_default_headers),
            ("query", default_query, set_default_query),
        ):
            if added is not None and replaced is not None:
                raise PayloadError(f"give default_{name} or set_default_{name}, not both")
            if added is not None or replaced is not None:
                old = self._setting(name) if replaced is None else {}
                changes[name] = {**old, **without_omit(added if replaced is None else replaced)}
        made = type(self).__new__(type(self))
        made._client = self._client.with_options(**changes)
        return made

    with_options = copy

    # Endpoints without a method.

    def get(self, path: str, *, cast_to: Any = dict, options: Optional[Mapping[str, Any]] = None) -> Any:
        """GET any path below base_url; `cast_to` as in RawResponse.parse. `options`: headers, params, timeout."""
        return self._any("GET", path, cast_to, None, options)

    def post(
        self, path: str, *, cast_to: Any = dict, body: Any = None, options: Optional[Mapping[str, Any]] = None
    ) -> Any:
        return self._any("POST", path, cast_to, body, options)

    def put(
        self, path: str, *, cast_to: Any = dict, body: Any = None, options: Optional[Mapping[str, Any]] = None
    ) -> Any:
        return self._any("PUT", path, cast_to, body, options)

    def patch(
        self, path: str, *, cast_to: Any = dict, body: Any = None, options: Optional[Mapping[str, Any]] = None
    ) -> Any:
        return self._any("PATCH", path, cast_to, body, options)

    def delete(
        self, path: str, *, cast_to: Any = dict, body: Any = None, options: Optional[Mapping[str, Any]] = None
    ) -> Any:
        return self._any("DELETE", path, cast_to, body, options)

    def _any(self, method: str, path: str, cast: Any, body: Any, options: Optional[Mapping[str, Any]]) -> Any:
        names = {"headers": "extra_headers", "params": "extra_query", "timeout": "timeout"}
        unknown = set(options or {}) - set(names)
        if unknown:
            raise TypeError(f"options may hold headers, params and timeout, not {', '.join(sorted(unknown))}")
        chosen = checked_options({names[name]: value for name, value in (options or {}).items()})
        read: Callable[[HttpResponse], Any] = lambda response: cast_to(cast, response)  # noqa: E731
        return self.perform(Task(method, path.lstrip("/"), read, chosen, body, kind="bytes"))

    def perform(self, task: Task, mode: str = "parsed") -> Any:
        raise NotImplementedError


class _InMode:
    """The resources of a client, in another mode."""

    def __init__(self, client: ClientBase, mode: str) -> None:
        self._client = client
        self._mode = mode

    def __getattr__(self, name: str) -> Any:
        resource = getattr(self._client, name)
        return type(resource)(self._client, self._mode)


def refuse(arguments: Mapping[str, Any]) -> None:
    """Raises PayloadError for the SDK's arguments that cannot be honoured."""
    for name, why in _REFUSED.items():
        if arguments.get(name) is not None:
            raise PayloadError(why, path=name)


def without_omit(values: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """Headers with None, which leaves out, for omit."""
    return {name: None if isinstance(value, Omit) else value for name, value in (values or {}).items()}


def read_arguments(
    default_headers: Optional[Mapping[str, Any]], default_query: Optional[Mapping[str, Any]], arguments: Dict[str, Any]
) -> Dict[str, Any]:
    """The SDK's constructor arguments as Client takes them."""
    refuse(arguments)
    left = {name: value for name, value in given(arguments).items() if name not in _REFUSED}
    if "timeout" in left:
        left["timeout"] = seconds_of(left["timeout"])
    if left.get("base_url") is not None:
        left["base_url"] = str(left["base_url"])  # an httpx.URL, too
    return {
        **left,
        "headers": {**custom_headers(), **without_omit(default_headers)},
        "query": dict(default_query or {}),
    }


def custom_headers() -> Dict[str, Optional[str]]:
    """OPENAI_CUSTOM_HEADERS: a header a line, `Name: value`; lines without a colon say nothing."""
    lines = (from_environment("OPENAI_CUSTOM_HEADERS") or "").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def azure_client(
    kind: Any,
    default_headers: Optional[Mapping[str, Any]],
    default_query: Optional[Mapping[str, Any]],
    arguments: Dict[str, Any],
) -> Any:
    """A Client or AsyncClient (`kind`) for an Azure resource, of the SDK's arguments."""
    read = read_arguments(default_headers, default_query, arguments)
    endpoint, base_url = read.pop("azure_endpoint", None), read.pop("base_url", None)
    token, provider = read.pop("azure_ad_token", None), read.pop("azure_ad_token_provider", None)
    if endpoint is not None and base_url is not None:
        raise PayloadError("give azure_endpoint or base_url, not both")
    if token is not None and provider is not None:
        raise PayloadError("give azure_ad_token or azure_ad_token_provider, not both")
    made = kind.azure(
        endpoint or base_url,
        read.pop("azure_deployment", None),
        read.pop("api_version", None),
        ad_token=provider if provider is not None else token,
        **read,
    )
    if base_url is not None:
        # A base_url is taken as it is; a deployment in it is not named again.
        made.settings = made.settings.replaced(base_url=base_url, azure_deployments="/deployments" not in base_url)
    return made
