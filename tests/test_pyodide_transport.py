"""The doors over `fetch`: against a browser made of Python, everywhere; and for real in Node, where Pyodide is at hand.

For the real one PYODIDE_FOLDER names the folder of the npm package "pyodide", and `node` must be found.
"""

import asyncio
import gc
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from . import module, rawchat
from .fake_browser import HOLD, Answer, JsError, browsing

wire = module("protocol.wire")
memory = module("transport.memory")
pyodide_transport = module("transport.pyodide_transport")

URL = "http://127.0.0.1:8000/v1"
POST = wire.Request("POST", f"{URL}/chat/completions", (("Content-Type", "application/json"),), b"{}")
BODY = b"".join(memory.sse("Grue\xdf", " dich", "."))
WHOLE = b'{"choices":[{"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}'


@pytest.fixture
def browse(monkeypatch):
    yield from browsing(monkeypatch)


def ask(request=POST, connect_s=5, read_s=600, then=None):
    """What one request gives: its head and body, or what `then` makes of the response."""

    async def asked():
        door = pyodide_transport.AsyncPyodideTransport()
        response = await door.send(request, connect_timeout_s=connect_s, read_timeout_s=read_s)
        try:
            return await (then or whole)(response)
        finally:
            response.close()

    return asyncio.run(asked())


async def whole(response):
    pieces = []
    while True:
        piece = await response.read_some()
        if not piece:
            assert await response.read_some() == b""
            return response.head, pieces
        pieces.append(piece)


# ---- an answer


def cuts_of(body):
    dice = random.Random(5)
    places = sorted(dice.sample(range(1, len(body)), 12))
    return {
        "whole": [body],
        "byte by byte": [body[place : place + 1] for place in range(len(body))],
        "at random places": [body[start:end] for start, end in zip([0, *places], [*places, len(body)])],
        "with empty pieces": [b"", body[:9], b"", b"", body[9:], b""],
    }


@pytest.mark.parametrize("name", cuts_of(BODY))
def test_pieces_come_as_they_are(browse, name):
    """Each piece that the reader gives is one read, whatever its size; an empty one is not taken for the end."""
    pieces = cuts_of(BODY)[name]
    browse(Answer(tuple(pieces)))
    head, came = ask()

    assert came == [piece for piece in pieces if piece]
    assert (head.status, head.reason, head.http_version) == (200, "OK", "")


def test_head_and_header_pairs(browse):
    """The head is there before the body is asked for; its headers are pairs, in their order."""
    headers = (("content-type", "application/json"), ("retry-after", "2"), ("x-request-id", "r1"))
    browser = browse(Answer((b"{}",), status=429, statusText="Too Many Requests", headers=headers))

    async def look(response):
        assert browser.readers[0].pieces == [b"{}"]
        return response.head

    head = ask(then=look)
    assert (head.status, head.reason, head.headers.pairs) == (429, "Too Many Requests", headers)
    assert head.headers["Retry-After"] == "2"


def test_an_answer_without_a_body(browse):
    """204 has a body of null."""
    browse(Answer(status=204, statusText="No Content", bodiless=True))
    head, pieces = ask()
    assert (head.status, pieces) == (204, [])


def test_what_is_asked(browse):
    """Method, body and headers go as they are, without cookies, and no redirect is followed."""
    browser = browse(Answer())
    ask()
    ((url, options),) = browser.asked
    assert options.pop("signal")
    assert (url, options) == (
        POST.url,
        {
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": b"{}",
            "redirect": "manual",
            "credentials": "omit",
        },
    )


def test_get_has_no_body(browse):
    """`fetch` refuses a GET with a body, even an empty one; and what a browser has cached is not the server's word."""
    browser = browse(Answer())
    ask(wire.Request("GET", f"{URL}/models", ()))
    options = browser.asked[0][1]
    assert "body" not in options and options["cache"] == "no-store"


FORBIDDEN = "Host Content-Length User-Agent Accept-Encoding Connection Cookie Origin Proxy-Authorization Sec-Fetch-Mode"


def test_headers_of_the_browser_are_left_out(browse):
    """What only a browser may set is left out without complaint; all else is sent."""
    browser = browse(Answer())
    ours = (("Authorization", "Bearer k"), ("X-Retry-Count", "1"), ("Secret", "s"), ("Proxied", "p"))
    ask(wire.Request("POST", POST.url, (*((name, "x") for name in FORBIDDEN.split()), *ours), b"{}"))
    assert browser.asked[0][1]["headers"] == dict(ours)


@pytest.mark.parametrize("pair", [("X-A", "a\nb"), ("X A", "a")], ids=["a line break", "no name"])
def test_headers_that_cannot_be_sent(browse, pair):
    """They are refused before the browser is asked."""
    browser = browse()
    with pytest.raises(rawchat.PayloadError):
        ask(wire.Request("POST", POST.url, (pair,), b"{}"))
    assert browser.asked == []


# ---- what goes wrong

FAILED = JsError("TypeError", "Failed to fetch")
IN_NODE = JsError("TypeError", "fetch failed", SimpleNamespace(message="connect ECONNREFUSED", code="ECONNREFUSED"))
BOTH_REFUSED = JsError("TypeError", "fetch failed", SimpleNamespace(message="", code="ECONNREFUSED"))
BROKEN = JsError("TypeError", "network error")
KEY = "sk-" + "a1b2c3d4" * 5
QUOTES_A_KEY = JsError("TypeError", f"Request cannot be constructed from http://u:{KEY}@127.0.0.1/")

FAILURES = [  # name, what the browser does, seconds to read, phase, words of the error, whether it is a timeout
    ("no answer", FAILED, 600, "head", ["127.0.0.1:8000", "Failed to fetch", "CORS", "https:", "console"], False),
    ("no answer, in Node", IN_NODE, 600, "head", ["fetch failed (connect ECONNREFUSED)"], False),
    ("no answer on two addresses", BOTH_REFUSED, 600, "head", ["fetch failed (ECONNREFUSED)"], False),
    ("no head in time", HOLD, 0.01, "head", ["no answer from 127.0.0.1:8000 within 0.01 s"], True),
    ("broken off", Answer((b"abc", BROKEN)), 600, "body", ["broke off (3 bytes had come)", "network error"], False),
    ("silence", Answer((b"abc", HOLD)), 0.01, "body", ["no byte for 0.01 s", "3 bytes"], True),
    ("a key is quoted", QUOTES_A_KEY, 600, "head", ["127.0.0.1"], False),
]


@pytest.mark.parametrize(
    "planned, read_s, phase, words, late", [row[1:] for row in FAILURES], ids=[r[0] for r in FAILURES]
)
def test_failures(browse, planned, read_s, phase, words, late):
    """Each becomes an error of ours that says where it broke, chained to what the browser said, without a key."""
    browser = browse(planned)
    with pytest.raises(rawchat.APIConnectionError) as caught:
        ask(read_s=read_s)
    error = caught.value

    assert error.phase == phase
    assert isinstance(error, rawchat.APITimeoutError) == late
    assert [word for word in words if word not in str(error)] == []
    told = [error, error.__cause__, getattr(error.__cause__, "__cause__", None)]
    assert KEY not in repr(told) + "".join(map(str, told))
    assert (error.__cause__ is None) == (planned is QUOTES_A_KEY)
    assert all(alarm.cancelled() or late for alarm in browser.alarms)


def test_no_alarm_without_a_timeout(browse):
    """None waits for ever; and what is longer than a browser's alarm can be set to does not go off at once."""
    browser = browse(Answer((b"abc",)), Answer((b"abc",)))
    assert ask(read_s=None)[1] == [b"abc"]
    assert browser.alarms == []
    assert ask(read_s=10_000_000)[1] == [b"abc"]
    assert browser.alarms and all(alarm.cancelled() for alarm in browser.alarms)


@pytest.mark.parametrize("way, words", [("cancel", "was cancelled"), ("close", "closed")])
def test_an_end_from_outside(browse, way, words):
    """`cancel` and `close` abort the transfer: who waits wakes up with an error, and so does who asks again."""
    browser = browse(Answer((b"abc", HOLD)))

    async def end(response):
        assert await response.read_some() == b"abc"
        waiting = asyncio.ensure_future(response.read_some())
        await asyncio.sleep(0)
        getattr(response, way)()
        for reading in (waiting, response.read_some()):
            with pytest.raises(rawchat.APIConnectionError, match=words):
                await reading
        assert not await response.drain(1)
        return browser.asked[0][1]["signal"].aborted

    assert ask(then=end)


@pytest.mark.parametrize("planned", [HOLD, Answer((HOLD,))], ids=["waiting for the head", "waiting for a piece"])
def test_a_cancelled_task_ends_its_request(browse, planned):
    """asyncio's own cancelling aborts the transfer, and is not turned into another error."""
    browser = browse(planned)

    async def cancelled():
        task = asyncio.ensure_future(send_and_read())
        while not browser.alarms or (planned is not HOLD and len(browser.alarms) < 2):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def send_and_read():
        door = pyodide_transport.AsyncPyodideTransport()
        response = await door.send(POST, connect_timeout_s=5, read_timeout_s=600)
        await response.read_some()

    asyncio.run(cancelled())
    assert browser.asked[0][1]["signal"].aborted
    assert all(alarm.cancelled() for alarm in browser.alarms)


DRAINS = [  # name, what is left, whether the end is reached
    ("the end is near", (b"rest", b"more"), True),
    ("nothing more comes", (b"rest", HOLD), False),
    ("it breaks", (b"rest", BROKEN), False),
]


@pytest.mark.parametrize("rest, reached", [row[1:] for row in DRAINS], ids=[row[0] for row in DRAINS])
def test_drain(browse, rest, reached):
    """What is left is read, for a while; whether its end was reached is the answer, never an error."""
    browser = browse(Answer((b"first", *rest)))

    async def drain(response):
        await response.read_some()
        return await response.drain(0.02)

    assert ask(then=drain) is reached
    assert browser.asked[0][1]["signal"].aborted is not reached


def test_close_after_the_end_aborts_nothing(browse):
    """A body that was read to its end leaves its connection to the browser."""
    browser = browse(Answer((b"abc",)))
    ask()
    assert not browser.asked[0][1]["signal"].aborted


# ---- behind the clients

SLOW_DOWN = Answer((b'{"error":{"message":"slow down"}}',), 429, "", (("retry-after-ms", "20"),))
GOOD = Answer((WHOLE,), headers=(("content-type", "application/json"),))
HIDDEN = Answer(status=0, statusText="", headers=(), type="opaqueredirect", bodiless=True)


def run_chat(client, **options):
    answer = client.chat("Hi", **options)
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


BOTH = pytest.mark.parametrize("face", [rawchat.Client, rawchat.AsyncClient], ids=["sync", "async"])


@BOTH
def test_a_browser_is_noticed(browse, face):
    """In a browser `fetch` is the door, without being asked for; elsewhere it is not."""
    browse()
    assert face("k", URL).transport.name == "pyodide"
    browse(platform="linux")
    assert face("k", URL).transport.name != "pyodide"
    assert face("k", URL, transport="pyodide").transport.name == "pyodide"


@BOTH
@pytest.mark.parametrize("absent", ["js", "pyodide"])
def test_outside_of_a_browser_it_cannot_be_had(browse, monkeypatch, face, absent):
    """The error says what the door is for, and is one of a wrong argument."""
    browse()
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(rawchat.PayloadError, match="for Python in a browser or in Node") as caught:
        face("k", URL, transport="pyodide")
    assert isinstance(caught.value.__cause__, ImportError)


@BOTH
def test_a_header_that_cors_forbids_can_be_left_out(browse, face):
    """These go out; all but Accept need the server's word in a browser, and each can be taken away."""
    browser = browse(GOOD, GOOD)
    run_chat(face("k", URL))
    run_chat(face("k", URL, headers={"X-Client-Request-Id": None}))
    sent = [set(options["headers"]) for _, options in browser.asked]
    assert sent[1] == {"Authorization", "Content-Type", "Accept"}
    assert sent[0] - sent[1] == {"X-Client-Request-Id"}


@BOTH
def test_a_call_is_tried_again(browse, monkeypatch, face):
    """429 with the server's wait, then the answer: the wait does not block the page, as `time.sleep` would."""
    browse(SLOW_DOWN, GOOD)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("the page stands still"))
    reply = run_chat(face("k", URL))
    assert (reply.text, reply.attempts) == ("Hello.", 2)


@BOTH
def test_a_hidden_redirect(browse, face):
    """All that a browser shows of a redirect is that it is one: an error with status 0, and no second attempt."""
    browser = browse(HIDDEN)
    with pytest.raises(rawchat.APIStatusError, match="Redirect, Hidden by the Browser") as caught:
        run_chat(face("k", URL))
    assert (caught.value.status, len(browser.asked)) == (0, 1)


@BOTH
def test_the_deadline(browse, face):
    """It ends a wait for the head, and says so."""
    browse(HOLD)
    with pytest.raises(rawchat.DeadlineExceeded):
        run_chat(face("k", URL, max_retries=0), deadline=0.02)


@pytest.mark.parametrize("name", cuts_of(BODY))
def test_streams(browse, name):
    """Text comes whole, however the pieces are cut, from both clients."""
    pieces = tuple(cuts_of(BODY)[name])
    browse(Answer(pieces), Answer(pieces))

    async def awaited():
        async with rawchat.AsyncClient("k", URL).stream("Hi") as stream:
            return [text async for text in stream]

    with rawchat.Client("k", URL).stream("Hi") as stream:
        waited = list(stream)
    assert waited == asyncio.run(awaited()) == ["Grue\xdf", " dich", "."]
    assert stream.reply.complete


def test_a_broken_stream_keeps_what_came(browse):
    """As with any other door."""
    browse(Answer((BODY[:200], BROKEN)))
    with pytest.raises(rawchat.StreamInterrupted) as caught, rawchat.Client("k", URL).stream("Hi") as stream:
        list(stream)
    assert caught.value.reply.text == "Grue\xdf"


UNABLE = {"it says so": lambda: False, "an old Pyodide does not know": None}


@pytest.mark.parametrize("can_run_sync", UNABLE.values(), ids=UNABLE)
def test_where_python_cannot_be_suspended(browse, can_run_sync):
    """Client says at once what to do instead, asks nothing of the browser, and leaves no coroutine behind."""
    browser = browse(GOOD, can_run_sync=can_run_sync)
    with pytest.raises(rawchat.PayloadError, match="use AsyncClient"):
        rawchat.Client("k", URL).chat("Hi")
    gc.collect()
    assert browser.asked == []


def test_a_sleep_can_be_ended(browse):
    """`wake` ends the wait of both doors; without it they wait their time."""
    browse()
    wake = threading.Event()
    wake.set()
    door = pyodide_transport.PyodideTransport()
    door.sleep(600, wake)
    door.sleep(0.001)
    door.sleep(0.001, threading.Event())

    async def awaited():
        woken = asyncio.Event()
        asyncio.get_running_loop().call_soon(woken.set)
        await pyodide_transport.AsyncPyodideTransport().sleep(600, woken)

    asyncio.run(awaited())


# ---- for real, in Node

RUNNER = """
import fs from "node:fs";
import { pathToFileURL } from "node:url";
const [folder, home, name, url, program] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(folder + "/pyodide.mjs"));
const python = await loadPyodide({ env: { PYTHONDONTWRITEBYTECODE: "1", HOME: "/home/pyodide" } });
if (fs.statSync(home).isDirectory()) {
  python.FS.mkdirTree("/house");
  python.FS.mount(python.FS.filesystems.NODEFS, { root: home }, "/house");
} else {
  python.FS.writeFile("/house", fs.readFileSync(home));
}
python.runPython("import sys; sys.path.insert(0, '/house')");
python.globals.set("PACKAGE", name);
python.globals.set("URL", url);
await python.runPythonAsync(fs.readFileSync(program, "utf8"));
console.log(await python.runPythonAsync("await main()"));
process.exit(0);
"""
FOLDER = os.environ.get("PYODIDE_FOLDER", "")
MISSING = "" if FOLDER else "PYODIDE_FOLDER does not name the folder of the npm package pyodide"
MISSING = MISSING or ("" if shutil.which("node") else "there is no node on this machine")


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_in_node(practice, tmp_path):
    """A real Pyodide, with `fetch` of Node and a server that misbehaves: every way through the doors."""
    (tmp_path / "run.mjs").write_text(RUNNER, encoding="utf-8")
    home, program = Path(rawchat.__file__).parent.parent, Path(__file__).parent / "pyodide_program.py"
    command = ["node", str(tmp_path / "run.mjs"), os.path.abspath(FOLDER), str(home), rawchat.__name__, practice.url]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    cut, text = found.pop("cut")
    assert "broke off" in cut and "One, two, three, four, five.".startswith(text)
    blocking = found.pop("blocking")
    assert "use AsyncClient" in blocking or blocking["pieces"] == found["pieces"]
    assert found == {
        "platform": "emscripten",
        "door": "pyodide",
        "chat": "hello.",
        "models": "list",
        "retried": [2, True],
        "pieces": ["One", ",", " two", ",", " three", ",", " four", ",", " five", "."],
        "stream": ["One, two, three, four, five.", True, 21],
        "cancelled": [True, False],
        "error": ["AuthenticationError", 401, True],
        "redirect": ["APIStatusError", 302],
        "silent": [
            "APITimeoutError",
            "no answer from PEER within 0.2 s; if the model needs longer, give a longer timeout, or stream",
        ],
        "late": "DeadlineExceeded",
        "reset": ["APIConnectionError", True],
        "task": "CancelledError",
    }
