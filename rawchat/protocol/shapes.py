"""The shapes of the JSON, for type checkers and readers; at run time all is plain dicts, an unknown key no error.

    {"id": "c1", "object": "chat.completion", "choices": [{"index": 0, "message": {...}, "finish_reason": "stop"}], ...}

Field lists as of the API reference of 2026-11 (platform docs, "The chat completion object" and "... chunk object").
Nothing here needs them to run.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict, Union


class FunctionCall(TypedDict, total=False):
    name: str
    arguments: str  # JSON as text; may be cut off by max_tokens, and some servers send an object


class ToolCall(TypedDict, total=False):
    index: int  # in deltas only: which call this fragment belongs to
    id: str
    type: str  # "function" or "custom"
    function: FunctionCall
    custom: Dict[str, Any]


class Message(TypedDict, total=False):
    role: str  # developer, system, user, assistant, tool
    content: Union[str, List[Dict[str, Any]], None]
    name: str
    refusal: Optional[str]
    tool_calls: List[ToolCall]
    tool_call_id: str
    annotations: List[Dict[str, Any]]
    audio: Optional[Dict[str, Any]]
    reasoning_content: str  # DeepSeek, SGLang, GLM; "reasoning" at OpenRouter, newer vLLM, Ollama


class Usage(TypedDict, total=False):
    prompt_tokens: int  # cached and cache-write tokens are part of these
    completion_tokens: int  # reasoning tokens are part of these, except at xAI
    total_tokens: int
    prompt_tokens_details: Dict[str, int]
    completion_tokens_details: Dict[str, int]


class Choice(TypedDict, total=False):
    index: int
    message: Message
    finish_reason: Optional[str]
    logprobs: Optional[Dict[str, Any]]


class ChunkChoice(TypedDict, total=False):
    index: int
    delta: Message
    finish_reason: Optional[str]
    logprobs: Optional[Dict[str, Any]]


class Completion(TypedDict, total=False):
    id: str
    object: str  # "chat.completion"
    created: int  # Unix seconds
    model: str
    choices: List[Choice]
    usage: Optional[Usage]
    service_tier: Optional[str]
    system_fingerprint: Optional[str]


class Chunk(TypedDict, total=False):
    id: str
    object: str  # "chat.completion.chunk"
    created: int
    model: str
    choices: List[ChunkChoice]
    usage: Optional[Usage]  # null but in the last chunk, whose choices are []
    service_tier: Optional[str]
    system_fingerprint: Optional[str]
