"""`rawchat curl FILE#N`: a recorded request as a curl command that runs as it stands.

    curl -N 'https://api.openai.com/v1/chat/completions' \\
      -H "Authorization: Bearer $OPENAI_API_KEY" \\
      -H 'Content-Type: application/json' \\
      --data-binary @- <<'EOF'
    {"model":"gpt-4o-mini","messages":[{"role":"user","content":"It's 5 o'clock, \\"tea\\"?"}],"stream":true}
    EOF

The key is a variable of the shell, never text. The body stands in a quoted heredoc, where quotes, dollars, newlines and
emoji mean nothing. Headers that say who the SDK is, or how the connection is kept, are left out; `--exact` keeps all
that curl lets one set, and the body byte for byte. For POSIX shells; Windows has none of them.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Callable, NamedTuple, Optional, Sequence, Tuple

from ..protocol.redact import redact_headers
from ..protocol.wire import HeaderPairs
from .cassette import CassetteError, select_one
from .exchange import Exchange
from .terminal import write_line

KEY_VARIABLE = "OPENAI_API_KEY"
# What a client says about itself and its connection, and the next client says anew (RFC 9110 section 7.6.1).
LEFT_OUT = frozenset(
    "accept-encoding connection content-length expect host keep-alive proxy-connection te transfer-encoding upgrade "
    "user-agent".split()
)
# What no client may take over even where all else is kept: these follow from the body and the address.
NEVER_KEPT = frozenset("content-length transfer-encoding host connection expect".split())
KEY_MARK = re.compile(r"<key:[0-9a-f]{6}\**>")


class Sendable(NamedTuple):
    """What is to be sent again. A mark <key:...> stands where a key was; `remarks` say what could not be kept."""

    method: str
    url: str
    headers: HeaderPairs
    body: bytes
    remarks: Tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE[#N]", help="one exchange of a cassette")
    parser.add_argument("--exact", action="store_true", help="keep every header, and the body to the byte")
    parser.add_argument("--base-url", metavar="URL", help="send it there instead, a tap for example")


def run(options: argparse.Namespace) -> int:
    return print_request(options, curl_command)


def print_request(options: argparse.Namespace, write: Callable[..., str]) -> int:
    """Print what `write` makes of the exchange that the arguments name; what could not be kept goes to stderr."""
    sendable = prepare(select_one(options.file), exact=options.exact, base_url=options.base_url)
    for remark in sendable.remarks:
        write_line(sys.stderr, f"# {remark}")
    write_line(sys.stdout, write(sendable, exact=options.exact).rstrip("\n"))
    return 0


def prepare(exchange: Exchange, *, exact: bool = False, base_url: Optional[str] = None) -> Sendable:
    """What of a recorded request can be sent again. Raises CassetteError where its body was not recorded whole."""
    request = exchange.request
    if not exchange.request_whole:
        raise CassetteError(f"#{exchange.number} was cut off inside its request: there is nothing whole to send again")
    left_out = NEVER_KEPT if exact else LEFT_OUT
    kept = []
    remarks = []
    # Hidden once more: a file that somebody else wrote may hold a key.
    for name, value in redact_headers(request.headers):
        lower = name.lower()
        if lower in left_out or (not exact and lower.startswith("x-stainless-")):
            continue
        if lower in ("cookie", "set-cookie"):
            remarks.append(f"left out: {name}, a secret that no variable stands for")
            continue
        kept.append((name, value))
    if KEY_MARK.search(request.body.decode("latin-1")):
        remarks.append("the body held a key, which was not recorded: a mark <key:...> stands in its place")
    url = moved(request.url, exchange.target, base_url) if base_url else request.url
    return Sendable(request.method, url, tuple(kept), request.body, tuple(remarks))


def moved(url: str, target: str, base_url: str) -> str:
    """The recorded URL at another server: what followed /v1 there follows the base_url here."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    path = parts.path
    mark = path.find("/v1/")
    rest = path[mark + 3 :] if mark >= 0 else path
    return base_url.rstrip("/") + rest + (f"?{parts.query}" if parts.query else "")


def curl_command(sendable: Sendable, *, exact: bool = False) -> str:
    """The command, over several lines; the last one has no newline."""
    streams = b'"stream":true' in sendable.body.replace(b" ", b"")
    words = [f"curl{' -N' if streams else ''} {shell_word(sendable.url)}"]
    if sendable.method != ("POST" if sendable.body else "GET"):
        words.append(f"-X {shell_word(sendable.method)}")
    names = {name.lower() for name, _ in sendable.headers}
    words += [f"-H {_header_word(name, value)}" for name, value in sendable.headers]
    if exact:
        # A header without a value tells curl not to send its own.
        words += [f"-H '{name}:'" for name in ("User-Agent", "Accept") if name.lower() not in names]
        words += ["--compressed"] if "accept-encoding" in names else []
    elif sendable.body and "content-type" not in names:
        words.append("-H 'Content-Type:'")  # --data-binary would call it a form
    if not sendable.body:
        return " \\\n  ".join(words)
    body = sendable.body.decode("utf-8", "surrogateescape")
    if "\0" in body or not _is_utf8(sendable.body):
        raise CassetteError("this body is no text, and no heredoc can hold it")
    delimiter = _delimiter(body)
    if exact:
        # A heredoc ends in a newline that the body does not have, and `head` takes it off again.
        words[0] = f"head -c {len(sendable.body)} <<'{delimiter}' | {words[0]}"
        return " \\\n  ".join([*words, "--data-binary @-"]) + f"\n{body}\n{delimiter}"
    return " \\\n  ".join([*words, f"--data-binary @- <<'{delimiter}'"]) + f"\n{body}\n{delimiter}"


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def shell_word(text: str) -> str:
    """One word for the shell. Where a key was, its variable stands; all else means itself.

    >>> shell_word("it's"), shell_word("https://host/v1?api_key=<key:3f2a91>&v=$1")
    ("'it'\\\\''s'", '"https://host/v1?api_key=$OPENAI_API_KEY&v=\\\\$1"')
    """
    if not KEY_MARK.search(text):
        return "'" + text.replace("'", "'\\''") + "'"
    parts = [re.sub(r'([\\"$`])', r"\\\1", part) for part in KEY_MARK.split(text)]
    return '"' + f"${KEY_VARIABLE}".join(parts) + '"'


def _header_word(name: str, value: str) -> str:
    if not value:
        return shell_word(f"{name};")  # curl's way to send a header with nothing in it
    return shell_word(f"{name}: {value}")


def _delimiter(body: str) -> str:
    """A word that is no line of the body."""
    lines = set(body.split("\n"))
    names: Sequence[str] = ["EOF", *(f"EOF_{number}" for number in range(2, len(lines) + 3))]
    return next(name for name in names if name not in lines)
