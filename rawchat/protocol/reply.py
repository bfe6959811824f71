"""Reply: the JSON that came, as a dict, that also reads as attributes.

    {"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"finish_reason":"stop",
     "message":{"role":"assistant","content":"Hello!"}}],"usage":{"prompt_tokens":8,"completion_tokens":2,...}}

    reply["usage"]["prompt_tokens"]     it is a dict
    reply.usage.prompt_tokens           the same, at every depth
    reply.text, reply.message, ...      what people want from a reply, whatever shape the server gave it
    reply.attempts, reply.cost, ...     what the call knows about it, and no part of the JSON

Does not judge whether the JSON is a completion. Pure.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Mapping, Optional

# API reference, "The chat completion object": what reads as None where it is absent, by the name of its object ("": the
# reply). What other servers leave out: `reply_fields.py`.
_OPTIONAL = {
    "": "usage service_tier system_fingerprint",
    "choices": "logprobs",
    "message": "content refusal annotations audio function_call tool_calls",
    "tool_calls": "function custom",
    "usage": "prompt_tokens_details completion_tokens_details",
}
# What an assistant's message in a request may hold, role and content apart.
_SENDABLE = ("name", "refusal", "tool_calls", "function_call", "audio")


class Fields(dict[str, Any]):
    """A dict inside a reply, whose keys also read as attributes."""

    _kind = ""  # the name it stands under

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for its protocols like this (copy, pickle); JSON must not answer
            raise AttributeError(name)
        if name not in self:
            return self._absent(name)
        value = self[name]
        if value.__class__ is dict or value.__class__ is list:
            value = self[name] = readable_by_attribute(value, name)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f'fields are set in the dict form: {self._kind or "reply"}["{name}"] = ...')

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(key for key in self if isinstance(key, str) and key.isidentifier())]

    def _absent(self, name: str) -> None:
        if name in _OPTIONAL.get(self._kind, "").split():
            return
        try:
            from .reply_fields import hint_of
        except ImportError:
            hint: Optional[str] = ""
        else:
            hint = hint_of(self._kind, name)
        if hint is not None:
            there = ", ".join(map(str, self)) or "none"
            raise AttributeError(f"no field {name!r} in {self._kind or 'the reply'}; there are: {there}{hint}")


class Items(list[Any]):
    """A list inside a reply whose dicts read as attributes."""


def readable_by_attribute(value: Any, name: str = "") -> Any:
    if value.__class__ is dict:
        fields = Fields(value)
        fields.__dict__["_kind"] = name
        return fields
    if value.__class__ is list:
        return Items([readable_by_attribute(item, name) for item in value])
    return value


class Reply(Fields):
    """A shallow copy of the decoded JSON. If that is no completion (a list of models), properties are "", [], None."""

    request_id: Optional[str] = None
    attempts: int = 1
    cost: Optional[float] = None  # US dollars; None: the price is unknown
    headers: Optional[Mapping[str, str]] = None
    elapsed_s: Optional[float] = None  # from the first send to the end of the answer
    first_text_s: Optional[float] = None  # to the first text of a stream
    complete: bool = True  # False for what a broken or abandoned stream left behind
    parsed: Any = None  # of Client.parse

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in Reply.__annotations__:
            super().__setattr__(name, value)
        self.__dict__[name] = value

    @property
    def text(self) -> str:
        """The text of the choice of the lowest index, or ""."""
        return text_of(self._message().get("content"))

    @property
    def texts(self) -> List[str]:
        """The text of every choice, by index (n > 1)."""
        return [text_of(_message_of(choice).get("content")) for choice in self._choices()]

    @property
    def reasoning(self) -> str:
        """The model's thinking, or ""; tags such as <think> stay in the text."""
        # DeepSeek, SGLang, GLM have the first; OpenRouter, vLLM, Ollama the second, or both.
        return self._said("reasoning_content", "reasoning")

    @property
    def refusal(self) -> Optional[str]:
        return self._said("refusal") or None

    @property
    def finish_reason(self) -> Optional[str]:
        """Why the first choice ended: "stop", "length", ...; None if it did not."""
        choices = self._choices()
        return real_finish_reason(choices[0].get("finish_reason")) if choices else None

    @property
    def tool_calls(self) -> List[Fields]:
        """[{"id", "type", "function": {"name", "arguments"}}, ...] of the first choice. `arguments` is a string: JSON,
        if the model wrote it well.
        """
        calls = self._message().get("tool_calls")
        found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
        return [readable_by_attribute(plain_tool_call(call), "tool_calls") for call in found]

    @property
    def message(self) -> Dict[str, Any]:
        """The assistant's message, fit to be sent back: a new, plain dict."""
        text = json.dumps({**self._message(), "tool_calls": self.tool_calls}, ensure_ascii=False)
        message: Dict[str, Any] = json.loads(well_formed(text))
        try:
            from .sendable import sendable
        except ImportError:  # a copy without dialects sends what OpenAI takes
            found = {name: message[name] for name in _SENDABLE if message.get(name)}
            return {"role": "assistant", "content": message.get("content"), **found}
        return sendable(message)

    @property
    def usage(self) -> Optional[Fields]:
        """The token counts; None: they are unknown, not zero."""
        value = self.__getattr__("usage")
        return value if isinstance(value, Fields) else None

    def __repr__(self) -> str:
        try:
            from .reply_words import repr_of
        except ImportError:  # without values, which may hold a secret
            return f"<Reply keys: {', '.join(map(str, self))}>"
        return repr_of(self)

    def _choices(self) -> List[Dict[str, Any]]:
        choices = self.get("choices")
        found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
        if len(found) > 1:
            found = [choice for _, choice in sorted(enumerate(found), key=lambda pair: index_of(pair[1], pair[0]))]
        return found

    def _said(self, *names: str) -> str:
        message = self._message()
        said = next(filter(None, (text_of(message.get(name)) for name in names)), "")
        if said or not isinstance(message.get("content"), list):
            return said
        try:
            from .reply_dialects import said_in_parts
        except ImportError:
            return ""
        return text_of(said_in_parts(message["content"], names[0]))

    def _message(self) -> Dict[str, Any]:
        choices = self._choices()
        return _message_of(choices[0]) if choices else {}


def index_of(item: Mapping[str, Any], place: int) -> int:
    """The index that a choice states, or its place. Relays send null, "0" and 0.0."""
    try:
        return int(item["index"])
    except (KeyError, TypeError, ValueError, OverflowError):  # OverflowError: Python's json lets infinity in
        return place


def real_finish_reason(value: Any) -> Optional[str]:
    """None also for "" (SGLang, GLM, old Ollama) and "null" (KoboldCpp)."""
    return value if isinstance(value, str) and value and value != "null" else None


def text_of(content: Any) -> str:
    """The text of a message's `content`: a string, null, or a list of typed parts."""
    if isinstance(content, list):
        content = "".join(map(_text_of_part, content))
    return well_formed(content) if isinstance(content, str) else ""


def _text_of_part(part: Any) -> str:
    if isinstance(part, dict):
        part = part.get("text") if part.get("type") in ("text", "output_text", None) else ""
    return part if isinstance(part, str) else ""


def well_formed(text: str) -> str:
    """`text` with surrogate pairs joined and lone halves as U+FFFD: JavaScript gateways cut between UTF-16 units."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain_tool_call(call: Mapping[str, Any]) -> Dict[str, Any]:
    """A copy of a tool call without the stream's index, its arguments a string."""
    plain = {"id": "", **{name: value for name, value in call.items() if name != "index" and value is not None}}
    for kind, text_name in (("function", "arguments"), ("custom", "input")):
        inner = plain.get(kind)
        if isinstance(inner, dict):
            plain[kind] = {**inner, "name": inner.get("name") or "", text_name: json_text(inner.get(text_name))}
            plain.setdefault("type", kind)
    return plain


def json_text(value: Any) -> str:
    """Arguments as a string: llama.cpp sends the object itself, others null."""
    if value is None or isinstance(value, str):
        return well_formed(value or "")
    return well_formed(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _message_of(choice: Mapping[str, Any]) -> Dict[str, Any]:
    message = choice.get("message")
    return message if isinstance(message, dict) else {}
