"""tiny_gpt: A GPT with two entries over the same arrays: scoring is stepping with an
empty cache.

40,736 parameters in 16 arrays. License: MIT.
Made by blox of sha256:2076bbf899265c0ac8986c34be8078dbce19e4e58dc0ff9ef1ca33c7d88265ef

    model = load("folder of params.safetensors")
    logits = nnx.jit(TinyGpt.__call__)(model, tokens)
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from safetensors.numpy import load_file

M = TypeVar("M", bound=nnx.Module)

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


class Attention(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.qkv = nnx.Linear(WIDTH, 3 * WIDTH, rngs=rngs)
        self.proj = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(
        self, x: Array, k: Array, v: Array, position: Array | int, mask: Array
    ) -> tuple[Array, Array, Array]:
        batch, seq, _ = x.shape
        q, k_new, v_new = jnp.split(self.qkv(x), 3, axis=-1)
        q = q.reshape(batch, seq, HEADS, WIDTH // HEADS)
        k_new = k_new.reshape(batch, seq, HEADS, WIDTH // HEADS)
        v_new = v_new.reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=1)
        v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=1)
        mixed = jax.nn.dot_product_attention(q, k, v, mask=mask)
        return self.proj(mixed.reshape(batch, seq, WIDTH)), k_new, v_new


class Mlp(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = jax.nn.gelu(self.up(x), approximate=True)
        return self.down(x)


class Block(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.LayerNorm(
            WIDTH, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )
        self.attn = Attention(rngs=rngs)
        self.ln_2 = nnx.LayerNorm(
            WIDTH, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )
        self.mlp = Mlp(rngs=rngs)

    def __call__(
        self, x: Array, k: Array, v: Array, position: Array | int, mask: Array
    ) -> tuple[Array, Array, Array]:
        ln_1 = self.ln_1(x)
        attn, k_new, v_new = self.attn(ln_1, k, v, position, mask)
        x = x + attn
        x = x + self.mlp(self.ln_2(x))
        return x, k_new, v_new


class TinyGpt(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.wte = nnx.Embed(
            VOCAB,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.wpe = nnx.Embed(
            CONTEXT,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.h = _stacked(lambda rngs: Block(rngs=rngs), DEPTH, rngs)
        self.ln_f = nnx.LayerNorm(
            WIDTH, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )

    def __call__(self, tokens: Array) -> Array:
        """tokens (batch, seq) -> logits (batch, seq, vocab)."""
        dtype = self.wte.embedding.dtype
        empty = jnp.zeros((DEPTH, *tokens.shape, HEADS, WIDTH // HEADS), dtype)
        return self.step(tokens, 0, empty, empty)["logits"]

    def step(
        self, tokens: Array, position: Array | int, k: Array, v: Array
    ) -> dict[str, Array]:
        """tokens (batch, seq); k, v (depth, batch, cached, heads, width // heads)
        -> logits (batch, seq, vocab); k, v.
        """
        seq, cached = tokens.shape[1], k.shape[2]
        if not seq <= cached <= CONTEXT:
            raise ValueError(f"expected {seq=} <= {cached=} <= {CONTEXT}")
        dtype = self.wte.embedding.dtype
        k, v = k.astype(dtype), v.astype(dtype)
        positions = position + jnp.arange(seq, dtype=jnp.int32)
        slots = jnp.arange(cached, dtype=jnp.int32)
        mask = (positions[:, None] - slots[None] >= 0)[None]
        x = self.wte(tokens) + self.wpe(positions)

        def h_step(
            x: Array, xs: tuple[Block, Array, Array]
        ) -> tuple[Array, tuple[Array, Array]]:
            layer, k, v = xs
            x, k_new, v_new = layer(x, k, v, position, mask)
            return x, (k_new, v_new)

        x, (k_new, v_new) = jax.lax.scan(h_step, x, (self.h, k, v))
        logits = self.ln_f(x) @ self.wte.embedding[...].T
        k = jax.lax.dynamic_update_slice_in_dim(k, k_new, position, axis=2)
        v = jax.lax.dynamic_update_slice_in_dim(v, v_new, position, axis=2)
        return {"logits": logits, "k": k, "v": v}


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


def load(path: str | Path) -> TinyGpt:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: TinyGpt(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
