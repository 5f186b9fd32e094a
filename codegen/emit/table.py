"""The tables of a file's arrays: shapes by node, initialisers, copies, dtypes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ...schema.parameters import Leaf
from ...schema.resolve.program import Program
from ..nodes import annotated, assign, call, dotted, literal
from ..plan import dtype_node


@dataclass
class Table:
    """What the template asks: the tables as statements, and which there are."""

    statements: list[ast.stmt]
    copies: bool
    """Some arrays hold copies on leading axes."""
    dtypes: bool
    """Some arrays have a dtype of their own."""
    lists: bool
    """Some copies lie in lists."""
    root: bool
    """Some arrays belong to no node of the entries but to the model itself."""
    exact: bool
    """Some arrays start unlike others of their name."""


def table(program: Program) -> Table:
    """The tables of a Program, in its order."""
    leaves = program.leaves()
    stacked = _stacked(leaves)
    dtypes = {p: leaf for p, leaf in leaves.items() if leaf.dtype != "float"}
    shapes = "dict[str, dict[str, tuple[int, ...]]]"
    statements: list[ast.stmt] = [annotated("SHAPES", shapes, _shapes(leaves))]
    if stacked:
        statements.append(assign("STACKED", literal(stacked)))
    initialisers = _by_name(leaves, _initialiser)
    statements.append(annotated("INIT", "dict[str, Any]", initialisers))
    if dtypes:
        own = _by_name(
            leaves,
            lambda leaf: None if leaf.dtype == "float" else dtype_node(leaf.dtype),
        )
        statements.append(annotated("DTYPES", "dict[str, Any]", own))
    lists = any(p.isdigit() for path in leaves for p in path.split("."))
    exact = any(
        isinstance(k, ast.Constant) and "." in str(k.value) for k in initialisers.keys
    )
    return Table(
        statements,
        bool(stacked),
        bool(dtypes),
        lists,
        any("." not in path for path in leaves),
        exact,
    )


def _shapes(leaves: dict[str, Leaf]) -> ast.expr:
    """`{node: {array: shape}}`."""
    groups: dict[str, dict[str, tuple[int, ...]]] = {}
    for path, leaf in leaves.items():
        node, _, name = path.rpartition(".")
        groups.setdefault(node, {})[name] = leaf.full_shape
    return literal(groups)


def _stacked(leaves: dict[str, Leaf]) -> list[str]:
    """How the paths begin whose arrays hold one more axis of copies."""
    found: dict[str, None] = {}
    for path, leaf in leaves.items():
        parts = path.split(".")
        for below in leaf.below:
            found["".join(f"{p}." for p in parts[: len(parts) - below])] = None
    return list(found)


def _by_name(
    leaves: dict[str, Leaf], value: Callable[[Leaf], ast.expr | None]
) -> ast.Dict:
    """A dict by the last name of a path, with whole paths where that doesn't decide."""
    names: dict[str, Counter[str]] = {}
    nodes: dict[str, ast.expr] = {}
    of: dict[str, str] = {}
    for path, leaf in leaves.items():
        node = value(leaf)
        text = "" if node is None else ast.dump(node)
        if node is not None:
            nodes[text] = node
        of[path] = text
        names.setdefault(path.rpartition(".")[2], Counter())[text] += 1
    usual = {name: count.most_common(1)[0][0] for name, count in names.items()}
    rows: dict[str, ast.expr] = {}
    for name, text in usual.items():
        if text:
            rows[name] = nodes[text]
    for path, text in of.items():
        if text != usual[path.rpartition(".")[2]]:
            rows[path] = nodes.get(text, ast.Constant(None))
    return ast.Dict([literal(k) for k in rows], list(rows.values()))


def _initialiser(leaf: Leaf) -> ast.expr:
    """The function of `jax.nn.initializers`, by the short name where it has one."""
    init = leaf.init
    if init.name == "key_data":
        return dotted("jax.random.bits")
    arguments = init.model_dump(exclude={"name"})
    value = dotted(f"jax.nn.initializers.{init.name}")
    if not arguments:
        return value
    defaults = {k: f.default for k, f in type(init).model_fields.items()}
    given = {k: v for k, v in arguments.items() if v != defaults[k]}
    if given == {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"}:
        return call("jax.nn.initializers.lecun_normal")
    return call(value, [], {k: literal(v) for k, v in given.items()})
