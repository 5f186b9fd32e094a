"""Arrays whose features are pairs: the two halves of an axis, or its even and odd places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..internals import JaxprEqn
from ..seen import Seen
from ..spelling import size_of, sizes_of
from .causal import line
from .proposal import Site

Places: TypeAlias = Mapping[int, int]
"""For axes of a value those of another."""
HALVES, PAIRS = "half_split", "interleaved"
"""How pairs lie, as the op `rope` has it."""


@dataclass(frozen=True)
class Joined:
    """The two arrays that one holds.

    Args:
        places: for the axes of the whole those of each.
    """

    layout: str
    nodes: tuple[int, int]
    places: tuple[Places, Places]

    @property
    def is_twice(self) -> bool:
        """True where both are the same."""
        return self.nodes[0] == self.nodes[1] and self.places[0] == self.places[1]


@dataclass(frozen=True)
class Taken:
    """A part of an array: of each pair along an axis one.

    Args:
        node: the array.
        places: for the axes of the part those of the array.
        side: 0 for the first of each pair.
    """

    layout: str
    node: int
    places: Places
    side: int


def own(shape: Any) -> list[int]:
    """The positions of axes that a value keeps."""
    return [i for i, size in enumerate(shape) if size != 1]


def joined(site: Site, node: int, axis: int) -> Joined | None:
    """The arrays that lie along an axis of a value."""
    name, equation = _made(site, node)
    if equation is None:
        return None
    shape = sizes_of(equation.outvars[0])
    kept = own(shape)
    at = kept[axis]
    given = site.table.nodes[node].kind[2]
    if name == "concatenate" and len(given) == 2:
        if int(equation.params["dimension"]) != at or given[0].shape != given[1].shape:
            return None
        return _of(HALVES, given, [dict(enumerate(kept))] * 2)
    if name == "tile" and tuple(equation.params["reps"]) == tuple(
        2 if i == at else 1 for i in range(len(shape))
    ):
        return _of(HALVES, [given[0]] * 2, [dict(enumerate(kept))] * 2)
    if name == "reshape":
        return _merged(site, given[0], shape, at)
    return None


def _merged(site: Site, given: Seen, shape: Any, at: int) -> Joined | None:
    """The arrays that were axes of size 2, before or behind that axis."""
    if len(given.shape) != len(shape) + 1:
        return None
    if given.shape[:at] + given.shape[at + 2 :] != shape[:at] + shape[at + 1 :]:
        return None
    for two, rest, layout in ((at, at + 1, HALVES), (at + 1, at, PAIRS)):
        if given.shape[two] != 2 or given.axes[rest] is None:
            continue
        places = {
            a: rest if i == at else i + (i > at) for a, i in enumerate(own(shape))
        }
        if given.axes[two] is None:
            return _of(layout, [given] * 2, [places] * 2)
        return _stacked(site, given, two, layout, places)
    return None


def _stacked(
    site: Site, given: Seen, two: int, layout: str, places: Places
) -> Joined | None:
    """The arrays that an axis of size 2 has been made of."""
    name, equation = _made(site, given.node)
    axis = given.axes[two]
    if equation is None or axis is None or name not in ("stack", "concatenate"):
        return None
    at = own(sizes_of(equation.outvars[0]))[axis]
    along = equation.params["axis" if name == "stack" else "dimension"]
    parts = site.table.nodes[given.node].kind[2]
    if int(along) != at or len(parts) != 2:
        return None
    kept = own(sizes_of(equation.outvars[0]))
    inner = {}
    for a, place in places.items():
        inside = given.axes[place]
        if inside is None:
            return None
        inner[a] = kept[inside] - (name == "stack" and kept[inside] > at)
    return _of(layout, parts, [inner] * 2)


def _of(layout: str, given: Any, places: Any) -> Joined | None:
    """Arrays as equations see them, by their own axes."""
    found = []
    for seen, where in zip(given, places, strict=True):
        found.append({a: seen.axes[i] for a, i in where.items()})
        if None in found[-1].values():
            return None
    return Joined(layout, (given[0].node, given[1].node), (found[0], found[1]))


def taken(site: Site, node: int, layout: str, axis: int) -> Taken | None:
    """What of an array a value is, of which one axis is that of pairs."""
    name, equation = _made(site, node)
    if equation is None or name not in ("slice", "split", "gather"):
        return None
    given = site.table.nodes[node].kind[2][0]
    read = _read(site, node, equation)
    if read is None:
        return None
    along, start, step, count = read
    shape, kept = sizes_of(equation.outvars[0]), own(sizes_of(equation.outvars[0]))
    dropped = len(given.shape) - len(shape)
    places = {a: given.axes[i + (dropped and i >= along)] for a, i in enumerate(kept)}
    size = given.shape[along]
    if None in places.values():
        return None
    if size == 2 and count == 1:
        whole = _pairs(site, given, along)
        if whole is None or layout != PAIRS or start not in (0, 1):
            return None
        inner = {a: whole[1][p] for a, p in places.items()}
        return Taken(PAIRS, whole[0], inner, start)
    if 2 * count != size or kept[axis] != along:
        return None
    wanted = {(0, 1): (HALVES, 0), (count, 1): (HALVES, 1)}
    wanted |= {(0, 2): (PAIRS, 0), (1, 2): (PAIRS, 1)}
    found = wanted.get((start, step)) if count > 1 else None
    if found is None or found[0] != layout:
        return None
    return Taken(layout, given.node, places, found[1])


def _pairs(site: Site, given: Seen, along: int) -> tuple[int, Places] | None:
    """The array whose axis was taken apart into pairs, the second axis of these being one of
    a reshaped array, and for the axes of the latter those of the former."""
    name, equation = _made(site, given.node)
    if equation is None or name != "reshape":
        return None
    shape, kept = sizes_of(equation.outvars[0]), own(sizes_of(equation.outvars[0]))
    (before,) = site.table.nodes[given.node].kind[2]
    axis = given.axes[along]
    if axis is None:
        return None
    at = kept[axis]
    if before.shape[: at - 1] + before.shape[at:] != shape[: at - 1] + shape[at + 1 :]:
        return None
    found = {a: before.axes[i - (i >= at)] for a, i in enumerate(kept)}
    if None in found.values():
        return None
    return before.node, found


def _read(
    site: Site, node: int, equation: JaxprEqn
) -> tuple[int, int, int, int] | None:
    """Which axis is read, from where, in which steps and how often."""
    params = equation.params
    (given, *more) = site.table.nodes[node].kind[2]
    rank = len(given.shape)
    if equation.primitive.name == "slice":
        shape = sizes_of(equation.outvars[0])
        changed = [i for i, size in enumerate(shape) if size != given.shape[i]]
        if len(changed) != 1:
            return None
        (at,) = changed
        strides = params["strides"] or (1,) * rank
        return _numbers(at, params["start_indices"][at], strides[at], shape[at])
    if equation.primitive.name == "split":
        place = site.table.nodes[node].kind[3]
        sizes = params["sizes"]
        return _numbers(params["axis"], sum(sizes[:place]), 1, sizes[place])
    return _gathered(site, equation, given, more[0])


def _gathered(
    site: Site, equation: JaxprEqn, given: Seen, indices: Seen
) -> tuple[int, int, int, int] | None:
    """The same of a gather of the last axis, whose indices are a row of whole numbers."""
    numbers, at = equation.params["dimension_numbers"], len(given.shape) - 1
    slices = [*equation.params["slice_sizes"]]
    rows = line(site, indices.node, indices.axes)
    if tuple(numbers.start_index_map) != (at,) or numbers.operand_batching_dims:
        return None
    if rows is None or tuple(numbers.offset_dims) != tuple(
        range(len(numbers.offset_dims))
    ):
        return None
    if [str(s) for s in slices[:at]] != [str(s) for s in given.shape[:at]]:
        return None
    steps, start = rows
    collapsed = tuple(numbers.collapsed_slice_dims)
    if not steps and len(indices.shape) == 1:
        return _numbers(at, start, 1, slices[at])
    if len(steps) == 1 and collapsed == (at,) and len(indices.shape) == 2:
        return _numbers(at, start, next(iter(steps.values())), indices.shape[0])
    return None


def _numbers(*read: Any) -> tuple[int, int, int, int] | None:
    """What is read, if no symbol is in it."""
    found = [n for n in map(size_of, read) if isinstance(n, int)]
    if len(found) != len(read):
        return None
    at, start, step, count = found
    return at, start, step, count


def _made(site: Site, node: int) -> tuple[str, JaxprEqn | None]:
    """The primitive that makes a value, and its equation; none of what goes element by
    element."""
    kind = site.table.nodes[node].kind
    opaque = len(kind) == 4 and isinstance(kind[2], tuple)
    return kind[0], site.maker(node) if opaque else None
