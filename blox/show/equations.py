"""The operations of a jaxpr, counted from the shapes of its equations.

A multiply-add of a matrix product or a convolution is two operations; taps of a convolution
on padding count. Else an equation with floats is one operation for each element: of what it
gives, of what it takes where it reduces that. Moving, converting and sorting data is none.
Solvers of linear algebra are not counted: they are unknown.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from operator import mul
from typing import Any

import jax.numpy as jnp

from blox.shapes.symbolic import Symbols, is_symbolic, terms, variables
from blox.show.count import UNKNOWN, Count, largest, total

_MOVES = frozenset(
    (
        "bitcast_convert_type",
        "broadcast_in_dim",
        "concatenate",
        "convert_element_type",
        "copy",
        "device_put",
        "dynamic_slice",
        "dynamic_update_slice",
        "empty",
        "gather",
        "imag",
        "iota",
        "name",
        "optimization_barrier",
        "pad",
        "real",
        "reduce_precision",
        "reshape",
        "reshard",
        "rev",
        "scatter",
        "select_n",
        "sharding_constraint",
        "slice",
        "sort",
        "split",
        "squeeze",
        "stack",
        "stop_gradient",
        "tile",
        "top_k",
        "transpose",
        "unstack",
        "zeros_like",
    )
)
_OPAQUE = frozenset(
    (
        "cholesky",
        "custom_linear_solve",
        "eig",
        "eigh",
        "ffi_call",
        "geqrf",
        "householder_product",
        "io_callback",
        "lu",
        "pure_callback",
        "qr",
        "scaled_dot",
        "schur",
        "svd",
        "triangular_solve",
        "tridiagonal_solve",
    )
)
"""Which take more than one operation for each element, and no more is said of them."""
_MANY = 256
"""Terms of a size that is not looked into."""
_REDUCTIONS = ("reduce", "arg", "cum")


class Equations:
    """Counts jaxprs of one Graph.

    Args:
        symbols: those of the Graph.
    """

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._sizes: dict[str, Count] = {}

    def __call__(self, jaxpr: Any) -> Count:
        """The operations of one run."""
        return total(map(self._equation, getattr(jaxpr, "jaxpr", jaxpr).eqns))

    def size(self, size: Any) -> Count:
        """A number, or a symbolic size."""
        if not is_symbolic(size):
            return Count.of(int(size))
        text = str(size)
        found = self._sizes.get(text)
        if found is None:
            found = self._sizes[text] = self._parsed(size, text)
        return found

    def sizes(self, sizes: Sequence[Any]) -> Count:
        """Their product."""
        return reduce(mul, map(self.size, sizes), Count.of(1))

    def _parsed(self, size: Any, text: str) -> Count:
        lost = not variables(size).isdisjoint(self._symbols.unknown)
        if lost or terms(size) > _MANY:
            return UNKNOWN
        return self._tree(ast.parse(text.replace("^", "**"), mode="eval").body)

    def _tree(self, tree: ast.expr) -> Count:
        """The polynomial that JAX has written; what is no sum or product is one name."""
        match tree:
            case ast.Constant(value=int() as number):
                return Count.of(number)
            case ast.Name(id=name):
                return Count.size(*self._symbols.dim_of(name))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._tree(operand) * Count.of(-1)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._tree(left) + self._tree(right)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return self._tree(left) + self._tree(right) * Count.of(-1)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self._tree(left) * self._tree(right)
            case ast.BinOp(
                left=left, op=ast.Pow(), right=ast.Constant(value=int() as power)
            ):
                return reduce(mul, [self._tree(left)] * power)
        return Count.size(self._symbols.shown(ast.unparse(tree)))

    def _equation(self, equation: Any) -> Count:
        name = equation.primitive.name
        rule = _RULES.get(name)
        if rule is not None:
            return rule(self, equation)
        if name in _OPAQUE:
            return UNKNOWN
        taken, given = _avals(equation.invars), _avals(equation.outvars)
        if name in _MOVES or not any(map(_is_float, (*taken, *given))):
            return total(map(self, _jaxprs(equation.params.values())))
        if name.startswith("scatter"):
            return self.sizes(taken[-1].shape)
        if name.startswith("reduce_window"):
            window = equation.params["window_dimensions"]
            return self.sizes(given[0].shape) * self.sizes(window)
        if name.startswith(_REDUCTIONS):
            return self.sizes(taken[0].shape)
        inner = list(_jaxprs(equation.params.values()))
        return total(map(self, inner)) if inner else self.sizes(given[0].shape)


def _dot(counts: Equations, equation: Any) -> Count:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left, _ = _avals(equation.invars)
    (out,) = _avals(equation.outvars)
    depth = counts.sizes([left.shape[axis] for axis in contracted])
    return Count.of(2) * counts.sizes(out.shape) * depth


def _ragged_dot(counts: Equations, equation: Any) -> Count:
    """Every row meets the matrix of its group alone."""
    (contracted, _), _ = equation.params[
        "ragged_dot_dimension_numbers"
    ].dot_dimension_numbers
    left = _avals(equation.invars)[0]
    (out,) = _avals(equation.outvars)
    depth = counts.sizes([left.shape[axis] for axis in contracted])
    return Count.of(2) * counts.sizes(out.shape) * depth


def _convolution(counts: Equations, equation: Any) -> Count:
    """Every element given takes all places of the kernel; where strides spread out what is
    taken, every element of that meets all places of the kernel.
    """
    image, kernel = _avals(equation.invars)
    (out,) = _avals(equation.outvars)
    outputs, inputs, *_ = equation.params["dimension_numbers"].rhs_spec
    spread = any(n != 1 for n in equation.params["lhs_dilation"])
    groups = equation.params["feature_group_count"] if spread else 1
    ends, shared = (image, inputs) if spread else (out, outputs)
    places = [size for axis, size in enumerate(kernel.shape) if axis != shared]
    each = counts.sizes(places) * Count.of(Fraction(2, groups))
    return counts.sizes(ends.shape) * each


def _fourier(counts: Equations, equation: Any) -> Count:
    """5 n log2(n) for n complex elements, half of it for real ones."""
    lengths = equation.params["fft_lengths"]
    if any(map(is_symbolic, lengths)):
        return UNKNOWN
    ends = [*_avals(equation.invars), *_avals(equation.outvars)]
    real = [
        aval for aval in ends if not jnp.issubdtype(aval.dtype, jnp.complexfloating)
    ]
    each = Fraction(5 * (math.prod(lengths) - 1).bit_length(), 2 if real else 1)
    return counts.sizes((real or ends)[0].shape) * Count.of(each)


def _scan(counts: Equations, equation: Any) -> Count:
    return counts(equation.params["jaxpr"]) * counts.size(equation.params["length"])


def _while(counts: Equations, equation: Any) -> Count:
    """How many steps it takes is for its data to say."""
    return total(map(counts, _jaxprs(equation.params.values()))) * UNKNOWN


def _cond(counts: Equations, equation: Any) -> Count:
    """The largest branch."""
    return largest(map(counts, equation.params["branches"]))


_RULES: dict[str, Callable[[Equations, Any], Count]] = {
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "ragged_dot_general": _ragged_dot,
    "fft": _fourier,
    "scan": _scan,
    "while": _while,
    "cond": _cond,
}


def _avals(variables: Sequence[Any]) -> list[Any]:
    return [variable.aval for variable in variables]


def _is_float(aval: Any) -> bool:
    dtype = getattr(aval, "dtype", None)
    return dtype is not None and bool(jnp.issubdtype(dtype, jnp.inexact))


def _jaxprs(values: Iterable[Any]) -> Iterator[Any]:
    """The jaxprs that an equation runs."""
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _jaxprs(value)
        elif hasattr(value, "eqns"):
            yield value
