"""A message as it came, made fit to be sent back in the next request's `messages`.

    {"role":"assistant","content":null,"annotations":[],"refusal":null,"tool_calls":[{"id":"a",...}],"reasoning":"Hm"}
    {"role":"assistant","content":null,"tool_calls":[{"id":"a",...}],"reasoning":"Hm"}

Keeps what any server may want to see again, and takes out what some refuse. Pure. API reference, "Create chat
completion", the assistant message.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping

from .reply_dialects import well_formed

_NEED_NO_CONTENT = frozenset(["tool_calls", "function_call", "audio", "refusal"])
_THINKING = ("reasoning_content", "reasoning", "reasoning_details")


def sendable(message: Mapping[str, Any]) -> Dict[str, Any]:
    """A new, plain dict: without nulls and empty lists (the API refuses `"tool_calls": []`), audio as a reference."""
    message = json.loads(well_formed(json.dumps(message, ensure_ascii=False)))
    kept = {name: value for name, value in message.items() if value not in (None, [], "", {})}
    content = kept.pop("content", None)
    # The API reference has no annotations in a request, and strict servers (Groq, Mistral) refuse what they don't know.
    kept.pop("annotations", None)
    if "tool_calls" not in kept:
        # DeepSeek, "Thinking Mode": without a tool call the next turn does without reasoning_content (R1 answered 400
        # to it); with one, leaving it out was a 400. OpenRouter and Kimi want it back beside tool calls as well.
        for name in _THINKING:
            kept.pop(name, None)
    if isinstance(kept.get("audio"), dict):
        kept["audio"] = {"id": kept["audio"].get("id")}
    if content is None and (message.get("content") == "" or not _NEED_NO_CONTENT & kept.keys()):
        content = ""
    return {"role": kept.pop("role", "assistant"), "content": content, **kept}
