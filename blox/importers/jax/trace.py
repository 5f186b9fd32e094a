"""A model under JAX: its equations, with the inputs' sizes as symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

import blox as bx

from ..proof import sizes_of
from ..trace import Path, Value
from .faults import line_of
from .frontends.paths import path_of
from .internals import ClosedJaxpr, clear_caches, plain_size
from .outputs import named_outputs, require_outputs
from .scans import recognised_scans
from .source import Source

Bounds = Mapping[str, Mapping[str, int]]
"""What bounds a dim, by its name: `max`, `min`, `multiple_of`."""


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
    try:
        return _traced(source, specs, without)
    except bx.BloxError:
        raise
    except Exception as error:
        if not any(isinstance(s, str) for i in inputs.values() for s in i.shape):
            raise
        raise _frozen(source, inputs, dims, without, error) from error


def _traced(
    source: Source, specs: Mapping[str, Any], without: frozenset[str]
) -> Traced:
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    shapes = [jax.ShapeDtypeStruct(jnp.shape(x), x.dtype) for _, x in leaves]
    names: list[str] = []
    updated: list[Path] = []

    def call(arrays: Any, *given: Any) -> Any:
        outputs, updates = source.call(arrays, *given)
        found = named_outputs(outputs)
        require_outputs(found, source.name)
        names[:], updated[:] = list(found), list(updates)
        return list(map(jnp.asarray, (*found.values(), *updates.values())))

    clear_caches()
    try:
        with recognised_scans(), source.marked(without):
            closed = jax.make_jaxpr(call)(
                jax.tree.unflatten(structure, shapes), *specs.values()
            )
    finally:
        clear_caches()
    flowing = [
        Value(tuple(map(plain_size, s.shape)), _dtype(s), n) for n, s in specs.items()
    ]
    arrays = {path_of(keys): leaf for keys, leaf in leaves}
    return Traced(closed, arrays, flowing, names, updated)


def _frozen(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str],
    error: Exception,
) -> Exception:
    """The error of code that decides by a size which has only a name: the dims that are
    to blame, as with numbers for them it runs; that of the code itself, where it doesn't."""
    found: Exception | None = None

    def fails(fixed: Mapping[str, int]) -> Exception | None:
        given = {
            name: replace(i, shape=[fixed.get(str(s), s) for s in i.shape])
            for name, i in inputs.items()
        }
        try:
            _traced(source, symbolic(given, dims), without)
        except Exception as other:
            return other
        return None

    small = next(sizes_of(inputs, dims))
    for sizes in (small, dict.fromkeys(small, 8)):
        found = fails(sizes)
        if found is None:
            alone = (n for n in sizes if fails({n: sizes[n]}) is None)
            said = next(alone, " and ".join(sizes))
            first = str(error).strip().partition("\n")[0].rstrip(".")
            line = line_of(error)
            return bx.SpecError.one(
                "import-size",
                said,
                "expected code that works for all sizes, found a decision by this one"
                f"{f', at {line}' if line else ''}: {first}",
                f"give {said} as a number, bx.Input([8, 16]), or what bounds it, dims=",
            )
    return found or error


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
        step = bounds.get("multiple_of", 1)
        constraints += [f"mod({name}, {step}) == 0"] if step > 1 else []
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
