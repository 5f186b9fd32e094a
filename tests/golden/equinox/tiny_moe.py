"""tiny_moe: A decoder whose layers attend in chunks and run two of four experts for
each token.

23,968 parameters in 15 arrays. License: MIT.
Made by blox of sha256:9b51139ad1c6af45aefb37880e59b2152091ac014e0d80b4fbfb4633b10199d7

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(tokens)
"""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import max_dim, min_dim
from safetensors.numpy import load_file

VOCAB, WIDTH, DEPTH = 64, 32, 2
HEADS, KV_HEADS, EXPERTS, HIDDEN = 4, 2, 4, 16


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jax.nn.softmax(y, axis=-1).astype(x.dtype)


def bincount(x: Array) -> Array:
    """How often each of 0, ..., length - 1 is in x."""
    count = partial(jnp.bincount, length=EXPERTS)
    counts: Array = jnp.vectorize(count, signature="(n)->(k)")(x)
    return counts


def rope(x: Array, cos: Array, sin: Array) -> Array:
    """Turns pairs of features of x (..., time, heads, head_dim) by the angles."""
    cos, sin = cos[..., None, :], sin[..., None, :]
    a, b = jnp.split(x, 2, axis=-1)
    y = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return y.astype(x.dtype)


def _rows(x: Array, start: Array, size: int) -> Array:
    """What a mask or bias holds of some queries."""
    if x.shape[-2] == 1:
        return x
    return jax.lax.dynamic_slice_in_dim(x, start, size, axis=-2)


def dot_product_attention(
    query: Array, key: Array, value: Array, mask: Array, *, softcap: float = 30.0
) -> Array:
    """softmax(query @ key.T * scale) @ value: (..., time, heads, dim)."""
    time = query.shape[-3]
    size = min_dim(time, 8)
    steps = -(-time // max_dim(size, 1))

    def attend(start: Array) -> Array:
        rows = jax.lax.dynamic_slice_in_dim(query, start, size, axis=-3)
        allowed = _rows(mask, start, size)
        *batch, time, heads, dim = rows.shape
        dtype = jnp.promote_types(rows.dtype, jnp.float32)
        grouped = rows.reshape(
            *batch, time, heads // (HEADS // KV_HEADS), HEADS // KV_HEADS, dim
        )
        y = jnp.einsum(
            "...qhgd,...khd->...hgqk", grouped, key, preferred_element_type=dtype
        )
        y = y * dim**-0.5
        shape = y.shape
        y = y.reshape(*y.shape[:-4], heads, *y.shape[-2:])
        y = softcap * jnp.tanh(y / softcap)
        y = jnp.where(allowed, y, -1e30)
        distance = start + (jnp.arange(y.shape[-2])[:, None] - jnp.arange(y.shape[-1]))
        y = jax.nn.softmax(jnp.where(abs(distance) < 4, y, -1e30), axis=-1)
        y = y.astype(jnp.result_type(value, float))
        y = y.reshape(*y.shape[:-3], *shape[-4:])
        y = jnp.einsum("...hgqk,...khd->...qhgd", y, value)
        return y.reshape(*y.shape[:-3], heads, y.shape[-1])

    # The last chunk ends with the last query. No scores are kept for the gradient.
    starts = jnp.minimum(jnp.arange(steps) * size, time - size)
    y = jax.lax.map(jax.checkpoint(attend, prevent_cse=False), starts)
    y = jnp.moveaxis(y, 0, -4)
    y = y.reshape(*y.shape[:-4], steps * size, *y.shape[-2:])
    first, last = y[..., : time - size, :, :], y[..., (steps - 1) * size :, :, :]
    return jnp.concatenate([first, last], axis=-3)


def rope_table(
    positions: Array,
    *,
    theta: float = 10000.0,
    factor: float = 4.0,
    beta_fast: float = 32.0,
    beta_slow: float = 1.0,
) -> tuple[Array, Array]:
    """cos and sin of the rotary angles: (..., time) -> (..., time, dim / 2) each."""
    angles = positions.astype(jnp.float32)[..., None]
    exponents = jnp.arange(0, WIDTH // HEADS, 2, jnp.float32) / (WIDTH // HEADS)
    first = (
        WIDTH
        // HEADS
        * math.log(16 / (beta_fast * 2 * math.pi))
        / (2 * math.log(theta))
    )
    last = (
        WIDTH
        // HEADS
        * math.log(16 / (beta_slow * 2 * math.pi))
        / (2 * math.log(theta))
    )
    first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, WIDTH // HEADS - 1)
    ramp = (jnp.arange(WIDTH // HEADS // 2) - first) / max(last - first, 0.001)
    kept = 1 - jnp.clip(ramp, 0, 1)
    angles = angles * (kept + (1 - kept) / factor) / theta**exponents
    scale = 0.1 * math.log(factor) + 1
    return scale * jnp.cos(angles), scale * jnp.sin(angles)


def _in_blocks(lhs: Array, rhs: Array, group_sizes: Array) -> Array:
    """Blocks of rows of one group, one after another; groups fill up their last one."""
    rows, groups = lhs.shape[0], rhs.shape[0]
    size = rows // (2 * groups) + 1
    count = max_dim((rows + groups * (size - 1)) // size, 1)
    blocks = -(-group_sizes // size)
    row_ends, block_ends = jnp.cumsum(group_sizes), jnp.cumsum(blocks)
    group = jnp.searchsorted(row_ends, jnp.arange(rows), side="right")
    block_group = jnp.searchsorted(block_ends, jnp.arange(count), side="right")
    # A row behind the last group lies behind the last block, and so nowhere.
    shift = (block_ends - blocks) * size - (row_ends - group_sizes)
    shift = jnp.take(shift, group, mode="fill", fill_value=count * size)
    place = jnp.arange(rows) + shift
    padded = jnp.zeros((count * size, lhs.shape[1]), lhs.dtype)
    padded = padded.at[place].set(lhs, mode="drop", unique_indices=True)
    y = jax.lax.map(
        lambda block: block[0] @ jnp.take(rhs, block[1], axis=0, mode="clip"),
        (padded.reshape(count, size, lhs.shape[1]), block_group),
    )
    y = y.reshape(count * size, rhs.shape[2])
    return jnp.take(y, place, axis=0, mode="fill", fill_value=0)


class Linear(eqx.Module):
    """x @ kernel: (..., in) -> (..., out)."""

    kernel: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (in_features, out_features)
        )

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel


class ExpertLinear(eqx.Module):
    """x @ kernel, those of the expert of each row: (..., in) -> (..., out)."""

    kernel: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        self.kernel = jax.nn.initializers.lecun_normal(batch_axis=0)(
            key, (4, in_features, out_features)
        )

    def __call__(self, x: Array, expert: Array) -> Array:
        kind = jnp.result_type(x, self.kernel)
        batch = jnp.broadcast_shapes(x.shape[:-1], expert.shape)
        chosen = jnp.broadcast_to(expert, batch).reshape(-1)
        chosen = jnp.clip(chosen, 0, self.kernel.shape[0] - 1)
        rows = jnp.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
        order = jnp.argsort(chosen)
        counts = jnp.bincount(chosen, length=self.kernel.shape[0])
        y = _in_blocks(rows[order].astype(kind), self.kernel.astype(kind), counts)
        return y[jnp.argsort(order)].reshape(*batch, self.kernel.shape[2])


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


class MixtureOfExperts(eqx.Module):
    router: Linear
    up: ExpertLinear
    gate: ExpertLinear
    down: ExpertLinear
    shared_up: Linear
    shared_gate: Linear
    shared_down: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 7)
        self.router = Linear(WIDTH, EXPERTS, key=keys[0])
        self.up = ExpertLinear(WIDTH, HIDDEN, key=keys[1])
        self.gate = ExpertLinear(WIDTH, HIDDEN, key=keys[2])
        self.down = ExpertLinear(HIDDEN, WIDTH, key=keys[3])
        self.shared_up = Linear(WIDTH, HIDDEN, key=keys[4])
        self.shared_gate = Linear(WIDTH, HIDDEN, key=keys[5])
        self.shared_down = Linear(HIDDEN, WIDTH, key=keys[6])

    def __call__(self, x: Array) -> tuple[Array, Array, Array]:
        """The weighted sum of the `top_k` MLPs that a router chooses for each row of x."""
        logits = self.router(x).astype(jnp.float32)
        logits = softmax(logits)
        values, indices = jax.lax.top_k(logits, k=2, axis=-1)
        values = (values / (jnp.sum(values, axis=-1, keepdims=True) + 1e-20)).astype(
            self.router.kernel.dtype
        )
        y = x[..., None, :]
        up = self.up(y, indices)
        y = jax.nn.silu(self.gate(y, indices))
        y = self.down(y * up, indices) * values[..., None]
        y = jnp.sum(y, axis=-2)
        shared_up = self.shared_up(x)
        x = jax.nn.silu(self.shared_gate(x))
        y = y + self.shared_down(x * shared_up)
        counts = bincount(indices.reshape(-1))
        mean = jnp.mean(logits.reshape(-1, EXPERTS), axis=0)
        x = counts * 2 / jnp.sum(counts)
        x = jnp.sum(x * mean) * EXPERTS
        return y, x, counts


class Block(eqx.Module):
    ln_1: RmsNorm
    query: Linear
    key: Linear
    value: Linear
    out: Linear
    ln_2: RmsNorm
    moe: MixtureOfExperts

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 5)
        self.ln_1 = RmsNorm(WIDTH)
        self.query = Linear(WIDTH, WIDTH, key=keys[0])
        self.key = Linear(WIDTH, KV_HEADS * (WIDTH // HEADS), key=keys[1])
        self.value = Linear(WIDTH, KV_HEADS * (WIDTH // HEADS), key=keys[2])
        self.out = Linear(WIDTH, WIDTH, key=keys[3])
        self.ln_2 = RmsNorm(WIDTH)
        self.moe = MixtureOfExperts(key=keys[4])

    def __call__(
        self, x: Array, cos: Array, sin: Array, mask: Array
    ) -> tuple[Array, Array, Array]:
        batch, seq, _ = x.shape
        ln_1 = self.ln_1(x)
        q = self.query(ln_1).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = self.key(ln_1).reshape(batch, seq, KV_HEADS, WIDTH // HEADS)
        v = self.value(ln_1).reshape(batch, seq, KV_HEADS, WIDTH // HEADS)
        q = rope(q, cos, sin)
        k = rope(k, cos, sin)
        attended = dot_product_attention(q, k, v, mask)
        x = x + self.out(jax.lax.collapse(attended, -2))
        y, loss, counts = self.moe(self.ln_2(x))
        return x + y, loss, counts


class TinyMoe(eqx.Module):
    wte: Embed
    h: Block
    ln_f: RmsNorm

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.wte = Embed(VOCAB, WIDTH, key=keys[0])
        self.h = eqx.filter_vmap(lambda key: Block(key=key))(
            jax.random.split(keys[1], DEPTH)
        )
        self.ln_f = RmsNorm(WIDTH)

    def __call__(self, tokens: Array) -> dict[str, Array]:
        """tokens (batch, seq) -> logits (batch, seq, vocab); loss; counts (2, experts)."""
        positions = jnp.arange(tokens.shape[1], dtype=jnp.int32)
        cos, sin = rope_table(positions)
        mask = (positions[:, None] - positions[None] >= 0)[None]
        x = self.wte(tokens)

        def h_step(x: Array, layer: Block) -> tuple[Array, tuple[Array, Array]]:
            x, loss, counts = layer(x, cos, sin, mask)
            return x, (loss, counts)

        x, (loss, counts) = jax.lax.scan(h_step, x, self.h)
        logits = self.ln_f(x) @ self.wte.embedding.T
        loss = jnp.mean(loss, axis=0)
        return {"logits": logits, "loss": loss, "counts": counts}


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("h",)


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


def load(path: str | Path) -> TinyMoe:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(TinyMoe, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: TinyMoe = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
