"""The end of a generated file: parameters drawn and loaded, over tables of its arrays.

The tables here are those of a model that has a bit of everything. The generator puts a
model's own in their place, and drops what they decide: LISTED where no copies lie in
lists, STACKED where none lie on an axis, UNLIKE where the copies of each list are alike,
DTYPES where it is empty, EXACT where last names are keys enough (of INIT, of DTYPES),
NUMBERED where no key has a number, WIDE where no dtype has 64 bits.

SHAPES has the shapes of one copy: `(3, shapes)` are three on a leading axis, a list has
one by one what lies in a list.
"""

from __future__ import annotations

import json
from functools import partial, reduce
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.dtypes import canonicalize_dtype
from safetensors.numpy import load_file

Params = dict[str, Any]


def in_float32(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """What an initialiser draws that decomposes a matrix: not to be done in 16 bits."""
    array: Array = make(key, shape, jnp.promote_types(dtype, jnp.float32))
    return array.astype(dtype)


def progression(
    key: Array,
    shape: tuple[int, ...],
    dtype: Any = jnp.float32,
    *,
    start: float,
    step: float,
    axis: int,
    of: Any = None,
) -> Array:
    """start + i * step for element i along axis, or a function of that."""
    count = jnp.arange(shape[axis], dtype=jnp.promote_types(dtype, jnp.float32))
    numbers = start + step * count
    if of is not None:
        numbers = of(numbers)
    others = [i for i in range(len(shape)) if i != axis % len(shape)]
    numbers = jnp.expand_dims(numbers, others)
    return jnp.broadcast_to(numbers, shape).astype(dtype)


SHAPES: Params = {
    "stem": {"kernel": (4, 8)},
    "blocks": (3, {"kernel": (8, 8), "bias": (8,)}),
    "heads": [{"kernel": (8, 2), "scale": (2,)}] * 2,
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "stem.kernel": partial(in_float32, jax.nn.initializers.orthogonal()),
}
DTYPES: dict[str, str] = {"scale": "float32"}
LISTED: bool = True
STACKED: bool = True
UNLIKE: bool = True
EXACT: bool = True
EXACT_DTYPES: bool = True
NUMBERED: bool = False
WIDE: bool = True


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if LISTED and isinstance(shapes, list):
            if NUMBERED:
                return [
                    draw(s, f"{path}{i}.", *copies, i) for i, s in enumerate(shapes)
                ]
            return [draw(s, path, *copies, i) for i, s in enumerate(shapes)]
        if STACKED and shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        place = path[:-1]
        if NUMBERED:
            path = "".join(f"{p}." for p in place.split(".") if not p.isdigit())
        name = path.split(".")[-2]
        if STACKED or LISTED:
            own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        else:
            own = jax.random.fold_in(key, crc32(path[:-1].encode()))
        init = INIT[path[:-1] if path[:-1] in INIT else name] if EXACT else INIT[name]
        if NUMBERED:
            init = INIT.get(place, init)
        if not (DTYPES or EXACT):
            return INIT[path.split(".")[-2]](own, shapes, dtype)
        if not DTYPES:
            return init(own, shapes, dtype)
        if not (EXACT_DTYPES or WIDE or EXACT):
            return INIT[name](own, shapes, DTYPES.get(name, dtype))
        if not (EXACT_DTYPES or WIDE):
            return init(own, shapes, DTYPES.get(name, dtype))
        kind = DTYPES.get(name, dtype)
        if EXACT_DTYPES:
            kind = DTYPES.get(path[:-1], kind)
            if NUMBERED:
                kind = DTYPES.get(place, kind)
            kind = dtype if kind == "float" else kind
        if WIDE and kind != canonicalize_dtype(kind):
            name = path[:-1]
            raise ValueError(f"{name}: expected at most 32 bits a value, found {kind}")
        return init(own, shapes, kind)

    return dict(draw(SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    try:
        pairs = json.loads(index.read_bytes(), object_pairs_hook=tuple)
        [places] = [sorted(part) for key, part in pairs if key == "weight_map"]
        names = {name for _, name in places}
    except (RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{index}: expected a weight_map, found {error!r}") from None
    shards = {f.name: load_file(f) for f in path.iterdir() if f.name in names}
    if places != sorted((key, name) for name, shard in shards.items() for key in shard):
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

    def read(shapes: Any, path: str = "", *axes: int) -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.", *axes) for k, s in shapes.items()}
        if LISTED and isinstance(shapes, list):
            n = len(shapes)
            if path in numbered or (UNLIKE and shapes != shapes[:1] * n):
                return [read(s, f"{path}{i}.", *axes) for i, s in enumerate(shapes)]
            copies = read(shapes[0], path, *axes, n)
            takes = [partial(np.take, indices=i, axis=len(axes)) for i in range(n)]
            return [jax.tree.map(take, copies) for take in takes]
        if STACKED and shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
        x = arrays.pop(name, np.array(None))
        kind = DTYPES.get(name.rpartition(".")[2], "float") if DTYPES else "float"
        if EXACT_DTYPES:
            names = [part for part in name.split(".") if not part.isdigit()]
            if NUMBERED:
                kind = DTYPES.get(names[-1], "float")
            kind = DTYPES.get(".".join(names), kind)
            if NUMBERED:
                kind = DTYPES.get(name, kind)
        wanted = (jnp.floating if kind == "float" else kind) if DTYPES else jnp.floating
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        if DTYPES:
            faults.append(f"{name}: expected {kind} {shape}, found {found}")
        else:
            faults.append(f"{name}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
