"""What undoes compression: whole and byte by byte, each row gives the same. How bodies of answers use it: test_http1.py."""

import gzip
import zlib

import pytest

from . import module

coding = module("protocol.coding")

TEXT = "data: zw\u00f6lf\n\n".encode() * 40


def bare_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


ROWS = [
    ("nothing to undo", "identity, ", TEXT, TEXT),
    ("gzip", "gzip", gzip.compress(TEXT), TEXT),
    ("its old name, in capitals", "identity, X-GZIP", gzip.compress(TEXT), TEXT),
    ("three members", "gzip", gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"three"), b"onethree"),
    ("deflate", "deflate", zlib.compress(TEXT), TEXT),
    ("deflate without zlib's frame", "deflate", bare_deflate(TEXT), TEXT),
    ("bytes behind deflate", "deflate", zlib.compress(TEXT) + b"more", TEXT),
]


@pytest.mark.parametrize("name, data, expected", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows(name, data, expected):
    """No piece is empty: that would look like the end of a body."""
    for step in (len(data), 1):
        pieces = []
        take = coding.decoder(name, pieces)
        for place in range(0, len(data), step):
            take(data[place : place + step])
        assert b"".join(pieces) == expected and all(pieces)


def test_what_has_come_is_given_out():
    """All that a piece allows, though its stream goes on."""
    compressor = zlib.compressobj(wbits=31)
    pieces = []
    take = coding.decoder("gzip", pieces)
    for text in (b"data: one\n\n", b"data: two\n\n"):
        take(compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))
        assert pieces.pop() == text


def test_other_codings_are_named():
    """One that nobody offered, two at once, and bytes that are not what the head says."""
    for name in ("br", "gzip, gzip", "gzip, zstd"):
        with pytest.raises(coding.DecodeError, match=f"Content-Encoding '{name}', where only gzip and deflate"):
            coding.decoder(name, [])
    for name in ("gzip", "deflate"):
        with pytest.raises(coding.DecodeError, match="decompressing"):
            coding.decoder(name, [])(b"\xffplain text")
