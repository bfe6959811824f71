"""Are these messages ones that OpenAI's API would take? Roles, contents and their parts, tool calls and their results.

    [{"role": "tool", "tool_call_id": "x", "content": "18"}]
    -> Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.

Raises `Refused` with the API's own error object at the first fault; says nothing if all is well. Pure.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Set, Tuple

from .refusals import empty_array, missing, refuse, wrong_type, wrong_value

ROLES = ("system", "assistant", "user", "function", "tool", "developer")
# Role -> keys that may stand beside role and content. Anything else is an unknown parameter.
KEYS: Dict[str, Tuple[str, ...]] = {
    "system": ("name",),
    "developer": ("name",),
    "user": ("name",),
    "assistant": ("name", "refusal", "audio", "tool_calls", "function_call", "annotations"),
    "tool": ("tool_call_id",),
    "function": ("name",),
}
# Role -> kinds of content parts it may hold.
PARTS: Dict[str, Tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
    "function": (),
}
ALL_PARTS = ("text", "image_url", "input_audio", "refusal", "audio", "file")


def check_messages(messages: List[Dict[str, Any]]) -> None:
    """Raise Refused at the first message that the API would not take. `messages` is a list of dicts already."""
    for number, message in enumerate(messages):
        _check_message(number, message)
    _check_tool_order(messages)


def _check_message(number: int, message: Mapping[str, Any]) -> None:
    path = f"messages[{number}]"
    if "role" not in message:
        missing(f"{path}.role")
    role = message["role"]
    if not isinstance(role, str):
        wrong_type(f"{path}.role", "a string", role)
    if role not in ROLES:
        wrong_value(f"{path}.role", role, ROLES)
    for key in message:
        if key not in ("role", "content", *KEYS[role]):
            refuse(f"Unknown parameter: '{path}.{key}'.", f"{path}.{key}", "unknown_parameter")
    if role == "assistant":
        _check_tool_calls(path, message)
    if role == "tool" and not message.get("tool_call_id"):
        message_text = "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."
        refuse(message_text, f"messages.[{number}].tool_call_id")
    if role == "tool" and not isinstance(message["tool_call_id"], str):
        wrong_type(f"{path}.tool_call_id", "a string", message["tool_call_id"])
    if message.get("name") is not None and not isinstance(message["name"], str):
        wrong_type(f"{path}.name", "a string", message["name"])
    _check_content(number, path, role, message)


def _check_content(number: int, path: str, role: str, message: Mapping[str, Any]) -> None:
    stands_in = role == "assistant" and any(
        message.get(key) for key in ("tool_calls", "function_call", "refusal", "audio")
    )
    if message.get("content") is None:
        if stands_in:
            return
        if "content" not in message:
            missing(f"{path}.content")
        # This one message alone writes its path with a dot before the bracket.
        refuse("Invalid value for 'content': expected a string, got null.", f"messages.[{number}].content")
    content = message["content"]
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        wrong_type(f"{path}.content", "one of a string or array of objects", content)
    if not content:
        empty_array(f"{path}.content")
    for place, part in enumerate(content):
        _check_part(f"{path}.content[{place}]", role, part, path)


def _check_part(path: str, role: str, part: Any, message_path: str) -> None:
    if not isinstance(part, dict):
        wrong_type(path, "an object", part)
    if "type" not in part:
        missing(f"{path}.type")
    kind = part["type"]
    if kind not in ALL_PARTS:
        wrong_value(f"{path}.type", kind, ALL_PARTS)
    if kind not in PARTS[role]:
        if kind == "image_url":
            text = (
                f"Invalid '{message_path}'. Image URLs are only allowed for messages with role 'user', "
                f"but this message with role '{role}' contains an image URL."
            )
            refuse(text, message_path, "invalid_value")
        wrong_value(f"{path}.type", kind, PARTS[role])
    if kind not in part:
        missing(f"{path}.{kind}")
    PART_CHECKS[kind](f"{path}.{kind}", part[kind])


def _check_text(path: str, value: Any) -> None:
    if not isinstance(value, str):
        wrong_type(path, "a string", value)


def _check_image(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        wrong_type(path, "an object", value)
    if "url" not in value:
        missing(f"{path}.url")
    _check_text(f"{path}.url", value["url"])
    if not value["url"].startswith(("http://", "https://", "data:image/")):
        refuse(
            f"Invalid '{path}.url'. Expected a valid URL, but got a value with an invalid format.",
            f"{path}.url",
            "invalid_value",
        )
    details = ("auto", "low", "high", "original")
    if value.get("detail") is not None and value["detail"] not in details:
        wrong_value(f"{path}.detail", value["detail"], details)


def _check_audio(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        wrong_type(path, "an object", value)
    for key in ("data", "format"):
        if key not in value:
            missing(f"{path}.{key}")
        _check_text(f"{path}.{key}", value[key])
    if value["format"] not in ("wav", "mp3"):
        wrong_value(f"{path}.format", value["format"], ("wav", "mp3"))


def _check_file(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        wrong_type(path, "an object", value)
    if not (value.get("file_id") or value.get("file_data")):
        missing(f"{path}.file_id")
    for key in value:
        _check_text(f"{path}.{key}", value[key])


PART_CHECKS = {
    "text": _check_text,
    "refusal": _check_text,
    "image_url": _check_image,
    "input_audio": _check_audio,
    "file": _check_file,
}


def _check_tool_calls(path: str, message: Mapping[str, Any]) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        wrong_type(f"{path}.tool_calls", "an array of objects", calls)
    if not calls:
        empty_array(f"{path}.tool_calls")
    for number, call in enumerate(calls):
        spot = f"{path}.tool_calls[{number}]"
        if not isinstance(call, dict):
            wrong_type(spot, "an object", call)
        for key in ("id", "type"):
            if key not in call:
                missing(f"{spot}.{key}")
            _check_text(f"{spot}.{key}", call[key])
        if call["type"] not in ("function", "custom"):
            wrong_value(f"{spot}.type", call["type"], ("function", "custom"))
        _check_called(
            f"{spot}.{call['type']}", call.get(call["type"]), "arguments" if call["type"] == "function" else "input"
        )


def _check_called(path: str, called: Any, argument: str) -> None:
    if called is None:
        missing(path)
    if not isinstance(called, dict):
        wrong_type(path, "an object", called)
    for key in ("name", argument):
        if key not in called:
            missing(f"{path}.{key}")
        _check_text(f"{path}.{key}", called[key])


def _check_tool_order(messages: List[Dict[str, Any]]) -> None:
    """A tool message answers a call of the assistant message before it; each call is answered before others speak."""
    open_ids: Set[str] = set()
    known_ids: Set[str] = set()
    asked_at = 0
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in known_ids:
                text = (
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'."
                )
                refuse(text, f"messages.[{number}].role")
            open_ids.discard(message["tool_call_id"])
            continue
        _check_answered(open_ids, asked_at)
        known_ids = {call["id"] for call in message.get("tool_calls") or ()}
        open_ids, asked_at = set(known_ids), number
    _check_answered(open_ids, asked_at)


def _check_answered(open_ids: Set[str], asked_at: int) -> None:
    if open_ids:
        text = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(sorted(open_ids))}"
        )
        refuse(text, f"messages.[{asked_at}].role")
