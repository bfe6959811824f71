"""Reply: the JSON that came, as a dict, that also reads as attributes.

    {"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop",
     "message":{"role":"assistant","content":"Hello!"}}],"usage":{"prompt_tokens":8,"completion_tokens":2,...}}

    reply["usage"]["prompt_tokens"]     it is a dict: json.dumps, ==, `in`, ** and all else work
    reply.usage.prompt_tokens           the same, as attributes, at every depth
    reply.text, reply.message, ...      what people want from a reply, whatever shape the server gave it
    reply.attempts, reply.cost, ...     what the call knows about the reply; not part of the JSON

An inner dict becomes readable by attribute when an attribute first leads to it, and takes the place of the plain one.
Names of dict methods stay dict methods, and names of ours win over the JSON's (`reply.cost` is ours, `reply["cost"]`
the server's). A well-known optional field reads as None where the server left it out; any other missing name is an
AttributeError that lists what is there. Does not judge whether the JSON is a completion. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Mapping, NoReturn, Optional

# Fields that the API reference has, and servers leave out; by the name under which the object stands ("": the reply).
# API reference, "The chat completion object", as of 2026-11; the two reasoning names are DeepSeek's and OpenRouter's.
_OPTIONAL: Dict[str, str] = {
    "": "id object created model usage service_tier system_fingerprint metadata moderation",
    "choices": "index finish_reason logprobs",
    "message": "role content refusal annotations audio function_call tool_calls reasoning_content reasoning",
    "tool_calls": "id type function custom",
    "logprobs": "content refusal",
    "usage": "prompt_tokens_details completion_tokens_details",
    "prompt_tokens_details": "cached_tokens cache_write_tokens audio_tokens image_tokens text_tokens",
    "completion_tokens_details": (
        "reasoning_tokens audio_tokens text_tokens accepted_prediction_tokens rejected_prediction_tokens"
    ),
}
# Where people coming from elsewhere look for it, and where it is.
_ELSEWHERE = {"content": "text", "output_text": "text", "role": "message", "delta": "text", "function_call": "message"}
_META = frozenset("request_id attempts cost headers elapsed_s first_text_s complete parsed".split())
_REASONING = ("reasoning_content", "reasoning")
# What the API reference lets an assistant's message in a request hold, role and content apart.
_SENDABLE = ("name", "refusal", "tool_calls", "function_call", "audio")


class Fields(dict[str, Any]):
    """A dict inside a reply, whose keys also read as attributes. `reply.usage` is one."""

    _kind = ""  # the name it stands under

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for its protocols like this (copy, pickle); JSON must not answer
            raise AttributeError(name)
        try:
            value = self[name]
        except KeyError:
            if name in _OPTIONAL.get(self._kind, "").split():
                return None
            raise AttributeError(self._missing(name)) from None
        if value.__class__ is dict or value.__class__ is list:
            value = self[name] = readable_by_attribute(value, name)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse(name)

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(key for key in self if isinstance(key, str) and key.isidentifier())]

    def _missing(self, name: str) -> str:
        where = self._kind or "the reply"
        return f"no field {name!r} in {where}; there are: {', '.join(map(str, self)) or 'none'}"

    def _refuse(self, name: str) -> NoReturn:
        raise AttributeError(f'fields are set in the dict form: {self._kind or "reply"}["{name}"] = ...')


class Items(list[Any]):
    """A list inside a reply whose dicts read as attributes. `reply.choices` is one."""


def readable_by_attribute(value: Any, name: str = "") -> Any:
    """`value` with its outermost dicts as Fields; `name` is what it stands under. Anything else comes back as it is."""
    if value.__class__ is dict:
        fields = Fields(value)
        fields.__dict__["_kind"] = name
        return fields
    if value.__class__ is list:
        return Items([readable_by_attribute(item, name) for item in value])
    return value


class Reply(Fields):
    """One completion, a shallow copy of its decoded JSON. Of any other JSON object (a list of models) the properties
    say "", [] or None.

    request_id      from the response headers, or None
    attempts        how many times the request was sent
    cost            US dollars as a float, or None where the price is unknown
    headers         of the response, case-insensitive, or None
    elapsed_s       seconds from the first send to the end of the answer, or None
    first_text_s    seconds to the first text of a stream, or None
    complete        False for what a broken or abandoned stream left behind
    parsed          the answer as a value of the type that was asked for (Client.parse), else None
    """

    request_id: Optional[str] = None
    attempts: int = 1
    cost: Optional[float] = None
    headers: Optional[Mapping[str, str]] = None
    elapsed_s: Optional[float] = None
    first_text_s: Optional[float] = None
    complete: bool = True
    parsed: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _META:
            self._refuse(name)
        self.__dict__[name] = value

    def _missing(self, name: str) -> str:
        known = _ELSEWHERE.get(name)
        return super()._missing(name) + (f"; do you mean reply.{known}?" if known else "")

    @property
    def text(self) -> str:
        """The text of the first choice (the one with the lowest index); "" where the model said nothing in words."""
        return text_of(self._message().get("content"))

    @property
    def texts(self) -> List[str]:
        """The text of every choice, in the order of their indices (n > 1)."""
        return [text_of(_message_of(choice).get("content")) for choice in self._choices()]

    @property
    def reasoning(self) -> str:
        """The model's thinking where the server shows it, else "". Tags such as <think> in the text stay there.

        `reasoning_content` (DeepSeek, SGLang, GLM), `reasoning` (OpenRouter, vLLM, Ollama; the same text where both are
        sent), or parts of the content of the type "thinking" (Mistral).
        """
        message = self._message()
        for name in _REASONING:
            value = message.get(name)
            if isinstance(value, str) and value:
                return well_formed(value)
        return _join_parts(message.get("content"), ("thinking", "reasoning"), ("thinking", "reasoning", "text"))

    @property
    def refusal(self) -> Optional[str]:
        """The model's words of refusal (structured outputs), or None."""
        message = self._message()
        value = message.get("refusal") or _join_parts(message.get("content"), ("refusal",), ("refusal",))
        return well_formed(value) if isinstance(value, str) and value else None

    @property
    def finish_reason(self) -> Optional[str]:
        """Why the first choice ended: "stop", "length", "tool_calls", "content_filter", or a server's own word; None
        where it did not.
        """
        choices = self._choices()
        return real_finish_reason(choices[0].get("finish_reason")) if choices else None

    @property
    def tool_calls(self) -> List[Fields]:
        """The tool calls of the first choice: [] or [{"id", "type", "function": {"name", "arguments"}}, ...].

        `arguments` is always a string: JSON, if the model wrote it well and max_tokens did not cut it. The stream's
        `index` is gone; unknown keys (Gemini's `extra_content`) are kept.
        """
        calls = self._message().get("tool_calls")
        found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
        return [readable_by_attribute(plain_tool_call(call), "tool_calls") for call in found]

    @property
    def message(self) -> Dict[str, Any]:
        """The assistant's message, fit to be sent back in the next request's `messages`: a new, plain dict."""
        message: Dict[str, Any] = _plain({**self._message(), "tool_calls": self.tool_calls})
        try:
            from .sendable import sendable
        except ImportError:  # a copy without dialects sends what OpenAI takes
            found = {name: message[name] for name in _SENDABLE if message.get(name)}
            return {"role": "assistant", "content": message.get("content"), **found}
        return sendable(message)

    @property
    def usage(self) -> Optional[Fields]:
        """The token counts as the server gave them, or None: then they are unknown, not zero."""
        value = self.__getattr__("usage")
        return value if isinstance(value, Fields) else None

    def __repr__(self) -> str:
        facts = [_excerpt(self.text) if self.text else "no text"]
        facts += [f"calls {inner_of(call).get('name')}" for call in self.tool_calls[:3]]
        if "choices" not in self:
            facts = ["keys: " + ", ".join(list(map(str, self))[:8])]
        count = len(self._choices())
        usage: Mapping[str, Any] = self.usage or {}
        facts += [
            f"{count} choices" if count > 1 else "",
            self.finish_reason or "",
            f"{usage.get('prompt_tokens')}+{usage.get('completion_tokens')} tokens" if usage else "",
            "" if self.complete else "incomplete",
        ]
        return f"<Reply {', '.join(filter(None, facts))}>"

    def _choices(self) -> List[Dict[str, Any]]:
        choices = self.get("choices")
        found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
        if len(found) > 1:
            order = {id(choice): index_of(choice, place) for place, choice in enumerate(found)}
            found.sort(key=lambda choice: order[id(choice)])
        return found

    def _message(self) -> Dict[str, Any]:
        choices = self._choices()
        return _message_of(choices[0]) if choices else {}


def index_of(item: Mapping[str, Any], place: int) -> int:
    """The index that a choice states, or its place where it states none. Relays send it as null, "0" and 0.0, too."""
    index = item.get("index")
    if isinstance(index, str) and index.isascii() and index.isdigit() and len(index) < 10:
        return int(index)
    # Neither NaN nor infinity, which Python's json lets in.
    return int(index) if isinstance(index, (int, float)) and abs(index) < 1e9 else place


def real_finish_reason(value: Any) -> Optional[str]:
    """`value` if it says that something finished. SGLang, GLM and old Ollama send "" for null, KoboldCpp "null"."""
    return value if isinstance(value, str) and value and value != "null" else None


def text_of(content: Any) -> str:
    """The text of a message's `content`: a string, null, or a list of typed parts of which the text parts count."""
    if isinstance(content, str):
        return well_formed(content)
    return _join_parts(content, ("text", "output_text", None), ("text",))


def _join_parts(content: Any, types: Iterable[Optional[str]], names: Iterable[str]) -> str:
    """Text of the parts of these types: {"type":"thinking","thinking":[{"type":"text","text":"..."}]}."""
    texts = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str) and None in types:
            texts.append(part)
        elif isinstance(part, dict) and part.get("type") in types:
            value = next((part[name] for name in names if part.get(name)), "")
            texts.append(value if isinstance(value, str) else text_of(value))
    return well_formed("".join(texts))


def well_formed(text: str) -> str:
    """`text` with surrogate pairs joined and lone halves as U+FFFD: it can be printed, written and sent again.

    JSON can hold halves: JavaScript gateways cut text between two UTF-16 units, and each half is escaped on its own.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain_tool_call(call: Mapping[str, Any]) -> Dict[str, Any]:
    """One tool call in the API's shape, whatever the server made of it: a copy, with arguments as a string."""
    plain = {"id": "", **{name: value for name, value in call.items() if name != "index" and value is not None}}
    for kind, text_name in (("function", "arguments"), ("custom", "input")):
        inner = plain.get(kind)
        if isinstance(inner, dict):
            plain[kind] = {**inner, "name": inner.get("name") or "", text_name: json_text(inner.get(text_name))}
            plain.setdefault("type", kind)
    return plain


def inner_of(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object that holds a tool call's name: its `function` or its `custom`."""
    inner = call.get("function") or call.get("custom")
    return inner if isinstance(inner, dict) else {}


def json_text(value: Any) -> str:
    """Arguments as the string the API has there: llama.cpp and small relays send the object itself, or null."""
    if isinstance(value, str):
        return well_formed(value)
    return "" if value is None else well_formed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _message_of(choice: Mapping[str, Any]) -> Dict[str, Any]:
    message = choice.get("message")
    return message if isinstance(message, dict) else {}


def _plain(value: Any) -> Any:
    """A deep copy in plain dicts and lists, its text well formed."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return well_formed(value) if isinstance(value, str) else value


def _excerpt(text: str) -> str:
    from .redact import redact_text  # here: most programs print no reply

    text = redact_text(text[:200]).strip()
    return repr(text if len(text) <= 60 else text[:59] + "\u2026")
