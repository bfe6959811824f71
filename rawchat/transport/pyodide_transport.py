"""The doors for Python in a browser (Pyodide), where there is no socket: `fetch`, awaited or waited for.

    await js.fetch(url, {method, headers, body, signal, redirect: "manual", credentials: "omit"})
    response.status, response.headers             the head, before any byte of the body
    await response.body.getReader().read()        {done: false, value: Uint8Array}: a piece as it came, gzip undone
    controller.abort()                            a timeout, a cancelled task, a stream that was left

Chosen where `sys.platform` is "emscripten", or by `transport="pyodide"`. AsyncClient needs `fetch`, which Node has,
too. Client needs a browser that can suspend a running Python (JavaScript Promise Integration), and a page that starts
it with `runPythonAsync`; elsewhere its first call says so.

What a browser keeps to itself, no door can offer: the name lookup, connecting and TLS are not told apart from the wait
for an answer (all of it has the read timeout; the connect timeout is not looked at), nor is why a request failed, the
version of HTTP, or where a redirect leads. Of the headers of an answer it shows those that the server exposes to the
page (Access-Control-Expose-Headers), so Retry-After may be missing. Headers that only a browser may set are left out.
Connections, proxies and certificates are the browser's; it may send a request again of its own accord when a connection
that it had kept turns out to be broken, and what had come shortly before a break may be lost with it (both seen in
Chromium 150).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Awaitable, Coroutine, Optional

from ..protocol.errors import APIConnectionError, PayloadError
from ..protocol.wire import Headers, Request, ResponseHead
from .async_base import AsyncResponse, AsyncTransport
from .base import Response, Transport
from .failures import (
    Trip,
    cause_to_show,
    check_headers,
    check_timeouts,
    connection_error,
    detail_of,
    explain,
    peer_of,
)

if TYPE_CHECKING:
    import threading

# Fetch standard, "forbidden request-header", and User-Agent, which browsers drop or refuse as they see fit.
_BROWSERS_OWN = frozenset(
    """
    accept-charset accept-encoding access-control-request-headers access-control-request-method
    access-control-request-private-network connection content-length cookie cookie2 date dnt expect host keep-alive
    origin referer set-cookie te trailer transfer-encoding upgrade user-agent via
    """.split()
)
_NO_ANSWER = (
    "no answer from {peer}: {detail}. A browser tells a page no more, its console does; likely the server does not "
    "allow this page, or a header of the request (CORS), or the page is https: and the server is not, or no server "
    "is there"
)
_BROWSERS_PREFIXES = ("proxy-", "sec-")
_LONGEST_ALARM_MS = 2**31 - 1  # setTimeout takes 32 bits; what is longer would go off at once
_LOOK_S = 0.1  # how often a sleeping Client looks whether it was woken


class AsyncPyodideTransport(AsyncTransport):
    """A door over `fetch`, for AsyncClient. Raises ImportError where Python does not run in JavaScript."""

    name = "pyodide"

    def __init__(self) -> None:
        try:
            import js  # type: ignore[import-not-found]
            from pyodide import ffi  # type: ignore[import-not-found]
        except ImportError as error:
            raise ImportError(f'transport="pyodide" is for Python in a browser or in Node: {error}') from error

        self._js = js
        self._ffi = ffi

    async def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> AsyncResponse:
        """Send `request` once. The wait for the head is bounded by `read_timeout_s`, connecting included."""
        headers = check_headers(request.headers)
        check_timeouts(connect_timeout_s, read_timeout_s)
        trip = Trip(request.url, connect_timeout_s, read_timeout_s)
        fetching = _Fetching(self._js, self._ffi.JsException)
        options = {
            "method": request.method,
            "headers": {name: value for name, value in headers.items() if _may_be_set(name)},
            "signal": fetching.signal,
            "redirect": "manual",
            "credentials": "omit",
        }
        if request.method == "GET":
            # A list of models from the browser's cache would be passed off as the server's. Not for POST, which is not
            # cached: Chromium takes the word for the preflight, too, and asks before every single request.
            options["cache"] = "no-store"
        if request.body:  # a GET with a body, were it empty, is refused
            options["body"] = request.body
        given = self._ffi.to_js(options, dict_converter=self._js.Object.fromEntries)
        try:
            answer = await fetching.wait(self._js.fetch(request.url, given), read_timeout_s)
        except FetchError as error:
            text = _NO_ANSWER.format(peer=peer_of(trip.url), detail=detail_of(error))
            raise connection_error(text, "head") from cause_to_show(error)
        except asyncio.TimeoutError as error:
            raise explain(error, trip, phase="head") from error
        return AsyncPyodideResponse(answer, fetching, trip)


class FetchError(OSError):
    """A promise of `fetch` was rejected. The text is JavaScript's."""


class _Fetching:
    """One request under way, and the signal that ends it, with its answer."""

    def __init__(self, js: Any, rejected: Any) -> None:
        self._js = js
        self._rejected = rejected
        self._controller = js.AbortController.new()
        self.signal = self._controller.signal
        # A function of JavaScript's own: one of ours would have to be kept, and freed, for each alarm.
        self._abort = self._controller.abort.bind(self._controller)
        self.stopped = ""

    def stop(self, how: str) -> None:
        """End the transfer; who waits for it wakes up."""
        if not self.stopped:
            self.stopped = how
            self._controller.abort()

    async def wait(self, promise: Awaitable[Any], limit_s: Optional[float]) -> Any:
        """What the promise brings. Raises FetchError, or TimeoutError once `limit_s` has passed."""
        alarm = None
        if limit_s is not None:
            # Ours, not the event loop's: its timers can be cancelled, but stay until their time has come.
            alarm = self._js.setTimeout(self._abort, min(limit_s * 1000, _LONGEST_ALARM_MS))
        try:
            return await promise
        except self._rejected as error:
            failure = self._failure(error)
        except BaseException:  # cancelled
            self.stop("cancelled")
            raise
        finally:
            if alarm is not None:
                self._js.clearTimeout(alarm)
        raise failure  # not inside `except`: JavaScript's error is no part of the chain, its words are in ours

    def _failure(self, error: Any) -> Exception:
        if self.signal.aborted and not self.stopped:
            return asyncio.TimeoutError("aborted when the time was over")
        if self.stopped:
            return FetchError(self.stopped)
        cause = getattr(error, "cause", None)  # Node says more than browsers do
        why = str(getattr(cause, "message", "") or getattr(cause, "code", ""))
        return FetchError(f"{error} ({why})" if why else str(error))


class AsyncPyodideResponse(AsyncResponse):
    """One answer of `fetch`."""

    def __init__(self, answer: Any, fetching: _Fetching, trip: Trip) -> None:
        pairs = tuple((str(name), str(value)) for name, value in answer.headers)
        # A redirect that is hidden from the page has status 0 and nothing else; its type is all that can be said.
        reason = answer.statusText if answer.status else answer.type
        self.head = ResponseHead(int(answer.status), str(reason), Headers(pairs), http_version="")
        self._reader = answer.body.getReader() if answer.body else None  # None: the body is over
        self._fetching = fetching
        self._trip = trip
        self._received_bytes = 0

    async def read_some(self) -> bytes:
        while self._reader is not None and not self._fetching.stopped:
            try:
                result = await self._fetching.wait(self._reader.read(), self._trip.read_timeout_s)
            except (FetchError, asyncio.TimeoutError) as error:
                raise self._broken(error) from cause_to_show(error)
            if result.done:
                self._reader = None
                return b""
            data: bytes = result.value.to_bytes()
            if data:  # an empty piece would say "end of the body"
                self._received_bytes += len(data)
                return data
        if self._reader is None:
            return b""
        gone = ConnectionAbortedError(f"the response is {self._fetching.stopped}")
        raise self._broken(gone) from gone

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self._trip = self._trip._replace(read_timeout_s=seconds)

    async def drain(self, limit_s: float) -> bool:
        ends_s = time.monotonic() + limit_s
        try:
            while self._reader is not None:
                self.set_read_timeout(max(ends_s - time.monotonic(), 0.0))
                await self.read_some()
        except APIConnectionError:
            return False  # nothing of the answer depends on this rest; `_broken` has let go
        return True

    def cancel(self) -> None:
        self._stop("cancelled")

    def close(self) -> None:
        self._stop("closed")

    def _stop(self, how: str) -> None:
        if self._reader is not None:
            self._fetching.stop(how)

    def _broken(self, error: Exception) -> Exception:
        self.close()
        if self._fetching.stopped == "cancelled":
            return connection_error(f"the answer of {peer_of(self._trip.url)} was cancelled", "body")
        return explain(error, self._trip, phase="body", received_bytes=self._received_bytes)


def _may_be_set(name: str) -> bool:
    lower = name.lower()
    return lower not in _BROWSERS_OWN and not lower.startswith(_BROWSERS_PREFIXES)


# The sync door: the same, with Python suspended while it waits ------------------------------------------------------


class PyodideTransport(Transport):
    """A door over `fetch`, for Client: while it waits, the page and its other tasks go on."""

    name = "pyodide"

    def __init__(self) -> None:
        self._door = AsyncPyodideTransport()

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """As AsyncPyodideTransport.send. Raises PayloadError where Python cannot be suspended."""
        sending = self._door.send(request, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)
        return PyodideResponse(_run(sending))

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        _run(_sleep(seconds, wake))


class PyodideResponse(Response):
    """One answer of `fetch`, waited for."""

    def __init__(self, inner: AsyncResponse) -> None:
        self.head = inner.head
        self._inner = inner

    def read_some(self) -> bytes:
        data: bytes = _run(self._inner.read_some())
        return data

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self._inner.set_read_timeout(seconds)

    def drain(self, limit_s: float) -> bool:
        return bool(_run(self._inner.drain(limit_s)))

    def cancel(self) -> None:
        self._inner.cancel()

    def close(self) -> None:
        self._inner.close()


def _run(task: Coroutine[Any, Any, Any]) -> Any:
    """Suspend this Python until the task is done. Whether that can be done depends on who called Python just now."""
    from pyodide import ffi

    can_run_sync = getattr(ffi, "can_run_sync", None)  # None: a Pyodide from before it could
    if can_run_sync is None or not can_run_sync():
        task.close()
        raise PayloadError(
            "Client cannot wait here: this browser cannot suspend Python (JavaScript Promise Integration), or Python "
            "was started by runPython or a callback instead of runPythonAsync; use AsyncClient, which needs neither",
            path="transport",
        )
    return ffi.run_sync(task)


async def _sleep(seconds: float, wake: Optional[threading.Event]) -> None:
    """An Event of threading cannot be awaited, but looked at."""
    ends_s = time.monotonic() + seconds
    while not (wake is not None and wake.is_set()):
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            return
        await asyncio.sleep(left_s if wake is None else min(left_s, _LOOK_S))
