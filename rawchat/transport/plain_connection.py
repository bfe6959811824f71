r"""A connection of the standard library's door over `http.client`.

    > POST /v1/chat/completions HTTP/1.1     putrequest, putheader, endheaders
    < HTTP/1.1 200 OK                        getresponse
    < 19\r\ndata: {"choices":...             read1: what has come, at once

Without proxies and compression. Where `sockets.py` is, the door takes that, which needs half the time.
"""

from __future__ import annotations

from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from typing import Any, Callable, Dict, Optional

from ..protocol.wire import DecodeError, Headers, Request, ResponseHead
from .reading import READ_BYTES, Connection, watch
from .route import Route, target_of


class PlainConnection(Connection):
    """Its methods raise what http.client and sockets raise."""

    failures = (OSError, ValueError, HTTPException, DecodeError)

    def __init__(self, route: Route) -> None:
        super().__init__()
        self.route = route
        self.has_come: Callable[[], Any] = bool  # bytes to read, or the end
        self._http: Any = None
        self._answer: Any = None

    def open(self, tls: Any, timeout_s: Optional[float]) -> None:
        if self._http is None:
            scheme, host, port = self.route.target
            kind, more = (HTTPSConnection, {"context": tls}) if scheme == "https" else (HTTPConnection, {})
            self._http = kind(host, port, timeout=timeout_s, **more)
            self._http.connect()
            self._socket = self._http.sock  # which it forgets at "Connection: close"
            self.has_come = watch(self._socket)

    def send(self, request: Request, headers: Dict[str, str], timeout_s: Optional[float]) -> None:
        self.set_timeout(timeout_s)
        has_host = "host" in map(str.lower, headers)
        self._http.putrequest(request.method, target_of(request.url), skip_host=has_host, skip_accept_encoding=True)
        for pair in headers.items():
            self._http.putheader(*pair)
        if request.body or request.method != "GET":
            self._http.putheader("Content-Length", len(request.body))
        # A server may answer (413) and hang up before it has read a whole request: that answer counts.
        with suppress(ConnectionError):
            self._http.endheaders(request.body or None)

    def read_head(self) -> ResponseHead:
        reused = self._answer is not None
        answer = self._answer = self._http.getresponse()
        while answer.status in (102, 103):  # to http.client only 100 is no answer yet
            answer.headers = None
            answer.begin()
        coding = answer.getheader("Content-Encoding", "identity").strip()
        if coding and coding.lower() != "identity":
            raise DecodeError(f"it is compressed ({coding}), though identity was asked for")
        # A value may be folded over several lines (RFC 9112, 5.2).
        pairs = [(name, " ".join(map(str.strip, value.split("\n")))) for name, value in answer.getheaders()]
        version = "1.0" if answer.version == 10 else "1.1"
        return ResponseHead(answer.status, answer.reason, Headers(pairs), version, reused)

    def read_piece(self) -> bytes:
        try:
            data: bytes = self._answer.read1(READ_BYTES)
        except IncompleteRead:  # its own words are "0 bytes read"
            raise HTTPException("a chunk is cut off, or has no size") from None
        if not data and self._answer.length:
            raise HTTPException(f"Content-Length promised {self._answer.length} more")
        return data

    def is_stale(self, error: BaseException) -> bool:
        """Whether a used connection had ended before it was used again."""
        return self._answer is not None and isinstance(error, ConnectionError)

    def end_answer(self) -> bool:
        """Be done with an answer that was read to its end; whether another request may follow."""
        self._answer.close()  # which http.client waits for
        return not self._answer.will_close

    def close(self) -> None:
        for each in (self._answer, self._http):
            if each is not None:
                each.close()
