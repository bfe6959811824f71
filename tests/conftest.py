"""What holds for every test: no network but loopback, no key or proxy from outside, a home folder of its own."""

import itertools
import os
import socket

import pytest

from . import module
from .doors import certificate, door, make_door, tls  # noqa: F401  (fixtures, for the tests of transports)

# What changes where a request goes, what it carries, or how text is shown. Compared in upper case, for on POSIX
# http_proxy and HTTP_PROXY are two.
SCRUBBED = ("OPENAI_", "AZURE_OPENAI_")
SCRUBBED_NAMES = frozenset(
    """
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY NETRC
    REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR SSLKEYLOGFILE
    NO_COLOR FORCE_COLOR RAWCHAT_LOG
    """.split()
)


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    """Where each test's home folder is; pytest's own numbered folders are looked through for every new one."""
    return tmp_path_factory.mktemp("homes"), itertools.count()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, homes):
    """The developer's own keys, proxies and ~/.netrc change no result."""
    for name in list(os.environ):
        if name.upper().startswith(SCRUBBED) or name.upper() in SCRUBBED_NAMES:
            monkeypatch.delenv(name)
    folder, numbers = homes
    home = str(folder / str(next(numbers)))
    os.mkdir(home)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, home)


def is_loopback(host):
    """Whether a host as a socket takes it stays on this machine. "" and None mean this machine too."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    name = (host or "localhost").lower().rstrip(".").partition("%")[0]
    return name in ("localhost", "::1", "0.0.0.0", "::") or name.endswith(".localhost") or name.startswith("127.")


def refuse(what, host):
    """Fails the test, past every `except Exception` on the way."""
    pytest.fail(f"a test tried to {what} {host!r}; tests stay on loopback", pytrace=True)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """A socket to anywhere else, and a question to a name server, fails the test with a clear word."""
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, guarded_method(getattr(socket.socket, name)))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        monkeypatch.setattr(socket, name, guarded_lookup(getattr(socket, name)))


def guarded_method(original):
    def method(self, *arguments):
        address = arguments[-1]
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            refuse("reach", address[0])
        return original(self, *arguments)

    return method


def guarded_lookup(original):
    def lookup(host, *arguments, **options):
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        if name and name.lower().rstrip(".").endswith(".invalid"):
            # RFC 6761 section 6.4: such a name exists nowhere. Tests of a failed look-up use it, and ask nobody.
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not is_loopback(host):
            refuse("look up", host)
        return original(host, *arguments, **options)

    return lookup


@pytest.fixture
def practice():
    """A practice server on a free port, without pauses; `.url` is its base URL."""
    with module("lab.practice").PracticeServer(port=0, pace_ms=0) as server:
        yield server
