"""The suite. The package under test is bound here, in one line, in whichever form it is: see forms.py."""

import importlib

from . import forms

rawchat = forms.bound()


def module(path):
    """A module of the package under test: `module("protocol.sse")`."""
    if forms.IS_SINGLE:
        return forms.view(rawchat, path)
    return importlib.import_module(f"{rawchat.__name__}.{path}")
