"""state_everywhere: State and keys through every kind of loop and branch.

451 parameters in 62 arrays.
Made by blox of sha256:5eab5d6c209a84b7bd83c4bdc1080af976a5bec95c69ded7d6ec995a4787e6ba

    model = load("folder of params.safetensors")
    outputs, model = eqx.filter_jit(model)(x, train=True)
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from zlib import crc32

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

State = dict[str, Any]

M = TypeVar("M", bound=eqx.Module)

WIDTH = 4


def _parts(module: Any, state: Any) -> list[Any]:
    """The arrays of a module that state has, in the order of its leaves."""
    if isinstance(state, dict):
        own = module if isinstance(module, dict) else vars(module) if state else {}
        return [x for n in sorted(state) for x in _parts(own[n], state[n])]
    if isinstance(state, list):
        pairs = zip(module, state, strict=True)
        return [x for m, s in pairs for x in _parts(m, s)]
    return [module]


def _updated(module: M, state: Any) -> M:
    """The module with the arrays of state in place of its own."""
    new = jax.tree.leaves(state)
    return eqx.tree_at(lambda old: _parts(old, state), module, new) if new else module


def _kept(module: Any, paths: Sequence[str], *, train: bool) -> Any:
    """The state of a part that does not run: what it has if training, else nothing."""
    if paths == [""]:
        return module if train else {}
    below: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        below.setdefault(name, []).append(rest)
    if isinstance(module, list):
        copies = enumerate(module)
        return [_kept(m, below.get(str(i), []), train=train) for i, m in copies]
    own = module if isinstance(module, dict) else vars(module) if below else {}
    state: dict[str, Any] = {}
    for name, rest_of in below.items():
        if train or rest_of != [""]:
            state[name] = _kept(own[name], rest_of, train=train)
    return state


def dropout(x: Array, key: Array | None = None, *, rate: float = 0.5) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None:
        return x
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


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


class BatchNorm(eqx.Module):
    """Normalises each feature of the last axis; returns (y, running statistics)."""

    scale: Array
    bias: Array
    mean: Array
    var: Array
    momentum: float = eqx.field(static=True)
    eps: float = eqx.field(static=True)

    def __init__(
        self, features: int, *, momentum: float = 0.9, eps: float = 1e-05
    ) -> None:
        self.momentum = momentum
        self.eps = eps
        self.scale = jnp.ones((features,))
        self.bias = jnp.zeros((features,))
        self.mean = jnp.zeros((features,), jnp.float32)
        self.var = jnp.ones((features,), jnp.float32)

    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        mean = self.mean
        var = self.var
        y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        state: dict[str, Array] = {}
        if train:
            old_mean, old_var = mean, var
            mean = jnp.mean(y, axis=(0,))
            y = y - mean
            var = jnp.mean(jnp.square(y), axis=(0,))
            state["mean"] = self.momentum * old_mean + (1 - self.momentum) * mean
            state["var"] = self.momentum * old_var + (1 - self.momentum) * var
        else:
            y = y - mean
        factor = jax.lax.rsqrt(var + self.eps)
        y = y * (factor * self.scale) + self.bias
        return y.astype(x.dtype), state


class Rng(eqx.Module):
    """A key per call, fold_in(key, count), and the next state; none if not training."""

    key_data: Array
    count: Array

    def __init__(self, *, key: Array) -> None:
        self.key_data = jax.random.bits(key, (2,), jnp.uint32)
        self.count = jnp.zeros((), jnp.uint32)

    def __call__(self, *, train: bool) -> tuple[Array | None, dict[str, Array]]:
        if not train:
            return None, {}
        key = jax.random.wrap_key_data(self.key_data, impl="threefry2x32")
        return jax.random.fold_in(key, self.count), {
            "key_data": self.key_data,
            "count": self.count + 1,
        }


def plain(x: Array, key: Array | None = None) -> Array:
    return x * 2.0


def more(x: Array, steps: Array, key: Array | None = None) -> Array:
    return steps < 3


def wave(x: Array, gain: float, i: int, *, power: int) -> tuple[Array, Array]:
    x = (x * gain) ** power + i
    return x, jnp.sum(x, axis=(-1,))


def gain(x: Array, gain: Array, i: Array) -> Array:
    return x * gain + i


def step(acc: Array, column: Array, scale: Array) -> tuple[Array, Array]:
    return acc + jnp.sum(column), column * scale


class Normed(eqx.Module):
    bn: BatchNorm

    def __init__(self, *, key: Array) -> None:
        self.bn = BatchNorm(WIDTH)

    def __call__(
        self, x: Array, key: Array | None = None, *, train: bool
    ) -> tuple[Array, State]:
        state: State = {}
        x, state["bn"] = self.bn(x, train=train)
        return dropout(x, fold_in(key, "drop")), state


class Advance(eqx.Module):
    normed: Normed

    def __init__(self, *, key: Array) -> None:
        self.normed = Normed(key=key)

    def __call__(
        self, x: Array, steps: Array, key: Array | None = None, *, train: bool
    ) -> tuple[tuple[Array, Array], State]:
        state: State = {}
        x, state["normed"] = self.normed(x, fold_in(key, "normed"), train=train)
        return (x, steps + 1), state


class Row(eqx.Module):
    inner: Normed
    outer: list[Normed]

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.inner = eqx.filter_vmap(lambda key: Normed(key=key))(
            jax.random.split(keys[0], 3)
        )
        self.outer = [Normed(key=k) for k in jax.random.split(keys[1], 2)]

    def __call__(
        self, x: Array, key: Array | None = None, *, train: bool
    ) -> tuple[tuple[Array, Array], State]:
        state: State = {}
        inner_key = fold_in(key, "inner")

        def inner_step(x: Array, xs: tuple[Normed, Array]) -> tuple[Array, State]:
            layer, i = xs
            return layer(x, fold_in(inner_key, i), train=train)

        x, state["inner"] = jax.lax.scan(inner_step, x, (self.inner, jnp.arange(3)))
        outer_key = fold_in(key, "outer")
        state["outer"] = []
        for i, layer in enumerate(self.outer):
            x, layer_state = layer(x, fold_in(outer_key, i), train=train)
            state["outer"].append(layer_state)
        return (x, jnp.mean(x)), state


class StateEverywhere(eqx.Module):
    rng: Rng
    branch: dict[str, Normed]
    loop: dict[str, Advance]
    shared: Normed
    grid: Row
    listed: list[Row]
    lanes: Normed
    twice: Normed
    group: dict[str, BatchNorm]

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 8)
        self.rng = Rng(key=keys[0])
        self.branch = {"then": Normed(key=keys[1])}
        self.loop = {"body": Advance(key=keys[2])}
        self.shared = Normed(key=keys[3])
        self.grid = eqx.filter_vmap(lambda key: Row(key=key))(
            jax.random.split(keys[4], 2)
        )
        self.listed = [Row(key=k) for k in jax.random.split(keys[5], 2)]
        self.lanes = eqx.filter_vmap(lambda key: Normed(key=key))(
            jax.random.split(keys[6], 3)
        )
        self.twice = Normed(key=keys[7])
        self.group = {"inner": BatchNorm(WIDTH)}

    def __call__(
        self, x: Array, *, train: bool = False
    ) -> tuple[dict[str, Array], Self]:
        """x (batch, width)
        -> lanes (3, batch, width); waves (4, batch); columns (batch, 4); sum;
        deep (batch, width).
        """
        dtype = self.branch["then"].bn.scale.dtype
        x = x.astype(dtype)
        state: State = {}
        rng_, state["rng"] = self.rng(train=train)
        total = jnp.sum(x)
        positive = total > 0.0
        branch_key = fold_in(rng_, "branch")

        def branch_then() -> tuple[Array, State]:
            outputs, new = self.branch["then"](x, branch_key, train=train)
            return outputs, {"then": new}

        def branch_else() -> tuple[Array, State]:
            outputs = plain(x, branch_key)
            return outputs, {
                "then": _kept(self.branch["then"], ["bn.mean", "bn.var"], train=train)
            }

        x, state["branch"] = jax.lax.cond(positive, branch_then, branch_else)
        loop_key = fold_in(rng_, "loop")

        def loop_cond(carry: tuple[tuple[Array, Array], Array, State]) -> Array:
            (x, steps), i, _ = carry
            return more(x, steps, fold_in(loop_key, i))

        def loop_body(
            carry: tuple[tuple[Array, Array], Array, State],
        ) -> tuple[tuple[Array, Array], Array, State]:
            (x, steps), i, state_ = carry
            (x, steps), new_state = _updated(self.loop["body"], state_)(
                x, steps, fold_in(loop_key, i), train=train
            )
            return (x, steps), i + 1, new_state

        (x, _), _, loop_state = jax.lax.while_loop(
            loop_cond,
            loop_body,
            (
                (x, jnp.asarray(0, jnp.int32)),
                jnp.asarray(0, jnp.int32),
                _kept(
                    self.loop["body"], ["normed.bn.mean", "normed.bn.var"], train=train
                ),
            ),
        )
        state["loop"] = {"body": loop_state}
        shared_key = fold_in(rng_, "shared")

        def shared_step(
            carry: tuple[Array, State], i: Array
        ) -> tuple[tuple[Array, State], None]:
            x, state_ = carry
            x, new_state = _updated(self.shared, state_)(
                x, fold_in(shared_key, i), train=train
            )
            return (x, new_state), None

        (x, state["shared"]), _ = jax.lax.scan(
            shared_step,
            (x, _kept(self.shared, ["bn.mean", "bn.var"], train=train)),
            jnp.arange(3),
        )
        grid_key = fold_in(rng_, "grid")

        def grid_step(
            x: Array, xs: tuple[Row, Array]
        ) -> tuple[Array, tuple[Array, State]]:
            layer, i = xs
            (x, mean), new_state = layer(x, fold_in(grid_key, i), train=train)
            return x, (mean, new_state)

        x, (_, state["grid"]) = jax.lax.scan(grid_step, x, (self.grid, jnp.arange(2)))
        listed_key = fold_in(rng_, "listed")
        state["listed"] = []
        for i, layer in enumerate(self.listed):
            (x, _), layer_state = layer(x, fold_in(listed_key, i), train=train)
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
        lanes_key = fold_in(rng_, "lanes")
        lanes, state["lanes"] = jax.vmap(
            lambda layer, i: layer(x, fold_in(lanes_key, i), train=train)
        )(self.lanes, jnp.arange(3))
        columns_column = jnp.moveaxis(x, 1, 0)
        acc, columns = jax.lax.scan(
            lambda acc, column: step(acc, column, total),
            jnp.asarray(0.0, dtype),
            columns_column,
            reverse=True,
        )
        columns = jnp.moveaxis(columns, 0, 1)
        x, state["twice"] = self.twice(x, fold_in(rng_, "again"), train=train)
        x, once_more_state = _updated(self.twice, state["twice"])(
            x, fold_in(rng_, "once_more"), train=train
        )
        state = merge(state, {"twice": once_more_state})
        deep, deep_state = self.group["inner"](x, train=train)
        state = merge(state, {"group": {"inner": deep_state}})
        return {
            "lanes": lanes,
            "waves": waves,
            "columns": columns,
            "sum": acc,
            "deep": deep,
        }, _updated(self, state)


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("grid", "grid.inner", "listed.0.inner", "listed.1.inner", "lanes")


# The types of these, by name or last name; of all else, any float will do.
PINNED = {"mean": "float32", "var": "float32"}


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


def _filled(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a file or folder by name: of the shapes and types of those wanted."""
    arrays = stored_arrays(path)
    faults: list[str] = []
    used: dict[str, Any] = {}
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}

    def taken(name: str, shape: tuple[int, ...], kind: str) -> Any:
        x = arrays.get(name, np.array(None))
        used[name] = x
        like = jnp.floating if kind == "float" else kind
        fits = x.shape == shape and jnp.issubdtype(x.dtype, like)
        if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected {kind} {shape}, found {found}")
        return np.zeros(shape, bool)

    def alike(head: str) -> int:
        """How many copies of one kind a list has, or 0."""
        copies: dict[str, dict[str, Any]] = {}
        for name, x in wanted.items():
            if name.startswith(head):
                i, _, rest = name.removeprefix(head).partition(".")
                copies.setdefault(i, {})[rest] = x.shape
        return len(copies) if all(c == copies["0"] for c in copies.values()) else 0

    def read(
        parts: list[str],
        shape: tuple[int, ...],
        kind: str,
        path: str,
        head: str,
        axis: int,
    ) -> Any:
        """An array by the rest of its name; `path` is what a file has, `head` the name."""
        if not parts:
            return taken(path[:-1], shape, kind)
        part, *rest = parts
        if part == "*":
            if path not in numbered:
                return read(rest, shape, kind, path, head, axis + 1)
            one = shape[:axis] + shape[axis + 1 :]
            paths = [f"{path}{i}." for i in range(shape[axis])]
            return np.stack([read(rest, one, kind, p, head, axis) for p in paths], axis)
        below = f"{head}{part}."
        n = alike(head) if part.isdigit() and path not in numbered else 0
        if n:
            every = (*shape[:axis], n, *shape[axis:])
            return np.take(
                read(rest, every, kind, path, below, axis + 1), int(part), axis
            )
        return read(rest, shape, kind, f"{path}{part}.", below, axis)

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        kind = PINNED.get(name, PINNED.get(name.rpartition(".")[2], kind))
        parts = ["*"] * STACKED.count("")
        for i, part in enumerate(name.split(".")):
            head = ".".join(name.split(".")[: i + 1])
            parts += [part, *["*"] * STACKED.count(head)]
        found[name] = read(parts, x.shape, kind, "", "", 0)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> StateEverywhere:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(StateEverywhere, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: StateEverywhere = jax.tree_util.tree_unflatten(
        tree, [found[n] for n in names]
    )
    return model
