"""Arguments -> exact bytes, URLs and headers; and every refusal with its path and its cure."""

import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import io
import json
import pathlib
import types
import uuid

import pytest

from . import module

payload = module("protocol.payload")
PayloadError = module("protocol.errors").PayloadError

USER = {"role": "user", "content": "Hi"}
SECRET = "sk-proj-0123456789abcdef"


# ---- messages

MESSAGES = [
    ("a text", "Hi", [USER]),
    ("an empty text", "", [{"role": "user", "content": ""}]),
    ("one dict", USER, [USER]),
    ("a list", [USER, {"role": "assistant", "content": None}], [USER, {"role": "assistant", "content": None}]),
    ("an empty list is the server's to refuse", [], []),
    ("a tuple", (USER,), [USER]),
    ("a generator", (message for message in [USER, USER]), [USER, USER]),
    ("a deque", collections.deque([USER]), [USER]),
    ("read-only mappings", [types.MappingProxyType(USER)], [USER]),
    ("one read-only mapping", types.MappingProxyType(USER), [USER]),
    ("unknown fields", [{"role": "critic", "x": {"y": [1]}}], [{"role": "critic", "x": {"y": [1]}}]),
]


@pytest.mark.parametrize("given, expected", [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES])
def test_messages_become_a_list_of_plain_dicts(given, expected):
    """Whatever the container, the body gets a list of dicts."""
    built = payload.build_messages(given)
    assert built == expected
    assert type(built) is list
    assert {type(message) for message in built} <= {dict}


WRONG_MESSAGES = [
    ("None", None, "messages", "got None"),
    ("a number", 7, "messages", "got int"),
    ("bytes", b"Hi", "messages", "got bytes; for a text, value.decode()"),
    ("a list of texts", ["Hi"], "messages[0]", 'must be a dict such as {"role": "user", "content": "..."}, got str'),
    ("the third is a number", [USER, USER, 3], "messages[2]", "got int"),
    ("a pair", [("user", "Hi")], "messages[0]", "got tuple"),
    ("None among dicts", [USER, None], "messages[1]", "got None"),
]


@pytest.mark.parametrize(
    "given, path, text", [row[1:] for row in WRONG_MESSAGES], ids=[row[0] for row in WRONG_MESSAGES]
)
def test_messages_of_a_wrong_type_are_refused_with_path_and_type(given, path, text):
    """The error names the spot, what was wanted and what was there."""
    with pytest.raises(PayloadError) as caught:
        payload.build_messages(given)
    assert caught.value.path == path
    assert str(caught.value).startswith(path)
    assert text in str(caught.value)


def test_an_sdk_message_object_gets_the_cure():
    """The commonest object in a history is the SDK's own message, a pydantic model."""
    message = make_class("pydantic.main", "BaseModel")()
    with pytest.raises(PayloadError, match=r"messages\[0\].*model_dump\(exclude_none=True\)"):
        payload.build_messages([message])


def test_the_argument_is_called_by_the_name_the_caller_gave_it():
    """Other callers have lists of messages too."""
    with pytest.raises(PayloadError, match=r"history\[0\] must be"):
        payload.build_messages([1], path="history")


# ---- payload

BODIES = [
    ("the least", {"model": "m"}, '{"model":"m","messages":[{"role":"user","content":"Hi"}]}'),
    (
        "routing first, then the order given",
        {
            "model": "m",
            "stream": True,
            "parameters": {"top_p": 1, "stream_options": {"include_usage": True}, "a_new_one": {"x": None}, "seed": 0},
        },
        (
            '{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}],'
            '"top_p":1,"a_new_one":{"x":null},"seed":0}'
        ),
    ),
    (
        "None leaves a parameter out; false, 0 and empty stay",
        {"model": "m", "parameters": {"stop": None, "store": False, "n": 0, "tools": [], "user": ""}},
        '{"model":"m","messages":[{"role":"user","content":"Hi"}],"store":false,"n":0,"tools":[],"user":""}',
    ),
    ("no model, as Azure allows", {"model": None}, '{"messages":[{"role":"user","content":"Hi"}]}'),
    (
        "extra_body overrides anything and may say null",
        {"model": "m", "parameters": {"seed": 1}, "extra_body": {"model": "other", "seed": None, "top_k": 5}},
        '{"model":"other","messages":[{"role":"user","content":"Hi"}],"seed":null,"top_k":5}',
    ),
    (
        "extra_body is merged one level deep",
        {"model": "m", "parameters": {"metadata": {"a": "1"}}, "extra_body": {"metadata": {"b": "2"}}},
        '{"model":"m","messages":[{"role":"user","content":"Hi"}],"metadata":{"b":"2"}}',
    ),
]


@pytest.mark.parametrize("arguments, expected", [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_the_body_is_exactly_this(arguments, expected):
    """Arguments -> bytes."""
    assert payload.encode_payload(payload.build_payload("Hi", **arguments)).decode() == expected


# Today's parameters (API reference "Create chat completion"), each with a value of its shape.
TODAYS_PARAMETERS = {
    "audio": {"format": "mp3", "voice": "alloy"},
    "frequency_penalty": 0.5,
    "function_call": "auto",
    "functions": [{"name": "f"}],
    "logit_bias": {"1734": -100},
    "logprobs": True,
    "max_completion_tokens": 5,
    "max_tokens": 5,
    "metadata": {"a": "b"},
    "modalities": ["text"],
    "moderation": {"model": "m"},
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": -0.5,
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "safety_identifier": "s",
    "seed": 1,
    "service_tier": "flex",
    "stop": ["\n"],
    "store": False,
    "stream_options": {"include_usage": True},
    "temperature": 0,
    "tool_choice": "none",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "top_logprobs": 3,
    "top_p": 0.1,
    "user": "u",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
    "not_invented_yet": {"deep": [None]},
}


@pytest.mark.parametrize("name", TODAYS_PARAMETERS)
def test_every_parameter_crosses_untouched(name):
    """Known or unknown, a parameter arrives under its own name with its own value."""
    value = TODAYS_PARAMETERS[name]
    body = payload.build_payload("Hi", model="m", parameters={name: value})
    assert json.loads(payload.encode_payload(body)) == {"model": "m", "messages": [USER], name: value}


def test_nothing_of_the_callers_is_changed():
    """Messages, parameters and extra_body stay as they were, and the body's own dicts are new ones."""
    given = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}],
        "parameters": {"stream_options": {"include_usage": False}, "stop": None},
        "extra_body": {"seed": None},
    }
    before = copy.deepcopy(given)
    body = payload.build_payload(model="m", stream=True, **given)
    body["messages"][0]["role"] = "changed"
    body["messages"].append(USER)
    body["more"] = 1
    assert given == before


WRONG_BODIES = [
    ("model of another type", {"model": 4}, "model", "got int"),
    ("stream twice", {"model": "m", "parameters": {"stream": True}}, "stream", "extra_body"),
    ("model twice", {"model": "m", "parameters": {"model": "n"}}, "model", "argument of its own"),
    ("messages twice", {"model": "m", "parameters": {"messages": []}}, "messages", "argument of its own"),
    ("extra_body a list", {"model": "m", "extra_body": [1]}, "extra_body", "got list"),
]


@pytest.mark.parametrize(
    "arguments, path, text", [row[1:] for row in WRONG_BODIES], ids=[row[0] for row in WRONG_BODIES]
)
def test_arguments_that_contradict_are_refused(arguments, path, text):
    """No silent override, no silent conversion."""
    with pytest.raises(PayloadError, match=text) as caught:
        payload.build_payload("Hi", **arguments)
    assert caught.value.path == path


# ---- bytes


def test_text_is_utf8_and_not_escaped():
    """Every script, emoji, control characters and U+2028 survive; only what JSON demands is escaped."""
    text = 'é 入 😀 \u2028 "q" \\ \n \x00'
    sent = payload.encode_payload({"content": text})
    assert sent == '{"content":"é 入 😀 \u2028 \\"q\\" \\\\ \\n \\u0000"}'.encode()
    assert json.loads(sent) == {"content": text}


def test_keys_that_are_numbers_are_written_as_json_writes_them():
    """logit_bias is often given with token numbers; the API wants them as texts."""
    assert payload.encode_payload({"logit_bias": {1734: -100}}) == b'{"logit_bias":{"1734":-100}}'


def test_texts_and_numbers_of_a_kind_pass():
    """A str or int enumeration is a str or int."""
    role = enum.Enum("Role", {"USER": "user"}, type=str)
    assert payload.encode_payload({"role": role.USER, "n": (1, 2)}) == b'{"role":"user","n":[1,2]}'


def test_any_mapping_may_be_the_payload():
    """A read-only view is as good as a dict at the top."""
    assert payload.encode_payload(types.MappingProxyType({"a": 1})) == b'{"a":1}'


def make_class(module_name, name, *bases):
    """A class that says it comes from a package that need not be installed here."""
    return type(name, bases, {"__module__": module_name})


@dataclasses.dataclass
class Point:
    x: int = 0


class Colour(enum.Enum):
    RED = 1


def a_function():
    """Stands for a tool that was given as it is."""


LOOP = []
LOOP.append({"inner": LOOP})

UNSERIALISABLE = [
    ("bytes", b"x", "is of type bytes", "base64"),
    ("bytearray", bytearray(b"x"), "is of type bytearray", "decode()"),
    ("memoryview", memoryview(b"x"), "is of type memoryview", "base64"),
    ("an open file", io.BytesIO(b"x"), "is of type _io.BytesIO", "read the file first"),
    ("a set", {1}, "is of type set", "sorted(value)"),
    ("a frozenset", frozenset([1]), "is of type frozenset", "sorted(value)"),
    ("a generator", (i for i in ()), "is of type generator", "list(value)"),
    ("dict values", {}.values(), "is of type dict_values", "list(value)"),
    ("a range", range(3), "is of type range", "list(value)"),
    ("a deque", collections.deque(), "is of type collections.deque", "list(value)"),
    ("a mapping inside", types.MappingProxyType({}), "is of type mappingproxy", "dict(value)"),
    ("a function", a_function, "is of type function", "JSON schema"),
    ("a class", Point, "is of type type", "JSON schema"),
    ("a dataclass", Point(), f"is of type {__name__}.Point", "dataclasses.asdict(value)"),
    ("an enum member", Colour.RED, f"is of type {__name__}.Colour", "value.value"),
    ("a Decimal", decimal.Decimal("0.1"), "is of type decimal.Decimal", "float(value)"),
    ("a datetime", datetime.datetime(2026, 1, 1), "is of type datetime.datetime", "isoformat()"),
    ("a date", datetime.date(2026, 1, 1), "is of type datetime.date", "isoformat()"),
    ("a duration", datetime.timedelta(1), "is of type datetime.timedelta", "total_seconds()"),
    ("a UUID", uuid.UUID(int=0), "is of type uuid.UUID", "str(value)"),
    ("a Path", pathlib.Path("x"), "Path", "str(value)"),
    (
        "a numpy scalar",
        make_class("numpy", "float32", make_class("numpy", "generic"))(),
        "numpy.float32",
        "value.item()",
    ),
    ("a numpy array", make_class("numpy", "ndarray")(), "is of type numpy.ndarray", "value.tolist()"),
    ("a tensor", make_class("torch", "Parameter", make_class("torch", "Tensor"))(), "torch.Parameter", "tolist()"),
    ("a data frame", make_class("pandas.core.frame", "DataFrame")(), "DataFrame", "to_dict"),
    (
        "a pydantic model",
        make_class("app.models", "Review", make_class("pydantic.main", "BaseModel"))(),
        "Review",
        "model_dump",
    ),
    (
        "an image",
        make_class("PIL.PngImagePlugin", "PngImageFile", make_class("PIL.Image", "Image"))(),
        "PngImageFile",
        "base64",
    ),
    ("a plain object", object(), "is of type object, which JSON cannot hold", ""),
    ("a complex number", 1j, "is of type complex, which JSON cannot hold", ""),
    ("NaN", float("nan"), "is nan, and JSON has no such number", "finite"),
    ("Infinity", float("inf"), "is inf, and JSON has no such number", "finite"),
    ("minus Infinity", float("-inf"), "is -inf", "finite"),
    ("NaN of a kind", make_class("numpy", "float64", float)("nan"), "is nan", "finite"),
    ("a high surrogate", "ab\ud83d", "holds half a character, U+D83D at position 2", "surrogatepass"),
    ("a low surrogate", "\ude00", "holds half a character, U+DE00 at position 0", "surrogatepass"),
    ("two halves not joined", "\ud83d\ude00", "U+D83D at position 0", "surrogatepass"),
    ("an escaped byte", "x\udcff", "holds half a character, U+DCFF at position 1", "byte 0xFF"),
    ("a key with a surrogate", {"k\ud83d": 1}, "is a key that holds half a character", "position 1"),
    ("a tuple for a key", {(1, 2): 1}, "is a key of type tuple", "keys in JSON are texts"),
    ("bytes for a key", {b"k": 1}, "is a key of type bytes", "keys in JSON are texts"),
    ("NaN for a key", {float("nan"): 1}, "is a key that is no number in JSON", "texts"),
    ("a list in itself", LOOP, "contains itself", "JSON cannot say that"),
]


@pytest.mark.parametrize(
    "value, what, cure", [row[1:] for row in UNSERIALISABLE], ids=[row[0] for row in UNSERIALISABLE]
)
def test_what_json_cannot_hold_is_refused_with_path_and_cure(value, what, cure):
    """The path leads to the culprit however deep it lies, and the text says what to do."""
    body = {"model": "m", "messages": [USER, USER, {"role": "user", "content": [value]}]}
    with pytest.raises(PayloadError) as caught:
        payload.encode_payload(body)
    text = str(caught.value)
    assert caught.value.path.startswith("messages[2].content[0]")
    assert text.startswith(caught.value.path + " ")
    assert what in text
    assert cure in text
    assert text.isascii()
    assert caught.value.__cause__ is not None


PATHS = [
    ("at the top", {"seed": {1}}, "seed"),
    ("the first of two", {"a": {1}, "b": {2}}, "a"),
    ("in a tuple", {"a": (1, {1})}, "a[1]"),
    ("a key that is no word", {"a": {"b c": {1}}}, 'a["b c"]'),
    ("an empty key", {"": {1}}, '[""]'),
    ("a number for a key", {"a": {5: {1}}}, "a[5]"),
    ("a very long key", {"a": {"x" * 500: {1}}}, 'a["' + "x" * 76 + "...]"),
    ("the same list twice is no loop", {"a": [LOOP[0]["inner"] and []] * 2, "b": {1}}, "b"),
    ("a loop below", {"a": LOOP}, "a[0].inner"),
]


@pytest.mark.parametrize("body, path", [row[1:] for row in PATHS], ids=[row[0] for row in PATHS])
def test_the_path_reads_as_python(body, path):
    """What stands in the path can be typed after `payload`."""
    with pytest.raises(PayloadError) as caught:
        payload.encode_payload(body)
    assert caught.value.path == path


def test_too_deep_a_payload_is_refused_with_its_depth():
    """A RecursionError would say nothing of the payload."""
    body = deep = {}
    for _ in range(100_000):
        deep["a"] = deep = {}
    with pytest.raises(PayloadError, match=r"^a(\.a){39}\.\.\. lies 100000 levels deep"):
        payload.encode_payload(body)
    while body:  # take it apart from the top: letting go of it at once would recurse in C
        body = body.pop("a", None)


def test_a_loop_deeper_than_python_recurses_is_called_a_loop():
    """Whether the encoder meets its limit or the loop first is not the caller's concern."""
    deep = body = {}
    for _ in range(100_000):
        deep["a"] = deep = {}
    deep["a"] = body
    with pytest.raises(PayloadError, match="contains itself"):
        payload.encode_payload(body)
    deep.clear()
    while body:
        body = body.pop("a", None)


def test_what_only_the_encoder_knows_is_passed_on():
    """Python refuses to write integers of more than 4,300 digits."""
    with pytest.raises(PayloadError, match=r"the payload cannot be written as JSON: .*4300") as caught:
        payload.encode_payload({"n": 10**5000})
    assert caught.value.path == ""
    assert isinstance(caught.value.__cause__, ValueError)
