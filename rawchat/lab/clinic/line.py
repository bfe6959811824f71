r"""The doctor's own line to a server: name, TCP, proxy, TLS step by step, then one request at a time, byte for byte.

    Line("https://api.openai.com/v1").look()      -> Step("name", True, "104.18.7.192 and 3 more", 12.1), ...
    line.ask(request)                             -> Exchange: every read of the connection with its time

A library in the middle would undo chunk sizes, send again on another connection, and put broken answers right: all of
which the doctor is there to see. So this is a bare socket with the standard library's TLS. Keeps one connection and
uses it again where HTTP allows it; what is sent again after a kept connection turned out to be closed is noted. Nothing
else is repeated, no redirect followed, no answer judged. Proxies and CA files come from the environment, by the rules
of transport/proxies.py.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Tuple
from urllib.parse import urlsplit

from ...protocol.errors import PayloadError
from ...protocol.redact import redact_text
from ...protocol.wire import Request
from ...transport.failures import said_by
from ...transport.http1 import HTTP_FAILURES, ResponseReader, encode_request
from ...transport.proxies import credentials_of, proxy_for
from ...transport.route import Origin, read_origin, target_of, tls_context
from ..exchange import End, Exchange, Piece
from ..recording import timestamp

if TYPE_CHECKING:
    import ssl

READ_BYTES = 65536
LONGEST_BODY_BYTES = 8 << 20  # no answer to a question of the doctor's is as long
AFTER_DONE_S = 2.0  # how long a body may go on after [DONE]
_HEAD_END = b"\r\n\r\n"

CLOSED_WHEN_REUSED = "the kept connection was closed when the next request was sent on it"
BYTES_AFTER_BODY = "bytes came after the end of the body: "


class Step(NamedTuple):
    """One step of the way. `facts` are figures for checks and reports: addresses, days until the certificate ends."""

    name: str
    good: bool
    says: str
    took_ms: float = 0.0
    facts: Tuple[Tuple[str, Any], ...] = ()


class Way(NamedTuple):
    """How far it went. `reached`: a request can be sent."""

    url: str
    host: str
    is_tls: bool
    is_local: bool
    proxy: str
    steps: Tuple[Step, ...]

    @property
    def reached(self) -> bool:
        return bool(self.steps) and all(step.good for step in self.steps)

    def step(self, name: str) -> Optional[Step]:
        return next((step for step in self.steps if step.name == name), None)


class Intake:
    """Fills an Exchange from reads: cuts off the head, keeps the rest as it came, knows when the answer is whole."""

    def __init__(self, exchange: Exchange, *, reused: bool = False) -> None:
        self.exchange = exchange
        self.reader = ResponseReader(exchange.request.method, reused=reused)
        self.raw = b""  # what came before the head was whole
        self.body_bytes = 0
        self.is_over = False
        self._tail = b""

    def receive(self, at_us: int, data: bytes) -> None:
        """Take one read. Raises http1's errors; what could be read up to there is kept."""
        if self.exchange.head is not None:
            self.exchange.pieces.append(Piece(at_us, data))
        else:
            self.raw += data
        try:
            self.reader.receive(data)
        finally:  # a head and a broken chunk size may come in one read
            if self.exchange.head is None and self.reader.head is not None:
                self._take_head(at_us)
            self._note_body()

    def _take_head(self, at_us: int) -> None:
        self.exchange.head, self.exchange.head_us = self.reader.head, at_us
        rest = _behind_heads(self.raw)
        if rest:
            self.exchange.pieces.append(Piece(at_us, rest))

    def _note_body(self) -> None:
        for piece in self.reader.pieces:
            self.body_bytes += len(piece)
            self._tail = (self._tail + piece)[-64:]
        self.reader.pieces.clear()
        self.is_over = self.reader.at_end

    @property
    def is_done(self) -> bool:
        """Whether the body has said [DONE]."""
        return b"[DONE]" in self._tail


def _behind_heads(raw: bytes) -> bytes:
    """What follows the final head: interim ones (100, 103) stand before it."""
    rest = raw.lstrip(b"\r\n")
    while True:
        head, _, rest = rest.partition(_HEAD_END)
        if not head.startswith((b"HTTP/1.1 1", b"HTTP/1.0 1")) or head[9:12] == b"101":
            return rest


class Line:
    """One server. `silence_s`: how long it may say nothing; `longest_s`: how long one answer may take in all."""

    def __init__(
        self,
        base_url: str,
        *,
        connect_s: float = 10.0,
        silence_s: float = 30.0,
        longest_s: float = 120.0,
        after_done_s: float = AFTER_DONE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url
        self.target = read_origin(base_url, path="base_url")
        self.proxy_url = proxy_for(*self.target, {})
        self._connect_s, self._silence_s, self._longest_s = connect_s, silence_s, longest_s
        self._after_done_s = min(after_done_s, silence_s)
        self._clock = clock
        self.began_s = clock()
        self._sent_s = self.began_s
        self._socket: Optional[socket.socket] = None
        self._answered = False  # whether this connection has carried an answer
        self._number = 0

    # --- the way

    def look(self) -> Way:
        """Opens a connection, step by step, and keeps it for the first request. Stops at the first step that fails."""
        self.close()
        steps: List[Step] = []
        for name, go in (("name", self._name), ("tcp", self._tcp), ("proxy", self._proxy), ("tls", self._tls)):
            started_s = self._clock()
            try:
                says, facts = go(steps)
            except (OSError, PayloadError, *HTTP_FAILURES) as error:
                self.close()
                steps.append(Step(name, False, _words(error), self._since_ms(started_s)))
                break
            steps.append(Step(name, True, says, self._since_ms(started_s), tuple(facts.items())))
        target = self.target
        proxy = redact_text(self.proxy_url)
        return Way(self.base_url, target.host, target.scheme == "https", is_local(target.host), proxy, tuple(steps))

    def _since_ms(self, started_s: float) -> float:
        return (self._clock() - started_s) * 1000

    @property
    def _first_hop(self) -> Origin:
        return read_origin(self.proxy_url, path="proxy") if self.proxy_url else self.target

    def _name(self, _: List[Step]) -> Tuple[str, Dict[str, Any]]:
        hop = self._first_hop
        found = socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
        whose = "the proxy's name: " if self.proxy_url else ""
        return f"{whose}{hop.host} is {addresses[0]}{more}", {"addresses": addresses}

    def _tcp(self, steps: List[Step]) -> Tuple[str, Dict[str, Any]]:
        """Every address in turn, so that a dead IPv6 is seen, and not only waited for."""
        hop = self._first_hop
        dead: List[str] = []
        addresses: List[str] = dict(steps[-1].facts)["addresses"]
        for address in addresses:
            try:
                self._socket = socket.create_connection((address, hop.port), self._connect_s)
                break
            except OSError as error:
                dead.append(f"{address} port {hop.port}: {_words(error)}")
        if self._socket is None:
            raise OSError("; ".join(dead))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answered = False
        said = f"connected to {address} port {hop.port}"
        return said + (f", but not to {'; '.join(dead)}" if dead else ""), {"dead": dead}

    def _proxy(self, _: List[Step]) -> Tuple[str, Dict[str, Any]]:
        if not self.proxy_url:
            return "none on the way", {}
        hop, shown = self._first_hop, redact_text(self.proxy_url)
        if hop.scheme == "https" and self.target.scheme == "https":
            # Python's sockets do no TLS within TLS; an event loop could, but none of the doctor's patients needs one.
            raise OSError(f"{shown} is reached over TLS itself, which is not possible here; name it with http://")
        if hop.scheme == "https":
            self._wrap(hop.host)
        if self.target.scheme == "http":
            return f"{shown}, asked for the whole address", {}
        where = f"{self.target.host}:{self.target.port}"
        asking = encode_request("CONNECT", where, credentials_of(self.proxy_url), b"", where)
        self._connected().sendall(asking)
        reader = ResponseReader("CONNECT")
        while reader.head is None:
            data = self._connected().recv(READ_BYTES)
            reader.receive(data) if data else reader.receive_end()
        if not 200 <= reader.head.status < 300:
            raise OSError(f"{shown} answered {reader.head.status} {reader.head.reason} to CONNECT {where}")
        return f"{shown} opened a tunnel to {where}", {}

    def _tls(self, _: List[Step]) -> Tuple[str, Dict[str, Any]]:
        if self.target.scheme == "http":
            return "none: plain http", {}
        secure = self._wrap(self.target.host)
        certificate: Dict[str, Any] = secure.getpeercert() or {}
        ends = str(certificate.get("notAfter", ""))
        facts = {"version": secure.version(), "ends": ends, "days_left": _days_left(ends)}
        return f"{secure.version()}, the certificate ends {ends or 'at a date that was not told'}", facts

    def _wrap(self, host: str) -> ssl.SSLSocket:
        secure = tls_context().wrap_socket(self._connected(), server_hostname=host)
        self._socket = secure
        return secure

    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise OSError("the connection is closed")
        return self._socket

    # --- one request

    def ask(self, request: Request) -> Exchange:
        """Sends `request` and reads its answer, however it ends: nothing is raised, `end` and `notes` tell."""
        self._number += 1
        exchange = Exchange(self._number)
        exchange.source = "doctor"
        exchange.request, exchange.target = request, self._target(request.url)
        self._check_idle(exchange)
        reused = self._socket is not None and self._answered
        if not self._send(exchange, request):
            return exchange
        self._read(exchange, reused)
        if exchange.head is None and reused and exchange.end is not None and exchange.end.how in ("eof", "reset"):
            # Closed as we sent on it: RFC 9112 section 9.3.1 lets a client send again, and so does every HTTP library.
            exchange.notes.append(CLOSED_WHEN_REUSED)
            exchange.end = None
            self.close()
            if self._send(exchange, request):
                self._read(exchange, False)
        return exchange

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None

    def _target(self, url: str) -> str:
        parts = urlsplit(url)
        path = target_of(url)
        through = self.proxy_url and self.target.scheme == "http"
        return f"{parts.scheme}://{self.target.name}{path}" if through else path

    def _check_idle(self, exchange: Exchange) -> None:
        """What came on the kept connection while nobody asked: bytes too many, or its end."""
        if self._socket is None:
            return
        try:
            self._socket.settimeout(0)
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, TimeoutError):
            return
        except OSError as error:
            if type(error).__name__ == "SSLWantReadError":
                return
            data = b""
        if data:
            exchange.notes.append(BYTES_AFTER_BODY + redact_text(repr(data[:200])))
        elif self._answered:
            exchange.notes.append(CLOSED_WHEN_REUSED)
        self.close()

    def _send(self, exchange: Exchange, request: Request) -> bool:
        if self._socket is None:
            way = self.look()
            if not way.reached:
                failed = way.steps[-1]
                exchange.end = End(0, "unreachable", False, f"{failed.name}: {failed.says}")
                return False
        exchange.started_at = timestamp(time.time())
        self._sent_s = self._clock()
        exchange.start_us = round((self._sent_s - self.began_s) * 1e6)
        headers = dict(request.headers)
        if self.proxy_url and self.target.scheme == "http":
            headers.update(credentials_of(self.proxy_url))
        wire = encode_request(request.method, exchange.target, headers, request.body, self.target.name)
        try:
            self._connected().settimeout(self._silence_s)
            self._connected().sendall(wire)
        except OSError as error:
            if not self._answered:
                exchange.end = End(self._now_us(), "reset", False, _words(error))
                self.close()
                return False
            # A kept connection that is dead says so when it is read.
        return True

    def _now_us(self) -> int:
        return round((self._clock() - self._sent_s) * 1e6)

    def _read(self, exchange: Exchange, reused: bool) -> None:
        intake = Intake(exchange, reused=reused)
        exchange.end = self._read_to_end(intake)
        self._answered = True
        if not (intake.is_over and intake.reader.reusable):
            self.close()

    def _read_to_end(self, intake: Intake) -> End:
        connection, longest_us = self._connected(), int(self._longest_s * 1e6)
        while True:
            left_s = (longest_us - self._now_us()) / 1e6
            silence_s = self._after_done_s if intake.is_done else self._silence_s
            if left_s <= 0:
                return End(self._now_us(), "timeout", False, f"not over after {self._longest_s:g} s")
            try:
                connection.settimeout(min(silence_s, left_s))
                data = connection.recv(READ_BYTES)
                if not data:
                    intake.reader.receive_end()
                    return End(self._now_us(), "eof", True, "the connection was closed")
                intake.receive(self._now_us(), data)
            except socket.timeout:
                return End(self._now_us(), "timeout", False, f"silence for {silence_s:g} s")
            except HTTP_FAILURES as error:
                return End(self._now_us(), "eof", False, f"{error} (it began with {intake.raw[:60]!r})")
            except OSError as error:
                return End(self._now_us(), "reset", False, _words(error))
            if intake.is_over:
                return End(self._now_us(), "eof", True, "")
            if intake.body_bytes > LONGEST_BODY_BYTES:
                return End(self._now_us(), "stopped", False, f"more than {LONGEST_BODY_BYTES} bytes")


def is_local(host: str) -> bool:
    """Whether a host is this machine, or an address of a private network."""
    from ipaddress import ip_address

    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host  # a name of the own network: `http://gpu-box:8000`


def _words(error: BaseException) -> str:
    return redact_text(" ".join(said_by(error).split())[:300])


def _days_left(ends: str) -> Optional[int]:
    """Days until "Jun  1 12:00:00 2027 GMT"; None where there is no date."""
    if not ends:
        return None
    import ssl

    return int((ssl.cert_time_to_seconds(ends) - time.time()) // 86400)
