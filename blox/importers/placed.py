"""The rules for where arrays of a Graph lie in its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from blox.mapping import layouts
from blox.mapping.public import LeafInfo, leaves
from blox.mapping.rules import AnyRule, Ignored, Rule
from blox.mapping.spec import Layout
from blox.schema import Graph

from .array_names import name_of
from .factors import common_factors
from .joined import Joined
from .stored import Leaf
from .trace import Path


def rules_of(
    graph: Graph,
    placed: Mapping[str, Leaf],
    names: Sequence[str],
    joined: Mapping[Path, Joined],
) -> tuple[AnyRule, ...]:
    """The rules for where arrays lie.

    Args:
        placed: by path in Params.
        names: of all arrays of the source; those that are in no Graph are ignored.
        joined: the arrays that are several of the source, by path.
    """
    info = leaves(graph)
    rules: list[AnyRule] = []
    used: set[str] = set()
    for leaf in placed.values():
        moves = tuple(_layouts(leaf))
        for ours, source in _copies(leaf, info):
            whole = joined.get(source)
            theirs = tuple(map(name_of, whole.parts if whole else (source,)))
            used.update(theirs)
            first = (whole.layout,) if whole else ()
            rules.append(Rule(ours, theirs, *first, *moves))
    ignored = [n for n in names if n not in used]
    return (*rules, *([Ignored(*ignored)] if ignored else []))


def _copies(leaf: Leaf, info: Mapping[str, LeafInfo]) -> Iterator[tuple[str, Path]]:
    """The names of an array's copies, and where each lies; those that the source has
    stacked keep their hole."""
    texts = [[None] if count is None else range(count) for count in leaf.counts]
    listed = [f"{{{place}}}" in leaf.path for place in range(len(texts))]
    for numbers, source in zip(product(*texts), leaf.sources, strict=True):
        path = leaf.path.format(*numbers)
        stacked = [n for n, own in zip(numbers, listed, strict=True) if not own]
        if path in info:
            yield _filled(info[path].name, stacked), source


def _filled(pattern: str, numbers: Sequence[int | None]) -> str:
    """A pattern with numbers in its holes; those without one stay."""
    name, rest = "", pattern
    for number in numbers:
        start, _, rest = rest.partition("{")
        hole, _, rest = rest.partition("}")
        name += start + (f"{{{hole}}}" if number is None else str(number))
    return name + rest


def _layouts(leaf: Leaf) -> Iterator[Layout]:
    """What the moves of a parameter are as layouts."""
    param = leaf.param
    shape = (param.base or param).shape
    for kind, sizes in param.moves:
        if kind == "transpose":
            yield layouts.Transpose(tuple(sizes))
            shape = tuple(shape[i] for i in sizes)
        else:
            yield _reshape(shape, sizes)
            shape = tuple(sizes)


def _reshape(before: Sequence[int], after: Sequence[int]) -> Layout:
    """A reshape by the factors that both shapes have in common."""
    factors = common_factors(before, after)
    assert factors is not None
    names = [f"a{i}" for i in range(len(factors))]
    sides = [_side(shape, factors, names) for shape in (before, after)]
    sizes = dict(zip(names, factors, strict=True))
    return layouts.Rearrange(f"{sides[0]} -> {sides[1]}", **sizes)


def _side(shape: Sequence[int], factors: Sequence[int], names: Sequence[str]) -> str:
    rest = list(zip(names, factors, strict=True))
    axes = []
    for size in shape:
        own, count = [], 1
        while count < size:
            name, factor = rest.pop(0)
            own.append(name)
            count *= factor
        axes.append(own[0] if len(own) == 1 else f"({' '.join(own)})" if own else "1")
    return " ".join(axes)
