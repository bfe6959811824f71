"""Which tools the practice server calls, and with what arguments.

    tools: get_weather(city), get_time(city)      user: "What is the weather in Paris and in Tokyo?"
    -> get_weather({"city":"Paris"}), get_weather({"city":"Tokyo"})

A real model understands the question. This only compares words: with tool_choice "auto" a tool is called when the
last user message shares a word with its name or, failing that, with its description. After tool results "auto"
answers in text; "required" and a named tool call again, as the real API does. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Tuple

from .lessons import last_user_text
from .patterns import text_for_pattern
from .samples import has_place, places_in, sample_value, words_of

MOST_CALLS = 8
# Words that every second tool description contains, and that therefore say nothing.
_COMMON_TEXT = """
    the and for with from that this what which when where who why how are was were has have does did can could will
    would get got set use used using give given find show tell make made call return function tool user value its
    current our your you mine name please about into any all one two not but his her their them then than also some
    such
"""
COMMON_WORDS = frozenset(re.findall(r"\w+", _COMMON_TEXT))


class Call(NamedTuple):
    """One tool call: `arguments` is JSON as text, or the free input of a custom tool."""

    name: str
    arguments: str
    is_custom: bool = False


class Tool(NamedTuple):
    """A tool of the request, in whichever spelling it came: function tool, custom tool, old `functions`."""

    name: str
    description: str
    definition: Mapping[str, Any]
    is_custom: bool


def tools_of(body: Mapping[str, Any]) -> List[Tool]:
    """The tools a request offers."""
    definitions = [(tool[tool["type"]], tool["type"] == "custom") for tool in body.get("tools") or ()]
    definitions += [(function, False) for function in body.get("functions") or ()]
    return [
        Tool(definition["name"], definition.get("description") or "", definition, custom)
        for definition, custom in definitions
    ]


def _wish(body: Mapping[str, Any]) -> Tuple[str, Optional[FrozenSet[str]]]:
    """(mode, names): mode is "none", "auto" or "required"; names limits the tools, None for all."""
    choice = body.get("tool_choice") or body.get("function_call") or "auto"
    if isinstance(choice, str):
        return choice, None
    if choice.get("type") == "allowed_tools":
        allowed = choice["allowed_tools"]
        return allowed["mode"], frozenset(tool[tool["type"]]["name"] for tool in allowed["tools"])
    named = choice.get("function") or choice.get("custom") or choice
    return "required", frozenset([named["name"]])


def choose_calls(body: Mapping[str, Any]) -> List[Call]:
    """The calls that answer this request; [] where it is answered in text."""
    mode, names = _wish(body)
    tools = [tool for tool in tools_of(body) if names is None or tool.name in names]
    if mode == "none" or not tools:
        return []
    if mode == "auto" and body["messages"][-1].get("role") in ("tool", "function"):
        return []
    text = last_user_text(body["messages"])
    chosen = _matching(tools, text) or (tools[:1] if mode == "required" else [])
    calls = [call for tool in chosen for call in _calls_of(tool, text)][:MOST_CALLS]
    several = body.get("parallel_tool_calls") is not False and not body.get("functions")
    return calls if several else calls[:1]


def _matching(tools: List[Tool], text: str) -> List[Tool]:
    """All tools whose name shares a word with `text`; else the one whose description shares the most."""
    said = _words(text)
    by_name = [tool for tool in tools if said & _words(tool.name)]
    if by_name:
        return by_name
    best = max(tools, key=lambda tool: len(said & _words(tool.description)))
    return [best] if said & _words(best.description) else []


def _words(text: str) -> FrozenSet[str]:
    """The telling words of a text or an identifier, in lower case, without a plural s."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", text)
    return frozenset(
        word.rstrip("s") for word in re.findall(r"[^\W\d_]{3,}", spaced.lower()) if word not in COMMON_WORDS
    )


def _calls_of(tool: Tool, text: str) -> List[Call]:
    """One call, or one for each place the user named if the tool takes a place."""
    if tool.is_custom:
        return [Call(tool.name, _custom_input(tool.definition, text), True)]
    parameters = tool.definition.get("parameters") or {}
    places: List[Optional[str]] = [*places_in(text)] if has_place(parameters) else []
    return [Call(tool.name, _arguments(parameters, text, place)) for place in places or [None]]


def _arguments(parameters: Dict[str, Any], text: str, place: Optional[str]) -> str:
    # A tool without parameters is called with {}: the schema of nothing is an object.
    value = sample_value({"type": "object", **parameters}, words_of(text, place), optional=False)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _custom_input(definition: Mapping[str, Any], text: str) -> str:
    form = definition.get("format") or {}
    grammar = form.get("grammar") or {}
    if grammar.get("syntax") == "regex":
        return text_for_pattern(str(grammar.get("definition")), [text]) or text
    return text
