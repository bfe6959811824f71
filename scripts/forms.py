#!/usr/bin/env python3
"""The forms in which the package runs in other people's places, each made ready for the suite.

    scripts/forms.py                say which forms there are

    installed   a wheel, installed by pip, with requests
    copied      a folder under another name inside somebody's package: app.vendor.chatwire
    zip         that folder in a zip, on Python's path
    single      one file, with every feature
    bare        nothing but the standard library and the test runner: no requests

`tree`, what stands in the checkout, is no form: it is what the suite runs on unless it is told otherwise. Makes folders
under `.venvs/forms/`, and nothing elsewhere; `scripts/test --form` runs the suite on what was made.
"""

import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

from copies import Plan, make
from environment import FOLDER, TOP, Environment, locked, prepare, required, run
from floors import package
from single_file import spellings

EVERYTHING = ("all",)


class Form(NamedTuple):
    """`make` puts the package into a folder and returns what goes on Python's path for it."""

    says: str
    name: str  # imported as
    make: Callable[[Environment, Path], Path]
    packages: List[str]  # installed beside the test runner
    modules: List[str]  # a Python that has these will do where nothing can be installed


def _installed(environment: Environment, folder: Path) -> Path:
    """Built and installed by pip; away from the checkout, which a build would leave its by-products in."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in ("pyproject.toml", "README.md"):
            shutil.copy(TOP / path, scratch)
        shutil.copytree(package(), Path(scratch) / package().name, ignore=shutil.ignore_patterns("__pycache__"))
        pip = [str(environment.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        run([*pip, "--no-index", "--no-build-isolation", "--target", str(folder), scratch])
    return folder


def _copied(_: Environment, folder: Path) -> Path:
    vendor = folder / "app" / "vendor"
    vendor.mkdir(parents=True)
    for inner in (folder / "app", vendor):
        (inner / "__init__.py").write_text("")
    make(Plan(package(), "chatwire", EVERYTHING, False), vendor / "chatwire")
    return folder


def _zip(_: Environment, folder: Path) -> Path:
    made = folder / "chatwire.zip"
    files = make(Plan(package(), "chatwire", EVERYTHING, False), folder / "chatwire")
    # Not deflated: Python 3.9 says that there is no zlib to a second thread that imports while a first one loads it.
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for path, data in files.items():
            archive.writestr(f"chatwire/{path}", data)
    shutil.rmtree(folder / "chatwire")
    return made


def _single(_: Environment, folder: Path) -> Path:
    make(Plan(package(), "chatwire", EVERYTHING, True), folder / "chatwire.py")
    # For the suite, which asks for the modules that went into it.
    (folder / "spellings.json").write_text(json.dumps(spellings(package(), EVERYTHING)))
    return folder


def _bare(_: Environment, folder: Path) -> Path:
    make(Plan(package(), package().name, EVERYTHING, False), folder / package().name)
    return folder


# What the suite needs beside pytest, and what building a wheel without a network needs.
WITH_REQUESTS = ["responses", "setuptools>=77", "wheel"]
FORMS: Dict[str, Form] = {
    "installed": Form("a wheel, installed by pip", "rawchat", _installed, WITH_REQUESTS, ["setuptools", "requests"]),
    "copied": Form("under another name, in a package", "app.vendor.chatwire", _copied, WITH_REQUESTS, ["requests"]),
    "zip": Form("in a zip", "chatwire", _zip, WITH_REQUESTS, ["requests"]),
    "single": Form("one file", "chatwire", _single, WITH_REQUESTS, ["requests"]),
    "bare": Form("the standard library alone", "rawchat", _bare, [], []),
}


def environment_for(form: Optional[str], python: Optional[str], oldest: Optional[List[str]]) -> Environment:
    """Where the suite runs on a form, or on the tree. `oldest` are requirements that take the newest's place."""
    row = FORMS.get(form or "")
    if row and not row.packages:
        return prepare("bare", ["pytest"], python=python)
    wanted = ["pytest", *WITH_REQUESTS]
    if oldest is not None:
        # No way out by `modules`: what happens to be installed here is not the oldest.
        return prepare("oldest", [*wanted, *oldest], python=python)
    modules = ["pytest", "responses", *(row.modules if row else ["requests"])]
    return prepare("test", [*wanted, *required()], python=python, modules=modules)


def variables(form: str, environment: Environment) -> Dict[str, str]:
    """Makes the form anew, and returns what the suite has to know of it."""
    row = FORMS[form]
    home = FOLDER / "forms" / f"{form}-{environment.python.parent.parent.name}"
    home.parent.mkdir(parents=True, exist_ok=True)
    with locked(home):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        place = str(row.make(environment, home))
    return {"FORM_UNDER_TEST": form, "PACKAGE_UNDER_TEST": row.name, "PATH_UNDER_TEST": place, "PYTHONPATH": place}


def main() -> int:
    for name, row in FORMS.items():
        print(f"{name:<12}{row.says}; imported as {row.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
