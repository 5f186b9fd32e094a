"""writer: A language model of two Mamba blocks.

1,552 parameters in 12 arrays.
Made by blox of sha256:1b1d3cea56e1cc28bdf38e45eb25ba6272c368d38d5f82e40ad4a516b3f8b7f8

    params = load_params("folder of params.safetensors")
    logits = jax.jit(writer)(params, tokens)
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

VOCAB, FEATURES, DEPTH = 11, 8, 2


def linear(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    y = x @ kernel
    return y if bias is None else y + bias


def conv(x: Array, kernel: Array, bias: Array) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    dimensions = ("NWC", "WIO", "NWC")
    y = jax.lax.conv_general_dilated(
        x,
        kernel,
        [1],
        [(3, 0)],
        dimension_numbers=dimensions,
        feature_group_count=2 * FEATURES,
    )
    return y + bias


def _step(y: Array, ab: tuple[Array, Array]) -> tuple[Array, Array]:
    """One step of y = a * y + b, as a carry and as an output."""
    y = ab[0] * y + ab[1]
    return y, y


def _steps(one: tuple[Array, Array], two: tuple[Array, Array]) -> tuple[Array, Array]:
    """Two steps, or runs of them, as one: y -> a * y + b."""
    return one[0] * two[0], two[0] * one[1] + two[1]


def linear_recurrence(a: Array, b: Array, *, axis: int) -> Array:
    """y[t] = a[t] * y[t - 1] + b[t] along an axis, in float32 at least."""
    kind = jnp.result_type(a, b)
    wide = jnp.promote_types(kind, jnp.float32)
    rate, y = jnp.broadcast_arrays(jnp.asarray(a, wide), jnp.asarray(b, wide))
    axis = axis % y.ndim
    start = jnp.zeros((*y.shape[:axis], *y.shape[axis + 1 :]), wide)
    if jax.export.is_symbolic_dim(y.shape[axis]):
        steps = (jnp.moveaxis(rate, axis, 0), jnp.moveaxis(y, axis, 0))
        _, y = jax.lax.scan(_step, start, steps, reverse=False)
        return jnp.moveaxis(y, 0, axis).astype(kind)
    rate, y = jax.lax.associative_scan(_steps, (rate, y), reverse=False, axis=axis)
    return jnp.asarray(y, kind)


def rms_norm(x: Array, scale: Array, *, eps: float = 1e-06) -> Array:
    """x / sqrt(mean(x ** 2) + eps) * scale over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale).astype(x.dtype)


def mamba(params: Params, x: Array) -> Array:
    """A gated selective scan: (..., time, features) -> (..., time, features)."""
    u, gate = jnp.split(linear(x, **params["in_proj"]), 2, axis=-1)
    u = jax.nn.silu(conv(u, **params["conv"]))
    dt, selected_b, selected_c = jax.lax.split(
        linear(u, **params["x_proj"]), ((FEATURES + 15) // 16, 4, 4), axis=-1
    )
    dt = jax.nn.softplus(linear(dt, **params["dt_proj"]))
    x = -jnp.exp(params["a_log"]) * dt[..., None]
    states = linear_recurrence(
        jnp.exp(x), (dt * u)[..., None] * selected_b[..., None, :], axis=-3
    )
    x = jnp.einsum("...ds,...s->...d", states, selected_c) + u * params["d"]
    x = x * jax.nn.silu(gate)
    return linear(x, **params["out_proj"])


def block(params: Params, x: Array) -> Array:
    return x + mamba(params["mamba"], rms_norm(x, **params["norm"]))


def writer(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> logits (batch, seq, vocab)."""
    x = jnp.take(params["embed"]["embedding"], tokens, axis=0, mode="clip")
    x, _ = jax.lax.scan(lambda x, layer: (block(layer, x), None), x, params["blocks"])
    logits: Array = rms_norm(x, **params["norm"]) @ params["embed"]["embedding"].T
    return logits


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
    return jnp.broadcast_to(jnp.expand_dims(numbers, others), shape).astype(dtype)


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "norm": {"scale": (FEATURES,)},
    "mamba": {
        "in_proj": {"kernel": (FEATURES, 4 * FEATURES)},
        "conv": {
            "kernel": (4, 2 * FEATURES // (2 * FEATURES), 2 * FEATURES),
            "bias": (2 * FEATURES,),
        },
        "x_proj": {"kernel": (2 * FEATURES, (FEATURES + 15) // 16 + 8)},
        "dt_proj": {
            "kernel": ((FEATURES + 15) // 16, 2 * FEATURES),
            "bias": (2 * FEATURES,),
        },
        "a_log": (2 * FEATURES, 4),
        "d": (2 * FEATURES,),
        "out_proj": {"kernel": (2 * FEATURES, FEATURES)},
    },
}
SHAPES: Params = {
    "embed": {"embedding": (VOCAB, FEATURES)},
    "blocks": (DEPTH, BLOCK),
    "norm": {"scale": (FEATURES,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "a_log": partial(progression, start=1.0, step=1.0, axis=-1, of=jnp.log),
    "d": jax.nn.initializers.ones,
    "blocks.mamba.dt_proj.bias": jax.nn.initializers.constant(value=-4.6),
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
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[path[:-1] if path[:-1] in INIT else name](own, shapes, dtype)

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
