"""One set of programs under two names: with `openai` replaced by ours, and with the real package where it is installed."""

import asyncio
import copy
import email
import gc
import importlib
import inspect
import json
import re
import sys

import pytest

from . import forms, module, rawchat
from .script_server import ScriptServer
from .scripts import Answer
from .sdk_programs import HELLO, MODEL, PROGRAMS, QUESTION, SCRIPTED, WEATHER

OURS = {
    "openai": "sdk",
    "openai.types": "sdk.types",
    "openai.types.chat": "sdk.types.chat",
    "openai.lib.streaming.chat": "sdk.events",
}


# What other packages warn of, sockets left open above all, is not ours to judge.
THEIRS = pytest.param("openai", marks=pytest.mark.filterwarnings("ignore"))


@pytest.fixture(params=["ours", THEIRS])
def openai(request, monkeypatch):
    """What `import openai` gives."""
    if request.param == "openai":
        return pytest.importorskip("openai")
    for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
        monkeypatch.delitem(sys.modules, name)
    for name, path in OURS.items():
        monkeypatch.setitem(sys.modules, name, module(path))
    return sys.modules["openai"]


@pytest.fixture(scope="module", autouse=True)
def quick_collections():
    """What was there before is not looked through again for each program."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_program(program, openai, practice, monkeypatch):
    """It runs to its end, whichever package stands behind the import."""
    if forms.IS_SINGLE and program.__name__ in ("module_as_client", "results_are_objects"):
        pytest.skip("one file has no sdk module that is a client, nor one that is imported as its own")
    if "pydantic" in inspect.getsource(program):
        pytest.importorskip("pydantic")
    monkeypatch.setenv("OPENAI_BASE_URL", practice.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-program-0123456789")
    result = program(practice.root)
    if inspect.iscoroutine(result):
        asyncio.run(result)
    gc.collect()  # what a program leaves behind is warned of here, or not at all


@pytest.mark.parametrize("program", SCRIPTED, ids=[program.__name__ for program in SCRIPTED])
def test_scripted_program(program, openai, monkeypatch):
    """What goes out is the same, too: method, path, fields and files."""
    answers = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in program.answers]
    with ScriptServer([Answer(200, {"Content-Type": "application/json"}, (body,)) for body in answers]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-program-0123456789")
        program(server.url)
        assert [told_of(request) for request in server.requests] == SENT[program.__name__]
    gc.collect()


SENT = {
    "files": [
        ("POST /v1/files", ["purpose=batch", "file=upload application/octet-stream {}\n"]),
        ("POST /v1/files", ["purpose=batch", "file=named.jsonl application/octet-stream {}\n"]),
        ("POST /v1/files", ["purpose=batch", "file=path.jsonl application/octet-stream {}\n"]),
        ("POST /v1/files", ["purpose=batch", "file=tuple.jsonl application/jsonl {}\n"]),
        ("GET /v1/files/file-1", ""),
        ("GET /v1/files?limit=2", ""),
        ("GET /v1/files?limit=2&after=file-2", ""),
        ("GET /v1/files/file-1/content", ""),
        ("DELETE /v1/files/file-1", ""),
    ],
    "batches": [
        (
            "POST /v1/batches",
            {
                "completion_window": "24h",
                "endpoint": "/v1/chat/completions",
                "input_file_id": "file-1",
                "metadata": {"for": "me"},
            },
        ),
        ("GET /v1/batches/batch_1", ""),
        ("GET /v1/batches?limit=1", ""),
        ("GET /v1/batches?limit=1&after=batch_1", ""),
        ("POST /v1/batches/batch_1/cancel", ""),
    ],
}


def told_of(request):
    """(method and target, what the body says) of raw bytes; forms are read by the standard library's own parser."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, _, fields = head.decode().partition("\r\n")
    form = email.message_from_string(fields + "\r\n\r\n" + body.decode())
    if form.is_multipart():
        return first.rpartition(" ")[0], [told_of_part(part) for part in form.get_payload()]
    return first.rpartition(" ")[0], json.loads(body) if body else ""


def told_of_part(part):
    name = part.get_param("name", header="content-disposition")
    text = part.get_payload(decode=True).decode()
    return f"{name}={part.get_filename()} {part.get_content_type()} {text}" if part.get_filename() else f"{name}={text}"


# ---- beside the real one: the same wire, read by both


def real_one():
    openai = pytest.importorskip("openai")
    importlib.import_module("openai.types.chat")
    if int(openai.__version__.partition(".")[0]) < 3:
        pytest.skip("the fields are those of openai 3")
    return openai


BODIES = {
    "plain": {},
    "two choices": {"n": 2},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "tools": {"messages": QUESTION, "tools": [WEATHER]},
    "a custom tool": {"tools": [{"type": "custom", "custom": {"name": "run"}}], "tool_choice": "required"},
}
FORMS = {
    "model_dump": lambda made: json.dumps(made.model_dump()),
    "without nulls": lambda made: json.dumps(made.model_dump(exclude_none=True)),
    "to_dict": lambda made: json.dumps(made.to_dict()),
    "model_dump_json": lambda made: made.model_dump_json(),
    "to_json": lambda made: made.to_json(),
    "repr": repr,
    "extra": lambda made: (made.model_extra, made.model_fields_set),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BODIES)
def test_results_read_as_the_real_ones(name, practice):
    """To the letter, in every form: what came, what is missing, and what nobody knew of."""
    theirs = real_one().types.chat
    body = {"model": MODEL, "messages": HELLO, **BODIES[name]}
    client = rawchat.Client(base_url=practice.url)
    documents = [("ChatCompletion", {**client.send(body), "brand_new": {"a": [1]}})]
    with client.send({**body, "stream": True, "stream_options": {"include_usage": True}}) as stream:
        documents += [("ChatCompletionChunk", chunk) for chunk in stream.chunks()]
    for kind, document in documents:
        made = [
            getattr(types, kind).construct(**copy.deepcopy(document)) for types in (module("sdk.types.chat"), theirs)
        ]
        for form, show in FORMS.items():
            ours, real = map(show, made)
            assert ours == real, form


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in BODIES if name != "a custom tool"])  # of which the real one dies
def test_events_come_as_the_real_ones(name, practice):
    """The same events in the same order with the same fields, and the same completion at the end."""
    theirs = real_one()
    assert told_by(module("sdk"), practice.url, BODIES[name]) == told_by(theirs, practice.url, BODIES[name])


# The real snapshots keep the index of each tool call, and are rebuilt for every chunk.
NOT_COMPARED = {"chunk": {"choice_index", "chunk", "snapshot"}}


def told_by(package, url, more):
    """Every event, and the final completion, without what differs from call to call."""
    client = package.OpenAI(api_key="sk-program-0123456789", base_url=url)
    with client.chat.completions.stream(**{"model": MODEL, "messages": HELLO, **more}) as stream:
        told = [shown(event.model_dump(exclude=NOT_COMPARED.get(event.type, {"choice_index"}))) for event in stream]
    return told, shown(stream.get_final_completion().model_dump())


def shown(document):
    """As text, with calls' and completions' own ids and times masked, and a tool call's index left out."""
    return re.sub(r'"(id|created)": [^,}]+(, "index": \d+)?', r'"\1": 0', json.dumps(document, sort_keys=True))
