"""Primitives that change the dtype."""

from __future__ import annotations

from typing import get_args

from blox.schema.dtypes import DType

from ...views import View
from ..context import Missing
from ..fold import of_numbers
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from ..numbers import real_dtype, said_dtype
from .elementwise import folded, modelled


@rule("convert_element_type")
def convert_element_type(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    if x.dtype == dtype:
        return x
    if dtype not in get_args(DType):
        raise Missing(f"convert_element_type: {dtype} is no dtype of blox")
    if (found := of_numbers(equation, [x])) is not None:
        return found
    if x.is_number and ("int" in dtype or "float" in dtype):
        return View.filled(x.source, shape, dtype)  # type: ignore[arg-type]
    if x.dtype.startswith("complex") and not dtype.startswith(("complex", "bool")):
        x = modelled(
            lower, lower.elementwise("real", {"x": x}, shape, real_dtype(x.dtype))
        )
    return cast(lower, x, dtype)


def cast(lower: Lowering, x: View, dtype: str) -> View:
    """It in another dtype, where it has another one."""
    if x.dtype == dtype:
        return x
    attributes = {"dtype": said_dtype(dtype)}
    return lower.elementwise("astype", {"x": x}, x.shape, dtype, attributes)


@rule("reduce_precision")
@folded
def reduce_precision(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    bits = ("exponent_bits", "mantissa_bits")
    attributes = {name: int(equation.params[name]) for name in bits}
    x = lower.read(equation.invars[0])
    return lower.elementwise("reduce_precision", {"x": x}, shape, dtype, attributes)


@rule("bitcast_convert_type")
def bitcast_convert_type(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    if x.dtype == dtype:
        return x
    x = fixed(lower, x)
    attributes = {"dtype": dtype}
    op = "bitcast_convert_type"
    if len(shape) == x.ndim:
        made = lower.elementwise(op, {"x": x}, shape, dtype, attributes)
    else:
        made = lower.emit(op, {"x": lower.array(x)}, attributes, shape, dtype)
    if dtype != "float32":
        return made
    own = {"dtype": "float"}
    return lower.elementwise("astype", {"x": made}, shape, dtype, own)


def fixed(lower: Lowering, x: View) -> View:
    """It with the number of bits that it has in the source, whatever the model's float."""
    if x.dtype != "float32":
        return x
    attributes = {"dtype": "float32"}
    return lower.elementwise("astype", {"x": x}, x.shape, x.dtype, attributes)


@rule("conj")
@folded
def conj(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    if not x.dtype.startswith("complex"):
        parts = {"real": x, "imag": View.filled(0.0, (), x.dtype)}
        return lower.elementwise("complex", parts, shape, dtype)
    return lower.elementwise("conj", {"x": x}, shape, dtype)
