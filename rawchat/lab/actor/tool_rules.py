"""Are these tools, this choice among them, and this format of the answer ones that OpenAI's API would take?

    {"tools": [{"type": "function", "function": {"name": "get weather"}}]}
    -> Invalid 'tools[0].function.name': string does not match pattern. Expected a string that matches the pattern ...

Raises `Refused` at the first fault. The types of the parameters themselves have been checked before. Pure.
"""

from __future__ import annotations

import re
from typing import Any, List, Mapping

from .refusals import missing, refuse, too_long, wrong_value
from .rules import Rule, check_value
from .schema_rules import root_fault, strict_fault

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]+\Z")


def _check_name(path: str, holder: Mapping[str, Any]) -> None:
    """A tool's name: there, a string, of the allowed characters, not too long."""
    if "name" not in holder:
        missing(f"{path}.name")
    name = holder["name"]
    check_value(f"{path}.name", name, Rule("string", nullable=False))
    if not _TOOL_NAME.match(name):
        message = (
            f"Invalid '{path}.name': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        )
        refuse(message, f"{path}.name", "invalid_value")
    if len(name) > 64:
        too_long(f"{path}.name", "string", 64, len(name))


def _check_function(path: str, function: Mapping[str, Any]) -> None:
    _check_name(path, function)
    check_value(f"{path}.description", function.get("description"), Rule("string"))
    check_value(f"{path}.strict", function.get("strict"), Rule("boolean"))
    parameters = function.get("parameters")
    check_value(f"{path}.parameters", parameters, Rule("object"))
    if not parameters:
        return
    fault = root_fault(parameters) or (strict_fault(parameters) if function.get("strict") else None)
    if fault:
        message = f"Invalid schema for function '{function['name']}': {fault}"
        refuse(message, f"{path}.parameters", "invalid_function_parameters")


def check_tools(body: Mapping[str, Any]) -> None:
    for number, tool in enumerate(body.get("tools") or ()):
        path = f"tools[{number}]"
        kind = tool.get("type")
        if kind is None:
            missing(f"{path}.type")
        if kind not in ("function", "custom"):
            wrong_value(f"{path}.type", kind, ("function", "custom"))
        if kind not in tool:
            missing(f"{path}.{kind}")
        check_value(f"{path}.{kind}", tool[kind], Rule("object", nullable=False))
        (_check_function if kind == "function" else _check_name)(f"{path}.{kind}", tool[kind])
    for number, function in enumerate(body.get("functions") or ()):
        _check_function(f"functions[{number}]", function)


def check_tool_choice(body: Mapping[str, Any]) -> None:
    for name, holder in (("tool_choice", "tools"), ("parallel_tool_calls", "tools"), ("function_call", "functions")):
        if body.get(name) is not None and not body.get(holder):
            refuse(f"Invalid value for '{name}': '{name}' is only allowed when '{holder}' are specified.", name)
    choice = body.get("tool_choice")
    if choice is None:
        return
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            wrong_value("tool_choice", choice, ("none", "auto", "required"))
        return
    kind = choice.get("type")
    if kind not in ("function", "custom", "allowed_tools"):
        wrong_value("tool_choice.type", kind, ("function", "custom", "allowed_tools"))
    if not isinstance(choice.get(kind), dict):
        missing(f"tool_choice.{kind}")
    offered = {tool[tool["type"]]["name"] for tool in body["tools"]}
    for name in _chosen_names(choice, kind):
        if name not in offered:
            refuse(
                f"Invalid value for 'tool_choice': no tool named '{name}' was specified in the 'tools' parameter.",
                "tool_choice",
            )


def _chosen_names(choice: Mapping[str, Any], kind: str) -> List[str]:
    if kind != "allowed_tools":
        _check_name(f"tool_choice.{kind}", choice[kind])
        return [choice[kind]["name"]]
    allowed = choice["allowed_tools"]
    check_value(
        "tool_choice.allowed_tools.mode",
        allowed.get("mode"),
        Rule("string", values=("auto", "required"), nullable=False),
    )
    check_value("tool_choice.allowed_tools.tools", allowed.get("tools"), Rule("objects", 1, nullable=False))
    for number, tool in enumerate(allowed["tools"]):
        path = f"tool_choice.allowed_tools.tools[{number}]"
        if not isinstance(tool.get(tool.get("type")), dict):
            missing(f"{path}.{tool.get('type') or 'type'}")
        _check_name(path, tool[tool["type"]])
    return [tool[tool["type"]]["name"] for tool in allowed["tools"]]


def check_function_call(body: Mapping[str, Any]) -> None:
    choice = body.get("function_call")
    if isinstance(choice, str) and choice not in ("none", "auto"):
        wrong_value("function_call", choice, ("none", "auto"))
    if isinstance(choice, dict):
        _check_name("function_call", choice)
        if choice["name"] not in {function["name"] for function in body["functions"]}:
            refuse(
                f"Invalid value for 'function_call': no function named '{choice['name']}' was specified.",
                "function_call",
            )


def check_response_format(body: Mapping[str, Any]) -> None:
    form = body.get("response_format")
    if form is None:
        return
    kinds = ("json_object", "json_schema", "text")
    if "type" not in form:
        missing("response_format.type")
    if form["type"] not in kinds:
        wrong_value("response_format.type", form["type"], kinds)
    if form["type"] == "json_object" and "json" not in str(body["messages"]).lower():
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        refuse(message, "messages")
    if form["type"] == "json_schema":
        _check_json_schema(form)


def _check_json_schema(form: Mapping[str, Any]) -> None:
    path = "response_format.json_schema"
    if "json_schema" not in form:
        missing(path)
    wanted = form["json_schema"]
    check_value(path, wanted, Rule("object", nullable=False))
    _check_name(path, wanted)
    check_value(f"{path}.strict", wanted.get("strict"), Rule("boolean"))
    if wanted.get("schema") is None:
        missing(f"{path}.schema")
    check_value(f"{path}.schema", wanted["schema"], Rule("object"))
    fault = root_fault(wanted["schema"]) or (strict_fault(wanted["schema"]) if wanted.get("strict") else None)
    if fault:
        refuse(f"Invalid schema for response_format '{wanted['name']}': {fault}", "response_format")
