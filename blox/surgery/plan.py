"""A plan: what becomes of every array of a Graph that is changed, and of what it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from blox.mapping.moves import Move, Slice
from blox.mapping.spec import Spec
from blox.mapping.units import Unit, all_units
from blox.schema import Graph, Leaf
from blox.schema.diagnostics import listing


@dataclass(frozen=True)
class Step:
    """One operation: a Graph, what became of it, and how its arrays carry over.

    An array of the new Graph that no move makes is new, and so is a slice of one; an array
    of the old Graph that no move reads is dropped.

    Args:
        before: the Graph.
        graph: the new one.
        moves: from slices of the old arrays to slices of the new ones.
        how: what happens to an array, in a word or two, by its path in the new Graph.
    """

    before: Graph
    graph: Graph
    moves: tuple[Move, ...]
    how: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        old, new = self.before.program().leaves(), self.graph.program().leaves()
        made = [target for move in self.moves for target in move.targets]
        assert len({*made}) == len(made), "an array has two moves"
        for move in self.moves:
            specs = [_spec(old, source) for source in move.sources]
            for layout in move.layouts:
                specs = layout.shapes(specs)
            assert specs == [_spec(new, target) for target in move.targets], move


def _spec(leaves: Mapping[str, Leaf], part: Slice) -> Spec:
    assert part.name in leaves, f"no array {part.name}"
    leaf = leaves[part.name]
    return Spec(leaf.full_shape[len(part.at) :], leaf.dtype)


def alike(old: Leaf, new: Leaf) -> bool:
    """True where an array of the one may be that of the other as it is."""
    return old.full_shape == new.full_shape and old.dtype == new.dtype


def same_paths(
    before: Graph, graph: Graph, but: Collection[str] = ()
) -> tuple[Move, ...]:
    """As they are, the arrays that both have at one path, in one shape and dtype.

    Args:
        before: the old Graph.
        graph: the new one.
        but: paths of the new Graph that are made otherwise.
    """
    old = before.program().leaves()
    return tuple(
        Move.whole([path], [path])
        for path, leaf in graph.program().leaves().items()
        if path not in but and path in old and alike(old[path], leaf)
    )


def copy_by_copy(
    before: Graph, graph: Graph, named: Callable[[str], str | None]
) -> dict[str, list[Move]]:
    """The moves to each array of a Graph, by the names of single copies: `h.0.up.kernel`.

    Args:
        before: the old Graph.
        graph: the new one.
        named: gives the name of an old copy for that of a new one; None where it is new.

    Raises:
        ModelError: there are too many copies.
    """
    old, new = before.program().leaves(), graph.program().leaves()
    there = {unit.name: unit for units in all_units(old).values() for unit in units}
    found = {}
    for path, units in all_units(new).items():
        own = [there.get(named(unit.name) or "") for unit in units]
        whole = own[0].path if own and own[0] else path
        if whole in old and alike(old[whole], new[path]) and _stay(units, own, whole):
            found[path] = [Move.whole([path], [whole])]
        else:
            found[path] = [
                Move((Slice(path, unit.at),), (Slice(part.path, part.at),))
                for unit, part in zip(units, own, strict=True)
                if part and part.spec == unit.spec
            ]
    return {path: moves for path, moves in found.items() if moves}


def _stay(units: Sequence[Unit], own: Sequence[Unit | None], path: str) -> bool:
    """True of copies that lie as they lay in one array."""
    pairs = zip(units, own, strict=True)
    return all(part and (part.path, part.at) == (path, u.at) for u, part in pairs)


@dataclass(frozen=True)
class Carried:
    """An array of the new Graph that is made of old ones; `how` is empty as it is."""

    new: str
    old: tuple[str, ...]
    how: str = ""


@dataclass(frozen=True)
class Array:
    """An array that is new, or one that is dropped."""

    path: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, repr=False)
class Plan:
    """What becomes of all arrays: each old one is carried or dropped, each new one is
    carried or new.

    Args:
        carried: the arrays of the new Graph that are made of old ones, in its order.
        new: those that `bx.init` makes.
        dropped: the arrays of the old Graph that nothing is made of.
        frozen: the paths of those that are carried and no longer trained.
        trained: the paths of those that are carried, and trained from now on.
    """

    carried: tuple[Carried, ...]
    new: tuple[Array, ...]
    dropped: tuple[Array, ...]
    frozen: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[Carried, ...]:
        """Those of `carried` that have another path or other numbers."""
        return tuple(c for c in self.carried if c.how or c.old != (c.new,))

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What happens, the array, and of what it is made or what shape it has; what
        stays as it is in one row."""
        changed = self.changed
        stay = len(self.carried) - len(changed)
        if stay:
            yield "as is", _count(stay), ""
        for row in changed:
            source = "" if row.old == (row.new,) else ", ".join(row.old)
            text = ": ".join(part for part in (source, row.how) if part)
            yield "carried" if row.how else "moved", row.new, text
        for what, arrays in (("new", self.new), ("dropped", self.dropped)):
            for array in arrays:
                yield what, array.path, f"{array.dtype}{list(array.shape)}"
        for what, paths in (("frozen", self.frozen), ("trained", self.trained)):
            if paths:
                yield what, _count(len(paths)), listing(paths, 4)

    def __str__(self) -> str:
        rows = list(self.rows()) or [("no arrays", "", "")]
        widths = [max(len(row[i]) for row in rows) for i in range(2)]
        lines = (
            f"{what:<{widths[0]}}  {path:<{widths[1]}}  {text}".rstrip()
            for what, path, text in rows
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        counts = (len(self.carried), len(self.new), len(self.dropped))
        return "<Plan: {} carried, {} new, {} dropped>".format(*counts)

    def to_json(self) -> str:
        """The plan as JSON: its fields by name."""
        return json.dumps(asdict(self), indent=2)


def plan_of(steps: Sequence[Step]) -> Plan:
    """The plan of operations one after another, as one."""
    first, last = steps[0].before, steps[-1].graph
    made: dict[str, Made] = {path: ((path,), ()) for path in first.program().leaves()}
    for step in steps:
        made = dict(_followed(step, made))
    leaves = last.program().leaves()
    carried = [
        Carried(path, made[path][0], ", then ".join(made[path][1]))
        for path in leaves
        if path in made
    ]
    read = {path for row in carried for path in row.old}
    old = first.program().leaves()
    turned = [
        row.new
        for row in carried
        if leaves[row.new].trainable != old[row.old[0]].trainable
    ]
    return Plan(
        tuple(carried),
        tuple(_array(path, leaf) for path, leaf in leaves.items() if path not in made),
        tuple(_array(path, leaf) for path, leaf in old.items() if path not in read),
        tuple(path for path in turned if not leaves[path].trainable),
        tuple(path for path in turned if leaves[path].trainable),
    )


Made: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""The paths of what an array is made of, and what happens to it, in words."""


def _followed(step: Step, made: Mapping[str, Made]) -> Iterator[tuple[str, Made]]:
    """Of what the arrays behind a step are made, by what those before it are made of."""
    sources: dict[str, dict[str, None]] = {}
    for move in step.moves:
        names = dict.fromkeys(source.name for source in move.sources)
        for target in dict.fromkeys(target.name for target in move.targets):
            sources.setdefault(target, {}).update(names)
    for path, names in sources.items():
        known = [made[name] for name in names if name in made]
        if not known:
            continue
        paths = tuple(dict.fromkeys(path for old, _ in known for path in old))
        texts = known[0][1]
        if len(known) > 1:  # as of a kernel and LoRA: what is the same once
            texts = tuple(dict.fromkeys(text for _, every in known for text in every))
        how = step.how.get(path)
        yield path, (paths, (*texts, how) if how else texts)


def _count(arrays: int) -> str:
    return f"{arrays} array{'s' if arrays > 1 else ''}"


def _array(path: str, leaf: Leaf) -> Array:
    return Array(path, leaf.full_shape, leaf.dtype)
