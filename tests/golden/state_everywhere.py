"""state_everywhere: State and keys through every kind of loop and branch.

451 parameters in 62 arrays.
Made by blox of sha256:6dab719b8d0b9710bcefad384c50673a7cf2c5b556d0a55b4d9f63df4e0c90bf

    params = load_params("folder of params.safetensors")
    outputs, state = jax.jit(state_everywhere)(params, x)
"""

import json
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


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "rng": {"key_data": (2,), "count": ()},
    "branch": {
        "then": {"bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)}}
    },
    "loop": {
        "body": {
            "normed": {"bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)}}
        }
    },
    "shared": {"bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)}},
    "grid": {
        "inner": {
            "bn": {
                "scale": (2, 3, 4),
                "bias": (2, 3, 4),
                "mean": (2, 3, 4),
                "var": (2, 3, 4),
            }
        },
        "outer": [
            {"bn": {"scale": (2, 4), "bias": (2, 4), "mean": (2, 4), "var": (2, 4)}}
            for _ in range(2)
        ],
    },
    "listed": [
        {
            "inner": {
                "bn": {"scale": (3, 4), "bias": (3, 4), "mean": (3, 4), "var": (3, 4)}
            },
            "outer": [
                {"bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)}}
                for _ in range(2)
            ],
        }
        for _ in range(2)
    ],
    "lanes": {"bn": {"scale": (3, 4), "bias": (3, 4), "mean": (3, 4), "var": (3, 4)}},
    "twice": {"bn": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)}},
    "group": {"inner": {"scale": (4,), "bias": (4,), "mean": (4,), "var": (4,)}},
}
STACKED = ["grid", "grid.*.inner", "listed.*.inner", "lanes"]
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
