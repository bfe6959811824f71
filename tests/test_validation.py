"""What the practice server refuses, with the words of the real API."""

import json
import os

import pytest

from . import module

answers = module("lab.actor.answers")
validation = module("lab.actor.validation")

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "wire", "openai_schemas.json"), encoding="utf-8") as file:
    SCHEMAS = json.load(file)

HELLO = {"role": "user", "content": "Hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "1"}
TOOL = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "code"}}
STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def chat(*messages, **parameters):
    return {"model": "gpt-4o-mini", "messages": list(messages) or [HELLO], **parameters}


def part(kind, **value):
    return {"role": "user", "content": [{"type": kind, kind: value}]}


def schema_format(schema, strict=True, **more):
    return {"type": "json_schema", "json_schema": {"name": "review", "strict": strict, "schema": schema, **more}}


def tool(**function):
    return [{"type": "function", "function": {"name": "f", **function}}]


def reasoning(**parameters):
    return chat(**{"model": "o4-mini", **parameters})


# name, body, param, code, message (a beginning where it ends in "...")
# fmt: off
REFUSED = [
    ("not-an-object", [1], None, None, "We could not parse the JSON body of your request...."),
    ("no-model", {"messages": [HELLO]}, None, None, "you must provide a model parameter"),
    ("model-type", chat(model=3), "model", "invalid_type",
     "Invalid type for 'model': expected a string, but got an integer instead."),
    ("unknown-parameter", chat(foo=1), None, None, "Unrecognized request argument supplied: foo"),
    ("unknown-parameters", chat(foo=1, bar=2), None, None, "Unrecognized request arguments supplied: foo, bar"),
    ("no-messages", {"model": "gpt-4o"}, "messages", "missing_required_parameter",
     "Missing required parameter: 'messages'."),
    ("messages-null", {"model": "gpt-4o", "messages": None}, "messages", "invalid_type",
     "Invalid type for 'messages': expected an array of objects, but got null instead."),
    ("messages-text", {"model": "gpt-4o", "messages": "hi"}, "messages", "invalid_type",
     "Invalid type for 'messages': expected an array of objects, but got a string instead."),
    ("messages-empty", {"model": "gpt-4o", "messages": []}, "messages", "empty_array",
     "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."),
    ("message-text", chat("hi"), "messages[0]", "invalid_type",
     "Invalid type for 'messages[0]': expected an object, but got a string instead."),
    ("role-missing", chat({"content": "x"}), "messages[0].role", "missing_required_parameter",
     "Missing required parameter: 'messages[0].role'."),
    ("role-unknown", chat(HELLO, {"role": "bot", "content": "x"}), "messages[1].role", "invalid_value",
     ("Invalid value: 'bot'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and "
     "'developer'.")),
    ("message-key", chat({**HELLO, "mood": 1}), "messages[0].mood", "unknown_parameter",
     "Unknown parameter: 'messages[0].mood'."),
    ("content-missing", chat({"role": "user"}), "messages[0].content", "missing_required_parameter",
     "Missing required parameter: 'messages[0].content'."),
    ("content-null", chat({"role": "user", "content": None}), "messages.[0].content", None,
     "Invalid value for 'content': expected a string, got null."),
    ("assistant-null", chat(HELLO, {"role": "assistant", "content": None}), "messages.[1].content", None,
     "Invalid value for 'content': expected a string, got null."),
    ("content-number", chat({"role": "user", "content": 5}), "messages[0].content", "invalid_type",
     ("Invalid type for 'messages[0].content': expected one of a string or array of objects, but got an "
     "integer instead.")),
    ("content-empty", chat({"role": "user", "content": []}), "messages[0].content", "empty_array",
     "Invalid 'messages[0].content': empty array...."),
    ("part-unknown", chat(part("video")), "messages[0].content[0].type", "invalid_value",
     ("Invalid value: 'video'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', "
     "and 'file'.")),
    ("part-without-type", chat({"role": "user", "content": [{}]}), "messages[0].content[0].type",
     "missing_required_parameter", "Missing required parameter: 'messages[0].content[0].type'."),
    ("part-hollow", chat({"role": "user", "content": [{"type": "text"}]}), "messages[0].content[0].text",
     "missing_required_parameter", "Missing required parameter: 'messages[0].content[0].text'."),
    ("image-without-url", chat(part("image_url")), "messages[0].content[0].image_url.url", "missing_required_parameter",
     "Missing required parameter: 'messages[0].content[0].image_url.url'."),
    ("image-bad-url", chat(part("image_url", url="cat.png")), "messages[0].content[0].image_url.url", "invalid_value",
     ("Invalid 'messages[0].content[0].image_url.url'. Expected a valid URL, but got a value with an invalid "
     "format.")),
    ("image-from-system", chat({**part("image_url", url="https://a.b"), "role": "system"}), "messages[0]",
     "invalid_value",
     ("Invalid 'messages[0]'. Image URLs are only allowed for messages with role 'user', but this message with "
     "role 'system' contains an image URL.")),
    ("audio-format", chat(part("input_audio", data="", format="ogg")), "messages[0].content[0].input_audio.format",
     "invalid_value", "Invalid value: 'ogg'. Supported values are: 'wav' and 'mp3'."),
    ("file-of-nothing", chat(part("file", filename="a.pdf")), "messages[0].content[0].file.file_id",
     "missing_required_parameter", "Missing required parameter: 'messages[0].content[0].file.file_id'."),
    ("result-of-nothing", chat(HELLO, RESULT), "messages.[1].role", None,
     "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."),
    ("result-of-another", chat(HELLO, ASKED, {**RESULT, "tool_call_id": "c9"}), "messages.[2].role", None,
     "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."),
    ("result-without-id", chat(HELLO, ASKED, {"role": "tool", "content": "1"}), "messages.[2].tool_call_id", None,
     "Missing parameter 'tool_call_id': messages with role 'tool' must have a 'tool_call_id'."),
    ("call-unanswered", chat(HELLO, ASKED, HELLO), "messages.[1].role", None,
     ("An assistant message with 'tool_calls' must be followed by tool messages responding to each "
     "'tool_call_id'. The following tool_call_ids did not have response messages: c1")),
    ("calls-empty", chat(HELLO, {**ASKED, "tool_calls": []}), "messages[1].tool_calls", "empty_array",
     "Invalid 'messages[1].tool_calls': empty array...."),
    ("call-without-id", chat(HELLO, {**ASKED, "tool_calls": [{"type": "function"}]}), "messages[1].tool_calls[0].id",
     "missing_required_parameter", "Missing required parameter: 'messages[1].tool_calls[0].id'."),
    ("call-with-object", chat(HELLO, {**ASKED, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}]}),
     "messages[1].tool_calls[0].function.arguments", "invalid_type",
     ("Invalid type for 'messages[1].tool_calls[0].function.arguments': expected a string, but got an object "
     "instead.")),
    ("temperature-text", chat(temperature="hot"), "temperature", "invalid_type",
     "Invalid type for 'temperature': expected a decimal, but got a string instead."),
    ("temperature-true", chat(temperature=True), "temperature", "invalid_type",
     "Invalid type for 'temperature': expected a decimal, but got a boolean instead."),
    ("temperature-high", chat(temperature=3), "temperature", "decimal_above_max_value",
     "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."),
    ("temperature-low", chat(temperature=-0.5), "temperature", "decimal_below_min_value",
     "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -0.5 instead."),
    ("top-p", chat(top_p=1.5), "top_p", "decimal_above_max_value",
     "Invalid 'top_p': decimal above maximum value. Expected a value <= 1, but got 1.5 instead."),
    ("penalty", chat(presence_penalty=-3), "presence_penalty", "decimal_below_min_value",
     "Invalid 'presence_penalty': decimal below minimum value. Expected a value >= -2, but got -3 instead."),
    ("n-high", chat(n=130), "n", "integer_above_max_value",
     "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 130 instead."),
    ("n-decimal", chat(n=1.5), "n", "invalid_type",
     "Invalid type for 'n': expected an integer, but got a decimal number instead."),
    ("max-tokens-low", chat(max_tokens=0), "max_tokens", "integer_below_min_value",
     "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got 0 instead."),
    ("max-tokens-large", chat(max_tokens=99999), "max_tokens", "invalid_value",
     ("max_tokens is too large: 99999. This model supports at most 16384 completion tokens, whereas you "
     "provided 99999.")),
    ("both-limits", chat(max_tokens=5, max_completion_tokens=5), "max_tokens", "invalid_parameter_combination",
     "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."),
    ("stop-five", chat(stop=list("abcde")), "stop", "array_above_max_length",
     ("Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 "
     "instead.")),
    ("stop-number", chat(stop=[1]), "stop[0]", "invalid_type",
     "Invalid type for 'stop[0]': expected a string, but got an integer instead."),
    ("stream-text", chat(stream="yes"), "stream", "invalid_type",
     "Invalid type for 'stream': expected a boolean, but got a string instead."),
    ("options-without-stream", chat(stream_options={"include_usage": True}), "stream_options", None,
     "The 'stream_options' parameter is only allowed when 'stream' is enabled."),
    ("options-unknown", chat(stream=True, stream_options={"usage": True}), "stream_options.usage", "unknown_parameter",
     "Unknown parameter: 'stream_options.usage'."),
    ("top-logprobs-alone", chat(top_logprobs=2), "top_logprobs", None,
     "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."),
    ("top-logprobs-high", chat(logprobs=True, top_logprobs=21), "top_logprobs", "integer_above_max_value",
     "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20, but got 21 instead."),
    ("bias-high", chat(logit_bias={"50256": 101}), "logit_bias.50256", "decimal_above_max_value",
     "Invalid 'logit_bias.50256': decimal above maximum value. Expected a value <= 100, but got 101 instead."),
    ("bias-word", chat(logit_bias={"dog": 1}), "logit_bias", None,
     "Invalid key in 'logit_bias': dog. You should only be submitting non-negative integers."),
    ("metadata-number", chat(metadata={"a": 1}), "metadata.a", "invalid_type",
     "Invalid type for 'metadata.a': expected a string, but got an integer instead."),
    ("tier", chat(service_tier="gold"), "service_tier", "invalid_value",
     "Invalid value: 'gold'. Supported values are: 'auto', 'default', 'flex', 'scale', 'priority', and 'fast'."),
    ("speech", chat(modalities=["text", "audio"]), "modalities", "unsupported_value",
     "Unsupported value: 'modalities' does not support 'audio' with this model."),
    ("tools-empty", chat(tools=[]), "tools", "empty_array", "Invalid 'tools': empty array...."),
    ("tools-null", chat(tools=None), "tools", "invalid_type",
     "Invalid type for 'tools': expected an array of objects, but got null instead."),
    ("tool-without-type", chat(tools=[{"function": {"name": "f"}}]), "tools[0].type", "missing_required_parameter",
     "Missing required parameter: 'tools[0].type'."),
    ("tool-unknown-type", chat(tools=[{"type": "web"}]), "tools[0].type", "invalid_value",
     "Invalid value: 'web'. Supported values are: 'function' and 'custom'."),
    ("tool-flat", chat(tools=[{"type": "function", "name": "f"}]), "tools[0].function", "missing_required_parameter",
     "Missing required parameter: 'tools[0].function'."),
    ("tool-without-name", chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name",
     "missing_required_parameter", "Missing required parameter: 'tools[0].function.name'."),
    ("tool-name", chat(tools=tool(name="get weather")), "tools[0].function.name", "invalid_value",
     ("Invalid 'tools[0].function.name': string does not match pattern. Expected a string that matches the "
     "pattern '^[a-zA-Z0-9_-]+$'.")),
    ("tool-long-name", chat(tools=tool(name="f" * 65)), "tools[0].function.name", "string_above_max_length",
     ("Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, but got a "
     "string with length 65 instead.")),
    ("tool-parameters", chat(tools=tool(parameters={"type": "array"})), "tools[0].function.parameters",
     "invalid_function_parameters",
     ("Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type: "
     "\"array\"'.")),
    ("tool-malformed-schema", chat(tools=tool(parameters={"type": "object", "properties": {"a": []}})),
     "tools[0].function.parameters", "invalid_function_parameters",
     "Invalid schema for function 'f': [] is not of type 'object', 'boolean'."),
    ("schema-malformed", chat(response_format=schema_format({**STRICT, "required": "a"})), "response_format", None,
     "Invalid schema for response_format 'review': \"a\" is not of type 'array'."),
    ("tool-strict", chat(tools=tool(strict=True, parameters={"type": "object", "properties": {}})),
     "tools[0].function.parameters", "invalid_function_parameters",
     ("Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be supplied and "
     "to be false.")),
    ("choice-without-tools", chat(tool_choice="auto"), "tool_choice", None,
     "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."),
    ("parallel-without-tools", chat(parallel_tool_calls=False), "parallel_tool_calls", None,
     "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified."),
    ("choice-unknown", chat(tools=[TOOL], tool_choice="any"), "tool_choice", "invalid_value",
     "Invalid value: 'any'. Supported values are: 'none', 'auto', and 'required'."),
    ("choice-absent", chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}), "tool_choice",
     None, "Invalid value for 'tool_choice': no tool named 'g'..."),
    ("format-unknown", chat(response_format={"type": "xml"}), "response_format.type", "invalid_value",
     "Invalid value: 'xml'. Supported values are: 'json_object', 'json_schema', and 'text'."),
    ("format-text", chat(response_format="json"), "response_format", "invalid_type",
     "Invalid type for 'response_format': expected an object, but got a string instead."),
    ("json-unsaid", chat(response_format={"type": "json_object"}), "messages", None,
     "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."),
    ("schema-missing", chat(response_format={"type": "json_schema"}), "response_format.json_schema",
     "missing_required_parameter", "Missing required parameter: 'response_format.json_schema'."),
    ("schema-nameless", chat(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
     "response_format.json_schema.name", "missing_required_parameter",
     "Missing required parameter: 'response_format.json_schema.name'."),
    ("schema-open", chat(response_format=schema_format({**STRICT, "additionalProperties": True})), "response_format",
     None,
     ("Invalid schema for response_format 'review': In context=(), 'additionalProperties' is required to be "
     "supplied and to be false.")),
    ("schema-optional", chat(response_format=schema_format({**STRICT, "required": []})), "response_format", None,
     ("Invalid schema for response_format 'review': In context=(), 'required' is required to be supplied and "
     "to be an array including every key in properties. Missing 'a'.")),
    ("schema-inner", chat(response_format=schema_format({**STRICT, "properties": {"a": {"type": "object"}}})),
     "response_format", None,
     ("Invalid schema for response_format 'review': In context=('properties', 'a'), 'additionalProperties' is "
     "required to be supplied and to be false.")),
    ("schema-all-of", chat(response_format=schema_format({**STRICT, "properties": {"a": {"allOf": []}}})),
     "response_format", None,
     "Invalid schema for response_format 'review': In context=('properties', 'a'), 'allOf' is not permitted."),
    ("schema-list", chat(response_format=schema_format({"type": "array"})), "response_format", None,
     ("Invalid schema for response_format 'review': schema must be a JSON Schema of 'type: \"object\"', got "
     "'type: \"array\"'.")),
    ("effort-elsewhere", chat(reasoning_effort="low"), None, None,
     "Unrecognized request argument supplied: reasoning_effort"),
    ("effort-unknown", reasoning(reasoning_effort="huge"), "reasoning_effort", "invalid_value",
     ("Invalid value: 'huge'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and "
     "'max'.")),
    ("effort-of-others", reasoning(reasoning_effort="minimal"), "reasoning_effort", "unsupported_value",
     ("Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: "
     "'low', 'medium', and 'high'.")),
    ("reasoning-temperature", reasoning(temperature=0.2), "temperature", "unsupported_value",
     ("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is "
     "supported.")),
    ("reasoning-top-p", reasoning(top_p=0.5), "top_p", "unsupported_parameter",
     "Unsupported parameter: 'top_p' is not supported with this model."),
    ("reasoning-max-tokens", reasoning(max_tokens=5), "max_tokens", "unsupported_parameter",
     "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
    ("reasoning-stop", chat(model="gpt-5-mini", stop="."), "stop", "unsupported_parameter",
     "Unsupported parameter: 'stop' is not supported with this model."),
    ("context", chat({"role": "user", "content": "word " * 9000}, model="practice"), "messages",
     "context_length_exceeded",
     "This model's maximum context length is 8192 tokens. However, your messages resulted in 9..."),
]
# fmt: on


@pytest.mark.parametrize(
    ("body", "param", "code", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(body, param, code, message):
    """Each fault gets status 400 and the API's own error object: message, param and code."""
    refusal = validation.check_chat(body)
    assert refusal.status == 400
    assert refusal.error["type"] == "invalid_request_error"
    assert (refusal.error["param"], refusal.error["code"]) == (param, code)
    if message.endswith("..."):
        assert refusal.error["message"].startswith(message[:-3])
    else:
        assert refusal.error["message"] == message


IMAGE = part("image_url", url="data:image/png;base64,AA==", detail="low")
# fmt: off
ACCEPTED = [
    ("plain", chat()),
    ("null-parameters",
     chat(temperature=None, n=None, stop=None, stream_options=None, max_tokens=None, logit_bias=None)),
    ("edges",
     chat(temperature=2, top_p=0, n=128, presence_penalty=-2, frequency_penalty=2, logprobs=True, top_logprobs=20)),
    ("whole-number-as-decimal", chat(temperature=1)),
    ("snapshot", chat(model="gpt-4o-2024-08-06")),
    ("fault-name", chat(model="fault/429x2")),
    ("stream", chat(stream=True, stream_options={"include_usage": True, "include_obfuscation": False})),
    ("developer", chat({"role": "developer", "content": "Be brief."}, HELLO, model="o4-mini", temperature=1)),
    ("reasoning", reasoning(reasoning_effort="high", max_completion_tokens=500)),
    ("none-effort", chat(model="gpt-6-sol", reasoning_effort="none", verbosity="low")),
    ("parts", chat(IMAGE, part("input_audio", data="AA==", format="wav"), part("file", file_id="f1"))),
    ("text-parts", chat({"role": "system", "content": [{"type": "text", "text": "Brief."}]}, {**HELLO, "name": "ada"})),
    ("tools", chat(HELLO, ASKED, RESULT, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)),
    ("named-tool", chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}})),
    ("custom-tool",
     chat(tools=[CUSTOM], tool_choice={"type": "custom", "custom": {"name": "code"}})),
    ("allowed-tools",
     chat(tools=[TOOL], tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}})),
    ("strict-tool", chat(tools=tool(strict=True, parameters=STRICT))),
    ("functions",
     chat(functions=[{"name": "f", "parameters": {"type": "object", "properties": {}}}], function_call={"name": "f"})),
    ("json-object",
     chat({"role": "system", "content": "Answer in JSON."}, HELLO, response_format={"type": "json_object"})),
    ("json-schema", chat(response_format=schema_format(STRICT))),
    ("loose-schema", chat(response_format=schema_format({"type": "object"}, strict=False))),
    ("prediction", chat(prediction={"type": "content", "content": "Hello"})),
    ("refused-before", chat(HELLO, {"role": "assistant", "content": None, "refusal": "No."}, HELLO)),
    ("the-rest",
     chat(user="u", seed=7, store=False, metadata={"a": "b"}, service_tier="flex", safety_identifier="s",
          prompt_cache_key="k", modalities=["text"], logit_bias={"1": -100}, stop=["a", "b"])),
]
# fmt: on


@pytest.mark.parametrize("body", [row[1] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_accepted(body):
    """What the API takes, the practice server takes; and OpenAI's request schema takes these bodies too."""
    assert validation.check_chat(body) is None
    jsonschema = pytest.importorskip("jsonschema")
    schema = {"$ref": "#/$defs/RequestChat", "$defs": SCHEMAS["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(body)


def test_every_parameter_of_the_api_is_known_and_no_other():
    """The table of parameters and OpenAI's request schema name the same parameters."""
    assert set(validation.PARAMETERS) == set(SCHEMAS["$defs"]["RequestChat"]["properties"])
    assert set(validation.EMBEDDING_PARAMETERS) == set(SCHEMAS["$defs"]["RequestEmbedding"]["properties"])


def test_the_values_of_the_api_are_the_values_of_the_table():
    """Where OpenAI's schema lists values, the table lists the same."""
    for name, rule in validation.PARAMETERS.items():
        options = SCHEMAS["$defs"]["RequestChat"]["properties"][name].get("anyOf", [])
        listed = [
            option["enum"]
            for option in options
            if "enum" in option and name not in ("model", "tool_choice", "function_call")
        ]
        assert [list(rule.values)] == listed or not (rule.values or listed), name


# fmt: off
EMBEDDING_REFUSED = [
    ("no-model", {"input": "a"}, 400, None, "you must provide a model parameter"),
    ("no-input", {"model": "text-embedding-3-small"}, 400, "input", "Missing required parameter: 'input'."),
    ("empty", {"input": ""}, 400, None, "'$.input' is invalid."),
    ("empty-list", {"input": []}, 400, None, "'$.input' is invalid."),
    ("empty-in-list", {"input": ["a", ""]}, 400, None, "'$.input' is invalid."),
    ("mixed", {"input": ["a", 1.5]}, 400, None, "'$.input' is invalid."),
    ("too-many", {"input": ["a"] * 2049}, 400, "input",
     "Invalid 'input': array too long. Expected an array with maximum length 2048"),
    ("too-long", {"input": "a " * 9000}, 400, None,
     "This model's maximum context length is 8192 tokens, however you requested"),
    ("format", {"input": "a", "encoding_format": "int8"}, 400, "encoding_format",
     "Invalid value: 'int8'. Supported values are: 'float' and 'base64'."),
    ("dimensions", {"input": "a", "dimensions": 5000}, 400, "dimensions",
     "Invalid value for 'dimensions' = 5000. Must be less than or equal to 1536."),
    ("chat-model", {"input": "a", "model": "gpt-4o"}, 403, None,
     "You are not allowed to generate embeddings from this model"),
    ("no-such-model", {"input": "a", "model": "x"}, 404, None, "The model `x` does not exist"),
    ("unknown", {"input": "a", "stream": True}, 400, None, "Unrecognized request argument supplied: stream"),
]
# fmt: on


@pytest.mark.parametrize(
    ("body", "status", "param", "beginning"),
    [row[1:] for row in EMBEDDING_REFUSED],
    ids=[row[0] for row in EMBEDDING_REFUSED],
)
def test_embeddings_refused(body, status, param, beginning):
    """The embeddings endpoint has its own messages."""
    if "input" in body and "model" not in body and beginning != "you must provide a model parameter":
        body = {"model": "text-embedding-3-small", **body}
    refusal = validation.check_embeddings(body)
    assert (refusal.status, refusal.error["param"]) == (status, param)
    assert refusal.error["message"].startswith(beginning)


@pytest.mark.parametrize(
    "given", ["a", ["a", "b"], [1, 2, 3], [[1, 2], [3]]], ids=["text", "texts", "tokens", "token-lists"]
)
def test_embeddings_accepted(given):
    """All four spellings of the input are fine."""
    body = {
        "model": "text-embedding-3-large",
        "input": given,
        "dimensions": 3072,
        "encoding_format": "base64",
        "user": "u",
    }
    assert validation.check_embeddings(body) is None


# fmt: off
OTHERS = [
    ("bad-json", validation.bad_json("line 1 column 2"), 400, None,
     "We could not parse the JSON body of your request."),
    ("unknown-path", validation.unknown_path("POST", "/v1/chat"), 404, None, "Invalid URL (POST /v1/chat)"),
    ("wrong-method", validation.wrong_method("GET", "/v1/embeddings"), 405, "method_not_supported",
     "Not allowed to GET on /v1/embeddings."),
    ("no-key", validation.bad_key(None), 401, None, "You didn't provide an API key."),
    ("blank-key", validation.bad_key(""), 401, None, "You didn't provide an API key."),
    ("wrong-key", validation.bad_key("sk-proj-" + "x" * 30 + "wxyz"), 401, "invalid_api_key",
     "Incorrect API key provided: sk-proj-" + "*" * 30 + "wxyz."),
    ("short-key", validation.bad_key("secret"), 401, "invalid_api_key", "Incorrect API key provided: ******."),
    ("unknown-model", validation.unknown_model("gpt-9"), 404, "model_not_found",
     "The model `gpt-9` does not exist or you do not have access to it."),
    ("model-in-chat", validation.check_chat(chat(model="gpt-9")), 404, "model_not_found",
     "The model `gpt-9` does not exist"),
    ("embedding-in-chat", validation.check_chat(chat(model="text-embedding-3-small")), 404, None,
     "This is not a chat model"),
]
# fmt: on


@pytest.mark.parametrize(
    ("refusal", "status", "code", "beginning"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS]
)
def test_refusals_outside_the_body(refusal, status, code, beginning):
    """Paths, methods, keys and models have their own status."""
    assert (refusal.status, refusal.error["code"]) == (status, code)
    assert refusal.error["message"].startswith(beginning)


def test_every_error_body_is_one_by_openais_own_schema():
    """{"error": ...} of each refusal above validates, and has no key that the schema does not know."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/ErrorResponse", "$defs": SCHEMAS["$defs"]})
    all_refusals = [validation.check_chat(row[1]) for row in REFUSED] + [row[1] for row in OTHERS]
    for refusal in all_refusals:
        validator.validate({"error": refusal.error})
        assert list(refusal.error) == ["message", "type", "param", "code"]


def test_a_schema_too_deep_to_walk_is_refused():
    """A request cannot overflow the server's stack."""
    schema = STRICT
    for _ in range(150):
        schema = {"type": "object", "properties": {"a": schema}}
    refusal = validation.check_chat(chat(tools=tool(parameters=schema)))
    assert "levels of nesting exceeds limit of 100" in refusal.error["message"]


def test_it_survives_any_json():
    """Whatever JSON stands in whichever place, the outcome is a Refusal or an answer, never an exception."""
    values = [None, True, 0, -1, 1.5, "", "x", [], [None], ["x"], {}, {"type": "x"}, {"name": None}, {"a": {}}]
    values += [[value] for value in values] + [{"type": "function", "function": value} for value in values]
    values += [schema_format(value, strict) for value in values[:14] for strict in (True, False)]
    values += [schema_format({**STRICT, key: value}, False) for key in STRICT for value in values[:14]]
    values += [schema_format({**STRICT, "properties": {"a": value}}) for value in values[:14]]
    values += [tool(parameters={**STRICT, key: value}) for key in STRICT for value in values[:14]]
    values += [tool(strict=True, parameters={**STRICT, "properties": {"a": value}}) for value in values[:14]]
    values += [{"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": value}} for value in values[:14]]
    bodies = [chat(**{name: value}) for name in validation.PARAMETERS for value in values if name != "messages"]
    bodies += [chat(tools=[TOOL], tool_choice=value) for value in values]
    bodies += [chat(tools=value, tool_choice="required") for value in values]
    bodies += [{"model": "gpt-4o", "messages": value} for value in values]
    for key in ("role", "content", "tool_calls", "tool_call_id", "function_call", "name"):
        bodies += [
            chat({"role": role, "content": "x", key: value})
            for value in values
            for role in ("user", "assistant", "tool")
        ]
    for kind in ("text", "image_url", "input_audio", "file"):
        bodies += [chat({"role": "user", "content": [{"type": kind, kind: value}]}) for value in values]
    for body in [*values, *bodies]:
        refusal = validation.check_chat(body)
        assert refusal is None or refusal.status in (400, 404)
        if refusal is None:
            assert answers.chat({**body, "n": 1}, id="x", created=0)["choices"]
    for body in [{"model": "text-embedding-3-small", "input": value} for value in values]:
        assert validation.check_embeddings(body) is None or validation.check_embeddings(body).status == 400
