"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:a3528cfe964be90bf57542f0933d763f26feb6911f31ccd05ee2f64cc359d5a2

    model = load("folder of params.safetensors")
    outputs = nnx.jit(ControlFlow.__call__)(model, x)
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


def default(x: Array | None, default: Array) -> Array:
    """x, or the default where x is absent."""
    return default if x is None else x


def cold(x: Array) -> Array:
    return -x


def small(x: Array, steps: Array, step: float) -> Array:
    return jnp.sum(jnp.square(x)) < 100.0


def grow(x: Array, steps: Array, step: float) -> tuple[Array, Array]:
    return x + step, steps + 1


def lane(row: Array, scale: float) -> Array:
    return row * scale


class Warm(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.scale = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.scale(x)


class Euler(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.rate = nnx.Linear(WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array, i: Array) -> tuple[Array, Array]:
        x = x + self.rate(x) * 0.1 * i
        return x, jnp.mean(x, axis=(-1,))


class Expert(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(WIDTH, 2, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.linear(x)


class ControlFlow(nnx.Module):
    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.branch = nnx.Dict({"then": Warm(rngs=rngs)})
        self.path = Euler(rngs=rngs)
        self.experts = _stacked(lambda rngs: Expert(rngs=rngs), 3, rngs)

    def __call__(self, x: Array, bias: Array | None = None) -> dict[str, Array]:
        """x, bias (batch, width) -> x (3, batch, 2); steps; path (5, batch)."""
        dtype = self.branch["then"].scale.kernel.dtype
        x = x.astype(dtype)
        if bias is not None:
            bias = bias.astype(dtype)
        x = x + default(bias, jnp.zeros_like(x))
        positive = jnp.sum(x) > 0
        x = jax.lax.cond(positive, lambda: self.branch["then"](x), lambda: cold(x))

        def loop_cond(carry: tuple[tuple[Array, Array], Array]) -> Array:
            (x, steps), i = carry
            return small(x, steps, 0.5) & (i < 20)

        def loop_body(
            carry: tuple[tuple[Array, Array], Array],
        ) -> tuple[tuple[Array, Array], Array]:
            (x, steps), i = carry
            x, steps = grow(x, steps, 0.5)
            return (x, steps), i + 1

        (x, steps), _ = jax.lax.while_loop(
            loop_cond,
            loop_body,
            ((x, jnp.asarray(0, jnp.int32)), jnp.asarray(0, jnp.int32)),
        )
        x, path = jax.lax.scan(
            lambda x, i: self.path(x, i), x, jnp.arange(5, dtype=jnp.int32)
        )
        lanes = jax.vmap(lane, in_axes=(0, None))(x, 2.0)
        x = jax.vmap(Expert.__call__, in_axes=(0, None))(self.experts, lanes)
        return {"x": x, "steps": steps, "path": path}


# Below these, copies on an axis may lie one by one in a file.
STACKED = ("experts",)


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


def load(path: str | Path) -> ControlFlow:
    """The model with the arrays of a folder with params*.safetensors, or of one file."""
    like = nnx.eval_shape(lambda: ControlFlow(rngs=nnx.Rngs(0)))
    graph, state = nnx.split(like)
    leaves = {".".join(map(str, p)): (p, leaf) for p, leaf in nnx.to_flat_state(state)}
    found = _filled(Path(path), {name: leaf for name, (_, leaf) in leaves.items()})
    flat = {p: leaf.replace(found[name]) for name, (p, leaf) in leaves.items()}
    return nnx.merge(graph, nnx.from_flat_state(flat))
