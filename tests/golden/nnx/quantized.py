"""quantized: A tied table and kernels as int8, with LoRA.

221 parameters in 7 arrays.
Made by blox of sha256:24763bba936d6def8152a4978a2e1898c06070cbdc1220338e81253ebc4c0f81

    model = load("folder of params.safetensors")
    logits = nnx.jit(Quantized.__call__)(model, ids)
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

VOCAB, WIDTH, DEPTH = 11, 6, 2


class Buffer(nnx.Variable[Array]):
    """An array that is not trained."""


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


class Lora(nnx.Module):
    """y + (x @ a) @ b * (alpha / rank)."""

    def __init__(
        self, in_features: int, out_features: int, *, alpha: float = 4.0, rngs: nnx.Rngs
    ) -> None:
        self.alpha = alpha
        self.a = nnx.Param(
            jax.nn.initializers.lecun_normal()(rngs.params(), (in_features, 2))
        )
        self.b = nnx.Param(jnp.zeros((2, out_features)))

    def __call__(self, y: Array, x: Array) -> Array:
        return y + x @ self.a[...] @ self.b[...] * (self.alpha / 2)


class Dequantize(nnx.Module):
    """values * scale, in the dtype of scale."""

    def __init__(self, shape: tuple[int, ...], scale_shape: tuple[int, ...]) -> None:
        self.values = Buffer(jnp.zeros((*shape,), jnp.int8))
        self.scale = Buffer(jnp.ones((*scale_shape,)))

    def __call__(self) -> Array:
        return self.values[...].astype(self.scale[...].dtype) * self.scale[...]


class Layer(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.up: nnx.Dict[Any] = nnx.Dict(
            {
                "kernel": Dequantize((WIDTH, WIDTH), (1, WIDTH)),
                "bias": Buffer(jnp.zeros((WIDTH,))),
            }
        )
        self.up_lora = Lora(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        up = linear(x, kernel=self.up["kernel"](), bias=self.up["bias"][...])
        return x + jnp.tanh(self.up_lora(up, x))


class Quantized(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.table = nnx.Dict({"embedding": Dequantize((VOCAB, WIDTH), (VOCAB, 1))})
        self.h = _stacked(lambda rngs: Layer(rngs=rngs), DEPTH, rngs)

    def __call__(self, ids: Array) -> Array:
        """ids (batch, seq) -> logits (batch, seq, vocab)."""
        x = jnp.take(self.table["embedding"](), ids, axis=0, mode="clip")
        x, _ = jax.lax.scan(lambda x, p: (p(x), None), x, self.h)
        return x @ self.table["embedding"]().T


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


def load(path: str | Path) -> Quantized:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: Quantized(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
