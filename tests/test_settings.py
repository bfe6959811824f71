"""What a client is set up with: arguments, environment, and the checks at the door."""

import pytest

from . import module, rawchat

settings = module("settings")
memory = module("transport.memory")
UNSET_KEY_TEXT = "OPENAI_API_KEY"


def client(**given):
    return rawchat.Client(transport=memory.MemoryTransport([]), **given)


def sent_headers(**given):
    return rawchat.Headers(
        client(**given).settings.call("GET", "models", None, settings.Options()).next_request().headers
    )


def test_the_environment_fills_what_arguments_leave_open(monkeypatch):
    """OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_ORG_ID and OPENAI_PROJECT_ID."""
    monkeypatch.setenv("OPENAI_API_KEY", " sk-from-environment ")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    headers = sent_headers()

    assert client().base_url == "http://127.0.0.1:9/v1"
    assert headers["authorization"] == "Bearer sk-from-environment"
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")
    assert sent_headers(api_key="sk-argument")["authorization"] == "Bearer sk-argument"


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID"])
def test_a_blank_variable_counts_as_unset(monkeypatch, variable):
    """A blank address is no address, a blank key no key."""
    monkeypatch.setenv(variable, "  ")
    made = client(
        api_key=None if variable == "OPENAI_API_KEY" else "k-12345",
        base_url=None if variable == "OPENAI_BASE_URL" else "http://localhost:1/v1",
    )

    assert made.base_url in ("https://api.openai.com/v1", "http://localhost:1/v1")
    assert "openai-organization" not in rawchat.Headers(
        made.settings.call("GET", "models", None, settings.Options()).next_request().headers
    )


def test_a_missing_key_says_what_to_set():
    """Nothing was sent; the message names the variable, the argument and the way out."""
    with pytest.raises(rawchat.PayloadError, match=r'OPENAI_API_KEY.*api_key=""'):
        client()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:1/v1", "http://box.localhost/v1"]
)
def test_a_loopback_server_needs_no_key(url):
    """Local model servers ask for none, so none is sent."""
    assert "authorization" not in sent_headers(base_url=url)


@pytest.mark.parametrize(
    "given", [{"api_key": ""}, {"headers": {"X-Api-Key": "k"}}, {"headers": {"authorization": "Basic x"}}]
)
def test_a_key_can_be_done_without_on_purpose(given):
    """An empty key, or a credential in a header of the caller's, is an answer to the question."""
    assert client(base_url="http://10.0.0.1/v1", **given).base_url == "http://10.0.0.1/v1"


BAD = [
    ("timeout of nothing", {"timeout": 0}, "timeout must be seconds above 0"),
    ("timeout as text", {"timeout": "5"}, "got '5'"),
    ("timeout of three", {"timeout": (1, 2, 3)}, "a pair"),
    ("deadline in the past", {"deadline": -1}, "deadline must be seconds above 0"),
    ("deadline True", {"deadline": True}, "deadline"),
    ("negative retries", {"max_retries": -1}, "max_retries must be a whole number"),
    ("half a retry", {"max_retries": 0.5}, "max_retries"),
    ("retries None", {"max_retries": None}, "max_retries"),
    ("no scheme", {"base_url": "localhost:8000/v1"}, "http://localhost:8000/v1"),
    ("userinfo", {"base_url": "https://user:hunter22@host/v1"}, "@|credentials|user"),
    ("key with a newline", {"api_key": "sk-secret\nX: y"}, "newline|line"),
    ("unknown transport", {"transport": "carrier pigeon"}, "carrier pigeon"),
]


@pytest.mark.parametrize("given, words", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_settings_are_refused_at_the_door(given, words):
    """With the number or the word that was given, and before anything is sent."""
    with pytest.raises(rawchat.PayloadError, match=words) as caught:
        rawchat.Client(**{"api_key": "k-12345", "base_url": "http://127.0.0.1/v1", **given})
    assert "hunter22" not in str(caught.value) and "sk-secret" not in str(caught.value)


def test_with_options_changes_a_copy():
    """The new client shares the connections; the old one stays what it was."""
    first = client(api_key="k-12345", headers={"X-A": "1"}, deadline=9)
    second = first.with_options(timeout=7, model="m2", max_retries=5)

    assert second.transport is first.transport
    assert (second.model, second.settings.timeout, second.settings.max_retries) == ("m2", (7, 7), 5)
    assert (first.model, first.settings.timeout, first.settings.max_retries) == ("gpt-4o-mini", (5, 600), 2)
    assert second.settings.headers == {"X-A": "1"} and second.settings.deadline == 9


def test_the_key_is_in_no_repr():
    """Neither of the client nor of what it is made of."""
    made = client(api_key="sk-very-secret-key", base_url="http://127.0.0.1/v1")
    assert "very-secret" not in repr(made) + repr(made.settings) + repr(
        made.settings.call("GET", "models", None, settings.Options()).next_request()
    )


CALLS = [
    ("POST", {"model": "m"}, {}),
    ("POST", {"model": "m", "stream": True}, {}),
    ("GET", None, {}),
    ("POST", None, {"body": b"x", "content_type": "text/plain; boundary=1"}),
    ("POST", None, {"body": b"x", "content_type": "text/plain; boundary=2"}),
]


def test_calls_share_what_they_have_in_common_and_no_more():
    """By turns, over one client: each has the headers it would have had alone, an id of its own, and its own extras."""
    keys = iter(f"k-{number // 2}" for number in range(100))
    shared = client(api_key=lambda: next(keys), headers={"X-A": "1", "accept": "x/y"}, query={"v": 1}).settings
    seen = set()
    for number in range(30):
        method, payload, more = CALLS[number % len(CALLS)]
        options = settings.Options({"X-B": str(number)} if number % 3 else None, {"w": 2} if number % 4 == 0 else None)
        alone = client(api_key=f"k-{number // 2}", headers={"X-A": "1", "accept": "x/y"}, query={"v": 1}).settings
        sent = shared.call(method, "models", payload, options, **more).next_request()
        expected = alone.call(method, "models", payload, options, **more).next_request()
        first, second = (
            [(name, value) for name, value in each.headers if name != "X-Client-Request-Id"]
            for each in (sent, expected)
        )
        assert first == second and sent.url == expected.url
        seen.add(rawchat.Headers(sent.headers)["x-client-request-id"])
    assert len(seen) == 30 and all(len(one) == 26 and one.endswith("-1") for one in seen)


def test_each_attempt_has_a_number_and_asks_for_the_key():
    """So that a retry can carry a fresh token."""
    keys = iter(["k-11111", " k-22222\n"])
    call = client(api_key=lambda: next(keys)).settings.call("GET", "models", None, settings.Options())
    first, second = (rawchat.Headers(call.next_request().headers) for _ in range(2))
    assert (first["authorization"], second["authorization"]) == ("Bearer k-11111", "Bearer k-22222")
    ids = [headers["x-client-request-id"].split("-") for headers in (first, second)]
    assert ids[0][0] == ids[1][0] and [one[1] for one in ids] == ["1", "2"]


LIMITS = [
    ({}, (5, 600, 9.0, 1)),
    ({"timeout": 3}, (3, 3, 9.0, 1)),
    ({"timeout": (None, 4)}, (None, 4, 9.0, 1)),
    ({"timeout": None, "deadline": None}, (None, None, None, 1)),
    ({"deadline": 2, "max_retries": 0}, (5, 600, 2.0, 0)),
]


@pytest.mark.parametrize("given, expected", LIMITS)
def test_a_call_may_say_its_own_limits(given, expected):
    """What it leaves open is the client's."""
    made = client(api_key="k-12345", deadline=9, max_retries=1)
    call = made.settings.call("GET", "models", None, settings.Options(**given))
    assert (call.limits.connect_s, call.limits.read_s, call.limits.deadline_s, call.max_retries) == expected
    for wrong in ({"timeout": -1}, {"deadline": 0}, {"max_retries": None}):
        with pytest.raises(rawchat.PayloadError):
            made.settings.call("GET", "models", None, settings.Options(**wrong))


AZURE_BAD = [
    ("no endpoint", {"api_version": "v", "api_key": "k-12345"}, "AZURE_OPENAI_ENDPOINT"),
    ("no version", {"endpoint": "https://x.azure.com", "api_key": "k-12345"}, "OPENAI_API_VERSION"),
    (
        "two credentials",
        {"endpoint": "https://x.azure.com", "api_version": "v", "api_key": "a", "ad_token": "b"},
        "not both",
    ),
    ("no credential", {"endpoint": "https://x.azure.com", "api_version": "v"}, "AZURE_OPENAI_API_KEY"),
]


@pytest.mark.parametrize("given, words", [row[1:] for row in AZURE_BAD], ids=[row[0] for row in AZURE_BAD])
def test_azure_says_what_is_missing(given, words):
    with pytest.raises(rawchat.PayloadError, match=words):
        rawchat.Client.azure(transport=memory.MemoryTransport([]), **given)


def test_azure_reads_its_own_variables(monkeypatch):
    """An AD token in the environment wins over the key, as in the SDK."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://x.azure.com")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-12345")
    transport = memory.MemoryTransport([])
    by_key = rawchat.Client.azure(transport=transport).settings
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "token-1")
    by_token = rawchat.Client.azure(transport=transport).settings

    assert (by_key.key_header, by_token.key_header) == ("api-key", "Authorization")
    assert by_key.query == {"api-version": "2024-10-21"}


def test_azure_settings_stay_those_of_azure_when_some_are_replaced():
    """The header of the key, and whether deployments go into the path."""
    made = rawchat.Client.azure("https://x.azure.com", None, "v", api_key="k-1", transport=memory.MemoryTransport([]))
    request = made.with_options(timeout=3).settings.call(
        "POST", "chat/completions", {"model": "a/b"}, settings.Options()
    )
    assert request.url == "https://x.azure.com/openai/deployments/a%2Fb/chat/completions?api-version=v"
    assert request.next_request().headers[0] == ("api-key", "k-1")
