"""`bx.init`, `bx.split`, `bx.merge`: Params as a plain tree of arrays."""

from __future__ import annotations

import difflib
import fnmatch
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate, chain
from operator import attrgetter
from types import NoneType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from blox.ops import tail
from blox.ops.state import merge as merge
from blox.schema import Graph, Leaf, ModelError
from blox.schema.diagnostics import Diagnostic
from blox.schema.dtypes import NEEDS_X64
from blox.schema.graph import expect_graph
from blox.schema.resolve.program import Program
from blox.schema.resolve.trees import Tree

from .context import describe, floating_dtype
from .given import flat, refuse_given


@lru_cache(1024)
def initializer(init: Any) -> Callable[..., Array]:
    """The function that draws as an initialiser of the spec says."""
    arguments = init.model_dump(exclude={"name"})
    for name in init.NAMED:
        arguments[name] = arguments[name] and getattr(jnp, arguments[name])
    if init.FUNCTION:
        home, _, path = init.FUNCTION.partition(".")
        return partial(attrgetter(path or home)(jax if path else tail), **arguments)
    function = getattr(jax.nn.initializers, init.name)
    made: Callable[..., Array] = function if init.DIRECT else function(**arguments)
    return partial(tail.in_float32, made) if init.WIDE else made


def init(
    graph: Graph,
    key: Array,
    *,
    dtype: Any = "float32",
    given: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """New Params, by the initialisers of the Graph. Pure: jit and eval_shape apply.

    The key of an array is `fold_in(key, crc32(path))`, then the number of the copy folded
    in for each repeat around it. So adding a layer changes no other array, and a scanned
    and an unrolled repeat start the same.

    Args:
        graph: the Graph.
        key: `jax.random.key(seed)`.
        dtype: the model's floating type.
        given: arrays that there are already, nested as Params are: `{"encoder": weights}`.
            They stay what they are, and only the others are made.

    Returns:
        A nested dict of arrays by graph path; a list where an unrolled repeat lies.

    Raises:
        SpecError: the Graph is not sound. ModelError: dtype is no floating one, or arrays
            that are given do not fit the Graph.
    """
    expect_graph(graph)
    if not hasattr(key, "dtype"):
        found = type(key).__name__
        raise TypeError(f"expected a key, such as jax.random.key(0), found {found}")
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape:
        text = f"expected one key, found {describe(key)}"
        raise TypeError(f"{text}; jax.vmap(lambda key: bx.init(graph, key)) takes many")
    floating = floating_dtype(dtype)
    if not isinstance(given, (Mapping, NoneType)):
        found = type(given).__name__
        raise TypeError(f"expected given= to be a dict, as Params are, found {found}")
    there = dict(flat(given or {}))

    def grow(tree: Tree, parts: tuple[str | int, ...]) -> Any:
        if isinstance(tree, dict):
            return {n: grow(t, (*parts, n)) for n, t in tree.items()}
        if isinstance(tree, list):
            return [grow(t, (*parts, i)) for i, t in enumerate(tree)]
        known = there.get(".".join(map(str, parts)))
        return _drawn_at(tree, parts, key, floating) if known is None else known

    program = graph.program()
    _refuse_wide(program, floating)
    refuse_given(program, there)
    params: dict[str, Any] = grow(program.tree, ())
    return params


def initial(graph: Graph, path: str, key: Array, dtype: Any) -> Array:
    """One array of a Graph as `init` starts it.

    Args:
        graph: a Graph that is sound.
        path: of the array, numbers for copies in a list.
        key: `jax.random.key(seed)`.
        dtype: the model's floating type.
    """
    parts = tuple(int(p) if p.isdecimal() else p for p in path.split("."))
    return _drawn_at(graph.program().leaves()[path], parts, key, floating_dtype(dtype))


def _drawn_at(
    leaf: Leaf, parts: tuple[str | int, ...], key: Array, floating: Any
) -> Array:
    path = ".".join(p for p in parts if isinstance(p, str))
    numbers = [zlib.crc32(path.encode())]
    copies = _copies(leaf, parts)
    while copies and copies[0] != "*":  # compiled once for all of a list
        numbers.append(int(copies.pop(0)))
    folded = np.array(numbers, np.uint32)
    dtype = floating if leaf.dtype == "float" else jnp.dtype(leaf.dtype)
    make = initializer(leaf.init)
    drawn: Array = _drawn(tuple(copies), make, key, folded, leaf.full_shape, dtype)
    return drawn


def _refuse_wide(program: Program, floating: Any) -> None:
    if jax.dtypes.canonicalize_dtype("int64") == "int64":
        return
    faults = []
    for path, leaf in program.leaves().items():
        dtype = str(floating) if leaf.dtype == "float" else leaf.dtype
        if dtype in NEEDS_X64:
            text = f"expected at most 32 bits per value, found {dtype}"
            hint = 'JAX would cut it: jax.config.update("jax_enable_x64", True)'
            faults.append(Diagnostic("dtype", path, text, hint))
    if faults:
        raise ModelError(faults)


@partial(jax.jit, static_argnames=("copies", "make", "shape", "dtype"))
def _drawn(
    copies: tuple[str, ...],
    make: Callable[..., Array],
    key: Array,
    folded: Array,
    shape: tuple[int, ...],
    dtype: Any,
) -> Array:
    """An array with its copies; compiled once for all arrays that are alike.

    The numbers are folded into the key in here: on their own, each takes ten times what
    the call takes.
    """
    for number in folded:
        key = jax.random.fold_in(key, number)
    for copy in reversed(copies):
        if copy == "*":
            make = partial(_all_copies, make)
        else:
            make = partial(_one_copy, int(copy), make)
    return make(key, shape, dtype)


def _one_copy(
    number: int, make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Any:
    """What `make` draws for a copy in a list, which folds its number into the key."""
    return make(jax.random.fold_in(key, number), shape, dtype)


def _all_copies(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
    """What `make` draws for copies on an axis: each folds its number into the key."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: make(key, shape[1:], dtype))(keys)


def _copies(leaf: Leaf, parts: tuple[str | int, ...]) -> list[str]:
    """The copies around an array, outermost first: a number, or `*` for an axis."""
    copies: list[str] = []
    for depth in range(len(parts) + 1):
        if depth and isinstance(number := parts[depth - 1], int):
            copies.append(str(number))
        copies += ["*"] * leaf.below.count(len(parts) - depth)
    return copies


def matches(path: str, glob: str) -> bool:
    """True where a glob matches the path of an array, or of what it lies below."""
    either = (glob, f"{glob}.*")
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in either)


def split(
    graph: Graph, params: dict[str, Any], *, freeze: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(trainable, rest): what to take gradients of, and state, buffers, frozen leaves.

    `bx.merge(trainable, rest)` puts them together again.

    Args:
        graph: the Graph, which knows what is trainable.
        params: Params of it.
        freeze: globs over graph paths that are to stay as they are, such as `h.*.kernel`
            or `wte`, which stands for all below it.

    Raises:
        ModelError: Params has a leaf that the Graph doesn't know, or a glob matches none.
    """
    expect_graph(graph)
    if isinstance(freeze, str):
        raise TypeError(f"expected freeze= to be a list of globs; [{freeze!r}] is one")
    leaves = graph.program().leaves()
    unused = set(freeze)

    def frozen(path: str) -> bool:
        hits = {g for g in freeze if matches(path, g)}
        unused.difference_update(hits)
        return bool(hits)

    def parts(tree: Any, path: str) -> tuple[Any, Any]:
        if isinstance(tree, dict):
            both = {n: parts(t, f"{path}.{n}" if path else n) for n, t in tree.items()}
            return (
                {n: a for n, (a, _) in both.items() if a is not None},
                {n: b for n, (_, b) in both.items() if b is not None},
            )
        if isinstance(tree, list):
            pairs = [parts(t, f"{path}.{i}") for i, t in enumerate(tree)]
            # An array that is a part of a list leaves its place empty on the other side.
            return (
                [{} if a is None else a for a, _ in pairs],
                [{} if b is None else b for _, b in pairs],
            )
        leaf = leaves.get(path)
        if leaf is None:
            raise ModelError.one(
                "params", path, "expected a leaf of the Graph, found one it lacks"
            )
        is_frozen = frozen(path)
        return (tree, None) if leaf.trainable and not is_frozen else (None, tree)

    trainable, rest = parts(params, "")
    if unused:
        steps = (accumulate(path.split("."), "{}.{}".format) for path in leaves)
        near = difflib.get_close_matches(min(unused), {*chain(*steps)}, 1)
        raise ModelError.one(
            "freeze",
            "",
            f"expected globs that match a path, found {sorted(unused)}",
            f"did you mean {near[0]}?" if near else "",
        )
    return trainable, rest
