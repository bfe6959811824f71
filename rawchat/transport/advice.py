"""What broke a call on its way, by its cause, and what to do about it: what `failures.py` says in plain terms.

the call to 127.0.0.1:8000 failed: Connection refused
  -> cannot connect to 127.0.0.1:8000: connection refused; is the server running?
"""

from __future__ import annotations

from typing import AbstractSet, Dict, Optional, Tuple

_TIMEOUTS = {
    "connect": "no connection to {peer} within {connect_s}; is the address right, and no firewall in between?",
    "send": "{peer} did not take the request within {connect_s}",
    "head": "no answer from {peer} within {read_s}; if the model needs longer, give a longer timeout, or stream",
    "body": "no byte for {read_s} while reading the answer of {peer}{received}",
}
_CAUSES = {  # up to the head; the first class that fits is it
    "ProxyError": "cannot get through {peer}: {detail}; check proxies=, HTTPS_PROXY and NO_PROXY",
    "SSLCertVerificationError": "cannot trust {peer}: {detail}; "
    "for a CA of your own, give its file as verify= or in REQUESTS_CA_BUNDLE",
    "gaierror": "cannot find {peer}: {detail}; check base_url, and the network",
    "ConnectionRefusedError": "cannot connect to {peer}: connection refused; is the server running?",
    "SSLError": "TLS with {peer} failed: {detail}; if it speaks plain HTTP, write http:// in base_url",
    "RemoteDisconnected": "{peer} closed the connection without an answer",
    "BadStatusLine": "{peer} does not answer in HTTP: {detail}; check port and scheme of base_url",
    "ConnectionError": "{peer} broke the connection: {detail}",
    "OSError": "cannot connect to {peer}: {detail}; check base_url, and the network",
}
_BODY_CAUSES = {"DecodeError": "cannot decode the answer of {peer}{received}: {detail}"}


def template_for(
    names: AbstractSet[str],
    phase: str,
    limits_s: Tuple[Optional[float], Optional[float]],
    received_bytes: Optional[int],
    *,
    late: bool,
) -> str:
    """What is said of an error whose classes have these names, where {peer} and {detail} are still to come.

    `limits_s` are the timeouts to connect and to read.
    """
    if late:
        text = _TIMEOUTS[phase]
    elif phase == "body":
        text = _first(_BODY_CAUSES, names) or "the answer of {peer} broke off{received}: {detail}"
    else:
        text = _first(_CAUSES, names) or "the call to {peer} failed: {detail}"
    received = "" if received_bytes is None else f" ({received_bytes} bytes had come)"
    for name, value in (
        ("connect_s", _seconds(limits_s[0])),
        ("read_s", _seconds(limits_s[1])),
        ("received", received),
    ):
        text = text.replace(f"{{{name}}}", value)
    return text


def _first(texts: Dict[str, str], names: AbstractSet[str]) -> str:
    return next((texts[name] for name in texts if name in names), "")


def _seconds(value: Optional[float]) -> str:
    return "the time allowed" if value is None else f"{value:g} s"


def said_by(error: BaseException) -> str:
    """What an error says, in the plainest words it has."""
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or type(error).__name__
    return str(said)


def line_of(error: BaseException) -> str:
    """The same in one line that commands no terminal."""
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in " ".join(said_by(error).split())[:200])


def host_and_port(url: str) -> str:
    """Of the server, or "" where the URL cannot be read."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    except ValueError:
        return ""
