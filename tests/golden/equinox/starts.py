"""starts: 1,202 parameters in 15 arrays.

Made by blox of sha256:2707a4453103ddd6560f19ca6f14d0d6d5841465a776eb5d81bcf3183af7375a

    model = load("folder of params.safetensors")
    out = eqx.filter_jit(model)(x)
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

WIDTH, HEADS, DEPTH = 8, 2, 3


class EinsumLinear(eqx.Module):
    """einsum(equation, x, kernel) + bias."""

    kernel: Array
    bias: Array
    equation: str = eqx.field(static=True)

    def __init__(self, *, equation: str = "...d,dhk->...hk", key: Array) -> None:
        self.equation = equation
        self.kernel = jax.nn.initializers.variance_scaling(
            scale=1.0,
            mode="fan_in",
            distribution="truncated_normal",
            in_axis=[0],
            out_axis=[1, 2],
        )(key, (8, 2, 4))
        self.bias = jnp.zeros((2, 4))

    def __call__(self, x: Array) -> Array:
        return jnp.einsum(self.equation, x, self.kernel) + self.bias


class EinsumLinear_(eqx.Module):
    """einsum(equation, x, kernel) + bias."""

    kernel: Array
    bias: Array
    equation: str = eqx.field(static=True)

    def __init__(self, *, equation: str = "...d,dhk->...hk", key: Array) -> None:
        self.equation = equation
        self.kernel = jax.nn.initializers.normal(stddev=0.008164965809277261)(
            key, (2, 4, 8)
        )
        self.bias = jnp.zeros((8,))

    def __call__(self, x: Array) -> Array:
        return jnp.einsum(self.equation, x, self.kernel) + self.bias


class LayerNorm(eqx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""

    scale: Array
    bias: Array
    eps: float = eqx.field(static=True)

    def __init__(self, features: int, *, eps: float = 1e-05) -> None:
        self.eps = eps
        self.scale = jnp.ones((features,))
        self.bias = jnp.zeros((features,))

    def __call__(self, x: Array) -> Array:
        # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
        y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
        y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
        y = y - jnp.mean(y, axis=-1, keepdims=True)
        factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + self.eps)
        return (y * jnp.expand_dims(factor, -1) * self.scale + self.bias).astype(
            x.dtype
        )


class EinsumLinear__(eqx.Module):
    """einsum(equation, x, kernel) + bias."""

    kernel: Array
    bias: Array
    equation: str = eqx.field(static=True)

    def __init__(self, *, equation: str = "...d,dhk->...hk", key: Array) -> None:
        self.equation = equation
        self.kernel = jax.nn.initializers.variance_scaling(
            scale=1.0,
            mode="fan_in",
            distribution="truncated_normal",
            in_axis=[1],
            out_axis=[2],
            batch_axis=[0],
        )(key, (2, 4, 3))
        self.bias = jnp.zeros((2, 3))

    def __call__(self, x: Array) -> Array:
        return jnp.einsum(self.equation, x, self.kernel) + self.bias


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.kernel = jax.nn.initializers.variance_scaling(
            scale=0.3333333333333333, mode="fan_in", distribution="uniform"
        )(keys[0], (in_features, out_features))
        self.bias = partial(
            jax.random.uniform, minval=-0.408248290463863, maxval=0.408248290463863
        )(keys[1], (out_features,))

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel + self.bias


class Attention(eqx.Module):
    query: EinsumLinear
    key: EinsumLinear
    value: EinsumLinear
    out: EinsumLinear_

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        self.query = EinsumLinear(key=keys[0])
        self.key = EinsumLinear(key=keys[1])
        self.value = EinsumLinear(key=keys[2])
        self.out = EinsumLinear_(equation="...hk,hkd->...d", key=keys[3])

    def __call__(self, x: Array) -> Array:
        query = self.query(x)
        y = self.key(x)
        value = self.value(x)
        x = jax.nn.dot_product_attention(query, y, value, is_causal=True)
        return self.out(x)


class Block(eqx.Module):
    ln: LayerNorm
    attn: Attention
    gate: EinsumLinear__
    up: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.ln = LayerNorm(WIDTH)
        self.attn = Attention(key=keys[0])
        self.gate = EinsumLinear__(equation="...hk,hkf->...hf", key=keys[1])
        self.up = Linear(3 * HEADS, WIDTH, key=keys[2])

    def __call__(self, x: Array) -> Array:
        x = x + self.attn(self.ln(x))
        y = x.reshape(*x.shape[:-1], HEADS, WIDTH // HEADS)
        y = jax.lax.collapse(self.gate(y), -2)
        return x + self.up(y)


class Starts(eqx.Module):
    h: Block
    decay: Array

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.h = eqx.filter_vmap(lambda key: Block(key=key))(
            jax.random.split(keys[0], DEPTH)
        )
        self.decay = partial(progression, start=1.0, step=1.0, axis=-1, of=jnp.log)(
            keys[1], (WIDTH, 4)
        )

    def __call__(self, x: Array) -> Array:
        """x (batch, seq, width) -> (batch, seq, 4)."""
        x = x.astype(self.h.ln.scale.dtype)
        x, _ = jax.lax.scan(lambda x, layer: (layer(x), None), x, self.h)
        y = -jnp.exp(self.decay)
        return jnp.einsum("btd,dn->btn", x, jnp.exp(y))


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("h",)


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


def load(path: str | Path) -> Starts:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Starts, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Starts = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
