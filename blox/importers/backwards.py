"""Scans that read from the end, in place of arrays that are turned around for one."""

from __future__ import annotations

from typing import Any

from .simplify import Tree, rewrite
from .trace import Step, Value


@rewrite("flip")
def stacked_backwards(step: Step, tree: Tree) -> Value | None:
    """flip(scan(flip(x))) -> scan(x, reverse=True)"""
    x = step.operands["x"]
    scan = tree.lone(x, "scan")
    if scan is None or _axis(step) != scan.attributes.get("axis", 0):
        return None
    if any(tree.uses[y] for y in _stacks(scan) if y is not x):
        return None
    return x if _turn(scan, tree) else None


@rewrite("scan")
def read_backwards(step: Step, tree: Tree) -> None:
    """scan(flip(x)) -> scan(x, reverse=True), of what it carries alone"""
    if not any(tree.uses[y] for y in _stacks(step)):
        _turn(step, tree)


def _turn(scan: Step, tree: Tree) -> bool:
    """Lets a scan of arrays that are turned around read them from their ends."""
    axis = scan.attributes.get("axis", 0)
    made = {
        n: tree.maker(x, "flip") for n, x in scan.operands.get("slices", {}).items()
    }
    if not made or "step" in scan.operands:
        return False
    if any(flip is None or _axis(flip) != axis for flip in made.values()):
        return False
    scan.operands["slices"] = {n: f.operands["x"] for n, f in made.items() if f}
    if not scan.attributes.pop("reverse", False):
        scan.attributes["reverse"] = True
    tree.changed = True
    return True


def _stacks(scan: Step) -> list[Value]:
    """What it stacks of all steps."""
    carried = scan.operands.get("carry", {})
    pairs = zip(scan.output_names, scan.outputs, strict=True)
    return [value for name, value in pairs if name not in carried]


def _axis(flip: Step) -> int | None:
    """The one axis that it turns around."""
    axis: Any = flip.attributes.get("axis")
    if isinstance(axis, (list, tuple)):
        axis = axis[0] if len(axis) == 1 else None
    return axis % flip.outputs[0].ndim if isinstance(axis, int) else None
