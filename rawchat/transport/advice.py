"""What broke a call on its way, by its cause, and what to do about it: what `failures.py` says in plain terms.

the call to 127.0.0.1:8000 failed: Connection refused
  -> cannot connect to 127.0.0.1:8000: connection refused; is the server running?
"""

from __future__ import annotations

from typing import AbstractSet, Dict

_TIMEOUTS = {
    "connect": "; is the address right, and no firewall in between?",
    "head": "; if the model needs longer, give a longer timeout, or stream",
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


def advised(text: str, names: AbstractSet[str], phase: str, *, late: bool) -> str:
    """A better template than `text` for an error whose classes have these names."""
    if late:
        return text + _TIMEOUTS.get(phase, "")
    texts: Dict[str, str] = _BODY_CAUSES if phase == "body" else _CAUSES
    return next((texts[name] for name in texts if name in names), text)
