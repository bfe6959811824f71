"""Arguments -> exact headers; what cannot be sent is refused without being shown."""

import pytest

from . import module

failures = module("transport.failures")
headers = module("protocol.headers")
PayloadError = module("protocol.errors").PayloadError

SECRET = "sk-proj-0123456789abcdef"


def rows(**given):
    """Arguments of build_headers, with the rows that a client adds of its own in front of the caller's."""
    names = {
        "user_agent": "User-Agent",
        "request_id": "X-Client-Request-Id",
        "retry_count": "X-Retry-Count",
        "organization": "OpenAI-Organization",
        "project": "OpenAI-Project",
    }
    own = {row: given.pop(name, None) or None for name, row in names.items()}
    return {**given, "extra": (own, *given.get("extra", ()))}


HEADERS = [
    (
        "a whole reply",
        {"api_key": "k-1", "user_agent": "name/1 Python/3.9", "request_id": "r1"},
        (
            "Authorization: Bearer k-1|Content-Type: application/json|Accept: application/json"
            "|Accept-Encoding: gzip, deflate|User-Agent: name/1 Python/3.9|X-Client-Request-Id: r1"
        ),
    ),
    (
        "a stream, retried, with organization and project",
        {"api_key": "k-1", "stream": True, "retry_count": 2, "organization": "o", "project": "p"},
        (
            "Authorization: Bearer k-1|Content-Type: application/json|Accept: text/event-stream"
            "|Accept-Encoding: identity|X-Retry-Count: 2|OpenAI-Organization: o|OpenAI-Project: p"
        ),
    ),
    (
        "a GET without a key, blanks left out",
        {"api_key": None, "content_type": "", "organization": "", "request_id": None},
        "Accept: application/json|Accept-Encoding: gzip, deflate",
    ),
    (
        "Azure's key",
        {"api_key": "k-1", "key_header": "api-key", "content_type": ""},
        "api-key: k-1|Accept: application/json|Accept-Encoding: gzip, deflate",
    ),
    (
        "the key is stripped",
        {"api_key": " k-1\n", "content_type": ""},
        "Authorization: Bearer k-1|Accept: application/json|Accept-Encoding: gzip, deflate",
    ),
    (
        "the caller's headers win in any case, in place; None removes; the rest follows",
        {
            "api_key": "k-1",
            "extra": [{"accept": "x/y", "Content-TYPE": None, "X-Number": 7, "X-Text": " t "}, None, {"X-text": "u"}],
        },
        "Authorization: Bearer k-1|accept: x/y|Accept-Encoding: gzip, deflate|X-Number: 7|X-text: u",
    ),
    (
        "even Authorization may be replaced, removed, and a header that is not there",
        {
            "api_key": "k-1",
            "content_type": "",
            "extra": [{"authorization": "Basic x"}, {"AUTHORIZATION": None, "X-No": None}],
        },
        "Accept: application/json|Accept-Encoding: gzip, deflate",
    ),
    (
        "a stream may ask for compression",
        {"api_key": None, "content_type": "", "stream": True, "extra": [{"Accept-Encoding": "gzip"}]},
        "Accept: text/event-stream|Accept-Encoding: gzip",
    ),
    (
        "Latin-1, tabs and empty values pass",
        {
            "api_key": None,
            "content_type": "",
            "extra": [{"Accept": None, "Accept-Encoding": None, "X-A": "é\tb", "X-B": ""}],
        },
        "X-A: é\tb|X-B: ",
    ),
]


@pytest.mark.parametrize("arguments, expected", [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_the_headers_are_exactly_these(arguments, expected):
    """Arguments -> header lines, in order."""
    built = headers.build_headers(**rows(**arguments))
    assert isinstance(built, tuple)
    assert "|".join(f"{name}: {value}" for name, value in built) == expected


def test_header_mappings_of_the_caller_stay_as_they_are():
    """They are read, never written."""
    layer = {"X-A": 1, "Accept": None}
    headers.build_headers(api_key=None, extra=(layer,))
    assert layer == {"X-A": 1, "Accept": None}


WRONG_HEADERS = [
    (
        "a newline",
        {"api-key": f"{SECRET}\nX-Evil: 1"},
        "headers.api-key",
        "header api-key holds a line break, U+000A at position 24",
    ),
    ("a carriage return", {"X-A": "a\rb"}, "headers.X-A", "a line break, U+000D at position 1"),
    ("a last newline", {"X-A": "a\n"}, "headers.X-A", "a line break, U+000A at position 1"),
    ("NUL", {"X-A": "\0"}, "headers.X-A", "a control character, U+0000 at position 0"),
    ("NEL", {"X-A": "\x85"}, "headers.X-A", "a control character, U+0085"),
    ("beyond Latin-1", {"Authorization": f"Bearer {SECRET}…"}, "headers.Authorization", "outside Latin-1, U+2026"),
    ("a surrogate", {"X-A": "\ud83d"}, "headers.X-A", "outside Latin-1, U+D83D"),
    ("bytes", {"X-A": b"x"}, "headers.X-A", "must be a text, got bytes"),
    ("a boolean", {"X-A": True}, "headers.X-A", "must be a text, got bool"),
    ("a float", {"X-A": 0.5}, "headers.X-A", "must be a text, got float"),
    ("a list", {"X-A": ["x"]}, "headers.X-A", "must be a text, got list"),
    ("a name with a space", {"X A": "x"}, "headers", '"X A" cannot name a header'),
    ("a name with a newline", {"X-A\n": "x"}, "headers", '"X-A\\n" cannot name a header'),
    ("a name with a colon", {"X-A:": "x"}, "headers", "cannot name a header"),
    ("an empty name", {"": "x"}, "headers", '"" cannot name a header'),
    ("a name of another type", {1: "x"}, "headers", "a name of type int cannot name a header"),
    ("the length", {"content-length": "3"}, "headers.content-length", "written by the transport"),
    ("the framing", {"Transfer-Encoding": None}, "headers.Transfer-Encoding", "written by the transport"),
    ("a list of pairs", [("X-A", "x")], "headers", "headers must be a dict of names and values, got list"),
]


@pytest.mark.parametrize("layer, path, text", [row[1:] for row in WRONG_HEADERS], ids=[row[0] for row in WRONG_HEADERS])
def test_a_header_that_cannot_be_sent_is_refused_by_name_only(layer, path, text):
    """No message shows a value: it may be a secret."""
    with pytest.raises(PayloadError) as caught:
        headers.build_headers(api_key=None, extra=(layer,))
    assert caught.value.path == path
    assert text in str(caught.value)
    assert SECRET[:6] not in str(caught.value)
    assert str(caught.value).isascii()


def test_our_own_headers_are_checked_too():
    """An organization from the environment may hold anything."""
    with pytest.raises(PayloadError, match="header OpenAI-Organization holds a line break"):
        headers.build_headers(**rows(api_key=None, organization="org\nX-Evil: 1"))


# ---- headers that are remembered


def test_headers_that_were_checked_pass_the_door_as_they_are():
    """In order and case; pairs that anybody else made are looked at."""
    built = headers.build_headers(api_key="k-1", extra=({"X-Text": "t"},))
    assert failures.check_headers(built) == dict(built)
    for pairs in ((*built, ("X-A", "a\nb")), [*built[:1], ("X A", "")]):
        with pytest.raises(PayloadError):
            failures.check_headers(pairs)


@pytest.mark.parametrize(
    "extra, expected",
    [
        ({}, "Accept: x|X-Client-Request-Id: ab-1|X-B: b"),
        ({"x-client-REQUEST-id": "mine"}, "Accept: x|x-client-REQUEST-id: mine|X-B: b"),
        ({"X-Client-Request-Id": None}, "Accept: x|X-B: b"),
    ],
    ids=["ours", "the caller's", "none"],
)
def test_the_id_of_a_request_comes_where_it_was_left_open(extra, expected):
    """Unless the caller has said something else."""
    layers = ({"Accept": "x", "Accept-Encoding": None, "X-B": "b"}, extra)
    built = headers.build_headers(**rows(api_key=None, content_type="", request_id=headers.TO_COME, extra=layers))
    numbered = headers.numbered(built, "ab-1")
    assert isinstance(numbered, headers.CheckedPairs)
    assert "|".join(f"{name}: {value}" for name, value in numbered) == expected


# ---- the key

KEYS = [
    ("as it is", SECRET, SECRET),
    ("a file's last newline", f"{SECRET}\r\n", SECRET),
    ("spaces and tabs", f" \t{SECRET} ", SECRET),
    ("what local servers are given", "not needed", "not needed"),
    ("Latin-1", "clé", "clé"),
    ("an equals sign", "abc=", "abc="),
    ("a bearer of that name", "bearer-token-1", "bearer-token-1"),
]


@pytest.mark.parametrize("key, expected", [row[1:] for row in KEYS], ids=[row[0] for row in KEYS])
def test_a_key_is_given_back_without_whitespace_around_it(key, expected):
    """Nothing else is changed."""
    assert headers.check_api_key(key) == expected


WRONG_KEYS = [
    ("empty", "", "is blank"),
    ("blank", " \n", "is blank"),
    ("None", None, "must be a text, got None"),
    ("bytes", SECRET.encode(), "must be a text, got bytes"),
    ("two lines", f"{SECRET}\n{SECRET}", "a line break, U+000A at position 24"),
    ("an ellipsis", f"{SECRET}…", "outside Latin-1, U+2026 at position 24"),
    ("a zero-width space", f"{SECRET}\u200b", "outside Latin-1, U+200B at position 24"),
    ("a byte order mark", f"\ufeff{SECRET}", "outside Latin-1, U+FEFF at position 0"),
    ("NUL", f"{SECRET}\0", "a control character, U+0000"),
    ("the word Bearer", f"Bearer {SECRET}", 'begins with "Bearer "'),
    ("the word bearer", f"bearer {SECRET}", 'begins with "Bearer "'),
    ("double quotes", f'"{SECRET}"', "quotation marks around it"),
    ("single quotes", f"'{SECRET}'", "quotation marks around it"),
    ("a line of .env", f"OPENAI_API_KEY={SECRET}", "is a whole line NAME=value"),
    ("a line of a shell", f'export OPENAI_API_KEY="{SECRET}"', "is a whole line NAME=value"),
]


@pytest.mark.parametrize("key, text", [row[1:] for row in WRONG_KEYS], ids=[row[0] for row in WRONG_KEYS])
def test_what_is_no_key_is_refused_without_showing_it(key, text):
    """The message tells the slip that was made, and nothing of the key."""
    with pytest.raises(PayloadError) as caught:
        headers.check_api_key(key)
    assert caught.value.path == "api_key"
    assert text in str(caught.value)
    assert SECRET[:6] not in str(caught.value)
