"""A base_url as people have it -> the exact URL; and every refusal with its cure."""

import pytest

from . import module

url = module("protocol.url")
PayloadError = module("protocol.errors").PayloadError

SECRET = "sk-proj-0123456789abcdef"

URLS = [
    ("no slash", "http://h/v1", {}, "http://h/v1/chat/completions"),
    ("slash", "http://h/v1/", {}, "http://h/v1/chat/completions"),
    ("two slashes", "http://h/v1//", {}, "http://h/v1/chat/completions"),
    ("no path", "http://h", {}, "http://h/chat/completions"),
    ("no path, slash", "http://h/", {}, "http://h/chat/completions"),
    ("whitespace around", " http://h/v1\n", {}, "http://h/v1/chat/completions"),
    ("upper case scheme", "HTTPS://h/v1", {}, "https://h/v1/chat/completions"),
    ("port", "http://localhost:8000/v1", {}, "http://localhost:8000/v1/chat/completions"),
    ("IPv6", "http://[::1]:8000/v1", {}, "http://[::1]:8000/v1/chat/completions"),
    ("base's query", "http://h/v1?a=b&c", {}, "http://h/v1/chat/completions?a=b&c"),
    ("base's query after a slash", "http://h/v1/?a=b", {}, "http://h/v1/chat/completions?a=b"),
    ("an empty query", "http://h/v1?", {}, "http://h/v1/chat/completions"),
    ("endpoint", "http://h/v1/chat/completions", {}, "http://h/v1/chat/completions"),
    ("endpoint, slash and query", "http://h/v1/chat/completions/?a=b", {}, "http://h/v1/chat/completions?a=b"),
    ("endpoint without a version", "http://h/chat/completions", {}, "http://h/chat/completions"),
    ("endpoint under a deployment", "http://h/d/x/chat/completions", {}, "http://h/d/x/chat/completions"),
    ("another endpoint asked", "http://h/v1/chat/completions", {"path": "models"}, "http://h/v1/models"),
    ("/responses", "http://h/v1/responses", {}, "http://h/v1/chat/completions"),
    ("/response", "http://h/v1/response", {}, "http://h/v1/chat/completions"),
    ("/embeddings", "http://h/v1beta2/embeddings/", {}, "http://h/v1beta2/chat/completions"),
    ("/completions", "http://h/v1/completions", {}, "http://h/v1/chat/completions"),
    ("/models", "http://h/v1/models", {}, "http://h/v1/chat/completions"),
    ("/models without a version is a base", "http://h/models", {}, "http://h/models/chat/completions"),
    ("a word that ends alike", "http://h/v1/mymodels", {}, "http://h/v1/mymodels/chat/completions"),
    ("path with a slash", "http://h/v1", {"path": "/models"}, "http://h/v1/models"),
    ("path of two", "http://h/v1", {"path": "models/org%2Fx"}, "http://h/v1/models/org%2Fx"),
    ("no path asked", "http://h/v1/", {"path": ""}, "http://h/v1"),
    ("percent-encoding stays", "http://h/a%2Fb%20c/v1", {}, "http://h/a%2Fb%20c/v1/chat/completions"),
    ("an @ in the path", "http://127.0.0.1:9/fault/cut@3/v1", {}, "http://127.0.0.1:9/fault/cut@3/v1/chat/completions"),
    ("a colon in the path", "http://h/a:b/v1", {}, "http://h/a:b/v1/chat/completions"),
    ("non-ASCII path", "http://h/é", {}, "http://h/%C3%A9/chat/completions"),
    ("non-ASCII query", "http://h?q=é%20", {}, "http://h/chat/completions?q=%C3%A9%20"),
    ("query", "http://h", {"query": {"a": "b c&d=e+é"}}, "http://h/chat/completions?a=b%20c%26d%3De%2B%C3%A9"),
    ("numbers", "http://h", {"query": {"a": 1, "b": 0.5}}, "http://h/chat/completions?a=1&b=0.5"),
    ("booleans", "http://h", {"query": {"a": True, "b": False}}, "http://h/chat/completions?a=true&b=false"),
    ("None is dropped", "http://h", {"query": {"a": None, "b": 1}}, "http://h/chat/completions?b=1"),
    ("list", "http://h", {"query": {"c": [1, None, "x"]}}, "http://h/chat/completions?c[]=1&c[]=x"),
    ("tuple", "http://h", {"query": {"c": (True,)}}, "http://h/chat/completions?c[]=true"),
    ("empty list", "http://h", {"query": {"c": []}}, "http://h/chat/completions"),
    ("nested", "http://h", {"query": {"d": {"e": {"f": [1]}, "g": 2}}}, "http://h/chat/completions?d[e][f][]=1&d[g]=2"),
    ("odd name", "http://h", {"query": {"a b": 1}}, "http://h/chat/completions?a%20b=1"),
    (
        "three layers",
        "http://h?a=0&k=v",
        {"query": {"a": 1, "b": 1}, "extra_query": {"b": 2, "c": 2}},
        "http://h/chat/completions?k=v&a=1&b=2&c=2",
    ),
    ("None removes", "http://h?a=0&b=0", {"query": {"a": None}}, "http://h/chat/completions?b=0"),
    ("a list replaces a list", "http://h?c[]=0&c[]=9", {"query": {"c": [1]}}, "http://h/chat/completions?c[]=1"),
    ("no query given", "http://h", {"query": None, "extra_query": {}}, "http://h/chat/completions"),
]


@pytest.mark.parametrize("base, arguments, expected", [row[1:] for row in URLS], ids=[row[0] for row in URLS])
def test_the_url_is_exactly_this(base, arguments, expected):
    """Base, path and queries -> URL."""
    assert url.build_url(base, **arguments) == expected


WRONG_URLS = [
    ("blank", "  ", "must be a text such as", "blank"),
    ("None", None, "must be a text such as", "got None"),
    ("bytes", b"http://h", "must be a text such as", "got bytes"),
    ("no scheme, local", "localhost:8000/v1", 'did you mean "http://localhost:8000/v1"?', ""),
    ("no scheme, address", "127.0.0.1:8000", 'did you mean "http://127.0.0.1:8000"?', ""),
    ("no scheme, private address", "192.168.1.5/v1", 'did you mean "http://192.168.1.5/v1"?', ""),
    ("no scheme, IPv6", "[::1]:8000/v1", 'did you mean "http://[::1]:8000/v1"?', ""),
    ("no scheme, public", "api.openai.com/v1", 'did you mean "https://api.openai.com/v1"?', ""),
    ("no scheme, public with a port", "h.example:8443/v1", 'did you mean "https://h.example:8443/v1"?', ""),
    ("no scheme, two slashes", "//h.example/v1", 'did you mean "https://h.example/v1"?', ""),
    ("one slash", "http:/h/v1", 'did you mean "http://h/v1"?', ""),
    ("no slash", "https:h/v1", 'did you mean "https://h/v1"?', ""),
    ("no colon", "https//h/v1", 'did you mean "https://h/v1"?', ""),
    ("three slashes", "http:///v1", 'did you mean "http://v1"?', ""),
    ("another scheme", "ftp://h/v1", "must begin with http:// or https://, got ftp://", ""),
    ("websocket", "wss://h/v1", "must begin with http:// or https://, got wss://", ""),
    ("nothing but a scheme", "https://", "must begin with http:// or https:// and a host", ""),
    ("only a port", "http://:80/v1", "names no host", ""),
    ("port 0", "http://h:0/v1", "names no host and port", ""),
    ("port too high", "http://h:99999", "is no URL", "range"),
    ("port no number", "http://h:abc", "is no URL", "abc"),
    ("broken IPv6", "http://[::1/v1", "is no URL", "IPv6"),
    ("fragment", "http://h/v1#a", "has a fragment", "'#'"),
    ("space", "http://h/a b", 'has " " in it', "percent-encode"),
    ("newline", "http://h/a\nb", 'has "\\n" in it', "percent-encode"),
    ("backslash", "http://h\\@evil.example", "has a user or password", "evil.example"),
    ("backslash in the path", "http://h/a\\b", 'has "\\\\" in it', "percent-encode"),
    ("placeholder", "https://{name}.openai.azure.com", 'has "{" in it', "fill in the placeholder"),
    ("another placeholder", "https://<name>.example", 'has "<" in it', "fill in the placeholder"),
    ("surrogate", "http://h/\ud83d", 'has "\\ud83d" in it', ""),
]


@pytest.mark.parametrize("base, what, more", [row[1:] for row in WRONG_URLS], ids=[row[0] for row in WRONG_URLS])
def test_a_base_url_that_cannot_work_is_refused_before_sending(base, what, more):
    """Each with the corrected form where there is one."""
    with pytest.raises(PayloadError) as caught:
        url.build_url(base)
    assert caught.value.path == "base_url"
    assert str(caught.value).startswith("base_url ")
    assert what in str(caught.value)
    assert more in str(caught.value)


@pytest.mark.parametrize(
    "base",
    [
        f"https://user:{SECRET}@h.example/v1",
        f"https://{SECRET}@h.example/v1",
        f"user:{SECRET}@h.example/v1",
        f"https://a@b:{SECRET}@h.example",
        f"https:/user:{SECRET}@h.example/v1",
        f"//user:{SECRET}@h.example/v1",
        f"http:user:{SECRET}@h.example/v1",
    ],
    ids=["user and password", "user", "no scheme", "two signs", "one slash", "no scheme but slashes", "no slash"],
)
def test_userinfo_is_refused_without_being_shown(base):
    """A user in the URL would silently replace the key; the error names the host only."""
    with pytest.raises(PayloadError, match=r'has a user or password in front of "h\.example"') as caught:
        url.build_url(base)
    assert SECRET not in str(caught.value)
    assert "user:" not in str(caught.value)


@pytest.mark.parametrize(
    "base",
    [
        f"h.example/v1?key={SECRET}",
        f"http://h.example/a b?api-key={SECRET}",
        f"https://user:pa/{SECRET}@h.example/v1",
        f"https://user:{SECRET}/ss@h.example/v1",
        f"https://user:{SECRET}#x@h.example/v1",
        f"https://user:{SECRET}?x@h.example/v1",
        f"http:user/{SECRET}@h.example/v1",
    ],
    ids=["query", "query and space", "slash before", "slash after", "hash", "question mark", "no scheme"],
)
def test_a_secret_in_a_url_that_is_wrong_is_not_shown(base):
    """Neither in the message nor in its cause, however the URL fell apart."""
    with pytest.raises(PayloadError) as caught:
        url.build_url(base)
    assert "h.example" in str(caught.value)
    for error in (caught.value, caught.value.__cause__):
        assert SECRET[-8:] not in str(error)
