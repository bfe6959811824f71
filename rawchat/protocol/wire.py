"""What crosses the wire.

    > POST /v1/chat/completions HTTP/1.1          Request
    < HTTP/1.1 200 OK                             ResponseHead
    < data: {"choices":[{"index":0,"delta":...    a piece of the body, as bytes

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping  # typing's own are slow in isinstance
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Tuple, Union

from .redact import redact_headers, redact_text

HeaderPairs = Tuple[Tuple[str, str], ...]
TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~\-]+"  # names a header, RFC 9110 section 5.6.2


class Headers(Mapping[str, str]):
    """Read in any case, and repeated ones as one, joined by a comma (RFC 9110 section 5). `pairs`: as they came."""

    def __init__(self, pairs: Union[Iterable[Tuple[str, str]], Mapping[str, str]] = ()) -> None:
        self.pairs: HeaderPairs = tuple(pairs.items() if isinstance(pairs, Mapping) else pairs)
        self._values: Dict[str, str] = {}
        for name, value in self.pairs:
            lower = name.lower()
            self._values[lower] = f"{self._values[lower]}, {value}" if lower in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    if not TYPE_CHECKING:  # typed as Mapping's own, which raises and catches for each absent name

        def get(self, name, default=None):
            return self._values.get(name.lower(), default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({redact_headers(self.pairs)!r})"


def parse_number(text: str) -> Optional[float]:
    """A plain decimal number; "nan" and "1_000", which float() takes, are none."""
    found = re.fullmatch(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", text.strip())
    return float(found[0]) if found else None


class Request(NamedTuple):
    """Complete but for Host and framing."""

    method: str
    url: str
    headers: HeaderPairs
    body: bytes = b""

    def __repr__(self) -> str:
        shown = f"{self.method} {redact_text(self.url)}, headers={redact_headers(self.headers)!r}"
        return f"Request({shown}, body={len(self.body)} bytes)"


class ResponseHead(NamedTuple):
    status: int
    reason: str
    headers: Headers
    http_version: str = "1.1"
    reused: Optional[bool] = None  # whether the connection was open before


class DecodeError(Exception):
    """A body is not in the Content-Encoding that its head names."""
