"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:4514f0bb5538a872f9293aabfb5cbb6d73cbf69001fd8adf9b61b4b5da89373f

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(input_ids)
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

VOCAB, WIDTH, DEPTH = 30522, 384, 6
HEADS, HIDDEN, CONTEXT, TYPES = 12, 1536, 512, 2


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return default if x is None else x


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

    def __init__(self, features: int, *, eps: float = 1e-12) -> None:
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


def pool(x: Array, present: Array) -> Array:
    """x (batch, seq, width), present (batch, seq), 0 for padding -> (batch, width)."""
    x = jnp.sum(x * present[..., None], axis=-2)
    return x / jnp.maximum(jnp.sum(present, axis=-1, keepdims=True), 1)


class Attention(eqx.Module):
    query: Linear
    key: Linear
    value: Linear
    output: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 4)
        self.query = Linear(WIDTH, WIDTH, key=keys[0])
        self.key = Linear(WIDTH, WIDTH, key=keys[1])
        self.value = Linear(WIDTH, WIDTH, key=keys[2])
        self.output = Linear(WIDTH, WIDTH, key=keys[3])

    def __call__(self, x: Array, mask: Array) -> Array:
        batch, seq, _ = x.shape
        q = self.query(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = self.key(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        v = self.value(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        attended = jax.nn.dot_product_attention(q, k, v, mask=mask)
        return self.output(jax.lax.collapse(attended, -2))


class Layer(eqx.Module):
    attention: Attention
    attention_norm: LayerNorm
    up: Linear
    down: Linear
    output_norm: LayerNorm

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.attention = Attention(key=keys[0])
        self.attention_norm = LayerNorm(WIDTH)
        self.up = Linear(WIDTH, HIDDEN, key=keys[1])
        self.down = Linear(HIDDEN, WIDTH, key=keys[2])
        self.output_norm = LayerNorm(WIDTH)

    def __call__(self, x: Array, mask: Array) -> Array:
        x = x + self.attention(x, mask)
        x = self.attention_norm(x)
        act = jax.nn.gelu(self.up(x), approximate=False)
        x = x + self.down(act)
        return self.output_norm(x)


class Minilm(eqx.Module):
    word: Embed
    token_type: Embed
    position: Embed
    norm: LayerNorm
    encoder: Layer
    pooler: Linear

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 5)
        self.word = Embed(VOCAB, WIDTH, key=keys[0])
        self.token_type = Embed(TYPES, WIDTH, key=keys[1])
        self.position = Embed(CONTEXT, WIDTH, key=keys[2])
        self.norm = LayerNorm(WIDTH)
        self.encoder = eqx.filter_vmap(lambda key: Layer(key=key))(
            jax.random.split(keys[3], DEPTH)
        )
        self.pooler = Linear(WIDTH, WIDTH, key=keys[4])

    def __call__(
        self,
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
        mask = (
            default(attention_mask, jnp.ones_like(input_ids))[..., None, None, :] != 0
        )
        types = default(token_type_ids, jnp.zeros_like(input_ids))
        positions = default(position_ids, jnp.arange(seq, dtype=jnp.int32))
        x = self.word(input_ids) + self.token_type(types)
        x = x + self.position(positions)
        x = self.norm(x)
        last_hidden_state, _ = jax.lax.scan(
            lambda x, p: (p(x, mask), None), x, self.encoder
        )
        pooler_output = jnp.tanh(self.pooler(last_hidden_state[:, 0]))
        return {"last_hidden_state": last_hidden_state, "pooler_output": pooler_output}

    def sentence_embedding(
        self,
        input_ids: Array,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
    ) -> Array:
        """Token ids to one vector per text.

        input_ids, attention_mask, token_type_ids (batch, seq)
        -> sentence_embedding (batch, 384).
        """
        present = default(attention_mask, jnp.ones_like(input_ids))
        x = self(input_ids, present, token_type_ids)["last_hidden_state"]
        x = pool(x, present)
        length = jnp.linalg.vector_norm(x, axis=-1, keepdims=True, ord=2)
        return x / jnp.maximum(length, 1e-12)


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("encoder",)


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


def load(path: str | Path) -> Minilm:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Minilm, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Minilm = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
