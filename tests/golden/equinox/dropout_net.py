"""dropout_net: Dropout under remat, keys from one rng.

1,907 parameters in 10 arrays.
Made by blox of sha256:3ad803c950fc2bd0db8941b6404675fb897ef647d39ce8ec3414c7fed492ac5d

    model = load("folder of params.safetensors")
    y, model = eqx.filter_jit(model)(x, train=True)
"""

import json
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

WIDTH, DEPTH = 16, 4


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


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (in_features, out_features)
        )
        self.bias = jnp.zeros((out_features,))

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel + self.bias


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


class Layer(eqx.Module):
    linear: Linear

    def __init__(self, *, key: Array) -> None:
        self.linear = Linear(WIDTH, WIDTH, key=key)

    def __call__(self, x: Array, key: Array | None = None) -> Array:
        x = jnp.tanh(self.linear(x))
        return dropout(x, fold_in(key, "drop"))


class DropoutNet(eqx.Module):
    rng: Rng
    scanned: Layer
    unrolled: list[Layer]
    last: Layer

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        self.rng = Rng(key=keys[0])
        self.scanned = eqx.filter_vmap(lambda key: Layer(key=key))(
            jax.random.split(keys[1], DEPTH)
        )
        self.unrolled = [Layer(key=k) for k in jax.random.split(keys[2], 2)]
        self.last = Layer(key=keys[3])

    def __call__(self, x: Array, *, train: bool = False) -> tuple[Array, Self]:
        """x (..., width)."""
        x = x.astype(self.scanned.linear.kernel.dtype)
        state: State = {}
        rng_, state["rng"] = self.rng(train=train)
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
        return dropout(x, fold_in(rng_, "out"), rate=0.1), _updated(self, state)


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
    like = eqx.filter_eval_shape(DropoutNet, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: DropoutNet = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
