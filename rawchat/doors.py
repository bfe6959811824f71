"""The doors that have a name: "requests", "stdlib", and "pyodide" for Python in a browser."""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict

from .protocol.errors import NotInThisCopy, PayloadError
from .protocol.optional import optional
from .protocol.redact import redact_text
from .transport.base import Transport


def door_named(name: Any) -> Transport:
    """None: `requests` if it is installed, else the standard library's; in a browser, `fetch`. Raises PayloadError for
    what is no door, or none that can be had here.
    """
    default = "pyodide" if sys.platform == "emscripten" else "requests"
    asked = default if name is None else name
    if asked not in tuple(_DOORS):  # whatever it is, it may not be hashable
        shown = redact_text(repr(name))
        raise PayloadError(f'transport must be "requests", "stdlib", "pyodide" or a Transport, not {shown}')
    try:
        return _DOORS[asked]()
    except ImportError as error:
        # Only where there is none: one that is there and broken is for its owner to know of.
        if name is None and "requests" in (error.name, getattr(error, "feature", "")):
            return _stdlib()
        if isinstance(error, NotInThisCopy):
            raise
        raise PayloadError(str(error), path="transport") from error


def _requests() -> Transport:
    with optional("requests"):
        from .transport.requests_transport import RequestsTransport
    return RequestsTransport()


def _pyodide() -> Transport:
    with optional("pyodide"):
        from .transport.pyodide_transport import PyodideTransport
    return PyodideTransport()


def _stdlib() -> Transport:
    from .transport.stdlib_transport import StdlibTransport

    return StdlibTransport()


_DOORS: Dict[str, Callable[[], Transport]] = {"requests": _requests, "stdlib": _stdlib, "pyodide": _pyodide}
