#!/usr/bin/env python3
"""Takes out of a small copy what could only serve the rooms that were left out.

    scripts/trimming.py [FEATURE ...]   print what each module of such a copy loses, in bytes

    try:                                                    a copy without cures:
        from .cures import cure_for as known_cure
    except ImportError:                                         return ""
        return ""
    return known_cure(value)

    with optional("embed"):                                 a copy without it:
        from .embedding_plan import EmbeddingPlan               raise left_out("embed")
    plan = EmbeddingPlan(...)

Then the definitions go that no module of the copy uses and the face does not offer, and the imports that served them.
All else stays as it was written, comments and layout too. Methods that have a name without an underscore stay: they are
people's to call. Reads source, runs none of it.
"""

import ast
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Set, Tuple

from closure import FACE, VERSION, closure, is_for_type_checkers, offered, remembered
from floors import imports_of, package
from scopes import bound_by

WIDTH = 120
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Edit(NamedTuple):
    """Lines `first` to `last`, from 1, give way to `lines`."""

    first: int
    last: int
    lines: Tuple[str, ...] = ()


def trimmed(root: Path, paths: Iterable[str]) -> Dict[str, str]:
    """The text of each module of a copy that has these modules, and no others."""
    texts = {path: (root / path).read_text(encoding="utf-8") for path in paths}
    there = {"", *texts}
    absent = {
        path: {(item.line, item.name) for item in remembered(root, path) if item.module not in there} for path in texts
    }
    if not any(absent.values()):
        return texts  # nothing was left out
    for path in _own(texts):
        texts[path] = _edited(texts[path], _Seams(texts[path], absent[path]).edits)
    offers = set(offered(root, FACE).values())
    offers |= {(item.module, item.name) for item in remembered(root, FACE) if item.when != "never"}
    while True:
        used = _Uses(root, texts)
        smaller = {path: _edited(texts[path], used.unused(path, offers)) for path in _own(texts)}
        if all(texts[path] == text for path, text in smaller.items()):
            return texts
        texts.update(smaller)


def _own(texts: Dict[str, str]) -> List[str]:
    """All but what `copies.py` writes anew."""
    return [path for path in texts if path not in (FACE, VERSION)]


def _edited(text: str, edits: Iterable[Edit]) -> str:
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, reverse=True):
        first, last = edit.first - 1, edit.last
        if not edit.lines:
            # A comment right above belongs to what goes; of the blank lines around it, one side's are enough.
            indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
            while first and lines[first - 1].startswith(f"{indent}#"):
                first -= 1
            ends = last >= len(lines) or not lines[last].strip() or not lines[last].startswith(indent)
            while first and ends and not lines[first - 1].strip():
                first -= 1
        lines[first:last] = [f"{line}\n" for line in edit.lines]
    return "".join(lines)


# ---- what only an absent room needs


class _Seams:
    """The edits of one module. `absent` are the (line, name) of imports whose module the copy lacks."""

    def __init__(self, text: str, absent: Set[Tuple[int, str]]) -> None:
        self.edits: List[Edit] = []
        self._lines = text.splitlines()
        self._absent = absent
        tree = _tree(text)
        self._has_any = any(isinstance(node, ast.alias) and node.name == "Any" for node in ast.walk(tree))
        self._block(tree.body)
        if any("raise left_out(" in line for edit in self.edits for line in edit.lines):
            self._import_left_out(tree.body)

    def _block(self, body: List[ast.stmt]) -> bool:
        """Notes the edits of a block. Whether nothing of it is left."""
        gone = 0
        for number, node in enumerate(body):
            kept, ends = self._statement(node)
            gone += not kept
            rest = body[number + 1 :]
            if ends and rest:
                self.edits.append(Edit(rest[0].lineno, _end(rest[-1])))
                break
            if ends:
                break
        return gone == len(body)

    def _statement(self, node: ast.stmt) -> Tuple[bool, bool]:
        """(whether anything of it is left, whether what follows it is never reached)."""
        if isinstance(node, ast.Try) and self._is_absent(node.body) and self._is_plain(node):
            body = [inner for inner in node.handlers[0].body if not isinstance(inner, ast.Pass)]
            lines = self._dedented(node, body) if body else ()
            self.edits.append(Edit(node.lineno, _end(node), lines))
            return bool(body), _ends(body)
        if isinstance(node, ast.With) and self._is_absent(node.body):
            if _called(node) == "optional":
                self.edits.append(Edit(node.lineno, _end(node), (f"{' ' * node.col_offset}{_raising(node)}",)))
                return True, True
            if _called(node) == "suppress":
                self.edits.append(Edit(node.lineno, _end(node)))
                return False, False
        if isinstance(node, ast.If) and is_for_type_checkers(node):
            self._for_type_checkers(node)
            return True, False
        if isinstance(node, ast.FunctionDef) and self._only_raises(node):
            self._shrink(node)
            return True, False
        for inner in _bodies(node):
            if self._block(inner):
                if _is_idle_branch(node):
                    self.edits = [edit for edit in self.edits if edit.first < node.lineno or edit.first > _end(node)]
                    self.edits.append(Edit(node.lineno, _end(node)))
                    return False, False
                if not _is_elif(node, inner):
                    self._stand_in(inner)
        return True, False

    def _only_raises(self, node: ast.FunctionDef) -> bool:
        first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
        return isinstance(first, ast.With) and _called(first) == "optional" and self._is_absent(first.body)

    def _shrink(self, node: ast.FunctionDef) -> None:
        """How to call what is not here need not be said."""
        own = [each.arg for each in node.args.args if each.arg in ("self", "cls")]
        first = next(inner for inner in node.body if isinstance(inner, ast.With))
        call = _raising(first)
        indent = " " * node.col_offset
        head = f"{indent}def {node.name}({', '.join([*own, '*_: Any', '**__: Any'])}) -> Any:"
        self.edits.append(Edit(node.lineno, _end(node), (head, f"{indent}    {call}")))

    def _for_type_checkers(self, block: ast.If) -> None:
        """Annotations may go on naming what is absent; they say nothing then."""
        for node in block.body:
            if self._is_absent([node]):
                names = [bound_by(alias) for alias in node.names]  # type: ignore[attr-defined]
                lines = [] if self._has_any else ["    from typing import Any", ""]
                self._has_any = True
                lines += [f"    {name} = Any" for name in names]
                self.edits.append(Edit(node.lineno, _end(node), tuple(lines)))

    def _import_left_out(self, body: List[ast.stmt]) -> None:
        """Beside `optional`, which goes if nothing else needs it."""
        for node in body:
            if isinstance(node, ast.ImportFrom) and any(alias.name == "optional" for alias in node.names):
                names = [alias.name for alias in node.names]
                line = f"from {'.' * node.level}{node.module} import {', '.join(sorted({'left_out', *names}))}"
                self.edits.append(Edit(node.lineno, _end(node), (line,)))

    def _stand_in(self, body: List[ast.stmt]) -> None:
        """A block must hold something."""
        last = body[-1]
        self.edits = [edit for edit in self.edits if edit.first != last.lineno]
        self.edits.append(Edit(last.lineno, _end(last), (f"{' ' * last.col_offset}pass",)))

    def _is_absent(self, body: List[ast.stmt]) -> bool:
        first = body[0]
        return isinstance(first, ast.ImportFrom) and any(
            (first.lineno, each.name) in self._absent for each in first.names
        )

    def _is_plain(self, node: ast.Try) -> bool:
        """`except ImportError:` alone, whose block can stand by itself."""
        handler = node.handlers[0]
        if len(node.handlers) > 1 or handler.name or handler.type is None or node.finalbody:
            return False
        raises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(handler))
        return ast.unparse(handler.type) == "ImportError" and not raises

    def _dedented(self, node: ast.Try, body: List[ast.stmt]) -> Tuple[str, ...]:
        more = body[0].col_offset - node.col_offset
        lines = self._lines[body[0].lineno - 1 : _end(body[-1])]
        return tuple(line[more:] if line.strip() else line for line in lines)


def _is_idle_branch(node: ast.stmt) -> bool:
    """Whether it is an `if` or `elif` that does nothing but ask, once its block is gone: no call but isinstance."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    return all(ast.unparse(each.func) == "isinstance" for each in ast.walk(node.test) if isinstance(each, ast.Call))


def _is_elif(node: ast.stmt, body: List[ast.stmt]) -> bool:
    return isinstance(node, ast.If) and body is node.orelse and body[0].col_offset == node.col_offset


def _ends(body: List[ast.stmt]) -> bool:
    """Whether what follows these statements is never reached."""
    last = body[-1] if body else None
    if isinstance(last, ast.Try):
        return all(map(_ends, [last.orelse or last.body, *(handler.body for handler in last.handlers)]))
    if isinstance(last, ast.If):
        return _ends(last.body) and _ends(last.orelse)
    return isinstance(last, _ENDS)


def _raising(node: ast.With) -> str:
    """`raise left_out("embed")` in place of `with optional("embed"):`"""
    return ast.unparse(node.items[0].context_expr).replace("optional(", "raise left_out(").replace("'", '"')


def _called(node: ast.With) -> str:
    """`suppress` of `with suppress(ImportError):`"""
    call = node.items[0].context_expr
    return ast.unparse(call.func) if isinstance(call, ast.Call) and len(node.items) == 1 else ""


def _bodies(node: ast.stmt) -> Iterator[List[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list) and body:
            yield body
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def _end(node: ast.AST) -> int:
    return node.end_lineno or node.lineno  # type: ignore[attr-defined, no-any-return]


# ---- what nobody uses


class _Uses:
    """Which names the modules of a copy use, of their own and of one another."""

    def __init__(self, root: Path, texts: Dict[str, str]) -> None:
        self._trees = {path: _tree(text) for path, text in texts.items()}
        self._taken = set().union(*(_taken(root, path, texts[path]) for path in _own(texts)))
        self._named = {path: _names(tree) for path, tree in self._trees.items()}
        self._asked = sum(map(_attributes, self._trees.values()), Counter())

    def unused(self, path: str, offers: Set[Tuple[str, str]]) -> List[Edit]:
        """Edits that take out of a module what nobody uses."""
        edits = []
        for node in self._trees[path].body:
            names = _defined(node)
            if names and not any((path, name) in offers or self._is_used(path, name, node) for name in names):
                edits.append(_whole(node))
            elif isinstance(node, ast.ClassDef):
                edits += [_whole(each) for each in node.body if self._is_idle(each)]
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                edits += self._shorter_import(path, node)
        return edits

    def _is_used(self, path: str, name: str, node: ast.stmt) -> bool:
        known = name.startswith("__") or (path, name) in self._taken or self._is_asked(name, node)
        return known or self._named[path][name] > _names(node)[name]

    def _is_asked(self, name: str, node: ast.stmt) -> bool:
        """Whether it is an attribute of something, or the text of a string, elsewhere than in its own definition."""
        return self._asked[name] > _attributes(node)[name]

    def _is_idle(self, node: ast.stmt) -> bool:
        """Whether it is a method that is nobody's to call from outside, and none calls."""
        private = isinstance(node, _DEFINITIONS) and node.name.startswith("_") and not node.name.startswith("__")
        return private and not self._is_asked(_defined(node)[0], node)

    def _is_wanted(self, path: str, name: str) -> bool:
        """Whether what a module imports is used in it, or taken from it by others."""
        return bool(self._named[path][name] or self._asked[name] or (path, name) in self._taken)

    def _shorter_import(self, path: str, node: "ast.Import | ast.ImportFrom") -> Iterator[Edit]:
        kept = [each for each in node.names if self._is_wanted(path, each.asname or each.name.partition(".")[0])]
        if (isinstance(node, ast.ImportFrom) and node.module == "__future__") or len(kept) == len(node.names):
            return
        line = ast.unparse(type(node)(**{**vars(node), "names": kept}))
        start, _, names = line.partition(" import ")
        if not kept:
            yield _whole(node)
        elif len(line) <= WIDTH:
            yield Edit(node.lineno, _end(node), (line,))
        else:
            yield Edit(
                node.lineno, _end(node), (f"{start} import (", *(f"    {each}," for each in names.split(", ")), ")")
            )


# Remembered: most modules are as they were in the last round, and in the last copy.
@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _taken(root: Path, path: str, text: str) -> Set[Tuple[str, str]]:
    return {(item.module, item.name) for item in imports_of(root, path, text)}


@cache
def _names(tree: ast.AST) -> "Counter[str]":
    return Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))


@cache
def _attributes(tree: ast.AST) -> "Counter[str]":
    """The names that are asked of something: attributes, and texts, which may be for getattr."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found[node.attr] += 1
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found[node.value] += 1
    return found


def _defined(node: ast.stmt) -> List[str]:
    if isinstance(node, _DEFINITIONS):
        return [node.name]
    if isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _whole(node: ast.stmt) -> Edit:
    decorators = getattr(node, "decorator_list", [])
    return Edit(decorators[0].lineno if decorators else node.lineno, _end(node))


def main() -> int:
    root = package()
    paths = closure(root, sys.argv[1:])
    before = {path: (root / path).stat().st_size for path in paths}
    after = {path: len(text.encode("utf-8")) for path, text in trimmed(root, paths).items()}
    for path in paths:
        print(f"{before[path]:>9,} {after[path] - before[path]:>+8,}  {path}")
    print(
        f"{sum(before.values()):>9,} {sum(after.values()) - sum(before.values()):>+8,}  bytes in {len(paths)} modules"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
