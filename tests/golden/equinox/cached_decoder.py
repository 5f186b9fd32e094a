"""cached_decoder: A decoder with caches per layer, in lists.

2,440 parameters in 42 arrays.
Made by blox of sha256:2827ba457d015dd028cb323c38267995e982adb3e42e48ebf758257e06ade7ea

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(tokens, position, k, v)
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

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 30, 8, 3, 2, 16


class Linear(eqx.Module):
    """x @ kernel + bias: (..., in) -> (..., out)."""

    kernel: Array
    bias: Array | None

    def __init__(
        self, in_features: int, out_features: int, *, use_bias: bool = True, key: Array
    ) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (in_features, out_features)
        )
        self.bias = jnp.zeros((out_features,)) if use_bias else None

    def __call__(self, x: Array) -> Array:
        bias = self.bias
        y = x @ self.kernel
        return y if bias is None else y + bias


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


class GatedMlp(eqx.Module):
    gate: Linear
    up: Linear
    down: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.gate = Linear(WIDTH, 2 * WIDTH, use_bias=False, key=keys[0])
        self.up = Linear(WIDTH, 2 * WIDTH, use_bias=False, key=keys[1])
        self.down = Linear(2 * WIDTH, WIDTH, use_bias=False, key=keys[2])

    def __call__(self, x: Array) -> Array:
        """`down(act(gate(x)) * up(x))`: (..., features in) -> (..., features)."""
        x = jax.nn.silu(self.gate(x)) * self.up(x)
        return self.down(x)


class Block(eqx.Module):
    attn_norm: RmsNorm
    attn: Attention
    mlp_norm: RmsNorm
    mlp: GatedMlp

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 2)
        self.attn_norm = RmsNorm(WIDTH)
        self.attn = Attention(key=keys[0])
        self.mlp_norm = RmsNorm(WIDTH)
        self.mlp = GatedMlp(key=keys[1])

    def __call__(
        self, x: Array, mask: Array, k: Array, v: Array, position: Array
    ) -> tuple[Array, Array, Array]:
        attn_norm = self.attn_norm(x)
        attn, k, v = self.attn(attn_norm, mask, k, v, position)
        x = x + attn
        x = x + self.mlp(self.mlp_norm(x))
        return x, k, v


class CachedDecoder(eqx.Module):
    words: Embed
    places: Embed
    h: list[Block]
    norm: RmsNorm

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.words = Embed(VOCAB, WIDTH, key=keys[0])
        self.places = Embed(CONTEXT, WIDTH, key=keys[1])
        self.h = [Block(key=k) for k in jax.random.split(keys[2], DEPTH)]
        self.norm = RmsNorm(WIDTH)

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
        logits = self.norm(x) @ self.words.embedding.T
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
    like = eqx.filter_eval_shape(CachedDecoder, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: CachedDecoder = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
