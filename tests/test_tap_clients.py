"""Real clients through the tap: the openai package, curl, Node. Their answers and requests are what they are without it."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


def load(name):
    """A script without an ending, as a module; it imports its neighbour `environment`."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        loader = SourceFileLoader(f"script_{name}", str(SCRIPTS / name))
        loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            loader.exec_module(loaded)
        finally:
            sys.dont_write_bytecode = before
    finally:
        sys.path.remove(str(SCRIPTS))
    return loaded


lab_check = load("lab_check")
# What this machine has without installing anything: this Python's openai, or the one that scripts/lab_check installed.
FINDERS = {
    "openai-python": lambda: lab_check.python_programs(sys.executable) or lab_check.installed_python_programs(),
    "curl": lab_check.curl_programs,
    "node-fetch": lab_check.node_programs,
    "openai-node": lambda: lab_check.node_openai_programs(lab_check.FOLDER / "lab-node"),
}


@pytest.mark.parametrize("name", FINDERS)
def test_a_client_does_not_notice_the_tap(name):
    """Straight and through the tap: the same output, the same requests; and the recording agrees with the server."""
    programs = FINDERS[name]()
    if not programs:
        pytest.skip(f"{name} is not installed here; scripts/lab_check installs what it can")
    for program in programs:
        compared = lab_check.compare(program)
        assert compared.differences == []
        assert compared.requests == 2 and compared.received_bytes > 5000


def test_what_is_compared_can_differ():
    """A client that fails by itself is told, and so is one whose answer depends on the way."""
    failing = lab_check.Program("failing", "1", [sys.executable, "-c", "raise SystemExit(3)"])
    assert "fails by itself" in lab_check.compare(failing).differences[0]
    peeking = "import os; print(os.environ['OPENAI_BASE_URL'])"
    (difference,) = lab_check.compare(lab_check.Program("peeking", "1", [sys.executable, "-c", peeking])).differences
    assert "the answers differ" in difference
