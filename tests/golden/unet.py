"""denoiser: A U-Net that foretells the noise in an image.

2,543 parameters in 46 arrays.
Made by blox of sha256:0cf8d71e588099b6e5f518aad6340efdf1991560ac58eea06a33d7fc7817685d

    params = load_params("folder of params.safetensors")
    noise = jax.jit(denoiser)(params, image, time)
"""

import json
from collections.abc import Sequence
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

FEATURES = 4


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def _group_means(x: Array, axes: Sequence[int], groups: int) -> Array:
    """The mean of each group of features over the axes, for each of its features."""
    mean = jnp.mean(x, axis=axes, keepdims=True)
    parts = mean.reshape(*mean.shape[:-1], groups, x.shape[-1] // groups)
    parts = jnp.broadcast_to(jnp.mean(parts, axis=-1, keepdims=True), parts.shape)
    return parts.reshape(mean.shape)


def group_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """Normalises groups of features over the spatial axes, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - _group_means(y, (-3, -2), 2)
    factor = jax.lax.rsqrt(_group_means(jnp.square(y), (-3, -2), 2) + eps)
    return (y * (factor * scale) + bias).astype(x.dtype)


def conv(
    x: Array,
    kernel: Array,
    bias: Array,
    *,
    padding: str | Sequence[tuple[int, int]] = ((1, 1), (1, 1)),
) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    rows = x
    weights = kernel
    if x.dtype != kernel.dtype:
        dtype = jnp.promote_types(x.dtype, kernel.dtype)
        rows = x.astype(dtype)
        weights = kernel.astype(dtype)
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        rows, weights, [1, 1], padding, dimension_numbers=dimensions
    )
    return y + bias


def max_pool(x: Array) -> Array:
    """The greatest value of each window."""
    y: Array = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"
    )
    return y


def conv_transpose(x: Array, kernel: Array, bias: Array) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    weights = jnp.flip(kernel, range(2))
    rows = x
    if x.dtype != kernel.dtype:
        dtype = jnp.promote_types(x.dtype, kernel.dtype)
        rows = x.astype(dtype)
        weights = weights.astype(dtype)
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        rows,
        weights,
        [1, 1],
        [(1, 1), (1, 1)],
        lhs_dilation=[2, 2],
        dimension_numbers=dimensions,
    )
    return y + bias


def sinusoidal(positions: Array, *, theta: float = 10000.0) -> Array:
    """Sines and cosines of positions: (..., time) -> (..., time, dim)."""
    angles = positions.astype(jnp.float32)[..., None]
    angles = angles / theta ** (
        jnp.arange(0, 2 * FEATURES, 2, jnp.float32) / (2 * FEATURES)
    )
    pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    return pairs.reshape(*positions.shape, 2 * FEATURES)


def mlp(params: Params, x: Array) -> Array:
    """`down(act(up(x)))`: (..., features in) -> (..., features)."""
    x = jax.nn.silu(linear(x, **params["up"]))
    return linear(x, **params["down"])


def level(params: Params, x: Array, embedding: Array) -> Array:
    y = jax.nn.silu(group_norm(x, **params["norm_1"]))
    y = conv(y, **params["conv_1"])
    time = linear(jax.nn.silu(embedding), **params["time"])
    y = y + jnp.expand_dims(time, axis=(-3, -2))
    y = jax.nn.silu(group_norm(y, **params["norm_2"]))
    return x + conv(y, **params["conv_2"])


def level_short_conv(params: Params, x: Array, embedding: Array) -> Array:
    y = jax.nn.silu(group_norm(x, **params["norm_1"]))
    y = conv(y, **params["conv_1"])
    time = linear(jax.nn.silu(embedding), **params["time"])
    y = y + jnp.expand_dims(time, axis=(-3, -2))
    y = jax.nn.silu(group_norm(y, **params["norm_2"]))
    y = conv(y, **params["conv_2"])
    short_conv = conv(x, **params["short_conv"], padding=((0, 0), (0, 0)))
    return short_conv + y


def unet(params: Params, x: Array, embedding: Array) -> Array:
    """Levels of ever smaller size and back, each with what its size was on the way down."""
    x = level(params["down_0"], x, embedding)
    middle = level_short_conv(params["middle"], max_pool(x), embedding)
    x = jnp.concatenate([x, conv_transpose(middle, **params["grow_0"])], axis=-1)
    return level_short_conv(params["up_0"], x, embedding)


def denoiser(params: Params, image: Array, time: Array) -> Array:
    """image (batch, height, width, 3); time (batch)
    -> noise (batch, height, width, 3).
    """
    height, width = image.shape[1], image.shape[2]
    if height % 4:
        raise ValueError(f"expected a multiple of 4, found {height=}")
    if width % 4:
        raise ValueError(f"expected a multiple of 4, found {width=}")
    dtype = params["embed"]["up"]["kernel"].dtype
    image, time = image.astype(dtype), time.astype(dtype)
    embed = mlp(params["embed"], sinusoidal(time))
    stem = conv(image, **params["stem"], padding="SAME")
    x = unet(params["unet"], stem, embed)
    x = jax.nn.silu(group_norm(x, **params["norm"]))
    return conv(x, **params["head"], padding="SAME")


def level_short_conv_shapes(in_features: int, features_2: int) -> Params:
    return {
        "norm_1": {"scale": (in_features,), "bias": (in_features,)},
        "conv_1": {"kernel": (3, 3, in_features, features_2), "bias": (features_2,)},
        "time": {"kernel": (2 * FEATURES, features_2), "bias": (features_2,)},
        "norm_2": {"scale": (features_2,), "bias": (features_2,)},
        "conv_2": {"kernel": (3, 3, features_2, features_2), "bias": (features_2,)},
        "short_conv": {
            "kernel": (1, 1, in_features, features_2),
            "bias": (features_2,),
        },
    }


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "embed": {
        "up": {"kernel": (2 * FEATURES, 4 * FEATURES), "bias": (4 * FEATURES,)},
        "down": {"kernel": (4 * FEATURES, 2 * FEATURES), "bias": (2 * FEATURES,)},
    },
    "stem": {"kernel": (3, 3, 3, FEATURES), "bias": (FEATURES,)},
    "unet": {
        "down_0": {
            "norm_1": {"scale": (FEATURES,), "bias": (FEATURES,)},
            "conv_1": {"kernel": (3, 3, FEATURES, FEATURES), "bias": (FEATURES,)},
            "time": {"kernel": (2 * FEATURES, FEATURES), "bias": (FEATURES,)},
            "norm_2": {"scale": (FEATURES,), "bias": (FEATURES,)},
            "conv_2": {"kernel": (3, 3, FEATURES, FEATURES), "bias": (FEATURES,)},
        },
        "middle": level_short_conv_shapes(FEATURES, 2 * FEATURES),
        "grow_0": {"kernel": (2, 2, 2 * FEATURES, FEATURES), "bias": (FEATURES,)},
        "up_0": level_short_conv_shapes(2 * FEATURES, FEATURES),
    },
    "norm": {"scale": (FEATURES,), "bias": (FEATURES,)},
    "head": {"kernel": (3, 3, FEATURES, 3), "bias": (3,)},
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

    def draw(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.") for k, s in shapes.items()}
        own = jax.random.fold_in(key, crc32(path[:-1].encode()))
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
    faults: list[str] = []

    def read(shapes: Any, path: str = "") -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.") for k, s in shapes.items()}
        name, shape = path[:-1], (*shapes,)
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
