"""rawchat: chat completions over plain HTTP, with every byte in sight.

    >>> import rawchat
    >>> client = rawchat.Client()                    # OPENAI_API_KEY, OPENAI_BASE_URL
    >>> client.chat("Say hello.").text
    'Hello!'

This is the face: what `import rawchat` offers, and where each name lives. A name's module is loaded when the name is
first used, so that importing the package costs next to nothing and needs no other package. No logic.
"""

from ._version import LEFT_OUT as _LEFT_OUT, __version__ as __version__

TYPE_CHECKING = False  # type checkers take it for true; `typing` alone would cost more than all the rest of the import
if TYPE_CHECKING:
    from .aclient import AsyncClient as AsyncClient
    from .astream import AsyncStream as AsyncStream
    from .batch import BatchRun as BatchRun, run_batch as run_batch
    from .cache import CachingTransport as CachingTransport, EmbeddingCache as EmbeddingCache
    from .client import Client as Client
    from .exact import count_tokens as count_tokens
    from .log import LogListener as LogListener
    from .parts import (
        handle_response as handle_response,
        iter_chunks as iter_chunks,
        iter_events as iter_events,
        robust_chat as robust_chat,
    )
    from .protocol.chunks import ChunkAssembler as ChunkAssembler
    from .protocol.cost import Price as Price, cost_of as cost_of, estimate_cost as estimate_cost
    from .protocol.embedding import Embeddings as Embeddings
    from .protocol.errors import *
    from .protocol.events import (
        Chunked as Chunked,
        Done as Done,
        Failed as Failed,
        Received as Received,
        Sending as Sending,
        Waiting as Waiting,
        WireEvent as WireEvent,
    )
    from .protocol.feature_errors import *
    from .protocol.history import (
        format_messages as format_messages,
        last_messages as last_messages,
        trim_messages as trim_messages,
    )
    from .protocol.rate_limits import backoff_delays as backoff_delays, rate_limits as rate_limits
    from .protocol.reply import Reply as Reply
    from .protocol.retry import (
        RetryPolicy as RetryPolicy,
        next_wait as next_wait,
        parse_retry_after as parse_retry_after,
    )
    from .protocol.schema import tool_schema as tool_schema
    from .protocol.similarity import cosine_similarity as cosine_similarity, nearest as nearest
    from .protocol.sse import Event as Event, SSEDecoder as SSEDecoder
    from .protocol.status import Verdict as Verdict, classify as classify
    from .protocol.tokens import estimate_tokens as estimate_tokens
    from .protocol.tracker import CostTracker as CostTracker
    from .protocol.wire import Headers as Headers, Request as Request, ResponseHead as ResponseHead
    from .session import ChatSession as ChatSession
    from .stream import Stream as Stream
    from .tools import (
        ToolCallRecord as ToolCallRecord,
        ToolRun as ToolRun,
        run_tools as run_tools,
        run_tools_async as run_tools_async,
    )
    from .transport.async_base import AsyncTransport as AsyncTransport, InlineTransport as InlineTransport
    from .transport.base import Transport as Transport
    from .transport.memory import MemoryTransport as MemoryTransport

_HOMES = {
    "aclient": "AsyncClient",
    "astream": "AsyncStream",
    "batch": "BatchRun run_batch",
    "cache": "CachingTransport EmbeddingCache",
    "client": "Client",
    "exact": "count_tokens",
    "log": "LogListener",
    "parts": "handle_response iter_chunks iter_events robust_chat",
    "protocol.chunks": "ChunkAssembler",
    "protocol.cost": "Price cost_of estimate_cost",
    "protocol.embedding": "Embeddings",
    "protocol.errors": (
        "APIConnectionError APIError APIStatusError APITimeoutError AuthenticationError BadRequestError "
        "ConflictError DeadlineExceeded InternalServerError InvalidResponseError NotFoundError NotInThisCopy "
        "PayloadError PermissionDeniedError QuotaExceededError RateLimitError RawChatError StreamInterrupted "
        "UnprocessableEntityError"
    ),
    "protocol.events": "Chunked Done Failed Received Sending Waiting WireEvent",
    "protocol.feature_errors": (
        "BudgetExceeded CassetteMiss ContentFilterFinishReasonError LengthFinishReasonError RefusalError "
        "SchemaMismatch UnknownPrice UnknownPriceWarning"
    ),
    "protocol.history": "format_messages last_messages trim_messages",
    "protocol.rate_limits": "backoff_delays rate_limits",
    "protocol.reply": "Reply",
    "protocol.retry": "RetryPolicy next_wait parse_retry_after",
    "protocol.schema": "tool_schema",
    "protocol.similarity": "cosine_similarity nearest",
    "protocol.sse": "Event SSEDecoder",
    "protocol.status": "Verdict classify",
    "protocol.tokens": "estimate_tokens",
    "protocol.tracker": "CostTracker",
    "protocol.wire": "Headers Request ResponseHead",
    "session": "ChatSession",
    "stream": "Stream",
    "tools": "ToolCallRecord ToolRun run_tools run_tools_async",
    "transport.async_base": "AsyncTransport InlineTransport",
    "transport.base": "Transport",
    "transport.memory": "MemoryTransport",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [*_HOME_OF, "__version__"]


def __getattr__(name: str) -> object:
    for feature, names in _LEFT_OUT.items():
        if name in names.split():
            from .protocol.optional import left_out

            raise left_out(feature)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    # Python 3.13 replaces this module while it is loaded, and gives a second thread the old one, which is empty.
    import_module("collections.abc")
    value = getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value  # the next look-up is a plain one
    return value


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
