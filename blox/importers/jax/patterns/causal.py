"""Masks of attention, taken apart: what only tells keys that are behind a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from .proposal import Site
from .scores import LEAST

Relative: TypeAlias = tuple[int | None, ...]
Part: TypeAlias = tuple[int, Relative]
"""A node, and for each axis of the scores that of it."""
WHOLE = ("int32", "int64")
"""The dtypes of positions."""
Line: TypeAlias = tuple[Mapping[int, int], int]
"""Whole numbers that grow along axes: the step of each axis, and the first number."""


def conjuncts(site: Site, mask: Part) -> Iterator[Part]:
    """The masks that are all True where a mask is."""
    node, axes = mask
    made = site.table.nodes[node]
    number = [site.table.nodes[n].number for n, _ in made.operands]
    parts = list(made.operands)
    if made.kind[0] == "select_n" and number[1] is not None and not number[1]:
        del parts[1]  # where(first, second, False), as jnp.tril has it
    elif made.kind[0] != "and":
        if made.number is None or not made.number:
            yield mask
        return
    for inner, relative in parts:
        own = tuple(None if a is None else relative[a] for a in axes)
        yield from conjuncts(site, (inner, own))


def is_causal(site: Site, mask: Part, queries: int, keys: int) -> bool:
    """True for a mask that is True where a key is at or before the query, both counted
    from 0.

    Args:
        queries, keys: the axes of the scores.
    """
    node, axes = mask
    made = site.table.nodes[node]
    if made.kind[0] == "not":
        ((inner, relative),) = made.operands
        own = tuple(None if a is None else relative[a] for a in axes)
        return is_behind(site, (inner, own), queries, keys)
    return _compared(site, mask, {queries: 1, keys: -1}, {"le": 0, "lt": 1})


def is_behind(site: Site, hidden: Part, queries: int, keys: int) -> bool:
    """The same of a mask that is True where a key is behind the query."""
    return _compared(site, hidden, {queries: -1, keys: 1}, {"le": -1, "lt": 0})


def added(site: Site, bias: Part) -> tuple[Part, bool] | None:
    """The mask of a bias that is 0 where a key may be attended to and next to -inf where it
    may not, and whether it is True for the latter; None where it is none."""
    node, axes = bias
    made = site.table.nodes[node]
    if made.kind[0] != "select_n" or len(made.operands) != 3:
        return None
    (mask, relative), *cases = made.operands
    numbers = [site.table.nodes[n].number for n, _ in cases]
    own = tuple(None if a is None else relative[a] for a in axes)
    for hides in (False, True):
        gone, kept = numbers[::-1] if hides else numbers
        if gone is not None and kept is not None and kept == 0 and gone <= LEAST:
            return (mask, own), hides
    return None


def _compared(
    site: Site, mask: Part, steps: Mapping[int, int], first: Mapping[str, int]
) -> bool:
    """True where the second of two compared arrays is that much more than the first one."""
    node, axes = mask
    made = site.table.nodes[node]
    if made.kind[0] not in first or any(axes[place] is None for place in steps):
        return False
    less, more = (line(site, *operand) for operand in made.operands)
    if less is None or more is None:
        return False
    grown = {a: more[0].get(a, 0) - less[0].get(a, 0) for a in (*more[0], *less[0])}
    wanted = {axes[place]: step for place, step in steps.items()}
    difference = {a: step for a, step in grown.items() if step}
    return difference == wanted and more[1] - less[1] == first[made.kind[0]]


def line(site: Site, node: int, relative: Relative) -> Line | None:
    """What an operand holds, by the axes of what is made of it; None if that is no line."""
    made = site.table.nodes[node]
    name = made.kind[0]
    found: Line | None = None
    if made.number is not None:
        return ({}, int(made.number)) if made.number == int(made.number) else None
    if made.dtype not in WHOLE:
        return None
    if name == "iota":
        given = dict(made.kind[1])
        own = [i for i, size in enumerate(given["shape"]) if size != 1]
        along = given["dimension"]
        found = ({own.index(along): 1} if along in own else {}, 0)
    elif name == "convert_element_type":
        found = line(site, *made.operands[0])
    elif name in ("add", "sub", "mul") and len(made.operands) == 2:
        found = _joined(name, *(line(site, *operand) for operand in made.operands))
    if found is None:
        return None
    return {relative.index(a): step for a, step in found[0].items()}, found[1]


def _joined(name: str, a: Line | None, b: Line | None) -> Line | None:
    """The sum, the difference or the product of lines, one of which is a number then."""
    if a is None or b is None:
        return None
    if name == "mul":
        line, (rest, factor) = (b, a) if not a[0] else (a, b)
        if rest:
            return None
        return {i: factor * step for i, step in line[0].items()}, factor * line[1]
    sign = 1 if name == "add" else -1
    steps = {i: a[0].get(i, 0) + sign * b[0].get(i, 0) for i in {*a[0], *b[0]}}
    return steps, a[1] + sign * b[1]
