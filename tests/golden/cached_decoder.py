"""cached_decoder: A decoder with caches per layer, in lists.

2,440 parameters in 42 arrays.
Made by blox of sha256:2827ba457d015dd028cb323c38267995e982adb3e42e48ebf758257e06ade7ea

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(cached_decoder)(params, tokens, position, k, v)
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

VOCAB, WIDTH, HEADS, CONTEXT = 30, 8, 2, 16


def linear(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    y = x @ kernel
    return y if bias is None else y + bias


def rms_norm(x: Array, scale: Array, *, eps: float = 1e-06) -> Array:
    """x / sqrt(mean(x ** 2) + eps) * scale over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale).astype(x.dtype)


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(
    params: Params, x: Array, mask: Array, k: Array, v: Array, position: Array
) -> tuple[Array, Array, Array]:
    batch, seq, _ = x.shape
    q = linear(x, **params["query"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k_now = linear(x, **params["key"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    v_now = linear(x, **params["value"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = jax.lax.dynamic_update_slice_in_dim(k, k_now, position, axis=1)
    v = jax.lax.dynamic_update_slice_in_dim(v, v_now, position, axis=1)
    x = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(jax.lax.collapse(x, -2), **params["out"]), k, v


def gated_mlp(params: Params, x: Array) -> Array:
    """`down(act(gate(x)) * up(x))`: (..., features in) -> (..., features)."""
    x = jax.nn.silu(linear(x, **params["gate"])) * linear(x, **params["up"])
    return linear(x, **params["down"])


def block(
    params: Params, x: Array, mask: Array, k: Array, v: Array, position: Array
) -> tuple[Array, Array, Array]:
    attn_norm = rms_norm(x, **params["attn_norm"])
    attn, k, v = attention(params["attn"], attn_norm, mask, k, v, position)
    x = x + attn
    x = x + gated_mlp(params["mlp"], rms_norm(x, **params["mlp_norm"]))
    return x, k, v


def cached_decoder(
    params: Params, tokens: Array, position: Array, k: list[Array], v: list[Array]
) -> dict[str, Any]:
    """tokens (batch, seq); k, v list of (batch, cached, heads, width // heads)
    -> logits (batch, seq, vocab); k_new, v_new list of (batch, cached, 2, 4).

    Returns:
        k_new: the next value of k, which is zero at the start.
        v_new: the next value of v, which is zero at the start.
    """
    seq, cached = tokens.shape[1], k[0].shape[1]
    if not seq <= cached <= CONTEXT:
        raise ValueError(f"expected {seq=} <= {cached=} <= {CONTEXT}")
    dtype = params["words"]["embedding"].dtype
    k, v = [each.astype(dtype) for each in k], [each.astype(dtype) for each in v]
    x = position + jnp.arange(seq, dtype=jnp.int32)
    y = jnp.arange(cached, dtype=jnp.int32)
    mask = (x[:, None] - y[None] >= 0)[None]
    x = embed(tokens, **params["words"]) + embed(x, **params["places"])
    k_new: list[Array] = []
    v_new: list[Array] = []
    for layer, layer_k, layer_v in zip(params["h"], k, v, strict=True):
        x, layer_k, layer_v = block(layer, x, mask, layer_k, layer_v, position)
        k_new.append(layer_k)
        v_new.append(layer_v)
    logits = rms_norm(x, **params["norm"]) @ params["words"]["embedding"].T
    return {"logits": logits, "k_new": k_new, "v_new": v_new}


# The shape of each array, where it lies in params.
BLOCK: Params = {
    "attn_norm": {"scale": (WIDTH,)},
    "attn": {
        name: {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}
        for name in ("query", "key", "value", "out")
    },
    "mlp_norm": {"scale": (WIDTH,)},
    "mlp": {
        "gate": {"kernel": (WIDTH, 2 * WIDTH)},
        "up": {"kernel": (WIDTH, 2 * WIDTH)},
        "down": {"kernel": (2 * WIDTH, WIDTH)},
    },
}
SHAPES: Params = {
    "words": {"embedding": (VOCAB, WIDTH)},
    "places": {"embedding": (CONTEXT, WIDTH)},
    "h": [BLOCK] * 3,
    "norm": {"scale": (WIDTH,)},
}
INIT: dict[str, Any] = {
    "embedding": jax.nn.initializers.normal(stddev=0.02),
    "scale": jax.nn.initializers.ones,
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating) or dtype != canonicalize_dtype(dtype):
        raise ValueError(f"expected a floating dtype (64 bits: x64), found {dtype}")

    def draw(shapes: Any, path: str = "", *copies: Any) -> Any:
        if isinstance(shapes, dict):
            return {k: draw(s, f"{path}{k}.", *copies) for k, s in shapes.items()}
        if isinstance(shapes, list):
            return [draw(s, path, *copies, i) for i, s in enumerate(shapes)]
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
        if isinstance(shapes, list):
            n = len(shapes)
            if path in numbered:
                return [read(s, f"{path}{i}.", *axes) for i, s in enumerate(shapes)]
            copies = read(shapes[0], path, *axes, n)
            takes = [partial(np.take, indices=i, axis=len(axes)) for i in range(n)]
            return [jax.tree.map(take, copies) for take in takes]
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
