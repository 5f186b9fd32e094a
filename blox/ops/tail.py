"""The end of a generated file: parameters drawn and loaded, over tables of its arrays.

The tables here are those of a model that has a bit of everything. The generator puts a
model's own in their place, and drops what they decide: LISTED where no copies lie in
lists, STACKED and DTYPES where they are empty, EXACT where last names are keys enough
(of INIT, of DTYPES), WIDE where no dtype has 64 bits, BESIDE where all that lies below
a repeat is of its copies.

In the path of an array `*` stands for a leading axis of copies, `#` for the place of a
copy in a list. STACKED has the paths below which arrays have one more axis, INIT and
DTYPES the names alone. Of each copy functions get its number, and how many there are.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from functools import partial
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


def each_array(make: Any, tree: Any, path: str = "", *at: Any, over: Any = None) -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    grow = (
        partial(each_array, make, over=over) if STACKED else partial(each_array, make)
    )
    if STACKED and path[:-1] in STACKED:
        n = jax.tree.leaves(tree)[path.count("*")]
        if BESIDE:
            return over(lambda i: grow(tree, STACKED[path[:-1]], *at, (i, n)), n)
        return over(lambda i: grow(tree, path + "*.", *at, (i, n)), n)
    if isinstance(tree, tuple):
        return make(path[:-1], tree[path.count("*") :] if STACKED else tree, *at)
    if LISTED and isinstance(tree, list):
        return [grow(t, path + "#.", *at, (i, len(tree))) for i, t in enumerate(tree)]
    return {k: grow(t, f"{path}{k}.", *at) for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"expected a floating dtype, found {dtype}")

    def draw(path: str, shape: tuple[int, ...], *copies: Any) -> Any:
        if STACKED and LISTED:
            path = path.replace("*.", "").replace("#.", "")
        elif STACKED or LISTED:
            path = path.replace("*." if STACKED else "#.", "")
        name = path.rpartition(".")[2]
        own = jax.random.fold_in(key, zlib.crc32(path.encode()))
        for number, _ in copies:
            own = jax.random.fold_in(own, number)
        init = INIT[path if path in INIT else name] if EXACT else INIT[name]
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

    if not STACKED:
        return dict(each_array(draw, SHAPES))
    return dict(each_array(draw, SHAPES, over=lambda f, n: jax.vmap(f)(jnp.arange(n))))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    text = index.read_text()
    shards = {f.name: load_file(f) for f in path.iterdir() if f'"{f.name}"' in text}
    places = sorted((key, name) for name, shard in shards.items() for key in shard)
    data = json.loads(text, object_pairs_hook=sorted)
    if not isinstance(data, list) or ("weight_map", places) not in data:
        raise ValueError(f"{index}: expected weight_map of its files, found another")
    return {key: array for shard in shards.values() for key, array in shard.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    numbered = (
        {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
        if STACKED or LISTED
        else set[str]()
    )
    faults: dict[str, str] = {}

    def take(path: str, shape: tuple[int, ...], *copies: Any, axes: Any = ()) -> Any:
        if STACKED or LISTED:
            marked = path.replace("#", "*") if STACKED and LISTED else path
            head, copy, end = marked.partition("*." if STACKED else "#.")
            if copy:
                (i, n), *more = copies
                if head in numbered:
                    return take(f"{head}{i}.{end}", shape, *more, axes=axes)
                whole = take(head + end, shape, *more, axes=(*axes, n))
                return np.take(whole, i, len(axes))
            shape = (*axes, *shape)
        x = arrays.get(path, np.array(None))
        kind = DTYPES.get(path.rpartition(".")[2], "float") if DTYPES else "float"
        if EXACT_DTYPES:
            names = [part for part in path.split(".") if not part.isdigit()]
            kind = DTYPES.get(".".join(names), kind)
        wanted = (jnp.floating if kind == "float" else kind) if DTYPES else jnp.floating
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        fits = fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype)
        found = f"{x.dtype} {x.shape}" if path in arrays else "no array"
        if DTYPES:
            faults[path] = "" if fits else f"expected {kind} {shape}, found {found}"
        else:
            faults[path] = "" if fits else f"expected float {shape}, found {found}"
        return x if fits else np.zeros(shape, bool)

    def over(copy: Callable[[int], Any], n: int) -> Any:
        return jax.tree.map(lambda *x: np.stack(x), *map(copy, range(n)))

    params = (
        each_array(take, SHAPES, over=over) if STACKED else each_array(take, SHAPES)
    )
    faults |= {name: "expected no such array" for name in arrays if name not in faults}
    found = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    if found:
        raise ValueError("; ".join(found[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
