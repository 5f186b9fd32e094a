"""control_flow: cond, while_loop, scan, map; optional inputs and literal carries.

70 parameters in 6 arrays.
Made by blox of sha256:681df52eed0719eabd121863c5a7a61222a32b5873979efb5f3d2c9cb12d9f20

    params = load_params("folder of params.safetensors")
    outputs = jax.jit(control_flow)(params, x)
"""

import json
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from safetensors import safe_open

Params = dict[str, Any]


def linear(x: Array, kernel: Array, bias: Array) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    return x @ kernel + bias


def default(x: Array | None, default: Array | float) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x


def warm(params: Params, x: Array) -> Array:
    return linear(x, **params["scale"])


def cold(x: Array) -> Array:
    return -x


def small(x: Array, steps: Array, step: Any) -> Array:
    return jnp.sum(jnp.square(x)) < 100.0


def grow(x: Array, steps: Array, step: Any) -> tuple[Array, Array]:
    return x + step, steps + 1


def euler(params: Params, x: Array, i: Array) -> tuple[Array, Array]:
    next_ = x + linear(x, **params["rate"]) * 0.1 * i
    return next_, jnp.mean(next_, axis=(-1,))


def lane(row: Array, scale: Any) -> Array:
    row_: Array = row * scale
    return row_


def expert(params: Params, x: Array) -> Array:
    return linear(x, **params["linear"])


def control_flow(
    params: Params, x: Array, bias: Array | None = None
) -> dict[str, Array]:
    shifted = x + default(bias, jnp.zeros_like(x))
    positive = jnp.sum(shifted) > 0
    branch = jax.lax.cond(
        positive, lambda: warm(params["branch"]["then"], shifted), lambda: cold(shifted)
    )

    def loop_cond(carry: Any) -> Any:
        (x, steps), i = carry
        return small(x, steps, 0.5) & (i < 20)

    def loop_body(carry: Any) -> Any:
        (x, steps), i = carry
        x, steps = grow(x, steps, 0.5)
        return (x, steps), i + 1

    (loop_x, loop_steps), _ = jax.lax.while_loop(
        loop_cond,
        loop_body,
        ((branch, jnp.asarray(0, jnp.int32)), jnp.asarray(0, jnp.int32)),
    )

    def path_step(x: Array, i: Array) -> tuple[Any, Any]:
        x, point = euler(params["path"], x, i)
        return x, point

    path_x, path_point = jax.lax.scan(path_step, loop_x, jnp.arange(5, dtype=jnp.int32))
    lanes = jax.vmap(lambda row: lane(row, 2.0))(path_x)
    experts = jax.vmap(lambda layer: expert(layer, lanes))(params["experts"])
    return {"x": experts, "steps": loop_steps, "path": path_point}


# The shape of each array, where it lies in params.
SHAPES: Params = {
    "branch": {"then": {"scale": {"kernel": (4, 4), "bias": (4,)}}},
    "path": {"rate": {"kernel": (4, 4), "bias": (4,)}},
    "experts": {"linear": {"kernel": (3, 4, 2), "bias": (3, 2)}},
}
STACKED = ["experts"]
INIT: dict[str, Any] = {
    "kernel": jax.nn.initializers.lecun_normal(),
    "bias": jax.nn.initializers.zeros,
}


def each_array(make: Callable[..., Array], tree: Any, path: str = "") -> Any:
    """The tree with make(path, shape) in place of each shape."""
    parts = path[1:].split(".")
    starred = parts
    path += ".*" * STACKED.count(".".join(starred))
    if isinstance(tree, tuple):
        return make(path[1:], tree)
    return {k: each_array(make, t, f"{path}.{k}") for k, t in tree.items()}


def drawn(
    copies: Sequence[str], make: Any, key: Array, shape: tuple[int, ...], dtype: Any
) -> Array:
    """An array with its copies, outermost first: each folds its number into the key."""
    if not copies:
        array: Array = make(key, shape, dtype)
        return array
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(shape[0]))
    return jax.vmap(lambda key: drawn(copies[1:], make, key, shape[1:], dtype))(keys)


def init_params(key: Array, dtype: Any = jnp.float32) -> Params:
    """New parameters; each array has a key of its own, folded by path and copy."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype: expected a floating one, found {dtype}")

    def draw(path: str, shape: tuple[int, ...]) -> Array:
        names = path.split(".")
        copies = [part for part in names if not part.isidentifier()]
        names = [part for part in names if part.isidentifier()]
        kind = jnp.dtype(dtype)
        if kind != jax.dtypes.canonicalize_dtype(kind):
            raise ValueError(f"{path}: expected at most 32 bits a value, found {kind}")
        make = INIT[names[-1]]
        make = partial(drawn, copies, make)
        seed = jax.random.fold_in(key, zlib.crc32(".".join(names).encode()))
        array: Array = make(seed, shape, kind)
        return array

    params: Params = each_array(draw, SHAPES)
    return params


def stored_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file, or of params.safetensors or its shards in a folder."""
    index = path / "params.safetensors.index.json"
    files = [path if path.is_file() else path / "params.safetensors"]
    if index.is_file() == files[0].is_file():
        wanted = "params.safetensors or params.safetensors.index.json in it"
        number = "both" if index.is_file() else "neither"
        raise FileNotFoundError(f"{path}: expected {wanted}, found {number}")
    places: dict[str, str] = {}
    if index.is_file():
        places = json.loads(index.read_text())["weight_map"]
        files = [path / Path(name).name for name in dict.fromkeys(places.values())]
    arrays: dict[str, Array] = {}
    found: dict[str, str] = {}
    for file in files:
        stored: Any = partial(safe_open, framework="flax")(file)
        for name in sorted(stored.keys()):
            kind = stored.get_slice(name).get_dtype()
            arrays[name] = stored.get_tensor(name)
            if kind.endswith("64") and arrays[name].dtype.itemsize < 8:
                raise ValueError(f"{name}: expected at most 32 bits, found {kind}")
            found[name] = file.name
    if index.is_file() and found != places:
        raise ValueError(f"{index}: expected the arrays of its files, found others")
    return arrays


def assembled(fetch: Any, stored: Any, path: str, shape: tuple[int, ...]) -> Any:
    """An array whose copies may lie otherwise in the file: one by one, or on an axis."""
    parts = path.split(".")
    own = [p.partition(":")[0] for p in parts if p != "*"]
    there = stored.get(".".join(p for p in parts if p.isidentifier()), own)

    def find(
        todo: Any, there: Any, name: str, index: Any, sizes: Any, shape: Any
    ) -> Any:
        if not todo:
            return fetch(name[1:], (*sizes, *shape))[index]
        part, *todo = todo
        if part.isidentifier():
            return find(todo, there[1:], f"{name}.{part}", index, sizes, shape)
        numbered = "".join(there[:1]).isdigit()
        n, *inner = shape
        if not numbered:
            return find(todo, there, name, (*index, slice(None)), (*sizes, n), inner)
        every = [f"{name}.{i}" for i in range(n)]
        copies = [find(todo, there[1:], one, index, sizes, inner) for one in every]
        if any(copy.dtype != copies[0].dtype for copy in copies):
            raise ValueError(f"{path}: expected copies of one dtype, found several")
        return jnp.stack(copies, index.count(slice(None)))

    return find(parts, there, "", (), (), shape)


def load_params(path: str | Path) -> Params:
    """The parameters of a folder with params*.safetensors, or of one such file."""
    arrays = stored_arrays(Path(path))
    left = dict(arrays)

    def fetch(name: str, shape: tuple[int, ...]) -> Array:
        if name not in arrays:
            raise ValueError(f"{name}: expected a shape of {shape}, found no array")
        array = left.pop(name, arrays[name])
        found, kind, wanted = (array.shape, array.dtype, "float")
        fits = jnp.issubdtype(kind, jnp.floating)
        if found != shape or not fits:
            raise ValueError(f"{name}: expected {wanted} {shape}, found {kind} {found}")
        return array

    make: Callable[..., Array] = fetch
    parts = [name.split(".") for name in arrays]
    stored = {".".join(p for p in path if not p.isdigit()): path for path in parts}
    make = partial(assembled, fetch, stored)
    params: Params = each_array(make, SHAPES)
    for name in left:
        raise ValueError(f"{name}: expected no such array, found it in {path}")
    return params
