"""Which proxy stands on the way: from the environment, from what was given, and for whom it is not."""

import pytest

from . import module

proxies = module("transport.proxies")
route = module("transport.route")
speaking = module("transport.speaking")
wire = module("protocol.wire")


def test_credentials_go_to_the_proxy_alone():
    """In the request where the proxy reads that; not in one that goes through its tunnel."""
    target = route.Origin("http", "h", 80)
    proxy = route.Origin("http", "p", 3128)
    through = route.Route(target, proxy, "http://me:p%40ss@p:3128")
    tunnelled = route.Route(target._replace(scheme="https", port=443), proxy, "")
    assert b"Proxy-Authorization" in speaking.request_bytes(wire.Request("POST", "http://h/v1", ()), {}, through)
    assert b"Proxy-Authorization" not in speaking.request_bytes(wire.Request("POST", "https://h/v1", ()), {}, tunnelled)


CREDENTIALS = [
    ("http://p:3128", {}),
    ("http://me:p%40ss@p:3128", {"Proxy-Authorization": "Basic bWU6cEBzcw=="}),
    ("http://me@p:3128", {"Proxy-Authorization": "Basic bWU6"}),
]


@pytest.mark.parametrize("url, header", CREDENTIALS, ids=[each[0] for each in CREDENTIALS])
def test_credentials_stand_in_the_url(url, header):
    """Percent-encoded, as a URL wants them."""
    assert proxies.credentials_of(url) == header


ROUTES = [
    ("nothing set", "https://api.example/", {}, {}, ""),
    ("by scheme", "https://api.example/", {"HTTPS_PROXY": "http://p:1"}, {}, "http://p:1"),
    ("not by another scheme", "http://api.example/", {"HTTPS_PROXY": "http://p:1"}, {}, ""),
    ("for all", "http://api.example/", {"ALL_PROXY": "p:1"}, {}, "http://p:1"),
    ("lower case wins", "https://api.example/", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, {}, "http://q:2"),
    ("given wins", "https://api.example/", {"HTTPS_PROXY": "http://p:1"}, {"https": "http://q:2"}, "http://q:2"),
    ("given for a host", "https://api.example/", {}, {"https": "http://q:2", "https://api.example": "http://r:3"}, "http://r:3"),
    ("a CGI program's header", "http://api.example/", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {}, ""),
    ("exempt: all", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, {}, ""),
    ("exempt: the host", "https://api.example/", {"ALL_PROXY": "http://p:1", "no_proxy": "a, API.example"}, {}, ""),
    ("exempt: its domain", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"}, {}, ""),
    ("exempt: with this port", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "example:443"}, {}, ""),
    ("not exempt: another port", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "example:80"}, {}, "http://p:1"),
    ("not exempt: a part of the name", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "i.example,xample"}, {}, "http://p:1"),
    ("exempt: a network", "http://10.1.2.3/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, {}, ""),
    ("not exempt: another network", "http://11.1.2.3/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, {}, "http://p:1"),
    ("no network at all", "http://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "a/b"}, {}, "http://p:1"),
    ("no_proxy as given", "https://api.example/", {"ALL_PROXY": "http://p:1"}, {"no_proxy": "example"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    "url, environment, given, expected", [each[1:] for each in ROUTES], ids=[each[0] for each in ROUTES]
)
def test_proxies(monkeypatch, url, environment, given, expected):
    """By the rules of requests, from the environment and what was given."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxies.proxy_for(*route.read_origin(url), given) == expected
