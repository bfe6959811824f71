"""Which HTTP proxy stands on the way to a target, by the rules of requests.

    HTTPS_PROXY=http://user:pass@proxy:3128                  https:// goes through it, http:// does not
    ALL_PROXY=proxy:3128  NO_PROXY=.openai.com,10.0.0.0/8    all but those go through it
    proxies={"https://api.openai.com": "http://proxy:3128"}  what is given wins

Reads the environment (lower case wins over upper case, as in curl), and the settings of macOS and Windows. Opens no
connection: that is `tunnel.py`'s part.
"""

from __future__ import annotations

import os
import sys
from typing import Dict, Mapping, Tuple
from urllib.parse import unquote, urlsplit


def proxy_for(scheme: str, host: str, port: int, proxies: Mapping[str, str]) -> str:
    """The URL of the proxy on the way to a target or "", from `proxies`, as requests takes them, or the environment."""
    environment = _environment_proxies()
    no_proxy = proxies.get("no_proxy") or environment.pop("no_proxy", "")
    if _is_exempt(host, port, no_proxy):
        environment = {}
    else:
        environment = environment or _system_proxies(host)
    known = {**environment, **proxies}
    for name in (f"{scheme}://{host}", scheme, f"all://{host}", "all"):
        if known.get(name):
            return known[name] if "://" in known[name] else f"http://{known[name]}"
    return ""


def to_proxy(url: str, headers: Mapping[str, str], proxy_url: str) -> Tuple[str, Dict[str, str]]:
    """The target and headers of a request that the proxy itself reads: it gets the whole URL (RFC 9112, 3.2.2)."""
    return url, {**headers, **credentials_of(proxy_url)}


def credentials_of(proxy_url: str) -> Dict[str, str]:
    """The header that shows a proxy the user and password in its URL; empty where there are none."""
    parts = urlsplit(proxy_url)
    if parts.username is None:
        return {}
    from base64 import b64encode  # only proxies with a password need it

    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(pair.encode()).decode("ascii")}


def _environment_proxies() -> Dict[str, str]:
    """{"https": URL, "no_proxy": names}"""
    found = {}
    for name, value in sorted(os.environ.items()):  # upper case sorts first
        if name == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ:
            continue  # in a CGI program this is the request's header "Proxy" (CVE-2016-5385)
        lower = name.lower()
        if lower.endswith("_proxy") and value:
            found["no_proxy" if lower == "no_proxy" else lower[: -len("_proxy")]] = value
    return found


def _system_proxies(host: str) -> Dict[str, str]:
    """What macOS and Windows have in their settings."""
    if sys.platform not in ("darwin", "win32"):
        return {}
    from urllib.request import getproxies, proxy_bypass  # heavy, and needed on these systems only

    return {} if proxy_bypass(host) else getproxies()


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    return any(_matches(host.lower(), port, entry.strip().lower()) for entry in no_proxy.split(",") if entry.strip())


def _matches(host: str, port: int, entry: str) -> bool:
    """Whether an entry of NO_PROXY names the target: *, a host, a domain, either with a port, an address, a network."""
    if entry == "*":
        return True
    for name in (host, f"{host}:{port}"):
        if name == entry or name.endswith("." + entry.lstrip(".")):
            return True
    if "/" not in entry:
        return False
    from ipaddress import ip_address, ip_network  # rarely needed

    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:  # the host is a name, or the entry no network
        return False
