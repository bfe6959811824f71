"""The chunks of a stream in, the Reply that the same call would have brought without streaming out.

    {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[
     {"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}
    {..., "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    {..., "choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}

API reference, "The chat completion chunk object"; but any field may be missing, null, empty or repeated. Of id, created
and model the first that says something holds, of all else the last; lists grow, and the delta is merged (`merging.py`).
Asks `chunk_dialects.py` about other shapes. Does not judge whether the stream was whole. Pure.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .merging import Merged, Text, merged, settled
from .reply import Reply, index_of, plain_tool_call, real_finish_reason, text_of, well_formed

_FIRST_WINS = frozenset(["id", "created", "model"])
# `object` is ours to say, `choices` are assembled, `obfuscation` is padding against eavesdroppers who count bytes.
_NOT_KEPT = ("object", "choices", "obfuscation")
_OF_CHOICE = frozenset(["index", "delta", "message"])
_NOTHING = object()


class ChunkAssembler:
    """Assembles one stream: `add` every chunk, and take `reply()` at any time."""

    def __init__(self) -> None:
        self.finished_count = 0  # choices that have a real finish_reason ("" and "null" are none)
        self._fields: Dict[str, Any] = {}
        self._settled = set(_NOT_KEPT)  # names of which no later chunk has anything to tell
        self._choices: Dict[int, Choice] = {}
        self._high_half = ""
        self._flushed = False

    def add(self, chunk: Mapping[str, Any]) -> str:
        """The text to show for a chunk: what it adds to choice 0. The first half of a surrogate pair that a server cut
        in two waits for the second.
        """
        settled_names, fields = self._settled, self._fields
        for name, value in chunk.items():
            if name not in settled_names and value != fields.get(name, _NOTHING):
                self._take(name, value, chunk)
        choices = chunk.get("choices")
        shown = ""
        if choices.__class__ is list:
            for choice in choices:
                if isinstance(choice, dict):
                    shown += self._add_choice(choice, chunk)
        return shown

    def add_text(self, name: str, text: str) -> str:
        """As `add`, for a chunk that only has more of a string of choice 0."""
        choice = self._choices[0]
        if name != "content":
            choice.fields[name].put(text)
            return ""
        choice.content.put(text)
        # What can be printed holds no half of a pair. Lighter than to ask for ASCII: Chinese needs no second look.
        return text if not self._high_half and text.isprintable() else self._joined(text) if text else ""

    def flush(self) -> str:
        """The rest: U+FFFD for half a pair; or all text, if the first choice is not 0."""
        held, self._high_half = self._high_half, ""
        if self._flushed or not self._choices or 0 in self._choices:
            return "\ufffd" if held else ""
        self._flushed = True
        return self.text

    @property
    def finished(self) -> bool:
        """Whether each choice that appeared has a real finish_reason."""
        return 0 < len(self._choices) <= self.finished_count

    @property
    def text(self) -> str:
        text = text_of(self._choices[min(self._choices)].content) if self._choices else ""
        return text[:-1] if self._high_half else text

    def reply(self) -> Reply:
        """What has arrived so far, as a new reply."""
        first = {"id": None, "object": "chat.completion", "created": None, "model": None}
        choices = [self._choices[index].whole(index) for index in sorted(self._choices)]
        return Reply({**first, "choices": choices, "usage": None, **self._fields})

    def _take(self, name: str, value: Any, chunk: Mapping[str, Any]) -> None:
        if name == "usage" and not isinstance(value, dict):
            value = None
        if value or name not in self._fields:
            self._fields[name] = value
        if value and name in _FIRST_WINS:
            self._settled.add(name)
        elif name != "usage" and isinstance(value, dict):  # Groq: x_groq.usage
            self._take_usage(value.get("usage"), chunk)

    def _take_usage(self, usage: Any, chunk: Mapping[str, Any]) -> None:
        """Usage in an odd place counts if the chunk has none in the right one."""
        if usage and isinstance(usage, dict) and not chunk.get("usage"):
            self._fields["usage"] = usage

    def _add_choice(self, choice: Dict[str, Any], chunk: Mapping[str, Any]) -> str:
        index = choice.get("index")
        if index.__class__ is not int:
            index = index_of(choice, next(at for at, entry in enumerate(chunk["choices"]) if entry is choice))
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = Choice()
        text = state.add(choice)
        beside = state.beside
        for name, value in choice.items():
            if name not in _OF_CHOICE and (value or name not in beside):
                self._take_beside(beside, name, value, chunk)
        if index or not text:
            return ""
        return text if text.isascii() and not self._high_half else self._joined(text)

    def _take_beside(self, beside: Dict[str, Any], name: str, value: Any, chunk: Mapping[str, Any]) -> None:
        if name == "usage":  # Moonshot
            self._take_usage(value, chunk)
        elif name == "finish_reason":
            reason = real_finish_reason(value) or beside[name]
            self.finished_count += reason is not beside[name] is None
            beside[name] = reason
        else:  # lists grow; of other values, which are states, the last one holds
            grows = name == "logprobs" or isinstance(value, list)
            beside[name] = merged(beside.get(name), value, name) if grows else value

    def _joined(self, text: str) -> str:
        """`text` behind the held back half; a high half at its end is held back."""
        text = self._high_half + text
        self._high_half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return well_formed(text[:-1] if self._high_half else text)


class Choice:
    """One choice in the making."""

    __slots__ = ("beside", "calls", "content", "fields", "notes")

    def __init__(self) -> None:
        self.content = Text()  # among the pieces of text, parts that are no text
        self.fields: Dict[str, Any] = {}  # what else its deltas say
        self.calls: Dict[int, Merged] = {}
        self.beside: Dict[str, Any] = {"logprobs": None, "finish_reason": None}  # what stands beside the delta
        self.notes: Dict[str, Any] = {}  # what the dialects remember

    def add(self, choice: Mapping[str, Any]) -> str:
        """The text that the delta of a choice adds, as it came."""
        delta = choice.get("delta")
        if not isinstance(delta, dict) or not delta:
            return "" if delta or not choice.get("message") else self._add_message(choice["message"])
        text: Any = delta.get("content")
        if text.__class__ is str:
            self.content.put(text)
            if len(delta) == 1:
                return text
        elif text:
            text = self._add_parts(text)
        fields = self.fields
        for name, value in delta.items():
            if value or name not in fields:
                known = fields.get(name)
                if known.__class__ is Text and value.__class__ is str:
                    known.put(value)
                elif name != "content":
                    fields[name] = self._continued(name, known, value)
        return text or ""

    def whole(self, index: int) -> Dict[str, Any]:
        """The choice of a whole reply."""
        message = {"role": "assistant", "content": self._content()}
        message.update((name, settled(value)) for name, value in self.fields.items() if name != "role" or value)
        call = message.get("function_call")
        if isinstance(call, dict):
            message["function_call"] = plain_tool_call({"function": call})["function"]
        if self.calls:
            message["tool_calls"] = [plain_tool_call(settled(self.calls[place])) for place in sorted(self.calls)]
        return {"index": index, "message": message, **{name: settled(self.beside[name]) for name in self.beside}}

    def _continued(self, name: str, known: Any, value: Any) -> Any:
        if name == "role":
            return known or (value if isinstance(value, str) else None)
        if name == "tool_calls":
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    self._add_call(entry)
            return known or ([] if value else value)
        if isinstance(value, str) or known.__class__ is Text:
            return known if known.__class__ is Text else Text([value])
        deep = known is not None and isinstance(value, (dict, list))  # OpenRouter: reasoning_details
        said = _asked("deep", known, value) if deep else None
        return merged(known, value, name) if said is None else said

    def _add_call(self, entry: Dict[str, Any]) -> None:
        index, identity = entry.get("index"), entry.get("id")
        call = self.calls.get(index) if index.__class__ is int else None
        other = call and identity and call.get("id") not in (None, "", identity)  # Ollama: each call has the index 0
        if other or self.notes or index.__class__ is not int:
            last = max(self.calls, default=-1)
            index = _asked("tool_calls", self, entry, last + 1 if identity or last < 0 else last)
        if index in self.calls or identity or entry.get("function") or entry.get("custom"):
            merged(self.calls.setdefault(index, Merged()), entry)

    def _add_parts(self, content: Any) -> str:
        """Typed parts (Mistral): text joins the other text, the rest keeps its place."""
        pieces = _asked("content", self, content, content if isinstance(content, list) else [content])
        for piece in pieces:
            (self.content.put if isinstance(piece, str) else self.content.put_part)(piece)
        return text_of(pieces)

    def _add_message(self, message: Any) -> str:
        """All of it so far in place of a delta (some relays), or beside one (Perplexity)."""
        text = _asked("message", self, message)
        if text is None and isinstance(message, dict):
            known, whole = text_of(self.content), text_of(message.get("content"))
            rest = {"content": whole[len(known) :] if whole.startswith(known) else ""}
            text = self.add({"delta": rest if known else message})
        return text or ""

    def _content(self) -> Any:
        """A string, None, or a list if there were other parts than text."""
        if all(isinstance(piece, str) for piece in self.content):
            return settled(self.content) if self.content else None
        return _asked("parts", self, self.content, list(self.content))


def _asked(what: str, choice: Any, value: Any, otherwise: Any = None) -> Any:
    """What the dialects make of `value`; in a copy without them, `otherwise`."""
    try:
        from .chunk_dialects import DIALECTS
    except ImportError:
        return otherwise
    return DIALECTS[what](choice, value)
