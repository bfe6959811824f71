"""`rawchat replay calls.jsonl`: a server on this machine that answers any SDK from a cassette, as it was recorded.

    Replaying calls.jsonl, 3 exchanges. Paste this where the program runs; Ctrl-C ends the replay.
      export OPENAI_BASE_URL=http://127.0.0.1:51234/v1
    plays #1 POST /chat/completions 429 rate limit 120ms, again after 1.0s
    plays #2 = #1 again, attempt 2: 200 stream ttft 120ms 7 events 260ms stop 12→3 tok
    404 no recording in calls.jsonl fits POST /v1/chat/completions
        nearest: #1 POST /v1/chat/completions; recorded -> asked:
          temperature: absent -> 0.5

Bytes go out as they came, framing included, each at its time after the request; a reset is a reset, and a server that
fell silent is silent until the client has had enough. FILE#N plays that one exchange to whoever asks its endpoint,
whatever the body. Which exchange answers is matching.py's part, what goes out replay_plan.py's. Listens on 127.0.0.1
alone; knows no TLS.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import socket
import struct
import sys
import threading
import time
from typing import Callable, Dict, Iterable, List, Optional, Union

from ..protocol.feature_errors import CassetteMiss
from ..protocol.wire import Request
from .exchange import Exchange
from .framing import IncomingRequest, RequestReader, RequestRefused, head_bytes as answer_head
from .matching import AFTER_LAST, Shelf
from .pace import Pace, pace_of
from .replay_plan import KEEP, RESET, SILENCE, Plan, plan_for
from .replay_transport import Source, load
from .summary import call_line
from .terminal import printable, write_line

HOST = "127.0.0.1"


class ReplayServer:
    """A replay on threads of its own; a context manager, or `start()` and `stop()`.

    source      the path of a cassette, "calls.jsonl#3", or a Cassette
    port        0 takes any free one
    speed       "original", "instant", or how many times faster than it was
    cut_after   the connection is closed after that many pieces of each answer's body
    ignore, headers, after_last, by_path   as in matching.Shelf
    say         is told a line for each request
    """

    def __init__(
        self,
        source: Source,
        *,
        port: int = 0,
        speed: Union[str, float] = "original",
        cut_after: Optional[int] = None,
        ignore: Iterable[str] = (),
        headers: Iterable[str] = (),
        after_last: str = "again",
        by_path: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        exchanges, self.name = load(source)
        self.shelf = Shelf(
            exchanges, ignore=ignore, headers=headers, after_last=after_last, by_path=by_path, name=self.name
        )
        self.pace = pace_of(speed)
        self.cut_after = cut_after
        self.say = say
        self.stopping = threading.Event()
        self.played: List[int] = []  # numbers of the exchanges, in the order in which they were asked for
        self.misses = 0
        self._wanted_port = port
        self._listener: Optional[socket.socket] = None
        self._accepting: Optional[threading.Thread] = None
        self._open: Dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()

    def start(self) -> ReplayServer:
        """Listen and answer. Raises OSError where the port is taken."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # elsewhere the option would let two programs share the port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self._wanted_port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            words = f"cannot listen on {HOST}:{self._wanted_port} ({error.strerror}); another --port, or none, is free"
            raise OSError(error.errno, words) from error
        self._listener = listener
        self._accepting = threading.Thread(target=self._accept, args=(listener,), name="replay", daemon=True)
        self._accepting.start()
        return self

    def stop(self) -> None:
        """End every connection and thread. Safe to call twice."""
        if self._listener is None or self._accepting is None:
            return
        self.stopping.set()
        # Closing a listening socket does not wake its thread everywhere; a connection does.
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port)):
            self._accepting.join()
        self._listener.close()
        self._listener = self._accepting = None
        with self._lock:
            open_now = dict(self._open)
        for connection, thread in open_now.items():
            with contextlib.suppress(OSError):  # closed already, by either side: as wanted
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    def __enter__(self) -> ReplayServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        if self._listener is None:
            raise RuntimeError("The replay is not running: use it in a `with` block, or call start().")
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The base URL for clients. (Without its /v1 it works as well.)"""
        return f"http://{HOST}:{self.port}/v1"

    def find(self, request: IncomingRequest) -> Exchange:
        """The exchange that is due. Raises CassetteMiss."""
        asked = Request(request.method, f"http://{HOST}{request.target}", request.headers.pairs, request.body)
        try:
            exchange = self.shelf.take(asked)
        except CassetteMiss:
            with self._lock:
                self.misses += 1
            raise
        with self._lock:
            self.played.append(exchange.number)
        return exchange

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="replay-connection", daemon=True)
            with self._lock:
                self._open[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        """The requests of one connection, until one of the two sides has enough."""
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = RequestReader(connection.recv, connection.sendall)
            while not self.stopping.is_set() and _answer_one(self, connection, reader):
                pass
            _close_gently(connection)
        except OSError:
            pass  # the client is gone, as clients are: there is nobody left to tell
        finally:
            connection.close()
            with self._lock:
                self._open.pop(connection, None)


def _answer_one(server: ReplayServer, connection: socket.socket, reader: RequestReader) -> bool:
    """One request and its answer. False: the connection ends here."""
    try:
        request = reader.read()
    except RequestRefused as refused:
        server.say(f"{refused.status} a request that cannot be read: {refused.message}")
        connection.sendall(_refusal(refused.status, refused.message, "bad_request", keep=False))
        return False
    if request is None:
        return False
    began_s = time.monotonic()
    try:
        exchange = server.find(request)
    except CassetteMiss as miss:
        server.say("404 " + str(miss).replace("\n", "\n    "))
        connection.sendall(_refusal(404, str(miss), "cassette_miss", keep=request.keeps_alive))
        return request.keeps_alive
    plan = plan_for(exchange, request, server.cut_after)
    server.say(f"plays {call_line(exchange)}{f' ({plan.remark})' if plan.remark else ''}")
    return Player(connection, began_s, server.pace, server.stopping, server.say).play(plan, exchange.number)


def _refusal(status: int, message: str, code: str, *, keep: bool) -> bytes:
    """An error in OpenAI's shape, as every SDK reads it."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    body = json.dumps({"error": error}, ensure_ascii=False).encode()
    pairs = [("content-type", "application/json"), ("content-length", str(len(body))), ("x-should-retry", "false")]
    return answer_head(status, [*pairs, ("connection", "keep-alive" if keep else "close")]) + body


class Player:
    """Carries out one plan on one connection."""

    def __init__(
        self,
        connection: socket.socket,
        began_s: float,
        pace: Pace,
        stopping: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._began_s = began_s
        self._pace = pace
        self._stopping = stopping
        self._say = say

    def play(self, plan: Plan, number: int) -> bool:
        """True: the connection can carry another request. Says so where the client does not stay to the end."""
        heads = len(plan.writes) - plan.pieces
        for place, write in enumerate(plan.writes):
            try:
                gone = not self._wait(write.at_us)
                if not gone:
                    self._connection.sendall(write.data)
            except OSError:
                gone = True
            if gone:
                if not self._stopping.is_set():
                    self._say(f"the client of #{number} left after {max(place - heads, 0)} of {plan.pieces} pieces")
                return False
        return self._end(plan)

    def _end(self, plan: Plan) -> bool:
        if plan.act == KEEP:
            return True
        if plan.act == SILENCE:
            self._wait_for_leave()
        elif self._wait(plan.act_us) and plan.act == RESET:
            reset(self._connection)
        return False

    def _wait(self, at_us: int) -> bool:
        """Wait until then, by the clock, so that delays don't add up. False: the client reset it, or we are to stop."""
        until_s = self._began_s + self._pace.due_s(at_us)
        while not self._stopping.is_set():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return True
            if not select.select([self._connection], [], [], left_s)[0]:
                continue
            try:
                self._connection.recv(1, socket.MSG_PEEK)
            except OSError:
                return False
            # Its next request is here already, or it has closed its sending side and may still be reading.
            self._stopping.wait(max(until_s - time.monotonic(), 0))
        return False

    def _wait_for_leave(self) -> None:
        with contextlib.suppress(OSError):  # a reset is a way of leaving, too
            while self._connection.recv(65536):
                pass


def reset(connection: socket.socket) -> None:
    """Close with RST in place of FIN."""
    time.sleep(0.005)  # a reset may overtake what was sent just before it
    # Linger 0: close throws the queue away and sends RST (socket(7), SO_LINGER). Windows has two shorts there.
    form = "hh" if hasattr(socket, "SIO_RCVALL") else "ii"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
    connection.close()


def _close_gently(connection: socket.socket, limit_s: float = 0.5) -> None:
    """Say that no more comes, and read what the client still sends.

    A close with unread bytes in the queue becomes a reset, and the client may lose what was sent in full
    (RFC 9112 section 9.6). Half a second is plenty on loopback.
    """
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(limit_s)
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s and connection.recv(65536):
        pass


# The command ----------------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE[#N]", help="a cassette, or one exchange of it for every request")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="listen there (default: any free port)")
    parser.add_argument(
        "--speed", default="original", metavar="SPEED", help="original, instant, or N times faster (default: original)"
    )
    parser.add_argument(
        "--cut-after", type=int, metavar="N", help="close the connection after N pieces of each answer's body"
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATH",
        help="what need not be equal: temperature, messages[0].content, query.api-version; may be repeated",
    )
    parser.add_argument(
        "--after-last",
        choices=list(AFTER_LAST),
        default="again",
        help="once all that fit were played: again from the first (the default), the last once more, or a miss",
    )


def run(options: argparse.Namespace, until: Optional[threading.Event] = None) -> int:
    """Replay until Ctrl-C (or until `until` is set). Exit status 0."""
    ended = until or threading.Event()
    lines = threading.Lock()

    def say(text: str) -> None:
        try:
            with lines:
                write_line(sys.stdout, printable(text, keep="\n"))
        except BrokenPipeError:  # nobody reads any more: the answer under way is played, and then it ends
            ended.set()

    one = not os.path.exists(options.file)  # else the # is a part of the file's own name
    server = ReplayServer(
        options.file,
        port=options.port,
        speed=options.speed,
        cut_after=options.cut_after,
        ignore=options.ignore,
        after_last=options.after_last,
        by_path=one,
        say=say,
    )
    with server:
        say(greeting(server))
        try:
            while not ended.wait(0.5):  # not for ever at once: on Windows Ctrl-C does not end an endless wait
                pass
        except KeyboardInterrupt:
            say("")  # the terminal has written ^C into the line
    say(farewell(server))
    return 0


def greeting(server: ReplayServer) -> str:
    count = len(server.shelf.exchanges)
    setting = f'$env:OPENAI_BASE_URL = "{server.url}"' if os.name == "nt" else f"export OPENAI_BASE_URL={server.url}"
    what = f"{count} exchange{'' if count == 1 else 's'}"
    if server.shelf.rules.by_path:
        what = "to every request of its endpoint"
    return f"Replaying {server.name}, {what}. Paste this where the program runs; Ctrl-C ends the replay.\n  {setting}"


def farewell(server: ReplayServer) -> str:
    """What was played, missed, and never asked for."""
    played = len(server.played)
    words = [f"{played} request{'' if played == 1 else 's'} answered"]
    if server.misses:
        words.append(f"{server.misses} without a recording")
    left = [f"#{exchange.number}" for exchange in server.shelf.unplayed]
    if left:
        words.append(f"never asked for: {', '.join(left[:12])}{' ...' if len(left) > 12 else ''}")
    return "; ".join(words)
