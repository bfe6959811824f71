"""The quick way for a token: a chunk that repeats the one before it, but for its text, is not looked through again.

    {"id":"c1","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}
    {"id":"c1","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"lo"}}]}
    <---------------------------------- before --------------------------------->  <after>

    {"id":"c1",...,"choices":[{"index":0,"delta":{"content":"Hel"}}],"obfuscation":"xB2"}     OpenAI's padding
    {"id":"c1",...,"choices":[{"index":0,"delta":{"content":"lo"}}],"obfuscation":"q"}
    <------------------------- before -------------------------->  <----- between ---->  <after>

Most servers write an answer like that, and going through the same envelope for every token is most of what a stream
costs. Nothing is guessed: JSON between the same ends, with whole strings in the places of the text and of the padding,
says the same but for those strings. The text may be a reasoning model's thought. What does not fit goes the long way.
Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .sse import Event, json_in

# Servers that put a time into every chunk never repeat one. To learn costs as much as to parse, so after some frames
# that were of no use no more are learned, until the answer is over.
_MOST_USELESS_FRAMES = 4
_LONGEST_CHUNK = 4096  # characters; a token's chunk has some hundred, and a picture in one is not parsed twice
_TEXTS = ("content", "reasoning_content", "reasoning")
# OpenAI pads every chunk with a random string, so that the length of what crosses the wire does not tell its text.
_PADDING = "obfuscation"
_raw_decode = json.JSONDecoder().raw_decode
_LEFT_OUT: Dict[str, Any] = {}  # in place of a chunk
_new: Callable[[Any, Any], Any] = tuple.__new__  # quicker, as in sse.py


class Frame:
    """What stands around the text of the first choice in a chunk; no frame is known until one is learned.

    name   what the delta calls that text: one of "content", "reasoning_content", "reasoning"
    """

    def __init__(self, piece: Any) -> None:
        """`piece` is the NamedTuple of an event, its chunk and the text to show."""
        self._piece = piece
        self.name = ""
        self._before = self._between = self._after = ""
        self._useless = 0

    def look_through(self, reader: Any, events: List[Event]) -> List[Any]:
        """The pieces of these events, of which the StreamReader `reader` looks at those that go the long way. With its
        `text_only`, {} stands for each chunk, which saves most of the work.
        """
        pieces: List[Any] = []
        piece, text_only, text_in, add_text = self._piece, reader.text_only, self.text_in, reader.assembler.add_text
        for event in events:
            data = event[0]
            text = text_in(data) if self._before and not event[1] else None
            if text is not None:
                chunk = _LEFT_OUT if text_only else json_in(data)
                pieces.append(_new(piece, (event, chunk, add_text(self.name, text))))
                continue
            chunk = json_in(data)
            text = reader.look_at(event, chunk)
            if text is None:
                pieces.append(_new(piece, (event, None, "")))
            else:
                if self._before or self._useless < _MOST_USELESS_FRAMES:
                    self.learn(data, chunk)
                # Kept, the hundreds of chunks of one read would double what JSON costs.
                pieces.append(_new(piece, (event, _LEFT_OUT if text_only else chunk, text)))
            if reader.done or reader.error is not None:
                break
        return pieces

    def text_in(self, data: str) -> Optional[str]:
        """The text of a chunk that differs from the learned one in it (and its padding) alone; None for any other."""
        if not self._before or not data.startswith(self._before):
            return None
        try:
            text, end = _raw_decode(data, len(self._before) - 1)
            if self._between:
                if not data.startswith(self._between, end):
                    return None
                end = _raw_decode(data, end + len(self._between) - 1)[1]
        except ValueError:  # a string without an end
            return None
        if data[end:] != self._after:
            return None
        self._useless = 0
        return text  # type: ignore[no-any-return]

    def learn(self, data: str, chunk: Mapping[str, Any]) -> None:
        """Look at a chunk that went the long way, and said what it said: is it one that others may repeat?

        What was known before is forgotten, because this chunk may have changed what an older one had settled.
        """
        self._before = self._between = self._after = ""
        if self._useless >= _MOST_USELESS_FRAMES or len(data) > _LONGEST_CHUNK:
            return
        name, text = _only_text(chunk)
        before, probe, after = _around(name, text, data)
        if not before:
            return
        self._useless += 1
        padding = chunk.get(_PADDING)
        between, padding_probe, rest = _around(_PADDING, padding, after)
        if between:
            probe, after = f"{probe}{between}{padding_probe}", rest
        # The proof that this is where the strings come from, and not look-alikes elsewhere in the chunk.
        probed = json.loads(f"{before}{probe}{after}")
        if _only_text(probed) == (name, f"?{text}") and (not between or probed.get(_PADDING) == f"?{padding}"):
            self.name, self._before, self._between, self._after = name, before, between, after


def _around(name: str, value: Any, data: str) -> Tuple[str, str, str]:
    """What stands before the string `value` under `name`, that string with a "?" in front, and what follows.

    "" for all three where another value, or none, is found. The quotation mark in front belongs to what is before.
    """
    key = f'"{name}":"' if f'"{name}":"' in data else f'"{name}": "'
    start = data.find(key) + len(key)
    if start < len(key):
        return "", "", ""
    found, end = _raw_decode(data, start - 1)
    return (data[:start], f"?{data[start:end]}", data[end:]) if found == value else ("", "", "")


def _only_text(chunk: Mapping[str, Any]) -> Tuple[str, str]:
    """Name and text of a chunk that says no more of its one choice, the first, than this text; "" for any other.

    A role may stand beside it, because only the first one counts; and whatever is null or empty, which once said says
    nothing more.
    """
    choices = chunk.get("choices")
    choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
    if not isinstance(choice, dict) or choice.get("index") != 0:
        return "", ""
    delta = choice.get("delta")
    if not isinstance(delta, dict) or any(choice[name] for name in choice if name not in ("index", "delta")):
        return "", ""
    said = [name for name, value in delta.items() if value and name != "role"]
    name = said[0] if len(said) == 1 else ""
    return (name, delta[name]) if name in _TEXTS and isinstance(delta[name], str) else ("", "")
