"""The arrays of a node: their sizes, and what the node wishes of them."""

from __future__ import annotations

import math
from dataclasses import replace

from ..diagnostics import Report, listing, quote
from ..fields import is_expression
from ..limits import MAX_ELEMENTS
from ..op import Op, ParamOp
from ..parameters import (
    FLOATS,
    Constant,
    DeltaOrthogonal,
    KeyData,
    Leaf,
    Ones,
    Orthogonal,
    VarianceScaling,
    Zeros,
)
from .program import Step, Tree, flatten


def fill_leaves(step: Step, op: Op, report: Report) -> None:
    """The leaves that a node owns, as its tree; what is wrong with them is reported."""
    if not isinstance(op, ParamOp):
        step.stateful, step.uses_train = op.STATEFUL, op.TRAIN
        step.needs_float = getattr(op, "dtype", None) == "float"
        return
    if not _sizes_known(step, op, report):
        return
    try:
        names_ = {name or "value" for name in op.parameters()}
        stored = op.stored()
    except (TypeError, ArithmeticError):
        report.error(
            "parameter-size",
            step.path,
            "expected attributes that give parameters a size, found others",
        )
        return
    for field in ("init", "axes", "frozen"):
        for name in getattr(op, field):
            if name not in names_:
                report.error(
                    "parameter-unknown",
                    f"{step.path}.{field}",
                    f"expected a parameter ({listing(sorted(names_))}), found "
                    f"{quote(name)}",
                )
    for name, leaf in stored.items():
        for size in leaf.shape:
            if isinstance(size, str):
                report.error(
                    "parameter-size",
                    f"{step.path}.{name}".rstrip("."),
                    f"expected a size that no dim decides, found {quote(size)}",
                )
        if any(isinstance(s, str) for s in leaf.shape):
            leaf = replace(leaf, shape=tuple(None for _ in leaf.shape))
        _check_init(step, name, leaf, report)
        if leaf.axes and len(leaf.axes) != len(leaf.shape):
            report.error(
                "parameter-axes",
                f"{step.path}.axes.{name}",
                f"expected {len(leaf.shape)} axes, found {len(leaf.axes)}",
            )
        if name == "":
            step.tree = leaf
        else:
            assert isinstance(step.tree, dict)
            step.tree[name] = leaf
    if isinstance(step.tree, Leaf) and not step.scope:
        report.error(
            "parameter-path", step.path, "expected the path of an array, found `.`"
        )
        step.tree = {}
    step.stateful, step.uses_train = op.STATEFUL, op.TRAIN


def _sizes_known(step: Step, op: ParamOp, report: Report) -> bool:
    """False where a dim decides a size of parameters; told."""
    known = True
    for field in op.fields().minima:
        value = getattr(op, field)
        for part in value if isinstance(value, list) else (value,):
            if is_expression(part):
                known = False
                report.error(
                    "parameter-size",
                    f"{step.path}.{field}",
                    f"expected a size that no dim decides, found {quote(part)}",
                )
    return known


def _check_init(step: Step, name: str, leaf: Leaf, report: Report) -> None:
    """An initializer that speaks of axes finds them; one that draws gets floats."""
    rank, init = len(leaf.shape), leaf.init
    if leaf.dtype not in FLOATS and not isinstance(
        init, (Zeros, Ones, Constant, KeyData)
    ):
        report.error(
            "parameter-init",
            f"{step.path}.init.{name or 'value'}",
            f"expected zeros, ones or constant for dtype {leaf.dtype}, found "
            f"{init.name}",
        )
        return
    match init:
        case VarianceScaling():
            fits = rank >= 2 and all(
                -rank <= axis < rank for axis in (init.in_axis, init.out_axis)
            )
        case Orthogonal():
            fits = rank >= 2 and -rank <= init.column_axis < rank
        case DeltaOrthogonal():
            fits = 3 <= rank <= 5 and -rank <= init.column_axis < rank
        case _:
            return
    if not fits:
        report.error(
            "parameter-init",
            f"{step.path}.init.{name or 'value'}",
            f"expected an initializer for {rank} axes, found {init.name}",
        )


def check_leaves(tree: Tree, report: Report) -> None:
    """Every array has all its sizes, and not more elements than can be meant."""
    for path, leaf in flatten(tree):
        if any(size is None for size in leaf.shape):
            report.error(
                "parameter-size",
                path,
                f"expected sizes for all axes, found {quote(list(leaf.shape))}",
                "give the sizes at one of the nodes that use this path",
            )
        elif math.prod(leaf.full_shape) > MAX_ELEMENTS:
            report.error(
                "too-large",
                path,
                f"expected at most {MAX_ELEMENTS} elements, found shape "
                f"{quote(list(leaf.full_shape))}",
            )
