"""Classes of a file before they are written: what lies where, and what is refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...schema.parameters import Leaf
from ...schema.resolve.program import Step
from ..allowlist import GenerationError
from ..emit.uses import OpUse
from ..plan import Plan

HINT = "generate functions (blox codegen without --target)"


def refused(path: str, wanted: str, found: str) -> GenerationError:
    """The error for what classes can't say."""
    text = f"expected {wanted}, found {found}; {HINT}, or change the Graph"
    return GenerationError.one("generate", path, text)


@dataclass(eq=False)
class Stored:
    """An array that is an attribute of the class itself."""

    leaf: Leaf
    shape: ast.expr


@dataclass(eq=False)
class Layer:
    """The arrays of one op: a layer of the library, or of a class of the file."""

    step: Step
    use: OpUse
    plan: Plan
    leaves: Mapping[str, Leaf]


@dataclass(eq=False)
class Part:
    """A module of another class of the file, or several: stacked, or in a list."""

    of: Blueprint
    attributes: Mapping[str, Any]
    """What a node gives for the attributes of the function, as the Graph writes it."""
    plan: Plan
    """The function in which the node stands."""
    layout: str | None = None
    """`stacked` or `listed`, with as many copies as `count` says."""
    count: Any = None


Group: TypeAlias = "dict[str, Member]"
Member: TypeAlias = "Stored | Layer | Part | Group"


@dataclass(eq=False)
class Blueprint:
    """A class: a function that owns arrays and those that share them, or all entries."""

    title: str
    plans: list[Plan]
    """Those that it is made for first, then those that are called at their arrays."""
    members: Group = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    """The attributes of the function that the constructor takes."""
    kept: tuple[str, ...] = ()
    """Those of them that methods read, which are attributes of the class too."""

    @property
    def is_root(self) -> bool:
        return self.plans[0].is_entry


def add(group: Group, scope: tuple[str, ...], member: Member, path: str) -> None:
    """Puts a member at its place in a class.

    Raises:
        GenerationError: something else lies there.
    """
    for i, name in enumerate(scope[:-1]):
        inner = group.setdefault(name, {})
        if not isinstance(inner, dict):
            _inside(inner, scope[i + 1 :], member, path)
            return
        group = inner
    old = group.get(scope[-1])
    if old is None:
        group[scope[-1]] = member
    elif isinstance(old, dict) and isinstance(member, dict):
        for name, part in member.items():
            add(old, (name,), part, path)
    elif not _same(old, member):
        raise refused(
            path, "arrays of one node, or of nodes that are alike", "another node's"
        )


def _inside(outer: Member, rest: tuple[str, ...], member: Member, path: str) -> None:
    """Checks that what lies within another member is there already, and like it."""
    for name in rest:
        if isinstance(outer, Part) and outer.layout is None:
            outer = outer.of.members.get(name, {})
        elif isinstance(outer, dict):
            outer = outer.get(name, {})
        else:
            break
    else:
        if _same(outer, member):
            return
    raise refused(path, "a place of its own", "one within another node's arrays")


def _same(a: Member, b: Member) -> bool:
    """True of two nodes at one path of which one class can be both."""
    match a, b:
        case Stored(), Stored():
            return a.leaf == b.leaf
        case Layer(), Layer():
            if a.leaves.keys() < b.leaves.keys():
                return False
            first, second = a.use.attributes, b.use.attributes
            other = a.step.op.op != b.step.op.op
            return other or _texts(first) == _texts(second)
        case Part(), Part():
            return (a.of, a.layout, a.count, dict(a.attributes)) == (
                b.of, b.layout, b.count, dict(b.attributes)
            )  # fmt: skip
    return False


def _texts(values: Mapping[str, ast.expr]) -> dict[str, str]:
    return {k: ast.dump(v) for k, v in values.items()}


def paths_of(members: Group, path: str = "") -> Iterator[str]:
    """The paths of the arrays of a class; of copies in a list, without their numbers."""
    for name, member in members.items():
        here = f"{path}{name}"
        match member:
            case Stored():
                yield here
            case Layer():
                yield from (f"{here}.{n}" for n in member.leaves)
            case Part():
                yield from paths_of(member.of.members, f"{here}.")
            case _:
                yield from paths_of(member, f"{here}.")


def layers_in(of: Blueprint) -> Iterator[Layer]:
    """The layers of a class."""
    todo = [of.members]
    while todo:
        for member in todo.pop().values():
            if isinstance(member, Layer):
                yield member
            elif isinstance(member, dict):
                todo.append(member)


def is_list(group: Group) -> bool:
    """True of members by number, which lie in a list."""
    return next(iter(group), "").isdecimal()


def is_mixed(group: Group) -> bool:
    """True of members of several kinds."""
    return len({*map(_kind_of, group.values())}) > 1


def _kind_of(member: Member) -> tuple[object, ...]:
    match member:
        case Part(of=of, layout=layout):
            return (of, layout == "listed")
        case Layer(step=step):
            return (step.op.op,)
    return (type(member),)
