"""Where a cache keeps its entries: in memory or in a folder, so many and so large, the longest unused going first.

    store.put(key, value, size)      size in bytes
    store.get(key)                   the value, or None

Two classes with these methods, both safe to share between threads. Knows nothing of what an entry means.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any, Optional, Tuple, Union

# A file that is being written is done in a moment; one this old was left by a process that was killed.
ABANDONED_S = 3600.0


class Memory:
    """Values by key, the most recently used `max_entries` of them, of at most `max_bytes` together."""

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Any, Tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Any) -> Any:
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: Any, value: Any, size: int) -> None:
        with self._lock:
            self._bytes += size - self._entries.pop(key, (None, 0))[1]
            self._entries[key] = value, size
            while self._entries and (len(self._entries) > self.max_entries or self._bytes > self.max_bytes):
                self._bytes -= self._entries.popitem(last=False)[1][1]


class Folder:
    """The same for bytes, in files named KEY.answer: written beside and moved into place, so that no reader sees half
    of one; readable by their owner alone. `key` is the hex digits of a SHA-256. Several processes may share a folder.
    """

    def __init__(self, folder: Union[str, os.PathLike[str]], max_entries: int, max_bytes: int) -> None:
        self.folder = os.fspath(folder)
        self.max_entries, self.max_bytes = max_entries, max_bytes
        self._lock = threading.Lock()
        self._entries = self._bytes = 0
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._trim()

    def get(self, key: str) -> Optional[bytes]:
        path = os.path.join(self.folder, f"{key}.answer")
        # Not there, or just removed by another process: then it is asked for again.
        with suppress(OSError), open(path, "rb") as file:
            os.utime(path)  # its last use, for the trimming
            return file.read()
        return None

    def put(self, key: str, value: bytes, size: int) -> None:
        path = os.path.join(self.folder, f"{key}.answer")
        part = f"{path}.{os.getpid()}-{threading.get_ident()}"
        try:
            with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(value)
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                os.remove(part)
            raise
        with self._lock:
            self._entries, self._bytes = self._entries + 1, self._bytes + size
            if self._entries > self.max_entries or self._bytes > self.max_bytes:
                self._trim()

    def _trim(self) -> None:
        """Count what is there, other processes' too, and remove the longest unused: a tenth more than must be, so that
        this happens rarely. Only files of ours are looked at.
        """
        found = []
        with os.scandir(self.folder) as items:
            for item in items:
                with suppress(OSError):
                    if item.name[64:] == ".answer":
                        found.append((item.stat().st_mtime_ns, item.stat().st_size, item.path))
                    elif item.name[64:72] == ".answer." and item.stat().st_mtime < time.time() - ABANDONED_S:
                        os.remove(item.path)
        self._entries, self._bytes = len(found), sum(size for _, size, _ in found)
        share = 0.9 if self._entries > self.max_entries or self._bytes > self.max_bytes else 1.0
        for _, size, path in sorted(found):
            if self._entries <= self.max_entries * share and self._bytes <= self.max_bytes * share:
                return
            with suppress(OSError):
                os.remove(path)
            self._entries, self._bytes = self._entries - 1, self._bytes - size
