"""nnx_classifier: 1,588 parameters in 14 arrays.

Made by blox of sha256:7eebb3b56482b69c0bcef1021e463d128819703a0f4bc50b284cdf695e80ac30

    params = load_params("folder of params.safetensors")
    out, state = jax.jit(nnx_classifier)(params, images)
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


def conv(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        x, kernel, [1, 1], "SAME", dimension_numbers=dimensions
    )
    return y if bias is None else y + bias


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    *,
    mean: Array,
    var: Array,
    momentum: float = 0.9,
    eps: float = 1e-05,
    train: bool,
) -> tuple[Array, dict[str, Array]]:
    """Normalises each feature of the last axis; returns (y, running statistics)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    state: dict[str, Array] = {}
    if train:
        old_mean, old_var = mean, var
        mean = jnp.mean(y, axis=(0, 1, 2))
        y = y - mean
        var = jnp.mean(jnp.square(y), axis=(0, 1, 2))
        state["mean"] = momentum * old_mean + (1 - momentum) * mean
        state["var"] = momentum * old_var + (1 - momentum) * var
    else:
        y = y - mean
    factor = jax.lax.rsqrt(var + eps)
    y = y * (factor * scale) + bias
    return y.astype(x.dtype), state


def block(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    y = conv(x, **params["conv_1"])
    y, state["norm_1"] = batch_norm(y, **params["norm_1"], train=train)
    y = conv(jax.nn.relu(y), **params["conv_2"])
    y, state["norm_2"] = batch_norm(y, **params["norm_2"], train=train)
    return jax.nn.relu(x + y), state


def nnx_classifier(
    params: Params, images: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """images (batch, 8, 8, 3) -> (batch, 4)."""
    images = images.astype(params["stem"]["kernel"].dtype)
    state: Params = {}
    x = conv(images, **params["stem"])
    x, state["blocks"] = jax.lax.scan(
        lambda x, layer: block(layer, x, train=train), x, params["blocks"]
    )
    x = jnp.mean(x, axis=(-3, -2))
    return x @ params["head"]["kernel"] + params["head"]["bias"], state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "conv_1": {"kernel": (3, 3, 6, 6)},
    "norm_1": dict.fromkeys(("scale", "bias", "mean", "var"), (6,)),
    "conv_2": {"kernel": (3, 3, 6, 6)},
    "norm_2": dict.fromkeys(("scale", "bias", "mean", "var"), (6,)),
}
SHAPES: Params = {
    "stem": {"kernel": (3, 3, 3, 6), "bias": (6,)},
    "blocks": (2, BLOCK),
    "head": {"kernel": (6, 4), "bias": (4,)},
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES = {"mean": "float32", "var": "float32"}


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
        return INIT[name](own, shapes, DTYPES.get(name, dtype))

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
        kind = DTYPES.get(name.rpartition(".")[2], "float")
        wanted = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
