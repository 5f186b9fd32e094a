"""writer: A language model of two Mamba blocks.

1,552 parameters in 12 arrays.
Made by blox of sha256:1b1d3cea56e1cc28bdf38e45eb25ba6272c368d38d5f82e40ad4a516b3f8b7f8

    model = load("folder of params.safetensors")
    logits = eqx.filter_jit(model)(tokens)
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

VOCAB, FEATURES, DEPTH = 11, 8, 2


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


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array | None

    def __init__(
        self, in_features: int, out_features: int, *, use_bias: bool = True, key: Array
    ) -> None:
        keys = jax.random.split(key, 2)
        self.kernel = jax.nn.initializers.lecun_normal()(
            keys[0], (in_features, out_features)
        )
        self.bias = (
            jax.nn.initializers.constant(value=-4.6)(keys[1], (out_features,))
            if use_bias
            else None
        )

    def __call__(self, x: Array) -> Array:
        bias = self.bias
        y = x @ self.kernel
        return y if bias is None else y + bias


class Conv(eqx.Module):
    """x (..., spatial..., in), kernel (spatial..., in / groups, out)."""

    kernel: Array
    bias: Array

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        *,
        key: Array,
    ) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (*kernel_size, in_features // 16, out_features)
        )
        self.bias = jnp.zeros((out_features,))

    def __call__(self, x: Array) -> Array:
        dimensions = ("NWC", "WIO", "NWC")
        y = jax.lax.conv_general_dilated(
            x,
            self.kernel,
            [1],
            [(3, 0)],
            dimension_numbers=dimensions,
            feature_group_count=2 * FEATURES,
        )
        return y + self.bias


class RmsNorm(eqx.Module):
    """x / sqrt(mean(x ** 2) + eps) * scale over the last axis, in float32."""

    scale: Array
    eps: float = eqx.field(static=True)

    def __init__(self, features: int, *, eps: float = 1e-06) -> None:
        self.eps = eps
        self.scale = jnp.ones((features,))

    def __call__(self, x: Array) -> Array:
        # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
        y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
        y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
        factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + self.eps)
        return (y * jnp.expand_dims(factor, -1) * self.scale).astype(x.dtype)


class Embed(eqx.Module):
    """Rows of the table: (...) -> (..., features)."""

    embedding: Array

    def __init__(self, num_embeddings: int, features: int, *, key: Array) -> None:
        self.embedding = jax.nn.initializers.normal(stddev=0.02)(
            key, (num_embeddings, features)
        )

    def __call__(self, ids: Array) -> Array:
        return jnp.take(self.embedding, ids, axis=0, mode="clip")


class Mamba(eqx.Module):
    in_proj: Linear
    conv: Conv
    x_proj: Linear
    dt_proj: Linear
    a_log: Array
    d: Array
    out_proj: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 6)
        self.in_proj = Linear(FEATURES, 4 * FEATURES, use_bias=False, key=keys[0])
        self.conv = Conv(2 * FEATURES, 2 * FEATURES, (4,), key=keys[1])
        self.x_proj = Linear(
            2 * FEATURES, (FEATURES + 15) // 16 + 8, use_bias=False, key=keys[2]
        )
        self.dt_proj = Linear((FEATURES + 15) // 16, 2 * FEATURES, key=keys[3])
        self.a_log = partial(progression, start=1.0, step=1.0, axis=-1, of=jnp.log)(
            keys[4], (2 * FEATURES, 4)
        )
        self.d = jnp.ones((2 * FEATURES,))
        self.out_proj = Linear(2 * FEATURES, FEATURES, use_bias=False, key=keys[5])

    def __call__(self, x: Array) -> Array:
        """A gated selective scan: (..., time, features) -> (..., time, features)."""
        u, gate = jnp.split(self.in_proj(x), 2, axis=-1)
        u = jax.nn.silu(self.conv(u))
        dt, selected_b, selected_c = jax.lax.split(
            self.x_proj(u), ((FEATURES + 15) // 16, 4, 4), axis=-1
        )
        dt = jax.nn.softplus(self.dt_proj(dt))
        x = -jnp.exp(self.a_log) * dt[..., None]
        states = linear_recurrence(
            jnp.exp(x), (dt * u)[..., None] * selected_b[..., None, :], axis=-3
        )
        x = jnp.einsum("...ds,...s->...d", states, selected_c) + u * self.d
        x = x * jax.nn.silu(gate)
        return self.out_proj(x)


class Block(eqx.Module):
    norm: RmsNorm
    mamba: Mamba

    def __init__(self, *, key: Array) -> None:
        self.norm = RmsNorm(FEATURES)
        self.mamba = Mamba(key=key)

    def __call__(self, x: Array) -> Array:
        return x + self.mamba(self.norm(x))


class Writer(eqx.Module):
    embed: Embed
    blocks: Block
    norm: RmsNorm

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.embed = Embed(VOCAB, FEATURES, key=keys[0])
        self.blocks = eqx.filter_vmap(lambda key: Block(key=key))(
            jax.random.split(keys[1], DEPTH)
        )
        self.norm = RmsNorm(FEATURES)

    def __call__(self, tokens: Array) -> Array:
        """tokens (batch, seq) -> logits (batch, seq, vocab)."""
        x = self.embed(tokens)
        x, _ = jax.lax.scan(lambda x, layer: (layer(x), None), x, self.blocks)
        logits: Array = self.norm(x) @ self.embed.embedding.T
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
    like = eqx.filter_eval_shape(Writer, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Writer = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
