"""sequential: Parameters in lists, as a torch.nn.Sequential has them.

352 parameters in 52 arrays.
Made by blox of sha256:90592dddf1b5f5effa9c10edfe3e86fefa388a004fbb722c5bbe769e1f41e7ab

    model = load("folder of params.safetensors")
    y, model = eqx.filter_jit(model)(x, train=True)
"""

import json
from collections.abc import Callable, Sequence
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


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        kernel_init: Callable[..., Array],
        key: Array,
    ) -> None:
        self.kernel = kernel_init(key, (in_features, out_features))
        self.bias = jnp.zeros((out_features,))

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel + self.bias


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


def same(x: Array) -> Array:
    return x * 1


class Block(eqx.Module):
    mlp: list[Any]

    def __init__(self, *, key: Array) -> None:
        self.mlp = [
            Linear(
                WIDTH, WIDTH, kernel_init=jax.nn.initializers.lecun_normal(), key=key
            ),
            BatchNorm(WIDTH),
        ]

    def __call__(self, x: Array, *, train: bool) -> tuple[Array, State]:
        state: State = {}
        up = self.mlp[0](x)
        up, norm_state = self.mlp[1](up, train=train)
        state = merge(state, {"mlp": [{}, norm_state]})
        return x + up, state


class Sequential(eqx.Module):
    features: list[Any]
    blocks: list[Block]
    scales: list[Array]
    h: Block
    u: list[Block]
    pick: dict[str, Block]

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 8)
        self.features = [
            Linear(
                WIDTH,
                WIDTH,
                kernel_init=jax.nn.initializers.lecun_normal(),
                key=keys[0],
            ),
            BatchNorm(WIDTH),
            {
                "inner": Linear(
                    WIDTH,
                    WIDTH,
                    kernel_init=jax.nn.initializers.normal(stddev=0.02),
                    key=keys[1],
                )
            },
        ]
        self.blocks = [Block(key=keys[2]), Block(key=keys[3]), Block(key=keys[4])]
        self.scales = [jnp.ones((WIDTH,)), jnp.zeros((WIDTH,))]
        self.h = eqx.filter_vmap(lambda key: Block(key=key))(
            jax.random.split(keys[5], 2)
        )
        self.u = [Block(key=k) for k in jax.random.split(keys[6], 2)]
        self.pick = {"then": Block(key=keys[7])}

    def __call__(self, x: Array, *, train: bool = False) -> tuple[Array, Self]:
        """x (batch, width) -> y (batch, 4)."""
        x = x.astype(self.features[0].kernel.dtype)
        state: State = {}
        x = self.features[0](x)
        x, norm_state = self.features[1](x, train=train)
        state = merge(state, {"features": [{}, norm_state, {}]})
        x = self.features[2]["inner"](jax.nn.relu(x))
        x = self.features[0](x)
        x, first_state = self.blocks[0](x, train=train)
        state = merge(state, {"blocks": [first_state, {}, {}]})
        x, second_state = self.blocks[1](x, train=train)
        state = merge(state, {"blocks": [{}, second_state, {}]})
        x, third_state = self.blocks[2](x, train=train)
        state = merge(state, {"blocks": [{}, {}, third_state]})
        x = x * self.scales[0] + jax.lax.stop_gradient(self.scales[1])
        x, state["h"] = jax.lax.scan(lambda x, layer: layer(x, train=train), x, self.h)
        state["u"] = []
        for layer in self.u:
            x, layer_state = layer(x, train=train)
            state["u"].append(layer_state)
        positive = jnp.sum(x) > 0

        def pick_then() -> tuple[Array, State]:
            outputs, new = self.pick["then"](x, train=train)
            return outputs, {"then": new}

        def pick_else() -> tuple[Array, State]:
            outputs = same(x)
            return outputs, {
                "then": _kept(
                    self.pick["then"], ["mlp.1.mean", "mlp.1.var"], train=train
                )
            }

        pick, state["pick"] = jax.lax.cond(positive, pick_then, pick_else)
        return pick, _updated(self, state)


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("h",)


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


def load(path: str | Path) -> Sequential:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Sequential, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Sequential = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
