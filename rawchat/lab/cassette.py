r"""Cassettes: recorded exchanges in a file, JSON Lines, one event a line, written as it happens.

    {"format":"chat-cassette","version":1}
    {"event":"session","at":"2026-11-21T10:20:00.250000Z","source":"tap"}
    {"event":"request","id":1,"t_us":0,"method":"POST","url":"http://127.0.0.1:8080/v1/chat/completions",...}
    {"event":"head","id":1,"t_us":412000,"status":200,"reason":"OK","headers":[["Content-Type","text/event-stream"]],...}
    {"event":"read","id":1,"t_us":412100,"text":"f6\r\ndata: {\"id\":\"c1\",...}\n\n\r\n"}
    {"event":"end","id":1,"t_us":3100000,"how":"eof","whole":true}

    with record(client, "calls.jsonl"):             what a client of ours sends and gets, from here on
        client.chat("Hi")

A crash, a break or Ctrl-C leaves all that came before it. cassette.md, beside this file, documents every field. Reading
is lenient where the file was cut off, and strict where it is no cassette. What the bytes mean is exchange.py's part.
"""

from __future__ import annotations

import json
import os
import threading
import warnings
from typing import Any, BinaryIO, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

from ..protocol.errors import PayloadError
from .exchange import Exchange
from .hiding import Hider
from .library_recorder import LibraryRecorder
from .recording import Recording

FORMAT = "chat-cassette"
VERSION = 1


class CassetteError(PayloadError):
    """This file is no cassette, or has no such exchange."""


class Cassette(NamedTuple):
    """What a file holds. `flaws` says in words what could not be read, by line."""

    path: str
    exchanges: List[Exchange]
    flaws: List[str]

    def find(self, number: int) -> Exchange:
        """Exchange #number. Raises CassetteError, which says which there are."""
        for exchange in self.exchanges:
            if exchange.number == number:
                return exchange
        there = ", ".join(f"#{exchange.number}" for exchange in self.exchanges[:12]) or "none"
        more = " ..." if len(self.exchanges) > 12 else ""
        raise CassetteError(f"{self.path} has no exchange #{number}; there are: {there}{more}")


class CassetteWriter:
    """A sink of records (see recording.py) that writes them to `path`, each line whole and at once.

    A cassette that is there already is continued: `next_number` goes on where it ended. Raises CassetteError where the
    file is something else, OSError where it cannot be written. Safe to share between threads.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.next_number = 1
        self._lock = threading.Lock()
        torn = self._look(path)
        # Unbuffered and in append mode: a line is in the file when the call returns, also for a second process.
        self._file: BinaryIO = open(path, "ab", buffering=0)  # noqa: SIM115
        if torn:  # the last line was cut off by a crash; the next one must not become a part of it
            self._file.write(b"\n")
        if self._file.tell() == 0:
            self({"format": FORMAT, "version": VERSION})

    def _look(self, path: str) -> bool:
        """Read what is there already. True: its last line has no end."""
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return False
        if not data:
            return False
        there = parse(data, path)
        self.next_number = max((exchange.number for exchange in there.exchanges), default=0) + 1
        return not data.endswith(b"\n")

    def __call__(self, record: Mapping[str, Any]) -> None:
        line = encode_line(record)
        with self._lock:
            self._file.write(line)

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def __enter__(self) -> CassetteWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def record(
    client: Any,
    path: Union[str, os.PathLike[str]],
    *,
    secrets: Iterable[str] = (),
    headers: Iterable[str] = (),
    fields: Iterable[str] = (),
) -> ClientRecording:
    """Write all that `client` sends and gets from now on to the cassette at `path`, until the end of the block.

        with record(client, "calls.jsonl"):
            client.chat("Hi")

    client    a Client, AsyncClient, or one of the SDK's shape (OpenAI, AsyncOpenAI, Azure's)
    secrets, headers, fields   what to hide beside the keys that are known as such: strings, names of headers whose
              values are secrets, names of JSON fields whose values are; see hiding.py

    Also without a block: keep what comes back, and `close()` it. A cassette that is there is continued. What the file
    system refuses while recording is warned of, and the client's calls go on. Raises CassetteError, OSError.
    """
    return ClientRecording(client, os.fspath(path), Hider(secrets, headers=headers, fields=fields))


class ClientRecording:
    """A client under recording; made by `record`. `exchanges` of it are read back with `read_cassette(path)`."""

    def __init__(self, client: Any, path: str, hider: Hider) -> None:
        self.path = path
        self._writer = CassetteWriter(path)
        self._failed = False
        recording = Recording([self._write], source="library", hider=hider, first_number=self._writer.next_number)
        self._recorder = LibraryRecorder(recording)
        # The SDK's shape stands over a client of ours, `client.client`, and makes of it the one of each call.
        self._leave = getattr(client, "client", client).listen(self._recorder)

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._failed:
            return
        try:
            self._writer(record)
        except OSError as problem:  # a full disk must not break the program that is looked at
            self._failed = True
            warnings.warn(f"the recording in {self.path} ends here: {problem}", RuntimeWarning, stacklevel=2)

    def close(self) -> None:
        """Stop listening, and close the file. Safe to call twice."""
        self._leave()
        self._recorder.close()
        self._writer.close()

    def __enter__(self) -> ClientRecording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode_line(record: Mapping[str, Any]) -> bytes:
    """One line of a cassette. Lone surrogates, which UTF-8 cannot hold, stay escaped."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def read_cassette(path: str) -> Cassette:
    """All exchanges of a file, in order. Raises CassetteError, OSError."""
    with open(path, "rb") as file:
        return parse(file.read(), path)


def parse(data: bytes, path: str = "the data") -> Cassette:
    """Bytes of a cassette -> its exchanges. A line that cannot be read is a flaw, and the rest is kept."""
    # Split at \n alone: U+2028 and its kind stand raw in the JSON of many servers.
    lines = data.split(b"\n")
    _check_header(lines[0], path)
    found: Dict[int, Exchange] = {}
    flaws: List[str] = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            _apply(found, json.loads(line.decode("utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            cut_off = " (the file was cut off here)" if number == len(lines) else ""
            flaws.append(f"line {number}: {type(problem).__name__}: {problem}{cut_off}")
    return Cassette(path, list(found.values()), flaws)


def _check_header(line: bytes, path: str) -> None:
    try:
        header = json.loads(line.decode("utf-8-sig"))  # some editors begin a file with a byte order mark
        name, version = header["format"], header["version"]
    except (ValueError, KeyError, TypeError) as problem:
        raise CassetteError(f"{path} is no cassette: its first line names no format and version") from problem
    if name != FORMAT:
        raise CassetteError(f"{path} is no cassette: its format is {name!r}, not {FORMAT!r}")
    if version != VERSION:
        raise CassetteError(f"{path} is a cassette of version {version!r}; this reader knows version {VERSION}")


def _apply(found: Dict[int, Exchange], record: Mapping[str, Any]) -> None:
    if record.get("event") == "request":
        exchange = Exchange(record["id"])
        exchange.apply(record)
        found[record["id"]] = exchange
    elif "id" in record:
        if record["id"] not in found:
            raise ValueError(f"exchange {record['id']!r} has no request before this line")
        found[record["id"]].apply(record)


def select(name: str, number: Optional[int] = None) -> Tuple[Cassette, Optional[Exchange]]:
    """What a person means by "calls.jsonl" or "calls.jsonl#3": the cassette, and the exchange where one is named.

    A file whose own name has a # in it is found, too. Raises CassetteError, OSError.
    """
    if not os.path.exists(name):
        path, mark, digits = name.rpartition("#")
        if mark and digits.isascii() and digits.isdigit():
            name, number = path, int(digits)
    cassette = read_cassette(name)
    return cassette, None if number is None else cassette.find(number)


def select_one(name: str) -> Exchange:
    """The exchange of "calls.jsonl#3", or of "calls.jsonl" where it holds just one. Raises CassetteError, OSError."""
    cassette, exchange = select(name)
    if exchange is not None:
        return exchange
    if len(cassette.exchanges) != 1:
        raise CassetteError(
            f"{name} holds {len(cassette.exchanges)} exchanges; say which one, for example {name}#"
            f"{cassette.exchanges[0].number if cassette.exchanges else 1}"
        )
    return cassette.exchanges[0]
