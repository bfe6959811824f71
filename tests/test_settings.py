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

    assert made.base_url in (settings.DEFAULT_BASE_URL, "http://localhost:1/v1")
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
