"""The objects of chat completions: whole, in chunks, and parsed; and names for what is sent.

    ChatCompletion(id='chatcmpl-1', choices=[Choice(finish_reason='stop', index=0, logprobs=None,
        message=ChatCompletionMessage(content='Hello!', refusal=None, role='assistant', ...))], ...)

Fields as of the API reference of 2026-11, in the SDK's order. What is sent is plain dicts: the `...Param` names are
there for annotations. Where the SDK has two classes of one name, the one of chunks is called `Chunk...` here.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Type

from ..objects import BaseModel
from . import CompletionUsage as CompletionUsage


class TopLogprob(BaseModel):
    token: str
    bytes: Optional[List[int]]
    logprob: float


class ChatCompletionTokenLogprob(BaseModel):
    token: str
    bytes: Optional[List[int]]
    logprob: float
    top_logprobs: List[TopLogprob]


class ChoiceLogprobs(BaseModel):
    content: Optional[List[ChatCompletionTokenLogprob]]
    refusal: Optional[List[ChatCompletionTokenLogprob]]


class AnnotationURLCitation(BaseModel):
    end_index: int
    start_index: int
    title: str
    url: str


class Annotation(BaseModel):
    type: str
    url_citation: AnnotationURLCitation


class ChatCompletionAudio(BaseModel):
    id: str
    data: str
    expires_at: int
    transcript: str


class FunctionCall(BaseModel):
    arguments: str
    name: str


class Function(BaseModel):
    arguments: str
    name: str


class Custom(BaseModel):
    input: str
    name: str


class ChatCompletionMessageFunctionToolCall(BaseModel):
    """A call of a function, or of a custom tool (`type` says which)."""

    id: str
    function: Function
    type: str

    @classmethod
    def class_for(cls, raw: Mapping[str, Any]) -> Type[Any]:
        return ChatCompletionMessageCustomToolCall if raw.get("type") == "custom" else cls


ChatCompletionMessageToolCall = ChatCompletionMessageFunctionToolCall


class ChatCompletionMessageCustomToolCall(BaseModel):
    id: str
    custom: Custom
    type: str


class ChatCompletionMessage(BaseModel):
    content: Optional[str]
    refusal: Optional[str]
    role: str
    annotations: Optional[List[Annotation]]
    audio: Optional[ChatCompletionAudio]
    function_call: Optional[FunctionCall]
    tool_calls: Optional[List[ChatCompletionMessageFunctionToolCall]]


class Choice(BaseModel):
    finish_reason: str
    index: int
    logprobs: Optional[ChoiceLogprobs]
    message: ChatCompletionMessage


class ChatCompletion(BaseModel):
    id: str
    choices: List[Choice]
    created: int
    model: str
    object: str
    metadata: Optional[Dict[str, str]]
    moderation: Optional[Dict[str, Any]]
    service_tier: Optional[str]
    system_fingerprint: Optional[str]
    usage: Optional[CompletionUsage]


# ---- in chunks


class ChoiceDeltaFunctionCall(BaseModel):
    arguments: Optional[str]
    name: Optional[str]


class ChoiceDeltaToolCallFunction(BaseModel):
    arguments: Optional[str]
    name: Optional[str]


class ChoiceDeltaToolCall(BaseModel):
    index: int
    id: Optional[str]
    function: Optional[ChoiceDeltaToolCallFunction]
    type: Optional[str]


class ChoiceDeltaAudio(BaseModel):
    id: Optional[str]
    data: Optional[str]
    expires_at: Optional[int]
    transcript: Optional[str]


class ChoiceDelta(BaseModel):
    audio: Optional[ChoiceDeltaAudio]
    content: Optional[str]
    function_call: Optional[ChoiceDeltaFunctionCall]
    refusal: Optional[str]
    role: Optional[str]
    tool_calls: Optional[List[ChoiceDeltaToolCall]]


class ChunkChoice(BaseModel):
    _shown_as = "Choice"
    delta: ChoiceDelta
    index: int
    finish_reason: Optional[str]
    logprobs: Optional[ChoiceLogprobs]


class ChatCompletionChunk(BaseModel):
    id: str
    choices: List[ChunkChoice]
    created: int
    model: str
    object: str
    moderation: Optional[Dict[str, Any]]
    obfuscation: Optional[str]
    service_tier: Optional[str]
    system_fingerprint: Optional[str]
    usage: Optional[CompletionUsage]


# ---- parsed


class ParsedFunction(Function):
    _not_sent = ("parsed_arguments",)
    parsed_arguments: Any


class ParsedFunctionToolCall(ChatCompletionMessageFunctionToolCall):
    function: ParsedFunction


class ParsedChatCompletionMessage(ChatCompletionMessage):
    _not_sent = ("parsed",)
    parsed: Any
    tool_calls: Optional[List[ParsedFunctionToolCall]]  # type: ignore[assignment]  # a list of the narrower kind


class ParsedChoice(Choice):
    message: ParsedChatCompletionMessage


class ParsedChatCompletion(ChatCompletion):
    choices: List[ParsedChoice]  # type: ignore[assignment]  # a list of the narrower kind


# ---- what is sent: dicts, whose keys the API reference names

Param = dict[str, Any]
ChatCompletionMessageParam = Param
ChatCompletionSystemMessageParam = Param
ChatCompletionDeveloperMessageParam = Param
ChatCompletionUserMessageParam = Param
ChatCompletionAssistantMessageParam = Param
ChatCompletionToolMessageParam = Param
ChatCompletionFunctionMessageParam = Param
ChatCompletionContentPartParam = Param
ChatCompletionContentPartTextParam = Param
ChatCompletionContentPartImageParam = Param
ChatCompletionContentPartInputAudioParam = Param
ChatCompletionContentPartRefusalParam = Param
ChatCompletionMessageToolCallParam = Param
ChatCompletionMessageFunctionToolCallParam = Param
ChatCompletionMessageCustomToolCallParam = Param
ChatCompletionToolParam = Param
ChatCompletionToolUnionParam = Param
ChatCompletionFunctionToolParam = Param
ChatCompletionCustomToolParam = Param
ChatCompletionNamedToolChoiceParam = Param
ChatCompletionStreamOptionsParam = Param
ChatCompletionPredictionContentParam = Param
ChatCompletionToolChoiceOptionParam = Any  # a word, or a dict
