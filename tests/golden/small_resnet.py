"""small_resnet: A residual network: a function with attributes called twice, state in
scan and unrolled.

14,402 parameters in 53 arrays.
Made by blox of sha256:7634df2354b2203713710d0f179fcfe12f2cead565c297951c8290fd33b2ea34

    params = load_params("folder of params.safetensors")
    logits, state = jax.jit(small_resnet)(params, image)
"""

import json
import re
import zlib
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]

CLASSES = 10


def conv(x: Array, kernel: Array, *, strides: int = 1) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, [strides, strides], "SAME", dimension_numbers=dimensions
    )


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
        var = jnp.mean(jnp.square(y - mean), axis=(0, 1, 2))
        state["mean"] = momentum * old_mean + (1 - momentum) * mean
        state["var"] = momentum * old_var + (1 - momentum) * var
    y = (y - mean) * jax.lax.rsqrt(var + eps) * scale + bias
    return y.astype(x.dtype), state


def project(
    params: Params, x: Array, *, strides: int, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    y = conv(x, **params["conv"], strides=strides)
    y, state["bn"] = batch_norm(y, **params["bn"], train=train)
    skip = conv(x, **params["skip"], strides=strides)
    skip, state["bn_skip"] = batch_norm(skip, **params["bn_skip"], train=train)
    return jax.nn.relu(y + skip), state


def identity(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    y = conv(x, **params["conv"])
    y, state["bn"] = batch_norm(y, **params["bn"], train=train)
    return jax.nn.relu(x + y), state


def stage(
    params: Params, x: Array, *, strides: int, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    x, state["first"] = project(params["first"], x, strides=strides, train=train)
    x, state["rest"] = jax.lax.scan(
        lambda x, layer: identity(layer, x, train=train), x, params["rest"]
    )
    state["more"] = []
    for layer in params["more"]:
        x, layer_state = identity(layer, x, train=train)
        state["more"].append(layer_state)
    return x, state


def small_resnet(
    params: Params, image: Array, *, train: bool = False
) -> tuple[Array, Params]:
    """image (batch, height, width, 3) -> logits (batch, classes)."""
    image = image.astype(params["stem"]["kernel"].dtype)
    state: Params = {}
    x = conv(image, **params["stem"])
    x, state["stage_1"] = stage(params["stage_1"], x, strides=1, train=train)
    x, state["stage_2"] = stage(params["stage_2"], x, strides=2, train=train)
    x = jnp.mean(x, axis=(-3, -2))
    return x @ params["head"]["kernel"] + params["head"]["bias"], state


def stage_shapes(width_in: int, features: int) -> Params:
    return {
        "first": {
            "conv": {"kernel": (3, 3, width_in, features)},
            "bn": dict.fromkeys(("scale", "bias", "mean", "var"), (features,)),
            "skip": {"kernel": (1, 1, width_in, features)},
            "bn_skip": dict.fromkeys(("scale", "bias", "mean", "var"), (features,)),
        },
        "rest": {
            "conv": {"kernel": (2, 3, 3, features, features)},
            "bn": dict.fromkeys(("scale", "bias", "mean", "var"), (2, features)),
        },
        "more": [
            {
                "conv": {"kernel": (3, 3, features, features)},
                "bn": dict.fromkeys(("scale", "bias", "mean", "var"), (features,)),
            }
            for _ in range(2)
        ],
    }


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "stem": {"kernel": (3, 3, 3, 8)},
    "stage_1": stage_shapes(8, 8),
    "stage_2": stage_shapes(8, 16),
    "head": {"kernel": (16, CLASSES), "bias": (CLASSES,)},
}
# Arrays below begin with an axis of copies; * is its place in a path.
STACKED = ["stage_1.rest", "stage_2.rest"]
# What draws an array, by the last name of its path.
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES: dict[str, str] = {"mean": "float32", "var": "float32"}


def each_array(make: Any, tree: Any, path: str = "") -> Any:
    """The tree with what make gives for the path and the shape of each array."""
    if path[:-1] in STACKED:
        return each_array(make, tree, path + "*.")
    if isinstance(tree, tuple):
        return make(path[:-1], tree)
    if isinstance(tree, list):
        # In a path, *0/2 is the first of two copies.
        n = len(tree)
        return [each_array(make, t, f"{path}*{i}/{n}.") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}{k}.") for k, t in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    floating = jnp.issubdtype(dtype, jnp.floating)
    if not floating or dtype != jax.dtypes.canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(path: str, shape: tuple[int, ...], *copies: Any) -> Any:
        if "*" in path:
            head, i, _, end = re.split("[*]([0-9]*)/?([0-9]*)[.]", path, maxsplit=1)
            if not i:
                copy = partial(draw, head + end, shape[1:], *copies)
                return jax.vmap(copy)(jnp.arange(shape[0]))
            return draw(head + end, shape, *copies, int(i))
        name = path.rpartition(".")[2]
        own = reduce(jax.random.fold_in, (zlib.crc32(path.encode()), *copies), key)
        return INIT[name](own, shape, DTYPES.get(name, dtype))

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    file, index = path / "params.safetensors", path / "params.safetensors.index.json"
    here = [f.name for f in (file, index, path / ".blox-commit.json") if f.exists()]
    if path.is_file() or here == [file.name]:
        return load_file(file if here else path)
    if here != [index.name]:
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {here}")
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        names = set(places.values())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{index}: expected a weight_map, found {error!r}") from None
    shards = {f.name: load_file(f) for f in path.iterdir() if f.name in names}
    if places != {key: name for name, shard in shards.items() for key in shard}:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for shard in shards.values() for key, array in shard.items()}


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []
    read: list[str] = []

    def take(path: str, shape: tuple[int, ...], axis: int = 0) -> Any:
        if "*" in path:
            head, i, n, end = re.split("[*]([0-9]*)/?([0-9]*)[.]", path, maxsplit=1)
            if i and head in numbered:
                return take(f"{head}{i}.{end}", shape, axis)
            if i:
                shape = (*shape[:axis], int(n), *shape[axis:])
                return np.take(take(head + end, shape, axis + 1), int(i), axis)
            if head in numbered:
                each = [f"{head}{i}.{end}" for i in range(shape[axis])]
                shape = shape[:axis] + shape[axis + 1 :]
                return np.stack([take(name, shape, axis) for name in each], axis)
            return take(head + end, shape, axis + 1)
        read.append(path)
        x = arrays.get(path, np.array(None))
        kind = DTYPES.get(path.rpartition(".")[2], "float")
        wanted = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, wanted)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{path}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    params = each_array(take, SHAPES)
    left = sorted(arrays.keys() - read)
    faults += [f"{name}: expected no such array" for name in left]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return dict(jax.tree.map(jnp.asarray, params))
