"""No secret gets into anything that a person or a file gets to see, and ordinary words stay readable."""

import hashlib

import pytest

from . import module

redact = module("protocol.redact")

BODY = "0123456789abcdefGHIJ"
AZURE = "0123456789abcdef0123456789abcdef"

# name, text, the secret in it; every one must be gone
SECRETS = [
    ("OpenAI project key", f"key sk-proj-{BODY} is wrong", f"sk-proj-{BODY}"),
    ("OpenAI key of old", f"sk-{BODY}", f"sk-{BODY}"),
    ("OpenAI's starred quotation", "Incorrect API key provided: sk-proj-********************GHIJ. You can", "GHIJ"),
    ("OpenRouter", f"sk-or-v1-{BODY}", BODY),
    ("Anthropic", f"sk-ant-api03-{BODY}-x_y", BODY),
    ("Groq", f"gsk_{BODY}", f"gsk_{BODY}"),
    ("xAI", f"xai-{BODY}", f"xai-{BODY}"),
    ("Google", "AIzaSyA0123456789abcdefghijklmnopqrstuv", "AIzaSyA0123456789abcdefghijklmnopqrstuv"),
    ("Hugging Face", f"hf_{BODY}{BODY}", f"hf_{BODY}"),
    ("NVIDIA", f"nvapi-{BODY}", f"nvapi-{BODY}"),
    ("Replicate", f"r8_{BODY}{BODY}", f"r8_{BODY}"),
    ("Fireworks", f"fw_{BODY}", f"fw_{BODY}"),
    ("inside quotes", f'{{"key": "sk-{BODY}"}}', BODY),
    ("inside a path", f"/v1/sk-{BODY}/chat", BODY),
    ("at the end of a sentence", f"It was sk-{BODY}.", BODY),
    ("two of them", f"sk-{BODY} or gsk_{BODY}", BODY),
    ("bearer in running text", f"sent Bearer {AZURE} to it", AZURE),
    ("bearer in small letters", f"authorization: bearer {AZURE}", AZURE),
    ("bearer of letters alone", "Authorization: Bearer opensesame", "opensesame"),
    ("bearer that begins like a word", "Bearer token-opensesame", "opensesame"),
    ("bearer that goes on after a word", "Bearer auth.opensesame", "opensesame"),
    ("bearer JWT", "Bearer eyJhbGciOi.eyJzdWIiOi.SflKxwRJSM", "eyJzdWIiOi"),
    ("basic", "Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    ("query key", f"https://h/v1?key={AZURE}&x=1", AZURE),
    ("query api-key", f"https://h/v1?x=1&api-key={AZURE}", AZURE),
    ("query api_key", f"GET /v1?api_key={AZURE} HTTP/1.1", AZURE),
    ("query access_token", f"https://h/?access_token={AZURE}#top", AZURE),
    ("query signature", f"https://h/?sig={AZURE}", AZURE),
    ("query in capitals", f"https://h/?API-KEY={AZURE}", AZURE),
    ("userinfo", "http://user:opensesame@proxy.example:3128/", "opensesame"),
    ("userinfo with an at sign in it", "http://user:open@sesame@proxy.example/", "sesame"),
    ("userinfo without a name", "http://:opensesame@proxy.example/", "opensesame"),
    ("a key as the user", f"https://sk-{BODY}@h.example/", BODY),
    ("api-key as a header line", f"> api-key: {AZURE}", AZURE),
    ("api-key in JSON", f'{{"api-key": "{AZURE}", "model": "m"}}', AZURE),
    ("api_key as a keyword", f"Client(api_key='{AZURE}')", AZURE),
    ("x-goog-api-key in a dict", f"{{'x-goog-api-key': '{AZURE}'}}", AZURE),
]  # fmt: skip


@pytest.mark.parametrize("name, text, secret", SECRETS, ids=[row[0] for row in SECRETS])
def test_a_secret_of_known_shape_is_gone(name, text, secret):
    """A mark stands in its place; doing it twice changes nothing more."""
    shown = redact.redact_text(text)
    assert secret not in shown
    assert "<key:" in shown
    assert redact.redact_text(shown) == shown


PLAIN = [
    ("a sentence", "Rate limit reached for gpt-4o-mini in organization org-abc on tokens per min (TPM): Limit 200000"),
    ("how to authenticate", "You need to provide your API key in an Authorization header using Bearer auth"),
    ("an explanation", "Basic authentication is not supported, use a bearer token instead"),
    ("the end of a sentence", "Send it as a bearer token. No basic authentication."),
    ("a provider's name", "Model m is not supported for provider hf-inference"),
    ("words with the letters", "the task-completed risk-adjusted disk-based fw_update of xai-models"),
    ("a module", "ModuleNotFoundError: No module named 'hf_transfer'"),
    ("a model list", "gpt-4o, gpt-4.1-mini, o3, claude-sonnet-4-5, deepseek-chat"),
    ("an address", "http://127.0.0.1:8000/v1/chat/completions?api-version=2024-10-21"),
    ("a mail address", "write to help@example.com"),
    ("a port and an at sign later", "http://h:8000/x tells user@example.com"),
    ("a request id", "request id req_0123456789abcdef"),
    ("asked for a key", "set OPENAI_API_KEY or pass api_key=..."),
    ("a missing key", "api_key: None"),
    ("empty", ""),
]


@pytest.mark.parametrize("name, text", PLAIN, ids=[row[0] for row in PLAIN])
def test_ordinary_words_stay_as_they_are(name, text):
    """Redaction that blots out the message would hide what went wrong."""
    assert redact.redact_text(text) == text


NAMED = [
    ("a key without a shape", f"Access denied for {AZURE}!", [AZURE]),
    ("more than once", f"{AZURE} {AZURE}", [AZURE]),
    ("several", f"a {AZURE} b opensesame c", [AZURE, "opensesame"]),
    ("one inside another", "opensesame!! and opensesame", ["opensesame", "opensesame!!"]),
    ("with signs that mean something to patterns", "key (a+b)* here", ["(a+b)*"]),
    ("of four characters", "key 4711 here", ["4711"]),
    ("beyond ASCII", "key schlüssel here", ["schlüssel"]),
]


@pytest.mark.parametrize("name, text, secrets", NAMED, ids=[row[0] for row in NAMED])
def test_a_named_secret_is_gone_whatever_its_shape(name, text, secrets):
    """Also where one secret is part of another, in whichever order they are named."""
    for given in (secrets, secrets[::-1], iter(secrets)):
        given = list(given)
        shown = redact.redact_text(text, given)
        assert [secret for secret in given if secret in shown] == []
        assert "!!" not in shown


def test_a_secret_that_is_hardly_one_is_left_alone():
    """ "x" as a key protects nothing, and would blot out every x."""
    assert redact.redact_text("the next text", ["x", "ex", ""]) == "the next text"


def test_the_mark_tells_the_same_key_from_another():
    """Six hex digits of SHA-256: stable, different for different keys, and nothing of the key in it."""
    assert redact.mark(AZURE) == f"<key:{hashlib.sha256(AZURE.encode()).hexdigest()[:6]}>"
    assert redact.mark("a" * 20) != redact.mark("b" * 20)
    assert redact.mark("\ud800") == redact.mark("?")


HEADERS = [
    ("bearer", "Authorization", f"Bearer {AZURE}", f"Bearer {redact.mark(AZURE)}"),
    ("basic", "authorization", "Basic abc", f"Basic {redact.mark('abc')}"),
    ("another scheme is part of the secret", "Authorization", "Digest x y", redact.mark("Digest x y")),
    ("no scheme", "AUTHORIZATION", "opensesame", redact.mark("opensesame")),
    ("proxy", "Proxy-Authorization", "Basic abc", f"Basic {redact.mark('abc')}"),
    ("Azure", "api-key", AZURE, redact.mark(AZURE)),
    ("Azure API Management", "Ocp-Apim-Subscription-Key", AZURE, redact.mark(AZURE)),
    ("Anthropic", "X-Api-Key", "short", redact.mark("short")),
    ("Google", "x-goog-api-key", "short", redact.mark("short")),
    ("cookie", "Cookie", "session=1", redact.mark("session=1")),
    ("set-cookie", "Set-Cookie", "session=1; Path=/", redact.mark("session=1; Path=/")),
    ("another header", "X-Request-Id", "req_1", "req_1"),
    ("another header with a key in it", "X-Debug", f"sk-{BODY}", redact.mark(f"sk-{BODY}")),
    ("a target with a key in it", "Location", "https://h/?sig=abc", f"https://h/?sig={redact.mark('abc')}"),
]


@pytest.mark.parametrize("name, header, value, shown", HEADERS, ids=[row[0] for row in HEADERS])
def test_a_header_shows_its_scheme_and_nothing_secret(name, header, value, shown):
    """One by one, and as part of a list in its order."""
    assert redact.redact_header(header, value) == shown
    assert redact.redact_headers([("A", "1"), (header, value)]) == [("A", "1"), (header, shown)]


def test_the_secrets_of_a_request_are_known_for_its_answer():
    """The bare values of secret headers, without their scheme; an empty one is none, nor is a plain word ("ollama")."""
    pairs = [("Authorization", f"Bearer {AZURE}"), ("api-key", "opensesame42"), ("Cookie", ""), ("X-Api-Key", "ollama")]
    assert redact.secrets_of("http://h/v1", pairs) == [AZURE, "opensesame42"]


REQUESTS = [
    ("a cookie among crumbs", "http://h/v1", [("Cookie", f"lang=en; session={AZURE}; theme=dark")], b"", [AZURE]),
    ("a query", f"http://h/v1?key={AZURE}&limit=20", [], b"", [AZURE]),
    ("a query that is encoded", "http://h/v1?key=a%2Bb42", [], b"", ["a%2Bb42", "a+b42"]),
    ("a word in the query", "http://h/v1?key=practice", [], b"", []),
    ("a field of the body", "http://h/v1", [], f'{{"model":"m","api_key": "{AZURE}"}}'.encode(), [AZURE]),
    ("a field with a maker's name", "http://h/v1", [], f'{{"azure_api_key":"{AZURE}"}}'.encode(), [AZURE]),
    ("a field in a message's text", "http://h/v1", [], b'{"content":"{\\"api_key\\":\\"0123456789\\"}"}', []),
    ("bytes that are no text", "http://h/v1", [], b"\xff\xfe", []),
]


@pytest.mark.parametrize("url, headers, body, found", [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_the_secrets_of_a_whole_request(url, headers, body, found):
    """Wherever a request carries a key, its answer may quote it without the name that stood before it."""
    assert redact.secrets_of(url, headers, body) == found


def test_secrets_leave_the_errors_behind_an_error():
    """Causes, contexts, errors held as arguments; a chain that bites its tail ends all the same."""
    inner = ValueError(f"no route to http://h/?sig={AZURE}")
    outer = ConnectionError(OSError(5, f"bad {AZURE}"), "in between")
    outer.__context__, inner.__cause__ = inner, outer
    error = KeyError("mine")
    error.__cause__ = outer
    redact.redact_causes(error, [AZURE])

    assert AZURE not in repr([outer, inner])
    assert "in between" in repr(outer) and error.args == ("mine",)


def test_an_os_error_shows_no_secret_either():
    """It says its number, its text and its file, whatever its args have become."""
    error = KeyError("mine")
    error.__cause__ = OSError(5, f"cannot send {AZURE}", f"/sockets/{AZURE}")
    redact.redact_causes(error, [AZURE])

    assert AZURE not in str(error.__cause__) + repr(error.__cause__)
    assert "[Errno 5] cannot send <key:" in str(error.__cause__)


def test_decoded_json_is_cleaned_at_every_depth():
    """A copy: what the caller holds stays as it is."""
    given = {"a": [AZURE, {"b": f"is {AZURE}"}, 1, None]}
    assert redact.redact_value(given, [AZURE]) == {
        "a": [redact.mark(AZURE), {"b": f"is {redact.mark(AZURE)}"}, 1, None]
    }
    assert given["a"][0] == AZURE


def test_named_secrets_count_in_headers_too():
    """An iterator of secrets serves every header, not only the first."""
    pairs = [("X-One", f"a {AZURE}"), ("X-Two", f"b {AZURE}")]
    shown = redact.redact_headers(pairs, iter([AZURE]))
    assert shown == [("X-One", f"a {redact.mark(AZURE)}"), ("X-Two", f"b {redact.mark(AZURE)}")]


@pytest.mark.parametrize(
    "shown", [redact.mark(BODY), "<key:3f2a91*****>"], ids=["a mark", "a mark of the key's length"]
)
def test_a_mark_is_not_marked_again(shown):
    """A recording that is read and written anew must still say which keys were the same."""
    assert redact.mark(shown) == shown
    assert redact.redact_headers([("Authorization", f"Bearer {shown}")]) == [("Authorization", f"Bearer {shown}")]
    assert redact.redact_headers([("api-key", shown)]) == [("api-key", shown)]


@pytest.mark.parametrize("depth", [900, 20000])
def test_json_is_redacted_however_deep_it_nests(depth):
    """A server's error that nests deeper than Python recurses must not become a RecursionError of ours."""
    value = AZURE
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    shown = redact.redact_value(value, [AZURE])
    while not isinstance(shown, str):
        shown = shown[0] if isinstance(shown, list) else shown["a"]
    assert shown == redact.mark(AZURE)
