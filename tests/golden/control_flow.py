"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:681df52eed0719eabd121863c5a7a61222a32b5873979efb5f3d2c9cb12d9f20

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(control_flow)(params, x)
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


def default(x: Array | None, default: Array | float) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x


def warm(params: Params, x: Array) -> Array:
    return linear(x, **params["scale"])


def cold(x: Array) -> Array:
    return -x


def small(x: Array, steps: Array, step: Any) -> Array:
    return jnp.sum(jnp.square(x)) < 100.0


def grow(x: Array, steps: Array, step: Any) -> tuple[Array, Array]:
    return x + step, steps + 1


def euler(params: Params, x: Array, i: Array) -> tuple[Array, Array]:
    next_ = x + linear(x, **params["rate"]) * 0.1 * i
    return next_, jnp.mean(next_, axis=(-1,))


def lane(row: Array, scale: Any) -> Array:
    row_: Array = row * scale
    return row_


def expert(params: Params, x: Array) -> Array:
    return linear(x, **params["linear"])


def control_flow(
    params: Params, x: Array, bias: Array | None = None
) -> dict[str, Array]:
    shifted = x + default(bias, jnp.zeros_like(x))
    positive = jnp.sum(shifted) > 0
    branch = jax.lax.cond(
        positive, lambda: warm(params["branch"]["then"], shifted), lambda: cold(shifted)
    )

    def loop_cond(carry: Any) -> Any:
        (x, steps), i = carry
        return small(x, steps, 0.5) & (i < 20)

    def loop_body(carry: Any) -> Any:
        (x, steps), i = carry
        x, steps = grow(x, steps, 0.5)
        return (x, steps), i + 1

    (loop_x, loop_steps), _ = jax.lax.while_loop(
        loop_cond,
        loop_body,
        ((branch, jnp.asarray(0, jnp.int32)), jnp.asarray(0, jnp.int32)),
    )

    def path_step(x: Array, i: Array) -> tuple[Any, Any]:
        x, point = euler(params["path"], x, i)
        return x, point

    path_x, path_point = jax.lax.scan(path_step, loop_x, jnp.arange(5, dtype=jnp.int32))
    lanes = jax.vmap(lambda row: lane(row, 2.0))(path_x)
    experts = jax.vmap(lambda layer: expert(layer, lanes))(params["experts"])
    return {"x": experts, "steps": loop_steps, "path": path_point}


# The shapes of the arrays of each node; below STACKED, copies lie on leading axes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "branch.then.scale": {"kernel": (4, 4), "bias": (4,)},
    "path.rate": {"kernel": (4, 4), "bias": (4,)},
    "experts.linear": {"kernel": (3, 4, 2), "bias": (3, 2)},
}
STACKED = ["experts."]
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}
ARRAYS = {f"{n}.{k}": s for n, group in SHAPES.items() for k, s in group.items()}


def nest(flat: dict[str, Array]) -> Params:
    """Arrays by path as a tree."""
    params: Params = {}
    for path, array in flat.items():
        *parents, name = path.split(".")
        reduce(lambda node, p: node.setdefault(p, {}), parents, params)[name] = array
    return params


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    flat = {}
    for path, shape in ARRAYS.items():
        keys = jax.random.fold_in(key, zlib.crc32(path.encode()))
        depth = sum(path.startswith(p) for p in STACKED)
        draw = partial(INIT[path.split(".")[-1]], shape=shape[depth:], dtype=dtype)
        for size in shape[:depth]:
            keys = jnp.vectorize(jax.random.fold_in)(keys[..., None], jnp.arange(size))
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
