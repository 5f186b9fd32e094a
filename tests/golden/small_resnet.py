"""small_resnet: A residual network: a function with attributes called twice, state in
scan and unrolled.

14,402 parameters in 53 arrays.
Made by blox of sha256:7634df2354b2203713710d0f179fcfe12f2cead565c297951c8290fd33b2ea34

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(small_resnet)(params, image)
"""

import json
import math
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors import safe_open

Params = dict[str, Any]


def conv(x: Array, kernel: Array, *, strides: int, padding: str) -> Array:
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""
    n = kernel.ndim - 2
    steps = [strides] * n
    rates = [1] * n
    pads: str | Sequence[tuple[int, int]] = padding
    dtype = jnp.promote_types(x.dtype, kernel.dtype)
    batch = x.shape[: -n - 1]
    spatial = "DHW"[-n:]
    y = jax.lax.conv_general_dilated(
        x.reshape(math.prod(batch), *x.shape[-n - 1 :]).astype(dtype),
        kernel.astype(dtype),
        steps,
        pads,
        rhs_dilation=rates,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=1,
    )
    return y.reshape(*batch, *y.shape[1:])


def batch_norm(
    x: Array,
    scale: Array,
    bias: Array,
    *,
    mean: Array,
    var: Array,
    momentum: float,
    eps: float,
    train: bool,
) -> tuple[Array, dict[str, Array]]:
    """Normalises each feature of the last axis; returns (y, running statistics)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    state = {}
    if train:
        axes = tuple(range(x.ndim - 1))
        old_mean = mean
        old_var = var
        mean = jnp.mean(y, axis=axes)
        var = jnp.mean(jnp.square(y - mean), axis=axes)
        new_var = var
        state = {
            "mean": momentum * old_mean + (1 - momentum) * mean,
            "var": momentum * old_var + (1 - momentum) * new_var,
        }
    y = (y - mean) * jax.lax.rsqrt(var + eps) * scale + bias
    return y.astype(x.dtype), state


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def project(
    params: Params, x: Array, *, strides: int, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    conv_ = conv(x, **params["conv"], strides=strides, padding="SAME")
    bn, state["bn"] = batch_norm(
        conv_, **params["bn"], momentum=0.9, eps=1e-05, train=train
    )
    skip = conv(x, **params["skip"], strides=strides, padding="SAME")
    bn_skip, state["bn_skip"] = batch_norm(
        skip, **params["bn_skip"], momentum=0.9, eps=1e-05, train=train
    )
    return jax.nn.relu(bn + bn_skip), state


def identity(params: Params, x: Array, *, train: bool) -> tuple[Array, Params]:
    state: Params = {}
    conv_ = conv(x, **params["conv"], strides=1, padding="SAME")
    bn, state["bn"] = batch_norm(
        conv_, **params["bn"], momentum=0.9, eps=1e-05, train=train
    )
    return jax.nn.relu(x + bn), state


def stage(
    params: Params, x: Array, *, strides: int, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    first, state["first"] = project(params["first"], x, strides=strides, train=train)

    def rest_step(x: Array, layer: Params) -> tuple[Any, Any]:
        x, new_state = identity(layer, x, train=train)
        return x, new_state

    rest, state["rest"] = jax.lax.scan(rest_step, first, params["rest"])
    more = rest
    more_states: list[Params] = []
    for layer in params["more"]:
        more, new_state = identity(layer, more, train=train)
        more_states.append(new_state)
    state["more"] = more_states
    return more, state


def small_resnet(
    params: Params, image: Array, *, train: bool = False
) -> tuple[Array, Params]:
    state: Params = {}
    stem = conv(image, **params["stem"], strides=1, padding="SAME")
    stage_1, state["stage_1"] = stage(params["stage_1"], stem, strides=1, train=train)
    stage_2, state["stage_2"] = stage(
        params["stage_2"], stage_1, strides=2, train=train
    )
    return linear(jnp.mean(stage_2, axis=(-3, -2)), **params["head"]), state


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
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES: dict[str, Any] = {"mean": jnp.float32, "var": jnp.float32}


def each_array(make: Callable[..., Array], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape."""
    parts = path[1:].split(".")
    starred = ["*" if ":" in p else p for p in parts]
    path += ".*" * STACKED.count(".".join(starred))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    if isinstance(tree, list):
        n = len(tree)
        return [each_array(make, t, f"{path}.{i}:{n}") for i, t in enumerate(tree)]
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def drawn(
    copies: Sequence[str], make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Array:
    """An array with its copies, outermost first: each folds its number into the key."""
    if not copies:
        array: Array = make(key, shape, dtype)
        return array
    if copies[0] != "*":
        key = jax.random.fold_in(key, int(copies[0].partition(":")[0]))
        return drawn(copies[1:], make, key, shape, dtype)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: drawn(copies[1:], make, key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Array:
        names = path.split(".")
        copies = [part for part in names if not part.isidentifier()]
        names = [part for part in names if part.isidentifier()]
        own = DTYPES.get(names[-1])
        kind = jnp.dtype(own or dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        make = INIT[names[-1]]
        make = partial(drawn, copies, make)
        seed = jax.random.fold_in(key, zlib.crc32(".".join(names).encode()))
        array: Array = make(seed, shape, kind)
        return array

    params: Params = each_array(draw, SHAPES)
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    if index.is_file() == files[0].is_file():
        wanted = "params.safetensors or params.safetensors.index.json in it"
        number = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {wanted}, found {number}")
    places: dict[str, str] = {}
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    found: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name] = stored.get_tensor(name)
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
            found[name] = file.name
    if index.is_file() and found != places:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def assembled(fetch: Any, stored: Any, path: str, shape: tuple[int, ...]) -> Any:
    """An array whose copies may lie otherwise in the file: one by one, or on an axis."""
    parts = path.split(".")
    own = [p.partition(":")[0] for p in parts if p != "*"]
    there = stored.get(".".join(p for p in parts if p.isidentifier()), own)

    def find(
        todo: Any, there: Any, name: str, index: Any, sizes: Any, shape: Any
    ) -> Any:
        if not todo:
            return fetch(name[1:], (*sizes, *shape))[index]
        part, *todo = todo
        if part.isidentifier():
            return find(todo, there[1:], f"{name}.{part}", index, sizes, shape)
        numbered = "".join(there[:1]).isdigit()
        if part != "*":
            i, n = map(int, part.split(":"))
            if numbered:
                return find(todo, there[1:], f"{name}.{i}", index, sizes, shape)
            return find(todo, there, name, (*index, i), (*sizes, n), shape)
        n, *inner = shape
        if not numbered:
            return find(todo, there, name, (*index, slice(None)), (*sizes, n), inner)
        every = [f"{name}.{i}" for i in range(n)]
        copies = [find(todo, there[1:], one, index, sizes, inner) for one in every]
        if any(copy.dtype != copies[0].dtype for copy in copies):
            raise ValueError(f"{path}: expected copies of one dtype, found several")
        return jnp.stack(copies, index.count(slice(None)))

    return find(parts, there, "", (), (), shape)


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array = left.pop(name, arrays[name])
        found, kind, wanted = (array.shape, array.dtype, "float")
        fits = jnp.issubdtype(kind, jnp.floating)
        names = [part for part in name.split(".") if not part.isdigit()]
        own = DTYPES.get(names[-1])
        wanted = wanted if own is None else jnp.dtype(own).name
        fits = fits if own is None else kind == own
        if found != shape or not fits:
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    parts = [name.split(".") for name in arrays]
    stored = {".".join(p for p in path if not p.isdigit()): path for path in parts}
    make = partial(assembled, fetch, stored)
    params: Params = each_array(make, SHAPES)
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
