"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:681df52eed0719eabd121863c5a7a61222a32b5873979efb5f3d2c9cb12d9f20

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(control_flow)(params, x)
"""

import json
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

WIDTH = 4


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return default if x is None else x


def warm(params: Params, x: Array) -> Array:
    return linear(x, **params["scale"])


def cold(x: Array) -> Array:
    return -x


def small(x: Array, steps: Array, step: float) -> Array:
    return jnp.sum(jnp.square(x)) < 100.0


def grow(x: Array, steps: Array, step: float) -> tuple[Array, Array]:
    return x + step, steps + 1


def euler(params: Params, x: Array, i: Array) -> tuple[Array, Array]:
    x = x + linear(x, **params["rate"]) * 0.1 * i
    return x, jnp.mean(x, axis=(-1,))


def lane(row: Array, scale: float) -> Array:
    return row * scale


def expert(params: Params, x: Array) -> Array:
    return linear(x, **params["linear"])


def control_flow(
    params: Params, x: Array, bias: Array | None = None
) -> dict[str, Array]:
    """x, bias (batch, width) -> x (3, batch, 2); steps; path (5, batch)."""
    dtype = params["branch"]["then"]["scale"]["kernel"].dtype
    x = x.astype(dtype)
    if bias is not None:
        bias = bias.astype(dtype)
    x = x + default(bias, jnp.zeros_like(x))
    positive = jnp.sum(x) > 0
    x = jax.lax.cond(
        positive, lambda: warm(params["branch"]["then"], x), lambda: cold(x)
    )

    def loop_cond(carry: tuple[tuple[Array, Array], Array]) -> Array:
        (x, steps), i = carry
        return small(x, steps, 0.5) & (i < 20)

    def loop_body(
        carry: tuple[tuple[Array, Array], Array],
    ) -> tuple[tuple[Array, Array], Array]:
        (x, steps), i = carry
        x, steps = grow(x, steps, 0.5)
        return (x, steps), i + 1

    (x, steps), _ = jax.lax.while_loop(
        loop_cond,
        loop_body,
        ((x, jnp.asarray(0, jnp.int32)), jnp.asarray(0, jnp.int32)),
    )
    x, path = jax.lax.scan(
        lambda x, i: euler(params["path"], x, i), x, jnp.arange(5, dtype=jnp.int32)
    )
    lanes = jax.vmap(lane, in_axes=(0, None))(x, 2.0)
    x = jax.vmap(expert, in_axes=(0, None))(params["experts"], lanes)
    return {"x": x, "steps": steps, "path": path}


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "branch": {"then": {"scale": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}}},
    "path": {"rate": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}},
    "experts": {"linear": {"kernel": (3, WIDTH, 2), "bias": (3, 2)}},
}
# Arrays below begin with an axis of copies; * is its place in a path.
STACKED = ["experts"]
# What draws an array, by the last name of its path.
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def each_array(make: Any, tree: Any, path: str = "") -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    if path[:-1] in STACKED:
        return each_array(make, tree, path + "*.")
    if isinstance(tree, tuple):
        return make(path[:-1], tree)
    return {k: each_array(make, t, f"{path}{k}.") for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    floating = jnp.issubdtype(dtype, jnp.floating)
    if not floating or dtype != jax.dtypes.canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(path: str, shape: tuple[int, ...], *copies: Any) -> Any:
        if "*" in path:
            copy = partial(draw, path.replace("*.", "", 1), shape[1:], *copies)
            return jax.vmap(copy)(jnp.arange(shape[0]))
        own = reduce(jax.random.fold_in, (zlib.crc32(path.encode()), *copies), key)
        return INIT[path.rpartition(".")[2]](own, shape, dtype)

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

    def take(path: str, shape: tuple[int, ...]) -> Any:
        head, copies, end = path.partition("*.")
        if copies and head in numbered:
            each = [take(f"{head}{i}.{end}", shape[1:]) for i in range(shape[0])]
            return np.stack(each)
        path = head + end
        x = arrays.pop(path, np.array(None))
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{path}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
