"""albert: ALBERT: a factorised table of words, layers that share their parameters.

1,148 parameters in 26 arrays.
Made by blox of sha256:8522e94011f9012fe5efcb356fcf250b9323d51a2ec273a34ed802f56b4b59ec

    model = load("folder of params.safetensors")
    outputs = nnx.jit(Albert.__call__)(model, tokens)
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

VOCAB, EMBEDDING, WIDTH = 30, 4, 8
DEPTH, HEADS, CONTEXT = 3, 2, 16


class Attention(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.query = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.key = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.value = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array, mask: Array) -> Array:
        batch, seq, _ = x.shape
        q = self.query(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = self.key(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        v = self.value(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        x = jax.nn.dot_product_attention(q, k, v, mask=mask)
        return self.out(jax.lax.collapse(x, -2))


class Layer(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.attn = Attention(rngs=rngs)
        self.attn_norm = nnx.LayerNorm(
            WIDTH, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)
        self.norm = nnx.LayerNorm(
            WIDTH, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )

    def __call__(self, x: Array, mask: Array) -> Array:
        x = x + self.attn(x, mask)
        x = self.attn_norm(x)
        y = jax.nn.gelu(self.up(x), approximate=True)
        x = x + self.down(y)
        out: Array = self.norm(x)
        return out


class Albert(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.words = nnx.Embed(
            VOCAB,
            EMBEDDING,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.positions = nnx.Embed(
            CONTEXT,
            EMBEDDING,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.norm = nnx.LayerNorm(
            EMBEDDING, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )
        self.project = nnx.Linear(EMBEDDING, WIDTH, rngs=rngs)
        self.encoder = Layer(rngs=rngs)
        self.transform = nnx.Linear(WIDTH, EMBEDDING, rngs=rngs)
        self.transform_norm = nnx.LayerNorm(
            EMBEDDING, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )

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
        logits = self.transform_norm(x) @ self.words.embedding[...].T
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
    like = nnx.eval_shape(lambda: Albert(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
