"""Wherever Python runs: imported without a trace, under every switch, in threads, sub-interpreters, and after a fork."""

import importlib
import os
import subprocess
import sys

import pytest

from . import forms, module
from .script_server import ScriptServer
from .scripts import whole

MODULES = sorted(forms.module_names())

# What the programs below begin with: argv is where the form is, and its name; the rest is the program's.
START = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
name = sys.argv[2]
"""


def run(program, *arguments, switches=()):
    """What a program of its own prints, in a Python that sees the form and the standard library, and fails on warnings."""
    command = [sys.executable, "-I", "-S", "-B", "-W", "error", *switches, "-c", START + program]
    command += [forms.PLACE, forms.NAME, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


# ---- importing leaves no trace

WATCHED = """
import os
found = set()

def of_ours():
    # The frame that asked: not that of os or of the standard library's own modules, which look at what they like.
    frame = sys._getframe(2)
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in ("os", "_collections_abc", "__main__"):
        frame = frame.f_back
    asked = frame.f_globals.get("__name__", "") if frame else ""
    return asked if asked == name or asked.startswith(name + ".") else ""

class Watched(dict):
    def __getitem__(self, key):
        if of_ours():
            found.add(f"{of_ours()} reads {key}")
        return dict.__getitem__(self, key)

    def get(self, key, default=None):
        if of_ours():
            found.add(f"{of_ours()} reads {key}")
        return dict.get(self, key, default)

    def __contains__(self, key):
        if of_ours():
            found.add(f"{of_ours()} reads {key}")
        return dict.__contains__(self, key)

os.environ = Watched(os.environ)
os.getenv = os.environ.get
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def audit(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        found.add(f"writes {arguments[0]}")
    if event in ("os.mkdir", "os.rename", "os.remove", "socket.connect", "socket.bind", "subprocess.Popen"):
        found.add(f"{event} {arguments[0]}")

sys.addaudithook(audit)
for module in sys.argv[3].split():
    importlib.import_module(name + module)
BEYOND
print("\\n".join(sorted(found)))
"""


def test_importing_writes_no_file_and_reads_no_environment():
    """Every module: what the environment says is read when a client is made, and files are written where one is named."""
    assert run(WATCHED.replace("BEYOND", ""), " ".join(MODULES)).strip() == ""


def test_the_watching_sees_what_it_watches_for():
    """Else the test above could not fail."""
    beyond = """
exec(compile("import os\\nos.environ.get('HOME')\\nos.getenv('PATH')\\n'A' in os.environ", "x", "exec"), {"__name__": name})
os.open(os.devnull, os.O_WRONLY)
"""
    told = run(WATCHED.replace("BEYOND", beyond), "")
    assert told.splitlines() == [f"{forms.NAME} reads {key}" for key in ("A", "HOME", "PATH")] + [
        f"writes {os.devnull}"
    ]


# ---- switches

CALL = """
chat = importlib.import_module(name)
memory = chat.MemoryTransport([["Hel", "lo!", "[DONE]"]])
for module in sys.argv[3].split():
    importlib.import_module(name + module)
with chat.Client("key", "http://127.0.0.1/v1", transport=memory) as client, client.stream("Hi") as stream:
    print("".join(stream), stream.reply.complete)
try:
    chat.Client("bad\\nkey", "http://127.0.0.1/v1")
except chat.PayloadError as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("switches", [(), ("-O",), ("-OO",), ("-b", "-b"), ("-X", "dev"), ("-X", "utf8")], ids=str)
def test_a_call_under_every_switch(switches):
    """Nothing hangs on an assert or a docstring, and bytes are never compared with text."""
    assert run(CALL, " ".join(MODULES), switches=switches).split() == ["Hello!", "True", "PayloadError"]


# ---- threads

THREADS = """
import threading
together, texts, errors = threading.Barrier(16), [], []

def work(number):
    together.wait()
    try:
        chat = importlib.import_module(name)
        # Each begins with another name of the face, all at once.
        getattr(chat, chat.__all__[number % len(chat.__all__)])
        reply = {"choices": [{"message": {"role": "assistant", "content": str(number)}, "finish_reason": "stop"}]}
        door = chat.MemoryTransport([reply])
        texts.append(int(chat.Client("key", "http://127.0.0.1/v1", transport=door).chat("Hi").text))
    except BaseException as error:
        errors.append(error)

threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(texts) == list(range(16)), errors)
"""


@pytest.mark.skipif(
    forms.FORM == "zip" and sys.version_info < (3, 10),
    reason="Python 3.9 gives a second thread a module of a zip that the first one has not loaded to its end",
)
def test_many_threads_may_import_it_at_once():
    """The first use of a name loads its module, whichever thread comes first."""
    assert run(THREADS).strip() == "True []"


FIRST = """
import sys
asked = []

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        asked.append(name)

chat = importlib.import_module(name)
sys.modules.pop("collections.abc", None)
sys.meta_path.insert(0, Finder)
chat.Client
print(next(each for each in asked if each == "collections.abc" or each.startswith(name + ".")))
"""


@forms.needs_modules
def test_what_python_3_13_replaces_is_loaded_before_any_module_of_ours():
    """Of two threads that load collections.abc there, the second is given an empty module: one in five runs of the test
    above failed.
    """
    assert run(FIRST).strip() == "collections.abc"


# ---- sub-interpreters

INSIDE = """
import sys
sys.path.insert(0, {place!r})
import importlib
chat = importlib.import_module({name!r})
with chat.Client("key", {url!r}, transport="stdlib") as client:
    said = client.chat("Hi").text
with open({out!r}, "a") as file:
    file.write(said + "\\n")
"""

SUBINTERPRETERS = """
try:
    import _interpreters as interpreters  # 3.13
except ImportError:
    import _xxsubinterpreters as interpreters
for _ in range(2):
    number = interpreters.create()
    failed = interpreters.run_string(number, sys.argv[3])
    assert failed is None, failed
    interpreters.destroy(number)
"""


def has_subinterpreters():
    return any(importlib.util.find_spec(name) for name in ("_interpreters", "_xxsubinterpreters"))


@pytest.mark.skipif(not has_subinterpreters(), reason="this Python offers no sub-interpreters")
def test_sub_interpreters(tmp_path):
    """One after the other, each with modules of its own: imported and asked over a real socket."""
    out = tmp_path / "out.txt"
    with ScriptServer([whole("Hello!")] * 2) as server:
        program = INSIDE.format(place=forms.PLACE, name=forms.NAME, url=server.url, out=str(out))
        # -W default: making a sub-interpreter of an experimental module is itself worth a warning in some versions.
        run(SUBINTERPRETERS, program, switches=("-W", "default"))
    assert out.read_text().split() == ["Hello!"] * 2


# ---- fork

FORKED = """
import os
if sys.argv[5]:
    sys.path.append(sys.argv[5])  # where requests is
chat = importlib.import_module(name)
client = chat.Client("key", sys.argv[3], transport=sys.argv[4])
said = [client.chat("Hi").text]
with client.stream("Hi") as stream:
    texts = iter(stream)
    first = next(texts)
    child = os.fork()
    if child == 0:
        client.chat("Hi")
        client.close()
        sys.exit(0)  # not os._exit: what Python does at its end must not reach the parent's connections either
    assert os.waitpid(child, 0)[1] == 0
    said.append(first + "".join(texts))
said.append(client.chat("Hi").text)
client.close()
print(len(said))
"""

FORKED_ASYNC = """
import asyncio, os
chat = importlib.import_module(name)
client = chat.AsyncClient("key", sys.argv[3])

async def ask():
    return (await client.chat("Hi")).text, (await client.chat("Hi")).text

said = [asyncio.run(ask())]
child = os.fork()
if child == 0:
    asyncio.run(ask())
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
said.append(asyncio.run(ask()))
print(len(said))
"""


class ConnectionsServer:
    """Answers every request on any number of connections, a stream as a stream; `asked` has each one's connection."""

    def __init__(self):
        self._server = module("lab.practice").PracticeServer(port=0, pace_ms=0)
        self.url = ""

    def __enter__(self):
        self._server.__enter__()
        self.url = self._server.url
        return self

    def __exit__(self, *_):
        self._server.__exit__(None, None, None)

    @property
    def asked(self):
        return [request.connection for request in self._server.requests]


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
SYNC = [pytest.param("requests", marks=forms.needs_requests), "stdlib"]


@needs_fork
@pytest.mark.parametrize("door", SYNC)
def test_a_child_of_a_fork_shares_no_connection(door):
    """The parent's stream goes on undisturbed while the child asks for itself, and its idle connection stays its own."""
    with ConnectionsServer() as server:
        said = run(FORKED, server.url, door, forms.site_packages() if door == "requests" else "")
        first, stream, child, last = server.asked
    assert said == "3\n"
    assert child not in (first, stream)
    assert last in (first, stream)


@needs_fork
def test_an_async_client_after_a_fork():
    """A loop ends with its connections, so that a later one in the child or the parent has its own."""
    with ConnectionsServer() as server:
        said = run(FORKED_ASYNC, server.url)
        asked = server.asked
    assert said == "2\n"
    parent, child, later = asked[:2], asked[2:4], asked[4:]
    assert parent[0] == parent[1] and child[0] == child[1] and later[0] == later[1]
    assert len({parent[0], child[0], later[0]}) == 3
