"""`rawchat har FILE`: a cassette as a HAR 1.2 file, for Chrome's developer tools and others; and a HAR as a cassette.

    {"log":{"version":"1.2","creator":{...},"entries":[{"startedDateTime":"2026-11-21T10:20:00.250000Z","time":3100.0,
      "request":{"method":"POST",...},"response":{"status":200,"content":{"text":"data: {...}"}},
      "timings":{"send":0,"wait":412.0,"receive":2688.0},"_chunks":[{"t_us":412100,"text":"data: ..."}],"_end":{...}}]}}

HAR has no place for the times of pieces, nor for how an answer ended: those stand in fields with an underscore, which
other tools pass over (HAR 1.2, "Custom fields"). Bodies in a HAR are without HTTP framing, so a cassette made from one
is of layer "body". The way in takes what browsers and mitmproxy write; keys in it are hidden like all others.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import parse_qsl, urlsplit

from .._version import __version__
from ..protocol.wire import HeaderPairs, Headers, Request, ResponseHead
from .cassette import CassetteError, CassetteWriter, read_cassette, select
from .exchange import BODY, Exchange, bytes_of, bytes_record
from .recording import Recorder, Recording
from .summary import call_line
from .terminal import write_line

# What is taken from a browser's HAR, which holds every picture of every page, too.
API_PATHS = ("/completions", "/embeddings", "/models", "/responses", "/messages")
_HTTP_VERSIONS = {"http/2.0": "1.1", "h2": "1.1", "http/3": "1.1", "h3": "1.1"}  # what the framing would be here


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE[#N]", help="a cassette, to make a HAR of; or a HAR, to make a cassette of"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="write there (default for a HAR: stdout)")
    parser.add_argument("--all", action="store_true", help="take all entries of a HAR, not those of an API alone")


def run(options: argparse.Namespace) -> int:
    document = _har_in(options.file)
    if document is not None:
        return _import(document, options)
    cassette, exchange = select(options.file)
    text = json.dumps(to_har([exchange] if exchange else cassette.exchanges), ensure_ascii=True, indent=1)
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    else:
        write_line(sys.stdout, text)
    return 0


def _har_in(name: str) -> Optional[Mapping[str, Any]]:
    """The document of a HAR file; None where the file is something else."""
    if not os.path.exists(name):
        return None  # "calls.jsonl#3" is no file of its own
    with open(name, "rb") as file:
        data = file.read()
    try:
        document = json.loads(data.decode("utf-8-sig"))  # Fiddler and others begin with a byte order mark
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("log"), dict) else None


def _import(document: Mapping[str, Any], options: argparse.Namespace) -> int:
    if not options.output:
        raise CassetteError(f"{options.file} is a HAR; say where the cassette should go: -o calls.jsonl")
    with CassetteWriter(options.output) as writer:
        first = writer.next_number
        flaws = from_har(document, Recording([writer], source="har", first_number=first), everything=options.all)
    for exchange in read_cassette(options.output).exchanges:
        if exchange.number >= first:
            write_line(sys.stdout, call_line(exchange))
    for flaw in flaws:
        write_line(sys.stderr, flaw)
    return 0


# --- out -------------------------------------------------------------------------------------------------------------


def to_har(exchanges: List[Exchange]) -> Dict[str, Any]:
    """The document of HAR 1.2: https://w3c.github.io/web-performance/specs/HAR/Overview.html"""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": __package__.partition(".")[0], "version": __version__},
            "entries": [_entry(exchange) for exchange in exchanges],
        }
    }


def _entry(exchange: Exchange) -> Dict[str, Any]:
    end_us = exchange.end.at_us if exchange.end else exchange.pieces[-1].at_us if exchange.pieces else 0
    head_us = exchange.head_us if exchange.head_us is not None else end_us
    entry: Dict[str, Any] = {
        "startedDateTime": exchange.started_at,
        "time": end_us / 1000,
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": head_us / 1000, "receive": (end_us - head_us) / 1000},
        "comment": call_line(exchange),
        "_chunks": [{"t_us": piece.at_us, **bytes_record(piece.data)} for piece in exchange.body_pieces()],
        "_attempt": {"number": exchange.number, "call": exchange.call, "attempt": exchange.attempt},
    }
    if exchange.end is not None:
        whole = exchange.end.whole and not exchange.flaw
        entry["_end"] = {"t_us": end_us, "how": exchange.end.how, "whole": whole, "detail": exchange.end.detail}
    return entry


def _pairs(headers: HeaderPairs) -> List[Dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _request(exchange: Exchange) -> Dict[str, Any]:
    request = exchange.request
    query = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    shown: Dict[str, Any] = {
        "method": request.method,
        "url": request.url,
        "httpVersion": f"HTTP/{exchange.http_version}",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": [{"name": name, "value": value} for name, value in query],
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        kind = Headers(request.headers).get("content-type", "")
        shown["postData"] = {"mimeType": kind, "params": [], "text": request.body.decode("utf-8", "replace")}
    return shown


def _response(exchange: Exchange) -> Dict[str, Any]:
    head = exchange.head or ResponseHead(0, "", Headers(), "")  # status 0: Chrome's way to say that none came
    body = exchange.body()
    content: Dict[str, Any] = {"size": len(body), "mimeType": head.headers.get("content-type", "x-unknown")}
    said = bytes_record(body)
    content["text"] = said.get("text", said.get("base64"))
    if "base64" in said:
        content["encoding"] = "base64"
    shown: Dict[str, Any] = {
        "status": head.status,
        "statusText": head.reason,
        "httpVersion": f"HTTP/{head.http_version}" if head.http_version else "",
        "cookies": [],
        "headers": _pairs(head.headers.pairs),
        "content": content,
        "redirectURL": head.headers.get("location", ""),
        "headersSize": -1,
        "bodySize": sum(len(piece.data) for piece in exchange.pieces),
    }
    if exchange.end is not None and exchange.end.how != "eof":
        shown["_error"] = exchange.end.how
    return shown


# --- in --------------------------------------------------------------------------------------------------------------


def from_har(document: Mapping[str, Any], recording: Recording, *, everything: bool = False) -> List[str]:
    """Record the entries of a HAR; what could not be taken, in words."""
    entries = document["log"].get("entries")
    flaws = []
    left_out = 0
    numbers: Dict[int, int] = {}  # a call's number in the recording that the HAR was made of -> its number here
    for number, entry in enumerate(entries if isinstance(entries, list) else [], start=1):
        try:
            path = urlsplit(entry["request"]["url"]).path
            if everything or path.rstrip("/").endswith(API_PATHS):
                _take(entry, recording, numbers)
            else:
                left_out += 1
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            flaws.append(f"entry {number} is no HAR entry: {type(problem).__name__}: {problem}")
    if left_out:
        flaws.append(f"{left_out} entries that are no API calls were left out; --all takes them, too")
    return flaws


def _take(entry: Mapping[str, Any], recording: Recording, numbers: Dict[int, int]) -> None:
    request = entry["request"]
    own = entry.get("_attempt") or {}
    post = request.get("postData") or {}
    text = post.get("text") or ""
    # Chrome writes binary bodies so; HAR itself knows no encoding here.
    body = base64.b64decode(text) if post.get("encoding") == "base64" else text.encode("utf-8")
    recorder = recording.begin(
        Request(request["method"], request["url"], _from_pairs(request["headers"]), body),
        at_s=0.0,
        layer=BODY,
        http_version=_version(request.get("httpVersion")),
        started_at=entry.get("startedDateTime", ""),
        call=numbers.get(own.get("call", 0)),
        attempt=own.get("attempt", 1),
    )
    numbers[own.get("number", 0)] = recorder.number
    _take_response(entry, recorder)


def _take_response(entry: Mapping[str, Any], recorder: Recorder) -> None:
    response, timings = entry["response"], entry.get("timings") or {}
    # -1 means "does not apply" (HAR 1.2, "timings").
    before_ms = [timings.get(name) or 0 for name in ("blocked", "dns", "connect", "send", "wait")]
    head_s = sum(ms for ms in before_ms if ms > 0) / 1000
    end_s = max((entry.get("time") or 0) / 1000, head_s)
    if response.get("status"):
        version = _version(response.get("httpVersion"))
        headers = Headers(_from_pairs(response["headers"]))
        recorder.head(ResponseHead(response["status"], response.get("statusText", ""), headers, version), at_s=head_s)
        for at_s, data in _chunks(entry, end_s):
            recorder.read(data, at_s=at_s)
    how, whole, detail = _ending(entry)
    recorder.end(how, at_s=end_s, whole=whole, detail=detail)


def _chunks(entry: Mapping[str, Any], end_s: float) -> Iterator[Tuple[float, bytes]]:
    """Our own pieces with their times, where they are there; else the whole body at its end."""
    if "_chunks" in entry:
        for chunk in entry["_chunks"]:
            yield chunk["t_us"] / 1e6, bytes_of(chunk)
        return
    content = entry["response"].get("content") or {}
    text = content.get("text") or ""
    data = base64.b64decode(text) if content.get("encoding") == "base64" else text.encode("utf-8")
    if data:
        yield end_s, data


def _ending(entry: Mapping[str, Any]) -> Tuple[str, bool, str]:
    own = entry.get("_end")
    if own:
        return own["how"], own.get("whole", True), own.get("detail", "")
    error = entry["response"].get("_error") or ""
    if not entry["response"].get("status"):
        return "unreachable", False, str(error)
    return ("reset", False, str(error)) if error else ("eof", True, "")


def _from_pairs(headers: Any) -> HeaderPairs:
    """Header pairs without HTTP/2's pseudo fields (":authority"), which are no headers in HTTP/1."""
    return tuple((header["name"], header["value"]) for header in headers if not header["name"].startswith(":"))


def _version(text: Any) -> str:
    lower = str(text or "").lower()
    return _HTTP_VERSIONS.get(lower) or (lower[5:] if lower.startswith("http/1.") else "1.1")
