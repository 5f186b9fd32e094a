"""A resolved Graph: every function per set of attribute values, every reference bound.

The loader interprets it, the generator writes it out, `init` and the weight checks read
its tree of leaves: what is decided once about a model is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..graph import Function, Graph
from ..op import Op
from ..parameters import Leaf

Tree = Leaf | dict[str, "Tree"] | list["Tree"]
"""Leaves by name; a list where the copies of an unrolled repeat lie."""


@dataclass(frozen=True, slots=True)
class Arg:
    """What an operand is: output `output` of `source`, a number, or an expression."""

    source: str | None = None
    output: int = 0
    value: Any = None
    kind: str = "tensor"
    optional: bool = False
    text: str | None = None
    """The expression whose value `value` is."""

    @property
    def is_reference(self) -> bool:
        return self.source is not None


@dataclass(eq=False, slots=True)
class Step:
    """A node of an instance, its expressions replaced by values where they are known.

    `args` holds an Arg, a list or a dict of them per operand or given slot; calls have
    `inputs`, `carry` and `xs` by input name. `callees` are the instances that it runs:
    one per role, or for an unrolled repeat one per copy.
    """

    name: str
    path: str
    op: Op
    scope: tuple[str, ...]
    args: dict[str, Any]
    outputs: tuple[str, ...]
    callees: tuple[Instance, ...] = ()
    tree: Tree = field(default_factory=dict)
    stateful: bool = False
    uses_train: bool = False
    needs_float: bool = False
    merges: bool = False
    """True where an earlier step may have updated state that lies under its scope."""
    live: bool = True

    def arguments(self) -> Iterator[Arg]:
        """Every Arg of the step, in the order of the operands."""
        for value in self.args.values():
            if isinstance(value, Arg):
                yield value
            elif isinstance(value, list):
                yield from value
            elif isinstance(value, dict):
                yield from (v for v in value.values() if isinstance(v, Arg))


@dataclass(eq=False, slots=True)
class Instance:
    """A function with the values of its attributes."""

    name: str
    function: Function
    own: dict[str, Any]
    values: dict[str, Any]
    dims: dict[str, tuple[str, int]]
    """Where each dim is bound: an input and an axis of it."""
    steps: list[Step]
    outputs: dict[str, Arg]
    tree: dict[str, Tree]
    traced: int
    """How many nodes a trace of it visits, unrolled copies each."""
    ran: int
    """How many nodes a run of it visits at least, every step of every loop."""

    @property
    def live_steps(self) -> list[Step]:
        return [s for s in self.steps if s.live]

    def used_outputs(self) -> dict[str, set[int]]:
        """Which outputs of each live step something uses."""
        used: dict[str, set[int]] = {}
        arguments = (a for s in self.live_steps for a in s.arguments())
        for arg in (*arguments, *self.outputs.values()):
            if arg.source is not None:
                used.setdefault(arg.source, set()).add(arg.output)
        return used

    @property
    def stateful(self) -> bool:
        return any(s.stateful for s in self.live_steps)

    @property
    def uses_train(self) -> bool:
        return any(s.uses_train for s in self.live_steps)

    @property
    def needs_float(self) -> bool:
        return any(s.needs_float for s in self.live_steps)

    def float_path(self) -> str | None:
        """The path of the first array whose dtype is the model's floating type."""
        for path, leaf in flatten(self.tree):
            if leaf.trainable and leaf.dtype == "float":
                return path
        return None


@dataclass(eq=False, slots=True)
class Program:
    """The entries of a Graph and the tree of its parameters."""

    graph: Graph
    entries: dict[str, Instance]
    instances: list[Instance]
    """All instances, callees before callers."""
    tree: dict[str, Tree]

    def live_instances(self) -> list[Instance]:
        """The instances that a call of an entry runs, callees before callers."""
        found: set[int] = set()
        todo = list(self.entries.values())
        while todo:
            instance = todo.pop()
            if id(instance) not in found:
                found.add(id(instance))
                todo += [c for step in instance.live_steps for c in step.callees]
        return [i for i in self.instances if id(i) in found]

    def leaves(self) -> dict[str, Leaf]:
        """The leaves by graph path, in the order of the program."""
        return dict(flatten(self.tree))


def flatten(tree: Tree, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """(path, leaf) for every leaf; the copies of a list are numbered."""
    if isinstance(tree, Leaf):
        yield path, tree
        return
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, part in items:
        yield from flatten(part, f"{path}.{name}" if path else str(name))


def literal_dtype(value: Any, declared: str | None) -> str:
    """The dtype of a literal as carry or xs of a loop, which wants types that stay.

    That of the function's input, else by the kind of the number, or of the numbers.
    """
    if declared is not None:
        return declared
    parts = value if isinstance(value, tuple) else (value,)
    return "float" if any(isinstance(part, float) for part in parts) else "int32"


class TreeConflict(ValueError):
    """Two nodes want different things at one path."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        self.path = path
        super().__init__(message)


def nest(path: tuple[str, ...], tree: Tree) -> Tree:
    """`tree` at `path` of an otherwise empty tree; an empty tree leaves no trace."""
    if tree == {}:
        return {}
    for name in reversed(path):
        tree = {name: tree}
    return tree


def join(
    a: Tree, b: Tree, path: tuple[str, ...] = (), own: set[int] | None = None
) -> Tree:
    """Both trees in one; leaves that meet must agree, sizes given by one suffice.

    Neither is changed, but for the groups whose ids are in `own`: so that many joins to
    one tree copy each group once.

    Raises:
        TreeConflict: naming the path, and what the two expect there.
    """
    if a is b:
        return a
    if isinstance(a, dict) and isinstance(b, dict):
        joined = a
        if own is None or id(a) not in own:
            joined = dict(a)
        if own is not None:
            own.add(id(joined))
        for name, part in b.items():
            old = joined.get(name)
            joined[name] = part if old is None else join(old, part, (*path, name), own)
        return joined
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [
            join(x, y, (*path, str(i)), own)
            for i, (x, y) in enumerate(zip(a, b, strict=True))
        ]
    if isinstance(a, Leaf) and isinstance(b, Leaf):
        return _join_leaves(a, b, path)
    raise TreeConflict(path, f"one node has {_kind(a)} here, another {_kind(b)}")


def _join_leaves(a: Leaf, b: Leaf, path: tuple[str, ...]) -> Leaf:
    if (a.dtype, a.kind, a.stack) != (b.dtype, b.kind, b.stack):
        raise TreeConflict(
            path,
            f"one node has a {a.dtype} {a.kind} stacked {list(a.stack)} here, another "
            f"a {b.dtype} {b.kind} stacked {list(b.stack)}",
        )
    if len(a.shape) == len(b.shape):
        pairs = list(zip(a.shape, b.shape, strict=True))
        if all(x is None or y is None or x == y for x, y in pairs):
            from dataclasses import replace

            shape = tuple(y if x is None else x for x, y in pairs)
            return replace(a, shape=shape, frozen=a.frozen or b.frozen)
    raise TreeConflict(
        path, f"one node has shape {list(a.shape)} here, another {list(b.shape)}"
    )


def _kind(tree: Tree) -> str:
    if isinstance(tree, Leaf):
        return "an array"
    return "a list of copies" if isinstance(tree, list) else "a group"


def stack(tree: Tree, count: int, below: int = 0) -> Tree:
    """`tree` with a leading axis of `count` on every leaf.

    Args:
        below: how many parts of the path lie between the repeat and `tree`.
    """
    if isinstance(tree, Leaf):
        return tree.stacked(count, below)
    if isinstance(tree, list):
        return [stack(part, count, below + 1) for part in tree]
    return {name: stack(part, count, below + 1) for name, part in tree.items()}


def has_state(tree: Tree) -> bool:
    return any(leaf.kind == "state" for _, leaf in flatten(tree))
