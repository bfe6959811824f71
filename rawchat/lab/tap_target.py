"""Where a tapped request goes: the client's target put onto the upstream's base URL, with /v1 on either side or both.

    upstream                     client asked for                       goes to
    https://host/v1              /v1/chat/completions                   /v1/chat/completions
    https://host/v1              /chat/completions                      /v1/chat/completions
    https://host/openai/v1       /v1/chat/completions                   /openai/v1/chat/completions
    https://host                 /v1/chat/completions                   /v1/chat/completions
    https://name.azure.com       /openai/deployments/d/...?api-version  the same
    https://host/v1              /fault/cut@3/v1/chat/completions       the same: it names its own way to a /v1

The tap's own base URL, http://127.0.0.1:PORT/v1, stands for the upstream's; and a client that was given the port alone
means the same. Nothing is unquoted or normalised: what a client writes strangely arrives strangely. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from ..protocol.errors import PayloadError
from ..protocol.url import build_url
from ..transport.route import Origin, read_origin

DEFAULT_UPSTREAM = "https://api.openai.com/v1"


class Base(NamedTuple):
    """An upstream's base URL. `path` has no slash at its end; "" is the root."""

    origin: Origin
    path: str
    query: str

    @property
    def root(self) -> str:
        return f"{self.origin.scheme}://{self.origin.name}"

    @property
    def url(self) -> str:
        return self.root + self.path

    def target_for(self, target: str) -> str:
        """The request target to ask the upstream for, from the one the client sent."""
        path, mark, query = _relative(target).partition("?")
        if self.query and self.query not in query:
            query = f"{query}&{self.query}" if query else self.query
            mark = "?"
        return self._path_for(path) + mark + query

    def _path_for(self, path: str) -> str:
        if path == "*" or path == self.path or path.startswith(self.path + "/"):
            return path
        if path.startswith("/openai/"):  # an Azure client: its paths begin at the root of the resource
            before, found, _ = self.path.partition("/openai")
            return (before if found else self._above_v1) + path
        if path == "/v1" or path.startswith("/v1/"):
            return self.path + path[len("/v1") :]
        if "/v1/" in path:
            return self._above_v1 + path
        return self.path + path

    @property
    def _above_v1(self) -> str:
        return self.path[: -len("/v1")] if self.path.endswith("/v1") else self.path


def read_base(url: str) -> Base:
    """The base that `url` names. Raises PayloadError, also where it holds a user or a password: the key is the client's
    to send.
    """
    whole = build_url(url, "")
    path, _, query = whole.partition("://")[2].partition("?")
    path = path[path.find("/") :] if "/" in path else ""
    return Base(read_origin(whole, path="--to"), path.rstrip("/"), query)


def _relative(target: str) -> str:
    """Path and query of a target, also of one in the absolute form that a proxy would get."""
    if target.startswith("/") or "://" not in target:
        return target
    rest = target.partition("://")[2]
    slash = rest.find("/")
    return rest[slash:] if slash >= 0 else "/"


def refuse_method(method: str) -> None:
    """CONNECT asks for a tunnel, and a tunnel shows nothing. Raises PayloadError."""
    if method == "CONNECT":
        raise PayloadError(
            "the tap is no proxy: point the client's base URL at it (OPENAI_BASE_URL), and leave HTTPS_PROXY alone"
        )
