"""tiny_moe: A decoder whose layers attend in chunks and run two of four experts for
each token.

23,968 parameters in 15 arrays. License: MIT.
Made by blox of sha256:9b51139ad1c6af45aefb37880e59b2152091ac014e0d80b4fbfb4633b10199d7

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(tiny_moe)(params, tokens)
"""

import json
import math
from functools import partial, reduce
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import max_dim, min_dim
from jax.dtypes import canonicalize_dtype
from safetensors.numpy import load_file

Params = dict[str, Any]

VOCAB, WIDTH, DEPTH = 64, 32, 2
HEADS, KV_HEADS, EXPERTS, HIDDEN = 4, 2, 4, 16


def linear(x: Array, kernel: Array) -> Array:
    """x @ kernel: (..., in) -> (..., out)."""
    return x @ kernel


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jax.nn.softmax(y, axis=-1).astype(x.dtype)


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


def expert_linear(x: Array, expert: Array, kernel: Array) -> Array:
    """x @ kernel, those of the expert of each row: (..., in) -> (..., out)."""
    kind = jnp.result_type(x, kernel)
    batch = jnp.broadcast_shapes(x.shape[:-1], expert.shape)
    chosen = jnp.broadcast_to(expert, batch).reshape(-1)
    chosen = jnp.clip(chosen, 0, kernel.shape[0] - 1)
    rows = jnp.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])
    order = jnp.argsort(chosen)
    counts = jnp.bincount(chosen, length=kernel.shape[0])
    y = _in_blocks(rows[order].astype(kind), kernel.astype(kind), counts)
    return y[jnp.argsort(order)].reshape(*batch, kernel.shape[2])


def bincount(x: Array) -> Array:
    """How often each of 0, ..., length - 1 is in x."""
    count = partial(jnp.bincount, length=EXPERTS)
    counts: Array = jnp.vectorize(count, signature="(n)->(k)")(x)
    return counts


def rms_norm(x: Array, scale: Array, *, eps: float = 1e-06) -> Array:
    """x / sqrt(mean(x ** 2) + eps) * scale over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale).astype(x.dtype)


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


def mixture_of_experts(params: Params, x: Array) -> tuple[Array, Array, Array]:
    """The weighted sum of the `top_k` MLPs that a router chooses for each row of x."""
    logits = linear(x, **params["router"]).astype(jnp.float32)
    logits = softmax(logits)
    values, indices = jax.lax.top_k(logits, k=2, axis=-1)
    values = (values / (jnp.sum(values, axis=-1, keepdims=True) + 1e-20)).astype(
        params["router"]["kernel"].dtype
    )
    y = x[..., None, :]
    up = expert_linear(y, indices, **params["up"])
    y = jax.nn.silu(expert_linear(y, indices, **params["gate"]))
    y = expert_linear(y * up, indices, **params["down"]) * values[..., None]
    y = jnp.sum(y, axis=-2)
    shared_up = linear(x, **params["shared_up"])
    x = jax.nn.silu(linear(x, **params["shared_gate"]))
    y = y + linear(x * shared_up, **params["shared_down"])
    counts = bincount(indices.reshape(-1))
    mean = jnp.mean(logits.reshape(-1, EXPERTS), axis=0)
    x = counts * 2 / jnp.sum(counts)
    x = jnp.sum(x * mean) * EXPERTS
    return y, x, counts


def block(
    params: Params, x: Array, cos: Array, sin: Array, mask: Array
) -> tuple[Array, Array, Array]:
    batch, seq, _ = x.shape
    ln_1 = rms_norm(x, **params["ln_1"])
    q = linear(ln_1, **params["query"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = linear(ln_1, **params["key"]).reshape(batch, seq, KV_HEADS, WIDTH // HEADS)
    v = linear(ln_1, **params["value"]).reshape(batch, seq, KV_HEADS, WIDTH // HEADS)
    q = rope(q, cos, sin)
    k = rope(k, cos, sin)
    attended = dot_product_attention(q, k, v, mask)
    x = x + linear(jax.lax.collapse(attended, -2), **params["out"])
    y, loss, counts = mixture_of_experts(params["moe"], rms_norm(x, **params["ln_2"]))
    return x + y, loss, counts


def tiny_moe(params: Params, tokens: Array) -> dict[str, Array]:
    """tokens (batch, seq) -> logits (batch, seq, vocab); loss; counts (2, experts)."""
    positions = jnp.arange(tokens.shape[1], dtype=jnp.int32)
    cos, sin = rope_table(positions)
    mask = (positions[:, None] - positions[None] >= 0)[None]
    x = jnp.take(params["wte"]["embedding"], tokens, axis=0, mode="clip")

    def h_step(x: Array, layer: Params) -> tuple[Array, tuple[Array, Array]]:
        x, loss, counts = block(layer, x, cos, sin, mask)
        return x, (loss, counts)

    x, (loss, counts) = jax.lax.scan(h_step, x, params["h"])
    logits = rms_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T
    loss = jnp.mean(loss, axis=0)
    return {"logits": logits, "loss": loss, "counts": counts}


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "ln_1": {"scale": (WIDTH,)},
    "query": {"kernel": (WIDTH, WIDTH)},
    "key": {"kernel": (WIDTH, KV_HEADS * (WIDTH // HEADS))},
    "value": {"kernel": (WIDTH, KV_HEADS * (WIDTH // HEADS))},
    "out": {"kernel": (WIDTH, WIDTH)},
    "ln_2": {"scale": (WIDTH,)},
    "moe": {
        "router": {"kernel": (WIDTH, EXPERTS)},
        "up": {"kernel": (EXPERTS, WIDTH, HIDDEN)},
        "gate": {"kernel": (EXPERTS, WIDTH, HIDDEN)},
        "down": {"kernel": (EXPERTS, HIDDEN, WIDTH)},
        "shared_up": {"kernel": (WIDTH, HIDDEN)},
        "shared_gate": {"kernel": (WIDTH, HIDDEN)},
        "shared_down": {"kernel": (HIDDEN, WIDTH)},
    },
}
SHAPES: Params = {
    "wte": {"embedding": (VOCAB, WIDTH)},
    "h": (DEPTH, BLOCK),
    "ln_f": {"scale": (WIDTH,)},
}
# What draws an array, by its path or else by the last name of it.
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "kernel": jax.nn.initializers.lecun_normal(),
    "h.moe.up.kernel": jax.nn.initializers.lecun_normal(batch_axis=0),
    "h.moe.gate.kernel": jax.nn.initializers.lecun_normal(batch_axis=0),
    "h.moe.down.kernel": jax.nn.initializers.lecun_normal(batch_axis=0),
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            return jax.vmap(partial(draw, each, path, *copies))(jnp.arange(n))
        name = path.split(".")[-2]
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[path[:-1] if path[:-1] in INIT else name](own, shapes, dtype)

    return dict(draw(SHAPES))


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


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    numbered = {n[:i] for n in arrays for i, c in enumerate(n) if c.isdigit()}
    faults: list[str] = []

    def read(shapes: Any, path: str = "", *axes: int) -> Any:
        if isinstance(shapes, dict):
            return {k: read(s, f"{path}{k}.", *axes) for k, s in shapes.items()}
        if shapes and not isinstance(shapes[-1], int):
            n, each = shapes
            if path not in numbered:
                return read(each, path, *axes, n)
            copies = [read(each, f"{path}{i}.", *axes) for i in range(n)]
            return jax.tree.map(lambda *x: np.stack(x, len(axes)), *copies)
        name, shape = path[:-1], (*axes, *shapes)
        x = arrays.pop(name, np.array(None))
        fits = x.shape == shape and jnp.issubdtype(x.dtype, jnp.floating)
        if fits and x.dtype == canonicalize_dtype(x.dtype):
            return x
        found = "no array" if x.dtype == object else f"{x.dtype} {x.shape}"
        faults.append(f"{name}: expected float {shape}, found {found}")
        return np.zeros(shape, bool)

    params = read(SHAPES)
    faults += [f"{name}: expected no such array" for name in arrays]
    if faults:
        raise ValueError("; ".join(faults[:20]))
    return dict(jax.tree.map(jnp.asarray, params))
