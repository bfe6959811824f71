"""The chunks of a stream in, the Reply that the same call would have brought without streaming out.

    {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[
     {"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
    {..., "choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}
    {..., "choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"ci"}}]},...}]}
    {..., "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    {..., "choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}

By the API reference ("The chat completion chunk object") that is all there is to it. On real servers every field may
be missing, null, empty, repeated or of another type, and these rules hold:

    of the chunk     id, created, model: the first that says something. usage, wherever it stands, and everything
                     else: the last that says something; nothing is ever summed
    of the choice    found by index. finish_reason: the last real one. Lists (logprobs, token ids) are extended
    of the delta     role: once. Strings are appended, lists extended or merged by index, objects merged, numbers
                     replaced
    of a tool call   found by (index, id), see `_Calls`; a name is set, not appended; arguments may be an object
    `message`        in place of a delta holds all the text so far: only what is new in it is added

Finds no errors, and does not decide whether the stream was whole. Chunks are not kept. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from .reply import Reply, index_of, inner_of, json_text, plain_tool_call, real_finish_reason, text_of, well_formed

_FIRST_WINS = frozenset(["id", "created", "model"])
# `object` is ours to say, `choices` are assembled, `obfuscation` is padding against eavesdroppers who count bytes.
_NOT_KEPT = frozenset(["object", "choices", "obfuscation"])
_OF_CHOICE = frozenset(["index", "delta", "message"])
# An object nested deeper than this is replaced, not merged: no server means it, and Python's stack is finite.
_DEEPEST = 50
_MOST_PIECES = 256  # of a string that are kept apart
_LOST = "\ufffd"
_NOTHING = object()
_NEWS = frozenset(["finish_reason", "usage"])


class ChunkAssembler:
    """Assembles one stream. `add` every chunk, then take `reply()`; at any time, for what has arrived so far.

    finished_count   how many choices have a real finish_reason ("" and "null" are none)
    """

    def __init__(self) -> None:
        self.finished_count = 0
        self._fields: Dict[str, Any] = {}
        self._settled: Set[str] = set(_NOT_KEPT)  # names of which no later chunk has anything to tell
        self._choices: Dict[int, _Choice] = {}
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
            for choice in choices:
                if isinstance(choice, dict):
                    shown += self._add_choice(choice, chunk)
        return shown

    def add_text(self, name: str, text: str) -> str:
        """As `add`, for more of a string that choice 0 has already, in a chunk that says nothing else."""
        choice = self._choices[0]
        if name != "content":
            choice.texts[name].put(text)
            return ""
        choice.content.put(text)
        # What can be printed holds no half of a pair. Lighter than to ask for ASCII: Chinese needs no second look.
        return text if not self._high_half and text.isprintable() else self._joined(text) if text else ""

    def flush(self) -> str:
        """At the end of the stream: the text that `add` still holds back, or "".

        That is U+FFFD for half a surrogate pair whose other half never came; or, from a server whose choices do not
        begin at index 0, the text of the first one, which nothing marked as the first while it was arriving.
        """
        if self._choices and 0 not in self._choices:
            first = min(self._choices)
            self._choices[0] = self._choices[first]
            return self._choices[0].text()
        held, self._high_half = self._high_half, ""
        return _LOST if held else ""

    @property
    def finished(self) -> bool:
        """Whether a choice appeared, and every choice that appeared has a real finish_reason."""
        return 0 < len(self._states()) <= self.finished_count

    @property
    def text(self) -> str:
        """The text of the first choice so far, without a held back half of a pair."""
        states = self._states()
        text = states[0].text() if states else ""
        return text[:-1] if self._high_half else text

    def reply(self) -> Reply:
        """What has arrived so far, in the shape of a whole reply; a new one each time."""
        fields = {
            name: value for name, value in self._fields.items() if name not in ("id", "created", "model", "usage")
        }
        usage = self._fields.get("usage")
        return Reply(
            {
                "id": self._fields.get("id"),
                "object": "chat.completion",
                "created": self._fields.get("created"),
                "model": self._fields.get("model"),
                "choices": [state.whole() for state in self._states()],
                "usage": usage if isinstance(usage, dict) else None,
                **fields,
            }
        )

    def _states(self) -> List[_Choice]:
        return sorted({state.index: state for state in self._choices.values()}.values(), key=lambda state: state.index)

    def _take(self, name: str, value: Any, chunk: Mapping[str, Any]) -> None:
        if value or name not in self._fields:
            self._fields[name] = value
        if value and name in _FIRST_WINS:
            self._settled.add(name)
        elif name != "usage" and isinstance(value, dict) and value.get("usage"):  # Groq: x_groq.usage
            self._take_usage(value["usage"], chunk)

    def _take_usage(self, usage: Any, chunk: Mapping[str, Any]) -> None:
        """Usage from an odd place counts where the chunk has none in the right one."""
        if usage and not chunk.get("usage"):
            self._fields["usage"] = usage

    def _add_choice(self, choice: Dict[str, Any], chunk: Mapping[str, Any]) -> str:
        """Hand one choice of `chunk` to its state; the text to show for it."""
        index = choice.get("index")
        if index.__class__ is not int:
            index = index_of(choice, next(place for place, entry in enumerate(chunk["choices"]) if entry is choice))
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Choice(index)
        text = state.add(choice)
        if state.news:
            self._take_news(state, chunk)
        if index or not text:
            return ""
        return text if text.isascii() and not self._high_half else self._joined(text)

    def _take_news(self, state: _Choice, chunk: Mapping[str, Any]) -> None:
        """What a choice tells of more than itself: that it finished, and Moonshot's choices[0].usage."""
        finish_reason = real_finish_reason(state.news.pop("finish_reason", None))
        if finish_reason is not None:
            self.finished_count += state.finish_reason is None
            state.finish_reason = finish_reason
        self._take_usage(state.news.pop("usage", None), chunk)

    def _joined(self, text: str) -> str:
        """`text` after the held back half, well formed, and its own last character held back if that is a high half."""
        text = self._high_half + text
        self._high_half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return well_formed(text[:-1] if self._high_half else text)


class _Choice:
    """One choice in the making."""

    __slots__ = ("by_message", "calls", "content", "extras", "fields", "finish_reason", "index", "news", "texts")

    def __init__(self, index: int) -> None:
        self.index = index
        self.news: Dict[str, Any] = {}  # values of _NEWS that the assembler has to look at
        self.content = _Text()  # among the pieces of text, parts that are not text, as they came
        self.texts: Dict[str, _Text] = {}  # pieces of every other string of the delta: reasoning, refusal
        self.fields: Dict[str, Any] = {}  # all names of the delta in order, and the values that are no strings
        self.extras: Dict[str, Any] = {}  # what stands beside the delta: logprobs, content_filter_results
        self.calls = _Calls()
        self.finish_reason: Optional[str] = None
        self.by_message = False

    def add(self, choice: Mapping[str, Any]) -> str:
        """Take in one choice of a chunk; the text it adds, as it came."""
        for name, value in choice.items():
            if name not in _OF_CHOICE and (value or name not in self.extras):
                self._take_extra(name, value)
        delta = choice.get("delta")
        if not delta:
            message = choice.get("message")
            return self._add_message(message) if isinstance(message, dict) else ""
        if not isinstance(delta, dict):
            return ""
        text = delta.get("content")
        if len(delta) == 1 and text.__class__ is str:
            self.content.put(text)
            return text
        return self._add_delta(delta)

    def text(self) -> str:
        return text_of(self.content)

    def whole(self) -> Dict[str, Any]:
        """The choice as a reply that was not streamed has it."""
        extras = {
            name: settled(value) for name, value in self.extras.items() if name != "logprobs" and name not in _NEWS
        }
        return {
            "index": self.index,
            "message": self._message(),
            "logprobs": settled(self.extras.get("logprobs")),
            "finish_reason": self.finish_reason,
            **extras,
        }

    def _add_delta(self, delta: Mapping[str, Any]) -> str:
        text = ""
        for name, value in delta.items():
            if name == "content":
                if value.__class__ is str:
                    self.content.put(value)
                    text = value
                elif value:
                    text = self._add_parts(value)
            elif value.__class__ is str and name in self.texts:
                self.texts[name].put(value)
            elif value or name not in self.fields:
                self._take(name, value)
        return text

    def _add_parts(self, content: Any) -> str:
        """Content as a list of typed parts (Mistral). Text joins the other text; the rest is kept in its place."""
        text = ""
        for part in content if isinstance(content, list) else [content]:
            piece = text_of([part])
            if piece:
                self.content.put(piece)
                text += piece
            elif isinstance(part, dict):
                self.content.put_part(part)
        return text

    def _take(self, name: str, value: Any) -> None:
        if name == "role":
            self.fields["role"] = self.fields.get("role") or (value if isinstance(value, str) else None)
        elif name == "tool_calls":
            self.fields.setdefault(name, [] if value else value)
            for entry in value if isinstance(value, list) else [value]:
                self.calls.add(entry)
        elif isinstance(value, str):
            self.fields.setdefault(name, None)
            self.texts[name] = _Text([value])
        else:
            self.fields[name] = merged(self.fields.get(name), value, name)

    def _take_extra(self, name: str, value: Any) -> None:
        """Beside the delta, lists grow (logprobs, vLLM's token_ids); other values are states: the last one holds."""
        if value and name in _NEWS:
            self.news[name] = value
        elif name == "logprobs" or isinstance(value, list):
            self.extras[name] = merged(self.extras.get(name), value, name)
        else:
            self.extras[name] = value

    def _add_message(self, message: Mapping[str, Any]) -> str:
        """A message that grows from chunk to chunk (Perplexity, naive relays). Beside deltas it only repeats them."""
        if not self.by_message and (any(self.content) or self.calls.calls):
            return ""
        self.by_message = True
        before = self.text()
        for name, value in message.items():
            if name == "content" and value:
                self.content = _Text()
                self._add_delta({"content": value})
            elif name != "content" and (value or name not in self.fields):
                self.fields.pop(name, None)
                if name == "tool_calls":
                    self.calls = _Calls()
                self._take(name, value)
        after = self.text()
        return after[len(before) :] if after.startswith(before) else ""

    def _message(self) -> Dict[str, Any]:
        message: Dict[str, Any] = {"role": "assistant", "content": self._content()}
        for name, value in self.fields.items():
            if name in self.texts:
                message[name] = well_formed("".join(self.texts[name]))
            elif name == "function_call" and isinstance(value, dict):
                call = settled(value)
                message[name] = {**call, "arguments": json_text(call.get("arguments"))}
            elif name != "role" or value:
                message[name] = settled(value)
        if self.calls.calls:
            message["tool_calls"] = self.calls.whole()
        return message

    def _content(self) -> Any:
        """A string, None if nothing ever was one, or a list of parts if there were others than text."""
        if not self.content:
            return None
        if all(isinstance(piece, str) for piece in self.content):
            return well_formed("".join(self.content))
        parts: List[Dict[str, Any]] = []
        for piece in self.content:
            part = {"type": "text", "text": piece} if isinstance(piece, str) else piece
            kind = part.get("type")
            if parts and parts[-1].get("type") == kind and kind in _JOINED_PARTS:
                parts[-1] = _JOINED_PARTS[kind](parts[-1], part)
            elif part.get("text") != "" or len(part) > 2:
                parts.append(part)
        return [settled(part) for part in parts]


def _joined_text(old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    result: Dict[str, Any] = merged(old, new)
    return result


def _joined_thinking(old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    """Mistral: {"type":"thinking","thinking":[{"type":"text","text":"Su"}]}, piece by piece; or a plain string."""
    thinking = (old.get("thinking"), new.get("thinking"))
    if all(isinstance(value, list) for value in thinking):
        text = "".join(map(text_of, thinking))
        return {**old, **new, "thinking": [{"type": "text", "text": text}]}
    return {**old, **new, "thinking": "".join(map(text_of, thinking))}


_JOINED_PARTS: Dict[Any, Callable[[Dict[str, Any], Dict[str, Any]], Dict[str, Any]]] = {
    "text": _joined_text,
    "thinking": _joined_thinking,
}


class _Calls:
    """The tool calls of one choice. Which call a fragment belongs to:

    with an index      the call of that index, unless both have ids and those differ: then the call of (index, id), or a
                       new one (Ollama 0.20 gives index 0 to every call)
    with an id only    the call of that id, or a new one (Gemini)
    with a name only   a new call, unless the last one still lacks its name, or has this name and half its arguments
    with none          the last call

    Indices are keys, not places in the list: they may start at 1 and leave gaps.
    """

    __slots__ = ("_by_id", "_by_index", "calls")

    def __init__(self) -> None:
        self.calls: List[_Dict] = []
        self._by_index: Dict[int, _Dict] = {}
        self._by_id: Dict[Tuple[int, str], _Dict] = {}

    def add(self, entry: Any) -> None:
        if not isinstance(entry, dict):
            return
        index = index_of(entry, -1)
        identity = entry.get("id")
        if not isinstance(identity, str):
            identity = ""
        call = self._find(index, identity, entry)
        if call is None:
            if not identity and not inner_of(entry):
                return
            call = _Dict()
            self.calls.append(call)
        merged(call, entry)
        if index >= 0:
            self._by_index[index] = call
        if identity:
            self._by_id[index, identity] = self._by_id[-1, identity] = call

    def whole(self) -> List[Dict[str, Any]]:
        calls = self.calls
        indices = [index_of(call, -1) for call in calls]
        if -1 not in indices:
            calls = [calls[place] for place in sorted(range(len(calls)), key=indices.__getitem__)]
        return [plain_tool_call(settled(call)) for call in calls]

    def _find(self, index: int, identity: str, entry: Mapping[str, Any]) -> Optional[_Dict]:
        call = self._by_index.get(index)
        if index >= 0:
            if call is None or not identity or call.get("id") in (None, "", identity):
                return call
            return self._by_id.get((index, identity))
        last = self.calls[-1] if self.calls else None
        name = inner_of(entry).get("name")
        if identity:
            known = self._by_id.get((-1, identity))
            return known if known is not None or name or last is None or last.get("id") else last
        return last if not name or last is None or _continues(last, name) else None


def _continues(call: Mapping[str, Any], name: Any) -> bool:
    """Whether a fragment that has but a name continues `call`."""
    inner = settled(inner_of(call))
    if inner.get("name") != name:
        return not inner.get("name")
    arguments = json_text(inner.get("arguments"))
    if not arguments.rstrip().endswith("}"):
        return True
    try:
        json.loads(arguments)
    except ValueError:
        return True
    return False


# Merging. What came from a chunk is never changed: it is kept as it is, and the first merge into it makes one of these.


class _Text(list[Any]):
    """The pieces of a string. A token costs ten times its letters as a string of its own, so they are joined in heaps.

    Each letter is copied once for it, however long the text becomes.
    """

    heaps = 0  # how many entries at the front are never joined again

    def put(self, piece: str) -> None:
        self.append(piece)
        if len(self) - self.heaps >= _MOST_PIECES:
            self[self.heaps :] = ["".join(self[self.heaps :])]
            self.heaps += 1

    def put_part(self, part: Any) -> None:
        """An entry that is no text, behind which another heap begins."""
        self.append(part)
        self.heaps = len(self)


class _Dict(dict[str, Any]):
    """An object of our own making."""


class _List(list[Any]):
    """A list of our own making. `places` finds its entries by (index, type), and by (index, None)."""

    def __init__(self, items: List[Any]) -> None:
        super().__init__()
        self.places: Dict[Tuple[int, Any], int] = {}
        for item in items:
            self.put(item)

    def put(self, item: Any, depth: int = 0) -> None:
        if not isinstance(item, dict) or not isinstance(item.get("index"), int):
            self.append(item)
            return
        kind = item.get("type")
        key = (item["index"], kind if isinstance(kind, str) else None)
        place = self.places.get(key)
        if place is None:
            # OpenRouter's reasoning_details: entries of two types under one index are two entries.
            self.places[key] = self.places[key[0], None] = len(self)
            self.append(item)
        else:
            self[place] = merged(self[place], item, depth=depth + 1)


def merged(old: Any, new: Any, name: str = "", depth: int = 0) -> Any:
    """`old` continued by `new`, a later value under the same `name`. `new` is not changed, `old` only if it is ours."""
    if new is None or new == "":
        return new if old is None else old
    if old is None or old == "" or depth > _DEEPEST:
        return new
    rule = _RULES.get(name)
    if rule is not None:
        return rule(old, new)
    if isinstance(new, str):
        return _appended(old, new)
    if isinstance(new, dict) and isinstance(old, dict):
        target = old if isinstance(old, _Dict) else _Dict(old)
        for key, value in new.items():
            target[key] = merged(target.get(key), value, key, depth + 1)
        return target
    if isinstance(new, list) and isinstance(old, list):
        items = old if isinstance(old, _List) else _List(old)
        for item in new:
            items.put(item, depth)
        return items
    return new


def _appended(old: Any, new: str) -> Any:
    if isinstance(old, _Text):
        old.put(new)
        return old
    return _Text([old, new]) if isinstance(old, str) else new


def _replaced(old: Any, new: Any) -> Any:
    return new


def _named(old: Any, new: Any) -> Any:
    """A name is set, not appended: some servers repeat it in every fragment (MiniMax on NIM), a few let it grow.

    Only what does not begin with the old name is taken for the rest of a name that was split (reported of Gemini).
    """
    if not isinstance(old, str) or not isinstance(new, str):
        return new
    return new if new.startswith(old) else old + new


def _argued(old: Any, new: Any) -> Any:
    """Arguments: pieces of a string, or a whole object (llama.cpp, small relays), which may be an empty placeholder."""
    if isinstance(new, str):
        return _appended(old, new)
    return new if new or isinstance(old, dict) else old


_RULES: Dict[str, Callable[[Any, Any], Any]] = {
    "name": _named,
    "arguments": _argued,
    "id": _replaced,
    "type": _replaced,
    "role": _replaced,
    "index": _replaced,
    "format": _replaced,
}


def settled(value: Any) -> Any:
    """Merged values as plain JSON again, new wherever they were ours."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, _Text):
        return well_formed("".join(value))
    if isinstance(value, _Dict):
        return {name: settled(item) for name, item in value.items()}
    if isinstance(value, _List):
        return [settled(item) for item in value]
    return value
