"""What to do about a call that broke on its way: the end of a sentence of `failures.py`.

cannot connect to 127.0.0.1:8000: connection refused      ; is the server running?
"""

from __future__ import annotations

_ADVICE = {
    "timeout connect": "is the address right, and no firewall in between?",
    "timeout head": "if the model needs longer, give a longer timeout, or stream",
    "ProxyError": "check proxies=, HTTPS_PROXY and NO_PROXY",
    "SSLCertVerificationError": "for a CA of your own, give its file as verify= or in REQUESTS_CA_BUNDLE",
    "gaierror": "check base_url, and the network",
    "ConnectionRefusedError": "is the server running?",
    "SSLError": "if it speaks plain HTTP, write http:// in base_url",
    "BadStatusLine": "check port and scheme of base_url",
    "OSError": "check base_url, and the network",
}


def advice_for(cause: str) -> str:
    """A semicolon and the advice, or "". `cause`: a row of the tables of `failures.py`."""
    return f"; {_ADVICE[cause]}" if cause in _ADVICE else ""
