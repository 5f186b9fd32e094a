"""The table of a file's parameters: path, shape, initialiser, leading axes of copies."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..schema.parameters import Leaf
from ..schema.program import Program
from .nodes import assign, call, dotted, literal, name
from .plan import dtype_node


@dataclass
class Table:
    """What the template asks: the rows as source, and which columns there are."""

    initialisers: list[ast.stmt]
    rows: list[ast.expr]
    copies: bool
    """Some arrays hold copies on leading axes."""
    dtypes: bool
    """Some arrays have a dtype of their own."""
    lists: bool
    """Some copies lie in lists."""


def table(program: Program) -> Table:
    """The rows of `PARAMS`, one per array in the order of the program."""
    leaves = program.leaves()
    copies = any(leaf.stack for leaf in leaves.values())
    dtypes = any(leaf.dtype != "float" for leaf in leaves.values())
    lists = any(p.isdigit() for path in leaves for p in path.split("."))
    named: dict[str, ast.expr] = {}
    rows: list[ast.expr] = []
    for path, leaf in leaves.items():
        row: list[ast.expr] = [literal(leaf.full_shape), _initialiser(leaf, named)]
        if copies:
            row.append(literal(len(leaf.stack)))
        if dtypes:
            own = leaf.dtype == "float"
            row.append(literal(None) if own else dtype_node(leaf.dtype))
        rows.append(ast.Tuple([literal(path), *row]))
    return Table([assign(k, v) for k, v in named.items()], rows, copies, dtypes, lists)


def _initialiser(leaf: Leaf, named: dict[str, ast.expr]) -> ast.expr:
    """`zeros`, or a name for the initialiser with its arguments."""
    init = leaf.init
    if init.name == "key_data":
        return dotted("jax.random.bits")
    arguments = init.model_dump(exclude={"name"})
    value = dotted(f"jax.nn.initializers.{init.name}")
    if arguments:
        keywords = {
            k: literal(v)
            for k, v in arguments.items()
            if v != type(init).model_fields[k].default
        }
        value = call(value, [], keywords)
    for known, other in named.items():
        if ast.dump(other) == ast.dump(value):
            return name(known)
    base = init.name.upper()
    text, number = base, 2
    while text in named:
        text, number = f"{base}_{number}", number + 1
    named[text] = value
    return name(text)
