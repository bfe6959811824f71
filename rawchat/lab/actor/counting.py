"""The practice server's own tokenizer, and what a request counts.

    split_tokens("It's 2026, café!")   ->   ["It", "'s", " ", "202", "6", ",", " café", "!"]

The pieces joined are the text again, exactly. They resemble a real tokenizer's (a word with the space before it, up
to three digits, one punctuation mark) but are not any model's, so the counts are exact here and nowhere else. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, List, Mapping

from .lessons import text_of

# Every alternative begins where the last match ended and looks at no character beyond its own, so cutting a text
# between two tokens leaves the tokens before the cut as they were: a truncated answer counts what it would have
# counted.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # scripts that put no space between words: one character each
    r"| ?[^\W\d_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,10}"
    r"|'[a-z]{1,2}|\d{1,3}|\n+|[^\S\n]+|_+|[^\w\s]",
)

PER_MESSAGE = 3  # what wraps each message, and the opening of the answer: OpenAI's figures for its chat models
PER_ANSWER = 3
IMAGE_TOKENS = {"low": 85, "auto": 765, "high": 765, "original": 765}  # gpt-4o: 85, or 85 + 4 tiles of 170
AUDIO_CHARACTERS_PER_TOKEN = 6400  # ten tokens a second of 24 kHz 16-bit sound in base64
FILE_CHARACTERS_PER_TOKEN = 40


def split_tokens(text: str) -> List[str]:
    """The tokens of `text`, in order; `"".join` of them is `text`."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens `text` has."""
    return len(_TOKEN.findall(text))


def _part_tokens(part: Any) -> int:
    """Tokens of one content part that is not text."""
    if not isinstance(part, dict):
        return 0
    kind = part.get("type")
    if kind == "image_url":
        return IMAGE_TOKENS.get((part.get("image_url") or {}).get("detail") or "auto", IMAGE_TOKENS["auto"])
    if kind == "input_audio":
        return audio_tokens(part)
    if kind == "file":
        return 1 + len((part.get("file") or {}).get("file_data") or "") // FILE_CHARACTERS_PER_TOKEN
    return count_tokens(str(part.get("refusal") or "")) if kind == "refusal" else 0


def audio_tokens(part: Mapping[str, Any]) -> int:
    """Tokens of an input_audio part."""
    return 1 + len((part.get("input_audio") or {}).get("data") or "") // AUDIO_CHARACTERS_PER_TOKEN


def _message_tokens(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    count = PER_MESSAGE + count_tokens(str(message.get("role"))) + count_tokens(text_of(content))
    count += sum(_part_tokens(part) for part in content) if isinstance(content, list) else 0
    count += 1 + count_tokens(str(message["name"])) if message.get("name") else 0
    calls = message.get("tool_calls") or ([message["function_call"]] if message.get("function_call") else [])
    return count + (count_json(calls) if calls else 0)


def count_json(value: Any) -> int:
    """Tokens of a value written as compact JSON."""
    return count_tokens(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def count_prompt(body: Mapping[str, Any]) -> int:
    """Prompt tokens of a chat request: messages, tool definitions, and the schema of the answer."""
    count = PER_ANSWER + sum(_message_tokens(message) for message in body["messages"])
    for parameter in ("tools", "functions"):
        count += count_json(body[parameter]) if body.get(parameter) else 0
    wanted = body.get("response_format") or {}
    return count + (count_json(wanted["json_schema"]) if wanted.get("json_schema") else 0)


def count_prompt_audio(body: Mapping[str, Any]) -> int:
    """The part of the prompt tokens that is sound."""
    contents = (message.get("content") for message in body["messages"])
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return sum(audio_tokens(part) for part in parts if part.get("type") == "input_audio")
