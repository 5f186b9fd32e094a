"""The text that generated files carry over: of the op library, of registered ops."""

from __future__ import annotations

import ast
import builtins
import inspect
import symtable
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from blox.codegen.allowlist import BASE
from blox.codegen.library.module import OpModule
from blox.schema import ModelError
from blox.schema.diagnostics import Diagnostic
from blox.schema.registry import Definition, definition


def read(home: str) -> str:
    """The text of a module of the op library, or of that of a registered op.

    Raises:
        ModelError: the module of a registered op has no source, as in a prompt, or its
            function reads what a file can't have.
    """
    found = definition(home)
    if found is None or found.function is None:
        return _family(home)
    try:
        text = inspect.getsource(sys.modules[found.function.__module__])
    except (OSError, TypeError, KeyError):
        message = "expected a function in a file, whose source can be carried over"
        raise ModelError.one("op-source", home, message) from None
    if faults := list(_unreadable(found, text)):
        raise ModelError(faults)
    return text


@cache
def _family(name: str) -> str:
    return (files("blox.ops") / f"{name}.py").read_text(encoding="utf-8")


def _unreadable(found: Definition, text: str) -> Iterator[Diagnostic]:
    """What the function of an op, and those that it calls, read but no file has."""
    assert found.function is not None
    module = OpModule.of(text, frozenset())
    name = found.function.__name__
    if name not in module.sources:
        return  # the generator reports it
    known = {*module.sources, *module.imports, *BASE.imports, *dir(builtins)}
    for source in module.reached(name):
        for read in sorted(_read_globals(source.tree) - known):
            yield Diagnostic(
                "op-source",
                found.key,
                "expected parameters, functions of its module and imports, found "
                f"{read} in {source.name}",
                f"make {read} an attribute of the op, or write its value there",
            )


def _read_globals(tree: ast.AST) -> set[str]:
    """The names of its module that a function or an expression reads."""
    todo = [symtable.symtable(ast.unparse(tree), "<op>", "exec")]
    found: set[str] = set()
    while todo:
        table = todo.pop()
        todo += table.get_children()
        found |= {
            s.get_name()
            for s in table.get_symbols()
            if s.is_referenced() and s.is_global()
        }
    return found
