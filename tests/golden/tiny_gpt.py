"""tiny_gpt: A GPT with two entries over the same arrays: scoring is stepping with an
empty cache.

40,736 parameters in 16 arrays. License: MIT.
Made by blox of sha256:2076bbf899265c0ac8986c34be8078dbce19e4e58dc0ff9ef1ca33c7d88265ef

    params = load_params("folder of params.safetensors")
    logits = jax.jit(tiny_gpt)(params, tokens)
"""

import json
from functools import partial, reduce
from pathlib import Path
from typing import Any
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.dtypes import canonicalize_dtype
from safetensors.numpy import load_file

Params = dict[str, Any]

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-05) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(
    params: Params, x: Array, k: Array, v: Array, position: Array | int, mask: Array
) -> tuple[Array, Array, Array]:
    batch, seq, _ = x.shape
    q, k_new, v_new = jnp.split(linear(x, **params["qkv"]), 3, axis=-1)
    q = q.reshape(batch, seq, HEADS, WIDTH // HEADS)
    k_new = k_new.reshape(batch, seq, HEADS, WIDTH // HEADS)
    v_new = v_new.reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=1)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=1)
    mixed = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(mixed.reshape(batch, seq, WIDTH), **params["proj"]), k_new, v_new


def mlp(params: Params, x: Array) -> Array:
    x = jax.nn.gelu(linear(x, **params["up"]), approximate=True)
    return linear(x, **params["down"])


def block(
    params: Params, x: Array, k: Array, v: Array, position: Array | int, mask: Array
) -> tuple[Array, Array, Array]:
    ln_1 = layer_norm(x, **params["ln_1"])
    attn, k_new, v_new = attention(params["attn"], ln_1, k, v, position, mask)
    x = x + attn
    x = x + mlp(params["mlp"], layer_norm(x, **params["ln_2"]))
    return x, k_new, v_new


def step(
    params: Params, tokens: Array, position: Array | int, k: Array, v: Array
) -> dict[str, Array]:
    """tokens (batch, seq); k, v (depth, batch, cached, heads, width // heads)
    -> logits (batch, seq, vocab); k, v.
    """
    seq, cached = tokens.shape[1], k.shape[2]
    if not seq <= cached <= CONTEXT:
        raise ValueError(f"expected {seq=} <= {cached=} <= {CONTEXT}")
    dtype = params["wte"]["embedding"].dtype
    k, v = k.astype(dtype), v.astype(dtype)
    positions = position + jnp.arange(seq, dtype=jnp.int32)
    slots = jnp.arange(cached, dtype=jnp.int32)
    mask = (positions[:, None] - slots[None] >= 0)[None]
    x = embed(tokens, **params["wte"]) + embed(positions, **params["wpe"])

    def h_step(
        x: Array, xs: tuple[Params, Array, Array]
    ) -> tuple[Array, tuple[Array, Array]]:
        layer, k, v = xs
        x, k_new, v_new = block(layer, x, k, v, position, mask)
        return x, (k_new, v_new)

    x, (k_new, v_new) = jax.lax.scan(h_step, x, (params["h"], k, v))
    logits = layer_norm(x, **params["ln_f"]) @ params["wte"]["embedding"].T
    k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=2)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=2)
    return {"logits": logits, "k": k, "v": v}


def tiny_gpt(params: Params, tokens: Array) -> Array:
    """tokens (batch, seq) -> logits (batch, seq, vocab)."""
    dtype = params["wte"]["embedding"].dtype
    empty = jnp.zeros((DEPTH, *tokens.shape, HEADS, WIDTH // HEADS), dtype)
    return step(params, tokens, 0, empty, empty)["logits"]


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
BLOCK: Params = {
    "ln_1": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "attn": {
        "qkv": {"kernel": (WIDTH, 3 * WIDTH), "bias": (3 * WIDTH,)},
        "proj": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)},
    },
    "ln_2": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "mlp": {
        "up": {"kernel": (WIDTH, 4 * WIDTH), "bias": (4 * WIDTH,)},
        "down": {"kernel": (4 * WIDTH, WIDTH), "bias": (WIDTH,)},
    },
}
SHAPES: Params = {
    "wte": {"embedding": (VOCAB, WIDTH)},
    "wpe": {"embedding": (CONTEXT, WIDTH)},
    "h": (DEPTH, BLOCK),
    "ln_f": {"scale": (WIDTH,), "bias": (WIDTH,)},
}
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "bias": jax.nn.initializers.zeros,
    "kernel": jax.nn.initializers.lecun_normal(),
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
        own = reduce(jax.random.fold_in, (crc32(path[:-1].encode()), *copies), key)
        return INIT[path.split(".")[-2]](own, shapes, dtype)

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
