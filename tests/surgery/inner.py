"""The values inside of a model that can be asked for, and what its outputs depend on."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import inputs_of
from jax.extend.core import ClosedJaxpr
from jax.interpreters import partial_eval

import blox as bx
from blox.schema import Graph
from blox.schema.resolve.program import Instance

CLOSED = ("cond", "switch", "while_loop", "associative_scan")


def inner_paths(instance: Instance, before: str = "") -> list[str]:
    """The path of every node whose value can be led out, every output of each."""
    found: list[str] = []
    for step in instance.steps:
        path = f"{before}{step.name}"
        if step.op.OUTPUT_KIND == "key":
            continue
        one = len(step.outputs) == 1
        found += [path] if one else [f"{path}.{out}" for out in step.outputs]
        if step.callees and step.op.op not in CLOSED:
            for inner in step.instances:
                found += inner_paths(inner, f"{path}.")
    return list(dict.fromkeys(found))


def arguments(instance: Instance, seed: int = 0) -> list[Any]:
    """Random inputs, all of them."""
    draw = np.random.default_rng(seed)

    def array(spec: Any) -> Any:
        if jnp.issubdtype(spec.dtype, jax.dtypes.prng_key):
            return jax.random.key(seed)
        if jnp.issubdtype(spec.dtype, jnp.floating):
            return jnp.asarray(draw.normal(size=spec.shape), spec.dtype)
        return jnp.asarray(draw.integers(0, 2, spec.shape), spec.dtype)

    return [jax.tree.map(array, s) for s in inputs_of(instance, optional=True)]


def outputs_of(
    graph: Graph, params: Any, *args: Any, entry: str | None = None
) -> dict[str, Any]:
    """Outputs by name, of a call that is compiled."""
    found, _ = jax.jit(bx.build(graph, entry))(params, *args)
    names = list(graph.functions[entry or graph.entries[0]].outputs)
    return {names[0]: found} if len(names) == 1 else found


def program_of(
    graph: Graph, wanted: Graph, entry: str, train: bool, optional: bool
) -> ClosedJaxpr:
    """What an entry computes for the outputs that it has in `wanted`, and for state.

    All else is left out of the program, in the bodies of loops too.
    """
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    args = inputs_of(graph.program().entries[entry], optional=optional)
    build = bx.build(graph, entry, train=train)
    closed, (outputs, state) = jax.make_jaxpr(build, return_shape=True)(params, *args)
    names = list(graph.functions[entry].outputs)
    given = {names[0]: outputs} if len(names) == 1 else outputs
    used = [
        path[0].key in wanted.functions[entry].outputs
        for path, _ in jax.tree.leaves_with_path(given)
    ]
    used += [True] * len(jax.tree.leaves(state))
    kept, _ = partial_eval.dce_jaxpr(closed.jaxpr, used, instantiate=True)
    return ClosedJaxpr(kept, closed.consts)
