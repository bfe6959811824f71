"""Paying once: a door that keeps whole answers to repeated requests, and a memory for embeddings.

    client = Client(transport=CachingTransport(folder="answers"))      without a folder: in memory
    client.chat("Hi", temperature=0)                                   sent, paid, kept
    client.chat("Hi", temperature=0).cost                              0.0: the same bytes, with X-Client-Cache: hit

Kept are answers of POST .../chat/completions with temperature 0 or a seed, whole bodies and streams that came to their
end, and of POST .../embeddings. The same request is the same method, address and JSON, in whatever order of its keys;
headers don't count, and no key is stored or hashed. What is stored is the answer: it may quote what you asked. Files
are readable by their owner alone, and nothing grows old: delete the folder to begin anew.

Keeps nothing that broke off, failed, or quotes a key; judges no answer itself (that is protocol/answer.py). A hit costs
nothing and is not counted; a budget that is used up refuses it all the same, before it gets here.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Union
from urllib.parse import parse_qsl, urlsplit

from .client import Client
from .protocol.answer import StreamReader, read_answer
from .protocol.embedding import Embeddings, check_inputs
from .protocol.errors import APIError
from .protocol.feature_errors import BudgetExceeded
from .protocol.kept import KEPT_HEADER
from .protocol.redact import redact_text, secrets_of
from .protocol.wire import Request, ResponseHead
from .sender import open_transport
from .settings import Options
from .store import Folder, Memory
from .transport.base import Response, Transport
from .transport.memory import MemoryResponse, ScriptedReply

# Path -> the key whose list makes an answer, as read_answer takes it.
_REQUIRED = {"/chat/completions": "choices", "/embeddings": "data"}
# Of the head only these are kept: limits and dates would be yesterday's, lengths and encodings are undone.
_KEPT_HEADERS = frozenset(("content-type", "x-request-id", "request-id", "apim-request-id"))


class CachingTransport(Transport):
    """A door in front of another: what it has kept is answered at once. Safe to share between threads and clients.

    inner       the door behind: a Transport, or None for the default
    folder      where to keep answers, a file each; several processes may share it. None: in memory
    max_entries, max_bytes   what is kept at most; the longest unused goes first
    only_deterministic       False keeps every chat, also where the same request is meant to give different answers
    """

    def __init__(
        self,
        inner: Union[Transport, str, None] = None,
        folder: Union[str, os.PathLike[str], None] = None,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 256 * 1024 * 1024,
        only_deterministic: bool = True,
    ) -> None:
        self.inner = open_transport(inner)[0]
        self.name = f"cache over {self.inner.name}"
        self.only_deterministic = only_deterministic
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self._store = Memory(max_entries, max_bytes) if folder is None else Folder(folder, max_entries, max_bytes)
        self._lock = threading.Lock()

    def send(
        self, request: Request, *, connect_timeout_s: Optional[float], read_timeout_s: Optional[float]
    ) -> Response:
        """The kept answer, else the inner door's, kept for the next time once it is read to its end."""
        asked = asked_for(request, self.only_deterministic)
        kept = unpack(self._store.get(asked.key)) if asked else None
        with self._lock:
            self.hits += kept is not None
            self.misses += asked is not None and kept is None
        if kept is not None:
            return MemoryResponse(kept)
        response = self.inner.send(request, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s)
        if asked is None or response.head.status != 200:
            return response

        def keep(data: bytes, ended: bool) -> None:
            quoted = any(key.encode() in data for key in secrets_of(request.url, request.headers, request.body))
            if not quoted and is_whole(asked, response.head, data, ended):
                self._put(asked.key, pack(response.head, data))

        return Recording(response, self.max_bytes, keep)

    def _put(self, key: str, entry: bytes) -> None:
        try:
            self._store.put(key, entry, len(entry))
        except OSError as error:  # the caller has the answer, and a full disk must not take it away
            warnings.warn(f"an answer was not kept: {error}", RuntimeWarning, stacklevel=2)

    def sleep(self, seconds: float, wake: Optional[threading.Event] = None) -> None:
        self.inner.sleep(seconds, wake)

    def close(self) -> None:
        self.inner.close()


class Asked(NamedTuple):
    """A request whose answer may be kept: its key, its body, and the list that makes an answer to it."""

    key: str
    body: Dict[str, Any]
    required: str


def asked_for(request: Request, only_deterministic: bool) -> Optional[Asked]:
    """What a request asks for; None where its answer is not to be kept."""
    import hashlib  # at first use: it costs a millisecond of import

    target = urlsplit(request.url)
    body = _json(request.body)
    required = next((name for end, name in _REQUIRED.items() if target.path.endswith(end)), "")
    if request.method != "POST" or not required or not isinstance(body, dict):
        return None
    settled = body.get("temperature") == 0 or isinstance(body.get("seed"), int)
    if required == "choices" and only_deterministic and not settled:
        return None
    # A key may stand in the address, too: what would not be shown is not looked at.
    query = [pair for pair in parse_qsl(target.query, keep_blank_values=True) if _is_public(*pair)]
    host = target.netloc.rpartition("@")[2]
    same = json.dumps([target.scheme, host, target.path, sorted(query), body], sort_keys=True)
    return Asked(hashlib.sha256(same.encode("utf-8", "surrogatepass")).hexdigest(), body, required)


def _is_public(name: str, value: str) -> bool:
    return redact_text(f"?{name}={value}") == f"?{name}={value}"


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def is_whole(asked: Asked, head: ResponseHead, data: bytes, ended: bool) -> bool:
    """Whether `data` is a complete and good answer; `ended`: the body came to its end, and was not only left."""
    if asked.body.get("stream"):
        reader = StreamReader(head.status, head.headers)
        reader.feed(data)
        reader.close()
        return reader.complete and (ended or reader.done)
    try:
        read_answer(head.status, head.headers, data, required=asked.required)
    except APIError:
        return False
    return ended


def pack(head: ResponseHead, data: bytes) -> bytes:
    """An entry: a line of JSON about the answer, then its body."""
    headers = [pair for pair in head.headers.pairs if pair[0].lower() in _KEPT_HEADERS]
    about = {"reason": head.reason, "headers": headers, "bytes": len(data)}
    return json.dumps(about).encode() + b"\n" + data


def unpack(entry: Optional[bytes]) -> Optional[ScriptedReply]:
    """The answer of an entry; None for none, and for a file that was cut or is not ours."""
    line, _, data = (entry or b"").partition(b"\n")
    about = _json(line)
    if not isinstance(about, dict) or about.get("bytes") != len(data):
        return None
    headers = (*((name, value) for name, value in about["headers"]), KEPT_HEADER)
    return ScriptedReply(200, about["reason"], headers, (data,), None, "1.1")


class Recording(Response):
    """An answer on its way, remembered as it passes. `keep(data, ended)` is called once, when it is over."""

    def __init__(self, inner: Response, most_bytes: int, keep: Callable[[bytes, bool], None]) -> None:
        self.inner, self.head = inner, inner.head
        self._left_bytes = most_bytes
        self._pieces: List[bytes] = []
        self._keep: Optional[Callable[[bytes, bool], None]] = keep

    def read_some(self) -> bytes:
        piece = self.inner.read_some()
        self._left_bytes -= len(piece)
        if self._left_bytes < 0:
            self._keep, self._pieces = None, []
        if self._keep is not None:
            self._pieces.append(piece)
        if not piece:
            self._over(True)
        return piece

    def _over(self, ended: bool) -> None:
        keep, self._keep = self._keep, None
        if keep is not None:
            keep(b"".join(self._pieces), ended)
        self._pieces = []

    def set_read_timeout(self, seconds: Optional[float]) -> None:
        self.inner.set_read_timeout(seconds)

    def drain(self, limit_s: float) -> bool:
        self._over(False)
        return self.inner.drain(limit_s)

    def cancel(self) -> None:
        self._keep = None
        self.inner.cancel()

    def close(self) -> None:
        self._keep = None
        self.inner.close()


_NO_MATTER = frozenset((*Options._fields, "batch_size"))  # how it travels changes no vector


class EmbeddingCache:
    """`client.embed` with a memory: a text that has its vector is not sent again. Safe to share between threads.

    cache = EmbeddingCache(client, max_entries=10_000)
    cache.embed(texts)              # as client.embed; usage and cost are those of what was sent this time
    """

    def __init__(self, client: Client, max_entries: int = 10_000) -> None:
        self.client = client
        self._vectors = Memory(max_entries, max_bytes=1 << 62)

    def embed(
        self, texts: Any, *, model: str = "text-embedding-3-small", dimensions: Optional[int] = None, **options: Any
    ) -> Embeddings:
        """As Client.embed, with the same arguments and errors. A text that comes twice is sent once."""
        inputs = check_inputs(texts)
        told = [f"{name}={value!r}" for name, value in sorted(options.items()) if name not in _NO_MATTER]
        keys = [(model, dimensions, *told, item if isinstance(item, str) else tuple(item)) for item in inputs]
        known = {key: self._vectors.get(key) for key in keys}
        missing = {key: item for key, item in zip(keys, inputs) if known[key] is None}
        fresh = Embeddings(model)
        try:
            if missing:
                fresh = self.client.embed(list(missing.values()), model=model, dimensions=dimensions, **options)
        except (APIError, BudgetExceeded) as error:
            fresh = error.reply if isinstance(error.reply, Embeddings) else fresh
            raise
        finally:
            for key, vector in zip(missing, fresh):
                known[key] = vector
                self._vectors.put(key, vector, 0)
        fresh[:] = [known[key][:] for key in keys]  # copies: what a caller does to its own changes nothing here
        return fresh
