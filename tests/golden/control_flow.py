"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:681df52eed0719eabd121863c5a7a61222a32b5873979efb5f3d2c9cb12d9f20

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(control_flow)(params, x)
"""

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

WIDTH = 4


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x


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


# The shape of each array, where it lies in params; below experts those of all copies.
SHAPES: Params = {
    "branch": {"then": {"scale": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}}},
    "path": {"rate": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}},
    "experts": {"linear": {"kernel": (3, WIDTH, 2), "bias": (3, 2)}},
}
STACKED = ["experts"]
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def each_array(make: Any, tree: Any, path: str = "", *at: Any, over: Any = None) -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    grow = partial(each_array, make, over=over)
    if path[:-1] in STACKED:
        n = jax.tree.leaves(tree)[path.count("*")]
        return over(lambda i: grow(tree, path + "*.", *at, (i, n)), n)
    if isinstance(tree, tuple):
        return make(path[:-1], tree[path.count("*") :], *at)
    return {k: grow(t, f"{path}{k}.", *at) for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"expected a floating dtype, found {dtype}")

    def draw(path: str, shape: tuple[int, ...], *copies: Any) -> Any:
        path = path.replace("*.", "")
        name = path.rpartition(".")[2]
        own = jax.random.fold_in(key, zlib.crc32(path.encode()))
        for number, _ in copies:
            own = jax.random.fold_in(own, number)
        return INIT[name](own, shape, dtype)

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
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: dict[str, str] = {}

    def take(path: str, shape: tuple[int, ...], *copies: Any, axes: Any = ()) -> Any:
        head, copy, end = path.partition("*.")
        if copy:
            (i, n), *more = copies
            if head in numbered:
                return take(f"{head}{i}.{end}", shape, *more, axes=axes)
            whole = take(head + end, shape, *more, axes=(*axes, n))
            return np.take(whole, i, len(axes))
        shape = (*axes, *shape)
        x = arrays.get(path, np.array(None))
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        fits = fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype)
        found = f"{x.dtype} {x.shape}" if path in arrays else "no array"
        faults[path] = "" if fits else f"expected float {shape}, found {found}"
        return x if fits else np.zeros(shape, bool)

    def over(copy: Callable[[int], Any], n: int) -> Any:
        return jax.tree.map(lambda *x: np.stack(x), *map(copy, range(n)))

    params = each_array(take, SHAPES, over=over)
    faults |= {name: "expected no such array" for name in arrays if name not in faults}
    found = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    if found:
        raise ValueError("; ".join(found[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
