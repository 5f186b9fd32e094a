"""What stands in a trace for things that JAX does not trace: a known layer as one equation,
and where functions of the source begin and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from .internals import Primitive, ad, batching, shaped_array

layer_p = Primitive("blox_layer")
layer_p.multiple_results = True
mark_p = Primitive("blox_mark")
mark_p.multiple_results = True


@dataclass(frozen=True, eq=False)
class Layer:
    """The static part of a node of blox that stands in a trace.

    Args:
        op: the op.
        attributes: its attributes, and nothing that flows.
        operands: the names of what flows in, in the order of the equation's inputs.
        slots: those of its parameters, which follow.
        function: of all of these, what it computes.
        of: the class of the source, for reports.
        event: how many axes of its own each operand has; those before are batches.
        elementwise: True where it goes element by element, by NumPy's rules.
        recognised: True where equations of small ops were found to be it.
    """

    op: str
    attributes: Mapping[str, Any]
    operands: tuple[str, ...]
    slots: tuple[str, ...]
    function: Callable[..., Any]
    of: str = ""
    event: tuple[int, ...] | None = None
    elementwise: bool = False
    recognised: bool = False

    def __repr__(self) -> str:
        return self.op

    def gives(
        self, operands: Mapping[str, Any], stored: Sequence[Any], wanted: Sequence[Any]
    ) -> bool:
        """True where operands of these shapes give outputs of those."""
        every = [operands[n] for n in self.operands] + list(stored)
        shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in every]
        try:
            found = jax.tree.leaves(jax.eval_shape(self.function, *shapes))
        except Exception:  # whatever an op says of shapes that it doesn't take
            return False
        return [f.shape for f in found] == [w.shape for w in wanted]


def layer(
    op: str,
    function: Callable[..., Any],
    attributes: Mapping[str, Any],
    operands: Mapping[str, Any],
    slots: Mapping[str, Any],
    *,
    of: str = "",
    event: Sequence[int] | None = None,
) -> Any:
    """One node of blox in the trace; its first output.

    Args:
        op: of blox.
        function: what it computes, by keyword of operands and slots: it gives shapes and
            dtypes, and is what runs where the trace is not only traced.
        attributes: as a Graph has them.
        operands: arrays by field; what is None is left out.
        slots: parameters by name, as blox lays them out; what is None is left out.
        event: the axes of each operand that are its own, the last ones; all before them
            are batches. Without it each operand has one, or none where it is a scalar.
    """
    flowing = {name: x for name, x in operands.items() if x is not None}
    stored = {name: x for name, x in slots.items() if x is not None}
    names = (*flowing, *stored)

    def run(*arrays: Any) -> Any:
        return function(**dict(zip(names, arrays, strict=True)))

    static = Layer(
        op,
        dict(attributes),
        tuple(flowing),
        tuple(stored),
        run,
        of,
        tuple(event) if event is not None else None,
    )
    outputs = layer_p.bind(*flowing.values(), *stored.values(), layer=static)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def _shapes(*avals: Any, layer: Layer) -> list[Any]:
    given = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in avals]
    found = jax.tree.leaves(jax.eval_shape(layer.function, *given))
    return [shaped_array(a.shape, a.dtype) for a in found]


def _run(*arrays: Any, layer: Layer) -> list[Any]:
    return jax.tree.leaves(layer.function(*arrays))


def _batched(arrays: Sequence[Any], axes: Sequence[Any], *, layer: Layer) -> Any:
    """Ops take any leading axes, so the batch goes to the front; lanes with parameters of
    their own are computed by small ops."""
    count = len(layer.operands)
    if any(axis is not None for axis in axes[count:]):
        run = jax.vmap(lambda *xs: tuple(_run(*xs, layer=layer)), in_axes=tuple(axes))
        found = run(*arrays)  # type: ignore[no-untyped-call]
        return found, [0] * len(found)
    size = next(
        a.shape[axis] for a, axis in zip(arrays, axes, strict=True) if axis is not None
    )
    flowing = [
        jnp.broadcast_to(a, (size, *a.shape))
        if axis is None
        else jnp.moveaxis(a, axis, 0)
        for a, axis in zip(arrays[:count], axes[:count], strict=True)
    ]
    found = layer_p.bind(*flowing, *arrays[count:], layer=layer)
    return found, [0] * len(found)


layer_p.def_abstract_eval(_shapes)
layer_p.def_impl(_run)
batching.primitive_batchers[layer_p] = _batched


def _jvp(primals: Any, tangents: Any, *, layer: Layer) -> Any:
    """Derivatives are those of what it computes."""

    def zeros(tangent: Any) -> Any:
        return jnp.zeros(tangent.aval.shape, tangent.aval.dtype)

    shown = [zeros(t) if type(t) is ad.Zero else t for t in tangents]
    first, second = jax.jvp(
        lambda *xs: tuple(_run(*xs, layer=layer)), tuple(primals), tuple(shown)
    )
    return list(first), list(second)


ad.primitive_jvps[layer_p] = _jvp


def enter(
    name: str,
    leaves: Sequence[tuple[tuple[str | int, ...], Any]],
    arguments: Any,
    doc: str = "",
    codes: tuple[tuple[str, str], ...] = (),
) -> tuple[Any, ...]:
    """Here a function of the source begins.

    Args:
        leaves: the arrays of the module, by path in it: they tell which module it is.
        arguments: what it is given, by name, as far as it is arrays.
        doc: what it says of itself, on one line.
        codes: functions of libraries whose statements name what they assign, each by its
            file and its name.

    Returns:
        What `leave` takes.
    """
    arrays = (*(array for _, array in leaves), *arguments.values())
    mark_p.bind(
        *arrays,
        mark="enter",
        name=name,
        paths=tuple(path for path, _ in leaves),
        arguments=tuple(arguments),
        doc=doc,
        codes=codes,
    )
    return arrays


def leave(arrays: Sequence[Any]) -> None:
    """Here it ends.

    Args:
        arrays: those of its beginning: a partial trace, which runs what it knows outside,
            takes both marks or none.
    """
    mark_p.bind(*arrays, mark="exit", name="", paths=(), arguments=())


mark_p.def_abstract_eval(lambda *_, **__: [])
mark_p.def_impl(lambda *_, **__: [])


def _mark_batched(arrays: Any, axes: Any, **static: Any) -> Any:
    mark_p.bind(*arrays, **static)
    return [], []


def _mark_jvp(primals: Any, tangents: Any, **static: Any) -> Any:
    mark_p.bind(*primals, **static)
    return [], []


batching.primitive_batchers[mark_p] = _mark_batched
ad.primitive_jvps[mark_p] = _mark_jvp
