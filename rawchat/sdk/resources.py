"""What stands behind `client.chat`, `.embeddings`, `.models`, `.files` and `.batches`, sync and async alike.

    client.chat.completions.create(model="gpt-4o-mini", messages=[...])         -> ChatCompletion
    client.chat.completions.create(..., stream=True)                            -> Stream of ChatCompletionChunk
    client.chat.completions.with_raw_response.create(...)                       -> .headers, .parse()
    await async_client.embeddings.create(model="...", input=["a", "b"])         -> CreateEmbeddingResponse

A method checks nothing but its arguments' shape, makes a Task of them and hands it to the client: a sync client gives
the result, an async one something to await. Parameters that nobody here knows go into the body as they are.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Mapping, Optional, Type
from urllib.parse import quote

from ..protocol.errors import APITimeoutError, PayloadError
from ..protocol.payload import build_messages
from ..protocol.reply import Reply
from ..protocol.segment import quote_segment
from ..protocol.wording import kind_of
from .exchange import HttpResponse, Task, checked_options, noted
from .objects import NOT_GIVEN, BaseModel, Omit, given, omit, plain
from .parsing import completion_of, expect, parsed_completion
from .types import Batch, CreateEmbeddingResponse, FileDeleted, FileObject, Model, ModelDeleted
from .types.chat import ChatCompletionMessage
from .uploads import BinaryContent, multipart

_OPTIONS = ("extra_headers", "extra_query", "timeout")


class Resource:
    """A group of endpoints. `mode` is how answers are given: "parsed", "raw" or "streaming"."""

    def __init__(self, client: Any, mode: str = "parsed") -> None:
        self._client = client
        self._mode = mode

    @property
    def with_raw_response(self) -> Any:
        """The same methods, giving head and body of the answer; `.parse()` gives the result."""
        return type(self)(self._client, "raw")

    @property
    def with_streaming_response(self) -> Any:
        """The same methods, giving a context manager whose answer is read as it comes."""
        return type(self)(self._client, "streaming")

    def _send(self, task: Task) -> Any:
        return self._client.perform(task, self._mode)

    def _json(
        self,
        method: str,
        path: str,
        kind: Type[BaseModel],
        arguments: Mapping[str, Any],
        payload: Optional[Dict[str, Any]] = None,
    ) -> Any:
        """A call whose answer is one object. `arguments` holds the options, and extra_body for the payload."""
        if payload is not None:
            payload.update(plain(arguments.get("extra_body") or {}))
        return self._send(Task(method, path, _as(kind), _options(arguments), payload))

    def _page(self, path: str, item: Type[BaseModel], query: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
        options = _options(arguments)
        options["extra_query"] = {**given(query), **(options.get("extra_query") or {})}

        def read(reply: Reply) -> Any:
            return self._client.page_class.made(self._client, task, item, reply)

        task = Task("GET", path, read, options, required="data")
        return self._client.perform_list(task, self._mode)


def _as(kind: Type[BaseModel]) -> Callable[[Reply], Any]:
    return lambda reply: noted(kind.of(dict(reply)), reply)


def _options(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    return checked_options({name: arguments[name] for name in _OPTIONS if name in arguments})


def _segment(identity: Any, name: str) -> str:
    if not isinstance(identity, str) or not identity:
        raise PayloadError(f"{name} must be a text that is not empty, got {identity!r}", path=name)
    return quote_segment(identity)


# ---- chat


class Chat(Resource):
    @property
    def completions(self) -> Completions:
        return Completions(self._client, self._mode)


class Completions(Resource):
    def create(self, *, messages: Any, model: str, stream: Any = NOT_GIVEN, **parameters: Any) -> Any:
        """Create a chat completion: a ChatCompletion, or with `stream=True` a stream of its chunks.

        `parameters`: any of the API, and extra_headers, extra_query, extra_body, timeout.
        """
        if isinstance(parameters.get("response_format"), type):
            raise TypeError("create() takes response_format as a dict; parse() takes a type, and gives an instance")
        payload = _chat_payload(messages, model, stream, parameters)
        kind = "stream" if payload.get("stream") else "whole"
        return self._send(_chat_task(payload, parameters, _completion, kind))

    def parse(
        self, *, messages: Any, model: str, response_format: Any = omit, tools: Any = omit, **parameters: Any
    ) -> Any:
        """Create a chat completion whose `choices[0].message.parsed` is an instance of `response_format`.

        A pydantic model, a dataclass, a TypedDict, or any type that protocol/schema.py knows; strict tools get
        `parsed_arguments`. Raises LengthFinishReasonError and ContentFilterFinishReasonError where the answer was cut
        off, SchemaMismatch where it does not fit.
        """
        tools = tools if isinstance(tools, Omit) or tools is None else list(tools)
        expected = expect(response_format, tools, all_strict=True)
        parameters.update(response_format=expected.response_format, tools=tools)
        payload = _chat_payload(messages, model, False, parameters)
        return self._send(
            _chat_task(payload, parameters, lambda reply: noted(parsed_completion(reply, expected), reply), "whole")
        )

    def stream(
        self, *, messages: Any, model: str, response_format: Any = omit, tools: Any = omit, **parameters: Any
    ) -> Any:
        """A context manager that sends when it is entered, and gives the events of the answer; see events.py."""
        from .events import ChatCompletionStreamState  # most programs never look at events

        tools = tools if isinstance(tools, Omit) or tools is None else list(tools)
        state = ChatCompletionStreamState(input_tools=tools, response_format=response_format)
        parameters.update(response_format=state.expected.response_format, tools=tools)
        payload = _chat_payload(messages, model, True, parameters)
        task = _chat_task(payload, parameters, _completion, "stream")
        return self._client.stream_manager(lambda: self._client.perform(task), state)


def _completion(reply: Reply) -> Any:
    return noted(completion_of(reply), reply)


def _chat_task(payload: Dict[str, Any], parameters: Mapping[str, Any], read: Callable[[Any], Any], kind: str) -> Task:
    return Task("POST", "chat/completions", read, _options(parameters), payload, "choices", kind=kind)


def _chat_payload(messages: Any, model: Any, stream: Any, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """The body: routing fields first, then the messages, then the rest in the order given, then extra_body."""
    arguments = given({"model": model, "stream": stream, **parameters})
    extra = arguments.pop("extra_body", None) or {}
    payload: Dict[str, Any] = {
        name: arguments.pop(name) for name in ("model", "stream", "service_tier") if name in arguments
    }
    if not isinstance(payload.get("model"), str):
        raise PayloadError(
            f'model must be a text such as "gpt-4o-mini", got {kind_of(payload.get("model"))}', path="model"
        )
    payload["messages"] = _messages(messages)
    payload.update((name, plain(value)) for name, value in arguments.items() if name not in _OPTIONS)
    payload.update(plain(extra))
    return payload


def _messages(messages: Any) -> Any:
    if isinstance(messages, (str, bytes, Mapping)) or not hasattr(messages, "__iter__"):
        return build_messages(messages)
    return build_messages([_sendable(message) for message in messages])


def _sendable(message: Any) -> Any:
    """A message as a dict; one that the model wrote, as it may be sent back (see Reply.message)."""
    made = plain(message)
    if isinstance(message, ChatCompletionMessage):
        return Reply({"choices": [{"message": made}]}).message
    return made


class Beta(Resource):
    """`client.beta.chat.completions.parse`: where `parse` stood before it was `client.chat.completions.parse`."""

    @property
    def chat(self) -> Chat:
        return Chat(self._client, self._mode)


# ---- embeddings, models


class Embeddings(Resource):
    def create(
        self, *, input: Any, model: str, encoding_format: Any = omit, extra_body: Any = None, **parameters: Any
    ) -> Any:
        """Embed a text or a list of them. Vectors travel as base64, which is a third of the bytes, and arrive as lists
        of floats; with `encoding_format` they come as the server sends them.
        """
        as_floats = isinstance(encoding_format, Omit)
        chosen = "base64" if as_floats else encoding_format
        rest = {name: value for name, value in given(parameters).items() if name not in _OPTIONS}
        payload = {"input": plain(_as_lists(input)), "model": model, "encoding_format": chosen, **plain(rest)}
        payload.update(plain(extra_body or {}))

        def read(reply: Reply) -> Any:
            items = [_with_floats(item) for item in reply["data"]] if as_floats else reply["data"]
            return noted(CreateEmbeddingResponse.of({**reply, "data": items}), reply)

        return self._send(Task("POST", "embeddings", read, _options(parameters), payload, "data"))


def _as_lists(value: Any) -> Any:
    """numpy's arrays and the like as lists."""
    return value.tolist() if hasattr(value, "tolist") else value


def _with_floats(item: Any) -> Any:
    vector = item.get("embedding") if isinstance(item, dict) else None
    if not isinstance(vector, str):  # many servers ignore the encoding that was asked for
        return item
    import base64
    import sys
    from array import array

    numbers = array("f", base64.b64decode(vector))  # IEEE 754 single, little-endian: API reference, "Embeddings"
    if sys.byteorder == "big":
        numbers.byteswap()
    return {**item, "embedding": numbers.tolist()}


class Models(Resource):
    def list(self, **options: Any) -> Any:
        """The models the server offers, as a page to loop over."""
        return self._page("models", Model, {}, options)

    def retrieve(self, model: str, **options: Any) -> Any:
        # Gateways name models "org/model" and serve them under that path; so the slash stays one.
        _segment(model, "model")
        return self._json("GET", f"models/{quote(model, safe='/:@')}", Model, options)

    def delete(self, model: str, **options: Any) -> Any:
        return self._json("DELETE", f"models/{_segment(model, 'model')}", ModelDeleted, options)


# ---- files, batches


class Files(Resource):
    def create(
        self, *, file: Any, purpose: str, expires_after: Any = omit, extra_body: Any = None, **options: Any
    ) -> Any:
        """Upload a file: bytes, an open binary file, a path, or (name, content, content type)."""
        fields = given({"purpose": purpose, "expires_after": expires_after, **(extra_body or {})})
        body, content_type = multipart(fields, "file", file)
        return self._send(
            Task("POST", "files", _as(FileObject), _options(options), body=body, content_type=content_type)
        )

    def retrieve(self, file_id: str, **options: Any) -> Any:
        return self._json("GET", f"files/{_segment(file_id, 'file_id')}", FileObject, options)

    def list(
        self, *, after: Any = omit, limit: Any = omit, order: Any = omit, purpose: Any = omit, **options: Any
    ) -> Any:
        query = {"after": after, "limit": limit, "order": order, "purpose": purpose}
        return self._page("files", FileObject, query, options)

    def delete(self, file_id: str, **options: Any) -> Any:
        return self._json("DELETE", f"files/{_segment(file_id, 'file_id')}", FileDeleted, options)

    def content(self, file_id: str, **options: Any) -> Any:
        """The bytes of a file, as BinaryContent."""
        return self._bytes(file_id, BinaryContent, options)

    def retrieve_content(self, file_id: str, **options: Any) -> Any:
        """The text of a file."""
        return self._bytes(file_id, lambda response: response.text, options)

    def _bytes(self, file_id: str, read: Callable[[HttpResponse], Any], options: Mapping[str, Any]) -> Any:
        path = f"files/{_segment(file_id, 'file_id')}/content"
        return self._send(Task("GET", path, read, _options(options), kind="bytes"))

    def wait_for_processing(self, id: str, *, poll_interval: float = 5.0, max_wait_seconds: float = 1800.0) -> Any:
        """Ask for a file's state until it is processed, failed or deleted; APITimeoutError after `max_wait_seconds`."""
        return self._client.wait_for(
            lambda: self.retrieve(id),
            lambda file: file.status in ("processed", "error", "deleted"),
            poll_interval,
            Overdue(f"the file {id}", max_wait_seconds),
        )


class Overdue:
    """When to stop waiting for something, and how to say so."""

    def __init__(self, what: str, limit_s: float) -> None:
        self.what = what
        self.limit_s = limit_s
        self._until_s = time.monotonic() + limit_s

    def check(self) -> None:
        if time.monotonic() > self._until_s:
            raise APITimeoutError(f"{self.what} is not ready after {self.limit_s:g} s")


class Batches(Resource):
    def create(
        self, *, input_file_id: str, endpoint: str, completion_window: str, extra_body: Any = None, **parameters: Any
    ) -> Any:
        """Start a batch over an uploaded file of requests (API reference: "Create batch")."""
        rest = {name: value for name, value in given(parameters).items() if name not in _OPTIONS}
        payload = {"completion_window": completion_window, "endpoint": endpoint, "input_file_id": input_file_id}
        return self._json(
            "POST", "batches", Batch, {**parameters, "extra_body": extra_body}, {**payload, **plain(rest)}
        )

    def retrieve(self, batch_id: str, **options: Any) -> Any:
        return self._json("GET", f"batches/{_segment(batch_id, 'batch_id')}", Batch, options)

    def list(self, *, after: Any = omit, limit: Any = omit, **options: Any) -> Any:
        return self._page("batches", Batch, {"after": after, "limit": limit}, options)

    def cancel(self, batch_id: str, **options: Any) -> Any:
        return self._json("POST", f"batches/{_segment(batch_id, 'batch_id')}/cancel", Batch, options)
