"""The face: every name it promises is there, lives where the table says, and nothing else is public."""

import ast
import subprocess
import sys

from . import forms, rawchat


def test_all_names_exist():
    """`__all__` equals what can be had, and `dir()` shows it."""
    for name in rawchat.__all__:
        assert getattr(rawchat, name) is not None
    assert set(rawchat.__all__) <= set(dir(rawchat))


def classes_of(dotted):
    """What `from .dotted import *` brings, of a module that offers classes alone."""
    tree = ast.parse((forms.SOURCE / f"{dotted.replace('.', '/')}.py").read_text(encoding="utf-8"))
    offered = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.Assign))]
    assert all(isinstance(node, ast.ClassDef) for node in offered)
    return [node.name for node in offered]


@forms.needs_modules
def test_type_checkers_see_the_same_names_at_the_same_places():
    """The imports that only type checkers read and the table that Python reads agree."""
    tree = ast.parse((forms.SOURCE / "__init__.py").read_text(encoding="utf-8"))
    declared = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module != "_version":
            declared.update({alias.asname: node.module for alias in node.names if alias.asname})
            if node.names[0].name == "*":
                declared.update(dict.fromkeys(classes_of(node.module), node.module))

    assert declared == rawchat._HOME_OF


def test_unknown_names_are_attribute_errors():
    """So that hasattr and typos behave as everywhere."""
    assert not hasattr(rawchat, "Cleint")


def test_star_import_works():
    """`from package import *` gives what `__all__` promises."""
    space = {}
    exec(f"from {rawchat.__name__} import *", space)
    assert set(rawchat.__all__) <= set(space) | {"__version__"}


def test_the_version_is_stated_once(tmp_path):
    """pyproject takes it from the package."""
    shown = subprocess.run(
        [sys.executable, "-c", f"import {rawchat.__name__} as r; print(r.__version__)"],
        capture_output=True,
        text=True,
        env=forms.environment(),
        cwd=tmp_path,
    )
    assert shown.stdout.strip() == rawchat.__version__
