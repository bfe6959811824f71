"""Keeps secrets out of what the lab writes down, while it is written, byte for byte in its place.

    {"api_key":"sk-proj-abcdef0123456789"}     ->     {"api_key":"<key:3f2a91***********>"}

A body keeps its length: a chunk size or a Content-Length in front of it stays true, and a recording can be replayed.
The six hex digits are those of `protocol/redact.py`, so that "the same key or not" stays visible between header, body
and file. A secret of fewer than 12 bytes has no room for them and becomes stars.

What is hidden: whatever redact.py knows, the secrets in the headers and the address of the request at hand wherever
they turn up again, and the names that the user adds. What is not found, because nobody can read it byte by byte: a
secret inside a compressed or encrypted body, and one whose letters are spread over several JSON strings (a model that
spells a key, delta by delta) or interrupted by a chunk size of the HTTP framing.
"""

from __future__ import annotations

import re
from typing import Iterable, List, NamedTuple, Sequence, Tuple

from ..protocol.redact import is_word, mark, redact_headers, redact_text, secrets_of
from ..protocol.wire import HeaderPairs

# What keys, and passwords inside URLs, are made of. A read that ends in such a run may end inside a secret. Quotes,
# braces and white space end it: an event or a JSON document that is whole is not waited for.
_KEY_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-*.~+/=:%!$&(),;?@^|#"
# Beyond this length a run is no key but an image in base64, and waiting for its end would hold back the whole body.
LONGEST_KEY_BYTES = 2048
LONGEST_FIELD_BYTES = 65536  # the same for the value of a field that the user named
_CONTEXT_BYTES = 64  # what stands before a key and gives it away: `Authorization: Bearer `, `"api_key": "`
_QUERY_SECRET = re.compile(
    r"(?i)[?&;](?:api[-_]?key|key|token|access_token|sig|signature|code|subscription-key)=([^&#]+)"
)
_USERINFO_SECRET = re.compile(r"(?i)\A[a-z][a-z0-9+.\-]*://([^/?#]*)@")


class Hider:
    """Knows the secrets of one exchange.

    secrets  strings to hide wherever they stand
    headers  further header names whose values are secrets, beside Authorization, api-key, x-api-key, cookies ...
    fields   further names of JSON fields whose string values are secrets, beside api_key and its like
    """

    def __init__(self, secrets: Iterable[str] = (), *, headers: Iterable[str] = (), fields: Iterable[str] = ()) -> None:
        self._learn(secrets)
        self._headers = frozenset(name.lower() for name in headers)
        names = "|".join(_as_latin(re.escape(name)) for name in fields)
        # Escaped quotes belong to the string: the value ends at the first quote that stands alone.
        self._fields = re.compile(rf'("(?:{names})"\s*:\s*")((?:[^"\\]|\\.)+)', re.DOTALL) if names else None
        self._open_field = re.compile(rf'"(?:{names})"\s*:\s*"((?:[^"\\]|\\.)*\\?)\Z', re.DOTALL) if names else None

    def _learn(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(dict.fromkeys(secret for secret in secrets if secret))
        forms = dict.fromkeys(form for secret in self._secrets for form in _forms(secret))
        self._forms = tuple(forms)
        self._form_bytes = tuple(form.encode("latin-1") for form in forms)

    def for_request(self, url: str, headers: HeaderPairs, body: bytes = b"") -> Hider:
        """One that also knows the secrets of this request, so that they are hidden in its answer."""
        found = secrets_of(url, headers, body)
        found += [value for name, value in headers if name.lower() in self._headers]
        if self._fields is not None:
            named = self._fields.finditer(body.decode("latin-1"))
            found += [each[2].encode("latin-1").decode("utf-8", "replace") for each in named]
        for value in (*_QUERY_SECRET.findall(url), *_USERINFO_SECRET.findall(url)):
            found += [form for part in (value, value.rpartition(":")[2]) for form in (part, *_unquoted(part))]
        wiser = Hider.__new__(Hider)
        wiser._learn((*self._secrets, *(secret for secret in found if not is_word(secret))))
        wiser._headers, wiser._fields, wiser._open_field = self._headers, self._fields, self._open_field
        return wiser

    def pairs(self, pairs: HeaderPairs) -> HeaderPairs:
        """Header pairs for the file, in order."""
        shown = redact_headers(pairs, self._secrets)
        return tuple(
            (name, mark(value) if name.lower() in self._headers else text)
            for (name, value), (_, text) in zip(pairs, shown)
        )

    def text(self, text: str) -> str:
        """A URL, an error's text: its length may change."""
        return redact_text(text, self._secrets)

    def body(self, data: bytes) -> bytes:
        """A body, or a run of it, with every secret replaced by as many other bytes."""
        # Latin-1 gives every byte a character and back, so that patterns made for text see bytes in their places.
        text = data.decode("latin-1")
        hidden = redact_text(text, self._forms, star_out)
        if self._fields is not None:
            hidden = self._fields.sub(lambda found: found[1] + _star_out_once(found[2]), hidden)
        return hidden.encode("latin-1") if hidden != text else data

    def stream(self) -> StreamHider:
        """For a body that comes read by read."""
        return StreamHider(self)

    def might_begin(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a secret."""
        tail = data[-LONGEST_KEY_BYTES - 1 :]
        length = len(tail) - len(tail.rstrip(_KEY_LETTERS))
        if length > LONGEST_KEY_BYTES:
            length = 0
        for known in self._form_bytes:
            for size in range(min(len(known) - 1, len(data)), length, -1):
                if data.endswith(known[:size]):
                    length = size
                    break
        return max(length, self._open_field_length(data))

    def _open_field_length(self, data: bytes) -> int:
        """How many bytes at the end belong to the value of a named field whose end is not here yet."""
        if self._open_field is None:
            return 0
        found = self._open_field.search(data[-LONGEST_FIELD_BYTES - _CONTEXT_BYTES :].decode("latin-1"))
        return len(found[1]) if found else 0


def _forms(secret: str) -> List[str]:
    """How a secret may stand in a body: as it is, and as a JSON string has it, with or without \\u escapes."""
    import json

    escaped = [json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True)]
    return [_as_latin(form) for form in dict.fromkeys((secret, *escaped))]


def _as_latin(text: str) -> str:
    """Each byte of its UTF-8 as a character."""
    return text.encode("utf-8", "replace").decode("latin-1")


def star_out(text: str) -> str:
    """A mark of the same length for a secret that is written a character a byte; its digits are the secret's own."""
    digits = mark(text.encode("latin-1").decode("utf-8", "replace"))
    room = len(text) - len(digits)
    return f"{digits[:-1]}{'*' * room}>" if room >= 0 else "*" * len(text)


def _star_out_once(value: str) -> str:
    return value if re.fullmatch(r"<key:[0-9a-f]{6}\**>|\*+", value) else star_out(value)


def _unquoted(value: str) -> List[str]:
    from urllib.parse import unquote

    return [unquote(value)] if "%" in value else []


class Held(NamedTuple):
    """A read on its way to the file."""

    at_us: int
    data: bytes


class StreamHider:
    """Hides secrets in a body that comes in reads, also one that a read's end cuts in two. No read changes its length.

    A read that may end inside a secret is held until the next one shows what it was; so `feed` may give back nothing,
    or several reads. `close` gives back the rest.
    """

    def __init__(self, hider: Hider) -> None:
        self._hider = hider
        self._context = b""  # the last bytes that were given back
        self._held: List[Held] = []

    def feed(self, data: bytes, at_us: int) -> Sequence[Held]:
        """The reads that are ready for the file, in order."""
        self._held.append(Held(at_us, data))
        joined = self._join()
        return self._give(joined, len(joined) - self._hider.might_begin(joined))

    @property
    def held_bytes(self) -> int:
        """How much has come and waits for the next read."""
        return sum(len(held.data) for held in self._held)

    def close(self) -> Sequence[Held]:
        joined = self._join()
        return self._give(joined, len(joined))

    def _join(self) -> bytes:
        return self._context + b"".join(held.data for held in self._held)

    def _give(self, joined: bytes, safe_bytes: int) -> Sequence[Held]:
        """Those reads that end within the first `safe_bytes`."""
        given: List[Held] = []
        place = len(self._context)
        if not self._held or place + len(self._held[0].data) > safe_bytes:
            return given
        hidden = self._hider.body(joined)
        while self._held and place + len(self._held[0].data) <= safe_bytes:
            first = self._held.pop(0)
            given.append(Held(first.at_us, hidden[place : place + len(first.data)]))
            place += len(first.data)
        # The context stays as it came: what gave a key away must still do so for the read that continues it.
        open_bytes = self._hider.might_begin(joined[:place])
        self._context = joined[max(place - open_bytes - _CONTEXT_BYTES, 0) : place]
        return given


def hidden_together(hider: Hider, pieces: Iterable[Tuple[int, bytes]]) -> List[Held]:
    """All reads of a body that is already here."""
    stream = hider.stream()
    ready = [held for at_us, data in pieces for held in stream.feed(data, at_us)]
    return [*ready, *stream.close()]
