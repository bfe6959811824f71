"""The tap's live page, on the tap's own port, beside the traffic that passes through it.

    GET /__tap__/          the report's page
    GET /__tap__/events    its data, as an event stream: what is known so far, then what happens

No API has a path that begins so. Only who names this machine as the host is answered: a page on the internet whose name
is made to point at 127.0.0.1 (DNS rebinding) gets nothing, and there are no CORS headers for any other. What the page
shows has been through the Hider; report.py makes it.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Iterable, Tuple

from .framing import head_bytes
from .report import LiveFeed, live_page
from .request_bytes import RequestHead
from .sending import close_gently

PATH = "/__tap__/"
_ALWAYS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Connection", "close"),
)


class TapPage:
    """Serves the page. `feed` is a sink of the tap's recording. Safe to share between threads."""

    def __init__(self) -> None:
        self.feed = LiveFeed()

    def is_for(self, head: RequestHead) -> bool:
        return head.target.partition("?")[0] in (PATH[:-1], PATH) or head.target.startswith(PATH)

    def serve(self, head: RequestHead, connection: socket.socket) -> None:
        """Answer, on a blocking socket, until the page or the feed is closed. Nothing else follows on it."""
        status, pairs, parts = self._answer(head, connection.getsockname()[1])
        with contextlib.suppress(OSError):  # the browser's tab was closed
            connection.sendall(head_bytes(status, (*pairs, *_ALWAYS)))
            for data in parts:
                connection.sendall(data)
            close_gently(connection)

    def _answer(self, head: RequestHead, port: int) -> Tuple[int, Iterable[Tuple[str, str]], Iterable[bytes]]:
        path = head.target.partition("?")[0]
        if head.headers.get("host", "").lower() not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return _plain(403, f"This page is for this machine alone: http://127.0.0.1:{port}{PATH}\n")
        if head.method != "GET":
            return _plain(405, "Only GET is answered here.\n")
        if path == PATH[:-1]:
            return 308, [("Location", PATH), ("Content-Length", "0")], ()
        if path == PATH:
            page = live_page()
            return 200, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(page)))], (page,)
        if path == f"{PATH}events":
            return 200, [("Content-Type", "text/event-stream; charset=utf-8")], self.feed.subscribe()
        return _plain(404, f"There is nothing here; the page is {PATH}\n")


def _plain(status: int, text: str) -> Tuple[int, Iterable[Tuple[str, str]], Iterable[bytes]]:
    body = text.encode()
    return status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))], (body,)
