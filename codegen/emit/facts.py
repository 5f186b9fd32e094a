"""What is known of the arrays that go into an op, by the parameters of its function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...schema.known import Known
from ...schema.parameters import Leaf
from ...schema.resolve.program import Arg, Instance, Step
from ..library.abstract import DType, Symbol
from ..library.source import OpSource
from ..plan import Module, Plan

Given = dict[str, Arg]
"""The operands that are there, by parameter."""


def facts_of(
    module: Module, plan: Plan, step: Step, source: OpSource, given: Given
) -> list[dict[str, Any]]:
    """`x.ndim`, `x.shape`, `x.dtype` in every instance of a function, as far as the
    source of the op asks for them.
    """
    reads = module.library.reads(source)
    if not reads:
        return [{}]
    return [
        {
            f"{name}.{fact}": value
            for name, known in _known(module, instance, step, given)
            for fact, value in _facts(known)
            if fact in reads
        }
        for instance in plan.instances
    ]


def _known(
    module: Module, instance: Instance, step: Step, given: Given
) -> Iterator[tuple[str, Known]]:
    table = module.known.get(instance, {})
    for name, arg in given.items():
        outputs = table.get(arg.source) if arg.source is not None else None
        known = outputs[arg.output] if outputs else None
        if known is not None:
            yield name, known
    if not step.tree or isinstance(step.tree, Leaf):
        return
    tree: Any = instance.tree
    for part in step.scope:
        tree = tree[part]
    for parameter in map(str, step.tree):
        leaf = tree[parameter]
        if isinstance(leaf, Leaf):
            yield parameter, Known(tuple(leaf.full_shape), leaf.dtype)


def _facts(known: Known) -> Iterator[tuple[str, Any]]:
    if known.dtype is not None:
        yield "dtype", DType(known.dtype)
    if known.shape is not None:
        yield "ndim", len(known.shape)
        sizes = (s if isinstance(s, int) else Symbol(s) for s in known.shape)
        yield "shape", tuple(sizes)
