"""The provider's own Batch API: for what outgrows one machine, at half the price, within a day.

    POST /v1/files            multipart: purpose=batch, file=IN                     -> {"id":"file-1",...}
    POST /v1/batches          {"input_file_id":"file-1","endpoint":"/v1/chat/completions","completion_window":"24h"}
    GET  /v1/batches/batch_1  {"status":"in_progress","request_counts":{"total":9,"completed":4,"failed":0},...}
    GET  /v1/files/file-2/content    the answers; and those of error_file_id

API reference, "Files" and "Batch". OUT gets both files' lines, good and failed, as `run_batch` would have written them:
so `rawchat batch run IN -o OUT --retry-errors` does here what failed or expired there. Prints nothing.
"""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

from .batch_files import inspect_input, read_rows, rewriting
from .client import Client
from .protocol.errors import APIError, InvalidResponseError, PayloadError
from .protocol.reply import Reply
from .protocol.segment import quote_segment
from .settings import Options

# API reference, "Create batch", as of 2026-11. Providers that copy the API may allow more; then their refusal counts.
MOST_ROWS = 50_000
MOST_BYTES = 200_000_000
WINDOW = "24h"  # the only one there is

ENDED = frozenset(("completed", "failed", "expired", "cancelled"))

FIRST_POLL_S, POLL_FACTOR, LONGEST_POLL_S = 5.0, 1.5, 120.0


def submit(client: Client, in_path: str, *, metadata: Optional[Mapping[str, str]] = None) -> Reply:
    """Check IN, upload it, and make a batch of it; the batch, whose ["id"] is what the others ask for.

    The file is in memory while it is sent. Raises PayloadError for what the API would refuse hours later, before
    anything is sent. Making the batch is tried once: a second try after a lost answer could make, and charge, two.
    """
    endpoint = _check(in_path)
    with open(in_path, "rb") as file:
        content = file.read()
    body, content_type = multipart({"purpose": "batch"}, os.path.basename(in_path), content)
    uploaded = client.request("POST", "files", body=body, content_type=content_type)
    document: Dict[str, Any] = {"input_file_id": _id_of(uploaded), "endpoint": endpoint, "completion_window": WINDOW}
    if metadata:
        document["metadata"] = dict(metadata)
    try:
        made = client.request("POST", "batches", document, max_retries=0)
    except APIError as error:
        note = f"the file is there as {uploaded['id']}; see with `batch status` whether the batch was made"
        error.hint = f"{error.hint}; {note}" if error.hint else note
        raise
    _id_of(made)
    return made


def _check(in_path: str) -> str:
    """The one endpoint of all rows. Raises PayloadError for what the Batch API does not take."""
    inspection = inspect_input(in_path)
    urls = {getattr(row, "url", "") for row in read_rows(in_path)}
    size = os.path.getsize(in_path)
    for wrong, what in (
        (len(urls) > 1, f"its rows go to {len(urls)} endpoints ({', '.join(sorted(urls))}); one batch has one"),
        (len(inspection.models) > 1, f"it names {len(inspection.models)} models; one batch has one"),
        (inspection.rows > MOST_ROWS, f"it has {inspection.rows:,} rows; {MOST_ROWS:,} is the limit of one batch"),
        (size > MOST_BYTES, f"it has {size:,} bytes; {MOST_BYTES:,} is the limit of one batch"),
    ):
        if wrong:
            raise PayloadError(f"{in_path} cannot be submitted: {what}; split it, or use `batch run`")
    return urls.pop()


def retrieve(client: Client, batch_id: str) -> Reply:
    """The batch as it is now (API reference, "Retrieve batch")."""
    return _object(client, "GET", _path(batch_id))


def recent(client: Client, limit: int = 20) -> Reply:
    """The newest batches: a Reply whose ["data"] is a list of them (API reference, "List batch")."""
    return client.request("GET", "batches", required="data", extra_query={"limit": limit})


def cancel(client: Client, batch_id: str) -> Reply:
    """Ask for its end. Rows that are done are kept, and charged (API reference, "Cancel batch")."""
    return _object(client, "POST", f"{_path(batch_id)}/cancel")


def poll_delays() -> Iterator[float]:
    """Seconds between two looks at a batch: 5, 7.5, 11.25 ... 120, 120, for ever."""
    delay_s = FIRST_POLL_S
    while True:
        yield delay_s
        delay_s = min(delay_s * POLL_FACTOR, LONGEST_POLL_S)


def wait_for(client: Client, batch_id: str, told: Optional[Callable[[Reply], None]] = None) -> Reply:
    """Look at the batch until it has ended, a day at most; `told` gets what each look shows."""
    for delay_s in poll_delays():
        batch = retrieve(client, batch_id)
        if told is not None:
            told(batch)
        if batch.get("status") in ENDED:
            return batch
        client.transport.sleep(delay_s)
    raise AssertionError("poll_delays() has no end")


def fetch(client: Client, batch: Mapping[str, Any], out_path: str) -> int:
    """Write the lines of an ended batch's output and error files to OUT, which must be new; their bytes.

    OUT appears when all of it is here. An expired or cancelled batch has the rows that were done by then.
    """
    if os.path.exists(out_path) and os.path.getsize(out_path):
        raise PayloadError(f"{out_path} is there already, and is not overwritten: name another OUT")
    ids = [str(batch[name]) for name in ("output_file_id", "error_file_id") if batch.get(name)]
    written = 0
    with rewriting(out_path) as file:
        for file_id in ids:
            last = b"\n"
            for piece in download(client, file_id):
                file.write(piece)
                written += len(piece)
                last = piece[-1:]
            if last != b"\n":
                file.write(b"\n")
    return written


def download(client: Client, file_id: str) -> Iterator[bytes]:
    """The content of a file, piece by piece. Raises APIConnectionError where it breaks off."""
    return _pieces(client, "GET", f"files/{quote_segment(file_id)}/content")


def _pieces(client: Client, method: str, path: str) -> Iterator[bytes]:
    """The body of a good answer, as it comes; a bad status is tried again or raised, as for every call."""
    response = client._sender.open(client.settings.call(method, path, None, Options()))
    try:
        while True:
            piece = response.read_some()
            if not piece:
                return
            yield piece
    finally:
        response.close()


def _object(client: Client, method: str, path: str) -> Reply:
    """A batch. Not by `client.request`: a failed batch lists its errors, which is no error of the request."""
    body = b"".join(_pieces(client, method, path))
    try:
        batch = Reply(json.loads(body))
    except (ValueError, TypeError) as error:
        raise InvalidResponseError(f"200 OK, but what came is no batch: {body[:80]!r}", status=200) from error
    if not isinstance(batch.get("status"), str):
        raise InvalidResponseError("200 OK, but what came is no batch: it has no status", status=200, body=dict(batch))
    return batch


def problems_of(batch: Mapping[str, Any]) -> List[str]:
    """Why a batch failed before it began: `line 3: The model ... (body.model)`, from its errors.data."""
    errors = batch.get("errors")
    data = errors.get("data") if isinstance(errors, Mapping) else None
    lines = []
    for error in data if isinstance(data, list) else ():
        where = f"line {error['line']}: " if error.get("line") is not None else ""
        param = f" ({error['param']})" if error.get("param") else ""
        lines.append(f"{where}{error.get('message') or error.get('code')}{param}")
    return lines


def multipart(fields: Mapping[str, str], file_name: str, content: bytes) -> tuple[bytes, str]:
    """A multipart/form-data body (RFC 7578) with one file, and its Content-Type."""
    boundary = f"----batch{os.urandom(16).hex()}"  # 128 random bits stand in no file
    # In a name, as the HTML standard has it: the characters that would end the header are percent-encoded.
    name = file_name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    head = "".join(parts).encode("utf-8", "replace")
    return b"".join((head, content, f"\r\n--{boundary}--\r\n".encode())), f"multipart/form-data; boundary={boundary}"


def _path(batch_id: str) -> str:
    if not batch_id.strip():
        raise PayloadError("a batch has an id, such as batch_abc123; this one is empty")
    return f"batches/{quote_segment(batch_id)}"


def _id_of(reply: Reply) -> str:
    found = reply.get("id")
    if not isinstance(found, str) or not found:
        raise InvalidResponseError("the server took it, but its answer names no id", status=200, body=dict(reply))
    return found
