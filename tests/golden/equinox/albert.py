"""albert: ALBERT: a factorised table of words, layers that share their parameters.

1,148 parameters in 26 arrays.
Made by blox of sha256:8522e94011f9012fe5efcb356fcf250b9323d51a2ec273a34ed802f56b4b59ec

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(tokens)
"""

import json
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from safetensors.numpy import load_file

VOCAB, EMBEDDING, WIDTH = 30, 4, 8
DEPTH, HEADS, CONTEXT = 3, 2, 16


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (in_features, out_features)
        )
        self.bias = jnp.zeros((out_features,))

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel + self.bias


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


class Embed(eqx.Module):
    """Rows of the table: (...) -> (..., features)."""

    embedding: Array

    def __init__(self, num_embeddings: int, features: int, *, key: Array) -> None:
        self.embedding = jax.nn.initializers.normal(stddev=0.02)(
            key, (num_embeddings, features)
        )

    def __call__(self, ids: Array) -> Array:
        return jnp.take(self.embedding, ids, axis=0, mode="clip")


class Attention(eqx.Module):
    query: Linear
    key: Linear
    value: Linear
    out: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        self.query = Linear(WIDTH, WIDTH, key=keys[0])
        self.key = Linear(WIDTH, WIDTH, key=keys[1])
        self.value = Linear(WIDTH, WIDTH, key=keys[2])
        self.out = Linear(WIDTH, WIDTH, key=keys[3])

    def __call__(self, x: Array, mask: Array) -> Array:
        batch, seq, _ = x.shape
        q = self.query(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = self.key(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        v = self.value(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        x = jax.nn.dot_product_attention(q, k, v, mask=mask)
        return self.out(jax.lax.collapse(x, -2))


class Layer(eqx.Module):
    attn: Attention
    attn_norm: LayerNorm
    up: Linear
    down: Linear
    norm: LayerNorm

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.attn = Attention(key=keys[0])
        self.attn_norm = LayerNorm(WIDTH)
        self.up = Linear(WIDTH, 4 * WIDTH, key=keys[1])
        self.down = Linear(4 * WIDTH, WIDTH, key=keys[2])
        self.norm = LayerNorm(WIDTH)

    def __call__(self, x: Array, mask: Array) -> Array:
        x = x + self.attn(x, mask)
        x = self.attn_norm(x)
        y = jax.nn.gelu(self.up(x), approximate=True)
        x = x + self.down(y)
        return self.norm(x)


class Albert(eqx.Module):
    words: Embed
    positions: Embed
    norm: LayerNorm
    project: Linear
    encoder: Layer
    transform: Linear
    transform_norm: LayerNorm

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 5)
        self.words = Embed(VOCAB, EMBEDDING, key=keys[0])
        self.positions = Embed(CONTEXT, EMBEDDING, key=keys[1])
        self.norm = LayerNorm(EMBEDDING)
        self.project = Linear(EMBEDDING, WIDTH, key=keys[2])
        self.encoder = Layer(key=keys[3])
        self.transform = Linear(WIDTH, EMBEDDING, key=keys[4])
        self.transform_norm = LayerNorm(EMBEDDING)

    def __call__(self, tokens: Array) -> dict[str, Array]:
        """tokens (batch, seq) -> logits (batch, seq, vocab); hidden (batch, seq, width)."""
        seq = tokens.shape[1]
        if seq > CONTEXT:
            raise ValueError(f"expected {seq=} <= {CONTEXT}")
        mask = (tokens > 0)[:, None, None, :]
        x = self.words(tokens) + self.positions(jnp.arange(seq, dtype=jnp.int32))
        x = self.project(self.norm(x))
        hidden = x
        for _ in range(DEPTH):
            hidden = self.encoder(hidden, mask)
        x = jax.nn.gelu(self.transform(hidden), approximate=True)
        logits = self.transform_norm(x) @ self.words.embedding.T
        return {"logits": logits, "hidden": hidden}


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
        found[name] = taken(name, x.shape, kind)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> Albert:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Albert, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Albert = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
