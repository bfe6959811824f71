"""The chunks of a stream in, the Reply that the same call would have brought without streaming out.

    {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[
     {"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
    {..., "choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}
    {..., "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"ci"}}]},...}]}
    {..., "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    {..., "choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}

API reference, "The chat completion chunk object". On real servers every field may be missing, null, empty or repeated:

    of the chunk     id, created, model: the first that says something. usage, wherever it stands, and everything
                     else: the last that says something; nothing is ever summed
    of the choice    found by index. finish_reason: the last real one. Lists (logprobs, token ids) are extended
    of the delta     role: once. All else is merged (`merging.py`)
    of a tool call   found by index, which may start at 1 and leave gaps

Other shapes are for `chunk_dialects.py`. Finds no errors, does not decide whether the stream was whole, keeps no chunk.
Pure.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Set

from .merging import Merged, Text, merged, settled
from .reply import Reply, index_of, json_text, plain_tool_call, real_finish_reason, text_of, well_formed

_FIRST_WINS = frozenset(["id", "created", "model"])
# `object` is ours to say, `choices` are assembled, `obfuscation` is padding against eavesdroppers who count bytes.
_NOT_KEPT = frozenset(["object", "choices", "obfuscation"])
_OF_CHOICE = frozenset(["index", "delta", "message", "finish_reason", "usage"])
_NOTHING = object()


class ChunkAssembler:
    """Assembles one stream. `add` every chunk, then take `reply()`; at any time, for what has arrived so far.

    finished_count   how many choices have a real finish_reason ("" and "null" are none)
    """

    def __init__(self) -> None:
        self.finished_count = 0
        self._fields: Dict[str, Any] = {}
        self._settled: Set[str] = set(_NOT_KEPT)  # names of which no later chunk has anything to tell
        self._choices: Dict[int, Choice] = {}
        self._high_half = ""

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take in one chunk; the text it adds to choice 0, to be shown as it is ("" if none).

        The pieces given out, `flush()` included, make up `reply().text`. They are well formed: the first half of a
        surrogate pair that a server cut in two is held back until its second half comes.
        """
        settled_names, fields = self._settled, self._fields
        for name, value in chunk.items():
            if name not in settled_names and value != fields.get(name, _NOTHING):
                self._take(name, value, chunk)
        choices = chunk.get("choices")
        shown = ""
        if choices.__class__ is list:
            for place, choice in enumerate(choices):
                if isinstance(choice, dict):
                    shown += self._add_choice(choice, place, chunk)
        return shown

    def add_text(self, name: str, text: str) -> str:
        """As `add`, for more of a string that choice 0 has already, in a chunk that says nothing else."""
        choice = self._choices[0]
        if name != "content":
            choice.fields[name].put(text)
            return ""
        choice.content.put(text)
        # What can be printed holds no half of a pair. Lighter than to ask for ASCII: Chinese needs no second look.
        return text if not self._high_half and text.isprintable() else self._joined(text) if text else ""

    def flush(self) -> str:
        """At the end: U+FFFD for half a surrogate pair whose other half never came; or the text of a first choice whose
        index is not 0, which nothing marked as the first while it was arriving; or "".
        """
        if self._choices and 0 not in self._choices:
            self._choices[0] = self._choices[min(self._choices)]
            return self._choices[0].text()
        held, self._high_half = self._high_half, ""
        return "\ufffd" if held else ""

    @property
    def finished(self) -> bool:
        """Whether a choice appeared, and every choice that appeared has a real finish_reason."""
        return 0 < len(self._states()) <= self.finished_count

    @property
    def text(self) -> str:
        """The text of the first choice so far, without a held back half of a pair."""
        text = "".join(state.text() for state in self._states()[:1])
        return text[:-1] if self._high_half else text

    def reply(self) -> Reply:
        """What has arrived so far, in the shape of a whole reply; a new one each time."""
        first = {"id": None, "object": "chat.completion", "created": None, "model": None}
        choices = [state.whole() for state in self._states()]
        return Reply({**first, "choices": choices, "usage": None, **self._fields})

    def _states(self) -> List[Choice]:
        return sorted({state.index: state for state in self._choices.values()}.values(), key=lambda state: state.index)

    def _take(self, name: str, value: Any, chunk: Mapping[str, Any]) -> None:
        if name == "usage" and not isinstance(value, dict):
            return
        if value or name not in self._fields:
            self._fields[name] = value
        if value and name in _FIRST_WINS:
            self._settled.add(name)
        elif name != "usage" and isinstance(value, dict):  # Groq: x_groq.usage
            self._take_usage(value.get("usage"), chunk)

    def _take_usage(self, usage: Any, chunk: Mapping[str, Any]) -> None:
        """Usage from an odd place counts where the chunk has none in the right one."""
        if usage and isinstance(usage, dict) and not chunk.get("usage"):
            self._fields["usage"] = usage

    def _add_choice(self, choice: Dict[str, Any], place: int, chunk: Mapping[str, Any]) -> str:
        """Hand one choice of `chunk` to its state; the text to show for it."""
        index = choice.get("index")
        if index.__class__ is not int:
            index = index_of(choice, place)
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = Choice(index)
        text = state.add(choice)
        if choice.get("finish_reason"):
            self._finish(state, real_finish_reason(choice["finish_reason"]))
        if "usage" in choice:  # Moonshot
            self._take_usage(choice["usage"], chunk)
        if index or not text:
            return ""
        return text if text.isascii() and not self._high_half else self._joined(text)

    def _finish(self, state: Choice, reason: Optional[str]) -> None:
        if reason is not None:
            self.finished_count += state.finish_reason is None
            state.finish_reason = reason

    def _joined(self, text: str) -> str:
        """`text` after the held back half, well formed, and its own last character held back if that is a high half."""
        text = self._high_half + text
        self._high_half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return well_formed(text[:-1] if self._high_half else text)


class Choice:
    """One choice in the making.

    content   pieces of text, and among them parts that are no text
    fields    the names of the delta in their order, with what they add up to; content and calls stand apart
    extras    what stands beside the delta: logprobs, content_filter_results
    calls     the tool calls in the order they began; `latest` is the one that an index now means
    """

    __slots__ = ("by_message", "calls", "content", "extras", "fields", "finish_reason", "index", "latest")

    def __init__(self, index: int) -> None:
        self.index = index
        self.content = Text()
        self.fields: Dict[str, Any] = {}
        self.extras: Dict[str, Any] = {}
        self.calls: List[Merged] = []
        self.latest: Dict[int, Merged] = {}
        self.finish_reason: Optional[str] = None
        self.by_message = False  # the text comes in a growing `message`

    def add(self, choice: Mapping[str, Any]) -> str:
        """Take in one choice of a chunk; the text it adds, as it came."""
        for name, value in choice.items():
            if name not in _OF_CHOICE and (value or name not in self.extras):
                # Lists grow (logprobs, vLLM's token_ids); other values are states, of which the last one holds.
                grows = name == "logprobs" or isinstance(value, list)
                self.extras[name] = merged(self.extras.get(name), value, name) if grows else value
        delta = choice.get("delta")
        if not isinstance(delta, dict) or not delta:
            return "" if delta or not choice.get("message") else self._add_message(choice["message"])
        text = delta.get("content")
        if len(delta) == 1 and text.__class__ is str:
            self.content.put(text)
            return text
        return self.add_delta(delta)

    def text(self) -> str:
        return text_of(self.content)

    def whole(self) -> Dict[str, Any]:
        """The choice as a reply that was not streamed has it."""
        extras = {name: settled(value) for name, value in self.extras.items()}
        first = {"index": self.index, "message": self._message(), "logprobs": None, "finish_reason": self.finish_reason}
        return {**first, **extras}

    def add_delta(self, delta: Mapping[str, Any]) -> str:
        """Take in what a delta says; its text."""
        text = ""
        for name, value in delta.items():
            if name == "content":
                if value.__class__ is str:
                    self.content.put(value)
                    text = value
                elif value:
                    text = self._add_parts(value)
            elif value or name not in self.fields:
                self.take(name, value)
        return text

    def take(self, name: str, value: Any) -> None:
        """Take in a field of the delta that is not its content."""
        known = self.fields.get(name)
        if name == "role":
            value = known or (value if isinstance(value, str) else None)
        elif name == "tool_calls":
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    self._add_call(entry)
            value = known or ([] if value else value)
        elif isinstance(value, str) and not isinstance(known, Text):
            value = Text([value])
        else:
            value = merged(known, value, name)
        self.fields[name] = value

    def _add_call(self, entry: Mapping[str, Any]) -> None:
        """Merge a fragment of a tool call into its call."""
        index, identity = index_of(entry, -1), entry.get("id")
        call = self.latest.get(index)
        if index < 0 or (call is not None and identity and call.get("id") not in (None, "", identity)):
            try:
                from .chunk_dialects import call_for
            except ImportError:  # a copy without them: an id begins a call, all else goes on with the last one
                call = self.calls[-1] if self.calls and not identity else None
            else:
                call = call_for(entry, self.calls)
        if call is None:
            if not (index >= 0 or identity or entry.get("function") or entry.get("custom")):
                return
            call = Merged()
            self.calls.append(call)
        merged(call, entry)
        if index >= 0:
            self.latest[index] = call

    def _add_parts(self, content: Any) -> str:
        try:
            from .chunk_dialects import add_parts
        except ImportError:  # a copy without them keeps it, and shows none of it
            self.content.put_part(content)
            return ""
        return add_parts(self.content, content)

    def _add_message(self, message: Any) -> str:
        try:
            from .chunk_dialects import add_message
        except ImportError:
            return self.add_delta(message) if isinstance(message, dict) else ""
        return add_message(self, message)

    def _message(self) -> Dict[str, Any]:
        message: Dict[str, Any] = {"role": "assistant", "content": self._content()}
        message.update((name, settled(value)) for name, value in self.fields.items() if name != "role" or value)
        call = message.get("function_call")
        if isinstance(call, dict):
            message["function_call"] = {**call, "arguments": json_text(call.get("arguments"))}
        if self.calls:
            indices = [index_of(call, -1) for call in self.calls]
            order = range(len(indices)) if -1 in indices else sorted(range(len(indices)), key=indices.__getitem__)
            message["tool_calls"] = [plain_tool_call(settled(self.calls[place])) for place in order]
        return message

    def _content(self) -> Any:
        """A string, None if nothing ever was one, or a list of parts if there were others than text."""
        if all(isinstance(piece, str) for piece in self.content):
            return settled(self.content) if self.content else None
        try:
            from .chunk_dialects import whole_parts
        except ImportError:
            return list(self.content)
        return whole_parts(self.content)
