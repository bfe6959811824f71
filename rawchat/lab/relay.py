r"""One client connection of the tap: a request's head in, its target changed, and then bytes both ways as they come.

    client                              tap                               upstream
    POST /v1/chat/completions ...   ->  head rewritten, sent on       ->  POST /v1/chat/completions ...
    body                            ->  as it came                    ->
                                    <-  each read, sent on at once    <-  HTTP/1.1 200 OK ...
    the connection breaks           <-  breaks in the same way        <-  the connection breaks

Forward first, record after. Nothing is framed anew, put in another order, or held back until more comes; a request that
comes before the last one is answered (pipelining) waits its turn. Where the client closes its side while an answer is
due it is taken for gone, and the upstream is closed at once. Each client connection has one upstream connection, opened
with its first request and kept as long as both sides keep theirs.

With a fault or in a dry run the request is read whole first; those answers are made by tap_faults.py and dry_run.py.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any, Callable, List, Optional

from ..protocol.errors import PayloadError
from ..protocol.wire import HeaderPairs
from . import dry_run
from .faults import Plan, error_body, fill_headers, http_date
from .framing import RequestRefused, head_bytes
from .passage import REDIRECTED, Passage, Wiring
from .request_bytes import RequestHead, rewrite_head, take_head
from .sending import BEFORE, Answer, Gone, Sender, close_gently, lay_out, reset
from .serving import error_answer
from .sides import MOST_WAITING_BYTES, Side, Waiter
from .tap_faults import Tampering, is_answered_here, kept_headers, refused_parameter
from .tap_target import refuse_method
from .upstream import Unreachable


class Relay:
    """One client connection, until one of the two sides has enough."""

    def __init__(self, wiring: Wiring, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wiring = wiring
        self._client = Side(connection)
        self._server: Optional[Side] = None
        self._server_used = False
        self._waiter = Waiter()
        self._held = b""  # from the client, and not looked at yet

    def run(self) -> None:
        try:
            while self._serve_one():
                pass
            self._waiter.forget(self._client)
            with contextlib.suppress(OSError):  # gone already, or reset by us: there is nobody to take leave of
                close_gently(self._client.connection)
        finally:
            self._close_server()
            self._client.close()
            self._waiter.close()

    def stop(self) -> None:
        """From another thread: wakes whoever waits for one of the two."""
        for side in (self._client, self._server):
            if side is not None:
                with contextlib.suppress(OSError):  # closed already
                    side.connection.shutdown(socket.SHUT_RDWR)

    # One request

    def _serve_one(self) -> bool:
        """False: the connection ends here."""
        try:
            head = self._next_head()
            if head is None or self._wiring.stopping.is_set():
                return False
            refuse_method(head.method)
        except (RequestRefused, PayloadError) as refused:
            self._wiring.say(f"a request that cannot be passed on: {refused}")
            self._answer_refusal(getattr(refused, "status", 405), str(refused))
            return False
        page = self._wiring.page
        if page is not None and page.is_for(head):
            self._waiter.forget(self._client)
            self._client.connection.setblocking(True)
            page.serve(head, self._client.connection)
            return False
        passage = Passage(self._wiring, head, reused=self._server_used)
        if not (self._wiring.is_dry_run or self._wiring.faults.parts):
            return self._pass_on(passage)
        if not self._read_whole(passage):
            return False
        return self._answer_or_pass_on(passage)

    def _next_head(self) -> Optional[RequestHead]:
        """The next request's head; None where one of the sides has closed. Raises RequestRefused."""
        self._client.reads = True
        while True:
            head, self._held = take_head(self._held)
            if head is not None:
                return head
            for side in self._waiter.wait(self._sides()):
                data = side.receive()
                if data == b"":
                    return None
                if side is self._client:
                    self._held += data or b""
                else:
                    self._client.send(data or b"")  # what nobody asked for is passed on all the same
            if self._client.write_error is not None:
                return None

    def _read_whole(self, passage: Passage) -> bool:
        """The request's body. False where the client is gone before its end."""
        rest, self._held = self._held, b""
        if passage.head.awaits_go_ahead and not rest:
            self._client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._client_sent(passage, rest, on=False)
        while not passage.follower.at_end and not passage.follower.flaw:
            for side in self._waiter.wait([self._client]):
                data = side.receive()
                if data == b"":
                    self._client_gone(passage)
                    return False
                self._client_sent(passage, data or b"", on=False)
        passage.begin_story()
        return True

    # Passing on

    def _pass_on(self, passage: Passage, body: bytes = b"") -> bool:
        """The upstream's answer. `body`: what of the request has been read already."""
        upstream = self._wiring.upstream
        try:
            server = self._server or self._connect(passage)
            target, more = upstream.target_form(passage.target), upstream.more_headers()
        except (Unreachable, PayloadError) as error:
            return self._tell_unreachable(passage, str(error))
        passage.sent_s = time.monotonic()
        server.send(rewrite_head(passage.head, target, upstream.base.origin.name, more) + body)
        self._server_used = True
        rest, self._held = self._held, b""
        self._client_sent(passage, rest, on=True)
        return self._pump(passage, server)

    def _connect(self, passage: Passage) -> Side:
        began_s = time.monotonic()
        link = self._wiring.upstream.connect()
        self._server = Side(link.connection)
        elapsed_ms = (time.monotonic() - began_s) * 1000
        passage.story.note(f"a new connection to {link.said}, made in {elapsed_ms:.1f} ms", began_s)
        return self._server

    def _pump(self, passage: Passage, server: Side) -> bool:
        """Bytes both ways until the answer is over. True: both connections can carry another request."""
        while True:
            for side in self._waiter.wait(self._sides()):
                while True:
                    data = side.receive()
                    at_s = time.monotonic()
                    if data is None:
                        break
                    if not data:
                        return self._client_gone(passage) if side is self._client else self._server_ended(passage)
                    if side is self._client:
                        self._client_sent(passage, data, on=True)
                    else:
                        played = self._server_sent(passage, data, at_s)
                        if played is not None:
                            return played
                    if not side.has_more:
                        break
            if self._client.write_error is not None:
                return self._client_gone(passage)
            if passage.is_over:
                self._flush_client()
                return not self._closes_after(passage, server)
            if passage.witness.flaw and passage.follower.at_end and self._held:
                # Where this answer ends cannot be known; the client thinks that it has ended.
                passage.end("eof", time.monotonic())
                return True

    def _closes_after(self, passage: Passage, server: Side) -> bool:
        """After an answer that ends its connection, wait for that end, and pass it on."""
        if passage.witness.keeps:
            return False
        while True:
            for side in self._waiter.wait(self._sides()):
                data = side.receive()
                if data == b"":
                    if side is server and server.read_error is not None:
                        self._reset_client()
                    return True
                if side is server and data:
                    self._client.send(data)
                    passage.witness.take(data, time.monotonic())
                elif side is self._client and data:  # it has read on, and may know better than we do
                    self._held += data
                    return False

    def _sides(self) -> List[Side]:
        """The server first: what it has sent before the client left still counts."""
        server = self._server
        if server is None:
            return [self._client]
        server.reads = not self._client.is_full
        self._client.reads = not server.is_full and len(self._held) < MOST_WAITING_BYTES
        return [server, self._client]

    def _client_sent(self, passage: Passage, data: bytes, *, on: bool) -> None:
        size = passage.follower.take(data)
        if on and self._server is not None and size:
            self._server.send(data[:size])
        self._held += data[size:]
        if passage.follower.at_end and on:
            passage.begin_story()

    def _server_sent(self, passage: Passage, data: bytes, at_s: float) -> Optional[bool]:
        """None: go on. Else the answer is over by a fault, and whether the connection goes on."""
        tampering = passage.tampering
        if tampering is not None:
            data = tampering.take(data)
            self._note_fault(passage, tampering)
        if data:
            self._client.send(data)
            passage.witness.take(data, at_s)
        head = passage.witness.head
        if head is not None and head.status == 101 and passage.follower.at_end:
            passage.follower.follow_for_ever()
            passage.story.note("another protocol from here on: passed on, not recorded", at_s)
        if tampering is None or not (tampering.act or tampering.rewritten):
            return None
        return self._play_tampered(passage, tampering)

    # Ends

    def _client_gone(self, passage: Passage) -> bool:
        at_s = time.monotonic()
        if self._server is not None and isinstance(self._client.read_error, ConnectionResetError):
            self._waiter.forget(self._server)
            with contextlib.suppress(OSError):
                reset(self._server.connection)
        self._close_server()
        passage.end("stopped" if self._wiring.stopping.is_set() else "client_gone", at_s)
        return False

    def _server_ended(self, passage: Passage) -> bool:
        """The upstream closed or broke: the client sees the same."""
        at_s = time.monotonic()
        assert self._server is not None
        error, tampering = self._server.read_error, passage.tampering
        if self._wiring.stopping.is_set():
            passage.end("stopped", at_s)
            return False
        if tampering is not None:
            held = tampering.end() if error is None else tampering.broken()
            self._note_fault(passage, tampering)
            if tampering.rewritten is not None:
                self._play_tampered(passage, tampering)
                return False
            self._client.send(held)
            if held:
                passage.witness.take(held, at_s)
        self._flush_client()
        if error is None:
            passage.end("eof", at_s)
            return False
        passage.end("timeout" if isinstance(error, TimeoutError) else "reset", at_s, str(error))
        self._reset_client()
        return False

    def _tell_unreachable(self, passage: Passage, why: str) -> bool:
        """A 502 of the tap's own, which says whose it is. On record stands what happened: no answer."""
        if not self._read_whole(passage):
            return False
        passage.story.note("the tap answered 502 in the upstream's place", passage.sent_s)
        passage.story.end("unreachable", time.monotonic(), whole=False, detail=why)
        answer = dry_run.error(502, f"The tap {why}.", "unreachable")
        return self._play(passage, answer, Plan(), (("x-tap-error", "unreachable"),), watched=False)

    def _answer_refusal(self, status: int, message: str) -> None:
        answer = dry_run.error(status, message, "bad_request")
        pairs = [("content-type", answer.content_type), ("content-length", str(len(answer.body)))]
        pairs += [("connection", "close"), ("x-tap-error", "bad_request")]
        self._client.send(head_bytes(status, pairs) + answer.body)
        self._flush_client()

    def _flush_client(self) -> None:
        """All that is waiting for the client goes out, or the client goes."""
        while self._client.waiting:
            self._client.reads = False
            self._waiter.wait([self._client])
        self._client.reads = True

    def _reset_client(self) -> None:
        time.sleep(0.005)  # a reset may overtake what was sent just before it
        self._waiter.forget(self._client)
        with contextlib.suppress(OSError):
            reset(self._client.connection)

    def _close_server(self) -> None:
        if self._server is not None:
            self._waiter.forget(self._server)
            self._server.close()
            self._server = None
            self._server_used = False

    # Answers that are made here

    def _answer_or_pass_on(self, passage: Passage) -> bool:
        """The request is whole: play a fault on it, answer it canned, or let it through."""
        faults, payload = self._wiring.faults, passage.payload
        stream = isinstance(payload, dict) and payload.get("stream") is True
        plan = Plan() if passage.is_redirected else faults.choose(passage.fingerprint, stream=stream)
        if is_answered_here(plan, payload):
            passage.story.note(f"fault {faults.name}: answered by the tap, the upstream was not asked", passage.sent_s)
            return self._play_instead(passage, plan, refused_parameter(plan, payload))
        if self._wiring.is_dry_run:
            return self._play_canned(passage, plan, payload)
        if plan.names:
            passage.tampering = Tampering(plan, faults.name, passage.head.method)
        return self._pass_on(passage, body=passage.follower.raw)

    def _play_canned(self, passage: Passage, plan: Plan, payload: Any) -> bool:
        number = passage.story.recorder.number if passage.story.recorder else 0
        path = passage.head.target.partition("?")[0]
        canned = dry_run.canned(
            passage.head.method, path, payload, id=f"chatcmpl-dry-run-{number}", created=int(time.time())
        )
        passage.story.note("dry run: nothing was sent, the answer is canned", passage.sent_s)
        if canned.note:
            passage.story.note(canned.note, passage.sent_s)
        return self._play(passage, canned.answer, plan, (("x-tap", "dry-run"),))

    def _play_instead(self, passage: Passage, plan: Plan, parameter: str) -> bool:
        if plan.instead is not None:
            body, content_type = error_body(plan.instead, plan.wait)
            return self._play(passage, Answer(plan.instead.status, body, content_type), plan)
        if parameter:
            said = f"Unrecognized request argument supplied: {parameter}"
            return self._play(passage, error_answer(400, said, "unknown_parameter", parameter), plan)
        return self._play(passage, Answer(200), plan)

    def _note_fault(self, passage: Passage, tampering: Tampering) -> None:
        for note in tampering.notes:
            passage.story.note(note, time.monotonic())
        tampering.notes.clear()

    def _play_tampered(self, passage: Passage, tampering: Tampering) -> bool:
        if tampering.rewritten is not None:
            assert tampering.head is not None
            kept = tuple(kept_headers(tampering.head, tampering.rewritten))
            return self._play(passage, tampering.rewritten, tampering.plan, kept, whole_head=True)
        self._flush_client()

        def break_off(sender: Sender) -> str:
            sender.end_with(tampering.act)
            return tampering.act

        return self._with_sender(passage, tampering.plan, True, break_off)

    def _play(
        self,
        passage: Passage,
        answer: Answer,
        plan: Plan,
        more: HeaderPairs = (),
        *,
        whole_head: bool = False,
        watched: bool = True,
    ) -> bool:
        """Send this answer as the plan has it. `whole_head`: `more` is all of the head but its framing."""
        layout = lay_out(answer, plan, method=passage.head.method, version=passage.head.version)
        keeps = layout.keeps and passage.head.keeps_alive and not plan.before and not plan.ending[0]
        typed = (("content-type", answer.content_type),) if answer.content_type else ()
        own = more if whole_head else (("date", http_date(time.time())), ("server", "tap"), *typed, *more)
        pairs = [*own, *layout.fields, ("connection", "keep-alive" if keeps else "close")]
        url = f"{self._wiring.root}{REDIRECTED}{passage.head.target}"
        pairs = fill_headers(pairs, plan.headers, now_s=time.time(), url=url)
        head = head_bytes(answer.status, pairs, version=plan.version)

        def play(sender: Sender) -> str:
            sender.pause(plan.head_delay_ms)
            if plan.before:
                data, act = (head[: len(head) // 2], "cut") if plan.before == "half" else BEFORE[plan.before]
                sender.write(data)
                sender.end_with(act)
                return act
            sender.write(head)
            if plan.raw_body and not layout.bodiless:
                sender.write(plan.raw_body)
                return "cut"
            if not layout.bodiless:
                sender.send_body(layout)
            if plan.ending[0] and not layout.bodiless:
                sender.end_with(plan.ending[0], chunked=layout.framing == "chunked")
            return plan.ending[0]

        return self._with_sender(passage, plan, watched, play) and keeps

    def _with_sender(self, passage: Passage, plan: Plan, watched: bool, play: Callable[[Sender], str]) -> bool:
        """Carry out `play`, which says how it ended. True: nothing was broken."""
        connection = self._client.connection

        def wrote(data: bytes, at_s: float) -> None:
            if watched and data:
                passage.witness.take(data, at_s)

        sender = Sender(connection, self._wiring.stopping, wrote=wrote, silent=lambda: None)
        sender.plan = plan
        self._waiter.forget(self._client)
        connection.setblocking(True)
        try:
            act = play(sender)
        except Gone:
            self._client_gone(passage)
            return False
        if connection.fileno() >= 0:
            connection.setblocking(False)
        if watched and (act or not passage.witness.keeps):
            passage.end("reset" if act == "reset" else "eof", time.monotonic())
        if act:
            self._close_server()
        return not act
