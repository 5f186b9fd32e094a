"""counters: State that nodes read and assign, in every kind of loop and branch.

57 parameters in 20 arrays.
Made by blox of sha256:19f75106791d1b4bd5a1452a1239c37426019acb5e58c541234dfeb79563faca

    model = load("folder of params.safetensors")
    outputs, model = eqx.filter_jit(model)(x, train=True)
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

State = dict[str, Any]

M = TypeVar("M", bound=eqx.Module)


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


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


def plain(x: Array) -> Array:
    return x * 2.0


def small(x: Array, step: Array) -> Array:
    x = jnp.sum(jnp.abs(x)) < 9.0
    return jnp.logical_and(x, step < 5)


class Counted(eqx.Module):
    calls: Array
    average: Array

    def __init__(self, *, key: Array) -> None:
        self.calls = jnp.zeros((), jnp.int32)
        self.average = jnp.zeros((4,), jnp.float32)

    def __call__(self, x: Array, *, dtype: Any, train: bool) -> tuple[Array, State]:
        """Counts its calls, and keeps an average of its input."""
        state: State = {}
        state["calls"] = self.calls + 1
        average = 0.9 * self.average + 0.1 * jnp.mean(x, axis=0)
        if train:
            state["average"] = average
        else:
            average = self.average
        x = x - average.astype(dtype)
        return jnp.tanh(x), state


class Counted2(eqx.Module):
    calls: Array
    average: Array

    def __init__(self, *, key: Array) -> None:
        self.calls = jnp.zeros((), jnp.int32)
        self.average = jnp.zeros((4,), jnp.float32)

    def __call__(self, x: Array, *, dtype: Any, train: bool) -> tuple[Array, State]:
        """Counts its calls, and keeps an average of its input."""
        state: State = {}
        state["calls"] = self.calls + 1
        average = 0.9 * self.average + 0.1 * jnp.mean(x, axis=0)
        if train:
            state["average"] = average
        else:
            average = self.average
        x = x - average.astype(dtype)
        return jnp.tanh(x), state


class Grow(eqx.Module):
    counted: Counted

    def __init__(self, *, key: Array) -> None:
        self.counted = Counted(key=key)

    def __call__(
        self, x: Array, step: Array, *, dtype: Any, train: bool
    ) -> tuple[Array, State]:
        state: State = {}
        x, state["counted"] = self.counted(x, dtype=dtype, train=train)
        x = x * 2.0 + step * 0.1
        return x, state


class Counters(eqx.Module):
    steps: Array
    stacked: Counted
    listed: list[Counted]
    shared: Counted
    either: dict[str, Counted2]
    loop: dict[str, Grow]
    lanes: Counted
    twice: Counted
    records: dict[str, Array]
    last: Counted

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 9)
        self.steps = jax.nn.initializers.constant(value=10.0)(keys[0], (), jnp.int32)
        self.stacked = eqx.filter_vmap(lambda key: Counted(key=key))(
            jax.random.split(keys[1], 2)
        )
        self.listed = [Counted(key=k) for k in jax.random.split(keys[2], 2)]
        self.shared = Counted(key=keys[3])
        self.either = {"then": Counted2(key=keys[4])}
        self.loop = {"body": Grow(key=keys[5])}
        self.lanes = eqx.filter_vmap(lambda key: Counted(key=key))(
            jax.random.split(keys[6], 2)
        )
        self.twice = Counted(key=keys[7])
        self.records = {"best": jnp.zeros((), jnp.float32)}
        self.last = Counted(key=keys[8])

    def __call__(
        self, x: Array, *, train: bool = False
    ) -> tuple[dict[str, Array], Self]:
        """x (batch, 4) -> y (batch, 4); best, step."""
        state: State = {}
        step = self.steps + 1
        state["steps"] = step
        x, state["stacked"] = jax.lax.scan(
            lambda x, layer: layer(x, dtype=jnp.float32, train=train), x, self.stacked
        )
        state["listed"] = []
        for layer in self.listed:
            x, layer_state = layer(x, dtype=jnp.float32, train=train)
            state["listed"].append(layer_state)

        def shared_step(
            carry: tuple[Array, State], _: None
        ) -> tuple[tuple[Array, State], None]:
            x, state_ = carry
            x, new_state = _updated(self.shared, state_)(
                x, dtype=jnp.float32, train=train
            )
            return (x, new_state), None

        (x, state["shared"]), _ = jax.lax.scan(
            shared_step,
            (
                x,
                merge(
                    _kept(self.shared, ["average"], train=train),
                    _kept(self.shared, ["calls"], train=True),
                ),
            ),
            None,
            length=3,
        )
        y = jnp.sum(x) > 0

        def either_then() -> tuple[Array, State]:
            outputs, new = self.either["then"](x, dtype=jnp.float32, train=train)
            return outputs, {"then": new}

        def either_else() -> tuple[Array, State]:
            outputs = plain(x)
            return outputs, {
                "then": merge(
                    _kept(self.either["then"], ["average"], train=train),
                    _kept(self.either["then"], ["calls"], train=True),
                )
            }

        x, state["either"] = jax.lax.cond(y, either_then, either_else)

        def loop_cond(carry: tuple[Array, Array, State]) -> Array:
            x, step, _ = carry
            return small(x, step)

        def loop_body(carry: tuple[Array, Array, State]) -> tuple[Array, Array, State]:
            x, step, state_ = carry
            x, new_state = _updated(self.loop["body"], state_)(
                x, step, dtype=jnp.float32, train=train
            )
            return x, step + 1, new_state

        x, _, loop_state = jax.lax.while_loop(
            loop_cond,
            loop_body,
            (
                x,
                jnp.asarray(0, jnp.int32),
                merge(
                    _kept(self.loop["body"], ["counted.average"], train=train),
                    _kept(self.loop["body"], ["counted.calls"], train=True),
                ),
            ),
        )
        state["loop"] = {"body": loop_state}
        x, state["lanes"] = jax.vmap(
            lambda layer: layer(x, dtype=jnp.float32, train=train)
        )(self.lanes)
        x = jnp.mean(x, axis=0)
        x, state["twice"] = self.twice(x, dtype=jnp.float32, train=train)
        x, second_state = _updated(self.twice, state["twice"])(
            x, dtype=jnp.float32, train=train
        )
        state = merge(state, {"twice": second_state})
        y = jnp.maximum(self.records["best"], jnp.max(x))
        best = y
        if train:
            state = merge(state, {"records": {"best": best}})
        else:
            state = merge(state, {"records": {}})
            best = self.records["best"]
        y, state["last"] = self.last(x, dtype=jnp.float32, train=train)
        return {"y": y, "best": best, "step": step}, _updated(self, state)


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("stacked", "lanes")


# The types of these, by name or last name; of all else, any float will do.
PINNED = {"average": "float32", "best": "float32"}


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


def load(path: str | Path) -> Counters:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Counters, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Counters = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
