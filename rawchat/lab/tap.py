"""The tap: shows and records what any program says to an OpenAI-compatible server, and changes nothing on the way.

    rawchat tap --record calls.jsonl -- python my_program.py     the program runs with OPENAI_BASE_URL set to the tap
    rawchat tap --port 8090 --to http://localhost:8000/v1        just listen; the line to paste is printed
    rawchat tap --fault 429x1 -- node app.js                     the first attempt of each request gets a 429
    rawchat tap --dry-run -- python my_program.py                nothing is sent; a canned answer, and the request shown

    with Tap("https://api.openai.com/v1", sinks=[writer]) as tap:        the same from a program
        OpenAI(base_url=tap.url)

Listens on 127.0.0.1 alone. Certificates are verified; proxies and CA files come from the environment. This file starts
and stops things: relay.py moves the bytes, tap_screen.py shows them, recording.py keeps the keys out of both.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional

from ..protocol.errors import PayloadError
from ..protocol.redact import is_word
from .attempts import Attempts
from .cassette import CassetteWriter
from .faults import FaultNameError
from .hiding import Hider
from .passage import Wiring
from .recording import Recording, Sink
from .relay import Relay
from .tap_faults import FaultBook
from .tap_page import PATH, TapPage
from .tap_screen import Screen
from .tap_target import DEFAULT_UPSTREAM, Base, read_base
from .upstream import Upstream

HOST = "127.0.0.1"
# How long the connections of a command that has ended may take to end as well.
GRACE_S = 1.0


class Tap:
    """A tap on threads of its own; a context manager, or `start()` and `stop()`.

    to         the upstream's base URL
    port       0 takes any free one
    sinks      callables of one record each: a CassetteWriter, a Screen
    fault      played on the exchanges; `fault_at`: only from the exchange with this number on
    dry_run    nothing is sent, every request gets a canned answer
    live       serve the live page: `page_url`
    say        is told what is no exchange: a request that cannot be read
    Raises PayloadError for an address that cannot be used, FaultNameError for a fault that there is not.
    """

    def __init__(
        self,
        to: str = DEFAULT_UPSTREAM,
        *,
        port: int = 0,
        sinks: Iterable[Sink] = (),
        fault: str = "",
        fault_at: Optional[int] = None,
        dry_run: bool = False,
        hider: Optional[Hider] = None,
        first_number: int = 1,
        live: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.base: Base = read_base(to)
        self._page = TapPage() if live else None
        sinks = [*sinks, self._page.feed] if self._page is not None else sinks
        self.recording = Recording(sinks, source="tap", hider=hider, first_number=first_number)
        self._faults = FaultBook(fault, fault_at)
        self._dry_run = dry_run
        self._say = say
        self._wanted_port = port
        self._stopping = threading.Event()
        self._listener: Optional[socket.socket] = None
        self._accepting: Optional[threading.Thread] = None
        self._open: Dict[Relay, threading.Thread] = {}
        self._lock = threading.Lock()

    def start(self) -> Tap:
        """Listen. Raises OSError where the port is taken, PayloadError where the upstream is the tap itself."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # elsewhere the option would let two programs share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self._wanted_port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            raise OSError(
                error.errno,
                f"cannot listen on {HOST}:{self._wanted_port} ({error.strerror}); another --port, or none, is free",
            ) from error
        self._listener = listener
        if self.base.origin.host in (HOST, "localhost") and self.base.origin.port == self.port:
            self._listener = None
            listener.close()
            raise PayloadError(f"{self.base.url} is the tap itself; name the real server with --to", path="--to")
        wiring = Wiring(
            Upstream(self.base),
            self.recording,
            Attempts(),
            self._faults,
            self._stopping,
            self.root,
            self._dry_run,
            self._say,
            self._page,
        )
        self._accepting = threading.Thread(target=self._accept, args=(listener, wiring), name="tap", daemon=True)
        self._accepting.start()
        return self

    def stop(self, *, grace_s: float = 0.0) -> None:
        """End every connection and thread, after `grace_s` for those that end by themselves. Safe to call twice."""
        if self._listener is None or self._accepting is None:
            return
        self._wait_for_relays(grace_s)
        self._stopping.set()
        if self._page is not None:
            self._page.feed.close()
        # Closing a listening socket does not wake its thread everywhere; a connection does.
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port)):
            self._accepting.join()
        self._listener.close()
        self._listener = self._accepting = None
        with self._lock:
            open_now = dict(self._open)
        for relay, thread in open_now.items():
            relay.stop()
            thread.join(5)

    def _wait_for_relays(self, limit_s: float) -> None:
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            with self._lock:
                if not self._open:
                    return
            time.sleep(0.005)

    def __enter__(self) -> Tap:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        if self._listener is None:
            raise RuntimeError("The tap is not running: use it in a `with` block, or call start().")
        return int(self._listener.getsockname()[1])

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"{self.root}/v1"

    @property
    def page_url(self) -> str:
        """The live page, for a browser."""
        return self.root + PATH

    def _accept(self, listener: socket.socket, wiring: Wiring) -> None:
        while True:
            connection, _ = listener.accept()
            if self._stopping.is_set():
                connection.close()
                return
            relay = Relay(wiring, connection)
            thread = threading.Thread(target=self._serve, args=(relay,), name="tap-relay", daemon=True)
            with self._lock:
                self._open[relay] = thread
            thread.start()

    def _serve(self, relay: Relay) -> None:
        try:
            relay.run()
        finally:
            with self._lock:
                self._open.pop(relay, None)


# The command ----------------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "rawchat tap [options] [-- COMMAND ...]"
    parser.add_argument(
        "--to", metavar="URL", help=f"the real server (default: OPENAI_BASE_URL, or {DEFAULT_UPSTREAM})"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="listen there (default: any free port)")
    parser.add_argument("--record", metavar="FILE", help="write a cassette, each line as it happens; keys are left out")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="break answers: 429x1, cut@3, stall ... (practice --list-faults)",
    )
    parser.add_argument("--fault-at", type=int, metavar="N", help="break exchange #N alone (NAMExK: K from there on)")
    parser.add_argument("--dry-run", action="store_true", help="send nothing: show each request, answer it canned")
    parser.add_argument("--events", action="store_true", help="show each event as it comes, with its gap")
    parser.add_argument("--raw", action="store_true", help="show the bytes as they come, both ways")
    parser.add_argument("--ui", action="store_true", help="serve a page that shows it all live, on the tap's own port")
    parser.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="COMMAND", help="run this with its base URL tapped"
    )


def run(options: argparse.Namespace) -> int:
    """Tap until the command ends, or until Ctrl-C. The command's exit status, or 0."""
    program: List[str] = options.program[1:] if options.program[:1] == ["--"] else options.program
    screen = Screen(
        sys.stderr, show_events=options.events, show_raw=options.raw, show_requests=options.dry_run and not options.raw
    )
    with recorder(options.record, screen.say) as (sinks, first_number):
        tap = _tap_for(options, [*sinks, screen], first_number, screen)
        with tap:
            if options.ui:
                screen.say(f"Live page: {tap.page_url}")
            try:
                code = _run_program(program, tap, screen) if program else _listen(tap, screen)
            finally:
                tap.stop(grace_s=GRACE_S if program else 0.0)
    if options.record:
        screen.say(f"{screen.calls} {'exchange' if screen.calls == 1 else 'exchanges'} in {options.record}")
    return code


def _tap_for(options: argparse.Namespace, sinks: Iterable[Sink], first_number: int, screen: Screen) -> Tap:
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    try:
        return Tap(
            options.to or os.environ.get("OPENAI_BASE_URL", "").strip() or DEFAULT_UPSTREAM,
            port=options.port,
            sinks=sinks,
            fault="+".join(options.fault),
            fault_at=options.fault_at,
            dry_run=options.dry_run,
            hider=Hider([key] if key and not is_word(key) else []),
            first_number=first_number,
            live=options.ui,
            say=screen.say,
        )
    except FaultNameError as error:
        raise PayloadError(str(error), path="--fault") from error


@contextlib.contextmanager
def recorder(path: Optional[str], say: Callable[[str], None]) -> Iterator[Any]:
    """([sink], number of the first exchange) for a cassette, ([], 1) without one.

    A full disk ends the recording, with a word to `say`, and not the traffic. Raises OSError, CassetteError.
    """
    if path is None:
        yield [], 1
        return
    with CassetteWriter(path) as writer:
        broken: List[OSError] = []

        def write(record: Mapping[str, Any]) -> None:
            if broken:
                return
            try:
                writer(record)
            except OSError as error:
                broken.append(error)
                say(f"{path} cannot be written any more, and the rest is not recorded: {error}")

        yield [write], writer.next_number


def _listen(tap: Tap, screen: Screen) -> int:
    setting = f'$env:OPENAI_BASE_URL = "{tap.url}"' if os.name == "nt" else f"export OPENAI_BASE_URL={tap.url}"
    screen.say(f"Tapping {tap.base.url}. Paste this where the program runs; Ctrl-C ends the tap.")
    screen.say(f"  {setting}")
    ended = threading.Event()
    with on_terminate(ended.set), contextlib.suppress(KeyboardInterrupt):
        while not ended.wait(0.5):  # not for ever at once: on Windows Ctrl-C does not end an endless wait
            pass
    return 0


def _run_program(program: List[str], tap: Tap, screen: Screen) -> int:
    """The exit status of the command, as a shell has it."""
    try:
        child = subprocess.Popen(program, env=child_environment(os.environ, tap))
    except OSError as error:
        screen.say(f"cannot run {program[0]}: {error.strerror}")
        return 127 if isinstance(error, FileNotFoundError) else 126
    with on_terminate(child.terminate):
        while True:
            try:
                code = child.wait()
                break
            except KeyboardInterrupt:  # the terminal sends it to the command as well, which decides what it means
                continue
    return code if code >= 0 else 128 - code


def child_environment(environ: Mapping[str, str], tap: Tap) -> Dict[str, str]:
    """The command's surroundings: both names of the base URL, and no proxy between it and the tap."""
    changed = {**environ, "OPENAI_BASE_URL": tap.url, "OPENAI_API_BASE": tap.url}
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    missing = [name for name in (HOST, "localhost") if name not in (entry.strip() for entry in exempt.split(","))]
    if exempt.strip() != "*":
        changed["NO_PROXY"] = changed["no_proxy"] = ",".join([*filter(None, [exempt]), *missing])
    endpoint = environ.get("AZURE_OPENAI_ENDPOINT", "").rstrip("/")
    if endpoint and endpoint == tap.base.root:
        changed["AZURE_OPENAI_ENDPOINT"] = tap.root
    return changed


@contextlib.contextmanager
def on_terminate(act: Callable[[], Any]) -> Iterator[None]:
    """SIGTERM does `act` instead of ending this process, which has a recording to finish."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
