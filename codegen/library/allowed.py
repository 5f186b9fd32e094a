"""What the code of a file may speak of beside what it defines: read off trusted sources."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..walk import children, walk

Imports = Mapping[str, str]
"""What a module imports: a name, and the line that binds it alone."""


@dataclass(frozen=True)
class Allowed:
    """Imports, parts of modules, attributes of values, builtins."""

    imports: Imports
    paths: frozenset[str]
    """`jax.lax.scan`: a name of `imports` and its parts."""
    attributes: frozenset[str]
    """`reshape` of `x.reshape(...)`."""
    builtins: frozenset[str]

    @classmethod
    def of(cls, sources: Iterable[ast.AST], imports: Imports) -> Allowed:
        """What occurs in sources that nobody has to distrust."""
        used: dict[str, str] = {}
        paths: set[str] = set()
        attributes: set[str] = set()
        names: set[str] = set()
        for source in sources:
            for node in walk(source):
                if isinstance(node, ast.Name) and node.id in imports:
                    used[node.id] = imports[node.id]
                elif isinstance(node, ast.Name) and hasattr(builtins, node.id):
                    names.add(node.id)
            for root, parts in chains(source):
                if root in imports:
                    paths.add(".".join([root, *parts]))
                else:
                    attributes.update(parts)
        return cls(used, frozenset(paths), frozenset(attributes), frozenset(names))

    def __or__(self, other: Allowed) -> Allowed:
        for name, line in other.imports.items():
            if self.imports.get(name, line) != line:
                raise ImportClash(name, self.imports[name], line)
        return Allowed(
            {**self.imports, **other.imports},
            self.paths | other.paths,
            self.attributes | other.attributes,
            self.builtins | other.builtins,
        )


class ImportClash(Exception):
    """Two sources import different things by one name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(f"expected one meaning of {name}, found {first!r}, {second!r}")


def chains(source: ast.AST) -> list[tuple[str, list[str]]]:
    """The attributes in a tree as (name, parts): `jax.nn.relu`, and `x.at[i].add` as
    `at` of x and `add` of a value that has no name."""
    found: list[tuple[str, list[str]]] = []
    todo = [source]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Attribute):
            parts: list[str] = []
            while isinstance(node, ast.Attribute):
                parts.insert(0, node.attr)
                node = node.value
            found.append((node.id if isinstance(node, ast.Name) else "", parts))
        todo += children(node)
    return found


def imports_of(tree: ast.Module) -> dict[str, str]:
    """The imports at the top of a module, but for relative ones and `__future__`."""
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    found[bound] = ast.unparse(ast.Import([alias]))
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names if module != "__future__" else ():
                    line = ast.ImportFrom(module, [alias], 0)
                    found[alias.asname or alias.name] = ast.unparse(line)
    return found


def import_block(lines: Iterable[str]) -> str:
    """Import lines of one name each as a file has them: sorted, joined, in two blocks."""
    plain: dict[bool, list[str]] = {False: [], True: []}
    members: dict[bool, dict[str, list[str]]] = {False: {}, True: {}}
    for line in lines:
        head, _, name = line.partition(" import ")
        module = line.split()[1].partition(".")[0]
        outside = module not in sys.stdlib_module_names
        if name:
            members[outside].setdefault(head, []).append(name)
        else:
            plain[outside].append(line)
    blocks = []
    for outside in (False, True):
        found = sorted(plain[outside])
        froms = sorted(members[outside].items())
        found += [f"{head} import {', '.join(sorted(names))}" for head, names in froms]
        blocks.append("\n".join(found))
    return "\n\n".join(b for b in blocks if b)
