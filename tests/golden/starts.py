"""starts: 1,202 parameters in 15 arrays.

Made by blox of sha256:2707a4453103ddd6560f19ca6f14d0d6d5841465a776eb5d81bcf3183af7375a

    params = load_params("folder of params.safetensors")
    out = jax.jit(starts)(params, x)
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

WIDTH, HEADS, DEPTH = 8, 2, 3


def einsum_linear(
    x: Array, kernel: Array, bias: Array, *, equation: str = "...d,dhk->...hk"
) -> Array:
    """einsum(equation, x, kernel) + bias."""
    return jnp.einsum(equation, x, kernel) + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def attention(params: Params, x: Array) -> Array:
    query = einsum_linear(x, **params["query"])
    key = einsum_linear(x, **params["key"])
    value = einsum_linear(x, **params["value"])
    x = jax.nn.dot_product_attention(query, key, value, is_causal=True)
    return einsum_linear(x, **params["out"], equation="...hk,hkd->...d")


def block(params: Params, x: Array) -> Array:
    x = x + attention(params["attn"], layer_norm(x, **params["ln"]))
    y = x.reshape(*x.shape[:-1], HEADS, WIDTH // HEADS)
    y = jax.lax.collapse(
        einsum_linear(y, **params["gate"], equation="...hk,hkf->...hf"), -2
    )
    y = y @ params["up"]["kernel"] + params["up"]["bias"]
    x = x + y
    return x


def starts(params: Params, x: Array) -> Array:
    """x (batch, seq, width) -> (batch, seq, 4)."""
    x = x.astype(params["h"]["ln"]["scale"].dtype)
    x, _ = jax.lax.scan(lambda x, layer: (block(layer, x), None), x, params["h"])
    y = -jnp.exp(params["decay"])
    return jnp.einsum("btd,dn->btn", x, jnp.exp(y))


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
    "ln": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "attn": {
        "query": {
            "kernel": (WIDTH, HEADS, WIDTH // HEADS),
            "bias": (HEADS, WIDTH // HEADS),
        },
        "key": {
            "kernel": (WIDTH, HEADS, WIDTH // HEADS),
            "bias": (HEADS, WIDTH // HEADS),
        },
        "value": {
            "kernel": (WIDTH, HEADS, WIDTH // HEADS),
            "bias": (HEADS, WIDTH // HEADS),
        },
        "out": {"kernel": (HEADS, WIDTH // HEADS, WIDTH), "bias": (WIDTH,)},
    },
    "gate": {"kernel": (HEADS, WIDTH // HEADS, 3), "bias": (HEADS, 3)},
    "up": {"kernel": (3 * HEADS, WIDTH), "bias": (WIDTH,)},
}
SHAPES: Params = {"h": (DEPTH, BLOCK), "decay": (WIDTH, 4)}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0],
        out_axis=[1, 2],
    ),
    "decay": partial(progression, start=1.0, step=1.0, axis=-1, of=jnp.log),
    "h.attn.out.kernel": jax.nn.initializers.normal(stddev=0.008164965809277261),
    "h.gate.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[1],
        out_axis=[2],
        batch_axis=[0],
    ),
    "h.up.kernel": jax.nn.initializers.variance_scaling(
        scale=0.3333333333333333, mode="fan_in", distribution="uniform"
    ),
    "h.up.bias": partial(
        jax.random.uniform, minval=-0.408248290463863, maxval=0.408248290463863
    ),
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
