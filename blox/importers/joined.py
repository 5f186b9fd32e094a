"""Arrays of the source that layers have side by side, as one array: the kernels of gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from blox.mapping.layouts import Concat

from .regions import common, everything, is_under, steps_in
from .simplify import drop
from .trace import Param, Path, Region, Step, Value


@dataclass(frozen=True, slots=True)
class Joined:
    """An array that is several of the source.

    Args:
        parts: their paths, in order.
        sizes: of each along the axis.
        axis: counted from the last one.
    """

    parts: tuple[Path, ...]
    sizes: tuple[int, ...]
    axis: int

    @property
    def layout(self) -> Concat:
        """From the parts to the array."""
        equal = len(set(self.sizes)) == 1
        return Concat(len(self.parts) if equal else self.sizes, axis=self.axis)


def join(root: Region) -> dict[Path, Joined]:
    """Lets a slot of a layer be one array where it is several, one beside the other, that
    nothing else uses; those arrays, by the paths that they get.

    Args:
        root: whose outputs are known.
    """
    uses: Counter[Value | Path] = Counter()
    for value in (*everything(root), *root.outputs.values()):
        uses[value.path if isinstance(value, Param) else value] += 1
    groups: dict[Joined, list[Step]] = {}
    for step in steps_in(root):
        if (whole := _joined(step)) is not None:
            groups.setdefault(whole, []).append(step)
    takers: dict[Value, list[tuple[Step, str]]] = {}
    for step in steps_in(root):
        for slot, value in step.slots.items():
            takers.setdefault(value, []).append((step, slot))
    found: dict[Path, Joined] = {}
    for whole, steps in groups.items():
        alone = all(uses[path] == len(steps) for path in whole.parts)
        taken = {s.outputs[0]: takers.get(s.outputs[0], []) for s in steps}
        only = all(uses[value] == len(rows) for value, rows in taken.items())
        slots = {slot for _, slot in chain(*taken.values())}
        if alone and only and len(slots) == 1:
            path = (*common(whole.parts), slots.pop())
            if not any(isinstance(p, tuple) and is_under(p, path) for p in uses):
                found[path] = whole
                _put(path, taken, steps[0])
    if found:
        drop(root)
    return found


def _joined(step: Step) -> Joined | None:
    """What a step joins, where that is arrays of the source as they are."""
    if step.op != "concatenate":
        return None
    parts, axis = step.operands["xs"], step.attributes["axis"]
    params = [p for p in parts if isinstance(p, Param)]
    if len(params) < len(parts) or axis >= 0:
        return None
    if any(p.moves or p.kind != "param" for p in params):
        return None
    if len({(p.stacked, p.dtype) for p in params}) > 1:
        return None
    paths = tuple(p.path for p in params)
    sizes = tuple(int(p.shape[axis]) for p in params)
    return Joined(paths, sizes, axis) if len(set(paths)) == len(paths) else None


def _put(
    path: Path, taken: Mapping[Value, list[tuple[Step, str]]], first: Step
) -> None:
    """The slots that are an array from now on."""
    part, made = first.operands["xs"][0], first.outputs[0]
    whole = Param(made.shape, part.dtype, "", path, "param", part.stacked)
    for step, slot in chain(*taken.values()):
        step.slots[slot] = whole
        if step.scope is None:
            step.scope = path[:-1]
