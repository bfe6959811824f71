"""Azure's deployment URLs. The client for them is tested in test_client.py."""

import pytest

from . import module

azure = module("azure")
PayloadError = module("protocol.errors").PayloadError


AZURE = [
    (
        "plain",
        "https://n.openai.azure.com",
        "https://n.openai.azure.com/openai/deployments/d%2Fx%20y/chat/completions?api-version=v",
    ),
    ("slash", "https://n.example/", "https://n.example/openai/deployments/d%2Fx%20y/chat/completions?api-version=v"),
    (
        "with /openai",
        "https://n.example/openai/",
        "https://n.example/openai/deployments/d%2Fx%20y/chat/completions?api-version=v",
    ),
    (
        "the portal's whole URL",
        "https://n.example/openai/deployments/old/chat/completions?api-version=old",
        "https://n.example/openai/deployments/d%2Fx%20y/chat/completions?api-version=v",
    ),
    (
        "behind a gateway",
        "https://n.example/ai/east",
        "https://n.example/ai/east/openai/deployments/d%2Fx%20y/chat/completions?api-version=v",
    ),
]


@pytest.mark.parametrize("endpoint, expected", [row[1:] for row in AZURE], ids=[row[0] for row in AZURE])
def test_azure_urls_name_the_deployment_and_the_version(endpoint, expected):
    """However the endpoint was copied."""
    assert azure.azure_url(endpoint, "d/x y", " v ") == expected


def test_azure_without_a_deployment():
    """Such as the list of models, which belongs to the whole resource."""
    assert azure.azure_url("https://n.example", None, "v", "models") == "https://n.example/openai/models?api-version=v"
    assert azure.azure_base_url("https://n.example", "d") == "https://n.example/openai/deployments/d"


@pytest.mark.parametrize("version", ["", " ", None])
def test_azure_needs_a_version(version):
    """The server's own answer to a missing one is a bare 404."""
    with pytest.raises(PayloadError, match="api_version") as caught:
        azure.azure_url("https://n.example", "d", version)
    assert caught.value.path == "api_version"
