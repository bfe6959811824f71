"""In which form the package is tested, and how a test starts it there as a process of its own.

`scripts/test --form` says it by the environment; without a word it is the package in this tree.
"""

import ast
import importlib
import importlib.util
import json
import os
import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent
FORM = os.environ.get("FORM_UNDER_TEST", "tree")
NAME = os.environ.get("PACKAGE_UNDER_TEST", "rawchat")
PLACE = os.environ.get("PATH_UNDER_TEST", str(TOP))  # what stands on Python's path for it: a folder or a zip
SOURCE = TOP / "rawchat"  # for tests that read the source: the same in every form
IS_SINGLE = FORM == "single"
HAS_FILES = FORM not in ("zip", "single")  # a folder with the modules in it
HAS_REQUESTS = importlib.util.find_spec("requests") is not None

needs_requests = pytest.mark.skipif(not HAS_REQUESTS, reason=f"form {FORM}: requests is not installed")
needs_modules = pytest.mark.skipif(IS_SINGLE, reason=f"form {FORM}: in one file there are no modules to load singly")

if PLACE in sys.path:
    sys.path.remove(PLACE)
sys.path.insert(0, PLACE)  # before this tree, which pytest puts there


def bound():
    """The package under test. It must come from where the form is: a test of another one would tell nothing."""
    package = importlib.import_module(NAME)
    assert str(package.__file__).startswith(PLACE), f"{NAME} came from {package.__file__}, not from {PLACE}"
    return package


def requests_or_skip():
    """`requests`, for a file that is about it; where there is none, the file is skipped."""
    return pytest.importorskip("requests", reason=f"form {FORM}: requests is not installed")


def door_class(module):
    """The door that serves where none is named."""
    if HAS_REQUESTS:
        return module("transport.requests_transport").RequestsTransport
    return module("transport.stdlib_transport").StdlibTransport


def environment(**more):
    """What a process of its own needs to find the form: this environment, with the form on Python's path."""
    return {**os.environ, "PYTHONPATH": PLACE, **more}


def command(*arguments):
    """The package as a program. To be run elsewhere than in this tree, which `-m` would look at first."""
    return [sys.executable, "-W", "error", "-m", NAME, *arguments]


def module_names():
    """What follows the package's name in the names of its modules: "", ".client", ...; in one file there is one."""
    if IS_SINGLE:
        return [""]
    paths = [path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".") for path in SOURCE.rglob("*.py")]
    return ["", *(f".{path.replace('.__init__', '')}" for path in paths if path not in ("__init__", "__main__"))]


def site_packages():
    """The folder in which `requests` is; of no use, and no harm, where there is none."""
    found = importlib.util.find_spec("requests")
    return str(pathlib.Path(found.origin).parent.parent) if found else ""


def aliases(module):
    """What `sys.modules` needs for programs that know the package by its own name: every module under that name."""
    if NAME == "rawchat":
        return {}
    found = {"rawchat": importlib.import_module(NAME)}
    for path in SOURCE.rglob("*.py"):
        dotted = ".".join(path.relative_to(SOURCE).with_suffix("").parts).replace(".__init__", "")
        if dotted not in ("__init__", "__main__"):
            found[f"rawchat.{dotted}"] = module(dotted)
    return found


# ---- one file


class View:
    """What stands for a module that went into the one file: its names, read and set there under their spelling."""

    def __init__(self, package, path, spellings):
        vars(self).update(
            __name__=f"{package.__name__}.{path}",
            _package=package,
            _spellings=spellings,
            _before={},
            __file__=package.__file__,
        )
        source = SOURCE / f"{path.replace('.', '/')}.py"
        source = source if source.exists() else source.with_suffix("") / "__init__.py"
        vars(self)["__doc__"] = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))

    def __getattr__(self, name):
        spelled = self._spellings.get(name, name)
        if spelled.startswith(":"):
            return view(self._package, spelled[1:])
        return getattr(self._package, spelled)

    def __setattr__(self, name, value):
        spelled = self._spellings.get(name, name)
        self._before.setdefault(spelled, getattr(self._package, spelled))
        setattr(self._package, spelled, value)

    def __delattr__(self, name):
        """Newer versions of pytest undo a `setattr` so, where the name does not stand in the object's own `__dict__`."""
        spelled = self._spellings.get(name, name)
        setattr(self._package, spelled, self._before.pop(spelled))


_VIEWS = {}


def view(package, path):
    """The module `path` of the one file."""
    if f"{package.__name__}.{path}" in sys.modules:
        return sys.modules[f"{package.__name__}.{path}"]
    if path not in _VIEWS:
        spellings = json.loads((pathlib.Path(PLACE) / "spellings.json").read_text())
        _VIEWS[path] = View(package, path, spellings[path])
    return _VIEWS[path]
