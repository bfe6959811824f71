"""Ways of reading a body over urllib3. None may hold back what has arrived, so none waits for a block of a given size.

    5\\r\\nhello\\r\\n        chunked: one HTTP chunk is one piece
    hello                   by length, or to the end of the connection: what one `recv` gave is one piece

`reader_of(response)` picks the way for a body and a version of urllib3, whose objects are taken as they are: nothing
of it is imported here. Decoding (gzip, deflate) is urllib3's. Errors are passed on as they come; `failures.py` tells
them.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Optional, Tuple

from .http1 import BrokenBody, ChunkedBody

READ_BYTES = 65536


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
    """All chunks that one `recv` gave, taken apart here: a third of what urllib3 takes, which reads them line by line.

    Its way on public API is `_DecodedChunkReader`; the file below http.client's response is what urllib3 reads, too.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._chunks = ChunkedBody()
        self._failure: Optional[Exception] = None
        self._read_encoded = raw._fp.fp.read1
        self.next_piece = self._next

    def _next(self) -> bytes:
        self.untouched = False
        chunks, parts = self._chunks, []  # type: ChunkedBody, List[bytes]
        while not parts:
            if self._failure is not None:
                raise self._failure
            if chunks.at_end:
                self._end()
                return b""
            data = self._read_encoded(READ_BYTES)
            if not data:
                raise EOFError("the connection ended before the last chunk")
            try:
                chunks.receive(data, parts)
            except BrokenBody as error:
                self._failure = error  # for the next time: what came before it is handed out first
        return b"".join(parts)

    def _end(self) -> None:
        """As urllib3 ends a body; what came after it would be taken for the next answer."""
        if self._chunks.surplus:
            self._raw.close()
        self._raw._fp.close()
        self._raw.release_conn()


class _DecodedChunkReader(Reader):
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
            data = b"" if at_end else self._read_encoded(READ_BYTES)
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
    if answer._content_consumed:
        return _DoneReader(answer.content)
    if raw.chunked and raw.supports_chunked_reads():
        plain = not raw.headers.get("content-encoding") and hasattr(raw._fp.fp, "read1")
        return _ChunkedReader(raw) if plain else _DecodedChunkReader(raw)
    return _Read1Reader(raw) if hasattr(raw, "read1") else _OldReader(raw)


class StandIn:
    """A response that never was on a wire: made by hand or by a mock, as in the tests of those who call us.

    Of what `requests.Response` has it needs `status_code` and one of `content`, `text`, `json()` and `iter_lines()`.
    """

    _content_consumed = True

    def __init__(self, answer: Any) -> None:
        headers = getattr(answer, "headers", None)
        self.headers = headers if isinstance(headers, Mapping) else {}
        self.status_code = int(answer.status_code)
        self.reason = _text_of(answer, "reason")
        self.url = _text_of(answer, "url")
        self.content = _content_of(answer)
        self.raw = self  # where the headers are looked for
        self.close: Callable[[], None] = getattr(answer, "close", nothing_to_close)


def real_or_stand_in(answer: Any) -> Any:
    """`answer` itself where it has a body on its way, else a stand-in that holds what it offers."""
    real = isinstance(getattr(answer, "_content_consumed", None), bool) and getattr(answer, "raw", None) is not None
    return answer if real else StandIn(answer)


def _text_of(answer: Any, name: str) -> str:
    value = getattr(answer, name, None)
    return value if isinstance(value, str) else ""


def _content_of(answer: Any) -> bytes:
    for name in ("content", "text"):
        value = getattr(answer, name, None)
        if isinstance(value, (bytes, str)) and value:
            return value if isinstance(value, bytes) else value.encode("utf-8")
    document = answer.json() if callable(getattr(answer, "json", None)) else None
    if isinstance(document, (dict, list)):
        return json.dumps(document).encode("utf-8")
    lines = answer.iter_lines() if callable(getattr(answer, "iter_lines", None)) else ()
    # Hand-made lines seldom have the blank ones between them; one too many does no harm.
    return b"".join(_as_bytes(line) + b"\n\n" for line in (lines if isinstance(lines, Iterable) else ()))


def _as_bytes(line: Any) -> bytes:
    return line if isinstance(line, bytes) else str(line).encode("utf-8")


def nothing_to_close() -> None:
    """For stand-ins without a `close`."""


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
