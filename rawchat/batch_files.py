"""The two files of a bulk run: IN, checked before anything is sent; OUT, which a kill at any instant leaves usable.

    IN   {"custom_id":"row-17","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[...]}}
    OUT  {"id":"batch_req_x","custom_id":"row-17","error":null,
          "response":{"status_code":200,"request_id":"r","body":{"choices":[...],"usage":{...}}}}
    OUT  {"id":"batch_req_y","custom_id":"row-18","error":null,
          "response":{"status_code":400,"request_id":"r","body":{"error":{"message":"..."}}}}
    OUT  {"id":"batch_req_z","custom_id":"row-19","response":null,"error":{"code":"timeout","message":"..."}}

Both as in OpenAI's Batch API (API reference, "Batch": "The request input object", "The request output object"), which
vLLM's run-batch and other providers copy. Lines end at LF and nowhere else: U+2028 inside an answer is no line end.

Neither file is ever held in memory. What is kept is a table of the custom_ids, 26 to 52 bytes a line (see `IdTable`).
Sends nothing, and knows no clock. Whoever uses an `Output` from several threads brings a lock.
"""

from __future__ import annotations

import contextlib
import json
import os
from io import FileIO
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

from .protocol.errors import PayloadError
from .protocol.payload import encode_payload


class Endpoint(NamedTuple):
    """What a row's `url` stands for: the path below base_url, and the list that a good answer holds ("": none)."""

    path: str
    required: str


# The endpoints that the Batch API takes, as far as they take and give JSON.
ENDPOINTS: Dict[str, Endpoint] = {
    "/v1/chat/completions": Endpoint("chat/completions", "choices"),
    "/v1/completions": Endpoint("completions", "choices"),
    "/v1/embeddings": Endpoint("embeddings", "data"),
    "/v1/moderations": Endpoint("moderations", "results"),
    "/v1/responses": Endpoint("responses", "output"),
    # Azure's files leave the version out.
    "/chat/completions": Endpoint("chat/completions", "choices"),
    "/embeddings": Endpoint("embeddings", "data"),
}

MOST_PROBLEMS = 20  # told one by one; of the others, only the number

PENDING, DONE, FAILED = 0, 1, 2  # what OUT says about a custom_id: nothing, a good answer, an error


class Row(NamedTuple):
    """One line of IN that can be sent."""

    line: int
    custom_id: str
    url: str
    body: Dict[str, Any]
    size_bytes: int

    @property
    def endpoint(self) -> Endpoint:
        return ENDPOINTS[self.url]

    @property
    def model(self) -> str:
        return str(self.body["model"])


class Problem(NamedTuple):
    """One line of IN that cannot, and why."""

    line: int
    what: str


# ---- IN


def read_rows(path: str) -> Iterator[Union[Row, Problem]]:
    """The lines of IN, one by one; blank ones are skipped."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):  # of bytes: LF alone ends a line
            if number == 1 and line.startswith(b"\xef\xbb\xbf"):
                line = line[3:]  # a BOM, from an editor on Windows
            if not line.strip():
                continue
            try:
                yield read_row(number, line)
            except ValueError as error:  # PayloadError is one
                yield Problem(number, str(error))


def read_row(number: int, line: bytes) -> Row:
    """A Row, or ValueError with what is wrong."""
    try:
        document = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("is no JSON object")
    for wrong, what in _checks(document):
        if wrong:
            raise ValueError(what)
    encode_payload(document["body"])  # whatever else cannot be sent (half a character) is found here, not after an hour
    return Row(number, document["custom_id"], document["url"], document["body"], len(line))


def _checks(row: Dict[str, Any]) -> Iterator[Tuple[bool, str]]:
    """(whether it is wrong, the sentence that says so), in the order of a line's fields."""
    custom_id, method, url, body = (row.get(name) for name in ("custom_id", "method", "url", "body"))
    yield custom_id is None or custom_id == "", "has no custom_id: without one, its answer could not be told apart"
    yield not isinstance(custom_id, str), f"has a custom_id that is no string: {_shown(custom_id)}"
    yield method != "POST", f'has the method {_shown(method)}; it must be "POST"'
    yield (
        not isinstance(url, str) or url not in ENDPOINTS,
        f"has the url {_shown(url)}; known are {', '.join(ENDPOINTS)}",
    )
    yield not isinstance(body, dict), f"has a body that is no object: {_shown(body)}"
    model = body.get("model") if isinstance(body, dict) else None
    yield not isinstance(model, str) or not model, f"has a body whose model is {_shown(model)}; it must be a name"
    streamed = isinstance(body, dict) and bool(body.get("stream"))
    yield streamed, "asks for a stream: a batch gives whole answers, so leave body.stream out"


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return "missing" if value is None else text if len(text) <= 60 else text[:59] + "…"


def _no_constant(name: str) -> None:
    raise ValueError(f"is not JSON: it holds {name}")


class IdTable:
    """Which custom_ids there are, and a mark and a place for each: a packed hash table, for a million of them.

    A slot is a digest of 16 bytes and a mark of one; between a third and two thirds of the slots are in use, so a line
    takes 26 to 52 bytes (a set of the strings themselves takes about 130). While it grows, the old table stands beside
    the new one. Digests of 128 bits of different ids don't meet: among a million, the odds are 1 to 10^27.
    """

    _FREE = bytes(16)

    def __init__(self) -> None:
        self.count = 0
        self._slots = 1024  # a power of two, so that a slot is a few bits of the digest
        self._digests = bytearray(16 * self._slots)
        self._marks = bytearray(self._slots)

    def __len__(self) -> int:
        return self._slots

    def add(self, custom_id: str) -> bool:
        """Whether it is new."""
        from hashlib import blake2b  # loads OpenSSL's bindings, which a single call does not need

        if 3 * self.count >= 2 * self._slots:
            self._grow()
        digest = blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        slot = self._slot(digest)
        if self._digests[16 * slot : 16 * slot + 16] == digest:
            return False
        self._digests[16 * slot : 16 * slot + 16] = digest
        self.count += 1
        return True

    def find(self, custom_id: str) -> int:
        """Its slot, or -1. A slot stays the same until the next `add`."""
        from hashlib import blake2b

        digest = blake2b(custom_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        slot = self._slot(digest)
        return slot if self._digests[16 * slot : 16 * slot + 16] == digest else -1

    def mark_of(self, slot: int) -> int:
        return self._marks[slot]

    def set_mark(self, slot: int, mark: int) -> None:
        self._marks[slot] = mark

    def _slot(self, digest: bytes) -> int:
        """Where a digest is, or would go: its own slot or the next free one after it (linear probing)."""
        slot = int.from_bytes(digest[:8], "little") & (self._slots - 1)
        while True:
            found = self._digests[16 * slot : 16 * slot + 16]
            if found in (digest, self._FREE):
                return slot
            slot = (slot + 1) & (self._slots - 1)

    def _grow(self) -> None:
        digests, marks = self._digests, self._marks
        self._slots *= 2
        self._digests, self._marks = bytearray(16 * self._slots), bytearray(self._slots)
        for at in range(0, len(digests), 16):
            digest = bytes(digests[at : at + 16])
            if digest != self._FREE:
                slot = self._slot(digest)
                self._digests[16 * slot : 16 * slot + 16] = digest
                self._marks[slot] = marks[at // 16]


class Inspection(NamedTuple):
    """What a first reading of IN found."""

    ids: IdTable
    models: Set[str]

    @property
    def rows(self) -> int:
        return self.ids.count


def inspect_input(path: str) -> Inspection:
    """Read IN once, and raise PayloadError with the line numbers of all that is wrong with it."""
    ids, models = IdTable(), set()
    problems: List[Problem] = []
    repeated: Dict[int, str] = {}
    wrong = 0
    for row in read_rows(path):
        if isinstance(row, Row):
            models.add(row.model)
            if ids.add(row.custom_id):
                continue
            problem = Problem(row.line, "")
            if len(problems) < MOST_PROBLEMS:
                repeated[row.line] = row.custom_id
                problem = Problem(row.line, f"has a custom_id that stands before: {_shown(row.custom_id)}")
        else:
            problem = row
        wrong += 1
        if len(problems) < MOST_PROBLEMS:
            problems.append(problem)
    if wrong:
        raise _refusal(path, problems, wrong, _first_lines(path, repeated))
    if not ids.count:
        raise PayloadError(f"{path} holds no rows; each line is one request, as in the Batch API's input file")
    return Inspection(ids, models)


def _first_lines(path: str, repeated: Dict[int, str]) -> Dict[int, int]:
    """line of a repetition -> where that custom_id stood first. Reads IN again, which only a mistake costs."""
    first: Dict[str, int] = {}
    wanted = set(repeated.values())
    for row in read_rows(path) if repeated else ():
        if isinstance(row, Row) and row.custom_id in wanted:
            first.setdefault(row.custom_id, row.line)
    return {line: first[custom_id] for line, custom_id in repeated.items()}


def _refusal(path: str, problems: List[Problem], wrong: int, first: Dict[int, int]) -> PayloadError:
    lines = [f"{path}: {wrong:,} {'line' if wrong == 1 else 'lines'} cannot be sent; nothing was sent"]
    for line, what in problems:
        lines.append(f"  line {line:,} {what}" + (f" (line {first[line]:,})" if line in first else ""))
    if wrong > len(problems):
        lines.append(f"  and {wrong - len(problems):,} more")
    return PayloadError("\n".join(lines), path=f"line {problems[0].line}")


# ---- OUT


class Result(NamedTuple):
    """One line of OUT. `at` is its offset in bytes."""

    at: int
    custom_id: str
    status: Optional[int]
    body: Any
    failed: bool


def result_line(
    row_id: str,
    custom_id: str,
    *,
    status: Optional[int] = None,
    request_id: str = "",
    body: Any = None,
    error: Any = None,
) -> bytes:
    """One line of OUT, with its LF. Without a `status` there was no response, and `error` says why."""
    response = None if status is None else {"status_code": status, "request_id": request_id, "body": body}
    document = {"id": row_id, "custom_id": custom_id, "response": response, "error": error}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        # Inside a JSON string, and nowhere else: line ends for programs that split text by Unicode's rules.
        for end in ("\x85", "\u2028", "\u2029"):
            if end in text:
                text = text.replace(end, f"\\u{ord(end):04x}")
        return text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:  # half a character, which JSON can escape and UTF-8 cannot hold
        return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def read_result(line: bytes, at: int = 0) -> Optional[Result]:
    """A line of OUT; None for anything else."""
    try:
        document = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("custom_id"), str) or "response" not in document:
        return None
    response = document["response"] if isinstance(document["response"], dict) else {}
    status = response.get("status_code")
    status = status if isinstance(status, int) else None
    failed = status is None or not 200 <= status < 300 or document.get("error") is not None
    return Result(at, document["custom_id"], status, response.get("body"), failed)


class Output:
    """OUT, opened to go on where an earlier run ended. One run at a time: the file is locked where the system can.

    A line is written whole and at once, past every buffer of Python's: what `append` returned from, no kill can lose.
    (A power cut can: the disk is waited for only at the end of the run.)
    """

    def __init__(self, path: str) -> None:
        """Raises PayloadError where the file is something else, or in use by another run; OSError as `open` does."""
        self.path = path
        self._file = self._opened()
        try:
            self._mend()
        except BaseException:
            self._file.close()
            raise

    def _opened(self) -> FileIO:
        file = open(self.path, "a+b", buffering=0)  # noqa: SIM115 - lives as long as the run
        try:
            _lock(file, self.path)
        except BaseException:
            file.close()
            raise
        return file

    def _mend(self) -> None:
        """Cut off a last line that a kill tore; one that lacks its LF alone is kept."""
        end = self._file.seek(0, os.SEEK_END)
        torn = _last_line(self._file, end)
        if not torn.strip(b"\x00 \r\t"):
            self._file.truncate(end - len(torn))  # nothing, or the zeros that a power cut leaves
        elif read_result(torn) is not None:
            self.append(b"\n")
        elif torn.startswith(b'{"id"') or b'{"id"'.startswith(torn):
            self._file.truncate(end - len(torn))
        else:
            raise PayloadError(
                f"{self.path} does not end as a batch's output does; nothing was changed: name another OUT"
            )

    def results(self) -> Iterator[Result]:
        """What stands in it. Raises PayloadError at a line that is no result."""
        at = 0
        with open(self.path, "rb") as file:
            for number, line in enumerate(file, start=1):
                result = read_result(line, at) if line.strip() else None
                if result is None and line.strip():
                    raise PayloadError(f"{self.path}: line {number:,} is no line of a batch's output: name another OUT")
                at += len(line)
                if result is not None:
                    yield result

    def append(self, line: bytes) -> None:
        """Write a line, all of it. Raises OSError (a full disk), and then the line is torn: the next run mends that."""
        view = memoryview(line)
        while view:
            view = view[self._file.write(view) :]

    def keep_good(self) -> None:
        """Drop the lines that failed, so that they are done anew."""
        with rewriting(self.path) as file, open(self.path, "rb") as old:
            for line in old:
                result = read_result(line)
                if result is not None and not result.failed:
                    file.write(line)
            self._file.close()  # an open file cannot be replaced on Windows
        self._file = self._opened()

    def put_in_order(self, in_path: str, ids: IdTable) -> None:
        """Rewrite it in the order of IN, and close it. Takes 8 bytes a slot of the table besides, some 12 to 24 a line.

        The lines are copied to a file beside it, which then takes its place: a kill in between changes nothing.
        """
        from array import array  # 8 bytes for a number; a list takes five times as much

        places = array("q", bytes(8 * len(ids)))  # slot -> offset of its line + 1
        for result in self.results():
            slot = ids.find(result.custom_id)
            if slot >= 0:
                places[slot] = result.at + 1
        with rewriting(self.path) as file, open(self.path, "rb") as old:
            for row in read_rows(in_path):
                slot = ids.find(row.custom_id) if isinstance(row, Row) else -1
                if slot >= 0 and places[slot]:
                    old.seek(places[slot] - 1)
                    file.write(old.readline())
            self._file.close()

    def close(self) -> None:
        """Wait for the disk, and let go. Safe to call twice."""
        if not self._file.closed:
            with contextlib.suppress(OSError):  # a pipe or a device has no disk to wait for
                os.fsync(self._file.fileno())
            self._file.close()


@contextlib.contextmanager
def rewriting(path: str) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place at the end, if all went well."""
    beside = f"{path}.new"
    try:
        with open(beside, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(beside)
        raise


def _last_line(file: FileIO, end: int) -> bytes:
    """What stands after the last LF: nothing, in a file that no kill has torn."""
    tail, at = b"", end
    while at > 0 and b"\n" not in tail:
        size = min(at, 65536)
        at -= size
        file.seek(at)
        tail = file.read(size) + tail
    return tail.rpartition(b"\n")[2]


def _lock(file: Any, path: str) -> None:
    """Held until the file is closed, by a kill too. Windows has no such lock: there, a second run is not noticed."""
    try:
        import fcntl  # not on Windows
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PayloadError(f"{path} is being written by another run: wait for it, or name another OUT") from error
    except OSError:
        return  # some network file systems have no locks; a run without one is better than none
