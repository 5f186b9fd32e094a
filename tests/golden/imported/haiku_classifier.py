"""haiku_classifier: 1,644 parameters in 22 arrays.

Made by blox of sha256:2841c680ecf84e1000ce70a9c1b05525fda6e14dcf3fa63fef0c7818d18a024a

    params = load_params("folder of params.safetensors")
    out, state = jax.jit(haiku_classifier)(params, images)
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


def exponential_moving_average(
    params: Params, value: Array, *, dtype: Any, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    count = params["counter"] + 1
    new_hidden = params["hidden"] * 0.9 + value * 0.1
    counted = count
    if train:
        state["counter"] = counted
    else:
        counted = params["counter"]
    if train:
        state["hidden"] = new_hidden
    average = new_hidden / (1.0 - 0.9 ** count.astype(dtype))
    if train:
        state["average"] = average
    return counted, state


def batch_norm(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    dtype = params["scale"].dtype
    state: Params = {}
    batch_mean = jnp.mean(x, axis=(-4, -3, -2))
    batch_var = jnp.var(x, axis=(-4, -3, -2), ddof=0)
    mean_ema, state["mean_ema"] = exponential_moving_average(
        params["mean_ema"], batch_mean, dtype=dtype, train=train
    )
    var_ema, state["var_ema"] = exponential_moving_average(
        params["var_ema"], batch_var, dtype=dtype, train=train
    )
    y = mean_ema != params["mean_ema"]["counter"]
    x = x - jnp.where(y, batch_mean, params["mean_ema"]["average"])
    y = jnp.where(
        var_ema != params["var_ema"]["counter"], batch_var, params["var_ema"]["average"]
    )
    x = x * (params["scale"] * jax.lax.rsqrt(y + 1e-05))
    return x + params["offset"], state


def block(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    y = conv(x, **params["conv_1"])
    norm_1, state["norm_1"] = batch_norm(params["norm_1"], y, train=train)
    norm_1 = conv(jax.nn.relu(norm_1), **params["conv_2"])
    norm_2, state["norm_2"] = batch_norm(params["norm_2"], norm_1, train=train)
    return jax.nn.relu(x + norm_2), state


def haiku_classifier(
    params: Params, images: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """images (batch, 8, 8, 3) -> (batch, 4)."""
    images = images.astype(params["stem"]["kernel"].dtype)
    state: Params = {}
    x = conv(images, **params["stem"])
    x, state["block"] = jax.lax.scan(
        lambda x, layer: block(layer, x, train=train), x, params["block"]
    )
    x = jnp.mean(x, axis=(-3, -2))
    return x @ params["head"]["kernel"] + params["head"]["bias"], state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BATCH_NORM: Params = {
    "mean_ema": {"counter": (), "hidden": (1, 1, 1, 6), "average": (1, 1, 1, 6)},
    "var_ema": {"counter": (), "hidden": (1, 1, 1, 6), "average": (1, 1, 1, 6)},
    "scale": (1, 1, 1, 6),
    "offset": (1, 1, 1, 6),
}
BLOCK: Params = {
    "conv_1": {"kernel": (3, 3, 6, 6)},
    "norm_1": BATCH_NORM,
    "conv_2": {"kernel": (3, 3, 6, 6)},
    "norm_2": BATCH_NORM,
}
SHAPES: Params = {
    "stem": {"kernel": (3, 3, 3, 6), "bias": (6,)},
    "block": (2, BLOCK),
    "head": {"kernel": (6, 4), "bias": (4,)},
}
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "counter": jax.nn.initializers.zeros,
    "hidden": jax.nn.initializers.zeros,
    "average": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.normal(stddev=0.02),
    "offset": jax.nn.initializers.normal(stddev=0.02),
}
DTYPES = {"counter": "int32"}


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
