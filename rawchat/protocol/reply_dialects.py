"""What other servers put into parts of a message's content, where the API has a field for it.

    {"content":[{"type":"thinking","thinking":[{"type":"text","text":"6*7"}]},{"type":"text","text":"42"}]}   Mistral
    {"content":[{"type":"refusal","refusal":"No."}]}

Pure.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

# field of the message: (types of parts, names under which such a part has its text)
_PARTS: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {
    "reasoning_content": (("thinking", "reasoning"), ("thinking", "reasoning", "text")),
    "refusal": (("refusal",), ("refusal",)),
}


def said_in_parts(content: List[Any], field: str) -> List[Any]:
    """The text of those parts of `content` that say what the API has in this field: strings, and parts of text."""
    types, names = _PARTS[field]
    said: List[Any] = []
    for part in content:
        if isinstance(part, dict) and part.get("type") in types:
            value = next((part[name] for name in names if part.get(name)), "")
            said += value if isinstance(value, list) else [value]
    return said
