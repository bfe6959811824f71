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
from contextlib import suppress
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
        hint: Optional[str] = ""
        with suppress(ImportError):
            from .reply_fields import hint_of

            hint = hint_of(self._kind, name)
            if hint is None:
                return
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
        return _said(self._message(), "content")

    @property
    def texts(self) -> List[str]:
        """The text of every choice, by index (n > 1)."""
        return [_said(_message_of(choice), "content") for choice in self._choices()]

    @property
    def reasoning(self) -> str:
        """The model's thinking, or ""; tags such as <think> stay in the text."""
        return _said(self._message(), "reasoning_content")

    @property
    def refusal(self) -> Optional[str]:
        return _said(self._message(), "refusal") or None

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
        if not calls or not isinstance(calls, list):
            return []
        found = [call for call in calls if isinstance(call, dict)]
        with suppress(ImportError):
            from .reply_dialects import plain_tool_call

            found = [plain_tool_call(call) for call in found]
        return [readable_by_attribute(call, "tool_calls") for call in found]

    @property
    def message(self) -> Dict[str, Any]:
        """The assistant's message, fit to be sent back: a new, plain dict."""
        message = {**self._message(), "tool_calls": self.tool_calls}
        try:
            from .sendable import sendable
        except ImportError:  # a copy without dialects sends what OpenAI takes
            found = {name: message[name] for name in _SENDABLE if message.get(name)}
            plain = json.dumps({"role": "assistant", "content": message.get("content"), **found})
            return dict(json.loads(plain))
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
        if len(found) < 2:
            return found
        try:
            return sorted(found, key=lambda choice: int(choice["index"]))
        except (KeyError, TypeError, ValueError, OverflowError):  # OverflowError: Python's json lets infinity in
            with suppress(ImportError):
                from .reply_dialects import in_order

                return in_order(found)
            return found

    def _message(self) -> Dict[str, Any]:
        choices = self._choices()
        return _message_of(choices[0]) if choices else {}


def real_finish_reason(value: Any) -> Optional[str]:
    """None also for "" (SGLang, GLM, old Ollama) and "null" (KoboldCpp)."""
    return value if isinstance(value, str) and value and value != "null" else None


def _message_of(choice: Mapping[str, Any]) -> Dict[str, Any]:
    message = choice.get("message")
    return message if isinstance(message, dict) else {}


def _said(message: Mapping[str, Any], field: str) -> str:
    said = message.get(field)
    if isinstance(said, str) and said and said.isascii():
        return said
    try:
        from .reply_dialects import said_in
    except ImportError:  # of a list, its strings
        return "".join(part for part in said if isinstance(part, str)) if isinstance(said, (str, list)) else ""
    return said_in(message, field)
