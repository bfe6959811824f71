"""What is wrong with a base_url, and the form that was meant.

    localhost:8000/v1              must begin with http:// or https://; did you mean "http://localhost:8000/v1"?
    https://{name}.example/v1      has "{" in it, which no URL has; fill in the placeholder
    http://h.example/v1#top        has a fragment, which is never sent; leave out what begins with '#'

Is asked only about what `url_forms.py` has refused; refuses nothing itself. Pure.
"""

from __future__ import annotations

import re
from typing import Any, Container, Optional
from urllib.parse import urlsplit

from .cures import quoted
from .errors import PayloadError
from .redact import redact_text
from .wording import kind_of


def refusal(base_url: Any, not_in_urls: Container[str]) -> PayloadError:
    """The error to raise for a base_url that cannot be used, chained to that of the standard library if it is one's."""
    if not isinstance(base_url, str) or not base_url.strip():
        got = "a blank text" if isinstance(base_url, str) else kind_of(base_url)
        return _error(f'must be a text such as "https://api.openai.com/v1", got {got}')
    text = base_url.strip()
    flaw = _flaw_in_form(text, not_in_urls)
    return flaw if flaw is not None else _flaw_in_parts(text)


def _flaw_in_form(text: str, not_in_urls: Container[str]) -> Optional[PayloadError]:
    scheme, separator, rest = text.partition("://")
    authority = re.split(r"[/?#]", re.sub(r"(?i)^([a-z][a-z0-9+.\-]*:)?/+", "", text), maxsplit=1)[0]
    if "@" in authority:
        host = authority.rpartition("@")[2]
        return _error(f"has a user or password in front of {quoted(host)}; take it out, and give the key as api_key")
    odd = next((char for char in text if char in not_in_urls or not char.isprintable()), None)
    if odd is not None:
        cure = "fill in the placeholder" if odd in "{}<>" else "percent-encode it, or take it out"
        return _error(f"has {quoted(odd)} in it, which no URL has; {cure}", text)
    if not separator or scheme.lower() not in ("http", "https") or rest[:1] in ("", "/", "?", "#"):
        return _error(f"must begin with http:// or https://{_did_you_mean(text)}")
    if "#" in text:
        return _error("has a fragment, which is never sent; leave out what begins with '#'", text)
    return None


def _flaw_in_parts(text: str) -> PayloadError:
    try:
        parts = urlsplit(text)
        _ = parts.hostname and parts.port  # either raises where the library cannot read it
    except ValueError as error:  # "Invalid IPv6 URL", "Port out of range 0-65535"
        if "@" in text:  # a password with a slash in it: the error itself would quote a piece of it
            return _error("is no URL, and seems to have a user or password in it; take it out", text)
        found = _error(f"is no URL: {error}", text)
        found.__cause__ = error
        return found
    return _error("names no host and port to connect to", text)


def _did_you_mean(text: str) -> str:
    """The corrected form of `host/v1`, `http:/host`, `https//host`; the bare fact for `ftp://host`."""
    found = re.match(r"(?i)(https?)[:/]+|([a-z][a-z0-9+.\-]*)://", text)
    if found and found[2]:
        return f", got {found[2]}://"
    rest = text[found.end() :] if found else text.lstrip("/")
    if not re.match(r"[^?#]", rest):
        return " and a host"
    # Without a scheme: plain http is likely on this machine, at a private address, and at a name without a dot.
    name = re.split(r"[/?#]|:\d*(?:[/?#]|$)", rest, maxsplit=1)[0]
    local = "." not in name or re.match(r"127\.|10\.|192\.168\.|0\.0\.0\.0|\[", name)
    scheme = found[1].lower() if found else "http" if local else "https"
    return f"; did you mean {_shown(f'{scheme}://{rest}')}?"


def _error(what: str, text: str = "") -> PayloadError:
    return PayloadError(f"base_url {_shown(text)} {what}" if text else f"base_url {what}", path="base_url")


def _shown(text: str) -> str:
    """The URL without what may be a secret: keys, and all in front of the last @ (a password may hold any sign)."""
    return quoted(redact_text("..." + text[text.rindex("@") :] if "@" in text else text))
