"""The end of a generated file: parameters drawn and loaded, over tables of its arrays.

The tables here are those of a model that has a bit of everything. The generator puts a
model's own in their place, and drops what they decide: LISTED where no copies lie in
lists, STACKED and DTYPES where they are empty, EXACT where last names are keys enough, WIDE
where no dtype has 64 bits, NESTED where no copies have copies in them.

In the path of an array `*` stands for a leading axis of copies, a number for one of the
copies in a list. STACKED has `*` for both; INIT and DTYPES have the names alone.
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
STACKED = ["blocks"]
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "stem.kernel": partial(in_float32, jax.nn.initializers.orthogonal()),
}
DTYPES: dict[str, Any] = {"scale": jnp.float32}
LISTED: bool = True
EXACT: bool = True
WIDE: bool = True
NESTED: bool = True


def each_array(make: Callable[..., Any], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape; * is an axis of copies."""
    if STACKED and LISTED:
        parts = ["*" if p.isdigit() else p for p in path[1:].split(".")]
        path += ".*" * STACKED.count(".".join(parts))
    elif STACKED:
        path += ".*" * STACKED.count(path[1:])
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    if LISTED and isinstance(tree, list):
        return [each_array(make, t, f"{path}.{i}") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def named(path: str) -> str:
    """A path without the numbers of copies."""
    return ".".join(part for part in path.split(".") if part.isidentifier())


def entry(table: dict[str, Any], name: str) -> Any:
    """What a table says of an array: by its path, else by its last name."""
    return table.get(name, table.get(name.rpartition(".")[2]))


def one_copy(
    number: int, make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Any:
    """What `make` draws for a copy in a list, which folds its number into the key."""
    return make(jax.random.fold_in(key, number), shape, dtype)


def all_copies(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
    """What `make` draws for copies on an axis: each folds its number into the key."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: make(key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    dtype = jnp.dtype(dtype)
    enabled = dtype == jax.dtypes.canonicalize_dtype(dtype)
    if not enabled or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a float that JAX has enabled, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Any:
        if LISTED:
            name = named(path)
        elif STACKED:
            name = path.replace(".*", "")
        else:
            name = path
        make = entry(INIT, name) if EXACT else INIT[name.rpartition(".")[2]]
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        if LISTED and NESTED:
            for part in reversed(path.split(".")):
                if part.isdigit():
                    make = partial(one_copy, int(part), make)
                elif STACKED and part == "*":
                    make = partial(all_copies, make)
        else:
            if STACKED:
                for _ in range(path.count("*")):
                    make = partial(all_copies, make)
            if LISTED:
                for number in filter(str.isdigit, path.split(".")):
                    own = jax.random.fold_in(own, int(number))
        if not DTYPES:
            kind = dtype
        elif EXACT:
            kind = entry(DTYPES, name) or dtype
        else:
            kind = DTYPES.get(name.rpartition(".")[2], dtype)
        if WIDE:
            kind = jnp.dtype(kind)
        if WIDE and kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        return make(own, shape, kind)

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    if (path / ".blox-commit.json").exists():
        raise ValueError(f"{path}: expected a finished save, found .blox-commit.json")
    file = path if path.is_file() else path / "params.safetensors"
    index = path / "params.safetensors.index.json"
    if file.is_file() == index.is_file():
        both = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {both}")
    if file.is_file():
        return load_file(file)
    places = json.loads(index.read_text())["weight_map"]
    names = {Path(name).name for name in places.values()}
    shards = {name: load_file(path / name) for name in sorted(names)}
    pairs = [(key, name) for name, arrays in shards.items() for key in arrays]
    if sorted(pairs) != sorted(places.items()):
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for arrays in shards.values() for key, array in arrays.items()}


def apart(name: str, slots: list[str], x: Any) -> list[tuple[str, Any]]:
    """The copies in an array of a file, by their numbers; the file may stack them."""
    parts = name.split(".")
    for at, slot in enumerate(slots):
        numbered = slot.isidentifier() or "".join(parts[at : at + 1]).isdigit()
        if x.ndim and not numbered:
            rows = range(len(x))
            names = [".".join([*parts[:at], str(i), *parts[at:]]) for i in rows]
            return [copy for i in rows for copy in apart(names[i], slots, x[i])]
    return [(name, x)]


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    if LISTED or NESTED:
        paths = jax.tree.leaves(each_array(lambda path, _: path, SHAPES))
        slots = {named(path): path.split(".") for path in paths}
        ready = {path.replace(".*", "") for path in paths} if STACKED else set(paths)
        copies = [(name, x) for name, x in arrays.items() if name in ready]
        for name in sorted(arrays.keys() - ready):
            copies += apart(name, slots.get(named(name), []), arrays[name])
        dots = {named(name): name.count(".") for name in arrays}
        mixed = any(dots[named(name)] != name.count(".") for name in arrays)
        arrays = dict(copies)
        if mixed or len(arrays) < len(copies):
            raise ValueError(f"{path}: expected copies in lists or stacked, found both")
    faults: list[str] = []

    def take(path: str, shape: tuple[int, ...]) -> Any:
        if STACKED and "*" in path and path.replace("*", "0") in arrays:
            every = [path.replace("*", str(i), 1) for i in range(shape[0])]
            copies = [take(copy, shape[1:]) for copy in every]
            if not faults and len({x.dtype for x in copies}) > 1:
                faults.append(f"{path}: expected copies of one dtype, found several")
            return None if faults else jnp.stack(copies)
        name = path.replace(".*", "") if STACKED else path
        x = arrays.pop(name, None)
        if not DTYPES:
            own = None
        elif EXACT:
            own = entry(DTYPES, named(path))
        else:
            own = DTYPES.get(name.rpartition(".")[2])
        kind = own or jnp.floating if DTYPES else jnp.floating
        if x is None or x.shape != shape or not jnp.issubdtype(x.dtype, kind):
            found = "no array" if x is None else f"{x.dtype} {x.shape}"
            if DTYPES:
                wanted = jnp.dtype(own).name if own else "float"
                faults.append(f"{name}: expected {wanted} {shape}, found {found}")
            else:
                faults.append(f"{name}: expected float {shape}, found {found}")
        elif x.dtype != jax.dtypes.canonicalize_dtype(x.dtype):
            faults.append(f"{name}: expected at most 32 bits a value, found {x.dtype}")
        return None if faults else jnp.asarray(x)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(params)
