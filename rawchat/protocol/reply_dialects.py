"""What other servers put into a whole answer, in the API's shape.

    {"content":[{"type":"thinking","thinking":[{"type":"text","text":"6*7"}]},{"type":"text","text":"42"}]}   Mistral
    {"content":[{"type":"refusal","refusal":"No."}]}
    {"tool_calls":[{"id":"","function":{"name":"f","arguments":{"x":1}}}]}                                   llama.cpp

Pure.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Tuple

# What the API has under one name: the names others have for it, the types of parts, and where such a part has its text.
_SAID: Dict[str, Tuple[Tuple[str, ...], ...]] = {
    # DeepSeek, SGLang, GLM have the first; OpenRouter, vLLM, Ollama the second, or both.
    "reasoning_content": (
        ("reasoning_content", "reasoning"),
        ("thinking", "reasoning"),
        ("thinking", "reasoning", "text"),
    ),
    "refusal": (("refusal",), ("refusal",), ("refusal",)),
}


def said_in(message: Mapping[str, Any], field: str) -> str:
    """What a message says in this field of the API, or where others say it."""
    content = message.get("content")
    if field == "content":
        return text_of(content)
    names, types, part_names = _SAID[field]
    said = next(filter(None, (text_of(message.get(name)) for name in names)), "")
    if said or not isinstance(content, list):
        return said
    pieces: List[Any] = []
    for part in content:
        if isinstance(part, dict) and part.get("type") in types:
            value = next((part[name] for name in part_names if part.get(name)), "")
            pieces += value if isinstance(value, list) else [value]
    return text_of(pieces)


def in_order(choices: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """By index; relays send null, "0" and 0.0, or leave it out."""
    return [choice for _, choice in sorted(enumerate(choices), key=lambda pair: index_of(pair[1], pair[0]))]


def index_of(item: Mapping[str, Any], place: int) -> int:
    """The index that a choice states, or its place. Relays send null, "0" and 0.0."""
    try:
        return int(item["index"])
    except (KeyError, TypeError, ValueError, OverflowError):  # OverflowError: Python's json lets infinity in
        return place


def text_of(content: Any) -> str:
    """The text of a message's `content`: a string, null, or a list of typed parts."""
    if isinstance(content, list):
        content = "".join(map(_text_of_part, content))
    return well_formed(content) if isinstance(content, str) else ""


def _text_of_part(part: Any) -> str:
    if isinstance(part, dict):
        part = part.get("text") if part.get("type") in ("text", "output_text", None) else ""
    return part if isinstance(part, str) else ""


def well_formed(text: str) -> str:
    """`text` with surrogate pairs joined and lone halves as U+FFFD: JavaScript gateways cut between UTF-16 units."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain_tool_call(call: Mapping[str, Any]) -> Dict[str, Any]:
    """A copy of a tool call without the stream's index, its arguments a string."""
    plain = {"id": "", **{name: value for name, value in call.items() if name != "index" and value is not None}}
    for kind, text_name in (("function", "arguments"), ("custom", "input")):
        inner = plain.get(kind)
        if isinstance(inner, dict):
            plain[kind] = {**inner, "name": inner.get("name") or "", text_name: json_text(inner.get(text_name))}
            plain.setdefault("type", kind)
    return plain


def json_text(value: Any) -> str:
    """Arguments as a string: llama.cpp sends the object itself, others null."""
    if value is None or isinstance(value, str):
        return well_formed(value or "")
    return well_formed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
