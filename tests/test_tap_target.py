"""Where a tapped request goes: /v1 on either side, both or neither."""

import pytest

from . import module

tap_target = module("lab.tap_target")
errors = module("protocol.errors")

CHAT = "/chat/completions"
AZURE = "/openai/deployments/d%2F1/chat/completions?api-version=2024-10-21"
# upstream, what the client asked for, where it goes
ROWS = [
    ("http://h/v1", "/v1" + CHAT, "/v1" + CHAT),
    ("http://h/v1/", "/v1" + CHAT, "/v1" + CHAT),
    ("http://h/v1", CHAT, "/v1" + CHAT),
    ("http://h", "/v1" + CHAT, "/v1" + CHAT),
    ("http://h", CHAT, CHAT),
    ("http://h/", CHAT, CHAT),
    ("http://h/v1" + CHAT, "/v1" + CHAT, "/v1" + CHAT),
    ("https://h/openai/v1", "/v1" + CHAT, "/openai/v1" + CHAT),
    ("https://h/openai/v1", CHAT, "/openai/v1" + CHAT),
    ("https://h/openai/v1", "/openai/v1" + CHAT, "/openai/v1" + CHAT),
    ("https://h/api", "/v1/models", "/api/models"),
    ("https://h/v1beta/openai", "/v1/models", "/v1beta/openai/models"),
    ("http://h/v1", "/v1", "/v1"),
    ("http://h/v1", "/v1/models/a%2Fb?x=%20&y", "/v1/models/a%2Fb?x=%20&y"),
    ("http://h/v1?tenant=7", "/v1/models", "/v1/models?tenant=7"),
    ("http://h/v1?tenant=7", "/v1/models?a=1", "/v1/models?a=1&tenant=7"),
    ("http://h/v1?tenant=7", "/v1/models?tenant=7", "/v1/models?tenant=7"),
    ("http://h/v1", "/fault/cut@3/v1" + CHAT, "/fault/cut@3/v1" + CHAT),
    ("http://h/fault/cut@3/v1", "/v1" + CHAT, "/fault/cut@3/v1" + CHAT),
    ("https://n.openai.azure.com", AZURE, AZURE),
    ("https://n.openai.azure.com/openai", AZURE, AZURE),
    ("https://n.openai.azure.com/openai/v1", AZURE, AZURE),
    ("http://h/v1", AZURE, AZURE),
    ("http://gate/azure/openai", AZURE, "/azure" + AZURE),
    ("http://h/v1", "http://127.0.0.1:8090/v1/models?a", "/v1/models?a"),
    ("http://h/v1", "http://127.0.0.1:8090", "/v1/"),
    ("http://h/v1", "*", "*"),
]


@pytest.mark.parametrize("to, target, expected", ROWS, ids=[f"{to} {target}" for to, target, _ in ROWS])
def test_targets(to, target, expected):
    """The tap's own base URL stands for the upstream's, with /v1 or without it."""
    assert tap_target.read_base(to).target_for(target) == expected


BAD = [
    ("no scheme", "localhost:8000/v1", "did you mean"),
    ("a password", "http://user:word@h/v1", "user or password"),
    ("another scheme", "ftp://h/v1", "ftp"),
    ("a fragment", "http://h/v1#x", "fragment"),
    ("blank", "  ", "blank"),
]


@pytest.mark.parametrize("name, to, words", BAD, ids=[row[0] for row in BAD])
def test_bases_that_cannot_be_used(name, to, words):
    """Refused before anything listens, without repeating a password."""
    with pytest.raises(errors.PayloadError, match=words) as caught:
        tap_target.read_base(to)
    assert "word@" not in str(caught.value)


def test_hosts_are_named_with_their_ports():
    """For the Host header: without a port that the scheme implies, an IPv6 address in brackets."""
    names = [
        tap_target.read_base(url).origin.name for url in ("https://h:443/v1", "http://h:8000", "http://[::1]:8000/v1")
    ]
    assert names == ["h", "h:8000", "[::1]:8000"]
