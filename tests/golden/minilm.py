"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:4514f0bb5538a872f9293aabfb5cbb6d73cbf69001fd8adf9b61b4b5da89373f

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(minilm)(params, input_ids)
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

VOCAB, WIDTH, DEPTH = 30522, 384, 6
HEADS, HIDDEN, CONTEXT, TYPES = 12, 1536, 512, 2


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def layer_norm(x: Array, scale: Array, bias: Array, *, eps: float = 1e-12) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1) + eps)
    return (y * jnp.expand_dims(factor, -1) * scale + bias).astype(x.dtype)


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return default if x is None else x


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


def attention(params: Params, x: Array, mask: Array) -> Array:
    batch, seq, _ = x.shape
    q = linear(x, **params["query"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    k = linear(x, **params["key"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    v = linear(x, **params["value"]).reshape(batch, seq, HEADS, WIDTH // HEADS)
    attended = jax.nn.dot_product_attention(q, k, v, mask=mask)
    return linear(jax.lax.collapse(attended, -2), **params["output"])


def layer(params: Params, x: Array, mask: Array) -> Array:
    x = x + attention(params["attention"], x, mask)
    x = layer_norm(x, **params["attention_norm"])
    act = jax.nn.gelu(linear(x, **params["up"]), approximate=False)
    x = x + linear(act, **params["down"])
    return layer_norm(x, **params["output_norm"])


def minilm(
    params: Params,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
    position_ids: Array | None = None,
) -> dict[str, Array]:
    """Token ids to the hidden states of the last layer.

    input_ids, attention_mask, token_type_ids, position_ids (batch, seq)
    -> last_hidden_state (batch, seq, width); pooler_output (batch, width).
    """
    seq = input_ids.shape[1]
    if seq > CONTEXT:
        raise ValueError(f"expected {seq=} <= {CONTEXT}")
    mask = default(attention_mask, jnp.ones_like(input_ids))[..., None, None, :] != 0
    types = default(token_type_ids, jnp.zeros_like(input_ids))
    positions = default(position_ids, jnp.arange(seq, dtype=jnp.int32))
    x = embed(input_ids, **params["word"]) + embed(types, **params["token_type"])
    x = x + embed(positions, **params["position"])
    x = layer_norm(x, **params["norm"])
    last_hidden_state, _ = jax.lax.scan(
        lambda x, p: (layer(p, x, mask), None), x, params["encoder"]
    )
    pooler_output = jnp.tanh(linear(last_hidden_state[:, 0], **params["pooler"]))
    return {"last_hidden_state": last_hidden_state, "pooler_output": pooler_output}


def pool(x: Array, present: Array) -> Array:
    """x (batch, seq, width), present (batch, seq), 0 for padding -> (batch, width)."""
    x = jnp.sum(x * present[..., None], axis=-2)
    return x / jnp.maximum(jnp.sum(present, axis=-1, keepdims=True), 1)


def sentence_embedding(
    params: Params,
    input_ids: Array,
    attention_mask: Array | None = None,
    token_type_ids: Array | None = None,
) -> Array:
    """Token ids to one vector per text.

    input_ids, attention_mask, token_type_ids (batch, seq)
    -> sentence_embedding (batch, 384).
    """
    present = default(attention_mask, jnp.ones_like(input_ids))
    x = minilm(params, input_ids, present, token_type_ids)["last_hidden_state"]
    x = pool(x, present)
    length = jnp.linalg.vector_norm(x, axis=-1, keepdims=True, ord=2)
    return x / jnp.maximum(length, 1e-12)


# The shape of each array, where it lies in params: (n, shapes) are n on a first axis.
LAYER: Params = {
    "attention": {
        name: {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)}
        for name in ("query", "key", "value", "output")
    },
    "attention_norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "up": {"kernel": (WIDTH, HIDDEN), "bias": (HIDDEN,)},
    "down": {"kernel": (HIDDEN, WIDTH), "bias": (WIDTH,)},
    "output_norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
}
SHAPES: Params = {
    "word": {"embedding": (VOCAB, WIDTH)},
    "token_type": {"embedding": (TYPES, WIDTH)},
    "position": {"embedding": (CONTEXT, WIDTH)},
    "norm": {"scale": (WIDTH,), "bias": (WIDTH,)},
    "encoder": (DEPTH, LAYER),
    "pooler": {"kernel": (WIDTH, WIDTH), "bias": (WIDTH,)},
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
