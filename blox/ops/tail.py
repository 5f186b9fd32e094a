"""The end of a generated file: parameters drawn and loaded, over tables of its arrays.

The tables here are those of a model that has a bit of everything. The generator puts a
model's own in their place, and drops what they decide: LISTED where no copies lie in
lists, STACKED and DTYPES where they are empty, EXACT where last names are keys enough
(of INIT, of DTYPES), WIDE where no dtype has 64 bits, BESIDE where all that lies below
a repeat is of its copies, NESTED where no copies on an axis lie in lists, DEEP
where no array has two axes of copies.

In the path of an array `*.` stands for a leading axis of copies, `*0/2.` for the first of
two copies in a list. STACKED has the paths below which arrays have one more axis, with
`*` for both; INIT and DTYPES have the names alone.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]


def in_float32(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """What an initialiser draws that decomposes a matrix: not to be done in 16 bits."""
    array: Array = make(key, shape, jnp.promote_types(dtype, jnp.float32))
    return array.astype(dtype)


SHAPES: Params = {
    "stem": {"kernel": (4, 8)},
    "blocks": {"kernel": (3, 8, 8), "bias": (3, 8)},
    "heads": [{"kernel": (8, 2), "scale": (2,)} for _ in range(2)],
}
STACKED: Any = ["blocks"]
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "stem.kernel": partial(in_float32, jax.nn.initializers.orthogonal()),
}
DTYPES: dict[str, str] = {"scale": "float32"}
LISTED: bool = True
EXACT: bool = True
EXACT_DTYPES: bool = True
WIDE: bool = True
BESIDE: bool = False
NESTED: bool = False
DEEP: bool = True


def each_array(make: Any, tree: Any, path: str = "") -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    if (
        STACKED
        and (re.sub("[0-9]+/[0-9]+", "", path) if NESTED else path)[:-1] in STACKED
    ):
        if BESIDE:
            end = STACKED[(re.sub("[0-9]+/[0-9]+", "", path) if NESTED else path)[:-1]]
            return each_array(make, tree, path.removesuffix(end) + "*." + end)
        return each_array(make, tree, path + "*.")
    if isinstance(tree, tuple):
        return make(path[:-1], tree)
    if LISTED and isinstance(tree, list):
        # In a path, *0/2 is the first of two copies.
        n = len(tree)
        return [each_array(make, t, f"{path}*{i}/{n}.") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}{k}.") for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    floating = jnp.issubdtype(dtype, jnp.floating)
    if not floating or dtype != jax.dtypes.canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(path: str, shape: tuple[int, ...], *copies: Any) -> Any:
        if LISTED and "*" in path:
            head, i, _, end = re.split("[*]([0-9]*)/?([0-9]*)[.]", path, maxsplit=1)
            if STACKED and not i:
                copy = partial(draw, head + end, shape[1:], *copies)
                return jax.vmap(copy)(jnp.arange(shape[0]))
            return draw(head + end, shape, *copies, int(i))
        if STACKED and not LISTED and "*" in path:
            copy = partial(draw, path.replace("*.", "", 1), shape[1:], *copies)
            return jax.vmap(copy)(jnp.arange(shape[0]))
        name = path.rpartition(".")[2]
        if STACKED or LISTED:
            own = reduce(jax.random.fold_in, (zlib.crc32(path.encode()), *copies), key)
        else:
            own = jax.random.fold_in(key, zlib.crc32(path.encode()))
        init = INIT[path if path in INIT else name] if EXACT else INIT[name]
        if not (DTYPES or EXACT):
            return INIT[path.rpartition(".")[2]](own, shape, dtype)
        if not DTYPES:
            return init(own, shape, dtype)
        if not (EXACT_DTYPES or WIDE):
            return init(own, shape, DTYPES.get(name, dtype))
        kind = DTYPES.get(name, dtype)
        if EXACT_DTYPES:
            kind = DTYPES.get(path, kind)
        if WIDE and kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        return init(own, shape, kind)

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        names = set(places.values())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{index}: expected a weight_map, found {error!r}") from None
    shards = {f.name: load_file(f) for f in path.iterdir() if f.name in names}
    if places != {key: name for name, shard in shards.items() for key in shard}:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for shard in shards.values() for key, array in shard.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    numbered = (
        {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
        if STACKED or LISTED
        else set[str]()
    )
    faults: list[str] = []
    read: list[str] = []

    def take(path: str, shape: tuple[int, ...], axis: int = 0) -> Any:
        if LISTED and "*" in path:
            head, i, n, end = re.split("[*]([0-9]*)/?([0-9]*)[.]", path, maxsplit=1)
            if (i and head in numbered) if STACKED else head in numbered:
                return take(f"{head}{i}.{end}", shape, axis)
            if not STACKED:
                shape = (*shape[:axis], int(n), *shape[axis:])
                return np.take(take(head + end, shape, axis + 1), int(i), axis)
            if i:
                shape = (*shape[:axis], int(n), *shape[axis:])
                return np.take(take(head + end, shape, axis + 1), int(i), axis)
            if head in numbered:
                each = [f"{head}{i}.{end}" for i in range(shape[axis])]
                shape = shape[:axis] + shape[axis + 1 :]
                return np.stack([take(name, shape, axis) for name in each], axis)
            return take(head + end, shape, axis + 1)
        if STACKED and not (LISTED or DEEP):
            head, copies, end = path.partition("*.")
            if copies and head in numbered:
                each = [take(f"{head}{i}.{end}", shape[1:]) for i in range(shape[0])]
                return np.stack(each)
            path = head + end
        if STACKED and DEEP and not LISTED:
            head, copies, end = path.partition("*.")
            if copies and head in numbered:
                each = [f"{head}{i}.{end}" for i in range(shape[axis])]
                shape = shape[:axis] + shape[axis + 1 :]
                return np.stack([take(name, shape, axis) for name in each], axis)
            if copies:
                return take(head + end, shape, axis + 1)
        if LISTED:
            read.append(path)
            x = arrays.get(path, np.array(None))
        else:
            x = arrays.pop(path, np.array(None))
        kind = DTYPES.get(path.rpartition(".")[2], "float") if DTYPES else "float"
        if EXACT_DTYPES:
            names = [part for part in path.split(".") if not part.isdigit()]
            kind = DTYPES.get(".".join(names), kind)
        wanted = (jnp.floating if kind == "float" else kind) if DTYPES else jnp.floating
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        if DTYPES:
            faults.append(f"{path}: expected {kind} {shape}, found {found}")
        else:
            faults.append(f"{path}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = each_array(take, SHAPES)
    if LISTED:
        left = sorted(arrays.keys() - read)
        faults += [f"{name}: expected no such array" for name in left]
    else:
        faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError(
            "; ".join(([*dict.fromkeys(faults)] if LISTED else faults)[:20])
        )
    return dict(jax.tree.map(jnp.asarray, params))
