"""prefixes: Recurrences in parallel, by functions that combine two elements.

4 parameters in 1 arrays.
Made by blox of sha256:b0f07e0e821b445a820a60829a1ce9795a78debf621bb1344436aad5430c5158

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(a, b, s)
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


class Linear(eqx.Module):
    """x @ kernel: (..., in) -> (..., out)."""

    kernel: Array

    def __init__(self, in_features: int, out_features: int, *, key: Array) -> None:
        self.kernel = jax.nn.initializers.lecun_normal()(
            key, (in_features, out_features)
        )

    def __call__(self, x: Array) -> Array:
        return x @ self.kernel


def compose(a: Array, b: Array, a2: Array, b2: Array) -> tuple[Array, Array]:
    return a * a2, b * a2 + b2


def add_2(x: Array, x2: Array) -> Array:
    return x + x2 * 1.0


class Mat(eqx.Module):
    w: Linear

    def __init__(self, *, key: Array) -> None:
        self.w = Linear(2, 2, key=key)

    def __call__(self, p: Array, q: Array) -> Array:
        return self.w(p @ q)


class Prefixes(eqx.Module):
    products: Mat

    def __init__(self, *, key: Array) -> None:
        self.products = Mat(key=key)

    def __call__(self, a: Array, b: Array, s: Array) -> dict[str, Array]:
        """a, b (batch, seq, 4) -> y, z (batch, seq, 4); m (batch, seq, 2, 2)."""
        dtype = self.products.w.kernel.dtype
        a, b, s = a.astype(dtype), b.astype(dtype), jnp.asarray(s, dtype)
        _, y = jax.lax.associative_scan(
            lambda left, right: jax.vmap(compose, in_axes=1, out_axes=1)(*left, *right),
            (a, b),
            axis=1,
        )
        z = jax.lax.associative_scan(jax.vmap(add_2), y, reverse=True)
        p = b.reshape(*b.shape[:-1], 2, 2)
        m = jax.lax.associative_scan(
            jax.vmap(lambda p, q: self.products(p, q), in_axes=-3, out_axes=-3),
            p,
            axis=-3,
        )
        return {"y": y, "z": z, "m": m}


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


def load(path: str | Path) -> Prefixes:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Prefixes, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Prefixes = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
