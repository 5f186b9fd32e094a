"""equinox_classifier: 1,592 parameters in 16 arrays.

Made by blox of sha256:789b17228fbe674266e76a2a193c219da4aa22b4253fabab40c9ec1e30d93606

    params = load_params("folder of params.safetensors")
    out, state = jax.jit(equinox_classifier)(params, images)
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
        x,
        kernel,
        (1, 1),
        ((1, 1), (1, 1)),
        rhs_dilation=(1, 1),
        dimension_numbers=dimensions,
    )
    return y if bias is None else y + bias


def batch_norm(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    batch_mean = jnp.mean(x, axis=(-4, -3, -2))
    batch_var = jnp.var(x, axis=(-4, -3, -2), ddof=0)
    counted = params["count"] + 1
    if train:
        state["count"] = counted
    else:
        counted = params["count"]
    training = counted != params["count"]
    y = params["count"] == 0
    z = 1.0 - 0.9 ** params["count"].astype(params["weight"].dtype)
    z = jnp.where(y, 1.0, z)
    mean = params["mean"] * 0.9 + batch_mean * 0.1
    if train:
        state["mean"] = mean
    var = params["var"] * 0.9 + batch_var * 0.1
    if train:
        state["var"] = var
    x = x - jnp.where(training, batch_mean, params["mean"] / z)
    y = jnp.where(training, batch_var, params["var"] / z) + 1e-05
    x = x / jnp.sqrt(y) * params["weight"] + params["bias"]
    return x, state


def block(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    y = conv(x, **params["conv_1"])
    norm_1, state["norm_1"] = batch_norm(params["norm_1"], y, train=train)
    norm_1 = conv(jax.nn.relu(norm_1), **params["conv_2"])
    norm_2, state["norm_2"] = batch_norm(params["norm_2"], norm_1, train=train)
    return jax.nn.relu(x + norm_2), state


def equinox_classifier(
    params: Params, images: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """images (batch, 3, 8, 8) -> (batch, 4)."""
    images = images.astype(params["stem"]["kernel"].dtype)
    state: Params = {}
    x = conv(images.transpose((0, 2, 3, 1)), **params["stem"])
    x, state["blocks"] = jax.lax.scan(
        lambda x, layer: block(layer, x, train=train), x, params["blocks"]
    )
    x = jnp.mean(x, axis=(-3, -2))
    return x @ params["head"]["kernel"] + params["head"]["bias"], state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BATCH_NORM: Params = {
    "count": (),
    "mean": (6,),
    "var": (6,),
    "weight": (6,),
    "bias": (6,),
}
BLOCK: Params = {
    "conv_1": {"kernel": (3, 3, 6, 6)},
    "norm_1": BATCH_NORM,
    "conv_2": {"kernel": (3, 3, 6, 6)},
    "norm_2": BATCH_NORM,
}
SHAPES: Params = {
    "stem": {"kernel": (3, 3, 3, 6), "bias": (6,)},
    "blocks": (2, BLOCK),
    "head": {"kernel": (6, 4), "bias": (4,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
    "count": jax.nn.initializers.zeros,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.zeros,
    "weight": jax.nn.initializers.normal(stddev=0.02),
    "blocks.norm_1.bias": jax.nn.initializers.normal(stddev=0.02),
    "blocks.norm_2.bias": jax.nn.initializers.normal(stddev=0.02),
}
DTYPES = {"count": "int32"}


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
        init = INIT[path[:-1] if path[:-1] in INIT else name]
        return init(own, shapes, DTYPES.get(name, dtype))

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
