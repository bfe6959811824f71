"""Sends one answer over one connection, the way a fault's plan has it: laid out, paced, cut, reset, or left hanging.

    lay_out(answer, plan, ...)      which pieces, under which framing, and whether the connection can go on after it
    sender.write(head)
    sender.send_body(layout)        piece by piece, paced, coded, framed ...
    sender.end_with("reset")        ... and how it breaks

The practice server answers with it, and the tap plays its faults with it. Which plan it is, and what the answer says,
is decided elsewhere; times are for pauses and never decide what is sent.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Tuple

from .edits import Document
from .faults import Plan, stream_pieces, whole_pieces
from .framing import Coder, Groups, frame, frame_end

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
GARBAGE = b"\x00\x16\x03\x01practice: this is no HTTP\xff\xfe\r\n\r\n"


class Answer(NamedTuple):
    """What is to be sent if nothing breaks: a whole body, or the documents of an event stream."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    documents: Optional[List[Document]] = None
    error: Any = None
    headers: Tuple[Tuple[str, str], ...] = ()


class Gone(Exception):
    """The client closed its side, or the server is being stopped: nothing more can be sent."""


class Layout(NamedTuple):
    """An answer on its way out: what goes into each write, and the header fields that say how it is framed.

    events_whole  how many groups there would be if nothing broke
    keeps         the connection can carry another request after it
    """

    groups: Groups
    events_whole: int
    framing: str
    fields: Tuple[Tuple[str, str], ...]
    bodiless: bool
    paced: bool
    keeps: bool


def lay_out(answer: Answer, plan: Plan, *, method: str, version: str) -> Layout:
    """`method` and `version` ("1.1") are the request's."""
    groups, whole = _pieces(answer, plan), _pieces(answer, plan._replace(ending=("", -1, "")))
    framing = plan.framing or ("length" if answer.documents is None else "chunked")
    if framing == "chunked" and version == "1.0":
        framing = "close"  # HTTP/1.0 knows no chunks
    coded = _coded(whole, plan) if framing == "length" else []
    length = sum(len(piece) for group in coded for piece in group) + plan.length_error_bytes
    described = {"length": (("content-length", str(length)),), "chunked": (("transfer-encoding", "chunked"),)}
    coding = (("content-encoding", plan.coding),) if plan.coding else ()
    return Layout(
        groups,
        len(whole),
        framing,
        coding if answer.status == 204 else described.get(framing, ()) + coding,
        bodiless=method == "HEAD" or answer.status in (204, 304),
        paced=answer.documents is not None and framing != "length",
        keeps=framing != "close" and plan.length_error_bytes <= 0 and plan.last_chunk,
    )


def _pieces(answer: Answer, plan: Plan) -> Groups:
    if answer.documents is None:
        return whole_pieces(answer.body, plan)
    return stream_pieces(answer.documents, plan)


def _coded(groups: Groups, plan: Plan) -> Groups:
    coder = Coder(plan.coding, flush=plan.flush)
    return [*([coder.write(piece) for piece in group] for group in groups), [coder.end()]]


class Sender:
    """One connection, and what was done to it.

    plan       what is different; may be set until the first write
    stopping   set when the server is being stopped: every pause ends
    wrote      called with each run of bytes and its time, just before it is sent: the client may be back before this
               thread runs again
    silent     called when nothing more will come though the connection stays open
    events     how many groups went out
    """

    def __init__(
        self,
        connection: socket.socket,
        stopping: threading.Event,
        *,
        wrote: Callable[[bytes, float], None],
        silent: Callable[[], None],
        pace_ms: float = 0.0,
        first_ms: float = 0.0,
    ) -> None:
        self.plan = Plan()
        self.events = 0
        self._connection = connection
        self._stopping = stopping
        self._wrote = wrote
        self._silent = silent
        self._pace_ms = pace_ms
        self._first_ms = first_ms

    # The body

    def send_body(self, layout: Layout) -> None:
        """All groups and what ends the body; where the plan breaks it off, up to there. Raises Gone."""
        chunked = layout.framing == "chunked"
        coder = Coder(self.plan.coding, flush=self.plan.flush)
        self._send_groups(layout.groups, coder, chunked, layout.paced)
        if self.plan.ending[0]:
            return
        self.write(frame(coder.end(), chunked=chunked))
        if chunked and self.plan.last_chunk:
            self.write(frame_end(self.plan.trailers))

    def _send_groups(self, groups: Groups, coder: Coder, chunked: bool, paced: bool) -> None:
        plan = self.plan
        pace_ms = self._pace_ms if plan.pace_ms is None else plan.pace_ms
        first_ms = (self._first_ms if plan.pace_ms is None else pace_ms) if plan.first_ms is None else plan.first_ms
        for number, group in enumerate(groups):
            if paced:
                self.pause(pace_ms if number else first_ms)
            for place, piece in enumerate(group):
                if place and plan.ending[0] != "comments":
                    self.pause(plan.piece_ms)
                self.write(frame(coder.write(piece), chunked=chunked))
            self.events = number + 1

    # Ways to end

    def end_with(self, act: str, *, chunked: bool = False) -> None:
        """`act` as in Plan.ending. A stall lasts until the client leaves, and then raises Gone."""
        if act == "reset":
            self._reset()
        elif act == "stall":
            self._wait_for_leave()
        elif act == "comments":
            self._comment_for_ever(chunked)

    def _reset(self) -> None:
        self.pause(5)  # a reset may overtake what was sent just before it
        reset(self._connection)

    def _wait_for_leave(self) -> NoReturn:
        """Say nothing until the client closes, or the server stops (it shuts the connection down, which wakes this)."""
        self._silent()
        try:
            while self._connection.recv(65536):
                pass
        except OSError:
            pass  # a reset is a way of leaving too
        raise Gone

    def _comment_for_ever(self, chunked: bool) -> NoReturn:
        self._silent()
        while True:
            self.pause(self.plan.piece_ms)
            self.write(frame(b": keep-alive\n\n", chunked=chunked))

    # The wire

    def write(self, data: bytes) -> None:
        """Raises Gone."""
        self._wrote(data, time.monotonic())
        if not data:
            return
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise Gone from error

    def pause(self, milliseconds: float) -> None:
        """Raises Gone where the client resets the connection meanwhile, or the server stops."""
        if milliseconds > 0 and self._stopping.wait(milliseconds / 1000):
            raise Gone
        if milliseconds > 0 and self._has_left():
            raise Gone

    def _has_left(self) -> bool:
        """Whether the client reset the connection. One that only closed its sending side may still be reading."""
        self._connection.setblocking(False)
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._connection.setblocking(True)
        return False


def reset(connection: socket.socket) -> None:
    """Close with a reset (RST) where a plain close says that all is well."""
    # Linger 0: close throws the queue away and sends RST (socket(7), SO_LINGER). Windows has two shorts there.
    form = "hh" if hasattr(socket, "SIO_RCVALL") else "ii"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
    connection.close()


def close_gently(connection: socket.socket, limit_s: float = 0.5) -> None:
    """Say that no more comes, and read what the client still sends.

    A close with unread bytes in the queue becomes a reset, and the client may lose an answer that was sent in full
    (RFC 9112 section 9.6). Half a second is plenty on loopback.
    """
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(limit_s)
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s and connection.recv(65536):
        pass


# What happens in place of a head: name in Plan.before -> (bytes that are sent, how it ends). "half" is half of a head,
# which only the caller can write.
BEFORE: Dict[str, Tuple[bytes, str]] = {
    "stall": (b"", "stall"),
    "close": (b"", "close"),
    "reset": (b"", "reset"),
    "garbage": (GARBAGE, "garbage"),
}
