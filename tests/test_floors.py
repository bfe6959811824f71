"""The house keeps its rules; and the rules find what breaks them."""

import importlib.util
from pathlib import Path

import pytest

from . import forms

TOP = Path(__file__).resolve().parent.parent
PACKAGE = forms.SOURCE


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


floors = load(TOP / "scripts" / "floors.py")

# Test files that mirror no module of their own -> what they are about.
SUITES_OF_THEIR_OWN = {
    "test_anywhere.py": "switches, threads, sub-interpreters, forks",
    "test_vendor.py": "copies in other people's projects",
    "test_trimming.py": "scripts/trimming.py",
    "test_core_copy.py": "a copy with the core alone",
    "test_against_practice.py": "the client and the practice server, end to end",
    "test_bench.py": "scripts/bench and scripts/benchmark/",
    "test_doors.py": "what all transports have in common",
    "test_embed.py": "Client.embed",
    "test_examples.py": "the programs in scripts/examples/",
    "test_exports.py": "what the package offers",
    "test_floors.py": "this list",
    "test_light_imports.py": "what importing costs",
    "test_quirks.py": "what real servers do, from the bytes to the caller",
    "test_readme.py": "every block of the README",
    "test_reasoning.py": "reasoning models, end to end",
    "test_scripts.py": "the scripts of the project",
    "test_secrets.py": "no secret is shown or stored by anything",
    "test_sdk.py": "the openai package's shape, and where it is not followed",
    "test_sdk_programs.py": "programs for the openai package, under both names",
    "test_staircase.py": "the five programs of scripts/examples/staircase/",
    "test_sdk_scripts.py": "the table of scripts over that shape",
    "test_tap_clients.py": "real clients through the tap",
}


def test_the_house_keeps_its_rules():
    """Arrows point down, imports are relative, protocol/ is pure, files are short, every module says what it is."""
    assert floors.violations(PACKAGE) == []


def test_functions_are_short():
    """Median between 5 and 11 lines, nine in ten under 40."""
    lengths = floors.function_lengths(PACKAGE)
    assert 5 <= lengths[len(lengths) // 2] <= 11
    assert lengths[len(lengths) * 9 // 10] < 40


def test_each_test_file_mirrors_a_module():
    """tests/test_X.py is about X.py, or has a row in SUITES_OF_THEIR_OWN."""
    modules = {f"test_{Path(module).name}" for module in floors.order()}
    files = {path.name for path in (TOP / "tests").glob("test_*.py")}
    assert files - modules - set(SUITES_OF_THEIR_OWN) == set()


def test_the_order_is_told_floor_by_floor():
    """Errors come first, the face comes last, nothing comes twice."""
    order = floors.order()
    assert order.index("protocol/errors.py") < order.index("transport/base.py") < order.index("client.py")
    assert order[-1] == "__init__.py"
    assert len(order) == len(set(order))


def test_every_allowance_is_still_needed():
    """An exception from a rule goes when its reason goes."""
    unused = []
    for module, name in floors.ALLOWED:
        imported = {item.name for item in floors.imports_of(PACKAGE, module)}
        if name not in imported and f" {name}(" not in (PACKAGE / module).read_text(encoding="utf-8"):
            unused.append((module, name))
    assert unused == []


# ---- the rules find what breaks them

PLANTED = [
    ("an arrow up", "protocol/errors.py", "from .wire import x", "2: imports protocol/wire.py, which stands above it"),
    ("an arrow up, of a module", "protocol/errors.py", "from . import wire", "2: imports protocol/wire.py, which"),
    ("an arrow to the face", "client.py", "from . import x", "2: imports __init__.py, which stands above it"),
    ("an arrow out of its floor", "protocol/call.py", "from ..client import x", "2: imports client.py, which stands"),
    (
        "under TYPE_CHECKING",
        "transport/base.py",
        "if TYPE_CHECKING:\n    from ..client import x",
        "3: imports client.py",
    ),
    ("inside a function", "protocol/sse.py", "def f():\n    from ..client import x", "3: imports client.py, which"),
    ("of a package's module", "protocol/sse.py", "from ..transport import base", "2: imports transport/base.py, which"),
    ("itself", "client.py", "from .client import x", "2: imports itself"),
    (
        "a module that is not there",
        "client.py",
        "from .nowhere import x",
        "2: imports nowhere.py, which stands in no floor",
    ),
    ("out of the package", "client.py", "from ...other import x", "2: imports ../other, which stands in no floor"),
    ("our own name", "client.py", "import pkg.stream", "2: imports pkg.stream by our own name"),
    ("our own name, from", "cli.py", "from pkg import Client", "2: imports pkg by our own name"),
    (
        "requests",
        "client.py",
        "def f():\n    import requests",
        "3: imports requests; only transport/requests_transport.py may",
    ),
    ("urllib3", "client.py", "from urllib3.util import x", "2: imports urllib3; only"),
    ("a socket", "protocol/sse.py", "import socket", "2: imports socket, and protocol/ is pure"),
    ("a clock", "protocol/retry.py", "from time import monotonic", "2: imports time, and protocol/ is pure"),
    ("dice", "protocol/retry.py", "import random", "2: imports random, and protocol/ is pure"),
    ("a submodule", "protocol/retry.py", "import os.path", "2: imports os.path, and protocol/ is pure"),
    ("a network", "protocol/retry.py", "import urllib.request", "2: imports urllib.request, and protocol/ is pure"),
    (
        "a thread where none is allowed",
        "protocol/call.py",
        "import threading",
        "2: imports threading, and protocol/ is pure",
    ),
    ("print", "protocol/reply.py", "def f():\n    print(1)", "3: calls print(), and protocol/ is pure"),
    ("open", "protocol/reply.py", "open('x')", "2: calls open(), and protocol/ is pure"),
    ("a long file", "client.py", "\n" * 700, "1: has 701 lines; 600 is the limit"),
]

FINE = [
    ("an arrow down", "client.py", "from .protocol.errors import x"),
    ("an arrow down, of a module", "client.py", "from .protocol import errors"),
    ("an arrow to a package", "client.py", "from .protocol import x"),
    ("a neighbour before it", "protocol/wire.py", "from .redact import x"),
    ("down from below the roof", "lab/trace.py", "from .. import client"),
    ("requests in its room", "transport/requests_transport.py", "import requests, urllib3"),
    ("urllib.parse", "protocol/payload.py", "from urllib.parse import quote"),
    ("a clock outside protocol", "client.py", "import time"),
    ("print outside protocol", "cli.py", "print(1)"),
    ("what is allowed", "protocol/tracker.py", "import threading\ndef summary():\n    print(1)"),
    ("a method of that name", "protocol/sse.py", "def f(x):\n    x.open()"),
]


EMPTY = '"""A module."""\n'


@pytest.fixture(scope="module")
def empty_house(tmp_path_factory):
    """A package with every module of the list, each with a docstring and nothing else."""
    root = tmp_path_factory.mktemp("house") / "pkg"
    for module in floors.order():
        (root / module).parent.mkdir(parents=True, exist_ok=True)
        (root / module).write_text(EMPTY)
    return root


@pytest.fixture
def house(empty_house):
    """The same, put in order again after the test."""
    yield empty_house
    for path in set(empty_house.rglob("*.py")) - {empty_house / module for module in floors.order()}:
        path.unlink()
    for module in floors.order():
        if not (empty_house / module).exists() or (empty_house / module).read_text() != EMPTY:
            (empty_house / module).write_text(EMPTY)


@pytest.mark.parametrize("module, code, expected", [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_a_planted_violation_is_found(house, module, code, expected):
    """Each rule can fail, and says where."""
    (house / module).write_text(EMPTY + code)
    found = floors.violations(house)
    assert len(found) == 1
    assert found[0].startswith(f"{module}:{expected}")


@pytest.mark.parametrize("module, code", [row[1:] for row in FINE], ids=[row[0] for row in FINE])
def test_what_is_fine_is_not_complained_about(house, module, code):
    """No rule catches more than it should."""
    (house / module).write_text(EMPTY + code)
    assert floors.violations(house) == []


def test_a_module_without_a_row_is_found(house):
    """A new module says where it stands before it is merged."""
    (house / "protocol" / "newcomer.py").write_text('"""A module."""\n')
    assert floors.violations(house) == ["protocol/newcomer.py: stands in no floor; add a row to scripts/floors.py"]


def test_a_row_without_a_module_is_found(house):
    """A list that names what is gone is no list of what there is."""
    (house / "client.py").unlink()
    assert floors.violations(house) == ["client.py: has a row in scripts/floors.py, and is not there"]


def test_a_module_without_a_docstring_is_found(house):
    """The first thing a reader meets is what the module is for."""
    (house / "client.py").write_text("x = 1\n")
    assert floors.violations(house) == ["client.py:1: has no docstring"]
