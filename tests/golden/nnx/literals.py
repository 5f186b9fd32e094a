"""literals: 52 parameters in 8 arrays.

Made by blox of sha256:aee24147ccd8751b67c8be387dde15ba918c4a97dde15834657d4c1c82809853

    model = load("folder of params.safetensors")
    outputs = nnx.jit(Literals.__call__)(model, x)
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

WIDTH = 4


def _stacked(make: Callable[[nnx.Rngs], M], count: int, rngs: nnx.Rngs) -> M:
    """So many modules as one, whose arrays begin with an axis of them."""
    keys = jax.random.split(rngs.params(), count)
    modules: M = nnx.vmap(lambda key: make(nnx.Rngs(key)))(keys)
    return modules


def pad(x: Array, *, constant_values: float = -jnp.inf) -> Array:
    """x with (before, after) more elements along its last axes."""
    return jnp.pad(x, [(0, 0), (0, 0), (1, 1)], constant_values=constant_values)


def running(best: Array, found: Array, x: Array) -> tuple[Array, Array]:
    x = jnp.max(x)
    return jnp.maximum(best, x), jnp.logical_or(found, x > best)


def shifted(x: Array, by: float) -> Array:
    return jnp.minimum(x, by)


class Layer(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.norm = nnx.LayerNorm(
            WIDTH, epsilon=1e-05, use_fast_variance=False, rngs=rngs
        )

    def __call__(self, x: Array, low: Array | float, on: Array | bool) -> Array:
        clipped = jnp.maximum(self.norm(x), low)
        return jnp.where(on, clipped, x)


class Literals(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(WIDTH, WIDTH, rngs=rngs)
        self.h = nnx.List([Layer(rngs=rngs) for _ in range(2)])
        self.s = _stacked(lambda rngs: Layer(rngs=rngs), 2, rngs)

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
    like = nnx.eval_shape(lambda: Literals(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
