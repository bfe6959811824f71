"""The chunks of a stream in, the Reply that the same call would have brought without streaming out.

    {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[
     {"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}
    {..., "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    {..., "choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}

API reference, "The chat completion chunk object"; but any field may be missing, null, empty or repeated. Of id, created
and model the first that says something holds, of all else the last. Each choice is put together by `merging.py`, or for
other servers by `chunk_dialects.py`. Does not judge whether the stream was whole. Pure.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, Mapping, Type

from .merging import Choice, merged
from .reply import Reply, real_finish_reason

_FIRST_WINS = frozenset(["id", "created", "model"])
# `object` is ours to say, `choices` are assembled, `obfuscation` is padding against eavesdroppers who count bytes.
_NOT_KEPT = ("object", "choices", "obfuscation")
_OF_CHOICE = frozenset(["index", "delta"])
_NOTHING = object()


class ChunkAssembler:
    """Assembles one stream: `add` every chunk, and take `reply()` at any time."""

    def __init__(self) -> None:
        self.finished_count = 0  # choices that have a real finish_reason ("" and "null" are none)
        self._fields: Dict[str, Any] = {}
        self._settled = set(_NOT_KEPT)  # names of which no later chunk has anything to tell
        self._choices: Dict[int, Choice] = {}
        self._kind: Type[Choice] = Choice
        with suppress(ImportError):
            from .chunk_dialects import AnyChoice

            self._kind = AnyChoice

    def add(self, chunk: Mapping[str, Any]) -> str:
        """The text to show for a chunk: what it adds to choice 0."""
        settled_names, fields = self._settled, self._fields
        for name, value in chunk.items():
            if name not in settled_names and value != fields.get(name, _NOTHING):
                self._take(name, value)
        choices: Any = chunk.get("choices")
        shown = ""
        for choice in choices if choices.__class__ is list else ():
            if not isinstance(choice, dict):
                continue
            index = choice.get("index")
            if index.__class__ is not int:
                index = self._kind.index_in(choices, choice)
            state = self._choices.get(index)
            if state is None:
                state = self._choices[index] = self._kind()
            text = state.add(choice)
            if text and not index:
                shown += text
            beside = state.beside
            for name, value in choice.items():
                if name not in _OF_CHOICE and (value or name not in beside):
                    self._take_beside(beside, name, value)
        return shown

    def add_text(self, name: str, text: str) -> str:
        """As `add`, for a chunk that only has more of a string of choice 0."""
        return self._choices[0].add_text(name, text)

    def flush(self) -> str:
        """The rest: all text, if the first choice is not 0."""
        with suppress(ImportError):
            from .chunk_dialects import rest_of

            return rest_of(self._choices)
        return "" if 0 in self._choices else self.text

    @property
    def finished(self) -> bool:
        """Whether each choice that appeared has a real finish_reason."""
        return 0 < len(self._choices) <= self.finished_count

    @property
    def text(self) -> str:
        with suppress(ImportError):
            from .chunk_dialects import text_so_far

            return text_so_far(self._choices)
        return self.reply().text

    def reply(self) -> Reply:
        """What has arrived so far, as a new reply."""
        first = {"id": None, "object": "chat.completion", "created": None, "model": None}
        choices = [self._choices[index].whole(index) for index in sorted(self._choices)]
        document = {**first, "choices": choices, "usage": None, **self._fields}
        with suppress(ImportError):
            from .chunk_dialects import find_usage

            find_usage(document)
        return Reply(document)

    def _take(self, name: str, value: Any) -> None:
        if name == "usage" and not isinstance(value, dict):
            value = None
        if value or name not in self._fields:
            self._fields[name] = value
        if value and name in _FIRST_WINS:
            self._settled.add(name)

    def _take_beside(self, beside: Dict[str, Any], name: str, value: Any) -> None:
        if name == "finish_reason":
            reason = real_finish_reason(value) or beside[name]
            self.finished_count += reason is not beside[name] is None
            beside[name] = reason
        else:  # lists grow; of other values, which are states, the last one holds
            grows = name == "logprobs" or isinstance(value, list)
            beside[name] = merged(beside.get(name), value) if grows else value
