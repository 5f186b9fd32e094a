"""writer: A language model of two Mamba blocks.

1,552 parameters in 12 arrays.
Made by blox of sha256:1b1d3cea56e1cc28bdf38e45eb25ba6272c368d38d5f82e40ad4a516b3f8b7f8

    model = load("folder of params.safetensors")
    logits = nnx.jit(Writer.__call__)(model, tokens)
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

M = TypeVar("M", bound=nnx.Module)

VOCAB, FEATURES, DEPTH = 11, 8, 2


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def _step(y: Array, ab: tuple[Array, Array]) -> tuple[Array, Array]:
    """One step of y = a * y + b, as a carry and as an output."""
    y = ab[0] * y + ab[1]
    return y, y


def _steps(one: tuple[Array, Array], two: tuple[Array, Array]) -> tuple[Array, Array]:
    """Two steps, or runs of them, as one: y -> a * y + b."""
    return one[0] * two[0], two[0] * one[1] + two[1]


def linear_recurrence(a: Array, b: Array, *, axis: int) -> Array:
    """y[t] = a[t] * y[t - 1] + b[t] along an axis, in float32 at least."""
    kind = jnp.result_type(a, b)
    wide = jnp.promote_types(kind, jnp.float32)
    rate, y = jnp.broadcast_arrays(jnp.asarray(a, wide), jnp.asarray(b, wide))
    axis = axis % y.ndim
    start = jnp.zeros((*y.shape[:axis], *y.shape[axis + 1 :]), wide)
    if jax.export.is_symbolic_dim(y.shape[axis]):
        steps = (jnp.moveaxis(rate, axis, 0), jnp.moveaxis(y, axis, 0))
        _, y = jax.lax.scan(_step, start, steps, reverse=False)
        return jnp.moveaxis(y, 0, axis).astype(kind)
    rate, y = jax.lax.associative_scan(_steps, (rate, y), reverse=False, axis=axis)
    return jnp.asarray(y, kind)


class Conv(nnx.Module):
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.kernel = nnx.Param(
            jax.nn.initializers.lecun_normal()(
                rngs.params(), (*kernel_size, in_features // 16, out_features)
            )
        )
        self.bias = nnx.Param(jnp.zeros((out_features,)))

    def __call__(self, x: Array) -> Array:
        dimensions = ("NWC", "WIO", "NWC")
        y = jax.lax.conv_general_dilated(
            x,
            self.kernel[...],
            [1],
            [(3, 0)],
            dimension_numbers=dimensions,
            feature_group_count=2 * FEATURES,
        )
        return y + self.bias[...]


class Mamba(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.in_proj = nnx.Linear(FEATURES, 4 * FEATURES, use_bias=False, rngs=rngs)
        self.conv = Conv(2 * FEATURES, 2 * FEATURES, (4,), rngs=rngs)
        self.x_proj = nnx.Linear(
            2 * FEATURES, (FEATURES + 15) // 16 + 8, use_bias=False, rngs=rngs
        )
        self.dt_proj = nnx.Linear(
            (FEATURES + 15) // 16,
            2 * FEATURES,
            bias_init=jax.nn.initializers.constant(value=-4.6),
            rngs=rngs,
        )
        self.a_log = nnx.Param(
            partial(progression, start=1.0, step=1.0, axis=-1, of=jnp.log)(
                rngs.params(), (2 * FEATURES, 4)
            )
        )
        self.d = nnx.Param(jnp.ones((2 * FEATURES,)))
        self.out_proj = nnx.Linear(2 * FEATURES, FEATURES, use_bias=False, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """A gated selective scan: (..., time, features) -> (..., time, features)."""
        u, gate = jnp.split(self.in_proj(x), 2, axis=-1)
        u = jax.nn.silu(self.conv(u))
        dt, selected_b, selected_c = jax.lax.split(
            self.x_proj(u), ((FEATURES + 15) // 16, 4, 4), axis=-1
        )
        dt = jax.nn.softplus(self.dt_proj(dt))
        x = -jnp.exp(self.a_log[...]) * dt[..., None]
        states = linear_recurrence(
            jnp.exp(x), (dt * u)[..., None] * selected_b[..., None, :], axis=-3
        )
        x = jnp.einsum("...ds,...s->...d", states, selected_c) + u * self.d[...]
        x = x * jax.nn.silu(gate)
        return self.out_proj(x)


class Block(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.norm = nnx.RMSNorm(FEATURES, epsilon=1e-06, rngs=rngs)
        self.mamba = Mamba(rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return x + self.mamba(self.norm(x))


class Writer(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(
            VOCAB,
            FEATURES,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.blocks = _stacked(lambda rngs: Block(rngs=rngs), DEPTH, rngs)
        self.norm = nnx.RMSNorm(FEATURES, epsilon=1e-06, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        """tokens (batch, seq) -> logits (batch, seq, vocab)."""
        x = self.embed(tokens)
        x, _ = jax.lax.scan(lambda x, layer: (layer(x), None), x, self.blocks)
        logits: Array = self.norm(x) @ self.embed.embedding[...].T
        return logits


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("blocks",)


def progression(
    key: Array,
    shape: tuple[int, ...],
    dtype: Any = jnp.float32,
    *,
    start: float,
    step: float,
    axis: int,
    of: Any = None,
) -> Array:
    """start + i * step for element i along axis, or a function of that."""
    count = jnp.arange(shape[axis], dtype=jnp.promote_types(dtype, jnp.float32))
    numbers = start + step * count
    if of is not None:
        numbers = of(numbers)
    others = [i for i in range(len(shape)) if i != axis % len(shape)]
    numbers = jnp.expand_dims(numbers, others)
    return jnp.broadcast_to(numbers, shape).astype(dtype)


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


def load(path: str | Path) -> Writer:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: Writer(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
