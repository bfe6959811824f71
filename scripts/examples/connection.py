"""Where the examples ask: the server that the environment names, or else a practice server of their own.

    with connect() as client:        a rawchat.Client
    with server() as given:          what makes one: {"base_url": ..., "api_key": ..., "model": ...}

OPENAI_BASE_URL and OPENAI_API_KEY name a server; OPENAI_MODEL names the model where that has no gpt-4o-mini. A program
of your own needs nothing of this: `rawchat.Client()` reads the first two itself.

It also finds rawchat in the checkout that it lies in, where none is installed: therefore import it first.
"""

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

if importlib.util.find_spec("rawchat") is None:
    sys.path.append(str(Path(__file__).resolve().parents[2]))

import rawchat  # below the line that finds it
from rawchat.lab.practice import PracticeServer


@contextlib.contextmanager
def connect(**options):
    """A client of `server()`; `options` are what `rawchat.Client` takes."""
    with server() as given, rawchat.Client(**{**given, **options}) as client:
        yield client


@contextlib.contextmanager
def server(fault=""):
    """The arguments for a client. `fault` is for a practice server: see `rawchat practice --list-faults`."""
    base_url, api_key, model = (set_up(f"OPENAI_{name}") for name in ("BASE_URL", "API_KEY", "MODEL"))
    model = model or "gpt-4o-mini"
    if base_url or api_key:
        yield {"base_url": base_url or "https://api.openai.com/v1", "api_key": api_key, "model": model}
        return
    with practice(fault) as ours:
        yield {"base_url": ours.url, "api_key": "practice", "model": model}


@contextlib.contextmanager
def practice(fault=""):
    """A practice server, and a word about it, which goes to stderr: it is no part of what a program shows."""
    with PracticeServer(fault=fault) as ours:
        print("Nothing is set up, so a practice server on this machine answers:", ours.url, file=sys.stderr)
        yield ours


def set_up(variable):
    """What the environment says; None where that is nothing, or blank."""
    return os.environ.get(variable, "").strip() or None
