"""Small Graphs, called by the loader and as generated; references are written by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import executed
from sample_specs import Data

import blox as bx
from blox.schema import Graph

WIDTH = 4
X: Data = {"x": {"shape": ["batch", WIDTH], "dtype": "float"}}
KEY: Data = {"dtype": "key", "optional": True}


def fn(nodes: Data, outputs: Data | str | None = None, **more: Any) -> Data:
    """A function of an untyped x that returns its last node as x."""
    outputs = {"x": next(reversed(nodes))} if outputs is None else outputs
    outputs = {"x": outputs} if isinstance(outputs, str) else outputs
    return {"inputs": {"x": {}}, **more, "nodes": nodes, "outputs": outputs}


def graph(
    nodes: Data,
    outputs: Data | str | None = None,
    *,
    inputs: Data | None = None,
    functions: Data | None = None,
    **more: Any,
) -> Graph:
    """A Graph whose main takes x of (batch, 4) and returns its last node."""
    main = fn(nodes, outputs, inputs=X if inputs is None else inputs)
    functions = {"main": main, **(functions or {})}
    return Graph.parse(
        {"format": "blox/1", "name": "model", "functions": functions, **more}
    )


def node(op: str, x: str | None = "x", **fields: Any) -> Data:
    return {"op": op, **({} if x is None else {"x": x}), **fields}


def linear(x: str = "x", features: int = WIDTH, **more: Any) -> Data:
    return node("linear", x, in_features=WIDTH, out_features=features, **more)


def norm(x: str = "x", **more: Any) -> Data:
    return node("batch_norm", x, features=WIDTH, **more)


def dropout(x: str = "x", key: str = "key", rate: float = 0.5) -> Data:
    return node("dropout", x, key=key, rate=rate)


def call(function: str, inputs: Data | None = None, **more: Any) -> Data:
    given = {"x": "x"} if inputs is None else inputs
    return {"op": "call", "function": function, "inputs": given, **more}


def repeat(function: str, count: int | str = 3, *, scan: bool, **more: Any) -> Data:
    fields = {"carry": {"x": "x"}, **more}
    return {
        "op": "repeat",
        "function": function,
        "count": count,
        "scan": scan,
        **fields,
    }


def init(model: Graph, seed: int = 0, **how: Any) -> Any:
    """Params in which nothing is left at zero or one, so that all of it counts."""
    params = bx.init(model, jax.random.key(seed), **how)
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    moved = [
        leaf + 0.1 + 0.2 * jax.random.uniform(k, leaf.shape, leaf.dtype)
        if jnp.issubdtype(leaf.dtype, jnp.floating)
        else leaf
        for leaf, k in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def ones(*shape: int) -> jax.Array:
    """Numbers of this shape, all different."""
    return jnp.linspace(-1, 1, int(np.prod(shape))).reshape(shape)


def generated(model: Graph, entry: str = "main", *, train: bool | None = None) -> Any:
    """The function of the generated file, returning (outputs, state) in any case."""
    function = executed(bx.generate(model))[model.name if entry == "main" else entry]
    instance = model.program().entries[entry]
    how = {"train": bool(train)} if instance.uses_train else {}

    def same(params: Any, *args: Any, **kwargs: Any) -> Any:
        result = function(params, *args, **kwargs, **how)
        return result if instance.stateful else (result, {})

    return same


def run(
    model: Graph,
    params: Any,
    *args: Any,
    entry: str = "main",
    train: bool = False,
    jit: bool = True,
    **how: Any,
) -> Any:
    """(outputs, state) of the loader, whose jaxpr must be that of the generated file."""
    built = bx.build(model, entry, train=train, **how)
    if not how:
        theirs = generated(model, entry, train=train)
        ours = jax.make_jaxpr(built, return_shape=True)(params, *args)
        other = jax.make_jaxpr(theirs, return_shape=True)(params, *args)
        assert str(ours[0]) == str(other[0])
        assert str(ours[1]) == str(other[1])
    return (jax.jit(built) if jit else built)(params, *args)


def structure(tree: Any) -> Any:
    return jax.tree.structure(tree)


def assert_close(found: Any, expected: Any, **tolerance: float) -> None:
    """The same nesting and shapes, and values as near as float32 allows."""
    assert structure(found) == structure(expected)
    rtol, atol = tolerance.get("rtol", 1e-5), tolerance.get("atol", 1e-6)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(
            np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=rtol, atol=atol
        )
