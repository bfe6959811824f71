"""What `parse` and `stream` make of answers: the content as the type that was asked for, tool arguments as theirs.

    expected = expect(Review, [pydantic_function_tool(GetWeather)])
    expected.response_format                     {"type": "json_schema", "json_schema": {...}}: what is sent
    parsed_completion(reply, expected)           message.parsed, tool_calls[0].function.parsed_arguments

What the schemas look like, and what fits them, is protocol/schema.py's. A refusal is no error here: it stands in the
message, as in the SDK. An answer that was cut off, or that does not fit, is one, and carries the completion.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional

from ..protocol.errors import APIError, PayloadError
from ..protocol.feature_errors import ContentFilterFinishReasonError, LengthFinishReasonError, SchemaMismatch
from ..protocol.optional import optional
from ..protocol.reply import Reply
from ..protocol.reply_dialects import plain_tool_call, text_of
from .objects import Omit
from .types.chat import ChatCompletion, ParsedChatCompletion

if TYPE_CHECKING:
    from ..protocol.schema import Format

# protocol/schema.py is imported where it is needed: most programs parse nothing, and it is as long as a client.

# finish_reason -> the error, and what it says
_CUT_OFF: Dict[str, Any] = {
    "length": (
        LengthFinishReasonError,
        "the answer was to be parsed, and was cut off at the token limit; raise max_completion_tokens, or ask for less",
    ),
    "content_filter": (
        ContentFilterFinishReasonError,
        "the answer was to be parsed, and was cut off by the content filter",
    ),
}


class PydanticFunctionTool(Dict[str, Any]):
    """The `function` of a tool, as a dict, with the type that its arguments become."""

    model: Any = None


def pydantic_function_tool(
    model: Any, *, name: Optional[str] = None, description: Optional[str] = None
) -> Dict[str, Any]:
    """An entry of `tools` whose arguments are a pydantic model; a dataclass or a TypedDict will do as well.

    Always strict. Raises PayloadError, with the path, for what strict mode cannot say.
    """
    with optional("parse"):
        from ..protocol.schema import tool_schema

    tool = tool_schema(model, name=name, description=description, strict=True)
    function = PydanticFunctionTool(tool["function"])
    function.model = model
    return {"type": "function", "function": function}


class Expected(NamedTuple):
    """What the answer is to become. `response_format` is what is sent, Omit for none."""

    response_format: Any
    format: Optional[Format]
    tools: Dict[str, Any]  # name -> the `function` of each strict tool

    @property
    def is_parsed(self) -> bool:
        return self.format is not None or bool(self.tools)


def expect(response_format: Any, tools: Any, *, all_strict: bool = False) -> Expected:
    """What a type or a dict under `response_format`, and these tools, ask for.

    With `all_strict`, as `parse` wants it, a tool that cannot be parsed is a PayloadError.
    """
    strict: Dict[str, Any] = {}
    for tool in [] if tools is None or isinstance(tools, Omit) else tools:
        function = tool.get("function") or {}
        if tool.get("type") == "function" and function.get("strict") is True:
            strict[function["name"]] = function
        elif all_strict:
            name = function.get("name") or tool.get("type")
            raise PayloadError(f'only function tools with "strict": True can be parsed, and {name!r} is none')
    if response_format is None or isinstance(response_format, (Omit, Mapping)):
        return Expected(response_format, None, strict)
    with optional("parse"):
        from ..protocol.schema import format_of

    form = format_of(response_format)
    return Expected(form.response_format, form, strict)


def completion_of(reply: Reply) -> ChatCompletion:
    """The completion as it came; only arguments that are no text become one (llama.cpp sends the object itself)."""
    return ChatCompletion.of({**reply, "choices": [_with_text_arguments(choice) for choice in reply["choices"]]})


def _with_text_arguments(choice: Any) -> Any:
    message: Any = choice.get("message") if isinstance(choice, dict) else None
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(calls, list) or all(_is_well_made(call) for call in calls):
        return choice
    return {**choice, "message": {**message, "tool_calls": [_well_made(call) for call in calls]}}


def _is_well_made(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return not isinstance(function, dict) or isinstance(function.get("arguments"), str)


def _well_made(call: Any) -> Any:
    return call if _is_well_made(call) else plain_tool_call(call)


def parsed_completion(reply: Reply, expected: Expected, *, whole: bool = True) -> ParsedChatCompletion:
    """The completion with what could be parsed; of an answer that is not `whole`, nothing is.

    Raises LengthFinishReasonError, ContentFilterFinishReasonError or SchemaMismatch, all with `.reply`.
    """
    choices = []
    for choice in map(_with_text_arguments, reply["choices"]):
        if whole:
            refuse_cut_off(choice.get("finish_reason"), expected, reply)
        message = choice.get("message") or {}
        made = {**message, "parsed": content_of(message, expected, reply) if whole else None}
        if isinstance(message.get("tool_calls"), list):
            made["tool_calls"] = [_parsed_call(call, expected, reply, whole) for call in message["tool_calls"]]
        choices.append({**choice, "message": made})
    return ParsedChatCompletion.of({**reply, "choices": choices})


def refuse_cut_off(finish_reason: Any, expected: Expected, reply: Reply) -> None:
    """Raises the error for an answer that was to be parsed and was cut off. Without anything to parse, there is none:
    what arrived of a plain text is of use.
    """
    cut_off = _CUT_OFF.get(str(finish_reason))
    if cut_off is not None and expected.is_parsed:
        raise known(cut_off[0](cut_off[1]), reply)


def content_of(message: Mapping[str, Any], expected: Expected, reply: Reply) -> Any:
    """The message's text as the type that was asked for; None where there is none, or a refusal."""
    text = text_of(message.get("content"))
    if expected.format is None or not text or message.get("refusal"):
        return None
    with optional("parse"):
        from ..protocol.parse import without_fence

    try:
        return expected.format.read(without_fence(text))
    except SchemaMismatch as error:
        raise known(error, reply) from error.__cause__


def _parsed_call(call: Dict[str, Any], expected: Expected, reply: Reply, whole: bool) -> Dict[str, Any]:
    function = call.get("function")
    if not isinstance(function, dict):
        return call
    arguments = arguments_of(str(function.get("name")), function.get("arguments") or "", expected, reply, whole)
    return {**call, "function": {**function, "parsed_arguments": arguments}}


def arguments_of(name: str, arguments: str, expected: Expected, reply: Reply, whole: bool = True) -> Any:
    """A call's arguments as its tool's type, or as JSON for a strict tool without one; else None."""
    function = expected.tools.get(name)
    if function is None or not whole:
        return None
    model = getattr(function, "model", None)
    try:
        if model is None:
            return json.loads(arguments)
        with optional("parse"):
            from ..protocol.schema import tool_arguments

        values = tool_arguments(model, arguments)
        return model.model_validate(values) if hasattr(model, "model_validate") else model(**values)
    except SchemaMismatch as error:
        raise known(error, reply) from error.__cause__
    except ValueError as error:  # JSON's, or pydantic's own
        raise known(SchemaMismatch(f"the arguments do not fit {name}: {error}"), reply) from error


def known(error: APIError, reply: Reply) -> APIError:
    """`error` with the answer that it is about."""
    error.reply, error.request_id, error.headers, error.attempts = (
        reply,
        reply.request_id,
        reply.headers,
        reply.attempts,
    )
    vars(error)["completion"] = completion_of(reply)
    return error


_OPEN = {"{": "}", "[": "]"}


def partial_json(text: str) -> Any:
    """What is complete of JSON that is still being written: `{"a": 1, "b": "x` is {"a": 1}. None for nothing yet."""
    ends: List[str] = []  # what closes each container that is open
    safe, closing = 0, ""  # up to where the text can be kept, and what must follow it
    inside, escaped = False, False
    for place, character in enumerate(text):
        if inside:
            escaped, inside = character == "\\" and not escaped, escaped or character != '"'
        elif character == '"':
            inside = True
        elif character in _OPEN:
            ends.append(_OPEN[character])
            safe, closing = place + 1, "".join(reversed(ends))
        elif character in "}]" and ends:
            ends.pop()
            safe, closing = place + 1, "".join(reversed(ends))
        elif character == ",":
            safe, closing = place, "".join(reversed(ends))
    for candidate in (text + "".join(reversed(ends)), text[:safe] + closing):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return None
