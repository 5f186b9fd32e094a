"""The arrays of a node: their sizes, and the parameter options of the node."""

from __future__ import annotations

import math

from ..diagnostics import Report, listing, quote
from ..dtypes import COMPLEX, INEXACT
from ..frozen import EMPTY, frozen
from ..limits import MAX_ELEMENTS
from ..op import Op, ParamOp
from ..parameters import Leaf
from .program import Step
from .trees import Tree, distinct


def fill_leaves(step: Step, op: Op, report: Report) -> None:
    """The leaves that a node owns, as its tree; what is wrong with them is reported."""
    if not isinstance(op, ParamOp):
        step.stateful, step.uses_train = op.STATEFUL, op.TRAIN
        step.needs_float = op.needs_float()
        return
    undecided = list(op.undecided())
    for field, text in undecided:
        report.error(
            "parameter-size",
            f"{step.path}.{field}",
            f"expected a size that no dim decides, found {quote(text)}",
        )
    if undecided:
        return
    try:
        leaves = op.leaves()
    except (TypeError, ArithmeticError):
        report.error(
            "parameter-size",
            step.path,
            "expected attributes that give parameters a size, found others",
        )
        return
    stored = op.stored(leaves)
    names_ = {name or "value" for name in leaves}
    for field in ("init", "axes", "frozen"):
        for name in getattr(op, field):
            if name not in names_:
                report.error(
                    "parameter-unknown",
                    f"{step.path}.{field}",
                    f"expected a parameter ({listing(sorted(names_))}), found "
                    f"{quote(name)}",
                )
    tree: dict[str, Tree] = {}
    for name, leaf in stored.items():
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
            tree[name] = leaf
    if tree:
        step.tree = frozen(tree)
    if isinstance(step.tree, Leaf) and not step.scope:
        report.error(
            "parameter-path", step.path, "expected the path of an array, found `.`"
        )
        step.tree = EMPTY
    step.stateful, step.uses_train = op.STATEFUL, op.TRAIN


def _check_init(step: Step, name: str, leaf: Leaf, report: Report) -> None:
    """An initializer that speaks of axes finds them; one that draws gets floats; its
    arguments make sense."""
    rank, init = len(leaf.shape), leaf.init
    path = f"{step.path}.init.{name or 'value'}"
    fits = leaf.dtype in INEXACT or not init.DRAWS
    if not fits or (leaf.dtype in COMPLEX and not init.COMPLEX):
        drawn = "normal or variance_scaling" if leaf.dtype in COMPLEX else "zeros"
        report.error(
            "parameter-init",
            path,
            f"expected {drawn}, ones or constant for dtype {leaf.dtype}, found {init.name}",
        )
    elif not init.fits(rank):
        report.error(
            "parameter-init",
            path,
            f"expected an initializer for {rank} axes, found {init.name}",
        )
    else:
        for problem in init.problems(leaf.shape):
            report.add(problem.at(path, "parameter-init"))


def check_leaves(tree: Tree, report: Report) -> None:
    """Every array has all its sizes, and not more elements than can be meant."""
    for path, leaf in distinct(tree):
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
