"""Declared shapes: sizes made of them, and their dims bound to what flows in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blox.schema import ModelError, SpecError
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import ExpressionError, evaluate
from blox.schema.fields import is_expression
from blox.schema.resolve.dims import is_dim_name

from .sizes import Dims
from .values import Shape, show

if TYPE_CHECKING:
    from .writer import Writer


def check_list(path: str, shape: Any) -> None:
    """Refuses a text, whose characters would each be a dim."""
    if isinstance(shape, str) or not isinstance(shape, Sequence):
        raise SpecError.one(
            "builder-shape",
            path,
            f"expected a list of sizes, found {quote(shape)}",
            'such as ["batch", 3]; [] is the shape of a number',
        )


def declared_sizes(
    path: str, shape: Sequence[int | str], attributes: Mapping[str, Any], dims: Dims
) -> Shape:
    """The shape of an entry's input, dims symbolic; `...` is one axis of any size."""
    check_list(path, shape)
    sizes: list[Any] = []
    known = dict(attributes)
    for size in shape:
        if size in ("...", "_"):
            sizes.append(dims.fresh())
        elif is_dim_name(size):
            known[str(size)] = dims.symbol(str(size))
            sizes.append(known[str(size)])
        else:
            sizes.append(_value(path, size, known))
    return tuple(sizes)


def bind_shape(
    path: str, shape: Sequence[int | str], found: Shape | None, writer: Writer
) -> None:
    """Binds the dims that `shape` names to the sizes found.

    Raises:
        ModelError: another rank, or another size.
    """
    check_list(path, shape)
    if found is None:
        for size in shape:
            if is_dim_name(size):
                writer.sizes.setdefault(
                    str(size), writer.graph.dims.fresh(undecided=True)
                )
        return
    wanted = list(shape)
    sizes = list(found)
    if "..." in wanted:
        at = wanted.index("...")
        extra = len(sizes) - (len(wanted) - 1)
        if extra >= 0:
            wanted[at : at + 1] = ["_"] * extra
    fits = len(wanted) == len(sizes)
    if fits:
        for name, size in zip(wanted, sizes, strict=True):
            if is_dim_name(name):
                size_so_far = writer.sizes.setdefault(str(name), size)
                fits = fits and (size_so_far is size or bool(size_so_far == size))
            elif name != "_":
                fits = fits and bool(_value(path, name, writer.sizes) == size)
    if not fits:
        text = f"expected shape {show(tuple(shape))}, found {show(found)}"
        raise ModelError(Diagnostic("shape", path, text))


def _value(path: str, size: int | str, sizes: Mapping[str, Any]) -> Any:
    if isinstance(size, int):
        return size
    if not is_expression(size):
        text = f"expected a size, a dim or an expression, found {quote(size)}"
        raise SpecError.one("builder", path, text)
    try:
        return evaluate(size, sizes)
    except ExpressionError as error:
        raise SpecError.one("builder", path, str(error)) from None
