"""What `bx.from_jax` is given, held against what a Graph can have before a trace begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from numbers import Integral
from typing import Any

import jax

import blox as bx
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.schema.dtypes import NEEDS_X64
from blox.schema.names import RESERVED, is_name
from blox.weights.dtypes import ITEMSIZE

from ..array_names import name_of
from .frontends.paths import path_of
from .internals import is_alone, is_tracer
from .source import Source
from .trace import Bounds

_BOUNDS = ("max", "min", "multiple_of")


def require_inputs(inputs: Mapping[str, bx.Input], dims: Bounds) -> None:
    """Refuses inputs and bounds that no Graph has, all of them.

    Raises:
        SpecError: it is called while JAX traces, or for each that is not as expected.
    """
    if not is_alone():
        raise _fault(
            "bx.from_jax",
            "expected to be called by itself, found that JAX traces what calls it",
            "import outside of jax.jit, grad and vmap; what it gives can be used there",
        )
    if not isinstance(inputs, Mapping):
        raise _fault(
            "inputs",
            f"expected a dict of bx.Input by name, found {quote(inputs)}",
            'inputs={"x": bx.Input(["batch", 8])}',
        )
    if listed := bounded(chain(_of_inputs(inputs), _of_bounds(inputs, dims))):
        raise bx.SpecError(listed)


def require_arrays_of(source: Source) -> None:
    """Refuses arrays of a model that no Graph has, all of them.

    Raises:
        SpecError: 64 bits while JAX takes 32, and what are no numbers.
    """
    if listed := bounded(_of_arrays(source.arrays)):
        raise bx.SpecError(listed)


def _of_inputs(inputs: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for name, declared in inputs.items():
        if not isinstance(name, str) or not is_name(name):
            yield Diagnostic(
                "import-model",
                quote(name),
                "expected a name of ASCII letters, digits and inner underscores that "
                "begins with a letter and is no word of Python",
                "the names are those of the Graph, not of the function: inputs are "
                "given in order",
            )
        elif name in RESERVED:
            yield Diagnostic(
                "import-model",
                f"inputs.{name}",
                "expected a name that no builtin of Python and no name in a generated "
                f"file is, found {quote(name)}",
                f"{name}_1, say: inputs are given in order, whatever their names",
            )
        if not isinstance(declared, bx.Input):
            yield Diagnostic(
                "import-model",
                f"inputs.{quote(name)}",
                f"expected a bx.Input, found {quote(declared)}",
                'bx.Input(["batch", 8]), bx.Input(["batch"], "int32")',
            )
            continue
        for size in declared.shape:
            yield from _of_size(name, size)


def _of_size(name: str, size: Any) -> Iterator[Diagnostic]:
    where = f"inputs.{name}.shape"
    if isinstance(size, str) and size in RESERVED:
        yield Diagnostic(
            "import-model",
            where,
            f"expected a name of a dim that shadows nothing, found {quote(size)}",
            "choose another name",
        )
    elif not (is_name(size) if isinstance(size, str) else _is_size(size)):
        yield Diagnostic(
            "import-model",
            where,
            f"expected a number or the name of a dim for each axis, found {quote(size)}",
            "the model is traced with that many axes; a size that follows from another "
            "has a name of its own",
        )


def _is_size(size: Any) -> bool:
    return isinstance(size, Integral) and size is not True and int(size) >= 0


def _of_bounds(inputs: Mapping[str, Any], dims: Any) -> Iterator[Diagnostic]:
    there = [s for i in inputs.values() for s in getattr(i, "shape", ())]
    for name, bounds in dims.items():
        if name not in there:
            names = ", ".join(dict.fromkeys(s for s in there if isinstance(s, str)))
            yield Diagnostic(
                "import-model",
                f"dims.{quote(name)}",
                f"expected a dim of an input, found none of this name "
                f"({names or 'all sizes are numbers'})",
            )
        fits = isinstance(bounds, Mapping) and all(
            key in _BOUNDS and type(bound) is int for key, bound in bounds.items()
        )
        if not fits:
            yield Diagnostic(
                "import-model",
                f"dims.{quote(name)}",
                f"expected {', '.join(_BOUNDS)} by name, found {quote(bounds)}",
                '{"seq": {"max": 512}}',
            )


def _of_arrays(arrays: Any) -> Iterator[Diagnostic]:
    x64 = bool(jax.config.jax_enable_x64)  # type: ignore[attr-defined]
    for keys, leaf in jax.tree_util.tree_flatten_with_path(arrays)[0]:
        dtype = str(getattr(leaf, "dtype", ""))
        if is_tracer(leaf):
            yield Diagnostic(
                "import-model",
                name_of(path_of(keys)),
                "expected an array, found one that is traced",
                "import outside of jax.jit, grad and vmap",
            )
        elif dtype in NEEDS_X64 and not x64:
            yield Diagnostic(
                "import-model",
                name_of(path_of(keys)),
                f"expected at most 32 bits per value, found {dtype}",
                "JAX computes in 32: params = jax.tree.map(jnp.asarray, params)",
            )
        elif dtype not in ITEMSIZE and not dtype.startswith("key<"):
            yield Diagnostic(
                "import-model",
                name_of(path_of(keys)),
                f"expected an array of numbers, found one of {quote(dtype)}",
                "bind what is no array to the function: functools.partial",
            )


def _fault(path: str, message: str, hint: str) -> bx.SpecError:
    return bx.SpecError.one("import-model", path, message, hint)
