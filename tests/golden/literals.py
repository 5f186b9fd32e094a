"""literals: 52 parameters in 8 arrays.

Made by blox of sha256:aee24147ccd8751b67c8be387dde15ba918c4a97dde15834657d4c1c82809853

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(literals)(params, x)
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


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def pad(x: Array, *, constant_values: float = -jnp.inf) -> Array:
    """x with (before, after) more elements along its last axes."""
    return jnp.pad(x, [(0, 0), (0, 0), (1, 1)], constant_values=constant_values)


def running(best: Array, found: Array, x: Array) -> tuple[Array, Array]:
    x = jnp.max(x)
    return jnp.maximum(best, x), jnp.logical_or(found, x > best)


def shifted(x: Array, by: float) -> Array:
    return jnp.minimum(x, by)


def layer(params: Params, x: Array, low: Array | float, on: Array | bool) -> Array:
    clipped = jnp.maximum(layer_norm(x, **params["norm"]), low)
    return jnp.where(on, clipped, x)


def literals(params: Params, x: Array) -> dict[str, Array]:
    """x (batch, seq, width)
    -> y (batch, seq, width); edge (batch, seq, 6); best, found.
    """
    dtype = params["up"]["kernel"].dtype
    x = x.astype(dtype)
    up = x @ params["up"]["kernel"] + params["up"]["bias"]
    far = up > 1.5
    cut = jnp.where(far, -jnp.inf, up)
    y = jnp.where(jnp.equal(far, True), False, True)
    edge = pad(jnp.clip(up, -jnp.inf, 2.0))
    best_x = jnp.moveaxis(x, -2, 0)

    def best_step(
        carry: tuple[Array, Array], x: Array
    ) -> tuple[tuple[Array, Array], None]:
        best, found = carry
        return running(best, found, x), None

    (best, found), _ = jax.lax.scan(
        best_step, (jnp.asarray(-jnp.inf, dtype), jnp.asarray(False, jnp.bool_)), best_x
    )
    best = shifted(best, jnp.inf)
    row = jnp.array((0.5, jnp.inf, -jnp.inf, 2), dtype)
    steps = jnp.array((1, 2, 3, 4), jnp.int32)
    there = jnp.array((True, False, True, True), jnp.bool_)
    h_low = (-jnp.inf, 0.0)
    h_on = (True, False)
    for i, p in enumerate(params["h"]):
        cut = layer(p, cut, h_low[i], h_on[i])

    def s_step(x: Array, xs: tuple[Params, Array, Array]) -> tuple[Array, None]:
        p, low, on = xs
        return layer(p, x, low, on), None

    cut, _ = jax.lax.scan(
        s_step,
        cut,
        (
            params["s"],
            jnp.asarray((-jnp.inf, 0.0), dtype),
            jnp.asarray((True, False), jnp.bool_),
        ),
    )
    cut = jnp.where(y, cut, jnp.full_like(cut, fill_value=jnp.nan))
    cut = jnp.nan_to_num(cut, nan=0.0, posinf=jnp.inf, neginf=-jnp.inf) * steps + row
    y = jnp.where(there, cut, -jnp.inf)
    return {"y": y, "edge": edge, "best": best, "found": found}


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
LAYER: Params = {"norm": {"scale": (WIDTH,), "bias": (WIDTH,)}}
SHAPES: Params = {
    "up": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)},
    "h": [LAYER] * 2,
    "s": (2, LAYER),
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
}


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
