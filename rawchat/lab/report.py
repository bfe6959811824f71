"""The report: a recording as one page of HTML that needs nothing but a browser, from a file or live from the tap.

    rawchat report calls.jsonl -o report.html          every exchange
    rawchat report calls.jsonl#3 -o report.html        one, with the other attempts of its call
    rawchat report slow.jsonl#1 fast.jsonl#1           two runs, one over the other

The page is page/page.html with its style, its script and the data inside. It asks no server for anything: a policy in
its head forbids that, and allows this script and this style by their hashes alone. What came over the wire is in it as
JSON that cannot end its element, and the script shows it as text. LiveFeed is the same page's data as it happens, for
whoever serves it over HTTP (`rawchat tap --ui`). Opens no connection, no browser; draws nothing (page/ does).
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import threading
import time
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .._version import __version__
from .cassette import Cassette, select
from .diagnosis import LEVELS, compare
from .exchange import Exchange
from .report_data import Document, view, views
from .terminal import printable
from .timing import measure

SCRIPTS = ("page/bytes.js", "page/drawing.js", "page/sections.js", "page/page.js")  # the last one starts the page
# A page that is open shows so many exchanges; the oldest give way, or a tap left on over night fills the memory.
MOST_LIVE_EXCHANGES = 200
# How often an open exchange is drawn anew, at most; and what share of the time may go into preparing it.
LIVE_INTERVAL_S = 0.25
LIVE_SHARE = 0.1
# A line that says nothing, so that a browser that went away is noticed.
HEARTBEAT_S = 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE[#N]", help="a cassette, or one exchange of it")
    parser.add_argument("second", metavar="FILE2[#M]", nargs="?", help="another run, to lay over the first")
    parser.add_argument("-o", "--output", metavar="HTML", default="report.html", help="(default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Writes the page; says on stdout what is in it, a line an exchange. Raises CassetteError, OSError."""
    names = [options.file] + ([options.second] if options.second else [])
    chosen = [select(name) for name in names]
    paths = [cassette.path for cassette, _ in chosen]
    if any(os.path.realpath(path) == os.path.realpath(options.output) for path in paths):
        raise OSError(f"{options.output} is the recording itself; name another file with -o")
    document = report_document(chosen)
    data = page(document)
    with open(options.output, "wb") as file:
        file.write(data)
    for line in summary(document):
        print(printable(line))
    print(f"{options.output}: {len(data):,} bytes, opens in any browser")
    return 0


def summary(document: Document) -> List[str]:
    """A line an exchange: number, outcome, diagnosis. Then what of the file could not be read."""
    lines = []
    several = len(document["runs"]) > 1
    for one in document["views"]:
        name = document["runs"][one["run"]]["name"] if several else ""
        level, says = one["diagnosis"]["findings"][0][1:3]
        lines.append(f"{LEVELS[level]} {name}#{one['number']} {one['outcome']}: {says}")
    lines += [f"{run['name']}, {flaw}" for run in document["runs"] for flaw in run["flaws"]]
    return [*lines, document["comparison"]] if document["comparison"] else lines


# --- the page -------------------------------------------------------------------------------------------------------


def report_document(chosen: Sequence[Tuple[Cassette, Optional[Exchange]]]) -> Document:
    """The data of a page, of one recording or two; of each a chosen exchange with its attempts, or all."""
    shown = [_wanted(cassette, exchange) for cassette, exchange in chosen]
    found = _frame(
        [{"name": os.path.basename(cassette.path), "flaws": cassette.flaws} for cassette, _ in chosen],
        [one for run, exchanges in enumerate(shown) for one in views(exchanges, run)],
    )
    first = chosen[0][1] or (shown[0][0] if shown[0] else None)
    found["selected"] = f"0:{first.number}" if first else None
    if len(chosen) > 1 and first is not None and shown[1]:
        second = chosen[1][1] or shown[1][0]
        found["compared"] = f"1:{second.number}"
        names = [f"{run['name']}#{one.number}" for run, one in zip(found["runs"], (first, second))]
        found["comparison"] = compare(measure(first), measure(second), (names[0], names[1]))
    return found


def _wanted(cassette: Cassette, exchange: Optional[Exchange]) -> List[Exchange]:
    if exchange is None:
        return cassette.exchanges
    return [one for one in cassette.exchanges if one.call == exchange.call]


def _frame(runs: List[Document], shown: List[Document], live: bool = False) -> Document:
    return {
        "version": __version__,
        "live": live,
        "runs": runs,
        "levels": dict(LEVELS),
        "views": shown,
        "selected": None,
        "compared": None,
        "comparison": "",
    }


def page(document: Document) -> bytes:
    """The page that shows `document`, with everything inside."""
    style = _part("page/page.css")
    script = "\n".join(_part(name) for name in SCRIPTS)
    policy = [
        "default-src 'none'",
        f"script-src '{_hash(script)}'",
        f"style-src '{_hash(style)}'",
        "img-src data:",  # the empty icon, without which browsers ask for /favicon.ico
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if document["live"]:
        policy.append("connect-src 'self'")
    parts = {"policy": "; ".join(policy), "style": style, "script": script, "data": embedded_json(document)}
    return "".join(_filled(_part("page/page.html"), parts)).encode("utf-8")


def live_page() -> bytes:
    """The page without data, which gets it as events from the address `events` beside its own."""
    return page(_frame([{"name": "live", "flaws": []}], [], live=True))


def _part(name: str) -> str:
    data = pkgutil.get_data(__package__, name)  # also out of a zip
    if data is None:
        raise OSError(f"{name} is missing beside {__file__}: the copy of this package is not whole")
    return data.decode("utf-8")


def _filled(template: str, parts: Mapping[str, str]) -> Iterator[str]:
    """The template with its `{{names}}` replaced, each once: what is put in is not looked at again."""
    for number, piece in enumerate(template.replace("}}", "{{").split("{{")):
        yield parts[piece] if number % 2 else piece


def _hash(text: str) -> str:
    """A source in a Content-Security-Policy: this text, and no other (CSP level 3, section 2.3.1)."""
    import base64
    import hashlib

    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"


def embedded_json(document: Any) -> str:
    """JSON that can stand inside <script>: in ASCII, and without a character that HTML could take for its own.

    >>> embedded_json({"a": "</script>"})
    '{"a":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


# --- live -----------------------------------------------------------------------------------------------------------


class LiveFeed:
    """A sink of records that keeps the exchanges, and gives each subscriber what an open page needs, as it happens.

        feed = LiveFeed()                       one of the sinks of a Recording
        for data in feed.subscribe(): ...       bytes of an event stream, for as long as the page is open
        feed.close()                            every subscriber's iterator ends

    Events: `view`, the data of one exchange, again whenever it changed; `forget`, its id. A slow reader gets fewer
    views, not older ones: nothing queues up. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._exchanges: Dict[int, Exchange] = {}
        self._versions: Dict[int, int] = {}
        self._cache: Dict[int, Tuple[int, bytes]] = {}
        self._closed = False

    def __call__(self, record: Mapping[str, Any]) -> None:
        number = record.get("id")
        if number is None:
            return
        with self._changed:
            if record.get("event") == "request":
                self._exchanges[number] = Exchange(number)
                self._forget_oldest()
            exchange = self._exchanges.get(number)
            if exchange is None:
                return
            exchange.apply(record)
            # What a retry says of itself changes what is said of the attempts before it.
            attempts = self._attempts(exchange) if record.get("event") in ("request", "end") else [exchange]
            for one in attempts:
                self._versions[one.number] = self._versions.get(one.number, 0) + 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def subscribe(self) -> Iterator[bytes]:
        """What is known so far, then what changes. Blocks between events; ends after `close`."""
        sent: Dict[int, int] = {}
        while True:
            with self._changed:
                if not self._news(sent) and not self._closed:
                    self._changed.wait(HEARTBEAT_S)
                news, closed = self._news(sent), self._closed
                gone = [number for number in sent if number not in self._exchanges]
            began_s = time.monotonic()
            for number in gone:
                del sent[number]
                yield _event("forget", f'"0:{number}"'.encode("ascii"))
            for number in news:
                version, data = self._view(number)
                sent[number] = version
                if data:
                    yield _event("view", data)
            if closed:
                return
            if not news:
                yield b": still here\n\n"
                continue
            self._pause(time.monotonic() - began_s)

    def _pause(self, busy_s: float) -> None:
        """Let things gather, so that a fast stream is not drawn anew for each of its tokens."""
        until_s = time.monotonic() + max(LIVE_INTERVAL_S, busy_s / LIVE_SHARE)
        with self._changed:
            while not self._closed and time.monotonic() < until_s:
                self._changed.wait(until_s - time.monotonic())

    def _news(self, sent: Mapping[int, int]) -> List[int]:
        return [number for number, version in self._versions.items() if sent.get(number) != version]

    def _attempts(self, exchange: Exchange) -> List[Exchange]:
        return [one for one in self._exchanges.values() if one.call == exchange.call]

    def _forget_oldest(self) -> None:
        while len(self._exchanges) > MOST_LIVE_EXCHANGES:
            oldest = next(iter(self._exchanges))
            for table in (self._exchanges, self._versions, self._cache):
                table.pop(oldest, None)

    def _view(self, number: int) -> Tuple[int, bytes]:
        """The view as it is, and its version. Made once for all subscribers, on a copy: the tap goes on meanwhile."""
        with self._changed:
            exchange, version = self._exchanges.get(number), self._versions.get(number, 0)
            known = self._cache.get(number)
            if exchange is None or (known is not None and known[0] == version):
                return version, known[1] if known else b""
            attempts = [_copy(one) for one in self._attempts(exchange)]
        this = next(one for one in attempts if one.number == number)
        made = version, json.dumps(view(this, attempts), separators=(",", ":"), allow_nan=False).encode("ascii")
        with self._changed:
            if number in self._exchanges:
                self._cache[number] = made
        return made


def _copy(exchange: Exchange) -> Exchange:
    """One that does not grow while it is read."""
    import copy

    still = copy.copy(exchange)
    still.pieces, still.interim, still.notes = list(exchange.pieces), list(exchange.interim), list(exchange.notes)
    return still


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode("ascii") + b"\ndata: " + data + b"\n\n"
