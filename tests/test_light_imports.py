"""What importing loads: nothing that the first call does not need, and nothing that has to be installed."""

import subprocess
import sys

import pytest

from . import forms, rawchat

# Runs alone: -I hides the user's environment, -S the installed packages, so that only the standard library is there.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
__import__(sys.argv[2])
print(" ".join(sorted(set(sys.modules) - before)))
"""

# Standard modules that may be loaded, by what needs them; private ones (_json) come with those and are not counted.
# Missing on purpose: asyncio, dataclasses, email, hashlib, http, inspect, logging, math, random, socket, ssl, threading,
# urllib, uuid.
TYPING = "typing collections contextlib abc functools types operator keyword reprlib copyreg itertools heapq".split()
REGULAR_EXPRESSIONS = "re enum sre_compile sre_parse sre_constants".split()
LAZY_LOADING = ["importlib"]
ENVIRONMENT = "os stat genericpath posixpath ntpath".split()
FACE = {*TYPING, *REGULAR_EXPRESSIONS, *LAZY_LOADING, *ENVIRONMENT}
CLIENT = FACE | {"json", "time"}
# What building a client, a door or a stream may load besides: locks and addresses.
FIRST_CALL = CLIENT | {"urllib", "ipaddress", "math", "threading", "errno", "warnings", "weakref"}


def loaded_by(name):
    """Top names of the modules that importing `name` loads in a fresh interpreter, ours not counted."""
    if forms.IS_SINGLE:
        pytest.skip("one file loads all that is in it")
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", PROGRAM, forms.PLACE, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    modules = done.stdout.split()
    assert name in modules
    tops = {module.split(".")[0] for module in modules}
    return {top for top in tops if not top.startswith("_") and top != rawchat.__name__.partition(".")[0]}


def test_the_bare_import_loads_next_to_nothing():
    """`import rawchat` is paid by everybody, also by those who only look at its version."""
    assert loaded_by(rawchat.__name__) - FACE == set()


def test_the_client_loads_only_what_a_call_needs():
    """No HTTP library yet, and none of the standard library's heavy rooms."""
    assert loaded_by(f"{rawchat.__name__}.client") - CLIENT == set()


@pytest.mark.parametrize("name", ["asyncio", "dataclasses", "email", "http", "inspect", "logging", "requests", "ssl"])
def test_the_list_allows_nothing_heavy(name):
    """The allowance cannot grow by one of these without somebody noticing."""
    assert name not in FIRST_CALL


def test_a_heavy_import_would_be_noticed(tmp_path):
    """The measuring itself sees what a module pulls in."""
    (tmp_path / "heavy.py").write_text("import logging\n")
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(tmp_path), "heavy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert {"heavy", "logging"} <= set(done.stdout.split())
