"""literals: 52 parameters in 8 arrays.

Made by blox of sha256:aee24147ccd8751b67c8be387dde15ba918c4a97dde15834657d4c1c82809853

    model = load("folder of params.safetensors")
    outputs = eqx.filter_jit(model)(x)
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

WIDTH = 4


def pad(x: Array, *, constant_values: float = -jnp.inf) -> Array:
    """x with (before, after) more elements along its last axes."""
    return jnp.pad(x, [(0, 0), (0, 0), (1, 1)], constant_values=constant_values)


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


def running(best: Array, found: Array, x: Array) -> tuple[Array, Array]:
    x = jnp.max(x)
    return jnp.maximum(best, x), jnp.logical_or(found, x > best)


def shifted(x: Array, by: float) -> Array:
    return jnp.minimum(x, by)


class Layer(eqx.Module):
    norm: LayerNorm

    def __init__(self, *, key: Array) -> None:
        self.norm = LayerNorm(WIDTH)

    def __call__(self, x: Array, low: Array | float, on: Array | bool) -> Array:
        clipped = jnp.maximum(self.norm(x), low)
        return jnp.where(on, clipped, x)


class Literals(eqx.Module):
    up: Linear
    h: list[Layer]
    s: Layer

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.up = Linear(WIDTH, WIDTH, key=keys[0])
        self.h = [Layer(key=k) for k in jax.random.split(keys[1], 2)]
        self.s = eqx.filter_vmap(lambda key: Layer(key=key))(
            jax.random.split(keys[2], 2)
        )

    def __call__(self, x: Array) -> dict[str, Array]:
        """x (batch, seq, width)
        -> y (batch, seq, width); edge (batch, seq, 6); best, found.
        """
        dtype = self.up.kernel.dtype
        x = x.astype(dtype)
        up = self.up(x)
        far = up > 1.5
        cut = jnp.where(far, -jnp.inf, up)
        y = jnp.where(jnp.equal(far, True), False, True)
        edge = pad(jnp.clip(up, -jnp.inf, 2.0))
        best_x = jnp.moveaxis(x, -2, 0)

        def best_step(
            carry: tuple[Array, Array], x: Array
        ) -> tuple[tuple[Array, Array], None]:
            best, found = carry
            return running(best, found, x), None

        (best, found), _ = jax.lax.scan(
            best_step,
            (jnp.asarray(-jnp.inf, dtype), jnp.asarray(False, jnp.bool_)),
            best_x,
        )
        best = shifted(best, jnp.inf)
        row = jnp.array((0.5, jnp.inf, -jnp.inf, 2), dtype)
        steps = jnp.array((1, 2, 3, 4), jnp.int32)
        there = jnp.array((True, False, True, True), jnp.bool_)
        h_low = (-jnp.inf, 0.0)
        h_on = (True, False)
        for i, p in enumerate(self.h):
            cut = p(cut, h_low[i], h_on[i])

        def s_step(x: Array, xs: tuple[Layer, Array, Array]) -> tuple[Array, None]:
            p, low, on = xs
            return p(x, low, on), None

        cut, _ = jax.lax.scan(
            s_step,
            cut,
            (
                self.s,
                jnp.asarray((-jnp.inf, 0.0), dtype),
                jnp.asarray((True, False), jnp.bool_),
            ),
        )
        cut = jnp.where(y, cut, jnp.full_like(cut, fill_value=jnp.nan))
        cut = (
            jnp.nan_to_num(cut, nan=0.0, posinf=jnp.inf, neginf=-jnp.inf) * steps + row
        )
        y = jnp.where(there, cut, -jnp.inf)
        return {"y": y, "edge": edge, "best": best, "found": found}


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("s",)


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
        if part == "*":
            if path not in numbered:
                return read(rest, shape, kind, path, head, axis + 1)
            one = shape[:axis] + shape[axis + 1 :]
            paths = [f"{path}{i}." for i in range(shape[axis])]
            return np.stack([read(rest, one, kind, p, head, axis) for p in paths], axis)
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
        parts = ["*"] * STACKED.count("")
        for i, part in enumerate(name.split(".")):
            head = ".".join(name.split(".")[: i + 1])
            parts += [part, *["*"] * STACKED.count(head)]
        found[name] = read(parts, x.shape, kind, "", "", 0)
    faults += [f"{name}: expected no such array" for name in arrays if name not in used]
    if faults:
        raise ValueError("; ".join([*dict.fromkeys(faults)][:20]))
    return {name: jnp.asarray(x) for name, x in found.items()}


def load(path: str | Path) -> Literals:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = eqx.filter_eval_shape(Literals, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: Literals = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
