"""quantized: A tied table and kernels as int8, with LoRA.

221 parameters in 7 arrays.
Made by blox of sha256:24763bba936d6def8152a4978a2e1898c06070cbdc1220338e81253ebc4c0f81

    model = load("folder of params.safetensors")
    logits = eqx.filter_jit(model)(ids)
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

VOCAB, WIDTH, DEPTH = 11, 6, 2


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


class Lora(eqx.Module):
    """y + (x @ a) @ b * (alpha / rank)."""

    a: Array
    b: Array
    alpha: float = eqx.field(static=True)

    def __init__(
        self, in_features: int, out_features: int, *, alpha: float = 4.0, key: Array
    ) -> None:
        self.alpha = alpha
        self.a = jax.nn.initializers.lecun_normal()(key, (in_features, 2))
        self.b = jnp.zeros((2, out_features))

    def __call__(self, y: Array, x: Array) -> Array:
        return y + x @ self.a @ self.b * (self.alpha / 2)


class Dequantize(eqx.Module):
    """values * scale, in the dtype of scale."""

    values: Array
    scale: Array

    def __init__(self, shape: tuple[int, ...], scale_shape: tuple[int, ...]) -> None:
        self.values = jnp.zeros((*shape,), jnp.int8)
        self.scale = jnp.ones((*scale_shape,))

    def __call__(self) -> Array:
        return self.values.astype(
            jax.lax.stop_gradient(self.scale).dtype
        ) * jax.lax.stop_gradient(self.scale)


class Layer(eqx.Module):
    up: dict[str, Any]
    up_lora: Lora

    def __init__(self, *, key: Array) -> None:
        self.up = {
            "kernel": Dequantize((WIDTH, WIDTH), (1, WIDTH)),
            "bias": jnp.zeros((WIDTH,)),
        }
        self.up_lora = Lora(WIDTH, WIDTH, key=key)

    def __call__(self, x: Array) -> Array:
        up = linear(
            x, kernel=self.up["kernel"](), bias=jax.lax.stop_gradient(self.up["bias"])
        )
        return x + jnp.tanh(self.up_lora(up, x))


class Quantized(eqx.Module):
    table: dict[str, Dequantize]
    h: Layer

    def __init__(self, *, key: Array) -> None:
        self.table = {"embedding": Dequantize((VOCAB, WIDTH), (VOCAB, 1))}
        self.h = eqx.filter_vmap(lambda key: Layer(key=key))(
            jax.random.split(key, DEPTH)
        )

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
    like = eqx.filter_eval_shape(Quantized, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Quantized = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
