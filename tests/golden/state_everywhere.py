"""state_everywhere: State and keys through every kind of loop and branch.

451 parameters in 62 arrays.
Made by blox of sha256:6dab719b8d0b9710bcefad384c50673a7cf2c5b556d0a55b4d9f63df4e0c90bf

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(state_everywhere)(params, x)
"""

import zlib
from collections.abc import Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors.flax import load_file

Params = dict[str, Any]


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


def dropout(x: Array, key: Array | None = None, *, rate: float) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None:
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


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if params is None:
        return state
    if isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state


def kept(params: Any, paths: Sequence[str], *, train: bool) -> Any:
    """The state of a part that does not run: what it has if training, else nothing."""
    parts: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        parts.setdefault(name, []).append(rest)
    if isinstance(params, list):
        copies = enumerate(params)
        return [kept(p, parts.get(str(i), []), train=train) for i, p in copies]
    state: dict[str, Any] = {}
    for name, below in parts.items():
        if below != [""]:
            state[name] = kept(params[name], below, train=train)
        elif train:
            state[name] = params[name]
    return state


def normed(
    params: Params, x: Array, key: Array | None = None, *, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    bn, state["bn"] = batch_norm(
        x, **params["bn"], momentum=0.9, eps=1e-05, train=train
    )
    return dropout(bn, fold_in(key, "drop"), rate=0.5), state


def plain(x: Array, key: Array | None = None) -> Array:
    return x * 2.0


def more(x: Array, steps: Array, key: Array | None = None) -> Array:
    return steps < 3


def advance(
    params: Params, x: Array, steps: Array, key: Array | None = None, *, train: bool
) -> tuple[tuple[Array, Array], Params]:
    state: Params = {}
    normed_, state["normed"] = normed(
        params["normed"], x, fold_in(key, "normed"), train=train
    )
    return (normed_, steps + 1), state


def row(
    params: Params, x: Array, key: Array | None = None, *, train: bool
) -> tuple[tuple[Array, Array], Params]:
    state: Params = {}
    inner_key = fold_in(key, "inner")

    def inner_step(x: Array, xs: Any) -> tuple[Any, Any]:
        layer, i = xs
        x, new_state = normed(layer, x, fold_in(inner_key, i), train=train)
        return x, new_state

    inner, state["inner"] = jax.lax.scan(
        inner_step, x, (params["inner"], jnp.arange(3))
    )
    outer_key = fold_in(key, "outer")
    outer = inner
    outer_states: list[Params] = []
    for i, layer in enumerate(params["outer"]):
        outer, new_state = normed(layer, outer, fold_in(outer_key, i), train=train)
        outer_states.append(new_state)
    state["outer"] = outer_states
    return (outer, jnp.mean(outer)), state


def wave(x: Array, gain: Any, i: Any, *, power: int) -> tuple[Array, Array]:
    shifted = (x * gain) ** power + i
    return shifted, jnp.sum(shifted, axis=(-1,))


def gain(x: Array, gain: Array, i: Array) -> Array:
    return x * gain + i


def step(acc: Array, column: Array, scale: Array) -> tuple[Array, Array]:
    return acc + jnp.sum(column), column * scale


def state_everywhere(
    params: Params, x: Array, *, train: bool = False
) -> tuple[dict[str, Array], Params]:
    state: Params = {}
    rng_, state["rng"] = rng(**params["rng"], train=train)
    total = jnp.sum(x)
    positive = total > 0.0
    branch_key = fold_in(rng_, "branch")

    def branch_then() -> Any:
        outputs, new = normed(params["branch"]["then"], x, branch_key, train=train)
        return outputs, {"then": new}

    def branch_else() -> Any:
        outputs = plain(x, branch_key)
        return outputs, {
            "then": kept(params["branch"]["then"], ["bn.mean", "bn.var"], train=train)
        }

    branch, state["branch"] = jax.lax.cond(positive, branch_then, branch_else)
    loop_key = fold_in(rng_, "loop")

    def loop_cond(carry: Any) -> Any:
        (x, steps), i, _ = carry
        return more(x, steps, fold_in(loop_key, i))

    def loop_body(carry: Any) -> Any:
        (x, steps), i, state_ = carry
        (x, steps), new_state = advance(
            merge(params["loop"]["body"], state_),
            x,
            steps,
            fold_in(loop_key, i),
            train=train,
        )
        return (x, steps), i + 1, new_state

    (loop_x, _), _, loop_state = jax.lax.while_loop(
        loop_cond,
        loop_body,
        (
            (branch, jnp.asarray(0, jnp.int32)),
            jnp.asarray(0, jnp.int32),
            kept(
                params["loop"]["body"], ["normed.bn.mean", "normed.bn.var"], train=train
            ),
        ),
    )
    state["loop"] = {"body": loop_state}
    shared_key = fold_in(rng_, "shared")

    def shared_step(carry: Any, i: Array) -> tuple[Any, Any]:
        x, state_ = carry
        x, new_state = normed(
            merge(params["shared"], state_), x, fold_in(shared_key, i), train=train
        )
        return (x, new_state), None

    (shared, state["shared"]), _ = jax.lax.scan(
        shared_step,
        (loop_x, kept(params["shared"], ["bn.mean", "bn.var"], train=train)),
        jnp.arange(3),
    )
    grid_key = fold_in(rng_, "grid")

    def grid_step(x: Array, xs: Any) -> tuple[Any, Any]:
        layer, i = xs
        (x, mean), new_state = row(layer, x, fold_in(grid_key, i), train=train)
        return x, (mean, new_state)

    grid_x, (_, state["grid"]) = jax.lax.scan(
        grid_step, shared, (params["grid"], jnp.arange(2))
    )
    listed_key = fold_in(rng_, "listed")
    listed_x = grid_x
    listed_states: list[Params] = []
    for i, layer in enumerate(params["listed"]):
        (listed_x, _), new_state = row(
            layer, listed_x, fold_in(listed_key, i), train=train
        )
        listed_states.append(new_state)
    state["listed"] = listed_states
    widened_gain = (0.5, 1.0, 1.5, 2.0)
    widened_x = listed_x
    widened_seen_list: list[Array] = []
    for i in range(4):
        widened_x, seen = wave(widened_x, widened_gain[i], i, power=(1, 2)[i % 2])
        widened_seen_list.append(seen)
    widened_seen = jnp.stack(widened_seen_list)

    def gained_step(x: Array, xs: Any) -> tuple[Any, Any]:
        gain_, i = xs
        return gain(x, gain_, i), None

    gained, _ = jax.lax.scan(
        gained_step,
        widened_x,
        (
            jnp.asarray(
                (0.5, 1.0, 1.5, 2.0), params["branch"]["then"]["bn"]["scale"].dtype
            ),
            jnp.arange(4, dtype=jnp.int32),
        ),
    )
    lanes_key = fold_in(rng_, "lanes")

    def lanes_lane(layer: Params, i: Array) -> Any:
        return normed(layer, gained, fold_in(lanes_key, i), train=train)

    lanes, state["lanes"] = jax.vmap(lanes_lane)(params["lanes"], jnp.arange(3))
    columns_column = jnp.moveaxis(gained, 1, 0)

    def columns_step(acc: Array, column: Array) -> tuple[Any, Any]:
        acc, out = step(acc, column, total)
        return acc, out

    columns_acc, columns_out = jax.lax.scan(
        columns_step,
        jnp.asarray(0.0, params["branch"]["then"]["bn"]["scale"].dtype),
        columns_column,
        reverse=True,
    )
    columns_out = jnp.moveaxis(columns_out, 0, 1)
    again, state["twice"] = normed(
        params["twice"], gained, fold_in(rng_, "again"), train=train
    )
    once_more, once_more_state = normed(
        merge(params["twice"], state["twice"]),
        again,
        fold_in(rng_, "once_more"),
        train=train,
    )
    state = merge(state, {"twice": once_more_state})
    deep, deep_state = batch_norm(
        once_more, **params["group"]["inner"], momentum=0.9, eps=1e-05, train=train
    )
    state = merge(state, {"group": {"inner": deep_state}})
    return {
        "lanes": lanes,
        "waves": widened_seen,
        "columns": columns_out,
        "sum": columns_acc,
        "deep": deep,
    }, state


# The shapes of the arrays of each node; below STACKED, copies lie on leading axes.
SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "rng": {"key_data": (2,), "count": ()},
    "branch.then.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "loop.body.normed.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "shared.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "grid.inner.bn": {
        "scale": (2, 3, 4),
        "bias": (2, 3, 4),
        "mean": (2, 3, 4),
        "var": (2, 3, 4),
    },
    "grid.outer.0.bn": {"scale": (2, 4), "bias": (2, 4), "mean": (2, 4), "var": (2, 4)},
    "grid.outer.1.bn": {"scale": (2, 4), "bias": (2, 4), "mean": (2, 4), "var": (2, 4)},
    "listed.0.inner.bn": {
        "scale": (3, 4),
        "bias": (3, 4),
        "mean": (3, 4),
        "var": (3, 4),
    },
    "listed.0.outer.0.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "listed.0.outer.1.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "listed.1.inner.bn": {
        "scale": (3, 4),
        "bias": (3, 4),
        "mean": (3, 4),
        "var": (3, 4),
    },
    "listed.1.outer.0.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "listed.1.outer.1.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "lanes.bn": {"scale": (3, 4), "bias": (3, 4), "mean": (3, 4), "var": (3, 4)},
    "twice.bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
    "group.inner": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)},
}
STACKED = ["grid.", "grid.inner.", "listed.0.inner.", "listed.1.inner.", "lanes."]
INIT: dict[str, Any] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES: dict[str, Any] = {
    "key_data": jnp.uint32,
    "count": jnp.uint32,
    "mean": jnp.float32,
    "var": jnp.float32,
}
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
