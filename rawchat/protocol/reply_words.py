"""What a prompt or a log shows of a reply: one line.

    <Reply 'Hello!', stop, 8+2 tokens>

Pure.
"""

from __future__ import annotations

from typing import Any, Mapping

from .redact import redact_text


def repr_of(reply: Any) -> str:
    """One short line of facts about a Reply."""
    facts = [_excerpt(reply.text) if reply.text else "no text"]
    facts += [f"calls {inner_of(call).get('name')}" for call in reply.tool_calls[:3]]
    if "choices" not in reply:
        facts = ["keys: " + ", ".join(list(map(str, reply))[:8])]
    count = len(reply.texts)
    usage: Mapping[str, Any] = reply.usage or {}
    facts += [
        f"{count} choices" if count > 1 else "",
        reply.finish_reason or "",
        f"{usage.get('prompt_tokens')}+{usage.get('completion_tokens')} tokens" if usage else "",
        "" if reply.complete else "incomplete",
    ]
    return f"<Reply {', '.join(filter(None, facts))}>"


def inner_of(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that holds a tool call's name: its `function` or its `custom`."""
    inner = call.get("function") or call.get("custom")
    return inner if isinstance(inner, dict) else {}


def _excerpt(text: str) -> str:
    text = redact_text(text[:200]).strip()
    return repr(text if len(text) <= 60 else text[:59] + "\u2026")
