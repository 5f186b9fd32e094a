"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:3ad803c950fc2bd0db8941b6404675fb897ef647d39ce8ec3414c7fed492ac5d

    model = load("folder of params.safetensors")
    y = nnx.jit(DropoutNet.__call__, static_argnames="train")(model, x, train=True)
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

WIDTH, DEPTH = 16, 4


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def dropout(x: Array, key: Array | None = None, *, rate: float = 0.25) -> Array:
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


class Layer(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        x = jnp.tanh(self.linear(x))
        return dropout(x, fold_in(key, "drop"))


class DropoutNet(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.rng = Rng(rngs=rngs)
        self.scanned = _stacked(lambda rngs: Layer(rngs=rngs), DEPTH, rngs)
        self.unrolled = nnx.List([Layer(rngs=rngs) for _ in range(2)])
        self.last = Layer(rngs=rngs)

    def __call__(self, x: Array, *, train: bool = False) -> Array:
        """x (..., width)."""
        x = x.astype(self.scanned.linear.kernel.dtype)
        rng_ = self.rng(train=train)
        scanned_key = fold_in(rng_, "scanned")

        def scanned_step(x: Array, xs: tuple[Layer, Array]) -> tuple[Array, None]:
            p, i = xs
            return jax.checkpoint(Layer.__call__, prevent_cse=False)(
                p, x, fold_in(scanned_key, i)
            ), None

        x, _ = jax.lax.scan(scanned_step, x, (self.scanned, jnp.arange(DEPTH)))
        unrolled_key = fold_in(rng_, "unrolled")
        for i, p in enumerate(self.unrolled):
            x = jax.checkpoint(
                Layer.__call__, policy=jax.checkpoint_policies.dots_saveable
            )(p, x, fold_in(unrolled_key, i))
        x = jax.checkpoint(
            Layer.__call__, policy=jax.checkpoint_policies.everything_saveable
        )(self.last, x, fold_in(rng_, "last"))
        return dropout(x, fold_in(rng_, "out"), rate=0.1)


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("scanned",)


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
        parts = ["*"] * STACKED.count("")
        for i, part in enumerate(name.split(".")):
            head = ".".join(name.split(".")[: i + 1])
            parts += [part, *["*"] * STACKED.count(head)]
        found[name] = read(parts, x.shape, kind, "", "", 0)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> DropoutNet:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: DropoutNet(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
