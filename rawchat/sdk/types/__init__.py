"""The objects of the endpoints beside chat: usage, models, embeddings, files, batches. `types.chat` has the others.

    Model(id='gpt-4o-mini', created=1721172741, object='model', owned_by='system', shutdown_date=None)

Fields as of the API reference of 2026-11, in the SDK's order. What a server adds is kept; what it leaves out is None.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..objects import BaseModel


def __getattr__(name: str) -> Any:
    if name != "chat":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module(".chat", __name__)  # openai.types.chat.ChatCompletion, without an import of its own


class CompletionTokensDetails(BaseModel):
    accepted_prediction_tokens: Optional[int]
    audio_tokens: Optional[int]
    reasoning_tokens: Optional[int]
    rejected_prediction_tokens: Optional[int]
    text_tokens: Optional[int]


class PromptTokensDetails(BaseModel):
    audio_tokens: Optional[int]
    cache_write_tokens: Optional[int]
    cached_tokens: Optional[int]
    image_tokens: Optional[int]
    text_tokens: Optional[int]


class CompletionUsage(BaseModel):
    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    completion_tokens_details: Optional[CompletionTokensDetails]
    prompt_tokens_details: Optional[PromptTokensDetails]


class Model(BaseModel):
    id: str
    created: int
    object: str
    owned_by: str
    shutdown_date: Optional[str]


class ModelDeleted(BaseModel):
    id: str
    deleted: bool
    object: str


class Embedding(BaseModel):
    embedding: List[float]
    index: int
    object: str


class EmbeddingUsage(BaseModel):
    _shown_as = "Usage"
    prompt_tokens: int
    total_tokens: int


class CreateEmbeddingResponse(BaseModel):
    data: List[Embedding]
    model: str
    object: str
    usage: EmbeddingUsage


class FileObject(BaseModel):
    id: str
    bytes: int
    created_at: int
    filename: str
    object: str
    purpose: str
    status: str
    expires_at: Optional[int]
    status_details: Optional[str]


class FileDeleted(BaseModel):
    id: str
    deleted: bool
    object: str


class BatchError(BaseModel):
    code: Optional[str]
    line: Optional[int]
    message: Optional[str]
    param: Optional[str]


class BatchErrors(BaseModel):
    _shown_as = "Errors"
    data: Optional[List[BatchError]]
    object: Optional[str]


class BatchRequestCounts(BaseModel):
    completed: int
    failed: int
    total: int


class BatchUsage(BaseModel):
    input_tokens: int
    input_tokens_details: Dict[str, Any]
    output_tokens: int
    output_tokens_details: Dict[str, Any]
    total_tokens: int


class Batch(BaseModel):
    id: str
    completion_window: str
    created_at: int
    endpoint: str
    input_file_id: str
    object: str
    status: str
    cancelled_at: Optional[int]
    cancelling_at: Optional[int]
    completed_at: Optional[int]
    error_file_id: Optional[str]
    errors: Optional[BatchErrors]
    expired_at: Optional[int]
    expires_at: Optional[int]
    failed_at: Optional[int]
    finalizing_at: Optional[int]
    in_progress_at: Optional[int]
    metadata: Optional[Dict[str, str]]
    model: Optional[str]
    output_file_id: Optional[str]
    request_counts: Optional[BatchRequestCounts]
    usage: Optional[BatchUsage]
