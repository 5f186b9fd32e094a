"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:b085d6291dff50ce92b37bdedb9429e7e563b44f1ccb552cffcb5b610077f306

    params = load_params("folder of params.safetensors")
    y, state = jax.jit(dropout_net)(params, x)
"""

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

WIDTH, DEPTH = 16, 4


def dropout(x: Array, key: Array | None = None, *, rate: float = 0.25) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None:
        return x
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


def rng(
    *, key_data: Array, count: Array, train: bool
) -> tuple[Array | None, dict[str, Array]]:
    """A key per call, fold_in(key, count), and the next state; none if not training."""
    if not train:
        return None, {}
    key = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    return jax.random.fold_in(key, count), {"key_data": key_data, "count": count + 1}


def fold_in(key: Any, part: str | int | Array) -> Any:
    """The key of a part, by its name or step; None stays None."""
    if key is None:
        return None
    data = zlib.crc32(part.encode()) if isinstance(part, str) else part
    return jax.random.fold_in(key, data)


def layer(params: Params, x: Array, key: Array | None = None) -> Array:
    x = x @ params["linear"]["kernel"] + params["linear"]["bias"]
    return dropout(jnp.tanh(x), fold_in(key, "drop"))


def dropout_net(
    params: Params, x: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """x (..., width)."""
    x = x.astype(params["scanned"]["linear"]["kernel"].dtype)
    state: Params = {}
    key, state["rng"] = rng(**params["rng"], train=train)
    scanned_key = fold_in(key, "scanned")

    def scanned_step(x: Array, xs: tuple[Params, Array]) -> tuple[Array, None]:
        p, i = xs
        return jax.checkpoint(layer, prevent_cse=False)(
            p, x, fold_in(scanned_key, i)
        ), None

    x, _ = jax.lax.scan(scanned_step, x, (params["scanned"], jnp.arange(DEPTH)))
    unrolled_key = fold_in(key, "unrolled")
    for i, p in enumerate(params["unrolled"]):
        x = jax.checkpoint(layer, policy=jax.checkpoint_policies.dots_saveable)(
            p, x, fold_in(unrolled_key, i)
        )
    x = jax.checkpoint(layer, policy=jax.checkpoint_policies.everything_saveable)(
        params["last"], x, fold_in(key, "last")
    )
    return dropout(x, fold_in(key, "out"), rate=0.1), state


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "scanned": {"linear": {"kernel": (DEPTH, WIDTH, WIDTH), "bias": (DEPTH, WIDTH)}},
    "unrolled": [
        {"linear": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}} for _ in range(2)
    ],
    "last": {"linear": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}},
}
# Arrays below begin with an axis of copies; * is its place in a path.
STACKED = ["scanned"]
# What draws an array, by the last name of its path.
INIT: dict[str, Callable[..., Array]] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}
DTYPES: dict[str, str] = {"key_data": "uint32", "count": "uint32"}


def each_array(make: Any, tree: Any, path: str = "") -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    if path[:-1] in STACKED:
        return each_array(make, tree, path + "*.")
    if isinstance(tree, tuple):
        return make(path[:-1], tree)
    if isinstance(tree, list):
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
        if "*" in path:
            head, i, _, end = re.split("[*]([0-9]*)/?([0-9]*)[.]", path, maxsplit=1)
            if not i:
                copy = partial(draw, head + end, shape[1:], *copies)
                return jax.vmap(copy)(jnp.arange(shape[0]))
            return draw(head + end, shape, *copies, int(i))
        name = path.rpartition(".")[2]
        own = reduce(jax.random.fold_in, (zlib.crc32(path.encode()), *copies), key)
        return INIT[name](own, shape, DTYPES.get(name, dtype))

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
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []
    read: list[str] = []

    def take(path: str, shape: tuple[int, ...], axis: int = 0) -> Any:
        if "*" in path:
            head, i, n, end = re.split("[*]([0-9]*)/?([0-9]*)[.]", path, maxsplit=1)
            if i and head in numbered:
                return take(f"{head}{i}.{end}", shape, axis)
            if i:
                shape = (*shape[:axis], int(n), *shape[axis:])
                return np.take(take(head + end, shape, axis + 1), int(i), axis)
            if head in numbered:
                each = [f"{head}{i}.{end}" for i in range(shape[axis])]
                shape = shape[:axis] + shape[axis + 1 :]
                return np.stack([take(name, shape, axis) for name in each], axis)
            return take(head + end, shape, axis + 1)
        read.append(path)
        x = arrays.get(path, np.array(None))
        kind = DTYPES.get(path.rpartition(".")[2], "float")
        wanted = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{path}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    params = each_array(take, SHAPES)
    left = sorted(arrays.keys() - read)
    faults += [f"{name}: expected no such array" for name in left]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return dict(jax.tree.map(jnp.asarray, params))
