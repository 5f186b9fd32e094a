"""linen_vit: 40,261 parameters in 24 arrays.

Made by blox of sha256:96ff6011b35332c8a2b2f8f84264d1cc24a66dc95b5fbae57ec65b173beeeb0f

    params = load_params("folder of params.safetensors")
    out = jax.jit(linen_vit)(params, images)
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


def einsum_linear(
    x: Array, kernel: Array, bias: Array, *, equation: str = "...a,abc->...bc"
) -> Array:
    """einsum(equation, x, kernel) + bias."""
    return jnp.einsum(equation, x, kernel) + bias


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-06) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def conv(x: Array, kernel: Array, bias: Array) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        x, kernel, [4, 4], "SAME", dimension_numbers=dimensions
    )
    return y + bias


def multi_head_dot_product_attention(params: Params, inputs_q: Array) -> Array:
    """Applies multi-head dot product attention on the input data."""
    x = jax.nn.dot_product_attention(
        einsum_linear(inputs_q, **params["query"]),
        einsum_linear(inputs_q, **params["key"]),
        einsum_linear(inputs_q, **params["value"]),
    )
    return einsum_linear(x, **params["out"], equation="...ab,abc->...c")


def mlp(params: Params, x: Array) -> Array:
    x = jax.nn.gelu(linear(x, **params["Dense_0"]), approximate=True)
    return linear(x, **params["Dense_1"])


def block(params: Params, x: Array) -> Array:
    x = x + multi_head_dot_product_attention(
        params["MultiHeadDotProductAttention_0"], layer_norm(x, **params["LayerNorm_0"])
    )
    return x + mlp(params["MLP_0"], layer_norm(x, **params["LayerNorm_1"]))


def linen_vit(params: Params, images: Array) -> Array:
    """images (batch, 12, 12, 3) -> (batch, 5)."""
    batch = images.shape[0]
    images = images.astype(params["cls"].dtype)
    x = jnp.tile(params["cls"], reps=(batch, 1, 1))
    y = jax.lax.collapse(conv(images, **params["patches"]), -3, -1)
    x = jnp.concatenate([x, y], axis=-2) + params["positions"]
    x, _ = jax.lax.scan(lambda x, layer: (block(layer, x), None), x, params["block"])
    return linear(layer_norm(x[:, 0], **params["norm"]), **params["head"])


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "LayerNorm_0": {"scale": (32,), "bias": (32,)},
    "MultiHeadDotProductAttention_0": {
        "query": {"kernel": (32, 4, 8), "bias": (4, 8)},
        "key": {"kernel": (32, 4, 8), "bias": (4, 8)},
        "value": {"kernel": (32, 4, 8), "bias": (4, 8)},
        "out": {"kernel": (4, 8, 32), "bias": (32,)},
    },
    "LayerNorm_1": {"scale": (32,), "bias": (32,)},
    "MLP_0": {
        "Dense_0": {"kernel": (32, 128), "bias": (128,)},
        "Dense_1": {"kernel": (128, 32), "bias": (32,)},
    },
}
SHAPES: Params = {
    "cls": (1, 1, 32),
    "patches": {"kernel": (4, 4, 3, 32), "bias": (32,)},
    "positions": (1, 10, 32),
    "block": (3, BLOCK),
    "norm": {"scale": (32,), "bias": (32,)},
    "head": {"kernel": (32, 5), "bias": (5,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "cls": jax.nn.initializers.normal(stddev=0.02),
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "positions": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "block.MultiHeadDotProductAttention_0.query.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0],
        out_axis=[1, 2],
    ),
    "block.MultiHeadDotProductAttention_0.key.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0],
        out_axis=[1, 2],
    ),
    "block.MultiHeadDotProductAttention_0.value.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0],
        out_axis=[1, 2],
    ),
    "block.MultiHeadDotProductAttention_0.out.kernel": jax.nn.initializers.variance_scaling(
        scale=1.0,
        mode="fan_in",
        distribution="truncated_normal",
        in_axis=[0, 1],
        out_axis=[2],
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
