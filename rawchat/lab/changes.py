"""What one chunk changed in the message, in words.

    {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}    the message begins: role assistant
    {"choices":[{"index":0,"delta":{"content":"Hel"}}]}                    text + "Hel", 3 characters so far
    {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}            finish_reason stop: the model had said all
    {"choices":[],"usage":{"prompt_tokens":8,...}}                         usage: 8 tokens in, 2 out

Follows a stream from its first chunk, because what a delta means depends on those before it. Puts no message together:
that is the ChunkAssembler's part, and this only tells of it. Pure.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping

FINISH_REASONS = {
    "stop": "the model had said all, or met a stop sequence",
    "length": "max tokens were used up: the text is cut off",
    "tool_calls": "the model wants its tools called",
    "function_call": "the model wants its function called (the older form)",
    "content_filter": "a filter ended the answer",
}
# What must stay the same from the first chunk to the last (API reference, "The chat completion chunk object").
CONSTANT = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_SHOWN_CHARACTERS = 60


class Changes:
    """Tells of the chunks of one stream, in order."""

    def __init__(self) -> None:
        self._constant: Dict[str, Any] = {}
        self._characters: Dict[Any, int] = {}
        self._chunks = 0

    def of(self, chunk: Mapping[str, Any]) -> List[str]:
        """What this chunk brings, a line each; never empty."""
        self._chunks += 1
        told = self._envelope(chunk)
        choices = chunk.get("choices")
        several = isinstance(choices, list) and len(choices) > 1
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                told += self._choice(choice, several)
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            told.append(_usage_words(usage))
        if chunk.get("error") is not None:
            told.append(f"error: {shown(chunk['error'])}")
        return told or ["nothing: no choice, no usage"]

    def _envelope(self, chunk: Mapping[str, Any]) -> List[str]:
        told = []
        for name in CONSTANT:
            if name not in chunk or chunk[name] is None:
                continue
            if name not in self._constant:
                self._constant[name] = chunk[name]
            elif chunk[name] != self._constant[name]:
                told.append(f"{name} changed from {shown(self._constant[name])} to {shown(chunk[name])}: it must not")
        if self._chunks == 1:
            known = [f"{name} {shown(self._constant[name])}" for name in ("id", "model") if name in self._constant]
            told.insert(0, ", ".join(["the first chunk", *known]))
        return told

    def _choice(self, choice: Mapping[str, Any], several: bool) -> List[str]:
        index = choice.get("index", 0)
        whose = f"choice {index}: " if several or index else ""
        delta = choice.get("delta")
        told: List[str] = []
        for name, value in (delta if isinstance(delta, dict) else {}).items():
            tell = _DELTAS.get(name, _other)
            told += [whose + words for words in tell(self, index, name, value)]
        reason = choice.get("finish_reason")
        if reason:
            told.append(f"{whose}finish_reason {shown(reason)}: {FINISH_REASONS.get(reason, 'a word of this server')}")
        return told

    def _role(self, index: Any, name: str, value: Any) -> List[str]:
        if value is None:
            return []
        again = (index, "role") in self._characters
        self._characters[index, "role"] = 1
        return [f"role {shown(value)} again" if again else f"the message begins: role {shown(value)}"]

    def _text(self, index: Any, name: str, value: Any) -> List[str]:
        if not isinstance(value, str):
            return [] if value is None else [f"{name}: {shown(value)}, which is no text"]
        total = self._characters.get((index, name), 0) + len(value)
        self._characters[index, name] = total
        label = _TEXT_LABELS.get(name, name)
        return [f"{label} + {shown(value)}, {total:,} characters so far"] if value else []

    def _tool_calls(self, index: Any, name: str, value: Any) -> List[str]:
        told = []
        for call in value if isinstance(value, list) else []:
            if not isinstance(call, dict):
                continue
            part = call.get("function") or call.get("custom") or {}
            number = call.get("index", "without an index")
            label = f"tool call {number}"
            if call.get("id") or (isinstance(part, dict) and part.get("name")):
                told.append(f"{label} begins: {part.get('name', '?')}, id {shown(call.get('id'))}")
            fragment = part.get("arguments") or part.get("input") if isinstance(part, dict) else None
            if fragment:
                size = self._characters.get((index, name, number), 0) + len(str(fragment))
                self._characters[index, name, number] = size
                told.append(f"{label}: arguments + {shown(fragment)}, {size:,} characters so far")
        return told


def _other(changes: Changes, index: Any, name: str, value: Any) -> List[str]:
    return [] if value is None or value == [] else [f"{name}: {shown(value)}"]


_TEXT_LABELS = {"content": "text", "reasoning_content": "reasoning", "reasoning": "reasoning", "refusal": "refusal"}
_DELTAS: Mapping[str, Callable[[Changes, Any, str, Any], List[str]]] = {
    "role": Changes._role,
    "tool_calls": Changes._tool_calls,
    **dict.fromkeys(_TEXT_LABELS, Changes._text),
}


def _usage_words(usage: Mapping[str, Any]) -> str:
    words = f"usage: {usage.get('prompt_tokens', '?')} tokens in, {usage.get('completion_tokens', '?')} out"
    details = {**_details(usage, "prompt_tokens_details"), **_details(usage, "completion_tokens_details")}
    extra = [f"{name.replace('_tokens', '')} {count}" for name, count in details.items() if count]
    return f"{words} ({', '.join(extra)})" if extra else words


def _details(usage: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def shown(value: Any) -> str:
    """A value of the JSON as JSON, cut where it is long."""
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
