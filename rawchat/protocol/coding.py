"""Undoes the compression of a body: gzip and deflate (RFC 9110, 8.4.1), as its pieces come. Pure.

< Content-Encoding: gzip            give = decoder("gzip", pieces); give(data): what it allows is in `pieces`
"""

from __future__ import annotations

from typing import Any, Callable, List

from .wire import DecodeError

OFFERED = "gzip, deflate"
# zlib's window sizes: 16 more means gzip's frame, less than 0 none at all.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_BARE_DEFLATE_BITS = -15


def decoder(content_encoding: str, pieces: List[bytes]) -> Callable[[bytes], None]:
    """What takes the body, and appends to `pieces`. Both raise DecodeError."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    codings = [name for name in names if name not in ("", "identity")]
    if not codings:
        return pieces.append
    if len(codings) > 1 or codings[0] not in _WINDOW_BITS:
        raise DecodeError(f"Content-Encoding {content_encoding!r}, where only gzip and deflate were offered")
    return _Decoder(_WINDOW_BITS[codings[0]], pieces).take


class _Decoder:
    def __init__(self, window_bits: int, pieces: List[bytes]) -> None:
        self._bits = window_bits
        self._pieces = pieces
        self._start = b""
        self._inflater: Any = None

    def take(self, data: bytes) -> None:
        import zlib  # here, as few servers compress

        if self._inflater is None:
            data = self._start = self._start + data
            if len(data) < 2:
                return
            framed = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0  # RFC 1950, 2.2
            if self._bits == _WINDOW_BITS["deflate"] and not framed:  # as it often comes
                self._bits = _BARE_DEFLATE_BITS
            self._inflater = zlib.decompressobj(self._bits)
        try:
            decoded = self._inflater.decompress(data)
            while self._inflater.eof and self._inflater.unused_data and self._bits == _WINDOW_BITS["gzip"]:
                data = self._inflater.unused_data  # RFC 1952, 2.2: the next member
                self._inflater = zlib.decompressobj(self._bits)
                decoded += self._inflater.decompress(data)
        except zlib.error as error:
            raise DecodeError(str(error)) from error
        if decoded:
            self._pieces.append(decoded)
