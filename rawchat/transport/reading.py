"""Ways of reading a body over urllib3. None may hold back what has arrived, so none waits for a block of a given size.

    5\\r\\nhello\\r\\n        chunked: one HTTP chunk is one piece
    hello                   by length, or to the end of the connection: what one `recv` gave is one piece

`reader_of(response)` picks the way for a body and a version of urllib3, whose objects are taken as they are: nothing
of it is imported here. Decoding (gzip, deflate) is urllib3's. Errors are passed on as they come; `failures.py` tells
them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Callable, Iterator, List, Optional, Tuple

OLD_READ_BYTES = 65536


class Reader:
    """How to get the next piece of a body. `untouched`: `raw.read` may still be used instead."""

    untouched = True
    at_end = False
    next_piece: Callable[[], bytes]

    def missing_bytes(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to let go of here."""


class _ChunkedReader(Reader):
    """One HTTP chunk per piece, on public API of every urllib3; `read1` costs 40 % more on such bodies."""

    def __init__(self, raw: Any) -> None:
        self._pieces: Iterator[bytes] = raw.stream(None, decode_content=True)
        self.next_piece = partial(next, self._pieces, b"")

    def close(self) -> None:
        """A generator: its clean-up closes the connection now rather than when it is collected."""
        self._pieces.close()  # type: ignore[attr-defined]


class _Read1Reader(Reader):
    """What one `recv` gave, decoded: urllib3 2.2 and newer."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.next_piece = partial(raw.read1, None, True)

    def missing_bytes(self) -> int:
        return self._raw.length_remaining or 0


class _OldReader(Reader):
    """The same for urllib3 1.26 to 2.1, which have no `read1`.

    Their public `read(n)` waits for n bytes, so the `read1` of http.client below it is used, with their private
    decoder; those versions are history and will not change.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._left_bytes: Optional[int] = raw.length_remaining
        self._read_encoded = getattr(raw._fp, "read1", raw._fp.read)
        self.next_piece = self._next_decoded
        raw._init_decoder()

    def _next_decoded(self) -> bytes:
        while True:
            self.untouched = False
            at_end = self._left_bytes == 0 or self._raw._fp.closed
            data = b"" if at_end else self._read_encoded(OLD_READ_BYTES)
            if self._left_bytes is not None:
                self._left_bytes -= len(data)
            decoded: bytes = self._raw._decode(data, True, not data)
            if self._left_bytes == 0 or not data:
                self._raw._fp.close()
                self._raw.release_conn()
            if decoded or not data:
                return decoded

    def missing_bytes(self) -> int:
        left_bytes = self._raw.length_remaining if self.untouched else self._left_bytes
        return left_bytes or 0


class _DoneReader(Reader):
    """A body that requests has read already: it does so for redirects, followed or not, unless the Session is ours."""

    untouched = False

    def __init__(self, content: bytes) -> None:
        self.next_piece = partial(next, iter((content,)), b"")


def reader_of(answer: Any) -> Reader:
    raw = answer.raw
    if answer._content_consumed:  # type: ignore[attr-defined]
        return _DoneReader(answer.content)
    if raw.chunked and raw.supports_chunked_reads():
        return _ChunkedReader(raw)
    return _Read1Reader(raw) if hasattr(raw, "read1") else _OldReader(raw)


def nothing_more() -> bytes:
    return b""


def raise_cancelled() -> bytes:
    raise ConnectionAbortedError("cancelled")


def raise_closed() -> bytes:
    raise ConnectionAbortedError("the response is closed")


def socket_of(raw: Any) -> Any:
    """The socket below a urllib3 response, or None (fakes have none).

    Looked for under the body first: at "Connection: close" http.client takes it away from the connection.
    """
    buffered = getattr(getattr(raw, "_fp", None), "fp", None)
    found = getattr(getattr(buffered, "raw", None), "_sock", None)
    if found is None:
        found = getattr(getattr(raw, "connection", None), "sock", None)
    return found


def header_pairs_of(raw: Any) -> List[Tuple[str, str]]:
    """Header fields as they came: http.client keeps order, case and repetition, urllib3's dict groups them by name."""
    message: Any = getattr(getattr(raw, "_original_response", None), "msg", None)
    if not hasattr(message, "raw_items"):
        return [(str(name), str(value)) for name, value in raw.headers.items()]
    # A value folded over several lines (obsolete: RFC 9112, 5.2) reads as one line.
    return [(name, " ".join(value.split()) if "\n" in value else value) for name, value in message.raw_items()]
