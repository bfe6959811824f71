#!/usr/bin/env python3
"""One readable file out of many modules: the floors in order, a heading for each module, its docstring under it.

    scripts/single_file.py [FEATURE ...] > chatwire.py

    # ---- protocol/redact.py -----------------------------------------------
    \"\"\"Hides keys in headers and texts ...\"\"\"

    HIDDEN = "[hidden]"

Comments and layout stay as they are. What changes: imports of one another go, those of the standard library stand at
the top, once; two modules' names that are spelled alike are told apart by the module's name in front (`_count` of
retry.py becomes `_retry_count`), where the name that the package offers, or that an import binds, keeps its spelling;
an import of a module that was left out becomes a call that says so.

Not for reading: strings with names of modules in them. A face with a table of such strings is written anew, as a
namespace. Reads source, runs none of it.
"""

import ast
import builtins
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from closure import FACE, closure, data_files, is_for_type_checkers, left_out, offered
from floors import FLOORS, imports_of, package
from scopes import Use, bound_by, of_this_scope, uses
from trimming import trimmed

WIDTH = 120
MAIN = "__main__.py"


class CannotFlatten(Exception):
    """A module does what one file cannot do; the text says where."""


class Entity(NamedTuple):
    """What a name means: a name of one of our modules, or something imported, then `home` is "" and `name` the import
    statement; a whole module of ours has no name.
    """

    home: str
    name: str


class Module:
    """One module as source, as a tree, and what each of its names means. `text` is what is left of it in a copy."""

    def __init__(self, root: Path, path: str, text: Optional[str] = None) -> None:
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8") if text is None else text
        self.tree = ast.parse(self.text)
        self.lines = self.text.encode("utf-8").splitlines(keepends=True)  # ast counts columns in bytes
        self.means: Dict[str, Entity] = {}
        self.for_types: Set[str] = set()
        self._targets = {(item.line, item.name): item.module for item in imports_of(root, path, self.text)}
        self._note(self.tree.body, False)

    def target(self, node: ast.ImportFrom, alias: ast.alias) -> Entity:
        """What a relative import gives."""
        found = self._targets[(node.lineno, alias.name)]
        is_module = PurePosixPath(found).stem == alias.name and not (node.module or "").endswith(alias.name)
        return Entity(found, "" if is_module else alias.name)

    def _note(self, body: Iterable[ast.stmt], for_types: bool) -> None:
        for node in body:
            for name, entity in self._bindings(node):
                # For type checkers, who take the two for one, typing's stands for collections.abc's.
                self.means.setdefault(name, _of_typing(entity) if for_types else entity)
                if for_types:
                    self.for_types.add(name)
            if isinstance(node, ast.If):
                self._note(node.body, for_types or is_for_type_checkers(node))
                self._note(node.orelse, for_types)
            elif isinstance(node, (ast.Try, ast.With, ast.For)):
                self._note(node.body, for_types)

    def _bindings(self, node: ast.stmt) -> Iterator[Tuple[str, Entity]]:
        if isinstance(node, ast.ImportFrom) and node.level:
            yield from ((bound_by(alias), self.target(node, alias)) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from (
                (bound_by(alias), Entity("", f"from {node.module} import {alias.name}")) for alias in node.names
            )
        elif isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else bound_by(alias)
                yield bound_by(alias), Entity("", f"import {whole}")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name, Entity(self.path, node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.With)):
            for name in _stored(node):
                yield name, Entity(self.path, name)

    def locals(self) -> Set[str]:
        """Every name that is bound somewhere inside a function, and some more."""
        stored = {
            node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return stored | {node.arg for node in ast.walk(self.tree) if isinstance(node, ast.arg)}

    def hidden(self) -> Set[Entity]:
        """What would be hidden behind a local name, called here as it is at home: `x = errors.x`, where x is local."""
        names = self.locals()
        modules: Dict[str, str] = {}
        found: Set[Entity] = set()
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            for alias in node.names:
                entity = self.target(node, alias)
                if not entity.name:
                    modules[bound_by(alias)] = entity.home
                elif alias.asname and alias.name in names:
                    found.add(entity)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                found |= {Entity(modules[node.value.id], node.attr)} if node.attr in names else set()
        return found


def _of_typing(entity: Entity) -> Entity:
    return Entity(entity.home, entity.name.replace("from collections.abc import", "from typing import"))


def _stored(node: ast.stmt) -> Iterator[str]:
    for inner in of_this_scope(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


# ---- names


# Names that the file itself has.
RESERVED = ("_left_out", "_LEFT_OUT", "_HOME_OF", "_NAME", "_data", "_DATA")


class Names:
    """What everything is called in the one file."""

    def __init__(self, modules: List[Module], offered: Set[Entity]) -> None:
        self.offered = offered
        self.final: Dict[Entity, str] = {}
        self._means = {module.path: module.means for module in modules}
        self._for_types: Set[Entity] = set()
        wanted: Dict[str, List[Entity]] = {}
        for module in modules:
            for name, entity in module.means.items():
                if (entity.home and entity.home != module.path) or not entity.name or name.startswith("__"):
                    continue
                if name in module.for_types and entity.home:
                    self._for_types.add(entity)
                claims = wanted.setdefault(name, [])
                if entity not in claims:
                    claims.append(entity)
        self._hidden = {self.origin(entity) for module in modules for entity in module.hidden()}
        taken = {*wanted, *dir(builtins), *RESERVED}.union(*(module.locals() for module in modules))
        for name, entities in wanted.items():
            self._settle(name, entities, taken)

    def _settle(self, name: str, entities: List[Entity], taken: Set[str]) -> None:
        keeps = self._keeper(name, entities)
        for entity in entities:
            if entity == keeps:
                self.final.setdefault(entity, name)
                continue
            other = qualified(name, entity)
            while other in taken:
                other = f"{other}_"
            taken.add(other)
            self.final.setdefault(entity, other)

    def _keeper(self, name: str, entities: List[Entity]) -> Optional[Entity]:
        """Who keeps the spelling: what the package offers, else an import, else nobody if there is more than one."""
        for entity in self.offered & self._hidden & set(entities):
            raise CannotFlatten(f"{entity.home} offers {name}, and a module that uses it has a local name like it")
        for chosen in (self.offered.__contains__, lambda entity: not entity.home):
            for entity in entities:
                if chosen(entity):
                    return entity
        if hasattr(builtins, name) or name in RESERVED:
            return None
        if any(entity in self._hidden for entity in entities):
            return None
        at_run_time = [entity for entity in entities if entity not in self._for_types]
        return at_run_time[0] if len(at_run_time) == 1 else None if at_run_time else entities[0]

    def of(self, entity: Entity, name: str) -> str:
        """What `entity` is called; `name` where nothing is known of it. A module may hand on what it imports."""
        return self.final.get(self.origin(entity), name)

    def origin(self, entity: Entity) -> Entity:
        """Where it is at home."""
        while self._means.get(entity.home, {}).get(entity.name, entity) != entity:
            entity = self._means[entity.home][entity.name]
        return entity

    def of_module(self, path: str) -> Dict[str, str]:
        """What a module offers -> what that is called."""
        means = self._means[path]
        return {name: self.of(entity, name) for name, entity in means.items() if entity == Entity(path, name)}


def qualified(name: str, entity: Entity) -> str:
    """`_count` of retry.py -> `_retry_count`; `Stream` of streaming.py -> `StreamingStream`; `DONE` -> `EDITS_DONE`."""
    path = PurePosixPath(entity.home or entity.name.split()[1].rpartition(".")[2])
    stem = (path.parent.name if path.name == FACE else path.stem).strip("_")
    private = "_" if name.startswith("_") else ""
    bare = name.lstrip("_")
    if bare.isupper():
        return f"{private}{stem.upper()}_{bare}"
    if bare[:1].isupper():
        return private + "".join(part.capitalize() for part in stem.split("_")) + bare
    return f"{private}{stem}_{bare}"


# ---- edits


class Edit(NamedTuple):
    """Bytes from (line, column) to (end_line, end_column), lines from 1, to be replaced."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


class Flattener:
    """Rewrites one module for the one file."""

    def __init__(self, module: Module, names: Names, there: Set[str]) -> None:
        self.module = module
        self.names = names
        self.there = there
        self.edits: List[Edit] = []
        self._done: Set[Tuple[int, int]] = set()
        self._inside: List[Tuple[int, int, int, int]] = []  # what was replaced as a whole
        self.handed_on: Set[str] = set()  # modules that this one uses as a whole, as a value

    def text(self) -> str:
        """The module's body, without docstring and imports."""
        self._take_out(self.module.tree.body, top=True)
        self._read_from_here()
        self._rename()
        lines = list(self.module.lines)
        for edit in sorted(set(self.edits), reverse=True):
            first, last = lines[edit.line - 1], lines[edit.end_line - 1]
            new = first[: edit.column] + edit.text.encode("utf-8") + last[edit.end_column :]
            lines[edit.line - 1 : edit.end_line] = [new, *[b""] * (edit.end_line - edit.line)]
        return b"".join(lines).decode("utf-8")

    # -- what goes

    def _take_out(self, body: List[ast.stmt], top: bool = False) -> None:
        for number, node in enumerate(body):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                self._import(node, body, top)
            elif top and (self._is_docstring(node, number) or self._is_list_of_names(node)):
                self._remove(node)
            elif isinstance(node, ast.If) and is_for_type_checkers(node):
                self._type_checkers_block(node)
            elif isinstance(node, ast.With) and self._only_imports_of_ours(node.body):
                self._remove(node) if len(body) > 1 else self._replace(node, "pass")
            else:
                for inner in _bodies(node):
                    self._take_out(inner)

    def _is_docstring(self, node: ast.stmt, number: int) -> bool:
        return number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)

    def _is_list_of_names(self, node: ast.stmt) -> bool:
        """`__all__`, and what only a package's own `__init__.py` needs."""
        if isinstance(node, ast.FunctionDef):
            return node.name in ("__getattr__", "__dir__")
        return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"

    def _import(self, node: "ast.Import | ast.ImportFrom", body: List[ast.stmt], top: bool) -> None:
        ours = isinstance(node, ast.ImportFrom) and node.level > 0
        if top:
            self._remove(node)
        elif ours and self._are_there(node):
            # Where nothing else stands in the block, something must.
            self._remove(node) if len(body) > 1 else self._replace(node, "pass")
        elif ours:
            self._replace(node, self._said_to_be_missing(node))

    def _are_there(self, node: ast.stmt) -> bool:
        assert isinstance(node, ast.ImportFrom)
        return all(self.module.target(node, alias).home in self.there for alias in node.names)

    def _said_to_be_missing(self, node: ast.stmt) -> str:
        assert isinstance(node, ast.ImportFrom)
        targets = " = ".join(bound_by(alias) for alias in node.names)
        missing = next(self.module.target(node, alias).home for alias in node.names)
        return f'{targets} = _left_out("{missing}")'

    def _only_imports_of_ours(self, body: List[ast.stmt]) -> bool:
        return all(isinstance(node, ast.ImportFrom) and node.level and self._are_there(node) for node in body)

    def _type_checkers_block(self, node: ast.If) -> None:
        rest = [inner for inner in node.body if not isinstance(inner, (ast.Import, ast.ImportFrom))]
        if not rest:
            self._remove(node)
            return
        for inner in node.body:
            if inner not in rest:
                self._remove(inner)

    def _remove(self, node: ast.stmt) -> None:
        """The statement, the comment after it, and its line; inside a function also the comments right above it."""
        lines = self.module.lines
        first = node.lineno - 1
        while node.col_offset and lines[first - 1].lstrip().startswith(b"#"):
            first -= 1
        end = node.end_lineno or node.lineno
        self.edits.append(Edit(first + 1, 0, end, len(lines[end - 1]), ""))
        self._done.update((line, 0) for line in range(first + 1, end + 1))

    def _replace(self, node: ast.AST, text: str) -> None:
        line, column, end_line, end_column = _span(node)
        self.edits.append(Edit(line, column, end_line, end_column, text))

    def _read_from_here(self) -> None:
        """Files that stand beside the modules stand in the one file."""
        for node in ast.walk(self.module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pkgutil.get_data":
                self._replace(node, f"_data({ast.unparse(node.args[1])})")
                self._inside.append(_span(node))

    # -- what is called otherwise

    def _rename(self) -> None:
        whole = {id(node.value): node for node in ast.walk(self.module.tree) if isinstance(node, ast.Attribute)}
        for use in uses(self.module.tree):
            if (_span(use.node)[0], 0) in self._done and not isinstance(use.node, (ast.FunctionDef, ast.ClassDef)):
                continue
            line, column = _span(use.node)[:2]
            if any(start[:2] <= (line, column) < start[2:] for start in self._inside):
                continue
            if use.name == "__package__":  # "" at the top of a file; what is wanted is the name people gave to it
                self._replace(use.node, "_NAME")
            entity = self._meaning(use)
            if entity is None:
                continue
            if not entity.name:
                self._attribute(use, entity, whole)
            elif self.names.of(entity, use.name) != use.name:
                self._spell(use, self.names.of(entity, use.name))

    def _meaning(self, use: Use) -> Optional[Entity]:
        if use.imported:
            entity = self.module.target(*use.imported)
            return entity if entity.home in self.there else None
        return self.module.means.get(use.name)

    def _attribute(self, use: Use, entity: Entity, whole: Dict[int, ast.Attribute]) -> None:
        """`errors.APIError`, where `errors` is a module of ours."""
        attribute = whole.get(id(use.node))
        if attribute is None:
            self.handed_on.add(entity.home)
            self._replace(use.node, namespace_of(entity.home))
            return
        name = attribute.attr
        self._replace(attribute, self.names.of(Entity(entity.home, name), name))

    def _spell(self, use: Use, name: str) -> None:
        node = use.node
        if isinstance(node, ast.Name):
            self._replace(node, name)
            return
        line, column = _span(node)[:2]
        found = re.compile(rb"\b%s\b" % use.name.encode()).search(self.module.lines[line - 1], column)
        if found is None:
            raise CannotFlatten(f"{self.module.path}:{line}: {use.name} is not where it is defined")
        self.edits.append(Edit(line, found.start(), line, found.end(), name))


def _bodies(node: ast.AST) -> Iterator[List[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list):
            yield body
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def _span(node: Any) -> Tuple[int, int, int, int]:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


# ---- the file


def single_file(root: Path, wanted: Iterable[str] = (), *, name: str = "", command: str = "") -> str:
    """The text of the one file with the features of `wanted`; `command` is what makes it again."""
    paths = closure(root, wanted)
    missing = left_out(root, paths)
    flat, faces = _split(root, paths)
    names = Names(flat, _public(root))
    there = set(paths)
    parts = [_header(root, flat, names, missing, name, command)]
    flatteners = {module.path: Flattener(module, names, there) for module in flat}
    bodies = {path: flattener.text() for path, flattener in flatteners.items()}
    handed_on = {path for flattener in flatteners.values() for path in flattener.handed_on}
    for path in handed_on:
        bodies[path] = f"{bodies[path].rstrip()}\n\n\n{_as_value(path, names)}\n"
    for floor in FLOORS:
        texts = [_section(module, bodies[module.path]) for module in flat if module.path in floor.modules]
        if any(texts):
            parts.append(_banner(floor.name, floor.says) + "\n\n" + "\n\n".join(filter(None, texts)))
    parts += [_namespace(root, face, names) for face in faces]
    data = [path for path in data_files(root, paths) if not path.endswith(".md")]  # pages for people are read elsewhere
    if data:
        parts.append(_data_section(root, data))
    parts.append(_face(root, there, missing, "\n".join(parts)))
    if MAIN in there:
        parts.append('if __name__ == "__main__":\n    sys.exit(main())')
    return re.sub(r"\n{4,}", "\n\n\n", "\n\n\n".join(parts)) + "\n"


def names_of(root: Path, paths: Iterable[str]) -> Names:
    """What the names of these modules are called in the one file."""
    return Names(_split(root, paths)[0], _public(root))


def _public(root: Path) -> Set[Entity]:
    return {Entity(home, theirs) for home, theirs in offered(root, FACE).values()}


def spellings(root: Path, wanted: Iterable[str]) -> Dict[str, Dict[str, str]]:
    """Module, dotted -> its names that are spelled otherwise in the one file -> how.

    A module of ours that it has a name for stands as ":" and that module's dotted path.
    """
    paths = closure(root, wanted)
    modules = _split(root, paths)[0]
    names = Names(modules, _public(root))
    return {dotted(module.path): dict(_spelled(module, names)) for module in modules}


def _spelled(module: Module, names: Names) -> Iterator[Tuple[str, str]]:
    for name, entity in module.means.items():
        if entity.home and not entity.name:
            yield name, f":{dotted(entity.home)}"
        elif names.of(entity, name) != name:
            yield name, names.of(entity, name)


def dotted(path: str) -> str:
    """`sdk/types/__init__.py` -> `sdk.types`"""
    return path[:-3].replace("/__init__", "").replace("/", ".")


def _split(root: Path, paths: Iterable[str]) -> Tuple[List[Module], List[str]]:
    """(modules to be flattened, faces of parts of the package). The face of all is neither."""
    texts = trimmed(root, paths)
    modules = [Module(root, path, text) for path, text in texts.items() if path not in (FACE, MAIN)]
    faces = [module.path for module in modules if "_HOMES" in module.means]
    return [module for module in modules if module.path not in faces], faces


def _section(module: Module, text: str) -> str:
    """A module under its heading; nothing of one that has only a docstring."""
    if not text.strip():
        return ""
    heading = f"# ---- {module.path} ".ljust(WIDTH, "-")
    docstring = module.tree.body[0]
    assert isinstance(docstring, ast.Expr)
    said = b"".join(module.lines[docstring.lineno - 1 : docstring.end_lineno]).decode("utf-8")
    body = text.strip("\n")
    gap = "\n\n" if body.startswith(("class ", "def ", "async ", "@")) else "\n"
    return f"{heading}\n{said}{gap}{body}\n"


def _banner(name: str, says: str) -> str:
    line = "# " + "=" * (WIDTH - 2)
    return f"{line}\n# {name}: {says}\n{line}"


def _header(root: Path, modules: List[Module], names: Names, missing: Dict[str, str], name: str, command: str) -> str:
    """The package's own docstring, all imports, and what says that something was left out."""
    docstring = ast.get_docstring(ast.parse((root / FACE).read_text(encoding="utf-8"))) or ""
    begins = "\n\n".join(docstring.split("\n\n")[:2])
    lines = [f'"""{begins}\n\n{ABOUT}\n"""', "", "from __future__ import annotations", ""]
    at_run_time, for_types = _imports(modules, names)
    for_types.discard("from typing import TYPE_CHECKING")
    at_run_time.discard("import pkgutil")  # it was for files beside the modules
    lines += _written(
        at_run_time
        | {"from typing import TYPE_CHECKING", "import sys", "from typing import Any", "from typing import NoReturn"}
    )
    only = for_types - at_run_time
    name = name or root.name
    absent = _names_for_types(modules, names, set(missing))
    if only or absent:
        lines += ["", "if TYPE_CHECKING:", *(f"    {line}" for line in _written(only, WIDTH - 4))]
        lines += [f"    {name} = Any  # left out" for name in absent]
    lines += ["", NAME.format(name=name)]
    if missing:
        lines += ["", "", LEFT_OUT.replace("COMMAND", command or "scripts/vendor --single")]
    return "\n".join(lines)


ABOUT = """All of it in one file: the modules follow one another from the ground up, each under its heading. Look for
the headings to find your way: lines that begin with `# ----`."""

NAME = """# What we are called, in logs here and at the server.
_NAME = "{name}" if __name__ == "__main__" else __name__"""

LEFT_OUT = '''def _left_out(module: str) -> Any:
    """Stands where a module is used that this file was made without."""
    feature = _LEFT_OUT[module]
    again = f"COMMAND --with {feature}"
    raise NotInThisCopy(f"{module} is not in this file; make it again with `{again}`", feature=feature)'''


def _imports(modules: List[Module], names: Names) -> Tuple[Set[str], Set[str]]:
    """Import statements of foreign modules: (that run, for type checkers)."""
    found: Tuple[Set[str], Set[str]] = (set(), set())
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, (ast.Import, ast.ImportFrom)) or (isinstance(node, ast.ImportFrom) and node.level):
                continue
            for alias in node.names:
                name = bound_by(alias)
                if name not in module.means or module.means[name].home or not _is_top(module.tree, node):
                    continue
                final = names.of(module.means[name], name)
                suffix = f" as {final}" if final != alias.name.partition(".")[0] else ""
                whole = module.means[name].name if isinstance(node, ast.ImportFrom) else f"import {alias.name}"
                found[name in module.for_types].add(f"{whole}{suffix}")
    return found


def _is_top(tree: ast.Module, node: ast.AST) -> bool:
    return any(node is inner for top in tree.body if not _defines(top) for inner in ast.walk(top))


def _defines(node: ast.stmt) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _names_for_types(modules: List[Module], names: Names, missing: Set[str]) -> List[str]:
    """Names of modules that were left out, as annotations have them."""
    found = {
        name for module in modules for name, entity in module.means.items() if entity.home in missing and entity.name
    }
    return sorted(found - set(names.final.values()))


def _written(statements: Set[str], width: int = WIDTH) -> List[str]:
    """`import a` lines, then one `from a import ...` for each module."""
    lines = sorted(statement for statement in statements if statement.startswith("import "))
    together: Dict[str, List[str]] = {}
    for statement in sorted(statements - set(lines)):
        start, _, name = statement.partition(" import ")
        together.setdefault(start, []).append(name)
    for start, imported in together.items():
        line = f"{start} import {', '.join(imported)}"
        lines += [line] if len(line) <= width else [f"{start} import (", *(f"    {name}," for name in imported), ")"]
    return lines


def _data_section(root: Path, paths: List[str]) -> str:
    """The files beside the modules, as text; a module asks for them by their paths from its own folder."""
    lines = [_banner("data", "files that stand beside the modules in the package"), "", "_DATA = {"]
    for path in paths:
        text = (root / path).read_text(encoding="utf-8")
        plain = "'''" not in text and not text.endswith(("\\", "'"))
        shown = f"r'''{text}'''" if plain else repr(text)
        lines.append(f'    "{path.partition("/")[2]}": {shown},')
    return "\n".join([*lines, "}", "", "", DATA])


DATA = '''def _data(name: str) -> bytes:
    """A file that stands beside a module in the package."""
    return _DATA[name].encode("utf-8")'''


def namespace_of(path: str) -> str:
    """What stands for a whole module where it is used as a value: `lab/show.py` -> `_module_lab_show`."""
    return f"_module_{dotted(path).replace('.', '_')}"


def _as_value(path: str, names: Names) -> str:
    """The module as a value: an object with what it offers."""
    rows = [f"    {name}={spelled}," for name, spelled in names.of_module(path).items() if not name.startswith("_")]
    name = namespace_of(path)
    return "\n".join([f'{name}: Any = type(sys)("{dotted(path)}")', f"vars({name}).update(", *rows, ")"])


def _namespace(root: Path, face: str, names: Names) -> str:
    """A part of the package with a face of its own: a module that holds the names it offers."""
    part = PurePosixPath(face).parent.name
    lines = [
        f"# ---- {face} ".ljust(WIDTH, "-"),
        f'{part} = type(sys)(f"{{__name__}}.{part}", "The names that {part}/ offers.")',
        f"sys.modules[{part}.__name__] = {part}",
        f"vars({part}).update(",
    ]
    for name, (home, theirs) in offered(root, face).items():
        lines.append(f"    {name}={names.of(Entity(home, theirs), theirs)},")
    return "\n".join(
        [*lines, ")", f'vars({part})["__all__"] = [name for name in vars({part}) if not name.startswith("_")]']
    )


def _face(root: Path, there: Set[str], missing: Dict[str, str], text: str) -> str:
    """What the file offers, and what is said of the rest. `text` is all that stands before it."""
    homes = offered(root, FACE)
    lines = [_banner("face", "what importing this file offers"), "", "__all__ = ["]
    present = [name for name, (home, _) in homes.items() if home in there]
    lines += [f'    "{name}",' for name in [*present, "__version__"]] + ["]"]
    absent = {name: missing[home] for name, (home, _) in homes.items() if home in missing}
    if missing:
        asked = set(re.findall(r'= _left_out\("(.*?)"\)', text)) | {homes[name][0] for name in absent}
        lines += ["", "# Module that was left out -> what brings it.", "_LEFT_OUT = {"]
        lines += [f'    "{module}": "{feature}",' for module, feature in missing.items() if module in asked] + ["}"]
    if absent:
        lines += ["# Name that was left out -> its module.", "_HOME_OF = {"]
        lines += [f'    "{name}": "{homes[name][0]}",' for name in absent] + ["}", "", "", GETATTR]
    return "\n".join(lines)


GETATTR = """def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        _left_out(_HOME_OF[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")"""


def main() -> int:
    sys.stdout.write(single_file(package(), sys.argv[1:]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
