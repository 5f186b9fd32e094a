"""A model under JAX: its equations, with the inputs' sizes as symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

import blox as bx

from ..regions import fresh, identifier
from ..trace import Path, Value
from .frontends.paths import path_of
from .internals import SYMBOLIC_ERRORS, ClosedJaxpr, clear_caches, plain_size
from .source import Source

Bounds = Mapping[str, Mapping[str, int]]
"""What bounds a dim, by its name: `max`, `min`."""


@dataclass(frozen=True)
class Traced:
    """The equations of a model.

    Args:
        arrays: of the source by path, in the order of the jaxpr's inputs.
        inputs: the inputs that follow.
        outputs: the names of its outputs.
        updates: the paths of the arrays whose new values follow those.
    """

    closed: ClosedJaxpr
    arrays: Mapping[Path, Any]
    inputs: Sequence[Value]
    outputs: Sequence[str]
    updates: Sequence[Path]


def trace(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str] = frozenset(),
) -> Traced:
    """Traces a model with the dims of its inputs as symbols.

    Args:
        dims: what bounds them.
        without: classes of layers that are traced like any other module.
    """
    specs = symbolic(inputs, dims)
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    shapes = [jax.ShapeDtypeStruct(jnp.shape(x), x.dtype) for _, x in leaves]
    names: list[str] = []
    updated: list[Path] = []

    def call(arrays: Any, *given: Any) -> Any:
        outputs, updates = source.call(arrays, *given)
        found = named_outputs(outputs)
        names[:], updated[:] = list(found), list(updates)
        return list(map(jnp.asarray, (*found.values(), *updates.values())))

    clear_caches()
    try:
        with source.marked(without):
            closed = jax.make_jaxpr(call)(
                jax.tree.unflatten(structure, shapes), *specs.values()
            )
    except SYMBOLIC_ERRORS as error:
        raise _frozen(inputs, error) from error
    finally:
        clear_caches()
    flowing = [
        Value(tuple(map(plain_size, s.shape)), _dtype(s), n) for n, s in specs.items()
    ]
    arrays = {path_of(keys): leaf for keys, leaf in leaves}
    return Traced(closed, arrays, flowing, names, updated)


def _frozen(inputs: Mapping[str, bx.Input], error: Exception) -> bx.SpecError:
    """The error of code that decides by a size which has only a name."""
    named = [n for n, i in inputs.items() if any(isinstance(s, str) for s in i.shape)]
    first = str(error).strip().partition("\n")[0]
    return bx.SpecError.one(
        "import-size",
        ", ".join(named),
        f"expected code that works for all sizes, found a decision by one: {first}",
        "give that size as a number, bx.Input([8, 16]), or what bounds it, dims=",
    )


def _dtype(spec: jax.ShapeDtypeStruct) -> str:
    return "key" if str(spec.dtype).startswith("key") else str(spec.dtype)


def symbolic(
    inputs: Mapping[str, bx.Input], dims: Bounds
) -> dict[str, jax.ShapeDtypeStruct]:
    """The inputs as JAX traces them, dims as symbols that know their bounds."""
    constraints = []
    for name, bounds in dims.items():
        constraints += [f"{name} <= {bounds['max']}"] if "max" in bounds else []
        constraints += [f"{name} >= {bounds['min']}"] if "min" in bounds else []
    scope = export.SymbolicScope(constraints)
    specs = {}
    for name, declared in inputs.items():
        text = ", ".join(map(str, declared.shape))
        shape = export.symbolic_shape(text, scope=scope) if declared.shape else ()
        dtype: Any = "float32" if declared.dtype == "float" else declared.dtype
        if dtype == "key":
            dtype = jax.random.key(0).dtype
        specs[name] = jax.ShapeDtypeStruct(shape, dtype)
    return specs


def named_outputs(outputs: Any) -> dict[str, Any]:
    """The arrays of what a model gives, by name: `out`, `out_0` of tuples, keys of dicts."""
    leaves = jax.tree_util.tree_flatten_with_path(outputs)[0]
    if len(leaves) == 1 and not leaves[0][0]:
        return {"out": leaves[0][1]}
    found: dict[str, Any] = {}
    for keys, array in leaves:
        parts = [identifier(p) if isinstance(p, str) else f"{p}" for p in path_of(keys)]
        name = "_".join(parts)
        name = name if name[:1].isalpha() else f"out_{name}"
        found[fresh(found, name)] = array
    return found
