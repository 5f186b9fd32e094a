"""The judgement of a mutant: it is reported, or file and loaded model agree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import executed, functions, inputs_of, ways
from jaxprs import same_program

import blox as bx
from blox.schema import BloxError, Graph, ModelError, from_bytes

SIZES = (2, 3, 4, 5, 8, 1, 16)
"""Sizes that dims get, in this order, until they are within the bounds."""
TRIED = 50
LARGEST = 1 << 16
"""Elements of the largest array of a mutant that is run with numbers."""
LONGEST = 1500
"""Characters of one diagnostic."""

X64 = {"float64", "int64", "uint64"}


class Escape(Exception):
    """A mutant that is neither reported nor right."""


def judge(data: Any, *, way: int | None = None, numbers: bool = False) -> str:
    """`reported` or `agrees`.

    Args:
        data: a Graph as plain data.
        way: one way to call the model, of an entry, in training or not, with optional
            inputs or not, by a number that may be larger; None: all ways.
        numbers: run what is small enough, too; a trace costs less than a compilation.

    Raises:
        Escape: it is neither. Any error but a BloxError is left as it is.
    """
    try:
        graph = from_bytes(json.dumps(data).encode())
    except BloxError as error:
        return _reported(error.diagnostics)
    wide = X64 & {leaf.dtype for leaf in _leaves(graph)} | X64 & {
        str(given.dtype)
        for function in graph.functions.values()
        for given in function.inputs.values()
    }
    report = bx.validate(graph)
    if not report.ok:
        return _reported(report.diagnostics)
    with jax.enable_x64(bool(wide)):
        return _compare(graph, way, numbers, undecided=len(report.diagnostics) > 0)


def _leaves(graph: Graph) -> list[Any]:
    try:
        return list(graph.program().leaves().values())
    except BloxError:
        return []


def _reported(diagnostics: Any) -> str:
    for found in diagnostics:
        line = str(found)
        if len(line) > LONGEST or not line.isascii() or not line.isprintable():
            raise Escape(f"a diagnostic is no line of text: {line[:200]!r}")
    if not diagnostics:
        raise Escape("refused without a reason")
    return "reported"


def _compare(graph: Graph, way: int | None, numbers: bool, *, undecided: bool) -> str:
    source = bx.generate(graph)
    names = executed(source)
    params = _params(graph, source, names)
    drawn: list[Any] = []
    chosen = list(ways(graph))
    if way is not None:
        chosen = [chosen[way % len(chosen)]]
    for entry, train, optional in chosen:
        where = f"{entry}, train {train}, optional {optional}"
        loaded, generated = functions(graph, names, entry, train)
        found = _called(graph, entry, loaded, params, optional, undecided)
        if found is None:
            continue
        args, ours = found
        theirs = _traced(generated, params, args)
        if ours[1:] != theirs[1:]:
            raise Escape(f"{where}: outputs {ours[1:]} loaded, {theirs[1:]} generated")
        same = same_program(ours[0], theirs[0])
        if (numbers or not same) and _largest(ours[0]) <= LARGEST:
            drawn = drawn or _drawn(graph, names)
            _run(loaded, generated, drawn, args, where)
        elif not same:
            raise Escape(f"{where}: jaxprs differ, too large to compare numbers")
    return "agrees"


def _params(graph: Graph, source: str, names: Any) -> Any:
    """The shapes of Params, which are the same by `bx.init` and by the file.

    Most mutants have the arrays of others: those are compared once.
    """
    arrays = (repr(graph.program().tree), source.partition("\n# The shape of each")[2])
    if arrays not in _COMPARED:
        key = jax.random.key(0)
        params = jax.eval_shape(lambda: bx.init(graph, key))
        made = jax.eval_shape(lambda: names["init_params"](key))
        if str(params) != str(made):
            raise Escape(f"init gives {params}, init_params {made}")
        _COMPARED[arrays] = params
    return _COMPARED[arrays]


_COMPARED: dict[tuple[str, str], Any] = {}


def _traced(function: Any, params: Any, args: Any) -> tuple[Any, Any, Any]:
    """The jaxpr, the shapes of the outputs, and which of them were no arrays."""
    kinds: list[Any] = []

    def observed(*given: Any) -> Any:
        result = function(*given)
        kinds.extend(isinstance(x, jax.Array) for x in jax.tree.leaves(result))
        return result

    jaxpr, shapes = jax.make_jaxpr(observed, return_shape=True)(params, *args)
    return jaxpr, shapes, kinds


def _called(
    graph: Graph, entry: str, loaded: Any, params: Any, optional: bool, undecided: bool
) -> tuple[list[Any], Any] | None:
    """Inputs of an entry that fit, and its trace; None where none of the sizes do."""
    for sizes in _sizes(graph, entry):
        instance = graph.program().entries[entry]
        args = inputs_of(instance, optional=optional, sizes=sizes)
        try:
            return args, _traced(loaded, params, args)
        except ModelError as error:
            if {d.code for d in error.diagnostics} <= {"dims", "inputs"} or undecided:
                continue
            raise Escape(f"{entry}: valid, and {error}, at {sizes}") from None
    return None


def _sizes(graph: Graph, entry: str) -> Iterator[dict[str, int]]:
    dims = dict.fromkeys(
        dim
        for given in graph.functions[entry].inputs.values()
        for dim in given.shape or ()
        if isinstance(dim, str) and dim.isidentifier()
    )
    for chosen in islice(product(SIZES, repeat=len(dims)), TRIED):
        yield dict(zip(dims, chosen, strict=True))


def _largest(jaxpr: Any) -> int:
    sizes = [v.aval.size for e in jaxpr.jaxpr.eqns for v in e.outvars]
    return max([v.aval.size for v in jaxpr.jaxpr.invars] + sizes, default=0)


def _drawn(graph: Graph, names: Any) -> list[Any]:
    """Params by `bx.init` and by the file, which are the same."""
    key = jax.random.key(3)
    params, made = bx.init(graph, key), names["init_params"](key)
    _assert_close(params, made, "Params")
    return [params, made]


def _run(loaded: Any, generated: Any, drawn: list[Any], args: Any, where: str) -> None:
    """Both, each with its own Params, in one compilation."""

    @jax.jit
    def both(params: Any, made: Any, inputs: Any) -> Any:
        return loaded(params, *inputs), generated(made, *inputs)

    ours, theirs = both(*drawn, [_filled(x) for x in args])
    _assert_close(ours, theirs, where)


def _filled(x: Any) -> Any:
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jnp.broadcast_to(jax.random.key(1), x.shape)
    return (jnp.arange(x.size) % 3).reshape(x.shape).astype(x.dtype)


def _assert_close(ours: Any, theirs: Any, where: str) -> None:
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        if a.dtype != b.dtype or not np.allclose(a, b, 1e-5, 1e-6, equal_nan=True):
            raise Escape(f"{where}: {a} loaded, {b} generated")
