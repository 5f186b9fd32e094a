"""Files of classes against the loaded model: numbers, paths, state, gradients."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import SIZES, inputs_of

import blox as bx
from blox.io.generate import Target
from blox.schema import Graph

TARGETS: tuple[Target, ...] = ("equinox", "nnx")


def module_of(source: str, name: str = "generated_classes") -> types.ModuleType:
    """A file as a module, which classes want to be of."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    return module


def model_class(module: types.ModuleType) -> Any:
    """The class of the model in its file."""
    return module.load.__annotations__["return"]


def params_of(graph: Graph, seed: int = 0) -> Any:
    """New parameters, of which none is all zeros or ones."""
    leaves, tree = jax.tree.flatten(bx.init(graph, jax.random.key(seed)))
    random = np.random.default_rng(seed)

    def moved(x: Any) -> Any:
        if x.dtype == jnp.int8:  # an array that is quantised
            return jnp.asarray(random.integers(-127, 128, x.shape), x.dtype)
        if not jnp.issubdtype(x.dtype, jnp.inexact):
            return x
        noise = random.uniform(0.01, 0.2, x.shape)
        return jnp.asarray(np.asarray(x) + noise, x.dtype)

    return jax.tree.unflatten(tree, [moved(x) for x in leaves])


def arguments_of(graph: Graph, entry: str, *, optional: bool) -> list[Any]:
    """Arrays for the inputs of an entry."""
    random = np.random.default_rng(7)
    instance = graph.program().entries[entry]

    def drawn(given: Any) -> Any:
        if jnp.issubdtype(given.dtype, jax.dtypes.prng_key):
            return jax.random.key(3)
        if jnp.issubdtype(given.dtype, jnp.floating):
            return jnp.asarray(random.normal(size=given.shape), given.dtype)
        return jnp.asarray(random.integers(0, 2, given.shape), given.dtype)

    inputs = inputs_of(instance, optional=optional, sizes=SIZES | {"time": 4})
    found: list[Any] = jax.tree.map(drawn, inputs)
    return found


def flat_params(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays of Params by their path."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for name, part in items:
            yield from flat_params(part, f"{path}.{name}" if path else str(name))
    else:
        yield path, tree


def assert_close(ours: Any, theirs: Any, what: str, tolerance: float = 1e-5) -> None:
    """Two arrays differ by no more than that share of the largest number; infinite ones
    are the same in both."""
    wide = np.complex128 if np.iscomplexobj(theirs) else np.float64
    a, b = np.asarray(ours, wide), np.asarray(theirs, wide)
    assert a.shape == b.shape, what
    finite = np.isfinite(a)
    np.testing.assert_array_equal(a[~finite], b[~finite], err_msg=what)
    a, b = a[finite], b[finite]
    scale = 1 + np.max(np.abs(a), initial=0)
    assert np.max(np.abs(a - b), initial=0) <= tolerance * scale, what


def tagger() -> Graph:
    """Tags of words: an LSTM as a scan over time."""
    b = bx.GraphBuilder("tagger", vocab=50, width=8, hidden=6, tags=4)

    def cell(f: bx.F, h: bx.Value, c: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        size = 4 * h.features
        gates = f.linear("input", x, size, use_bias=False)
        gates = gates + f.linear("recurrent", h, size)
        i, forget, g, o = f.split(gates, 4, axis=-1)
        c = f.sigmoid(forget) * c + f.sigmoid(i) * f.tanh(g)
        h = f.sigmoid(o) * f.tanh(c)
        return {"h": h, "c": c, "y": h}

    @b.entry(words=bx.Input(["batch", "time"], "int32"))
    def main(f: bx.F, words: bx.Value) -> bx.Value:
        x = f.embed("embed", words, b.vocab, b.width)
        start = f.zeros([words.shape[0], b.hidden])
        y = f.scan("lstm", cell, axis=1)(start, start, bx.slices(x))["y"]
        return f.linear("tags", y, b.tags)

    return b.graph()
