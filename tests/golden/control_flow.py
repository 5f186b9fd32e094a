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
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def default(x: Array | None, default: Array | float) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x


def warm(params: Params, x: Array) -> Array:
    return linear(x, **params["scale"])


def cold(x: Array) -> Array:
    return -x


def small(x: Array, steps: Array, step: Any) -> Array:
    return jnp.sum(jnp.square(x)) < 100.0


def grow(x: Array, steps: Array, step: Any) -> tuple[Array, Array]:
    return x + step, steps + 1


def euler(params: Params, x: Array, i: Array) -> tuple[Array, Array]:
    x = x + linear(x, **params["rate"]) * 0.1 * i
    return x, jnp.mean(x, axis=(-1,))


def lane(row: Array, scale: Any) -> Array:
    row = row * scale
    return row


def expert(params: Params, x: Array) -> Array:
    return linear(x, **params["linear"])


def control_flow(
    params: Params, x: Array, bias: Array | None = None
) -> dict[str, Array]:
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
    "branch": {"then": {"scale": {"kernel": (4, 4), "bias": (4,)}}},
    "path": {"rate": {"kernel": (4, 4), "bias": (4,)}},
    "experts": {"linear": {"kernel": (3, 4, 2), "bias": (3, 2)}},
}
STACKED = ["experts"]
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def each_array(make: Callable[..., Any], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape; * is an axis of copies."""
    path += ".*" * STACKED.count(path[1:])
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


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
        name = path.replace(".*", "")
        make = INIT[name.rpartition(".")[2]]
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        for _ in range(path.count("*")):
            make = partial(all_copies, make)
        return make(own, shape, dtype)

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


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    faults: list[str] = []

    def take(path: str, shape: tuple[int, ...]) -> Any:
        if "*" in path and path.replace("*", "0") in arrays:
            every = [path.replace("*", str(i), 1) for i in range(shape[0])]
            copies = [take(copy, shape[1:]) for copy in every]
            if not faults and len({x.dtype for x in copies}) > 1:
                faults.append(f"{path}: expected copies of one dtype, found several")
            return None if faults else jnp.stack(copies)
        name = path.replace(".*", "")
        x = arrays.pop(name, None)
        if x is None or x.shape != shape or not jnp.issubdtype(x.dtype, jnp.floating):
            found = "no array" if x is None else f"{x.dtype} {x.shape}"
            faults.append(f"{name}: expected float {shape}, found {found}")
        elif x.dtype != jax.dtypes.canonicalize_dtype(x.dtype):
            faults.append(f"{name}: expected at most 32 bits a value, found {x.dtype}")
        return None if faults else jnp.asarray(x)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(params)
