"""The suite. The package under test is bound here, in one line, so that a copy under another name can be tested as it stands."""

import importlib
import os

rawchat = importlib.import_module(os.environ.get("PACKAGE_UNDER_TEST", "rawchat"))


def module(path):
    """A module of the package under test: `module("protocol.sse")`."""
    return importlib.import_module(f"{rawchat.__name__}.{path}")
