"""The function of a registered op beside the body that a Graph has of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic
from blox.schema.dtypes import NEEDS_X64
from blox.schema.expressions import ExpressionError
from blox.schema.registry import definition
from blox.schema.resolve.custom import custom_ops, with_bodies
from blox.weights.loading import x64_enabled

from .contract import differences
from .examples import exact_products

TOLERANCE = 1e-4
MAX_ELEMENTS = 1 << 22
"""Of the random inputs of an entry: a file may ask for sizes without bounds."""


def has_both(graph: Graph) -> bool:
    """True where an op of the Graph is registered here and has a body there."""
    used = set(custom_ops(graph))
    return any(key in used and definition(key) is not None for key in graph.ops)


def compare_bodies(graph: Graph, params: Any) -> Iterator[Diagnostic]:
    """Where the registered functions give other numbers than the bodies.

    Every entry runs once each way on small random inputs.
    """
    import jax

    from blox.runtime.build import build

    other = with_bodies(graph)
    for entry, instance in graph.program().entries.items():
        inputs = _inputs(graph, instance)
        if inputs is None:
            yield Diagnostic(
                "op-body-untried",
                entry,
                f"expected inputs of at most {MAX_ELEMENTS} values, of dtypes that JAX "
                "has enabled, to compare registered ops with their bodies, found none",
                "the examples are run, by the registered ops alone",
                "warning",
            )
            continue
        with exact_products():
            found, _ = jax.jit(build(graph, entry))(params, **inputs)
            wanted, _ = jax.jit(build(other, entry))(params, **inputs)
        names = instance.function.outputs
        if not isinstance(found, dict):
            found, wanted = ({next(iter(names)): x} for x in (found, wanted))
        for name in names:
            for problem in differences(found[name], wanted[name], TOLERANCE):
                text = f"{problem}, by the registered ops beside their bodies"
                yield Diagnostic("op-body", f"{entry}.outputs.{name}", text)


def _inputs(graph: Graph, instance: Any) -> dict[str, Any] | None:
    """Small random inputs of an entry; None where none are known to fit."""
    import jax
    import numpy as np

    from blox.shapes.declared import Declared, bounds_of, relations_of
    from blox.shapes.samples import Samples

    given = instance.function.inputs
    declared = Declared(given, instance.values)
    samples = Samples(declared, [*given], bounds_of(graph), relations_of(graph))
    shapes = _shapes(samples, given, instance.values, instance.input_copies)
    wide = any(spec.dtype in NEEDS_X64 for spec in given.values())
    if shapes is None or (wide and not x64_enabled()):
        return None
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for name, spec in given.items():
        if spec.dtype == "key":
            found[name] = jax.random.split(jax.random.key(0), shapes[name])
            continue
        copies = instance.input_copies.get(name)
        drawn = [_drawn(random, spec.dtype, shapes[name]) for _ in range(copies or 1)]
        found[name] = drawn[0] if copies is None else drawn
    return found


def _drawn(random: Any, dtype: str, shape: tuple[int, ...]) -> Any:
    import jax

    if dtype == "float" or "float" in dtype:
        kind = "float32" if dtype == "float" else dtype
        return jax.numpy.asarray(random.normal(size=shape), kind)
    return jax.numpy.asarray(random.integers(0, 2, shape), dtype)


def _shapes(
    samples: Iterable[Any],
    given: Mapping[str, Any],
    values: Mapping[str, Any],
    copies: Mapping[str, int],
) -> dict[str, tuple[int, ...]] | None:
    """Of the inputs, at the first sizes that are small enough."""
    for sizes in samples:
        try:
            shapes = {
                n: sizes.shape(n, i.shape or (), values) for n, i in given.items()
            }
        except ExpressionError:  # a size that would be negative
            continue
        counts = (math.prod(s) * copies.get(n, 1) for n, s in shapes.items())
        if sum(counts) <= MAX_ELEMENTS:
            return shapes
    return None
