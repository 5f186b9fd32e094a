"""What a function promises of its outputs, held to what was inferred of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blox.schema.content import Output
from blox.schema.expressions import ExpressionError
from blox.schema.fields import is_expression
from blox.schema.resolve.dims import is_dim_name
from blox.schema.resolve.program import Instance

from .binding import input_dtype
from .faults import Fault
from .symbolic import Symbols, is_symbolic, value_of, variables
from .values import Value, Values


def promises(instance: Instance) -> dict[int, tuple[str, Output]]:
    """(name, output) by its place, of every output of which something is said."""
    outputs = enumerate(instance.function.outputs.items())
    return {
        i: (name, output)
        for i, (name, output) in outputs
        if any(v is not None for v in (output.shape, output.dtype, output.next))
    }


def broken(
    promised: Mapping[int, tuple[str, Output]],
    outputs: Sequence[Value | None],
    inputs: Mapping[str, Value],
    sizes: Mapping[str, Any],
    values: Values,
    floating: Any,
) -> Iterator[Fault]:
    """A fault for every shape, dtype and next value that is not as promised.

    Args:
        promised: those of `promises`.
        outputs: what was inferred of all outputs.
        inputs: what flows in, by name; without absent ones.
        sizes: attributes, and the dims that the inputs bind.
        values: those of the Graph.
        floating: the model's floating type.
    """
    symbols = values.symbols
    for i, (name, output) in promised.items():
        value = outputs[i]
        if value is None or value.unknown:
            continue
        value = values.as_array(value)
        path = f"outputs.{name}"
        if output.dtype is not None and value.dtype is not None:
            wanted = input_dtype(output.dtype, floating)
            if value.dtype != wanted:
                text = f"expected {output.dtype}, found {value.dtype}"
                yield Fault("shape", text, field=f"{path}.dtype")
        if output.shape is not None and value.shape is not None:
            text = f"expected shape {_list(output.shape)}"
            fits: bool | None = False
            try:
                fits = _fits(_sizes(output.shape, sizes, symbols), value.shape)
                text += f", found {_list(value.shape)}"
            except ExpressionError as error:
                text += f": {error}"
            if fits is not True:
                decided, field = fits is False, f"{path}.shape"
                yield Fault("shape", symbols.shown(text), decided=decided, field=field)
        before = inputs.get(output.next or "")
        if before is None or before.literal is not None or before.unknown:
            continue
        same = _fits(before.shape, value.shape)
        if same is not True or value.dtype != before.dtype:
            decided = same is False or value.dtype != before.dtype
            text = f"expected {before} as the input {output.next}, found {value}"
            yield Fault(
                "shape", symbols.shown(text), decided=decided, field=f"{path}.next"
            )


def _sizes(
    shape: Sequence[Any], sizes: Mapping[str, Any], symbols: Symbols
) -> list[Any]:
    """A declared shape with sizes for dims and expressions; `_` and `...` stay.

    What follows a fault may be any size.

    Raises:
        ExpressionError: a size has no value.
    """
    found: list[Any] = []
    for dim in shape:
        if is_dim_name(dim):
            dim = sizes[dim]
        elif is_expression(dim):
            dim = value_of(dim, sizes, symbols)
        lost = _is_size(dim) and not variables(dim).isdisjoint(symbols.unknown)
        found.append("_" if lost else dim)
    return found


def _fits(wanted: Sequence[Any] | None, found: Sequence[Any] | None) -> bool | None:
    """Whether a shape is as it should be; None where symbolic sizes don't tell."""
    if wanted is None or found is None:
        return True
    wanted = list(wanted)
    if "..." in wanted:
        at = wanted.index("...")
        more = max(len(found) - len(wanted) + 1, 0)
        wanted[at : at + 1] = ["_"] * more
    if len(wanted) != len(found):
        return False
    pairs = [
        (a, b)
        for a, b in zip(wanted, found, strict=True)
        if _is_size(a) and a is not b and not bool(a == b)
    ]
    if not pairs:
        return True
    numbers = [pair for pair in pairs if not any(map(is_symbolic, pair))]
    return False if numbers else None


def _is_size(dim: Any) -> bool:
    """False for `_` and `...`."""
    return not isinstance(dim, str)


def _list(shape: Sequence[Any]) -> str:
    return f"[{', '.join(map(str, shape))}]"
