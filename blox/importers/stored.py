"""Which layout of an array the Graph keeps: that of the layer that it is the parameter of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .regions import everything, is_under, params_in, steps_in
from .trace import Item, Move, Param, Path, Region, Step


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where arrays of the source lie in Params.

    Args:
        path: in Params, with `{0}` for the number of a copy that lies in a list, by the place
            of its repeat in `counts`.
        param: as the Graph has it, one copy.
        sources: the paths in the source, of each copy one.
        counts: how many copies each repeat around it has, the outer one first; None for
            those whose copies are the leading axis of the source's array.
    """

    path: str
    param: Param
    sources: tuple[Path, ...]
    counts: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """An array as it is kept.

    Args:
        param: in the layout that is kept.
        scope: the layer that it is a parameter of; None where it is a node.
        slot: its name there.
    """

    param: Param
    scope: Path | None = None
    slot: str = ""

    def is_slot(self, step: Step, slot: str) -> bool:
        """True where a layer has it as this parameter, as it is kept."""
        own = step.slots[slot]
        assert isinstance(own, Param)
        return (step.scope, slot, own.moves) == (
            self.scope,
            self.slot,
            self.param.moves,
        )

    def place(self, place: Callable[[Path], tuple[str, ...]]) -> tuple[str, ...]:
        """Where it lies below a function, by what says so of paths of the source."""
        if self.scope is None:
            return place(self.param.path)
        return (*place(self.scope), self.slot)


def mixed(items: Iterable[Item]) -> set[Path]:
    """The paths of arrays that are used as a whole, and as those of copies as well."""
    depths: dict[Path, set[int]] = {}
    for item in items:
        for param in params_in(item) if isinstance(item, Step) else ():
            depths.setdefault(param.path, set()).add(param.stacked)
    return {path for path, found in depths.items() if len(found) > 1}


def stored_in(root: Region) -> Mapping[Path, Stored]:
    """How the arrays of a model are kept, by path."""
    found: dict[Path, Stored] = {}
    for step in steps_in(root):
        if step.op == "assign":
            param = step.operands["to"]
            found[param.path] = Stored(param.base or param)
    _slots(root, found)
    for value in (*everything(root), *root.outputs.values()):
        if isinstance(value, Param):
            found.setdefault(value.path, Stored(value.base or value))
    return found


def _slots(region: Region, found: dict[Path, Stored]) -> None:
    """The arrays that layers have as their own, which no function gets as an input."""
    scope = region.scope or ()
    for item in region.items:
        if isinstance(item, Region):
            _slots(item, found)
            continue
        for slot, value in item.slots.items():
            if not isinstance(value, Param) or item.scope is None:
                continue
            inside = is_under(item.scope, scope) and is_under(value.path, item.scope)
            if inside and (value.base or value) not in region.inputs:
                found.setdefault(value.path, Stored(value, item.scope, slot))
        for body in item.functions.values():
            _slots(body, found)


def undone(param: Param) -> tuple[Move, ...]:
    """What leads from the layout of a parameter back to that of the source."""
    shape = (param.base or param).shape
    moves: list[Move] = []
    for kind, sizes in param.moves:
        if kind == "transpose":
            back = tuple(sorted(range(len(sizes)), key=sizes.__getitem__))
            moves.append(("transpose", back))
            shape = tuple(shape[i] for i in sizes)
        else:
            moves.append(("reshape", tuple(shape)))
            shape = tuple(sizes)
    return tuple(reversed(moves))
