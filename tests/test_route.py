"""Where requests go: origins, proxies from the environment, whom TLS trusts."""

import ssl

import pytest

from . import module

route = module("transport.route")
errors = module("protocol.errors")
wire = module("protocol.wire")


def test_credentials_go_to_the_proxy_alone():
    """In the request where the proxy reads that; not in one that goes through its tunnel."""
    target = route.Origin("http", "h", 80)
    proxy = route.Origin("http", "p", 3128, "Basic x")
    through = route.Route(target, proxy, "")
    tunnelled = route.Route(target._replace(scheme="https", port=443), proxy, "")
    assert b"Proxy-Authorization" in route.request_bytes(wire.Request("POST", "http://h/v1", ()), {}, through)
    assert b"Proxy-Authorization" not in route.request_bytes(wire.Request("POST", "https://h/v1", ()), {}, tunnelled)


ROUTES = [
    ("nothing set", "https://api.example/", {}, {}, None),
    ("by scheme", "https://api.example/", {"HTTPS_PROXY": "http://p:1"}, {}, "http://p:1"),
    ("not by another scheme", "http://api.example/", {"HTTPS_PROXY": "http://p:1"}, {}, None),
    ("for all", "http://api.example/", {"ALL_PROXY": "p:1"}, {}, "http://p:1"),
    ("lower case wins", "https://api.example/", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:2"}, {}, "http://q:2"),
    ("given wins", "https://api.example/", {"HTTPS_PROXY": "http://p:1"}, {"https": "http://q:2"}, "http://q:2"),
    ("given for a host", "https://api.example/", {}, {"https": "http://q:2", "https://api.example": "http://r:3"}, "http://r:3"),
    ("a CGI program's header", "http://api.example/", {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, {}, None),
    ("exempt: all", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, {}, None),
    ("exempt: the host", "https://api.example/", {"ALL_PROXY": "http://p:1", "no_proxy": "a, API.example"}, {}, None),
    ("exempt: its domain", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"}, {}, None),
    ("exempt: with this port", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "example:443"}, {}, None),
    ("not exempt: another port", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "example:80"}, {}, "http://p:1"),
    ("not exempt: a part of the name", "https://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "i.example,xample"}, {}, "http://p:1"),
    ("exempt: a network", "http://10.1.2.3/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, {}, None),
    ("not exempt: another network", "http://11.1.2.3/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, {}, "http://p:1"),
    ("no network at all", "http://api.example/", {"ALL_PROXY": "http://p:1", "NO_PROXY": "a/b"}, {}, "http://p:1"),
    ("no_proxy as given", "https://api.example/", {"ALL_PROXY": "http://p:1"}, {"no_proxy": "example"}, None),
]  # fmt: skip


@pytest.mark.parametrize(
    "url, environment, proxies, expected", [each[1:] for each in ROUTES], ids=[each[0] for each in ROUTES]
)
def test_proxies(monkeypatch, url, environment, proxies, expected):
    """By the rules of requests, from the environment and what was given."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert route.proxy_for(route.read_origin(url), proxies) == expected


ORIGINS = [
    ("http://h/x", route.Origin("http", "h", 80), "h"),
    ("https://h", route.Origin("https", "h", 443), "h"),
    ("https://h:8443/x?y#z", route.Origin("https", "h", 8443), "h:8443"),
    ("http://[::1]:80/", route.Origin("http", "::1", 80), "[::1]"),
    ("http://b\u00fccher.example", route.Origin("http", "xn--bcher-kva.example", 80), "xn--bcher-kva.example"),
    ("http://me:p%40ss@h:3128", route.Origin("http", "h", 3128, "Basic bWU6cEBzcw=="), "h:3128"),
]


@pytest.mark.parametrize("url, origin, name", ORIGINS, ids=[each[0] for each in ORIGINS])
def test_origins(url, origin, name):
    """Scheme, host and port of a URL, and its name in a Host header."""
    assert route.read_origin(url) == origin
    assert origin.name == name


@pytest.mark.parametrize("url", ["h/x", "ftp://h", "http://", "http://h:port", "http://me:secret@h:99999"])
def test_no_origins(url):
    """Said with the URL, but without its password."""
    with pytest.raises(errors.PayloadError) as caught:
        route.read_origin(url, path="proxies")
    assert caught.value.path == "proxies" and "secret" not in str(caught.value)


def test_tls_that_is_not_verified():
    """Only where it was asked for."""
    assert route.tls_context(False).verify_mode == ssl.CERT_NONE
    assert route.tls_context().verify_mode == ssl.CERT_REQUIRED and route.tls_context(True).check_hostname


def test_a_client_certificate_that_is_not_there():
    """A local mistake, told with the path."""
    with pytest.raises(errors.PayloadError, match=r"/no/such\.pem"):
        route.tls_context(cert="/no/such.pem")
