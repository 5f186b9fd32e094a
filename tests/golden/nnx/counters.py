"""counters: State that nodes read and assign, in every kind of loop and branch.

57 parameters in 20 arrays.
Made by blox of sha256:19f75106791d1b4bd5a1452a1239c37426019acb5e58c541234dfeb79563faca

    model = load("folder of params.safetensors")
    outputs = nnx.jit(Counters.__call__, static_argnames="train")(model, x, train=True)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

M = TypeVar("M", bound=nnx.Module)


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


def plain(x: Array) -> Array:
    return x * 2.0


def small(x: Array, step: Array) -> Array:
    x = jnp.sum(jnp.abs(x)) < 9.0
    return jnp.logical_and(x, step < 5)


class Counted(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.calls = nnx.BatchStat(jnp.zeros((), jnp.int32))
        self.average = nnx.BatchStat(jnp.zeros((4,), jnp.float32))

    def __call__(self, x: Array, *, dtype: Any, train: bool) -> Array:
        """Counts its calls, and keeps an average of its input."""
        self.calls[...] = self.calls[...] + 1
        average = 0.9 * self.average[...] + 0.1 * jnp.mean(x, axis=0)
        if train:
            self.average[...] = average
        else:
            average = self.average[...]
        x = x - average.astype(dtype)
        return jnp.tanh(x)


class Counted2(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.calls = nnx.BatchStat(jnp.zeros((), jnp.int32))
        self.average = nnx.BatchStat(jnp.zeros((4,), jnp.float32))

    def __call__(self, x: Array, *, dtype: Any, train: bool) -> Array:
        """Counts its calls, and keeps an average of its input."""
        self.calls[...] = self.calls[...] + 1
        average = 0.9 * self.average[...] + 0.1 * jnp.mean(x, axis=0)
        if train:
            self.average[...] = average
        else:
            average = self.average[...]
        x = x - average.astype(dtype)
        return jnp.tanh(x)


class Grow(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.counted = Counted(rngs=rngs)

    def __call__(self, x: Array, step: Array, *, dtype: Any, train: bool) -> Array:
        x = self.counted(x, dtype=dtype, train=train)
        x = x * 2.0 + step * 0.1
        return x


class Counters(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.steps = nnx.BatchStat(
            jax.nn.initializers.constant(value=10.0)(rngs.params(), (), jnp.int32)
        )
        self.stacked = _stacked(lambda rngs: Counted(rngs=rngs), 2, rngs)
        self.listed = nnx.List([Counted(rngs=rngs) for _ in range(2)])
        self.shared = Counted(rngs=rngs)
        self.either = nnx.Dict({"then": Counted2(rngs=rngs)})
        self.loop = nnx.Dict({"body": Grow(rngs=rngs)})
        self.lanes = _stacked(lambda rngs: Counted(rngs=rngs), 2, rngs)
        self.twice = Counted(rngs=rngs)
        self.records = nnx.Dict({"best": nnx.BatchStat(jnp.zeros((), jnp.float32))})
        self.last = Counted(rngs=rngs)

    def __call__(self, x: Array, *, train: bool = False) -> dict[str, Array]:
        """x (batch, 4) -> y (batch, 4); best, step."""
        step = self.steps[...] + 1
        self.steps[...] = step
        x, stacked_state = jax.lax.scan(
            lambda x, layer: _with_state(layer, x, dtype=jnp.float32, train=train),
            x,
            self.stacked,
        )
        nnx.update(self.stacked, stacked_state)
        for layer in self.listed:
            x = layer(x, dtype=jnp.float32, train=train)

        def shared_step(
            carry: tuple[Array, Any], _: None
        ) -> tuple[tuple[Array, Any], None]:
            x, state_ = carry
            x, new_state = _with_state(
                _with_arrays(self.shared, state_), x, dtype=jnp.float32, train=train
            )
            return (x, new_state), None

        (x, shared_state), _ = jax.lax.scan(
            shared_step, (x, nnx.state(self.shared, nnx.BatchStat)), None, length=3
        )
        nnx.update(self.shared, shared_state)
        y = jnp.sum(x) > 0

        def either_then() -> tuple[Array, Any]:
            outputs, new = _with_state(
                self.either["then"], x, dtype=jnp.float32, train=train
            )
            return outputs, {"then": new}

        def either_else() -> tuple[Array, Any]:
            outputs = plain(x)
            return outputs, {"then": nnx.state(self.either["then"], nnx.BatchStat)}

        x, either_state = jax.lax.cond(y, either_then, either_else)
        nnx.update(self.either, either_state)

        def loop_cond(carry: tuple[Array, Array, Any]) -> Array:
            x, step, _ = carry
            return small(x, step)

        def loop_body(carry: tuple[Array, Array, Any]) -> tuple[Array, Array, Any]:
            x, step, state_ = carry
            x, new_state = _with_state(
                _with_arrays(self.loop["body"], state_),
                x,
                step,
                dtype=jnp.float32,
                train=train,
            )
            return x, step + 1, new_state

        x, _, loop_state = jax.lax.while_loop(
            loop_cond,
            loop_body,
            (x, jnp.asarray(0, jnp.int32), nnx.state(self.loop["body"], nnx.BatchStat)),
        )
        nnx.update(self.loop["body"], loop_state)
        x, lanes_state = jax.vmap(
            lambda layer: _with_state(layer, x, dtype=jnp.float32, train=train)
        )(self.lanes)
        nnx.update(self.lanes, lanes_state)
        x = jnp.mean(x, axis=0)
        x = self.twice(x, dtype=jnp.float32, train=train)
        x = self.twice(x, dtype=jnp.float32, train=train)
        y = jnp.maximum(self.records["best"][...], jnp.max(x))
        best = y
        if train:
            self.records["best"][...] = best
        else:
            best = self.records["best"][...]
        y = self.last(x, dtype=jnp.float32, train=train)
        return {"y": y, "best": best, "step": step}


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
    like = nnx.eval_shape(lambda: Counters(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
