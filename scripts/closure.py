#!/usr/bin/env python3
"""What a copy of the package is made of: the core, and the features that were asked for.

    scripts/closure.py                  print the modules of the smallest copy, their bytes, and what each feature adds
    scripts/closure.py session tools    the same, with these features

Which features there are, and how imports are followed, says `floors.py`. Reads source, runs none of it.
"""

import ast
import sys
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Dict, Iterable, List, Tuple

from floors import OPTIONAL, Import, copied, imports_of, order, package

FACE = "__init__.py"
VERSION = "_version.py"
ALL = "all"


class UnknownFeature(Exception):
    """Its text says which features there are."""


def checked(wanted: Iterable[str]) -> List[str]:
    """The features of `wanted`, each once and in the order of the table; where `all` is among them, that alone."""
    names = {name.strip() for name in wanted if name.strip()}
    known = [feature.name for feature in OPTIONAL]
    unknown = sorted(names - {*known, ALL})
    if unknown:
        raise UnknownFeature(f"no such feature: {', '.join(unknown)}; there are: {', '.join([*known, ALL])}")
    return [ALL] if ALL in names else [name for name in known if name in names]


def closure(root: Path, wanted: Iterable[str] = ()) -> List[str]:
    """The modules of a copy with the features of `wanted`, from the ground up. Raises UnknownFeature."""
    asked = checked(wanted)
    return order() if asked == [ALL] else copied(root, asked, look=remembered)


def remembered(root: Path, module: str) -> List[Import]:
    """`imports_of`, which reads a file once, and again when it has changed."""
    state = (root / module).stat()
    return _read(root, module, state.st_mtime_ns, state.st_size)


@cache
def _read(root: Path, module: str, changed_ns: int, size_bytes: int) -> List[Import]:
    return imports_of(root, module)


def left_out(root: Path, modules: Iterable[str]) -> Dict[str, str]:
    """Module that a copy of `modules` lacks -> its feature, or else the smallest of those that bring it along."""
    there = set(modules)
    brought = {feature.name: set(closure(root, [feature.name])) for feature in OPTIONAL}
    by_size = sorted(brought, key=lambda name: len(brought[name]))
    owner = {module: feature.name for feature in reversed(OPTIONAL) for module in feature.modules}
    missing = [module for module in order() if module not in there]
    return {
        module: owner.get(module) or next((name for name in by_size if module in brought[name]), ALL)
        for module in missing
    }


def data_files(root: Path, modules: Iterable[str]) -> List[str]:
    """Files beside modules, which those read: they go where the package goes in whose folder they are.

    Hidden ones are none: linters and editors leave their caches in whatever folder they are started in.
    """
    there = set(modules)
    found = []
    for path in sorted(root.glob("*/**/*")):
        place = path.relative_to(root)
        hidden = any(part.startswith(".") for part in place.parts)
        if (
            path.is_file()
            and not hidden
            and path.suffix not in (".py", ".pyc")
            and f"{_package_of(root, path)}{FACE}" in there
        ):
            found.append(place.as_posix())
    return found


def _package_of(root: Path, path: Path) -> str:
    folder = next(parent for parent in path.parents if (parent / FACE).exists())
    return "" if folder == root else f"{folder.relative_to(root).as_posix()}/"


def is_for_type_checkers(node: ast.stmt) -> bool:
    """Whether a statement is `if TYPE_CHECKING:`, under whichever of its spellings."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def offered(root: Path, face: str) -> Dict[str, Tuple[str, str]]:
    """Name that a face offers -> (module, its name there)."""
    tree = ast.parse((root / face).read_text(encoding="utf-8"))
    homes: Dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            homes = ast.literal_eval(node.value)
    folder = PurePosixPath(face).parent
    found = {}
    for home, entries in homes.items():
        base = folder.parent if home.startswith(".") else folder
        path = (base / home.lstrip(".").replace(".", "/")).as_posix() + ".py"
        for entry in entries.split():
            found[entry.partition("=")[0]] = (path, entry.rpartition("=")[2])
    return found


def size_bytes(root: Path, modules: Iterable[str]) -> int:
    return sum((root / module).stat().st_size for module in modules)


def main() -> int:
    root = package()
    try:
        modules = closure(root, sys.argv[1:])
    except UnknownFeature as error:
        print(f"scripts/closure.py: {error}", file=sys.stderr)
        return 1
    for module in modules:
        print(f"{(root / module).stat().st_size:>9,}  {module}")
    total = size_bytes(root, modules)
    print(f"{total:>9,}  bytes in {len(modules)} modules\n")
    for feature in OPTIONAL:
        more = size_bytes(root, set(modules) | set(closure(root, [feature.name]))) - total
        print(f"{more:>+9,}  {feature.name}: {feature.says}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
