"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:a3528cfe964be90bf57542f0933d763f26feb6911f31ccd05ee2f64cc359d5a2

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(control_flow)(params, x)
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


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
SHAPES: Params = {
    "branch": {"then": {"scale": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}}},
    "path": {"rate": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}},
    "experts": (3, {"linear": {"kernel": (WIDTH, 2), "bias": (2,)}}),
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[path.split(".")[-2]](own, shapes, dtype)

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
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
        x = arrays.pop(name, np.array(None))
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
