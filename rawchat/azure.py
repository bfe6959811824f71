"""Azure OpenAI's deployment URLs, and the settings of a client for them.

    POST https://NAME.openai.azure.com/openai/deployments/DEPLOYMENT/chat/completions?api-version=2024-10-21
    api-key: 0af3...

Azure picks the model by the deployment in the path. Its newer /openai/v1 surface needs none of this: there a Client
with that base_url does. Opens no connection.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Optional

from .protocol.call import Call
from .protocol.errors import PayloadError
from .protocol.segment import quote_segment
from .protocol.url import build_url, split_base
from .settings import ApiKey, Options, Settings, from_environment

# Azure puts the deployment's name into the path of these; the other endpoints belong to the whole resource.
_DEPLOYMENT_PATHS = frozenset(("chat/completions", "completions", "embeddings"))


class AzureSettings(Settings):
    """Settings of one client of Azure. `azure_deployments`: each call's model goes into its path as a deployment."""

    _key_variable = "AZURE_OPENAI_API_KEY"

    def __init__(self, *, key_header: str, azure_deployments: bool, **given: Any) -> None:
        self.key_header = key_header
        self.azure_deployments = azure_deployments
        super().__init__(**given)

    def call(self, method: str, path: str, payload: Optional[Dict[str, Any]], options: Options, **more: Any) -> Call:
        """See `Settings.call`."""
        if self.azure_deployments and path in _DEPLOYMENT_PATHS:
            # The whole name is one segment: "dep/x y" is "dep%2Fx%20y" (openai-python, lib/azure.py).
            path = f"deployments/{quote_segment(str((payload or {}).get('model') or ''))}/{path}"
        return super().call(method, path, payload, options, **more)


def azure_settings(
    endpoint: Optional[str],
    deployment: Optional[str],
    api_version: Optional[str],
    api_key: ApiKey = None,
    ad_token: ApiKey = None,
    **given: Any,
) -> Settings:
    """Settings for Azure OpenAI's deployment URLs (Azure's REST reference, "Chat completions - create").

    `given` are the options of Client; without `deployment`, a call's model names it.

    AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY, AZURE_OPENAI_AD_TOKEN and OPENAI_API_VERSION stand in for arguments
    that are missing. A token from Microsoft Entra (`ad_token`, or a callable that gives one) goes out as a Bearer, a
    key as `api-key`.
    """
    endpoint = endpoint or from_environment("AZURE_OPENAI_ENDPOINT")
    api_version = api_version or from_environment("OPENAI_API_VERSION")
    if api_key is not None and ad_token is not None:
        raise PayloadError("give api_key or ad_token, not both: they are two ways to say who you are")
    if api_key is None and ad_token is None:
        ad_token = from_environment("AZURE_OPENAI_AD_TOKEN")
        api_key = None if ad_token else from_environment("AZURE_OPENAI_API_KEY")
    if not endpoint:
        raise PayloadError(
            "no Azure endpoint: pass endpoint= or set AZURE_OPENAI_ENDPOINT (https://NAME.openai.azure.com)"
        )
    if not api_version:
        raise PayloadError("no Azure API version: pass api_version= or set OPENAI_API_VERSION, such as 2024-10-21")
    return AzureSettings(
        api_key=ad_token if ad_token is not None else api_key,
        base_url=azure_base_url(endpoint, deployment),
        key_header="Authorization" if ad_token is not None else "api-key",
        azure_deployments=not deployment,
        query={"api-version": api_version, **(given.pop("query", None) or {})},
        **given,
    )


def azure_base_url(endpoint: str, deployment: Optional[str] = None) -> str:
    """`https://NAME.openai.azure.com` -> `.../openai/deployments/DEPLOYMENT`, or `.../openai` without a deployment.

    What the portal's copy button adds (`/openai/...` and a query) is cut off first. Raises PayloadError.
    """
    root, _ = split_base(endpoint)
    root = re.sub(r"/openai(/.*)?$", "", root)
    return f"{root}/openai" + (f"/deployments/{quote_segment(deployment)}" if deployment is not None else "")


def azure_url(endpoint: str, deployment: Optional[str], api_version: str, path: str = "chat/completions") -> str:
    """Azure's URL of one endpoint: `ENDPOINT/openai/deployments/DEPLOYMENT/chat/completions?api-version=...`.

    Azure picks the model by the deployment in the path. Raises PayloadError, also where `api_version` is blank.
    """
    if not isinstance(api_version, str) or not api_version.strip():
        raise PayloadError('Azure needs an api_version such as "2024-10-21"', path="api_version")
    return build_url(azure_base_url(endpoint, deployment), path, {"api-version": api_version.strip()})
