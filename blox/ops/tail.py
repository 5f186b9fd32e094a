"""The end of a generated file: parameters drawn and loaded, over tables of its arrays.

The tables here are those of a model that has a bit of everything. The generator puts a
model's own in their place, and drops what they decide: LISTED where no copies lie in
lists, STACKED and DTYPES where they are empty, EXACT where last names are keys enough.

In the path of an array `*` stands for a leading axis of copies, `1:3` for the second of
three copies in a list. STACKED has `*` for both; INIT and DTYPES have the names alone.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors import safe_open

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
STACKED = ["blocks"]
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "stem.kernel": partial(in_float32, jax.nn.initializers.orthogonal()),
}
DTYPES: dict[str, Any] = {"scale": jnp.float32}
LISTED: bool = True
EXACT: bool = True


def each_array(make: Callable[..., Array], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape."""
    if STACKED:
        parts = path[1:].split(".")
        starred = ["*" if ":" in p else p for p in parts] if LISTED else parts
        path += ".*" * STACKED.count(".".join(starred))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    if LISTED and isinstance(tree, list):
        n = len(tree)
        return [each_array(make, t, f"{path}.{i}:{n}") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def entry(table: dict[str, Any], names: list[str]) -> Any:
    """What a table says of an array: by its path, else by its last name."""
    return table.get(".".join(names), table.get(names[-1]))


def drawn(
    copies: Sequence[str], make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Array:
    """An array with its copies, outermost first: each folds its number into the key."""
    if not copies:
        array: Array = make(key, shape, dtype)
        return array
    if LISTED and copies[0] != "*":
        key = jax.random.fold_in(key, int(copies[0].partition(":")[0]))
        return drawn(copies[1:], make, key, shape, dtype)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: drawn(copies[1:], make, key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Array:
        names = path.split(".")
        copies = [part for part in names if not part.isidentifier()]
        if LISTED or STACKED:
            names = [part for part in names if part.isidentifier()]
        own = entry(DTYPES, names) if EXACT else DTYPES.get(names[-1])
        kind = jnp.dtype(own or dtype) if DTYPES else jnp.dtype(dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        make = entry(INIT, names) if EXACT else INIT[names[-1]]
        if LISTED or STACKED:
            make = partial(drawn, copies, make)
        seed = jax.random.fold_in(key, zlib.crc32(".".join(names).encode()))
        array: Array = make(seed, shape, kind)
        return array

    params: Params = each_array(draw, SHAPES)
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    if index.is_file() == files[0].is_file():
        wanted = "params.safetensors or params.safetensors.index.json in it"
        number = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {wanted}, found {number}")
    places: dict[str, str] = {}
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    found: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name] = stored.get_tensor(name)
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
            found[name] = file.name
    if index.is_file() and found != places:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def assembled(fetch: Any, stored: Any, path: str, shape: tuple[int, ...]) -> Any:
    """An array whose copies may lie otherwise in the file: one by one, or on an axis."""
    parts = path.split(".")
    own = [p.partition(":")[0] for p in parts if p != "*"]
    there = stored.get(".".join(p for p in parts if p.isidentifier()), own)

    def find(
        todo: Any, there: Any, name: str, index: Any, sizes: Any, shape: Any
    ) -> Any:
        if not todo:
            return fetch(name[1:], (*sizes, *shape))[index]
        part, *todo = todo
        if part.isidentifier():
            return find(todo, there[1:], f"{name}.{part}", index, sizes, shape)
        numbered = "".join(there[:1]).isdigit()
        if LISTED and part != "*":
            i, n = map(int, part.split(":"))
            if numbered:
                return find(todo, there[1:], f"{name}.{i}", index, sizes, shape)
            return find(todo, there, name, (*index, i), (*sizes, n), shape)
        n, *inner = shape
        if not numbered:
            return find(todo, there, name, (*index, slice(None)), (*sizes, n), inner)
        every = [f"{name}.{i}" for i in range(n)]
        copies = [find(todo, there[1:], one, index, sizes, inner) for one in every]
        if any(copy.dtype != copies[0].dtype for copy in copies):
            raise ValueError(f"{path}: expected copies of one dtype, found several")
        return jnp.stack(copies, index.count(slice(None)))

    return find(parts, there, "", (), (), shape)


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array = left.pop(name, arrays[name])
        found, kind, wanted = array.shape, array.dtype, "float"
        fits = jnp.issubdtype(kind, jnp.floating)
        if DTYPES:
            names = [part for part in name.split(".") if not part.isdigit()]
            own = entry(DTYPES, names) if EXACT else DTYPES.get(names[-1])
            wanted = wanted if own is None else jnp.dtype(own).name
            fits = fits if own is None else kind == own
        if found != shape or not fits:
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    if LISTED or STACKED:
        parts = [name.split(".") for name in arrays]
        # The paths in the file, by their names without the numbers of copies.
        stored = {".".join(p for p in path if not p.isdigit()): path for path in parts}
        make = partial(assembled, fetch, stored)
    params: Params = each_array(make, SHAPES)
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
