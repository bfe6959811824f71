"""`rawchat resend calls.jsonl#3`: a recorded request sent again, as it was, and the two answers side by side.

    sending #3 POST /chat/completions to http://127.0.0.1:8080/v1/chat/completions
    A  #3 POST /chat/completions 200 stream ttft 412ms 87 events 3.1s stop 412→87 tok
    B  #1 POST /chat/completions 200 stream ttft 380ms 85 events 2.9s stop 412→85 tok
    The requests
      they mean the same
    The answers
      softly      text                    one [-two-]{+deux+} three
      headers only in A: via; only in B: server

The headers are the recorded ones, in their order and case, but for those that belong to a connection. The key, which no
recording holds, comes from OPENAI_API_KEY (or AZURE_OPENAI_API_KEY for `api-key`), and goes only where it belongs: see
`key_for`. A body in which a secret was hidden is not sent unless told to. The exit status is 1 where the new answer has
another status, end or shape; what a model says may differ each time. Retries nothing, follows no redirect.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from ..protocol.errors import APIConnectionError, PayloadError
from ..protocol.redact import SECRET_HEADERS, mark
from ..protocol.wire import HeaderPairs, Request
from ..sender import open_transport
from ..transport.base import Response, Transport
from .cassette import CassetteWriter, select_one
from .curl import KEY_MARK, prepare
from .diff import compare_answers, compare_requests, report
from .exchange import BODY, Exchange
from .hiding import Hider
from .json_diff import MEANING
from .library_recorder import how_it_ended
from .recording import Recorder, Recording
from .summary import short_path
from .terminal import printable, write_line

OPENAI_HOST = "api.openai.com"
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
CONNECT_TIMEOUT_S = 10.0
# A server owes nothing after [DONE] but the end of the framing.
AFTER_DONE_S = 1.0
_DECODABLE = frozenset(("gzip", "deflate", "identity", "*"))
# Headers of an answer whose values are new each time.
_VOLATILE = frozenset(
    "age alt-svc cf-ray date etag openai-processing-ms server-timing set-cookie x-request-id request-id "
    "x-envoy-upstream-service-time content-length connection keep-alive transfer-encoding".split()
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE[#N]", help="one exchange of a cassette")
    parser.add_argument("--base-url", metavar="URL", help="send it there instead, with the key of the environment")
    parser.add_argument("--record", metavar="FILE", help="write the new exchange to this cassette")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="the longest silence (default: 600)")
    parser.add_argument(
        "--with-marks", action="store_true", help="send a body although a secret in it was replaced by a mark"
    )


def run(options: argparse.Namespace) -> int:
    recorded = select_one(options.file)
    request, remarks = request_again(recorded, os.environ, base_url=options.base_url, with_marks=options.with_marks)
    for remark in remarks:
        _say(remark)
    _say(f"sending #{recorded.number} {request.method} {short_path(recorded.path)} to {Hider().text(request.url)}")
    transport, _ = open_transport(None)
    try:
        with _recording(options.record, _keys(os.environ)) as recording:
            answered = send(request, transport, recording, read_timeout_s=options.timeout)
    finally:
        transport.close()
    found = compare_answers(recorded, answered)
    told = report(recorded, answered, compare_requests(recorded, answered), found)
    for line in [*told, *header_lines(recorded, answered)]:
        write_line(sys.stdout, printable(line, keep=""))
    return 1 if any(one.weight == MEANING for one in found) else 0


def _say(text: str) -> None:
    write_line(sys.stderr, printable(text, keep=""))


@contextlib.contextmanager
def _recording(path: Optional[str], keys: List[str]) -> Iterator[Recording]:
    hider = Hider(keys)
    if path is None:
        yield Recording(source="resend", hider=hider)
        return
    with CassetteWriter(path) as writer:
        yield Recording([writer], source="resend", hider=hider, first_number=writer.next_number)


# --- what is sent -----------------------------------------------------------------------------------------------------


def request_again(
    exchange: Exchange, environ: Mapping[str, str], *, base_url: Optional[str] = None, with_marks: bool = False
) -> Tuple[Request, List[str]]:
    """The request as it is to be sent, and what people should know of it. Raises PayloadError where it can't be."""
    sendable = prepare(exchange, exact=True, base_url=base_url)
    if KEY_MARK.search(sendable.url):
        raise PayloadError(
            f"the address of #{exchange.number} holds a secret that was hidden while recording: name the server with "
            "--base-url, and its query in there",
            path="url",
        )
    if KEY_MARK.search(sendable.body.decode("latin-1")) and not with_marks:
        raise PayloadError(
            f"a secret inside the body of #{exchange.number} was hidden while recording, so it is not the body that "
            "was sent; --with-marks sends it with the mark <key:...> in its place",
            path="body",
        )
    remarks = [remark for remark in sendable.remarks if "the body held" not in remark]
    pairs: List[Tuple[str, str]] = []
    for name, value in sendable.headers:
        if KEY_MARK.search(value):
            key = key_for(name, value, sendable.url, environ, chosen=base_url is not None)
            if not key:
                remarks.append(f"left out: {name}, as no key for it is in the environment")
                continue
            value = KEY_MARK.sub(lambda found, key=key: key, value)  # type: ignore[misc]
        elif name.lower() == "accept-encoding" and not _is_decodable(value):
            remarks.append(f"{name}: {value} is sent as gzip, deflate: nothing else can be read here")
            value = "gzip, deflate"
        pairs.append((name, value))
    return Request(sendable.method, sendable.url, tuple(pairs), sendable.body), remarks


def key_for(name: str, recorded: str, url: str, environ: Mapping[str, str], *, chosen: bool) -> str:
    """The key for a header that held one; "" where the environment has none.

    It goes to a server that the user named just now (`chosen`), to this machine, to the host that OPENAI_BASE_URL names
    (or OpenAI's, where that is not set), and to whom it had been sent when this was recorded: the mark tells. To any
    other it does not go, for a recording may be somebody else's. Raises PayloadError.
    """
    from urllib.parse import urlsplit

    variable = "AZURE_OPENAI_API_KEY" if name.lower() == "api-key" else "OPENAI_API_KEY"
    key = environ.get(variable, "").strip() or environ.get("OPENAI_API_KEY", "").strip()
    if not key or name.lower() not in SECRET_HEADERS:
        return ""
    host = urlsplit(url).hostname
    own = urlsplit(environ.get("OPENAI_BASE_URL", "").strip() or f"https://{OPENAI_HOST}").hostname
    if chosen or host in _LOOPBACK or host == own or mark(key) in recorded:
        return key
    raise PayloadError(
        f"the recording was made with another key than yours, for {host}: to send yours there, name the server with "
        "--base-url",
        path=name,
    )


def _keys(environ: Mapping[str, str]) -> List[str]:
    found = (environ.get(name, "").strip() for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"))
    return [key for key in found if key]


def _is_decodable(value: str) -> bool:
    codings = {part.partition(";")[0].strip().lower() for part in value.split(",")}
    return codings <= _DECODABLE


# --- sending ----------------------------------------------------------------------------------------------------------


def send(request: Request, transport: Transport, recording: Recording, *, read_timeout_s: Optional[float]) -> Exchange:
    """Send it once and read all that comes. What fails is the end of the exchange, and raises nothing."""
    recorder = recording.begin(request, at_s=time.monotonic(), layer=BODY)
    try:
        response = transport.send(request, connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=read_timeout_s)
        with contextlib.closing(response):
            _read(response, recorder)
        recorder.end("eof", at_s=time.monotonic())
    except APIConnectionError as error:
        how, whole, detail = how_it_ended(error)
        recorder.end(how, at_s=time.monotonic(), whole=whole, detail=detail)
    except BaseException:  # Ctrl-C in mid-stream: what came is recorded
        recorder.end("stopped", at_s=time.monotonic(), whole=False)
        raise
    return recorder.exchange


def _read(response: Response, recorder: Recorder) -> None:
    recorder.head(response.head, at_s=time.monotonic())
    tail = b""
    while True:
        data = response.read_some()
        if not data:
            return
        recorder.read(data, at_s=time.monotonic())
        tail = (tail + data)[-32:]
        if b"data: [DONE]" in tail:
            response.set_read_timeout(AFTER_DONE_S)


# --- what differs -----------------------------------------------------------------------------------------------------


def header_lines(left: Exchange, right: Exchange) -> List[str]:
    """Headers of the answers that one has and the other has not, values that should be equal, and what broke B."""
    old, new = _lasting(left), _lasting(right)
    lines = []
    only_old, only_new = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    if only_old or only_new:
        sides = [f"only in {side}: {', '.join(names)}" for side, names in (("A", only_old), ("B", only_new)) if names]
        lines.append(f"  headers {'; '.join(sides)}")
    both = sorted(old.keys() & new.keys())
    lines += [f"  header {name}: {old[name]} / {new[name]}" for name in both if old[name] != new[name]]
    if right.end is not None and right.end.detail:
        lines.append(f"  B: {right.end.detail}")
    return lines


def _lasting(exchange: Exchange) -> Dict[str, str]:
    pairs: HeaderPairs = exchange.head.headers.pairs if exchange.head is not None else ()
    return {
        name.lower(): value
        for name, value in pairs
        if name.lower() not in _VOLATILE and not name.lower().startswith("x-ratelimit-")
    }
