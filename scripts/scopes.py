#!/usr/bin/env python3
"""Which names of a module's source mean a name of the module itself, and not a local one of the same spelling.

    scripts/scopes.py FILE      print each such use: line, column, name

    count = 1                           1:0   count
    def f(count):                       2:4   f
        return count                    (the parameter: not told)
    def g():                            4:4   g
        return count                    5:11  count

Follows the rules of the language reference, section 4.2 "Naming and binding": functions, lambdas, comprehensions and
classes have scopes of their own, a class's is not seen from the functions in it, `global` reaches out. Reads source,
runs none of it; what stands in strings is not looked at.
"""

import ast
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

Function = (ast.FunctionDef, ast.AsyncFunctionDef)
Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Importing = Union[ast.Import, ast.ImportFrom]


class Scope(NamedTuple):
    """One function, lambda, comprehension or class: the names it binds, and those that its relative imports bind."""

    is_class: bool
    bound: Set[str]
    imported: Dict[str, Tuple[ast.ImportFrom, ast.alias]]


class Use(NamedTuple):
    """A place where a name of the module is used, or bound. `imported` where a relative import inside a function says
    what it means there.
    """

    node: ast.AST
    name: str
    imported: Optional[Tuple[ast.ImportFrom, ast.alias]] = None


def bound_by(alias: ast.alias) -> str:
    """`import a.b` binds a, `import a.b as c` binds c."""
    return alias.asname or alias.name.partition(".")[0]


def uses(tree: ast.Module) -> Iterator[Use]:
    """Every use of a name that is not local to a function, class or comprehension, in no particular order."""
    for node in tree.body:
        yield from _walk(node, [])


def _walk(node: ast.AST, scopes: List[Scope]) -> Iterator[Use]:
    if isinstance(node, ast.Name):
        yield from _resolved(node, node.id, scopes)
    elif isinstance(node, ast.Global):
        yield from (Use(node, name) for name in node.names)
    elif isinstance(node, (*Function, ast.ClassDef)):
        yield from _definition(node, scopes)
    elif isinstance(node, ast.Lambda):
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            yield from _walk(default, scopes)
        yield from _walk(node.body, [*scopes, _scope([node.body], _parameters(node.args))])
    elif isinstance(node, Comprehension):
        yield from _comprehension(node, scopes)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _walk(child, scopes)


def _definition(node: Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef], scopes: List[Scope]) -> Iterator[Use]:
    """Decorators, defaults, annotations and bases belong outside; the body has a scope of its own."""
    yield from _resolved(node, node.name, scopes)
    for decorator in node.decorator_list:
        yield from _walk(decorator, scopes)
    if isinstance(node, ast.ClassDef):
        for outside in (*node.bases, *node.keywords):
            yield from _walk(outside, scopes)
        inner = _scope(node.body, set(), is_class=True)
    else:
        yield from _walk(node.args, scopes)
        if node.returns:
            yield from _walk(node.returns, scopes)
        inner = _scope(node.body, _parameters(node.args))
    for child in node.body:
        yield from _walk(child, [*scopes, inner])


def _comprehension(node: ast.AST, scopes: List[Scope]) -> Iterator[Use]:
    generators: List[ast.comprehension] = node.generators  # type: ignore[attr-defined]
    bound = {name.id for part in generators for name in ast.walk(part.target) if isinstance(name, ast.Name)}
    inner = [*scopes, Scope(False, bound, {})]
    yield from _walk(generators[0].iter, scopes)  # the first iterable is evaluated outside
    for number, part in enumerate(generators):
        rest = [part.target, *part.ifs] if number == 0 else [part.target, part.iter, *part.ifs]
        for child in rest:
            yield from _walk(child, inner)
    for field in ("elt", "key", "value"):
        if hasattr(node, field):
            yield from _walk(getattr(node, field), inner)


def _resolved(node: ast.AST, name: str, scopes: List[Scope]) -> Iterator[Use]:
    for depth, scope in enumerate(reversed(scopes)):
        if scope.is_class and depth:
            continue
        if name in scope.imported:
            yield Use(node, name, scope.imported[name])
            return
        if name in scope.bound:
            return
    yield Use(node, name)


def _parameters(arguments: ast.arguments) -> Set[str]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {each.arg for each in (*listed, *filter(None, (arguments.vararg, arguments.kwarg)))}


def _scope(body: "List[ast.stmt] | List[ast.expr]", parameters: Set[str], is_class: bool = False) -> Scope:
    scope = Scope(is_class, set(parameters), {})
    outside: Set[str] = set()
    for node in body:
        for inner in of_this_scope(node):
            if isinstance(inner, ast.Global):
                outside.update(inner.names)
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                _note_import(inner, scope)
            else:
                scope.bound.update(_binds(inner))
    return Scope(is_class, scope.bound - outside, scope.imported)


def _note_import(node: Importing, scope: Scope) -> None:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom) and node.level:
            scope.imported[bound_by(alias)] = (node, alias)
        else:
            scope.bound.add(bound_by(alias))


def _binds(node: ast.AST) -> List[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return [node.id]
    if isinstance(node, (*Function, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.ExceptHandler) and node.name:
        return [node.name]
    return []


def of_this_scope(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and what is in it, but not what is in a function, class, lambda or comprehension in it."""
    yield node
    if isinstance(node, (*Function, ast.ClassDef, ast.Lambda)):
        return
    if isinstance(node, Comprehension):  # `:=` in it binds outside (PEP 572)
        yield from (inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
        return
    for child in ast.iter_child_nodes(node):
        yield from of_this_scope(child)


def main() -> int:
    for path in map(Path, sys.argv[1:]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for use in sorted(uses(tree), key=lambda use: (use.node.lineno, use.node.col_offset)):  # type: ignore[attr-defined]
            print(f"{use.node.lineno}:{use.node.col_offset}\t{use.name}")  # type: ignore[attr-defined]
    return 0


if __name__ == "__main__":
    sys.exit(main())
