"""The functions over a file's tables, from tested source: `blox.ops.tail`."""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import lru_cache

from ..library.fold import Folder
from ..library.sources import Library
from ..library.tidy import drop_aliases, tidy
from ..names import Names
from ..nodes import clone, names_in, renamed
from ..parts import Function, Init, Loader, Parameters, Part
from ..printer import render
from .table import IN_FLOAT32, Tables

HOME = "tail"
INIT, LOAD = "init_params", "load_params"
STORED = "stored_arrays"
COPIES = ("copies", "axes")
"""What functions get of the copies that an array is one of."""
PROGRESSION = "progression"
BEFORE = (IN_FLOAT32, PROGRESSION)
"""Functions that stand before the tables."""


class Tail:
    """The functions that the tables of one file need, as it needs them."""

    def __init__(self, library: Library, tables: Tables, names: Names) -> None:
        facts = tuple(tables.facts.items())
        self.functions: dict[str, ast.FunctionDef] = {}
        """In the order of the source, helpers first."""
        roots = [INIT, LOAD] if tables.init else [LOAD]
        wanted = {*roots, *(n for s in tables.statements for n in names_in(s))}
        sources = library.module(HOME)
        cut: dict[str, ast.FunctionDef] = {}
        todo = [name for name in sources if name in wanted]
        while todo:
            name = todo.pop()
            source = sources[name].function
            if name in cut or source is None:
                continue
            cut[name] = _cut(source, facts)
            todo += names_in(cut[name]) & sources.keys()
        titles = {n: n if n in roots else names.fresh(n) for n in sources if n in cut}
        self.functions = {n: renamed(cut[n], titles) for n in titles}
        self.tables = [renamed(s, titles) for s in tables.statements]

    @property
    def statements(self) -> list[ast.stmt]:
        return [*self.functions.values(), *self.tables]

    def parts(self) -> list[Part]:
        """The end of the file: what the tables call, the tables, init, the loader."""
        functions = {n: Function(render([f])) for n, f in self.functions.items()}
        before = [functions.pop(n) for n in BEFORE if n in functions]
        init = [functions.pop(INIT)] if INIT in functions else []
        tables = Parameters(render(self.tables))
        parts: list[Part] = [*before, tables, *(Init([f]) for f in init)]
        return [*parts, Loader([*functions.values()])]


@lru_cache(maxsize=256)
def _cut(
    source: ast.FunctionDef, facts: tuple[tuple[str, bool], ...]
) -> ast.FunctionDef:
    """A function of the source, as a file of these facts needs it."""
    known: dict[str, ast.expr] = {name: ast.Constant(fact) for name, fact in facts}
    copies = dict(facts)["LISTED"] or dict(facts)["STACKED"]
    none = {} if copies else {name: ast.Tuple([]) for name in COPIES}
    node = clone(source)
    node.body = tidy(Folder({**known, **none}, put=none).block(node.body))
    drop_aliases(node)
    _drop_unread(node)
    return node


def loader_functions(library: Library) -> dict[str, ast.FunctionDef]:
    """The functions that read the arrays of a file or folder, by name."""
    source = library.module(HOME)[STORED].function
    assert source is not None
    return {STORED: source}


def drawing_functions(
    library: Library, used: Collection[str]
) -> dict[str, ast.FunctionDef]:
    """The functions of initialisers that JAX has none for, as far as they are used."""
    source = library.module(HOME)[PROGRESSION].function
    assert source is not None
    return {PROGRESSION: source} if PROGRESSION in used else {}


def _drop_unread(function: ast.FunctionDef) -> None:
    """Drops parameters that may be left out, where nothing reads them any more."""
    for inner in function.body:
        if isinstance(inner, ast.FunctionDef):
            _drop_unread(inner)
    read = set().union(*map(names_in, function.body))
    arguments = function.args
    if arguments.vararg is not None and arguments.vararg.arg not in read:
        arguments.vararg = None
    while arguments.defaults and arguments.args[-1].arg not in read:
        arguments.args.pop()
        arguments.defaults.pop()
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    kept = [(arg, d) for arg, d in pairs if d is None or arg.arg in read]
    arguments.kwonlyargs = [arg for arg, _ in kept]
    arguments.kw_defaults = [default for _, default in kept]
