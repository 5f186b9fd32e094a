"""The leaves and the costs of a step that calls functions, by what its op declares."""

from __future__ import annotations

from functools import reduce

from ..diagnostics import Report, quote
from .program import Called, Step
from .trees import Tree, TreeConflict, join, stack


def call_tree(step: Step, report: Report) -> Tree:
    """The leaves under a call, from those of the functions that it runs."""
    tree: dict[str, Tree] = {}
    for called in step.callees:
        part = _copies(step, called, report)
        if called.declared.role is None:
            return part
        if part:
            tree[called.declared.role] = part
    return tree


def _copies(step: Step, called: Called, report: Report) -> Tree:
    """The leaves of all copies of one function."""
    copies = called.declared.copies
    if copies is None:
        return called.instance.tree
    if not isinstance(copies, int):
        report.error(
            "parameter-size",
            f"{step.path}.count",
            f"expected a count that no dim decides, found {quote(copies)}",
        )
        return {}
    if called.declared.empty or not any(i.tree for i in called.cycle):
        return {}
    if called.declared.layout == "stacked":
        return stack(called.instance.tree, copies)
    trees: list[Tree] = [instance.tree for instance in called.cycle]
    if called.declared.layout == "shared":
        return _one_set(step, trees, report)
    rounds, more = divmod(copies, len(trees))
    return trees * rounds + trees[:more]


def _one_set(step: Step, trees: list[Tree], report: Report) -> Tree:
    """The leaves that copies share, as all of them want them."""
    try:
        return reduce(join, trees)
    except TreeConflict as conflict:
        report.error(
            "parameter-conflict",
            f"{step.path}.attributes",
            f"expected copies that can share {'.'.join(conflict.path)}: {conflict}",
        )
        return trees[0]


def traced(step: Step) -> int:
    """How many nodes a trace visits."""
    return 1 + sum(
        called.total(lambda i: i.traced) * called.declared.traced
        for called in step.callees
    )


def ran(step: Step) -> int:
    """How many nodes a run visits at least."""
    visits = 0
    for called in step.callees:
        runs = called.declared.runs
        loops = not called.declared.unrolled and isinstance(runs, int)
        visits += called.total(lambda i: i.ran) * (
            max(int(runs or 0), 1) if loops else 1
        )
    return 1 + visits
