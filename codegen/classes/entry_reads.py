"""State that a function reads after it has updated it: a local from its entry on.

Functions over `params` may read these at any time; methods that update state in place
would see the new value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from ..nodes import assign, name, names_in
from ..walk import children, walk

Path = tuple[str, ...]
"""Keys, and numbers of a list as text."""


def read_at_entry(function: ast.FunctionDef, state: Set[Path]) -> None:
    """Puts locals in place of late reads of arrays of state.

    Args:
        function: over `params` and `state`, changed in place.
        state: where the arrays lie that nodes assign to.
    """
    taken = names_in(function) | {
        a.arg for a in walk(function) if isinstance(a, ast.arg)
    }
    written: set[Path] = set()
    late: dict[Path, ast.expr] = {}
    locals_: dict[Path, str] = {}
    for statement in function.body:
        for node in _reads(statement, state):
            path = path_of(node)
            if path is not None and any(_overlap(path, other) for other in written):
                late.setdefault(path, node)
        written.update(_writes(statement))
    for path in late:
        last = next(i for i in reversed(range(len(path))) if not path[i].isdigit())
        local = "_".join((*path[last:], "before"))
        while local in taken:
            local += "_"
        taken.add(local)
        locals_[path] = local
    if not late:
        return
    put = _Put(locals_)
    function.body = [put.visit(s) for s in function.body]
    first = next(i for i, s in enumerate(function.body) if not _is_text(s))
    function.body[first:first] = [assign(locals_[p], node) for p, node in late.items()]


def path_of(node: ast.AST, root: str = "params") -> Path | None:
    """The path of `params["a"]["b"]`; None of anything else."""
    keys: list[str] = []
    while isinstance(node, ast.Subscript):
        if not isinstance(node.slice, ast.Constant):
            return None
        keys.append(str(node.slice.value))
        node = node.value
    here = isinstance(node, ast.Name) and node.id == root
    return tuple(reversed(keys)) if here and keys else None


def _reads(node: ast.AST, state: Set[Path]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Subscript) and path_of(node) in state:
        yield node
        return
    for child in children(node):
        yield from _reads(child, state)


def _writes(statement: ast.AST) -> Iterator[Path]:
    """The paths that a statement gives new state to."""
    for node in walk(statement):
        match node:
            case ast.Assign(
                targets=[ast.Name(id="state")], value=ast.Call(args=[_, new])
            ):
                yield from _paths(new)
            case ast.Assign(targets=[target]):
                for part in walk(target):
                    path = path_of(part, "state")
                    if path is not None:
                        yield path


def _paths(node: ast.expr, path: Path = ()) -> Iterator[Path]:
    """Those of the values of nested dicts and lists; `{}` is none."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    yield from _paths(value, (*path, str(key.value)))
        case ast.List(elts=elts):
            for i, value in enumerate(elts):
                yield from _paths(value, (*path, str(i)))
        case _:
            yield path


def _overlap(a: Path, b: Path) -> bool:
    return all(x == y for x, y in zip(a, b, strict=False))


def _is_text(node: ast.stmt) -> bool:
    """True of what stands first: the docstring, and the dict of new state."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.AnnAssign(target=ast.Name(id="state")):
            return True
    return False


class _Put(ast.NodeTransformer):
    """Puts locals in place of what lies at paths of `params`."""

    def __init__(self, locals_: dict[Path, str]) -> None:
        self.locals = locals_

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        local = self.locals.get(path_of(node) or ())
        if local is not None:
            return name(local)
        self.generic_visit(node)
        return node
