"""The tables of a file's arrays: shapes, initialisers, dtypes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...schema.dtypes import NEEDS_X64
from ...schema.initializers import LECUN_NORMAL, STACKED_LECUN_NORMAL
from ...schema.parameters import Leaf
from ...schema.resolve.program import Program
from ...schema.resolve.trees import Tree, flatten
from ...schema.start import Start
from ..names import Names
from ..nodes import annotated, assign, call, dotted, literal
from ..printer.remarks import Remarks, set_remarks
from .arrays import Arrays
from .copies import period
from .sized import Sizes

Path = tuple[str | int, ...]
SHAPES = "The shape of each array, where it lies in params."
STACKED = "The shape of each array, where it lies in params: (n, shapes) are n on a first axis."
INIT_EXACT = "What draws an array, by its path or else by the last name of it."
IN_FLOAT32 = "in_float32"
"""The function of `blox.ops.tail` for initialisers that calculate in 32 bits."""


@dataclass(frozen=True)
class Tables:
    """The tables as statements, and what they decide in the functions over them."""

    statements: list[ast.stmt]
    facts: dict[str, bool]
    init: bool
    """Whether initialisers are among them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Arrays that are alike but for the numbers of copies in lists."""

    path: Path
    leaf: Leaf
    copies: int

    @property
    def named(self) -> str:
        """The path without the numbers."""
        return ".".join(p for p in self.path if isinstance(p, str))

    @property
    def name(self) -> str:
        return self.named.rpartition(".")[2]


def tables(
    program: Program, sizes: Sizes, names: Names, *, init: bool = True
) -> Tables:
    """The tables of a Program, in its order; of copies that are alike, one row.

    Args:
        program: the Program.
        sizes: of `sizes_of`; those that it lacks are numbers.
        names: of the file.
        init: whether initialisers are among them.
    """
    groups = list(groups_of(program.tree))
    initialisers = _by_name(
        program.tree,
        groups,
        lambda leaf: f"{type(leaf.init).__name__} {vars(leaf.init)}",
        lambda leaf: initialiser(leaf.init),
    )
    own = _by_name(
        program.tree,
        groups,
        lambda leaf: "" if leaf.dtype == "float" else leaf.dtype,
        lambda leaf: literal(leaf.dtype),
        literal("float"),
    )
    keys = [*initialisers, *own]
    numbered = any(part.isdecimal() for key in keys for part in key.split("."))
    numbered |= bool(own) and any(isinstance(g.path[-1], int) for g in groups)
    arrays = Arrays(program.tree, sizes, names)
    stacked = any(group.leaf.stack for group in groups)
    statements = [*arrays.statements, arrays.table]
    first = next(s for s in statements if isinstance(s, ast.AnnAssign))
    _explain(first, STACKED if stacked else SHAPES)
    exact = any("." in key for key in initialisers)
    if init:
        drawn = annotated("INIT", "dict[str, Any]", _dict(initialisers))
        if exact:
            _explain(drawn, INIT_EXACT)
        statements.append(drawn)
    if own:
        statements.append(assign("DTYPES", _dict(own)))
    facts = {
        "LISTED": any(isinstance(p, int) for group in groups for p in group.path),
        "STACKED": stacked,
        "UNLIKE": any(isinstance(p, int) and p > 0 for g in groups for p in g.path),
        "DTYPES": bool(own),
        "EXACT": exact or numbered,
        "EXACT_DTYPES": bool(own) and (numbered or any("." in key for key in own)),
        "NUMBERED": numbered,
        "WIDE": any(group.leaf.dtype in NEEDS_X64 for group in groups),
    }
    return Tables(statements, facts, init)


def _explain(statement: ast.stmt, comment: str) -> None:
    set_remarks(statement, Remarks((f"# {comment}",)))


def groups_of(tree: Tree, path: Path = (), copies: int = 1) -> Iterator[Group]:
    """The arrays of a tree; of copies in a list, one of each kind."""
    if isinstance(tree, Leaf):
        yield Group(path, tree, copies)
    elif isinstance(tree, dict):
        for name, part in tree.items():
            yield from groups_of(part, (*path, name), copies)
    else:
        kinds = period(tree)
        for i, part in enumerate(tree[:kinds]):
            alike = len(range(i, len(tree), kinds))
            yield from groups_of(part, (*path, i), copies * alike)


def _by_name(
    tree: Tree,
    groups: Sequence[Group],
    key: Callable[[Leaf], str],
    value: Callable[[Leaf], ast.expr],
    usual_value: ast.expr | None = None,
) -> dict[str, ast.expr]:
    """Rows by the last name of a path, by the path where that doesn't decide; with its
    numbers where parts of a list differ.

    Arrays of one key have one value; those whose key is empty have the usual one, and
    no row but where others of their name have one.
    """
    nodes = {} if usual_value is None else {"": usual_value}
    names: dict[str, Counter[str]] = {}
    paths: dict[str, str] = {}
    unlike: set[str] = set()
    for group in groups:
        text = key(group.leaf)
        if text not in nodes:
            nodes[text] = value(group.leaf)
        names.setdefault(group.name, Counter())[text] += group.copies
        if paths.setdefault(group.named, text) != text:
            unlike.add(group.named)
    usual = {name: count.most_common(1)[0][0] for name, count in names.items()}
    # The path of an array at the root is a name.
    usual |= {named: text for named, text in paths.items() if "." not in named}
    rows = {name: nodes[text] for name, text in usual.items() if text}
    for named, text in paths.items():
        if named not in unlike and text != usual[named.rpartition(".")[2]]:
            rows[named] = nodes[text]
    for path, leaf in flatten(tree) if unlike else ():
        name = ".".join(part for part in path.split(".") if not part.isdecimal())
        if name in unlike and key(leaf) != usual[name.rpartition(".")[2]]:
            rows[path] = nodes[key(leaf)]
    return rows


def _dict(rows: dict[str, ast.expr]) -> ast.Dict:
    return ast.Dict([literal(key) for key in rows], list(rows.values()))


def initialiser(init: Start) -> ast.expr:
    """The function that draws, in enough bits."""
    made = jax_initialiser(init)
    return call("partial", [dotted(IN_FLOAT32), made]) if init.WIDE else made


def jax_initialiser(init: Start) -> ast.expr:
    """The function of JAX or of the tail, by the short name where it has one."""
    value = dotted(init.FUNCTION or f"jax.nn.initializers.{init.name}")
    if init.DIRECT:
        return value
    if init == LECUN_NORMAL:
        return call("jax.nn.initializers.lecun_normal")
    if init == STACKED_LECUN_NORMAL:
        return call("jax.nn.initializers.lecun_normal", [], {"batch_axis": literal(0)})
    given = {k: literal(v) for k, v in init.model_dump(exclude={"name"}).items()}
    if not init.FUNCTION:
        fields = type(init).model_fields
        same = [k for k in given if getattr(init, k) == fields[k].default]
        given = {k: v for k, v in given.items() if k not in same}
        return call(value, [], given)
    for name in init.NAMED:
        if (function := getattr(init, name)) is None:
            del given[name]
        else:
            given[name] = dotted(f"jnp.{function}")
    return call("partial", [value], given) if given else value
