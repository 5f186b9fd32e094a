"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:b085d6291dff50ce92b37bdedb9429e7e563b44f1ccb552cffcb5b610077f306

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(dropout_net)(params, x)
"""

import zlib
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.flax import load_file

Params = dict[str, Any]


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def dropout(x: Array, key: Array | None = None, *, rate: float) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None or rate == 0:
        return x
    shape = list(x.shape)
    keep = jax.random.bernoulli(key, 1 - rate, tuple(shape))
    return jnp.where(keep, x / (1 - rate), 0)


def rng(
    *, key_data: Array, count: Array, train: bool
) -> tuple[Array | None, dict[str, Array]]:
    """A key per call, fold_in(key, count), and the next state; none if not training."""
    if not train:
        return None, {}
    key = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    return jax.random.fold_in(key, count), {"key_data": key_data, "count": count + 1}


def fold_in(key: Any, part: str | int | Array) -> Any:
    """The key of a part, by its name or step; None stays None."""
    if key is None:
        return None
    data = zlib.crc32(part.encode()) if isinstance(part, str) else part
    return jax.random.fold_in(key, data)


def layer(params: Params, x: Array, key: Array | None = None) -> Array:
    tanh = jnp.tanh(linear(x, **params["linear"]))
    return dropout(tanh, fold_in(key, "drop"), rate=0.25)


def dropout_net(
    params: Params, x: Array, *, train: bool = False
) -> tuple[Array, Params]:
    state: Params = {}
    rng_, state["rng"] = rng(**params["rng"], train=train)
    scanned_key = fold_in(rng_, "scanned")

    def scanned_step(x: Array, xs: Any) -> tuple[Any, Any]:
        layer_, i = xs
        return jax.checkpoint(layer, prevent_cse=False)(
            layer_, x, fold_in(scanned_key, i)
        ), None

    scanned, _ = jax.lax.scan(scanned_step, x, (params["scanned"], jnp.arange(4)))
    unrolled_key = fold_in(rng_, "unrolled")
    unrolled = scanned
    for i, layer_ in enumerate(params["unrolled"]):
        unrolled = jax.checkpoint(layer, policy=jax.checkpoint_policies.dots_saveable)(
            layer_, unrolled, fold_in(unrolled_key, i)
        )
    last = jax.checkpoint(layer, policy=jax.checkpoint_policies.everything_saveable)(
        params["last"], unrolled, fold_in(rng_, "last")
    )
    return dropout(last, fold_in(rng_, "out"), rate=0.1), state


# The shapes of the arrays of each node; below STACKED, copies lie on leading axes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "rng": {"key_data": (2,), "count": ()},
    "scanned.linear": {"kernel": (4, 16, 16), "bias": (4, 16)},
    "unrolled.0.linear": {"kernel": (16, 16), "bias": (16,)},
    "unrolled.1.linear": {"kernel": (16, 16), "bias": (16,)},
    "last.linear": {"kernel": (16, 16), "bias": (16,)},
}
STACKED = ["scanned."]
INIT: dict[str, Any] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}
DTYPES: dict[str, Any] = {"key_data": jnp.uint32, "count": jnp.uint32}
ARRAYS = {f"{n}.{k}": s for n, group in SHAPES.items() for k, s in group.items()}


def nest(flat: dict[str, Array]) -> Params:
    """Arrays by path as a tree."""
    params: Params = {}
    for path, array in flat.items():
        *parents, name = path.split(".")
        reduce(lambda node, p: node.setdefault(p, {}), parents, params)[name] = array
    params = listed(params)
    return params


def listed(tree: Any) -> Any:
    """Numbered copies as lists."""
    if not isinstance(tree, dict):
        return tree
    if tree and all(k.isdigit() for k in tree):
        return [listed(tree[k]) for k in sorted(tree, key=int)]
    return {k: listed(v) for k, v in tree.items()}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    flat = {}
    for path, shape in ARRAYS.items():
        parts = path.split(".")
        named = ".".join(p for p in parts if not p.isdigit())
        keys = jax.random.fold_in(key, zlib.crc32(named.encode()))
        make = INIT[path.split(".")[-1]]
        own = DTYPES.get(path, DTYPES.get(path.split(".")[-1])) or dtype
        depth = sum(path.startswith(p) for p in STACKED)
        draw = partial(make, shape=shape[depth:], dtype=own)
        sizes = iter(shape[:depth])
        for i, part in enumerate(["", *parts]):
            if part.isdigit():
                keys = jnp.vectorize(jax.random.fold_in)(keys, int(part))
            if "".join(p + "." for p in parts[:i]) in STACKED:
                copies = jnp.arange(next(sizes))
                keys = jnp.vectorize(jax.random.fold_in)(keys[..., None], copies)
                draw = jax.vmap(draw)
        flat[path] = draw(keys)
    return nest(flat)


def load_params(folder: str | Path) -> Params:
    """The parameters that `params*.safetensors` in a folder hold."""
    files = sorted(Path(folder).glob("params*.safetensors"))
    flat = {k: v for file in files for k, v in load_file(file).items()}
    for path, shape in ARRAYS.items():
        if path not in flat or flat[path].shape != shape:
            raise ValueError(f"{path}: expected an array of shape {shape} in {folder}")
    return nest(flat)
