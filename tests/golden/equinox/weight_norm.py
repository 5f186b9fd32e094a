"""weight_norm: A kernel given as operand; two calls of one critic through one path.

198 parameters in 7 arrays.
Made by blox of sha256:bd888ad9823ae235f0f25b3a33e6c75ba0327f3fa9ebb03d6830d6b6fc23a532

    model = load("folder of params.safetensors")
    gap, model = eqx.filter_jit(model)(real, fake, train=True)
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

FEATURES = 6


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


def merge(params: Any, state: Any) -> Any:
    """params with the arrays of state in place of its own."""
    if isinstance(params, dict) and isinstance(state, dict):
        return {**params, **{k: merge(params.get(k), v) for k, v in state.items()}}
    if isinstance(params, list) and isinstance(state, list):
        return [merge(p, s) for p, s in zip(params, state, strict=True)]
    return state if params is None or not isinstance(state, dict) else params


class Conv(eqx.Module):
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""

    bias: Array

    def __init__(self, out_features: int) -> None:
        self.bias = jnp.zeros((out_features,))

    def __call__(self, x: Array, kernel: Array) -> Array:
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(
            x, kernel, [1, 1], "SAME", dimension_numbers=dimensions
        )
        return y + self.bias


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


class Critic(eqx.Module):
    raw: Array
    gain: Array
    conv: Conv
    bn: BatchNorm

    def __init__(self, *, key: Array) -> None:
        self.raw = jax.nn.initializers.normal(stddev=0.02)(key, (3, 3, 3, FEATURES))
        self.gain = jnp.ones((FEATURES,))
        self.conv = Conv(FEATURES)
        self.bn = BatchNorm(FEATURES)

    def __call__(self, x: Array, *, train: bool) -> tuple[Array, State]:
        state: State = {}
        sums = jnp.sum(jnp.square(self.raw), axis=(0, 1, 2))
        kernel = self.raw * (self.gain * jax.lax.rsqrt(sums))
        x = self.conv(x, kernel=kernel)
        x, state["bn"] = self.bn(x, train=train)
        return jnp.mean(jax.nn.relu(x), axis=(1, 2, 3)), state


class WeightNorm(eqx.Module):
    critic: Critic

    def __init__(self, *, key: Array) -> None:
        self.critic = Critic(key=key)

    def __call__(
        self, real: Array, fake: Array, *, train: bool = False
    ) -> tuple[Array, Self]:
        """real, fake (batch, 8, 8, 3) -> gap (batch)."""
        dtype = self.critic.raw.dtype
        real, fake = real.astype(dtype), fake.astype(dtype)
        state: State = {}
        d_real, state["critic"] = self.critic(real, train=train)
        d_fake, d_fake_state = _updated(self.critic, state["critic"])(fake, train=train)
        state = merge(state, {"critic": d_fake_state})
        return d_real - d_fake, _updated(self, state)


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

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        kind = PINNED.get(name, PINNED.get(name.rpartition(".")[2], kind))
        found[name] = taken(name, x.shape, kind)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> WeightNorm:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(WeightNorm, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: WeightNorm = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
