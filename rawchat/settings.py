"""What a client is set up with: key, base_url, headers, limits. Read once, checked at the door.

    Settings.read(api_key=None, base_url=None, ...)      arguments first, then OPENAI_API_KEY, OPENAI_BASE_URL,
                                                         OPENAI_ORG_ID, OPENAI_PROJECT_ID; a blank variable counts as
                                                         unset
    settings.call("POST", "chat/completions", payload, options)   -> Call, ready to be driven by a loop

The environment is read when a client is made, never at import. A key may be a callable: it is asked before each
attempt, so that a retry can carry a fresh token.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple, Union

from ._version import __version__
from .protocol.call import Call, Limits
from .protocol.errors import PayloadError
from .protocol.headers import build_headers, check_api_key
from .protocol.redact import redact_text
from .protocol.retry import RetryPolicy
from .protocol.segment import quote_segment
from .protocol.url import build_url
from .protocol.wire import HeaderPairs

ApiKey = Union[str, Callable[[], str], None]
Timeout = Union[float, int, Tuple[Optional[float], Optional[float]], None]

DEFAULT_BASE_URL = "https://api.openai.com/v1"
# What the official SDK waits: 5 s to connect, 600 s for a byte. A model may think for minutes before its first token.
DEFAULT_TIMEOUT: Timeout = (5, 600)
# Azure puts the deployment's name into the path of these; the other endpoints belong to the whole resource.
AZURE_DEPLOYMENT_PATHS = frozenset(("chat/completions", "completions", "embeddings"))

# One numbering for all clients of the process, so that listeners shared between clients can tell calls apart.
_call_numbers = itertools.count(1)


class Unset:
    """The value of an option that was not given; None often means "no limit"."""

    def __repr__(self) -> str:
        return "<not given>"


UNSET = Unset()


class Options(NamedTuple):
    """What one call may say differently from its client."""

    extra_headers: Optional[Mapping[str, Optional[str]]] = None
    extra_query: Optional[Mapping[str, Any]] = None
    timeout: Any = UNSET
    deadline: Any = UNSET
    max_retries: Any = UNSET


class Settings:
    """Checked settings of one client. Never shows its key."""

    def __init__(
        self,
        *,
        api_key: ApiKey,
        base_url: str,
        model: str,
        organization: Optional[str] = None,
        project: Optional[str] = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        deadline: Optional[float] = None,
        max_retries: int = 2,
        retry: Optional[RetryPolicy] = None,
        headers: Optional[Mapping[str, Optional[str]]] = None,
        query: Optional[Mapping[str, Any]] = None,
        key_header: str = "Authorization",
        azure_deployments: bool = False,
    ) -> None:
        self.base_url = base_url.strip()
        build_url(self.base_url)  # a wrong base_url is refused when the client is made, not at its first call
        self.model = model
        self.organization = organization
        self.project = project
        self.timeout = check_timeout(timeout)
        self.deadline = check_deadline(deadline)
        self.max_retries = check_max_retries(max_retries)
        self.retry = retry if retry is not None else RetryPolicy()
        self.headers = dict(headers or {})
        self.query = dict(query or {})
        self.key_header = key_header
        self.azure_deployments = azure_deployments
        self._api_key = self._checked_key(api_key)

    @classmethod
    def read(cls, *, api_key: ApiKey, base_url: Optional[str], **given: Any) -> Settings:
        """Settings from arguments and, where those are None, from the environment."""
        for name, variable in (("organization", "OPENAI_ORG_ID"), ("project", "OPENAI_PROJECT_ID")):
            if given.get(name) is None:
                given[name] = from_environment(variable)
        if api_key is None:
            api_key = from_environment("OPENAI_API_KEY")
        if base_url is None:
            base_url = from_environment("OPENAI_BASE_URL") or DEFAULT_BASE_URL
        return cls(api_key=api_key, base_url=base_url, **given)

    def __repr__(self) -> str:
        key = "given" if self._api_key else "none"
        return f"Settings(base_url={redact_text(self.base_url)!r}, model={self.model!r}, key={key})"

    def replaced(self, **changes: Any) -> Settings:
        """The same settings with some changed."""
        given = {name.lstrip("_"): value for name, value in vars(self).items()}
        return type(self)(**{**given, **changes})

    def secrets(self) -> Tuple[str, ...]:
        """What must never be shown, as far as it is known without asking for a token."""
        return (self._api_key,) if isinstance(self._api_key, str) and self._api_key else ()

    def call(
        self,
        method: str,
        path: str,
        payload: Optional[Dict[str, Any]],
        options: Options,
        *,
        optional_usage: bool = False,
        body: Optional[bytes] = None,
        content_type: str = "application/json",
    ) -> Call:
        """One call to `path` below base_url, checked and encoded. Raises PayloadError for what cannot be sent.

        `body`, of that `content_type`, goes out as it is in place of a payload: an uploaded file.
        """
        stream = bool(payload and payload.get("stream"))
        request_id = os.urandom(12).hex()
        url = self._url(path, payload, options)

        def make_headers(attempt: int) -> HeaderPairs:
            return build_headers(
                api_key=self._current_key(),
                organization=self.organization,
                project=self.project,
                key_header=self.key_header,
                user_agent=USER_AGENT,
                # The reference asks for an id that is unique to each request; the suffix keeps attempts of one call
                # together.
                request_id=f"{request_id}-{attempt}",
                stream=stream,
                content_type="" if payload is None and body is None else content_type,
                extra=(self.headers, options.extra_headers or {}),
            )

        connect_s, read_s = check_timeout(self._chosen(options, "timeout"))
        deadline_s = check_deadline(self._chosen(options, "deadline"))
        return Call(
            number=next(_call_numbers),
            method=method,
            url=url,
            payload=payload,
            make_headers=make_headers,
            policy=self.retry,
            max_retries=check_max_retries(self._chosen(options, "max_retries")),
            limits=Limits(connect_s, read_s, deadline_s, time.monotonic()),
            optional_usage=optional_usage,
            body=body,
        )

    def _chosen(self, options: Options, name: str) -> Any:
        """The call's own word on an option, else the client's."""
        given = getattr(options, name)
        return getattr(self, name) if given is UNSET else given

    def _url(self, path: str, payload: Optional[Mapping[str, Any]], options: Options) -> str:
        if self.azure_deployments and path in AZURE_DEPLOYMENT_PATHS:
            # The whole name is one segment: "dep/x y" is "dep%2Fx%20y" (openai-python, lib/azure.py).
            path = f"deployments/{quote_segment(str((payload or {}).get('model') or ''))}/{path}"
        query = {**self.query, **(options.extra_query or {})}
        return build_url(self.base_url, path, query or None)

    def _checked_key(self, api_key: ApiKey) -> ApiKey:
        if isinstance(api_key, str):
            return check_api_key(api_key) if api_key.strip() else ""
        if api_key is None and not self._names_a_credential() and not is_loopback(self.base_url):
            variable = "AZURE_OPENAI_API_KEY" if self.key_header == "api-key" else "OPENAI_API_KEY"
            raise PayloadError(
                f"no API key for {redact_text(self.base_url)}: set {variable} or pass api_key= "
                '(a server on this machine needs none; for another one that wants none, pass api_key="")'
            )
        return api_key

    def _names_a_credential(self) -> bool:
        return any(name.lower() in ("authorization", "api-key", "x-api-key") for name in self.headers)

    def _current_key(self) -> Optional[str]:
        if callable(self._api_key):
            return check_api_key(self._api_key())
        return self._api_key or None


USER_AGENT = "{}/{} Python/{}.{}".format(
    # The folder may have been copied under another name; that name is what a server's log should show.
    # While a module comes out of a zip, Python 3.9 has not yet told it its package.
    (__package__ or __name__.rpartition(".")[0]).rpartition(".")[2],
    __version__,
    *sys.version_info[:2],
)


def from_environment(variable: str) -> Optional[str]:
    """The variable's value; None if unset or blank (the SDK takes a blank OPENAI_BASE_URL for an address)."""
    return os.environ.get(variable, "").strip() or None


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    from urllib.parse import urlsplit

    host = (urlsplit(url).hostname or "").rstrip(".")
    return host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")


def check_timeout(timeout: Any) -> Tuple[Optional[float], Optional[float]]:
    """(connect, read) in seconds from what requests takes: a number, a pair, or None for no limit."""
    pair = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    if len(pair) != 2 or not all(value is None or _is_seconds(value) for value in pair):
        raise PayloadError(f"timeout must be seconds above 0, a pair (connect, read), or None; got {timeout!r}")
    return pair[0], pair[1]


def check_deadline(deadline: Any) -> Optional[float]:
    if deadline is not None and not _is_seconds(deadline):
        raise PayloadError(f"deadline must be seconds above 0 or None; got {deadline!r}")
    return None if deadline is None else float(deadline)


def check_max_retries(max_retries: Any) -> int:
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        raise PayloadError(f"max_retries must be a whole number from 0; got {max_retries!r}")
    return max_retries


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
