"""denoiser: A U-Net that foretells the noise in an image.

2,543 parameters in 46 arrays.
Made by blox of sha256:0cf8d71e588099b6e5f518aad6340efdf1991560ac58eea06a33d7fc7817685d

    model = load("folder of params.safetensors")
    noise = nnx.jit(Denoiser.__call__)(model, image, time)
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

FEATURES = 4


def max_pool(x: Array) -> Array:
    """The greatest value of each window."""
    y: Array = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"
    )
    return y


def sinusoidal(positions: Array, *, theta: float = 10000.0) -> Array:
    """Sines and cosines of positions: (..., time) -> (..., time, dim)."""
    angles = positions.astype(jnp.float32)[..., None]
    angles = angles / theta ** (
        jnp.arange(0, 2 * FEATURES, 2, jnp.float32) / (2 * FEATURES)
    )
    pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
    return pairs.reshape(*positions.shape, 2 * FEATURES)


def _group_means(x: Array, axes: Sequence[int], groups: int) -> Array:
    """The mean of each group of features over the axes, for each of its features."""
    mean = jnp.mean(x, axis=axes, keepdims=True)
    parts = mean.reshape(*mean.shape[:-1], groups, x.shape[-1] // groups)
    parts = jnp.broadcast_to(jnp.mean(parts, axis=-1, keepdims=True), parts.shape)
    return parts.reshape(mean.shape)


class GroupNorm(nnx.Module):
    """Normalises groups of features over the spatial axes, in float32."""

    def __init__(self, features: int, *, eps: float = 1e-05) -> None:
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))

    def __call__(self, x: Array) -> Array:
        y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        y = y - _group_means(y, (-3, -2), 2)
        factor = jax.lax.rsqrt(_group_means(jnp.square(y), (-3, -2), 2) + self.eps)
        return (y * (factor * self.scale[...]) + self.bias[...]).astype(x.dtype)


class ConvTranspose(nnx.Module):
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.kernel = nnx.Param(
            jax.nn.initializers.lecun_normal()(
                rngs.params(), (*kernel_size, in_features, out_features)
            )
        )
        self.bias = nnx.Param(jnp.zeros((out_features,)))

    def __call__(self, x: Array) -> Array:
        weights = jnp.flip(self.kernel[...], range(2))
        rows = x
        if x.dtype != self.kernel[...].dtype:
            dtype = jnp.promote_types(x.dtype, self.kernel[...].dtype)
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
        return y + self.bias[...]


class Mlp(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(2 * FEATURES, 4 * FEATURES, rngs=rngs)
        self.down = nnx.Linear(4 * FEATURES, 2 * FEATURES, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """`down(act(up(x)))`: (..., features in) -> (..., features)."""
        x = jax.nn.silu(self.up(x))
        return self.down(x)


class Level(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.norm_1 = GroupNorm(FEATURES)
        self.conv_1 = nnx.Conv(
            FEATURES, FEATURES, (3, 3), padding=((1, 1), (1, 1)), rngs=rngs
        )
        self.time = nnx.Linear(2 * FEATURES, FEATURES, rngs=rngs)
        self.norm_2 = GroupNorm(FEATURES)
        self.conv_2 = nnx.Conv(
            FEATURES, FEATURES, (3, 3), padding=((1, 1), (1, 1)), rngs=rngs
        )

    def __call__(self, x: Array, embedding: Array) -> Array:
        y = jax.nn.silu(self.norm_1(x))
        y = self.conv_1(y)
        time = self.time(jax.nn.silu(embedding))
        y = y + jnp.expand_dims(time, axis=(-3, -2))
        y = jax.nn.silu(self.norm_2(y))
        return x + self.conv_2(y)


class LevelShortConv(nnx.Module):
    def __init__(self, *, in_features: int, features_2: int, rngs: nnx.Rngs) -> None:
        self.norm_1 = GroupNorm(in_features)
        self.conv_1 = nnx.Conv(
            in_features, features_2, (3, 3), padding=((1, 1), (1, 1)), rngs=rngs
        )
        self.time = nnx.Linear(2 * FEATURES, features_2, rngs=rngs)
        self.norm_2 = GroupNorm(features_2)
        self.conv_2 = nnx.Conv(
            features_2, features_2, (3, 3), padding=((1, 1), (1, 1)), rngs=rngs
        )
        self.short_conv = nnx.Conv(
            in_features, features_2, (1, 1), padding=((0, 0), (0, 0)), rngs=rngs
        )

    def __call__(self, x: Array, embedding: Array) -> Array:
        y = jax.nn.silu(self.norm_1(x))
        y = self.conv_1(y)
        time = self.time(jax.nn.silu(embedding))
        y = y + jnp.expand_dims(time, axis=(-3, -2))
        y = jax.nn.silu(self.norm_2(y))
        y = self.conv_2(y)
        short_conv = self.short_conv(x)
        return short_conv + y


class Unet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.down_0 = Level(rngs=rngs)
        self.middle = LevelShortConv(
            in_features=FEATURES, features_2=2 * FEATURES, rngs=rngs
        )
        self.grow_0 = ConvTranspose(2 * FEATURES, FEATURES, (2, 2), rngs=rngs)
        self.up_0 = LevelShortConv(
            in_features=2 * FEATURES, features_2=FEATURES, rngs=rngs
        )

    def __call__(self, x: Array, embedding: Array) -> Array:
        """Levels of ever smaller size and back, each with what its size was on the way down."""
        x = self.down_0(x, embedding)
        middle = self.middle(max_pool(x), embedding)
        x = jnp.concatenate([x, self.grow_0(middle)], axis=-1)
        return self.up_0(x, embedding)


class Denoiser(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.embed = Mlp(rngs=rngs)
        self.stem = nnx.Conv(3, FEATURES, (3, 3), rngs=rngs)
        self.unet = Unet(rngs=rngs)
        self.norm = GroupNorm(FEATURES)
        self.head = nnx.Conv(FEATURES, 3, (3, 3), rngs=rngs)

    def __call__(self, image: Array, time: Array) -> Array:
        """image (batch, height, width, 3); time (batch)
        -> noise (batch, height, width, 3).
        """
        height, width = image.shape[1], image.shape[2]
        if height % 4:
            raise ValueError(f"expected a multiple of 4, found {height=}")
        if width % 4:
            raise ValueError(f"expected a multiple of 4, found {width=}")
        dtype = self.embed.up.kernel.dtype
        image, time = image.astype(dtype), time.astype(dtype)
        embed = self.embed(sinusoidal(time))
        stem = self.stem(image)
        x = self.unet(stem, embed)
        x = jax.nn.silu(self.norm(x))
        return self.head(x)


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


def _filled(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a file or folder by name: of the shapes and types of those wanted."""
    arrays = stored_arrays(path)
    faults: list[str] = []
    used: dict[str, Any] = {}

    def taken(name: str, shape: tuple[int, ...], kind: str) -> Any:
        x = arrays.get(name, np.array(None))
        used[name] = x
        like = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, like)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        found[name] = taken(name, x.shape, kind)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> Denoiser:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: Denoiser(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
