"""minilm: 22,713,216 parameters in 23 arrays.

Source: nreimers/MiniLM-L6-H384-uncased.
Made by blox of sha256:4514f0bb5538a872f9293aabfb5cbb6d73cbf69001fd8adf9b61b4b5da89373f

    model = load("folder of params.safetensors")
    outputs = nnx.jit(Minilm.__call__)(model, input_ids)
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

VOCAB, WIDTH, DEPTH = 30522, 384, 6
HEADS, HIDDEN, CONTEXT, TYPES = 12, 1536, 512, 2


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return default if x is None else x


def pool(x: Array, present: Array) -> Array:
    """x (batch, seq, width), present (batch, seq), 0 for padding -> (batch, width)."""
    x = jnp.sum(x * present[..., None], axis=-2)
    return x / jnp.maximum(jnp.sum(present, axis=-1, keepdims=True), 1)


class Attention(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.query = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.key = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.value = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.output = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array, mask: Array) -> Array:
        batch, seq, _ = x.shape
        q = self.query(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        k = self.key(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        v = self.value(x).reshape(batch, seq, HEADS, WIDTH // HEADS)
        attended = jax.nn.dot_product_attention(q, k, v, mask=mask)
        return self.output(jax.lax.collapse(attended, -2))


class Layer(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.attention = Attention(rngs=rngs)
        self.attention_norm = nnx.LayerNorm(
            WIDTH, epsilon=1e-12, use_fast_variance=False, rngs=rngs
        )
        self.up = nnx.Linear(WIDTH, HIDDEN, rngs=rngs)
        self.down = nnx.Linear(HIDDEN, WIDTH, rngs=rngs)
        self.output_norm = nnx.LayerNorm(
            WIDTH, epsilon=1e-12, use_fast_variance=False, rngs=rngs
        )

    def __call__(self, x: Array, mask: Array) -> Array:
        x = x + self.attention(x, mask)
        x = self.attention_norm(x)
        act = jax.nn.gelu(self.up(x), approximate=False)
        x = x + self.down(act)
        out: Array = self.output_norm(x)
        return out


class Minilm(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.word = nnx.Embed(
            VOCAB,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.token_type = nnx.Embed(
            TYPES,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.position = nnx.Embed(
            CONTEXT,
            WIDTH,
            embedding_init=jax.nn.initializers.normal(stddev=0.02),
            rngs=rngs,
        )
        self.norm = nnx.LayerNorm(
            WIDTH, epsilon=1e-12, use_fast_variance=False, rngs=rngs
        )
        self.encoder = _stacked(lambda rngs: Layer(rngs=rngs), DEPTH, rngs)
        self.pooler = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

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
    like = nnx.eval_shape(lambda: Minilm(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
