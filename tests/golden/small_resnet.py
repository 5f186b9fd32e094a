"""small_resnet: A residual network: a function with attributes called twice, state in
scan and unrolled.

14,402 parameters in 53 arrays.
Made by blox of sha256:7634df2354b2203713710d0f179fcfe12f2cead565c297951c8290fd33b2ea34

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(small_resnet)(params, image)
"""

import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.numpy import load_file

Params = dict[str, Any]


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
    image = image.astype(params["stem"]["kernel"].dtype)
    state: Params = {}
    x = conv(image, **params["stem"])
    x, state["stage_1"] = stage(params["stage_1"], x, strides=1, train=train)
    x, state["stage_2"] = stage(params["stage_2"], x, strides=2, train=train)
    x = jnp.mean(x, axis=(-3, -2)) @ params["head"]["kernel"] + params["head"]["bias"]
    return x, state


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "stem": {"kernel": (3, 3, 3, 8)},
    "stage_1": {
        "first": {
            "conv": {"kernel": (3, 3, 8, 8)},
            "bn": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
            "skip": {"kernel": (1, 1, 8, 8)},
            "bn_skip": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
        },
        "rest": {
            "conv": {"kernel": (2, 3, 3, 8, 8)},
            "bn": {"scale": (2, 8), "bias": (2, 8), "mean": (2, 8), "var": (2, 8)},
        },
        "more": [
            {
                "conv": {"kernel": (3, 3, 8, 8)},
                "bn": {"scale": (8,), "bias": (8,), "mean": (8,), "var": (8,)},
            }
            for _ in range(2)
        ],
    },
    "stage_2": {
        "first": {
            "conv": {"kernel": (3, 3, 8, 16)},
            "bn": {"scale": (16,), "bias": (16,), "mean": (16,), "var": (16,)},
            "skip": {"kernel": (1, 1, 8, 16)},
            "bn_skip": {"scale": (16,), "bias": (16,), "mean": (16,), "var": (16,)},
        },
        "rest": {
            "conv": {"kernel": (2, 3, 3, 16, 16)},
            "bn": {"scale": (2, 16), "bias": (2, 16), "mean": (2, 16), "var": (2, 16)},
        },
        "more": [
            {
                "conv": {"kernel": (3, 3, 16, 16)},
                "bn": {"scale": (16,), "bias": (16,), "mean": (16,), "var": (16,)},
            }
            for _ in range(2)
        ],
    },
    "head": {"kernel": (16, 10), "bias": (10,)},
}
STACKED = ["stage_1.rest", "stage_2.rest"]
INIT: dict[str, Callable[..., Array]] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES: dict[str, Any] = {"mean": jnp.float32, "var": jnp.float32}


def each_array(make: Callable[..., Any], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape; * is an axis of copies."""
    parts = ["*" if p.isdigit() else p for p in path[1:].split(".")]
    path += ".*" * STACKED.count(".".join(parts))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    if isinstance(tree, list):
        return [each_array(make, t, f"{path}.{i}") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def named(path: str) -> str:
    """A path without the numbers of copies."""
    return ".".join(part for part in path.split(".") if part.isidentifier())


def all_copies(make: Any, key: Array, shape: tuple[int, ...], dtype: Any) -> Any:
    """What `make` draws for copies on an axis: each folds its number into the key."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: make(key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    dtype = jnp.dtype(dtype)
    enabled = dtype == jax.dtypes.canonicalize_dtype(dtype)
    if not enabled or not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a float that JAX has enabled, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Any:
        name = named(path)
        make = INIT[name.rpartition(".")[2]]
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        for _ in range(path.count("*")):
            make = partial(all_copies, make)
        for number in filter(str.isdigit, path.split(".")):
            own = jax.random.fold_in(own, int(number))
        kind = DTYPES.get(name.rpartition(".")[2], dtype)
        return make(own, shape, kind)

    return dict(each_array(draw, SHAPES))


def stored_arrays(path: Path) -> dict[str, Any]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    if (path / ".blox-commit.json").exists():
        raise ValueError(f"{path}: expected a finished save, found .blox-commit.json")
    file = path if path.is_file() else path / "params.safetensors"
    index = path / "params.safetensors.index.json"
    if file.is_file() == index.is_file():
        both = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {file.name} or shards, found {both}")
    if file.is_file():
        return load_file(file)
    places = json.loads(index.read_text())["weight_map"]
    names = {Path(name).name for name in places.values()}
    shards = {name: load_file(path / name) for name in sorted(names)}
    pairs = [(key, name) for name, arrays in shards.items() for key in arrays]
    if sorted(pairs) != sorted(places.items()):
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return {key: array for arrays in shards.values() for key, array in arrays.items()}


def apart(name: str, slots: list[str], x: Any) -> list[tuple[str, Any]]:
    """The copies in an array of a file, by their numbers; the file may stack them."""
    parts = name.split(".")
    for at, slot in enumerate(slots):
        numbered = slot.isidentifier() or "".join(parts[at : at + 1]).isdigit()
        if x.ndim and not numbered:
            rows = range(len(x))
            names = [".".join([*parts[:at], str(i), *parts[at:]]) for i in rows]
            return [copy for i in rows for copy in apart(names[i], slots, x[i])]
    return [(name, x)]


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    paths = jax.tree.leaves(each_array(lambda path, _: path, SHAPES))
    slots = {named(path): path.split(".") for path in paths}
    ready = {path.replace(".*", "") for path in paths}
    copies = [(name, x) for name, x in arrays.items() if name in ready]
    for name in sorted(arrays.keys() - ready):
        copies += apart(name, slots.get(named(name), []), arrays[name])
    dots = {named(name): name.count(".") for name in arrays}
    mixed = any(dots[named(name)] != name.count(".") for name in arrays)
    arrays = dict(copies)
    if mixed or len(arrays) < len(copies):
        raise ValueError(f"{path}: expected copies in lists or stacked, found both")
    faults: list[str] = []

    def take(path: str, shape: tuple[int, ...]) -> Any:
        if "*" in path and path.replace("*", "0") in arrays:
            every = [path.replace("*", str(i), 1) for i in range(shape[0])]
            copies = [take(copy, shape[1:]) for copy in every]
            if not faults and len({x.dtype for x in copies}) > 1:
                faults.append(f"{path}: expected copies of one dtype, found several")
            return None if faults else jnp.stack(copies)
        name = path.replace(".*", "")
        x = arrays.pop(name, None)
        own = DTYPES.get(name.rpartition(".")[2])
        kind = own or jnp.floating
        if x is None or x.shape != shape or not jnp.issubdtype(x.dtype, kind):
            found = "no array" if x is None else f"{x.dtype} {x.shape}"
            wanted = jnp.dtype(own).name if own else "float"
            faults.append(f"{name}: expected {wanted} {shape}, found {found}")
        elif x.dtype != jax.dtypes.canonicalize_dtype(x.dtype):
            faults.append(f"{name}: expected at most 32 bits a value, found {x.dtype}")
        return None if faults else jnp.asarray(x)

    params = each_array(take, SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(params)
