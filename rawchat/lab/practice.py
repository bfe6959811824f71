"""The practice server: an OpenAI-compatible server on this machine that needs no key, and misbehaves on request.

    with PracticeServer() as server:
        client = Client(base_url=server.url)                    http://127.0.0.1:PORT/v1
        client.chat("hello")                                    a lesson about the protocol, shaped as the real answer
        client.chat("hello", model="fault/429x2")               two 429s, then the answer
        server.requests, server.verdict()                       what came, and what it says about the client

A fault is named in the model ("fault/cut@3", or "fault/cut@3/gpt-4o" to name the model as well), in the base URL
(http://127.0.0.1:PORT/fault/cut@3/v1), or for the whole server. Clean, it is a plain HTTP/1.1 server: keep-alive,
chunked streams with one write an event, the real API's headers and error objects.

Listens on 127.0.0.1 and nowhere else. Knows no TLS, no HTTP/2. Pages of this machine may ask it, others not. What it
says stands in answers.py and lessons.py, what it refuses in validation.py, what it breaks in faults.py, and serving.py
answers one request; this file keeps the connections.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from typing import Dict, List, Optional, TextIO, Tuple

from ..protocol.wire import Headers
from .faults import Counter, FaultNameError, Part, list_faults, parse_fault
from .framing import IncomingRequest, RequestReader, RequestRefused
from .rates import RateBook
from .sending import close_gently
from .serving import Serving
from .terminal import is_terminal, terminal_columns
from .verdict import Finding, Record, exit_code, judge, render

HOST = "127.0.0.1"
PACE_MS = 15.0  # between two events: quick, and still to be seen


class PracticeServer:
    """A practice server on a thread of its own; a context manager, or `start()` and `stop()`.

    port     0 takes any free one
    key      if given, requests need it (`Authorization: Bearer` or `api-key`) or get a 401; None: any key, or none
    pace_ms  pause before each event of a stream; the first comes after `first_ms` (four times the pace)
    fault    a fault for every request, on top of those that requests name; FaultNameError if there is none such
    quiet    False prints a line for each request, and the verdict at the end, to `out` (standard output)
    """

    def __init__(
        self,
        port: int = 0,
        *,
        key: Optional[str] = None,
        pace_ms: float = PACE_MS,
        first_ms: Optional[float] = None,
        fault: Optional[str] = None,
        quiet: bool = True,
        out: Optional[TextIO] = None,
    ) -> None:
        parse_fault(fault or "")
        self.key = key
        self.pace_ms = pace_ms
        self.first_ms = 4 * pace_ms if first_ms is None else first_ms
        self.fault = fault or ""
        self.rates = RateBook()
        self.stopping = threading.Event()
        self._wanted_port = port
        self._quiet = quiet
        self._out = out
        self._counter = Counter()
        self._records: List[Record] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._listener: Optional[socket.socket] = None
        self._accepting: Optional[threading.Thread] = None
        self._open: Dict[socket.socket, threading.Thread] = {}

    # Start and stop

    def start(self) -> PracticeServer:
        """Listen and answer. Raises OSError where the port is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # elsewhere the option would let two servers share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self._wanted_port))
            listener.listen(128)
        except OSError:
            listener.close()
            raise
        self.stopping.clear()
        self._listener = listener
        self._accepting = threading.Thread(target=self._accept, args=(listener,), name="practice", daemon=True)
        self._accepting.start()
        return self

    def stop(self) -> None:
        """End every connection and thread. Safe to call twice. Prints the verdict unless quiet."""
        if self._listener is None or self._accepting is None:
            return
        self.stopping.set()
        # Closing a listening socket does not wake its thread everywhere; a connection does.
        with socket.create_connection((HOST, self.port)):
            self._accepting.join()
        self._listener.close()
        self._listener = self._accepting = None
        with self._lock:
            open_now = dict(self._open)
        for connection, thread in open_now.items():
            _shut(connection)
            thread.join(5)
        self.say(render(self.verdict()))

    def __enter__(self) -> PracticeServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What users ask

    @property
    def port(self) -> int:
        if self._listener is None:
            raise RuntimeError("The practice server is not running: use it in a `with` block, or call start().")
        return int(self._listener.getsockname()[1])

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"{self.root}/v1"

    @property
    def requests(self) -> List[Record]:
        """What came so far, in order of arrival.

        A client may have its answer a moment before the record of it is finished: such a record is waited for, shortly.
        """
        with self._changed:
            self._changed.wait_for(lambda: all(record.over or record.ending for record in self._records), 0.25)
            return list(self._records)

    def verdict(self) -> List[Finding]:
        """The client judged by what it has done so far."""
        return judge(self.requests, now_s=time.monotonic())

    def say(self, line: str) -> None:
        if not self._quiet:
            print(line, file=self._out or sys.stdout, flush=True)

    def note(self, record: Record, *, over: bool) -> None:
        """The answer to this request is over, or nothing more will come of it: whoever waits for that may look."""
        with self._changed:
            record.over = over
            self._changed.notify_all()

    def attempt(self, fault: str, fingerprint: str, parts: Tuple[Part, ...]) -> int:
        with self._lock:
            return self._counter.attempt(fault, fingerprint, parts)

    # Connections

    def _accept(self, listener: socket.socket) -> None:
        number = 0
        while True:
            connection, _ = listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            number += 1
            thread = threading.Thread(
                target=self._serve, args=(connection, number), name=f"practice-{number}", daemon=True
            )
            with self._lock:
                self._open[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        """Requests of one connection, until one of the two sides has enough."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = RequestReader(connection.recv, connection.sendall)
            reused = False
            while not self.stopping.is_set() and self._serve_one(connection, number, reader, reused):
                reused = True
            close_gently(connection)
        except OSError:
            pass  # the client is gone between two requests, as clients are: there is nobody left to tell
        finally:
            connection.close()
            with self._lock:
                self._open.pop(connection, None)

    def _serve_one(self, connection: socket.socket, number: int, reader: RequestReader, reused: bool) -> bool:
        """One request and its answer. False: the connection ends here."""
        try:
            request = reader.read()
        except RequestRefused as refused:
            unread = IncomingRequest("?", "?", "1.1", Headers(), b"")
            return Serving(self, connection, unread, self._record(number, reused, unread)).refuse(refused)
        if request is None:
            return False
        return Serving(self, connection, request, self._record(number, reused, request)).run()

    def _record(self, connection: int, reused: bool, request: IncomingRequest) -> Record:
        with self._lock:
            record = Record(
                number=len(self._records) + 1,
                connection=connection,
                over=False,
                reused=reused,
                at_s=time.monotonic(),
                method=request.method,
                target=request.target,
                headers=request.headers,
                body=request.body,
            )
            self._records.append(record)
        return record


def _shut(connection: socket.socket) -> None:
    """Wake whoever reads from or writes to this connection."""
    with contextlib.suppress(OSError):  # closed already, by either side: as wanted
        connection.shutdown(socket.SHUT_RDWR)


# The command line ----------------------------------------------------------------------------------------------------


def _setting(name: str, value: str) -> str:
    return f'$env:{name} = "{value}"' if os.name == "nt" else f"export {name}={value}"


def greeting(server: PracticeServer) -> str:
    """What the server says when it starts: the lines to paste, and how to ask for a fault."""
    return "\n".join(
        (
            f"Practice server on {server.root} (this machine only). Ctrl-C ends it and prints the verdict.",
            "",
            f"  {_setting('OPENAI_BASE_URL', server.url)}",
            f"  {_setting('OPENAI_API_KEY', server.key or 'practice')}",
            "",
            f"Faults: the model fault/429x2, or the base URL {server.root}/fault/429x2/v1; all of them: --list-faults",
            *((f"Every request meets the fault {server.fault}.",) if server.fault else ()),
            "",
        )
    )


def serve(
    *,
    port: int = 0,
    fault: Optional[str] = None,
    pace_ms: float = PACE_MS,
    key: Optional[str] = None,
    show_faults: bool = False,
    out: Optional[TextIO] = None,
    until: Optional[threading.Event] = None,
) -> int:
    """The command `practice`: run until Ctrl-C (or until `until` is set), print the verdict, return the exit code.

    0: nothing against the client; 1: the client failed; 64: no such fault; 69: the port is taken.
    """
    to = out or sys.stdout
    if show_faults:
        print(list_faults(terminal_columns(to) if is_terminal(to) else 118), file=to)
        return 0
    try:
        server = PracticeServer(port, key=key, pace_ms=pace_ms, fault=fault, quiet=False, out=to).start()
    except FaultNameError as error:
        print(error, file=to)
        return 64  # EX_USAGE
    except OSError as error:
        print(f"Cannot listen on {HOST}:{port}: {error}. Another --port, or none, takes a free one.", file=to)
        return 69  # EX_UNAVAILABLE
    ended = until or threading.Event()
    try:
        server.say(greeting(server))
        while not ended.wait(0.5):  # not for ever at once: on Windows Ctrl-C does not end an endless wait
            pass
    except KeyboardInterrupt:
        server.say("")
    finally:
        server.stop()
    return exit_code(server.verdict())


__all__ = ["HOST", "PACE_MS", "PracticeServer", "greeting", "serve"]
