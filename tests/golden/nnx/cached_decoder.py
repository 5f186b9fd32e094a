"""cached_decoder: A decoder with caches per layer, in lists.

2,440 parameters in 42 arrays.
Made by blox of sha256:2827ba457d015dd028cb323c38267995e982adb3e42e48ebf758257e06ade7ea

    model = load("folder of params.safetensors")
    outputs = nnx.jit(CachedDecoder.__call__)(model, tokens, position, k, v)
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

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 30, 8, 3, 2, 16


class Attention(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.query = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.key = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.value = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.out = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(
        self, x: Array, mask: Array, k: Array, v: Array, position: Array
    ) -> tuple[Array, Array, Array]:
        batch, seq, _ = x.shape
        q = self.query(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k_now = self.key(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        v_now = self.value(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = jax.lax.dynamic_update_slice_in_dim(k, k_now, position, axis=1)
        v = jax.lax.dynamic_update_slice_in_dim(v, v_now, position, axis=1)
        x = jax.nn.dot_product_attention(q, k, v, mask=mask)
        return self.out(jax.lax.collapse(x, -2)), k, v


class GatedMlp(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.gate = nnx.Linear(WIDTH, 2 * WIDTH, use_bias=False, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 2 * WIDTH, use_bias=False, rngs=rngs)
        self.down = nnx.Linear(2 * WIDTH, WIDTH, use_bias=False, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        """`down(act(gate(x)) * up(x))`: (..., features in) -> (..., features)."""
        x = jax.nn.silu(self.gate(x)) * self.up(x)
        return self.down(x)


class Block(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.attn_norm = nnx.RMSNorm(WIDTH, epsilon=1e-06, rngs=rngs)
        self.attn = Attention(rngs=rngs)
        self.mlp_norm = nnx.RMSNorm(WIDTH, epsilon=1e-06, rngs=rngs)
        self.mlp = GatedMlp(rngs=rngs)

    def __call__(
        self, x: Array, mask: Array, k: Array, v: Array, position: Array
    ) -> tuple[Array, Array, Array]:
        attn_norm = self.attn_norm(x)
        attn, k, v = self.attn(attn_norm, mask, k, v, position)
        x = x + attn
        x = x + self.mlp(self.mlp_norm(x))
        return x, k, v


class CachedDecoder(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.words = nnx.Embed(
            VOCAB,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.places = nnx.Embed(
            CONTEXT,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.h = nnx.List([Block(rngs=rngs) for _ in range(DEPTH)])
        self.norm = nnx.RMSNorm(WIDTH, epsilon=1e-06, rngs=rngs)

    def __call__(
        self, tokens: Array, position: Array, k: list[Array], v: list[Array]
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
        dtype = self.words.embedding.dtype
        k, v = [each.astype(dtype) for each in k], [each.astype(dtype) for each in v]
        x = position + jnp.arange(seq, dtype=jnp.int32)
        y = jnp.arange(cached, dtype=jnp.int32)
        mask = (x[:, None] - y[None] >= 0)[None]
        x = self.words(tokens) + self.places(x)
        k_new: list[Array] = []
        v_new: list[Array] = []
        for layer, layer_k, layer_v in zip(self.h, k, v, strict=True):
            x, layer_k, layer_v = layer(x, mask, layer_k, layer_v, position)
            k_new.append(layer_k)
            v_new.append(layer_v)
        logits = self.norm(x) @ self.words.embedding[...].T
        return {"logits": logits, "k_new": k_new, "v_new": v_new}


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

    def alike(head: str) -> int:
        """How many copies of one kind a list has, or 0."""
        copies: dict[str, dict[str, Any]] = {}
        for name, x in wanted.items():
            if name.startswith(head):
                i, _, rest = name.removeprefix(head).partition(".")
                copies.setdefault(i, {})[rest] = x.shape
        return len(copies) if all(c == copies["0"] for c in copies.values()) else 0

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
        below = f"{head}{part}."
        n = alike(head) if part.isdigit() and path not in numbered else 0
        if n:
            every = (*shape[:axis], n, *shape[axis:])
            return np.take(
                read(rest, every, kind, path, below, axis + 1), int(part), axis
            )
        return read(rest, shape, kind, f"{path}{part}.", below, axis)

    found: dict[str, Any] = {}
    for name, x in wanted.items():
        kind = "float" if jnp.issubdtype(x.dtype, jnp.floating) else str(x.dtype)
        found[name] = read(name.split("."), x.shape, kind, "", "", 0)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> CachedDecoder:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: CachedDecoder(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
