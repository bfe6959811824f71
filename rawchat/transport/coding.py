"""Undoes the compression of a body: gzip and deflate (RFC 9110, 8.4.1), as its pieces come.

    < Content-Encoding: gzip            decoder_for("gzip").decode(piece) -> all that this piece allows

"deflate" should have zlib's frame and in the wild often has none. Loaded when an answer names a coding. Raises what
zlib raises; `http1.py` makes its own error of that.
"""

from __future__ import annotations

import zlib
from typing import Optional

# zlib's window sizes: 16 more means gzip's frame, less than 0 none at all.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_BARE_DEFLATE_BITS = -15


def decoder_for(coding: str) -> Optional[Decoder]:
    """None for a coding that is not known here."""
    return Decoder(coding) if coding in _WINDOW_BITS else None


class Decoder:
    """Undoes one body's coding."""

    failure = zlib.error

    def __init__(self, coding: str) -> None:
        self._bits = _WINDOW_BITS[coding]
        self._inflater = zlib.decompressobj(self._bits)
        self._start: Optional[bytes] = b"" if coding == "deflate" else None  # two bytes tell whether there is a frame

    def decode(self, data: bytes) -> bytes:
        if self._start is not None:
            data = self._start + data
            self._start = data if len(data) < 2 else None
            if self._start is not None:
                return b""
            if data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31:  # RFC 1950, 2.2
                self._bits = _BARE_DEFLATE_BITS
                self._inflater = zlib.decompressobj(self._bits)
        decoded = self._inflater.decompress(data)
        while self._inflater.eof and self._inflater.unused_data and self._bits == _WINDOW_BITS["gzip"]:
            data = self._inflater.unused_data  # RFC 1952, 2.2: the next member
            self._inflater = zlib.decompressobj(self._bits)
            decoded += self._inflater.decompress(data)
        return decoded
