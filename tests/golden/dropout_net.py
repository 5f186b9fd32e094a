"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:3ad803c950fc2bd0db8941b6404675fb897ef647d39ce8ec3414c7fed492ac5d

    params = load_params("folder of params.safetensors")
    y, state = jax.jit(dropout_net)(params, x)
"""

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
    data = crc32(part.encode()) if isinstance(part, str) else part
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


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
LAYER: Params = {"linear": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}}
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "scanned": (DEPTH, LAYER),
    "unrolled": [LAYER] * 2,
    "last": LAYER,
}
INIT: dict[str, Any] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}
DTYPES = {"key_data": "uint32", "count": "uint32"}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if isinstance(shapes, list):
            return [draw(s, path, *copies, i) for i, s in enumerate(shapes)]
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[name](own, shapes, DTYPES.get(name, dtype))

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
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []

    def read(shapes: Any, path: str = "", *axes: int) -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.", *axes) for k, s in shapes.items()}
        if isinstance(shapes, list):
            n = len(shapes)
            if path in numbered:
                return [read(s, f"{path}{i}.", *axes) for i, s in enumerate(shapes)]
            copies = read(shapes[0], path, *axes, n)
            takes = [partial(np.take, indices=i, axis=len(axes)) for i in range(n)]
            return [jax.tree.map(take, copies) for take in takes]
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
        x = arrays.pop(name, np.array(None))
        kind = DTYPES.get(name.rpartition(".")[2], "float")
        wanted = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
