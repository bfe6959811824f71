"""The openai package's shape over our clients: change the import, keep the program.

    from openai import OpenAI, RateLimitError          from rawchat.sdk import OpenAI, RateLimitError

    client = OpenAI()
    completion = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}])
    print(completion.choices[0].message.content)

Here are OpenAI, AsyncOpenAI, AzureOpenAI and AsyncAzureOpenAI with chat.completions (create, parse, stream),
embeddings, models, files and batches; the exceptions; the result classes, in `types` and `types.chat`. What is not here
says what to use instead. `client.client` is the Client underneath, with its cost tracker and listeners.

Where openai 3.52 goes wrong, this does not follow it:

    what the server sends                       openai 3.52                         here
    ------------------------------------------  ----------------------------------  ----------------------------------
    200 with {"error": ...}                     a completion of Nones               the error, by its code
    200 with HTML, null, [] or nothing          a str, None, a list                 InvalidResponseError
    a stream that ends without [DONE] or a      a normal end                        StreamInterrupted; `.reply` holds
    finish_reason; half an event at its end                                         what arrived
    a whole JSON body, HTML, or nothing,        an empty stream                     its chunk; InvalidResponseError;
    in place of a stream                                                            StreamInterrupted
    events without data (retry:, id:, pings)    JSONDecodeError                     ignored
    `event: error`; {"type": "error"}           a chunk of Nones                    the error
    a byte order mark before the first event    its chunk is lost                   read
    keep-alive comments and nothing else        waits for ever                      APITimeoutError
    a break before the first chunk              raised                              tried again
    a break right after the finish_reason       raised                              the answer is whole
    role, id or name repeated in every chunk    "assistantassistant"                once
    tool calls without an index, from index 1   TypeError, IndexError               found by id
    two tool calls interleaved                  `.done` events without arguments    `.done` once, with all of them
    choices out of order                        IndexError                          by their index
    usage in a chunk before the last            lost                                kept
    get_final_completion() of a plain text      LengthFinishReasonError             the completion
    that was cut off
    a parsed answer that does not fit           ValidationError, alone              SchemaMismatch with the path, the
                                                                                    completion, and pydantic's error
    oneOf, type lists, recursive and escaped    sent as they are, RecursionError,   strict, or a PayloadError with
    refs, boolean schemas                       KeyError, TypeError                 the path
    429 with code insufficient_quota            tried again                         QuotaExceededError, a RateLimitError
    retry-after-ms: -5, retry-after: 1          the second is not looked at         1 second
    a redirect                                  followed, a POST as a GET           the error names the target
    arguments of a tool call as an object       an object                           text, as the API has it

    what the program does
    ------------------------------------------  ----------------------------------  ----------------------------------
    base_url with a query, or the endpoint      mangled; 404                        understood
    in it; OPENAI_BASE_URL=""                   connection error                    unset
    a key with a newline, a URL without http    retried, "Connection error."        PayloadError at once
    NaN, bytes, half a character in a message   ValueError, numbers, UnicodeError   PayloadError with the path
    a parameter it does not know                TypeError                           sent
    a message of the model sent back            with its nulls                      as strict servers take it

Different on purpose: results are not pydantic's (`model_dump` and its kin are there, validation is not); `.response`
and `.request` of errors are plain values without the key; `stream()` events also have `.choice_index`; snapshots of
events are made when they are looked at.
"""

from .._version import __version__ as __version__

TYPE_CHECKING = False  # type checkers take it for true; see the package's own face
if TYPE_CHECKING:
    from ..protocol.errors import (
        APIConnectionError as APIConnectionError,
        APIError as APIError,
        APIStatusError as APIStatusError,
        APITimeoutError as APITimeoutError,
        AuthenticationError as AuthenticationError,
        BadRequestError as BadRequestError,
        ConflictError as ConflictError,
        InternalServerError as InternalServerError,
        InvalidResponseError as APIResponseValidationError,  # noqa: F401
        NotFoundError as NotFoundError,
        PermissionDeniedError as PermissionDeniedError,
        RateLimitError as RateLimitError,
        RawChatError as OpenAIError,  # noqa: F401
        UnprocessableEntityError as UnprocessableEntityError,
    )
    from ..protocol.feature_errors import (
        ContentFilterFinishReasonError as ContentFilterFinishReasonError,
        LengthFinishReasonError as LengthFinishReasonError,
    )
    from .aclients import AsyncAzureOpenAI as AsyncAzureOpenAI, AsyncOpenAI as AsyncOpenAI
    from .astreaming import AsyncStream as AsyncStream
    from .clients import APIResponse as APIResponse, AzureOpenAI as AzureOpenAI, OpenAI as OpenAI
    from .events import ChatCompletionStreamState as ChatCompletionStreamState
    from .exchange import Timeout as Timeout
    from .objects import (
        NOT_GIVEN as NOT_GIVEN,
        BaseModel as BaseModel,
        NotGiven as NotGiven,
        Omit as Omit,
        not_given as not_given,
        omit as omit,
    )
    from .parsing import pydantic_function_tool as pydantic_function_tool
    from .streaming import Stream as Stream

# Module -> its names; `name=theirs` where ours is another one.
_HOMES = {
    ".protocol.errors": (
        "APIConnectionError APIError APIStatusError APITimeoutError AuthenticationError BadRequestError ConflictError "
        "InternalServerError NotFoundError PermissionDeniedError RateLimitError UnprocessableEntityError "
        "OpenAIError=RawChatError APIResponseValidationError=InvalidResponseError"
    ),
    ".protocol.feature_errors": "ContentFilterFinishReasonError LengthFinishReasonError",
    "aclients": "AsyncAzureOpenAI AsyncOpenAI AsyncClient=AsyncOpenAI",
    "astreaming": "AsyncStream",
    "clients": "APIResponse AzureOpenAI OpenAI Client=OpenAI",
    "events": "ChatCompletionStreamState",
    "exchange": "Timeout",
    "objects": "NOT_GIVEN BaseModel NotGiven Omit not_given omit",
    "parsing": "pydantic_function_tool",
    "streaming": "Stream",
}
_HOME_OF = {
    entry.partition("=")[0]: (home, entry.rpartition("=")[2])
    for home, names in _HOMES.items()
    for entry in names.split()
}

DEFAULT_MAX_RETRIES = 2
NoneType = type(None)

# Programs may use the package itself as a client: `openai.api_key = ...; openai.chat.completions.create(...)`. It is
# made at first use, of these and of the environment.
api_key = organization = project = base_url = default_headers = default_query = None
_RESOURCES = ("chat", "beta", "embeddings", "models", "files", "batches", "responses")

__all__ = [*_HOME_OF, "DEFAULT_MAX_RETRIES", "NoneType", "__version__"]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _RESOURCES:
        return getattr(_own_client(), name)
    if name in ("types", "resources"):
        return import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, theirs = _HOME_OF[name]
    value = getattr(import_module(f".{home}", __name__), theirs)
    globals()[name] = value  # the next look-up is a plain one
    return value


def _own_client() -> object:
    """The package's own client; a new one whenever a setting has changed."""
    from .clients import OpenAI

    settings = {name: globals()[name] for name in _SETTINGS}
    made = globals().get("_made")
    if made is None or made[0] != settings:
        made = globals()["_made"] = (settings, OpenAI(**settings))
    client: object = made[1]
    return client


_SETTINGS = ("api_key", "organization", "project", "base_url", "default_headers", "default_query")


def __dir__() -> "list[str]":
    return sorted([*globals(), *_HOME_OF])
