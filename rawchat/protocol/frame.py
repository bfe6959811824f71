"""The quick way for a token: a chunk that repeats the one before it, but for its text, is not looked through again.

    {"id":"c1","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}
    {"id":"c1","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"lo"}}]}
    <---------------------------------- before --------------------------------->  <after>

Most servers write an answer like that, and going through the same envelope for every token is most of what a stream
costs. Nothing is guessed: JSON between the same two ends, with a string in between that ends where the first one ended,
says the same but for that string. Whatever does not fit goes the long way. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Mapping

# Servers that put a time or random padding into every chunk (OpenAI's `obfuscation`) never repeat one. To learn costs
# as much as to parse, so after some frames that were of no use no more are learned, until the answer is over.
_MOST_USELESS_FRAMES = 4
_LONGEST_CHUNK = 4096  # characters; a token's chunk has some hundred, and a picture in one is not parsed twice


class Frame:
    """What stands around the text of the first choice in a chunk; no frame is known until one is learned."""

    def __init__(self) -> None:
        self._before = self._after = ""
        self._useless = 0

    def text_in(self, data: str) -> str:
        """The text of a chunk that differs from the learned one in it alone; "" for any other."""
        if self._before and data.startswith(self._before) and data.endswith(self._after):
            text = data[len(self._before) : -len(self._after)]
            if '"' not in text and "\\" not in text and text.isprintable():
                self._useless = 0
                return text
        return ""

    def learn(self, data: str, chunk: Mapping[str, Any]) -> None:
        """Look at a chunk that went the long way: is it one that others may repeat?"""
        if self._useless >= _MOST_USELESS_FRAMES or len(data) > _LONGEST_CHUNK:
            return
        if self._before and data.startswith(self._before) and data.endswith(self._after):
            return  # known, and only its text was too odd to be cut out (a quotation mark, a line break)
        self._before = self._after = ""
        text = _only_text(chunk)
        key = '"content":"' if '"content":"' in data else '"content": "'
        before, found, after = data.partition(f'{key}{text}"')
        if not text or not found:
            return
        self._useless += 1
        # The proof that this is where the text comes from, and not a look-alike elsewhere in the chunk.
        probe = json.loads(f'{before}{key}?{text}"{after}')
        if _only_text(probe) == f"?{text}":
            self._before, self._after = before + key, f'"{after}'


def _only_text(chunk: Mapping[str, Any]) -> str:
    """The text of a chunk that says no more of its one choice, the first, than this text; "" for any other."""
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    if not isinstance(choice, dict) or choice.get("index") != 0:
        return ""
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) and len(delta) == 1 else None
    silent = not any(value for name, value in choice.items() if name not in ("index", "delta"))
    return text if isinstance(text, str) and silent else ""
