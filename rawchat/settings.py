"""What a client is set up with: read from arguments or else the environment, and checked, when it is made."""

from __future__ import annotations

import itertools
import os
import sys
import time
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

from ._version import __version__
from .protocol.call import Call, Limits
from .protocol.errors import PayloadError
from .protocol.headers import TO_COME, CheckedPairs, build_headers, check_api_key, merge_headers, numbered
from .protocol.redact import redact_text
from .protocol.retry import RetryPolicy
from .protocol.url import build_url

ApiKey = Union[str, Callable[[], str], None]  # a callable is asked before each attempt, for a fresh token
Timeout = Union[float, int, Tuple[Optional[float], Optional[float]], None]

# As in the SDK: 5 s to connect, 600 s for a byte, before which a model may think for minutes.
DEFAULT_TIMEOUT: Timeout = (5, 600)
DEFAULT_MODEL = "gpt-4o-mini"
USAGE = {"include_usage": True}  # stream_options, unless the caller says otherwise
# Of the first arguments of Settings.
_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
# Of the process, for clients may share a listener.
_call_numbers = itertools.count(1)


class Unset:
    """What was not given, where None means "no limit"."""

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


_NO_LIMITS = [UNSET] * 3


class Settings:
    """Those of one client, see `Client`. Never changed, and never shows its key."""

    key_header = "Authorization"
    _key_variable = "OPENAI_API_KEY"

    def __init__(
        self,
        api_key: ApiKey,
        base_url: Optional[str],
        organization: Optional[str] = None,
        project: Optional[str] = None,
        model: str = DEFAULT_MODEL,
        timeout: Timeout = DEFAULT_TIMEOUT,
        deadline: Optional[float] = None,
        max_retries: int = 2,
        retry: Optional[RetryPolicy] = None,
        headers: Optional[Mapping[str, Optional[str]]] = None,
        query: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.base_url = "https://api.openai.com/v1" if base_url is None else base_url.strip()
        self.model, self.organization, self.project = model, organization, project
        build_url(self.base_url)  # refuses a wrong one now, not at the first call
        self.timeout, self.deadline, self.max_retries = _check_limits(timeout, deadline, max_retries)
        self.retry = RetryPolicy() if retry is None else retry
        self.headers, self.query = dict(headers or {}), dict(query or {})
        if isinstance(api_key, str):
            api_key = check_api_key(api_key) if api_key.strip() else ""
        elif api_key is None:
            with suppress(ImportError):  # a copy without cures leaves it to the server
                from .protocol.header_cures import check_missing_key

                check_missing_key(self.base_url, self.headers, self._key_variable)
        self.api_key = api_key
        # Most calls have the same URL, and the same headers but for an id.
        self._known_url = lru_cache(16)(partial(build_url, self.base_url, query=self.query))
        self._known_headers = lru_cache(16)(self._headers)

    @classmethod
    def read(cls, *given: Any) -> Settings:
        """As Settings() has them; what is None is looked for in the environment."""
        found: List[Any] = [
            from_environment(name) if value is None else value for name, value in zip(_VARIABLES, given)
        ]
        return cls(*found, *given[len(found) :])

    def __repr__(self) -> str:
        key = "given" if self.api_key else "none"
        return f"Settings(base_url={redact_text(self.base_url)!r}, model={self.model!r}, key={key})"

    def replaced(self, **changes: Any) -> Settings:
        given = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return type(self)(**{**given, **changes})

    def call(
        self,
        method: str,
        path: str,
        payload: Optional[Dict[str, Any]],
        options: Options,
        *,
        body: Optional[bytes] = None,
        content_type: str = "application/json",
    ) -> Call:
        """A call to `path` below base_url; a `body` goes out as it is in place of a payload. Raises PayloadError."""
        extra_headers, extra_query, *limits = options
        timeout, deadline_s, max_retries = own = self.timeout, self.deadline, self.max_retries
        if limits != _NO_LIMITS:
            given = [mine if its is UNSET else its for mine, its in zip(own, limits)]
            timeout, deadline_s, max_retries = _check_limits(*given)
        url = build_url(self.base_url, path, self.query, extra_query) if extra_query else self._known_url(path)
        stream = bool(payload and payload.get("stream"))
        typed = content_type if body is not None else "" if payload is None else "application/json"
        request_id = os.urandom(12).hex()

        def make_headers(attempt: int) -> CheckedPairs:
            key = check_api_key(self.api_key()) if callable(self.api_key) else self.api_key
            headers = numbered(self._known_headers(key, stream, typed), f"{request_id}-{attempt}")
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
            body=body,
        )

    def _headers(self, key: Optional[str], stream: bool, content_type: str) -> CheckedPairs:
        own = {
            "User-Agent": USER_AGENT,
            "X-Client-Request-Id": TO_COME,  # by it a support desk finds a call that never got an answer
            "OpenAI-Organization": self.organization or None,
            "OpenAI-Project": self.project or None,
        }
        return build_headers(
            api_key=key or None,
            stream=stream,
            key_header=self.key_header,
            content_type=content_type,
            extra=(own, self.headers),
        )


USER_AGENT = "{}/{} Python/{}.{}".format(
    # The name of the copied folder, which Python 3.9 has not yet told a module that comes out of a zip.
    (__package__ or __name__.rpartition(".")[0]).rpartition(".")[2],
    __version__,
    *sys.version_info[:2],
)


def from_environment(variable: str) -> Optional[str]:
    """None if unset or blank."""
    return os.environ.get(variable, "").strip() or None


def _check_limits(timeout: Any, deadline: Any, max_retries: Any) -> Tuple[Tuple[Any, Any], Optional[float], int]:
    """((connect, read), deadline, retries)."""
    pair = tuple(timeout) if isinstance(timeout, (tuple, list)) else (timeout, timeout)
    wrong = len(pair) != 2 or not all(map(_is_limit, (*pair, deadline)))
    if wrong or isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        with suppress(ImportError):
            from .protocol.flaws import refusal_of_limits

            raise refusal_of_limits(timeout, deadline, max_retries, _is_limit)
        raise PayloadError("timeout and deadline are seconds above 0 or None, max_retries is a whole number from 0")
    return pair, deadline, max_retries


def _is_limit(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and value is not True and 0 < value < float("inf"))
