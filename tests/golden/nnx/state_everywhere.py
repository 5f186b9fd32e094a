"""state_everywhere: State and keys through every kind of loop and branch.

451 parameters in 62 arrays.
Made by blox of sha256:5eab5d6c209a84b7bd83c4bdc1080af976a5bec95c69ded7d6ec995a4787e6ba

    model = load("folder of params.safetensors")
    outputs = nnx.jit(StateEverywhere.__call__, static_argnames="train")(model, x, train=True)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

M = TypeVar("M", bound=nnx.Module)

WIDTH = 4


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def _with_state(module: Any, *args: Any, **keywords: Any) -> tuple[Any, Any]:
    """What a copy of a module gives, and its state then: loops of JAX hand it on."""
    module = nnx.clone(module)
    outputs = module(*args, **keywords)
    return outputs, nnx.state(module, nnx.BatchStat)


def _with_arrays(module: M, state: Any) -> M:
    """A copy of a module with other state."""
    module = nnx.clone(module)
    nnx.update(module, state)
    return module


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


class Rng(nnx.Module):
    """A key per call, fold_in(key, count), and the next state; none if not training."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.key_data = nnx.BatchStat(jax.random.bits(rngs.params(), (2,), jnp.uint32))
        self.count = nnx.BatchStat(jnp.zeros((), jnp.uint32))

    def __call__(self, *, train: bool) -> Array | None:
        if not train:
            return None
        key = jax.random.wrap_key_data(self.key_data[...], impl="threefry2x32")
        key = jax.random.fold_in(key, self.count[...])
        self.count[...] = self.count[...] + 1
        return key


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


class Normed(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.bn = nnx.BatchNorm(
            WIDTH, momentum=0.9, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )

    def __call__(self, x: Array, key: Array | None = None, *, train: bool) -> Array:
        x = self.bn(x, use_running_average=not train)
        return dropout(x, fold_in(key, "drop"))


class Advance(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.normed = Normed(rngs=rngs)

    def __call__(
        self, x: Array, steps: Array, key: Array | None = None, *, train: bool
    ) -> tuple[Array, Array]:
        x = self.normed(x, fold_in(key, "normed"), train=train)
        return x, steps + 1


class Row(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.inner = _stacked(lambda rngs: Normed(rngs=rngs), 3, rngs)
        self.outer = nnx.List([Normed(rngs=rngs) for _ in range(2)])

    def __call__(
        self, x: Array, key: Array | None = None, *, train: bool
    ) -> tuple[Array, Array]:
        inner_key = fold_in(key, "inner")

        def inner_step(x: Array, xs: tuple[Normed, Array]) -> tuple[Array, Any]:
            layer, i = xs
            return _with_state(layer, x, fold_in(inner_key, i), train=train)

        x, inner_state = jax.lax.scan(inner_step, x, (self.inner, jnp.arange(3)))
        nnx.update(self.inner, inner_state)
        outer_key = fold_in(key, "outer")
        for i, layer in enumerate(self.outer):
            x = layer(x, fold_in(outer_key, i), train=train)
        return x, jnp.mean(x)


class StateEverywhere(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.rng = Rng(rngs=rngs)
        self.branch = nnx.Dict({"then": Normed(rngs=rngs)})
        self.loop = nnx.Dict({"body": Advance(rngs=rngs)})
        self.shared = Normed(rngs=rngs)
        self.grid = _stacked(lambda rngs: Row(rngs=rngs), 2, rngs)
        self.listed = nnx.List([Row(rngs=rngs) for _ in range(2)])
        self.lanes = _stacked(lambda rngs: Normed(rngs=rngs), 3, rngs)
        self.twice = Normed(rngs=rngs)
        self.group = nnx.Dict(
            {
                "inner": nnx.BatchNorm(
                    WIDTH,
                    momentum=0.9,
                    epsilon=1e-05,
                    use_fast_variance=False,
                    rngs=rngs,
                )
            }
        )

    def __call__(self, x: Array, *, train: bool = False) -> dict[str, Array]:
        """x (batch, width)
        -> lanes (3, batch, width); waves (4, batch); columns (batch, 4); sum;
        deep (batch, width).
        """
        dtype = self.branch["then"].bn.scale.dtype  # type: ignore[union-attr]
        x = x.astype(dtype)
        rng_ = self.rng(train=train)
        total = jnp.sum(x)
        positive = total > 0.0
        branch_key = fold_in(rng_, "branch")

        def branch_then() -> tuple[Array, Any]:
            outputs, new = _with_state(self.branch["then"], x, branch_key, train=train)
            return outputs, {"then": new}

        def branch_else() -> tuple[Array, Any]:
            outputs = plain(x, branch_key)
            return outputs, {"then": nnx.state(self.branch["then"], nnx.BatchStat)}

        x, branch_state = jax.lax.cond(positive, branch_then, branch_else)
        nnx.update(self.branch, branch_state)
        loop_key = fold_in(rng_, "loop")

        def loop_cond(carry: tuple[tuple[Array, Array], Array, Any]) -> Array:
            (x, steps), i, _ = carry
            return more(x, steps, fold_in(loop_key, i))

        def loop_body(
            carry: tuple[tuple[Array, Array], Array, Any],
        ) -> tuple[tuple[Array, Array], Array, Any]:
            (x, steps), i, state_ = carry
            (x, steps), new_state = _with_state(
                _with_arrays(self.loop["body"], state_),
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
                nnx.state(self.loop["body"], nnx.BatchStat),
            ),
        )
        nnx.update(self.loop["body"], loop_state)
        shared_key = fold_in(rng_, "shared")

        def shared_step(
            carry: tuple[Array, Any], i: Array
        ) -> tuple[tuple[Array, Any], None]:
            x, state_ = carry
            x, new_state = _with_state(
                _with_arrays(self.shared, state_),
                x,
                fold_in(shared_key, i),
                train=train,
            )
            return (x, new_state), None

        (x, shared_state), _ = jax.lax.scan(
            shared_step, (x, nnx.state(self.shared, nnx.BatchStat)), jnp.arange(3)
        )
        nnx.update(self.shared, shared_state)
        grid_key = fold_in(rng_, "grid")

        def grid_step(
            x: Array, xs: tuple[Row, Array]
        ) -> tuple[Array, tuple[Array, Any]]:
            layer, i = xs
            (x, mean), new_state = _with_state(
                layer, x, fold_in(grid_key, i), train=train
            )
            return x, (mean, new_state)

        x, (_, grid_state) = jax.lax.scan(grid_step, x, (self.grid, jnp.arange(2)))
        nnx.update(self.grid, grid_state)
        listed_key = fold_in(rng_, "listed")
        for i, layer in enumerate(self.listed):
            x, _ = layer(x, fold_in(listed_key, i), train=train)
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
        lanes, lanes_state = jax.vmap(
            lambda layer, i: _with_state(layer, x, fold_in(lanes_key, i), train=train)
        )(self.lanes, jnp.arange(3))
        nnx.update(self.lanes, lanes_state)
        columns_column = jnp.moveaxis(x, 1, 0)
        acc, columns = jax.lax.scan(
            lambda acc, column: step(acc, column, total),
            jnp.asarray(0.0, dtype),
            columns_column,
            reverse=True,
        )
        columns = jnp.moveaxis(columns, 0, 1)
        x = self.twice(x, fold_in(rng_, "again"), train=train)
        x = self.twice(x, fold_in(rng_, "once_more"), train=train)
        deep = self.group["inner"](x, use_running_average=not train)
        return {
            "lanes": lanes,
            "waves": waves,
            "columns": columns,
            "sum": acc,
            "deep": deep,
        }


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
    like = nnx.eval_shape(lambda: StateEverywhere(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
