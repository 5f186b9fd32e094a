"""small_resnet: A residual network: a function with attributes called twice, state in
scan and unrolled.

14,402 parameters in 53 arrays.
Made by blox of sha256:2b741d6af643e891822d1cd3c9ca039e68bead3394566e83fc0d9e7336970744

    model = load("folder of params.safetensors")
    logits, model = eqx.filter_jit(model)(image, train=True)
"""

import json
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

CLASSES = 10


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


class Conv(eqx.Module):
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""

    kernel: Array
    strides: int = eqx.field(static=True)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        *,
        strides: int = 1,
        key: Array,
    ) -> None:
        self.strides = strides
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (*kernel_size, in_features, out_features)
        )

    def __call__(self, x: Array) -> Array:
        dimensions = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x,
            self.kernel,
            [self.strides, self.strides],
            "SAME",
            dimension_numbers=dimensions,
        )


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
            mean = jnp.mean(y, axis=(0, 1, 2))
            y = y - mean
            var = jnp.mean(jnp.square(y), axis=(0, 1, 2))
            state["mean"] = self.momentum * old_mean + (1 - self.momentum) * mean
            state["var"] = self.momentum * old_var + (1 - self.momentum) * var
        else:
            y = y - mean
        factor = jax.lax.rsqrt(var + self.eps)
        y = y * (factor * self.scale) + self.bias
        return y.astype(x.dtype), state


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


class Project(eqx.Module):
    conv: Conv
    bn: BatchNorm
    skip: Conv
    bn_skip: BatchNorm

    def __init__(self, *, features: int, strides: int, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.conv = Conv(8, features, (3, 3), strides=strides, key=keys[0])
        self.bn = BatchNorm(features)
        self.skip = Conv(8, features, (1, 1), strides=strides, key=keys[1])
        self.bn_skip = BatchNorm(features)

    def __call__(self, x: Array, *, train: bool) -> tuple[Array, State]:
        state: State = {}
        y = self.conv(x)
        y, state["bn"] = self.bn(y, train=train)
        skip = self.skip(x)
        skip, state["bn_skip"] = self.bn_skip(skip, train=train)
        return jax.nn.relu(y + skip), state


class Identity(eqx.Module):
    conv: Conv
    bn: BatchNorm

    def __init__(self, *, features: int, key: Array) -> None:
        self.conv = Conv(features, features, (3, 3), key=key)
        self.bn = BatchNorm(features)

    def __call__(self, x: Array, *, train: bool) -> tuple[Array, State]:
        state: State = {}
        y = self.conv(x)
        y, state["bn"] = self.bn(y, train=train)
        return jax.nn.relu(x + y), state


class Stage(eqx.Module):
    first: Project
    rest: Identity
    more: list[Identity]

    def __init__(self, *, features: int, strides: int, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.first = Project(features=features, strides=strides, key=keys[0])
        self.rest = eqx.filter_vmap(lambda key: Identity(features=features, key=key))(
            jax.random.split(keys[1], 2)
        )
        self.more = [
            Identity(features=features, key=k) for k in jax.random.split(keys[2], 2)
        ]

    def __call__(self, x: Array, *, train: bool) -> tuple[Array, State]:
        state: State = {}
        x, state["first"] = self.first(x, train=train)
        x, state["rest"] = jax.lax.scan(
            lambda x, layer: layer(x, train=train), x, self.rest
        )
        state["more"] = []
        for layer in self.more:
            x, layer_state = layer(x, train=train)
            state["more"].append(layer_state)
        return x, state


class SmallResnet(eqx.Module):
    stem: Conv
    stage_1: Stage
    stage_2: Stage
    head: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        self.stem = Conv(3, 8, (3, 3), key=keys[0])
        self.stage_1 = Stage(features=8, strides=1, key=keys[1])
        self.stage_2 = Stage(features=16, strides=2, key=keys[2])
        self.head = Linear(16, CLASSES, key=keys[3])

    def __call__(self, image: Array, *, train: bool = False) -> tuple[Array, Self]:
        """image (batch, height, width, 3) -> logits (batch, classes)."""
        image = image.astype(self.stem.kernel.dtype)
        state: State = {}
        x = self.stem(image)
        x, state["stage_1"] = self.stage_1(x, train=train)
        x, state["stage_2"] = self.stage_2(x, train=train)
        return self.head(jnp.mean(x, axis=(-3, -2))), _updated(self, state)


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("stage_1.rest", "stage_2.rest")


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


def load(path: str | Path) -> SmallResnet:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(SmallResnet, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: SmallResnet = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
