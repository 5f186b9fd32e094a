"""The end of a generated file: parameters drawn and loaded, over tables of its arrays.

The tables here are those of a model that has a bit of everything. The generator puts a
model's own in their place, and drops what they decide: LISTED where no copies lie in
lists, STACKED and DTYPES where they are empty, EXACT where last names are keys enough.

A path is a list of parts: names, (i, n) for copy i of n in a list, None for a leading
axis of copies.
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


def each_array(make: Callable[..., Array], tree: Any, parts: list[Any]) -> Any:
    """The tree with make(parts, shape) in place of each shape; parts are its path."""
    if STACKED:
        parts = parts + [None] * STACKED.count(text_of(parts, "*"))
    if isinstance(tree, tuple):
        return make(parts, tree)
    if LISTED and isinstance(tree, list):
        n = len(tree)
        return [each_array(make, t, [*parts, (i, n)]) for i, t in enumerate(tree)]
    return {k: each_array(make, t, [*parts, k]) for k, t in tree.items()}


def text_of(parts: list[Any], copy: str = "") -> str:
    """A path as text; copies in lists by number, or all as `copy`."""
    if LISTED:
        parts = [copy or str(p[0]) if isinstance(p, tuple) else p for p in parts]
    return ".".join(p for p in parts if p is not None)


def entry(table: dict[str, Any], parts: list[Any]) -> Any:
    """What a table says of an array: by its path, else by its last name."""
    names = [p for p in parts if isinstance(p, str)] if LISTED or STACKED else parts
    if EXACT and LISTED and text_of(parts) in table:
        return table[text_of(parts)]
    if EXACT and ".".join(names) in table:
        return table[".".join(names)]
    return table.get(names[-1])


def drawn(
    copies: list[Any], make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Array:
    """An array with its copies, outermost first: each folds its number into the key."""
    if not copies:
        array: Array = make(key, shape, dtype)
        return array
    if LISTED and copies[0] is not None:
        key = jax.random.fold_in(key, copies[0][0])
        return drawn(copies[1:], make, key, shape, dtype)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: drawn(copies[1:], make, key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(parts: list[Any], shape: tuple[int, ...]) -> Array:
        name = ".".join(p for p in parts if isinstance(p, str))
        kind = jnp.dtype(dtype)
        if DTYPES:
            kind = jnp.dtype(entry(DTYPES, parts) or dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{name}: expected at most 32 bits a value, found {kind}")
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        copies = [p for p in parts if not isinstance(p, str)]
        return drawn(copies, entry(INIT, parts), own, shape, kind)

    params: Params = each_array(draw, SHAPES, [])
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or the shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    places: dict[str, str] = {}
    if index.is_file() == files[0].is_file():
        found = "both" if index.is_file() else "neither"
        names = "params.safetensors or params.safetensors.index.json"
        raise FileNotFoundError(f"{path}: expected {names} in it, found {found}")
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    lie: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name], lie[name] = stored.get_tensor(name), file.name
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
    if places and places != lie:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def assembled(
    fetch: Callable[..., Array], kinds: Any, parts: list[Any], shape: tuple[int, ...]
) -> Any:
    """An array whose copies may lie otherwise in the file: one by one, or on an axis."""
    ways: list[list[Any]] = [[]]
    for part in parts:
        places = ["*", None] if part else [None, "*"]
        if isinstance(part, str):
            places = [part]
        ways = [[*way, place] for place in places for way in ways]
    ways = [w for w in ways if ".".join(p for p in w if p) in kinds] or ways

    def at(name: str, index: Any, sizes: Any, shape: Any, todo: Any) -> Any:
        if not todo:
            return fetch(parts, (*sizes, *shape), name[1:])[index]
        (part, place), *todo = todo
        if isinstance(part, str):
            return at(f"{name}.{part}", index, sizes, shape, todo)
        i, n = part or (slice(None), shape[0])
        shape = shape if part else shape[1:]
        if place is None:
            return at(name, (*index, i), (*sizes, n), shape, todo)
        if part:
            return at(f"{name}.{i}", index, sizes, shape, todo)
        copies = [at(f"{name}.{i}", index, sizes, shape, todo) for i in range(n)]
        if any(copy.dtype != copies[0].dtype for copy in copies):
            raise ValueError(f"{name[1:]}: expected copies of one dtype, found several")
        return jnp.stack(copies, sum(isinstance(i, slice) for i in index))

    return at("", (), (), shape, list(zip(parts, ways[0], strict=True)))


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(parts: list[Any], shape: tuple[int, ...], name: str = "") -> Array:
        name = name or ".".join(parts)
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array, wanted = left.pop(name, arrays[name]), "float"
        fits = jnp.issubdtype(array.dtype, jnp.floating)
        if DTYPES and entry(DTYPES, parts):
            wanted = jnp.dtype(entry(DTYPES, parts)).name
            fits = array.dtype == wanted
        if array.shape != shape or not fits:
            found, kind = array.shape, array.dtype
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    if LISTED or STACKED:
        names = [name.split(".") for name in arrays]
        kinds = [".".join("*" if p.isdigit() else p for p in name) for name in names]
        make = partial(assembled, fetch, dict.fromkeys(kinds))
    params: Params = each_array(make, SHAPES, [])
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
