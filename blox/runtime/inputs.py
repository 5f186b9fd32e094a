"""Inputs of an entry: dtypes, shapes, bounds of dims and constraints, at call time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from blox.schema import ModelError
from blox.schema.content import Input
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import ExpressionError, names
from blox.schema.fields import is_expression
from blox.schema.resolve.bounds import Limits
from blox.schema.resolve.program import Instance, Program

from .context import describe
from .sizes import evaluate
from .values import array_of

_OF_BUILD = ("train", "dtype", "axis_name")
"""What `bx.build` takes, and a call does not."""
_MAKES_KEYS = "jax.random.key(0) makes one, jax.random.wrap_key_data of raw data"

Sizes = dict[str, Any]


class Signature:
    """Binds arguments to the inputs of an entry and checks them."""

    def __init__(self, program: Program, instance: Instance) -> None:
        graph, self.entry = program.graph, instance.name
        self.values = instance.values
        self.inputs, self.dims = instance.function.inputs, instance.dims
        self.names = tuple(self.inputs)
        self.expected = {
            name: _Expected.of(
                f"{self.entry}.{name}",
                given,
                self.values,
                instance.input_copies.get(name),
            )
            for name, given in self.inputs.items()
        }
        self.limits = Limits(graph, self.dims, evaluate)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The inputs by name, as arrays; optional ones that are absent are None.

        Raises:
            ModelError: every input that is missing, unknown, or not as declared.
        """
        faults: list[Diagnostic] = []
        given = dict(zip(self.names, args, strict=False))
        if len(args) > len(self.names):
            text = f"expected at most {len(self.names)} inputs, found {len(args)}"
            faults.append(Diagnostic("inputs", self.entry, text, self._takes()))
        for name, value in kwargs.items():
            if name in given or name not in self.inputs:
                text = "given twice" if name in given else "no such input"
                shown = name if name in self.inputs else quote(name).strip("'\"")
                path = f"{self.entry}.{shown}"
                hint = self._takes()
                if name in _OF_BUILD and name not in self.inputs:
                    hint = f"bx.build(graph, {name}={quote(value)}) is another function"
                faults.append(Diagnostic("inputs", path, text, hint))
            else:
                given[name] = value
        result: dict[str, Any] = {}
        sizes: Sizes = {}
        for name, expected in self.expected.items():
            value = given.get(name)
            if value is None:
                result[name] = None
                if not expected.optional:
                    faults.append(expected.fault("nothing", self._takes()))
                continue
            result[name], found = expected.bound(value, sizes)
            faults += found
        if not faults:
            faults += self._faults_of_sizes(result, sizes)
        if faults:
            raise ModelError(faults)
        return result

    def _takes(self) -> str:
        return f"inputs are {', '.join(self.names) or 'none'}"

    def _faults_of_sizes(
        self, inputs: dict[str, Any], sizes: Sizes
    ) -> Iterator[Diagnostic]:
        """Faults that show once all dims have sizes."""
        known = {**self.values, **sizes} if sizes else self.values
        for name, expected in self.expected.items():
            if expected.computed and inputs[name] is not None:
                given = inputs[name]
                for i, value in enumerate(
                    [given] if expected.copies is None else given
                ):
                    yield from expected.item(i).faults_computed(value, known)
        for found in self.limits.broken(sizes, known):
            path = f"{self.entry}.{found.path}" if found.path else self.entry
            yield Diagnostic(found.code, path, found.message)

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Bounds and constraints, where a node calls the entry.

        Raises:
            ModelError: every one that does not hold.
        """
        sizes = {
            n: jnp.shape(array_of(inputs[at]))[axis]
            for n, (at, axis) in self.dims.items()
        }
        faults = list(self.limits.broken(sizes, {**self.values, **sizes}))
        if faults:
            raise ModelError(faults)


@dataclass(frozen=True, slots=True)
class _Expected:
    """An input, with all that is known of it before a call.

    Axes behind `...` count from the end. `computed` are sizes that depend on dims.
    """

    path: str
    dtype: str | None
    optional: bool
    integer: bool
    shown: str
    rank: int
    open: bool
    fixed: tuple[tuple[int, int], ...]
    dims: tuple[tuple[int, str], ...]
    computed: tuple[tuple[int, str], ...]
    copies: int | None
    """How many arrays it has that is a list."""

    @classmethod
    def of(
        cls, path: str, given: Input, values: Mapping[str, Any], copies: int | None
    ) -> _Expected:
        shape = [_known(part, values) for part in given.shape or []]
        after = shape.index("...") if "..." in shape else len(shape)
        axes = [(i if i < after else i - len(shape), p) for i, p in enumerate(shape)]
        return cls(
            path,
            given.dtype,
            given.optional,
            (given.dtype or "").startswith(("int", "uint")),
            f"[{', '.join(map(str, shape))}]",
            len(shape) - ("..." in shape),
            "..." in shape,
            tuple((i, p) for i, p in axes if isinstance(p, int)),
            tuple((i, p) for i, p in axes if p not in ("...", "_") and _is_dim(p)),
            tuple((i, p) for i, p in axes if is_expression(p)),
            copies,
        )

    def item(self, i: int) -> _Expected:
        """An array of a list; an array that is none is itself."""
        if self.copies is None:
            return self
        return replace(self, path=f"{self.path}.{i}", copies=None)

    def bound(self, value: Any, sizes: Sizes) -> tuple[Any, list[Diagnostic]]:
        """A value as an array or a list of them, and what is wrong with it.

        Args:
            value: not None.
            sizes: those of dims, which get the new ones.
        """
        if self.copies is not None:
            is_list = isinstance(value, (list, tuple))
            if not is_list or len(value) != self.copies:
                found = f"one of {len(value)}" if is_list else describe(value)
                name = self.path.rpartition(".")[2]
                name += ".values()" if isinstance(value, Mapping) else ""
                return None, [self.fault(found, "" if is_list else f"give [*{name}]")]
            pairs = [self.item(i).bound(part, sizes) for i, part in enumerate(value)]
            return [a for a, _ in pairs], [
                fault for _, found in pairs for fault in found
            ]
        try:
            array = value if isinstance(value, jax.Array) else jnp.asarray(value)
        except (TypeError, ValueError):
            return None, [self.fault(describe(value))]
        array = self.converted(array)
        return array, [*self.faults(array, sizes)]

    def converted(self, value: Any) -> Any:
        """A Python integer has the integer type that is wanted, others stay."""
        if not self.integer or not getattr(value, "weak_type", False):
            return value
        integer = jnp.issubdtype(value.dtype, jnp.integer)
        return value.astype(self.dtype) if integer else value

    def fault(self, found: str, hint: str = "") -> Diagnostic:
        dtype = "" if self.dtype is None else f"{self.dtype} "
        kind = "a key" if self.dtype == "key" else f"{dtype}{self.shown}"
        if self.copies is not None:
            kind = f"a list of {self.copies}, each {kind}"
        elif self.dtype == "key":
            hint = hint or _MAKES_KEYS
        return Diagnostic("inputs", self.path, f"expected {kind}, found {found}", hint)

    def faults(self, value: Any, sizes: Sizes) -> Iterator[Diagnostic]:
        """Faults of dtype and shape; sizes get those of dims that are new."""
        if fault := self._dtype_fault(value):
            yield fault
            if self.dtype == "key":
                return  # the shape of raw data says nothing
        found = value.shape
        rank = len(found)
        if rank < self.rank if self.open else rank != self.rank:
            yield self._shape_fault(value)
            return
        if any(found[axis] != size for axis, size in self.fixed):
            yield self._shape_fault(value)
        for axis, dim in self.dims:
            if sizes.setdefault(dim, found[axis]) != found[axis]:
                yield self._shape_fault(
                    value, f", where {dim} is {sizes[dim]} elsewhere"
                )

    def faults_computed(
        self, value: Any, known: Mapping[str, Any]
    ) -> Iterator[Diagnostic]:
        for axis, text in self.computed:
            try:
                size = evaluate(text, known)
            except ExpressionError as error:
                yield self._shape_fault(value, f": {error}")
                continue
            if size != value.shape[axis]:
                yield self._shape_fault(value, f", where {text} is {size}")

    def _shape_fault(self, value: Any, more: str = "") -> Diagnostic:
        text = f"expected shape {self.shown}, found {_shown(value.shape)}{more}"
        return Diagnostic("inputs", self.path, text)

    def _dtype_fault(self, value: Any) -> Diagnostic | None:
        if self.dtype == "key":
            if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
                return None
            return self.fault(describe(value))
        if self.dtype == "float":
            if jnp.issubdtype(value.dtype, jnp.floating):
                return None
            text = f"expected a floating dtype, found {value.dtype}"
            pairs = jnp.issubdtype(value.dtype, jnp.complexfloating)
            hint = "x.real is one" if pairs else 'cast it: x.astype("float32")'
            return Diagnostic("inputs", self.path, text, hint)
        if self.dtype is None or value.dtype == self.dtype:
            return None
        text = f"expected dtype {self.dtype}, found {value.dtype}"
        return Diagnostic(
            "inputs", self.path, text, f'cast it: x.astype("{self.dtype}")'
        )


def _known(part: Any, values: Mapping[str, Any]) -> Any:
    if is_expression(part) and all(n in values for n in names(part)):
        return evaluate(part, values)
    return part


def _is_dim(part: Any) -> bool:
    return isinstance(part, str) and not is_expression(part)


def _shown(shape: tuple[Any, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
