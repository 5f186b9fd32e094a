"""state_everywhere: State and keys through every kind of loop and branch.

451 parameters in 62 arrays.
Made by blox of sha256:5eab5d6c209a84b7bd83c4bdc1080af976a5bec95c69ded7d6ec995a4787e6ba

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(state_everywhere)(params, x)
"""

import json
from collections.abc import Sequence
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

WIDTH = 4


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
        mean = jnp.mean(y, axis=(0,))
        y = y - mean
        var = jnp.mean(jnp.square(y), axis=(0,))
        state["mean"] = momentum * old_mean + (1 - momentum) * mean
        state["var"] = momentum * old_var + (1 - momentum) * var
    else:
        y = y - mean
    factor = jax.lax.rsqrt(var + eps)
    y = y * (factor * scale) + bias
    return y.astype(x.dtype), state


def dropout(x: Array, key: Array | None = None, *, rate: float = 0.5) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None:
        return x
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
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
    data = crc32(part.encode()) if isinstance(part, str) else part
    return jax.random.fold_in(key, data)


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


def kept(params: Any, paths: Sequence[str], *, train: bool) -> Any:
    """The state of a part that does not run: what it has if training, else nothing."""
    if paths == [""]:
        return params if train else {}
    parts: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        parts.setdefault(name, []).append(rest)
    if isinstance(params, list):
        copies = enumerate(params)
        return [kept(p, parts.get(str(i), []), train=train) for i, p in copies]
    state: dict[str, Any] = {}
    for name, below in parts.items():
        if train or below != [""]:
            state[name] = kept(params[name], below, train=train)
    return state


def normed(
    params: Params, x: Array, key: Array | None = None, *, train: bool
) -> tuple[Array, Params]:
    state: Params = {}
    x, state["bn"] = batch_norm(x, **params["bn"], train=train)
    return dropout(x, fold_in(key, "drop")), state


def plain(x: Array, key: Array | None = None) -> Array:
    return x * 2.0


def more(x: Array, steps: Array, key: Array | None = None) -> Array:
    return steps < 3


def advance(
    params: Params, x: Array, steps: Array, key: Array | None = None, *, train: bool
) -> tuple[tuple[Array, Array], Params]:
    state: Params = {}
    x, state["normed"] = normed(
        params["normed"], x, fold_in(key, "normed"), train=train
    )
    return (x, steps + 1), state


def row(
    params: Params, x: Array, key: Array | None = None, *, train: bool
) -> tuple[tuple[Array, Array], Params]:
    state: Params = {}
    inner_key = fold_in(key, "inner")

    def inner_step(x: Array, xs: tuple[Params, Array]) -> tuple[Array, Params]:
        layer, i = xs
        return normed(layer, x, fold_in(inner_key, i), train=train)

    x, state["inner"] = jax.lax.scan(inner_step, x, (params["inner"], jnp.arange(3)))
    outer_key = fold_in(key, "outer")
    state["outer"] = []
    for i, layer in enumerate(params["outer"]):
        x, layer_state = normed(layer, x, fold_in(outer_key, i), train=train)
        state["outer"].append(layer_state)
    return (x, jnp.mean(x)), state


def wave(x: Array, gain: float, i: int, *, power: int) -> tuple[Array, Array]:
    x = (x * gain) ** power + i
    return x, jnp.sum(x, axis=(-1,))


def gain(x: Array, gain: Array, i: Array) -> Array:
    return x * gain + i


def step(acc: Array, column: Array, scale: Array) -> tuple[Array, Array]:
    return acc + jnp.sum(column), column * scale


def state_everywhere(
    params: Params, x: Array, *, train: bool = False
) -> tuple[dict[str, Array], Params]:
    """x (batch, width)
    -> lanes (3, batch, width); waves (4, batch); columns (batch, 4); sum;
    deep (batch, width).
    """
    dtype = params["branch"]["then"]["bn"]["scale"].dtype
    x = x.astype(dtype)
    state: Params = {}
    key, state["rng"] = rng(**params["rng"], train=train)
    total = jnp.sum(x)
    positive = total > 0.0
    branch_key = fold_in(key, "branch")

    def branch_then() -> tuple[Array, Params]:
        outputs, new = normed(params["branch"]["then"], x, branch_key, train=train)
        return outputs, {"then": new}

    def branch_else() -> tuple[Array, Params]:
        outputs = plain(x, branch_key)
        return outputs, {
            "then": kept(params["branch"]["then"], ["bn.mean", "bn.var"], train=train)
        }

    x, state["branch"] = jax.lax.cond(positive, branch_then, branch_else)
    loop_key = fold_in(key, "loop")

    def loop_cond(carry: tuple[tuple[Array, Array], Array, Params]) -> Array:
        (x, steps), i, _ = carry
        return more(x, steps, fold_in(loop_key, i))

    def loop_body(
        carry: tuple[tuple[Array, Array], Array, Params],
    ) -> tuple[tuple[Array, Array], Array, Params]:
        (x, steps), i, state_ = carry
        (x, steps), new_state = advance(
            merge(params["loop"]["body"], state_),
            x,
            steps,
            fold_in(loop_key, i),
            train=train,
        )
        return (x, steps), i + 1, new_state

    (x, _), _, loop_state = jax.lax.while_loop(
        loop_cond,
        loop_body,
        (
            (x, jnp.asarray(0, jnp.int32)),
            jnp.asarray(0, jnp.int32),
            kept(
                params["loop"]["body"], ["normed.bn.mean", "normed.bn.var"], train=train
            ),
        ),
    )
    state["loop"] = {"body": loop_state}
    shared_key = fold_in(key, "shared")

    def shared_step(
        carry: tuple[Array, Params], i: Array
    ) -> tuple[tuple[Array, Params], None]:
        x, state_ = carry
        x, new_state = normed(
            merge(params["shared"], state_), x, fold_in(shared_key, i), train=train
        )
        return (x, new_state), None

    (x, state["shared"]), _ = jax.lax.scan(
        shared_step,
        (x, kept(params["shared"], ["bn.mean", "bn.var"], train=train)),
        jnp.arange(3),
    )
    grid_key = fold_in(key, "grid")

    def grid_step(
        x: Array, xs: tuple[Params, Array]
    ) -> tuple[Array, tuple[Array, Params]]:
        layer, i = xs
        (x, mean), new_state = row(layer, x, fold_in(grid_key, i), train=train)
        return x, (mean, new_state)

    x, (_, state["grid"]) = jax.lax.scan(grid_step, x, (params["grid"], jnp.arange(2)))
    listed_key = fold_in(key, "listed")
    state["listed"] = []
    for i, layer in enumerate(params["listed"]):
        (x, _), layer_state = row(layer, x, fold_in(listed_key, i), train=train)
        state["listed"].append(layer_state)
    widened_gain = (0.5, 1.0, 1.5, 2.0)
    widened_seen_list: list[Array] = []
    for i in range(4):
        x, seen = wave(x, widened_gain[i], i, power=(1, 2)[i % 2])
        widened_seen_list.append(seen)
    waves = jnp.stack(widened_seen_list)

    def gained_step(x: Array, xs: tuple[Array, Array]) -> tuple[Array, None]:
        gain_, i = xs
        return gain(x, gain_, i), None

    x, _ = jax.lax.scan(
        gained_step,
        x,
        (jnp.asarray((0.5, 1.0, 1.5, 2.0), dtype), jnp.arange(4, dtype=jnp.int32)),
    )
    lanes_key = fold_in(key, "lanes")
    lanes, state["lanes"] = jax.vmap(
        lambda layer, i: normed(layer, x, fold_in(lanes_key, i), train=train)
    )(params["lanes"], jnp.arange(3))
    columns_column = jnp.moveaxis(x, 1, 0)
    acc, columns = jax.lax.scan(
        lambda acc, column: step(acc, column, total),
        jnp.asarray(0.0, dtype),
        columns_column,
        reverse=True,
    )
    columns = jnp.moveaxis(columns, 0, 1)
    x, state["twice"] = normed(params["twice"], x, fold_in(key, "again"), train=train)
    x, once_more_state = normed(
        merge(params["twice"], state["twice"]),
        x,
        fold_in(key, "once_more"),
        train=train,
    )
    state = merge(state, {"twice": once_more_state})
    deep, deep_state = batch_norm(x, **params["group"]["inner"], train=train)
    state = merge(state, {"group": {"inner": deep_state}})
    return {
        "lanes": lanes,
        "waves": waves,
        "columns": columns,
        "sum": acc,
        "deep": deep,
    }, state


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
ROW: Params = {
    "inner": (3, {"bn": dict.fromkeys(("scale", "bias", "mean", "var"), (WIDTH,))}),
    "outer": [{"bn": dict.fromkeys(("scale", "bias", "mean", "var"), (WIDTH,))}] * 2,
}
NORMED: Params = {"bn": dict.fromkeys(("scale", "bias", "mean", "var"), (WIDTH,))}
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "branch": {"then": NORMED},
    "loop": {"body": {"normed": NORMED}},
    "shared": NORMED,
    "grid": (2, ROW),
    "listed": [ROW] * 2,
    "lanes": (3, NORMED),
    "twice": NORMED,
    "group": {"inner": dict.fromkeys(("scale", "bias", "mean", "var"), (WIDTH,))},
}
INIT: dict[str, Any] = {
    "key_data": jax.random.bits,
    "count": jax.nn.initializers.zeros,
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "mean": jax.nn.initializers.zeros,
    "var": jax.nn.initializers.ones,
}
DTYPES = {"key_data": "uint32", "count": "uint32", "mean": "float32", "var": "float32"}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if isinstance(shapes, list):
            return [draw(s, path, *copies, i) for i, s in enumerate(shapes)]
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
        if isinstance(shapes, list):
            n = len(shapes)
            if path in numbered:
                return [read(s, f"{path}{i}.", *axes) for i, s in enumerate(shapes)]
            copies = read(shapes[0], path, *axes, n)
            takes = [partial(np.take, indices=i, axis=len(axes)) for i in range(n)]
            return [jax.tree.map(take, copies) for take in takes]
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
