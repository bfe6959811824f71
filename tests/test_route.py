"""Where requests go: origins, and whom TLS trusts."""

import ssl

import pytest

from . import module

route = module("transport.route")
errors = module("protocol.errors")


ORIGINS = [
    ("http://h/x", route.Origin("http", "h", 80), "h"),
    ("https://h", route.Origin("https", "h", 443), "h"),
    ("https://h:8443/x?y#z", route.Origin("https", "h", 8443), "h:8443"),
    ("http://[::1]:80/", route.Origin("http", "::1", 80), "[::1]"),
    ("http://b\u00fccher.example", route.Origin("http", "xn--bcher-kva.example", 80), "xn--bcher-kva.example"),
    ("http://me:p%40ss@h:3128", route.Origin("http", "h", 3128), "h:3128"),
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


def test_targets_are_quoted_where_they_must_be():
    """A blank or a line break in a URL can't end the request line; what is quoted already stays."""
    assert route.target_of("http://h/v1/chat?a=b%20c&d=~") == "/v1/chat?a=b%20c&d=~"
    assert route.target_of("http://h/a b\u00e9?c d") == "/a%20b%C3%A9?c%20d"
    assert route.target_of("http://h?x") == "/?x"


def test_tls_that_is_not_verified():
    """Only where it was asked for."""
    assert route.tls_context(False).verify_mode == ssl.CERT_NONE
    assert route.tls_context().verify_mode == ssl.CERT_REQUIRED and route.tls_context(True).check_hostname


def test_a_client_certificate_that_is_not_there():
    """A local mistake, told with the path."""
    with pytest.raises(errors.PayloadError, match=r"/no/such\.pem"):
        route.tls_context(cert="/no/such.pem")
