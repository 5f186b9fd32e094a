"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:b085d6291dff50ce92b37bdedb9429e7e563b44f1ccb552cffcb5b610077f306

    model = load("folder of params.safetensors")
    y = nnx.jit(DropoutNet.__call__, static_argnames="train")(model, x, train=True)
"""

import json
import zlib
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
    data = zlib.crc32(part.encode()) if isinstance(part, str) else part
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


def _taken(arrays: dict[str, Any], path: str, like: Any, faults: list[str]) -> Any:
    """An array by its path, out of arrays; where it doesn't fit, one more fault."""
    x = arrays.pop(path, np.array(None))
    for head in STACKED:
        if x.dtype == object and path.startswith(f"{head}."):
            rest = path.removeprefix(head)
            names = [f"{head}.{i}{rest}" for i in range(like.shape[0])]
            copies = [arrays.pop(name) for name in names if name in arrays]
            if len({x.shape for x in copies}) == 1:
                x = np.stack(copies)
    kind = jnp.floating if jnp.issubdtype(like.dtype, jnp.floating) else like.dtype
    fits = x.shape == like.shape and jnp.issubdtype(x.dtype, kind)
    if fits and x.dtype == jax.dtypes.canonicalize_dtype(x.dtype):
        return jnp.asarray(x)
    found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
    faults.append(f"{path}: expected {like.dtype} {like.shape}, found {found}")
    return like


def load(path: str | Path) -> DropoutNet:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    arrays = stored_arrays(Path(path))
    faults: list[str] = []
    like = nnx.eval_shape(lambda: DropoutNet(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {
        place: leaf.replace(_taken(arrays, ".".join(map(str, place)), leaf, faults))
        for place, leaf in nnx.to_flat_state(state)
    }
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return nnx.merge(graph, nnx.from_flat_state(leaves))
