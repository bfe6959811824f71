"""What a client is set up with: key, base_url, headers, limits. Read once, checked at the door.

    Settings.read(api_key=None, base_url=None, ...)                arguments first, then the environment
    settings.call("POST", "chat/completions", payload, options)    -> Call, ready to be driven by a loop

The environment is read when a client is made, not at import. A key that is a callable is asked before each attempt, so
that a retry can carry a fresh token.
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
from .protocol.headers import TO_COME, CheckedPairs, build_headers, check_api_key, merge_headers, numbered
from .protocol.redact import redact_text
from .protocol.retry import RetryPolicy
from .protocol.url import build_url

ApiKey = Union[str, Callable[[], str], None]
Timeout = Union[float, int, Tuple[Optional[float], Optional[float]], None]

DEFAULT_BASE_URL = "https://api.openai.com/v1"
# What the official SDK waits: 5 s to connect, 600 s for a byte. A model may think for minutes before its first token.
DEFAULT_TIMEOUT: Timeout = (5, 600)
_VARIABLES = {
    "api_key": "OPENAI_API_KEY",
    "base_url": "OPENAI_BASE_URL",
    "organization": "OPENAI_ORG_ID",
    "project": "OPENAI_PROJECT_ID",
}
USER_AGENT = "{}/{} Python/{}.{}".format(
    # The name under which the folder was copied. While a module comes out of a zip, Python 3.9 has not yet told it.
    (__package__ or __name__.rpartition(".")[0]).rpartition(".")[2],
    __version__,
    *sys.version_info[:2],
)
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
    """Checked settings of one client. Never changed, `replaced` makes others; never shows its key."""

    key_header = "Authorization"
    key_variable = _VARIABLES["api_key"]

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
    ) -> None:
        self.base_url = base_url.strip()
        build_url(self.base_url)  # a wrong base_url is refused when the client is made, not at its first call
        self.model = model
        self.organization = organization
        self.project = project
        self.timeout, self.deadline, self.max_retries = check_limits(timeout, deadline, max_retries)
        self.retry = retry if retry is not None else RetryPolicy()
        self.headers = dict(headers or {})
        self.query = dict(query or {})
        self._api_key = self._checked_key(api_key)
        self._remembered: Dict[Tuple[Any, ...], Any] = {}

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """Settings from arguments and, where those are None, from the environment."""
        for name, variable in _VARIABLES.items():
            if given.get(name) is None:
                given[name] = from_environment(variable)
        if given["base_url"] is None:
            given["base_url"] = DEFAULT_BASE_URL
        return cls(**given)

    def __repr__(self) -> str:
        key = "given" if self._api_key else "none"
        return f"Settings(base_url={redact_text(self.base_url)!r}, model={self.model!r}, key={key})"

    def replaced(self, **changes: Any) -> Settings:
        """The same settings with some changed."""
        given = {name.lstrip("_"): value for name, value in vars(self).items() if name != "_remembered"}
        return type(self)(**{**given, **changes})

    def secrets(self) -> Tuple[str, ...]:
        """What must never be shown, as far as it is known without asking a callable."""
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
        """One call to `path` below base_url. A `body`, an uploaded file, goes out as it is in place of a payload.

        Raises PayloadError for what cannot be sent.
        """
        extra_headers, extra_query, *limits = options
        own = (self.timeout, self.deadline, self.max_retries)
        if limits.count(UNSET) < len(limits):
            own = check_limits(*(mine if its is UNSET else its for mine, its in zip(own, limits)))
        timeout, deadline_s, max_retries = own
        url = self._url(path, extra_query) if extra_query else self._once(self._url, path)
        stream = bool(payload and payload.get("stream"))
        typed = content_type if body is not None else "" if payload is None else "application/json"
        # Unique to each request, as the reference asks; the suffix keeps the attempts of one call together.
        request_id = os.urandom(12).hex()

        def make_headers(attempt: int) -> CheckedPairs:
            key = check_api_key(self._api_key()) if callable(self._api_key) else self._api_key
            headers = numbered(self._once(self._headers, key, stream, typed), f"{request_id}-{attempt}")
            return merge_headers(headers, extra_headers) if extra_headers else headers

        return Call(
            number=next(_call_numbers),
            method=method,
            url=url,
            payload=payload,
            make_headers=make_headers,
            policy=self.retry,
            max_retries=max_retries,
            limits=Limits(*timeout, deadline_s, time.monotonic()),
            optional_usage=optional_usage,
            body=body,
        )

    def _once(self, make: Callable[..., Any], *given: Any) -> Any:
        """What `make` gives, remembered: most calls have the same URL, and the same headers but for an id."""
        made = self._remembered.get(given)
        if made is None:
            if len(self._remembered) >= 16:  # tokens that are renewed, names of files in paths
                self._remembered.clear()
            made = self._remembered[given] = make(*given)
        return made

    def _url(self, path: str, extra_query: Optional[Mapping[str, Any]] = None) -> str:
        return build_url(self.base_url, path, self.query, extra_query)

    def _headers(self, key: Optional[str], stream: bool, content_type: str) -> CheckedPairs:
        return build_headers(
            api_key=key or None,
            request_id=TO_COME,
            stream=stream,
            organization=self.organization,
            project=self.project,
            user_agent=USER_AGENT,
            key_header=self.key_header,
            content_type=content_type,
            extra=(self.headers,),
        )

    def _checked_key(self, api_key: ApiKey) -> ApiKey:
        if isinstance(api_key, str):
            return check_api_key(api_key) if api_key.strip() else ""
        if api_key is None:
            try:
                from .protocol.header_cures import check_missing_key
            except ImportError:  # it is left to the server
                return None
            check_missing_key(self.base_url, self.headers, self.key_variable)
        return api_key


def from_environment(variable: str) -> Optional[str]:
    """The variable's value; None if unset or blank (the SDK takes a blank OPENAI_BASE_URL for an address)."""
    return os.environ.get(variable, "").strip() or None


def check_limits(timeout: Any, deadline: Any, max_retries: Any) -> Tuple[Tuple[Any, Any], Optional[float], int]:
    """((connect, read), deadline, retries). A timeout is what requests takes: seconds, a pair, or None for no limit."""
    pair = timeout if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    flaw = ""
    if len(pair) != 2 or not all(map(_is_limit, pair)):
        flaw = f"timeout must be seconds above 0, a pair (connect, read), or None; got {timeout!r}"
    elif not _is_limit(deadline):
        flaw = f"deadline must be seconds above 0 or None; got {deadline!r}"
    elif isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        flaw = f"max_retries must be a whole number from 0; got {max_retries!r}"
    if flaw:
        raise PayloadError(flaw)
    return (pair[0], pair[1]), deadline, max_retries


def _is_limit(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and value is not True and 0 < value < float("inf"))
