"""tiny_moe: A decoder whose layers attend in chunks and run two of four experts for
each token.

23,968 parameters in 15 arrays. License: MIT.
Made by blox of sha256:9b51139ad1c6af45aefb37880e59b2152091ac014e0d80b4fbfb4633b10199d7

    model = load("folder of params.safetensors")
    outputs = nnx.jit(TinyMoe.__call__)(model, tokens)
"""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.core import max_dim, min_dim
from safetensors.numpy import load_file

M = TypeVar("M", bound=nnx.Module)

VOCAB, WIDTH, DEPTH = 64, 32, 2
HEADS, KV_HEADS, EXPERTS, HIDDEN = 4, 2, 4, 16


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


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


class ExpertLinear(nnx.Module):
    """x @ kernel, those of the expert of each row: (..., in) -> (..., out)."""

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(
            jax.nn.initializers.lecun_normal(batch_axis=0)(
                rngs.params(), (4, in_features, out_features)
            )
        )

    def __call__(self, x: Array, expert: Array) -> Array:
        kind = jnp.result_type(x, self.kernel[...])
        batch = jnp.broadcast_shapes(x.shape[:-1], expert.shape)
        chosen = jnp.broadcast_to(expert, batch).reshape(-1)
        chosen = jnp.clip(chosen, 0, self.kernel[...].shape[0] - 1)
        rows = jnp.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
        order = jnp.argsort(chosen)
        counts = jnp.bincount(chosen, length=self.kernel[...].shape[0])
        y = _in_blocks(rows[order].astype(kind), self.kernel[...].astype(kind), counts)
        return y[jnp.argsort(order)].reshape(*batch, self.kernel[...].shape[2])


class MixtureOfExperts(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.router = nnx.Linear(WIDTH, EXPERTS, use_bias=False, rngs=rngs)
        self.up = ExpertLinear(WIDTH, HIDDEN, rngs=rngs)
        self.gate = ExpertLinear(WIDTH, HIDDEN, rngs=rngs)
        self.down = ExpertLinear(HIDDEN, WIDTH, rngs=rngs)
        self.shared_up = nnx.Linear(WIDTH, HIDDEN, use_bias=False, rngs=rngs)
        self.shared_gate = nnx.Linear(WIDTH, HIDDEN, use_bias=False, rngs=rngs)
        self.shared_down = nnx.Linear(HIDDEN, WIDTH, use_bias=False, rngs=rngs)

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


class Block(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.RMSNorm(WIDTH, epsilon=1e-06, rngs=rngs)
        self.query = nnx.Linear(WIDTH, WIDTH, use_bias=False, rngs=rngs)
        self.key = nnx.Linear(
            WIDTH, KV_HEADS * (WIDTH // HEADS), use_bias=False, rngs=rngs
        )
        self.value = nnx.Linear(
            WIDTH, KV_HEADS * (WIDTH // HEADS), use_bias=False, rngs=rngs
        )
        self.out = nnx.Linear(WIDTH, WIDTH, use_bias=False, rngs=rngs)
        self.ln_2 = nnx.RMSNorm(WIDTH, epsilon=1e-06, rngs=rngs)
        self.moe = MixtureOfExperts(rngs=rngs)

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


class TinyMoe(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.wte = nnx.Embed(
            VOCAB,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.h = _stacked(lambda rngs: Block(rngs=rngs), DEPTH, rngs)
        self.ln_f = nnx.RMSNorm(WIDTH, epsilon=1e-06, rngs=rngs)

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
        logits = self.ln_f(x) @ self.wte.embedding[...].T
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
    like = nnx.eval_shape(lambda: TinyMoe(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
