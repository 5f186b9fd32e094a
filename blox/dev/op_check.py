"""The check that spec classes and JAX functions agree."""

from __future__ import annotations

import ast
import builtins
import inspect
from importlib import import_module
from inspect import Parameter
from typing import Any

from blox.codegen.library.allowed import imports_of
from blox.codegen.library.source import assigned
from blox.codegen.nodes import names_in
from blox.io.sources import read
from blox.ops.agreement import default_faults, disagreements
from blox.schema.op import Op, ScopeOp
from blox.schema.registry import definition, families, op_class, op_names


def missing() -> list[str]:
    """What an op lacks in one of the two rooms: a line each, none if all agree.

    Every op needs a class and a function of its name: `name_` where Python has a builtin
    of that name, which no function of a file may shadow.
    The function takes the operands in the order of the class, the slots by name and, as
    keywords, the attributes, less those that are only the sizes of its parameters;
    defaults are those of the class.
    """
    faults = [f"{name}: {fault}" for name in op_names() for fault in _faults(name)]
    for family in families():
        faults += [f"{family}: {fault}" for fault in not_carried(read(family))]
    return faults + _met_twice()


def _met_twice() -> list[str]:
    """Functions of two families that have one name, though a file may hold both."""
    homes: dict[str, str] = {}
    faults = []
    for family in [*families(), "keys", "state"]:
        for node in ast.parse(read(family)).body:
            if isinstance(node, ast.FunctionDef):
                other = homes.setdefault(node.name, family)
                if other != family:
                    faults.append(f"{family}: {other} has a function {node.name} too")
    return faults


def not_carried(text: str) -> list[str]:
    """What in a module would be missing in a generated file, which gets functions and
    imports alone."""
    tree = ast.parse(text)
    imports = imports_of(tree)
    known = {*dir(builtins), *imports}
    known |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    faults = []
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        marks = [ast.unparse(m) for m in function.decorator_list]
        if lost := [m for m in marks if m != "inline"]:
            faults.append(f"{function.name} would lose its decorator {lost[0]}")
        own = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
        own |= assigned(function)
        own |= {n.name for n in ast.walk(function) if isinstance(n, ast.FunctionDef)}
        for name in sorted(names_in(function) - own - known - {*marks}):
            faults.append(
                f"{function.name} reads {name}, which is no parameter, function or import"
            )
    return faults


def _faults(name: str) -> list[str]:
    cls = op_class(name)
    if cls is None:
        return ["no spec class"]
    if not (cls.__doc__ or "").strip() or cls.__doc__ == Op.__doc__:
        return ["the spec class has no docstring"]
    if issubclass(cls, ScopeOp):
        return []
    found = definition(name)
    assert found is not None
    module, title = import_module(f"blox.ops.{found.home}"), found.python_name
    title += "_" if hasattr(builtins, title) else ""
    function = getattr(module, title, None)
    if not callable(function):
        return [f"no function {title} in {module.__name__}"]
    if getattr(function, "__module__", None) == module.__name__:
        return disagreements(cls, function)
    return _alias(cls, function)


def _alias(cls: type[Op], function: Any) -> list[str]:
    """Faults of a function of JAX: it takes the operands, then attributes by name."""
    fields = cls.fields()
    taken = dict(inspect.signature(function).parameters)
    faults = []
    if unknown := [a for a in fields.attributes if a not in taken]:
        faults.append(f"{function.__name__} takes no {unknown}")
    positional = [p for p in taken.values() if p.kind is not Parameter.KEYWORD_ONLY]
    several = any(p.kind is Parameter.VAR_POSITIONAL for p in positional)
    if not several and len(positional) < len(fields.operands):
        faults.append(f"{function.__name__} takes {len(positional)} operands")
    return faults + default_faults(cls, taken)
