"""Fields that a reply does not have: which of them read as None, and where people look for what has another name.

    {"id":"c1","choices":[{"message":{"content":"Hi"}}]}      reply.model is None, reply.modle an AttributeError

Servers other than OpenAI's leave out what the API reference requires, and add what it does not have. Pure.
"""

from __future__ import annotations

from typing import Dict, Optional

# By the name under which the object stands ("": the reply). The two reasoning names are DeepSeek's and OpenRouter's.
_LEFT_OUT: Dict[str, str] = {
    "": "id object created model metadata moderation",
    "choices": "index finish_reason",
    "message": "role reasoning_content reasoning",
    "tool_calls": "id type",
    "logprobs": "content refusal",
    "prompt_tokens_details": "cached_tokens cache_write_tokens audio_tokens image_tokens text_tokens",
    "completion_tokens_details": (
        "reasoning_tokens audio_tokens text_tokens accepted_prediction_tokens rejected_prediction_tokens"
    ),
}
# Where people coming from elsewhere look for it, and where it is.
_ELSEWHERE = {"content": "text", "output_text": "text", "role": "message", "delta": "text", "function_call": "message"}


def hint_of(kind: str, name: str) -> Optional[str]:
    """None where the absent field `name` reads as None; else what to say behind the error, or ""."""
    if name in _LEFT_OUT.get(kind, "").split():
        return None
    known = "" if kind else _ELSEWHERE.get(name)
    return f"; do you mean reply.{known}?" if known else ""
