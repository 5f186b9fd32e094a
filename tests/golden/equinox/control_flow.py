"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:a3528cfe964be90bf57542f0933d763f26feb6911f31ccd05ee2f64cc359d5a2

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


def cold(x: Array) -> Array:
    return -x


def small(x: Array, steps: Array, step: float) -> Array:
    return jnp.sum(jnp.square(x)) < 100.0


def grow(x: Array, steps: Array, step: float) -> tuple[Array, Array]:
    return x + step, steps + 1


def lane(row: Array, scale: float) -> Array:
    return row * scale


class Warm(eqx.Module):
    scale: Linear

    def __init__(self, *, key: Array) -> None:
        self.scale = Linear(WIDTH, WIDTH, key=key)

    def __call__(self, x: Array) -> Array:
        return self.scale(x)


class Euler(eqx.Module):
    rate: Linear

    def __init__(self, *, key: Array) -> None:
        self.rate = Linear(WIDTH, WIDTH, key=key)

    def __call__(self, x: Array, i: Array) -> tuple[Array, Array]:
        x = x + self.rate(x) * 0.1 * i
        return x, jnp.mean(x, axis=(-1,))


class Expert(eqx.Module):
    linear: Linear

    def __init__(self, *, key: Array) -> None:
        self.linear = Linear(WIDTH, 2, key=key)

    def __call__(self, x: Array) -> Array:
        return self.linear(x)


class ControlFlow(eqx.Module):
    branch: dict[str, Warm]
    path: Euler
    experts: Expert

    def __init__(self, *, key: Array) -> None:
        keys = jax.random.split(key, 3)
        self.branch = {"then": Warm(key=keys[0])}
        self.path = Euler(key=keys[1])
        self.experts = eqx.filter_vmap(lambda key: Expert(key=key))(
            jax.random.split(keys[2], 3)
        )

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
    like = eqx.filter_eval_shape(ControlFlow, key=jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(like)
    names = [jax.tree_util.keystr(p, simple=True, separator=".") for p, _ in leaves]
    wanted = {name: x for name, (_, x) in zip(names, leaves, strict=True)}
    found = _filled(Path(path), wanted)
    model: ControlFlow = jax.tree_util.tree_unflatten(tree, [found[n] for n in names])
    return model
