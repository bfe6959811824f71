"""Files to send and files that come: a multipart body built by hand, and the bytes of a download.

    --boundary\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n
    --boundary\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n
    Content-Type: application/octet-stream\r\n\r\n...\r\n--boundary--\r\n

The form is RFC 7578's. A file is bytes, an open binary file, a path, or (name, one of those, content type).
"""

from __future__ import annotations

import json
import os
from typing import Any, Iterator, List, Mapping, Optional, Tuple

from ..protocol.errors import PayloadError
from ..protocol.wording import cure_for, kind_of
from .exchange import HttpResponse


def multipart(fields: Mapping[str, Any], name: str, file: Any) -> Tuple[bytes, str]:
    """(body, content type) of a form with `fields` and a file. Raises PayloadError for what is no file."""
    boundary = os.urandom(16).hex()
    filename, content, content_type = read_file(file)
    parts = [_part(f'name="{_escaped(key)}"', value.encode()) for key, value in _flat(fields)]
    parts.append(_part(f'name="{name}"; filename="{_escaped(filename)}"', content, content_type))
    opening = f"--{boundary}\r\n".encode()
    body = b"".join(opening + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _part(disposition: str, content: bytes, content_type: str = "") -> bytes:
    typed = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"Content-Disposition: form-data; {disposition}\r\n{typed}\r\n".encode() + content


def _escaped(name: str) -> str:
    # The HTML standard's "multipart/form-data encoding algorithm", which is what servers are tested with.
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _flat(fields: Mapping[str, Any], prefix: str = "") -> List[Tuple[str, str]]:
    """`{"expires_after": {"seconds": 60}}` as `expires_after[seconds]=60`, which is how the API reads it."""
    found: List[Tuple[str, str]] = []
    for key, value in fields.items():
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, Mapping):
            found += _flat(value, name)
        else:
            found.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return found


def read_file(file: Any) -> Tuple[str, bytes, str]:
    """(name, content, content type) of what was given as a file."""
    name, content_type = "", "application/octet-stream"
    if isinstance(file, tuple):
        if not 2 <= len(file) <= 4:
            raise PayloadError(
                f"a file as a tuple is (name, content, content type), got {len(file)} items", path="file"
            )
        name, content_type = str(file[0] or ""), (file[2] if len(file) > 2 and file[2] else content_type)
        file = file[1]
    if isinstance(file, (bytes, bytearray)):
        return name or "upload", bytes(file), content_type
    if isinstance(file, os.PathLike):
        with open(file, "rb") as opened:
            return name or os.path.basename(os.fspath(file)), opened.read(), content_type
    if hasattr(file, "read"):
        content = file.read()
        own_name = os.path.basename(str(getattr(file, "name", "") or ""))
        return name or own_name or "upload", content.encode() if isinstance(content, str) else content, content_type
    wanted = "file must be bytes, an open file, a path (pathlib.Path) or a tuple (name, content)"
    raise PayloadError(f"{wanted}, got {kind_of(file)}{cure_for(file)}", path="file")


class BinaryContent:
    """The bytes of a download: `.content`, `.text`, `.json()`, `.iter_lines()`, `.write_to_file(path)`."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response
        self.content = response.content

    @property
    def text(self) -> str:
        return self.response.text

    def json(self) -> Any:
        return json.loads(self.content)

    def read(self) -> bytes:
        return self.content

    def iter_bytes(self, chunk_size: Optional[int] = None) -> Iterator[bytes]:
        size = chunk_size or max(1, len(self.content))
        return (self.content[start : start + size] for start in range(0, len(self.content), size))

    def iter_text(self, chunk_size: Optional[int] = None) -> Iterator[str]:
        text = self.text
        size = chunk_size or max(1, len(text))
        return (text[start : start + size] for start in range(0, len(text), size))

    def iter_lines(self) -> Iterator[str]:
        return (line.rstrip("\r") for line in self.text.removesuffix("\n").split("\n") if self.content)

    def write_to_file(self, file: Any) -> None:
        """Write it to a path."""
        with open(file, "wb") as opened:
            opened.write(self.content)

    def stream_to_file(self, file: Any) -> None:
        self.write_to_file(file)

    async def aread(self) -> bytes:
        return self.content

    def close(self) -> None:
        """Nothing is open."""

    def __repr__(self) -> str:
        return f"<BinaryContent, {len(self.content)} bytes>"
