"""A model under JAX: its equations, with the inputs' sizes as symbols."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

import blox as bx

from ..trace import Path, Value
from .apart import traced_apart
from .ensembles import members_apart
from .flatten import Flat
from .frontends.paths import path_of
from .internals import ClosedJaxpr, Var, plain_size
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
        dims: what bounds sizes: what was given, and what the model's code asks for.
        decisions: what Python decided, a line each.
        flat: the equations of a part of the model, where it is one.
        variables: of the arrays and the inputs, in that.
        scope: the path of the module that the part is.
    """

    closed: ClosedJaxpr
    arrays: Mapping[Path, Any]
    inputs: Sequence[Value]
    outputs: Sequence[str]
    updates: Sequence[Path]
    dims: Bounds = field(default_factory=dict)
    decisions: Sequence[str] = ()
    flat: Flat | None = None
    variables: Sequence[Var] = ()
    scope: Path = ()


def traced(
    source: Source, specs: Mapping[str, Any], without: frozenset[str] = frozenset()
) -> Traced:
    """The equations of a model, for inputs of these shapes.

    Args:
        without: classes of layers that are traced like any other module.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    shapes = [jax.ShapeDtypeStruct(jnp.shape(x), x.dtype) for _, x in leaves]
    names: list[str] = []
    updated: list[Path] = []

    def call(arrays: Any, *given: Any) -> Any:
        with members_apart(jax.tree.leaves(arrays)):
            outputs, updates = source.call(arrays, *given)
        found = named_outputs(outputs)
        require_outputs(found, source.name)
        names[:], updated[:] = list(found), list(updates)
        return list(map(jnp.asarray, (*found.values(), *updates.values())))

    with traced_apart(), recognised_scans(), source.marked(without):
        closed = jax.make_jaxpr(call)(
            jax.tree.unflatten(structure, shapes), *specs.values()
        )
    flowing = [
        Value(tuple(map(plain_size, s.shape)), _dtype(s), n) for n, s in specs.items()
    ]
    arrays = {path_of(keys): leaf for keys, leaf in leaves}
    return Traced(closed, arrays, flowing, names, updated)


def _dtype(spec: jax.ShapeDtypeStruct) -> str:
    return "key" if str(spec.dtype).startswith("key") else str(spec.dtype)


def dims_of(inputs: Mapping[str, bx.Input]) -> list[str]:
    """The names of the sizes of inputs, each once."""
    texts = [s for i in inputs.values() for s in i.shape if isinstance(s, str)]
    return [n for n in dict.fromkeys(texts) if n.isidentifier()]


def scope_of(dims: Bounds) -> export.SymbolicScope:
    """Where symbols know what bounds them."""
    constraints = []
    for name, bounds in dims.items():
        constraints += [f"{name} <= {bounds['max']}"] if "max" in bounds else []
        constraints += [f"{name} >= {bounds['min']}"] if "min" in bounds else []
        step = bounds.get("multiple_of", 1)
        constraints += [f"mod({name}, {step}) == 0"] if step > 1 else []
    return export.SymbolicScope(constraints)


def specs_of(
    inputs: Mapping[str, bx.Input],
    scope: export.SymbolicScope,
    fixed: Mapping[str, int] | None = None,
) -> dict[str, jax.ShapeDtypeStruct]:
    """The inputs as JAX traces them, dims as symbols but for those with a number."""

    def said(size: int | str) -> str:
        numbers = fixed or {}
        return re.sub(
            r"[A-Za-z_]\w*", lambda m: f"{numbers.get(m[0], m[0])}", f"{size}"
        )

    specs = {}
    for name, declared in inputs.items():
        text = ", ".join(map(said, declared.shape))
        shape = export.symbolic_shape(text, scope=scope) if declared.shape else ()
        dtype: Any = "float32" if declared.dtype == "float" else declared.dtype
        if dtype == "key":
            dtype = jax.random.key(0).dtype
        specs[name] = jax.ShapeDtypeStruct(shape, dtype)
    return specs
