"""A browser made of Python, for the tests of the doors over `fetch`: the modules `js` and `pyodide.ffi`, as far as they go.

A promise is a coroutine. Where JavaScript would complain (a method without its object, a GET with a body), so does this.
"""

import asyncio
import sys
import types
from typing import Any, NamedTuple, Tuple


class JsError(Exception):
    """What `pyodide.ffi.JsException` is: an error of JavaScript, with its name in its text."""

    def __init__(self, name, message, cause=None):
        super().__init__(f"{name}: {message}")
        self.cause = cause


class HOLD:
    """In an answer: nothing more comes, and the connection stays open."""


class Answer(NamedTuple):
    pieces: Tuple[Any, ...] = ()
    status: int = 200
    statusText: str = "OK"
    headers: Tuple[Tuple[str, str], ...] = (("content-type", "text/event-stream"),)
    type: str = "cors"
    bodiless: bool = False


class Signal:
    def __init__(self):
        self.aborted = False
        self._rung = asyncio.Event()

    def ring(self):
        self.aborted = True
        self._rung.set()

    async def hold(self):
        await self._rung.wait()
        raise JsError("AbortError", "signal is aborted without reason")


class BoundFunction:
    def __init__(self, function):
        self.function = function


class Method:
    """A method taken off its object: it can be called on it, but forgets it when handed on, unless bound."""

    def __init__(self, function):
        self.function = function

    def __call__(self):
        self.function()

    def bind(self, this):
        assert this is self.function.__self__.owner
        return BoundFunction(self.function)


class AbortController:
    def __init__(self):
        self.signal = Signal()
        self.signal.owner = self
        self.abort = Method(self.signal.ring)

    @classmethod
    def new(cls):
        return cls()


class Reader:
    def __init__(self, pieces, signal):
        self.pieces = list(pieces)
        self.signal = signal

    async def read(self):
        if self.signal.aborted or (self.pieces and self.pieces[0] is HOLD):
            await self.signal.hold()
        if not self.pieces:
            return types.SimpleNamespace(done=True)
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return types.SimpleNamespace(done=False, value=types.SimpleNamespace(to_bytes=lambda: piece))


class Browser(types.ModuleType):
    """The module `js`. `script` holds an Answer, an error or HOLD for each request."""

    def __init__(self, script):
        super().__init__("js")
        self.script = list(script)
        self.asked = []
        self.alarms = []
        self.readers = []
        self.AbortController = AbortController
        self.Object = types.SimpleNamespace(fromEntries=dict)

    def setTimeout(self, function, delay_ms):
        assert isinstance(function, BoundFunction), "TypeError: Illegal invocation"
        assert delay_ms < 2**31, "goes off at once"
        self.alarms.append(asyncio.get_running_loop().call_later(delay_ms / 1000, function.function))
        return len(self.alarms) - 1

    def clearTimeout(self, alarm):
        self.alarms[alarm].cancel()

    async def fetch(self, url, options):
        self.asked.append((url, options))
        if options["method"] == "GET" and "body" in options:
            raise JsError("TypeError", "Request with GET/HEAD method cannot have body.")
        planned = self.script.pop(0)
        if planned is HOLD:
            await options["signal"].hold()
        if isinstance(planned, Exception):
            raise planned
        self.readers.append(Reader(planned.pieces, options["signal"]))
        body = None if planned.bodiless else types.SimpleNamespace(getReader=lambda: self.readers[-1])
        return types.SimpleNamespace(**{**planned._asdict(), "body": body})


def browsing(monkeypatch):
    """For a fixture: yields `browse(answer, ...)`, which puts this Python into a browser that gives these answers."""
    loops = []

    def browse(*script, platform="emscripten", can_run_sync=lambda: True):
        loops.append(asyncio.new_event_loop())
        ffi = types.ModuleType("pyodide.ffi")
        ffi.JsException = JsError
        ffi.to_js = lambda value, dict_converter: dict_converter(value.items())
        ffi.run_sync = loops[-1].run_until_complete
        if can_run_sync is not None:
            ffi.can_run_sync = can_run_sync
        pyodide = types.ModuleType("pyodide")
        pyodide.ffi = ffi
        browser = Browser(script)
        monkeypatch.setattr(sys, "platform", platform)
        for name, fake in (("js", browser), ("pyodide", pyodide), ("pyodide.ffi", ffi)):
            monkeypatch.setitem(sys.modules, name, fake)
        return browser

    yield browse
    for loop in loops:
        loop.close()
