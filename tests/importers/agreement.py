"""A model of a library, and the Graph that an import makes of it, give the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import blox as bx

Shapes = Mapping[str, Sequence[Any]]
"""Shapes of inputs; those whose name begins with `ids` are integers."""


QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""For what runs once."""
DIMS = ({"batch": 2, "time": 5}, {"batch": 3, "time": 7})


def drawn(shapes: Shapes, dims: Mapping[str, int], seed: int = 0) -> list[Any]:
    """Inputs, with these sizes for their dims."""
    rng = np.random.default_rng(seed)
    found: list[Any] = []
    for name, shape in shapes.items():
        size = tuple(dims.get(s, s) for s in shape)
        if name.startswith("ids"):
            found.append(jnp.asarray(rng.integers(0, 5, size), "int32"))
        else:
            found.append(jnp.asarray(rng.normal(size=size), "float32"))
    return found


def noisy(tree: Any, seed: int = 1) -> Any:
    """A tree of arrays of these shapes, none of which is what layers begin with; those of
    one axis are positive, as variances must be."""
    rng = np.random.default_rng(seed)

    def draw(x: Any) -> Any:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return jnp.zeros(x.shape, x.dtype)
        flat = max(x.shape, default=1) == np.prod(x.shape)
        sign = 1 if flat else rng.choice([-1, 1], x.shape)
        return jnp.asarray(sign * rng.uniform(0.1, 0.9, x.shape), x.dtype)

    return jax.tree.map(draw, tree)


def ops_of(graph: bx.Graph) -> Counter[str]:
    """How often each op is written."""
    return Counter(n.op for f in graph.functions.values() for n in f.nodes.values())


def agree(
    imported: tuple[bx.Graph, Any, Any],
    call: Callable[..., Any],
    arrays: Any,
    shapes: Shapes,
    tree: Callable[[Any], Any] = lambda exported: exported,
    dims: Sequence[Mapping[str, int]] = DIMS,
) -> Counter[str]:
    """Checks values at two sizes, gradients by all arrays, and the way back; the ops.

    Args:
        call: the model of the library, of its arrays and inputs.
        arrays: those that were imported.
        tree: a tree like `arrays` of what `origin.export` gives.
    """
    graph, params, origin = imported
    built = bx.build(graph)

    def run(given: Any, *xs: Any) -> Any:
        return built(given, *xs)[0]

    first, last = (drawn(shapes, sizes, seed) for seed, sizes in enumerate(dims))
    named(quick(run)(params, *first), quick(call)(arrays, *first))
    outputs, own = quick(_gradients(run))(params, *last)
    wanted, other = quick(_gradients(call))(arrays, *last)
    named(outputs, wanted)
    same(tree(origin.export(params)), arrays, 0)
    own = tree(origin.export(jax.tree.map(_floating, own, params)))
    same(jax.tree.map(_slope, own, other, arrays), other, 1e-4)
    return ops_of(graph)


def named(found: Any, wanted: Any) -> None:
    """Checks outputs: one array, or arrays by name."""
    pairs = [x if isinstance(x, dict) else {"out": x} for x in (found, wanted)]
    assert sorted(pairs[0]) == sorted(pairs[1])
    for name, y in pairs[1].items():
        np.testing.assert_allclose(pairs[0][name], y, 2e-5, 1e-5, err_msg=name)


def same(found: Any, wanted: Any, tolerance: float) -> None:
    """Checks the arrays of two trees of a library, one by one."""
    pairs = zip(
        jax.tree_util.tree_leaves_with_path(found),
        jax.tree_util.tree_leaves_with_path(wanted),
        strict=True,
    )
    for (path, a), (other, b) in pairs:
        assert path == other
        if jnp.issubdtype(b.dtype, jnp.floating):
            name = jax.tree_util.keystr(path)
            np.testing.assert_allclose(
                a, b, rtol=tolerance, atol=tolerance, err_msg=name
            )


def _floating(gradient: Any, array: Any) -> Any:
    """A gradient; an array of integers has none and stays."""
    return gradient if jnp.issubdtype(array.dtype, jnp.floating) else array


def _slope(found: Any, gradient: Any, array: Any) -> Any:
    """A gradient that came back; the source's for an array that the Graph has no use for,
    which comes back as it was."""
    unused = np.array_equal(found, array) and not np.any(gradient)
    return gradient if unused else found


def quick(function: Callable[..., Any]) -> Callable[..., Any]:
    """It, for a run or two."""
    return jax.jit(function, compiler_options=QUICK)


def _gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """Outputs, and the gradients of a loss of them by the first argument."""

    def loss(arrays: Any, *xs: Any) -> tuple[Any, Any]:
        outputs = function(arrays, *xs)
        return _loss(outputs), outputs

    def results(arrays: Any, *xs: Any) -> tuple[Any, Any]:
        gradients, outputs = jax.grad(loss, has_aux=True, allow_int=True)(arrays, *xs)
        return outputs, gradients

    return results


def _loss(outputs: Any) -> Any:
    parts = [
        jnp.mean(jnp.sin(x * 0.7 + 0.1))
        for x in jax.tree.leaves(outputs)
        if jnp.issubdtype(x.dtype, jnp.floating)
    ]
    return sum(parts, jnp.zeros(()))
